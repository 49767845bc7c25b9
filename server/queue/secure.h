/* secure - TLS policy on the way to a next hop: what the destination, the message and the
 * admin demand of each host, what came of it for reports (RFC 8460), and how to say it. */
#ifndef QUEUE_SECURE_H
#define QUEUE_SECURE_H

#include "queue/queue_priv.h"

/* What the results of one attempt for one destination are gathered in. */
struct secure_book {
	struct secure_book *next; /* of the same message */
	const char *recipient_domain;
	bool send_report; /* false: the message is a TLS report itself */
	struct tls_result rcpt;
	struct tls_result *hosts[MX_MAX];
	size_t host_count;
};

/* Takes the demands of message and admin into the hop: which sessions it may use (key), and
 * how its hosts are judged. */
void secure_demand(struct delivery *d, const struct store_claim *claim, struct next_hop *hop);

/* Opens the book of a walk to MX hosts. 0, or -1: MTA-STS could not be asked, refusal says so. */
int secure_begin(struct connect_walk *w, struct smtp_rcpt_reply *refusal) MUST_USE;
/* The domain's look-up failed: what is to be reported of that. */
void secure_destination_failed(struct connect_walk *w);
/* Chooses w->policy for w->hosts[w->host_at]. False: no mail goes to it; why is in trouble. */
bool secure_host(struct connect_walk *w, struct connect_trouble *trouble);
/* Notes what came of a connection. */
void secure_note(struct connect_walk *w, const struct tls_outcome *outcome);
/* Whether the open session keeps what REQUIRETLS promises; if not it is noted. */
bool secure_requiretls(struct connect_walk *w, const struct hop_session *s,
	const struct tls_outcome *outcome, struct connect_trouble *trouble);

/* "over TLS 1.3; the certificate matched TLSA record 3 1 1 (DANE)": the end of a sentence
 * that begins with "Delivered". plaintext_why: why TLS was given up, or NULL. */
void secure_how(const struct connect_walk *w, const struct tls_policy *policy,
	const struct tls_info *tls, const struct tls_outcome *outcome, const char *plaintext_why,
	char *out, size_t size);

/* The books as rows for the store, in the delivery's arena. */
void secure_rows(struct delivery *d, struct store_attempt *at);

#endif
