#include "smtp/client.h"

#include "base/arena.h"
#include "base/mem.h"
#include "smtp/client_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUIT_TIMEOUT_MS = 5000 };

/* --- lines and replies --- */

struct deadline smtp_client_deadline(const struct smtp_client *c, int64_t times)
{
	return deadline_min(deadline_in_ms(c->opt.command_timeout_ms * times), c->opt.session);
}

static void transcribe(struct smtp_client *c, const char *mark, struct str line)
{
	char text[SMTP_REPLY_LINE_MAX];

	if (c->opt.transcript == NULL)
		return;
	smtp_text_copy(text, sizeof(text), line);
	buf_printf(c->opt.transcript, "%s%s\n", mark, text);
}

int smtp_client_line(struct smtp_client *c, struct str line, struct str shown, struct err *err)
{
	struct deadline d = smtp_client_deadline(c, 1);

	transcribe(c, "> ", shown.len > 0 ? shown : line);
	if (conn_write(c->conn, line, d, err) < 0 || conn_write(c->conn, STR("\r\n"), d, err) < 0) {
		c->dead = true;
		return -1;
	}
	return 0;
}

/* SIZE n, AUTH a b, other keywords; unknown ones are passed over (RFC 5321 4.1.1.1). */
static void extension_take(struct smtp_client *c, struct str line)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = {
		{"PIPELINING", SMTP_EXT_PIPELINING},
		{"8BITMIME", SMTP_EXT_8BITMIME},
		{"SMTPUTF8", SMTP_EXT_SMTPUTF8},
		{"STARTTLS", SMTP_EXT_STARTTLS},
		{"REQUIRETLS", SMTP_EXT_REQUIRETLS},
		{"DSN", SMTP_EXT_DSN},
		{"SIZE", SMTP_EXT_SIZE},
		{"ENHANCEDSTATUSCODES", SMTP_EXT_ENHANCED},
		{"CHUNKING", SMTP_EXT_CHUNKING},
		{"AUTH", SMTP_EXT_AUTH},
	};
	struct str word, rest = str_trim(line), value = {NULL, 0};
	unsigned bit = 0;
	uint64_t n;

	if (str_starts_nocase(rest, STR("AUTH="))) { /* as old servers write it */
		value = str_skip(rest, 5);
		rest.len = 4;
	} else {
		(void)str_split(rest, ' ', &rest, &value);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_eq_nocase(rest, str_from(names[i].name)))
			bit = names[i].bit;
	}
	c->ext |= bit;
	if (bit == SMTP_EXT_SIZE && str_to_u64(str_trim(value), INT64_MAX, &n))
		c->size_max = (int64_t)n;
	while (bit == SMTP_EXT_AUTH && str_next(&value, ' ', &word)) {
		c->auth_plain |= str_eq_nocase(word, STR("PLAIN"));
		c->auth_login |= str_eq_nocase(word, STR("LOGIN"));
		c->auth_scram |= str_eq_nocase(word, STR("SCRAM-SHA-256"));
	}
}

/* The reply to a login may repeat what was sent: from here it would go into the transcript, the
 * log and notices to senders. */
static bool repeats_secret(const struct smtp_client *c, struct str line)
{
	enum { SHORTEST = 4 }; /* less is found in any text */

	return (c->secret.len >= SHORTEST && str_find(line, c->secret) != NULL) ||
	       (c->secret.len > 0 && c->opt.password.len >= SHORTEST &&
		       str_find(line, c->opt.password) != NULL);
}

enum reply_kind { REPLY_PLAIN, REPLY_EHLO };

static int reply_read(struct smtp_client *c, struct smtp_reply *reply, enum reply_kind kind,
	struct deadline d, struct err *err)
{
	enum smtp_enhanced enhanced =
		c->ext & SMTP_EXT_ENHANCED ? SMTP_ENHANCED_ON : SMTP_ENHANCED_OFF;
	char left_out[64];
	struct str line;
	int rc = 1;

	smtp_reply_begin(reply);
	while (rc == 1) {
		rc = conn_read_line(c->conn, SMTP_REPLY_LINE_MAX, d, &line, err);
		if (rc == 0)
			rc = err_set(err, ERR_TEMP, "connection closed by the peer");
		if (rc < 0)
			break;
		if (repeats_secret(c, line)) {
			snprintf(left_out, sizeof(left_out), "%.*s(left out: it repeats the login)",
				(int)(line.len < 4 ? line.len : 4), line.p);
			line = str_from(left_out);
		}
		transcribe(c, "< ", line);
		rc = smtp_reply_add(reply, line, enhanced, err);
		if (rc >= 0 && kind == REPLY_EHLO && reply->code == 250 && reply->lines > 1)
			extension_take(c, reply->last);
	}
	reply->last = (struct str){NULL, 0};
	if (rc < 0 || reply->code == 421)
		c->dead = true;
	return rc;
}

int smtp_client_reply(
	struct smtp_client *c, struct smtp_reply *reply, int64_t times, struct err *err)
{
	return reply_read(c, reply, REPLY_PLAIN, smtp_client_deadline(c, times), err);
}

int smtp_client_command(
	struct smtp_client *c, const char *line, struct smtp_reply *reply, struct err *err)
{
	if (smtp_client_line(c, str_from(line), (struct str){NULL, 0}, err) < 0)
		return -1;
	return smtp_client_reply(c, reply, 1, err);
}

int smtp_fail_io(
	struct smtp_client *c, struct smtp_failure *f, enum smtp_stage stage, const struct err *err)
{
	c->dead = true;
	*f = (struct smtp_failure){.stage = stage, .dead = true};
	smtp_text_copy(f->text, sizeof(f->text), str_from(err->text));
	return -1;
}

int smtp_fail_reply(struct smtp_failure *f, enum smtp_stage stage, const struct smtp_reply *r)
{
	*f = (struct smtp_failure){
		.stage = stage, .code = r->code, .permanent = r->code / 100 == 5};
	memcpy(f->ecode, r->ecode, sizeof(f->ecode));
	memcpy(f->text, r->text, sizeof(f->text));
	f->dead = r->code == 421;
	return -1;
}

int smtp_client_clean(struct smtp_client *c, struct smtp_failure *failure)
{
	struct smtp_reply r;
	struct err err;

	if (!c->dirty)
		return 0;
	if (smtp_client_command(c, "RSET", &r, &err) < 0)
		return smtp_fail_io(c, failure, SMTP_STAGE_MAIL, &err);
	if (r.code != 250) {
		c->dead = true;
		return smtp_fail_reply(failure, SMTP_STAGE_MAIL, &r);
	}
	c->dirty = false;
	return 0;
}

/* --- opening --- */

enum hello { HELLO_FIRST, HELLO_AFTER_TLS };

/* EHLO, and HELO for servers that do not know it; over TLS and in LMTP there is no HELO. */
static int hello(struct smtp_client *c, enum hello when, struct smtp_failure *failure)
{
	bool lmtp = c->opt.protocol == STORE_PROTOCOL_LMTP;
	char line[300];
	struct smtp_reply r;
	struct err err;

	c->ext = 0;
	c->size_max = 0;
	c->auth_plain = c->auth_login = c->auth_scram = false;
	snprintf(line, sizeof(line), "%s %s", lmtp ? "LHLO" : "EHLO", c->opt.helo);
	if (smtp_client_line(c, str_from(line), (struct str){NULL, 0}, &err) < 0 ||
		reply_read(c, &r, REPLY_EHLO, smtp_client_deadline(c, 1), &err) < 0)
		return smtp_fail_io(c, failure, SMTP_STAGE_EHLO, &err);
	smtp_trace_extensions(c, line);
	if (r.code >= 500 && r.code <= 504 && when == HELLO_FIRST && !lmtp) {
		snprintf(line, sizeof(line), "HELO %s", c->opt.helo);
		if (smtp_client_command(c, line, &r, &err) < 0)
			return smtp_fail_io(c, failure, SMTP_STAGE_EHLO, &err);
	}
	if (r.code != 250)
		return smtp_fail_reply(failure, SMTP_STAGE_EHLO, &r);
	return 0;
}

static int handshake(struct smtp_client *c, struct tls_observation *seen, struct err *err)
{
	c->tls_begin_ms = clock_mono_ms();
	const struct dane_names *names = &c->opt.policy.names;
	struct tls_connect_options o = {
		.server_name = names->count > 0 ? names->list[0] : c->opt.server_name,
		.pkix_name = c->opt.server_name,
		.reuse_session = true};

	if (tls_connect(c->conn, c->opt.tls, &o, smtp_client_deadline(c, 1), c->arena, &c->peer,
		    &seen->failure, err) < 0) {
		c->dead = true;
		return -1;
	}
	c->tls_on = seen->handshake_done = true;
	seen->peer = &c->peer;
	return 0;
}

/* Lets policy judge what was seen, and turns a "no" into the failure. why may be NULL. */
static int judged(struct smtp_client *c, const struct tls_observation *seen,
	struct tls_outcome *outcome, struct smtp_failure *failure, const struct err *why)
{
	struct tls_outcome facts = *outcome;

	tlspolicy_judge(&c->opt.policy, seen, outcome);
	memcpy(outcome->helo, facts.helo, sizeof(outcome->helo));
	outcome->local_ip = facts.local_ip;
	outcome->peer_ip = facts.peer_ip;
	smtp_trace_tls(c, outcome, c->tls_begin_ms);
	if (outcome->may_send && !c->dead)
		return 0;
	*failure = (struct smtp_failure){.stage = SMTP_STAGE_TLS, .dead = true};
	smtp_text_copy(failure->text, sizeof(failure->text),
		str_from(why != NULL && why->text[0] != '\0' ? why->text : outcome->text));
	c->dead = c->dead || c->tls_on; /* no QUIT to a peer we do not trust */
	return -1;
}

/* After a failure of the first read over TLS. Where it is the server's "no" to the handshake,
 * outcome and failure become those of a handshake that failed (RFC 8460 section 4.3). */
static int refused_late(struct smtp_client *c, struct tls_observation *seen,
	struct tls_outcome *outcome, struct smtp_failure *failure)
{
	if (!tls_refused_late(c->conn, &seen->failure))
		return -1;
	c->dead = true;
	c->tls_on = seen->handshake_done = false;
	seen->peer = NULL;
	return judged(c, seen, outcome, failure, NULL);
}

static int starttls(
	struct smtp_client *c, struct tls_outcome *outcome, struct smtp_failure *failure)
{
	struct tls_observation seen = {.starttls_offered = (c->ext & SMTP_EXT_STARTTLS) != 0};
	struct smtp_reply r = {.code = 0};
	struct err err = {.kind = ERR_NONE};

	if (c->opt.policy.mode == TLS_MODE_SKIP ||
		(c->opt.policy.mode == TLS_MODE_OPPORTUNISTIC && !seen.starttls_offered))
		return judged(c, &seen, outcome, failure, NULL);
	if (smtp_client_command(c, "STARTTLS", &r, &err) < 0) {
		smtp_trace_io(c, "STARTTLS", err.text);
		return smtp_fail_io(c, failure, SMTP_STAGE_STARTTLS, &err);
	}
	smtp_trace_reply(c, "STARTTLS", &r);
	if (r.code != 220) {
		seen.starttls_refused = true;
		seen.starttls_code = r.code;
		if (judged(c, &seen, outcome, failure, NULL) == 0)
			return 0;
		smtp_fail_reply(failure, SMTP_STAGE_STARTTLS, &r);
		return -1;
	}
	conn_discard(c->conn); /* nothing may cross into TLS, RFC 3207 section 5 */
	(void)handshake(c, &seen, &err);
	if (judged(c, &seen, outcome, failure, &err) < 0)
		return -1;
	return hello(c, HELLO_AFTER_TLS, failure) < 0 ? refused_late(c, &seen, outcome, failure)
						      : 0;
}

/* The first word of the greeting is the name the server gives itself (RFC 5321 4.2). */
static void greeting_take(
	struct smtp_client *c, const struct smtp_reply *r, struct tls_outcome *outcome)
{
	struct str word, rest = str_from(r->text);

	smtp_trace_reply(c, "Greeting", r);
	if (str_next(&rest, ' ', &word))
		(void)str_copy(outcome->helo, sizeof(outcome->helo), word);
}

static int open_dialogue(
	struct smtp_client *c, struct tls_outcome *outcome, struct smtp_failure *failure)
{
	struct tls_observation seen = {.starttls_offered = true};
	struct smtp_reply r;
	struct err err = {.kind = ERR_NONE};

	if (c->opt.policy.mode == TLS_MODE_IMMEDIATE) {
		(void)handshake(c, &seen, &err);
		if (judged(c, &seen, outcome, failure, &err) < 0)
			return -1;
	}
	if (smtp_client_reply(c, &r, 1, &err) < 0) {
		(void)!smtp_fail_io(c, failure, SMTP_STAGE_GREETING, &err);
		return c->tls_on ? refused_late(c, &seen, outcome, failure) : -1;
	}
	greeting_take(c, &r, outcome);
	if (r.code != 220)
		return smtp_fail_reply(failure, SMTP_STAGE_GREETING, &r);
	if (hello(c, HELLO_FIRST, failure) < 0)
		return -1;
	if (!c->tls_on && starttls(c, outcome, failure) < 0)
		return -1;
	return c->opt.username.len > 0 ? smtp_client_auth(c, failure) : 0;
}

int smtp_client_open(struct conn **conn, const struct smtp_client_options *opt,
	struct smtp_client **out, struct tls_outcome *outcome, struct smtp_failure *failure)
{
	struct smtp_client *c = mem_alloc(sizeof(*c));

	c->conn = *conn;
	*conn = NULL;
	c->arena = arena_open();
	c->opt = *opt;
	c->opt.helo = arena_strdup(c->arena, str_from(opt->helo));
	c->opt.server_name =
		opt->server_name ? arena_strdup(c->arena, str_from(opt->server_name)) : NULL;
	c->opt.username = arena_str(c->arena, opt->username);
	c->opt.password = arena_str(c->arena, opt->password);
	*outcome = (struct tls_outcome){.may_send = false};
	unsigned local_port, peer_port;
	conn_addresses(c->conn, &outcome->local_ip, &local_port, &outcome->peer_ip, &peer_port);
	*failure = (struct smtp_failure){.stage = SMTP_STAGE_CONNECT};
	*out = NULL;
	if (open_dialogue(c, outcome, failure) < 0) {
		smtp_client_quit(&c);
		return -1;
	}
	/* What they point at is the caller's, and not needed any more. */
	c->opt.password = (struct str){NULL, 0};
	c->opt.policy.dane = NULL;
	c->opt.policy.names.count = 0;
	c->opt.policy.pins = NULL;
	c->opt.policy.pin_count = 0;
	c->opt.trace = NULL;
	*out = c;
	return 0;
}

unsigned smtp_client_extensions(const struct smtp_client *c)
{
	return c->ext;
}

const struct tls_info *smtp_client_tls(const struct smtp_client *c)
{
	return c->tls_on ? &c->peer.info : NULL;
}

const struct tls_peer *smtp_client_peer(const struct smtp_client *c)
{
	return c->tls_on ? &c->peer : NULL;
}

/* --- keeping and ending --- */

void smtp_client_renew(struct smtp_client *c, struct deadline session)
{
	c->opt.session = session;
}

bool smtp_client_usable(const struct smtp_client *c)
{
	return !c->dead;
}

bool smtp_client_alive(struct smtp_client *c)
{
	struct smtp_failure f;

	c->dirty = true; /* so that RSET is sent */
	return !c->dead && smtp_client_clean(c, &f) == 0;
}

void smtp_client_quit(struct smtp_client **cp)
{
	struct smtp_client *c = *cp;
	struct smtp_reply r;
	struct err err;

	if (c == NULL)
		return;
	if (!c->dead) {
		c->opt.session = deadline_min(c->opt.session, deadline_in_ms(QUIT_TIMEOUT_MS));
		(void)!smtp_client_command(c, "QUIT", &r, &err);
	}
	conn_close(&c->conn);
	arena_close(&c->arena);
	free(c);
	*cp = NULL;
}
