/* Keys: PEM and DNS in and out, and the two operations. RSA by RFC 8301, Ed25519 by 8463. */
#include "auth/dkim_priv.h"

#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { ED25519_OCTETS = 32, PEM_MAX = 64 * 1024, SIGNATURE_MAX = DKIM_RSA_BITS_MAX / 8 };

struct dkim_key {
	_Atomic int refs;
	enum dkim_key_type type;
	unsigned bits;
	EVP_PKEY *pkey;
};

struct dkim_key *dkim_key_ref(struct dkim_key *k)
{
	atomic_fetch_add(&k->refs, 1);
	return k;
}

void dkim_key_free(struct dkim_key **k)
{
	if (*k != NULL && atomic_fetch_sub(&(*k)->refs, 1) == 1) {
		EVP_PKEY_free((*k)->pkey);
		free(*k);
	}
	*k = NULL;
}

enum dkim_key_type dkim_key_type(const struct dkim_key *k)
{
	return k->type;
}

unsigned dkim_key_bits(const struct dkim_key *k)
{
	return k->bits;
}

const char *dkim_key_type_text(enum dkim_key_type type)
{
	return type == DKIM_ED25519 ? "ed25519" : "rsa";
}

static int library_error(struct err *err, const char *what)
{
	char text[200];
	unsigned long code = ERR_peek_last_error();

	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(err, ERR_BUG, "%s: %s", what, code ? text : "failed");
}

/* Takes pkey over; checks kind and size. */
static int key_make(EVP_PKEY *pkey, struct dkim_key **out, struct err *err)
{
	struct dkim_key *k;
	int id = EVP_PKEY_base_id(pkey), bits = EVP_PKEY_bits(pkey);

	*out = NULL;
	if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519) {
		const char *name = EVP_PKEY_get0_type_name(pkey);
		(void)err_set(err, ERR_PERM, "the key is %s; DKIM has RSA and Ed25519",
			name ? name : "of an unknown kind");
	} else if (id == EVP_PKEY_RSA && bits < DKIM_RSA_BITS_MIN) {
		(void)err_set(err, ERR_PERM, "the RSA key has %d bits, too few: at least %d count",
			bits, DKIM_RSA_BITS_MIN);
	} else if (id == EVP_PKEY_RSA && bits > DKIM_RSA_BITS_MAX) {
		(void)err_set(err, ERR_PERM, "the RSA key has %d bits; over %d are refused", bits,
			DKIM_RSA_BITS_MAX);
	} else {
		k = mem_alloc(sizeof(*k));
		k->refs = 1;
		k->type = id == EVP_PKEY_RSA ? DKIM_RSA : DKIM_ED25519;
		k->bits = id == EVP_PKEY_RSA ? (unsigned)bits : 256;
		k->pkey = pkey;
		*out = k;
		return 0;
	}
	EVP_PKEY_free(pkey);
	return -1;
}

/* Encrypted keys are not asked about on the terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

int dkim_key_read(struct str pem, struct dkim_key **out, struct err *err)
{
	EVP_PKEY *pkey = NULL;
	BIO *bio;

	*out = NULL;
	if (pem.len > PEM_MAX)
		return err_set(err, ERR_PERM, "too long for a key in PEM");
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (pkey != NULL)
		return key_make(pkey, out, err);
	if (str_find(pem, STR("ENCRYPTED")) != NULL)
		return err_set(
			err, ERR_PERM, "the key is encrypted; it has to be without password");
	if (str_find(pem, STR("PUBLIC KEY")) != NULL)
		return err_set(err, ERR_PERM, "this is a public key; the private key is needed");
	return err_set(err, ERR_PERM, "no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")");
}

int dkim_key_generate(
	enum dkim_key_type type, unsigned bits, struct dkim_key **out, struct err *err)
{
	EVP_PKEY *pkey;

	*out = NULL;
	if (type == DKIM_RSA && (bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX))
		return err_set(err, ERR_PERM, "an RSA key has %d to %d bits here",
			DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX);
	pkey = type == DKIM_RSA ? EVP_RSA_gen(bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (pkey == NULL)
		return library_error(err, "make a key");
	return key_make(pkey, out, err);
}

int dkim_key_write(const struct dkim_key *k, struct buf *out, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	if (bio != NULL &&
		PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1)
		n = BIO_get_mem_data(bio, &p);
	if (n > 0)
		buf_raw(out, (struct str){p, (size_t)n});
	BIO_free(bio);
	return n > 0 ? 0 : library_error(err, "write the key as PEM");
}

struct str dkim_key_public(const struct dkim_key *k, struct arena *arena)
{
	unsigned char raw[ED25519_OCTETS], *der = NULL;
	size_t raw_len = sizeof(raw);
	struct buf b = {NULL, 0, 0};

	if (k->type == DKIM_ED25519) {
		if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &raw_len) == 1)
			buf_base64(&b, raw, raw_len);
	} else {
		int n = i2d_PUBKEY(k->pkey, &der);
		if (n > 0)
			buf_base64(&b, der, (size_t)n);
		OPENSSL_free(der);
	}
	struct str out = arena_str(arena, buf_str(&b));
	buf_free(&b);
	return out;
}

/* --- RSA public keys, by hand: OpenSSL 3.0's decoders take several times as long as the
 * verification itself.
 *
 *	SubjectPublicKeyInfo = SEQUENCE { SEQUENCE { OID rsaEncryption, NULL }, BIT STRING }
 *	RSAPublicKey = SEQUENCE { INTEGER n, INTEGER e }                          RFC 8017 A.1.1
 */

/* The next element of that tag; false when it is not DER of definite, minimal length. */
static bool der_next(struct str *rest, unsigned char tag, struct str *out)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t len, head = 2;

	if (rest->len < 2 || p[0] != tag)
		return false;
	len = p[1];
	if (len > 0x80) {
		size_t octets = len & 0x7f;
		if (octets > 2 || rest->len < 2 + octets || p[2] == 0)
			return false;
		len = 0;
		for (size_t i = 0; i < octets; i++)
			len = len << 8 | p[2 + i];
		if (len < 0x80 || (octets == 2 && len < 0x100))
			return false;
		head += octets;
	} else if (len == 0x80) {
		return false;
	}
	if (rest->len - head < len)
		return false;
	*out = (struct str){rest->p + head, len};
	*rest = str_skip(*rest, head + len);
	return true;
}

/* A positive integer without needless zeros. */
static bool der_integer(struct str *rest, struct str *out)
{
	if (!der_next(rest, 0x02, out) || out->len == 0 || (unsigned char)out->p[0] >= 0x80)
		return false;
	if (out->p[0] == 0) {
		*out = str_skip(*out, 1);
		return out->len > 0 && (unsigned char)out->p[0] >= 0x80;
	}
	return true;
}

static bool rsa_numbers(struct str der, struct str *n, struct str *e)
{
	static const char rsa_oid[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
	struct str outer, inner, bits;

	if (!der_next(&der, 0x30, &outer) || der.len > 0)
		return false;
	if (outer.len > 0 && outer.p[0] == 0x30) {
		if (!der_next(&outer, 0x30, &inner) ||
			!str_eq(inner, (struct str){rsa_oid, sizeof(rsa_oid) - 1}) ||
			!der_next(&outer, 0x03, &bits) || outer.len > 0 || bits.len == 0 ||
			bits.p[0] != 0)
			return false;
		bits = str_skip(bits, 1);
		if (!der_next(&bits, 0x30, &outer) || bits.len > 0)
			return false;
	}
	return der_integer(&outer, n) && der_integer(&outer, e) && outer.len == 0;
}

static EVP_PKEY *rsa_from_numbers(struct str n, struct str e)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *bn = BN_bin2bn((const unsigned char *)n.p, (int)n.len, NULL);
	BIGNUM *be = BN_bin2bn((const unsigned char *)e.p, (int)e.len, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *out = NULL;

	if (build != NULL && bn != NULL && be != NULL && ctx != NULL &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)!EVP_PKEY_fromdata(ctx, &out, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(bn);
	BN_free(be);
	return out;
}

int dkim_key_public_read(
	enum dkim_key_type type, struct str der, struct dkim_key **out, struct err *err)
{
	enum { EXPONENT_MAX = 8, MODULUS_MAX = 2 * DKIM_RSA_BITS_MAX / 8 };
	EVP_PKEY *pkey = NULL;
	struct str n, e;

	*out = NULL;
	if (type == DKIM_ED25519) {
		if (der.len != ED25519_OCTETS)
			return err_set(err, ERR_PERM,
				"an Ed25519 key has 32 octets, the record's has %zu", der.len);
		pkey = EVP_PKEY_new_raw_public_key(
			EVP_PKEY_ED25519, NULL, (const unsigned char *)der.p, der.len);
	} else {
		if (!rsa_numbers(der, &n, &e))
			return err_set(err, ERR_PERM, "the record's p= is no RSA public key");
		if (n.len > MODULUS_MAX || e.len > EXPONENT_MAX)
			return err_set(err, ERR_PERM, "the RSA key is too large");
		pkey = rsa_from_numbers(n, e);
	}
	if (pkey == NULL) {
		ERR_clear_error();
		return err_set(err, ERR_PERM, "the record's p= is no %s public key",
			dkim_key_type_text(type));
	}
	return key_make(pkey, out, err);
}

static bool rsa_verify(const struct dkim_key *k, const unsigned char *hash, struct str sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		  EVP_PKEY_verify(ctx, (const unsigned char *)sig.p, sig.len, hash, DKIM_HASH) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool ed25519_verify(const struct dkim_key *k, const unsigned char *hash, struct str sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok =
		ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
		EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.len, hash, DKIM_HASH) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

bool dkim_key_verify(const struct dkim_key *k, const unsigned char hash[DKIM_HASH], struct str sig)
{
	bool ok = k->type == DKIM_RSA ? rsa_verify(k, hash, sig) : ed25519_verify(k, hash, sig);

	ERR_clear_error();
	return ok;
}

static bool rsa_sign(
	const struct dkim_key *k, const unsigned char *hash, unsigned char *out, size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		  EVP_PKEY_sign(ctx, out, len, hash, DKIM_HASH) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool ed25519_sign(
	const struct dkim_key *k, const unsigned char *hash, unsigned char *out, size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
		  EVP_DigestSign(ctx, out, len, hash, DKIM_HASH) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

int dkim_key_sign(struct arena *a, const struct dkim_key *k, const unsigned char hash[DKIM_HASH],
	struct str *sig, struct err *err)
{
	unsigned char out[SIGNATURE_MAX];
	size_t len = sizeof(out);
	bool ok = k->type == DKIM_RSA ? rsa_sign(k, hash, out, &len)
				      : ed25519_sign(k, hash, out, &len);

	if (!ok)
		return library_error(err, "DKIM signature");
	*sig = arena_str(a, (struct str){(const char *)out, len});
	return 0;
}
