/* daemon - start and stop of the whole, in the right order; reload in between.
 *
 *   daemon_open   sockets, data directory, privileges: what needs root, before any thread
 *   (main.c makes store, dns, queue ... and fills the gateway)
 *   daemon_start  sessions and the control socket; tells systemd
 *   daemon_wait   until SIGTERM, SIGINT or "mox stop"; SIGHUP reloads
 *   daemon_drain  accepts no more, lets sessions finish
 *   daemon_close  after main.c has ended the rest */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/gateway.h"

#include "daemon/listener.h"
#include <stdatomic.h>

struct daemon;

/* Blocks the signals that daemon_wait waits for. c stays the caller's. */
int daemon_open(const struct config *c, struct daemon **out, struct err *err) MUST_USE;
/* gateway is complete and outlives the daemon; its daemon field must be d. */
int daemon_start(struct daemon *d, struct gateway *gateway, struct listener_http http,
	struct err *err) MUST_USE;
void daemon_wait(struct daemon *d);
void daemon_drain(struct daemon *d);
void daemon_close(struct daemon **d);

/* Not 0 once the daemon is stopping. */
const atomic_int *daemon_stopping(const struct daemon *d);

#endif
