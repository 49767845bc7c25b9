/* store/msglog_priv - what the files of the message log share.
 *
 * msglog.c writes rows, msglog_watch.c holds refusals that wait and tells who watches,
 * msglog_find.c searches, msglog_keep.c is the thread: it seals runs and removes old rows.
 *
 * Searching: every RUN messages make a run. When it is complete its tokens (hashes of
 * addresses, domains, ids) are sorted and written together, so that a commit of mail never
 * touches an index at a random place. A search reads the rows not yet sealed one by one and
 * asks each older run for its hash; what is found is compared with the row itself. */
#ifndef STORE_MSGLOG_PRIV_H
#define STORE_MSGLOG_PRIV_H

#include "store/db.h"

enum {
	RUN_SHIFT = 11, /* 2048 messages */
	RUN = 1 << RUN_SHIFT,
	CHANGES_MAX = 1024 /* that a slow reader may be behind */
};

struct refusal { /* copied, all in the arena of its list */
	struct store_msglog_refusal r;
	int64_t at_ms;
	struct refusal *next;
};

struct refusals {
	struct arena *arena;
	struct refusal *first, **last;
	size_t count;
};

struct msglog {
	pthread_mutex_t lock; /* all of it but what is atomic */
	pthread_cond_t work;  /* for the thread */
	pthread_cond_t watch; /* for who waits for changes */
	pthread_t thread;
	bool running, stop, woken, expire_soon;
	struct refusals waiting;
	_Atomic int64_t lost;
	int64_t changes[CHANGES_MAX]; /* message ids, a ring */
	int64_t change_count;         /* ever */
	unsigned watchers;

	/* Tokens of late events: those of messages below late_from are written at once, as their
	 * run is sealed or being sealed. Writer thread only. */
	int64_t late_from;
};

enum token_kind { TOKEN_ADDRESS, TOKEN_DOMAIN, TOKEN_SESSION, TOKEN_MESSAGE_ID, TOKEN_IP };

/* 48 bits; upper case counts as lower case. */
int64_t msglog_token(enum token_kind kind, struct str text);
/* What is behind the last "@"; empty when there is none. */
struct str msglog_domain(struct str address);

/* Takes the refusals that wait. */
struct refusals msglog_refusals_take(struct msglog *l);
/* Writes refusals; called by the thread. */
int msglog_refusals_write(struct store *s, struct refusals *list, struct err *err) MUST_USE;
int msglog_token_add(struct db *db, int64_t id, int64_t hash, struct err *err) MUST_USE;
/* The first run that is not sealed, as the connection sees it. */
int msglog_sealed(struct db *db, int64_t *run, struct err *err) MUST_USE;
/* Messages of the log whose id is at least from. *id 0: none. */
int msglog_first_from(
	struct db *db, int64_t from, int64_t *id, int64_t *at_ms, struct err *err) MUST_USE;

void *msglog_keep_run(void *arg); /* arg: the store */

#endif
