#include "queue/tlsresults.h"

#include <time.h>

int tls_results_day(int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

static struct str ip_str(struct arena *a, const struct ip *ip)
{
	char text[IP_TEXT];

	return ip->len == 0 ? STR("") : arena_str(a, str_from(ip_text(ip, text)));
}

static struct store_tls_detail detail_map(struct arena *a, const struct tls_detail *d)
{
	return (struct store_tls_detail){.result_type = str_from(tls_result_type_text(d->type)),
		.sending_mta_ip = ip_str(a, &d->sending_ip),
		.receiving_mx_hostname = str_from(d->mx_hostname ? d->mx_hostname : ""),
		.receiving_mx_helo = str_from(d->mx_helo ? d->mx_helo : ""),
		.receiving_ip = ip_str(a, &d->receiving_ip),
		.failure_reason_code = str_from(d->reason ? d->reason : ""),
		.failed_session_count = d->failed};
}

static struct str *strs_copy(struct arena *a, const struct str *list, size_t count)
{
	struct str *out = arena_alloc(a, (count + 1) * sizeof(*out));

	for (size_t i = 0; i < count; i++)
		out[i] = list[i];
	return out;
}

static void policy_map(struct arena *a, const struct tls_result *r, struct store_tls_policy *out)
{
	*out = (struct store_tls_policy){.type = str_from(tls_policy_type_text(r->type)),
		.strings = strs_copy(a, r->strings, r->string_count),
		.string_count = r->string_count,
		.domain = str_from(r->domain),
		.mx_hosts = strs_copy(a, r->mx, r->mx_count),
		.mx_host_count = r->mx_count,
		.successes = r->success,
		.failures = r->failure,
		.details = arena_alloc(a, (r->detail_count + 1) * sizeof(*out->details)),
		.detail_count = r->detail_count};
	for (size_t i = 0; i < r->detail_count; i++)
		out->details[i] = detail_map(a, &r->details[i]);
}

static bool is_literal(const char *domain)
{
	struct ip ip;

	return *domain == '\0' || *domain == '[' || ip_parse(str_from(domain), &ip);
}

size_t tls_results_rows(struct arena *a, const struct tls_results_about *about,
	const struct tls_result *const *results, size_t count, struct store_tls_result **rows)
{
	size_t n = 0;

	*rows = arena_alloc(a, (count + 1) * sizeof(**rows));
	if (!about->direct || is_literal(about->recipient_domain) ||
		about->config->no_outgoing_tls_reports)
		return 0;
	for (size_t i = 0; i < count; i++) {
		const struct tls_result *r = results[i];
		if (r->domain == NULL || r->domain[0] == '\0')
			continue;
		/* Nothing was tried and nothing is to be told: no row. */
		if (r->success == 0 && r->failure == 0 && r->detail_count == 0)
			continue;
		struct store_tls_policy *policy = arena_alloc(a, sizeof(*policy));
		policy_map(a, r, policy);
		(*rows)[n++] = (struct store_tls_result){.policy_domain = str_from(r->domain),
			.recipient_domain = str_from(about->recipient_domain),
			.day = tls_results_day(about->now_s),
			.is_host = r->is_host,
			.send_report = !about->is_tls_report,
			.policies = policy,
			.policy_count = 1};
	}
	return n;
}
