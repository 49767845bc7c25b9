#include "tests/unit/unit.h"

#include "base/mem.h"
#include "policy/admin.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct fixture {
	char dir[64];
	struct store *s;
	struct arena *a;
	struct admin_problems problems;
	int64_t mail, relay, account; /* mail.example, relay.example, anna */
};

static void ok(struct fixture *f, int rc, const struct err *err)
{
	if (rc == 1)
		fail_msg("%s: %s", f->problems.at[0].field, f->problems.at[0].text);
	if (rc < 0)
		fail_msg("%s", err->text);
}

/* The one problem there is, beside that field, with that text in it. */
static void problem(struct fixture *f, int rc, const char *field, const char *text)
{
	assert_int_equal(rc, 1);
	for (size_t i = 0; i < f->problems.count; i++)
		print_message("%s: %s\n", f->problems.at[i].field, f->problems.at[i].text);
	assert_int_equal(f->problems.count, 1);
	assert_string_equal(f->problems.at[0].field, field);
	if (strstr(f->problems.at[0].text, text) == NULL)
		fail_msg("\"%s\" is not in it", text);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct store_domain d = {.name = STR("mail.example"), .separator = STR("+")};
	struct store_account account = {.name = STR("anna")};
	struct err err = {.kind = ERR_NONE};

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/mox-admin-XXXXXX");
	if (mkdtemp(f->dir) == NULL || store_open(f->dir, &f->s, &err) < 0) {
		print_message("%s\n", err.text);
		return -1;
	}
	f->a = arena_open();
	ok(f, admin_domain_save(f->s, f->a, &d, &f->problems, &err), &err);
	f->mail = d.id;
	d = (struct store_domain){.name = STR("relay.example"), .delivery = STORE_DELIVERY_RELAY};
	admin_relay_hosts_parse(f->a, STR("10.0.0.1"), &d.relay, "relay_hosts", 25, &f->problems);
	ok(f, admin_domain_save(f->s, f->a, &d, &f->problems, &err), &err);
	f->relay = d.id;
	ok(f, admin_account_save(f->s, f->a, &account, STR(""), &f->problems, &err), &err);
	f->account = account.id;
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

static void domains(void **state)
{
	const struct {
		struct store_domain row;
		const char *field, *text; /* NULL: good */
	} cases[] = {
		{{.name = STR(" Example.ORG ")}, NULL, NULL},
		{{.name = STR("b\xc3\xbc"
			      "cher.example")},
			NULL, NULL},
		{{.name = STR("")}, "name", "Enter a domain name"},
		{{.name = STR("a..b")}, "name", "empty label"},
		{{.name = STR("192.0.2.1")}, "name", "is an IP address"},
		{{.name = STR("a_b.example")}, "name", "can have mail"},
		{{.name = STR("192.0.2.300")}, "name", "can have mail"},
		{{.name = STR("a@b.org")}, "name", "is an email address"},
		{{.name = STR("Mail.Example")}, "name", "mail.example exists already"},
		{{.name = STR("x.example"), .separator = STR("++")}, "separator", "single"},
		{{.name = STR("x.example"), .separator = STR("a")}, "separator", "single"},
		{{.name = STR("y.example"), .separator = STR("-")}, NULL, NULL},
		{{.name = STR("x.example"), .description = STR("a\nb")}, "description", "One line"},
		{{.name = STR("x.example"), .delivery = STORE_DELIVERY_RELAY}, "relay_hosts",
			"at least one server"},
	};
	struct fixture *f = *state;
	struct err err = {.kind = ERR_NONE};
	struct store_domain row;

	for (size_t i = 0; i < COUNT(cases); i++) {
		row = cases[i].row;
		int rc = admin_domain_save(f->s, f->a, &row, &f->problems, &err);

		if (cases[i].field == NULL) {
			ok(f, rc, &err);
			assert_true(row.id > 0);
		} else {
			problem(f, rc, cases[i].field, cases[i].text);
		}
	}
	assert_int_equal(
		store_domain_find(f->s, STR("xn--bcher-kva.example"), f->a, &row, &err), 1);
	/* Saving it again under its own name is no duplicate. */
	row.description = STR("books");
	ok(f, admin_domain_save(f->s, f->a, &row, &f->problems, &err), &err);
	assert_int_equal(store_domain_find(f->s, STR("x.example"), f->a, &row, &err), 0);
}

static void relays(void **state)
{
	static const struct {
		const char *hosts;
		enum store_tls_mode tls;
		const char *user, *password, *field, *text; /* field NULL: text is the hosts */
	} cases[] = {
		{"a.example\r\nB.example:2525, 10.0.0.1 [2001:db8::1]:24", STORE_TLS_VERIFY, "", "",
			"relay_hosts", "10.0.0.1 [2001"},
		{"a.example\r\nB.example:2525, 10.0.0.1,[2001:db8::1]:24,a.example:25",
			STORE_TLS_VERIFY, "", "", NULL,
			"a.example:25 b.example:2525 10.0.0.1:25 [2001:db8::1]:24"},
		{"a.example:0", STORE_TLS_VERIFY, "", "", "relay_hosts", "a.example:0"},
		{"a.example:99999", STORE_TLS_VERIFY, "", "", "relay_hosts", "99999"},
		{"a..example", STORE_TLS_VERIFY, "", "", "relay_hosts", "empty label"},
		{"1.x,2.x,3.x,4.x,5.x,6.x,7.x,8.x,9.x", STORE_TLS_VERIFY, "", "", "relay_hosts",
			"At most 8"},
		{"a.example", STORE_TLS_VERIFY, "me", "secret", NULL, "a.example:25"},
		{"a.example", STORE_TLS_VERIFY, "me", "", "relay_password", "no password"},
		{"a.example", STORE_TLS_VERIFY, "", "secret", "relay_username", "no user name"},
		{"a.example", STORE_TLS_NONE, "me", "secret", "relay_tls", "Without TLS"},
	};
	struct fixture *f = *state;
	struct err err = {.kind = ERR_NONE};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_domain row = {.delivery = STORE_DELIVERY_RELAY};
		struct admin_problems parsing = {.count = 0};
		int rc;

		row.name = str_from(arena_printf(f->a, "r%zu.example", i));
		row.relay.tls = cases[i].tls;
		row.relay.username = str_from(cases[i].user);
		row.relay.password = str_from(cases[i].password);
		admin_relay_hosts_parse(
			f->a, str_from(cases[i].hosts), &row.relay, "relay_hosts", 25, &parsing);
		if (parsing.count > 0) {
			f->problems = parsing;
			rc = 1;
		} else {
			rc = admin_domain_save(f->s, f->a, &row, &f->problems, &err);
		}
		if (cases[i].field != NULL) {
			problem(f, rc, cases[i].field, cases[i].text);
			continue;
		}
		ok(f, rc, &err);
		struct str rest = str_from(cases[i].text), want;
		size_t n = 0;

		while (str_next(&rest, ' ', &want))
			assert_true(str_eq(row.relay.hosts[n++], want));
		assert_int_equal(row.relay.host_count, n);
	}
}

static int address_add(struct fixture *f, struct store_address *row)
{
	struct err err = {.kind = ERR_NONE};
	int rc = admin_address_save(f->s, f->a, row, &f->problems, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	return rc;
}

static void addresses(void **state)
{
	struct fixture *f = *state;
	struct str members[] = {STR("Bob@B\xc3\xbc"
				    "cher.example"),
		STR(""), STR("x@y.example"), STR("x@y.example")};
	struct str self[] = {STR("LIST@mail.example")}, bad[] = {STR("nobody")};
	struct store_address row = {
		.domain_id = f->mail, .localpart = STR("Anna.B"), .account_id = f->account};

	assert_int_equal(address_add(f, &row), 0);
	assert_true(str_eq(row.localpart, STR("anna.b")));
	row = (struct store_address){
		.domain_id = f->mail, .localpart = STR("ANNA.b"), .account = STR("anna")};
	problem(f, address_add(f, &row), "localpart", "anna.b@mail.example exists already");
	row.localpart = STR("");
	assert_int_equal(address_add(f, &row), 0);
	assert_int_equal(row.account_id, f->account);
	row.id = 0;
	problem(f, address_add(f, &row), "localpart", "catch-all address already");
	row.localpart = STR("a@mail.example");
	problem(f, address_add(f, &row), "localpart", "Only the part before");
	row.localpart = STR("a b");
	problem(f, address_add(f, &row), "localpart", "cannot be the part");
	row.localpart = STR("a+b");
	problem(f, address_add(f, &row), "localpart", "is the separator");
	row.localpart = STR("\"a b\"");
	assert_int_equal(address_add(f, &row), 0);
	assert_true(str_eq(row.localpart, STR("a b")));
	row = (struct store_address){.domain_id = f->mail, .localpart = STR("c")};
	row.localpart =
		str_from("0123456789012345678901234567890123456789012345678901234567890123x");
	row.account_id = f->account;
	problem(f, address_add(f, &row), "localpart", "At most 64");
	row.localpart = STR("c");
	row.account_id = 999;
	problem(f, address_add(f, &row), "account", "account is gone");
	row.account = STR("otto");
	problem(f, address_add(f, &row), "account", "no account of this name");
	row.account = STR("");
	problem(f, address_add(f, &row), "account", "Choose the account");
	row.domain_id = 999;
	problem(f, address_add(f, &row), "localpart", "domain of this address is gone");

	row = (struct store_address){.domain_id = f->mail,
		.localpart = STR("list"),
		.kind = STORE_ADDRESS_ALIAS,
		.members = members,
		.member_count = COUNT(members)};
	assert_int_equal(address_add(f, &row), 0);
	assert_int_equal(row.member_count, 2);
	assert_true(str_eq(row.members[0], STR("Bob@xn--bcher-kva.example")));
	row.members = self;
	row.member_count = 1;
	problem(f, address_add(f, &row), "members", "member of itself");
	row.members = bad;
	problem(f, address_add(f, &row), "members", "nobody is not an address");
	row.member_count = 0;
	problem(f, address_add(f, &row), "members", "at least one");
	row.member_count = STORE_ALIAS_MEMBERS_MAX + 1;
	problem(f, address_add(f, &row), "members", "at most 1000 members");

	row = (struct store_address){
		.domain_id = f->mail, .localpart = STR("r"), .kind = STORE_ADDRESS_RELAY};
	problem(f, address_add(f, &row), "relay_hosts", "itself is delivered to mailboxes");
	row.domain_id = f->relay;
	assert_int_equal(address_add(f, &row), 0);
}

static void accounts(void **state)
{
	struct fixture *f = *state;
	struct store_account row = {.name = STR(" Otto "), .full_name = STR("Otto O.")}, read;
	struct err err = {.kind = ERR_NONE};

	ok(f, admin_account_save(f->s, f->a, &row, STR("correct horse"), &f->problems, &err), &err);
	assert_true(str_eq(row.name, STR("otto")));
	assert_int_equal(store_account_find(f->s, STR("otto"), f->a, &read, &err), 1);
	assert_true(str_starts(read.argon2, STR("$argon2id$")));
	assert_true(str_starts(read.scram, STR("SCRAM-SHA-256$")));

	/* Another name and no password: the password stays. */
	row = (struct store_account){.id = read.id, .name = STR("otto2")};
	ok(f, admin_account_save(f->s, f->a, &row, STR(""), &f->problems, &err), &err);
	assert_int_equal(store_account_get(f->s, row.id, f->a, &read, &err), 1);
	assert_true(str_starts(read.argon2, STR("$argon2id$")));

	row = (struct store_account){.name = STR("anna")};
	problem(f, admin_account_save(f->s, f->a, &row, STR(""), &f->problems, &err), "name",
		"anna exists already");
	row.name = STR("../x");
	assert_int_equal(admin_account_save(f->s, f->a, &row, STR(""), &f->problems, &err), 1);
	assert_string_equal(f->problems.at[0].field, "name");
	row.name = STR(".x");
	problem(f, admin_account_save(f->s, f->a, &row, STR(""), &f->problems, &err), "name",
		"begins with");
	row.name = STR("");
	problem(f, admin_account_save(f->s, f->a, &row, STR(""), &f->problems, &err), "name",
		"Enter a name");
	row.name = STR("kurt");
	problem(f, admin_account_save(f->s, f->a, &row, STR("short"), &f->problems, &err),
		"password", "at least 8");
}

static void transports_and_routes(void **state)
{
	struct fixture *f = *state;
	struct store_transport t = {.name = STR("Smarthost"), .relay.tls = STORE_TLS_VERIFY};
	struct store_route r = {.from_domain = STR("*.Example.org"), .to_domain = STR("*")};
	struct err err = {.kind = ERR_NONE};

	problem(f, admin_transport_save(f->s, f->a, &t, &f->problems, &err), "relay_hosts",
		"at least one server");
	admin_relay_hosts_parse(
		f->a, STR("smtp.example:587"), &t.relay, "relay_hosts", 25, &f->problems);
	t.relay.protocol = STORE_PROTOCOL_LMTP;
	problem(f, admin_transport_save(f->s, f->a, &t, &f->problems, &err), "relay_protocol",
		"speaks SMTP");
	t.relay.protocol = STORE_PROTOCOL_SMTP;
	ok(f, admin_transport_save(f->s, f->a, &t, &f->problems, &err), &err);
	assert_true(str_eq(t.name, STR("smarthost")));
	t.id = 0;
	problem(f, admin_transport_save(f->s, f->a, &t, &f->problems, &err), "name",
		"exists already");

	r.transport = STR("smarthost");
	ok(f, admin_route_save(f->s, f->a, &r, &f->problems, &err), &err);
	assert_true(str_eq(r.from_domain, STR(".example.org")));
	assert_int_equal(r.to_domain.len, 0);
	assert_true(r.transport_id > 0);
	r = (struct store_route){.to_domain = STR(".")};
	problem(f, admin_route_save(f->s, f->a, &r, &f->problems, &err), "to_domain",
		"After the dot");
	r.to_domain = STR(".a..b");
	problem(f, admin_route_save(f->s, f->a, &r, &f->problems, &err), "to_domain",
		"empty label");
	r.to_domain = STR("x.example");
	r.min_attempts = 101;
	problem(f, admin_route_save(f->s, f->a, &r, &f->problems, &err), "min_attempts",
		"At most 100");
	r.min_attempts = 3;
	r.transport_id = 999;
	problem(f, admin_route_save(f->s, f->a, &r, &f->problems, &err), "transport",
		"no such transport");
	r.transport_id = 0;
	ok(f, admin_route_save(f->s, f->a, &r, &f->problems, &err), &err);
}

static void networks(void **state)
{
	static const struct {
		const char *cidr, *stored, *text; /* stored NULL: refused with text */
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8", NULL},
		{" 192.0.2.7 ", "192.0.2.7", NULL},
		{"2001:DB8::/32", "2001:db8::/32", NULL},
		{"10.0.0.0/8", NULL, "listed already"},
		{"10.1.2.3/16", NULL, "10.1.0.0/16"},
		{"0.0.0.0/0", NULL, "whole internet"},
		{"::/0", NULL, "whole internet"},
		{"10.0.0.0/33", NULL, "10.0.0.0/33"},
		{"office", NULL, "office"},
		{"", NULL, "Enter a network"},
	};
	struct fixture *f = *state;
	struct err err = {.kind = ERR_NONE};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_network row = {.cidr = str_from(cases[i].cidr)};
		int rc = admin_network_save(f->s, f->a, &row, &f->problems, &err);

		if (cases[i].stored == NULL) {
			problem(f, rc, "cidr", cases[i].text);
			continue;
		}
		ok(f, rc, &err);
		assert_true(str_eq(row.cidr, str_from(cases[i].stored)));
	}
}

static void admin_password(void **state)
{
	struct fixture *f = *state;
	struct str value;
	struct err err = {.kind = ERR_NONE};

	assert_int_equal(admin_password_set(f->s, STR("seven77"), &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_string_equal(err.text, "A password has at least 8 characters.");
	assert_int_equal(store_setting_get(f->s, "admin_password", f->a, &value, &err), 0);
	assert_int_equal(admin_password_set(f->s, STR("eight888"), &err), 0);
	assert_int_equal(store_setting_get(f->s, "admin_password", f->a, &value, &err), 1);
	assert_true(str_starts(value, STR("$argon2id$")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(domains, setup, teardown),
		cmocka_unit_test_setup_teardown(relays, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(accounts, setup, teardown),
		cmocka_unit_test_setup_teardown(transports_and_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(networks, setup, teardown),
		cmocka_unit_test_setup_teardown(admin_password, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
