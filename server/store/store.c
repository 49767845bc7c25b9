#include "store/db.h"
#include "store/listmatch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char pragmas_writer[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
	"PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 0;"
	"PRAGMA journal_size_limit = 67108864;";
static const char pragmas_reader[] =
	"PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;";

static char *path_join(const char *dir, const char *name)
{
	size_t size = strlen(dir) + strlen(name) + 2;
	char *p = mem_alloc(size);

	snprintf(p, size, "%s/%s", dir, name);
	return p;
}

static int dir_make(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(
			err, ERR_PERM, "%s: cannot make the directory: %s", dir, strerror(errno));
	if (access(dir, W_OK | X_OK) < 0)
		return err_set(err, ERR_PERM, "%s: cannot write there: %s", dir, strerror(errno));
	return 0;
}

static int lock_take(struct store *s, struct err *err)
{
	char *file = path_join(s->data_dir, "lock");
	char pid[32];
	int rc = 0;

	s->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		rc = err_set(err, ERR_PERM, "%s: %s", file, strerror(errno));
	else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = read(s->lock_fd, pid, sizeof(pid) - 1);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		rc = err_set(err, ERR_TEMP, "%s: another mox is using it%s%s", s->data_dir,
			n > 0 ? ", process " : "", pid);
	} else {
		int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
		if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
			rc = err_set(err, ERR_FULL, "%s: %s", file, strerror(errno));
	}
	free(file);
	return rc;
}

/* Looks at the first octets before SQLite does, which would call such a file "not a
 * database" only after opening it for writing. */
static int magic_check(const char *file, struct err *err)
{
	char magic[16];
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return err_set(err, ERR_PERM, "%s: %s", file, strerror(errno));
	}
	ssize_t n = read(fd, magic, sizeof(magic));
	close(fd);
	if (n == 0)
		return 0;
	if (n != sizeof(magic) || memcmp(magic, "SQLite format 3", 16) != 0)
		return err_set(err, ERR_PERM,
			"%s: the database is corrupt (no SQLite header), restore it from a backup",
			file);
	return 0;
}

static struct store *store_new(const char *data_dir)
{
	struct store *s = mem_alloc(sizeof(*s));

	s->lock_fd = -1;
	s->data_dir = mem_strdup(data_dir);
	s->db_file = path_join(data_dir, "mox.db");
	s->spool_dir = path_join(data_dir, "spool");
	pthread_mutex_init(&s->write_lock, NULL);
	pthread_mutex_init(&s->read_lock, NULL);
	pthread_cond_init(&s->read_cond, NULL);
	pthread_condattr_t attr;
	if (pthread_condattr_init(&attr) != 0 ||
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
		pthread_cond_init(&s->write_cond, &attr) != 0)
		abort();
	pthread_condattr_destroy(&attr);
	s->due = due_open();
	s->dir = dir_open();
	s->lists = dir_lists_open();
	s->match = list_match_open();
	s->log = msglog_open();
	s->stat = stat_open();
	return s;
}

static void store_free(struct store *s)
{
	struct db *next;

	checkpoint_stop(s);
	for (; s->read_free != NULL; s->read_free = next) {
		next = s->read_free->next;
		db_close(&s->read_free);
	}
	db_close(&s->writer);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	due_close(&s->due);
	dir_close(&s->dir);
	dir_lists_close(&s->lists);
	list_match_close(&s->match);
	msglog_close(&s->log);
	stat_close(&s->stat);
	free(s->data_dir);
	free(s->db_file);
	free(s->spool_dir);
	free(s);
}

/* Everything that only looks, before anything is written. */
static int database_check(struct store *s, struct err *err)
{
	int persist = 1;

	if (magic_check(s->db_file, err) < 0)
		return -1;
	if (db_open(s->db_file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->writer, err) < 0)
		return -1;
	/* A refusal must leave even the WAL as it was. */
	sqlite3_db_config(s->writer->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_file_control(s->writer->h, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	if (schema_check(s->writer, s->db_file, err) < 0)
		return -1;
	sqlite3_db_config(s->writer->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	persist = 0;
	sqlite3_file_control(s->writer->h, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	return 0;
}

/* Runs sealed before a crash half-way are begun again; events meanwhile count as late. */
static int log_begin(struct store *s, struct err *err)
{
	if (msglog_start(s, err) == 0)
		return 0;
	writer_stop(s);
	return -1;
}

int store_open(const char *data_dir, struct store **out, struct err *err)
{
	struct store *s = store_new(data_dir);

	*out = NULL;
	if (dir_make(data_dir, err) < 0 || lock_take(s, err) < 0 || database_check(s, err) < 0 ||
		dir_make(s->spool_dir, err) < 0)
		goto fail;
	/* The page size counts only for a new file. */
	if (db_exec(s->writer, "PRAGMA page_size = 8192", err) < 0 ||
		db_exec(s->writer, pragmas_writer, err) < 0 || schema_migrate(s->writer, err) < 0 ||
		gauge_load(s, err) < 0 || spool_check(s, err) < 0 ||
		due_load(s->due, s->writer, err) < 0 || checkpoint_start(s, err) < 0 ||
		writer_start(s, err) < 0 || log_begin(s, err) < 0) {
		err_prefix(err, "%s", s->db_file);
		goto fail;
	}
	*out = s;
	return 0;
fail:
	store_free(s);
	return -1;
}

int store_open_readonly(const char *data_dir, struct store **out, struct err *err)
{
	struct store *s = store_new(data_dir);
	struct db *db;

	*out = NULL;
	s->readonly = true;
	if (magic_check(s->db_file, err) < 0 || access(s->db_file, R_OK) < 0) {
		if (errno == ENOENT)
			err_set(err, ERR_PERM, "%s: %s", s->db_file, strerror(errno));
		store_free(s);
		return -1;
	}
	db = reader_take(s, err);
	if (db == NULL || schema_check(db, s->db_file, err) < 0) {
		if (db != NULL)
			reader_give(s, db);
		store_free(s);
		return -1;
	}
	reader_give(s, db);
	*out = s;
	return 0;
}

void store_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	msglog_stop(s);
	writer_stop(s);
	if (!s->readonly)
		gauge_close(s);
	store_free(s); /* the last connection's close checkpoints */
	*sp = NULL;
}

const char *store_data_dir(const struct store *s)
{
	return s->data_dir;
}

struct db *reader_take(struct store *s, struct err *err)
{
	struct db *db = NULL;

	pthread_mutex_lock(&s->read_lock);
	while (s->read_free == NULL && s->read_open == DB_READERS_MAX)
		pthread_cond_wait(&s->read_cond, &s->read_lock);
	if (s->read_free != NULL) {
		db = s->read_free;
		s->read_free = db->next;
	} else
		s->read_open++;
	pthread_mutex_unlock(&s->read_lock);
	if (db != NULL)
		return db;
	int flags = s->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	if (db_open(s->db_file, flags, &db, err) < 0 || db_exec(db, pragmas_reader, err) < 0) {
		db_close(&db);
		pthread_mutex_lock(&s->read_lock);
		s->read_open--;
		pthread_cond_signal(&s->read_cond);
		pthread_mutex_unlock(&s->read_lock);
	}
	return db;
}

void reader_give(struct store *s, struct db *db)
{
	pthread_mutex_lock(&s->read_lock);
	db->next = s->read_free;
	s->read_free = db;
	pthread_cond_signal(&s->read_cond);
	pthread_mutex_unlock(&s->read_lock);
}

/* --- settings --- */

static const char sql_setting_get[] = "SELECT value FROM setting WHERE name = ?";
static const char sql_setting_put[] = "INSERT INTO setting(name, value) VALUES(?, ?)"
				      " ON CONFLICT(name) DO UPDATE SET value = excluded.value";

int store_setting_get(
	struct store *s, const char *name, struct arena *a, struct str *value, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_setting_get, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, str_from(name));
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			*value = db_column(stmt, 0, a);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc;
}

struct setting {
	const char *name;
	struct str value;
};

static int setting_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct setting *set = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_setting_put, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_str(stmt, 1, str_from(set->name));
	db_bind_str(stmt, 2, set->value);
	return db_step(db, stmt, err);
}

int store_setting_put(struct store *s, const char *name, struct str value, struct err *err)
{
	struct setting set = {name, value};
	struct write_op op = {.run = setting_run, .arg = &set};

	return store_write(s, &op, err);
}

enum { WRITABLE_PROOF_MS = 5000 };

int store_writable(struct store *s, struct err *err)
{
	char now[NUM_TEXT];
	struct store_stats stats;

	store_stats_get(s, &stats);
	if (stats.last_commit_ms != 0 && clock_mono_ms() - stats.last_commit_ms < WRITABLE_PROOF_MS)
		return 0;
	return store_setting_put(s, "written", str_from(num_text(clock_unix_s(), now)), err);
}

/* --- counters --- */

static const char sql_counts[] = "SELECT name, value FROM counter WHERE day = ?";

void store_count(struct store *s, enum store_counter counter, int64_t n)
{
	metric_add(METRIC_MAIL, counter, 0, n);
	atomic_fetch_add_explicit(&s->counts[counter], n, memory_order_relaxed);
}

int store_counts_day(struct store *s, int64_t unix_s, int64_t out[STORE_COUNT_MAX], struct err *err)
{
	struct db *db = reader_take(s, err);
	int64_t day = unix_s / 86400;
	int rc = -1;

	if (db == NULL)
		return -1;
	for (int i = 0; i < STORE_COUNT_MAX; i++)
		out[i] = day == clock_unix_s() / 86400 ? atomic_load(&s->counts[i]) : 0;
	sqlite3_stmt *stmt = db_prepare(db, sql_counts, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, day);
		while ((rc = db_step(db, stmt, err)) == 1) {
			int64_t name = db_column_int(stmt, 0);
			if (name >= 0 && name < STORE_COUNT_MAX)
				out[name] += db_column_int(stmt, 1);
		}
	}
	reader_give(s, db);
	return rc;
}
