#include "daemon/ctl.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/version.h"
#include "control/control.h"
#include "daemon/daemon_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CTL_SESSIONS_MAX = 16, CTL_PAUSE_MS = 100 };

struct ctl {
	struct gateway *gateway;
	struct control control;
	struct session_registry *registry;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	pthread_t thread;
	atomic_int stopping;
};

struct ctl_session {
	struct ctl *ctl;
	struct session_entry entry;
	struct conn *conn;
};

/* --- verbs of the daemon itself --- */

static json_t *json_listeners(const struct health *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *l = &h->listeners[i];
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:b, s:I}", "listener", l->listener,
				      "service", l->service, "address", l->address, "up", l->up,
				      "connections", (json_int_t)l->connections));
	}
	return list;
}

static int status(struct gateway *g, struct conn *c, struct err *err)
{
	struct health *h = mem_alloc(sizeof(*h));
	struct queue_stats q;
	struct smtp_limits_stats limits;
	char started[CLOCK_TEXT], loaded[CLOCK_TEXT];

	health_read(g, h);
	queue_stats_get(g->queue, &q);
	smtp_limits_stats_get(g->limits, &limits);
	json_t *line = json_pack("{s:b, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "ok", 1,
		"version", version_text, "pid", (json_int_t)getpid(), "started",
		clock_iso(g->started_s, started), "config_loaded",
		clock_iso(h->config_loaded_s, loaded), "config_problem", h->config_problem,
		"sessions_open", (json_int_t)h->sessions_open, "rss_bytes",
		(json_int_t)h->rss_bytes, "disk_free_bytes", (json_int_t)h->disk_free_bytes,
		"connections_accepted", (json_int_t)limits.accepted_total, "connections_refused",
		(json_int_t)limits.refused_total);
	json_object_set_new(line, "deliveries",
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "active", (json_int_t)q.active, "delivered",
			(json_int_t)q.delivered, "deferred", (json_int_t)q.deferred, "failed",
			(json_int_t)q.failed, "hops_down", (json_int_t)q.hops_down));
	json_object_set_new(line, "outgoing_tls",
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "handshakes_full", (json_int_t)q.tls_full,
			"handshakes_resumed", (json_int_t)q.tls_resumed, "destinations_looked_up",
			(json_int_t)q.plans_made, "destinations_known", (json_int_t)q.plans_shared,
			"hosts_looked_up", (json_int_t)q.plan_hosts));
	json_object_set_new(line, "listeners", json_listeners(h));
	free(h);
	return control_answer(c, line, err);
}

static int reload_verb(struct gateway *g, struct conn *c, struct err *err)
{
	struct err why;

	if (gateway_reload(g, &why) < 0)
		return control_refuse(c, why.text, err);
	return control_answer(c, json_pack("{s:b}", "ok", 1), err);
}

static int stop_verb(struct conn *c, struct err *err)
{
	json_t *line = json_pack("{s:b, s:I}", "ok", 1, "pid", (json_int_t)getpid());
	int rc = control_answer(c, line, err);

	if (rc == 0)
		rc = conn_flush(c, deadline_in_ms(CONTROL_WRITE_MS), err);
	kill(getpid(), SIGTERM); /* daemon_wait gets it, as from anybody */
	return rc;
}

static int run(struct ctl *ctl, const json_t *request, struct conn *c, struct err *err)
{
	const char *verb = control_verb(request);
	int rc;

	if (strcmp(verb, "status") == 0)
		rc = status(ctl->gateway, c, err);
	else if (strcmp(verb, "reload") == 0)
		rc = reload_verb(ctl->gateway, c, err);
	else if (strcmp(verb, "stop") == 0)
		rc = stop_verb(c, err);
	else
		rc = control_run(&ctl->control, request, c, err);
	if (rc < 0)
		return -1;
	return conn_flush(c, deadline_in_ms(CONTROL_WRITE_MS), err);
}

static void *session(void *arg)
{
	struct ctl_session *s = arg;
	struct err err;
	int rc;

	do {
		json_t *request;
		rc = control_read(s->conn, &request, &err);
		if (rc < 0 && err.kind == ERR_PERM) {
			struct err why = err;
			if (control_refuse(s->conn, why.text, &err) == 0 &&
				conn_flush(s->conn, deadline_in_ms(CONTROL_WRITE_MS), &err) < 0)
				log_event(LOG_LEVEL_DEBUG, "ctl.gone", "error", err.text, NULL);
		}
		if (rc == 1) {
			rc = run(s->ctl, request, s->conn, &err) < 0 ? -1 : 1;
			json_decref(request);
		}
	} while (rc == 1 && !s->ctl->stopping);
	session_registry_remove(s->ctl->registry, &s->entry);
	conn_close(&s->conn);
	free(s);
	return NULL;
}

static void session_start(struct ctl *ctl, int fd)
{
	struct err err;

	if (session_registry_count(ctl->registry) >= CTL_SESSIONS_MAX) {
		close(fd);
		return;
	}
	struct ctl_session *s = mem_alloc(sizeof(*s));
	s->ctl = ctl;
	s->conn = conn_open_fd(fd);
	session_registry_add(ctl->registry, &s->entry, fd);
	if (thread_spawn(NULL, "ctl", session, s, &err) == 0)
		return;
	log_event(LOG_LEVEL_ERROR, "ctl.thread", "error", err.text, NULL);
	session_registry_remove(ctl->registry, &s->entry);
	conn_close(&s->conn);
	free(s);
}

static void *accept_loop(void *arg)
{
	struct ctl *ctl = arg;

	while (!ctl->stopping) {
		int fd = accept4(ctl->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			session_start(ctl, fd);
		else if (errno == EMFILE || errno == ENFILE)
			usleep(CTL_PAUSE_MS * 1000);
	}
	return NULL;
}

static int socket_open(struct ctl *ctl, const char *data_dir, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/ctl", data_dir);

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(err, ERR_PERM,
			"data directory %s: the name is too long for a control socket (over %zu)",
			data_dir, sizeof(sa.sun_path) - sizeof("/ctl"));
	memcpy(ctl->path, sa.sun_path, sizeof(ctl->path));
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ctl->fd < 0)
		return err_set(err, ERR_TEMP, "control socket: %s", strerror(errno));
	if (unlink(ctl->path) < 0 && errno != ENOENT)
		return err_set(err, ERR_PERM, "control socket %s: %s", ctl->path, strerror(errno));
	/* The umask is 077 (process_prepare); chmod in case somebody changed that. */
	if (bind(ctl->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(ctl->path, 0600) < 0 ||
		listen(ctl->fd, SOMAXCONN) < 0)
		return err_set(err, ERR_PERM, "control socket %s: %s", ctl->path, strerror(errno));
	return 0;
}

int ctl_start(struct gateway *g, struct ctl **out, struct err *err)
{
	struct ctl *ctl = mem_alloc(sizeof(*ctl));

	*out = NULL;
	ctl->fd = -1;
	ctl->gateway = g;
	ctl->control = (struct control){.store = g->store,
		.queue = g->queue,
		.config = g->config,
		.dns = g->dns,
		.mtasts = g->mtasts,
		.http = g->http,
		.signing = g->signing,
		.tlsrpt = g->tlsrpt,
		.simulator = g->simulator};
	if (socket_open(ctl, store_data_dir(g->store), err) < 0)
		goto fail;
	ctl->registry = session_registry_new();
	if (thread_spawn(&ctl->thread, "ctl-accept", accept_loop, ctl, err) < 0)
		goto fail;
	*out = ctl;
	return 0;
fail:
	if (ctl->fd >= 0)
		close(ctl->fd);
	session_registry_free(&ctl->registry);
	free(ctl);
	return -1;
}

void ctl_stop(struct ctl **cp)
{
	struct ctl *ctl = *cp;

	if (ctl == NULL)
		return;
	ctl->stopping = 1;
	shutdown(ctl->fd, SHUT_RDWR);
	pthread_join(ctl->thread, NULL);
	unlink(ctl->path);
	close(ctl->fd);
	/* Dialogues wait for commits at most: no time for them. */
	(void)session_registry_drain(ctl->registry, 0, deadline_in_ms(0));
	session_registry_free(&ctl->registry);
	free(ctl);
	*cp = NULL;
}
