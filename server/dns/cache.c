/* Answers in memory, in front of libunbound: its own cache is only reached through its thread,
 * which costs two changes of thread a look-up. Shards with a lock each; an entry is one block of
 * memory, copied out under the lock. The least recently used one goes when a shard is full. */
#include "dns/internal.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"

#include <pthread.h>
#include <stdlib.h>

enum {
	SHARDS = 16,
	BUCKETS = 2048,               /* of one shard */
	ENTRIES_MAX = 2048,           /* of one shard */
	OCTETS_MAX = 1024 * 1024,     /* of one shard */
	ENTRY_OCTETS_MAX = 32 * 1024, /* greater answers are left to libunbound */
	TTL_MAX_S = 3600              /* our choice; the zone's TTL when it is shorter */
};

struct entry {
	struct entry *next;          /* in its bucket */
	struct entry *newer, *older; /* by last use */
	uint64_t hash;
	enum dns_type type;
	struct str name; /* lower case */
	int64_t expire_ms;
	size_t octets; /* of this block */
	struct dns_answer answer;
};

struct shard {
	pthread_mutex_t lock;
	struct entry **buckets;
	struct entry *newest, *oldest;
	size_t count, octets;
};

struct dns_cache {
	uint64_t seed; /* so that nobody outside knows which names collide */
	struct shard shards[SHARDS];
};

struct dns_cache *dns_cache_open(void)
{
	struct dns_cache *c = mem_alloc(sizeof(*c));

	rand_bytes(&c->seed, sizeof(c->seed));
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&c->shards[i].lock, NULL);
		c->shards[i].buckets = mem_alloc(BUCKETS * sizeof(struct entry *));
	}
	return c;
}

/* --- copies --- */

static size_t answer_octets(const struct dns_answer *a)
{
	size_t n = a->count * sizeof(*a->records) + a->reason.len + a->canonical.len + 2;

	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];
		n += r->name.len + r->data.len + r->tag.len + 3;
	}
	return n;
}

/* A copy that ends with NUL, as those of an arena do. */
static void str_place(struct str *s, char **at)
{
	if (s->len > 0)
		memcpy(*at, s->p, s->len);
	(*at)[s->len] = '\0';
	s->p = *at;
	*at += s->len + 1;
}

/* Into answer_octets() at AT, aligned for a record. */
static void answer_place(const struct dns_answer *from, void *at, struct dns_answer *out)
{
	struct dns_record *records = at;
	char *text = (char *)at + from->count * sizeof(*records);

	*out = *from;
	out->records = records;
	for (size_t i = 0; i < from->count; i++) {
		records[i] = from->records[i];
		str_place(&records[i].name, &text);
		str_place(&records[i].data, &text);
		str_place(&records[i].tag, &text);
	}
	str_place(&out->reason, &text);
	str_place(&out->canonical, &text);
}

/* --- entries; the lock of their shard is held --- */

static struct entry **bucket_of(struct shard *s, uint64_t hash)
{
	return &s->buckets[hash / SHARDS % BUCKETS];
}

static void use_link(struct shard *s, struct entry *e)
{
	e->newer = NULL;
	e->older = s->newest;
	if (s->newest != NULL)
		s->newest->newer = e;
	else
		s->oldest = e;
	s->newest = e;
}

static void use_unlink(struct shard *s, struct entry *e)
{
	if (e->newer != NULL)
		e->newer->older = e->older;
	else
		s->newest = e->older;
	if (e->older != NULL)
		e->older->newer = e->newer;
	else
		s->oldest = e->newer;
}

static void entry_drop(struct shard *s, struct entry *e)
{
	struct entry **at = bucket_of(s, e->hash);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	use_unlink(s, e);
	s->count--;
	s->octets -= e->octets;
	metric_add(METRIC_DNS_CACHE_ENTRIES, 0, 0, -1);
	metric_add(METRIC_DNS_CACHE_BYTES, 0, 0, -(int64_t)e->octets);
	free(e);
}

static struct entry *entry_find(struct shard *s, uint64_t hash, enum dns_type type, struct str name)
{
	struct entry *e = *bucket_of(s, hash);

	while (e != NULL && (e->hash != hash || e->type != type || !str_eq(e->name, name)))
		e = e->next;
	return e;
}

static void entry_add(struct shard *s, struct entry *e)
{
	struct entry *old = entry_find(s, e->hash, e->type, e->name);
	struct entry **bucket = bucket_of(s, e->hash);

	if (old != NULL)
		entry_drop(s, old);
	while (s->count >= ENTRIES_MAX || s->octets + e->octets > OCTETS_MAX)
		entry_drop(s, s->oldest);
	e->next = *bucket;
	*bucket = e;
	use_link(s, e);
	s->count++;
	s->octets += e->octets;
	metric_add(METRIC_DNS_CACHE_ENTRIES, 0, 0, 1);
	metric_add(METRIC_DNS_CACHE_BYTES, 0, 0, (int64_t)e->octets);
}

void dns_cache_close(struct dns_cache **cp)
{
	struct dns_cache *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shards[i];
		while (s->oldest != NULL)
			entry_drop(s, s->oldest);
		free(s->buckets);
		pthread_mutex_destroy(&s->lock);
	}
	free(c);
}

/* --- the door --- */

/* The name in lower case; false when it is longer than any that can be asked. */
static bool key_make(const struct dns_cache *c, enum dns_type type, const char *name,
	char out[DNS_TEXT_MAX], uint64_t *hash)
{
	struct str text = str_from(name);

	if (!str_copy(out, DNS_TEXT_MAX, text))
		return false;
	str_lower(out, text.len);
	*hash = hash_more(c->seed ^ (uint64_t)type, out, text.len);
	return true;
}

bool dns_cache_get(struct dns_cache *c, const struct dns_request *request, int64_t now_ms,
	struct arena *a, struct dns_answer *answer)
{
	char name[DNS_TEXT_MAX];
	uint64_t hash;

	if (!key_make(c, request->type, request->name, name, &hash))
		return false;
	struct shard *s = &c->shards[hash % SHARDS];
	pthread_mutex_lock(&s->lock);
	struct entry *e = entry_find(s, hash, request->type, str_from(name));
	if (e != NULL && e->expire_ms <= now_ms) {
		entry_drop(s, e);
		e = NULL;
	}
	if (e != NULL) {
		answer_place(&e->answer, arena_alloc(a, answer_octets(&e->answer)), answer);
		answer->ttl_s = (e->expire_ms - now_ms + 999) / 1000;
		use_unlink(s, e);
		use_link(s, e);
	}
	pthread_mutex_unlock(&s->lock);
	return e != NULL;
}

void dns_cache_put(struct dns_cache *c, const struct dns_request *request, int64_t now_ms,
	const struct dns_answer *answer)
{
	int64_t ttl_s = answer->ttl_s < TTL_MAX_S ? answer->ttl_s : TTL_MAX_S;
	size_t octets = sizeof(struct entry) + answer_octets(answer);
	char name[DNS_TEXT_MAX];
	uint64_t hash;

	if (ttl_s <= 0 || dns_status_is_temporary(answer->status) ||
		!key_make(c, request->type, request->name, name, &hash))
		return;
	size_t name_len = strlen(name);
	octets += name_len + 1;
	if (octets > ENTRY_OCTETS_MAX)
		return;
	struct entry *e = mem_alloc(octets);
	char *name_at = (char *)e + octets - name_len - 1;
	e->hash = hash;
	e->type = request->type;
	e->expire_ms = now_ms + ttl_s * 1000;
	e->octets = octets;
	e->name = (struct str){name, name_len};
	str_place(&e->name, &name_at);
	answer_place(answer, e + 1, &e->answer);
	struct shard *s = &c->shards[hash % SHARDS];
	pthread_mutex_lock(&s->lock);
	entry_add(s, e);
	pthread_mutex_unlock(&s->lock);
}
