/* auth - who sent this? The facade over iprev, SPF, DKIM, ARC, DMARC and block lists. All
 * look-ups of a message run side by side, so it takes as long as the slowest of them, and
 * never longer than the deadline; what could not be found out by then is a temperror. What
 * dns has in its cache is answered on the caller's thread, without any other. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/dmarc.h"
#include "base/buf.h"
#include "base/net.h"

enum { AUTH_DEADLINE_MS = 10 * 1000 };

/* Threads for look-ups, shared by all checks: started when needed, at most max, idle ones
 * end. With all of them busy a check does its look-ups itself, one after the other. */
struct auth_pool;
struct auth_pool *auth_pool_open(unsigned max);
void auth_pool_close(struct auth_pool **p);

struct auth_check;

/* The dialogue, in this order, all on one thread:
 *   auth_open     when sender and recipients are known: iprev, SPF, block lists begin
 *   auth_header   the header block is complete: DKIM keys and DMARC records are asked for
 *   auth_body     every piece of the body, for DKIM's hashes
 *   auth_finish   waits for what is under way and frees; or auth_drop */

/* Takes out of a header block what claims to be a result of ours (RFC 8601 section 5). */
void auth_forged_strip(struct buf *head, struct str authserv_id);

#endif
