#include "tls/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { TICKET_MAX = 4096 }; /* octets of a session ticket's records; one has about 250 */

/* --- a BIO over the conn's socket: deadlines hold for every receive, no SIGPIPE --- */

static int bio_read(BIO *bio, char *out, int len)
{
	struct tls_stream *st = BIO_get_data(bio);
	ssize_t n = conn_raw_recv(st->c, out, (size_t)len);

	BIO_clear_retry_flags(bio);
	if (n > 0) {
		for (ssize_t i = 0; i < n && st->first_len < sizeof(st->first); i++)
			st->first[st->first_len++] = (unsigned char)out[i];
	} else if (n == 0) {
		st->eof = true;
	} else {
		st->io_errno = errno;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			BIO_set_retry_read(bio);
	}
	return (int)n;
}

static ssize_t raw_send(struct tls_stream *st, const void *data, size_t len)
{
	if (st->closing) /* the good-bye is sent if it can be without waiting */
		return send(conn_fd(st->c), data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return conn_raw_send(st->c, data, len);
}

/* The ticket of a TLS 1.3 server is the last thing of its handshake, and no client waits
 * for it: it goes out with the first words that follow, which saves a packet and a
 * wake-up of the client for each connection. */
static bool may_hold(const struct tls_stream *st, size_t len)
{
	return !st->handshaken && st->held == NULL && len <= TICKET_MAX &&
	       SSL_get_state(st->ssl) == TLS_ST_SW_SESSION_TICKET &&
	       SSL_version(st->ssl) == TLS1_3_VERSION;
}

static ssize_t hold(struct tls_stream *st, const void *data, size_t len)
{
	st->held = mem_alloc(len);
	memcpy(st->held, data, len);
	st->held_len = len;
	return (ssize_t)len;
}

/* Sends what is held and data. Counts as send(2) does, for data alone. */
static ssize_t held_send(struct tls_stream *st, const void *data, size_t len)
{
	size_t held_len = st->held_len;

	st->held = mem_realloc(st->held, held_len + len);
	memcpy(st->held + held_len, data, len);
	ssize_t n = raw_send(st, st->held, held_len + len);
	if (n < 0)
		return -1;
	if ((size_t)n <= held_len) { /* only when the time-out passed */
		memmove(st->held, st->held + n, held_len - (size_t)n);
		st->held_len = held_len - (size_t)n;
		errno = EAGAIN;
		return -1;
	}
	free(st->held);
	st->held = NULL;
	st->held_len = 0;
	return n - (ssize_t)held_len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct tls_stream *st = BIO_get_data(bio);
	size_t size = (size_t)len;
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (may_hold(st, size))
		n = hold(st, data, size);
	else
		n = st->held ? held_send(st, data, size) : raw_send(st, data, size);
	if (n < 0) {
		st->io_errno = errno;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			BIO_set_retry_write(bio);
	}
	return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct tls_stream *st = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP)
		return 1;
	if (cmd == BIO_CTRL_EOF)
		return st->eof;
	return 0;
}

/* A BIO's method must outlive every BIO, so it is the process's; set once, then constant. */
static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void method_init(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
	if (method == NULL || BIO_meth_set_read(method, bio_read) != 1 ||
		BIO_meth_set_write(method, bio_write) != 1 ||
		BIO_meth_set_ctrl(method, bio_ctrl) != 1)
		abort();
}

struct tls_stream *tls_stream_new(SSL_CTX *ctx, struct conn *c)
{
	struct tls_stream *st = mem_alloc(sizeof(*st));

	pthread_once(&method_once, method_init);
	st->c = c;
	st->alert_sent = st->alert_received = -1;
	st->ssl = SSL_new(ctx);
	BIO *bio = BIO_new(method);
	if (st->ssl == NULL || bio == NULL || SSL_set_app_data(st->ssl, st) != 1)
		abort(); /* out of memory */
	BIO_set_data(bio, st);
	BIO_set_init(bio, 1);
	SSL_set_bio(st->ssl, bio, bio);
	return st;
}

void tls_stream_free(struct tls_stream *st)
{
	if (st == NULL)
		return;
	SSL_free(st->ssl);
	tls_session_cache_release(st->cache);
	free(st->cache_key);
	free(st->held);
	free(st);
}

/* The peer's fatal alert that the last error was about, -1 for another error. */
static int alert_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

	return reason >= SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : -1;
}

/* --- the conn layer --- */

/* What recv and send would say: -1 with errno. */
static ssize_t stream_failed(struct tls_stream *st, int rc)
{
	int what = SSL_get_error(st->ssl, rc);

	ERR_clear_error();
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE)
		errno = st->io_errno == EINTR ? EINTR : EAGAIN;
	else if (st->io_errno != 0 && st->io_errno != EAGAIN && st->io_errno != EINTR)
		errno = st->io_errno;
	else
		errno = EPROTO;
	return -1;
}

static ssize_t stream_read(void *state, void *out, size_t len)
{
	struct tls_stream *st = state;
	size_t n = 0;

	st->io_errno = 0;
	ERR_clear_error(); /* what others left there would be taken for ours */
	int rc = SSL_read_ex(st->ssl, out, len, &n);
	if (rc == 1) {
		st->data_received = true;
		return (ssize_t)n;
	}
	if (alert_reason() >= 0)
		st->alert_received = alert_reason();
	/* Many mail servers hang up without close_notify. Nothing can be cut off unseen by
	 * that: SMTP marks the end of every message itself. */
	if (st->eof || (SSL_get_shutdown(st->ssl) & SSL_RECEIVED_SHUTDOWN) != 0) {
		ERR_clear_error();
		return 0;
	}
	return stream_failed(st, rc);
}

static ssize_t stream_write(void *state, const void *data, size_t len)
{
	struct tls_stream *st = state;
	size_t n = 0;

	st->io_errno = 0;
	ERR_clear_error();
	int rc = SSL_write_ex(st->ssl, data, len, &n);
	return rc == 1 ? (ssize_t)n : stream_failed(st, rc);
}

static void stream_close(void *state)
{
	struct tls_stream *st = state;

	st->closing = true;
	/* Not after a fatal error (OpenSSL refuses it) and never waiting for the answer. */
	if (SSL_shutdown(st->ssl) < 0)
		ERR_clear_error();
	tls_stream_free(st);
}

/* --- the handshake --- */

static bool looks_like_tls(const struct tls_stream *st)
{
	/* RFC 8446 section 5.1: content types 20 to 23, version 3.x */
	return (st->first_len < 1 || (st->first[0] >= 20 && st->first[0] <= 23)) &&
	       (st->first_len < 2 || st->first[1] == 3);
}

static int handshake_failed(
	const struct tls_stream *st, int rc, struct tls_failure_info *failure, struct err *err)
{
	int what = SSL_get_error(st->ssl, rc);

	*failure = (struct tls_failure_info){.kind = TLS_FAILURE_OTHER};
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
		failure->kind = TLS_FAILURE_TIMEOUT;
		err_set(err, ERR_TEMP, "TLS handshake: timed out");
	} else if (!looks_like_tls(st)) {
		failure->kind = TLS_FAILURE_NOT_TLS;
		err_set(err, ERR_TEMP, "TLS handshake: the peer does not speak TLS");
	} else if (alert_reason() >= 0) {
		failure->kind = TLS_FAILURE_REMOTE_ALERT;
		failure->alert = alert_reason();
		err_set(err, ERR_TEMP, "TLS handshake: the peer sent alert %d (%s)", failure->alert,
			SSL_alert_desc_string_long(failure->alert));
	} else if (st->eof || (st->io_errno != 0 && what == SSL_ERROR_SYSCALL)) {
		failure->kind = TLS_FAILURE_CLOSED;
		err_set(err, ERR_TEMP, "TLS handshake: %s",
			st->eof ? "the peer closed the connection" : strerror(st->io_errno));
	} else if (st->alert_sent >= 0) {
		failure->kind = TLS_FAILURE_LOCAL_ALERT;
		failure->alert = st->alert_sent;
		err_set(err, ERR_TEMP, "TLS handshake: %s (we sent alert %d)", tls_error_reason(),
			failure->alert);
	} else {
		err_set(err, ERR_TEMP, "TLS handshake: %s", tls_error_reason());
	}
	ERR_clear_error();
	return -1;
}

static void alert_note(const SSL *ssl, int where, int value)
{
	struct tls_stream *st = SSL_get_app_data(ssl);

	if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && value >> 8 == SSL3_AL_FATAL)
		st->alert_sent = value & 0xff;
}

int tls_stream_handshake(
	struct tls_stream *st, struct deadline d, struct tls_failure_info *failure, struct err *err)
{
	int rc;

	SSL_set_info_callback(st->ssl, alert_note);
	conn_raw_deadline(st->c, d);
	ERR_clear_error();
	do {
		st->io_errno = 0;
		rc = SSL_do_handshake(st->ssl);
	} while (rc != 1 && st->io_errno == EINTR);
	if (rc != 1)
		return handshake_failed(st, rc, failure, err);
	SSL_set_info_callback(st->ssl, NULL);
	st->handshaken = true;
	conn_set_layer(st->c, (struct conn_layer){.state = st,
				      .read = stream_read,
				      .write = stream_write,
				      .close = stream_close});
	return 0;
}

bool tls_refused_late(struct conn *c, struct tls_failure_info *failure)
{
	struct tls_stream *st = conn_layer_state(c);
	char octet;

	/* When sending failed first, the alert is still there to be read. */
	if (st == NULL)
		return false;
	if (st->alert_received < 0 && !st->data_received)
		(void)!conn_recv(c, &octet, 1);
	if (st->alert_received < 0 || st->data_received)
		return false;
	*failure = (struct tls_failure_info){
		.kind = TLS_FAILURE_REMOTE_ALERT, .alert = st->alert_received};
	return true;
}

/* SNI is the peer's text and goes to logs and headers: only what a host name may have. */
static void sni_copy(char out[TLS_NAME_MAX], const char *sni)
{
	struct str s = str_from(sni);

	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_alnum(s.p[i]) && strchr("-._", s.p[i]) == NULL)
			s = STR("");
	}
	if (!str_copy(out, TLS_NAME_MAX, s))
		return;
	str_lower(out, s.len);
}

void tls_stream_info(const struct tls_stream *st, struct tls_info *info)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(st->ssl);
	const char *name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;

	*info = (struct tls_info){.resumed = SSL_session_reused(st->ssl) == 1};
	(void)str_copy(info->version, sizeof(info->version), str_from(SSL_get_version(st->ssl)));
	(void)str_copy(info->cipher, sizeof(info->cipher), str_from(name));
	sni_copy(info->sni, SSL_get_servername(st->ssl, TLSEXT_NAMETYPE_host_name));
	SSL_get0_alpn_selected(st->ssl, &alpn, &alpn_len);
	for (unsigned i = 0; i < alpn_len; i++) {
		if (alpn[i] <= ' ' || alpn[i] > '~')
			alpn_len = 0;
	}
	(void)str_copy(info->alpn, sizeof(info->alpn), (struct str){(const char *)alpn, alpn_len});
}

bool tls_is_active(const struct conn *c)
{
	return conn_layer_state(c) != NULL;
}
