#include "smtp/session.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "smtp/internal.h"
#include "smtp/proxy.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROXY_WAIT_MS = 10 * 1000 };

bool session_is_submission(const struct session *s)
{
	return s->opt->service != SMTP_SERVICE_MX;
}

bool session_stopping(const struct session *s)
{
	return s->deps->stopping != NULL && *s->deps->stopping != 0;
}

static bool starttls_offered(const struct session *s)
{
	return s->opt->tls != NULL && s->tls == NULL &&
	       (session_is_submission(s) || !s->listener->smtp_no_starttls);
}

/* On submission nothing but TLS protects a password. */
static bool auth_offered(const struct session *s)
{
	return session_is_submission(s) && s->account == NULL &&
	       (s->tls != NULL || s->listener->submission_no_require_starttls);
}

static void ehlo_reply(struct session *s)
{
	char text[128];

	session_reply_more(s, 250, s->listener->hostname);
	session_reply_more(s, 250, "PIPELINING");
	snprintf(text, sizeof(text), "SIZE %lld", (long long)s->listener->smtp_max_message_size);
	session_reply_more(s, 250, text);
	if (starttls_offered(s))
		session_reply_more(s, 250, "STARTTLS");
	if (s->tls != NULL && !s->listener->smtp_no_requiretls)
		session_reply_more(s, 250, "REQUIRETLS");
	if (auth_offered(s))
		session_reply_more(
			s, 250, s->tls != NULL ? "AUTH SCRAM-SHA-256 PLAIN" : "AUTH SCRAM-SHA-256");
	session_reply_more(s, 250, "ENHANCEDSTATUSCODES");
	session_reply_more(s, 250, "8BITMIME");
	session_reply_more(s, 250, "SMTPUTF8");
	session_reply_more(s, 250, "CHUNKING");
	session_reply_more(s, 250, "DSN");
	snprintf(text, sizeof(text), "RCPTMAX=%u", s->limits->recipients_max);
	session_reply(s, 250, NULL, "LIMITS %s", text);
}

static void hello(struct session *s, const struct smtp_command *c)
{
	char *name = mem_alloc(c->arg.len + 1);

	memcpy(name, c->arg.p, c->arg.len);
	free(s->helo);
	s->helo = name;
	s->esmtp = c->verb == SMTP_EHLO;
	transaction_reset(s);
	if (s->esmtp)
		ehlo_reply(s);
	else
		session_reply(s, 250, NULL, "%s", s->listener->hostname);
}

/* Everything the client said in the clear is forgotten, RFC 3207 section 4.2. */
static int tls_begin(struct session *s)
{
	struct tls_info *info = mem_alloc(sizeof(*info));
	struct err err;
	char ip[IP_TEXT];

	conn_discard(s->conn);
	if (tls_accept(s->conn, s->opt->tls, deadline_in_ms(s->limits->tls_timeout_ms), info,
		    &err) < 0) {
		log_event(LOG_LEVEL_INFO, "smtp.tls_failed", "session", s->id, "ip",
			ip_text(&s->peer, ip), "error", err.text, NULL);
		free(info);
		s->over = true;
		return -1;
	}
	s->tls = info;
	free(s->helo);
	free(s->account);
	s->helo = s->account = NULL;
	s->esmtp = false;
	transaction_reset(s);
	return 0;
}

static void starttls(struct session *s)
{
	if (s->tls != NULL) {
		session_refuse(s, 503, "5.5.1", "TLS is active already");
		return;
	}
	if (!starttls_offered(s)) {
		session_refuse(s, 502, "5.5.1", "STARTTLS is not offered here");
		return;
	}
	if (conn_buffered(s->conn) > 0) {
		/* Commands behind STARTTLS would be read as if they came through TLS. */
		session_reply(s, 501, "5.5.1", "Nothing may be pipelined after STARTTLS");
		session_flush(s);
		s->over = true;
		return;
	}
	session_reply(s, 220, "2.0.0", "Go ahead");
	session_flush(s);
	if (!s->over)
		(void)!tls_begin(s);
}

static void unknown(struct session *s, const struct smtp_command *c)
{
	if (!s->any_command || c->http) {
		/* A web browser or a worm: no second line is worth reading. */
		session_reply(s, 500, "5.5.1", "This is an SMTP server");
		session_flush(s);
		s->over = true;
		return;
	}
	session_refuse(s, 500, "5.5.1", "Unknown command");
}

static void greeted_command(struct session *s, const struct smtp_command *c)
{
	if (s->helo == NULL) {
		session_refuse(s, 503, "5.5.1", "Say EHLO first");
		return;
	}
	switch (c->verb) {
	case SMTP_MAIL:
		transaction_mail(s, c);
		break;
	case SMTP_RCPT:
		transaction_rcpt(s, c);
		break;
	case SMTP_DATA:
		transaction_data(s);
		break;
	case SMTP_BDAT:
		transaction_bdat(s, c);
		break;
	case SMTP_STARTTLS:
		starttls(s);
		break;
	case SMTP_AUTH:
		session_auth(s, c);
		break;
	case SMTP_UNKNOWN:
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_RSET:
	case SMTP_NOOP:
	case SMTP_VRFY:
	case SMTP_EXPN:
	case SMTP_HELP:
	case SMTP_QUIT:
		break;
	}
}

static void command_run(struct session *s, const struct smtp_command *c)
{
	switch (c->verb) {
	case SMTP_UNKNOWN:
		unknown(s, c);
		break;
	case SMTP_EHLO:
	case SMTP_HELO:
		hello(s, c);
		break;
	case SMTP_RSET:
		transaction_reset(s);
		session_reply(s, 250, "2.0.0", "Reset");
		break;
	case SMTP_NOOP:
		session_reply(s, 250, "2.0.0", "OK");
		break;
	case SMTP_VRFY:
	case SMTP_EXPN:
		session_reply(s, 252, "2.5.2", "Send some mail, it will be tried");
		break;
	case SMTP_HELP:
		session_reply(s, 214, "2.0.0", "See RFC 5321");
		break;
	case SMTP_QUIT:
		session_reply(s, 221, "2.0.0", "%s Good bye", s->listener->hostname);
		session_flush(s);
		s->over = true;
		break;
	case SMTP_MAIL:
	case SMTP_RCPT:
	case SMTP_DATA:
	case SMTP_BDAT:
	case SMTP_STARTTLS:
	case SMTP_AUTH:
		greeted_command(s, c);
		break;
	}
}

static void activity_set(const struct session *s, enum smtp_activity activity)
{
	if (s->opt->activity != NULL)
		atomic_store_explicit(s->opt->activity, (int)activity, memory_order_relaxed);
}

static void command_loop(struct session *s)
{
	struct smtp_refusal refusal;
	struct str line;

	while (!s->over) {
		if (session_stopping(s) && !s->env.open) {
			session_reply(s, 421, "4.3.2", "%s Shutting down, come back soon",
				s->listener->hostname);
			session_flush(s);
			return;
		}
		if (!s->env.open)
			activity_set(s, SMTP_ACTIVITY_IDLE);
		bool more = session_line(s, &line);
		activity_set(s, SMTP_ACTIVITY_BUSY);
		if (!more)
			return;
		struct smtp_command c = {.verb = SMTP_UNKNOWN};
		if (smtp_command_parse(s->scratch, line, &c, &refusal) < 0)
			session_refuse(s, refusal.code, refusal.ecode, "%s", refusal.text);
		else {
			s->command = &c;
			command_run(s, &c);
			s->command = NULL;
		}
		metric_inc(METRIC_SMTP_COMMANDS, (unsigned)c.verb, metric_class_of(s->last_code));
		s->any_command = true;
		arena_reset(s->scratch);
		if (!s->env.open)
			arena_reset(s->arena);
		if (s->limits->bad_transactions_max != 0 && s->good_transactions == 0 &&
			s->bad_transactions > s->limits->bad_transactions_max &&
			!s->config->localserve) {
			session_reply(s, 550, "5.7.0", "Too many failed transactions");
			session_flush(s);
			return;
		}
	}
}

/* Limits by address, when they could not be taken at accept time. */
static bool limits_take(struct session *s)
{
	if (smtp_limits_connect(s->deps->limits, s->limits, &s->peer, clock_mono_ms()) ==
		SMTP_LIMIT_OK) {
		s->counted = true;
		return true;
	}
	metric_inc(METRIC_CONNECTIONS_REFUSED, METRIC_SERVICE_SMTP, 0);
	session_reply(s, 421, "4.7.0", "%s Too many connections from your network",
		s->listener->hostname);
	session_flush(s);
	return false;
}

static bool proxy_expected(const struct session *s)
{
	for (size_t i = 0; i < s->listener->proxy_from_count; i++) {
		if (cidr_contains(&s->listener->proxy_from[i], &s->peer))
			return true;
	}
	return false;
}

/* PROXY header, TLS, rates: what comes before the banner. False: no session. */
static bool opening(struct session *s)
{
	struct err err;
	char ip[IP_TEXT];

	conn_addresses(s->conn, &s->local, &s->local_port, &s->peer, &s->peer_port);
	if (proxy_expected(s)) {
		/* Nothing may have been read yet: what follows the header can be a handshake. */
		if (proxy_header_read(s->conn, deadline_in_ms(PROXY_WAIT_MS), &err) < 0) {
			log_event(LOG_LEVEL_WARN, "smtp.proxy_failed", "session", s->id, "ip",
				ip_text(&s->peer, ip), "error", err.text, NULL);
			return false;
		}
		conn_addresses(s->conn, &s->local, &s->local_port, &s->peer, &s->peer_port);
		if (!limits_take(s))
			return false;
	}
	if (s->opt->service == SMTP_SERVICE_SUBMISSIONS &&
		(s->opt->tls == NULL || tls_begin(s) < 0))
		return false;
	if (session_is_submission(s) &&
		!smtp_limits_auth_allowed(s->deps->limits, s->limits, &s->peer, clock_mono_ms())) {
		metric_inc(METRIC_AUTH, METRIC_AUTH_SMTP, METRIC_AUTH_LIMITED);
		session_reply(s, 421, "4.7.0", "%s Too many failed logins from your network",
			s->listener->hostname);
		session_flush(s);
		return false;
	}
	s->trusted = store_network_trusts(s->deps->store, &s->peer);
	return true;
}

void smtp_session_run(struct conn *conn, const struct smtp_session_options *opt)
{
	struct session s = {.conn = conn, .opt = opt, .deps = opt->deps};

	rand_id(s.id);
	s.config = config_snapshot(opt->deps->config);
	s.listener = config_listener(s.config, opt->listener);
	s.limits = &s.config->limits;
	s.arena = arena_open();
	s.scratch = arena_open();
	s.total = deadline_in_ms(s.limits->session_timeout_ms);
	if (s.listener != NULL && opening(&s)) {
		session_reply(&s, 220, NULL, "%s ESMTP mox", s.listener->hostname);
		command_loop(&s);
	}
	smtp_data_end(&s.data);
	buf_free(&s.data.head);
	if (s.counted)
		smtp_limits_disconnect(opt->deps->limits, &s.peer);
	arena_close(&s.scratch);
	arena_close(&s.arena);
	free(s.tls);
	free(s.helo);
	free(s.account);
	config_release(s.config);
	conn_close(&conn);
	if (opt->tls != NULL) {
		struct tls_server *tls = opt->tls;
		tls_server_release(&tls);
	}
}
