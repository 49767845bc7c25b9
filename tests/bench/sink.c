/* sink - an SMTP server that keeps nothing and can do STARTTLS, which smtp-sink cannot. For
 * tests/bench only.
 *
 *	sink IP PORT MESSAGES [CERT KEY]
 *
 * Offers STARTTLS when a certificate (PEM with chain) is given. Prints "listening"; after that
 * many messages prints its figures, one a line, and ends. A thread a connection; replies are
 * written when all that came is read, as to a peer that pipelines. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_MAX = 65536, OUT_MAX = 4096, BACKLOG = 1024 };

struct session {
	int fd;
	SSL *ssl;
	size_t at, len, out_len;
	char in[IN_MAX], out[OUT_MAX];
};

static SSL_CTX *tls; /* NULL: no STARTTLS */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_there = PTHREAD_COND_INITIALIZER;
static long messages, messages_tls, messages_want, connections, handshakes, resumed;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static bool flush(struct session *s)
{
	size_t done = 0;

	while (done < s->out_len) {
		ssize_t n = s->ssl != NULL
				    ? SSL_write(s->ssl, s->out + done, (int)(s->out_len - done))
				    : send(s->fd, s->out + done, s->out_len - done, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	s->out_len = 0;
	return true;
}

static bool say(struct session *s, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(s->out) - s->out_len && !flush(s))
		return false;
	memcpy(s->out + s->out_len, text, len);
	s->out_len += len;
	return true;
}

/* The next line without its end; valid until the next call. NULL: the peer is gone. */
static const char *line_read(struct session *s, size_t *len)
{
	for (;;) {
		char *start = s->in + s->at, *lf = memchr(start, '\n', s->len - s->at);
		if (lf != NULL) {
			s->at = (size_t)(lf + 1 - s->in);
			*len = (size_t)(lf - start);
			if (*len > 0 && start[*len - 1] == '\r')
				(*len)--;
			return start;
		}
		memmove(s->in, start, s->len - s->at);
		s->len -= s->at;
		s->at = 0;
		if (s->len == sizeof(s->in) || !flush(s))
			return NULL;
		ssize_t n = s->ssl != NULL ? SSL_read(s->ssl, s->in + s->len,
						     (int)(sizeof(s->in) - s->len))
					   : recv(s->fd, s->in + s->len, sizeof(s->in) - s->len, 0);
		if (n <= 0)
			return NULL;
		s->len += (size_t)n;
	}
}

static bool message_read(struct session *s)
{
	const char *line;
	size_t len;

	if (!say(s, "354 go on\r\n"))
		return false;
	do {
		line = line_read(s, &len);
		if (line == NULL)
			return false;
	} while (len != 1 || line[0] != '.');
	if (!say(s, "250 2.0.0 gone\r\n") || !flush(s))
		return false;
	pthread_mutex_lock(&lock);
	messages++;
	messages_tls += s->ssl != NULL;
	if (messages >= messages_want)
		pthread_cond_signal(&all_there);
	pthread_mutex_unlock(&lock);
	return true;
}

static bool starttls(struct session *s)
{
	if (!say(s, "220 2.0.0 go on\r\n") || !flush(s))
		return false;
	s->at = s->len = 0;
	s->ssl = SSL_new(tls);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1 || SSL_accept(s->ssl) != 1)
		return false;
	pthread_mutex_lock(&lock);
	handshakes++;
	resumed += SSL_session_reused(s->ssl);
	pthread_mutex_unlock(&lock);
	return true;
}

static bool is(const char *line, size_t len, const char *word)
{
	return len >= strlen(word) && strncasecmp(line, word, strlen(word)) == 0;
}

static void *session_run(void *arg)
{
	struct session *s = arg;
	const char *line;
	size_t len;
	bool on = say(s, "220 sink.example ESMTP\r\n");

	while (on && (line = line_read(s, &len)) != NULL) {
		if (is(line, len, "EHLO"))
			on = say(s,
				tls != NULL && s->ssl == NULL
					? "250-sink.example\r\n250-PIPELINING\r\n"
					  "250-STARTTLS\r\n250 8BITMIME\r\n"
					: "250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
		else if (is(line, len, "STARTTLS") && tls != NULL && s->ssl == NULL)
			on = starttls(s);
		else if (is(line, len, "DATA"))
			on = message_read(s);
		else if (is(line, len, "QUIT"))
			on = say(s, "221 2.0.0 bye\r\n") && flush(s) && false;
		else if (is(line, len, "MAIL") || is(line, len, "RCPT") || is(line, len, "RSET") ||
			 is(line, len, "NOOP"))
			on = say(s, "250 2.0.0 ok\r\n");
		else
			on = say(s, "502 5.5.1 what?\r\n");
	}
	if (s->ssl != NULL)
		SSL_free(s->ssl);
	close(s->fd);
	free(s);
	return NULL;
}

static void *accept_run(void *arg)
{
	int listener = *(int *)arg, one = 1;
	pthread_attr_t detached;

	if (pthread_attr_init(&detached) != 0 ||
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) != 0)
		die("sink: thread attributes");
	for (;;) {
		struct session *s = calloc(1, sizeof(*s));
		pthread_t thread;
		if (s == NULL)
			die("sink: memory");
		s->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (s->fd < 0 || setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
			die("sink: accept");
		pthread_mutex_lock(&lock);
		connections++;
		pthread_mutex_unlock(&lock);
		if (pthread_create(&thread, &detached, session_run, s) != 0)
			die("sink: thread");
	}
	return NULL;
}

static int listen_on(const char *ip, long port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, ip, &at.sin_addr) != 1 || port < 1 || port > 65535) {
		fputs("sink: not an IPv4 address and a port\n", stderr);
		exit(2);
	}
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, BACKLOG) < 0)
		die("sink: listen");
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 4 && argc != 6) {
		fputs("usage: sink IP PORT MESSAGES [CERT KEY]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	int listener = listen_on(argv[1], strtol(argv[2], NULL, 10));
	messages_want = strtol(argv[3], NULL, 10);
	if (argc == 6) {
		tls = SSL_CTX_new(TLS_server_method());
		if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, argv[4]) != 1 ||
			SSL_CTX_use_PrivateKey_file(tls, argv[5], SSL_FILETYPE_PEM) != 1) {
			fputs("sink: the certificate cannot be used\n", stderr);
			return 1;
		}
	}
	if (pthread_create(&thread, NULL, accept_run, &listener) != 0)
		die("sink: thread");
	puts("listening");
	fflush(stdout);
	pthread_mutex_lock(&lock);
	while (messages < messages_want)
		pthread_cond_wait(&all_there, &lock);
	printf("messages %ld\nmessages_tls %ld\nconnections %ld\nhandshakes %ld\nresumed %ld\n",
		messages, messages_tls, connections, handshakes, resumed);
	fflush(stdout);
	_exit(0); /* with the lock held: no thread touches anything any more */
}
