/* traceview - a trace (base/trace.h, as JSON) for the partial "trace": how a message was
 * judged, how a delivery was tried. */
#ifndef WEBUI_TRACEVIEW_H
#define WEBUI_TRACEVIEW_H

#include "webui/page.h"

/* Sets MAP.KEY to what {{#KEY}}{{>trace}}{{/KEY}} shows. Nothing when json is empty; a word
 * about it when it cannot be read. */
void traceview_fill(struct page *p, struct tval *map, const char *key, struct str json);

#endif
