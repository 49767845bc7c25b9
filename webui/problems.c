#include "webui/problems.h"

#include "store/directory.h"
#include "store/queue.h"
#include "store/statistics.h"
#include "webui/pages.h"
#include "webui/router.h"

#include <inttypes.h>

enum problems_disk problems_disk(int64_t free_bytes, int64_t total_bytes)
{
	if (total_bytes <= 0)
		return DISK_UNKNOWN;
	double percent = 100.0 * (double)free_bytes / (double)total_bytes;
	if (percent * 3 < DISK_LOW_PERCENT || free_bytes * 3 < disk_low_bytes)
		return DISK_FULL;
	if (percent < DISK_LOW_PERCENT || free_bytes < disk_low_bytes)
		return DISK_LOW;
	return DISK_OK;
}

enum problems_cert problems_cert(int64_t expires_s, int64_t now_s)
{
	if (expires_s == 0)
		return CERT_NONE;
	if (expires_s <= now_s)
		return CERT_ENDED;
	return expires_s - now_s <= PROBLEM_CERT_WARN_S ? CERT_SOON : CERT_OK;
}

/* The first of these pages that exists. */
static const char *page_of(const char *wanted, const char *otherwise)
{
	struct str params[PAGE_PARAMS_MAX];
	const struct route *r;

	return router_find(PAGE_GET, str_from(wanted), params, &r) == ROUTE_FOUND ? wanted
										  : otherwise;
}

/* --- bad: mail is or may be lost, or nobody gets in --- */

static void database(struct page *p)
{
	struct store_stats s;

	store_stats_get(p->gateway->store, &s);
	/* Before the first commit there is nothing to say. */
	if (s.failed_commits > 0 && s.last_commit_ms == 0)
		page_notice(p, PAGE_NOTICE_BAD,
			"The database takes no writes at the moment, so no mail is accepted.",
			"machine#database", "See the database");
}

static void disk(struct page *p, const struct health *h)
{
	int64_t percent = h->disk_total_bytes > 0 ? (int64_t)(100.0 * (double)h->disk_free_bytes /
							      (double)h->disk_total_bytes)
						  : 0;

	switch (problems_disk(h->disk_free_bytes, h->disk_total_bytes)) {
	case DISK_UNKNOWN:
	case DISK_OK:
		return;
	case DISK_LOW:
	case DISK_FULL:
		page_notice(p,
			problems_disk(h->disk_free_bytes, h->disk_total_bytes) == DISK_FULL
				? PAGE_NOTICE_BAD
				: PAGE_NOTICE_WARN,
			arena_printf(p->arena,
				"Only %s of the disk is free (%" PRId64
				" percent). When it is full, no mail is accepted.",
				page_size_text(p, h->disk_free_bytes), percent),
			"machine#disk", "See the disk");
	}
}

static void config(struct page *p, const struct health *h)
{
	if (h->config_problem[0] != '\0')
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena,
				"The changed mox.conf was refused, the one before is in use: %s",
				h->config_problem),
			"machine#config", "What to do");
}

/* One notice for a listener section: its services share their certificates. */
static bool cert_told(const struct health *h, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(h->listeners[i].listener, h->listeners[at].listener) == 0 &&
			h->listeners[i].cert_expires_s != 0)
			return true;
	}
	return false;
}

static void certificate(struct page *p, const struct health *h, size_t at)
{
	const struct health_listener *l = &h->listeners[at];
	int64_t days = (l->cert_expires_s - clock_unix_s()) / (24 * 3600);
	const char *where = page_of("certificates", page_of("listeners", "machine#config"));

	if (cert_told(h, at))
		return;
	switch (problems_cert(l->cert_expires_s, clock_unix_s())) {
	case CERT_NONE:
	case CERT_OK:
		return;
	case CERT_ENDED:
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena,
				"A certificate of the listener %s has expired: senders and mail "
				"programs may refuse to connect.",
				l->listener),
			where, "See certificates");
		return;
	case CERT_SOON:
		page_notice(p, PAGE_NOTICE_WARN,
			arena_printf(p->arena,
				"A certificate of the listener %s expires in %" PRId64 " %s.",
				l->listener, days, days == 1 ? "day" : "days"),
			where, "See certificates");
	}
}

static void listeners(struct page *p, const struct health *h)
{
	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *l = &h->listeners[i];
		certificate(p, h, i);
		if (!l->up)
			page_notice(p, PAGE_NOTICE_BAD,
				arena_printf(p->arena, "The %s listener at %s is down.", l->service,
					l->address),
				page_of("listeners", "machine#config"), "See listeners");
	}
}

static void resolver(struct page *p, const struct health *h)
{
	if (h->resolver.state == HEALTH_BAD || h->resolver.state == HEALTH_WARN)
		page_notice(p, h->resolver.state == HEALTH_BAD ? PAGE_NOTICE_BAD : PAGE_NOTICE_WARN,
			h->resolver.text, "machine#resolver", "What to do");
}

/* --- warn: mail waits --- */

static int waiting(struct page *p, struct err *err)
{
	struct queue_hop_down *down = arena_alloc(p->arena, PROBLEM_HOPS_SHOWN * sizeof(*down));
	struct store_queue_summary s;

	if (store_queue_summary(p->gateway->store, &s, err) < 0)
		return -1;
	if (s.oldest_ms > 0 && clock_unix_s() - s.oldest_ms / 1000 > PROBLEM_OLDEST_S)
		page_notice(p, PAGE_NOTICE_WARN, "Mail has been waiting for more than six hours.",
			"queue", "See the queue");
	if (p->gateway->queue == NULL || s.queued == 0)
		return 0; /* what is down is of interest only while mail waits */
	size_t n = queue_hops_down(p->gateway->queue, down, PROBLEM_HOPS_SHOWN);
	for (size_t i = 0; i < n; i++)
		page_notice(p, PAGE_NOTICE_WARN,
			arena_printf(
				p->arena, "%s does not answer: %s.", down[i].name, down[i].text),
			"queue", "See the queue");
	return 0;
}

/* --- set-up --- */

static int postmaster(struct page *p, struct err *err)
{
	struct store_account *account = arena_alloc(p->arena, sizeof(*account));
	const char *name = p->config->postmaster_account;

	if (p->config->localserve)
		return 0;
	if (name == NULL || name[0] == '\0') {
		page_notice(p, PAGE_NOTICE_WARN,
			"Nobody reads the mail to postmaster of this host: mox.conf names no "
			"Postmaster account.",
			"machine#postmaster", "What to do");
		return 0;
	}
	int rc = store_account_find(p->gateway->store, str_from(name), p->arena, account, err);
	if (rc == 0)
		page_notice(p, PAGE_NOTICE_WARN,
			arena_printf(p->arena,
				"Nobody reads the mail to postmaster of this host: the account %s "
				"does not exist.",
				name),
			"accounts/new", "Create it");
	return rc < 0 ? -1 : 0;
}

static int first_domain(struct page *p, struct err *err)
{
	bool any = false;

	if (store_any_domain(p->gateway->store, &any, err) < 0)
		return -1;
	if (!any && !p->config->localserve)
		page_notice(p, PAGE_NOTICE_HINT,
			"No domain is set up yet, so no mail from outside is taken.", "domains/new",
			"Create the first domain");
	return 0;
}

int problems_fill(struct page *p, const struct health *h, struct err *err)
{
	database(p);
	disk(p, h);
	config(p, h);
	listeners(p, h);
	resolver(p, h);
	if (waiting(p, err) < 0 || first_domain(p, err) < 0 || postmaster(p, err) < 0 ||
		page_dkim_notices(p, err) < 0)
		return -1;
	if (p->config->warning_count > 0)
		page_notice(p, PAGE_NOTICE_HINT,
			arena_printf(p->arena, "There %s %zu %s on mox.conf.",
				p->config->warning_count == 1 ? "is" : "are",
				p->config->warning_count,
				p->config->warning_count == 1 ? "remark" : "remarks"),
			"machine#config", "Read");
	return 0;
}
