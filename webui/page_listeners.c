/* Listeners: as mox.conf has them, whether they run, and what to change there for what. */
#include "control/certs.h"
#include "webui/pages.h"

enum { CERTS_MAX = 8 };

static void service_add(struct page *p, struct tval *list, const char *name,
	const char *health_name, const struct config_service *s, const struct config_listener *l,
	const struct health *h)
{
	if (!s->enabled)
		return;
	struct tval *row = tval_add_map(p->arena, list);
	size_t seen = 0, up = 0;
	int64_t connections = 0;

	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *one = &h->listeners[i];
		if (strcmp(one->listener, l->name) != 0 || strcmp(one->service, health_name) != 0)
			continue;
		seen++;
		up += one->up;
		connections += one->connections;
	}
	tval_set_text(p->arena, row, "service", name);
	tval_set_printf(p->arena, row, "port", "%u", s->port);
	tval_set_flag(p->arena, row, "up", seen > 0 && up == seen);
	tval_set_flag(p->arena, row, "some_up", up > 0 && up < seen);
	page_count(p, row, "connections", connections);
}

static void services_fill(
	struct page *p, struct tval *map, const struct config_listener *l, const struct health *h)
{
	struct tval *list = tval_set_list(p->arena, map, "services");

	service_add(p, list, "SMTP: mail from other servers", "smtp", &l->smtp, l, h);
	service_add(p, list, "Submission: users, STARTTLS", "submission", &l->submission, l, h);
	service_add(p, list, "Submissions: users, TLS from the start", "submissions",
		&l->submissions, l, h);
	service_add(p, list, "Admin pages, HTTP", "admin-http", &l->admin_http, l, h);
	service_add(p, list, "Admin pages, HTTPS", "admin-https", &l->admin_https, l, h);
	service_add(p, list, "Metrics", "metrics", &l->metrics_http, l, h);
}

static void certs_fill(struct page *p, struct tval *map, const struct config_listener *l)
{
	struct tval *list = tval_set_list(p->arena, map, "certs");
	struct tls_cert_info *certs = arena_alloc(p->arena, CERTS_MAX * sizeof(*certs));
	struct tls_server *server = NULL;
	struct err err;

	if (!l->tls) {
		tval_set_flag(p->arena, map, "no_tls", true);
		return;
	}
	if (control_certs_load(p->config, l, &server, &err) < 0) {
		tval_set_text(
			p->arena, map, "cert_error", arena_strdup(p->arena, str_from(err.text)));
		return;
	}
	size_t n = tls_server_certs(server, certs, CERTS_MAX);
	for (size_t i = 0; i < n && i < CERTS_MAX; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		int64_t left = certs[i].not_after_s - clock_unix_s();
		tval_set_text(p->arena, row, "names",
			certs[i].names[0] != '\0' ? certs[i].names : certs[i].subject);
		tval_set_text(p->arena, row, "key", certs[i].key_type);
		tval_set_text(p->arena, row, "issuer", certs[i].issuer);
		tval_set_flag(p->arena, row, "self_signed", certs[i].self_signed);
		tval_set_flag(p->arena, row, "over", left <= 0);
		tval_set_flag(p->arena, row, "soon", left > 0 && left < 14 * 86400);
		page_time(p, row, "ends", certs[i].not_after_s * 1000);
	}
	tls_server_release(&server);
}

/* What people want to change, with the lines that do it. */
static void hint_add(struct page *p, struct tval *list, const char *what, const char *lines)
{
	struct tval *row = tval_add_map(p->arena, list);

	tval_set_text(p->arena, row, "what", what);
	tval_set_text(p->arena, row, "lines", lines);
}

static void hints_fill(struct page *p, struct tval *map, const struct config_listener *l)
{
	struct tval *list = tval_set_list(p->arena, map, "hints");

	if (l->smtp.enabled && l->tls && !l->smtp_no_starttls && !l->smtp_require_starttls)
		hint_add(p, list, "To refuse mail that comes without TLS",
			"SMTP:\n\tRequireSTARTTLS: true");
	if (l->smtp.enabled && l->smtp_require_starttls)
		hint_add(p, list, "TLS is required here. To take mail without it too, remove",
			"SMTP:\n\tRequireSTARTTLS: true");
	if (l->smtp.enabled && l->smtp_no_starttls)
		hint_add(p, list, "STARTTLS is not offered here. To offer it, remove",
			"SMTP:\n\tNoSTARTTLS: true");
	if (!l->tls)
		hint_add(p, list, "For TLS, with a certificate that others know",
			"TLS:\n\tKeyCerts:\n\t\t-\n\t\t\tCertFile: cert.pem\n\t\t\tKeyFile: "
			"key.pem");
	if (l->tls && strcmp(l->tls_min_version, "TLSv1.3") != 0)
		hint_add(p, list, "To refuse TLS older than 1.3", "TLS:\n\tMinVersion: TLSv1.3");
	if (!l->smtp.enabled)
		hint_add(p, list, "To take mail from other servers", "SMTP:\n\tEnabled: true");
	if (!l->submissions.enabled)
		hint_add(p, list, "To let users send mail through this gateway",
			"Submissions:\n\tEnabled: true");
	if (!l->admin_http.enabled && !l->admin_https.enabled)
		hint_add(p, list, "To have these pages here too", "AdminHTTPS:\n\tEnabled: true");
	if (l->smtp.enabled && l->smtp.port != 25)
		hint_add(p, list, "Other servers deliver to port 25 only; to listen there, remove",
			arena_printf(p->arena, "SMTP:\n\tPort: %u", l->smtp.port));
	hint_add(p, list, "To listen on other addresses", "IPs:\n\t- 192.0.2.1");
}

void page_listeners(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "listeners");
	struct health *h = arena_alloc(p->arena, sizeof(*h));
	char ip[IP_TEXT];

	health_read(p->gateway, h);
	for (size_t i = 0; i < p->config->listener_count; i++) {
		const struct config_listener *l = &p->config->listeners[i];
		struct tval *map = tval_add_map(p->arena, list);
		struct tval *ips = tval_set_list(p->arena, map, "ips");
		tval_set_text(p->arena, map, "name", l->name);
		tval_set_text(p->arena, map, "host", l->hostname);
		for (size_t n = 0; n < l->ip_count; n++)
			tval_add_text(p->arena, ips,
				arena_strdup(p->arena, str_from(ip_text(&l->ips[n], ip))));
		page_size(p, map, "max_size", l->smtp_max_message_size);
		services_fill(p, map, l, h);
		certs_fill(p, map, l);
		hints_fill(p, map, l);
	}
	if (h->config_problem[0] != '\0')
		tval_set_text(p->arena, p->view, "config_problem", h->config_problem);
	page_render(p, 200, "listeners", "Listeners");
}
