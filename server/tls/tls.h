/* tls - the only door to OpenSSL's TLS: contexts, handshakes, facts about the peer.
 * It decides nothing (design.md 4.8). */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/arena.h"
#include "base/conn.h"
#include "base/err.h"

enum { TLS_NAME_MAX = 256 };

/* Certificates a listener serves. Immutable after tls_server_new; thread-safe;
 * reference-counted, so that a reload can replace it under running sessions. */
struct tls_server;

struct tls_server_options {
	const char *hostname;    /* served when SNI is missing or unknown */
	const char *min_version; /* "TLSv1.2" or "TLSv1.3" */
	const char *const *cert_files, *const *key_files; /* pairs, PEM, chain in the cert file */
	size_t pair_count;
	const char *self_signed_dir; /* if no pair: an ECDSA P-256 self-signed certificate for
				      * hostname is made here once (mode 0600) and used */
};

/* Errors name the file and what is wrong with it (missing, unreadable, key and
 * certificate do not match, expired is only a warning in the log). */
int tls_server_new(
	const struct tls_server_options *opt, struct tls_server **out, struct err *err) MUST_USE;
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_release(struct tls_server **s);

/* For the certificates page: leaf certificates served. */
struct tls_cert_info {
	char subject[256], issuer[256], names[512]; /* names: SANs, comma separated */
	char key_type[32];                          /* "ECDSA P-256", "RSA 2048" */
	char spki_sha256[65];                       /* hex */
	int64_t not_before_s, not_after_s;
	bool self_signed;
};
size_t tls_server_certs(const struct tls_server *s, struct tls_cert_info *out, size_t max);

/* What a finished handshake showed. */
struct tls_info {
	char version[16]; /* "TLSv1.3" */
	char cipher[64];  /* IANA name */
	char sni[TLS_NAME_MAX];
	char alpn[32];
	bool resumed;
};

/* Server handshake on c (input buffered before is thrown away by the caller, RFC 3207).
 * On success c is a TLS stream. On failure c can only be closed. */
int tls_accept(struct conn *c, struct tls_server *s, struct deadline d, struct tls_info *info,
	struct err *err) MUST_USE;

/* --- client --- */

/* Trust anchors and session cache for outgoing connections. Thread-safe. */
struct tls_client;
int tls_client_new(const char *const *ca_files, size_t ca_file_count, bool and_system,
	struct tls_client **out, struct err *err) MUST_USE;
void tls_client_free(struct tls_client **c);

enum tls_fact { TLS_FACT_OK, TLS_FACT_NO, TLS_FACT_NOT_TESTED };

/* What the peer showed. The handshake goes through whatever its certificate is;
 * tlspolicy_judge decides. */
struct tls_peer {
	struct tls_info info;
	enum tls_fact pkix;    /* chain and name valid by WebPKI */
	char pkix_error[256];  /* why not, in words */
	int pkix_code;         /* X509_V_ERR_*, 0 for ok */
	bool name_matches;     /* a SAN matches server_name */
	struct str *chain_der; /* as presented, leaf first; in the arena */
	size_t chain_count;
	char spki_sha256[65]; /* leaf, hex */
	int64_t leaf_not_after_s;
};

/* What tls_peer.pkix_code comes to, in the classes of RFC 8460 section 4.3. */
enum tls_pkix_class {
	TLS_PKIX_VALID,
	TLS_PKIX_NAME,      /* not for this host */
	TLS_PKIX_DATE,      /* expired or not yet valid */
	TLS_PKIX_UNTRUSTED, /* no chain to a trust anchor, or one that may not be used so */
	TLS_PKIX_OTHER
};
enum tls_pkix_class tls_pkix_class(int pkix_code);
/* "handshake failure" for 40; "unknown" for what no RFC names. Static text. */
const char *tls_alert_text(int alert);

struct tls_connect_options {
	const char *server_name; /* SNI and the name to match; NULL sends no SNI */
	const char *pkix_name;   /* the name to match when it is another; NULL: it is not */
	const char *alpn;        /* or NULL */
	bool reuse_session;      /* resume from and keep in the client's cache */
};

enum tls_failure { /* why a handshake failed, for RFC 8460 reasons */
	TLS_FAILURE_NONE,
	TLS_FAILURE_TIMEOUT,
	TLS_FAILURE_CLOSED,
	TLS_FAILURE_NOT_TLS,
	TLS_FAILURE_REMOTE_ALERT, /* alert has the number */
	TLS_FAILURE_LOCAL_ALERT,
	TLS_FAILURE_OTHER
};
struct tls_failure_info {
	enum tls_failure kind;
	int alert;
};

int tls_connect(struct conn *c, struct tls_client *client, const struct tls_connect_options *opt,
	struct deadline d, struct arena *arena, struct tls_peer *peer,
	struct tls_failure_info *failure, struct err *err) MUST_USE;

/* In TLS 1.3 a server judges what the client sent last (its certificate, or that it has none)
 * when the client's handshake is over; a "no" is an alert that the first read meets (RFC 8446
 * section 4.4.2.4). For a conn of tls_connect that failed: true when that is why, and no data
 * came before; failure has the alert. */
bool tls_refused_late(struct conn *c, struct tls_failure_info *failure);

/* What a handshake of another library showed. */
struct tls_watch {
	const char *server_name; /* set before: the name to match */
	bool started, done;      /* the handshake */
	bool verified;           /* a certificate was looked at: */
	int pkix_code;           /* as in tls_peer; not 0 ended the handshake */
	struct tls_failure_info failure;
};
/* Lends our trust anchors to an OpenSSL SSL_CTX, whose handshakes then fail unless the peer
 * is valid by WebPKI for watch->server_name. watch must outlive the context; one handshake
 * at a time. */
int tls_client_lend(struct tls_client *client, void *ssl_ctx, struct tls_watch *watch) MUST_USE;
const char *tls_pkix_text(int pkix_code); /* "certificate has expired"; static text */

bool tls_is_active(const struct conn *c);

/* --- keys --- */

enum tls_key_type { TLS_KEY_ECDSA_P256, TLS_KEY_RSA_2048 };
/* Writes a new PKCS#8 PEM private key, mode 0600, exclusive create. */
int tls_key_create(const char *file, enum tls_key_type type, struct err *err) MUST_USE;
/* Writes a self-signed certificate for NAMES valid for days; key_file must exist. */
int tls_cert_self_signed(const char *cert_file, const char *key_file, const char *const *names,
	size_t name_count, unsigned days, struct err *err) MUST_USE;

#endif
