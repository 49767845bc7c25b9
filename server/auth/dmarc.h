/* dmarc - does the domain in From stand behind this message (RFC 9989)? Policy records are
 * found by walking up the DNS tree, so no list of public suffixes is needed. */
#ifndef AUTH_DMARC_H
#define AUTH_DMARC_H

#include "base/arena.h"
#include "base/trace.h"
#include "dns/ask.h"

enum {
	DMARC_QUERIES_MAX = 8,      /* of one tree walk, RFC 9989 section 4.10 */
	DMARC_RECORD_MAX = 4096,    /* octets; longer ones are read as no record; our limit */
	DMARC_URIS_MAX = 20,        /* of one rua or ruf; later ones are left out; our limit */
	DMARC_NOTES_MAX = 16,       /* what was odd in a record; our limit */
	DMARC_FROM_DOMAINS_MAX = 5, /* author domains of one message; our limit (11.5) */
	DMARC_IDENTITIES_MAX = 64
};

/* --- records --- */

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
enum dmarc_alignment { DMARC_RELAXED, DMARC_STRICT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

enum {                     /* fo: when a failure report is wanted */
	DMARC_FO_ALL = 1,  /* "0": nothing aligned passed */
	DMARC_FO_ANY = 2,  /* "1" */
	DMARC_FO_DKIM = 4, /* "d" */
	DMARC_FO_SPF = 8   /* "s" */
};

struct dmarc_record {
	struct str text; /* as published */
	/* In force: NONE when p is missing, or p, sp or np is bad and rua has a URI. */
	enum dmarc_policy p, sp, np;
	bool has_p, has_sp, has_np; /* the tag is there and good */
	/* False: no good p (or a bad sp, np) and no report address either: the record stops
	 * the walk and marks the organizational domain, but asks for nothing (4.10.1). */
	bool applies;
	enum dmarc_alignment adkim, aspf;
	enum dmarc_psd psd;
	bool testing; /* t=y */
	unsigned fo;
	struct str *rua, *ruf; /* URIs with the obsolete size suffix cut off */
	size_t rua_count, ruf_count;
	struct str *notes; /* sentences: unknown, removed and bad tags */
	size_t note_count;
};

/* 1 a DMARC record, 0 text that is none (it does not start with v=DMARC1). Values that cannot
 * be read are left at their default with a note: no record of version 1 is ever an error.
 * Memory in the arena; text is copied. */
int dmarc_record_parse(struct arena *arena, struct str text, struct dmarc_record *out);

/* --- the tree walk --- */

enum dmarc_found { /* at one name */
	DMARC_FOUND_NOTHING,
	DMARC_FOUND_RECORD,
	DMARC_FOUND_SEVERAL,  /* all are discarded */
	DMARC_FOUND_TEMPERROR /* could not be looked up */
};

struct dmarc_step {
	struct str domain; /* the query was for TXT _dmarc.DOMAIN */
	enum dmarc_found found;
	bool secure;
	struct dmarc_record record;
};

struct dmarc_walk {
	struct str domain; /* where it started */
	struct dmarc_step *steps;
	size_t count;
	bool temperror, secure; /* a query that matters failed; all that were made were secure */
	struct str org;         /* organizational domain; empty when temperror hides it */
	struct str psd;         /* where psd=y was found above domain, or empty */
};

/* The names that a walk from domain asks, longest first. Returns how many. Views of domain. */
size_t dmarc_walk_names(struct str domain, struct str names[DMARC_QUERIES_MAX]);
/* domain: lower-case A-labels. */
void dmarc_walk(const struct dns_asker *ask, struct str domain, struct arena *arena,
	struct dmarc_walk *out);

enum dmarc_source { DMARC_AT_DOMAIN, DMARC_AT_ORG, DMARC_AT_PSD };

struct dmarc_lookup {
	struct str domain;
	enum dmarc_found found;
	enum dmarc_source source;
	struct str record_domain; /* where the record was found */
	struct dmarc_record record;
	struct str org; /* empty until dmarc_lookup_org when the record is the domain's own */
	bool exists;    /* the domain is not NXDOMAIN; true when that was not asked */
	bool secure;
	enum dmarc_policy published; /* p, sp or np, whichever is for this domain */
	enum dmarc_policy policy;    /* the same one step lower when t=y */
	const char *tag;             /* "p", "sp", "np": where published comes from */
	struct dmarc_walk walk;
	struct str text; /* a sentence */
};

/* Policy discovery (section 4.10.1): what the owner of domain asks for. */
void dmarc_lookup(const struct dns_asker *ask, struct str domain, struct arena *arena,
	struct dmarc_lookup *out);

/* Finds the organizational domain too, unless the walk fails (walk.temperror). */
void dmarc_lookup_org(const struct dns_asker *ask, struct arena *arena, struct dmarc_lookup *l);

/* --- evaluation --- */

enum dmarc_result {
	DMARC_NONE, /* no policy, or no single From domain to ask */
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR,
	DMARC_PERMERROR /* From cannot be read, or names too many domains */
};

/* What was authenticated, or could not be decided. */
struct dmarc_identity {
	struct str domain;   /* A-labels */
	struct str selector; /* DKIM only */
	bool temperror;      /* not authenticated, but might be at another time */
};

struct dmarc_input {
	const struct str *from_domains; /* distinct author domains, A-labels in lower case */
	size_t from_count;
	bool from_bad; /* From is missing, repeated or cannot be read */
	const struct dmarc_identity *spf, *dkim;
	size_t spf_count, dkim_count;
	/* One for each From domain, when dmarc_lookup was called already; or NULL. */
	const struct dmarc_lookup *lookups;
};

struct dmarc_verdict {
	enum dmarc_result result;
	struct str from_domain; /* the one that decided */
	struct dmarc_lookup lookup;
	/* For a fail: what the owner asks for, t=y considered. Else NONE. */
	enum dmarc_policy policy;
	bool spf_aligned, dkim_aligned;
	struct str aligned_domain; /* one that made it pass */
	bool secure;
	struct str text; /* a sentence */
};

/* Could the two be of one organization, as far as their names go? Then alignment will want to
 * know their organizational domains. */
bool dmarc_related(struct str a, struct str b);

void dmarc_evaluate(const struct dns_asker *ask, const struct dmarc_input *in, struct arena *arena,
	struct dmarc_verdict *out);

const char *dmarc_policy_text(enum dmarc_policy p); /* "none", "quarantine", "reject" */
const char *dmarc_result_text(enum dmarc_result r); /* RFC 8601 words */

#endif
