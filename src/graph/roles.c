/* What a token says it may do. Tokens are opaque to us (FACTS.md, "Roles in a token"), and a token must not become a
 * Lua value, which JSON by lua-cjson would make of it: so this reads no more of the payload than the one list, in wiped
 * memory.
 *
 * It does not parse JSON: it finds "roles" wherever that stands in quotation marks, and takes the list behind it. That
 * will do, because what it finds is shown to people and decides nothing; a token that is encrypted or laid out in
 * another way simply names none. */
#include "base/str.h"
#include "graph/graph.h"

#include <string.h>

static int digit(char c)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const char *at = c == '\0' ? NULL : strchr(digits, c);
  return at == NULL ? -1 : (int)(at - digits);
}

/* base64url without padding (RFC 4648 5); false: it is something else. */
static bool decode(const char *text, size_t length, struct wiped *to)
{
  unsigned bits = 0, count = 0;
  size_t done = 0;
  wiped_reserve(to, length * 3 / 4);
  for (size_t i = 0; i < length; i++) {
    int value = digit(text[i]);
    if (value < 0)
      return false;
    bits = bits << 6 | (unsigned)value;
    count += 6;
    /* Bits that are left over at the end are padding. */
    if (count >= 8) {
      count -= 8;
      to->bytes[done++] = (unsigned char)(bits >> count & 0xFF);
    }
  }
  return true;
}

static const char *skip_space(const char *at)
{
  return at + strspn(at, " \t\r\n");
}

/* Names of permissions have no characters that JSON escapes; what has is left out. */
static void read_list(const char *at, struct graph_roles *roles)
{
  while (*(at = skip_space(at)) == '"') {
    size_t length = strcspn(++at, "\"\\");
    if (at[length] != '"')
      return;
    if (length > 0 && length < GRAPH_ROLE_SIZE && roles->count < GRAPH_ROLES_MAX && str_is_utf8(at, length)) {
      memcpy(roles->names[roles->count], at, length);
      roles->names[roles->count++][length] = '\0';
    }
    at = skip_space(at + length + 1);
    if (*at++ != ',')
      return;
  }
}

void graph_token_roles(const struct wiped *bearer, struct graph_roles *ret_roles)
{
  static const char key[] = "\"roles\"";
  struct wiped payload = WIPED_INIT;
  memset(ret_roles, 0, sizeof *ret_roles);
  /* A JWT is HEADER.PAYLOAD.SIGNATURE; only the payload is decoded. */
  const char *first = strchr(wiped_text(bearer), '.'), *second = first == NULL ? NULL : strchr(first + 1, '.');
  if (second == NULL || second - first < 2)
    return;
  const char *at = decode(first + 1, (size_t)(second - first - 1), &payload) ? strstr(wiped_text(&payload), key) : NULL;
  if (at != NULL) {
    at = skip_space(at + sizeof key - 1);
    if (*at == ':' && *(at = skip_space(at + 1)) == '[')
      read_list(at + 1, ret_roles);
  }
  wiped_release(&payload);
}
