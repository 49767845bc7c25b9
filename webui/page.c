#include "webui/page.h"

#include "base/log.h"
#include "base/version.h"
#include "webui/nav.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void page_header(struct page *p, const char *name, const char *value)
{
	if (p->answer.header_count == PAGE_HEADERS_MAX)
		abort(); /* a page sets a handful, all of them ours */
	/* What would end the header line early cannot be in it. */
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '\r' || *c == '\n')
			abort();
	}
	p->answer.headers[p->answer.header_count++] = (struct page_header){name, value};
}

/* --- answers --- */

/* Texts for ?done=CODE, which redirects carry: a fixed set, so that a link made by
 * somebody else can show nothing of his own. */
static const struct {
	const char *code, *text;
} dones[] = {
	{"fetched", "The policy was fetched."},
	{"forgotten", "Forgotten; the next mail to the domain asks again."},
	{"saved", "Saved."},
	{"created", "Created."},
	{"deleted", "Deleted."},
	{"retry", "Will be tried now"},
	{"hold", "Put on hold"},
	{"unhold", "Released"},
	{"released", "Released"},
	{"drop", "Dropped"},
	{"way", "Goes another way"},
	{"password", "The new password is set. Every other browser has been logged out."},
	{"moved", "The order is changed."},
};

static void done_fill(struct page *p)
{
	struct str code = urlform_get(&p->query, "done");
	int64_t n = page_number(urlform_get(&p->query, "n"));

	for (size_t i = 0; i < sizeof(dones) / sizeof(dones[0]); i++) {
		if (!str_eq(code, str_from(dones[i].code)))
			continue;
		if (!urlform_has(&p->query, "n"))
			tval_set_text(p->arena, p->view, "done", dones[i].text);
		else
			tval_set_printf(p->arena, p->view, "done", "%s: %s %s.", dones[i].text,
				page_count_text(p, n), n == 1 ? "recipient" : "recipients");
	}
}

void page_render(struct page *p, int status, const char *name, const char *title)
{
	struct err err;

	tval_set_text(p->arena, p->view, "title", title);
	tval_set_text(p->arena, p->view, "base", p->base);
	tval_set_printf(p->arena, p->view, "static", "%sstatic/%s", p->base, p->assets_version);
	tval_set_text(p->arena, p->view, "hostname", p->config->hostname);
	tval_set_flag(p->arena, p->view, "localserve", p->config->localserve);
	tval_set_flag(p->arena, p->view, "logged_in", p->logged_in);
	if (p->logged_in) {
		tval_set_text(p->arena, p->view, "csrf", p->session.csrf);
		tval_set_text(p->arena, p->view, "version", version_text);
		nav_fill(p);
		done_fill(p);
	}
	buf_clear(&p->answer.body);
	if (template_render(p->templates, name, p->view, &p->answer.body, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "web.template", "error", err.text, NULL);
		page_text(p, 500, "text/plain; charset=utf-8", "This page cannot be shown.\n");
		return;
	}
	p->answer.status = status;
	p->answer.content_type = "text/html; charset=utf-8";
}

void page_redirect(struct page *p, const char *fmt, ...)
{
	char path[2048];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		path[0] = '\0';
	buf_clear(&p->answer.body);
	p->answer.status = 303;
	p->answer.content_type = "text/plain; charset=utf-8";
	page_header(p, "Location", arena_printf(p->arena, "%s%s", p->base, path));
}

void page_text(struct page *p, int status, const char *content_type, const char *text)
{
	buf_clear(&p->answer.body);
	buf_text(&p->answer.body, text);
	p->answer.status = status;
	p->answer.content_type = content_type;
}

void page_error(struct page *p, int status, const char *title, const char *text)
{
	p->view = tval_map(p->arena);
	tval_set_text(p->arena, p->view, "text", text);
	tval_set_printf(p->arena, p->view, "status", "%d", status);
	page_render(p, status, "error", title);
}

void page_failed(struct page *p, const struct err *err)
{
	char *path = arena_strdup(p->arena, p->path);

	log_event(LOG_LEVEL_ERROR, "web.failed", "path", path, "error", err->text, NULL);
	page_error(p, err->kind == ERR_TEMP || err->kind == ERR_FULL ? 503 : 500,
		"That did not work", arena_printf(p->arena, "%s.", err->text));
}

void page_not_found(struct page *p, const char *what)
{
	page_error(p, 404, "Not found",
		arena_printf(p->arena,
			strncmp(what, "message", 7) == 0
				? "There is no such %s. It may have been delivered or deleted."
				: "There is no such %s. It may have been deleted.",
			what));
}

/* --- reading --- */

int64_t page_number(struct str text)
{
	uint64_t n;

	return str_to_u64(text, INT64_MAX, &n) ? (int64_t)n : 0;
}

int64_t page_id(const struct page *p, size_t param)
{
	return page_number(p->params[param]);
}

struct str page_field(const struct page *p, const char *name)
{
	return str_trim(urlform_get(&p->form, name));
}

/* --- showing --- */

/* "3 min", rounded down, in the two sizes people think in. */
static void span_text(int64_t s, char *out, size_t size)
{
	if (s < 60)
		snprintf(out, size, "%" PRId64 " s", s);
	else if (s < 3600)
		snprintf(out, size, "%" PRId64 " min", s / 60);
	else if (s < 86400)
		snprintf(out, size, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
	else
		snprintf(out, size, "%" PRId64 " %s", s / 86400, s < 172800 ? "day" : "days");
}

void page_time(struct page *p, struct tval *map, const char *key, int64_t unix_ms)
{
	char iso[CLOCK_TEXT], span[64];
	int64_t s = unix_ms / 1000, diff = s - clock_unix_s();

	if (unix_ms <= 0)
		return;
	struct tval *time = tval_set_map(p->arena, map, key);
	clock_iso(s, iso);
	tval_set_text(p->arena, time, "iso", iso);
	tval_set_printf(p->arena, time, "utc", "%.10s %.8s UTC", iso, iso + 11);
	span_text(diff < 0 ? -diff : diff, span, sizeof(span));
	if (diff > -2 && diff < 2)
		tval_set_text(p->arena, time, "ago", "now");
	else
		tval_set_printf(p->arena, time, "ago", diff < 0 ? "%s ago" : "in %s", span);
}

const char *page_size_text(struct page *p, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double n = (double)bytes;
	size_t u = 0;

	for (; n >= 1000 && u + 1 < sizeof(units) / sizeof(units[0]); u++)
		n /= 1000;
	return arena_printf(p->arena, u == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[u]);
}

void page_size(struct page *p, struct tval *map, const char *key, int64_t bytes)
{
	tval_set_text(p->arena, map, key, page_size_text(p, bytes));
}

const char *page_count_text(struct page *p, int64_t n)
{
	char digits[NUM_TEXT], out[NUM_TEXT * 2];
	size_t len = strlen(num_text(n, digits)), at = 0;

	for (size_t i = 0; i < len; i++) {
		out[at++] = digits[i];
		if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
			out[at++] = ',';
	}
	return arena_strdup(p->arena, (struct str){out, at});
}

void page_count(struct page *p, struct tval *map, const char *key, int64_t n)
{
	tval_set_text(p->arena, map, key, page_count_text(p, n));
}

void page_notice(struct page *p, enum page_notice kind, const char *text, const char *path,
	const char *action)
{
	static const struct {
		const char *kind, *list;
	} kinds[] = {
		[PAGE_NOTICE_BAD] = {"bad", "notices_bad"},
		[PAGE_NOTICE_WARN] = {"warn", "notices_warn"},
		[PAGE_NOTICE_HINT] = {"hint", "notices_hint"},
	};

	if (p->notices[kind] == NULL)
		p->notices[kind] = tval_set_list(p->arena, p->view, kinds[kind].list);
	struct tval *n = tval_add_map(p->arena, p->notices[kind]);
	tval_set_text(p->arena, n, "kind", kinds[kind].kind);
	tval_set_text(p->arena, n, "text", text);
	tval_set_text(p->arena, n, "path", path);
	tval_set_text(p->arena, n, "action", action);
}
