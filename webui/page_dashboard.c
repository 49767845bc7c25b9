#include "webui/pages.h"

#include <inttypes.h>

enum {
	DISK_LOW_PERCENT = 10,
	OLDEST_S = 6 * 3600, /* a message older than this is worth a look */
	DESTS_SHOWN = 6,
	HOPS_SHOWN = 5,
	CERT_WARN_S = 14 * 24 * 3600
};

static int today_fill(struct page *p, struct err *err)
{
	static const struct {
		enum store_counter counter;
		const char *label, *note, *kind;
	} figures[] = {
		{STORE_COUNT_RECEIVED, "Accepted", "messages in", ""},
		{STORE_COUNT_TEMPFAILED, "Put off", "in, sender tries again", ""},
		{STORE_COUNT_REJECTED, "Rejected", "in, for good", ""},
		{STORE_COUNT_DELIVERED, "Delivered", "recipients out", "good"},
		{STORE_COUNT_DEFERRED, "Deferred", "out, tried again later", "warn"},
		{STORE_COUNT_BOUNCED, "Bounced", "out, given up", "bad"},
	};
	struct tval *list = tval_set_list(p->arena, p->view, "today");
	int64_t counts[STORE_COUNT_MAX];

	if (store_counts_day(p->gateway->store, clock_unix_s(), counts, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		struct tval *figure = tval_add_map(p->arena, list);
		int64_t n = counts[figures[i].counter];
		tval_set_text(p->arena, figure, "label", figures[i].label);
		tval_set_text(p->arena, figure, "note", figures[i].note);
		tval_set_text(p->arena, figure, "kind", n > 0 ? figures[i].kind : "");
		page_count(p, figure, "count", n);
	}
	return 0;
}

/* Of interest only while mail waits. */
static void hops_fill(struct page *p, bool waiting)
{
	struct tval *list = tval_set_list(p->arena, p->view, "down");
	struct queue_hop_down down[HOPS_SHOWN];
	struct queue_stats q;

	if (p->gateway->queue == NULL)
		return;
	queue_stats_get(p->gateway->queue, &q);
	page_count(p, p->view, "active", q.active);
	size_t count = waiting ? queue_hops_down(p->gateway->queue, down, HOPS_SHOWN) : 0;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_text(p->arena, row, "name", down[i].name);
		tval_set_text(p->arena, row, "text", down[i].text);
		page_time(p, row, "since", down[i].since_ms);
	}
}

static int queue_fill(struct page *p, struct err *err)
{
	struct store_queue_summary s;
	struct store_dest_row *dests;
	size_t count;
	struct tval *list = tval_set_list(p->arena, p->view, "dests");

	if (store_queue_summary(p->gateway->store, &s, err) < 0 ||
		store_queue_dests(p->gateway->store, DESTS_SHOWN, p->arena, &dests, &count, err) <
			0)
		return -1;
	page_count(p, p->view, "queued", s.queued);
	page_count(p, p->view, "held", s.held);
	page_count(p, p->view, "messages", s.messages);
	page_time(p, p->view, "oldest", s.oldest_ms);
	hops_fill(p, s.queued > 0);
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		struct buf url = {NULL, 0, 0};
		buf_url(&url, dests[i].dest);
		tval_set_str(p->arena, row, "dest", dests[i].dest);
		tval_set_str(p->arena, row, "dest_url", buf_str(&url));
		buf_free(&url);
		page_count(p, row, "queued", dests[i].queued);
		page_count(p, row, "held", dests[i].held);
		page_time(p, row, "next", dests[i].next_attempt_ms);
	}
	if (s.oldest_ms > 0 && clock_unix_s() - s.oldest_ms / 1000 > OLDEST_S)
		page_notice(p, PAGE_NOTICE_WARN, "Mail has been waiting for more than six hours.",
			"queue", "See the queue");
	return 0;
}

/* One notice for a listener section: its services share their certificates. */
static void cert_notice(struct page *p, const struct health *h, size_t at)
{
	const struct health_listener *l = &h->listeners[at];
	int64_t left_s = l->cert_expires_s - clock_unix_s(), days = left_s / (24 * 3600);

	if (l->cert_expires_s == 0 || left_s > CERT_WARN_S)
		return;
	for (size_t i = 0; i < at; i++) {
		if (strcmp(h->listeners[i].listener, l->listener) == 0 &&
			h->listeners[i].cert_expires_s != 0)
			return;
	}
	if (left_s <= 0)
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena,
				"A certificate of the listener %s has expired: senders and mail "
				"programs may refuse to connect.",
				l->listener),
			NULL, NULL);
	else
		page_notice(p, PAGE_NOTICE_WARN,
			arena_printf(p->arena,
				"A certificate of the listener %s expires in %" PRId64 " %s.",
				l->listener, days, days == 1 ? "day" : "days"),
			NULL, NULL);
}

static void listeners_fill(struct page *p, const struct health *h)
{
	struct tval *list = tval_set_list(p->arena, p->view, "listeners");

	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *l = &h->listeners[i];
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_text(p->arena, row, "service", l->service);
		tval_set_text(p->arena, row, "listener", l->listener);
		tval_set_text(p->arena, row, "address", l->address);
		tval_set_flag(p->arena, row, "up", l->up);
		page_count(p, row, "connections", l->connections);
		cert_notice(p, h, i);
		if (!l->up)
			page_notice(p, PAGE_NOTICE_BAD,
				arena_printf(p->arena, "The %s listener at %s is down.", l->service,
					l->address),
				NULL, NULL);
	}
}

static void machine_fill(struct page *p)
{
	struct health *h = arena_alloc(p->arena, sizeof(*h));

	health_read(p->gateway, h);
	if (h->config_problem[0] != '\0')
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena,
				"The changed mox.conf was refused, the one before is in use: %s",
				h->config_problem),
			NULL, NULL);
	if (h->disk_total_bytes > 0) {
		int64_t percent =
			(int64_t)(100.0 * (double)h->disk_free_bytes / (double)h->disk_total_bytes);
		tval_set_printf(p->arena, p->view, "disk_percent", "%" PRId64, percent);
		page_size(p, p->view, "disk_free", h->disk_free_bytes);
		page_size(p, p->view, "disk_total", h->disk_total_bytes);
		if (percent < DISK_LOW_PERCENT)
			page_notice(p, PAGE_NOTICE_BAD,
				arena_printf(p->arena,
					"Only %" PRId64
					" percent of the disk is free. When it is full, no mail is "
					"accepted.",
					percent),
				NULL, NULL);
	}
	listeners_fill(p, h);
	page_count(p, p->view, "sessions", h->sessions_open);
	page_size(p, p->view, "memory", h->rss_bytes);
	page_time(p, p->view, "loaded", h->config_loaded_s * 1000);
	page_time(p, p->view, "started", p->gateway->started_s * 1000);
}

static int domains_hint(struct page *p, struct err *err)
{
	struct store_domain *rows;
	size_t count;

	if (store_domain_list(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	if (count == 0 && !p->config->localserve)
		page_notice(p, PAGE_NOTICE_HINT,
			"No domain is set up yet, so no mail from outside is taken.", "domains/new",
			"Create the first domain");
	return 0;
}

void page_dashboard(struct page *p)
{
	struct err err;

	machine_fill(p);
	if (today_fill(p, &err) < 0 || queue_fill(p, &err) < 0 || domains_hint(p, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < p->config->warning_count; i++)
		page_notice(p, PAGE_NOTICE_HINT, p->config->warnings[i], NULL, NULL);
	page_render(p, 200, "dashboard", "Overview");
}
