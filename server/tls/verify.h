/* verify - X.509 work on certificates in DER that a peer showed: chains to given anchors,
 * public keys (RFC 5280, 6698). No I/O. */
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include "tls/tls.h"

struct tls_verify_options {
	const struct str *chain; /* DER, leaf first; the others help to build the path */
	size_t chain_count;
	const struct str *anchors; /* DER; with roots NULL */
	size_t anchor_count;
	const struct tls_client *roots; /* its trust anchors instead */
	const char *const *names;       /* the leaf must be for one of them */
	size_t name_count;
	/* Or NULL: is told each certificate of the path that was found. */
	void (*built)(void *arg, struct str cert);
	void *built_arg;
};
/* Whether a path from the leaf to an anchor exists that is in date and for TLS servers. An
 * anchor need be no root; the leaf may be one itself. text: why not. */
bool tls_chain_verify(const struct tls_verify_options *o, char *text, size_t size);

/* Whether data is one whole certificate or SubjectPublicKeyInfo, and nothing else. */
bool tls_der_is_cert(struct str data);
bool tls_der_is_spki(struct str data);
/* The SubjectPublicKeyInfo of a certificate, both DER. Free with tls_der_free. */
bool tls_cert_spki(struct str cert, unsigned char **spki, size_t *len);
void tls_der_free(unsigned char *der);

/* What a PEM file has: the certificate, or the key alone (public, or private: its public
 * half). */
struct tls_pem {
	struct str cert; /* DER; empty when the file has a key */
	struct str spki;
};
int tls_pem_load(
	const char *file, struct arena *arena, struct tls_pem *out, struct err *err) MUST_USE;

#endif
