/* probe - what would happen if mail went to a domain, or a way, now: the same look-ups,
 * policies, connections and handshakes as a delivery, up to EHLO over TLS (and the login at a
 * smarthost), then QUIT. No message is sent, nothing is recorded. */
#ifndef QUEUE_PROBE_H
#define QUEUE_PROBE_H

#include "base/trace.h"
#include "policy/tlspolicy.h"
#include "queue/queue.h"
#include "queue/way.h"

enum queue_probe_extent {
	PROBE_AS_DELIVERY, /* ends with the first host that a message would be given to */
	PROBE_EVERY_HOST
};

/* By which another thread ends a probe. */
struct probe_stop;
struct probe_stop *probe_stop_new(void);
void probe_stop_free(struct probe_stop **s);
/* Connections are cut, and no more are made; look-ups end by themselves. For good. */
void probe_stop_now(struct probe_stop *s);

struct queue_probe_options {
	const struct config *config; /* hostname, port, time limits */
	struct store *store;         /* for overrides; NULL: there are none */
	struct dns *dns;
	struct tls_client *tls;
	struct mtasts *mtasts; /* NULL: no policies are asked for */
	const char *domain;    /* A-labels, or the text of an address; */
	const struct way *way; /* or this, WAY_HOSTS or WAY_MX, unless NULL */
	enum tls_demand demand;
	enum queue_probe_extent extent;
	struct probe_stop *stop; /* or NULL */
};

enum { PROBE_HOSTS_MAX = 20, PROBE_TEXT = 600 };

struct queue_probe_host {
	char host[TLS_NAME_MAX], ip[IP_TEXT];
	bool open;                /* a message would be given to it */
	bool tls, verified, dane; /* dane: its TLSA records can be used */
	char tls_text[160];       /* "TLSv1.3 TLS_AES_256_GCM_SHA384, verified" */
	char record[128];         /* the TLSA record that matched, data cut; "" for none */
	char text[PROBE_TEXT];    /* "over TLS 1.3; ...", or why not */
};

struct queue_probe_result {
	bool open;             /* some host would take a message now */
	bool dane;             /* some host has TLSA records that can be used */
	bool permanent;        /* not open, and a message would go back at once */
	char ecode[12];        /* what it would get then, "5.7.30" */
	char text[PROBE_TEXT]; /* one sentence */
	struct queue_probe_host hosts[PROBE_HOSTS_MAX];
	size_t host_count;
};

/* Takes as long as the time limits of config allow. trace (may be NULL) gets every step and
 * the sentence. -1: could not be tried at all. */
int queue_probe(const struct queue_probe_options *opt, struct trace *trace,
	struct queue_probe_result *out, struct err *err) MUST_USE;

#endif
