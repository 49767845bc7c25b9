/* store/mailpolicy - what a hosted domain does with the verdicts on its incoming mail. A
 * domain without a row has the defaults. Values are taken as they are: policy/admin.h
 * checks them first. */
#ifndef STORE_MAILPOLICY_H
#define STORE_MAILPOLICY_H

#include "store/store.h"

enum store_measure { STORE_MEASURE_OFF, STORE_MEASURE_QUARANTINE, STORE_MEASURE_REJECT };

enum store_dmarc_measure {
	STORE_DMARC_HONOUR,     /* do what the owner of the From domain asks for */
	STORE_DMARC_QUARANTINE, /* the same, but quarantine where reject is asked for */
	STORE_DMARC_OFF         /* note the result, do nothing */
};

struct store_mail_policy {
	int64_t domain_id;
	enum store_dmarc_measure dmarc;
	enum store_measure spf;   /* on SPF fail ("-all") without a DMARC pass */
	enum store_measure iprev; /* on an address without a confirmed reverse name */
	enum store_measure dnsbl; /* on an address that a block list has */
	bool temperror_defer;     /* checks that could not be made: 4xx instead of accepting */
	bool sender_mx;           /* refuse senders whose domain takes no mail back */
	/* Sum of content filters' scores, in hundredths; 0: off. */
	int64_t quarantine_score, reject_score;
};

void store_mail_policy_default(struct store_mail_policy *out);
/* The stored one, or the defaults with domain_id set. Cached. */
int store_mail_policy_get(struct store *s, int64_t domain_id, struct store_mail_policy *out,
	struct err *err) MUST_USE;
/* ERR_PERM: the domain is gone. */
int store_mail_policy_put(
	struct store *s, const struct store_mail_policy *row, struct err *err) MUST_USE;

#endif
