/* entity      = header CRLF body
 * Content-Type: type "/" subtype *( ";" attribute "=" ( token / quoted-string ) )
 * multipart   = [preamble] 1*( delimiter part ) close-delimiter [epilogue]
 * delimiter   = CRLF "--" boundary *WSP CRLF          RFC 2045 section 5, 2046 section 5.1 */
#include "message/mime.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "message/message.h"

#include <iconv.h>
#include <stdlib.h>

enum {
	BOUNDARY_MAX = 200, /* the RFC says 70 */
	HEADER_FIELDS_MAX = 200,
	VALUE_MAX = 4000,
	CHARSET_MAX = 40,
	PIECES_MAX = 20 /* of a parameter in pieces, RFC 2231 section 3 */
};

/* --- parameters --- */

static struct str token_lower(struct arena *a, struct str s)
{
	char *p = arena_strdup(a, str_trim(s));

	str_lower(p, strlen(p));
	return str_from(p);
}

/* Takes one ";name=value" off rest; the value without quotes. */
static bool param_next(struct arena *a, struct str *rest, struct str *name, struct str *value)
{
	while (rest->len > 0 && rest->p[0] != ';')
		*rest = str_skip(*rest, 1);
	*rest = str_trim(str_skip(*rest, 1));
	size_t n = 0;
	while (n < rest->len && rest->p[n] != '=' && rest->p[n] != ';')
		n++;
	*name = str_trim((struct str){rest->p, n});
	*rest = str_skip(*rest, n);
	*value = STR("");
	if (rest->len == 0 || rest->p[0] != '=')
		return rest->len > 0;
	*rest = str_trim(str_skip(*rest, 1));
	if (rest->len > 0 && rest->p[0] == '"') {
		char *out = arena_alloc(a, rest->len);
		size_t at = 1, len = 0;
		while (at < rest->len && rest->p[at] != '"') {
			if (rest->p[at] == '\\' && at + 1 < rest->len)
				at++;
			out[len++] = rest->p[at++];
		}
		*value = (struct str){out, len};
		*rest = str_skip(*rest, at + 1);
		return true;
	}
	n = 0;
	while (n < rest->len && rest->p[n] != ';')
		n++;
	*value = str_trim((struct str){rest->p, n});
	*rest = str_skip(*rest, n);
	return true;
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2231 section 4: charset'language'percent-coded. charset is only with the first piece. */
static void extended_add(struct arena *a, struct buf *out, struct str value, struct str *charset)
{
	struct str rest;

	if (charset->p == NULL) {
		struct str language;
		if (!str_split(value, '\'', charset, &rest) ||
			!str_split(rest, '\'', &language, &value))
			*charset = STR("utf-8");
		*charset = arena_str(a, *charset);
	}
	for (size_t i = 0; i < value.len; i++) {
		int high = i + 2 < value.len && value.p[i] == '%' ? hex_value(value.p[i + 1]) : -1;
		int low = high >= 0 ? hex_value(value.p[i + 2]) : -1;
		if (low >= 0) {
			buf_byte(out, (char)(high * 16 + low));
			i += 2;
		} else
			buf_byte(out, value.p[i]);
	}
}

/* "name*0*" and the like: which piece of name it is, -1 none; *extended: ends with "*". */
static int piece_number(struct str have, const char *name, bool *extended)
{
	struct str rest;
	uint64_t n;

	*extended = false;
	if (!str_starts_nocase(have, str_from(name)))
		return -1;
	rest = str_skip(have, strlen(name));
	if (str_eq(rest, STR("*"))) {
		*extended = true;
		return 0;
	}
	if (rest.len < 2 || rest.p[0] != '*')
		return -1;
	rest = str_skip(rest, 1);
	if (rest.p[rest.len - 1] == '*') {
		*extended = true;
		rest.len--;
	}
	return str_to_u64(rest, PIECES_MAX - 1, &n) ? (int)n : -1;
}

struct str mime_param(struct arena *a, struct str value, const char *name)
{
	struct {
		struct str value;
		bool extended, set;
	} pieces[PIECES_MAX] = {{.set = false}};
	struct str rest, have, text, charset = {NULL, 0};
	struct buf out = {NULL, 0, 0};

	if (value.len > VALUE_MAX)
		value.len = VALUE_MAX;
	rest = value;
	while (param_next(a, &rest, &have, &text)) {
		bool extended;
		if (str_eq_nocase(have, str_from(name)))
			return text;
		int n = piece_number(have, name, &extended);
		if (n >= 0 && !pieces[n].set) {
			pieces[n].value = text;
			pieces[n].extended = extended;
			pieces[n].set = true;
		}
	}
	for (size_t i = 0; i < PIECES_MAX && pieces[i].set; i++) {
		if (pieces[i].extended)
			extended_add(a, &out, pieces[i].value, &charset);
		else
			buf_raw(&out, pieces[i].value);
	}
	struct str result = arena_str(a, buf_str(&out));
	if (charset.p != NULL)
		result = mime_to_utf8(a, result, charset);
	buf_free(&out);
	return result;
}

/* --- parts --- */

struct reader {
	struct arena *a;
	struct mime_message *out;
	size_t cap;
};

/* Header fields of an entity. */
static void entity_head(
	struct arena *a, struct str text, struct mime_part *part, struct str *raw_type)
{
	struct str rest = text, disposition = STR("");
	struct message_field f;
	struct err err;
	unsigned fields = 0;
	int rc;

	*part = (struct mime_part){.type = STR("text/plain"), .encoding = STR("7bit")};
	*raw_type = STR("");
	while ((rc = message_header_next(&rest, &f, &err)) == 1 && fields++ < HEADER_FIELDS_MAX) {
		struct str value = message_field_unfold(a, f.value);
		if (str_eq_nocase(f.name, STR("Content-Type")) && raw_type->len == 0)
			*raw_type = value;
		else if (str_eq_nocase(f.name, STR("Content-Transfer-Encoding")))
			part->encoding = token_lower(a, value);
		else if (str_eq_nocase(f.name, STR("Content-Disposition")))
			disposition = value;
	}
	part->header = (struct str){text.p, text.len - rest.len};
	part->body = rc == 0 || rc == 1 ? rest : text;
	if (rc == 1) { /* more fields than we look at */
		const char *end = str_find(rest, STR("\r\n\r\n"));
		part->body = end != NULL ? str_skip(rest, (size_t)(end + 4 - rest.p)) : STR("");
	}
	struct str type = *raw_type, params;
	(void)str_split(*raw_type, ';', &type, &params);
	if (type.len > 0 && memchr(type.p, '/', type.len) != NULL)
		part->type = token_lower(a, type);
	part->charset = mime_param(a, *raw_type, "charset");
	part->name = mime_param(a, disposition, "filename");
	if (part->name.len == 0)
		part->name = mime_param(a, *raw_type, "name");
	part->name = message_words_decode(a, part->name);
	if (part->name.len > MIME_NAME_MAX)
		part->name.len = MIME_NAME_MAX;
	part->attachment = str_starts_nocase(disposition, STR("attachment"));
}

static void leaf_add(struct reader *r, const struct mime_part *part)
{
	if (r->out->count == MIME_PARTS_MAX) {
		r->out->left_out++;
		return;
	}
	if (r->out->parts == NULL)
		r->out->parts = arena_alloc(r->a, MIME_PARTS_MAX * sizeof(*r->out->parts));
	r->out->parts[r->out->count++] = *part;
}

/* Where the next delimiter line begins and ends in text, from *from on; false: none.
 * *last: it is the closing one. */
static bool delimiter_find(
	struct str text, struct str boundary, size_t from, size_t *begin, size_t *end, bool *last)
{
	while (from < text.len) {
		const char *nl = memchr(text.p + from, '\n', text.len - from);
		size_t line_end = nl != NULL ? (size_t)(nl - text.p) + 1 : text.len;
		struct str line = {text.p + from, line_end - from};
		while (line.len > 0 && strchr("\r\n \t", line.p[line.len - 1]) != NULL &&
			line.p[line.len - 1] != '\0')
			line.len--;
		if (str_starts(line, STR("--")) && str_starts(str_skip(line, 2), boundary)) {
			struct str rest = str_skip(line, 2 + boundary.len);
			*last = str_eq(rest, STR("--"));
			if (rest.len == 0 || *last) {
				*begin = from;
				*end = line_end;
				return true;
			}
		}
		from = line_end;
	}
	return false;
}

static void entity_read(struct reader *r, struct str text, struct str within,
	struct str report_type, unsigned depth)
{
	struct mime_part part;
	struct str raw_type;
	size_t begin, end, next;
	bool last = false, any = false;

	entity_head(r->a, text, &part, &raw_type);
	part.within = within;
	part.report_type = report_type;
	struct str boundary = mime_param(r->a, raw_type, "boundary");
	if (!str_starts(part.type, STR("multipart/")) || boundary.len == 0 ||
		boundary.len > BOUNDARY_MAX || depth >= MIME_DEPTH_MAX ||
		!delimiter_find(part.body, boundary, 0, &begin, &end, &last)) {
		leaf_add(r, &part);
		return;
	}
	struct str inner_report = mime_param(r->a, raw_type, "report-type");
	while (!last && r->out->left_out < MIME_PARTS_MAX) {
		size_t start = end, stop;
		if (delimiter_find(part.body, boundary, start, &begin, &next, &last)) {
			stop = begin;
			end = next;
		} else {
			stop = part.body.len; /* cut off: what is there counts */
			last = true;
		}
		/* The line end before a delimiter belongs to it. */
		if (stop > start && part.body.p[stop - 1] == '\n' && stop != part.body.len)
			stop--;
		if (stop > start && part.body.p[stop - 1] == '\r' && stop != part.body.len)
			stop--;
		entity_read(r, (struct str){part.body.p + start, stop - start}, part.type,
			inner_report, depth + 1);
		any = true;
	}
	if (!any)
		leaf_add(r, &part);
}

void mime_read(struct arena *a, struct str message, struct mime_message *out)
{
	struct reader r = {.a = a, .out = out};

	*out = (struct mime_message){.count = 0};
	entity_read(&r, message, STR(""), STR(""), 0);
}

/* --- bodies --- */

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

static void base64_decode(struct str in, size_t max, struct buf *out, bool *cut)
{
	unsigned bits = 0, acc = 0;

	for (size_t i = 0; i < in.len && in.p[i] != '='; i++) {
		int v = base64_value(in.p[i]);
		if (v < 0)
			continue; /* RFC 2045 6.8: all else is to be ignored */
		acc = (acc << 6 | (unsigned)v) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (out->len == max) {
			*cut = true;
			return;
		}
		buf_byte(out, (char)(acc >> bits & 0xff));
	}
}

static void quoted_decode(struct str in, size_t max, struct buf *out, bool *cut)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];
		if (c == '=') {
			size_t n = i + 1;
			while (n < in.len && (in.p[n] == ' ' || in.p[n] == '\t'))
				n++;
			if (n < in.len && in.p[n] == '\r')
				n++;
			if (n < in.len && in.p[n] == '\n') { /* soft line break */
				i = n;
				continue;
			}
			int high = i + 2 < in.len ? hex_value(in.p[i + 1]) : -1;
			int low = high >= 0 ? hex_value(in.p[i + 2]) : -1;
			if (low >= 0) {
				c = (char)(high * 16 + low);
				i += 2;
			}
		}
		if (out->len == max) {
			*cut = true;
			return;
		}
		buf_byte(out, c);
	}
}

struct str mime_decode(struct arena *a, const struct mime_part *part, size_t max, bool *cut)
{
	struct buf out = {NULL, 0, 0};

	*cut = false;
	if (str_eq(part->encoding, STR("base64"))) {
		base64_decode(part->body, max, &out, cut);
	} else if (str_eq(part->encoding, STR("quoted-printable"))) {
		quoted_decode(part->body, max, &out, cut);
	} else {
		*cut = part->body.len > max;
		return (struct str){part->body.p, *cut ? max : part->body.len};
	}
	struct str result = arena_str(a, buf_str(&out));
	buf_free(&out);
	return result;
}

static const char replacement[] = "\xef\xbf\xbd";

/* UTF-8 with what is none replaced; buf_json and buf_html do the same on output. */
static struct str utf8_cleaned(struct arena *a, struct str text)
{
	struct buf out = {NULL, 0, 0};

	if (utf8_valid(text))
		return text;
	while (text.len > 0) {
		size_t n = utf8_length(text);
		if (n > 0) {
			buf_raw(&out, (struct str){text.p, n});
		} else {
			buf_text(&out, replacement);
			n = 1;
		}
		text = str_skip(text, n);
	}
	struct str result = arena_str(a, buf_str(&out));
	buf_free(&out);
	return result;
}

struct str mime_to_utf8(struct arena *a, struct str text, struct str charset)
{
	char name[CHARSET_MAX], chunk[1024];
	struct buf out = {NULL, 0, 0};
	iconv_t cd = (iconv_t)-1;

	if (charset.len > 0 && !str_eq_nocase(charset, STR("utf-8")) &&
		!str_eq_nocase(charset, STR("us-ascii")) && str_copy(name, sizeof(name), charset) &&
		strchr(name, '/') == NULL)
		cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1)
		return utf8_cleaned(a, text);
	char *in = arena_strdup(a, text);
	size_t in_left = text.len;
	while (in_left > 0) {
		char *to = chunk;
		size_t to_left = sizeof(chunk), before = in_left;
		bool ok = iconv(cd, &in, &in_left, &to, &to_left) != (size_t)-1;
		buf_raw(&out, (struct str){chunk, sizeof(chunk) - to_left});
		if (!ok && in_left == before && to_left == sizeof(chunk)) {
			buf_text(&out, replacement);
			in++;
			in_left--;
		}
	}
	(void)iconv_close(cd);
	struct str result = utf8_cleaned(a, arena_str(a, buf_str(&out)));
	buf_free(&out);
	return result;
}
