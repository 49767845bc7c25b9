/* TLS reports received: lists and sums for the pages. */
#include "store/tlsreport.h"

#include "store/db.h"

enum { LOOK_MAX = 10000, DAY_S = 86400, SILENT_WINDOW = 60, SILENT_DAYS = 5, SILENT_AFTER = 4 };

#define COLUMNS                                                                                    \
	"r.id, r.org, r.contact, r.report_id, r.from_domain, r.mail_from, r.remote_ip, r.start_s," \
	" r.end_s, r.received_s, r.via, r.host, r.successes, r.failures, r.domains, r.rejected,"   \
	" r.size"
/* Whether it is about the domain (?2) and has the result (?3). */
#define MATCHES                                                                                    \
	", (?2 = '' OR EXISTS(SELECT 1 FROM tls_report_domain x WHERE x.domain = ?2"               \
	" AND x.report_id = r.id)) AND (?3 = '' OR EXISTS(SELECT 1 FROM tls_report_result y"       \
	" WHERE y.type = ?3 AND y.report_id = r.id))"
enum { AT_MATCHES = 17 };

static const char sql_all[] = "SELECT " COLUMNS MATCHES " FROM tls_report r"
			      " WHERE r.id < ?1 AND r.rejected = '' ORDER BY r.id DESC LIMIT ?4";
static const char sql_rejected[] =
	"SELECT " COLUMNS MATCHES " FROM tls_report r"
	" WHERE r.id < ?1 AND r.rejected != '' ORDER BY r.id DESC LIMIT ?4";
static const char sql_failed[] =
	"SELECT " COLUMNS MATCHES " FROM tls_report r WHERE r.id < ?1 AND r.failures > 0"
	" AND r.rejected = '' ORDER BY r.id DESC LIMIT ?4";
static const char sql_org[] =
	"SELECT " COLUMNS MATCHES " FROM tls_report r WHERE r.org = ?5 AND r.id < ?1"
	" AND r.rejected = '' ORDER BY r.id DESC LIMIT ?4";
static const char sql_domain[] =
	"SELECT " COLUMNS MATCHES " FROM tls_report_domain d JOIN tls_report r"
	" ON r.id = d.report_id WHERE d.domain = ?2 AND d.report_id < ?1"
	" ORDER BY d.report_id DESC LIMIT ?4";
static const char sql_result[] =
	"SELECT " COLUMNS MATCHES " FROM tls_report_result d JOIN tls_report r"
	" ON r.id = d.report_id WHERE d.type = ?3 AND d.report_id < ?1"
	" ORDER BY d.report_id DESC LIMIT ?4";
static const char sql_get[] = "SELECT " COLUMNS ", r.json FROM tls_report r WHERE r.id = ?";

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_tls_report *r)
{
	*r = (struct store_tls_report){.id = db_column_int(stmt, 0)};
	r->organization = db_column(stmt, 1, a);
	r->contact = db_column(stmt, 2, a);
	r->report_id = db_column(stmt, 3, a);
	r->from_domain = db_column(stmt, 4, a);
	r->mail_from = db_column(stmt, 5, a);
	r->remote_ip = db_column(stmt, 6, a);
	r->start_s = db_column_int(stmt, 7);
	r->end_s = db_column_int(stmt, 8);
	r->received_s = db_column_int(stmt, 9);
	r->via = (enum store_tls_report_via)db_column_int(stmt, 10);
	r->host = db_column_int(stmt, 11) != 0;
	r->successes = db_column_int(stmt, 12);
	r->failures = db_column_int(stmt, 13);
	r->domains = db_column(stmt, 14, a);
	r->rejected = db_column(stmt, 15, a);
	r->size = db_column_int(stmt, 16);
}

static bool matches(sqlite3_stmt *stmt, const struct store_tls_report_filter *f)
{
	const char *org = (const char *)sqlite3_column_text(stmt, 1);
	int64_t day = db_column_int(stmt, f->rejected ? 9 : 7) / DAY_S;

	return db_column_int(stmt, AT_MATCHES) != 0 &&
	       (f->organization.len == 0 || str_eq(str_from(org), f->organization)) &&
	       (f->first_day == 0 || day >= f->first_day) &&
	       (f->last_day == 0 || day <= f->last_day) &&
	       (!f->failures_only || db_column_int(stmt, 13) > 0);
}

static const char *list_sql(const struct store_tls_report_filter *f)
{
	if (f->rejected)
		return sql_rejected;
	if (f->result.len > 0)
		return sql_result;
	if (f->organization.len > 0)
		return sql_org;
	if (f->domain.len > 0)
		return sql_domain;
	return f->failures_only ? sql_failed : sql_all;
}

int store_tls_report_list(struct store *s, const struct store_tls_report_filter *f, struct arena *a,
	struct store_tls_report **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err)
{
	size_t limit = f->limit < 1 ? 1 : f->limit > 1000 ? 1000 : f->limit, looked = 0;
	const char *sql = list_sql(f);
	struct db *db = reader_take(s, err);
	int rc = -1;

	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	*more = false;
	*next_before = f->before_id;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, f->before_id > 0 ? f->before_id : INT64_MAX);
		db_bind_str(stmt, 2, f->rejected ? STR("") : f->domain);
		db_bind_str(stmt, 3, f->rejected ? STR("") : f->result);
		db_bind_int(stmt, 4, LOOK_MAX + 1);
		if (sql == sql_org)
			db_bind_str(stmt, 5, f->organization);
		while ((rc = db_step(db, stmt, err)) == 1) {
			if (*count == limit || looked++ == LOOK_MAX) {
				*more = true;
				sqlite3_reset(stmt);
				break;
			}
			*next_before = db_column_int(stmt, 0);
			if (matches(stmt, f))
				row_read(stmt, a, &(*rows)[(*count)++]);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

int store_tls_report_get(
	struct store *s, int64_t id, struct arena *a, struct store_tls_report *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_get, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, a, out);
			const char *p = sqlite3_column_blob(stmt, AT_MATCHES);
			struct str blob = {
				p, p ? (size_t)sqlite3_column_bytes(stmt, AT_MATCHES) : 0};
			out->packed = arena_str(a, blob);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

/* --- sums --- */

#define WHERE                                                                                      \
	" WHERE day BETWEEN ?1 AND ?2 AND (?3 = '' OR domain = ?3)"                                \
	" AND (?4 = '' OR org = ?4 OR org = ?4 || ' (unverified)')"
/* name, name2, name3, day, successes, failures, reporters, first day, last day. */
#define DAYS(names)                                                                                \
	"SELECT " names ", sum(successes), sum(failures), count(DISTINCT org), min(day), max(day)" \
	" FROM tls_report_day" WHERE
#define FAILURES(names)                                                                            \
	"SELECT " names ", 0, sum(failures), count(DISTINCT org), min(day), max(day)"              \
	" FROM tls_report_failure" WHERE " AND (?5 = '' OR type = ?5)"
#define MOST " ORDER BY 6 DESC, 5 DESC, 1 LIMIT ?6"

static const char days_day[] = DAYS("'', '', '', day") " AND ?5 = '' GROUP BY day ORDER BY day"
						       " LIMIT ?6";
static const char days_org[] = DAYS("org, '', '', 0") " AND ?5 = '' GROUP BY org" MOST;
static const char days_type[] = DAYS("type, '', '', 0") " AND ?5 = ?5 GROUP BY type" MOST;
static const char days_domain[] = DAYS("domain, '', '', 0") " AND ?5 = '' GROUP BY domain" MOST;
static const char failures_day[] =
	FAILURES("'', '', '', day") " GROUP BY day ORDER BY day LIMIT ?6";
static const char failures_org[] = FAILURES("org, '', '', 0") " GROUP BY org" MOST;
static const char failures_domain[] = FAILURES("domain, '', '', 0") " GROUP BY domain" MOST;
static const char failures_type[] = FAILURES("type, '', '', 0") " GROUP BY type" MOST;
static const char failures_problem[] =
	FAILURES("type, mx, domain, 0") " GROUP BY type, mx, domain" MOST;

static const char *sums_sql(enum store_tls_report_by by, bool of_result)
{
	switch (by) {
	case STORE_BY_DAY:
		return of_result ? failures_day : days_day;
	case STORE_BY_ORGANIZATION:
		return of_result ? failures_org : days_org;
	case STORE_BY_POLICY:
		return days_type;
	case STORE_BY_DOMAIN:
		return of_result ? failures_domain : days_domain;
	case STORE_BY_RESULT:
		return failures_type;
	case STORE_BY_PROBLEM:
		return failures_problem;
	}
	return days_day;
}

static void sum_read(sqlite3_stmt *stmt, struct arena *a, struct store_tls_report_sum *r)
{
	r->name = db_column(stmt, 0, a);
	r->name2 = db_column(stmt, 1, a);
	r->name3 = db_column(stmt, 2, a);
	r->day = (int)db_column_int(stmt, 3);
	r->successes = db_column_int(stmt, 4);
	r->failures = db_column_int(stmt, 5);
	r->reporters = db_column_int(stmt, 6);
	r->first_day = (int)db_column_int(stmt, 7);
	r->last_day = (int)db_column_int(stmt, 8);
}

int store_tls_report_sums(struct store *s, enum store_tls_report_by by,
	const struct store_tls_report_filter *f, struct arena *a,
	struct store_tls_report_sum **rows, size_t *count, struct err *err)
{
	size_t limit = f->limit < 1 ? 1 : f->limit > 5000 ? 5000 : f->limit;
	struct db *db = reader_take(s, err);
	int rc = -1;

	*rows = arena_alloc(a, limit * sizeof(**rows));
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sums_sql(by, f->result.len > 0), err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, f->first_day);
		db_bind_int(stmt, 2, f->last_day > 0 ? f->last_day : INT32_MAX);
		db_bind_str(stmt, 3, f->domain);
		db_bind_str(stmt, 4, f->organization);
		db_bind_str(stmt, 5, f->result);
		db_bind_int(stmt, 6, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1 && *count < limit)
			sum_read(stmt, a, &(*rows)[(*count)++]);
		if (rc == 1)
			sqlite3_reset(stmt);
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

static const char sql_silent[] =
	"SELECT org, '', '', 0, sum(successes), sum(failures), count(DISTINCT day), min(day),"
	" max(day) FROM tls_report_day WHERE day > ?1 AND org NOT LIKE '% (unverified)' GROUP BY "
	"org"
	" HAVING max(day) < ?2 AND count(DISTINCT day) >= ?3 ORDER BY 9 DESC, 1 LIMIT ?4";

int store_tls_report_silent(struct store *s, int today, size_t limit, struct arena *a,
	struct store_tls_report_sum **rows, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*rows = arena_alloc(a, (limit + 1) * sizeof(**rows));
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_silent, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, today - SILENT_WINDOW);
		db_bind_int(stmt, 2, today - SILENT_AFTER);
		db_bind_int(stmt, 3, SILENT_DAYS);
		db_bind_int(stmt, 4, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1 && *count < limit)
			sum_read(stmt, a, &(*rows)[(*count)++]);
		if (rc == 1)
			sqlite3_reset(stmt);
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}
