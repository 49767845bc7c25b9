/* store/quarantine - copies of messages that the decision kept back: on disk with all else,
 * out of the queue until somebody releases or deletes them, or their time is over. One row a
 * recipient. Thread-safe. */
#ifndef STORE_QUARANTINE_H
#define STORE_QUARANTINE_H

#include "store/message.h"

struct store_quarantine_row {
	int64_t rcpt_id, msg_id, at_ms, size;
	struct str reason; /* a sentence */
	struct str address, mail_from, header_from, subject, remote_ip, session;
};

struct store_quarantine_filter {
	struct str domain; /* of the recipient, in A-labels; or empty */
	struct str text;   /* part of recipient, sender, subject or reason; or empty */
	int64_t before_id; /* page: rows with a smaller rcpt_id; 0 for the newest */
	int64_t until_ms;  /* only what came before; 0: all */
	size_t limit;      /* 1 to 1000 */
};

/* Newest first, in the arena. A search for text looks at no more than 50,000 rows a call:
 * *more is then true and *next_before where to go on. */
int store_quarantine_list(struct store *s, const struct store_quarantine_filter *f, struct arena *a,
	struct store_quarantine_row **rows, size_t *count, bool *more, int64_t *next_before,
	struct err *err) MUST_USE;
/* 1 found, 0 not, -1. The content is store_body_open's. */
int store_quarantine_get(struct store *s, int64_t rcpt_id, struct arena *a,
	struct store_quarantine_row *out, struct err *err) MUST_USE;
int store_quarantine_count(struct store *s, int64_t *count, struct err *err) MUST_USE;

enum store_quarantine_verb {
	STORE_QUARANTINE_RELEASE, /* into the queue, due now: delivered as it would have been */
	STORE_QUARANTINE_DELETE
};
/* Those of ids that are in quarantine. */
int store_quarantine_act(struct store *s, enum store_quarantine_verb verb, const int64_t *ids,
	size_t count, size_t *changed, struct err *err) MUST_USE;
/* All that a filter selects (page and limit are ignored), in chunks. */
int store_quarantine_act_all(struct store *s, enum store_quarantine_verb verb,
	const struct store_quarantine_filter *f, size_t *changed, struct err *err) MUST_USE;

enum { STORE_QUARANTINE_DAYS = 30, STORE_QUARANTINE_DAYS_MAX = 3650 };
/* How long copies are kept: setting QuarantineDays. */
int store_quarantine_days(struct store *s, int64_t *days, struct err *err) MUST_USE;
/* ERR_PERM when out of 1 to 3650. */
int store_quarantine_days_put(struct store *s, int64_t days, struct err *err) MUST_USE;

#endif
