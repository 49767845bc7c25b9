#include "tests/unit/unit.h"

#include "base/metric.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static char *written(void)
{
	static char text[256 * 1024];
	struct buf b = {NULL, 0, 0};

	metric_write(&b);
	assert_true(b.len < sizeof(text));
	memcpy(text, b.p, b.len);
	text[b.len] = '\0';
	buf_free(&b);
	return text;
}

static void counts(void **state)
{
	(void)state;
	metric_inc(METRIC_SMTP_COMMANDS, METRIC_VERB_MAIL, METRIC_CLASS_2XX);
	metric_add(METRIC_SMTP_COMMANDS, METRIC_VERB_MAIL, METRIC_CLASS_2XX, 4);
	metric_add(METRIC_CONNECTIONS_OPEN, METRIC_SERVICE_SMTP, 0, 3);
	metric_add(METRIC_CONNECTIONS_OPEN, METRIC_SERVICE_SMTP, 0, -1);
	assert_int_equal(metric_value(METRIC_SMTP_COMMANDS, METRIC_VERB_MAIL, METRIC_CLASS_2XX), 5);
	char *text = written();
	assert_non_null(strstr(text, "\nmox_smtp_commands_total{verb=\"MAIL\",reply=\"2xx\"} 5\n"));
	assert_non_null(strstr(text, "\nmox_connections_open{service=\"smtp\"} 2\n"));
	assert_non_null(strstr(text, "# TYPE mox_connections_open gauge\n"));
}

/* Values that nobody foresaw count nothing, and nothing beside. */
static void out_of_range(void **state)
{
	(void)state;
	metric_inc(METRIC_SMTP_COMMANDS, METRIC_VERB_MAX, 0);
	metric_inc(METRIC_SMTP_COMMANDS, 0, METRIC_CLASS_MAX);
	metric_inc(METRIC_SMTP_COMMANDS, 4000000000U, 4000000000U);
	metric_inc(METRIC_BUILD_INFO, 1, 0);
	metric_observe(METRIC_STORE_COMMIT_SECONDS, 1, 5);
	metric_observe(METRIC_PAGE_SECONDS, 0, 5); /* no routes yet */
	for (unsigned v = 0; v < METRIC_VERB_MAX; v++)
		for (unsigned c = 0; c < METRIC_CLASS_MAX; c++)
			if (v != METRIC_VERB_MAIL)
				assert_int_equal(metric_value(METRIC_SMTP_COMMANDS, v, c), 0);
	assert_int_equal(metric_observed(METRIC_STORE_COMMIT_SECONDS, 0), 0);
}

/* Every label value of the widest metric has a cell: the last one counts. */
static void last_cells(void **state)
{
	(void)state;
	metric_inc(METRIC_SMTP_COMMANDS, METRIC_VERB_MAX - 1, METRIC_CLASS_MAX - 1);
	assert_int_equal(
		metric_value(METRIC_SMTP_COMMANDS, METRIC_VERB_MAX - 1, METRIC_CLASS_MAX - 1), 1);
	for (enum metric m = 0; m < METRIC_MAX; m++) {
		metric_inc(m, 0, 0);
		assert_true(metric_value(m, 0, 0) > 0);
	}
}

static const struct {
	int code;
	enum metric_class want;
} codes[] = {
	{200, METRIC_CLASS_2XX},
	{250, METRIC_CLASS_2XX},
	{354, METRIC_CLASS_3XX},
	{421, METRIC_CLASS_4XX},
	{499, METRIC_CLASS_4XX},
	{550, METRIC_CLASS_5XX},
	{0, METRIC_CLASS_5XX},
	{-7, METRIC_CLASS_5XX},
	{999, METRIC_CLASS_5XX},
};

static void classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(metric_class_of(codes[i].code), codes[i].want);
}

/* A bound belongs to its bucket, buckets are cumulative, what is above all is in +Inf. */
static void histogram(void **state)
{
	(void)state;
	metric_observe(METRIC_STORE_COMMIT_SECONDS, 0, 500);
	metric_observe(METRIC_STORE_COMMIT_SECONDS, 0, 501);
	metric_observe(METRIC_STORE_COMMIT_SECONDS, 0, 60000000);
	char *text = written();
	assert_non_null(strstr(text, "\nmox_store_commit_seconds_bucket{le=\"0.0005\"} 1\n"));
	assert_non_null(strstr(text, "\nmox_store_commit_seconds_bucket{le=\"0.001\"} 2\n"));
	assert_non_null(strstr(text, "\nmox_store_commit_seconds_bucket{le=\"5\"} 2\n"));
	assert_non_null(strstr(text, "\nmox_store_commit_seconds_bucket{le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(text, "\nmox_store_commit_seconds_sum 60.001001\n"));
	assert_non_null(strstr(text, "\nmox_store_commit_seconds_count 3\n"));
}

static void routes(void **state)
{
	static const char *const names[] = {"GET ", "GET a\"b\\c\nd"};

	(void)state;
	metric_page_routes(names, 2);
	metric_observe(METRIC_PAGE_SECONDS, 1, 1500);
	metric_observe(METRIC_PAGE_SECONDS, 2, 1500);
	char *text = written();
	assert_non_null(strstr(
		text, "\nmox_page_seconds_bucket{route=\"GET a\\\"b\\\\c\\nd\",le=\"0.002\"} 1\n"));
	assert_non_null(
		strstr(text, "\nmox_page_seconds_sum{route=\"GET a\\\"b\\\\c\\nd\"} 0.0015\n"));
	assert_null(strstr(text, "route=\"GET \""));
}

static void *count_much(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50000; i++) {
		metric_inc(METRIC_TLS_HANDSHAKES, METRIC_SIDE_OUT, METRIC_NOT_OK);
		metric_observe(METRIC_STORE_COMMIT_OPERATIONS, 0, i % 600);
	}
	return NULL;
}

static void threads(void **state)
{
	pthread_t t[4];
	struct err err;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(thread_spawn(&t[i], "count", count_much, NULL, &err), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(
		metric_value(METRIC_TLS_HANDSHAKES, METRIC_SIDE_OUT, METRIC_NOT_OK), 200000);
	assert_int_equal(metric_observed(METRIC_STORE_COMMIT_OPERATIONS, 0), 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(out_of_range),
		cmocka_unit_test(classes),
		cmocka_unit_test(histogram),
		cmocka_unit_test(routes),
		cmocka_unit_test(threads),
		cmocka_unit_test(last_cells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
