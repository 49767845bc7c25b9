#include "store/db.h"

#include <stdio.h>

/* Version 1. Text is UTF-8; times are unix milliseconds (_ms) or seconds (_s). */
static const char schema_1[] =
	"CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE counter(day INTEGER, name INTEGER, value INTEGER NOT NULL,"
	" PRIMARY KEY(day, name)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE account(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" full_name TEXT NOT NULL, disabled INTEGER NOT NULL, argon2 TEXT NOT NULL,"
	" scram TEXT NOT NULL, created_s INTEGER NOT NULL) STRICT;"

	"CREATE TABLE domain(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" description TEXT NOT NULL, disabled INTEGER NOT NULL, delivery INTEGER NOT NULL,"
	" relay_hosts TEXT NOT NULL, relay_protocol INTEGER NOT NULL,"
	" relay_tls INTEGER NOT NULL, relay_username TEXT NOT NULL,"
	" relay_password TEXT NOT NULL, rcpt_check INTEGER NOT NULL, separator TEXT NOT NULL,"
	" case_sensitive INTEGER NOT NULL, created_s INTEGER NOT NULL,"
	" updated_s INTEGER NOT NULL) STRICT;"

	"CREATE TABLE address(id INTEGER PRIMARY KEY,"
	" domain_id INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,"
	" localpart TEXT NOT NULL, kind INTEGER NOT NULL,"
	" account_id INTEGER REFERENCES account(id), members TEXT NOT NULL,"
	" relay_hosts TEXT NOT NULL, relay_protocol INTEGER NOT NULL,"
	" relay_tls INTEGER NOT NULL, relay_username TEXT NOT NULL,"
	" relay_password TEXT NOT NULL, UNIQUE(domain_id, localpart)) STRICT;"
	"CREATE INDEX address_account ON address(account_id) WHERE account_id IS NOT NULL;"

	"CREATE TABLE transport(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" relay_hosts TEXT NOT NULL, relay_tls INTEGER NOT NULL, relay_username TEXT NOT NULL,"
	" relay_password TEXT NOT NULL) STRICT;"
	"CREATE TABLE route(id INTEGER PRIMARY KEY, position INTEGER NOT NULL,"
	" from_domain TEXT NOT NULL, to_domain TEXT NOT NULL, min_attempts INTEGER NOT NULL,"
	" transport_id INTEGER REFERENCES transport(id)) STRICT;"
	"CREATE INDEX route_transport ON route(transport_id);"
	"CREATE TABLE network(id INTEGER PRIMARY KEY, cidr TEXT NOT NULL UNIQUE,"
	" comment TEXT NOT NULL) STRICT;"

	/* The body comes last: reading the columns before it touches no overflow page. */
	"CREATE TABLE message(id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL,"
	" size INTEGER NOT NULL, flags INTEGER NOT NULL, ret INTEGER NOT NULL,"
	" session TEXT NOT NULL, mail_from TEXT NOT NULL, helo TEXT NOT NULL,"
	" remote_ip TEXT NOT NULL, message_id TEXT NOT NULL, account TEXT NOT NULL,"
	" envid TEXT NOT NULL, spool TEXT, prefix BLOB NOT NULL, body BLOB NOT NULL) STRICT;"
	"CREATE INDEX message_spool ON message(spool) WHERE spool IS NOT NULL;"

	/* id is the message's id << 20 plus a number, so that no index joins the two. */
	"CREATE TABLE recipient(id INTEGER PRIMARY KEY, state INTEGER NOT NULL,"
	" next_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" notify INTEGER NOT NULL, delay_sent INTEGER NOT NULL, dest TEXT NOT NULL,"
	" address TEXT NOT NULL, original TEXT NOT NULL, orcpt TEXT NOT NULL,"
	" last_error TEXT NOT NULL) STRICT;"
	"CREATE INDEX recipient_due ON recipient(dest, next_ms) WHERE state = 0;"
	"CREATE INDEX recipient_held ON recipient(dest) WHERE state = 1;"

	"CREATE TABLE attempt(rcpt_id INTEGER, number INTEGER, started_ms INTEGER NOT NULL,"
	" duration_ms INTEGER NOT NULL, outcome INTEGER NOT NULL, code INTEGER NOT NULL,"
	" ecode TEXT NOT NULL, text TEXT NOT NULL, mx TEXT NOT NULL, ip TEXT NOT NULL,"
	" tls TEXT NOT NULL, transport TEXT NOT NULL, PRIMARY KEY(rcpt_id, number))"
	" STRICT, WITHOUT ROWID;"

	/* One row: ids are never given twice, and nobody counts a million messages. next_id runs
	 * ahead of the ids given; messages is right while exact is 1, that is after a clean end. */
	"CREATE TABLE queue_gauge(one INTEGER PRIMARY KEY CHECK(one = 1),"
	" messages INTEGER NOT NULL, next_id INTEGER NOT NULL, exact INTEGER NOT NULL) STRICT;"
	"INSERT INTO queue_gauge VALUES(1, 0, 1, 1);"

	"CREATE TABLE web_session(token_hash TEXT PRIMARY KEY, csrf TEXT NOT NULL,"
	" created_s INTEGER NOT NULL, used_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,"
	" ip TEXT NOT NULL) STRICT, WITHOUT ROWID;";

static const char *const first[] = {schema_1, NULL};
static const char *const *const migrations[STORE_SCHEMA_VERSION] = {first, schema_2};

static int version_get(struct db *db, int64_t *version, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = -1;

	/* Not cached: the migrations make it stale. */
	if (sqlite3_prepare_v2(db->h, "PRAGMA user_version", -1, &stmt, NULL) != SQLITE_OK ||
		sqlite3_step(stmt) != SQLITE_ROW)
		db_error(db, "read the schema version", err);
	else {
		*version = sqlite3_column_int64(stmt, 0);
		rc = 0;
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* A whole check reads the whole file: fine for small ones, and for large ones the tables
 * that decide about mail are looked at. */
static int integrity_check(struct db *db, int64_t size_bytes, struct err *err)
{
	static const char *const small[] = {"PRAGMA quick_check(1)", NULL};
	static const char *const large[] = {"PRAGMA quick_check(setting)",
		"PRAGMA quick_check(domain)", "PRAGMA quick_check(account)",
		"PRAGMA quick_check(route)", "PRAGMA quick_check(transport)",
		"PRAGMA quick_check(network)", NULL};
	const char *const *checks = size_bytes <= 32 * 1024 * 1024 ? small : large;

	for (; *checks != NULL; checks++) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(db->h, *checks, -1, &stmt, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(stmt);
		const unsigned char *said = rc == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
		if (said == NULL)
			db_error(db, "integrity check", err);
		else if (!str_eq(str_from((const char *)said), STR("ok")))
			err_set(err, ERR_PERM, "integrity check: %s", (const char *)said);
		else
			err->kind = ERR_NONE;
		sqlite3_finalize(stmt);
		if (err->kind != ERR_NONE)
			return -1;
	}
	return 0;
}

int schema_check(struct db *db, const char *file, struct err *err)
{
	int64_t version = 0, size = 0;
	FILE *f = fopen(file, "rb");

	if (f != NULL) {
		if (fseeko(f, 0, SEEK_END) == 0)
			size = (int64_t)ftello(f);
		fclose(f);
	}
	err->kind = ERR_NONE;
	if (version_get(db, &version, err) < 0)
		return err_prefix(err, "%s", file);
	if (version > STORE_SCHEMA_VERSION)
		return err_set(err, ERR_PERM,
			"%s: its schema is version %lld, newer than this mox knows (%d); use the "
			"newer "
			"mox, or a backup",
			file, (long long)version, STORE_SCHEMA_VERSION);
	if (version > 0 && integrity_check(db, size, err) < 0)
		return err_prefix(
			err, "%s: the database is corrupt, restore it from a backup", file);
	return 0;
}

int schema_migrate(struct db *db, struct err *err)
{
	char pragma[64];
	int64_t version;

	if (version_get(db, &version, err) < 0)
		return -1;
	for (; version < STORE_SCHEMA_VERSION; version++) {
		snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", (int)version + 1);
		if (db_exec(db, "BEGIN IMMEDIATE", err) < 0)
			return -1;
		int rc = 0;
		for (const char *const *sql = migrations[version]; rc == 0 && *sql != NULL; sql++)
			rc = db_exec(db, *sql, err);
		if (rc < 0 || db_exec(db, pragma, err) < 0 || db_exec(db, "COMMIT", err) < 0) {
			struct err ignored;
			(void)!db_exec(db, "ROLLBACK", &ignored);
			return err_prefix(err, "migration to schema %d", (int)version + 1);
		}
	}
	return 0;
}
