#include "webui/formview.h"
#include "webui/headerview.h"
#include "webui/pages.h"
#include "webui/queueview.h"

/* A message may have thousands of both; a page stays under 100 KiB. */
enum { RCPTS_SHOWN = 50, ATTEMPTS_SHOWN = 40 };

static const char *outcome_label(enum store_outcome o)
{
	switch (o) {
	case STORE_DELIVERED:
		return "Delivered";
	case STORE_DEFERRED:
		return "Deferred";
	case STORE_FAILED:
		return "Failed";
	}
	return "";
}

static const char *outcome_kind(enum store_outcome o)
{
	switch (o) {
	case STORE_DELIVERED:
		return "good";
	case STORE_DEFERRED:
		return "warn";
	case STORE_FAILED:
		return "bad";
	}
	return "";
}

static void duration_set(struct page *p, struct tval *row, int64_t ms)
{
	if (ms < 1000)
		tval_set_printf(p->arena, row, "duration", "%lld ms", (long long)ms);
	else
		tval_set_printf(p->arena, row, "duration", "%.1f s", (double)ms / 1000);
}

/* Newest first: that is what one looks for. */
static void attempts_fill(struct page *p, const struct store_queue_message *m)
{
	struct tval *list = tval_set_list(p->arena, p->view, "attempts");

	if (m->attempt_count > ATTEMPTS_SHOWN)
		page_count(p, p->view, "older", (int64_t)m->attempt_count - ATTEMPTS_SHOWN);
	for (size_t i = m->attempt_count; i-- > 0 && m->attempt_count - i <= ATTEMPTS_SHOWN;) {
		const struct store_attempt_row *a = &m->attempts[i];
		struct tval *row = tval_add_map(p->arena, list);
		for (size_t r = 0; r < m->rcpt_count; r++) {
			if (m->rcpts[r].rcpt_id == a->rcpt_id)
				tval_set_str(p->arena, row, "to", m->rcpts[r].address);
		}
		tval_set_text(p->arena, row, "outcome", outcome_label(a->outcome));
		tval_set_text(p->arena, row, "kind", outcome_kind(a->outcome));
		if (a->code > 0)
			tval_set_printf(p->arena, row, "code", "%d", a->code);
		tval_set_str(p->arena, row, "ecode", a->ecode);
		tval_set_str(p->arena, row, "text", a->text);
		tval_set_str(p->arena, row, "mx", a->mx);
		tval_set_str(p->arena, row, "ip", a->ip);
		tval_set_str(p->arena, row, "tls", a->tls);
		tval_set_flag(p->arena, row, "plain", a->tls.len == 0 && a->ip.len > 0);
		tval_set_str(p->arena, row, "transport", a->transport);
		page_time(p, row, "started", a->started_ms);
		duration_set(p, row, a->duration_ms);
	}
}

static void flags_fill(struct page *p, const struct store_queue_message *m)
{
	struct tval *list = tval_set_list(p->arena, p->view, "flags");

	if (m->body_8bit)
		tval_add_text(p->arena, list, "8BITMIME");
	if (m->smtputf8)
		tval_add_text(p->arena, list, "SMTPUTF8");
	if (m->requiretls)
		tval_add_text(p->arena, list, "REQUIRETLS");
}

/* ?after=N: those behind the first N. */
static void rcpts_fill(struct page *p, const struct store_queue_message *m)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rcpts");
	size_t after = (size_t)page_number(urlform_get(&p->query, "after"));
	bool held = false, queued = false;

	if (after >= m->rcpt_count)
		after = 0;
	for (size_t i = 0; i < m->rcpt_count; i++) {
		if (i >= after && i - after < RCPTS_SHOWN)
			queueview_rcpt(p, tval_add_map(p->arena, list), &m->rcpts[i]);
		held = held || m->rcpts[i].state == STORE_RCPT_HELD;
		queued = queued || m->rcpts[i].state == STORE_RCPT_QUEUED;
	}
	tval_set_flag(p->arena, p->view, "any_held", held);
	tval_set_flag(p->arena, p->view, "any_queued", queued);
	tval_set_flag(p->arena, p->view, "several", m->rcpt_count > 1);
	if (m->rcpt_count > RCPTS_SHOWN)
		page_count(p, p->view, "rcpt_count", (int64_t)m->rcpt_count);
	tval_set_flag(p->arena, p->view, "later_page", after > 0);
	if (m->rcpt_count - after > RCPTS_SHOWN)
		tval_set_printf(p->arena, p->view, "next_after", "%zu", after + RCPTS_SHOWN);
}

static void message_fill(struct page *p, const struct store_queue_message *m)
{
	char id[STORE_ID_TEXT];

	tval_set_text(p->arena, p->view, "id", store_id_text(m->id, id));
	tval_set_str(p->arena, p->view, "from", m->mail_from);
	tval_set_str(p->arena, p->view, "helo", m->helo);
	tval_set_str(p->arena, p->view, "ip", m->remote_ip);
	tval_set_str(p->arena, p->view, "message_id", m->message_id);
	tval_set_str(p->arena, p->view, "session", m->session);
	tval_set_str(p->arena, p->view, "account", m->account);
	tval_set_str(p->arena, p->view, "envid", m->envid);
	page_size(p, p->view, "size", m->size);
	page_time(p, p->view, "received", m->received_ms);
	flags_fill(p, m);
	rcpts_fill(p, m);
	if (m->held_spool_missing)
		page_notice(p, PAGE_NOTICE_BAD,
			"The file with this message's content is missing from the spool folder; it "
			"cannot be delivered.",
			NULL, NULL);
	else
		headerview_message(p, p->view, m->id);
	attempts_fill(p, m);
}

void page_message(struct page *p)
{
	struct store_queue_message m;
	int64_t id;
	struct err err;

	int rc = store_id_parse(p->params[0], &id)
			 ? store_queue_get(p->gateway->store, id, p->arena, &m, &err)
			 : 0;
	if (rc < 0) {
		page_failed(p, &err);
	} else if (rc == 0) {
		page_not_found(p, "message in the queue");
	} else {
		message_fill(p, &m);
		page_render(p, 200, "message",
			arena_printf(p->arena, "Message %.*s", STR_FMT(p->params[0])));
	}
}

static void drop_ask(struct page *p, const struct queueview_verb *verb)
{
	const char *id = arena_strdup(p->arena, p->params[0]);
	bool one = page_field(p, "rcpt").len > 0;
	struct tval *hidden = tval_set_list(p->arena, p->view, "hidden");
	const char *const names[] = {"verb", "rcpt", "sure"};
	const char *const values[] = {
		verb->name, arena_strdup(p->arena, page_field(p, "rcpt")), "1"};

	for (size_t i = 0; i < 3; i++) {
		struct tval *h = tval_add_map(p->arena, hidden);
		tval_set_text(p->arena, h, "name", names[i]);
		tval_set_text(p->arena, h, "value", values[i]);
	}
	formview_confirm(p,
		one ? arena_printf(p->arena, "Drop one recipient of %s?", id)
		    : arena_printf(p->arena, "Drop message %s?", id),
		verb->meaning, one ? "Drop recipient" : "Drop message",
		arena_printf(p->arena, "queue/%s", id));
}

void page_message_act(struct page *p)
{
	const struct queueview_verb *verb = queueview_verb_read(p);
	int64_t id, rcpt_id = page_number(page_field(p, "rcpt"));
	struct store_queue_message m;
	size_t changed = 0;
	struct err err;

	if (verb == NULL || !store_id_parse(p->params[0], &id)) {
		page_error(p, 400, "Unknown action", "This page has no such action.");
		return;
	}
	if (verb->verb == STORE_QUEUE_DROP && !urlform_has(&p->form, "sure")) {
		drop_ask(p, verb);
		return;
	}
	if (queue_act(p->gateway->queue, verb->verb, id, rcpt_id, &changed, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	int rc = store_queue_get(p->gateway->store, id, p->arena, &m, &err);
	if (rc == 1)
		page_redirect(
			p, "queue/%.*s?done=%s&n=%zu", STR_FMT(p->params[0]), verb->name, changed);
	else
		page_redirect(p, "queue?done=%s&n=%zu", verb->name, changed);
}
