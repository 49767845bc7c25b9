#include "tests/unit/unit.h"

#include "base/mem.h"
#include "policy/import.h"
#include "store/dkimkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 8463 appendix A.2. */
#define ED25519_PEM                                                                                \
	"-----BEGIN PRIVATE KEY-----\n"                                                            \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                       \
	"-----END PRIVATE KEY-----\n"

static const char domains_conf[] =
	"Domains:\n"
	"\tExample.org:\n"
	"\t\tDescription: main\n"
	"\t\tLocalpartCatchallSeparator: +\n"
	"\t\tDKIM:\n\t\t\tSelectors:\n\t\t\t\ta:\n\t\t\t\t\tPrivateKeyFile: a.pem\n"
	"\t\t\t\t2026b:\n\t\t\t\t\tHash: sha256\n"
	"\t\t\t\t\tCanonicalization:\n\t\t\t\t\t\tHeaderRelaxed: true\n"
	"\t\t\t\t\t\tBodyRelaxed: false\n"
	"\t\t\t\t\tHeaders:\n\t\t\t\t\t\t- From\n\t\t\t\t\t\t- To\n"
	"\t\t\t\t\tDontSealHeaders: true\n\t\t\t\t\tExpiration: 72h\n"
	"\t\t\t\t\tPrivateKeyFile: keys/b.pem\n"
	"\t\t\tSign:\n\t\t\t\t- 2026b\n"
	"\t\tAliases:\n\t\t\tteam:\n\t\t\t\tAddresses:\n"
	"\t\t\t\t\t- anna@example.org\n\t\t\t\t\t- x@other.example\n"
	"\t\t\t\tPostPublic: true\n"
	"\t\tRoutes:\n\t\t\t-\n\t\t\t\tToDomain:\n\t\t\t\t\t- slow.example\n"
	"\t\t\t\tMinimumAttempts: 2\n\t\t\t\tTransport: smart\n"
	"\tb\xc3\xbc"
	"cher.example:\n"
	"\t\tDisabled: true\n"
	"\t\tLocalpartCatchallSeparators:\n\t\t\t- -\n\t\t\t- _\n"
	"Accounts:\n"
	"\tAnna:\n"
	"\t\tDomain: example.org\n"
	"\t\tFullName: Anna A.\n"
	"\t\tDestinations:\n"
	"\t\t\tAnna@example.org:\n\t\t\t\tMailbox: Inbox\n"
	"\t\t\tinfo: nil\n"
	"\t\t\t@b\xc3\xbc"
	"cher.example:\n\t\t\t\tRulesets:\n\t\t\t\t\t-\n\t\t\t\t\t\tMailbox: Lists\n"
	"\t\tJunkFilter:\n\t\t\tThreshold: 0.95\n"
	"\tbert:\n"
	"\t\tDomain: example.org\n"
	"\t\tDestinations:\n\t\t\tanna@example.org:\n"
	"WebHandlers:\n\t-\n\t\tLogName: x\n"
	"Routes:\n"
	"\t-\n\t\tFromDomain:\n\t\t\t- a.example\n\t\t\t- .b.example\n"
	"\t\tToDomain:\n\t\t\t- c.example\n\t\t\t- d.example\n\t\tTransport: smart\n"
	"\t-\n\t\tToDomain:\n\t\t\t- e.example\n\t\tTransport: straight\n"
	"\t-\n\t\tTransport: tor\n";

static const char mox_conf[] = "DataDir: x\n"
			       "Transports:\n"
			       "\tSmart:\n\t\tSubmission:\n\t\t\tHost: smtp.provider.example\n"
			       "\t\t\tAuth:\n\t\t\t\tUsername: me\n\t\t\t\tPassword: secret\n"
			       "\tstraight:\n\t\tDirect:\n\t\t\tDisableIPv6: true\n"
			       "\ttor:\n\t\tSocks:\n\t\t\tAddress: 127.0.0.1:9050\n";

struct fixture {
	char dir[64];
	struct store *s;
	struct arena *a;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err = {.kind = ERR_NONE};

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/mox-import-XXXXXX");
	if (mkdtemp(f->dir) == NULL || store_open(f->dir, &f->s, &err) < 0) {
		print_message("%s\n", err.text);
		return -1;
	}
	f->a = arena_open();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int rc;

	store_close(&f->s);
	arena_close(&f->a);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	rc = system(command);
	free(f);
	return rc;
}

static int import_both(struct fixture *f, struct import_report *report, struct err *err)
{
	const struct import_key keys[] = {{STR("keys/b.pem"), STR(ED25519_PEM)}};
	const struct import_file files[] = {{.name = "domains.conf",
						    .text = {domains_conf, strlen(domains_conf)},
						    .keys = keys,
						    .key_count = 1},
		{.name = "mox.conf", .text = {mox_conf, strlen(mox_conf)}}};
	int rc = import_run(f->s, f->a, files, 2, report, err);

	for (size_t i = 0; rc == 0 && i < report->count; i++)
		print_message("%d %s %.*s: %s\n", report->rows[i].result, report->rows[i].what,
			STR_FMT(report->rows[i].name), report->rows[i].text);
	return rc;
}

static bool noted(const struct import_report *report, const char *text)
{
	for (size_t i = 0; i < report->count; i++) {
		if (report->rows[i].result == IMPORT_NOTE && strstr(report->rows[i].text, text))
			return true;
	}
	return false;
}

static struct store_address address_get(struct fixture *f, struct str domain, struct str local)
{
	struct store_address row;
	struct store_domain d;
	struct err err;

	assert_int_equal(store_domain_find(f->s, domain, f->a, &d, &err), 1);
	assert_int_equal(store_address_find(f->s, d.id, local, f->a, &row, &err), 1);
	return row;
}

/* One came with its key, all settings included. */
static void selectors_check(struct fixture *f, int64_t domain_id)
{
	struct store_selector *rows;
	struct stat st;
	size_t n;
	struct err err;

	assert_int_equal(store_selector_list(f->s, domain_id, f->a, &rows, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(rows[0].name, STR("2026b")));
	assert_true(rows[0].signing && rows[0].ed25519 && rows[0].body_simple);
	assert_false(rows[0].header_simple || rows[0].seal);
	assert_int_equal(rows[0].expiration_s, 72 * 3600);
	assert_true(str_eq(rows[0].headers, STR("From:To")));
	assert_true(
		str_eq(rows[0].public_b64, STR("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")));
	const char *path = arena_printf(f->a, "%s/%.*s", f->dir, STR_FMT(rows[0].key_file));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void takes_everything_over(void **state)
{
	struct fixture *f = *state;
	struct import_report report;
	struct err err = {.kind = ERR_NONE};
	struct store_domain d;
	struct store_account account;
	struct store_address row;
	struct store_route *routes;
	struct store_transport *transports;
	size_t n;

	if (import_both(f, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(store_domain_find(f->s, STR("example.org"), f->a, &d, &err), 1);
	assert_true(str_eq(d.separator, STR("+")) && str_eq(d.description, STR("main")));
	selectors_check(f, d.id);
	assert_true(noted(&report, "its key file \"a.pem\" cannot be read"));
	assert_int_equal(store_domain_find(f->s, STR("xn--bcher-kva.example"), f->a, &d, &err), 1);
	assert_true(d.disabled && str_eq(d.separator, STR("-")));
	assert_int_equal(store_account_find(f->s, STR("anna"), f->a, &account, &err), 1);
	assert_true(str_eq(account.full_name, STR("Anna A.")));
	assert_int_equal(account.argon2.len, 0);

	row = address_get(f, STR("example.org"), STR("anna"));
	assert_int_equal(row.account_id, account.id);
	row = address_get(f, STR("example.org"), STR("info"));
	assert_int_equal(row.account_id, account.id);
	row = address_get(f, STR("xn--bcher-kva.example"), STR(""));
	assert_int_equal(row.account_id, account.id);
	row = address_get(f, STR("example.org"), STR("team"));
	assert_int_equal(row.kind, STORE_ADDRESS_ALIAS);
	assert_int_equal(row.member_count, 2);

	assert_int_equal(store_transport_list(f->s, f->a, &transports, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(transports[0].relay.hosts[0], STR("smtp.provider.example:587")));
	assert_int_equal(transports[0].relay.tls, STORE_TLS_VERIFY);
	assert_true(str_eq(transports[0].relay.password, STR("secret")));

	assert_int_equal(store_route_list(f->s, f->a, &routes, &n, &err), 0);
	assert_int_equal(n, 6);
	assert_true(str_eq(routes[0].from_domain, STR("example.org")));
	assert_int_equal(routes[0].min_attempts, 2);
	assert_true(str_eq(routes[3].from_domain, STR(".b.example")));
	assert_true(str_eq(routes[3].to_domain, STR("c.example")));
	assert_int_equal(routes[5].transport_id, 0);

	assert_true(noted(&report, "PostPublic"));
	assert_true(noted(&report, "Rulesets"));
	assert_true(noted(&report, "JunkFilter"));
	assert_true(noted(&report, "WebHandlers"));
	assert_true(noted(&report, "only the first separator"));
	assert_true(noted(&report, "its transport cannot be taken over"));
	assert_int_equal(report.existing, 1); /* bert's anna@example.org */
}

static void again_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct import_report report;
	struct err err = {.kind = ERR_NONE};
	struct store_route *routes;
	size_t added, n;

	if (import_both(f, &report, &err) < 0)
		fail_msg("%s", err.text);
	added = report.added;
	if (import_both(f, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(report.added, 0);
	assert_int_equal(report.existing, added + 1);
	assert_int_equal(store_route_list(f->s, f->a, &routes, &n, &err), 0);
	assert_int_equal(n, 6);
}

#define GOOD "Domains:\n\tgood.example:\n\t\tDescription: x\n"

static void an_error_writes_nothing(void **state)
{
	static const char *const cases[][2] = {
		{"Domains:\n\tgood.example:\n\ta..b:\n", "d.conf:3: domain \"a..b\": "},
		{GOOD "\t\tDisabled: yes\n",
			"d.conf:4: field \"Disabled\": the value is neither true nor false"},
		{GOOD "\t\tLocalpartCatchallSeparator: ab\n", "d.conf:2: domain \"good.example\": "
							      "The separator"},
		{GOOD "Accounts:\n\t../x:\n\t\tDomain: good.example\n",
			"d.conf:5: account \"../x\": "},
		{GOOD "Accounts:\n\tx:\n\t\tDestinations:\n\t\t\ta@elsewhere.example:\n",
			"d.conf:7: address \"a@elsewhere.example\": its domain is neither in the "
			"files nor here"},
		{GOOD "Accounts:\n\tx:\n\t\tDestinations:\n\t\t\ta b@good.example:\n",
			"d.conf:7: address \"a b@good.example\": "},
		{GOOD "Accounts:\n\tx:\n\t\tDestinations: y\n",
			"d.conf:6: field \"Destinations\": a section belongs here"},
		{GOOD "\t\tAliases:\n\t\t\tt:\n\t\t\t\tAddresses:\n\t\t\t\t\t- nobody\n",
			"d.conf:7: alias member \"nobody\": "},
		{GOOD "\t\tAliases:\n\t\t\tt:\n", "d.conf:5: alias \"t\": Addresses must list"},
		{GOOD "Routes:\n\t-\n\t\tTransport: none\n",
			"d.conf:6: route: there is no transport \"none\""},
		{GOOD "Routes:\n\t-\n\t\tMinimumAttempts: 1\n",
			"d.conf:5: route: Transport is missing"},
		{GOOD "Transports:\n\ts:\n\t\tSMTP:\n\t\t\tPort: 25\n",
			"d.conf:6: transport \"SMTP\": Host is missing"},
		{GOOD "Transports:\n\ts:\n\t\tSMTP:\n\t\t\tHost: a..b\n",
			"d.conf:6: transport \"SMTP\": "},
		{GOOD "\t\tDKIM: x\n", "d.conf:4: DKIM selector: a section belongs here"},
		{GOOD "\t\tDKIM:\n\t\t\tSelectors:\n\t\t\t\ta:\n"
		      "\t\t\t\t\tPrivateKeyFile: x.pem\n",
			"d.conf:6: x.pem: no private key in PEM"},
		{GOOD "\t\tDKIM:\n\t\t\tSelectors:\n\t\t\t\ta b:\n"
		      "\t\t\t\t\tPrivateKeyFile: x.pem\n",
			"d.conf:6: DKIM selector: Letters"},
		{GOOD "\t\tDKIM:\n\t\t\tSelectors:\n\t\t\t\ta:\n"
		      "\t\t\t\t\tExpiration: soon\n",
			"d.conf:6: DKIM selector: Expiration is no duration"},
		{GOOD "broken\n", "d.conf:4: neither"},
		{"DataDir: x\n", "d.conf: no Domains, Accounts, Routes or Transports in it"},
	};
	struct fixture *f = *state;
	struct import_report report;
	struct store_domain d;
	struct err err;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct import_key key = {STR("x.pem"), STR("no key")};
		const struct import_file file = {.name = "d.conf",
			.text = str_from(cases[i][0]),
			.keys = &key,
			.key_count = 1};

		assert_int_equal(import_run(f->s, f->a, &file, 1, &report, &err), -1);
		print_message("%s\n", err.text);
		assert_int_equal(err.kind, ERR_PERM);
		if (!str_starts(str_from(err.text), str_from(cases[i][1])))
			fail_msg("want %s", cases[i][1]);
		assert_int_equal(store_domain_find(f->s, STR("good.example"), f->a, &d, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_everything_over, setup, teardown),
		cmocka_unit_test_setup_teardown(again_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_error_writes_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
