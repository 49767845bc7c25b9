/* Quarantine: what was kept back and why; looked at safely, released, deleted. */
#include "message/mime.h"
#include "store/msglog.h"
#include "store/quarantine.h"
#include "webui/formview.h"
#include "webui/headerview.h"
#include "webui/pages.h"
#include "webui/traceview.h"

#include <stdio.h>

enum {
	ROWS_PER_PAGE = 50,
	PICKS_MAX = 1000,
	READ_MAX = 4 * 1024 * 1024, /* octets of a message that are looked at */
	TEXT_MAX = 24 * 1024,       /* of a part shown as text */
	HTML_MAX = 64 * 1024
};

/* --- the list --- */

static void filter_read(const struct urlform *f, struct store_quarantine_filter *out)
{
	*out = (struct store_quarantine_filter){.domain = str_trim(urlform_get(f, "domain")),
		.text = str_trim(urlform_get(f, "q")),
		.limit = ROWS_PER_PAGE};
}

/* "?q=...&domain=...", as the links of the list need it. */
static const char *filter_query(struct page *p, const struct store_quarantine_filter *f)
{
	struct buf b = {NULL, 0, 0};

	buf_text(&b, "?q=");
	buf_url(&b, f->text);
	buf_text(&b, "&domain=");
	buf_url(&b, f->domain);
	const char *out = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return out;
}

static void row_fill(struct page *p, struct tval *row, const struct store_quarantine_row *r)
{
	char id[STORE_ID_TEXT];

	tval_set_printf(p->arena, row, "id", "%lld", (long long)r->rcpt_id);
	tval_set_text(p->arena, row, "msg", store_id_text(r->msg_id, id));
	tval_set_str(p->arena, row, "reason", r->reason);
	tval_set_str(p->arena, row, "to", r->address);
	tval_set_str(p->arena, row, "from", r->mail_from);
	tval_set_str(p->arena, row, "header_from", r->header_from);
	tval_set_str(p->arena, row, "subject", r->subject);
	tval_set_str(p->arena, row, "ip", r->remote_ip);
	page_size(p, row, "size", r->size);
	page_time(p, row, "at", r->at_ms);
}

static void filter_show(struct page *p, const struct store_quarantine_filter *f)
{
	tval_set_str(p->arena, p->view, "q", f->text);
	tval_set_str(p->arena, p->view, "domain", f->domain);
	tval_set_flag(p->arena, p->view, "filtered", f->text.len + f->domain.len > 0);
}

void page_quarantine(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct store_quarantine_filter f;
	struct store_quarantine_row *rows;
	size_t count;
	bool more;
	int64_t next, days, total;
	struct err err;

	filter_read(&p->query, &f);
	f.before_id = page_number(urlform_get(&p->query, "before"));
	if (store_quarantine_list(
		    p->gateway->store, &f, p->arena, &rows, &count, &more, &next, &err) < 0 ||
		store_quarantine_days(p->gateway->store, &days, &err) < 0 ||
		store_quarantine_count(p->gateway->store, &total, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		row_fill(p, tval_add_map(p->arena, list), &rows[i]);
	filter_show(p, &f);
	page_count(p, p->view, "total", total);
	tval_set_flag(p->arena, p->view, "empty", total == 0);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_printf(p->arena, p->view, "days", "%lld", (long long)days);
	tval_set_flag(p->arena, p->view, "later_page", f.before_id > 0);
	tval_set_text(p->arena, p->view, "first_query", filter_query(p, &f));
	if (more)
		tval_set_printf(p->arena, p->view, "next_query", "%s&before=%lld",
			filter_query(p, &f), (long long)next);
	page_render(p, 200, "quarantine", "Quarantine");
}

void page_quarantine_keep(struct page *p)
{
	uint64_t days = 0;
	struct err err;

	if (!str_to_u64(page_field(p, "days"), STORE_QUARANTINE_DAYS_MAX, &days))
		days = 0;
	if (store_quarantine_days_put(p->gateway->store, (int64_t)days, &err) == 0)
		page_redirect(p, "quarantine?done=saved");
	else if (err.kind == ERR_PERM)
		page_error(
			p, 422, "Not so many days", "Give a whole number of days, from 1 to 3650.");
	else
		page_failed(p, &err);
}

/* --- acting --- */

static bool verb_read(const struct page *p, enum store_quarantine_verb *verb)
{
	struct str name = page_field(p, "verb");

	*verb = str_eq(name, STR("release")) ? STORE_QUARANTINE_RELEASE : STORE_QUARANTINE_DELETE;
	return str_eq(name, STR("release")) || str_eq(name, STR("delete"));
}

static size_t picks_read(const struct page *p, int64_t ids[PICKS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < p->form.count && n < PICKS_MAX; i++) {
		int64_t id = str_eq(p->form.fields[i].name, STR("pick"))
				     ? page_number(p->form.fields[i].value)
				     : 0;
		if (id > 0)
			ids[n++] = id;
	}
	return n;
}

/* How many a filter selects: by pages, as a search may have to look at each. */
static int filter_count(
	struct page *p, const struct store_quarantine_filter *f, int64_t *n, struct err *err)
{
	struct store_quarantine_filter page = *f;
	struct arena *scratch = arena_open();
	bool more = true;
	int rc = 0;

	*n = 0;
	page.limit = PICKS_MAX;
	page.before_id = 0;
	if (f->text.len + f->domain.len == 0) {
		rc = store_quarantine_count(p->gateway->store, n, err);
		more = false;
	}
	while (rc == 0 && more && *n < 100000) {
		struct store_quarantine_row *rows;
		size_t count;
		rc = store_quarantine_list(p->gateway->store, &page, scratch, &rows, &count, &more,
			&page.before_id, err);
		*n += (int64_t)count;
		arena_reset(scratch);
	}
	arena_close(&scratch);
	return rc;
}

/* Shows what would be done, and how many it is. */
static void ask(struct page *p, enum store_quarantine_verb verb, bool all,
	const struct store_quarantine_filter *f, const int64_t *ids, int64_t n)
{
	struct tval *picks = tval_set_list(p->arena, p->view, "picks");
	bool release = verb == STORE_QUARANTINE_RELEASE;
	const char *what = arena_printf(p->arena, "%s %s %s", release ? "Release" : "Delete",
		page_count_text(p, n), n == 1 ? "message" : "messages");

	for (int64_t i = 0; !all && i < n; i++)
		tval_add_text(p->arena, picks, arena_printf(p->arena, "%lld", (long long)ids[i]));
	filter_show(p, f);
	tval_set_flag(p->arena, p->view, "all", all);
	tval_set_text(p->arena, p->view, "verb", release ? "release" : "delete");
	tval_set_flag(p->arena, p->view, "danger", !release);
	tval_set_text(p->arena, p->view, "text",
		release ? "They are delivered as they would have been."
			: "They are gone for good; senders and recipients are not told.");
	tval_set_text(p->arena, p->view, "submit", what);
	tval_set_text(p->arena, p->view, "back", filter_query(p, f));
	page_render(p, 200, "quarantine_confirm", arena_printf(p->arena, "%s?", what));
}

void page_quarantine_act(struct page *p)
{
	int64_t *ids = arena_alloc(p->arena, PICKS_MAX * sizeof(*ids)), n;
	bool all = urlform_has(&p->form, "all");
	enum store_quarantine_verb verb = STORE_QUARANTINE_RELEASE;
	struct store_quarantine_filter f;
	size_t changed = 0;
	struct err err;
	int rc = 0;

	filter_read(&p->form, &f);
	n = (int64_t)picks_read(p, ids);
	if (all)
		rc = filter_count(p, &f, &n, &err);
	if (rc == 0 && (!verb_read(p, &verb) || n == 0)) {
		page_error(p, 400, "Nothing is selected",
			"Go back, tick the messages you mean, or choose all, and pick an action.");
		return;
	}
	if (rc == 0 && !urlform_has(&p->form, "sure")) {
		ask(p, verb, all, &f, ids, n);
		return;
	}
	if (rc == 0)
		rc = all ? store_quarantine_act_all(p->gateway->store, verb, &f, &changed, &err)
			 : store_quarantine_act(
				   p->gateway->store, verb, ids, (size_t)n, &changed, &err);
	if (rc < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "quarantine%s&done=%s&n=%zu", filter_query(p, &f),
			verb == STORE_QUARANTINE_RELEASE ? "released" : "drop", changed);
}

/* --- one message --- */

static int content_read(struct page *p, int64_t msg_id, struct str *out, struct err *err)
{
	struct store_body *body = NULL;
	struct buf b = {NULL, 0, 0};
	struct str piece;
	int rc = store_body_open(p->gateway->store, msg_id, &body, err);

	while (rc >= 0 && b.len < READ_MAX && (rc = store_body_next(body, &piece, err)) == 1)
		buf_raw(&b, piece);
	store_body_close(&body);
	*out = arena_str(p->arena, buf_str(&b));
	buf_free(&b);
	return rc < 0 ? -1 : 0;
}

static bool is_text(const struct mime_part *part)
{
	return str_eq(part->type, STR("text/plain")) && !part->attachment;
}

static bool is_html(const struct mime_part *part)
{
	return str_eq(part->type, STR("text/html")) && !part->attachment;
}

static void content_fill(struct page *p, struct str content)
{
	struct tval *texts = tval_set_list(p->arena, p->view, "texts");
	struct tval *files = tval_set_list(p->arena, p->view, "files");
	struct mime_message m;
	bool html = false;

	headerview_fill(p, p->view, content);
	mime_read(p->arena, content, &m);
	for (size_t i = 0; i < m.count; i++) {
		const struct mime_part *part = &m.parts[i];
		bool cut;
		if (is_text(part)) {
			struct str text = mime_decode(p->arena, part, TEXT_MAX, &cut);
			struct tval *row = tval_add_map(p->arena, texts);
			tval_set_str(
				p->arena, row, "text", mime_to_utf8(p->arena, text, part->charset));
			tval_set_flag(p->arena, row, "cut", cut);
		} else if (is_html(part)) {
			html = true;
		} else {
			struct tval *row = tval_add_map(p->arena, files);
			tval_set_str(p->arena, row, "name", part->name);
			tval_set_str(p->arena, row, "type", part->type);
			page_size(p, row, "size", (int64_t)part->body.len);
		}
	}
	tval_set_flag(p->arena, p->view, "html", html);
	tval_set_flag(p->arena, p->view, "no_text", m.count == 0 || (!html && m.parts == NULL));
}

static bool row_load(struct page *p, struct store_quarantine_row *row)
{
	struct err err;
	int rc = store_quarantine_get(p->gateway->store, page_id(p, 0), p->arena, row, &err);

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "message in quarantine");
	return rc == 1;
}

void page_quarantine_message(struct page *p)
{
	struct store_quarantine_row row;
	struct store_msglog_life life;
	struct str content;
	struct err err;

	if (!row_load(p, &row))
		return;
	row_fill(p, p->view, &row);
	if (content_read(p, row.msg_id, &content, &err) < 0)
		page_notice(p, PAGE_NOTICE_BAD, "The content of this message cannot be read.", NULL,
			NULL);
	else
		content_fill(p, content);
	if (store_msglog_get(p->gateway->store, row.msg_id, p->arena, &life, &err) == 1)
		traceview_fill(p, p->view, "trace", life.trace);
	page_render(p, 200, "quarantine_message", "Quarantined message");
}

/* Nothing is loaded, nothing runs, nothing leads out of it. */
static const char html_csp[] =
	"sandbox; default-src 'none'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
	"form-action 'none'";

/* The HTML part by itself, for a frame. */
void page_quarantine_html(struct page *p)
{
	struct store_quarantine_row row;
	struct mime_message m;
	struct str content;
	struct err err;

	if (!row_load(p, &row))
		return;
	if (content_read(p, row.msg_id, &content, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	mime_read(p->arena, content, &m);
	for (size_t i = 0; i < m.count; i++) {
		bool cut;
		if (!is_html(&m.parts[i]))
			continue;
		struct str html = mime_decode(p->arena, &m.parts[i], HTML_MAX, &cut);
		html = mime_to_utf8(p->arena, html, m.parts[i].charset);
		page_text(p, 200, "text/html; charset=utf-8", "");
		buf_raw(&p->answer.body, html);
		p->answer.csp = html_csp;
		return;
	}
	page_not_found(p, "HTML part");
}
