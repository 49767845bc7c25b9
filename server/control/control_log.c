/* control_log - the message log: finding mail, and one message's life. */
#include "control/control_priv.h"

#include "control/logfind.h"

enum { LIST_PAGE = 100, LIST_PAGE_MAX = 1000 };

static json_t *json_time_ms(int64_t ms)
{
	char text[CLOCK_TEXT];

	return ms == 0 ? json_null() : json_string(clock_iso(ms / 1000, text));
}

static json_t *json_id(int64_t id)
{
	char text[STORE_ID_TEXT];

	return id == 0 ? json_null() : json_string(store_id_text(id, text));
}

static json_t *json_results(unsigned bits)
{
	json_t *list = json_array();

	for (size_t i = 0; logfind_results[i] != NULL; i++) {
		if (bits & logfind_result(str_from(logfind_results[i])))
			json_array_append_new(list, json_string(logfind_results[i]));
	}
	return list;
}

static json_t *json_row(const struct store_msglog_row *r)
{
	json_t *row = json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
		json_id(r->id), "time", json_time_ms(r->at_ms), "results", json_results(r->results),
		"recipients", (json_int_t)r->rcpt_count, "open", (json_int_t)r->open, "from",
		json_view(r->mail_from), "to", json_view(r->rcpt), "original_to",
		json_view(r->original), "subject", json_view(r->subject), "header_from",
		json_view(r->header_from), "from_address", json_view(r->from_address));

	json_object_set_new(row, "message_id", json_view(r->message_id));
	json_object_set_new(row, "size", json_integer(r->size));
	json_object_set_new(row, "session", json_view(r->session));
	json_object_set_new(row, "remote_ip", json_view(r->remote_ip));
	json_object_set_new(row, "helo", json_view(r->helo));
	json_object_set_new(row, "account", json_view(r->account));
	json_object_set_new(row, "listener", json_view(r->listener));
	json_object_set_new(row, "tls", json_view(r->tls));
	json_object_set_new(row, "stage", json_string(logfind_stage_name(r->stage)));
	json_object_set_new(row, "code", json_integer(r->code));
	json_object_set_new(row, "enhanced_code", json_view(r->ecode));
	json_object_set_new(row, "text", json_view(r->text));
	json_object_set_new(row, "about", json_id(r->about));
	return row;
}

static int time_read(struct call *call, const char *key, int64_t *ms, struct err *err)
{
	struct str text = call_text(call, key);

	*ms = 0;
	if (text.len == 0)
		return 0;
	if (logfind_time(text, clock_unix_ms(), ms, err) < 0)
		return err_prefix(err, "%s", key);
	return 0;
}

static int filter_read(struct call *call, struct store_msglog_filter *f, struct err *err)
{
	struct str result = call_text(call, "result"), text = call_text(call, "text");
	struct str address = call_text(call, "address"), domain = call_text(call, "domain");
	struct store_msglog_filter typed = {.limit = 0};
	struct arena *a = call->arena;
	int64_t id = 0;

	*f = (struct store_msglog_filter){
		.session = call_text(call, "session"), .message_id = call_text(call, "message_id")};
	if (text.len > 0 && (logfind_text(a, text, f, &id) == LOGFIND_UNKNOWN || id != 0))
		return err_set(err, ERR_PERM,
			"\"%.*s\" is no address, domain, Message-ID, session or IP", STR_FMT(text));
	/* Given by name, and still put into normal form. */
	if (address.len > 0) {
		if (logfind_text(a, address, &typed, &id) != LOGFIND_ADDRESS)
			return err_set(
				err, ERR_PERM, "\"%.*s\" is not an address", STR_FMT(address));
		f->address = typed.address;
	}
	if (domain.len > 0) {
		domain = str_from(arena_printf(a, "@%.*s", STR_FMT(domain)));
		if (logfind_text(a, domain, &typed, &id) == LOGFIND_DOMAIN)
			f->domain = typed.domain;
	}
	if (call_has(call, "ip")) {
		if (logfind_text(a, call_text(call, "ip"), f, &id) != LOGFIND_IP)
			return err_set(err, ERR_PERM, "\"%.*s\" is not an IP address",
				STR_FMT(call_text(call, "ip")));
	}
	f->results = logfind_result(result);
	if (result.len > 0 && f->results == 0)
		return err_set(err, ERR_PERM,
			"result: \"%.*s\" is none of accepted, rejected, tempfailed, delivered, "
			"deferred, bounced, quarantined, dropped",
			STR_FMT(result));
	if (time_read(call, "since", &f->since_ms, err) < 0)
		return -1;
	return time_read(call, "until", &f->until_ms, err);
}

/* Rows newest first; {"more", "next"}: ask again with "before": next. */
static int log_list(struct call *call, json_t **last, struct err *err)
{
	struct store_msglog_filter f;
	struct store_msglog_page page;
	int64_t limit = LIST_PAGE, before = 0;

	if (filter_read(call, &f, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0 ||
		call_number(call, "before", 0, INT64_MAX, &before, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	f.before_id = before;
	if (store_msglog_list(call->ctl->store, &f, call->arena, &page, err) < 0)
		return -1;
	for (size_t i = 0; i < page.count; i++) {
		if (call_row(call, json_row(&page.rows[i]), err) < 0)
			return -1;
	}
	*last = json_pack("{s:b, s:I}", "more", page.more, "next", (json_int_t)page.next_before);
	return 0;
}

static json_t *json_trace(struct str trace)
{
	json_t *value = trace.len > 0 ? json_loadb(trace.p, trace.len, 0, NULL) : NULL;

	return value != NULL ? value : json_null();
}

static struct str address_of(const struct store_msglog_life *life, int64_t rcpt_id)
{
	for (size_t i = 0; i < life->rcpt_count; i++) {
		if (life->rcpts[i].id == rcpt_id)
			return life->rcpts[i].address;
	}
	return STR("");
}

static json_t *json_event(const struct store_msglog_life *life, const struct store_msglog_event *e)
{
	json_t *event = json_pack("{s:o, s:s, s:o, s:I, s:I, s:o, s:o}", "time",
		json_time_ms(e->at_ms), "event", logfind_event_name(e->kind), "to",
		json_view(address_of(life, e->rcpt_id)), "duration_ms", (json_int_t)e->duration_ms,
		"code", (json_int_t)e->code, "enhanced_code", json_view(e->ecode), "text",
		json_view(e->text));

	json_object_set_new(event, "mx", json_view(e->mx));
	json_object_set_new(event, "ip", json_view(e->ip));
	json_object_set_new(event, "tls", json_view(e->tls));
	json_object_set_new(event, "transport", json_view(e->transport));
	json_object_set_new(event, "next_attempt", json_time_ms(e->next_ms));
	json_object_set_new(event, "trace", json_trace(e->trace));
	return event;
}

/* Events as rows, then the message with its recipients. */
static int log_get(struct call *call, json_t **last, struct err *err)
{
	struct store_msglog_life life;
	struct str text;
	int64_t id;

	if (call_need(call, "id", &text, err) < 0)
		return -1;
	if (!store_id_parse(text, &id))
		return err_set(err, ERR_PERM, "\"%.*s\" is not an id", STR_FMT(text));
	int rc = store_msglog_get(call->ctl->store, id, call->arena, &life, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return call_missing(call, err, "%.*s is not in the message log", STR_FMT(text));
	for (size_t i = 0; i < life.event_count; i++) {
		if (call_row(call, json_event(&life, &life.events[i]), err) < 0)
			return -1;
	}
	json_t *rcpts = json_array();
	for (size_t i = 0; i < life.rcpt_count; i++)
		json_array_append_new(
			rcpts, json_pack("{s:o, s:o}", "to", json_view(life.rcpts[i].address),
				       "original_to", json_view(life.rcpts[i].original)));
	*last = json_row(&life.row);
	json_object_set_new(*last, "recipient_list", rcpts);
	json_object_set_new(*last, "trace", json_trace(life.trace));
	return 0;
}

/* {"days": n}, after setting it when the request has "days". */
static int log_keep(struct call *call, json_t **last, struct err *err)
{
	int64_t days = 0;

	if (call_has(call, "days") &&
		(call_number(call, "days", 1, STORE_LOG_DAYS_MAX, &days, err) < 0 ||
			store_msglog_days_put(call->ctl->store, days, err) < 0))
		return -1;
	if (store_msglog_days(call->ctl->store, &days, err) < 0)
		return -1;
	*last = json_pack("{s:I}", "days", (json_int_t)days);
	return 0;
}

const struct verb control_log_verbs[] = {
	{"log.list", log_list},
	{"log.get", log_get},
	{"log.keep", log_keep},
	{NULL, NULL},
};
