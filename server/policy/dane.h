/* dane - TLSA records of mail servers and whether a certificate matches them (RFC 6698, 7671,
 * 7672). The look-up follows RFC 7672 section 2.2; matching works on the facts of a finished
 * handshake. Results are in the arena. */
#ifndef POLICY_DANE_H
#define POLICY_DANE_H

#include "policy/destination.h"
#include "tls/tls.h"

enum {
	DANE_CNAMES_MAX = 10,
	DANE_RECORDS_MAX = 50, /* of a TLSA answer that are looked at */
	DANE_NAMES_MAX = 4
};

enum dane_usage { DANE_PKIX_TA, DANE_PKIX_EE, DANE_TA, DANE_EE };
enum dane_selector { DANE_CERT, DANE_SPKI };
enum dane_match { DANE_FULL, DANE_SHA256, DANE_SHA512 };

struct dane_record {
	unsigned usage, selector, match;
	struct str data;
};
struct dane_records {
	const struct dane_record *list;
	size_t count;
};

/* "3 1 1 ab12...", long data cut. In the arena. */
struct str dane_record_text(struct arena *arena, const struct dane_record *r);
/* The same with all of the data, as reports want it. */
struct str dane_record_full_text(struct arena *arena, const struct dane_record *r);

enum dane_status {
	DANE_SKIPPED,  /* not looked up: the way to the host is not secure (RFC 7672 2.2) */
	DANE_NONE,     /* no TLSA records, or none that are secure */
	DANE_USABLE,   /* records has at least one */
	DANE_UNUSABLE, /* there are records, none of a kind SMTP can use: TLS, unauthenticated */
	DANE_ERROR     /* the answer could not be had, or is bogus: no mail to this host */
};

struct dane_lookup {
	enum dane_status status;
	const char *base;            /* TLSA base domain: SNI and reference name */
	struct dane_records records; /* usable ones */
	size_t seen;                 /* all there are */
	int64_t ttl_s;
	struct dns_trouble trouble;
};
/* TLSA of _port._tcp of a host whose addresses are known. base_secure: both the next hop's and
 * the host's CNAMEs are (spec 2.3); the expanded name is then asked first. */
int dane_lookup(const struct dns_asker *q, const char *host, const char *expanded_host,
	bool base_secure, unsigned port, struct arena *arena, struct dane_lookup *out,
	struct err *err) MUST_USE;
/* Whether TLSA records of the host may be asked for at all: every step towards it is secure. */
bool dane_may_ask(const struct destination *d, const struct destination_ips *ips);
/* Whether SMTP can use the record (RFC 7672 section 3.1): usage 2 or 3, known selector and
 * match, data of the right length or, for whole ones, readable. */
bool dane_record_usable(const struct dane_record *r);

struct dane_names { /* the first is for SNI; all are good for DANE-TA certificates */
	const char *list[DANE_NAMES_MAX];
	size_t count;
};
/* RFC 7672 section 3.2.2. base is the TLSA base domain that was used. */
void dane_names_choose(const struct destination *d, const struct destination_ips *ips,
	const char *base, struct dane_names *out);

enum dane_result { DANE_MATCH, DANE_NO_MATCH };
struct dane_verdict {
	enum dane_result result;
	const struct dane_record *record; /* the one that matched */
	bool errors;    /* a record could not be evaluated or a chain not verified */
	char text[300]; /* why not, for people */
};
/* Whether the certificates the peer showed match one of the records. roots serves usages 0 and
 * 1 (the generic dialler's; SMTP has none of them): its trust anchors; NULL: they never match. */
void dane_verify(const struct dane_records *records, const struct dane_names *names,
	const struct tls_peer *peer, const struct tls_client *roots, struct dane_verdict *out);

#endif
