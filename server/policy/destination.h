/* destination - where mail for a domain goes: its MX hosts (RFC 5321 section 5.1, RFC 7505)
 * and their addresses, with what DNSSEC says of each step (RFC 7672 section 2.2). Pure of
 * policy: nothing here decides about TLS. Results are in the arena. */
#ifndef POLICY_DESTINATION_H
#define POLICY_DESTINATION_H

#include "dns/ask.h"

enum {
	DESTINATION_CNAMES_MAX = 16,      /* links from a domain to where its MX records are */
	DESTINATION_HOST_CNAMES_MAX = 10, /* links from a host to where its addresses are */
	DESTINATION_HOSTS_MAX = 100,      /* MX records that are looked at */
	DESTINATION_TEXT = 400
};

enum destination_status {
	DESTINATION_OK,         /* hosts has at least one */
	DESTINATION_NO_MAIL,    /* null MX: for good */
	DESTINATION_BAD_MX,     /* an MX record names what cannot be a host: for good */
	DESTINATION_CNAME_LOOP, /* in a circle or too long: may be repaired */
	DESTINATION_DNS_ERROR   /* the answer could not be had: try again */
};

/* What went wrong in DNS, for reports (RFC 8460 section 4.3) and for people. */
struct dns_trouble {
	enum dns_status status; /* DNS_OK: nothing did */
	int ede;                /* extended DNS error (RFC 8914), -1 for none */
	char text[DESTINATION_TEXT];
};
/* Fills it from an answer that is neither DNS_OK nor "not there". what: "MX look-up of x". */
void dns_trouble_note(struct dns_trouble *t, const char *what, const struct dns_answer *answer);
/* Whether it says that DNSSEC validation failed: bogus, or an EDE of that kind. */
bool dns_trouble_is_dnssec(const struct dns_trouble *t);

struct destination_host {
	const char *name; /* host name in A-labels, or an address literal's text */
	unsigned pref;
};

struct destination {
	enum destination_status status;
	const char *domain;             /* as asked */
	const char *expanded;           /* after CNAMEs; equal to domain without any */
	bool literal;                   /* domain is an address */
	bool have_mx;                   /* false: the implicit MX, hosts has the expanded domain */
	bool exists;                    /* false: NXDOMAIN for the (expanded) domain */
	bool secure;                    /* the first step, CNAME or MX of domain, is */
	bool expanded_secure;           /* every step is */
	struct destination_host *hosts; /* best first, random inside equal preferences */
	size_t host_count;
	int64_t ttl_s; /* the shortest on the way */
	struct dns_trouble trouble;
	char text[DESTINATION_TEXT]; /* for people, when status is not DESTINATION_OK */
};
/* Looks the domain (A-labels, or an address) up. -1 (ERR_BUG) only for a name that cannot be
 * asked for. */
int destination_gather(const struct dns_asker *q, const char *domain, struct arena *arena,
	struct destination *out, struct err *err) MUST_USE;
/* No second try will make it better. */
bool destination_is_permanent(enum destination_status s);

struct destination_ips {
	enum dns_status status; /* DNS_OK: ips has at least one */
	const char *host;       /* as asked */
	const char *expanded;   /* after CNAMEs */
	bool secure;            /* first answer and addresses */
	bool expanded_secure;   /* every answer */
	bool dualstack;         /* IPv4 and IPv6 */
	bool cname_loop;
	struct ip *ips; /* IPv4 first */
	size_t count;
	int64_t ttl_s;
	struct dns_trouble trouble;
};
/* Addresses of an MX host. A literal is answered without a question. */
int destination_ips(const struct dns_asker *q, const char *host, struct arena *arena,
	struct destination_ips *out, struct err *err) MUST_USE;
/* Orders ips for the next try at a host where tried[] were dialled before, oldest first: the
 * other family first; inside a family the last one stays only after a single try of it, as
 * greylisting likes to see the same address again (spec 2.2). */
void destination_ips_order(
	struct ip *ips, size_t count, const struct ip *tried, size_t tried_count);

#endif
