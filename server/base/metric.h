/* metric - counters and histograms that any floor counts into, for /metrics (Prometheus text
 * format 0.0.4).
 *
 * One static table in metric.c: a new metric is a name in the enum here and a line there.
 * Counting is one relaxed atomic addition: no lock, no memory taken, safe from any thread, and
 * cheap enough for the mail path. Like the log, the registry belongs to the process; what is
 * counted only ever grows, but for gauges.
 *
 * Labels have a fixed set of values each, so that no peer can make series: a value is told by
 * its place in the enum. Histogram METRIC_PAGE_SECONDS takes its label's values at start. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buf.h"

enum metric {
	METRIC_BUILD_INFO,          /* gauge, always 1 */
	METRIC_CONNECTIONS_OPEN,    /* gauge; enum metric_service */
	METRIC_CONNECTIONS,         /* enum metric_service */
	METRIC_CONNECTIONS_REFUSED, /* by limits; enum metric_service */
	METRIC_SMTP_COMMANDS,       /* enum metric_verb, enum metric_class */
	METRIC_MAIL,                /* in the order of store's enum store_counter */
	METRIC_DELIVERIES,          /* recipients by enum metric_delivery */
	METRIC_TLS_HANDSHAKES,      /* enum metric_side, enum metric_outcome */
	METRIC_AUTH,                /* enum metric_auth_at, enum metric_auth_result */
	METRIC_LOG_LINES,           /* enum log_level */
	METRIC_PAGES,               /* enum metric_class */
	METRIC_DNS_LOOKUPS,       /* enum metric_dns_type, in the order of dns's enum dns_status */
	METRIC_DNS_CACHE,         /* enum metric_cache */
	METRIC_DNS_CACHE_ENTRIES, /* gauge */
	METRIC_DNS_CACHE_BYTES,   /* gauge */
	METRIC_MAX
};
enum metric_dns_type {
	METRIC_DNS_A,
	METRIC_DNS_AAAA,
	METRIC_DNS_MX,
	METRIC_DNS_TXT,
	METRIC_DNS_PTR,
	METRIC_DNS_TLSA,
	METRIC_DNS_CNAME,
	METRIC_DNS_OTHER,
	METRIC_DNS_TYPE_MAX
};
enum { METRIC_DNS_STATUSES = 6 };
enum metric_cache { METRIC_CACHE_HIT, METRIC_CACHE_MISS, METRIC_CACHE_MAX };

enum metric_service { /* in the order of daemon's enum listener_role */
	METRIC_SERVICE_SMTP,
	METRIC_SERVICE_SUBMISSION,
	METRIC_SERVICE_SUBMISSIONS,
	METRIC_SERVICE_ADMIN_HTTP,
	METRIC_SERVICE_ADMIN_HTTPS,
	METRIC_SERVICE_METRICS_HTTP,
	METRIC_SERVICE_OTHER,
	METRIC_SERVICE_MAX
};
enum metric_verb { /* in the order of smtp's enum smtp_verb */
	METRIC_VERB_UNKNOWN,
	METRIC_VERB_EHLO,
	METRIC_VERB_HELO,
	METRIC_VERB_MAIL,
	METRIC_VERB_RCPT,
	METRIC_VERB_DATA,
	METRIC_VERB_BDAT,
	METRIC_VERB_RSET,
	METRIC_VERB_NOOP,
	METRIC_VERB_VRFY,
	METRIC_VERB_EXPN,
	METRIC_VERB_HELP,
	METRIC_VERB_QUIT,
	METRIC_VERB_STARTTLS,
	METRIC_VERB_AUTH,
	METRIC_VERB_MAX
};
enum metric_class { /* of reply codes and HTTP status */
	METRIC_CLASS_2XX,
	METRIC_CLASS_3XX,
	METRIC_CLASS_4XX,
	METRIC_CLASS_5XX,
	METRIC_CLASS_MAX
};
enum { METRIC_MAIL_RESULTS = 6 };
enum metric_delivery { METRIC_DELIVERED, METRIC_DEFERRED, METRIC_FAILED, METRIC_DELIVERY_MAX };
enum metric_side { METRIC_SIDE_IN, METRIC_SIDE_OUT, METRIC_SIDE_MAX };
enum metric_outcome { METRIC_OK, METRIC_NOT_OK, METRIC_OUTCOME_MAX };
enum metric_auth_at { METRIC_AUTH_SMTP, METRIC_AUTH_WEB, METRIC_AUTH_API, METRIC_AUTH_AT_MAX };
enum metric_auth_result {
	METRIC_AUTH_OK,
	METRIC_AUTH_FAILED,
	METRIC_AUTH_LIMITED,
	METRIC_AUTH_MAX
};

/* a and b: the values of its first and second label, 0 where it has none. A value out of
 * range counts nothing. */
void metric_add(enum metric m, unsigned a, unsigned b, int64_t n);
static inline void metric_inc(enum metric m, unsigned a, unsigned b)
{
	metric_add(m, a, b, 1);
}
int64_t metric_value(enum metric m, unsigned a, unsigned b);
/* The class of an SMTP reply or HTTP status; codes out of 200 to 499 are METRIC_CLASS_5XX. */
enum metric_class metric_class_of(int code);

enum metric_histogram {
	METRIC_STORE_COMMIT_SECONDS,    /* observed in us */
	METRIC_STORE_COMMIT_OPERATIONS, /* operations in one commit */
	METRIC_DELIVERY_SECONDS,        /* one attempt; us; enum metric_delivery */
	METRIC_PAGE_SECONDS,            /* us; metric_page_routes */
	METRIC_DNS_SECONDS,             /* one look-up; us. Those from the cache take under 1 ms */
	METRIC_HISTOGRAM_MAX
};
enum { METRIC_PAGE_ROUTES_MAX = 400 };

/* value in the unit said above. */
void metric_observe(enum metric_histogram h, unsigned label, int64_t value);
int64_t metric_observed(enum metric_histogram h, unsigned label); /* how often */
/* The names of the pages, once at start before any thread counts; not copied. */
void metric_page_routes(const char *const *names, size_t count);

/* All of the above. Pages that nobody asked for yet are left out. */
void metric_write(struct buf *out);

/* --- for figures that are asked for only when somebody looks --- */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
/* "# HELP" and "# TYPE"; the samples follow. */
void metric_head(struct buf *out, const char *name, enum metric_type type, const char *help);
/* One sample; label NULL for none. value is escaped. */
void metric_sample(
	struct buf *out, const char *name, const char *label, const char *value, int64_t n);
/* Head and a sample without labels. */
void metric_single(
	struct buf *out, const char *name, enum metric_type type, const char *help, int64_t n);

#endif
