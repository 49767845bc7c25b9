#include "policy/tlspolicy.h"

#include <stdio.h>

struct tls_policy tlspolicy_choose(enum store_tls_mode setting)
{
	switch (setting) {
	case STORE_TLS_NONE:
		return (struct tls_policy){.mode = TLS_MODE_SKIP};
	case STORE_TLS_OPPORTUNISTIC:
		return tlspolicy_direct();
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
	return (struct tls_policy){.mode = TLS_MODE_OPPORTUNISTIC, .plaintext_fallback = true};
}

/* The handshake did not come to an end. A port that speaks TLS from the first octet has
 * no plaintext to fall back to. */
static bool fallback(const struct tls_policy *policy)
{
	return policy->plaintext_fallback &&
	       (policy->mode == TLS_MODE_OPPORTUNISTIC || policy->mode == TLS_MODE_STARTTLS);
}

static enum tls_result_type certificate_result(const struct tls_peer *peer)
{
	switch (tls_pkix_class(peer->pkix_code)) {
	case TLS_PKIX_NAME:
		return TLS_RESULT_CERTIFICATE_HOST_MISMATCH;
	case TLS_PKIX_DATE:
		return TLS_RESULT_CERTIFICATE_EXPIRED;
	case TLS_PKIX_UNTRUSTED:
		return TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
	case TLS_PKIX_VALID: /* valid, but there was no name to check it for */
	case TLS_PKIX_OTHER:
		break;
	}
	return TLS_RESULT_VALIDATION_FAILURE;
}

static void judge_peer(
	const struct tls_policy *policy, const struct tls_peer *peer, struct tls_outcome *out)
{
	if (peer != NULL && peer->pkix == TLS_FACT_OK) {
		out->type = TLS_RESULT_SUCCESS;
		out->may_send = out->verified = true;
		snprintf(out->text, sizeof(out->text), "%s, certificate verified",
			peer->info.version);
		return;
	}
	out->type = peer ? certificate_result(peer) : TLS_RESULT_VALIDATION_FAILURE;
	out->may_send = !policy->verify_pkix;
	const char *why = peer && peer->pkix_error[0] ? peer->pkix_error : "not checked";
	if (out->may_send)
		snprintf(out->text, sizeof(out->text), "%s, certificate not verified: %s",
			peer ? peer->info.version : "TLS", why);
	else
		snprintf(out->text, sizeof(out->text), "TLS: certificate is not valid: %s", why);
}

static void judge_no_starttls(const struct tls_policy *policy, const struct tls_observation *seen,
	struct tls_outcome *out)
{
	out->type = TLS_RESULT_STARTTLS_NOT_SUPPORTED;
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

	out->type = TLS_RESULT_VALIDATION_FAILURE;
	out->try_plaintext = fallback(policy);
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
