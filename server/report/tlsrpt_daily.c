/* The daily run: when, what, and the thread that does it. HTTPS requests that are due are made
 * by the same thread, in between. */
#include "report/tlsrpt_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
	DAY_S = 86400,
	RUN_DELAY_MIN_S = 240,
	RUN_DELAY_SPREAD_S = 120,
	KEPT_S = 60 * 3600, /* before the last midnight; spec 6.4 */
	WORK_MAX = 100000,  /* domains and days of a run; the others wait for the next */
	PAGE = 1000,
	POSTS_AT_ONCE = 20,
	SLEEP_MAX_S = 60 /* the clock may be set meanwhile */
};

/* --- time --- */

int tlsrpt_day(int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

int64_t tlsrpt_day_start_s(int day)
{
	struct tm tm = {
		.tm_year = day / 10000 - 1900, .tm_mon = day / 100 % 100 - 1, .tm_mday = day % 100};
	int64_t start_s = (int64_t)timegm(&tm);

	return day > 0 && tlsrpt_day(start_s) == day ? start_s : 0;
}

int64_t tlsrpt_midnight_s(int64_t now_s)
{
	return now_s - now_s % DAY_S;
}

int64_t tlsrpt_next_run_s(int64_t now_s, uint32_t random)
{
	return tlsrpt_midnight_s(now_s) + DAY_S + RUN_DELAY_MIN_S +
	       (int64_t)(random % RUN_DELAY_SPREAD_S);
}

int64_t tlsrpt_spacing_s(size_t count)
{
	int64_t each_s = count > 0 ? TLSRPT_SPREAD_S / (int64_t)count : TLSRPT_SPACING_MAX_S;

	return each_s < TLSRPT_SPACING_MAX_S ? each_s : TLSRPT_SPACING_MAX_S;
}

/* --- what is to be done --- */

static int old_remove(const struct tlsrpt_means *m, int64_t now_s, struct err *err)
{
	int64_t end_s = tlsrpt_midnight_s(now_s);
	size_t results, reports;

	if (store_tls_result_purge(m->store, tlsrpt_day(end_s - KEPT_S), &results, err) < 0 ||
		store_tlsrpt_sent_purge(m->store, now_s - TLSRPT_SENT_KEPT_S, &reports, err) < 0)
		return -1;
	if (results > 0)
		log_event(LOG_LEVEL_INFO, "tlsrpt.purge", "results",
			num_text((int64_t)results, (char[NUM_TEXT]){0}), NULL);
	return 0;
}

int tlsrpt_plan_make(const struct tlsrpt_means *m, int64_t now_s, struct arena *a,
	struct tlsrpt_plan *out, struct err *err)
{
	int last_day = tlsrpt_day(tlsrpt_midnight_s(now_s) - DAY_S / 2), after_day = 0;
	struct str after = STR("");
	struct store_tls_domain_day *rows;
	size_t count, cap = 0;

	*out = (struct tlsrpt_plan){.work = NULL};
	if (old_remove(m, now_s, err) < 0)
		return -1;
	do {
		if (store_tls_result_domains(m->store, 0, last_day, after_day, after, PAGE, a,
			    &rows, &count, err) < 0)
			return -1;
		if (out->count + count > cap) {
			struct tlsrpt_work *old = out->work;
			cap = 2 * cap + PAGE;
			out->work = arena_alloc(a, cap * sizeof(*out->work));
			if (old != NULL)
				memcpy(out->work, old, out->count * sizeof(*old));
		}
		for (size_t i = 0; i < count; i++)
			out->work[out->count++] =
				(struct tlsrpt_work){rows[i].policy_domain, rows[i].day};
		if (count > 0) {
			after_day = rows[count - 1].day;
			after = rows[count - 1].policy_domain;
		}
	} while (count == PAGE && out->count < WORK_MAX);
	return 0;
}

/* --- the thread --- */

struct tlsrpt_daily {
	struct tlsrpt_means means;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	atomic_int stop;
	bool woken; /* posts may be due */
};

static bool stopping(struct tlsrpt_daily *d)
{
	return atomic_load(&d->stop) != 0;
}

/* Until until_s or a wake; false: the thread is to end. */
static bool sleep_until(struct tlsrpt_daily *d, int64_t until_s)
{
	int64_t left_s = until_s - clock_unix_s();

	if (left_s > SLEEP_MAX_S)
		left_s = SLEEP_MAX_S;
	struct deadline end = deadline_in_ms(left_s * 1000);
	struct timespec at = {
		.tv_sec = end.mono_ms / 1000, .tv_nsec = end.mono_ms % 1000 * 1000000};
	int rc = 0;
	pthread_mutex_lock(&d->lock);
	while (!stopping(d) && !d->woken && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&d->cond, &d->lock, &at);
	d->woken = false;
	pthread_mutex_unlock(&d->lock);
	return !stopping(d);
}

/* Makes requests that are due until until_s has come. */
static bool wait_until(struct tlsrpt_daily *d, int64_t until_s)
{
	do {
		int64_t next_s = 0, now_s = clock_unix_s();
		struct err err;
		if (tlsrpt_post_due(&d->means, now_s, POSTS_AT_ONCE, &next_s, &err) < 0)
			log_event(LOG_LEVEL_ERROR, "tlsrpt.post", "error", err.text, NULL);
		if (stopping(d))
			return false;
		int64_t wake_s = next_s > 0 && next_s < until_s ? next_s : until_s;
		if (wake_s > clock_unix_s() && !sleep_until(d, wake_s))
			return false;
	} while (clock_unix_s() < until_s);
	return !stopping(d);
}

static bool is_off(struct tlsrpt_daily *d)
{
	const struct config *c = config_snapshot(d->means.config);
	bool off = c->no_outgoing_tls_reports || c->localserve;

	config_release(c);
	return off;
}

/* One day's reports, spread over hours. */
static void day_run(struct tlsrpt_daily *d)
{
	struct arena *a = arena_open();
	struct tlsrpt_plan plan;
	struct err err;

	if (tlsrpt_plan_make(&d->means, clock_unix_s(), a, &plan, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "tlsrpt.plan", "error", err.text, NULL);
		plan.count = 0;
	}
	int64_t spacing_s = tlsrpt_spacing_s(plan.count), at_s = clock_unix_s();
	for (size_t i = 0; i < plan.count && !is_off(d); i++, at_s += spacing_s) {
		struct tlsrpt_outcome out;
		if (i > 0 && !wait_until(d, at_s))
			break;
		if (tlsrpt_send(&d->means, plan.work[i].policy_domain, plan.work[i].day,
			    clock_unix_s(), &out, &err) < 0)
			log_event(LOG_LEVEL_ERROR, "tlsrpt.send", "domain",
				arena_strdup(a, plan.work[i].policy_domain), "error", err.text,
				NULL);
	}
	arena_close(&a);
}

static void *run(void *arg)
{
	struct tlsrpt_daily *d = arg;
	int64_t next_s;

	do {
		/* Before the work: what takes until the next midnight is followed by that run. */
		next_s = tlsrpt_next_run_s(clock_unix_s(), rand_below(RUN_DELAY_SPREAD_S));
		if (!is_off(d))
			day_run(d);
	} while (wait_until(d, next_s));
	return NULL;
}

int tlsrpt_daily_start(const struct tlsrpt_means *m, struct tlsrpt_daily **out, struct err *err)
{
	struct tlsrpt_daily *d = mem_alloc(sizeof(*d));

	d->means = *m;
	pthread_mutex_init(&d->lock, NULL);
	cond_init(&d->cond);
	if (thread_spawn(&d->thread, "tlsrpt", run, d, err) < 0) {
		pthread_cond_destroy(&d->cond);
		pthread_mutex_destroy(&d->lock);
		free(d);
		return -1;
	}
	*out = d;
	return 0;
}

void tlsrpt_daily_wake(struct tlsrpt_daily *d)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	d->woken = true;
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
}

void tlsrpt_daily_stop(struct tlsrpt_daily **dp)
{
	struct tlsrpt_daily *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	pthread_mutex_lock(&d->lock);
	atomic_store(&d->stop, 1);
	pthread_cond_signal(&d->cond);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->cond);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
