#include "store/dkimkey.h"

#include "store/dircache.h"

#define SELECTOR_COLUMNS                                                                           \
	"s.id, s.domain_id, d.name, s.name, s.ed25519, s.bits, s.key_file, s.public_b64,"          \
	" s.signing, s.header_simple, s.body_simple, s.headers, s.seal, s.expiration_s,"           \
	" s.created_s FROM dkim_selector s JOIN domain d ON d.id = s.domain_id"

static const char sql_by_domain[] =
	"SELECT " SELECTOR_COLUMNS " WHERE s.domain_id = ? ORDER BY s.name";
static const char sql_all[] = "SELECT " SELECTOR_COLUMNS " ORDER BY d.name, s.name";
static const char sql_by_id[] = "SELECT " SELECTOR_COLUMNS " WHERE s.id = ?";
static const char sql_signing[] =
	"SELECT " SELECTOR_COLUMNS " WHERE d.name = ? AND s.signing = 1 ORDER BY s.id";
static const char sql_count[] = "SELECT count(*) FROM dkim_selector WHERE domain_id = ?";
static const char sql_insert[] =
	"INSERT INTO dkim_selector(domain_id, name, ed25519, bits, key_file, public_b64, signing,"
	" header_simple, body_simple, headers, seal, expiration_s, created_s)"
	" VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
static const char sql_update[] =
	"UPDATE dkim_selector SET domain_id = ?2, name = ?3, ed25519 = ?4, bits = ?5,"
	" key_file = ?6, public_b64 = ?7, signing = ?8, header_simple = ?9, body_simple = ?10,"
	" headers = ?11, seal = ?12, expiration_s = ?13 WHERE id = ?1";
static const char sql_delete[] = "DELETE FROM dkim_selector WHERE id = ?";

static void selector_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_selector *r = out;

	*r = (struct store_selector){.id = db_column_int(stmt, 0),
		.domain_id = db_column_int(stmt, 1),
		.domain = db_column(stmt, 2, a),
		.name = db_column(stmt, 3, a),
		.ed25519 = db_column_int(stmt, 4) != 0,
		.bits = (unsigned)db_column_int(stmt, 5),
		.key_file = db_column(stmt, 6, a),
		.public_b64 = db_column(stmt, 7, a),
		.signing = db_column_int(stmt, 8) != 0,
		.header_simple = db_column_int(stmt, 9) != 0,
		.body_simple = db_column_int(stmt, 10) != 0,
		.headers = db_column(stmt, 11, a),
		.seal = db_column_int(stmt, 12) != 0,
		.expiration_s = db_column_int(stmt, 13),
		.created_s = db_column_int(stmt, 14)};
}

int store_selector_list(struct store *s, int64_t domain_id, struct arena *a,
	struct store_selector **rows, size_t *count, struct err *err)
{
	void *p;
	int rc = dir_list(s, domain_id ? sql_by_domain : sql_all, domain_id, selector_read,
		sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

/* The first row of sql by id: 1, 0 none, -1. */
static int one_get(struct store *s, const char *sql, int64_t id,
	void (*read)(sqlite3_stmt *, struct arena *, void *), size_t size, struct arena *a,
	void *out, struct err *err)
{
	void *rows;
	size_t count;

	memset(out, 0, size);
	if (id == 0)
		return 0;
	if (dir_list(s, sql, id, read, size, a, &rows, &count, err) < 0)
		return -1;
	if (count > 0)
		memcpy(out, rows, size);
	return count > 0;
}

int store_selector_get(
	struct store *s, int64_t id, struct arena *a, struct store_selector *out, struct err *err)
{
	return one_get(s, sql_by_id, id, selector_read, sizeof(*out), a, out, err);
}

int store_selector_signing(struct store *s, struct str domain, struct arena *a,
	struct store_selector **rows, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	size_t cap = 0;
	int rc = -1;

	*rows = NULL;
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_signing, err);
	if (stmt != NULL)
		db_bind_str(stmt, 1, domain);
	while (stmt != NULL && (rc = db_step(db, stmt, err)) == 1) {
		*rows = dir_grow(a, *rows, *count, &cap, sizeof(**rows));
		selector_read(stmt, a, &(*rows)[(*count)++]);
	}
	reader_give(s, db);
	return rc;
}

static int room_check(struct db *db, const struct store_selector *row, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_count, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, row->domain_id);
	if (db_step(db, stmt, err) != 1)
		return -1;
	int64_t n = db_column_int(stmt, 0);
	sqlite3_reset(stmt);
	if (n >= STORE_SELECTORS_MAX)
		return err_set(err, ERR_PERM, "the domain has %d selectors, more are not possible",
			STORE_SELECTORS_MAX);
	return 0;
}

static int selector_put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_selector *r = arg;
	sqlite3_stmt *stmt;

	(void)s;
	if (r->id == 0 && room_check(db, r, err) < 0)
		return -1;
	stmt = db_prepare(db, r->id ? sql_update : sql_insert, err);
	if (stmt == NULL)
		return -1;
	if (r->id != 0)
		db_bind_int(stmt, 1, r->id);
	else
		db_bind_int(stmt, 14, clock_unix_s());
	db_bind_int(stmt, 2, r->domain_id);
	db_bind_str(stmt, 3, r->name);
	db_bind_int(stmt, 4, r->ed25519);
	db_bind_int(stmt, 5, r->bits);
	db_bind_str(stmt, 6, r->key_file);
	db_bind_str(stmt, 7, r->public_b64);
	db_bind_int(stmt, 8, r->signing);
	db_bind_int(stmt, 9, r->header_simple);
	db_bind_int(stmt, 10, r->body_simple);
	db_bind_str(stmt, 11, r->headers);
	db_bind_int(stmt, 12, r->seal);
	db_bind_int(stmt, 13, r->expiration_s);
	int rc = db_step(db, stmt, err);
	if (rc < 0 && err->kind == ERR_PERM)
		err_set(err, ERR_PERM,
			"there is a selector %.*s in this domain already, or the domain is gone",
			STR_FMT(r->name));
	else if (rc == 0 && sqlite3_changes(db->h) == 0)
		rc = err_set(err, ERR_PERM, "the selector is gone");
	else if (rc == 0 && r->id == 0)
		r->id = sqlite3_last_insert_rowid(db->h);
	return rc;
}

int store_selector_put(struct store *s, struct store_selector *row, struct err *err)
{
	struct write_op op = {.run = selector_put_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_selector_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_delete, id, NULL, err);
}

uint64_t store_directory_generation(struct store *s)
{
	return dir_generation(s);
}

/* --- ARC --- */

static const char sql_seals[] = "SELECT seals FROM arc_domain WHERE domain_id = ?";
static const char sql_seals_put[] = "INSERT INTO arc_domain(domain_id, seals) VALUES(?1, ?2)"
				    " ON CONFLICT(domain_id) DO UPDATE SET seals = excluded.seals";

int store_arc_seals(struct store *s, int64_t domain_id, struct err *err)
{
	struct db *db = reader_take(s, err);
	int answer = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_seals, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, domain_id);
		answer = db_step(db, stmt, err);
		if (answer == 1) {
			answer = db_column_int(stmt, 0) != 0;
			sqlite3_reset(stmt);
		} else if (answer == 0) {
			answer = 1; /* nobody said otherwise */
		}
	}
	reader_give(s, db);
	return answer;
}

struct seals_put {
	int64_t domain_id;
	enum store_arc on;
};

static int seals_put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct seals_put *p = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_seals_put, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, p->domain_id);
	db_bind_int(stmt, 2, p->on == STORE_ARC_ON);
	return db_step(db, stmt, err);
}

int store_arc_seals_put(struct store *s, int64_t domain_id, enum store_arc on, struct err *err)
{
	struct seals_put put = {domain_id, on};
	struct write_op op = {.run = seals_put_run, .committed = dir_changed, .arg = &put};

	return store_write(s, &op, err);
}

static const char sql_sealers[] =
	"SELECT id, domain, comment, created_s FROM arc_sealer ORDER BY domain";
static const char sql_sealer[] =
	"SELECT id, domain, comment, created_s FROM arc_sealer WHERE id = ?";
static const char sql_sealer_insert[] =
	"INSERT INTO arc_sealer(domain, comment, created_s) VALUES(?2, ?3, ?4)";
static const char sql_sealer_update[] =
	"UPDATE arc_sealer SET domain = ?2, comment = ?3 WHERE id = ?1";
static const char sql_sealer_delete[] = "DELETE FROM arc_sealer WHERE id = ?";

static void sealer_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_sealer *r = out;

	*r = (struct store_sealer){.id = db_column_int(stmt, 0),
		.domain = db_column(stmt, 1, a),
		.comment = db_column(stmt, 2, a),
		.created_s = db_column_int(stmt, 3)};
}

int store_sealer_list(struct store *s, struct arena *a, struct store_sealer **rows, size_t *count,
	struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_sealers, 0, sealer_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

int store_sealer_get(
	struct store *s, int64_t id, struct arena *a, struct store_sealer *out, struct err *err)
{
	return one_get(s, sql_sealer, id, sealer_read, sizeof(*out), a, out, err);
}

static int sealer_put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_sealer *r = arg;
	sqlite3_stmt *stmt = db_prepare(db, r->id ? sql_sealer_update : sql_sealer_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	if (r->id != 0)
		db_bind_int(stmt, 1, r->id);
	else
		db_bind_int(stmt, 4, clock_unix_s());
	db_bind_str(stmt, 2, r->domain);
	db_bind_str(stmt, 3, r->comment);
	int rc = db_step(db, stmt, err);
	if (rc < 0 && err->kind == ERR_PERM)
		err_set(err, ERR_PERM, "%.*s is listed already", STR_FMT(r->domain));
	else if (rc == 0 && sqlite3_changes(db->h) == 0)
		rc = err_set(err, ERR_PERM, "the entry is gone");
	else if (rc == 0 && r->id == 0)
		r->id = sqlite3_last_insert_rowid(db->h);
	return rc;
}

int store_sealer_put(struct store *s, struct store_sealer *row, struct err *err)
{
	struct write_op op = {.run = sealer_put_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_sealer_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_sealer_delete, id, NULL, err);
}
