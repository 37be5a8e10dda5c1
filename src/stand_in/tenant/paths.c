/* A path of Graph taken apart, in the one order that is right: which bytes may stand in a URL at all, then where
 * segments end, then percent-decoding of the key, once, then its quotation marks. Decoded before it is split, a %2F
 * would make a segment; decoded twice, a name with a percent sign would become another.
 *
 * The answer is a target, or PATH_BAD with a sentence for the client; a path that is merely unknown has no sentence. */
#include "stand_in/tenant/paths.h"
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

static struct path bad(const char *problem)
{
  return (struct path){.target = PATH_BAD, .problem = problem};
}

/* RFC 3986: only these may stand in a path unencoded. */
static bool is_path_text(const char *text)
{
  for (; *text != '\0'; text++)
    if (!str_is_alphanumeric(*text) && strchr("%-._~!$&'()*+,;=:@/", *text) == NULL)
      return false;
  return true;
}

/* Takes the quotes off in place and halves the apostrophes. */
static bool unquote(char *text)
{
  size_t length = strlen(text);
  if (length < 2 || text[0] != '\'' || text[length - 1] != '\'')
    return false;
  text[length - 1] = '\0';
  char *to = text;
  for (const char *from = text + 1; *from != '\0'; from++) {
    if (*from == '\'' && *++from != '\'')
      return false;
    *to++ = *from;
  }
  *to = '\0';
  return true;
}

/* The key at the beginning of *rest, a segment or ('...'), goes to user; *rest moves behind it. NULL when that went
 * well. */
static const char *take_user(const char **rest, char user[PATHS_NAME_SIZE])
{
  size_t length = strcspn(*rest, "/");
  char key[PATHS_NAME_SIZE];
  if (length == 0 || length >= sizeof key)
    return "The user is missing or too long.";
  memcpy(key, *rest, length);
  key[length] = '\0';
  *rest += length;
  /* /users('a@b.c'), beside the plain /users/a@b.c. */
  bool quoted = key[0] == '(';
  if (quoted) {
    if (key[length - 1] != ')')
      return "Invalid key syntax.";
    key[length - 1] = '\0';
    memmove(key, key + 1, length - 1);
  }
  if (!str_percent_decode(key) || !str_is_utf8(key, strlen(key)))
    return "The path is not well percent-encoded UTF-8.";
  if (quoted && !unquote(key))
    return "Invalid key syntax: it must be quoted, with apostrophes doubled.";
  /* Graph answers /users/$x@y with 400, and documents this way around it. */
  if (!quoted && key[0] == '$')
    return "A name that begins with $ must be given as a quoted key.";
  return str_copy(user, PATHS_NAME_SIZE, key) ? NULL : "The user is too long.";
}

static struct path parse_user(const char *rest)
{
  struct path path = {.target = PATH_USER};
  path.problem = take_user(&rest, path.user);
  if (path.problem != NULL)
    return bad(path.problem);
  if (*rest == '\0')
    return path;
  const char *presence = graph_operation_row(GRAPH_GET_PRESENCE)->path + strlen(GRAPH_USER);
  size_t length = strlen(presence);
  if (strcmp(rest, presence) == 0) {
    path.target = PATH_USER_PRESENCE;
    return path;
  }
  if (str_starts(rest, presence) && rest[length] == '/' &&
      str_copy(path.action, sizeof path.action, rest + length + 1)) {
    path.target = PATH_USER_ACTION;
    return path;
  }
  return (struct path){.target = PATH_UNKNOWN};
}

struct path path_parse(const char *text)
{
  static const char users[] = "/v1.0/users", presences[] = "/v1.0/communications/presences/";
  if (!is_path_text(text))
    return bad("The path holds characters that must be percent-encoded.");
  if (str_starts(text, users) && text[strlen(users)] == '/')
    return parse_user(text + strlen(users) + 1);
  if (str_starts(text, users) && text[strlen(users)] == '(')
    return parse_user(text + strlen(users));
  if (str_starts(text, presences)) {
    struct path path = {.target = PATH_USER_PRESENCE};
    const char *rest = text + strlen(presences);
    path.problem = take_user(&rest, path.user);
    if (path.problem != NULL)
      return bad(path.problem);
    return *rest == '\0' ? path : (struct path){.target = PATH_UNKNOWN};
  }
  if (!str_starts(text, "/v1.0/"))
    return (struct path){.target = PATH_UNKNOWN};
  if (strcmp(text + strlen("/v1.0"), graph_operation_row(GRAPH_GET_PRESENCES)->path) == 0)
    return (struct path){.target = PATH_PRESENCES};
  if (strcmp(text, "/v1.0/$batch") == 0)
    return (struct path){.target = PATH_BATCH};
  return (struct path){.target = PATH_UNKNOWN};
}
