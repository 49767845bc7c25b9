/* Entries lie in one hash table by kind and value. An address is looked for under every prefix
 * length that occurs, the longest first; a domain under itself and every name above it. So a
 * question costs a few probes, whatever the size of the lists. */
#include "store/listmatch.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { IPV4_BITS = 32, IPV6_BITS = 128, KEY_MAX = 340 };

struct slot {
	struct str key; /* as key_ip or the value; NULL: free */
	const struct store_list_entry *entry;
};

struct list_match {
	_Atomic uint64_t generation; /* of the database */
	_Atomic uint64_t empty_at;   /* at this generation nothing is listed */
	pthread_mutex_t lock;        /* guards the rest */
	bool loaded;
	uint64_t loaded_at;
	struct arena *arena;
	struct slot *slots;
	size_t slot_count;            /* a power of two */
	_Atomic uint64_t no_zones_at; /* at this generation no DNS block list is asked */
	struct str *zones;
	size_t zone_count;
	bool v4_bits[IPV4_BITS + 1], v6_bits[IPV6_BITS + 1];
};

struct list_match *list_match_open(void)
{
	struct list_match *m = mem_alloc(sizeof(*m));

	atomic_store(&m->generation, 1);
	pthread_mutex_init(&m->lock, NULL);
	m->arena = arena_open();
	return m;
}

void list_match_close(struct list_match **mp)
{
	struct list_match *m = *mp;

	*mp = NULL;
	arena_close(&m->arena);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void list_changed(struct store *s, void *arg)
{
	(void)arg;
	atomic_fetch_add(&s->match->generation, 1);
}

/* --- the table --- */

static struct slot *slot_find(const struct list_match *m, enum store_list_kind kind, struct str key)
{
	size_t at = (size_t)hash_more((uint64_t)kind, key.p, key.len) & (m->slot_count - 1);

	for (;; at = (at + 1) & (m->slot_count - 1)) {
		struct slot *slot = &m->slots[at];
		if (slot->key.p == NULL || (slot->entry->kind == kind && str_eq(slot->key, key)))
			return slot;
	}
}

static struct str key_ip(const struct ip *ip, unsigned bits, char out[KEY_MAX])
{
	struct ip net = ip_mask(ip, bits);
	char text[IP_TEXT];
	int n = snprintf(out, KEY_MAX, "%s/%u", ip_text(&net, text), bits);

	return (struct str){out, (size_t)n};
}

static void entry_add(struct list_match *m, const struct store_list_entry *e)
{
	struct str key = e->value;
	struct cidr net;
	char text[KEY_MAX];
	struct err ignored;

	if (e->kind == STORE_LIST_IP) {
		if (cidr_parse(e->value, &net, &ignored) < 0)
			return;
		key = arena_str(m->arena, key_ip(&net.ip, net.bits, text));
		(net.ip.len == 4 ? m->v4_bits : m->v6_bits)[net.bits] = true;
	}
	struct slot *slot = slot_find(m, e->kind, key);
	*slot = (struct slot){key, e};
}

/* Reads the lists when they changed; the lock is held. */
static int refresh(struct store *s, struct list_match *m)
{
	uint64_t generation = atomic_load(&m->generation);
	struct store_list_entry *rows;
	struct store_dnsbl_zone *zones;
	size_t count, zone_count;
	struct err err;

	if (m->loaded && m->loaded_at == generation)
		return 0;
	m->loaded = false;
	arena_reset(m->arena);
	if (list_all(s, m->arena, &rows, &count, &err) < 0 ||
		store_dnsbl_list(s, m->arena, &zones, &zone_count, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "lists.read", "error", err.text, NULL);
		return -1;
	}
	for (m->slot_count = 16; m->slot_count < 2 * count; m->slot_count *= 2)
		;
	m->slots = arena_alloc(m->arena, m->slot_count * sizeof(*m->slots));
	memset(m->v4_bits, 0, sizeof(m->v4_bits));
	memset(m->v6_bits, 0, sizeof(m->v6_bits));
	for (size_t i = 0; i < count; i++)
		entry_add(m, &rows[i]);
	m->zones = arena_alloc(m->arena, (zone_count + 1) * sizeof(*m->zones));
	m->zone_count = 0;
	for (size_t i = 0; i < zone_count; i++) {
		if (!zones[i].disabled)
			m->zones[m->zone_count++] = zones[i].zone;
	}
	m->loaded = true;
	m->loaded_at = generation;
	if (count == 0)
		atomic_store(&m->empty_at, generation);
	if (m->zone_count == 0)
		atomic_store(&m->no_zones_at, generation);
	return 0;
}

/* --- questions --- */

static bool is_empty(struct list_match *m)
{
	return atomic_load(&m->empty_at) == atomic_load(&m->generation);
}

static bool probe(const struct list_match *m, enum store_list_kind kind, struct str key,
	int64_t now_s, struct arena *a, struct store_list_entry *out)
{
	const struct store_list_entry *e = slot_find(m, kind, key)->entry;

	if (e == NULL || (e->expires_s != 0 && e->expires_s <= now_s))
		return false;
	*out = *e;
	out->value = arena_str(a, e->value);
	out->comment = arena_str(a, e->comment);
	return true;
}

int store_list_match_ip(struct store *s, const struct ip *ip, int64_t now_s, struct arena *a,
	struct store_list_entry *out)
{
	struct list_match *m = s->match;
	char text[KEY_MAX];
	bool found = false;

	if (is_empty(m) || ip->len == 0)
		return 0;
	pthread_mutex_lock(&m->lock);
	if (refresh(s, m) == 0) {
		const bool *used = ip->len == 4 ? m->v4_bits : m->v6_bits;
		for (unsigned bits = ip->len * 8u + 1; bits-- > 0 && !found;)
			found = used[bits] &&
				probe(m, STORE_LIST_IP, key_ip(ip, bits, text), now_s, a, out);
	}
	pthread_mutex_unlock(&m->lock);
	return found;
}

/* The address itself, then its domain and the names above. */
static bool address_find(const struct list_match *m, struct str address, struct str domain,
	int64_t now_s, struct arena *a, struct store_list_entry *out)
{
	struct str label;

	if (address.len > domain.len + 1 && probe(m, STORE_LIST_ADDRESS, address, now_s, a, out))
		return true;
	for (;;) {
		if (domain.len > 0 && probe(m, STORE_LIST_DOMAIN, domain, now_s, a, out))
			return true;
		if (!str_split(domain, '.', &label, &domain))
			return false;
	}
}

int store_list_match_address(struct store *s, struct str address, int64_t now_s, struct arena *a,
	struct store_list_entry *out)
{
	struct list_match *m = s->match;
	char text[KEY_MAX];
	bool found = false;

	if (is_empty(m) || !str_copy(text, sizeof(text), address)) /* longer than any entry */
		return 0;
	str_lower(text, address.len);
	address = (struct str){text, address.len};
	if (address.len > 0 && text[address.len - 1] == '.')
		address.len--;
	struct str domain = address;
	for (size_t i = 0; i < address.len; i++) {
		if (text[i] == '@')
			domain = str_skip(address, i + 1);
	}
	pthread_mutex_lock(&m->lock);
	if (refresh(s, m) == 0)
		found = address_find(m, address, domain, now_s, a, out);
	pthread_mutex_unlock(&m->lock);
	return found;
}

size_t store_dnsbl_active(struct store *s, struct arena *a, struct str **zones)
{
	struct list_match *m = s->match;
	size_t count = 0;

	*zones = NULL;
	if (atomic_load(&m->no_zones_at) == atomic_load(&m->generation))
		return 0;
	pthread_mutex_lock(&m->lock);
	if (refresh(s, m) == 0) {
		count = m->zone_count;
		*zones = arena_alloc(a, (count + 1) * sizeof(**zones));
		for (size_t i = 0; i < count; i++)
			(*zones)[i] = arena_str(a, m->zones[i]);
	}
	pthread_mutex_unlock(&m->lock);
	return count;
}
