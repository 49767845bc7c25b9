/* compose - our own messages: DSNs, reports, headers added to mail. */
#include "message/message.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <stdio.h>

enum {
	FOLD_AT = 78,   /* octets of a line, RFC 5322 2.1.1 */
	LINE_MAX = 990, /* under the 998 that a line may have at all */
	WORD_MAX = 75,  /* octets of an encoded word, RFC 2047 section 2 */
	QP_LINE_MAX = 76
};

struct folder {
	struct buf *out;
	size_t column;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/* Space and token, on the next line when this one would be too long. */
static void token_add(struct folder *f, size_t spaces, struct str token, bool may_fold)
{
	if (may_fold && f->column + spaces + token.len > FOLD_AT) {
		buf_text(f->out, "\r\n");
		f->column = 0;
		spaces = spaces > 0 ? spaces : 1;
	}
	while (spaces-- > 0) {
		buf_byte(f->out, ' ');
		f->column++;
	}
	while (token.len > 0) {
		size_t n = token.len > LINE_MAX - 80 ? LINE_MAX - 80 : token.len;

		buf_raw(f->out, (struct str){token.p, n});
		f->column += n;
		token = str_skip(token, n);
		if (token.len > 0) { /* no line may be longer than the protocol allows */
			buf_text(f->out, "\r\n ");
			f->column = 1;
		}
	}
}

/* One character of UTF-8 (or a bad octet as "?") in Q encoding. */
static size_t q_encode(struct str text, char out[16], size_t *out_len)
{
	size_t n = utf8_length(text);

	*out_len = 0;
	if (n == 0) {
		memcpy(out, "=3F", 3);
		*out_len = 3;
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		char c = text.p[i];

		if (is_blank(c))
			out[(*out_len)++] = '_';
		else if (ascii_is_alnum(c))
			out[(*out_len)++] = c;
		else {
			(void)snprintf(out + *out_len, 4, "=%02X", (unsigned)(unsigned char)c);
			*out_len += 3;
		}
	}
	return n;
}

/* Text as encoded words, each whole characters only. */
static void words_add(struct folder *f, size_t spaces, struct str text)
{
	char word[WORD_MAX + 16], piece[16];
	size_t len, piece_len;

	while (text.len > 0) {
		struct str rest = text;

		len = (size_t)snprintf(word, sizeof(word), "=?utf-8?q?");
		while (rest.len > 0) {
			size_t used = q_encode(rest, piece, &piece_len);

			if (len + piece_len + 2 > WORD_MAX)
				break;
			memcpy(word + len, piece, piece_len);
			len += piece_len;
			rest = str_skip(rest, used);
		}
		word[len++] = '?';
		word[len++] = '=';
		token_add(f, spaces, (struct str){word, len}, true);
		spaces = 1; /* between encoded words space means nothing */
		text = rest;
	}
}

/* The token at the start of s: up to a blank. */
static struct str token_first(struct str s)
{
	size_t n = 0;

	while (n < s.len && !is_blank(s.p[n]))
		n++;
	return (struct str){s.p, n};
}

static size_t blanks_length(struct str s)
{
	size_t n = 0;

	while (n < s.len && is_blank(s.p[n]))
		n++;
	return n;
}

void message_field_add(struct buf *out, const char *name, struct str value, bool utf8)
{
	struct folder f = {.out = out, .column = strlen(name) + 1};
	bool first = true;

	buf_text(out, name);
	buf_byte(out, ':');
	value = str_skip(value, blanks_length(value));
	while (value.len > 0 && is_blank(value.p[value.len - 1]))
		value.len--;
	for (size_t spaces = 1; value.len > 0; first = false) {
		struct str token = token_first(value);

		if (utf8 || str_is_ascii(token)) {
			token_add(&f, spaces, token, !first);
		} else { /* all such words that follow become one text, their spaces too */
			struct str next = token;

			do {
				token.len = (size_t)(next.p + next.len - token.p);
				next = str_skip(value, token.len);
				next = token_first(str_skip(next, blanks_length(next)));
			} while (next.len > 0 && !str_is_ascii(next));
			words_add(&f, spaces, token);
		}
		value = str_skip(value, token.len);
		spaces = blanks_length(value);
		value = str_skip(value, spaces);
	}
	buf_text(out, "\r\n");
}

/* Can text pass as it is (RFC 5322 2.1.1, RFC 2045 2.7)? */
static bool is_7bit(struct str text)
{
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\n')
			column = 0;
		else if (++column > LINE_MAX || (unsigned char)c >= 0x80 || c == '\0')
			return false;
	}
	return true;
}

static void crlf_add(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\r' && i + 1 < text.len && text.p[i + 1] == '\n')
			continue;
		if (text.p[i] == '\n' || text.p[i] == '\r')
			buf_text(out, "\r\n");
		else
			buf_byte(out, text.p[i]);
	}
	if (out->len < 2 || memcmp(out->p + out->len - 2, "\r\n", 2) != 0)
		buf_text(out, "\r\n");
}

/* RFC 2045 section 6.7. */
static void quoted_printable_add(struct buf *out, struct str text)
{
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		bool last = i + 1 == text.len || text.p[i + 1] == '\n' || text.p[i + 1] == '\r';
		bool plain =
			(c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !last);

		if (c == '\r' && i + 1 < text.len && text.p[i + 1] == '\n')
			continue;
		if (c == '\n' || c == '\r') {
			buf_text(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (plain ? 1 : 3) > QP_LINE_MAX - 1) {
			buf_text(out, "=\r\n");
			column = 0;
		}
		if (plain)
			buf_byte(out, c);
		else
			buf_printf(out, "=%02X", (unsigned)(unsigned char)c);
		column += plain ? 1 : 3;
	}
	if (column > 0 || text.len == 0)
		buf_text(out, "\r\n");
}

void message_part_add(struct buf *out, const char *boundary, const char *type, struct str text)
{
	bool is_text = str_starts_nocase(str_from(type), STR("text/"));
	bool plain = is_7bit(text);

	buf_printf(out, "--%s\r\nContent-Type: %s", boundary, type);
	if (is_text && strstr(type, "charset=") == NULL)
		buf_text(out, str_is_ascii(text) ? "; charset=us-ascii" : "; charset=utf-8");
	if (plain) {
		buf_text(out, "\r\n\r\n");
		crlf_add(out, text);
	} else if (is_text) {
		buf_text(out, "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
		quoted_printable_add(out, text);
	} else { /* message/... must not be encoded, RFC 2046 5.2.1 */
		buf_text(out, "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
		crlf_add(out, text);
	}
	buf_text(out, "\r\n"); /* belongs to the boundary that follows */
}

struct str message_id_new(struct arena *a, const char *host)
{
	char id[RAND_ID_TEXT];

	return str_from(
		arena_printf(a, "<%lld.%s@%s>", (long long)clock_unix_s(), rand_id(id), host));
}
