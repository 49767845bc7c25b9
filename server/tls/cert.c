#include "tls/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *tls_error_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text != NULL ? text : "unknown failure";
}

static int password_none(char *out, int size, int rwflag, void *seen)
{
	(void)rwflag;
	if (size > 0)
		out[0] = '\0';
	*(bool *)seen = true;
	return -1;
}

static int file_open(const char *what, const char *file, FILE **out, struct err *err)
{
	*out = fopen(file, "re");
	if (*out == NULL)
		return err_set(err, ERR_PERM, "%s %s: %s", what, file, strerror(errno));
	return 0;
}

int tls_key_load(const char *file, EVP_PKEY **out, struct err *err)
{
	FILE *f;
	bool encrypted = false;

	*out = NULL;
	if (file_open("private key", file, &f, err) < 0)
		return -1;
	ERR_clear_error();
	*out = PEM_read_PrivateKey(f, NULL, password_none, &encrypted);
	fclose(f);
	if (*out != NULL)
		return 0;
	if (encrypted)
		return err_set(err, ERR_PERM,
			"private key %s: is encrypted with a passphrase; mox needs it without",
			file);
	return err_set(
		err, ERR_PERM, "private key %s: no usable PEM key (%s)", file, tls_error_reason());
}

int tls_cert_load(const char *file, X509 **leaf, STACK_OF(X509) * *chain, struct err *err)
{
	FILE *f;
	bool encrypted = false;

	*chain = NULL;
	*leaf = NULL;
	if (file_open("certificate", file, &f, err) < 0)
		return -1;
	ERR_clear_error();
	*leaf = PEM_read_X509(f, NULL, password_none, &encrypted);
	if (*leaf == NULL) {
		fclose(f);
		return err_set(err, ERR_PERM, "certificate %s: no usable PEM certificate (%s)",
			file, tls_error_reason());
	}
	*chain = sk_X509_new_null();
	for (X509 *x; (x = PEM_read_X509(f, NULL, password_none, &encrypted)) != NULL;) {
		if (sk_X509_push(*chain, x) == 0)
			abort(); /* out of memory */
	}
	fclose(f);
	unsigned long code = ERR_peek_last_error();
	bool at_end =
		ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
	if (!at_end) {
		X509_free(*leaf);
		sk_X509_pop_free(*chain, X509_free);
		*leaf = NULL;
		*chain = NULL;
		return err_set(err, ERR_PERM,
			"certificate %s: a certificate after the first cannot be read (%s)", file,
			tls_error_reason());
	}
	ERR_clear_error();
	return 0;
}

int tls_pair_load(
	const char *cert_file, const char *key_file, struct tls_pair *out, struct err *err)
{
	*out = (struct tls_pair){NULL, NULL, NULL};
	if (tls_cert_load(cert_file, &out->leaf, &out->chain, err) < 0 ||
		tls_key_load(key_file, &out->key, err) < 0)
		goto fail;
	if (X509_check_private_key(out->leaf, out->key) != 1) {
		ERR_clear_error();
		err_set(err, ERR_PERM, "private key %s does not belong to certificate %s", key_file,
			cert_file);
		goto fail;
	}
	return 0;
fail:
	tls_pair_free(out);
	return -1;
}

void tls_pair_free(struct tls_pair *pair)
{
	X509_free(pair->leaf);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	*pair = (struct tls_pair){NULL, NULL, NULL};
}

/* --- what a certificate says --- */

/* Text from a certificate goes to pages and logs: controls are not let through. */
static bool name_put(struct tls_cert_name *to, const unsigned char *data, int len)
{
	if (len <= 0 || !str_copy(to->text, sizeof(to->text),
				(struct str){(const char *)data, (size_t)len}))
		return false;
	for (int i = 0; i < len; i++) {
		if (data[i] <= ' ' || data[i] > '~')
			return false;
	}
	str_lower(to->text, (size_t)len);
	return true;
}

static bool san_put(struct tls_cert_name *to, const GENERAL_NAME *san)
{
	int kind;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(san, &kind);

	if (kind == GEN_DNS)
		return name_put(to, ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
	if (kind == GEN_IPADD) {
		struct ip ip = {.len = 0};
		int len = ASN1_STRING_length(value);
		if (len != 4 && len != 16)
			return false;
		memcpy(ip.bytes, ASN1_STRING_get0_data(value), (size_t)len);
		ip.len = (unsigned char)len;
		ip_text(&ip, to->text);
		return true;
	}
	return false;
}

size_t tls_cert_names(X509 *x, struct tls_cert_name **names)
{
	GENERAL_NAMES *sans = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int total = sans ? sk_GENERAL_NAME_num(sans) : 1;
	size_t count = 0;

	if (total > TLS_CERT_NAMES_MAX)
		total = TLS_CERT_NAMES_MAX;
	*names = mem_alloc((size_t)(total > 0 ? total : 1) * sizeof(**names));
	for (int i = 0; sans != NULL && i < total; i++) {
		if (san_put(&(*names)[count], sk_GENERAL_NAME_value(sans, i)))
			count++;
	}
	if (sans == NULL) {
		X509_NAME *subject = X509_get_subject_name(x);
		int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
		const X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(subject, at);
		const ASN1_STRING *cn = entry ? X509_NAME_ENTRY_get_data(entry) : NULL;
		if (cn != NULL &&
			name_put(*names, ASN1_STRING_get0_data(cn), ASN1_STRING_length(cn)))
			count = 1;
	}
	GENERAL_NAMES_free(sans);
	if (count == 0) {
		free(*names);
		*names = NULL;
	}
	return count;
}

int64_t tls_cert_time(const ASN1_TIME *t)
{
	struct tm tm = {.tm_sec = 0};

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return timegm(&tm);
}

static void key_type_text(X509 *x, char *out, size_t size)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	char curve[64] = "";
	const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL;

	if (key == NULL)
		snprintf(out, size, "unknown");
	else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
		 EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1) {
		static const char *const nist[][2] = {
			{"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"}};
		const char *name = curve;
		for (size_t i = 0; i < sizeof(nist) / sizeof(nist[0]); i++) {
			if (strcmp(curve, nist[i][0]) == 0)
				name = nist[i][1];
		}
		snprintf(out, size, "ECDSA %.24s", name);
	} else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		snprintf(out, size, "RSA %d", EVP_PKEY_get_bits(key));
	else
		snprintf(out, size, "%s", type ? type : "unknown");
}

void tls_cert_spki_sha256(X509 *x, char out[65])
{
	unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH];
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	out[0] = '\0';
	if (len <= 0)
		return;
	SHA256(der, (size_t)len, digest);
	OPENSSL_free(der);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void subject_text(X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;

	out[0] = '\0';
	/* RFC 2253 form with every control and 8-bit octet escaped. */
	if (bio != NULL && X509_NAME_print_ex(bio, name, 0,
				   XN_FLAG_ONELINE & ~ASN1_STRFLGS_UTF8_CONVERT) >= 0) {
		long len = BIO_get_mem_data(bio, &p);
		snprintf(out, size, "%.*s", (int)len, p ? p : "");
	}
	BIO_free(bio);
}

void tls_cert_describe(X509 *x, struct tls_cert_info *out)
{
	struct tls_cert_name *names = NULL;
	size_t count = tls_cert_names(x, &names), at = 0;

	*out = (struct tls_cert_info){.not_before_s = tls_cert_time(X509_get0_notBefore(x)),
		.not_after_s = tls_cert_time(X509_get0_notAfter(x)),
		.self_signed = X509_self_signed(x, 0) == 1};
	subject_text(X509_get_subject_name(x), out->subject, sizeof(out->subject));
	subject_text(X509_get_issuer_name(x), out->issuer, sizeof(out->issuer));
	for (size_t i = 0; i < count; i++) {
		size_t need = strlen(names[i].text) + (at > 0 ? 2 : 0);
		if (at + need + 1 > sizeof(out->names))
			break;
		snprintf(out->names + at, sizeof(out->names) - at, "%s%s", at > 0 ? ", " : "",
			names[i].text);
		at += need;
	}
	free(names);
	key_type_text(x, out->key_type, sizeof(out->key_type));
	tls_cert_spki_sha256(x, out->spki_sha256);
}

enum tls_pkix_class tls_pkix_class(int pkix_code)
{
	switch (pkix_code) {
	case X509_V_OK:
		return TLS_PKIX_VALID;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_PKIX_NAME;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
	case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
		return TLS_PKIX_DATE;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
	case X509_V_ERR_CERT_REVOKED:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_NON_CA:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_INVALID_PURPOSE:
	case X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
	case X509_V_ERR_AKID_SKID_MISMATCH:
	case X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return TLS_PKIX_UNTRUSTED;
	}
	return TLS_PKIX_OTHER;
}

const char *tls_alert_text(int alert)
{
	return SSL_alert_desc_string_long(alert);
}
