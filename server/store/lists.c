/* The tables of allow and deny lists and of DNS block lists. */
#include "store/dircache.h"
#include "store/listmatch.h"

/* What expired is still shown for a while, then goes when an entry is added. */
enum { EXPIRED_KEPT_S = 30 * 86400 };

#define COLUMNS "id, list, kind, value, comment, created_s, expires_s"

static const char sql_all[] = "SELECT " COLUMNS " FROM list_entry";
static const char sql_get[] = "SELECT " COLUMNS " FROM list_entry WHERE id = ?";
static const char sql_page[] =
	"SELECT " COLUMNS " FROM list_entry WHERE id < ?1 AND (?2 < 0 OR list = ?2)"
	" AND (?3 < 0 OR kind = ?3) AND (?4 = '' OR instr(value, lower(?4))"
	" OR instr(lower(comment), lower(?4))) ORDER BY id DESC LIMIT ?5";
static const char sql_insert[] =
	"INSERT INTO list_entry(list, kind, value, comment, created_s, expires_s)"
	" VALUES(?2, ?3, ?4, ?5, ?6, ?7)";
static const char sql_update[] =
	"UPDATE list_entry SET list = ?2, kind = ?3, value = ?4, comment = ?5, created_s = ?6,"
	" expires_s = ?7 WHERE id = ?1";
static const char sql_delete[] = "DELETE FROM list_entry WHERE id = ?";
static const char sql_expire[] = "DELETE FROM list_entry WHERE expires_s <> 0 AND expires_s < ?";

static const char sql_zones[] = "SELECT id, zone, comment, disabled FROM dnsbl_zone ORDER BY zone";
static const char sql_zone_insert[] =
	"INSERT INTO dnsbl_zone(zone, comment, disabled) VALUES(?2, ?3, ?4)";
static const char sql_zone_update[] =
	"UPDATE dnsbl_zone SET zone = ?2, comment = ?3, disabled = ?4 WHERE id = ?1";
static const char sql_zone_delete[] = "DELETE FROM dnsbl_zone WHERE id = ?";

static void entry_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_list_entry *row = out;

	row->id = db_column_int(stmt, 0);
	row->list = (enum store_list)db_column_int(stmt, 1);
	row->kind = (enum store_list_kind)db_column_int(stmt, 2);
	row->value = db_column(stmt, 3, a);
	row->comment = db_column(stmt, 4, a);
	row->created_s = db_column_int(stmt, 5);
	row->expires_s = db_column_int(stmt, 6);
}

int list_all(struct store *s, struct arena *a, struct store_list_entry **rows, size_t *count,
	struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_all, 0, entry_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

int store_list_get(
	struct store *s, int64_t id, struct arena *a, struct store_list_entry *out, struct err *err)
{
	size_t count;
	void *rows;

	if (id <= 0)
		return 0;
	if (dir_list(s, sql_get, id, entry_read, sizeof(*out), a, &rows, &count, err) < 0)
		return -1;
	if (count > 0)
		*out = *(struct store_list_entry *)rows;
	return count > 0;
}

int store_list_page(struct store *s, const struct store_list_filter *f, struct arena *a,
	struct store_list_entry **rows, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	size_t cap = 0;
	int rc = -1;

	*rows = NULL;
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_page, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, f->before_id > 0 ? f->before_id : INT64_MAX);
		db_bind_int(stmt, 2, f->list);
		db_bind_int(stmt, 3, f->kind);
		db_bind_str(stmt, 4, f->text);
		db_bind_int(stmt, 5, (int64_t)f->limit);
	}
	while (stmt != NULL && (rc = db_step(db, stmt, err)) == 1) {
		*rows = dir_grow(a, *rows, *count, &cap, sizeof(**rows));
		entry_read(stmt, a, *rows + (*count)++);
	}
	reader_give(s, db);
	return rc;
}

/* What an insert or update came to: errors in words, the new id. */
static int put_end(struct db *db, int rc, int64_t *id, const char *taken, struct err *err)
{
	if (rc < 0 && err->kind == ERR_PERM)
		return err_set(err, ERR_PERM, "%s", taken);
	if (rc == 0 && sqlite3_changes(db->h) == 0)
		return err_set(err, ERR_PERM, "The entry is gone");
	if (rc == 0 && *id == 0)
		*id = sqlite3_last_insert_rowid(db->h);
	return rc;
}

static int expired_remove(struct db *db, int64_t before_s, size_t *removed, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_expire, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, before_s);
	if (db_step(db, stmt, err) < 0)
		return -1;
	*removed = (size_t)sqlite3_changes(db->h);
	return 0;
}

static int entry_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_list_entry *row = arg;
	size_t removed;

	(void)s;
	if (row->id == 0 && expired_remove(db, clock_unix_s() - EXPIRED_KEPT_S, &removed, err) < 0)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, row->id ? sql_update : sql_insert, err);
	if (stmt == NULL)
		return -1;
	if (row->id != 0)
		db_bind_int(stmt, 1, row->id);
	db_bind_int(stmt, 2, row->list);
	db_bind_int(stmt, 3, row->kind);
	db_bind_str(stmt, 4, row->value);
	db_bind_str(stmt, 5, row->comment);
	db_bind_int(stmt, 6, row->created_s);
	db_bind_int(stmt, 7, row->expires_s);
	return put_end(db, db_step(db, stmt, err), &row->id,
		"This is listed already, as allowed or as denied; change that entry", err);
}

int store_list_put(struct store *s, struct store_list_entry *row, struct err *err)
{
	struct write_op op = {.run = entry_run, .committed = list_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_list_delete(struct store *s, int64_t id, struct err *err)
{
	struct dir_delete d = {sql_delete, id, NULL};
	struct write_op op = {.run = dir_delete_run, .committed = list_changed, .arg = &d};

	return store_write(s, &op, err);
}

struct expire {
	int64_t before_s;
	size_t removed;
};

static int expire_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct expire *e = arg;

	(void)s;
	return expired_remove(db, e->before_s, &e->removed, err);
}

int store_list_expire(struct store *s, int64_t before_s, size_t *removed, struct err *err)
{
	struct expire e = {.before_s = before_s};
	struct write_op op = {.run = expire_run, .committed = list_changed, .arg = &e};
	int rc = store_write(s, &op, err);

	*removed = e.removed;
	return rc;
}

/* --- DNS block lists --- */

static void zone_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_dnsbl_zone *row = out;

	row->id = db_column_int(stmt, 0);
	row->zone = db_column(stmt, 1, a);
	row->comment = db_column(stmt, 2, a);
	row->disabled = db_column_int(stmt, 3) != 0;
}

int store_dnsbl_list(struct store *s, struct arena *a, struct store_dnsbl_zone **rows,
	size_t *count, struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_zones, 0, zone_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int zone_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_dnsbl_zone *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, row->id ? sql_zone_update : sql_zone_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	if (row->id != 0)
		db_bind_int(stmt, 1, row->id);
	db_bind_str(stmt, 2, row->zone);
	db_bind_str(stmt, 3, row->comment);
	db_bind_int(stmt, 4, row->disabled);
	return put_end(
		db, db_step(db, stmt, err), &row->id, "This block list is there already", err);
}

int store_dnsbl_put(struct store *s, struct store_dnsbl_zone *row, struct err *err)
{
	struct write_op op = {.run = zone_run, .committed = list_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_dnsbl_delete(struct store *s, int64_t id, struct err *err)
{
	struct dir_delete d = {sql_zone_delete, id, NULL};
	struct write_op op = {.run = dir_delete_run, .committed = list_changed, .arg = &d};

	return store_write(s, &op, err);
}
