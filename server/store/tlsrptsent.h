/* store/tlsrptsent - TLS reports of ours: what was sent to whom and what became of it, why
 * results are still kept, and destinations that get no reports. */
#ifndef STORE_TLSRPTSENT_H
#define STORE_TLSRPTSENT_H

#include "store/message.h"

enum {
	STORE_TLSRPT_TO_MAX = 16,      /* destinations of a report */
	STORE_TLSRPT_FAILURES_MAX = 2, /* failed reports in a row: the address is suppressed */
	STORE_TLSRPT_SUPPRESS_S = 30 * 86400, /* for so long */
	STORE_TLSRPT_TEXT_MAX = 500           /* octets; more are cut */
};

enum store_tlsrpt_state {
	STORE_TLSRPT_WAITING,   /* in the queue, or an HTTPS request is to be made */
	STORE_TLSRPT_DELIVERED, /* taken by the other side */
	STORE_TLSRPT_FAILED,    /* given up */
	STORE_TLSRPT_SKIPPED    /* not tried: suppressed, or removed from the queue */
};

struct store_tlsrpt_to { /* a destination */
	int64_t id, sent_id;
	struct str address; /* mail address, domain in A-labels; or the https: URL */
	bool https;
	enum store_tlsrpt_state state;
	int64_t attempts, next_s, last_s; /* next_s: https only; last_s 0: never */
	int64_t msg_id;                   /* queue id of the mail; 0: none */
	struct str text;                  /* the last word about it; may be empty */
};

struct store_tlsrpt_sent {
	int64_t id;
	struct str report_id;
	struct str policy_domain;
	int day; /* UTC, yyyymmdd */
	int64_t sent_s, start_s, end_s;
	int64_t successes, failures;
	struct str mail_from; /* of the mails, may be empty */
	struct str record;    /* the TLSRPT record as published */
	struct str json;      /* the exact report; only store_tlsrpt_sent_get reads it */
	struct store_tlsrpt_to *to;
	size_t to_count;
};

/* The results a report was made of: whether they are still the same. */
struct store_tlsrpt_basis {
	int64_t rows, updated_ms, sessions; /* how many, the newest's, sum of all counts */
};
int store_tlsrpt_basis(struct store *s, struct str policy_domain, int day,
	struct store_tlsrpt_basis *out, struct err *err) MUST_USE;

enum store_tlsrpt_added {
	STORE_TLSRPT_ADDED,
	STORE_TLSRPT_TWICE,  /* a report of that id was sent before; the results were removed */
	STORE_TLSRPT_CHANGED /* results were added meanwhile: make it again; nothing was done */
};
/* In one transaction: the report and its destinations, the mails into the queue (mails[i] is
 * for sent->to[i]; NULL for none), the results out. Ids are filled in. */
int store_tlsrpt_sent_add(struct store *s, struct store_tlsrpt_sent *sent,
	const struct store_msg_new *const *mails, const struct store_tlsrpt_basis *basis,
	enum store_tlsrpt_added *added, struct err *err) MUST_USE;

struct store_tlsrpt_filter {
	struct str text;   /* part of policy domain or report id, or empty */
	int64_t before_id; /* page: 0 for the first */
	size_t limit;      /* 1 to 1000 */
};
/* Newest first, with destinations, without json. */
int store_tlsrpt_sent_list(struct store *s, const struct store_tlsrpt_filter *f, struct arena *a,
	struct store_tlsrpt_sent **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err) MUST_USE;
/* With json. 1 found, 0, -1. */
int store_tlsrpt_sent_get(struct store *s, int64_t id, struct arena *a,
	struct store_tlsrpt_sent *out, struct err *err) MUST_USE;
int store_tlsrpt_sent_purge(
	struct store *s, int64_t before_s, size_t *count, struct err *err) MUST_USE;

/* HTTPS destinations that are due, at most limit; *next_s: when the first of the others is,
 * 0 for none. */
int store_tlsrpt_due(struct store *s, int64_t now_s, size_t limit, struct arena *a,
	struct store_tlsrpt_to **rows, size_t *count, int64_t *next_s, struct err *err) MUST_USE;
/* What an HTTPS request came to; an address that fails repeatedly is suppressed. */
int store_tlsrpt_posted(
	struct store *s, const struct store_tlsrpt_to *to, int64_t now_s, struct err *err) MUST_USE;

/* --- why results are kept --- */

int store_tlsrpt_kept_set(struct store *s, struct str policy_domain, int day, int64_t now_s,
	struct str text, struct err *err) MUST_USE;
/* 1, 0 nothing is noted, -1. */
int store_tlsrpt_kept_get(struct store *s, struct str policy_domain, int day, struct arena *a,
	struct str *text, int64_t *at_s, struct err *err) MUST_USE;

/* --- suppression --- */

struct store_tlsrpt_suppress {
	int64_t id;
	struct str address;
	int64_t created_s, expires_s; /* expires_s 0: never */
	bool automatic;
	struct str reason;
};
/* Is no report to go there now? 1 and the row, 0, -1. */
int store_tlsrpt_suppressed(struct store *s, struct str address, int64_t now_s, struct arena *a,
	struct store_tlsrpt_suppress *out, struct err *err) MUST_USE;
/* Adds the address or changes its entry. */
int store_tlsrpt_suppress_put(
	struct store *s, const struct store_tlsrpt_suppress *row, struct err *err) MUST_USE;
int store_tlsrpt_suppress_delete(
	struct store *s, struct str address, bool *changed, struct err *err) MUST_USE;
/* By address, also expired ones, after the address `after` (or empty). */
int store_tlsrpt_suppress_list(struct store *s, struct str after, size_t limit, struct arena *a,
	struct store_tlsrpt_suppress **rows, size_t *count, struct err *err) MUST_USE;

#endif
