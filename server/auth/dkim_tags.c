/* RFC 6376 section 3.2 (and 8616: UTF-8 in values):
 *
 *	tag-list  = tag-spec *( ";" tag-spec ) [ ";" ]
 *	tag-spec  = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
 *	tag-name  = ALPHA *( ALPHA / DIGIT / "_" )
 *	tag-value = [ tval *( 1*(WSP / FWS) tval ) ]
 *	tval      = 1*( %x21-3A / %x3C-7E / UTF8-non-ascii ) */
#include "auth/dkim_priv.h"
#include "base/utf8.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str dkim_trim(struct str s)
{
	while (s.len > 0 && is_space(s.p[0]))
		s = str_skip(s, 1);
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Line ends only as part of a fold, no other control characters. */
static bool text_is_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '\r' && i + 1 < s.len && s.p[i + 1] == '\n')
			c = (unsigned char)s.p[++i];
		if (c == '\n' && (i + 1 >= s.len || (s.p[i + 1] != ' ' && s.p[i + 1] != '\t')))
			return false;
		if ((c < ' ' && c != '\t' && c != '\n') || c == 0x7f)
			return false;
	}
	return utf8_valid(s);
}

static bool name_is_valid(struct str name)
{
	if (name.len == 0 || !ascii_is_alnum(name.p[0]) || ascii_is_digit(name.p[0]))
		return false;
	for (size_t i = 1; i < name.len; i++) {
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_')
			return false;
	}
	return true;
}

int dkim_tags_parse(struct str text, struct dkim_tags *out, struct err *err)
{
	struct str rest = text, spec;

	out->count = 0;
	/* A fold may end the text: its CRLF has gone with the field's last line end. */
	if (!text_is_valid(dkim_trim(text)))
		return err_set(err, ERR_PERM, "a character that cannot be in a tag list");
	while (str_next(&rest, ';', &spec)) {
		struct dkim_tag tag;
		if (dkim_trim(spec).len == 0) {
			if (rest.p == NULL && out->count > 0)
				return 0; /* the ";" at the end */
			return err_set(err, ERR_PERM, "an empty tag");
		}
		if (!str_split(spec, '=', &tag.name, &tag.raw))
			return err_set(err, ERR_PERM, "a tag without \"=\"");
		tag.name = dkim_trim(tag.name);
		tag.value = dkim_trim(tag.raw);
		if (!name_is_valid(tag.name))
			return err_set(err, ERR_PERM, "a bad tag name");
		for (size_t i = 0; i < out->count; i++) {
			if (str_eq(out->at[i].name, tag.name))
				return err_set(err, ERR_PERM, "tag %.*s= twice", STR_FMT(tag.name));
		}
		if (out->count == DKIM_TAGS_MAX)
			return err_set(err, ERR_PERM, "over %d tags", DKIM_TAGS_MAX);
		out->at[out->count++] = tag;
	}
	return out->count > 0 ? 0 : err_set(err, ERR_PERM, "an empty tag list");
}

const struct dkim_tag *dkim_tag_get(const struct dkim_tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->count; i++) {
		if (str_eq(tags->at[i].name, str_from(name)))
			return &tags->at[i];
	}
	return NULL;
}

bool dkim_list_next(struct str *rest, char sep, struct str *item)
{
	if (!str_next(rest, sep, item))
		return false;
	*item = dkim_trim(*item);
	return true;
}

bool dkim_list_has(struct str list, char sep, struct str item)
{
	struct str each;

	while (dkim_list_next(&list, sep, &each)) {
		if (str_eq_nocase(each, item))
			return true;
	}
	return false;
}

struct str dkim_unspace(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_space(s.p[i]))
			out[n++] = s.p[i];
	}
	return (struct str){out, n};
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

bool dkim_base64_decode(struct arena *a, struct str text, struct str *out)
{
	char *p = arena_alloc(a, text.len * 3 / 4 + 4);
	unsigned bits = 0, have = 0, digits = 0, pads = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		int v = base64_value(c);
		if (is_space(c))
			continue;
		if (c == '=') {
			pads++;
			continue;
		}
		if (v < 0 || pads > 0)
			return false;
		bits = (bits << 6 | (unsigned)v) & 0xffffffU;
		have += 6;
		digits++;
		if (have >= 8) {
			have -= 8;
			p[n++] = (char)(bits >> have & 0xff);
		}
	}
	*out = (struct str){p, n};
	/* A lone last digit is no octet; padding is right or missing. */
	return digits % 4 != 1 && (pads == 0 || (digits % 4 != 0 && digits % 4 + pads == 4));
}
