/* session - the SMTP server (RFC 5321): one blocking function a connection. */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "auth/auth.h"
#include "base/conn.h"
#include "config/config.h"
#include "dns/dns.h"
#include "policy/signing.h"
#include "smtp/callout.h"
#include "smtp/limits.h"
#include "store/store.h"
#include "tls/tls.h"

#include <stdatomic.h>

enum smtp_service { SMTP_SERVICE_MX, SMTP_SERVICE_SUBMISSION, SMTP_SERVICE_SUBMISSIONS };

/* What a session is given; everything outlives it. */
struct smtp_deps {
	struct store *store;
	struct config_holder *config;
	struct dns *dns; /* may be NULL: no look-ups */
	struct smtp_limits *limits;
	struct callout *callout;
	struct signing *signing;     /* may be NULL: nothing is signed */
	struct auth_pool *auth_pool; /* or NULL: look-ups one after the other */
	struct dnsbl *dnsbl;         /* or NULL: no block lists */
	const atomic_int *stopping;  /* not 0: finish the transaction, then 421 */
};

/* What a shutdown may ask of a session from another thread. */
enum smtp_activity {
	SMTP_ACTIVITY_UNKNOWN, /* before the banner */
	SMTP_ACTIVITY_IDLE,    /* waits for a command, no transaction is open */
	SMTP_ACTIVITY_BUSY
};

struct smtp_session_options {
	const struct smtp_deps *deps;
	enum smtp_service service;
	const char *listener;   /* its name in the config snapshot taken by the session */
	struct tls_server *tls; /* a reference the session releases; NULL: no TLS */
	_Atomic int *activity;  /* enum smtp_activity, kept up to date; or NULL */
};

/* Runs the dialogue until QUIT, an error or a limit; closes conn. Connection limits were
 * taken by the listener (smtp_limits_connect) unless PROXY v2 is in use, where the session
 * reads the header first and takes them itself. */
void smtp_session_run(struct conn *conn, const struct smtp_session_options *opt);

#endif
