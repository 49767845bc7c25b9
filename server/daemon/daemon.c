#include "daemon/daemon_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/privileges.h"
#include "base/version.h"
#include "control/certs.h"
#include "daemon/ctl.h"

#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
	DRAIN_MS = 20 * 1000,  /* for transactions under way */
	DRAIN_DNS_MS = 2500,   /* then look-ups they wait for are given up */
	DRAIN_QUIET_MS = 1500, /* pages: a browser that is silent for so long waits for nothing */
};

static void signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int daemon_open(const struct config *c, struct daemon **out, struct err *err)
{
	struct daemon *d = mem_alloc(sizeof(*d));

	*out = NULL;
	pthread_mutex_init(&d->lock, NULL);
	d->registry = session_registry_new();
	signals_block(&d->signals);
	process_prepare();
	if (control_certs_check(c, err) < 0 ||
		listeners_bind(NULL, 0, c, &d->listeners, &d->listener_count, err) < 0 ||
		data_dir_prepare(c->data_dir, c->user, err) < 0 ||
		privileges_drop(c->user, err) < 0 ||
		/* Again as that user: a key it cannot read must not wait for the first reload. */
		control_certs_check(c, err) < 0) {
		daemon_close(&d);
		return -1;
	}
	*out = d;
	return 0;
}

int daemon_start(struct daemon *d, struct gateway *g, struct listener_http http, struct err *err)
{
	d->gateway = g;
	d->deps = (struct listener_deps){
		.smtp = {.store = g->store,
			.config = g->config,
			.dns = g->dns,
			.limits = g->limits,
			.callout = g->callout,
			.signing = g->signing,
			.auth_pool = g->auth_pool,
			.dnsbl = g->dnsbl,
			.stopping = &d->stopping},
		.registry = d->registry,
		.http = http,
	};
	d->config_loaded_s = clock_unix_s();

	const struct config *c = config_snapshot(g->config);
	int rc = listeners_assign(d->listeners, d->listener_count, c, err);
	/* The socket first: who can connect to a port finds it. */
	if (rc == 0)
		rc = ctl_start(g, &d->ctl, err);
	for (size_t i = 0; rc == 0 && i < d->listener_count; i++)
		rc = listener_listen(d->listeners[i], err);
	for (size_t i = 0; rc == 0 && i < d->listener_count; i++)
		rc = listener_run(d->listeners[i], &d->deps, err);
	for (size_t i = 0; rc == 0 && i < c->warning_count; i++)
		log_event(LOG_LEVEL_WARN, "config.warning", "text", c->warnings[i], NULL);
	if (rc == 0)
		log_event(LOG_LEVEL_INFO, "daemon.start", "version", version_text, "hostname",
			c->hostname, "data", c->data_dir, NULL);
	config_release(c);
	if (rc == 0)
		d->selftest = selftest_start(g);
	if (rc == 0)
		(void)sd_notify(0, "READY=1\nSTATUS=running");
	return rc;
}

static void reload_by_signal(struct daemon *d)
{
	struct err err;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
	/* gateway_reload has logged it. */
	if (gateway_reload(d->gateway, &err) < 0)
		(void)sd_notifyf(0, "READY=1\nSTATUS=running; reload refused: %s", err.text);
	else
		(void)sd_notify(0, "READY=1\nSTATUS=running");
}

void daemon_wait(struct daemon *d)
{
	for (;;) {
		int sig = 0;
		if (sigwait(&d->signals, &sig) != 0)
			continue;
		if (sig == SIGHUP) {
			reload_by_signal(d);
			continue;
		}
		log_event(LOG_LEVEL_INFO, "daemon.stop", "signal", strsignal(sig), NULL);
		return;
	}
}

void daemon_drain(struct daemon *d)
{
	char text[NUM_TEXT];

	(void)sd_notify(0, "STOPPING=1\nSTATUS=waiting for open sessions");
	if (d->gateway != NULL)
		simulator_cut(d->gateway->simulator);
	ctl_stop(&d->ctl);
	pthread_mutex_lock(&d->lock);
	struct selftest *test = d->selftest;
	d->selftest = NULL; /* a reload leaves it alone from now on */
	pthread_mutex_unlock(&d->lock);
	selftest_stop(&test);
	pthread_mutex_lock(&d->lock);
	d->stopping = 1;
	for (size_t i = 0; i < d->listener_count; i++)
		listener_close(&d->listeners[i]);
	d->listener_count = 0;
	pthread_mutex_unlock(&d->lock);
	if (d->gateway != NULL &&
		!session_registry_wait(d->registry, DRAIN_QUIET_MS, deadline_in_ms(DRAIN_DNS_MS)))
		dns_cancel(d->gateway->dns);
	int64_t cut = session_registry_drain(d->registry, DRAIN_QUIET_MS, deadline_in_ms(DRAIN_MS));
	if (cut > 0)
		log_event(LOG_LEVEL_WARN, "daemon.cut", "sessions", num_text(cut, text), NULL);
}

void daemon_close(struct daemon **dp)
{
	struct daemon *d = *dp;

	if (d == NULL)
		return;
	ctl_stop(&d->ctl);
	for (size_t i = 0; i < d->listener_count; i++)
		listener_close(&d->listeners[i]);
	free(d->listeners);
	session_registry_free(&d->registry);
	pthread_mutex_destroy(&d->lock);
	free(d);
	*dp = NULL;
}

const atomic_int *daemon_stopping(const struct daemon *d)
{
	return &d->stopping;
}
