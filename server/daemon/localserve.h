/* localserve - a mail server to try things with: loopback only, any recipient, no limits
 * per address, accounts and certificates made at first run (design.md section 6). */
#ifndef DAEMON_LOCALSERVE_H
#define DAEMON_LOCALSERVE_H

#include "daemon/gateway.h"

#include <stdio.h>

struct localserve_options {
	const char *dir; /* NULL: ~/.local/share/mox-localserve */
	const char *ip;  /* NULL: 127.0.0.1; others must be loopback too */
	bool hold;       /* accepted mail waits in the queue */
};

int localserve_config(
	const struct localserve_options *opt, struct config **out, struct err *err) MUST_USE;
/* Account, domain, address and passwords where they are missing. */
int localserve_fill(const struct config *c, struct store *s, struct err *err) MUST_USE;
/* Where everything is, for people. */
void localserve_print(FILE *out, const struct config *c);

#endif
