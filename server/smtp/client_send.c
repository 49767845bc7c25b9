/* One mail transaction of the SMTP client (RFC 5321 section 3.3, 2920, 2033, 3461). */
#include "smtp/client_priv.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIPELINE_RCPTS = 100 }; /* in one write: their replies fit into any socket buffer */

/* --- replies per recipient --- */

static bool word_given(const struct smtp_rcpt_reply *r)
{
	return r->code != 0 || r->text[0] != '\0';
}

static void word_reply(struct smtp_rcpt_reply *out, const struct smtp_reply *r)
{
	*out = (struct smtp_rcpt_reply){
		.code = r->code, .accepted = r->code / 100 == 2, .permanent = r->code / 100 == 5};
	memcpy(out->ecode, r->ecode, sizeof(out->ecode));
	memcpy(out->text, r->text, sizeof(out->text));
	if (out->text[0] == '\0')
		snprintf(out->text, sizeof(out->text), "(no text)");
}

/* Our own words. */
static void word_own(struct smtp_rcpt_reply *out, const char *ecode, const char *text)
{
	*out = (struct smtp_rcpt_reply){.permanent = ecode[0] == '5'};
	snprintf(out->ecode, sizeof(out->ecode), "%s", ecode);
	snprintf(out->text, sizeof(out->text), "%s", text);
}

/* A 2yz where another reply is due counts as temporary trouble (spec 3.5). */
static void word_refusal(struct smtp_rcpt_reply *out, const struct smtp_reply *r)
{
	word_reply(out, r);
	out->accepted = false;
}

/* --- does the peer have what the message needs? --- */

struct needs {
	bool high_header, high_body;
};

/* Looks for octets over 127; read only when the answer matters. */
static int needs_scan(struct store_body *body, struct needs *n, struct err *err)
{
	struct str piece;
	bool in_body = false;
	char last[4] = {0, 0, 0, 0};
	int rc;

	*n = (struct needs){.high_header = false};
	store_body_rewind(body);
	while ((rc = store_body_next(body, &piece, err)) > 0) {
		for (size_t i = 0; i < piece.len && !(in_body && n->high_body); i++) {
			if ((unsigned char)piece.p[i] > 127) {
				n->high_body = true;
				n->high_header |= !in_body;
			}
			if (in_body)
				continue;
			memmove(last, last + 1, 3);
			last[3] = piece.p[i];
			in_body = memcmp(last, "\r\n\r\n", 4) == 0;
		}
	}
	store_body_rewind(body);
	return rc;
}

static bool addresses_ascii(const struct smtp_send *msg)
{
	bool ascii = str_is_ascii(msg->mail_from);

	for (size_t i = 0; i < msg->rcpt_count; i++)
		ascii = ascii && str_is_ascii(msg->rcpts[i].address);
	return ascii;
}

/* Fills refusal and returns 1 when the peer must not get this message. */
static int unfit(const struct smtp_client *c, const struct smtp_send *msg,
	struct smtp_rcpt_reply *refusal, struct err *err)
{
	bool lacks_utf8 = (msg->smtputf8 || !addresses_ascii(msg)) && !(c->ext & SMTP_EXT_SMTPUTF8);
	bool lacks_8bit = msg->body_8bit && !(c->ext & SMTP_EXT_8BITMIME) &&
			  msg->no_8bit == SMTP_NO_8BIT_FAIL;
	struct needs needs = {.high_header = false};
	char text[128];

	if ((lacks_utf8 || lacks_8bit) && needs_scan(msg->body, &needs, err) < 0)
		return -1;
	if (lacks_utf8 && (needs.high_header || !addresses_ascii(msg))) {
		word_own(refusal, "5.6.7",
			"The message needs SMTPUTF8, which this server does not offer");
		return 1;
	}
	if (lacks_8bit && needs.high_body) {
		word_own(refusal, "5.6.3",
			"The message has 8-bit content, and this server does not offer 8BITMIME");
		return 1;
	}
	if (msg->requiretls && !(c->ext & SMTP_EXT_REQUIRETLS)) {
		word_own(refusal, "4.7.30",
			"The message demands REQUIRETLS, which this server does not offer");
		return 1;
	}
	if (c->size_max > 0 && msg->size > c->size_max) {
		snprintf(text, sizeof(text),
			"The message has %" PRId64 " octets, this server takes %" PRId64, msg->size,
			c->size_max);
		word_own(refusal, "5.3.4", text);
		return 1;
	}
	return 0;
}

/* --- commands --- */

/* An address goes between < and >; what could end the line or the path stays out. */
static int address_check(struct str a, struct err *err)
{
	bool quoted = false;

	for (size_t i = 0; i < a.len; i++) {
		unsigned char ch = (unsigned char)a.p[i];
		if (ch < ' ' || ch == 0x7f || (!quoted && (ch == '<' || ch == '>' || ch == ' ')))
			return err_set(
				err, ERR_PERM, "address cannot be sent: \"%.*s\"", STR_FMT(a));
		if (ch == '\\' && quoted && i + 1 < a.len && (unsigned char)a.p[i + 1] >= ' ')
			i++;
		else if (ch == '"')
			quoted = !quoted;
	}
	if (a.len > 1000)
		return err_set(err, ERR_PERM, "address of %zu octets cannot be sent", a.len);
	return 0;
}

static bool xtext_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	}
	return s.len > 0 && s.len <= 1000;
}

int smtp_client_mail_write(
	struct smtp_client *c, const struct smtp_send *msg, struct buf *out, struct err *err)
{
	if (address_check(msg->mail_from, err) < 0)
		return -1;
	buf_printf(out, "MAIL FROM:<%.*s>", STR_FMT(msg->mail_from));
	if ((c->ext & SMTP_EXT_SIZE) && msg->size > 0)
		buf_printf(out, " SIZE=%" PRId64, msg->size);
	if (c->ext & SMTP_EXT_8BITMIME)
		buf_text(out, msg->body_8bit ? " BODY=8BITMIME" : " BODY=7BIT");
	if (msg->smtputf8 && (c->ext & SMTP_EXT_SMTPUTF8))
		buf_text(out, " SMTPUTF8");
	if (msg->requiretls)
		buf_text(out, " REQUIRETLS");
	if (c->ext & SMTP_EXT_DSN) {
		if (msg->ret != STORE_RET_UNSET)
			buf_text(out, msg->ret == STORE_RET_FULL ? " RET=FULL" : " RET=HDRS");
		if (xtext_ok(msg->envid))
			buf_printf(out, " ENVID=%.*s", STR_FMT(msg->envid));
	}
	return 0;
}

static void notify_write(struct buf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{STORE_NOTIFY_SUCCESS, "SUCCESS"},
		{STORE_NOTIFY_FAILURE, "FAILURE"},
		{STORE_NOTIFY_DELAY, "DELAY"},
	};
	const char *sep = " NOTIFY=";

	if (notify & STORE_NOTIFY_NEVER) {
		buf_text(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (notify & names[i].bit) {
			buf_printf(out, "%s%s", sep, names[i].name);
			sep = ",";
		}
	}
}

int smtp_client_rcpt_write(
	struct smtp_client *c, const struct smtp_send_rcpt *rcpt, struct buf *out, struct err *err)
{
	if (address_check(rcpt->address, err) < 0)
		return -1;
	buf_printf(out, "RCPT TO:<%.*s>", STR_FMT(rcpt->address));
	if (c->ext & SMTP_EXT_DSN) {
		notify_write(out, rcpt->notify);
		if (xtext_ok(rcpt->orcpt))
			buf_printf(out, " ORCPT=%.*s", STR_FMT(rcpt->orcpt));
	}
	return 0;
}

/* --- the envelope --- */

struct envelope {
	struct smtp_client *c;
	const struct smtp_send *msg;
	struct smtp_rcpt_reply *replies;
	struct smtp_failure *failure;
	size_t accepted;
	bool confused;
	struct smtp_reply data; /* reply to DATA; code 0: not asked */
};

static int line_queue(struct smtp_client *c, struct buf *line, struct err *err)
{
	int rc = smtp_client_line(c, buf_str(line), (struct str){NULL, 0}, err);

	buf_clear(line);
	return rc;
}

static int rcpts_queue(
	struct envelope *e, size_t from, size_t to, struct buf *line, struct err *err)
{
	for (size_t i = from; i < to; i++) {
		struct err bad;
		if (smtp_client_rcpt_write(e->c, &e->msg->rcpts[i], line, &bad) < 0) {
			word_own(&e->replies[i], "5.1.3", bad.text);
			buf_clear(line);
		} else if (line_queue(e->c, line, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int rcpts_read(struct envelope *e, size_t from, size_t to, struct err *err)
{
	struct smtp_reply r;

	for (size_t i = from; i < to; i++) {
		if (word_given(&e->replies[i]))
			continue;
		if (smtp_client_reply(e->c, &r, 1, err) < 0)
			return -1;
		if (r.code / 100 == 3) { /* out of step: no answer to RCPT */
			e->confused = true;
			continue;
		}
		word_reply(&e->replies[i], &r);
		if (e->replies[i].accepted)
			e->accepted++;
	}
	return 0;
}

/* After MAIL was refused everything else is, too; a server may even hang up at once, which
 * does not soften its word (spec 3.5). */
static int mail_refused(struct envelope *e, const struct smtp_reply *mail, size_t pending)
{
	struct smtp_reply r;
	struct err err;

	for (size_t i = 0; i < e->msg->rcpt_count; i++)
		word_refusal(&e->replies[i], mail);
	while (pending-- > 0 && !e->c->dead) {
		if (smtp_client_reply(e->c, &r, 1, &err) < 0)
			break;
		if (r.code == 354) /* a muddled server waits for data: leave it */
			e->c->dead = true;
	}
	return 0;
}

/* One command at a time. 1: go on with the data; 0: all have their word; -1. */
static int envelope_stepwise(struct envelope *e, struct buf *line)
{
	struct smtp_client *c = e->c;
	struct smtp_reply r;
	struct err err;

	if (line_queue(c, line, &err) < 0 || smtp_client_reply(c, &r, 1, &err) < 0)
		return smtp_fail_io(c, e->failure, SMTP_STAGE_MAIL, &err);
	if (r.code != 250)
		return mail_refused(e, &r, 0);
	for (size_t i = 0; i < e->msg->rcpt_count; i++) {
		if (rcpts_queue(e, i, i + 1, line, &err) < 0 || rcpts_read(e, i, i + 1, &err) < 0)
			return smtp_fail_io(c, e->failure, SMTP_STAGE_RCPT, &err);
	}
	if (e->accepted == 0)
		return 0;
	if (smtp_client_command(c, "DATA", &e->data, &err) < 0)
		return smtp_fail_io(c, e->failure, SMTP_STAGE_DATA, &err);
	return 1;
}

/* MAIL, up to PIPELINE_RCPTS recipients and, when they are all, DATA in one write. */
static int envelope_pipelined(struct envelope *e, struct buf *line)
{
	struct smtp_client *c = e->c;
	size_t n = e->msg->rcpt_count;
	struct smtp_reply r;
	struct err err;

	if (line_queue(c, line, &err) < 0)
		return smtp_fail_io(c, e->failure, SMTP_STAGE_MAIL, &err);
	for (size_t from = 0; from < n; from += PIPELINE_RCPTS) {
		size_t to = n - from > PIPELINE_RCPTS ? from + PIPELINE_RCPTS : n;
		size_t pending = 0;
		if (rcpts_queue(e, from, to, line, &err) < 0 ||
			(to == n &&
				smtp_client_line(c, STR("DATA"), (struct str){NULL, 0}, &err) < 0))
			return smtp_fail_io(c, e->failure, SMTP_STAGE_MAIL, &err);
		for (size_t i = from; i < to; i++)
			pending += !word_given(&e->replies[i]);
		pending += to == n;
		if (from == 0) {
			if (smtp_client_reply(c, &r, 1, &err) < 0)
				return smtp_fail_io(c, e->failure, SMTP_STAGE_MAIL, &err);
			if (r.code != 250)
				return mail_refused(e, &r, pending);
		}
		if (rcpts_read(e, from, to, &err) < 0)
			return smtp_fail_io(c, e->failure, SMTP_STAGE_RCPT, &err);
	}
	if (smtp_client_reply(c, &e->data, 1, &err) < 0)
		return smtp_fail_io(c, e->failure, SMTP_STAGE_DATA, &err);
	return 1;
}

/* --- the data --- */

/* Doubles dots at line starts (RFC 5321 4.5.2) and makes sure of the last CRLF. A bare LF
 * counts as a line start too: some receivers take it for one, and none may see a lone dot
 * that was not there (SMTP smuggling). */
static int body_write(struct smtp_client *c, struct store_body *body, struct err *err)
{
	struct str piece;
	char last[2] = {'\r', '\n'};
	int rc;

	store_body_rewind(body);
	while ((rc = store_body_next(body, &piece, err)) > 0) {
		struct deadline d = smtp_client_deadline(c, 1);
		if (piece.len == 0)
			continue;
		if (last[1] == '\n' && piece.p[0] == '.' &&
			conn_write(c->conn, STR("."), d, err) < 0)
			return -1;
		size_t sent = 0;
		const char *end = piece.p + piece.len;
		for (const char *lf = piece.p;
			lf + 1 < end && (lf = memchr(lf, '\n', (size_t)(end - lf) - 1)) != NULL;
			lf++) {
			if (lf[1] != '.')
				continue;
			size_t upto = (size_t)(lf + 1 - piece.p);
			struct str part = {piece.p + sent, upto - sent};
			if (conn_write(c->conn, part, d, err) < 0 ||
				conn_write(c->conn, STR("."), d, err) < 0)
				return -1;
			sent = upto;
		}
		if (conn_write(c->conn, str_skip(piece, sent), d, err) < 0)
			return -1;
		last[0] = piece.len > 1 ? piece.p[piece.len - 2] : last[1];
		last[1] = piece.p[piece.len - 1];
	}
	if (rc < 0)
		return -1;
	bool crlf = last[0] == '\r' && last[1] == '\n';
	return conn_write(
		c->conn, crlf ? STR(".\r\n") : STR("\r\n.\r\n"), smtp_client_deadline(c, 1), err);
}

/* A RCPT that was accepted is no final word when the session dies before the end. */
static void unaccept(struct envelope *e)
{
	for (size_t i = 0; i < e->msg->rcpt_count; i++) {
		if (e->replies[i].accepted)
			e->replies[i] = (struct smtp_rcpt_reply){.code = 0};
	}
}

/* LMTP answers once for each accepted recipient, SMTP once for all. */
static int end_read(struct envelope *e)
{
	struct smtp_reply r = {.code = 0};
	struct err err;
	bool each = e->c->opt.protocol == STORE_PROTOCOL_LMTP;

	for (size_t i = 0; i < e->msg->rcpt_count; i++) {
		if (!e->replies[i].accepted)
			continue;
		if ((each || r.code == 0) && smtp_client_reply(e->c, &r, 2, &err) < 0) {
			for (size_t k = i; k < e->msg->rcpt_count; k++) {
				if (e->replies[k].accepted)
					e->replies[k] = (struct smtp_rcpt_reply){.code = 0};
			}
			return smtp_fail_io(e->c, e->failure, SMTP_STAGE_END, &err);
		}
		word_reply(&e->replies[i], &r);
	}
	e->c->dirty = !each && r.code / 100 != 2;
	return 0;
}

/* No recipient is left, but the server wants data: it gets an empty message that nobody
 * receives (RFC 2920 section 3.1). LMTP would owe no reply: end the session there. */
static int data_of_nobody(struct envelope *e)
{
	struct smtp_reply r;
	struct err err;

	if (e->c->opt.protocol == STORE_PROTOCOL_LMTP) {
		e->c->dead = true;
		return 0;
	}
	(void)!smtp_client_command(e->c, ".", &r, &err);
	return 0;
}

static int data_phase(struct envelope *e)
{
	struct smtp_client *c = e->c;
	struct err err;

	if (e->data.code != 354) {
		for (size_t i = 0; i < e->msg->rcpt_count; i++) {
			if (e->replies[i].accepted)
				word_refusal(&e->replies[i], &e->data);
		}
		return 0;
	}
	if (e->accepted == 0)
		return data_of_nobody(e);
	if (c->opt.transcript != NULL)
		buf_printf(
			c->opt.transcript, "> (message, %" PRId64 " octets)\n> .\n", e->msg->size);
	if (body_write(c, e->msg->body, &err) < 0) {
		unaccept(e);
		return smtp_fail_io(c, e->failure, SMTP_STAGE_DATA, &err);
	}
	return end_read(e);
}

int smtp_client_send(struct smtp_client *c, const struct smtp_send *msg,
	struct smtp_rcpt_reply *replies, struct smtp_failure *failure)
{
	struct envelope e = {.c = c, .msg = msg, .replies = replies, .failure = failure};
	struct smtp_rcpt_reply refusal;
	struct buf line = {NULL, 0, 0};
	struct err err = {.kind = ERR_NONE};

	*failure = (struct smtp_failure){.stage = SMTP_STAGE_MAIL};
	memset(replies, 0, sizeof(*replies) * msg->rcpt_count);
	if (c->dead) {
		err_set(&err, ERR_TEMP, "session is closed");
		return smtp_fail_io(c, failure, SMTP_STAGE_MAIL, &err);
	}
	int rc = unfit(c, msg, &refusal, &err);
	if (rc < 0) { /* our own disk: the session is fine */
		smtp_text_copy(failure->text, sizeof(failure->text), str_from(err.text));
		return -1;
	}
	if (rc == 0 && smtp_client_mail_write(c, msg, &line, &err) < 0) {
		word_own(&refusal, "5.1.7", err.text);
		rc = 1;
	}
	if (rc == 1) {
		for (size_t i = 0; i < msg->rcpt_count; i++)
			replies[i] = refusal;
		buf_free(&line);
		return 0;
	}
	rc = smtp_client_clean(c, failure);
	if (rc == 0) {
		c->dirty = true;
		rc = c->ext & SMTP_EXT_PIPELINING ? envelope_pipelined(&e, &line)
						  : envelope_stepwise(&e, &line);
		if (rc >= 0 && e.confused) {
			err_set(&err, ERR_TEMP, "the server answered RCPT with 3yz");
			rc = smtp_fail_io(c, failure, SMTP_STAGE_RCPT, &err);
		}
		if (rc < 0)
			unaccept(&e);
	}
	buf_free(&line);
	return rc > 0 ? data_phase(&e) : rc;
}

int smtp_client_probe(struct smtp_client *c, struct str mail_from, struct str rcpt,
	struct smtp_rcpt_reply *reply, struct smtp_failure *failure)
{
	struct smtp_send msg = {.mail_from = mail_from,
		.smtputf8 = !str_is_ascii(mail_from) || !str_is_ascii(rcpt)};
	struct smtp_send_rcpt to = {.address = rcpt};
	struct buf line = {NULL, 0, 0}, second = {NULL, 0, 0};
	struct smtp_reply r;
	struct err err;
	int rc = 0;

	*failure = (struct smtp_failure){.stage = SMTP_STAGE_MAIL};
	*reply = (struct smtp_rcpt_reply){.code = 0};
	if (smtp_client_clean(c, failure) < 0)
		return -1;
	if (smtp_client_mail_write(c, &msg, &line, &err) < 0 ||
		smtp_client_rcpt_write(c, &to, &second, &err) < 0) {
		word_own(reply, "5.1.3", err.text);
		goto out;
	}
	c->dirty = true;
	rc = -1;
	if (line_queue(c, &line, &err) < 0 || smtp_client_reply(c, &r, 1, &err) < 0) {
		smtp_fail_io(c, failure, SMTP_STAGE_MAIL, &err);
		goto out;
	}
	if (r.code != 250) { /* says nothing about the recipient */
		smtp_fail_reply(failure, SMTP_STAGE_MAIL, &r);
		goto out;
	}
	if (line_queue(c, &second, &err) < 0 || smtp_client_reply(c, &r, 1, &err) < 0) {
		smtp_fail_io(c, failure, SMTP_STAGE_RCPT, &err);
		goto out;
	}
	word_reply(reply, &r);
	rc = smtp_client_clean(c, failure);
out:
	buf_free(&line);
	buf_free(&second);
	return rc;
}
