/* load - what smtp-source cannot do: many idle sessions, STARTTLS handshakes, and filling a
 * queue with a great many recipients. For tests/bench only; one line a figure on stdout.
 *
 *	load idle IP PORT SESSIONS     opens them (EHLO done), prints, waits for a line on stdin
 *	load tls IP PORT SECONDS THREADS
 *	load fill IP PORT MESSAGES RECIPIENTS DOMAINS THREADS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_MAX = 4096, THREADS_MAX = 256, BANNER_PROBES = 21, IDLE_THREADS = 16, TIMEOUT_S = 60 };

struct peer {
	int fd;
	SSL *ssl;
};

static struct sockaddr_in server;
static SSL_CTX *tls;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("load: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static long number(const char *text, long min, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max)
		die("\"%s\" is not a number from %ld to %ld", text, min, max);
	return n;
}

/* --- one session --- */

static bool peer_open(struct peer *p)
{
	struct timeval limit = {.tv_sec = TIMEOUT_S};
	int one = 1;

	p->ssl = NULL;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return false;
	if (setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
		setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
		setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
		connect(p->fd, (const struct sockaddr *)&server, sizeof(server)) < 0) {
		close(p->fd);
		p->fd = -1;
		return false;
	}
	return true;
}

static void peer_close(struct peer *p)
{
	if (p->ssl != NULL) {
		SSL_shutdown(p->ssl);
		SSL_free(p->ssl);
	}
	if (p->fd >= 0)
		close(p->fd);
	p->ssl = NULL;
	p->fd = -1;
}

static bool peer_write(struct peer *p, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = p->ssl != NULL ? SSL_write(p->ssl, text, (int)len)
					   : send(p->fd, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads until want whole replies are there; false when one has another first digit. */
static bool peer_replies(struct peer *p, unsigned want, char digit)
{
	char line[REPLY_MAX], chunk[REPLY_MAX];
	size_t len = 0;

	while (want > 0) {
		ssize_t n = p->ssl != NULL ? SSL_read(p->ssl, chunk, sizeof(chunk))
					   : recv(p->fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++) {
			if (chunk[i] != '\n') {
				if (len < sizeof(line))
					line[len++] = chunk[i];
				continue;
			}
			if (len < 3 || line[0] != digit)
				return false;
			if (len == 3 || line[3] != '-')
				want--;
			len = 0;
		}
	}
	return true;
}

static bool peer_say(struct peer *p, const char *text, char digit)
{
	return peer_write(p, text, strlen(text)) && peer_replies(p, 1, digit);
}

static bool peer_greet(struct peer *p)
{
	return peer_open(p) && peer_replies(p, 1, '2') && peer_say(p, "EHLO load.example\r\n", '2');
}

/* --- threads that share work --- */

struct work {
	pthread_mutex_t lock;
	long next, limit; /* items taken so far, and how many there are */
	long good, bad;
	double end_s;
	struct peer *peers;
	long recipients, domains;
};

static long work_take(struct work *w)
{
	pthread_mutex_lock(&w->lock);
	long item = w->next < w->limit ? w->next++ : -1;
	pthread_mutex_unlock(&w->lock);
	return item;
}

static void work_done(struct work *w, bool good)
{
	pthread_mutex_lock(&w->lock);
	if (good)
		w->good++;
	else
		w->bad++;
	pthread_mutex_unlock(&w->lock);
}

static double threads_run(long count, void *(*run)(void *), struct work *w)
{
	pthread_t threads[THREADS_MAX];
	double start = now_s();

	for (long i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, run, w) != 0)
			die("cannot start thread %ld", i);
	for (long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return now_s() - start;
}

/* --- idle --- */

static void *idle_open(void *arg)
{
	struct work *w = arg;
	long i;

	while ((i = work_take(w)) >= 0) {
		bool good = peer_greet(&w->peers[i]);
		if (!good)
			peer_close(&w->peers[i]);
		work_done(w, good);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Time from connecting to the banner, median and worst of some probes. */
static void banner_probe(void)
{
	double took[BANNER_PROBES];
	size_t n = 0;

	for (size_t i = 0; i < BANNER_PROBES; i++) {
		struct peer p;
		double start = now_s();
		if (peer_open(&p) && peer_replies(&p, 1, '2'))
			took[n++] = now_s() - start;
		peer_close(&p);
	}
	if (n < BANNER_PROBES)
		die("%zu of %d new connections got no banner", BANNER_PROBES - n, BANNER_PROBES);
	qsort(took, n, sizeof(took[0]), compare);
	printf("banner_median_ms %.2f\nbanner_max_ms %.2f\n", took[n / 2] * 1e3, took[n - 1] * 1e3);
}

static int idle_run(long sessions)
{
	struct work w = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = sessions};
	char line[16];

	w.peers = calloc((size_t)sessions, sizeof(*w.peers));
	if (w.peers == NULL)
		die("no memory");
	double took = threads_run(IDLE_THREADS, idle_open, &w);
	printf("idle_opened %ld\nidle_failed %ld\nidle_open_rate %.0f\n", w.good, w.bad,
		(double)w.good / took);
	banner_probe();
	puts("ready");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		fputs("load: no line to end on\n", stderr);
	for (long i = 0; i < sessions; i++)
		peer_close(&w.peers[i]);
	free(w.peers);
	return w.bad > 0;
}

/* --- STARTTLS --- */

static bool tls_once(struct peer *p)
{
	if (!peer_greet(p) || !peer_say(p, "STARTTLS\r\n", '2'))
		return false;
	p->ssl = SSL_new(tls);
	if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1 || SSL_connect(p->ssl) != 1)
		return false;
	return peer_say(p, "EHLO load.example\r\n", '2') && peer_say(p, "QUIT\r\n", '2');
}

static void *tls_work(void *arg)
{
	struct work *w = arg;

	while (now_s() < w->end_s) {
		struct peer p;
		work_done(w, tls_once(&p));
		peer_close(&p);
	}
	return NULL;
}

static int tls_run(long seconds, long threads)
{
	struct work w = {.lock = PTHREAD_MUTEX_INITIALIZER, .end_s = now_s() + (double)seconds};
	int group[] = {NID_X9_62_prime256v1};

	tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set1_groups(tls, group, 1) != 1)
		die("the TLS library does not start");
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	double took = threads_run(threads, tls_work, &w);
	printf("starttls_rate %.1f\nstarttls_failed %ld\n", (double)w.good / took, w.bad);
	SSL_CTX_free(tls);
	return w.bad > w.good / 100;
}

/* --- fill --- */

/* One transaction, pipelined up to DATA: recipient k of message m goes to one of the domains. */
static bool fill_once(struct peer *p, const struct work *w, long m)
{
	size_t room = 128 + (size_t)w->recipients * 96, at;
	char *text = malloc(room);
	bool good;

	if (text == NULL)
		die("no memory");
	at = (size_t)snprintf(text, room, "MAIL FROM:<load@in.example>\r\n");
	for (long k = 0; k < w->recipients; k++) {
		long n = m * w->recipients + k;
		at += (size_t)snprintf(text + at, room - at,
			"RCPT TO:<r%ld@d%ld.million.example>\r\n", n, n % w->domains);
	}
	good = peer_write(p, text, at) && peer_replies(p, (unsigned)w->recipients + 1, '2') &&
	       peer_say(p, "DATA\r\n", '3');
	at = (size_t)snprintf(text, room,
		"From: <load@in.example>\r\nSubject: one of many\r\nMessage-ID: <%ld@load>\r\n\r\n"
		"text\r\n.\r\n",
		m);
	good = good && peer_write(p, text, at) && peer_replies(p, 1, '2');
	free(text);
	return good;
}

static void *fill_work(void *arg)
{
	struct work *w = arg;
	struct peer p;
	bool open = peer_greet(&p);
	long m;

	while (open && (m = work_take(w)) >= 0) {
		bool good = fill_once(&p, w, m);
		work_done(w, good);
		if (!good) {
			peer_close(&p);
			open = peer_greet(&p);
		}
	}
	peer_close(&p);
	return NULL;
}

static int fill_run(long messages, long recipients, long domains, long threads)
{
	struct work w = {.lock = PTHREAD_MUTEX_INITIALIZER,
		.limit = messages,
		.recipients = recipients,
		.domains = domains};
	double took = threads_run(threads, fill_work, &w);

	printf("fill_messages %ld\nfill_failed %ld\nfill_rate %.0f\n", w.good, w.bad,
		(double)(w.good * recipients) / took);
	return w.good < messages;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 5) {
		fputs("usage: load idle|tls|fill IP PORT NUMBERS...\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)number(argv[3], 1, 65535));
	if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
		die("\"%s\" is not an IPv4 address", argv[2]);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			die("file limit: %s", strerror(errno));
	}
	if (strcmp(argv[1], "idle") == 0 && argc == 5)
		return idle_run(number(argv[4], 1, 100000));
	if (strcmp(argv[1], "tls") == 0 && argc == 6)
		return tls_run(number(argv[4], 1, 3600), number(argv[5], 1, THREADS_MAX));
	if (strcmp(argv[1], "fill") == 0 && argc == 8)
		return fill_run(number(argv[4], 1, 10000000), number(argv[5], 1, 1000),
			number(argv[6], 1, 1000000), number(argv[7], 1, THREADS_MAX));
	fputs("usage: load idle|tls|fill IP PORT NUMBERS...\n", stderr);
	return 2;
}
