#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "smtp/client.h"
#include "smtp/client_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- replies --- */

static const struct {
	const char *lines[4];
	int rc, code;
	const char *ecode, *text;
} replies[] = {
	{{"250 ok"}, 0, 250, "", "ok"},
	{{"250"}, 0, 250, "", ""},
	{{"250 "}, 0, 250, "", ""},
	{{"550-5.1.1 one", "550-5.1.1 two", "550 5.1.1 three"}, 0, 550, "5.1.1", "one two three"},
	{{"550 5.1.1"}, 0, 550, "5.1.1", ""},
	{{"550 4.1.1 other class"}, 0, 550, "", "4.1.1 other class"},
	{{"550 5.1.1234 long"}, 0, 550, "", "5.1.1234 long"},
	{{"550 5.1.1,"}, 0, 550, "", "5.1.1,"},
	{{"550 \x1b[31m\x01 \xff\xc3\xa4"}, 0, 550, "", "?[31m? ?\xc3\xa4"},
	{{"250-more"}, 1, 250, "", "more"},
	{{"250-a", "500 b"}, -1, 250, "", "a"},
	{{"2200 four"}, -1, 0, "", ""},
	{{"25"}, -1, 0, "", ""},
	{{""}, -1, 0, "", ""},
	{{"199 x"}, -1, 0, "", ""},
	{{"600 x"}, -1, 0, "", ""},
	{{"2x0 x"}, -1, 0, "", ""},
	{{"hello"}, -1, 0, "", ""},
};

static void replies_are_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct smtp_reply r;
		struct err err;
		int rc = 1;
		smtp_reply_begin(&r);
		for (size_t k = 0; k < 4 && replies[i].lines[k] != NULL && rc == 1; k++)
			rc = smtp_reply_add(
				&r, str_from(replies[i].lines[k]), SMTP_ENHANCED_ON, &err);
		print_message("reply %zu: %s\n", i, replies[i].lines[0]);
		assert_int_equal(rc, replies[i].rc);
		assert_int_equal(r.code, replies[i].code);
		assert_string_equal(r.ecode, replies[i].ecode);
		assert_string_equal(r.text, replies[i].text);
	}
}

static void replies_have_caps(void **state)
{
	struct smtp_reply r;
	struct err err;
	char line[SMTP_REPLY_LINE_MAX];

	(void)state;
	smtp_reply_begin(&r);
	snprintf(line, sizeof(line), "250-%01500d", 7);
	for (int i = 0; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(smtp_reply_add(&r, str_from(line), SMTP_ENHANCED_OFF, &err), 1);
	assert_int_equal(strlen(r.text), sizeof(r.text) - 1);
	assert_int_equal(smtp_reply_add(&r, str_from(line), SMTP_ENHANCED_OFF, &err), -1);
}

/* --- a peer that follows a script --- */

/* Steps: "S text" sends, "C prefix" wants a line that starts so, "D" reads a message up to
 * its dot, "X" hangs up. */
struct peer {
	int fd;
	const char *const *steps;
	struct buf data; /* last message as it came over the wire */
	char wrong[300];
	pthread_t thread;
	char in[65536];
	size_t in_len;
};

static bool peer_line(struct peer *p, char *out, size_t size)
{
	for (;;) {
		char *lf = memchr(p->in, '\n', p->in_len);
		if (lf != NULL) {
			size_t n = (size_t)(lf + 1 - p->in);
			if (n >= size)
				return false;
			memcpy(out, p->in, n);
			out[n] = '\0';
			memmove(p->in, p->in + n, p->in_len - n);
			p->in_len -= n;
			return true;
		}
		ssize_t got = recv(p->fd, p->in + p->in_len, sizeof(p->in) - p->in_len, 0);
		if (got <= 0)
			return false;
		p->in_len += (size_t)got;
	}
}

static bool peer_data(struct peer *p)
{
	char line[2048];

	buf_clear(&p->data);
	while (peer_line(p, line, sizeof(line))) {
		if (strcmp(line, ".\r\n") == 0)
			return true;
		buf_text(&p->data, line);
	}
	return false;
}

static void *peer_run(void *arg)
{
	struct peer *p = arg;
	char line[2048];

	for (const char *const *s = p->steps; *s != NULL && p->wrong[0] == '\0'; s++) {
		if ((*s)[0] == 'S') {
			struct buf b = {NULL, 0, 0};
			buf_printf(&b, "%s\r\n", *s + 2);
			(void)!send(p->fd, b.p, b.len, MSG_NOSIGNAL);
			buf_free(&b);
		} else if ((*s)[0] == 'C') {
			size_t n = strlen(*s + 2);
			if (!peer_line(p, line, sizeof(line)))
				snprintf(p->wrong, sizeof(p->wrong), "end, not %s", *s);
			else if (strncmp(line, *s + 2, n) != 0)
				snprintf(p->wrong, sizeof(p->wrong), "%.200s, not %.60s", line, *s);
		} else if ((*s)[0] == 'D') {
			if (!peer_data(p))
				snprintf(p->wrong, sizeof(p->wrong), "no end of data");
		} else {
			break;
		}
	}
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	return NULL;
}

static struct conn *peer_start(struct peer *p, const char *const *steps)
{
	int fds[2];

	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p->fd = fds[0];
	p->steps = steps;
	assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
	return conn_open_fd(fds[1]);
}

static void peer_join(struct peer *p)
{
	pthread_join(p->thread, NULL);
	assert_string_equal(p->wrong, "");
}

/* --- the message: a real one in a real store --- */

static struct store *store;
static char dir[] = "/tmp/mox-test-client-XXXXXX";

static int store_up(void **state)
{
	struct err err;

	(void)state;
	return mkdtemp(dir) == NULL || store_open(dir, &store, &err) < 0 ? -1 : 0;
}

static int store_down(void **state)
{
	char cmd[128];

	(void)state;
	store_close(&store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct store_body *body_new(const char *text)
{
	struct store_rcpt_new rcpt = {.address = STR("r@x.example"), .dest = STR("x.example")};
	struct store_msg_new msg = {.mail_from = STR("s@x.example"),
		.body = str_from(text),
		.rcpts = &rcpt,
		.rcpt_count = 1,
		.hold = true};
	struct store_body *body;
	struct err err;
	int64_t id;

	assert_int_equal(store_msg_add(store, &msg, &id, &err), 0);
	assert_int_equal(store_body_open(store, id, &body, &err), 0);
	return body;
}

static struct smtp_client_options options(void)
{
	return (struct smtp_client_options){.helo = "us.example",
		.server_name = "peer.example",
		.policy = {.mode = TLS_MODE_OPPORTUNISTIC, .plaintext_fallback = true},
		.command_timeout_ms = 3000,
		.session = deadline_in_ms(10000)};
}

/* --- opening --- */

#define EHLO_BARE "C EHLO us.example\r\n", "S 250 peer"

static const struct {
	const char *const *steps;
	int rc, code;
	bool permanent;
	enum smtp_stage stage;
} opens[] = {
	{(const char *const[]){"S 220 hi", EHLO_BARE, "C QUIT", "S 221 bye", NULL}, 0, 0, false, 0},
	{(const char *const[]){"S 220-a", "S 220 b", EHLO_BARE, "C QUIT", "X", NULL}, 0, 0, false,
		0},
	{(const char *const[]){"S 220 hi", "C EHLO", "S 502 what", "C HELO us.example\r\n",
		 "S 250 peer", "C QUIT", "S 221 bye", NULL},
		0, 0, false, 0},
	{(const char *const[]){"S bogus", NULL}, -1, 0, false, SMTP_STAGE_GREETING},
	{(const char *const[]){"X", NULL}, -1, 0, false, SMTP_STAGE_GREETING},
	{(const char *const[]){"S 521 no mail", "C QUIT", "S 221 bye", NULL}, -1, 521, true,
		SMTP_STAGE_GREETING},
	{(const char *const[]){"S 421 busy", NULL}, -1, 421, false, SMTP_STAGE_GREETING},
	{(const char *const[]){"S 2200 hi", NULL}, -1, 0, false, SMTP_STAGE_GREETING},
	{(const char *const[]){"S 220 hi", "C EHLO", "S 250-a\r\n500 b", NULL}, -1, 0, false,
		SMTP_STAGE_EHLO},
	{(const char *const[]){"S 220 hi", "C EHLO", "S 554 go", "C QUIT", "S 221 bye", NULL}, -1,
		554, true, SMTP_STAGE_EHLO},
	{(const char *const[]){
		 "S 220 hi", "C EHLO", "S 502 a", "C HELO", "S 550 b", "C QUIT", "X", NULL},
		-1, 550, true, SMTP_STAGE_EHLO},
};

static void sessions_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		struct smtp_client_options o = options();
		struct tls_outcome outcome;
		struct smtp_failure f;
		struct smtp_client *c;
		struct peer *p = mem_alloc(sizeof(*p));
		struct conn *conn = peer_start(p, opens[i].steps);
		print_message("open %zu: %s\n", i, opens[i].steps[0]);
		int rc = smtp_client_open(&conn, &o, &c, &outcome, &f);
		assert_int_equal(rc, opens[i].rc);
		assert_null(conn);
		if (rc < 0) {
			assert_int_equal(f.code, opens[i].code);
			assert_int_equal(f.permanent, opens[i].permanent);
			assert_int_equal(f.stage, opens[i].stage);
			assert_true(f.text[0] != '\0');
		}
		smtp_client_quit(&c);
		peer_join(p);
		free(p);
	}
}

static void extensions_are_read(void **state)
{
	static const char *const steps[] = {"S 220 hi", "C EHLO",
		"S 250-peer STARTTLS\r\n250-pipelining\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
		"250-AUTH PLAIN SCRAM-SHA-256\r\n250-X-UNKNOWN a b\r\n250-SMTPUTF8 x\r\n"
		"250-DSN\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES",
		"X", NULL};
	struct smtp_client_options o = options();
	struct buf transcript = {NULL, 0, 0};
	struct tls_outcome outcome;
	struct smtp_failure f;
	struct smtp_client *c;
	struct peer *p = mem_alloc(sizeof(*p));
	struct conn *conn = peer_start(p, steps);

	(void)state;
	o.transcript = &transcript;
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), 0);
	assert_int_equal(smtp_client_extensions(c),
		SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_AUTH |
			SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN | SMTP_EXT_CHUNKING | SMTP_EXT_ENHANCED);
	assert_int_equal(c->size_max, 1000);
	assert_true(c->auth_plain && c->auth_scram && !c->auth_login);
	assert_null(smtp_client_tls(c));
	assert_non_null(strstr(transcript.p, "> EHLO us.example\n< 250-peer STARTTLS\n"));
	assert_int_equal(outcome.type, TLS_RESULT_STARTTLS_NOT_SUPPORTED);
	smtp_client_quit(&c);
	peer_join(p);
	free(p);
	buf_free(&transcript);
}

static void starttls_is_judged(void **state)
{
	static const char *const refused[] = {"S 220 hi", "C EHLO", "S 250 peer", "C STARTTLS",
		"S 502 what", "C QUIT", "S 221 bye", NULL};
	static const char *const not_tls[] = {"S 220 hi", "C EHLO", "S 250-peer\r\n250 STARTTLS",
		"C STARTTLS", "S 220 go\r\n250 injected", "S junk instead of a handshake", "X",
		NULL};
	struct smtp_client_options o = options();
	struct tls_outcome outcome;
	struct smtp_failure f;
	struct smtp_client *c;
	struct peer *p = mem_alloc(sizeof(*p));
	struct err err;

	(void)state;
	assert_int_equal(tls_client_new(NULL, 0, false, &o.tls, &err), 0);
	/* Demanded, though not offered: asked for all the same. */
	o.policy = (struct tls_policy){.mode = TLS_MODE_STARTTLS};
	struct conn *conn = peer_start(p, refused);
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), -1);
	assert_int_equal(f.stage, SMTP_STAGE_STARTTLS);
	assert_int_equal(f.code, 502);
	assert_true(f.permanent);
	assert_false(outcome.try_plaintext);
	peer_join(p);

	o.policy = tlspolicy_direct();
	conn = peer_start(p, not_tls);
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), -1);
	assert_int_equal(f.stage, SMTP_STAGE_TLS);
	assert_false(f.permanent);
	assert_true(outcome.try_plaintext);
	peer_join(p);
	tls_client_free(&o.tls);
	free(p);
}

/* --- sending --- */

#define HI_BARE "S 220 hi", "C EHLO", "S 250 peer"
#define HI_PIPE "S 220 hi", "C EHLO", "S 250-peer\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"
#define BYE "C QUIT", "S 221 bye"
#define TO_A "C RCPT TO:<a@x.example>\r\n"
#define TO_B "C RCPT TO:<b@x.example>\r\n"
#define MAIL "C MAIL FROM:<s@x.example>\r\n"

static const struct {
	const char *name;
	const char *const *steps;
	int rc;
	int code_a, code_b;
	bool permanent_a, usable;
	enum store_protocol protocol;
} sends[] = {
	{"plain",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 250 ok", TO_B, "S 250 ok",
			"C DATA", "S 354 go", "D", "S 250 done", BYE, NULL},
		0, 250, 250, false, true, STORE_PROTOCOL_SMTP},
	{"251 will forward",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 251 ok", TO_B, "S 250 ok",
			"C DATA", "S 354 go", "D", "S 250 done", BYE, NULL},
		0, 250, 250, false, true, STORE_PROTOCOL_SMTP},
	{"pipelined",
		(const char *const[]){HI_PIPE, MAIL, TO_A, TO_B, "C DATA", "S 250 ok", "S 250 ok",
			"S 250 ok", "S 354 go", "D", "S 250 done", BYE, NULL},
		0, 250, 250, false, true, STORE_PROTOCOL_SMTP},
	{"one refused",
		(const char *const[]){HI_PIPE, MAIL, TO_A, TO_B, "C DATA", "S 250 ok",
			"S 550 5.1.1 no", "S 250 ok", "S 354 go", "D", "S 250 done", BYE, NULL},
		0, 550, 250, true, true, STORE_PROTOCOL_SMTP},
	{"all refused, data wanted",
		(const char *const[]){HI_PIPE, MAIL, TO_A, TO_B, "C DATA", "S 250 ok",
			"S 550 5.1.1 no", "S 450 later", "S 354 go", "C .\r\n", "S 554 nobody", BYE,
			NULL},
		0, 550, 450, true, true, STORE_PROTOCOL_SMTP},
	{"all refused",
		(const char *const[]){
			HI_BARE, MAIL, "S 250 ok", TO_A, "S 550 no", TO_B, "S 451", BYE, NULL},
		0, 550, 451, true, true, STORE_PROTOCOL_SMTP},
	{"mail 550", (const char *const[]){HI_BARE, MAIL, "S 550 5.7.0 not you", BYE, NULL}, 0, 550,
		550, true, true, STORE_PROTOCOL_SMTP},
	{"mail 451", (const char *const[]){HI_BARE, MAIL, "S 451 later", BYE, NULL}, 0, 451, 451,
		false, true, STORE_PROTOCOL_SMTP},
	{"mail 550 then close", (const char *const[]){HI_PIPE, MAIL, "S 550 no", "X", NULL}, 0, 550,
		550, true, false, STORE_PROTOCOL_SMTP},
	{"mail 421", (const char *const[]){HI_BARE, MAIL, "S 421 bye", "X", NULL}, 0, 421, 421,
		false, false, STORE_PROTOCOL_SMTP},
	{"mail close", (const char *const[]){HI_BARE, MAIL, "X", NULL}, -1, 0, 0, false, false,
		STORE_PROTOCOL_SMTP},
	{"rcpt close",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 550 no", TO_B, "X", NULL},
		-1, 550, 0, true, false, STORE_PROTOCOL_SMTP},
	{"rcpt 354",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 354 go on", TO_B,
			"S 550 no", "X", NULL},
		-1, 0, 550, false, false, STORE_PROTOCOL_SMTP},
	{"data 554",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 250 ok", TO_B, "S 550 no",
			"C DATA", "S 554 not this", BYE, NULL},
		0, 554, 550, true, true, STORE_PROTOCOL_SMTP},
	{"data 250",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 250 ok", TO_B, "S 250 ok",
			"C DATA", "S 250 odd", BYE, NULL},
		0, 250, 250, false, true, STORE_PROTOCOL_SMTP},
	{"end 552",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 250 ok", TO_B, "S 250 ok",
			"C DATA", "S 354 go", "D", "S 552 full", BYE, NULL},
		0, 552, 552, true, true, STORE_PROTOCOL_SMTP},
	{"end close",
		(const char *const[]){HI_BARE, MAIL, "S 250 ok", TO_A, "S 250 ok", TO_B, "S 550 no",
			"C DATA", "S 354 go", "D", "X", NULL},
		-1, 0, 550, false, false, STORE_PROTOCOL_SMTP},
	{"lmtp mixed",
		(const char *const[]){"S 220 hi", "C LHLO us.example",
			"S 250-peer\r\n250 PIPELINING", MAIL, TO_A, TO_B, "C DATA", "S 250 ok",
			"S 250 ok", "S 250 ok", "S 354 go", "D", "S 250 done", "S 452 full", BYE,
			NULL},
		0, 250, 452, false, true, STORE_PROTOCOL_LMTP},
	{"lmtp dies between",
		(const char *const[]){"S 220 hi", "C LHLO us.example", "S 250 peer", MAIL,
			"S 250 ok", TO_A, "S 250 ok", TO_B, "S 250 ok", "C DATA", "S 354 go", "D",
			"S 250 done", "X", NULL},
		-1, 250, 0, false, false, STORE_PROTOCOL_LMTP},
};

static void messages_are_sent(void **state)
{
	struct store_body *body = body_new("Subject: x\r\n\r\ntext\r\n");
	const struct smtp_send_rcpt to[] = {
		{.address = STR("a@x.example")}, {.address = STR("b@x.example")}};

	(void)state;
	for (size_t i = 0; i < sizeof(sends) / sizeof(sends[0]); i++) {
		struct smtp_client_options o = options();
		struct tls_outcome outcome;
		struct smtp_failure f;
		struct smtp_client *c;
		struct smtp_rcpt_reply r[2];
		struct peer *p = mem_alloc(sizeof(*p));
		struct conn *conn = peer_start(p, sends[i].steps);
		struct smtp_send msg = {.mail_from = STR("s@x.example"),
			.rcpts = to,
			.rcpt_count = 2,
			.body = body};
		print_message("send: %s\n", sends[i].name);
		o.protocol = sends[i].protocol;
		assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), 0);
		assert_int_equal(smtp_client_send(c, &msg, r, &f), sends[i].rc);
		assert_int_equal(r[0].code, sends[i].code_a);
		assert_int_equal(r[1].code, sends[i].code_b);
		assert_int_equal(r[0].permanent, sends[i].permanent_a);
		assert_int_equal(r[0].accepted,
			sends[i].code_a == 250 && strcmp(sends[i].name, "data 250") != 0);
		assert_int_equal(smtp_client_usable(c), sends[i].usable);
		if (sends[i].rc < 0)
			assert_true(f.dead && f.text[0] != '\0' && !f.permanent);
		smtp_client_quit(&c);
		peer_join(p);
		buf_free(&p->data);
		free(p);
	}
	store_body_close(&body);
}

/* RSET before the next message when the last did not end well, and not when it did. */
static void rset_where_needed(void **state)
{
	static const char *const steps[] = {HI_BARE, MAIL, "S 250 ok", TO_A, "S 451 no", "C RSET",
		"S 250 ok", MAIL, "S 250 ok", TO_A, "S 250 ok", "C DATA", "S 354 go", "D",
		"S 250 ok", MAIL, "S 250 ok", TO_A, "S 250 ok", "C DATA", "S 550 no", "C RSET",
		"S 250 ok", "C QUIT", NULL};
	struct store_body *body = body_new("Subject: x\r\n\r\ntext\r\n");
	const struct smtp_send_rcpt to = {.address = STR("a@x.example")};
	struct smtp_send msg = {
		.mail_from = STR("s@x.example"), .rcpts = &to, .rcpt_count = 1, .body = body};
	struct smtp_client_options o = options();
	struct tls_outcome outcome;
	struct smtp_failure f;
	struct smtp_client *c;
	struct smtp_rcpt_reply r;
	struct peer *p = mem_alloc(sizeof(*p));
	struct conn *conn = peer_start(p, steps);
	static const int codes[] = {451, 250, 550};

	(void)state;
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(smtp_client_send(c, &msg, &r, &f), 0);
		assert_int_equal(r.code, codes[i]);
	}
	assert_true(smtp_client_alive(c));
	smtp_client_quit(&c);
	peer_join(p);
	buf_free(&p->data);
	free(p);
	store_body_close(&body);
}

/* --- parameters, and what the peer lacks --- */

static const struct {
	const char *ehlo, *mail, *rcpt; /* mail NULL: must not be sent */
	const char *body;
	bool b8, utf8;
	enum smtp_no_8bit no_8bit;
	int64_t size;
	const char *ecode;
} fits[] = {
	{"S 250-p\r\n250-SIZE 0\r\n250-DSN\r\n250 8BITMIME",
		"C MAIL FROM:<s@x.example> SIZE=500 BODY=7BIT RET=HDRS ENVID=Q+2B\r\n",
		"C RCPT TO:<a@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a\r\n", "S: x\r\n\r\ny",
		false, false, SMTP_NO_8BIT_FAIL, 500, ""},
	{"S 250 p", "C MAIL FROM:<s@x.example>\r\n", "C RCPT TO:<a@x.example>\r\n", "S: x\r\n\r\ny",
		true, true, SMTP_NO_8BIT_FAIL, 500, ""},
	{"S 250-p\r\n250-8BITMIME\r\n250 SMTPUTF8",
		"C MAIL FROM:<s@x.example> BODY=8BITMIME SMTPUTF8\r\n",
		"C RCPT TO:<a@x.example>\r\n", "S: \xc3\xa4\r\n\r\n\xc3\xa4", true, true,
		SMTP_NO_8BIT_FAIL, 500, ""},
	{"S 250 p", NULL, NULL, "S: x\r\n\r\n\xc3\xa4", true, false, SMTP_NO_8BIT_FAIL, 500,
		"5.6.3"},
	{"S 250 p", "C MAIL FROM:<s@x.example>\r\n", "C RCPT TO:<a@x.example>\r\n",
		"S: x\r\n\r\n\xc3\xa4", true, false, SMTP_NO_8BIT_SEND, 500, ""},
	{"S 250-p\r\n250 8BITMIME", NULL, NULL, "S: \xc3\xa4\r\n\r\ny", true, true,
		SMTP_NO_8BIT_SEND, 500, "5.6.7"},
	{"S 250-p\r\n250 SIZE 499", NULL, NULL, "S: x\r\n\r\ny", false, false, SMTP_NO_8BIT_FAIL,
		500, "5.3.4"},
};

static void parameters_follow_extensions(void **state)
{
	const struct smtp_send_rcpt to = {.address = STR("a@x.example"),
		.orcpt = STR("rfc822;a"),
		.notify = STORE_NOTIFY_SUCCESS | STORE_NOTIFY_DELAY};

	(void)state;
	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		const char *with[] = {"S 220 hi", "C EHLO", fits[i].ehlo, fits[i].mail, "S 250 ok",
			fits[i].rcpt, "S 250 ok", "C DATA", "S 354 go", "D", "S 250 ok", BYE, NULL};
		const char *without[] = {"S 220 hi", "C EHLO", fits[i].ehlo, BYE, NULL};
		struct store_body *body = body_new(fits[i].body);
		struct smtp_send msg = {.mail_from = STR("s@x.example"),
			.envid = STR("Q+2B"),
			.ret = STORE_RET_HDRS,
			.body_8bit = fits[i].b8,
			.smtputf8 = fits[i].utf8,
			.no_8bit = fits[i].no_8bit,
			.size = fits[i].size,
			.rcpts = &to,
			.rcpt_count = 1,
			.body = body};
		struct smtp_client_options o = options();
		struct tls_outcome outcome;
		struct smtp_failure f;
		struct smtp_client *c;
		struct smtp_rcpt_reply r;
		struct peer *p = mem_alloc(sizeof(*p));
		struct conn *conn = peer_start(p, fits[i].mail ? with : without);
		print_message("parameters %zu\n", i);
		assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), 0);
		assert_int_equal(smtp_client_send(c, &msg, &r, &f), 0);
		assert_string_equal(r.ecode, fits[i].ecode);
		assert_int_equal(r.accepted, fits[i].mail != NULL);
		assert_int_equal(r.permanent, fits[i].mail == NULL);
		smtp_client_quit(&c);
		peer_join(p);
		buf_free(&p->data);
		free(p);
		store_body_close(&body);
	}
}

/* Addresses that would smuggle a command stay out of the line. */
static void addresses_cannot_inject(void **state)
{
	static const char *const bad[] = {"a@x\r\nDATA", "a>b@x", "a b@x", "a\n@x", "a\x7f@x"};
	struct smtp_client c = {.ext = 0};
	struct buf b = {NULL, 0, 0};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct smtp_send_rcpt r = {.address = str_from(bad[i])};
		assert_int_equal(smtp_client_rcpt_write(&c, &r, &b, &err), -1);
		assert_int_equal(err.kind, ERR_PERM);
	}
	struct smtp_send_rcpt r = {.address = STR("\"a >\\\"b\"@x.example")};
	buf_clear(&b);
	assert_int_equal(smtp_client_rcpt_write(&c, &r, &b, &err), 0);
	assert_string_equal(b.p, "RCPT TO:<\"a >\\\"b\"@x.example>");
	buf_free(&b);
}

static const struct {
	const char *body, *wire;
} dots[] = {
	{".\r\n", "..\r\n"},
	{"a\r\n.\r\n..\r\n.b\r\n", "a\r\n..\r\n...\r\n..b\r\n"},
	{"no end", "no end\r\n"},
	{"a.\r\nb.c\r\n", "a.\r\nb.c\r\n"},
	{"a\n.b\r\n", "a\n..b\r\n"},
	{"x\r\n\r\n", "x\r\n\r\n"},
	{".", "..\r\n"},
	{"cr\r", "cr\r\r\n"},
};

static void dots_are_doubled(void **state)
{
	static const char *const steps[] = {HI_BARE, MAIL, "S 250 ok", TO_A, "S 250 ok", "C DATA",
		"S 354 go", "D", "S 250 done", BYE, NULL};
	const struct smtp_send_rcpt to = {.address = STR("a@x.example")};

	(void)state;
	for (size_t i = 0; i < sizeof(dots) / sizeof(dots[0]); i++) {
		struct store_body *body = body_new(dots[i].body);
		struct smtp_send msg = {.mail_from = STR("s@x.example"),
			.rcpts = &to,
			.rcpt_count = 1,
			.body = body};
		struct smtp_client_options o = options();
		struct tls_outcome outcome;
		struct smtp_failure f;
		struct smtp_client *c;
		struct smtp_rcpt_reply r;
		struct peer *p = mem_alloc(sizeof(*p));
		struct conn *conn = peer_start(p, steps);
		assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), 0);
		assert_int_equal(smtp_client_send(c, &msg, &r, &f), 0);
		assert_true(r.accepted);
		smtp_client_quit(&c);
		peer_join(p);
		assert_string_equal(p->data.p, dots[i].wire);
		buf_free(&p->data);
		free(p);
		store_body_close(&body);
	}
}

static void probes_send_nothing(void **state)
{
	static const char *const steps[] = {HI_BARE, "C MAIL FROM:<>\r\n", "S 250 ok", TO_A,
		"S 550 no such user", "C RSET", "S 250 ok", "C MAIL FROM:<>\r\n", "S 250 ok", TO_B,
		"S 250 ok", "C RSET", "S 250 ok", BYE, NULL};
	struct smtp_client_options o = options();
	struct tls_outcome outcome;
	struct smtp_failure f;
	struct smtp_client *c;
	struct smtp_rcpt_reply r;
	struct peer *p = mem_alloc(sizeof(*p));
	struct conn *conn = peer_start(p, steps);

	(void)state;
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), 0);
	assert_int_equal(smtp_client_probe(c, STR(""), STR("a@x.example"), &r, &f), 0);
	assert_true(!r.accepted && r.permanent && r.code == 550);
	assert_int_equal(smtp_client_probe(c, STR(""), STR("b@x.example"), &r, &f), 0);
	assert_true(r.accepted);
	smtp_client_quit(&c);
	peer_join(p);
	free(p);
}

/* In plaintext a password goes out as SCRAM or not at all, and never into a transcript. */
static void passwords_are_kept(void **state)
{
	static const char *const plain[] = {"S 220 hi", "C EHLO", "S 250-p\r\n250 AUTH PLAIN LOGIN",
		"C QUIT", "S 221 bye", NULL};
	static const char *const scram[] = {"S 220 hi", "C EHLO",
		"S 250-p\r\n250 AUTH PLAIN SCRAM-SHA-256", "C AUTH SCRAM-SHA-256 ",
		"S 535 5.7.8 unknown", "C QUIT", "S 221 bye", NULL};
	struct smtp_client_options o = options();
	struct buf transcript = {NULL, 0, 0};
	struct tls_outcome outcome;
	struct smtp_failure f;
	struct smtp_client *c;
	struct peer *p = mem_alloc(sizeof(*p));

	(void)state;
	o.username = STR("user");
	o.password = STR("hunter2hunter2");
	o.transcript = &transcript;
	struct conn *conn = peer_start(p, plain);
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), -1);
	assert_int_equal(f.stage, SMTP_STAGE_AUTH);
	assert_true(f.permanent);
	peer_join(p);
	conn = peer_start(p, scram);
	assert_int_equal(smtp_client_open(&conn, &o, &c, &outcome, &f), -1);
	assert_int_equal(f.code, 535);
	peer_join(p);
	assert_non_null(strstr(transcript.p, "> AUTH SCRAM-SHA-256 ***\n"));
	assert_null(strstr(transcript.p, "hunter2"));
	buf_free(&transcript);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_parsed),
		cmocka_unit_test(replies_have_caps),
		cmocka_unit_test(sessions_open),
		cmocka_unit_test(extensions_are_read),
		cmocka_unit_test(starttls_is_judged),
		cmocka_unit_test(messages_are_sent),
		cmocka_unit_test(rset_where_needed),
		cmocka_unit_test(parameters_follow_extensions),
		cmocka_unit_test(addresses_cannot_inject),
		cmocka_unit_test(dots_are_doubled),
		cmocka_unit_test(probes_send_nothing),
		cmocka_unit_test(passwords_are_kept),
	};
	return cmocka_run_group_tests(tests, store_up, store_down);
}
