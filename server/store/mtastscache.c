#include "store/mtastscache.h"

#include "store/db.h"

#include <stdio.h>

enum { LIST_SCAN_MAX = 100000 }; /* rows a text search looks at in one call */

#define COLUMNS                                                                                    \
	"domain, record_id, mode, max_age_s, inserted_s, updated_s, used_s, valid_until_s,"        \
	" backoff, failed_s, reason, text"

static const char sql_find[] = "SELECT " COLUMNS " FROM mtasts WHERE domain = ?";
static const char sql_put[] =
	"INSERT INTO mtasts(" COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
	" ON CONFLICT(domain) DO UPDATE SET record_id = ?2, mode = ?3, max_age_s = ?4,"
	" updated_s = ?6, used_s = ?7, valid_until_s = ?8, backoff = ?9, failed_s = ?10, reason = "
	"?11, text = ?12";
static const char sql_refreshed[] =
	"UPDATE mtasts SET record_id = ?2, mode = ?3, max_age_s = ?4, updated_s = ?6,"
	" valid_until_s = ?8, backoff = ?9, failed_s = ?10, reason = ?11, text = ?12"
	" WHERE domain = ?1 AND updated_s = ?13";
static const char sql_used[] = "UPDATE mtasts SET used_s = max(used_s, ?2) WHERE domain = ?1";
static const char sql_delete[] = "DELETE FROM mtasts WHERE domain = ?1";
static const char sql_purge[] = "DELETE FROM mtasts WHERE used_s < ?2";
static const char sql_stale[] =
	"SELECT domain FROM mtasts WHERE updated_s < ?1 ORDER BY updated_s LIMIT ?2";
static const char sql_list[] = "SELECT " COLUMNS " FROM mtasts WHERE (used_s, domain) < (?1, ?2)"
			       " ORDER BY used_s DESC, domain DESC";
static const char sql_count[] = "SELECT count(*), coalesce(sum(backoff), 0) FROM mtasts";

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_mtasts *row)
{
	row->domain = db_column(stmt, 0, a);
	row->record_id = db_column(stmt, 1, a);
	row->mode = (int)db_column_int(stmt, 2);
	row->max_age_s = db_column_int(stmt, 3);
	row->inserted_s = db_column_int(stmt, 4);
	row->updated_s = db_column_int(stmt, 5);
	row->used_s = db_column_int(stmt, 6);
	row->valid_until_s = db_column_int(stmt, 7);
	row->backoff = db_column_int(stmt, 8) != 0;
	row->failed_s = db_column_int(stmt, 9);
	row->reason = db_column(stmt, 10, a);
	row->text = db_column(stmt, 11, a);
}

int store_mtasts_find(struct store *s, struct str domain, struct arena *a, struct store_mtasts *out,
	struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_find, err);
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

/* --- writing --- */

struct put_op {
	const char *sql;
	const struct store_mtasts *row;
	int64_t expect_updated_s;
	int changes;
};

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct put_op *op = arg;
	const struct store_mtasts *row = op->row;
	sqlite3_stmt *stmt = db_prepare(db, op->sql, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, row->domain);
	db_bind_str(stmt, 2, row->record_id);
	db_bind_int(stmt, 3, row->mode);
	db_bind_int(stmt, 4, row->max_age_s);
	db_bind_int(stmt, 5, row->inserted_s);
	db_bind_int(stmt, 6, row->updated_s);
	db_bind_int(stmt, 7, row->used_s);
	db_bind_int(stmt, 8, row->valid_until_s);
	db_bind_int(stmt, 9, row->backoff);
	db_bind_int(stmt, 10, row->failed_s);
	db_bind_str(stmt, 11, row->reason);
	db_bind_blob(stmt, 12, row->text);
	if (op->sql == sql_refreshed)
		db_bind_int(stmt, 13, op->expect_updated_s);
	if (db_step(db, stmt, err) < 0)
		return -1;
	op->changes = sqlite3_changes(db->h);
	return 0;
}

int store_mtasts_put(struct store *s, const struct store_mtasts *row, struct err *err)
{
	struct put_op op = {.sql = sql_put, .row = row};
	struct write_op write = {.run = put_run, .arg = &op};

	return store_write(s, &write, err);
}

int store_mtasts_refreshed(struct store *s, const struct store_mtasts *row,
	int64_t expect_updated_s, bool *changed, struct err *err)
{
	struct put_op op = {.sql = sql_refreshed, .row = row, .expect_updated_s = expect_updated_s};
	struct write_op write = {.run = put_run, .arg = &op};
	int rc = store_write(s, &write, err);

	*changed = rc == 0 && op.changes > 0;
	return rc;
}

struct domain_op { /* statements that take a domain, or a time, or both */
	const char *sql;
	struct str domain;
	int64_t time_s;
	int changes;
};

static int domain_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct domain_op *op = arg;
	sqlite3_stmt *stmt = db_prepare(db, op->sql, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, op->domain);
	if (op->sql != sql_delete)
		db_bind_int(stmt, 2, op->time_s);
	if (db_step(db, stmt, err) < 0)
		return -1;
	op->changes = sqlite3_changes(db->h);
	return 0;
}

int store_mtasts_used(struct store *s, struct str domain, int64_t now_s, struct err *err)
{
	struct domain_op op = {.sql = sql_used, .domain = domain, .time_s = now_s};
	struct write_op write = {.run = domain_run, .arg = &op};

	return store_write(s, &write, err);
}

int store_mtasts_delete(struct store *s, struct str domain, bool *changed, struct err *err)
{
	struct domain_op op = {.sql = sql_delete, .domain = domain};
	struct write_op write = {.run = domain_run, .arg = &op};
	int rc = store_write(s, &write, err);

	*changed = rc == 0 && op.changes > 0;
	return rc;
}

int store_mtasts_purge(struct store *s, int64_t used_before_s, size_t *count, struct err *err)
{
	struct domain_op op = {.sql = sql_purge, .time_s = used_before_s};
	struct write_op write = {.run = domain_run, .arg = &op};
	int rc = store_write(s, &write, err);

	*count = rc == 0 ? (size_t)op.changes : 0;
	return rc;
}

/* --- lists --- */

int store_mtasts_stale(struct store *s, int64_t updated_before_s, size_t limit, struct arena *a,
	struct str **domains, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	size_t cap = 0;
	int rc = -1;

	*domains = NULL;
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_stale, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, updated_before_s);
		db_bind_int(stmt, 2, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1) {
			if (*count == cap) {
				struct str *old = *domains;
				cap = cap ? cap * 2 : 64;
				*domains = arena_alloc(a, cap * sizeof(**domains));
				if (*count > 0)
					memcpy(*domains, old, *count * sizeof(**domains));
			}
			(*domains)[(*count)++] = db_column(stmt, 0, a);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

/* The key of the page before: "used_s domain". The first page comes before any. */
static void key_parse(struct str key, int64_t *used_s, struct str *domain)
{
	struct str number, rest;
	uint64_t value;

	*used_s = INT64_MAX;
	*domain = STR("");
	if (str_split(key, ' ', &number, &rest) && str_to_u64(number, INT64_MAX, &value)) {
		*used_s = (int64_t)value;
		*domain = rest;
	}
}

static bool matches(sqlite3_stmt *stmt, const struct store_mtasts_filter *f)
{
	const char *p = sqlite3_column_blob(stmt, 0);
	struct str domain = {p, p ? (size_t)sqlite3_column_bytes(stmt, 0) : 0};
	bool backoff = db_column_int(stmt, 8) != 0;

	if (f->mode == STORE_MTASTS_FILTER_BACKOFF
			? !backoff
			: f->mode >= 0 && (backoff || db_column_int(stmt, 2) != f->mode))
		return false;
	return f->text.len == 0 || str_find(domain, f->text) != NULL;
}

int store_mtasts_list(struct store *s, const struct store_mtasts_filter *f, struct arena *a,
	struct store_mtasts **rows, size_t *count, bool *more, struct str *next, struct err *err)
{
	size_t limit = f->limit < 1 ? 1 : f->limit > 1000 ? 1000 : f->limit, looked = 0;
	struct db *db = reader_take(s, err);
	int64_t used_s;
	struct str domain;
	int rc = -1;

	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	*more = false;
	*next = STR("");
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_list, err);
	if (stmt == NULL)
		goto out;
	key_parse(f->after, &used_s, &domain);
	db_bind_int(stmt, 1, used_s);
	db_bind_str(stmt, 2, domain);
	int64_t last_s = 0;
	struct str last = STR("");
	while ((rc = db_step(db, stmt, err)) == 1) {
		if (*count == limit || looked++ == LIST_SCAN_MAX) {
			*more = true;
			*next = str_from(
				arena_printf(a, "%lld %.*s", (long long)last_s, STR_FMT(last)));
			sqlite3_reset(stmt);
			break;
		}
		bool match = matches(stmt, f);
		if (match)
			row_read(stmt, a, &(*rows)[(*count)++]);
		/* Kept for rows that end a page only: the scan need not copy each name. */
		if (match || looked == LIST_SCAN_MAX) {
			last_s = db_column_int(stmt, 6);
			last = db_column(stmt, 0, a);
		}
	}
out:
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

int store_mtasts_count(struct store *s, int64_t *all, int64_t *backoff, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*all = *backoff = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_count, err);
	if (stmt != NULL) {
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			*all = db_column_int(stmt, 0);
			*backoff = db_column_int(stmt, 1);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}
