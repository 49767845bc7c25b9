/* Policies are renewed ahead of their end, spread over hours, so that a domain's trouble of a
 * day does not weaken its mail and nobody is asked by all at once (RFC 8461 section 3.3). */
#include "policy/mtasts_priv.h"

#include "base/log.h"
#include "base/rand.h"

#include <time.h>

enum {
	PLAN_MAX = 100000, /* domains a day; the oldest first, the others wait for the next */
	SLEEP_MAX_S = 60   /* the clock may be set meanwhile */
};

/* Confirms or replaces the row's policy. The caller has the domain's flight. */
static int row_refresh(struct mtasts *m, const struct store_mtasts *row,
	const struct dns_asker *ask, struct arena *a, struct err *err)
{
	const char *domain = arena_strdup(a, row->domain);
	struct store_mtasts next = *row;
	struct mtasts_lookup l;
	bool changed, none = row->mode == STORE_MTASTS_MODE_NONE;

	if (mtasts_record_get(domain, ask, a, &l, err) < 0)
		return -1;
	bool record_ok = l.status == MTASTS_OK;
	if (record_ok && !row->backoff && row->text.len > 0 &&
		str_eq(l.record.id, row->record_id)) {
		next.updated_s = clock_unix_s();
		next.valid_until_s = next.updated_s + row->max_age_s;
		next.failed_s = 0;
		next.reason = STR("");
		return store_mtasts_refreshed(m->opt.store, &next, row->updated_s, &changed, err);
	}
	if (!record_ok && none) {
		if (l.status == MTASTS_NO_RECORD)
			return store_mtasts_delete(m->opt.store, row->domain, &changed, err);
		return 0;
	}
	if (!record_ok)
		log_event(LOG_LEVEL_WARN, "mtasts.refresh_record", "domain", domain, "error",
			l.text, NULL);
	struct str id = record_ok ? l.record.id : row->record_id;
	if (mtasts_policy_fetch(m, domain, ask, a, &l, err) < 0)
		return -1;
	if (l.status != MTASTS_OK) {
		if (!(none && l.status == MTASTS_NO_POLICY) && l.http.outcome != HTTP_CANCELLED)
			log_event(LOG_LEVEL_WARN, "mtasts.refresh_failed", "domain", domain,
				"error", l.text, NULL);
		return 0;
	}
	l.record.id = id;
	mtasts_row_make(domain, &l, clock_unix_s(), &next);
	return store_mtasts_refreshed(m->opt.store, &next, row->updated_s, &changed, err);
}

/* The caller's own flight for the domain, or NULL: the deadline passed. */
static struct mtasts_flight *own_flight(
	struct mtasts *m, const char *domain, struct deadline deadline)
{
	for (;;) {
		struct mtasts_flight *f = mtasts_flight_enter(m, domain, deadline);
		if (f == NULL || !f->done)
			return f;
		mtasts_flight_leave(m, f);
	}
}

static void domain_refresh(struct mtasts *m, const char *domain)
{
	struct arena *a = arena_open();
	struct dns_asker ask = {
		.dns = m->opt.dns, .deadline = deadline_in_ms(MTASTS_FETCH_MS), .trace = NULL};
	struct mtasts_flight *f = own_flight(m, domain, ask.deadline);
	struct store_mtasts row;
	struct err err;
	int rc = 0;

	if (f != NULL) {
		rc = store_mtasts_find(m->opt.store, str_from(domain), a, &row, &err);
		if (rc == 1)
			rc = row_refresh(m, &row, &ask, a, &err);
		mtasts_flight_land(m, f, NULL, 0, NULL);
	}
	if (rc < 0)
		log_event(LOG_LEVEL_ERROR, "mtasts.refresh", "domain", domain, "error", err.text,
			NULL);
	arena_close(&a);
}

/* --- the plan of a day --- */

static void shuffle(struct str *domains, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = rand_below((uint32_t)i);
		struct str kept = domains[i - 1];
		domains[i - 1] = domains[j];
		domains[j] = kept;
	}
}

/* The first at once, the others each within half a step of its place in the three hours. */
static void times_fill(struct mtasts_plan *p, int64_t now_s)
{
	int64_t step_ms =
		p->count > 1 ? (int64_t)MTASTS_REFRESH_SPREAD_S * 1000 / (int64_t)(p->count - 1)
			     : 0;

	for (size_t i = 0; i < p->count; i++) {
		int64_t jitter_ms = i > 0 && step_ms > 0
					    ? (int64_t)rand_below((uint32_t)step_ms) - step_ms / 2
					    : 0;
		p->due_s[i] = now_s + ((int64_t)i * step_ms + jitter_ms) / 1000;
	}
}

/* Deletes what nobody uses and plans what is to be refreshed. m->lock is held by nobody. */
static int plan_make(struct mtasts *m, int64_t now_s, struct mtasts_plan *p, struct err *err)
{
	int64_t unused_s = (int64_t)MTASTS_UNUSED_DAYS * 86400;
	size_t purged;

	*p = (struct mtasts_plan){
		.arena = arena_open(), .next_pass_s = now_s + MTASTS_REFRESH_EVERY_S};
	if (store_mtasts_purge(m->opt.store, now_s - unused_s, &purged, err) < 0 ||
		store_mtasts_stale(m->opt.store, now_s - MTASTS_REFRESH_AGE_S, PLAN_MAX, p->arena,
			&p->domains, &p->count, err) < 0) {
		arena_close(&p->arena);
		return -1;
	}
	shuffle(p->domains, p->count);
	p->due_s = arena_alloc(p->arena, (p->count + 1) * sizeof(*p->due_s));
	times_fill(p, now_s);
	return 0;
}

/* Takes the next domain that is due: 1; 0: none is, *next_s says when; -1 the store failed. */
static int plan_next(struct mtasts *m, char domain[DNS_NAME_MAX], int64_t *next_s, struct err *err)
{
	struct mtasts_plan *p = &m->plan;
	int64_t now_s = clock_unix_s();
	struct mtasts_plan fresh;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (p->at == p->count && now_s >= p->next_pass_s) {
		/* Nobody else makes one meanwhile. */
		p->next_pass_s = now_s + MTASTS_REFRESH_EVERY_S;
		pthread_mutex_unlock(&m->lock);
		rc = plan_make(m, now_s, &fresh, err);
		pthread_mutex_lock(&m->lock);
		if (rc == 0) {
			arena_close(&p->arena);
			*p = fresh;
		}
	}
	if (rc == 0 && p->at < p->count && p->due_s[p->at] <= now_s) {
		(void)str_copy(domain, DNS_NAME_MAX, p->domains[p->at++]);
		rc = 1;
	}
	*next_s = rc == 1 ? now_s : p->at < p->count ? p->due_s[p->at] : p->next_pass_s;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int mtasts_refresh_step(struct mtasts *m, int64_t *next_s, struct err *err)
{
	char domain[DNS_NAME_MAX];
	int rc;

	while ((rc = plan_next(m, domain, next_s, err)) == 1) {
		domain_refresh(m, domain);
		pthread_mutex_lock(&m->lock);
		bool stopping = m->stopping;
		pthread_mutex_unlock(&m->lock);
		if (stopping)
			return 0;
	}
	return rc;
}

void *mtasts_refresh_run(void *arg)
{
	struct mtasts *m = arg;
	int64_t next_s;
	struct err err;

	pthread_mutex_lock(&m->lock);
	while (!m->stopping) {
		pthread_mutex_unlock(&m->lock);
		if (mtasts_refresh_step(m, &next_s, &err) < 0)
			log_event(LOG_LEVEL_ERROR, "mtasts.refresh", "error", err.text, NULL);
		int64_t sleep_s = next_s - clock_unix_s();
		sleep_s = sleep_s < 1 ? 1 : sleep_s > SLEEP_MAX_S ? SLEEP_MAX_S : sleep_s;
		int64_t until_ms = clock_mono_ms() + sleep_s * 1000;
		struct timespec until = {
			.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
		pthread_mutex_lock(&m->lock);
		if (!m->stopping)
			(void)pthread_cond_timedwait(&m->wake, &m->lock, &until);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* --- by hand --- */

static int refresh_alone(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err)
{
	struct store_mtasts row, next;
	bool changed;
	int rc = store_mtasts_find(m->opt.store, str_from(domain), a, &row, err);

	if (rc < 0 || mtasts_lookup(m, domain, ask, a, out, err) < 0)
		return -1;
	int64_t now_s = clock_unix_s();
	bool valid = rc == 1 && row.valid_until_s > now_s && !row.backoff;
	switch (out->status) {
	case MTASTS_OK:
		break;
	case MTASTS_NO_RECORD:
		/* A policy outlives its record, unless it asks for nothing. */
		if (rc == 1 && (!valid || row.mode == STORE_MTASTS_MODE_NONE))
			return store_mtasts_delete(m->opt.store, row.domain, &changed, err);
		return 0;
	case MTASTS_DNS:
	case MTASTS_RECORD_SYNTAX:
	case MTASTS_MULTIPLE:
		return 0;
	case MTASTS_NO_POLICY:
	case MTASTS_FETCH:
	case MTASTS_POLICY_SYNTAX:
		if (!valid)
			break;
		next = row;
		next.failed_s = now_s;
		next.reason = str_from(out->text);
		return store_mtasts_refreshed(m->opt.store, &next, row.updated_s, &changed, err);
	}
	mtasts_row_make(domain, out, now_s, &next);
	if (rc == 1)
		next.used_s = row.used_s; /* nobody sent mail */
	return store_mtasts_put(m->opt.store, &next, err);
}

int mtasts_refresh(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err)
{
	struct mtasts_flight *f = own_flight(m, domain, ask->deadline);

	if (f == NULL)
		return err_set(err, ERR_TEMP, "MTA-STS: %s is being looked up already", domain);
	int rc = refresh_alone(m, domain, ask, a, out, err);
	mtasts_flight_land(m, f, NULL, 0, NULL);
	return rc;
}
