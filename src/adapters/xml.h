/* libxml2, tamed: one document into a tree of elements, attributes and lines. No network, no DTD, no external or
 * declared entities, nothing huge; size and depth are bounded before and while reading. Elements are matched by local
 * name; white space around names cannot occur, since XML forbids it before and allows it after a name. */
#ifndef ADAPTERS_XML_H
#define ADAPTERS_XML_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { XML_MAX_BYTES = 4 * 1024 * 1024, XML_MAX_DEPTH = 64 };

struct xml; /* a document */

struct xml_attribute {
  const char *name; /* local name */
  const char *value;
};

/* A view of one element; valid while the document lives. */
struct xml_element {
  const char *name; /* local name */
  int line;         /* of the end of its start tag */
  void *node;       /* private */
};

/* Errors are ERR_CONFIG: "FILE:LINE: WHAT; REMEDY". */
struct xml *xml_open(const char *path, struct err *err) MUST_CHECK;
/* The same from memory; `name` stands for the file in errors. */
struct xml *xml_parse(const char *name, const char *bytes, size_t length, struct err *err) MUST_CHECK;
void xml_close(struct xml *xml); /* NULL is fine */

struct xml_element xml_root(const struct xml *xml);
/* First and next child element; false when there is none. */
bool xml_first_child(const struct xml_element *parent, struct xml_element *ret_child);
bool xml_next_sibling(const struct xml_element *element, struct xml_element *ret_sibling);
/* The first element of that local name in document order, `from` itself included. */
bool xml_find(const struct xml_element *from, const char *name, struct xml_element *ret_found);
/* The attribute of that index, in document order; false past the last one. */
bool xml_attribute_at(const struct xml_element *element, size_t index, struct xml_attribute *ret_attribute);
/* Text directly inside the element that is not white space: "" when there is none. */
const char *xml_stray_text(const struct xml_element *element);

const char *xml_version(void);

#endif
