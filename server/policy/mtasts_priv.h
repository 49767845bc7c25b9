/* mtasts_priv - what the files of the MTA-STS cache share. */
#ifndef POLICY_MTASTS_PRIV_H
#define POLICY_MTASTS_PRIV_H

#include "policy/mtasts.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	MTASTS_DNS_MS = 30 * 1000,
	MTASTS_USED_STEP_S = 60, /* used_s is written when it is older */
	MTASTS_REFRESHERS = 4    /* threads */
};

/* One domain being looked up for all who ask meanwhile. */
struct mtasts_flight {
	char domain[DNS_NAME_MAX];
	unsigned refs;
	bool done;
	bool shared; /* found, rc and err are for those who waited; else they try themselves */
	int rc;
	struct err err;
	struct arena *arena;
	struct mtasts_found found;
	struct mtasts_flight *next;
};

struct mtasts_plan { /* the refreshes of a day */
	struct arena *arena;
	struct str *domains;
	int64_t *due_s;
	size_t count, at;
	int64_t next_pass_s; /* 0: at once */
};

struct mtasts {
	struct mtasts_options opt;
	pthread_mutex_t lock; /* guards the flights, the plan and stopping */
	pthread_cond_t landed, wake;
	struct mtasts_flight *flights;
	struct mtasts_plan plan;
	bool stopping;
	pthread_t threads[MTASTS_REFRESHERS];
	size_t thread_count;
	_Atomic int64_t lookups, fetches, fetch_failures, waited;
};

/* --- mtasts_fetch.c --- */

/* The TXT record: status, record, fact, reason, text. -1: it could not be asked. */
int mtasts_record_get(const char *domain, const struct dns_asker *ask, struct arena *a,
	struct mtasts_lookup *out, struct err *err) MUST_USE;
/* The policy file, after a record: status and policy. */
int mtasts_policy_fetch(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err) MUST_USE;

/* --- mtasts_flight.c --- */

/* Returns a flight: a new one that is the caller's to land (done false), or one of another
 * that has landed. NULL: the deadline passed. To be left afterwards. */
struct mtasts_flight *mtasts_flight_enter(
	struct mtasts *m, const char *domain, struct deadline deadline);
/* Ends the caller's flight; found (copied) and rc are for those who wait, or NULL: they shall
 * look themselves. */
void mtasts_flight_land(struct mtasts *m, struct mtasts_flight *f, const struct mtasts_found *found,
	int rc, const struct err *err);
void mtasts_flight_leave(struct mtasts *m, struct mtasts_flight *f);
void mtasts_found_copy(struct arena *a, const struct mtasts_found *from, struct mtasts_found *to);

/* --- mtasts.c --- */

/* The policy of a row; false when it has none. */
bool mtasts_row_policy(struct arena *a, const struct store_mtasts *row, struct mtasts_policy *out);
/* What a finished look-up leaves in the cache for a domain without a valid policy. */
void mtasts_row_make(
	const char *domain, const struct mtasts_lookup *l, int64_t now_s, struct store_mtasts *row);

/* --- mtasts_refresh.c --- */

void *mtasts_refresh_run(void *arg);

#endif
