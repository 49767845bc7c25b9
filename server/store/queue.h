/* store/queue - what people see and do with queued messages. Pages stay fast with a
 * million entries: keyset paging over an index, never OFFSET. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/message.h"

enum store_rcpt_state {
	STORE_RCPT_QUEUED,
	STORE_RCPT_HELD,
	STORE_RCPT_DELIVERED, /* while others of the message are not done */
	STORE_RCPT_FAILED,
	STORE_RCPT_QUARANTINED /* see quarantine.h: no part of the queue */
};

struct store_queue_row { /* one recipient */
	int64_t rcpt_id, msg_id, received_ms, size;
	struct str mail_from, address, dest, last_error, session;
	enum store_rcpt_state state;
	unsigned attempts;
	int64_t next_attempt_ms, last_attempt_ms; /* 0: never */
	bool in_flight;                           /* being delivered right now */
	int64_t transport_id; /* way an admin chose: 0 by routes, STORE_WAY_DIRECT, a transport */
	struct str via; /* way of the last attempt: "direct", a transport's name, ...; or "" */
};

enum { STORE_WAY_ROUTES = 0, STORE_WAY_DIRECT = -1 };

enum store_queue_sort { /* rows of the same value by age */
	STORE_SORT_RECEIVED,
	STORE_SORT_NEXT, /* what is on hold: last */
	STORE_SORT_ATTEMPTS,
	STORE_SORT_SIZE
};

struct store_queue_filter {
	struct str dest; /* exact, or ".x.org" for x.org and all below, or empty */
	struct str text; /* part of sender or recipient, a queue id or a session id; or empty */
	int state;       /* enum store_rcpt_state, or -1 for queued and held */
	int64_t after_rcpt_id; /* page: rows after this one; 0 for the first */
	size_t limit;          /* 1 to 1000 */
	/* All below may be left 0. */
	struct str sender;        /* exact but for case; "<>" for the null sender */
	struct str sender_domain; /* as dest */
	struct str account;       /* who submitted it */
	struct str error;         /* part of the last error */
	struct str via; /* way of the next attempt if an admin chose it, else of the last one */
	int64_t received_from_ms, received_until_ms; /* until: before that */
	unsigned attempts_min, attempts_max;         /* max 0: any */
	enum store_queue_sort sort;
	bool descending;
	int64_t after_key; /* with after_rcpt_id: store_queue_page.next_key */
	int64_t budget_ms; /* time for rows that do not match; 0: a page's, 8 ms */
};

struct store_queue_page {
	struct store_queue_row *rows;
	size_t count;
	bool more;                      /* there may be a next page */
	bool partial;                   /* the time was over before the page was full */
	int64_t next_rcpt_id, next_key; /* where it begins: after_rcpt_id and after_key */
	int64_t looked;                 /* rows looked at */
};

/* One page of rows, in the arena. Every order and every exact search has an index; searches
 * for a part of a text look at rows one by one, for budget_ms. */
int store_queue_find(struct store *s, const struct store_queue_filter *f, struct arena *a,
	struct store_queue_page *out, struct err *err) MUST_USE;
/* The same for those who know only the order by age. */
int store_queue_list(struct store *s, const struct store_queue_filter *f, struct arena *a,
	struct store_queue_row **rows, size_t *count, bool *more, int64_t *next_after,
	struct err *err) MUST_USE;
/* How many rows a filter selects (the page's fields are ignored). *exact false: budget_ms
 * (0: 1.5 s) was not enough, there are at least so many. */
int store_queue_count(struct store *s, const struct store_queue_filter *f, int64_t *count,
	bool *exact, struct err *err) MUST_USE;

struct store_queue_summary {
	int64_t queued, held, messages; /* recipients, recipients, messages */
	int64_t oldest_ms;              /* received; 0 when empty */
};
/* Kept as running figures: costs nothing with a long queue. */
int store_queue_summary(struct store *s, struct store_queue_summary *out, struct err *err) MUST_USE;

struct store_dest_row {
	struct str dest;
	int64_t queued, held, next_attempt_ms;
};
/* Destinations with most recipients first, at most limit. */
int store_queue_dests(struct store *s, size_t limit, struct arena *a, struct store_dest_row **rows,
	size_t *count, struct err *err) MUST_USE;

struct store_attempt_row {
	int64_t rcpt_id, started_ms, duration_ms;
	enum store_outcome outcome;
	int code;
	struct str ecode, text, mx, ip, tls, transport;
};

struct store_queue_message {
	int64_t id, received_ms, size;
	struct str session, mail_from, helo, remote_ip, message_id, account, envid, prefix;
	bool body_8bit, smtputf8, requiretls, held_spool_missing;
	struct store_queue_row *rcpts;
	size_t rcpt_count;
	struct store_attempt_row *attempts; /* oldest first */
	size_t attempt_count;
};
/* 1 found, 0 no such message, -1. */
int store_queue_get(struct store *s, int64_t msg_id, struct arena *a,
	struct store_queue_message *out, struct err *err) MUST_USE;

enum store_queue_verb {
	STORE_QUEUE_RETRY, /* next attempt now; held ones stay held */
	STORE_QUEUE_HOLD,
	STORE_QUEUE_UNHOLD,  /* due now */
	STORE_QUEUE_DROP,    /* gone without a DSN; not while in flight */
	STORE_QUEUE_RELEASE, /* what is in quarantine: due now */
	STORE_QUEUE_DISCARD  /* what is in quarantine: gone */
};
/* For one message (msg_id), or one recipient of it (rcpt_id not 0). *changed: recipients. */
int store_queue_act(struct store *s, enum store_queue_verb verb, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err) MUST_USE;
/* For all that a filter selects (page and order are ignored), in chunks, so that
 * acceptance goes on meanwhile. */
int store_queue_act_all(struct store *s, enum store_queue_verb verb,
	const struct store_queue_filter *f, size_t *changed, struct err *err) MUST_USE;

/* Chooses the way of queued and held recipients from their next attempt on: STORE_WAY_ROUTES,
 * STORE_WAY_DIRECT or a transport's id (ERR_PERM when there is none such). */
int store_queue_way(struct store *s, int64_t transport_id, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err) MUST_USE;
int store_queue_way_all(struct store *s, int64_t transport_id, const struct store_queue_filter *f,
	size_t *changed, struct err *err) MUST_USE;
/* How many recipients an admin gave this way. */
int store_queue_way_count(
	struct store *s, int64_t transport_id, int64_t *count, struct err *err) MUST_USE;
/* Whether some recipient of the destination has a way of its own. */
int store_queue_way_any(struct store *s, const char *dest, bool *any, struct err *err) MUST_USE;

#endif
