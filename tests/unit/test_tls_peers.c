#include "tests/unit/unit.h"

#include "base/mem.h"
#include "tls/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Peers with chains, odd certificates and bad manners; many at once. */

static char dir[64];

static const char *path(const char *name)
{
	static _Thread_local char text[8][160];
	static _Thread_local unsigned at;
	char *out = text[at++ % 8];

	snprintf(out, sizeof(text[0]), "%s/%s", dir, name);
	return out;
}

/* --- a small certification authority --- */

struct issued {
	X509 *cert;
	EVP_PKEY *key;
};

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* by NULL: self-signed. san NULL: an authority. */
static struct issued issue(const char *cn, const struct issued *by, GENERAL_NAMES *san)
{
	static long serial = 1;
	struct issued out = {X509_new(), EVP_EC_gen("P-256")};
	X509_NAME *name = X509_get_subject_name(out.cert);

	X509_set_version(out.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(out.cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(out.cert), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(out.cert, by ? X509_get_subject_name(by->cert) : name);
	X509_set_pubkey(out.cert, out.key);
	extension(out.cert, by ? by->cert : out.cert, NID_basic_constraints,
		san ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (san != NULL)
		X509_add1_ext_i2d(out.cert, NID_subject_alt_name, san, 0, 0);
	assert_true(X509_sign(out.cert, by ? by->key : out.key, EVP_sha256()) > 0);
	return out;
}

static GENERAL_NAMES *dns_names(const char *const *names, const size_t *lens, size_t n)
{
	GENERAL_NAMES *out = GENERAL_NAMES_new();

	for (size_t i = 0; i < n; i++) {
		GENERAL_NAME *san = GENERAL_NAME_new();
		ASN1_STRING *value = ASN1_STRING_type_new(V_ASN1_IA5STRING);
		ASN1_STRING_set(value, names[i], (int)lens[i]);
		GENERAL_NAME_set0_value(san, GEN_DNS, value);
		sk_GENERAL_NAME_push(out, san);
	}
	return out;
}

static void save(const char *file, const struct issued *const *certs, size_t n)
{
	FILE *f = fopen(path(file), "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		PEM_write_X509(f, certs[i]->cert);
	fclose(f);
}

static void save_key(const char *file, const struct issued *of)
{
	FILE *f = fopen(path(file), "w");

	assert_non_null(f);
	PEM_write_PKCS8PrivateKey(f, of->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static void issued_free(struct issued *x)
{
	X509_free(x->cert);
	EVP_PKEY_free(x->key);
}

static int setup(void **state)
{
	static const char long_name[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		"example.org";
	static const char *const odd[] = {
		"mx.example.org\0.evil.example", "a\r\nb.example", long_name, "good.example"};
	static const size_t odd_lens[] = {28, 12, sizeof(long_name) - 1, 12};

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-tls-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	GENERAL_NAMES *san = dns_names((const char *[]){"mx.example.org"}, (const size_t[]){14}, 1);
	GENERAL_NAMES *odd_san = dns_names(odd, odd_lens, 4);
	struct issued root = issue("Test Root", NULL, NULL);
	struct issued middle = issue("Test Middle", &root, NULL);
	struct issued leaf = issue("mx.example.org", &middle, san);
	struct issued strange = issue("mx.example.org\x1b[31m", NULL, odd_san);
	save("root.crt", (const struct issued *[]){&root}, 1);
	save("middle.crt", (const struct issued *[]){&middle}, 1);
	save("full.crt", (const struct issued *[]){&leaf, &middle}, 2);
	save("bare.crt", (const struct issued *[]){&leaf}, 1);
	save("strange.crt", (const struct issued *[]){&strange}, 1);
	save_key("full.key", &leaf);
	save_key("bare.key", &leaf);
	save_key("strange.key", &strange);
	issued_free(&root);
	issued_free(&middle);
	issued_free(&leaf);
	issued_free(&strange);
	GENERAL_NAMES_free(san);
	GENERAL_NAMES_free(odd_san);
	return 0;
}

static int teardown(void **state)
{
	char cmd[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) == 0 ? 0 : -1;
}

/* --- two ends --- */

static struct tls_server *server_make(const char *stem)
{
	char cert[160], key[160];
	const char *certs = cert, *keys = key;
	struct tls_server *s;
	struct err err = {.kind = ERR_NONE};

	snprintf(cert, sizeof(cert), "%s/%s.crt", dir, stem);
	snprintf(key, sizeof(key), "%s/%s.key", dir, stem);
	struct tls_server_options opt = {.hostname = "mx.example.org",
		.min_version = "TLSv1.2",
		.cert_files = &certs,
		.key_files = &keys,
		.pair_count = 1};
	int rc = tls_server_new(&opt, &s, &err);
	if (rc != 0)
		print_message("%s\n", err.text);
	assert_int_equal(rc, 0);
	return s;
}

static struct tls_client *client_make(const char *ca)
{
	const char *file = path(ca);
	struct tls_client *c;
	struct err err;

	assert_int_equal(tls_client_new(&file, 1, false, &c, &err), 0);
	return c;
}

static void ends_make(struct conn **a, struct conn **b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*a = conn_open_fd(fds[0]);
	*b = conn_open_fd(fds[1]);
}

struct answerer {
	struct conn *c;
	struct tls_server *server;
	pthread_t thread;
	bool cut;   /* no good-bye */
	bool noise; /* octets that are no TLS, after the first line */
	int rc;
};

static void *answer(void *arg)
{
	struct answerer *a = arg;
	struct deadline d = deadline_in_ms(5000);
	struct tls_info info;
	struct str line;
	struct err err;

	a->rc = tls_accept(a->c, a->server, d, &info, &err);
	if (a->rc == 0 && conn_read_line(a->c, 1000, d, &line, &err) > 0 &&
		conn_write(a->c, STR("220 ok\r\n"), d, &err) == 0)
		a->rc = conn_flush(a->c, d, &err);
	if (a->noise)
		(void)!send(conn_fd(a->c), "250 what?\r\n", 11, MSG_NOSIGNAL);
	if (a->cut)
		conn_shutdown(a->c);
	conn_close(&a->c);
	return NULL;
}

/* Connects, says a line, reads one. */
static void talk(struct answerer *a, struct tls_client *client, struct arena *arena,
	struct tls_peer *peer, struct conn **out)
{
	struct tls_connect_options opt = {.server_name = "mx.example.org", .reuse_session = true};
	struct tls_failure_info failure;
	struct deadline d = deadline_in_ms(5000);
	struct str line;
	struct err err;

	ends_make(out, &a->c);
	assert_int_equal(pthread_create(&a->thread, NULL, answer, a), 0);
	assert_int_equal(tls_connect(*out, client, &opt, d, arena, peer, &failure, &err), 0);
	assert_int_equal(failure.kind, TLS_FAILURE_NONE);
	assert_int_equal(conn_write(*out, STR("EHLO x\r\n"), d, &err), 0);
	assert_int_equal(conn_read_line(*out, 1000, d, &line, &err), CONN_LINE_CRLF);
	assert_true(str_eq(line, STR("220 ok")));
}

/* --- tests --- */

static const struct {
	const char *stem, *ca;
	enum tls_pkix_class class;
	size_t chain;
} chain_cases[] = {
	{"full", "root.crt", TLS_PKIX_VALID, 2}, {"bare", "root.crt", TLS_PKIX_UNTRUSTED, 1},
	{"bare", "middle.crt", TLS_PKIX_VALID, 1}, /* an anchor need not be a root */
	{"full", "strange.crt", TLS_PKIX_UNTRUSTED, 2},
	{"strange", "strange.crt", TLS_PKIX_NAME, 1}, /* the name before NUL is no name */
};

static void chains_are_built(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(chain_cases) / sizeof(chain_cases[0]); i++) {
		struct arena *arena = arena_open();
		struct tls_client *client = client_make(chain_cases[i].ca);
		struct answerer a = {.server = server_make(chain_cases[i].stem)};
		struct tls_peer peer;
		struct conn *c;

		print_message("case %zu\n", i);
		talk(&a, client, arena, &peer, &c);
		conn_close(&c);
		pthread_join(a.thread, NULL);
		assert_int_equal(tls_pkix_class(peer.pkix_code), chain_cases[i].class);
		assert_int_equal(peer.chain_count, chain_cases[i].chain);
		for (const char *p = peer.pkix_error; *p != '\0'; p++)
			assert_true(*p >= ' ' && *p <= '~');
		tls_server_release(&a.server);
		tls_client_free(&client);
		arena_close(&arena);
	}
}

static void odd_names_are_left_out(void **state)
{
	struct tls_server *s = server_make("strange");
	struct tls_cert_info info;

	(void)state;
	assert_int_equal(tls_server_certs(s, &info, 1), 1);
	assert_string_equal(info.names, "good.example");
	assert_null(strchr(info.subject, '\x1b'));
	assert_true(info.self_signed);
	tls_server_release(&s);
}

static void hanging_up_rudely_is_an_end(void **state)
{
	struct arena *arena = arena_open();
	struct tls_client *client = client_make("root.crt");
	struct answerer a = {.server = server_make("full"), .cut = true};
	struct tls_peer peer;
	struct conn *c;
	struct str line;
	struct err err;

	(void)state;
	talk(&a, client, arena, &peer, &c);
	pthread_join(a.thread, NULL);
	assert_int_equal(conn_read_line(c, 1000, deadline_in_ms(2000), &line, &err), 0);
	/* Writing to nobody is an error, not a signal. */
	assert_int_equal(conn_write(c, STR("NOOP\r\n"), deadline_in_ms(1000), &err), 0);
	assert_int_equal(conn_flush(c, deadline_in_ms(1000), &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	conn_close(&c);
	tls_server_release(&a.server);
	tls_client_free(&client);
	arena_close(&arena);
}

static void noise_in_the_stream_is_an_error(void **state)
{
	struct arena *arena = arena_open();
	struct tls_client *client = client_make("root.crt");
	struct answerer a = {.server = server_make("full"), .noise = true};
	struct tls_peer peer;
	struct conn *c;
	struct str line;
	struct err err;

	(void)state;
	talk(&a, client, arena, &peer, &c);
	assert_int_equal(conn_read_line(c, 1000, deadline_in_ms(2000), &line, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_null(strstr(err.text, "timed out"));
	conn_close(&c);
	pthread_join(a.thread, NULL);
	tls_server_release(&a.server);
	tls_client_free(&client);
	arena_close(&arena);
}

static void *garble(void *arg)
{
	struct conn *c = arg;
	char hello[2048];
	static const char answer_bad[] = {0x16, 3, 3, 0, 8, 2, 0, 0, 4, 3, 3, 0, 0};

	if (recv(conn_fd(c), hello, sizeof(hello), 0) > 0)
		(void)!send(conn_fd(c), answer_bad, sizeof(answer_bad), MSG_NOSIGNAL);
	(void)!recv(conn_fd(c), hello, sizeof(hello), 0);
	conn_close(&c);
	return NULL;
}

static void our_own_alert_is_told(void **state)
{
	struct arena *arena = arena_open();
	struct tls_client *client = client_make("root.crt");
	struct tls_connect_options opt = {.server_name = "mx.example.org"};
	struct tls_failure_info failure;
	struct tls_peer peer;
	struct conn *c, *other;
	struct err err;
	pthread_t thread;

	(void)state;
	ends_make(&c, &other);
	pthread_create(&thread, NULL, garble, other);
	assert_int_equal(
		tls_connect(c, client, &opt, deadline_in_ms(2000), arena, &peer, &failure, &err),
		-1);
	conn_close(&c);
	pthread_join(thread, NULL);
	assert_int_equal(failure.kind, TLS_FAILURE_LOCAL_ALERT);
	assert_int_equal(failure.alert, 50); /* decode_error */
	assert_non_null(strstr(err.text, "we sent alert 50"));
	tls_client_free(&client);
	arena_close(&arena);
}

static void *shut_later(void *arg)
{
	usleep(80000);
	conn_shutdown(arg);
	return NULL;
}

static void shutdown_ends_a_handshake(void **state)
{
	struct tls_server *s = server_make("full");
	struct conn *c, *other;
	struct tls_info info;
	struct err err;
	pthread_t thread;
	int64_t start = clock_mono_ms();

	(void)state;
	ends_make(&c, &other);
	pthread_create(&thread, NULL, shut_later, c);
	assert_int_equal(tls_accept(c, s, deadline_in_ms(5000), &info, &err), -1);
	assert_true(clock_mono_ms() - start < 2000);
	pthread_join(thread, NULL);
	conn_close(&c);
	conn_close(&other);
	tls_server_release(&s);
}

static void tls12_resumes_too(void **state)
{
	struct tls_server *s = server_make("full");
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_SESSION *session = NULL;

	(void)state;
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	for (int i = 0; i < 2; i++) {
		struct answerer a = {.server = s};
		int fds[2];
		char got[20] = "";
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		a.c = conn_open_fd(fds[1]);
		pthread_create(&a.thread, NULL, answer, &a);
		SSL *ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fds[0]);
		if (session != NULL)
			SSL_set_session(ssl, session);
		assert_int_equal(SSL_connect(ssl), 1);
		assert_int_equal(SSL_write(ssl, "EHLO x\r\n", 8), 8);
		assert_int_equal(SSL_read(ssl, got, sizeof(got) - 1), 8);
		assert_string_equal(got, "220 ok\r\n");
		assert_int_equal(SSL_session_reused(ssl), i);
		SSL_SESSION_free(session);
		session = SSL_get1_session(ssl);
		pthread_join(a.thread, NULL);
		assert_int_equal(a.rc, 0);
		SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(ssl);
		close(fds[0]);
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
	tls_server_release(&s);
}

struct crowd {
	struct tls_server *server;
	struct tls_client *client;
	pthread_t thread;
	unsigned verified, resumed;
};

enum { CROWD = 6, ROUNDS = 8 };

static void *crowd_member(void *arg)
{
	struct crowd *me = arg;
	struct arena *arena = arena_open();

	for (int i = 0; i < ROUNDS; i++) {
		struct answerer a = {.server = tls_server_ref(me->server)};
		struct tls_peer peer;
		struct conn *c;
		talk(&a, me->client, arena, &peer, &c);
		conn_close(&c);
		pthread_join(a.thread, NULL);
		tls_server_release(&a.server);
		me->verified += peer.pkix == TLS_FACT_OK;
		me->resumed += peer.info.resumed;
		arena_reset(arena);
	}
	tls_server_release(&me->server);
	arena_close(&arena);
	return NULL;
}

static void many_share_contexts(void **state)
{
	struct tls_client *client = client_make("root.crt");
	struct tls_server *server = server_make("full");
	struct crowd crowd[CROWD];
	unsigned resumed = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = (struct crowd){.server = tls_server_ref(server), .client = client};
		assert_int_equal(
			pthread_create(&crowd[i].thread, NULL, crowd_member, &crowd[i]), 0);
	}
	tls_server_release(&server); /* as a reload does: the running ones keep it */
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd[i].thread, NULL);
		assert_int_equal(crowd[i].verified, ROUNDS);
		resumed += crowd[i].resumed;
	}
	assert_true(resumed > 0);
	tls_client_free(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_built),
		cmocka_unit_test(odd_names_are_left_out),
		cmocka_unit_test(hanging_up_rudely_is_an_end),
		cmocka_unit_test(noise_in_the_stream_is_an_error),
		cmocka_unit_test(our_own_alert_is_told),
		cmocka_unit_test(shutdown_ends_a_handshake),
		cmocka_unit_test(tls12_resumes_too),
		cmocka_unit_test(many_share_contexts),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
