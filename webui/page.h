/* page - one request for a page and its answer. A page is one function that reads
 * the request, asks store, config and queue, and fills page.view for its template.
 * Everything lives in the request's arena. */
#ifndef WEBUI_PAGE_H
#define WEBUI_PAGE_H

#include "daemon/gateway.h"
#include "store/web.h"
#include "webui/template.h"
#include "webui/urlform.h"

enum { PAGE_PARAMS_MAX = 2, PAGE_HEADERS_MAX = 12 };

enum page_method { PAGE_GET, PAGE_POST, PAGE_OTHER };

struct page_header {
	const char *name, *value;
};

struct page_answer {
	int status;
	struct buf body;           /* malloc'ed; the server takes it */
	const struct asset *asset; /* or this, for static files */
	const char *content_type;
	const char *csp; /* instead of the pages' own Content-Security-Policy; or NULL */
	struct page_header headers[PAGE_HEADERS_MAX];
	size_t header_count;
	int64_t delay_ms;                       /* the answer waits so long, nobody else does */
	const struct store_msglog_filter *tail; /* or a stream of such rows, see tail.h */
};

struct page {
	/* What does not change from request to request. */
	struct gateway *gateway;
	const struct template_set *templates;
	const char *assets_version;
	struct kept_store *kept_store;

	struct arena *arena;
	const struct config *config; /* the snapshot of this request */
	enum page_method method;
	const char *method_name; /* as sent */
	bool https, metrics;     /* metrics: came in on a metrics listener */
	struct ip peer;
	const char *base; /* where the admin pages live: "/admin/" */
	struct str path;  /* raw, from "/" on, without query */
	struct str raw_query, body;
	const char *cookie, *content_type, *user_agent, *if_none_match, *fetch_site,
		*authorization; /* headers, or NULL */

	/* Filled by the router. */
	size_t route; /* its place in the route table; from route_count on: none of it */
	struct urlform query, form;
	struct str params[PAGE_PARAMS_MAX]; /* of the path */
	bool logged_in;
	bool kept; /* a GET page: form has what was typed before the session ended */
	struct store_web_session session;

	struct tval *view;
	struct tval *notices[3]; /* by enum page_notice */
	struct page_answer answer;
};

/* Is form what the page is to show: posted, or kept from before? */
static inline bool page_has_form(const struct page *p)
{
	return p->method == PAGE_POST || p->kept;
}

/* --- answers --- */

void page_header(struct page *p, const char *name, const char *value);
/* Renders templates/NAME.html with page.view. title stands in the tab and above the page. */
void page_render(struct page *p, int status, const char *name, const char *title);
/* 303 to a path below base. */
__attribute__((format(printf, 2, 3))) void page_redirect(struct page *p, const char *fmt, ...);
/* A page that says what went wrong and what to do; text is a sentence. */
void page_error(struct page *p, int status, const char *title, const char *text);
/* The store failed: logs err, answers 500 or 503. */
void page_failed(struct page *p, const struct err *err);
void page_not_found(struct page *p, const char *what);
/* Plain text, e.g. /healthz. */
void page_text(struct page *p, int status, const char *content_type, const char *text);

/* --- reading --- */

/* The path's parameter as an id; 0 when it is none. */
int64_t page_id(const struct page *p, size_t param);
int64_t page_number(struct str text);
/* A posted field without spaces around it. */
struct str page_field(const struct page *p, const char *name);

/* --- showing --- */

/* Sets KEY to what the partial "time" shows: "3 min ago", with the UTC time on hover.
 * Nothing when unix_ms is 0. */
void page_time(struct page *p, struct tval *map, const char *key, int64_t unix_ms);
/* "1.4 MB" */
void page_size(struct page *p, struct tval *map, const char *key, int64_t bytes);
/* "12,345" */
void page_count(struct page *p, struct tval *map, const char *key, int64_t n);
const char *page_size_text(struct page *p, int64_t bytes); /* "82.7 GB" */
const char *page_count_text(struct page *p, int64_t n);
enum page_notice { PAGE_NOTICE_BAD, PAGE_NOTICE_WARN, PAGE_NOTICE_HINT };
/* Appends to what the page shows first, the bad before the others. path (below base) and action are
 * the link to where it is put right; NULL for none. */
void page_notice(struct page *p, enum page_notice kind, const char *text, const char *path,
	const char *action);

#endif
