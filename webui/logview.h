/* logview - rows of the message log, for the list and for the live tail. */
#ifndef WEBUI_LOGVIEW_H
#define WEBUI_LOGVIEW_H

#include "store/msglog.h"
#include "webui/page.h"

/* Fills row with what the partial "log_row" shows. */
void logview_row(struct page *p, struct tval *row, const struct store_msglog_row *r);
/* Where a message stands: a word, and the class of its colour. */
const char *logview_standing(const struct store_msglog_row *r, const char **kind);

/* What is looked for, read from a page's query. */
struct logview_search {
	struct store_msglog_filter f;
	struct str text;                   /* as typed */
	const char *what;                  /* "address", "domain", ...; NULL: nothing was typed */
	int64_t queue_id;                  /* a queue id was typed; else 0 */
	bool unknown;                      /* what was typed is nothing one can look for */
	const char *problem;               /* a sentence about a bad date; or NULL */
	struct str result, time, from, to; /* as in the query, only good ones */
};
void logview_read(struct page *p, struct logview_search *s);
/* "?q=...&result=..." of it, without a page position. */
const char *logview_query(struct page *p, const struct logview_search *s);

#endif
