#include "store/db.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BODY_PIECE = 64 * 1024 };

struct store_body {
	struct arena *arena;
	struct str prefix, body;
	int fd; /* spool file, or -1 */
	int64_t offset;
	int stage; /* 0 prefix, 1 body */
	char *piece;
};

static const char sql_body[] = "SELECT spool, prefix, body FROM message WHERE id = ?";

static int body_load(
	struct store *s, struct db *db, int64_t msg_id, struct store_body *b, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_body, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, msg_id);
	int rc = db_step(db, stmt, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_PERM, "store: message %lld is gone", (long long)msg_id);
	const char *name = (const char *)sqlite3_column_text(stmt, 0);
	b->prefix = db_column(stmt, 1, b->arena);
	if (name == NULL)
		b->body = db_column(stmt, 2, b->arena);
	else {
		b->fd = spool_open_read(s, name, err);
		rc = b->fd;
		b->piece = arena_alloc(b->arena, BODY_PIECE);
	}
	sqlite3_reset(stmt);
	return rc < 0 ? -1 : 0;
}

int store_body_open(struct store *s, int64_t msg_id, struct store_body **out, struct err *err)
{
	struct db *db = reader_take(s, err);
	struct store_body *b;

	*out = NULL;
	if (db == NULL)
		return -1;
	b = mem_alloc(sizeof(*b));
	b->arena = arena_open();
	b->fd = -1;
	int rc = body_load(s, db, msg_id, b, err);
	reader_give(s, db);
	if (rc < 0)
		store_body_close(&b);
	*out = b;
	return rc;
}

int store_body_next(struct store_body *b, struct str *piece, struct err *err)
{
	if (b->stage == 0) {
		b->stage = 1;
		*piece = b->prefix;
		if (piece->len > 0)
			return 1;
	}
	if (b->fd < 0) {
		if (b->offset > 0 || b->body.len == 0)
			return 0;
		b->offset = (int64_t)b->body.len;
		*piece = b->body;
		return 1;
	}
	ssize_t n;
	do
		n = pread(b->fd, b->piece, BODY_PIECE, b->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, ERR_TEMP, "spool: read: %s", strerror(errno));
	b->offset += n;
	*piece = (struct str){b->piece, (size_t)n};
	return n > 0;
}

void store_body_rewind(struct store_body *b)
{
	b->stage = 0;
	b->offset = 0;
}

void store_body_close(struct store_body **bp)
{
	struct store_body *b = *bp;

	if (b == NULL)
		return;
	if (b->fd >= 0)
		close(b->fd);
	arena_close(&b->arena);
	free(b);
	*bp = NULL;
}
