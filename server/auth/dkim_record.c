/* The key record, RFC 6376 section 3.6.1: a tag list with
 *
 *	v=DKIM1 (first, if there)  h= hash algorithms  k= key type  n= notes  p= public key
 *	s= services  t= flags
 *
 * g= of RFC 4871 and whatever is unknown does not count. */
#include "auth/dkim_priv.h"

enum { ZONE_STRING_MAX = 255, RECORD_MAX = 65535 };

static struct str tag_text(const struct dkim_tags *tags, const char *name)
{
	const struct dkim_tag *tag = dkim_tag_get(tags, name);

	return tag ? tag->value : STR("");
}

int dkim_record_parse(
	struct arena *arena, struct str text, struct dkim_record *out, struct err *err)
{
	struct dkim_tags tags;
	const struct dkim_tag *v, *k, *h, *s, *p;

	*out = (struct dkim_record){.type = DKIM_RSA};
	if (text.len > RECORD_MAX)
		return err_set(err, ERR_PERM, "the key record is too long");
	if (dkim_tags_parse(text, &tags, err) < 0)
		return err_prefix(err, "the key record has a syntax error");
	v = dkim_tag_get(&tags, "v");
	if (v != NULL && (v != &tags.at[0] || !str_eq(v->value, STR("DKIM1"))))
		return err_set(err, ERR_PERM,
			v != &tags.at[0] ? "the key record does not begin with v="
					 : "not a DKIM key record: its v= is not DKIM1");
	k = dkim_tag_get(&tags, "k");
	out->type_text = arena_str(arena, k ? k->value : STR("rsa"));
	out->type_known =
		str_eq(out->type_text, STR("rsa")) || str_eq(out->type_text, STR("ed25519"));
	out->type = str_eq(out->type_text, STR("ed25519")) ? DKIM_ED25519 : DKIM_RSA;
	h = dkim_tag_get(&tags, "h");
	out->sha256 = h == NULL || dkim_list_has(h->value, ':', STR("sha256"));
	s = dkim_tag_get(&tags, "s");
	out->services = dkim_unspace(arena, tag_text(&tags, "s"));
	out->email = s == NULL || dkim_list_has(s->value, ':', STR("*")) ||
		     dkim_list_has(s->value, ':', STR("email"));
	out->notes = arena_str(arena, tag_text(&tags, "n"));
	out->testing = dkim_list_has(tag_text(&tags, "t"), ':', STR("y"));
	out->strict = dkim_list_has(tag_text(&tags, "t"), ':', STR("s"));
	p = dkim_tag_get(&tags, "p");
	if (p == NULL)
		return err_set(err, ERR_PERM, "the key record has no p=");
	out->revoked = p->value.len == 0;
	if (!dkim_base64_decode(arena, p->value, &out->public_der))
		return err_set(err, ERR_PERM, "the key record's p= is not base64");
	return 0;
}

int dkim_record_key(const struct dkim_record *r, struct dkim_key **out, struct err *err)
{
	*out = NULL;
	if (r->revoked)
		return err_set(err, ERR_PERM, "the key was revoked (its p= is empty)");
	if (!r->type_known)
		return err_set(err, ERR_PERM, "the key is of a kind unknown here");
	return dkim_key_public_read(r->type, r->public_der, out, err);
}

struct str dkim_record_write(struct arena *arena, enum dkim_key_type type, struct str public_b64)
{
	return str_from(arena_printf(arena, "v=DKIM1;h=sha256;%sp=%.*s",
		type == DKIM_ED25519 ? "k=ed25519;" : "", STR_FMT(public_b64)));
}

struct str dkim_record_zone(struct arena *arena, struct str record)
{
	struct buf b = {NULL, 0, 0};
	bool several = record.len > ZONE_STRING_MAX;
	size_t n;

	if (several)
		buf_text(&b, "( ");
	do {
		n = record.len < ZONE_STRING_MAX ? record.len : ZONE_STRING_MAX;
		buf_byte(&b, '"');
		buf_raw(&b, (struct str){record.p, n});
		buf_byte(&b, '"');
		record = str_skip(record, n);
		if (record.len > 0)
			buf_byte(&b, ' ');
	} while (record.len > 0);
	if (several)
		buf_text(&b, " )");
	struct str out = arena_str(arena, buf_str(&b));
	buf_free(&b);
	return out;
}
