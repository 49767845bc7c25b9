/* control_tlssent - TLS reports of ours: sent now, what became of those that were sent, and the
 * destinations that get none. */
#include "control/control_priv.h"

#include "report/tlsrpt_send.h"

#include <stdio.h>

enum { LIST_PAGE = 100, LIST_PAGE_MAX = 1000 };

static json_t *json_time_s(int64_t s)
{
	char text[CLOCK_TEXT];

	return s == 0 ? json_null() : json_string(clock_iso(s, text));
}

static json_t *json_day(int day)
{
	char text[16];

	snprintf(text, sizeof(text), "%04d-%02d-%02d", day / 10000, day / 100 % 100, day % 100);
	return json_string(text);
}

/* --- send --- */

static int send_one(struct call *call, const struct tlsrpt_means *m, struct str domain, int day,
	int64_t *sent, struct err *err)
{
	struct tlsrpt_outcome out;

	if (tlsrpt_send(m, domain, day, clock_unix_s(), &out, err) < 0)
		return -1;
	if (out.what == TLSRPT_SENT)
		++*sent;
	return call_row(call,
		json_pack("{s:o, s:o, s:s, s:s, s:I, s:b}", "policy_domain", json_view(domain),
			"day", json_day(day), "result", tlsrpt_sent_text(out.what), "text",
			out.text, "sent_id", (json_int_t)out.sent_id, "kept",
			tlsrpt_sent_keeps(out.what)),
		err);
}

static int send_plan(
	struct call *call, const struct tlsrpt_means *m, int64_t *sent, struct err *err)
{
	struct tlsrpt_plan plan;

	if (tlsrpt_plan_make(m, clock_unix_s(), call->arena, &plan, err) < 0)
		return -1;
	for (size_t i = 0; i < plan.count && !call->gone; i++) {
		if (send_one(call, m, plan.work[i].policy_domain, plan.work[i].day, sent, err) < 0)
			return -1;
	}
	return 0;
}

static int send_day(
	struct call *call, const struct tlsrpt_means *m, int day, int64_t *sent, struct err *err)
{
	struct store_tls_domain_day *rows;
	struct str after = STR("");
	size_t count;

	do {
		if (store_tls_result_domains(call->ctl->store, day, day, day, after, LIST_PAGE_MAX,
			    call->arena, &rows, &count, err) < 0)
			return -1;
		for (size_t i = 0; i < count && !call->gone; i++) {
			if (send_one(call, m, rows[i].policy_domain, day, sent, err) < 0)
				return -1;
			after = rows[i].policy_domain;
		}
	} while (count == LIST_PAGE_MAX && !call->gone);
	return 0;
}

static int tlsrpt_send_now(struct call *call, json_t **last, struct err *err)
{
	const struct control *ctl = call->ctl;
	struct tlsrpt_means m = {.store = ctl->store,
		.config = ctl->config,
		.dns = ctl->dns,
		.http = ctl->http,
		.signing = ctl->signing};
	struct str domain = call_text(call, "policy_domain");
	int64_t sent = 0;
	int day, rc;

	if (call_day(call, &day, err) < 0)
		return -1;
	if (ctl->signing == NULL || ctl->dns == NULL)
		return err_set(err, ERR_PERM, "reports are sent by the daemon, and none runs");
	if (domain.len > 0 && day == 0)
		return err_set(err, ERR_PERM, "day: which day's report of %.*s?", STR_FMT(domain));
	if (domain.len > 0)
		rc = send_one(call, &m, domain, day, &sent, err);
	else if (day > 0)
		rc = send_day(call, &m, day, &sent, err);
	else
		rc = send_plan(call, &m, &sent, err);
	tlsrpt_daily_wake(ctl->tlsrpt);
	*last = json_pack("{s:I}", "sent", (json_int_t)sent);
	return rc;
}

/* --- sent --- */

static json_t *json_to(const struct store_tlsrpt_to *to)
{
	static const char *const states[] = {"waiting", "delivered", "failed", "skipped"};
	char id[STORE_ID_TEXT];

	return json_pack("{s:o, s:b, s:s, s:I, s:o, s:o, s:o, s:o}", "address",
		json_view(to->address), "https", to->https, "state", states[to->state], "attempts",
		(json_int_t)to->attempts, "last_attempt", json_time_s(to->last_s), "next_attempt",
		json_time_s(to->https && to->state == STORE_TLSRPT_WAITING ? to->next_s : 0),
		"queue_id",
		to->msg_id > 0 ? json_string(store_id_text(to->msg_id, id)) : json_null(), "text",
		json_view(to->text));
}

static json_t *json_sent(const struct store_tlsrpt_sent *r)
{
	json_t *to = json_array();

	for (size_t i = 0; i < r->to_count; i++)
		json_array_append_new(to, json_to(&r->to[i]));
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "id",
		(json_int_t)r->id, "report_id", json_view(r->report_id), "policy_domain",
		json_view(r->policy_domain), "day", json_day(r->day), "sent",
		json_time_s(r->sent_s), "start", json_time_s(r->start_s), "end",
		json_time_s(r->end_s), "successes", (json_int_t)r->successes, "failures",
		(json_int_t)r->failures, "mail_from", json_view(r->mail_from), "record",
		json_view(r->record), "to", to);
}

static int sent_list(struct call *call, json_t **last, struct err *err)
{
	struct store_tlsrpt_filter f = {.text = call_text(call, "text")};
	struct store_tlsrpt_sent *rows;
	int64_t limit = LIST_PAGE, next;
	size_t count;
	bool more;

	if (call_number(call, "before", 0, INT64_MAX, &f.before_id, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	if (store_tlsrpt_sent_list(
		    call->ctl->store, &f, call->arena, &rows, &count, &more, &next, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (call_row(call, json_sent(&rows[i]), err) < 0)
			return -1;
	}
	*last = json_pack("{s:b, s:I}", "more", more, "next", (json_int_t)next);
	return 0;
}

static int sent_get(struct call *call, json_t **last, struct err *err)
{
	struct store_tlsrpt_sent r;
	int64_t id = 0;

	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	int rc = store_tlsrpt_sent_get(call->ctl->store, id, call->arena, &r, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return call_missing(call, err, "there is no sent report %lld", (long long)id);
	*last = json_pack("{s:o, s:o}", "sent", json_sent(&r), "json", json_view(r.json));
	return 0;
}

/* --- suppression --- */

static json_t *json_suppress(const struct store_tlsrpt_suppress *r)
{
	return json_pack("{s:o, s:o, s:o, s:b, s:o, s:b}", "address", json_view(r->address),
		"created", json_time_s(r->created_s), "expires", json_time_s(r->expires_s),
		"automatic", r->automatic, "reason", json_view(r->reason), "active",
		r->expires_s == 0 || r->expires_s > clock_unix_s());
}

static int suppress_list(struct call *call, json_t **last, struct err *err)
{
	struct store_tlsrpt_suppress *rows;
	int64_t limit = LIST_PAGE;
	size_t count;

	if (call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0 ||
		store_tlsrpt_suppress_list(call->ctl->store, call_text(call, "after"),
			(size_t)limit, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (call_row(call, json_suppress(&rows[i]), err) < 0)
			return -1;
	}
	*last = json_pack("{s:b, s:o}", "more", count == (size_t)limit, "next",
		json_view(count > 0 ? rows[count - 1].address : STR("")));
	return 0;
}

static int suppress_put(struct call *call, json_t **last, struct err *err)
{
	struct store_tlsrpt_suppress row = {
		.created_s = clock_unix_s(), .reason = call_text(call, "reason")};
	int64_t days = 0;
	struct str text;

	if (call_need(call, "address", &text, err) < 0 ||
		tlsrpt_destination(call->arena, text, &row.address, err) < 0 ||
		call_number(call, "days", 1, 3650, &days, err) < 0)
		return -1;
	if (row.reason.len == 0)
		row.reason = STR("Added by an admin");
	row.expires_s = days > 0 ? row.created_s + days * 86400 : 0;
	if (store_tlsrpt_suppress_put(call->ctl->store, &row, err) < 0)
		return -1;
	*last = json_pack("{s:o}", "entry", json_suppress(&row));
	return 0;
}

static int suppress_delete(struct call *call, json_t **last, struct err *err)
{
	struct str text, address;
	bool changed;

	if (call_need(call, "address", &text, err) < 0 ||
		tlsrpt_destination(call->arena, text, &address, err) < 0 ||
		store_tlsrpt_suppress_delete(call->ctl->store, address, &changed, err) < 0)
		return -1;
	if (!changed)
		return call_missing(call, err, "%.*s is not on the list", STR_FMT(address));
	*last = json_pack("{s:o}", "address", json_view(address));
	return 0;
}

const struct verb control_tlssent_verbs[] = {
	{"tlsrpt.send", tlsrpt_send_now},
	{"tlsrpt.sent.list", sent_list},
	{"tlsrpt.sent.get", sent_get},
	{"tlsrpt.suppress.list", suppress_list},
	{"tlsrpt.suppress.put", suppress_put},
	{"tlsrpt.suppress.delete", suppress_delete},
	{NULL, NULL},
};
