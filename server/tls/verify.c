#include "tls/verify.h"

#include "tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static X509 *der_cert(struct str data)
{
	const unsigned char *p = (const unsigned char *)data.p;
	X509 *x =
		data.len > 0 && data.len <= TLS_DER_MAX ? d2i_X509(NULL, &p, (long)data.len) : NULL;

	if (x != NULL && p != (const unsigned char *)data.p + data.len) {
		X509_free(x);
		x = NULL;
	}
	ERR_clear_error();
	return x;
}

bool tls_der_is_cert(struct str data)
{
	X509 *x = der_cert(data);

	X509_free(x);
	return x != NULL;
}

bool tls_der_is_spki(struct str data)
{
	const unsigned char *p = (const unsigned char *)data.p;
	EVP_PKEY *key = data.len > 0 && data.len <= TLS_DER_MAX
				? d2i_PUBKEY(NULL, &p, (long)data.len)
				: NULL;
	bool whole = key != NULL && p == (const unsigned char *)data.p + data.len;

	EVP_PKEY_free(key);
	ERR_clear_error();
	return whole;
}

bool tls_cert_spki(struct str cert, unsigned char **spki, size_t *len)
{
	X509 *x = der_cert(cert);

	*spki = NULL;
	*len = 0;
	if (x == NULL)
		return false;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), spki);
	X509_free(x);
	if (n <= 0)
		return false;
	*len = (size_t)n;
	return true;
}

void tls_der_free(unsigned char *der)
{
	OPENSSL_free(der);
}

/* --- chains --- */

static int stack_push(STACK_OF(X509) * stack, struct str der)
{
	X509 *x = der_cert(der);

	if (x == NULL)
		return 0;
	if (sk_X509_push(stack, x) == 0)
		abort(); /* out of memory */
	return 1;
}

static X509_STORE *store_of(const struct tls_verify_options *o)
{
	if (o->roots != NULL) {
		X509_STORE *roots = tls_client_roots(o->roots);
		X509_STORE_up_ref(roots);
		return roots;
	}
	X509_STORE *store = X509_STORE_new();
	if (store == NULL)
		abort();
	for (size_t i = 0; i < o->anchor_count; i++) {
		X509 *x = der_cert(o->anchors[i]);
		if (x != NULL)
			(void)!X509_STORE_add_cert(store, x);
		X509_free(x);
	}
	ERR_clear_error();
	return store;
}

/* One try. The names are all set: one that fits is enough. */
static bool path_find(const struct tls_verify_options *o, X509_STORE *store, X509 *leaf,
	STACK_OF(X509) * others, char *text, size_t size)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = false;

	if (ctx == NULL || X509_STORE_CTX_init(ctx, store, leaf, others) != 1)
		abort();
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(p, (time_t)clock_unix_s());
	(void)X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	(void)X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_hostflags(
		p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	for (size_t i = 0; i < o->name_count; i++)
		(void)!X509_VERIFY_PARAM_add1_host(p, o->names[i], 0);
	ok = X509_verify_cert(ctx) == 1;
	if (!ok)
		snprintf(text, size, "%s",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
	for (int i = 0; ok && o->built != NULL && i < sk_X509_num(path); i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(sk_X509_value(path, i), &der);
		if (len > 0)
			o->built(o->built_arg, (struct str){(const char *)der, (size_t)len});
		OPENSSL_free(der);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

bool tls_chain_verify(const struct tls_verify_options *o, char *text, size_t size)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *leaf = o->chain_count > 0 ? der_cert(o->chain[0]) : NULL;
	bool ok = false;

	if (size > 0)
		text[0] = '\0';
	if (others == NULL)
		abort();
	for (size_t i = 1; i < o->chain_count; i++)
		(void)stack_push(others, o->chain[i]);
	if (leaf == NULL) {
		snprintf(text, size, "the certificate cannot be read");
	} else if (o->name_count == 0) {
		snprintf(text, size, "there is no name to check it for");
	} else {
		X509_STORE *store = store_of(o);
		ok = path_find(o, store, leaf, others, text, size);
		X509_STORE_free(store);
	}
	X509_free(leaf);
	sk_X509_pop_free(others, X509_free);
	return ok;
}

/* --- files --- */

static struct str der_keep(struct arena *arena, unsigned char *der, int len)
{
	struct str out = {"", 0};

	if (len > 0)
		out = arena_str(arena, (struct str){(const char *)der, (size_t)len});
	OPENSSL_free(der);
	return out;
}

static void cert_take(X509 *x, struct arena *arena, struct tls_pem *out)
{
	unsigned char *cert = NULL, *spki = NULL;
	int cert_len = i2d_X509(x, &cert);
	int spki_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);

	out->cert = der_keep(arena, cert, cert_len);
	out->spki = der_keep(arena, spki, spki_len);
	X509_free(x);
}

static void key_take(EVP_PKEY *key, struct arena *arena, struct tls_pem *out)
{
	unsigned char *spki = NULL;
	int len = i2d_PUBKEY(key, &spki);

	out->spki = der_keep(arena, spki, len);
	EVP_PKEY_free(key);
}

static int no_password(char *out, int size, int rwflag, void *arg)
{
	(void)out;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

int tls_pem_load(const char *file, struct arena *arena, struct tls_pem *out, struct err *err)
{
	FILE *f = fopen(file, "re");
	X509 *x = NULL;
	EVP_PKEY *key = NULL;

	*out = (struct tls_pem){{"", 0}, {"", 0}};
	if (f == NULL)
		return err_set(err, ERR_PERM, "%s: %s", file, strerror(errno));
	ERR_clear_error();
	if ((x = PEM_read_X509(f, NULL, no_password, NULL)) != NULL) {
		cert_take(x, arena, out);
	} else {
		rewind(f);
		key = PEM_read_PUBKEY(f, NULL, no_password, NULL);
		if (key == NULL) {
			rewind(f);
			key = PEM_read_PrivateKey(f, NULL, no_password, NULL);
		}
		if (key != NULL)
			key_take(key, arena, out);
	}
	fclose(f);
	ERR_clear_error();
	if (out->spki.len == 0)
		return err_set(err, ERR_PERM,
			"%s: neither a certificate nor a key in PEM form (keys with a passphrase "
			"cannot be read)",
			file);
	return 0;
}
