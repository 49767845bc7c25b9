/* store/tlsreport - TLS reports that came in (RFC 8460): the reports as they were sent, sums by
 * day for the pages, and those that could not be used, with the reason. Thread-safe. */
#ifndef STORE_TLSREPORT_H
#define STORE_TLSREPORT_H

#include "store/tlsresult.h"

enum {
	STORE_TLS_REPORT_DAYS = 400, /* kept */
	STORE_TLS_REPORT_DAYS_MAX = 3650,
	STORE_TLS_REPORT_REJECTED_MAX = 2000, /* newest kept: anybody can send those */
	STORE_TLS_REPORT_PACKED_MAX = 8 * 1024 * 1024
};

enum store_tls_report_via { STORE_VIA_MAIL, STORE_VIA_HTTPS };

struct store_tls_report { /* times in unix seconds */
	int64_t id;       /* 0 for a new one */
	struct str organization, contact, report_id;
	struct str from_domain; /* DKIM vouches for it; empty: unverified */
	struct str mail_from, remote_ip;
	int64_t start_s, end_s, received_s;
	enum store_tls_report_via via;
	bool host; /* came to the host's address, not to a domain's */
	int64_t successes, failures;
	struct str domains;  /* when read: "a.example, b.example" */
	struct str rejected; /* why it is not used; empty: it is */
	int64_t size;        /* octets of the JSON */
	struct str packed;   /* the JSON, gzip; store_tls_report_get only when read */
	const struct store_tls_policy *policies; /* new ones only */
	size_t policy_count;
};

/* Adds it. A report whose organization and report-id are there already changes nothing: *id
 * is then that one's, and *duplicate set. One that is verified replaces one that is not; two
 * that different domains vouch for are two. */
int store_tls_report_add(struct store *s, const struct store_tls_report *r, int64_t *id,
	bool *duplicate, struct err *err) MUST_USE;

struct store_tls_report_filter {
	struct str domain;       /* policy domain, or empty */
	struct str organization; /* or empty */
	struct str result;       /* with a failure of this type; or empty */
	int first_day, last_day; /* of start_s, days since 1970, both inclusive; 0: no limit */
	bool failures_only;
	bool rejected;     /* those that could not be used, instead of the others */
	int64_t before_id; /* page: 0 for the first */
	size_t limit;      /* 1 to 1000 */
};
/* Newest first. Looks at a bounded number of rows: *more with few rows is possible. */
int store_tls_report_list(struct store *s, const struct store_tls_report_filter *f, struct arena *a,
	struct store_tls_report **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err) MUST_USE;
/* 1 found, 0 not, -1. */
int store_tls_report_get(struct store *s, int64_t id, struct arena *a, struct store_tls_report *out,
	struct err *err) MUST_USE;
int store_tls_report_delete(struct store *s, int64_t id, bool *found, struct err *err) MUST_USE;

/* --- sums over the filter's domain, organization, result and days --- */

enum store_tls_report_by {
	STORE_BY_DAY,
	STORE_BY_ORGANIZATION, /* " (unverified)" is appended where it applies */
	STORE_BY_POLICY,       /* policy type */
	STORE_BY_DOMAIN,
	STORE_BY_RESULT, /* failed sessions by result type; successes are 0 */
	STORE_BY_PROBLEM /* by result type, host (name2) and domain (name3) */
};
struct store_tls_report_sum {
	struct str name, name2, name3;
	int day; /* STORE_BY_DAY */
	int64_t successes, failures;
	int64_t reporters;
	int first_day, last_day;
};
/* STORE_BY_DAY in order of days, others by failures, then successes, most first; at most
 * limit. */
int store_tls_report_sums(struct store *s, enum store_tls_report_by by,
	const struct store_tls_report_filter *f, struct arena *a,
	struct store_tls_report_sum **rows, size_t *count, struct err *err) MUST_USE;
/* Reporters with reports of 5 days or more in the 60 days before today, the last of them more
 * than 4 days ago: name, first_day, last_day. */
int store_tls_report_silent(struct store *s, int today, size_t limit, struct arena *a,
	struct store_tls_report_sum **rows, size_t *count, struct err *err) MUST_USE;

/* --- settings --- */

int store_tls_report_days(struct store *s, int64_t *days, struct err *err) MUST_USE;
int store_tls_report_days_put(struct store *s, int64_t days, struct err *err) MUST_USE;
/* The secret part of the HTTPS address: made when first asked for, or with renew. */
int store_tls_report_token(
	struct store *s, bool renew, struct arena *a, struct str *token, struct err *err) MUST_USE;

/* Where a hosted domain takes reports; the default is on, with this local part. */
#define STORE_TLSRPT_LOCALPART "tls-reports"
struct store_domain_tlsrpt {
	bool off;
	struct str localpart;
};
int store_domain_tlsrpt_get(struct store *s, int64_t domain_id, struct arena *a,
	struct store_domain_tlsrpt *out, struct err *err) MUST_USE;
int store_domain_tlsrpt_put(struct store *s, int64_t domain_id,
	const struct store_domain_tlsrpt *in, struct err *err) MUST_USE;

#endif
