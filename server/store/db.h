/* store/db - one SQLite connection with its prepared statements, and the insides of
 * struct store. For the files of server/store only. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "store/message.h"
#include "store/msglog.h"
#include "store/queue.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum { DB_STATEMENTS_MAX = 512, DB_READERS_MAX = 8 };

/* Used by one thread at a time. */
struct db {
	sqlite3 *h;
	struct {
		const char *sql; /* found by address: statements are static const char[] */
		sqlite3_stmt *stmt;
	} cache[DB_STATEMENTS_MAX];
	struct db *next; /* free list of readers */
};

int db_open(const char *file, int flags, struct db **out, struct err *err) MUST_USE;
void db_close(struct db **db);
/* Fills err from the connection's last error; full disks become ERR_FULL. Returns -1. */
int db_error(struct db *db, const char *what, struct err *err);
/* A cached statement, reset, without bindings; NULL on failure. */
sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err) MUST_USE;
/* 1 a row, 0 done, -1. Resets the statement when it returns 0 or -1. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err) MUST_USE;
/* Runs text without results, or without interest in them. */
int db_exec(struct db *db, const char *sql, struct err *err) MUST_USE;

/* Binding cannot fail but by a wrong index or no memory: both abort. Text is not copied:
 * it must live until the statement is reset. An empty str is bound as "". */
void db_bind_int(sqlite3_stmt *stmt, int at, int64_t value);
void db_bind_str(sqlite3_stmt *stmt, int at, struct str value);
void db_bind_blob(sqlite3_stmt *stmt, int at, struct str value);
struct str db_column(sqlite3_stmt *stmt, int at, struct arena *a);
static inline int64_t db_column_int(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_int64(stmt, at);
}

/* --- the insides of struct store --- */

struct due_map;
struct msglog;
struct dir_cache;
struct dir_lists;
struct list_match;
struct stat_map;

struct write_op {
	/* Runs on the writer thread inside the transaction, in a savepoint of its own. */
	int (*run)(struct store *s, struct db *db, void *arg, struct err *err);
	/* After the commit is on disk, before the waiter wakes; may be NULL. */
	void (*committed)(struct store *s, void *arg);
	void *arg;
	/* The writer's: */
	struct err *err;
	int rc;
	bool done;
	pthread_cond_t cond;
	struct write_op *next;
};

enum checkpoint_state {
	CHECKPOINT_IDLE,
	CHECKPOINT_WANTED, /* the thread copies */
	CHECKPOINT_COPIED, /* the writer's turn */
	CHECKPOINT_STOP
};

struct store {
	char *data_dir;
	char *db_file;
	char *spool_dir;
	int lock_fd;
	bool readonly;

	/* writer */
	struct db *writer;
	pthread_t writer_thread;
	pthread_mutex_t write_lock; /* guards the list, the flags and stats */
	pthread_cond_t write_cond;
	struct write_op *write_head, **write_tail;
	bool write_stop, writer_running;
	struct store_stats stats;
	int64_t next_msg_id;  /* writer thread only, as is the next */
	int64_t ids_reserved; /* ids below it may be given; on disk as queue_gauge.next_id */

	/* checkpoints */
	struct db *checkpointer;
	pthread_t checkpoint_thread;
	pthread_mutex_t checkpoint_lock;
	pthread_cond_t checkpoint_cond;
	enum checkpoint_state checkpoint_state;
	bool checkpoint_running;
	int wal_pages;    /* writer thread only; so is log_size */
	int64_t log_size; /* octets that the log's file has without growing */

	/* readers */
	pthread_mutex_t read_lock;
	pthread_cond_t read_cond;
	struct db *read_free;
	size_t read_open;

	_Atomic int64_t counts[STORE_COUNT_MAX]; /* not yet committed */
	_Atomic int64_t messages;                /* in the queue */

	struct due_map *due;
	struct dir_cache *dir;
	struct dir_lists *lists;
	struct list_match *match;
	struct msglog *log;
	struct stat_map *stat; /* writer thread only */
};

/* Queues op and waits until its group is committed. 0, or -1 with err. */
int store_write(struct store *s, struct write_op *op, struct err *err) MUST_USE;
int writer_start(struct store *s, struct err *err) MUST_USE;
void writer_stop(struct store *s);

/* The figures of table queue_gauge. At start ids are reserved, so that a commit need not
 * write the row; at a clean end the exact figures are kept. */
int gauge_load(struct store *s, struct err *err) MUST_USE;
int gauge_reserve(struct store *s, struct db *db, struct err *err) MUST_USE;
void gauge_close(struct store *s);

/* Called by the writer after each commit. */
void checkpoint_after_commit(struct store *s);
int checkpoint_start(struct store *s, struct err *err) MUST_USE;
void checkpoint_stop(struct store *s);

/* A read connection, to be given back; blocks while all are in use. */
struct db *reader_take(struct store *s, struct err *err) MUST_USE;
void reader_give(struct store *s, struct db *db);

int schema_check(struct db *db, const char *file, struct err *err) MUST_USE;
int schema_migrate(struct db *db, struct err *err) MUST_USE;

/* Recipients of message m have the ids m << MSG_SHIFT and up. */
enum { MSG_SHIFT = 20, MSG_RCPTS_MAX = 1 << MSG_SHIFT };
static inline int64_t rcpt_first(int64_t msg_id)
{
	return msg_id * MSG_RCPTS_MAX;
}

/* --- due map: destinations and when they are next due; see due.c --- */

struct due_map *due_open(void);
void due_close(struct due_map **m);
/* Loads counts and times from the database at start. */
int due_load(struct due_map *m, struct db *db, struct err *err) MUST_USE;
/* Recipients were committed as queued (or held) or left those states. */
void due_change(struct due_map *m, struct str dest, int64_t queued, int64_t held);
/* A recipient of dest is due at next_ms. */
void due_touch(struct due_map *m, struct str dest, int64_t next_ms);
bool due_in_flight(struct due_map *m, int64_t rcpt_id);
/* Ends the claim of a recipient. retry: it is still due as it was. */
enum due_end { DUE_END_DONE, DUE_END_RETRY };
void due_unclaim(struct due_map *m, struct str dest, int64_t rcpt_id, enum due_end end);
/* Sets the claim unless somebody has it. */
bool due_claim(struct due_map *m, struct str dest, int64_t rcpt_id);
/* Where the next claim of dest starts: after the row (next_ms, rcpt_id). A cursor that has
 * passed something due is not set. Setting it ends a claim that went well: what is due beside
 * the claimed rows was told by due_touch. */
void due_cursor(struct due_map *m, struct str dest, int64_t *next_ms, int64_t *rcpt_id);
void due_cursor_set(struct due_map *m, struct str dest, int64_t next_ms, int64_t rcpt_id);
void due_sums(struct due_map *m, int64_t *queued, int64_t *held);
int64_t due_dest_count(struct due_map *m, struct str dest);
/* The dests with most recipients, at most limit, into the arena. */
size_t due_top(struct due_map *m, size_t limit, struct arena *a, struct store_dest_row **rows);

/* --- statistics, see statistics.c: all on the writer thread --- */

struct stat_map *stat_open(void);
void stat_close(struct stat_map **m);
enum stat_kind { STAT_ACCEPTED, STAT_DELIVERED, STAT_DEFERRED, STAT_FAILED };
/* Counts n recipients at a domain; for write_op.committed. */
void stat_domain_note(struct store *s, struct str domain, enum stat_kind kind, int64_t n);
bool stat_pending(const struct store *s);
/* Writes what was counted; taken is what goes back to s->counts when the commit fails. */
int stat_write(
	struct store *s, struct db *db, int64_t taken[STORE_COUNT_MAX], struct err *err) MUST_USE;
void stat_written(struct store *s); /* after the commit */

enum { /* message.flags */
	FLAG_8BIT = 1,
	FLAG_SMTPUTF8 = 2,
	FLAG_REQUIRETLS = 4,
	FLAG_TLS_REQUIRED_NO = 8,
	FLAG_TLS_REPORT = 16
};

/* Removes a message's rows; its spool file name (or "") goes to spool_name. */
enum { SPOOL_NAME_MAX = 64 };
int msg_remove(struct store *s, struct db *db, int64_t msg_id, char spool_name[SPOOL_NAME_MAX],
	struct err *err) MUST_USE;
/* Only the rows, in any database. */
int msg_rows_remove(struct db *db, int64_t msg_id, struct err *err) MUST_USE;
/* Inserts message and recipients; for store_msg_add and for DSNs in an attempt. */
int msg_insert(struct store *s, struct db *db, const struct store_msg_new *msg, int64_t *id,
	int64_t now_ms, struct err *err) MUST_USE;
void msg_committed(struct store *s, const struct store_msg_new *msg, int64_t now_ms);

/* Adds to the rows of table tls_result, in a write operation. */
int tls_results_add(struct db *db, const struct store_tls_result *results, size_t count,
	int64_t now_ms, struct err *err) MUST_USE;

/* What became of the mail of a TLS report: an attempt, or it was dropped. */
int tlsrpt_attempt(
	struct db *db, const struct store_attempt *at, struct arena *a, struct err *err) MUST_USE;
int tlsrpt_dropped(struct db *db, int64_t msg_id, struct err *err) MUST_USE;

const char *spool_name(const struct spool *sp);
void spool_keep(struct spool *sp); /* a message owns the file now */
void spool_remove(struct store *s, const char *name);
int spool_check(struct store *s, struct err *err) MUST_USE;                       /* at start */
int spool_open_read(struct store *s, const char *name, struct err *err) MUST_USE; /* fd */

/* --- directory cache, see dircache.c --- */

struct dir_cache *dir_open(void);
void dir_close(struct dir_cache **c);
void dir_changed(struct store *s, void *arg); /* a write_op.committed */
struct dir_lists *dir_lists_open(void);
void dir_lists_close(struct dir_lists **l);

/* --- message log, see msglog_priv.h --- */

struct msglog *msglog_open(void);
void msglog_close(struct msglog **l);
/* The thread that writes refusals, seals runs and removes what is old. */
int msglog_start(struct store *s, struct err *err) MUST_USE;
/* Writes what waits, ends the thread; before the writer stops. */
void msglog_stop(struct store *s);
/* A message was queued: its row, in the same operation. */
int msglog_taken(struct db *db, const struct store_msg_new *msg, int64_t id, int64_t now_ms,
	struct err *err) MUST_USE;
/* Events of an attempt, in the same operation. gone[i] is set for results whose recipient was
 * no longer in the queue; dsn_ids are the notices queued with it. */
int msglog_attempt(struct store *s, struct db *db, const struct store_attempt *at, const bool *gone,
	const int64_t *dsn_ids, int64_t now_ms, struct err *err) MUST_USE;
/* Something else happened to a recipient, in the same operation; text for people. Sets the
 * result bit that belongs to it. */
int msglog_event(struct db *db, int64_t rcpt_id, enum store_log_kind kind, struct str text,
	int64_t now_ms, struct err *err) MUST_USE;
/* After the commit: those who watch hear of the message. */
void msglog_changed(struct store *s, int64_t id);

/* --- schema_2.c --- */

extern const char *const schema_2[]; /* what version 2 adds; ends with NULL */

/* --- quarantine --- */

/* Deletes what has been there long enough; called now and then by a thread of the store. */
void quarantine_expire(struct store *s);

/* --- TLS reports received, see tlsreport.c --- */

/* Deletes what has been there long enough; called now and then by a thread of the store. */
void tls_report_expire(struct store *s);

/* A recipient for whom the message must stay. */
#define STATE_OPEN "state IN (0, 1, 4)"

#endif
