/* The thread of the message log. All it writes goes through the writer in small operations,
 * so that mail never waits long behind it. */
#include "store/msglog_priv.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	GATHER_MS = 200,         /* refusals wait so long for others */
	RETRY_MS = 1000,         /* after a failed write */
	TICK_MS = 2000,          /* how often runs are looked at */
	EXPIRE_MS = 3600 * 1000, /* how often old rows are */
	TOKENS_MAX = 50000,      /* in memory at a time */
	TOKENS_WRITE = 1500,     /* rows an operation */
	EXPIRE_MESSAGES = 100,   /* the same */
	LAG_RUNS = 16,           /* sealing waits while mail comes fast, up to so many runs */
	FAST_PER_S = 500
};

struct token {
	int64_t hash;
	int low;
};

struct keep {
	struct store *s;
	struct token *tokens;
	size_t count, cap;
	int64_t expired_at_ms;          /* monotonic */
	int64_t next_id, next_id_at_ms; /* as seen at the last tick */
};

/* --- small statements --- */

static const char sql_sealed[] = "SELECT sealed FROM msglog_state";
static const char sql_sealed_set[] = "UPDATE msglog_state SET sealed = ?";
static const char sql_token[] =
	"INSERT OR IGNORE INTO msglog_token(run, hash, low) VALUES(?1, ?2, ?3)";
static const char sql_first_from[] =
	"SELECT id, at_ms FROM msglog WHERE id >= ? ORDER BY id LIMIT 1";

int msglog_sealed(struct db *db, int64_t *run, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_sealed, err);

	*run = 0;
	if (stmt == NULL)
		return -1;
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*run = db_column_int(stmt, 0);
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : 0;
}

int msglog_first_from(struct db *db, int64_t from, int64_t *id, int64_t *at_ms, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_first_from, err);

	*id = *at_ms = 0;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, from);
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*id = db_column_int(stmt, 0);
		*at_ms = db_column_int(stmt, 1);
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : 0;
}

int msglog_token_add(struct db *db, int64_t id, int64_t hash, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_token, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id >> RUN_SHIFT);
	db_bind_int(stmt, 2, hash);
	db_bind_int(stmt, 3, id & (RUN - 1));
	return db_step(db, stmt, err);
}

/* --- sealing --- */

static void token_put(struct keep *k, enum token_kind kind, int64_t id, struct str text)
{
	if (text.len == 0)
		return;
	if (k->count == k->cap) {
		k->cap = k->cap > 0 ? k->cap * 2 : 4096;
		k->tokens = mem_realloc(k->tokens, k->cap * sizeof(*k->tokens));
	}
	k->tokens[k->count++] =
		(struct token){.hash = msglog_token(kind, text), .low = (int)(id & (RUN - 1))};
}

static void address_put(struct keep *k, int64_t id, struct str address)
{
	token_put(k, TOKEN_ADDRESS, id, address);
	token_put(k, TOKEN_DOMAIN, id, msglog_domain(address));
}

static struct str view(sqlite3_stmt *stmt, int at)
{
	const char *p = sqlite3_column_blob(stmt, at);

	return (struct str){p, p ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static const char sql_messages[] =
	"SELECT id, mail_from, from_address, rcpt, original, session, message_id, remote_ip, rcpts"
	" FROM msglog WHERE id >= ? AND id < ? ORDER BY id";
static const char sql_rcpts[] =
	"SELECT address, original FROM msglog_rcpt WHERE id >= ? AND id < ?";
static const char sql_ips[] =
	"SELECT DISTINCT ip FROM msglog_event WHERE rcpt_id >= ? AND rcpt_id < ?";

static int rcpts_collect(struct keep *k, struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_rcpts, err);
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(id));
	db_bind_int(stmt, 2, rcpt_first(id + 1));
	while ((rc = db_step(db, stmt, err)) == 1) {
		address_put(k, id, view(stmt, 0));
		address_put(k, id, view(stmt, 1));
	}
	return rc;
}

static int ips_collect(struct keep *k, struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_ips, err);
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(id));
	db_bind_int(stmt, 2, rcpt_first(id + 1));
	while ((rc = db_step(db, stmt, err)) == 1)
		token_put(k, TOKEN_IP, id, view(stmt, 0));
	return rc;
}

static int message_collect(struct keep *k, struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	int64_t id = db_column_int(stmt, 0);

	for (int i = 1; i <= 4; i++)
		address_put(k, id, view(stmt, i));
	token_put(k, TOKEN_SESSION, id, view(stmt, 5));
	token_put(k, TOKEN_MESSAGE_ID, id, view(stmt, 6));
	token_put(k, TOKEN_IP, id, view(stmt, 7));
	if (db_column_int(stmt, 8) > 1 && rcpts_collect(k, db, id, err) < 0)
		return -1;
	return ips_collect(k, db, id, err);
}

/* Tokens of the messages from *at on, to the end of the run or until there are many. */
static int collect(struct keep *k, int64_t *at, int64_t end, struct err *err)
{
	struct db *db = reader_take(k->s, err);
	int rc = -1;

	k->count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_messages, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, *at);
		db_bind_int(stmt, 2, end);
		*at = end;
		while ((rc = db_step(db, stmt, err)) == 1) {
			if (k->count >= TOKENS_MAX) {
				*at = db_column_int(stmt, 0);
				rc = 0;
				break;
			}
			if ((rc = message_collect(k, db, stmt, err)) < 0)
				break;
		}
		sqlite3_reset(stmt);
	}
	reader_give(k->s, db);
	return rc < 0 ? -1 : 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct token *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->low - y->low;
}

struct seal_op {
	const struct token *tokens;
	size_t count;
	int64_t run, sealed;
};

static int tokens_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct seal_op *op = arg;

	(void)s;
	for (size_t i = 0; i < op->count; i++) {
		const struct token *t = &op->tokens[i];
		if (i > 0 && t->hash == t[-1].hash && t->low == t[-1].low)
			continue;
		if (msglog_token_add(db, op->run << RUN_SHIFT | t->low, t->hash, err) < 0)
			return -1;
	}
	return 0;
}

static int late_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct seal_op *op = arg;

	(void)db;
	(void)err;
	s->log->late_from = (op->run + 1) << RUN_SHIFT;
	return 0;
}

static int sealed_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct seal_op *op = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_sealed_set, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, op->run + 1);
	return db_step(db, stmt, err);
}

static int write_run(struct keep *k, struct seal_op *op,
	int (*run)(struct store *, struct db *, void *, struct err *), struct err *err)
{
	struct write_op write = {.run = run, .arg = op};

	return store_write(k->s, &write, err);
}

static bool stopping(struct keep *k)
{
	pthread_mutex_lock(&k->s->log->lock);
	bool stop = k->s->log->stop;
	pthread_mutex_unlock(&k->s->log->lock);
	return stop;
}

static int refusals_flush(struct keep *k);

/* Nothing is lost when it ends half-way: the run is sealed only with the last step, and
 * tokens that are there already are passed over. */
static int seal(struct keep *k, int64_t run, struct err *err)
{
	int64_t at = run << RUN_SHIFT, end = (run + 1) << RUN_SHIFT;
	struct seal_op op = {.run = run};

	/* From the commit of this on, events write their token themselves. */
	if (write_run(k, &op, late_run, err) < 0)
		return -1;
	while (at < end) {
		if (collect(k, &at, end, err) < 0)
			return -1;
		if (k->count > 0)
			qsort(k->tokens, k->count, sizeof(*k->tokens), by_hash);
		for (size_t i = 0; i < k->count; i += op.count) {
			size_t left = k->count - i;
			op.tokens = k->tokens + i;
			op.count = left < TOKENS_WRITE ? left : TOKENS_WRITE;
			if (write_run(k, &op, tokens_run, err) < 0)
				return -1;
			if (stopping(k))
				return 0;
			if (refusals_flush(k) < 0)
				return -1;
		}
	}
	return write_run(k, &op, sealed_run, err);
}

/* The highest id in the log: below the run it is in, no row will come any more. */
static int last_id(struct keep *k, int64_t *id, struct err *err)
{
	static const char sql[] = "SELECT max(id) FROM msglog";
	struct db *db = reader_take(k->s, err);
	int rc = -1;

	*id = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	if (stmt != NULL && (rc = db_step(db, stmt, err)) == 1) {
		*id = db_column_int(stmt, 0);
		sqlite3_reset(stmt);
	}
	reader_give(k->s, db);
	return rc < 0 ? -1 : 0;
}

/* Seals what is complete. While mail comes fast it waits, so that sealing takes no part in a
 * rush; a search then has some more rows to read. */
static int runs_seal(struct keep *k, struct err *err)
{
	int64_t now_ms = clock_mono_ms(), last, sealed;
	struct db *db = reader_take(k->s, err);

	if (db == NULL)
		return -1;
	int rc = msglog_sealed(db, &sealed, err);
	reader_give(k->s, db);
	if (rc < 0 || last_id(k, &last, err) < 0)
		return -1;
	int64_t took_ms = now_ms - k->next_id_at_ms;
	bool fast = k->next_id_at_ms == 0 ||
		    (last - k->next_id) * 1000 > (int64_t)FAST_PER_S * (took_ms > 0 ? took_ms : 1);
	k->next_id = last;
	k->next_id_at_ms = now_ms;
	int64_t complete = last >> RUN_SHIFT;
	if (fast)
		complete -= LAG_RUNS;
	while (sealed < complete && !stopping(k)) {
		if (seal(k, sealed++, err) < 0)
			return -1;
	}
	return 0;
}

/* --- what is old --- */

static const char sql_expire[] = "DELETE FROM msglog WHERE id < ?";
static const char sql_expire_rcpts[] = "DELETE FROM msglog_rcpt WHERE id < ?";
static const char sql_expire_events[] = "DELETE FROM msglog_event WHERE rcpt_id < ?";
static const char sql_expire_traces[] = "DELETE FROM msglog_trace WHERE id < ?";
static const char sql_token_nth[] =
	"SELECT run, hash FROM msglog_token ORDER BY run, hash, low LIMIT 1 OFFSET 1500";
static const char sql_token_first[] = "SELECT run FROM msglog_token ORDER BY run LIMIT 1";
static const char sql_expire_tokens[] = "DELETE FROM msglog_token WHERE run = ? AND hash <= ?";

static int delete_below(struct db *db, const char *sql, int64_t bound, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, bound);
	return db_step(db, stmt, err);
}

struct expire_op {
	int64_t below; /* message id */
};

static int expire_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct expire_op *op = arg;
	int64_t rcpt = rcpt_first(op->below);

	(void)s;
	if (delete_below(db, sql_expire, op->below, err) < 0 ||
		delete_below(db, sql_expire_rcpts, rcpt, err) < 0 ||
		delete_below(db, sql_expire_events, rcpt, err) < 0)
		return -1;
	return delete_below(db, sql_expire_traces, rcpt, err);
}

struct tokens_op {
	int64_t below; /* run */
	bool more;
};

/* Some tokens of the oldest run that is over. */
static int expire_tokens_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct tokens_op *op = arg;
	int64_t run, hash = INT64_MAX;
	sqlite3_stmt *stmt = db_prepare(db, sql_token_first, err);

	(void)s;
	op->more = false;
	int rc = stmt == NULL ? -1 : db_step(db, stmt, err);
	if (rc <= 0)
		return rc;
	run = db_column_int(stmt, 0);
	sqlite3_reset(stmt);
	if (run >= op->below)
		return 0;
	stmt = db_prepare(db, sql_token_nth, err);
	rc = stmt == NULL ? -1 : db_step(db, stmt, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		if (db_column_int(stmt, 0) == run)
			hash = db_column_int(stmt, 1);
		sqlite3_reset(stmt);
	}
	op->more = true;
	stmt = db_prepare(db, sql_expire_tokens, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, run);
	db_bind_int(stmt, 2, hash);
	return db_step(db, stmt, err);
}

/* The next few messages older than cutoff: *below is the id after them, 0 when there are
 * none. */
static int old_find(struct keep *k, int64_t cutoff_ms, int64_t *below, struct err *err)
{
	struct db *db = reader_take(k->s, err);
	int64_t id, at_ms, from = 0, future_ms = clock_unix_ms() + 86400 * 1000;
	int rc = 0;

	*below = 0;
	if (db == NULL)
		return -1;
	for (int i = 0; i < EXPIRE_MESSAGES && rc == 0; i++) {
		rc = msglog_first_from(db, from, &id, &at_ms, err);
		/* A time that has not come yet is from a clock that was wrong. */
		if (rc < 0 || id == 0 || (at_ms >= cutoff_ms && at_ms <= future_ms))
			break;
		*below = from = id + 1;
	}
	reader_give(k->s, db);
	return rc;
}

static int expire(struct keep *k, struct err *err)
{
	struct expire_op op;
	struct tokens_op tokens = {.more = true};
	int64_t days, id, at_ms;

	if (store_msglog_days(k->s, &days, err) < 0)
		return -1;
	int64_t cutoff_ms = clock_unix_ms() - days * 86400 * 1000;
	for (;;) {
		struct write_op write = {.run = expire_run, .arg = &op};
		if (old_find(k, cutoff_ms, &op.below, err) < 0)
			return -1;
		if (op.below == 0)
			break;
		if (store_write(k->s, &write, err) < 0 || refusals_flush(k) < 0)
			return -1;
		if (stopping(k))
			return 0;
	}
	struct db *db = reader_take(k->s, err);
	if (db == NULL)
		return -1;
	int rc = msglog_first_from(db, 0, &id, &at_ms, err);
	reader_give(k->s, db);
	tokens.below = id >> RUN_SHIFT;
	while (rc == 0 && id != 0 && tokens.more && !stopping(k)) {
		struct write_op write = {.run = expire_tokens_run, .arg = &tokens};
		rc = store_write(k->s, &write, err);
		if (rc == 0)
			rc = refusals_flush(k);
	}
	return rc;
}

/* --- the thread --- */

/* Writes the refusals that wait; after a failure they are tried again until the end. */
static int refusals_flush(struct keep *k)
{
	struct refusals list = msglog_refusals_take(k->s->log);
	struct err err;
	int rc = 0;

	if (list.count == 0)
		return 0;
	while ((rc = msglog_refusals_write(k->s, &list, &err)) < 0 && !stopping(k)) {
		log_event(LOG_LEVEL_WARN, "store.msglog", "error", err.text, NULL);
		struct timespec pause = {.tv_sec = RETRY_MS / 1000};
		(void)nanosleep(&pause, NULL);
	}
	if (rc < 0)
		atomic_fetch_add(&k->s->log->lost, (int64_t)list.count);
	arena_close(&list.arena);
	return 0;
}

/* Until there are refusals (and some time for more to join them), or a tick has passed. */
static bool wait_for_work(struct msglog *l, bool *expire_soon)
{
	int64_t until_ms = clock_mono_ms() + TICK_MS;
	bool gathering = false, stop;

	pthread_mutex_lock(&l->lock);
	while (!l->stop && !l->expire_soon && l->waiting.count < STORE_LOG_PENDING_MAX / 4) {
		if (!gathering && l->waiting.count > 0) {
			gathering = true;
			until_ms = clock_mono_ms() + GATHER_MS;
		}
		struct timespec ts = {until_ms / 1000, until_ms % 1000 * 1000000};
		if (pthread_cond_timedwait(&l->work, &l->lock, &ts) == ETIMEDOUT)
			break;
	}
	stop = l->stop;
	*expire_soon = l->expire_soon;
	l->expire_soon = false;
	pthread_mutex_unlock(&l->lock);
	return !stop;
}

void *msglog_keep_run(void *arg)
{
	struct keep k = {.s = arg};
	struct err err;
	bool go_on = true, soon;

	k.expired_at_ms = clock_mono_ms() - EXPIRE_MS;
	while (go_on) {
		go_on = wait_for_work(k.s->log, &soon);
		int rc = refusals_flush(&k);
		if (!go_on)
			break;
		int64_t now_ms = clock_mono_ms();
		if (rc == 0 && now_ms - k.next_id_at_ms >= TICK_MS / 2)
			rc = runs_seal(&k, &err);
		if (rc == 0 && (soon || now_ms - k.expired_at_ms >= EXPIRE_MS)) {
			rc = expire(&k, &err);
			quarantine_expire(k.s);
			tls_report_expire(k.s);
			k.expired_at_ms = now_ms;
		}
		if (rc < 0)
			log_event(LOG_LEVEL_WARN, "store.msglog", "error", err.text, NULL);
	}
	free(k.tokens);
	return NULL;
}

/* --- the setting --- */

static const char setting_days[] = "MessageLogDays";

int store_msglog_days(struct store *s, int64_t *days, struct err *err)
{
	struct arena *a = arena_open();
	struct str text;
	uint64_t n;
	int rc = store_setting_get(s, setting_days, a, &text, err);

	*days = STORE_LOG_DAYS;
	if (rc == 1 && str_to_u64(text, STORE_LOG_DAYS_MAX, &n) && n > 0)
		*days = (int64_t)n;
	arena_close(&a);
	return rc < 0 ? -1 : 0;
}

int store_msglog_days_put(struct store *s, int64_t days, struct err *err)
{
	char text[NUM_TEXT];

	if (days < 1 || days > STORE_LOG_DAYS_MAX)
		return err_set(err, ERR_PERM, "the message log is kept for 1 to %d days",
			STORE_LOG_DAYS_MAX);
	if (store_setting_put(s, setting_days, str_from(num_text(days, text)), err) < 0)
		return -1;
	pthread_mutex_lock(&s->log->lock);
	s->log->expire_soon = true;
	pthread_cond_signal(&s->log->work);
	pthread_mutex_unlock(&s->log->lock);
	return 0;
}
