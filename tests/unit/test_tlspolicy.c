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

/* --- the choice: every combination of what is known of an MX host --- */

static const struct dane_record any_record = {.usage = DANE_EE, .selector = 1, .match = 1};
static const char pins[1][TLS_PIN_TEXT] = {"ab"};

static struct dane_lookup lookup_of(enum dane_status status, bool bogus)
{
	struct dane_lookup out = {.status = status, .base = "mx.example"};

	if (status == DANE_USABLE)
		out.records = (struct dane_records){&any_record, 1};
	out.trouble = (struct dns_trouble){.ede = -1};
	if (status == DANE_ERROR)
		out.trouble = (struct dns_trouble){
			.status = bogus ? DNS_BOGUS : DNS_TIMEOUT, .ede = bogus ? 7 : -1};
	return out;
}

/* What the rules say, written down once more in other words. */
static void choice_check(const struct tls_choice_in *in, bool bogus)
{
	struct tls_policy p;
	struct tls_tally rcpt, host;
	bool require = in->demand == TLS_DEMAND_REQUIRED;
	bool forced = in->override == TLS_OVERRIDE_VERIFIED || in->override == TLS_OVERRIDE_PIN;
	bool relaxed =
		!forced && !require &&
		(in->demand == TLS_DEMAND_OPTIONAL || in->override == TLS_OVERRIDE_PLAINTEXT);
	bool dane = in->dane->status == DANE_USABLE, unusable = in->dane->status == DANE_UNUSABLE;
	bool error = in->dane->status == DANE_ERROR, enforce = in->sts == TLS_STS_ENFORCE;
	bool mismatch = in->sts != TLS_STS_NONE && !in->sts_mx_matches;

	enum tls_choice got = tlspolicy_choose(in, &p, &rcpt, &host);
	if (mismatch) {
		assert_string_equal(rcpt.notes[0].reason, "mtasts-policy-mx-mismatch");
		assert_int_equal(rcpt.notes[0].failed, 0);
	}
	if (enforce && mismatch && !relaxed) {
		assert_int_equal(got, TLS_CHOICE_MX_NOT_LISTED);
		assert_int_equal(rcpt.failure, 1);
		return;
	}
	if (error) {
		assert_int_equal(host.notes[0].type,
			bogus ? TLS_RESULT_DNSSEC_INVALID : TLS_RESULT_TLSA_INVALID);
		assert_string_equal(host.notes[0].reason,
			bogus ? "extended-dns-error-7-signature-expired" : "");
		assert_int_equal(host.failure, bogus);
		assert_int_equal(rcpt.failure, bogus);
	}
	if (error && !relaxed) {
		assert_int_equal(got, TLS_CHOICE_DANE_ERROR);
		return;
	}
	if (require && !dane && !enforce && in->override != TLS_OVERRIDE_PIN) {
		assert_int_equal(got, TLS_CHOICE_NO_VERIFIED_TLS);
		return;
	}
	assert_int_equal(got, TLS_CHOICE_CONNECT);
	bool must = dane || unusable || enforce || forced;
	assert_int_equal(p.mode, must ? TLS_MODE_STARTTLS : TLS_MODE_OPPORTUNISTIC);
	assert_int_equal(p.dane != NULL, dane);
	assert_int_equal(
		p.verify_pkix, enforce || (in->override == TLS_OVERRIDE_VERIFIED && !dane));
	assert_int_equal(p.ignore_verify_errors, relaxed);
	assert_int_equal(p.requiretls, require);
	assert_int_equal(p.pin_count, in->override == TLS_OVERRIDE_PIN ? 1 : 0);
	assert_int_equal(p.plaintext_fallback, relaxed || (!must && !in->no_fallback));
	assert_int_equal(p.names.count, dane || unusable ? 1 : 0);
	if (unusable)
		assert_string_equal(host.notes[0].reason, "all-unusable-records+ignored");
	/* Never in plaintext when a usable record or an enforced policy exists and nobody said
	 * that it does not matter. */
	if ((dane || enforce) && !relaxed)
		assert_false(p.plaintext_fallback || p.mode == TLS_MODE_OPPORTUNISTIC);
}

static void every_choice_is_made(void **state)
{
	unsigned cases = 0;

	(void)state;
	for (unsigned i = 0; i < 5 * 2 * 3 * 2 * 3 * 4 * 2; i++) {
		unsigned n = i;
		enum dane_status status = (enum dane_status)(n % 5);
		n /= 5;
		bool bogus = n % 2;
		n /= 2;
		struct dane_lookup lookup = lookup_of(status, bogus);
		struct tls_choice_in in = {.host = "mx.example",
			.dane = &lookup,
			.names = {.list = {"mx.example"}, .count = 1},
			.pins = pins,
			.pin_count = 1};
		in.sts = (enum tls_sts)(n % 3);
		n /= 3;
		in.sts_mx_matches = n % 2;
		n /= 2;
		in.demand = (enum tls_demand)(n % 3);
		n /= 3;
		in.override = (enum tls_override_kind)(n % 4);
		n /= 4;
		in.no_fallback = n % 2;
		choice_check(&in, bogus);
		cases++;
	}
	assert_int_equal(cases, 1440);
}

/* --- the judgement with DANE, pins and "does not matter" --- */

static void verification_is_judged(void **state)
{
	struct dane_records none = {NULL, 0};
	static const char good_pin[1][TLS_PIN_TEXT] = {
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct tls_peer peer = peer_self;
	struct tls_outcome o;

	(void)state;
	memset(peer.spki_sha256, 'a', 64);
	struct tls_observation seen = {
		.starttls_offered = true, .handshake_done = true, .peer = &peer};
	struct tls_policy p = {.mode = TLS_MODE_STARTTLS, .dane = &none};
	tlspolicy_judge(&p, &seen, &o); /* no record matches */
	assert_false(o.may_send || o.verified || o.try_plaintext);
	assert_int_equal(o.host.failure, 1);
	assert_int_equal(o.rcpt.failure, 1);
	assert_string_equal(o.host.notes[0].reason, "dane-no-match+errors");
	assert_int_equal(o.rcpt.notes[0].type, TLS_RESULT_CERTIFICATE_NOT_TRUSTED);
	p.ignore_verify_errors = true;
	p.plaintext_fallback = true;
	tlspolicy_judge(&p, &seen, &o); /* noted, but it goes */
	assert_true(o.may_send && !o.verified);
	assert_int_equal(o.host.success, 1);
	assert_int_equal(o.host.note_count, 1);
	p = (struct tls_policy){.mode = TLS_MODE_STARTTLS, .pins = good_pin, .pin_count = 1};
	tlspolicy_judge(&p, &seen, &o);
	assert_true(o.may_send && o.verified);
	peer.spki_sha256[0] = 'b';
	tlspolicy_judge(&p, &seen, &o);
	assert_false(o.may_send || o.verified);
	assert_int_equal(o.rcpt.failure, 0); /* the pin is ours */
	p.ignore_verify_errors = true;
	tlspolicy_judge(&p, &seen, &o);
	assert_false(o.may_send); /* nor does a sender undo it */
	/* WebPKI is always looked at and reported, also where nothing asks for it. */
	p = tlspolicy_direct();
	tlspolicy_judge(&p, &seen, &o);
	assert_true(o.may_send);
	assert_int_equal(o.rcpt.success, 1);
	assert_int_equal(o.rcpt.notes[0].type, TLS_RESULT_CERTIFICATE_NOT_TRUSTED);
	assert_int_equal(o.host.success, 1);
	assert_int_equal(o.host.note_count, 0);
}

static const struct {
	struct tls_failure_info failure;
	const char *reason;
} reasons[] = {
	{{TLS_FAILURE_REMOTE_ALERT, 70}, "tls-remote-alert-70-protocol-version-not-supported"},
	{{TLS_FAILURE_REMOTE_ALERT, 48}, "tls-remote-alert-48-unknown-certificate-authority"},
	{{TLS_FAILURE_REMOTE_ALERT, 77}, "tls-remote-alert-77"},
	{{TLS_FAILURE_LOCAL_ALERT, 40}, "tls-local-alert-40-handshake-failure"},
	{{TLS_FAILURE_NOT_TLS, 0}, "tls-record-header-error"},
	{{TLS_FAILURE_TIMEOUT, 0}, "io-timeout-during-handshake"},
	{{TLS_FAILURE_CLOSED, 0}, "connection-closed-during-handshake"},
	{{TLS_FAILURE_OTHER, 0}, ""},
};

static const struct {
	int code;
	enum tls_result_type type;
	const char *reason;
} pkix_reasons[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, TLS_RESULT_CERTIFICATE_EXPIRED, ""},
	{X509_V_ERR_CERT_NOT_YET_VALID, TLS_RESULT_CERTIFICATE_EXPIRED, ""},
	{X509_V_ERR_HOSTNAME_MISMATCH, TLS_RESULT_CERTIFICATE_HOST_MISMATCH, ""},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_RESULT_CERTIFICATE_NOT_TRUSTED, ""},
	{X509_V_ERR_INVALID_CA, TLS_RESULT_CERTIFICATE_NOT_TRUSTED, "not-authorized-to-sign"},
	{X509_V_ERR_PATH_LENGTH_EXCEEDED, TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
		"too-many-intermediates"},
	{X509_V_ERR_INVALID_PURPOSE, TLS_RESULT_CERTIFICATE_NOT_TRUSTED, "incompatible-key-usage"},
	{X509_V_ERR_OUT_OF_MEM, TLS_RESULT_VALIDATION_FAILURE,
		"unknown-certificate-verification-error"},
};

static void reasons_are_those_of_the_report(void **state)
{
	char reason[TLS_REASON_MAX];
	struct tls_tally t = {.success = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		tls_failure_reason(&reasons[i].failure, reason);
		assert_string_equal(reason, reasons[i].reason);
	}
	for (size_t i = 0; i < sizeof(pkix_reasons) / sizeof(pkix_reasons[0]); i++) {
		assert_int_equal(
			tls_pkix_result(pkix_reasons[i].code, reason), pkix_reasons[i].type);
		assert_string_equal(reason, pkix_reasons[i].reason);
	}
	for (int i = 0; i < TLS_NOTES_MAX + 3; i++) /* beyond the cap */
		tls_tally_note(&t, TLS_RESULT_VALIDATION_FAILURE, 1, "x");
	assert_int_equal(t.note_count, TLS_NOTES_MAX);
	struct arena *a = arena_open();
	struct tls_result *r = arena_alloc(a, sizeof(*r));
	for (int i = 0; i < TLS_DETAILS_MAX; i++)
		tls_result_add(a, r, &t, &(struct tls_detail){.mx_hostname = "mx"});
	assert_int_equal(r->detail_count, TLS_DETAILS_MAX);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_become_policies),
		cmocka_unit_test(every_combination_is_judged),
		cmocka_unit_test(certificate_errors_have_classes),
		cmocka_unit_test(every_choice_is_made),
		cmocka_unit_test(verification_is_judged),
		cmocka_unit_test(reasons_are_those_of_the_report),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
