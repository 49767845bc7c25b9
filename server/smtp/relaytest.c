#include "smtp/relaytest.h"

#include "base/buf.h"
#include "base/mem.h"
#include "smtp/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum stage { STAGE_NAME, STAGE_DIAL, STAGE_SESSION, STAGE_TLS, STAGE_PROBE, STAGE_QUIT, STAGE_END };

struct relaytest {
	struct relaytest_options opt;
	struct arena *arena;
	struct deadline deadline;
	enum stage stage;
	const char *name; /* of the host */
	unsigned port;
	struct dns_answer addrs;
	size_t at; /* address */
	struct conn *conn;
	struct smtp_client *client;
	struct tls_policy policy;
	bool plaintext; /* TLS failed, this is the try without */
	struct buf transcript;
	size_t shown;    /* of the transcript */
	char text[1024]; /* of the step */
	char verdict[1200];
	bool good, warned;
};

static const char *const stage_words[] = {
	[SMTP_STAGE_CONNECT] = "connecting",
	[SMTP_STAGE_GREETING] = "the greeting",
	[SMTP_STAGE_EHLO] = "EHLO",
	[SMTP_STAGE_STARTTLS] = "STARTTLS",
	[SMTP_STAGE_TLS] = "the TLS handshake",
	[SMTP_STAGE_AUTH] = "the login",
	[SMTP_STAGE_MAIL] = "MAIL",
	[SMTP_STAGE_RCPT] = "RCPT",
	[SMTP_STAGE_DATA] = "DATA",
	[SMTP_STAGE_END] = "the end of the data",
};

struct relaytest *relaytest_open(const struct relaytest_options *opt)
{
	struct relaytest *t = mem_alloc(sizeof(*t));

	t->opt = *opt;
	t->arena = arena_open();
	t->deadline = deadline_in_ms(RELAYTEST_MS);
	t->policy = tlspolicy_relay(opt->relay->tls);
	snprintf(t->verdict, sizeof(t->verdict), "The test was not finished.");
	return t;
}

void relaytest_close(struct relaytest **tp)
{
	struct relaytest *t = *tp;

	if (t == NULL)
		return;
	if (t->client != NULL)
		smtp_client_quit(&t->client);
	if (t->conn != NULL)
		conn_close(&t->conn);
	buf_free(&t->transcript);
	arena_close(&t->arena);
	free(t);
	*tp = NULL;
}

__attribute__((format(printf, 4, 5))) static void say(struct relaytest *t,
	struct relaytest_step *step, enum relaytest_state state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(t->text, sizeof(t->text), fmt, ap) < 0)
		t->text[0] = '\0';
	va_end(ap);
	step->state = state;
	step->text = str_from(t->text);
	t->warned = t->warned || state == RELAYTEST_WARN;
}

/* What was said since the last step. */
static void transcript_take(struct relaytest *t, struct relaytest_step *step)
{
	step->transcript = str_skip(buf_str(&t->transcript), t->shown);
	t->shown = t->transcript.len;
}

static void give_up(struct relaytest *t, const struct relaytest_step *step)
{
	snprintf(t->verdict, sizeof(t->verdict), "%s failed: %.*s", step->title,
		STR_FMT(step->text));
	t->good = false;
	t->stage = STAGE_END;
}

/* --- the stages --- */

static void name_step(struct relaytest *t, struct relaytest_step *step)
{
	struct buf list = {NULL, 0, 0};
	char ip[IP_TEXT];
	struct ip literal;
	struct str name;
	struct err err;

	step->title = "Address";
	t->stage = STAGE_DIAL;
	if (hostport_parse(t->opt.host, t->opt.default_port, &name, &t->port, &err) < 0) {
		say(t, step, RELAYTEST_BAD, "%s.", err.text);
		give_up(t, step);
		return;
	}
	t->name = arena_strdup(t->arena, name);
	if (ip_parse(name, &literal)) {
		t->addrs.records = arena_alloc(t->arena, sizeof(*t->addrs.records));
		t->addrs.records[0].ip = literal;
		t->addrs.count = 1;
		say(t, step, RELAYTEST_INFO, "%s is an address, no name had to be looked up.",
			t->name);
		return;
	}
	if (t->opt.dns == NULL ||
		dns_addr(t->opt.dns, t->name, t->deadline, t->arena, &t->addrs, &err) < 0) {
		say(t, step, RELAYTEST_BAD, "The address of %s cannot be found: %s.", t->name,
			t->opt.dns == NULL ? "there is no resolver" : err.text);
		give_up(t, step);
		return;
	}
	if (t->addrs.count == 0) {
		say(t, step, RELAYTEST_BAD, "%s has no address in DNS.", t->name);
		give_up(t, step);
		return;
	}
	for (size_t i = 0; i < t->addrs.count && i < RELAYTEST_ADDRESSES_MAX; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", ip_text(&t->addrs.records[i].ip, ip));
	say(t, step, RELAYTEST_OK, "%s has %s%s.", t->name, list.p,
		t->addrs.count > RELAYTEST_ADDRESSES_MAX ? " and more" : "");
	buf_free(&list);
}

static void dial_step(struct relaytest *t, struct relaytest_step *step)
{
	const struct ip *ip = &t->addrs.records[t->at].ip;
	char text[IP_TEXT];
	struct err err;

	step->title = t->plaintext ? "Connection again, without TLS" : "Connection";
	if (conn_dial(ip, t->port, NULL,
		    deadline_min(t->deadline, deadline_in_ms(RELAYTEST_DIAL_MS)), &t->conn,
		    &err) == 0) {
		say(t, step, RELAYTEST_OK, "%s port %u took the connection.", ip_text(ip, text),
			t->port);
		t->stage = STAGE_SESSION;
		return;
	}
	bool more = ++t->at < t->addrs.count && t->at < RELAYTEST_ADDRESSES_MAX &&
		    deadline_left_ms(t->deadline) > 0;
	say(t, step, more ? RELAYTEST_WARN : RELAYTEST_BAD, "%s port %u: %s.", ip_text(ip, text),
		t->port, err.text);
	if (!more)
		give_up(t, step);
}

static void session_step(struct relaytest *t, struct relaytest_step *step)
{
	struct smtp_client_options opt = {.helo = t->opt.helo,
		.server_name = t->name,
		.protocol = t->opt.relay->protocol,
		.policy = t->policy,
		.tls = t->opt.tls,
		.username = t->opt.relay->username,
		.password = t->opt.relay->password,
		.command_timeout_ms = RELAYTEST_COMMAND_MS,
		.session = t->deadline,
		.transcript = &t->transcript};
	struct tls_outcome outcome = {.try_plaintext = false};
	struct smtp_failure failure;

	step->title =
		t->opt.relay->username.len > 0 ? "Greeting, TLS and login" : "Greeting and TLS";
	if (smtp_client_open(&t->conn, &opt, &t->client, &outcome, &failure) == 0) {
		say(t, step, RELAYTEST_OK, "The session is open%s%s.",
			smtp_client_tls(t->client) ? ", over TLS" : ", without TLS",
			opt.username.len > 0 ? ", and the login was accepted" : "");
		t->stage = STAGE_TLS;
	} else if (outcome.try_plaintext && !t->plaintext) {
		say(t, step, RELAYTEST_WARN,
			"%s failed: %s. As TLS is only used when it works, mail would go without.",
			stage_words[failure.stage], failure.text);
		t->plaintext = true;
		t->policy.mode = TLS_MODE_SKIP;
		t->stage = STAGE_DIAL;
	} else {
		say(t, step, RELAYTEST_BAD, "%s at %s.", failure.text, stage_words[failure.stage]);
		give_up(t, step);
	}
	transcript_take(t, step);
}

static void tls_step(struct relaytest *t, struct relaytest_step *step)
{
	const struct tls_info *info = smtp_client_tls(t->client);
	const struct tls_peer *peer = smtp_client_peer(t->client);
	char until[CLOCK_TEXT];

	step->title = "Certificate";
	t->stage = STAGE_PROBE;
	if (info == NULL || peer == NULL) {
		say(t, step, t->opt.relay->tls == STORE_TLS_NONE ? RELAYTEST_INFO : RELAYTEST_WARN,
			"No TLS: what is sent can be read and changed on the way.");
		return;
	}
	clock_iso(peer->leaf_not_after_s, until);
	bool ok = peer->pkix == TLS_FACT_OK;
	say(t, step, ok ? RELAYTEST_OK : RELAYTEST_WARN,
		"%s, %s. The certificate is %s%s%s. It ends %.10s; %zu certificate%s came; SHA-256 "
		"of "
		"its key %s.",
		info->version, info->cipher,
		ok ? "valid for this name" : "not valid: ", ok ? "" : peer->pkix_error,
		ok || t->opt.relay->tls == STORE_TLS_VERIFY ||
				t->opt.relay->tls == STORE_TLS_IMMEDIATE
			? ""
			: " (this setting does not ask for that)",
		until, peer->chain_count, peer->chain_count == 1 ? "" : "s", peer->spki_sha256);
}

static void probe_step(struct relaytest *t, struct relaytest_step *step)
{
	struct smtp_rcpt_reply reply;
	struct smtp_failure failure;

	step->title = "Sender and recipient";
	t->stage = STAGE_QUIT;
	t->good = true;
	if (t->opt.rcpt.len == 0) {
		say(t, step, RELAYTEST_INFO,
			"Not tested: no recipient was given to ask the server about.");
		return;
	}
	if (smtp_client_probe(t->client, t->opt.mail_from, t->opt.rcpt, &reply, &failure) < 0) {
		say(t, step, RELAYTEST_BAD, "%s at %s.", failure.text, stage_words[failure.stage]);
		transcript_take(t, step);
		give_up(t, step);
		return;
	}
	if (reply.accepted)
		say(t, step, RELAYTEST_OK, "The server takes mail for %.*s.", STR_FMT(t->opt.rcpt));
	else
		say(t, step, RELAYTEST_BAD, "The server %s %.*s: %s.",
			reply.permanent ? "refuses" : "does not take just now",
			STR_FMT(t->opt.rcpt), reply.text);
	transcript_take(t, step);
	if (!reply.accepted) {
		t->good = false;
		snprintf(t->verdict, sizeof(t->verdict), "The connection works, but: %s", t->text);
	}
}

static void quit_step(struct relaytest *t, struct relaytest_step *step)
{
	step->title = "End";
	t->stage = STAGE_END;
	smtp_client_quit(&t->client);
	transcript_take(t, step);
	say(t, step, RELAYTEST_OK, "QUIT; no mail was sent.");
	if (!t->good)
		return;
	if (t->opt.rcpt.len > 0)
		snprintf(t->verdict, sizeof(t->verdict), "%s takes mail for %.*s%s.", t->name,
			STR_FMT(t->opt.rcpt), t->warned ? ", with a remark below" : "");
	else
		snprintf(t->verdict, sizeof(t->verdict),
			"A session with %s opens%s; whether it takes mail was not tested.", t->name,
			t->warned ? ", with a remark below" : "");
}

int relaytest_next(struct relaytest *t, struct relaytest_step *step)
{
	int64_t start = clock_mono_ms();

	*step = (struct relaytest_step){.title = ""};
	switch (t->stage) {
	case STAGE_NAME:
		name_step(t, step);
		break;
	case STAGE_DIAL:
		dial_step(t, step);
		break;
	case STAGE_SESSION:
		session_step(t, step);
		break;
	case STAGE_TLS:
		tls_step(t, step);
		break;
	case STAGE_PROBE:
		probe_step(t, step);
		break;
	case STAGE_QUIT:
		quit_step(t, step);
		break;
	case STAGE_END:
		return 0;
	}
	step->took_ms = clock_mono_ms() - start;
	return 1;
}

const char *relaytest_verdict(const struct relaytest *t, bool *good)
{
	*good = t->good;
	return t->verdict;
}
