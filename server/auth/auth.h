/* auth - who sent this? The facade over iprev, SPF, DKIM, ARC, DMARC and block lists. All
 * look-ups of a message run side by side, so it takes as long as the slowest of them, and
 * never longer than the deadline; what could not be found out by then is a temperror. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/dnsbl.h"
#include "auth/iprev.h"
#include "auth/spf.h"
#include "base/buf.h"

enum { AUTH_DEADLINE_MS = 10 * 1000, AUTH_THREADS_MAX = 64 };

/* Threads for look-ups, shared by all checks: started when needed, at most max, idle ones end.
 * With all of them busy a check does its look-ups itself, one after the other. */
struct auth_pool;
struct auth_pool *auth_pool_open(unsigned max);
/* Waits for its threads; no check may be open. */
void auth_pool_close(struct auth_pool **p);

struct auth_options { /* all of it must outlive the check */
	struct dns *dns;
	struct auth_pool *pool; /* NULL: look-ups one after the other */
	struct deadline deadline;
	struct ip ip;                      /* of the client; len 0: no iprev, SPF, block lists */
	struct str helo;                   /* as said */
	struct str mail_from;              /* "user@example.org", empty: the null sender */
	struct str hostname;               /* ours */
	struct str header;                 /* the header block as received */
	struct dnsbl *dnsbl;               /* NULL: no block lists */
	const struct str *zones, *sealers; /* DNS block lists; whose ARC chains we trust */
	size_t zone_count, sealer_count;
	int64_t now_s;
	struct trace *trace; /* or NULL */
};

struct auth_result {
	bool has_iprev, has_spf; /* the client's address is known */
	struct iprev_verdict iprev;
	struct spf_verdict spf;      /* of MAIL FROM; of HELO for the null sender */
	struct spf_verdict spf_helo; /* of HELO, when it is a name */
	bool has_spf_helo;
	struct dkim_results dkim;
	struct arc_result arc;
	struct dmarc_verdict dmarc;
	const struct arc_set *arc_set; /* a trusted one that saw DMARC pass, or NULL */
	struct dnsbl_verdict *dnsbl;
	size_t dnsbl_count;
	struct str *from_domains; /* distinct author domains, A-labels */
	size_t from_count;
	struct str from_address; /* the first, "user@example.org"; or empty */
};

struct auth_check;

/* The dialogue, on one thread: open, the body in pieces, finish, and when the result is not
 * needed any more free. Look-ups begin with auth_open. */
struct auth_check *auth_open(const struct auth_options *opt);
void auth_body(struct auth_check *c, struct str piece);
/* The result lives as long as the check. */
const struct auth_result *auth_finish(struct auth_check *c);
/* Also before auth_finish. */
void auth_free(struct auth_check **c);

/* --- header fields --- */

struct auth_header {
	struct str authserv_id; /* our host name */
	const struct auth_result *result;
	struct str ip;              /* of the client */
	struct str helo, mail_from; /* as in auth_options */
	struct str
		dmarc_override; /* why a failed DMARC was overlooked (RFC 9990 names), or empty */
};

/* Authentication-Results (RFC 8601) with DNSSEC's word as comment of each method, then
 * Received-SPF (RFC 7208 section 9.1); folded, CRLF-ended. */
void auth_header_write(struct buf *out, const struct auth_header *h);
/* What follows "Authentication-Results:", for sealing with ARC: without the last line end. */
void auth_results_write(struct buf *out, const struct auth_header *h);
/* On submission: auth=pass. */
void auth_header_submission(struct buf *out, struct str authserv_id, struct str mail_from);

/* Does an Authentication-Results field (its value) claim to be made by authserv_id? Reads over
 * folding, comments, quotes, case, encoded words, versions, final dots; a value that cannot be
 * read is taken for ours when our name is in it. */
bool auth_results_claims(struct str value, struct str authserv_id);
/* Whether there is any such field in a header block. */
bool auth_forged_any(struct str header, struct str authserv_id);
/* Takes them out of a block (with what follows it), in place (RFC 8601 section 5). Fields of
 * ARC stay: they are sealed and say who made them. */
void auth_forged_strip(struct buf *head, struct str authserv_id);

#endif
