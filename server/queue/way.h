/* way - which way a recipient's mail takes next, and why: the one decision behind every
 * delivery, the routes page and "mox queue route". */
#ifndef QUEUE_WAY_H
#define QUEUE_WAY_H

#include "policy/rcpt.h"
#include "store/queue.h"

struct way_question {
	struct str mail_from;
	struct str rcpt;
	unsigned attempts;    /* made so far */
	int64_t transport_id; /* what an admin chose for the recipient; STORE_WAY_ROUTES */
};

enum way_kind { WAY_MAILBOX, WAY_HOSTS, WAY_MX, WAY_NOWHERE };

enum way_reason {
	WAY_BY_TARGET, /* hosted: its domain or address says it */
	WAY_BY_ADMIN,  /* chosen for this recipient */
	WAY_BY_ROUTE,
	WAY_BY_DEFAULT /* no route matches */
};

struct way {
	enum way_kind kind;
	enum way_reason reason;
	struct str rcpt;                 /* whose mail it is, as asked */
	struct rcpt_target target;       /* verdict and address; not when rcpt is no address */
	struct store_route_match match;  /* WAY_BY_ADMIN with a transport, WAY_BY_ROUTE */
	const struct store_relay *relay; /* WAY_HOSTS */
	const char *transport;           /* "mailbox", "relay", "direct" or a transport's name */
	struct str domain;               /* WAY_MX: of the address, or "[ip]" */
	char ecode[12], text[512];       /* WAY_NOWHERE: why; "4.x" is for now */
};

/* The decision itself, with nothing looked up: target is resolved and no alias of several,
 * match what store_route_match said of a remote target. */
void way_decide(const struct rcpt_target *target, const struct store_route_match *match,
	int64_t transport_id, struct way *out);

/* Looks up and decides. Cannot fail: trouble is WAY_NOWHERE. All lives in the arena. */
void way_find(struct store *s, const struct config *c, const struct way_question *q,
	struct arena *a, struct way *out);

enum { WAY_ANSWERS_MAX = 100 };
/* The same for people: an alias gives a way for each of its members, at most
 * WAY_ANSWERS_MAX; *left_out of them are more. */
void way_find_all(struct store *s, const struct config *c, const struct way_question *q,
	struct arena *a, struct way **out, size_t *count, size_t *left_out);

/* In words: where it goes, and the rule that says so; a sentence or two. */
const char *way_words(const struct way *w, struct arena *a);

#endif
