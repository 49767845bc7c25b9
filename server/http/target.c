/* target - from a URL to the addresses that may be asked. */
#include "http/internal.h"

#include <curl/curl.h>

static bool bad_url(struct http_result *result, const char *why)
{
	result->outcome = HTTP_BAD_URL;
	result->text = str_from(why);
	return false;
}

/* A part of the URL, copied; NULL when it is absent. */
static const char *part(CURLU *u, CURLUPart what, struct arena *a)
{
	char *text = NULL;

	if (curl_url_get(u, what, &text, 0) != CURLUE_OK || text == NULL)
		return NULL;
	const char *copy = arena_strdup(a, str_from(text));
	curl_free(text);
	return copy;
}

static bool is_private(const struct http *h, const struct ip *ip)
{
	if (!ip_is_private(ip))
		return false;
	for (size_t i = 0; i < h->allow_count; i++) {
		if (cidr_contains(&h->allow[i], ip))
			return false;
	}
	return true;
}

/* The host without brackets and in A-labels. */
static bool host_set(CURLU *u, struct arena *a, struct http_target *out, struct http_result *result)
{
	const char *host = part(u, CURLUPART_HOST, a);
	char ascii[DNS_NAME_MAX];
	struct err err;

	if (host == NULL || *host == '\0')
		return bad_url(result, "the URL names no host");
	struct str name = str_from(host);
	if (name.len > 2 && name.p[0] == '[' && name.p[name.len - 1] == ']')
		name = (struct str){name.p + 1, name.len - 2};
	out->literal = ip_parse(name, &out->ips[0]);
	if (out->literal) {
		out->ip_count = 1;
		out->host = arena_strdup(a, name);
		return true;
	}
	if (dns_name_to_ascii(name, ascii, &err) < 0 ||
		curl_url_set(u, CURLUPART_HOST, ascii, 0) != CURLUE_OK)
		return bad_url(result, "the host of the URL is not a domain name");
	out->host = arena_strdup(a, str_from(ascii));
	return true;
}

static bool url_read(const struct http *h, CURLU *u, const char *url, struct arena *a,
	struct http_target *out, struct http_result *result)
{
	char number[16];
	uint64_t port;

	/* A NON_SUPPORT scheme is refused below like any other that is not https. */
	if (strlen(url) > HTTP_URL_MAX ||
		curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return bad_url(result, "not a URL");
	const char *scheme = part(u, CURLUPART_SCHEME, a);
	if (scheme == NULL || strcmp(scheme, "https") != 0)
		return bad_url(result, "the URL is not https");
	if (part(u, CURLUPART_USER, a) != NULL || part(u, CURLUPART_PASSWORD, a) != NULL)
		return bad_url(result, "the URL has a user name");
	if (!host_set(u, a, out, result))
		return false;
	const char *text = part(u, CURLUPART_PORT, a);
	out->port = 443;
	if (text != NULL) {
		if (!str_to_u64(str_from(text), 65535, &port) || port == 0)
			return bad_url(result, "the port of the URL is not one");
		out->port = (unsigned)port;
	} else if (h->port != 0) {
		out->port = h->port;
		snprintf(number, sizeof(number), "%u", out->port);
		(void)curl_url_set(u, CURLUPART_PORT, number, 0);
	}
	(void)curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	out->url = part(u, CURLUPART_URL, a);
	return out->url != NULL || bad_url(result, "not a URL");
}

bool http_target_parse(const struct http *h, const char *url, struct arena *a,
	struct http_target *out, struct http_result *result)
{
	CURLU *u = curl_url();

	*out = (struct http_target){.url = NULL};
	if (u == NULL)
		return bad_url(result, "out of memory");
	bool ok = url_read(h, u, url, a, out, result);
	curl_url_cleanup(u);
	return ok;
}

static int lookup_failed(const struct http_target *t, const struct dns_answer *answer,
	struct arena *a, struct http_result *result)
{
	bool temporary = dns_status_is_temporary(answer->status);

	result->outcome = temporary ? HTTP_DNS : HTTP_NO_ADDRESS;
	if (answer->status == DNS_NXDOMAIN)
		result->text = str_from(arena_printf(a, "%s does not exist", t->host));
	else if (!temporary)
		result->text = str_from(arena_printf(a, "%s has no address", t->host));
	else
		result->text = str_from(arena_printf(a, "look-up of %s: %s%s%.*s", t->host,
			dns_status_text(answer->status), answer->reason.len > 0 ? ": " : "",
			STR_FMT(answer->reason)));
	return 0;
}

int http_target_resolve(const struct http *h, const struct dns_asker *ask, struct arena *a,
	struct http_target *t, struct http_result *result, struct err *err)
{
	char text[IP_TEXT];
	struct ip refused = {.len = 0};
	size_t kept = 0;

	if (!t->literal) {
		if (dns_ask_addr(ask, t->host, a, &result->dns, err) < 0)
			return -1;
		if (result->dns.status != DNS_OK)
			return lookup_failed(t, &result->dns, a, result);
		for (size_t i = 0; i < result->dns.count && t->ip_count < HTTP_ADDRESSES_MAX; i++)
			t->ips[t->ip_count++] = result->dns.records[i].ip;
	}
	for (size_t i = 0; i < t->ip_count; i++) {
		if (is_private(h, &t->ips[i]))
			refused = t->ips[i];
		else
			t->ips[kept++] = t->ips[i];
	}
	t->ip_count = kept;
	if (kept > 0)
		return 1;
	result->outcome = HTTP_ADDRESS_REFUSED;
	result->ip = refused;
	result->text = str_from(arena_printf(a,
		"%s has the address %s, which is not a public one; HTTPSPrivateNetworks in "
		"mox.conf can allow it",
		t->host, ip_text(&refused, text)));
	return 0;
}
