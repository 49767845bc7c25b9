/* dns/selftest - does the resolver work on this network, and does DNSSEC validation? */
#ifndef DNS_SELFTEST_H
#define DNS_SELFTEST_H

#include "dns/dns.h"

#include <stdatomic.h>

enum dns_selftest_state {
	DNS_SELFTEST_OK,          /* answers come, and are validated */
	DNS_SELFTEST_OFF,         /* answers come; validation is turned off in mox.conf */
	DNS_SELFTEST_NO_DNSSEC,   /* answers come, but not so that they can be validated */
	DNS_SELFTEST_UNREACHABLE, /* no answers: offline, or port 53 is blocked */
	DNS_SELFTEST_STOPPED      /* *stop was set */
};

struct dns_selftest {
	enum dns_selftest_state state;
	char text[256]; /* what was found and what to do, in sentences */
};

struct dns_selftest_options {
	bool validating;        /* there is a trust anchor */
	bool own_servers;       /* Forward or Stubs in mox.conf */
	const atomic_int *stop; /* not 0: give up soon; may be NULL */
	int64_t patience_ms;    /* how long answers may take; 0: 10 s */
};

/* Asks for the NS records of the root and of a signed zone below it. Blocks. */
void dns_selftest(struct dns *d, const struct dns_selftest_options *opt, struct dns_selftest *out);

#endif
