/* store/message - accepted messages: durable in, claimed for delivery, results back. */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "store/store.h"
#include "store/tlsresult.h"

/* --- spool: bodies over STORE_INLINE_MAX --- */

/* A file in spool/ being written. Until its message is in the store it belongs to
 * nobody and is removed at the next start. */
struct spool;
int spool_create(struct store *s, struct spool **out, struct err *err) MUST_USE;
int spool_write(struct spool *sp, struct str data, struct err *err) MUST_USE;
/* fdatasync of file and directory. ERR_FULL when the disk is full. */
int spool_commit(struct spool *sp, struct err *err) MUST_USE;
int64_t spool_size(const struct spool *sp);
/* What was written, from octet at on: how many octets of out were filled, 0 at the end, or -1.
 * Writing can go on afterwards. */
int64_t spool_read(
	const struct spool *sp, int64_t at, char *out, size_t size, struct err *err) MUST_USE;
/* Removes the file unless a store_msg_add took it. Sets *sp to NULL. */
void spool_close(struct spool **sp);

/* --- in --- */

enum { /* DSN NOTIFY, RFC 3461 section 4.1; 0: the parameter was absent */
	STORE_NOTIFY_NEVER = 1,
	STORE_NOTIFY_SUCCESS = 2,
	STORE_NOTIFY_FAILURE = 4,
	STORE_NOTIFY_DELAY = 8
};
enum store_ret { STORE_RET_UNSET, STORE_RET_FULL, STORE_RET_HDRS };

struct store_rcpt_new {
	struct str
		address; /* where it goes: "local@domain", aliases resolved, domain in A-labels */
	struct str dest; /* queue it waits in: the domain, lower case, or "[ip]" */
	struct str original; /* as in RCPT TO when an alias changed it, else empty */
	struct str orcpt;    /* DSN ORCPT, still xtext, or empty */
	unsigned notify;
	bool hold;       /* starts on hold; also set by the store when a hold rule matches */
	bool quarantine; /* this one's copy belongs into quarantine */
};

struct store_msg_new {
	struct str session;   /* session id of the SMTP dialogue, "" for our own messages */
	struct str mail_from; /* "" for the null sender */
	struct str helo, remote_ip, message_id; /* for people; may be empty */
	struct str account;                     /* who submitted it, or empty */
	struct str envid;                       /* still xtext */
	enum store_ret ret;
	bool body_8bit, smtputf8, requiretls;
	int tls_required_no; /* 1: header TLS-Required: No (RFC 8689) */
	bool is_tls_report;  /* a report of ours about TLS: its own deliveries call for none */
	struct str prefix;   /* trace header fields, CRLF-ended; kept apart from the body */
	struct str body;     /* as received, when spool is NULL */
	struct spool *spool; /* committed; taken over on success */
	struct store_rcpt_new *rcpts;
	size_t rcpt_count;
	bool hold; /* all recipients start on hold */
	/* Some recipient's copy belongs into quarantine (which, store_rcpt_new says), and why: a
	 * sentence. Until there is a place for it those recipients start on hold. */
	bool quarantine;
	struct str quarantine_reason;
	/* For the message log only, any may be empty; UTF-8 for people, long ones are cut: */
	struct str subject, header_from; /* decoded */
	struct str from_address;         /* the first address of From, domain in A-labels */
	struct str tls;                  /* "TLSv1.3 TLS_AES_256_GCM_SHA384", empty: plaintext */
	struct str listener;             /* which of ours took it */
	struct str trace;                /* JSON of the authentication, base/trace.h */
	int64_t about;                   /* a notice about this message of ours; 0: none */
	unsigned log_results;            /* STORE_LOG_ bits beside ACCEPTED, store/msglog.h */
};

/* Queues the message and waits for the commit. *id is its queue id. When it returns 0 the
 * message is on disk. ERR_FULL: no space (452). ERR_TEMP: the database failed (451). */
int store_msg_add(
	struct store *s, const struct store_msg_new *msg, int64_t *id, struct err *err) MUST_USE;

enum { STORE_ID_TEXT = 20 };
/* The queue id as people see it, e.g. "q1f3k"; and back (false when it is none). */
const char *store_id_text(int64_t id, char out[STORE_ID_TEXT]);
bool store_id_parse(struct str text, int64_t *id);

/* --- out: used by the queue's scheduler and delivery threads only --- */

enum { STORE_DEST_MAX = 256 };

/* Waits until a destination has recipients due, takes it off the due list and gives its
 * name: 1. 0 when the deadline passed or store_due_wake was called. The destination does
 * not come again before store_due_return, whatever is committed meanwhile. */
int store_due_wait(struct store *s, struct deadline d, char dest[STORE_DEST_MAX]);
/* Puts the destination back: it is due at the later of not_before_ms (unix; 0 for none)
 * and its earliest queued recipient that is not claimed. */
void store_due_return(struct store *s, const char *dest, int64_t not_before_ms);
/* Ends a store_due_wait early (shutdown). */
void store_due_wake(struct store *s);

struct store_claim_rcpt {
	int64_t id;
	struct str address, original, orcpt;
	unsigned notify, attempts; /* attempts made so far */
	bool delay_sent;
	int64_t transport_id; /* store_queue_row */
};

struct store_claim { /* one message with those of its recipients that are due in dest */
	int64_t id, received_ms, size; /* size: prefix and body */
	struct str session, mail_from, envid, account, message_id;
	enum store_ret ret;
	bool body_8bit, smtputf8, requiretls, is_tls_report;
	int tls_required_no;
	struct store_claim_rcpt *rcpts;
	size_t rcpt_count;
};

/* Takes up to rcpt_max due recipients of dest, oldest first, grouped into messages, all in
 * the arena. They are claimed (in memory) until store_attempt_add or store_claim_release. */
int store_claim(struct store *s, const char *dest, size_t rcpt_max, struct arena *a,
	struct store_claim **claims, size_t *count, struct err *err) MUST_USE;
void store_claim_release(struct store *s, const struct store_claim *claims, size_t count);

/* Content of a queued message: prefix, then body. Holds no read connection while open
 * for spool files; for small bodies the whole text is in memory. */
struct store_body;
int store_body_open(
	struct store *s, int64_t msg_id, struct store_body **out, struct err *err) MUST_USE;
/* Next piece into the caller's hands, valid until the next call. 1, 0 at end, -1. */
int store_body_next(struct store_body *b, struct str *piece, struct err *err) MUST_USE;
void store_body_rewind(struct store_body *b);
void store_body_close(struct store_body **b);

enum store_outcome {
	STORE_DELIVERED, /* or expanded, relayed: our duty is done */
	STORE_DEFERRED,  /* again at next_attempt_ms */
	STORE_FAILED     /* for good */
};

struct store_rcpt_result {
	int64_t rcpt_id;
	enum store_outcome outcome;
	int64_t next_attempt_ms; /* deferred only */
	bool delay_sent;         /* a delayed DSN goes out with this result */
	/* What happened, for the page and the DSN: */
	int code;          /* SMTP reply code, 0 when there was none */
	struct str ecode;  /* "5.1.1" or empty */
	struct str text;   /* reply or our own words */
	struct str mx, ip; /* who answered; may be empty */
	struct str tls;    /* "TLSv1.3 TLS_AES_256_GCM_SHA384, not verified", or empty: plaintext */
	struct str transport; /* "direct", "relay", "mailbox", or a transport's name */
	bool attempted;       /* false: suspended because the next hop is down; no attempt row */
	struct str trace;     /* JSON of the delivery, base/trace.h; or empty. Recipients that were
			       * tried together give the same pointer: it is kept once */
};

struct store_attempt {
	int64_t msg_id;
	int64_t started_ms, duration_ms;
	const struct store_rcpt_result *results;
	size_t result_count;
	const struct store_msg_new *dsns; /* queued in the same transaction */
	size_t dsn_count;
	/* What became of TLS in this attempt, added in the same transaction. */
	const struct store_tls_result *tls_results;
	size_t tls_result_count;
	bool is_tls_report; /* the claim's: the results are noted in tlsrptsent too */
};

/* Records the results of one message's recipients in one transaction and releases their
 * claim. When no recipient is left queued or held, the message is removed, its spool file
 * after the commit. Blocks until it is on disk. */
int store_attempt_add(
	struct store *s, const struct store_attempt *attempt, struct err *err) MUST_USE;

/* While the next hop of dest is known to be down: counts an attempt for up to limit due,
 * unclaimed recipients of dest without trying, with text as their last error; only those
 * that have attempts left after it (attempts + 1 < max_attempts) and no delay notice to
 * send (attempts + 1 != delay_attempt): the others need a real attempt. The next attempt is
 * at now + first_s * 2^attempts seconds, each with up to 5 s of jitter. *changed: how many. */
int store_due_suspend(struct store *s, const char *dest, struct str text, unsigned max_attempts,
	unsigned delay_attempt, int64_t first_s, size_t limit, size_t *changed,
	struct err *err) MUST_USE;

#endif
