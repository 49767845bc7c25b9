#include "queue/simulate.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct leg { /* one way that is looked at */
	struct simulate_way view;
	const struct way *way;
	struct trace *trace;
	struct queue_probe_result *result; /* the thread's until view.done */
};

struct run { /* one simulation; the thread's but for what the lock guards */
	struct run *next;
	struct simulator *owner;
	int64_t id, started_ms;
	struct arena *arena;
	const struct config *config;
	struct simulate_question question;
	struct probe_stop *stop;
	pthread_t thread;
	struct leg *legs;
	size_t leg_count, left_out; /* under the lock, as are done, trace and view of legs */
	bool done;
};

struct simulator {
	struct queue_options opt;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct run *first; /* newest first */
	size_t count, running;
	int64_t last_id;
	atomic_bool closing;
};

const char *simulate_verdict_text(enum simulate_verdict v)
{
	static const char *const texts[] = {[SIMULATE_UNKNOWN] = "unknown",
		[SIMULATE_DELIVERED] = "delivered",
		[SIMULATE_WAITS] = "waits",
		[SIMULATE_BOUNCES] = "bounces"};

	return texts[v];
}

struct simulator *simulator_open(const struct queue_options *opt)
{
	struct simulator *s = mem_alloc(sizeof(*s));

	s->opt = *opt;
	pthread_mutex_init(&s->lock, NULL);
	cond_init(&s->changed);
	return s;
}

/* Its thread has ended, or is about to. */
static void run_free(struct run *r)
{
	pthread_join(r->thread, NULL);
	for (size_t i = 0; i < r->leg_count; i++)
		trace_free(&r->legs[i].trace);
	probe_stop_free(&r->stop);
	config_release(r->config);
	arena_close(&r->arena);
	free(r);
}

void simulator_cut(struct simulator *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->closing, true);
	pthread_mutex_lock(&s->lock);
	for (struct run *r = s->first; r != NULL; r = r->next)
		probe_stop_now(r->stop);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void simulator_close(struct simulator **sp)
{
	struct simulator *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	simulator_cut(s);
	while (s->first != NULL) {
		struct run *r = s->first;
		s->first = r->next;
		run_free(r);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- the run --- */

static void leg_end(struct run *r, struct leg *l, enum simulate_verdict verdict, const char *text)
{
	struct simulator *s = r->owner;

	pthread_mutex_lock(&s->lock);
	if (l->result != NULL) {
		l->view.hosts = l->result->hosts;
		l->view.host_count = l->result->host_count;
	}
	l->view.verdict = verdict;
	l->view.text = str_from(text);
	l->view.done = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void leg_probe(struct run *r, struct leg *l)
{
	const struct queue_options *opt = &r->owner->opt;
	struct queue_probe_options o = {.config = r->config,
		.store = opt->store,
		.dns = opt->dns,
		.tls = opt->tls,
		.mtasts = opt->mtasts,
		.way = l->way,
		.demand = r->question.demand,
		.extent = PROBE_AS_DELIVERY,
		.stop = r->stop};
	struct err err;

	if (queue_probe(&o, l->trace, l->result, &err) < 0) {
		leg_end(r, l, SIMULATE_UNKNOWN,
			arena_printf(r->arena, "It could not be tried: %s", err.text));
		return;
	}
	leg_end(r, l,
		l->result->open        ? SIMULATE_DELIVERED
		: l->result->permanent ? SIMULATE_BOUNCES
				       : SIMULATE_WAITS,
		l->result->text);
}

static void leg_run(struct run *r, struct leg *l)
{
	const struct way *w = l->way;

	switch (w->kind) {
	case WAY_MAILBOX:
		leg_end(r, l, SIMULATE_DELIVERED,
			arena_printf(r->arena, "Would be put into the mailbox of account %.*s.",
				STR_FMT(w->target.account.name)));
		return;
	case WAY_HOSTS:
	case WAY_MX:
		leg_probe(r, l);
		return;
	case WAY_NOWHERE:
		leg_end(r, l, w->ecode[0] == '5' ? SIMULATE_BOUNCES : SIMULATE_WAITS,
			arena_printf(r->arena, "Would %s: %s.",
				w->ecode[0] == '5' ? "go back to the sender" : "wait", w->text));
		return;
	}
}

/* Where it leads: that is known before anything is tried. */
static void legs_find(struct run *r)
{
	struct simulator *s = r->owner;
	struct way_question q = {.mail_from = r->question.from, .rcpt = r->question.rcpt};
	struct way *ways;
	size_t count, left_out;

	way_find_all(s->opt.store, r->config, &q, r->arena, &ways, &count, &left_out);
	if (count > SIMULATE_WAYS_MAX) {
		left_out += count - SIMULATE_WAYS_MAX;
		count = SIMULATE_WAYS_MAX;
	}
	struct leg *legs = arena_alloc(r->arena, (count + 1) * sizeof(*legs));
	for (size_t i = 0; i < count; i++) {
		bool probed = ways[i].kind == WAY_HOSTS || ways[i].kind == WAY_MX;
		legs[i].way = &ways[i];
		legs[i].view = (struct simulate_way){.rcpt = ways[i].rcpt,
			.kind = ways[i].kind,
			.transport = str_from(ways[i].transport),
			.words = str_from(way_words(&ways[i], r->arena))};
		if (probed) {
			legs[i].result = arena_alloc(r->arena, sizeof(*legs[i].result));
			legs[i].trace = trace_new();
		}
	}
	pthread_mutex_lock(&s->lock);
	r->legs = legs;
	r->leg_count = count;
	r->left_out = left_out;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void *run_main(void *arg)
{
	struct run *r = arg;
	struct simulator *s = r->owner;

	legs_find(r);
	for (size_t i = 0; i < r->leg_count && !atomic_load(&s->closing); i++)
		leg_run(r, &r->legs[i]);
	pthread_mutex_lock(&s->lock);
	r->done = true;
	s->running--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Takes the oldest that has ended out of the list; under the lock. */
static struct run *oldest_take(struct simulator *s)
{
	struct run **found = NULL, *r;

	for (struct run **at = &s->first; *at != NULL; at = &(*at)->next) {
		if ((*at)->done)
			found = at;
	}
	if (found == NULL)
		return NULL;
	r = *found;
	*found = r->next;
	s->count--;
	return r;
}

static struct run *run_new(struct simulator *s, const struct simulate_question *q)
{
	struct run *r = mem_alloc(sizeof(*r));

	r->owner = s;
	r->arena = arena_open();
	r->config = config_snapshot(s->opt.config);
	r->started_ms = clock_unix_ms();
	r->stop = probe_stop_new();
	r->question = (struct simulate_question){.from = arena_str(r->arena, q->from),
		.rcpt = arena_str(r->arena, q->rcpt),
		.demand = q->demand};
	return r;
}

int simulate_begin(
	struct simulator *s, const struct simulate_question *q, int64_t *id, struct err *err)
{
	struct run *old = NULL;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (atomic_load(&s->closing) || s->running >= SIMULATE_RUNNING_MAX) {
		pthread_mutex_unlock(&s->lock);
		return err_set(err, ERR_TEMP,
			"%d simulations run already; try again when one of them has ended",
			SIMULATE_RUNNING_MAX);
	}
	struct run *r = run_new(s, q);
	rc = thread_spawn(&r->thread, "simulate", run_main, r, err);
	if (rc == 0) {
		*id = r->id = ++s->last_id;
		r->next = s->first;
		s->first = r;
		s->running++;
		s->count++;
		if (s->count > SIMULATE_KEPT_MAX)
			old = oldest_take(s);
	} else {
		probe_stop_free(&r->stop);
		config_release(r->config);
		arena_close(&r->arena);
		free(r);
	}
	pthread_mutex_unlock(&s->lock);
	if (old != NULL)
		run_free(old);
	return rc;
}

/* --- looking at it --- */

static struct run *find(struct simulator *s, int64_t id)
{
	struct run *r = s->first;

	while (r != NULL && r->id != id)
		r = r->next;
	return r;
}

static void leg_copy(const struct leg *l, struct arena *a, struct simulate_way *out)
{
	struct buf b = {NULL, 0, 0};

	*out = l->view;
	out->rcpt = arena_str(a, l->view.rcpt);
	out->transport = arena_str(a, l->view.transport);
	out->words = arena_str(a, l->view.words);
	out->text = arena_str(a, l->view.text);
	if (l->trace != NULL) {
		trace_write(l->trace, &b);
		out->trace = arena_str(a, buf_str(&b));
		buf_free(&b);
	}
	if (out->host_count > 0) {
		struct queue_probe_host *hosts = arena_alloc(a, out->host_count * sizeof(*hosts));
		memcpy(hosts, l->view.hosts, out->host_count * sizeof(*hosts));
		out->hosts = hosts;
	}
}

static void run_copy(const struct run *r, struct arena *a, struct simulate_view *out)
{
	*out = (struct simulate_view){.done = r->done,
		.started_ms = r->started_ms,
		.question = {.from = arena_str(a, r->question.from),
			.rcpt = arena_str(a, r->question.rcpt),
			.demand = r->question.demand},
		.ways = arena_alloc(a, (r->leg_count + 1) * sizeof(*out->ways)),
		.count = r->leg_count,
		.left_out = r->left_out};
	for (size_t i = 0; i < r->leg_count; i++)
		leg_copy(&r->legs[i], a, &out->ways[i]);
}

bool simulate_look(struct simulator *s, int64_t id, int64_t wait_ms, struct arena *a,
	struct simulate_view *out)
{
	int64_t until_ms = clock_mono_ms() + wait_ms;
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	struct run *r;

	pthread_mutex_lock(&s->lock);
	while ((r = find(s, id)) != NULL && !r->done && !atomic_load(&s->closing) &&
		clock_mono_ms() < until_ms)
		(void)pthread_cond_timedwait(&s->changed, &s->lock, &until);
	if (r != NULL)
		run_copy(r, a, out);
	pthread_mutex_unlock(&s->lock);
	return r != NULL;
}
