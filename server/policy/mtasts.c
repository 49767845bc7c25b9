/* The policy that counts for a domain: cache first, the domain's own word where it differs. */
#include "policy/mtasts_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

static const char fallback[] = "+fallback-to-cached-policy";
static const char backing_off[] = "back-off-after-recent-fetch-error";

struct mtasts *mtasts_open(const struct mtasts_options *opt)
{
	struct mtasts *m = mem_alloc(sizeof(*m));

	m->opt = *opt;
	pthread_mutex_init(&m->lock, NULL);
	cond_init(&m->landed);
	cond_init(&m->wake);
	return m;
}

int mtasts_start(struct mtasts *m, struct err *err)
{
	while (m->thread_count < MTASTS_REFRESHERS) {
		if (thread_spawn(
			    &m->threads[m->thread_count], "mtasts", mtasts_refresh_run, m, err) < 0)
			return -1;
		m->thread_count++;
	}
	return 0;
}

void mtasts_close(struct mtasts **mp)
{
	struct mtasts *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	pthread_cond_broadcast(&m->wake);
	pthread_mutex_unlock(&m->lock);
	for (size_t i = 0; i < m->thread_count; i++)
		pthread_join(m->threads[i], NULL);
	arena_close(&m->plan.arena);
	pthread_cond_destroy(&m->landed);
	pthread_cond_destroy(&m->wake);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void mtasts_stats_get(struct mtasts *m, struct mtasts_stats *out)
{
	*out = (struct mtasts_stats){.lookups = atomic_load(&m->lookups),
		.fetches = atomic_load(&m->fetches),
		.fetch_failures = atomic_load(&m->fetch_failures),
		.waited = atomic_load(&m->waited)};
}

/* --- rows --- */

bool mtasts_row_policy(struct arena *a, const struct store_mtasts *row, struct mtasts_policy *out)
{
	struct err ignored;

	return !row->backoff && row->text.len > 0 &&
	       mtasts_policy_parse(a, row->text, out, &ignored) == 0;
}

static int mode_of(enum mtasts_mode mode)
{
	switch (mode) {
	case MTASTS_NONE:
		return STORE_MTASTS_MODE_NONE;
	case MTASTS_TESTING:
		return STORE_MTASTS_MODE_TESTING;
	case MTASTS_ENFORCE:
		return STORE_MTASTS_MODE_ENFORCE;
	}
	return STORE_MTASTS_MODE_NONE;
}

void mtasts_row_make(
	const char *domain, const struct mtasts_lookup *l, int64_t now_s, struct store_mtasts *row)
{
	bool ok = l->has_policy;

	*row = (struct store_mtasts){.domain = str_from(domain),
		.record_id = l->record.id,
		.text = ok ? l->policy.text : STR(""),
		.mode = ok ? mode_of(l->policy.mode) : STORE_MTASTS_MODE_NONE,
		.max_age_s = ok ? l->policy.max_age_s : MTASTS_BACKOFF_S,
		.inserted_s = now_s,
		.updated_s = now_s,
		.used_s = now_s,
		.backoff = !ok,
		.failed_s = ok ? 0 : now_s,
		.reason = ok ? STR("") : str_from(l->text)};
	row->valid_until_s = now_s + row->max_age_s;
}

/* --- what was found --- */

static void found_policy(struct mtasts_found *out, const struct mtasts_policy *policy,
	struct str record_id, bool fresh)
{
	out->has_policy = true;
	out->policy = *policy;
	out->record_id = record_id;
	out->fresh = fresh;
	/* Mode none is the wish to be treated as if there were no policy. */
	out->report_sts = policy->mode != MTASTS_NONE;
}

static void found_fact(struct mtasts_found *out, const struct mtasts_lookup *l, const char *suffix)
{
	out->fact = l->fact;
	snprintf(out->reason, sizeof(out->reason), "%s", l->reason);
	size_t len = strlen(out->reason), room = sizeof(out->reason) - len;
	if (strlen(suffix) < room)
		snprintf(out->reason + len, room, "%s", suffix);
	snprintf(out->text, sizeof(out->text), "%s", l->text);
}

static int temporary(const struct mtasts_lookup *l, struct err *err)
{
	return err_set(err, ERR_TEMP, "MTA-STS: %s", l->text);
}

/* The cache has nothing (valid) for the domain. */
static int get_new(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_found *out, struct err *err)
{
	struct store_mtasts row;
	struct mtasts_lookup l;

	out->fresh = true;
	if (mtasts_lookup(m, domain, ask, a, &l, err) < 0)
		return -1;
	switch (l.status) {
	case MTASTS_OK:
		found_policy(out, &l.policy, l.record.id, true);
		break;
	case MTASTS_NO_RECORD:
		snprintf(out->text, sizeof(out->text), "%s", l.text);
		return 0;
	case MTASTS_DNS:
		out->report_sts = true;
		found_fact(out, &l, "");
		return temporary(&l, err);
	case MTASTS_RECORD_SYNTAX:
	case MTASTS_MULTIPLE:
		out->report_sts = true;
		found_fact(out, &l, "");
		return 0;
	case MTASTS_NO_POLICY:
	case MTASTS_FETCH:
	case MTASTS_POLICY_SYNTAX:
		out->report_sts = true;
		found_fact(out, &l, "");
		if (l.http.outcome == HTTP_CANCELLED)
			return temporary(&l, err);
		break;
	}
	int64_t now_s = clock_unix_s();
	mtasts_row_make(domain, &l, now_s, &row);
	out->updated_s = now_s;
	out->expires_s = row.valid_until_s;
	return store_mtasts_put(m->opt.store, &row, err);
}

/* The row's policy stays; why it was not replaced goes into the report. */
static void keep_cached(struct mtasts_found *out, const struct store_mtasts *row,
	const struct mtasts_policy *policy, const struct mtasts_lookup *l)
{
	found_policy(out, policy, row->record_id, false);
	out->updated_s = row->updated_s;
	out->expires_s = row->valid_until_s;
	found_fact(out, l, policy->mode != MTASTS_NONE ? fallback : "");
	if (policy->mode == MTASTS_NONE)
		out->fact = TLS_RESULT_SUCCESS; /* there is no policy to report about */
}

/* The TXT record was not to be had. */
static int get_unconfirmed(struct mtasts *m, const struct store_mtasts *row,
	const struct mtasts_policy *policy, const struct mtasts_lookup *l, struct mtasts_found *out,
	struct err *err)
{
	char domain[DNS_NAME_MAX];
	bool gone;

	(void)str_copy(domain, sizeof(domain), row->domain);
	if (policy->mode == MTASTS_NONE && l->status == MTASTS_NO_RECORD) {
		out->fresh = true;
		snprintf(out->text, sizeof(out->text), "%s", l->text);
		return store_mtasts_delete(m->opt.store, row->domain, &gone, err);
	}
	if (policy->mode != MTASTS_NONE && l->status == MTASTS_NO_RECORD)
		log_event(LOG_LEVEL_WARN, "mtasts.record_gone", "domain", domain, "hint",
			"an attack, or the domain gave MTA-STS up without saying mode none first",
			NULL);
	keep_cached(out, row, policy, l);
	return 0;
}

/* The record has another id: the policy is fetched, but not again right after a failure. */
static int get_changed(struct mtasts *m, const struct store_mtasts *row,
	const struct mtasts_policy *policy, struct mtasts_lookup *l, const struct dns_asker *ask,
	struct arena *a, struct mtasts_found *out, struct err *err)
{
	const char *domain = arena_strdup(a, row->domain);
	struct dns_asker q = *ask;
	struct store_mtasts next;
	int64_t now_s = clock_unix_s();
	bool changed;

	q.deadline = deadline_min(q.deadline, deadline_in_ms(MTASTS_DNS_MS));
	if (row->failed_s > 0 && now_s - row->failed_s < MTASTS_BACKOFF_S) {
		l->fact = TLS_RESULT_STS_POLICY_FETCH_ERROR;
		snprintf(l->reason, sizeof(l->reason), "%s", backing_off);
		snprintf(l->text, sizeof(l->text), "%.*s", STR_FMT(row->reason));
		keep_cached(out, row, policy, l);
		return 0;
	}
	if (mtasts_policy_fetch(m, domain, &q, a, l, err) < 0)
		return -1;
	now_s = clock_unix_s();
	if (l->status == MTASTS_OK) {
		mtasts_row_make(domain, l, now_s, &next);
		found_policy(out, &l->policy, l->record.id, true);
		out->updated_s = now_s;
		out->expires_s = next.valid_until_s;
		return store_mtasts_put(m->opt.store, &next, err);
	}
	keep_cached(out, row, policy, l);
	if (l->http.outcome == HTTP_CANCELLED)
		return 0;
	next = *row;
	next.failed_s = now_s;
	next.reason = str_from(l->text);
	return store_mtasts_refreshed(m->opt.store, &next, row->updated_s, &changed, err);
}

static int get_cached(struct mtasts *m, const struct store_mtasts *row, const struct dns_asker *ask,
	struct arena *a, struct mtasts_found *out, struct err *err)
{
	const char *domain = arena_strdup(a, row->domain);
	struct mtasts_policy policy;
	struct mtasts_lookup l;
	int64_t now_s = clock_unix_s();

	if (now_s - row->used_s >= MTASTS_USED_STEP_S &&
		store_mtasts_used(m->opt.store, row->domain, now_s, err) < 0)
		return -1;
	if (row->backoff) {
		out->report_sts = true;
		out->fact = TLS_RESULT_STS_POLICY_FETCH_ERROR;
		out->updated_s = row->updated_s;
		snprintf(out->reason, sizeof(out->reason), "%s", backing_off);
		snprintf(out->text, sizeof(out->text), "%.*s", STR_FMT(row->reason));
		return 0;
	}
	if (!mtasts_row_policy(a, row, &policy))
		return get_new(m, domain, ask, a, out, err);
	if (mtasts_record_get(domain, ask, a, &l, err) < 0)
		return -1;
	if (l.status != MTASTS_OK)
		return get_unconfirmed(m, row, &policy, &l, out, err);
	if (!str_eq(l.record.id, row->record_id))
		return get_changed(m, row, &policy, &l, ask, a, out, err);
	found_policy(out, &policy, row->record_id, true);
	out->updated_s = row->updated_s;
	out->expires_s = row->valid_until_s;
	return 0;
}

static int get_alone(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_found *out, struct err *err)
{
	struct store_mtasts row;

	*out = (struct mtasts_found){.fact = TLS_RESULT_SUCCESS};
	atomic_fetch_add(&m->lookups, 1);
	int rc = store_mtasts_find(m->opt.store, str_from(domain), a, &row, err);
	if (rc < 0)
		return -1;
	if (rc == 1 && row.valid_until_s > clock_unix_s())
		return get_cached(m, &row, ask, a, out, err);
	return get_new(m, domain, ask, a, out, err);
}

/* --- for people --- */

static struct str age_text(struct arena *a, int64_t age_s)
{
	if (age_s < 120)
		return str_from(arena_printf(a, "%lld s", (long long)(age_s > 0 ? age_s : 0)));
	if (age_s < 2 * 3600)
		return str_from(arena_printf(a, "%lld min", (long long)(age_s / 60)));
	if (age_s < 2 * 86400)
		return str_from(arena_printf(a, "%lld h", (long long)(age_s / 3600)));
	return str_from(arena_printf(a, "%lld days", (long long)(age_s / 86400)));
}

static void trace_found(const struct dns_asker *ask, const char *domain, struct arena *a,
	const struct mtasts_found *f, int64_t took_ms, const struct err *err)
{
	struct str detail[4];
	size_t n = 0;
	int64_t now_s = clock_unix_s();
	struct trace_step step = {.kind = "mtasts",
		.title = str_from(arena_printf(a, "MTA-STS %s", domain)),
		.took_ms = took_ms};

	if (ask->trace == NULL)
		return;
	if (f->has_policy) {
		step.state = f->fact != TLS_RESULT_SUCCESS ? TRACE_WARN : TRACE_OK;
		step.result = str_from(mtasts_mode_text(f->policy.mode));
		const char *age = f->updated_s > 0 && now_s - f->updated_s > 1
					  ? arena_strdup(a, age_text(a, now_s - f->updated_s))
					  : NULL;
		step.text = str_from(arena_printf(a, "policy of mode %s, %s%s%s%s%s",
			mtasts_mode_text(f->policy.mode),
			age ? "from the cache, confirmed " : "fetched", age ? age : " now",
			age ? " ago" : "", f->text[0] ? "; " : "", f->text));
		detail[n++] = str_from(arena_printf(a, "id %.*s, max_age %lld s",
			STR_FMT(f->record_id), (long long)f->policy.max_age_s));
		if (f->policy.mx_count > 0)
			detail[n++] = str_from(arena_printf(
				a, "mx %.*s", STR_FMT(mtasts_policy_hosts(a, &f->policy))));
	} else {
		bool trouble = err != NULL || f->fact != TLS_RESULT_SUCCESS;
		step.state = err != NULL ? TRACE_BAD : trouble ? TRACE_WARN : TRACE_INFO;
		step.result = trouble ? STR("failed") : STR("no policy");
		step.text = str_from(f->text[0] ? f->text : err ? err->text : "no policy");
	}
	if (f->reason[0] != '\0' && f->fact != TLS_RESULT_SUCCESS)
		detail[n++] = str_from(
			arena_printf(a, "%s: %s", tls_result_type_text(f->fact), f->reason));
	step.detail = detail;
	step.detail_count = n;
	trace_add(ask->trace, &step);
}

int mtasts_get(struct mtasts *m, const char *domain, const struct dns_asker *ask, struct arena *a,
	struct mtasts_found *out, struct err *err)
{
	struct dns_asker q = *ask;
	int64_t start_ms = clock_mono_ms();
	int rc = 0;

	*out = (struct mtasts_found){.fact = TLS_RESULT_SUCCESS};
	if (*domain == '\0' || strlen(domain) >= DNS_NAME_MAX)
		return err_set(err, ERR_BUG, "MTA-STS: bad domain");
	q.deadline = deadline_min(q.deadline, deadline_in_ms(MTASTS_FETCH_MS));
	for (bool again = true; again;) {
		struct mtasts_flight *f = mtasts_flight_enter(m, domain, q.deadline);
		again = false;
		if (f == NULL) {
			rc = err_set(err, ERR_TEMP,
				"MTA-STS: the policy of %s did not come in time", domain);
			break;
		}
		if (!f->done) {
			rc = get_alone(m, domain, &q, a, out, err);
			mtasts_flight_land(m, f, out, rc, err);
			break;
		}
		again = !f->shared; /* it was a refresh: the cache is new */
		if (!again) {
			mtasts_found_copy(a, &f->found, out);
			rc = f->rc;
			if (rc < 0)
				*err = f->err;
		}
		mtasts_flight_leave(m, f);
	}
	trace_found(ask, domain, a, out, clock_mono_ms() - start_ms, rc < 0 ? err : NULL);
	return rc;
}
