/* iprev - has the client a name that leads back to its address? RFC 8601 section 3. */
#ifndef AUTH_IPREV_H
#define AUTH_IPREV_H

#include "base/arena.h"
#include "dns/ask.h"

enum iprev_result {
	IPREV_PASS,      /* a name of the address has the address */
	IPREV_FAIL,      /* it has names, none has the address */
	IPREV_TEMPERROR, /* could not find out now */
	IPREV_PERMERROR  /* the address has no name */
};

enum { IPREV_NAMES_MAX = 10 }; /* names that are followed. Our choice */

struct iprev_verdict {
	enum iprev_result result;
	struct str name;         /* the one that leads back; for fail the first; may be empty */
	const struct str *names; /* all the address has, lower case, at most IPREV_NAMES_MAX */
	size_t name_count;
	bool authentic;     /* DNSSEC vouches for the PTR answer and for every answer looked at
			     * up to the match */
	struct str problem; /* in words, for all but pass */
};

/* Notes a step of kind "iprev" in the asker's trace. Names are looked up side by side. Texts
 * are in the arena. */
void iprev_check(const struct dns_asker *q, const struct ip *ip, struct arena *arena,
	struct iprev_verdict *out);

const char *iprev_result_text(enum iprev_result r); /* "pass", "fail", ... */

#endif
