/* reload - listeners as mox.conf wants them, at start and again on SIGHUP. */
#include "daemon/daemon_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/certs.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROLES = LISTENER_METRICS_HTTP + 1 };

/* The services of one section, in the order of enum listener_role. */
static const struct config_service *service_of(
	const struct config_listener *cl, enum listener_role role)
{
	switch (role) {
	case LISTENER_SMTP:
		return &cl->smtp;
	case LISTENER_SUBMISSION:
		return &cl->submission;
	case LISTENER_SUBMISSIONS:
		return &cl->submissions;
	case LISTENER_ADMIN_HTTP:
		return &cl->admin_http;
	case LISTENER_ADMIN_HTTPS:
		return &cl->admin_https;
	case LISTENER_METRICS_HTTP:
		return &cl->metrics_http;
	}
	abort(); /* no such role */
}

struct want {
	struct listener_spec spec;
	size_t section; /* index into config.listeners */
};

/* All addresses of c. The array is the caller's to free. */
static struct want *wants_list(const struct config *c, size_t *count)
{
	struct want *wants = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *cl = &c->listeners[i];
		for (size_t k = 0; k < cl->ip_count * ROLES; k++) {
			enum listener_role role = (enum listener_role)(k % ROLES);
			const struct config_service *service = service_of(cl, role);
			if (!service->enabled)
				continue;
			wants = mem_realloc(wants, (n + 1) * sizeof(*wants));
			wants[n++] = (struct want){
				.spec = {.name = cl->name,
					.role = role,
					.ip = cl->ips[k / ROLES],
					.port = service->port,
					.path = role == LISTENER_ADMIN_HTTPS ? cl->admin_https_path
									     : cl->admin_http_path},
				.section = i};
		}
	}
	*count = n;
	return wants;
}

static struct listener *find_at(
	struct listener *const *list, size_t count, const struct ip *ip, unsigned port)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] != NULL && listener_is_at(list[i], ip, port))
			return list[i];
	return NULL;
}

int listeners_bind(struct listener *const *old, size_t old_count, const struct config *c,
	struct listener ***out, size_t *out_count, struct err *err)
{
	size_t count, done = 0;
	struct want *wants = wants_list(c, &count);
	struct listener **list = mem_alloc((count + 1) * sizeof(struct listener *));
	char ip[IP_TEXT];
	int rc = 0;

	for (; done < count; done++) {
		const struct listener_spec *spec = &wants[done].spec;
		if (find_at(list, done, &spec->ip, spec->port) != NULL)
			rc = err_set(err, ERR_PERM,
				"listener \"%s\", %s: %s port %u is used twice in mox.conf",
				spec->name, listener_role_text(spec->role), ip_text(&spec->ip, ip),
				spec->port);
		else if ((list[done] = find_at(old, old_count, &spec->ip, spec->port)) == NULL)
			rc = listener_open(spec, &list[done], err);
		if (rc < 0)
			break;
	}
	free(wants);
	*out = list;
	*out_count = done;
	if (rc == 0)
		return 0;
	for (size_t i = 0; i < done; i++) {
		bool kept = false;
		for (size_t k = 0; k < old_count; k++)
			kept = kept || old[k] == list[i];
		if (!kept)
			listener_close(&list[i]);
	}
	free(list);
	*out = NULL;
	*out_count = 0;
	return -1;
}

/* --- certificates --- */

static int servers_load(const struct config *c, struct tls_server ***out, struct err *err)
{
	struct tls_server **servers = mem_alloc((c->listener_count + 1) * sizeof(*servers));
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->listener_count; i++)
		if (c->listeners[i].tls)
			rc = control_certs_load(c, &c->listeners[i], &servers[i], err);
	*out = servers;
	return rc;
}

int listeners_assign(
	struct listener *const *listeners, size_t count, const struct config *c, struct err *err)
{
	size_t want_count;
	struct want *wants = wants_list(c, &want_count);
	struct tls_server **servers = NULL;
	int rc = servers_load(c, &servers, err);

	for (size_t i = 0; rc == 0 && i < want_count; i++) {
		const struct listener_spec *spec = &wants[i].spec;
		struct listener *l = find_at(listeners, count, &spec->ip, spec->port);
		struct tls_server *server = servers[wants[i].section];
		if (l != NULL)
			listener_assign(l, spec, server ? tls_server_ref(server) : NULL);
	}
	for (size_t i = 0; i < c->listener_count; i++)
		tls_server_release(&servers[i]);
	free(servers);
	free(wants);
	return rc;
}

/* --- reload --- */

static bool text_differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

static bool list_differs(const char *const *a, size_t na, const char *const *b, size_t nb)
{
	if (na != nb)
		return true;
	for (size_t i = 0; i < na; i++)
		if (text_differs(a[i], b[i]))
			return true;
	return false;
}

/* What is built once at start. DataDir is refused, the rest takes effect at a restart. */
static int restart_check(const struct config *now, const struct config *next, struct err *err)
{
	const struct config_resolver *a = &now->resolver, *b = &next->resolver;

	if (text_differs(now->data_dir, next->data_dir))
		return err_set(err, ERR_PERM,
			"DataDir cannot change while mox runs (from %s to %s)", now->data_dir,
			next->data_dir);
	const char *field = NULL;
	if (text_differs(now->user, next->user))
		field = "User";
	else if (text_differs(a->trust_anchor_file, b->trust_anchor_file) ||
		 list_differs(a->forward, a->forward_count, b->forward, b->forward_count) ||
		 list_differs(a->stub_zones, a->stub_count, b->stub_zones, b->stub_count) ||
		 list_differs(a->stub_addrs, a->stub_count, b->stub_addrs, b->stub_count))
		field = "Resolver";
	else if (now->tls_ca_additional != next->tls_ca_additional ||
		 list_differs(now->tls_ca_files, now->tls_ca_file_count, next->tls_ca_files,
			 next->tls_ca_file_count))
		field = "TLS.CA";
	if (field != NULL)
		log_event(LOG_LEVEL_WARN, "config.restart", "field", field, "text",
			"this change takes effect when mox is restarted", NULL);
	return 0;
}

static bool is_running(const struct daemon *d, const struct listener *l)
{
	for (size_t i = 0; i < d->listener_count; i++)
		if (d->listeners[i] == l)
			return true;
	return false;
}

/* Starts those of next that do not run yet, closes those of d that next has not. */
static void listeners_swap(struct daemon *d, struct listener **next, size_t count)
{
	struct err err;

	for (size_t i = 0; i < count; i++) {
		if (!is_running(d, next[i]) && listener_run(next[i], &d->deps, &err) < 0)
			log_event(LOG_LEVEL_ERROR, "listener.thread", "error", err.text, NULL);
	}
	for (size_t k = 0; k < d->listener_count; k++) {
		bool stays = false;
		for (size_t i = 0; i < count; i++)
			stays = stays || d->listeners[k] == next[i];
		if (!stays)
			listener_close(&d->listeners[k]);
	}
	free(d->listeners);
	d->listeners = next;
	d->listener_count = count;
}

static void unbind(struct daemon *d, struct listener **next, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_running(d, next[i]))
			listener_close(&next[i]);
	free(next);
}

static int listeners_listen(
	struct daemon *d, struct listener *const *next, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (!is_running(d, next[i]) && listener_listen(next[i], err) < 0)
			return -1;
	return 0;
}

static int reload(struct daemon *d, const struct config *now, struct err *err)
{
	struct config *next = NULL;
	struct listener **list = NULL;
	size_t count = 0;

	if (d->stopping)
		return err_set(err, ERR_TEMP, "mox is stopping");
	if (now->path == NULL)
		return err_set(err, ERR_PERM, "there is no configuration file to read again");
	if (config_load(now->path, &next, err) < 0)
		return -1;
	if (restart_check(now, next, err) < 0 ||
		listeners_bind(d->listeners, d->listener_count, next, &list, &count, err) < 0) {
		config_release(next);
		return -1;
	}
	if (listeners_listen(d, list, count, err) < 0 ||
		listeners_assign(list, count, next, err) < 0) {
		unbind(d, list, count);
		config_release(next);
		return -1;
	}
	log_setup(next->log_level, next->log_format);
	for (size_t i = 0; i < next->warning_count; i++)
		log_event(LOG_LEVEL_WARN, "config.warning", "text", next->warnings[i], NULL);
	/* A new address must not serve sessions with the old snapshot, and the other way. */
	config_publish(d->gateway->config, next);
	listeners_swap(d, list, count);
	return 0;
}

int gateway_reload(struct gateway *g, struct err *err)
{
	struct daemon *d = g->daemon;
	const struct config *now = config_snapshot(g->config);

	pthread_mutex_lock(&d->lock);
	int rc = reload(d, now, err);
	snprintf(d->config_problem, sizeof(d->config_problem), "%s", rc < 0 ? err->text : "");
	if (rc == 0)
		d->config_loaded_s = clock_unix_s();
	if (rc == 0)
		selftest_again(d->selftest);
	pthread_mutex_unlock(&d->lock);
	if (rc < 0)
		log_event(LOG_LEVEL_ERROR, "config.reload", "result", "refused, the old one stays",
			"error", err->text, NULL);
	else
		log_event(LOG_LEVEL_INFO, "config.reload", "result", "ok", "file", now->path, NULL);
	config_release(now);
	return rc;
}
