/* Time-stamp-line, RFC 5321 section 4.4:
 * "Received: from HELO (PTR [IP]) by HOST with PROTOCOL id ID (TLS) for <RCPT>; DATE" */
#include "message/message.h"

enum { WORD_MAX = 400 };

/* What a stranger said, made harmless: it can neither end a comment or clause nor a line. */
static void word_add(struct buf *out, struct str word)
{
	for (size_t i = 0; i < word.len && i < WORD_MAX; i++) {
		char c = word.p[i];
		bool ok = (unsigned char)c >= 0x80 || ascii_is_alnum(c) ||
			  (c != '\0' && strchr("-._:[]", c) != NULL);

		buf_byte(out, ok ? c : '?');
	}
	if (word.len == 0)
		buf_text(out, "unknown");
}

/* An address that was parsed already; may hold quoted spaces and the like. */
static void path_add(struct buf *out, struct str path)
{
	for (size_t i = 0; i < path.len && i < WORD_MAX; i++) {
		char c = path.p[i];

		buf_byte(out, (c >= 0 && c < ' ') || c == 0x7f ? '?' : c);
	}
}

static void from_add(struct buf *out, const struct message_trace *t)
{
	buf_text(out, "from ");
	word_add(out, t->helo);
	buf_text(out, " (");
	if (t->ptr.len > 0) {
		word_add(out, t->ptr);
		buf_byte(out, ' ');
	}
	buf_byte(out, '[');
	if (memchr(t->ip.p, ':', t->ip.len) != NULL)
		buf_text(out, "IPv6:");
	word_add(out, t->ip);
	buf_text(out, "])\r\n\t");
}

/* "TLSv1.3 CIPHER" is written "(TLS1.3 CIPHER)", as others do. */
static void tls_add(struct buf *out, struct str tls)
{
	struct str version, cipher;

	if (!str_split(tls, ' ', &version, &cipher))
		return;
	buf_text(out, "\r\n\t(");
	if (str_starts(version, STR("TLSv"))) {
		buf_text(out, "TLS");
		version = str_skip(version, 4);
	}
	word_add(out, version);
	buf_byte(out, ' ');
	word_add(out, cipher);
	buf_byte(out, ')');
}

void message_trace_write(struct buf *out, const struct message_trace *t)
{
	char date[MESSAGE_DATE_TEXT];

	buf_text(out, "Received: ");
	if (t->ip.len > 0)
		from_add(out, t);
	buf_text(out, "by ");
	word_add(out, t->by);
	buf_text(out, " with ");
	word_add(out, t->with);
	if (t->requiretls)
		buf_text(out, " (requiretls)");
	if (t->id.len > 0) {
		buf_text(out, " id ");
		word_add(out, t->id);
	}
	tls_add(out, t->tls);
	if (t->rcpt.len > 0) {
		buf_text(out, "\r\n\tfor <");
		path_add(out, t->rcpt);
		buf_byte(out, '>');
	}
	buf_text(out, ";\r\n\t");
	buf_text(out, message_date_write(t->unix_s, date));
	buf_text(out, "\r\n");
}

const char *message_with_protocol(bool esmtp, bool tls, bool auth, bool utf8)
{
	static const char *const plain[] = {"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"};
	static const char *const international[] = {
		"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"};
	size_t i = (tls ? 1u : 0u) + (auth ? 2u : 0u);

	if (!esmtp)
		return "SMTP";
	return utf8 ? international[i] : plain[i];
}
