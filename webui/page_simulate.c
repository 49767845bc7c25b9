/* "What would happen if I sent to this address now?": asked with a form, answered by a
 * simulation that runs in a thread of its own (queue/simulate.h). While it does, the page shows
 * the steps so far and comes again each second, with or without scripts. */
#include "message/message.h"
#include "webui/pages.h"
#include "webui/traceview.h"

enum { LOOK_MS = 1000 }; /* what one request waits for a simulation to end */

static const char *verdict_class(enum simulate_verdict v)
{
	switch (v) {
	case SIMULATE_DELIVERED:
		return "good";
	case SIMULATE_WAITS:
		return "warn";
	case SIMULATE_BOUNCES:
		return "bad";
	case SIMULATE_UNKNOWN:
		break;
	}
	return "calm";
}

static const char *verdict_words(enum simulate_verdict v)
{
	switch (v) {
	case SIMULATE_DELIVERED:
		return "would be delivered";
	case SIMULATE_WAITS:
		return "would wait";
	case SIMULATE_BOUNCES:
		return "would come back";
	case SIMULATE_UNKNOWN:
		break;
	}
	return "could not be tried";
}

static void form_show(struct page *p, struct str rcpt, struct str from, enum tls_demand demand)
{
	tval_set_str(p->arena, p->view, "to", rcpt);
	tval_set_str(p->arena, p->view, "from", from);
	tval_set_flag(p->arena, p->view, "required", demand == TLS_DEMAND_REQUIRED);
	tval_set_flag(p->arena, p->view, "optional", demand == TLS_DEMAND_OPTIONAL);
}

static void way_show(struct page *p, struct tval *list, const struct simulate_way *w)
{
	struct tval *row = tval_add_map(p->arena, list);

	tval_set_str(p->arena, row, "rcpt", w->rcpt);
	tval_set_str(p->arena, row, "words", w->words);
	tval_set_flag(p->arena, row, "done", w->done);
	tval_set_text(p->arena, row, "verdict", w->done ? verdict_words(w->verdict) : "");
	tval_set_text(p->arena, row, "class", verdict_class(w->verdict));
	/* With a trace its sentence is the text. */
	tval_set_str(p->arena, row, "text", w->trace.len == 0 ? w->text : STR(""));
	traceview_fill(p, row, "trace", w->trace);
}

/* False: there is none such. */
static bool run_show(struct page *p, int64_t id)
{
	struct simulate_view v;

	if (!simulate_look(p->gateway->simulator, id, LOOK_MS, p->arena, &v))
		return false;
	form_show(p, v.question.rcpt, v.question.from, v.question.demand);
	struct tval *run = tval_set_map(p->arena, p->view, "run");
	struct tval *ways = tval_set_list(p->arena, run, "ways");
	tval_set_flag(p->arena, run, "running", !v.done);
	tval_set_flag(p->arena, run, "done", v.done);
	page_time(p, run, "started", v.started_ms);
	if (v.left_out > 0)
		page_count(p, run, "left_out", (int64_t)v.left_out);
	for (size_t i = 0; i < v.count; i++)
		way_show(p, ways, &v.ways[i]);
	if (!v.done)
		page_header(p, "Refresh", "1");
	return true;
}

/* The form, asked for or refused. */
static void begin(struct page *p)
{
	struct simulate_question q = {.rcpt = page_field(p, "to"), .from = page_field(p, "from")};
	struct str tls = page_field(p, "tls");
	struct message_address parsed;
	int64_t id;
	struct err err;

	if (str_eq(tls, STR("required")))
		q.demand = TLS_DEMAND_REQUIRED;
	else if (str_eq(tls, STR("optional")))
		q.demand = TLS_DEMAND_OPTIONAL;
	form_show(p, q.rcpt, q.from, q.demand);
	if (q.rcpt.len == 0) {
		tval_set_text(p->arena, p->view, "to_problem", "Whom to?");
	} else if (message_address_parse(p->arena, q.rcpt, &parsed, &err) < 0) {
		tval_set_printf(p->arena, p->view, "to_problem", "%s", err.text);
	} else if (q.from.len > 0 && message_address_parse(p->arena, q.from, &parsed, &err) < 0) {
		tval_set_printf(p->arena, p->view, "from_problem", "%s", err.text);
	} else if (simulate_begin(p->gateway->simulator, &q, &id, &err) < 0) {
		tval_set_printf(p->arena, p->view, "refused", "%s", err.text);
		page_render(p, 503, "simulate", "What would happen");
		return;
	} else {
		page_redirect(p, "simulate?run=%lld#answer", (long long)id);
		return;
	}
	page_render(p, 422, "simulate", "What would happen");
}

void page_simulate(struct page *p)
{
	struct str run = urlform_get(&p->query, "run");

	if (p->method == PAGE_POST) {
		begin(p);
		return;
	}
	form_show(p, str_trim(urlform_get(&p->query, "to")), STR(""), TLS_DEMAND_NONE);
	if (p->kept)
		form_show(p, page_field(p, "to"), page_field(p, "from"), TLS_DEMAND_NONE);
	if (run.len > 0 && !run_show(p, page_number(run)))
		tval_set_flag(p->arena, p->view, "gone", true);
	page_render(p, 200, "simulate", "What would happen");
}
