#include "tests/unit/unit.h"

#include "policy/lists.h"

#include <stdio.h>
#include <stdlib.h>

static char dir[64];
static struct store *store;

static int setup(void **state)
{
	struct err err;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-lists-XXXXXX");
	return mkdtemp(dir) != NULL && store_open(dir, &store, &err) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[100];

	(void)state;
	store_close(&store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) == 0 ? 0 : -1;
}

enum { NOW = 1700000000 };

/* Entries that expired over 30 days ago go when another is added. */
static void old_ones_go(void **state)
{
	struct store_list_entry old = {.kind = STORE_LIST_DOMAIN,
					.value = STR("old.example"),
					.comment = STR(""),
					.expires_s = NOW},
				more = {.kind = STORE_LIST_DOMAIN,
					.value = STR("more.example"),
					.comment = STR("")};
	struct arena *a = arena_open();
	struct err err;

	(void)state;
	clock_set_fake((NOW + 29 * 86400LL) * 1000);
	assert_int_equal(store_list_put(store, &old, &err), 0);
	assert_int_equal(store_list_put(store, &more, &err), 0);
	assert_int_equal(store_list_get(store, old.id, a, &old, &err), 1);
	assert_int_equal(store_list_delete(store, more.id, &err), 0);
	clock_set_fake((NOW + 31 * 86400LL) * 1000);
	more.id = 0;
	assert_int_equal(store_list_put(store, &more, &err), 0);
	struct store_list_entry *rows;
	struct store_list_filter f = {.list = -1, .kind = -1, .text = STR("old"), .limit = 9};
	size_t count;
	assert_int_equal(store_list_page(store, &f, a, &rows, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_list_delete(store, more.id, &err), 0);
	clock_set_fake((int64_t)NOW * 1000);
	arena_close(&a);
}

static int64_t add(enum store_list list, const char *value, int64_t expires_s)
{
	struct admin_problems problems;
	struct arena *a = arena_open();
	struct err err;
	struct store_list_entry row = {.list = list,
		.value = str_from(value),
		.comment = STR("why"),
		.expires_s = expires_s};

	int rc = lists_entry_save(store, a, &row, NOW, &problems, &err);
	if (rc != 0)
		fail_msg("%s: %s", value, rc == 1 ? problems.at[0].text : err.text);
	arena_close(&a);
	return row.id;
}

static void matches_ip(const char *text, const char *want)
{
	struct arena *a = arena_open();
	struct store_list_entry e;
	struct ip ip;

	assert_true(ip_parse(str_from(text), &ip));
	int found = store_list_match_ip(store, &ip, NOW, a, &e);
	print_message("%s -> %.*s\n", text, found ? (int)e.value.len : 1, found ? e.value.p : "-");
	assert_int_equal(found, want != NULL);
	if (want != NULL)
		assert_true(str_eq(e.value, str_from(want)));
	arena_close(&a);
}

static void matches_address(const char *text, const char *want)
{
	struct arena *a = arena_open();
	struct store_list_entry e;

	int found = store_list_match_address(store, str_from(text), NOW, a, &e);
	print_message("%s -> %.*s\n", text, found ? (int)e.value.len : 1, found ? e.value.p : "-");
	assert_int_equal(found, want != NULL);
	if (want != NULL)
		assert_true(str_eq(e.value, str_from(want)));
	arena_close(&a);
}

static void the_most_exact_entry_counts(void **state)
{
	struct err err;

	(void)state;
	matches_ip("192.0.2.1", NULL);
	matches_address("a@example.org", NULL);
	add(STORE_LIST_DENY, "192.0.2.0/24", 0);
	add(STORE_LIST_ALLOW, "192.0.2.7", 0);
	add(STORE_LIST_DENY, "192.0.0.0/16", 0);
	add(STORE_LIST_DENY, "2001:DB8::/32", 0);
	add(STORE_LIST_ALLOW, "198.51.100.1", NOW + 10);
	add(STORE_LIST_DENY, "198.51.100.2", NOW + 1);
	matches_ip("192.0.2.1", "192.0.2.0/24");
	matches_ip("192.0.2.7", "192.0.2.7");
	matches_ip("192.0.3.7", "192.0.0.0/16");
	matches_ip("192.1.3.7", NULL);
	matches_ip("::ffff:192.0.2.7", "192.0.2.7");
	matches_ip("2001:db8:1::1", "2001:db8::/32");
	matches_ip("2001:db9::1", NULL);
	matches_ip("198.51.100.1", "198.51.100.1");
	add(STORE_LIST_DENY, "Example.ORG", 0);
	add(STORE_LIST_ALLOW, "*.good.example.org", 0);
	add(STORE_LIST_ALLOW, "Boss@example.org", 0);
	add(STORE_LIST_DENY, "@m\xc3\xbcnchen.example", 0);
	matches_address("x@example.org", "example.org");
	matches_address("X@EXAMPLE.ORG", "example.org");
	matches_address("x@a.b.example.org", "example.org");
	matches_address("x@good.example.org", "good.example.org");
	matches_address("x@very.good.example.org", "good.example.org");
	matches_address("boss@example.org", "boss@example.org");
	matches_address("boss@sub.example.org", "example.org");
	matches_address("example.org", "example.org");
	matches_address("@example.org.", "example.org");
	matches_address("x@badexample.org", NULL);
	matches_address("x@org", NULL);
	matches_address("x@xn--mnchen-3ya.example", "xn--mnchen-3ya.example");
	matches_address("", NULL);
	matches_address("@", NULL);
	matches_address("\"a@b\"@example.org", "example.org");
	/* Changes are seen at once. */
	struct arena *a = arena_open();
	struct store_list_entry e;
	assert_int_equal(store_list_match_address(store, STR("x@example.org"), NOW, a, &e), 1);
	assert_int_equal(e.list, STORE_LIST_DENY);
	assert_true(str_eq(e.comment, STR("why")));
	assert_int_equal(store_list_delete(store, e.id, &err), 0);
	matches_address("x@example.org", NULL);
	/* What has expired has no effect, and goes. */
	struct ip ip;
	size_t removed;
	assert_true(ip_parse(STR("198.51.100.2"), &ip));
	assert_int_equal(store_list_match_ip(store, &ip, NOW + 1, a, &e), 0);
	assert_int_equal(store_list_match_ip(store, &ip, NOW, a, &e), 1);
	assert_int_equal(store_list_expire(store, NOW + 5, &removed, &err), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(store_list_match_ip(store, &ip, NOW, a, &e), 0);
	arena_close(&a);
}

static void bad_entries(void **state)
{
	static const struct {
		const char *value;
		int64_t expires_s;
		const char *field;
	} bad[] = {
		{"", 0, "value"},
		{"192.0.2.1/8", 0, "value"},
		{"192.0.2.0/33", 0, "value"},
		{"0.0.0.0/0", 0, "value"},
		{"a b", 0, "value"},
		{"a..b", 0, "value"},
		{"x@", 0, "value"},
		{"x@a b.example", 0, "value"},
		{"x\ny@a.example", 0, "value"},
		{"203.0.113.1", NOW - 1, "expires"},
	};
	struct arena *a = arena_open();
	struct admin_problems problems;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct store_list_entry row = {.value = str_from(bad[i].value),
			.comment = STR(""),
			.expires_s = bad[i].expires_s};
		print_message("case %zu: %s\n", i, bad[i].value);
		assert_int_equal(lists_entry_save(store, a, &row, NOW, &problems, &err), 1);
		assert_string_equal(problems.at[0].field, bad[i].field);
	}
	add(STORE_LIST_ALLOW, "203.0.113.9", 0);
	struct store_list_entry twice = {
		.list = STORE_LIST_DENY, .value = STR("203.0.113.9"), .comment = STR("")};
	assert_int_equal(lists_entry_save(store, a, &twice, NOW, &problems, &err), 1);
	assert_non_null(strstr(problems.at[0].text, "already"));
	arena_close(&a);
}

static void expiry(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} cases[] = {
		{"", true, 0},
		{" 30 ", true, NOW + 30 * 86400},
		{"1970-01-01", true, 86400},
		{"2023-11-14", true, 1700006400},
		{"2024-02-29", true, 1709251200},
		{"2000-02-29", true, 951868800},
		{"2023-02-29", false, 0},
		{"2100-02-29", false, 0},
		{"2023-13-01", false, 0},
		{"2023-04-31", false, 0},
		{"0", false, 0},
		{"tomorrow", false, 0},
		{"99999999", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t got;
		print_message("case %zu: %s\n", i, cases[i].text);
		assert_int_equal(
			lists_expiry_parse(str_from(cases[i].text), NOW, &got), cases[i].ok);
		assert_int_equal(got, cases[i].value);
	}
}

/* Many entries: pages in order, and questions stay cheap. */
static void many(void **state)
{
	enum { COUNT = 3000 };
	struct arena *a = arena_open();
	struct store_list_entry *rows;
	struct err err;
	size_t count, seen = 0;
	char value[40];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		struct store_list_entry row = {.list = STORE_LIST_DENY,
			.kind = STORE_LIST_DOMAIN,
			.value = str_from(value),
			.comment = STR("bulk")};
		snprintf(value, sizeof(value), "d%d.bulk.example", i);
		row.value = str_from(value);
		assert_int_equal(store_list_put(store, &row, &err), 0);
	}
	struct store_list_filter f = {
		.list = STORE_LIST_DENY, .kind = -1, .text = STR("BULK.example"), .limit = 700};
	do {
		assert_int_equal(store_list_page(store, &f, a, &rows, &count, &err), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(f.before_id == 0 || rows[i].id < f.before_id);
			f.before_id = rows[i].id;
		}
		seen += count;
	} while (count == f.limit);
	assert_int_equal(seen, COUNT);
	matches_address("x@d2999.bulk.example", "d2999.bulk.example");
	int64_t begin = clock_mono_us();
	struct store_list_entry e;
	for (int i = 0; i < 10000; i++)
		assert_int_equal(
			store_list_match_address(store, STR("x@a.b.c.example"), NOW, a, &e), 0);
	print_message("10000 questions: %lld us\n", (long long)(clock_mono_us() - begin));
	assert_true(clock_mono_us() - begin < 500000);
	arena_close(&a);
}

static void block_lists(void **state)
{
	struct arena *a = arena_open();
	struct admin_problems problems;
	struct store_dnsbl_zone row = {.zone = STR("BL.Example"), .comment = STR("")}, *rows;
	struct str *zones;
	struct err err;
	size_t count;

	(void)state;
	assert_int_equal(store_dnsbl_active(store, a, &zones), 0);
	assert_int_equal(lists_zone_save(store, a, &row, &problems, &err), 0);
	assert_int_equal(store_dnsbl_active(store, a, &zones), 1);
	assert_true(str_eq(zones[0], STR("bl.example")));
	struct store_dnsbl_zone twice = {.zone = STR("bl.example"), .comment = STR("")};
	assert_int_equal(lists_zone_save(store, a, &twice, &problems, &err), 1);
	struct store_dnsbl_zone bad = {.zone = STR("192.0.2.1"), .comment = STR("")};
	assert_int_equal(lists_zone_save(store, a, &bad, &problems, &err), 1);
	row.disabled = true;
	assert_int_equal(lists_zone_save(store, a, &row, &problems, &err), 0);
	assert_int_equal(store_dnsbl_active(store, a, &zones), 0);
	assert_int_equal(store_dnsbl_list(store, a, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_true(rows[0].disabled);
	assert_int_equal(store_dnsbl_delete(store, row.id, &err), 0);
	assert_int_equal(store_dnsbl_list(store, a, &rows, &count, &err), 0);
	assert_int_equal(count, 0);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_ones_go),
		cmocka_unit_test(the_most_exact_entry_counts),
		cmocka_unit_test(bad_entries),
		cmocka_unit_test(expiry),
		cmocka_unit_test(many),
		cmocka_unit_test(block_lists),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
