/* decide - what becomes of an incoming message: one pure function from facts to accept,
 * quarantine, reject or defer, with the one rule that decided and a sentence for people. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "auth/dmarc.h"
#include "store/mailpolicy.h"

enum decide_action { DECIDE_ACCEPT, DECIDE_QUARANTINE, DECIDE_DEFER, DECIDE_REJECT };

/* In the order in which they are named when several ask for the same. */
enum decide_rule {
	RULE_NONE, /* nothing against it */
	RULE_ALLOW,
	RULE_DENY,
	RULE_CONTENT, /* a fact of a content filter */
	RULE_DMARC,
	RULE_SPF,
	RULE_IPREV,
	RULE_DNSBL,
	RULE_SCORE,
	RULE_TEMPERROR
};

/* RFC 8601 result words, for SPF, DKIM and iprev alike. */
enum decide_word {
	WORD_NONE,
	WORD_NEUTRAL,
	WORD_PASS,
	WORD_FAIL,
	WORD_SOFTFAIL,
	WORD_TEMPERROR,
	WORD_PERMERROR
};

enum decide_list { LIST_NO_MATCH, LIST_ALLOWS, LIST_DENIES };

/* What a content filter found (rspamd, ClamAV, Bayes, ...). Scores of all are added up. */
struct decide_fact {
	struct str source; /* "rspamd" */
	double score;
	enum decide_action verdict; /* DECIDE_ACCEPT: none */
	bool even_if_allowed;       /* malware: an allow list does not help */
	struct str text;            /* what it found, for people */
};

struct decide_facts {
	enum decide_list list;
	struct str list_text; /* the entry that matched, e.g. "domain example.org" */
	enum dmarc_result dmarc;
	enum dmarc_policy dmarc_policy; /* what the owner asks for when it fails */
	struct str from_domain;
	struct str override; /* not empty: a reason to overlook a failed DMARC, e.g. ARC */
	enum decide_word spf;
	struct str spf_domain;
	enum decide_word iprev;
	struct str ip;
	struct str dnsbl; /* zones that list the address, or empty */
	const struct decide_fact *facts;
	size_t fact_count;
};

struct decide_verdict {
	enum decide_action action;
	enum decide_rule rule;
	int code;              /* SMTP reply: 250, 451, 550 */
	char ecode[8];         /* "5.7.26" */
	char reply[300];       /* text for the sender's server, one line */
	char sentence[500];    /* for the admin */
	bool dmarc_overridden; /* the owner asked for more than was done */
};

void decide(const struct decide_facts *facts, const struct store_mail_policy *policy,
	struct decide_verdict *out);

/* One reply for recipients whose domains decided differently: refused only if all refuse,
 * deferred if one defers and not all refuse; else accepted, and where a domain refuses or
 * quarantines, its recipients' copy goes to quarantine. Returns the index that speaks. */
size_t decide_common(
	const struct decide_verdict *verdicts, size_t count, enum decide_action *action);

const char *decide_action_text(enum decide_action a); /* "accept", ... */
const char *decide_rule_text(enum decide_rule r);     /* "dmarc", ... */

#endif
