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

#endif
