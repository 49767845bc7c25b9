/* tls/internal - what the files of this folder share. */
#ifndef TLS_INTERNAL_H
#define TLS_INTERNAL_H

#include "tls/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

/* --- stream.c: a TLS stream over a conn --- */

struct tls_session_cache;

struct tls_stream {
	SSL *ssl;
	struct conn *c;
	bool handshaken, closing, eof;
	unsigned char *held; /* a ticket that waits for the next write */
	size_t held_len;
	int io_errno;           /* of the last failed receive or send, 0 for none */
	unsigned char first[2]; /* the first octets the peer sent: do they look like TLS? */
	unsigned first_len;
	int alert_sent;                  /* fatal alert of ours, -1 for none */
	int alert_received;              /* fatal alert of the peer after the handshake, or -1 */
	bool data_received;              /* of the layer above */
	struct tls_session_cache *cache; /* where new sessions go, or NULL; a reference */
	char *cache_key;
};

/* Makes a stream for c from ctx. The layer is not set yet. */
struct tls_stream *tls_stream_new(SSL_CTX *ctx, struct conn *c);
/* Runs the handshake (SSL_set_accept_state or _connect_state was called). On success c
 * has the layer and owns st; on failure st is still the caller's. */
int tls_stream_handshake(struct tls_stream *st, struct deadline d, struct tls_failure_info *failure,
	struct err *err) MUST_USE;
void tls_stream_free(struct tls_stream *st);
void tls_stream_info(const struct tls_stream *st, struct tls_info *info);

/* --- client.c --- */

/* A SAN of the certificate is for that host name or address. */
bool tls_cert_matches(X509 *leaf, const char *name);

void tls_session_cache_release(struct tls_session_cache *cache);
/* Its trust anchors; still the client's. */
X509_STORE *tls_client_roots(const struct tls_client *c);

enum { TLS_DER_MAX = 64 * 1024 }; /* octets of a certificate or key from outside */

/* --- cert.c --- */

struct tls_pair {
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf */
	EVP_PKEY *key;
};

int tls_pair_load(const char *cert_file, const char *key_file, struct tls_pair *out,
	struct err *err) MUST_USE;
void tls_pair_free(struct tls_pair *pair);
int tls_key_load(const char *file, EVP_PKEY **out, struct err *err) MUST_USE;
int tls_cert_load(const char *file, X509 **leaf, STACK_OF(X509) * *chain, struct err *err) MUST_USE;

enum { TLS_CERT_NAMES_MAX = 1000 };
struct tls_cert_name {
	char text[TLS_NAME_MAX]; /* lower case; IP addresses as text */
};
/* SANs, or the common name when there are none; at most TLS_CERT_NAMES_MAX. *names is
 * malloc'ed when the count is not 0. */
size_t tls_cert_names(X509 *x, struct tls_cert_name **names);
void tls_cert_describe(X509 *x, struct tls_cert_info *out);
void tls_cert_spki_sha256(X509 *x, char out[65]);
int64_t tls_cert_time(const ASN1_TIME *t);

/* The reason of the last OpenSSL error, which is then forgotten. Static text. */
const char *tls_error_reason(void);

#endif
