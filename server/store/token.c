#include "store/token.h"

#include "store/dircache.h"

#define TOKEN_COLUMNS "id, name, read_only, created_s, used_s, expires_s, used_ip"

static const char sql_insert[] =
	"INSERT INTO api_token(hash, name, read_only, created_s, used_s, expires_s, used_ip)"
	" SELECT ?1, ?2, ?3, ?4, 0, ?5, '' WHERE (SELECT count(*) FROM api_token) < ?6";
static const char sql_find[] = "SELECT " TOKEN_COLUMNS " FROM api_token WHERE hash = ?1 AND"
			       " (expires_s = 0 OR expires_s > ?2)";
static const char sql_list[] = "SELECT " TOKEN_COLUMNS " FROM api_token ORDER BY name";
static const char sql_touch[] = "UPDATE api_token SET used_s = ?2, used_ip = ?3 WHERE id = ?1";
static const char sql_delete[] = "DELETE FROM api_token WHERE id = ?1";

static void row_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_token *row = out;

	row->id = db_column_int(stmt, 0);
	row->name = db_column(stmt, 1, a);
	row->read_only = db_column_int(stmt, 2) != 0;
	row->created_s = db_column_int(stmt, 3);
	row->used_s = db_column_int(stmt, 4);
	row->expires_s = db_column_int(stmt, 5);
	row->used_ip = db_column(stmt, 6, a);
}

struct change { /* arguments of one operation */
	struct store_token *row;
	const char *hash;
	int64_t id, now_s;
	struct str ip;
	bool found;
};

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, str_from(c->hash));
	db_bind_str(stmt, 2, c->row->name);
	db_bind_int(stmt, 3, c->row->read_only);
	db_bind_int(stmt, 4, c->row->created_s);
	db_bind_int(stmt, 5, c->row->expires_s);
	db_bind_int(stmt, 6, STORE_TOKENS_MAX);
	if (db_step(db, stmt, err) < 0) {
		if (err->kind == ERR_PERM)
			err_set(err, ERR_PERM, "there is a token with this name already");
		return -1;
	}
	if (sqlite3_changes(db->h) == 0)
		return err_set(err, ERR_PERM, "there are %d tokens already", STORE_TOKENS_MAX);
	c->row->id = sqlite3_last_insert_rowid(db->h);
	return 0;
}

int store_token_add(struct store *s, struct store_token *row, const char *hash, struct err *err)
{
	struct change c = {.row = row, .hash = hash};
	struct write_op op = {.run = add_run, .arg = &c};

	return store_write(s, &op, err);
}

int store_token_find(struct store *s, const char *hash, int64_t now_s, struct arena *a,
	struct store_token *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*out = (struct store_token){.id = 0};
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_find, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, str_from(hash));
		db_bind_int(stmt, 2, now_s);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, a, out);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

static int touch_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct change *c = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_touch, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, c->id);
	db_bind_int(stmt, 2, c->now_s);
	db_bind_str(stmt, 3, c->ip);
	return db_step(db, stmt, err);
}

int store_token_touch(struct store *s, int64_t id, int64_t now_s, struct str ip, struct err *err)
{
	struct change c = {.id = id, .now_s = now_s, .ip = ip};
	struct write_op op = {.run = touch_run, .arg = &c};

	return store_write(s, &op, err);
}

int store_token_list(
	struct store *s, struct arena *a, struct store_token **rows, size_t *count, struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_list, 0, row_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_delete, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, c->id);
	if (db_step(db, stmt, err) < 0)
		return -1;
	c->found = sqlite3_changes(db->h) > 0;
	return 0;
}

int store_token_delete(struct store *s, int64_t id, bool *found, struct err *err)
{
	struct change c = {.id = id};
	struct write_op op = {.run = delete_run, .arg = &c};
	int rc = store_write(s, &op, err);

	*found = c.found;
	return rc;
}
