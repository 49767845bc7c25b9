/* ask - a look-up on behalf of a check: the same answers as dns.h, and a step in the trace
 * that says what was asked and what came back, with its DNSSEC state. */
#ifndef DNS_ASK_H
#define DNS_ASK_H

#include "base/trace.h"
#include "dns/dns.h"

/* What a check is given to ask with. Thread-safe as long as each thread has an arena of its
 * own; dns NULL means that there are no look-ups here: every answer is then DNS_FAILED. */
struct dns_asker {
	struct dns *dns;
	struct deadline deadline;
	struct trace *trace; /* or NULL */
	/* Not NULL: nothing is asked and nobody waits. When an answer is not in memory, it is
	 * set, the answer is DNS_FAILED, and whatever came of it is to be thrown away. */
	bool *unknown;
};

/* As dns_lookup, dns_lookup_many, dns_addr and dns_ptr. */
int dns_ask(const struct dns_asker *q, enum dns_type type, const char *name, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;
int dns_ask_many(const struct dns_asker *q, const struct dns_request *requests, size_t count,
	struct arena *arena, struct dns_answer *answers, struct err *err) MUST_USE;
int dns_ask_addr(const struct dns_asker *q, const char *name, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;
int dns_ask_ptr(const struct dns_asker *q, const struct ip *ip, struct arena *arena,
	struct dns_answer *answer, struct err *err) MUST_USE;

const char *dns_type_text(enum dns_type type); /* "A", "TLSA", ... */
/* One record as people write it: "10 mx.example.org", "3 1 1 ab12...". In the arena. */
struct str dns_record_text(struct arena *arena, enum dns_type type, const struct dns_record *r);
/* What DNSSEC says of an answer. */
enum trace_dnssec dns_answer_dnssec(const struct dns_answer *answer);

#endif
