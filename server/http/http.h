/* http - HTTPS requests of our own: MTA-STS policies, reports, certificates (RFC 9110). On
 * libcurl; names are looked up by our resolver, certificates checked against mox.conf's
 * TLS.CA, addresses that are not global refused unless mox.conf allows them. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "dns/ask.h"
#include "tls/tls.h"

/* Thread-safe; holds no connections. */
struct http;

struct http_options {
	struct tls_client *tls;   /* its trust anchors are used; outlives http */
	const struct cidr *allow; /* networks that are not global and may be asked all the */
	size_t allow_count;       /* same; copied */
	const char *user_agent;   /* NULL: "mox" and the version; copied */
	unsigned port;            /* 0: 443. Where a URL names no port; for tests */
};

int http_open(const struct http_options *opt, struct http **out, struct err *err) MUST_USE;
/* No request may be running. Sets *h to NULL. */
void http_close(struct http **h);
/* Requests under way, and later ones, end at once with HTTP_CANCELLED: before the daemon
 * stops. */
void http_cancel(struct http *h);

enum {
	HTTP_URL_MAX = 2048,          /* octets */
	HTTP_HEADERS_MAX = 32 * 1024, /* octets of all response header fields */
	HTTP_REQUEST_FIELDS_MAX = 16,
	HTTP_REDIRECTS_MAX = 5
};

struct http_request {
	const char *url;           /* https:// only, without user and password */
	const char *const *fields; /* "Name: value" each; no CR or LF */
	size_t field_count;
	const char *content_type; /* https_post */
	struct str body;          /* https_post; compressed by the caller, if at all */
	size_t body_max_bytes;    /* of the response; more is HTTP_TOO_LARGE */
	unsigned redirects;       /* followed at most, GET only, to https only; 0: none is, and
				   * its 3xx is the result */
};

enum http_outcome {
	HTTP_DONE,            /* a response with whatever status is there */
	HTTP_BAD_URL,         /* nothing was sent */
	HTTP_NO_ADDRESS,      /* the name does not exist or has no address; see dns */
	HTTP_DNS,             /* the name could not be looked up; see dns */
	HTTP_ADDRESS_REFUSED, /* no address but ones that mox.conf does not allow */
	HTTP_CONNECT,         /* nobody answers there */
	HTTP_CERTIFICATE,     /* not valid for the name; pkix_code says why */
	HTTP_TLS,             /* the handshake failed otherwise; tls_failure says why */
	HTTP_TIMEOUT,         /* the deadline passed */
	HTTP_TOO_LARGE,       /* body or header over its cap; body has what came before */
	HTTP_BROKEN,          /* closed early, or not HTTP */
	HTTP_CANCELLED
};

struct http_result {
	enum http_outcome outcome;
	int status;            /* 200, ...; 0 when there was no response */
	struct str body;       /* in the arena, as all here */
	struct str fields;     /* the response's header fields, lines ended by LF */
	struct str text;       /* what went wrong in words for people; empty when done */
	struct dns_answer dns; /* the addresses of the (last) host */
	struct ip ip;          /* that answered or was dialled last; len 0: none was */
	int pkix_code;         /* X509_V_ERR_*; tls_pkix_class gives its class */
	struct tls_failure_info tls_failure;
	int64_t took_ms;
};

/* One request on a connection of its own, within ask->deadline; its look-up is noted in
 * ask->trace. Whatever became of it is in *out. -1 (ERR_BUG) only when it could not be
 * made at all. */
int https_get(struct http *h, const struct dns_asker *ask, const struct http_request *req,
	struct arena *a, struct http_result *out, struct err *err) MUST_USE;
int https_post(struct http *h, const struct dns_asker *ask, const struct http_request *req,
	struct arena *a, struct http_result *out, struct err *err) MUST_USE;

/* The value of the first header field of that name (no case), trimmed; empty when absent. */
struct str http_field(const struct http_result *r, const char *name);
const char *http_outcome_text(enum http_outcome o); /* "done", "timeout", ... */

#endif
