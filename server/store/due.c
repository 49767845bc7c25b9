/* The due map: every destination with queued or held recipients, in memory, with the time
 * it is next due; and the recipients that delivery threads have claimed. What is on disk is
 * the truth; this is its index, changed only after commits. */
#include "store/db.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

enum { NOT_IN_HEAP = -1 };
static const int64_t NEVER = INT64_MAX;

struct due {
	struct due *hash_next;
	int64_t next_ms;       /* earliest unclaimed recipient, as far as known; NEVER */
	int64_t not_before_ms; /* the queue's wish */
	int64_t taken_ms;      /* next_ms when it was given out, until somebody claims; NEVER */
	int64_t cursor_ms, cursor_id; /* claimed up to here; rows are in (next_ms, id) order */
	int64_t queued, held;
	ptrdiff_t heap_at;
	unsigned in_flight;
	bool taken; /* store_due_wait gave it out */
	unsigned short name_len;
	char name[];
};

struct claim {
	struct claim *next;
	int64_t rcpt_id;
};

enum { CLAIM_BUCKETS = 4096 };

struct due_map {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct due **buckets;
	size_t bucket_count, count;
	struct due **heap;
	size_t heap_len, heap_cap;
	int64_t queued, held;
	bool wake;
	struct claim *claims[CLAIM_BUCKETS];
};

struct due_map *due_open(void)
{
	struct due_map *m = mem_alloc(sizeof(*m));

	pthread_mutex_init(&m->lock, NULL);
	cond_init(&m->cond);
	m->bucket_count = 256;
	m->buckets = mem_alloc(m->bucket_count * sizeof(struct due *));
	return m;
}

void due_close(struct due_map **mp)
{
	struct due_map *m = *mp;

	for (size_t i = 0; i < m->bucket_count; i++) {
		for (struct due *d = m->buckets[i], *next; d != NULL; d = next) {
			next = d->hash_next;
			free(d);
		}
	}
	for (size_t i = 0; i < CLAIM_BUCKETS; i++) {
		for (struct claim *c = m->claims[i], *next; c != NULL; c = next) {
			next = c->next;
			free(c);
		}
	}
	free(m->buckets);
	free(m->heap);
	pthread_cond_destroy(&m->cond);
	pthread_mutex_destroy(&m->lock);
	free(m);
	*mp = NULL;
}

/* --- heap by the time a destination may be given out --- */

static int64_t key(const struct due *d)
{
	return d->next_ms > d->not_before_ms ? d->next_ms : d->not_before_ms;
}

static void heap_set(struct due_map *m, size_t at, struct due *d)
{
	m->heap[at] = d;
	d->heap_at = (ptrdiff_t)at;
}

static void heap_up(struct due_map *m, size_t at)
{
	struct due *d = m->heap[at];

	while (at > 0 && key(m->heap[(at - 1) / 2]) > key(d)) {
		heap_set(m, at, m->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_set(m, at, d);
}

static void heap_down(struct due_map *m, size_t at)
{
	struct due *d = m->heap[at];

	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= m->heap_len)
			break;
		if (child + 1 < m->heap_len && key(m->heap[child + 1]) < key(m->heap[child]))
			child++;
		if (key(m->heap[child]) >= key(d))
			break;
		heap_set(m, at, m->heap[child]);
		at = child;
	}
	heap_set(m, at, d);
}

static void heap_remove(struct due_map *m, struct due *d)
{
	if (d->heap_at == NOT_IN_HEAP)
		return;
	size_t at = (size_t)d->heap_at;
	struct due *last = m->heap[--m->heap_len];
	d->heap_at = NOT_IN_HEAP;
	if (last == d)
		return;
	heap_set(m, at, last);
	heap_up(m, at);
	heap_down(m, (size_t)last->heap_at);
}

/* Puts d where its key says, or out of the heap while taken or never due. */
static void heap_place(struct due_map *m, struct due *d)
{
	if (d->taken || d->next_ms == NEVER) {
		heap_remove(m, d);
		return;
	}
	if (d->heap_at == NOT_IN_HEAP) {
		if (m->heap_len == m->heap_cap) {
			m->heap_cap = m->heap_cap ? m->heap_cap * 2 : 64;
			m->heap = mem_realloc(m->heap, m->heap_cap * sizeof(struct due *));
		}
		heap_set(m, m->heap_len++, d);
	}
	heap_up(m, (size_t)d->heap_at);
	heap_down(m, (size_t)d->heap_at);
	if (m->heap[0] == d)
		pthread_cond_signal(&m->cond);
}

/* --- entries --- */

static void grow(struct due_map *m)
{
	size_t count = m->bucket_count * 2;
	struct due **buckets = mem_alloc(count * sizeof(struct due *));

	for (size_t i = 0; i < m->bucket_count; i++) {
		for (struct due *d = m->buckets[i], *next; d != NULL; d = next) {
			struct due **to =
				&buckets[hash_str((struct str){d->name, d->name_len}) % count];
			next = d->hash_next;
			d->hash_next = *to;
			*to = d;
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->bucket_count = count;
}

static struct due *find(struct due_map *m, struct str dest)
{
	struct due *d = m->buckets[hash_str(dest) % m->bucket_count];

	while (d != NULL && !str_eq((struct str){d->name, d->name_len}, dest))
		d = d->hash_next;
	return d;
}

static struct due *find_or_add(struct due_map *m, struct str dest)
{
	struct due *d = find(m, dest);

	if (d != NULL)
		return d;
	if (m->count >= m->bucket_count)
		grow(m);
	d = mem_alloc(sizeof(*d) + dest.len + 1);
	memcpy(d->name, dest.p, dest.len);
	d->name_len = (unsigned short)dest.len;
	d->next_ms = d->taken_ms = NEVER;
	d->heap_at = NOT_IN_HEAP;
	struct due **to = &m->buckets[hash_str(dest) % m->bucket_count];
	d->hash_next = *to;
	*to = d;
	m->count++;
	return d;
}

static void free_if_done(struct due_map *m, struct due *d)
{
	if (d->queued > 0 || d->held > 0 || d->in_flight > 0 || d->taken)
		return;
	heap_remove(m, d);
	struct due **at =
		&m->buckets[hash_str((struct str){d->name, d->name_len}) % m->bucket_count];
	while (*at != d)
		at = &(*at)->hash_next;
	*at = d->hash_next;
	m->count--;
	free(d);
}

static const char sql_queued[] =
	"SELECT dest, count(*), min(next_ms) FROM recipient WHERE state = 0 GROUP BY dest";
static const char sql_held[] =
	"SELECT dest, count(*), 0 FROM recipient WHERE state = 1 GROUP BY dest";

static int load_state(struct due_map *m, struct db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	int rc;

	if (stmt == NULL)
		return -1;
	while ((rc = db_step(db, stmt, err)) == 1) {
		const char *p = sqlite3_column_blob(stmt, 0);
		struct str dest = {p, p ? (size_t)sqlite3_column_bytes(stmt, 0) : 0};
		int64_t n = db_column_int(stmt, 1);
		if (sql == sql_queued) {
			due_change(m, dest, n, 0);
			due_touch(m, dest, db_column_int(stmt, 2));
		} else
			due_change(m, dest, 0, n);
	}
	return rc;
}

int due_load(struct due_map *m, struct db *db, struct err *err)
{
	if (load_state(m, db, sql_queued, err) < 0)
		return -1;
	return load_state(m, db, sql_held, err);
}

void due_change(struct due_map *m, struct str dest, int64_t queued, int64_t held)
{
	pthread_mutex_lock(&m->lock);
	struct due *d = find_or_add(m, dest);
	d->queued += queued;
	d->held += held;
	m->queued += queued;
	m->held += held;
	free_if_done(m, d);
	pthread_mutex_unlock(&m->lock);
}

static void touch(struct due_map *m, struct due *d, int64_t next_ms)
{
	/* New rows come after the cursor: ids and times only grow. What was deferred, kicked
	 * or given back may lie before it: then the next claim starts from the front. */
	if (next_ms < d->cursor_ms)
		d->cursor_ms = d->cursor_id = 0;
	if (next_ms < d->next_ms) {
		d->next_ms = next_ms;
		heap_place(m, d);
	}
}

void due_touch(struct due_map *m, struct str dest, int64_t next_ms)
{
	pthread_mutex_lock(&m->lock);
	touch(m, find_or_add(m, dest), next_ms);
	pthread_mutex_unlock(&m->lock);
}

int store_due_wait(struct store *s, struct deadline deadline, char dest[STORE_DEST_MAX])
{
	struct due_map *m = s->due;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	while (!m->wake) {
		int64_t left = deadline_left_ms(deadline), now_ms = clock_unix_ms();
		struct due *d = m->heap_len > 0 ? m->heap[0] : NULL;
		if (d != NULL && key(d) <= now_ms) {
			d->taken = true;
			d->taken_ms = d->next_ms;
			d->next_ms = NEVER;
			heap_remove(m, d);
			memcpy(dest, d->name, d->name_len);
			dest[d->name_len] = '\0';
			rc = 1;
			break;
		}
		if (left == 0)
			break;
		if (d != NULL && key(d) - now_ms < left)
			left = key(d) - now_ms;
		int64_t until = clock_mono_ms() + left;
		struct timespec ts = {until / 1000, until % 1000 * 1000000};
		pthread_cond_timedwait(&m->cond, &m->lock, &ts);
	}
	m->wake = false;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

void store_due_wake(struct store *s)
{
	pthread_mutex_lock(&s->due->lock);
	s->due->wake = true;
	pthread_cond_broadcast(&s->due->cond);
	pthread_mutex_unlock(&s->due->lock);
}

void store_due_return(struct store *s, const char *dest, int64_t not_before_ms)
{
	struct due_map *m = s->due;

	pthread_mutex_lock(&m->lock);
	struct due *d = find(m, str_from(dest));
	if (d != NULL) {
		d->taken = false;
		d->not_before_ms = not_before_ms;
		if (d->taken_ms < d->next_ms) /* nobody claimed: due as it was */
			d->next_ms = d->taken_ms;
		d->taken_ms = NEVER;
		heap_place(m, d);
		free_if_done(m, d);
	}
	pthread_mutex_unlock(&m->lock);
}

/* --- claims --- */

static struct claim **claim_at(struct due_map *m, int64_t rcpt_id)
{
	uint64_t h = (uint64_t)rcpt_id * 11400714819323198485U;
	struct claim **at = &m->claims[h >> 52];

	while (*at != NULL && (*at)->rcpt_id != rcpt_id)
		at = &(*at)->next;
	return at;
}

bool due_in_flight(struct due_map *m, int64_t rcpt_id)
{
	pthread_mutex_lock(&m->lock);
	bool is = *claim_at(m, rcpt_id) != NULL;
	pthread_mutex_unlock(&m->lock);
	return is;
}

bool due_claim(struct due_map *m, struct str dest, int64_t rcpt_id)
{
	pthread_mutex_lock(&m->lock);
	struct claim **at = claim_at(m, rcpt_id);
	bool fresh = *at == NULL;
	if (fresh) {
		struct due *d = find_or_add(m, dest);
		*at = mem_alloc(sizeof(**at));
		(*at)->rcpt_id = rcpt_id;
		d->in_flight++;
	}
	pthread_mutex_unlock(&m->lock);
	return fresh;
}

void due_unclaim(struct due_map *m, struct str dest, int64_t rcpt_id, enum due_end end)
{
	pthread_mutex_lock(&m->lock);
	struct claim **at = claim_at(m, rcpt_id), *c = *at;
	struct due *d = find(m, dest);
	if (c != NULL) {
		*at = c->next;
		free(c);
		if (d != NULL && d->in_flight > 0)
			d->in_flight--;
	}
	if (d != NULL) {
		if (d->in_flight == 0)
			d->cursor_ms = d->cursor_id = 0;
		if (end == DUE_END_RETRY)
			touch(m, d, 0);
		free_if_done(m, d);
	}
	pthread_mutex_unlock(&m->lock);
}

void due_cursor(struct due_map *m, struct str dest, int64_t *next_ms, int64_t *rcpt_id)
{
	pthread_mutex_lock(&m->lock);
	struct due *d = find(m, dest);
	*next_ms = d ? d->cursor_ms : 0;
	*rcpt_id = d ? d->cursor_id : 0;
	pthread_mutex_unlock(&m->lock);
}

void due_cursor_set(struct due_map *m, struct str dest, int64_t next_ms, int64_t rcpt_id)
{
	pthread_mutex_lock(&m->lock);
	struct due *d = find(m, dest);
	if (d != NULL)
		d->taken_ms = NEVER;
	if (d != NULL && d->in_flight > 0 && d->next_ms >= next_ms) {
		d->cursor_ms = next_ms;
		d->cursor_id = rcpt_id;
	}
	pthread_mutex_unlock(&m->lock);
}

/* --- figures --- */

void due_sums(struct due_map *m, int64_t *queued, int64_t *held)
{
	pthread_mutex_lock(&m->lock);
	*queued = m->queued;
	*held = m->held;
	pthread_mutex_unlock(&m->lock);
}

int64_t due_dest_count(struct due_map *m, struct str dest)
{
	pthread_mutex_lock(&m->lock);
	struct due *d = find(m, dest);
	int64_t n = d ? d->queued + d->held : 0;
	pthread_mutex_unlock(&m->lock);
	return n;
}

size_t due_top(struct due_map *m, size_t limit, struct arena *a, struct store_dest_row **rows)
{
	struct store_dest_row *top = arena_alloc(a, (limit + 1) * sizeof(*top));
	size_t n = 0;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < m->bucket_count; i++) {
		for (struct due *d = m->buckets[i]; d != NULL; d = d->hash_next) {
			int64_t size = d->queued + d->held;
			size_t at = n;
			while (at > 0 && top[at - 1].queued + top[at - 1].held < size)
				at--;
			if (at == limit)
				continue;
			memmove(top + at + 1, top + at, (n - at) * sizeof(*top));
			top[at] = (struct store_dest_row){.dest = {d->name, d->name_len},
				.queued = d->queued,
				.held = d->held,
				.next_attempt_ms = d->next_ms == NEVER ? 0 : key(d)};
			if (n < limit)
				n++;
		}
	}
	for (size_t i = 0; i < n; i++)
		top[i].dest = arena_str(a, top[i].dest);
	pthread_mutex_unlock(&m->lock);
	*rows = top;
	return n;
}
