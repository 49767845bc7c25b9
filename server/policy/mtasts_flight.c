/* One look-up of a domain at a time; who comes meanwhile takes its result. */
#include "policy/mtasts_priv.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void mtasts_found_copy(struct arena *a, const struct mtasts_found *from, struct mtasts_found *to)
{
	struct err ignored;

	*to = *from;
	to->record_id = arena_str(a, from->record_id);
	if (from->has_policy)
		(void)!mtasts_policy_parse(a, from->policy.text, &to->policy, &ignored);
}

static struct mtasts_flight *flight_find(struct mtasts *m, const char *domain)
{
	struct mtasts_flight *f = m->flights;

	while (f != NULL && (f->done || strcmp(f->domain, domain) != 0))
		f = f->next;
	return f;
}

static bool flight_wait(struct mtasts *m, const struct mtasts_flight *f, struct deadline deadline)
{
	struct timespec until = {
		.tv_sec = deadline.mono_ms / 1000, .tv_nsec = deadline.mono_ms % 1000 * 1000000};

	while (!f->done) {
		if (pthread_cond_timedwait(&m->landed, &m->lock, &until) == ETIMEDOUT)
			return f->done;
	}
	return true;
}

/* m->lock is held. */
static void flight_unref(struct mtasts *m, struct mtasts_flight *f)
{
	if (--f->refs > 0)
		return;
	for (struct mtasts_flight **at = &m->flights; *at != NULL; at = &(*at)->next) {
		if (*at == f) {
			*at = f->next;
			break;
		}
	}
	arena_close(&f->arena);
	free(f);
}

struct mtasts_flight *mtasts_flight_enter(
	struct mtasts *m, const char *domain, struct deadline deadline)
{
	pthread_mutex_lock(&m->lock);
	struct mtasts_flight *f = flight_find(m, domain);
	if (f != NULL) {
		f->refs++;
		atomic_fetch_add(&m->waited, 1);
		if (!flight_wait(m, f, deadline)) {
			flight_unref(m, f);
			f = NULL;
		}
	} else {
		f = mem_alloc(sizeof(*f));
		snprintf(f->domain, sizeof(f->domain), "%s", domain);
		f->refs = 1;
		f->arena = arena_open();
		f->next = m->flights;
		m->flights = f;
	}
	pthread_mutex_unlock(&m->lock);
	return f;
}

void mtasts_flight_land(struct mtasts *m, struct mtasts_flight *f, const struct mtasts_found *found,
	int rc, const struct err *err)
{
	pthread_mutex_lock(&m->lock);
	f->shared = found != NULL;
	f->rc = rc;
	if (found != NULL && f->refs > 1)
		mtasts_found_copy(f->arena, found, &f->found);
	if (rc < 0)
		f->err = *err;
	f->done = true;
	pthread_cond_broadcast(&m->landed);
	flight_unref(m, f);
	pthread_mutex_unlock(&m->lock);
}

void mtasts_flight_leave(struct mtasts *m, struct mtasts_flight *f)
{
	pthread_mutex_lock(&m->lock);
	flight_unref(m, f);
	pthread_mutex_unlock(&m->lock);
}
