#include "policy/tlspolicy.h"

#include <stdio.h>

/* --- what is asked --- */

struct tls_policy tlspolicy_relay(enum store_tls_mode setting)
{
	switch (setting) {
	case STORE_TLS_NONE:
		return (struct tls_policy){.mode = TLS_MODE_SKIP};
	case STORE_TLS_OPPORTUNISTIC:
		return (struct tls_policy){
			.mode = TLS_MODE_OPPORTUNISTIC, .plaintext_fallback = true};
	case STORE_TLS_REQUIRED:
		return (struct tls_policy){.mode = TLS_MODE_STARTTLS};
	case STORE_TLS_VERIFY:
		return (struct tls_policy){.mode = TLS_MODE_STARTTLS, .verify_pkix = true};
	case STORE_TLS_IMMEDIATE:
		return (struct tls_policy){.mode = TLS_MODE_IMMEDIATE, .verify_pkix = true};
	}
	/* A number no setting has comes from a broken row: the strictest, mail waits. */
	return (struct tls_policy){.mode = TLS_MODE_STARTTLS, .verify_pkix = true};
}

struct tls_policy tlspolicy_direct(void)
{
	return (struct tls_policy){.mode = TLS_MODE_OPPORTUNISTIC,
		.plaintext_fallback = true,
		.rule = TLS_RULE_OPPORTUNISTIC};
}

/* Whether what the destination asks is only noted. An admin who forces verified TLS outranks
 * the sender's "TLS-Required: No"; REQUIRETLS outranks the admin's "plaintext will do". */
static bool is_relaxed(const struct tls_choice_in *in)
{
	switch (in->override) {
	case TLS_OVERRIDE_VERIFIED:
	case TLS_OVERRIDE_PIN:
		return false;
	case TLS_OVERRIDE_PLAINTEXT:
		return in->demand != TLS_DEMAND_REQUIRED;
	case TLS_OVERRIDE_NONE:
		break;
	}
	return in->demand == TLS_DEMAND_OPTIONAL;
}

static void dane_error_note(
	const struct dns_trouble *t, struct tls_tally *rcpt, struct tls_tally *host)
{
	bool dnssec = dns_trouble_is_dnssec(t);
	char reason[TLS_REASON_MAX] = "";

	if (t->ede >= 0)
		tls_ede_reason(reason, "extended-dns-error", t->ede);
	tls_tally_note(
		host, dnssec ? TLS_RESULT_DNSSEC_INVALID : TLS_RESULT_TLSA_INVALID, dnssec, reason);
	if (dnssec) {
		host->failure++;
		rcpt->failure++;
	}
}

/* What MTA-STS asks (RFC 8461 section 5). False: no mail to this host. */
static bool sts_apply(
	const struct tls_choice_in *in, bool relaxed, struct tls_policy *p, struct tls_tally *rcpt)
{
	if (in->sts != TLS_STS_NONE && !in->sts_mx_matches) {
		tls_tally_note(rcpt, TLS_RESULT_VALIDATION_FAILURE, 0, "mtasts-policy-mx-mismatch");
		if (in->sts == TLS_STS_ENFORCE && !relaxed) {
			rcpt->failure++;
			return false;
		}
	}
	if (in->sts == TLS_STS_ENFORCE) {
		p->mode = TLS_MODE_STARTTLS;
		p->verify_pkix = true;
		p->rule = TLS_RULE_MTASTS;
	}
	return true;
}

/* What TLSA records ask (RFC 7672 section 2.2). False: no mail to this host. */
static bool dane_apply(const struct tls_choice_in *in, bool relaxed, struct tls_policy *p,
	struct tls_tally *rcpt, struct tls_tally *host)
{
	switch (in->dane->status) {
	case DANE_SKIPPED:
	case DANE_NONE:
		return true;
	case DANE_USABLE:
		p->mode = TLS_MODE_STARTTLS;
		p->dane = &in->dane->records;
		p->names = in->names;
		p->rule = p->verify_pkix ? TLS_RULE_DANE_MTASTS : TLS_RULE_DANE;
		return true;
	case DANE_UNUSABLE:
		p->mode = TLS_MODE_STARTTLS;
		p->names = in->names;
		if (!p->verify_pkix)
			p->rule = TLS_RULE_DANE_UNUSABLE;
		tls_tally_note(host, TLS_RESULT_TLSA_INVALID, 0, "all-unusable-records+ignored");
		return true;
	case DANE_ERROR:
		dane_error_note(&in->dane->trouble, rcpt, host);
		return relaxed;
	}
	return false;
}

static void override_apply(const struct tls_choice_in *in, bool relaxed, struct tls_policy *p)
{
	switch (in->override) {
	case TLS_OVERRIDE_NONE:
		return;
	case TLS_OVERRIDE_VERIFIED:
		p->mode = TLS_MODE_STARTTLS;
		p->verify_pkix = p->verify_pkix || p->dane == NULL;
		break;
	case TLS_OVERRIDE_PIN:
		p->mode = TLS_MODE_STARTTLS;
		p->pins = in->pins;
		p->pin_count = in->pin_count;
		break;
	case TLS_OVERRIDE_PLAINTEXT:
		if (!relaxed)
			return;
		break;
	}
	p->override = in->override;
	p->rule = TLS_RULE_OVERRIDE;
}

enum tls_choice tlspolicy_choose(const struct tls_choice_in *in, struct tls_policy *out,
	struct tls_tally *rcpt, struct tls_tally *host)
{
	bool relaxed = is_relaxed(in);

	*out = (struct tls_policy){.mode = TLS_MODE_OPPORTUNISTIC, .rule = TLS_RULE_OPPORTUNISTIC};
	*rcpt = *host = (struct tls_tally){.success = 0};
	if (!sts_apply(in, relaxed, out, rcpt))
		return TLS_CHOICE_MX_NOT_LISTED;
	if (!dane_apply(in, relaxed, out, rcpt, host))
		return TLS_CHOICE_DANE_ERROR;
	override_apply(in, relaxed, out);
	/* RFC 8689 section 4.2.1: the MX must be found and its certificate verified in a way that
	 * nobody on the path can change. Testing and unusable records do not. */
	if (in->demand == TLS_DEMAND_REQUIRED) {
		if (out->dane == NULL && in->sts != TLS_STS_ENFORCE && out->pin_count == 0)
			return TLS_CHOICE_NO_VERIFIED_TLS;
		out->requiretls = true;
	}
	if (relaxed && in->override == TLS_OVERRIDE_NONE && out->mode == TLS_MODE_STARTTLS)
		out->rule = TLS_RULE_TLS_OPTIONAL;
	out->ignore_verify_errors = relaxed;
	out->plaintext_fallback =
		relaxed || (out->mode == TLS_MODE_OPPORTUNISTIC && !in->no_fallback);
	return TLS_CHOICE_CONNECT;
}

/* --- what was seen --- */

/* The handshake did not come to an end. A port that speaks TLS from the first octet has
 * no plaintext to fall back to. */
static bool fallback(const struct tls_policy *policy)
{
	return policy->plaintext_fallback &&
	       (policy->mode == TLS_MODE_OPPORTUNISTIC || policy->mode == TLS_MODE_STARTTLS);
}

static bool pin_matches(const struct tls_policy *policy, const struct tls_peer *peer)
{
	for (size_t i = 0; i < policy->pin_count; i++) {
		if (str_eq_nocase(str_from(policy->pins[i]), str_from(peer->spki_sha256)))
			return true;
	}
	return false;
}

enum verdict { VERDICT_NOT_ASKED, VERDICT_PASS, VERDICT_FAIL };

struct verdicts {
	enum verdict dane, pin;
	bool pkix_ok;
	struct dane_verdict dane_detail;
};

/* Looks at everything that is there to look at, and notes it for the reports. */
static void peer_verify(const struct tls_policy *policy, const struct tls_peer *peer,
	struct verdicts *v, struct tls_outcome *out)
{
	*v = (struct verdicts){.pkix_ok = peer != NULL && peer->pkix == TLS_FACT_OK};
	if (policy->dane != NULL) {
		v->dane_detail = (struct dane_verdict){.result = DANE_NO_MATCH};
		if (peer != NULL)
			dane_verify(policy->dane, &policy->names, peer, NULL, &v->dane_detail);
		v->dane = v->dane_detail.result == DANE_MATCH ? VERDICT_PASS : VERDICT_FAIL;
		out->dane_record = v->dane_detail.record;
	}
	if (v->dane == VERDICT_FAIL)
		tls_tally_note(&out->host, TLS_RESULT_VALIDATION_FAILURE, 1,
			v->dane_detail.errors ? "dane-no-match+errors" : "dane-no-match");
	if (!v->pkix_ok) {
		char reason[TLS_REASON_MAX] = "";
		enum tls_result_type type = peer ? tls_pkix_result(peer->pkix_code, reason)
						 : TLS_RESULT_VALIDATION_FAILURE;
		tls_tally_note(&out->rcpt, type, 1, reason);
		out->type = type;
	}
	if (v->dane != VERDICT_NOT_ASKED)
		out->type = v->dane == VERDICT_PASS ? TLS_RESULT_SUCCESS
						    : TLS_RESULT_VALIDATION_FAILURE;
	if (policy->pin_count > 0)
		v->pin = peer != NULL && pin_matches(policy, peer) ? VERDICT_PASS : VERDICT_FAIL;
}

static void judge_text(const struct tls_policy *policy, const struct tls_peer *peer,
	const struct verdicts *v, struct tls_outcome *out)
{
	const char *version = peer ? peer->info.version : "TLS";
	const char *why = peer && peer->pkix_error[0] ? peer->pkix_error : "not checked";
	bool pkix_matters = !v->pkix_ok && (policy->verify_pkix || v->dane == VERDICT_NOT_ASKED);

	if (out->may_send && out->verified)
		snprintf(out->text, sizeof(out->text), "%s, certificate verified%s%s", version,
			v->dane == VERDICT_PASS ? " (DANE)" : "",
			v->pin == VERDICT_PASS ? " (pinned key)" : "");
	else if (out->may_send)
		snprintf(out->text, sizeof(out->text), "%s, certificate not verified: %.200s",
			version, v->dane == VERDICT_FAIL ? v->dane_detail.text : why);
	else if (v->pin == VERDICT_FAIL)
		snprintf(out->text, sizeof(out->text),
			"TLS: the server's key is not one that is pinned for the destination");
	else if (v->dane == VERDICT_FAIL)
		snprintf(out->text, sizeof(out->text), "TLS: DANE: %.220s%s", v->dane_detail.text,
			pkix_matters ? "; nor is it valid by WebPKI" : "");
	else
		snprintf(out->text, sizeof(out->text), "TLS: certificate is not valid: %s", why);
}

static void judge_peer(
	const struct tls_policy *policy, const struct tls_peer *peer, struct tls_outcome *out)
{
	struct verdicts v;

	peer_verify(policy, peer, &v, out);
	bool asked_ok = v.dane != VERDICT_FAIL && (v.pkix_ok || !policy->verify_pkix);
	out->verified = v.dane == VERDICT_PASS   ? asked_ok
			: v.dane == VERDICT_FAIL ? false
			: v.pin == VERDICT_PASS  ? asked_ok
						 : v.pkix_ok;
	if (v.pin == VERDICT_FAIL)
		out->verified = false;
	bool session_ok = asked_ok || policy->ignore_verify_errors;
	out->may_send = session_ok && v.pin != VERDICT_FAIL;
	/* The pin is ours; that it fails is no failure of what the destination publishes. */
	out->rcpt.success = out->host.success = session_ok;
	out->rcpt.failure = out->host.failure = !session_ok;
	judge_text(policy, peer, &v, out);
}

static void judge_no_starttls(const struct tls_policy *policy, const struct tls_observation *seen,
	struct tls_outcome *out)
{
	char reason[TLS_REASON_MAX] = "";

	out->type = TLS_RESULT_STARTTLS_NOT_SUPPORTED;
	if (seen->starttls_refused) {
		snprintf(
			reason, sizeof(reason), "smtp-starttls-reply-code-%d", seen->starttls_code);
		out->rcpt.failure = out->host.failure = 1;
	}
	tls_tally_note(&out->rcpt, out->type, 1, reason);
	tls_tally_note(&out->host, out->type, 1, reason);
	if (seen->starttls_refused) {
		/* On a connection of its own: a peer that answers 421 has closed this one. */
		out->try_plaintext = fallback(policy);
		snprintf(out->text, sizeof(out->text), "TLS: the peer refuses STARTTLS");
		return;
	}
	/* No TLS was asked of a peer without STARTTLS, so this connection is as good as new. */
	out->may_send = policy->mode == TLS_MODE_OPPORTUNISTIC;
	out->try_plaintext = !out->may_send && fallback(policy);
	snprintf(out->text, sizeof(out->text), "%s",
		out->may_send ? "plaintext: the peer does not offer STARTTLS"
			      : "TLS: the peer does not offer STARTTLS");
}

static void judge_failure(const struct tls_policy *policy, const struct tls_failure_info *failure,
	struct tls_outcome *out)
{
	const char *why = "it failed";
	char reason[TLS_REASON_MAX];

	out->type = TLS_RESULT_VALIDATION_FAILURE;
	out->try_plaintext = fallback(policy);
	tls_failure_reason(failure, reason);
	out->rcpt.failure = out->host.failure = 1;
	tls_tally_note(&out->rcpt, out->type, 1, reason);
	tls_tally_note(&out->host, out->type, 1, reason);
	switch (failure->kind) {
	case TLS_FAILURE_TIMEOUT:
		why = "timed out";
		break;
	case TLS_FAILURE_CLOSED:
		why = "the peer closed the connection";
		break;
	case TLS_FAILURE_NOT_TLS:
		why = "the peer does not speak TLS";
		break;
	case TLS_FAILURE_REMOTE_ALERT:
	case TLS_FAILURE_LOCAL_ALERT:
		snprintf(out->text, sizeof(out->text), "TLS handshake: %s sent alert %d (%s)",
			failure->kind == TLS_FAILURE_LOCAL_ALERT ? "we" : "the peer",
			failure->alert, tls_alert_text(failure->alert));
		return;
	case TLS_FAILURE_NONE:
		why = "it did not take place";
		break;
	case TLS_FAILURE_OTHER:
		break;
	}
	snprintf(out->text, sizeof(out->text), "TLS handshake: %s", why);
}

void tlspolicy_judge(const struct tls_policy *policy, const struct tls_observation *seen,
	struct tls_outcome *out)
{
	*out = (struct tls_outcome){.type = TLS_RESULT_SUCCESS};
	if (policy->mode == TLS_MODE_SKIP) {
		out->may_send = true;
		snprintf(out->text, sizeof(out->text), "plaintext");
	} else if (seen->handshake_done) {
		judge_peer(policy, seen->peer, out);
	} else if (policy->mode != TLS_MODE_IMMEDIATE &&
		   (seen->starttls_refused ||
			   (!seen->starttls_offered && seen->failure.kind == TLS_FAILURE_NONE))) {
		judge_no_starttls(policy, seen, out);
	} else {
		judge_failure(policy, &seen->failure, out);
	}
}
