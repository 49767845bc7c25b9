#include "webui/tail.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "webui/logview.h"
#include "webui/server.h"

#include <stdlib.h>

struct tail { /* one stream */
	struct tail_hub *hub;
	struct MHD_Connection *mhd;
	struct client *client;
	struct arena *arena; /* of the filter */
	struct store_msglog_filter f;
	const char *base;
	struct buf out;
	int64_t ends_ms;
	bool suspended, ended, behind; /* behind: rows were left out */
	struct tail *next;
};

struct tail_hub {
	struct webui *ui;
	pthread_t thread;
	bool running, stopping;
	pthread_mutex_t lock; /* the list, and what its streams hold */
	pthread_cond_t some;  /* there is somebody to feed */
	struct tail *first;
	size_t count;
};

/* --- a stream, as libmicrohttpd sees it --- */

static ssize_t tail_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct tail *t = cls;
	ssize_t n = 0;

	(void)pos;
	pthread_mutex_lock(&t->hub->lock);
	if (t->out.len > 0) {
		size_t take = t->out.len < max ? t->out.len : max;
		memcpy(out, t->out.p, take);
		memmove(t->out.p, t->out.p + take, t->out.len - take);
		t->out.len -= take;
		n = (ssize_t)take;
	} else if (t->ended) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		t->suspended = true;
		MHD_suspend_connection(t->mhd);
	}
	pthread_mutex_unlock(&t->hub->lock);
	/* As long as it takes what it is given, its time is not over. */
	if (n > 0)
		client_deadline(t->client, SERVER_BODY_MS, false);
	return n;
}

static void tail_end(void *cls)
{
	struct tail *t = cls;
	struct tail_hub *hub = t->hub;

	pthread_mutex_lock(&hub->lock);
	for (struct tail **at = &hub->first; *at != NULL; at = &(*at)->next) {
		if (*at != t)
			continue;
		*at = t->next;
		hub->count--;
		break;
	}
	pthread_mutex_unlock(&hub->lock);
	buf_free(&t->out);
	arena_close(&t->arena);
	free(t);
}

/* The lock is held. */
static void tail_go_on(struct tail *t)
{
	if (!t->suspended)
		return;
	t->suspended = false;
	MHD_resume_connection(t->mhd);
}

void tail_answer(struct page *p, const struct store_msglog_filter *f)
{
	struct store_msglog_filter *copy = arena_alloc(p->arena, sizeof(*copy));

	*copy = *f;
	p->answer.status = 200;
	p->answer.content_type = "text/event-stream";
	p->answer.tail = copy;
}

struct MHD_Response *tail_response(struct request *r)
{
	struct tail_hub *hub = r->ui->tails;
	const struct store_msglog_filter *f = r->page.answer.tail;
	struct tail *t = mem_alloc(sizeof(*t));
	struct arena *a = t->arena = arena_open();

	t->hub = hub;
	t->mhd = r->mhd;
	t->client = r->client;
	t->base = arena_strdup(a, str_from(r->page.base));
	t->f = (struct store_msglog_filter){.address = arena_str(a, f->address),
		.domain = arena_str(a, f->domain),
		.session = arena_str(a, f->session),
		.message_id = arena_str(a, f->message_id),
		.ip = arena_str(a, f->ip),
		.results = f->results,
		.limit = TAIL_BATCH};
	t->ends_ms = clock_mono_ms() + TAIL_LIFE_MS;
	/* Something at once, so that the browser knows that it is connected. */
	buf_text(&t->out, "retry: 3000\n: here\n\n");
	pthread_mutex_lock(&hub->lock);
	bool take = !hub->stopping && hub->count < TAIL_MAX;
	if (take) {
		t->next = hub->first;
		hub->first = t;
		hub->count++;
		pthread_cond_signal(&hub->some);
	}
	pthread_mutex_unlock(&hub->lock);
	struct MHD_Response *resp = take ? MHD_create_response_from_callback(
						   MHD_SIZE_UNKNOWN, 4096, tail_read, t, tail_end)
					 : NULL;
	if (resp == NULL)
		tail_end(t);
	return resp;
}

/* --- feeding --- */

/* One event for each row; its HTML in one line each. */
static void rows_write(
	struct tail_hub *hub, struct page *p, const struct store_msglog_page *rows, struct buf *out)
{
	struct buf html = {NULL, 0, 0};
	struct str rest, line;
	struct err err;

	for (size_t i = 0; i < rows->count; i++) {
		struct tval *row = tval_map(p->arena);
		logview_row(p, row, &rows->rows[i]);
		tval_set_text(p->arena, row, "base", p->base);
		buf_clear(&html);
		if (template_render(hub->ui->templates, "log_row", row, &html, &err) < 0) {
			log_event(LOG_LEVEL_ERROR, "web.template", "error", err.text, NULL);
			break;
		}
		buf_text(out, "event: row\n");
		rest = buf_str(&html);
		while (str_next(&rest, '\n', &line)) {
			buf_text(out, "data: ");
			buf_raw(out, line);
			buf_byte(out, '\n');
		}
		buf_byte(out, '\n');
	}
	buf_free(&html);
}

/* The lock is held: rows were read before. */
static void tail_put(struct tail *t, struct str text)
{
	if (t->out.len + text.len > TAIL_BUFFER_MAX) {
		t->behind = true;
		return;
	}
	if (t->behind && text.len > 0) {
		buf_text(&t->out, "event: missed\ndata: 1\n\n");
		t->behind = false;
	}
	buf_raw(&t->out, text);
	if (text.len > 0)
		tail_go_on(t);
}

/* Rows of these ids for one stream. Reading them under the lock is fine: they are few, and
 * only streams wait for it. */
static void tail_feed(struct tail_hub *hub, struct tail *t, const int64_t *ids, size_t n)
{
	struct page p = {.arena = arena_open(), .base = t->base};
	struct store_msglog_page rows;
	struct buf out = {NULL, 0, 0};
	struct err err;

	if (store_msglog_rows(hub->ui->gateway->store, &t->f, ids, n, p.arena, &rows, &err) == 0)
		rows_write(hub, &p, &rows, &out);
	tail_put(t, buf_str(&out));
	buf_free(&out);
	arena_close(&p.arena);
}

/* Leaves the last of each id. */
static size_t ids_unique(int64_t *ids, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		size_t later = i + 1;
		while (later < n && ids[later] != ids[i])
			later++;
		if (later == n)
			ids[out++] = ids[i];
	}
	return out;
}

/* False: stop. */
static bool wait_for_somebody(struct tail_hub *hub, int64_t *cursor)
{
	pthread_mutex_lock(&hub->lock);
	while (!hub->stopping && hub->count == 0) {
		*cursor = 0; /* what happens while nobody looks is not told */
		pthread_cond_wait(&hub->some, &hub->lock);
	}
	bool go_on = !hub->stopping;
	pthread_mutex_unlock(&hub->lock);
	return go_on;
}

static void *feeder_run(void *arg)
{
	struct tail_hub *hub = arg;
	int64_t cursor = 0, missed, ids[TAIL_BATCH], ping_ms = clock_mono_ms() + TAIL_PING_MS;

	while (wait_for_somebody(hub, &cursor)) {
		size_t n = store_msglog_wait(hub->ui->gateway->store, &cursor, deadline_in_ms(1000),
			ids, TAIL_BATCH, &missed);
		int64_t now_ms = clock_mono_ms();
		bool ping = now_ms >= ping_ms;
		n = ids_unique(ids, n);
		if (ping)
			ping_ms = now_ms + TAIL_PING_MS;
		pthread_mutex_lock(&hub->lock);
		for (struct tail *t = hub->first; t != NULL; t = t->next) {
			t->behind = t->behind || missed > 0;
			if (n > 0)
				tail_feed(hub, t, ids, n);
			if (ping)
				tail_put(t, STR(": \n\n"));
			if (now_ms >= t->ends_ms && !t->ended) {
				t->ended = true;
				tail_go_on(t);
			}
		}
		pthread_mutex_unlock(&hub->lock);
	}
	return NULL;
}

int tail_start(struct webui *ui, struct err *err)
{
	struct tail_hub *hub = mem_alloc(sizeof(*hub));

	hub->ui = ui;
	pthread_mutex_init(&hub->lock, NULL);
	cond_init(&hub->some);
	ui->tails = hub;
	if (thread_spawn(&hub->thread, "web-tail", feeder_run, hub, err) < 0)
		return -1;
	hub->running = true;
	return 0;
}

void tail_stop(struct webui *ui)
{
	struct tail_hub *hub = ui->tails;

	if (hub == NULL)
		return;
	pthread_mutex_lock(&hub->lock);
	hub->stopping = true;
	pthread_cond_signal(&hub->some);
	for (struct tail *t = hub->first; t != NULL; t = t->next) {
		t->ended = true;
		tail_go_on(t);
	}
	pthread_mutex_unlock(&hub->lock);
	if (hub->running)
		pthread_join(hub->thread, NULL);
	hub->running = false;
}

void tail_free(struct webui *ui)
{
	struct tail_hub *hub = ui->tails;

	if (hub == NULL)
		return;
	pthread_cond_destroy(&hub->some);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
	ui->tails = NULL;
}
