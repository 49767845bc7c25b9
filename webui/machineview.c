#include "webui/machineview.h"

#include "webui/problems.h"

#include <inttypes.h>

static void listeners_fill(struct page *p, const struct health *h)
{
	struct tval *list = tval_set_list(p->arena, p->view, "listeners");

	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *l = &h->listeners[i];
		struct tval *row = tval_add_map(p->arena, list);
		int64_t days = (l->cert_expires_s - clock_unix_s()) / (24 * 3600);
		static const char *const kinds[] = {[CERT_NONE] = "",
			[CERT_OK] = "",
			[CERT_SOON] = "warn",
			[CERT_ENDED] = "bad"};
		enum problems_cert cert = problems_cert(l->cert_expires_s, clock_unix_s());
		tval_set_text(p->arena, row, "service", l->service);
		tval_set_text(p->arena, row, "listener", l->listener);
		tval_set_text(p->arena, row, "address", l->address);
		tval_set_flag(p->arena, row, "up", l->up);
		page_count(p, row, "connections", l->connections);
		tval_set_text(p->arena, row, "cert_kind", kinds[cert]);
		if (cert == CERT_ENDED)
			tval_set_text(p->arena, row, "cert", "Expired");
		else if (cert != CERT_NONE)
			tval_set_printf(p->arena, row, "cert", "%s %s", page_count_text(p, days),
				days == 1 ? "day" : "days");
	}
}

static void disk_fill(struct page *p, const struct health *h)
{
	static const char *const kinds[] = {[DISK_UNKNOWN] = "calm",
		[DISK_OK] = "good",
		[DISK_LOW] = "warn",
		[DISK_FULL] = "bad"};
	int64_t used_permille;

	if (h->disk_total_bytes <= 0)
		return;
	used_permille = (int64_t)(1000.0 * (double)(h->disk_total_bytes - h->disk_free_bytes) /
				  (double)h->disk_total_bytes);
	struct tval *disk = tval_set_map(p->arena, p->view, "disk");
	tval_set_text(p->arena, disk, "kind",
		kinds[problems_disk(h->disk_free_bytes, h->disk_total_bytes)]);
	page_size(p, disk, "free", h->disk_free_bytes);
	page_size(p, disk, "total", h->disk_total_bytes);
	tval_set_printf(p->arena, disk, "percent", "%" PRId64, 100 - used_permille / 10);
	tval_set_printf(p->arena, disk, "bar",
		"<svg class=\"meter\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\""
		" aria-hidden=\"true\"><rect class=\"m-%s\" width=\"%" PRId64
		"\" height=\"10\"/></svg>",
		kinds[problems_disk(h->disk_free_bytes, h->disk_total_bytes)], used_permille);
}

void machineview_fill(struct page *p, const struct health *h)
{
	static const struct {
		const char *kind, *label;
	} states[] = {
		[HEALTH_NOT_TESTED] = {"calm", "Not tested"},
		[HEALTH_OK] = {"good", "Works"},
		[HEALTH_WARN] = {"warn", "Not validating"},
		[HEALTH_BAD] = {"bad", "Fails"},
	};

	listeners_fill(p, h);
	disk_fill(p, h);
	struct tval *resolver = tval_set_map(p->arena, p->view, "resolver");
	tval_set_text(p->arena, resolver, "kind", states[h->resolver.state].kind);
	tval_set_text(p->arena, resolver, "label", states[h->resolver.state].label);
	tval_set_text(p->arena, resolver, "text", h->resolver.text);
	page_time(p, resolver, "at", h->resolver.at_s * 1000);
	page_count(p, p->view, "sessions", h->sessions_open);
	page_size(p, p->view, "memory", h->rss_bytes);
	page_time(p, p->view, "loaded", h->config_loaded_s * 1000);
	page_time(p, p->view, "started", p->gateway->started_s * 1000);
}
