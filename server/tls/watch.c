/* The handshakes of another library (libcurl): our trust anchors, and what they showed. */
#include "tls/internal.h"

#include <openssl/err.h>

/* RFC 8461 section 3.3 and RFC 9525: dates first, then the name, then the chain, so that a
 * certificate with several faults is reported as people would say it. */
static int watch_verify(X509_STORE_CTX *store, void *arg)
{
	struct tls_watch *w = arg;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	int chain_ok = X509_verify_cert(store);
	int code = X509_STORE_CTX_get_error(store);

	if (chain_ok != 1 && code == X509_V_OK)
		code = X509_V_ERR_UNSPECIFIED;
	if (leaf == NULL)
		code = X509_V_ERR_UNSPECIFIED;
	else if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		code = X509_V_ERR_CERT_HAS_EXPIRED;
	else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		code = X509_V_ERR_CERT_NOT_YET_VALID;
	else if (!tls_cert_matches(leaf, w->server_name))
		code = X509_V_ERR_HOSTNAME_MISMATCH;
	ERR_clear_error();
	w->verified = true;
	w->pkix_code = code;
	X509_STORE_CTX_set_error(store, code);
	return code == X509_V_OK;
}

static void watch_info(const SSL *ssl, int where, int ret)
{
	struct tls_watch *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (w == NULL)
		return;
	w->started = true;
	if (where & SSL_CB_HANDSHAKE_DONE)
		w->done = true;
	if ((where & SSL_CB_ALERT) && (ret >> 8) == SSL3_AL_FATAL) {
		w->failure.kind =
			(where & SSL_CB_READ) ? TLS_FAILURE_REMOTE_ALERT : TLS_FAILURE_LOCAL_ALERT;
		w->failure.alert = ret & 0xff;
	}
}

int tls_client_lend(struct tls_client *client, void *ssl_ctx, struct tls_watch *watch)
{
	SSL_CTX *ctx = ssl_ctx;

	SSL_CTX_set1_cert_store(ctx, tls_client_roots(client));
	(void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_app_data(ctx, watch) != 1)
		return -1;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, watch_verify, watch);
	SSL_CTX_set_info_callback(ctx, watch_info);
	return 0;
}

const char *tls_pkix_text(int pkix_code)
{
	return X509_verify_cert_error_string(pkix_code);
}
