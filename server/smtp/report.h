/* report - TLS reports of others that come by mail (RFC 8460 section 5.3). */
#ifndef SMTP_REPORT_H
#define SMTP_REPORT_H

#include "smtp/check.h"

/* RCPT of a report address that nobody reads: the gateway takes it for itself. */
void report_rcpt_accept(struct session *s, const struct rcpt_target *t);

/* After the checks, before the queue: keeps the report of a message to a report address, and
 * takes recipients out that are there for nothing else. False: the client has its answer. */
bool report_take(struct session *s, const struct message_check *check);

#endif
