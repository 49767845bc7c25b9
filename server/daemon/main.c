/* main - the composition root: makes the parts, hands them to each other, ends them in
 * reverse order. The only file that may look up to webui and sideways to cli. */
#include "base/log.h"
#include "cli/cli.h"
#include "daemon/daemon.h"
#include "daemon/localserve.h"
#include "store/tlsreport.h"
#include "webui/webui.h"

#include <stdio.h>
#include <string.h>

enum { QUEUE_STOP_MS = 20 * 1000 }; /* for deliveries under way */

struct parts {
	struct gateway gateway;
	struct webui *webui;
};

static void http_serve(void *state, struct conn *conn, const struct listener_spec *spec)
{
	webui_serve(state, conn, spec->role == LISTENER_METRICS_HTTP ? WEBUI_METRICS : WEBUI_ADMIN,
		spec->path, spec->role == LISTENER_ADMIN_HTTPS);
}

static int dns_make(const struct config *c, struct dns **out, struct err *err)
{
	struct dns_options opt = {
		.trust_anchor_file = c->resolver.trust_anchor_file,
		.forward = c->resolver.forward,
		.forward_count = c->resolver.forward_count,
		.stub_zones = c->resolver.stub_zones,
		.stub_addrs = c->resolver.stub_addrs,
		.stub_count = c->resolver.stub_count,
	};

	return dns_open(&opt, out, err);
}

/* Before a page shows it: looking at a page changes nothing. */
static int report_token_make(struct store *s, struct err *err)
{
	struct arena *a = arena_open();
	struct str token;
	int rc = store_tls_report_token(s, false, a, &token, err);

	arena_close(&a);
	return rc;
}

static int parts_open(struct parts *p, struct config *c, struct err *err)
{
	struct gateway *g = &p->gateway;

	if (store_open(c->data_dir, &g->store, err) < 0 || report_token_make(g->store, err) < 0 ||
		(c->localserve && localserve_fill(c, g->store, err) < 0) ||
		dns_make(c, &g->dns, err) < 0 ||
		tls_client_new(c->tls_ca_files, c->tls_ca_file_count,
			c->tls_ca_additional || c->tls_ca_file_count == 0, &g->tls_client, err) < 0)
		return -1;
	if (http_open(&(struct http_options){.tls = g->tls_client,
			      .allow = c->https_private,
			      .allow_count = c->https_private_count},
		    &g->http, err) < 0)
		return -1;
	g->mtasts = mtasts_open(
		&(struct mtasts_options){.store = g->store, .dns = g->dns, .http = g->http});
	if (mtasts_start(g->mtasts, err) < 0)
		return -1;
	g->limits = smtp_limits_new();
	g->signing = signing_new(g->store);
	g->auth_pool = auth_pool_open(AUTH_THREADS_MAX);
	g->dnsbl = dnsbl_open();
	g->callout = callout_new(&(struct callout_options){
		.dns = g->dns, .tls = g->tls_client, .config = g->config});
	struct queue_options queue = {.store = g->store,
		.config = g->config,
		.dns = g->dns,
		.tls = g->tls_client,
		.mtasts = g->mtasts};
	if (queue_start(&queue, &g->queue, err) < 0)
		return -1;
	struct tlsrpt_means tlsrpt = {.store = g->store,
		.config = g->config,
		.dns = g->dns,
		.http = g->http,
		.signing = g->signing};
	if (tlsrpt_daily_start(&tlsrpt, &g->tlsrpt, err) < 0)
		return -1;
	g->simulator = simulator_open(&queue);
	g->started_s = clock_unix_s();
	return webui_start(g, &p->webui, err);
}

static void parts_close(struct parts *p)
{
	struct gateway *g = &p->gateway;

	if (p->webui != NULL)
		webui_stop(&p->webui);
	if (g->http != NULL)
		http_cancel(g->http);
	if (g->dns != NULL)
		dns_cancel(g->dns);
	tlsrpt_daily_stop(&g->tlsrpt);
	simulator_close(&g->simulator);
	if (g->queue != NULL)
		queue_stop(&g->queue, deadline_in_ms(QUEUE_STOP_MS));
	if (g->callout != NULL)
		callout_free(&g->callout);
	signing_free(&g->signing);
	if (g->limits != NULL)
		smtp_limits_free(&g->limits);
	if (g->mtasts != NULL)
		mtasts_close(&g->mtasts);
	if (g->http != NULL)
		http_close(&g->http);
	if (g->auth_pool != NULL)
		auth_pool_close(&g->auth_pool);
	if (g->dnsbl != NULL)
		dnsbl_close(&g->dnsbl);
	if (g->tls_client != NULL)
		tls_client_free(&g->tls_client);
	if (g->dns != NULL)
		dns_close(&g->dns);
	if (g->store != NULL)
		store_close(&g->store);
}

/* Takes c over. */
static int run(struct config *c, struct err *err)
{
	struct parts p = {.webui = NULL};
	struct daemon *d = NULL;
	int rc = -1;

	log_setup(c->log_level, c->log_format);
	p.gateway.config = config_holder_new(c);
	/* From daemon_start on a reload may replace it. */
	const struct config *first = config_snapshot(p.gateway.config);
	if (daemon_open(c, &d, err) < 0)
		goto out;
	p.gateway.daemon = d;
	if (parts_open(&p, c, err) < 0 ||
		daemon_start(d, &p.gateway,
			(struct listener_http){.state = p.webui, .serve = http_serve}, err) < 0)
		goto out;
	if (first->localserve)
		localserve_print(stdout, first);
	daemon_wait(d);
	rc = 0;
out:
	if (d != NULL)
		daemon_drain(d);
	parts_close(&p);
	daemon_close(&d);
	config_release(first);
	config_holder_free(&p.gateway.config);
	return rc;
}

static int serve(const struct cli *cli, struct err *err)
{
	struct config *c = NULL;

	if (cli_config_load(cli, &c, err) < 0)
		return -1;
	return run(c, err);
}

static int localserve(const struct cli *cli, struct err *err)
{
	struct localserve_options opt = {.dir = cli_option(cli, "dir"),
		.ip = cli_option(cli, "ip"),
		.hold = cli_option(cli, "hold") != NULL};
	struct config *c = NULL;

	if (localserve_config(&opt, &c, err) < 0)
		return -1;
	return run(c, err);
}

int main(int argc, char **argv)
{
	struct cli cli;
	struct err err;

	int status = cli_parse(argc, argv, &cli);
	if (status != CLI_RUN)
		return status;
	if (cli.command->run != NULL)
		return cli_run(&cli);
	int rc = strcmp(cli.command->name, "localserve") == 0 ? localserve(&cli, &err)
							      : serve(&cli, &err);
	return rc < 0 ? cli_failed(&err) : CLI_OK;
}
