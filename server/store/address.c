#include "store/dircache.h"

#include <stdio.h>

#define ADDRESS_COLUMNS                                                                            \
	"a.id, a.domain_id, a.localpart, a.kind, a.account_id, u.name, a.members, a.relay_hosts,"  \
	" a.relay_protocol, a.relay_tls, a.relay_username, a.relay_password"
#define ADDRESS_FROM " FROM address a LEFT JOIN account u ON u.id = a.account_id"

static const char sql_find[] =
	"SELECT " ADDRESS_COLUMNS ADDRESS_FROM " WHERE a.domain_id = ?1 AND a.localpart = ?2";
static const char sql_by_id[] = "SELECT " ADDRESS_COLUMNS ADDRESS_FROM " WHERE a.id = ?1";
static const char sql_of_domain[] =
	"SELECT " ADDRESS_COLUMNS ADDRESS_FROM " WHERE a.domain_id = ?1 ORDER BY a.localpart";
static const char sql_of_account[] =
	"SELECT " ADDRESS_COLUMNS ADDRESS_FROM " WHERE a.account_id = ?1 ORDER BY a.localpart";
static const char sql_insert[] =
	"INSERT INTO address(domain_id, localpart, kind, account_id, members, relay_hosts,"
	" relay_protocol, relay_tls, relay_username, relay_password)"
	" VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
static const char sql_update[] =
	"UPDATE address SET domain_id = ?2, localpart = ?3, kind = ?4, account_id = ?5, members = "
	"?6,"
	" relay_hosts = ?7, relay_protocol = ?8, relay_tls = ?9, relay_username = ?10,"
	" relay_password = ?11 WHERE id = ?1";
static const char sql_delete[] = "DELETE FROM address WHERE id = ?";

static void row_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_address *row = out;

	row->id = db_column_int(stmt, 0);
	row->domain_id = db_column_int(stmt, 1);
	row->localpart = db_column(stmt, 2, a);
	row->kind = (enum store_address_kind)db_column_int(stmt, 3);
	row->account_id = db_column_int(stmt, 4);
	row->account = db_column(stmt, 5, a);
	dir_members_split(a, db_column(stmt, 6, a), row);
	dir_hosts_split(db_column(stmt, 7, a), &row->relay);
	row->relay.protocol = (enum store_protocol)db_column_int(stmt, 8);
	row->relay.tls = (enum store_tls_mode)db_column_int(stmt, 9);
	row->relay.username = db_column(stmt, 10, a);
	row->relay.password = db_column(stmt, 11, a);
}

int store_address_find(struct store *s, int64_t domain_id, struct str localpart, struct arena *a,
	struct store_address *out, struct err *err)
{
	union dir_value value = {.address = {.id = 0}};
	uint64_t generation = dir_generation(s);
	struct str key =
		str_from(arena_printf(a, "%lld:%.*s", (long long)domain_id, STR_FMT(localpart)));
	int rc = dir_get(s, DIR_ADDRESS, key, a, &value);

	if (rc < 0) {
		struct db *db = reader_take(s, err);
		if (db == NULL)
			return -1;
		sqlite3_stmt *stmt = db_prepare(db, sql_find, err);
		if (stmt != NULL) {
			db_bind_int(stmt, 1, domain_id);
			db_bind_str(stmt, 2, localpart);
			rc = db_step(db, stmt, err);
			if (rc == 1) {
				row_read(stmt, a, &value.address);
				sqlite3_reset(stmt);
			}
		}
		reader_give(s, db);
		if (rc >= 0)
			dir_put(s, generation, DIR_ADDRESS, key, rc, &value);
	}
	*out = value.address;
	return rc;
}

int store_address_get(
	struct store *s, int64_t id, struct arena *a, struct store_address *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*out = (struct store_address){.id = 0};
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_by_id, err);
	if (stmt != NULL) {
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

int store_address_list(struct store *s, int64_t domain_id, int64_t account_id, struct arena *a,
	struct store_address **rows, size_t *count, struct err *err)
{
	void *p;
	int rc = dir_list(s, domain_id ? sql_of_domain : sql_of_account,
		domain_id ? domain_id : account_id, row_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_address *row = arg;
	struct arena *a = arena_open();
	sqlite3_stmt *stmt = db_prepare(db, row->id ? sql_update : sql_insert, err);
	int rc = -1;

	(void)s;
	if (stmt == NULL)
		goto out;
	if (row->id != 0)
		db_bind_int(stmt, 1, row->id);
	db_bind_int(stmt, 2, row->domain_id);
	db_bind_str(stmt, 3, row->localpart);
	db_bind_int(stmt, 4, row->kind);
	if (row->account_id != 0)
		db_bind_int(stmt, 5, row->account_id);
	else
		sqlite3_bind_null(stmt, 5);
	db_bind_str(stmt, 6, dir_members_join(a, row));
	db_bind_str(stmt, 7, dir_hosts_join(a, &row->relay));
	db_bind_int(stmt, 8, row->relay.protocol);
	db_bind_int(stmt, 9, row->relay.tls);
	db_bind_str(stmt, 10, row->relay.username);
	db_bind_str(stmt, 11, row->relay.password);
	rc = db_step(db, stmt, err);
	if (rc < 0 && sqlite3_extended_errcode(db->h) == SQLITE_CONSTRAINT_UNIQUE)
		err_set(err, ERR_PERM, "the address exists already");
	else if (rc < 0 && err->kind == ERR_PERM)
		err_set(err, ERR_PERM, "the domain or the account is gone");
	else if (rc == 0 && sqlite3_changes(db->h) == 0)
		rc = err_set(err, ERR_PERM, "the address is gone");
	else if (rc == 0 && row->id == 0)
		row->id = sqlite3_last_insert_rowid(db->h);
out:
	arena_close(&a);
	return rc;
}

int store_address_put(struct store *s, struct store_address *row, struct err *err)
{
	struct write_op op = {.run = put_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_address_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_delete, id, NULL, err);
}
