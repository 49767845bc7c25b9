/* Results that somebody else signed with our name, RFC 8601 section 5:
 *
 *   authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ...
 *   authserv-id     = value              ; RFC 2045: token / quoted-string
 *
 * Whoever reads the field downstream may be more lenient than that, so whatever could be taken
 * for our name is. */
#include "auth/auth.h"

#include "message/message.h"

enum { COMMENT_DEPTH_MAX = 100 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Over white space and comments; false when a comment does not end. */
static bool cfws_skip(struct str *s)
{
	unsigned depth = 0;

	while (s->len > 0 && (depth > 0 || is_space(s->p[0]) || s->p[0] == '(')) {
		if (s->p[0] == '\\' && s->len > 1) {
			*s = str_skip(*s, 2);
			continue;
		}
		if (s->p[0] == '(' && ++depth > COMMENT_DEPTH_MAX)
			return false;
		if (s->p[0] == ')')
			depth--;
		*s = str_skip(*s, 1);
	}
	return depth == 0;
}

static bool token_octet(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* The authserv-id without quotes; false when there is none that can be read. */
static bool id_read(struct str value, char *out, size_t size)
{
	size_t n = 0;

	if (!cfws_skip(&value) || value.len == 0)
		return false;
	bool quoted = value.p[0] == '"';
	value = str_skip(value, quoted ? 1 : 0);
	while (value.len > 0 && (quoted ? value.p[0] != '"' : token_octet(value.p[0]))) {
		if (value.p[0] == '\\' && value.len > 1)
			value = str_skip(value, 1);
		if (value.p[0] != '\r' && value.p[0] != '\n') {
			if (n + 1 >= size)
				return false;
			out[n++] = value.p[0];
		}
		value = str_skip(value, 1);
	}
	if (quoted && value.len > 0)
		value = str_skip(value, 1);
	out[n] = '\0';
	/* Behind it only what may stand there. */
	return n > 0 &&
	       (value.len == 0 || value.p[0] == ';' || value.p[0] == '(' || is_space(value.p[0]));
}

static bool contains_nocase(struct str text, struct str part)
{
	while (text.len >= part.len && part.len > 0) {
		if (str_starts_nocase(text, part))
			return true;
		text = str_skip(text, 1);
	}
	return false;
}

/* The same host name, whatever its case, final dot, and script. */
static bool same_host(struct str id, struct str ours)
{
	char ascii[DNS_NAME_MAX];
	struct err err;

	id = str_trim(id);
	while (id.len > 0 && id.p[id.len - 1] == '.')
		id.len--;
	return str_eq_nocase(id, ours) ||
	       (dns_name_to_ascii(id, ascii, &err) == 0 && str_eq_nocase(str_from(ascii), ours));
}

static bool claims(struct str value, struct str ours)
{
	char id[1024];

	return id_read(value, id, sizeof(id)) ? same_host(str_from(id), ours)
					      : contains_nocase(value, ours);
}

bool auth_results_claims(struct str value, struct str authserv_id)
{
	if (authserv_id.len == 0)
		return false;
	if (claims(value, authserv_id))
		return true;
	if (str_find(value, STR("=?")) == NULL)
		return false;
	struct arena *a = arena_open();
	struct str decoded = message_words_decode(a, message_field_unfold(a, value));
	bool ours = claims(decoded, authserv_id) || contains_nocase(decoded, authserv_id);
	arena_close(&a);
	return ours;
}

static bool forged(const struct message_field *f, struct str authserv_id)
{
	return f->name.len == sizeof("Authentication-Results") - 1 &&
	       str_eq_nocase(f->name, STR("Authentication-Results")) &&
	       auth_results_claims(f->value, authserv_id);
}

/* As message_header_next, but goes on behind lines that are no fields: a reader may too. */
static bool field_next(struct str *rest, struct message_field *f)
{
	struct err err;
	int rc;

	while ((rc = message_header_next(rest, f, &err)) < 0) {
		const char *lf = memchr(rest->p, '\n', rest->len);
		if (lf == NULL)
			return false;
		*rest = str_skip(*rest, (size_t)(lf - rest->p) + 1);
	}
	return rc == 1;
}

bool auth_forged_any(struct str header, struct str authserv_id)
{
	struct message_field f;

	while (field_next(&header, &f)) {
		if (forged(&f, authserv_id))
			return true;
	}
	return false;
}

void auth_forged_strip(struct buf *head, struct str authserv_id)
{
	struct str rest = buf_str(head);
	struct message_field f;
	size_t out = 0, in = 0;

	while (field_next(&rest, &f)) {
		if (!forged(&f, authserv_id))
			continue;
		size_t at = (size_t)(f.whole.p - head->p);
		memmove(head->p + out, head->p + in, at - in);
		out += at - in;
		in = at + f.whole.len;
	}
	if (in == 0)
		return;
	memmove(head->p + out, head->p + in, head->len - in);
	head->len -= in - out;
	head->p[head->len] = '\0';
}
