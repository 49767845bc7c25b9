#include "tests/unit/unit.h"

#include "auth/iprev.h"

#include <stdio.h>

static const char world[] =
	"192.0.2.1 PTR a.example.\na.example. A 192.0.2.1\n"
	"192.0.2.2 PTR liar.example.\n192.0.2.2 PTR b.example.\nb.example. A 192.0.2.2\n"
	"liar.example. A 192.0.2.99\n"
	"192.0.2.3 PTR liar.example.\n192.0.2.3 PTR nowhere.example.\n"
	"fail: ptr 192.0.2.4\ntimeout: ptr 192.0.2.5\n"
	"192.0.2.6 PTR broken.example.\nfail: ip broken.example.\n"
	"192.0.2.7 PTR broken.example.\n192.0.2.7 PTR a7.example.\na7.example. A 192.0.2.7\n"
	"192.0.2.8 PTR broken.example.\n192.0.2.8 PTR liar.example.\n"
	"2001:db8::1 PTR a6.example.\na6.example. AAAA 2001:db8::1\na6.example. A 192.0.2.50\n"
	"192.0.2.50 PTR a6.example.\n"
	"192.0.2.9 PTR .\n"
	"192.0.2.10 PTR link.example.\nlink.example. CNAME end.example.\nend.example. A "
	"192.0.2.10\n"
	"bogus: ptr 192.0.2.11\n";

static const struct {
	const char *ip;
	enum iprev_result result;
	const char *name, *inauthentic;
	bool authentic; /* all else is */
} cases[] = {
	{"192.0.2.1", IPREV_PASS, "a.example", "", true},
	{"192.0.2.1", IPREV_PASS, "a.example", "ptr 192.0.2.1", false},
	{"192.0.2.1", IPREV_PASS, "a.example", "a a.example", false},
	{"192.0.2.1", IPREV_PASS, "a.example", "aaaa a.example", true},
	{"192.0.2.2", IPREV_PASS, "b.example", "", true},
	{"192.0.2.2", IPREV_PASS, "b.example", "a liar.example", false}, /* looked at before */
	{"192.0.2.3", IPREV_FAIL, "liar.example", "", true},
	{"192.0.2.4", IPREV_TEMPERROR, "", "", false},
	{"192.0.2.5", IPREV_TEMPERROR, "", "", false},
	{"192.0.2.6", IPREV_TEMPERROR, "broken.example", "", false},
	{"192.0.2.7", IPREV_PASS, "a7.example", "", false},
	{"192.0.2.8", IPREV_TEMPERROR, "broken.example", "", false},
	{"192.0.2.9", IPREV_PERMERROR, "", "", true},
	{"192.0.2.10", IPREV_PASS, "link.example", "", true},
	{"192.0.2.10", IPREV_PASS, "link.example", "cname link.example", false},
	{"192.0.2.11", IPREV_TEMPERROR, "", "", false},
	{"192.0.2.12", IPREV_PERMERROR, "", "", true},
	{"192.0.2.12", IPREV_PERMERROR, "", "ptr 192.0.2.12", false},
	{"192.0.2.50", IPREV_PASS, "a6.example", "", true},
	{"2001:db8::1", IPREV_PASS, "a6.example", "", true},
	{"2001:db8::2", IPREV_PERMERROR, "", "", true},
};

static void results(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_open();
		struct iprev_verdict v;
		char text[4000];
		struct dns *d;
		struct err err;
		struct ip ip;

		snprintf(text, sizeof(text), "%sall-authentic\n%s%s\n", world,
			cases[i].inauthentic[0] ? "inauthentic: " : "", cases[i].inauthentic);
		assert_int_equal(dns_open_fixture(str_from(text), &d, &err), 0);
		struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000)};
		assert_true(ip_parse(str_from(cases[i].ip), &ip));
		iprev_check(&q, &ip, a, &v);
		print_message("case %zu: %s %s %.*s %.*s\n", i, cases[i].ip,
			iprev_result_text(v.result), STR_FMT(v.name), STR_FMT(v.problem));
		assert_int_equal(v.result, cases[i].result);
		assert_true(str_eq(v.name, str_from(cases[i].name)));
		assert_int_equal(v.authentic, cases[i].authentic);
		assert_int_equal(v.problem.len == 0, v.result == IPREV_PASS);
		dns_close(&d);
		arena_close(&a);
	}
}

/* Many names are asked side by side, no more than the cap, and the deadline ends all. */
static void bounded(void **state)
{
	struct buf text = {NULL, 0, 0};
	struct arena *a = arena_open();
	struct trace *t = trace_new();
	struct iprev_verdict v;
	struct dns *d;
	struct err err;
	struct ip ip;

	(void)state;
	for (int i = 0; i < 40; i++)
		buf_printf(&text,
			"192.0.2.1 PTR n%d.example.\ndelay: a n%d.example. 100\n"
			"n%d.example. A 192.0.2.77\n",
			i, i, i);
	buf_text(&text, "delay: ptr 192.0.2.2 60000\n");
	assert_int_equal(dns_open_fixture(buf_str(&text), &d, &err), 0);
	struct dns_asker q = {.dns = d, .deadline = deadline_in_ms(5000), .trace = t};
	assert_true(ip_parse(STR("192.0.2.1"), &ip));
	int64_t begin = clock_mono_ms();
	iprev_check(&q, &ip, a, &v);
	assert_int_equal(v.result, IPREV_FAIL);
	assert_int_equal(v.name_count, IPREV_NAMES_MAX);
	assert_true(clock_mono_ms() - begin < 500);
	q.deadline = deadline_in_ms(100);
	assert_true(ip_parse(STR("192.0.2.2"), &ip));
	iprev_check(&q, &ip, a, &v);
	assert_int_equal(v.result, IPREV_TEMPERROR);
	struct buf json = {NULL, 0, 0};
	trace_write(t, &json);
	assert_non_null(strstr(json.p, "\"kind\": \"iprev\""));
	buf_free(&json);
	buf_free(&text);
	trace_free(&t);
	dns_close(&d);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(results), cmocka_unit_test(bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
