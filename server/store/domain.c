#include "store/dircache.h"

#include <stdio.h>

#define DOMAIN_COLUMNS                                                                             \
	"id, name, description, disabled, delivery, relay_hosts, relay_protocol, relay_tls,"       \
	" relay_username, relay_password, rcpt_check, separator, case_sensitive, created_s, "      \
	"updated_s"

static const char sql_by_name[] = "SELECT " DOMAIN_COLUMNS " FROM domain WHERE name = ?";
static const char sql_by_id[] = "SELECT " DOMAIN_COLUMNS " FROM domain WHERE id = ?";
static const char sql_all[] = "SELECT " DOMAIN_COLUMNS " FROM domain ORDER BY name";
static const char sql_insert[] =
	"INSERT INTO domain(name, description, disabled, delivery, relay_hosts, relay_protocol,"
	" relay_tls, relay_username, relay_password, rcpt_check, separator, case_sensitive,"
	" created_s, updated_s) VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
	"?14)";
static const char sql_update[] =
	"UPDATE domain SET name = ?2, description = ?3, disabled = ?4, delivery = ?5,"
	" relay_hosts = ?6, relay_protocol = ?7, relay_tls = ?8, relay_username = ?9,"
	" relay_password = ?10, rcpt_check = ?11, separator = ?12, case_sensitive = ?13,"
	" updated_s = ?14 WHERE id = ?1";
static const char sql_delete[] = "DELETE FROM domain WHERE id = ?";

static void row_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_domain *d = out;

	d->id = db_column_int(stmt, 0);
	d->name = db_column(stmt, 1, a);
	d->description = db_column(stmt, 2, a);
	d->disabled = db_column_int(stmt, 3) != 0;
	d->delivery = (enum store_delivery)db_column_int(stmt, 4);
	dir_hosts_split(db_column(stmt, 5, a), &d->relay);
	d->relay.protocol = (enum store_protocol)db_column_int(stmt, 6);
	d->relay.tls = (enum store_tls_mode)db_column_int(stmt, 7);
	d->relay.username = db_column(stmt, 8, a);
	d->relay.password = db_column(stmt, 9, a);
	d->rcpt_check = (enum store_rcpt_check)db_column_int(stmt, 10);
	d->separator = db_column(stmt, 11, a);
	d->case_sensitive = db_column_int(stmt, 12) != 0;
	d->created_s = db_column_int(stmt, 13);
	d->updated_s = db_column_int(stmt, 14);
}

static int read_one(struct store *s, const char *sql, enum dir_kind kind, struct str key,
	int64_t id, struct arena *a, struct store_domain *out, struct err *err)
{
	union dir_value value = {.domain = {.id = 0}};
	uint64_t generation = dir_generation(s);
	int rc = dir_get(s, kind, key, a, &value);

	if (rc < 0) {
		struct db *db = reader_take(s, err);
		if (db == NULL)
			return -1;
		sqlite3_stmt *stmt = db_prepare(db, sql, err);
		if (stmt != NULL) {
			if (kind == DIR_DOMAIN)
				db_bind_str(stmt, 1, key);
			else
				db_bind_int(stmt, 1, id);
			rc = db_step(db, stmt, err);
			if (rc == 1) {
				row_read(stmt, a, &value.domain);
				sqlite3_reset(stmt);
			}
		}
		reader_give(s, db);
		if (rc >= 0)
			dir_put(s, generation, kind, key, rc, &value);
	}
	*out = value.domain;
	return rc;
}

int store_domain_find(struct store *s, struct str name, struct arena *a, struct store_domain *out,
	struct err *err)
{
	return read_one(s, sql_by_name, DIR_DOMAIN, name, 0, a, out, err);
}

int store_domain_get(
	struct store *s, int64_t id, struct arena *a, struct store_domain *out, struct err *err)
{
	char key[24];

	snprintf(key, sizeof(key), "%lld", (long long)id);
	return read_one(s, sql_by_id, DIR_DOMAIN_ID, str_from(key), id, a, out, err);
}

int store_domain_list(struct store *s, struct arena *a, struct store_domain **rows, size_t *count,
	struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_all, 0, row_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_domain *d = arg;
	struct arena *a = arena_open();
	sqlite3_stmt *stmt = db_prepare(db, d->id ? sql_update : sql_insert, err);
	int rc = -1;

	(void)s;
	if (stmt == NULL)
		goto out;
	if (d->id != 0)
		db_bind_int(stmt, 1, d->id);
	db_bind_str(stmt, 2, d->name);
	db_bind_str(stmt, 3, d->description);
	db_bind_int(stmt, 4, d->disabled);
	db_bind_int(stmt, 5, d->delivery);
	db_bind_str(stmt, 6, dir_hosts_join(a, &d->relay));
	db_bind_int(stmt, 7, d->relay.protocol);
	db_bind_int(stmt, 8, d->relay.tls);
	db_bind_str(stmt, 9, d->relay.username);
	db_bind_str(stmt, 10, d->relay.password);
	db_bind_int(stmt, 11, d->rcpt_check);
	db_bind_str(stmt, 12, d->separator);
	db_bind_int(stmt, 13, d->case_sensitive);
	db_bind_int(stmt, 14, clock_unix_s());
	rc = db_step(db, stmt, err);
	if (rc < 0 && err->kind == ERR_PERM)
		err_set(err, ERR_PERM, "the domain %.*s exists already", STR_FMT(d->name));
	else if (rc == 0 && sqlite3_changes(db->h) == 0)
		rc = err_set(err, ERR_PERM, "the domain is gone");
	else if (rc == 0 && d->id == 0)
		d->id = sqlite3_last_insert_rowid(db->h);
out:
	arena_close(&a);
	return rc;
}

int store_domain_put(struct store *s, struct store_domain *row, struct err *err)
{
	struct write_op op = {.run = put_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_domain_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_delete, id, NULL, err);
}
