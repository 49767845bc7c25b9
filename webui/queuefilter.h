/* queuefilter - what the queue page shows and acts on, in its address and its forms. */
#ifndef WEBUI_QUEUEFILTER_H
#define WEBUI_QUEUEFILTER_H

#include "store/queue.h"
#include "webui/page.h"

enum { QUEUEFILTER_FIELDS = 9 };

struct queuefilter {
	struct store_queue_filter f;
	struct str values[QUEUEFILTER_FIELDS]; /* as given; see queuefilter.c */
};

void queuefilter_read(const struct urlform *form, struct queuefilter *q);
/* "?q=...&dest=..." of what is not empty, with one field changed (name NULL: none). Always has a
 * "?", so that more can follow. */
const char *queuefilter_query(
	struct page *p, const struct queuefilter *q, const char *name, const char *value);
/* Puts fields, choices and hidden inputs into the view. */
int queuefilter_show(struct page *p, const struct queuefilter *q, struct err *err) MUST_USE;
/* Only "ways": what mail can be sent through, value and label. */
int queuefilter_ways(
	struct page *p, struct tval *list, struct str chosen, struct err *err) MUST_USE;

#endif
