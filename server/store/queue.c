#include "store/dircache.h"

#include <unistd.h>

enum {
	LIST_SCAN_MAX = 100000, /* rows a text search looks at in one call */
	DEST_SORT_MAX = 20000,  /* up to so many rows of one destination are sorted by id */
	ACT_CHUNK = 500         /* recipients changed in one write operation */
};

#define RCPT_COLUMNS                                                                               \
	"r.id, r.state, r.next_ms, r.last_ms, r.attempts, r.dest, r.address, r.last_error,"        \
	" m.received_ms, m.size, m.mail_from, m.session"

static const char sql_by_id[] =
	"SELECT " RCPT_COLUMNS
	" FROM recipient r JOIN message m ON m.id = r.id >> 20 WHERE r.id > ?1 ORDER BY r.id";
/* Few rows: found by the two partial indexes, then sorted. */
static const char sql_by_dest[] =
	"SELECT " RCPT_COLUMNS " FROM recipient r JOIN message m ON m.id = r.id >> 20 WHERE r.id IN"
	" (SELECT id FROM recipient WHERE dest = ?2 AND state = 0"
	"  UNION SELECT id FROM recipient WHERE dest = ?2 AND state = 1)"
	" AND r.id > ?1 ORDER BY r.id";
static const char sql_of_message[] =
	"SELECT " RCPT_COLUMNS
	" FROM recipient r JOIN message m ON m.id = r.id >> 20 WHERE r.id >= ?1 AND r.id < ?2"
	" ORDER BY r.id";

static void row_read(
	struct store *s, sqlite3_stmt *stmt, struct arena *a, struct store_queue_row *row)
{
	row->rcpt_id = db_column_int(stmt, 0);
	row->msg_id = row->rcpt_id >> MSG_SHIFT;
	row->state = (enum store_rcpt_state)db_column_int(stmt, 1);
	row->next_attempt_ms = row->state == STORE_RCPT_QUEUED ? db_column_int(stmt, 2) : 0;
	row->last_attempt_ms = db_column_int(stmt, 3);
	row->attempts = (unsigned)db_column_int(stmt, 4);
	row->dest = db_column(stmt, 5, a);
	row->address = db_column(stmt, 6, a);
	row->last_error = db_column(stmt, 7, a);
	row->received_ms = db_column_int(stmt, 8);
	row->size = db_column_int(stmt, 9);
	row->mail_from = db_column(stmt, 10, a);
	row->session = db_column(stmt, 11, a);
	row->in_flight = due_in_flight(s->due, row->rcpt_id);
}

static struct str column_view(sqlite3_stmt *stmt, int at)
{
	const char *p = sqlite3_column_blob(stmt, at);

	return (struct str){p, p ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static bool contains_nocase(struct str s, struct str part)
{
	for (; s.len >= part.len; s = str_skip(s, 1)) {
		if (str_starts_nocase(s, part))
			return true;
		if (s.len == 0)
			break;
	}
	return false;
}

static bool matches(sqlite3_stmt *stmt, const struct store_queue_filter *f)
{
	int64_t state = db_column_int(stmt, 1);

	if (f->state >= 0 ? state != f->state : state > STORE_RCPT_HELD)
		return false;
	if (f->dest.len > 0 && !str_eq(column_view(stmt, 5), f->dest))
		return false;
	return f->text.len == 0 || contains_nocase(column_view(stmt, 6), f->text) ||
	       contains_nocase(column_view(stmt, 10), f->text);
}

int store_queue_list(struct store *s, const struct store_queue_filter *f, struct arena *a,
	struct store_queue_row **rows, size_t *count, bool *more, int64_t *next_after,
	struct err *err)
{
	size_t limit = f->limit < 1 ? 1 : f->limit > 1000 ? 1000 : f->limit, looked = 0;
	bool by_dest = f->dest.len > 0 && due_dest_count(s->due, f->dest) <= DEST_SORT_MAX &&
		       f->state <= STORE_RCPT_HELD && !s->readonly;
	struct db *db = reader_take(s, err);
	int rc = -1;

	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	*more = false;
	*next_after = f->after_rcpt_id;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, by_dest ? sql_by_dest : sql_by_id, err);
	if (stmt == NULL)
		goto out;
	db_bind_int(stmt, 1, f->after_rcpt_id);
	if (by_dest)
		db_bind_str(stmt, 2, f->dest);
	while ((rc = db_step(db, stmt, err)) == 1) {
		if (*count == limit || looked++ == LIST_SCAN_MAX) {
			*more = true;
			sqlite3_reset(stmt);
			break;
		}
		*next_after = db_column_int(stmt, 0);
		if (matches(stmt, f))
			row_read(s, stmt, a, &(*rows)[(*count)++]);
	}
out:
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

static const char sql_oldest[] = "SELECT received_ms FROM message ORDER BY id LIMIT 1";

int store_queue_summary(struct store *s, struct store_queue_summary *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*out = (struct store_queue_summary){.messages = atomic_load(&s->messages)};
	due_sums(s->due, &out->queued, &out->held);
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_oldest, err);
	if (stmt != NULL) {
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			out->oldest_ms = db_column_int(stmt, 0);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

int store_queue_dests(struct store *s, size_t limit, struct arena *a, struct store_dest_row **rows,
	size_t *count, struct err *err)
{
	(void)err;
	*count = due_top(s->due, limit, a, rows);
	return 0;
}

/* --- one message --- */

static const char sql_message[] =
	"SELECT received_ms, size, flags, session, mail_from, helo, remote_ip, message_id, account,"
	" envid, prefix, spool FROM message WHERE id = ?";
static const char sql_attempts[] =
	"SELECT rcpt_id, started_ms, duration_ms, outcome, code, ecode, text, mx, ip, tls,"
	" transport FROM attempt WHERE rcpt_id >= ? AND rcpt_id < ? ORDER BY started_ms, rcpt_id";

static int head_read(struct store *s, struct db *db, int64_t id, struct arena *a,
	struct store_queue_message *m, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_message, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	int rc = db_step(db, stmt, err);
	if (rc <= 0)
		return rc;
	int64_t flags = db_column_int(stmt, 2);
	m->id = id;
	m->received_ms = db_column_int(stmt, 0);
	m->size = db_column_int(stmt, 1);
	m->body_8bit = flags & FLAG_8BIT;
	m->smtputf8 = flags & FLAG_SMTPUTF8;
	m->requiretls = flags & FLAG_REQUIRETLS;
	m->session = db_column(stmt, 3, a);
	m->mail_from = db_column(stmt, 4, a);
	m->helo = db_column(stmt, 5, a);
	m->remote_ip = db_column(stmt, 6, a);
	m->message_id = db_column(stmt, 7, a);
	m->account = db_column(stmt, 8, a);
	m->envid = db_column(stmt, 9, a);
	m->prefix = db_column(stmt, 10, a);
	const char *spool = (const char *)sqlite3_column_text(stmt, 11);
	if (spool != NULL) {
		struct err ignored;
		int fd = spool_open_read(s, spool, &ignored);
		m->held_spool_missing = fd < 0;
		if (fd >= 0)
			close(fd);
	}
	sqlite3_reset(stmt);
	return 1;
}

static int rcpts_read(struct store *s, struct db *db, struct arena *a,
	struct store_queue_message *m, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_of_message, err);
	size_t cap = 0;
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(m->id));
	db_bind_int(stmt, 2, rcpt_first(m->id + 1));
	while ((rc = db_step(db, stmt, err)) == 1) {
		m->rcpts = dir_grow(a, m->rcpts, m->rcpt_count, &cap, sizeof(*m->rcpts));
		row_read(s, stmt, a, &m->rcpts[m->rcpt_count++]);
	}
	return rc;
}

static int attempts_read(
	struct db *db, struct arena *a, struct store_queue_message *m, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_attempts, err);
	size_t cap = 0;
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(m->id));
	db_bind_int(stmt, 2, rcpt_first(m->id + 1));
	while ((rc = db_step(db, stmt, err)) == 1) {
		m->attempts =
			dir_grow(a, m->attempts, m->attempt_count, &cap, sizeof(*m->attempts));
		m->attempts[m->attempt_count++] = (struct store_attempt_row){
			.rcpt_id = db_column_int(stmt, 0),
			.started_ms = db_column_int(stmt, 1),
			.duration_ms = db_column_int(stmt, 2),
			.outcome = (enum store_outcome)db_column_int(stmt, 3),
			.code = (int)db_column_int(stmt, 4),
			.ecode = db_column(stmt, 5, a),
			.text = db_column(stmt, 6, a),
			.mx = db_column(stmt, 7, a),
			.ip = db_column(stmt, 8, a),
			.tls = db_column(stmt, 9, a),
			.transport = db_column(stmt, 10, a),
		};
	}
	return rc;
}

int store_queue_get(struct store *s, int64_t msg_id, struct arena *a,
	struct store_queue_message *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	struct err ignored;

	*out = (struct store_queue_message){.id = msg_id};
	if (db == NULL)
		return -1;
	int rc = db_exec(db, "BEGIN", err); /* one snapshot */
	if (rc == 0)
		rc = head_read(s, db, msg_id, a, out, err);
	if (rc == 1 && (rcpts_read(s, db, a, out, err) < 0 || attempts_read(db, a, out, err) < 0))
		rc = -1;
	(void)!db_exec(db, "COMMIT", &ignored);
	reader_give(s, db);
	return rc;
}

/* --- verbs --- */

static const char sql_state[] = "SELECT dest, state FROM recipient WHERE id = ?";
static const char sql_set[] = "UPDATE recipient SET state = ?2, next_ms = ?3 WHERE id = ?1";
static const char sql_rcpt_delete[] = "DELETE FROM recipient WHERE id = ?";
static const char sql_rcpt_attempts_delete[] = "DELETE FROM attempt WHERE rcpt_id = ?";
static const char sql_open[] =
	"SELECT 1 FROM recipient WHERE id >= ? AND id < ? AND state <= 1 LIMIT 1";

struct acted {
	struct str dest;
	int64_t msg_id;
	int queued, held; /* changes */
	bool due;
};

struct act_op {
	enum store_queue_verb verb;
	const int64_t *ids; /* recipients */
	size_t count, changed;
	struct acted *acted;
	struct arena *arena;
	char (*spool_names)[SPOOL_NAME_MAX];
	size_t spool_count;
};

static int one_set(struct db *db, int64_t id, int state, int64_t next_ms, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_set, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, state);
	db_bind_int(stmt, 3, next_ms);
	return db_step(db, stmt, err);
}

static int by_id_run(struct db *db, const char *sql, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	return db_step(db, stmt, err);
}

static int one_drop(struct store *s, struct db *db, struct act_op *op, int64_t id, struct err *err)
{
	int64_t msg_id = id >> MSG_SHIFT;

	if (by_id_run(db, sql_rcpt_delete, id, err) < 0 ||
		by_id_run(db, sql_rcpt_attempts_delete, id, err) < 0)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_open, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(msg_id));
	db_bind_int(stmt, 2, rcpt_first(msg_id + 1));
	int left = db_step(db, stmt, err);
	sqlite3_reset(stmt);
	if (left != 0)
		return left < 0 ? -1 : 0;
	char *name = op->spool_names[op->spool_count];
	if (msg_remove(s, db, msg_id, name, err) < 0)
		return -1;
	if (name[0] != '\0')
		op->spool_count++;
	return 0;
}

static const enum store_log_kind log_kinds[] = {
	[STORE_QUEUE_RETRY] = STORE_LOG_EV_RETRY,
	[STORE_QUEUE_HOLD] = STORE_LOG_EV_HELD,
	[STORE_QUEUE_UNHOLD] = STORE_LOG_EV_UNHELD,
	[STORE_QUEUE_DROP] = STORE_LOG_EV_DROPPED,
};

static int one_act(struct store *s, struct db *db, struct act_op *op, size_t i, struct err *err)
{
	int64_t id = op->ids[i];
	struct acted *did = &op->acted[op->changed];
	sqlite3_stmt *stmt = db_prepare(db, sql_state, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	int rc = db_step(db, stmt, err);
	if (rc <= 0)
		return rc;
	*did = (struct acted){.dest = db_column(stmt, 0, op->arena), .msg_id = id >> MSG_SHIFT};
	int64_t state = db_column_int(stmt, 1);
	sqlite3_reset(stmt);
	bool queued = state == STORE_RCPT_QUEUED, held = state == STORE_RCPT_HELD;
	bool busy = due_in_flight(s->due, id);
	rc = 0;
	switch (op->verb) {
	case STORE_QUEUE_RETRY:
		if (!queued || busy)
			return 0;
		did->due = true;
		rc = one_set(db, id, STORE_RCPT_QUEUED, clock_unix_ms(), err);
		break;
	case STORE_QUEUE_HOLD:
		if (!queued)
			return 0;
		did->queued = -1;
		did->held = 1;
		rc = one_set(db, id, STORE_RCPT_HELD, 0, err);
		break;
	case STORE_QUEUE_UNHOLD:
		if (!held)
			return 0;
		did->queued = 1;
		did->held = -1;
		did->due = true;
		rc = one_set(db, id, STORE_RCPT_QUEUED, clock_unix_ms(), err);
		break;
	case STORE_QUEUE_DROP:
		if ((!queued && !held) || busy)
			return 0;
		did->queued = queued ? -1 : 0;
		did->held = held ? -1 : 0;
		rc = one_drop(s, db, op, id, err);
		break;
	}
	if (rc == 0)
		rc = msglog_event(db, id, log_kinds[op->verb], STR(""), clock_unix_ms(), err);
	op->changed += rc == 0;
	return rc;
}

static int act_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct act_op *op = arg;

	op->changed = op->spool_count = 0;
	for (size_t i = 0; i < op->count; i++) {
		if (one_act(s, db, op, i, err) < 0)
			return -1;
	}
	return 0;
}

static void act_committed(struct store *s, void *arg)
{
	struct act_op *op = arg;

	for (size_t i = 0; i < op->spool_count; i++)
		spool_remove(s, op->spool_names[i]);
	for (size_t i = 0; i < op->changed; i++) {
		const struct acted *did = &op->acted[i];
		due_change(s->due, did->dest, did->queued, did->held);
		if (did->due)
			due_touch(s->due, did->dest, 0);
		msglog_changed(s, did->msg_id);
	}
}

static int act_chunk(struct store *s, enum store_queue_verb verb, const int64_t *ids, size_t count,
	size_t *changed, struct err *err)
{
	struct act_op op = {.verb = verb, .ids = ids, .count = count, .arena = arena_open()};
	struct write_op write = {.run = act_run, .committed = act_committed, .arg = &op};

	op.acted = arena_alloc(op.arena, (count + 1) * sizeof(*op.acted));
	op.spool_names = arena_alloc(op.arena, (count + 1) * sizeof(*op.spool_names));
	int rc = store_write(s, &write, err);
	if (rc == 0)
		*changed += op.changed;
	arena_close(&op.arena);
	return rc;
}

int store_queue_act(struct store *s, enum store_queue_verb verb, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	struct arena *a = arena_open();
	struct store_queue_message m;
	int rc = 0;

	*changed = 0;
	if (rcpt_id != 0)
		rc = rcpt_id >> MSG_SHIFT == msg_id ? act_chunk(s, verb, &rcpt_id, 1, changed, err)
						    : 0;
	else if ((rc = store_queue_get(s, msg_id, a, &m, err)) == 1) {
		int64_t *ids = arena_alloc(a, (m.rcpt_count + 1) * sizeof(*ids));
		for (size_t i = 0; i < m.rcpt_count; i++)
			ids[i] = m.rcpts[i].rcpt_id;
		rc = act_chunk(s, verb, ids, m.rcpt_count, changed, err);
	}
	arena_close(&a);
	return rc;
}

int store_queue_act_all(struct store *s, enum store_queue_verb verb,
	const struct store_queue_filter *filter, size_t *changed, struct err *err)
{
	struct store_queue_filter f = *filter;
	bool more = true;
	int rc = 0;

	*changed = 0;
	f.after_rcpt_id = 0;
	f.limit = ACT_CHUNK;
	while (more && rc == 0) {
		struct arena *a = arena_open();
		struct store_queue_row *rows;
		size_t count;
		int64_t *ids = arena_alloc(a, ACT_CHUNK * sizeof(*ids));
		rc = store_queue_list(s, &f, a, &rows, &count, &more, &f.after_rcpt_id, err);
		for (size_t i = 0; rc == 0 && i < count; i++)
			ids[i] = rows[i].rcpt_id;
		if (rc == 0 && count > 0)
			rc = act_chunk(s, verb, ids, count, changed, err);
		arena_close(&a);
	}
	return rc;
}
