/* ctl - the control socket <DataDir>/ctl, for the command line. Mode 0600: who may open
 * it is who may do everything. Verbs: those of control/control.h, and status, reload, stop. */
#ifndef DAEMON_CTL_H
#define DAEMON_CTL_H

#include "daemon/gateway.h"

struct ctl;

/* The data directory's lock is held, so a socket that lies there is a dead one's. */
int ctl_start(struct gateway *g, struct ctl **out, struct err *err) MUST_USE;
/* Ends open dialogues, removes the socket. Sets *c to NULL; NULL is fine. */
void ctl_stop(struct ctl **c);

#endif
