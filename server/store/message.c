#include "store/dircache.h"
#include "store/msglog.h"
#include "store/queue_priv.h"

#include <stdio.h>

static const char sql_message[] =
	"INSERT INTO message(id, received_ms, size, flags, ret, session, mail_from, helo,"
	" remote_ip, message_id, account, envid, spool, prefix, body)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
static const char sql_recipient[] =
	"INSERT INTO recipient(id, state, next_ms, last_ms, attempts, notify, delay_sent, dest,"
	" address, original, orcpt, last_error, sender) VALUES(?1, ?2, ?3, 0, 0, ?4, 0, ?5, ?6,"
	" ?7, ?8, '', ?9)";

const char *store_id_text(int64_t id, char out[STORE_ID_TEXT])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	char reversed[STORE_ID_TEXT];
	size_t n = 0, at = 0;

	do {
		reversed[n++] = digits[id & 31];
		id >>= 5;
	} while (id > 0 && n < STORE_ID_TEXT - 2);
	out[at++] = 'q';
	while (n > 0)
		out[at++] = reversed[--n];
	out[at] = '\0';
	return out;
}

bool store_id_parse(struct str text, int64_t *id)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	int64_t value = 0;

	if (text.len < 2 || text.len > 10 || ascii_lower(text.p[0]) != 'q')
		return false;
	for (size_t i = 1; i < text.len; i++) {
		char c = ascii_lower(text.p[i]);
		const char *at = c != '\0' ? strchr(digits, c) : NULL;
		if (at == NULL)
			return false;
		value = value * 32 + (at - digits);
	}
	*id = value;
	return value > 0;
}

static int flags_of(const struct store_msg_new *msg)
{
	return (msg->body_8bit ? FLAG_8BIT : 0) | (msg->smtputf8 ? FLAG_SMTPUTF8 : 0) |
	       (msg->requiretls ? FLAG_REQUIRETLS : 0) |
	       (msg->tls_required_no ? FLAG_TLS_REQUIRED_NO : 0) |
	       (msg->is_tls_report ? FLAG_TLS_REPORT : 0);
}

static int message_row(
	struct db *db, const struct store_msg_new *msg, int64_t id, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_message, err);
	int64_t body = msg->spool ? spool_size(msg->spool) : (int64_t)msg->body.len;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, now_ms);
	db_bind_int(stmt, 3, body + (int64_t)msg->prefix.len);
	db_bind_int(stmt, 4, flags_of(msg));
	db_bind_int(stmt, 5, msg->ret);
	db_bind_str(stmt, 6, msg->session);
	db_bind_str(stmt, 7, msg->mail_from);
	db_bind_str(stmt, 8, msg->helo);
	db_bind_str(stmt, 9, msg->remote_ip);
	db_bind_str(stmt, 10, msg->message_id);
	db_bind_str(stmt, 11, msg->account);
	db_bind_str(stmt, 12, msg->envid);
	if (msg->spool != NULL)
		db_bind_str(stmt, 13, str_from(spool_name(msg->spool)));
	else
		sqlite3_bind_null(stmt, 13);
	db_bind_blob(stmt, 14, msg->prefix);
	db_bind_blob(stmt, 15, msg->spool ? (struct str){NULL, 0} : msg->body);
	return db_step(db, stmt, err);
}

static enum store_rcpt_state first_state(
	const struct store_msg_new *msg, const struct store_rcpt_new *rcpt)
{
	if (rcpt->quarantine)
		return STORE_RCPT_QUARANTINED;
	return msg->hold || rcpt->hold ? STORE_RCPT_HELD : STORE_RCPT_QUEUED;
}

static int quarantine_logged(
	struct db *db, const struct store_msg_new *msg, int64_t id, int64_t now_ms, struct err *err)
{
	for (size_t i = 0; i < msg->rcpt_count; i++) {
		if (msg->rcpts[i].quarantine &&
			msglog_event(db, rcpt_first(id) + (int64_t)i, STORE_LOG_EV_QUARANTINED,
				msg->quarantine_reason, now_ms, err) < 0)
			return -1;
	}
	return 0;
}

int msg_insert(struct store *s, struct db *db, const struct store_msg_new *msg, int64_t *id,
	int64_t now_ms, struct err *err)
{
	if (msg->rcpt_count == 0 || msg->rcpt_count >= MSG_RCPTS_MAX)
		return err_set(err, ERR_BUG, "store: %zu recipients", msg->rcpt_count);
	*id = s->next_msg_id++;
	if (message_row(db, msg, *id, now_ms, err) < 0)
		return -1;
	for (size_t i = 0; i < msg->rcpt_count; i++) {
		const struct store_rcpt_new *r = &msg->rcpts[i];
		sqlite3_stmt *stmt = db_prepare(db, sql_recipient, err);
		if (stmt == NULL)
			return -1;
		if (r->dest.len >= STORE_DEST_MAX)
			return err_set(
				err, ERR_BUG, "store: destination over %d octets", STORE_DEST_MAX);
		db_bind_int(stmt, 1, rcpt_first(*id) + (int64_t)i);
		enum store_rcpt_state state = first_state(msg, r);
		db_bind_int(stmt, 2, state);
		db_bind_int(stmt, 3, state == STORE_RCPT_QUEUED ? now_ms : INT64_MAX);
		db_bind_int(stmt, 4, r->notify);
		db_bind_str(stmt, 5, r->dest);
		db_bind_str(stmt, 6, r->address);
		db_bind_str(stmt, 7, r->original);
		db_bind_str(stmt, 8, r->orcpt);
		db_bind_str(stmt, 9, msg->mail_from);
		if (db_step(db, stmt, err) < 0)
			return -1;
		if (state == STORE_RCPT_QUARANTINED &&
			quarantine_insert(db, msg, r, rcpt_first(*id) + (int64_t)i, now_ms, err) <
				0)
			return -1;
	}
	if (msglog_taken(db, msg, *id, now_ms, err) < 0 ||
		quarantine_logged(db, msg, *id, now_ms, err) < 0)
		return -1;
	atomic_fetch_add(&s->messages, 1);
	return 0;
}

void msg_committed(struct store *s, const struct store_msg_new *msg, int64_t now_ms)
{
	if (msg->spool != NULL)
		spool_keep(msg->spool);
	for (size_t i = 0; i < msg->rcpt_count; i++) {
		enum store_rcpt_state state = first_state(msg, &msg->rcpts[i]);
		if (state == STORE_RCPT_QUARANTINED)
			continue;
		due_change(s->due, msg->rcpts[i].dest, state == STORE_RCPT_QUEUED,
			state == STORE_RCPT_HELD);
		if (state == STORE_RCPT_QUEUED)
			due_touch(s->due, msg->rcpts[i].dest, now_ms);
	}
}

struct add {
	const struct store_msg_new *msg;
	int64_t id, now_ms;
	uint64_t generation; /* of the hold rules that were looked at */
};

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct add *add = arg;

	add->now_ms = clock_unix_ms();
	if (add->generation != dir_generation(s))
		dir_hold_mark(s, add->msg);
	return msg_insert(s, db, add->msg, &add->id, add->now_ms, err);
}

static void add_committed(struct store *s, void *arg)
{
	struct add *add = arg;

	msg_committed(s, add->msg, add->now_ms);
	msglog_changed(s, add->id);
	for (size_t i = 0; i < add->msg->rcpt_count; i++)
		stat_domain_note(s, add->msg->rcpts[i].dest, STAT_ACCEPTED, 1);
}

int store_msg_add(struct store *s, const struct store_msg_new *msg, int64_t *id, struct err *err)
{
	struct add add = {.msg = msg, .generation = dir_generation(s)};
	struct write_op op = {.run = add_run, .committed = add_committed, .arg = &add};

	dir_hold_mark(s, msg);
	if (store_write(s, &op, err) < 0)
		return -1;
	*id = add.id;
	return 0;
}

static const char sql_spool_of[] = "SELECT spool FROM message WHERE id = ?";
static const char sql_delete_message[] = "DELETE FROM message WHERE id = ?";
static const char sql_delete_rcpts[] = "DELETE FROM recipient WHERE id >= ? AND id < ?";
static const char sql_delete_attempts[] = "DELETE FROM attempt WHERE rcpt_id >= ? AND rcpt_id < ?";

static int range_delete(struct db *db, const char *sql, int64_t msg_id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(msg_id));
	db_bind_int(stmt, 2, rcpt_first(msg_id + 1));
	return db_step(db, stmt, err);
}

int msg_rows_remove(struct db *db, int64_t msg_id, struct err *err)
{
	if (range_delete(db, sql_delete_rcpts, msg_id, err) < 0 ||
		range_delete(db, sql_delete_attempts, msg_id, err) < 0)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_delete_message, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, msg_id);
	return db_step(db, stmt, err) < 0 ? -1 : 0;
}

int msg_remove(
	struct store *s, struct db *db, int64_t msg_id, char name[SPOOL_NAME_MAX], struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_spool_of, err);

	name[0] = '\0';
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, msg_id);
	int rc = db_step(db, stmt, err);
	if (rc <= 0)
		return rc;
	const char *spool = (const char *)sqlite3_column_text(stmt, 0);
	if (spool != NULL)
		snprintf(name, SPOOL_NAME_MAX, "%s", spool);
	sqlite3_reset(stmt);
	if (msg_rows_remove(db, msg_id, err) < 0)
		return -1;
	atomic_fetch_sub(&s->messages, 1);
	return 0;
}
