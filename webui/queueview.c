#include "webui/queueview.h"

static const struct queueview_verb verbs[] = {
	{STORE_QUEUE_RETRY, false, "retry", "Try now",
		"Delivery is tried at once. What is on hold stays on hold."},
	{STORE_QUEUE_HOLD, false, "hold", "Hold",
		"Delivery is not tried until the hold is lifted; nothing expires meanwhile."},
	{STORE_QUEUE_UNHOLD, false, "unhold", "Release",
		"What was on hold is delivered from now on."},
	{STORE_QUEUE_DROP, false, "drop", "Drop",
		"The mail is removed from the queue and not delivered. The sender is not told. "
		"This cannot be undone."},
	{STORE_QUEUE_RETRY, true, "way", "Change route",
		"From the next attempt on it goes the way you choose, whatever the routes say. "
		"Mail "
		"for mailboxes here stays with them."},
};

const struct queueview_verb *queueview_verb_read(const struct page *p)
{
	struct str name = page_field(p, "verb");

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (str_eq(name, str_from(verbs[i].name)))
			return &verbs[i];
	}
	return NULL;
}

const char *queueview_count(struct page *p, int64_t n)
{
	return arena_printf(
		p->arena, "%s %s", page_count_text(p, n), n == 1 ? "recipient" : "recipients");
}

static const char *state_label(const struct store_queue_row *r)
{
	switch (r->state) {
	case STORE_RCPT_QUEUED:
		return r->in_flight ? "Delivering" : r->attempts > 0 ? "Deferred" : "Waiting";
	case STORE_RCPT_HELD:
		return "On hold";
	case STORE_RCPT_DELIVERED:
		return "Delivered";
	case STORE_RCPT_FAILED:
		return "Failed";
	case STORE_RCPT_QUARANTINED:
		return "Quarantined";
	}
	return "";
}

static const char *state_kind(const struct store_queue_row *r)
{
	switch (r->state) {
	case STORE_RCPT_QUEUED:
		return r->in_flight ? "busy" : r->attempts > 0 ? "warn" : "calm";
	case STORE_RCPT_HELD:
		return "held";
	case STORE_RCPT_DELIVERED:
		return "good";
	case STORE_RCPT_FAILED:
	case STORE_RCPT_QUARANTINED:
		return "bad";
	}
	return "";
}

void queueview_rcpt(struct page *p, struct tval *row, const struct store_queue_row *r)
{
	char id[STORE_ID_TEXT];
	bool open = r->state == STORE_RCPT_QUEUED || r->state == STORE_RCPT_HELD;

	tval_set_text(p->arena, row, "msg", store_id_text(r->msg_id, id));
	tval_set_printf(p->arena, row, "rcpt", "%lld", (long long)r->rcpt_id);
	tval_set_str(p->arena, row, "from", r->mail_from);
	tval_set_str(p->arena, row, "to", r->address);
	tval_set_str(p->arena, row, "dest", r->dest);
	tval_set_str(p->arena, row, "error", r->last_error);
	tval_set_text(p->arena, row, "state", state_label(r));
	tval_set_text(p->arena, row, "kind", state_kind(r));
	tval_set_flag(p->arena, row, "held", r->state == STORE_RCPT_HELD);
	tval_set_flag(p->arena, row, "open", open);
	tval_set_printf(p->arena, row, "attempts", "%u", r->attempts);
	page_size(p, row, "size", r->size);
	page_time(p, row, "received", r->received_ms);
	if (r->state == STORE_RCPT_QUEUED && !r->in_flight) {
		if (r->next_attempt_ms > clock_unix_ms())
			page_time(p, row, "next", r->next_attempt_ms);
		else
			tval_set_flag(p->arena, row, "due", true);
	}
	page_time(p, row, "last", r->last_attempt_ms);
	tval_set_str(p->arena, row, "via", r->via);
	tval_set_flag(p->arena, row, "own_way", r->transport_id != STORE_WAY_ROUTES);
}
