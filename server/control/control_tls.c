/* control_tls - cached MTA-STS policies, and TLS results that wait to be reported. */
#include "control/control_priv.h"

#include "policy/mtasts.h"
#include "store/tlsresult.h"

#include <stdio.h>

enum { LIST_PAGE = 200, LIST_PAGE_MAX = 1000, REFRESH_MS = 75 * 1000 };

static json_t *json_time_s(int64_t s)
{
	char text[CLOCK_TEXT];

	return s == 0 ? json_null() : json_string(clock_iso(s, text));
}

/* --- mtasts --- */

static const char *row_mode(const struct store_mtasts *row)
{
	static const char *const names[] = {"none", "testing", "enforce"};

	return row->mode >= 0 && row->mode < 3 ? names[row->mode] : "none";
}

static json_t *json_mtasts(struct arena *a, const struct store_mtasts *row)
{
	json_t *mx = json_array();
	struct mtasts_policy policy;
	struct err ignored;

	if (row->text.len > 0 && mtasts_policy_parse(a, row->text, &policy, &ignored) == 0) {
		for (size_t i = 0; i < policy.mx_count; i++)
			json_array_append_new(mx, json_view(policy.mx[i].pattern));
	}
	return json_pack("{s:o, s:s, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
		"domain", json_view(row->domain), "mode", row_mode(row), "backoff", row->backoff,
		"mx", mx, "max_age", (json_int_t)row->max_age_s, "record_id",
		json_view(row->record_id), "valid_until", json_time_s(row->valid_until_s),
		"inserted", json_time_s(row->inserted_s), "updated", json_time_s(row->updated_s),
		"last_used", json_time_s(row->used_s), "last_failure", json_time_s(row->failed_s),
		"failure", json_view(row->reason), "valid", row->valid_until_s > clock_unix_s());
}

static int mtasts_list(struct call *call, json_t **last, struct err *err)
{
	static const char *const modes[] = {"none", "testing", "enforce", "backoff"};
	struct store_mtasts_filter f = {.text = call_text(call, "text"),
		.after = call_text(call, "after"),
		.mode = STORE_MTASTS_FILTER_ANY};
	struct store_mtasts *rows;
	struct str next;
	size_t count;
	int64_t limit = LIST_PAGE;
	bool more;

	if (call_word(call, "mode", modes, 4, &f.mode, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	if (store_mtasts_list(call->ctl->store, &f, call->arena, &rows, &count, &more, &next, err) <
		0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (call_row(call, json_mtasts(call->arena, &rows[i]), err) < 0)
			return -1;
	}
	*last = json_pack("{s:b, s:o}", "more", more, "next", json_view(next));
	return 0;
}

static int domain_read(struct call *call, char domain[DNS_NAME_MAX], struct err *err)
{
	struct str text;

	return call_need(call, "domain", &text, err) < 0 ? -1
							 : dns_name_to_ascii(text, domain, err);
}

static int mtasts_refresh_now(struct call *call, json_t **last, struct err *err)
{
	const struct control *ctl = call->ctl;
	struct dns_asker ask = {
		.dns = ctl->dns, .deadline = deadline_in_ms(REFRESH_MS), .trace = NULL};
	char domain[DNS_NAME_MAX];
	struct mtasts_lookup l;
	struct store_mtasts row;

	if (domain_read(call, domain, err) < 0)
		return -1;
	if (ctl->mtasts == NULL)
		return err_set(err, ERR_PERM,
			"a policy is refreshed by the daemon, and none runs; mox mtasts lookup "
			"shows it");
	if (mtasts_refresh(ctl->mtasts, domain, &ask, call->arena, &l, err) < 0)
		return -1;
	int rc = store_mtasts_find(ctl->store, str_from(domain), call->arena, &row, err);
	if (rc < 0)
		return -1;
	*last = json_pack("{s:s, s:s, s:s, s:o}", "domain", domain, "status",
		mtasts_status_text(l.status), "text", l.text, "cached",
		rc == 1 ? json_mtasts(call->arena, &row) : json_null());
	return 0;
}

static int mtasts_forget(struct call *call, json_t **last, struct err *err)
{
	char domain[DNS_NAME_MAX];
	bool changed;

	if (domain_read(call, domain, err) < 0 ||
		store_mtasts_delete(call->ctl->store, str_from(domain), &changed, err) < 0)
		return -1;
	if (!changed)
		return call_missing(call, err, "there is no cached MTA-STS policy of %s", domain);
	*last = json_pack("{s:s}", "domain", domain);
	return 0;
}

/* --- TLS results --- */

static json_t *json_strs(const struct str *list, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, json_view(list[i]));
	return out;
}

static void member(json_t *object, const char *key, struct str value)
{
	if (value.len > 0)
		json_object_set_new(object, key, json_view(value));
}

static json_t *json_detail(const struct store_tls_detail *d)
{
	json_t *out = json_pack("{s:o}", "result-type", json_view(d->result_type));

	member(out, "sending-mta-ip", d->sending_mta_ip);
	member(out, "receiving-mx-hostname", d->receiving_mx_hostname);
	member(out, "receiving-mx-helo", d->receiving_mx_helo);
	member(out, "receiving-ip", d->receiving_ip);
	json_object_set_new(
		out, "failed-session-count", json_integer((json_int_t)d->failed_session_count));
	member(out, "additional-information", d->additional_information);
	member(out, "failure-reason-code", d->failure_reason_code);
	return out;
}

/* RFC 8460 section 4.4, one of "policies". */
static json_t *json_policy(const struct store_tls_policy *p)
{
	json_t *details = json_array();

	for (size_t i = 0; i < p->detail_count; i++)
		json_array_append_new(details, json_detail(&p->details[i]));
	return json_pack("{s:{s:o, s:o, s:o, s:o}, s:{s:I, s:I}, s:o}", "policy", "policy-type",
		json_view(p->type), "policy-string", json_strs(p->strings, p->string_count),
		"policy-domain", json_view(p->domain), "mx-host",
		json_strs(p->mx_hosts, p->mx_host_count), "summary",
		"total-successful-session-count", (json_int_t)p->successes,
		"total-failure-session-count", (json_int_t)p->failures, "failure-details", details);
}

static json_t *json_result(const struct store_tls_result *r)
{
	json_t *policies = json_array();
	char day[16];
	int64_t good = 0, bad = 0;

	snprintf(day, sizeof(day), "%04d-%02d-%02d", r->day / 10000, r->day / 100 % 100,
		r->day % 100);
	for (size_t i = 0; i < r->policy_count; i++) {
		json_array_append_new(policies, json_policy(&r->policies[i]));
		good += r->policies[i].successes;
		bad += r->policies[i].failures;
	}
	return json_pack("{s:I, s:s, s:o, s:o, s:b, s:b, s:o, s:o, s:I, s:I, s:o}", "id",
		(json_int_t)r->id, "day", day, "policy_domain", json_view(r->policy_domain),
		"recipient_domain", json_view(r->recipient_domain), "is_host", r->is_host,
		"send_report", r->send_report, "created", json_time_s(r->created_ms / 1000),
		"updated", json_time_s(r->updated_ms / 1000), "successes", (json_int_t)good,
		"failures", (json_int_t)bad, "policies", policies);
}

int call_day(const struct call *call, int *day, struct err *err)
{
	struct str text = call_text(call, "day");
	char digits[9];
	size_t n = 0;
	uint64_t value;

	*day = 0;
	if (text.len == 0)
		return 0;
	for (size_t i = 0; i < text.len && n < sizeof(digits); i++) {
		if (text.p[i] != '-')
			digits[n++] = text.p[i];
	}
	if (n != 8 || !str_to_u64((struct str){digits, n}, 99991231, &value))
		return err_set(
			err, ERR_PERM, "day: \"%.*s\" is not a day like 2026-11-24", STR_FMT(text));
	*day = (int)value;
	return 0;
}

static int tlsresults_list(struct call *call, json_t **last, struct err *err)
{
	struct store_tls_result_filter f = {.policy_domain = call_text(call, "policy_domain"),
		.recipient_domain = call_text(call, "recipient_domain"),
		.failures_only = call_flag(call, "failures")};
	struct store_tls_result *rows;
	int64_t limit = LIST_PAGE, next;
	size_t count;
	bool more;

	if (call_day(call, &f.day, err) < 0 ||
		call_number(call, "before", 0, INT64_MAX, &f.before_id, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	if (store_tls_result_list(
		    call->ctl->store, &f, call->arena, &rows, &count, &more, &next, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (call_row(call, json_result(&rows[i]), err) < 0)
			return -1;
	}
	*last = json_pack("{s:b, s:I}", "more", more, "next", (json_int_t)next);
	return 0;
}

static int tlsresults_delete(struct call *call, json_t **last, struct err *err)
{
	struct str domain;
	size_t count;
	int day;

	if (call_need(call, "policy_domain", &domain, err) < 0 || call_day(call, &day, err) < 0 ||
		store_tls_result_delete(call->ctl->store, domain, day, &count, err) < 0)
		return -1;
	*last = json_pack("{s:I}", "changed", (json_int_t)count);
	return 0;
}

const struct verb control_tls_verbs[] = {
	{"mtasts.list", mtasts_list},
	{"mtasts.refresh", mtasts_refresh_now},
	{"mtasts.forget", mtasts_forget},
	{"tlsresults.list", tlsresults_list},
	{"tlsresults.delete", tlsresults_delete},
	{NULL, NULL},
};
