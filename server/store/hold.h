/* hold - hold rules: mail that matches one starts on hold. Look-ups are cached with the
 * routes (dircache.h); a change is seen by all mail accepted after its commit. */
#ifndef STORE_HOLD_H
#define STORE_HOLD_H

#include "store/queue.h"

struct store_hold_rule { /* all that is not empty must match */
	int64_t id;
	struct str account;       /* that submitted it */
	struct str sender_domain; /* ".x.org": x.org and all below */
	struct str sender;        /* address; case plays no part; "<>": the null sender */
	struct str rcpt_domain;   /* as sender_domain */
	struct str comment;
	int64_t created_s;
};

/* Oldest first. */
int store_hold_list(struct store *s, struct arena *a, struct store_hold_rule **rows, size_t *count,
	struct err *err) MUST_USE;
/* 1 found, 0 not, -1. */
int store_hold_get(struct store *s, int64_t id, struct arena *a, struct store_hold_rule *out,
	struct err *err) MUST_USE;
/* Adds it, and sets its id. Mail in the queue stays as it is. ERR_PERM: there is the same. */
int store_hold_add(struct store *s, struct store_hold_rule *row, struct err *err) MUST_USE;
/* What is held stays held. 0 also when it was gone. */
int store_hold_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

/* What in the queue matches the rule, in this state: for counting and acting on. */
struct store_queue_filter store_hold_filter(
	const struct store_hold_rule *rule, enum store_rcpt_state state);

#endif
