/* trace - what was looked at on the way to a decision, for people: a bounded list of steps
 * with one sentence on top. Written as JSON into the database and shown by the web pages, for
 * the checks of incoming mail and for delivery attempts alike. Thread-safe: checks that run
 * side by side share one. All functions take a NULL trace and then do nothing. */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/buf.h"
#include "base/str.h"

struct trace;

enum {
	TRACE_STEPS_MAX = 300,       /* later steps are counted, not kept */
	TRACE_BYTES_MAX = 48 * 1024, /* of JSON; the same. Look-ups ("dns") leave a quarter of it
				      * to the verdicts that stand on them */
	TRACE_TEXT_MAX = 1000,       /* octets of one text; longer ones are cut */
	TRACE_DETAILS_MAX = 40       /* detail lines of a step */
};

enum trace_state { TRACE_INFO, TRACE_OK, TRACE_WARN, TRACE_BAD };

/* What DNSSEC says of the answers a step stands on. */
enum trace_dnssec { TRACE_DNSSEC_NONE, TRACE_SECURE, TRACE_INSECURE, TRACE_BOGUS };

struct trace_step {
	const char *kind; /* "dns", "spf", "dkim", "dmarc", "arc", "iprev", "dnsbl", "list",
			   * "decision", "mx", "tlsa", "mtasts", "policy", "connect", "tls",
			   * "smtp", "fallback", ... */
	struct str title; /* "SPF", "TXT example.org" */
	enum trace_state state;
	struct str result; /* a word: "pass", "nxdomain"; may be empty */
	enum trace_dnssec dnssec;
	struct str text;          /* a sentence for people; may be empty */
	const struct str *detail; /* lines: answers, replies; may be NULL */
	size_t detail_count;
	int64_t took_ms; /* -1: not known */
};

/* The clock starts now. */
struct trace *trace_new(void);
void trace_free(struct trace **t);
/* An empty one on the same clock, which takes bytes_max at most: for a check that runs beside
 * others, so that its steps stay together. NULL for NULL. */
struct trace *trace_fork(const struct trace *t, size_t bytes_max);
/* Puts the steps of the fork at the end of t and frees it. */
void trace_join(struct trace *t, struct trace **fork);
/* Adds the steps of another trace, which stays; those from before t began get negative times. */
void trace_append(struct trace *t, struct trace *from);
void trace_add(struct trace *t, const struct trace_step *step);
/* The one sentence on top; the last call counts. */
void trace_sentence(struct trace *t, struct str text);
/* {"sentence": "...", "left_out": n, "steps": [{"at_ms", "kind", "title", "state", "result",
 * "dnssec", "text", "took_ms", "detail": [...]}]}; empty members are left out. */
void trace_write(struct trace *t, struct buf *out);

#endif
