#include "tests/unit/unit.h"

#include "policy/tlspolicy.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>

static const struct {
	enum store_tls_mode setting;
	struct tls_policy want;
} choose_cases[] = {
	{STORE_TLS_NONE,
		{.mode = TLS_MODE_SKIP, .verify_pkix = false, .plaintext_fallback = false}},
	{STORE_TLS_OPPORTUNISTIC,
		{.mode = TLS_MODE_OPPORTUNISTIC, .verify_pkix = false, .plaintext_fallback = true}},
	{STORE_TLS_REQUIRED,
		{.mode = TLS_MODE_STARTTLS, .verify_pkix = false, .plaintext_fallback = false}},
	{STORE_TLS_VERIFY,
		{.mode = TLS_MODE_STARTTLS, .verify_pkix = true, .plaintext_fallback = false}},
	{STORE_TLS_IMMEDIATE,
		{.mode = TLS_MODE_IMMEDIATE, .verify_pkix = true, .plaintext_fallback = false}},
	{(enum store_tls_mode)9, {.mode = TLS_MODE_STARTTLS,
					 .verify_pkix = true,
					 .plaintext_fallback = false}}, /* a broken row */
};

static void settings_become_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(choose_cases) / sizeof(choose_cases[0]); i++) {
		struct tls_policy got = tlspolicy_relay(choose_cases[i].setting);
		print_message("case %zu\n", i);
		assert_int_equal(got.mode, choose_cases[i].want.mode);
		assert_int_equal(got.verify_pkix, choose_cases[i].want.verify_pkix);
		assert_int_equal(got.plaintext_fallback, choose_cases[i].want.plaintext_fallback);
	}
	struct tls_policy direct = tlspolicy_direct();
	assert_int_equal(direct.mode, TLS_MODE_OPPORTUNISTIC);
	assert_false(direct.verify_pkix);
	assert_true(direct.plaintext_fallback);
}

/* --- every policy against everything that can be seen --- */

static const struct tls_peer peer_good = {.info = {.version = "TLSv1.3"}, .pkix = TLS_FACT_OK};
static const struct tls_peer peer_name = {.info = {.version = "TLSv1.3"},
	.pkix = TLS_FACT_NO,
	.pkix_code = X509_V_ERR_HOSTNAME_MISMATCH,
	.pkix_error = "certificate is not for a but for b"};
static const struct tls_peer peer_expired = {.info = {.version = "TLSv1.3"},
	.pkix = TLS_FACT_NO,
	.pkix_code = X509_V_ERR_CERT_HAS_EXPIRED,
	.pkix_error = "certificate has expired"};
static const struct tls_peer peer_self = {.info = {.version = "TLSv1.3"},
	.pkix = TLS_FACT_NO,
	.pkix_code = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	.pkix_error = "self-signed certificate"};
static const struct tls_peer peer_odd = {.info = {.version = "TLSv1.3"},
	.pkix = TLS_FACT_NO,
	.pkix_code = X509_V_ERR_UNSPECIFIED,
	.pkix_error = "unspecified"};
static const struct tls_peer peer_untested = {.info = {.version = "TLSv1.3"},
	.pkix = TLS_FACT_NOT_TESTED,
	.pkix_error = "no name to check"};

enum group { GROUP_TLS, GROUP_NOT_OFFERED, GROUP_REFUSED, GROUP_FAILED };

/* What is seen, what it is in RFC 8460, and words the text must have. */
static const struct {
	enum group group;
	struct tls_observation seen;
	enum tls_result_type type;
	const char *words;
} seen_cases[] = {
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true, .peer = &peer_good},
		TLS_RESULT_SUCCESS, "TLSv1.3, certificate verified"},
	{GROUP_TLS, {.handshake_done = true, .peer = &peer_good}, TLS_RESULT_SUCCESS, "verified"},
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true, .peer = &peer_name},
		TLS_RESULT_CERTIFICATE_HOST_MISMATCH, "not for a but for b"},
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true, .peer = &peer_expired},
		TLS_RESULT_CERTIFICATE_EXPIRED, "certificate has expired"},
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true, .peer = &peer_self},
		TLS_RESULT_CERTIFICATE_NOT_TRUSTED, "self-signed certificate"},
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true, .peer = &peer_odd},
		TLS_RESULT_VALIDATION_FAILURE, "unspecified"},
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true, .peer = &peer_untested},
		TLS_RESULT_VALIDATION_FAILURE, "no name to check"},
	{GROUP_TLS, {.starttls_offered = true, .handshake_done = true},
		TLS_RESULT_VALIDATION_FAILURE, "not checked"},
	{GROUP_NOT_OFFERED, {.starttls_offered = false}, TLS_RESULT_STARTTLS_NOT_SUPPORTED,
		"does not offer STARTTLS"},
	{GROUP_REFUSED, {.starttls_offered = true, .starttls_refused = true},
		TLS_RESULT_STARTTLS_NOT_SUPPORTED, "refuses STARTTLS"},
	{GROUP_REFUSED, {.starttls_refused = true}, TLS_RESULT_STARTTLS_NOT_SUPPORTED,
		"refuses STARTTLS"},
	{GROUP_FAILED, {.starttls_offered = true}, TLS_RESULT_VALIDATION_FAILURE,
		"did not take place"},
	{GROUP_FAILED, {.starttls_offered = true, .failure = {TLS_FAILURE_TIMEOUT, 0}},
		TLS_RESULT_VALIDATION_FAILURE, "timed out"},
	{GROUP_FAILED, {.starttls_offered = true, .failure = {TLS_FAILURE_CLOSED, 0}},
		TLS_RESULT_VALIDATION_FAILURE, "closed the connection"},
	{GROUP_FAILED, {.starttls_offered = true, .failure = {TLS_FAILURE_NOT_TLS, 0}},
		TLS_RESULT_VALIDATION_FAILURE, "does not speak TLS"},
	{GROUP_FAILED, {.starttls_offered = true, .failure = {TLS_FAILURE_REMOTE_ALERT, 40}},
		TLS_RESULT_VALIDATION_FAILURE, "the peer sent alert 40 (handshake failure)"},
	{GROUP_FAILED, {.starttls_offered = true, .failure = {TLS_FAILURE_LOCAL_ALERT, 70}},
		TLS_RESULT_VALIDATION_FAILURE, "we sent alert 70 (protocol version)"},
	{GROUP_FAILED, {.failure = {TLS_FAILURE_OTHER, 0}}, TLS_RESULT_VALIDATION_FAILURE,
		"it failed"},
};

/* What each kind of thing means for each mode: s = may send, p = try plaintext when the
 * policy has fall-back, else nothing. GROUP_TLS is decided by verify_pkix alone. */
static const char verdicts[][3] = {
	/* not offered, refused, failed */
	[TLS_MODE_SKIP] = {'s', 's', 's'},
	[TLS_MODE_OPPORTUNISTIC] = {'s', 'p', 'p'},
	[TLS_MODE_STARTTLS] = {'p', 'p', 'p'},
	[TLS_MODE_IMMEDIATE] = {'-', '-', '-'},
};

static void check(const struct tls_policy *policy, size_t i)
{
	const struct tls_observation *seen = &seen_cases[i].seen;
	enum group group = seen_cases[i].group;
	struct tls_outcome got;

	tlspolicy_judge(policy, seen, &got);
	if (policy->mode == TLS_MODE_SKIP) { /* nothing wanted, nothing judged */
		assert_int_equal(got.type, TLS_RESULT_SUCCESS);
		assert_true(got.may_send);
		assert_false(got.verified || got.try_plaintext);
		assert_string_equal(got.text, "plaintext");
		return;
	}
	if (group == GROUP_TLS) {
		bool good = seen->peer != NULL && seen->peer->pkix == TLS_FACT_OK;
		assert_int_equal(got.verified, good);
		assert_int_equal(got.may_send, good || !policy->verify_pkix);
		assert_false(got.try_plaintext); /* a bad certificate is no reason to show all */
	} else {
		char verdict = verdicts[policy->mode][group - GROUP_NOT_OFFERED];
		assert_false(got.verified);
		assert_int_equal(got.may_send, verdict == 's');
		assert_int_equal(got.try_plaintext, verdict == 'p' && policy->plaintext_fallback);
	}
	bool handshake_first =
		policy->mode == TLS_MODE_IMMEDIATE && group != GROUP_TLS && group != GROUP_FAILED;
	if (handshake_first) { /* what STARTTLS would do does not matter on such a port */
		assert_int_equal(got.type, TLS_RESULT_VALIDATION_FAILURE);
		return;
	}
	assert_int_equal(got.type, seen_cases[i].type);
	assert_non_null(strstr(got.text, seen_cases[i].words));
}

static void every_combination_is_judged(void **state)
{
	(void)state;
	for (int mode = TLS_MODE_SKIP; mode <= TLS_MODE_IMMEDIATE; mode++) {
		for (int flags = 0; flags < 4; flags++) {
			struct tls_policy policy = {.mode = (enum tls_mode)mode,
				.verify_pkix = (flags & 1) != 0,
				.plaintext_fallback = (flags & 2) != 0};
			print_message("mode %d, flags %d\n", mode, flags);
			for (size_t i = 0; i < sizeof(seen_cases) / sizeof(seen_cases[0]); i++)
				check(&policy, i);
		}
	}
}

static const struct {
	int code;
	enum tls_pkix_class want;
} class_cases[] = {
	{X509_V_OK, TLS_PKIX_VALID},
	{X509_V_ERR_HOSTNAME_MISMATCH, TLS_PKIX_NAME},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_PKIX_NAME},
	{X509_V_ERR_CERT_HAS_EXPIRED, TLS_PKIX_DATE},
	{X509_V_ERR_CERT_NOT_YET_VALID, TLS_PKIX_DATE},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_PKIX_UNTRUSTED},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_PKIX_UNTRUSTED},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_PKIX_UNTRUSTED},
	{X509_V_ERR_CERT_REVOKED, TLS_PKIX_UNTRUSTED},
	{X509_V_ERR_INVALID_PURPOSE, TLS_PKIX_UNTRUSTED},
	{X509_V_ERR_UNSPECIFIED, TLS_PKIX_OTHER},
	{X509_V_ERR_OUT_OF_MEM, TLS_PKIX_OTHER},
	{-1, TLS_PKIX_OTHER},
};

static void certificate_errors_have_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(class_cases) / sizeof(class_cases[0]); i++)
		assert_int_equal(tls_pkix_class(class_cases[i].code), class_cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_become_policies),
		cmocka_unit_test(every_combination_is_judged),
		cmocka_unit_test(certificate_errors_have_classes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
