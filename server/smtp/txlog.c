#include "smtp/txlog.h"

#include "base/utf8.h"
#include "store/msglog.h"

#include <stdio.h>

enum { FIELD_READ_MAX = 1000, FROM_MAX = 10, REFUSAL_TEXT = 512 };

/* Valid UTF-8 on one line: what is not becomes "?", controls become spaces. */
static struct str clean(struct arena *a, struct str text)
{
	char *out = arena_strdup(a, text);

	for (size_t i = 0; i < text.len;) {
		size_t n = utf8_length(str_skip(text, i));
		if (n == 0)
			out[i] = '?';
		else if (n == 1 && ((unsigned char)out[i] < ' ' || out[i] == 0x7f))
			out[i] = ' ';
		i += n > 0 ? n : 1;
	}
	return (struct str){out, text.len};
}

/* A field as a mail program shows it. */
static struct str field_text(struct arena *a, struct str value)
{
	if (value.len > FIELD_READ_MAX)
		value.len = FIELD_READ_MAX;
	return clean(a, message_words_decode(a, message_field_unfold(a, value)));
}

/* An address the way it is searched for: domain in A-labels, lower case. */
static struct str address_text(struct arena *a, const struct message_address *address)
{
	struct message_address addr = *address;
	char domain[DNS_NAME_MAX];
	struct err err;

	if (addr.domain.len == 0)
		return STR("");
	if (addr.domain.p[0] != '[' && dns_name_to_ascii(addr.domain, domain, &err) == 0)
		addr.domain = str_from(domain);
	return clean(a, message_address_write(a, &addr));
}

static struct str from_address(struct arena *a, struct str from)
{
	struct message_mailbox *boxes;
	size_t count;
	struct err err;

	if (from.len == 0)
		return STR("");
	boxes = arena_alloc(a, FROM_MAX * sizeof(*boxes));
	if (message_mailboxes_parse(a, from, boxes, FROM_MAX, &count, &err) < 0 || count == 0)
		return STR("");
	return address_text(a, &boxes[0].address);
}

static struct str tls_text(struct session *s, struct arena *a)
{
	return s->tls == NULL ? STR("")
			      : str_from(arena_printf(a, "%s %s", s->tls->version, s->tls->cipher));
}

void txlog_fill(struct session *s, struct store_msg_new *msg)
{
	if (s->facts != NULL) {
		msg->subject = field_text(s->arena, s->facts->subject);
		msg->header_from = field_text(s->arena, s->facts->from);
		msg->from_address = from_address(s->arena, s->facts->from);
	}
	msg->tls = tls_text(s, s->arena);
	msg->listener = str_from(s->listener->name);
	msg->trace = s->trace;
}

/* --- refusals --- */

static enum store_log_stage stage_of(const struct session *s)
{
	if (s->command == NULL)
		return STORE_LOG_STAGE_QUEUED;
	switch (s->command->verb) {
	case SMTP_MAIL:
		return STORE_LOG_STAGE_MAIL;
	case SMTP_RCPT:
		return STORE_LOG_STAGE_RCPT;
	case SMTP_DATA:
	case SMTP_BDAT:
		return STORE_LOG_STAGE_DATA;
	case SMTP_UNKNOWN:
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_STARTTLS:
	case SMTP_AUTH:
	case SMTP_RSET:
	case SMTP_NOOP:
	case SMTP_VRFY:
	case SMTP_EXPN:
	case SMTP_HELP:
	case SMTP_QUIT:
		return STORE_LOG_STAGE_QUEUED;
	}
	return STORE_LOG_STAGE_QUEUED;
}

/* Whose mail it is, as far as it is known at this stage. */
static void envelope_fill(struct session *s, struct store_msglog_refusal *r)
{
	struct str *rcpts;

	r->mail_from = s->env.mail_from;
	switch (r->stage) {
	case STORE_LOG_STAGE_QUEUED:
		break;
	case STORE_LOG_STAGE_MAIL:
		r->mail_from = s->command->null_path
				       ? STR("")
				       : address_text(s->scratch, &s->command->address);
		break;
	case STORE_LOG_STAGE_RCPT:
		rcpts = arena_alloc(s->scratch, sizeof(*rcpts));
		rcpts[0] = s->command->postmaster ? STR("postmaster")
						  : address_text(s->scratch, &s->command->address);
		r->rcpts = rcpts;
		r->rcpt_count = 1;
		break;
	case STORE_LOG_STAGE_DATA:
		r->rcpt_count = s->env.rcpt_count < STORE_LOG_RCPTS_MAX ? s->env.rcpt_count
									: STORE_LOG_RCPTS_MAX;
		rcpts = arena_alloc(s->scratch, (r->rcpt_count + 1) * sizeof(*rcpts));
		for (size_t i = 0; i < r->rcpt_count; i++)
			rcpts[i] = s->env.rcpts[i].address;
		r->rcpts = rcpts;
		r->size = s->data.size;
		break;
	}
}

static void refusal_log(struct session *s, int code, const char *ecode, struct str text)
{
	char ip[IP_TEXT];
	struct store_msglog_refusal r = {.stage = stage_of(s),
		.code = code,
		.ecode = str_from(ecode),
		.text = clean(s->scratch, text),
		.session = str_from(s->id),
		.helo = s->helo != NULL ? clean(s->scratch, str_from(s->helo)) : STR(""),
		.remote_ip = str_from(ip_text(&s->peer, ip)),
		.account = str_from(s->account),
		.listener = str_from(s->listener->name),
		.tls = tls_text(s, s->scratch),
		.trace = s->trace};

	envelope_fill(s, &r);
	if (s->facts != NULL) {
		r.message_id = clean(s->scratch, s->facts->message_id);
		r.subject = field_text(s->scratch, s->facts->subject);
		r.header_from = field_text(s->scratch, s->facts->from);
		r.from_address = from_address(s->scratch, s->facts->from);
	}
	store_msglog_refused(s->deps->store, &r);
}

void txlog_refused(struct session *s, int code, const char *ecode, const char *fmt, va_list ap)
{
	bool dialogue = code == 500 || code == 501 || code == 502 || code == 503;
	char text[REFUSAL_TEXT];

	if (stage_of(s) == STORE_LOG_STAGE_QUEUED || dialogue)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	refusal_log(s, code, ecode, str_from(text));
}

void txlog_broken(struct session *s, int code, const char *text)
{
	if (stage_of(s) != STORE_LOG_STAGE_QUEUED && s->env.accepted > 0)
		refusal_log(s, code, code < 500 ? "4.4.2" : "5.3.4", str_from(text));
}
