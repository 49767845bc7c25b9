/* store - the only SQL. One writer thread commits in groups; reads go through a pool
 * of read-only connections. Every function here is thread-safe and blocks; writes
 * return after their commit is on disk (WAL, synchronous=FULL). */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct store;

enum {
	STORE_SCHEMA_VERSION = 2,
	STORE_INLINE_MAX = 128 * 1024 /* bodies up to this ride in the database, larger in spool/ */
};

/* Opens or creates <data_dir>/mox.db and <data_dir>/spool/, taking the data directory's
 * lock. Refuses, touching nothing: another mox holds the lock; the schema is newer than
 * ours; the database is corrupt; the directory cannot be written. err says which.
 * Runs migrations, and the start-up check of spool against rows. */
int store_open(const char *data_dir, struct store **out, struct err *err) MUST_USE;
/* Waits for queued writes, checkpoints, closes. No other call may be running. */
void store_close(struct store **s);
/* For tools beside a running daemon: no lock, no writer, reads only. */
int store_open_readonly(const char *data_dir, struct store **out, struct err *err) MUST_USE;

const char *store_data_dir(const struct store *s);
/* Copies the database into FILE with the online backup API; spool files are the caller's. */
int store_backup(struct store *s, const char *file, struct err *err) MUST_USE;
/* After the spool files were copied to spool_dir too: messages of the copy FILE whose spool
 * file was gone by then are taken out of it when they have left the queue meanwhile (*dropped
 * of them). Others stay, and are held when mox starts from the copy. */
int store_backup_settle(struct store *s, const char *file, const char *spool_dir, size_t *dropped,
	struct err *err) MUST_USE;

/* --- settings: small named values (admin password hash, secrets) --- */

/* Returns 1 found, 0 not set, -1. */
int store_setting_get(struct store *s, const char *name, struct arena *a, struct str *value,
	struct err *err) MUST_USE;
int store_setting_put(
	struct store *s, const char *name, struct str value, struct err *err) MUST_USE;

/* Does the database take writes now? A commit of the last seconds is proof; without one a
 * small value is written. -1 says why not. */
int store_writable(struct store *s, struct err *err) MUST_USE;

/* --- counters for dashboard and metrics, kept per UTC day --- */

enum store_counter {
	STORE_COUNT_RECEIVED,   /* messages accepted */
	STORE_COUNT_DELIVERED,  /* recipients delivered (or relayed) */
	STORE_COUNT_DEFERRED,   /* attempts that will be tried again */
	STORE_COUNT_BOUNCED,    /* recipients that failed for good */
	STORE_COUNT_REJECTED,   /* recipients or messages refused with 5xx */
	STORE_COUNT_TEMPFAILED, /* refused with 4xx */
	STORE_COUNT_MAX
};
/* Adds in memory at no cost; reaches the disk with a later commit, at most some seconds. */
void store_count(struct store *s, enum store_counter counter, int64_t n);
/* The sums of the UTC day that unix_s is in, not yet committed ones included. */
int store_counts_day(
	struct store *s, int64_t unix_s, int64_t out[STORE_COUNT_MAX], struct err *err) MUST_USE;

struct store_stats { /* of the writer, since start */
	int64_t commits, operations, failed_operations, failed_commits;
	int64_t commit_us_total, commit_us_max, batch_max;
	int64_t last_commit_ms; /* monotonic, of the last that was well; 0: none */
};
void store_stats_get(struct store *s, struct store_stats *out);

#endif
