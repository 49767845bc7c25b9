#include "tests/unit/unit.h"

#include "auth/auth.h"
#include "message/message.h"

#include <stdio.h>
#include <stdlib.h>

/* --- forged results --- */

static const struct {
	const char *value;
	bool ours;
} claim_cases[] = {
	{" mail.example.org; spf=pass", true},
	{" mail.example.org", true},
	{"mail.example.org;", true},
	{" MAIL.Example.ORG 1; none", true},
	{" mail.example.org. ; none", true},
	{" \"mail.example.org\"; none", true},
	{" \"mail\\.example.org\"; none", true},
	{"\r\n\tmail.example.org\r\n\t1;\r\n\tspf=pass", true},
	{" (a comment (in it) \\) ) mail.example.org; none", true},
	{" mail.example.org(x) 1 (y); none", true},
	{" =?utf-8?q?mail.example.org?=; none", true},
	{" =?utf-8?b?bWFpbC5leGFtcGxlLm9yZw==?=; none", true},
	{" mail.example.org/1; none", true}, /* cannot be read */
	{" (mail.example.org; none", true},
	{" ; mail.example.org", true},
	{" other.example.org; spf=pass", false},
	{" xmail.example.org; spf=pass", false},
	{" mail.example.org.evil.example; spf=pass", false},
	{" other.example; x=mail.example.org", false},
	{" (mail.example.org) other.example; none", false},
	{"", false},
	{" ;", false},
};

static void claims_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(claim_cases) / sizeof(claim_cases[0]); i++) {
		print_message("%zu: %s\n", i, claim_cases[i].value ? claim_cases[i].value : "");
		assert_int_equal(auth_results_claims(
					 str_from(claim_cases[i].value), STR("mail.example.org")),
			claim_cases[i].ours);
	}
}

static void a_name_in_unicode_is_the_same(void **state)
{
	(void)state;
	assert_true(auth_results_claims(
		STR(" m\xc3\xbcller.example; spf=pass"), STR("xn--mller-kva.example")));
}

static void only_forged_fields_go(void **state)
{
	static const char before[] = "Received: x\r\n"
				     "Authentication-Results: h.example; spf=pass\r\n"
				     "this line is no field\r\n"
				     "AUTHENTICATION-results : H.example;\r\n\tdkim=pass\r\n"
				     "ARC-Authentication-Results: i=1; h.example; spf=pass\r\n"
				     "Authentication-Results: other.example; spf=pass\r\n"
				     "Subject: h.example\r\n"
				     "\r\n"
				     "Authentication-Results: h.example; in the body\r\n";
	static const char after[] = "Received: x\r\n"
				    "this line is no field\r\n"
				    "ARC-Authentication-Results: i=1; h.example; spf=pass\r\n"
				    "Authentication-Results: other.example; spf=pass\r\n"
				    "Subject: h.example\r\n"
				    "\r\n"
				    "Authentication-Results: h.example; in the body\r\n";
	struct buf b = {NULL, 0, 0};

	(void)state;
	buf_text(&b, before);
	assert_true(auth_forged_any(buf_str(&b), STR("h.example")));
	auth_forged_strip(&b, STR("h.example"));
	assert_string_equal(b.p, after);
	assert_false(auth_forged_any(buf_str(&b), STR("h.example")));
	buf_free(&b);
}

/* --- the facade --- */

static const char zone[] = "good.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
			   "_dmarc.good.example TXT \"v=DMARC1; p=reject\"\n"
			   "192.0.2.1 PTR mx.good.example\n"
			   "mx.good.example A 192.0.2.1\n"
			   "mx.good.example TXT \"v=spf1 a -all\"\n"
			   "_dmarc.mail.good.example TXT \"v=DMARC1; p=reject\"\n"
			   "_dmarc.other.example TXT \"v=DMARC1; p=quarantine\"\n"
			   "all-authentic\n";

struct fixture {
	struct dns *dns;
	struct auth_pool *pool;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	if (f == NULL || dns_open_fixture(str_from(zone), &f->dns, &err) < 0)
		return -1;
	f->pool = auth_pool_open(4);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	auth_pool_close(&f->pool);
	dns_close(&f->dns);
	free(f);
	return 0;
}

static struct auth_options options(struct fixture *f, const char *from, const char *header)
{
	struct auth_options opt = {.dns = f->dns,
		.pool = f->pool,
		.deadline = deadline_in_ms(5000),
		.helo = STR("mx.good.example"),
		.mail_from = str_from(from),
		.hostname = STR("h.example"),
		.header = str_from(header),
		.now_s = 1700000000};

	assert_true(ip_parse(STR("192.0.2.1"), &opt.ip));
	return opt;
}

static struct auth_check *checked(const struct auth_options *opt, const struct auth_result **r)
{
	struct auth_check *c = auth_open(opt);

	auth_body(c, STR("Hello\r\n"));
	*r = auth_finish(c);
	return c;
}

static const struct {
	const char *from, *header;
	enum dmarc_result dmarc;
	size_t from_count;
} check_cases[] = {
	{"a@good.example", "From: a@good.example\r\n\r\n", DMARC_PASS, 1},
	{"a@good.example", "From: A <a@GOOD.example>, b@good.example\r\n", DMARC_PASS, 1},
	{"a@good.example", "From: a@mail.good.example\r\n\r\n", DMARC_PASS, 1},
	{"a@good.example", "From: a@other.example\r\n\r\n", DMARC_FAIL, 1},
	{"a@good.example", "From: a@good.example, b@other.example\r\n\r\n", DMARC_FAIL, 2},
	{"a@good.example", "From: a@good.example\r\nFrom: a@good.example\r\n\r\n", DMARC_PERMERROR,
		1},
	{"a@good.example", "From: (\r\n\r\n", DMARC_PERMERROR, 0},
	{"a@good.example", "From: a@[192.0.2.1]\r\n\r\n", DMARC_PERMERROR, 0},
	{"a@good.example", "Subject: x\r\n\r\n", DMARC_NONE, 0},
	{"a@good.example", "", DMARC_NONE, 0},
	{"a@good.example", "From: a@nothing.example\r\n\r\n", DMARC_NONE, 1},
	{"", "From: a@good.example\r\n\r\n", DMARC_PASS, 1}, /* HELO stands in */
};

/* With threads and without. */
static void messages_are_checked(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(check_cases) / sizeof(check_cases[0]); i++) {
		struct auth_options opt =
			options(f, check_cases[i / 2].from, check_cases[i / 2].header);
		const struct auth_result *r;
		opt.pool = i % 2 == 0 ? f->pool : NULL;
		opt.trace = trace_new();
		struct auth_check *c = checked(&opt, &r);
		print_message("%zu: %s\n", i, dmarc_result_text(r->dmarc.result));
		assert_int_equal(r->dmarc.result, check_cases[i / 2].dmarc);
		assert_int_equal(r->iprev.result, IPREV_PASS);
		assert_int_equal(r->spf.result, SPF_PASS);
		if (r->dmarc.result != DMARC_PERMERROR)
			assert_int_equal(r->from_count, check_cases[i / 2].from_count);
		auth_free(&c);
		trace_free(&opt.trace);
	}
}

/* Five look-ups that take 400 ms each: the message waits for one of them. With no pool the one
 * after the other, so that the test would see it. */
static void lookups_overlap(void **state)
{
	enum { TAKES_MS = 400, LOOKUPS = 5 };
	static const char delays[] = "delay: ptr 192.0.2.1 400\ndelay: txt good.example 400\n"
				     "delay: txt mx.good.example 400\n"
				     "delay: txt s._domainkey.good.example 400\n"
				     "delay: txt _dmarc.good.example 400\n";
	static const char header[] = "DKIM-Signature: v=1; a=rsa-sha256; d=good.example; s=s;\r\n"
				     " h=from; b=aGk=;\r\n"
				     " bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
				     "From: a@good.example\r\n\r\n";
	struct fixture *f = *state;
	struct buf text = {NULL, 0, 0};
	struct dns *slow;
	struct err err;

	buf_printf(&text, "%s\n%s", zone, delays);
	assert_int_equal(dns_open_fixture(buf_str(&text), &slow, &err), 0);
	for (int pooled = 0; pooled < 2; pooled++) {
		struct auth_options opt = options(f, "a@good.example", header);
		const struct auth_result *r;
		int64_t begin_ms = clock_mono_ms();
		opt.dns = slow;
		opt.pool = pooled ? f->pool : NULL;
		struct auth_check *c = checked(&opt, &r);
		int64_t took_ms = clock_mono_ms() - begin_ms;
		print_message("pool %d: %lld ms\n", pooled, (long long)took_ms);
		assert_int_equal(r->spf.result, SPF_PASS);
		assert_int_equal(r->iprev.result, IPREV_PASS);
		assert_int_equal(r->dmarc.result, DMARC_PASS);
		assert_int_equal(r->dkim.count, 1);
		if (pooled)
			assert_in_range(took_ms, TAKES_MS, 2 * TAKES_MS);
		else
			assert_in_range(took_ms, LOOKUPS * TAKES_MS, 10 * LOOKUPS * TAKES_MS);
		auth_free(&c);
	}
	dns_close(&slow);
	buf_free(&text);
}

static void a_check_can_be_dropped(void **state)
{
	struct fixture *f = *state;
	struct auth_options opt = options(f, "a@good.example", "From: a@good.example\r\n\r\n");
	struct auth_check *c = auth_open(&opt);

	auth_free(&c);
	assert_null(c);
}

static void no_lookups_no_harm(void **state)
{
	struct fixture *f = *state;
	struct auth_options opt = options(f, "a@good.example", "From: a@good.example\r\n\r\n");
	const struct auth_result *r;

	opt.dns = NULL;
	struct auth_check *c = checked(&opt, &r);
	assert_int_equal(r->dmarc.result, DMARC_TEMPERROR);
	assert_int_equal(r->spf.result, SPF_TEMPERROR);
	assert_int_equal(r->iprev.result, IPREV_TEMPERROR);
	auth_free(&c);
}

/* --- header fields --- */

static void headers_are_written(void **state)
{
	struct fixture *f = *state;
	struct auth_options opt = options(f, "a@good.example", "From: a@good.example\r\n\r\n");
	const struct auth_result *r;
	struct auth_check *c = checked(&opt, &r);
	struct auth_header h = {.authserv_id = STR("h.example"),
		.result = r,
		.ip = STR("192.0.2.1"),
		.helo = opt.helo,
		.mail_from = opt.mail_from};
	struct buf b = {NULL, 0, 0};

	auth_header_write(&b, &h);
	print_message("%s\n", b.p);
	assert_true(str_starts(buf_str(&b), STR("Authentication-Results: h.example;\r\n\t")));
	assert_non_null(strstr(b.p, "iprev=pass (with dnssec) policy.iprev=192.0.2.1"));
	assert_non_null(strstr(b.p, "spf=pass (with dnssec) smtp.mailfrom=a@good.example"));
	assert_non_null(strstr(b.p, "spf=pass (with dnssec) smtp.helo=mx.good.example"));
	assert_non_null(strstr(b.p, "dmarc=pass (with dnssec) header.from=good.example"));
	assert_non_null(strstr(b.p, "dkim=none"));
	assert_non_null(strstr(b.p, "\r\nReceived-SPF: pass (h.example: good.example allows "
				    "192.0.2.1)\r\n\tclient-ip=192.0.2.1"));
	h.dmarc_override = STR("trusted_forwarder");
	buf_clear(&b);
	auth_results_write(&b, &h);
	assert_non_null(strstr(b.p, "(with dnssec, override trusted_forwarder)"));
	buf_free(&b);
	auth_free(&c);
}

/* Names of strangers cannot add lines, fields or results. */
static void foreign_text_is_quoted(void **state)
{
	struct fixture *f = *state;
	struct auth_options opt = options(f, "a@good.example", "From: a@good.example\r\n\r\n");
	const struct auth_result *r;
	struct auth_check *c = checked(&opt, &r);
	struct auth_header h = {.authserv_id = STR("h.example"),
		.result = r,
		.ip = STR("2001:db8::1"),
		.helo = STR("x; dkim=pass\r\nEvil: yes"),
		.mail_from = STR("\"a;dmarc=pass\\\"\"@good.example")};
	struct buf b = {NULL, 0, 0};
	struct message_field field;
	struct err err;
	size_t fields = 0;

	auth_header_write(&b, &h);
	print_message("%s\n", b.p);
	struct str rest = buf_str(&b), line;
	while (message_header_next(&rest, &field, &err) == 1)
		fields++;
	assert_int_equal(fields, 2);
	assert_non_null(strstr(b.p, "policy.iprev=\"2001:db8::1\""));
	assert_non_null(strstr(b.p, "helo=\"x; dkim=pass??Evil: yes\""));
	assert_non_null(strstr(b.p, "smtp.mailfrom=\"\\\"a;dmarc=pass\\\\\\\"\\\"@good.example\""));
	for (rest = buf_str(&b); str_next(&rest, '\n', &line);)
		assert_true(line.len < 998);
	buf_clear(&b);
	auth_header_submission(&b, STR("h.example"), STR("a@b.example"));
	assert_string_equal(b.p, "Authentication-Results: h.example;\r\n\tauth=pass "
				 "smtp.mailfrom=a@b.example\r\n");
	buf_free(&b);
	auth_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_are_seen),
		cmocka_unit_test(a_name_in_unicode_is_the_same),
		cmocka_unit_test(only_forged_fields_go),
		cmocka_unit_test_setup_teardown(messages_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(lookups_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(a_check_can_be_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(no_lookups_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_are_written, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_text_is_quoted, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
