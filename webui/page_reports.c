/* TLS reports of others: the overview, the list, one report in words. */
#include "report/tlsrpt_report.h"
#include "webui/chart.h"
#include "webui/pages.h"
#include "webui/reportview.h"

#include <time.h>

enum { ROWS_PER_PAGE = 50, SUMS_SHOWN = 20, CSV_MAX = 10000, DAY_S = 86400 };

/* --- overview --- */

static int chart_fill(struct page *p, const struct store_tls_report_filter *f, struct err *err)
{
	int64_t starts[CHART_COLUMNS_MAX], good[CHART_COLUMNS_MAX] = {0},
					   bad[CHART_COLUMNS_MAX] = {0};
	int today = (int)(clock_unix_s() / DAY_S), days = today - f->first_day + 1;
	struct store_tls_report_filter all = *f;
	struct store_tls_report_sum *rows;
	size_t count;

	/* More days than columns: several to a column. */
	int step = (days + REPORTVIEW_DAYS_MAX - 1) / REPORTVIEW_DAYS_MAX;
	size_t columns = (size_t)((days + step - 1) / step);
	all.limit = 5000;
	if (store_tls_report_sums(
		    p->gateway->store, STORE_BY_DAY, &all, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < columns; i++)
		starts[i] = (int64_t)(f->first_day + (int)i * step) * DAY_S;
	for (size_t i = 0; i < count; i++) {
		size_t at = (size_t)((rows[i].day - f->first_day) / step);
		if (at >= columns)
			continue;
		good[at] += rows[i].successes;
		bad[at] += rows[i].failures;
	}
	struct chart_series series[] = {{"c-in", "Sessions with good TLS", CHART_UP, good},
		{"c-rejected", "Failed", CHART_DOWN, bad}};
	struct chart c = {
		"Sessions by day, as others report them", CHART_DAYS, starts, columns, series, 2};
	chart_view(p, p->view, "chart", &c);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	return 0;
}

static int sums_fill(struct page *p, const char *key, enum store_tls_report_by by,
	const struct store_tls_report_filter *f, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, key);
	struct store_tls_report_filter some = *f;
	struct store_tls_report_sum *rows;
	size_t count;

	some.limit = SUMS_SHOWN;
	if (store_tls_report_sums(p->gateway->store, by, &some, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_str(p->arena, row, "name",
			by == STORE_BY_POLICY ? reportview_policy(rows[i].name) : rows[i].name);
		tval_set_str(p->arena, row, "host", rows[i].name2);
		tval_set_str(p->arena, row, "of", rows[i].name3);
		page_count(p, row, "successes", rows[i].successes);
		page_count(p, row, "failed", rows[i].failures);
		page_count(p, row, "reporters", rows[i].reporters);
		tval_set_flag(p->arena, row, "one", rows[i].reporters == 1);
		reportview_day(p, row, "first", rows[i].first_day);
		reportview_day(p, row, "last", rows[i].last_day);
		if (by == STORE_BY_PROBLEM || by == STORE_BY_RESULT) {
			const struct report_meaning *m = reportview_meaning(rows[i].name);
			tval_set_text(p->arena, row, "what", m->what);
			tval_set_text(p->arena, row, "fix", m->fix);
		}
	}
	tval_set_flag(p->arena, p->view, arena_printf(p->arena, "any_%s", key), count > 0);
	return 0;
}

static int silent_fill(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "silent");
	struct store_tls_report_sum *rows;
	size_t count;

	if (store_tls_report_silent(p->gateway->store, (int)(clock_unix_s() / DAY_S), SUMS_SHOWN,
		    p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_str(p->arena, row, "name", rows[i].name);
		reportview_day(p, row, "last", rows[i].last_day);
	}
	tval_set_flag(p->arena, p->view, "any_silent", count > 0);
	return 0;
}

void page_reports(struct page *p)
{
	struct store_tls_report_filter f;
	struct err err;
	int64_t days;

	reportview_filter(p, &f);
	if (chart_fill(p, &f, &err) < 0 ||
		sums_fill(p, "problems", STORE_BY_PROBLEM, &f, &err) < 0 ||
		sums_fill(p, "reporters", STORE_BY_ORGANIZATION, &f, &err) < 0 ||
		sums_fill(p, "policies", STORE_BY_POLICY, &f, &err) < 0 ||
		sums_fill(p, "results", STORE_BY_RESULT, &f, &err) < 0 ||
		silent_fill(p, &err) < 0 ||
		store_tls_report_days(p->gateway->store, &days, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	struct str token;
	if (store_tls_report_token(p->gateway->store, false, p->arena, &token, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	tval_set_printf(p->arena, p->view, "url", "https://%s/.well-known/tlsrpt/%.*s",
		p->config->hostname, STR_FMT(token));
	tval_set_printf(p->arena, p->view, "keep", "%lld", (long long)days);
	if (p->config->host_tlsrpt_localpart != NULL)
		tval_set_printf(p->arena, p->view, "host_address", "%s@%s",
			p->config->host_tlsrpt_localpart, p->config->hostname);
	page_render(p, 200, "reports", "TLS reports");
}

void page_reports_keep(struct page *p)
{
	uint64_t days = 0;
	struct err err;

	if (!str_to_u64(page_field(p, "keep"), STORE_TLS_REPORT_DAYS_MAX, &days))
		days = 0;
	if (store_tls_report_days_put(p->gateway->store, (int64_t)days, &err) == 0)
		page_redirect(p, "reports?done=saved");
	else if (err.kind == ERR_PERM)
		page_error(
			p, 422, "Not so many days", "Give a whole number of days, from 1 to 3650.");
	else
		page_failed(p, &err);
}

/* --- list --- */

void page_reports_list(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct store_tls_report_filter f;
	struct store_tls_report *rows;
	size_t count;
	int64_t next;
	bool more;
	struct err err;

	reportview_filter(p, &f);
	f.limit = ROWS_PER_PAGE;
	f.before_id = page_number(urlform_get(&p->query, "before"));
	if (store_tls_report_list(
		    p->gateway->store, &f, p->arena, &rows, &count, &more, &next, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		reportview_row(p, tval_add_map(p->arena, list), &rows[i]);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_flag(p->arena, p->view, "later_page", f.before_id > 0);
	if (more)
		tval_set_printf(p->arena, p->view, "next_query", "%s&before=%lld",
			reportview_query(p, &f), (long long)next);
	page_render(p, 200, "reports_list", "Received TLS reports");
}

/* A field in quotes; what a spreadsheet would take for a formula gets an apostrophe. */
static void csv_field(struct buf *b, struct str s)
{
	buf_byte(b, '"');
	if (s.len > 0 && memchr("=+-@\t\r", s.p[0], 6) != NULL)
		buf_byte(b, '\'');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			buf_byte(b, '"');
		buf_byte(b, s.p[i]);
	}
	buf_text(b, "\",");
}

static void csv_row(struct buf *b, const struct store_tls_report *r)
{
	int64_t days[] = {r->start_s, r->end_s, r->received_s};

	for (size_t i = 0; i < 3; i++) {
		time_t t = (time_t)days[i];
		struct tm tm;
		char text[32] = "";
		if (gmtime_r(&t, &tm) != NULL)
			(void)!strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		buf_printf(b, "%s,", text);
	}
	csv_field(b, r->organization);
	csv_field(b, r->report_id);
	csv_field(b, r->domains);
	csv_field(b, r->from_domain);
	buf_printf(b, "%s,%lld,%lld,", r->via == STORE_VIA_MAIL ? "mail" : "https",
		(long long)r->successes, (long long)r->failures);
	csv_field(b, r->rejected);
	b->len--; /* the last comma */
	buf_text(b, "\r\n");
}

void page_reports_csv(struct page *p)
{
	struct store_tls_report_filter f;
	size_t count, written = 0;
	bool more = true;
	struct err err;

	reportview_filter(p, &f);
	f.limit = 1000;
	buf_text(&p->answer.body, "start,end,received,organization,report-id,domains,verified-by,"
				  "via,successes,failures,rejected\r\n");
	while (more && written < CSV_MAX) {
		struct store_tls_report *rows;
		if (store_tls_report_list(p->gateway->store, &f, p->arena, &rows, &count, &more,
			    &f.before_id, &err) < 0) {
			buf_clear(&p->answer.body);
			page_failed(p, &err);
			return;
		}
		for (size_t i = 0; i < count; i++, written++)
			csv_row(&p->answer.body, &rows[i]);
	}
	p->answer.status = 200;
	p->answer.content_type = "text/csv; charset=utf-8";
	page_header(p, "Content-Disposition", "attachment; filename=\"tls-reports.csv\"");
}

/* --- one --- */

static bool report_load(struct page *p, struct store_tls_report *r, struct buf *json)
{
	struct err err;
	int rc = store_tls_report_get(p->gateway->store, page_id(p, 0), p->arena, r, &err);

	if (rc == 1)
		rc = tlsrpt_gunzip(r->packed, json, &err) < 0 ? -1 : 1;
	if (rc == 0)
		page_not_found(p, "report");
	else if (rc < 0)
		page_failed(p, &err);
	return rc == 1;
}

static void detail_show(struct page *p, struct tval *map, const struct store_tls_detail *d)
{
	const struct report_meaning *m = reportview_meaning(d->result_type);

	tval_set_str(p->arena, map, "type", d->result_type);
	tval_set_text(p->arena, map, "what", m->what);
	tval_set_text(p->arena, map, "fix", m->fix);
	tval_set_str(p->arena, map, "mx", d->receiving_mx_hostname);
	tval_set_str(p->arena, map, "helo", d->receiving_mx_helo);
	tval_set_str(p->arena, map, "to_ip", d->receiving_ip);
	tval_set_str(p->arena, map, "from_ip", d->sending_mta_ip);
	tval_set_str(p->arena, map, "code", d->failure_reason_code);
	tval_set_str(p->arena, map, "more", d->additional_information);
	page_count(p, map, "sessions", d->failed_session_count);
	tval_set_flag(p->arena, map, "single", d->failed_session_count == 1);
}

static void policies_show(struct page *p, const struct tlsrpt_report *report)
{
	struct tval *list = tval_set_list(p->arena, p->view, "policies");

	for (size_t i = 0; i < report->policy_count; i++) {
		const struct store_tls_policy *policy = &report->policies[i];
		struct tval *row = tval_add_map(p->arena, list);
		struct tval *details = tval_set_list(p->arena, row, "details");
		struct tval *strings = tval_set_list(p->arena, row, "strings");
		tval_set_str(p->arena, row, "type", reportview_policy(policy->type));
		tval_set_str(p->arena, row, "policy_domain", policy->domain);
		page_count(p, row, "good", policy->successes);
		page_count(p, row, "failed", policy->failures);
		tval_set_flag(p->arena, row, "bad", policy->failures > 0);
		for (size_t j = 0; j < policy->string_count && j < SUMS_SHOWN * 2; j++)
			tval_set_str(p->arena, tval_add_map(p->arena, strings), "line",
				policy->strings[j]);
		tval_set_flag(p->arena, row, "has_strings", policy->string_count > 0);
		for (size_t j = 0; j < policy->detail_count && j < ROWS_PER_PAGE * 2; j++)
			detail_show(p, tval_add_map(p->arena, details), &policy->details[j]);
		tval_set_flag(p->arena, row, "unexplained",
			policy->failures > 0 && policy->detail_count == 0);
	}
}

void page_report(struct page *p)
{
	struct tlsrpt_report *report = arena_alloc(p->arena, sizeof(*report));
	struct store_tls_report r;
	struct buf json = {NULL, 0, 0};
	struct err err;

	if (report_load(p, &r, &json)) {
		reportview_row(p, p->view, &r);
		if (tlsrpt_report_read(p->arena, buf_str(&json), report, &err) == 0)
			policies_show(p, report);
		page_render(p, 200, "report",
			arena_printf(p->arena, "TLS report of %.*s", STR_FMT(r.organization)));
	}
	buf_free(&json);
}

/* As it was sent: to look at, or with ?download=1 to keep. */
void page_report_json(struct page *p)
{
	struct store_tls_report r;
	struct buf json = {NULL, 0, 0};

	if (report_load(p, &r, &json)) {
		p->answer.status = 200;
		p->answer.content_type =
			r.rejected.len > 0 ? "text/plain; charset=utf-8" : "application/json";
		if (urlform_get(&p->query, "download").len > 0)
			page_header(p, "Content-Disposition",
				arena_printf(p->arena,
					"attachment; filename=\"tls-report-%lld.json\"",
					(long long)r.id));
		buf_raw(&p->answer.body, buf_str(&json));
	}
	buf_free(&json);
}
