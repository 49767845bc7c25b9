/* dns - the door to libunbound: validated answers, with deadlines that end a call.
 * Names in and out are A-label ASCII without the trailing dot. Thread-safe. */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/net.h"

struct dns;

struct dns_options {
	const char *trust_anchor_file; /* NULL: /usr/share/dns/root.key; "none": no validation */
	const char *const *forward;    /* "ip@port" */
	size_t forward_count;
	const char *const *stub_zones, *const *stub_addrs; /* pairs */
	size_t stub_count;
};

int dns_open(const struct dns_options *opt, struct dns **out, struct err *err) MUST_USE;
/* Answers from a text fixture (design.md 4.5); the format is described in fixture.c.
 * For tests and for machines without DNS. */
int dns_open_fixture(struct str text, struct dns **out, struct err *err) MUST_USE;
void dns_close(struct dns **d);
/* Look-ups under way, and later ones, end at once with DNS_TIMEOUT: before the daemon stops. */
void dns_cancel(struct dns *d);

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52,
	DNS_CAA = 257
};

enum dns_status {
	DNS_OK, /* at least one record */
	DNS_NXDOMAIN,
	DNS_NODATA,
	DNS_BOGUS,  /* validation failed; reason says why */
	DNS_FAILED, /* SERVFAIL, refused, unreachable */
	DNS_TIMEOUT /* the deadline passed */
};

struct dns_record {
	struct str name;       /* target of MX, NS, CNAME, PTR, SRV; "" for the root (null MX) */
	unsigned pref;         /* MX preference, SRV priority */
	unsigned weight, port; /* SRV */
	struct ip ip;          /* A, AAAA */
	struct str data;       /* TXT strings joined; TLSA association data; CAA value */
	unsigned usage, selector, match; /* TLSA; CAA flags in usage */
	struct str tag;                  /* CAA */
};

struct dns_answer {
	enum dns_status status;
	bool secure;       /* validated, every link of a CNAME chain included */
	struct str reason; /* for bogus, failed, time-out; in words */
	int ede; /* RFC 8914 code of what went wrong; DNS_EDE_UNKNOWN: none, or not known */
	struct str canonical; /* the name after CNAMEs; the query name without any */
	int64_t ttl_s;
	struct dns_record *records; /* MX and SRV sorted by preference, random inside equal ones */
	size_t count;
};

enum { DNS_EDE_UNKNOWN = -1 };
/* "signature expired", as in the registry, lower case; "unknown" for codes that are not in it. */
const char *dns_ede_text(int ede);
/* Whether it says that DNSSEC validation failed (1, 2, 5 to 12). */
bool dns_ede_is_dnssec(int ede);

/* One lookup. CNAMEs are followed, but for type CNAME. The verdict is in answer, whose
 * memory is in the arena. -1 (ERR_BUG) only for a name that cannot be asked. */
int dns_lookup(struct dns *d, enum dns_type type, const char *name, struct deadline deadline,
	struct arena *arena, struct dns_answer *answer, struct err *err) MUST_USE;

/* Several look-ups side by side: answers[i] is that of requests[i]. It takes as long as the
 * slowest. -1 (ERR_BUG) when one of the names cannot be asked for. */
enum { DNS_MANY_MAX = 64 };
struct dns_request {
	enum dns_type type;
	const char *name;
};
int dns_lookup_many(struct dns *d, const struct dns_request *requests, size_t count,
	struct deadline deadline, struct arena *arena, struct dns_answer *answers,
	struct err *err) MUST_USE;

/* A and AAAA side by side, IPv6 records after IPv4 ones; secure only if both are.
 * A literal address is answered without a query (not secure). */
int dns_addr(struct dns *d, const char *name, struct deadline deadline, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;
/* PTR of an address. */
int dns_ptr(struct dns *d, const struct ip *ip, struct deadline deadline, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;

const char *dns_status_text(enum dns_status s);  /* "ok", "nxdomain", ... */
bool dns_status_is_temporary(enum dns_status s); /* bogus, failed, timeout */

/* Domain names (RFC 5890): Unicode or ASCII in, lower-case A-labels out. A trailing dot,
 * empty labels, labels over 63 and names over 253 octets are refused with the reason. */
enum { DNS_NAME_MAX = 254 };
int dns_name_to_ascii(struct str name, char out[DNS_NAME_MAX], struct err *err) MUST_USE;
/* Whether a question can be made of it: labels of 1 to 63 octets, 253 in all; visible ASCII, and
 * any other octet as \DDD (RFC 1035 section 5.1), as the names in answers have it. Wider than a
 * host name; "." is the root. */
bool dns_name_askable(struct str name);
/* A name of raw octets, dots only between labels, one at the end is dropped: as text that can be
 * asked for, in the arena. NULL: it cannot. */
const char *dns_name_from_octets(struct arena *arena, struct str raw);
/* Unicode for people; the input itself when it cannot be decoded. */
struct str dns_name_to_unicode(struct arena *arena, const char *ascii);

#endif
