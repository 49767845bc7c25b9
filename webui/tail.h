/* tail - rows of the message log as they are written: server-sent events (HTML standard 9.2).
 * One thread feeds all who watch; each has a small buffer, and one who does not read gets a
 * hole instead of making it grow. Streams end after some minutes: the browser comes back, and
 * shows its session again. */
#ifndef WEBUI_TAIL_H
#define WEBUI_TAIL_H

#include "store/msglog.h"
#include "webui/page.h"

#include <microhttpd.h>

enum {
	TAIL_MAX = 32,               /* streams at once */
	TAIL_BUFFER_MAX = 64 * 1024, /* octets one may be behind */
	TAIL_BATCH = 100,            /* rows at a time */
	TAIL_PING_MS = 15 * 1000,
	TAIL_LIFE_MS = 5 * 60 * 1000
};

struct webui;
struct request;
struct tail_hub;

int tail_start(struct webui *ui, struct err *err) MUST_USE;
/* Ends all streams; before libmicrohttpd is stopped. */
void tail_stop(struct webui *ui);
void tail_free(struct webui *ui);

/* The page's answer is a stream of what the filter selects. */
void tail_answer(struct page *p, const struct store_msglog_filter *f);
/* The response for it, on libmicrohttpd's thread; NULL: there are too many. */
struct MHD_Response *tail_response(struct request *r);

#endif
