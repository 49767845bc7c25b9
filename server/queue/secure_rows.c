/* From the book of an attempt to rows of the store. */
#include "queue/secure.h"

#include "store/tlsresult.h"

#include <stdio.h>
#include <time.h>

static struct str text_or_none(const char *text)
{
	return str_from(text != NULL ? text : "");
}

static struct str ip_or_none(struct arena *a, const struct ip *ip)
{
	char text[IP_TEXT];

	return ip->len > 0 ? arena_str(a, str_from(ip_text(ip, text))) : STR("");
}

static int day_utc(void)
{
	time_t now = (time_t)clock_unix_s();
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL)
		return 19700101;
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

static struct str *strings_copy(struct arena *a, const struct str *list, size_t count)
{
	struct str *out = arena_alloc(a, (count + 1) * sizeof(*out));

	if (count > 0)
		memcpy(out, list, count * sizeof(*out));
	return out;
}

static void row_fill(struct arena *a, const struct secure_book *book, const struct tls_result *r,
	struct store_tls_result *row)
{
	struct store_tls_policy *p = arena_alloc(a, sizeof(*p));

	*p = (struct store_tls_policy){.type = str_from(tls_policy_type_text(r->type)),
		.strings = strings_copy(a, r->strings, r->string_count),
		.string_count = r->string_count,
		.domain = str_from(r->domain),
		.mx_hosts = strings_copy(a, r->mx, r->mx_count),
		.mx_host_count = r->mx_count,
		.successes = r->success,
		.failures = r->failure,
		.details = arena_alloc(a, (r->detail_count + 1) * sizeof(*p->details))};
	for (size_t i = 0; i < r->detail_count; i++) {
		const struct tls_detail *d = &r->details[i];
		p->details[p->detail_count++] = (struct store_tls_detail){
			.result_type = str_from(tls_result_type_text(d->type)),
			.sending_mta_ip = ip_or_none(a, &d->sending_ip),
			.receiving_mx_hostname = text_or_none(d->mx_hostname),
			.receiving_mx_helo = text_or_none(d->mx_helo),
			.receiving_ip = ip_or_none(a, &d->receiving_ip),
			.additional_information = STR(""),
			.failure_reason_code = text_or_none(d->reason),
			.failed_session_count = d->failed};
	}
	*row = (struct store_tls_result){.policy_domain = str_from(r->domain),
		.recipient_domain = str_from(book->recipient_domain),
		.day = day_utc(),
		.is_host = r->is_host,
		.send_report = book->send_report,
		.policies = p,
		.policy_count = 1};
}

/* Nothing happened that anybody would want to know of. */
static bool is_empty(const struct tls_result *r)
{
	return r->success == 0 && r->failure == 0 && r->detail_count == 0;
}

void secure_rows(struct delivery *d, struct store_attempt *at)
{
	struct store_tls_result *rows;
	size_t count = 0;

	if (d->config->no_outgoing_tls_reports)
		return;
	for (const struct secure_book *b = d->books; b != NULL; b = b->next)
		count += 1 + b->host_count;
	if (count == 0)
		return;
	rows = arena_alloc(d->arena, count * sizeof(*rows));
	for (const struct secure_book *b = d->books; b != NULL; b = b->next) {
		if (!is_empty(&b->rcpt))
			row_fill(d->arena, b, &b->rcpt, &rows[at->tls_result_count++]);
		for (size_t i = 0; i < b->host_count; i++) {
			if (!is_empty(b->hosts[i]))
				row_fill(d->arena, b, b->hosts[i], &rows[at->tls_result_count++]);
		}
	}
	at->tls_results = rows;
}
