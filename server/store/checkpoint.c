/* Checkpoints beside the writer. Copying the log into the database takes 100 ms and more
 * for a full log; done by SQLite's own hook it would stop all commits for that long. Here a
 * thread copies on a connection of its own while commits go on, then the writer copies the
 * little that came meanwhile, which lets the log start over. */
#include "store/db.h"

#include "base/log.h"
#include "base/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	CHECKPOINT_PAGES = 4000, /* of log; 32 MiB with our page size */
	LOG_PAGE = 8192,
	LOG_FRAME_HEADER = 24,
	LOG_STEP = 4 * 1024 * 1024, /* octets the log's file is made longer by */
	LOG_AHEAD = 512 * 1024,     /* when fewer than these are left of it */
	LOG_MAX = 64 * 1024 * 1024, /* journal_size_limit */
	LOG_FREE_FACTOR = 64        /* only with so many steps free on the disk */
};

static int copy(struct db *db)
{
	int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		log_event(LOG_LEVEL_WARN, "store.checkpoint_failed", "error", sqlite3_errmsg(db->h),
			NULL);
	return rc;
}

static int on_commit(void *arg, sqlite3 *h, const char *name, int pages)
{
	struct store *s = arg;

	(void)h;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

/* Keeps the log's file longer than the log. A commit into blocks that were written before is
 * one write to the disk; in a file that grows, or whose blocks were only reserved, the file
 * system writes its own journal too, which takes half as long again. Zeros after the last
 * frame are the end to SQLite, and nobody but this thread writes there. */
static void log_lengthen(struct store *s)
{
	static const char zeros[64 * 1024];
	int64_t used = (int64_t)s->wal_pages * (LOG_PAGE + LOG_FRAME_HEADER);
	char path[4200];
	struct statvfs fs;
	struct stat st;

	if (s->log_size - used > LOG_AHEAD || s->log_size >= LOG_MAX || used < LOG_AHEAD)
		return;
	s->log_size = LOG_MAX; /* no second try when it cannot be */
	snprintf(path, sizeof(path), "%s-wal", s->db_file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && fstatvfs(fd, &fs) == 0 &&
		fs.f_bavail * fs.f_frsize > (unsigned long)LOG_STEP * LOG_FREE_FACTOR) {
		off_t at = st.st_size, end = at + LOG_STEP < LOG_MAX ? at + LOG_STEP : LOG_MAX;
		while (at < end && pwrite(fd, zeros, sizeof(zeros), at) == sizeof(zeros))
			at += (off_t)sizeof(zeros);
		s->log_size = at;
	}
	close(fd);
}

void checkpoint_after_commit(struct store *s)
{
	bool finish = false;

	log_lengthen(s);
	if (s->wal_pages < CHECKPOINT_PAGES)
		return;
	pthread_mutex_lock(&s->checkpoint_lock);
	if (s->checkpoint_state == CHECKPOINT_IDLE) {
		s->checkpoint_state = CHECKPOINT_WANTED;
		pthread_cond_signal(&s->checkpoint_cond);
	} else if (s->checkpoint_state == CHECKPOINT_COPIED) {
		s->checkpoint_state = CHECKPOINT_IDLE;
		finish = true;
	}
	pthread_mutex_unlock(&s->checkpoint_lock);
	if (finish && copy(s->writer) == SQLITE_OK)
		s->wal_pages = 0;
}

static void *checkpoint_main(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->checkpoint_lock);
	while (s->checkpoint_state != CHECKPOINT_STOP) {
		if (s->checkpoint_state != CHECKPOINT_WANTED) {
			pthread_cond_wait(&s->checkpoint_cond, &s->checkpoint_lock);
			continue;
		}
		pthread_mutex_unlock(&s->checkpoint_lock);
		copy(s->checkpointer);
		pthread_mutex_lock(&s->checkpoint_lock);
		if (s->checkpoint_state == CHECKPOINT_WANTED)
			s->checkpoint_state = CHECKPOINT_COPIED;
	}
	pthread_mutex_unlock(&s->checkpoint_lock);
	return NULL;
}

int checkpoint_start(struct store *s, struct err *err)
{
	pthread_mutex_init(&s->checkpoint_lock, NULL);
	pthread_cond_init(&s->checkpoint_cond, NULL);
	sqlite3_wal_hook(s->writer->h, on_commit, s);
	if (db_open(s->db_file, SQLITE_OPEN_READWRITE, &s->checkpointer, err) < 0 ||
		db_exec(s->checkpointer, "PRAGMA synchronous = FULL", err) < 0 ||
		thread_spawn(&s->checkpoint_thread, "mox-checkpoint", checkpoint_main, s, err) < 0)
		return -1;
	s->checkpoint_running = true;
	return 0;
}

void checkpoint_stop(struct store *s)
{
	if (s->checkpoint_running) {
		pthread_mutex_lock(&s->checkpoint_lock);
		s->checkpoint_state = CHECKPOINT_STOP;
		pthread_cond_signal(&s->checkpoint_cond);
		pthread_mutex_unlock(&s->checkpoint_lock);
		pthread_join(s->checkpoint_thread, NULL);
		s->checkpoint_running = false;
	}
	db_close(&s->checkpointer);
}
