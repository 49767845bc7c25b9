/* The writer thread: takes all that waits, runs each operation in a savepoint of its own
 * inside one transaction, commits (one fsync for all), then wakes the waiters. */
#include "store/db.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
	BATCH_MAX = 512,      /* operations a commit; bounds how long one waits for the others */
	COUNT_FLUSH_MS = 3000 /* how long counters may stay in memory only */
};

static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_commit[] = "COMMIT";
static const char sql_rollback[] = "ROLLBACK";
static const char sql_savepoint[] = "SAVEPOINT op";
static const char sql_release[] = "RELEASE op";
static const char sql_rollback_to[] = "ROLLBACK TO op";

static int simple(struct db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	return stmt == NULL ? -1 : db_step(db, stmt, err);
}

static void op_run(struct store *s, struct write_op *op)
{
	struct db *db = s->writer;
	struct err ignored;

	op->rc = simple(db, sql_savepoint, op->err);
	if (op->rc < 0)
		return;
	op->rc = op->run(s, db, op->arg, op->err);
	if (op->rc < 0) {
		/* When SQLite itself ended the transaction (disk full), there is no savepoint
		 * left; batch_run sees that. */
		(void)!simple(db, sql_rollback_to, &ignored);
	}
	if (simple(db, sql_release, &ignored) < 0 && op->rc == 0) {
		*op->err = ignored;
		op->rc = -1;
	}
}

static void batch_fail(struct write_op *ops, const struct err *err)
{
	for (struct write_op *op = ops; op != NULL; op = op->next) {
		if (op->rc == 0) {
			op->rc = -1;
			*op->err = *err;
		}
	}
}

/* One transaction. flush: counters go with it. Returns 0 when committed. */
static int batch_run(struct store *s, struct write_op *ops, int64_t *counts_at_ms, struct err *err)
{
	struct db *db = s->writer;
	int64_t taken[STORE_COUNT_MAX] = {0}, now_ms = clock_mono_ms();
	int64_t messages = atomic_load(&s->messages), reserved = s->ids_reserved;
	bool flush = now_ms - *counts_at_ms >= COUNT_FLUSH_MS;
	struct err ignored;

	if (simple(db, sql_begin, err) < 0)
		return -1;
	for (struct write_op *op = ops; op != NULL; op = op->next)
		op_run(s, op);
	if (sqlite3_get_autocommit(db->h)) {
		/* SQLite rolled back by itself: nothing of this batch exists. */
		for (struct write_op *op = ops; op != NULL; op = op->next) {
			if (op->rc < 0)
				*err = *op->err;
		}
		goto lost;
	}
	if ((s->next_msg_id > reserved && gauge_reserve(s, db, err) < 0) ||
		(flush && stat_write(s, db, taken, err) < 0) || simple(db, sql_commit, err) < 0)
		goto lost;
	if (flush) {
		*counts_at_ms = now_ms;
		stat_written(s);
	}
	return 0;
lost:
	if (!sqlite3_get_autocommit(db->h))
		(void)!simple(db, sql_rollback, &ignored);
	for (int i = 0; i < STORE_COUNT_MAX; i++)
		atomic_fetch_add(&s->counts[i], taken[i]);
	atomic_store(&s->messages, messages);
	s->ids_reserved = reserved;
	return -1;
}

static void batch_commit(struct store *s, struct write_op *ops, int64_t *counts_at_ms)
{
	struct err err = {.kind = ERR_NONE};
	int64_t start_us = clock_mono_us(), count = 0, failed = 0;
	int rc = batch_run(s, ops, counts_at_ms, &err);

	if (rc < 0) {
		batch_fail(ops, &err);
		log_event(LOG_LEVEL_ERROR, "store.commit_failed", "error", err.text, NULL);
	}
	for (struct write_op *op = ops; op != NULL; op = op->next) {
		count++;
		failed += op->rc < 0;
		if (op->rc == 0 && op->committed != NULL)
			op->committed(s, op->arg);
	}
	int64_t took_us = clock_mono_us() - start_us;
	metric_observe(METRIC_STORE_COMMIT_SECONDS, 0, took_us);
	metric_observe(METRIC_STORE_COMMIT_OPERATIONS, 0, count);
	pthread_mutex_lock(&s->write_lock);
	s->stats.commits += rc == 0;
	s->stats.last_commit_ms = rc == 0 ? clock_mono_ms() : 0;
	s->stats.failed_commits += rc < 0;
	s->stats.operations += count;
	s->stats.failed_operations += failed;
	s->stats.commit_us_total += took_us;
	if (took_us > s->stats.commit_us_max)
		s->stats.commit_us_max = took_us;
	if (count > s->stats.batch_max)
		s->stats.batch_max = count;
	while (ops != NULL) {
		struct write_op *next = ops->next; /* the waiter's stack: gone once it wakes */
		ops->done = true;
		pthread_cond_signal(&ops->cond);
		ops = next;
	}
	pthread_mutex_unlock(&s->write_lock);
	if (rc == 0)
		checkpoint_after_commit(s);
}

/* Takes up to BATCH_MAX operations; write_lock is held. */
static struct write_op *batch_take(struct store *s)
{
	struct write_op *first = s->write_head, *last = first;

	if (first == NULL)
		return NULL;
	for (int n = 1; n < BATCH_MAX && last->next != NULL; n++)
		last = last->next;
	s->write_head = last->next;
	if (s->write_head == NULL)
		s->write_tail = &s->write_head;
	last->next = NULL;
	return first;
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	int64_t counts_at_ms = clock_mono_ms();

	for (;;) {
		pthread_mutex_lock(&s->write_lock);
		while (s->write_head == NULL && !s->write_stop) {
			int64_t until = clock_mono_ms() + COUNT_FLUSH_MS;
			struct timespec ts = {until / 1000, until % 1000 * 1000000};
			if (pthread_cond_timedwait(&s->write_cond, &s->write_lock, &ts) ==
					ETIMEDOUT &&
				stat_pending(s))
				break;
		}
		struct write_op *ops = batch_take(s);
		bool stop = s->write_stop && ops == NULL;
		pthread_mutex_unlock(&s->write_lock);
		if (stop)
			counts_at_ms = 0; /* flush now */
		if (ops != NULL || stat_pending(s))
			batch_commit(s, ops, &counts_at_ms);
		if (stop)
			return NULL;
	}
}

int writer_start(struct store *s, struct err *err)
{
	s->write_tail = &s->write_head;
	if (thread_spawn(&s->writer_thread, "mox-writer", writer_main, s, err) < 0)
		return -1;
	s->writer_running = true;
	return 0;
}

void writer_stop(struct store *s)
{
	if (!s->writer_running)
		return;
	pthread_mutex_lock(&s->write_lock);
	s->write_stop = true;
	pthread_cond_signal(&s->write_cond);
	pthread_mutex_unlock(&s->write_lock);
	pthread_join(s->writer_thread, NULL);
	s->writer_running = false;
}

int store_write(struct store *s, struct write_op *op, struct err *err)
{
	if (s->readonly)
		return err_set(err, ERR_BUG, "database: opened for reading only");
	op->err = err;
	op->done = false;
	op->rc = 0;
	op->next = NULL;
	if (pthread_cond_init(&op->cond, NULL) != 0)
		abort();
	pthread_mutex_lock(&s->write_lock);
	bool was_empty = s->write_head == NULL;
	*s->write_tail = op;
	s->write_tail = &op->next;
	if (was_empty)
		pthread_cond_signal(&s->write_cond);
	while (!op->done)
		pthread_cond_wait(&op->cond, &s->write_lock);
	pthread_mutex_unlock(&s->write_lock);
	pthread_cond_destroy(&op->cond);
	return op->rc < 0 ? -1 : 0;
}

void store_stats_get(struct store *s, struct store_stats *out)
{
	pthread_mutex_lock(&s->write_lock);
	*out = s->stats;
	pthread_mutex_unlock(&s->write_lock);
}
