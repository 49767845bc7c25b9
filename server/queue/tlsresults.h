/* tlsresults - what a delivery saw of TLS, as rows for TLS reports (spec 4.5, RFC 8460). */
#ifndef QUEUE_TLSRESULTS_H
#define QUEUE_TLSRESULTS_H

#include "config/config.h"
#include "policy/tlspolicy.h"
#include "store/tlsresult.h"

struct tls_results_about { /* the attempt */
	const struct config *config;
	const char *recipient_domain; /* A-labels; an address for a literal one */
	bool direct;                  /* to MX hosts; smarthosts are not reported */
	bool is_tls_report;           /* the message is a TLS report: calls for none */
	int64_t now_s;
};

/* The rows for store_attempt, in the arena (views of results: they must live as long). None
 * when nothing is to be recorded: not direct, an address literal, or NoOutgoingTLSReports. */
size_t tls_results_rows(struct arena *a, const struct tls_results_about *about,
	const struct tls_result *const *results, size_t count, struct store_tls_result **rows);

/* UTC day as yyyymmdd. */
int tls_results_day(int64_t unix_s);

#endif
