#include "tests/unit/unit.h"

#include "smtp/command.h"
#include "smtp/proxy.h"

static const struct {
	const char *line;
	int code; /* of the refusal, 0: taken */
} lines[] = {
	{"MAIL FROM:<a@b.example>", 0}, {"mail from:<a@b.example>", 0},
	{"MAIL FROM: <a@b.example>", 0}, {"MAIL FROM:<>", 0},
	{"MAIL FROM:<@x.example,@y.example:a@b.example>", 0},
	{"MAIL FROM:<\"a b>c\"@b.example> SIZE=1", 0},
	{"MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+20b AUTH=<>", 0},
	{"MAIL FROM:<a@b.example>  SIZE=10 ", 0}, {"MAIL FROM:a@b.example", 501},
	{"MAIL FROM:<a@b.example", 501}, {"MAIL FROM:<a@b.example>SIZE=1", 501},
	{"MAIL FROM:<@>", 501}, {"MAIL FROM:<a@b@c>", 501}, {"MAIL FROM:<a@b.example.>", 501},
	{"MAIL <a@b.example>", 501}, {"MAIL", 501}, {"MAIL FROM:<a@b.example> SIZE=", 501},
	{"MAIL FROM:<a@b.example> SIZE=-1", 501},
	{"MAIL FROM:<a@b.example> SIZE=99999999999999999999999", 501},
	{"MAIL FROM:<a@b.example> SIZE=1 size=1", 501}, {"MAIL FROM:<a@b.example> BODY=9BIT", 501},
	{"MAIL FROM:<a@b.example> SMTPUTF8=1", 501}, {"MAIL FROM:<a@b.example> RET=SOME", 501},
	{"MAIL FROM:<a@b.example> ENVID=a+0D+0Ab", 501}, /* would be a line of a DSN */
	{"MAIL FROM:<a@b.example> ENVID=a+2", 501}, {"MAIL FROM:<a@b.example> ENVID=a+2g", 501},
	{"MAIL FROM:<a@b.example> NOTIFY=NEVER", 555}, {"MAIL FROM:<a@b.example> NONSENSE", 555},
	{"RCPT TO:<a@b.example>", 0}, {"RCPT TO:<Postmaster>", 0},
	{"RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+40b", 0},
	{"RCPT TO:<a@b.example> ORCPT=utf-8;\303\274@b.example", 0}, {"RCPT TO:<>", 501},
	{"RCPT TO:<a>", 501}, {"RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", 501},
	{"RCPT TO:<a@b.example> NOTIFY=", 501}, {"RCPT TO:<a@b.example> ORCPT=rfc822", 501},
	{"RCPT TO:<a@b.example> ORCPT=rfc822;a\303\274", 501},
	{"RCPT TO:<a@b.example> ORCPT=rfc822;a+0Ab", 501}, {"RCPT TO:<a@b.example> SIZE=1", 555},
	{"EHLO mail_1.example", 0}, {"EHLO [192.0.2.1]", 0}, {"EHLO", 501}, {"EHLO a b", 501},
	{"EHLO a(b)", 501}, {"DATA", 0}, {"DATA x", 501}, {"BDAT 10", 0}, {"BDAT 0 LAST", 0},
	{"bdat 5 last", 0}, {"BDAT", 501}, {"BDAT x", 501}, {"BDAT -5", 501}, {"BDAT 5 FIRST", 501},
	{"BDAT 99999999999999999999", 501}, {"NOOP whatever", 0}, {"NOOP a\rb", 500},
	{"NOOP a\tb", 500}, {"RSET x", 501}, {"STARTTLS x", 501}, {"AUTH", 501},
	{"", 0},                          /* an unknown verb is the caller's to refuse */
	{"XYZZY", 0}, {"NOOP \377", 500}, /* no UTF-8 */
};

static void parses_each_line(void **state)
{
	struct arena *a = arena_open();

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct smtp_command c;
		struct smtp_refusal r = {.code = 0};
		int rc = smtp_command_parse(a, str_from(lines[i].line), &c, &r);

		print_message("case %zu: %s: %d\n", i, lines[i].line, r.code);
		assert_int_equal(rc, lines[i].code == 0 ? 0 : -1);
		assert_int_equal(r.code, lines[i].code);
	}
	arena_close(&a);
}

static void reads_parameters(void **state)
{
	struct arena *a = arena_open();
	struct smtp_command c;
	struct smtp_refusal r;

	(void)state;
	assert_int_equal(smtp_command_parse(a,
				 STR("MAIL FROM:<@x:\"a b\"@b.example> SIZE=77 BODY=8BITMIME "
				     "REQUIRETLS RET=FULL ENVID=e1"),
				 &c, &r),
		0);
	assert_true(str_eq(c.address.localpart, STR("a b")));
	assert_true(str_eq(c.address.domain, STR("b.example")));
	assert_true(c.has_size && c.size == 77 && c.requiretls && !c.smtputf8);
	assert_int_equal(c.body, SMTP_BODY_8BITMIME);
	assert_int_equal(c.ret, STORE_RET_FULL);
	assert_true(str_eq(c.envid, STR("e1")));
	assert_int_equal(smtp_command_parse(a, STR("BDAT 12 LAST"), &c, &r), 0);
	assert_true(c.chunk == 12 && c.last);
	assert_int_equal(smtp_command_parse(a, STR("GET / HTTP/1.1"), &c, &r), 0);
	assert_true(c.verb == SMTP_UNKNOWN && c.http);
	arena_close(&a);
}

/* --- PROXY v2 --- */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

static struct str header(char *out, unsigned version, unsigned family, const char *rest, size_t len)
{
	memcpy(out, signature, 12);
	out[12] = (char)version;
	out[13] = (char)family;
	out[14] = (char)(len >> 8);
	out[15] = (char)len;
	memcpy(out + 16, rest, len);
	return (struct str){out, 16 + len};
}

static void proxy_headers(void **state)
{
	static const char v4[] = "\300\0\2\7\177\0\0\1\x12\x34\0\31";
	static const char mapped[] = "\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\7"
				     "\0\0\0\0\0\0\0\0\0\0\377\377\177\0\0\1\x12\x34\0\31";
	char out[128], text[IP_TEXT];
	struct proxy_header h;
	struct err err;

	(void)state;
	struct str whole = header(out, 0x21, 0x11, v4, 12);
	assert_int_equal(proxy_header_parse(whole, &h, &err), 28);
	assert_string_equal(ip_text(&h.source, text), "192.0.2.7");
	assert_int_equal(h.source_port, 0x1234);
	for (size_t n = 0; n < whole.len; n++)
		assert_int_equal(proxy_header_parse((struct str){out, n}, &h, &err), 0);
	assert_int_equal(proxy_header_parse(header(out, 0x21, 0x21, mapped, 36), &h, &err), 52);
	assert_string_equal(ip_text(&h.source, text), "192.0.2.7");
	assert_int_equal(proxy_header_parse(header(out, 0x20, 0, "", 0), &h, &err), 16);
	assert_true(h.local);
	assert_int_equal(proxy_header_parse(header(out, 0x21, 0, "", 0), &h, &err), 16);
	assert_true(h.local);
	assert_int_equal(proxy_header_parse(header(out, 0x21, 0x11, v4, 11), &h, &err), -1);
	assert_int_equal(proxy_header_parse(header(out, 0x11, 0x11, v4, 12), &h, &err), -1);
	assert_int_equal(proxy_header_parse(header(out, 0x22, 0x11, v4, 12), &h, &err), -1);
	header(out, 0x21, 0x11, v4, 12);
	out[14] = 0x7f; /* says it is 32 KiB long */
	assert_int_equal(proxy_header_parse((struct str){out, 28}, &h, &err), -1);
	assert_int_equal(proxy_header_parse(STR("EHLO x.example\r\n"), &h, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_each_line),
		cmocka_unit_test(reads_parameters),
		cmocka_unit_test(proxy_headers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
