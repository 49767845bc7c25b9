/* TLS reports of ours: those sent with what became of them, sending now, and the destinations that
 * get none. */
#include "webui/pages.h"

#include "report/tlsrpt_send.h"

enum { ROWS_PER_PAGE = 50, SUPPRESSED_SHOWN = 200, DAYS_MAX = 3650 };

static void to_show(struct page *p, struct tval *map, const struct store_tlsrpt_to *to)
{
	static const char *const words[] = {"waiting", "delivered", "failed", "not sent"};
	static const char *const kinds[] = {"warn", "good", "bad", ""};
	char id[STORE_ID_TEXT];

	tval_set_str(p->arena, map, "address", to->address);
	tval_set_printf(p->arena, map, "state", "%s", words[to->state]);
	tval_set_printf(p->arena, map, "kind", "%s", kinds[to->state]);
	tval_set_str(p->arena, map, "text", to->text);
	if (to->msg_id > 0)
		tval_set_printf(p->arena, map, "queue_id", "%s", store_id_text(to->msg_id, id));
}

static void sent_show(struct page *p, struct tval *map, const struct store_tlsrpt_sent *r)
{
	struct tval *list = tval_set_list(p->arena, map, "to");

	tval_set_printf(p->arena, map, "id", "%lld", (long long)r->id);
	tval_set_printf(p->arena, map, "day", "%04d-%02d-%02d", r->day / 10000, r->day / 100 % 100,
		r->day % 100);
	tval_set_str(p->arena, map, "policy_domain", r->policy_domain);
	tval_set_str(p->arena, map, "report_id", r->report_id);
	tval_set_str(p->arena, map, "record", r->record);
	tval_set_str(p->arena, map, "mail_from", r->mail_from);
	page_count(p, map, "successes", r->successes);
	page_count(p, map, "failures", r->failures);
	tval_set_flag(p->arena, map, "bad", r->failures > 0);
	page_time(p, map, "sent", r->sent_s * 1000);
	for (size_t i = 0; i < r->to_count; i++)
		to_show(p, tval_add_map(p->arena, list), &r->to[i]);
}

static int suppressed_show(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "suppressed");
	struct str after = urlform_get(&p->query, "after");
	struct store_tlsrpt_suppress *rows;
	int64_t now_s = clock_unix_s();
	size_t count;

	if (store_tlsrpt_suppress_list(
		    p->gateway->store, after, SUPPRESSED_SHOWN, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *map = tval_add_map(p->arena, list);
		char until[CLOCK_TEXT] = "";
		if (rows[i].expires_s > 0)
			(void)clock_iso(rows[i].expires_s, until);
		tval_set_str(p->arena, map, "address", rows[i].address);
		tval_set_str(p->arena, map, "reason", rows[i].reason);
		tval_set_flag(p->arena, map, "automatic", rows[i].automatic);
		tval_set_flag(p->arena, map, "ended",
			rows[i].expires_s > 0 && rows[i].expires_s <= now_s);
		if (until[0] != '\0')
			tval_set_printf(p->arena, map, "until", "%.10s", until);
	}
	tval_set_flag(p->arena, p->view, "any_suppressed", count > 0);
	if (count == SUPPRESSED_SHOWN)
		tval_set_str(p->arena, p->view, "suppressed_next", rows[count - 1].address);
	return 0;
}

void page_tlssent(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct store_tlsrpt_filter f = {.text = str_trim(urlform_get(&p->query, "q")),
		.before_id = page_number(urlform_get(&p->query, "before")),
		.limit = ROWS_PER_PAGE};
	struct store_tlsrpt_sent *rows;
	size_t count;
	int64_t next;
	bool more;
	struct err err;

	if (store_tlsrpt_sent_list(
		    p->gateway->store, &f, p->arena, &rows, &count, &more, &next, &err) < 0 ||
		suppressed_show(p, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		sent_show(p, tval_add_map(p->arena, list), &rows[i]);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_flag(p->arena, p->view, "off", p->config->no_outgoing_tls_reports);
	tval_set_str(p->arena, p->view, "q", f.text);
	if (more)
		tval_set_printf(p->arena, p->view, "next", "%lld", (long long)next);
	page_render(p, 200, "tlssent", "Sent TLS reports");
}

/* The report itself, to be looked at or kept. */
void page_tlssent_json(struct page *p)
{
	struct store_tlsrpt_sent r;
	struct err err;
	int rc = store_tlsrpt_sent_get(p->gateway->store, page_id(p, 0), p->arena, &r, &err);

	if (rc < 0) {
		page_failed(p, &err);
		return;
	}
	if (rc == 0) {
		page_not_found(p, "report");
		return;
	}
	if (urlform_get(&p->query, "download").len > 0)
		page_header(p, "Content-Disposition",
			arena_printf(p->arena, "attachment; filename=\"tlsrpt-%lld.json\"",
				(long long)r.id));
	page_text(p, 200, "application/json", arena_strdup(p->arena, r.json));
}

/* --- actions --- */

static void send_now(struct page *p)
{
	struct tlsrpt_means m = {.store = p->gateway->store,
		.config = p->gateway->config,
		.dns = p->gateway->dns,
		.http = p->gateway->http,
		.signing = p->gateway->signing};
	struct tlsrpt_plan plan;
	struct err err;
	size_t sent = 0;

	if (tlsrpt_plan_make(&m, clock_unix_s(), p->arena, &plan, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	/* A browser waits for so many only; the daily run does the others. */
	enum { AT_ONCE = 20 };
	for (size_t i = 0; i < plan.count && i < AT_ONCE; i++) {
		struct tlsrpt_outcome out;
		if (tlsrpt_send(&m, plan.work[i].policy_domain, plan.work[i].day, clock_unix_s(),
			    &out, &err) < 0) {
			page_failed(p, &err);
			return;
		}
		sent += out.what == TLSRPT_SENT;
		if (tlsrpt_sent_keeps(out.what))
			page_notice(p, PAGE_NOTICE_WARN,
				arena_printf(p->arena, "%.*s: %s",
					STR_FMT(plan.work[i].policy_domain), out.text),
				NULL, NULL);
	}
	tlsrpt_daily_wake(p->gateway->tlsrpt);
	page_notice(p, PAGE_NOTICE_HINT,
		arena_printf(p->arena, "%zu reports were sent, of %zu days and domains looked at.",
			sent, plan.count < AT_ONCE ? plan.count : (size_t)AT_ONCE),
		NULL, NULL);
	page_tlssent(p);
}

static void suppress(struct page *p, bool add)
{
	struct store_tlsrpt_suppress row = {
		.created_s = clock_unix_s(), .reason = page_field(p, "reason")};
	int64_t days = page_number(page_field(p, "days"));
	struct err err;
	bool changed;

	if (tlsrpt_destination(p->arena, page_field(p, "address"), &row.address, &err) < 0) {
		page_error(p, 400, "Not a destination", err.text);
		return;
	}
	if (row.reason.len == 0)
		row.reason = STR("Added by an admin");
	if (days > 0)
		row.expires_s = row.created_s + (days < DAYS_MAX ? days : DAYS_MAX) * 86400;
	int rc = add ? store_tlsrpt_suppress_put(p->gateway->store, &row, &err)
		     : store_tlsrpt_suppress_delete(p->gateway->store, row.address, &changed, &err);
	if (rc < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "tlssent?done=saved");
}

void page_tlssent_act(struct page *p)
{
	struct str verb = page_field(p, "verb");

	if (str_eq(verb, STR("send")))
		send_now(p);
	else if (str_eq(verb, STR("suppress")) || str_eq(verb, STR("unsuppress")))
		suppress(p, str_eq(verb, STR("suppress")));
	else
		page_error(p, 400, "Not that way", "This page can send reports and suppress them.");
}
