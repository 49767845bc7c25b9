#include "queue/queue.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "queue/queue_priv.h"

#include <errno.h>
#include <stdlib.h>

static void suspender_stop(struct queue *q)
{
	atomic_store(&q->stopping, true);
	pthread_mutex_lock(&q->lock);
	pthread_cond_broadcast(&q->suspend_work);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->suspender, NULL);
}

int queue_start(const struct queue_options *opt, struct queue **out, struct err *err)
{
	struct queue *q = mem_alloc(sizeof(*q));

	*out = NULL;
	q->opt = *opt;
	pthread_mutex_init(&q->lock, NULL);
	cond_init(&q->work);
	cond_init(&q->done);
	cond_init(&q->suspend_work);
	q->hops = hops_open();
	if (q->hops == NULL) {
		free(q);
		return err_set(err, ERR_TEMP, "queue: no threads or descriptors left");
	}
	q->plans = plans_open(&(struct plans_options){.dns = opt->dns, .mtasts = opt->mtasts});
	if (thread_spawn(&q->suspender, "queue-suspend", suspend_run, q, err) < 0) {
		plans_close(&q->plans);
		hops_close(&q->hops);
		free(q);
		return -1;
	}
	if (thread_spawn(&q->scheduler, "queue", queue_scheduler_run, q, err) < 0) {
		suspender_stop(q);
		plans_close(&q->plans);
		hops_close(&q->hops);
		free(q);
		return -1;
	}
	*out = q;
	return 0;
}

/* Waits until no worker is left or d has passed. */
static void workers_wait(struct queue *q, const struct deadline *d)
{
	pthread_mutex_lock(&q->lock);
	while (q->threads > 0) {
		if (d == NULL) {
			pthread_cond_wait(&q->done, &q->lock);
			continue;
		}
		struct timespec ts = {d->mono_ms / 1000, d->mono_ms % 1000 * 1000000};
		if (deadline_left_ms(*d) == 0 ||
			pthread_cond_timedwait(&q->done, &q->lock, &ts) == ETIMEDOUT)
			break;
	}
	pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue **qp, struct deadline d)
{
	struct queue *q = *qp;

	if (q == NULL)
		return;
	atomic_store(&q->stopping, true);
	pthread_mutex_lock(&q->lock);
	pthread_cond_broadcast(&q->work);
	pthread_cond_broadcast(&q->done);
	pthread_mutex_unlock(&q->lock);
	store_due_wake(q->opt.store);
	pthread_join(q->scheduler, NULL);
	workers_wait(q, &d);
	hops_cut(q->hops);
	workers_wait(q, NULL);
	suspender_stop(q);
	queue_ended(q);
	hops_close(&q->hops);
	plans_close(&q->plans);
	for (size_t i = 0; i < BUSY_BUCKETS; i++) {
		while (q->busy[i] != NULL) {
			struct dest_busy *b = q->busy[i];
			q->busy[i] = b->next;
			free(b);
		}
	}
	pthread_cond_destroy(&q->work);
	pthread_cond_destroy(&q->done);
	pthread_cond_destroy(&q->suspend_work);
	pthread_mutex_destroy(&q->lock);
	free(q);
	*qp = NULL;
}

static void before_act(struct queue *q, enum store_queue_verb verb)
{
	if (verb == STORE_QUEUE_RETRY || verb == STORE_QUEUE_UNHOLD)
		queue_forget(q);
}

void queue_forget(struct queue *q)
{
	hops_forget(q->hops);
	plans_forget(q->plans);
}

int queue_act(struct queue *q, enum store_queue_verb verb, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	before_act(q, verb);
	return store_queue_act(q->opt.store, verb, msg_id, rcpt_id, changed, err);
}

int queue_act_all(struct queue *q, enum store_queue_verb verb, const struct store_queue_filter *f,
	size_t *changed, struct err *err)
{
	before_act(q, verb);
	return store_queue_act_all(q->opt.store, verb, f, changed, err);
}

int queue_way(struct queue *q, int64_t transport_id, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	return store_queue_way(q->opt.store, transport_id, msg_id, rcpt_id, changed, err);
}

int queue_way_all(struct queue *q, int64_t transport_id, const struct store_queue_filter *f,
	size_t *changed, struct err *err)
{
	return store_queue_way_all(q->opt.store, transport_id, f, changed, err);
}

int64_t queue_backoff_s(const struct config_queue *c, unsigned attempt)
{
	return c->retry_first_s << (attempt < 20 ? attempt : 20);
}

void queue_stats_get(struct queue *q, struct queue_stats *out)
{
	pthread_mutex_lock(&q->lock);
	out->active = q->active;
	pthread_mutex_unlock(&q->lock);
	out->delivered = atomic_load(&q->delivered);
	out->deferred = atomic_load(&q->deferred);
	out->failed = atomic_load(&q->failed);
	out->connections_opened = atomic_load(&q->opened);
	out->connections_reused = atomic_load(&q->reused);
	struct plans_stats plans;
	plans_stats_get(q->plans, &plans);
	out->tls_full = atomic_load(&q->tls_full);
	out->tls_resumed = atomic_load(&q->tls_resumed);
	out->plans_made = plans.made;
	out->plans_shared = plans.shared;
	out->plan_hosts = plans.hosts;
	out->hops_down = hops_down_count(q->hops, clock_unix_ms());
}

size_t queue_hops_down(struct queue *q, struct queue_hop_down *out, size_t max)
{
	return hops_down_list(q->hops, clock_unix_ms(), out, max);
}
