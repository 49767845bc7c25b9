/* What delivery threads take and give back. */
#include "store/dircache.h"

#include "base/mem.h"
#include "base/rand.h"

#include <stdlib.h>

static const char sql_due[] =
	"SELECT id, next_ms, attempts, notify, delay_sent, address, original, orcpt, transport_id"
	" FROM recipient"
	" WHERE dest = ?1 AND state = 0 AND (next_ms, id) > (?2, ?3) ORDER BY next_ms, id";
static const char sql_envelope[] =
	"SELECT received_ms, size, flags, ret, session, mail_from, message_id, account, envid"
	" FROM message WHERE id = ?";

static int envelope_read(struct db *db, struct arena *a, struct store_claim *c, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_envelope, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, c->id);
	int rc = db_step(db, stmt, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_BUG, "store: message %lld has recipients but no row",
			(long long)c->id);
	int64_t flags = db_column_int(stmt, 2);
	c->received_ms = db_column_int(stmt, 0);
	c->size = db_column_int(stmt, 1);
	c->body_8bit = flags & FLAG_8BIT;
	c->smtputf8 = flags & FLAG_SMTPUTF8;
	c->requiretls = flags & FLAG_REQUIRETLS;
	c->tls_required_no = (flags & FLAG_TLS_REQUIRED_NO) != 0;
	c->is_tls_report = (flags & FLAG_TLS_REPORT) != 0;
	c->ret = (enum store_ret)db_column_int(stmt, 3);
	c->session = db_column(stmt, 4, a);
	c->mail_from = db_column(stmt, 5, a);
	c->message_id = db_column(stmt, 6, a);
	c->account = db_column(stmt, 7, a);
	c->envid = db_column(stmt, 8, a);
	sqlite3_reset(stmt);
	return 0;
}

/* Claims rows until max are taken or one is not due yet; that one's (or the next one's)
 * time goes to the due map, so that the destination comes again. */
static int rows_claim(struct store *s, struct db *db, struct str dest, struct arena *a,
	struct store_claim_rcpt *rcpts, size_t max, size_t *count, struct err *err)
{
	int64_t cursor_ms, cursor_id, now_ms = clock_unix_ms();
	int rc;

	*count = 0;
	due_cursor(s->due, dest, &cursor_ms, &cursor_id);
	sqlite3_stmt *stmt = db_prepare(db, sql_due, err);
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, dest);
	db_bind_int(stmt, 2, cursor_ms);
	db_bind_int(stmt, 3, cursor_id);
	while ((rc = db_step(db, stmt, err)) == 1) {
		struct store_claim_rcpt *r = &rcpts[*count];
		int64_t next_ms = db_column_int(stmt, 1), id = db_column_int(stmt, 0);
		if (next_ms > now_ms || *count == max) {
			if (!due_in_flight(s->due, id))
				due_touch(s->due, dest, next_ms);
			else if (next_ms <= now_ms)
				continue;
			sqlite3_reset(stmt);
			rc = 0;
			break;
		}
		if (!due_claim(s->due, dest, id))
			continue;
		cursor_ms = next_ms;
		cursor_id = id;
		r->id = id;
		r->attempts = (unsigned)db_column_int(stmt, 2);
		r->notify = (unsigned)db_column_int(stmt, 3);
		r->delay_sent = db_column_int(stmt, 4) != 0;
		r->address = db_column(stmt, 5, a);
		r->original = db_column(stmt, 6, a);
		r->orcpt = db_column(stmt, 7, a);
		r->transport_id = db_column_int(stmt, 8);
		++*count;
	}
	if (rc == 0)
		due_cursor_set(s->due, dest, cursor_ms, cursor_id);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct store_claim_rcpt *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int store_claim(struct store *s, const char *dest, size_t rcpt_max, struct arena *a,
	struct store_claim **claims, size_t *count, struct err *err)
{
	struct store_claim_rcpt *rcpts = arena_alloc(a, (rcpt_max + 1) * sizeof(*rcpts));
	struct store_claim *out = arena_alloc(a, rcpt_max * sizeof(*out));
	struct db *db = reader_take(s, err);
	size_t n = 0, messages = 0;
	int rc = 0;

	*claims = out;
	*count = 0;
	if (db == NULL) {
		due_touch(s->due, str_from(dest), 0);
		return -1;
	}
	/* One snapshot for both reads. */
	if (db_exec(db, "BEGIN", err) < 0 ||
		rows_claim(s, db, str_from(dest), a, rcpts, rcpt_max, &n, err) < 0)
		rc = -1;
	qsort(rcpts, n, sizeof(*rcpts), by_id);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		int64_t msg_id = rcpts[i].id >> MSG_SHIFT;
		if (messages > 0 && out[messages - 1].id == msg_id) {
			out[messages - 1].rcpt_count++;
			continue;
		}
		out[messages].id = msg_id;
		out[messages].rcpts = &rcpts[i];
		out[messages].rcpt_count = 1;
		rc = envelope_read(db, a, &out[messages++], err);
	}
	struct err ignored;
	(void)!db_exec(db, "COMMIT", &ignored);
	reader_give(s, db);
	if (rc < 0) {
		for (size_t i = 0; i < n; i++)
			due_unclaim(s->due, str_from(dest), rcpts[i].id, DUE_END_RETRY);
		return -1;
	}
	*count = messages;
	return 0;
}

static const char sql_dest_of[] = "SELECT dest FROM recipient WHERE id = ?";

void store_claim_release(struct store *s, const struct store_claim *claims, size_t count)
{
	struct arena *a = arena_open();
	struct err err;
	struct db *db = reader_take(s, &err);

	for (size_t i = 0; db != NULL && i < count; i++) {
		for (size_t j = 0; j < claims[i].rcpt_count; j++) {
			sqlite3_stmt *stmt = db_prepare(db, sql_dest_of, &err);
			struct str dest = STR("");
			if (stmt != NULL) {
				db_bind_int(stmt, 1, claims[i].rcpts[j].id);
				if (db_step(db, stmt, &err) == 1) {
					dest = db_column(stmt, 0, a);
					sqlite3_reset(stmt);
				}
			}
			due_unclaim(s->due, dest, claims[i].rcpts[j].id, DUE_END_RETRY);
		}
	}
	if (db != NULL)
		reader_give(s, db);
	arena_close(&a);
}

/* --- results --- */

static const char sql_rcpt[] = "SELECT dest, state, attempts FROM recipient WHERE id = ?";
static const char sql_result[] =
	"UPDATE recipient SET state = ?2, next_ms = ?3, last_ms = ?4, attempts = attempts + 1,"
	" delay_sent = max(delay_sent, ?5), last_error = ?6, via = ?7 WHERE id = ?1";
static const char sql_attempt[] =
	"INSERT OR REPLACE INTO attempt(rcpt_id, number, started_ms, duration_ms, outcome, code,"
	" ecode, text, mx, ip, tls, transport) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
	" ?12)";
static const char sql_open_left[] =
	"SELECT 1 FROM recipient WHERE id >= ? AND id < ? AND " STATE_OPEN " LIMIT 1";

struct ended { /* what a result did, for the due map */
	struct str dest;
	int old_state, new_state; /* old -1: the row was gone */
	int64_t next_ms;
};

struct attempt_op {
	const struct store_attempt *attempt;
	struct arena *arena;
	struct ended *ended;
	bool *gone;
	int64_t *dsn_ids;
	int64_t now_ms;
	char spool_name[SPOOL_NAME_MAX];
};

static int attempt_row(struct db *db, const struct store_attempt *at,
	const struct store_rcpt_result *r, int64_t number, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_attempt, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, r->rcpt_id);
	db_bind_int(stmt, 2, number);
	db_bind_int(stmt, 3, at->started_ms);
	db_bind_int(stmt, 4, at->duration_ms);
	db_bind_int(stmt, 5, r->outcome);
	db_bind_int(stmt, 6, r->code);
	db_bind_str(stmt, 7, r->ecode);
	db_bind_str(stmt, 8, r->text);
	db_bind_str(stmt, 9, r->mx);
	db_bind_str(stmt, 10, r->ip);
	db_bind_str(stmt, 11, r->tls);
	db_bind_str(stmt, 12, r->transport);
	return db_step(db, stmt, err);
}

static int state_after(enum store_outcome outcome)
{
	switch (outcome) {
	case STORE_DELIVERED:
		return STORE_RCPT_DELIVERED;
	case STORE_DEFERRED:
		return STORE_RCPT_QUEUED;
	case STORE_FAILED:
		return STORE_RCPT_FAILED;
	}
	return STORE_RCPT_QUEUED;
}

static int result_run(struct db *db, struct attempt_op *op, size_t i, struct err *err)
{
	const struct store_rcpt_result *r = &op->attempt->results[i];
	struct ended *e = &op->ended[i];
	sqlite3_stmt *stmt = db_prepare(db, sql_rcpt, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, r->rcpt_id);
	int rc = db_step(db, stmt, err);
	e->old_state = -1;
	if (rc <= 0)
		return rc; /* gone: an admin's drop waits for claims, so never in practice */
	e->dest = db_column(stmt, 0, op->arena);
	e->old_state = (int)db_column_int(stmt, 1);
	int64_t number = db_column_int(stmt, 2) + 1;
	sqlite3_reset(stmt);
	e->new_state = state_after(r->outcome);
	if (e->new_state == STORE_RCPT_QUEUED && e->old_state == STORE_RCPT_HELD)
		e->new_state = STORE_RCPT_HELD; /* put on hold during the attempt */
	e->next_ms = r->outcome == STORE_DEFERRED ? r->next_attempt_ms : 0;
	stmt = db_prepare(db, sql_result, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, r->rcpt_id);
	db_bind_int(stmt, 2, e->new_state);
	db_bind_int(stmt, 3, e->new_state == STORE_RCPT_HELD ? INT64_MAX : e->next_ms);
	db_bind_int(stmt, 4, op->attempt->started_ms);
	db_bind_int(stmt, 5, r->delay_sent);
	db_bind_str(stmt, 6, r->outcome == STORE_DELIVERED ? STR("") : r->text);
	db_bind_str(stmt, 7, r->transport);
	if (db_step(db, stmt, err) < 0)
		return -1;
	return r->attempted ? attempt_row(db, op->attempt, r, number, err) : 0;
}

/* 1 when a recipient of the message is still queued or held that is not among the results
 * as delivered or failed. */
static int open_left(struct db *db, int64_t msg_id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_open_left, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(msg_id));
	db_bind_int(stmt, 2, rcpt_first(msg_id + 1));
	int rc = db_step(db, stmt, err);
	sqlite3_reset(stmt);
	return rc;
}

/* Most messages have one recipient and are delivered at once: nothing of them has to be
 * written only to be deleted again. */
static bool is_plain_success(const struct store_attempt *at)
{
	return at->result_count == 1 && at->results[0].outcome == STORE_DELIVERED &&
	       at->dsn_count == 0;
}

static const char sql_others[] =
	"SELECT 1 FROM recipient WHERE id >= ? AND id < ? AND id != ? LIMIT 1";

static int plain_success_run(struct store *s, struct db *db, struct attempt_op *op, struct err *err)
{
	const struct store_rcpt_result *r = &op->attempt->results[0];
	sqlite3_stmt *stmt = db_prepare(db, sql_others, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(op->attempt->msg_id));
	db_bind_int(stmt, 2, rcpt_first(op->attempt->msg_id + 1));
	db_bind_int(stmt, 3, r->rcpt_id);
	int rc = db_step(db, stmt, err);
	sqlite3_reset(stmt);
	if (rc != 0)
		return rc < 0 ? -1 : 1; /* 1: not the plain case after all */
	stmt = db_prepare(db, sql_rcpt, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, r->rcpt_id);
	rc = db_step(db, stmt, err);
	op->ended[0].old_state = -1;
	if (rc <= 0)
		return rc;
	op->ended[0].dest = db_column(stmt, 0, op->arena);
	op->ended[0].old_state = (int)db_column_int(stmt, 1);
	op->ended[0].new_state = STORE_RCPT_DELIVERED;
	sqlite3_reset(stmt);
	return msg_remove(s, db, op->attempt->msg_id, op->spool_name, err);
}

static int attempt_results_run(
	struct store *s, struct db *db, struct attempt_op *op, struct err *err)
{
	const struct store_attempt *at = op->attempt;

	op->now_ms = clock_unix_ms();
	op->spool_name[0] = '\0';
	if (is_plain_success(at)) {
		int rc = plain_success_run(s, db, op, err);
		if (rc <= 0)
			return rc;
	}
	for (size_t i = 0; i < at->result_count; i++) {
		if (result_run(db, op, i, err) < 0)
			return -1;
	}
	int left = open_left(db, at->msg_id, err);
	if (left < 0 || (left == 0 && msg_remove(s, db, at->msg_id, op->spool_name, err) < 0))
		return -1;
	for (size_t i = 0; i < at->dsn_count; i++) {
		if (msg_insert(s, db, &at->dsns[i], &op->dsn_ids[i], op->now_ms, err) < 0)
			return -1;
	}
	return 0;
}

static int attempt_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct attempt_op *op = arg;

	if (op->attempt->is_tls_report && tlsrpt_attempt(db, op->attempt, op->arena, err) < 0)
		return -1;
	if (attempt_results_run(s, db, op, err) < 0)
		return -1;
	for (size_t i = 0; i < op->attempt->result_count; i++)
		op->gone[i] = op->ended[i].old_state < 0;
	if (msglog_attempt(s, db, op->attempt, op->gone, op->dsn_ids, op->now_ms, err) < 0)
		return -1;
	return tls_results_add(
		db, op->attempt->tls_results, op->attempt->tls_result_count, op->now_ms, err);
}

static void attempt_committed(struct store *s, void *arg)
{
	static const enum stat_kind kinds[] = {
		[STORE_DELIVERED] = STAT_DELIVERED,
		[STORE_DEFERRED] = STAT_DEFERRED,
		[STORE_FAILED] = STAT_FAILED,
	};
	struct attempt_op *op = arg;

	if (op->spool_name[0] != '\0')
		spool_remove(s, op->spool_name);
	for (size_t i = 0; i < op->attempt->result_count; i++) {
		struct ended *e = &op->ended[i];
		if (e->old_state < 0)
			continue;
		due_change(s->due, e->dest,
			(e->new_state == STORE_RCPT_QUEUED) - (e->old_state == STORE_RCPT_QUEUED),
			(e->new_state == STORE_RCPT_HELD) - (e->old_state == STORE_RCPT_HELD));
		due_unclaim(s->due, e->dest, op->attempt->results[i].rcpt_id, DUE_END_DONE);
		stat_domain_note(s, e->dest, kinds[op->attempt->results[i].outcome], 1);
		if (e->new_state == STORE_RCPT_QUEUED)
			due_touch(s->due, e->dest, e->next_ms);
	}
	for (size_t i = 0; i < op->attempt->dsn_count; i++)
		msg_committed(s, &op->attempt->dsns[i], op->now_ms);
	msglog_changed(s, op->attempt->msg_id);
	for (size_t i = 0; i < op->attempt->dsn_count; i++)
		msglog_changed(s, op->dsn_ids[i]);
}

int store_attempt_add(struct store *s, const struct store_attempt *attempt, struct err *err)
{
	struct arena *a = arena_open();
	struct attempt_op op = {.attempt = attempt, .arena = a};
	struct write_op write = {.run = attempt_run, .committed = attempt_committed, .arg = &op};

	op.ended = arena_alloc(a, attempt->result_count * sizeof(*op.ended));
	op.gone = arena_alloc(a, attempt->result_count * sizeof(*op.gone));
	op.dsn_ids = arena_alloc(a, (attempt->dsn_count + 1) * sizeof(*op.dsn_ids));
	for (size_t i = 0; i < attempt->dsn_count; i++)
		dir_hold_mark(s, &attempt->dsns[i]);
	int rc = store_write(s, &write, err);
	arena_close(&a);
	return rc;
}

/* --- suspension of what waits for a next hop that is down --- */

static const char sql_suspend[] =
	"SELECT id, attempts FROM recipient WHERE dest = ?1 AND state = 0 AND next_ms <= ?2"
	" ORDER BY next_ms, id";
static const char sql_suspended[] =
	"UPDATE recipient SET next_ms = ?2, last_ms = ?3, attempts = attempts + 1, last_error = ?4"
	" WHERE id = ?1";

enum { SUSPEND_SCAN_MAX = 2000 }; /* rows looked at a call, so that the writer stays quick */

struct suspend_op {
	const char *dest;
	struct str text;
	unsigned max_attempts, delay_attempt;
	int64_t first_s, next_min_ms;
	size_t limit, changed;
};

static int64_t suspend_until(const struct suspend_op *op, int64_t now_ms, int64_t attempts)
{
	int64_t wait_s = op->first_s << (attempts < 20 ? attempts : 20);

	return now_ms + wait_s * 1000 + rand_below(5000);
}

static int suspend_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct suspend_op *op = arg;
	int64_t now_ms = clock_unix_ms();
	sqlite3_stmt *due = db_prepare(db, sql_suspend, err);
	struct {
		int64_t id, attempts;
	} *rows = mem_alloc(op->limit * sizeof(*rows));
	size_t n = 0, seen = 0;
	int rc = -1;

	op->changed = 0;
	if (due == NULL)
		goto out;
	db_bind_str(due, 1, str_from(op->dest));
	db_bind_int(due, 2, now_ms);
	while (n < op->limit && seen++ < SUSPEND_SCAN_MAX && (rc = db_step(db, due, err)) == 1) {
		int64_t id = db_column_int(due, 0), attempts = db_column_int(due, 1);
		if (attempts + 1 >= op->max_attempts || attempts + 1 == op->delay_attempt ||
			due_in_flight(s->due, id))
			continue;
		rows[n].id = id;
		rows[n++].attempts = attempts;
	}
	sqlite3_reset(due);
	if (rc < 0)
		goto out;
	for (size_t i = 0; i < n; i++) {
		int64_t next_ms = suspend_until(op, now_ms, rows[i].attempts);
		sqlite3_stmt *stmt = db_prepare(db, sql_suspended, err);
		rc = -1;
		if (stmt == NULL)
			goto out;
		db_bind_int(stmt, 1, rows[i].id);
		db_bind_int(stmt, 2, next_ms);
		db_bind_int(stmt, 3, now_ms);
		db_bind_str(stmt, 4, op->text);
		if (db_step(db, stmt, err) < 0)
			goto out;
		if (op->next_min_ms == 0 || next_ms < op->next_min_ms)
			op->next_min_ms = next_ms;
	}
	op->changed = n;
	rc = 0;
out:
	free(rows);
	return rc < 0 ? -1 : 0;
}

static void suspend_committed(struct store *s, void *arg)
{
	struct suspend_op *op = arg;

	if (op->changed > 0)
		due_touch(s->due, str_from(op->dest), op->next_min_ms);
}

int store_due_suspend(struct store *s, const char *dest, struct str text, unsigned max_attempts,
	unsigned delay_attempt, int64_t first_s, size_t limit, size_t *changed, struct err *err)
{
	struct suspend_op op = {.dest = dest,
		.text = text,
		.max_attempts = max_attempts,
		.delay_attempt = delay_attempt,
		.first_s = first_s,
		.limit = limit};
	struct write_op write = {.run = suspend_run, .committed = suspend_committed, .arg = &op};

	int rc = store_write(s, &write, err);
	*changed = op.changed;
	return rc;
}
