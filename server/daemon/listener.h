/* listener - one listening socket and the threads that accept on it.
 *
 * A few threads wait in accept(2) side by side and run the session they accepted
 * themselves: a connection costs one wake-up and, when sessions are short, no new thread.
 * The last one to leave accept starts another before it turns to its session. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include "daemon/gateway.h"
#include "daemon/registry.h"
#include "smtp/session.h"

enum listener_role {
	LISTENER_SMTP,
	LISTENER_SUBMISSION,
	LISTENER_SUBMISSIONS,
	LISTENER_ADMIN_HTTP,
	LISTENER_ADMIN_HTTPS,
	LISTENER_METRICS_HTTP
};
const char *listener_role_text(enum listener_role role); /* "smtp", "admin-https" */

/* What one address is for. Strings belong to the config snapshot they came from and are
 * copied by the calls below. */
struct listener_spec {
	const char *name; /* of the section in mox.conf */
	enum listener_role role;
	struct ip ip;
	unsigned port;
	const char *path; /* of admin pages */
};

/* The door to webui, which is a floor above: main.c fills it in. Takes conn over. */
struct listener_http {
	void *state;
	void (*serve)(void *state, struct conn *conn, const struct listener_spec *spec);
};

struct listener_deps { /* outlives all sessions */
	struct smtp_deps smtp;
	struct session_registry *registry;
	struct listener_http http;
};

struct listener;

/* Binds; connections are refused yet. ERR_PERM names address, service and why. */
int listener_open(
	const struct listener_spec *spec, struct listener **out, struct err *err) MUST_USE;
/* What connections accepted from now on are for; tls may be NULL, is taken over. */
void listener_assign(struct listener *l, const struct listener_spec *spec, struct tls_server *tls);
/* From now on the kernel takes connections; listener_run must follow soon. */
int listener_listen(struct listener *l, struct err *err) MUST_USE;
bool listener_is_at(const struct listener *l, const struct ip *ip, unsigned port);
int listener_run(struct listener *l, const struct listener_deps *deps, struct err *err) MUST_USE;
/* Accepts no more; sessions go on. When it returns, every accepted connection is in the
 * registry. Sets *l to NULL. */
void listener_close(struct listener **l);
void listener_health(struct listener *l, struct health_listener *out);

#endif
