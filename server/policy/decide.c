/* The rules, each a function from facts and a domain's policy to what it asks for. The
 * strictest wins; among equals the first in the order of enum decide_rule is named. */
#include "policy/decide.h"

#include <stdarg.h>
#include <stdio.h>

const char *decide_action_text(enum decide_action a)
{
	switch (a) {
	case DECIDE_ACCEPT:
		return "accept";
	case DECIDE_QUARANTINE:
		return "quarantine";
	case DECIDE_DEFER:
		return "defer";
	case DECIDE_REJECT:
		return "reject";
	}
	return "?";
}

const char *decide_rule_text(enum decide_rule r)
{
	static const char *const names[] = {[RULE_NONE] = "none",
		[RULE_ALLOW] = "allow list",
		[RULE_DENY] = "deny list",
		[RULE_CONTENT] = "content",
		[RULE_DMARC] = "DMARC",
		[RULE_SPF] = "SPF",
		[RULE_IPREV] = "reverse DNS",
		[RULE_DNSBL] = "DNS block list",
		[RULE_SCORE] = "score",
		[RULE_TEMPERROR] = "unfinished checks"};

	return names[r];
}

/* What one rule asks for. */
struct wish {
	enum decide_action action;
	enum decide_rule rule;
	const char *ecode; /* without its class: "7.26" */
	char reply[300], why[400];
};

__attribute__((format(printf, 2, 3))) static void reply_set(struct wish *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->reply, sizeof(w->reply), fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void why_set(struct wish *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
}

static enum decide_action measure_action(enum store_measure m)
{
	switch (m) {
	case STORE_MEASURE_OFF:
		return DECIDE_ACCEPT;
	case STORE_MEASURE_QUARANTINE:
		return DECIDE_QUARANTINE;
	case STORE_MEASURE_REJECT:
		return DECIDE_REJECT;
	}
	return DECIDE_ACCEPT;
}

/* --- rules --- */

static void deny_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	(void)p;
	if (f->list != LIST_DENIES)
		return;
	w->action = DECIDE_REJECT;
	w->rule = RULE_DENY;
	w->ecode = "7.1";
	reply_set(w, "This server does not take mail from you");
	why_set(w, "your deny list has %.*s", STR_FMT(f->list_text));
}

static void content_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	(void)p;
	for (size_t i = 0; i < f->fact_count; i++) {
		const struct decide_fact *fact = &f->facts[i];
		if (fact->verdict <= w->action)
			continue;
		w->action = fact->verdict;
		w->rule = RULE_CONTENT;
		w->ecode = "7.1";
		reply_set(w, fact->verdict == DECIDE_DEFER
				     ? "The content could not be checked now, try again later"
				     : "The content of the message is not wanted here");
		why_set(w, "%.*s says: %.*s", STR_FMT(fact->source), STR_FMT(fact->text));
	}
}

static void dmarc_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	if (p->dmarc == STORE_DMARC_OFF || f->override.len > 0)
		return;
	if (f->dmarc == DMARC_PERMERROR) {
		w->action = DECIDE_QUARANTINE;
		w->rule = RULE_DMARC;
		w->ecode = "7.26";
		why_set(w, "its From field does not name one author that could be checked");
		return;
	}
	if (f->dmarc != DMARC_FAIL || f->dmarc_policy == DMARC_POLICY_NONE)
		return;
	w->action = f->dmarc_policy == DMARC_POLICY_REJECT && p->dmarc == STORE_DMARC_HONOUR
			    ? DECIDE_REJECT
			    : DECIDE_QUARANTINE;
	w->rule = RULE_DMARC;
	w->ecode = "7.26";
	reply_set(w,
		"Neither SPF nor DKIM confirms that this mail is from %.*s, whose DMARC policy is "
		"to reject such mail",
		STR_FMT(f->from_domain));
	why_set(w,
		"it says to be from %.*s, but neither SPF nor a DKIM signature confirms that, and "
		"the owner of that domain asks to %s such mail (DMARC)",
		STR_FMT(f->from_domain), dmarc_policy_text(f->dmarc_policy));
}

/* A DMARC pass says more than SPF: forwarded mail fails SPF and is good all the same. */
static void spf_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	if (f->spf != WORD_FAIL || f->dmarc == DMARC_PASS || f->override.len > 0)
		return;
	w->action = measure_action(p->spf);
	w->rule = RULE_SPF;
	w->ecode = "7.23";
	reply_set(w, "%.*s does not allow %.*s to send mail for it (SPF)", STR_FMT(f->spf_domain),
		STR_FMT(f->ip));
	why_set(w, "the SPF record of %.*s says that %.*s may not send mail for it",
		STR_FMT(f->spf_domain), STR_FMT(f->ip));
}

static void iprev_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	if (f->iprev != WORD_FAIL && f->iprev != WORD_PERMERROR)
		return;
	w->action = measure_action(p->iprev);
	w->rule = RULE_IPREV;
	w->ecode = "7.25";
	reply_set(w, "Your address %.*s has no name in DNS that leads back to it (reverse DNS)",
		STR_FMT(f->ip));
	why_set(w, "the sending server's address %.*s has no name in DNS that leads back to it",
		STR_FMT(f->ip));
}

static void dnsbl_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	if (f->dnsbl.len == 0)
		return;
	w->action = measure_action(p->dnsbl);
	w->rule = RULE_DNSBL;
	w->ecode = "7.1";
	reply_set(w, "Your address %.*s is listed by %.*s", STR_FMT(f->ip), STR_FMT(f->dnsbl));
	why_set(w, "the sending server's address %.*s is on the block list %.*s", STR_FMT(f->ip),
		STR_FMT(f->dnsbl));
}

static void score_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	double sum = 0, limit = 0;

	for (size_t i = 0; i < f->fact_count; i++)
		sum += f->facts[i].score;
	if (p->reject_score > 0 && sum * 100 >= (double)p->reject_score) {
		w->action = DECIDE_REJECT;
		limit = (double)p->reject_score / 100;
	} else if (p->quarantine_score > 0 && sum * 100 >= (double)p->quarantine_score) {
		w->action = DECIDE_QUARANTINE;
		limit = (double)p->quarantine_score / 100;
	} else
		return;
	w->rule = RULE_SCORE;
	w->ecode = "7.1";
	reply_set(w, "The message looks like spam");
	why_set(w, "its spam score of %.1f reaches the limit of %.1f", sum, limit);
}

/* Checks that would have counted and could not be made. */
static void temperror_rule(
	const struct decide_facts *f, const struct store_mail_policy *p, struct wish *w)
{
	const char *what = NULL;

	if (!p->temperror_defer)
		return;
	if (f->dmarc == DMARC_TEMPERROR && p->dmarc != STORE_DMARC_OFF && f->override.len == 0) {
		what = "DMARC";
		w->ecode = "7.26";
	} else if (f->spf == WORD_TEMPERROR && p->spf != STORE_MEASURE_OFF &&
		   f->dmarc != DMARC_PASS) {
		what = "SPF";
		w->ecode = "7.24";
	} else if (f->iprev == WORD_TEMPERROR && p->iprev != STORE_MEASURE_OFF) {
		what = "reverse DNS";
		w->ecode = "7.25";
	}
	if (what == NULL)
		return;
	w->action = DECIDE_DEFER;
	w->rule = RULE_TEMPERROR;
	reply_set(w, "The sender could not be checked now (%s), try again later", what);
	why_set(w, "its sender could not be checked (%s): name servers did not answer", what);
}

/* --- the verdict --- */

static void one_line(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

static void verdict_write(
	const struct decide_facts *f, const struct wish *w, struct decide_verdict *out)
{
	*out = (struct decide_verdict){.action = w->action, .rule = w->rule, .code = 250};
	(void)str_copy(out->ecode, sizeof(out->ecode), STR("2.0.0"));
	switch (w->action) {
	case DECIDE_ACCEPT:
		snprintf(out->sentence, sizeof(out->sentence), "Accepted%s%s.",
			w->why[0] != '\0' ? ": " : ", nothing speaks against it", w->why);
		break;
	case DECIDE_QUARANTINE:
		snprintf(out->sentence, sizeof(out->sentence), "Put in quarantine: %s.", w->why);
		break;
	case DECIDE_DEFER:
		out->code = 451;
		snprintf(out->ecode, sizeof(out->ecode), "4.%s", w->ecode);
		snprintf(out->sentence, sizeof(out->sentence),
			"Put off, the sender may try again: %s.", w->why);
		break;
	case DECIDE_REJECT:
		out->code = 550;
		snprintf(out->ecode, sizeof(out->ecode), "5.%s", w->ecode);
		snprintf(out->sentence, sizeof(out->sentence), "Refused: %s.", w->why);
		break;
	}
	snprintf(out->reply, sizeof(out->reply), "%s", w->reply);
	one_line(out->reply);
	one_line(out->sentence);
	out->dmarc_overridden =
		f->dmarc == DMARC_FAIL &&
		((f->dmarc_policy == DMARC_POLICY_REJECT && w->action < DECIDE_DEFER) ||
			(f->dmarc_policy == DMARC_POLICY_QUARANTINE && w->action == DECIDE_ACCEPT));
}

static void accept_why(const struct decide_facts *f, struct wish *w)
{
	if (f->list == LIST_ALLOWS) {
		w->rule = RULE_ALLOW;
		why_set(w, "your allow list has %.*s", STR_FMT(f->list_text));
	} else if (f->dmarc == DMARC_FAIL && f->override.len > 0 &&
		   f->dmarc_policy != DMARC_POLICY_NONE) {
		w->rule = RULE_DMARC;
		why_set(w, "DMARC fails, but %.*s", STR_FMT(f->override));
	} else if (f->dmarc == DMARC_PASS)
		why_set(w, "%.*s vouches for it, and nothing speaks against it",
			STR_FMT(f->from_domain));
}

/* On the allow list only what is dangerous counts. */
static void allowed_decide(const struct decide_facts *f, struct wish *best)
{
	for (size_t i = 0; i < f->fact_count; i++) {
		struct decide_facts one = {.facts = &f->facts[i], .fact_count = 1};
		struct wish w = {.action = DECIDE_ACCEPT, .ecode = "0.0"};
		if (f->facts[i].even_if_allowed)
			content_rule(&one, NULL, &w);
		if (w.action > best->action)
			*best = w;
	}
}

void decide(const struct decide_facts *facts, const struct store_mail_policy *policy,
	struct decide_verdict *out)
{
	static void (*const rules[])(const struct decide_facts *, const struct store_mail_policy *,
		struct wish *) = {deny_rule, content_rule, dmarc_rule, spf_rule, iprev_rule,
		dnsbl_rule, score_rule, temperror_rule};
	struct wish best = {.action = DECIDE_ACCEPT, .rule = RULE_NONE, .ecode = "0.0"};

	if (facts->list == LIST_ALLOWS) {
		allowed_decide(facts, &best);
	} else {
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
			struct wish w = {.action = DECIDE_ACCEPT, .ecode = "0.0"};
			rules[i](facts, policy, &w);
			if (w.action > best.action)
				best = w;
		}
	}
	if (best.action == DECIDE_ACCEPT)
		accept_why(facts, &best);
	verdict_write(facts, &best, out);
}

size_t decide_common(
	const struct decide_verdict *verdicts, size_t count, enum decide_action *action)
{
	size_t rejected = 0, speaker[DECIDE_REJECT + 1] = {0};
	bool has[DECIDE_REJECT + 1] = {false};

	for (size_t i = count; i-- > 0;) {
		has[verdicts[i].action] = true;
		speaker[verdicts[i].action] = i;
		rejected += verdicts[i].action == DECIDE_REJECT;
	}
	if (count > 0 && rejected == count)
		*action = DECIDE_REJECT;
	else if (has[DECIDE_DEFER])
		*action = DECIDE_DEFER;
	else if (has[DECIDE_QUARANTINE] || has[DECIDE_REJECT])
		/* Some of it: which recipients, their own verdicts say. */
		*action = has[DECIDE_ACCEPT] ? DECIDE_ACCEPT : DECIDE_QUARANTINE;
	else
		*action = DECIDE_ACCEPT;
	return has[*action] ? speaker[*action] : 0;
}
