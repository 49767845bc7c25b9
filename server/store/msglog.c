/* Rows of the message log, written in the operation they tell of. */
#include "store/msglog_priv.h"

#include "base/hash.h"
#include "base/utf8.h"

static const char sql_row[] =
	"INSERT INTO msglog(id, at_ms, results, rcpts, open, stage, code, size, about, session,"
	" mail_from, rcpt, original, remote_ip, message_id, from_address, header_from, subject,"
	" helo, account, listener, tls, ecode, text) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
	" ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)";
static const char sql_rcpt[] = "INSERT INTO msglog_rcpt(id, address, original) VALUES(?1, ?2, ?3)";
static const char sql_trace[] = "INSERT INTO msglog_trace(id, json) VALUES(?1, ?2)";
static const char sql_trace_last[] =
	"SELECT id FROM msglog_trace WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT 1";
static const char sql_event[] =
	"INSERT INTO msglog_event(rcpt_id, seq, at_ms, kind, duration_ms, code, next_ms, trace,"
	" ecode, text, mx, ip, tls, transport) VALUES(?1,"
	" (SELECT coalesce(max(seq), 0) + 1 FROM msglog_event WHERE rcpt_id = ?1), ?2, ?3, ?4, ?5,"
	" ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
static const char sql_result[] =
	"UPDATE msglog SET results = results | ?2, open = max(open - ?3, 0) WHERE id = ?1";

/* --- texts --- */

int64_t msglog_token(enum token_kind kind, struct str text)
{
	char lower[STORE_LOG_ID_MAX + 200];
	unsigned char mark = (unsigned char)kind;

	if (text.len > sizeof(lower))
		text.len = sizeof(lower);
	if (text.len > 0)
		memcpy(lower, text.p, text.len);
	str_lower(lower, text.len);
	return (int64_t)(hash_more(hash_more(0, &mark, 1), lower, text.len) >> 16);
}

struct str msglog_domain(struct str address)
{
	const char *at = address.len > 0 ? memrchr(address.p, '@', address.len) : NULL;

	return at == NULL ? STR("") : str_skip(address, (size_t)(at + 1 - address.p));
}

/* At most max octets and no part of a character at the end. */
static struct str cut(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	s.len = max;
	for (size_t back = 1; back <= 4 && back <= max; back++) {
		unsigned char c = (unsigned char)s.p[max - back];
		if (c < 0x80)
			break;
		if (c >= 0xc0) {
			if (utf8_length(str_skip(s, max - back)) != back)
				s.len = max - back;
			break;
		}
	}
	return s;
}

/* Message-IDs are kept without < >, so that people may give them either way. */
static struct str bare_id(struct str id)
{
	if (id.len >= 2 && id.p[0] == '<' && id.p[id.len - 1] == '>') {
		id = str_skip(id, 1);
		id.len--;
	}
	return cut(id, STORE_LOG_ID_MAX);
}

/* --- rows --- */

static int trace_add(struct db *db, int64_t id, struct str json, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_trace, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_str(stmt, 2, json);
	return db_step(db, stmt, err);
}

static int row_add(struct db *db, const struct store_msglog_row *r, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_row, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, r->id);
	db_bind_int(stmt, 2, r->at_ms);
	db_bind_int(stmt, 3, r->results);
	db_bind_int(stmt, 4, (int64_t)r->rcpt_count);
	db_bind_int(stmt, 5, (int64_t)r->open);
	db_bind_int(stmt, 6, r->stage);
	db_bind_int(stmt, 7, r->code);
	db_bind_int(stmt, 8, r->size);
	db_bind_int(stmt, 9, r->about);
	db_bind_str(stmt, 10, r->session);
	db_bind_str(stmt, 11, r->mail_from);
	db_bind_str(stmt, 12, r->rcpt);
	db_bind_str(stmt, 13, r->original);
	db_bind_str(stmt, 14, r->remote_ip);
	db_bind_str(stmt, 15, bare_id(r->message_id));
	/* Most often the two are the same. */
	db_bind_str(stmt, 16, str_eq(r->from_address, r->mail_from) ? STR("") : r->from_address);
	db_bind_str(stmt, 17, cut(r->header_from, STORE_LOG_SUBJECT_MAX));
	db_bind_str(stmt, 18, cut(r->subject, STORE_LOG_SUBJECT_MAX));
	db_bind_str(stmt, 19, r->helo);
	db_bind_str(stmt, 20, r->account);
	db_bind_str(stmt, 21, r->listener);
	db_bind_str(stmt, 22, r->tls);
	db_bind_str(stmt, 23, r->ecode);
	db_bind_str(stmt, 24, cut(r->text, STORE_LOG_TEXT_MAX));
	return db_step(db, stmt, err);
}

static int rcpt_add(
	struct db *db, int64_t id, struct str address, struct str original, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_rcpt, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, id);
	db_bind_str(stmt, 2, address);
	db_bind_str(stmt, 3, original);
	return db_step(db, stmt, err);
}

int msglog_taken(
	struct db *db, const struct store_msg_new *msg, int64_t id, int64_t now_ms, struct err *err)
{
	int64_t body = msg->spool ? spool_size(msg->spool) : (int64_t)msg->body.len;
	struct store_msglog_row row = {.id = id,
		.at_ms = now_ms,
		.results = STORE_LOG_ACCEPTED | msg->log_results,
		.rcpt_count = msg->rcpt_count,
		.open = msg->rcpt_count,
		.stage = STORE_LOG_STAGE_QUEUED,
		.code = 250,
		.size = body + (int64_t)msg->prefix.len,
		.about = msg->about,
		.session = msg->session,
		.mail_from = msg->mail_from,
		.rcpt = msg->rcpts[0].address,
		.original = msg->rcpts[0].original,
		.remote_ip = msg->remote_ip,
		.message_id = msg->message_id,
		.from_address = msg->from_address,
		.header_from = msg->header_from,
		.subject = msg->subject,
		.helo = msg->helo,
		.account = msg->account,
		.listener = msg->listener,
		.tls = msg->tls,
		.ecode = STR(""),
		.text = STR("")};

	if (row_add(db, &row, err) < 0)
		return -1;
	for (size_t i = 1; i < msg->rcpt_count; i++) {
		if (rcpt_add(db, rcpt_first(id) + (int64_t)i, msg->rcpts[i].address,
			    msg->rcpts[i].original, err) < 0)
			return -1;
	}
	return msg->trace.len > 0 ? trace_add(db, rcpt_first(id), msg->trace, err) : 0;
}

/* --- events --- */

static int event_add(struct db *db, const struct store_msglog_event *e, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_event, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, e->rcpt_id);
	db_bind_int(stmt, 2, e->at_ms);
	db_bind_int(stmt, 3, e->kind);
	db_bind_int(stmt, 4, e->duration_ms);
	db_bind_int(stmt, 5, e->code);
	db_bind_int(stmt, 6, e->next_ms);
	db_bind_int(stmt, 7, e->trace_id);
	db_bind_str(stmt, 8, e->ecode);
	db_bind_str(stmt, 9, cut(e->text, STORE_LOG_TEXT_MAX));
	db_bind_str(stmt, 10, e->mx);
	db_bind_str(stmt, 11, e->ip);
	db_bind_str(stmt, 12, e->tls);
	db_bind_str(stmt, 13, e->transport);
	return db_step(db, stmt, err);
}

static int result_set(struct db *db, int64_t msg_id, unsigned bits, int64_t done, struct err *err)
{
	sqlite3_stmt *stmt = db_prepare(db, sql_result, err);

	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, msg_id);
	db_bind_int(stmt, 2, bits);
	db_bind_int(stmt, 3, done);
	return db_step(db, stmt, err);
}

int msglog_event(struct db *db, int64_t rcpt_id, enum store_log_kind kind, struct str text,
	int64_t now_ms, struct err *err)
{
	struct store_msglog_event e = {
		.rcpt_id = rcpt_id, .at_ms = now_ms, .kind = kind, .text = text};
	unsigned bits = kind == STORE_LOG_EV_DROPPED       ? STORE_LOG_DROPPED
			: kind == STORE_LOG_EV_QUARANTINED ? STORE_LOG_QUARANTINED
							   : 0;

	if (event_add(db, &e, err) < 0)
		return -1;
	return bits == 0 ? 0
			 : result_set(db, rcpt_id >> MSG_SHIFT, bits, kind == STORE_LOG_EV_DROPPED,
				   err);
}

static enum store_log_kind kind_of(enum store_outcome outcome)
{
	switch (outcome) {
	case STORE_DELIVERED:
		return STORE_LOG_EV_DELIVERED;
	case STORE_DEFERRED:
		return STORE_LOG_EV_DEFERRED;
	case STORE_FAILED:
		return STORE_LOG_EV_FAILED;
	}
	return STORE_LOG_EV_FAILED;
}

static unsigned bit_of(enum store_outcome outcome)
{
	switch (outcome) {
	case STORE_DELIVERED:
		return STORE_LOG_DELIVERED;
	case STORE_DEFERRED:
		return STORE_LOG_DEFERRED;
	case STORE_FAILED:
		return STORE_LOG_BOUNCED;
	}
	return 0;
}

/* The id of the trace of result i: recipients tried together share one. */
static int trace_of(struct db *db, const struct store_attempt *at, size_t i, int64_t *last,
	struct str *last_trace, struct err *err)
{
	struct str trace = at->results[i].trace;

	if (trace.len == 0) {
		*last = 0;
		*last_trace = STR("");
		return 0;
	}
	if (trace.p == last_trace->p && trace.len == last_trace->len)
		return 0;
	sqlite3_stmt *stmt = db_prepare(db, sql_trace_last, err);
	if (stmt == NULL)
		return -1;
	int64_t first = rcpt_first(at->msg_id);
	db_bind_int(stmt, 1, first);
	db_bind_int(stmt, 2, rcpt_first(at->msg_id + 1));
	int rc = db_step(db, stmt, err);
	*last = rc == 1 ? db_column_int(stmt, 0) + 1 : first + 1;
	sqlite3_reset(stmt);
	*last_trace = trace;
	return rc < 0 ? -1 : trace_add(db, *last, trace, err);
}

int msglog_attempt(struct store *s, struct db *db, const struct store_attempt *at, const bool *gone,
	const int64_t *dsn_ids, int64_t now_ms, struct err *err)
{
	unsigned bits = 0;
	int64_t done = 0, trace_id = 0;
	struct str trace = STR("");
	char id[STORE_ID_TEXT];

	for (size_t i = 0; i < at->result_count; i++) {
		const struct store_rcpt_result *r = &at->results[i];
		if (!r->attempted || gone[i])
			continue;
		if (trace_of(db, at, i, &trace_id, &trace, err) < 0)
			return -1;
		struct store_msglog_event e = {.rcpt_id = r->rcpt_id,
			.at_ms = at->started_ms,
			.kind = kind_of(r->outcome),
			.duration_ms = at->duration_ms,
			.code = r->code,
			.next_ms = r->outcome == STORE_DEFERRED ? r->next_attempt_ms : 0,
			.trace_id = trace_id,
			.ecode = r->ecode,
			.text = r->text,
			.mx = r->mx,
			.ip = r->ip,
			.tls = r->tls,
			.transport = r->transport};
		if (event_add(db, &e, err) < 0)
			return -1;
		if (at->msg_id < s->log->late_from && r->ip.len > 0 &&
			msglog_token_add(db, at->msg_id, msglog_token(TOKEN_IP, r->ip), err) < 0)
			return -1;
		bits |= bit_of(r->outcome);
		done += r->outcome != STORE_DEFERRED;
	}
	for (size_t i = 0; i < at->dsn_count; i++) {
		if (msglog_event(db, at->results[0].rcpt_id, STORE_LOG_EV_NOTICE,
			    str_from(store_id_text(dsn_ids[i], id)), now_ms, err) < 0)
			return -1;
	}
	return bits == 0 ? 0 : result_set(db, at->msg_id, bits, done, err);
}

/* --- refusals --- */

static int refusal_add(struct store *s, struct db *db, const struct refusal *f, struct err *err)
{
	const struct store_msglog_refusal *r = &f->r;
	int64_t id = s->next_msg_id++;
	struct store_msglog_row row = {.id = id,
		.at_ms = f->at_ms,
		.results = r->code < 500 ? STORE_LOG_TEMPFAILED : STORE_LOG_REJECTED,
		.rcpt_count = r->rcpt_count,
		.stage = r->stage,
		.code = r->code,
		.size = r->size,
		.session = r->session,
		.mail_from = r->mail_from,
		.rcpt = r->rcpt_count > 0 ? r->rcpts[0] : STR(""),
		.original = STR(""),
		.remote_ip = r->remote_ip,
		.message_id = r->message_id,
		.from_address = r->from_address,
		.header_from = r->header_from,
		.subject = r->subject,
		.helo = r->helo,
		.account = r->account,
		.listener = r->listener,
		.tls = r->tls,
		.ecode = r->ecode,
		.text = r->text};

	if (row_add(db, &row, err) < 0)
		return -1;
	for (size_t i = 1; i < r->rcpt_count; i++) {
		if (rcpt_add(db, rcpt_first(id) + (int64_t)i, r->rcpts[i], STR(""), err) < 0)
			return -1;
	}
	return r->trace.len > 0 ? trace_add(db, rcpt_first(id), r->trace, err) : 0;
}

struct refusals_op {
	struct refusals *list;
	int64_t first_id; /* of those written */
};

static int refusals_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct refusals_op *op = arg;

	op->first_id = s->next_msg_id;
	for (struct refusal *f = op->list->first; f != NULL; f = f->next) {
		if (refusal_add(s, db, f, err) < 0)
			return -1;
	}
	return 0;
}

static void refusals_committed(struct store *s, void *arg)
{
	struct refusals_op *op = arg;

	for (size_t i = 0; i < op->list->count; i++)
		msglog_changed(s, op->first_id + (int64_t)i);
}

int msglog_refusals_write(struct store *s, struct refusals *list, struct err *err)
{
	struct refusals_op op = {.list = list};
	struct write_op write = {.run = refusals_run, .committed = refusals_committed, .arg = &op};

	return store_write(s, &write, err);
}
