/* danedial - a TLS connection to any service, verified by its TLSA records alone (RFC 7671,
 * with all four usages; mail has rules of its own, see dane.h). */
#ifndef POLICY_DANEDIAL_H
#define POLICY_DANEDIAL_H

#include "policy/dane.h"

enum dane_dial_status {
	DANE_DIAL_OK,
	DANE_DIAL_NO_RECORDS, /* securely none */
	DANE_DIAL_INSECURE,   /* DNSSEC does not cover the host or its records */
	DANE_DIAL_NO_MATCH,
	DANE_DIAL_DNS,     /* a look-up failed, or was bogus */
	DANE_DIAL_CONNECT, /* nobody answers */
	DANE_DIAL_TLS      /* the handshake failed */
};
const char *dane_dial_status_text(enum dane_dial_status s); /* "ok", "no-records", ... */

struct dane_dial_options {
	struct dns_asker ask; /* its deadline bounds all of it */
	struct tls_client *tls;
	const char *host; /* A-labels */
	unsigned port;
	unsigned usages; /* bit 1 << usage for those allowed; 0: all */
};

struct dane_dial {
	enum dane_dial_status status;
	const char *base;            /* TLSA base domain */
	struct dane_records records; /* all that are there */
	struct ip ip;                /* connected to */
	struct tls_peer peer;        /* when the handshake was done */
	struct dane_verdict verdict; /* record: the one that matched */
	struct conn *conn;           /* DANE_DIAL_OK: the caller's; else NULL */
	char text[400];              /* why not, for people */
};

/* -1 (ERR_BUG) only for a name that cannot be asked for. Memory is in the arena. */
int dane_dial(const struct dane_dial_options *opt, struct arena *arena, struct dane_dial *out,
	struct err *err) MUST_USE;

#endif
