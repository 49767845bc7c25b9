#include "tests/unit/unit.h"

#include "base/mem.h"
#include "tls/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Handshakes over loopback TCP: the server side runs in a thread. */

static char dir[64];

static const char *path(const char *name)
{
	static _Thread_local char text[8][160];
	static _Thread_local unsigned at;
	char *out = text[at++ % 8];

	snprintf(out, sizeof(text[0]), "%s/%s", dir, name);
	return out;
}

static void pair_make(
	const char *stem, enum tls_key_type type, const char *const *names, size_t n, unsigned days)
{
	char key[80], cert[80];
	struct err err;

	snprintf(key, sizeof(key), "%s.key", stem);
	snprintf(cert, sizeof(cert), "%s.crt", stem);
	assert_int_equal(tls_key_create(path(key), type, &err), 0);
	assert_int_equal(tls_cert_self_signed(path(cert), path(key), names, n, days, &err), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-tls-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	pair_make("ec", TLS_KEY_ECDSA_P256, (const char *[]){"mx.example.org", "10.1.2.3"}, 2, 30);
	pair_make("rsa", TLS_KEY_RSA_2048, (const char *[]){"mx.example.org"}, 1, 30);
	pair_make("wild", TLS_KEY_ECDSA_P256, (const char *[]){"*.example.net"}, 1, 30);
	pair_make("expired", TLS_KEY_ECDSA_P256, (const char *[]){"mx.example.org"}, 1, 0);
	return 0;
}

static int teardown(void **state)
{
	char cmd[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) == 0 ? 0 : -1;
}

/* --- a pair of connected conns, and what the server side does --- */

enum behaviour { SERVE_ECHO, SERVE_PLAINTEXT, SERVE_SILENCE, SERVE_CLOSE, SERVE_DRIP };

struct peer {
	struct tls_server *server;
	enum behaviour behaviour;
	struct conn *c;
	pthread_t thread;
	int accept_rc;
	struct tls_info info;
	struct err err;
};

static void pair_connect(struct conn **client, struct conn **server)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	struct ip ip;
	struct err err;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(l, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sa, &len), 0);
	assert_true(ip_parse(STR("127.0.0.1"), &ip));
	assert_int_equal(
		conn_dial(&ip, ntohs(sa.sin_port), NULL, deadline_in_ms(2000), client, &err), 0);
	*server = conn_open_fd(accept(l, NULL, NULL));
	close(l);
}

static void *serve(void *arg)
{
	struct peer *p = arg;
	struct deadline d = deadline_in_ms(3000);
	struct str line;

	switch (p->behaviour) {
	case SERVE_CLOSE:
		break;
	case SERVE_PLAINTEXT:
		if (conn_write(p->c, STR("454 no TLS today\r\n"), d, &p->err) == 0 &&
			conn_flush(p->c, d, &p->err) == 0)
			usleep(50000);
		break;
	case SERVE_SILENCE:
		usleep(600000);
		break;
	case SERVE_DRIP: /* a record that never ends, an octet every 50 ms */
		for (int i = 0; i < 14; i++) {
			const char *head = "\x16\x03\x03\x40";
			char octet = i < 4 ? head[i] : '\0';
			if (send(conn_fd(p->c), &octet, 1, MSG_NOSIGNAL) != 1)
				break;
			usleep(50000);
		}
		break;
	case SERVE_ECHO:
		p->accept_rc = tls_accept(p->c, p->server, d, &p->info, &p->err);
		while (p->accept_rc == 0 && conn_read_line(p->c, 100000, d, &line, &p->err) > 0) {
			char *copy = mem_alloc(line.len + 1);
			memcpy(copy, line.p, line.len);
			int rc = conn_write(p->c, (struct str){copy, line.len}, d, &p->err);
			free(copy);
			if (rc < 0 || conn_write(p->c, STR("\r\n"), d, &p->err) < 0)
				break;
		}
		break;
	}
	conn_close(&p->c);
	return NULL;
}

/* One connection to p; the client side is c and to be closed before peer_join. */
static struct conn *peer_start(struct peer *p)
{
	struct conn *c;

	pair_connect(&c, &p->c);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
	return c;
}

static void peer_join(struct peer *p, struct conn **c)
{
	conn_close(c);
	pthread_join(p->thread, NULL);
}

static void echo_check(struct conn *c, const char *text)
{
	struct deadline d = deadline_in_ms(2000);
	struct str line;
	struct err err;
	size_t len = strlen(text);

	assert_int_equal(conn_write(c, (struct str){text, len}, d, &err), 0);
	assert_int_equal(conn_write(c, STR("\r\n"), d, &err), 0);
	assert_int_equal(conn_read_line(c, 100000, d, &line, &err), CONN_LINE_CRLF);
	assert_true(str_eq(line, (struct str){text, len}));
}

static struct tls_server *server_make(const char *const *stems, size_t n, const char *min)
{
	char certs[4][160], keys[4][160];
	const char *cert_files[4], *key_files[4];
	struct tls_server *s;
	struct err err;

	for (size_t i = 0; i < n; i++) {
		snprintf(certs[i], sizeof(certs[i]), "%s/%s.crt", dir, stems[i]);
		snprintf(keys[i], sizeof(keys[i]), "%s/%s.key", dir, stems[i]);
		cert_files[i] = certs[i];
		key_files[i] = keys[i];
	}
	struct tls_server_options opt = {.hostname = "mx.example.org",
		.min_version = min,
		.cert_files = cert_files,
		.key_files = key_files,
		.pair_count = n};
	assert_int_equal(tls_server_new(&opt, &s, &err), 0);
	return s;
}

static struct tls_client *client_make(const char *ca)
{
	const char *file = ca ? path(ca) : NULL;
	struct tls_client *c;
	struct err err;

	assert_int_equal(tls_client_new(&file, ca ? 1 : 0, false, &c, &err), 0);
	return c;
}

/* --- tests --- */

static const struct {
	const char *stem, *ca, *name;
	enum tls_fact pkix;
	bool name_matches;
	int code;
} fact_cases[] = {
	{"ec", "ec.crt", "mx.example.org", TLS_FACT_OK, true, X509_V_OK},
	{"ec", "ec.crt", "10.1.2.3", TLS_FACT_OK, true, X509_V_OK},
	{"ec", "ec.crt", "MX.Example.ORG", TLS_FACT_OK, true, X509_V_OK},
	{"ec", "ec.crt", "other.example.org", TLS_FACT_NO, false, X509_V_ERR_HOSTNAME_MISMATCH},
	{"ec", "ec.crt", NULL, TLS_FACT_NOT_TESTED, false, 0},
	{"ec", NULL, "mx.example.org", TLS_FACT_NO, true, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
	{"rsa", "rsa.crt", "mx.example.org", TLS_FACT_OK, true, X509_V_OK},
	{"wild", "wild.crt", "a.example.net", TLS_FACT_OK, true, X509_V_OK},
	{"wild", "wild.crt", "a.b.example.net", TLS_FACT_NO, false, X509_V_ERR_HOSTNAME_MISMATCH},
	{"wild", "wild.crt", "example.net", TLS_FACT_NO, false, X509_V_ERR_HOSTNAME_MISMATCH},
	{"expired", "expired.crt", "mx.example.org", TLS_FACT_NO, true,
		X509_V_ERR_CERT_HAS_EXPIRED},
};

static void facts_of_the_peer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fact_cases) / sizeof(fact_cases[0]); i++) {
		struct arena *a = arena_open();
		struct tls_client *client = client_make(fact_cases[i].ca);
		struct peer p = {.server = server_make(&fact_cases[i].stem, 1, "TLSv1.2")};
		struct conn *c = peer_start(&p);
		struct tls_peer seen;
		struct tls_failure_info failure;
		struct err err = {.kind = ERR_NONE};

		print_message("case %zu: %s as %s\n", i, fact_cases[i].stem,
			fact_cases[i].name ? fact_cases[i].name : "-");
		struct tls_connect_options opt = {.server_name = fact_cases[i].name};
		assert_int_equal(tls_connect(c, client, &opt, deadline_in_ms(3000), a, &seen,
					 &failure, &err),
			0);
		assert_true(tls_is_active(c));
		echo_check(c, "hello");
		assert_int_equal(seen.pkix, fact_cases[i].pkix);
		assert_int_equal(seen.pkix_code, fact_cases[i].code);
		assert_int_equal(seen.name_matches, fact_cases[i].name_matches);
		assert_int_equal(seen.pkix == TLS_FACT_OK, seen.pkix_error[0] == '\0');
		assert_int_equal(seen.chain_count, 1);
		assert_int_equal(strlen(seen.spki_sha256), 64);
		assert_string_equal(seen.info.version, "TLSv1.3");
		assert_string_equal(seen.info.cipher, "TLS_AES_128_GCM_SHA256");
		peer_join(&p, &c);
		assert_int_equal(p.accept_rc, 0);
		tls_client_free(&client);
		tls_server_release(&p.server);
		arena_close(&a);
	}
}

static const struct {
	enum behaviour behaviour;
	enum tls_failure kind;
	int64_t timeout_ms;
} failure_cases[] = {
	{SERVE_PLAINTEXT, TLS_FAILURE_NOT_TLS, 3000},
	{SERVE_SILENCE, TLS_FAILURE_TIMEOUT, 100},
	{SERVE_DRIP, TLS_FAILURE_TIMEOUT, 300},
	{SERVE_CLOSE, TLS_FAILURE_CLOSED, 3000},
};

static void failures_are_told_apart(void **state)
{
	struct arena *a = arena_open();
	struct tls_client *client = client_make(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(failure_cases) / sizeof(failure_cases[0]); i++) {
		struct peer p = {.behaviour = failure_cases[i].behaviour};
		struct conn *c = peer_start(&p);
		struct tls_connect_options opt = {.server_name = "mx.example.org"};
		struct tls_peer seen;
		struct tls_failure_info failure;
		struct err err = {.kind = ERR_NONE};
		int64_t start = clock_mono_ms();

		print_message("case %zu\n", i);
		assert_int_equal(
			tls_connect(c, client, &opt, deadline_in_ms(failure_cases[i].timeout_ms), a,
				&seen, &failure, &err),
			-1);
		assert_int_equal(failure.kind, failure_cases[i].kind);
		assert_int_equal(err.kind, ERR_TEMP);
		if (failure.kind == TLS_FAILURE_TIMEOUT)
			assert_true(clock_mono_ms() - start < failure_cases[i].timeout_ms + 200);
		assert_false(tls_is_active(c));
		peer_join(&p, &c);
	}
	tls_client_free(&client);
	arena_close(&a);
}

static void alerts_have_their_number(void **state)
{
	/* An OpenSSL client that speaks 1.2 only, at a server that wants 1.3: the server
	 * sends protocol_version (70), and a client of ours cannot be made to fail so. */
	struct peer p = {.server = server_make((const char *[]){"ec"}, 1, "TLSv1.3")};
	struct conn *c = peer_start(&p);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	(void)state;
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_fd(ssl, conn_fd(c));
	assert_true(SSL_connect(ssl) != 1);
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	peer_join(&p, &c);
	assert_int_equal(p.accept_rc, -1);
	assert_non_null(strstr(p.err.text, "alert 70"));
	tls_server_release(&p.server);
}

static void *alert_send(void *arg)
{
	struct conn *c = arg;
	char hello[2048];
	/* fatal handshake_failure (40) in answer to the ClientHello */
	static const char alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40};

	if (recv(conn_fd(c), hello, sizeof(hello), 0) > 0)
		send(conn_fd(c), alert, sizeof(alert), MSG_NOSIGNAL);
	conn_close(&c);
	return NULL;
}

static void remote_alert_is_reported(void **state)
{
	struct arena *a = arena_open();
	struct tls_client *client = client_make(NULL);
	struct tls_connect_options opt = {.server_name = "mx.example.org"};
	struct conn *c, *server;
	struct tls_peer seen;
	struct tls_failure_info failure;
	struct err err;
	pthread_t thread;

	(void)state;
	pair_connect(&c, &server);
	pthread_create(&thread, NULL, alert_send, server);
	assert_int_equal(
		tls_connect(c, client, &opt, deadline_in_ms(2000), a, &seen, &failure, &err), -1);
	assert_int_equal(failure.kind, TLS_FAILURE_REMOTE_ALERT);
	assert_int_equal(failure.alert, 40);
	assert_non_null(strstr(err.text, "alert 40"));
	pthread_join(thread, NULL);
	conn_close(&c);
	tls_client_free(&client);
	arena_close(&a);
}

static void sessions_resume(void **state)
{
	struct arena *a = arena_open();
	struct tls_client *client = client_make("ec.crt");
	struct tls_server *server = server_make((const char *[]){"ec", "wild"}, 2, "TLSv1.2");
	struct tls_connect_options opt = {.server_name = "mx.example.org", .reuse_session = true};

	(void)state;
	/* Sessions are kept by address and port: both connections go to one listener. */
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	struct ip ip;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(l, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sa, &len), 0);
	assert_true(ip_parse(STR("127.0.0.1"), &ip));
	for (int i = 0; i < 3; i++) {
		struct peer p = {.server = server};
		struct tls_peer seen;
		struct tls_failure_info failure;
		struct conn *c;
		struct err err;
		assert_int_equal(
			conn_dial(&ip, ntohs(sa.sin_port), NULL, deadline_in_ms(1000), &c, &err),
			0);
		p.c = conn_open_fd(accept(l, NULL, NULL));
		pthread_create(&p.thread, NULL, serve, &p);
		assert_int_equal(tls_connect(c, client, &opt, deadline_in_ms(2000), a, &seen,
					 &failure, &err),
			0);
		echo_check(c, "x");
		peer_join(&p, &c);
		assert_int_equal(seen.info.resumed, i > 0);
		assert_int_equal(p.info.resumed, i > 0);
		assert_int_equal(seen.pkix, TLS_FACT_OK); /* remembered, not lost */
		assert_int_equal(seen.chain_count, 1);
	}
	close(l);
	tls_server_release(&server);
	tls_client_free(&client);
	arena_close(&a);
}

static const struct {
	const char *sni, *key_type, *sigalgs;
	const char *name; /* in the certificate */
} sni_cases[] = {
	{"mx.example.org", "ECDSA P-256", NULL, "mx.example.org"},
	{"MX.example.org", "ECDSA P-256", NULL, "mx.example.org"},
	{"mx.example.org", "RSA 2048", "RSA-PSS+SHA256:RSA+SHA256", "mx.example.org"},
	{"a.example.net", "ECDSA P-256", NULL, "*.example.net"},
	{"unknown.example", "ECDSA P-256", NULL, "mx.example.org"},
	{NULL, "ECDSA P-256", NULL, "mx.example.org"},
};

static void sni_chooses_the_certificate(void **state)
{
	struct tls_server *server =
		server_make((const char *[]){"rsa", "ec", "wild"}, 3, "TLSv1.2");

	(void)state;
	for (size_t i = 0; i < sizeof(sni_cases) / sizeof(sni_cases[0]); i++) {
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			struct peer p = {.server = server};
			struct conn *c = peer_start(&p);
			SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
			SSL *ssl = SSL_new(ctx);
			char sni[64], sigalgs[64]; /* OpenSSL's macros take no const */

			(void)str_copy(sni, sizeof(sni), str_from(sni_cases[i].sni));
			(void)str_copy(sigalgs, sizeof(sigalgs), str_from(sni_cases[i].sigalgs));
			print_message("case %zu, version %x\n", i, (unsigned)version);
			SSL_set_max_proto_version(ssl, version);
			if (sni_cases[i].sni != NULL)
				SSL_set_tlsext_host_name(ssl, sni);
			if (sni_cases[i].sigalgs != NULL)
				SSL_set1_sigalgs_list(ssl, sigalgs);
			SSL_set_fd(ssl, conn_fd(c));
			assert_int_equal(SSL_connect(ssl), 1);
			X509 *leaf = SSL_get1_peer_certificate(ssl);
			assert_int_equal(X509_check_host(leaf,
						 sni_cases[i].name[0] == '*' ? "q.example.net"
									     : "mx.example.org",
						 0, 0, NULL),
				1);
			assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(leaf)),
				strncmp(sni_cases[i].key_type, "RSA", 3) == 0 ? EVP_PKEY_RSA
									      : EVP_PKEY_EC);
			X509_free(leaf);
			SSL_shutdown(ssl);
			SSL_free(ssl);
			SSL_CTX_free(ctx);
			peer_join(&p, &c);
			assert_int_equal(p.accept_rc, 0);
			assert_string_equal(
				p.info.version, version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
			if (sni_cases[i].sni != NULL)
				assert_int_equal(strlen(p.info.sni), strlen(sni_cases[i].sni));
		}
	}
	tls_server_release(&server);
}

static void big_data_passes(void **state)
{
	struct arena *a = arena_open();
	struct tls_client *client = client_make("ec.crt");
	struct peer p = {.server = server_make((const char *[]){"ec"}, 1, "TLSv1.2")};
	struct conn *c = peer_start(&p);
	struct tls_connect_options opt = {.server_name = "mx.example.org"};
	struct tls_peer seen;
	struct tls_failure_info failure;
	struct err err;
	char *text = mem_alloc(90001);

	(void)state;
	memset(text, 'x', 90000);
	assert_int_equal(
		tls_connect(c, client, &opt, deadline_in_ms(2000), a, &seen, &failure, &err), 0);
	echo_check(c, text);
	/* A read that gets nothing ends with its deadline and says so. */
	struct str line;
	int64_t start = clock_mono_ms();
	assert_int_equal(conn_read_line(c, 100, deadline_in_ms(60), &line, &err), -1);
	assert_string_equal(err.text, "read: timed out");
	assert_true(clock_mono_ms() - start < 400);
	echo_check(c, "still there");
	free(text);
	peer_join(&p, &c);
	tls_server_release(&p.server);
	tls_client_free(&client);
	arena_close(&a);
}

static void junk_write(const char *file, const char *text)
{
	FILE *f = fopen(path(file), "w");
	fputs(text, f);
	fclose(f);
}

static const struct {
	const char *cert, *key, *min, *words;
} bad_cases[] = {
	{"missing.crt", "ec.key", "TLSv1.2", "missing.crt: No such file"},
	{"ec.crt", "missing.key", "TLSv1.2", "missing.key: No such file"},
	{"junk.crt", "ec.key", "TLSv1.2", "junk.crt: no usable PEM certificate"},
	{"ec.crt", "junk.crt", "TLSv1.2", "junk.crt: no usable PEM key"},
	{"ec.crt", "rsa.key", "TLSv1.2", "rsa.key does not belong to certificate"},
	{"ec.crt", "locked.key", "TLSv1.2", "locked.key: is encrypted"},
	{"ec.crt", "ec.key", "SSLv3", "\"SSLv3\""},
};

static void bad_files_are_named(void **state)
{
	struct err err;

	(void)state;
	junk_write("junk.crt", "not PEM\n");
	FILE *f = fopen(path("locked.key"), "w");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	PEM_write_PKCS8PrivateKey(f, key, EVP_aes_128_cbc(), "pw", 2, NULL, NULL);
	EVP_PKEY_free(key);
	fclose(f);
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		const char *cert = path(bad_cases[i].cert), *k = path(bad_cases[i].key);
		struct tls_server_options opt = {.hostname = "h",
			.min_version = bad_cases[i].min,
			.cert_files = &cert,
			.key_files = &k,
			.pair_count = 1};
		struct tls_server *s;
		print_message("case %zu\n", i);
		assert_int_equal(tls_server_new(&opt, &s, &err), -1);
		assert_null(s);
		assert_int_equal(err.kind, ERR_PERM);
		assert_non_null(strstr(err.text, bad_cases[i].words));
	}
	struct tls_client *client;
	const char *ca = path("junk.crt");
	assert_int_equal(tls_client_new(&ca, 1, false, &client, &err), -1);
	assert_non_null(strstr(err.text, "junk.crt"));
}

static void self_signed_is_made_once(void **state)
{
	char made[100];
	struct tls_cert_info first, second;
	struct stat st;
	struct err err;

	(void)state;
	snprintf(made, sizeof(made), "%s/made", dir);
	assert_int_equal(mkdir(made, 0700), 0);
	struct tls_server_options opt = {
		.hostname = "gw.example.org", .min_version = "TLSv1.2", .self_signed_dir = made};
	struct tls_server *s;
	assert_int_equal(tls_server_new(&opt, &s, &err), 0);
	assert_int_equal(tls_server_certs(s, &first, 1), 1);
	tls_server_release(&s);
	assert_int_equal(tls_server_new(&opt, &s, &err), 0);
	assert_int_equal(tls_server_certs(s, &second, 1), 1);
	tls_server_release(&s);
	assert_string_equal(first.spki_sha256, second.spki_sha256);
	assert_int_equal(first.not_after_s, second.not_after_s);
	assert_string_equal(first.names, "gw.example.org");
	assert_string_equal(first.key_type, "ECDSA P-256");
	assert_string_equal(first.subject, "CN = gw.example.org");
	assert_true(first.self_signed);
	assert_int_equal(stat(path("made/self-signed.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Another name: a new certificate, the same key. */
	opt.hostname = "new.example.org";
	assert_int_equal(tls_server_new(&opt, &s, &err), 0);
	assert_int_equal(tls_server_certs(s, &second, 1), 1);
	tls_server_release(&s);
	assert_string_equal(second.names, "new.example.org");
	assert_string_equal(first.spki_sha256, second.spki_sha256);
	/* A key is never written over. */
	assert_int_equal(
		tls_key_create(path("made/self-signed.key"), TLS_KEY_ECDSA_P256, &err), -1);
	opt.self_signed_dir = NULL;
	assert_int_equal(tls_server_new(&opt, &s, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_of_the_peer),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(alerts_have_their_number),
		cmocka_unit_test(remote_alert_is_reported),
		cmocka_unit_test(sessions_resume),
		cmocka_unit_test(sni_chooses_the_certificate),
		cmocka_unit_test(big_data_passes),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(self_signed_is_made_once),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
