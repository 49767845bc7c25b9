#include "base/buf.h"
#include "message/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct str decoded(struct arena *a, const struct mime_part *part)
{
	bool cut;

	return mime_decode(a, part, 1000, &cut);
}

static void is(struct str have, const char *want)
{
	if (!str_eq(have, str_from(want)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(have), want);
}

static void test_simple(void **state)
{
	static const struct {
		const char *text, *type, *charset, *body;
	} cases[] = {
		{"Subject: x\r\n\r\nhello\r\n", "text/plain", "", "hello\r\n"},
		{"Content-Type: TEXT/HTML; charset=\"utf-8\"\r\n\r\n<p>", "text/html", "utf-8",
			"<p>"},
		{"Content-Type: text/plain; charset=us-ascii; format=flowed\r\n"
		 "Content-Transfer-Encoding: BASE64\r\n\r\naGVs\r\nbG8=\r\n",
			"text/plain", "us-ascii", "hello"},
		{"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc=  \r\nd=zz",
			"text/plain", "", "a=bcd=zz"},
		{"Content-Type: nonsense\r\n\r\nx", "text/plain", "", "x"},
		{"Content-Type: multipart/mixed\r\n\r\nno boundary", "multipart/mixed", "",
			"no boundary"},
		{"Content-Type: multipart/mixed; boundary=x\r\n\r\nnever there", "multipart/mixed",
			"", "never there"},
		{"", "text/plain", "", ""},
		{"no header at all", "text/plain", "", "no header at all"},
	};
	struct arena *a = arena_open();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mime_message m;
		mime_read(a, str_from(cases[i].text), &m);
		assert_int_equal(m.count, 1);
		is(m.parts[0].type, cases[i].type);
		is(m.parts[0].charset, cases[i].charset);
		is(decoded(a, &m.parts[0]), cases[i].body);
	}
	arena_close(&a);
}

static void test_multipart(void **state)
{
	static const char text[] =
		"Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n"
		"Content-Type: multipart/report; report-type=tlsrpt; boundary=in\r\n\r\n"
		"--in \r\n\r\none\r\n--in\r\nContent-Type: application/tlsrpt+json; "
		"name=\"x.json\"\r\n"
		"\r\n{}\r\n--in--\r\nepilogue\r\n--a b\r\n"
		"Content-Disposition: attachment;\r\n filename*0*=utf-8''n%C3%A4; "
		"filename*1=me.pdf\r\n"
		"Content-Type: application/pdf\r\n\r\nPDF\r\n--a b--\r\nrest\r\n--a b\r\n\r\nlate";
	struct arena *a = arena_open();
	struct mime_message m;

	(void)state;
	mime_read(a, str_from(text), &m);
	assert_int_equal(m.count, 3);
	is(m.parts[0].body, "one");
	is(m.parts[0].within, "multipart/report");
	is(m.parts[0].report_type, "tlsrpt");
	is(m.parts[1].type, "application/tlsrpt+json");
	is(m.parts[1].name, "x.json");
	is(m.parts[1].body, "{}");
	is(m.parts[2].name, "n\xc3\xa4me.pdf");
	assert_true(m.parts[2].attachment);
	is(m.parts[2].body, "PDF");
	/* Cut off in the middle of a part. */
	mime_read(a, (struct str){text, (size_t)(strstr(text, "ne\r\n--in") - text)}, &m);
	assert_int_equal(m.count, 1);
	is(m.parts[0].body, "o");
	arena_close(&a);
}

/* What a stranger may try: depth, number, lengths. */
static void test_bounds(void **state)
{
	struct arena *a = arena_open();
	struct mime_message m;
	struct buf b = {NULL, 0, 0};
	bool cut;

	(void)state;
	for (int i = 0; i < 50; i++)
		buf_printf(
			&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
	mime_read(a, buf_str(&b), &m);
	assert_int_equal(m.count, 1);
	is(m.parts[0].type, "multipart/mixed");
	buf_clear(&b);
	buf_text(&b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 5000; i++)
		buf_text(&b, "--b\r\n\r\nx\r\n");
	mime_read(a, buf_str(&b), &m);
	assert_int_equal(m.count, MIME_PARTS_MAX);
	assert_int_equal(m.left_out, MIME_PARTS_MAX);
	buf_clear(&b);
	buf_text(&b, "Content-Type: text/plain; charset=");
	for (int i = 0; i < 10000; i++)
		buf_byte(&b, 'x');
	buf_text(&b, "\r\n\r\nbody");
	mime_read(a, buf_str(&b), &m);
	is(mime_to_utf8(a, m.parts[0].body, m.parts[0].charset), "body");
	is(mime_decode(a, &m.parts[0], 2, &cut), "bo");
	assert_true(cut);
	buf_free(&b);
	arena_close(&a);
}

static void test_charsets(void **state)
{
	struct arena *a = arena_open();

	(void)state;
	is(mime_to_utf8(a, STR("Gr\xfc\xdf"), STR("ISO-8859-1")), "Gr\xc3\xbc\xc3\x9f");
	is(mime_to_utf8(a, STR("a\xff"), STR("utf-8")), "a\xef\xbf\xbd");
	is(mime_to_utf8(a, STR("a\xff"), STR("")), "a\xef\xbf\xbd");
	is(mime_to_utf8(a, STR("x"), STR("no-such-charset")), "x");
	is(mime_to_utf8(a, STR("x"), STR("utf-8//TRANSLIT")), "x");
	is(mime_to_utf8(a, STR("\x1b$B$\""), STR("iso-2022-jp")), "\xe3\x81\x82");
	is(mime_param(a, STR("a/b; x=\"q\\\"; y=z\" ; Y = t"), "x"), "q\"; y=z");
	is(mime_param(a, STR("a/b; x=\"q\\\"; y=z\" ; Y=t"), "y"), "t");
	is(mime_param(a, STR("a/b; x*=bad%zz"), "x"), "bad%zz");
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_simple),
		cmocka_unit_test(test_multipart), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_charsets)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
