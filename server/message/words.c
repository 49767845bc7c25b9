/* encoded-word = "=?" charset [ "*" language ] "?" ( "B" / "Q" ) "?" text "?="
 * RFC 2047, 2231 section 5. */
#include "message/message.h"

#include "base/utf8.h"

#include <iconv.h>
#include <stdlib.h>

enum {
	CHARSET_MAX = 40,
	ENCODED_MAX = 1000, /* octets of one word; the RFC says 75, senders do not */
	RUN_MAX = 100       /* words that are put together before they are decoded */
};

struct word {
	struct str charset, text;
	char encoding; /* 'b' or 'q' */
	size_t len;    /* of the whole encoded word */
};

static bool word_parse(struct str s, struct word *w)
{
	struct str rest, encoding, language;
	const char *end;

	if (s.len > ENCODED_MAX)
		s.len = ENCODED_MAX;
	rest = str_skip(s, 2);
	if (!str_starts(s, STR("=?")) || !str_split(rest, '?', &w->charset, &rest) ||
		!str_split(rest, '?', &encoding, &rest) || encoding.len != 1)
		return false;
	(void)str_split(w->charset, '*', &w->charset, &language);
	w->encoding = ascii_lower(encoding.p[0]);
	end = str_find(rest, STR("?="));
	if (end == NULL || w->charset.len == 0 || w->charset.len >= CHARSET_MAX ||
		(w->encoding != 'b' && w->encoding != 'q'))
		return false;
	w->text = (struct str){rest.p, (size_t)(end - rest.p)};
	if (w->text.len > 0 && memchr(w->text.p, ' ', w->text.len) != NULL)
		return false;
	w->len = (size_t)(end + 2 - s.p);
	return true;
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool q_decode(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '_')
			buf_byte(out, ' ');
		else if (text.p[i] != '=')
			buf_byte(out, text.p[i]);
		else {
			int high = i + 2 < text.len ? hex_value(text.p[i + 1]) : -1;
			int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;

			if (low < 0)
				return false;
			buf_byte(out, (char)(high * 16 + low));
			i += 2;
		}
	}
	return true;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool b_decode(struct str text, struct buf *out)
{
	unsigned bits = 0, acc = 0;

	while (text.len > 0 && text.p[text.len - 1] == '=')
		text.len--;
	for (size_t i = 0; i < text.len; i++) {
		int v = base64_value(text.p[i]);

		if (v < 0)
			return false;
		acc = (acc << 6 | (unsigned)v) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_byte(out, (char)(acc >> bits & 0xff));
		}
	}
	return true;
}

/* Appends UTF-8; false when the bytes are not of that charset or we do not know it. */
static bool charset_convert(struct str charset, struct str bytes, struct buf *out)
{
	char name[CHARSET_MAX], chunk[512], *in, *copy, *to;
	size_t in_left = bytes.len, to_left, start = out->len;
	bool ok = true;
	iconv_t cd;

	if (str_eq_nocase(charset, STR("utf-8")) || str_eq_nocase(charset, STR("us-ascii"))) {
		if (!utf8_valid(bytes))
			return false;
		buf_raw(out, bytes);
		return true;
	}
	if (!str_copy(name, sizeof(name), charset) || strchr(name, '/') != NULL)
		return false;
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1)
		return false;
	copy = in = malloc(bytes.len + 1);
	if (copy == NULL)
		abort();
	memcpy(copy, bytes.p, bytes.len);
	while (ok && in_left > 0) {
		size_t before = in_left;

		to = chunk;
		to_left = sizeof(chunk);
		/* Not all of it fitting looks like a failure; progress tells them apart. */
		if (iconv(cd, &in, &in_left, &to, &to_left) == (size_t)-1 && in_left == before)
			ok = false;
		buf_raw(out, (struct str){chunk, sizeof(chunk) - to_left});
	}
	free(copy);
	(void)iconv_close(cd);
	ok = ok && utf8_valid((struct str){out->p + start, out->len - start});
	if (!ok)
		out->len = start;
	return ok;
}

/* The run of encoded words that s begins with: those of one charset with only space
 * between them are one text, since characters are cut between words in practice.
 * Returns its length, 0 when nothing can be decoded; the text is appended to out. */
static size_t run_decode(struct str s, struct buf *out)
{
	struct buf bytes = {0};
	struct word w, next;
	size_t used = 0, gap = 0, count = 0;
	bool ok;

	if (!word_parse(s, &w))
		return 0;
	next = w;
	do {
		ok = next.encoding == 'q' ? q_decode(next.text, &bytes)
					  : b_decode(next.text, &bytes);
		used += gap + next.len;
		for (gap = 0; used + gap < s.len && strchr(" \t\r\n", s.p[used + gap]) != NULL &&
			      s.p[used + gap] != '\0';)
			gap++;
	} while (ok && ++count < RUN_MAX && word_parse(str_skip(s, used + gap), &next) &&
		 str_eq_nocase(next.charset, w.charset));
	if (ok)
		ok = bytes.len == 0 || charset_convert(w.charset, buf_str(&bytes), out);
	buf_free(&bytes);
	return ok ? used : 0;
}

/* How much space s begins with, when an encoded word follows it; else 0. */
static size_t gap_before_word(struct str s)
{
	size_t n = 0;
	struct word w;

	while (n < s.len && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r' || s.p[n] == '\n'))
		n++;
	return word_parse(str_skip(s, n), &w) ? n : 0;
}

struct str message_words_decode(struct arena *a, struct str value)
{
	struct buf out = {0};
	struct str rest = value, result;

	while (rest.len > 0) {
		const char *at = str_find(rest, STR("=?"));
		size_t plain = at ? (size_t)(at - rest.p) : rest.len, used;

		buf_raw(&out, (struct str){rest.p, plain});
		rest = str_skip(rest, plain);
		if (rest.len == 0)
			break;
		used = run_decode(rest, &out);
		if (used == 0) {
			buf_text(&out, "=?");
			used = 2;
			rest = str_skip(rest, used);
			continue;
		}
		rest = str_skip(rest, used);
		rest = str_skip(rest, gap_before_word(rest));
	}
	for (size_t i = 0; i < out.len; i++) {
		if ((out.p[i] >= 0 && out.p[i] < ' ') || out.p[i] == 0x7f)
			out.p[i] = ' '; /* for people, on one line */
	}
	result = arena_str(a, buf_str(&out));
	buf_free(&out);
	return result;
}
