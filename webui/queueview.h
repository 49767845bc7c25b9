/* queueview - what the queue's list and the message page have in common. */
#ifndef WEBUI_QUEUEVIEW_H
#define WEBUI_QUEUEVIEW_H

#include "store/queue.h"
#include "webui/page.h"

/* Fills row with what templates show of a recipient. */
void queueview_rcpt(struct page *p, struct tval *row, const struct store_queue_row *r);

struct queueview_verb {
	enum store_queue_verb verb;
	bool sets_way;      /* instead */
	const char *name;   /* in forms and in ?done= */
	const char *button; /* "Drop" */
	const char *meaning;
};
/* The posted field "verb"; NULL when it is none. */
const struct queueview_verb *queueview_verb_read(const struct page *p);
/* "1 recipient", "1,204 recipients" */
const char *queueview_count(struct page *p, int64_t n);

#endif
