#include "webui/api.h"

#include "base/log.h"
#include "base/metric.h"
#include "control/token.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKEN_TOUCH_S = 60, BODY_DEPTH_MAX = 8 };

/* --- answers --- */

static void json_answer(struct page *p, int status, const char *type, json_t *body)
{
	char *text = json_dumps(body, JSON_INDENT(1));

	json_decref(body);
	buf_clear(&p->answer.body);
	if (text != NULL)
		buf_text(&p->answer.body, text);
	buf_byte(&p->answer.body, '\n');
	free(text);
	p->answer.status = text != NULL ? status : 500;
	p->answer.content_type = type;
}

void api_problem(struct page *p, int status, const char *title, const char *detail, json_t *errors)
{
	json_t *body = json_pack(
		"{s:s, s:i, s:s}", "type", "about:blank", "status", status, "title", title);
	/* What a peer or an admin wrote may be anything. */
	json_t *text = json_string(detail);

	json_object_set_new(body, "detail", text != NULL ? text : json_string(title));
	if (errors != NULL)
		json_object_set_new(body, "errors", errors);
	json_answer(p, status, "application/problem+json", body);
}

__attribute__((format(printf, 3, 4))) static void errors_add(
	json_t **errors, const char *field, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (*errors == NULL)
		*errors = json_array();
	json_array_append_new(*errors, json_pack("{s:s, s:s}", "field", field, "detail", text));
}

/* --- who asks --- */

static bool bearer(const struct page *p, struct str *token)
{
	struct str scheme, rest = p->authorization != NULL ? str_from(p->authorization) : STR("");

	if (!str_split(rest, ' ', &scheme, token) || !str_eq_nocase(scheme, STR("Bearer")))
		return false;
	*token = str_trim(*token);
	return token->len > 0;
}

/* True when the token is good; else the answer is filled. */
static bool authenticate(struct page *p, struct store_token *row)
{
	char hash[STORE_TOKEN_HASH], ip[IP_TEXT];
	struct str token;
	struct err err;
	int rc = 0;

	if (!bearer(p, &token)) {
		page_header(p, "WWW-Authenticate", "Bearer realm=\"mox\"");
		api_problem(p, 401, "No token",
			"Send \"Authorization: Bearer TOKEN\"; tokens are made on the page API "
			"tokens or with mox token add.",
			NULL);
		return false;
	}
	if (!smtp_limits_auth_allowed(
		    p->gateway->limits, &p->config->limits, &p->peer, clock_mono_ms())) {
		page_header(p, "Retry-After", "60");
		api_problem(p, 429, "Too many failed log-ins",
			"There were too many wrong passwords or tokens from your address or its "
			"neighbours. Try again in a minute.",
			NULL);
		return false;
	}
	if (token.len == CONTROL_TOKEN_TEXT - 1) {
		rc = control_token_hash(token, hash, &err);
		if (rc == 0)
			rc = store_token_find(
				p->gateway->store, hash, clock_unix_s(), p->arena, row, &err);
		if (rc < 0) {
			api_problem(p, 503, "Not now", err.text, NULL);
			return false;
		}
	}
	if (rc == 1)
		return true;
	smtp_limits_auth_failed(p->gateway->limits, &p->peer, clock_mono_ms());
	log_event(LOG_LEVEL_INFO, "api.token", "result", "unknown or expired", "ip",
		ip_text(&p->peer, ip), NULL);
	page_header(p, "WWW-Authenticate", "Bearer realm=\"mox\", error=\"invalid_token\"");
	api_problem(p, 401, "Bad token", "This token is unknown or has expired.", NULL);
	return false;
}

static void touch(struct page *p, const struct store_token *row)
{
	int64_t now_s = clock_unix_s();
	char ip[IP_TEXT];
	struct err err;

	if (now_s - row->used_s >= TOKEN_TOUCH_S &&
		store_token_touch(p->gateway->store, row->id, now_s,
			str_from(ip_text(&p->peer, ip)), &err) < 0)
		log_event(LOG_LEVEL_WARN, "api.touch", "error", err.text, NULL);
}

/* --- which route --- */

static bool matches(struct str pattern, struct str path, struct str params[API_PARAMS_MAX])
{
	struct str want, have;
	size_t n = 0;

	for (;;) {
		bool more = str_next(&pattern, '/', &want);
		if (str_next(&path, '/', &have) != more)
			return false;
		if (!more)
			return true;
		if (want.len > 0 && want.p[0] == ':' && have.len > 0 && n < API_PARAMS_MAX)
			params[n++] = have;
		else if (!str_eq(want, have))
			return false;
	}
}

/* NULL when there is none; *allow then lists the methods of that path, or is empty. */
static const struct api_route *route_find(
	const char *method, struct str below, struct str params[API_PARAMS_MAX], struct buf *allow)
{
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *r = &api_routes[i];
		if (!matches(str_from(r->pattern), below, params))
			continue;
		if (strcmp(r->method, method) == 0 ||
			(strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0))
			return r;
		buf_printf(allow, "%s%s%s", allow->len > 0 ? ", " : "", r->method,
			strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
	}
	return NULL;
}

/* --- what is asked for --- */

static const struct api_field *field_find(const struct api_field *in, const char *name)
{
	for (; in != NULL && in->name != NULL; in++) {
		if (strcmp(in->name, name) == 0)
			return in;
	}
	return NULL;
}

static bool word_allowed(const char *words, const char *word)
{
	struct str rest = str_from(words), one;

	while (words != NULL && str_next(&rest, ' ', &one)) {
		if (str_eq(one, str_from(word)))
			return true;
	}
	return words == NULL;
}

/* The verbs take a relay's parts as members of their own; hosts as one text. */
static void relay_read(json_t *request, const char *field, const json_t *relay, json_t **errors)
{
	static const char *const parts[] = {"protocol", "tls", "username", "password"};
	const json_t *hosts = json_object_get(relay, "hosts");
	struct buf text = {NULL, 0, 0};

	for (size_t i = 0; i < json_array_size(hosts); i++) {
		const char *host = json_string_value(json_array_get(hosts, i));
		if (host == NULL)
			errors_add(errors, field, "hosts must be texts \"host:port\"");
		else
			buf_printf(&text, "%s%s", i > 0 ? "," : "", host);
	}
	if (hosts != NULL && !json_is_array(hosts))
		errors_add(errors, field, "hosts must be an array");
	else if (hosts != NULL)
		json_object_set_new(request, "relay", json_stringn(buf_str(&text).p, text.len));
	buf_free(&text);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *v = json_object_get(relay, parts[i]);
		if (v == NULL)
			continue;
		if (!json_is_string(v))
			errors_add(errors, field, "%s must be a text", parts[i]);
		else
			json_object_set(request, parts[i], v);
	}
}

static void member_read(json_t *request, const struct api_field *f, json_t *value, json_t **errors)
{
	switch (f->type) {
	case API_TEXT:
	case API_TIME:
		if (!json_is_string(value))
			errors_add(errors, f->name, "must be a text");
		else if (f->of != NULL && !word_allowed(f->of, json_string_value(value)))
			errors_add(errors, f->name, "must be one of: %s", f->of);
		break;
	case API_NUMBER:
		if (!json_is_integer(value))
			errors_add(errors, f->name, "must be a whole number");
		break;
	case API_FLAG:
		if (!json_is_boolean(value))
			errors_add(errors, f->name, "must be true or false");
		break;
	case API_TEXTS:
		if (!json_is_array(value))
			errors_add(errors, f->name, "must be an array of texts");
		for (size_t i = 0; i < json_array_size(value); i++)
			if (!json_is_string(json_array_get(value, i)))
				errors_add(errors, f->name, "must be an array of texts");
		break;
	case API_RELAY:
		if (!json_is_object(value))
			errors_add(errors, f->name, "must be an object");
		else
			relay_read(request, f->name, value, errors);
		return;
	case API_OBJECTS:
	case API_OBJECT:
	case API_ANY:
	case API_ANY_LIST:
		break;
	}
	json_object_set(request, f->name, value);
}

/* Query strings have texts only: numbers and flags are read from them. */
static void query_read(struct page *p, const struct api_route *r, json_t *request, json_t **errors)
{
	for (size_t i = 0; i < p->query.count; i++) {
		const char *name = arena_strdup(p->arena, p->query.fields[i].name);
		struct str text = p->query.fields[i].value;
		const struct api_field *f = field_find(r->in, name);
		json_t *value = json_stringn(text.p, text.len);
		uint64_t n;
		if (f == NULL || strcmp(r->method, "GET") != 0) {
			errors_add(errors, name, "there is no such parameter");
		} else {
			if (f->type == API_NUMBER && str_to_u64(text, INT64_MAX, &n)) {
				json_decref(value);
				value = json_integer((json_int_t)n);
			} else if (f->type == API_FLAG &&
				   (str_eq(text, STR("true")) || str_eq(text, STR("false")))) {
				json_decref(value);
				value = json_boolean(text.p[0] == 't');
			}
			member_read(request, f, value, errors);
		}
		json_decref(value);
	}
}

static bool too_deep(const json_t *v, int depth)
{
	const char *key;
	json_t *one;
	size_t i;

	if (depth > BODY_DEPTH_MAX)
		return true;
	json_array_foreach(v, i, one)
	{
		if (too_deep(one, depth + 1))
			return true;
	}
	/* jansson's macro takes a pointer that is not const; nothing is changed. */
	if (!json_is_object(v))
		return false;
	for (void *it = json_object_iter((json_t *)(uintptr_t)v); it != NULL;
		it = json_object_iter_next((json_t *)(uintptr_t)v, it)) {
		key = json_object_iter_key(it);
		if (key != NULL && too_deep(json_object_iter_value(it), depth + 1))
			return true;
	}
	return false;
}

/* False: the answer is filled. */
static bool body_read(struct page *p, const struct api_route *r, json_t *request, json_t **errors)
{
	struct str type = p->content_type != NULL ? str_from(p->content_type) : STR("");
	json_error_t bad;

	if (strcmp(r->method, "GET") == 0 || (p->body.len == 0 && r->in == NULL))
		return true;
	if (p->body.len > 0 && !str_starts_nocase(type, STR("application/json"))) {
		api_problem(p, 415, "Not JSON", "Send Content-Type: application/json.", NULL);
		return false;
	}
	json_t *body = p->body.len == 0
			       ? json_object()
			       : json_loadb(p->body.p, p->body.len, JSON_REJECT_DUPLICATES, &bad);
	if (body == NULL) {
		api_problem(p, 400, "Bad JSON",
			arena_printf(
				p->arena, "line %d, column %d: %s", bad.line, bad.column, bad.text),
			NULL);
		return false;
	}
	if (!json_is_object(body) || too_deep(body, 0)) {
		json_decref(body);
		api_problem(p, 400, "Bad JSON", "The body must be one object, not deeply nested.",
			NULL);
		return false;
	}
	for (void *it = json_object_iter(body); it != NULL; it = json_object_iter_next(body, it)) {
		const char *name = json_object_iter_key(it);
		const struct api_field *f = field_find(r->in, name);
		if (f == NULL)
			errors_add(errors, name, "there is no such member");
		else
			member_read(request, f, json_object_iter_value(it), errors);
	}
	for (const struct api_field *f = r->in; f != NULL && f->name != NULL; f++) {
		if ((f->flags & API_REQUIRED) && json_object_get(body, f->name) == NULL)
			errors_add(errors, f->name, "is missing");
	}
	json_decref(body);
	return true;
}

/* The path's parameters, in the order of the pattern. False: the answer is filled. */
static bool params_read(struct page *p, const struct api_route *r,
	const struct str params[API_PARAMS_MAX], json_t *request)
{
	struct str rest = str_from(r->pattern), piece;
	struct urlform one;
	struct err err;
	size_t n = 0;

	while (str_next(&rest, '/', &piece)) {
		if (piece.len == 0 || piece.p[0] != ':')
			continue;
		/* In paths "+" is itself; "%2B" says the same to the decoder. */
		struct buf coded = {NULL, 0, 0};
		buf_text(&coded, "x=");
		for (size_t i = 0; i < params[n].len; i++) {
			if (params[n].p[i] == '+')
				buf_text(&coded, "%2B");
			else if (params[n].p[i] == '&')
				buf_text(&coded, "%26");
			else
				buf_byte(&coded, params[n].p[i]);
		}
		int rc = urlform_parse(p->arena, buf_str(&coded), &one, &err);
		buf_free(&coded);
		if (rc < 0) {
			api_problem(p, 400, "Bad address", "The path cannot be decoded.", NULL);
			return false;
		}
		struct str value = urlform_get(&one, "x");
		json_object_set_new(request, arena_strdup(p->arena, str_skip(piece, 1)),
			json_stringn(value.p, value.len));
		n++;
	}
	return true;
}

/* --- running --- */

static void failure_answer(struct page *p, struct control_result *result, const struct err *err)
{
	json_t *errors = result->problems, *one;
	size_t i;

	result->problems = NULL;
	/* Form fields of a relay are members of its object here. */
	json_array_foreach(errors, i, one)
	{
		const char *field = json_string_value(json_object_get(one, "field"));
		if (field != NULL && strncmp(field, "relay_", 6) == 0)
			json_object_set_new(one, "field",
				json_string(arena_printf(p->arena, "relay.%s", field + 6)));
	}
	if (result->missing)
		api_problem(p, 404, "Not found", err->text, errors);
	else if (err->kind == ERR_PERM)
		api_problem(p, 422, "Not possible", err->text, errors);
	else if (err->kind == ERR_FULL)
		api_problem(p, 507, "The disk is full", err->text, errors);
	else if (err->kind == ERR_TEMP)
		api_problem(p, 503, "Not now", err->text, errors);
	else
		api_problem(p, 500, "A fault of ours", err->text, errors);
}

/* A cursor with a second part is "NEXT.KEY". */
static json_t *next_cursor(struct page *p, const json_t *last)
{
	json_t *next = json_object_get(last, "next"), *key = json_object_get(last, "next_key");

	if (next == NULL || !json_is_true(json_object_get(last, "more")))
		return json_null();
	if (json_is_string(next))
		return json_incref(next);
	char *text = arena_printf(p->arena, "%lld", (long long)json_integer_value(next));
	if (key != NULL)
		text = arena_printf(p->arena, "%s.%lld", text, (long long)json_integer_value(key));
	return json_string(text);
}

/* Parameter "after" as the verb wants it. */
static void cursor_read(struct page *p, const struct api_route *r, json_t *request)
{
	struct str text = str_from(json_string_value(json_object_get(request, "after")));
	struct str first, key;

	if (r->cursor == NULL || text.len == 0)
		return;
	if (str_split(text, '.', &first, &key) && first.len > 0 && ascii_is_digit(first.p[0]) &&
		strspn(first.p, "0123456789") == first.len) {
		char *end;
		long long n = strtoll(arena_strdup(p->arena, key), &end, 10);
		if (*end == '\0')
			json_object_set_new(request, "after_key", json_integer(n));
		text = first;
	}
	json_t *value = json_stringn(text.p, text.len);
	json_object_del(request, "after");
	json_object_set_new(request, r->cursor, value);
}

static void success_answer(
	struct page *p, const struct api_route *r, const struct control_result *result)
{
	json_t *body;

	switch (r->answer) {
	case API_ANSWER_LIST:
		body = json_pack(
			"{s:O, s:o}", "items", result->rows, "next", next_cursor(p, result->last));
		json_answer(p, 200, "application/json", body);
		return;
	case API_ANSWER_OBJECT:
	case API_ANSWER_CREATED:
		body = json_incref(result->last);
		if (r->rows_as != NULL)
			json_object_set(body, r->rows_as, result->rows);
		json_answer(
			p, r->answer == API_ANSWER_CREATED ? 201 : 200, "application/json", body);
		return;
	case API_ANSWER_DONE:
		p->answer.status = 204;
		return;
	}
}

static void run(struct page *p, const struct api_route *r, const json_t *request)
{
	struct control ctl = {.store = p->gateway->store,
		.queue = p->gateway->queue,
		.config = p->gateway->config,
		.dns = p->gateway->dns,
		.mtasts = p->gateway->mtasts,
		.http = p->gateway->http,
		.signing = p->gateway->signing,
		.tlsrpt = p->gateway->tlsrpt,
		.simulator = p->gateway->simulator};
	struct control_result result = {.rows = NULL};
	struct err err = {.kind = ERR_NONE};
	int rc;

	if (r->run != NULL) {
		result.rows = json_array();
		rc = r->run(p, request, &result, &err);
		if (rc == 0 && result.last == NULL)
			result.last = json_object();
	} else
		rc = control_call(&ctl, request, &result, &err);
	if (rc < 0)
		failure_answer(p, &result, &err);
	else
		success_answer(p, r, &result);
	control_result_free(&result);
}

/* What a client may do with this token; false: the answer is filled. */
static bool may(struct page *p, const struct api_route *r, const struct store_token *token)
{
	if (!token->read_only || strcmp(r->method, "GET") == 0)
		return true;
	api_problem(p, 403, "Read only", "This token may only read.", NULL);
	return false;
}

static void route_run(struct page *p, const struct api_route *r,
	const struct str params[API_PARAMS_MAX], const struct store_token *token)
{
	json_t *request, *errors = NULL;

	if (!may(p, r, token))
		return;
	request = json_pack("{s:s}", "verb", r->verb != NULL ? r->verb : "");
	query_read(p, r, request, &errors);
	cursor_read(p, r, request);
	if (!body_read(p, r, request, &errors) || !params_read(p, r, params, request)) {
		json_decref(errors);
	} else if (errors != NULL) {
		api_problem(p, 422, "Not possible",
			"Some fields cannot be taken as they are; nothing was changed.", errors);
	} else {
		run(p, r, request);
	}
	json_decref(request);
}

void api_run(struct page *p, struct str below)
{
	struct str params[API_PARAMS_MAX];
	struct store_token token;
	struct buf allow = {NULL, 0, 0};

	if (str_eq(below, STR("openapi.json")) && p->method == PAGE_GET) {
		json_answer(p, 200, "application/json", api_openapi());
		return;
	}
	if (!authenticate(p, &token))
		return;
	touch(p, &token);
	const struct api_route *r = route_find(p->method_name, below, params, &allow);
	if (r != NULL) {
		route_run(p, r, params, &token);
	} else if (allow.len > 0) {
		page_header(p, "Allow", arena_strdup(p->arena, buf_str(&allow)));
		api_problem(
			p, 405, "Not that way", "This address does not take that method.", NULL);
	} else
		api_problem(p, 404, "Not found",
			"There is nothing at this address; see " API_BASE "openapi.json.", NULL);
	buf_free(&allow);
}
