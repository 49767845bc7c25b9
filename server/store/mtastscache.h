/* store/mtastscache - MTA-STS policies of other domains, as last fetched (RFC 8461). */
#ifndef STORE_MTASTSCACHE_H
#define STORE_MTASTSCACHE_H

#include "store/store.h"

enum store_mtasts_mode {
	STORE_MTASTS_MODE_NONE,
	STORE_MTASTS_MODE_TESTING,
	STORE_MTASTS_MODE_ENFORCE
};

struct store_mtasts {
	struct str domain;    /* A-labels, lower case */
	struct str record_id; /* of the TXT record the policy came with; may be empty */
	struct str text;      /* the policy file; empty for a back-off without a policy */
	int mode;             /* enum store_mtasts_mode */
	int64_t max_age_s;
	int64_t inserted_s, updated_s, used_s;
	int64_t valid_until_s;
	int64_t failed_s;  /* when the last fetch failed; 0: it did not */
	bool backoff;      /* a fetch failed and there is no policy: none until valid_until_s */
	struct str reason; /* what the last fetch failed of; empty when it did not */
};

/* Whether valid or not: 1 found, 0, -1. */
int store_mtasts_find(struct store *s, struct str domain, struct arena *a, struct store_mtasts *out,
	struct err *err) MUST_USE;
/* Inserts or replaces; the inserted_s of a row that is there stays. */
int store_mtasts_put(struct store *s, const struct store_mtasts *row, struct err *err) MUST_USE;
/* The same for a row that is there and was last updated at expect_updated_s, without used_s;
 * *changed false: it is not, and nothing was done. */
int store_mtasts_refreshed(struct store *s, const struct store_mtasts *row,
	int64_t expect_updated_s, bool *changed, struct err *err) MUST_USE;
/* Somebody asked for it. */
int store_mtasts_used(struct store *s, struct str domain, int64_t now_s, struct err *err) MUST_USE;
/* *changed: whether there was one. */
int store_mtasts_delete(
	struct store *s, struct str domain, bool *changed, struct err *err) MUST_USE;
/* Deletes rows not asked for since used_before_s. *count: how many. */
int store_mtasts_purge(
	struct store *s, int64_t used_before_s, size_t *count, struct err *err) MUST_USE;
/* Domains of rows updated before updated_before_s, at most limit, oldest first. */
int store_mtasts_stale(struct store *s, int64_t updated_before_s, size_t limit, struct arena *a,
	struct str **domains, size_t *count, struct err *err) MUST_USE;

enum { STORE_MTASTS_FILTER_ANY = -1, STORE_MTASTS_FILTER_BACKOFF = 3 };
struct store_mtasts_filter {
	struct str text; /* part of the domain, or empty */
	int mode; /* enum store_mtasts_mode (of rows not in back-off), or STORE_MTASTS_FILTER_* */
	struct str after; /* page: "used_s domain" of the last row before it, or empty */
	size_t limit;     /* 1 to 1000 */
};
/* Last used first, then by domain descending. *more: there is a next page, after *next. */
int store_mtasts_list(struct store *s, const struct store_mtasts_filter *f, struct arena *a,
	struct store_mtasts **rows, size_t *count, bool *more, struct str *next,
	struct err *err) MUST_USE;
/* Rows in all, and those in back-off. */
int store_mtasts_count(struct store *s, int64_t *all, int64_t *backoff, struct err *err) MUST_USE;

#endif
