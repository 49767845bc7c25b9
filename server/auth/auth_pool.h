/* auth_pool - jobs on shared threads, for the files of server/auth only. */
#ifndef AUTH_AUTH_POOL_H
#define AUTH_AUTH_POOL_H

#include "auth/auth.h"

#include <pthread.h>

struct auth_job {
	void (*run)(struct auth_job *job);
	pthread_cond_t *done; /* of the owner; by cond_init, or default */
	bool submitted;       /* the owner's; the rest belongs to the pool then */
	enum { AUTH_JOB_IDLE, AUTH_JOB_WAITING, AUTH_JOB_RUNNING, AUTH_JOB_DONE } state;
	struct auth_job *next;
};

/* Puts the job into the queue of the pool; it stays the caller's. */
void auth_job_submit(struct auth_pool *p, struct auth_job *job);
/* Makes sure that the job is done: runs it here if no thread has begun it, else waits. */
void auth_job_finish(struct auth_pool *p, struct auth_job *job);

#endif
