/* libxml2 kept small. The bytes are checked before it sees them (size, UTF-8); then it builds its own tree, with three
 * of its callbacks replaced: errors, of which the first is kept; the document type, which stops the parser; the start
 * of an element, which notes the line and bounds the depth. Without a document type only XML's five entities exist, so
 * most of libxml2's attack surface is never reached. An xml_element is a view: name, line and
 * libxml2's node, valid as long as the document. */
#include "adapters/xml.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct xml {
  xmlDocPtr doc;
};

/* One parse; libxml2's callbacks find it at the context. */
struct reading {
  const char *name;
  int first_line; /* of the first error; 0: none yet */
  char first_text[256];
};

static const char white[] = " \t\r\n";

/* Nothing but the bytes at hand is ever read, whatever the document asks for. */
static xmlParserInputPtr load_nothing(const char *url UNUSED, const char *id UNUSED, xmlParserCtxtPtr context UNUSED)
{
  return NULL;
}

/* The first error says what is wrong; those after it are its consequences. */
static void note(struct reading *reading, int line, const char *text)
{
  if (reading->first_line != 0)
    return;
  reading->first_line = line > 0 ? line : 1;
  str_cut(reading->first_text, sizeof reading->first_text, text);
}

static void on_error(void *user, xmlErrorPtr error)
{
  xmlParserCtxtPtr context = user;
  /* Warnings and recoverable errors, such as a namespace without declaration, do not concern us. */
  if (error->level != XML_ERR_FATAL)
    return;
  char text[256];
  str_cut(text, sizeof text, error->message == NULL ? "not well-formed" : error->message);
  struct reading *reading = context->_private;
  note(reading, error->line, str_trim(text));
}

/* A document type is refused where it begins, so that none of its declarations is ever looked at. */
static void on_document_type(
    void *user, const xmlChar *name UNUSED, const xmlChar *public_id UNUSED, const xmlChar *system_id UNUSED)
{
  xmlParserCtxtPtr context = user;
  note(context->_private, xmlSAX2GetLineNumber(context), "a document type (DTD) is not allowed; remove <!DOCTYPE ...>");
  /* What libxml2 reports of the stop comes second, and what it has built so far is freed by parse(). */
  xmlStopParser(context);
}

static void on_start_element(
    void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespace_count,
    const xmlChar **namespaces, int attribute_count, int default_count, const xmlChar **attributes)
{
  xmlParserCtxtPtr context = user;
  xmlSAX2StartElementNs(
      user, name, prefix, uri, namespace_count, namespaces, attribute_count, default_count, attributes);
  /* libxml2 itself keeps 16 bits of it, and with XML_PARSE_BIG_LINES a guess beyond that. */
  if (context->node != NULL)
    context->node->_private = (void *)(intptr_t)xmlSAX2GetLineNumber(context);
  if (context->nodeNr > XML_MAX_DEPTH) {
    char text[96];
    snprintf(text, sizeof text, "elements are nested more than %d deep; that is no configuration", XML_MAX_DEPTH);
    note(context->_private, xmlSAX2GetLineNumber(context), text);
    xmlStopParser(context);
  }
}

/* The encoding declaration is not believed: what is UTF-8 is read as such, everything else is refused here. */
static bool check_bytes(const char *name, const char *bytes, size_t length, struct err *err)
{
  if (length >= 2 && (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0))
    return err_set(err, ERR_CONFIG, "%s: is encoded in UTF-16; save it as UTF-8", name);
  int line = 1;
  for (size_t at = 0; at < length; line++) {
    /* By lines, so that the line can be named. */
    const char *end = memchr(bytes + at, '\n', length - at);
    size_t line_length = (end == NULL ? length : (size_t)(end - bytes) + 1) - at;
    if (!str_is_utf8(bytes + at, line_length))
      return err_set(err, ERR_CONFIG, "%s:%d: not UTF-8 text; save the file as UTF-8", name, line);
    at += line_length;
  }
  if (strspn(bytes, white) == length) /* a NUL ends every buffer given here: see xml_parse() */
    return err_set(err, ERR_CONFIG, "%s: is empty; an XML document is expected", name);
  return true;
}

static xmlDocPtr read_document(struct reading *reading, const char *bytes, size_t length)
{
  /* Process-wide, so it is set before each parse. */
  xmlSetExternalEntityLoader(load_nothing);
  xmlParserCtxtPtr context = xmlNewParserCtxt();
  must(context != NULL);
  context->_private = reading;
  context->sax->serror = on_error;
  context->sax->internalSubset = on_document_type;
  context->sax->startElementNs = on_start_element;
  xmlDocPtr doc = xmlCtxtReadMemory(context, bytes, (int)length, NULL, "UTF-8", XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
  xmlFreeParserCtxt(context);
  if (doc == NULL)
    note(reading, 1, "no XML document");
  return doc;
}

static struct xml *parse(const char *name, const char *text, size_t length, struct err *err)
{
  if (!check_bytes(name, text, length, err))
    return NULL;
  /* Windows editors put a byte order mark in front; it belongs to the encoding, not to the document. */
  size_t mark = str_starts(text, "\xEF\xBB\xBF") ? 3 : 0;
  struct reading reading = {.name = name};
  xmlDocPtr doc = read_document(&reading, text + mark, length - mark);
  if (reading.first_line != 0) {
    /* A semicolon is taken for the sign of a text of our own, which has its remedy. */
    bool remedied = strchr(reading.first_text, ';') != NULL;
    err_set(
        err, ERR_CONFIG, "%s:%d: %s%s", name, reading.first_line, reading.first_text,
        remedied ? "" : "; correct the XML at or before this line");
    xmlFreeDoc(doc);
    return NULL;
  }
  struct xml *xml = must_alloc(sizeof *xml);
  xml->doc = doc;
  return xml;
}

struct xml *xml_parse(const char *name, const char *bytes, size_t length, struct err *err)
{
  if (length > XML_MAX_BYTES) {
    err_set(err, ERR_CONFIG, "%s: larger than %d bytes; that is no configuration", name, XML_MAX_BYTES);
    return NULL;
  }
  struct buf text;
  buf_init(&text, XML_MAX_BYTES);
  /* A copy, because what is checked must end in a NUL. */
  buf_add(&text, bytes, length);
  struct xml *xml = parse(name, text.bytes, text.length, err);
  buf_release(&text);
  return xml;
}

/* The whole of an open file. Its size is checked first, and again while reading: it may grow meanwhile. */
static bool read_file(int fd, const char *path, struct buf *ret_text, struct err *err)
{
  struct stat info;
  if (fstat(fd, &info) != 0)
    return err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check the path", path, strerror(errno));
  /* A device may go on for ever, and a folder can be opened as well. */
  if (!S_ISREG(info.st_mode))
    return err_set(err, ERR_CONFIG, "%s: not a regular file; check the path", path);
  if (info.st_size > XML_MAX_BYTES)
    return err_set(err, ERR_CONFIG, "%s: larger than %d bytes; that is no configuration", path, XML_MAX_BYTES);
  char chunk[16384];
  ssize_t got;
  while ((got = read(fd, chunk, sizeof chunk)) > 0 || (got < 0 && errno == EINTR))
    if (got > 0 && !buf_add(ret_text, chunk, (size_t)got))
      return err_set(err, ERR_CONFIG, "%s: larger than %d bytes; that is no configuration", path, XML_MAX_BYTES);
  if (got < 0)
    return err_set(err, ERR_CONFIG, "%s: cannot be read: %s; check file and disk", path, strerror(errno));
  return buf_add(ret_text, "", 0); /* so that an empty file has bytes, too */
}

struct xml *xml_open(const char *path, struct err *err)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us before it is refused */
  if (fd < 0) {
    if (errno == ENOENT)
      err_set(err, ERR_CONFIG, "%s: no such file; check the path", path);
    else
      err_set(err, ERR_CONFIG, "%s: cannot be opened: %s; check path and permissions", path, strerror(errno));
    return NULL;
  }
  struct buf text;
  buf_init(&text, XML_MAX_BYTES);
  struct xml *xml = NULL;
  if (read_file(fd, path, &text, err))
    xml = parse(path, text.bytes, text.length, err);
  buf_release(&text);
  close(fd);
  return xml;
}

void xml_close(struct xml *xml)
{
  if (xml == NULL)
    return;
  xmlFreeDoc(xml->doc);
  free(xml);
}

/* -- walking ---------------------------------------------------------------------------------------------------- */

static struct xml_element view(xmlNodePtr node)
{
  return (struct xml_element){(const char *)node->name, (int)(intptr_t)node->_private, node};
}

/* `node` or the first element behind it on its level. */
static bool element_from(xmlNodePtr node, struct xml_element *ret_element)
{
  while (node != NULL && node->type != XML_ELEMENT_NODE)
    node = node->next;
  if (node != NULL)
    *ret_element = view(node);
  return node != NULL;
}

struct xml_element xml_root(const struct xml *xml)
{
  return view(xmlDocGetRootElement(xml->doc));
}

bool xml_first_child(const struct xml_element *parent, struct xml_element *ret_child)
{
  return element_from(((xmlNodePtr)parent->node)->children, ret_child);
}

bool xml_next_sibling(const struct xml_element *element, struct xml_element *ret_sibling)
{
  return element_from(((xmlNodePtr)element->node)->next, ret_sibling);
}

bool xml_find(const struct xml_element *from, const char *name, struct xml_element *ret_found)
{
  if (strcmp(from->name, name) == 0) {
    *ret_found = *from;
    return true;
  }
  struct xml_element child; /* the recursion is at most XML_MAX_DEPTH deep */
  for (bool more = xml_first_child(from, &child); more; more = xml_next_sibling(&child, &child))
    if (xml_find(&child, name, ret_found))
      return true;
  return false;
}

bool xml_attribute_at(const struct xml_element *element, size_t index, struct xml_attribute *ret_attribute)
{
  xmlAttrPtr attribute = ((xmlNodePtr)element->node)->properties;
  while (attribute != NULL && index-- > 0)
    attribute = attribute->next;
  if (attribute == NULL)
    return false;
  xmlNodePtr text = attribute->children;
  /* Without declared entities a value is one text node; an empty one has none. */
  must(text == NULL || (text->type == XML_TEXT_NODE && text->next == NULL));
  const char *value = text == NULL || text->content == NULL ? "" : (const char *)text->content;
  *ret_attribute = (struct xml_attribute){(const char *)attribute->name, value};
  return true;
}

const char *xml_stray_text(const struct xml_element *element)
{
  for (xmlNodePtr node = ((xmlNodePtr)element->node)->children; node != NULL; node = node->next) {
    if (node->type != XML_TEXT_NODE && node->type != XML_CDATA_SECTION_NODE)
      continue;
    const char *text = (const char *)node->content;
    text += strspn(text, white);
    if (*text != '\0')
      return text;
  }
  return "";
}

const char *xml_version(void)
{
  return "libxml2 " LIBXML_DOTTED_VERSION;
}
