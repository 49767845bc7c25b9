/* registry - the open sessions, so that a shutdown can wait for them and end those that
 * do nothing. Thread-safe. */
#ifndef DAEMON_REGISTRY_H
#define DAEMON_REGISTRY_H

#include "base/clock.h"
#include "smtp/session.h"

struct session_registry;

/* Lives on the session thread's stack. */
struct session_entry {
	struct session_entry *prev, *next;
	int fd;
	_Atomic int activity; /* enum smtp_activity; UNKNOWN for sessions that do not tell */
	uint64_t cookie;      /* the kernel's name for the socket: fd numbers are used again */
};

struct session_registry *session_registry_new(void);
/* No session may be open. */
void session_registry_free(struct session_registry **r);

void session_registry_add(struct session_registry *r, struct session_entry *e, int fd);
void session_registry_remove(struct session_registry *r, struct session_entry *e);
int64_t session_registry_count(struct session_registry *r);

/* Waits until no session is open. Idle ones get their input ended at once, of those that
 * do not tell the ones whose peer has sent nothing for quiet_ms, all others at d. Returns how many
 * had to be ended at d. */
int64_t session_registry_drain(struct session_registry *r, int64_t quiet_ms, struct deadline d);
/* Its first part: false when at d some are still open. */
bool session_registry_wait(struct session_registry *r, int64_t quiet_ms, struct deadline d);

#endif
