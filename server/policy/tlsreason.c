/* The words of RFC 8460: result types, policy types, reason codes. */
#include "policy/tlspolicy.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>

const char *tls_result_type_text(enum tls_result_type t)
{
	switch (t) {
	case TLS_RESULT_SUCCESS:
		return "";
	case TLS_RESULT_STARTTLS_NOT_SUPPORTED:
		return "starttls-not-supported";
	case TLS_RESULT_CERTIFICATE_HOST_MISMATCH:
		return "certificate-host-mismatch";
	case TLS_RESULT_CERTIFICATE_EXPIRED:
		return "certificate-expired";
	case TLS_RESULT_CERTIFICATE_NOT_TRUSTED:
		return "certificate-not-trusted";
	case TLS_RESULT_VALIDATION_FAILURE:
		return "validation-failure";
	case TLS_RESULT_TLSA_INVALID:
		return "tlsa-invalid";
	case TLS_RESULT_DNSSEC_INVALID:
		return "dnssec-invalid";
	case TLS_RESULT_DANE_REQUIRED:
		return "dane-required";
	case TLS_RESULT_STS_POLICY_FETCH_ERROR:
		return "sts-policy-fetch-error";
	case TLS_RESULT_STS_POLICY_INVALID:
		return "sts-policy-invalid";
	case TLS_RESULT_STS_WEBPKI_INVALID:
		return "sts-webpki-invalid";
	}
	return "validation-failure";
}

const char *tls_policy_type_text(enum tls_policy_type t)
{
	switch (t) {
	case TLS_POLICY_NONE:
		return "no-policy-found";
	case TLS_POLICY_STS:
		return "sts";
	case TLS_POLICY_TLSA:
		return "tlsa";
	}
	return "no-policy-found";
}

/* Words with hyphens for spaces. */
static void words_put(char out[TLS_REASON_MAX], const char *prefix, int number, const char *words)
{
	int n = snprintf(out, TLS_REASON_MAX, "%s-%d%s", prefix, number, *words ? "-" : "");
	size_t at = n > 0 ? (size_t)n : 0;

	for (; *words != '\0' && at + 1 < TLS_REASON_MAX; words++)
		out[at++] = *words == ' ' ? '-' : *words;
	if (at < TLS_REASON_MAX)
		out[at] = '\0';
}

void tls_ede_reason(char out[TLS_REASON_MAX], const char *prefix, int ede)
{
	words_put(out, prefix, ede, dns_ede_text(ede));
}

static const char *alert_words(int alert)
{
	static const struct {
		int number;
		const char *words;
	} names[] = {{10, "unexpected message"}, {20, "bad record MAC"}, {22, "record overflow"},
		{40, "handshake failure"}, {42, "bad certificate"}, {43, "unsupported certificate"},
		{44, "revoked certificate"}, {45, "expired certificate"},
		{46, "unknown certificate"}, {47, "illegal parameter"},
		{48, "unknown certificate authority"}, {49, "access denied"},
		{50, "error decoding message"}, {51, "error decrypting message"},
		{70, "protocol version not supported"}, {71, "insufficient security level"},
		{80, "internal error"}, {86, "inappropriate fallback"}, {90, "user canceled"},
		{100, "no renegotiation"}, {109, "missing extension"},
		{110, "unsupported extension"}, {112, "unrecognized name"},
		{116, "certificate required"}, {120, "no application protocol"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == alert)
			return names[i].words;
	}
	return "";
}

void tls_failure_reason(const struct tls_failure_info *failure, char out[TLS_REASON_MAX])
{
	const char *reason = "";

	switch (failure->kind) {
	case TLS_FAILURE_REMOTE_ALERT:
		words_put(out, "tls-remote-alert", failure->alert, alert_words(failure->alert));
		return;
	case TLS_FAILURE_LOCAL_ALERT:
		words_put(out, "tls-local-alert", failure->alert, alert_words(failure->alert));
		return;
	case TLS_FAILURE_TIMEOUT:
		reason = "io-timeout-during-handshake";
		break;
	case TLS_FAILURE_CLOSED:
		reason = "connection-closed-during-handshake";
		break;
	case TLS_FAILURE_NOT_TLS:
		reason = "tls-record-header-error";
		break;
	case TLS_FAILURE_NONE:
	case TLS_FAILURE_OTHER:
		break;
	}
	snprintf(out, TLS_REASON_MAX, "%s", reason);
}

static const char *untrusted_reason(int pkix_code)
{
	switch (pkix_code) {
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_NON_CA:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		return "not-authorized-to-sign";
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
		return "ca-not-authorized-for-this-name";
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
		return "too-many-intermediates";
	case X509_V_ERR_INVALID_PURPOSE:
		return "incompatible-key-usage";
	case X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
	case X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH:
		return "parent-subject-child-issuer-mismatch";
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
		return "unconstrained-name";
	}
	return "";
}

enum tls_result_type tls_pkix_result(int pkix_code, char reason[TLS_REASON_MAX])
{
	reason[0] = '\0';
	switch (tls_pkix_class(pkix_code)) {
	case TLS_PKIX_NAME:
		return TLS_RESULT_CERTIFICATE_HOST_MISMATCH;
	case TLS_PKIX_DATE:
		return TLS_RESULT_CERTIFICATE_EXPIRED;
	case TLS_PKIX_UNTRUSTED:
		snprintf(reason, TLS_REASON_MAX, "%s", untrusted_reason(pkix_code));
		return TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
	case TLS_PKIX_VALID: /* valid, but there was no name to check it for */
		return TLS_RESULT_VALIDATION_FAILURE;
	case TLS_PKIX_OTHER:
		break;
	}
	snprintf(reason, TLS_REASON_MAX, "unknown-certificate-verification-error");
	return TLS_RESULT_VALIDATION_FAILURE;
}

void tls_tally_note(
	struct tls_tally *t, enum tls_result_type type, unsigned failed, const char *reason)
{
	if (t->note_count == TLS_NOTES_MAX)
		return;
	struct tls_note *n = &t->notes[t->note_count++];
	*n = (struct tls_note){.type = type, .failed = failed};
	snprintf(n->reason, sizeof(n->reason), "%s", reason);
}

void tls_tally_merge(struct tls_tally *to, const struct tls_tally *from)
{
	to->success += from->success;
	to->failure += from->failure;
	for (size_t i = 0; i < from->note_count; i++)
		tls_tally_note(
			to, from->notes[i].type, from->notes[i].failed, from->notes[i].reason);
}

static const char *kept(struct arena *arena, const char *text)
{
	return arena_strdup(arena, str_from(text != NULL ? text : ""));
}

void tls_result_add(struct arena *arena, struct tls_result *r, const struct tls_tally *tally,
	const struct tls_detail *at)
{
	r->success += tally->success;
	r->failure += tally->failure;
	for (size_t i = 0; i < tally->note_count && r->detail_count < TLS_DETAILS_MAX; i++) {
		struct tls_detail *d = &r->details[r->detail_count++];
		*d = *at;
		d->type = tally->notes[i].type;
		d->failed = tally->notes[i].failed;
		d->reason = kept(arena, tally->notes[i].reason);
		d->mx_hostname = kept(arena, at->mx_hostname);
		d->mx_helo = kept(arena, at->mx_helo);
	}
}
