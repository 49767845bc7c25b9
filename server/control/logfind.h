/* logfind - what people type to find mail, as a filter of the message log. */
#ifndef CONTROL_LOGFIND_H
#define CONTROL_LOGFIND_H

#include "base/arena.h"
#include "base/err.h"
#include "store/msglog.h"

enum { LOGFIND_TEXT_MAX = 1000 }; /* octets of what is typed */

enum logfind_kind {
	LOGFIND_NOTHING, /* empty */
	LOGFIND_ADDRESS,
	LOGFIND_DOMAIN,
	LOGFIND_MESSAGE_ID,
	LOGFIND_IP,
	LOGFIND_SESSION,
	LOGFIND_QUEUE_ID, /* *queue_id is set, the filter is not */
	LOGFIND_UNKNOWN
};

/* Recognises what text is and sets the filter's member; domains become A-labels, spaces
 * around it are nothing. "<a@b>" is looked for as a Message-ID, "a@b" as an address. */
enum logfind_kind logfind_text(
	struct arena *a, struct str text, struct store_msglog_filter *f, int64_t *queue_id);

/* "delivered" and the like as a STORE_LOG_ bit; 0 when it is none. */
unsigned logfind_result(struct str name);
/* All names, for people and forms: ends with NULL. */
extern const char *const logfind_results[];

/* "2026-11-24", "2026-11-24 10:30", "2026-11-24T10:30:05Z" (UTC all), or "90m", "24h", "7d"
 * before now. 0, or -1 ERR_PERM. */
int logfind_time(struct str text, int64_t now_ms, int64_t *unix_ms, struct err *err) MUST_USE;

/* The kind of an event, in one word. */
const char *logfind_event_name(enum store_log_kind kind);
const char *logfind_stage_name(enum store_log_stage stage);

#endif
