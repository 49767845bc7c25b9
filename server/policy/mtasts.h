/* mtasts - which MX hosts a domain says it has, and that they speak verified TLS (RFC 8461):
 * TXT record and policy file, their cache in the store, refreshed ahead of expiry. */
#ifndef POLICY_MTASTS_H
#define POLICY_MTASTS_H

#include "http/http.h"
#include "policy/tlspolicy.h"
#include "store/mtastscache.h"

/* --- record and policy: pure functions; results are in the arena --- */

enum {
	MTASTS_POLICY_MAX = 64 * 1024, /* octets of a policy file */
	MTASTS_FETCH_MS = 60 * 1000,
	MTASTS_BACKOFF_S = 300,   /* after a failed fetch */
	MTASTS_UNUSED_DAYS = 180, /* a policy nobody asked for is deleted */
	MTASTS_REFRESH_AGE_S = 12 * 3600,
	MTASTS_REFRESH_SPREAD_S = 3 * 3600,
	MTASTS_REFRESH_EVERY_S = 24 * 3600,
	MTASTS_URL_MAX = 300
};

struct mtasts_pair { /* an extension */
	struct str key, value;
};

struct mtasts_record {
	struct str id;
	struct mtasts_pair *ext;
	size_t ext_count;
};

/* The text of one TXT record: 1 a record; 0 some other text; -1 (ERR_PERM) a malformed one. */
int mtasts_record_parse(
	struct arena *a, struct str text, struct mtasts_record *out, struct err *err) MUST_USE;
/* "v=STSv1; id=X; ext=val" */
void mtasts_record_write(const struct mtasts_record *record, struct buf *out);

enum mtasts_mode { MTASTS_NONE, MTASTS_TESTING, MTASTS_ENFORCE };
const char *mtasts_mode_text(enum mtasts_mode mode); /* "none", ... */

struct mtasts_mx {
	bool wildcard;      /* "*.": exactly one more label */
	struct str domain;  /* lower-case A-labels */
	struct str pattern; /* as in the policy, lower case: "*.example.org" */
};

struct mtasts_policy {
	enum mtasts_mode mode;
	int64_t max_age_s;
	struct mtasts_mx *mx;
	size_t mx_count;
	struct mtasts_pair *ext;
	size_t ext_count;
	struct str text; /* as it was served */
};

/* -1 (ERR_PERM) with what is wrong in which line. */
int mtasts_policy_parse(
	struct arena *a, struct str text, struct mtasts_policy *out, struct err *err) MUST_USE;
/* version, mode, max_age, mx, extensions, with LF. */
void mtasts_policy_write(const struct mtasts_policy *policy, struct buf *out);
/* Whether the policy lists the MX host (A-labels, no trailing dot). */
bool mtasts_policy_matches(const struct mtasts_policy *policy, const char *host);
/* The patterns for people: "mx1.example.org, *.example.net". */
struct str mtasts_policy_hosts(struct arena *a, const struct mtasts_policy *policy);
/* What to say when none of the hosts (of the MX records) is in domain's policy: the domain,
 * the hosts, what the policy lists, and what the recipient's admin should fix. */
struct str mtasts_mismatch_text(struct arena *a, const char *domain,
	const struct mtasts_policy *policy, const char *const *hosts, size_t host_count);

/* --- what a domain publishes now, past the cache --- */

enum mtasts_status {
	MTASTS_OK,
	MTASTS_NO_RECORD,     /* no STS record: the domain does not take part */
	MTASTS_DNS,           /* the record could not be looked up */
	MTASTS_RECORD_SYNTAX, /* the record is malformed */
	MTASTS_MULTIPLE,      /* there are several records */
	MTASTS_NO_POLICY,     /* 404, or the policy host does not exist */
	MTASTS_FETCH,         /* the policy could not be fetched */
	MTASTS_POLICY_SYNTAX
};
const char *mtasts_status_text(enum mtasts_status s); /* "ok", "no-record", ... */

enum { MTASTS_TEXT_MAX = 512 };

struct mtasts_lookup {
	enum mtasts_status status;
	bool has_record;
	struct mtasts_record record;
	struct str record_text;
	bool record_secure; /* DNSSEC */
	bool has_policy;
	struct mtasts_policy policy;
	struct str url;
	struct http_result http; /* when the policy was asked for */
	/* For TLS reports (RFC 8460 section 4.3): what went wrong, sts-...; else success. */
	enum tls_result_type fact;
	char reason[TLS_REASON_MAX]; /* "no-policy-served", "certificate-expired" */
	char text[MTASTS_TEXT_MAX];  /* the same in a sentence for people; empty for ok */
};

/* --- the cache --- */

/* Thread-safe. */
struct mtasts;

struct mtasts_options {
	struct store *store;
	struct dns *dns; /* for the refresher */
	struct http *http;
};

struct mtasts *mtasts_open(const struct mtasts_options *opt);
/* Starts the thread that refreshes and cleans up. */
int mtasts_start(struct mtasts *m, struct err *err) MUST_USE;
/* Ends the thread (call http_cancel first, so that it need not wait) and frees m. */
void mtasts_close(struct mtasts **m);

/* Record and policy of the domain (A-labels) now; the cache is neither read nor written.
 * -1 (ERR_BUG) only when it could not be asked at all. */
int mtasts_lookup(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err) MUST_USE;

struct mtasts_found {
	bool has_policy; /* of any mode; none asks for nothing */
	struct mtasts_policy policy;
	struct str record_id;
	bool fresh;        /* the domain says so now; else from the cache */
	int64_t updated_s; /* when the policy was last confirmed; 0: just now or never */
	int64_t expires_s; /* when the cached policy ends; 0 without one */

	/* For the TLS report of the recipient domain: */
	bool report_sts; /* type sts (lines of policy.text and mx patterns, empty without a
			  * policy), else no-policy-found */
	enum tls_result_type fact; /* what went wrong with the policy, sts-...; else success */
	char reason[TLS_REASON_MAX];
	char text[MTASTS_TEXT_MAX]; /* a sentence for trace and log */
};

/* The policy that counts for mail to domain (A-labels, the recipient's own domain, not where
 * a CNAME leads). From the cache when the record's id is still the same, else fetched, once
 * at a time for a domain: others wait for that fetch. Takes at most a minute. Notes a trace
 * step of kind "mtasts". -1 (ERR_TEMP): DNS could not tell whether there is a policy, or the
 * store failed; out has then what to report, and mail waits. */
int mtasts_get(struct mtasts *m, const char *domain, const struct dns_asker *ask, struct arena *a,
	struct mtasts_found *out, struct err *err) MUST_USE;

/* An admin's "refresh now": fetches whatever the cache says, and stores what comes; back-off
 * ends. A failed fetch leaves a policy that is still valid. */
int mtasts_refresh(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err) MUST_USE;

/* What is due of the daily work at clock_unix_s: deletes what is unused, refreshes policies
 * one by one. *next_s: when to call again. The thread of mtasts_start does just this. */
int mtasts_refresh_step(struct mtasts *m, int64_t *next_s, struct err *err) MUST_USE;

struct mtasts_stats {
	int64_t lookups, fetches, fetch_failures, waited; /* waited: for another's fetch */
};
void mtasts_stats_get(struct mtasts *m, struct mtasts_stats *out);

#endif
