/* One attribute's text into its field. option_set() copies and trims it, check_text() refuses what no attribute may
 * hold, and the setter of its type does the rest; a setter frees what its field held before, and leaves the field alone
 * when it fails. Likely mistakes (a placeholder from a manual, commas in a list, `common` as the tenant) have sentences
 * of their own, because who reads the message has written the file from an example.
 *
 * A message shows the value unless that may be a secret: then wrong_hidden(), for errors end up in logs. */
#include "base/clock.h"
#include "base/str.h"
#include "config/options.h"

#include <string.h>

#define ELLIPSIS "\xE2\x80\xA6"

/* -- values ----------------------------------------------------------------------------------------------------- */

/* One value on its way into its field. */
struct setting {
  const struct place *place;
  const struct option *option;
  char *value; /* trimmed, not empty, plain text */
  void *field;
};

/* "FILE:LINE: Account ClientId="x": WHAT; REMEDY" */
static bool wrong(const struct setting *setting, struct err *err, const char *what, const char *remedy)
{
  char shown[64];
  str_cut(shown, sizeof shown, setting->value);
  return err_set(
      err, ERR_CONFIG, "%s:%d: %s %s=\"%s%s\": %s; %s", setting->place->file, setting->place->line,
      setting->place->element, setting->option->text.attribute, shown,
      strlen(shown) < strlen(setting->value) ? "..." : "", what, remedy);
}

/* The same without the value, which may be a secret that somebody forgot to seal, or hold a password. */
static bool wrong_hidden(const struct setting *setting, struct err *err, const char *what, const char *remedy)
{
  return err_set(
      err, ERR_CONFIG, "%s:%d: %s %s: %s; %s", setting->place->file, setting->place->line, setting->place->element,
      setting->option->text.attribute, what, remedy);
}

static bool keep_text(const struct setting *setting)
{
  char **field = setting->field;
  free(*field);
  *field = must_strdup(setting->value);
  return true;
}

/* What manuals and this project's own examples put where a real value belongs. */
static bool is_placeholder(const char *text)
{
  static const char *const signs[] = {
      "\xE2\x80\xA6", "...", "guid", "your", "xxxx", "<", "00000000-0000-0000-0000-0000"};
  char lower[CONFIG_TEXT_MAX + 1];
  str_cut(lower, sizeof lower, text);
  str_lower(lower);
  for (size_t i = 0; i < COUNT_OF(signs); i++)
    if (strstr(lower, signs[i]) != NULL)
      return true;
  return false;
}

static bool set_id(const struct setting *setting, struct err *err)
{
  if (strlen(setting->value) > CONFIG_ID_MAX)
    return wrong(setting, err, "longer than 128 bytes", setting->option->remedy);
  return keep_text(setting);
}

/* Ids are kept in lower case, so that the same app is the same text in budget, token cache and seal. */
static bool set_guid(const struct setting *setting, struct err *err)
{
  if (is_placeholder(setting->value))
    return wrong(setting, err, "a placeholder", setting->option->remedy);
  if (!str_is_guid(setting->value))
    return wrong(setting, err, "not a GUID", setting->option->remedy);
  str_lower(setting->value);
  return keep_text(setting);
}

/* A last label of digits alone is refused, since 10.0.0.1 is an address. Labels neither begin nor end with a hyphen. */
bool option_is_domain(const char *text)
{
  size_t length = strlen(text), labels = 1, label = 0;
  bool number = true;
  if (length == 0 || length > CONFIG_DOMAIN_MAX || text[length - 1] == '-')
    return false;
  for (const char *c = text; *c != '\0'; c++) {
    bool digit = *c >= '0' && *c <= '9', letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
    if (*c == '.' && label > 0 && c[-1] != '-') {
      labels++;
      label = 0;
      number = true;
    } else if (digit || letter || (*c == '-' && label > 0)) {
      label++;
      number = number && digit;
    } else {
      return false;
    }
  }
  return labels > 1 && label > 0 && !number;
}

static bool set_tenant(const struct setting *setting, struct err *err)
{
  const char *remedy = setting->option->remedy;
  /* Names that stand for several tenants. Entra refuses them to an application that acts by itself (AADSTS9001023 for
   * two of them), but only when it asks for a token; here it can be said with a line number. */
  if (str_equal_fold(setting->value, "common") || str_equal_fold(setting->value, "organizations") ||
      str_equal_fold(setting->value, "consumers"))
    return wrong(setting, err, "an app that acts by itself needs one tenant", remedy);
  /* A domain may well hold a word such as "your". */
  if (!option_is_domain(setting->value) && is_placeholder(setting->value))
    return wrong(setting, err, "a placeholder", remedy);
  if (!option_is_domain(setting->value) && !str_is_guid(setting->value))
    return wrong(setting, err, "neither a GUID nor a domain", remedy);
  str_lower(setting->value);
  return keep_text(setting);
}

static bool set_sealed(const struct setting *setting, struct err *err)
{
  if (!str_starts(setting->value, "pp1:"))
    return wrong_hidden(setting, err, "made by another password tool", "run `presenced secret encrypt`");
  /* No other signs of a placeholder: base64url may well spell "your" or "guid". */
  if (strstr(setting->value, ELLIPSIS) != NULL || strstr(setting->value, "...") != NULL)
    return wrong_hidden(setting, err, "a placeholder", setting->option->remedy);
  return keep_text(setting);
}

/* Each likely mistake in a list of domains gets its own sentence. */
static bool check_suffix(const struct setting *setting, const char *suffix, struct err *err)
{
  if (strpbrk(suffix, ",;") != NULL)
    return wrong(setting, err, "suffixes are separated by spaces", "write Domains=\"contoso.com contoso.de\"");
  if (strcmp(suffix, "*") == 0)
    return wrong(setting, err, "* stands for all suffixes that no other account names", "write it alone");
  if (strchr(suffix, '*') != NULL)
    return wrong(setting, err, "suffixes are compared whole", "name each, or write * alone for all others");
  if (strchr(suffix, '@') != NULL)
    return wrong(setting, err, "a suffix is what follows the @", "write Domains=\"contoso.com\"");
  if (strlen(suffix) > CONFIG_DOMAIN_MAX)
    return wrong(setting, err, "a suffix is longer than 253 bytes", "write Domains=\"contoso.com\"");
  return true;
}

static void free_domains(char **domains, size_t count)
{
  for (size_t i = 0; i < count; i++)
    free(domains[i]);
  free(domains);
}

static bool set_domains(const struct setting *setting, struct err *err)
{
  /* domain_count is the one field beside its own that an option sets. */
  struct config_account *owner =
      (struct config_account *)(void *)((char *)setting->field - offsetof(struct config_account, domains));
  char **domains = NULL;
  size_t count = 0;
  bool ok = true;
  str_lower(setting->value);
  const char *word = setting->value;
  /* XML has made spaces of tabs and line breaks, so a list over many lines arrives like one on a single line. */
  while (ok && *word != '\0') {
    size_t length = strcspn(word, " ");
    char *suffix = strndup(word, length);
    must(suffix != NULL);
    ok = strcmp(setting->value, "*") == 0 || check_suffix(setting, suffix, err);
    if (ok && count == CONFIG_DOMAINS_MAX)
      ok = wrong(setting, err, "more than 5000 suffixes", "write * for all that no other account names");
    domains = must_realloc(domains, (count + 1) * sizeof *domains);
    domains[count++] = suffix;
    word += length + strspn(word + length, " ");
  }
  if (!ok) {
    free_domains(domains, count);
    return false;
  }
  free_domains(owner->domains, owner->domain_count);
  owner->domains = domains;
  owner->domain_count = count;
  return true;
}

/* Seen from the config file's folder, because an author cannot know the working directory of a service. */
char *option_resolve_path(const char *file, const char *path)
{
  const char *slash = strrchr(file, '/');
  if (*path == '/' || slash == NULL)
    return must_strdup(path);
  size_t folder = (size_t)(slash - file) + 1, length = strlen(path);
  char *resolved = must_alloc(folder + length + 1);
  memcpy(resolved, file, folder);
  memcpy(resolved + folder, path, length + 1);
  return resolved;
}

static bool set_path(const struct setting *setting, struct err *err UNUSED)
{
  char **field = setting->field;
  free(*field);
  *field = option_resolve_path(setting->place->file, setting->value);
  return true;
}

/* There is no presence API in China (FACTS.md, "National and sovereign clouds"), so an account there could only fail
 * later and less clearly. */
static bool set_cloud(const struct setting *setting, struct err *err)
{
  static const char *const names[] = {"Global", "USGovL4", "USGovL5"};
  static const enum cloud clouds[] = {CLOUD_GLOBAL, CLOUD_USGOV_L4, CLOUD_USGOV_L5};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    if (strcmp(setting->value, names[i]) == 0) {
      *(enum cloud *)setting->field = clouds[i];
      return true;
    }
  if (str_starts(setting->value, "China"))
    return wrong(
        setting, err, "Microsoft offers no presence API in the China cloud", "only Global, USGovL4 and USGovL5 work");
  return wrong(setting, err, "no such cloud", "write Global, USGovL4 or USGovL5");
}

/* https alone, because the client secret goes to the Authority and tokens go to Graph. Paths are put behind it as it
 * is, so it ends without a slash and has neither query nor encoding. */
static bool set_url(const struct setting *setting, struct err *err)
{
  static const char remedy[] = "write a base URL such as https://graph.microsoft.com";
  static const char scheme[] = "https://";
  char *value = setting->value;
  size_t length = strlen(value);
  while (length > strlen(scheme) && value[length - 1] == '/')
    value[--length] = '\0';
  if (!str_starts(value, scheme))
    return wrong(setting, err, "not an https: URL", remedy);
  if (strpbrk(value, "?#") != NULL)
    return wrong(setting, err, "has a query or fragment", remedy);
  if (strpbrk(value, "@ \\\"<>%") != NULL)
    return wrong(setting, err, "holds a character that a base URL cannot have", remedy);
  const char *host = value + strlen(scheme);
  if (strcspn(host, "/:") == 0)
    return wrong(setting, err, "names no host", remedy);
  if (str_ends_fold(value, "/v1.0") || str_ends_fold(value, "/beta") || str_ends_fold(value, "/oauth2/v2.0"))
    return wrong(setting, err, "the version is added by itself", "leave it out");
  return keep_text(setting);
}

/* Only the form: libcurl knows the rest, and says so when it connects. */
static bool set_proxy(const struct setting *setting, struct err *err)
{
  static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
  for (size_t i = 0; i < COUNT_OF(schemes); i++)
    if (str_starts(setting->value, schemes[i]) && setting->value[strlen(schemes[i])] != '\0')
      return keep_text(setting);
  return wrong_hidden(setting, err, "not a proxy URL", "write http://HOST:PORT");
}

/* -- numbers ---------------------------------------------------------------------------------------------------- */

/* Other durations of the project count in seconds and more; budgets of CPU time need milliseconds. */
static bool parse_duration(const char *text, int64_t *ret_ms)
{
  size_t length = strlen(text);
  char digits[16];
  if (length < 3 || strcmp(text + length - 2, "ms") != 0)
    return clock_parse_duration(text, ret_ms);
  if (length - 2 >= sizeof digits)
    return false;
  memcpy(digits, text, length - 2);
  digits[length - 2] = '\0';
  return str_parse_int(digits, 0, INT32_MAX, ret_ms);
}

static bool parse_bytes(const char *text, int64_t *ret_bytes)
{
  static const struct {
    const char *unit;
    int64_t bytes;
  } units[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};
  size_t length = strspn(text, "0123456789");
  char digits[16];
  int64_t number;
  if (length >= sizeof digits)
    return false;
  memcpy(digits, text, length);
  digits[length] = '\0';
  /* 2^31 GiB still fit into 64 bits; what is too large is for the option's range to say. */
  for (size_t i = 0; i < COUNT_OF(units); i++)
    if (strcmp(text + length, units[i].unit) == 0 && str_parse_int(digits, 0, INT32_MAX, &number)) {
      *ret_bytes = number * units[i].bytes;
      return true;
    }
  return false;
}

static bool parse_number(enum option_type type, const char *text, int64_t *ret_number)
{
  if (type == OPTION_DURATION)
    return parse_duration(text, ret_number);
  if (type == OPTION_BYTES)
    return parse_bytes(text, ret_number);
  return str_parse_int(text, INT32_MIN, INT32_MAX, ret_number);
}

static void keep_number(const struct option *option, int64_t number, void *field)
{
  if (option->type == OPTION_DURATION)
    *(int64_t *)field = number;
  else if (option->type == OPTION_BYTES)
    *(size_t *)field = (size_t)number;
  else
    *(int *)field = (int)number;
}

static bool set_number(const struct setting *setting, struct err *err)
{
  const struct option *option = setting->option;
  int64_t number, min, max;
  must(
      parse_number(option->type, option->text.min_text, &min) &&
      parse_number(option->type, option->text.max_text, &max));
  char remedy[96];
  snprintf(
      remedy, sizeof remedy, "write %s..%s, or leave it out for %s", option->text.min_text, option->text.max_text,
      option->text.default_text);
  if (!parse_number(option->type, setting->value, &number))
    return wrong(
        setting, err,
        option->type == OPTION_INT        ? "not a whole number"
        : option->type == OPTION_DURATION ? "not a duration"
                                          : "not a size",
        remedy);
  if (number < min || number > max)
    return wrong(setting, err, "out of range", remedy);
  keep_number(option, number, setting->field);
  return true;
}

void option_defaults(const char *element, void *target)
{
  const struct option *option;
  for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
    if (option->text.default_text == NULL || strcmp(option->text.element, element) != 0)
      continue;
    int64_t number;
    must(parse_number(option->type, option->text.default_text, &number));
    keep_number(option, number, (char *)target + option->offset);
  }
}

/* -- words ------------------------------------------------------------------------------------------------------ */

static bool set_choice(const struct setting *setting, struct err *err)
{
  const char *const *words = setting->option->words;
  char remedy[64];
  for (size_t i = 0; i < COUNT_OF(setting->option->words); i++)
    if (strcmp(setting->value, words[i]) == 0) {
      *(bool *)setting->field = i > 0;
      return true;
    }
  snprintf(remedy, sizeof remedy, "write %s or %s", words[0], words[1]);
  return wrong(setting, err, "neither of the two words it can be", remedy);
}

/* -- one attribute ---------------------------------------------------------------------------------------------- */

static bool set_later(const struct setting *setting, struct err *err)
{
  return wrong_hidden(setting, err, "is not supported by this version", "remove it");
}

/* An error or a log entry is one line, which a control character would break. A line break in an attribute is a space
 * already when it arrives; one that is still there was written as a character reference. */
static bool check_text(const struct setting *setting, struct err *err)
{
  /* Up to the file's own limit, since a tenant may have thousands of domains. */
  if (setting->option->type != OPTION_DOMAINS && strlen(setting->value) > CONFIG_TEXT_MAX)
    return wrong_hidden(setting, err, "longer than 2048 bytes", "shorten it");
  if (*setting->value == '\0')
    return wrong_hidden(
        setting, err, "is empty",
        setting->option->remedy != NULL ? setting->option->remedy : "give a value or remove it");
  for (const char *c = setting->value; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F)
      return wrong_hidden(setting, err, "holds a line break or control character", "remove it");
  return true;
}

bool option_set(
    const struct place *place, const struct option *option, const char *value, void *target, struct err *err)
{
  static bool (*const setters[])(const struct setting *, struct err *) = {
      [OPTION_ID] = set_id,         [OPTION_GUID] = set_guid,       [OPTION_TENANT] = set_tenant,
      [OPTION_SEALED] = set_sealed, [OPTION_DOMAINS] = set_domains, [OPTION_PATH] = set_path,
      [OPTION_CLOUD] = set_cloud,   [OPTION_URL] = set_url,         [OPTION_PROXY] = set_proxy,
      [OPTION_INT] = set_number,    [OPTION_DURATION] = set_number, [OPTION_BYTES] = set_number,
      [OPTION_CHOICE] = set_choice, [OPTION_LATER] = set_later,
  };
  /* A copy, since setters trim, fold and cut it in place, while the document is the parser's. */
  char *text = must_strdup(value);
  struct setting setting = {place, option, str_trim(text), (char *)target + option->offset};
  bool ok = (option->type == OPTION_LATER || check_text(&setting, err)) && setters[option->type](&setting, err);
  free(text);
  return ok;
}
