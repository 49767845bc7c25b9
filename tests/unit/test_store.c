#include "tests/unit/unit.h"

#include "store/db.h"
#include "store/directory.h"
#include "store/web.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct store *s;
	struct arena *a;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err = {.kind = ERR_NONE};

	snprintf(f->dir, sizeof(f->dir), "/tmp/mox-store-XXXXXX");
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
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	int rc = system(command);
	free(f);
	return rc;
}

static void reopen(struct fixture *f)
{
	struct err err;

	store_close(&f->s);
	assert_int_equal(store_open(f->dir, &f->s, &err), 0);
}

static int64_t add(struct fixture *f, const char *const *addresses, size_t count, bool hold)
{
	struct store_rcpt_new rcpts[8] = {{.notify = 0}};
	struct store_msg_new msg = {.session = STR("s1"),
		.mail_from = STR("from@example.net"),
		.prefix = STR("Received: x\r\n"),
		.body = STR("Subject: y\r\n\r\nbody\r\n"),
		.rcpts = rcpts,
		.rcpt_count = count,
		.hold = hold};
	struct err err;
	int64_t id = 0;

	for (size_t i = 0; i < count; i++) {
		struct str local;
		rcpts[i].address = str_from(addresses[i]);
		assert_true(str_split(rcpts[i].address, '@', &local, &rcpts[i].dest));
	}
	assert_int_equal(store_msg_add(f->s, &msg, &id, &err), 0);
	return id;
}

static int64_t add_one(struct fixture *f, const char *address)
{
	return add(f, &address, 1, false);
}

static void expect_due(struct fixture *f, const char *want)
{
	char dest[STORE_DEST_MAX];

	assert_int_equal(store_due_wait(f->s, deadline_in_ms(500), dest), 1);
	assert_string_equal(dest, want);
}

static void expect_none_due(struct fixture *f)
{
	char dest[STORE_DEST_MAX];

	assert_int_equal(store_due_wait(f->s, deadline_in_ms(30), dest), 0);
}

static size_t claim(struct fixture *f, const char *dest, size_t max, struct store_claim **claims)
{
	struct err err;
	size_t count;

	assert_int_equal(store_claim(f->s, dest, max, f->a, claims, &count, &err), 0);
	return count;
}

static void finish(
	struct fixture *f, const struct store_claim *c, enum store_outcome outcome, int64_t next_ms)
{
	struct store_rcpt_result results[8] = {{.rcpt_id = 0}};
	struct store_attempt at = {.msg_id = c->id,
		.started_ms = clock_unix_ms(),
		.results = results,
		.result_count = c->rcpt_count};
	struct err err;

	for (size_t i = 0; i < c->rcpt_count; i++)
		results[i] = (struct store_rcpt_result){.rcpt_id = c->rcpts[i].id,
			.outcome = outcome,
			.next_attempt_ms = next_ms,
			.code = 451,
			.ecode = STR("4.3.0"),
			.text = STR("not now"),
			.attempted = true};
	assert_int_equal(store_attempt_add(f->s, &at, &err), 0);
}

static void message_lives_from_add_to_delivery(void **state)
{
	struct fixture *f = *state;
	struct store_claim *c;
	struct store_body *body;
	struct str piece;
	struct err err;
	struct store_queue_summary sum;
	int64_t id = add_one(f, "a@example.org");

	expect_due(f, "example.org");
	assert_int_equal(claim(f, "example.org", 10, &c), 1);
	assert_true(c->id == id && c->rcpt_count == 1);
	assert_true(str_eq(c->mail_from, STR("from@example.net")));
	assert_int_equal(store_body_open(f->s, id, &body, &err), 0);
	assert_int_equal(store_body_next(body, &piece, &err), 1);
	assert_true(str_eq(piece, STR("Received: x\r\n")));
	assert_int_equal(store_body_next(body, &piece, &err), 1);
	assert_true(str_eq(piece, STR("Subject: y\r\n\r\nbody\r\n")));
	assert_int_equal(store_body_next(body, &piece, &err), 0);
	store_body_close(&body);
	finish(f, c, STORE_DELIVERED, 0);
	store_due_return(f->s, "example.org", 0);
	expect_none_due(f);
	assert_int_equal(store_queue_summary(f->s, &sum, &err), 0);
	assert_int_equal(sum.queued + sum.held + sum.messages, 0);
	assert_int_equal(store_body_open(f->s, id, &body, &err), -1);
	reopen(f);
	assert_true(add_one(f, "a@example.org") > id); /* ids are never given twice */
}

static void deferred_comes_again(void **state)
{
	struct fixture *f = *state;
	struct store_claim *c;
	struct store_queue_message m;
	struct err err;
	int64_t id = add_one(f, "a@example.org");

	expect_due(f, "example.org");
	assert_int_equal(claim(f, "example.org", 10, &c), 1);
	finish(f, c, STORE_DEFERRED, clock_unix_ms() + 120);
	store_due_return(f->s, "example.org", 0);
	expect_none_due(f);
	expect_due(f, "example.org");
	assert_int_equal(claim(f, "example.org", 10, &c), 1);
	assert_int_equal(c->rcpts[0].attempts, 1);
	assert_int_equal(store_queue_get(f->s, id, f->a, &m, &err), 1);
	assert_int_equal(m.attempt_count, 1);
	assert_true(str_eq(m.attempts[0].text, STR("not now")));
	assert_true(m.rcpts[0].in_flight);
	store_claim_release(f->s, c, 1);
	store_due_return(f->s, "example.org", 0);
	expect_due(f, "example.org"); /* released: due as it was */
}

static void claims_go_on_where_the_last_ended(void **state)
{
	struct fixture *f = *state;
	struct store_claim *one, *two, *three;
	int64_t first = add_one(f, "a@x.org");
	size_t changed;
	struct err err;

	for (int i = 0; i < 4; i++)
		add_one(f, "b@x.org");
	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 2, &one), 2);
	assert_true(one[0].id == first);
	store_due_return(f->s, "x.org", 0);
	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 2, &two), 2);
	assert_true(two[0].id == first + 2);
	/* Deferred and kicked: lies before the cursor now, and must not be lost. */
	finish(f, &one[0], STORE_DEFERRED, clock_unix_ms() + 100000);
	assert_int_equal(store_queue_act(f->s, STORE_QUEUE_RETRY, first, 0, &changed, &err), 0);
	assert_int_equal(changed, 1);
	store_due_return(f->s, "x.org", 0);
	expect_due(f, "x.org");
	assert_int_equal(
		claim(f, "x.org", 10, &three), 2); /* ids order: the kicked one, the fifth */
	assert_true(three[0].id == first && three[1].id == first + 4);
	store_due_return(f->s, "x.org", 0);
	expect_none_due(f);
	/* A message that arrives meanwhile wakes at once. */
	add_one(f, "c@x.org");
	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 10, &three), 1);
}

/* The queue takes a destination, finds that it may not deliver now, and puts it back. */
static void given_back_without_a_claim_is_due(void **state)
{
	struct fixture *f = *state;
	struct store_claim *c;

	add_one(f, "a@x.org");
	expect_due(f, "x.org");
	store_due_return(f->s, "x.org", 0);
	expect_due(f, "x.org");
	store_due_return(f->s, "x.org", clock_unix_ms() + 100);
	expect_none_due(f);
	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 10, &c), 1);
	store_due_return(f->s, "x.org", 0);
	expect_none_due(f);
}

static void recipients_of_one_message_stay_together(void **state)
{
	static const char *const to[] = {"a@x.org", "b@x.org", "c@y.org"};
	struct fixture *f = *state;
	struct store_claim *c;
	struct store_queue_message m;
	struct err err;
	int64_t id = add(f, to, 3, false);

	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 10, &c), 1);
	assert_int_equal(c[0].rcpt_count, 2);
	finish(f, c, STORE_DELIVERED, 0);
	assert_int_equal(store_queue_get(f->s, id, f->a, &m, &err), 1);
	assert_int_equal(m.rcpt_count, 3);
	assert_int_equal(m.rcpts[0].state, STORE_RCPT_DELIVERED);
	assert_int_equal(m.rcpts[2].state, STORE_RCPT_QUEUED);
	expect_due(f, "y.org");
	assert_int_equal(claim(f, "y.org", 10, &c), 1);
	finish(f, c, STORE_FAILED, 0);
	assert_int_equal(store_queue_get(f->s, id, f->a, &m, &err), 0);
}

static void hold_unhold_drop(void **state)
{
	static const char *const to[] = {"a@x.org", "b@y.org"};
	struct fixture *f = *state;
	struct store_queue_summary sum;
	struct store_queue_row *rows;
	struct err err;
	size_t changed, count;
	bool more;
	int64_t after, id = add(f, to, 2, true);
	struct store_queue_filter filter = {.state = STORE_RCPT_HELD, .limit = 10};

	expect_none_due(f);
	assert_int_equal(
		store_queue_list(f->s, &filter, f->a, &rows, &count, &more, &after, &err), 0);
	assert_int_equal(count, 2);
	assert_false(more);
	assert_int_equal(
		store_queue_act(f->s, STORE_QUEUE_UNHOLD, id, rows[0].rcpt_id, &changed, &err), 0);
	assert_int_equal(changed, 1);
	expect_due(f, "x.org");
	store_due_return(f->s, "x.org", 0);
	assert_int_equal(store_queue_summary(f->s, &sum, &err), 0);
	assert_true(sum.queued == 1 && sum.held == 1 && sum.messages == 1);
	reopen(f); /* the figures are the same when read from disk */
	assert_int_equal(store_queue_summary(f->s, &sum, &err), 0);
	assert_true(sum.queued == 1 && sum.held == 1 && sum.messages == 1);
	filter.state = -1;
	filter.dest = STR("x.org");
	assert_int_equal(
		store_queue_list(f->s, &filter, f->a, &rows, &count, &more, &after, &err), 0);
	assert_int_equal(count, 1);
	filter = (struct store_queue_filter){.state = -1, .text = STR("FROM@"), .limit = 1};
	assert_int_equal(
		store_queue_list(f->s, &filter, f->a, &rows, &count, &more, &after, &err), 0);
	assert_true(count == 1 && more);
	assert_int_equal(store_queue_act_all(f->s, STORE_QUEUE_DROP, &filter, &changed, &err), 0);
	assert_int_equal(changed, 2);
	assert_int_equal(store_queue_summary(f->s, &sum, &err), 0);
	assert_true(sum.queued == 0 && sum.held == 0 && sum.messages == 0);
}

static void suspended_are_counted_not_tried(void **state)
{
	struct fixture *f = *state;
	struct store_claim *c;
	struct err err;
	size_t changed;

	for (int i = 0; i < 5; i++)
		add_one(f, "a@x.org");
	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 1, &c), 1);
	assert_int_equal(
		store_due_suspend(f->s, "x.org", STR("down"), 8, 5, 450, 3, &changed, &err), 0);
	assert_int_equal(changed, 3);
	store_due_return(f->s, "x.org", 0);
	expect_due(f, "x.org");
	assert_int_equal(claim(f, "x.org", 10, &c), 1);
	/* The last attempt before giving up is made for real. */
	assert_int_equal(
		store_due_suspend(f->s, "x.org", STR("down"), 1, 5, 450, 9, &changed, &err), 0);
	assert_int_equal(changed, 0);
}

/* --- the writer --- */

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int waiting_for;
	atomic_bool entered; /* it runs */
};

/* Keeps the writer busy until some more operations are queued behind it. */
static int gate_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct gate *g = arg;

	(void)db;
	(void)err;
	atomic_store(&g->entered, true);
	for (;;) {
		int queued = 0;
		pthread_mutex_lock(&s->write_lock);
		for (struct write_op *op = s->write_head; op != NULL; op = op->next)
			queued++;
		pthread_mutex_unlock(&s->write_lock);
		if (queued >= g->waiting_for)
			return 0;
		usleep(500);
	}
}

enum job_kind { JOB_GOOD, JOB_BAD, JOB_POISON, JOB_GATE };
struct job {
	struct fixture *f;
	enum job_kind kind;
	int number, rc;
	struct err err;
	pthread_t thread;
	struct gate gate;
};

static int job_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct job *j = arg;
	char sql[160];

	(void)s;
	snprintf(sql, sizeof(sql), "INSERT INTO setting VALUES('job%d', 'x')", j->number);
	if (db_exec(db, sql, err) < 0)
		return -1;
	if (j->kind == JOB_BAD)
		return db_exec(db, "INSERT INTO setting VALUES('job0', NULL)", err);
	if (j->kind == JOB_POISON) /* accepted now, refused by COMMIT */
		return db_exec(db,
			"PRAGMA defer_foreign_keys = ON; INSERT INTO route VALUES(1, 1, '', '', 0, "
			"999)",
			err);
	return 0;
}

static void *job_thread(void *arg)
{
	struct job *j = arg;
	struct write_op op = {.run = j->kind == JOB_GATE ? gate_run : job_run,
		.arg = j->kind == JOB_GATE ? (void *)&j->gate : (void *)j};

	j->rc = store_write(j->f->s, &op, &j->err);
	return NULL;
}

/* Runs jobs 1.. in one transaction behind job 0, the gate. */
static void jobs_run(struct job *jobs, int count)
{
	for (int i = 0; i < count; i++) {
		assert_int_equal(pthread_create(&jobs[i].thread, NULL, job_thread, &jobs[i]), 0);
		/* The others must not come into the gate's own transaction. */
		while (i == 0 && !atomic_load(&jobs[0].gate.entered))
			usleep(500);
	}
	for (int i = 0; i < count; i++)
		pthread_join(jobs[i].thread, NULL);
}

static bool setting_exists(struct fixture *f, const char *name)
{
	struct str value;
	struct err err;

	return store_setting_get(f->s, name, f->a, &value, &err) == 1;
}

static void failed_operation_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct job jobs[4] = {{.f = f, .kind = JOB_GATE, .gate = {.waiting_for = 3}},
		{.f = f, .kind = JOB_GOOD, .number = 1}, {.f = f, .kind = JOB_BAD, .number = 2},
		{.f = f, .kind = JOB_GOOD, .number = 3}};
	struct store_stats stats;

	jobs_run(jobs, 4);
	assert_int_equal(jobs[1].rc, 0);
	assert_int_equal(jobs[2].rc, -1);
	assert_int_equal(jobs[3].rc, 0);
	assert_true(setting_exists(f, "job1") && setting_exists(f, "job3"));
	assert_false(setting_exists(f, "job2"));
	store_stats_get(f->s, &stats);
	assert_int_equal(stats.batch_max, 3);
	assert_int_equal(stats.failed_operations, 1);
}

static void failed_commit_fails_all(void **state)
{
	struct fixture *f = *state;
	struct job jobs[4] = {{.f = f, .kind = JOB_GATE, .gate = {.waiting_for = 3}},
		{.f = f, .kind = JOB_GOOD, .number = 1}, {.f = f, .kind = JOB_POISON, .number = 2},
		{.f = f, .kind = JOB_GOOD, .number = 3}};
	struct job after = {.f = f, .kind = JOB_GOOD, .number = 4};

	jobs_run(jobs, 4);
	for (int i = 1; i < 4; i++) {
		assert_int_equal(jobs[i].rc, -1);
		assert_true(jobs[i].err.text[0] != '\0');
	}
	assert_false(setting_exists(f, "job1") || setting_exists(f, "job3"));
	job_thread(&after); /* and the writer goes on */
	assert_int_equal(after.rc, 0);
}

static int pages_limit_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	(void)s;
	return db_exec(db, arg, err);
}

static void full_disk_is_said_and_survived(void **state)
{
	struct fixture *f = *state;
	char limit[] = "PRAGMA max_page_count = 1", lift[] = "PRAGMA max_page_count = 1000000";
	struct write_op op = {.run = pages_limit_run, .arg = limit};
	char *body = mem_alloc(100000);
	struct store_rcpt_new rcpt = {.address = STR("a@x.org"), .dest = STR("x.org")};
	struct store_msg_new msg = {
		.rcpts = &rcpt, .rcpt_count = 1, .body = (struct str){body, 100000}};
	struct store_queue_summary sum;
	struct err err;
	int64_t id;

	assert_int_equal(store_write(f->s, &op, &err), 0); /* sets it to the present size */
	assert_int_equal(store_msg_add(f->s, &msg, &id, &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	assert_int_equal(store_queue_summary(f->s, &sum, &err), 0);
	assert_int_equal(sum.messages + sum.queued, 0);
	op.arg = lift;
	assert_int_equal(store_write(f->s, &op, &err), 0);
	assert_int_equal(store_msg_add(f->s, &msg, &id, &err), 0);
	free(body);
}

/* --- opening --- */

static void second_mox_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	struct err err;

	assert_int_equal(store_open(f->dir, &other, &err), -1);
	assert_non_null(strstr(err.text, "another mox"));
	assert_null(other);
}

static void file_write(const char *dir, const char *name, long at, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
	close(fd);
}

static void newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	char version[] = "PRAGMA user_version = 99";
	struct write_op op = {.run = pages_limit_run, .arg = version};
	struct store *other;
	struct err err;

	assert_int_equal(store_write(f->s, &op, &err), 0);
	store_close(&f->s);
	assert_int_equal(store_open(f->dir, &other, &err), -1);
	assert_non_null(strstr(err.text, "version 99"));
	assert_int_equal(store_open_readonly(f->dir, &other, &err), -1);
	f->s = other;
}

static void corrupt_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	struct err err;
	char garbage[3000];

	add_one(f, "a@x.org");
	store_close(&f->s);
	memset(garbage, 'z', sizeof(garbage) - 1);
	garbage[sizeof(garbage) - 1] = '\0';
	file_write(f->dir, "mox.db", 8192, garbage); /* the second page */
	assert_int_equal(store_open(f->dir, &other, &err), -1);
	assert_non_null(strstr(err.text, "corrupt"));
	file_write(f->dir, "mox.db", 0, "this is no database");
	assert_int_equal(store_open(f->dir, &other, &err), -1);
	assert_non_null(strstr(err.text, "corrupt"));
	f->s = other;
}

static void spool_and_rows_are_compared_at_start(void **state)
{
	struct fixture *f = *state;
	struct store_rcpt_new rcpt = {.address = STR("a@x.org"), .dest = STR("x.org")};
	struct store_msg_new msg = {.rcpts = &rcpt, .rcpt_count = 1};
	struct store_queue_message m;
	struct spool *sp;
	struct err err;
	char path[128];
	int64_t kept, lost;

	for (int64_t *id = &kept;; id = &lost) {
		assert_int_equal(spool_create(f->s, &sp, &err), 0);
		assert_int_equal(spool_write(sp, STR("big body\r\n"), &err), 0);
		assert_int_equal(spool_commit(sp, &err), 0);
		msg.spool = sp;
		assert_int_equal(store_msg_add(f->s, &msg, id, &err), 0);
		snprintf(path, sizeof(path), "%s/spool/%s", f->dir, spool_name(sp));
		spool_close(&sp);
		assert_int_equal(access(path, R_OK), 0);
		if (id == &lost)
			break;
	}
	assert_int_equal(unlink(path), 0);
	file_write(f->dir, "spool/orphan.msg", 0, "x");
	reopen(f);
	snprintf(path, sizeof(path), "%s/spool/orphan.msg", f->dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_queue_get(f->s, kept, f->a, &m, &err), 1);
	assert_int_equal(m.rcpts[0].state, STORE_RCPT_QUEUED);
	assert_int_equal(store_queue_get(f->s, lost, f->a, &m, &err), 1);
	assert_int_equal(m.rcpts[0].state, STORE_RCPT_HELD);
	assert_true(m.held_spool_missing);
}

/* --- directory --- */

static void directory_changes_are_seen_at_once(void **state)
{
	struct fixture *f = *state;
	struct store_domain d = {.name = STR("example.org"),
		.delivery = STORE_DELIVERY_RELAY,
		.relay = {.hosts = {STR("a:25"), STR("b:2525")}, .host_count = 2},
		.separator = STR("+")};
	struct store_domain got;
	struct store_account acc = {.name = STR("joe")}, gone;
	struct store_address addr = {.localpart = STR("joe")}, found;
	struct err err;

	assert_int_equal(store_domain_find(f->s, d.name, f->a, &got, &err), 0);
	assert_int_equal(store_domain_put(f->s, &d, &err), 0);
	assert_int_equal(store_domain_find(f->s, d.name, f->a, &got, &err), 1);
	assert_true(got.id == d.id && got.relay.host_count == 2);
	assert_true(str_eq(got.relay.hosts[1], STR("b:2525")));
	assert_int_equal(store_domain_find(f->s, d.name, f->a, &got, &err), 1); /* cached */
	assert_true(str_eq(got.relay.hosts[1], STR("b:2525")));
	struct store_domain twin = {.name = STR("example.org")};
	assert_int_equal(store_domain_put(f->s, &twin, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_int_equal(store_account_put(f->s, &acc, &err), 0);
	addr.domain_id = d.id;
	addr.account_id = acc.id;
	assert_int_equal(store_address_put(f->s, &addr, &err), 0);
	assert_int_equal(store_address_find(f->s, d.id, STR("joe"), f->a, &found, &err), 1);
	assert_true(str_eq(found.account, STR("joe")));
	assert_int_equal(store_account_delete(f->s, acc.id, &err), -1);
	assert_non_null(strstr(err.text, "addresses"));
	assert_int_equal(store_domain_delete(f->s, d.id, &err), 0);
	assert_int_equal(store_address_find(f->s, d.id, STR("joe"), f->a, &found, &err), 0);
	assert_int_equal(store_account_delete(f->s, acc.id, &err), 0);
	assert_int_equal(store_account_find(f->s, STR("joe"), f->a, &gone, &err), 0);
}

static void routes_choose_the_first_match(void **state)
{
	struct fixture *f = *state;
	struct store_transport t = {.name = STR("smart"),
		.relay = {.hosts = {STR("smart.example:587")}, .host_count = 1}};
	struct store_transport got;
	struct store_route sub = {.to_domain = STR(".example.com")};
	struct store_route late = {.min_attempts = 3};
	struct err err;
	struct str from = STR("a.org");

	assert_int_equal(store_transport_put(f->s, &t, &err), 0);
	late.transport_id = t.id;
	assert_int_equal(store_route_put(f->s, &sub, &err), 0);
	assert_int_equal(store_route_put(f->s, &late, &err), 0);
	assert_int_equal(
		store_route_choose(f->s, from, STR("x.EXAMPLE.com"), 9, f->a, &got, &err), 1);
	assert_int_equal(got.id, 0); /* direct */
	assert_int_equal(
		store_route_choose(f->s, from, STR("example.net"), 2, f->a, &got, &err), 0);
	assert_int_equal(
		store_route_choose(f->s, from, STR("example.net"), 3, f->a, &got, &err), 1);
	assert_true(str_eq(got.relay.hosts[0], STR("smart.example:587")));
	assert_int_equal(store_transport_delete(f->s, t.id, &err), -1);
}

static void routes_change_places(void **state)
{
	struct fixture *f = *state;
	/* Two share a place, as older rows may. */
	struct store_route in[] = {{.position = 1, .to_domain = STR("a")},
		{.position = 4, .to_domain = STR("b")}, {.position = 4, .to_domain = STR("c")}};
	static const char *const wanted[] = {"a", "c", "b"};
	struct store_route *rows;
	size_t n;
	struct err err;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(store_route_put(f->s, &in[i], &err), 0);
	assert_int_equal(store_route_swap(f->s, in[2].id, in[1].id, &err), 0);
	assert_int_equal(store_route_list(f->s, f->a, &rows, &n, &err), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_true(str_eq(rows[i].to_domain, str_from(wanted[i])));
		assert_int_equal(rows[i].position, i + 1);
	}
	assert_int_equal(store_route_swap(f->s, in[0].id, 99, &err), -1);
	assert_string_equal(err.text, "the route is gone");
}

static void trusted_networks_and_sessions(void **state)
{
	struct fixture *f = *state;
	struct store_network net = {.cidr = STR("10.0.0.0/8")};
	struct store_web_session session = {.token_hash = "h1", .csrf = "c", .expires_s = 100}, got;
	struct ip inside, outside;
	struct err err;

	assert_true(ip_parse(STR("10.1.2.3"), &inside) && ip_parse(STR("11.1.2.3"), &outside));
	assert_false(store_network_trusts(f->s, &inside));
	assert_int_equal(store_network_put(f->s, &net, &err), 0);
	assert_true(store_network_trusts(f->s, &inside));
	assert_false(store_network_trusts(f->s, &outside));
	assert_int_equal(store_web_session_add(f->s, &session, &err), 0);
	assert_int_equal(store_web_session_find(f->s, "h1", 99, &got, &err), 1);
	assert_string_equal(got.csrf, "c");
	assert_int_equal(store_web_session_find(f->s, "h1", 100, &got, &err), 0);
	assert_int_equal(store_web_session_clear(f->s, &err), 0);
	assert_int_equal(store_web_session_find(f->s, "h1", 1, &got, &err), 0);
}

static void ids_have_a_text(void **state)
{
	char text[STORE_ID_TEXT];
	int64_t id;

	(void)state;
	assert_string_equal(store_id_text(1, text), "q1");
	assert_true(store_id_parse(str_from(store_id_text(123456789, text)), &id));
	assert_true(id == 123456789);
	assert_false(store_id_parse(STR("q"), &id));
	assert_false(store_id_parse(STR("12"), &id));
	assert_false(store_id_parse(STR("q1!"), &id));
	assert_false(store_id_parse(STR("q0"), &id));
}

/* A copy made while mox runs is what a killed one leaves behind. */
static void figures_are_right_after_a_crash(void **state)
{
	static const char *const to[] = {"a@x.org", "b@y.org"};
	struct fixture *f = *state;
	struct store_queue_summary sum;
	struct store *copy;
	char dir[80], file[100];
	struct err err;
	int64_t last;

	add(f, to, 2, true);
	last = add_one(f, "c@x.org");
	snprintf(dir, sizeof(dir), "%s/copy", f->dir);
	snprintf(file, sizeof(file), "%s/mox.db", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(store_backup(f->s, file, &err), 0);
	assert_int_equal(store_open(dir, &copy, &err), 0);
	assert_int_equal(store_queue_summary(copy, &sum, &err), 0);
	assert_true(sum.messages == 2 && sum.queued == 1 && sum.held == 2);
	struct store *mine = f->s;
	f->s = copy;
	assert_true(add_one(f, "d@x.org") > last);
	f->s = mine;
	store_close(&copy);
}

static void counters_add_up(void **state)
{
	struct fixture *f = *state;
	int64_t sums[STORE_COUNT_MAX];
	struct err err;

	store_count(f->s, STORE_COUNT_RECEIVED, 2);
	assert_int_equal(store_counts_day(f->s, clock_unix_s(), sums, &err), 0);
	assert_int_equal(sums[STORE_COUNT_RECEIVED], 2);
	reopen(f); /* flushed at close */
	store_count(f->s, STORE_COUNT_RECEIVED, 1);
	assert_int_equal(store_counts_day(f->s, clock_unix_s(), sums, &err), 0);
	assert_int_equal(sums[STORE_COUNT_RECEIVED], 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(message_lives_from_add_to_delivery),
		T(deferred_comes_again),
		T(claims_go_on_where_the_last_ended),
		T(given_back_without_a_claim_is_due),
		T(recipients_of_one_message_stay_together),
		T(hold_unhold_drop),
		T(suspended_are_counted_not_tried),
		T(failed_operation_fails_alone),
		T(failed_commit_fails_all),
		T(full_disk_is_said_and_survived),
		T(second_mox_is_refused),
		T(newer_schema_is_refused),
		T(corrupt_database_is_refused),
		T(spool_and_rows_are_compared_at_start),
		T(directory_changes_are_seen_at_once),
		T(routes_choose_the_first_match),
		T(routes_change_places),
		T(trusted_networks_and_sessions),
		T(figures_are_right_after_a_crash),
		T(counters_add_up),
		cmocka_unit_test(ids_have_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
