#include "store/dircache.h"
#include "store/queue_priv.h"

#include <unistd.h>

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
static const char sql_of_message[] =
	"SELECT id, state, next_ms, last_ms, attempts, dest, address, last_error, sender, via,"
	" transport_id FROM recipient WHERE id >= ?1 AND id < ?2 ORDER BY id";
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
		rc = queue_row_read(s, db, stmt, a, &m->rcpts[m->rcpt_count], err);
		if (rc < 0)
			break;
		m->rcpt_count += rc == 1;
	}
	sqlite3_reset(stmt);
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
