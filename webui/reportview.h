/* reportview - what TLS reports of others mean, in words; the filter of their pages. */
#ifndef WEBUI_REPORTVIEW_H
#define WEBUI_REPORTVIEW_H

#include "store/tlsreport.h"
#include "webui/page.h"

struct report_meaning {
	const char *what; /* a sentence: what went wrong there */
	const char *fix;  /* a sentence: what to do about it here */
};
/* Of a result type of RFC 8460 section 4.3; a general one for others. */
const struct report_meaning *reportview_meaning(struct str result_type);
/* "sts": "MTA-STS", ... */
struct str reportview_policy(struct str policy_type);

enum { REPORTVIEW_DAYS = 30, REPORTVIEW_DAYS_MAX = 60 };
/* domain, reporter, result, failures, days of the query, rejected; sets them in the view too. */
void reportview_filter(struct page *p, struct store_tls_report_filter *f);
/* "?domain=...&reporter=..." of a filter, in the arena. */
const char *reportview_query(struct page *p, const struct store_tls_report_filter *f);
/* "2026-11-24" of a day since 1970. */
void reportview_day(struct page *p, struct tval *map, const char *key, int day);
void reportview_row(struct page *p, struct tval *map, const struct store_tls_report *r);

#endif
