/* The scheduler takes destinations as they become due, claims some of their recipients and
 * deals them out to delivery threads. A destination is either on the store's due list, in
 * the scheduler's hands, or parked because it has all the deliveries it may have; the end of
 * one of those puts it back. So none is ever lost, and each gets its turn: after every claim
 * a destination goes to the end of the line. */
#include "queue/queue_priv.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>

enum {
	WAIT_MS = 3600 * 1000,
	WORKER_IDLE_MS = 10 * 1000,
	TROUBLE_PAUSE_MS = 1000,
	CRASH_PAUSE_MS = 1000
};

static const char setting_running[] = "queue_running";

/* --- destinations under way; q->lock is held --- */

static struct dest_busy **busy_at(struct queue *q, const char *dest)
{
	struct dest_busy **at = &q->busy[hash_str(str_from(dest)) % BUSY_BUCKETS];

	while (*at != NULL && strcmp((*at)->name, dest) != 0)
		at = &(*at)->next;
	return at;
}

struct dest_busy *busy_get(struct queue *q, const char *dest)
{
	struct dest_busy **at = busy_at(q, dest);

	if (*at == NULL) {
		size_t n = strlen(dest) + 1;
		*at = mem_alloc(sizeof(**at) + n);
		memcpy((*at)->name, dest, n);
	}
	return *at;
}

/* An entry after a change: freed when nothing is left of it. True when its destination has
 * to go back to the due list. */
static bool busy_settle(struct dest_busy **at)
{
	struct dest_busy *b = *at;
	bool back = b->parked && !b->suspending;

	if (back)
		b->parked = false;
	if (b->active == 0 && !b->suspending) {
		*at = b->next;
		free(b);
	}
	return back;
}

void suspend_end(struct queue *q, const char *dest)
{
	bool back = false;

	pthread_mutex_lock(&q->lock);
	struct dest_busy **at = busy_at(q, dest);
	if (*at != NULL) {
		(*at)->suspending = false;
		back = busy_settle(at);
	}
	pthread_mutex_unlock(&q->lock);
	if (back)
		store_due_return(q->opt.store, dest, 0);
}

static void batch_release(struct batch *b)
{
	if (atomic_fetch_sub(&b->refs, 1) == 1) {
		arena_close(&b->arena);
		free(b);
	}
}

/* A delivery has ended: its destination may have another one. */
static void delivery_end(struct queue *q, struct delivery *d)
{
	bool back = false;

	pthread_mutex_lock(&q->lock);
	struct dest_busy **at = busy_at(q, d->dest), *b = *at;
	q->active--;
	if (b != NULL) { /* it is there as long as active counts us */
		b->active--;
		back = busy_settle(at);
	}
	pthread_cond_signal(&q->done);
	pthread_mutex_unlock(&q->lock);
	if (back)
		store_due_return(q->opt.store, d->dest, 0);
	batch_release(d->batch);
	free(d);
}

/* --- workers --- */

/* The next delivery, or NULL when there was none for a while. */
static struct delivery *work_take(struct queue *q)
{
	struct deadline end = deadline_in_ms(WORKER_IDLE_MS);
	struct timespec ts = {end.mono_ms / 1000, end.mono_ms % 1000 * 1000000};
	int rc = 0;

	q->idle++;
	while (q->first == NULL && rc != ETIMEDOUT && !atomic_load(&q->stopping))
		rc = pthread_cond_timedwait(&q->work, &q->lock, &ts);
	q->idle--;
	struct delivery *d = q->first;
	if (d != NULL) {
		q->first = d->next;
		if (q->first == NULL)
			q->last = NULL;
		q->waiting--;
	}
	return d;
}

static void *worker_run(void *arg)
{
	struct queue *q = arg;
	struct delivery *d;

	pthread_mutex_lock(&q->lock);
	while ((d = work_take(q)) != NULL) {
		pthread_mutex_unlock(&q->lock);
		queue_delivery_run(d);
		delivery_end(q, d);
		pthread_mutex_lock(&q->lock);
	}
	q->threads--;
	pthread_cond_broadcast(&q->done);
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* Puts a delivery into the list, with a thread to take it. */
static void dispatch(struct queue *q, struct delivery *d)
{
	struct err err;
	bool spawn;

	pthread_mutex_lock(&q->lock);
	if (q->last != NULL)
		q->last->next = d;
	else
		q->first = d;
	q->last = d;
	q->waiting++;
	spawn = q->waiting > q->idle;
	q->threads += spawn;
	pthread_cond_signal(&q->work);
	pthread_mutex_unlock(&q->lock);
	if (!spawn || thread_spawn(NULL, "delivery", worker_run, q, &err) == 0)
		return;
	log_event(LOG_LEVEL_WARN, "queue.thread", "reason", err.text, NULL);
	pthread_mutex_lock(&q->lock);
	bool alone = --q->threads == 0;
	q->threads += alone;
	pthread_mutex_unlock(&q->lock);
	if (alone) /* no thread at all: this one does it */
		(void)worker_run(q);
}

/* --- scheduling --- */

/* Deals the claims out to as many deliveries as are free, each with a fair share. */
static void deal(struct queue *q, const char *dest, struct batch *batch,
	const struct store_claim *claims, size_t count, unsigned room)
{
	size_t share = (count + room - 1) / room;

	if (share < CLAIM_SHARE_MIN)
		share = CLAIM_SHARE_MIN;
	for (size_t at = 0; at < count; at += share) {
		struct delivery *d = mem_alloc(sizeof(*d));
		d->q = q;
		d->batch = batch;
		memcpy(d->dest, dest, sizeof(d->dest));
		d->claims = claims + at;
		d->claim_count = count - at < share ? count - at : share;
		atomic_fetch_add(&batch->refs, 1);
		pthread_mutex_lock(&q->lock);
		busy_get(q, dest)->active++;
		q->active++;
		pthread_mutex_unlock(&q->lock);
		dispatch(q, d);
	}
}

/* Puts the destination back, or parks it while it has all it may have. */
static void put_back(struct queue *q, const char *dest, unsigned max, int64_t not_before_ms)
{
	bool parked = false;

	pthread_mutex_lock(&q->lock);
	struct dest_busy *b = *busy_at(q, dest);
	if (b != NULL && (b->suspending || (b->active >= max && not_before_ms == 0)))
		parked = b->parked = true;
	pthread_mutex_unlock(&q->lock);
	if (!parked)
		store_due_return(q->opt.store, dest, not_before_ms);
}

static void dest_schedule(struct queue *q, const char *dest, const struct config_queue *c)
{
	struct batch *batch = mem_alloc(sizeof(*batch));
	struct store_claim *claims;
	size_t count = 0;
	unsigned room, max = c->max_concurrent_per_domain;
	struct err err;

	batch->arena = arena_open();
	atomic_store(&batch->refs, 1);
	pthread_mutex_lock(&q->lock);
	const struct dest_busy *b = *busy_at(q, dest);
	room = b == NULL ? max : b->active < max && !b->suspending ? max - b->active : 0;
	if (room > c->max_concurrent - q->active)
		room = c->max_concurrent - q->active;
	pthread_mutex_unlock(&q->lock);
	if (room == 0) { /* being put off, or the limits were lowered by a reload */
		put_back(q, dest, max, 0);
	} else if (store_claim(q->opt.store, dest, CLAIM_RCPTS, batch->arena, &claims, &count,
			   &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "queue.claim", "dest", dest, "reason", err.text, NULL);
		put_back(q, dest, max, clock_unix_ms() + TROUBLE_PAUSE_MS);
	} else {
		if (count > 0)
			deal(q, dest, batch, claims, count, room);
		put_back(q, dest, max, 0);
	}
	batch_release(batch);
}

/* What was in flight when a process died comes first, and may have been delivered already. If
 * the process dies again and again within moments, each round would deliver it once more: so
 * after a crash there is a pause before the first delivery. */
static void crash_pause(struct queue *q)
{
	struct arena *a = arena_open();
	struct str value = {"", 0};
	struct err err;

	if (store_setting_get(q->opt.store, setting_running, a, &value, &err) == 1 &&
		str_eq(value, STR("1"))) {
		struct deadline end = deadline_in_ms(CRASH_PAUSE_MS);
		struct timespec ts = {end.mono_ms / 1000, end.mono_ms % 1000 * 1000000};
		log_event(LOG_LEVEL_WARN, "queue.crashed", "text",
			"the last process did not end orderly: deliveries start in a moment", NULL);
		pthread_mutex_lock(&q->lock);
		while (!atomic_load(&q->stopping) &&
			pthread_cond_timedwait(&q->done, &q->lock, &ts) == 0)
			;
		pthread_mutex_unlock(&q->lock);
	}
	arena_close(&a);
	if (store_setting_put(q->opt.store, setting_running, STR("1"), &err) < 0)
		log_event(LOG_LEVEL_WARN, "queue.setting", "reason", err.text, NULL);
}

void queue_ended(struct queue *q)
{
	struct err err;

	if (store_setting_put(q->opt.store, setting_running, STR("0"), &err) < 0)
		log_event(LOG_LEVEL_WARN, "queue.setting", "reason", err.text, NULL);
}

void *queue_scheduler_run(void *arg)
{
	struct queue *q = arg;
	char dest[STORE_DEST_MAX];

	crash_pause(q);
	while (!atomic_load(&q->stopping)) {
		const struct config *config = config_snapshot(q->opt.config);
		struct config_queue c = config->queue;
		config_release(config);
		pthread_mutex_lock(&q->lock);
		bool full = q->active >= c.max_concurrent;
		if (full && !atomic_load(&q->stopping))
			pthread_cond_wait(&q->done, &q->lock);
		pthread_mutex_unlock(&q->lock);
		if (!full && store_due_wait(q->opt.store, deadline_in_ms(WAIT_MS), dest) == 1)
			dest_schedule(q, dest, &c);
	}
	return NULL;
}
