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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_examples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
