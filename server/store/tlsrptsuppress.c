/* Why results of a day are still kept, and the destinations that get no TLS reports. */
#include "store/dircache.h"
#include "store/tlsrptsent.h"

/* --- why results are kept --- */

/* Notes about results that went go with the next one that is made. */
static const char sql_kept_clean[] =
	"DELETE FROM tlsrpt_kept WHERE NOT EXISTS (SELECT 1 FROM tls_result r"
	" WHERE r.policy_domain = tlsrpt_kept.policy_domain AND r.day = tlsrpt_kept.day)";
static const char sql_kept_set[] =
	"INSERT OR REPLACE INTO tlsrpt_kept(policy_domain, day, at_s, text)"
	" VALUES(?1, ?2, ?3, ?4)";
static const char sql_kept_get[] =
	"SELECT at_s, text FROM tlsrpt_kept WHERE policy_domain = ?1 AND day = ?2";

struct kept_op {
	struct str policy_domain, text;
	int day;
	int64_t now_s;
};

static int kept_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct kept_op *op = arg;

	(void)s;
	if (db_exec(db, sql_kept_clean, err) < 0)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_kept_set, err);
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, op->policy_domain);
	db_bind_int(stmt, 2, op->day);
	db_bind_int(stmt, 3, op->now_s);
	db_bind_str(stmt, 4, op->text);
	return db_step(db, stmt, err) < 0 ? -1 : 0;
}

int store_tlsrpt_kept_set(struct store *s, struct str policy_domain, int day, int64_t now_s,
	struct str text, struct err *err)
{
	struct kept_op op = {policy_domain, text, day, now_s};
	struct write_op write = {.run = kept_run, .arg = &op};

	return store_write(s, &write, err);
}

int store_tlsrpt_kept_get(struct store *s, struct str policy_domain, int day, struct arena *a,
	struct str *text, int64_t *at_s, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*text = STR("");
	*at_s = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_kept_get, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, policy_domain);
		db_bind_int(stmt, 2, day);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1) {
		*at_s = db_column_int(stmt, 0);
		*text = db_column(stmt, 1, a);
		sqlite3_reset(stmt);
	}
	reader_give(s, db);
	return rc;
}

/* --- suppression --- */

#define COLUMNS "id, address, created_s, expires_s, automatic, reason"

static const char sql_active[] = "SELECT " COLUMNS " FROM tlsrpt_suppress WHERE address = ?1"
				 " AND (expires_s = 0 OR expires_s > ?2)";
static const char sql_list[] =
	"SELECT " COLUMNS " FROM tlsrpt_suppress WHERE address > ?1 ORDER BY address LIMIT ?2";
static const char sql_put[] =
	"INSERT INTO tlsrpt_suppress(address, created_s, expires_s, automatic, reason)"
	" VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(address) DO UPDATE SET"
	" expires_s = excluded.expires_s, automatic = excluded.automatic,"
	" reason = excluded.reason";
static const char sql_delete[] = "DELETE FROM tlsrpt_suppress WHERE address = ?";

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_tlsrpt_suppress *row)
{
	*row = (struct store_tlsrpt_suppress){.id = db_column_int(stmt, 0)};
	row->address = db_column(stmt, 1, a);
	row->created_s = db_column_int(stmt, 2);
	row->expires_s = db_column_int(stmt, 3);
	row->automatic = db_column_int(stmt, 4) != 0;
	row->reason = db_column(stmt, 5, a);
}

int store_tlsrpt_suppressed(struct store *s, struct str address, int64_t now_s, struct arena *a,
	struct store_tlsrpt_suppress *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_active, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, address);
		db_bind_int(stmt, 2, now_s);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1) {
		row_read(stmt, a, out);
		sqlite3_reset(stmt);
	}
	reader_give(s, db);
	return rc;
}

int store_tlsrpt_suppress_list(struct store *s, struct str after, size_t limit, struct arena *a,
	struct store_tlsrpt_suppress **rows, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	limit = limit < 1 ? 1 : limit > 1000 ? 1000 : limit;
	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_list, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, after);
		db_bind_int(stmt, 2, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1)
			row_read(stmt, a, &(*rows)[(*count)++]);
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct store_tlsrpt_suppress *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_put, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, row->address);
	db_bind_int(stmt, 2, row->created_s);
	db_bind_int(stmt, 3, row->expires_s);
	db_bind_int(stmt, 4, row->automatic);
	db_bind_str(stmt, 5, row->reason);
	return db_step(db, stmt, err) < 0 ? -1 : 0;
}

int store_tlsrpt_suppress_put(
	struct store *s, const struct store_tlsrpt_suppress *row, struct err *err)
{
	struct store_tlsrpt_suppress copy = *row;
	struct write_op write = {.run = put_run, .arg = &copy};

	return store_write(s, &write, err);
}

struct delete_op {
	struct str address;
	bool changed;
};

static int delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct delete_op *op = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_delete, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, op->address);
	if (db_step(db, stmt, err) < 0)
		return -1;
	op->changed = sqlite3_changes(db->h) > 0;
	return 0;
}

int store_tlsrpt_suppress_delete(
	struct store *s, struct str address, bool *changed, struct err *err)
{
	struct delete_op op = {.address = address};
	struct write_op write = {.run = delete_run, .arg = &op};
	int rc = store_write(s, &write, err);

	*changed = op.changed;
	return rc;
}
