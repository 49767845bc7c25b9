#include "queue/plan.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 512 };

enum part_state { PART_NEW, PART_WORKING, PART_READY };

struct host_part {
	enum part_state state;
	struct arena *arena;
	struct plan_host facts;
};

struct plan {
	struct plans *owner;
	struct plan *next; /* in its bucket */
	unsigned refs;     /* the memory's included; under the owner's lock, as are the states */
	bool remembered;
	unsigned port;
	enum part_state state;
	_Atomic int64_t stale_ms; /* monotonic */
	int64_t made_ms;
	struct arena *arena;
	struct plan_facts facts;
	struct host_part *hosts;
	char domain[];
};

struct plans {
	struct plans_options opt;
	pthread_mutex_t lock; /* guards the buckets and the states of all plans */
	pthread_cond_t ready;
	struct plan *buckets[BUCKETS];
	size_t count;
	_Atomic int64_t made, shared, hosts;
};

struct plans *plans_open(const struct plans_options *opt)
{
	struct plans *p = mem_alloc(sizeof(*p));

	p->opt = *opt;
	pthread_mutex_init(&p->lock, NULL);
	cond_init(&p->ready);
	return p;
}

static void plan_free(struct plan *plan)
{
	for (size_t i = 0; plan->hosts != NULL && i < plan->facts.dest.host_count; i++) {
		trace_free(&plan->hosts[i].facts.trace);
		arena_close(&plan->hosts[i].arena);
	}
	free(plan->hosts);
	trace_free(&plan->facts.trace);
	arena_close(&plan->arena);
	free(plan);
}

/* Under the lock; frees it when that was the last reference. */
static void unref(struct plan *plan)
{
	if (--plan->refs == 0)
		plan_free(plan);
}

/* Takes *at out of its bucket; under the lock. */
static void forget(struct plans *p, struct plan **at)
{
	struct plan *plan = *at;

	*at = plan->next;
	plan->remembered = false;
	p->count--;
	unref(plan);
}

void plans_forget(struct plans *p)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (p->buckets[i] != NULL) {
			atomic_store(&p->buckets[i]->stale_ms, 0);
			forget(p, &p->buckets[i]);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

void plans_close(struct plans **pp)
{
	struct plans *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	plans_forget(p);
	pthread_cond_destroy(&p->ready);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Answers end with their TTL; what failed is not kept at all. */
static void stale_at(struct plan *plan, int64_t ttl_s, bool failed)
{
	int64_t at =
		failed ? 0
		       : plan->made_ms + (ttl_s < PLAN_AGE_MAX_S ? ttl_s : PLAN_AGE_MAX_S) * 1000;
	int64_t have = atomic_load(&plan->stale_ms);

	while (at < have && !atomic_compare_exchange_weak(&plan->stale_ms, &have, at))
		;
}

bool plan_is_stale(const struct plan *plan)
{
	return clock_mono_ms() >= atomic_load(&plan->stale_ms);
}

bool plan_is_for(const struct plan *plan, const char *domain)
{
	return strcmp(plan->domain, domain) == 0;
}

const struct plan_facts *plan_facts(const struct plan *plan)
{
	return &plan->facts;
}

/* --- the domain --- */

static void domain_look_up(struct plan *plan)
{
	const struct plans_options *opt = &plan->owner->opt;
	struct plan_facts *f = &plan->facts;
	struct dns_asker q = {
		.dns = opt->dns, .deadline = deadline_in_ms(PLAN_DNS_MS), .trace = f->trace};
	struct err err;

	if (destination_gather(&q, plan->domain, plan->arena, &f->dest, &err) < 0) {
		f->dest.status = DESTINATION_BAD_MX;
		snprintf(f->dest.text, sizeof(f->dest.text), "%.390s", err.text);
	}
	bool failed = f->dest.status == DESTINATION_DNS_ERROR;
	if (f->dest.status == DESTINATION_OK && !f->dest.literal && opt->mtasts != NULL) {
		q.deadline = deadline_in_ms(PLAN_POLICY_MS);
		f->has_sts = true;
		f->sts_rc = mtasts_get(
			opt->mtasts, plan->domain, &q, plan->arena, &f->sts, &f->sts_err);
		failed |= f->sts_rc < 0;
	}
	if (f->dest.host_count > 0)
		plan->hosts = mem_alloc(f->dest.host_count * sizeof(*plan->hosts));
	plan->made_ms = clock_mono_ms();
	stale_at(plan, f->dest.ttl_s, failed);
}

/* The plan's place in its bucket, or the bucket's end. Stale ones are dropped on the way. */
static struct plan **find(struct plans *p, const char *domain, unsigned port)
{
	struct plan **at = &p->buckets[hash_str(str_from(domain)) % BUCKETS];

	while (*at != NULL) {
		if ((*at)->state == PART_READY && plan_is_stale(*at)) {
			forget(p, at);
			continue;
		}
		if ((*at)->port == port && strcmp((*at)->domain, domain) == 0)
			break;
		at = &(*at)->next;
	}
	return at;
}

/* Room for one more: first what is stale, then whatever comes. */
static void make_room(struct plans *p)
{
	for (size_t i = 0; i < BUCKETS && p->count >= PLANS_MAX; i++) {
		for (struct plan **at = &p->buckets[i]; *at != NULL;) {
			if ((*at)->state == PART_READY && plan_is_stale(*at))
				forget(p, at);
			else
				at = &(*at)->next;
		}
	}
	for (size_t i = 0; i < BUCKETS && p->count >= PLANS_MAX; i++) {
		if (p->buckets[i] != NULL)
			forget(p, &p->buckets[i]);
	}
}

static struct plan *plan_new(struct plans *p, const char *domain, unsigned port)
{
	size_t len = strlen(domain) + 1;
	struct plan *plan = mem_alloc(sizeof(*plan) + len);

	plan->owner = p;
	plan->refs = 1; /* the memory's */
	plan->remembered = true;
	plan->port = port;
	plan->state = PART_WORKING;
	atomic_store(&plan->stale_ms, INT64_MAX);
	plan->arena = arena_open();
	plan->facts.trace = trace_new();
	memcpy(plan->domain, domain, len);
	return plan;
}

struct plan *plans_get(struct plans *p, const char *domain, unsigned port)
{
	pthread_mutex_lock(&p->lock);
	struct plan **at = find(p, domain, port), *plan = *at;
	if (plan != NULL) {
		plan->refs++;
		atomic_fetch_add(&p->shared, 1);
		while (plan->state != PART_READY)
			pthread_cond_wait(&p->ready, &p->lock);
		pthread_mutex_unlock(&p->lock);
		return plan;
	}
	make_room(p);
	plan = plan_new(p, domain, port);
	at = &p->buckets[hash_str(str_from(domain)) % BUCKETS];
	plan->next = *at;
	*at = plan;
	p->count++;
	plan->refs++;
	pthread_mutex_unlock(&p->lock);
	atomic_fetch_add(&p->made, 1);
	domain_look_up(plan);
	pthread_mutex_lock(&p->lock);
	plan->state = PART_READY;
	pthread_cond_broadcast(&p->ready);
	pthread_mutex_unlock(&p->lock);
	return plan;
}

void plan_release(struct plan **planp)
{
	struct plan *plan = *planp;

	*planp = NULL;
	if (plan == NULL)
		return;
	struct plans *p = plan->owner;
	pthread_mutex_lock(&p->lock);
	unref(plan);
	pthread_mutex_unlock(&p->lock);
}

/* --- its hosts --- */

static void dane_note(struct plan_host *h, const struct destination *dest)
{
	static const char *const results[] = {[DANE_SKIPPED] = "skipped",
		[DANE_NONE] = "none",
		[DANE_USABLE] = "usable",
		[DANE_UNUSABLE] = "unusable",
		[DANE_ERROR] = "error"};
	char text[DESTINATION_TEXT + 40] = "";
	struct str lines[TRACE_DETAILS_MAX];
	size_t n = 0;
	struct arena *a = arena_open();

	switch (h->dane.status) {
	case DANE_SKIPPED:
		snprintf(text, sizeof(text),
			"Not asked for: the way to the host is not secured by "
			"DNSSEC%s",
			dest->secure ? "" : " from the domain on");
		break;
	case DANE_NONE:
		snprintf(text, sizeof(text), "The host has no (secure) TLSA records: no DANE");
		break;
	case DANE_USABLE:
		snprintf(text, sizeof(text), "%zu of %zu TLSA records can be used",
			h->dane.records.count, h->dane.seen);
		break;
	case DANE_UNUSABLE:
		snprintf(text, sizeof(text),
			"There are %zu TLSA records and mail can use none: TLS is a must, "
			"certificates do not matter",
			h->dane.seen);
		break;
	case DANE_ERROR:
		snprintf(text, sizeof(text), "%s", h->dane.trouble.text);
		break;
	}
	for (; n < h->dane.records.count && n < TRACE_DETAILS_MAX; n++)
		lines[n] = dane_record_text(a, &h->dane.records.list[n]);
	trace_add(h->trace, &(struct trace_step){.kind = "tlsa",
				    .title = STR("DANE"),
				    .state = h->dane.status == DANE_ERROR      ? TRACE_BAD
					     : h->dane.status == DANE_USABLE   ? TRACE_OK
					     : h->dane.status == DANE_UNUSABLE ? TRACE_WARN
									       : TRACE_INFO,
				    .result = str_from(results[h->dane.status]),
				    .text = str_from(text),
				    .detail = lines,
				    .detail_count = n,
				    .took_ms = -1});
	arena_close(&a);
}

static void host_look_up(struct plan *plan, struct host_part *part, const char *name)
{
	const struct destination *dest = &plan->facts.dest;
	struct plan_host *h = &part->facts;
	struct ip literal;
	struct err err;

	part->arena = arena_open();
	h->trace = trace_new();
	h->dane = (struct dane_lookup){.status = DANE_SKIPPED, .base = name, .ttl_s = INT32_MAX};
	struct dns_asker q = {.dns = plan->owner->opt.dns,
		.deadline = deadline_in_ms(PLAN_DNS_MS),
		.trace = h->trace};
	if (destination_ips(&q, name, part->arena, &h->ips, &err) < 0) {
		h->ips = (struct destination_ips){
			.status = DNS_NXDOMAIN, .host = name, .expanded = name};
		snprintf(h->ips.trouble.text, sizeof(h->ips.trouble.text), "%.390s", err.text);
	}
	if (dane_may_ask(dest, &h->ips) && dane_lookup(&q, h->ips.host, h->ips.expanded,
						   dest->expanded_secure && h->ips.expanded_secure,
						   plan->port, part->arena, &h->dane, &err) < 0)
		h->dane.status = DANE_NONE; /* no name that can be asked for */
	if (h->dane.status == DANE_USABLE || h->dane.status == DANE_UNUSABLE)
		dane_names_choose(dest, &h->ips, h->dane.base, &h->names);
	if (!ip_parse(str_from(name), &literal))
		dane_note(h, dest);
	int64_t ttl_s = h->ips.ttl_s < h->dane.ttl_s ? h->ips.ttl_s : h->dane.ttl_s;
	stale_at(plan, ttl_s,
		dns_status_is_temporary(h->ips.status) || h->dane.status == DANE_ERROR);
}

const struct plan_host *plan_host(struct plan *plan, size_t i)
{
	struct plans *p = plan->owner;
	struct host_part *part = &plan->hosts[i];

	pthread_mutex_lock(&p->lock);
	while (part->state == PART_WORKING)
		pthread_cond_wait(&p->ready, &p->lock);
	bool mine = part->state == PART_NEW;
	if (mine)
		part->state = PART_WORKING;
	pthread_mutex_unlock(&p->lock);
	if (!mine)
		return &part->facts;
	atomic_fetch_add(&p->hosts, 1);
	host_look_up(plan, part, plan->facts.dest.hosts[i].name);
	pthread_mutex_lock(&p->lock);
	part->state = PART_READY;
	pthread_cond_broadcast(&p->ready);
	pthread_mutex_unlock(&p->lock);
	return &part->facts;
}

void plans_stats_get(struct plans *p, struct plans_stats *out)
{
	*out = (struct plans_stats){.made = atomic_load(&p->made),
		.shared = atomic_load(&p->shared),
		.hosts = atomic_load(&p->hosts)};
}
