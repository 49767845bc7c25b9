/* What people do with queued recipients: in one write for a few, in chunks for many. */
#include "store/dircache.h"
#include "store/queue_priv.h"

enum {
	ACT_CHUNK = 500,     /* recipients changed in one write operation */
	ACT_BUDGET_MS = 1000 /* for finding the recipients of a chunk */
};
static const int64_t NEVER_MS = INT64_MAX; /* next attempt of what is held */

static const char sql_state[] = "SELECT dest, state FROM recipient WHERE id = ?";
static const char sql_set[] = "UPDATE recipient SET state = ?2, next_ms = ?3 WHERE id = ?1";
static const char sql_rcpt_delete[] = "DELETE FROM recipient WHERE id = ?";
static const char sql_rcpt_attempts_delete[] = "DELETE FROM attempt WHERE rcpt_id = ?";
static const char sql_way[] = "UPDATE recipient SET transport_id = ?2 WHERE id = ?1";
static const char sql_way_count[] =
	"SELECT count(*) FROM recipient WHERE transport_id != 0 AND transport_id = ?1"
	" AND state <= 1";
static const char sql_way_any[] =
	"SELECT 1 FROM recipient WHERE dest = ?1 AND transport_id != 0 LIMIT 1";
static const char sql_transport[] = "SELECT 1 FROM transport WHERE id = ?";
static const char sql_open[] =
	"SELECT 1 FROM recipient WHERE id >= ? AND id < ? AND " STATE_OPEN " LIMIT 1";

struct acted {
	struct str dest;
	int64_t msg_id;
	int queued, held; /* changes */
	bool due;
};

struct act { /* what is done */
	enum store_queue_verb verb;
	bool sets_way; /* instead of the verb: */
	int64_t transport_id;
};

struct act_op {
	struct act act;
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
	if (tlsrpt_dropped(db, msg_id, err) < 0 || msg_remove(s, db, msg_id, name, err) < 0)
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
	[STORE_QUEUE_RELEASE] = STORE_LOG_EV_RELEASED,
	[STORE_QUEUE_DISCARD] = STORE_LOG_EV_DROPPED,
};

static int one_way(struct db *db, int64_t id, int64_t transport_id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_way, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, transport_id);
	return db_step(db, stmt, err);
}

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
	if (op->act.sets_way) {
		if (!queued && !held)
			return 0;
		rc = one_way(db, id, op->act.transport_id, err);
		op->changed += rc == 0;
		return rc;
	}
	switch (op->act.verb) {
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
		rc = one_set(db, id, STORE_RCPT_HELD, NEVER_MS, err);
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
	case STORE_QUEUE_RELEASE:
		if (state != STORE_RCPT_QUARANTINED)
			return 0;
		did->queued = 1;
		did->due = true;
		rc = one_set(db, id, STORE_RCPT_QUEUED, clock_unix_ms(), err);
		if (rc == 0)
			rc = quarantine_remove(db, id, err);
		break;
	case STORE_QUEUE_DISCARD:
		if (state != STORE_RCPT_QUARANTINED)
			return 0;
		rc = one_drop(s, db, op, id, err);
		if (rc == 0)
			rc = quarantine_remove(db, id, err);
		break;
	}
	if (rc == 0)
		rc = msglog_event(db, id, log_kinds[op->act.verb], STR(""), clock_unix_ms(), err);
	op->changed += rc == 0;
	return rc;
}

static int act_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct act_op *op = arg;

	op->changed = op->spool_count = 0;
	if (op->act.sets_way && op->act.transport_id > 0) {
		/* Here, so that it cannot be deleted meanwhile. */
		int found = by_id_run(db, sql_transport, op->act.transport_id, err);
		if (found <= 0)
			return found < 0 ? -1 : err_set(err, ERR_PERM, "the transport is gone");
		sqlite3_reset(db_prepare(db, sql_transport, err));
	}
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

static int act_chunk(struct store *s, const struct act *act, const int64_t *ids, size_t count,
	size_t *changed, struct err *err)
{
	struct act_op op = {.act = *act, .ids = ids, .count = count, .arena = arena_open()};
	struct write_op write = {.run = act_run, .committed = act_committed, .arg = &op};

	op.acted = arena_alloc(op.arena, (count + 1) * sizeof(*op.acted));
	op.spool_names = arena_alloc(op.arena, (count + 1) * sizeof(*op.spool_names));
	int rc = store_write(s, &write, err);
	if (rc == 0)
		*changed += op.changed;
	arena_close(&op.arena);
	return rc;
}

int queue_act_ids(struct store *s, enum store_queue_verb verb, const int64_t *ids, size_t count,
	size_t *changed, struct err *err)
{
	return act_chunk(s, &(struct act){.verb = verb}, ids, count, changed, err);
}

static int act_one(struct store *s, const struct act *act, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	struct arena *a = arena_open();
	struct store_queue_message m;
	int rc = 0;

	*changed = 0;
	if (rcpt_id != 0)
		rc = rcpt_id >> MSG_SHIFT == msg_id ? act_chunk(s, act, &rcpt_id, 1, changed, err)
						    : 0;
	else if ((rc = store_queue_get(s, msg_id, a, &m, err)) == 1) {
		int64_t *ids = arena_alloc(a, (m.rcpt_count + 1) * sizeof(*ids));
		for (size_t i = 0; i < m.rcpt_count; i++)
			ids[i] = m.rcpts[i].rcpt_id;
		rc = act_chunk(s, act, ids, m.rcpt_count, changed, err);
	}
	arena_close(&a);
	return rc;
}

static int act_all(struct store *s, const struct act *act, const struct store_queue_filter *filter,
	size_t *changed, struct err *err)
{
	struct store_queue_filter f = *filter;
	struct store_queue_page page = {.more = true};
	int rc = 0;

	*changed = 0;
	f.after_rcpt_id = 0;
	f.sort = STORE_SORT_RECEIVED;
	f.descending = false;
	f.limit = ACT_CHUNK;
	f.budget_ms = ACT_BUDGET_MS;
	while (page.more && rc == 0) {
		struct arena *a = arena_open();
		int64_t *ids = arena_alloc(a, ACT_CHUNK * sizeof(*ids));
		rc = store_queue_find(s, &f, a, &page, err);
		f.after_rcpt_id = page.next_rcpt_id;
		for (size_t i = 0; rc == 0 && i < page.count; i++)
			ids[i] = page.rows[i].rcpt_id;
		if (rc == 0 && page.count > 0)
			rc = act_chunk(s, act, ids, page.count, changed, err);
		arena_close(&a);
	}
	return rc;
}

int store_queue_act(struct store *s, enum store_queue_verb verb, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	return act_one(s, &(struct act){.verb = verb}, msg_id, rcpt_id, changed, err);
}

int store_queue_act_all(struct store *s, enum store_queue_verb verb,
	const struct store_queue_filter *filter, size_t *changed, struct err *err)
{
	return act_all(s, &(struct act){.verb = verb}, filter, changed, err);
}

int store_queue_way(struct store *s, int64_t transport_id, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	struct act act = {.sets_way = true, .transport_id = transport_id};

	return act_one(s, &act, msg_id, rcpt_id, changed, err);
}

int store_queue_way_all(struct store *s, int64_t transport_id,
	const struct store_queue_filter *filter, size_t *changed, struct err *err)
{
	struct act act = {.sets_way = true, .transport_id = transport_id};

	return act_all(s, &act, filter, changed, err);
}

int store_queue_way_count(struct store *s, int64_t transport_id, int64_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_way_count, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, transport_id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			*count = db_column_int(stmt, 0);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

int store_queue_way_any(struct store *s, const char *dest, bool *any, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*any = false;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_way_any, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, str_from(dest));
		rc = db_step(db, stmt, err);
		*any = rc == 1;
		if (rc == 1)
			sqlite3_reset(stmt);
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}
