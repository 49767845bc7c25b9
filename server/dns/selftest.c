#include "dns/selftest.h"

#include <stdio.h>

/* Asked in slices, so that a stop need not wait for the network. */
enum { PATIENCE_MS = 10 * 1000, SLICE_MS = 1000, QUESTIONS = 2 };

static bool answered(const struct dns_answer *a)
{
	return a->status != DNS_FAILED && a->status != DNS_TIMEOUT;
}

/* True when there is something to judge: an answer to each, or patience is over. */
static bool ask(struct dns *d, const struct dns_selftest_options *opt, struct arena *a,
	struct dns_answer answers[QUESTIONS])
{
	static const struct dns_request requests[QUESTIONS] = {{DNS_NS, "."}, {DNS_NS, "org"}};
	struct deadline end = deadline_in_ms(opt->patience_ms ? opt->patience_ms : PATIENCE_MS);
	struct err err;

	for (;;) {
		if (opt->stop != NULL && atomic_load(opt->stop) != 0)
			return false;
		struct deadline slice = deadline_min(end, deadline_in_ms(SLICE_MS));
		if (dns_lookup_many(d, requests, QUESTIONS, slice, a, answers, &err) < 0)
			return false; /* not reached: these names can be asked for */
		bool waiting = false;
		for (size_t i = 0; i < QUESTIONS; i++)
			waiting = waiting || answers[i].status == DNS_TIMEOUT;
		if (!waiting || deadline_left_ms(end) == 0)
			return true;
	}
}

static void judge(const struct dns_answer answers[QUESTIONS],
	const struct dns_selftest_options *opt, struct dns_selftest *out)
{
	const struct dns_answer *root = &answers[0], *below = &answers[1];

	if (!answered(root) && !answered(below)) {
		out->state = DNS_SELFTEST_UNREACHABLE;
		snprintf(out->text, sizeof(out->text), "%s (%s). %s",
			opt->own_servers ? "The name servers of mox.conf give no answer about the "
					   "root zone"
					 : "No name server can be reached",
			dns_status_text(root->status),
			opt->own_servers
				? "Check Resolver in mox.conf, and that those servers run."
				: "This machine is offline, or outgoing port 53 (UDP and TCP) is "
				  "blocked: open it, or name servers under Resolver in mox.conf.");
	} else if (!opt->validating) {
		out->state = DNS_SELFTEST_OFF;
		snprintf(out->text, sizeof(out->text),
			"Names are resolved. DNSSEC validation is turned off in mox.conf "
			"(TrustAnchorFile: none), so DANE is not used.");
	} else if (root->secure && below->secure) {
		out->state = DNS_SELFTEST_OK;
		snprintf(out->text, sizeof(out->text),
			"The NS records of the root and of org are signed and validated.");
	} else {
		const struct dns_answer *bad = root->secure ? below : root;
		out->state = DNS_SELFTEST_NO_DNSSEC;
		snprintf(out->text, sizeof(out->text),
			"Answers for %s cannot be validated (%s). A server on the way removes "
			"signatures, or the clock is wrong: check the time, and Resolver in "
			"mox.conf.",
			root->secure ? "org" : "the root zone",
			bad->status == DNS_OK ? "not signed" : dns_status_text(bad->status));
	}
}

void dns_selftest(struct dns *d, const struct dns_selftest_options *opt, struct dns_selftest *out)
{
	struct arena *a = arena_open();
	struct dns_answer answers[QUESTIONS];

	*out = (struct dns_selftest){.state = DNS_SELFTEST_STOPPED};
	if (ask(d, opt, a, answers))
		judge(answers, opt, out);
	arena_close(&a);
}
