/* What machines ask: /healthz, /readyz, /metrics (Prometheus text format 0.0.4).
 * base/metric.h holds what is counted as it happens; the figures here are looked up. */
#include "base/metric.h"
#include "store/msglog.h"
#include "webui/pages.h"

static const char text_type[] = "text/plain; charset=utf-8";

/* The process lives: nothing else is asked, so that a full disk gets nobody restarted. */
void page_health(struct page *p)
{
	page_text(p, 200, text_type, "ok\n");
}

/* Ready: every listener is up, mox is not stopping, and the store took a write. */
void page_ready(struct page *p)
{
	struct health *h = arena_alloc(p->arena, sizeof(*h));
	struct err err;

	health_read(p->gateway, h);
	if (h->stopping) {
		page_text(p, 503, text_type, "stopping\n");
		return;
	}
	for (size_t i = 0; i < h->listener_count; i++) {
		if (!h->listeners[i].up) {
			page_text(p, 503, text_type,
				arena_printf(p->arena, "listener %s %s is down\n",
					h->listeners[i].service, h->listeners[i].address));
			return;
		}
	}
	if (store_writable(p->gateway->store, &err) < 0) {
		page_text(p, 503, text_type,
			arena_printf(p->arena, "the store does not take mail: %s\n", err.text));
		return;
	}
	page_text(p, 200, text_type, "ready\n");
}

static void store_metrics(struct page *p, struct buf *b)
{
	struct store_stats s;

	store_stats_get(p->gateway->store, &s);
	metric_single(b, "mox_store_failed_operations_total", METRIC_COUNTER,
		"Write operations that failed.", s.failed_operations);
	metric_single(b, "mox_msglog_lost_total", METRIC_COUNTER,
		"Refusals that found too many others waiting to be written to the message log.",
		store_msglog_lost(p->gateway->store));
	metric_single(b, "mox_store_failed_commits_total", METRIC_COUNTER, "Commits that failed.",
		s.failed_commits);
}

static int queue_metrics(struct page *p, struct buf *b, struct err *err)
{
	struct store_queue_summary s;

	if (store_queue_summary(p->gateway->store, &s, err) < 0)
		return -1;
	metric_head(b, "mox_queue_recipients", METRIC_GAUGE, "Recipients in the queue.");
	metric_sample(b, "mox_queue_recipients", "state", "waiting", s.queued);
	metric_sample(b, "mox_queue_recipients", "state", "held", s.held);
	metric_single(b, "mox_queue_messages", METRIC_GAUGE, "Messages in the queue.", s.messages);
	metric_single(b, "mox_queue_oldest_seconds", METRIC_GAUGE,
		"Age of the oldest message in the queue; 0 when it is empty.",
		s.oldest_ms > 0 ? clock_unix_s() - s.oldest_ms / 1000 : 0);
	return 0;
}

static void delivery_metrics(struct queue *queue, struct buf *b)
{
	struct queue_stats q;

	queue_stats_get(queue, &q);
	metric_single(b, "mox_deliveries_active", METRIC_GAUGE, "Deliveries running.", q.active);
	metric_single(b, "mox_out_connections_total", METRIC_COUNTER,
		"Connections opened to deliver mail.", q.connections_opened);
	metric_single(b, "mox_out_connections_reused_total", METRIC_COUNTER,
		"Deliveries over a connection that was open already.", q.connections_reused);
	metric_head(b, "mox_out_tls_handshakes_total", METRIC_COUNTER,
		"TLS handshakes with servers that take mail.");
	metric_sample(b, "mox_out_tls_handshakes_total", "kind", "full", q.tls_full);
	metric_sample(b, "mox_out_tls_handshakes_total", "kind", "resumed", q.tls_resumed);
	metric_single(b, "mox_out_destinations_looked_up_total", METRIC_COUNTER,
		"Destinations whose MX records and policies were looked up.", q.plans_made);
	metric_single(b, "mox_out_destinations_known_total", METRIC_COUNTER,
		"Times a look-up was still good for another delivery.", q.plans_shared);
	metric_single(b, "mox_out_hosts_looked_up_total", METRIC_COUNTER,
		"MX hosts whose addresses and TLSA records were looked up.", q.plan_hosts);
	metric_single(
		b, "mox_next_hops_down", METRIC_GAUGE, "Next hops known to be down.", q.hops_down);
}

static void certificate_metrics(const struct health *h, struct buf *b)
{
	bool head = false;

	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *l = &h->listeners[i];
		if (l->cert_expires_s == 0)
			continue;
		if (!head)
			metric_head(b, "mox_certificate_expires_timestamp_seconds", METRIC_GAUGE,
				"When the first certificate of a listener's address ends.");
		head = true;
		metric_sample(b, "mox_certificate_expires_timestamp_seconds", "address", l->address,
			l->cert_expires_s);
	}
}

static void machine_metrics(struct page *p, struct buf *b)
{
	struct health *h = arena_alloc(p->arena, sizeof(*h));

	health_read(p->gateway, h);
	metric_head(b, "mox_listener_up", METRIC_GAUGE, "Whether connections are taken.");
	for (size_t i = 0; i < h->listener_count; i++)
		metric_sample(b, "mox_listener_up", "address", h->listeners[i].address,
			h->listeners[i].up);
	certificate_metrics(h, b);
	metric_single(b, "mox_disk_free_bytes", METRIC_GAUGE,
		"Room left where the data directory is.", h->disk_free_bytes);
	metric_single(b, "mox_disk_total_bytes", METRIC_GAUGE,
		"Size of the disk that the data directory is on.", h->disk_total_bytes);
	metric_single(b, "mox_memory_bytes", METRIC_GAUGE, "Resident memory of the process.",
		h->rss_bytes);
	metric_single(b, "mox_start_timestamp_seconds", METRIC_GAUGE, "When mox started.",
		p->gateway->started_s);
	metric_single(b, "mox_config_ok", METRIC_GAUGE,
		"0 when the last reload of mox.conf was refused.", h->config_problem[0] == '\0');
}

int metrics_write(struct page *p, struct buf *b, struct err *err)
{
	metric_write(b);
	if (queue_metrics(p, b, err) < 0)
		return -1;
	store_metrics(p, b);
	if (p->gateway->queue != NULL)
		delivery_metrics(p->gateway->queue, b);
	machine_metrics(p, b);
	return 0;
}

void page_metrics(struct page *p)
{
	struct err err;

	buf_clear(&p->answer.body);
	if (metrics_write(p, &p->answer.body, &err) < 0) {
		page_text(p, 503, text_type, "the store does not answer\n");
		return;
	}
	p->answer.status = 200;
	p->answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
}
