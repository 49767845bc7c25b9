/* store/tlsresult - what became of TLS in deliveries, in the shape of a report's policies
 * (RFC 8460 section 4.4), kept per policy domain, UTC day and recipient domain until it was
 * reported. Added together with the attempt it is about (store_attempt.tls_results). */
#ifndef STORE_TLSRESULT_H
#define STORE_TLSRESULT_H

#include "store/store.h"

enum {
	STORE_TLS_POLICIES_MAX = 100,      /* different policies of a row; more are not kept */
	STORE_TLS_DETAILS_MAX = 500,       /* different failure details of a policy; more only count
					    * in its summary */
	STORE_TLS_STRINGS_MAX = 64 * 1024, /* octets of a policy's strings as JSON */
	STORE_TLS_TEXT_MAX = 500           /* octets of one text of a detail; cut */
};

struct store_tls_detail {       /* failure-details; empty texts are members left out */
	struct str result_type; /* "certificate-expired", ... RFC 8460 section 4.3 */
	struct str sending_mta_ip, receiving_mx_hostname, receiving_mx_helo, receiving_ip;
	struct str additional_information, failure_reason_code;
	int64_t failed_session_count; /* may be 0 */
};

struct store_tls_policy { /* one of policies[] */
	struct str type;  /* "tlsa", "sts", "no-policy-found" */
	struct str *strings;
	size_t string_count;
	struct str domain; /* policy-domain, A-labels */
	struct str *mx_hosts;
	size_t mx_host_count;
	int64_t successes, failures; /* total-...-session-count */
	struct store_tls_detail *details;
	size_t detail_count;
};

struct store_tls_result {         /* one row */
	int64_t id;               /* 0 for a new one */
	struct str policy_domain; /* recipient domain (sts, no-policy-found), or host (tlsa);
				     A-labels */
	struct str recipient_domain;
	int day;                        /* UTC, yyyymmdd */
	bool is_host;                   /* the policy domain is an MX host's */
	bool send_report;               /* false: came of delivering a TLS report */
	int64_t created_ms, updated_ms; /* when read */
	struct store_tls_policy *policies;
	size_t policy_count;
};

/* Adds to the row of (policy_domain, day, recipient_domain), or makes it: equal policies (type,
 * strings, domain, mx hosts) add their counts, details equal in all but the count add theirs;
 * is_host is the newest's, send_report is true once any was. For tests and tools: deliveries
 * do the same inside store_attempt_add. */
int store_tls_result_add(struct store *s, const struct store_tls_result *results, size_t count,
	struct err *err) MUST_USE;

/* Rows in full of a policy domain and day, by recipient domain, at most limit (1 to 1000),
 * after the recipient domain `after` (or empty). For reports. */
int store_tls_result_day(struct store *s, struct str policy_domain, int day, struct str after,
	size_t limit, struct arena *a, struct store_tls_result **rows, size_t *count,
	struct err *err) MUST_USE;

struct store_tls_domain_day {
	struct str policy_domain;
	int day;
	bool send_report; /* any of its rows */
	int64_t rows;
};
/* Policy domains with rows of day first_day to last_day, by day, then domain; at most limit,
 * after (after_day, after_domain). */
int store_tls_result_domains(struct store *s, int first_day, int last_day, int after_day,
	struct str after_domain, size_t limit, struct arena *a, struct store_tls_domain_day **rows,
	size_t *count, struct err *err) MUST_USE;

struct store_tls_result_filter {
	struct str policy_domain, recipient_domain; /* part of it, or empty */
	int day;                                    /* or 0 */
	bool failures_only; /* rows with a failed session or a failure detail */
	int64_t before_id;  /* page: 0 for the first */
	size_t limit;       /* 1 to 1000 */
};
/* Newest rows first, in full. *more: there is a next page, before *next_before. */
int store_tls_result_list(struct store *s, const struct store_tls_result_filter *f, struct arena *a,
	struct store_tls_result **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err) MUST_USE;
/* 1 found, 0, -1. */
int store_tls_result_get(struct store *s, int64_t id, struct arena *a, struct store_tls_result *out,
	struct err *err) MUST_USE;

/* Of a policy domain on that day (0: on all days). *count: rows that went. */
int store_tls_result_delete(struct store *s, struct str policy_domain, int day, size_t *count,
	struct err *err) MUST_USE;
/* Of all days before day. */
int store_tls_result_purge(
	struct store *s, int before_day, size_t *count, struct err *err) MUST_USE;

#endif
