/* dns/internal - what the files of this folder share. */
#ifndef DNS_INTERNAL_H
#define DNS_INTERNAL_H

#include "dns/dns.h"

enum {
	DNS_RECORDS_MAX = 1000, /* of one answer that are kept */
	DNS_TEXT_MAX = 1025     /* a name of 255 octets, every one escaped, and NUL */
};

/* Parses the RDATA of one record (RFC 1035 section 3.3, 2782, 3596, 6698, 8659), names
 * not compressed. False when it is malformed. Views in out are copies in the arena. */
bool dns_rdata_parse(enum dns_type type, struct str rdata, struct arena *a, struct dns_record *out);
/* By preference, in random order inside equal ones. */
void dns_records_sort(struct dns_record *records, size_t count);

/* The RFC 8914 code for libunbound's words about a bogus answer; never unknown. */
int ede_of_bogus(struct str why);

/* --- dns.c: as dns_lookup_many, dns_addr and dns_ptr --- */

/* How to come by an answer. With unknown nothing is asked and nobody waits: when the answer is
 * not in memory, it is set and the answer is DNS_FAILED. */
struct dns_way {
	struct deadline deadline;
	bool *unknown; /* NULL: ask */
};
int dns_lookup_way(struct dns *d, const struct dns_request *requests, size_t count,
	const struct dns_way *way, struct arena *arena, struct dns_answer *answers,
	struct err *err) MUST_USE;
int dns_addr_way(struct dns *d, const char *name, const struct dns_way *way, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;
int dns_ptr_way(struct dns *d, const struct ip *ip, const struct dns_way *way, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;

/* --- cache.c: answers in memory --- */

/* Bounded by entries and octets; thread-safe. An answer lives as long as its TTL says, at most an
 * hour; what may change with the next question (bogus, failed, timeout) is never kept. */
struct dns_cache;
struct dns_cache *dns_cache_open(void);
void dns_cache_close(struct dns_cache **c);
/* False when there is none. The copy is in the arena; its ttl_s is what is left. */
bool dns_cache_get(struct dns_cache *c, const struct dns_request *request, int64_t now_ms,
	struct arena *a, struct dns_answer *answer);
void dns_cache_put(struct dns_cache *c, const struct dns_request *request, int64_t now_ms,
	const struct dns_answer *answer);

/* --- resolver.c: libunbound --- */

struct resolver;
int resolver_open(const struct dns_options *opt, struct resolver **out, struct err *err) MUST_USE;
void resolver_close(struct resolver **r);
/* Asks count (at most DNS_MANY_MAX) questions at once. */
/* Waiting askers, and later ones, get DNS_TIMEOUT at once. */
void resolver_cancel(struct resolver *r);
void resolver_ask(struct resolver *r, const struct dns_request *requests, size_t count,
	struct deadline d, struct arena *a, struct dns_answer *answers);

/* --- fixture.c --- */

struct fixture;
int fixture_open(struct str text, struct fixture **out, struct err *err) MUST_USE;
void fixture_close(struct fixture **f);
void fixture_ask(const struct fixture *f, enum dns_type type, const char *name, struct arena *a,
	struct dns_answer *answer);

/* How long the answer takes by a "delay:" line. */
int64_t fixture_delay_ms(const struct fixture *f, enum dns_type type, const char *name);

#endif
