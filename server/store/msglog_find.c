/* Searching the message log: newest first, a page at a time. */
#include "store/msglog_priv.h"

#include "store/dircache.h"

enum {
	SCAN_MAX = 20000,    /* rows looked at in one call; the page then says there is more */
	TIME_SLACK_MS = 5000 /* refusals are written a little later than they happen */
};

#define ROW_COLUMNS                                                                                \
	"id, at_ms, results, rcpts, open, stage, code, size, about, session, mail_from, rcpt,"     \
	" original, remote_ip, message_id, from_address, header_from, subject, helo, account,"     \
	" listener, tls, ecode, text"

enum { /* columns looked at before a row is copied */
	COL_ID,
	COL_AT,
	COL_RESULTS,
	COL_RCPTS,
	COL_SESSION = 9,
	COL_MAIL_FROM,
	COL_RCPT,
	COL_ORIGINAL,
	COL_IP,
	COL_MESSAGE_ID,
	COL_FROM_ADDRESS
};

struct find {
	struct store *s;
	struct db *db;
	struct arena *a;
	struct store_msglog_filter f;
	int64_t low, high; /* ids: low <= id < high */
	struct store_msglog_page *out;
	size_t looked;
};

static struct str view(sqlite3_stmt *stmt, int at)
{
	const char *p = sqlite3_column_blob(stmt, at);

	return (struct str){p, p ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static void row_read(sqlite3_stmt *stmt, struct arena *a, struct store_msglog_row *r)
{
	r->id = db_column_int(stmt, COL_ID);
	r->at_ms = db_column_int(stmt, COL_AT);
	r->results = (unsigned)db_column_int(stmt, COL_RESULTS);
	r->rcpt_count = (size_t)db_column_int(stmt, COL_RCPTS);
	r->open = (size_t)db_column_int(stmt, 4);
	r->stage = (enum store_log_stage)db_column_int(stmt, 5);
	r->code = (int)db_column_int(stmt, 6);
	r->size = db_column_int(stmt, 7);
	r->about = db_column_int(stmt, 8);
	r->session = db_column(stmt, COL_SESSION, a);
	r->mail_from = db_column(stmt, COL_MAIL_FROM, a);
	r->rcpt = db_column(stmt, COL_RCPT, a);
	r->original = db_column(stmt, COL_ORIGINAL, a);
	r->remote_ip = db_column(stmt, COL_IP, a);
	r->message_id = db_column(stmt, COL_MESSAGE_ID, a);
	r->from_address = db_column(stmt, COL_FROM_ADDRESS, a);
	if (r->from_address.len == 0)
		r->from_address = r->mail_from;
	r->header_from = db_column(stmt, 16, a);
	r->subject = db_column(stmt, 17, a);
	r->helo = db_column(stmt, 18, a);
	r->account = db_column(stmt, 19, a);
	r->listener = db_column(stmt, 20, a);
	r->tls = db_column(stmt, 21, a);
	r->ecode = db_column(stmt, 22, a);
	r->text = db_column(stmt, 23, a);
}

/* --- does a row match --- */

static bool address_matches(const struct store_msglog_filter *f, struct str address)
{
	return (f->address.len == 0 || str_eq_nocase(address, f->address)) &&
	       (f->domain.len == 0 || str_eq_nocase(msglog_domain(address), f->domain));
}

static const char sql_rcpts_of[] =
	"SELECT address, original FROM msglog_rcpt WHERE id >= ? AND id < ?";
static const char sql_ips_of[] = "SELECT ip FROM msglog_event WHERE rcpt_id >= ? AND rcpt_id < ?";

/* 1, 0, -1: does a further recipient match, or the host of an attempt? */
static int below_matches(struct find *w, const char *sql, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql, err);
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(id));
	db_bind_int(stmt, 2, rcpt_first(id + 1));
	while ((rc = db_step(w->db, stmt, err)) == 1) {
		bool yes = sql == sql_ips_of ? str_eq_nocase(view(stmt, 0), w->f.ip)
					     : address_matches(&w->f, view(stmt, 0)) ||
						       address_matches(&w->f, view(stmt, 1));
		if (yes) {
			sqlite3_reset(stmt);
			return 1;
		}
	}
	return rc;
}

static int matches(struct find *w, sqlite3_stmt *stmt, struct err *err)
{
	const struct store_msglog_filter *f = &w->f;
	int64_t at_ms = db_column_int(stmt, COL_AT), id = db_column_int(stmt, COL_ID);
	int rc = 1;

	if ((f->results != 0 && (db_column_int(stmt, COL_RESULTS) & f->results) == 0) ||
		(f->since_ms != 0 && at_ms < f->since_ms) ||
		(f->until_ms != 0 && at_ms >= f->until_ms) ||
		(f->session.len > 0 && !str_eq_nocase(view(stmt, COL_SESSION), f->session)) ||
		(f->message_id.len > 0 &&
			!str_eq_nocase(view(stmt, COL_MESSAGE_ID), f->message_id)))
		return 0;
	if (f->address.len > 0 || f->domain.len > 0) {
		rc = 0;
		for (int at = COL_MAIL_FROM; rc == 0 && at <= COL_FROM_ADDRESS; at++) {
			if (at != COL_IP && at != COL_MESSAGE_ID)
				rc = address_matches(f, view(stmt, at));
		}
		if (rc == 0 && db_column_int(stmt, COL_RCPTS) > 1)
			rc = below_matches(w, sql_rcpts_of, id, err);
	}
	if (rc == 1 && f->ip.len > 0 && !str_eq_nocase(view(stmt, COL_IP), f->ip))
		rc = below_matches(w, sql_ips_of, id, err);
	return rc;
}

/* Looks at the row under the cursor. 1: go on, 0: enough for now, -1. */
static int row_look(struct find *w, sqlite3_stmt *stmt, struct err *err)
{
	struct store_msglog_page *out = w->out;

	if (out->count == w->f.limit || w->looked++ == SCAN_MAX) {
		out->more = true;
		return 0;
	}
	out->next_before = db_column_int(stmt, COL_ID);
	int rc = matches(w, stmt, err);
	if (rc == 1)
		row_read(stmt, w->a, &out->rows[out->count++]);
	return rc < 0 ? -1 : 1;
}

/* --- ways through the log, newest first; each 1: done, 0: enough for now, -1 --- */

static const char sql_all[] =
	"SELECT " ROW_COLUMNS " FROM msglog WHERE id >= ?1 AND id < ?2 ORDER BY id DESC";
static const char sql_rejected[] =
	"SELECT " ROW_COLUMNS
	" FROM msglog WHERE results & 2 AND id >= ?1 AND id < ?2 ORDER BY id DESC";
static const char sql_tempfailed[] =
	"SELECT " ROW_COLUMNS
	" FROM msglog WHERE results & 4 AND id >= ?1 AND id < ?2 ORDER BY id DESC";
static const char sql_deferred[] =
	"SELECT " ROW_COLUMNS
	" FROM msglog WHERE results & 16 AND id >= ?1 AND id < ?2 ORDER BY id DESC";
static const char sql_bounced[] =
	"SELECT " ROW_COLUMNS
	" FROM msglog WHERE results & 32 AND id >= ?1 AND id < ?2 ORDER BY id DESC";
static const char sql_quarantined[] =
	"SELECT " ROW_COLUMNS
	" FROM msglog WHERE results & 64 AND id >= ?1 AND id < ?2 ORDER BY id DESC";
static const char sql_dropped[] =
	"SELECT " ROW_COLUMNS
	" FROM msglog WHERE results & 128 AND id >= ?1 AND id < ?2 ORDER BY id DESC";

static const char *sql_by_result(unsigned results)
{
	switch (results) {
	case STORE_LOG_REJECTED:
		return sql_rejected;
	case STORE_LOG_TEMPFAILED:
		return sql_tempfailed;
	case STORE_LOG_DEFERRED:
		return sql_deferred;
	case STORE_LOG_BOUNCED:
		return sql_bounced;
	case STORE_LOG_QUARANTINED:
		return sql_quarantined;
	case STORE_LOG_DROPPED:
		return sql_dropped;
	default: /* frequent ones, or several */
		return sql_all;
	}
}

static int walk_rows(struct find *w, const char *sql, int64_t low, int64_t high, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql, err);
	int rc, go_on = 1;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, low);
	db_bind_int(stmt, 2, high);
	while ((rc = db_step(w->db, stmt, err)) == 1 && go_on == 1)
		go_on = row_look(w, stmt, err);
	sqlite3_reset(stmt);
	return rc < 0 ? -1 : go_on;
}

static const char sql_run[] = "SELECT t.low FROM msglog_token t WHERE t.run = ?1 AND t.hash = ?2"
			      " ORDER BY t.low DESC";
static const char sql_one[] = "SELECT " ROW_COLUMNS " FROM msglog WHERE id = ?1";

static int one_look(struct find *w, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql_one, err);
	int go_on = 1;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	int rc = db_step(w->db, stmt, err);
	if (rc == 1) {
		go_on = row_look(w, stmt, err);
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : go_on;
}

static int walk_runs(struct find *w, int64_t hash, int64_t high, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql_run, err);
	int go_on = 1;

	if (stmt == NULL)
		return -1;
	if (high <= w->low)
		return 1;
	for (int64_t run = (high - 1) >> RUN_SHIFT; run >= w->low >> RUN_SHIFT && go_on == 1;
		run--) {
		int rc;
		sqlite3_reset(stmt);
		db_bind_int(stmt, 1, run);
		db_bind_int(stmt, 2, hash);
		while (go_on == 1 && (rc = db_step(w->db, stmt, err)) != 0) {
			int64_t id = rc == 1 ? run << RUN_SHIFT | db_column_int(stmt, 0) : 0;
			if (rc < 0)
				go_on = -1;
			else if (id >= w->low && id < high)
				go_on = one_look(w, id, err);
		}
	}
	sqlite3_reset(stmt);
	return go_on;
}

/* The token that selects most, or 0 when none was asked for. */
static int64_t token_of(const struct store_msglog_filter *f)
{
	if (f->message_id.len > 0)
		return msglog_token(TOKEN_MESSAGE_ID, f->message_id);
	if (f->session.len > 0)
		return msglog_token(TOKEN_SESSION, f->session);
	if (f->address.len > 0)
		return msglog_token(TOKEN_ADDRESS, f->address);
	if (f->ip.len > 0)
		return msglog_token(TOKEN_IP, f->ip);
	if (f->domain.len > 0)
		return msglog_token(TOKEN_DOMAIN, f->domain);
	return 0;
}

/* --- time --- */

static const char sql_ends[] = "SELECT (SELECT min(id) FROM msglog), (SELECT max(id) FROM msglog)";

/* The first id in [low, high) whose time is at least at_ms, or high: ids rise with time. */
static int64_t id_of_time(struct db *db, int64_t low, int64_t high, int64_t at_ms, struct err *err)
{
	while (low < high) {
		int64_t mid = low + (high - low) / 2, id, mid_ms;
		if (msglog_first_from(db, mid, &id, &mid_ms, err) < 0)
			return -1;
		if (id == 0 || id >= high || mid_ms >= at_ms)
			high = mid;
		else
			low = id + 1;
	}
	return low;
}

static int range_set(struct find *w, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql_ends, err);

	if (stmt == NULL || db_step(w->db, stmt, err) < 0)
		return -1;
	w->low = db_column_int(stmt, 0);
	w->high = db_column_int(stmt, 1) + 1;
	sqlite3_reset(stmt);
	int64_t low = w->low, high = w->high;
	if (w->f.since_ms != 0)
		w->low = id_of_time(w->db, low, high, w->f.since_ms - TIME_SLACK_MS, err);
	if (w->f.until_ms != 0)
		w->high = id_of_time(w->db, low, high, w->f.until_ms + TIME_SLACK_MS, err);
	if (w->low < 0 || w->high < 0)
		return -1;
	if (w->f.before_id != 0 && w->f.before_id < w->high)
		w->high = w->f.before_id;
	return 0;
}

/* --- the list --- */

static int find_run(struct find *w, struct err *err)
{
	int64_t hash = token_of(&w->f), sealed;

	if (range_set(w, err) < 0 || msglog_sealed(w->db, &sealed, err) < 0)
		return -1;
	if (hash == 0)
		return walk_rows(w, sql_by_result(w->f.results), w->low, w->high, err);
	int64_t edge = sealed << RUN_SHIFT;
	int go_on = 1;
	if (w->high > edge)
		go_on = walk_rows(w, sql_all, edge > w->low ? edge : w->low, w->high, err);
	if (go_on == 1)
		go_on = walk_runs(w, hash, w->high < edge ? w->high : edge, err);
	return go_on;
}

static void find_begin(struct find *w, const struct store_msglog_filter *f)
{
	w->f = *f;
	w->f.limit = f->limit < 1 ? 1 : f->limit > 1000 ? 1000 : f->limit;
	if (str_starts(w->f.message_id, STR("<")) && str_ends(w->f.message_id, STR(">"))) {
		w->f.message_id = str_skip(w->f.message_id, 1);
		w->f.message_id.len--;
	}
	if (w->f.message_id.len > STORE_LOG_ID_MAX)
		w->f.message_id.len = STORE_LOG_ID_MAX;
	*w->out = (struct store_msglog_page){.next_before = f->before_id};
	w->out->rows = arena_alloc(w->a, w->f.limit * sizeof(*w->out->rows));
}

int store_msglog_list(struct store *s, const struct store_msglog_filter *f, struct arena *a,
	struct store_msglog_page *out, struct err *err)
{
	struct find w = {.s = s, .a = a, .out = out, .db = reader_take(s, err)};
	struct err ignored;

	find_begin(&w, f);
	if (w.db == NULL)
		return -1;
	int rc = db_exec(w.db, "BEGIN", err); /* one snapshot */
	if (rc == 0)
		rc = find_run(&w, err);
	(void)!db_exec(w.db, "COMMIT", &ignored);
	reader_give(s, w.db);
	return rc < 0 ? -1 : 0;
}

int store_msglog_rows(struct store *s, const struct store_msglog_filter *f, const int64_t *ids,
	size_t id_count, struct arena *a, struct store_msglog_page *out, struct err *err)
{
	struct find w = {.s = s, .a = a, .out = out, .db = reader_take(s, err)};
	int rc = 1;

	find_begin(&w, f);
	if (w.db == NULL)
		return -1;
	for (size_t i = 0; i < id_count && rc == 1; i++)
		rc = one_look(&w, ids[i], err);
	reader_give(s, w.db);
	return rc < 0 ? -1 : 0;
}

/* --- one message --- */

static const char sql_rcpts_shown[] = "SELECT id, address, original FROM msglog_rcpt WHERE id >= ? "
				      "AND id < ? ORDER BY id LIMIT ?";
static const char sql_events[] =
	"SELECT rcpt_id, at_ms, duration_ms, next_ms, kind, code, ecode, text, mx, ip, tls,"
	" transport, trace FROM msglog_event WHERE rcpt_id >= ? AND rcpt_id < ?"
	" ORDER BY at_ms DESC, rcpt_id DESC, seq DESC LIMIT ?";
static const char sql_trace[] = "SELECT json FROM msglog_trace WHERE id = ?";

static int trace_read(
	struct db *db, int64_t id, struct arena *a, struct str *trace, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_trace, err);

	*trace = STR("");
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*trace = db_column(stmt, 0, a);
		sqlite3_reset(stmt);
	}
	return rc < 0 ? -1 : 0;
}

static int life_rcpts(
	struct db *db, struct arena *a, struct store_msglog_life *out, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_rcpts_shown, err);
	int64_t first = rcpt_first(out->row.id);
	int rc;

	out->rcpts = arena_alloc(a, STORE_LOG_LIFE_RCPTS * sizeof(*out->rcpts));
	if (out->row.rcpt_count > 0)
		out->rcpts[out->rcpt_count++] =
			(struct store_msglog_rcpt){first, out->row.rcpt, out->row.original};
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, first + 1);
	db_bind_int(stmt, 2, rcpt_first(out->row.id + 1));
	db_bind_int(stmt, 3, STORE_LOG_LIFE_RCPTS - 1);
	while ((rc = db_step(db, stmt, err)) == 1)
		out->rcpts[out->rcpt_count++] =
			(struct store_msglog_rcpt){.id = db_column_int(stmt, 0),
				.address = db_column(stmt, 1, a),
				.original = db_column(stmt, 2, a)};
	return rc;
}

static int events_read(
	struct db *db, struct arena *a, struct store_msglog_life *out, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_events, err);
	struct store_msglog_event *events =
		arena_alloc(a, (STORE_LOG_LIFE_EVENTS + 1) * sizeof(*events));
	int rc;
	size_t n = 0;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, rcpt_first(out->row.id));
	db_bind_int(stmt, 2, rcpt_first(out->row.id + 1));
	db_bind_int(stmt, 3, STORE_LOG_LIFE_EVENTS + 1);
	while ((rc = db_step(db, stmt, err)) == 1)
		events[n++] = (struct store_msglog_event){.rcpt_id = db_column_int(stmt, 0),
			.at_ms = db_column_int(stmt, 1),
			.duration_ms = db_column_int(stmt, 2),
			.next_ms = db_column_int(stmt, 3),
			.kind = (enum store_log_kind)db_column_int(stmt, 4),
			.code = (int)db_column_int(stmt, 5),
			.ecode = db_column(stmt, 6, a),
			.text = db_column(stmt, 7, a),
			.mx = db_column(stmt, 8, a),
			.ip = db_column(stmt, 9, a),
			.tls = db_column(stmt, 10, a),
			.transport = db_column(stmt, 11, a),
			.trace_id = db_column_int(stmt, 12)};
	out->events_left_out = n > STORE_LOG_LIFE_EVENTS;
	out->event_count = n - out->events_left_out;
	out->events = events;
	for (size_t i = 0; i < out->event_count / 2; i++) { /* oldest first */
		struct store_msglog_event e = events[i];
		events[i] = events[out->event_count - 1 - i];
		events[out->event_count - 1 - i] = e;
	}
	return rc;
}

static int life_traces(
	struct db *db, struct arena *a, struct store_msglog_life *out, struct err *err)
{
	enum { TRACES_MAX = 40 }; /* of some 50 kB at most */
	size_t n = 0;

	if (trace_read(db, rcpt_first(out->row.id), a, &out->trace, err) < 0)
		return -1;
	for (size_t i = 0; i < out->event_count; i++) {
		struct store_msglog_event *e = &out->events[i];
		size_t before = 0;
		e->trace = STR("");
		while (before < i && out->events[before].trace_id != e->trace_id)
			before++;
		if (e->trace_id == 0 || before < i || n == TRACES_MAX)
			continue;
		n++;
		if (trace_read(db, e->trace_id, a, &e->trace, err) < 0)
			return -1;
	}
	return 0;
}

int store_msglog_get(struct store *s, int64_t id, struct arena *a, struct store_msglog_life *out,
	struct err *err)
{
	struct db *db = reader_take(s, err);
	struct err ignored;

	*out = (struct store_msglog_life){.trace = STR("")};
	if (db == NULL)
		return -1;
	int rc = db_exec(db, "BEGIN", err); /* one snapshot */
	sqlite3_stmt *stmt = rc == 0 ? db_prepare(db, sql_one, err) : NULL;
	rc = -1;
	if (stmt != NULL) {
		db_bind_int(stmt, 1, id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, a, &out->row);
			sqlite3_reset(stmt);
		}
	}
	if (rc == 1 && (life_rcpts(db, a, out, err) < 0 || events_read(db, a, out, err) < 0 ||
			       life_traces(db, a, out, err) < 0))
		rc = -1;
	(void)!db_exec(db, "COMMIT", &ignored);
	reader_give(s, db);
	return rc;
}
