/* control_relaytest - "relay.test": a relay host tried up to RCPT, a row for each step. */
#include "control/control_priv.h"

#include "smtp/relaytest.h"

static const char *const state_names[] = {
	[RELAYTEST_INFO] = "info",
	[RELAYTEST_OK] = "ok",
	[RELAYTEST_WARN] = "warn",
	[RELAYTEST_BAD] = "bad",
};

/* Settings of the transport or domain that is named; 1, 0 when none is, -1. */
static int relay_named(struct call *call, struct store_relay *relay, struct err *err)
{
	struct str transport = call_text(call, "transport"), domain = call_text(call, "domain");
	struct store_transport *all;
	struct store_domain d;
	size_t count;

	if (domain.len > 0) {
		int rc = store_domain_find(call->ctl->store, domain, call->arena, &d, err);
		if (rc < 0)
			return -1;
		if (rc == 0 || d.delivery != STORE_DELIVERY_RELAY)
			return err_set(err, ERR_PERM, "%.*s is no domain that is relayed",
				STR_FMT(domain));
		*relay = d.relay;
		return 1;
	}
	if (transport.len == 0)
		return 0;
	if (store_transport_list(call->ctl->store, call->arena, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(all[i].name, transport)) {
			*relay = all[i].relay;
			return 1;
		}
	}
	return err_set(err, ERR_PERM, "transport %.*s does not exist", STR_FMT(transport));
}

static int steps_write(
	struct call *call, const struct relaytest_options *opt, json_t **last, struct err *err)
{
	struct relaytest *t = relaytest_open(opt);
	struct relaytest_step step;
	bool good;
	int rc = 0;

	while (rc == 0 && relaytest_next(t, &step) == 1)
		rc = call_row(call,
			json_pack("{s:s, s:s, s:o, s:o, s:I}", "title", step.title, "state",
				state_names[step.state], "text", json_view(step.text), "transcript",
				json_view(step.transcript), "took_ms", (json_int_t)step.took_ms),
			err);
	const char *verdict = relaytest_verdict(t, &good);
	*last = json_pack("{s:o, s:b}", "verdict", json_view(str_from(verdict)), "good", good);
	relaytest_close(&t);
	return rc;
}

/* Parts of its own when no daemon lends them. */
static int own_parts(
	const struct config *c, struct dns **dns, struct tls_client **tls, struct err *err)
{
	struct dns_options opt = {.trust_anchor_file = c->resolver.trust_anchor_file,
		.forward = c->resolver.forward,
		.forward_count = c->resolver.forward_count,
		.stub_zones = c->resolver.stub_zones,
		.stub_addrs = c->resolver.stub_addrs,
		.stub_count = c->resolver.stub_count};

	if (*dns == NULL && dns_open(&opt, dns, err) < 0)
		return -1;
	if (*tls == NULL &&
		tls_client_new(c->tls_ca_files, c->tls_ca_file_count,
			c->tls_ca_additional || c->tls_ca_file_count == 0, tls, err) < 0)
		return -1;
	return 0;
}

int control_relay_test(struct call *call, json_t **last, struct err *err)
{
	const struct config *c = config_snapshot(call->ctl->config);
	struct store_relay relay = {.tls = STORE_TLS_OPPORTUNISTIC};
	struct dns *dns = NULL;
	struct tls_client *tls = NULL;
	int named = relay_named(call, &relay, err);
	int rc = named < 0 ? -1 : call_relay(call, &relay, named ? 587 : 25, err);

	if (rc == 0 && relay.host_count == 0)
		rc = err_set(err, ERR_PERM, "needs a host, a transport or a domain");
	if (rc == 0)
		rc = own_parts(c, &dns, &tls, err);
	for (size_t i = 0; rc == 0 && i < relay.host_count; i++) {
		struct relaytest_options opt = {.dns = dns,
			.tls = tls,
			.helo = c->hostname,
			.relay = &relay,
			.host = relay.hosts[i],
			.default_port = 25,
			.mail_from = call_text(call, "mail_from"),
			.rcpt = call_text(call, "rcpt")};
		json_decref(*last);
		rc = steps_write(call, &opt, last, err);
	}
	if (dns != NULL)
		dns_close(&dns);
	if (tls != NULL)
		tls_client_free(&tls);
	config_release(c);
	return rc;
}
