#include "tests/unit/unit.h"

#include "store/db.h"
#include "store/directory.h"
#include "store/statistics.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
static const int64_t noon_ms = INT64_C(1800000000000) / DAY_MS * DAY_MS + 12 * HOUR_MS;

struct fixture {
	char dir[64];
	struct store *s;
	struct arena *a;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err = {.kind = ERR_NONE};

	clock_set_fake(noon_ms);
	snprintf(f->dir, sizeof(f->dir), "/tmp/mox-stat-XXXXXX");
	if (mkdtemp(f->dir) == NULL || store_open(f->dir, &f->s, &err) < 0) {
		print_message("%s\n", err.text);
		return -1;
	}
	f->a = arena_open();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_close(&f->s);
	arena_close(&f->a);
	clock_set_fake(0);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	int rc = system(command);
	free(f);
	return rc;
}

/* Closing writes what was counted. */
static void at(struct fixture *f, int64_t unix_ms)
{
	struct err err;

	store_close(&f->s);
	clock_set_fake(unix_ms);
	assert_int_equal(store_open(f->dir, &f->s, &err), 0);
}

static int64_t add(struct fixture *f, const char *dest, size_t rcpts)
{
	struct store_rcpt_new list[8] = {{.notify = 0}};
	struct store_msg_new msg = {.mail_from = STR("from@example.net"),
		.prefix = STR("X: y\r\n"),
		.body = STR("\r\n"),
		.rcpts = list,
		.rcpt_count = rcpts};
	struct err err;
	int64_t id = 0;

	for (size_t i = 0; i < rcpts; i++) {
		list[i].address = STR("a@b");
		list[i].dest = str_from(dest);
	}
	assert_int_equal(store_msg_add(f->s, &msg, &id, &err), 0);
	return id;
}

static void by_hour_and_day(void **state)
{
	struct fixture *f = *state;
	struct store_stat_slot hours[24], days[30];
	struct err err;

	store_count(f->s, STORE_COUNT_RECEIVED, 5);
	assert_int_equal(store_stat_hours(f->s, noon_ms / 1000, 24, hours, &err), 0);
	assert_int_equal(hours[23].counts[STORE_COUNT_RECEIVED], 5); /* not on disk yet */
	at(f, noon_ms + 2 * HOUR_MS);
	store_count(f->s, STORE_COUNT_RECEIVED, 7);
	store_count(f->s, STORE_COUNT_REJECTED, 1);
	assert_int_equal(store_stat_hours(f->s, clock_unix_s(), 24, hours, &err), 0);
	assert_int_equal(hours[21].start_s, noon_ms / 1000);
	assert_int_equal(hours[21].counts[STORE_COUNT_RECEIVED], 5);
	assert_int_equal(hours[22].counts[STORE_COUNT_RECEIVED], 0);
	assert_int_equal(hours[23].counts[STORE_COUNT_RECEIVED], 7);
	assert_int_equal(hours[23].counts[STORE_COUNT_REJECTED], 1);
	at(f, noon_ms + 3 * DAY_MS);
	assert_int_equal(store_stat_days(f->s, clock_unix_s(), 30, days, &err), 0);
	assert_int_equal(days[26].counts[STORE_COUNT_RECEIVED], 12);
	assert_int_equal(days[26].start_s, noon_ms / 1000 - 12 * 3600);
	assert_int_equal(days[29].counts[STORE_COUNT_RECEIVED], 0);
	assert_int_equal(store_stat_hours(f->s, clock_unix_s(), 24, hours, &err), 0);
	for (size_t i = 0; i < 24; i++)
		assert_int_equal(hours[i].counts[STORE_COUNT_RECEIVED], 0);
	/* A range that has not come, or is long over, is empty and no error. */
	assert_int_equal(store_stat_days(f->s, 0, 30, days, &err), 0);
	assert_int_equal(days[29].counts[STORE_COUNT_RECEIVED], 0);
}

static void depth(void **state)
{
	struct fixture *f = *state;
	struct store_stat_slot hours[24];
	size_t changed;
	struct err err;

	int64_t id = add(f, "example.org", 3);
	at(f, noon_ms + 2 * HOUR_MS);
	assert_int_equal(store_queue_act(f->s, STORE_QUEUE_DROP, id, 0, &changed, &err), 0);
	at(f, noon_ms + 4 * HOUR_MS);
	assert_int_equal(store_stat_hours(f->s, clock_unix_s(), 24, hours, &err), 0);
	assert_int_equal(hours[18].queue_last, -1);
	assert_int_equal(hours[19].queue_last, 3);
	assert_int_equal(hours[19].queue_max, 3);
	assert_int_equal(hours[20].queue_last, 3); /* nothing was written in this one */
	assert_int_equal(hours[21].queue_max, 3);
	assert_int_equal(hours[21].queue_last, 0);
	assert_int_equal(hours[23].queue_max, 0);
}

static void domains(void **state)
{
	struct fixture *f = *state;
	struct store_stat_domain *rows;
	size_t count;
	struct err err;

	for (int i = 0; i < 3; i++)
		add(f, "busy.example", 4);
	add(f, "quiet.example", 1);
	at(f, noon_ms + DAY_MS);
	add(f, "quiet.example", 1);
	at(f, noon_ms + DAY_MS);
	assert_int_equal(
		store_stat_domains(f->s, noon_ms / 1000, 10, f->a, &rows, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_true(str_eq(rows[0].domain, STR("busy.example")));
	assert_int_equal(rows[0].accepted, 12);
	assert_int_equal(rows[1].accepted, 2);
	assert_int_equal(
		store_stat_domains(f->s, clock_unix_s(), 10, f->a, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_true(str_eq(rows[0].domain, STR("quiet.example")));
	assert_int_equal(store_stat_domains(f->s, noon_ms / 1000, 1, f->a, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
}

/* Far more domains than are kept: the busy one stays, rows stay bounded, and old days shrink
 * to fewer still and then go. */
static void many_domains(void **state)
{
	struct fixture *f = *state;
	struct store_stat_domain *rows;
	size_t count;
	struct err err;

	add(f, "busy.example", 8);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 600; i++) {
			char name[32];
			snprintf(name, sizeof(name), "d%d-%d.example", round, i);
			add(f, name, 1);
		}
		at(f, noon_ms);
	}
	assert_int_equal(
		store_stat_domains(f->s, noon_ms / 1000, 5000, f->a, &rows, &count, &err), 0);
	assert_in_range(count, 1000, 2000);
	assert_true(str_eq(rows[0].domain, STR("busy.example")));
	for (int i = 0; i < 2; i++) {
		at(f, noon_ms + DAY_MS);
		add(f, "next.example", 1);
	}
	at(f, noon_ms + DAY_MS);
	assert_int_equal(
		store_stat_domains(f->s, noon_ms / 1000, 5000, f->a, &rows, &count, &err), 0);
	assert_int_equal(count, 201);
	at(f, noon_ms + 60 * (int64_t)DAY_MS);
	add(f, "much-later.example", 1);
	at(f, noon_ms + 60 * (int64_t)DAY_MS);
	assert_int_equal(store_stat_domains(f->s, 0, 5000, f->a, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
}

static void first_domain(void **state)
{
	struct fixture *f = *state;
	bool any = true;
	struct err err;

	assert_int_equal(store_any_domain(f->s, &any, &err), 0);
	assert_false(any);
	struct store_domain d = {.name = STR("example.org")};
	assert_int_equal(store_domain_put(f->s, &d, &err), 0);
	assert_int_equal(store_any_domain(f->s, &any, &err), 0);
	assert_true(any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_hour_and_day, setup, teardown),
		cmocka_unit_test_setup_teardown(depth, setup, teardown),
		cmocka_unit_test_setup_teardown(domains, setup, teardown),
		cmocka_unit_test_setup_teardown(many_domains, setup, teardown),
		cmocka_unit_test_setup_teardown(first_domain, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
