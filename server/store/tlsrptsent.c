/* The tables of TLS reports that were sent. A report, the mails that carry it and the end of the
 * results it was made of are one transaction: it is sent once, whatever happens between. */
#include "store/tlsrptsent.h"
#include "store/dircache.h"

#include "base/buf.h"

#define SENT_COLUMNS                                                                               \
	"id, report_id, policy_domain, day, sent_s, start_s, end_s, successes, failures, "         \
	"mail_from,"                                                                               \
	" record"
#define TO_COLUMNS "id, sent_id, address, https, state, attempts, next_s, last_s, msg_id, text"

/* --- adding --- */

static const char sql_basis[] = "SELECT count(DISTINCT r.id), coalesce(max(r.updated_ms), 0),"
				" coalesce(sum(p.successes + p.failures), 0) FROM tls_result r"
				" LEFT JOIN tls_result_policy p ON p.result_id = r.id"
				" WHERE r.policy_domain = ?1 AND r.day = ?2";
static const char sql_sent[] =
	"INSERT INTO tlsrpt_sent(report_id, policy_domain, day, sent_s, start_s, end_s, successes,"
	" failures, mail_from, record, json) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
	" ON CONFLICT DO NOTHING";
static const char sql_to[] =
	"INSERT INTO tlsrpt_to(sent_id, address, https, state, attempts, next_s, last_s, msg_id,"
	" text) VALUES(?1, ?2, ?3, ?4, 0, ?5, 0, ?6, ?7)";
static const char sql_results_delete[] =
	"DELETE FROM tls_result WHERE policy_domain = ?1 AND day = ?2";
static const char sql_kept_delete[] =
	"DELETE FROM tlsrpt_kept WHERE policy_domain = ?1 AND day = ?2";

static struct str text_cut(struct str s)
{
	if (s.len > STORE_TLSRPT_TEXT_MAX)
		s.len = STORE_TLSRPT_TEXT_MAX;
	return s;
}

static int basis_read(struct db *db, struct str policy_domain, int day,
	struct store_tlsrpt_basis *out, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_basis, err);

	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, policy_domain);
	db_bind_int(stmt, 2, day);
	int rc = db_step(db, stmt, err);
	if (rc != 1)
		return -1;
	out->rows = db_column_int(stmt, 0);
	out->updated_ms = db_column_int(stmt, 1);
	out->sessions = db_column_int(stmt, 2);
	sqlite3_reset(stmt);
	return 0;
}

int store_tlsrpt_basis(struct store *s, struct str policy_domain, int day,
	struct store_tlsrpt_basis *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db != NULL) {
		rc = basis_read(db, policy_domain, day, out, err);
		reader_give(s, db);
	}
	return rc;
}

struct add_op {
	struct store_tlsrpt_sent *sent;
	const struct store_msg_new *const *mails;
	const struct store_tlsrpt_basis *basis;
	enum store_tlsrpt_added added;
	int64_t now_ms;
};

static int results_end(struct db *db, struct str policy_domain, int day, struct err *err)
{
	static const char *const sql[] = {sql_results_delete, sql_kept_delete};

	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *stmt = db_prepare(db, sql[i], err);
		if (stmt == NULL)
			return -1;
		db_bind_str(stmt, 1, policy_domain);
		db_bind_int(stmt, 2, day);
		if (db_step(db, stmt, err) < 0)
			return -1;
	}
	return 0;
}

/* 1 when the row is there, 0 when a report of that id was. */
static int sent_insert(struct db *db, struct store_tlsrpt_sent *r, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_sent, err);

	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, r->report_id);
	db_bind_str(stmt, 2, r->policy_domain);
	db_bind_int(stmt, 3, r->day);
	db_bind_int(stmt, 4, r->sent_s);
	db_bind_int(stmt, 5, r->start_s);
	db_bind_int(stmt, 6, r->end_s);
	db_bind_int(stmt, 7, r->successes);
	db_bind_int(stmt, 8, r->failures);
	db_bind_str(stmt, 9, r->mail_from);
	db_bind_str(stmt, 10, r->record);
	db_bind_str(stmt, 11, r->json);
	if (db_step(db, stmt, err) < 0)
		return -1;
	if (sqlite3_changes(db->h) == 0)
		return 0;
	r->id = sqlite3_last_insert_rowid(db->h);
	return 1;
}

static int to_insert(struct db *db, struct store_tlsrpt_to *to, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_to, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, to->sent_id);
	db_bind_str(stmt, 2, to->address);
	db_bind_int(stmt, 3, to->https);
	db_bind_int(stmt, 4, to->state);
	db_bind_int(stmt, 5, to->next_s);
	db_bind_int(stmt, 6, to->msg_id);
	db_bind_str(stmt, 7, text_cut(to->text));
	if (db_step(db, stmt, err) < 0)
		return -1;
	to->id = sqlite3_last_insert_rowid(db->h);
	return 0;
}

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct add_op *op = arg;
	struct store_tlsrpt_sent *sent = op->sent;
	struct store_tlsrpt_basis now;

	op->now_ms = clock_unix_ms();
	if (basis_read(db, sent->policy_domain, sent->day, &now, err) < 0)
		return -1;
	if (now.rows != op->basis->rows || now.updated_ms != op->basis->updated_ms ||
		now.sessions != op->basis->sessions) {
		op->added = STORE_TLSRPT_CHANGED;
		return 0;
	}
	int rc = sent_insert(db, sent, err);
	op->added = rc == 1 ? STORE_TLSRPT_ADDED : STORE_TLSRPT_TWICE;
	for (size_t i = 0; rc == 1 && i < sent->to_count; i++) {
		struct store_tlsrpt_to *to = &sent->to[i];
		to->sent_id = sent->id;
		to->msg_id = 0;
		if (op->mails[i] != NULL &&
			msg_insert(s, db, op->mails[i], &to->msg_id, op->now_ms, err) < 0)
			return -1;
		if (to_insert(db, to, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : results_end(db, sent->policy_domain, sent->day, err);
}

static void add_committed(struct store *s, void *arg)
{
	struct add_op *op = arg;

	for (size_t i = 0; op->added == STORE_TLSRPT_ADDED && i < op->sent->to_count; i++) {
		if (op->mails[i] == NULL)
			continue;
		msg_committed(s, op->mails[i], op->now_ms);
		msglog_changed(s, op->sent->to[i].msg_id);
		for (size_t k = 0; k < op->mails[i]->rcpt_count; k++)
			stat_domain_note(s, op->mails[i]->rcpts[k].dest, STAT_ACCEPTED, 1);
	}
}

int store_tlsrpt_sent_add(struct store *s, struct store_tlsrpt_sent *sent,
	const struct store_msg_new *const *mails, const struct store_tlsrpt_basis *basis,
	enum store_tlsrpt_added *added, struct err *err)
{
	struct add_op op = {.sent = sent, .mails = mails, .basis = basis};
	struct write_op write = {.run = add_run, .committed = add_committed, .arg = &op};

	for (size_t i = 0; i < sent->to_count; i++) {
		if (mails[i] != NULL)
			dir_hold_mark(s, mails[i]);
	}
	int rc = store_write(s, &write, err);
	*added = op.added;
	return rc;
}

/* --- reading --- */

static const char sql_list[] = "SELECT " SENT_COLUMNS " FROM tlsrpt_sent WHERE id < ?1"
			       " AND (?2 = '' OR instr(policy_domain, ?2) OR instr(report_id, ?2))"
			       " ORDER BY id DESC LIMIT ?3";
static const char sql_get[] = "SELECT " SENT_COLUMNS ", json FROM tlsrpt_sent WHERE id = ?";
static const char sql_tos[] =
	"SELECT " TO_COLUMNS " FROM tlsrpt_to WHERE sent_id = ?1 ORDER BY id LIMIT ?2";
static const char sql_due[] = "SELECT " TO_COLUMNS " FROM tlsrpt_to WHERE https = 1 AND state = 0"
			      " AND next_s <= ?1 ORDER BY next_s LIMIT ?2";
static const char sql_due_next[] = "SELECT min(next_s) FROM tlsrpt_to WHERE https = 1"
				   " AND state = 0 AND next_s > ?1";
static const char sql_purge[] = "DELETE FROM tlsrpt_sent WHERE sent_s < ?";

static void sent_read(sqlite3_stmt *stmt, struct arena *a, struct store_tlsrpt_sent *row)
{
	*row = (struct store_tlsrpt_sent){.id = db_column_int(stmt, 0)};
	row->report_id = db_column(stmt, 1, a);
	row->policy_domain = db_column(stmt, 2, a);
	row->day = (int)db_column_int(stmt, 3);
	row->sent_s = db_column_int(stmt, 4);
	row->start_s = db_column_int(stmt, 5);
	row->end_s = db_column_int(stmt, 6);
	row->successes = db_column_int(stmt, 7);
	row->failures = db_column_int(stmt, 8);
	row->mail_from = db_column(stmt, 9, a);
	row->record = db_column(stmt, 10, a);
}

static void to_read(sqlite3_stmt *stmt, struct arena *a, struct store_tlsrpt_to *to)
{
	*to = (struct store_tlsrpt_to){.id = db_column_int(stmt, 0)};
	to->sent_id = db_column_int(stmt, 1);
	to->address = db_column(stmt, 2, a);
	to->https = db_column_int(stmt, 3) != 0;
	to->state = (enum store_tlsrpt_state)db_column_int(stmt, 4);
	to->attempts = db_column_int(stmt, 5);
	to->next_s = db_column_int(stmt, 6);
	to->last_s = db_column_int(stmt, 7);
	to->msg_id = db_column_int(stmt, 8);
	to->text = db_column(stmt, 9, a);
}

static int tos_read(struct db *db, struct arena *a, struct store_tlsrpt_sent *row, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_tos, err);
	int rc;

	row->to = arena_alloc(a, STORE_TLSRPT_TO_MAX * sizeof(*row->to));
	row->to_count = 0;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, row->id);
	db_bind_int(stmt, 2, STORE_TLSRPT_TO_MAX);
	while ((rc = db_step(db, stmt, err)) == 1)
		to_read(stmt, a, &row->to[row->to_count++]);
	return rc;
}

static size_t limit_of(size_t limit)
{
	return limit < 1 ? 1 : limit > 1000 ? 1000 : limit;
}

int store_tlsrpt_sent_list(struct store *s, const struct store_tlsrpt_filter *f, struct arena *a,
	struct store_tlsrpt_sent **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err)
{
	size_t limit = limit_of(f->limit);
	struct db *db = reader_take(s, err);
	int rc = -1;

	*rows = arena_alloc(a, (limit + 1) * sizeof(**rows));
	*count = 0;
	*more = false;
	*next_before = f->before_id;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_list, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, f->before_id > 0 ? f->before_id : INT64_MAX);
		db_bind_str(stmt, 2, f->text);
		db_bind_int(stmt, 3, (int64_t)limit + 1);
		while ((rc = db_step(db, stmt, err)) == 1)
			sent_read(stmt, a, &(*rows)[(*count)++]);
	}
	if (*count > limit) {
		*count = limit;
		*more = true;
	}
	for (size_t i = 0; rc >= 0 && i < *count; i++)
		rc = tos_read(db, a, &(*rows)[i], err);
	if (*count > 0)
		*next_before = (*rows)[*count - 1].id;
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

int store_tlsrpt_sent_get(struct store *s, int64_t id, struct arena *a,
	struct store_tlsrpt_sent *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_get, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, id);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1) {
		sent_read(stmt, a, out);
		out->json = db_column(stmt, 11, a);
		sqlite3_reset(stmt);
		if (tos_read(db, a, out, err) < 0)
			rc = -1;
	}
	reader_give(s, db);
	return rc;
}

static int due_next(struct db *db, int64_t now_s, int64_t *next_s, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_due_next, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, now_s);
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*next_s = db_column_int(stmt, 0); /* 0 for NULL */
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : 0;
}

int store_tlsrpt_due(struct store *s, int64_t now_s, size_t limit, struct arena *a,
	struct store_tlsrpt_to **rows, size_t *count, int64_t *next_s, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	limit = limit_of(limit);
	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	*next_s = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_due, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, now_s);
		db_bind_int(stmt, 2, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1)
			to_read(stmt, a, &(*rows)[(*count)++]);
	}
	if (rc >= 0)
		rc = due_next(db, now_s, next_s, err);
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

/* --- what became of them --- */

static const char sql_posted[] =
	"UPDATE tlsrpt_to SET state = ?2, attempts = attempts + 1, next_s = ?3, last_s = ?4,"
	" text = ?5 WHERE id = ?1";
/* A mail to several mailboxes of an alias of ours: one that failed decides. */
static const char sql_mail[] =
	"UPDATE tlsrpt_to SET state = ?2, attempts = attempts + ?3, last_s = ?4, text = ?5"
	" WHERE msg_id = ?1 AND (state = 0 OR ?2 = 2) RETURNING address";
static const char sql_dropped[] = "UPDATE tlsrpt_to SET state = 3, text = 'removed from the queue'"
				  " WHERE msg_id = ?1 AND state = 0";
static const char sql_last_states[] =
	"SELECT state FROM tlsrpt_to WHERE address = ?1 AND state IN (1, 2) ORDER BY id DESC"
	" LIMIT ?2";
static const char sql_suppress[] =
	"INSERT INTO tlsrpt_suppress(address, created_s, expires_s, automatic, reason)"
	" VALUES(?1, ?2, ?3, 1, ?4) ON CONFLICT(address) DO UPDATE SET"
	" expires_s = excluded.expires_s, automatic = 1, reason = excluded.reason"
	" WHERE tlsrpt_suppress.expires_s != 0 AND tlsrpt_suppress.expires_s < excluded.created_s";

/* After a report to the address was given up. */
static int failed_note(
	struct db *db, struct str address, struct str why, int64_t now_s, struct err *err)
{
	struct buf reason = {NULL, 0, 0};
	sqlite3_stmt *stmt = db_prepare(db, sql_last_states, err);
	int failed = 0, rc;

	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, address);
	db_bind_int(stmt, 2, STORE_TLSRPT_FAILURES_MAX);
	while ((rc = db_step(db, stmt, err)) == 1)
		failed += db_column_int(stmt, 0) == STORE_TLSRPT_FAILED;
	if (rc < 0 || failed < STORE_TLSRPT_FAILURES_MAX)
		return rc;
	stmt = db_prepare(db, sql_suppress, err);
	if (stmt == NULL)
		return -1;
	buf_printf(&reason, "The last %d reports could not be delivered: %.*s",
		STORE_TLSRPT_FAILURES_MAX, STR_FMT(text_cut(why)));
	db_bind_str(stmt, 1, address);
	db_bind_int(stmt, 2, now_s);
	db_bind_int(stmt, 3, now_s + STORE_TLSRPT_SUPPRESS_S);
	db_bind_str(stmt, 4, buf_str(&reason));
	rc = db_step(db, stmt, err);
	buf_free(&reason);
	return rc < 0 ? -1 : 0;
}

struct posted_op {
	const struct store_tlsrpt_to *to;
	int64_t now_s;
};

static int posted_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct posted_op *op = arg;
	const struct store_tlsrpt_to *to = op->to;
	sqlite3_stmt *stmt = db_prepare(db, sql_posted, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, to->id);
	db_bind_int(stmt, 2, to->state);
	db_bind_int(stmt, 3, to->next_s);
	db_bind_int(stmt, 4, op->now_s);
	db_bind_str(stmt, 5, text_cut(to->text));
	if (db_step(db, stmt, err) < 0)
		return -1;
	if (to->state != STORE_TLSRPT_FAILED)
		return 0;
	return failed_note(db, to->address, to->text, op->now_s, err);
}

int store_tlsrpt_posted(
	struct store *s, const struct store_tlsrpt_to *to, int64_t now_s, struct err *err)
{
	struct posted_op op = {to, now_s};
	struct write_op write = {.run = posted_run, .arg = &op};

	return store_write(s, &write, err);
}

static int mail_result(struct db *db, const struct store_attempt *at,
	const struct store_rcpt_result *r, struct arena *a, struct err *err)
{
	static const enum store_tlsrpt_state states[] = {[STORE_DELIVERED] = STORE_TLSRPT_DELIVERED,
		[STORE_DEFERRED] = STORE_TLSRPT_WAITING,
		[STORE_FAILED] = STORE_TLSRPT_FAILED};
	sqlite3_stmt *stmt = db_prepare(db, sql_mail, err);
	struct str address;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, at->msg_id);
	db_bind_int(stmt, 2, states[r->outcome]);
	db_bind_int(stmt, 3, r->attempted);
	db_bind_int(stmt, 4, (at->started_ms + at->duration_ms) / 1000);
	db_bind_str(stmt, 5, text_cut(r->text));
	int rc = db_step(db, stmt, err);
	if (rc <= 0)
		return rc;
	address = db_column(stmt, 0, a);
	if (db_step(db, stmt, err) < 0)
		return -1;
	return r->outcome == STORE_FAILED ? failed_note(db, address, r->text, clock_unix_s(), err)
					  : 0;
}

int tlsrpt_attempt(struct db *db, const struct store_attempt *at, struct arena *a, struct err *err)
{
	for (size_t i = 0; i < at->result_count; i++) {
		if (mail_result(db, at, &at->results[i], a, err) < 0)
			return -1;
	}
	return 0;
}

int tlsrpt_dropped(struct db *db, int64_t msg_id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_dropped, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, msg_id);
	return db_step(db, stmt, err) < 0 ? -1 : 0;
}

struct purge_op {
	int64_t before_s;
	size_t count;
};

static int purge_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct purge_op *op = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_purge, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, op->before_s);
	if (db_step(db, stmt, err) < 0)
		return -1;
	op->count = (size_t)sqlite3_changes(db->h);
	return 0;
}

int store_tlsrpt_sent_purge(struct store *s, int64_t before_s, size_t *count, struct err *err)
{
	struct purge_op op = {.before_s = before_s};
	struct write_op write = {.run = purge_run, .arg = &op};
	int rc = store_write(s, &write, err);

	*count = op.count;
	return rc;
}
