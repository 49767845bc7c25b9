#include "tls/internal.h"

#include "base/mem.h"
#include "base/metric.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	SESSIONS_MAX = 256,
	SESSION_AGE_MAX_S = 3600, /* a resumed session's chain was verified at most so long ago */
	CHAIN_MAX = 32            /* certificates of a peer that are kept */
};

struct session_entry {
	char *key; /* NULL: free */
	SSL_SESSION *session;
	int64_t stored_ms;
};

/* Sessions to resume, by peer. Outlives its tls_client while connections use it. */
struct tls_session_cache {
	atomic_uint refs;
	pthread_mutex_t lock; /* guards entries */
	struct session_entry entries[SESSIONS_MAX];
};

struct tls_client {
	SSL_CTX *ctx;
	struct tls_session_cache *cache;
};

static void entry_clear(struct session_entry *e)
{
	SSL_SESSION_free(e->session);
	free(e->key);
	*e = (struct session_entry){NULL, NULL, 0};
}

void tls_session_cache_release(struct tls_session_cache *cache)
{
	if (cache == NULL || atomic_fetch_sub(&cache->refs, 1) != 1)
		return;
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		entry_clear(&cache->entries[i]);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Keeps session under key, in place of the older one of that key or the oldest of all. */
static void cache_put(struct tls_session_cache *cache, const char *key, SSL_SESSION *session)
{
	pthread_mutex_lock(&cache->lock);
	struct session_entry *at = &cache->entries[0];
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session_entry *e = &cache->entries[i];
		if (e->key != NULL && strcmp(e->key, key) == 0) {
			at = e;
			break;
		}
		if (e->stored_ms < at->stored_ms) /* a free one has 0 */
			at = e;
	}
	entry_clear(at);
	*at = (struct session_entry){mem_strdup(key), session, clock_mono_ms()};
	pthread_mutex_unlock(&cache->lock);
}

/* Takes the session out: one is used once (RFC 8446 appendix C.4). */
static SSL_SESSION *cache_take(struct tls_session_cache *cache, const char *key)
{
	SSL_SESSION *found = NULL;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session_entry *e = &cache->entries[i];
		if (e->key == NULL || strcmp(e->key, key) != 0)
			continue;
		if (clock_mono_ms() - e->stored_ms < SESSION_AGE_MAX_S * INT64_C(1000)) {
			found = e->session;
			e->session = NULL;
		}
		entry_clear(e);
		break;
	}
	pthread_mutex_unlock(&cache->lock);
	return found;
}

static int session_new(SSL *ssl, SSL_SESSION *session)
{
	struct tls_stream *st = SSL_get_app_data(ssl);

	if (st->cache == NULL || st->closing || SSL_SESSION_is_resumable(session) != 1)
		return 0;
	cache_put(st->cache, st->cache_key, session);
	return 1; /* the reference is the cache's now */
}

/* Verifies as usual, then lets the handshake go on whatever came out; the result stays
 * in the session for tls_connect (SSL_get_verify_result). */
static int verify_record(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	if (X509_verify_cert(store) <= 0 && X509_STORE_CTX_get_error(store) == X509_V_OK)
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
	ERR_clear_error();
	return 1;
}

static int anchors_load(SSL_CTX *ctx, const char *const *files, size_t count, struct err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	for (size_t i = 0; i < count; i++) {
		ERR_clear_error();
		if (access(files[i], R_OK) < 0)
			return err_set(err, ERR_PERM, "CA file %s: %s", files[i], strerror(errno));
		if (X509_STORE_load_file(store, files[i]) != 1)
			return err_set(err, ERR_PERM, "CA file %s: no usable PEM certificate (%s)",
				files[i], tls_error_reason());
	}
	return 0;
}

int tls_client_new(const char *const *ca_files, size_t ca_file_count, bool and_system,
	struct tls_client **out, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char groups[] = "X25519:P-256:P-384:P-521"; /* OpenSSL's macro takes no const */

	*out = NULL;
	if (ctx == NULL)
		return err_set(err, ERR_BUG, "TLS context: %s", tls_error_reason());
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, session_new);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify_record, NULL);
	/* What the admin lists as an anchor is one, be it a root or not. */
	(void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	/* Weak old keys are still better than the plaintext that would follow. Suites without
	 * authentication or encryption are not in DEFAULT. */
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, "DEFAULT:@SECLEVEL=1") != 1 ||
		SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
		(and_system && SSL_CTX_set_default_verify_paths(ctx) != 1)) {
		SSL_CTX_free(ctx);
		return err_set(err, ERR_BUG, "TLS context: %s", tls_error_reason());
	}
	if (anchors_load(ctx, ca_files, ca_file_count, err) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	struct tls_client *c = mem_alloc(sizeof(*c));
	c->ctx = ctx;
	c->cache = mem_alloc(sizeof(*c->cache));
	atomic_init(&c->cache->refs, 1);
	pthread_mutex_init(&c->cache->lock, NULL);
	*out = c;
	return 0;
}

void tls_client_free(struct tls_client **cp)
{
	struct tls_client *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	tls_session_cache_release(c->cache);
	free(c);
}

X509_STORE *tls_client_roots(const struct tls_client *c)
{
	return SSL_CTX_get_cert_store(c->ctx);
}

/* A session is good for the same name at the same address and port, asked the same way. */
static char *cache_key_make(const struct conn *c, const struct tls_connect_options *opt)
{
	struct ip local, peer;
	unsigned local_port, peer_port;
	char ip[IP_TEXT], key[TLS_NAME_MAX + IP_TEXT + 64];

	conn_addresses(c, &local, &local_port, &peer, &peer_port);
	snprintf(key, sizeof(key), "%s|%s|%u|%.32s", opt->server_name ? opt->server_name : "",
		ip_text(&peer, ip), peer_port, opt->alpn ? opt->alpn : "");
	return mem_strdup(key);
}

static int stream_setup(struct tls_stream *st, struct tls_client *client,
	const struct tls_connect_options *opt, struct err *err)
{
	struct ip ip;

	SSL_set_connect_state(st->ssl);
	if (opt->server_name != NULL) {
		char name[TLS_NAME_MAX];
		if (!str_copy(name, sizeof(name), str_from(opt->server_name)))
			return err_set(err, ERR_PERM, "TLS: name of the server is too long");
		/* RFC 6066 section 3: no literal addresses in SNI. */
		if (!ip_parse(str_from(opt->server_name), &ip) &&
			SSL_set_tlsext_host_name(st->ssl, name) != 1)
			return err_set(err, ERR_PERM, "TLS: bad name of the server: %s",
				tls_error_reason());
	}
	if (opt->alpn != NULL) {
		unsigned char wire[33];
		size_t len = strlen(opt->alpn);
		if (len == 0 || len >= sizeof(wire))
			return err_set(err, ERR_BUG, "TLS: bad ALPN name");
		wire[0] = (unsigned char)len;
		memcpy(wire + 1, opt->alpn, len);
		if (SSL_set_alpn_protos(st->ssl, wire, (unsigned)len + 1) != 0)
			return err_set(err, ERR_BUG, "TLS: bad ALPN name");
	}
	if (opt->reuse_session) {
		atomic_fetch_add(&client->cache->refs, 1);
		st->cache = client->cache;
		st->cache_key = cache_key_make(st->c, opt);
		SSL_SESSION *session = cache_take(st->cache, st->cache_key);
		if (session != NULL)
			(void)SSL_set_session(st->ssl, session); /* else a full handshake */
		SSL_SESSION_free(session);
	}
	return 0;
}

bool tls_cert_matches(X509 *leaf, const char *name)
{
	struct ip ip;

	if (name == NULL || *name == '\0')
		return false;
	if (ip_parse(str_from(name), &ip))
		return X509_check_ip(leaf, ip.bytes, ip.len, 0) == 1;
	/* RFC 9525 section 6: only subjectAltName counts, wildcards only as whole labels. */
	return X509_check_host(leaf, name, 0,
		       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
		       NULL) == 1;
}

static void pkix_collect(
	const struct tls_stream *st, X509 *leaf, const char *name, struct tls_peer *peer)
{
	long code = SSL_get_verify_result(st->ssl);

	/* A resumed session brings the verdict of its first handshake; time has gone on. */
	if (code == X509_V_OK && peer->leaf_not_after_s < clock_unix_s())
		code = X509_V_ERR_CERT_HAS_EXPIRED;
	if (code == X509_V_OK && name == NULL) {
		peer->pkix = TLS_FACT_NOT_TESTED;
		snprintf(peer->pkix_error, sizeof(peer->pkix_error), "no name to check");
		return;
	}
	if (code == X509_V_OK && !peer->name_matches)
		code = X509_V_ERR_HOSTNAME_MISMATCH;
	peer->pkix_code = (int)code;
	peer->pkix = code == X509_V_OK ? TLS_FACT_OK : TLS_FACT_NO;
	if (code == X509_V_ERR_HOSTNAME_MISMATCH) {
		struct tls_cert_info info;
		tls_cert_describe(leaf, &info);
		snprintf(peer->pkix_error, sizeof(peer->pkix_error),
			"certificate is not for %.80s but for %.120s", name,
			*info.names ? info.names : info.subject);
	} else if (code != X509_V_OK) {
		snprintf(peer->pkix_error, sizeof(peer->pkix_error), "%s",
			X509_verify_cert_error_string(code));
	}
}

static void peer_collect(
	const struct tls_stream *st, const char *name, struct arena *arena, struct tls_peer *peer)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(st->ssl);
	int count = chain ? sk_X509_num(chain) : 0;

	*peer = (struct tls_peer){.pkix = TLS_FACT_NOT_TESTED};
	tls_stream_info(st, &peer->info);
	if (count <= 0) {
		snprintf(peer->pkix_error, sizeof(peer->pkix_error), "no certificate was shown");
		peer->pkix = TLS_FACT_NO;
		peer->pkix_code = X509_V_ERR_UNSPECIFIED;
		return;
	}
	if (count > CHAIN_MAX)
		count = CHAIN_MAX;
	peer->chain_der = arena_alloc(arena, (size_t)count * sizeof(*peer->chain_der));
	for (int i = 0; i < count; i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(sk_X509_value(chain, i), &der);
		if (len <= 0)
			break;
		peer->chain_der[peer->chain_count++] =
			arena_str(arena, (struct str){(const char *)der, (size_t)len});
		OPENSSL_free(der);
	}
	X509 *leaf = sk_X509_value(chain, 0);
	tls_cert_spki_sha256(leaf, peer->spki_sha256);
	peer->leaf_not_after_s = tls_cert_time(X509_get0_notAfter(leaf));
	peer->name_matches = tls_cert_matches(leaf, name);
	pkix_collect(st, leaf, name, peer);
}

int tls_connect(struct conn *c, struct tls_client *client, const struct tls_connect_options *opt,
	struct deadline d, struct arena *arena, struct tls_peer *peer,
	struct tls_failure_info *failure, struct err *err)
{
	struct tls_stream *st = tls_stream_new(client->ctx, c);

	*failure = (struct tls_failure_info){.kind = TLS_FAILURE_OTHER};
	if (stream_setup(st, client, opt, err) < 0 ||
		tls_stream_handshake(st, d, failure, err) < 0) {
		metric_inc(METRIC_TLS_HANDSHAKES, METRIC_SIDE_OUT, METRIC_NOT_OK);
		tls_stream_free(st);
		return -1;
	}
	metric_inc(METRIC_TLS_HANDSHAKES, METRIC_SIDE_OUT, METRIC_OK);
	failure->kind = TLS_FAILURE_NONE;
	peer_collect(st, opt->pkix_name ? opt->pkix_name : opt->server_name, arena, peer);
	return 0;
}
