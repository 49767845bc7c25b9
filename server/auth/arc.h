/* arc - Authenticated Received Chain, RFC 8617: what earlier hops say they saw, sealed.
 *
 * Verifying shares the pass over the body with DKIM: a dkim_verifier reads the ARC sets too. */
#ifndef AUTH_ARC_H
#define AUTH_ARC_H

#include "auth/dkim.h"

enum { ARC_SETS_MAX = 50 }; /* RFC 8617 section 4.2.1 */

enum arc_status {
	ARC_NONE, /* no ARC fields */
	ARC_PASS,
	ARC_FAIL
};
const char *arc_status_text(enum arc_status s); /* "none", "pass", "fail": also cv= */

struct arc_set {
	unsigned instance;        /* i= */
	struct str sealer;        /* d= of the ARC-Seal, A-labels in lower case */
	struct str selector;      /* its s= */
	struct str signer;        /* d= of the ARC-Message-Signature */
	struct str results;       /* value of ARC-Authentication-Results after "i=N;", unfolded */
	bool seal_valid;          /* looked at for every set of a chain whose structure is right */
	enum dkim_status message; /* of the ARC-Message-Signature; DKIM_NONE: not looked at */
	bool authentic;           /* the key of the seal was DNSSEC-validated */
};

struct arc_result {
	enum arc_status status;
	bool temporary;       /* a fail, but only because a key could not be looked up now */
	struct arc_set *sets; /* newest first; empty when the structure is broken */
	size_t count;
	bool cv_fail;         /* a hop before us found it broken and said so: nothing is added */
	unsigned highest;     /* largest i= seen, 0 for none */
	unsigned oldest_pass; /* RFC 8617 section 5.2: with status pass, the oldest i= from which
			       * on message signatures are valid; 0: the message was not changed
			       * since the first set */
	struct str why;       /* a sentence */
};

/* After the last piece of the body; before or after dkim_verifier_finish. Fills *out (in the
 * arena), adds a step to q->trace. */
void arc_verifier_finish(struct dkim_verifier *v, const struct dns_asker *q, struct arena *arena,
	struct arc_result *out);

/* Whose word on a message we take: sealers is a list of domains (A-labels, lower case), which
 * stand for their subdomains too. From the newest set on, as long as the sealer is listed, each
 * set's results are looked at: 1 with *set when one of them says dmarc=pass for a From domain
 * equal to from_domain (or without one named) - then a DMARC failure here is explained; else 0.
 * Always 0 when the chain does not pass. */
int arc_result_vouches(const struct arc_result *r, const struct str *sealers, size_t sealer_count,
	struct str from_domain, const struct arc_set **set);

/* --- seal --- */

struct arc_seal_options {
	struct dkim_selector selector; /* expiration_s, seal and identity are not used */
	/* The new set's results: authserv-id and what follows, as in an Authentication-Results
	 * field, without the field name. May be folded with CRLF WSP. */
	struct str results;
	/* Of the message as it came in, from arc_verifier_finish. */
	const struct arc_result *chain;
};

/* Adds one ARC set to a message that goes on to another host. header: the block as it will be
 * sent, without the fields this adds. Feed and free are dkim_signer_feed and _free. */
struct dkim_signer *arc_sealer_new(
	struct str header, const struct arc_seal_options *opt, int64_t now_s);
/* 1 and three fields in out: to be put above the header. 0: there is nothing to seal, because
 * the chain has failed at an earlier hop already, could not be checked now, or has ARC_SETS_MAX
 * sets (RFC 8617 section
 * 5.1). -1 as dkim_signer_finish. */
int arc_sealer_finish(struct dkim_signer *s, struct buf *out, struct err *err) MUST_USE;

#endif
