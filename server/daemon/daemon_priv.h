/* daemon_priv - what daemon.c, reload.c and health.c share. */
#ifndef DAEMON_DAEMON_PRIV_H
#define DAEMON_DAEMON_PRIV_H

#include "daemon/daemon.h"

#include <pthread.h>
#include <signal.h>

struct daemon {
	struct gateway *gateway;
	struct listener_deps deps;
	struct session_registry *registry;
	struct ctl *ctl;
	sigset_t signals;
	atomic_int stopping;

	pthread_mutex_t lock; /* one reload at a time; and what follows */
	struct listener **listeners;
	size_t listener_count;
	char config_problem[512];
	int64_t config_loaded_s;
	struct health_check resolver;
	struct selftest *selftest; /* NULL: not tested */
};

/* --- selftest.c --- */

struct selftest *selftest_start(struct gateway *g);
void selftest_again(struct selftest *t); /* soon; NULL is fine */
void selftest_stop(struct selftest **t); /* waits for it, at most about a second */

/* Opens every address c wants that is not among old; *out has the opened ones and those
 * of old that stay, in order of c. On failure nothing stays open. */
int listeners_bind(struct listener *const *old, size_t old_count, const struct config *c,
	struct listener ***out, size_t *count, struct err *err) MUST_USE;
/* Gives each listener of c its role and certificates; all or none. */
int listeners_assign(struct listener *const *listeners, size_t count, const struct config *c,
	struct err *err) MUST_USE;

#endif
