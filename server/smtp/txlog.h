/* txlog - what the message log (store/msglog.h) gets to know of a transaction. */
#ifndef SMTP_TXLOG_H
#define SMTP_TXLOG_H

#include "smtp/internal.h"

#include <stdarg.h>

/* A refusal is being said, with printf arguments for its text: noted when it ends or hurts a
 * transaction (MAIL, RCPT, content), and not for mistakes in the dialogue. Waits for nobody. */
__attribute__((format(printf, 4, 0))) void txlog_refused(
	struct session *s, int code, const char *ecode, const char *fmt, va_list ap);
/* The client went away, or was too slow, in the middle of the content. */
void txlog_broken(struct session *s, int code, const char *text);
/* What an accepted message's row shows beside its envelope; memory in the session's arena. */
void txlog_fill(struct session *s, struct store_msg_new *msg);

#endif
