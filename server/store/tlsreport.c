/* TLS reports received: adding and removing. What pages sum up is kept summed up, by day,
 * policy domain and reporter, so that no page has to read the reports. */
#include "store/tlsreport.h"

#include "base/buf.h"
#include "base/log.h"
#include "store/db.h"

#include <stdio.h>

enum {
	DAY_S = 86400,
	DOMAINS_TEXT_MAX = 300, /* octets of the list of domains that a row shows */
	EXPIRE_CHUNK = 500      /* reports in one write */
};

static const char sql_same[] =
	"SELECT id, from_domain FROM tls_report WHERE org = ?1 AND report_id = ?2"
	" AND rejected = '' ORDER BY from_domain";
static const char sql_insert[] =
	"INSERT INTO tls_report(org, report_id, contact, from_domain, mail_from, remote_ip, "
	"start_s,"
	" end_s, received_s, via, host, successes, failures, domains, rejected, size, json)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
static const char sql_domain[] = "INSERT OR IGNORE INTO tls_report_domain VALUES(?1, ?2)";
static const char sql_result[] = "INSERT OR IGNORE INTO tls_report_result VALUES(?1, ?2)";
static const char sql_day[] =
	"INSERT INTO tls_report_day VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1)"
	" ON CONFLICT(day, domain, org, type) DO UPDATE SET successes = successes + ?5,"
	" failures = failures + ?6, reports = reports + 1";
static const char sql_failure[] =
	"INSERT INTO tls_report_failure VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1)"
	" ON CONFLICT(day, domain, org, type, mx) DO UPDATE SET failures = failures + ?6,"
	" reports = reports + 1";
static const char sql_trim[] =
	"DELETE FROM tls_report WHERE rejected != '' AND id <= (SELECT id FROM tls_report"
	" WHERE rejected != '' ORDER BY id DESC LIMIT 1 OFFSET ?1)";

/* What sums say of who reports. */
static struct str reporter(struct arena *a, const struct store_tls_report *r)
{
	struct str name = r->organization.len > 0  ? r->organization
			  : r->from_domain.len > 0 ? r->from_domain
						   : STR("(no name)");

	if (r->from_domain.len > 0)
		return name;
	return str_from(arena_printf(a, "%.*s (unverified)", STR_FMT(name)));
}

static int run_bound(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	return db_step(db, stmt, err) < 0 ? -1 : 0;
}

static int pair_add(struct db *db, const char *sql, struct str name, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, name);
	db_bind_int(stmt, 2, id);
	return run_bound(db, stmt, err);
}

static int sums_add(struct db *db, const struct store_tls_report *r,
	const struct store_tls_policy *p, struct str org, struct err *err)
{
	int64_t day = r->start_s / DAY_S;
	sqlite3_stmt *stmt = db_prepare(db, sql_day, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, day);
	db_bind_str(stmt, 2, p->domain);
	db_bind_str(stmt, 3, org);
	db_bind_str(stmt, 4, p->type);
	db_bind_int(stmt, 5, p->successes);
	db_bind_int(stmt, 6, p->failures);
	if (run_bound(db, stmt, err) < 0)
		return -1;
	for (size_t i = 0; i < p->detail_count; i++) {
		const struct store_tls_detail *d = &p->details[i];
		stmt = db_prepare(db, sql_failure, err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, day);
		db_bind_str(stmt, 2, p->domain);
		db_bind_str(stmt, 3, org);
		db_bind_str(stmt, 4, d->result_type);
		db_bind_str(stmt, 5, d->receiving_mx_hostname);
		db_bind_int(stmt, 6, d->failed_session_count);
		if (run_bound(db, stmt, err) < 0)
			return -1;
	}
	return 0;
}

static int parts_add(struct db *db, const struct store_tls_report *r, int64_t id, struct str org,
	struct err *err)
{
	for (size_t i = 0; i < r->policy_count; i++) {
		const struct store_tls_policy *p = &r->policies[i];
		if (pair_add(db, sql_domain, p->domain, id, err) < 0 ||
			sums_add(db, r, p, org, err) < 0)
			return -1;
		for (size_t j = 0; j < p->detail_count; j++) {
			if (pair_add(db, sql_result, p->details[j].result_type, id, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* "a.example, b.example", each once. */
static struct str domains_text(struct arena *a, const struct store_tls_report *r)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < r->policy_count && b.len < DOMAINS_TEXT_MAX; i++) {
		bool seen = false;
		for (size_t j = 0; j < i && !seen; j++)
			seen = str_eq(r->policies[i].domain, r->policies[j].domain);
		if (seen)
			continue;
		buf_text(&b, b.len > 0 ? ", " : "");
		buf_raw(&b, r->policies[i].domain);
	}
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

struct add_op {
	const struct store_tls_report *r;
	struct str org, domains;
	int64_t id;
	bool duplicate;
};

static int report_insert(struct db *db, struct add_op *op, struct err *err)
{
	const struct store_tls_report *r = op->r;
	sqlite3_stmt *stmt = db_prepare(db, sql_insert, err);

	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, r->organization);
	db_bind_str(stmt, 2, r->report_id);
	db_bind_str(stmt, 3, r->contact);
	db_bind_str(stmt, 4, r->from_domain);
	db_bind_str(stmt, 5, r->mail_from);
	db_bind_str(stmt, 6, r->remote_ip);
	db_bind_int(stmt, 7, r->start_s);
	db_bind_int(stmt, 8, r->end_s);
	db_bind_int(stmt, 9, r->received_s);
	db_bind_int(stmt, 10, r->via);
	db_bind_int(stmt, 11, r->host);
	db_bind_int(stmt, 12, r->successes);
	db_bind_int(stmt, 13, r->failures);
	db_bind_str(stmt, 14, op->domains);
	db_bind_str(stmt, 15, r->rejected);
	db_bind_int(stmt, 16, r->size);
	db_bind_blob(stmt, 17, r->packed);
	if (run_bound(db, stmt, err) < 0)
		return -1;
	op->id = sqlite3_last_insert_rowid(db->h);
	return 0;
}

static int rejected_add(struct db *db, struct add_op *op, struct err *err)
{
	if (report_insert(db, op, err) < 0)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_trim, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, STORE_TLS_REPORT_REJECTED_MAX);
	return run_bound(db, stmt, err);
}

/* Is it there already? *unverified: the id of one that a verified one replaces, or 0. */
static int same_find(struct db *db, struct add_op *op, int64_t *unverified, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_same, err);
	struct str from = op->r->from_domain;
	int rc;

	*unverified = 0;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, op->r->organization);
	db_bind_str(stmt, 2, op->r->report_id);
	while ((rc = db_step(db, stmt, err)) == 1) {
		const char *text = (const char *)sqlite3_column_text(stmt, 1);
		struct str other = str_from(text);
		if (other.len == 0 && from.len > 0)
			*unverified = db_column_int(stmt, 0);
		if (from.len == 0 || str_eq(other, from)) {
			op->duplicate = true;
			op->id = db_column_int(stmt, 0);
		}
	}
	return rc;
}

/* --- removing --- */

static const char sql_del[] = "DELETE FROM tls_report WHERE id = ?";
static const char sql_del_domain[] = "DELETE FROM tls_report_domain WHERE report_id = ?";
static const char sql_del_result[] = "DELETE FROM tls_report_result WHERE report_id = ?";

static int rows_delete(struct db *db, int64_t id, struct err *err)
{
	static const char *const sql[] = {sql_del_domain, sql_del_result, sql_del};

	for (size_t i = 0; i < 3; i++) {
		sqlite3_stmt *stmt = db_prepare(db, sql[i], err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, id);
		if (run_bound(db, stmt, err) < 0)
			return -1;
	}
	return 0;
}

/* A verified report takes the place of an unverified one: the sums of that reporter's unverified
 * reports of the day go, so that nothing counts twice. */
static const char sql_day_take[] =
	"DELETE FROM tls_report_day WHERE day = ?1 AND domain = ?2 AND org = ?3";
static const char sql_failure_take[] =
	"DELETE FROM tls_report_failure WHERE day = ?1 AND domain = ?2 AND org = ?3";

static int unverified_take(struct db *db, const struct store_tls_report *r, int64_t id,
	struct arena *a, struct err *err)
{
	static const char *const sql[] = {sql_day_take, sql_failure_take};
	struct store_tls_report old = *r;

	old.from_domain = STR("");
	struct str org = reporter(a, &old);
	for (size_t i = 0; i < r->policy_count; i++) {
		for (size_t j = 0; j < 2; j++) {
			sqlite3_stmt *stmt = db_prepare(db, sql[j], err);
			if (stmt == NULL)
				return -1;
			db_bind_int(stmt, 1, r->start_s / DAY_S);
			db_bind_str(stmt, 2, r->policies[i].domain);
			db_bind_str(stmt, 3, org);
			if (run_bound(db, stmt, err) < 0)
				return -1;
		}
	}
	return rows_delete(db, id, err);
}

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct add_op *op = arg;
	int64_t unverified;
	int rc = 0;

	(void)s;
	op->duplicate = false;
	if (op->r->rejected.len > 0)
		return rejected_add(db, op, err);
	if (same_find(db, op, &unverified, err) < 0)
		return -1;
	if (op->duplicate)
		return 0;
	if (unverified != 0) {
		struct arena *a = arena_open();
		rc = unverified_take(db, op->r, unverified, a, err);
		arena_close(&a);
	}
	if (rc < 0 || report_insert(db, op, err) < 0)
		return -1;
	return parts_add(db, op->r, op->id, op->org, err);
}

int store_tls_report_add(struct store *s, const struct store_tls_report *r, int64_t *id,
	bool *duplicate, struct err *err)
{
	struct arena *a = arena_open();
	struct add_op op = {.r = r, .org = reporter(a, r), .domains = domains_text(a, r)};
	struct write_op write = {.run = add_run, .arg = &op};
	int rc = -1;

	if (r->packed.len > STORE_TLS_REPORT_PACKED_MAX)
		(void)err_set(err, ERR_PERM, "the report is over %d octets packed",
			STORE_TLS_REPORT_PACKED_MAX);
	else
		rc = store_write(s, &write, err);
	*id = op.id;
	*duplicate = op.duplicate;
	arena_close(&a);
	return rc;
}

struct delete_op {
	int64_t id;
	bool found;
};

static int delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct delete_op *op = arg;

	(void)s;
	if (rows_delete(db, op->id, err) < 0)
		return -1;
	op->found = sqlite3_changes(db->h) > 0;
	return 0;
}

int store_tls_report_delete(struct store *s, int64_t id, bool *found, struct err *err)
{
	struct delete_op op = {.id = id};
	struct write_op write = {.run = delete_run, .arg = &op};
	int rc = store_write(s, &write, err);

	*found = op.found;
	return rc;
}

/* --- keeping --- */

static const char sql_old[] = "SELECT id FROM tls_report WHERE (rejected = '' AND end_s < ?1) OR"
			      " (rejected != '' AND received_s < ?1) LIMIT ?2";
static const char sql_old_days[] = "DELETE FROM tls_report_day WHERE day < ?";
static const char sql_old_failures[] = "DELETE FROM tls_report_failure WHERE day < ?";

struct expire_op {
	int64_t before_s;
	size_t count;
};

static int expire_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct expire_op *op = arg;
	int64_t ids[EXPIRE_CHUNK];
	int rc;

	(void)s;
	op->count = 0;
	sqlite3_stmt *stmt = db_prepare(db, sql_old, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, op->before_s);
	db_bind_int(stmt, 2, EXPIRE_CHUNK);
	while ((rc = db_step(db, stmt, err)) == 1)
		ids[op->count++] = db_column_int(stmt, 0);
	for (size_t i = 0; rc == 0 && i < op->count; i++)
		rc = rows_delete(db, ids[i], err);
	static const char *const sql[] = {sql_old_days, sql_old_failures};
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		stmt = db_prepare(db, sql[i], err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, op->before_s / DAY_S);
		rc = run_bound(db, stmt, err);
	}
	return rc;
}

void tls_report_expire(struct store *s)
{
	struct expire_op op = {.count = EXPIRE_CHUNK};
	struct write_op write = {.run = expire_run, .arg = &op};
	struct err err;
	int64_t days, gone = 0;
	int rc = store_tls_report_days(s, &days, &err);

	if (rc == 0)
		op.before_s = clock_unix_s() - days * DAY_S;
	while (rc == 0 && op.count == EXPIRE_CHUNK) {
		rc = store_write(s, &write, &err);
		gone += (int64_t)op.count;
	}
	char n[NUM_TEXT];
	if (rc < 0)
		log_event(LOG_LEVEL_WARN, "tlsreport.expire", "error", err.text, NULL);
	else if (gone > 0)
		log_event(LOG_LEVEL_INFO, "tlsreport.expired", "reports", num_text(gone, n), NULL);
}
