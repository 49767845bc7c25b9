#include "store/db.h"

#include "base/log.h"

enum { IDS_RESERVED = 4096 }; /* at a time */

static const char sql_load[] = "SELECT messages, next_id, exact FROM queue_gauge";
static const char sql_count[] = "SELECT count(DISTINCT id >> 20) FROM recipient WHERE " STATE_OPEN;
static const char sql_save[] = "UPDATE queue_gauge SET messages = ?, next_id = ?, exact = ?";

static int gauge_save(struct store *s, struct db *db, int64_t next_id, int exact, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_save, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, atomic_load(&s->messages));
	db_bind_int(stmt, 2, next_id);
	db_bind_int(stmt, 3, exact);
	return db_step(db, stmt, err);
}

static int one_row(struct db *db, sqlite3_stmt *stmt, const char *what, struct err *err)
{
	int rc = stmt == NULL ? -1 : db_step(db, stmt, err);

	if (rc == 0)
		return err_set(err, ERR_PERM, "the %s is missing", what);
	return rc;
}

int gauge_load(struct store *s, struct err *err)
{
	struct db *db = s->writer;
	sqlite3_stmt *stmt = db_prepare(db, sql_load, err);

	if (one_row(db, stmt, "queue_gauge row", err) < 0)
		return -1;
	atomic_store(&s->messages, db_column_int(stmt, 0));
	s->next_msg_id = db_column_int(stmt, 1);
	bool exact = db_column_int(stmt, 2) != 0;
	sqlite3_reset(stmt);
	if (!exact) { /* the last process was killed */
		stmt = db_prepare(db, sql_count, err);
		if (one_row(db, stmt, "count", err) < 0)
			return -1;
		atomic_store(&s->messages, db_column_int(stmt, 0));
		sqlite3_reset(stmt);
	}
	return gauge_reserve(s, db, err);
}

int gauge_reserve(struct store *s, struct db *db, struct err *err)
{
	if (gauge_save(s, db, s->next_msg_id + IDS_RESERVED, 0, err) < 0)
		return -1;
	s->ids_reserved = s->next_msg_id + IDS_RESERVED;
	return 0;
}

void gauge_close(struct store *s)
{
	struct err err;

	if (gauge_save(s, s->writer, s->next_msg_id, 1, &err) < 0)
		log_event(LOG_LEVEL_WARN, "store.gauge", "error", err.text, NULL);
}
