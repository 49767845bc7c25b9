/* The test of a relay host: what a delivery would do, up to RCPT, as a transcript. */
#include "smtp/relaytest.h"
#include "webui/pages.h"

static const char *const state_names[] = {
	[RELAYTEST_INFO] = "calm",
	[RELAYTEST_OK] = "good",
	[RELAYTEST_WARN] = "warn",
	[RELAYTEST_BAD] = "bad",
};

static void steps_run(struct page *p, const struct relaytest_options *opt, struct tval *map)
{
	struct tval *list = tval_set_list(p->arena, map, "steps");
	struct relaytest *t = relaytest_open(opt);
	struct relaytest_step step;
	bool good;

	while (relaytest_next(t, &step) == 1) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_text(p->arena, row, "kind", state_names[step.state]);
		tval_set_text(p->arena, row, "what", step.title);
		tval_set_str(p->arena, row, "words", arena_str(p->arena, step.text));
		tval_set_str(p->arena, row, "transcript", arena_str(p->arena, step.transcript));
		tval_set_printf(p->arena, row, "took", "%lld", (long long)step.took_ms);
	}
	const char *verdict = relaytest_verdict(t, &good);
	tval_set_text(p->arena, map, "verdict", arena_strdup(p->arena, str_from(verdict)));
	tval_set_flag(p->arena, map, "good", good);
	relaytest_close(&t);
}

/* back: the page of what is tested, below base. */
static void test_page(
	struct page *p, const struct store_relay *relay, const char *name, const char *back)
{
	struct tval *hosts = tval_set_list(p->arena, p->view, "hosts");
	struct tval *results = tval_set_list(p->arena, p->view, "results");
	struct str host = page_field(p, "host"), rcpt = page_field(p, "rcpt");

	tval_set_text(p->arena, p->view, "name", name);
	tval_set_text(p->arena, p->view, "back", back);
	tval_set_str(p->arena, p->view, "rcpt", rcpt);
	tval_set_str(p->arena, p->view, "mail_from", page_field(p, "mail_from"));
	tval_set_flag(p->arena, p->view, "login", relay->username.len > 0);
	tval_set_flag(p->arena, p->view, "no_host", relay->host_count == 0);
	for (size_t i = 0; i < relay->host_count; i++) {
		struct tval *h = tval_add_map(p->arena, hosts);
		tval_set_str(p->arena, h, "value", relay->hosts[i]);
		tval_set_flag(p->arena, h, "on", str_eq(host, relay->hosts[i]));
		/* Only hosts that are configured are tried. */
		if (p->method != PAGE_POST || !str_eq(host, relay->hosts[i]))
			continue;
		struct relaytest_options opt = {.dns = p->gateway->dns,
			.tls = p->gateway->tls_client,
			.helo = p->config->hostname,
			.relay = relay,
			.host = relay->hosts[i],
			.default_port = 25,
			.mail_from = page_field(p, "mail_from"),
			.rcpt = rcpt};
		steps_run(p, &opt, tval_add_map(p->arena, results));
	}
	page_render(p, 200, "relaytest", arena_printf(p->arena, "Test of %s", name));
}

/* False when an answer was given. */
static bool found(struct page *p, int rc, const char *what, const struct err *err)
{
	if (rc < 0)
		page_failed(p, err);
	else if (rc == 0)
		page_not_found(p, what);
	return rc == 1;
}

void page_transport_test(struct page *p)
{
	struct store_transport t;
	struct err err;

	if (found(p, store_transport_get(p->gateway->store, page_id(p, 0), p->arena, &t, &err),
		    "transport", &err))
		test_page(p, &t.relay, arena_strdup(p->arena, t.name),
			arena_printf(p->arena, "transports/%lld", (long long)t.id));
}

void page_domain_test(struct page *p)
{
	struct store_domain d;
	struct err err;

	if (found(p, store_domain_get(p->gateway->store, page_id(p, 0), p->arena, &d, &err),
		    "domain", &err))
		test_page(p, &d.relay, arena_strdup(p->arena, d.name),
			arena_printf(p->arena, "domains/%lld", (long long)d.id));
}

void page_address_test(struct page *p)
{
	struct store_address a;
	struct store_domain d;
	struct err err;

	if (!found(p, store_address_get(p->gateway->store, page_id(p, 0), p->arena, &a, &err),
		    "address", &err) ||
		!found(p, store_domain_get(p->gateway->store, a.domain_id, p->arena, &d, &err),
			"domain", &err))
		return;
	test_page(p, a.relay.host_count > 0 ? &a.relay : &d.relay,
		arena_printf(p->arena, "%.*s@%.*s", STR_FMT(a.localpart), STR_FMT(d.name)),
		arena_printf(p->arena, "addresses/%lld", (long long)a.id));
}
