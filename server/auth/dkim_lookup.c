/* Keys from the DNS, every name once, side by side (RFC 6376 section 6.1.2). */
#include "auth/dkim_priv.h"

#include "base/thread.h"

enum { THREADS_MAX = 15 };

struct dkim_lookup *dkim_lookups_add(
	struct dkim_lookups *l, struct arena *a, struct str selector, struct str domain)
{
	char *name = arena_printf(a, "%.*s._domainkey.%.*s", STR_FMT(selector), STR_FMT(domain));
	struct dkim_lookup *each;

	for (each = l->first; each != NULL; each = each->next) {
		if (strcmp(each->name, name) == 0)
			return each;
	}
	each = arena_alloc(a, sizeof(*each));
	each->name = name;
	each->arena = arena_open();
	if (l->end == NULL)
		l->end = &l->first;
	*l->end = each;
	l->end = &each->next;
	l->count++;
	return each;
}

/* Every TXT record is tried: with several, one of them may be meant. */
static void records_read(struct dkim_lookup *l)
{
	for (size_t i = 0; i < l->answer.count && l->count < DKIM_RECORDS_MAX; i++) {
		struct dkim_found *f = &l->found[l->count++];
		struct err err;
		if (dkim_record_parse(l->arena, l->answer.records[i].data, &f->record, &err) < 0)
			f->why = arena_strdup(l->arena, str_from(err.text));
		else if (dkim_record_key(&f->record, &f->key, &err) < 0)
			f->why = arena_strdup(l->arena, str_from(err.text));
		else
			f->usable = true;
	}
}

static void ask(struct dkim_lookup *l, const struct dns_asker *q)
{
	bool unknown = false;
	struct dns_asker own = *q;
	struct err err;

	if (q->unknown != NULL)
		own.unknown = &unknown;
	/* A name that cannot be asked has no key. */
	int rc = dns_ask(&own, DNS_TXT, l->name, l->arena, &l->answer, &err);
	if (unknown) { /* asked the next time */
		*q->unknown = true;
		return;
	}
	if (rc < 0)
		l->answer = (struct dns_answer){
			.status = DNS_NXDOMAIN, .reason = arena_str(l->arena, str_from(err.text))};
	else if (l->answer.status == DNS_OK)
		records_read(l);
	l->asked = true;
}

struct round {
	const struct dns_asker *q;
	struct dkim_lookup **todo;
	size_t count;
	atomic_size_t next;
};

static void *round_run(void *arg)
{
	struct round *r = arg;
	size_t at;

	while ((at = atomic_fetch_add(&r->next, 1)) < r->count)
		ask(r->todo[at], r->q);
	return NULL;
}

void dkim_lookups_run(struct dkim_lookups *l, const struct dns_asker *q)
{
	struct arena *a = arena_open();
	struct round r = {.q = q, .todo = arena_alloc(a, (l->count + 1) * sizeof(*r.todo))};
	pthread_t threads[THREADS_MAX];
	size_t running = 0;
	struct err err;

	for (struct dkim_lookup *each = l->first; each != NULL; each = each->next) {
		if (!each->asked)
			r.todo[r.count++] = each;
	}
	/* This thread takes part; without more threads it does them all. */
	while (q->unknown == NULL && running + 1 < r.count && running < THREADS_MAX &&
		thread_spawn(&threads[running], "dkim-key", round_run, &r, &err) == 0)
		running++;
	(void)round_run(&r);
	while (running > 0)
		pthread_join(threads[--running], NULL);
	arena_close(&a);
}

void dkim_lookups_free(struct dkim_lookups *l)
{
	for (struct dkim_lookup *each = l->first; each != NULL; each = each->next) {
		for (size_t i = 0; i < each->count; i++)
			dkim_key_free(&each->found[i].key);
		arena_close(&each->arena);
	}
}
