/* field = name *WSP ":" value CRLF *( WSP value CRLF )     RFC 5322 sections 2.2, 4.5.
 * On the path of every message: memchr does the work, nothing is copied. */
#include "message/message.h"

/* The view of the first line of text with its end; its length without that in *len. */
static struct str line_first(struct str text, size_t *len)
{
	const char *lf = text.len > 0 ? memchr(text.p, '\n', text.len) : NULL;
	struct str line = text;

	if (lf == NULL) {
		*len = text.len;
		return line;
	}
	line.len = (size_t)(lf - text.p) + 1;
	*len = line.len - 1;
	if (*len > 0 && line.p[*len - 1] == '\r')
		(*len)--;
	return line;
}

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* ftext: visible ASCII but the colon. */
static bool name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return name.len > 0;
}

int message_header_next(struct str *rest, struct message_field *field, struct err *err)
{
	size_t len, end;
	struct str line = line_first(*rest, &len);
	const char *colon;

	if (line.len == 0)
		return 0;
	if (len == 0) { /* the empty line before the body */
		*rest = str_skip(*rest, line.len);
		return 0;
	}
	colon = memchr(line.p, ':', len);
	if (colon == NULL)
		return err_set(err, ERR_PERM, "header line without \":\"");
	field->name = (struct str){line.p, (size_t)(colon - line.p)};
	while (field->name.len > 0 && is_wsp(field->name.p[field->name.len - 1]))
		field->name.len--;
	if (!name_is_valid(field->name))
		return err_set(err, ERR_PERM, "header line with a bad field name");

	field->whole = line;
	end = len; /* of the value, from line.p */
	for (;;) {
		struct str next = str_skip(*rest, field->whole.len);

		if (next.len == 0 || !is_wsp(next.p[0]))
			break;
		next = line_first(next, &len);
		end = field->whole.len + len;
		field->whole.len += next.len;
	}
	field->value.p = colon + 1;
	field->value.len = (size_t)(line.p + end - field->value.p);
	*rest = str_skip(*rest, field->whole.len);
	return 1;
}

static bool has_line_end(struct str s)
{
	return s.len > 0 && (memchr(s.p, '\n', s.len) != NULL || memchr(s.p, '\r', s.len) != NULL ||
				    memchr(s.p, '\0', s.len) != NULL);
}

struct str message_field_unfold(struct arena *a, struct str value)
{
	struct str v = str_trim(value);
	size_t n = 0;
	char *out;

	if (!has_line_end(v))
		return v;
	out = arena_alloc(a, v.len + 1);
	for (size_t i = 0; i < v.len; i++) {
		size_t end = v.p[i] == '\r' && i + 1 < v.len && v.p[i + 1] == '\n' ? i + 1 : i;

		if (v.p[end] == '\n' && end + 1 < v.len && is_wsp(v.p[end + 1]))
			i = end;
		else if (v.p[i] == '\r' || v.p[i] == '\n' || v.p[i] == '\0')
			out[n++] = ' ';
		else
			out[n++] = v.p[i];
	}
	return str_trim((struct str){out, n});
}
