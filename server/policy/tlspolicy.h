/* tlspolicy - which TLS a next hop must show, and whether what it showed will do. Pure
 * functions; smtp/client collects the facts (design.md 4.8). DANE, MTA-STS and REQUIRETLS
 * join here later; today the demand comes from the relay or transport setting. */
#ifndef POLICY_TLSPOLICY_H
#define POLICY_TLSPOLICY_H

#include "store/directory.h"
#include "tls/tls.h"

enum tls_mode { TLS_MODE_SKIP, TLS_MODE_OPPORTUNISTIC, TLS_MODE_STARTTLS, TLS_MODE_IMMEDIATE };

/* RFC 8460 section 4.3 */
enum tls_result_type {
	TLS_RESULT_SUCCESS,
	TLS_RESULT_STARTTLS_NOT_SUPPORTED,
	TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
	TLS_RESULT_CERTIFICATE_EXPIRED,
	TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
	TLS_RESULT_VALIDATION_FAILURE
};

struct tls_policy {
	enum tls_mode mode;
	bool verify_pkix;        /* a peer that fails WebPKI gets no mail */
	bool plaintext_fallback; /* after a failed handshake: once more without TLS (RFC 7435) */
};

/* What was seen of the peer. */
struct tls_observation {
	bool starttls_offered, starttls_refused, handshake_done;
	struct tls_failure_info failure;
	const struct tls_peer *peer; /* when handshake_done */
};

struct tls_outcome {
	/* What there is to report, also where policy does not mind: an unverified
	 * certificate keeps its reason though may_send is true. SUCCESS with
	 * TLS_MODE_SKIP: nothing was wanted, there is nothing to report. */
	enum tls_result_type type;
	bool may_send;      /* on this connection, as it is now */
	bool try_plaintext; /* reconnect with TLS_MODE_SKIP */
	bool verified;
	char text[300]; /* for attempt rows and errors */
};

struct tls_policy tlspolicy_choose(enum store_tls_mode setting);
/* Direct delivery to an MX without further demands: opportunistic, with fall-back. */
struct tls_policy tlspolicy_direct(void);
void tlspolicy_judge(const struct tls_policy *policy, const struct tls_observation *seen,
	struct tls_outcome *out);

#endif
