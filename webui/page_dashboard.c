/* The overview: what is wrong, what happened, how it stands. A handful of small queries, none
 * of which grows with queue or log. */
#include "store/queue.h"
#include "store/statistics.h"
#include "webui/chart.h"
#include "webui/machineview.h"
#include "webui/pages.h"
#include "webui/problems.h"

#include <inttypes.h>

enum { HOURS = 24, DAYS = 30, DESTS_SHOWN = 5, DOMAINS_SHOWN = 8, SERIES = 4 };

/* --- mail over time --- */

static const struct {
	enum store_counter counter;
	const char *name, *label;
	enum chart_side side;
} series_shown[SERIES] = {
	{STORE_COUNT_RECEIVED, "c-in", "In", CHART_UP},
	{STORE_COUNT_REJECTED, "c-rejected", "Rejected", CHART_UP},
	{STORE_COUNT_DELIVERED, "c-out", "Out", CHART_DOWN},
	{STORE_COUNT_DEFERRED, "c-deferred", "Deferred", CHART_DOWN},
};

static void mail_chart(struct page *p, const char *key, const char *title, enum chart_unit unit,
	const struct store_stat_slot *slots, size_t n)
{
	struct chart_series series[SERIES];
	int64_t *starts = arena_alloc(p->arena, n * sizeof(*starts));

	for (size_t i = 0; i < n; i++)
		starts[i] = slots[i].start_s;
	for (size_t s = 0; s < SERIES; s++) {
		int64_t *values = arena_alloc(p->arena, n * sizeof(*values));
		for (size_t i = 0; i < n; i++)
			values[i] = slots[i].counts[series_shown[s].counter];
		series[s] = (struct chart_series){
			series_shown[s].name, series_shown[s].label, series_shown[s].side, values};
	}
	struct chart c = {title, unit, starts, n, series, SERIES};
	chart_view(p, p->view, key, &c);
}

/* Of the last 24 hours, as shares of a bar that is 100 wide. */
static void results_fill(struct page *p, const struct store_stat_slot *hours, size_t n)
{
	static const struct {
		enum store_counter counter;
		const char *name, *label;
	} results[] = {
		{STORE_COUNT_DELIVERED, "c-out", "Delivered"},
		{STORE_COUNT_DEFERRED, "c-deferred", "Deferred, tried again"},
		{STORE_COUNT_BOUNCED, "c-rejected", "Bounced"},
	};
	enum { RESULTS = sizeof(results) / sizeof(results[0]) };
	struct tval *list = tval_set_list(p->arena, p->view, "results");
	int64_t sums[RESULTS] = {0}, all = 0, at = 0;
	struct buf b = {NULL, 0, 0};

	for (size_t r = 0; r < RESULTS; r++) {
		for (size_t i = 0; i < n; i++)
			sums[r] += hours[i].counts[results[r].counter];
		all += sums[r];
	}
	buf_text(&b, "<svg class=\"shares\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\""
		     " aria-hidden=\"true\">");
	for (size_t r = 0; r < RESULTS && all > 0; r++) {
		int64_t width = (int64_t)((double)sums[r] / (double)all * 1000);
		if (sums[r] > 0)
			buf_printf(&b,
				"<rect class=\"%s\" x=\"%" PRId64 "\" width=\"%" PRId64
				"\" height=\"10\"/>",
				results[r].name, at, width > 3 ? width : 3);
		at += width;
	}
	buf_text(&b, "</svg>");
	tval_set_str(p->arena, p->view, "shares", buf_str(&b));
	buf_free(&b);
	tval_set_flag(p->arena, p->view, "any_result", all > 0);
	for (size_t r = 0; r < RESULTS; r++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_text(p->arena, row, "name", results[r].name);
		tval_set_text(p->arena, row, "label", results[r].label);
		page_count(p, row, "count", sums[r]);
		if (all > 0)
			tval_set_printf(p->arena, row, "percent", "%.1f %%",
				100.0 * (double)sums[r] / (double)all);
	}
}

static int mail_fill(struct page *p, struct err *err)
{
	struct store_stat_slot *hours = arena_alloc(p->arena, HOURS * sizeof(*hours));
	struct store_stat_slot *days = arena_alloc(p->arena, DAYS * sizeof(*days));
	int64_t depth[HOURS], now_s = clock_unix_s();

	if (store_stat_hours(p->gateway->store, now_s, HOURS, hours, err) < 0 ||
		store_stat_days(p->gateway->store, now_s, DAYS, days, err) < 0)
		return -1;
	mail_chart(p, "day", "Mail in the last 24 hours, by hour", CHART_HOURS, hours, HOURS);
	mail_chart(p, "month", "Mail in the last 30 days, by day", CHART_DAYS, days, DAYS);
	results_fill(p, hours, HOURS);
	for (size_t i = 0; i < HOURS; i++)
		depth[i] = hours[i].queue_max;
	chart_spark(p, p->view, "depth", "Length of the queue in the last 24 hours", depth, HOURS);
	return 0;
}

/* --- the queue and where mail goes --- */

static void url_set(struct page *p, struct tval *map, const char *key, struct str text)
{
	struct buf url = {NULL, 0, 0};

	buf_url(&url, text);
	tval_set_str(p->arena, map, key, buf_str(&url));
	buf_free(&url);
}

static int queue_fill(struct page *p, struct err *err)
{
	struct store_queue_summary s;
	struct store_dest_row *dests;
	struct queue_stats q = {.active = 0};
	size_t count;
	struct tval *list = tval_set_list(p->arena, p->view, "dests");

	if (store_queue_summary(p->gateway->store, &s, err) < 0 ||
		store_queue_dests(p->gateway->store, DESTS_SHOWN, p->arena, &dests, &count, err) <
			0)
		return -1;
	if (p->gateway->queue != NULL)
		queue_stats_get(p->gateway->queue, &q);
	page_count(p, p->view, "queued", s.queued);
	page_count(p, p->view, "held", s.held);
	page_count(p, p->view, "active", q.active);
	page_time(p, p->view, "oldest", s.oldest_ms);
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_str(p->arena, row, "dest", dests[i].dest);
		url_set(p, row, "dest_url", dests[i].dest);
		page_count(p, row, "queued", dests[i].queued + dests[i].held);
	}
	return 0;
}

static int domains_fill(struct page *p, struct err *err)
{
	struct store_stat_domain *rows;
	size_t count;
	struct tval *list = tval_set_list(p->arena, p->view, "busy");

	/* Since yesterday 00:00 UTC, so that there is something to see just after midnight. */
	if (store_stat_domains(p->gateway->store, clock_unix_s() - 24 * 3600, DOMAINS_SHOWN,
		    p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_str(p->arena, row, "domain", rows[i].domain);
		page_count(p, row, "accepted", rows[i].accepted);
		page_count(p, row, "delivered", rows[i].delivered);
		page_count(p, row, "deferred", rows[i].deferred);
		page_count(p, row, "failed", rows[i].failed);
	}
	tval_set_flag(p->arena, p->view, "any_busy", count > 0);
	return 0;
}

void page_dashboard(struct page *p)
{
	struct health *h = arena_alloc(p->arena, sizeof(*h));
	struct err err;

	health_read(p->gateway, h);
	machineview_fill(p, h);
	if (problems_fill(p, h, &err) < 0 || mail_fill(p, &err) < 0 || queue_fill(p, &err) < 0 ||
		domains_fill(p, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	tval_set_flag(p->arena, p->view, "quiet",
		p->notices[PAGE_NOTICE_BAD] == NULL && p->notices[PAGE_NOTICE_WARN] == NULL &&
			p->notices[PAGE_NOTICE_HINT] == NULL);
	page_render(p, 200, "dashboard", "Overview");
}
