/* version: the program's version, the libraries it runs with, and every limit with its default and range. The limits
 * come from the one table of options, so this list cannot fall behind. */
#include "adapters/crypto.h"
#include "adapters/db.h"
#include "adapters/http_client.h"
#include "adapters/http_server.h"
#include "adapters/json.h"
#include "adapters/vm.h"
#include "adapters/xml.h"
#include "cli/cli.h"

#include <stdio.h>

static void print_limits(void)
{
  printf("\nlimits, as attributes of config.xml:\n");
  const struct config_limit *limit;
  for (size_t i = 0; (limit = config_limit_at(i)) != NULL; i++)
    printf(
        "  %-24s %-22s %-8s (%s to %s)  %s\n", limit->element, limit->attribute, limit->default_text, limit->min_text,
        limit->max_text, limit->meaning);
}

static void print_json(const char *const *libraries, size_t count)
{
  struct values values = {0};
  struct value *answer = value_map(&values), *list = value_list(&values), *limits = value_list(&values);
  value_set(&values, answer, "version", value_string(&values, PRESENCED_VERSION));
  for (size_t i = 0; i < count; i++)
    value_add(&values, list, value_string(&values, libraries[i]));
  value_set(&values, answer, "libraries", list);
  const struct config_limit *limit;
  for (size_t i = 0; (limit = config_limit_at(i)) != NULL; i++) {
    struct value *entry = value_map(&values);
    value_set(&values, entry, "element", value_string(&values, limit->element));
    value_set(&values, entry, "attribute", value_string(&values, limit->attribute));
    value_set(&values, entry, "default", value_string(&values, limit->default_text));
    value_set(&values, entry, "min", value_string(&values, limit->min_text));
    value_set(&values, entry, "max", value_string(&values, limit->max_text));
    value_add(&values, limits, entry);
  }
  value_set(&values, answer, "limits", limits);
  struct buf text;
  buf_init(&text, 64 * 1024);
  json_write_pretty(&text, answer);
  printf("%s\n", buf_text(&text));
  buf_release(&text);
  values_release(&values);
}

int cli_version(struct cli *cli)
{
  if (!cli_no_more(cli, 0, 0))
    return EXIT_USAGE;
  const char *libraries[] = {vm_version(),  http_client_version(), crypto_version(),
                             xml_version(), db_version(),          http_server_version()};
  if (cli->json) {
    print_json(libraries, COUNT_OF(libraries));
    return EXIT_DONE;
  }
  printf("presenced " PRESENCED_VERSION "\n");
  for (size_t i = 0; i < COUNT_OF(libraries); i++)
    printf("  %s\n", libraries[i]);
  print_limits();
  return EXIT_DONE;
}
