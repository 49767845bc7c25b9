/* dsn - delivery status notifications: RFC 3464 reports in RFC 6522 multipart/report, with
 * the global forms of RFC 6533 for SMTPUTF8 mail. Pure text: what and whether is the
 * caller's. */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include "base/arena.h"
#include "store/message.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

struct dsn_rcpt {
	struct str address;
	struct str original; /* as in RCPT TO when an alias changed it, or empty */
	struct str orcpt;    /* xtext, or empty */
	int code;            /* SMTP reply, 0 for none */
	struct str ecode;    /* "5.1.1" or empty */
	struct str text;
	struct str mx, ip;          /* or empty */
	int64_t last_attempt_s;     /* unix */
	int64_t will_retry_until_s; /* delayed only */
};

struct dsn_options {
	enum dsn_action action; /* of all recipients */
	const char *hostname;   /* ours */
	struct str to;          /* the original sender */
	struct str message_id;  /* of the original, or empty */
	struct str envid;       /* xtext, or empty */
	int64_t arrival_s, now_s;
	bool utf8;           /* the original was SMTPUTF8 */
	struct str original; /* header block, or the whole message when full */
	bool full;
	const struct dsn_rcpt *rcpts;
	size_t rcpt_count;
};

enum { DSN_ORIGINAL_MAX = 64 * 1024 }; /* octets of the original that are returned */

struct dsn {
	struct str text; /* the whole message, in the arena */
	struct str message_id, subject;
	bool body_8bit, smtputf8; /* what its envelope must say */
};
void dsn_build(struct arena *a, const struct dsn_options *opt, struct dsn *out);

#endif
