/* dnsbl - lists of bad addresses in DNS (RFC 5782). A zone is trusted only while it is healthy:
 * it lists 127.0.0.2 and does not list 127.0.0.1. A zone that died or was taken over by a
 * domain seller often lists the whole world. */
#ifndef AUTH_DNSBL_H
#define AUTH_DNSBL_H

#include "base/arena.h"
#include "dns/ask.h"

enum {
	DNSBL_ZONES_MAX = 20,    /* asked for one address */
	DNSBL_HEALTHY_S = 3600,  /* a verdict on a zone is kept so long */
	DNSBL_UNHEALTHY_S = 300, /* and a bad one so long */
	DNSBL_REASON_MAX = 400   /* octets of a reason that are kept */
};

/* What is known of the zones. Thread-safe; one for the process. */
struct dnsbl;
struct dnsbl *dnsbl_open(void);
void dnsbl_close(struct dnsbl **d);

enum dnsbl_health {
	DNSBL_HEALTHY,
	DNSBL_UNHEALTHY, /* it does not behave as a list */
	DNSBL_UNKNOWN    /* could not find out now */
};

struct dnsbl_zone_state {
	enum dnsbl_health health;
	struct str problem; /* in words, for all but healthy; in the arena */
	int64_t checked_unix_s;
};

/* Health of a zone, cached. */
void dnsbl_zone_check(struct dnsbl *d, const struct dns_asker *q, struct str zone,
	struct arena *arena, struct dnsbl_zone_state *out);
/* What is remembered of it, without a look-up. False: nothing. */
bool dnsbl_zone_known(
	struct dnsbl *d, struct str zone, struct arena *arena, struct dnsbl_zone_state *out);
/* Forgets all, so that the next check asks again. */
void dnsbl_forget(struct dnsbl *d);

enum dnsbl_result {
	DNSBL_PASS,      /* not listed */
	DNSBL_FAIL,      /* listed */
	DNSBL_TEMPERROR, /* could not find out now; or the zone refuses to answer us */
	DNSBL_SKIPPED    /* the zone is not healthy, or has no list for this kind of address */
};

struct dnsbl_verdict {
	struct str zone; /* as in the arguments */
	enum dnsbl_result result;
	struct str codes;   /* "127.0.0.2, 127.0.0.4": answers of a listed address */
	struct str reason;  /* the zone's TXT record, printable ASCII: words of a stranger. May be
			     * empty */
	struct str problem; /* in words for temperror and skipped; for answers outside of
			     * 127.0.0.0/8 that were ignored also with pass and fail */
	bool authentic;
};

/* Asks all zones (at most DNSBL_ZONES_MAX, later ones are left out) about ip, side by side;
 * out has room for count. Notes a step of kind "dnsbl" for each in the asker's trace. Returns
 * how many verdicts there are. Zones are A-label names. */
size_t dnsbl_check(struct dnsbl *d, const struct dns_asker *q, const struct ip *ip,
	const struct str *zones, size_t count, struct arena *arena, struct dnsbl_verdict *out);

const char *dnsbl_result_text(enum dnsbl_result r); /* "pass", "fail", ... */
const char *dnsbl_health_text(enum dnsbl_health h); /* "healthy", ... */

#endif
