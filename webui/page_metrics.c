/* What machines ask: /healthz, /readyz, /metrics (Prometheus text format 0.0.4). */
#include "webui/pages.h"

#include <inttypes.h>

static const char text_type[] = "text/plain; charset=utf-8";

void page_health(struct page *p)
{
	page_text(p, 200, text_type, "ok\n");
}

/* Ready: the store answers and every listener is up. */
void page_ready(struct page *p)
{
	struct store_queue_summary summary;
	struct health *h = arena_alloc(p->arena, sizeof(*h));
	struct err err;

	if (store_queue_summary(p->gateway->store, &summary, &err) < 0) {
		page_text(p, 503, text_type, "the store does not answer\n");
		return;
	}
	health_read(p->gateway, h);
	for (size_t i = 0; i < h->listener_count; i++) {
		if (!h->listeners[i].up) {
			page_text(p, 503, text_type, "a listener is down\n");
			return;
		}
	}
	page_text(p, 200, text_type, "ready\n");
}

static void metric(struct buf *b, const char *name, const char *type, const char *help, int64_t n)
{
	buf_printf(
		b, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", name, help, name, type, name, n);
}

static void store_metrics(struct page *p, struct buf *b)
{
	struct store_stats s;

	store_stats_get(p->gateway->store, &s);
	metric(b, "mox_store_commits_total", "counter", "Group commits.", s.commits);
	metric(b, "mox_store_operations_total", "counter", "Write operations.", s.operations);
	metric(b, "mox_store_failed_operations_total", "counter", "Write operations that failed.",
		s.failed_operations);
	metric(b, "mox_store_failed_commits_total", "counter", "Commits that failed.",
		s.failed_commits);
	metric(b, "mox_store_commit_microseconds_total", "counter", "Time spent in commits.",
		s.commit_us_total);
	metric(b, "mox_store_commit_microseconds_max", "gauge", "Longest commit.", s.commit_us_max);
	metric(b, "mox_store_batch_max", "gauge", "Most operations in one commit.", s.batch_max);
}

static void day_metrics(struct buf *b, const int64_t counts[STORE_COUNT_MAX])
{
	static const char *const results[STORE_COUNT_MAX] = {
		[STORE_COUNT_RECEIVED] = "received",
		[STORE_COUNT_DELIVERED] = "delivered",
		[STORE_COUNT_DEFERRED] = "deferred",
		[STORE_COUNT_BOUNCED] = "bounced",
		[STORE_COUNT_REJECTED] = "rejected",
		[STORE_COUNT_TEMPFAILED] = "tempfailed",
	};

	buf_text(b, "# HELP mox_mail_today Mail of the current UTC day by result.\n"
		    "# TYPE mox_mail_today gauge\n");
	for (size_t i = 0; i < STORE_COUNT_MAX; i++)
		buf_printf(b, "mox_mail_today{result=\"%s\"} %" PRId64 "\n", results[i], counts[i]);
}

void page_metrics(struct page *p)
{
	struct gateway *g = p->gateway;
	struct buf *b = &p->answer.body;
	struct store_queue_summary summary;
	int64_t counts[STORE_COUNT_MAX], now_s = clock_unix_s();
	struct err err;

	if (store_queue_summary(g->store, &summary, &err) < 0 ||
		store_counts_day(g->store, now_s, counts, &err) < 0) {
		page_text(p, 503, text_type, "the store does not answer\n");
		return;
	}
	metric(b, "mox_queue_recipients", "gauge", "Recipients waiting.", summary.queued);
	metric(b, "mox_queue_held", "gauge", "Recipients on hold.", summary.held);
	metric(b, "mox_queue_messages", "gauge", "Messages in the queue.", summary.messages);
	metric(b, "mox_queue_oldest_seconds", "gauge", "Age of the oldest message.",
		summary.oldest_ms > 0 ? now_s - summary.oldest_ms / 1000 : 0);
	day_metrics(b, counts);
	store_metrics(p, b);
	if (g->queue != NULL) {
		struct queue_stats q;
		queue_stats_get(g->queue, &q);
		metric(b, "mox_deliveries_active", "gauge", "Deliveries running.", q.active);
		metric(b, "mox_delivered_total", "counter", "Recipients delivered.", q.delivered);
		metric(b, "mox_deferred_total", "counter", "Attempts deferred.", q.deferred);
		metric(b, "mox_failed_total", "counter", "Recipients failed.", q.failed);
		metric(b, "mox_out_connections_total", "counter", "Connections opened.",
			q.connections_opened);
		metric(b, "mox_out_connections_reused_total", "counter", "Connections reused.",
			q.connections_reused);
		metric(b, "mox_next_hops_down", "gauge", "Next hops known to be down.",
			q.hops_down);
	}
	if (g->limits != NULL) {
		struct smtp_limits_stats l;
		smtp_limits_stats_get(g->limits, &l);
		metric(b, "mox_smtp_connections_open", "gauge", "Connections open.", l.open);
		metric(b, "mox_smtp_connections_total", "counter", "Connections accepted.",
			l.accepted_total);
		metric(b, "mox_smtp_connections_refused_total", "counter",
			"Connections refused by limits.", l.refused_total);
	}
	p->answer.status = 200;
	p->answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
}
