/* client - the SMTP and LMTP client (RFC 5321, 2033): opens a session, sends messages,
 * tells what the peer said and showed. Policy is the caller's. */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "base/conn.h"
#include "policy/tlspolicy.h"
#include "store/message.h"

struct smtp_client;

struct smtp_client_options {
	const char *helo;        /* our name */
	const char *server_name; /* the peer's host name: SNI, unless policy.names has another,
				  * and certificate name */
	enum store_protocol protocol;
	struct tls_policy policy;
	struct tls_client *tls;
	struct str username, password; /* empty: no AUTH */
	int64_t command_timeout_ms;    /* each command; DATA's end waits twice as long */
	struct deadline session;       /* for all of it */
	struct buf *transcript;        /* or NULL: gets "> " and "< " lines, no secrets */
	struct trace *trace;           /* or NULL: greeting, EHLO, STARTTLS, TLS, verification */
};

enum smtp_stage { /* where a failure happened */
	SMTP_STAGE_CONNECT,
	SMTP_STAGE_GREETING,
	SMTP_STAGE_EHLO,
	SMTP_STAGE_STARTTLS,
	SMTP_STAGE_TLS,
	SMTP_STAGE_AUTH,
	SMTP_STAGE_MAIL,
	SMTP_STAGE_RCPT,
	SMTP_STAGE_DATA,
	SMTP_STAGE_END
};

struct smtp_failure {
	enum smtp_stage stage;
	int code;       /* reply code, 0 for none (I/O, protocol) */
	char ecode[12]; /* "5.7.1" or "" */
	char text[512]; /* the reply's lines joined, or our words */
	bool permanent; /* 5yz */
	bool dead;      /* the connection cannot be used any more */
};

enum {
	SMTP_EXT_PIPELINING = 1,
	SMTP_EXT_8BITMIME = 2,
	SMTP_EXT_SMTPUTF8 = 4,
	SMTP_EXT_STARTTLS = 8,
	SMTP_EXT_REQUIRETLS = 16,
	SMTP_EXT_DSN = 32,
	SMTP_EXT_SIZE = 64,
	SMTP_EXT_ENHANCED = 128,
	SMTP_EXT_CHUNKING = 256,
	SMTP_EXT_AUTH = 512
};

/* Greeting, EHLO (HELO when EHLO is refused), TLS by policy, EHLO again, AUTH. Takes conn
 * over in any case (closed on failure). outcome says what TLS came to, also on failure; a
 * failure with outcome->try_plaintext is worth one more connection without TLS. */
int smtp_client_open(struct conn **conn, const struct smtp_client_options *opt,
	struct smtp_client **out, struct tls_outcome *outcome,
	struct smtp_failure *failure) MUST_USE;

unsigned smtp_client_extensions(const struct smtp_client *c);
const struct tls_info *smtp_client_tls(const struct smtp_client *c); /* NULL: plaintext */
/* All that was seen of the peer in the handshake; NULL: plaintext. */
const struct tls_peer *smtp_client_peer(const struct smtp_client *c);

struct smtp_send_rcpt {
	struct str address;
	struct str orcpt;
	unsigned notify;
};
/* Bodies are never converted (that would break signatures). A message declared 8BITMIME
 * or SMTPUTF8 that turns out to be all ASCII goes to any peer. */
enum smtp_no_8bit {
	SMTP_NO_8BIT_FAIL, /* refuse for good, 5.6.3: strangers' servers */
	SMTP_NO_8BIT_SEND  /* send it anyway: the admin's own hosts */
};
struct smtp_send {
	struct str mail_from, envid;
	enum store_ret ret;
	bool body_8bit, smtputf8, requiretls;
	enum smtp_no_8bit no_8bit; /* what to do when the peer lacks 8BITMIME */
	int64_t size;
	const struct smtp_send_rcpt *rcpts;
	size_t rcpt_count;
	struct store_body *body;
};
struct smtp_rcpt_reply {
	int code; /* of the peer's reply; 0: not the peer's word */
	char ecode[12];
	char text[512]; /* the peer's or, with code 0, our words; empty: no word yet */
	bool accepted, permanent;
};
/* One transaction for all recipients, pipelined when the peer can. replies[i] is the final
 * word for rcpts[i] (LMTP: each its own after DATA). 0: a word for each; -1: the session
 * failed, replies hold what was known, failure says why; recipients without a word must be
 * tried again. RSET goes first when the last transaction did not end well. */
int smtp_client_send(struct smtp_client *c, const struct smtp_send *msg,
	struct smtp_rcpt_reply *replies, struct smtp_failure *failure) MUST_USE;

/* MAIL and RCPT, then RSET: nothing is sent. For call-outs and relay tests. */
int smtp_client_probe(struct smtp_client *c, struct str mail_from, struct str rcpt,
	struct smtp_rcpt_reply *reply, struct smtp_failure *failure) MUST_USE;

/* A kept connection's next use: ends its old session deadline. */
void smtp_client_renew(struct smtp_client *c, struct deadline session);
/* False once the connection failed or the peer announced its end (421). Asks nobody. */
bool smtp_client_usable(const struct smtp_client *c);
/* RSET as a sign of life before a kept connection is used again. False: it is dead. */
bool smtp_client_alive(struct smtp_client *c);
/* QUIT with a short wait (unless dead), then close. Sets *c to NULL. */
void smtp_client_quit(struct smtp_client **c);

#endif
