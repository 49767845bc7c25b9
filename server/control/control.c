#include "control/control_priv.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int control_read(struct conn *c, json_t **request, struct err *err)
{
	struct str line;
	json_error_t bad;

	*request = NULL;
	int rc = conn_read_line(
		c, CONTROL_REQUEST_MAX, deadline_in_ms(CONTROL_REQUEST_MS), &line, err);
	if (rc <= 0)
		return rc;
	*request = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, &bad);
	if (*request == NULL)
		return err_set(err, ERR_PERM, "request: %s", bad.text);
	if (json_is_object(*request))
		return 1;
	json_decref(*request);
	*request = NULL;
	return err_set(err, ERR_PERM, "request: not a JSON object");
}

const char *control_verb(const json_t *request)
{
	const char *verb = json_string_value(json_object_get(request, "verb"));

	return verb ? verb : "";
}

int control_answer(struct conn *c, json_t *line, struct err *err)
{
	struct deadline d = deadline_in_ms(CONTROL_WRITE_MS);
	char *text = json_dumps(line, JSON_COMPACT);

	json_decref(line);
	if (text == NULL)
		return err_set(err, ERR_BUG, "answer cannot be written as JSON");
	int rc = conn_write(c, str_from(text), d, err);
	if (rc == 0)
		rc = conn_write(c, STR("\n"), d, err);
	free(text);
	return rc;
}

int control_refuse(struct conn *c, const char *text, struct err *err)
{
	json_t *line = json_pack("{s:b, s:o}", "ok", 0, "error", json_view(str_from(text)));

	return control_answer(c, line, err);
}

json_t *control_request(const char *verb, ...)
{
	json_t *request = json_pack("{s:s}", "verb", verb);
	const char *key;
	va_list ap;

	va_start(ap, verb);
	while ((key = va_arg(ap, const char *)) != NULL) {
		const char *value = va_arg(ap, const char *);
		if (value != NULL)
			json_object_set_new(request, key, json_view(str_from(value)));
	}
	va_end(ap);
	return request;
}

static const struct verb *verb_find(const char *name)
{
	static const struct verb *const tables[] = {
		control_address_verbs,
		control_directory_verbs,
		control_hold_verbs,
		control_import_verbs,
		control_lists_verbs,
		control_log_verbs,
		control_override_verbs,
		control_quarantine_verbs,
		control_queue_verbs,
		control_route_verbs,
		control_simulate_verbs,
		control_tls_verbs,
		control_tlssent_verbs,
		control_tlsreport_verbs,
		control_token_verbs,
		control_dkim_verbs,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct verb *v = tables[i]; v->name != NULL; v++)
			if (strcmp(v->name, name) == 0)
				return v;
	return NULL;
}

/* Runs the verb; -1 with the reason in err. */
static int verb_run(struct call *call, json_t **last, struct err *err)
{
	const struct verb *verb = verb_find(control_verb(call->request));

	*last = NULL;
	if (verb == NULL)
		return call_missing(
			call, err, "unknown verb \"%.64s\"", control_verb(call->request));
	if (verb->run(call, last, err) == 0)
		return 0;
	json_decref(*last);
	*last = NULL;
	return -1;
}

int control_run(const struct control *ctl, const json_t *request, struct conn *c, struct err *err)
{
	struct call call = {.ctl = ctl, .request = request, .conn = c};
	json_t *last;

	call.arena = arena_open();
	int rc = verb_run(&call, &last, err);
	if (rc < 0) {
		if (!call.gone) {
			struct err why = *err;
			rc = control_refuse(c, why.text, err);
		}
	} else {
		if (last == NULL)
			last = json_object();
		json_object_set_new(last, "ok", json_true());
		rc = control_answer(c, last, err);
	}
	json_decref(call.problems);
	arena_close(&call.arena);
	if (rc < 0)
		return -1;
	return conn_flush(c, deadline_in_ms(CONTROL_WRITE_MS), err);
}

int control_call(const struct control *ctl, const json_t *request, struct control_result *out,
	struct err *err)
{
	struct call call = {.ctl = ctl, .request = request};

	call.arena = arena_open();
	call.rows = json_array();
	*out = (struct control_result){.rows = call.rows};
	int rc = verb_run(&call, &out->last, err);
	if (rc == 0 && out->last == NULL)
		out->last = json_object();
	out->problems = call.problems;
	out->missing = call.missing;
	arena_close(&call.arena);
	return rc;
}

void control_result_free(struct control_result *r)
{
	json_decref(r->rows);
	json_decref(r->last);
	json_decref(r->problems);
	*r = (struct control_result){.rows = NULL};
}

void control_serve(const struct control *ctl, struct conn *c)
{
	struct err err;

	for (;;) {
		json_t *request;
		int rc = control_read(c, &request, &err);
		if (rc == 0 || (rc < 0 && err.kind != ERR_PERM))
			return;
		if (rc < 0) { /* what follows cannot be trusted to be a request */
			struct err why = err;
			if (control_refuse(c, why.text, &err) == 0 &&
				conn_flush(c, deadline_in_ms(CONTROL_WRITE_MS), &err) < 0)
				log_event(LOG_LEVEL_DEBUG, "control.gone", NULL);
			return;
		}
		rc = control_run(ctl, request, c, &err);
		json_decref(request);
		if (rc < 0)
			return;
	}
}

/* --- for the verbs --- */

int call_row(struct call *call, json_t *row, struct err *err)
{
	if (call->conn == NULL) {
		if (json_array_size(call->rows) >= CONTROL_ROWS_MAX) {
			json_decref(row);
			return err_set(err, ERR_PERM, "more than %d rows: ask for fewer at a time",
				CONTROL_ROWS_MAX);
		}
		return json_array_append_new(call->rows, row) == 0
			       ? 0
			       : err_set(err, ERR_BUG, "row cannot be kept");
	}
	int rc = control_answer(call->conn, json_pack("{s:o}", "row", row), err);

	call->gone = rc < 0;
	return rc;
}

struct str call_text(const struct call *call, const char *key)
{
	const json_t *v = json_object_get(call->request, key);

	return (struct str){
		v ? json_string_value(v) : NULL, json_is_string(v) ? json_string_length(v) : 0};
}

bool call_has(const struct call *call, const char *key)
{
	return json_object_get(call->request, key) != NULL;
}

bool call_flag(const struct call *call, const char *key)
{
	return json_is_true(json_object_get(call->request, key)) ||
	       str_eq(call_text(call, key), STR("yes"));
}

int call_need(const struct call *call, const char *key, struct str *out, struct err *err)
{
	*out = call_text(call, key);
	if (out->len == 0)
		return err_set(err, ERR_PERM, "%s is missing", key);
	return 0;
}

int call_number(const struct call *call, const char *key, int64_t min, int64_t max, int64_t *out,
	struct err *err)
{
	const json_t *v = json_object_get(call->request, key);
	uint64_t n;

	if (v == NULL)
		return 0;
	if (json_is_integer(v))
		*out = json_integer_value(v);
	else if (str_to_u64(call_text(call, key), INT64_MAX, &n))
		*out = (int64_t)n;
	else
		return err_set(err, ERR_PERM, "%s: not a number", key);
	if (*out < min || *out > max)
		return err_set(err, ERR_PERM, "%s: must be %lld to %lld", key, (long long)min,
			(long long)max);
	return 0;
}

int call_saved(struct call *call, int rc, const struct admin_problems *problems, struct err *err)
{
	struct buf b = {NULL, 0, 0};

	if (rc <= 0)
		return rc;
	if (call->problems == NULL)
		call->problems = json_array();
	for (size_t i = 0; i < problems->count; i++) {
		buf_printf(
			&b, "%s%s: %s", i ? "; " : "", problems->at[i].field, problems->at[i].text);
		json_array_append_new(call->problems,
			json_pack("{s:s, s:o}", "field", problems->at[i].field, "detail",
				json_view(str_from(problems->at[i].text))));
	}
	err_set(err, ERR_PERM, "%s", b.len ? b.p : "refused");
	buf_free(&b);
	return -1;
}

int call_missing(struct call *call, struct err *err, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	call->missing = true;
	return err_set(err, ERR_PERM, "%s", text);
}

json_t *json_view(struct str s)
{
	json_t *v = json_stringn(s.p ? s.p : "", s.len);

	if (v != NULL)
		return v;
	/* Not UTF-8: by way of the writer that replaces what is not. */
	struct buf b = {NULL, 0, 0};
	buf_byte(&b, '"');
	buf_json(&b, s);
	buf_byte(&b, '"');
	v = json_loadb(b.p, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	buf_free(&b);
	return v ? v : json_string("");
}
