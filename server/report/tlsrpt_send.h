/* tlsrpt_send - TLS reports of ours: made of the results of a day, mailed and posted to where the
 * policy domain wants them (RFC 8460 sections 3 to 5).
 *
 * A report of a policy domain and day is sent once: its mails go into the queue, its HTTPS
 * requests into a table, and its results out of theirs, in one transaction. */
#ifndef REPORT_TLSRPT_SEND_H
#define REPORT_TLSRPT_SEND_H

#include "config/config.h"
#include "http/http.h"
#include "policy/signing.h"
#include "report/tlsrpt_record.h"
#include "report/tlsrpt_report.h"
#include "store/tlsrptsent.h"

enum {
	TLSRPT_LOOKUP_MS = 30 * 1000,
	TLSRPT_POST_MS = 60 * 1000, /* for a whole HTTPS request */
	TLSRPT_POST_ATTEMPTS = 5,   /* 10, 20, 40, 80 minutes between */
	TLSRPT_POST_FIRST_S = 600,
	TLSRPT_SEND_MAX = 10 * 1024 * 1024, /* octets of a packed report; over it none goes out */
	TLSRPT_SENT_KEPT_S = 400 * 86400,
	TLSRPT_SPREAD_S = 4 * 3600,
	TLSRPT_SPACING_MAX_S = 300
};

struct tlsrpt_means { /* all of them outlive their users */
	struct store *store;
	struct config_holder *config;
	struct dns *dns;
	struct http *http; /* NULL: https: destinations fail */
	struct signing *signing;
};

enum tlsrpt_sent {
	TLSRPT_SENT,
	TLSRPT_SENT_BEFORE, /* results that came too late; removed */
	TLSRPT_SENT_EMPTY,  /* there are no results */
	/* No report, and the results were removed: */
	TLSRPT_SENT_NOT_ASKED,      /* only our own reports went there */
	TLSRPT_SENT_NO_FAILURE,     /* and OutgoingTLSReportsForAllSuccess is not set */
	TLSRPT_SENT_NO_RECORD,      /* the domain publishes none */
	TLSRPT_SENT_BAD_RECORD,     /* malformed, or several */
	TLSRPT_SENT_NO_DESTINATION, /* no mailto: or https: in it */
	TLSRPT_SENT_SUPPRESSED,     /* all its destinations are on the suppression list */
	/* No report, and the results stay: */
	TLSRPT_SENT_OFF,      /* NoOutgoingTLSReports */
	TLSRPT_SENT_DNS,      /* the record could not be looked up now */
	TLSRPT_SENT_UNSIGNED, /* no domain of ours can sign it */
	TLSRPT_SENT_TOO_LARGE
};
const char *tlsrpt_sent_text(enum tlsrpt_sent s); /* "sent", "no-record", ... */
/* Whether the results are still there. */
bool tlsrpt_sent_keeps(enum tlsrpt_sent s);

struct tlsrpt_outcome {
	enum tlsrpt_sent what;
	int64_t sent_id;     /* TLSRPT_SENT */
	size_t mails, posts; /* destinations */
	char text[512];      /* a sentence for people */
};

/* Makes and sends the report of a policy domain and day, which need not be over: then it ends
 * now. -1: it could not be tried (disk, store); nothing changed. now_s: unix time. */
int tlsrpt_send(const struct tlsrpt_means *m, struct str policy_domain, int day, int64_t now_s,
	struct tlsrpt_outcome *out, struct err *err) MUST_USE;

/* A destination as the suppression list has it: of a mail address or mailto: URI the address with
 * its domain in A-labels, lower case; an https: URL as it is. ERR_PERM for others. */
int tlsrpt_destination(struct arena *a, struct str text, struct str *out, struct err *err) MUST_USE;

/* Makes the HTTPS requests that are due, at most limit of them. *next_s: when the next one is,
 * unix; 0: none waits. */
int tlsrpt_post_due(const struct tlsrpt_means *m, int64_t now_s, size_t limit, int64_t *next_s,
	struct err *err) MUST_USE;

/* --- the daily run --- */

int tlsrpt_day(int64_t unix_s);           /* UTC, yyyymmdd */
int64_t tlsrpt_day_start_s(int day);      /* 0 for what is no day */
int64_t tlsrpt_midnight_s(int64_t now_s); /* the last one, UTC */
/* When the run after now_s begins: 240 to 359 s after midnight, by random (any number). */
int64_t tlsrpt_next_run_s(int64_t now_s, uint32_t random);
/* Between two of count reports. */
int64_t tlsrpt_spacing_s(size_t count);

struct tlsrpt_plan {
	struct tlsrpt_work {
		struct str policy_domain;
		int day;
	} * work;
	size_t count;
};
/* What is to be reported: all days that are over. Removes results older than two report periods,
 * and reports sent long ago. All in the arena. */
int tlsrpt_plan_make(const struct tlsrpt_means *m, int64_t now_s, struct arena *a,
	struct tlsrpt_plan *out, struct err *err) MUST_USE;

/* The thread that does it every day, and at start. */
struct tlsrpt_daily;
int tlsrpt_daily_start(
	const struct tlsrpt_means *m, struct tlsrpt_daily **out, struct err *err) MUST_USE;
/* HTTPS requests are to be made now: a report was sent by hand. NULL is fine. */
void tlsrpt_daily_wake(struct tlsrpt_daily *d);
/* Waits for it; http_cancel before ends requests. NULL is fine. */
void tlsrpt_daily_stop(struct tlsrpt_daily **d);

#endif
