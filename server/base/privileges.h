/* privileges - what the process keeps of being root, and the limits it raises. All of it
 * happens before the first thread starts. */
#ifndef BASE_PRIVILEGES_H
#define BASE_PRIVILEGES_H

#include "base/err.h"

/* As many files as we may have; malloc told that threads are many and mostly idle. */
void process_prepare(void);

/* Makes the data directory (mode 0700) when it is not there; as root it then belongs to
 * user ("" or not root: to whoever we are). Errors name directory or user. */
int data_dir_prepare(const char *data_dir, const char *user, struct err *err) MUST_USE;

/* As root with a user named: becomes that user with its groups, for good, and keeps only
 * CAP_NET_BIND_SERVICE, so that a reload can bind ports below 1024. Otherwise only
 * PR_SET_NO_NEW_PRIVS. */
int privileges_drop(const char *user, struct err *err) MUST_USE;

#endif
