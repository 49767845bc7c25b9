#include "base/buf.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void reserve(struct buf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need < more)
		abort();
	if (need <= b->cap)
		return;
	size_t cap = b->cap ? b->cap : 256;
	while (cap < need)
		cap *= 2;
	b->p = mem_realloc(b->p, cap);
	b->cap = cap;
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){NULL, 0, 0};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->p != NULL)
		b->p[0] = '\0';
}

void buf_raw(struct buf *b, struct str s)
{
	reserve(b, s.len);
	if (s.len > 0)
		memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
	b->p[b->len] = '\0';
}

void buf_text(struct buf *b, const char *s)
{
	buf_raw(b, str_from(s));
}

void buf_byte(struct buf *b, char c)
{
	buf_raw(b, (struct str){&c, 1});
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_html(struct buf *b, struct str s)
{
	while (s.len > 0) {
		size_t n = utf8_length(s);
		unsigned char c = (unsigned char)s.p[0];
		if (n == 0) {
			buf_text(b, "\xef\xbf\xbd");
			s = str_skip(s, 1);
			continue;
		}
		if (c == '&')
			buf_text(b, "&amp;");
		else if (c == '<')
			buf_text(b, "&lt;");
		else if (c == '>')
			buf_text(b, "&gt;");
		else if (c == '"')
			buf_text(b, "&quot;");
		else if (c == '\'')
			buf_text(b, "&#39;");
		else if ((c >= ' ' && c != 0x7f) || c == '\t' || c == '\n')
			buf_raw(b, (struct str){s.p, n});
		s = str_skip(s, n);
	}
}

void buf_json(struct buf *b, struct str s)
{
	while (s.len > 0) {
		size_t n = utf8_length(s);
		unsigned char c = (unsigned char)s.p[0];
		if (n == 0) {
			buf_text(b, "\xef\xbf\xbd");
			s = str_skip(s, 1);
			continue;
		}
		if (c == '"' || c == '\\')
			buf_byte(b, '\\');
		if (c < ' ' || c == 0x7f)
			buf_printf(b, "\\u%04x", (unsigned)c);
		else
			buf_raw(b, (struct str){s.p, n});
		s = str_skip(s, n);
	}
}

void buf_url(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
			buf_byte(b, c);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)c);
	}
}

void buf_base64(struct buf *b, const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned)p[i] << 16;
		if (i + 1 < len)
			v |= (unsigned)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		buf_byte(b, digits[v >> 18 & 63]);
		buf_byte(b, digits[v >> 12 & 63]);
		buf_byte(b, i + 1 < len ? digits[v >> 6 & 63] : '=');
		buf_byte(b, i + 2 < len ? digits[v & 63] : '=');
	}
}

void buf_hex(struct buf *b, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		buf_printf(b, "%02x", (unsigned)p[i]);
}
