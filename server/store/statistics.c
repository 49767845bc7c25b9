#include "store/statistics.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/db.h"

#include <stdlib.h>

enum {
	HOUR_S = 3600,
	DAY_S = 86400,
	SLOTS = 2048,        /* of the table in memory, a power of two */
	NAMES_MAX = 1024,    /* domains between two flushes; more are not told apart */
	ROWS_MANY = 2000,    /* domains of a day: from here on ... */
	ROWS_KEPT = 1000,    /* ... only the busiest stay */
	ROWS_KEPT_OLD = 200, /* of days that are over */
	/* Names in stat_hour beside enum store_counter. */
	NAME_QUEUE_MAX = 100,
	NAME_QUEUE_LAST = 101
};

/* --- counting domains: the writer thread only --- */

enum { DOMAIN_KINDS = 4 };

struct stat_map {
	struct {
		char *name; /* NULL: free */
		int64_t counts[DOMAIN_KINDS];
	} slots[SLOTS];
	size_t used;
	int64_t cleaned_day; /* when old rows were last removed */
	int64_t depth;       /* of the queue, as last written; -1: not yet */
};

struct stat_map *stat_open(void)
{
	struct stat_map *m = mem_alloc(sizeof(*m));

	m->depth = -1;
	return m;
}

static void map_clear(struct stat_map *m)
{
	for (size_t i = 0; i < SLOTS && m->used > 0; i++) {
		if (m->slots[i].name == NULL)
			continue;
		free(m->slots[i].name);
		memset(&m->slots[i], 0, sizeof(m->slots[i]));
		m->used--;
	}
}

void stat_close(struct stat_map **m)
{
	if (*m == NULL)
		return;
	map_clear(*m);
	free(*m);
	*m = NULL;
}

void stat_domain_note(struct store *s, struct str domain, enum stat_kind kind, int64_t n)
{
	struct stat_map *m = s->stat;
	size_t i = hash_str(domain) & (SLOTS - 1);

	if (domain.len == 0 || domain.len >= STORE_DEST_MAX)
		return;
	while (m->slots[i].name != NULL && !str_eq(domain, str_from(m->slots[i].name)))
		i = (i + 1) & (SLOTS - 1);
	if (m->slots[i].name == NULL) {
		if (m->used == NAMES_MAX)
			return;
		m->slots[i].name = mem_alloc(domain.len + 1);
		memcpy(m->slots[i].name, domain.p, domain.len);
		m->used++;
	}
	m->slots[i].counts[kind] += n;
}

bool stat_pending(const struct store *s)
{
	int64_t queued, held;

	due_sums(s->due, &queued, &held);
	if (s->stat->used > 0 || queued + held != s->stat->depth)
		return true;
	for (int i = 0; i < STORE_COUNT_MAX; i++) {
		if (atomic_load(&s->counts[i]) != 0)
			return true;
	}
	return false;
}

/* --- writing --- */

static const char sql_day[] =
	"INSERT INTO counter(day, name, value) VALUES(?, ?, ?)"
	" ON CONFLICT(day, name) DO UPDATE SET value = value + excluded.value";
static const char sql_hour[] =
	"INSERT INTO stat_hour(hour, name, value) VALUES(?, ?, ?)"
	" ON CONFLICT(hour, name) DO UPDATE SET value = value + excluded.value";
static const char sql_hour_max[] =
	"INSERT INTO stat_hour(hour, name, value) VALUES(?, ?, ?)"
	" ON CONFLICT(hour, name) DO UPDATE SET value = max(value, excluded.value)";
static const char sql_hour_last[] = "INSERT INTO stat_hour(hour, name, value) VALUES(?, ?, ?)"
				    " ON CONFLICT(hour, name) DO UPDATE SET value = excluded.value";
static const char sql_domain[] =
	"INSERT INTO stat_domain(day, domain, accepted, delivered, deferred, failed)"
	" VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(day, domain) DO UPDATE SET"
	" accepted = accepted + excluded.accepted, delivered = delivered + excluded.delivered,"
	" deferred = deferred + excluded.deferred, failed = failed + excluded.failed";
static const char sql_domain_rows[] = "SELECT count(*) FROM stat_domain WHERE day = ?";
static const char sql_domain_shrink[] =
	"DELETE FROM stat_domain WHERE day = ?1 AND domain NOT IN (SELECT domain FROM stat_domain"
	" WHERE day = ?1 ORDER BY accepted + delivered + deferred + failed DESC LIMIT ?2)";
static const char sql_days_over[] =
	"SELECT day FROM stat_domain WHERE day < ? GROUP BY day HAVING count(*) > ? LIMIT 1";
static const char sql_old_days[] = "DELETE FROM counter WHERE day < ?";
static const char sql_old_hours[] = "DELETE FROM stat_hour WHERE hour < ?";
static const char sql_old_domains[] = "DELETE FROM stat_domain WHERE day < ?";

/* Runs sql with up to three numbers. */
static int run3(struct db *db, const char *sql, int64_t a, int64_t b, int64_t c, struct err *err)
{
	const int64_t values[] = {a, b, c};
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	if (stmt == NULL)
		return -1;
	for (int i = 0; i < sqlite3_bind_parameter_count(stmt) && i < 3; i++)
		db_bind_int(stmt, i + 1, values[i]);
	int rc = db_step(db, stmt, err);
	if (rc == 1)
		sqlite3_reset(stmt);
	return rc < 0 ? -1 : 0;
}

/* The first column of the first row; 0 when there is none. */
static int one_number(
	struct db *db, const char *sql, int64_t a, int64_t b, int64_t *out, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);

	*out = 0;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, a);
	if (sqlite3_bind_parameter_count(stmt) > 1)
		db_bind_int(stmt, 2, b);
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*out = db_column_int(stmt, 0);
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : 0;
}

static int domains_write(struct store *s, struct db *db, int64_t day, struct err *err)
{
	struct stat_map *m = s->stat;
	int64_t rows;

	if (m->used == 0)
		return 0;
	for (size_t i = 0; i < SLOTS; i++) {
		if (m->slots[i].name == NULL)
			continue;
		sqlite3_stmt *stmt = db_prepare(db, sql_domain, err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, day);
		db_bind_str(stmt, 2, str_from(m->slots[i].name));
		for (int k = 0; k < DOMAIN_KINDS; k++)
			db_bind_int(stmt, 3 + k, m->slots[i].counts[k]);
		if (db_step(db, stmt, err) < 0)
			return -1;
	}
	if (one_number(db, sql_domain_rows, day, 0, &rows, err) < 0)
		return -1;
	return rows > ROWS_MANY ? run3(db, sql_domain_shrink, day, ROWS_KEPT, 0, err) : 0;
}

/* Once a day, and after a start: what is too old goes, and of days that are over the rare
 * domains; a day at a time, so that no commit is long. */
static int clean(struct store *s, struct db *db, int64_t day, struct err *err)
{
	int64_t over;

	if (s->stat->cleaned_day == day)
		return 0;
	if (run3(db, sql_old_days, day - STORE_STAT_DAYS, 0, 0, err) < 0 ||
		run3(db, sql_old_hours, day * 24 - STORE_STAT_HOURS, 0, 0, err) < 0 ||
		run3(db, sql_old_domains, day - STORE_STAT_HOURS / 24, 0, 0, err) < 0 ||
		one_number(db, sql_days_over, day, ROWS_KEPT_OLD, &over, err) < 0)
		return -1;
	if (over != 0)
		return run3(db, sql_domain_shrink, over, ROWS_KEPT_OLD, 0, err);
	s->stat->cleaned_day = day;
	return 0;
}

int stat_write(struct store *s, struct db *db, int64_t taken[STORE_COUNT_MAX], struct err *err)
{
	int64_t now_s = clock_unix_s(), hour = now_s / HOUR_S, day = now_s / DAY_S, queued, held;

	for (int i = 0; i < STORE_COUNT_MAX; i++) {
		taken[i] = atomic_exchange(&s->counts[i], 0);
		if (taken[i] != 0 && (run3(db, sql_day, day, i, taken[i], err) < 0 ||
					     run3(db, sql_hour, hour, i, taken[i], err) < 0))
			return -1;
	}
	due_sums(s->due, &queued, &held);
	if (run3(db, sql_hour_max, hour, NAME_QUEUE_MAX, queued + held, err) < 0 ||
		run3(db, sql_hour_last, hour, NAME_QUEUE_LAST, queued + held, err) < 0 ||
		domains_write(s, db, day, err) < 0)
		return -1;
	s->stat->depth = queued + held; /* a lost commit is followed by another soon */
	return clean(s, db, day, err);
}

void stat_written(struct store *s)
{
	map_clear(s->stat);
}

/* --- reading --- */

static const char sql_hours[] =
	"SELECT hour, name, value FROM stat_hour WHERE hour > ? AND hour <= ? ORDER BY hour";
static const char sql_days[] =
	"SELECT day, name, value FROM counter WHERE day > ? AND day <= ? ORDER BY day";
static const char sql_queue_before[] =
	"SELECT value FROM stat_hour WHERE hour <= ? AND hour > ? - 1000 AND name = 101"
	" ORDER BY hour DESC LIMIT 1";
static const char sql_top[] =
	"SELECT domain, sum(accepted), sum(delivered), sum(deferred), sum(failed)"
	" FROM stat_domain WHERE day >= ? GROUP BY domain"
	" ORDER BY sum(accepted + delivered + deferred + failed) DESC, domain LIMIT ?";
static const char sql_any_domain[] = "SELECT EXISTS(SELECT 1 FROM domain WHERE id > ?)";

static void slot_fill(struct store_stat_slot *slot, int64_t name, int64_t value)
{
	if (name >= 0 && name < STORE_COUNT_MAX)
		slot->counts[name] += value;
	else if (name == NAME_QUEUE_MAX)
		slot->queue_max = value;
	else if (name == NAME_QUEUE_LAST)
		slot->queue_last = value;
}

/* unit_s: HOUR_S or DAY_S; sql gives (slot, name, value). */
static int slots_read(struct store *s, struct db *db, const char *sql, int64_t unit_s,
	int64_t now_s, size_t n, struct store_stat_slot *out, struct err *err)
{
	int64_t last = now_s / unit_s, first = last - (int64_t)n + 1;
	int rc;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct store_stat_slot){.start_s = (first + (int64_t)i) * unit_s,
			.queue_max = -1,
			.queue_last = -1};
	if (last == clock_unix_s() / unit_s) {
		for (int i = 0; i < STORE_COUNT_MAX; i++)
			out[n - 1].counts[i] = atomic_load(&s->counts[i]);
	}
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, first - 1);
	db_bind_int(stmt, 2, last);
	while ((rc = db_step(db, stmt, err)) == 1)
		slot_fill(&out[db_column_int(stmt, 0) - first], db_column_int(stmt, 1),
			db_column_int(stmt, 2));
	return rc;
}

/* Hours without a record had no change: the figure before them still held. */
static int queue_carry(struct db *db, size_t n, struct store_stat_slot *out, struct err *err)
{
	int64_t before = out[0].start_s / HOUR_S - 1, last;
	sqlite3_stmt *stmt = db_prepare(db, sql_queue_before, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, before);
	db_bind_int(stmt, 2, before);
	int rc = db_step(db, stmt, err);
	last = rc == 1 ? db_column_int(stmt, 0) : -1;
	if (rc == 1)
		sqlite3_reset(stmt);
	for (size_t i = 0; i < n; i++) {
		if (out[i].queue_last < 0)
			out[i].queue_last = out[i].queue_max = last;
		else if (out[i].queue_max < last)
			out[i].queue_max = last; /* what it began with */
		last = out[i].queue_last;
	}
	return rc < 0 ? -1 : 0;
}

int store_stat_hours(
	struct store *s, int64_t now_s, size_t n, struct store_stat_slot *out, struct err *err)
{
	struct db *db = reader_take(s, err);

	if (db == NULL)
		return -1;
	int rc = slots_read(s, db, sql_hours, HOUR_S, now_s, n, out, err);
	if (rc == 0 && n > 0)
		rc = queue_carry(db, n, out, err);
	reader_give(s, db);
	return rc;
}

int store_stat_days(
	struct store *s, int64_t now_s, size_t n, struct store_stat_slot *out, struct err *err)
{
	struct db *db = reader_take(s, err);

	if (db == NULL)
		return -1;
	int rc = slots_read(s, db, sql_days, DAY_S, now_s, n, out, err);
	reader_give(s, db);
	return rc;
}

int store_stat_domains(struct store *s, int64_t since_s, size_t limit, struct arena *a,
	struct store_stat_domain **rows, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*count = 0;
	*rows = arena_alloc(a, (limit + 1) * sizeof(**rows));
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_top, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, since_s / DAY_S);
		db_bind_int(stmt, 2, (int64_t)limit);
		while ((rc = db_step(db, stmt, err)) == 1)
			(*rows)[(*count)++] = (struct store_stat_domain){
				.domain = db_column(stmt, 0, a),
				.accepted = db_column_int(stmt, 1),
				.delivered = db_column_int(stmt, 2),
				.deferred = db_column_int(stmt, 3),
				.failed = db_column_int(stmt, 4),
			};
	}
	reader_give(s, db);
	return rc;
}

int store_any_domain(struct store *s, bool *any, struct err *err)
{
	struct db *db = reader_take(s, err);
	int64_t n = 0;

	if (db == NULL)
		return -1;
	int rc = one_number(db, sql_any_domain, 0, 0, &n, err);
	reader_give(s, db);
	*any = n != 0;
	return rc;
}
