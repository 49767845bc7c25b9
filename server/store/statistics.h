/* store/statistics - what the dashboard draws: mail by hour and by day, busy domains, the
 * queue's depth over time. Counted in memory and written with the group commit every few
 * seconds; read by small index ranges, whatever the size of queue and log. Times are UTC. */
#ifndef STORE_STATISTICS_H
#define STORE_STATISTICS_H

#include "store/store.h"

enum {
	STORE_STAT_HOURS = 35 * 24, /* hours and domains are kept so long */
	STORE_STAT_DAYS = 400,      /* days */
	STORE_STAT_SLOTS_MAX = 400
};

struct store_stat_slot { /* one hour or day */
	int64_t start_s;
	int64_t counts[STORE_COUNT_MAX];
	/* Recipients in the queue: most and last in this hour; -1 when nothing is known. Hours
	 * only. An hour without any change has the last figure before it. */
	int64_t queue_max, queue_last;
};
/* The last n hours (or days) up to the one that now_s is in, oldest first, into out[n].
 * What is not yet committed is included. n is at most STORE_STAT_SLOTS_MAX. */
int store_stat_hours(struct store *s, int64_t now_s, size_t n, struct store_stat_slot *out,
	struct err *err) MUST_USE;
int store_stat_days(struct store *s, int64_t now_s, size_t n, struct store_stat_slot *out,
	struct err *err) MUST_USE;

struct store_stat_domain { /* recipients at this domain */
	struct str domain;
	int64_t accepted, delivered, deferred, failed;
};
/* The domains with most of all four together on the days from since_s on, busiest first, at
 * most limit, into the arena. On days with very many domains the rare ones are left out.
 * Some seconds late. */
int store_stat_domains(struct store *s, int64_t since_s, size_t limit, struct arena *a,
	struct store_stat_domain **rows, size_t *count, struct err *err) MUST_USE;

/* Is any domain set up? */
int store_any_domain(struct store *s, bool *any, struct err *err) MUST_USE;

#endif
