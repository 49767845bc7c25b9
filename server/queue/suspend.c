/* Puts off what waits for a next hop that is down. One thread does it for all destinations,
 * in small writes with pauses ten times as long, so that acceptance and other deliveries
 * hardly notice a million recipients being put off. The destination is off the due list
 * meanwhile. */
#include "queue/maildir.h"
#include "queue/queue_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <stdlib.h>

enum { CHUNK = 250, PAUSE_TIMES = 10, PAUSE_MIN_US = 5000, PAUSE_MAX_US = 2000000 };

struct suspend {
	struct suspend *next;
	char dest[STORE_DEST_MAX];
	char text[HOP_TEXT];
	char key[];
};

void suspend_request(struct queue *q, const char *dest, const char *key, const char *text)
{
	size_t n = strlen(key) + 1;
	struct suspend *s = NULL;

	pthread_mutex_lock(&q->lock);
	struct dest_busy *b = busy_get(q, dest);
	if (!b->suspending) {
		b->suspending = true;
		s = mem_alloc(sizeof(*s) + n);
		memcpy(s->key, key, n);
		(void)str_copy(s->dest, sizeof(s->dest), str_from(dest));
		(void)str_copy(s->text, sizeof(s->text), str_from(text));
		if (q->suspend_last != NULL)
			q->suspend_last->next = s;
		else
			q->suspend_first = s;
		q->suspend_last = s;
		pthread_cond_broadcast(&q->suspend_work);
	}
	pthread_mutex_unlock(&q->lock);
}

/* Sleeps unless the queue stops. */
static void pause_us(struct queue *q, int64_t us)
{
	struct deadline end = deadline_in_ms(us / 1000 + 1);
	struct timespec ts = {end.mono_ms / 1000, end.mono_ms % 1000 * 1000000};

	pthread_mutex_lock(&q->lock);
	while (!atomic_load(&q->stopping) && deadline_left_ms(end) > 0)
		pthread_cond_timedwait(&q->suspend_work, &q->lock, &ts);
	pthread_mutex_unlock(&q->lock);
}

/* One write. False when nothing is left to put off, or the hop is no longer down. */
static bool chunk_suspend(struct queue *q, const struct suspend *s, int64_t *total)
{
	const struct config *config = config_snapshot(q->opt.config);
	const struct config_queue c = config->queue;
	int64_t start_us = clock_mono_us();
	size_t changed = 0;
	struct err err;

	config_release(config);
	if (atomic_load(&q->stopping) || !hops_is_down(q->hops, s->key, clock_unix_ms()))
		return false;
	if (store_due_suspend(q->opt.store, s->dest, str_from(s->text), c.max_attempts,
		    c.delay_dsn_attempt, c.retry_first_s, CHUNK, &changed, &err) < 0) {
		log_event(
			LOG_LEVEL_WARN, "queue.suspend", "dest", s->dest, "reason", err.text, NULL);
		return false;
	}
	if (changed == 0)
		return false;
	*total += (int64_t)changed;
	metric_add(METRIC_DELIVERIES, METRIC_DEFERRED, 0, (int64_t)changed);
	atomic_fetch_add(&q->deferred, (int64_t)changed);
	store_count(q->opt.store, STORE_COUNT_DEFERRED, (int64_t)changed);
	int64_t pause = (clock_mono_us() - start_us) * PAUSE_TIMES;
	pause_us(q, pause < PAUSE_MIN_US   ? PAUSE_MIN_US
		    : pause > PAUSE_MAX_US ? PAUSE_MAX_US
					   : pause);
	return changed == CHUNK;
}

void *suspend_run(void *arg)
{
	struct queue *q = arg;

	/* Here, as this thread has nothing else to do yet. */
	const struct config *config = config_snapshot(q->opt.config);
	size_t swept = maildir_sweep(config->data_dir, clock_unix_ms() / 1000);
	config_release(config);
	if (swept > 0)
		log_event(LOG_LEVEL_INFO, "maildir.swept", "files",
			num_text((int64_t)swept, (char[NUM_TEXT]){0}), NULL);
	pthread_mutex_lock(&q->lock);
	while (!atomic_load(&q->stopping) || q->suspend_first != NULL) {
		struct suspend *s = q->suspend_first;
		if (s == NULL) {
			pthread_cond_wait(&q->suspend_work, &q->lock);
			continue;
		}
		q->suspend_first = s->next;
		if (q->suspend_first == NULL)
			q->suspend_last = NULL;
		pthread_mutex_unlock(&q->lock);
		int64_t total = 0;
		while (chunk_suspend(q, s, &total))
			;
		if (total > 0)
			log_event(LOG_LEVEL_INFO, "queue.suspended", "dest", s->dest, "recipients",
				num_text(total, (char[NUM_TEXT]){0}), "text", s->text, NULL);
		suspend_end(q, s->dest);
		free(s);
		pthread_mutex_lock(&q->lock);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}
