#include "tests/unit/unit.h"

#include "control/logfind.h"

static void what_is_typed_is_recognised(void **state)
{
	static const struct {
		const char *text;
		enum logfind_kind kind;
		const char *value;
	} rows[] = {
		{"", LOGFIND_NOTHING, ""},
		{"  \t", LOGFIND_NOTHING, ""},
		{"a@b.example", LOGFIND_ADDRESS, "a@b.example"},
		{" a@b.example ", LOGFIND_ADDRESS, "a@b.example"},
		{"a@b\xc3\xbc"
		 "cher.example",
			LOGFIND_ADDRESS, "a@xn--bcher-kva.example"},
		{"\"odd@local\"@b.example", LOGFIND_ADDRESS, "\"odd@local\"@b.example"},
		{"a@[192.0.2.1]", LOGFIND_ADDRESS, "a@[192.0.2.1]"},
		{"a@", LOGFIND_ADDRESS, "a@"},
		{"b.example", LOGFIND_DOMAIN, "b.example"},
		{"B.Example", LOGFIND_DOMAIN, "b.example"},
		{"@b.example", LOGFIND_DOMAIN, "b.example"},
		{"@localdomain", LOGFIND_DOMAIN, "localdomain"},
		{"b\xc3\xbc"
		 "cher.example",
			LOGFIND_DOMAIN, "xn--bcher-kva.example"},
		{"localhost", LOGFIND_DOMAIN, "localhost"},
		{"<x.y@z>", LOGFIND_MESSAGE_ID, "<x.y@z>"},
		{"<no at>", LOGFIND_MESSAGE_ID, "<no at>"},
		{"192.0.2.1", LOGFIND_IP, "192.0.2.1"},
		{"[192.0.2.1]", LOGFIND_IP, "192.0.2.1"},
		{"2001:DB8:0::1", LOGFIND_IP, "2001:db8::1"},
		{"7mywy61g1w729", LOGFIND_SESSION, "7mywy61g1w729"},
		{"q1f3k", LOGFIND_QUEUE_ID, ""},
		{"Q2", LOGFIND_QUEUE_ID, ""},
		{"bob", LOGFIND_UNKNOWN, ""},
		{"where is it", LOGFIND_UNKNOWN, ""},
		{"two words.example", LOGFIND_UNKNOWN, ""},
	};
	struct arena *a = arena_open();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_msglog_filter f = {.limit = 0};
		int64_t id = 0;
		print_message("%s\n", rows[i].text);
		assert_int_equal(logfind_text(a, str_from(rows[i].text), &f, &id), rows[i].kind);
		struct str got = f.address.len      ? f.address
				 : f.domain.len     ? f.domain
				 : f.message_id.len ? f.message_id
				 : f.ip.len         ? f.ip
						    : f.session;
		assert_true(str_eq(got, str_from(rows[i].value)));
		assert_int_equal(id != 0, rows[i].kind == LOGFIND_QUEUE_ID);
	}
	char big[LOGFIND_TEXT_MAX + 2];
	memset(big, 'a', sizeof(big));
	big[10] = '@';
	struct store_msglog_filter f = {.limit = 0};
	int64_t id = 0;
	assert_int_equal(
		logfind_text(a, (struct str){big, LOGFIND_TEXT_MAX}, &f, &id), LOGFIND_ADDRESS);
	assert_int_equal(
		logfind_text(a, (struct str){big, LOGFIND_TEXT_MAX + 1}, &f, &id), LOGFIND_UNKNOWN);
	arena_close(&a);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t want_ms; /* 0: refused */
	} rows[] = {
		{"2026-11-24", 1795478400000}, {"2026-11-24T10:30", 1795516200000},
		{"2026-11-24 10:30:05", 1795516205000}, {"2026-11-24T10:30:05Z", 1795516205000},
		{"2026-02-28", 1772236800000}, {"90m", 2000000000000 - 90 * 60000},
		{"24h", 2000000000000 - 86400000}, {"7d", 2000000000000 - 7 * 86400000LL},
		{"2026-02-30", 0}, {"2026-13-01", 0}, {"2026-11-24T25:00", 0}, {"2026-11-24T10", 0},
		{"2026-11-24x", 0}, {"26-11-24", 0}, {"yesterday", 0}, {"", 0}, {"d", 0}, {"7", 0},
		{"-7d", 0}, {"99999999999d", 0}, {"999999d", 0}, /* before 1970 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = 0;
		struct err err;
		print_message("%s\n", rows[i].text);
		int rc = logfind_time(str_from(rows[i].text), 2000000000000, &ms, &err);
		assert_int_equal(rc, rows[i].want_ms == 0 ? -1 : 0);
		if (rc == 0)
			assert_int_equal(ms, rows[i].want_ms);
	}
}

static void names_of_results(void **state)
{
	unsigned all = 0;

	(void)state;
	for (size_t i = 0; logfind_results[i] != NULL; i++) {
		unsigned bit = logfind_result(str_from(logfind_results[i]));
		assert_true(bit != 0 && (all & bit) == 0);
		all |= bit;
	}
	assert_int_equal(all, 255);
	assert_int_equal(logfind_result(STR("Delivered")), STORE_LOG_DELIVERED);
	assert_int_equal(logfind_result(STR("lost")), 0);
	assert_int_equal(logfind_result(STR("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_typed_is_recognised),
		cmocka_unit_test(times),
		cmocka_unit_test(names_of_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
