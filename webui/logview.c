#include "webui/logview.h"

#include "control/logfind.h"

enum { DAY_MS = 86400 * 1000 };

const char *logview_standing(const struct store_msglog_row *r, const char **kind)
{
	bool tried = r->results & (STORE_LOG_DELIVERED | STORE_LOG_DEFERRED | STORE_LOG_BOUNCED);

	if (r->results & STORE_LOG_REJECTED) {
		*kind = "bad";
		return "Rejected";
	}
	if (r->results & STORE_LOG_TEMPFAILED) {
		*kind = "warn";
		return "Put off";
	}
	if (r->open > 0) {
		bool held = (r->results & STORE_LOG_QUARANTINED) && !tried;
		bool late = r->results & STORE_LOG_DEFERRED;
		*kind = held ? "held" : late ? "warn" : "busy";
		return held ? "Quarantined" : late ? "Deferred" : "Waiting";
	}
	if (r->results & STORE_LOG_BOUNCED) {
		bool some = r->results & STORE_LOG_DELIVERED;
		*kind = some ? "warn" : "bad";
		return some ? "Partly delivered" : "Bounced";
	}
	*kind = r->results & STORE_LOG_DELIVERED ? "good" : "calm";
	return r->results & STORE_LOG_DELIVERED ? "Delivered" : "Dropped";
}

void logview_row(struct page *p, struct tval *row, const struct store_msglog_row *r)
{
	char id[STORE_ID_TEXT];
	const char *kind, *word = logview_standing(r, &kind);
	bool refused = r->results & (STORE_LOG_REJECTED | STORE_LOG_TEMPFAILED);

	tval_set_text(p->arena, row, "id", store_id_text(r->id, id));
	tval_set_text(p->arena, row, "standing", word);
	tval_set_text(p->arena, row, "kind", kind);
	tval_set_str(p->arena, row, "from", r->mail_from);
	tval_set_str(p->arena, row, "to", r->rcpt);
	tval_set_text(p->arena, row, "more", "");
	if (r->rcpt_count > 1)
		page_count(p, row, "more", (int64_t)r->rcpt_count - 1);
	tval_set_str(p->arena, row, "subject", r->subject);
	tval_set_flag(p->arena, row, "no_rcpt", r->rcpt.len == 0);
	tval_set_text(p->arena, row, "reply", "");
	if (refused)
		tval_set_printf(p->arena, row, "reply", "%d %.*s%s%.*s", r->code, STR_FMT(r->ecode),
			r->ecode.len > 0 ? " " : "", STR_FMT(r->text));
	tval_set_text(p->arena, row, "client", "");
	if (r->remote_ip.len > 0)
		tval_set_str(p->arena, row, "client", r->remote_ip);
	tval_set_text(p->arena, row, "size", "");
	if (r->size > 0)
		page_size(p, row, "size", r->size);
	tval_set_text(p->arena, row, "at", "");
	page_time(p, row, "at", r->at_ms);
}

/* --- the search --- */

static const char *kind_name(enum logfind_kind kind)
{
	switch (kind) {
	case LOGFIND_ADDRESS:
		return "the address";
	case LOGFIND_DOMAIN:
		return "the domain";
	case LOGFIND_MESSAGE_ID:
		return "the Message-ID";
	case LOGFIND_IP:
		return "the IP address";
	case LOGFIND_SESSION:
		return "the SMTP session";
	case LOGFIND_NOTHING:
	case LOGFIND_QUEUE_ID:
	case LOGFIND_UNKNOWN:
		return NULL;
	}
	return NULL;
}

static void date_read(struct page *p, struct logview_search *s, const char *name, struct str *text,
	int64_t *unix_ms)
{
	struct err err;

	*text = str_trim(urlform_get(&p->query, name));
	if (text->len == 0)
		return;
	if (logfind_time(*text, clock_unix_ms(), unix_ms, &err) < 0) {
		*text = STR("");
		s->problem = arena_printf(p->arena, "%s.", err.text);
	}
}

void logview_read(struct page *p, struct logview_search *s)
{
	struct str result = urlform_get(&p->query, "result"), time = urlform_get(&p->query, "time");
	int64_t from = 0, to = 0, since = 0;
	struct err err;

	*s = (struct logview_search){
		.text = str_trim(urlform_get(&p->query, "q")), .result = STR(""), .time = STR("")};
	enum logfind_kind kind = logfind_text(p->arena, s->text, &s->f, &s->queue_id);
	s->what = kind_name(kind);
	s->unknown = kind == LOGFIND_UNKNOWN;
	s->f.results = logfind_result(result);
	if (s->f.results != 0)
		s->result = result;
	if (time.len > 0 && logfind_time(time, clock_unix_ms(), &since, &err) == 0)
		s->time = time;
	date_read(p, s, "from", &s->from, &from);
	date_read(p, s, "to", &s->to, &to);
	s->f.since_ms = since > from ? since : from;
	/* A day is meant up to its end; a moment is a moment. */
	if (to > 0)
		s->f.until_ms = s->to.len == 10 ? to + DAY_MS : to;
}

const char *logview_query(struct page *p, const struct logview_search *s)
{
	const struct {
		const char *name;
		struct str value;
	} parts[] = {{"q", s->text}, {"result", s->result}, {"time", s->time}, {"from", s->from},
		{"to", s->to}};
	struct buf b = {NULL, 0, 0};

	buf_byte(&b, '?');
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].value.len == 0)
			continue;
		buf_printf(&b, "%s%s=", b.len > 1 ? "&" : "", parts[i].name);
		buf_url(&b, parts[i].value);
	}
	const char *text = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}
