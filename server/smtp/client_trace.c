/* Opening a session, step by step, for people (base/trace.h). */
#include "smtp/client_priv.h"

#include "base/trace.h"

#include <stdio.h>

static enum trace_state reply_state(const struct smtp_reply *r)
{
	return r->code / 100 == 2 ? TRACE_OK : r->code / 100 == 5 ? TRACE_BAD : TRACE_WARN;
}

void smtp_trace_reply(struct smtp_client *c, const char *title, const struct smtp_reply *r)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", r->code);
	trace_add(c->opt.trace, &(struct trace_step){.kind = "smtp",
					.title = str_from(title),
					.state = reply_state(r),
					.result = str_from(code),
					.text = str_from(r->text),
					.took_ms = -1});
}

void smtp_trace_io(struct smtp_client *c, const char *title, const char *text)
{
	trace_add(c->opt.trace, &(struct trace_step){.kind = "smtp",
					.title = str_from(title),
					.state = TRACE_BAD,
					.result = STR("failed"),
					.text = str_from(text),
					.took_ms = -1});
}

void smtp_trace_extensions(struct smtp_client *c, const char *title)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{SMTP_EXT_STARTTLS, "STARTTLS"}, {SMTP_EXT_REQUIRETLS, "REQUIRETLS"},
		{SMTP_EXT_PIPELINING, "PIPELINING"}, {SMTP_EXT_8BITMIME, "8BITMIME"},
		{SMTP_EXT_SMTPUTF8, "SMTPUTF8"}, {SMTP_EXT_DSN, "DSN"}, {SMTP_EXT_SIZE, "SIZE"},
		{SMTP_EXT_ENHANCED, "ENHANCEDSTATUSCODES"}, {SMTP_EXT_CHUNKING, "CHUNKING"},
		{SMTP_EXT_AUTH, "AUTH"}};
	char text[200] = "";
	size_t at = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (c->ext & names[i].bit)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s",
				at > 0 ? " " : "", names[i].name);
	}
	trace_add(c->opt.trace, &(struct trace_step){.kind = "smtp",
					.title = str_from(title),
					.state = TRACE_INFO,
					.text = str_from(at > 0 ? text : "no extensions"),
					.took_ms = -1});
}

static void peer_lines(const struct smtp_client *c, const struct tls_outcome *outcome,
	char lines[4][160], struct str views[4], size_t *count)
{
	const struct tls_peer *p = &c->peer;
	const struct dane_record *r = outcome->dane_record;

	*count = 0;
	snprintf(lines[(*count)++], 160, "%s %s%s", p->info.version, p->info.cipher,
		p->info.resumed ? ", session resumed" : "");
	if (p->spki_sha256[0] != '\0')
		snprintf(lines[(*count)++], 160, "key of the server (SHA-256): %s", p->spki_sha256);
	snprintf(lines[(*count)++], 160, "WebPKI for %.80s: %.50s", c->opt.server_name,
		p->pkix == TLS_FACT_OK ? "valid" : p->pkix_error);
	if (r != NULL)
		snprintf(lines[(*count)++], 160, "matched TLSA record %u %u %u", r->usage,
			r->selector, r->match);
	for (size_t i = 0; i < *count; i++)
		views[i] = str_from(lines[i]);
}

void smtp_trace_tls(struct smtp_client *c, const struct tls_outcome *outcome, int64_t begin_ms)
{
	char lines[4][160];
	struct str views[4];
	size_t count = 0;

	if (c->opt.trace == NULL || c->opt.policy.mode == TLS_MODE_SKIP)
		return;
	if (c->tls_on)
		peer_lines(c, outcome, lines, views, &count);
	trace_add(
		c->opt.trace, &(struct trace_step){.kind = "tls",
				      .title = c->tls_on ? STR("TLS") : STR("No TLS"),
				      .state = !outcome->may_send  ? TRACE_BAD
					       : outcome->verified ? TRACE_OK
								   : TRACE_WARN,
				      .result = c->tls_on ? outcome->verified ? STR("verified")
									      : STR("not verified")
						: outcome->may_send ? STR("plaintext")
								    : STR("failed"),
				      .text = str_from(outcome->text),
				      .detail = views,
				      .detail_count = count,
				      .took_ms = begin_ms > 0 ? clock_mono_ms() - begin_ms : -1});
}
