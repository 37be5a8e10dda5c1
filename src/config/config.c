/* config.xml as checked values: one way through the tree reads attributes by the table of options, then
 * check_accounts() fills in what accounts inherit and looks for what two of them may not share. The first error ends
 * it, and a half-read configuration never leaves config_load().
 *
 * The file is the contact centre's: outside our section everything is skipped unseen, inside it everything unknown is
 * an error, since an attribute that is misspelt and skipped would be a limit that silently does not hold. The trap is
 * the purpose: for sealing most of an account is left out, for the state file nearly all of struct config. */
#include "config/config.h"
#include "adapters/xml.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/str.h"
#include "config/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- attributes of one element ---------------------------------------------------------------------------------- */

/* Was this attribute given? A required one is kept as text, whose field is NULL until then. */
static bool is_missing(const struct option *option, const void *target)
{
  return *(char *const *)(const void *)((const char *)target + option->offset) == NULL;
}

static bool check_required(const struct place *place, bool sealing, const void *target, struct err *err)
{
  const struct option *option;
  for (size_t i = 0; (option = option_at(i)) != NULL; i++)
    if (strcmp(option->text.element, place->element) == 0 && option->remedy != NULL &&
        (option->for_sealing || !sealing) && is_missing(option, target))
      return err_set(
          err, ERR_CONFIG, "%s:%d: %s has no %s; %s", place->file, place->line, place->element, option->text.attribute,
          option->remedy);
  return true;
}

/* `sealing`: only attributes that name the account count, whatever else there is: a secret is sealed while the rest of
 * the file is still being written. */
static bool read_attributes(
    const struct place *place, const struct xml_element *element, bool sealing, void *target, struct err *err)
{
  struct xml_attribute attribute;
  option_defaults(place->element, target);
  for (size_t i = 0; xml_attribute_at(element, i, &attribute); i++) {
    const struct option *option = option_find(place->element, attribute.name);
    if (sealing && (option == NULL || !option->for_sealing))
      continue;
    if (option == NULL)
      return option_unknown(place, attribute.name, err);
    if (!option_set(place, option, attribute.value, target, err))
      return false;
  }
  return check_required(place, sealing, target, err);
}

/* `child` is none of the elements that are read here. */
static bool unknown_element(
    const char *file, const struct xml_element *child, const char *parent, const char *const *later, size_t count,
    struct err *err)
{
  /* A word of a later version would otherwise be taken for a misspelling, and the author would look for one. */
  for (size_t i = 0; i < count; i++)
    if (strcmp(child->name, later[i]) == 0)
      return err_set(
          err, ERR_CONFIG, "%s:%d: <%s> is not supported by this version; remove it", file, child->line, child->name);
  static const char *const known[] = {ELEMENT_ACCOUNT, ELEMENT_SCRIPT};
  bool inside = strcmp(parent, ELEMENT_PUBLISHER) == 0;
  const char *nearest = inside ? str_nearest(child->name, known, COUNT_OF(known)) : NULL;
  if (nearest != NULL)
    return err_set(
        err, ERR_CONFIG, "%s:%d: unknown element <%s> in <%s>; did you mean <%s>?", file, child->line, child->name,
        parent, nearest);
  return err_set(
      err, ERR_CONFIG, "%s:%d: unknown element <%s> in <%s>; remove it", file, child->line, child->name, parent);
}

static bool refuse_text(const struct place *place, const struct xml_element *element, struct err *err)
{
  if (*xml_stray_text(element) == '\0')
    return true;
  return err_set(
      err, ERR_CONFIG, "%s:%d: <%s> holds text beside its attributes and elements; remove it", place->file, place->line,
      place->element);
}

/* -- accounts --------------------------------------------------------------------------------------------------- */

static void release_account(struct config_account *account)
{
  for (size_t i = 0; i < account->domain_count; i++)
    free(account->domains[i]);
  free(account->domains);
  free(account->id);
  free(account->client_id);
  free(account->tenant_id);
  free(account->encrypted_secret);
  free(account->rules);
  free(account->authority);
  free(account->graph);
}

/* For sealing and for the verdict on what is sealed: the secret as it stands there, be it missing or of another tool.
 */
static char *unchecked_secret(const struct xml_element *element)
{
  struct xml_attribute attribute;
  for (size_t i = 0; xml_attribute_at(element, i, &attribute); i++)
    if (strcmp(attribute.name, "Encryptedsecret") == 0)
      return str_trim(must_strdup(attribute.value));
  return NULL;
}

static bool read_account(
    const char *file, const struct xml_element *element, enum config_purpose purpose, struct config *config,
    struct err *err)
{
  static const char *const later[] = {"Credential", "Only", "Except"};
  const struct place place = {file, element->line, ELEMENT_ACCOUNT};
  bool sealing = purpose == CONFIG_FOR_SEALING;
  if (config->account_count == CONFIG_ACCOUNTS_MAX)
    return err_set(
        err, ERR_CONFIG, "%s:%d: more than %d accounts; share them among several hosts", file, place.line,
        CONFIG_ACCOUNTS_MAX);
  config->accounts = must_realloc(config->accounts, (config->account_count + 1) * sizeof *config->accounts);
  /* Counted before it is read, so that config_release() frees what an error leaves half-read. The pointer is good until
   * the next account, whose realloc may move all of them. */
  struct config_account *account = &config->accounts[config->account_count++];
  *account = (struct config_account){.line = element->line};
  if (!read_attributes(&place, element, sealing, account, err))
    return false;
  if (sealing)
    account->encrypted_secret = unchecked_secret(element);
  struct xml_element child;
  if (!sealing && xml_first_child(element, &child))
    return unknown_element(file, &child, ELEMENT_ACCOUNT, later, COUNT_OF(later), err);
  return sealing || refuse_text(&place, element, err);
}

/* -- scripts ---------------------------------------------------------------------------------------------------- */

static bool read_script(const char *file, const struct xml_element *element, struct config *config, struct err *err)
{
  const struct place place = {file, element->line, ELEMENT_SCRIPT};
  struct xml_element child;
  if (config->script_count == CONFIG_SCRIPTS_MAX)
    return err_set(
        err, ERR_CONFIG, "%s:%d: more than %d scripts; put several hooks into one file", file, place.line,
        CONFIG_SCRIPTS_MAX);
  config->scripts = must_realloc(config->scripts, (config->script_count + 1) * sizeof *config->scripts);
  struct config_script *script = &config->scripts[config->script_count++];
  *script = (struct config_script){.line = element->line};
  if (!read_attributes(&place, element, false, script, err))
    return false;
  /* The same file twice would call each of its hooks twice. */
  for (const struct config_script *other = config->scripts; other < script; other++)
    if (strcmp(other->file, script->file) == 0)
      return err_set(
          err, ERR_CONFIG, "%s:%d: Script File=\"%s\" stands on line %d already; remove one", file, place.line,
          script->file, other->line);
  if (xml_first_child(element, &child))
    return unknown_element(file, &child, ELEMENT_SCRIPT, NULL, 0, err);
  return refuse_text(&place, element, err);
}

/* -- what accounts inherit, and what two of them may not share ---------------------------------------------------- */

/* Gives a field its default, unless it was set. */
static void fill(char **field, const char *text)
{
  if (*field == NULL && text != NULL)
    *field = must_strdup(text);
}

/* What the account inherits: rules from the publisher, addresses from its cloud, its one suffix from its Id. */
static bool complete_account(struct config *config, struct config_account *account, struct err *err)
{
  static const struct {
    const char *authority, *graph;
    /* GCC uses the hosts of the global cloud. DoD shares the authority of GCC High, but not its Graph. */
  } clouds[] = {
      [CLOUD_GLOBAL] = {"https://login.microsoftonline.com", "https://graph.microsoft.com"},
      [CLOUD_USGOV_L4] = {"https://login.microsoftonline.us", "https://graph.microsoft.us"},
      [CLOUD_USGOV_L5] = {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
  };
  fill(&account->rules, config->rules);
  fill(&account->authority, clouds[account->cloud].authority);
  fill(&account->graph, clouds[account->cloud].graph);
  if (account->domain_count > 0)
    return true;
  /* An Id that is a domain says whom the account serves, and one account alone may serve all. Among several, a guess
   * could send people's presences to the wrong tenant. */
  bool named = option_is_domain(account->id);
  if (!named && config->account_count > 1)
    return err_set(
        err, ERR_CONFIG,
        "%s:%d: Account has no Domains, and its Id=\"%s\" is no domain; write Domains=\"contoso.com\", or * for all "
        "that no other account names",
        config->path, account->line, account->id);
  account->domains = must_alloc(sizeof *account->domains);
  account->domains[0] = must_strdup(named ? account->id : "*");
  str_lower(account->domains[0]);
  account->domain_count = 1;
  return true;
}

/* Accounts of one app in one tenant share token and budget, so what these are made of must be the same. Their sealed
 * secrets may differ: sealing the same secret twice gives two texts, and an app may have several secrets. */
static bool check_shared(
    const struct config *config, const struct config_account *a, const struct config_account *b, struct err *err)
{
  if (strcmp(a->tenant_id, b->tenant_id) != 0 || strcmp(a->client_id, b->client_id) != 0)
    return true;
  const char *what = a->requests_per_30_seconds != b->requests_per_30_seconds ? "RequestsPer30Seconds"
                     : a->lookups_per_10_seconds != b->lookups_per_10_seconds ? "LookupsPer10Seconds"
                     : strcmp(a->authority, b->authority) != 0                ? "Authority or Cloud"
                     : strcmp(a->graph, b->graph) != 0                        ? "Graph or Cloud"
                                                                              : NULL;
  if (what == NULL)
    return true;
  return err_set(
      err, ERR_CONFIG,
      "%s:%d: Account \"%s\" has another %s than the one on line %d, with which it shares TenantId and ClientId and so "
      "token and budget; make them equal",
      config->path, b->line, b->id, what, a->line);
}

static bool same_suffix(
    const char *file, const struct config_account *a, const struct config_account *b, const char *suffix,
    struct err *err)
{
  if (a == b)
    return err_set(err, ERR_CONFIG, "%s:%d: Account Domains names %s twice; remove one", file, b->line, suffix);
  return err_set(
      err, ERR_CONFIG, "%s:%d: Account \"%s\" serves %s like the one on line %d; leave it to one of them", file,
      b->line, b->id, suffix, a->line);
}

static bool check_suffixes(
    const struct config *config, const struct config_account *a, const struct config_account *b, struct err *err)
{
  for (size_t i = 0; i < a->domain_count; i++)
    for (size_t j = a == b ? i + 1 : 0; j < b->domain_count; j++)
      if (strcmp(a->domains[i], b->domains[j]) == 0)
        return same_suffix(config->path, a, b, b->domains[j], err);
  return true;
}

/* Of each two accounts, the error stands at the later one, since that is the one somebody has just added. */
static bool check_accounts(struct config *config, enum config_purpose purpose, struct err *err)
{
  size_t suffixes = 0;
  /* All are completed before any two are compared: what is inherited must not clash either. */
  for (size_t i = 0; purpose == CONFIG_FOR_USE && i < config->account_count; i++) {
    if (!complete_account(config, &config->accounts[i], err))
      return false;
    suffixes += config->accounts[i].domain_count;
    if (suffixes > CONFIG_DOMAINS_MAX) /* comparing each with each must stay quick */
      return err_set(
          err, ERR_CONFIG, "%s:%d: more than %d Domains in all; write * where an account serves all the others",
          config->path, config->accounts[i].line, CONFIG_DOMAINS_MAX);
  }
  for (size_t j = 0; j < config->account_count; j++)
    for (size_t i = 0; i <= j; i++) {
      const struct config_account *a = &config->accounts[i], *b = &config->accounts[j];
      if (i != j && str_equal_fold(a->id, b->id))
        return err_set(
            err, ERR_CONFIG, "%s:%d: Account Id=\"%s\" is taken by the one on line %d; choose another", config->path,
            b->line, b->id, a->line);
      if (purpose == CONFIG_FOR_USE && (!check_suffixes(config, a, b, err) || !check_shared(config, a, b, err)))
        return false;
    }
  return true;
}

/* -- the publisher ---------------------------------------------------------------------------------------------- */

/* Other elements there belong to the contact centre's own services, other publishers included, and are nobody's
 * business here. A second section of ours would be ignored silently, so it is an error.
 *
 * The one MsGraphPresencePublisher in the PresencePublisher elements of `provider`. */
static bool find_in_provider(
    const char *file, const struct xml_element *provider, struct xml_element *ret_found, struct err *err)
{
  struct xml_element publisher, child;
  int publisher_line = 0, found_line = 0;
  for (bool p = xml_first_child(provider, &publisher); p; p = xml_next_sibling(&publisher, &publisher)) {
    if (strcmp(publisher.name, "PresencePublisher") != 0)
      continue;
    publisher_line = publisher.line;
    for (bool c = xml_first_child(&publisher, &child); c; c = xml_next_sibling(&child, &child)) {
      if (strcmp(child.name, ELEMENT_PUBLISHER) != 0)
        continue;
      if (found_line != 0)
        return err_set(
            err, ERR_CONFIG, "%s:%d: a second <" ELEMENT_PUBLISHER ">; put its accounts into the one on line %d", file,
            child.line, found_line);
      *ret_found = child;
      found_line = child.line;
    }
  }
  if (found_line != 0)
    return true;
  if (publisher_line != 0)
    return err_set(
        err, ERR_CONFIG, "%s:%d: <PresencePublisher> holds no <" ELEMENT_PUBLISHER ">; add it with an <Account>", file,
        publisher_line);
  return err_set(
      err, ERR_CONFIG,
      "%s:%d: the first <PresenceProvider> holds no <PresencePublisher>; add it with a <" ELEMENT_PUBLISHER ">", file,
      provider->line);
}

/* In the contact centre's whole file, or in the vendor's snippet alone. */
static bool find_publisher(const char *file, const struct xml *xml, struct xml_element *ret_found, struct err *err)
{
  struct xml_element root = xml_root(xml), provider, child;
  if (xml_find(&root, "PresenceProvider", &provider))
    return find_in_provider(file, &provider, ret_found, err);
  if (strcmp(root.name, "PresencePublisher") != 0)
    return err_set(
        err, ERR_CONFIG,
        "%s:%d: no <PresenceProvider> in <%s>; is this the contact centre's config.xml with the presence section in "
        "it?",
        file, root.line, root.name);
  for (bool more = xml_first_child(&root, &child); more; more = xml_next_sibling(&child, &child))
    if (strcmp(child.name, ELEMENT_PUBLISHER) == 0) {
      *ret_found = child;
      return true;
    }
  return err_set(
      err, ERR_CONFIG, "%s:%d: <PresencePublisher> holds no <" ELEMENT_PUBLISHER ">; add it with an <Account>", file,
      root.line);
}

/* For a service the folder that systemd made for it, else the working directory, as a person trying it out has it. */
static void default_state(struct config *config)
{
  if (config->state != NULL)
    return;
  const char *folder = getenv("STATE_DIRECTORY"); /* systemd separates several by colons */
  size_t length = folder == NULL ? 0 : strcspn(folder, ":");
  char path[4096] = "presenced.db";
  if (length > 0)
    snprintf(path, sizeof path, "%.*s/state.db", (int)length, folder);
  config->state = must_strdup(path);
}

/* State alone, and the default when it is not given. Who asks a running daemon for its status may do so because
 * something else in the file is wrong. */
static bool read_state(
    const struct place *place, const struct xml_element *publisher, struct config *config, struct err *err)
{
  struct xml_attribute attribute;
  for (size_t i = 0; xml_attribute_at(publisher, i, &attribute); i++)
    if (strcmp(attribute.name, "State") == 0 &&
        !option_set(place, option_find(place->element, attribute.name), attribute.value, config, err))
      return false;
  default_state(config);
  return true;
}

static bool read_config(
    const char *file, const struct xml *xml, enum config_purpose purpose, struct config *config, struct err *err)
{
  static const char *const later[] = {"Listen", "Ucc"};
  struct xml_element publisher, child;
  if (!find_publisher(file, xml, &publisher, err))
    return false;
  const struct place place = {file, publisher.line, ELEMENT_PUBLISHER};
  if (purpose == CONFIG_FOR_STATE)
    return read_state(&place, &publisher, config, err);
  if (!read_attributes(&place, &publisher, false, config, err) || !refuse_text(&place, &publisher, err))
    return false;
  for (bool more = xml_first_child(&publisher, &child); more; more = xml_next_sibling(&child, &child)) {
    bool ok = true;
    if (strcmp(child.name, ELEMENT_ACCOUNT) == 0)
      ok = read_account(file, &child, purpose, config, err);
    else if (strcmp(child.name, ELEMENT_SCRIPT) != 0)
      ok = unknown_element(file, &child, ELEMENT_PUBLISHER, later, COUNT_OF(later), err);
    else if (purpose == CONFIG_FOR_USE)
      ok = read_script(file, &child, config, err);
    if (!ok)
      return false;
  }
  if (config->account_count == 0)
    return err_set(
        err, ERR_CONFIG, "%s:%d: <" ELEMENT_PUBLISHER "> holds no <Account>; add one with Id, ClientId and TenantId",
        file, publisher.line);
  default_state(config);
  return check_accounts(config, purpose, err);
}

bool config_load(const char *path, enum config_purpose purpose, struct config *ret_config, struct err *err)
{
  /* Said here, since only here it is known that the file has a default name and an option. */
  if (access(path, F_OK) != 0 && errno == ENOENT)
    return err_set(err, ERR_CONFIG, "%s: no such file; name the configuration with -c FILE", path);
  struct xml *xml = xml_open(path, err);
  if (xml == NULL)
    return false;
  /* Built beside and handed over whole: the caller's stays as it was when anything is wrong. */
  struct config config = {.path = must_strdup(path)};
  bool ok = read_config(path, xml, purpose, &config, err);
  xml_close(xml);
  if (ok)
    *ret_config = config;
  else
    config_release(&config);
  return ok;
}

void config_release(struct config *config)
{
  for (size_t i = 0; i < config->account_count; i++)
    release_account(&config->accounts[i]);
  free(config->accounts);
  for (size_t i = 0; i < config->script_count; i++)
    free(config->scripts[i].file);
  free(config->scripts);
  free(config->path);
  free(config->rules);
  free(config->state);
  free(config->ca_file);
  free(config->proxy);
  free(config->key_file);
  free(config->shadow);
  *config = (struct config){0};
}

/* -- questions -------------------------------------------------------------------------------------------------- */

const struct config_account *config_account_by_id(const struct config *config, const char *id)
{
  for (size_t i = 0; i < config->account_count; i++)
    if (str_equal_fold(config->accounts[i].id, id))
      return &config->accounts[i];
  return NULL;
}

const struct config_account *config_account_for(const struct config *config, const char *upn)
{
  const struct config_account *others = NULL;
  const char *at = strrchr(upn, '@');
  for (size_t i = 0; i < config->account_count; i++) {
    const struct config_account *account = &config->accounts[i];
    for (size_t d = 0; d < account->domain_count; d++)
      /* Remembered, not returned: another account, wherever it stands in the file, may name the suffix. */
      if (strcmp(account->domains[d], "*") == 0)
        others = account;
      else if (at != NULL && str_equal_fold(at + 1, account->domains[d]))
        return account;
  }
  return others;
}

void config_defaults(struct config *ret_config)
{
  *ret_config = (struct config){0};
  option_defaults(ELEMENT_PUBLISHER, ret_config);
}

char *config_control_path(const struct config *config)
{
  const char *runtime = getenv("RUNTIME_DIRECTORY");
  const char *slash = strrchr(config->state, '/');
  struct buf path;
  buf_init(&path, 4096);
  if (runtime != NULL && *runtime != '\0')
    buf_addf(&path, "%s/", runtime);
  else if (slash != NULL)
    buf_add(&path, config->state, (size_t)(slash - config->state) + 1);
  buf_add_str(&path, "control.sock");
  char *text = must_strdup(buf_text(&path));
  buf_release(&path);
  return text;
}
