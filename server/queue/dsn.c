#include "queue/dsn.h"

#include "base/buf.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "message/message.h"

#include <stdio.h>

static const struct {
	const char *action, *subject, *sentence;
} words[] = {
	[DSN_FAILED] = {"failed", "Mail could not be delivered",
		"Your message could not be delivered to the recipients below. "
		"It will not be tried again."},
	[DSN_DELAYED] = {"delayed", "Mail is delayed",
		"Your message has not been delivered to the recipients below yet. "
		"It is kept and tried again; you need not do anything."},
	[DSN_DELIVERED] = {"delivered", "Mail was delivered",
		"Your message was delivered to the recipients below."},
	[DSN_RELAYED] = {"relayed", "Mail was relayed",
		"Your message was handed on for the recipients below to a server that will "
		"not tell more about its way."},
};

/* xtext of RFC 3461 section 4: "+" and two hex digits stand for an octet. What would be a
 * control, and bad escapes, become "?". */
static struct str xtext_decode(struct arena *a, struct str in)
{
	char *out = arena_alloc(a, in.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];
		if (c == '+' && i + 2 < in.len) {
			unsigned v = 0;
			for (size_t k = i + 1; k <= i + 2; k++) {
				char h = ascii_lower(in.p[k]);
				v = v * 16 + (ascii_is_digit(h) ? (unsigned)(h - '0')
						     : h >= 'a' && h <= 'f'
							     ? (unsigned)(h - 'a' + 10)
							     : 256u);
			}
			c = v < 256 ? (unsigned char)v : '?';
			i += 2;
		}
		out[n++] = c < ' ' || c == 0x7f ? '?' : (char)c;
	}
	return (struct str){out, n};
}

/* What others wrote: controls, and octets over 127 unless utf8, become "?". */
static struct str clean(struct arena *a, struct str in, bool utf8)
{
	char *out = arena_strdup(a, in);

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)out[i];
		if (c < ' ' || c == 0x7f || (c > 127 && !utf8))
			out[i] = '?';
	}
	return (struct str){out, in.len};
}

static void status_field(
	struct buf *b, struct arena *a, const char *name, struct str value, bool utf8)
{
	message_field_add(b, name, clean(a, value, utf8), true);
}

static void date_field(struct buf *b, const char *name, int64_t unix_s)
{
	char date[MESSAGE_DATE_TEXT];

	buf_printf(b, "%s: %s\r\n", name, message_date_write(unix_s, date));
}

static struct str status_of(const struct dsn_options *opt, const struct dsn_rcpt *r)
{
	switch (opt->action) {
	case DSN_DELIVERED:
	case DSN_RELAYED:
		return r->ecode.len > 0 && r->ecode.p[0] == '2' ? r->ecode : STR("2.0.0");
	case DSN_DELAYED:
		return r->ecode.len > 0 && r->ecode.p[0] == '4' ? r->ecode : STR("4.0.0");
	case DSN_FAILED:
		if (r->ecode.len > 0 && r->ecode.p[0] != '2')
			return r->ecode;
		/* A temporary failure that lasted too long: RFC 3463 X.4.7. */
		return r->code / 100 == 5 ? STR("5.0.0") : STR("5.4.7");
	}
	return STR("5.0.0");
}

static void rcpt_status(
	struct buf *b, struct arena *a, const struct dsn_options *opt, const struct dsn_rcpt *r)
{
	struct str type, rest;
	bool global = opt->utf8 && !str_is_ascii(r->address);

	buf_text(b, "\r\n");
	if (r->orcpt.len > 0 && str_split(r->orcpt, ';', &type, &rest))
		status_field(b, a, "Original-Recipient",
			str_from(arena_printf(
				a, "%.*s; %.*s", STR_FMT(type), STR_FMT(xtext_decode(a, rest)))),
			opt->utf8);
	status_field(b, a, "Final-Recipient",
		str_from(arena_printf(
			a, "%s; %.*s", global ? "utf-8" : "rfc822", STR_FMT(r->address))),
		opt->utf8);
	buf_printf(b, "Action: %s\r\n", words[opt->action].action);
	status_field(b, a, "Status", status_of(opt, r), false);
	if (r->mx.len > 0)
		status_field(b, a, "Remote-MTA",
			str_from(arena_printf(a, "dns; %.*s%s%.*s%s", STR_FMT(r->mx),
				r->ip.len > 0 ? " (" : "", STR_FMT(r->ip),
				r->ip.len > 0 ? ")" : "")),
			opt->utf8);
	if (r->code > 0)
		status_field(b, a, "Diagnostic-Code",
			str_from(arena_printf(a, "smtp; %d%s%.*s %.*s", r->code,
				r->ecode.len > 0 ? " " : "", STR_FMT(r->ecode), STR_FMT(r->text))),
			opt->utf8);
	else if (r->text.len > 0)
		status_field(b, a, "Diagnostic-Code",
			str_from(arena_printf(a, "x-mox; %.*s", STR_FMT(r->text))), opt->utf8);
	date_field(b, "Last-Attempt-Date", r->last_attempt_s);
	if (opt->action == DSN_DELAYED)
		date_field(b, "Will-Retry-Until", r->will_retry_until_s);
}

/* Part 1: for people. */
static struct str text_part(struct arena *a, const struct dsn_options *opt)
{
	struct buf b = {NULL, 0, 0};
	char date[MESSAGE_DATE_TEXT];

	buf_printf(&b, "This is the mail server %s.\n\n%s\n", opt->hostname,
		words[opt->action].sentence);
	for (size_t i = 0; i < opt->rcpt_count; i++) {
		const struct dsn_rcpt *r = &opt->rcpts[i];
		struct str address = clean(a, r->address, true), text = clean(a, r->text, true);
		struct str given = r->original.len > 0 ? clean(a, r->original, true) : address;
		buf_printf(&b, "\n  %.*s\n", STR_FMT(given));
		if (r->original.len > 0)
			buf_printf(&b, "    delivered as: %.*s\n", STR_FMT(address));
		if (r->mx.len > 0)
			buf_printf(&b, "    server: %.*s%s%.*s%s\n", STR_FMT(r->mx),
				r->ip.len > 0 ? " (" : "", STR_FMT(r->ip),
				r->ip.len > 0 ? ")" : "");
		if (r->code > 0)
			buf_printf(&b, "    it said: %d%s%.*s %.*s\n", r->code,
				r->ecode.len > 0 ? " " : "", STR_FMT(r->ecode), STR_FMT(text));
		else if (text.len > 0)
			buf_printf(&b, "    reason: %.*s\n", STR_FMT(text));
		if (opt->action == DSN_DELAYED)
			buf_printf(&b, "    last attempt planned for: %s\n",
				message_date_write(r->will_retry_until_s, date));
	}
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

static void original_part(
	struct buf *b, const char *boundary, const struct dsn_options *opt, struct dsn *out)
{
	bool high = !str_is_ascii(opt->original), global = opt->utf8 && high;
	const char *type = opt->full ? global ? "message/global" : "message/rfc822"
			   : global  ? "message/global-headers"
				     : "text/rfc822-headers";

	message_part_add(b, boundary, type, opt->original);
	out->smtputf8 |= global;
}

static void header_write(struct buf *b, struct arena *a, const struct dsn_options *opt,
	const char *boundary, struct dsn *out)
{
	struct str from = str_from(arena_printf(a, "Mail delivery <postmaster@%s>", opt->hostname));

	message_field_add(b, "From", from, false);
	message_field_add(
		b, "To", str_from(arena_printf(a, "<%.*s>", STR_FMT(opt->to))), opt->utf8);
	message_field_add(b, "Subject", str_from(words[opt->action].subject), false);
	date_field(b, "Date", opt->now_s);
	out->message_id = message_id_new(a, opt->hostname);
	message_field_add(b, "Message-ID", out->message_id, false);
	if (opt->message_id.len > 0) {
		message_field_add(b, "In-Reply-To", opt->message_id, opt->utf8);
		message_field_add(b, "References", opt->message_id, opt->utf8);
	}
	buf_text(b, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	buf_printf(b,
		"Content-Type: multipart/report; report-type=delivery-status;\r\n"
		"\tboundary=\"%s\"\r\n\r\n",
		boundary);
}

void dsn_build(struct arena *a, const struct dsn_options *opt, struct dsn *out)
{
	struct buf b = {NULL, 0, 0}, status = {NULL, 0, 0};
	char id[RAND_ID_TEXT], boundary[RAND_ID_TEXT + 8];

	*out = (struct dsn){.subject = str_from(words[opt->action].subject),
		.smtputf8 = opt->utf8 && !str_is_ascii(opt->to)};
	snprintf(boundary, sizeof(boundary), "=_%s", rand_id(id));
	header_write(&b, a, opt, boundary, out);
	buf_text(&b, "This is a delivery report in MIME format.\r\n\r\n");
	message_part_add(&b, boundary, "text/plain", text_part(a, opt));

	status_field(&status, a, "Reporting-MTA",
		str_from(arena_printf(a, "dns; %s", opt->hostname)), false);
	if (opt->envid.len > 0)
		status_field(
			&status, a, "Original-Envelope-Id", xtext_decode(a, opt->envid), opt->utf8);
	date_field(&status, "Arrival-Date", opt->arrival_s);
	for (size_t i = 0; i < opt->rcpt_count; i++)
		rcpt_status(&status, a, opt, &opt->rcpts[i]);
	bool global = opt->utf8 && !str_is_ascii(buf_str(&status));
	message_part_add(&b, boundary,
		global ? "message/global-delivery-status" : "message/delivery-status",
		buf_str(&status));
	out->smtputf8 |= global;
	original_part(&b, boundary, opt, out);
	buf_printf(&b, "--%s--\r\n", boundary);
	out->text = arena_str(a, buf_str(&b));
	out->body_8bit |= !str_is_ascii(out->text);
	buf_free(&b);
	buf_free(&status);
}
