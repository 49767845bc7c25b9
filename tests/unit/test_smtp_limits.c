#include "tests/unit/unit.h"

#include "smtp/limits.h"

#include <stdio.h>

static struct ip address(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(str_from(text), &ip));
	return ip;
}

static void counts_open_connections_by_scope(void **state)
{
	struct config_limits c = {.connections_open = {2, 3, 4}, .connections_total = 6};
	struct smtp_limits *l = smtp_limits_new();
	struct ip a = address("192.0.2.1"), b = address("192.0.2.2"), n = address("192.0.2.129"),
		  far = address("198.51.100.1"), six = address("2001:db8::1");

	(void)state;
	assert_int_equal(smtp_limits_connect(l, &c, &a, 0), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &a, 0), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &a, 0), SMTP_LIMIT_OPEN);
	assert_int_equal(smtp_limits_connect(l, &c, &b, 0), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &b, 0), SMTP_LIMIT_OPEN); /* the /26 is full */
	assert_int_equal(smtp_limits_connect(l, &c, &n, 0), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &n, 0), SMTP_LIMIT_OPEN); /* the /21 is */
	assert_int_equal(smtp_limits_connect(l, &c, &six, 0), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &far, 0), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &far, 0), SMTP_LIMIT_TOTAL);
	smtp_limits_disconnect(l, &a);
	assert_int_equal(smtp_limits_connect(l, &c, &b, 0), SMTP_LIMIT_OK);
	struct smtp_limits_stats stats;
	smtp_limits_stats_get(l, &stats);
	assert_int_equal(stats.open, 6);
	assert_int_equal(stats.refused_total, 4);
	smtp_limits_free(&l);
	assert_null(l);
}

static void counts_rates_in_windows(void **state)
{
	struct config_limits c = {.connection_rate = {2, 0, 0},
		.auth_failures_min = {2, 0, 0},
		.auth_failures_day = {3, 0, 0},
		.delivery_bytes_min = {100, 0, 0},
		.delivery_messages_day = {3, 0, 0},
		.account_messages_day = 5};
	struct smtp_limits *l = smtp_limits_new();
	struct ip a = address("192.0.2.1"), b = address("192.0.2.2");
	int64_t now = 1000, later = now + 2 * 61 * 1000;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(smtp_limits_connect(l, &c, &a, now), SMTP_LIMIT_OK);
		smtp_limits_disconnect(l, &a);
	}
	assert_int_equal(smtp_limits_connect(l, &c, &a, now), SMTP_LIMIT_RATE);
	assert_int_equal(smtp_limits_connect(l, &c, &b, now), SMTP_LIMIT_OK);
	assert_int_equal(smtp_limits_connect(l, &c, &a, later), SMTP_LIMIT_OK);

	assert_true(smtp_limits_auth_allowed(l, &c, &a, now));
	smtp_limits_auth_failed(l, &a, now);
	smtp_limits_auth_failed(l, &a, now);
	assert_false(smtp_limits_auth_allowed(l, &c, &a, now));
	assert_true(smtp_limits_auth_allowed(l, &c, &b, now));
	assert_true(smtp_limits_auth_allowed(l, &c, &a, later));
	smtp_limits_auth_failed(l, &a, later);
	assert_false(smtp_limits_auth_allowed(l, &c, &a, later + 2 * 61 * 1000)); /* the day's */

	assert_true(smtp_limits_deliver(l, &c, &a, 60, now));
	assert_false(smtp_limits_deliver(l, &c, &a, 60, now));
	assert_true(smtp_limits_deliver(l, &c, &a, 40, now));
	assert_true(smtp_limits_deliver(l, &c, &a, 60, later));
	assert_false(smtp_limits_deliver(l, &c, &a, 1, later + 2 * 61 * 1000)); /* three a day */

	assert_true(smtp_limits_submit(l, &c, STR("anna"), 4, now));
	assert_false(smtp_limits_submit(l, &c, STR("anna"), 2, now));
	assert_true(smtp_limits_submit(l, &c, STR("bert"), 5, now));
	assert_true(smtp_limits_submit(l, &c, STR("anna"), 1, now));
	smtp_limits_free(&l);
}

/* A /32 of IPv6 has more addresses than we have memory. */
static void memory_is_bounded(void **state)
{
	struct config_limits c = {.connection_rate = {1, 0, 0}};
	struct smtp_limits *l = smtp_limits_new();
	struct ip held = address("192.0.2.1");
	char text[IP_TEXT];

	(void)state;
	assert_int_equal(smtp_limits_connect(l, &c, &held, 0), SMTP_LIMIT_OK);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
		struct ip ip = address(text);
		assert_int_equal(smtp_limits_connect(l, &c, &ip, 0), SMTP_LIMIT_OK);
		smtp_limits_disconnect(l, &ip);
	}
	/* What is open was not forgotten. */
	assert_int_equal(smtp_limits_connect(l, &c, &held, 0), SMTP_LIMIT_RATE);
	smtp_limits_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_open_connections_by_scope),
		cmocka_unit_test(counts_rates_in_windows),
		cmocka_unit_test(memory_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
