/* Reply-line = Reply-code ( "-" / SP / "" ) [ textstring ], RFC 5321 section 4.2.
 * status-code = class "." subject "." detail, RFC 3463 section 2. */
#include "smtp/client_reply.h"

#include "base/utf8.h"

void smtp_reply_begin(struct smtp_reply *r)
{
	*r = (struct smtp_reply){.code = 0};
}

void smtp_text_copy(char *out, size_t size, struct str text)
{
	size_t n = 0;

	while (text.len > 0) {
		size_t len = utf8_length(text);
		bool bad = len == 0 || (unsigned char)text.p[0] < ' ' || text.p[0] == 0x7f;
		if (len == 0)
			len = 1;
		if (n + (bad ? 1 : len) >= size)
			break;
		if (bad) {
			out[n++] = text.p[0] == '\t' ? ' ' : '?';
		} else {
			memcpy(out + n, text.p, len);
			n += len;
		}
		text = str_skip(text, len);
	}
	out[n] = '\0';
}

/* Octets of an enhanced status code of the reply's class in front of text; 0: none. */
static size_t ecode_length(int code, struct str text)
{
	size_t at = 2;

	if (text.len < 5 || text.p[0] != '0' + code / 100 || text.p[1] != '.')
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;
		while (at < text.len && digits < 3 && ascii_is_digit(text.p[at])) {
			at++;
			digits++;
		}
		if (digits == 0)
			return 0;
		if (part == 0 && (at == text.len || text.p[at++] != '.'))
			return 0;
	}
	return at == text.len || text.p[at] == ' ' ? at : 0;
}

static void text_append(struct smtp_reply *r, struct str text)
{
	size_t n = strlen(r->text);

	text = str_trim(text);
	if (text.len == 0)
		return;
	if (n > 0 && n + 1 < sizeof(r->text))
		r->text[n++] = ' ';
	smtp_text_copy(r->text + n, sizeof(r->text) - n, text);
}

int smtp_reply_add(
	struct smtp_reply *r, struct str line, enum smtp_enhanced enhanced, struct err *err)
{
	char shown[80];

	smtp_text_copy(shown, sizeof(shown), line);
	if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
		!ascii_is_digit(line.p[2]) ||
		(line.len > 3 && line.p[3] != ' ' && line.p[3] != '-'))
		return err_set(err, ERR_TEMP, "not an SMTP reply: \"%s\"", shown);
	int code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
	if (r->lines > 0 && code != r->code)
		return err_set(
			err, ERR_TEMP, "reply changes its code from %d: \"%s\"", r->code, shown);
	if (r->lines == SMTP_REPLY_LINES_MAX)
		return err_set(err, ERR_TEMP, "reply of over %d lines", SMTP_REPLY_LINES_MAX);

	struct str text = str_skip(line, 4);
	size_t n = enhanced == SMTP_ENHANCED_ON ? ecode_length(code, text) : 0;
	if (n > 0) {
		if (r->ecode[0] == '\0')
			(void)str_copy(r->ecode, sizeof(r->ecode), (struct str){text.p, n});
		text = str_skip(text, n);
	}
	r->code = code;
	r->lines++;
	r->last = text;
	text_append(r, text);
	return line.len > 3 && line.p[3] == '-' ? 1 : 0;
}
