#include "tests/unit/unit.h"

#include "base/metric.h"
#include "dns/internal.h"
#include "dns/selftest.h"

#include <stdio.h>

/* Names, RDATA, sorting, and the fixture resolver. test_dns_real.c has the real one. */

static const struct {
	const char *in, *out; /* out NULL: refused */
} name_cases[] = {
	{"example.org", "example.org"},
	{"EXAMPLE.Org", "example.org"},
	{"m\xc3\xbcnchen.example", "xn--mnchen-3ya.example"},
	{"mu\xcc\x88nchen.example", "xn--mnchen-3ya.example"},
	{"M\xc3\x9cNCHEN.example", "xn--mnchen-3ya.example"},
	{"stra\xc3\x9f"
	 "e.example",
		"xn--strae-oqa.example"},
	{"xn--mnchen-3ya.example", "xn--mnchen-3ya.example"},
	{"XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example"},
	{"a\xe3\x80\x82"
	 "b",
		"a.b"}, /* ideographic full stop */
	{"_dmarc.example.org", "_dmarc.example.org"},
	{"localhost", "localhost"},
	{"", NULL},
	{".", NULL},
	{"example.org.", NULL},
	{"a..b", NULL},
	{".a", NULL},
	{"-a.example", NULL},
	{"a-.example", NULL},
	{"a b.example", NULL},
	{"a\r\nb", NULL},
	{"a/b", NULL},
	{"\xff.example", NULL},
	{"xn--0.example", NULL},
	{"\xe2\x98\x83\xef\xbf\xbd.example", NULL},
};

static void names(void **state)
{
	struct arena *a = arena_open();
	char out[DNS_NAME_MAX], longest[300];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(name_cases) / sizeof(name_cases[0]); i++) {
		int rc = dns_name_to_ascii(str_from(name_cases[i].in), out, &err);
		print_message("case %zu: %s\n", i, name_cases[i].in);
		assert_int_equal(rc, name_cases[i].out ? 0 : -1);
		assert_string_equal(out, name_cases[i].out ? name_cases[i].out : "");
		if (rc < 0)
			assert_int_equal(err.kind, ERR_PERM);
	}
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 63; i < sizeof(longest); i += 64)
		longest[i] = '.';
	assert_int_equal(dns_name_to_ascii((struct str){longest, 253}, out, &err), 0);
	assert_int_equal(dns_name_to_ascii((struct str){longest, 254}, out, &err), -1);
	longest[63] = 'a';
	assert_int_equal(dns_name_to_ascii((struct str){longest, 64}, out, &err), -1);
	assert_non_null(strstr(err.text, "63"));

	assert_true(str_eq(
		dns_name_to_unicode(a, "xn--mnchen-3ya.example"), STR("m\xc3\xbcnchen.example")));
	assert_true(str_eq(dns_name_to_unicode(a, "example.org"), STR("example.org")));
	assert_true(str_eq(dns_name_to_unicode(a, "xn--0.example"), STR("xn--0.example")));
	arena_close(&a);
}

static const struct {
	enum dns_type type;
	struct str rdata;
	bool good;
	const char *name; /* expected, or NULL */
} rdata_cases[] = {
	{DNS_A, {"\x7f\0\0\1", sizeof("\x7f\0\0\1") - 1}, true, NULL},
	{DNS_A, {"\x7f\0\0", sizeof("\x7f\0\0") - 1}, false, NULL},
	{DNS_A, {"\x7f\0\0\1\1", sizeof("\x7f\0\0\1\1") - 1}, false, NULL},
	{DNS_AAAA, {"0123456789abcdef", sizeof("0123456789abcdef") - 1}, true, NULL},
	{DNS_AAAA, {"0123456789abcde", sizeof("0123456789abcde") - 1}, false, NULL},
	{DNS_MX, {"\0\x0a\2MX\7Example\3org\0", sizeof("\0\x0a\2MX\7Example\3org\0") - 1}, true,
		"mx.example.org"},
	{DNS_MX, {"\0\0\0", sizeof("\0\0\0") - 1}, true, ""}, /* null MX */
	{DNS_MX, {"\0\0", sizeof("\0\0") - 1}, false, NULL},
	{DNS_MX, {"\0", sizeof("\0") - 1}, false, NULL},
	{DNS_MX, {"\0\x0a\2mx", sizeof("\0\x0a\2mx") - 1}, false, NULL}, /* no end */
	{DNS_MX, {"\0\x0a\5mx\0", sizeof("\0\x0a\5mx\0") - 1}, false,
		NULL}, /* label over the end */
	{DNS_MX, {"\0\x0a\xc0\x0c", sizeof("\0\x0a\xc0\x0c") - 1}, false, NULL}, /* compressed */
	{DNS_MX, {"\0\x0a\2mx\0junk", sizeof("\0\x0a\2mx\0junk") - 1}, false, NULL},
	{DNS_NS, {"\4a.\r\n\0", sizeof("\4a.\r\n\0") - 1}, true, "a\\046\\013\\010"},
	{DNS_PTR, {"\1a\1b\0", sizeof("\1a\1b\0") - 1}, true, "a.b"},
	{DNS_CNAME, {"", sizeof("") - 1}, false, NULL},
	{DNS_SRV, {"\0\1\0\2\0\x19\1a\0", sizeof("\0\1\0\2\0\x19\1a\0") - 1}, true, "a"},
	{DNS_SRV, {"\0\1\0\2\0\1", sizeof("\0\1\0\2\0\1") - 1}, false, NULL},
	{DNS_TXT, {"\3abc\0\2de", sizeof("\3abc\0\2de") - 1}, true, NULL},
	{DNS_TXT, {"", sizeof("") - 1}, false, NULL},
	{DNS_TXT, {"\4abc", sizeof("\4abc") - 1}, false, NULL},
	{DNS_TLSA, {"\3\1\1\xab", sizeof("\3\1\1\xab") - 1}, true, NULL},
	{DNS_TLSA, {"\3\1", sizeof("\3\1") - 1}, false, NULL},
	{DNS_CAA, {"\0\5issueca.example", sizeof("\0\5issueca.example") - 1}, true, NULL},
	{DNS_CAA, {"\0\0ca", sizeof("\0\0ca") - 1}, false, NULL},
	{DNS_CAA, {"\0\x09issue", sizeof("\0\x09issue") - 1}, false, NULL},
	{DNS_CAA, {"\0\3i-sx", sizeof("\0\3i-sx") - 1}, false, NULL},
};

static void rdata(void **state)
{
	struct arena *a = arena_open();
	struct dns_record r;
	char big[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rdata_cases) / sizeof(rdata_cases[0]); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(dns_rdata_parse(rdata_cases[i].type, rdata_cases[i].rdata, a, &r),
			rdata_cases[i].good);
		if (rdata_cases[i].name != NULL)
			assert_true(str_eq(r.name, str_from(rdata_cases[i].name)));
	}
	assert_true(dns_rdata_parse(DNS_TXT, STR("\3abc\0\2de"), a, &r));
	assert_true(str_eq(r.data, STR("abcde")));
	assert_true(dns_rdata_parse(DNS_SRV, STR("\0\1\0\2\0\x19\1a\0"), a, &r));
	assert_int_equal(r.pref, 1);
	assert_int_equal(r.weight, 2);
	assert_int_equal(r.port, 25);
	assert_true(dns_rdata_parse(DNS_CAA, STR("\x80\5issueca.example"), a, &r));
	assert_int_equal(r.usage, 128);
	assert_true(str_eq(r.tag, STR("issue")));
	assert_true(str_eq(r.data, STR("ca.example")));
	/* A name of 255 octets is the longest; every octet may need escaping. */
	memset(big, 1, sizeof(big));
	for (size_t i = 0; i < 4; i++)
		big[i * 64] = 63;
	big[3 * 64] = 61;
	big[254] = 0;
	assert_true(dns_rdata_parse(DNS_NS, (struct str){big, 255}, a, &r));
	assert_int_equal(r.name.len, 250 * 4 + 3);
	big[3 * 64] = 62;
	big[255] = 0;
	assert_false(dns_rdata_parse(DNS_NS, (struct str){big, 256}, a, &r));
	arena_close(&a);
}

static void sorting_mixes_equals(void **state)
{
	unsigned first_seen = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct dns_record r[5] = {{.pref = 20, .port = 1}, {.pref = 10, .port = 2},
			{.pref = 10, .port = 3}, {.pref = 10, .port = 4}, {.pref = 0, .port = 5}};
		dns_records_sort(r, 5);
		assert_int_equal(r[0].port, 5);
		assert_int_equal(r[4].port, 1);
		first_seen |= 1u << r[1].port;
	}
	assert_int_equal(first_seen, 1u << 2 | 1u << 3 | 1u << 4);
}

static const char world[] = "# a world\n"
			    "example.org. MX 20 backup.example.org.\n"
			    "Example.org 600 IN MX 10 mx.example.org.\n"
			    "mx.example.org. A 192.0.2.1\r\n"
			    "mx.example.org. AAAA 2001:db8::1\n"
			    "v4.example.org. A 192.0.2.4\n"
			    "example.org. TXT \"v=spf1 mx \" \"-all\"\n"
			    "www.example.org. CNAME web.example.org.\n"
			    "web.example.org. CNAME mx.example.org.\n"
			    "loop1. CNAME loop2.\n"
			    "loop2. CNAME loop1.\n"
			    "dangling. CNAME nowhere.\n"
			    "_25._tcp.mx.example.org. TLSA 3 1 1 0A0b 0c\n"
			    "192.0.2.1 PTR mx.example.org.\n"
			    "2001:db8::1 PTR mx.example.org.\n"
			    "_smtp._tcp.example.org. SRV 0 5 25 mx.example.org.\n"
			    "example.org. CAA 0 issue \"ca.example; x=1\"\n"
			    "null.example. MX 0 .\n"
			    "\n"
			    "fail: mx broken.example.\n"
			    "timeout: txt slow.example.\n"
			    "bogus: mx forged.example. signature expired\n"
			    "fail: host dead.example.\n"
			    "authentic: mx example.org.\n"
			    "authentic: ptr 192.0.2.1\n"
			    "authentic: host mx.example.org.\n"
			    "inauthentic: aaaa mx.example.org.\n"
			    "authentic: cname www.example.org.\n"
			    "authentic: a mx.example.org.\n";

static const struct {
	enum dns_type type;
	const char *name;
	enum dns_status status;
	size_t count;
	bool secure;
	const char *canonical;
} ask_cases[] = {
	{DNS_MX, "example.org", DNS_OK, 2, true, "example.org"},
	{DNS_MX, "EXAMPLE.ORG", DNS_OK, 2, true, "example.org"},
	{DNS_A, "mx.example.org", DNS_OK, 1, true, "mx.example.org"},
	{DNS_AAAA, "mx.example.org", DNS_OK, 1, false, "mx.example.org"},
	{DNS_A, "www.example.org", DNS_OK, 1, false, "mx.example.org"}, /* second link is not */
	{DNS_CNAME, "www.example.org", DNS_OK, 1, true, "www.example.org"},
	{DNS_CNAME, "mx.example.org", DNS_NODATA, 0, false, "mx.example.org"},
	{DNS_A, "loop1", DNS_FAILED, 0, false, NULL},
	{DNS_A, "dangling", DNS_NXDOMAIN, 0, false, "nowhere"},
	{DNS_A, "example.org", DNS_NODATA, 0, false, "example.org"},
	{DNS_A, "_tcp.example.org", DNS_NODATA, 0, false, NULL},
	{DNS_A, "other.example.org", DNS_NXDOMAIN, 0, false, NULL},
	{DNS_MX, "broken.example", DNS_FAILED, 0, false, NULL},
	{DNS_TXT, "slow.example", DNS_TIMEOUT, 0, false, NULL},
	{DNS_MX, "forged.example", DNS_BOGUS, 0, false, NULL},
	{DNS_TXT, "forged.example", DNS_NXDOMAIN, 0, false, NULL},
	{DNS_MX, "null.example", DNS_OK, 1, false, NULL},
	{DNS_TLSA, "_25._tcp.mx.example.org", DNS_OK, 1, false, NULL},
	{DNS_SRV, "_smtp._tcp.example.org", DNS_OK, 1, false, NULL},
	{DNS_CAA, "example.org", DNS_OK, 1, false, NULL},
	{DNS_PTR, "1.2.0.192.in-addr.arpa", DNS_OK, 1, true, NULL},
};

static struct dns *world_open(const char *text)
{
	struct dns *d;
	struct err err = {.text = ""};

	if (dns_open_fixture(str_from(text), &d, &err) < 0)
		fail_msg("%s", err.text);
	return d;
}

static void fixture_answers(void **state)
{
	struct arena *a = arena_open();
	struct dns *d = world_open(world);
	struct dns_answer r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(ask_cases) / sizeof(ask_cases[0]); i++) {
		print_message("case %zu: %s\n", i, ask_cases[i].name);
		assert_int_equal(dns_lookup(d, ask_cases[i].type, ask_cases[i].name,
					 deadline_in_ms(1000), a, &r, &err),
			0);
		assert_int_equal(r.status, ask_cases[i].status);
		assert_int_equal(r.count, ask_cases[i].count);
		assert_int_equal(r.secure, ask_cases[i].secure);
		assert_int_equal(r.reason.len > 0, dns_status_is_temporary(r.status));
		if (ask_cases[i].canonical != NULL)
			assert_true(str_eq(r.canonical, str_from(ask_cases[i].canonical)));
	}
	assert_int_equal(dns_lookup(d, DNS_MX, "example.org", deadline_in_ms(1), a, &r, &err), 0);
	assert_int_equal(r.records[0].pref, 10);
	assert_true(str_eq(r.records[0].name, STR("mx.example.org")));
	assert_int_equal(r.ttl_s, 300);
	assert_int_equal(dns_lookup(d, DNS_TXT, "example.org", deadline_in_ms(1), a, &r, &err), 0);
	assert_true(str_eq(r.records[0].data, STR("v=spf1 mx -all")));
	assert_int_equal(
		dns_lookup(d, DNS_TLSA, "_25._tcp.mx.example.org", deadline_in_ms(1), a, &r, &err),
		0);
	assert_true(str_eq(r.records[0].data, STR("\x0a\x0b\x0c")));
	assert_int_equal(
		dns_lookup(d, DNS_MX, "forged.example", deadline_in_ms(1), a, &r, &err), 0);
	assert_true(str_eq(r.reason, STR("signature expired")));
	dns_close(&d);
	arena_close(&a);
}

static void addresses_and_ptr(void **state)
{
	struct arena *a = arena_open();
	struct dns *d = world_open(world);
	struct dns_answer r;
	struct err err;
	struct ip ip;
	char text[IP_TEXT];
	static const struct {
		const char *name;
		enum dns_status status;
		size_t count;
	} cases[] = {{"mx.example.org", DNS_OK, 2}, {"www.example.org", DNS_OK, 2},
		{"v4.example.org", DNS_OK, 1}, {"dead.example", DNS_FAILED, 0},
		{"example.org", DNS_NODATA, 0}, {"nowhere", DNS_NXDOMAIN, 0},
		{"192.0.2.9", DNS_OK, 1}, {"2001:db8::9", DNS_OK, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("case %zu: %s\n", i, cases[i].name);
		assert_int_equal(dns_addr(d, cases[i].name, deadline_in_ms(1000), a, &r, &err), 0);
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.count, cases[i].count);
		assert_false(r.secure); /* AAAA of mx is not */
		if (r.count == 2) {
			assert_string_equal(ip_text(&r.records[0].ip, text), "192.0.2.1");
			assert_string_equal(ip_text(&r.records[1].ip, text), "2001:db8::1");
		}
	}
	assert_true(ip_parse(STR("192.0.2.1"), &ip));
	assert_int_equal(dns_ptr(d, &ip, deadline_in_ms(1), a, &r, &err), 0);
	assert_true(str_eq(r.records[0].name, STR("mx.example.org")));
	assert_true(r.secure);
	assert_true(ip_parse(STR("2001:db8::1"), &ip));
	assert_int_equal(dns_ptr(d, &ip, deadline_in_ms(1), a, &r, &err), 0);
	assert_int_equal(r.count, 1);
	dns_close(&d);

	d = world_open("all-authentic\nm. A 192.0.2.1\nn. CNAME m.\ninauthentic: cname n.\n");
	assert_int_equal(dns_addr(d, "m", deadline_in_ms(1), a, &r, &err), 0);
	assert_true(r.secure);
	assert_int_equal(dns_addr(d, "n", deadline_in_ms(1), a, &r, &err), 0);
	assert_false(r.secure);
	dns_close(&d);
	arena_close(&a);
}

/* Octets of any kind make a name when they are written as \DDD. */
static void names_of_odd_octets(void **state)
{
	static const struct {
		const char *raw, *text;
	} cases[] = {
		{"a.example", "a.example"},
		{"a.example.", "a.example"},
		{"a b%c:/.example", "a\\032b%c:/.example"},
		{"\xff\\\"\r\n.example", "\\255\\092\\034\\013\\010.example"},
		{"", NULL},
		{".", NULL},
		{"a..b", NULL},
		{".a", NULL},
		{"a..", NULL},
	};
	static const char *const refused[] = {
		"a\\3.b", "a\\25", "a\\256", "\\", "a\\.b", "a b", "a.", ".a", "a..b"};
	struct arena *a = arena_open();
	char raw[260];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = dns_name_from_octets(a, str_from(cases[i].raw));
		print_message("case %zu: %s\n", i, text ? text : "-");
		assert_int_equal(text == NULL, cases[i].text == NULL);
		if (text != NULL)
			assert_string_equal(text, cases[i].text);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(dns_name_askable(str_from(refused[i])));
	memset(raw, ' ', sizeof(raw));
	assert_non_null(dns_name_from_octets(a, (struct str){raw, 63}));
	assert_null(dns_name_from_octets(a, (struct str){raw, 64}));
	for (size_t i = 63; i < sizeof(raw); i += 64)
		raw[i] = '.';
	assert_non_null(dns_name_from_octets(a, (struct str){raw, 253}));
	assert_null(dns_name_from_octets(a, (struct str){raw, 254}));
	arena_close(&a);
}

/* Requests made at once wait side by side, and no longer than the deadline. */
static void fixture_takes_its_time(void **state)
{
	static const char text[] = "a.example. A 192.0.2.1\nb.example. A 192.0.2.2\n"
				   "delay: a a.example. 150\ndelay: a b.example. 150\n"
				   "delay: txt c.example. 60000\n";
	const struct dns_request requests[] = {
		{DNS_A, "a.example"}, {DNS_A, "b.example"}, {DNS_A, "c.example"}};
	struct arena *a = arena_open();
	struct dns *d = world_open(text);
	struct dns_answer r[3];
	struct err err;

	(void)state;
	int64_t begin = clock_mono_ms();
	assert_int_equal(dns_lookup_many(d, requests, 3, deadline_in_ms(5000), a, r, &err), 0);
	assert_in_range(clock_mono_ms() - begin, 149, 290);
	assert_int_equal(r[0].status, DNS_OK);
	assert_int_equal(r[1].status, DNS_OK);
	assert_int_equal(r[2].status, DNS_NXDOMAIN);
	begin = clock_mono_ms();
	assert_int_equal(dns_lookup(d, DNS_TXT, "c.example", deadline_in_ms(50), a, r, &err), 0);
	assert_int_equal(r[0].status, DNS_TIMEOUT);
	assert_in_range(clock_mono_ms() - begin, 40, 500);
	dns_close(&d);
	arena_close(&a);
}

/* What the self-test says of each kind of network. */
static void selftest_tells_networks_apart(void **state)
{
	static const struct {
		const char *world;
		bool validating, own;
		enum dns_selftest_state want;
		const char *words;
	} cases[] = {
		{"all-authentic\n. NS a.root.example.\norg. NS ns.example.\n", true, false,
			DNS_SELFTEST_OK, "validated"},
		{". NS a.root.example.\norg. NS ns.example.\n", true, false, DNS_SELFTEST_NO_DNSSEC,
			"the root zone"},
		{"authentic: ns .\n. NS a.root.example.\norg. NS ns.example.\n", true, false,
			DNS_SELFTEST_NO_DNSSEC, "for org"},
		{"bogus: ns . signature expired\norg. NS ns.example.\n", true, false,
			DNS_SELFTEST_NO_DNSSEC, "bogus"},
		{". NS a.root.example.\norg. NS ns.example.\n", false, false, DNS_SELFTEST_OFF,
			"turned off"},
		{"fail: ns .\nfail: ns org.\n", true, false, DNS_SELFTEST_UNREACHABLE, "port 53"},
		{"timeout: ns .\ntimeout: ns org.\n", true, false, DNS_SELFTEST_UNREACHABLE,
			"can be reached"},
		{"fail: ns .\nfail: ns org.\n", true, true, DNS_SELFTEST_UNREACHABLE,
			"Check Resolver"},
	};
	atomic_int stop = 1;
	struct dns_selftest got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns *d = world_open(cases[i].world);
		struct dns_selftest_options opt = {.validating = cases[i].validating,
			.own_servers = cases[i].own,
			.patience_ms = 30};
		dns_selftest(d, &opt, &got);
		print_message("case %zu: %s\n", i, got.text);
		assert_int_equal(got.state, cases[i].want);
		assert_non_null(strstr(got.text, cases[i].words));
		opt.stop = &stop;
		dns_selftest(d, &opt, &got);
		assert_int_equal(got.state, DNS_SELFTEST_STOPPED);
		dns_close(&d);
	}
}

/* RFC 8914: libunbound's words and the code that says the same. */
static void extended_errors(void **state)
{
	static const struct {
		const char *why;
		int ede;
	} cases[] = {
		{"validation failure <a. A IN>: signature expired from 127.0.0.1", 7},
		{"validation failure <a. A IN>: signature before inception date from 127.0.0.1", 8},
		{"validation failure <a. A IN>: no DNSKEY rrset for a.", 9},
		{"validation failure <a. A IN>: no signatures from 127.0.0.1", 10},
		{"validation failure <a. A IN>: signature crypto failed", 6},
		{"", 6},
	};
	struct arena *a = arena_open();
	struct dns *d = world_open("bogus: a b.example. signature expired\nfail: a f.example.\n");
	struct dns_answer r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(ede_of_bogus(str_from(cases[i].why)), cases[i].ede);
		assert_true(dns_ede_is_dnssec(cases[i].ede));
	}
	assert_string_equal(dns_ede_text(7), "signature expired");
	assert_string_equal(dns_ede_text(24), "invalid data");
	assert_string_equal(dns_ede_text(25), "unknown");
	assert_string_equal(dns_ede_text(DNS_EDE_UNKNOWN), "unknown");
	assert_false(dns_ede_is_dnssec(3));
	assert_false(dns_ede_is_dnssec(22));
	assert_false(dns_ede_is_dnssec(DNS_EDE_UNKNOWN));
	assert_int_equal(dns_lookup(d, DNS_A, "b.example", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.ede, 7);
	assert_int_equal(dns_lookup(d, DNS_A, "f.example", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.ede, DNS_EDE_UNKNOWN);
	assert_int_equal(dns_lookup(d, DNS_A, "n.example", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.ede, DNS_EDE_UNKNOWN);
	dns_close(&d);
	arena_close(&a);
}

/* --- the cache --- */

static struct dns_answer cached(
	struct dns_cache *c, enum dns_type type, const char *name, int64_t now_ms, struct arena *a)
{
	struct dns_answer r = {.status = DNS_FAILED};

	if (!dns_cache_get(c, &(struct dns_request){type, name}, now_ms, a, &r))
		assert_int_equal(r.status, DNS_FAILED);
	return r;
}

static void cache_keeps_answers_as_they_are(void **state)
{
	struct dns_record records[2] = {
		{.name = STR("mx.a.example"), .pref = 10, .data = STR(""), .tag = STR("")},
		{.name = STR(""), .data = STR("text\0with NUL"), .tag = STR("issue")}};
	struct dns_answer in = {.status = DNS_OK,
		.secure = true,
		.reason = STR(""),
		.ede = DNS_EDE_UNKNOWN,
		.canonical = STR("other.example"),
		.ttl_s = 300,
		.records = records,
		.count = 2};
	struct dns_cache *c = dns_cache_open();
	struct arena *a = arena_open();

	(void)state;
	dns_cache_put(c, &(struct dns_request){DNS_MX, "A.example"}, 1000, &in);
	memset(records, 0, sizeof(records)); /* it has a copy */
	struct dns_answer r = cached(c, DNS_MX, "a.EXAMPLE", 101000, a);
	assert_int_equal(r.status, DNS_OK);
	assert_true(r.secure);
	assert_int_equal(r.ttl_s, 200); /* what is left */
	assert_int_equal(r.count, 2);
	assert_true(str_eq(r.canonical, STR("other.example")));
	assert_true(str_eq(r.records[0].name, STR("mx.a.example")));
	assert_int_equal(r.records[0].pref, 10);
	assert_true(str_eq(r.records[1].data, STR("text\0with NUL")));
	assert_true(str_eq(r.records[1].tag, STR("issue")));
	/* Another type, another name, too late. */
	assert_int_equal(cached(c, DNS_A, "a.example", 1000, a).status, DNS_FAILED);
	assert_int_equal(cached(c, DNS_MX, "b.example", 1000, a).status, DNS_FAILED);
	assert_int_equal(cached(c, DNS_MX, "a.example", 300999, a).status, DNS_OK);
	assert_int_equal(cached(c, DNS_MX, "a.example", 301000, a).status, DNS_FAILED);
	dns_cache_close(&c);
	arena_close(&a);
}

static const struct {
	enum dns_status status;
	int64_t ttl_s;
	int64_t lives_s; /* 0: not at all */
} lives[] = {
	{DNS_NXDOMAIN, 60, 60},
	{DNS_NODATA, 900, 900},
	{DNS_NODATA, 0, 0},
	{DNS_NXDOMAIN, -1, 0},
	{DNS_NXDOMAIN, 7 * 86400, 3600},
	{DNS_BOGUS, 60, 0},
	{DNS_FAILED, 60, 0},
	{DNS_TIMEOUT, 60, 0},
};

static void cache_forgets_in_time(void **state)
{
	struct dns_cache *c = dns_cache_open();
	struct arena *a = arena_open();
	char name[40];

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		struct dns_answer in = {.status = lives[i].status,
			.ttl_s = lives[i].ttl_s,
			.reason = STR(""),
			.canonical = STR("x")};
		int64_t end_ms = lives[i].lives_s * 1000;
		snprintf(name, sizeof(name), "n%zu.example", i);
		dns_cache_put(c, &(struct dns_request){DNS_A, name}, 0, &in);
		if (end_ms > 0)
			assert_int_equal(
				cached(c, DNS_A, name, end_ms - 1, a).status, lives[i].status);
		assert_int_equal(cached(c, DNS_A, name, end_ms, a).status, DNS_FAILED);
	}
	dns_cache_close(&c);
	arena_close(&a);
}

/* A stranger who makes us ask for many names costs no more memory than the bound. */
static void cache_is_bounded(void **state)
{
	enum { NAMES = 100000, BIG = 8000 };
	struct dns_cache *c = dns_cache_open();
	struct arena *a = arena_open();
	struct str big = {arena_alloc(a, BIG), BIG};
	struct dns_record record = {.name = STR(""), .data = STR("v"), .tag = STR("")};
	struct dns_answer in = {.status = DNS_OK,
		.ttl_s = 600,
		.reason = STR(""),
		.canonical = STR("x"),
		.records = &record,
		.count = 1};
	char name[40];

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		dns_cache_put(c, &(struct dns_request){DNS_TXT, name}, 0, &in);
		assert_int_equal(cached(c, DNS_TXT, "n0.example", 1, a).status, DNS_OK);
	}
	/* What is used stays; the newest is there, those before it went. */
	assert_in_range(metric_value(METRIC_DNS_CACHE_ENTRIES, 0, 0), 20000, 32768);
	assert_int_equal(cached(c, DNS_TXT, name, 1, a).status, DNS_OK);
	assert_int_equal(cached(c, DNS_TXT, "n1.example", 1, a).status, DNS_FAILED);
	record.data = big;
	for (int i = 0; i < NAMES / 20; i++) {
		snprintf(name, sizeof(name), "big%d.example", i);
		dns_cache_put(c, &(struct dns_request){DNS_TXT, name}, 0, &in);
	}
	assert_in_range(metric_value(METRIC_DNS_CACHE_BYTES, 0, 0), 8 << 20, 16 << 20);
	dns_cache_close(&c);
	assert_int_equal(metric_value(METRIC_DNS_CACHE_ENTRIES, 0, 0), 0);
	assert_int_equal(metric_value(METRIC_DNS_CACHE_BYTES, 0, 0), 0);
	arena_close(&a);
}

static void bad_questions(void **state)
{
	static const char *const bad[] = {"", "a..b", "a b", "a\nb", "a.", "\xc3\xa4.example"};
	struct arena *a = arena_open();
	struct dns *d = world_open("");
	struct dns_answer r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(dns_lookup(d, DNS_A, bad[i], deadline_in_ms(1), a, &r, &err), -1);
		assert_int_equal(err.kind, ERR_BUG);
	}
	dns_close(&d);
	arena_close(&a);
}

static const struct {
	const char *text, *words;
} bad_fixtures[] = {
	{"a.example. A 1.2.3\n", "line 1: bad data"},
	{"\n\na.example. A ::1\n", "line 3: bad data"},
	{"a.example. HINFO x y\n", "no record type"},
	{"a.example.\n", "no record type"},
	{"a.example. TXT \"open\n", "quotes"},
	{"a.example. MX mx.example.\n", "bad data"},
	{"a.example. MX 70000 mx.example.\n", "bad data"},
	{"a. TLSA 3 1 1 abc\n", "bad data"},
	{"a. TLSA 3 1 1 zz\n", "bad data"},
	{"a. TXT \"open\\\"\n", "quotes"},
	{"delay: a a.\n", "milliseconds"},
	{"delay: a a. 60001\n", "milliseconds"},
	{"fail: mx\n", "TYPE NAME"},
	{"fail: hinfo a.\n", "unknown type"},
};

static void bad_fixtures_name_the_line(void **state)
{
	struct dns *d;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_fixtures) / sizeof(bad_fixtures[0]); i++) {
		print_message("case %zu: %s", i, bad_fixtures[i].text);
		assert_int_equal(dns_open_fixture(str_from(bad_fixtures[i].text), &d, &err), -1);
		assert_null(d);
		assert_int_equal(err.kind, ERR_PERM);
		assert_non_null(strstr(err.text, bad_fixtures[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(rdata),
		cmocka_unit_test(sorting_mixes_equals),
		cmocka_unit_test(fixture_answers),
		cmocka_unit_test(addresses_and_ptr),
		cmocka_unit_test(names_of_odd_octets),
		cmocka_unit_test(fixture_takes_its_time),
		cmocka_unit_test(selftest_tells_networks_apart),
		cmocka_unit_test(extended_errors),
		cmocka_unit_test(cache_keeps_answers_as_they_are),
		cmocka_unit_test(cache_forgets_in_time),
		cmocka_unit_test(cache_is_bounded),
		cmocka_unit_test(bad_questions),
		cmocka_unit_test(bad_fixtures_name_the_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
