#include "tests/unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/conn.h"
#include "base/net.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <sys/socket.h>
#include <unistd.h>

static void str_parses_numbers_strictly(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(str_to_u64(STR("0"), 10, &n));
	assert_int_equal(n, 0);
	assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_false(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &n));
	assert_false(str_to_u64(STR("11"), 10, &n));
	assert_false(str_to_u64(STR(""), 10, &n));
	assert_false(str_to_u64(STR("-1"), 10, &n));
	assert_false(str_to_u64(STR("1 "), 10, &n));
}

static void str_splits_and_compares(void **state)
{
	struct str rest = STR("a,,b"), tok;
	int seen = 0;

	(void)state;
	while (str_next(&rest, ',', &tok))
		seen++;
	assert_int_equal(seen, 3);
	assert_true(str_eq_nocase(STR("MaiL"), STR("mAIl")));
	assert_false(str_eq_nocase(STR("mail"), STR("mails")));
	assert_true(str_find(STR("aaab"), STR("ab")) != NULL);
	assert_null(str_find(STR("aaa"), STR("ab")));
	assert_int_equal(str_distance(STR("Hostnme"), STR("Hostname")), 1);
}

static void arena_keeps_what_it_gave(void **state)
{
	struct arena *a = arena_open();
	char *first = arena_printf(a, "%s-%d", "first", 1);
	char *big = arena_alloc(a, 100000);

	(void)state;
	memset(big, 'x', 100000);
	for (int i = 0; i < 1000; i++)
		arena_alloc(a, 100);
	assert_string_equal(first, "first-1");
	arena_close(&a);
	assert_null(a);
}

static void buf_escapes(void **state)
{
	struct buf b = {NULL, 0, 0};

	(void)state;
	buf_html(&b, STR("<a href=\"x\">&'\x01\xff\xc3\xa9"));
	assert_string_equal(b.p, "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\xef\xbf\xbd\xc3\xa9");
	buf_clear(&b);
	buf_json(&b, STR("a\"\\\n\x7f\xc0"));
	assert_string_equal(b.p, "a\\\"\\\\\\u000a\\u007f\xef\xbf\xbd");
	buf_clear(&b);
	buf_base64(&b, "foobar", 4);
	assert_string_equal(b.p, "Zm9vYg==");
	buf_free(&b);
}

static void utf8_refuses_bad_forms(void **state)
{
	static const char *const bad[] = {
		"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80", "\xc3"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(str_from(bad[i])));
	assert_true(utf8_valid(str_from("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")));
}

static void net_parses(void **state)
{
	struct cidr cidr;
	struct ip ip;
	struct err err;
	struct str host;
	unsigned port;
	char text[IP_TEXT];

	(void)state;
	assert_int_equal(cidr_parse(STR("10.1.0.0/16"), &cidr, &err), 0);
	assert_true(ip_parse(STR("10.1.255.3"), &ip));
	assert_true(cidr_contains(&cidr, &ip));
	assert_true(ip_parse(STR("::ffff:10.2.0.1"), &ip));
	assert_string_equal(ip_text(&ip, text), "10.2.0.1");
	assert_false(cidr_contains(&cidr, &ip));
	assert_int_equal(cidr_parse(STR("10.1.2.3/16"), &cidr, &err), -1);
	assert_non_null(strstr(err.text, "10.1.0.0/16"));
	assert_int_equal(cidr_parse(STR("10.0.0.0/33"), &cidr, &err), -1);
	assert_int_equal(hostport_parse(STR("[2001:db8::1]:24"), 25, &host, &port, &err), 0);
	assert_true(str_eq(host, STR("2001:db8::1")));
	assert_int_equal(port, 24);
	assert_int_equal(hostport_parse(STR("2001:db8::1"), 25, &host, &port, &err), 0);
	assert_int_equal(port, 25);
	assert_int_equal(hostport_parse(STR("h:0"), 25, &host, &port, &err), -1);
	assert_int_equal(hostport_parse(STR(":25"), 25, &host, &port, &err), -1);
	assert_true(ip_parse(STR("::1"), &ip) && ip_is_loopback(&ip) && ip_is_private(&ip));
	assert_true(ip_parse(STR("8.8.8.8"), &ip) && !ip_is_private(&ip));
}

static void conn_reads_lines_with_limits(void **state)
{
	struct conn *c;
	struct str line;
	struct err err;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	c = conn_open_fd(fd[0]);
	assert_int_equal(write(fd[1], "one\r\ntwo\nthr\ree\r\n", 17), 17);
	assert_int_equal(conn_read_line(c, 10, deadline_in_ms(1000), &line, &err), CONN_LINE_CRLF);
	assert_true(str_eq(line, STR("one")));
	assert_int_equal(conn_read_line(c, 10, deadline_in_ms(1000), &line, &err), CONN_LINE_LF);
	assert_true(str_eq(line, STR("two")));
	assert_int_equal(conn_read_line(c, 10, deadline_in_ms(1000), &line, &err), CONN_LINE_CRLF);
	assert_true(str_eq(line, STR("thr\ree")));
	int64_t before = clock_mono_ms();
	assert_int_equal(conn_read_line(c, 10, deadline_in_ms(60), &line, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_true(clock_mono_ms() - before >= 50 && clock_mono_ms() - before < 1000);
	assert_int_equal(write(fd[1], "0123456789a\r\n", 13), 13);
	assert_int_equal(conn_read_line(c, 10, deadline_in_ms(1000), &line, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	conn_discard(c);
	close(fd[1]);
	assert_int_equal(conn_read_line(c, 10, deadline_in_ms(1000), &line, &err), 0);
	conn_close(&c);
	assert_null(c);
}

static void ids_differ(void **state)
{
	char a[RAND_ID_TEXT], b[RAND_ID_TEXT];

	(void)state;
	assert_string_not_equal(rand_id(a), rand_id(b));
	assert_int_equal(strlen(a), 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_parses_numbers_strictly),
		cmocka_unit_test(str_splits_and_compares),
		cmocka_unit_test(arena_keeps_what_it_gave),
		cmocka_unit_test(buf_escapes),
		cmocka_unit_test(utf8_refuses_bad_forms),
		cmocka_unit_test(net_parses),
		cmocka_unit_test(conn_reads_lines_with_limits),
		cmocka_unit_test(ids_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
