#include "tests/unit/unit.h"

#include "base/mem.h"
#include "policy/rcpt.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
	char dir[64];
	struct store *s;
	struct config *c;
	struct arena *a;
	int64_t anna, bert;
};

static int64_t account(struct fixture *f, const char *name)
{
	struct store_account row = {.name = str_from(name)};
	struct err err;

	assert_int_equal(store_account_put(f->s, &row, &err), 0);
	return row.id;
}

static int64_t domain(struct fixture *f, const char *name, enum store_delivery delivery,
	enum store_rcpt_check check, bool case_sensitive)
{
	struct store_domain row = {.name = str_from(name),
		.delivery = delivery,
		.rcpt_check = check,
		.separator = STR("+"),
		.case_sensitive = case_sensitive};
	struct err err;

	if (delivery == STORE_DELIVERY_RELAY) {
		row.relay.hosts[0] = STR("127.0.0.9:25");
		row.relay.host_count = 1;
	}
	assert_int_equal(store_domain_put(f->s, &row, &err), 0);
	return row.id;
}

static void row(struct fixture *f, int64_t domain_id, const char *local,
	enum store_address_kind kind, int64_t account_id)
{
	struct store_address r = {.domain_id = domain_id,
		.localpart = str_from(local),
		.kind = kind,
		.account_id = account_id};
	struct err err;

	assert_int_equal(store_address_put(f->s, &r, &err), 0);
}

static void alias(
	struct fixture *f, int64_t domain_id, const char *local, struct str *members, size_t count)
{
	struct store_address r = {.domain_id = domain_id,
		.localpart = str_from(local),
		.kind = STORE_ADDRESS_ALIAS,
		.members = members,
		.member_count = count};
	struct err err;

	assert_int_equal(store_address_put(f->s, &r, &err), 0);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/mox-rcpt-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL || store_open(f->dir, &f->s, &err) < 0)
		return -1;
	f->a = arena_open();
	f->c = config_new(f->dir, "mx.example");
	f->c->postmaster_account = config_strdup(f->c, "anna");
	f->anna = account(f, "anna");
	f->bert = account(f, "bert");
	int64_t in = domain(f, "in.example", STORE_DELIVERY_MAILBOX, STORE_CHECK_LIST, false);
	row(f, in, "anna", STORE_ADDRESS_MAILBOX, f->anna);
	struct str team[] = {STR("anna@in.example"), STR("bert@case.example"),
		STR("ANNA@in.example"), STR("far@other.example"), STR("team@in.example"),
		STR("nobody@in.example")};
	alias(f, in, "team", team, 6);
	struct str none[] = {STR("nobody@in.example")};
	alias(f, in, "none", none, 1);
	int64_t cs = domain(f, "case.example", STORE_DELIVERY_MAILBOX, STORE_CHECK_LIST, true);
	row(f, cs, "bert", STORE_ADDRESS_MAILBOX, f->bert);
	int64_t all = domain(f, "all.example", STORE_DELIVERY_MAILBOX, STORE_CHECK_LIST, false);
	row(f, all, "", STORE_ADDRESS_MAILBOX, f->bert);
	int64_t list = domain(f, "list.example", STORE_DELIVERY_RELAY, STORE_CHECK_LIST, false);
	row(f, list, "carl", STORE_ADDRESS_RELAY, 0);
	domain(f, "ask.example", STORE_DELIVERY_RELAY, STORE_CHECK_CALLOUT, false);
	domain(f, "any.example", STORE_DELIVERY_RELAY, STORE_CHECK_ANY, false);
	domain(f, "xn--mnchen-3ya.example", STORE_DELIVERY_RELAY, STORE_CHECK_ANY, false);
	struct store_domain off = {.name = STR("off.example"), .disabled = true};
	return store_domain_put(f->s, &off, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	config_release(f->c);
	arena_close(&f->a);
	store_close(&f->s);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	free(f);
	return system(command);
}

static const struct {
	const char *address;
	enum rcpt_verdict verdict;
	const char *account;
} cases[] = {
	{"anna@in.example", RCPT_MAILBOX, "anna"},
	{"Anna@IN.Example", RCPT_MAILBOX, "anna"},
	{"anna+list@in.example", RCPT_MAILBOX, "anna"},
	{"\"anna\"@in.example", RCPT_MAILBOX, "anna"},
	{"annab@in.example", RCPT_UNKNOWN_USER, NULL},
	{"+anna@in.example", RCPT_UNKNOWN_USER, NULL},
	{"bert@case.example", RCPT_MAILBOX, "bert"},
	{"Bert@case.example", RCPT_UNKNOWN_USER, NULL},
	{"whoever@all.example", RCPT_MAILBOX, "bert"},
	{"team@in.example", RCPT_ALIAS, NULL},
	{"postmaster@in.example", RCPT_MAILBOX, "anna"},
	{"PostMaster@mx.example", RCPT_MAILBOX, "anna"},
	{"postmaster@list.example", RCPT_MAILBOX, "anna"},
	{"root@mx.example", RCPT_UNKNOWN_USER, NULL},
	{"carl@list.example", RCPT_RELAY, NULL},
	{"dora@list.example", RCPT_UNKNOWN_USER, NULL},
	{"dora@ask.example", RCPT_RELAY_CALLOUT, NULL},
	{"dora@any.example", RCPT_RELAY, NULL},
	{"x@m\303\274nchen.example", RCPT_RELAY, NULL},
	{"x@off.example", RCPT_DOMAIN_DISABLED, NULL},
	{"x@other.example", RCPT_REMOTE, NULL},
	{"x@sub.in.example", RCPT_REMOTE, NULL},
	{"x@in.example.other.example", RCPT_REMOTE, NULL},
	{"x@[127.0.0.1]", RCPT_REMOTE, NULL},
	/* Routes inside local parts are names like any other here. */
	{"user%other.example@in.example", RCPT_UNKNOWN_USER, NULL},
	{"other.example!user@in.example", RCPT_UNKNOWN_USER, NULL},
	{"\"user@other.example\"@in.example", RCPT_UNKNOWN_USER, NULL},
	{"\"anna@in.example\"@other.example", RCPT_REMOTE, NULL},
	{"anna%in.example@other.example", RCPT_REMOTE, NULL},
};

static void resolve(struct fixture *f, const char *text, struct rcpt_target *out)
{
	struct message_address addr;
	struct err err;

	assert_int_equal(message_address_parse(f->a, str_from(text), &addr, &err), 0);
	assert_int_equal(rcpt_resolve(f->s, f->c, &addr, f->a, out, &err), 0);
}

/* RFC 5321 4.5.1: also where the admin named nobody, or somebody who is gone. */
static void postmaster_is_somebody(void **state)
{
	static const char *const accounts[] = {NULL, "gone"};
	struct fixture *f = *state;
	struct rcpt_target t;
	int64_t old = domain(f, "old.example", STORE_DELIVERY_MAILBOX, STORE_CHECK_LIST, false);

	row(f, old, "zeno", STORE_ADDRESS_MAILBOX, f->bert);
	row(f, old, "adam", STORE_ADDRESS_MAILBOX, f->anna);
	domain(f, "bare.example", STORE_DELIVERY_MAILBOX, STORE_CHECK_LIST, false);
	for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
		f->c->postmaster_account =
			accounts[i] != NULL ? config_strdup(f->c, accounts[i]) : NULL;
		resolve(f, "Postmaster@old.example", &t);
		assert_int_equal(t.verdict, RCPT_MAILBOX);
		assert_true(str_eq(t.account.name, STR("bert")));
		resolve(f, "postmaster@list.example", &t);
		assert_int_equal(t.verdict, RCPT_RELAY);
		resolve(f, "postmaster@bare.example", &t);
		assert_int_equal(t.verdict, RCPT_UNKNOWN_USER);
		resolve(f, "nobody@old.example", &t);
		assert_int_equal(t.verdict, RCPT_UNKNOWN_USER);
	}
}

static void resolves_each_case(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rcpt_target t;

		print_message("case %zu: %s\n", i, cases[i].address);
		resolve(f, cases[i].address, &t);
		assert_int_equal(t.verdict, cases[i].verdict);
		if (cases[i].account != NULL)
			assert_true(str_eq(t.account.name, str_from(cases[i].account)));
	}
	struct rcpt_target t;
	resolve(f, "x@m\303\274nchen.example", &t);
	assert_true(str_eq(t.dest, STR("xn--mnchen-3ya.example")));
	assert_int_equal(t.relay->host_count, 1);
}

static void expands_aliases(void **state)
{
	struct fixture *f = *state;
	struct rcpt_target t, *all;
	struct err err;
	size_t count;

	resolve(f, "team@in.example", &t);
	assert_int_equal(rcpt_expand(f->s, f->c, &t, f->a, &all, &count, &err), 0);
	assert_int_equal(count, 3); /* anna once, bert, far */
	assert_true(str_eq(all[0].address, STR("anna@in.example")));
	assert_true(str_eq(all[2].dest, STR("other.example")));
	resolve(f, "none@in.example", &t);
	assert_int_equal(rcpt_expand(f->s, f->c, &t, f->a, &all, &count, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	resolve(f, "anna@in.example", &t);
	assert_int_equal(rcpt_expand(f->s, f->c, &t, f->a, &all, &count, &err), 0);
	assert_int_equal(count, 1);
}

static void nested_aliases_end(void **state)
{
	struct fixture *f = *state;
	struct store_domain d;
	struct rcpt_target t, *all;
	struct err err;
	size_t count;
	char name[32], member[64];

	assert_int_equal(store_domain_find(f->s, STR("in.example"), f->a, &d, &err), 1);
	for (int i = 0; i < RCPT_ALIAS_DEPTH_MAX + 2; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(member, sizeof(member), "deep%d@in.example", i + 1);
		struct str m = str_from(member);
		alias(f, d.id, name, &m, 1);
	}
	resolve(f, "deep0@in.example", &t);
	assert_int_equal(rcpt_expand(f->s, f->c, &t, f->a, &all, &count, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
}

static void ownership(void **state)
{
	static const struct {
		const char *account, *address;
		int owns;
	} owns[] = {
		{"anna", "anna@in.example", 1},
		{"anna", "ANNA+x@in.example", 1},
		{"bert", "anna@in.example", 0},
		{"bert", "anything@all.example", 1},
		{"anna", "anything@all.example", 0},
		{"anna", "team@in.example", 0}, /* a member is no owner */
		{"anna", "x@other.example", 0},
		{"anna", "dora@any.example", 0},
	};
	struct fixture *f = *state;
	struct message_address addr;
	struct err err;

	for (size_t i = 0; i < sizeof(owns) / sizeof(owns[0]); i++) {
		print_message("case %zu: %s\n", i, owns[i].address);
		assert_int_equal(
			message_address_parse(f->a, str_from(owns[i].address), &addr, &err), 0);
		assert_int_equal(
			rcpt_account_owns(f->s, f->c, str_from(owns[i].account), &addr, f->a, &err),
			owns[i].owns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(resolves_each_case, setup, teardown),
		cmocka_unit_test_setup_teardown(postmaster_is_somebody, setup, teardown),
		cmocka_unit_test_setup_teardown(expands_aliases, setup, teardown),
		cmocka_unit_test_setup_teardown(nested_aliases_end, setup, teardown),
		cmocka_unit_test_setup_teardown(ownership, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
