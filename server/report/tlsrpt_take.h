/* tlsrpt_take - a TLS report came in: is it fit, and into the store with it. */
#ifndef REPORT_TLSRPT_TAKE_H
#define REPORT_TLSRPT_TAKE_H

#include "auth/dkim.h"
#include "config/config.h"
#include "report/tlsrpt_mail.h"
#include "store/tlsreport.h"

enum {
	TLSRPT_POST_MAX = 2 * 1024 * 1024,   /* octets of a POST, packed or not */
	TLSRPT_REJECTED_JSON_MAX = 64 * 1024 /* octets kept of what cannot be used */
};

enum tlsrpt_taken {
	TLSRPT_TAKEN,     /* stored */
	TLSRPT_DUPLICATE, /* was there already */
	TLSRPT_REJECTED,  /* kept with the reason */
	TLSRPT_ORDINARY,  /* a mail without a report: nothing kept */
	TLSRPT_LATER      /* DNS could not tell now whether its signature is good */
};

struct tlsrpt_came { /* how it came */
	enum store_tls_report_via via;
	bool host; /* to the host's address */
	struct str mail_from, remote_ip;
	/* By mail: */
	const struct dkim_results *dkim; /* NULL: from a network we trust, not checked */
	const struct str *from_domains;  /* of the From field, A-labels */
	size_t from_count;
	struct str hostname; /* ours: reports about it are ours too */
	int64_t now_s;
};

struct tlsrpt_arrival {
	enum tlsrpt_taken taken;
	int64_t id;    /* of the report in the store, or 0 */
	char why[512]; /* a sentence, unless taken */
};

/* RFC 8460 section 5.3: a passing DKIM signature without l=, whose key is for tlsrpt or all
 * services, of the From domain or a parent of it. 1 and the domain; 0 and why not; *later: a
 * look-up failed that could have made the difference. */
int tlsrpt_dkim_check(
	const struct tlsrpt_came *came, struct str *domain, bool *later, char why[512]);

/* A whole message to a report address. -1 (ERR_TEMP, ERR_FULL): the store failed. */
int tlsrpt_take_mail(struct store *s, struct str message, const struct tlsrpt_came *came,
	struct tlsrpt_arrival *out, struct err *err) MUST_USE;
/* The body of a POST, gzip or plain. */
int tlsrpt_take_post(struct store *s, struct str body, const struct tlsrpt_came *came,
	struct tlsrpt_arrival *out, struct err *err) MUST_USE;

#endif
