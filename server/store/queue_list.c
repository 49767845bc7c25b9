/* Finding rows of the queue. Three ways, each bounded: what an index names (a destination, an
 * address, a session, a message) is read whole while it is not much, filtered and sorted here;
 * all else is read in order by the index of that order, filtered row by row, for a limited
 * time. */
#include "store/dircache.h"
#include "store/queue_priv.h"

#include <stdlib.h>

enum {
	SMALL_MAX = 2000, /* rows that are read whole and sorted here */
	PAGE_BUDGET_MS = 8,
	COUNT_BUDGET_MS = 1500,
	CLOCK_EVERY = 32, /* rows between two looks at the clock */
	BOUND_STEPS = 64  /* of halving */
};

#define ROW_COLUMNS                                                                                \
	"r.id, r.state, r.next_ms, r.last_ms, r.attempts, r.dest, r.address, r.last_error,"        \
	" r.sender, r.via, r.transport_id"

/* --- in order: [sort][descending]. ?1 key and ?2 id: after this row, in two steps, so that
 * many rows with the same key are no trouble: those of the same key, those beyond it. ?3 and ?4:
 * ids; "+" keeps them from choosing the index. --- */

#define RANGE " AND +r.id >= ?3 AND +r.id < ?4"
#define BY_ID "SELECT " ROW_COLUMNS ", 0 FROM recipient r WHERE r.id >= ?3 AND r.id < ?4"
#define BY_NEXT                                                                                    \
	"SELECT " ROW_COLUMNS ", r.next_ms FROM recipient r INDEXED BY recipient_next"             \
	" WHERE r.state <= 1" RANGE " AND r.next_ms "
#define BY_TRIES                                                                                   \
	"SELECT " ROW_COLUMNS ", r.attempts FROM recipient r INDEXED BY recipient_tries"           \
	" WHERE r.state <= 1" RANGE " AND r.attempts "
#define BY_SIZE                                                                                    \
	"SELECT " ROW_COLUMNS ", m.size FROM message m INDEXED BY message_size"                    \
	" CROSS JOIN recipient r ON r.id >= m.id << 20 AND r.id < (m.id + 1) << 20"                \
	" WHERE +r.state <= 1" RANGE " AND m.size "

static const char sql_by_id[] = BY_ID " ORDER BY r.id"; /* the cursor is in the ids */
static const char sql_by_id_desc[] = BY_ID " ORDER BY r.id DESC";
static const char sql_next_same[] = BY_NEXT "= ?1 AND r.id > ?2 ORDER BY r.id";
static const char sql_next_same_desc[] = BY_NEXT "= ?1 AND r.id < ?2 ORDER BY r.id DESC";
static const char sql_next_beyond[] = BY_NEXT "> ?1 ORDER BY r.next_ms, r.id";
static const char sql_next_beyond_desc[] = BY_NEXT "< ?1 ORDER BY r.next_ms DESC, r.id DESC";
static const char sql_tries_same[] = BY_TRIES "= ?1 AND r.id > ?2 ORDER BY r.id";
static const char sql_tries_same_desc[] = BY_TRIES "= ?1 AND r.id < ?2 ORDER BY r.id DESC";
static const char sql_tries_beyond[] = BY_TRIES "> ?1 ORDER BY r.attempts, r.id";
static const char sql_tries_beyond_desc[] = BY_TRIES "< ?1 ORDER BY r.attempts DESC, r.id DESC";
static const char sql_size_same[] =
	BY_SIZE "= ?1 AND m.id >= ?2 >> 20 AND +r.id > ?2 ORDER BY m.id, r.id";
static const char sql_size_same_desc[] =
	BY_SIZE "= ?1 AND m.id <= ?2 >> 20 AND +r.id < ?2 ORDER BY m.id DESC, r.id DESC";
static const char sql_size_beyond[] = BY_SIZE "> ?1 ORDER BY m.size, m.id, r.id";
static const char sql_size_beyond_desc[] =
	BY_SIZE "< ?1 ORDER BY m.size DESC, m.id DESC, r.id DESC";

static const char *const sql_order[][2][2] = {
	[STORE_SORT_RECEIVED] = {{sql_by_id, NULL}, {sql_by_id_desc, NULL}},
	[STORE_SORT_NEXT] = {{sql_next_same, sql_next_beyond},
		{sql_next_same_desc, sql_next_beyond_desc}},
	[STORE_SORT_ATTEMPTS] = {{sql_tries_same, sql_tries_beyond},
		{sql_tries_same_desc, sql_tries_beyond_desc}},
	[STORE_SORT_SIZE] = {{sql_size_same, sql_size_beyond},
		{sql_size_same_desc, sql_size_beyond_desc}},
};

/* --- sets that an index names; ?1 text, ?2 number, ?3 at most so many --- */

static const char sql_of_dest[] =
	"SELECT id FROM recipient WHERE dest = ?1 AND state = 0 AND ?2 != 1 UNION ALL"
	" SELECT id FROM recipient WHERE dest = ?1 AND state = 1 AND ?2 != 0 LIMIT ?3";
static const char sql_of_queued[] = "SELECT id FROM recipient WHERE state = 0 LIMIT ?3";
static const char sql_of_held[] = "SELECT id FROM recipient WHERE state = 1 LIMIT ?3";
static const char sql_of_address[] =
	"SELECT id FROM recipient WHERE address = ?1 COLLATE NOCASE AND state <= 1 UNION"
	" SELECT id FROM recipient WHERE sender = ?1 COLLATE NOCASE AND state <= 1 LIMIT ?3";
static const char sql_of_sender[] =
	"SELECT id FROM recipient WHERE sender = ?1 COLLATE NOCASE AND state <= 1 LIMIT ?3";
static const char sql_of_session[] =
	"SELECT r.id FROM message m CROSS JOIN recipient r ON r.id >= m.id << 20 AND"
	" r.id < (m.id + 1) << 20 WHERE m.session = ?1 LIMIT ?3";
static const char sql_of_message[] =
	"SELECT id FROM recipient WHERE id >= ?2 << 20 AND id < (?2 + 1) << 20 LIMIT ?3";

static const char sql_one[] = "SELECT " ROW_COLUMNS ", 0 FROM recipient r WHERE r.id = ?";
static const char sql_envelope[] =
	"SELECT received_ms, size, session, account FROM message WHERE id = ?";
static const char sql_size[] = "SELECT size FROM message WHERE id = ?";
static const char sql_received[] =
	"SELECT id, received_ms FROM message WHERE id >= ? ORDER BY id LIMIT 1";
static const char sql_last[] = "SELECT max(id) FROM message";

struct finding { /* one call */
	struct store *s;
	struct db *db;
	const struct store_queue_filter *f;
	struct arena *a;
	struct store_queue_page *out;
	size_t limit;
	int64_t id_from, id_until; /* recipient ids that the times allow */
	int64_t stop_ms;           /* monotonic */
	bool counts;               /* only how many */
};

/* --- rows --- */

static struct str view(sqlite3_stmt *stmt, int at)
{
	const char *p = sqlite3_column_blob(stmt, at);

	return (struct str){p, p ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static bool contains_nocase(struct str s, struct str part)
{
	if (part.len == 0)
		return true;
	char low = ascii_lower(part.p[0]);
	for (; s.len >= part.len; s = str_skip(s, 1)) {
		if (ascii_lower(s.p[0]) == low && str_starts_nocase(s, part))
			return true;
	}
	return false;
}

static int envelope_step(struct db *db, int64_t rcpt_id, sqlite3_stmt **stmt, struct err *err)
{
	*stmt = db_prepare(db, sql_envelope, err);
	if (*stmt == NULL)
		return -1;
	db_bind_int(*stmt, 1, rcpt_id >> MSG_SHIFT);
	return db_step(db, *stmt, err);
}

static int account_matches(struct finding *w, int64_t rcpt_id, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc = envelope_step(w->db, rcpt_id, &stmt, err);

	if (rc == 1) {
		rc = str_eq_nocase(view(stmt, 3), w->f->account);
		sqlite3_reset(stmt);
	}
	return rc;
}

static bool way_matches(sqlite3_stmt *stmt, const struct finding *w)
{
	int64_t chosen = db_column_int(stmt, 10);

	if (chosen == STORE_WAY_DIRECT)
		return str_eq(w->f->via, STR("direct"));
	if (chosen != STORE_WAY_ROUTES)
		return dir_transport_is(w->s, chosen, w->f->via);
	return str_eq(view(stmt, 9), w->f->via);
}

/* 1, 0 or -1; with_text: the text is not matched by the set already. */
static int matches(struct finding *w, sqlite3_stmt *stmt, bool with_text, struct err *err)
{
	const struct store_queue_filter *f = w->f;
	int64_t state = db_column_int(stmt, 1), id = db_column_int(stmt, 0);
	unsigned attempts = (unsigned)db_column_int(stmt, 4);

	if (f->state >= 0 ? state != f->state : state > STORE_RCPT_HELD)
		return 0;
	if (id < w->id_from || id >= w->id_until || attempts < f->attempts_min ||
		(f->attempts_max > 0 && attempts > f->attempts_max))
		return 0;
	if (f->dest.len > 0 && !dir_domain_matches(f->dest, view(stmt, 5)))
		return 0;
	if ((f->sender.len > 0 || f->sender_domain.len > 0) &&
		!hold_sender_matches(f->sender, f->sender_domain, view(stmt, 8)))
		return 0;
	if (with_text && f->text.len > 0 && !contains_nocase(view(stmt, 6), f->text) &&
		!contains_nocase(view(stmt, 8), f->text))
		return 0;
	if (f->error.len > 0 && !contains_nocase(view(stmt, 7), f->error))
		return 0;
	if (f->via.len > 0 && !way_matches(stmt, w))
		return 0;
	return f->account.len > 0 ? account_matches(w, id, err) : 1;
}

int queue_row_read(struct store *s, struct db *db, sqlite3_stmt *stmt, struct arena *a,
	struct store_queue_row *row, struct err *err)
{
	sqlite3_stmt *of;

	*row = (struct store_queue_row){.rcpt_id = db_column_int(stmt, 0),
		.msg_id = db_column_int(stmt, 0) >> MSG_SHIFT,
		.state = (enum store_rcpt_state)db_column_int(stmt, 1),
		.last_attempt_ms = db_column_int(stmt, 3),
		.attempts = (unsigned)db_column_int(stmt, 4),
		.dest = db_column(stmt, 5, a),
		.address = db_column(stmt, 6, a),
		.last_error = db_column(stmt, 7, a),
		.mail_from = db_column(stmt, 8, a),
		.via = db_column(stmt, 9, a),
		.transport_id = db_column_int(stmt, 10)};
	row->next_attempt_ms = row->state == STORE_RCPT_QUEUED ? db_column_int(stmt, 2) : 0;
	row->in_flight = due_in_flight(s->due, row->rcpt_id);
	int rc = envelope_step(db, row->rcpt_id, &of, err);
	if (rc <= 0)
		return rc;
	row->received_ms = db_column_int(of, 0);
	row->size = db_column_int(of, 1);
	row->session = db_column(of, 2, a);
	sqlite3_reset(of);
	return 1;
}

static bool time_is_over(const struct finding *w)
{
	return w->out->looked % CLOCK_EVERY == 0 && clock_mono_ms() >= w->stop_ms;
}

/* --- what an index names --- */

struct keyed {
	int64_t key, id;
};

static int ascending(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int key_get(struct finding *w, sqlite3_stmt *stmt, struct keyed *k, struct err *err)
{
	k->id = db_column_int(stmt, 0);
	switch (w->f->sort) {
	case STORE_SORT_RECEIVED:
		k->key = 0;
		return 0;
	case STORE_SORT_NEXT:
		k->key = db_column_int(stmt, 2);
		return 0;
	case STORE_SORT_ATTEMPTS:
		k->key = db_column_int(stmt, 4);
		return 0;
	case STORE_SORT_SIZE:
		break;
	}
	sqlite3_stmt *size = db_prepare(w->db, sql_size, err);
	if (size == NULL)
		return -1;
	db_bind_int(size, 1, k->id >> MSG_SHIFT);
	int rc = db_step(w->db, size, err);
	if (rc == 1) {
		k->key = db_column_int(size, 0);
		sqlite3_reset(size);
	}
	return rc < 0 ? -1 : 0;
}

static sqlite3_stmt *one_step(struct finding *w, int64_t id, int *rc, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql_one, err);

	*rc = -1;
	if (stmt == NULL)
		return NULL;
	db_bind_int(stmt, 1, id);
	*rc = db_step(w->db, stmt, err);
	return stmt;
}

/* Those of the set that match, sorted, from the cursor on. */
static int set_page(
	struct finding *w, const int64_t *ids, size_t n, bool with_text, struct err *err)
{
	const struct store_queue_filter *f = w->f;
	struct store_queue_page *out = w->out;
	struct keyed *keys = arena_alloc(w->a, (n + 1) * sizeof(*keys));
	struct keyed after = {f->sort == STORE_SORT_RECEIVED ? 0 : f->after_key, f->after_rcpt_id};
	size_t found = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *stmt = one_step(w, ids[i], &rc, err);
		if (rc == 1) {
			rc = matches(w, stmt, with_text, err);
			if (rc == 1)
				rc = key_get(w, stmt, &keys[found++], err);
			sqlite3_reset(stmt);
		}
		if (rc < 0)
			return -1;
	}
	out->looked = (int64_t)n;
	if (w->counts) {
		out->count = found;
		return 0;
	}
	qsort(keys, found, sizeof(*keys), ascending);
	for (size_t i = 0; i < found; i++) {
		const struct keyed *k = &keys[f->descending ? found - 1 - i : i];
		int order = ascending(k, &after);
		if (after.id != 0 && (f->descending ? order >= 0 : order <= 0))
			continue;
		if (out->count == w->limit) {
			out->more = true;
			break;
		}
		sqlite3_stmt *stmt = one_step(w, k->id, &rc, err);
		if (rc == 1) {
			rc = queue_row_read(w->s, w->db, stmt, w->a, &out->rows[out->count], err);
			sqlite3_reset(stmt);
			out->count += rc == 1;
		}
		if (rc < 0)
			return -1;
		out->next_rcpt_id = k->id;
		out->next_key = k->key;
	}
	return 0;
}

/* The ids of a set: 1, 0 when it is too large to be read whole, -1. */
static int set_read(struct finding *w, const char *sql, struct str text, int64_t number,
	int64_t *ids, size_t *n, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(w->db, sql, err);
	int rc;

	*n = 0;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, text);
	db_bind_int(stmt, 2, number);
	db_bind_int(stmt, 3, SMALL_MAX + 1);
	while ((rc = db_step(w->db, stmt, err)) == 1)
		ids[(*n)++] = db_column_int(stmt, 0);
	return rc < 0 ? -1 : *n <= SMALL_MAX;
}

static bool is_address(struct str s)
{
	const char *at = s.len ? memchr(s.p, '@', s.len) : NULL;

	return at != NULL && at > s.p && at + 1 < s.p + s.len;
}

/* Tries the sets that the filter names, smallest hope first. 1: the page is made; 0: no set
 * fits; -1. */
static int set_find(struct finding *w, struct err *err)
{
	const struct store_queue_filter *f = w->f;
	int64_t *ids = arena_alloc(w->a, (SMALL_MAX + 1) * sizeof(*ids)), id = 0, queued, held;
	size_t n = 0;
	int rc;

	if (f->text.len > 0 && store_id_parse(f->text, &id)) {
		rc = set_read(w, sql_of_message, f->text, id, ids, &n, err);
		if (rc != 0 && n > 0)
			return rc < 0 || set_page(w, ids, n, false, err) < 0 ? -1 : 1;
	}
	if (f->text.len >= 6) {
		rc = set_read(w, sql_of_session, f->text, 0, ids, &n, err);
		if (rc != 0 && n > 0)
			return rc < 0 || set_page(w, ids, n, false, err) < 0 ? -1 : 1;
	}
	if (f->state > STORE_RCPT_HELD)
		return 0;
	rc = 0;
	due_sums(w->s->due, &queued, &held);
	/* The due map knows who waits; a store that only reads has none. */
	bool known = !w->s->readonly;
	if (is_address(f->text)) {
		rc = set_read(w, sql_of_address, f->text, 0, ids, &n, err);
		if (rc == 1 && n > 0)
			return set_page(w, ids, n, false, err) < 0 ? -1 : 1;
		rc = rc < 0 ? -1 : 0; /* it may be part of a longer one */
	}
	if (rc == 0 && is_address(f->sender))
		rc = set_read(w, sql_of_sender, f->sender, 0, ids, &n, err);
	if (rc == 0 && f->dest.len > 0 && f->dest.p[0] != '.' && known &&
		due_dest_count(w->s->due, f->dest) <= SMALL_MAX)
		rc = set_read(w, sql_of_dest, f->dest, f->state, ids, &n, err);
	if (rc == 0 && known && f->state == STORE_RCPT_HELD && held <= SMALL_MAX)
		rc = set_read(w, sql_of_held, STR(""), 0, ids, &n, err);
	if (rc == 0 && known && f->state == STORE_RCPT_QUEUED && queued <= SMALL_MAX)
		rc = set_read(w, sql_of_queued, STR(""), 0, ids, &n, err);
	if (rc == 1)
		return set_page(w, ids, n, true, err) < 0 ? -1 : 1;
	return rc;
}

/* --- in order --- */

/* Rows of one statement after (key, id): 1 when the page is full or the time over, 0, -1. */
static int order_step(struct finding *w, const char *sql, int64_t key, int64_t id, struct err *err)
{
	struct store_queue_page *out = w->out;
	sqlite3_stmt *stmt = db_prepare(w->db, sql, err);
	int rc;

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, key);
	db_bind_int(stmt, 2, id);
	db_bind_int(stmt, 3, w->id_from);
	db_bind_int(stmt, 4, w->id_until);
	while ((rc = db_step(w->db, stmt, err)) == 1) {
		bool full = !w->counts && out->count == w->limit;
		out->looked++;
		if (full || time_is_over(w)) {
			out->more = true;
			out->partial = !full;
			break;
		}
		out->next_rcpt_id = db_column_int(stmt, 0);
		out->next_key = db_column_int(stmt, 11);
		rc = matches(w, stmt, true, err);
		if (rc == 1 && !w->counts)
			rc = queue_row_read(w->s, w->db, stmt, w->a, &out->rows[out->count], err);
		if (rc < 0)
			break;
		out->count += rc == 1;
	}
	sqlite3_reset(stmt);
	return rc;
}

static int order_find(struct finding *w, struct err *err)
{
	const struct store_queue_filter *f = w->f;
	bool by_id = f->sort == STORE_SORT_RECEIVED || f->state > STORE_RCPT_HELD || w->counts;
	bool down = f->descending && !w->counts, first = f->after_rcpt_id == 0 || w->counts;
	const char *const *sql = sql_order[by_id ? STORE_SORT_RECEIVED : f->sort][down];
	int64_t key = by_id ? 0 : f->after_key, id = f->after_rcpt_id;

	if (first) {
		key = down ? INT64_MAX : INT64_MIN;
		id = down ? INT64_MAX : 0;
	}
	if (by_id && !down && id >= w->id_from)
		w->id_from = id + 1;
	if (by_id && down && id < w->id_until)
		w->id_until = id;
	int rc = order_step(w, sql[0], key, id, err);
	if (rc == 0 && sql[1] != NULL)
		rc = order_step(w, sql[1], key, id, err);
	return rc < 0 ? -1 : 0;
}

/* --- times are ranges of ids: both only grow --- */

/* The first message received at ms or later: its id, or one that is above all. */
static int bound_find(struct db *db, int64_t ms, int64_t *id, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_last, err);
	int64_t low = 0, high;

	if (stmt == NULL || db_step(db, stmt, err) < 0)
		return -1;
	high = db_column_int(stmt, 0) + 1;
	sqlite3_reset(stmt);
	for (int i = 0; low < high && i < BOUND_STEPS; i++) {
		int64_t middle = low + (high - low) / 2;
		stmt = db_prepare(db, sql_received, err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, middle);
		int rc = db_step(db, stmt, err);
		if (rc < 0)
			return -1;
		/* Between middle and the row found there is nothing. */
		if (rc == 0 || db_column_int(stmt, 1) >= ms)
			high = middle;
		else
			low = db_column_int(stmt, 0) + 1;
		sqlite3_reset(stmt);
	}
	*id = low;
	return 0;
}

static int bounds_set(struct finding *w, struct err *err)
{
	int64_t id;

	w->id_from = 0;
	w->id_until = INT64_MAX;
	if (w->f->received_from_ms > 0) {
		if (bound_find(w->db, w->f->received_from_ms, &id, err) < 0)
			return -1;
		w->id_from = rcpt_first(id);
	}
	if (w->f->received_until_ms > 0) {
		if (bound_find(w->db, w->f->received_until_ms, &id, err) < 0)
			return -1;
		w->id_until = rcpt_first(id);
	}
	return 0;
}

static int find(struct finding *w, struct err *err)
{
	struct err ignored;

	w->db = reader_take(w->s, err);
	if (w->db == NULL)
		return -1;
	int rc = db_exec(w->db, "BEGIN", err); /* one snapshot */
	if (rc == 0)
		rc = bounds_set(w, err);
	if (rc == 0) {
		rc = set_find(w, err);
		if (rc == 0)
			rc = order_find(w, err);
	}
	(void)!db_exec(w->db, "COMMIT", &ignored);
	reader_give(w->s, w->db);
	return rc < 0 ? -1 : 0;
}

int store_queue_find(struct store *s, const struct store_queue_filter *f, struct arena *a,
	struct store_queue_page *out, struct err *err)
{
	struct finding w = {.s = s, .f = f, .a = a, .out = out};

	w.limit = f->limit < 1 ? 1 : f->limit > 1000 ? 1000 : f->limit;
	w.stop_ms = clock_mono_ms() + (f->budget_ms > 0 ? f->budget_ms : PAGE_BUDGET_MS);
	*out = (struct store_queue_page){.rows = arena_alloc(a, w.limit * sizeof(*out->rows)),
		.next_rcpt_id = f->after_rcpt_id,
		.next_key = f->after_key};
	return find(&w, err);
}

int store_queue_list(struct store *s, const struct store_queue_filter *f, struct arena *a,
	struct store_queue_row **rows, size_t *count, bool *more, int64_t *next_after,
	struct err *err)
{
	struct store_queue_filter by_age = *f;
	struct store_queue_page page;

	by_age.sort = STORE_SORT_RECEIVED;
	by_age.descending = false;
	int rc = store_queue_find(s, &by_age, a, &page, err);
	*rows = page.rows;
	*count = page.count;
	*more = page.more;
	*next_after = page.next_rcpt_id;
	return rc;
}

/* Only state and destination, of which the due map keeps count. */
static bool is_counted(const struct store_queue_filter *f)
{
	return f->text.len + f->sender.len + f->sender_domain.len + f->account.len + f->error.len +
			       f->via.len + f->dest.len ==
		       0 &&
	       f->received_from_ms == 0 && f->received_until_ms == 0 && f->attempts_min == 0 &&
	       f->attempts_max == 0 && f->state <= STORE_RCPT_HELD;
}

int store_queue_count(struct store *s, const struct store_queue_filter *f, int64_t *count,
	bool *exact, struct err *err)
{
	struct store_queue_page page = {.count = 0};
	struct finding w = {.s = s, .f = f, .a = arena_open(), .out = &page, .counts = true};
	int64_t queued, held;
	int rc = 0;

	*exact = true;
	if (is_counted(f) && !s->readonly) {
		due_sums(s->due, &queued, &held);
		*count = (f->state == STORE_RCPT_HELD ? 0 : queued) +
			 (f->state == STORE_RCPT_QUEUED ? 0 : held);
	} else {
		w.stop_ms = clock_mono_ms() + (f->budget_ms > 0 ? f->budget_ms : COUNT_BUDGET_MS);
		rc = find(&w, err);
		*count = (int64_t)page.count;
		*exact = !page.more;
	}
	arena_close(&w.a);
	return rc;
}
