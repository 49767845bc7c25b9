/* spf - may this client send for that domain? RFC 7208, all of it.
 *
 * A check is pure but for its look-ups, which go through a struct dns_asker; it can always say
 * something, so nothing here returns an error. Thread-safe as long as each thread has an arena
 * of its own. */
#ifndef AUTH_SPF_H
#define AUTH_SPF_H

#include "base/arena.h"
#include "dns/ask.h"

enum spf_result { /* RFC 7208 section 2.6 */
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR
};

enum spf_identity {
	SPF_MAILFROM, /* section 2.4; a null sender stands for postmaster@HELO */
	SPF_HELO      /* section 2.3 */
};

enum {
	SPF_RECORD_MAX = 65535,   /* octets of a record that are read */
	SPF_TERMS_MAX = 1000,     /* of a record; more is a permerror. Our choice */
	SPF_LOOKUPS_MAX = 10,     /* section 4.6.4 */
	SPF_VOIDS_MAX = 2,        /* section 4.6.4 */
	SPF_NAMES_MAX = 10,       /* names of one mx, one ptr or %{p}; section 4.6.4 */
	SPF_EXPLANATION_MAX = 500 /* octets of an explanation; longer ones are dropped. Our choice:
				   * a reply line holds no more (RFC 5321 section 4.5.3.1.5) */
};

struct spf_args {
	struct ip ip;        /* of the client */
	struct str helo;     /* as the client said it; "[192.0.2.1]" for a literal */
	struct str mailfrom; /* "user@example.org"; empty: the null sender. The domain may be
			      * Unicode, it is asked for in A-labels */
	struct str receiver; /* our host name, for %{r}; empty: "unknown" (section 7.3) */
	int64_t now_unix_s;  /* for %{t} */
};

/* All texts are in the arena, printable ASCII, without CR, LF and NUL. */
struct spf_verdict {
	enum spf_result result;
	enum spf_identity identity; /* what was checked: SPF_HELO also for a null sender */
	struct str domain;          /* that was checked, A-labels, lower case; may be empty */
	struct str mechanism;       /* the one that decided, as it stands in the record: "-all",
				     * "ip4:192.0.2.0/24"; "default" when none did (section 9.1).
				     * Empty for none, temperror, permerror */
	struct str record;          /* "v=spf1 ..." of domain; empty when there was none */
	struct str explanation;     /* of the domain for a fail (section 6.2): words of a stranger.
				     * May be empty */
	struct str problem;         /* a sentence: why none, temperror or permerror; else empty */
	bool authentic;             /* there was at least one look-up, and DNSSEC vouches for every
				     * answer that the result stands on */
	unsigned lookups, void_lookups;
};

/* check_host() of section 4. Notes a step of kind "spf" in the asker's trace, after those of
 * the look-ups. When the deadline passes the result is temperror. */
void spf_check(const struct dns_asker *q, const struct spf_args *args, enum spf_identity identity,
	struct arena *arena, struct spf_verdict *out);

const char *spf_result_text(enum spf_result r);     /* "pass", "softfail", ... */
const char *spf_identity_text(enum spf_identity i); /* "mailfrom", "helo" (section 9.1) */

/* --- records, section 4.6.1 and 12 --- */

enum spf_mechanism { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS };

struct spf_term {
	enum spf_mechanism mechanism;
	enum spf_result qualifier; /* SPF_PASS, SPF_FAIL, SPF_SOFTFAIL or SPF_NEUTRAL */
	struct str text;           /* as it stands in the record */
	struct str domain_spec;    /* macros not expanded; empty: the current domain */
	struct ip ip;              /* ip4, ip6 */
	unsigned bits4, bits6;     /* a, mx: 32 and 128 when not given; ip4, ip6: of the network */
};

struct spf_record {
	struct spf_term *terms; /* in the arena */
	size_t term_count;
	struct str redirect; /* domain-spec; empty: none */
	struct str explain;  /* domain-spec of exp=; empty: none */
	struct str *unknown; /* other modifiers, "name=value" */
	size_t unknown_count;
};

/* Whether a TXT record is one of SPF: "v=spf1" and then its end or a space (section 4.5). */
bool spf_record_is(struct str txt);
/* Parses a record. Views point into txt. -1 (ERR_PERM): bad syntax, the text says what and
 * where; that is a permerror wherever it stands in the record (section 4.6). */
int spf_record_parse(
	struct arena *arena, struct str txt, struct spf_record *out, struct err *err) MUST_USE;

struct spf_record_answer {
	enum spf_result result;   /* SPF_PASS: one record; SPF_NONE, SPF_TEMPERROR; SPF_PERMERROR:
				   * several records, or bad syntax */
	struct str text;          /* the record */
	struct spf_record record; /* parsed, for SPF_PASS */
	struct str problem;       /* in words, for all but SPF_PASS */
	bool authentic;
};

/* Section 4.4 and 4.5: the record of a domain (A-labels). */
void spf_lookup(const struct dns_asker *q, const char *domain, struct arena *arena,
	struct spf_record_answer *out);

#endif
