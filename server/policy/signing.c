#include "policy/signing.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BUCKETS = 256,
	BROKEN_AGAIN_MS = 60 * 1000,
	ENTRIES_MAX = 4096,
	KEY_FILE_MAX = 64 * 1024,
	PATH_TEXT_MAX = 4096
};

/* What is known of one domain; nothing is an answer too. */
struct entry {
	struct entry *next;
	struct arena *arena;
	struct str domain;
	struct signing_keys keys; /* in arena */
	int64_t loaded_ms;        /* monotonic */
};

struct signing {
	struct store *store;
	pthread_mutex_t lock; /* all below */
	uint64_t generation;  /* of the directory when the entries were read */
	size_t count;
	struct entry *buckets[BUCKETS];
};

struct signing *signing_new(struct store *s)
{
	struct signing *g = mem_alloc(sizeof(*g));

	g->store = s;
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

void signing_keys_release(struct signing_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		dkim_key_free(&k->selectors[i].key);
	k->count = 0;
}

static void entry_free(struct entry *e)
{
	signing_keys_release(&e->keys);
	arena_close(&e->arena);
	free(e);
}

static void forget(struct signing *g)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *e = g->buckets[i], *next; e != NULL; e = next) {
			next = e->next;
			entry_free(e);
		}
		g->buckets[i] = NULL;
	}
	g->count = 0;
}

void signing_free(struct signing **g)
{
	if (*g == NULL)
		return;
	forget(*g);
	pthread_mutex_destroy(&(*g)->lock);
	free(*g);
	*g = NULL;
}

/* --- one selector --- */

static int file_read(const char *path, char *out, size_t size, size_t *len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = -1;

	*len = 0;
	while (fd >= 0 && *len < size && (n = read(fd, out + *len, size - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		(void)err_set(err, ERR_TEMP, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

int signing_key_read(
	struct store *s, const struct store_selector *row, struct dkim_key **out, struct err *err)
{
	char path[PATH_TEXT_MAX], *pem = mem_alloc(KEY_FILE_MAX);
	size_t len = 0;
	int rc = -1;

	*out = NULL;
	int n = snprintf(path, sizeof(path), "%s/%.*s", store_data_dir(s), STR_FMT(row->key_file));
	if (n < 0 || (size_t)n >= sizeof(path))
		(void)err_set(err, ERR_PERM, "the path of the key file is too long");
	else if (file_read(path, pem, KEY_FILE_MAX, &len, err) == 0)
		rc = dkim_key_read((struct str){pem, len}, out, err);
	if (rc < 0 && len > 0)
		(void)err_prefix(err, "%s", path);
	explicit_bzero(pem, KEY_FILE_MAX);
	free(pem);
	return rc;
}

/* "From:To:Subject" as a list; *out stays NULL for the default set. */
static size_t headers_split(struct arena *a, struct str text, const struct str **out)
{
	size_t n = 1, count = 0;
	struct str *list, name;

	if (text.len == 0)
		return 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == ':';
	list = arena_alloc(a, n * sizeof(*list));
	while (str_next(&text, ':', &name)) {
		if (name.len > 0)
			list[count++] = arena_str(a, name);
	}
	*out = list;
	return count;
}

struct dkim_selector signing_selector(
	struct arena *arena, const struct store_selector *row, struct dkim_key *key)
{
	struct dkim_selector out = {.domain = arena_str(arena, row->domain),
		.selector = arena_str(arena, row->name),
		.key = key,
		.header = row->header_simple ? DKIM_SIMPLE : DKIM_RELAXED,
		.body = row->body_simple ? DKIM_SIMPLE : DKIM_RELAXED,
		.seal = row->seal ? DKIM_SEAL : DKIM_DONT_SEAL,
		.expiration_s = row->expiration_s};

	out.header_count = headers_split(arena, row->headers, &out.headers);
	return out;
}

/* --- the cache --- */

static int entry_load(struct signing *g, struct str domain, struct entry **out, struct err *err)
{
	struct entry *e = mem_alloc(sizeof(*e));
	struct store_selector *rows;
	size_t count;
	int seals = 1;

	*out = NULL;
	e->arena = arena_open();
	e->domain = arena_str(e->arena, domain);
	e->keys.domain = e->domain;
	e->loaded_ms = clock_mono_ms();
	if (store_selector_signing(g->store, domain, e->arena, &rows, &count, err) < 0)
		seals = -1;
	else if (count > 0)
		seals = store_arc_seals(g->store, rows[0].domain_id, err);
	if (seals < 0) {
		entry_free(e);
		return -1;
	}
	e->keys.arc_seals = seals == 1;
	for (size_t i = 0; i < count && e->keys.count < DKIM_SELECTORS_MAX; i++) {
		struct dkim_key *key;
		struct err why;
		if (signing_key_read(g->store, &rows[i], &key, &why) == 0) {
			e->keys.selectors[e->keys.count++] =
				signing_selector(e->arena, &rows[i], key);
			continue;
		}
		e->keys.broken++;
		log_event(LOG_LEVEL_ERROR, "dkim.key_unreadable", "domain",
			arena_strdup(e->arena, domain), "selector",
			arena_strdup(e->arena, rows[i].name), "error", why.text, NULL);
	}
	*out = e;
	return 0;
}

/* Copies what a caller may keep beyond the lock. */
static void keys_copy(struct arena *a, const struct signing_keys *from, struct signing_keys *to)
{
	*to = *from;
	to->domain = arena_str(a, from->domain);
	for (size_t i = 0; i < from->count; i++) {
		struct dkim_selector *s = &to->selectors[i];
		struct str *headers = NULL;
		s->domain = arena_str(a, s->domain);
		s->selector = arena_str(a, s->selector);
		if (s->headers != NULL) {
			headers = arena_alloc(a, (s->header_count + 1) * sizeof(*headers));
			for (size_t k = 0; k < s->header_count; k++)
				headers[k] = arena_str(a, s->headers[k]);
		}
		s->headers = headers;
		dkim_key_ref(s->key);
	}
}

static struct entry **bucket(struct signing *g, struct str domain)
{
	return &g->buckets[hash_str(domain) % BUCKETS];
}

static bool cached(struct signing *g, uint64_t generation, struct str domain, struct arena *a,
	struct signing_keys *out)
{
	bool found = false;

	pthread_mutex_lock(&g->lock);
	if (g->generation == generation) {
		struct entry *e = *bucket(g, domain);
		while (e != NULL && !str_eq(e->domain, domain))
			e = e->next;
		/* A file that was not there may be put back without a word to us. */
		if (e != NULL && e->keys.broken > 0 &&
			clock_mono_ms() - e->loaded_ms > BROKEN_AGAIN_MS)
			e = NULL;
		if (e != NULL) {
			keys_copy(a, &e->keys, out);
			found = true;
		}
	}
	pthread_mutex_unlock(&g->lock);
	return found;
}

static int exact_find(struct signing *g, struct str domain, struct arena *a,
	struct signing_keys *out, struct err *err)
{
	/* Read first: what is loaded later belongs to this or a newer state. */
	uint64_t generation = store_directory_generation(g->store);
	struct entry *e;

	if (cached(g, generation, domain, a, out))
		return 0;
	if (entry_load(g, domain, &e, err) < 0)
		return -1;
	keys_copy(a, &e->keys, out);
	pthread_mutex_lock(&g->lock);
	if (g->generation < generation || g->count >= ENTRIES_MAX) {
		forget(g);
		g->generation = generation;
	}
	if (g->generation == generation) {
		e->next = *bucket(g, domain);
		*bucket(g, domain) = e;
		g->count++;
		e = NULL;
	}
	pthread_mutex_unlock(&g->lock);
	if (e != NULL)
		entry_free(e);
	return 0;
}

int signing_find(struct signing *g, struct str domain, enum signing_reach reach,
	struct arena *arena, struct signing_keys *out, struct err *err)
{
	struct str rest = domain, label;
	size_t broken = 0;

	for (;;) {
		if (exact_find(g, rest, arena, out, err) < 0)
			return -1;
		broken += out->broken;
		if (out->count > 0 || reach == SIGNING_EXACT)
			break;
		/* A top-level domain is nobody's. */
		if (!str_split(rest, '.', &label, &rest) || memchr(rest.p, '.', rest.len) == NULL)
			break;
	}
	out->broken = broken;
	return out->count > 0;
}

int signing_begin(struct signing *g, struct str from_domain, struct str header, struct arena *arena,
	struct signing_keys *keys, struct dkim_signer **out, struct err *err)
{
	*out = NULL;
	int rc = signing_find(g, from_domain, SIGNING_NEAREST, arena, keys, err);

	if (rc < 0) {
		keys->count = 0;
		return -1;
	}
	if (rc == 1)
		*out = dkim_signer_new(header, keys->selectors, keys->count, clock_unix_s());
	return 0;
}

int signing_problems(struct store *s, struct arena *arena, struct store_selector **rows,
	size_t *count, struct err *err)
{
	struct store_selector *all;
	size_t n;

	*rows = NULL;
	*count = 0;
	if (store_selector_list(s, 0, arena, &all, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *path =
			arena_printf(arena, "%s/%.*s", store_data_dir(s), STR_FMT(all[i].key_file));
		if (all[i].signing && access(path, R_OK) < 0)
			all[(*count)++] = all[i];
	}
	*rows = all;
	return 0;
}
