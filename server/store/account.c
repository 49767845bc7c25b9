#include "store/dircache.h"

#define ACCOUNT_COLUMNS "id, name, full_name, disabled, argon2, scram, created_s"

static const char sql_by_name[] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE name = ?";
static const char sql_by_id[] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = ?";
static const char sql_all[] = "SELECT " ACCOUNT_COLUMNS " FROM account ORDER BY name";
static const char sql_insert[] =
	"INSERT INTO account(name, full_name, disabled, argon2, scram, created_s)"
	" VALUES(?2, ?3, ?4, ?5, ?6, ?7)";
static const char sql_update[] =
	"UPDATE account SET name = ?2, full_name = ?3, disabled = ?4, argon2 = ?5, scram = ?6"
	" WHERE id = ?1";
static const char sql_delete[] = "DELETE FROM account WHERE id = ?";

static void row_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_account *row = out;

	row->id = db_column_int(stmt, 0);
	row->name = db_column(stmt, 1, a);
	row->full_name = db_column(stmt, 2, a);
	row->disabled = db_column_int(stmt, 3) != 0;
	row->argon2 = db_column(stmt, 4, a);
	row->scram = db_column(stmt, 5, a);
	row->created_s = db_column_int(stmt, 6);
}

/* By name, or by id when sql asks for that. */
static int read_one(struct store *s, const char *sql, struct str name, int64_t id, struct arena *a,
	struct store_account *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	if (stmt != NULL) {
		if (sql == sql_by_name)
			db_bind_str(stmt, 1, name);
		else
			db_bind_int(stmt, 1, id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, a, out);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

int store_account_find(struct store *s, struct str name, struct arena *a, struct store_account *out,
	struct err *err)
{
	union dir_value value = {.account = {.id = 0}};
	uint64_t generation = dir_generation(s);
	int rc = dir_get(s, DIR_ACCOUNT, name, a, &value);

	if (rc < 0) {
		rc = read_one(s, sql_by_name, name, 0, a, &value.account, err);
		if (rc >= 0)
			dir_put(s, generation, DIR_ACCOUNT, name, rc, &value);
	}
	*out = value.account;
	return rc;
}

int store_account_get(
	struct store *s, int64_t id, struct arena *a, struct store_account *out, struct err *err)
{
	*out = (struct store_account){.id = 0};
	return read_one(s, sql_by_id, STR(""), id, a, out, err);
}

int store_account_list(struct store *s, struct arena *a, struct store_account **rows, size_t *count,
	struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_all, 0, row_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_account *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, row->id ? sql_update : sql_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	if (row->id != 0)
		db_bind_int(stmt, 1, row->id);
	else
		db_bind_int(stmt, 7, clock_unix_s());
	db_bind_str(stmt, 2, row->name);
	db_bind_str(stmt, 3, row->full_name);
	db_bind_int(stmt, 4, row->disabled);
	db_bind_str(stmt, 5, row->argon2);
	db_bind_str(stmt, 6, row->scram);
	int rc = db_step(db, stmt, err);
	if (rc < 0 && err->kind == ERR_PERM)
		err_set(err, ERR_PERM, "the account %.*s exists already", STR_FMT(row->name));
	else if (rc == 0 && sqlite3_changes(db->h) == 0)
		rc = err_set(err, ERR_PERM, "the account is gone");
	else if (rc == 0 && row->id == 0)
		row->id = sqlite3_last_insert_rowid(db->h);
	return rc;
}

int store_account_put(struct store *s, struct store_account *row, struct err *err)
{
	struct write_op op = {.run = put_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_account_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_delete, id,
		"addresses still deliver to this account; move or delete them first", err);
}
