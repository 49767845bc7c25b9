#include "webui/pages.h"
#include "webui/queueview.h"

#include <stdio.h>

enum {
	ROWS_PER_PAGE = 50,
	COUNT_MAX = 20000, /* a search is counted no further before the question is asked */
	COUNT_STEP = 1000
};

/* --- the filter, in the address and in forms --- */

static void filter_read(const struct urlform *form, struct store_queue_filter *f)
{
	struct str state = urlform_get(form, "state");

	*f = (struct store_queue_filter){.dest = str_trim(urlform_get(form, "dest")),
		.text = str_trim(urlform_get(form, "q")),
		.state = -1,
		.limit = ROWS_PER_PAGE};
	if (str_eq(state, STR("queued")))
		f->state = STORE_RCPT_QUEUED;
	if (str_eq(state, STR("held")))
		f->state = STORE_RCPT_HELD;
}

static const char *state_name(int state)
{
	return state == STORE_RCPT_QUEUED ? "queued" : state == STORE_RCPT_HELD ? "held" : "";
}

/* "?q=..&dest=..&state=" with the state given. */
static const char *filter_query(
	struct page *p, const struct store_queue_filter *f, const char *state)
{
	struct buf b = {NULL, 0, 0};

	buf_text(&b, "?q=");
	buf_url(&b, f->text);
	buf_text(&b, "&dest=");
	buf_url(&b, f->dest);
	buf_printf(&b, "&state=%s", state);
	const char *text = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

static void filter_show(struct page *p, const struct store_queue_filter *f)
{
	static const struct {
		const char *state, *label;
	} chips[] = {{"", "All"}, {"queued", "Waiting"}, {"held", "On hold"}};
	struct tval *list = tval_set_list(p->arena, p->view, "chips");
	const char *now = state_name(f->state);

	tval_set_str(p->arena, p->view, "q", f->text);
	tval_set_str(p->arena, p->view, "dest", f->dest);
	tval_set_text(p->arena, p->view, "filter_state", now);
	tval_set_flag(p->arena, p->view, "filtered", f->text.len > 0 || f->dest.len > 0);
	for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
		struct tval *chip = tval_add_map(p->arena, list);
		tval_set_text(p->arena, chip, "label", chips[i].label);
		tval_set_text(p->arena, chip, "query", filter_query(p, f, chips[i].state));
		tval_set_flag(p->arena, chip, "here", strcmp(now, chips[i].state) == 0);
	}
}

/* --- the list --- */

void page_queue(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct store_queue_filter f;
	struct store_queue_summary sum;
	struct store_queue_row *rows;
	size_t count;
	bool more;
	int64_t next_after;
	struct err err;

	filter_read(&p->query, &f);
	f.after_rcpt_id = page_number(urlform_get(&p->query, "after"));
	if (store_queue_list(
		    p->gateway->store, &f, p->arena, &rows, &count, &more, &next_after, &err) < 0 ||
		store_queue_summary(p->gateway->store, &sum, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		queueview_rcpt(p, tval_add_map(p->arena, list), &rows[i]);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	filter_show(p, &f);
	page_count(p, p->view, "queued", sum.queued);
	page_count(p, p->view, "held", sum.held);
	page_count(p, p->view, "messages", sum.messages);
	page_time(p, p->view, "oldest", sum.oldest_ms);
	tval_set_flag(p->arena, p->view, "later_page", f.after_rcpt_id > 0);
	tval_set_text(p->arena, p->view, "first_query", filter_query(p, &f, state_name(f.state)));
	if (more)
		tval_set_printf(p->arena, p->view, "next_query", "%s&after=%lld",
			filter_query(p, &f, state_name(f.state)), (long long)next_after);
	tval_set_flag(p->arena, p->view, "empty", sum.queued + sum.held == 0);
	page_render(p, 200, "queue", "Queue");
}

/* --- actions on many --- */

/* How many the filter selects now; stops at COUNT_MAX. */
static int filter_count(struct page *p, struct store_queue_filter f, int64_t *n, struct err *err)
{
	struct arena *scratch;
	bool more = true;
	int rc = 0;

	*n = 0;
	if (f.dest.len == 0 && f.text.len == 0) {
		struct store_queue_summary sum;
		if (store_queue_summary(p->gateway->store, &sum, err) < 0)
			return -1;
		*n = (f.state == STORE_RCPT_HELD ? 0 : sum.queued) +
		     (f.state == STORE_RCPT_QUEUED ? 0 : sum.held);
		return 0;
	}
	scratch = arena_open();
	f.limit = COUNT_STEP;
	while (rc == 0 && more && *n < COUNT_MAX) {
		struct store_queue_row *rows;
		size_t count;
		rc = store_queue_list(p->gateway->store, &f, scratch, &rows, &count, &more,
			&f.after_rcpt_id, err);
		if (rc == 0)
			*n += (int64_t)count;
		arena_reset(scratch);
	}
	arena_close(&scratch);
	return rc;
}

/* "MSG:RCPT" of a ticked row. */
static bool pick_parse(struct str value, int64_t *msg_id, int64_t *rcpt_id)
{
	struct str msg, rcpt;

	if (!str_split(value, ':', &msg, &rcpt) || !store_id_parse(msg, msg_id))
		return false;
	*rcpt_id = page_number(rcpt);
	return *rcpt_id > 0;
}

static void nothing_picked(struct page *p)
{
	page_error(p, 400, "Nothing is selected",
		"Go back, tick the recipients you mean, or choose all, and pick an action.");
}

void page_queue_confirm(struct page *p)
{
	const struct queueview_verb *verb = queueview_verb_read(p);
	struct tval *picks = tval_set_list(p->arena, p->view, "picks");
	bool all = urlform_has(&p->form, "all");
	struct store_queue_filter f;
	int64_t n = 0;
	struct err err;

	filter_read(&p->form, &f);
	if (all && filter_count(p, f, &n, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; !all && i < p->form.count; i++) {
		int64_t msg_id, rcpt_id;
		if (!str_eq(p->form.fields[i].name, STR("pick")) ||
			!pick_parse(p->form.fields[i].value, &msg_id, &rcpt_id))
			continue;
		tval_add_text(p->arena, picks, arena_strdup(p->arena, p->form.fields[i].value));
		n++;
	}
	if (verb == NULL || n == 0) {
		nothing_picked(p);
		return;
	}
	const char *what = queueview_count(p, n);
	if (all && n >= COUNT_MAX && (f.text.len > 0 || f.dest.len > 0))
		what = arena_printf(p->arena, "at least %s", what);
	char title[128];
	if (snprintf(title, sizeof(title), "%s: %s", verb->button, what) < 0)
		title[0] = '\0';
	filter_show(p, &f);
	tval_set_flag(p->arena, p->view, "all", all);
	tval_set_text(p->arena, p->view, "verb", verb->name);
	tval_set_text(p->arena, p->view, "text", verb->meaning);
	tval_set_flag(p->arena, p->view, "danger", verb->verb == STORE_QUEUE_DROP);
	tval_set_text(
		p->arena, p->view, "submit", arena_printf(p->arena, "%s %s", verb->button, what));
	tval_set_text(p->arena, p->view, "back", filter_query(p, &f, state_name(f.state)));
	page_render(p, 200, "queue_confirm", arena_strdup(p->arena, str_from(title)));
}

void page_queue_act(struct page *p)
{
	const struct queueview_verb *verb = queueview_verb_read(p);
	struct store_queue_filter f;
	size_t total = 0, changed = 0;
	struct err err;

	if (verb == NULL) {
		nothing_picked(p);
		return;
	}
	filter_read(&p->form, &f);
	if (urlform_has(&p->form, "all")) {
		if (queue_act_all(p->gateway->queue, verb->verb, &f, &total, &err) < 0) {
			page_failed(p, &err);
			return;
		}
	}
	for (size_t i = 0; i < p->form.count; i++) {
		int64_t msg_id, rcpt_id;
		if (!str_eq(p->form.fields[i].name, STR("pick")) ||
			!pick_parse(p->form.fields[i].value, &msg_id, &rcpt_id))
			continue;
		if (queue_act(p->gateway->queue, verb->verb, msg_id, rcpt_id, &changed, &err) < 0) {
			page_failed(p, &err);
			return;
		}
		total += changed;
	}
	page_redirect(p, "queue%s&done=%s&n=%zu", filter_query(p, &f, state_name(f.state)),
		verb->name, total);
}
