/* http/internal - what the files of this folder share. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "http/http.h"

#include <stdatomic.h>

struct http {
	struct tls_client *tls;
	struct cidr *allow;
	size_t allow_count;
	char *user_agent;
	unsigned port;
	atomic_bool cancelled;
};

enum { HTTP_ADDRESSES_MAX = 16 }; /* of a host that are tried */

/* Where a request goes. Texts are in the arena. */
struct http_target {
	const char *url;  /* its normal form, with the host in A-labels */
	const char *host; /* without brackets */
	unsigned port;
	struct ip ips[HTTP_ADDRESSES_MAX];
	size_t ip_count;
	bool literal; /* the URL has an address, not a name */
};

/* --- target.c --- */

/* False: outcome and text are set. */
bool http_target_parse(const struct http *h, const char *url, struct arena *a,
	struct http_target *out, struct http_result *result);
/* Looks the host up and keeps the addresses that may be asked. 1, or 0 with outcome and text
 * set; -1 the name cannot be asked at all. */
int http_target_resolve(const struct http *h, const struct dns_asker *ask, struct arena *a,
	struct http_target *t, struct http_result *result, struct err *err) MUST_USE;

#endif
