#include "webui/traceview.h"

#include <jansson.h>

static struct str text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	const char *p = json_string_value(value);

	return p == NULL ? STR("") : (struct str){p, json_string_length(value)};
}

static const char *state_class(struct str state)
{
	if (str_eq(state, STR("ok")))
		return "good";
	if (str_eq(state, STR("warn")))
		return "warn";
	if (str_eq(state, STR("bad")))
		return "bad";
	return "calm";
}

/* What the answers stand on, in words and colour. */
static void dnssec_set(struct page *p, struct tval *row, struct str dnssec)
{
	const char *label = NULL, *kind = "calm", *why = "";

	if (str_eq(dnssec, STR("secure"))) {
		label = "DNSSEC";
		kind = "good";
		why = "The answers are signed, and the signatures hold";
	} else if (str_eq(dnssec, STR("insecure"))) {
		label = "unsigned";
		why = "The zone is not signed with DNSSEC";
	} else if (str_eq(dnssec, STR("bogus"))) {
		label = "bogus";
		kind = "bad";
		why = "The signatures do not hold: the answers are not to be believed";
	}
	if (label == NULL) {
		tval_set_text(p->arena, row, "dnssec", "");
		return;
	}
	struct tval *badge = tval_set_map(p->arena, row, "dnssec");
	tval_set_text(p->arena, badge, "label", label);
	tval_set_text(p->arena, badge, "badge", kind);
	tval_set_text(p->arena, badge, "why", why);
}

static void took_set(struct page *p, struct tval *row, const json_t *step)
{
	const json_t *took = json_object_get(step, "took_ms");

	tval_set_text(p->arena, row, "took", "");
	if (json_is_integer(took) && json_integer_value(took) >= 0)
		tval_set_printf(
			p->arena, row, "took", "%lld ms", (long long)json_integer_value(took));
}

/* Every name is set: one that is missing would be looked for outside of the step. */
static void step_fill(struct page *p, struct tval *row, const json_t *step)
{
	struct buf detail = {NULL, 0, 0};
	struct str result = text_of(step, "result");
	const json_t *line;
	size_t i;

	tval_set_str(p->arena, row, "title", text_of(step, "title"));
	tval_set_text(p->arena, row, "state", state_class(text_of(step, "state")));
	tval_set_str(p->arena, row, "result", result);
	tval_set_str(p->arena, row, "text", text_of(step, "text"));
	dnssec_set(p, row, text_of(step, "dnssec"));
	took_set(p, row, step);
	json_array_foreach(json_object_get(step, "detail"), i, line)
	{
		if (!json_is_string(line))
			continue;
		if (detail.len > 0)
			buf_byte(&detail, '\n');
		buf_raw(&detail, (struct str){json_string_value(line), json_string_length(line)});
	}
	tval_set_str(p->arena, row, "detail", buf_str(&detail));
	buf_free(&detail);
}

void traceview_fill(struct page *p, struct tval *map, const char *key, struct str json)
{
	json_t *trace;
	const json_t *step;
	size_t i;

	if (json.len == 0) {
		tval_set_text(p->arena, map, key, "");
		return;
	}
	struct tval *out = tval_set_map(p->arena, map, key);
	struct tval *steps = tval_set_list(p->arena, out, "steps");
	trace = json_loadb(json.p, json.len, 0, NULL);
	tval_set_str(p->arena, out, "sentence",
		json_is_object(trace) ? text_of(trace, "sentence")
				      : STR("What was noted cannot be read any more."));
	json_array_foreach(json_object_get(trace, "steps"), i, step)
		step_fill(p, tval_add_map(p->arena, steps), step);
	json_int_t left_out = json_integer_value(json_object_get(trace, "left_out"));
	tval_set_text(p->arena, out, "left_out", "");
	if (left_out > 0)
		page_count(p, out, "left_out", left_out);
	tval_set_flag(p->arena, out, "any_steps", i > 0);
	json_decref(trace);
}
