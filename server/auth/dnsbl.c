#include "auth/dnsbl.h"

#include "base/buf.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LOOKUP_MS = 5 * 1000, /* a list that is slow may not hold up mail. Our choice */
	KNOWN_MAX = 64,       /* zones that are remembered */
	TESTS = 4,            /* questions of a health check */
	BATCH = DNS_MANY_MAX / TESTS,
	PROBLEM_MAX = 300
};

struct known {
	char zone[DNS_NAME_MAX];
	enum dnsbl_health health;
	bool has_v4, has_v6; /* lists that the zone keeps */
	char problem[PROBLEM_MAX];
	int64_t checked_unix_s, until_mono_ms;
};

struct dnsbl {
	pthread_mutex_t lock;
	struct known known[KNOWN_MAX];
	size_t count;
};

struct dnsbl *dnsbl_open(void)
{
	struct dnsbl *d = mem_alloc(sizeof(*d));

	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void dnsbl_close(struct dnsbl **dp)
{
	struct dnsbl *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d);
}

const char *dnsbl_result_text(enum dnsbl_result r)
{
	switch (r) {
	case DNSBL_PASS:
		return "pass";
	case DNSBL_FAIL:
		return "fail";
	case DNSBL_TEMPERROR:
		return "temperror";
	case DNSBL_SKIPPED:
		return "skipped";
	}
	return "temperror";
}

const char *dnsbl_health_text(enum dnsbl_health h)
{
	switch (h) {
	case DNSBL_HEALTHY:
		return "healthy";
	case DNSBL_UNHEALTHY:
		return "unhealthy";
	case DNSBL_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

/* --- what is known --- */

void dnsbl_forget(struct dnsbl *d)
{
	pthread_mutex_lock(&d->lock);
	d->count = 0;
	pthread_mutex_unlock(&d->lock);
}

/* False: nothing, or it is too old. */
static bool known_get(struct dnsbl *d, const char *zone, struct known *out)
{
	bool found = false;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->count && !found; i++) {
		found = strcmp(d->known[i].zone, zone) == 0 &&
			d->known[i].until_mono_ms > clock_mono_ms();
		if (found)
			*out = d->known[i];
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

static void known_put(struct dnsbl *d, struct known *k)
{
	int64_t keep_s = k->health == DNSBL_HEALTHY ? DNSBL_HEALTHY_S : DNSBL_UNHEALTHY_S;
	size_t at = 0;

	k->checked_unix_s = clock_unix_s();
	k->until_mono_ms = clock_mono_ms() + keep_s * 1000;
	pthread_mutex_lock(&d->lock);
	while (at < d->count && strcmp(d->known[at].zone, k->zone) != 0)
		at++;
	if (at == KNOWN_MAX) { /* the one that is soonest of no use */
		at = 0;
		for (size_t i = 1; i < KNOWN_MAX; i++) {
			if (d->known[i].until_mono_ms < d->known[at].until_mono_ms)
				at = i;
		}
	} else if (at == d->count) {
		d->count++;
	}
	d->known[at] = *k;
	pthread_mutex_unlock(&d->lock);
}

/* --- answers --- */

struct listing {
	bool listed, refused, foreign; /* foreign: answers that are none of a list */
};

/* 127.0.0.0/8 says that it is listed. Of it 127.255.255.0/24 are by custom of the large lists
 * errors: our resolver is not welcome, or asks too much. */
static struct listing listing_read(const struct dns_answer *answer)
{
	struct listing out = {false, false, false};

	for (size_t i = 0; i < answer->count; i++) {
		const unsigned char *b = answer->records[i].ip.bytes;
		if (b[0] != 127)
			out.foreign = true;
		else if (b[1] == 255 && b[2] == 255)
			out.refused = true;
		else
			out.listed = true;
	}
	return out;
}

/* The name to ask for; NULL when it would be too long. */
static const char *question(struct arena *arena, const struct ip *ip, const char *zone)
{
	struct buf name = {NULL, 0, 0};

	for (size_t i = ip->len; i-- > 0;) {
		unsigned b = ip->bytes[i];
		if (ip->len == 4)
			buf_printf(&name, "%u.", b);
		else
			buf_printf(&name, "%x.%x.", b & 15, b >> 4);
	}
	buf_text(&name, zone);
	const char *out = arena_strdup(arena, buf_str(&name));
	buf_free(&name);
	return dns_name_askable(str_from(out)) ? out : NULL;
}

/* --- health, RFC 5782 section 5 --- */

static bool zone_read(struct str zone, char out[DNS_NAME_MAX])
{
	if (zone.len > 0 && zone.p[zone.len - 1] == '.')
		zone.len--;
	if (!str_copy(out, DNS_NAME_MAX, zone) || !dns_name_askable(str_from(out)))
		return false;
	str_lower(out, strlen(out));
	return true;
}

/* Test entries: listed, not listed; for IPv4 and as IPv4-mapped for IPv6. */
static bool tests_make(struct arena *arena, const char *zone, struct dns_request out[TESTS])
{
	struct ip ip = {.len = 4, .bytes = {127, 0, 0, 2}}, six = {.len = 16};

	for (size_t i = 0; i < TESTS; i++) {
		ip.bytes[3] = i % 2 == 0 ? 2 : 1;
		six.bytes[10] = six.bytes[11] = 255;
		memcpy(six.bytes + 12, ip.bytes, 4);
		out[i] = (struct dns_request){DNS_A, question(arena, i < 2 ? &ip : &six, zone)};
		if (out[i].name == NULL)
			return false;
	}
	return true;
}

static void known_set(struct known *k, enum dnsbl_health health, const char *problem)
{
	k->health = health;
	snprintf(k->problem, sizeof(k->problem), "%s", problem);
}

static void tests_judge(const struct dns_answer answers[TESTS], struct known *k)
{
	struct listing l[TESTS];
	bool foreign = false, refused = false;

	for (size_t i = 0; i < TESTS; i++) {
		l[i] = listing_read(&answers[i]);
		foreign = foreign || l[i].foreign;
		refused = refused || l[i].refused;
	}
	k->has_v4 = l[0].listed;
	k->has_v6 = l[2].listed;
	if (refused)
		known_set(k, DNSBL_UNHEALTHY,
			"it refuses to answer our resolver (an answer in 127.255.255.0/24)");
	else if (foreign)
		known_set(k, DNSBL_UNHEALTHY, "it answers with addresses outside of 127.0.0.0/8");
	else if (l[1].listed || l[3].listed)
		known_set(k, DNSBL_UNHEALTHY, "it lists 127.0.0.1, so probably everything");
	else if (dns_status_is_temporary(answers[0].status) ||
		 dns_status_is_temporary(answers[1].status))
		snprintf(k->problem, sizeof(k->problem), "it could not be asked: %s",
			dns_status_text(dns_status_is_temporary(answers[0].status)
						? answers[0].status
						: answers[1].status));
	else if (!k->has_v4 && !k->has_v6)
		known_set(k, DNSBL_UNHEALTHY,
			"it does not list the test entry 127.0.0.2, so it is not (or no longer) a "
			"list");
	else
		known_set(k, DNSBL_HEALTHY, "");
}

static struct dns_asker asker(const struct dns_asker *q)
{
	struct dns_asker out = *q;

	out.deadline = deadline_min(q->deadline, deadline_in_ms(LOOKUP_MS));
	return out;
}

/* Fills in health of those zones (at most BATCH) that is not known yet. */
static void health_find(struct dnsbl *d, const struct dns_asker *q, struct known *zones,
	size_t count, struct arena *arena)
{
	struct dns_request requests[BATCH * TESTS];
	struct dns_answer answers[BATCH * TESTS];
	struct known *asked[BATCH];
	struct dns_asker slow = asker(q);
	size_t n = 0;
	struct err err;

	for (size_t i = 0; i < count; i++) {
		struct known *k = &zones[i];
		if (k->zone[0] == '\0' || known_get(d, k->zone, k))
			continue;
		k->health = DNSBL_UNKNOWN;
		if (tests_make(arena, k->zone, requests + n * TESTS))
			asked[n++] = k;
		else
			known_set(k, DNSBL_UNHEALTHY, "its name is too long");
	}
	if (n == 0 || dns_ask_many(&slow, requests, n * TESTS, arena, answers, &err) < 0)
		return;
	if (q->unknown != NULL && *q->unknown)
		return; /* says nothing about the zones */
	for (size_t i = 0; i < n; i++) {
		tests_judge(answers + i * TESTS, asked[i]);
		known_put(d, asked[i]);
	}
}

static void state_fill(const struct known *k, struct arena *arena, struct dnsbl_zone_state *out)
{
	*out = (struct dnsbl_zone_state){.health = k->health,
		.problem = arena_str(arena, str_from(k->problem)),
		.checked_unix_s = k->checked_unix_s};
}

void dnsbl_zone_check(struct dnsbl *d, const struct dns_asker *q, struct str zone,
	struct arena *arena, struct dnsbl_zone_state *out)
{
	struct known k = {.health = DNSBL_UNHEALTHY, .problem = "it is not a domain name"};

	if (zone_read(zone, k.zone))
		health_find(d, q, &k, 1, arena);
	state_fill(&k, arena, out);
}

bool dnsbl_zone_known(
	struct dnsbl *d, struct str zone, struct arena *arena, struct dnsbl_zone_state *out)
{
	struct known k = {.health = DNSBL_UNKNOWN};

	if (!zone_read(zone, k.zone) || !known_get(d, k.zone, &k))
		return false;
	state_fill(&k, arena, out);
	return true;
}

/* --- checks --- */

static struct str codes_text(struct arena *arena, const struct dns_answer *answer)
{
	struct buf text = {NULL, 0, 0};
	char ip[IP_TEXT];

	for (size_t i = 0; i < answer->count; i++) {
		if (answer->records[i].ip.bytes[0] == 127)
			buf_printf(&text, "%s%s", text.len > 0 ? ", " : "",
				ip_text(&answer->records[i].ip, ip));
	}
	struct str out = arena_str(arena, buf_str(&text));
	buf_free(&text);
	return out;
}

static struct str reason_text(struct arena *arena, struct str txt)
{
	if (txt.len > DNSBL_REASON_MAX)
		txt.len = DNSBL_REASON_MAX;
	char *text = arena_strdup(arena, txt);
	for (size_t i = 0; i < txt.len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	}
	return (struct str){text, txt.len};
}

/* From the answer to the address question. */
static void answer_judge(
	const struct dns_answer *answer, struct arena *arena, struct dnsbl_verdict *v)
{
	struct listing l = listing_read(answer);

	v->authentic = answer->secure;
	if (dns_status_is_temporary(answer->status)) {
		v->result = DNSBL_TEMPERROR;
		v->problem = str_from(arena_printf(
			arena, "it could not be asked: %s", dns_status_text(answer->status)));
	} else if (l.listed) {
		v->result = DNSBL_FAIL;
		v->codes = codes_text(arena, answer);
	} else if (l.refused) {
		v->result = DNSBL_TEMPERROR;
		v->problem =
			STR("it refuses to answer our resolver (an answer in 127.255.255.0/24)");
	} else {
		v->result = DNSBL_PASS;
	}
	if (l.foreign && v->problem.len == 0)
		v->problem = STR("answers outside of 127.0.0.0/8 were ignored");
}

/* Zones to be asked get their question; the others their verdict. */
static size_t questions_make(const struct ip *ip, const struct known *zones, size_t count,
	struct arena *arena, struct dnsbl_verdict *out, struct dns_request *requests, size_t *asked)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct known *k = &zones[i];
		bool kept = ip->len == 4 ? k->has_v4 : k->has_v6;
		const char *name = question(arena, ip, k->zone);
		out[i].result = k->health == DNSBL_UNKNOWN ? DNSBL_TEMPERROR : DNSBL_SKIPPED;
		out[i].problem = arena_str(arena, str_from(k->problem));
		if (k->health != DNSBL_HEALTHY)
			continue;
		if (!kept || name == NULL) {
			out[i].problem = ip->len == 4 ? STR("it has no list of IPv4 addresses")
						      : STR("it has no list of IPv6 addresses");
			continue;
		}
		requests[n] = (struct dns_request){DNS_A, name};
		asked[n++] = i;
	}
	return n;
}

static void zones_ask(const struct dns_asker *q, const struct ip *ip, const struct known *zones,
	size_t count, struct arena *arena, struct dnsbl_verdict *out)
{
	struct dns_request requests[DNSBL_ZONES_MAX];
	struct dns_answer answers[DNSBL_ZONES_MAX];
	size_t asked[DNSBL_ZONES_MAX], listed = 0;
	struct dns_asker slow = asker(q);
	struct err err;

	size_t n = questions_make(ip, zones, count, arena, out, requests, asked);
	if (n == 0 || dns_ask_many(&slow, requests, n, arena, answers, &err) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct dnsbl_verdict *v = &out[asked[i]];
		answer_judge(&answers[i], arena, v);
		if (v->result == DNSBL_FAIL) { /* requests[listed] was used already */
			requests[listed] = (struct dns_request){DNS_TXT, requests[i].name};
			asked[listed++] = asked[i];
		}
	}
	slow = asker(q);
	if (listed == 0 || dns_ask_many(&slow, requests, listed, arena, answers, &err) < 0)
		return;
	for (size_t i = 0; i < listed; i++) {
		if (answers[i].count > 0)
			out[asked[i]].reason = reason_text(arena, answers[i].records[0].data);
	}
}

static void steps_note(const struct dns_asker *q, const struct ip *ip, size_t count,
	struct arena *arena, const struct dnsbl_verdict *out, int64_t begin_ms)
{
	static const enum trace_state states[] = {[DNSBL_PASS] = TRACE_OK,
		[DNSBL_FAIL] = TRACE_BAD,
		[DNSBL_TEMPERROR] = TRACE_WARN,
		[DNSBL_SKIPPED] = TRACE_WARN};
	char text[IP_TEXT];

	for (size_t i = 0; i < count && q->trace != NULL; i++) {
		const struct dnsbl_verdict *v = &out[i];
		const char *words =
			v->result == DNSBL_PASS
				? arena_printf(arena, "%s is not listed.", ip_text(ip, text))
			: v->result == DNSBL_FAIL
				? arena_printf(arena, "%s is listed (%.*s).", ip_text(ip, text),
					  STR_FMT(v->codes))
				: arena_printf(arena, "Not counted: %.*s.", STR_FMT(v->problem));
		trace_add(q->trace,
			&(struct trace_step){.kind = "dnsbl",
				.title = str_from(
					arena_printf(arena, "Block list %.*s", STR_FMT(v->zone))),
				.state = states[v->result],
				.result = str_from(dnsbl_result_text(v->result)),
				.dnssec = v->authentic ? TRACE_SECURE : TRACE_DNSSEC_NONE,
				.text = str_from(words),
				.detail = &v->reason,
				.detail_count = v->reason.len > 0,
				.took_ms = clock_mono_ms() - begin_ms});
	}
}

size_t dnsbl_check(struct dnsbl *d, const struct dns_asker *q, const struct ip *ip,
	const struct str *zones, size_t count, struct arena *arena, struct dnsbl_verdict *out)
{
	int64_t begin_ms = clock_mono_ms();

	if (count > DNSBL_ZONES_MAX)
		count = DNSBL_ZONES_MAX;
	struct known *known = arena_alloc(arena, (count + 1) * sizeof(*known));
	for (size_t i = 0; i < count; i++) {
		out[i] = (struct dnsbl_verdict){
			.zone = zones[i], .codes = {"", 0}, .reason = {"", 0}, .problem = {"", 0}};
		if (!zone_read(zones[i], known[i].zone)) {
			known[i].zone[0] = '\0';
			known_set(&known[i], DNSBL_UNHEALTHY, "it is not a domain name");
		}
	}
	for (size_t i = 0; i < count; i += BATCH)
		health_find(d, q, known + i, count - i < BATCH ? count - i : BATCH, arena);
	zones_ask(q, ip, known, count, arena, out);
	steps_note(q, ip, count, arena, out, begin_ms);
	return count;
}
