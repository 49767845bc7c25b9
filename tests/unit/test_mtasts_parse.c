#include "tests/unit/unit.h"

#include "policy/mtasts.h"

#include <stdlib.h>

/* Spec 9.9: records and policies, good and bad, matching, serialisation. */

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_open();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_close(&arena);
	return 0;
}

#define ID32 "01234567890123456789012345678901"

static void records_good(void **state)
{
	static const struct {
		const char *text, *id, *written;
		size_t ext;
	} rows[] = {
		{"v=STSv1; id=20160831085700Z;", "20160831085700Z", "v=STSv1; id=20160831085700Z",
			0},
		{"v=STSv1;id=20160831085700Z", "20160831085700Z", "v=STSv1; id=20160831085700Z", 0},
		{"v=STSv1 \t ; \t id=20160831085700Z \t ; \t ", "20160831085700Z",
			"v=STSv1; id=20160831085700Z", 0},
		{"v=STSv1; id=a", "a", "v=STSv1; id=a", 0},
		{"v=STSv1; id=" ID32, ID32, "v=STSv1; id=" ID32, 0},
		{"v=STSv1; id=a; more=a; ext=2", "a", "v=STSv1; id=a; more=a; ext=2", 2},
		{"v=STSv1; more=a:/; id=a", "a", "v=STSv1; id=a; more=a:/", 1},
		{"v=STSv1; id=a; id=b", "a", "v=STSv1; id=a", 0},
		{"v=STSv1; id=a; a_b-c.d=x", "a", "v=STSv1; id=a; a_b-c.d=x", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mtasts_record r;
		struct err err;
		struct buf out = {NULL, 0, 0};
		print_message("%s\n", rows[i].text);
		assert_int_equal(mtasts_record_parse(arena, str_from(rows[i].text), &r, &err), 1);
		assert_true(str_eq(r.id, str_from(rows[i].id)));
		assert_int_equal(r.ext_count, rows[i].ext);
		mtasts_record_write(&r, &out);
		assert_string_equal(out.p, rows[i].written);
		/* And once around. */
		assert_int_equal(mtasts_record_parse(arena, buf_str(&out), &r, &err), 1);
		buf_free(&out);
	}
}

static void records_bad(void **state)
{
	/* rc 0: some other text; -1: a malformed record */
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"", 0},
		{"v=STSv0; id=a", 0},
		{"v=STSv10; id=a", 0},
		{"v=STSv2; id=a", 0},
		{"V=STSv1; id=a", 0},
		{"v=STSv1", 0}, /* no delimiter */
		{"v=STSv1 id=a", 0},
		{"v=STSv1 x; id=a", 0},
		{" v=STSv1; id=a", 0},
		{"v=spf1 -all", 0},
		{"v=STSv1;", -1}, /* no id */
		{"v=STSv1; ", -1},
		{"v=STSv1; ext=1", -1},
		{"v=STSv1; id", -1},
		{"v=STSv1; id=", -1},
		{"v=STSv1; ID=a", -1},
		{"v=STSv1; id=" ID32 "2", -1},
		{"v=STSv1; id=test-123", -1},
		{"v=STSv1; id=a b", -1},
		{"v=STSv1; id=a; more=", -1},
		{"v=STSv1; id=a; a12345678901234567890123456789012=1", -1},
		{"v=STSv1; id=a; 1%=2", -1},
		{"v=STSv1; id=a; _a=2", -1},
		{"v=STSv1; id=a; -a=2", -1},
		{"v=STSv1; id=a; test==", -1},
		{"v=STSv1; id=a; test=a b", -1},
		{"v=STSv1; id=a; test=\xc3\xa4", -1},
		{"v=STSv1; id=a;;", -1},
		{"v=STSv1;; id=a", -1},
		{"v=STSv1; id=a; bogus", -1},
		{"v=STSv1; bogus", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mtasts_record r;
		struct err err;
		print_message("%s\n", rows[i].text);
		assert_int_equal(
			mtasts_record_parse(arena, str_from(rows[i].text), &r, &err), rows[i].rc);
		if (rows[i].rc < 0)
			assert_int_equal(err.kind, ERR_PERM);
	}
}

#define KEY32 "a1234567890123456789012345678901"

static void policies_good(void **state)
{
	static const struct {
		const char *text;
		enum mtasts_mode mode;
		int64_t max_age_s;
		const char *hosts, *written;
	} rows[] = {
		{"version: STSv1\nmode: testing\nmx: mx1.example.com\nmx: mx2.example.com\n"
		 "mx: mx.backup-example.com\nmax_age: 1296000\n",
			MTASTS_TESTING, 1296000,
			"mx1.example.com, mx2.example.com, mx.backup-example.com",
			"version: STSv1\nmode: testing\nmax_age: 1296000\nmx: mx1.example.com\n"
			"mx: mx2.example.com\nmx: mx.backup-example.com\n"},
		{"version: STSv1\t\nmode: enforce \t\nmx:  *.Example.COM\t \nmax_age: 0 \n",
			MTASTS_ENFORCE, 0, "*.example.com",
			"version: STSv1\nmode: enforce\nmax_age: 0\nmx: *.example.com\n"},
		{"version:STSv1\r\nmode:testing\nmax_age:1\r\nmx:mx1.example\r\n"
		 "ext: with  inner spaces \xc3\xa4\nother:x",
			MTASTS_TESTING, 1, "mx1.example",
			"version: STSv1\nmode: testing\nmax_age: 1\nmx: mx1.example\n"
			"ext: with  inner spaces \xc3\xa4\nother: x\n"},
		{"mode: none\nmax_age: 2147483647\nversion: STSv1", MTASTS_NONE, 31557600, "",
			"version: STSv1\nmode: none\nmax_age: 31557600\n"},
		{"version: STSv1\nmode: none\nmode: enforce\nmax_age: 5\nmax_age: 6\n", MTASTS_NONE,
			5, "", "version: STSv1\nmode: none\nmax_age: 5\n"},
		{"version: STSv1\nmode: enforce\nmax_age: 86400\nmx: "
		 "mx.xn--bcher-kva.example\n" KEY32 ": v\n",
			MTASTS_ENFORCE, 86400,
			"mx.b\xc3\xbc"
			"cher.example/mx.xn--bcher-kva.example",
			"version: STSv1\nmode: enforce\nmax_age: 86400\nmx: "
			"mx.xn--bcher-kva.example\n" KEY32 ": v\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mtasts_policy p;
		struct err err = {.kind = ERR_NONE};
		struct buf out = {NULL, 0, 0};
		int rc = mtasts_policy_parse(arena, str_from(rows[i].text), &p, &err);
		print_message("%zu: %s\n", i, rc < 0 ? err.text : "ok");
		assert_int_equal(rc, 0);
		assert_int_equal(p.mode, rows[i].mode);
		assert_int_equal(p.max_age_s, rows[i].max_age_s);
		assert_string_equal(mtasts_policy_hosts(arena, &p).p, rows[i].hosts);
		assert_true(str_eq(p.text, str_from(rows[i].text)));
		mtasts_policy_write(&p, &out);
		assert_string_equal(out.p, rows[i].written);
		assert_int_equal(mtasts_policy_parse(arena, buf_str(&out), &p, &err), 0);
		buf_free(&out);
	}
}

#define GOOD "version: STSv1\nmode: testing\nmax_age: 1\nmx: mx.example\n"

static void policies_bad(void **state)
{
	static const char *const rows[] = {
		"",
		"\n",
		"version: STSv0\nmode: none\nmax_age: 1\n",
		"version: STSv10\nmode: none\nmax_age: 1\n",
		"version: STSv2\nmode: none\nmax_age: 1\n",
		"version: STSv1\nmax_age: 1\nmx: mx.example\n",    /* no mode */
		"version: STSv1\nmode: testing\nmx: mx.example\n", /* no max_age */
		"version: STSv1\nmode: enforce\nmax_age: 1\n",     /* no mx */
		"version: STSv1\nmode: testing\nmax_age: 1\n",
		"mode: testing\nmax_age: 1\nmx: mx.example\n",        /* no version */
		"version: STSv1\nmode: none\nmax_age: 12345678901\n", /* 11 digits */
		"version: STSv1\nmode: none\nmax_age: 2147483648\n",
		"version: STSv1\nmode: none\nmax_age: -1\n",
		"version: STSv1\nmode: none\nmax_age: 1a\n",
		"version: STSv1\nmode: none\nmax_age:\n",
		"version: STSv1\nmode: bogus\nmax_age: 1\n",
		"version: STSv1\nmode: Enforce\nmax_age: 1\nmx: mx.example\n",
		GOOD "mx:\n",
		GOOD "mx: *.*.example\n",
		GOOD "mx: **.example\n",
		GOOD "mx: *\n",
		GOOD "mx: *.\n",
		GOOD "mx: a.*.example\n",
		GOOD "mx: mx-.example\n",
		GOOD "mx: mx.example-\n",
		GOOD "mx: -mx.example\n",
		GOOD "mx: mx..example\n",
		GOOD "mx: mx.example.\n",
		GOOD "mx: m_x.example\n",
		GOOD "mx: mx example\n",
		GOOD "mx: b\xc3\xbc"
		     "cher.example\n", /* a U-label */
		GOOD "ext:\n",
		GOOD "ext: \n",
		GOOD "ext: a\tb\n",
		GOOD "ext: \xff\n",
		GOOD KEY32 "2: v\n",
		GOOD "_ext: v\n",
		GOOD "ext : v\n",
		GOOD "ext\n",
		GOOD "\n",
		GOOD "\n\n",
		"\n" GOOD,
		GOOD "a: b\r",
		" " GOOD,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mtasts_policy p;
		struct err err;
		int rc = mtasts_policy_parse(arena, str_from(rows[i]), &p, &err);
		print_message("%zu: %s\n", i, rc < 0 ? err.text : "parsed");
		assert_int_equal(rc, -1);
		assert_int_equal(err.kind, ERR_PERM);
	}
}

static void the_size_is_capped(void **state)
{
	struct buf text = {NULL, 0, 0};
	struct mtasts_policy p;
	struct err err;

	(void)state;
	buf_text(&text, GOOD);
	while (text.len < MTASTS_POLICY_MAX - 16)
		buf_text(&text, "mx: a.b.example\n");
	assert_int_equal(mtasts_policy_parse(arena, buf_str(&text), &p, &err), 0);
	assert_true(p.mx_count > 4000);
	assert_non_null(str_find(mtasts_policy_hosts(arena, &p), STR("more")));
	buf_text(&text, "mx: a.b.example\nmx: a.b.example\n");
	assert_int_equal(mtasts_policy_parse(arena, buf_str(&text), &p, &err), -1);
	buf_clear(&text);
	/* Extensions over the cap are dropped, not an error. */
	buf_text(&text, GOOD);
	for (int i = 0; i < 200; i++)
		buf_printf(&text, "e%d: x\n", i);
	assert_int_equal(mtasts_policy_parse(arena, buf_str(&text), &p, &err), 0);
	assert_int_equal(p.ext_count, 100);
	buf_free(&text);
}

static void matching(void **state)
{
	static const struct {
		const char *host;
		bool match;
	} rows[] = {{"a.example", true}, {"A.Example", true}, {"sub.b.example", true},
		{"b.example", false}, {"sub.sub.b.example", false}, {"other.example", false},
		{"suba.example", false}, {"xb.example", false}, {"example", false}, {"", false},
		{"sub.xn--bcher-kva.example", true}};
	struct mtasts_policy p;
	struct err err;

	(void)state;
	assert_int_equal(mtasts_policy_parse(arena,
				 STR("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.example\n"
				     "mx: *.b.example\nmx: *.xn--bcher-kva.example\n"),
				 &p, &err),
		0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(mtasts_policy_matches(&p, rows[i].host), rows[i].match);
}

static void a_mismatch_says_what_to_do(void **state)
{
	static const char *const hosts[] = {"mx1.other.example", "mx2.other.example"};
	struct mtasts_policy p;
	struct err err;

	(void)state;
	assert_int_equal(mtasts_policy_parse(arena,
				 STR("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.example\n"
				     "mx: *.b.example\n"),
				 &p, &err),
		0);
	struct str text = mtasts_mismatch_text(arena, "dest.example", &p, hosts, 2);
	static const char *const parts[] = {"policy of dest.example", "enforce",
		"mx1.other.example, mx2.other.example", "lists a.example, *.b.example",
		"The recipient's admin should",
		"https://mta-sts.dest.example/.well-known/mta-sts.txt", "_mta-sts.dest.example"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_non_null(str_find(text, str_from(parts[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_good),
		cmocka_unit_test(records_bad),
		cmocka_unit_test(policies_good),
		cmocka_unit_test(policies_bad),
		cmocka_unit_test(the_size_is_capped),
		cmocka_unit_test(matching),
		cmocka_unit_test(a_mismatch_says_what_to_do),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
