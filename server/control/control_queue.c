/* control_queue - looking at the queue, and acting on it. */
#include "control/control_priv.h"

#include "base/buf.h"
#include "store/queue.h"

enum {
	LIST_PAGE = 500,
	LIST_PAGE_MAX = 1000,
	DESTS_MAX = 100,
	DUMP_PIECE = 48 * 1024 /* octets per answer line, a multiple of 3 for base64 */
};

static const char *const state_names[] = {
	[STORE_RCPT_QUEUED] = "queued",
	[STORE_RCPT_HELD] = "held",
	[STORE_RCPT_DELIVERED] = "delivered",
	[STORE_RCPT_FAILED] = "failed",
};

static const char *const outcome_names[] = {
	[STORE_DELIVERED] = "delivered",
	[STORE_DEFERRED] = "deferred",
	[STORE_FAILED] = "failed",
};

static json_t *json_time_ms(int64_t ms)
{
	char text[CLOCK_TEXT];

	return ms == 0 ? json_null() : json_string(clock_iso(ms / 1000, text));
}

static json_t *json_id(int64_t id)
{
	char text[STORE_ID_TEXT];

	return json_string(store_id_text(id, text));
}

static json_t *json_rcpt(const struct store_queue_row *row)
{
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:b}",
		"id", json_id(row->msg_id), "recipient_id", (json_int_t)row->rcpt_id, "from",
		json_view(row->mail_from), "to", json_view(row->address), "destination",
		json_view(row->dest), "state", state_names[row->state], "attempts",
		(json_int_t)row->attempts, "size", (json_int_t)row->size, "received",
		json_time_ms(row->received_ms), "next_attempt", json_time_ms(row->next_attempt_ms),
		"last_attempt", json_time_ms(row->last_attempt_ms), "last_error",
		json_view(row->last_error), "session", json_view(row->session), "in_flight",
		row->in_flight);
}

static int filter_read(struct call *call, struct store_queue_filter *f, struct err *err)
{
	struct str state = call_text(call, "state");

	*f = (struct store_queue_filter){
		.dest = call_text(call, "to"), .text = call_text(call, "text"), .state = -1};
	if (state.len == 0)
		return 0;
	for (int i = 0; i < (int)(sizeof(state_names) / sizeof(state_names[0])); i++)
		if (str_eq(state, str_from(state_names[i])))
			f->state = i;
	if (f->state < 0)
		return err_set(err, ERR_PERM,
			"state: \"%.*s\" is none of queued, held, delivered, failed",
			STR_FMT(state));
	return 0;
}

static int queue_list(struct call *call, json_t **last, struct err *err)
{
	struct store_queue_filter f;
	struct store_queue_row *rows;
	int64_t limit = LIST_PAGE, next = 0;
	size_t count;
	bool more;

	if (filter_read(call, &f, err) < 0 ||
		call_number(call, "after", 0, INT64_MAX, &f.after_rcpt_id, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	if (store_queue_list(call->ctl->store, &f, call->arena, &rows, &count, &more, &next, err) <
		0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_rcpt(&rows[i]), err) < 0)
			return -1;
	*last = json_pack("{s:b, s:I}", "more", more, "next", (json_int_t)next);
	return 0;
}

static int queue_summary(struct call *call, json_t **last, struct err *err)
{
	struct store_queue_summary sum;
	struct store_dest_row *dests;
	size_t count;

	if (store_queue_summary(call->ctl->store, &sum, err) < 0 ||
		store_queue_dests(call->ctl->store, DESTS_MAX, call->arena, &dests, &count, err) <
			0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call,
			    json_pack("{s:o, s:I, s:I, s:o}", "destination",
				    json_view(dests[i].dest), "queued", (json_int_t)dests[i].queued,
				    "held", (json_int_t)dests[i].held, "next_attempt",
				    json_time_ms(dests[i].next_attempt_ms)),
			    err) < 0)
			return -1;
	*last = json_pack("{s:I, s:I, s:I, s:o}", "messages", (json_int_t)sum.messages, "queued",
		(json_int_t)sum.queued, "held", (json_int_t)sum.held, "oldest",
		json_time_ms(sum.oldest_ms));
	return 0;
}

static int id_read(const struct call *call, int64_t *id, struct err *err)
{
	struct str text;

	if (call_need(call, "id", &text, err) < 0)
		return -1;
	if (!store_id_parse(text, id))
		return err_set(err, ERR_PERM, "\"%.*s\" is not a queue id", STR_FMT(text));
	return 0;
}

static json_t *json_attempt(const struct store_attempt_row *row)
{
	return json_pack("{s:I, s:o, s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "recipient_id",
		(json_int_t)row->rcpt_id, "started", json_time_ms(row->started_ms), "duration_ms",
		(json_int_t)row->duration_ms, "outcome", outcome_names[row->outcome], "code",
		(json_int_t)row->code, "enhanced_code", json_view(row->ecode), "text",
		json_view(row->text), "mx", json_view(row->mx), "ip", json_view(row->ip), "tls",
		json_view(row->tls), "transport", json_view(row->transport));
}

/* One message: its recipients as rows, then the message with its attempts. */
static int queue_get(struct call *call, json_t **last, struct err *err)
{
	struct store_queue_message m;
	int64_t id;

	if (id_read(call, &id, err) < 0)
		return -1;
	int rc = store_queue_get(call->ctl->store, id, call->arena, &m, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return call_missing(call, err, "no message %s in the queue",
			store_id_text(id, (char[STORE_ID_TEXT]){0}));
	for (size_t i = 0; i < m.rcpt_count; i++)
		if (call_row(call, json_rcpt(&m.rcpts[i]), err) < 0)
			return -1;
	json_t *attempts = json_array();
	for (size_t i = 0; i < m.attempt_count; i++)
		json_array_append_new(attempts, json_attempt(&m.attempts[i]));
	*last = json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", json_id(m.id),
		"received", json_time_ms(m.received_ms), "size", (json_int_t)m.size, "from",
		json_view(m.mail_from), "session", json_view(m.session), "helo", json_view(m.helo),
		"remote_ip", json_view(m.remote_ip), "message_id", json_view(m.message_id),
		"account", json_view(m.account), "attempts", attempts);
	return 0;
}

static int act(struct call *call, enum store_queue_verb verb, json_t **last, struct err *err)
{
	const struct control *ctl = call->ctl;
	struct store_queue_filter f;
	int64_t id = 0, rcpt_id = 0;
	size_t changed = 0;
	int rc;

	if (call_has(call, "id")) {
		if (id_read(call, &id, err) < 0 ||
			call_number(call, "recipient_id", 0, INT64_MAX, &rcpt_id, err) < 0)
			return -1;
		rc = ctl->queue ? queue_act(ctl->queue, verb, id, rcpt_id, &changed, err)
				: store_queue_act(ctl->store, verb, id, rcpt_id, &changed, err);
	} else if (call_flag(call, "all") || call_has(call, "to") || call_has(call, "text")) {
		if (filter_read(call, &f, err) < 0)
			return -1;
		rc = ctl->queue ? queue_act_all(ctl->queue, verb, &f, &changed, err)
				: store_queue_act_all(ctl->store, verb, &f, &changed, err);
	} else {
		return err_set(err, ERR_PERM, "needs an id, or all, or to");
	}
	if (rc < 0)
		return -1;
	*last = json_pack("{s:I}", "changed", (json_int_t)changed);
	if (changed > 0 || id == 0)
		return 0;
	/* In the queue, yet nothing to change: in that state already, or under delivery. */
	struct store_queue_message m;
	rc = store_queue_get(ctl->store, id, call->arena, &m, err);
	json_object_set_new(*last, "present", json_boolean(rc == 1));
	return rc < 0 ? -1 : 0;
}

static int queue_retry(struct call *call, json_t **last, struct err *err)
{
	return act(call, STORE_QUEUE_RETRY, last, err);
}

static int queue_hold(struct call *call, json_t **last, struct err *err)
{
	return act(call, STORE_QUEUE_HOLD, last, err);
}

static int queue_unhold(struct call *call, json_t **last, struct err *err)
{
	return act(call, STORE_QUEUE_UNHOLD, last, err);
}

static int queue_drop(struct call *call, json_t **last, struct err *err)
{
	return act(call, STORE_QUEUE_DROP, last, err);
}

/* The message as it would be sent, in base64 pieces. */
static int queue_dump(struct call *call, json_t **last, struct err *err)
{
	struct store_body *body = NULL;
	struct str piece;
	int64_t id;
	int rc;

	(void)last;
	if (id_read(call, &id, err) < 0 || store_body_open(call->ctl->store, id, &body, err) < 0)
		return -1;
	while ((rc = store_body_next(body, &piece, err)) == 1) {
		for (size_t at = 0; rc == 1 && at < piece.len; at += DUMP_PIECE) {
			size_t n = piece.len - at < DUMP_PIECE ? piece.len - at : DUMP_PIECE;
			struct buf b = {NULL, 0, 0};
			buf_base64(&b, piece.p + at, n);
			rc = call_row(call, json_view(buf_str(&b)), err) < 0 ? -1 : 1;
			buf_free(&b);
		}
		if (rc < 0)
			break;
	}
	store_body_close(&body);
	return rc;
}

const struct verb control_queue_verbs[] = {
	{"queue.list", queue_list},
	{"queue.summary", queue_summary},
	{"queue.get", queue_get},
	{"queue.kick", queue_retry},
	{"queue.hold", queue_hold},
	{"queue.unhold", queue_unhold},
	{"queue.drop", queue_drop},
	{"queue.dump", queue_dump},
	{NULL, NULL},
};
