#include "tests/unit/unit.h"

#include "report/tlsrpt_mail.h"
#include "report/tlsrpt_record.h"
#include "report/tlsrpt_take.h"
#include "store/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TLS reports that come in (spec 9.11, 9.12): record, JSON, mail, and what the store keeps. */

static char dir[64];
static struct store *store;
static struct arena *arena;
static const int64_t now_s = 1795478400; /* 2026-11-24 */
static const int day0 = 20777;           /* 2026-11-20 */

static int setup(void **state)
{
	struct err err;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-tlsrpt-XXXXXX");
	if (mkdtemp(dir) == NULL || store_open(dir, &store, &err) < 0)
		return -1;
	arena = arena_open();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	store_close(&store);
	arena_close(&arena);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct str sample(const char *name)
{
	char path[200];
	struct buf b = {NULL, 0, 0};
	char piece[4096];
	size_t n;

	snprintf(path, sizeof(path), "tests/corpus/tlsrpt_%s", name);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s is not there", path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_raw(&b, (struct str){piece, n});
	fclose(f);
	struct str out = arena_str(arena, buf_str(&b));
	buf_free(&b);
	return out;
}

/* --- record --- */

static void records(void **state)
{
	static const struct {
		const char *text;
		int rc;
		size_t rua;
		const char *written; /* or NULL: not looked at */
	} cases[] = {
		{"v=TLSRPTv1; rua=mailto:tlsrpt@mox.example;", 1, 1,
			"v=TLSRPTv1; rua=mailto:tlsrpt@mox.example"},
		{"v=TLSRPTv1; rua=mailto:a@mox.example  \t\t  , https://mox.example/r  ", 1, 2,
			"v=TLSRPTv1; rua=mailto:a@mox.example,https://mox.example/r"},
		{"v=TLSRPTv1; rua=mailto:a@mox.example; ext=yes", 1, 1,
			"v=TLSRPTv1; rua=mailto:a@mox.example; ext=yes"},
		{"v=TLSRPTv1 ; rua=mailto:x@x.example; rua=mailto:y@x.example", 1, 2, NULL},
		{"v=TLSRPTv0; rua=mailto:a@x.example", 0, 0, NULL},
		{"v=TLSRPTv10; rua=mailto:a@x.example", 0, 0, NULL},
		{"v=TLSRPTv2; rua=mailto:a@x.example", 0, 0, NULL},
		{"v=tlsrptv1; rua=mailto:a@x.example", 0, 0, NULL},
		{"v=TLSRPTv1", 0, 0, NULL},
		{"v=TLSRPTv1 rua=mailto:a@x.example", 0, 0, NULL},
		{"v=TLSRPTv1;", -1, 0, NULL},
		{"v=TLSRPTv1; ext=yes", -1, 0, NULL},
		{"v=TLSRPTv1; rua=", -1, 0, NULL},
		{"v=TLSRPTv1; rua=noscheme", -1, 0, NULL},
		{"v=TLSRPTv1; rua=,, ,", -1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example; more=", -1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example; "
		 "a23456789012345678901234567890123=1",
			-1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example; bad*=1", -1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example; test==", -1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example;;", -1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example; trailing", -1, 0, NULL},
		{"v=TLSRPTv1; rua=http://bad/%", -1, 0, NULL},
		{"v=TLSRPTv1; rua=mailto:x@x.example!10m", -1, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tlsrpt_record r;
		struct buf b = {NULL, 0, 0};
		struct err err;

		print_message("%s\n", cases[i].text);
		assert_int_equal(
			tlsrpt_record_parse(arena, str_from(cases[i].text), &r, &err), cases[i].rc);
		assert_int_equal(r.rua_count, cases[i].rua);
		if (cases[i].written == NULL)
			continue;
		tlsrpt_record_write(&r, &b);
		assert_string_equal(b.p, cases[i].written);
		buf_free(&b);
	}
}

static void addresses(void **state)
{
	struct str out = tlsrpt_record_mailto(arena, STR("a!b%c@x.example"));

	(void)state;
	assert_string_equal(out.p, "mailto:a%21b%25c@x.example");
	assert_int_equal(tlsrpt_record_address(arena, out, &out), 1);
	assert_string_equal(out.p, "a!b%c@x.example");
	assert_int_equal(
		tlsrpt_record_address(arena, STR("mailto:a@x.example?subject=x"), &out), 1);
	assert_true(str_eq(out, STR("a@x.example")));
	assert_int_equal(tlsrpt_record_address(arena, STR("https://x.example"), &out), 0);
	assert_int_equal(tlsrpt_record_address(arena, STR("mailto:nobody"), &out), 0);
}

static void look_up(void **state)
{
	static const struct {
		const char *domain;
		enum tlsrpt_status want;
	} cases[] = {{"basic.example", TLSRPT_OK}, {"more.example", TLSRPT_OK},
		{"two.example", TLSRPT_MULTIPLE}, {"absent.example", TLSRPT_NO_RECORD},
		{"other.example", TLSRPT_NO_RECORD}, {"bad.example", TLSRPT_SYNTAX},
		{"fail.example", TLSRPT_DNS}};
	struct dns *dns;
	struct err err;

	(void)state;
	if (dns_open_fixture(
		    STR("_smtp._tls.basic.example TXT \"v=TLSRPTv1; rua=mailto:a@x.example\"\n"
			"_smtp._tls.more.example TXT \"unrelated\"\n"
			"_smtp._tls.more.example TXT \"v=TLSRPTv1; rua=mailto:a@x.example\"\n"
			"_smtp._tls.two.example TXT \"v=TLSRPTv1; rua=mailto:a@x.example\"\n"
			"_smtp._tls.two.example TXT \"v=TLSRPTv1; rua=mailto:b@x.example\"\n"
			"_smtp._tls.other.example TXT \"unrelated\"\n"
			"_smtp._tls.bad.example TXT \"v=TLSRPTv1; bad\"\n"
			"fail: txt _smtp._tls.fail.example\n"),
		    &dns, &err) < 0)
		fail_msg("%s", err.text);
	struct dns_asker ask = {.dns = dns, .deadline = deadline_in_ms(5000)};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tlsrpt_lookup l;
		print_message("%s\n", cases[i].domain);
		assert_int_equal(tlsrpt_lookup(&ask, cases[i].domain, arena, &l, &err), 0);
		assert_string_equal(
			tlsrpt_status_text(l.status), tlsrpt_status_text(cases[i].want));
		assert_int_equal(l.text[0] == '\0', l.status == TLSRPT_OK);
	}
	dns_close(&dns);
}

/* --- JSON --- */

static void rfc_example(void **state)
{
	struct tlsrpt_report r, again;
	struct buf b = {NULL, 0, 0};
	struct err err;

	(void)state;
	if (tlsrpt_report_read(arena, sample("report/rfc"), &r, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(r.organization.p, "Company-X");
	assert_string_equal(r.id.p, "5065427c-23d3-47ca-b6e0-946ea0e8c4be");
	assert_int_equal(r.start_s, 1459468800);
	assert_int_equal(r.end_s, 1459468800 + 86399);
	assert_int_equal(r.policy_count, 1);
	assert_int_equal(r.policies[0].string_count, 4);
	assert_int_equal(r.policies[0].detail_count, 3);
	assert_int_equal(tlsrpt_report_successes(&r), 5326);
	assert_int_equal(tlsrpt_report_failures(&r), 303);
	assert_string_equal(r.policies[0].details[2].failure_reason_code.p,
		"X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
	tlsrpt_report_write(&r, &b);
	assert_int_equal(tlsrpt_report_read(arena, buf_str(&b), &again, &err), 0);
	assert_int_equal(again.end_s, r.end_s);
	assert_true(str_eq(again.policies[0].details[1].additional_information,
		r.policies[0].details[1].additional_information));
	buf_free(&b);
}

#define RANGE(a, b) "\"date-range\":{\"start-datetime\":\"" a "\",\"end-datetime\":\"" b "\"}"
#define DAY RANGE("2026-11-20T00:00:00Z", "2026-11-20T23:59:59Z")
#define REST "\"report-id\":\"x\",\"policies\":[]}"

static void json_cases(void **state)
{
	static const struct {
		const char *json;
		bool good;
	} cases[] = {{"{" DAY "," REST, true}, {"\xef\xbb\xbf{" DAY "," REST " trailing [[[", true},
		{"{" RANGE("2026-11-20T00:00:00", "2026-11-20T23:59:59") "," REST, true},
		{"{" RANGE("2026-11-20T01:00:00+01:00", "2026-11-20T23:59:59.999z") "," REST, true},
		{"{" RANGE("2026-02-30T00:00:00Z", "2026-11-20T00:00:00Z") "," REST, false},
		{"{" RANGE("2026-11-21T00:00:00Z", "2026-11-20T00:00:00Z") "," REST, false},
		{"{" RANGE("yesterday", "2026-11-20T00:00:00Z") "," REST, false},
		{"{" DAY ",\"policies\":[]}", false}, {"{" DAY ",\"report-id\":\"x\"}", false},
		{"{" DAY ",\"report-id\":\"x\",\"policies\":[1]}", false},
		{"{" DAY ",\"report-id\":\"x\",\"policies\":[{\"policy\":{},\"summary\":"
		 "{\"total-failure-session-count\":-1}}]}",
			false},
		{"[]", false}, {"", false}, {"{", false}, {"null", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tlsrpt_report r;
		struct err err;
		print_message("%s\n", cases[i].json);
		int rc = tlsrpt_report_read(arena, str_from(cases[i].json), &r, &err);
		assert_int_equal(rc, cases[i].good ? 0 : -1);
	}
}

static void caps(void **state)
{
	struct tlsrpt_report r;
	struct buf b = {NULL, 0, 0}, packed = {NULL, 0, 0}, out = {NULL, 0, 0};
	struct err err;

	(void)state;
	buf_text(&b, "{\"x\":");
	for (size_t i = 0; i < TLSRPT_DEPTH_MAX; i++)
		buf_byte(&b, '[');
	assert_int_equal(tlsrpt_report_read(arena, buf_str(&b), &r, &err), -1);
	assert_non_null(strstr(err.text, "nested"));
	buf_clear(&b);
	buf_text(&b, "{\"x\":[0");
	for (size_t i = 0; i <= TLSRPT_VALUES_MAX; i++)
		buf_text(&b, ",0");
	assert_int_equal(tlsrpt_report_read(arena, buf_str(&b), &r, &err), -1);
	assert_non_null(strstr(err.text, "values"));
	/* A bomb: 15 MiB of zeros are 15 kB. */
	buf_clear(&b);
	for (size_t i = 0; i < 15 * 1024; i++)
		buf_raw(&b, (struct str){(const char[1024]){0}, 1024});
	assert_int_equal(tlsrpt_gzip(buf_str(&b), &packed, &err), 0);
	assert_int_equal(tlsrpt_gunzip(buf_str(&packed), &out, &err), -1);
	assert_non_null(strstr(err.text, "times its size"));
	assert_true(out.len < 8 * 1024 * 1024);
	/* Cut off. */
	buf_clear(&out);
	packed.len -= 10;
	assert_int_equal(tlsrpt_gunzip(buf_str(&packed), &out, &err), -1);
	buf_free(&b);
	buf_free(&packed);
	buf_free(&out);
}

/* --- mail --- */

static void mails(void **state)
{
	static const struct {
		const char *name;
		enum tlsrpt_found found;
		const char *organization;
		int64_t successes, failures;
	} cases[] = {{"google", TLSRPT_REPORT, "Google Inc.", 7, 0},
		{"microsoft", TLSRPT_REPORT, "Microsoft Corporation", 12, 1},
		{"mailru", TLSRPT_REPORT, "Mail.ru", 3, 0},
		{"yahoo", TLSRPT_REPORT, "Yahoo! Inc.", 7, 0},
		{"comcast", TLSRPT_REPORT, "Comcast", 7, 0},
		{"rfc_json", TLSRPT_REPORT, "Company-X", 5326, 303},
		{"single_json", TLSRPT_REPORT, "Company-X", 5326, 303},
		{"related", TLSRPT_NO_REPORT, NULL, 0, 0},
		{"ordinary", TLSRPT_NO_REPORT, NULL, 0, 0},
		{"no_report_type", TLSRPT_BROKEN, NULL, 0, 0},
		{"plain_json", TLSRPT_BROKEN, NULL, 0, 0},
		{"broken_gzip", TLSRPT_BROKEN, NULL, 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tlsrpt_mail m;
		char name[64];
		snprintf(name, sizeof(name), "mail/%s", cases[i].name);
		tlsrpt_mail_read(arena, sample(name), &m);
		print_message("%s: %s\n", name, m.why);
		assert_int_equal(m.found, cases[i].found);
		if (m.found != TLSRPT_REPORT)
			continue;
		assert_string_equal(m.report.organization.p, cases[i].organization);
		assert_int_equal(tlsrpt_report_successes(&m.report), cases[i].successes);
		assert_int_equal(tlsrpt_report_failures(&m.report), cases[i].failures);
	}
}

/* --- who signed --- */

static void signatures(void **state)
{
	static const struct {
		struct dkim_result r;
		const char *from;
		int good;
		bool later;
	} cases[] = {
		{{.status = DKIM_PASS, .domain = {"x.example", 9}}, "x.example", 1, false},
		{{.status = DKIM_PASS, .domain = {"x.example", 9}}, "mail.x.example", 1, false},
		{{.status = DKIM_PASS, .domain = {"example", 7}}, "x.example", 0, false},
		{{.status = DKIM_PASS, .domain = {"mail.x.example", 14}}, "x.example", 0, false},
		{{.status = DKIM_PASS, .domain = {"x.example", 9}}, "notx.example", 0, false},
		{{.status = DKIM_PASS, .domain = {"x.example", 9}, .length_used = true},
			"x.example", 0, false},
		{{.status = DKIM_PASS, .domain = {"x.example", 9}, .services = {"tlsrpt", 6}},
			"x.example", 1, false},
		{{.status = DKIM_PASS, .domain = {"x.example", 9}, .services = {"email", 5}},
			"x.example", 0, false},
		{{.status = DKIM_PASS, .domain = {"x.example", 9}, .services = {"email : *", 9}},
			"x.example", 1, false},
		{{.status = DKIM_FAIL, .domain = {"x.example", 9}}, "x.example", 0, false},
		{{.status = DKIM_TEMPERROR, .domain = {"x.example", 9}}, "x.example", 0, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dkim_result r = cases[i].r;
		struct dkim_results all = {.at = &r, .count = 1};
		struct str from = str_from(cases[i].from), domain;
		struct tlsrpt_came came = {.dkim = &all, .from_domains = &from, .from_count = 1};
		char why[512];
		bool later;
		print_message("case %zu\n", i);
		assert_int_equal(tlsrpt_dkim_check(&came, &domain, &later, why), cases[i].good);
		assert_int_equal(later, cases[i].later);
	}
}

/* --- the store --- */

static void domain_add(const char *name)
{
	struct store_domain d = {.name = str_from(name)};
	struct err err;

	if (store_domain_put(store, &d, &err) < 0)
		fail_msg("%s", err.text);
}

static struct tlsrpt_arrival take(const char *name, const char *signer)
{
	struct dkim_result r = {.status = DKIM_PASS, .domain = str_from(signer)};
	struct dkim_results all = {.at = &r, .count = signer != NULL ? 1 : 0};
	struct str from = str_from(signer != NULL ? signer : "x.example");
	struct tlsrpt_came came = {.dkim = &all,
		.from_domains = &from,
		.from_count = 1,
		.hostname = STR("host.example"),
		.now_s = now_s};
	struct tlsrpt_arrival out;
	struct err err;

	if (tlsrpt_take_mail(store, sample(name), &came, &out, &err) < 0)
		fail_msg("%s", err.text);
	print_message("%s: %s\n", name, out.why);
	return out;
}

static size_t list(const struct store_tls_report_filter *f, struct store_tls_report **rows)
{
	size_t n;
	int64_t next;
	bool more;
	struct err err;

	if (store_tls_report_list(store, f, arena, rows, &n, &more, &next, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

static size_t sums(enum store_tls_report_by by, const struct store_tls_report_filter *f,
	struct store_tls_report_sum **rows)
{
	size_t n;
	struct err err;

	if (store_tls_report_sums(store, by, f, arena, rows, &n, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

static void reports_are_kept(void **state)
{
	struct store_tls_report_filter all = {.limit = 100};
	struct store_tls_report_sum *s;
	struct store_tls_report *rows, one;
	struct err err;

	(void)state;
	assert_int_equal(take("mail/google", "google.example").taken, TLSRPT_REJECTED);
	domain_add("example.com");
	struct tlsrpt_arrival out = take("mail/google", "google.example");
	assert_int_equal(out.taken, TLSRPT_TAKEN);
	assert_int_equal(take("mail/google", "google.example").taken, TLSRPT_DUPLICATE);
	assert_int_equal(take("mail/google", "evil.example").taken, TLSRPT_TAKEN);
	assert_int_equal(take("mail/microsoft", "microsoft.example").taken, TLSRPT_TAKEN);
	assert_int_equal(take("mail/mailru", NULL).taken, TLSRPT_REJECTED);
	assert_int_equal(take("mail/rfc_json", "company-x.example").taken, TLSRPT_REJECTED);
	assert_int_equal(take("mail/broken_gzip", "x.example").taken, TLSRPT_REJECTED);
	assert_int_equal(take("mail/ordinary", "x.example").taken, TLSRPT_ORDINARY);

	assert_int_equal(list(&all, &rows), 3);
	assert_string_equal(rows[0].organization.p, "Microsoft Corporation");
	assert_string_equal(rows[0].domains.p, "example.com");
	assert_int_equal(rows[0].failures, 1);
	all.result = STR("certificate-host-mismatch");
	assert_int_equal(list(&all, &rows), 1);
	all.result = STR("");
	all.organization = STR("Google Inc.");
	assert_int_equal(list(&all, &rows), 2);
	all.organization = STR("");
	all.domain = STR("other.example");
	assert_int_equal(list(&all, &rows), 0);
	all.domain = STR("example.com");
	all.first_day = day0 + 1;
	assert_int_equal(list(&all, &rows), 0);
	all.first_day = day0;
	assert_int_equal(list(&all, &rows), 3);
	all = (struct store_tls_report_filter){.limit = 100, .rejected = true};
	assert_int_equal(list(&all, &rows), 4);
	assert_true(rows[0].rejected.len > 0);

	/* The JSON is as it came. */
	struct buf b = {NULL, 0, 0};
	struct tlsrpt_mail m;
	assert_int_equal(store_tls_report_get(store, out.id, arena, &one, &err), 1);
	assert_string_equal(one.from_domain.p, "google.example");
	assert_int_equal(tlsrpt_gunzip(one.packed, &b, &err), 0);
	tlsrpt_mail_read(arena, sample("mail/google"), &m);
	assert_true(str_eq(buf_str(&b), m.json));
	buf_free(&b);

	all = (struct store_tls_report_filter){.limit = 100, .first_day = day0, .last_day = day0};
	assert_int_equal(sums(STORE_BY_DAY, &all, &s), 1);
	assert_int_equal(s[0].successes, 26);
	assert_int_equal(s[0].failures, 1);
	assert_int_equal(sums(STORE_BY_ORGANIZATION, &all, &s), 2);
	assert_int_equal(sums(STORE_BY_PROBLEM, &all, &s), 1);
	assert_string_equal(s[0].name.p, "certificate-host-mismatch");
	assert_string_equal(s[0].name2.p, "mx2.example.com");
	assert_int_equal(s[0].first_day, day0);
	all.last_day = all.first_day = day0 + 1;
	assert_int_equal(sums(STORE_BY_DAY, &all, &s), 0);
}

static void posts(void **state)
{
	struct tlsrpt_came came = {.via = STORE_VIA_HTTPS,
		.host = true,
		.hostname = STR("host.example"),
		.now_s = now_s};
	struct store_tls_report_filter all = {.limit = 100};
	struct store_tls_report *rows;
	struct store_tls_report_sum *s;
	struct tlsrpt_arrival out;
	struct err err;

	(void)state;
	domain_add("example.com");
	assert_int_equal(tlsrpt_take_post(store, sample("report/comcast"), &came, &out, &err), 0);
	assert_int_equal(out.taken, TLSRPT_TAKEN);
	assert_int_equal(tlsrpt_take_post(store, sample("report/comcast"), &came, &out, &err), 0);
	assert_int_equal(out.taken, TLSRPT_DUPLICATE);
	assert_int_equal(tlsrpt_take_post(store, STR("nonsense"), &came, &out, &err), 0);
	assert_int_equal(out.taken, TLSRPT_REJECTED);
	assert_int_equal(list(&all, &rows), 1);
	assert_int_equal(rows[0].from_domain.len, 0);
	/* The same by signed mail takes its place, and nothing counts twice. */
	assert_int_equal(take("mail/comcast", "comcast.example").taken, TLSRPT_TAKEN);
	assert_int_equal(list(&all, &rows), 1);
	assert_string_equal(rows[0].from_domain.p, "comcast.example");
	assert_int_equal(sums(STORE_BY_ORGANIZATION, &all, &s), 1);
	assert_string_equal(s[0].name.p, "Comcast");
	assert_int_equal(s[0].successes, 7);
	assert_int_equal(tlsrpt_take_post(store, sample("report/comcast"), &came, &out, &err), 0);
	assert_int_equal(out.taken, TLSRPT_DUPLICATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(look_up, setup, teardown),
		cmocka_unit_test_setup_teardown(rfc_example, setup, teardown),
		cmocka_unit_test_setup_teardown(json_cases, setup, teardown),
		cmocka_unit_test_setup_teardown(caps, setup, teardown),
		cmocka_unit_test_setup_teardown(mails, setup, teardown),
		cmocka_unit_test_setup_teardown(signatures, setup, teardown),
		cmocka_unit_test_setup_teardown(reports_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(posts, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
