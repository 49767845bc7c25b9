#include "daemon/registry.h"

#include "base/mem.h"
#include "base/thread.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum {
	DRAIN_LOOK_MS = 100, /* how often a drain looks for quiet sessions */
	DRAIN_LAST_MS = 5000 /* what sessions get to end after they were all cut */
};

struct session_registry {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct session_entry *first;
	int64_t count;
};

struct session_registry *session_registry_new(void)
{
	struct session_registry *r = mem_alloc(sizeof(*r));

	pthread_mutex_init(&r->lock, NULL);
	cond_init(&r->changed);
	return r;
}

void session_registry_free(struct session_registry **rp)
{
	struct session_registry *r = *rp;

	if (r == NULL)
		return;
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
	*rp = NULL;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return 0;
	return cookie;
}

void session_registry_add(struct session_registry *r, struct session_entry *e, int fd)
{
	e->fd = fd;
	e->cookie = cookie_of(fd);
	atomic_init(&e->activity, SMTP_ACTIVITY_UNKNOWN);
	e->prev = NULL;
	pthread_mutex_lock(&r->lock);
	e->next = r->first;
	if (r->first != NULL)
		r->first->prev = e;
	r->first = e;
	r->count++;
	pthread_mutex_unlock(&r->lock);
}

void session_registry_remove(struct session_registry *r, struct session_entry *e)
{
	pthread_mutex_lock(&r->lock);
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		r->first = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	r->count--;
	if (r->count == 0)
		pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

int64_t session_registry_count(struct session_registry *r)
{
	pthread_mutex_lock(&r->lock);
	int64_t n = r->count;
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* The peer's last word is older than quiet_ms. */
static bool is_silent(int fd, int64_t quiet_ms)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	return info.tcpi_last_data_recv >= quiet_ms;
}

static bool is_idle(struct session_entry *e, int64_t quiet_ms)
{
	switch ((enum smtp_activity)atomic_load(&e->activity)) {
	case SMTP_ACTIVITY_IDLE:
		return true;
	case SMTP_ACTIVITY_BUSY:
		return false;
	case SMTP_ACTIVITY_UNKNOWN:
		break;
	}
	return is_silent(e->fd, quiet_ms);
}

/* quiet_ms 0: all. The sockets are shut, not closed: their sessions own them. */
static void cut(struct session_registry *r, int64_t quiet_ms)
{
	pthread_mutex_lock(&r->lock);
	for (struct session_entry *e = r->first; e != NULL; e = e->next) {
		if (e->cookie == 0 || cookie_of(e->fd) != e->cookie)
			continue; /* closed by its session, the number may be another's now */
		if (quiet_ms == 0)
			shutdown(e->fd, SHUT_RDWR);
		else if (is_idle(e, quiet_ms))
			shutdown(e->fd, SHUT_RD); /* its last reply still gets out */
	}
	pthread_mutex_unlock(&r->lock);
}

/* True when no session is left; waits no longer than ms. */
static bool wait_empty(struct session_registry *r, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&r->lock);
	while (r->count > 0 && pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0)
		;
	bool empty = r->count == 0;
	pthread_mutex_unlock(&r->lock);
	return empty;
}

bool session_registry_wait(struct session_registry *r, int64_t quiet_ms, struct deadline d)
{
	while (deadline_left_ms(d) > 0) {
		cut(r, quiet_ms);
		if (wait_empty(r, DRAIN_LOOK_MS))
			return true;
	}
	return false;
}

int64_t session_registry_drain(struct session_registry *r, int64_t quiet_ms, struct deadline d)
{
	if (session_registry_wait(r, quiet_ms, d))
		return 0;
	int64_t left = session_registry_count(r);
	struct deadline last = deadline_in_ms(DRAIN_LAST_MS);
	do
		cut(r, 0);
	while (!wait_empty(r, DRAIN_LOOK_MS) && deadline_left_ms(last) > 0);
	return left;
}
