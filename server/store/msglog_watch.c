/* What of the message log is in memory: refusals that wait for their commit, and who watches. */
#include "store/msglog_priv.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>

static void refusals_clear(struct refusals *list)
{
	*list = (struct refusals){.arena = NULL};
	list->last = &list->first;
}

struct msglog *msglog_open(void)
{
	struct msglog *l = mem_alloc(sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	cond_init(&l->work);
	cond_init(&l->watch);
	refusals_clear(&l->waiting);
	return l;
}

void msglog_close(struct msglog **lp)
{
	struct msglog *l = *lp;

	if (l == NULL)
		return;
	arena_close(&l->waiting.arena);
	pthread_cond_destroy(&l->watch);
	pthread_cond_destroy(&l->work);
	pthread_mutex_destroy(&l->lock);
	free(l);
	*lp = NULL;
}

int msglog_start(struct store *s, struct err *err)
{
	if (thread_spawn(&s->log->thread, "mox-msglog", msglog_keep_run, s, err) < 0)
		return -1;
	s->log->running = true;
	return 0;
}

void msglog_stop(struct store *s)
{
	struct msglog *l = s->log;

	if (!l->running)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->work);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->running = false;
}

/* --- refusals --- */

static struct str keep(struct arena *a, struct str s, size_t max)
{
	if (s.len > max)
		s.len = max;
	return arena_str(a, s);
}

static void refusal_copy(struct arena *a, const struct store_msglog_refusal *r, struct refusal *f)
{
	enum { SHORT = 600, TRACE = 64 * 1024 };
	size_t n = r->rcpt_count < STORE_LOG_RCPTS_MAX ? r->rcpt_count : STORE_LOG_RCPTS_MAX;
	struct str *rcpts = n > 0 ? arena_alloc(a, n * sizeof(*rcpts)) : NULL;

	for (size_t i = 0; i < n; i++)
		rcpts[i] = keep(a, r->rcpts[i], SHORT);
	f->at_ms = clock_unix_ms();
	f->r = (struct store_msglog_refusal){.stage = r->stage,
		.code = r->code,
		.ecode = keep(a, r->ecode, 20),
		.text = keep(a, r->text, STORE_LOG_TEXT_MAX),
		.session = keep(a, r->session, SHORT),
		.mail_from = keep(a, r->mail_from, SHORT),
		.helo = keep(a, r->helo, SHORT),
		.remote_ip = keep(a, r->remote_ip, SHORT),
		.account = keep(a, r->account, SHORT),
		.listener = keep(a, r->listener, SHORT),
		.tls = keep(a, r->tls, SHORT),
		.rcpts = rcpts,
		.rcpt_count = n,
		.size = r->size,
		.message_id = keep(a, r->message_id, SHORT),
		.header_from = keep(a, r->header_from, SHORT),
		.from_address = keep(a, r->from_address, SHORT),
		.subject = keep(a, r->subject, SHORT),
		.trace = r->trace.len <= TRACE ? arena_str(a, r->trace) : STR("")};
}

void store_msglog_refused(struct store *s, const struct store_msglog_refusal *r)
{
	struct msglog *l = s->log;

	if (s->readonly)
		return;
	pthread_mutex_lock(&l->lock);
	if (l->waiting.count >= STORE_LOG_PENDING_MAX) {
		atomic_fetch_add(&l->lost, 1);
		pthread_mutex_unlock(&l->lock);
		return;
	}
	if (l->waiting.arena == NULL) {
		l->waiting.arena = arena_open();
		pthread_cond_signal(&l->work);
	}
	struct refusal *f = arena_alloc(l->waiting.arena, sizeof(*f));
	refusal_copy(l->waiting.arena, r, f);
	*l->waiting.last = f;
	l->waiting.last = &f->next;
	l->waiting.count++;
	pthread_mutex_unlock(&l->lock);
}

struct refusals msglog_refusals_take(struct msglog *l)
{
	pthread_mutex_lock(&l->lock);
	struct refusals list = l->waiting;
	refusals_clear(&l->waiting);
	pthread_mutex_unlock(&l->lock);
	return list;
}

int64_t store_msglog_lost(struct store *s)
{
	return atomic_load(&s->log->lost);
}

/* --- watching --- */

void msglog_changed(struct store *s, int64_t id)
{
	struct msglog *l = s->log;

	pthread_mutex_lock(&l->lock);
	l->changes[l->change_count++ % CHANGES_MAX] = id;
	if (l->watchers > 0)
		pthread_cond_broadcast(&l->watch);
	pthread_mutex_unlock(&l->lock);
}

/* A cursor is the count of changes seen, plus one: 0 is "from now on". */
size_t store_msglog_wait(struct store *s, int64_t *cursor, struct deadline d, int64_t *ids,
	size_t max, int64_t *missed)
{
	struct msglog *l = s->log;
	struct timespec ts = {d.mono_ms / 1000, d.mono_ms % 1000 * 1000000};
	size_t n = 0;

	*missed = 0;
	pthread_mutex_lock(&l->lock);
	if (*cursor == 0)
		*cursor = l->change_count + 1;
	l->watchers++;
	while (!l->woken && l->change_count + 1 <= *cursor && deadline_left_ms(d) > 0)
		pthread_cond_timedwait(&l->watch, &l->lock, &ts);
	l->watchers--;
	int64_t from = *cursor - 1;
	if (l->change_count - from > CHANGES_MAX) {
		*missed = l->change_count - from - CHANGES_MAX;
		from = l->change_count - CHANGES_MAX;
	}
	for (; from < l->change_count && n < max; from++)
		ids[n++] = l->changes[from % CHANGES_MAX];
	*cursor = from + 1;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void store_msglog_wake(struct store *s)
{
	pthread_mutex_lock(&s->log->lock);
	s->log->woken = true;
	pthread_cond_broadcast(&s->log->watch);
	pthread_mutex_unlock(&s->log->lock);
}
