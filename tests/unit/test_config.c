#include "config_file.h"

/* -- what loads ------------------------------------------------------------------------------------------------- */

static void the_section_is_found_wherever_it_stands(void **state)
{
  (void)state;
#define SECTION "<MsGraphPresencePublisher><Account Id='contoso.com' " CREDENTIALS "/></MsGraphPresencePublisher>"
  static const char *const cases[] = {
      "<PresenceProvider><PresencePublisher>" SECTION "</PresencePublisher></PresenceProvider>",
      "<PresencePublisher >" SECTION "</PresencePublisher >",
      "<?xml version='1.0' encoding='utf-8'?>\n<config version='1.5'><Ucc Password='x'><Listen/></Ucc>\n"
      "<a><b><PresenceProvider maxPresenceSubscriptionsPerSecond='15'><Other/>text\n"
      "<PresencePublisher ><SomeOtherPublisher Id='1'/>" SECTION "</PresencePublisher></PresenceProvider></b></a>"
      "<PresenceProvider><PresencePublisher/></PresenceProvider></config>",
      "<PresenceProvider><PresencePublisher/><PresencePublisher>" SECTION "</PresencePublisher></PresenceProvider>",
      "<x:PresenceProvider xmlns:x='urn:ucc'><x:PresencePublisher>" SECTION
      "</x:PresencePublisher></x:PresenceProvider>",
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct config config;
    assert_loads(cases[i], &config);
    assert_int_equal(config.account_count, 1);
    assert_string_equal(config.accounts[0].id, "contoso.com");
    config_release(&config);
  }
}

static void defaults_are_those_of_the_contract(void **state)
{
  (void)state;
  struct config config;
  assert_loads(ACCOUNT(""), &config);
  const struct config_account *account = &config.accounts[0];
  assert_string_equal(config.path, path);
  assert_string_equal(config.state, "presenced.db");
  assert_null(config.ca_file);
  assert_null(config.proxy);
  assert_null(config.key_file);
  assert_null(config.rules);
  assert_null(account->rules);
  assert_int_equal(account->line, 2);
  assert_string_equal(account->client_id, G1);
  assert_string_equal(account->tenant_id, G2_LOWER);
  assert_string_equal(account->encrypted_secret, "pp1:AAAA");
  assert_int_equal(account->domain_count, 1);
  assert_string_equal(account->domains[0], "contoso.com");
  assert_int_equal(account->cloud, CLOUD_GLOBAL);
  assert_string_equal(account->authority, "https://login.microsoftonline.com");
  assert_string_equal(account->graph, "https://graph.microsoft.com");
  config_release(&config);
  config_release(&config); /* an emptied one is fine */
}

static void the_state_file_stands_in_the_state_directory(void **state)
{
  (void)state;
  static char directory[] = "STATE_DIRECTORY=/var/lib/presenced:/var/lib/other";
  static char *with[] = {directory, NULL}, *without[] = {NULL};
  struct config config;
  environ = with;
  assert_loads(ACCOUNT(""), &config);
  assert_string_equal(config.state, "/var/lib/presenced/state.db");
  config_release(&config);
  assert_loads(PUBLISHER("State='/x/y.db'", "Id='contoso.com' " CREDENTIALS, ""), &config);
  assert_string_equal(config.state, "/x/y.db");
  config_release(&config);
  environ = without;
}

static void paths_are_relative_to_the_file(void **state)
{
  (void)state;
  struct config config;
  char expected[256];
  assert_loads(
      PUBLISHER(
          "Rules='rules/a.lua' State='s.db' CaFile='/etc/ca.pem' KeyFile='../k' Proxy='http://10.0.0.1:3128'",
          "Id='a.com' " CREDENTIALS, "<Account Id='b.com' Rules='b.lua' " CREDENTIALS "/>"),
      &config);
  snprintf(expected, sizeof expected, "%s/rules/a.lua", folder);
  assert_string_equal(config.rules, expected);
  assert_string_equal(config.accounts[0].rules, expected);
  snprintf(expected, sizeof expected, "%s/b.lua", folder);
  assert_string_equal(config.accounts[1].rules, expected);
  snprintf(expected, sizeof expected, "%s/s.db", folder);
  assert_string_equal(config.state, expected);
  snprintf(expected, sizeof expected, "%s/../k", folder);
  assert_string_equal(config.key_file, expected);
  assert_string_equal(config.ca_file, "/etc/ca.pem");
  assert_string_equal(config.proxy, "http://10.0.0.1:3128");
  config_release(&config);
}

static void clouds_and_addresses_go_together(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum cloud cloud;
    const char *authority, *graph;
  } cases[] = {
      {ACCOUNT("Cloud='Global'"), CLOUD_GLOBAL, "https://login.microsoftonline.com", "https://graph.microsoft.com"},
      {ACCOUNT("Cloud='USGovL4'"), CLOUD_USGOV_L4, "https://login.microsoftonline.us", "https://graph.microsoft.us"},
      {ACCOUNT("Cloud='USGovL5'"), CLOUD_USGOV_L5, "https://login.microsoftonline.us",
       "https://dod-graph.microsoft.us"},
      {ACCOUNT("Graph='https://127.0.0.1:8443/' Authority='https://localhost:8443/login//'"), CLOUD_GLOBAL,
       "https://localhost:8443/login", "https://127.0.0.1:8443"},
      {ACCOUNT("Graph='https://[::1]:8443'"), CLOUD_GLOBAL, "https://login.microsoftonline.com", "https://[::1]:8443"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct config config;
    assert_loads(cases[i].text, &config);
    assert_int_equal(config.accounts[0].cloud, cases[i].cloud);
    assert_string_equal(config.accounts[0].authority, cases[i].authority);
    assert_string_equal(config.accounts[0].graph, cases[i].graph);
    config_release(&config);
  }
}

static void agents_find_their_account_by_suffix(void **state)
{
  (void)state;
  struct config config;
  assert_loads(
      PUBLISHER(
          "", "Id='Contoso.com' " CREDENTIALS,
          "<Account Id='two' Domains=' Fabrikam.DE  fabrikam.com ' " CREDENTIALS "/>"
          "<Account Id='rest' Domains='*' " CREDENTIALS "/>"),
      &config);
  static const struct {
    const char *upn, *id;
  } cases[] = {
      {"a@contoso.com", "Contoso.com"},
      {"a@CONTOSO.COM", "Contoso.com"},
      {"a@b@contoso.com", "Contoso.com"},
      {"a_b.com#EXT#@fabrikam.de", "two"},
      {"a@fabrikam.com", "two"},
      {"a@sub.contoso.com", "rest"},
      {"a@notcontoso.com", "rest"},
      {"contoso.com@", "rest"},
      {"a@*", "rest"},
      {G1, "rest"},
      {"", "rest"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const struct config_account *account = config_account_for(&config, cases[i].upn);
    assert_non_null(account);
    if (strcmp(account->id, cases[i].id) != 0)
      fail_msg("%s went to %s", cases[i].upn, account->id);
  }
  assert_ptr_equal(config_account_by_id(&config, "two"), &config.accounts[1]);
  assert_null(config_account_by_id(&config, "three"));
  config_release(&config);
  assert_loads(ACCOUNT(""), &config);
  assert_null(config_account_for(&config, "a@contoso.de"));
  assert_null(config_account_for(&config, G1));
  config_release(&config);
}

static void the_only_account_serves_all_unless_its_id_is_a_domain(void **state)
{
  (void)state;
  static const struct {
    const char *text, *suffix;
  } cases[] = {
      {PUBLISHER("", "Id='main' " CREDENTIALS, ""), "*"},
      {PUBLISHER("", "Id='10.0.0.1' " CREDENTIALS, ""), "*"},
      {PUBLISHER("", "Id='a b.com' " CREDENTIALS, ""), "*"},
      {PUBLISHER("", "Id='-a.com' " CREDENTIALS, ""), "*"},
      {PUBLISHER("", "Id='a..com' " CREDENTIALS, ""), "*"},
      {PUBLISHER("", "Id='a.com.' " CREDENTIALS, ""), "*"},
      {PUBLISHER("", "Id='X-y.Contoso.COM' " CREDENTIALS, ""), "x-y.contoso.com"},
      {PUBLISHER("", "Id='main' Domains='B.com' " CREDENTIALS, ""), "b.com"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct config config;
    assert_loads(cases[i].text, &config);
    assert_int_equal(config.accounts[0].domain_count, 1);
    assert_string_equal(config.accounts[0].domains[0], cases[i].suffix);
    config_release(&config);
  }
}

static void sealing_needs_no_more_than_the_ids(void **state)
{
  (void)state;
  static const char *const cases[] = {
      PUBLISHER("", "Id='a' ClientId='" G1 "' TenantId='contoso.com'", ""),
      PUBLISHER("", "Id='a' ClientId='" G1 "' TenantId='contoso.com' Encryptedsecret='plain' Cloud='?' X='1'", ""),
      TWO("Id='a' ClientId='" G1 "' TenantId='contoso.com'", "Id='b' ClientId='" G1 "' TenantId='contoso.com'"),
      "<PresencePublisher><MsGraphPresencePublisher><Account Id='a' ClientId='" G1 "' TenantId='contoso.com' >"
      "<Credential/>text</Account></MsGraphPresencePublisher></PresencePublisher>",
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct config config;
    struct err err = ERR_INIT;
    if (!load_for(cases[i], CONFIG_FOR_SEALING, &config, &err))
      fail_msg("case %zu: %s", i, err.text);
    assert_string_equal(config.accounts[0].tenant_id, "contoso.com");
    if (i == 1)
      assert_string_equal(config.accounts[0].encrypted_secret, "plain");
    else
      assert_null(config.accounts[0].encrypted_secret);
    config_release(&config);
    assert_false(load(cases[i], &config, &err));
  }
  struct config config;
  struct err err = ERR_INIT;
  assert_false(
      load_for(PUBLISHER("", "Id='a' ClientId='x' TenantId='contoso.com'", ""), CONFIG_FOR_SEALING, &config, &err));
  assert_non_null(strstr(err.text, "c.xml:2: Account ClientId=\"x\": not a GUID; copy"));
}

/* -- what is refused -------------------------------------------------------------------------------------------- */

#define COPY_CLIENT "copy \"Application (client) ID\" from the app registration's Overview page"
#define COPY_TENANT "copy \"Directory (tenant) ID\" from the app registration's Overview page"
#define MAKE_SECRET "make it with `presenced secret encrypt --account ID`"
#define BASE_URL "write a base URL such as https://graph.microsoft.com"

static void missing_sections_are_named(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"<config>\n</config>", ":1: no <PresenceProvider> in <config>; is this the contact centre's config.xml with the "
                              "presence section in it?"},
      {"<config>\n<PresenceProvider/></config>",
       ":2: the first <PresenceProvider> holds no <PresencePublisher>; add it with a <MsGraphPresencePublisher>"},
      {"<PresenceProvider>\n\n<PresencePublisher/></PresenceProvider>",
       ":3: <PresencePublisher> holds no <MsGraphPresencePublisher>; add it with an <Account>"},
      {"<PresencePublisher>\n</PresencePublisher>",
       ":1: <PresencePublisher> holds no <MsGraphPresencePublisher>; add it with an <Account>"},
      {"<PresencePublisher>\n<MsGraphPresencePublisher/></PresencePublisher>",
       ":2: <MsGraphPresencePublisher> holds no <Account>; add one with Id, ClientId and TenantId"},
      {"<PresenceProvider><PresencePublisher>\n<MsGraphPresencePublisher/>\n<MsGraphPresencePublisher/>"
       "</PresencePublisher></PresenceProvider>",
       ":3: a second <MsGraphPresencePublisher>; put its accounts into the one on line 2"},
      {"<MsGraphPresencePublisher>\n", ":2: Premature end of data in tag MsGraphPresencePublisher line 1; correct the "
                                       "XML at or before this line"},
      {"", ": is empty; an XML document is expected"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_refused(cases[i].text, cases[i].error);
  struct config config;
  struct err err = ERR_INIT;
  char expected[256];
  (void)unlink(path);
  assert_false(config_load(path, CONFIG_FOR_USE, &config, &err));
  snprintf(expected, sizeof expected, "%s: no such file; name the configuration with -c FILE", path);
  assert_string_equal(err.text, expected);
}

static void every_wrong_attribute_has_its_line_and_remedy(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {PUBLISHER("", CREDENTIALS, ""), ":2: Account has no Id; name it after its domain, as in Id=\"contoso.com\""},
      {PUBLISHER("", "Id=' ' " CREDENTIALS, ""),
       ":2: Account Id: is empty; name it after its domain, as in Id=\"contoso.com\""},
      {PUBLISHER("", "Id='a' TenantId='" G1 "' Encryptedsecret='pp1:A'", ""),
       ":2: Account has no ClientId; " COPY_CLIENT},
      {PUBLISHER("", "Id='a' ClientId='" G1 "' Encryptedsecret='pp1:A'", ""),
       ":2: Account has no TenantId; " COPY_TENANT},
      {PUBLISHER("", "Id='a' ClientId='" G1 "' TenantId='" G1 "'", ""),
       ":2: Account has no Encryptedsecret; " MAKE_SECRET},
      {PUBLISHER("", "Id='a' ClientId='contoso.com'", ""),
       ":2: Account ClientId=\"contoso.com\": not a GUID; " COPY_CLIENT},
      {PUBLISHER("", "Id='a' ClientId='\xE2\x80\xA6guid\xE2\x80\xA6'", ""),
       ":2: Account ClientId=\"\xE2\x80\xA6guid\xE2\x80\xA6\": a placeholder; " COPY_CLIENT},
      {PUBLISHER("", "Id='a' ClientId='YOUR-CLIENT-ID'", ""),
       ":2: Account ClientId=\"YOUR-CLIENT-ID\": a placeholder; " COPY_CLIENT},
      {PUBLISHER("", "Id='a' ClientId='00000000-0000-0000-0000-000000000000'", ""),
       ":2: Account ClientId=\"00000000-0000-0000-0000-000000000000\": a placeholder; " COPY_CLIENT},
      {PUBLISHER("", "Id='a' ClientId='" G1 "0'", ""), ":2: Account ClientId=\"" G1 "0\": not a GUID; " COPY_CLIENT},
      {PUBLISHER("", "Id='a' TenantId='contoso'", ""),
       ":2: Account TenantId=\"contoso\": neither a GUID nor a domain; " COPY_TENANT},
      {PUBLISHER("", "Id='a' TenantId='Common'", ""),
       ":2: Account TenantId=\"Common\": an app that acts by itself needs one tenant; " COPY_TENANT},
      {PUBLISHER("", "Id='a' TenantId='...guid...'", ""),
       ":2: Account TenantId=\"...guid...\": a placeholder; " COPY_TENANT},
      {PUBLISHER("", "Id='a' Encryptedsecret='S3cr3t'", ""),
       ":2: Account Encryptedsecret: made by another password tool; run `presenced secret encrypt`"},
      {PUBLISHER("", "Id='a' Encryptedsecret='pp1:\xE2\x80\xA6'", ""),
       ":2: Account Encryptedsecret: a placeholder; " MAKE_SECRET},
      {PUBLISHER("", "Id='a' Encryptedsecret=''", ""), ":2: Account Encryptedsecret: is empty; " MAKE_SECRET},
      {PUBLISHER("", "Id='a' encryptedSecret='pp1:A'", ""),
       ":2: Account has an unknown attribute encryptedSecret; did you mean Encryptedsecret?"},
      {PUBLISHER("", "Id='a' TenentId='x'", ""),
       ":2: Account has an unknown attribute TenentId; did you mean TenantId?"},
      {PUBLISHER("", "Id='a' Nonsense='x'", ""), ":2: Account has an unknown attribute Nonsense; remove it"},
      {PUBLISHER("Rule='x'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher has an unknown attribute Rule; did you mean Rules?"},
      {PUBLISHER("Rules=''", "Id='a'", ""), ":1: MsGraphPresencePublisher Rules: is empty; give a value or remove it"},
      {PUBLISHER("State='a&#10;b'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher State: holds a line break or control character; remove it"},
      {PUBLISHER("Proxy='user:pw@proxy'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher Proxy: not a proxy URL; write http://HOST:PORT"},
      {PUBLISHER("Proxy='http://'", "Id='a'", ""),
       ":1: MsGraphPresencePublisher Proxy: not a proxy URL; write http://HOST:PORT"},
      {ACCOUNT("Cloud='China'"), ":2: Account Cloud=\"China\": Microsoft offers no presence API in the China cloud; "
                                 "only Global, USGovL4 and USGovL5 work"},
      {ACCOUNT("Cloud='global'"), ":2: Account Cloud=\"global\": no such cloud; write Global, USGovL4 or USGovL5"},
      {ACCOUNT("Graph='http://127.0.0.1'"), ":2: Account Graph=\"http://127.0.0.1\": not an https: URL; " BASE_URL},
      {ACCOUNT("Authority='login.microsoftonline.com'"),
       ":2: Account Authority=\"login.microsoftonline.com\": not an https: URL; " BASE_URL},
      {ACCOUNT("Graph='https://g?x=1'"), ":2: Account Graph=\"https://g?x=1\": has a query or fragment; " BASE_URL},
      {ACCOUNT("Graph='https://g#x'"), ":2: Account Graph=\"https://g#x\": has a query or fragment; " BASE_URL},
      {ACCOUNT("Graph='https://'"), ":2: Account Graph=\"https://\": names no host; " BASE_URL},
      {ACCOUNT("Graph='https://:443'"), ":2: Account Graph=\"https://:443\": names no host; " BASE_URL},
      {ACCOUNT("Graph='https://u:p@g'"),
       ":2: Account Graph=\"https://u:p@g\": holds a character that a base URL cannot have; " BASE_URL},
      {ACCOUNT("Graph='https://graph.microsoft.com/v1.0/'"),
       ":2: Account Graph=\"https://graph.microsoft.com/v1.0\": the version is added by itself; leave it out"},
      {ACCOUNT("Domains='a.com,b.com'"), ":2: Account Domains=\"a.com,b.com\": suffixes are separated by spaces; write "
                                         "Domains=\"contoso.com contoso.de\""},
      {ACCOUNT("Domains='a.com *'"), ":2: Account Domains=\"a.com *\": * stands for all suffixes that no other account "
                                     "names; write it alone"},
      {ACCOUNT("Domains='*.a.com'"),
       ":2: Account Domains=\"*.a.com\": suffixes are compared whole; name each, or write * alone for all others"},
      {ACCOUNT("Domains='@a.com'"),
       ":2: Account Domains=\"@a.com\": a suffix is what follows the @; write Domains=\"contoso.com\""},
      {ACCOUNT("Domains='a.com A.COM'"), ":2: Account Domains names a.com twice; remove one"},
      {ACCOUNT("Domains=''"), ":2: Account Domains: is empty; give a value or remove it"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_refused(cases[i].text, cases[i].error);
}

#define SCRIPTS(elements)                                                                                              \
  "<PresencePublisher><MsGraphPresencePublisher><Account Id='a' " CREDENTIALS "/>\n" elements                          \
  "</MsGraphPresencePublisher></PresencePublisher>"

static void scripts_are_read(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {SCRIPTS("<Script/>"), ":2: Script has no File; name it, as in File=\"policies/x.lua\""},
      {SCRIPTS("<Script File='x.lua' Fil='y'/>"), ":2: Script has an unknown attribute Fil; did you mean File?"},
      {SCRIPTS("<Script File='x.lua'>text</Script>"),
       ":2: <Script> holds text beside its attributes and elements; remove it"},
      {SCRIPTS("<Script File='x.lua'><a/></Script>"), ":2: unknown element <a> in <Script>; remove it"},
      {SCRIPTS("<Scripts File='x.lua'/>"),
       ":2: unknown element <Scripts> in <MsGraphPresencePublisher>; did you mean <Script>?"},
      {SCRIPTS("<Script File='/x.lua'/>\n<Script File='/x.lua'/>"),
       ":3: Script File=\"/x.lua\" stands on line 2 already; remove one"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_refused(cases[i].text, cases[i].error);
  struct config config;
  assert_loads(SCRIPTS("<Script File='/a.lua'/><Script File='policies/b.lua'/>"), &config);
  assert_int_equal(config.script_count, 2);
  assert_string_equal(config.scripts[0].file, "/a.lua");
  assert_true(str_ends_fold(config.scripts[1].file, "/policies/b.lua"));
  config_release(&config);
}

static void what_comes_later_is_refused_honestly(void **state)
{
  (void)state;
  static const char *const attributes[] = {"LogAgents", "Forget"};
  static const char *const elements[] = {"Listen", "Ucc"}, *const children[] = {"Credential", "Only", "Except"};
  char text[512], error[256];
  for (size_t i = 0; i < COUNT_OF(attributes); i++) {
    snprintf(
        text, sizeof text, "<PresencePublisher>\n<MsGraphPresencePublisher %s=''/></PresencePublisher>", attributes[i]);
    snprintf(
        error, sizeof error, ":2: MsGraphPresencePublisher %s: is not supported by this version; remove it",
        attributes[i]);
    assert_refused(text, error);
  }
  for (size_t i = 0; i < COUNT_OF(elements); i++) {
    snprintf(
        text, sizeof text,
        "<PresencePublisher><MsGraphPresencePublisher>\n<%s/></MsGraphPresencePublisher></PresencePublisher>",
        elements[i]);
    snprintf(error, sizeof error, ":2: <%s> is not supported by this version; remove it", elements[i]);
    assert_refused(text, error);
  }
  for (size_t i = 0; i < COUNT_OF(children); i++) {
    snprintf(
        text, sizeof text,
        "<PresencePublisher><MsGraphPresencePublisher><Account Id='a' " CREDENTIALS
        ">\n\n<%s/></Account></MsGraphPresencePublisher></PresencePublisher>",
        children[i]);
    snprintf(error, sizeof error, ":3: <%s> is not supported by this version; remove it", children[i]);
    assert_refused(text, error);
  }
  assert_refused(ACCOUNT("Publish='on'"), ":2: Account Publish: is not supported by this version; remove it");
}

static void foreign_elements_and_text_inside_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error;
  } cases[] = {
      {PUBLISHER("", "Id='a' " CREDENTIALS, "<Acount/>"),
       ":3: unknown element <Acount> in <MsGraphPresencePublisher>; did you mean <Account>?"},
      {PUBLISHER("", "Id='a' " CREDENTIALS, "<Tenant/>"),
       ":3: unknown element <Tenant> in <MsGraphPresencePublisher>; remove it"},
      {PUBLISHER("", "Id='a' " CREDENTIALS, "Account"),
       ":1: <MsGraphPresencePublisher> holds text beside its attributes and elements; remove it"},
      {"<PresencePublisher><MsGraphPresencePublisher>\n<Account Id='a' " CREDENTIALS
       "><Thing/></Account></MsGraphPresencePublisher></PresencePublisher>",
       ":2: unknown element <Thing> in <Account>; remove it"},
      {"<PresencePublisher><MsGraphPresencePublisher>\n<Account Id='a' " CREDENTIALS
       ">secret</Account></MsGraphPresencePublisher></PresencePublisher>",
       ":2: <Account> holds text beside its attributes and elements; remove it"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_refused(cases[i].text, cases[i].error);
}

static void accounts_must_agree_with_each_other(void **state)
{
  (void)state;
  static const struct {
    const char *text, *error; /* NULL: loads */
  } cases[] = {
      {TWO("Id='a.com' " CREDENTIALS, "Id='b.com' " CREDENTIALS), NULL},
      {TWO("Id='a.com' " CREDENTIALS, "Id='A.com' Domains='b.com' " CREDENTIALS),
       ":3: Account Id=\"A.com\" is taken by the one on line 2; choose another"},
      {TWO("Id='a.com' " CREDENTIALS, "Id='b' Domains='c.com A.COM' " CREDENTIALS),
       ":3: Account \"b\" serves a.com like the one on line 2; leave it to one of them"},
      {TWO("Id='a' Domains='*' " CREDENTIALS, "Id='b' Domains='*' " CREDENTIALS),
       ":3: Account \"b\" serves * like the one on line 2; leave it to one of them"},
      {TWO("Id='a.com' " CREDENTIALS, "Id='b' " CREDENTIALS),
       ":3: Account has no Domains, and its Id=\"b\" is no domain; write Domains=\"contoso.com\", or * for all that "
       "no other account names"},
      {TWO("Id='a.com' " CREDENTIALS, "Id='b.com' RequestsPer30Seconds='10' " CREDENTIALS),
       ":3: Account \"b.com\" has another RequestsPer30Seconds than the one on line 2, with which it shares TenantId "
       "and ClientId and so token and budget; make them equal"},
      {TWO("Id='a.com' LookupsPer10Seconds='3' " CREDENTIALS, "Id='b.com' " CREDENTIALS),
       ":3: Account \"b.com\" has another LookupsPer10Seconds than the one on line 2, with which it shares TenantId "
       "and ClientId and so token and budget; make them equal"},
      {TWO("Id='a.com' Cloud='USGovL4' " CREDENTIALS, "Id='b.com' " CREDENTIALS),
       ":3: Account \"b.com\" has another Authority or Cloud than the one on line 2, with which it shares TenantId "
       "and ClientId and so token and budget; make them equal"},
      {TWO("Id='a.com' " CREDENTIALS, "Id='b.com' Graph='https://localhost' " CREDENTIALS),
       ":3: Account \"b.com\" has another Graph or Cloud than the one on line 2, with which it shares TenantId and "
       "ClientId and so token and budget; make them equal"},
      {TWO("Id='a.com' RequestsPer30Seconds='10' " CREDENTIALS,
           "Id='b.com' ClientId='" G3 "' TenantId='" G2 "' Encryptedsecret='pp1:BBBB'"),
       NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct config config;
    if (cases[i].error != NULL) {
      assert_refused(cases[i].text, cases[i].error);
      continue;
    }
    assert_loads(cases[i].text, &config);
    assert_int_equal(config.account_count, 2);
    config_release(&config);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_section_is_found_wherever_it_stands),
      cmocka_unit_test(defaults_are_those_of_the_contract),
      cmocka_unit_test(the_state_file_stands_in_the_state_directory),
      cmocka_unit_test(paths_are_relative_to_the_file),
      cmocka_unit_test(clouds_and_addresses_go_together),
      cmocka_unit_test(agents_find_their_account_by_suffix),
      cmocka_unit_test(the_only_account_serves_all_unless_its_id_is_a_domain),
      cmocka_unit_test(sealing_needs_no_more_than_the_ids),
      cmocka_unit_test(missing_sections_are_named),
      cmocka_unit_test(every_wrong_attribute_has_its_line_and_remedy),
      cmocka_unit_test(scripts_are_read),
      cmocka_unit_test(what_comes_later_is_refused_honestly),
      cmocka_unit_test(foreign_elements_and_text_inside_are_refused),
      cmocka_unit_test(accounts_must_agree_with_each_other),
  };
  return cases_run(argc, argv, tests, make_folder, remove_folder);
}
