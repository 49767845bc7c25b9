/* rcpt - which recipient is ours, and what becomes of it: the one code that RCPT, the
 * queue and the pages ask. */
#ifndef POLICY_RCPT_H
#define POLICY_RCPT_H

#include "config/config.h"
#include "message/message.h"
#include "store/directory.h"

enum rcpt_verdict {
	RCPT_MAILBOX,       /* an account's Maildir */
	RCPT_ALIAS,         /* members */
	RCPT_RELAY,         /* hosted, goes to internal hosts */
	RCPT_RELAY_CALLOUT, /* hosted, the backend must be asked whether it exists */
	RCPT_REMOTE,        /* not hosted: only for those who may relay */
	RCPT_UNKNOWN_USER,  /* hosted domain, no such address */
	RCPT_DOMAIN_DISABLED
};

struct rcpt_target {
	enum rcpt_verdict verdict;
	struct str address;         /* normal form: local part as stored or given, A-label domain */
	struct str dest;            /* queue destination */
	struct store_domain domain; /* when hosted */
	struct store_address entry; /* when an address row matched */
	struct store_account account;    /* RCPT_MAILBOX */
	const struct store_relay *relay; /* RCPT_RELAY*: the entry's or the domain's */
	/* It takes TLS reports (RFC 8460), for a domain or for the host itself; and nobody reads it
	 * beside: whatever the verdict says, the gateway keeps the report and that is all. */
	bool report, report_host, report_only;
};

/* Case rule, "+" separator and catch-all applied. addr.domain may be Unicode. An address
 * with a domain that cannot be one is ERR_PERM; trouble with the store ERR_TEMP.
 * In localserve mode a domain that is not hosted counts as a mailbox of account "mox".
 * postmaster (any case) of a hosted domain is known as long as the domain has somebody (RFC
 * 5321 4.5.1): when nothing else has it, not even a catch-all, it falls to the postmaster
 * account, without one to the account of the domain's oldest mailbox address. That of the host
 * name itself is the postmaster account's. */
int rcpt_resolve(struct store *s, const struct config *c, const struct message_address *addr,
	struct arena *a, struct rcpt_target *out, struct err *err) MUST_USE;

enum { RCPT_EXPANSION_MAX = 1000, RCPT_ALIAS_DEPTH_MAX = 8 };
/* The final recipients of an alias, without doubles; loops and depth are cut off with
 * ERR_PERM. A plain target gives itself. */
int rcpt_expand(struct store *s, const struct config *c, const struct rcpt_target *target,
	struct arena *a, struct rcpt_target **out, size_t *count, struct err *err) MUST_USE;

/* May the account send as this address? Its own addresses, aliases they are member of not
 * included; a catch-all of the account covers its domain. 1 yes, 0 no, -1. */
int rcpt_account_owns(struct store *s, const struct config *c, struct str account,
	const struct message_address *addr, struct arena *a, struct err *err) MUST_USE;

#endif
