#include "tests/unit/unit.h"

#include "policy/dane.h"

#include <stdio.h>

/* Where mail for a domain goes, which addresses its hosts have, and which TLSA records count:
 * each row names what is in DNS and what must come out. */

static const char zone[] =
	"basic.example MX 10 mail.basic.example\n"
	"multi.example MX 10 mail.multi.example\nmulti.example MX 20 mail2.multi.example\n"
	"only-a.example A 10.0.0.1\nonly-aaaa.example AAAA 2001:db8::1\n"
	"cname-mx.example CNAME basic.example\n"
	"dangling.example CNAME absent.example\n"
	"loop1.example CNAME loop2.example\nloop2.example CNAME loop1.example\n"
	"null.example MX 0 .\nbad-host.example MX 10 -bad-\n"
	"half-bad.example MX 10 -bad-\nhalf-bad.example MX 20 mail.basic.example\n"
	"underscore.example MX 10 a_b.example\n"
	"mx-fails.example MX 10 mail.mx-fails.example\nfail: mx mx-fails.example\n"
	"fail: cname cname-fails.example\n"
	"bogus: mx bogus.example signature expired\n"
	"timeout: mx slow.example\n"
	"own-inauthentic.example CNAME basic.example\ninauthentic: cname own-inauthentic.example\n"
	"to-inauthentic.example CNAME step.example\nstep.example CNAME basic.example\n"
	"inauthentic: cname step.example\n"
	"limit1.example CNAME limit2.example\nlimit2.example CNAME limit3.example\n"
	"limit3.example CNAME limit4.example\nlimit4.example CNAME limit5.example\n"
	"limit5.example CNAME limit6.example\nlimit6.example CNAME limit7.example\n"
	"limit7.example CNAME limit8.example\nlimit8.example CNAME limit9.example\n"
	"limit9.example CNAME limit10.example\nlimit10.example CNAME limit11.example\n"
	"limit11.example CNAME limit12.example\nlimit12.example CNAME limit13.example\n"
	"limit13.example CNAME limit14.example\nlimit14.example CNAME limit15.example\n"
	"limit15.example CNAME limit16.example\nlimit16.example CNAME limit17.example\n"
	/* hosts */
	"host1.example A 10.0.0.1\ndual.example A 10.0.0.2\ndual.example AAAA 2001:db8::2\n"
	"alias.example CNAME alias2.example\nalias2.example CNAME host1.example\n"
	"inauthentic: cname alias2.example\n"
	"alias-own.example CNAME host1.example\ninauthentic: cname alias-own.example\n"
	"host-fails.example A 10.0.0.3\nfail: host host-fails.example\n";

enum { IS = 2 }; /* as the setting says */

static struct dns *fixture(const char *text, bool authentic)
{
	char all[sizeof(zone) + 4096];
	struct dns *dns;
	struct err err;

	snprintf(all, sizeof(all), "%s%s", text, authentic ? "\nall-authentic\n" : "");
	if (dns_open_fixture(str_from(all), &dns, &err) < 0)
		fail_msg("%s", err.text);
	return dns;
}

static const struct {
	const char *domain;
	enum destination_status status;
	int secure, expanded_secure; /* IS: as the fixture is */
	bool have_mx;
	const char *expanded;
	const char *hosts[3];
	const char *words; /* in the text */
} gather_cases[] = {
	{"basic.example", DESTINATION_OK, IS, IS, true, "basic.example", {"mail.basic.example"},
		""},
	{"multi.example", DESTINATION_OK, IS, IS, true, "multi.example",
		{"mail.multi.example", "mail2.multi.example"}, ""},
	{"only-a.example", DESTINATION_OK, IS, IS, false, "only-a.example", {"only-a.example"}, ""},
	{"only-aaaa.example", DESTINATION_OK, IS, IS, false, "only-aaaa.example",
		{"only-aaaa.example"}, ""},
	{"cname-mx.example", DESTINATION_OK, IS, IS, true, "basic.example", {"mail.basic.example"},
		""},
	{"absent.example", DESTINATION_OK, IS, IS, false, "absent.example", {"absent.example"}, ""},
	{"dangling.example", DESTINATION_OK, IS, IS, false, "absent.example", {"absent.example"},
		""},
	{"limit1.example", DESTINATION_CNAME_LOOP, IS, IS, false, NULL, {NULL}, "too many"},
	{"limit2.example", DESTINATION_OK, IS, IS, false, "limit17.example", {"limit17.example"},
		""},
	{"loop1.example", DESTINATION_CNAME_LOOP, IS, IS, false, NULL, {NULL}, "circle"},
	{"null.example", DESTINATION_NO_MAIL, IS, IS, true, "null.example", {NULL}, "null MX"},
	{"mx-fails.example", DESTINATION_DNS_ERROR, false, false, false, NULL, {NULL}, "SERVFAIL"},
	{"cname-fails.example", DESTINATION_DNS_ERROR, false, false, false, NULL, {NULL},
		"CNAME look-up"},
	{"bogus.example", DESTINATION_DNS_ERROR, false, false, false, NULL, {NULL},
		"signature expired"},
	{"slow.example", DESTINATION_DNS_ERROR, false, false, false, NULL, {NULL}, "in time"},
	{"10.0.0.1", DESTINATION_OK, false, false, false, "", {"10.0.0.1"}, ""},
	{"2001:db8::1", DESTINATION_OK, false, false, false, "", {"2001:db8::1"}, ""},
	{"own-inauthentic.example", DESTINATION_OK, false, false, true, "basic.example",
		{"mail.basic.example"}, ""},
	{"to-inauthentic.example", DESTINATION_OK, IS, false, true, "basic.example",
		{"mail.basic.example"}, ""},
	{"bad-host.example", DESTINATION_BAD_MX, IS, IS, true, NULL, {NULL}, "no usable host"},
	{"half-bad.example", DESTINATION_OK, IS, IS, true, NULL, {"mail.basic.example"}, ""},
	{"underscore.example", DESTINATION_OK, IS, IS, true, NULL, {"a_b.example"}, ""},
};

static void destinations_are_found(void **state)
{
	(void)state;
	for (int authentic = 0; authentic < 2; authentic++) {
		struct dns *dns = fixture(zone, authentic);
		struct arena *a = arena_open();
		struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
		for (size_t i = 0; i < sizeof(gather_cases) / sizeof(gather_cases[0]); i++) {
			struct destination d;
			struct err err;
			print_message("%d %s\n", authentic, gather_cases[i].domain);
			assert_int_equal(
				destination_gather(&q, gather_cases[i].domain, a, &d, &err), 0);
			assert_int_equal(d.status, gather_cases[i].status);
			int want = gather_cases[i].secure,
			    want_exp = gather_cases[i].expanded_secure;
			assert_int_equal(d.secure, want == IS ? authentic : want);
			if (d.status != DESTINATION_DNS_ERROR)
				assert_int_equal(
					d.expanded_secure, want_exp == IS ? authentic : want_exp);
			assert_int_equal(d.have_mx, gather_cases[i].have_mx);
			if (gather_cases[i].expanded != NULL)
				assert_string_equal(d.expanded, gather_cases[i].expanded);
			size_t n = 0;
			for (; gather_cases[i].hosts[n] != NULL; n++)
				assert_string_equal(d.hosts[n].name, gather_cases[i].hosts[n]);
			assert_int_equal(d.host_count, n);
			assert_non_null(strstr(d.text, gather_cases[i].words));
			assert_int_equal(destination_is_permanent(d.status),
				d.status == DESTINATION_NO_MAIL || d.status == DESTINATION_BAD_MX);
		}
		arena_close(&a);
		dns_close(&dns);
	}
}

static void what_fails_is_kept_for_reports(void **state)
{
	struct dns *dns = fixture(zone, true);
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
	struct destination d;
	struct err err;

	(void)state;
	assert_int_equal(destination_gather(&q, "bogus.example", a, &d, &err), 0);
	assert_int_equal(d.trouble.status, DNS_BOGUS);
	assert_true(dns_trouble_is_dnssec(&d.trouble));
	assert_string_equal(dns_ede_text(d.trouble.ede), "signature expired");
	assert_int_equal(destination_gather(&q, "mx-fails.example", a, &d, &err), 0);
	assert_false(dns_trouble_is_dnssec(&d.trouble));
	assert_int_equal(destination_gather(&q, "absent.example", a, &d, &err), 0);
	assert_false(d.exists);
	assert_int_equal(destination_gather(&q, "only-a.example", a, &d, &err), 0);
	assert_true(d.exists);
	assert_int_equal(destination_gather(&q, "no good", a, &d, &err), -1);
	assert_string_equal(dns_ede_text(7), "signature expired");
	assert_string_equal(dns_ede_text(24), "invalid data");
	assert_string_equal(dns_ede_text(25), "unknown");
	assert_string_equal(dns_ede_text(-1), "unknown");
	arena_close(&a);
	dns_close(&dns);
}

static const struct {
	const char *host;
	enum dns_status status;
	int secure, expanded_secure;
	const char *expanded;
	const char *ips[3];
	bool loop;
} ips_cases[] = {
	{"host1.example", DNS_OK, IS, IS, "host1.example", {"10.0.0.1"}, false},
	{"dual.example", DNS_OK, IS, IS, "dual.example", {"10.0.0.2", "2001:db8::2"}, false},
	{"alias.example", DNS_OK, IS, false, "host1.example", {"10.0.0.1"}, false},
	{"loop1.example", DNS_FAILED, IS, IS, NULL, {NULL}, true},
	{"absent.example", DNS_NXDOMAIN, IS, IS, "absent.example", {NULL}, false},
	{"dangling.example", DNS_NXDOMAIN, IS, IS, "absent.example", {NULL}, false},
	{"host-fails.example", DNS_FAILED, false, false, "host-fails.example", {NULL}, false},
	{"cname-fails.example", DNS_FAILED, false, false, "cname-fails.example", {NULL}, false},
	{"alias-own.example", DNS_OK, false, false, "host1.example", {"10.0.0.1"}, false},
	{"limit6.example", DNS_FAILED, IS, IS, NULL, {NULL}, true},
	{"10.1.2.3", DNS_OK, false, false, "10.1.2.3", {"10.1.2.3"}, false},
};

static void addresses_are_found(void **state)
{
	(void)state;
	for (int authentic = 0; authentic < 2; authentic++) {
		struct dns *dns = fixture(zone, authentic);
		struct arena *a = arena_open();
		struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
		for (size_t i = 0; i < sizeof(ips_cases) / sizeof(ips_cases[0]); i++) {
			struct destination_ips ips;
			char text[IP_TEXT];
			struct err err;
			size_t n = 0;
			print_message("%d %s\n", authentic, ips_cases[i].host);
			assert_int_equal(destination_ips(&q, ips_cases[i].host, a, &ips, &err), 0);
			assert_int_equal(ips.status, ips_cases[i].status);
			int want = ips_cases[i].secure, want_exp = ips_cases[i].expanded_secure;
			assert_int_equal(ips.secure, want == IS ? authentic : want);
			assert_int_equal(
				ips.expanded_secure, want_exp == IS ? authentic : want_exp);
			if (ips_cases[i].expanded != NULL)
				assert_string_equal(ips.expanded, ips_cases[i].expanded);
			for (; ips_cases[i].ips[n] != NULL; n++)
				assert_string_equal(
					ip_text(&ips.ips[n], text), ips_cases[i].ips[n]);
			assert_int_equal(ips.count, n);
			assert_int_equal(ips.dualstack, n == 2);
			assert_int_equal(ips.cname_loop, ips_cases[i].loop);
			assert_int_equal(ips.trouble.text[0] != '\0', ips.status != DNS_OK);
		}
		arena_close(&a);
		dns_close(&dns);
	}
}

static const struct {
	const char *ips[4], *tried[4], *want[4];
} order_cases[] = {
	{{"10.0.0.1", "2001:db8::1"}, {NULL}, {"10.0.0.1", "2001:db8::1"}},
	{{"10.0.0.1", "2001:db8::1"}, {"10.0.0.1"}, {"2001:db8::1", "10.0.0.1"}},
	{{"10.0.0.1", "2001:db8::1"}, {"10.0.0.1", "2001:db8::1"}, {"10.0.0.1", "2001:db8::1"}},
	{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}},
	{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.2"}, {"10.0.0.1", "10.0.0.2"}},
};

static void other_family_comes_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(order_cases) / sizeof(order_cases[0]); i++) {
		struct ip ips[4], tried[4];
		char text[IP_TEXT];
		size_t n = 0, t = 0;
		for (; order_cases[i].ips[n] != NULL; n++)
			assert_true(ip_parse(str_from(order_cases[i].ips[n]), &ips[n]));
		for (; order_cases[i].tried[t] != NULL; t++)
			assert_true(ip_parse(str_from(order_cases[i].tried[t]), &tried[t]));
		destination_ips_order(ips, n, tried, t);
		print_message("case %zu\n", i);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(ip_text(&ips[k], text), order_cases[i].want[k]);
	}
}

/* --- TLSA --- */

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define R0 "_25._tcp.h0.example TLSA 3 1 1 " HASH "\nh0.example A 10.0.0.1\n"
#define R1 "_25._tcp.h1.example TLSA 2 0 1 " HASH "\nh1.example A 10.0.0.2\n"

static const struct {
	const char *name, *dns, *host, *expanded;
	bool base_secure;
	enum dane_status status;
	const char *base;
	int usage; /* of the record found */
} tlsa_cases[] = {
	{"own name", R0, "h0.example", "h0.example", false, DANE_USABLE, "h0.example", 3},
	{"own name, secure", R0, "h0.example", "h0.example", true, DANE_USABLE, "h0.example", 3},
	{"expanded", R0 R1, "h0.example", "h1.example", true, DANE_USABLE, "h1.example", 2},
	{"expanded is not secure", R0 R1, "h0.example", "h1.example", false, DANE_USABLE,
		"h0.example", 3},
	{"expanded's TLSA is an alias", R0 R1 "_25._tcp.x.example CNAME _25._tcp.h1.example\n",
		"h0.example", "x.example", true, DANE_USABLE, "x.example", 2},
	{"the same, not secure", R0 R1 "_25._tcp.x.example CNAME _25._tcp.h1.example\n",
		"h0.example", "x.example", false, DANE_USABLE, "h0.example", 3},
	{"TLSA aliases in a circle",
		"_25._tcp.l.example CNAME _25._tcp.l2.example\n"
		"_25._tcp.l2.example CNAME _25._tcp.l.example\n",
		"l.example", "l.example", true, DANE_ERROR, "l.example", 0},
	{"not secure at all", R0 "inauthentic: tlsa _25._tcp.h0.example\n", "h0.example",
		"h0.example", true, DANE_NONE, "h0.example", 0},
	{"alias look-up fails", R0 "fail: cname _25._tcp.h0.example\n", "h0.example", "h0.example",
		true, DANE_ERROR, "h0.example", 0},
	{"TLSA look-up fails", R0 "fail: tlsa _25._tcp.h0.example\n", "h0.example", "h0.example",
		true, DANE_ERROR, "h0.example", 0},
	{"TLSA look-up is slow", R0 "timeout: tlsa _25._tcp.h0.example\n", "h0.example",
		"h0.example", true, DANE_ERROR, "h0.example", 0},
	{"bogus TLSA", R0 "bogus: tlsa _25._tcp.h0.example no signature\n", "h0.example",
		"h0.example", true, DANE_ERROR, "h0.example", 0},
	{"expanded's alias is not secure",
		R0 R1 "_25._tcp.x.example CNAME _25._tcp.h1.example\n"
		      "inauthentic: cname _25._tcp.x.example\n",
		"h0.example", "x.example", true, DANE_USABLE, "h0.example", 3},
	{"expanded's alias leads nowhere", R0 "_25._tcp.x.example CNAME _25._tcp.gone.example\n",
		"h0.example", "x.example", true, DANE_USABLE, "h0.example", 3},
	{"leads nowhere, and nothing else", "_25._tcp.x.example CNAME _25._tcp.gone.example\n",
		"h9.example", "x.example", true, DANE_NONE, "h9.example", 0},
	{"expanded's look-up fails", R0 "fail: tlsa _25._tcp.x.example\nx.example A 10.0.0.1\n",
		"h0.example", "x.example", true, DANE_ERROR, "x.example", 0},
	{"none usable", "_25._tcp.h0.example TLSA 0 0 0 00\n", "h0.example", "h0.example", true,
		DANE_UNUSABLE, "h0.example", 0},
	{"usable among others", "_25._tcp.h0.example TLSA 1 1 1 " HASH "\n" R0, "h0.example",
		"h0.example", true, DANE_USABLE, "h0.example", 3},
};

static void tlsa_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tlsa_cases) / sizeof(tlsa_cases[0]); i++) {
		struct dns *dns = fixture(tlsa_cases[i].dns, true);
		struct arena *a = arena_open();
		struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
		struct dane_lookup got;
		struct err err;
		print_message("%s\n", tlsa_cases[i].name);
		assert_int_equal(dane_lookup(&q, tlsa_cases[i].host, tlsa_cases[i].expanded,
					 tlsa_cases[i].base_secure, 25, a, &got, &err),
			0);
		assert_int_equal(got.status, tlsa_cases[i].status);
		assert_string_equal(got.base, tlsa_cases[i].base);
		assert_int_equal(got.records.count, got.status == DANE_USABLE ? 1 : 0);
		if (got.status == DANE_USABLE)
			assert_int_equal(got.records.list[0].usage, tlsa_cases[i].usage);
		if (got.status == DANE_ERROR)
			assert_true(got.trouble.text[0] != '\0');
		arena_close(&a);
		dns_close(&dns);
	}
}

static const struct {
	bool domain_secure, expanded_secure, have_mx, host_secure, literal;
	enum dns_status status;
	bool want;
} ask_cases[] = {
	{true, true, true, true, false, DNS_OK, true},
	{false, true, true, true, false, DNS_OK, false},
	{true, false, true, true, false, DNS_OK, false},
	{true, false, false, true, false, DNS_OK, true}, /* implicit MX */
	{true, true, true, false, false, DNS_OK, false},
	{true, true, true, true, true, DNS_OK, false},
	{true, true, true, true, false, DNS_FAILED, false},
	{true, true, true, true, false, DNS_NXDOMAIN, false},
};

static void tlsa_is_asked_only_on_a_secure_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ask_cases) / sizeof(ask_cases[0]); i++) {
		struct destination d = {.secure = ask_cases[i].domain_secure,
			.expanded_secure = ask_cases[i].expanded_secure,
			.have_mx = ask_cases[i].have_mx};
		struct destination_ips ips = {.status = ask_cases[i].status,
			.secure = ask_cases[i].host_secure,
			.host = ask_cases[i].literal ? "10.0.0.1" : "mx.example"};
		print_message("case %zu\n", i);
		assert_int_equal(dane_may_ask(&d, &ips), ask_cases[i].want);
	}
}

/* a: domain, b: domain expanded, c: host, d: base; flags: MX, domain and host secure */
static const struct {
	bool have_mx, domain_secure, host_secure;
	const char *base;
	const char *want[DANE_NAMES_MAX + 1];
} name_cases[] = {
	{false, false, false, "d", {"c"}},
	{false, false, true, "d", {"d", "c"}},
	{true, true, true, "d", {"d", "c", "a", "b"}},
	{true, true, false, "d", {"c", "a", "b"}},
	{true, false, false, "d", {"a"}},
	{true, true, false, "c", {"c", "a", "b"}}, /* the host itself is never left out */
	{true, true, true, "c", {"c", "a", "b"}},
	{false, false, true, "c", {"c"}},
};

static void names_are_chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(name_cases) / sizeof(name_cases[0]); i++) {
		struct destination d = {.have_mx = name_cases[i].have_mx,
			.expanded_secure = name_cases[i].domain_secure,
			.domain = "a",
			.expanded = "b"};
		struct destination_ips ips = {
			.expanded_secure = name_cases[i].host_secure, .host = "c"};
		struct dane_names got;
		size_t n = 0;
		print_message("case %zu\n", i);
		dane_names_choose(&d, &ips, name_cases[i].base, &got);
		for (; name_cases[i].want[n] != NULL; n++) {
			assert_true(n < got.count);
			assert_string_equal(got.list[n], name_cases[i].want[n]);
		}
		assert_int_equal(got.count, n);
	}
}

/* More than anybody needs is cut, and said. */
static void caps_hold(void **state)
{
	char text[16384];
	size_t at = 0;
	struct destination d;
	struct dane_lookup l;
	struct err err;

	(void)state;
	for (int i = 0; i < DESTINATION_HOSTS_MAX + 20; i++)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "many.example MX %d m%d.example\n", i, i);
	for (int i = 0; i < DANE_RECORDS_MAX + 5; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			"_25._tcp.many.example TLSA 3 1 1 %064d\n", i);
	snprintf(text + at, sizeof(text) - at, "all-authentic\n");
	struct dns *dns;
	assert_int_equal(dns_open_fixture(str_from(text), &dns, &err), 0);
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
	assert_int_equal(destination_gather(&q, "many.example", a, &d, &err), 0);
	assert_int_equal(d.host_count, DESTINATION_HOSTS_MAX);
	assert_int_equal(dane_lookup(&q, "many.example", "many.example", true, 25, a, &l, &err), 0);
	assert_int_equal(l.records.count, DANE_RECORDS_MAX);
	assert_int_equal(l.seen, DANE_RECORDS_MAX + 5);
	arena_close(&a);
	dns_close(&dns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations_are_found),
		cmocka_unit_test(what_fails_is_kept_for_reports),
		cmocka_unit_test(addresses_are_found),
		cmocka_unit_test(other_family_comes_next),
		cmocka_unit_test(tlsa_is_found),
		cmocka_unit_test(tlsa_is_asked_only_on_a_secure_way),
		cmocka_unit_test(names_are_chosen),
		cmocka_unit_test(caps_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
