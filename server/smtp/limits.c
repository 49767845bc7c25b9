#include "smtp/limits.h"

#include "base/hash.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	SCOPES = 3,
	KEY_LEN = 20,
	ENTRIES_MAX = 60000, /* about 10 MiB; the least recently used goes first */
	BUCKETS = 16384,
	MINUTE_MS = 60 * 1000,
	DAY_MS = 24 * 60 * MINUTE_MS
};

static const unsigned bits_v4[SCOPES] = {32, 26, 21};
static const unsigned bits_v6[SCOPES] = {64, 48, 32};

/* A count that starts anew when its window is over. */
struct window {
	int64_t start_ms;
	int64_t count;
};

struct entry {
	struct entry *next;          /* in its bucket */
	struct entry *newer, *older; /* by use */
	unsigned char key[KEY_LEN];  /* scope bits, family, masked address; or a name's hash */
	unsigned open;
	struct window connects, auth_min, auth_day, msgs_min, msgs_day, bytes_min, bytes_day;
};

struct smtp_limits {
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t count;
	_Atomic int64_t open, accepted, refused;
};

struct smtp_limits *smtp_limits_new(void)
{
	struct smtp_limits *l = mem_alloc(sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void smtp_limits_free(struct smtp_limits **l)
{
	if (*l == NULL)
		return;
	for (struct entry *e = (*l)->newest, *next; e != NULL; e = next) {
		next = e->older;
		free(e);
	}
	pthread_mutex_destroy(&(*l)->lock);
	free(*l);
	*l = NULL;
}

static void unlink_use(struct smtp_limits *l, struct entry *e)
{
	*(e->newer ? &e->newer->older : &l->newest) = e->older;
	*(e->older ? &e->older->newer : &l->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_newest(struct smtp_limits *l, struct entry *e)
{
	e->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = e;
	l->newest = e;
}

static void evict(struct smtp_limits *l)
{
	struct entry *e = l->oldest;

	/* Open connections are bounded elsewhere: some entry without one is near. */
	while (e != NULL && e->open > 0)
		e = e->newer;
	if (e == NULL)
		return;
	struct entry **at = &l->buckets[hash_more(0, e->key, KEY_LEN) % BUCKETS];
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	unlink_use(l, e);
	free(e);
	l->count--;
}

static struct entry *entry_get(struct smtp_limits *l, const unsigned char key[KEY_LEN])
{
	struct entry **at = &l->buckets[hash_more(0, key, KEY_LEN) % BUCKETS], *e = *at;

	while (e != NULL && memcmp(e->key, key, KEY_LEN) != 0)
		e = e->next;
	if (e != NULL)
		unlink_use(l, e);
	else {
		if (l->count >= ENTRIES_MAX)
			evict(l);
		e = mem_alloc(sizeof(*e));
		memcpy(e->key, key, KEY_LEN);
		at = &l->buckets[hash_more(0, key, KEY_LEN) % BUCKETS];
		e->next = *at;
		*at = e;
		l->count++;
	}
	link_newest(l, e);
	return e;
}

static struct entry *scope_get(struct smtp_limits *l, const struct ip *ip, int scope)
{
	unsigned char key[KEY_LEN] = {0};
	unsigned bits = ip->len == 4 ? bits_v4[scope] : bits_v6[scope];
	struct ip masked = ip_mask(ip, bits);

	key[0] = (unsigned char)bits;
	key[1] = masked.len;
	memcpy(key + 4, masked.bytes, 16);
	return entry_get(l, key);
}

static int64_t window_count(struct window *w, int64_t span_ms, int64_t now_ms)
{
	if (w->count == 0 || now_ms - w->start_ms >= span_ms) {
		w->start_ms = now_ms;
		w->count = 0;
	}
	return w->count;
}

static bool any(const unsigned limit[SCOPES])
{
	return limit[0] != 0 || limit[1] != 0 || limit[2] != 0;
}

static enum smtp_limit scopes_connect(
	struct smtp_limits *l, const struct config_limits *c, const struct ip *ip, int64_t now_ms)
{
	struct entry *e[SCOPES];

	for (int i = 0; i < SCOPES; i++) {
		e[i] = scope_get(l, ip, i);
		int64_t rate = window_count(&e[i]->connects, MINUTE_MS, now_ms);
		if (c->connection_rate[i] != 0 && rate >= c->connection_rate[i])
			return SMTP_LIMIT_RATE;
		if (c->connections_open[i] != 0 && e[i]->open >= c->connections_open[i])
			return SMTP_LIMIT_OPEN;
	}
	for (int i = 0; i < SCOPES; i++) {
		e[i]->connects.count++;
		e[i]->open++;
	}
	return SMTP_LIMIT_OK;
}

enum smtp_limit smtp_limits_connect(
	struct smtp_limits *l, const struct config_limits *c, const struct ip *ip, int64_t now_ms)
{
	enum smtp_limit verdict = SMTP_LIMIT_OK;

	if (c->connections_total != 0 && atomic_load(&l->open) >= c->connections_total)
		verdict = SMTP_LIMIT_TOTAL;
	else if (ip->len != 0) {
		/* Counted even without limits: a reload may set some while connections are open. */
		pthread_mutex_lock(&l->lock);
		verdict = scopes_connect(l, c, ip, now_ms);
		pthread_mutex_unlock(&l->lock);
	}
	if (verdict == SMTP_LIMIT_OK) {
		atomic_fetch_add(&l->open, 1);
		atomic_fetch_add(&l->accepted, 1);
	} else
		atomic_fetch_add(&l->refused, 1);
	return verdict;
}

void smtp_limits_disconnect(struct smtp_limits *l, const struct ip *ip)
{
	atomic_fetch_sub(&l->open, 1);
	if (ip->len == 0)
		return;
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < SCOPES; i++) {
		struct entry *e = scope_get(l, ip, i);
		if (e->open > 0)
			e->open--;
	}
	pthread_mutex_unlock(&l->lock);
}

bool smtp_limits_auth_allowed(
	struct smtp_limits *l, const struct config_limits *c, const struct ip *ip, int64_t now_ms)
{
	bool allowed = true;

	if (!any(c->auth_failures_min) && !any(c->auth_failures_day))
		return true;
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < SCOPES; i++) {
		struct entry *e = scope_get(l, ip, i);
		int64_t per_min = window_count(&e->auth_min, MINUTE_MS, now_ms);
		int64_t per_day = window_count(&e->auth_day, DAY_MS, now_ms);
		if ((c->auth_failures_min[i] != 0 && per_min >= c->auth_failures_min[i]) ||
			(c->auth_failures_day[i] != 0 && per_day >= c->auth_failures_day[i]))
			allowed = false;
	}
	pthread_mutex_unlock(&l->lock);
	return allowed;
}

void smtp_limits_auth_failed(struct smtp_limits *l, const struct ip *ip, int64_t now_ms)
{
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < SCOPES; i++) {
		struct entry *e = scope_get(l, ip, i);
		(void)window_count(&e->auth_min, MINUTE_MS, now_ms);
		(void)window_count(&e->auth_day, DAY_MS, now_ms);
		e->auth_min.count++;
		e->auth_day.count++;
	}
	pthread_mutex_unlock(&l->lock);
}

static bool over(int64_t count, int64_t more, int64_t limit)
{
	return limit != 0 && count + more > limit;
}

bool smtp_limits_deliver(struct smtp_limits *l, const struct config_limits *c, const struct ip *ip,
	int64_t bytes, int64_t now_ms)
{
	struct entry *e[SCOPES];
	bool allowed = true;

	if (!any(c->delivery_messages_min) && !any(c->delivery_messages_day) &&
		c->delivery_bytes_min[0] == 0 && c->delivery_bytes_day[0] == 0)
		return true;
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < SCOPES; i++) {
		e[i] = scope_get(l, ip, i);
		int64_t m_min = window_count(&e[i]->msgs_min, MINUTE_MS, now_ms);
		int64_t m_day = window_count(&e[i]->msgs_day, DAY_MS, now_ms);
		int64_t b_min = window_count(&e[i]->bytes_min, MINUTE_MS, now_ms);
		int64_t b_day = window_count(&e[i]->bytes_day, DAY_MS, now_ms);
		if (over(m_min, 1, c->delivery_messages_min[i]) ||
			over(m_day, 1, c->delivery_messages_day[i]) ||
			over(b_min, bytes, c->delivery_bytes_min[i]) ||
			over(b_day, bytes, c->delivery_bytes_day[i]))
			allowed = false;
	}
	for (int i = 0; i < SCOPES && allowed; i++) {
		e[i]->msgs_min.count++;
		e[i]->msgs_day.count++;
		e[i]->bytes_min.count += bytes;
		e[i]->bytes_day.count += bytes;
	}
	pthread_mutex_unlock(&l->lock);
	return allowed;
}

bool smtp_limits_submit(struct smtp_limits *l, const struct config_limits *c, struct str account,
	unsigned rcpts, int64_t now_ms)
{
	unsigned char key[KEY_LEN] = {0};

	if (c->account_messages_day == 0)
		return true;
	/* No scope has 255 bits: names cannot meet addresses. */
	key[0] = 255;
	uint64_t h = hash_str(account);
	memcpy(key + 4, &h, sizeof(h));
	pthread_mutex_lock(&l->lock);
	struct entry *e = entry_get(l, key);
	int64_t today = window_count(&e->msgs_day, DAY_MS, now_ms);
	bool allowed = !over(today, rcpts, c->account_messages_day);
	if (allowed)
		e->msgs_day.count += rcpts;
	pthread_mutex_unlock(&l->lock);
	return allowed;
}

void smtp_limits_stats_get(struct smtp_limits *l, struct smtp_limits_stats *out)
{
	out->open = atomic_load(&l->open);
	out->accepted_total = atomic_load(&l->accepted);
	out->refused_total = atomic_load(&l->refused);
}
