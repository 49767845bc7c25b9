#include "tls/internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	SELF_SIGNED_DAYS = 3650, /* nobody checks them; peers of a mail gateway take any */
	SELF_SIGNED_RENEW_S = 30 * 86400,
	TICKET_LIFETIME_S = 7200,
	SERVER_PATH_MAX = 4096
};

/* Forward secrecy only; ECDSA before RSA, AES-128 first: it is the cheapest on every CPU
 * of today that is still strong. CBC suites are for older Exchange servers. */
static const char suites_tls12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
				   "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
				   "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"
				   "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA";
static const char suites_tls13[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* Certificates come in two classes a client may or may not take. */
enum cert_class { CLASS_ECDSA, CLASS_RSA, CLASS_COUNT };

struct served_name {
	char name[TLS_NAME_MAX]; /* lower case, may start with "*." */
	SSL_CTX *ctx;            /* one of contexts[] */
};

/* One context for every combination of certificates that some name needs. */
struct context {
	SSL_CTX *ctx;
	const struct tls_pair *pair[CLASS_COUNT]; /* either may be NULL */
};

struct tls_server {
	atomic_uint refs;
	struct tls_pair *pairs;
	size_t pair_count;
	struct context *contexts;
	size_t context_count;
	struct served_name *names; /* sorted */
	size_t name_count;
	SSL_CTX *fallback; /* without or with unknown SNI; tickets are this one's */
};

static enum cert_class pair_class(const struct tls_pair *pair)
{
	return EVP_PKEY_get_base_id(pair->key) == EVP_PKEY_RSA ? CLASS_RSA : CLASS_ECDSA;
}

static int name_order(const void *a, const void *b)
{
	return strcmp(((const struct served_name *)a)->name, ((const struct served_name *)b)->name);
}

static const struct served_name *name_find(const struct tls_server *s, const char *name)
{
	struct served_name key;

	if (!str_copy(key.name, sizeof(key.name), str_from(name)))
		return NULL;
	str_lower(key.name, strlen(key.name));
	const struct served_name *found =
		bsearch(&key, s->names, s->name_count, sizeof(key), name_order);
	const char *dot = strchr(key.name, '.');
	if (found != NULL || dot == NULL || dot == key.name)
		return found;
	/* RFC 6125 section 6.4.3: a wildcard stands for the left-most label, whole. */
	struct served_name wild = {.name = "*"};
	snprintf(wild.name + 1, sizeof(wild.name) - 1, "%.*s", TLS_NAME_MAX - 3, dot);
	return bsearch(&wild, s->names, s->name_count, sizeof(wild), name_order);
}

static int sni_choose(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = arg;
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct served_name *found = sni ? name_find(s, sni) : NULL;

	(void)alert;
	/* An unknown name gets the default certificate: mail servers ask for odd ones. */
	if (found != NULL && found->ctx != SSL_get_SSL_CTX(ssl))
		SSL_set_SSL_CTX(ssl, found->ctx);
	return SSL_TLSEXT_ERR_OK;
}

static int min_version_parse(const char *text, int *version, struct err *err)
{
	*version = TLS1_2_VERSION;
	if (text == NULL || strcmp(text, "TLSv1.2") == 0)
		return 0;
	*version = TLS1_3_VERSION;
	if (strcmp(text, "TLSv1.3") == 0)
		return 0;
	return err_set(err, ERR_PERM,
		"lowest TLS version \"%.40s\": only TLSv1.2 and TLSv1.3 are known", text);
}

static int context_make(struct tls_server *s, const struct context *want, int version,
	SSL_CTX **out, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	/* OpenSSL's macros take no const. */
	char groups[] = "X25519:P-256:P-384";
	char sigalgs[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"
			 "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
			 "RSA+SHA256:RSA+SHA384:RSA+SHA512";

	*out = NULL;
	if (ctx == NULL)
		return err_set(err, ERR_BUG, "TLS context: %s", tls_error_reason());
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 1); /* one receive a record instead of two */
	/* Stateless tickets: nothing is kept here, and no lock is taken for it. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKET_LIFETIME_S);
	bool ok = SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
		  SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
		  SSL_CTX_set_cipher_list(ctx, suites_tls12) == 1 &&
		  SSL_CTX_set_ciphersuites(ctx, suites_tls13) == 1 &&
		  SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
		  SSL_CTX_set1_sigalgs_list(ctx, sigalgs) == 1 &&
		  SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"mox", 3) == 1 &&
		  SSL_CTX_set_tlsext_servername_callback(ctx, sni_choose) == 1 &&
		  SSL_CTX_set_tlsext_servername_arg(ctx, s) == 1;
	for (int i = 0; ok && i < CLASS_COUNT; i++) {
		const struct tls_pair *pair = want->pair[i];
		ok = pair == NULL ||
		     SSL_CTX_use_cert_and_key(ctx, pair->leaf, pair->key, pair->chain, 1) == 1;
	}
	if (!ok) {
		SSL_CTX_free(ctx);
		return err_set(err, ERR_PERM, "certificate cannot be used: %s", tls_error_reason());
	}
	*out = ctx;
	return 0;
}

/* The context with these certificates, made when it is not there. */
static int context_get(
	struct tls_server *s, struct context *want, int version, SSL_CTX **out, struct err *err)
{
	for (size_t i = 0; i < s->context_count; i++) {
		const struct context *c = &s->contexts[i];
		if (memcmp(c->pair, want->pair, sizeof(c->pair)) == 0) {
			*out = c->ctx;
			return 0;
		}
	}
	if (context_make(s, want, version, &want->ctx, err) < 0)
		return -1;
	s->contexts = mem_realloc(s->contexts, (s->context_count + 1) * sizeof(*s->contexts));
	s->contexts[s->context_count++] = *want;
	*out = want->ctx;
	return 0;
}

/* How well a certificate covers name (itself perhaps a wildcard): 2 literally, 1 by a
 * wildcard, 0 not. */
static int pair_covers(const struct tls_cert_name *names, size_t count, const char *name)
{
	const char *dot = strchr(name, '.');
	int best = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i].text, name) == 0)
			return 2;
		if (dot != NULL && names[i].text[0] == '*' && strcmp(names[i].text + 1, dot) == 0)
			best = 1;
	}
	return best;
}

struct name_list {
	struct tls_cert_name *names;
	size_t count;
};

static void pairs_for_name(const struct tls_server *s, const struct name_list *lists,
	const char *name, struct context *want)
{
	int best[CLASS_COUNT] = {0};

	*want = (struct context){.ctx = NULL};
	for (size_t i = 0; i < s->pair_count; i++) {
		enum cert_class class = pair_class(&s->pairs[i]);
		int covers = pair_covers(lists[i].names, lists[i].count, name);
		if (covers > best[class]) { /* the first of equals */
			best[class] = covers;
			want->pair[class] = &s->pairs[i];
		}
	}
}

static int names_build(
	struct tls_server *s, const struct name_list *lists, int version, struct err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < s->pair_count; i++)
		total += lists[i].count;
	s->names = mem_alloc((total + 1) * sizeof(*s->names));
	for (size_t i = 0; i < s->pair_count; i++) {
		for (size_t k = 0; k < lists[i].count; k++) {
			struct served_name *to = &s->names[s->name_count];
			struct context want;
			(void)str_copy(
				to->name, sizeof(to->name), str_from(lists[i].names[k].text));
			pairs_for_name(s, lists, to->name, &want);
			if (context_get(s, &want, version, &to->ctx, err) < 0)
				return -1;
			s->name_count++;
		}
	}
	qsort(s->names, s->name_count, sizeof(*s->names), name_order);
	return 0;
}

static int contexts_build(
	struct tls_server *s, const struct tls_server_options *opt, int version, struct err *err)
{
	struct name_list *lists = mem_alloc((s->pair_count + 1) * sizeof(*lists));

	for (size_t i = 0; i < s->pair_count; i++)
		lists[i].count = tls_cert_names(s->pairs[i].leaf, &lists[i].names);
	struct context want = {.ctx = NULL}; /* when hostname is in no certificate */
	if (lists[0].count > 0)
		pairs_for_name(s, lists, lists[0].names[0].text, &want);
	else
		want.pair[pair_class(&s->pairs[0])] = &s->pairs[0];
	int rc = names_build(s, lists, version, err);
	for (size_t i = 0; i < s->pair_count; i++)
		free(lists[i].names);
	free(lists);
	if (rc < 0)
		return -1;

	const struct served_name *own = opt->hostname ? name_find(s, opt->hostname) : NULL;
	if (own != NULL) {
		s->fallback = own->ctx;
		return 0;
	}
	return context_get(s, &want, version, &s->fallback, err);
}

static void expiry_warn(const struct tls_pair *pair, const char *file)
{
	int64_t until = tls_cert_time(X509_get0_notAfter(pair->leaf));

	if (until < clock_unix_s())
		log_event(LOG_LEVEL_WARN, "tls.expired", "certificate", file, "since",
			clock_iso(until, (char[CLOCK_TEXT]){0}), NULL);
}

/* Whether the pair made earlier still serves HOSTNAME. */
static bool self_signed_good(const char *cert_file, const char *key_file, const char *hostname)
{
	struct tls_pair pair;
	struct tls_cert_name *names = NULL;
	struct err ignored;

	if (tls_pair_load(cert_file, key_file, &pair, &ignored) < 0)
		return false;
	struct tls_cert_name want;
	(void)str_copy(want.text, sizeof(want.text), str_from(hostname));
	str_lower(want.text, strlen(want.text));
	size_t count = tls_cert_names(pair.leaf, &names);
	bool good =
		pair_covers(names, count, want.text) == 2 &&
		tls_cert_time(X509_get0_notAfter(pair.leaf)) > clock_unix_s() + SELF_SIGNED_RENEW_S;
	free(names);
	tls_pair_free(&pair);
	return good;
}

static int self_signed_load(
	const struct tls_server_options *opt, struct tls_pair *out, struct err *err)
{
	char cert[SERVER_PATH_MAX], key[SERVER_PATH_MAX];
	const char *hostname = opt->hostname && *opt->hostname ? opt->hostname : "localhost";

	if ((size_t)snprintf(cert, sizeof(cert), "%s/self-signed.crt", opt->self_signed_dir) >=
			sizeof(cert) ||
		(size_t)snprintf(key, sizeof(key), "%s/self-signed.key", opt->self_signed_dir) >=
			sizeof(key))
		return err_set(err, ERR_PERM, "directory name is too long: %.100s...",
			opt->self_signed_dir);
	/* A key that is there stays, so that whoever pinned it is not cut off. */
	if (access(key, F_OK) < 0 && tls_key_create(key, TLS_KEY_ECDSA_P256, err) < 0)
		return -1;
	if (!self_signed_good(cert, key, hostname) &&
		tls_cert_self_signed(cert, key, &hostname, 1, SELF_SIGNED_DAYS, err) < 0)
		return -1;
	return tls_pair_load(cert, key, out, err);
}

static int pairs_load(struct tls_server *s, const struct tls_server_options *opt, struct err *err)
{
	if (opt->pair_count == 0 && opt->self_signed_dir == NULL)
		return err_set(err, ERR_PERM, "no certificate is configured");
	s->pairs = mem_alloc((opt->pair_count + 1) * sizeof(*s->pairs));
	if (opt->pair_count == 0) {
		if (self_signed_load(opt, &s->pairs[0], err) < 0)
			return -1;
		s->pair_count = 1;
		return 0;
	}
	for (size_t i = 0; i < opt->pair_count; i++) {
		if (tls_pair_load(opt->cert_files[i], opt->key_files[i], &s->pairs[i], err) < 0)
			return -1;
		s->pair_count++;
		expiry_warn(&s->pairs[i], opt->cert_files[i]);
	}
	return 0;
}

int tls_server_new(const struct tls_server_options *opt, struct tls_server **out, struct err *err)
{
	struct tls_server *s = mem_alloc(sizeof(*s));
	int version;

	*out = NULL;
	atomic_init(&s->refs, 1);
	if (min_version_parse(opt->min_version, &version, err) < 0 || pairs_load(s, opt, err) < 0 ||
		contexts_build(s, opt, version, err) < 0) {
		tls_server_release(&s);
		return -1;
	}
	*out = s;
	return 0;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void tls_server_release(struct tls_server **sp)
{
	struct tls_server *s = *sp;

	*sp = NULL;
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->context_count; i++)
		SSL_CTX_free(s->contexts[i].ctx);
	for (size_t i = 0; i < s->pair_count; i++)
		tls_pair_free(&s->pairs[i]);
	free(s->contexts);
	free(s->names);
	free(s->pairs);
	free(s);
}

size_t tls_server_certs(const struct tls_server *s, struct tls_cert_info *out, size_t max)
{
	size_t n = s->pair_count < max ? s->pair_count : max;

	for (size_t i = 0; i < n; i++)
		tls_cert_describe(s->pairs[i].leaf, &out[i]);
	return n;
}

int tls_accept(struct conn *c, struct tls_server *s, struct deadline d, struct tls_info *info,
	struct err *err)
{
	struct tls_stream *st = tls_stream_new(s->fallback, c);
	struct tls_failure_info failure;

	SSL_set_accept_state(st->ssl);
	if (tls_stream_handshake(st, d, &failure, err) < 0) {
		metric_inc(METRIC_TLS_HANDSHAKES, METRIC_SIDE_IN, METRIC_NOT_OK);
		tls_stream_free(st);
		return -1;
	}
	metric_inc(METRIC_TLS_HANDSHAKES, METRIC_SIDE_IN, METRIC_OK);
	tls_stream_info(st, info);
	return 0;
}
