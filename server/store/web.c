#include "store/web.h"

#include "store/db.h"

static const char sql_add[] =
	"INSERT INTO web_session(token_hash, csrf, created_s, used_s, expires_s, ip)"
	" VALUES(?, ?, ?, ?, ?, ?)";
static const char sql_trim[] =
	"DELETE FROM web_session WHERE expires_s <= ?1 OR token_hash NOT IN"
	" (SELECT token_hash FROM web_session ORDER BY used_s DESC LIMIT ?2)";
static const char sql_find[] = "SELECT csrf, created_s, used_s, expires_s, ip FROM web_session"
			       " WHERE token_hash = ? AND expires_s > ?";
static const char sql_touch[] =
	"UPDATE web_session SET used_s = ?2, expires_s = ?3 WHERE token_hash = ?1";
static const char sql_delete[] = "DELETE FROM web_session WHERE token_hash = ?";
static const char sql_clear[] = "DELETE FROM web_session";

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct store_web_session *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_add, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, str_from(row->token_hash));
	db_bind_str(stmt, 2, str_from(row->csrf));
	db_bind_int(stmt, 3, row->created_s);
	db_bind_int(stmt, 4, row->used_s);
	db_bind_int(stmt, 5, row->expires_s);
	db_bind_str(stmt, 6, str_from(row->ip));
	if (db_step(db, stmt, err) < 0)
		return -1;
	stmt = db_prepare(db, sql_trim, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, row->created_s);
	db_bind_int(stmt, 2, STORE_WEB_SESSIONS_MAX);
	return db_step(db, stmt, err);
}

int store_web_session_add(struct store *s, const struct store_web_session *row, struct err *err)
{
	struct store_web_session copy = *row;
	struct write_op op = {.run = add_run, .arg = &copy};

	return store_write(s, &op, err);
}

static void text_copy(char *dst, size_t size, sqlite3_stmt *stmt, int at)
{
	const char *p = (const char *)sqlite3_column_text(stmt, at);

	(void)str_copy(dst, size, str_from(p ? p : ""));
}

int store_web_session_find(struct store *s, const char *token_hash, int64_t now_s,
	struct store_web_session *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	*out = (struct store_web_session){.created_s = 0};
	sqlite3_stmt *stmt = db_prepare(db, sql_find, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, str_from(token_hash));
		db_bind_int(stmt, 2, now_s);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			(void)str_copy(
				out->token_hash, sizeof(out->token_hash), str_from(token_hash));
			text_copy(out->csrf, sizeof(out->csrf), stmt, 0);
			out->created_s = db_column_int(stmt, 1);
			out->used_s = db_column_int(stmt, 2);
			out->expires_s = db_column_int(stmt, 3);
			text_copy(out->ip, sizeof(out->ip), stmt, 4);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

struct touch {
	const char *token_hash;
	int64_t used_s, expires_s;
};

static int touch_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct touch *t = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_touch, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, str_from(t->token_hash));
	db_bind_int(stmt, 2, t->used_s);
	db_bind_int(stmt, 3, t->expires_s);
	return db_step(db, stmt, err);
}

int store_web_session_touch(
	struct store *s, const char *token_hash, int64_t used_s, int64_t expires_s, struct err *err)
{
	struct touch t = {token_hash, used_s, expires_s};
	struct write_op op = {.run = touch_run, .arg = &t};

	return store_write(s, &op, err);
}

static int delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const char *const *token_hash = arg;
	sqlite3_stmt *stmt = db_prepare(db, *token_hash ? sql_delete : sql_clear, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	if (*token_hash != NULL)
		db_bind_str(stmt, 1, str_from(*token_hash));
	return db_step(db, stmt, err);
}

int store_web_session_delete(struct store *s, const char *token_hash, struct err *err)
{
	struct write_op op = {.run = delete_run, .arg = &token_hash};

	return store_write(s, &op, err);
}

int store_web_session_clear(struct store *s, struct err *err)
{
	const char *none = NULL;
	struct write_op op = {.run = delete_run, .arg = &none};

	return store_write(s, &op, err);
}
