/* Servers that refuse a TLS session when the client's handshake is over (TLS 1.3): what the
 * SMTP client makes of the alert that its first read meets. */
#include "tests/unit/unit.h"

#include "smtp/client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum after { /* the server's handshake */
	AFTER_REFUSED_CLOSE,
	AFTER_REFUSED_READ, /* reads what comes until the client hangs up */
	AFTER_HANG_UP,      /* accepted, and closed without a word */
	AFTER_SERVE
};

struct server {
	int fd;
	SSL_CTX *ctx;
	bool immediate;
	enum after after;
	int handshake; /* what SSL_accept said */
	pthread_t thread;
};

static SSL_CTX *ctx_make(bool demands_certificate, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"peer.example", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	if (demands_certificate)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static bool line_is(int fd, const char *word)
{
	char line[200];
	size_t n = 0;

	while (n < sizeof(line) && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
		n++;
	return n >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

static bool say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static void serve(SSL *ssl, bool greets)
{
	static const char greeting[] = "220 hi\r\n", hello[] = "250 peer\r\n",
			  bye[] = "221 bye\r\n";
	char in[300];

	if (greets)
		(void)SSL_write(ssl, greeting, sizeof(greeting) - 1);
	(void)SSL_read(ssl, in, sizeof(in));
	(void)SSL_write(ssl, hello, sizeof(hello) - 1);
	(void)SSL_read(ssl, in, sizeof(in));
	(void)SSL_write(ssl, bye, sizeof(bye) - 1);
}

static void *server_run(void *arg)
{
	struct server *s = arg;
	SSL *ssl = SSL_new(s->ctx);
	char rest[300];
	bool on = s->immediate || (say(s->fd, "220 hi\r\n") && line_is(s->fd, "EHLO") &&
					  say(s->fd, "250-peer\r\n250 STARTTLS\r\n") &&
					  line_is(s->fd, "STARTTLS") && say(s->fd, "220 go\r\n"));

	if (on && SSL_set_fd(ssl, s->fd) == 1) {
		s->handshake = SSL_accept(ssl);
		if (s->after == AFTER_SERVE)
			serve(ssl, s->immediate);
		while (s->after == AFTER_REFUSED_READ && recv(s->fd, rest, sizeof(rest), 0) > 0)
			;
	}
	ERR_clear_error();
	SSL_free(ssl);
	close(s->fd);
	return NULL;
}

static const struct {
	const char *name;
	bool demands;
	int version;
	enum tls_mode mode;
	enum after after;
	int rc;
	enum smtp_stage stage;
	bool try_plaintext;
	unsigned failures;
	const char *reason; /* last one noted */
} cases[] = {
#define LATE "tls-remote-alert-116-certificate-required"
	{"opportunistic", true, TLS1_3_VERSION, TLS_MODE_OPPORTUNISTIC, AFTER_REFUSED_READ, -1,
		SMTP_STAGE_TLS, true, 1, LATE},
	{"opportunistic, closed at once", true, TLS1_3_VERSION, TLS_MODE_OPPORTUNISTIC,
		AFTER_REFUSED_CLOSE, -1, SMTP_STAGE_TLS, true, 1, LATE},
	{"demanded", true, TLS1_3_VERSION, TLS_MODE_STARTTLS, AFTER_REFUSED_READ, -1,
		SMTP_STAGE_TLS, false, 1, LATE},
	{"immediate", true, TLS1_3_VERSION, TLS_MODE_IMMEDIATE, AFTER_REFUSED_READ, -1,
		SMTP_STAGE_TLS, false, 1, LATE},
	{"in the handshake, as TLS 1.2 does it", true, TLS1_2_VERSION, TLS_MODE_OPPORTUNISTIC,
		AFTER_REFUSED_READ, -1, SMTP_STAGE_TLS, true, 1,
		"tls-remote-alert-40-handshake-failure"},
	{"hangs up, no alert", false, TLS1_3_VERSION, TLS_MODE_OPPORTUNISTIC, AFTER_HANG_UP, -1,
		SMTP_STAGE_EHLO, false, 0, NULL},
	{"immediate, hangs up", false, TLS1_3_VERSION, TLS_MODE_IMMEDIATE, AFTER_HANG_UP, -1,
		SMTP_STAGE_GREETING, false, 0, NULL},
	{"all is well", false, TLS1_3_VERSION, TLS_MODE_OPPORTUNISTIC, AFTER_SERVE, 0, 0, false, 0,
		NULL},
	{"immediate, all is well", false, TLS1_3_VERSION, TLS_MODE_IMMEDIATE, AFTER_SERVE, 0, 0,
		false, 0, NULL},
};

static void run(size_t i, struct tls_client *tls)
{
	struct smtp_client_options o = {.helo = "us.example",
		.server_name = "peer.example",
		.policy = {.mode = cases[i].mode,
			.plaintext_fallback = cases[i].mode == TLS_MODE_OPPORTUNISTIC},
		.tls = tls,
		.command_timeout_ms = 3000,
		.session = deadline_in_ms(10000)};
	struct server s = {.ctx = ctx_make(cases[i].demands, cases[i].version),
		.immediate = cases[i].mode == TLS_MODE_IMMEDIATE,
		.after = cases[i].after};
	struct tls_outcome outcome;
	struct smtp_failure f;
	struct smtp_client *c;
	int fds[2];

	print_message("%s\n", cases[i].name);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s.fd = fds[1];
	assert_int_equal(pthread_create(&s.thread, NULL, server_run, &s), 0);
	struct conn *conn = conn_open_fd(fds[0]);
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), cases[i].rc);
	smtp_client_quit(&c);
	pthread_join(s.thread, NULL);
	SSL_CTX_free(s.ctx);
	assert_int_equal(s.handshake == 1, !cases[i].demands);
	assert_int_equal(outcome.try_plaintext, cases[i].try_plaintext);
	for (int k = 0; k < 2; k++) {
		const struct tls_tally *t = k == 0 ? &outcome.rcpt : &outcome.host;
		assert_int_equal(t->failure, cases[i].failures);
		assert_int_equal(t->success, 1 - cases[i].failures);
		if (cases[i].reason == NULL)
			continue;
		assert_int_equal(t->note_count, 1);
		assert_int_equal(t->notes[0].type, TLS_RESULT_VALIDATION_FAILURE);
		assert_string_equal(t->notes[0].reason, cases[i].reason);
	}
	if (cases[i].rc == 0)
		return;
	assert_int_equal(f.stage, cases[i].stage);
	assert_true(f.dead && !f.permanent);
	assert_int_equal(strstr(f.text, "alert") != NULL, cases[i].reason != NULL);
}

static void refusals_after_the_handshake(void **state)
{
	struct tls_client *tls;
	struct err err;

	(void)state;
	assert_int_equal(tls_client_new(NULL, 0, false, &tls, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run(i, tls);
	tls_client_free(&tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_after_the_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
