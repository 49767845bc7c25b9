#include "store/db.h"

#include <stdio.h>
#include <unistd.h>

int store_backup(struct store *s, const char *file, struct err *err)
{
	struct db *from = reader_take(s, err), *to = NULL;
	sqlite3_backup *backup = NULL;
	int rc = -1;

	if (from == NULL)
		return -1;
	if (access(file, F_OK) == 0) {
		err_set(err, ERR_PERM, "%s: exists already", file);
		goto out;
	}
	if (db_open(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, err) < 0)
		goto out;
	backup = sqlite3_backup_init(to->h, "main", from->h, "main");
	if (backup == NULL || sqlite3_backup_step(backup, -1) != SQLITE_DONE) {
		db_error(to, "backup", err);
		goto out;
	}
	rc = 0;
out:
	if (backup != NULL && sqlite3_backup_finish(backup) != SQLITE_OK && rc == 0)
		rc = db_error(to, "backup", err);
	db_close(&to);
	reader_give(s, from);
	return rc;
}

static const char sql_next_spool[] =
	"SELECT id, spool FROM message"
	" WHERE spool IS NOT NULL AND spool > ? ORDER BY spool LIMIT 1";
static const char sql_is_there[] = "SELECT 1 FROM message WHERE id = ?";

static int row_is_there(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_is_there, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	int rc = db_step(db, stmt, err);
	sqlite3_reset(stmt);
	return rc;
}

/* The next message with a spool file after name, in the order of names: 1, 0 at the end, -1. */
static int spool_next(struct db *db, char name[SPOOL_NAME_MAX], int64_t *id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_next_spool, err);

	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, str_from(name));
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		char next[SPOOL_NAME_MAX];
		*id = db_column_int(stmt, 0);
		snprintf(next, sizeof(next), "%s", (const char *)sqlite3_column_text(stmt, 1));
		snprintf(name, SPOOL_NAME_MAX, "%s", next);
	}
	sqlite3_reset(stmt);
	return rc;
}

static int finished_drop(
	struct db *live, struct db *copy, const char *spool_dir, size_t *dropped, struct err *err)
{
	char name[SPOOL_NAME_MAX] = "", path[4096];
	int64_t id;
	int rc;

	while ((rc = spool_next(copy, name, &id, err)) == 1) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", spool_dir, name) >= sizeof(path))
			return err_set(err, ERR_PERM, "%s: the name is too long", spool_dir);
		if (access(path, F_OK) == 0)
			continue;
		int there = row_is_there(live, id, err);
		if (there < 0 || (there == 0 && msg_rows_remove(copy, id, err) < 0))
			return -1;
		*dropped += there == 0;
	}
	return rc;
}

int store_backup_settle(
	struct store *s, const char *file, const char *spool_dir, size_t *dropped, struct err *err)
{
	struct db *live = reader_take(s, err), *copy = NULL;
	int rc = -1;

	*dropped = 0;
	if (live == NULL)
		return -1;
	if (db_open(file, SQLITE_OPEN_READWRITE, &copy, err) < 0 ||
		db_exec(copy, "BEGIN IMMEDIATE", err) < 0 ||
		finished_drop(live, copy, spool_dir, dropped, err) < 0)
		goto out;
	if (*dropped > 0 && db_exec(copy, "UPDATE queue_gauge SET exact = 0", err) < 0)
		goto out;
	rc = db_exec(copy, "COMMIT", err);
out:
	db_close(&copy);
	reader_give(s, live);
	return rc;
}
