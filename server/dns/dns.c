#include "dns/internal.h"

#include "base/mem.h"
#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct dns { /* resolver with its cache, or fixture */
	struct resolver *resolver;
	struct dns_cache *cache;
	struct fixture *fixture;
};

int dns_open(const struct dns_options *opt, struct dns **out, struct err *err)
{
	struct resolver *resolver;

	*out = NULL;
	if (resolver_open(opt, &resolver, err) < 0)
		return -1;
	*out = mem_alloc(sizeof(**out));
	(*out)->resolver = resolver;
	(*out)->cache = dns_cache_open();
	return 0;
}

int dns_open_fixture(struct str text, struct dns **out, struct err *err)
{
	struct fixture *fixture;

	*out = NULL;
	if (fixture_open(text, &fixture, err) < 0)
		return -1;
	*out = mem_alloc(sizeof(**out));
	(*out)->fixture = fixture;
	return 0;
}

void dns_close(struct dns **dp)
{
	struct dns *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	resolver_close(&d->resolver);
	dns_cache_close(&d->cache);
	fixture_close(&d->fixture);
	free(d);
}

void dns_cancel(struct dns *d)
{
	if (d->resolver != NULL)
		resolver_cancel(d->resolver);
}

/* As if the questions went out together: the slowest tells how long it takes. */
static void fixture_ask_many(const struct fixture *f, const struct dns_request *requests,
	size_t count, struct deadline deadline, struct arena *arena, struct dns_answer *answers)
{
	int64_t left_ms = deadline_left_ms(deadline), wait_ms = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t ms = fixture_delay_ms(f, requests[i].type, requests[i].name);
		fixture_ask(f, requests[i].type, requests[i].name, arena, &answers[i]);
		if (ms > 0 && ms >= left_ms) {
			ms = left_ms;
			answers[i] = (struct dns_answer){.status = DNS_TIMEOUT,
				.ede = DNS_EDE_UNKNOWN,
				.reason = STR("no answer in time"),
				.canonical = answers[i].canonical};
		}
		wait_ms = ms > wait_ms ? ms : wait_ms;
	}
	if (wait_ms > 0)
		nanosleep(&(struct timespec){.tv_sec = wait_ms / 1000,
				  .tv_nsec = wait_ms % 1000 * 1000000},
			NULL);
}

static enum metric_dns_type metric_type(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return METRIC_DNS_A;
	case DNS_AAAA:
		return METRIC_DNS_AAAA;
	case DNS_MX:
		return METRIC_DNS_MX;
	case DNS_TXT:
		return METRIC_DNS_TXT;
	case DNS_PTR:
		return METRIC_DNS_PTR;
	case DNS_TLSA:
		return METRIC_DNS_TLSA;
	case DNS_CNAME:
		return METRIC_DNS_CNAME;
	case DNS_NS:
	case DNS_SRV:
	case DNS_CAA:
		break;
	}
	return METRIC_DNS_OTHER;
}

/* Fills in what is in memory; says which requests are not. */
static size_t cache_read(struct dns *d, const struct dns_request *requests, size_t count,
	struct arena *arena, struct dns_answer *answers, size_t missing[DNS_MANY_MAX])
{
	int64_t now_ms = clock_mono_ms();
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (!dns_cache_get(d->cache, &requests[i], now_ms, arena, &answers[i]))
			missing[n++] = i;
	}
	return n;
}

/* From memory, and the rest from libunbound. */
static void resolve(struct dns *d, const struct dns_request *requests, size_t count,
	struct deadline deadline, struct arena *arena, struct dns_answer *answers)
{
	struct dns_request asked[DNS_MANY_MAX];
	struct dns_answer got[DNS_MANY_MAX];
	size_t missing[DNS_MANY_MAX];
	size_t n = cache_read(d, requests, count, arena, answers, missing);

	metric_add(METRIC_DNS_CACHE, METRIC_CACHE_HIT, 0, (int64_t)(count - n));
	metric_add(METRIC_DNS_CACHE, METRIC_CACHE_MISS, 0, (int64_t)n);
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		asked[i] = requests[missing[i]];
	resolver_ask(d->resolver, asked, n, deadline, arena, got);
	int64_t now_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++) {
		dns_cache_put(d->cache, &asked[i], now_ms, &got[i]);
		answers[missing[i]] = got[i];
	}
}

/* Only from memory: false when one of the answers is not there. The answers of a fixture that
 * take no time are. */
static bool recall(struct dns *d, const struct dns_request *requests, size_t count,
	struct arena *arena, struct dns_answer *answers)
{
	size_t missing[DNS_MANY_MAX];

	if (d->resolver != NULL) {
		if (cache_read(d, requests, count, arena, answers, missing) > 0)
			return false;
		metric_add(METRIC_DNS_CACHE, METRIC_CACHE_HIT, 0, (int64_t)count);
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (fixture_delay_ms(d->fixture, requests[i].type, requests[i].name) > 0)
			return false;
		fixture_ask(d->fixture, requests[i].type, requests[i].name, arena, &answers[i]);
	}
	return true;
}

static void unknown_set(const struct dns_way *way, const struct dns_request *requests, size_t count,
	struct arena *arena, struct dns_answer *answers)
{
	*way->unknown = true;
	for (size_t i = 0; i < count; i++)
		answers[i] = (struct dns_answer){.status = DNS_FAILED,
			.ede = DNS_EDE_UNKNOWN,
			.reason = STR("not in memory"),
			.canonical = arena_str(arena, str_from(requests[i].name))};
}

static void answers_done(const struct dns_request *requests, size_t count, int64_t begin_us,
	struct dns_answer *answers)
{
	int64_t took_us = clock_mono_us() - begin_us;

	for (size_t i = 0; i < count; i++) {
		metric_inc(METRIC_DNS_LOOKUPS, metric_type(requests[i].type),
			(unsigned)answers[i].status);
		metric_observe(METRIC_DNS_SECONDS, 0, took_us);
		if (requests[i].type == DNS_MX || requests[i].type == DNS_SRV)
			dns_records_sort(answers[i].records, answers[i].count);
	}
}

int dns_lookup_way(struct dns *d, const struct dns_request *requests, size_t count,
	const struct dns_way *way, struct arena *arena, struct dns_answer *answers, struct err *err)
{
	if (count > DNS_MANY_MAX)
		return err_set(err, ERR_BUG, "dns: %zu look-ups at once", count);
	for (size_t i = 0; i < count; i++) {
		if (!dns_name_askable(str_from(requests[i].name)))
			return err_set(err, ERR_BUG, "dns: \"%.300s\" cannot be asked for",
				requests[i].name);
	}
	int64_t begin_us = clock_mono_us();
	if (way->unknown != NULL && !recall(d, requests, count, arena, answers)) {
		unknown_set(way, requests, count, arena, answers);
		return 0;
	}
	if (way->unknown == NULL && d->resolver != NULL)
		resolve(d, requests, count, way->deadline, arena, answers);
	else if (way->unknown == NULL)
		fixture_ask_many(d->fixture, requests, count, way->deadline, arena, answers);
	answers_done(requests, count, begin_us, answers);
	return 0;
}

int dns_lookup_many(struct dns *d, const struct dns_request *requests, size_t count,
	struct deadline deadline, struct arena *arena, struct dns_answer *answers, struct err *err)
{
	return dns_lookup_way(
		d, requests, count, &(struct dns_way){.deadline = deadline}, arena, answers, err);
}

int dns_lookup(struct dns *d, enum dns_type type, const char *name, struct deadline deadline,
	struct arena *arena, struct dns_answer *answer, struct err *err)
{
	struct dns_request request = {type, name};

	return dns_lookup_many(d, &request, 1, deadline, arena, answer, err);
}

/* Which of two answers without records says more: what may change with time first. */
static unsigned gravity(enum dns_status s)
{
	switch (s) {
	case DNS_BOGUS:
		return 5;
	case DNS_TIMEOUT:
		return 4;
	case DNS_FAILED:
		return 3;
	case DNS_NODATA: /* the name exists, so the other's NXDOMAIN cannot be */
		return 2;
	case DNS_NXDOMAIN:
		return 1;
	case DNS_OK:
		return 6;
	}
	return 0;
}

static void answers_join(struct arena *a, const struct dns_answer parts[2], struct dns_answer *out)
{
	const struct dns_answer *main =
		gravity(parts[1].status) > gravity(parts[0].status) ? &parts[1] : &parts[0];

	*out = *main;
	out->secure = parts[0].secure && parts[1].secure;
	out->ttl_s = parts[0].ttl_s < parts[1].ttl_s ? parts[0].ttl_s : parts[1].ttl_s;
	out->count = 0;
	out->records =
		arena_alloc(a, (parts[0].count + parts[1].count + 1) * sizeof(*out->records));
	for (size_t p = 0; p < 2; p++) {
		for (size_t i = 0; i < parts[p].count; i++)
			out->records[out->count++] = parts[p].records[i];
	}
}

int dns_addr_way(struct dns *d, const char *name, const struct dns_way *way, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	const struct dns_request requests[2] = {{DNS_A, name}, {DNS_AAAA, name}};
	struct dns_answer parts[2];
	struct ip ip;

	if (ip_parse(str_from(name), &ip)) {
		*answer = (struct dns_answer){.status = DNS_OK,
			.ede = DNS_EDE_UNKNOWN,
			.reason = STR(""),
			.canonical = arena_str(arena, str_from(name)),
			.records = arena_alloc(arena, sizeof(*answer->records)),
			.count = 1};
		answer->records[0] = (struct dns_record){
			.name = STR(""), .data = STR(""), .tag = STR(""), .ip = ip};
		return 0;
	}
	if (dns_lookup_way(d, requests, 2, way, arena, parts, err) < 0)
		return -1;
	answers_join(arena, parts, answer);
	return 0;
}

int dns_addr(struct dns *d, const char *name, struct deadline deadline, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	return dns_addr_way(d, name, &(struct dns_way){.deadline = deadline}, arena, answer, err);
}

int dns_ptr_way(struct dns *d, const struct ip *ip, const struct dns_way *way, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	char name[80]; /* 32 nibbles with dots and "ip6.arpa" */
	size_t at = 0;

	if (ip->len != 4 && ip->len != 16)
		return err_set(err, ERR_BUG, "dns: PTR of no address");
	for (size_t i = ip->len; i-- > 0;) {
		unsigned b = ip->bytes[i];
		at += (size_t)(ip->len == 4 ? snprintf(name + at, sizeof(name) - at, "%u.", b)
					    : snprintf(name + at, sizeof(name) - at, "%x.%x.",
						      b & 15, b >> 4));
	}
	snprintf(name + at, sizeof(name) - at, "%s", ip->len == 4 ? "in-addr.arpa" : "ip6.arpa");
	return dns_lookup_way(d, &(struct dns_request){DNS_PTR, name}, 1, way, arena, answer, err);
}

int dns_ptr(struct dns *d, const struct ip *ip, struct deadline deadline, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	return dns_ptr_way(d, ip, &(struct dns_way){.deadline = deadline}, arena, answer, err);
}
