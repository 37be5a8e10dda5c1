#!/bin/bash
# libxml2 2.9.14 (Debian 12): the line of an element is where its start tag ends, and from 65,535 on it is made up.
#
# A start tag from line 2 to line 5 is reported at line 5, by xmlSAX2GetLineNumber() while it is read and by
# xmlGetLineNo() afterwards. A node keeps 16 bits of it: afterwards an element in line 70,000 is at 65,535. With
# XML_PARSE_BIG_LINES, xmlGetLineNo() takes the line of the next text instead, which is where that text ends: the
# element is at 70,005 then, because the next text has five line breaks. While reading, the line is right beyond
# 65,535 too.
#
# For us: src/adapters/xml.c asks while it reads and keeps the line itself; it is the last line of the start tag.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libxml2-dev 2.9.14
compile lines libxml-2.0 <<'C'
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *trial;

static void on_start(
    void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaces,
    const xmlChar **declared, int attributes, int defaulted, const xmlChar **values)
{
  printf("%s, %s, while reading|%d\n", trial, (const char *)name, xmlSAX2GetLineNumber(context));
  xmlSAX2StartElementNs(context, name, prefix, uri, namespaces, declared, attributes, defaulted, values);
}

static void print(const xmlNode *node)
{
  for (; node != NULL; node = node->next)
    if (node->type == XML_ELEMENT_NODE) {
      printf("%s, %s, afterwards|%ld\n", trial, (const char *)node->name, xmlGetLineNo(node));
      print(node->children);
    }
}

static void parse(const char *name, const char *text, int options)
{
  xmlSAXHandler handler = {0};
  trial = name;
  xmlSAXVersion(&handler, 2);
  handler.startElementNs = on_start;
  xmlParserCtxtPtr parser = xmlCreatePushParserCtxt(&handler, NULL, NULL, 0, "config.xml");
  xmlCtxtUseOptions(parser, options);
  parser->linenumbers = 1;
  xmlParseChunk(parser, text, (int)strlen(text), 1);
  print(parser->myDoc->children);
  xmlFreeDoc(parser->myDoc);
  xmlFreeParserCtxt(parser);
}

int main(void)
{
  char *text = malloc(80000);
  parse(
      "tag of four lines",
      "<root>\n  <account\n    Id='contoso.com'\n    Tenantid='x'\n  >\n  </account>\n</root>\n", 0);
  memset(text, '\n', 69999);
  memcpy(text, "<root>", 6); /* takes the places of six line breaks */
  strcpy(text + 69999, "\n\n\n\n\n\n<first/><second/>\n\n\n\n\n<third/></root>\n");
  parse("many lines", text, 0);
  parse("BIG_LINES", text, XML_PARSE_BIG_LINES);
  free(text);
  return 0;
}
C
timeout 10 "$work/lines" >"$work/seen"
while IFS='|' read -r what stated; do
  check "$what" "$stated" "$(value "$what" "$work/seen")"
done <<'END'
tag of four lines, account, while reading|5
tag of four lines, account, afterwards|5
many lines, first, while reading|70000
many lines, first, afterwards|65535
many lines, third, while reading|70005
many lines, third, afterwards|65535
BIG_LINES, first, while reading|70000
BIG_LINES, first, afterwards|70005
BIG_LINES, third, afterwards|70005
END
conclude
