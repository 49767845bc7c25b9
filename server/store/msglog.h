/* store/msglog - where is my mail: what was taken, refused, tried and delivered, for some
 * weeks, long after the queue forgot it. Rows are written in the commit that they tell of;
 * refusals follow within a moment without anybody waiting. Thread-safe. */
#ifndef STORE_MSGLOG_H
#define STORE_MSGLOG_H

#include "store/message.h"

enum {                            /* what happened to a message, bits; more than one is usual */
	STORE_LOG_ACCEPTED = 1,   /* queued: received, or a notice of our own */
	STORE_LOG_REJECTED = 2,   /* refused with 5xx */
	STORE_LOG_TEMPFAILED = 4, /* refused with 4xx */
	STORE_LOG_DELIVERED = 8,  /* to one recipient at least */
	STORE_LOG_DEFERRED = 16,  /* an attempt failed that was to be repeated */
	STORE_LOG_BOUNCED = 32,   /* failed for good for one recipient at least */
	STORE_LOG_QUARANTINED = 64,
	STORE_LOG_DROPPED = 128 /* taken out of the queue by hand */
};

enum store_log_stage {          /* where a refusal was said */
	STORE_LOG_STAGE_QUEUED, /* it was none */
	STORE_LOG_STAGE_MAIL,
	STORE_LOG_STAGE_RCPT,
	STORE_LOG_STAGE_DATA
};

enum store_log_kind {           /* of an event */
	STORE_LOG_EV_DELIVERED, /* attempts */
	STORE_LOG_EV_DEFERRED,
	STORE_LOG_EV_FAILED,
	STORE_LOG_EV_NOTICE, /* a notice to the sender was queued; text is its queue id */
	STORE_LOG_EV_RETRY,  /* by hand, as the rest */
	STORE_LOG_EV_HELD,
	STORE_LOG_EV_UNHELD,
	STORE_LOG_EV_DROPPED,
	STORE_LOG_EV_QUARANTINED, /* text: why */
	STORE_LOG_EV_RELEASED     /* out of quarantine */
};

/* --- writing --- */

enum {
	STORE_LOG_SUBJECT_MAX = 200, /* octets kept of Subject, and of From */
	STORE_LOG_TEXT_MAX = 1000,   /* of a reply */
	STORE_LOG_ID_MAX = 300,      /* of a Message-ID */
	STORE_LOG_RCPTS_MAX = 1000,  /* recipients kept of a refusal */
	STORE_LOG_PENDING_MAX = 4096 /* refusals not yet written; more are counted as dropped */
};

/* A refusal; strings are copied. */
struct store_msglog_refusal {
	enum store_log_stage stage;
	int code;
	struct str ecode, text;
	struct str session, mail_from, helo, remote_ip, account, listener, tls;
	const struct str *rcpts; /* the one concerned, or for DATA all that were accepted */
	size_t rcpt_count;
	/* When content was seen: */
	int64_t size;
	struct str message_id, header_from, from_address, subject, trace;
};
/* Hands it to the writer and does not wait: on disk within a second. */
void store_msglog_refused(struct store *s, const struct store_msglog_refusal *r);
/* Refusals that found the list full since start. */
int64_t store_msglog_lost(struct store *s);

/* --- reading --- */

struct store_msglog_row {
	int64_t id, at_ms; /* id: the queue id of what was queued */
	unsigned results;  /* STORE_LOG_ bits */
	size_t rcpt_count;
	size_t open; /* recipients not yet delivered, bounced or dropped */
	enum store_log_stage stage;
	int code;            /* of our reply */
	int64_t size, about; /* about: a notice is about this message; 0: it is none */
	struct str session, mail_from, rcpt, original, remote_ip, message_id, from_address;
	struct str header_from, subject, helo, account, listener, tls, ecode, text;
};

struct store_msglog_filter {            /* all that is given must match */
	struct str address;             /* sender, recipient or header From; case does not count */
	struct str domain;              /* of one of them, in A-labels */
	struct str session, message_id; /* the id without < > */
	struct str ip;                  /* where it came from or went to, as ip_text writes it */
	unsigned results;               /* any of these bits; 0: all */
	int64_t since_ms, until_ms;     /* 0: open */
	int64_t before_id;              /* page: rows with a smaller id; 0: the newest */
	size_t limit;                   /* 1 to 1000 */
};

struct store_msglog_page {
	struct store_msglog_row *rows; /* newest first */
	size_t count;
	bool more;           /* there may be older ones: ask with before_id = next_before. */
	int64_t next_before; /* A rare combination is looked for in so many rows a call only. */
};
int store_msglog_list(struct store *s, const struct store_msglog_filter *f, struct arena *a,
	struct store_msglog_page *out, struct err *err) MUST_USE;
/* The rows of these ids, in this order; those that are gone or do not match are left out. */
int store_msglog_rows(struct store *s, const struct store_msglog_filter *f, const int64_t *ids,
	size_t id_count, struct arena *a, struct store_msglog_page *out, struct err *err) MUST_USE;

struct store_msglog_rcpt {
	int64_t id;
	struct str address, original;
};
struct store_msglog_event {
	int64_t rcpt_id, at_ms, duration_ms, next_ms;
	enum store_log_kind kind;
	int code;
	struct str ecode, text, mx, ip, tls, transport;
	int64_t trace_id; /* 0: none */
	struct str trace; /* JSON; only with the first event that has this trace_id */
};
enum { STORE_LOG_LIFE_RCPTS = 200, STORE_LOG_LIFE_EVENTS = 500 };
struct store_msglog_life {
	struct store_msglog_row row;
	struct str trace;                /* JSON of the authentication, or empty */
	struct store_msglog_rcpt *rcpts; /* the first 200 */
	size_t rcpt_count;
	struct store_msglog_event *events; /* oldest first; the newest 500 */
	size_t event_count;
	bool events_left_out;
};
/* 1 found, 0 no such id, -1. */
int store_msglog_get(struct store *s, int64_t id, struct arena *a, struct store_msglog_life *out,
	struct err *err) MUST_USE;

/* --- live --- */

/* Which rows were written or changed since *cursor (0: from now on), oldest first. Waits for
 * the first one until the deadline; wakes early at store_msglog_wake. Returns how many; when
 * the reader was too slow the oldest are missing and *missed says how many. */
size_t store_msglog_wait(struct store *s, int64_t *cursor, struct deadline d, int64_t *ids,
	size_t max, int64_t *missed);
/* Ends all waiting for good (shutdown). */
void store_msglog_wake(struct store *s);

/* --- keeping --- */

enum { STORE_LOG_DAYS = 30, STORE_LOG_DAYS_MAX = 3650 };
/* How long rows are kept: setting MessageLogDays. */
int store_msglog_days(struct store *s, int64_t *days, struct err *err) MUST_USE;
/* ERR_PERM when out of 1 to 3650. What is too old goes at once, and then every hour, in
 * small steps. */
int store_msglog_days_put(struct store *s, int64_t days, struct err *err) MUST_USE;

#endif
