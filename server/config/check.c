/* check - what the fields of mox.conf say together. */
#include "config/fields.h"

struct endpoint {
	struct ip ip;
	unsigned port;
	const char *service, *listener;
};

enum { SERVICES = 6 };

static bool ip_is_any(const struct ip *ip)
{
	for (size_t i = 0; i < ip->len; i++) {
		if (ip->bytes[i] != 0)
			return false;
	}
	return true;
}

static bool endpoints_clash(const struct endpoint *a, const struct endpoint *b)
{
	if (a->port != b->port || a->ip.len != b->ip.len)
		return false;
	return ip_equal(&a->ip, &b->ip) || ip_is_any(&a->ip) || ip_is_any(&b->ip);
}

static size_t services_list(const struct config_listener *l, struct endpoint out[SERVICES])
{
	const struct {
		const char *name;
		const struct config_service *service;
	} all[SERVICES] = {
		{"SMTP", &l->smtp},
		{"Submission", &l->submission},
		{"Submissions", &l->submissions},
		{"AdminHTTP", &l->admin_http},
		{"AdminHTTPS", &l->admin_https},
		{"MetricsHTTP", &l->metrics_http},
	};
	size_t n = 0;

	for (size_t i = 0; i < SERVICES; i++) {
		if (all[i].service->enabled)
			out[n++] = (struct endpoint){.port = all[i].service->port,
				.service = all[i].name,
				.listener = l->name};
	}
	return n;
}

/* Each address and port once. */
static int endpoints_check(struct config_reader *r, struct err *err)
{
	const struct config *c = r->config;
	struct endpoint *seen, services[SERVICES];
	size_t total = 0, n = 0;
	char text[IP_TEXT];

	for (size_t i = 0; i < c->listener_count; i++)
		total += c->listeners[i].ip_count * SERVICES;
	seen = arena_alloc(r->arena, (total + 1) * sizeof(*seen));
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];
		size_t service_count = services_list(l, services);

		for (size_t k = 0; k < service_count * l->ip_count; k++) {
			struct endpoint e = services[k % service_count];

			e.ip = l->ips[k / service_count];
			for (size_t s = 0; s < n; s++) {
				if (endpoints_clash(&e, &seen[s]))
					return err_set(err, ERR_PERM,
						"%s:%u: listener %s: %s on %s port %u: listener %s "
						"has %s there already",
						r->name, r->listener_lines[i], l->name, e.service,
						ip_text(&e.ip, text), e.port, seen[s].listener,
						seen[s].service);
			}
			seen[n++] = e;
		}
	}
	return 0;
}

static bool acme_is_known(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->acme_count; i++) {
		if (strcmp(c->acme[i].name, name) == 0)
			return true;
	}
	return false;
}

/* The reason a listener cannot work, or NULL. */
static const char *listener_fault(const struct config *c, const struct config_listener *l)
{
	if (l->ip_count == 0)
		return "IPs is empty: give at least one address";
	if (l->tls && l->tls_acme != NULL && l->keycert_count > 0)
		return "TLS: ACME and KeyCerts exclude each other";
	if (l->tls && l->tls_acme == NULL && l->keycert_count == 0)
		return "TLS: give ACME or KeyCerts";
	if (l->tls_acme != NULL && !acme_is_known(c, l->tls_acme))
		return "TLS: ACME names a provider that the section ACME does not have";
	if (!l->tls && l->submissions.enabled)
		return "Submissions needs a TLS section";
	if (!l->tls && l->admin_https.enabled)
		return "AdminHTTPS needs a TLS section";
	if (!l->tls && l->submission.enabled && !l->submission_no_require_starttls)
		return "Submission needs a TLS section (or NoRequireSTARTTLS: true, which lets "
		       "passwords pass unencrypted)";
	if (l->smtp_require_starttls && (!l->tls || l->smtp_no_starttls))
		return l->tls ? "SMTP: RequireSTARTTLS and NoSTARTTLS exclude each other"
			      : "SMTP: RequireSTARTTLS needs a TLS section";
	return NULL;
}

int config_check(struct config_reader *r, struct err *err)
{
	struct config *c = r->config;

	for (size_t i = 0; i < c->acme_count; i++) {
		if (c->acme[i].renew_before_s == 0)
			c->acme[i].renew_before_s = INT64_C(30) * 86400;
		if (c->acme[i].port == 0)
			c->acme[i].port = 443;
	}
	for (size_t i = 0; i < c->listener_count; i++) {
		struct config_listener *l = &c->listeners[i];
		const char *fault = listener_fault(c, l);

		if (fault != NULL)
			return err_set(err, ERR_PERM, "%s:%u: listener %s: %s", r->name,
				r->listener_lines[i], l->name, fault);
		if (l->hostname == NULL)
			l->hostname = c->hostname;
	}
	if (c->queue.max_concurrent_per_domain > c->queue.max_concurrent)
		c->queue.max_concurrent_per_domain = c->queue.max_concurrent;
	if (c->limits.data_timeout_ms > c->limits.session_timeout_ms)
		return err_set(err, ERR_PERM,
			"%s: Limits: DataTimeout is longer than SessionTimeout", r->name);
	return endpoints_check(r, err);
}
