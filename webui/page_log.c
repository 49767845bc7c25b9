#include "control/logfind.h"
#include "store/queue.h"
#include "webui/logview.h"
#include "webui/pages.h"
#include "webui/tail.h"
#include "webui/traceview.h"

#include <stdio.h>

enum { ROWS_PER_PAGE = 50, RCPTS_SHOWN = 20, EVENTS_SHOWN = 100 };

/* --- the list --- */

static void option_add(
	struct page *p, struct tval *list, const char *value, const char *label, struct str chosen)
{
	struct tval *row = tval_add_map(p->arena, list);

	tval_set_text(p->arena, row, "value", value);
	tval_set_text(p->arena, row, "label", label);
	tval_set_flag(p->arena, row, "here", str_eq(chosen, str_from(value)));
}

static void search_show(struct page *p, const struct logview_search *s)
{
	static const char *const results[][2] = {{"accepted", "Accepted"},
		{"delivered", "Delivered"}, {"deferred", "Deferred at least once"},
		{"bounced", "Bounced"}, {"rejected", "Rejected"}, {"tempfailed", "Put off (4xx)"},
		{"quarantined", "Quarantined"}, {"dropped", "Dropped by hand"}};
	static const char *const times[][2] = {
		{"1h", "Last hour"}, {"24h", "Last 24 hours"}, {"7d", "Last 7 days"}};
	struct tval *list = tval_set_list(p->arena, p->view, "results");

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		option_add(p, list, results[i][0], results[i][1], s->result);
	list = tval_set_list(p->arena, p->view, "times");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		option_add(p, list, times[i][0], times[i][1], s->time);
	tval_set_str(p->arena, p->view, "q", s->text);
	tval_set_text(p->arena, p->view, "what", s->what);
	tval_set_str(p->arena, p->view, "from_day", s->from);
	tval_set_str(p->arena, p->view, "to_day", s->to);
	tval_set_flag(p->arena, p->view, "dated", s->from.len + s->to.len > 0);
	tval_set_flag(p->arena, p->view, "unknown", s->unknown);
	tval_set_flag(p->arena, p->view, "filtered",
		s->text.len + s->result.len + s->time.len + s->from.len + s->to.len > 0);
	if (s->problem != NULL)
		page_notice(p, PAGE_NOTICE_WARN, s->problem, NULL, NULL);
}

static int rows_find(
	struct page *p, struct logview_search *s, struct store_msglog_page *found, struct err *err)
{
	*found = (struct store_msglog_page){.count = 0};
	if (s->unknown)
		return 0;
	if (store_msglog_list(p->gateway->store, &s->f, p->arena, found, err) < 0)
		return -1;
	/* Message-IDs look like addresses, and not everybody copies the < >. */
	if (found->count == 0 && !found->more && s->f.address.len > 0 && s->f.before_id == 0) {
		struct store_msglog_filter f = s->f;
		f.message_id = s->text;
		f.address = STR("");
		if (store_msglog_list(p->gateway->store, &f, p->arena, found, err) < 0)
			return -1;
		if (found->count > 0)
			s->what = "the Message-ID";
	}
	return 0;
}

void page_log(struct page *p)
{
	struct tval *rows = tval_set_list(p->arena, p->view, "rows");
	struct logview_search s;
	struct store_msglog_page found;
	char id[STORE_ID_TEXT];
	int64_t days;
	struct err err;

	logview_read(p, &s);
	if (s.queue_id != 0) {
		page_redirect(p, "log/%s", store_id_text(s.queue_id, id));
		return;
	}
	s.f.limit = ROWS_PER_PAGE;
	s.f.before_id = page_number(urlform_get(&p->query, "before"));
	if (rows_find(p, &s, &found, &err) < 0 ||
		store_msglog_days(p->gateway->store, &days, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < found.count; i++)
		logview_row(p, tval_add_map(p->arena, rows), &found.rows[i]);
	search_show(p, &s);
	tval_set_flag(p->arena, p->view, "any", found.count > 0);
	tval_set_printf(p->arena, p->view, "days", "%lld", (long long)days);
	const char *query = logview_query(p, &s);
	tval_set_text(p->arena, p->view, "first_query", query);
	tval_set_flag(p->arena, p->view, "later_page", s.f.before_id > 0);
	if (found.more)
		tval_set_printf(p->arena, p->view, "next_query", "%s%sbefore=%lld", query,
			query[1] != '\0' ? "&" : "", (long long)found.next_before);
	if (s.f.before_id == 0 && !s.unknown && s.to.len == 0)
		tval_set_text(p->arena, p->view, "tail", query);
	page_render(p, 200, "log", "Log");
}

void page_log_tail(struct page *p)
{
	struct logview_search s;

	logview_read(p, &s);
	tail_answer(p, &s.f);
}

void page_log_keep(struct page *p)
{
	struct str text = page_field(p, "days");
	uint64_t days = 0;
	struct err err;

	if (!str_to_u64(text, STORE_LOG_DAYS_MAX, &days) || days == 0) {
		page_error(p, 400, "Not a number of days",
			"The log can be kept for 1 to 3650 days. Nothing was changed.");
		return;
	}
	if (store_msglog_days_put(p->gateway->store, (int64_t)days, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "log?done=saved");
}

/* --- one message --- */

static void url_set(struct page *p, struct tval *map, const char *key, struct str s)
{
	struct buf b = {NULL, 0, 0};

	buf_url(&b, s);
	tval_set_str(p->arena, map, key, buf_str(&b));
	buf_free(&b);
}

static const char *stage_sentence(enum store_log_stage stage)
{
	switch (stage) {
	case STORE_LOG_STAGE_MAIL:
		return "because of its sender, before a recipient was named";
	case STORE_LOG_STAGE_RCPT:
		return "for this recipient, before its content was sent";
	case STORE_LOG_STAGE_DATA:
		return "after its content was looked at";
	case STORE_LOG_STAGE_QUEUED:
		return "";
	}
	return "";
}

/* The answer to "where is my mail?" in one sentence. */
static const char *lead(struct page *p, const struct store_msglog_row *r)
{
	const char *n = page_count_text(p, (int64_t)r->rcpt_count);
	const char *open = page_count_text(p, (int64_t)r->open);
	bool one = r->rcpt_count == 1;

	if (r->results & STORE_LOG_REJECTED)
		return arena_printf(p->arena, "Refused %s. The sender's server was told so.",
			stage_sentence(r->stage));
	if (r->results & STORE_LOG_TEMPFAILED)
		return arena_printf(p->arena, "Put off %s. A proper mail server tries again later.",
			stage_sentence(r->stage));
	if (r->open > 0 && (r->results & STORE_LOG_DEFERRED))
		return one ? "Not delivered yet: an attempt failed, and it will be tried again."
			   : arena_printf(p->arena,
				     "%s of %s recipients still wait; it will be tried again.",
				     open, n);
	if (r->open > 0)
		return one ? "In the queue, on its way."
			   : arena_printf(p->arena, "%s of %s recipients still wait in the queue.",
				     open, n);
	if (r->results & STORE_LOG_BOUNCED)
		return r->results & STORE_LOG_DELIVERED
			       ? "Delivered to some of its recipients, given up for others."
			       : "Not delivered, and given up for good.";
	if (r->results & STORE_LOG_DROPPED)
		return "Taken out of the queue by hand.";
	return one ? "Delivered."
		   : arena_printf(p->arena, "Delivered to all of its %s recipients.", n);
}

static void head_fill(struct page *p, const struct store_msglog_life *life)
{
	const struct store_msglog_row *r = &life->row;
	struct tval *list = tval_set_list(p->arena, p->view, "rcpts");
	const char *kind;
	char id[STORE_ID_TEXT];

	logview_row(p, p->view, r);
	logview_standing(r, &kind);
	tval_set_text(p->arena, p->view, "lead", lead(p, r));
	url_set(p, p->view, "from_url", r->mail_from);
	tval_set_str(p->arena, p->view, "header_from", r->header_from);
	tval_set_str(p->arena, p->view, "message_id", r->message_id);
	url_set(p, p->view, "message_id_url",
		str_from(arena_printf(p->arena, "<%.*s>", STR_FMT(r->message_id))));
	tval_set_str(p->arena, p->view, "session", r->session);
	if (r->about != 0)
		tval_set_text(p->arena, p->view, "about", store_id_text(r->about, id));
	tval_set_flag(p->arena, p->view, "several", r->rcpt_count > 1);
	tval_set_flag(p->arena, p->view, "waiting", r->open > 0);
	for (size_t i = 0; i < life->rcpt_count && i < RCPTS_SHOWN; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_str(p->arena, row, "to", life->rcpts[i].address);
		tval_set_str(p->arena, row, "original", life->rcpts[i].original);
		url_set(p, row, "url", life->rcpts[i].address);
	}
	if (r->rcpt_count > RCPTS_SHOWN)
		page_count(p, p->view, "rcpts_left", (int64_t)r->rcpt_count - RCPTS_SHOWN);
}

/* How it came in: accepted or refused, by what, and why. */
static void begin_fill(struct page *p, const struct store_msglog_life *life)
{
	const struct store_msglog_row *r = &life->row;
	bool rejected = r->results & STORE_LOG_REJECTED;
	bool off = r->results & STORE_LOG_TEMPFAILED;

	tval_set_text(p->arena, p->view, "in_kind", rejected ? "bad" : off ? "warn" : "calm");
	if (rejected || off)
		tval_set_printf(p->arena, p->view, "in_word", "%s at %s",
			rejected ? "Rejected" : "Put off", logfind_stage_name(r->stage));
	else
		tval_set_text(
			p->arena, p->view, "in_word", r->remote_ip.len > 0 ? "Received" : "Queued");
	tval_set_str(p->arena, p->view, "helo", r->helo);
	tval_set_str(p->arena, p->view, "account", r->account);
	tval_set_str(p->arena, p->view, "listener", r->listener);
	tval_set_str(p->arena, p->view, "tls", r->tls);
	traceview_fill(p, p->view, "trace", life->trace);
}

static const struct {
	const char *word, *state;
} looks[] = {
	[STORE_LOG_EV_DELIVERED] = {"Delivered", "good"},
	[STORE_LOG_EV_DEFERRED] = {"Deferred", "warn"},
	[STORE_LOG_EV_FAILED] = {"Failed", "bad"},
	[STORE_LOG_EV_NOTICE] = {"Sender told", "calm"},
	[STORE_LOG_EV_RETRY] = {"Tried again by hand", "calm"},
	[STORE_LOG_EV_HELD] = {"Put on hold", "held"},
	[STORE_LOG_EV_UNHELD] = {"Released", "calm"},
	[STORE_LOG_EV_DROPPED] = {"Dropped by hand", "calm"},
	[STORE_LOG_EV_QUARANTINED] = {"Quarantined", "held"},
	[STORE_LOG_EV_RELEASED] = {"Released from quarantine", "calm"},
};

static void took_set(struct page *p, struct tval *row, int64_t ms)
{
	if (ms < 1000)
		tval_set_printf(p->arena, row, "took", "%lld ms", (long long)ms);
	else
		tval_set_printf(p->arena, row, "took", "%.1f s", (double)ms / 1000);
}

/* Every name is set: one that is missing would be looked for outside. */
static void event_fill(struct page *p, struct tval *row, const struct store_msglog_life *life,
	const struct store_msglog_event *e)
{
	size_t kind = (size_t)e->kind < sizeof(looks) / sizeof(looks[0]) ? (size_t)e->kind : 0;
	bool attempt = e->kind <= STORE_LOG_EV_FAILED, notice = e->kind == STORE_LOG_EV_NOTICE;
	struct str to = STR("");

	for (size_t i = 0; i < life->rcpt_count; i++) {
		if (life->rcpts[i].id == e->rcpt_id)
			to = life->rcpts[i].address;
	}
	tval_set_text(p->arena, row, "word", looks[kind].word);
	tval_set_text(p->arena, row, "state", looks[kind].state);
	tval_set_str(p->arena, row, "to", to);
	tval_set_str(p->arena, row, "mx", e->mx);
	tval_set_str(p->arena, row, "ip", e->ip);
	tval_set_str(p->arena, row, "tls", e->tls);
	tval_set_str(p->arena, row, "transport", e->transport);
	tval_set_flag(p->arena, row, "plain", attempt && e->tls.len == 0 && e->ip.len > 0);
	tval_set_str(p->arena, row, "notice", notice ? e->text : STR(""));
	tval_set_str(p->arena, row, "said", notice ? STR("") : e->text);
	tval_set_text(p->arena, row, "code", "");
	if (e->code > 0)
		tval_set_printf(p->arena, row, "code", "%d", e->code);
	tval_set_str(p->arena, row, "ecode", e->ecode);
	tval_set_text(p->arena, row, "took", "");
	if (attempt)
		took_set(p, row, e->duration_ms);
	tval_set_text(p->arena, row, "next", "");
	if (e->next_ms > clock_unix_ms())
		page_time(p, row, "next", e->next_ms);
	tval_set_text(p->arena, row, "when", "");
	page_time(p, row, "when", e->at_ms);
	traceview_fill(p, row, "trace", e->trace);
}

static void life_fill(struct page *p, const struct store_msglog_life *life)
{
	struct tval *events = tval_set_list(p->arena, p->view, "events");
	size_t first = life->event_count > EVENTS_SHOWN ? life->event_count - EVENTS_SHOWN : 0;

	head_fill(p, life);
	begin_fill(p, life);
	tval_set_flag(p->arena, p->view, "older", first > 0 || life->events_left_out);
	for (size_t i = first; i < life->event_count; i++)
		event_fill(p, tval_add_map(p->arena, events), life, &life->events[i]);
}

void page_log_entry(struct page *p)
{
	struct store_msglog_life life;
	struct store_queue_message m;
	int64_t id;
	struct err err;

	int rc = store_id_parse(p->params[0], &id)
			 ? store_msglog_get(p->gateway->store, id, p->arena, &life, &err)
			 : 0;
	if (rc < 0) {
		page_failed(p, &err);
		return;
	}
	if (rc == 0) {
		page_error(p, 404, "Not found",
			"There is no such message in the log. It may be older than the log is "
			"kept.");
		return;
	}
	if (life.row.open > 0) {
		rc = store_queue_get(p->gateway->store, id, p->arena, &m, &err);
		tval_set_flag(p->arena, p->view, "queued", rc == 1);
	}
	life_fill(p, &life);
	page_render(
		p, 200, "log_entry", arena_printf(p->arena, "Message %.*s", STR_FMT(p->params[0])));
}
