/* Results of several recipient domains as one report. */
#include "report/tlsrpt_priv.h"

#include <stdlib.h>

static bool strs_equal(const struct str *x, size_t n, const struct str *y, size_t m)
{
	if (n != m)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(x[i], y[i]))
			return false;
	}
	return true;
}

static bool same_policy(const struct store_tls_policy *x, const struct store_tls_policy *y)
{
	return str_eq(x->type, y->type) && str_eq(x->domain, y->domain) &&
	       strs_equal(x->strings, x->string_count, y->strings, y->string_count) &&
	       strs_equal(x->mx_hosts, x->mx_host_count, y->mx_hosts, y->mx_host_count);
}

static bool same_detail(const struct store_tls_detail *x, const struct store_tls_detail *y)
{
	return str_eq(x->result_type, y->result_type) &&
	       str_eq(x->sending_mta_ip, y->sending_mta_ip) &&
	       str_eq(x->receiving_mx_hostname, y->receiving_mx_hostname) &&
	       str_eq(x->receiving_mx_helo, y->receiving_mx_helo) &&
	       str_eq(x->receiving_ip, y->receiving_ip) &&
	       str_eq(x->additional_information, y->additional_information) &&
	       str_eq(x->failure_reason_code, y->failure_reason_code);
}

static int by_text(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	size_t n = a->len < b->len ? a->len : b->len;
	int c = n > 0 ? memcmp(a->p, b->p, n) : 0;

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* details: of all policies together so far. What is over the cap counts in the summary only. */
static void details_merge(struct arena *a, struct store_tls_policy *to,
	const struct store_tls_policy *from, size_t *details)
{
	size_t room = to->detail_count + from->detail_count;
	struct store_tls_detail *all = arena_alloc(a, (room + 1) * sizeof(*all));

	for (size_t i = 0; i < to->detail_count; i++)
		all[i] = to->details[i];
	to->details = all;
	for (size_t i = 0; i < from->detail_count; i++) {
		size_t k = 0;
		while (k < to->detail_count && !same_detail(&all[k], &from->details[i]))
			k++;
		if (k < to->detail_count)
			all[k].failed_session_count += from->details[i].failed_session_count;
		else if (++*details <= TLSRPT_DETAILS_MAX)
			all[to->detail_count++] = from->details[i];
	}
}

static void policy_merge(struct arena *a, struct tlsrpt_report *report,
	const struct store_tls_policy *p, size_t *details)
{
	struct store_tls_policy *to;
	size_t k = 0;

	while (k < report->policy_count && !same_policy(&report->policies[k], p))
		k++;
	if (k == TLSRPT_POLICIES_MAX)
		return;
	to = &report->policies[k];
	if (k == report->policy_count) {
		*to = *p;
		to->successes = to->failures = 0;
		to->detail_count = 0;
		report->policy_count++;
	}
	to->successes += p->successes;
	to->failures += p->failures;
	if (p->detail_count > 0)
		details_merge(a, to, p, details);
}

void tlsrpt_merge(struct arena *a, const struct store_tls_result *rows, size_t count,
	struct tlsrpt_report *report)
{
	size_t details = 0;

	if (report->policies == NULL)
		report->policies = arena_alloc(a, TLSRPT_POLICIES_MAX * sizeof(*report->policies));
	for (size_t i = 0; i < report->policy_count; i++)
		details += report->policies[i].detail_count;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rows[i].policy_count; k++)
			policy_merge(a, report, &rows[i].policies[k], &details);
	}
	for (size_t i = 0; i < report->policy_count; i++) {
		struct store_tls_policy *p = &report->policies[i];
		if (!str_eq(p->type, STR("tlsa")) || p->string_count < 2)
			continue;
		struct str *sorted = arena_alloc(a, p->string_count * sizeof(*sorted));
		memcpy(sorted, p->strings, p->string_count * sizeof(*sorted));
		qsort(sorted, p->string_count, sizeof(*sorted), by_text);
		p->strings = sorted;
	}
}
