/* control_tlsreport - TLS reports of others. */
#include "control/control_priv.h"

#include "base/buf.h"
#include "report/tlsrpt_report.h"
#include "store/tlsreport.h"

enum { LIST_PAGE = 100, LIST_PAGE_MAX = 1000, DAY_S = 86400 };

static json_t *json_row(const struct store_tls_report *r)
{
	char start[CLOCK_TEXT], end[CLOCK_TEXT], received[CLOCK_TEXT];

	return json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:b, s:o, "
			 "s:I, s:I, s:o}",
		"id", (json_int_t)r->id, "organization", json_view(r->organization), "report_id",
		json_view(r->report_id), "contact", json_view(r->contact), "start",
		clock_iso(r->start_s, start), "end", clock_iso(r->end_s, end), "received",
		clock_iso(r->received_s, received), "via",
		r->via == STORE_VIA_MAIL ? "mail" : "https", "verified", r->from_domain.len > 0,
		"verified_domain", json_view(r->from_domain), "mail_from", json_view(r->mail_from),
		"remote_ip", json_view(r->remote_ip), "host", r->host, "domains",
		json_view(r->domains), "successes", (json_int_t)r->successes, "failures",
		(json_int_t)r->failures, "rejected", json_view(r->rejected));
}

static int reports_list(struct call *call, json_t **last, struct err *err)
{
	struct store_tls_report_filter f = {.domain = call_text(call, "domain"),
		.organization = call_text(call, "organization"),
		.result = call_text(call, "result"),
		.failures_only = call_flag(call, "failures"),
		.rejected = call_flag(call, "rejected")};
	struct store_tls_report *rows;
	int64_t limit = LIST_PAGE, next, days = 0;
	size_t count;
	bool more;

	if (call_number(call, "after", 0, INT64_MAX, &f.before_id, err) < 0 ||
		call_number(call, "days", 0, STORE_TLS_REPORT_DAYS_MAX, &days, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	if (days > 0)
		f.first_day = (int)(clock_unix_s() / DAY_S - days + 1);
	if (store_tls_report_list(
		    call->ctl->store, &f, call->arena, &rows, &count, &more, &next, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_row(&rows[i]), err) < 0)
			return -1;
	*last = json_pack("{s:b, s:I}", "more", more, "next", (json_int_t)next);
	return 0;
}

/* With the report itself: as JSON, or as text when it is none. */
static int reports_get(struct call *call, json_t **last, struct err *err)
{
	struct store_tls_report row;
	struct buf json = {NULL, 0, 0};
	struct err bad;
	int64_t id = 0;

	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	int rc = store_tls_report_get(call->ctl->store, id, call->arena, &row, err);
	if (rc == 0)
		return call_missing(call, err, "there is no TLS report %lld", (long long)id);
	if (rc < 0)
		return -1;
	*last = json_row(&row);
	if (tlsrpt_gunzip(row.packed, &json, &bad) == 0) {
		json_t *report = row.rejected.len == 0 ? json_loadb(json.p, json.len,
								 JSON_DISABLE_EOF_CHECK, NULL)
						       : NULL;
		if (report != NULL)
			json_object_set_new(*last, "report", report);
		else
			json_object_set_new(*last, "text", json_view(buf_str(&json)));
	}
	buf_free(&json);
	return 0;
}

const struct verb control_tlsreport_verbs[] = {
	{"tlsrpt.reports.list", reports_list},
	{"tlsrpt.reports.get", reports_get},
	{NULL, NULL},
};
