#include "tests/unit/unit.h"

#include "auth/dnsbl.h"

#include <stdio.h>

#define SIX(last)                                                                                  \
	last ".0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.good.example. A "     \
	     "127.0.0.3\n"
#define SIX_TEST "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

static const char world[] =
	"2.0.0.127.good.example. A 127.0.0.2\n" SIX_TEST "good.example. A 127.0.0.2\n"
	"7.2.0.192.good.example. A 127.0.0.4\n7.2.0.192.good.example. A 127.0.0.2\n"
	"7.2.0.192.good.example. TXT \"Spam \\200 seen\" \", see https://good.example/\"\n"
	"8.2.0.192.good.example. A 192.0.2.80\n"
	"9.2.0.192.good.example. A 127.255.255.254\n"
	"10.2.0.192.good.example. A 127.0.0.9\n10.2.0.192.good.example. A 10.0.0.1\n"
	"fail: a 11.2.0.192.good.example.\n" SIX("7")
	/* takes part in nothing: lists all, none, elsewhere, or refuses */
	"2.0.0.127.world.example. A 127.0.0.2\n1.0.0.127.world.example. A 127.0.0.2\n"
	"7.2.0.192.world.example. A 127.0.0.2\n"
	"7.2.0.192.gone.example. A 127.0.0.2\n"
	"2.0.0.127.sold.example. A 203.0.113.9\n1.0.0.127.sold.example. A 203.0.113.9\n"
	"7.2.0.192.sold.example. A 203.0.113.9\n"
	"2.0.0.127.closed.example. A 127.255.255.254\n"
	"fail: a 2.0.0.127.down.example.\nfail: a 1.0.0.127.down.example.\n"
	"2.0.0.127.v4.example. A 127.0.0.2\n" SIX_TEST "v6.example. A 127.0.0.2\n";

static const struct {
	const char *zone, *ip;
	enum dnsbl_result result;
	const char *codes, *reason, *problem;
} cases[] = {
	{"good.example", "192.0.2.6", DNSBL_PASS, "", "", ""},
	{"Good.Example.", "192.0.2.6", DNSBL_PASS, "", "", ""},
	{"good.example", "192.0.2.7", DNSBL_FAIL, "127.0.0.4, 127.0.0.2",
		"Spam ? seen, see https://good.example/", ""},
	{"good.example", "192.0.2.8", DNSBL_PASS, "", "", "outside of 127.0.0.0/8"},
	{"good.example", "192.0.2.9", DNSBL_TEMPERROR, "", "", "refuses"},
	{"good.example", "192.0.2.10", DNSBL_FAIL, "127.0.0.9", "", "ignored"},
	{"good.example", "192.0.2.11", DNSBL_TEMPERROR, "", "", "could not be asked"},
	{"good.example", "2001:db8::7", DNSBL_FAIL, "127.0.0.3", "", ""},
	{"good.example", "2001:db8::8", DNSBL_PASS, "", "", ""},
	{"world.example", "192.0.2.7", DNSBL_SKIPPED, "", "", "lists 127.0.0.1"},
	{"gone.example", "192.0.2.7", DNSBL_SKIPPED, "", "", "test entry"},
	{"sold.example", "192.0.2.7", DNSBL_SKIPPED, "", "", "outside of 127.0.0.0/8"},
	{"closed.example", "192.0.2.7", DNSBL_SKIPPED, "", "", "refuses"},
	{"down.example", "192.0.2.7", DNSBL_TEMPERROR, "", "", "could not be asked"},
	{"v4.example", "2001:db8::7", DNSBL_SKIPPED, "", "", "no list of IPv6"},
	{"v6.example", "192.0.2.7", DNSBL_SKIPPED, "", "", "no list of IPv4"},
	{"v6.example", "2001:db8::7", DNSBL_PASS, "", "", ""},
	{"a..b", "192.0.2.7", DNSBL_SKIPPED, "", "", "not a domain name"},
	{"", "192.0.2.7", DNSBL_SKIPPED, "", "", "not a domain name"},
};

static struct dns *world_open(const char *more)
{
	struct buf text = {NULL, 0, 0};
	struct dns *d;
	struct err err = {.text = ""};

	buf_printf(&text, "%s%s", world, more);
	if (dns_open_fixture(buf_str(&text), &d, &err) < 0)
		fail_msg("%s", err.text);
	buf_free(&text);
	return d;
}

static void verdicts(void **state)
{
	struct dns *dns = world_open("");
	struct arena *a = arena_open();
	struct dnsbl *d = dnsbl_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
	struct dnsbl_verdict v;
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str zone = str_from(cases[i].zone);
		assert_true(ip_parse(str_from(cases[i].ip), &ip));
		assert_int_equal(dnsbl_check(d, &q, &ip, &zone, 1, a, &v), 1);
		print_message("case %zu: %s %s: %s %.*s %.*s %.*s\n", i, cases[i].zone, cases[i].ip,
			dnsbl_result_text(v.result), STR_FMT(v.codes), STR_FMT(v.reason),
			STR_FMT(v.problem));
		assert_int_equal(v.result, cases[i].result);
		assert_true(str_eq(v.codes, str_from(cases[i].codes)));
		assert_true(str_eq(v.reason, str_from(cases[i].reason)));
		assert_int_equal(v.problem.len == 0, cases[i].problem[0] == '\0');
		assert_non_null(str_find(v.problem, str_from(cases[i].problem)));
	}
	dnsbl_close(&d);
	dns_close(&dns);
	arena_close(&a);
}

/* Health is looked up once, until it is forgotten; all zones are asked side by side. */
static void health_is_kept(void **state)
{
	struct dns *dns = world_open("delay: a 2.0.0.127.good.example. 120\n"
				     "delay: a 2.0.0.127.v4.example. 120\n"
				     "delay: a 2.0.0.127.silent.example. 60000\n");
	struct str zones[25], names[] = {STR("good.example"), STR("v4.example")};
	struct arena *a = arena_open();
	struct dnsbl *d = dnsbl_open();
	struct trace *t = trace_new();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000), .trace = t};
	struct dnsbl_verdict v[DNSBL_ZONES_MAX];
	struct dnsbl_zone_state s;
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < 25; i++)
		zones[i] = names[i % 2];
	assert_true(ip_parse(STR("192.0.2.7"), &ip));
	assert_false(dnsbl_zone_known(d, names[0], a, &s));
	int64_t begin = clock_mono_ms();
	assert_int_equal(dnsbl_check(d, &q, &ip, zones, 2, a, v), 2);
	assert_in_range(clock_mono_ms() - begin, 119, 230);
	assert_true(dnsbl_zone_known(d, names[0], a, &s));
	assert_int_equal(s.health, DNSBL_HEALTHY);
	begin = clock_mono_ms();
	assert_int_equal(dnsbl_check(d, &q, &ip, zones, 25, a, v), DNSBL_ZONES_MAX);
	assert_true(clock_mono_ms() - begin < 100);
	for (size_t i = 0; i < DNSBL_ZONES_MAX; i++)
		assert_int_equal(v[i].result, i % 2 == 0 ? DNSBL_FAIL : DNSBL_PASS);
	dnsbl_forget(d);
	assert_false(dnsbl_zone_known(d, names[0], a, &s));
	dnsbl_zone_check(d, &q, names[1], a, &s);
	assert_int_equal(s.health, DNSBL_HEALTHY);
	/* One that keeps silent costs the deadline once. */
	q.deadline = deadline_in_ms(150);
	begin = clock_mono_ms();
	dnsbl_zone_check(d, &q, STR("silent.example"), a, &s);
	assert_int_equal(s.health, DNSBL_UNKNOWN);
	assert_true(s.problem.len > 0);
	assert_int_equal(dnsbl_check(d, &q, &ip, &STR("silent.example"), 1, a, v), 1);
	assert_int_equal(v[0].result, DNSBL_TEMPERROR);
	assert_in_range(clock_mono_ms() - begin, 140, 400);
	struct buf json = {NULL, 0, 0};
	trace_write(t, &json);
	assert_non_null(strstr(json.p, "192.0.2.7 is listed (127.0.0.4, 127.0.0.2)."));
	buf_free(&json);
	trace_free(&t);
	dnsbl_close(&d);
	dns_close(&dns);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts), cmocka_unit_test(health_is_kept)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
