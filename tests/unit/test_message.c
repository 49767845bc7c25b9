#include "tests/unit/unit.h"

#include "base/clock.h"
#include "message/message.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void is(struct str got, const char *want)
{
	if (!str_eq(got, str_from(want)))
		fail_msg("got \"%.*s\", want \"%s\"", STR_FMT(got), want);
}

static void header_fields_in_order(void **state)
{
	struct str rest = STR("From: a@b\r\n"
			      "Subject : one\r\n two\r\n\tthree\r\n"
			      "Empty:\r\n"
			      "Bare: x\n y\n"
			      "\r\n"
			      "body: text\r\n");
	struct arena *a = arena_open();
	struct message_field f;
	struct err err;

	(void)state;
	assert_int_equal(message_header_next(&rest, &f, &err), 1);
	is(f.name, "From");
	is(f.value, " a@b");
	is(f.whole, "From: a@b\r\n");
	assert_int_equal(message_header_next(&rest, &f, &err), 1);
	is(f.name, "Subject");
	is(f.value, " one\r\n two\r\n\tthree");
	is(message_field_unfold(a, f.value), "one two\tthree");
	assert_int_equal(message_header_next(&rest, &f, &err), 1);
	is(f.value, "");
	assert_int_equal(message_header_next(&rest, &f, &err), 1);
	is(f.value, " x\n y");
	is(message_field_unfold(a, f.value), "x y");
	assert_int_equal(message_header_next(&rest, &f, &err), 0);
	is(rest, "body: text\r\n");
	arena_close(&a);
}

static void header_that_is_none(void **state)
{
	static const char *const bad[] = {"no colon\r\n", " folded first\r\n", ": no name\r\n",
		"two words: x\r\n", "\x01: x\r\n", "\xc3\xa4: x\r\n"};
	struct message_field f;
	struct err err;
	struct str rest;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		rest = str_from(bad[i]);
		assert_int_equal(message_header_next(&rest, &f, &err), -1);
		assert_ptr_equal(rest.p, bad[i]);
	}
	rest = (struct str){NULL, 0};
	assert_int_equal(message_header_next(&rest, &f, &err), 0);
	rest = STR("A: last line without end");
	assert_int_equal(message_header_next(&rest, &f, &err), 1);
	is(f.value, " last line without end");
	assert_int_equal(message_header_next(&rest, &f, &err), 0);
}

static void unfolding_leaves_no_line_end(void **state)
{
	struct arena *a = arena_open();

	(void)state;
	is(message_field_unfold(a, STR(" a\rb\nc\r\n")), "a b c");
	is(message_field_unfold(a, (struct str){"a\0b", 3}), "a b");
	arena_close(&a);
}

static const struct {
	const char *text, *local, *domain; /* local NULL: refused */
	bool quoted, utf8;
	const char *written; /* NULL: as text */
} addresses[] = {
	{"user@example.org", "user", "example.org", false, false, NULL},
	{"a.b+c=d!#$%&'*/?^_`{|}~-@x.y", "a.b+c=d!#$%&'*/?^_`{|}~-", "x.y", false, false, NULL},
	{"\"a b\"@x.org", "a b", "x.org", true, false, NULL},
	{"\"ab\"@x.org", "ab", "x.org", false, false, "ab@x.org"},
	{"\"a\\\"\\\\b\"@x.org", "a\"\\b", "x.org", true, false, NULL},
	{"\"a@b\"@x.org", "a@b", "x.org", true, false, NULL},
	{"\"a..b\"@x.org", "a..b", "x.org", true, false, NULL},
	{"u@[192.0.2.1]", "u", "[192.0.2.1]", false, false, NULL},
	{"u@[IPv6:2001:db8::1]", "u", "[IPv6:2001:db8::1]", false, false, NULL},
	{"u@localhost", "u", "localhost", false, false, NULL},
	{"\xc3\xbc@b\xc3\xbc"
	 "cher.example",
		"\xc3\xbc",
		"b\xc3\xbc"
		"cher.example",
		false, true, NULL},
	{"user%other.example@x.org", "user%other.example", "x.org", false, false, NULL},
	{"other!user@x.org", "other!user", "x.org", false, false, NULL},
	{"", NULL, NULL, false, false, NULL},
	{"user", NULL, NULL, false, false, NULL},
	{"user@", NULL, NULL, false, false, NULL},
	{"@x.org", NULL, NULL, false, false, NULL},
	{"@a.org:user@x.org", NULL, NULL, false, false, NULL},
	{"a@b@x.org", NULL, NULL, false, false, NULL},
	{".a@x.org", NULL, NULL, false, false, NULL},
	{"a.@x.org", NULL, NULL, false, false, NULL},
	{"a..b@x.org", NULL, NULL, false, false, NULL},
	{"a b@x.org", NULL, NULL, false, false, NULL},
	{"<a@x.org>", NULL, NULL, false, false, NULL},
	{"\"\"@x.org", NULL, NULL, false, false, NULL},
	{"\"ab@x.org", NULL, NULL, false, false, NULL},
	{"\"a\r\nb\"@x.org", NULL, NULL, false, false, NULL},
	{"\"a\"b@x.org", NULL, NULL, false, false, NULL},
	{"a@x.org.", NULL, NULL, false, false, NULL},
	{"a@.org", NULL, NULL, false, false, NULL},
	{"a@-x.org", NULL, NULL, false, false, NULL},
	{"a@x_y.org", NULL, NULL, false, false, NULL},
	{"a@x.org\n", NULL, NULL, false, false, NULL},
	{"u@[192.0.2.256]", NULL, NULL, false, false, NULL},
	{"u@[192.0.2.1", NULL, NULL, false, false, NULL},
	{"u@[2001:db8::1]", NULL, NULL, false, false, NULL},
	{"u@[IPv6:192.0.2.1]", NULL, NULL, false, false, NULL},
	{"u@[]", NULL, NULL, false, false, NULL},
	{"\xff@x.org", NULL, NULL, false, false, NULL},
};

static void addresses_parse_and_write(void **state)
{
	struct arena *a = arena_open();
	struct message_address addr;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		int ret = message_address_parse(a, str_from(addresses[i].text), &addr, &err);

		print_message("%s\n", addresses[i].text);
		assert_int_equal(ret, addresses[i].local ? 0 : -1);
		if (ret < 0) {
			assert_int_equal(err.kind, ERR_PERM);
			continue;
		}
		is(addr.localpart, addresses[i].local);
		is(addr.domain, addresses[i].domain);
		assert_int_equal(addr.quoted, addresses[i].quoted);
		assert_int_equal(addr.utf8, addresses[i].utf8);
		is(message_address_write(a, &addr),
			addresses[i].written ? addresses[i].written : addresses[i].text);
	}
	arena_close(&a);
}

static void address_limits(void **state)
{
	struct arena *a = arena_open();
	struct message_address addr;
	struct err err;
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < MESSAGE_LOCALPART_MAX; i++)
		buf_byte(&b, 'x');
	buf_text(&b, "@x.org");
	assert_int_equal(message_address_parse(a, buf_str(&b), &addr, &err), 0);
	buf_clear(&b);
	for (size_t i = 0; i <= MESSAGE_LOCALPART_MAX; i++)
		buf_byte(&b, 'x');
	buf_text(&b, "@x.org");
	assert_int_equal(message_address_parse(a, buf_str(&b), &addr, &err), -1);
	assert_string_equal(err.text, "local part is over 128 octets");
	buf_clear(&b);
	buf_text(&b, "u@");
	for (size_t i = 0; i <= MESSAGE_DOMAIN_MAX; i++)
		buf_byte(&b, 'x');
	assert_int_equal(message_address_parse(a, buf_str(&b), &addr, &err), -1);
	assert_string_equal(err.text, "domain is over 255 octets");
	for (size_t i = 0; i <= 2 * MESSAGE_ADDRESS_MAX; i++)
		buf_byte(&b, 'x');
	assert_int_equal(message_address_parse(a, buf_str(&b), &addr, &err), -1);
	buf_free(&b);
	arena_close(&a);
}

static const struct {
	const char *value, *want; /* "name|address;" each, NULL: refused */
} mailboxes[] = {
	{" a@b.org", "|a@b.org;"},
	{"<a@b.org>", "|a@b.org;"},
	{"Joe Doe <a@b.org>", "Joe Doe|a@b.org;"},
	{"\"Doe, Joe\" <a@b.org>, c@d.org", "Doe, Joe|a@b.org;|c@d.org;"},
	{"\"Joe \\\"Q\\\"\" Public <a@b.org>", "Joe \"Q\" Public|a@b.org;"},
	{"J.R. (the one (and only)) Doe <a@b.org> (comment)", "J.R. Doe|a@b.org;"},
	{"a (c) @ (d) b . org", "|a@b.org;"},
	{"\"a b\"@c.org", "|\"a b\"@c.org;"},
	{"Friends: a@b.org, Joe <c@d.org>;, e@f.org", "|a@b.org;Joe|c@d.org;|e@f.org;"},
	{"undisclosed-recipients:;", ""},
	{"", ""},
	{" , a@b.org,,", "|a@b.org;"},
	{"Joe\r\n\tDoe\r\n <a@b.org>", "Joe Doe|a@b.org;"},
	{"<@x.org,@y.org:a@b.org>", "|a@b.org;"},
	{"<@x.org:a@b.org>", "|a@b.org;"},
	{"=?utf-8?q?J=C3=BC?= <a@b.org>", "=?utf-8?q?J=C3=BC?=|a@b.org;"},
	{"J\xc3\xbc <a@b.org>", "J\xc3\xbc|a@b.org;"},
	{"Joe joe@b.org", NULL},
	{"a@b.org <c@d.org>", "a@b.org|c@d.org;"},
	{"<a@b.org", NULL},
	{"a@b.org>", NULL},
	{"<a@b.org> x", NULL},
	{"<a@b.org> <c@d.org>", NULL},
	{"(open a@b.org", NULL},
	{"\"open <a@b.org>", NULL},
	{"Joe", NULL},
	{"<>", NULL},
	{":a@b.org;", NULL},
};

static void mailboxes_parse(void **state)
{
	struct arena *a = arena_open();
	struct message_mailbox out[8];
	struct err err;
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(mailboxes); i++) {
		struct buf b = {0};
		int ret = message_mailboxes_parse(
			a, str_from(mailboxes[i].value), out, COUNT(out), &n, &err);

		print_message("%s\n", mailboxes[i].value);
		assert_int_equal(ret, mailboxes[i].want ? 0 : -1);
		for (size_t k = 0; ret == 0 && k < n; k++) {
			struct str addr = message_address_write(a, &out[k].address);

			buf_printf(&b, "%.*s|%.*s;", STR_FMT(out[k].name), STR_FMT(addr));
		}
		if (ret == 0)
			is(buf_str(&b), mailboxes[i].want);
		buf_free(&b);
	}
	assert_int_equal(
		message_mailboxes_parse(a, STR("a@b.org,c@d.org,e@f.org"), out, 2, &n, &err), -1);
	assert_string_equal(err.text, "over 2 addresses");
	arena_close(&a);
}

static void encoded_words(void **state)
{
	static const char *const cases[][2] = {
		{"plain text", "plain text"},
		{"=?UTF-8?Q?J=C3=BCrgen_M?= x", "J\xc3\xbcrgen M x"},
		{"=?utf-8?b?SsO8cmdlbg==?=", "J\xc3\xbcrgen"},
		{"=?iso-8859-1?q?=FC?=", "\xc3\xbc"},
		{"=?ISO-8859-1*de?q?=FC?=", "\xc3\xbc"},
		{"=?windows-1252?q?=80?=", "\xe2\x82\xac"},
		{"=?us-ascii?q?a=41?=", "aA"},
		{"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"=?utf-8?q?a?=\r\n =?iso-8859-1?q?b?= c", "ab c"},
		{"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc"}, /* cut inside a character */
		{"a =?utf-8?q?b?= c", "a b c"},
		{"=?utf-8?q?=0D=0Ax?=", "  x"},
		{"=?utf-8?q?=FF?=", "=?utf-8?q?=FF?="},
		{"=?utf-8?q?=F?=", "=?utf-8?q?=F?="},
		{"=?utf-8?b?*?=", "=?utf-8?b?*?="},
		{"=?utf-8?x?a?=", "=?utf-8?x?a?="},
		{"=?nonesuch?q?a?=", "=?nonesuch?q?a?="},
		{"=?utf-8?q?open", "=?utf-8?q?open"},
		{"=?=?=?", "=?=?=?"},
		{"=?utf-8?q?"
		 "?=",
			""},
		{"", ""},
	};
	struct arena *a = arena_open();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("%s\n", cases[i][0]);
		is(message_words_decode(a, str_from(cases[i][0])), cases[i][1]);
	}
	arena_close(&a);
}

static void dates(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s; /* INT64_MIN: refused */
	} cases[] = {
		{"Tue, 24 Nov 2026 08:49:16 +0000", 1795510156},
		{"24 Nov 2026 08:49:16 +0000", 1795510156},
		{"Tue, 24 Nov 2026 09:49:16 +0100 (CET)", 1795510156},
		{" Tue, 24\r\n Nov 2026 08:49 GMT", 1795510140},
		{"24 Nov 26 03:49:16 EST", 1795510156},
		{"1 Jan 70 00:00:00 UT", 0},
		{"1 Jan 100 00:00:00 Z", 946684800},
		{"29 Feb 2000 00:00:00 +0000", 951782400},
		{"31 Dec 1969 23:59:59 -0000", -1},
		{"31 Dec 2016 23:59:60 +0000", 1483228800},
		{"29 Feb 2026 00:00:00 +0000", INT64_MIN},
		{"31 Apr 2026 00:00:00 +0000", INT64_MIN},
		{"0 Apr 2026 00:00:00 +0000", INT64_MIN},
		{"1 Apr 2026 24:00:00 +0000", INT64_MIN},
		{"1 Apr 2026 00:60:00 +0000", INT64_MIN},
		{"1 Apr 2026 00:00:00", INT64_MIN},
		{"1 Apr 2026 00:00:00 +1", INT64_MIN},
		{"1 Apr 2026 00:00:00 +0070", INT64_MIN},
		{"1 Apr 2026 00:00:00 +0000 x", INT64_MIN},
		{"Xxx, 1 Apr 2026 00:00:00 +0000", INT64_MIN},
		{"1 Avr 2026 00:00:00 +0000", INT64_MIN},
		{"99999999999999 Apr 2026 00:00:00 +0000", INT64_MIN},
		{"", INT64_MIN},
		{"(", INT64_MIN},
	};
	char text[MESSAGE_DATE_TEXT];
	struct err err;
	int64_t t;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int ret = message_date_parse(str_from(cases[i].text), &t, &err);

		print_message("%s\n", cases[i].text);
		assert_int_equal(ret, cases[i].unix_s == INT64_MIN ? -1 : 0);
		if (ret == 0)
			assert_int_equal(t, cases[i].unix_s);
	}
	assert_string_equal(
		message_date_write(1795510156, text), "Tue, 24 Nov 2026 08:49:16 +0000");
	assert_string_equal(message_date_write(INT64_MAX, text), "Thu, 1 Jan 1970 00:00:00 +0000");
}

static void received_field(void **state)
{
	struct message_trace t = {
		.helo = STR("client.example"),
		.ptr = STR("ptr.example"),
		.ip = STR("2001:db8::1"),
		.by = STR("mail.example.org"),
		.with = STR("ESMTPS"),
		.id = STR("abc123"),
		.tls = STR("TLSv1.3 TLS_AES_128_GCM_SHA256"),
		.rcpt = STR("user@example.org"),
		.requiretls = true,
		.unix_s = 1795510156,
	};
	struct buf b = {0};

	(void)state;
	message_trace_write(&b, &t);
	is(buf_str(&b), "Received: from client.example (ptr.example [IPv6:2001:db8::1])\r\n"
			"\tby mail.example.org with ESMTPS (requiretls) id abc123\r\n"
			"\t(TLS1.3 TLS_AES_128_GCM_SHA256)\r\n"
			"\tfor <user@example.org>;\r\n"
			"\tTue, 24 Nov 2026 08:49:16 +0000\r\n");
	buf_clear(&b);
	t = (struct message_trace){.by = STR("h.example"), .with = STR("ESMTPSA"), .id = STR("i")};
	message_trace_write(&b, &t);
	is(buf_str(&b), "Received: by h.example with ESMTPSA id i;\r\n"
			"\tThu, 1 Jan 1970 00:00:00 +0000\r\n");

	/* A client cannot write into it. */
	buf_clear(&b);
	t = (struct message_trace){.helo = STR("x (evil)\r\nBcc: y\n\n"),
		.ptr = STR("a\r\nb"),
		.ip = STR("192.0.2.1"),
		.by = STR("h"),
		.with = STR("SMTP"),
		.rcpt = STR("\"a\r\nX: y\"@z")};
	message_trace_write(&b, &t);
	is(buf_str(&b), "Received: from x??evil???Bcc:?y?? (a??b [192.0.2.1])\r\n"
			"\tby h with SMTP\r\n"
			"\tfor <\"a??X: y\"@z>;\r\n"
			"\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
	buf_free(&b);
	assert_string_equal(message_with_protocol(false, false, false, false), "SMTP");
	assert_string_equal(message_with_protocol(true, false, false, false), "ESMTP");
	assert_string_equal(message_with_protocol(true, true, true, false), "ESMTPSA");
	assert_string_equal(message_with_protocol(true, true, false, true), "UTF8SMTPS");
}

static void fields_are_folded_and_encoded(void **state)
{
	static const struct {
		const char *value;
		bool utf8;
		const char *want;
	} cases[] = {
		{"short", false, "Subject: short\r\n"},
		{"", false, "Subject:\r\n"},
		{"  a\r\nBcc: x  ", false, "Subject: a  Bcc: x\r\n"},
		{"a12345678901234567890123456789 b12345678901234567890123456789 c1234567890 d",
			false,
			"Subject: a12345678901234567890123456789 b12345678901234567890123456789\r\n"
			" c1234567890 d\r\n"},
		{"J\xc3\xbcrgen M\xc3\xbcller <a@b.org>", false,
			"Subject: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <a@b.org>\r\n"},
		{"J\xc3\xbcrgen", true, "Subject: J\xc3\xbcrgen\r\n"},
		{"bad \xff", false, "Subject: bad =?utf-8?q?=3F?=\r\n"},
	};
	struct arena *a = arena_open();
	struct buf b = {0}, long_text = {0};
	struct str rest, line;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&b);
		message_field_add(&b, "Subject", str_from(cases[i].value), cases[i].utf8);
		is(buf_str(&b), cases[i].want);
	}
	/* Long text survives the way there and back, in lines of lawful length. */
	for (int i = 0; i < 60; i++)
		buf_text(&long_text, i % 3 ? "\xc3\xa4\xe2\x82\xac" : " x ");
	buf_text(&long_text, "z");
	buf_clear(&b);
	message_field_add(&b, "S", buf_str(&long_text), false);
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line))
		assert_true(line.len <= 79);
	rest = str_skip(buf_str(&b), 3);
	is(message_words_decode(a, message_field_unfold(a, rest)),
		arena_strdup(a, str_trim(buf_str(&long_text))));

	buf_clear(&long_text);
	for (int i = 0; i < 5000; i++)
		buf_byte(&long_text, 'y');
	buf_clear(&b);
	message_field_add(&b, "References", buf_str(&long_text), false);
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line))
		assert_true(line.len <= 999);
	buf_free(&b);
	buf_free(&long_text);
	arena_close(&a);
}

static void parts(void **state)
{
	static const struct {
		const char *type, *text, *want;
	} cases[] = {
		{"text/plain", "a\nb",
			"--B\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\na\r\nb\r\n\r\n"},
		{"text/plain", "\xc3\xbc= \r\nx",
			"--B\r\nContent-Type: text/plain; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
			"=C3=BC=3D=20\r\nx\r\n\r\n"},
		{"message/delivery-status", "A: b\r\n",
			"--B\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n\r\n"},
		{"message/global-headers", "A: \xc3\xbc\n",
			"--B\r\nContent-Type: message/global-headers\r\n"
			"Content-Transfer-Encoding: 8bit\r\n\r\nA: \xc3\xbc\r\n\r\n"},
	};
	struct buf b = {0}, text = {0};
	struct str rest, line;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&b);
		message_part_add(&b, "B", cases[i].type, str_from(cases[i].text));
		is(buf_str(&b), cases[i].want);
	}
	for (int i = 0; i < 2000; i++)
		buf_byte(&text, 'x');
	buf_clear(&b);
	message_part_add(&b, "B", "text/plain", buf_str(&text));
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line))
		assert_true(line.len <= 77);
	buf_free(&b);
	buf_free(&text);
}

static void message_ids(void **state)
{
	struct arena *a = arena_open();
	struct str one, two;

	(void)state;
	clock_set_fake(1795510156000);
	one = message_id_new(a, "h.example");
	two = message_id_new(a, "h.example");
	clock_set_fake(0);
	assert_true(str_starts(one, STR("<1795510156.")));
	assert_true(str_ends(one, STR("@h.example>")));
	assert_false(str_eq(one, two));
	arena_close(&a);
}

static void facts(void **state)
{
	struct arena *a = arena_open();
	struct message_facts f;

	(void)state;
	message_facts_read(a,
		STR("Received: a\r\nReceived: b\r\n\tc\r\nFROM: x@y\r\nFrom: z@y\r\n"
		    "Message-Id:\r\n <1@x>\r\ndate: now\r\nSubject: hello\r\n"
		    "TLS-Required: No\r\ntls-required: no\r\n\r\nReturn-Path: body\r\n"),
		&f);
	assert_int_equal(f.received_count, 2);
	assert_int_equal(f.from_count, 2);
	is(f.from, " x@y");
	is(f.message_id, "<1@x>");
	is(f.subject, " hello");
	assert_true(f.has_from && f.has_date && f.has_message_id && !f.has_return_path);
	assert_true(f.tls_required_no);

	message_facts_read(
		a, STR("TLS-Required: No\r\nTLS-Required: yes\r\nbroken\r\nFrom: a@b\r\n"), &f);
	assert_false(f.tls_required_no);
	assert_false(f.has_from);
	message_facts_read(a, (struct str){NULL, 0}, &f);
	assert_int_equal(f.received_count, 0);
	assert_false(f.tls_required_no);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_fields_in_order),
		cmocka_unit_test(header_that_is_none),
		cmocka_unit_test(unfolding_leaves_no_line_end),
		cmocka_unit_test(addresses_parse_and_write),
		cmocka_unit_test(address_limits),
		cmocka_unit_test(mailboxes_parse),
		cmocka_unit_test(encoded_words),
		cmocka_unit_test(dates),
		cmocka_unit_test(received_field),
		cmocka_unit_test(fields_are_folded_and_encoded),
		cmocka_unit_test(parts),
		cmocka_unit_test(message_ids),
		cmocka_unit_test(facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
