/* https_site - a certification authority and HTTPS servers on loopback addresses, each with a
 * certificate of its own kind and one answer, for tests that ask real servers. */
#ifndef TESTS_HTTPS_SITE_H
#define TESTS_HTTPS_SITE_H

#include "tests/unit/unit.h"

#include "base/mem.h"
#include "tls/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct site_ca {
	char dir[64];
	X509 *cert;
	EVP_PKEY *key;
	char file[128];
};

enum site_cert { SITE_GOOD, SITE_EXPIRED, SITE_UNTRUSTED };

struct site {
	struct site_ca *ca;
	int fd;
	char ip[32];
	unsigned port;
	struct tls_server *tls; /* NULL: plain text, closes at once */
	pthread_t thread;
	pthread_mutex_t lock;
	const char *answer; /* a whole response */
	atomic_int requests, delay_ms;
	char last[4096]; /* the last request */
};

static inline void site_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static inline X509 *site_issue(
	struct site_ca *ca, EVP_PKEY *key, const char *names, enum site_cert kind, long serial)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	bool signs = names == NULL;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), kind == SITE_EXPIRED ? -7200 : -60);
	X509_gmtime_adj(X509_getm_notAfter(x), kind == SITE_EXPIRED ? -3600 : 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)(signs ? "test CA" : "site"), -1, -1, 0);
	X509 *issuer = signs || kind == SITE_UNTRUSTED ? x : ca->cert;
	X509_set_issuer_name(x, X509_get_subject_name(issuer));
	X509_set_pubkey(x, key);
	site_extension(x, issuer, NID_basic_constraints, signs ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		site_extension(x, issuer, NID_subject_alt_name, names);
	assert_true(X509_sign(x, issuer == x ? key : ca->key, EVP_sha256()) > 0);
	return x;
}

static inline void site_ca_open(struct site_ca *ca)
{
	snprintf(ca->dir, sizeof(ca->dir), "/tmp/mox-site-XXXXXX");
	assert_non_null(mkdtemp(ca->dir));
	snprintf(ca->file, sizeof(ca->file), "%s/ca.pem", ca->dir);
	ca->key = EVP_EC_gen("P-256");
	ca->cert = site_issue(ca, ca->key, NULL, SITE_GOOD, 1);
	FILE *f = fopen(ca->file, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, ca->cert), 1);
	fclose(f);
}

static inline void site_ca_close(struct site_ca *ca)
{
	char command[128];

	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	snprintf(command, sizeof(command), "rm -rf %s", ca->dir);
	assert_int_equal(system(command), 0);
}

static inline void site_serve(struct site *s, int fd)
{
	struct conn *c = conn_open_fd(fd);
	struct deadline d = deadline_in_ms(5000);
	struct tls_info info;
	struct str line;
	struct err err;
	size_t len = 0;

	atomic_fetch_add(&s->requests, 1);
	usleep((useconds_t)atomic_load(&s->delay_ms) * 1000);
	if (s->tls == NULL || tls_accept(c, s->tls, d, &info, &err) < 0)
		goto out;
	pthread_mutex_lock(&s->lock);
	size_t body = 0;
	while (conn_read_line(c, 8192, d, &line, &err) > 0 && line.len > 0) {
		if (len + line.len + 2 < sizeof(s->last)) {
			memcpy(s->last + len, line.p, line.len);
			s->last[len + line.len] = '\n';
			len += line.len + 1;
		}
		if (str_starts_nocase(line, STR("Content-Length: ")))
			body = (size_t)strtoul(line.p + 16, NULL, 10);
	}
	while (body > 0 && conn_peek(c, body, d, &line, &err) > 0) {
		size_t n = line.len < body ? line.len : body;
		if (len + n < sizeof(s->last)) {
			memcpy(s->last + len, line.p, n);
			len += n;
		}
		conn_consume(c, n);
		body -= n;
	}
	s->last[len] = '\0';
	if (conn_write(c, str_from(s->answer), d, &err) == 0)
		(void)!conn_flush(c, d, &err);
	pthread_mutex_unlock(&s->lock);
out:
	conn_close(&c);
}

static inline void *site_run(void *arg)
{
	struct site *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		site_serve(s, fd);
	}
}

/* names: "DNS:a,DNS:b"; NULL: a server that speaks no TLS. *port 0: any, set then. */
static inline void site_open(struct site *s, struct site_ca *ca, const char *ip, unsigned *port,
	const char *names, enum site_cert kind, const char *answer)
{
	static long serial = 10;
	struct sockaddr_storage sa;
	struct ip addr;
	struct err err;
	char cert[128], key_file[128];
	int one = 1;

	memset(s, 0, sizeof(*s));
	s->ca = ca;
	s->answer = answer;
	snprintf(s->ip, sizeof(s->ip), "%s", ip);
	pthread_mutex_init(&s->lock, NULL);
	if (names != NULL) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		X509 *x = site_issue(ca, key, names, kind, serial++);
		snprintf(cert, sizeof(cert), "%s/%ld.pem", ca->dir, serial);
		snprintf(key_file, sizeof(key_file), "%s/%ld.key", ca->dir, serial);
		FILE *f = fopen(cert, "w");
		assert_int_equal(PEM_write_X509(f, x), 1);
		fclose(f);
		f = fopen(key_file, "w");
		assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
		fclose(f);
		const char *cert_files[] = {cert}, *key_files[] = {key_file};
		struct tls_server_options opt = {.hostname = "site.example",
			.min_version = "TLSv1.2",
			.cert_files = cert_files,
			.key_files = key_files,
			.pair_count = 1};
		if (tls_server_new(&opt, &s->tls, &err) < 0)
			fail_msg("%s", err.text);
		X509_free(x);
		EVP_PKEY_free(key);
	}
	assert_true(ip_parse(str_from(ip), &addr));
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	socklen_t len = ip_to_sockaddr(&addr, *port, &sa);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(s->fd, 64), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sa, &len), 0);
	ip_from_sockaddr((struct sockaddr *)&sa, &addr, port);
	s->port = *port;
	assert_int_equal(pthread_create(&s->thread, NULL, site_run, s), 0);
}

static inline void site_answer(struct site *s, const char *answer)
{
	pthread_mutex_lock(&s->lock);
	s->answer = answer;
	pthread_mutex_unlock(&s->lock);
}

static inline void site_close(struct site *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	if (s->tls != NULL)
		tls_server_release(&s->tls);
	pthread_mutex_destroy(&s->lock);
}

#define SITE_OK(body)                                                                              \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" body
#define SITE_STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

#endif
