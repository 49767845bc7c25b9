/* thread - POSIX threads with a name and a stack size. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stddef.h>

enum { THREAD_STACK = 256 * 1024 }; /* what a session or delivery gets */

/* Starts fn(arg). With thread NULL it is detached, else to be joined. All signals
 * are blocked in it. Returns 0, or -1 with ERR_TEMP (no more threads). */
int thread_spawn(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg,
	struct err *err) MUST_USE;

/* A condition variable on the monotonic clock. */
void cond_init(pthread_cond_t *cond);

#endif
