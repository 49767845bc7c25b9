#include "store/override.h"

#include "store/db.h"
#include "store/dircache.h"

static const char sql_get[] = "SELECT domain, kind, pins, reason, expires_s, changed_s"
			      " FROM tls_override WHERE domain = ?";
static const char sql_list[] = "SELECT domain, kind, pins, reason, expires_s, changed_s"
			       " FROM tls_override WHERE domain > ? ORDER BY domain LIMIT ?";
static const char sql_put[] =
	"INSERT INTO tls_override(domain, kind, pins, reason, expires_s, changed_s)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(domain) DO UPDATE SET kind = ?2, pins = ?3,"
	" reason = ?4, expires_s = ?5, changed_s = ?6";
static const char sql_count[] = "SELECT count(*) FROM tls_override";
static const char sql_delete[] = "DELETE FROM tls_override WHERE domain = ?";

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_override *row)
{
	row->domain = db_column(stmt, 0, a);
	row->kind = (enum store_override_kind)db_column_int(stmt, 1);
	row->pins = db_column(stmt, 2, a);
	row->reason = db_column(stmt, 3, a);
	row->expires_s = db_column_int(stmt, 4);
	row->changed_s = db_column_int(stmt, 5);
}

int store_override_get(struct store *s, struct str domain, struct arena *a,
	struct store_override *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*out = (struct store_override){.kind = STORE_OVERRIDE_VERIFIED};
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_get, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, domain);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, a, out);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

int store_override_list(struct store *s, struct str after, size_t limit, struct arena *a,
	struct store_override **rows, size_t *count, bool *more, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;
	size_t cap = 0;

	*rows = NULL;
	*count = 0;
	*more = false;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_list, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, after);
		db_bind_int(stmt, 2, (int64_t)limit + 1);
		while ((rc = db_step(db, stmt, err)) == 1) {
			if (*count == limit) {
				*more = true;
				sqlite3_reset(stmt);
				rc = 0;
				break;
			}
			*rows = dir_grow(a, *rows, *count, &cap, sizeof(**rows));
			row_read(stmt, a, &(*rows)[(*count)++]);
		}
	}
	reader_give(s, db);
	return rc;
}

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct store_override *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_count, err);

	(void)s;
	if (stmt == NULL || db_step(db, stmt, err) != 1)
		return -1;
	int64_t have = db_column_int(stmt, 0);
	sqlite3_reset(stmt);
	if (have >= STORE_OVERRIDES_MAX)
		return err_set(
			err, ERR_PERM, "there are %d overrides already", STORE_OVERRIDES_MAX);
	stmt = db_prepare(db, sql_put, err);
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, row->domain);
	db_bind_int(stmt, 2, row->kind);
	db_bind_str(stmt, 3, row->pins);
	db_bind_str(stmt, 4, row->reason);
	db_bind_int(stmt, 5, row->expires_s);
	db_bind_int(stmt, 6, clock_unix_s());
	return db_step(db, stmt, err);
}

int store_override_put(struct store *s, const struct store_override *row, struct err *err)
{
	struct store_override copy = *row;
	struct write_op op = {.run = put_run, .arg = &copy};

	return store_write(s, &op, err);
}

struct removal {
	struct str domain;
	bool found;
};

static int delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct removal *r = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_delete, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, r->domain);
	if (db_step(db, stmt, err) < 0)
		return -1;
	r->found = sqlite3_changes(db->h) > 0;
	return 0;
}

int store_override_delete(struct store *s, struct str domain, bool *found, struct err *err)
{
	struct removal r = {.domain = domain};
	struct write_op op = {.run = delete_run, .arg = &r};
	int rc = store_write(s, &op, err);

	*found = r.found;
	return rc;
}
