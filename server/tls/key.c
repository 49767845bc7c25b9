#include "tls/internal.h"

#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERIAL_OCTETS = 16, SECONDS_A_DAY = 86400, CLOCK_SKEW_S = 3600 };

enum save { SAVE_NEW, SAVE_REPLACE };

/* Writes what is in mem to fd and closes it. 0 or an errno. */
static int fd_fill(int fd, BIO *mem)
{
	char *p = NULL;
	long left = BIO_get_mem_data(mem, &p);

	while (left > 0) {
		ssize_t n = write(fd, p, (size_t)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		p += n;
		left -= n;
	}
	int failed = left > 0 || fsync(fd) < 0 ? errno : 0;
	if (close(fd) < 0 && failed == 0)
		failed = errno;
	return failed;
}

/* The file appears whole and on the disk, or not at all: nobody reads half of it, and a
 * crash leaves nothing that the next start would stumble over. */
static int mem_save(BIO *mem, const char *file, mode_t mode, enum save save, struct err *err)
{
	char temp[4096];

	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", file) >= sizeof(temp))
		return err_set(err, ERR_PERM, "file name is too long: %.100s...", file);
	(void)unlink(temp); /* of a start that crashed */
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(err, ERR_PERM, "create %s: %s", temp, strerror(errno));
	int failed = fd_fill(fd, mem);
	if (failed == 0 && (save == SAVE_NEW ? link(temp, file) : rename(temp, file)) < 0)
		failed = errno;
	if (failed != 0 || save == SAVE_NEW)
		(void)unlink(temp);
	return failed == 0 ? 0 : err_set(err, ERR_PERM, "write %s: %s", file, strerror(failed));
}

int tls_key_create(const char *file, enum tls_key_type type, struct err *err)
{
	EVP_PKEY *key = type == TLS_KEY_RSA_2048 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	BIO *mem = BIO_new(BIO_s_secmem());
	int rc = -1;

	if (key == NULL || mem == NULL ||
		PEM_write_bio_PKCS8PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL) != 1)
		err_set(err, ERR_BUG, "make key %s: %s", file, tls_error_reason());
	else
		rc = mem_save(mem, file, 0600, SAVE_NEW, err);
	BIO_free(mem);
	EVP_PKEY_free(key);
	return rc;
}

static bool extension_add(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* Built from parts, not from extension text: a name may hold nothing that is syntax. */
static bool sans_add(X509 *x, const char *const *names, size_t count)
{
	GENERAL_NAMES *sans = GENERAL_NAMES_new();
	bool ok = sans != NULL;

	for (size_t i = 0; ok && i < count; i++) {
		struct ip ip;
		bool is_ip = ip_parse(str_from(names[i]), &ip);
		GENERAL_NAME *san = GENERAL_NAME_new();
		ASN1_STRING *value =
			ASN1_STRING_type_new(is_ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
		ok = san != NULL && value != NULL &&
		     ASN1_STRING_set(value, is_ip ? (const void *)ip.bytes : names[i],
			     is_ip ? ip.len : (int)strlen(names[i])) == 1;
		if (!ok) {
			GENERAL_NAME_free(san);
			ASN1_STRING_free(value);
			break;
		}
		GENERAL_NAME_set0_value(san, is_ip ? GEN_IPADD : GEN_DNS, value);
		ok = sk_GENERAL_NAME_push(sans, san) > 0;
	}
	ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, sans, 0, 0) == 1;
	GENERAL_NAMES_free(sans);
	return ok;
}

static bool cert_fill(
	X509 *x, EVP_PKEY *key, const char *const *names, size_t name_count, unsigned days)
{
	unsigned char serial[SERIAL_OCTETS];
	/* A common name holds 64 characters (X.520); a longer one is in the SANs alone. */
	const char *cn = name_count > 0 && strlen(names[0]) <= 64 ? names[0] : "mox";

	rand_bytes(serial, sizeof(serial));
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, full length */
	BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
	bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
	BN_free(number);

	X509_NAME *subject = X509_get_subject_name(x);
	ok = ok && X509_set_version(x, X509_VERSION_3) == 1 &&
	     ASN1_TIME_set(X509_getm_notBefore(x), clock_unix_s() - CLOCK_SKEW_S) != NULL &&
	     ASN1_TIME_set(X509_getm_notAfter(x), clock_unix_s() + (int64_t)days * SECONDS_A_DAY) !=
		     NULL &&
	     X509_set_pubkey(x, key) == 1 &&
	     X509_NAME_add_entry_by_txt(
		     subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1 &&
	     X509_set_issuer_name(x, subject) == 1;
	return ok && extension_add(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       extension_add(x, NID_key_usage, "critical,digitalSignature") &&
	       extension_add(x, NID_ext_key_usage, "serverAuth") &&
	       extension_add(x, NID_subject_key_identifier, "hash") &&
	       sans_add(x, names, name_count) && X509_sign(x, key, EVP_sha256()) > 0;
}

int tls_cert_self_signed(const char *cert_file, const char *key_file, const char *const *names,
	size_t name_count, unsigned days, struct err *err)
{
	EVP_PKEY *key = NULL;
	X509 *x = X509_new();
	BIO *mem = BIO_new(BIO_s_mem());
	int rc = -1;

	if (tls_key_load(key_file, &key, err) < 0)
		goto out;
	if (x == NULL || mem == NULL || !cert_fill(x, key, names, name_count, days) ||
		PEM_write_bio_X509(mem, x) != 1) {
		err_set(err, ERR_BUG, "make certificate %s: %s", cert_file, tls_error_reason());
		goto out;
	}
	rc = mem_save(mem, cert_file, 0644, SAVE_REPLACE, err);
out:
	BIO_free(mem);
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}
