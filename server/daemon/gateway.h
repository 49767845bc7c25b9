/* gateway - the running pieces, wired by main and handed to webui and the control socket. */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "auth/auth.h"
#include "config/config.h"
#include "dns/dns.h"
#include "http/http.h"
#include "policy/mtasts.h"
#include "policy/signing.h"
#include "queue/queue.h"
#include "queue/simulate.h"
#include "report/tlsrpt_send.h"
#include "smtp/callout.h"
#include "smtp/limits.h"
#include "store/store.h"
#include "tls/tls.h"

struct gateway {
	struct store *store;
	struct config_holder *config;
	struct dns *dns;
	struct tls_client *tls_client;
	struct http *http;
	struct mtasts *mtasts;
	struct queue *queue;
	struct tlsrpt_daily *tlsrpt; /* sends TLS reports */
	struct simulator *simulator;
	struct smtp_limits *limits;
	struct callout *callout;
	struct signing *signing;
	struct auth_pool *auth_pool; /* look-ups about senders */
	struct dnsbl *dnsbl;
	struct daemon *daemon;
	int64_t started_s;
};

enum { HEALTH_LISTENERS_MAX = 64 };
struct health_listener {
	char listener[64], service[32], address[80]; /* "public", "smtp", "0.0.0.0:25" */
	bool up;
	int64_t connections;    /* since start */
	int64_t cert_expires_s; /* the first of its certificates to end; 0: it has none */
};
/* What a self-test of some part found, with one sentence. Never OK without evidence. */
enum health_state { HEALTH_NOT_TESTED, HEALTH_OK, HEALTH_WARN, HEALTH_BAD };
struct health_check {
	enum health_state state;
	char text[256]; /* "" when not tested */
	int64_t at_s;   /* when; 0: never */
};
struct health {
	struct health_listener listeners[HEALTH_LISTENERS_MAX];
	size_t listener_count;
	int64_t sessions_open;
	int64_t disk_free_bytes, disk_total_bytes; /* of the data directory */
	int64_t rss_bytes;
	char config_problem[512]; /* why the last reload was refused, or "" */
	int64_t config_loaded_s;
	bool stopping;
	struct health_check resolver; /* DNS answers, and are they validated? */
};
void health_read(const struct gateway *g, struct health *out);
/* For the test of the resolver: what dashboard and metrics show from now on. Thread-safe. */
void health_resolver_set(struct gateway *g, enum health_state state, const char *text);

/* Reads mox.conf again, as SIGHUP does. On failure the old one stays. */
int gateway_reload(struct gateway *g, struct err *err) MUST_USE;

#endif
