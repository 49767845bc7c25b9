#include "base/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int thread_spawn(
	pthread_t *thread, const char *name, void *(*fn)(void *), void *arg, struct err *err)
{
	pthread_attr_t attr;
	pthread_t id;
	sigset_t all, old;

	if (pthread_attr_init(&attr) != 0)
		return err_set(err, ERR_TEMP, "thread: attributes");
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_attr_setdetachstate(
		&attr, thread == NULL ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&id, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return err_set(err, ERR_TEMP, "thread %s: %s", name, strerror(rc));
	if (thread != NULL) {
		*thread = id;
		/* A detached one may be gone already. */
		pthread_setname_np(id, name);
	}
	return 0;
}

void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	if (pthread_condattr_init(&attr) != 0 ||
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(cond, &attr) != 0)
		abort();
	pthread_condattr_destroy(&attr);
}
