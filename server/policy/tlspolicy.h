/* tlspolicy - which TLS a next hop must show, and whether what it showed will do (RFC 7672,
 * 8461, 8689), with the facts a TLS report wants (RFC 8460). Pure functions; smtp/client
 * collects what was seen (design.md 4.8). */
#ifndef POLICY_TLSPOLICY_H
#define POLICY_TLSPOLICY_H

#include "policy/dane.h"
#include "store/directory.h"
#include "tls/tls.h"

enum tls_mode { TLS_MODE_SKIP, TLS_MODE_OPPORTUNISTIC, TLS_MODE_STARTTLS, TLS_MODE_IMMEDIATE };

/* --- for reports --- */

/* RFC 8460 section 4.3 */
enum tls_result_type {
	TLS_RESULT_SUCCESS,
	TLS_RESULT_STARTTLS_NOT_SUPPORTED,
	TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
	TLS_RESULT_CERTIFICATE_EXPIRED,
	TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
	TLS_RESULT_VALIDATION_FAILURE,
	TLS_RESULT_TLSA_INVALID,
	TLS_RESULT_DNSSEC_INVALID,
	TLS_RESULT_DANE_REQUIRED,
	TLS_RESULT_STS_POLICY_FETCH_ERROR,
	TLS_RESULT_STS_POLICY_INVALID,
	TLS_RESULT_STS_WEBPKI_INVALID
};
/* "starttls-not-supported", ...; "" for success. Static text. */
const char *tls_result_type_text(enum tls_result_type t);

enum tls_policy_type { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA };
/* "no-policy-found", "sts", "tlsa" */
const char *tls_policy_type_text(enum tls_policy_type t);

enum { TLS_REASON_MAX = 100, TLS_NOTES_MAX = 4, TLS_DETAILS_MAX = 32 };

/* What one connection adds to one of the two results of spec 3.3. */
struct tls_note {
	enum tls_result_type type;
	unsigned failed; /* failed-session-count: 0 or 1 */
	char reason[TLS_REASON_MAX];
};
struct tls_tally {
	unsigned success, failure;
	struct tls_note notes[TLS_NOTES_MAX];
	size_t note_count;
};
/* More than TLS_NOTES_MAX are dropped. */
void tls_tally_note(
	struct tls_tally *t, enum tls_result_type type, unsigned failed, const char *reason);

void tls_tally_merge(struct tls_tally *to, const struct tls_tally *from);
/* Reason codes of spec 3.4. */
enum tls_result_type tls_pkix_result(int pkix_code, char reason[TLS_REASON_MAX]);
void tls_failure_reason(const struct tls_failure_info *failure, char out[TLS_REASON_MAX]);
/* "PREFIX-6-dnssec-bogus" */
void tls_ede_reason(char out[TLS_REASON_MAX], const char *prefix, int ede);

/* One failure-details entry; empty members are left out of a report. */
struct tls_detail {
	enum tls_result_type type;
	unsigned failed;
	const char *reason;
	struct ip sending_ip, receiving_ip; /* len 0: not known */
	const char *mx_hostname, *mx_helo;
};
/* The result of an attempt for one policy domain: the recipient's (MTA-STS or none) or that of
 * an MX host (TLSA or none). In an arena; queue gathers it and store keeps it. */
struct tls_result {
	enum tls_policy_type type;
	bool is_host;
	const char *domain;        /* policy-domain, A-labels */
	const struct str *strings; /* policy-string: TLSA records sorted, lines of the policy */
	size_t string_count;
	const struct str *mx; /* mx-host patterns of the MTA-STS policy */
	size_t mx_count;
	unsigned success, failure; /* sessions */
	struct tls_detail details[TLS_DETAILS_MAX];
	size_t detail_count;
};
/* Adds a connection's tally. at has the addresses and names for the details; its type, failed
 * and reason are not looked at. Strings are copied into the arena. */
void tls_result_add(struct arena *arena, struct tls_result *r, const struct tls_tally *tally,
	const struct tls_detail *at);

/* --- the policy --- */

enum tls_demand { /* what the message says, RFC 8689 */
	TLS_DEMAND_NONE,
	TLS_DEMAND_REQUIRED, /* REQUIRETLS */
	TLS_DEMAND_OPTIONAL  /* TLS-Required: No */
};

enum tls_override_kind { /* what the admin says of a destination */
	TLS_OVERRIDE_NONE,
	TLS_OVERRIDE_VERIFIED,  /* only over verified TLS: DANE, else WebPKI */
	TLS_OVERRIDE_PLAINTEXT, /* whatever the destination's policy asks */
	TLS_OVERRIDE_PIN        /* the key must be one of those pinned, besides its policies */
};
enum { TLS_PINS_MAX = 8, TLS_PIN_TEXT = 65 }; /* SHA-256 of the SPKI, hex */

/* Which rule made the policy what it is; the strongest one, for people. */
enum tls_rule {
	TLS_RULE_SETTING, /* of the relay or transport */
	TLS_RULE_OPPORTUNISTIC,
	TLS_RULE_DANE,
	TLS_RULE_DANE_UNUSABLE,
	TLS_RULE_MTASTS,
	TLS_RULE_DANE_MTASTS,
	TLS_RULE_OVERRIDE,
	TLS_RULE_TLS_OPTIONAL
};

/* Everything it points at is the caller's and lives as long as the connection is opened. */
struct tls_policy {
	enum tls_mode mode;
	bool verify_pkix;                /* a peer that fails WebPKI gets no mail */
	const struct dane_records *dane; /* NULL: DANE plays no part; none in it: never matches */
	struct dane_names names;         /* for DANE; names.list[0] is the SNI. None: host name */
	bool ignore_verify_errors;       /* noted, but mail is sent (TLS-Required: No) */
	bool requiretls;                 /* REQUIRETLS must be offered, over verified TLS */
	bool plaintext_fallback; /* after a failed handshake: once more without TLS (RFC 7435) */
	enum tls_override_kind override;
	const char (*pins)[TLS_PIN_TEXT];
	size_t pin_count;
	enum tls_rule rule;
};

/* The demand a relay's or transport's setting makes. */
struct tls_policy tlspolicy_relay(enum store_tls_mode setting);
/* Direct delivery to an MX without further demands: opportunistic, with fall-back. */
struct tls_policy tlspolicy_direct(void);

enum tls_sts { TLS_STS_NONE, TLS_STS_TESTING, TLS_STS_ENFORCE };

struct tls_choice_in { /* what is known of one MX host before it is connected to */
	const char *host;
	const struct dane_lookup *dane;
	struct dane_names names; /* when dane is usable or unusable */
	enum tls_sts sts;
	bool sts_mx_matches;
	enum tls_demand demand;
	bool no_fallback; /* DMARC reports never go in plaintext after a failure */
	enum tls_override_kind override;
	const char (*pins)[TLS_PIN_TEXT];
	size_t pin_count;
};
enum tls_choice {
	TLS_CHOICE_CONNECT,
	TLS_CHOICE_MX_NOT_LISTED,  /* MTA-STS enforce: this host is not in the policy */
	TLS_CHOICE_DANE_ERROR,     /* the TLSA answer could not be had */
	TLS_CHOICE_NO_VERIFIED_TLS /* REQUIRETLS, and no way to verify: 5.7.30 */
};
/* Which TLS the host must show (spec 4.3, 4.4). rcpt and host get what is to be reported of
 * the look-ups and the policy, before any connection. */
enum tls_choice tlspolicy_choose(const struct tls_choice_in *in, struct tls_policy *out,
	struct tls_tally *rcpt, struct tls_tally *host);

/* --- the judgement --- */

/* What was seen of the peer. */
struct tls_observation {
	bool starttls_offered, starttls_refused, handshake_done;
	int starttls_code; /* the reply when refused */
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
	bool verified;      /* by what the policy asked for, or WebPKI where it asked nothing */
	const struct dane_record *dane_record; /* that matched */
	struct tls_tally rcpt, host;           /* RFC 8460 facts of this connection, spec 3.3 */
	char text[300];                        /* for attempt rows and errors */
	/* Set by smtp_client_open, for the details of a report: */
	char helo[TLS_NAME_MAX];     /* first word of the greeting */
	struct ip local_ip, peer_ip; /* len 0: not known */
};

void tlspolicy_judge(const struct tls_policy *policy, const struct tls_observation *seen,
	struct tls_outcome *out);

#endif
