/* client_priv - what the parts of the SMTP client share. */
#ifndef SMTP_CLIENT_PRIV_H
#define SMTP_CLIENT_PRIV_H

#include "base/buf.h"
#include "smtp/client.h"
#include "smtp/client_reply.h"

struct smtp_client {
	struct conn *conn;
	struct arena *arena;
	struct smtp_client_options opt;
	unsigned ext;
	bool auth_plain, auth_scram, auth_login;
	int64_t size_max; /* 0: none announced */
	bool tls_on;
	int64_t tls_begin_ms; /* of the handshake, monotonic; 0: none yet */
	struct tls_peer peer;
	bool dead;         /* no more commands, no QUIT */
	bool dirty;        /* a transaction is open or did not end well: RSET first */
	struct str secret; /* sent just now: a reply that repeats it is not kept; else empty */
};

struct deadline smtp_client_deadline(const struct smtp_client *c, int64_t times);

/* Queues a line (CRLF is added). shown replaces it in the transcript when not empty. */
int smtp_client_line(struct smtp_client *c, struct str line, struct str shown, struct err *err);
/* Sends what is queued and reads one reply; a 421 marks the session dead. */
int smtp_client_reply(
	struct smtp_client *c, struct smtp_reply *reply, int64_t times, struct err *err) MUST_USE;
int smtp_client_command(struct smtp_client *c, const char *line, struct smtp_reply *reply,
	struct err *err) MUST_USE;
/* RSET when the last transaction left something behind. */
int smtp_client_clean(struct smtp_client *c, struct smtp_failure *failure) MUST_USE;

/* Both return -1, so that a caller can return them. */
int smtp_fail_io(struct smtp_client *c, struct smtp_failure *f, enum smtp_stage stage,
	const struct err *err);
int smtp_fail_reply(struct smtp_failure *f, enum smtp_stage stage, const struct smtp_reply *r);

int smtp_client_auth(struct smtp_client *c, struct smtp_failure *failure) MUST_USE;

/* --- client_trace.c: steps for people --- */
void smtp_trace_reply(struct smtp_client *c, const char *title, const struct smtp_reply *r);
void smtp_trace_io(struct smtp_client *c, const char *title, const char *text);
void smtp_trace_extensions(struct smtp_client *c, const char *title);
void smtp_trace_tls(struct smtp_client *c, const struct tls_outcome *outcome, int64_t begin_ms);

/* MAIL and RCPT commands; -1 with a text when an address cannot be written into one. */
int smtp_client_mail_write(
	struct smtp_client *c, const struct smtp_send *msg, struct buf *out, struct err *err);
int smtp_client_rcpt_write(
	struct smtp_client *c, const struct smtp_send_rcpt *rcpt, struct buf *out, struct err *err);

#endif
