/* Whoever submits a job also finishes it, and takes it back if no thread got to it: so nobody
 * ever waits for a free thread. */
#include "auth/auth_pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>

enum { IDLE_MS = 30 * 1000 };

struct auth_pool {
	pthread_mutex_t lock;
	pthread_cond_t work, gone;
	struct auth_job *first, **last;
	unsigned threads, idle, waiting, max;
	bool stopping;
};

struct auth_pool *auth_pool_open(unsigned max)
{
	struct auth_pool *p = mem_alloc(sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	cond_init(&p->work);
	cond_init(&p->gone);
	p->last = &p->first;
	p->max = max;
	return p;
}

void auth_pool_close(struct auth_pool **pp)
{
	struct auth_pool *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads > 0)
		pthread_cond_wait(&p->gone, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->gone);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static struct auth_job *job_take(struct auth_pool *p)
{
	struct auth_job *job = p->first;

	p->first = job->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->waiting--;
	job->state = AUTH_JOB_RUNNING;
	return job;
}

/* Waits for work; false after IDLE_MS without any. The lock is held. */
static bool work_wait(struct auth_pool *p)
{
	int64_t until_ms = clock_mono_ms() + IDLE_MS;
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	int rc = 0;

	p->idle++;
	while (p->first == NULL && !p->stopping && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&p->work, &p->lock, &until);
	p->idle--;
	return p->first != NULL;
}

static void *pool_run(void *arg)
{
	struct auth_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (work_wait(p)) {
		struct auth_job *job = job_take(p);
		pthread_mutex_unlock(&p->lock);
		job->run(job);
		pthread_mutex_lock(&p->lock);
		job->state = AUTH_JOB_DONE;
		pthread_cond_signal(job->done);
	}
	p->threads--;
	pthread_cond_broadcast(&p->gone);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void auth_job_submit(struct auth_pool *p, struct auth_job *job)
{
	struct err err;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	job->submitted = true;
	job->state = AUTH_JOB_WAITING;
	job->next = NULL;
	*p->last = job;
	p->last = &job->next;
	p->waiting++;
	if (p->waiting <= p->idle) {
		pthread_cond_signal(&p->work);
	} else if (p->threads < p->max) {
		/* Without a new thread the job waits for an old one, or for its owner. */
		p->threads++;
		if (thread_spawn(NULL, "auth", pool_run, p, &err) < 0)
			p->threads--;
	}
	pthread_mutex_unlock(&p->lock);
}

static void job_unlink(struct auth_pool *p, struct auth_job *job)
{
	struct auth_job **at = &p->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->next == NULL)
		p->last = at;
	p->waiting--;
}

void auth_job_finish(struct auth_pool *p, struct auth_job *job)
{
	bool ours = !job->submitted && job->state != AUTH_JOB_DONE;

	if (job->submitted) {
		pthread_mutex_lock(&p->lock);
		if (job->state == AUTH_JOB_WAITING) {
			job_unlink(p, job);
			ours = true;
		}
		while (!ours && job->state != AUTH_JOB_DONE)
			pthread_cond_wait(job->done, &p->lock);
		pthread_mutex_unlock(&p->lock);
	}
	if (ours) {
		job->run(job);
		job->state = AUTH_JOB_DONE;
	}
}
