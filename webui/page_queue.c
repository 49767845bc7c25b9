#include "webui/pages.h"
#include "webui/queuefilter.h"
#include "webui/queueview.h"

enum { ROWS_PER_PAGE = 50 };

/* --- the list --- */

/* A search that ran out of time says how far it came, and goes on from there. */
static void pages_show(
	struct page *p, const struct queuefilter *q, const struct store_queue_page *page)
{
	bool later = q->f.after_rcpt_id > 0;
	int64_t before = page_number(urlform_get(&p->query, "seen"));

	tval_set_flag(p->arena, p->view, "later_page", later);
	tval_set_text(p->arena, p->view, "first_query", queuefilter_query(p, q, NULL, NULL));
	if (!page->more)
		return;
	tval_set_flag(p->arena, p->view, "partial", page->partial);
	if (page->partial)
		page_count(p, p->view, "looked", before + page->looked);
	tval_set_printf(p->arena, p->view, "next_query", "%s&after=%lld&key=%lld&seen=%lld",
		queuefilter_query(p, q, NULL, NULL), (long long)page->next_rcpt_id,
		(long long)page->next_key, (long long)(before + page->looked));
}

void page_queue(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct queuefilter q;
	struct store_queue_page page;
	struct store_queue_summary sum;
	struct err err;

	queuefilter_read(&p->query, &q);
	q.f.limit = ROWS_PER_PAGE;
	q.f.after_rcpt_id = page_number(urlform_get(&p->query, "after"));
	q.f.after_key = page_number(urlform_get(&p->query, "key"));
	if (store_queue_find(p->gateway->store, &q.f, p->arena, &page, &err) < 0 ||
		store_queue_summary(p->gateway->store, &sum, &err) < 0 ||
		queuefilter_show(p, &q, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < page.count; i++)
		queueview_rcpt(p, tval_add_map(p->arena, list), &page.rows[i]);
	tval_set_flag(p->arena, p->view, "any", page.count > 0);
	page_count(p, p->view, "queued", sum.queued);
	page_count(p, p->view, "held", sum.held);
	page_count(p, p->view, "messages", sum.messages);
	page_time(p, p->view, "oldest", sum.oldest_ms);
	pages_show(p, &q, &page);
	tval_set_flag(p->arena, p->view, "empty", sum.queued + sum.held == 0);
	page_render(p, 200, "queue", "Queue");
}

/* --- actions on many --- */

/* "MSG:RCPT" of a ticked row. */
static bool pick_parse(struct str value, int64_t *msg_id, int64_t *rcpt_id)
{
	struct str msg, rcpt;

	if (!str_split(value, ':', &msg, &rcpt) || !store_id_parse(msg, msg_id))
		return false;
	*rcpt_id = page_number(rcpt);
	return *rcpt_id > 0;
}

/* The next ticked row from field *at on. */
static bool pick_next(const struct page *p, size_t *at, int64_t *msg_id, int64_t *rcpt_id)
{
	while (*at < p->form.count) {
		const struct urlform_field *f = &p->form.fields[(*at)++];
		if (str_eq(f->name, STR("pick")) && pick_parse(f->value, msg_id, rcpt_id))
			return true;
	}
	return false;
}

static void nothing_picked(struct page *p)
{
	page_error(p, 400, "Nothing is selected",
		"Go back, tick the recipients you mean, or choose all, and pick an action.");
}

/* What the verb can change: others in the filter are not counted. */
static void filter_narrow(struct queuefilter *q, const struct queueview_verb *verb)
{
	if (q->f.state >= 0 || verb->sets_way)
		return;
	if (verb->verb == STORE_QUEUE_RETRY || verb->verb == STORE_QUEUE_HOLD)
		q->f.state = STORE_RCPT_QUEUED;
	if (verb->verb == STORE_QUEUE_UNHOLD)
		q->f.state = STORE_RCPT_HELD;
}

static int way_options(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "way_options");
	struct tval *o = tval_add_map(p->arena, list);

	tval_set_text(p->arena, o, "value", "routes");
	tval_set_text(p->arena, o, "label", "As the routes say");
	return queuefilter_ways(p, list, STR(""), err);
}

void page_queue_confirm(struct page *p)
{
	const struct queueview_verb *verb = queueview_verb_read(p);
	struct tval *picks = tval_set_list(p->arena, p->view, "picks");
	bool all = urlform_has(&p->form, "all"), exact = true;
	int64_t n = 0, msg_id, rcpt_id;
	struct queuefilter q;
	struct err err;

	queuefilter_read(&p->form, &q);
	if (verb == NULL) {
		nothing_picked(p);
		return;
	}
	if (queuefilter_show(p, &q, &err) < 0 || (verb->sets_way && way_options(p, &err) < 0)) {
		page_failed(p, &err);
		return;
	}
	const char *back = queuefilter_query(p, &q, NULL, NULL);
	filter_narrow(&q, verb);
	if (all && store_queue_count(p->gateway->store, &q.f, &n, &exact, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t at = 0; !all && pick_next(p, &at, &msg_id, &rcpt_id); n++)
		tval_add_text(
			p->arena, picks, arena_strdup(p->arena, p->form.fields[at - 1].value));
	if (n == 0 && (!all || exact)) {
		page_error(p, 400, "Nothing is selected",
			all ? "Nothing in the queue that matches can be changed this way."
			    : "Go back, tick the recipients you mean, or choose all, and pick an "
			      "action.");
		return;
	}
	const char *what = queueview_count(p, n);
	if (!exact)
		what = arena_printf(p->arena, "at least %s", what);
	tval_set_flag(p->arena, p->view, "all", all);
	tval_set_flag(p->arena, p->view, "sets_way", verb->sets_way);
	tval_set_text(p->arena, p->view, "verb", verb->name);
	tval_set_text(p->arena, p->view, "text", verb->meaning);
	tval_set_flag(
		p->arena, p->view, "danger", verb->verb == STORE_QUEUE_DROP && !verb->sets_way);
	tval_set_text(p->arena, p->view, "submit",
		arena_printf(p->arena, verb->sets_way ? "%s: %s" : "%s %s", verb->button, what));
	tval_set_text(p->arena, p->view, "back", back);
	page_render(p, 200, "queue_confirm", arena_printf(p->arena, "%s: %s", verb->button, what));
}

/* The posted way: 1, 0 when it is none (any more), -1. */
static int way_read(struct page *p, int64_t *transport_id, struct err *err)
{
	struct str name = page_field(p, "way");
	struct store_transport *rows;
	size_t count;

	*transport_id = STORE_WAY_ROUTES;
	if (str_eq(name, STR("routes")))
		return 1;
	*transport_id = STORE_WAY_DIRECT;
	if (str_eq(name, STR("direct")))
		return 1;
	if (store_transport_list(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(rows[i].name, name)) {
			*transport_id = rows[i].id;
			return 1;
		}
	}
	return 0;
}

struct doing {
	const struct queueview_verb *verb;
	int64_t transport_id;
	bool retry; /* after the way was set */
};

static int do_all(struct page *p, const struct doing *d, const struct store_queue_filter *f,
	size_t *total, struct err *err)
{
	size_t ignored;

	if (!d->verb->sets_way)
		return queue_act_all(p->gateway->queue, d->verb->verb, f, total, err);
	if (queue_way_all(p->gateway->queue, d->transport_id, f, total, err) < 0)
		return -1;
	return d->retry ? queue_act_all(p->gateway->queue, STORE_QUEUE_RETRY, f, &ignored, err) : 0;
}

static int do_one(struct page *p, const struct doing *d, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err)
{
	size_t ignored;

	if (!d->verb->sets_way)
		return queue_act(p->gateway->queue, d->verb->verb, msg_id, rcpt_id, changed, err);
	if (queue_way(p->gateway->queue, d->transport_id, msg_id, rcpt_id, changed, err) < 0)
		return -1;
	return d->retry ? queue_act(p->gateway->queue, STORE_QUEUE_RETRY, msg_id, rcpt_id, &ignored,
				  err)
			: 0;
}

void page_queue_act(struct page *p)
{
	struct doing d = {.verb = queueview_verb_read(p), .retry = urlform_has(&p->form, "retry")};
	int64_t msg_id, rcpt_id;
	struct queuefilter q;
	size_t total = 0, changed = 0;
	struct err err;

	if (d.verb == NULL) {
		nothing_picked(p);
		return;
	}
	int rc = d.verb->sets_way ? way_read(p, &d.transport_id, &err) : 1;
	if (rc == 0) {
		page_error(p, 400, "That way is gone", "Go back and choose another one.");
		return;
	}
	queuefilter_read(&p->form, &q);
	const char *back = queuefilter_query(p, &q, NULL, NULL);
	filter_narrow(&q, d.verb);
	if (rc == 1 && urlform_has(&p->form, "all"))
		rc = do_all(p, &d, &q.f, &total, &err);
	for (size_t at = 0; rc >= 0 && pick_next(p, &at, &msg_id, &rcpt_id);) {
		rc = do_one(p, &d, msg_id, rcpt_id, &changed, &err);
		total += changed;
	}
	if (rc < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "queue%s&done=%s&n=%zu", back, d.verb->name, total);
}
