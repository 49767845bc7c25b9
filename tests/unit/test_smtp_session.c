#include "tests/unit/unit.h"

#include "auth/password.h"
#include "base/buf.h"
#include "base/mem.h"
#include "smtp/session.h"
#include "store/directory.h"
#include "store/queue.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct fixture {
	char dir[64];
	struct store *store;
	struct config_holder *config;
	struct config *c; /* as long as no other is published */
	struct smtp_limits *limits;
	struct tls_server *tls;
	struct tls_client *tls_client;
	atomic_int stopping;
	/* The session under test. */
	pthread_t thread;
	struct smtp_deps deps;
	struct smtp_session_options opt;
	struct conn *server, *client;
};

static int directory_fill(struct fixture *f, struct err *err)
{
	struct arena *a = arena_open();
	struct store_account anna = {.name = STR("anna")};
	struct store_domain in = {.name = STR("in.example"),
		.delivery = STORE_DELIVERY_MAILBOX,
		.separator = STR("+")};
	struct store_domain any = {.name = STR("any.example"),
		.delivery = STORE_DELIVERY_RELAY,
		.rcpt_check = STORE_CHECK_ANY,
		.relay = {.hosts = {STR("127.0.0.9:25")}, .host_count = 1}};
	struct str prepared;
	int rc = -1;

	if (password_prepare(a, STR("correct horse"), &prepared, err) == 0 &&
		password_argon2(a, prepared, &anna.argon2, err) == 0 &&
		password_scram(a, prepared, &anna.scram, err) == 0 &&
		store_account_put(f->store, &anna, err) == 0 &&
		store_domain_put(f->store, &in, err) == 0 &&
		store_domain_put(f->store, &any, err) == 0) {
		struct store_address row = {.domain_id = in.id,
			.localpart = STR("anna"),
			.kind = STORE_ADDRESS_MAILBOX,
			.account_id = anna.id};
		rc = store_address_put(f->store, &row, err);
	}
	arena_close(&a);
	return rc;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/mox-session-XXXXXX");
	*state = f;
	if (mkdtemp(f->dir) == NULL || store_open(f->dir, &f->store, &err) < 0 ||
		directory_fill(f, &err) < 0)
		return -1;
	f->c = config_new(f->dir, "mx.example");
	f->c->hold = true;
	struct config_limits *l = &f->c->limits;
	l->unknown_rcpt_delay_ms = l->slow_read_ms = l->slow_write_byte_ms = 0;
	l->slow_after = 0;
	l->bad_transactions_max = 0;
	l->read_timeout_ms = l->write_timeout_ms = WAIT_MS;
	struct config_listener *listener = config_listener_add(f->c, "public");
	listener->smtp_max_message_size = 300 * 1024;
	f->config = config_holder_new(f->c);
	f->limits = smtp_limits_new();
	struct tls_server_options tls = {
		.hostname = "mx.example", .min_version = "TLSv1.2", .self_signed_dir = f->dir};
	if (tls_server_new(&tls, &f->tls, &err) < 0 ||
		tls_client_new(NULL, 0, false, &f->tls_client, &err) < 0)
		return -1;
	f->deps = (struct smtp_deps){.store = f->store,
		.config = f->config,
		.limits = f->limits,
		.stopping = &f->stopping};
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	config_holder_free(&f->config);
	smtp_limits_free(&f->limits);
	tls_server_release(&f->tls);
	tls_client_free(&f->tls_client);
	store_close(&f->store);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	free(f);
	return system(command);
}

static void *session_run(void *arg)
{
	struct fixture *f = arg;

	smtp_session_run(f->server, &f->opt);
	return NULL;
}

/* --- the client's side --- */

static void begin(struct fixture *f, enum smtp_service service)
{
	struct ip ip;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	f->server = conn_open_fd(fds[0]);
	f->client = conn_open_fd(fds[1]);
	assert_true(ip_parse(STR("192.0.2.7"), &ip));
	conn_set_addresses(f->server, &ip, 25, &ip, 4711);
	f->opt = (struct smtp_session_options){.deps = &f->deps,
		.service = service,
		.listener = "public",
		.tls = tls_server_ref(f->tls)};
	assert_int_equal(pthread_create(&f->thread, NULL, session_run, f), 0);
}

static void end(struct fixture *f)
{
	conn_close(&f->client);
	pthread_join(f->thread, NULL);
}

static void say(struct fixture *f, struct str text)
{
	struct deadline d = deadline_in_ms(WAIT_MS);
	struct err err;

	assert_int_equal(conn_write(f->client, text, d, &err), 0);
	assert_int_equal(conn_flush(f->client, d, &err), 0);
}

/* Reads one reply; its code, 0 at the end. text gets the last line. */
static int hear(struct fixture *f, char text[512])
{
	struct str line;
	struct err err;

	text[0] = '\0';
	for (;;) {
		int rc = conn_read_line(f->client, 600, deadline_in_ms(WAIT_MS), &line, &err);
		if (rc <= 0)
			return 0;
		assert_int_equal(rc, CONN_LINE_CRLF);
		assert_true(line.len >= 4 && line.len < 512);
		assert_true(str_copy(text, 512, line));
		if (line.p[3] == ' ')
			return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
	}
}

static void expect(struct fixture *f, int code, const char *part)
{
	char text[512];
	int got = hear(f, text);

	if (got != code || strstr(text, part) == NULL)
		print_message("expected %d %s, got %d: %s\n", code, part, got, text);
	assert_int_equal(got, code);
	assert_non_null(strstr(text, part));
}

struct step {
	const char *send; /* NULL: only listen */
	int code;         /* 0: the server hung up */
	const char *part;
};

static void talk(struct fixture *f, const struct step *steps)
{
	for (; steps->send != NULL || steps->code != 0 || steps->part != NULL; steps++) {
		if (steps->send != NULL)
			say(f, str_from(steps->send));
		if (steps->part != NULL)
			expect(f, steps->code, steps->part);
	}
}

static void start_tls(struct fixture *f)
{
	struct tls_connect_options opt = {.server_name = "mx.example"};
	struct tls_failure_info failure;
	struct arena *a = arena_open();
	struct tls_peer peer;
	struct err err;

	assert_int_equal(tls_connect(f->client, f->tls_client, &opt, deadline_in_ms(WAIT_MS), a,
				 &peer, &failure, &err),
		0);
	arena_close(&a);
}

static int64_t queued(struct fixture *f)
{
	struct store_queue_summary sum;
	struct err err;

	assert_int_equal(store_queue_summary(f->store, &sum, &err), 0);
	return sum.queued + sum.held;
}

/* --- tests --- */

static void takes_a_message(void **state)
{
	static const struct step steps[] = {
		{NULL, 220, "mx.example ESMTP"},
		{"MAIL FROM:<a@b.example>\r\n", 503, "5.5.1"},
		{"EHLO c.example\r\n", 250, ""},
		{"DATA\r\n", 503, "5.5.1"},
		{"MAIL FROM:<a@b.example> SIZE=307201\r\n", 552, "5.3.4"},
		{"MAIL FROM:<a@b.example> REQUIRETLS\r\n", 530, "5.7"},
		{"MAIL FROM:<j\303\274@b.example>\r\n", 553, "5.6.7"},
		{"MAIL FROM:<a@b.example> RET=HDRS ENVID=e+20x\r\n", 250, "2.1.0"},
		{"MAIL FROM:<a@b.example>\r\n", 503, "5.5.1"},
		{"DATA\r\n", 554, "5.5.1"},
		{"RCPT TO:<anna@in.example> NOTIFY=DELAY ORCPT=rfc822;x@y\r\n", 250, "2.1.5"},
		{"RCPT TO:<Anna@IN.example>\r\n", 250, "2.1.5"}, /* the same */
		{"RCPT TO:<x@any.example>\r\n", 250, "2.1.5"},
		{"DATA\r\n", 354, ""},
		{"Subject: x\r\n\r\n..\r\n.\r\n", 250, "queued as "},
		{"VRFY anna\r\n", 252, "2."},
		{"NOOP\r\n", 250, "2.0.0"},
		{"AUTH PLAIN AGEAYg==\r\n", 503, "5.5.1"},
		{"XYZZY\r\n", 500, "5.5.1"},
		{"QUIT\r\n", 221, "2.0.0"},
		{NULL, 0, ""},
		{NULL, 0, NULL},
	};
	struct fixture *f = *state;
	struct arena *a = arena_open();
	struct store_queue_filter filter = {.state = -1, .limit = 10};
	struct store_queue_row *rows;
	struct store_queue_message msg;
	size_t count;
	bool more;
	int64_t next;
	struct err err;

	begin(f, SMTP_SERVICE_MX);
	talk(f, steps);
	end(f);
	assert_int_equal(
		store_queue_list(f->store, &filter, a, &rows, &count, &more, &next, &err), 0);
	assert_int_equal(count, 2);
	assert_true(str_eq(rows[0].address, STR("anna@in.example")));
	assert_int_equal(rows[0].state, STORE_RCPT_HELD);
	assert_int_equal(store_queue_get(f->store, rows[0].msg_id, a, &msg, &err), 1);
	assert_true(str_eq(msg.mail_from, STR("a@b.example")));
	assert_true(str_eq(msg.envid, STR("e+20x")));
	assert_non_null(str_find(msg.prefix, STR("from c.example ([192.0.2.7])")));
	assert_non_null(str_find(msg.prefix, msg.session));
	assert_null(str_find(msg.prefix, STR(" for "))); /* two recipients do not meet */
	arena_close(&a);
}

static void refuses_to_relay(void **state)
{
	static const struct step steps[] = {
		{NULL, 220, ""},
		{"EHLO c.example\r\n", 250, ""},
		{"MAIL FROM:<>\r\n", 250, ""},
		{"RCPT TO:<x@other.example>\r\n", 550, "5.7.1"},
		{"RCPT TO:<x%other.example@in.example>\r\n", 550, "5.1.1"},
		{"RCPT TO:<x%other.example@any.example>\r\n", 550, "5."},
		{"RCPT TO:<other.example!x@any.example>\r\n", 550, "5."},
		{"RCPT TO:<\"x@other.example\"@any.example>\r\n", 550, "5."},
		{"RCPT TO:<@in.example:x@other.example>\r\n", 550, "5.7.1"},
		{"RCPT TO:<@other.example:anna@in.example>\r\n", 250,
			""},                                     /* the route is dropped */
		{"RCPT TO:<anna@in.example>\r\n", 452, "4.5.3"}, /* null sender: one */
		{"RSET\r\n", 250, ""},
		{"MAIL FROM:<anna@in.example>\r\n", 250, ""},
		{"RCPT TO:<x@[127.0.0.1]>\r\n", 550, "5."},
		{"RCPT TO:<x@other.example.>\r\n", 501, "5."},
		{"RCPT TO:<x@other.example@in.example>\r\n", 501, "5."},
		{"RCPT TO:<x@localhost>\r\n", 550, "5.7.1"},
		{"RCPT TO:<postmaster@other.example>\r\n", 550, "5.7.1"},
		{"QUIT\r\n", 221, ""},
		{NULL, 0, NULL},
	};
	struct fixture *f = *state;

	begin(f, SMTP_SERVICE_MX);
	talk(f, steps);
	end(f);
	assert_int_equal(queued(f), 0);
}

static void pipelining_and_chunks(void **state)
{
	static const struct step steps[] = {
		{NULL, 220, ""},
		{"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@other.example>\r\n"
		 "RCPT TO:<anna@in.example>\r\nBDAT 6\r\nA: b\r\nBDAT 8 LAST\r\n\r\n.\r\nx\r\n"
		 "BDAT 5 LAST\r\nQUIT\nNOOP\r\n",
			250, ""},
		{NULL, 250, "2.1.0"},
		{NULL, 550, "5.7.1"},
		{NULL, 250, "2.1.5"},
		{NULL, 250, "2.0.0"},
		{NULL, 250, "queued"},
		{NULL, 503, "5.5.1"}, /* no transaction, and QUIT was text */
		{NULL, 250, "2.0.0"},
		{"MAIL FROM:<a@b.example>\r\nRCPT TO:<anna@in.example>\r\nBDAT 3 LAST\r\na\nb", 250,
			""},
		{NULL, 250, ""},
		{NULL, 554, "5.6.0"},
		{"MAIL FROM:<a@b.example>\r\nRCPT "
		 "TO:<anna@in.example>\r\nDATA\r\na\nb\r\n.\r\nNOOP\r\n",
			250, ""},
		{NULL, 250, ""},
		{NULL, 354, ""},
		{NULL, 554, "5.6.0"},
		{NULL, 250, "2.0.0"},
		{"NOOP\nNOOP\r\n", 500, "5.5.2"},
		{NULL, 0, ""},
		{NULL, 0, NULL},
	};
	struct fixture *f = *state;

	begin(f, SMTP_SERVICE_MX);
	talk(f, steps);
	end(f);
	assert_int_equal(queued(f), 1);
}

static void strangers_are_sent_away(void **state)
{
	static const struct {
		const char *send;
		int code;
	} cases[] = {
		{"GET / HTTP/1.1\r\n", 500},
		{"\r\n", 500},
		{"\026\003\001\002\r\n", 500},
		{"EHLO x\n", 500},
	};
	struct fixture *f = *state;
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("case %zu\n", i);
		begin(f, SMTP_SERVICE_MX);
		expect(f, 220, "");
		say(f, str_from(cases[i].send));
		expect(f, cases[i].code, "5.5");
		if (i != 2) /* a control character alone is no reason to hang up */
			assert_int_equal(hear(f, text), 0);
		end(f);
	}
	begin(f, SMTP_SERVICE_MX);
	expect(f, 220, "");
	say(f, STR("EHLO x\r\nPOST / HTTP/1.1\r\n"));
	expect(f, 250, "");
	expect(f, 500, "5.5.1");
	assert_int_equal(hear(f, text), 0);
	end(f);
	char *line = mem_alloc(5000);
	memset(line, 'x', 4999);
	begin(f, SMTP_SERVICE_MX);
	expect(f, 220, "");
	say(f, str_from(line));
	expect(f, 500, "5.5.2");
	assert_int_equal(hear(f, text), 0);
	end(f);
	free(line);
}

static void nothing_crosses_starttls(void **state)
{
	struct fixture *f = *state;
	char text[512];

	begin(f, SMTP_SERVICE_MX);
	expect(f, 220, "");
	say(f, STR("EHLO c.example\r\n"));
	expect(f, 250, "");
	say(f, STR("STARTTLS\r\nMAIL FROM:<evil@b.example>\r\n"));
	assert_int_equal(hear(f, text) / 100, 5);
	assert_int_equal(hear(f, text), 0);
	end(f);

	begin(f, SMTP_SERVICE_MX);
	expect(f, 220, "");
	say(f, STR("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n"));
	expect(f, 250, "");
	expect(f, 250, "");
	say(f, STR("STARTTLS\r\n"));
	expect(f, 220, "");
	start_tls(f);
	say(f, STR("RCPT TO:<anna@in.example>\r\n"));
	expect(f, 503, "5.5.1"); /* neither EHLO nor MAIL was said here */
	say(f, STR("EHLO c.example\r\n"));
	expect(f, 250, "");
	say(f, STR("STARTTLS\r\n"));
	expect(f, 503, "5.5.1");
	say(f, STR("MAIL FROM:<a@b.example> REQUIRETLS\r\n"));
	expect(f, 250, "");
	end(f);
}

static void scram_login(struct fixture *f, const char *password, int code)
{
	struct arena *a = arena_open();
	struct buf b = {NULL, 0, 0};
	struct scram_client *client;
	struct str first, final;
	char text[512];
	unsigned char raw[512];
	struct err err;

	assert_int_equal(scram_client_begin(a, STR("anna@in.example"), str_from(password), &client,
				 &first, &err),
		0);
	buf_text(&b, "AUTH SCRAM-SHA-256 ");
	buf_base64(&b, first.p, first.len);
	buf_text(&b, "\r\n");
	say(f, buf_str(&b));
	assert_int_equal(hear(f, text), 334);
	/* Base64 by hand: the test must not lean on the code under test. */
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;
	unsigned acc = 0, have = 0;
	for (const char *p = text + 4; *p != '\0' && *p != '='; p++) {
		acc = (acc << 6 | (unsigned)(strchr(digits, *p) - digits)) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			raw[n++] = (unsigned char)(acc >> have & 0xff);
		}
	}
	assert_int_equal(scram_client_final(client, (struct str){(char *)raw, n}, &final, &err), 0);
	buf_clear(&b);
	buf_base64(&b, final.p, final.len);
	buf_text(&b, "\r\n");
	say(f, buf_str(&b));
	if (code == 235) {
		assert_int_equal(hear(f, text), 334);
		say(f, STR("\r\n"));
	}
	expect(f, code, code == 235 ? "2.7.0" : "5.7.8");
	buf_free(&b);
	arena_close(&a);
}

static void submission_rules(void **state)
{
	static const struct step before[] = {
		{NULL, 220, ""},
		{"EHLO c.example\r\n", 250, ""},
		{"MAIL FROM:<anna@in.example>\r\n", 530, "5.7.0"},
		{"AUTH PLAIN AGEAYg==\r\n", 538, "5.7.11"},
		{"STARTTLS\r\n", 220, ""},
		{NULL, 0, NULL},
	};
	static const struct step after[] = {
		{"EHLO c.example\r\n", 250, ""},
		{"MAIL FROM:<anna@in.example>\r\n", 530, "5.7.0"},
		{"AUTH LOGIN\r\n", 504, "5.5.4"},
		{"AUTH PLAIN\r\n", 334, ""},
		{"*\r\n", 501, "5."},
		{"AUTH PLAIN ***\r\n", 501, "5.5.2"},
		/* another authorization identity; a wrong password; a right one */
		{"AUTH PLAIN YmVydABhbm5hAGNvcnJlY3QgaG9yc2U=\r\n", 535, "5.7.8"},
		{"AUTH PLAIN AGFubmEAd3Jvbmcgd3Jvbmc=\r\n", 535, "5.7.8"},
		{"AUTH PLAIN AGFubmFAaW4uZXhhbXBsZQBjb3JyZWN0IGhvcnNl\r\n", 235, "2.7.0"},
		{"AUTH PLAIN AGEAYg==\r\n", 503, "5.5.1"},
		{"MAIL FROM:<x@in.example>\r\n", 550, "5.7.1"},
		{"MAIL FROM:<anna@in.example>\r\n", 250, ""},
		{"RCPT TO:<nobody@in.example>\r\n", 550, "5.1.1"},
		{"RCPT TO:<x@other.example>\r\n", 250, ""},
		{"DATA\r\n", 354, ""},
		{"From: x@other.example\r\n\r\nx\r\n.\r\n", 550, "5.7.1"},
		{"MAIL FROM:<anna@in.example>\r\nRCPT TO:<x@other.example>\r\nDATA\r\n"
		 "Subject: no From\r\n\r\nx\r\n.\r\n",
			250, ""},
		{NULL, 250, ""},
		{NULL, 354, ""},
		{NULL, 554, "5.6.0"},
		{"MAIL FROM:<anna@in.example>\r\nRCPT TO:<x@other.example>\r\nDATA\r\n"
		 "From: Anna <anna@in.example>\r\nBcc: y@z.example\r\n"
		 "Resent-Bcc: z@z.example\r\n\r\nx\r\n.\r\n",
			250, ""},
		{NULL, 250, ""},
		{NULL, 354, ""},
		{NULL, 250, "queued"},
		{"QUIT\r\n", 221, ""},
		{NULL, 0, NULL},
	};
	struct fixture *f = *state;
	struct arena *a = arena_open();
	struct store_queue_message msg;
	struct store_queue_filter filter = {.state = -1, .limit = 10};
	struct store_queue_row *rows;
	size_t count;
	bool more;
	int64_t next;
	struct store_body *body;
	struct str piece;
	struct err err;

	begin(f, SMTP_SERVICE_SUBMISSION);
	talk(f, before);
	start_tls(f);
	talk(f, after);
	end(f);
	assert_int_equal(
		store_queue_list(f->store, &filter, a, &rows, &count, &more, &next, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(store_queue_get(f->store, rows[0].msg_id, a, &msg, &err), 1);
	assert_true(str_eq(msg.account, STR("anna")));
	assert_non_null(str_find(msg.prefix, STR("Date: ")));
	assert_non_null(str_find(msg.prefix, STR("Message-ID: <")));
	assert_non_null(str_find(msg.prefix, STR("ESMTPSA")));
	assert_null(str_find(msg.prefix, STR("192.0.2.7")));
	assert_null(str_find(msg.prefix, STR("c.example")));
	assert_int_equal(store_body_open(f->store, rows[0].msg_id, &body, &err), 0);
	while (store_body_next(body, &piece, &err) == 1)
		assert_null(str_find(piece, STR("Bcc")));
	store_body_close(&body);
	arena_close(&a);
}

static void scram(void **state)
{
	struct fixture *f = *state;

	begin(f, SMTP_SERVICE_SUBMISSIONS);
	start_tls(f);
	expect(f, 220, "");
	say(f, STR("EHLO c.example\r\n"));
	expect(f, 250, "");
	scram_login(f, "wrong password", 535);
	scram_login(f, "correct horse", 235);
	say(f, STR("MAIL FROM:<anna@in.example>\r\n"));
	expect(f, 250, "");
	end(f);
}

static void limits_hold(void **state)
{
	struct fixture *f = *state;
	char text[512];
	struct buf b = {NULL, 0, 0};

	f->c->limits.recipients_max = 2;
	f->c->limits.received_max = 3;
	f->c->limits.delivery_messages_min[0] = 1;
	begin(f, SMTP_SERVICE_MX);
	expect(f, 220, "");
	say(f, STR("EHLO c.example\r\n"));
	expect(f, 250, "");
	say(f, STR("MAIL FROM:<a@b.example>\r\nRCPT TO:<a@any.example>\r\n"
		   "RCPT TO:<b@any.example>\r\nRCPT TO:<c@any.example>\r\nDATA\r\n"));
	for (int i = 0; i < 3; i++)
		expect(f, 250, "");
	expect(f, 452, "4.5.3");
	expect(f, 354, "");
	for (int i = 0; i < 4; i++)
		buf_text(&b, "Received: x\r\n");
	buf_text(&b, "\r\n.\r\n");
	say(f, buf_str(&b));
	expect(f, 550, "5.4.6");
	for (int i = 0; i < 2; i++) {
		say(f, STR("MAIL FROM:<a@b.example>\r\nRCPT "
			   "TO:<a@any.example>\r\nDATA\r\nx\r\n.\r\n"));
		expect(f, 250, "");
		expect(f, 250, "");
		expect(f, 354, "");
		expect(f, i == 0 ? 250 : 452, i == 0 ? "queued" : "4.");
	}
	f->stopping = 1;
	say(f, STR("NOOP\r\n"));
	while (hear(f, text) == 250)
		;
	assert_non_null(strstr(text, "4.3.2"));
	end(f);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_to_relay, setup, teardown),
		cmocka_unit_test_setup_teardown(pipelining_and_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers_are_sent_away, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_crosses_starttls, setup, teardown),
		cmocka_unit_test_setup_teardown(submission_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(scram, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
