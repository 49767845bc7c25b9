#include "tests/unit/unit.h"

#include "base/mem.h"
#include "queue/hops.h"
#include "queue/queue.h"
#include "store/directory.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a next hop that says what it is told --- */

struct peer {
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	const char *greeting, *mail; /* NULL: accept; "" hangs up */
	_Atomic bool close_after_greeting, lmtp;
	const char *_Atomic ext;
	_Atomic int live; /* sessions */
	_Atomic int connections, sessions, messages, rcpts, quits;
	_Atomic int delay_ms; /* before the reply to a message */
};

struct peer_session {
	struct peer *p;
	int fd;
	char in[8192];
	size_t len;
};

static bool say(int fd, const char *text)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "%s\r\n", text);

	return send(fd, line, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool line_get(struct peer_session *s, char *out, size_t size)
{
	for (;;) {
		char *lf = memchr(s->in, '\n', s->len);
		if (lf != NULL) {
			size_t n = (size_t)(lf + 1 - s->in);
			snprintf(out, size, "%.*s", (int)(n < 2 ? 0 : n - 2), s->in);
			memmove(s->in, s->in + n, s->len - n);
			s->len -= n;
			return true;
		}
		if (s->len == sizeof(s->in))
			s->len = 0;
		ssize_t got = recv(s->fd, s->in + s->len, sizeof(s->in) - s->len, 0);
		if (got <= 0)
			return false;
		s->len += (size_t)got;
	}
}

/* "no@" is unknown, "later@" is busy, others are fine; for LMTP "full@" fails at the end. */
static const char *rcpt_reply(const char *line)
{
	if (strstr(line, "<no@") != NULL)
		return "550 5.1.1 no such user";
	return strstr(line, "<later@") != NULL ? "450 4.2.1 busy" : "250 2.1.5 ok";
}

static void end_reply(struct peer_session *s, int ok, bool full)
{
	if (s->p->delay_ms > 0)
		usleep((useconds_t)s->p->delay_ms * 1000);
	atomic_fetch_add(&s->p->messages, 1);
	atomic_fetch_add(&s->p->rcpts, ok);
	for (int i = 0; i < (s->p->lmtp ? ok : 1); i++)
		say(s->fd, full && i == ok - 1 ? "452 4.2.2 full" : "250 2.0.0 taken");
}

static void peer_dialogue(struct peer_session *s)
{
	struct peer *p = s->p;
	char line[1000];
	int ok = 0;
	bool full = false;

	pthread_mutex_lock(&p->lock);
	const char *greeting = p->greeting, *mail = p->mail;
	bool hang_up = p->close_after_greeting;
	pthread_mutex_unlock(&p->lock);
	if (!say(s->fd, greeting != NULL ? greeting : "220 peer") || hang_up)
		return;
	while (line_get(s, line, sizeof(line))) {
		if (strncmp(line, "EHLO", 4) == 0 || strncmp(line, "LHLO", 4) == 0) {
			atomic_fetch_add(&p->sessions, 1);
			say(s->fd, p->ext != NULL ? p->ext
						  : "250-peer\r\n250-PIPELINING\r\n250 "
						    "ENHANCEDSTATUSCODES");
		} else if (strncmp(line, "MAIL", 4) == 0) {
			ok = 0;
			full = false;
			if (mail != NULL && mail[0] == '\0')
				return;
			say(s->fd, mail != NULL ? mail : "250 2.1.0 ok");
		} else if (strncmp(line, "RCPT", 4) == 0) {
			const char *r = mail != NULL ? "503 5.5.1 no MAIL" : rcpt_reply(line);
			ok += r[0] == '2';
			full |= strstr(line, "<full@") != NULL;
			say(s->fd, r);
		} else if (strncmp(line, "DATA", 4) == 0) {
			say(s->fd, ok > 0 ? "354 go" : "554 5.5.1 nobody");
			while (ok > 0 && line_get(s, line, sizeof(line)) && strcmp(line, ".") != 0)
				;
			if (ok > 0)
				end_reply(s, ok, full);
		} else if (strncmp(line, "QUIT", 4) == 0) {
			atomic_fetch_add(&p->quits, 1);
			say(s->fd, "221 bye");
			return;
		} else {
			say(s->fd, "250 2.0.0 ok");
		}
	}
}

static void *session_run(void *arg)
{
	struct peer_session *s = arg;

	struct peer *p = s->p;

	peer_dialogue(s);
	close(s->fd);
	free(s);
	atomic_fetch_sub(&p->live, 1);
	return NULL;
}

static void *peer_run(void *arg)
{
	struct peer *p = arg;
	int fd;

	while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
		struct peer_session *s = mem_alloc(sizeof(*s));
		pthread_t t;
		s->p = p;
		s->fd = fd;
		atomic_fetch_add(&p->connections, 1);
		atomic_fetch_add(&p->live, 1);
		assert_int_equal(pthread_create(&t, NULL, session_run, s), 0);
		pthread_detach(t);
	}
	return NULL;
}

static void peer_listen(struct peer *p)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)p->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int one = 1;

	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&sa, &len), 0);
	p->port = ntohs(sa.sin_port);
	assert_int_equal(listen(p->fd, 100), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

static struct peer *peer_new(void)
{
	struct peer *p = mem_alloc(sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	peer_listen(p);
	return p;
}

static void peer_deaf(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	p->fd = -1;
}

static void peer_free(struct peer *p)
{
	if (p->fd >= 0)
		peer_deaf(p);
	while (atomic_load(&p->live) > 0)
		usleep(1000);
	free(p);
}

static void peer_script(struct peer *p, const char *greeting, const char *mail)
{
	pthread_mutex_lock(&p->lock);
	p->greeting = greeting;
	p->mail = mail;
	pthread_mutex_unlock(&p->lock);
}

/* --- a gateway with a queue --- */

struct box {
	char dir[64];
	struct store *store;
	struct config *config;
	struct config_holder *holder;
	struct dns *dns;
	struct queue *q;
	struct arena *arena;
	struct peer *peer; /* smtp_port of MX hosts is its port */
};

static const char zones[] = "far.example. MX 10 mx.far.example.\n"
			    "mx.far.example. A 127.0.0.1\n"
			    "addr.example. A 127.0.0.1\n"
			    "null.example. MX 0 .\n"
			    "loop.example. MX 10 mx.mox.example.\n"
			    "nohost.example. MX 10 gone.example.\n"
			    "bogus.example. MX 10 mx.far.example.\n"
			    "bogus: mx bogus.example. signature expired\n"
			    "fail: mx fail.example.\n"
			    "timeout: mx slow.example.\n"
			    "nothing.example. TXT \"x\"\n";

static void queue_up(struct box *b)
{
	struct err err;

	assert_int_equal(queue_start(
				 &(struct queue_options){
					 .store = b->store, .config = b->holder, .dns = b->dns},
				 &b->q, &err),
		0);
}

static struct box *box_new(void)
{
	struct box *b = mem_alloc(sizeof(*b));
	struct store_account anna = {.name = STR("anna")};
	struct store_domain in = {.name = STR("in.example"), .delivery = STORE_DELIVERY_MAILBOX};
	struct store_address address = {.localpart = STR("anna"), .kind = STORE_ADDRESS_MAILBOX};
	struct err err;

	snprintf(b->dir, sizeof(b->dir), "/tmp/mox-test-queue-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(store_open(b->dir, &b->store, &err), 0);
	assert_int_equal(dns_open_fixture(str_from(zones), &b->dns, &err), 0);
	b->peer = peer_new();
	b->config = config_new(b->dir, "mx.mox.example");
	b->config->queue.smtp_port = b->peer->port;
	b->config->queue.command_timeout_ms = 2000;
	b->config->queue.connect_timeout_ms = 2000;
	b->holder = config_holder_new(b->config);
	b->arena = arena_open();
	assert_int_equal(store_account_put(b->store, &anna, &err), 0);
	assert_int_equal(store_domain_put(b->store, &in, &err), 0);
	address.domain_id = in.id;
	address.account_id = anna.id;
	assert_int_equal(store_address_put(b->store, &address, &err), 0);
	queue_up(b);
	return b;
}

static void box_free(struct box *b)
{
	char cmd[128];

	queue_stop(&b->q, deadline_in_ms(2000));
	config_holder_free(&b->holder);
	store_close(&b->store);
	dns_close(&b->dns);
	arena_close(&b->arena);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	assert_int_equal(system(cmd), 0);
	peer_free(b->peer);
	free(b);
	clock_set_fake(0);
}

static void relay_put(
	struct box *b, const char *name, const char *hosts, enum store_protocol protocol)
{
	struct store_domain d = {.name = str_from(name),
		.delivery = STORE_DELIVERY_RELAY,
		.rcpt_check = STORE_CHECK_ANY,
		.relay = {.protocol = protocol, .tls = STORE_TLS_NONE}};
	struct str rest = str_from(hosts);
	struct err err;

	while (str_next(&rest, ' ', &d.relay.hosts[d.relay.host_count]))
		d.relay.host_count++;
	assert_int_equal(store_domain_put(b->store, &d, &err), 0);
}

static const char *peer_host(struct box *b, const struct peer *p)
{
	return arena_printf(b->arena, "127.0.0.1:%u", p->port);
}

/* Queues a message from anna to the space-separated recipients. */
static int64_t queue_mail(struct box *b, const char *rcpts, unsigned notify)
{
	struct store_rcpt_new to[20] = {{.notify = 0}};
	struct store_msg_new msg = {.session = STR("s1"),
		.mail_from = STR("anna@in.example"),
		.body = STR("Subject: for you\r\n\r\ntext\r\n"),
		.rcpts = to};
	struct str rest = str_from(rcpts), head;
	struct err err = {.kind = ERR_NONE};
	int64_t id = 0;

	while (str_next(&rest, ' ', &to[msg.rcpt_count].address)) {
		struct store_rcpt_new *r = &to[msg.rcpt_count++];
		assert_true(str_split(r->address, '@', &head, &r->dest));
		r->notify = notify;
	}
	assert_int_equal(store_msg_add(b->store, &msg, &id, &err), 0);
	return id;
}

/* Waits until the message is gone (0) or none of its recipients is in flight and all have
 * made the attempts (1). */
static int settled(struct box *b, int64_t id, unsigned attempts, struct store_queue_message *m)
{
	for (int i = 0; i < 2000; i++) {
		struct err err;
		bool all = true;
		int rc = store_queue_get(b->store, id, b->arena, m, &err);
		assert_true(rc >= 0);
		if (rc == 0)
			return 0;
		for (size_t k = 0; k < m->rcpt_count; k++)
			all = all && !m->rcpts[k].in_flight && m->rcpts[k].attempts >= attempts;
		if (all)
			return 1;
		usleep(5000);
	}
	fail_msg("message %lld does not settle", (long long)id);
	return -1;
}

static void gone(struct box *b, int64_t id)
{
	struct store_queue_message m;

	assert_int_equal(settled(b, id, 1000, &m), 0);
}

/* Waits for n mails in anna's Maildir; the newest one with needle is returned. */
static const char *mailbox(struct box *b, size_t n, const char *needle)
{
	char path[400], *text = arena_alloc(b->arena, 20000);

	for (int i = 0; i < 1000; i++) {
		size_t count = 0;
		const char *found = NULL;
		struct dirent *e;
		snprintf(path, sizeof(path), "%s/mail/anna/new", b->dir);
		DIR *d = opendir(path);
		while (d != NULL && (e = readdir(d)) != NULL) {
			if (e->d_name[0] == '.')
				continue;
			count++;
			snprintf(path, sizeof(path), "%s/mail/anna/new/%s", b->dir, e->d_name);
			FILE *f = fopen(path, "r");
			text[f != NULL ? fread(text, 1, 19999, f) : 0] = '\0';
			if (f != NULL)
				fclose(f);
			if (strstr(text, needle) != NULL)
				found = arena_strdup(b->arena, str_from(text));
		}
		if (d != NULL)
			closedir(d);
		if (count >= n && (found != NULL || n == 0))
			return found;
		usleep(5000);
	}
	fail_msg("no %zu mails, or none with %s", n, needle);
	return NULL;
}

/* Figures follow the commit: wait a moment for them. */
static void delivered(struct box *b, int64_t n)
{
	struct queue_stats stats;

	for (int i = 0; i < 200; i++) {
		queue_stats_get(b->q, &stats);
		if (stats.delivered == n)
			break;
		usleep(5000);
	}
	assert_int_equal(stats.delivered, n);
}

static void retry(struct box *b, int64_t id)
{
	size_t changed;
	struct err err;

	assert_int_equal(queue_act(b->q, STORE_QUEUE_RETRY, id, 0, &changed, &err), 0);
	assert_true(changed > 0);
}

/* --- tests --- */

static void backoff_doubles(void **state)
{
	struct config_queue c = {.retry_first_s = 450};

	(void)state;
	assert_int_equal(queue_backoff_s(&c, 0), 450);
	assert_int_equal(queue_backoff_s(&c, 1), 900);
	assert_int_equal(queue_backoff_s(&c, 7), 57600);
	assert_true(queue_backoff_s(&c, 4000) > 0);
}

/* spec 9.8.22 */
static void a_whole_life(void **state)
{
	struct box *b = box_new();
	struct store_queue_message m;

	(void)state;
	peer_deaf(b->peer);
	int64_t start_ms = clock_unix_ms();
	int64_t id = queue_mail(b, "zoe@far.example", 0);
	assert_int_equal(settled(b, id, 1, &m), 1);
	assert_non_null(str_find(m.rcpts[0].last_error, STR("refused")));
	int64_t wait_ms = m.rcpts[0].next_attempt_ms - start_ms;
	assert_true(wait_ms >= 450000 && wait_ms < 450000 + 10000);

	peer_listen(b->peer);
	b->peer->close_after_greeting = true;
	retry(b, id);
	assert_int_equal(settled(b, id, 2, &m), 1);
	assert_non_null(str_find(m.rcpts[0].last_error, STR("EHLO")));
	b->peer->close_after_greeting = false;
	peer_script(b->peer, "451 4.3.2 not now", NULL);
	retry(b, id);
	assert_int_equal(settled(b, id, 3, &m), 1);
	assert_non_null(str_find(m.rcpts[0].last_error, STR("not now")));
	peer_script(b->peer, NULL, "451 4.7.1 greylisted");
	retry(b, id);
	assert_int_equal(settled(b, id, 4, &m), 1);
	assert_non_null(str_find(m.rcpts[0].last_error, STR("greylisted")));
	assert_int_equal(m.attempts[3].code, 451);
	assert_true(str_eq(m.attempts[3].mx, STR("mx.far.example")));
	peer_deaf(b->peer);
	retry(b, id);
	assert_int_equal(settled(b, id, 5, &m), 1);
	const char *delay = mailbox(b, 1, "Action: delayed");
	assert_non_null(strstr(delay, "Will-Retry-Until: "));
	for (unsigned n = 6; n <= 7; n++) {
		retry(b, id);
		assert_int_equal(settled(b, id, n, &m), 1);
	}
	assert_int_equal(m.attempt_count, 7);
	retry(b, id);
	gone(b, id);
	const char *failed = mailbox(b, 2, "Action: failed");
	assert_non_null(strstr(failed, "Final-Recipient: rfc822; zoe@far.example\n"));
	assert_non_null(strstr(failed, "Subject: for you\n"));
	box_free(b);
}

static const struct {
	const char *rcpt, *ecode;
	int outcome; /* 0 delivered, 1 deferred, 2 failed */
} mx_cases[] = {
	{"x@far.example", "", 0},
	{"x@addr.example", "", 0},
	{"x@[127.0.0.1]", "", 0},
	{"anna@in.example", "", 0},
	{"no@far.example", "5.1.1", 2},
	{"x@null.example", "5.1.10", 2},
	{"x@gone.example", "5.1.2", 2},
	{"x@loop.example", "5.4.6", 2},
	{"x@nothing.example", "5.4.4", 2},
	{"zoe@in.example", "5.1.1", 2},
	{"later@far.example", "4.2.1", 1},
	{"x@nohost.example", "4.4.4", 1},
	{"x@bogus.example", "4.4.3", 1},
	{"x@fail.example", "4.4.3", 1},
	{"x@slow.example", "4.4.3", 1},
};

static void destinations_are_found(void **state)
{
	struct box *b = box_new();
	struct store_queue_message m;
	size_t mails = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(mx_cases) / sizeof(mx_cases[0]); i++) {
		print_message("to %s\n", mx_cases[i].rcpt);
		int64_t id = queue_mail(b, mx_cases[i].rcpt, 0);
		if (mx_cases[i].outcome == 1) {
			assert_int_equal(settled(b, id, 1, &m), 1);
			assert_int_equal(m.attempts[0].outcome, STORE_DEFERRED);
			assert_true(str_eq(m.attempts[0].ecode, str_from(mx_cases[i].ecode)));
			continue;
		}
		gone(b, id);
		char status[40];
		snprintf(status, sizeof(status), "Status: %s\n", mx_cases[i].ecode);
		if (mx_cases[i].outcome == 2)
			mailbox(b, ++mails, status);
		else if (strcmp(mx_cases[i].rcpt, "anna@in.example") == 0)
			mailbox(b, ++mails, "Delivered-To: anna@in.example\n");
	}
	assert_int_equal(b->peer->messages, 3);
	box_free(b);
}

static void recipients_share_a_transaction(void **state)
{
	struct box *b = box_new();
	struct store_queue_message m;

	(void)state;
	int64_t id = queue_mail(b,
		"a@far.example b@far.example no@far.example later@far.example "
		"c@far.example",
		0);
	assert_int_equal(settled(b, id, 1, &m), 1);
	assert_int_equal(b->peer->messages, 1);
	assert_int_equal(b->peer->rcpts, 3);
	for (size_t i = 0; i < m.rcpt_count; i++) {
		bool later = str_starts(m.rcpts[i].address, STR("later@"));
		bool no = str_starts(m.rcpts[i].address, STR("no@"));
		assert_int_equal(m.rcpts[i].state, later ? STORE_RCPT_QUEUED
						   : no  ? STORE_RCPT_FAILED
							 : STORE_RCPT_DELIVERED);
	}
	const char *dsn = mailbox(b, 1, "Action: failed");
	assert_null(strstr(dsn, "later@"));
	/* The kept session serves the next message. */
	gone(b, queue_mail(b, "d@far.example", 0));
	assert_int_equal(b->peer->sessions, 1);
	struct queue_stats stats;
	queue_stats_get(b->q, &stats);
	assert_int_equal(stats.connections_opened, 1);
	delivered(b, 5); /* with the DSN */
	box_free(b);
}

static void lmtp_answers_for_each(void **state)
{
	struct box *b = box_new();
	struct store_queue_message m;

	(void)state;
	b->peer->lmtp = true;
	relay_put(b, "lmtp.example", peer_host(b, b->peer), STORE_PROTOCOL_LMTP);
	int64_t id = queue_mail(b, "a@lmtp.example full@lmtp.example", 0);
	assert_int_equal(settled(b, id, 1, &m), 1);
	for (size_t i = 0; i < m.rcpt_count; i++) {
		bool full = str_starts(m.rcpts[i].address, STR("full@"));
		assert_int_equal(m.rcpts[i].state, full ? STORE_RCPT_QUEUED : STORE_RCPT_DELIVERED);
	}
	assert_int_equal(b->peer->messages, 1);
	box_free(b);
}

static void relay_hosts_fail_over(void **state)
{
	struct box *b = box_new();
	struct peer *dead = peer_new(), *busy = peer_new();

	(void)state;
	peer_deaf(dead);
	peer_script(busy, NULL, "451 4.3.0 later");
	relay_put(b, "relay.example",
		arena_printf(b->arena, "%s %s %s", peer_host(b, dead), peer_host(b, busy),
			peer_host(b, b->peer)),
		STORE_PROTOCOL_SMTP);
	gone(b, queue_mail(b, "a@relay.example", 0));
	assert_int_equal(busy->connections, 1);
	assert_int_equal(b->peer->messages, 1);
	box_free(b);
	peer_free(busy);
	peer_free(dead);
}

/* A kept session that has died in the meantime costs no attempt. */
static void stale_sessions_are_replaced(void **state)
{
	struct box *b = box_new();

	(void)state;
	gone(b, queue_mail(b, "a@far.example", 0));
	/* From the second message on this session would hang up at MAIL. */
	for (int i = 0; i < 3; i++) {
		struct store_queue_message m;
		int64_t id = queue_mail(b, "b@far.example", 0);
		assert_int_equal(settled(b, id, 1000, &m), 0);
	}
	assert_int_equal(b->peer->messages, 4);
	assert_int_equal(b->peer->connections, 1);
	box_free(b);
}

static void verbs_work(void **state)
{
	struct box *b = box_new();
	struct store_queue_message m;
	size_t changed;
	struct err err;

	(void)state;
	peer_script(b->peer, NULL, "451 4.3.0 later");
	int64_t id = queue_mail(b, "a@far.example", 0), other = queue_mail(b, "b@far.example", 0);
	assert_int_equal(settled(b, id, 1, &m), 1);
	assert_int_equal(settled(b, other, 1, &m), 1);
	assert_int_equal(queue_act(b->q, STORE_QUEUE_HOLD, id, 0, &changed, &err), 0);
	peer_script(b->peer, NULL, NULL);
	/* The kept session still has the old script: let it go. */
	usleep(10000);
	struct store_queue_filter all = {.state = -1, .limit = 100};
	for (int i = 0; i < 400 && b->peer->messages == 0; i++) {
		assert_int_equal(queue_act_all(b->q, STORE_QUEUE_RETRY, &all, &changed, &err), 0);
		usleep(50000);
	}
	gone(b, other);
	assert_int_equal(settled(b, id, 1, &m), 1);
	assert_int_equal(m.rcpts[0].state, STORE_RCPT_HELD);
	assert_int_equal(m.rcpts[0].attempts, 1);
	assert_int_equal(queue_act(b->q, STORE_QUEUE_UNHOLD, id, 0, &changed, &err), 0);
	gone(b, id);
	assert_int_equal(queue_act(b->q, STORE_QUEUE_RETRY, id, 0, &changed, &err), 0);
	assert_int_equal(changed, 0);
	peer_script(b->peer, "451 4.3.2 no", NULL);
	id = queue_mail(b, "later@far.example", 0);
	assert_int_equal(settled(b, id, 1, &m), 1);
	assert_int_equal(queue_act(b->q, STORE_QUEUE_DROP, id, 0, &changed, &err), 0);
	gone(b, id);
	box_free(b);
}

/* Once a next hop is known to be down, the rest of its queue waits without being tried, and
 * nobody else notices. */
static void a_down_hop_is_left_alone(void **state)
{
	enum { COUNT = 150 };
	struct box *b = box_new();
	struct peer *dead = peer_new();
	int64_t ids[COUNT];
	struct store_queue_message m;
	struct queue_stats stats;
	struct queue_hop_down down;
	size_t tried = 0;

	(void)state;
	peer_deaf(dead);
	relay_put(b, "dead.example", peer_host(b, dead), STORE_PROTOCOL_SMTP);
	ids[0] = queue_mail(b, "x@dead.example", 0);
	assert_int_equal(settled(b, ids[0], 1, &m), 1);
	assert_int_equal(m.attempt_count, 1);
	queue_stats_get(b->q, &stats);
	assert_int_equal(stats.hops_down, 1);
	assert_int_equal(queue_hops_down(b->q, &down, 1), 1);
	assert_string_equal(down.name, peer_host(b, dead));
	assert_non_null(strstr(down.text, "connect"));
	assert_in_range(down.since_ms, clock_unix_ms() - 60000, clock_unix_ms());
	for (size_t i = 1; i < COUNT; i++)
		ids[i] = queue_mail(b, "x@dead.example", 0);
	gone(b, queue_mail(b, "a@far.example", 0));
	for (size_t i = 1; i < COUNT; i++) {
		assert_int_equal(settled(b, ids[i], 1, &m), 1);
		assert_non_null(str_find(m.rcpts[0].last_error, STR("down")));
		assert_true(m.rcpts[0].next_attempt_ms > clock_unix_ms() + 400000);
		tried += m.attempt_count;
	}
	assert_int_equal(tried, 0);
	/* A retry by hand is a real attempt. */
	peer_listen(dead);
	retry(b, ids[1]);
	gone(b, ids[1]);
	queue_stats_get(b->q, &stats);
	assert_int_equal(stats.hops_down, 0);
	box_free(b);
	peer_free(dead);
}

static const struct {
	unsigned notify;
	const char *rcpt, *ext, *action; /* NULL: no report */
} notifies[] = {
	{STORE_NOTIFY_NEVER, "no@far.example", NULL, NULL},
	{STORE_NOTIFY_SUCCESS, "no@far.example", NULL, NULL},
	{STORE_NOTIFY_FAILURE, "no@far.example", NULL, "failed"},
	{STORE_NOTIFY_SUCCESS, "a@far.example", NULL, "relayed"},
	{STORE_NOTIFY_SUCCESS, "a@far.example", "250-peer\r\n250 DSN", NULL},
	{0, "a@far.example", NULL, NULL},
};

static void notify_is_honoured(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(notifies) / sizeof(notifies[0]); i++) {
		struct box *b = box_new();
		char action[40];
		print_message("notify %u to %s\n", notifies[i].notify, notifies[i].rcpt);
		b->peer->ext = notifies[i].ext;
		gone(b, queue_mail(b, notifies[i].rcpt, notifies[i].notify));
		/* Into the mailbox: a report of its own, and the message. */
		gone(b, queue_mail(b, "anna@in.example", STORE_NOTIFY_SUCCESS));
		mailbox(b, notifies[i].action != NULL ? 3 : 2, "Action: delivered");
		snprintf(action, sizeof(action), "Action: %s",
			notifies[i].action != NULL ? notifies[i].action : "delivered");
		mailbox(b, 2, action);
		bool sent = notifies[i].rcpt[0] == 'a';
		delivered(b, 2 + sent + (notifies[i].action != NULL));
		box_free(b);
	}
}

/* Two deliveries at most for one destination, and the others do not wait for them. */
static void slow_hops_hold_up_nobody(void **state)
{
	struct box *b = box_new();
	struct peer *slow = peer_new();
	int64_t ids[8], start_ms = clock_mono_ms();

	(void)state;
	b->config->queue.max_concurrent_per_domain = 2;
	slow->delay_ms = 300;
	relay_put(b, "slow.example", peer_host(b, slow), STORE_PROTOCOL_SMTP);
	for (size_t i = 0; i < 8; i++)
		ids[i] = queue_mail(b, "x@slow.example", 0);
	gone(b, queue_mail(b, "a@far.example", 0));
	assert_true(clock_mono_ms() - start_ms < 1000);
	for (size_t i = 0; i < 8; i++)
		gone(b, ids[i]);
	assert_int_equal(slow->messages, 8);
	assert_true(slow->connections <= 2);
	box_free(b);
	peer_free(slow);
}

/* Stopping cuts what hangs, and what was not delivered is still queued. */
static void stopping_loses_nothing(void **state)
{
	struct box *b = box_new();
	struct store_queue_message m;
	struct err err;

	(void)state;
	b->config->queue.command_timeout_ms = 60000;
	b->peer->delay_ms = 5000;
	int64_t id = queue_mail(b, "a@far.example", 0);
	for (int i = 0; i < 400 && b->peer->sessions == 0; i++)
		usleep(5000);
	int64_t start_ms = clock_mono_ms();
	queue_stop(&b->q, deadline_in_ms(50));
	assert_true(clock_mono_ms() - start_ms < 3000);
	assert_int_equal(store_queue_get(b->store, id, b->arena, &m, &err), 1);
	assert_int_equal(m.rcpts[0].state, STORE_RCPT_QUEUED);
	assert_false(m.rcpts[0].in_flight);
	b->peer->delay_ms = 0;
	queue_up(b);
	gone(b, id);
	box_free(b);
}

static void lists_what_is_down_longest(void **state)
{
	enum { COUNT = 7, MAX = 3 };
	struct hops *h = hops_open();
	struct queue_hop_down out[MAX];

	(void)state;
	assert_int_equal(hops_down_list(h, 1000, out, MAX), 0);
	for (int i = 0; i < COUNT; i++) {
		char name[16];
		snprintf(name, sizeof(name), "h%d", i);
		/* Not in the order of their times. */
		hops_failed(h, name, name, 1000 + i * 5 % COUNT, 30000, "refused");
	}
	assert_int_equal(hops_down_list(h, 1010, out, MAX), MAX);
	for (size_t i = 0; i < MAX; i++)
		assert_int_equal(out[i].since_ms, 1000 + i);
	assert_string_equal(out[0].name, "h0");
	assert_string_equal(out[0].text, "refused");
	/* It failed again: that changes nothing of since when. */
	hops_failed(h, "h0", "h0", 60000, 30000, "timed out");
	assert_int_equal(hops_down_list(h, 60001, out, 1), 1);
	assert_int_equal(out[0].since_ms, 1000);
	assert_string_equal(out[0].text, "timed out");
	/* Not tried for long: nobody knows. */
	assert_int_equal(hops_down_list(h, 60001 + 2 * 3600 * 1000, out, MAX), 0);
	hops_close(&h);
}

static void down_memory_grows(void **state)
{
	struct hops *h = hops_open();
	char text[HOP_TEXT];
	int64_t now_ms = 1000000, wait_ms = 30000;

	(void)state;
	assert_int_equal(hops_ask(h, "k", now_ms, text), HOP_UP);
	for (int i = 0; i < 8; i++) {
		hops_failed(h, "k", "k.example", now_ms, 30000, "refused");
		hops_failed(h, "k", "k.example", now_ms + 1, 30000,
			"refused"); /* beside it: counts once */
		assert_int_equal(hops_ask(h, "k", now_ms + wait_ms - 1, text), HOP_DOWN);
		assert_string_equal(text, "refused");
		assert_int_equal(hops_down_count(h, now_ms + 1), 1);
		now_ms += wait_ms;
		assert_int_equal(hops_ask(h, "k", now_ms, text), HOP_PROBE);
		assert_int_equal(hops_ask(h, "k", now_ms, text), HOP_DOWN);
		wait_ms = wait_ms * 2 > 600000 ? 600000 : wait_ms * 2;
	}
	hops_probe_end(h, "k");
	assert_int_equal(hops_ask(h, "k", now_ms, text), HOP_PROBE);
	hops_reached(h, "k");
	assert_int_equal(hops_ask(h, "k", now_ms, text), HOP_UP);
	hops_failed(h, "k", "k.example", now_ms, 30000, "x");
	hops_forget(h);
	assert_int_equal(hops_ask(h, "k", now_ms, text), HOP_UP);
	hops_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff_doubles),
		cmocka_unit_test(down_memory_grows),
		cmocka_unit_test(lists_what_is_down_longest),
		cmocka_unit_test(a_whole_life),
		cmocka_unit_test(destinations_are_found),
		cmocka_unit_test(recipients_share_a_transaction),
		cmocka_unit_test(lmtp_answers_for_each),
		cmocka_unit_test(relay_hosts_fail_over),
		cmocka_unit_test(stale_sessions_are_replaced),
		cmocka_unit_test(verbs_work),
		cmocka_unit_test(a_down_hop_is_left_alone),
		cmocka_unit_test(notify_is_honoured),
		cmocka_unit_test(slow_hops_hold_up_nobody),
		cmocka_unit_test(stopping_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
