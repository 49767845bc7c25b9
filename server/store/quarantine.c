#include "store/quarantine.h"

#include "base/log.h"
#include "store/dircache.h"
#include "store/queue_priv.h"

#include <stdio.h>

enum {
	LOOK_MAX = 50000, /* rows a text search looks at in one call */
	CHUNK = 500       /* recipients changed at a time */
};

#define COLUMNS                                                                                    \
	"q.rcpt_id, q.at_ms, q.reason, q.address, q.header_from, q.subject, m.mail_from,"          \
	" m.remote_ip, m.session, m.size FROM quarantine q JOIN message m ON m.id = q.rcpt_id >> " \
	"20"

static const char sql_all[] = "SELECT " COLUMNS " WHERE q.rcpt_id < ?1 AND q.at_ms < ?2"
			      " ORDER BY q.rcpt_id DESC LIMIT ?3";
static const char sql_of_domain[] =
	"SELECT " COLUMNS " WHERE q.domain = ?4 AND q.rcpt_id < ?1 AND q.at_ms < ?2"
	" ORDER BY q.rcpt_id DESC LIMIT ?3";
static const char sql_one[] = "SELECT " COLUMNS " WHERE q.rcpt_id = ?1";
static const char sql_count[] = "SELECT count(*) FROM quarantine";
static const char sql_insert[] =
	"INSERT INTO quarantine(rcpt_id, at_ms, domain, address, header_from, subject, reason)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
static const char sql_remove[] = "DELETE FROM quarantine WHERE rcpt_id = ?1";
static const char days_setting[] = "QuarantineDays";

int quarantine_insert(struct db *db, const struct store_msg_new *msg,
	const struct store_rcpt_new *rcpt, int64_t rcpt_id, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_insert, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_id);
	db_bind_int(stmt, 2, now_ms);
	db_bind_str(stmt, 3, rcpt->dest);
	db_bind_str(stmt, 4, rcpt->address);
	db_bind_str(stmt, 5, msg->header_from);
	db_bind_str(stmt, 6, msg->subject);
	db_bind_str(stmt, 7, msg->quarantine_reason);
	return db_step(db, stmt, err);
}

int quarantine_remove(struct db *db, int64_t rcpt_id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_remove, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_id);
	return db_step(db, stmt, err);
}

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_quarantine_row *row)
{
	row->rcpt_id = db_column_int(stmt, 0);
	row->msg_id = row->rcpt_id >> MSG_SHIFT;
	row->at_ms = db_column_int(stmt, 1);
	row->reason = db_column(stmt, 2, a);
	row->address = db_column(stmt, 3, a);
	row->header_from = db_column(stmt, 4, a);
	row->subject = db_column(stmt, 5, a);
	row->mail_from = db_column(stmt, 6, a);
	row->remote_ip = db_column(stmt, 7, a);
	row->session = db_column(stmt, 8, a);
	row->size = db_column_int(stmt, 9);
}

static bool has(struct str hay, struct str needle)
{
	for (size_t at = 0; at + needle.len <= hay.len; at++) {
		if (str_starts_nocase(str_skip(hay, at), needle))
			return true;
	}
	return false;
}

/* Looks at a column without copying it: most rows do not match. */
static bool matches(sqlite3_stmt *stmt, struct str text)
{
	static const int columns[] = {2, 3, 4, 5, 6};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		const char *p = (const char *)sqlite3_column_text(stmt, columns[i]);
		if (p != NULL && has(str_from(p), text))
			return true;
	}
	return false;
}

static int list_read(struct db *db, const struct store_quarantine_filter *f, struct arena *a,
	struct store_quarantine_row *rows, size_t *count, bool *more, int64_t *next,
	struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, f->domain.len > 0 ? sql_of_domain : sql_all, err);
	size_t looked = 0;
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, f->before_id > 0 ? f->before_id : INT64_MAX);
	db_bind_int(stmt, 2, f->until_ms > 0 ? f->until_ms : INT64_MAX);
	db_bind_int(stmt, 3, f->text.len > 0 ? LOOK_MAX + 1 : (int64_t)f->limit + 1);
	if (f->domain.len > 0)
		db_bind_str(stmt, 4, f->domain);
	*count = 0;
	*more = false;
	while ((rc = db_step(db, stmt, err)) == 1) {
		if (*count == f->limit || looked++ == LOOK_MAX) {
			*more = true;
			sqlite3_reset(stmt);
			return 0;
		}
		*next = db_column_int(stmt, 0);
		if (f->text.len == 0 || matches(stmt, f->text))
			row_read(stmt, a, &rows[(*count)++]);
	}
	return rc;
}

int store_quarantine_list(struct store *s, const struct store_quarantine_filter *f, struct arena *a,
	struct store_quarantine_row **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err)
{
	struct db *db = reader_take(s, err);

	*count = 0;
	if (db == NULL)
		return -1;
	*rows = arena_alloc(a, f->limit * sizeof(**rows));
	*next_before = 0;
	int rc = list_read(db, f, a, *rows, count, more, next_before, err);
	reader_give(s, db);
	return rc;
}

int store_quarantine_get(struct store *s, int64_t rcpt_id, struct arena *a,
	struct store_quarantine_row *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*out = (struct store_quarantine_row){.rcpt_id = 0};
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_one, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, rcpt_id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, a, out);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

int store_quarantine_count(struct store *s, int64_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_count, err);
	if (stmt != NULL && (rc = db_step(db, stmt, err)) == 1) {
		*count = db_column_int(stmt, 0);
		sqlite3_reset(stmt);
		rc = 0;
	}
	reader_give(s, db);
	return rc;
}

/* --- changes --- */

int store_quarantine_act(struct store *s, enum store_quarantine_verb verb, const int64_t *ids,
	size_t count, size_t *changed, struct err *err)
{
	enum store_queue_verb v =
		verb == STORE_QUARANTINE_RELEASE ? STORE_QUEUE_RELEASE : STORE_QUEUE_DISCARD;

	*changed = 0;
	for (size_t at = 0; at < count; at += CHUNK) {
		size_t n = count - at < CHUNK ? count - at : CHUNK;
		if (queue_act_ids(s, v, ids + at, n, changed, err) < 0)
			return -1;
	}
	return 0;
}

int store_quarantine_act_all(struct store *s, enum store_quarantine_verb verb,
	const struct store_quarantine_filter *f, size_t *changed, struct err *err)
{
	struct store_quarantine_filter page = *f;
	struct arena *a = arena_open();
	bool more = true;
	int rc = 0;

	*changed = 0;
	page.limit = CHUNK;
	page.before_id = 0;
	while (rc == 0 && more) {
		struct store_quarantine_row *rows;
		size_t count, did = 0;
		rc = store_quarantine_list(s, &page, a, &rows, &count, &more, &page.before_id, err);
		int64_t ids[CHUNK];
		for (size_t i = 0; rc == 0 && i < count; i++)
			ids[i] = rows[i].rcpt_id;
		if (rc == 0)
			rc = store_quarantine_act(s, verb, ids, count, &did, err);
		*changed += did;
		arena_reset(a);
	}
	arena_close(&a);
	return rc;
}

/* --- keeping --- */

int store_quarantine_days(struct store *s, int64_t *days, struct err *err)
{
	struct arena *a = arena_open();
	struct str value;
	uint64_t n;

	*days = STORE_QUARANTINE_DAYS;
	int rc = store_setting_get(s, days_setting, a, &value, err);
	if (rc == 1 && str_to_u64(value, STORE_QUARANTINE_DAYS_MAX, &n) && n > 0)
		*days = (int64_t)n;
	arena_close(&a);
	return rc < 0 ? -1 : 0;
}

int store_quarantine_days_put(struct store *s, int64_t days, struct err *err)
{
	char text[32];

	if (days < 1 || days > STORE_QUARANTINE_DAYS_MAX)
		return err_set(err, ERR_PERM, "%lld days: must be 1 to %d", (long long)days,
			STORE_QUARANTINE_DAYS_MAX);
	snprintf(text, sizeof(text), "%lld", (long long)days);
	return store_setting_put(s, days_setting, str_from(text), err);
}

void quarantine_expire(struct store *s)
{
	struct store_quarantine_filter f = {.limit = CHUNK};
	struct err err;
	int64_t days;
	size_t gone = 0;

	if (store_quarantine_days(s, &days, &err) == 0) {
		f.until_ms = clock_unix_ms() - days * 86400 * 1000;
		if (store_quarantine_act_all(s, STORE_QUARANTINE_DELETE, &f, &gone, &err) == 0) {
			char n[NUM_TEXT];
			if (gone > 0)
				log_event(LOG_LEVEL_INFO, "quarantine.expired", "copies",
					num_text((int64_t)gone, n), NULL);
			return;
		}
	}
	log_event(LOG_LEVEL_WARN, "quarantine.expire", "error", err.text, NULL);
}
