/* What became of TLS in deliveries, by day and domain, as it will be reported (RFC 8460). */
#include "webui/pages.h"

#include "store/tlsresult.h"

enum { ROWS_PER_PAGE = 50, DETAILS_SHOWN = 20, STRINGS_SHOWN = 40 };

static const char *list_query(
	struct page *p, const struct store_tls_result_filter *f, int64_t before_id)
{
	struct buf b = {NULL, 0, 0};

	buf_text(&b, "?policy=");
	buf_url(&b, f->policy_domain);
	buf_text(&b, "&recipient=");
	buf_url(&b, f->recipient_domain);
	if (f->day > 0)
		buf_printf(&b, "&day=%04d-%02d-%02d", f->day / 10000, f->day / 100 % 100,
			f->day % 100);
	if (f->failures_only)
		buf_text(&b, "&failures=1");
	if (before_id > 0)
		buf_printf(&b, "&before=%lld", (long long)before_id);
	const char *text = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

/* "2026-11-24" as browsers send it; 0 for what is no day. */
static int day_parse(struct str text)
{
	struct str year, month, day, rest;
	uint64_t y, m, d;

	if (!str_split(text, '-', &year, &rest) || !str_split(rest, '-', &month, &day) ||
		!str_to_u64(year, 9999, &y) || !str_to_u64(month, 12, &m) ||
		!str_to_u64(day, 31, &d))
		return 0;
	return (int)(y * 10000 + m * 100 + d);
}

static void detail_show(struct page *p, struct tval *map, const struct store_tls_detail *d)
{
	tval_set_str(p->arena, map, "type", d->result_type);
	tval_set_str(p->arena, map, "reason", d->failure_reason_code);
	tval_set_str(p->arena, map, "host", d->receiving_mx_hostname);
	tval_set_str(p->arena, map, "helo", d->receiving_mx_helo);
	tval_set_str(p->arena, map, "ip", d->receiving_ip);
	page_count(p, map, "count", d->failed_session_count);
}

static void policy_show(struct page *p, struct tval *map, const struct store_tls_policy *policy)
{
	struct tval *details = tval_set_list(p->arena, map, "details");
	struct tval *strings = tval_set_list(p->arena, map, "strings");

	tval_set_str(p->arena, map, "type", policy->type);
	tval_set_str(p->arena, map, "domain", policy->domain);
	page_count(p, map, "successes", policy->successes);
	page_count(p, map, "failures", policy->failures);
	for (size_t i = 0; i < policy->string_count && i < STRINGS_SHOWN; i++)
		tval_set_str(p->arena, tval_add_map(p->arena, strings), "line", policy->strings[i]);
	tval_set_flag(p->arena, map, "has_strings", policy->string_count > 0);
	for (size_t i = 0; i < policy->detail_count && i < DETAILS_SHOWN; i++)
		detail_show(p, tval_add_map(p->arena, details), &policy->details[i]);
	if (policy->detail_count > DETAILS_SHOWN)
		tval_set_printf(p->arena, map, "details_more", "%zu more kinds of failure",
			policy->detail_count - DETAILS_SHOWN);
}

static void row_show(struct page *p, struct tval *map, const struct store_tls_result *r)
{
	struct tval *policies = tval_set_list(p->arena, map, "policies");
	int64_t good = 0, bad = 0;

	tval_set_printf(p->arena, map, "day", "%04d-%02d-%02d", r->day / 10000, r->day / 100 % 100,
		r->day % 100);
	tval_set_str(p->arena, map, "policy_domain", r->policy_domain);
	tval_set_str(p->arena, map, "recipient_domain", r->recipient_domain);
	tval_set_flag(p->arena, map, "is_host", r->is_host);
	tval_set_flag(p->arena, map, "no_report", !r->send_report);
	for (size_t i = 0; i < r->policy_count; i++) {
		good += r->policies[i].successes;
		bad += r->policies[i].failures;
		policy_show(p, tval_add_map(p->arena, policies), &r->policies[i]);
	}
	page_count(p, map, "successes", good);
	page_count(p, map, "failures", bad);
	tval_set_flag(p->arena, map, "bad", bad > 0);
	page_time(p, map, "updated", r->updated_ms);
}

void page_tlsresults(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct str day = str_trim(urlform_get(&p->query, "day"));
	struct store_tls_result_filter f = {
		.policy_domain = str_trim(urlform_get(&p->query, "policy")),
		.recipient_domain = str_trim(urlform_get(&p->query, "recipient")),
		.day = day_parse(day),
		.failures_only = urlform_get(&p->query, "failures").len > 0,
		.before_id = page_number(urlform_get(&p->query, "before")),
		.limit = ROWS_PER_PAGE};
	struct store_tls_result *rows;
	size_t count;
	int64_t next;
	bool more;
	struct err err;

	if (store_tls_result_list(
		    p->gateway->store, &f, p->arena, &rows, &count, &more, &next, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	if (day.len > 0 && f.day == 0)
		page_notice(p, PAGE_NOTICE_WARN,
			"That is not a day like 2026-11-24; all days are shown.", NULL, NULL);
	for (size_t i = 0; i < count; i++)
		row_show(p, tval_add_map(p->arena, list), &rows[i]);
	bool filtered = f.policy_domain.len > 0 || f.recipient_domain.len > 0 || f.day > 0 ||
			f.failures_only;
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_flag(p->arena, p->view, "filtered", filtered);
	tval_set_flag(p->arena, p->view, "failures_only", f.failures_only);
	tval_set_flag(p->arena, p->view, "not_recorded", p->config->no_outgoing_tls_reports);
	tval_set_str(p->arena, p->view, "policy", f.policy_domain);
	tval_set_str(p->arena, p->view, "recipient", f.recipient_domain);
	tval_set_str(p->arena, p->view, "day", day);
	tval_set_flag(p->arena, p->view, "later_page", f.before_id > 0);
	tval_set_text(p->arena, p->view, "first_query", list_query(p, &f, 0));
	if (more)
		tval_set_text(p->arena, p->view, "next_query", list_query(p, &f, next));
	page_render(p, 200, "tlsresults", "TLS results");
}
