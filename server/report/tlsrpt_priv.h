/* tlsrpt_priv - what the files of tlsrpt_send share. */
#ifndef REPORT_TLSRPT_PRIV_H
#define REPORT_TLSRPT_PRIV_H

#include "report/tlsrpt_send.h"

struct tlsrpt_signer {   /* who a report is from; release with signing_keys_release(&keys) */
	struct str from; /* postmaster@domain */
	struct signing_keys keys;
};
/* The domain whose keys sign: the host name's or the nearest above it that is ours, else the
 * first of our domains that has a key. 1, 0 none (*why says it), -1. */
int tlsrpt_signer_find(const struct tlsrpt_means *m, const char *hostname, struct arena *a,
	struct tlsrpt_signer *out, char why[512], struct err *err) MUST_USE;

struct tlsrpt_letter { /* what a mail is made of */
	const char *hostname;
	struct str policy_domain;
	const struct tlsrpt_report *report;
	struct str packed; /* gzip */
	struct str from;   /* postmaster@domain */
	struct str to;     /* To field: "a@x.org, b@x.org" */
	bool utf8;         /* to is not ASCII */
	int64_t now_s;
};
/* The signed message, in the arena. */
int tlsrpt_compose(struct arena *a, const struct tlsrpt_letter *letter,
	const struct signing_keys *keys, struct str *message, struct str *message_id,
	struct str *subject, struct err *err) MUST_USE;

/* Rows of a day as one report's policies: equal ones add up (spec 6.2). */
void tlsrpt_merge(struct arena *a, const struct store_tls_result *rows, size_t count,
	struct tlsrpt_report *report);

#endif
