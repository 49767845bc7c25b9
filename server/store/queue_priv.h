/* store/queue_priv - what the files of the queue and of hold rules share. For the files of
 * server/store only. */
#ifndef STORE_QUEUE_PRIV_H
#define STORE_QUEUE_PRIV_H

#include "store/db.h"
#include "store/hold.h"

/* The row that stmt (a SELECT of queue_list.c or with its columns) stands on: 1, 0 when its
 * message is gone, -1. */
int queue_row_read(struct store *s, struct db *db, sqlite3_stmt *stmt, struct arena *a,
	struct store_queue_row *row, struct err *err) MUST_USE;

/* Whether a message to dest matches the rule. */
bool hold_rule_matches(
	const struct store_hold_rule *rule, const struct store_msg_new *msg, struct str dest);
/* sender: an address, "<>" or empty for any; domain: a pattern or empty. */
bool hold_sender_matches(struct str sender, struct str domain, struct str mail_from);

/* Does it to those of ids for which it makes sense, in one write. Adds to *changed. */
int queue_act_ids(struct store *s, enum store_queue_verb verb, const int64_t *ids, size_t count,
	size_t *changed, struct err *err) MUST_USE;

/* --- quarantine.c, in operations of the writer --- */

int quarantine_insert(struct db *db, const struct store_msg_new *msg,
	const struct store_rcpt_new *rcpt, int64_t rcpt_id, int64_t now_ms,
	struct err *err) MUST_USE;
int quarantine_remove(struct db *db, int64_t rcpt_id, struct err *err) MUST_USE;

#endif
