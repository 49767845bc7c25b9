/* router - from method and path to the page's function, with what every request needs
 * before (login, CSRF token, form) and every answer after (security headers). */
#ifndef WEBUI_ROUTER_H
#define WEBUI_ROUTER_H

#include "webui/page.h"

enum route_access { ROUTE_OPEN, ROUTE_LOGIN };

struct route {
	enum page_method method;
	const char *pattern; /* below base; ":" stands for one segment */
	void (*page)(struct page *p);
	enum route_access access;
};

extern const struct route routes[];
extern const size_t route_count;

enum route_match { ROUTE_FOUND, ROUTE_NONE, ROUTE_OTHER_METHOD };
/* path is below base. HEAD counts as PAGE_GET. */
enum route_match router_find(enum page_method method, struct str path,
	struct str params[PAGE_PARAMS_MAX], const struct route **out);

/* Tells the registry of metrics what the routes are called. */
void router_metrics(void);

/* Answers the request: page.answer is complete afterwards. Blocks for store and
 * password work, so it runs on the worker threads. */
void router_run(struct page *p);

#endif
