#include "webui/urlform.h"

#include "base/utf8.h"

static int hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decoded text is never longer than its coding. */
static int decode(struct arena *a, struct str in, struct str *out, struct err *err)
{
	char *p = arena_alloc(a, in.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < in.len ? hex_digit(in.p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(in.p[i + 2]) : -1;
			if (low < 0)
				return err_set(
					err, ERR_PERM, "form: \"%%\" without two hex digits");
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return err_set(err, ERR_PERM, "form: NUL in a field");
		if (c == '\n' && n > 0 && p[n - 1] == '\r')
			n--; /* browsers send CRLF */
		p[n++] = c;
	}
	*out = (struct str){p, n};
	if (!utf8_valid(*out))
		return err_set(err, ERR_PERM, "form: a field is not UTF-8");
	return 0;
}

int urlform_parse(struct arena *a, struct str text, struct urlform *out, struct err *err)
{
	struct str piece, rest = text;
	size_t count = text.len > 0;

	*out = (struct urlform){.count = 0};
	if (text.len > URLFORM_BODY_MAX)
		return err_set(err, ERR_PERM, "form: over %d octets", URLFORM_BODY_MAX);
	for (size_t i = 0; i < text.len; i++)
		count += text.p[i] == '&';
	if (count > URLFORM_FIELDS_MAX)
		return err_set(err, ERR_PERM, "form: over %d fields", URLFORM_FIELDS_MAX);

	struct urlform form = {.fields = arena_alloc(a, (count + 1) * sizeof(*form.fields))};
	while (text.len > 0 && str_next(&rest, '&', &piece)) {
		struct urlform_field *f = &form.fields[form.count];
		struct str name = piece, value = STR("");
		if (piece.len == 0)
			continue;
		(void)str_split(piece, '=', &name, &value); /* no "=": a name alone */
		if (decode(a, name, &f->name, err) < 0 || decode(a, value, &f->value, err) < 0)
			return -1;
		form.count++;
	}
	*out = form;
	return 0;
}

struct str urlform_get(const struct urlform *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (str_eq(f->fields[i].name, str_from(name)))
			return f->fields[i].value;
	}
	return STR("");
}

bool urlform_has(const struct urlform *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (str_eq(f->fields[i].name, str_from(name)))
			return true;
	}
	return false;
}
