/* client_reply - what an SMTP server answers (RFC 5321 section 4.2), line by line. */
#ifndef SMTP_CLIENT_REPLY_H
#define SMTP_CLIENT_REPLY_H

#include "base/err.h"
#include "base/str.h"

enum {
	SMTP_REPLY_LINE_MAX = 2048, /* octets with line end; RFC 5321 4.5.3.1.5 demands 512 */
	SMTP_REPLY_LINES_MAX = 100
};

struct smtp_reply {
	int code;       /* 200 to 599 */
	char ecode[12]; /* "5.7.1", or "" */
	char text[512]; /* lines joined by a space, without codes; printable UTF-8, cut at the end
			 */
	unsigned lines;
	struct str last; /* text of the newest line, a view into what was given */
};

/* Whether enhanced status codes (RFC 2034) are looked for: only when they were announced. */
enum smtp_enhanced { SMTP_ENHANCED_OFF, SMTP_ENHANCED_ON };

void smtp_reply_begin(struct smtp_reply *r);
/* Takes the next line, without its end: 1 more must follow, 0 it was the last, -1 this is
 * no SMTP reply (ERR_TEMP: the peer is broken, not the mail). */
int smtp_reply_add(struct smtp_reply *r, struct str line, enum smtp_enhanced enhanced,
	struct err *err) MUST_USE;

/* Copies text for logs, DSNs and pages: controls and broken UTF-8 become '?', what does not
 * fit is cut between characters. */
void smtp_text_copy(char *out, size_t size, struct str text);

#endif
