/* control_queue - looking at the queue, and acting on it. */
#include "control/control_priv.h"

#include "base/buf.h"
#include "store/queue.h"

enum {
	LIST_PAGE = 500,
	LIST_PAGE_MAX = 1000,
	LIST_BUDGET_MS = 500, /* nobody waits for a page here */
	DESTS_MAX = 100,
	DUMP_PIECE = 48 * 1024 /* octets per answer line, a multiple of 3 for base64 */
};

static const char *const state_names[] = {
	[STORE_RCPT_QUEUED] = "queued",
	[STORE_RCPT_HELD] = "held",
	[STORE_RCPT_DELIVERED] = "delivered",
	[STORE_RCPT_FAILED] = "failed",
	[STORE_RCPT_QUARANTINED] = "quarantined",
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
	return json_pack(
		"{s:o, s:I, s:o, s:o, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:I}",
		"id", json_id(row->msg_id), "recipient_id", (json_int_t)row->rcpt_id, "from",
		json_view(row->mail_from), "to", json_view(row->address), "destination",
		json_view(row->dest), "state", state_names[row->state], "attempts",
		(json_int_t)row->attempts, "size", (json_int_t)row->size, "received",
		json_time_ms(row->received_ms), "next_attempt", json_time_ms(row->next_attempt_ms),
		"last_attempt", json_time_ms(row->last_attempt_ms), "last_error",
		json_view(row->last_error), "session", json_view(row->session), "in_flight",
		row->in_flight, "via", json_view(row->via), "transport_id",
		(json_int_t)row->transport_id);
}

static int word_read(const struct call *call, const char *key, const char *const *names,
	size_t count, int *out, struct err *err)
{
	struct str word = call_text(call, key);

	if (word.len == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(word, str_from(names[i]))) {
			*out = (int)i;
			return 0;
		}
	}
	return err_set(err, ERR_PERM, "%s: \"%.*s\" is not known here", key, STR_FMT(word));
}

/* "90 s", "5m", "3h", "2d" or a number of seconds. */
static int age_read(const struct call *call, const char *key, int64_t *unix_ms, struct err *err)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	struct str text = call_text(call, key), digits = text;
	int64_t unit = 1;
	uint64_t n;

	if (text.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text.p[text.len - 1] == units[i].unit) {
			unit = units[i].s;
			digits.len--;
		}
	}
	if (!str_to_u64(str_trim(digits), 100000000, &n))
		return err_set(err, ERR_PERM, "%s: \"%.*s\" is no time such as 30m, 12h or 2d", key,
			STR_FMT(text));
	*unix_ms = clock_unix_ms() - (int64_t)n * unit * 1000;
	return 0;
}

int call_queue_filter(const struct call *call, struct store_queue_filter *f, struct err *err)
{
	static const char *const sorts[] = {"received", "next", "attempts", "size"};
	int64_t min = 0, max = 0;
	int state = -1, sort = 0;

	*f = (struct store_queue_filter){.dest = call_text(call, "to"),
		.text = call_text(call, "text"),
		.sender = call_text(call, "from"),
		.sender_domain = call_text(call, "from_domain"),
		.account = call_text(call, "account"),
		.error = call_text(call, "error"),
		.via = call_text(call, "via"),
		.descending = call_flag(call, "descending")};
	if (word_read(call, "state", state_names, sizeof(state_names) / sizeof(state_names[0]),
		    &state, err) < 0 ||
		word_read(call, "sort", sorts, sizeof(sorts) / sizeof(sorts[0]), &sort, err) < 0 ||
		call_number(call, "min_attempts", 0, 1000, &min, err) < 0 ||
		call_number(call, "max_attempts", 0, 1000, &max, err) < 0 ||
		age_read(call, "older", &f->received_until_ms, err) < 0 ||
		age_read(call, "newer", &f->received_from_ms, err) < 0)
		return -1;
	f->state = state;
	f->sort = (enum store_queue_sort)sort;
	f->attempts_min = (unsigned)min;
	f->attempts_max = (unsigned)max;
	return 0;
}

static int queue_list(struct call *call, json_t **last, struct err *err)
{
	struct store_queue_filter f;
	struct store_queue_page page;
	int64_t limit = LIST_PAGE;

	if (call_queue_filter(call, &f, err) < 0 ||
		call_number(call, "after", 0, INT64_MAX, &f.after_rcpt_id, err) < 0 ||
		call_number(call, "after_key", INT64_MIN, INT64_MAX, &f.after_key, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	f.budget_ms = LIST_BUDGET_MS;
	if (store_queue_find(call->ctl->store, &f, call->arena, &page, err) < 0)
		return -1;
	for (size_t i = 0; i < page.count; i++)
		if (call_row(call, json_rcpt(&page.rows[i]), err) < 0)
			return -1;
	*last = json_pack("{s:b, s:I, s:I}", "more", page.more, "next",
		(json_int_t)page.next_rcpt_id, "next_key", (json_int_t)page.next_key);
	return 0;
}

static int queue_count(struct call *call, json_t **last, struct err *err)
{
	struct store_queue_filter f;
	int64_t n;
	bool exact;

	if (call_queue_filter(call, &f, err) < 0 ||
		store_queue_count(call->ctl->store, &f, &n, &exact, err) < 0)
		return -1;
	*last = json_pack("{s:I, s:b}", "count", (json_int_t)n, "exact", exact);
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

int call_queue_id(const struct call *call, int64_t *id, struct err *err)
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

	if (call_queue_id(call, &id, err) < 0)
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

bool call_queue_many(const struct call *call)
{
	static const char *const keys[] = {"to", "text", "from", "from_domain", "account", "error",
		"via", "state", "min_attempts", "max_attempts", "older", "newer"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (call_has(call, keys[i]))
			return true;
	}
	return call_flag(call, "all");
}

static int act(struct call *call, enum store_queue_verb verb, json_t **last, struct err *err)
{
	const struct control *ctl = call->ctl;
	struct store_queue_filter f;
	int64_t id = 0, rcpt_id = 0;
	size_t changed = 0;
	int rc;

	if (call_has(call, "id")) {
		if (call_queue_id(call, &id, err) < 0 ||
			call_number(call, "recipient_id", 0, INT64_MAX, &rcpt_id, err) < 0)
			return -1;
		rc = ctl->queue ? queue_act(ctl->queue, verb, id, rcpt_id, &changed, err)
				: store_queue_act(ctl->store, verb, id, rcpt_id, &changed, err);
	} else if (call_queue_many(call)) {
		if (call_queue_filter(call, &f, err) < 0)
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
	if (call_queue_id(call, &id, err) < 0 ||
		store_body_open(call->ctl->store, id, &body, err) < 0)
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
	{"queue.count", queue_count},
	{"queue.summary", queue_summary},
	{"queue.get", queue_get},
	{"queue.kick", queue_retry},
	{"queue.hold", queue_hold},
	{"queue.unhold", queue_unhold},
	{"queue.drop", queue_drop},
	{"queue.dump", queue_dump},
	{NULL, NULL},
};
