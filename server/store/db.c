#include "store/db.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

int db_open(const char *file, int flags, struct db **out, struct err *err)
{
	struct db *db = mem_alloc(sizeof(*db));

	*out = NULL;
	if (sqlite3_open_v2(file, &db->h, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		db_error(db, "open", err);
		db_close(&db);
		return err_prefix(err, "%s", file);
	}
	sqlite3_extended_result_codes(db->h, 1);
	sqlite3_busy_timeout(db->h, 3000);
	*out = db;
	return 0;
}

void db_close(struct db **dbp)
{
	struct db *db = *dbp;

	if (db == NULL)
		return;
	for (size_t i = 0; i < DB_STATEMENTS_MAX; i++)
		sqlite3_finalize(db->cache[i].stmt);
	sqlite3_close(db->h);
	free(db);
	*dbp = NULL;
}

int db_error(struct db *db, const char *what, struct err *err)
{
	int code = db->h ? sqlite3_extended_errcode(db->h) : SQLITE_NOMEM;
	int system = db->h ? sqlite3_system_errno(db->h) : 0;
	const char *text = db->h ? sqlite3_errmsg(db->h) : "out of memory";
	int primary = code & 0xff;

	if (primary == SQLITE_FULL ||
		(primary == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT)))
		return err_set(err, ERR_FULL, "database: %s: no space left on disk", what);
	if (primary == SQLITE_CONSTRAINT)
		return err_set(err, ERR_PERM, "database: %s: %s", what, text);
	return err_set(err, ERR_TEMP, "database: %s: %s", what, text);
}

sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err)
{
	size_t i = (uintptr_t)sql * 0x9e3779b97f4a7c15u >> 32, tried = 0;

	for (i %= DB_STATEMENTS_MAX; db->cache[i].sql != NULL; i = (i + 1) % DB_STATEMENTS_MAX) {
		if (db->cache[i].sql == sql) {
			sqlite3_reset(db->cache[i].stmt);
			return db->cache[i].stmt;
		}
		if (++tried == DB_STATEMENTS_MAX)
			abort(); /* the statements of this folder are fewer */
	}
	if (sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &db->cache[i].stmt,
		    NULL) != SQLITE_OK) {
		db_error(db, "prepare", err);
		return NULL;
	}
	db->cache[i].sql = sql;
	return db->cache[i].stmt;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(stmt);
		return 0;
	}
	db_error(db, "step", err);
	sqlite3_reset(stmt);
	return -1;
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
	if (sqlite3_exec(db->h, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_error(db, "exec", err);
	return 0;
}

static void bound(int rc)
{
	if (rc != SQLITE_OK)
		abort();
}

void db_bind_int(sqlite3_stmt *stmt, int at, int64_t value)
{
	bound(sqlite3_bind_int64(stmt, at, value));
}

void db_bind_str(sqlite3_stmt *stmt, int at, struct str value)
{
	bound(sqlite3_bind_text64(
		stmt, at, value.p ? value.p : "", value.len, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(sqlite3_stmt *stmt, int at, struct str value)
{
	bound(sqlite3_bind_blob64(stmt, at, value.p ? value.p : "", value.len, SQLITE_STATIC));
}

struct str db_column(sqlite3_stmt *stmt, int at, struct arena *a)
{
	const char *p = sqlite3_column_blob(stmt, at);
	int n = sqlite3_column_bytes(stmt, at);

	return arena_str(a, (struct str){p, p ? (size_t)n : 0});
}
