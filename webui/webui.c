#include "webui/webui.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/thread.h"
#include "webui/assets.h"
#include "webui/kept.h"
#include "webui/router.h"
#include "webui/server.h"
#include "webui/tail.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- clients --- */

static struct client *client_new(struct webui *ui, int fd)
{
	struct client *c = mem_alloc(sizeof(*c));

	c->ui = ui;
	c->fd = fd;
	c->waiting = true;
	c->deadline_ms = clock_mono_ms() + SERVER_HEADER_MS;
	return c;
}

static enum metric_service client_service(const struct client *c)
{
	if (c->role == WEBUI_METRICS)
		return METRIC_SERVICE_METRICS_HTTP;
	return c->https ? METRIC_SERVICE_ADMIN_HTTPS : METRIC_SERVICE_ADMIN_HTTP;
}

static void client_link(struct client *c)
{
	struct webui *ui = c->ui;

	pthread_mutex_lock(&ui->lock);
	c->next = ui->clients;
	if (c->next != NULL)
		c->next->prev = c;
	ui->clients = c;
	ui->client_count++;
	metric_add(METRIC_CONNECTIONS_OPEN, client_service(c), 0, 1);
	pthread_cond_signal(&ui->timer);
	pthread_mutex_unlock(&ui->lock);
}

static void client_unlink(struct client *c)
{
	struct webui *ui = c->ui;

	pthread_mutex_lock(&ui->lock);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		ui->clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	ui->client_count--;
	metric_add(METRIC_CONNECTIONS_OPEN, client_service(c), 0, -1);
	pthread_mutex_unlock(&ui->lock);
	free(c);
}

void client_deadline(struct client *c, int64_t in_ms, bool waiting)
{
	pthread_mutex_lock(&c->ui->lock);
	c->deadline_ms = in_ms == 0 ? 0 : clock_mono_ms() + in_ms;
	c->waiting = waiting;
	pthread_mutex_unlock(&c->ui->lock);
}

/* libmicrohttpd says that a connection begins or, before its socket is closed, ends. */
static void connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	struct webui *ui = cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *c = *socket_context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		*socket_context = NULL;
		if (c != NULL)
			client_unlink(c);
		return;
	}
	pthread_mutex_lock(&ui->lock);
	for (c = ui->clients; c != NULL && info != NULL; c = c->next) {
		if (!c->started && c->fd == info->connect_fd)
			break;
	}
	if (c != NULL)
		c->started = true;
	pthread_mutex_unlock(&ui->lock);
	*socket_context = c;
}

/* --- time --- */

/* Resumes answers whose delay is over. Returns when the next one is due, or no_later. */
static int64_t delayed_resume(struct webui *ui, int64_t now, int64_t no_later)
{
	for (struct request **at = &ui->delayed; *at != NULL;) {
		struct request *r = *at;
		if (ui->stopping || r->due_ms <= now) {
			*at = r->next;
			MHD_resume_connection(r->mhd);
			continue;
		}
		if (r->due_ms < no_later)
			no_later = r->due_ms;
		at = &r->next;
	}
	return no_later;
}

/* Cuts clients that are over their time; libmicrohttpd then cleans up. It tells us before
 * it closes a socket, and needs our lock for that: the number is still theirs. */
static void overdue_cut(struct webui *ui, int64_t now)
{
	int64_t less = ui->client_count >= SERVER_CLIENTS_MANY
			       ? SERVER_HEADER_MS - SERVER_HEADER_MANY_MS
			       : 0;

	for (struct client *c = ui->clients; c != NULL; c = c->next) {
		if (c->started && c->deadline_ms != 0 &&
			c->deadline_ms - (c->waiting ? less : 0) <= now) {
			shutdown(c->fd, SHUT_RDWR);
			c->deadline_ms = 0;
		}
	}
}

static void *sweeper_run(void *arg)
{
	struct webui *ui = arg;

	pthread_mutex_lock(&ui->lock);
	while (!ui->stopping) {
		if (ui->clients == NULL) {
			pthread_cond_wait(&ui->timer, &ui->lock);
			continue;
		}
		int64_t now = clock_mono_ms();
		overdue_cut(ui, now);
		int64_t next = delayed_resume(ui, now, now + 500);
		struct timespec at = {
			.tv_sec = next / 1000, .tv_nsec = (long)(next % 1000) * 1000000};
		pthread_cond_timedwait(&ui->timer, &ui->lock, &at);
	}
	(void)delayed_resume(ui, 0, 0);
	pthread_mutex_unlock(&ui->lock);
	return NULL;
}

/* --- start and stop --- */

/* templates/NAME.html as NAME, and one version for all that is compiled in. */
static int assets_load(struct webui *ui, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char digest[32];
	unsigned len = 0;
	int rc = -1;

	ui->templates = template_set_new();
	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		err_set(err, ERR_BUG, "SHA-256 failed");
		goto out;
	}
	for (size_t i = 0; i < asset_count; i++) {
		const struct asset *a = &assets[i];
		struct str name = str_from(a->name);
		char key[128];
		if (EVP_DigestUpdate(md, a->data, a->len) != 1) {
			err_set(err, ERR_BUG, "SHA-256 failed");
			goto out;
		}
		if (!str_starts(name, STR("templates/")) || !str_ends(name, STR(".html")))
			continue;
		name = str_skip(name, strlen("templates/"));
		name.len -= strlen(".html");
		if (!str_copy(key, sizeof(key), name)) {
			err_set(err, ERR_PERM, "%s: name is too long", a->name);
			goto out;
		}
		if (template_add(ui->templates, key, (struct str){(const char *)a->data, a->len},
			    err) < 0)
			goto out;
	}
	if (template_link(ui->templates, err) < 0)
		goto out;
	if (EVP_DigestFinal_ex(md, digest, &len) != 1) {
		err_set(err, ERR_BUG, "SHA-256 failed");
		goto out;
	}
	for (size_t i = 0; i < sizeof(ui->assets_version) / 2; i++)
		snprintf(ui->assets_version + 2 * i, 3, "%02x", digest[i]);
	rc = 0;
out:
	EVP_MD_CTX_free(md);
	return rc;
}

static int loop_open(struct webui *ui, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t len;

	(void)ip_parse(STR("127.0.0.1"), &ui->loop_ip);
	len = ip_to_sockaddr(&ui->loop_ip, 0, &sa);
	ui->loop_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ui->loop_fd < 0 || bind(ui->loop_fd, (struct sockaddr *)&sa, len) < 0 ||
		listen(ui->loop_fd, 16) < 0)
		return err_set(err, ERR_TEMP, "web: loopback socket: %s", strerror(errno));
	len = sizeof(sa);
	if (getsockname(ui->loop_fd, (struct sockaddr *)&sa, &len) < 0)
		return err_set(err, ERR_TEMP, "web: loopback socket: %s", strerror(errno));
	ip_from_sockaddr((struct sockaddr *)&sa, &ui->loop_ip, &ui->loop_port);
	return 0;
}

static int threads_start(struct webui *ui, struct err *err)
{
	if (tail_start(ui, err) < 0 ||
		thread_spawn(&ui->sweeper, "web-sweep", sweeper_run, ui, err) < 0)
		return -1;
	while (ui->worker_count < SERVER_WORKERS) {
		if (thread_spawn(&ui->workers[ui->worker_count], "web-page", request_worker, ui,
			    err) < 0)
			return -1;
		ui->worker_count++;
	}
	ui->mhd = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET |
					   MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, request_handle, ui, MHD_OPTION_URI_LOG_CALLBACK, request_begin, ui,
		MHD_OPTION_NOTIFY_COMPLETED, request_end, ui, MHD_OPTION_NOTIFY_CONNECTION,
		connection_notify, ui, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVER_CLIENTS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_CLIENT_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_END);
	if (ui->mhd == NULL)
		return err_set(err, ERR_TEMP, "web: the HTTP server does not start");
	return 0;
}

int webui_start(struct gateway *g, struct webui **out, struct err *err)
{
	struct webui *ui = mem_alloc(sizeof(*ui));

	ui->gateway = g;
	ui->loop_fd = -1;
	ui->kept = kept_open();
	ui->queue_end = &ui->queue;
	pthread_mutex_init(&ui->lock, NULL);
	pthread_mutex_init(&ui->loop_lock, NULL);
	cond_init(&ui->work);
	cond_init(&ui->timer);
	cond_init(&ui->idle);
	*out = ui;
	router_metrics();
	if (assets_load(ui, err) < 0 || loop_open(ui, err) < 0 || threads_start(ui, err) < 0) {
		webui_stop(out);
		return -1;
	}
	return 0;
}

void webui_stop(struct webui **w)
{
	struct webui *ui = *w;

	if (ui == NULL)
		return;
	pthread_mutex_lock(&ui->lock);
	ui->stopping = true;
	pthread_cond_broadcast(&ui->work);
	pthread_cond_broadcast(&ui->timer);
	pthread_mutex_unlock(&ui->lock);
	/* Requests still coming in stay suspended until the workers' queue is looked at below. */
	for (size_t i = 0; i < ui->worker_count; i++)
		pthread_join(ui->workers[i], NULL);
	if (ui->sweeper != 0)
		pthread_join(ui->sweeper, NULL);
	tail_stop(ui);
	if (ui->mhd != NULL) {
		pthread_mutex_lock(&ui->lock);
		for (struct request *r = ui->queue; r != NULL; r = r->next)
			MHD_resume_connection(r->mhd);
		ui->queue = NULL;
		ui->queue_end = &ui->queue;
		pthread_mutex_unlock(&ui->lock);
		MHD_stop_daemon(ui->mhd);
	}
	pthread_mutex_lock(&ui->lock);
	while (ui->pump_count > 0)
		pthread_cond_wait(&ui->idle, &ui->lock);
	pthread_mutex_unlock(&ui->lock);
	if (ui->loop_fd >= 0)
		close(ui->loop_fd);
	tail_free(ui);
	template_set_free(&ui->templates);
	kept_close(&ui->kept);
	pthread_cond_destroy(&ui->idle);
	pthread_cond_destroy(&ui->timer);
	pthread_cond_destroy(&ui->work);
	pthread_mutex_destroy(&ui->loop_lock);
	pthread_mutex_destroy(&ui->lock);
	free(ui);
	*w = NULL;
}

/* --- connections --- */

/* A connected pair over loopback. A stranger on this machine may connect in between: only
 * our own end is taken. */
static int loop_pair(struct webui *ui, int pair[2])
{
	struct sockaddr_storage sa, mine, theirs;
	socklen_t len = ip_to_sockaddr(&ui->loop_ip, ui->loop_port, &sa), mine_len = sizeof(mine);
	struct ip a, b;
	unsigned port = 0, got = 1;

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair[0] < 0)
		return -1;
	pthread_mutex_lock(&ui->loop_lock);
	pair[1] = -1;
	if (connect(pair[0], (struct sockaddr *)&sa, len) == 0 &&
		getsockname(pair[0], (struct sockaddr *)&mine, &mine_len) == 0) {
		ip_from_sockaddr((struct sockaddr *)&mine, &a, &port);
		do {
			socklen_t theirs_len = sizeof(theirs);
			if (pair[1] >= 0)
				close(pair[1]);
			pair[1] = accept4(
				ui->loop_fd, (struct sockaddr *)&theirs, &theirs_len, SOCK_CLOEXEC);
			if (pair[1] >= 0)
				ip_from_sockaddr((struct sockaddr *)&theirs, &b, &got);
		} while (pair[1] >= 0 && (got != port || !ip_equal(&a, &b)));
	}
	pthread_mutex_unlock(&ui->loop_lock);
	if (pair[1] >= 0)
		return 0;
	close(pair[0]);
	return -1;
}

/* Does the listener that got this connection trust its proxy's headers? */
static bool is_forwarded(struct webui *ui, const struct ip *local, unsigned port, bool https)
{
	const struct config *c = config_snapshot(ui->gateway->config);
	bool found = false;

	for (size_t i = 0; i < c->listener_count && !found; i++) {
		const struct config_listener *l = &c->listeners[i];
		const struct config_service *s = https ? &l->admin_https : &l->admin_http;
		if (!l->forwarded || !s->enabled || s->port != port)
			continue;
		for (size_t n = 0; n < l->ip_count; n++) {
			struct ip any = {.len = l->ips[n].len};
			found = found || ip_equal(&l->ips[n], local) || ip_equal(&l->ips[n], &any);
		}
	}
	config_release(c);
	return found;
}

/* Gives fd to libmicrohttpd, which closes it in any case. */
static void client_add(struct webui *ui, struct client *c)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(&c->peer, 0, &sa);

	client_link(c);
	if (MHD_add_connection(ui->mhd, c->fd, (struct sockaddr *)&sa, len) != MHD_YES) {
		log_event(LOG_LEVEL_WARN, "web.full", "error", "connection refused", NULL);
		pthread_mutex_lock(&ui->lock);
		bool known = c->started;
		pthread_mutex_unlock(&ui->lock);
		if (!known)
			client_unlink(c);
	}
}

void webui_serve(
	struct webui *ui, struct conn *conn, enum webui_role role, const char *path, bool https)
{
	struct ip local, peer;
	unsigned local_port, peer_port;
	int pair[2] = {-1, -1};

	conn_addresses(conn, &local, &local_port, &peer, &peer_port);
	pthread_mutex_lock(&ui->lock);
	bool stopping = ui->stopping;
	ui->pump_count++;
	pthread_mutex_unlock(&ui->lock);

	int fd = stopping ? -1 : conn_release_fd(&conn);
	if (fd < 0 && !stopping && loop_pair(ui, pair) == 0)
		fd = pair[1];
	if (fd >= 0) {
		struct client *c = client_new(ui, fd);
		c->role = role;
		c->https = https;
		c->forwarded = is_forwarded(ui, &local, local_port, https);
		c->peer = peer;
		snprintf(c->base, sizeof(c->base), "%s", path != NULL ? path : "/");
		client_add(ui, c);
	}
	if (pair[0] >= 0) {
		pump_run(conn, pair[0]);
		close(pair[0]);
	}
	if (conn != NULL)
		conn_close(&conn);
	pthread_mutex_lock(&ui->lock);
	ui->pump_count--;
	pthread_cond_broadcast(&ui->idle);
	pthread_mutex_unlock(&ui->lock);
}
