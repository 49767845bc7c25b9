/* store/queue - what people see and do with queued messages. Pages stay fast with a
 * million entries: keyset paging over an index, never OFFSET. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/message.h"

enum store_rcpt_state {
	STORE_RCPT_QUEUED,
	STORE_RCPT_HELD,
	STORE_RCPT_DELIVERED, /* while others of the message are not done */
	STORE_RCPT_FAILED
};

struct store_queue_row { /* one recipient */
	int64_t rcpt_id, msg_id, received_ms, size;
	struct str mail_from, address, dest, last_error, session;
	enum store_rcpt_state state;
	unsigned attempts;
	int64_t next_attempt_ms, last_attempt_ms; /* 0: never */
	bool in_flight;                           /* being delivered right now */
};

struct store_queue_filter {
	struct str dest;       /* exact, or empty */
	struct str text;       /* part of sender or recipient, or empty */
	int state;             /* enum store_rcpt_state, or -1 for queued and held */
	int64_t after_rcpt_id; /* page: rows with a larger id; 0 for the first */
	size_t limit;          /* 1 to 1000 */
};

/* Rows by rcpt_id ascending, in the arena. *more says whether there is a next page.
 * A text search looks at no more than 100,000 rows a call; *more is then true and the last
 * row looked at is *next_after. */
int store_queue_list(struct store *s, const struct store_queue_filter *f, struct arena *a,
	struct store_queue_row **rows, size_t *count, bool *more, int64_t *next_after,
	struct err *err) MUST_USE;

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
	STORE_QUEUE_UNHOLD, /* due now */
	STORE_QUEUE_DROP    /* gone without a DSN; not while in flight */
};
/* For one message (msg_id), or one recipient of it (rcpt_id not 0). *changed: recipients. */
int store_queue_act(struct store *s, enum store_queue_verb verb, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err) MUST_USE;
/* For all that a filter selects (after_rcpt_id and limit are ignored), in chunks, so that
 * acceptance goes on meanwhile. */
int store_queue_act_all(struct store *s, enum store_queue_verb verb,
	const struct store_queue_filter *f, size_t *changed, struct err *err) MUST_USE;

#endif
