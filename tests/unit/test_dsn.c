#include "tests/unit/unit.h"

#include "message/message.h"
#include "queue/dsn.h"

#include <stdio.h>

static const struct dsn_rcpt failed = {.address = {"zoe@out.example", 15},
	.orcpt = {"rfc822;alias+40x.example", 24},
	.code = 550,
	.ecode = {"5.1.1", 5},
	.text = {"no such user <here>", 19},
	.mx = {"mx.out.example", 14},
	.ip = {"192.0.2.1", 9},
	.last_attempt_s = 1795510156};

static struct dsn_options options(const struct dsn_rcpt *rcpts, size_t count)
{
	return (struct dsn_options){.action = DSN_FAILED,
		.hostname = "mx.mox.example",
		.to = STR("anna@in.example"),
		.message_id = STR("<1@in.example>"),
		.envid = STR("QQ+2B1"),
		.arrival_s = 1795510000,
		.now_s = 1795510200,
		.original = STR("Subject: for zoe\r\nX: y\r\n"),
		.rcpts = rcpts,
		.rcpt_count = count};
}

static bool has(const struct dsn *d, const char *text)
{
	bool found = str_find(d->text, str_from(text)) != NULL;

	if (!found)
		print_message("no \"%s\" in:\n%.*s\n", text, STR_FMT(d->text));
	return found;
}

static void every_line_is_smtp(const struct dsn *d)
{
	struct str rest = d->text, line;

	assert_true(str_ends(d->text, STR("\r\n")));
	while (str_next(&rest, '\n', &line) && rest.p != NULL) {
		assert_true(line.len > 0 && line.len <= 999 && line.p[line.len - 1] == '\r');
		assert_null(memchr(line.p, '\r', line.len - 1));
	}
}

static void failed_says_all(void **state)
{
	static const char *const wanted[] = {"From: Mail delivery <postmaster@mx.mox.example>\r\n",
		"To: <anna@in.example>\r\n", "Auto-Submitted: auto-replied\r\n",
		"In-Reply-To: <1@in.example>\r\n", "References: <1@in.example>\r\n",
		"MIME-Version: 1.0\r\n",
		"Content-Type: multipart/report; report-type=delivery-status;\r\n",
		"Reporting-MTA: dns; mx.mox.example\r\n", "Original-Envelope-Id: QQ+1\r\n",
		"Arrival-Date: Tue, 24 Nov 2026 ",
		"Original-Recipient: rfc822; alias@x.example\r\n",
		"Final-Recipient: rfc822; zoe@out.example\r\n", "Action: failed\r\n",
		"Status: 5.1.1\r\n", "Remote-MTA: dns; mx.out.example (192.0.2.1)\r\n",
		"Diagnostic-Code: smtp; 550 5.1.1 no such user <here>\r\n",
		"Last-Attempt-Date: ", "Content-Type: text/rfc822-headers",
		"Subject: for zoe\r\nX: y\r\n"};
	struct arena *a = arena_open();
	struct dsn_options o = options(&failed, 1);
	struct message_field field;
	struct dsn d;
	struct err err;

	(void)state;
	dsn_build(a, &o, &d);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_true(has(&d, wanted[i]));
	assert_null(str_find(d.text, STR("Will-Retry-Until")));
	assert_false(d.body_8bit || d.smtputf8);
	every_line_is_smtp(&d);
	struct str rest = d.text;
	size_t fields = 0;
	while (message_header_next(&rest, &field, &err) == 1)
		fields++;
	assert_int_equal(fields, 10);
	arena_close(&a);
}

static const struct {
	enum dsn_action action;
	int code;
	const char *ecode, *status;
} statuses[] = {
	{DSN_FAILED, 550, "", "5.0.0"},
	{DSN_FAILED, 0, "", "5.4.7"},
	{DSN_FAILED, 451, "", "5.4.7"},
	{DSN_FAILED, 451, "4.7.1", "4.7.1"},
	{DSN_DELAYED, 451, "4.7.1", "4.7.1"},
	{DSN_DELAYED, 0, "", "4.0.0"},
	{DSN_RELAYED, 250, "2.1.5", "2.1.5"},
	{DSN_DELIVERED, 0, "", "2.0.0"},
};

static void status_fits_action(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct arena *a = arena_open();
		struct dsn_rcpt r = failed;
		struct dsn_options o = options(&r, 1);
		struct dsn d;
		char line[40];
		r.code = statuses[i].code;
		r.ecode = str_from(statuses[i].ecode);
		r.will_retry_until_s = 1795600000;
		o.action = statuses[i].action;
		dsn_build(a, &o, &d);
		snprintf(line, sizeof(line), "Status: %s\r\n", statuses[i].status);
		assert_true(has(&d, line));
		assert_int_equal(str_find(d.text, STR("Will-Retry-Until: ")) != NULL,
			o.action == DSN_DELAYED);
		arena_close(&a);
	}
}

/* What a peer or sender wrote cannot add lines, and non-ASCII only goes where it may. */
static void foreign_text_is_tamed(void **state)
{
	struct arena *a = arena_open();
	struct dsn_rcpt r = failed;
	struct dsn_options o = options(&r, 1);
	struct dsn d;

	(void)state;
	r.text = STR("evil\r\nX-Injected: 1\x07 \xc3\xa4");
	r.orcpt = STR("rfc822;a+0D+0Ab+zz+4");
	o.envid = STR("x+0D+0AX-Injected:+201");
	dsn_build(a, &o, &d);
	assert_null(str_find(d.text, STR("\nX-Injected")));
	assert_true(has(&d, "Diagnostic-Code: smtp; 550 5.1.1 evil??X-Injected: 1? ??"));
	assert_true(has(&d, "Original-Recipient: rfc822; a??b??4") ||
		    has(&d, "Original-Recipient: rfc822; a??b?+4"));
	every_line_is_smtp(&d);
	arena_close(&a);
}

static void global_forms_for_utf8(void **state)
{
	struct arena *a = arena_open();
	struct dsn_rcpt r = failed;
	struct dsn_options o = options(&r, 1);
	struct dsn d;

	(void)state;
	r.address = STR("z\xc3\xb6\xe2\x82\xac@out.example");
	o.utf8 = true;
	o.original = STR("Subject: gr\xc3\xbc\xc3\x9f\x65\r\n");
	dsn_build(a, &o, &d);
	assert_true(has(&d, "Content-Type: message/global-delivery-status"));
	assert_true(has(&d, "Final-Recipient: utf-8; z\xc3\xb6\xe2\x82\xac@out.example\r\n"));
	assert_true(has(&d, "Content-Type: message/global-headers"));
	assert_true(d.smtputf8 && d.body_8bit);
	o.utf8 = false;
	dsn_build(a, &o, &d);
	assert_true(has(&d, "Content-Type: message/delivery-status"));
	assert_true(has(&d, "Content-Type: text/rfc822-headers; charset=utf-8"));
	assert_false(d.smtputf8);
	arena_close(&a);
}

static void full_returns_the_message(void **state)
{
	struct arena *a = arena_open();
	struct dsn_rcpt two[2] = {failed, failed};
	struct dsn_options o = options(two, 2);
	struct dsn d;

	(void)state;
	two[1].address = STR("bert@out.example");
	two[1].orcpt = STR("");
	o.full = true;
	o.original = STR("Subject: x\r\n\r\nfull text\r\n");
	o.envid = STR("");
	dsn_build(a, &o, &d);
	assert_true(has(&d, "Content-Type: message/rfc822"));
	assert_true(has(&d, "Subject: x\r\n\r\nfull text\r\n"));
	assert_true(has(&d, "Final-Recipient: rfc822; bert@out.example\r\n"));
	assert_null(str_find(d.text, STR("Original-Envelope-Id")));
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_says_all),
		cmocka_unit_test(status_fits_action),
		cmocka_unit_test(foreign_text_is_tamed),
		cmocka_unit_test(global_forms_for_utf8),
		cmocka_unit_test(full_returns_the_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
