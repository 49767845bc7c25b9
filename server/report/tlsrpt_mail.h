/* tlsrpt_mail - finds the TLS report in a mail (RFC 8460 section 5.3), in the forms that are really
 * sent. */
#ifndef REPORT_TLSRPT_MAIL_H
#define REPORT_TLSRPT_MAIL_H

#include "report/tlsrpt_report.h"

enum { TLSRPT_MAIL_MAX = 15 * 1024 * 1024 }; /* octets of the message */

enum tlsrpt_found {
	TLSRPT_REPORT,    /* there is a report, and it can be read */
	TLSRPT_NO_REPORT, /* an ordinary message */
	TLSRPT_BROKEN     /* it says that it has a report, which cannot be used */
};

struct tlsrpt_mail {
	enum tlsrpt_found found;
	struct tlsrpt_report report; /* TLSRPT_REPORT */
	struct str json;             /* unpacked, as sent; may be there when broken */
	char why[512];               /* a sentence, unless it is a report */
};

/* Looks at a whole message. A report is a part application/tlsrpt+json or +gzip that is the
 * message itself or directly in a multipart/report with report-type=tlsrpt. Never fails. */
void tlsrpt_mail_read(struct arena *a, struct str message, struct tlsrpt_mail *out);

#endif
