/* TLS results. A row of tls_result has its policies, and those their failure details, in
 * tables of their own: adding to counts that are there is then all a usual delivery does,
 * and nothing has to be read, merged and written as a whole. */
#include "store/db.h"

#include "base/buf.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { KEY_HEX = 65, LIST_SCAN_MAX = 100000 };

/* --- adding --- */

static const char sql_row[] =
	"INSERT INTO tls_result(day, policy_domain, recipient_domain, is_host, send_report,"
	" created_ms, updated_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6)"
	" ON CONFLICT(policy_domain, day, recipient_domain) DO UPDATE SET"
	" is_host = excluded.is_host, send_report = max(send_report, excluded.send_report),"
	" updated_ms = excluded.updated_ms RETURNING id";
static const char sql_policy_add[] =
	"UPDATE tls_result_policy SET successes = successes + ?3, failures = failures + ?4"
	" WHERE result_id = ?1 AND key = ?2 RETURNING id";
static const char sql_policy_new[] =
	"INSERT INTO tls_result_policy(result_id, key, successes, failures, type, domain, mx_hosts,"
	" strings) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
	" WHERE (SELECT count(*) FROM tls_result_policy WHERE result_id = ?1) < ?9 RETURNING id";
static const char sql_detail_add[] =
	"UPDATE tls_result_detail SET count = count + ?9 WHERE policy_id = ?1 AND type = ?2"
	" AND sending_ip = ?3 AND mx = ?4 AND helo = ?5 AND ip = ?6 AND info = ?7 AND reason = ?8";
static const char sql_detail_new[] =
	"INSERT INTO tls_result_detail(policy_id, type, sending_ip, mx, helo, ip, info, reason,"
	" count) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
	" WHERE (SELECT count(*) FROM tls_result_detail WHERE policy_id = ?1) < ?10";

/* Runs a statement that returns the id of the row it changed: 1, or 0 when it changed none. */
static int id_step(struct db *db, sqlite3_stmt *stmt, int64_t *id, struct err *err)
{
	int rc = db_step(db, stmt, err);

	if (rc == 1) {
		*id = db_column_int(stmt, 0);
		rc = db_step(db, stmt, err); /* the change is done with the last step only */
		return rc < 0 ? -1 : 1;
	}
	return rc;
}

static struct str text_cut(struct str s)
{
	if (s.len > STORE_TLS_TEXT_MAX)
		s.len = STORE_TLS_TEXT_MAX;
	return s;
}

static void strings_json(struct buf *out, const struct str *strings, size_t count)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < count && out->len < STORE_TLS_STRINGS_MAX; i++) {
		buf_text(out, i > 0 ? ",\"" : "\"");
		buf_json(out, (struct str){strings[i].p, strings[i].len < STORE_TLS_STRINGS_MAX
								 ? strings[i].len
								 : STORE_TLS_STRINGS_MAX});
		buf_byte(out, '"');
	}
	buf_byte(out, ']');
}

/* Equal for policies that are equal: lengths go first, so that parts cannot be shifted. */
static void policy_key(const struct store_tls_policy *p, const struct buf *strings,
	const struct buf *mx_hosts, char out[KEY_HEX])
{
	struct str parts[] = {p->type, p->domain, buf_str(strings), buf_str(mx_hosts)};
	struct buf all = {NULL, 0, 0}, hex = {NULL, 0, 0};
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_printf(&all, "%zu:", parts[i].len);
		buf_raw(&all, parts[i]);
	}
	if (EVP_Digest(all.p, all.len, hash, &len, EVP_sha256(), NULL) != 1)
		abort(); /* no SHA-256: nothing of this program works */
	buf_hex(&hex, hash, len);
	(void)str_copy(out, KEY_HEX, buf_str(&hex));
	buf_free(&all);
	buf_free(&hex);
}

static int detail_add(
	struct db *db, int64_t policy_id, const struct store_tls_detail *d, struct err *err)
{
	static const char *const sql[] = {sql_detail_add, sql_detail_new};

	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *stmt = db_prepare(db, sql[i], err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, policy_id);
		db_bind_str(stmt, 2, text_cut(d->result_type));
		db_bind_str(stmt, 3, text_cut(d->sending_mta_ip));
		db_bind_str(stmt, 4, text_cut(d->receiving_mx_hostname));
		db_bind_str(stmt, 5, text_cut(d->receiving_mx_helo));
		db_bind_str(stmt, 6, text_cut(d->receiving_ip));
		db_bind_str(stmt, 7, text_cut(d->additional_information));
		db_bind_str(stmt, 8, text_cut(d->failure_reason_code));
		db_bind_int(stmt, 9, d->failed_session_count);
		if (i == 1)
			db_bind_int(stmt, 10, STORE_TLS_DETAILS_MAX);
		if (db_step(db, stmt, err) < 0)
			return -1;
		if (sqlite3_changes(db->h) > 0)
			break;
	}
	return 0;
}

static int policy_add(
	struct db *db, int64_t result_id, const struct store_tls_policy *p, struct err *err)
{
	static const char *const sql[] = {sql_policy_add, sql_policy_new};
	struct buf strings = {NULL, 0, 0}, mx_hosts = {NULL, 0, 0};
	char key[KEY_HEX];
	int64_t id = 0;
	int rc = 0;

	strings_json(&strings, p->strings, p->string_count);
	strings_json(&mx_hosts, p->mx_hosts, p->mx_host_count);
	policy_key(p, &strings, &mx_hosts, key);
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		sqlite3_stmt *stmt = db_prepare(db, sql[i], err);
		rc = -1;
		if (stmt == NULL)
			break;
		db_bind_int(stmt, 1, result_id);
		db_bind_str(stmt, 2, str_from(key));
		db_bind_int(stmt, 3, p->successes);
		db_bind_int(stmt, 4, p->failures);
		if (i == 1) {
			db_bind_str(stmt, 5, p->type);
			db_bind_str(stmt, 6, p->domain);
			db_bind_str(stmt, 7, buf_str(&mx_hosts));
			db_bind_str(stmt, 8, buf_str(&strings));
			db_bind_int(stmt, 9, STORE_TLS_POLICIES_MAX);
		}
		rc = id_step(db, stmt, &id, err);
	}
	for (size_t i = 0; rc == 1 && i < p->detail_count; i++) {
		if (detail_add(db, id, &p->details[i], err) < 0)
			rc = -1;
	}
	buf_free(&strings);
	buf_free(&mx_hosts);
	return rc < 0 ? -1 : 0;
}

int tls_results_add(struct db *db, const struct store_tls_result *results, size_t count,
	int64_t now_ms, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct store_tls_result *r = &results[i];
		int64_t id = 0;
		sqlite3_stmt *stmt = db_prepare(db, sql_row, err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, r->day);
		db_bind_str(stmt, 2, r->policy_domain);
		db_bind_str(stmt, 3, r->recipient_domain);
		db_bind_int(stmt, 4, r->is_host);
		db_bind_int(stmt, 5, r->send_report);
		db_bind_int(stmt, 6, now_ms);
		int rc = id_step(db, stmt, &id, err);
		if (rc <= 0)
			return rc < 0 ? -1 : err_set(err, ERR_BUG, "store: TLS result without row");
		for (size_t j = 0; j < r->policy_count; j++) {
			if (policy_add(db, id, &r->policies[j], err) < 0)
				return -1;
		}
	}
	return 0;
}

struct add {
	const struct store_tls_result *results;
	size_t count;
};

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct add *add = arg;

	(void)s;
	return tls_results_add(db, add->results, add->count, clock_unix_ms(), err);
}

int store_tls_result_add(
	struct store *s, const struct store_tls_result *results, size_t count, struct err *err)
{
	struct add add = {results, count};
	struct write_op op = {.run = add_run, .arg = &add};

	return store_write(s, &op, err);
}

/* --- reading --- */

static const char sql_policies[] =
	"SELECT id, type, domain, successes, failures, mx_hosts, strings FROM tls_result_policy"
	" WHERE result_id = ? ORDER BY id";
static const char sql_details[] =
	"SELECT type, sending_ip, mx, helo, ip, info, reason, count FROM tls_result_detail"
	" WHERE policy_id = ?";
static const char sql_count_details[] =
	"SELECT count(*) FROM tls_result_detail WHERE policy_id = ?";
static const char sql_count_policies[] =
	"SELECT count(*) FROM tls_result_policy WHERE result_id = ?";

static int number_of(struct db *db, const char *sql, int64_t id, size_t *n, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	*n = 0;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*n = (size_t)db_column_int(stmt, 0);
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : 0;
}

/* A JSON array of texts that we wrote. */
static void strings_read(struct str json, struct arena *a, struct str **out, size_t *count)
{
	json_t *array = json_loadb(json.p, json.len, 0, NULL);
	size_t n = json_array_size(array);

	*out = arena_alloc(a, (n + 1) * sizeof(**out));
	*count = n;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		(*out)[i] = arena_str(a, str_from(text ? text : ""));
	}
	json_decref(array);
}

static int details_read(struct db *db, int64_t policy_id, struct arena *a,
	struct store_tls_policy *p, struct err *err)
{
	size_t n;
	int rc;

	if (number_of(db, sql_count_details, policy_id, &n, err) < 0)
		return -1;
	p->details = arena_alloc(a, (n + 1) * sizeof(*p->details));
	sqlite3_stmt *stmt = db_prepare(db, sql_details, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, policy_id);
	while ((rc = db_step(db, stmt, err)) == 1) {
		if (p->detail_count == n) {
			sqlite3_reset(stmt);
			break;
		}
		struct store_tls_detail *d = &p->details[p->detail_count++];
		d->result_type = db_column(stmt, 0, a);
		d->sending_mta_ip = db_column(stmt, 1, a);
		d->receiving_mx_hostname = db_column(stmt, 2, a);
		d->receiving_mx_helo = db_column(stmt, 3, a);
		d->receiving_ip = db_column(stmt, 4, a);
		d->additional_information = db_column(stmt, 5, a);
		d->failure_reason_code = db_column(stmt, 6, a);
		d->failed_session_count = db_column_int(stmt, 7);
	}
	return rc < 0 ? -1 : 0;
}

static int policies_read(
	struct db *db, struct arena *a, struct store_tls_result *row, struct err *err)
{
	int64_t ids[STORE_TLS_POLICIES_MAX];
	size_t n;
	int rc;

	if (number_of(db, sql_count_policies, row->id, &n, err) < 0)
		return -1;
	if (n > STORE_TLS_POLICIES_MAX)
		n = STORE_TLS_POLICIES_MAX;
	row->policies = arena_alloc(a, (n + 1) * sizeof(*row->policies));
	sqlite3_stmt *stmt = db_prepare(db, sql_policies, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, row->id);
	while ((rc = db_step(db, stmt, err)) == 1) {
		if (row->policy_count == n) {
			sqlite3_reset(stmt);
			break;
		}
		struct store_tls_policy *p = &row->policies[row->policy_count];
		ids[row->policy_count++] = db_column_int(stmt, 0);
		p->type = db_column(stmt, 1, a);
		p->domain = db_column(stmt, 2, a);
		p->successes = db_column_int(stmt, 3);
		p->failures = db_column_int(stmt, 4);
		strings_read(db_column(stmt, 5, a), a, &p->mx_hosts, &p->mx_host_count);
		strings_read(db_column(stmt, 6, a), a, &p->strings, &p->string_count);
	}
	for (size_t i = 0; rc >= 0 && i < row->policy_count; i++)
		rc = details_read(db, ids[i], a, &row->policies[i], err);
	return rc < 0 ? -1 : 0;
}

#define ROW_COLUMNS                                                                                \
	"id, day, policy_domain, recipient_domain, is_host, send_report, created_ms, updated_ms"

static const char sql_day[] = "SELECT " ROW_COLUMNS " FROM tls_result WHERE policy_domain = ?1"
			      " AND day = ?2 AND recipient_domain > ?3"
			      " ORDER BY recipient_domain LIMIT ?4";
static const char sql_get[] = "SELECT " ROW_COLUMNS " FROM tls_result WHERE id = ?";
static const char sql_list[] =
	"SELECT " ROW_COLUMNS ", (SELECT 1 FROM tls_result_policy p WHERE p.result_id ="
	" tls_result.id AND (p.failures > 0 OR EXISTS (SELECT 1 FROM tls_result_detail d WHERE"
	" d.policy_id = p.id)))"
	" FROM tls_result WHERE id < ?1 ORDER BY id DESC";

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_tls_result *row)
{
	*row = (struct store_tls_result){.id = db_column_int(stmt, 0)};
	row->day = (int)db_column_int(stmt, 1);
	row->policy_domain = db_column(stmt, 2, a);
	row->recipient_domain = db_column(stmt, 3, a);
	row->is_host = db_column_int(stmt, 4) != 0;
	row->send_report = db_column_int(stmt, 5) != 0;
	row->created_ms = db_column_int(stmt, 6);
	row->updated_ms = db_column_int(stmt, 7);
}

static size_t limit_of(size_t limit)
{
	return limit < 1 ? 1 : limit > 1000 ? 1000 : limit;
}

/* Begins a read of several statements as one snapshot. */
static struct db *snapshot_begin(struct store *s, struct err *err)
{
	struct db *db = reader_take(s, err);

	if (db != NULL && db_exec(db, "BEGIN", err) < 0) {
		reader_give(s, db);
		return NULL;
	}
	return db;
}

static void snapshot_end(struct store *s, struct db *db)
{
	struct err ignored;

	(void)!db_exec(db, "COMMIT", &ignored);
	reader_give(s, db);
}

int store_tls_result_day(struct store *s, struct str policy_domain, int day, struct str after,
	size_t limit, struct arena *a, struct store_tls_result **rows, size_t *count,
	struct err *err)
{
	struct db *db = snapshot_begin(s, err);
	int rc = -1;

	limit = limit_of(limit);
	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_day, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, policy_domain);
		db_bind_int(stmt, 2, day);
		db_bind_str(stmt, 3, after);
		db_bind_int(stmt, 4, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1)
			row_read(stmt, a, &(*rows)[(*count)++]);
	}
	for (size_t i = 0; rc >= 0 && i < *count; i++)
		rc = policies_read(db, a, &(*rows)[i], err);
	snapshot_end(s, db);
	return rc < 0 ? -1 : 0;
}

int store_tls_result_get(
	struct store *s, int64_t id, struct arena *a, struct store_tls_result *out, struct err *err)
{
	struct db *db = snapshot_begin(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_get, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, id);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1) {
		row_read(stmt, a, out);
		sqlite3_reset(stmt);
		if (policies_read(db, a, out, err) < 0)
			rc = -1;
	}
	snapshot_end(s, db);
	return rc;
}

static struct str column_view(sqlite3_stmt *stmt, int at)
{
	const char *p = sqlite3_column_blob(stmt, at);

	return (struct str){p, p ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static bool matches(sqlite3_stmt *stmt, const struct store_tls_result_filter *f)
{
	return (f->day == 0 || db_column_int(stmt, 1) == f->day) &&
	       (!f->failures_only || db_column_int(stmt, 8) == 1) &&
	       (f->policy_domain.len == 0 ||
		       str_find(column_view(stmt, 2), f->policy_domain) != NULL) &&
	       (f->recipient_domain.len == 0 ||
		       str_find(column_view(stmt, 3), f->recipient_domain) != NULL);
}

int store_tls_result_list(struct store *s, const struct store_tls_result_filter *f, struct arena *a,
	struct store_tls_result **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err)
{
	size_t limit = limit_of(f->limit), looked = 0;
	struct db *db = snapshot_begin(s, err);
	int rc = -1;

	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	*more = false;
	*next_before = f->before_id;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_list, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, f->before_id > 0 ? f->before_id : INT64_MAX);
		while ((rc = db_step(db, stmt, err)) == 1) {
			if (*count == limit || looked++ == LIST_SCAN_MAX) {
				*more = true;
				sqlite3_reset(stmt);
				break;
			}
			*next_before = db_column_int(stmt, 0);
			if (matches(stmt, f))
				row_read(stmt, a, &(*rows)[(*count)++]);
		}
	}
	for (size_t i = 0; rc >= 0 && i < *count; i++)
		rc = policies_read(db, a, &(*rows)[i], err);
	snapshot_end(s, db);
	return rc < 0 ? -1 : 0;
}

static const char sql_domains[] =
	"SELECT day, policy_domain, max(send_report), count(*) FROM tls_result"
	" WHERE day >= ?1 AND day <= ?2 AND (day, policy_domain) > (?3, ?4)"
	" GROUP BY day, policy_domain ORDER BY day, policy_domain LIMIT ?5";

int store_tls_result_domains(struct store *s, int first_day, int last_day, int after_day,
	struct str after_domain, size_t limit, struct arena *a, struct store_tls_domain_day **rows,
	size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	limit = limit_of(limit);
	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_domains, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, first_day);
		db_bind_int(stmt, 2, last_day);
		db_bind_int(stmt, 3, after_day);
		db_bind_str(stmt, 4, after_domain);
		db_bind_int(stmt, 5, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1) {
			struct store_tls_domain_day *row = &(*rows)[(*count)++];
			row->day = (int)db_column_int(stmt, 0);
			row->policy_domain = db_column(stmt, 1, a);
			row->send_report = db_column_int(stmt, 2) != 0;
			row->rows = db_column_int(stmt, 3);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

/* --- deleting --- */

static const char sql_delete[] =
	"DELETE FROM tls_result WHERE policy_domain = ?1 AND (?2 = 0 OR day = ?2)";
static const char sql_purge[] = "DELETE FROM tls_result WHERE day < ?2";

struct delete_op {
	const char *sql;
	struct str policy_domain;
	int day;
	size_t count;
};

static int delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct delete_op *op = arg;
	sqlite3_stmt *stmt = db_prepare(db, op->sql, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, op->policy_domain);
	db_bind_int(stmt, 2, op->day);
	if (db_step(db, stmt, err) < 0)
		return -1;
	op->count = (size_t)sqlite3_changes(db->h);
	return 0;
}

static int rows_delete(struct store *s, struct delete_op *op, size_t *count, struct err *err)
{
	struct write_op write = {.run = delete_run, .arg = op};
	int rc = store_write(s, &write, err);

	*count = op->count;
	return rc;
}

int store_tls_result_delete(
	struct store *s, struct str policy_domain, int day, size_t *count, struct err *err)
{
	struct delete_op op = {sql_delete, policy_domain, day, 0};

	return rows_delete(s, &op, count, err);
}

int store_tls_result_purge(struct store *s, int before_day, size_t *count, struct err *err)
{
	struct delete_op op = {sql_purge, STR(""), before_day, 0};

	return rows_delete(s, &op, count, err);
}
