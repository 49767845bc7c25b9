/* DKIM: the RFCs' own examples, every kind of broken signature and key record, sizes. The
 * matrix of sign-then-verify is in test_dkim_sign.c. */
#include "auth/dkim.h"

#include "unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER                                                                                     \
	"From: Joe SixPack <joe@football.example.com>\r\n"                                         \
	"To: Suzie Q <suzie@shopping.example.net>\r\n"                                             \
	"Subject: Is dinner ready?\r\n"                                                            \
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                          \
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"                         \
	"\r\n"
#define MESSAGE HEADER "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
#define OLD_MESSAGE HEADER "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n"

/* RFC 8463 appendix A.3. */
#define ED25519_SIGNATURE                                                                          \
	"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"                            \
	" d=football.example.com; i=@football.example.com;\r\n"                                    \
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"                                  \
	" subject : date : message-id : from : subject : date;\r\n"                                \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                    \
	" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"                          \
	" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
#define RSA_SIGNATURE                                                                              \
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"                                \
	" d=football.example.com; i=@football.example.com;\r\n"                                    \
	" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"                            \
	" date : message-id : from : subject : date;\r\n"                                          \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                    \
	" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"                          \
	" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"                          \
	" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"

#define RSA_PUBLIC                                                                                 \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi" \
	"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZy" \
	"VYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
#define ED25519_PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* RFC 6376 appendix A.2. */
#define OLD_SIGNATURE                                                                              \
	"DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"                        \
	"      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"                        \
	"      h=Received : From : To : Subject : Date : Message-ID;\r\n"                          \
	"      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                               \
	"      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n"                         \
	"      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"                           \
	"      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n"                           \
	"      4bmp/YzhwvcubU4=;\r\n"                                                              \
	"Received: from client1.football.example.com  [192.0.2.1]\r\n"                             \
	"      by submitserver.example.com with SUBMISSION;\r\n"                                   \
	"      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
#define OLD_PUBLIC                                                                                 \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC" \
	"jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9" \
	"tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"

static const char zone[] =
	"authentic: txt test._domainkey.football.example.com\n"
	"test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; p=" RSA_PUBLIC "\"\n"
	"brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; p=" ED25519_PUBLIC
	"\"\n"
	"brisbane._domainkey.example.com TXT \"v=DKIM1; p=" OLD_PUBLIC "\"\n";

static const int64_t now_s = 1800000000;

/* Verifies with the body fed in pieces of that size. */
static void verify(struct arena *a, const char *fixture, struct str message, size_t piece,
	struct dkim_results *out)
{
	const char *end = str_find(message, STR("\r\n\r\n"));
	size_t head = end ? (size_t)(end - message.p) + 4 : message.len;
	struct dns *dns;
	struct err err;

	assert_int_equal(dns_open_fixture(str_from(fixture), &dns, &err), 0);
	const struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(5000)};
	/* Exact memory, so that the sanitizer sees a step over its end. */
	char *header = malloc(head + 1);
	assert_non_null(header);
	memcpy(header, message.p, head);
	struct dkim_verifier *v = dkim_verifier_new((struct str){header, head}, now_s);
	for (struct str rest = str_skip(message, head); rest.len > 0;) {
		size_t n = piece < rest.len ? piece : rest.len;
		dkim_verifier_feed(v, (struct str){rest.p, n});
		rest = str_skip(rest, n);
	}
	dkim_verifier_finish(v, &q, a, out);
	dkim_verifier_free(&v);
	free(header);
	dns_close(&dns);
}

static void rfc_examples(void **state)
{
	struct arena *a = arena_open();
	struct dkim_results r;

	(void)state;
	for (size_t piece = 1; piece < 200; piece++) {
		verify(a, zone, STR(ED25519_SIGNATURE RSA_SIGNATURE MESSAGE), piece, &r);
		assert_int_equal(r.count, 2);
		assert_int_equal(r.at[0].status, DKIM_PASS);
		assert_int_equal(r.at[1].status, DKIM_PASS);
	}
	assert_true(str_eq(r.at[0].domain, STR("football.example.com")));
	assert_true(str_eq(r.at[0].selector, STR("brisbane")));
	assert_true(str_eq(r.at[0].identity, STR("@football.example.com")));
	assert_true(str_eq(r.at[0].algorithm, STR("ed25519-sha256")));
	assert_true(str_eq(r.at[0].prefix, STR("/gCrinpc")));
	assert_int_equal(r.at[0].key_bits, 256);
	assert_false(r.at[0].authentic);
	assert_int_equal(r.at[0].signed_s, 1528637909);
	assert_int_equal(r.at[0].expires_s, -1);
	assert_false(r.at[0].length_used);
	assert_int_equal(r.at[1].key_bits, 1024);
	assert_true(r.at[1].authentic);
	verify(a, zone, STR(OLD_SIGNATURE OLD_MESSAGE), 7, &r);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.at[0].status, DKIM_PASS);
	assert_true(str_eq(r.at[0].identity, STR("joe@football.example.com")));
	arena_close(&a);
}

/* --- broken signatures --- */

static struct str replaced(struct arena *a, struct str text, const char *from, const char *to)
{
	const char *at = str_find(text, str_from(from));

	assert_non_null(at);
	size_t before = (size_t)(at - text.p);
	struct str after = str_skip(text, before + strlen(from));
	return str_from(arena_printf(a, "%.*s%s%.*s", (int)before, text.p, to, STR_FMT(after)));
}

static const struct {
	const char *from, *to; /* in the Ed25519 example */
	enum dkim_status status;
	const char *words; /* in the reason */
} signatures[] = {
	/* Syntax. */
	{"v=1;", "", DKIM_PERMERROR, "tag v= is missing"},
	{"v=1;", "v=2;", DKIM_PERMERROR, "v= is not 1"},
	{"v=1;", "v=1.0;", DKIM_PERMERROR, "v= is not 1"},
	{"v=1;", "v;", DKIM_PERMERROR, "without \"=\""},
	{"v=1;", ";v=1;", DKIM_PERMERROR, "empty tag"},
	{"v=1;", "v=1;;", DKIM_PERMERROR, "empty tag"},
	{"v=1;", "v=1; v=1;", DKIM_PERMERROR, "v= twice"},
	{"v=1;", "v=1; 1x=y;", DKIM_PERMERROR, "bad tag name"},
	{"v=1;", "v=1; x-y=z;", DKIM_PERMERROR, "bad tag name"},
	{"v=1;", "v=1; =z;", DKIM_PERMERROR, "bad tag name"},
	{"v=1;", "v=1; n=\x01;", DKIM_PERMERROR, "character"},
	{"v=1;", "v=1; n=\xff;", DKIM_PERMERROR, "character"},
	{"v=1;", "v=1; n=a\rb;", DKIM_PERMERROR, "character"},
	{" a=ed25519-sha256;", "", DKIM_PERMERROR, "tag a= is missing"},
	{"ed25519-sha256", "rsa-sha1", DKIM_PERMERROR, "SHA-1"},
	{"ed25519-sha256", "ed25519-sha1", DKIM_PERMERROR, "SHA-1"},
	{"ed25519-sha256", "ed25519-sha512", DKIM_PERMERROR, "unknown"},
	{"ed25519-sha256", "dsa-sha256", DKIM_PERMERROR, "unknown"},
	{"ed25519-sha256", "ed25519", DKIM_PERMERROR, "no algorithm"},
	{"ed25519-sha256", "rsa-sha256", DKIM_PERMERROR, "another kind"},
	{"relaxed/relaxed", "relaxed/other", DKIM_PERMERROR, "canonicalization"},
	{"relaxed/relaxed", "", DKIM_PERMERROR, "canonicalization"},
	{"relaxed/relaxed", "relaxed/relaxed/x", DKIM_PERMERROR, "canonicalization"},
	{" d=football.example.com;", "", DKIM_PERMERROR, "tag d= is missing"},
	{" d=football.example.com;", " d=;", DKIM_PERMERROR, "d= is no domain"},
	{" d=football.example.com;", " d=a..b;", DKIM_PERMERROR, "d= is no domain"},
	{" d=football.example.com;", " d=example.com.;", DKIM_PERMERROR, "d= is no domain"},
	{" i=@football.example.com;", " i=football.example.com;", DKIM_PERMERROR, "no \"@\""},
	{" i=@football.example.com;", " i=@example.com;", DKIM_PERMERROR, "not within"},
	{" i=@football.example.com;", " i=@xfootball.example.com;", DKIM_PERMERROR, "not within"},
	{" q=dns/txt;", " q=http/get;", DKIM_PERMERROR, "q="},
	{" s=brisbane;", "", DKIM_PERMERROR, "tag s= is missing"},
	{" s=brisbane;", " s=a b;", DKIM_PERMERROR, "s= is no domain"},
	{" t=1528637909;", " t=soon;", DKIM_PERMERROR, "t= is not a number"},
	{" t=1528637909;", " t=-1;", DKIM_PERMERROR, "t= is not a number"},
	{" t=1528637909;", " t=1800000301;", DKIM_PERMERROR, "in the future"},
	{" t=1528637909;", " t=1528637909; x=1528637908;", DKIM_PERMERROR, "before it was made"},
	{" t=1528637909;", " t=1528637909; x=1799999999;", DKIM_PERMERROR, "expired"},
	{" t=1528637909;", " t=1528637909; x=;", DKIM_PERMERROR, "x= is not a number"},
	{" t=1528637909;", " t=1528637909; l=1a;", DKIM_PERMERROR, "l= is not a number"},
	{" t=1528637909;", " t=1528637909; l=99999999999999999999;", DKIM_PERMERROR, "l="},
	{" t=1528637909;", " t=1528637909; l=100000;", DKIM_FAIL, "shorter"},
	{"from : to :\r\n subject : date : message-id : from :", "to :", DKIM_PERMERROR,
		"h= does not name From"},
	{"from : to :", "from : : to :", DKIM_PERMERROR, "h= has a name"},
	{"from : to :", "from : t o :", DKIM_PERMERROR, "h= has a name"},
	{" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;", " n=x;", DKIM_PERMERROR,
		"bh= is missing"},
	{" bh=2jUS", " bh=2j*S", DKIM_PERMERROR, "bh= is not base64"},
	{" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", " bh=2jUS", DKIM_PERMERROR,
		"no SHA-256"},
	{" bh=2jUS", " bh=2jUT", DKIM_FAIL, "body was changed"},
	{" b=/gCr", " c2=/gCr", DKIM_PERMERROR, "b= is missing"},
	{" b=/gCr", " b=*gCr", DKIM_PERMERROR, "b= is not base64"},
	{" b=/gCr", " b=/gCs", DKIM_FAIL, "does not match"},
	{"Q1Dw==", "Q1Dw===", DKIM_PERMERROR, "b= is not base64"},
	/* The key. */
	{" s=brisbane;", " s=none;", DKIM_PERMERROR, "no key at none._domainkey"},
	{" s=brisbane;", " s=broken;", DKIM_TEMPERROR, "could not be looked up"},
	{" s=brisbane;", " s=bogus;", DKIM_TEMPERROR, "DNSSEC"},
	{" s=brisbane;", " s=late;", DKIM_TEMPERROR, "could not be looked up"},
	/* The header. */
	{"From: Joe", "From: Jim", DKIM_FAIL, "header was changed"},
	{"From: Joe", "From: Eve <e@example>\r\nFrom: Joe", DKIM_FAIL, "header was changed"},
	{"Subject: Is", "Subject: x\r\nSubject: Is", DKIM_FAIL, "header was changed"},
	{"To: Suzie", "X-To: Suzie", DKIM_FAIL, "header was changed"},
	/* Forgiven by relaxed, or not signed. */
	{"From: Joe", "fROM \t:\r\n   Joe ", DKIM_PASS, "unchanged"},
	{"From: Joe", "X-Any: thing\r\nFrom: Joe", DKIM_PASS, "unchanged"},
	{"Joe.\r\n", "Joe. \t\r\n\r\n\r\n \r\n", DKIM_PASS, "unchanged"},
	{"Joe.\r\n", "Joe.", DKIM_PASS, "unchanged"},
	{"the game.  Are", "the game. \t Are", DKIM_PASS, "unchanged"},
	{"Joe.\r\n", "Joe.\r\nx", DKIM_FAIL, "body was changed"},
	{"From: Joe", "this is no field\r\nFrom: Joe", DKIM_PASS, "unchanged"},
};

static const char signature_zone[] =
	"brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; p=" ED25519_PUBLIC
	"\"\n"
	"fail: txt broken._domainkey.football.example.com\n"
	"timeout: txt late._domainkey.football.example.com\n"
	"bogus: txt bogus._domainkey.football.example.com signature expired\n";

static void broken_signatures(void **state)
{
	struct arena *a = arena_open();
	struct dkim_results r;

	(void)state;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		struct str m = replaced(
			a, STR(ED25519_SIGNATURE MESSAGE), signatures[i].from, signatures[i].to);
		verify(a, signature_zone, m, 10, &r);
		assert_int_equal(r.count, 1);
		if (r.at[0].status != signatures[i].status ||
			str_find(r.at[0].why, str_from(signatures[i].words)) == NULL)
			fail_msg("case %zu (%s): %s: %.*s", i, signatures[i].to,
				dkim_status_text(r.at[0].status), STR_FMT(r.at[0].why));
	}
	arena_close(&a);
}

/* --- key records --- */

#define P "p=" RSA_PUBLIC
static const struct {
	const char *record; /* of the RSA example; "|" between several */
	enum dkim_status status;
	const char *words;
} records[] = {
	{P, DKIM_PASS, ""},
	{"v=DKIM1;" P, DKIM_PASS, ""},
	{" v = DKIM1 ; k = rsa ; " P " ;", DKIM_PASS, ""},
	{"v=DKIM1;h=sha1:sha256;s=*;t=;n=note;g=other;x=1;" P, DKIM_PASS, ""},
	{"v=DKIM1;h=sha256;s=tlsrpt:email;" P, DKIM_PASS, ""},
	{"v=DKIM1;t=y:s;" P, DKIM_PASS, ""},
	{P ";v=DKIM1", DKIM_PERMERROR, "does not begin with v="},
	{"v=DKIM2;" P, DKIM_PERMERROR, "not DKIM1"},
	{"v=DKIM1", DKIM_PERMERROR, "no p="},
	{"", DKIM_PERMERROR, "syntax"},
	{"v=DKIM1;p=", DKIM_PERMERROR, "revoked"},
	{"v=DKIM1;p=*", DKIM_PERMERROR, "not base64"},
	{"v=DKIM1;p=AAAA", DKIM_PERMERROR, "no RSA public key"},
	{"v=DKIM1;" P "AA", DKIM_PERMERROR, "p= is no"},
	{"v=DKIM1;k=ed25519;p=" ED25519_PUBLIC, DKIM_PERMERROR, "another kind"},
	{"v=DKIM1;k=dsa;" P, DKIM_PERMERROR, "another kind"},
	{"v=DKIM1;h=sha1;" P, DKIM_PERMERROR, "h= does not allow"},
	{"v=DKIM1;h=;" P, DKIM_PERMERROR, "h= does not allow"},
	{"v=DKIM1;s=tlsrpt;" P, DKIM_PERMERROR, "does not allow mail"},
	{"v=DKIM1;p=x;" P, DKIM_PERMERROR, "p= twice"},
	{"v=DKIM1 p=x", DKIM_PERMERROR, "not DKIM1"},
	{"v=DKIM1;p=" OLD_PUBLIC, DKIM_FAIL, "does not match"},
	{"v=DKIM1;t=y;p=" OLD_PUBLIC, DKIM_NEUTRAL, "testing"},
	/* 512 bits, and 8192. */
	{"v=DKIM1;p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALoqrPoypO8ZmhTV+6/"
	 "R1iSjNEbIu3jYqPmLY3T7bYDP8gwx"
	 "8r7fJ3QYIoFpBHSZWvZgWHjZYNGqzrRJ2dh4T2cCAwEAAQ==",
		DKIM_PERMERROR, "too few"},
	/* Several: the one that is right counts. */
	{"v=spf1 -all|v=DKIM1;p=" OLD_PUBLIC "|v=DKIM1;" P, DKIM_PASS, ""},
	{"v=DKIM1;p=|v=DKIM1;p=" OLD_PUBLIC, DKIM_FAIL, "does not match"},
	{"v=DKIM1;p=|v=spf1 -all", DKIM_PERMERROR, "revoked"},
};

static void key_records(void **state)
{
	struct arena *a = arena_open();
	struct dkim_results r;

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct str rest = str_from(records[i].record), one;
		struct buf fixture = {NULL, 0, 0};
		while (str_next(&rest, '|', &one))
			buf_printf(&fixture, "test._domainkey.football.example.com TXT \"%.*s\"\n",
				STR_FMT(one));
		verify(a, fixture.p, STR(RSA_SIGNATURE MESSAGE), 100, &r);
		buf_free(&fixture);
		assert_int_equal(r.count, 1);
		if (r.at[0].status != records[i].status ||
			str_find(r.at[0].why, str_from(records[i].words)) == NULL)
			fail_msg("%s: %s: %.*s", records[i].record,
				dkim_status_text(r.at[0].status), STR_FMT(r.at[0].why));
		assert_int_equal(r.at[0].testing, strstr(records[i].record, "t=y") != NULL);
	}
	arena_close(&a);
}

/* t=s: a subdomain in i= is not allowed; without it, it is. */
static void strict_keys(void **state)
{
	struct arena *a = arena_open();
	struct dkim_results r;

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		const char *fixture = arena_printf(a,
			"brisbane._domainkey.example.com TXT \"v=DKIM1;t=%s;p=" OLD_PUBLIC "\"\n",
			strict ? "s" : "x");
		verify(a, fixture, STR(OLD_SIGNATURE OLD_MESSAGE), 100, &r);
		assert_int_equal(r.at[0].status, strict ? DKIM_PERMERROR : DKIM_PASS);
	}
	arena_close(&a);
}

/* --- sizes --- */

static void many_signatures(void **state)
{
	struct arena *a = arena_open();
	struct buf m = {NULL, 0, 0};
	struct dkim_results r;

	(void)state;
	for (int i = 0; i < 200; i++)
		buf_text(&m, ED25519_SIGNATURE);
	buf_text(&m, MESSAGE);
	verify(a, zone, buf_str(&m), 1000, &r);
	assert_int_equal(r.count, DKIM_RESULTS_MAX);
	assert_int_equal(r.left_out, 200 - DKIM_RESULTS_MAX);
	for (size_t i = 0; i < r.count; i++)
		assert_int_equal(r.at[i].status, i < DKIM_VERIFIED_MAX ? DKIM_PASS : DKIM_POLICY);
	buf_free(&m);
	arena_close(&a);
}

static void many_fields(void **state)
{
	struct arena *a = arena_open();
	struct buf m = {NULL, 0, 0};
	struct dkim_results r;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_printf(&m, "X-%d: %d\r\nX-Same: y\r\n", i, i);
	buf_text(&m, ED25519_SIGNATURE);
	buf_text(&m, MESSAGE);
	int64_t begin = clock_mono_ms();
	verify(a, zone, buf_str(&m), 1000, &r);
	assert_int_equal(r.at[0].status, DKIM_PASS);
	assert_true(clock_mono_ms() - begin < 2000);
	buf_free(&m);
	arena_close(&a);
}

static void no_signature(void **state)
{
	struct arena *a = arena_open();
	struct dkim_results r;

	(void)state;
	verify(a, zone, STR(MESSAGE), 1000, &r);
	assert_int_equal(r.count, 0);
	verify(a, zone, STR(""), 1000, &r);
	assert_int_equal(r.count, 0);
	verify(a, zone, STR("DKIM-Signature:"), 1000, &r);
	assert_int_equal(r.at[0].status, DKIM_PERMERROR);
	verify(a, zone, STR("\0\0:\n\r\n\n\nDKIM-Signature: \0"), 1000, &r);
	arena_close(&a);
}

static size_t heap_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Through a verifier with every kind of body hash, and a signer: no octet is kept. */
static void large_body(void **state)
{
	enum { PIECE = 64 * 1024, PIECES = 1600, SPARE = 64 * 1024 };
	static const struct str header = {ED25519_SIGNATURE RSA_SIGNATURE OLD_SIGNATURE HEADER,
		sizeof(ED25519_SIGNATURE RSA_SIGNATURE OLD_SIGNATURE HEADER) - 1};
	char *piece = malloc(PIECE);

	(void)state;
	assert_non_null(piece);
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : i % 7 ? 'a' : ' ';
	struct dkim_verifier *v = dkim_verifier_new(header, now_s);
	dkim_verifier_feed(v, (struct str){piece, PIECE});
	size_t before = heap_in_use();
	for (int i = 0; i < PIECES; i++)
		dkim_verifier_feed(v, (struct str){piece, PIECE});
	/* Only line ends: they are counted, not kept. */
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = i % 2 ? '\n' : '\r';
	for (int i = 0; i < PIECES; i++)
		dkim_verifier_feed(v, (struct str){piece, PIECE});
	assert_true(heap_in_use() < before + SPARE);
	dkim_verifier_free(&v);
	free(piece);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_examples),
		cmocka_unit_test(broken_signatures),
		cmocka_unit_test(key_records),
		cmocka_unit_test(strict_keys),
		cmocka_unit_test(many_signatures),
		cmocka_unit_test(many_fields),
		cmocka_unit_test(no_signature),
		cmocka_unit_test(large_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
