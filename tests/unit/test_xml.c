#include "cases.h"

#include "adapters/xml.h"
#include "base/buf.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct xml *parse(const char *text, struct err *err)
{
  return xml_parse("c.xml", text, strlen(text), err);
}

static void a_document_is_walked_with_names_lines_and_values(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  struct xml *xml = parse(
      "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-16\"?>\n<!-- the declaration lies -->\n"
      "<c:root xmlns:c=\"urn:x\">\n <a x='1' c:y='&amp;&lt;&#xE9;\"'/>\n\n"
      " <b\n   z=\"\"\n ><![CDATA[ hi ]]></b >\n <a ><deep/></a>\n</c:root>\n",
      &err);
  assert_non_null(xml);
  struct xml_element root = xml_root(xml), a, b, deep, none;
  struct xml_attribute attribute;
  assert_string_equal(root.name, "root");
  assert_int_equal(root.line, 3);
  assert_string_equal(xml_stray_text(&root), "");
  assert_true(xml_first_child(&root, &a));
  assert_string_equal(a.name, "a");
  assert_int_equal(a.line, 4);
  assert_true(xml_attribute_at(&a, 0, &attribute));
  assert_string_equal(attribute.name, "x");
  assert_string_equal(attribute.value, "1");
  assert_true(xml_attribute_at(&a, 1, &attribute));
  assert_string_equal(attribute.name, "y");
  assert_string_equal(attribute.value, "&<\xC3\xA9\"");
  assert_false(xml_attribute_at(&a, 2, &attribute));
  assert_true(xml_next_sibling(&a, &b));
  assert_int_equal(b.line, 8);
  assert_string_equal(xml_stray_text(&b), "hi ");
  assert_true(xml_attribute_at(&b, 0, &attribute));
  assert_string_equal(attribute.value, "");
  assert_true(xml_find(&root, "deep", &deep));
  assert_int_equal(deep.line, 9);
  assert_false(xml_first_child(&deep, &none));
  assert_false(xml_find(&deep, "a", &none));
  assert_true(xml_find(&root, "root", &none));
  xml_close(xml);
  xml_close(NULL);
}

static void what_is_no_plain_xml_is_refused_with_a_line(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"", "c.xml: is empty; an XML document is expected"},
      {" \n\n", "c.xml: is empty; an XML document is expected"},
      {"hello", "c.xml:1: Start tag expected, '<' not found; correct the XML at or before this line"},
      {"<a>\n<b>\n</a>", "c.xml:3: Opening and ending tag mismatch: b line 2 and a; correct the XML"},
      {"<a>\n <b c=1/>\n</a>", "c.xml:2: AttValue: \" or ' expected; correct the XML"},
      {"<a b='1'\n b='2'/>", "c.xml:2: Attribute b redefined; correct the XML"},
      {"<a>", "c.xml:1: Premature end of data in tag a line 1; correct the XML"},
      {"<a/>\n<b/>", "c.xml:2: Extra content at the end of the document; correct the XML"},
      {"<a>&nbsp;</a>", "c.xml:1: Entity 'nbsp' not defined; correct the XML"},
      {"<a b='&nbsp;'/>", "c.xml:1: Entity 'nbsp' not defined; correct the XML"},
      {"<a>\n\xE9</a>", "c.xml:2: not UTF-8 text; save the file as UTF-8"},
      {"<?xml version='1.0' encoding='iso-8859-1'?>\n\n<a>\xE9</a>", "c.xml:3: not UTF-8 text; save the file as UTF-8"},
      {"\xFF\xFE<", "c.xml: is encoded in UTF-16; save it as UTF-8"},
      {"\xFE\xFF<", "c.xml: is encoded in UTF-16; save it as UTF-8"},
      {"<!DOCTYPE a>\n<a/>", "c.xml:1: a document type (DTD) is not allowed; remove <!DOCTYPE ...>"},
      {"\n<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'>\n<a/>", "c.xml:"},
      {"<!DOCTYPE a SYSTEM 'file:///etc/passwd' [\n<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p; ]><a/>",
       "c.xml:1: a document type (DTD) is not allowed"},
      {"<!DOCTYPE a [\n<!ENTITY x SYSTEM 'file:///etc/passwd'>\n]>\n<a>&x;</a>",
       "c.xml:1: a document type (DTD) is not allowed"},
      {"<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
       "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
       "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;'>]>"
       "<l x='&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'>&f;</l>",
       "c.xml:1: a document type (DTD) is not allowed"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct err err = ERR_INIT;
    struct xml *xml = parse(cases[i].text, &err);
    if (xml != NULL || strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
      fail_msg("case %zu: \"%s\", expected \"%s\"", i, err.text, cases[i].error);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_null(strchr(err.text, '\n'));
  }
}

static void a_nul_byte_is_refused(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  assert_null(xml_parse("c.xml", "<a>\n\0</a>", 9, &err));
  assert_string_equal(err.text, "c.xml:2: not UTF-8 text; save the file as UTF-8");
}

static struct xml *parse_nested(int depth, struct err *err)
{
  struct buf text;
  buf_init(&text, XML_MAX_BYTES);
  for (int i = 0; i < depth; i++)
    buf_add_str(&text, "<e>\n");
  for (int i = 0; i < depth; i++)
    buf_add_str(&text, "</e>");
  struct xml *xml = xml_parse("c.xml", buf_text(&text), text.length, err);
  buf_release(&text);
  return xml;
}

static void depth_is_bounded(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  struct xml *xml = parse_nested(XML_MAX_DEPTH, &err);
  assert_non_null(xml);
  xml_close(xml);
  static const int too_deep[] = {XML_MAX_DEPTH + 1, 300, 500000};
  for (size_t i = 0; i < COUNT_OF(too_deep); i++) {
    assert_null(parse_nested(too_deep[i], &err));
    assert_string_equal(err.text, "c.xml:65: elements are nested more than 64 deep; that is no configuration");
  }
}

/* A comment fills the document up to `length` bytes. */
static char *text_of_length(size_t length)
{
  static const char head[] = "<a><!--", tail[] = "--></a>";
  char *text = must_alloc(length + 1);
  memset(text, ' ', length);
  memcpy(text, head, strlen(head));
  memcpy(text + length - strlen(tail), tail, strlen(tail));
  return text;
}

static void size_is_bounded_in_memory_and_in_files(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  char folder[] = "/tmp/presenced-xml-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/c.xml", folder);
  for (size_t over = 0; over <= 1; over++) {
    size_t length = XML_MAX_BYTES + over;
    char *text = text_of_length(length);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    struct xml *from_memory = xml_parse(path, text, length, &err), *from_file = xml_open(path, &err);
    assert_int_equal(from_memory == NULL, over);
    assert_int_equal(from_file == NULL, over);
    xml_close(from_memory);
    xml_close(from_file);
    free(text);
  }
  assert_non_null(strstr(err.text, "/c.xml: larger than 4194304 bytes; that is no configuration"));
  unlink(path);
  rmdir(folder);
}

static void lines_beyond_65535_are_known(void **state)
{
  (void)state;
  struct err err = ERR_INIT;
  struct buf text;
  buf_init(&text, XML_MAX_BYTES);
  buf_add_str(&text, "<a>");
  for (int i = 0; i < 70000; i++)
    buf_add_str(&text, "\n");
  buf_add_str(&text, "<b/>\n</a>");
  struct xml *xml = xml_parse("c.xml", buf_text(&text), text.length, &err);
  assert_non_null(xml);
  struct xml_element root = xml_root(xml), b;
  assert_true(xml_find(&root, "b", &b));
  assert_int_equal(b.line, 70001);
  xml_close(xml);
  buf_release(&text);
}

static void files_that_cannot_be_read_say_why(void **state)
{
  (void)state;
  char folder[] = "/tmp/presenced-xml-XXXXXX", path[64], expected[128];
  assert_non_null(mkdtemp(folder));
  struct err err = ERR_INIT;
  snprintf(path, sizeof path, "%s/none.xml", folder);
  assert_null(xml_open(path, &err));
  snprintf(expected, sizeof expected, "%s: no such file; check the path", path);
  assert_string_equal(err.text, expected);
  assert_null(xml_open(folder, &err));
  snprintf(expected, sizeof expected, "%s: not a regular file; check the path", folder);
  assert_string_equal(err.text, expected);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_null(xml_open(path, &err)); /* at once, though nobody writes */
  assert_non_null(strstr(err.text, "not a regular file"));
  unlink(path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fclose(file);
  assert_null(xml_open(path, &err));
  assert_non_null(strstr(err.text, "none.xml: is empty"));
  unlink(path);
  rmdir(folder);
  assert_null(xml_open("/dev/null/c.xml", &err));
  assert_string_equal(err.text, "/dev/null/c.xml: cannot be opened: Not a directory; check path and permissions");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_document_is_walked_with_names_lines_and_values),
      cmocka_unit_test(what_is_no_plain_xml_is_refused_with_a_line),
      cmocka_unit_test(a_nul_byte_is_refused),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(size_is_bounded_in_memory_and_in_files),
      cmocka_unit_test(lines_beyond_65535_are_known),
      cmocka_unit_test(files_that_cannot_be_read_say_why),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
