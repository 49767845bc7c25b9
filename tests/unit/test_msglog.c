#include "tests/unit/unit.h"

#include "store/msglog_priv.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
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

	snprintf(f->dir, sizeof(f->dir), "%s/mox-msglog-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* thousands of commits */
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

	clock_set_fake(0);
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

static struct store_rcpt_new rcpt_to(const char *address)
{
	struct store_rcpt_new r = {.address = str_from(address)};
	struct str local;

	assert_true(str_split(r.address, '@', &local, &r.dest));
	return r;
}

static int64_t msg_add(struct fixture *f, struct store_msg_new *msg)
{
	struct err err;
	int64_t id = 0;

	msg->body = STR("Subject: y\r\n\r\nbody\r\n");
	assert_int_equal(store_msg_add(f->s, msg, &id, &err), 0);
	return id;
}

static int64_t add_simple(struct fixture *f, const char *from, const char *to)
{
	struct store_rcpt_new rcpt = rcpt_to(to);
	struct store_msg_new msg = {.mail_from = str_from(from), .rcpts = &rcpt, .rcpt_count = 1};

	return msg_add(f, &msg);
}

/* The message that has something in every field. */
static int64_t add_full(struct fixture *f)
{
	struct store_rcpt_new rcpts[] = {rcpt_to("one@a.example"), rcpt_to("two@b.example")};
	struct store_msg_new msg = {.session = STR("sess1"),
		.mail_from = STR("bounce+17@mailer.example"),
		.helo = STR("mail.example"),
		.remote_ip = STR("192.0.2.7"),
		.message_id = STR("<Some.ID@x.example>"),
		.account = STR("alice"),
		.subject = STR("Hello"),
		.header_from = STR("Bob <bob@from.example>"),
		.from_address = STR("bob@from.example"),
		.tls = STR("TLSv1.3"),
		.listener = STR("public"),
		.trace = STR("{\"sentence\":\"fine\"}"),
		.rcpts = rcpts,
		.rcpt_count = 2};

	rcpts[1].original = STR("List@lists.example");
	return msg_add(f, &msg);
}

static size_t find(
	struct fixture *f, const struct store_msglog_filter *filter, struct store_msglog_page *page)
{
	struct store_msglog_filter full = *filter;
	struct err err;

	if (full.limit == 0)
		full.limit = 50;
	assert_int_equal(store_msglog_list(f->s, &full, f->a, page, &err), 0);
	return page->count;
}

static void expect_found(struct fixture *f, const struct store_msglog_filter *filter, int64_t id)
{
	struct store_msglog_page page;

	assert_int_equal(find(f, filter, &page), id == 0 ? 0 : 1);
	if (id != 0)
		assert_int_equal(page.rows[0].id, id);
}

/* Mail of others, until the run of the first messages is sealed. */
static void run_fill(struct fixture *f)
{
	char from[40];
	struct err err;
	int64_t sealed = 0;

	for (int i = 0; i < RUN + 10; i++) {
		snprintf(from, sizeof(from), "filler%d@filler.example", i);
		add_simple(f, from, "x@filler.example");
	}
	for (int i = 0; i < 200 && sealed == 0; i++) {
		struct db *db = reader_take(f->s, &err);
		assert_non_null(db);
		assert_int_equal(msglog_sealed(db, &sealed, &err), 0);
		reader_give(f->s, db);
		usleep(100 * 1000);
	}
	assert_true(sealed > 0);
}

/* --- search --- */

static void every_key_finds(void **state)
{
	static const struct {
		const char *key, *value;
		bool found;
	} rows[] = {
		{"address", "bounce+17@mailer.example", true},
		{"address", "BOUNCE+17@Mailer.Example", true},
		{"address", "one@a.example", true},
		{"address", "two@b.example", true},
		{"address", "list@lists.example", true},
		{"address", "bob@from.example", true},
		{"address", "three@b.example", false},
		{"domain", "mailer.example", true},
		{"domain", "A.example", true},
		{"domain", "b.example", true},
		{"domain", "lists.example", true},
		{"domain", "from.example", true},
		{"domain", "example", false},
		{"session", "sess1", true},
		{"session", "sess", false},
		{"message_id", "Some.ID@x.example", true},
		{"message_id", "<some.id@x.example>", true},
		{"message_id", "ID@x.example", false},
		{"ip", "192.0.2.7", true},
		{"ip", "192.0.2.8", false},
	};
	struct fixture *f = *state;
	int64_t id = add_full(f);

	add_simple(f, "other@other.example", "x@other.example");
	for (int sealed = 0; sealed <= 1; sealed++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct store_msglog_filter filter = {.limit = 10};
			struct str v = str_from(rows[i].value), key = str_from(rows[i].key);
			if (str_eq(key, STR("address")))
				filter.address = v;
			if (str_eq(key, STR("domain")))
				filter.domain = v;
			if (str_eq(key, STR("session")))
				filter.session = v;
			if (str_eq(key, STR("message_id")))
				filter.message_id = v;
			if (str_eq(key, STR("ip")))
				filter.ip = v;
			print_message("%s %s\n", rows[i].key, rows[i].value);
			expect_found(f, &filter, rows[i].found ? id : 0);
		}
		if (sealed == 0)
			run_fill(f); /* then the same from the sealed run */
	}
	reopen(f);
	expect_found(f, &(struct store_msglog_filter){.address = STR("two@b.example")}, id);
}

static void fields_come_back(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_full(f);
	struct store_msglog_life life;
	struct err err;

	assert_int_equal(store_msglog_get(f->s, id, f->a, &life, &err), 1);
	const struct store_msglog_row *r = &life.row;
	assert_int_equal(r->results, STORE_LOG_ACCEPTED);
	assert_int_equal(r->rcpt_count, 2);
	assert_int_equal(r->open, 2);
	assert_int_equal(r->size, 20);
	assert_true(str_eq(r->session, STR("sess1")));
	assert_true(str_eq(r->mail_from, STR("bounce+17@mailer.example")));
	assert_true(str_eq(r->from_address, STR("bob@from.example")));
	assert_true(str_eq(r->header_from, STR("Bob <bob@from.example>")));
	assert_true(str_eq(r->subject, STR("Hello")));
	assert_true(str_eq(r->message_id, STR("Some.ID@x.example")));
	assert_true(str_eq(r->helo, STR("mail.example")));
	assert_true(str_eq(r->tls, STR("TLSv1.3")));
	assert_true(str_eq(r->account, STR("alice")));
	assert_true(str_eq(r->listener, STR("public")));
	assert_true(str_eq(life.trace, STR("{\"sentence\":\"fine\"}")));
	assert_int_equal(life.rcpt_count, 2);
	assert_true(str_eq(life.rcpts[1].address, STR("two@b.example")));
	assert_true(str_eq(life.rcpts[1].original, STR("List@lists.example")));
	assert_int_equal(store_msglog_get(f->s, id + 1000, f->a, &life, &err), 0);
}

static void long_texts_are_cut(void **state)
{
	struct fixture *f = *state;
	struct store_rcpt_new rcpt = rcpt_to("x@y.example");
	struct store_msg_new msg = {.rcpts = &rcpt, .rcpt_count = 1};
	struct store_msglog_life life;
	struct err err;
	char subject[302];

	for (size_t i = 0; i < 300; i += 3)
		memcpy(subject + i, "\xe2\x82\xac", 3);
	msg.subject = (struct str){subject, 300};
	int64_t id = msg_add(f, &msg);
	assert_int_equal(store_msglog_get(f->s, id, f->a, &life, &err), 1);
	assert_int_equal(life.row.subject.len, 198); /* whole characters */
}

static void pages_are_complete(void **state)
{
	struct fixture *f = *state;
	struct store_msglog_filter filter = {.address = STR("a@x.example"), .limit = 7};
	struct store_msglog_page page;
	int64_t want[60];
	size_t n = 0, seen = 0;

	for (int i = 0; i < 60; i++) {
		want[n++] = add_simple(f, "a@x.example", "b@y.example");
		add_simple(f, "c@x.example", "b@y.example");
	}
	do {
		find(f, &filter, &page);
		assert_true(page.count <= 7);
		for (size_t i = 0; i < page.count; i++)
			assert_int_equal(page.rows[i].id, want[n - 1 - seen++]);
		filter.before_id = page.next_before;
	} while (page.more);
	assert_int_equal(seen, n);
}

/* What is written while somebody pages is not seen twice and hides nothing. */
static void pages_stand_still(void **state)
{
	struct fixture *f = *state;
	struct store_msglog_filter filter = {.limit = 2};
	struct store_msglog_page page;

	int64_t first = add_simple(f, "1@x.example", "b@y.example");
	for (int i = 0; i < 3; i++)
		add_simple(f, "n@x.example", "b@y.example");
	find(f, &filter, &page);
	assert_true(page.more);
	add_simple(f, "new@x.example", "b@y.example");
	filter.before_id = page.next_before;
	find(f, &filter, &page);
	assert_int_equal(page.count, 2);
	assert_int_equal(page.rows[1].id, first);
	assert_false(page.more);
}

static void time_range(void **state)
{
	struct fixture *f = *state;
	struct store_msglog_page page;
	int64_t start = 1700000000000, hour = 3600 * 1000;

	for (int i = 0; i < 50; i++) {
		clock_set_fake(start + i * hour);
		add_simple(f, "a@x.example", "b@y.example");
	}
	struct store_msglog_filter filter = {
		.since_ms = start + 10 * hour, .until_ms = start + 20 * hour};
	assert_int_equal(find(f, &filter, &page), 10);
	assert_int_equal(page.rows[0].at_ms, start + 19 * hour);
	assert_int_equal(page.rows[9].at_ms, start + 10 * hour);
	filter.address = STR("a@x.example");
	assert_int_equal(find(f, &filter, &page), 10);
	filter = (struct store_msglog_filter){.since_ms = start + 60 * hour};
	assert_int_equal(find(f, &filter, &page), 0);
	filter = (struct store_msglog_filter){.until_ms = start};
	assert_int_equal(find(f, &filter, &page), 0);
	filter = (struct store_msglog_filter){.until_ms = start + 1};
	assert_int_equal(find(f, &filter, &page), 1);
}

/* --- results --- */

struct outcome {
	enum store_outcome outcome;
	const char *text, *ip;
	bool unseen; /* no attempt was made */
};

static int64_t attempt(struct fixture *f, int64_t id, const struct outcome *o, size_t count,
	struct store_msg_new *dsn)
{
	struct store_rcpt_result results[8] = {{.rcpt_id = 0}};
	struct store_attempt at = {.msg_id = id,
		.started_ms = clock_unix_ms(),
		.duration_ms = 12,
		.results = results,
		.result_count = count,
		.dsns = dsn,
		.dsn_count = dsn != NULL};
	struct str trace = arena_str(f->a, STR("{\"steps\":[]}"));
	struct err err;

	for (size_t i = 0; i < count; i++)
		results[i] = (struct store_rcpt_result){.rcpt_id = rcpt_first(id) + (int64_t)i,
			.outcome = o[i].outcome,
			.next_attempt_ms = clock_unix_ms() + 1000,
			.code = 550,
			.ecode = STR("5.1.1"),
			.text = str_from(o[i].text),
			.mx = STR("mx.example"),
			.ip = str_from(o[i].ip),
			.tls = STR("TLSv1.2"),
			.transport = STR("direct"),
			.trace = trace,
			.attempted = !o[i].unseen};
	assert_int_equal(store_attempt_add(f->s, &at, &err), 0);
	return id;
}

static void a_life_is_complete_after_the_queue(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_full(f);
	struct store_rcpt_new back = rcpt_to("bounce+17@mailer.example");
	struct store_msg_new dsn = {.rcpts = &back, .rcpt_count = 1, .body = STR("x"), .about = id};
	struct store_queue_message gone;
	struct store_msglog_life life;
	struct err err;

	attempt(f, id,
		(const struct outcome[]){{STORE_DELIVERED, "ok", "203.0.113.1", false},
			{STORE_DEFERRED, "later", "203.0.113.2", false}},
		2, NULL);
	struct store_rcpt_result last = {.rcpt_id = rcpt_first(id) + 1,
		.outcome = STORE_FAILED,
		.code = 550,
		.text = STR("no such user"),
		.ip = STR("203.0.113.3"),
		.attempted = true};
	struct store_attempt at = {.msg_id = id,
		.started_ms = clock_unix_ms(),
		.results = &last,
		.result_count = 1,
		.dsns = &dsn,
		.dsn_count = 1};
	assert_int_equal(store_attempt_add(f->s, &at, &err), 0);
	assert_int_equal(store_queue_get(f->s, id, f->a, &gone, &err), 0);
	reopen(f);
	assert_int_equal(store_msglog_get(f->s, id, f->a, &life, &err), 1);
	assert_int_equal(life.row.results,
		STORE_LOG_ACCEPTED | STORE_LOG_DELIVERED | STORE_LOG_DEFERRED | STORE_LOG_BOUNCED);
	assert_int_equal(life.row.open, 0);
	assert_int_equal(life.event_count, 4);
	assert_int_equal(life.events[0].kind, STORE_LOG_EV_DELIVERED);
	assert_true(str_eq(life.events[0].ip, STR("203.0.113.1")));
	assert_true(str_eq(life.events[0].mx, STR("mx.example")));
	assert_int_equal(life.events[0].duration_ms, 12);
	/* One trace for both recipients of the attempt. */
	assert_true(str_eq(life.events[0].trace, STR("{\"steps\":[]}")));
	assert_int_equal(life.events[0].trace_id, life.events[1].trace_id);
	assert_int_equal(life.events[1].trace.len, 0);
	assert_int_equal(life.events[1].kind, STORE_LOG_EV_DEFERRED);
	assert_true(life.events[1].next_ms > 0);
	assert_int_equal(life.events[2].kind, STORE_LOG_EV_FAILED);
	assert_true(str_eq(life.events[2].text, STR("no such user")));
	assert_int_equal(life.events[3].kind, STORE_LOG_EV_NOTICE);
	int64_t dsn_id;
	assert_true(store_id_parse(life.events[3].text, &dsn_id));
	assert_int_equal(store_msglog_get(f->s, dsn_id, f->a, &life, &err), 1);
	assert_int_equal(life.row.about, id);
	/* Found by where it went, too. */
	expect_found(f, &(struct store_msglog_filter){.ip = STR("203.0.113.3")}, id);
}

static void late_attempts_are_found_by_host(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_simple(f, "a@x.example", "b@y.example");

	run_fill(f);
	attempt(f, id, &(struct outcome){STORE_DELIVERED, "ok", "198.51.100.9", false}, 1, NULL);
	expect_found(f, &(struct store_msglog_filter){.ip = STR("198.51.100.9")}, id);
	reopen(f);
	expect_found(f, &(struct store_msglog_filter){.ip = STR("198.51.100.9")}, id);
}

static void unseen_attempts_leave_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_simple(f, "a@x.example", "b@y.example");
	struct store_msglog_life life;
	struct err err;

	attempt(f, id, &(struct outcome){STORE_DEFERRED, "down", "", true}, 1, NULL);
	assert_int_equal(store_msglog_get(f->s, id, f->a, &life, &err), 1);
	assert_int_equal(life.event_count, 0);
	assert_int_equal(life.row.results, STORE_LOG_ACCEPTED);
}

static void verbs_are_events(void **state)
{
	static const enum store_queue_verb verbs[] = {
		STORE_QUEUE_RETRY, STORE_QUEUE_HOLD, STORE_QUEUE_UNHOLD, STORE_QUEUE_DROP};
	static const enum store_log_kind kinds[] = {
		STORE_LOG_EV_RETRY, STORE_LOG_EV_HELD, STORE_LOG_EV_UNHELD, STORE_LOG_EV_DROPPED};
	struct fixture *f = *state;
	int64_t id = add_simple(f, "a@x.example", "b@y.example");
	struct store_msglog_life life;
	struct err err;
	size_t changed;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(store_queue_act(f->s, verbs[i], id, 0, &changed, &err), 0);
	assert_int_equal(store_msglog_get(f->s, id, f->a, &life, &err), 1);
	assert_int_equal(life.event_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(life.events[i].kind, kinds[i]);
	assert_int_equal(life.row.open, 0);
	assert_int_equal(life.row.results, STORE_LOG_ACCEPTED | STORE_LOG_DROPPED);
	expect_found(f, &(struct store_msglog_filter){.results = STORE_LOG_DROPPED}, id);
}

/* --- refusals --- */

static void refuse(struct fixture *f, int code, const char *session)
{
	struct str rcpts[] = {STR("one@a.example"), STR("two@b.example")};
	struct store_msglog_refusal r = {.stage = STORE_LOG_STAGE_DATA,
		.code = code,
		.ecode = STR("5.7.1"),
		.text = STR("go away"),
		.session = str_from(session),
		.mail_from = STR("spam@bad.example"),
		.remote_ip = STR("192.0.2.66"),
		.rcpts = rcpts,
		.rcpt_count = 2,
		.size = 99,
		.subject = STR("Win"),
		.trace = STR("{\"sentence\":\"listed\"}")};

	store_msglog_refused(f->s, &r);
}

static void refusals_are_written_soon(void **state)
{
	struct fixture *f = *state;
	struct store_msglog_filter filter = {.address = STR("two@b.example")};
	struct store_msglog_page page = {.count = 0};
	struct store_msglog_life life;
	struct err err;

	refuse(f, 550, "s1");
	refuse(f, 451, "s2");
	for (int i = 0; i < 50 && page.count < 2; i++) {
		usleep(20 * 1000);
		find(f, &filter, &page);
	}
	assert_int_equal(page.count, 2);
	assert_int_equal(page.rows[0].results, STORE_LOG_TEMPFAILED);
	assert_int_equal(page.rows[1].results, STORE_LOG_REJECTED);
	assert_int_equal(page.rows[1].code, 550);
	assert_int_equal(page.rows[1].stage, STORE_LOG_STAGE_DATA);
	assert_int_equal(store_msglog_get(f->s, page.rows[1].id, f->a, &life, &err), 1);
	assert_true(str_eq(life.trace, STR("{\"sentence\":\"listed\"}")));
	assert_int_equal(life.rcpt_count, 2);
	expect_found(
		f, &(struct store_msglog_filter){.results = STORE_LOG_REJECTED}, page.rows[1].id);
	expect_found(
		f, &(struct store_msglog_filter){.results = STORE_LOG_TEMPFAILED}, page.rows[0].id);
}

static void refusals_survive_the_close(void **state)
{
	struct fixture *f = *state;
	struct store_msglog_page page;

	refuse(f, 550, "s1");
	reopen(f);
	assert_int_equal(find(f, &(struct store_msglog_filter){.session = STR("s1")}, &page), 1);
}

static int writer_block(struct store *s, struct db *db, void *arg, struct err *err)
{
	(void)s;
	(void)db;
	(void)err;
	usleep(*(unsigned *)arg * 1000);
	return 0;
}

static void *block_run(void *arg)
{
	struct fixture *f = arg;
	unsigned ms = 1500;
	struct write_op op = {.run = writer_block, .arg = &ms};
	struct err err;

	(void)!store_write(f->s, &op, &err);
	return NULL;
}

/* A writer that is stuck makes nobody wait, and the list has an end. */
static void refusals_are_bounded(void **state)
{
	struct fixture *f = *state;
	pthread_t blocker;
	struct err err;
	int64_t before = clock_mono_ms();

	assert_int_equal(thread_spawn(&blocker, "block", block_run, f, &err), 0);
	usleep(50 * 1000);
	for (int i = 0; i < 3 * STORE_LOG_PENDING_MAX; i++)
		refuse(f, 550, "many");
	assert_true(clock_mono_ms() - before < 1400);
	assert_true(store_msglog_lost(f->s) > 0);
	pthread_join(blocker, NULL);
}

/* --- watching --- */

static void changes_are_told(void **state)
{
	struct fixture *f = *state;
	int64_t cursor = 0, ids[8], missed;
	struct store_msglog_page page;
	struct err err;

	assert_int_equal(store_msglog_wait(f->s, &cursor, deadline_in_ms(10), ids, 8, &missed), 0);
	int64_t id = add_simple(f, "a@x.example", "b@y.example");
	assert_int_equal(
		store_msglog_wait(f->s, &cursor, deadline_in_ms(1000), ids, 8, &missed), 1);
	assert_int_equal(ids[0], id);
	attempt(f, id, &(struct outcome){STORE_DELIVERED, "ok", "", false}, 1, NULL);
	assert_int_equal(
		store_msglog_wait(f->s, &cursor, deadline_in_ms(1000), ids, 8, &missed), 1);
	assert_int_equal(ids[0], id);
	struct store_msglog_filter filter = {.limit = 8};
	assert_int_equal(store_msglog_rows(f->s, &filter, ids, 1, f->a, &page, &err), 0);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.rows[0].results, STORE_LOG_ACCEPTED | STORE_LOG_DELIVERED);
	filter.address = STR("nobody@x.example");
	assert_int_equal(store_msglog_rows(f->s, &filter, ids, 1, f->a, &page, &err), 0);
	assert_int_equal(page.count, 0);
	for (int i = 0; i < CHANGES_MAX + 10; i++)
		msglog_changed(f->s, i);
	assert_int_equal(
		store_msglog_wait(f->s, &cursor, deadline_in_ms(1000), ids, 8, &missed), 8);
	assert_int_equal(missed, 10);
	assert_int_equal(ids[0], 10);
}

static void *wait_run(void *arg)
{
	struct fixture *f = arg;
	int64_t cursor = 0, ids[8], missed;

	(void)store_msglog_wait(f->s, &cursor, deadline_in_ms(20000), ids, 8, &missed);
	return NULL;
}

static void waiting_ends_at_wake(void **state)
{
	struct fixture *f = *state;
	int64_t before = clock_mono_ms();
	pthread_t waiter;
	struct err err;

	assert_int_equal(thread_spawn(&waiter, "wait", wait_run, f, &err), 0);
	usleep(20 * 1000);
	store_msglog_wake(f->s);
	pthread_join(waiter, NULL);
	assert_true(clock_mono_ms() - before < 5000);
}

/* --- keeping --- */

static int64_t rows_left(struct fixture *f, const char *sql)
{
	struct err err;
	struct db *db = reader_take(f->s, &err);
	sqlite3_stmt *stmt;
	int64_t n = -1;

	assert_int_equal(sqlite3_prepare_v2(db->h, sql, -1, &stmt, NULL), SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	reader_give(f->s, db);
	return n;
}

static void old_rows_go(void **state)
{
	struct fixture *f = *state;
	int64_t days, now = clock_unix_ms();
	struct store_msglog_page page;
	struct err err;

	assert_int_equal(store_msglog_days(f->s, &days, &err), 0);
	assert_int_equal(days, 30);
	clock_set_fake(now - 10LL * 86400 * 1000);
	int64_t old = add_full(f);
	attempt(f, old,
		(const struct outcome[]){{STORE_DELIVERED, "ok", "203.0.113.1", false},
			{STORE_DELIVERED, "ok", "203.0.113.2", false}},
		2, NULL);
	run_fill(f);
	clock_set_fake(0);
	int64_t young = add_simple(f, "a@x.example", "b@y.example");
	assert_true(rows_left(f, "SELECT count(*) FROM msglog_token") > RUN);
	assert_int_equal(store_msglog_days_put(f->s, 0, &err), -1);
	assert_int_equal(store_msglog_days_put(f->s, 3651, &err), -1);
	assert_int_equal(store_msglog_days_put(f->s, 9, &err), 0);
	for (int i = 0; i < 200 && rows_left(f, "SELECT count(*) FROM msglog_token") > 0; i++)
		usleep(100 * 1000);
	assert_int_equal(find(f, &(struct store_msglog_filter){.limit = 10}, &page), 1);
	assert_int_equal(page.rows[0].id, young);
	assert_int_equal(rows_left(f, "SELECT count(*) FROM msglog"), 1);
	assert_int_equal(rows_left(f, "SELECT count(*) FROM msglog_token"), 0);
	assert_int_equal(rows_left(f, "SELECT count(*) FROM msglog_rcpt"), 0);
	assert_int_equal(rows_left(f, "SELECT count(*) FROM msglog_event"), 0);
	assert_int_equal(rows_left(f, "SELECT count(*) FROM msglog_trace"), 0);
}

/* A kill between the steps of sealing: the next start does the run again. */
static void sealing_is_begun_again(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_full(f);

	run_fill(f);
	int64_t tokens = rows_left(f, "SELECT count(*) FROM msglog_token");
	store_close(&f->s);
	char file[256];
	sqlite3 *h = NULL;
	snprintf(file, sizeof(file), "%s/mox.db", f->dir);
	assert_int_equal(sqlite3_open(file, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h,
				 "UPDATE msglog_state SET sealed = 0;"
				 "DELETE FROM msglog_token WHERE hash % 3 = 0",
				 NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
	struct err err;
	assert_int_equal(store_open(f->dir, &f->s, &err), 0);
	expect_found(f, &(struct store_msglog_filter){.address = STR("two@b.example")}, id);
	for (int i = 0; i < 200 && rows_left(f, "SELECT sealed FROM msglog_state") == 0; i++)
		usleep(100 * 1000);
	assert_int_equal(rows_left(f, "SELECT count(*) FROM msglog_token"), tokens);
	expect_found(f, &(struct store_msglog_filter){.address = STR("two@b.example")}, id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_key_finds, setup, teardown),
		cmocka_unit_test_setup_teardown(fields_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(long_texts_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_are_complete, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_stand_still, setup, teardown),
		cmocka_unit_test_setup_teardown(time_range, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_life_is_complete_after_the_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(late_attempts_are_found_by_host, setup, teardown),
		cmocka_unit_test_setup_teardown(unseen_attempts_leave_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(verbs_are_events, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_are_written_soon, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_survive_the_close, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_ends_at_wake, setup, teardown),
		cmocka_unit_test_setup_teardown(old_rows_go, setup, teardown),
		cmocka_unit_test_setup_teardown(sealing_is_begun_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
