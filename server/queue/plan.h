/* plan - what DNS and MTA-STS say about a destination: looked up once, then shared by all
 * deliveries to it until the shortest TTL on the way ends. Hosts are looked up when somebody
 * first wants them. Whoever comes while another looks up waits for that answer. Thread-safe. */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H

#include "base/trace.h"
#include "policy/dane.h"
#include "policy/mtasts.h"

struct plans; /* the memory of them */
struct plan;  /* one destination; counted references */

enum {
	PLANS_MAX = 2000,      /* destinations remembered */
	PLAN_AGE_MAX_S = 300,  /* whatever the TTL */
	PLAN_DNS_MS = 20000,   /* for the look-ups of the domain, and again for each host */
	PLAN_POLICY_MS = 70000 /* for the MTA-STS policy, its fetch included */
};

struct plans_options {
	struct dns *dns;       /* or NULL: every look-up fails */
	struct mtasts *mtasts; /* or NULL: no policies */
};

struct plans *plans_open(const struct plans_options *opt);
/* All plans must have been given back. */
void plans_close(struct plans **p);
/* An admin wants it tried anew: nothing looked up so far is used again. */
void plans_forget(struct plans *p);

struct plan_facts {
	struct destination dest;
	bool has_sts;            /* sts is filled: the domain was asked for its policy */
	struct mtasts_found sts; /* not for literals, and not without an answer */
	int sts_rc;              /* -1: whether there is a policy could not be found out */
	struct err sts_err;
	struct trace *trace; /* of its look-ups */
};
/* domain: A-labels, or the text of an address. The caller gives it back. */
struct plan *plans_get(struct plans *p, const char *domain, unsigned port);
void plan_release(struct plan **plan);
/* Too old to begin another connection with. */
bool plan_is_stale(const struct plan *plan);
bool plan_is_for(const struct plan *plan, const char *domain);

/* Good as long as the plan is held. */
const struct plan_facts *plan_facts(const struct plan *plan);

struct plan_host {
	struct destination_ips ips;
	struct dane_lookup dane; /* DANE_SKIPPED when the way to the host is not secure */
	struct dane_names names;
	struct trace *trace;
};
/* Of plan_facts()->dest.hosts[i]; blocks while it is looked up. */
const struct plan_host *plan_host(struct plan *plan, size_t i);

struct plans_stats {
	int64_t made, shared; /* destinations looked up; answers that were there already */
	int64_t hosts;        /* MX hosts looked up */
};
void plans_stats_get(struct plans *p, struct plans_stats *out);

#endif
