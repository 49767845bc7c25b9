/* store/listmatch - the allow and deny lists in memory. For the files of server/store only. */
#ifndef STORE_LISTMATCH_H
#define STORE_LISTMATCH_H

#include "store/db.h"
#include "store/lists.h"

struct list_match *list_match_open(void);
void list_match_close(struct list_match **m);
/* A write_op.committed: what is in memory is read again at the next question. */
void list_changed(struct store *s, void *arg);

/* All entries, in lists.c. */
int list_all(struct store *s, struct arena *a, struct store_list_entry **rows, size_t *count,
	struct err *err) MUST_USE;

#endif
