#include "store/db.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct spool {
	struct store *store;
	char name[SPOOL_NAME_MAX];
	int fd;
	int64_t size;
	bool keep;
};

static int file_error(const char *name, const char *what, struct err *err)
{
	enum err_kind kind = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_TEMP;

	return err_set(err, kind, "spool: %s: %s: %s", name, what, strerror(errno));
}

static int path_make(struct store *s, const char *name, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/%s", s->spool_dir, name);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

int spool_create(struct store *s, struct spool **out, struct err *err)
{
	struct spool *sp = mem_alloc(sizeof(*sp));
	char path[4096], id[RAND_ID_TEXT];

	*out = NULL;
	sp->store = s;
	snprintf(sp->name, sizeof(sp->name), "%s.msg", rand_id(id));
	if (path_make(s, sp->name, path, sizeof(path)) < 0) {
		free(sp);
		return err_set(err, ERR_PERM, "spool: the path is too long");
	}
	sp->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (sp->fd < 0) {
		file_error(sp->name, "create", err);
		free(sp);
		return -1;
	}
	*out = sp;
	return 0;
}

int spool_write(struct spool *sp, struct str data, struct err *err)
{
	while (data.len > 0) {
		ssize_t n = write(sp->fd, data.p, data.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(sp->name, "write", err);
		sp->size += n;
		data = str_skip(data, (size_t)n);
	}
	return 0;
}

int64_t spool_read(const struct spool *sp, int64_t at, char *out, size_t size, struct err *err)
{
	for (;;) {
		ssize_t n = pread(sp->fd, out, size, at);
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return file_error(sp->name, "read", err);
	}
}

int spool_commit(struct spool *sp, struct err *err)
{
	if (fdatasync(sp->fd) < 0)
		return file_error(sp->name, "fdatasync", err);
	int dir = open(sp->store->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return file_error(sp->store->spool_dir, "open", err);
	int rc = fsync(dir);
	if (rc < 0)
		file_error(sp->store->spool_dir, "fsync", err);
	close(dir);
	return rc;
}

int64_t spool_size(const struct spool *sp)
{
	return sp->size;
}

const char *spool_name(const struct spool *sp)
{
	return sp->name;
}

void spool_keep(struct spool *sp)
{
	sp->keep = true;
}

void spool_remove(struct store *s, const char *name)
{
	char path[4096];

	if (path_make(s, name, path, sizeof(path)) == 0 && unlink(path) < 0 && errno != ENOENT)
		log_event(LOG_LEVEL_WARN, "spool.remove_failed", "file", path, "error",
			strerror(errno), NULL);
}

void spool_close(struct spool **spp)
{
	struct spool *sp = *spp;

	if (sp == NULL)
		return;
	close(sp->fd);
	if (!sp->keep)
		spool_remove(sp->store, sp->name);
	free(sp);
	*spp = NULL;
}

int spool_open_read(struct store *s, const char *name, struct err *err)
{
	char path[4096];

	if (path_make(s, name, path, sizeof(path)) < 0)
		return err_set(err, ERR_PERM, "spool: the path is too long");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? file_error(name, "open", err) : fd;
}

static const char sql_has_spool[] = "SELECT 1 FROM message WHERE spool = ?";
static const char sql_with_spool[] = "SELECT id, spool FROM message WHERE spool IS NOT NULL";
static const char sql_hold_missing[] =
	"UPDATE recipient SET state = 1, next_ms = 9223372036854775807, last_error = 'its spool "
	"file is missing'"
	" WHERE id >= ? AND id < ? AND state = 0";

/* A file without a row never became a message: its sender got no 250. */
static int orphans_remove(struct store *s, struct err *err)
{
	DIR *dir = opendir(s->spool_dir);
	struct dirent *e;
	int rc = 0;

	if (dir == NULL)
		return file_error(s->spool_dir, "open", err);
	while (rc == 0 && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		sqlite3_stmt *stmt = db_prepare(s->writer, sql_has_spool, err);
		if (stmt == NULL) {
			rc = -1;
			break;
		}
		db_bind_str(stmt, 1, str_from(e->d_name));
		int found = db_step(s->writer, stmt, err);
		sqlite3_reset(stmt);
		if (found < 0)
			rc = -1;
		else if (found == 0) {
			log_event(LOG_LEVEL_INFO, "spool.orphan_removed", "file", e->d_name, NULL);
			spool_remove(s, e->d_name);
		}
	}
	closedir(dir);
	return rc;
}

/* A row without a file is an alarm: the message is held, never dropped silently. */
static int missing_hold(struct store *s, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(s->writer, sql_with_spool, err);
	int rc;

	if (stmt == NULL)
		return -1;
	while ((rc = db_step(s->writer, stmt, err)) == 1) {
		int64_t id = db_column_int(stmt, 0);
		const char *name = (const char *)sqlite3_column_text(stmt, 1);
		char path[4096], id_text[STORE_ID_TEXT];
		if (path_make(s, name, path, sizeof(path)) == 0 && access(path, R_OK) == 0)
			continue;
		log_event(LOG_LEVEL_ERROR, "spool.file_missing", "file", name, "queue",
			store_id_text(id, id_text), NULL);
		sqlite3_stmt *hold = db_prepare(s->writer, sql_hold_missing, err);
		if (hold == NULL)
			return -1;
		db_bind_int(hold, 1, rcpt_first(id));
		db_bind_int(hold, 2, rcpt_first(id + 1));
		if (db_step(s->writer, hold, err) < 0)
			return -1;
	}
	return rc;
}

int spool_check(struct store *s, struct err *err)
{
	if (orphans_remove(s, err) < 0)
		return -1;
	return missing_hold(s, err);
}
