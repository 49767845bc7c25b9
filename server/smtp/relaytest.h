/* relaytest - tries a relay host as a delivery would, up to RCPT: nothing is sent. One section
 * at a time, so that who shows it need not wait for the end. The transcript has no secrets. */
#ifndef SMTP_RELAYTEST_H
#define SMTP_RELAYTEST_H

#include "dns/dns.h"
#include "store/directory.h"
#include "tls/tls.h"

enum {
	RELAYTEST_MS = 60 * 1000,         /* for all of it */
	RELAYTEST_COMMAND_MS = 20 * 1000, /* for one answer */
	RELAYTEST_DIAL_MS = 10 * 1000,
	RELAYTEST_ADDRESSES_MAX = 4
};

struct relaytest_options {
	struct dns *dns;
	struct tls_client *tls;
	const char *helo;
	const struct store_relay *relay; /* protocol, TLS and login; hosts are not looked at */
	struct str host;                 /* "host:port" */
	unsigned default_port;
	struct str mail_from; /* empty: the null sender */
	struct str rcpt;      /* empty: no RCPT probe */
};

enum relaytest_state { RELAYTEST_INFO, RELAYTEST_OK, RELAYTEST_WARN, RELAYTEST_BAD };

struct relaytest_step {
	enum relaytest_state state;
	const char *title;     /* "Connection" */
	struct str text;       /* a sentence */
	struct str transcript; /* "> " and "< " lines, or empty */
	int64_t took_ms;
};

/* opt and what it points at live as long as the test. */
struct relaytest;
struct relaytest *relaytest_open(const struct relaytest_options *opt);
/* Does the next thing: 1 with the step (valid until the next call), 0 at the end. */
int relaytest_next(struct relaytest *t, struct relaytest_step *step);
/* After the end: the one sentence that says what it came to, and whether it is good. */
const char *relaytest_verdict(const struct relaytest *t, bool *good);
void relaytest_close(struct relaytest **t);

#endif
