/* smtp/internal - one session's state, shared by the files of the server side. */
#ifndef SMTP_INTERNAL_H
#define SMTP_INTERNAL_H

#include "base/rand.h"
#include "message/message.h"
#include "policy/rcpt.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/session.h"

enum { SMTP_EXPANDED_MAX = 5000 }; /* recipients of a message after aliases; our choice */

struct smtp_rcpt { /* one final recipient */
	struct str address, dest, original, orcpt;
	unsigned notify;
	bool quarantine; /* see check.h */
	bool consumed;   /* a report address that nobody reads, see report.c */
};

enum sender_mx { /* see check_mx.c */
	SENDER_MX_UNASKED,
	SENDER_MX_FINE,
	SENDER_MX_LITERAL,
	SENDER_MX_NULL, /* RFC 7505 */
	SENDER_MX_NONE,
	SENDER_MX_UNKNOWN
};

struct envelope {  /* from MAIL to the end of DATA; memory in the session's arena */
	bool open; /* MAIL was accepted */
	struct str mail_from;
	bool null_sender, smtputf8, requiretls, body_8bit;
	enum store_ret ret;
	struct str envid;
	struct smtp_rcpt *rcpts;
	size_t rcpt_count, rcpt_cap;
	unsigned accepted;    /* RCPT commands answered with 250 */
	struct str only_rcpt; /* as given, when there is one; for Received */
	bool bdat;            /* chunks have begun */
	enum sender_mx sender_mx;
	bool report, report_host; /* some recipient takes TLS reports; the host's own does */
};

struct session {
	struct conn *conn;
	const struct smtp_session_options *opt;
	const struct smtp_deps *deps;
	const struct config *config;
	const struct config_listener *listener;
	const struct config_limits *limits;
	struct arena *arena;   /* reset with each transaction */
	struct arena *scratch; /* reset with each command: refused ones must not pile up */
	struct envelope env;
	struct smtp_data data;
	struct tls_info *tls; /* NULL: plaintext */
	char *helo;           /* NULL: not greeted */
	char *account;        /* NULL: not authenticated */
	struct ip peer, local;
	unsigned peer_port, local_port;
	struct deadline total;
	unsigned refusals; /* rejected or failed commands */
	unsigned bad_transactions, good_transactions, auth_failures;
	bool esmtp, slow, counted, over, trusted;
	bool any_command;
	int last_code; /* of the last reply */
	/* For the message log, see txlog.h: */
	const struct smtp_command *command; /* being answered, or NULL */
	const struct message_facts *facts;  /* of the message being decided, or NULL */
	struct str header_before_edit;      /* when forged results were taken out; in the arena */
	struct str trace;                   /* JSON of its authentication, in the arena; or empty */
	char id[RAND_ID_TEXT];
};

/* --- reply.c --- */

/* "code ecode text": ecode may be NULL; without EHLO it is left out all the same by none,
 * as RFC 2034 lets clients read over it. Control characters in the text become "?". */
__attribute__((format(printf, 4, 5))) void session_reply(
	struct session *s, int code, const char *ecode, const char *fmt, ...);
/* A refusal that counts towards slow mode and, for 5xx, the counters. */
__attribute__((format(printf, 4, 5))) void session_refuse(
	struct session *s, int code, const char *ecode, const char *fmt, ...);
/* Lines of a multi-line reply; the last one by session_reply. */
void session_reply_more(struct session *s, int code, const char *text);
/* Puts what is written on the wire. */
void session_flush(struct session *s);
/* One line from the client, with the limits and delays of the session. False: the
 * session is over (a reply was sent if one was due). */
bool session_line(struct session *s, struct str *line);

/* A new recipient at the end of the envelope, for the caller to fill. */
struct smtp_rcpt *envelope_rcpt_add(struct session *s);
bool session_is_submission(const struct session *s);
bool session_stopping(const struct session *s); /* the server is */

/* --- transaction.c --- */

void transaction_reset(struct session *s);
void transaction_mail(struct session *s, const struct smtp_command *c);
void transaction_rcpt(struct session *s, const struct smtp_command *c);
void transaction_data(struct session *s);
void transaction_bdat(struct session *s, const struct smtp_command *c);

/* --- accept.c --- */

/* The content is complete: checks it, queues it, answers. */
void message_accept(struct session *s);
/* A refusal of the whole message: counted, logged, said. */
void message_refuse(struct session *s, int code, const char *ecode, const char *text);
/* For smtp_data.header_edit on submission: takes Bcc fields out. arg is not used. */
void header_bcc_strip(void *arg, struct buf *head);

/* --- sign.c --- */

/* Puts DKIM-Signature fields above prefix when the message is submitted, or relayed by a trusted
 * network, and a hosted domain at or above its From domain has keys that sign. */
void message_sign(struct session *s, const struct message_facts *facts, struct buf *prefix);
/* Puts an ARC set above prefix when a recipient's domain seals and the message goes on to
 * another host. results: as in struct arc_seal_options; chain: of the message as it came. */
void message_seal(
	struct session *s, struct str results, const struct arc_result *chain, struct buf *prefix);

/* --- auth.c --- */

void session_auth(struct session *s, const struct smtp_command *c);

/* --- testing.c --- */

/* localserve: local parts that end in "temperror", "permerror", "timeout" or three digits
 * behave so. True when the command was answered. */
bool testing_rcpt(struct session *s, struct str localpart);

#endif
