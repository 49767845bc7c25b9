#include "webui/router.h"

#include "base/metric.h"
#include "webui/api.h"
#include "webui/kept.h"
#include "webui/login.h"
#include "webui/pages.h"

#include <stdio.h>

const struct route routes[] = {
	{PAGE_GET, "", page_dashboard, ROUTE_LOGIN},
	{PAGE_GET, "login", page_login, ROUTE_OPEN},
	{PAGE_POST, "login", page_login_post, ROUTE_OPEN},
	{PAGE_POST, "logout", page_logout, ROUTE_LOGIN},
	{PAGE_GET, "log", page_log, ROUTE_LOGIN},
	{PAGE_GET, "log/tail", page_log_tail, ROUTE_LOGIN},
	{PAGE_POST, "log/keep", page_log_keep, ROUTE_LOGIN},
	{PAGE_GET, "log/:", page_log_entry, ROUTE_LOGIN},
	{PAGE_GET, "queue", page_queue, ROUTE_LOGIN},
	{PAGE_POST, "queue/confirm", page_queue_confirm, ROUTE_LOGIN},
	{PAGE_POST, "queue/act", page_queue_act, ROUTE_LOGIN},
	{PAGE_GET, "queue/:", page_message, ROUTE_LOGIN},
	{PAGE_POST, "queue/:", page_message_act, ROUTE_LOGIN},
	{PAGE_GET, "holds", page_holds, ROUTE_LOGIN},
	{PAGE_GET, "holds/new", page_hold_new, ROUTE_LOGIN},
	{PAGE_POST, "holds/new", page_hold_new, ROUTE_LOGIN},
	{PAGE_GET, "holds/:/apply", page_hold_apply, ROUTE_LOGIN},
	{PAGE_POST, "holds/:/apply", page_hold_apply, ROUTE_LOGIN},
	{PAGE_GET, "holds/:/delete", page_hold_delete, ROUTE_LOGIN},
	{PAGE_POST, "holds/:/delete", page_hold_delete, ROUTE_LOGIN},
	{PAGE_GET, "domains", page_domains, ROUTE_LOGIN},
	{PAGE_GET, "domains/new", page_domain_new, ROUTE_LOGIN},
	{PAGE_POST, "domains/new", page_domain_new, ROUTE_LOGIN},
	{PAGE_GET, "domains/:", page_domain, ROUTE_LOGIN},
	{PAGE_GET, "domains/:/edit", page_domain_edit, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/edit", page_domain_edit, ROUTE_LOGIN},
	{PAGE_GET, "domains/:/delete", page_domain_delete, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/delete", page_domain_delete, ROUTE_LOGIN},
	{PAGE_GET, "domains/:/new", page_address_new, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/new", page_address_new, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/tlsrpt", page_domain_tlsrpt_post, ROUTE_LOGIN},
	{PAGE_GET, "domains/:/policy", page_mailpolicy, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/policy", page_mailpolicy, ROUTE_LOGIN},
	{PAGE_GET, "domains/:/dkim", page_selector_new, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/dkim", page_selector_new, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/arc", page_domain_arc, ROUTE_LOGIN},
	{PAGE_GET, "selectors/:", page_selector, ROUTE_LOGIN},
	{PAGE_GET, "selectors/:/edit", page_selector_edit, ROUTE_LOGIN},
	{PAGE_POST, "selectors/:/edit", page_selector_edit, ROUTE_LOGIN},
	{PAGE_GET, "selectors/:/delete", page_selector_delete, ROUTE_LOGIN},
	{PAGE_POST, "selectors/:/delete", page_selector_delete, ROUTE_LOGIN},
	{PAGE_GET, "sealers", page_sealers, ROUTE_LOGIN},
	{PAGE_GET, "sealers/new", page_sealer_new, ROUTE_LOGIN},
	{PAGE_POST, "sealers/new", page_sealer_new, ROUTE_LOGIN},
	{PAGE_GET, "sealers/:", page_sealer_edit, ROUTE_LOGIN},
	{PAGE_POST, "sealers/:", page_sealer_edit, ROUTE_LOGIN},
	{PAGE_GET, "sealers/:/delete", page_sealer_delete, ROUTE_LOGIN},
	{PAGE_POST, "sealers/:/delete", page_sealer_delete, ROUTE_LOGIN},
	{PAGE_GET, "addresses/:", page_address_edit, ROUTE_LOGIN},
	{PAGE_POST, "addresses/:", page_address_edit, ROUTE_LOGIN},
	{PAGE_GET, "addresses/:/delete", page_address_delete, ROUTE_LOGIN},
	{PAGE_POST, "addresses/:/delete", page_address_delete, ROUTE_LOGIN},
	{PAGE_GET, "accounts", page_accounts, ROUTE_LOGIN},
	{PAGE_GET, "accounts/new", page_account_new, ROUTE_LOGIN},
	{PAGE_POST, "accounts/new", page_account_new, ROUTE_LOGIN},
	{PAGE_GET, "accounts/:", page_account_edit, ROUTE_LOGIN},
	{PAGE_POST, "accounts/:", page_account_edit, ROUTE_LOGIN},
	{PAGE_GET, "accounts/:/delete", page_account_delete, ROUTE_LOGIN},
	{PAGE_POST, "accounts/:/delete", page_account_delete, ROUTE_LOGIN},
	{PAGE_GET, "routes", page_routes, ROUTE_LOGIN},
	{PAGE_GET, "routes/new", page_route_new, ROUTE_LOGIN},
	{PAGE_POST, "routes/new", page_route_new, ROUTE_LOGIN},
	{PAGE_GET, "routes/:", page_route_edit, ROUTE_LOGIN},
	{PAGE_POST, "routes/:", page_route_edit, ROUTE_LOGIN},
	{PAGE_POST, "routes/:/move", page_route_move, ROUTE_LOGIN},
	{PAGE_GET, "routes/:/delete", page_route_delete, ROUTE_LOGIN},
	{PAGE_POST, "routes/:/delete", page_route_delete, ROUTE_LOGIN},
	{PAGE_GET, "transports/new", page_transport_new, ROUTE_LOGIN},
	{PAGE_POST, "transports/new", page_transport_new, ROUTE_LOGIN},
	{PAGE_GET, "transports/:", page_transport_edit, ROUTE_LOGIN},
	{PAGE_POST, "transports/:", page_transport_edit, ROUTE_LOGIN},
	{PAGE_GET, "transports/:/delete", page_transport_delete, ROUTE_LOGIN},
	{PAGE_POST, "transports/:/delete", page_transport_delete, ROUTE_LOGIN},
	{PAGE_GET, "transports/:/test", page_transport_test, ROUTE_LOGIN},
	{PAGE_POST, "transports/:/test", page_transport_test, ROUTE_LOGIN},
	{PAGE_GET, "domains/:/test", page_domain_test, ROUTE_LOGIN},
	{PAGE_POST, "domains/:/test", page_domain_test, ROUTE_LOGIN},
	{PAGE_GET, "addresses/:/test", page_address_test, ROUTE_LOGIN},
	{PAGE_POST, "addresses/:/test", page_address_test, ROUTE_LOGIN},
	{PAGE_GET, "listeners", page_listeners, ROUTE_LOGIN},
	{PAGE_GET, "networks", page_networks, ROUTE_LOGIN},
	{PAGE_GET, "networks/new", page_network_new, ROUTE_LOGIN},
	{PAGE_POST, "networks/new", page_network_new, ROUTE_LOGIN},
	{PAGE_GET, "networks/:", page_network_edit, ROUTE_LOGIN},
	{PAGE_POST, "networks/:", page_network_edit, ROUTE_LOGIN},
	{PAGE_GET, "networks/:/delete", page_network_delete, ROUTE_LOGIN},
	{PAGE_POST, "networks/:/delete", page_network_delete, ROUTE_LOGIN},
	{PAGE_GET, "simulate", page_simulate, ROUTE_LOGIN},
	{PAGE_POST, "simulate", page_simulate, ROUTE_LOGIN},
	{PAGE_GET, "destinations", page_destinations, ROUTE_LOGIN},
	{PAGE_GET, "destinations/new", page_destination_new, ROUTE_LOGIN},
	{PAGE_POST, "destinations/new", page_destination_new, ROUTE_LOGIN},
	{PAGE_GET, "destinations/:", page_destination_edit, ROUTE_LOGIN},
	{PAGE_POST, "destinations/:", page_destination_edit, ROUTE_LOGIN},
	{PAGE_GET, "destinations/:/delete", page_destination_delete, ROUTE_LOGIN},
	{PAGE_POST, "destinations/:/delete", page_destination_delete, ROUTE_LOGIN},
	{PAGE_GET, "lists", page_lists, ROUTE_LOGIN},
	{PAGE_GET, "lists/new", page_list_new, ROUTE_LOGIN},
	{PAGE_POST, "lists/new", page_list_new, ROUTE_LOGIN},
	{PAGE_GET, "lists/:", page_list_edit, ROUTE_LOGIN},
	{PAGE_POST, "lists/:", page_list_edit, ROUTE_LOGIN},
	{PAGE_GET, "lists/:/delete", page_list_delete, ROUTE_LOGIN},
	{PAGE_POST, "lists/:/delete", page_list_delete, ROUTE_LOGIN},
	{PAGE_GET, "blocklists/new", page_blocklist_new, ROUTE_LOGIN},
	{PAGE_POST, "blocklists/new", page_blocklist_new, ROUTE_LOGIN},
	{PAGE_GET, "blocklists/:", page_blocklist_edit, ROUTE_LOGIN},
	{PAGE_POST, "blocklists/:", page_blocklist_edit, ROUTE_LOGIN},
	{PAGE_GET, "blocklists/:/delete", page_blocklist_delete, ROUTE_LOGIN},
	{PAGE_POST, "blocklists/:/delete", page_blocklist_delete, ROUTE_LOGIN},
	{PAGE_GET, "mtasts", page_mtasts, ROUTE_LOGIN},
	{PAGE_POST, "mtasts", page_mtasts_act, ROUTE_LOGIN},
	{PAGE_GET, "tlsresults", page_tlsresults, ROUTE_LOGIN},
	{PAGE_GET, "reports", page_reports, ROUTE_LOGIN},
	{PAGE_POST, "reports/keep", page_reports_keep, ROUTE_LOGIN},
	{PAGE_POST, "reports/token", page_reports_token, ROUTE_LOGIN},
	{PAGE_GET, "reports/list", page_reports_list, ROUTE_LOGIN},
	{PAGE_GET, "reports/csv", page_reports_csv, ROUTE_LOGIN},
	{PAGE_GET, "reports/:", page_report, ROUTE_LOGIN},
	{PAGE_GET, "reports/:/json", page_report_json, ROUTE_LOGIN},
	{PAGE_GET, "tlssent", page_tlssent, ROUTE_LOGIN},
	{PAGE_POST, "tlssent", page_tlssent_act, ROUTE_LOGIN},
	{PAGE_GET, "tlssent/:", page_tlssent_json, ROUTE_LOGIN},
	{PAGE_GET, "machine", page_machine, ROUTE_LOGIN},
	{PAGE_GET, "metrics", page_metrics_shown, ROUTE_LOGIN},
	{PAGE_GET, "quarantine", page_quarantine, ROUTE_LOGIN},
	{PAGE_POST, "quarantine/act", page_quarantine_act, ROUTE_LOGIN},
	{PAGE_POST, "quarantine/keep", page_quarantine_keep, ROUTE_LOGIN},
	{PAGE_GET, "quarantine/:", page_quarantine_message, ROUTE_LOGIN},
	{PAGE_GET, "quarantine/:/html", page_quarantine_html, ROUTE_LOGIN},
	{PAGE_GET, "tokens", page_tokens, ROUTE_LOGIN},
	{PAGE_POST, "tokens", page_tokens, ROUTE_LOGIN},
	{PAGE_GET, "tokens/:/delete", page_token_delete, ROUTE_LOGIN},
	{PAGE_POST, "tokens/:/delete", page_token_delete, ROUTE_LOGIN},
	{PAGE_GET, "password", page_password, ROUTE_LOGIN},
	{PAGE_POST, "password", page_password, ROUTE_LOGIN},
};
const size_t route_count = sizeof(routes) / sizeof(routes[0]);

static bool pattern_matches(struct str pattern, struct str path, struct str params[PAGE_PARAMS_MAX])
{
	struct str want, have;
	size_t n = 0;

	for (;;) {
		bool more = str_next(&pattern, '/', &want);
		if (str_next(&path, '/', &have) != more)
			return false;
		if (!more)
			return true;
		if (str_eq(want, STR(":")) && have.len > 0 && n < PAGE_PARAMS_MAX)
			params[n++] = have;
		else if (!str_eq(want, have))
			return false;
	}
}

enum route_match router_find(enum page_method method, struct str path,
	struct str params[PAGE_PARAMS_MAX], const struct route **out)
{
	enum route_match answer = ROUTE_NONE;

	for (size_t i = 0; i < route_count; i++) {
		if (!pattern_matches(str_from(routes[i].pattern), path, params))
			continue;
		if (routes[i].method == method) {
			*out = &routes[i];
			return ROUTE_FOUND;
		}
		answer = ROUTE_OTHER_METHOD;
	}
	return answer;
}

static void method_refused(struct page *p, struct str below)
{
	struct str params[PAGE_PARAMS_MAX];
	const struct route *r;
	bool get = router_find(PAGE_GET, below, params, &r) == ROUTE_FOUND;
	bool post = router_find(PAGE_POST, below, params, &r) == ROUTE_FOUND;

	page_header(p, "Allow", get && post ? "GET, HEAD, POST" : post ? "POST" : "GET, HEAD");
	page_error(p, 405, "Not that way", "This address does not take that kind of request.");
}

/* Where to go after the login: only back into our own pages. */
static void login_demand(struct page *p, struct str below)
{
	struct str params[PAGE_PARAMS_MAX];
	const struct route *r;
	struct buf url = {NULL, 0, 0};

	struct str text = p->method == PAGE_POST ? kept_text(p, below) : STR("");
	if (text.len > 0) {
		login_ask(p, below, text);
		return;
	}
	if (p->method != PAGE_GET || below.len == 0 ||
		router_find(PAGE_GET, below, params, &r) != ROUTE_FOUND) {
		page_redirect(p, "login%s", p->method == PAGE_POST ? "?ended=1" : "");
		return;
	}
	buf_url(&url, below);
	page_redirect(p, "login?next=%s", url.p);
	buf_free(&url);
}

static bool form_read(struct page *p)
{
	struct str type = str_from(p->content_type);
	struct err err;

	if (!str_starts_nocase(type, STR("application/x-www-form-urlencoded"))) {
		page_error(p, 415, "Not a form", "This address takes forms only.");
		return false;
	}
	if (urlform_parse(p->arena, p->body, &p->form, &err) < 0) {
		page_error(p, 400, "Bad form", arena_printf(p->arena, "%s.", err.text));
		return false;
	}
	return true;
}

static void below_base(struct page *p, struct str below)
{
	const struct route *route = NULL;

	if (str_starts(below, STR("static/"))) {
		p->route = route_count;
		page_static(p, str_skip(below, strlen("static/")));
		return;
	}
	switch (router_find(p->method, below, p->params, &route)) {
	case ROUTE_NONE:
		if (login_session_load(p))
			page_error(p, 404, "Not found", "There is no page at this address.");
		else
			login_demand(p, below);
		return;
	case ROUTE_OTHER_METHOD:
		(void)login_session_load(p); /* only for the look of the page */
		method_refused(p, below);
		return;
	case ROUTE_FOUND:
		p->route = (size_t)(route - routes);
		break;
	}
	if (!login_session_load(p) && route->access == ROUTE_LOGIN) {
		login_demand(p, below);
		return;
	}
	if (p->method == PAGE_GET && p->logged_in && urlform_has(&p->query, "kept"))
		kept_take(p, below);
	if (p->method == PAGE_POST) {
		/* A browser that knows the form came from elsewhere says so. */
		if (p->fetch_site != NULL && strcmp(p->fetch_site, "cross-site") == 0) {
			page_error(p, 403, "Refused", "This form was sent from another web site.");
			return;
		}
		if (!form_read(p))
			return;
		if (route->access == ROUTE_LOGIN && !login_csrf_check(p)) {
			page_error(p, 403, "Form expired",
				"Nothing was changed. Go back, reload the page and try again.");
			return;
		}
	}
	route->page(p);
}

static void outside_base(struct page *p)
{
	bool root = str_eq(p->path, STR("/")) || str_eq(p->path, STR("/favicon.ico"));

	if (p->method != PAGE_GET) {
		page_error(
			p, 405, "Not that way", "This address does not take that kind of request.");
		return;
	}
	if (root && p->path.len > 1)
		page_static(p, arena_str(p->arena, STR("-/favicon.svg")));
	else if (root ||
		 (p->path.len + 1 == strlen(p->base) && str_starts(str_from(p->base), p->path)))
		page_redirect(p, "%s", "");
	else
		page_error(p, 404, "Not found", "There is no page at this address.");
}

/* No inline script or style anywhere, nothing from or to other hosts. */
static const char csp[] =
	"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
	"connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; "
	"base-uri 'none'";

static void headers_add(struct page *p)
{
	page_header(p, "Content-Security-Policy", p->answer.csp != NULL ? p->answer.csp : csp);
	page_header(p, "X-Content-Type-Options", "nosniff");
	page_header(p, "Referrer-Policy", "same-origin");
	page_header(p, "Cross-Origin-Opener-Policy", "same-origin");
	if (p->answer.asset == NULL)
		page_header(p, "Cache-Control", "no-store");
	if (p->https)
		page_header(p, "Strict-Transport-Security", "max-age=31536000");
}

/* "GET queue/:", then what is none of the table. Made once; the registry keeps it. */
void router_metrics(void)
{
	static char texts[METRIC_PAGE_ROUTES_MAX][64];
	static const char *names[METRIC_PAGE_ROUTES_MAX];
	size_t n = 0;

	for (; n < route_count && n + 3 < METRIC_PAGE_ROUTES_MAX; n++) {
		snprintf(texts[n], sizeof(texts[n]), "%s %s",
			routes[n].method == PAGE_POST ? "POST" : "GET", routes[n].pattern);
		names[n] = texts[n];
	}
	names[n++] = "static";
	names[n++] = "other";
	names[n++] = "api";
	metric_page_routes(names, n);
}

void router_run(struct page *p)
{
	int64_t start_us = clock_mono_us();
	struct err err;

	p->route = route_count + 1;
	p->view = tval_map(p->arena);
	if (p->method == PAGE_GET && str_eq(p->path, STR("/healthz"))) {
		page_health(p);
	} else if (p->method == PAGE_GET && str_eq(p->path, STR("/readyz"))) {
		page_ready(p);
	} else if (p->metrics) {
		if (p->method == PAGE_GET && str_eq(p->path, STR("/metrics")))
			page_metrics(p);
		else
			page_text(
				p, 404, "text/plain; charset=utf-8", "Metrics are at /metrics.\n");
	} else if (urlform_parse(p->arena, p->raw_query, &p->query, &err) < 0) {
		page_error(p, 400, "Bad address", "The part after \"?\" cannot be read.");
	} else if (str_starts(p->path, STR("/.well-known/tlsrpt/"))) {
		page_report_post(p, str_skip(p->path, strlen("/.well-known/tlsrpt/")));
	} else if (str_starts(p->path, STR(API_BASE))) {
		p->route = route_count + 2;
		api_run(p, str_skip(p->path, strlen(API_BASE)));
	} else if (str_starts(p->path, str_from(p->base))) {
		below_base(p, str_skip(p->path, strlen(p->base)));
	} else {
		outside_base(p);
	}
	headers_add(p);
	metric_inc(METRIC_PAGES, metric_class_of(p->answer.status), 0);
	metric_observe(METRIC_PAGE_SECONDS, (unsigned)p->route, clock_mono_us() - start_us);
}
