#include "store/dircache.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

enum { DIR_BUCKETS = 4096, DIR_ENTRIES_MAX = 16384 };

struct entry {
	struct entry *next;
	struct arena *arena;
	enum dir_kind kind;
	int found;
	struct str key;
	union dir_value value;
};

struct dir_cache {
	pthread_mutex_t lock;
	_Atomic uint64_t generation;
	uint64_t filled_at; /* generation of what is in the buckets */
	size_t count;
	struct entry *buckets[DIR_BUCKETS];
};

struct dir_cache *dir_open(void)
{
	struct dir_cache *c = mem_alloc(sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void clear(struct dir_cache *c)
{
	for (size_t i = 0; i < DIR_BUCKETS && c->count > 0; i++) {
		for (struct entry *e = c->buckets[i], *next; e != NULL; e = next) {
			next = e->next;
			arena_close(&e->arena);
			free(e);
			c->count--;
		}
		c->buckets[i] = NULL;
	}
}

void dir_close(struct dir_cache **c)
{
	clear(*c);
	pthread_mutex_destroy(&(*c)->lock);
	free(*c);
	*c = NULL;
}

void dir_changed(struct store *s, void *arg)
{
	(void)arg;
	atomic_fetch_add(&s->dir->generation, 1);
}

uint64_t dir_generation(struct store *s)
{
	return atomic_load(&s->dir->generation);
}

static struct entry **bucket(struct dir_cache *c, enum dir_kind kind, struct str key)
{
	return &c->buckets[hash_more((uint64_t)kind, key.p, key.len) % DIR_BUCKETS];
}

void dir_relay_copy(struct arena *a, struct store_relay *dst, const struct store_relay *src)
{
	*dst = *src;
	for (size_t i = 0; i < src->host_count; i++)
		dst->hosts[i] = arena_str(a, src->hosts[i]);
	dst->username = arena_str(a, src->username);
	dst->password = arena_str(a, src->password);
}

static void value_copy(
	enum dir_kind kind, struct arena *a, union dir_value *dst, const union dir_value *src)
{
	*dst = *src;
	switch (kind) {
	case DIR_DOMAIN:
	case DIR_DOMAIN_ID:
		dst->domain.name = arena_str(a, src->domain.name);
		dst->domain.description = arena_str(a, src->domain.description);
		dst->domain.separator = arena_str(a, src->domain.separator);
		dir_relay_copy(a, &dst->domain.relay, &src->domain.relay);
		break;
	case DIR_ADDRESS:
		dst->address.localpart = arena_str(a, src->address.localpart);
		dst->address.account = arena_str(a, src->address.account);
		dst->address.members =
			arena_alloc(a, (src->address.member_count + 1) * sizeof(struct str));
		for (size_t i = 0; i < src->address.member_count; i++)
			dst->address.members[i] = arena_str(a, src->address.members[i]);
		dir_relay_copy(a, &dst->address.relay, &src->address.relay);
		break;
	case DIR_ACCOUNT:
		dst->account.name = arena_str(a, src->account.name);
		dst->account.full_name = arena_str(a, src->account.full_name);
		dst->account.argon2 = arena_str(a, src->account.argon2);
		dst->account.scram = arena_str(a, src->account.scram);
		break;
	case DIR_MAIL_POLICY:
		break;
	}
}

int dir_get(struct store *s, enum dir_kind kind, struct str key, struct arena *a,
	union dir_value *value)
{
	struct dir_cache *c = s->dir;
	int found = -1;

	pthread_mutex_lock(&c->lock);
	if (c->filled_at == atomic_load(&c->generation)) {
		struct entry *e = *bucket(c, kind, key);
		while (e != NULL && (e->kind != kind || !str_eq(e->key, key)))
			e = e->next;
		if (e != NULL) {
			found = e->found;
			if (found == 1)
				value_copy(kind, a, value, &e->value);
		}
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

void dir_put(struct store *s, uint64_t generation, enum dir_kind kind, struct str key, int found,
	const union dir_value *value)
{
	struct dir_cache *c = s->dir;

	pthread_mutex_lock(&c->lock);
	if (generation == atomic_load(&c->generation)) {
		if (c->filled_at != generation || c->count >= DIR_ENTRIES_MAX) {
			clear(c);
			c->filled_at = generation;
		}
		struct entry **to = bucket(c, kind, key), *e = mem_alloc(sizeof(*e));
		e->arena = arena_open();
		e->kind = kind;
		e->found = found;
		e->key = arena_str(e->arena, key);
		if (found == 1)
			value_copy(kind, e->arena, &e->value, value);
		e->next = *to;
		*to = e;
		c->count++;
	}
	pthread_mutex_unlock(&c->lock);
}

/* --- lists in one column: a line each --- */

struct str dir_hosts_join(struct arena *a, const struct store_relay *relay)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < relay->host_count; i++) {
		if (i > 0)
			buf_byte(&b, '\n');
		buf_raw(&b, relay->hosts[i]);
	}
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

void dir_hosts_split(struct str text, struct store_relay *relay)
{
	struct str host;

	relay->host_count = 0;
	while (text.len > 0 && relay->host_count < STORE_RELAY_HOSTS_MAX &&
		str_next(&text, '\n', &host))
		relay->hosts[relay->host_count++] = host;
}

struct str dir_members_join(struct arena *a, const struct store_address *row)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < row->member_count; i++) {
		if (i > 0)
			buf_byte(&b, '\n');
		buf_raw(&b, row->members[i]);
	}
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

void dir_members_split(struct arena *a, struct str text, struct store_address *row)
{
	size_t lines = 1;
	struct str line;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	row->members = arena_alloc(a, lines * sizeof(struct str));
	row->member_count = 0;
	while (text.len > 0 && str_next(&text, '\n', &line))
		row->members[row->member_count++] = line;
}

int dir_delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct dir_delete *d = arg;
	sqlite3_stmt *stmt = db_prepare(db, d->sql, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, d->id);
	if (db_step(db, stmt, err) == 0)
		return 0;
	if (err->kind == ERR_PERM && d->in_use != NULL)
		return err_set(err, ERR_PERM, "%s", d->in_use);
	return -1;
}

int dir_delete(struct store *s, const char *sql, int64_t id, const char *in_use, struct err *err)
{
	struct dir_delete d = {sql, id, in_use};
	struct write_op op = {.run = dir_delete_run, .committed = dir_changed, .arg = &d};

	return store_write(s, &op, err);
}

void *dir_grow(struct arena *a, void *old, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return old;
	*cap = *cap ? *cap * 2 : 16;
	void *fresh = arena_alloc(a, *cap * size);
	if (count > 0)
		memcpy(fresh, old, count * size);
	return fresh;
}

int dir_list(struct store *s, const char *sql, int64_t id,
	void (*read)(sqlite3_stmt *, struct arena *, void *), size_t size, struct arena *a,
	void **rows, size_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	size_t cap = 0;
	int rc = -1;

	*rows = NULL;
	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	if (stmt != NULL && id != 0)
		db_bind_int(stmt, 1, id);
	while (stmt != NULL && (rc = db_step(db, stmt, err)) == 1) {
		*rows = dir_grow(a, *rows, *count, &cap, size);
		read(stmt, a, (char *)*rows + (*count)++ * size);
	}
	reader_give(s, db);
	return rc;
}
