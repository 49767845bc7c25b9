#include "daemon/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/thread.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	ACCEPTORS_MAX = 16,      /* threads that wait in accept for the next connection */
	EXHAUSTED_PAUSE_MS = 50, /* out of descriptors or memory: others must end first */
	EXHAUSTED_LOG_MS = 5000,
	LISTENER_NAME_MAX = 64,
	LISTENER_PATH_MAX = 256
};

struct listener {
	int fd;
	struct ip ip;
	unsigned port;
	const struct listener_deps *deps;

	pthread_mutex_t lock;
	pthread_cond_t left;
	unsigned refs;    /* the daemon and each thread */
	unsigned waiting; /* threads in accept, or on their way there */
	bool closing;
	int64_t connections;
	int64_t exhausted_logged_ms;
	char name[LISTENER_NAME_MAX], path[LISTENER_PATH_MAX];
	enum listener_role role;
	struct tls_server *tls;
};

/* One accepted connection, on its thread's stack. */
struct session {
	struct session_entry entry;
	int fd;
	struct ip peer;
	char name[LISTENER_NAME_MAX];
	enum listener_role role;
	struct tls_server *tls;
	bool last; /* nobody else is waiting in accept */
};

const char *listener_role_text(enum listener_role role)
{
	switch (role) {
	case LISTENER_SMTP:
		return "smtp";
	case LISTENER_SUBMISSION:
		return "submission";
	case LISTENER_SUBMISSIONS:
		return "submissions";
	case LISTENER_ADMIN_HTTP:
		return "admin-http";
	case LISTENER_ADMIN_HTTPS:
		return "admin-https";
	case LISTENER_METRICS_HTTP:
		return "metrics-http";
	}
	return "?";
}

static int socket_open(const struct listener_spec *spec)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(&spec->ip, spec->port, &sa);
	int one = 1;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		(sa.ss_family != AF_INET6 ||
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
		bind(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int open_error(const struct listener_spec *spec, int error, struct err *err)
{
	char text[IP_TEXT];
	const char *hint = "";

	if (error == EACCES && spec->port < 1024)
		hint = " (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
	return err_set(err, ERR_PERM, "listener \"%s\", %s: cannot listen on %s port %u: %s%s",
		spec->name, listener_role_text(spec->role), ip_text(&spec->ip, text), spec->port,
		strerror(error), hint);
}

int listener_open(const struct listener_spec *spec, struct listener **out, struct err *err)
{
	*out = NULL;
	int fd = socket_open(spec);
	if (fd < 0)
		return open_error(spec, errno, err);
	struct listener *l = mem_alloc(sizeof(*l));
	l->fd = fd;
	l->ip = spec->ip;
	l->port = spec->port;
	l->refs = 1;
	pthread_mutex_init(&l->lock, NULL);
	cond_init(&l->left);
	listener_assign(l, spec, NULL);
	*out = l;
	return 0;
}

int listener_listen(struct listener *l, struct err *err)
{
	struct listener_spec spec = {
		.name = l->name, .role = l->role, .ip = l->ip, .port = l->port};

	return listen(l->fd, SOMAXCONN) == 0 ? 0 : open_error(&spec, errno, err);
}

void listener_assign(struct listener *l, const struct listener_spec *spec, struct tls_server *tls)
{
	pthread_mutex_lock(&l->lock);
	struct tls_server *old = l->tls;
	snprintf(l->name, sizeof(l->name), "%s", spec->name);
	snprintf(l->path, sizeof(l->path), "%s", spec->path ? spec->path : "/");
	l->role = spec->role;
	l->tls = tls;
	pthread_mutex_unlock(&l->lock);
	tls_server_release(&old);
}

bool listener_is_at(const struct listener *l, const struct ip *ip, unsigned port)
{
	return l->port == port && ip_equal(&l->ip, ip);
}

static void unref(struct listener *l)
{
	pthread_mutex_lock(&l->lock);
	bool last = --l->refs == 0;
	pthread_mutex_unlock(&l->lock);
	if (!last)
		return;
	tls_server_release(&l->tls);
	pthread_cond_destroy(&l->left);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* --- a connection --- */

/* Before any dialogue: a plain line, and never waits for the peer to take it. */
static void refuse(const struct session *s, const char *why)
{
	char line[128];

	if (s->role == LISTENER_SMTP || s->role == LISTENER_SUBMISSION) {
		int n = snprintf(line, sizeof(line), "421 4.7.0 %s\r\n", why);
		/* One that does not get through changes nothing. */
		(void)send(s->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	close(s->fd);
}

static const char *limit_text(enum smtp_limit limit)
{
	switch (limit) {
	case SMTP_LIMIT_OK:
		break;
	case SMTP_LIMIT_RATE:
		return "Too many new connections from your address, try again later";
	case SMTP_LIMIT_OPEN:
		return "Too many open connections from your address";
	case SMTP_LIMIT_TOTAL:
		return "Too many connections, try again later";
	}
	return "";
}

/* A proxy's own address is not the client's: the session counts that one. */
static bool is_proxied(const struct config *c, const struct session *s)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *cl = &c->listeners[i];
		if (strcmp(cl->name, s->name) != 0)
			continue;
		for (size_t j = 0; j < cl->proxy_from_count; j++)
			if (cidr_contains(&cl->proxy_from[j], &s->peer))
				return true;
	}
	return false;
}

static void serve_smtp(const struct listener_deps *deps, struct session *s)
{
	static const enum smtp_service services[] = {
		[LISTENER_SMTP] = SMTP_SERVICE_MX,
		[LISTENER_SUBMISSION] = SMTP_SERVICE_SUBMISSION,
		[LISTENER_SUBMISSIONS] = SMTP_SERVICE_SUBMISSIONS,
	};
	const struct config *c = config_snapshot(deps->smtp.config);
	enum smtp_limit limit = SMTP_LIMIT_OK;
	bool proxied = is_proxied(c, s);

	if (!proxied)
		limit = smtp_limits_connect(
			deps->smtp.limits, &c->limits, &s->peer, clock_mono_ms());
	config_release(c);
	if (limit != SMTP_LIMIT_OK) {
		metric_inc(METRIC_CONNECTIONS_REFUSED, (unsigned)s->role, 0);
		char ip[IP_TEXT];
		log_event(LOG_LEVEL_INFO, "smtp.refuse", "listener", s->name, "ip",
			ip_text(&s->peer, ip), "reason", limit_text(limit), NULL);
		refuse(s, limit_text(limit));
		tls_server_release(&s->tls);
		return;
	}
	struct smtp_session_options opt = {
		.deps = &deps->smtp,
		.service = services[s->role],
		.listener = s->name,
		.tls = s->tls,
		.activity = &s->entry.activity,
	};
	metric_add(METRIC_CONNECTIONS_OPEN, (unsigned)s->role, 0, 1);
	smtp_session_run(conn_open_fd(s->fd), &opt);
	metric_add(METRIC_CONNECTIONS_OPEN, (unsigned)s->role, 0, -1);
	if (!proxied)
		smtp_limits_disconnect(deps->smtp.limits, &s->peer);
}

static void serve_http(struct listener *l, struct session *s)
{
	char path[LISTENER_PATH_MAX];
	struct conn *conn = conn_open_fd(s->fd);
	struct err err;

	pthread_mutex_lock(&l->lock);
	memcpy(path, l->path, sizeof(path));
	pthread_mutex_unlock(&l->lock);
	if (s->role == LISTENER_ADMIN_HTTPS) {
		const struct config *c = config_snapshot(l->deps->smtp.config);
		int64_t timeout_ms = c->limits.tls_timeout_ms;
		struct tls_info info;
		config_release(c);
		if (s->tls == NULL ||
			tls_accept(conn, s->tls, deadline_in_ms(timeout_ms), &info, &err) < 0) {
			log_event(LOG_LEVEL_DEBUG, "http.tls", "error",
				s->tls ? err.text : "the listener has no TLS section", NULL);
			conn_close(&conn);
		}
	}
	tls_server_release(&s->tls); /* also the one a plain page does not use */
	if (conn == NULL)
		return;
	struct listener_spec spec = {
		.name = s->name, .role = s->role, .ip = l->ip, .port = l->port, .path = path};
	l->deps->http.serve(l->deps->http.state, conn, &spec);
}

/* --- accepting --- */

static bool is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void exhausted_pause(struct listener *l, int error)
{
	int64_t now_ms = clock_mono_ms();

	char name[LISTENER_NAME_MAX];

	pthread_mutex_lock(&l->lock);
	bool say = now_ms - l->exhausted_logged_ms >= EXHAUSTED_LOG_MS;
	if (say)
		l->exhausted_logged_ms = now_ms;
	memcpy(name, l->name, sizeof(name));
	pthread_mutex_unlock(&l->lock);
	if (say)
		log_event(LOG_LEVEL_ERROR, "listener.exhausted", "listener", name, "error",
			strerror(error), NULL);
	usleep(EXHAUSTED_PAUSE_MS * 1000);
}

/* 0 with a connection, -1 when the listener is closed. */
static int accept_next(struct listener *l, struct session *s)
{
	for (;;) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		unsigned port;
		s->fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
		if (s->fd >= 0) {
			ip_from_sockaddr((struct sockaddr *)&sa, &s->peer, &port);
			return 0;
		}
		int error = errno;
		pthread_mutex_lock(&l->lock);
		bool closing = l->closing;
		pthread_mutex_unlock(&l->lock);
		if (closing)
			return -1;
		if (is_exhausted(error))
			exhausted_pause(l, error);
		/* Anything else is that connection's trouble, accept(2). */
	}
}

static void *acceptor(void *arg);

/* The thread leaves accept with a connection. */
static void session_begin(struct listener *l, struct session *s)
{
	session_registry_add(l->deps->registry, &s->entry, s->fd);
	pthread_mutex_lock(&l->lock);
	memcpy(s->name, l->name, sizeof(s->name));
	s->role = l->role;
	s->tls = l->tls ? tls_server_ref(l->tls) : NULL;
	l->connections++;
	metric_inc(METRIC_CONNECTIONS, (unsigned)l->role, 0);
	s->last = l->waiting == 1 && !l->closing;
	if (s->last) {
		l->refs++; /* for the thread that takes our place */
	} else {
		l->waiting--;
		pthread_cond_broadcast(&l->left);
	}
	pthread_mutex_unlock(&l->lock);
}

/* After a session: does this thread wait for another connection? */
static bool accept_again(struct listener *l)
{
	pthread_mutex_lock(&l->lock);
	bool again = !l->closing && l->waiting < ACCEPTORS_MAX;
	if (again)
		l->waiting++;
	pthread_mutex_unlock(&l->lock);
	return again;
}

/* Out of accept for good. The reference goes in the same step: listener_close, which holds
 * one itself, then frees the listener before the process ends. */
static void accept_leave(struct listener *l)
{
	pthread_mutex_lock(&l->lock);
	l->waiting--;
	l->refs--;
	pthread_cond_broadcast(&l->left);
	pthread_mutex_unlock(&l->lock);
}

/* False: no thread could be started to take our place in accept, so this one goes back. */
static bool session_serve(struct listener *l, struct session *s)
{
	struct err err;
	bool served = true;

	if (s->last && thread_spawn(NULL, "accept", acceptor, l, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "listener.thread", "listener", s->name, "error",
			err.text, NULL);
		unref(l);
		refuse(s, "Too many connections, try again later");
		tls_server_release(&s->tls);
		usleep(EXHAUSTED_PAUSE_MS * 1000);
		served = false;
	} else if (s->role <= LISTENER_SUBMISSIONS) {
		serve_smtp(l->deps, s);
	} else {
		serve_http(l, s);
	}
	session_registry_remove(l->deps->registry, &s->entry);
	return served;
}

static void *acceptor(void *arg)
{
	struct listener *l = arg;
	struct session s;

	for (;;) {
		if (accept_next(l, &s) < 0) {
			accept_leave(l);
			return NULL;
		}
		session_begin(l, &s);
		if (session_serve(l, &s) && !accept_again(l))
			break;
	}
	unref(l);
	return NULL;
}

int listener_run(struct listener *l, const struct listener_deps *deps, struct err *err)
{
	pthread_mutex_lock(&l->lock); /* listener_health may look already */
	l->deps = deps;
	pthread_mutex_unlock(&l->lock);
	l->refs++;
	l->waiting = 1;
	if (thread_spawn(NULL, "accept", acceptor, l, err) == 0)
		return 0;
	l->refs--;
	l->waiting = 0;
	return -1;
}

void listener_close(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	l->closing = true;
	shutdown(l->fd, SHUT_RDWR); /* ends every accept(2) */
	while (l->waiting > 0)
		pthread_cond_wait(&l->left, &l->lock);
	pthread_mutex_unlock(&l->lock);
	close(l->fd);
	unref(l);
	*lp = NULL;
}

static int64_t cert_expiry(const struct tls_server *tls)
{
	enum { CERTS_MAX = 16 };
	struct tls_cert_info certs[CERTS_MAX];
	size_t count = tls_server_certs(tls, certs, CERTS_MAX);
	int64_t first_s = 0;

	for (size_t i = 0; i < count && i < CERTS_MAX; i++) {
		if (first_s == 0 || certs[i].not_after_s < first_s)
			first_s = certs[i].not_after_s;
	}
	return first_s;
}

void listener_health(struct listener *l, struct health_listener *out)
{
	char ip[IP_TEXT];
	struct tls_server *tls;

	pthread_mutex_lock(&l->lock);
	snprintf(out->listener, sizeof(out->listener), "%s", l->name);
	snprintf(out->service, sizeof(out->service), "%s", listener_role_text(l->role));
	out->connections = l->connections;
	out->up = l->deps != NULL && !l->closing;
	/* The certificate is the whole listener's; these two services never show it. */
	bool plain = l->role == LISTENER_ADMIN_HTTP || l->role == LISTENER_METRICS_HTTP;
	tls = l->tls && !plain ? tls_server_ref(l->tls) : NULL;
	pthread_mutex_unlock(&l->lock);
	if (tls != NULL)
		out->cert_expires_s = cert_expiry(tls);
	tls_server_release(&tls);
	snprintf(out->address, sizeof(out->address), l->ip.len == 16 ? "[%s]:%u" : "%s:%u",
		ip_text(&l->ip, ip), l->port);
}
