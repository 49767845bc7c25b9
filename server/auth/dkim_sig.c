/* A signature field: DKIM-Signature (RFC 6376 section 3.5), ARC-Message-Signature and ARC-Seal
 * (RFC 8617 sections 4.1.2 and 4.1.3), all tag lists. */
#include "auth/dkim_priv.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	CLOCK_SKEW_S = 300, /* t= may be so far in our future; our choice */
	SELECTOR_MAX = 200
};

__attribute__((format(printf, 4, 0))) static void decide(
	struct arena *a, struct dkim_sig *sig, enum dkim_status status, const char *fmt, va_list ap)
{
	char text[400];

	if (sig->early != DKIM_NONE)
		return; /* the first finding counts */
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	sig->early = status;
	sig->why = arena_str(a, str_from(text));
}

void dkim_sig_decide(
	struct arena *a, struct dkim_sig *sig, enum dkim_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	decide(a, sig, status, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 3, 4))) static void broken(
	struct arena *a, struct dkim_sig *sig, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	decide(a, sig, DKIM_PERMERROR, fmt, ap);
	va_end(ap);
}

/* A name in U-labels or A-labels (RFC 8616) as A-labels; empty when it is none. */
static struct str name_read(
	struct arena *a, struct dkim_sig *sig, const char *tag, struct str value)
{
	char ascii[DNS_NAME_MAX];
	struct err err;

	if (dns_name_to_ascii(value, ascii, &err) < 0) {
		broken(a, sig, "%s= is no domain name: %s", tag, err.text);
		return STR("");
	}
	return arena_str(a, str_from(ascii));
}

static void algorithm_read(struct arena *a, struct dkim_sig *sig, struct str value)
{
	struct str key, hash;

	sig->algorithm = dkim_unspace(a, value);
	if (!str_split(sig->algorithm, '-', &key, &hash)) {
		broken(a, sig, "a= is no algorithm");
		return;
	}
	sig->type = str_eq_nocase(key, STR("ed25519")) ? DKIM_ED25519 : DKIM_RSA;
	if (str_eq_nocase(hash, STR("sha1")))
		broken(a, sig, "made with SHA-1, which is broken and does not count (RFC 8301)");
	else if (!str_eq_nocase(hash, STR("sha256")) ||
		 (sig->type == DKIM_RSA && !str_eq_nocase(key, STR("rsa"))))
		broken(a, sig, "algorithm %.*s is unknown here", STR_FMT(sig->algorithm));
}

static bool canon_word(struct str word, enum dkim_canon *out)
{
	*out = str_eq_nocase(word, STR("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return *out == DKIM_RELAXED || str_eq_nocase(word, STR("simple"));
}

static void canon_read(struct arena *a, struct dkim_sig *sig, struct str value)
{
	struct str header = value, body = STR("simple");

	if (str_split(value, '/', &header, &body)) {
		header = dkim_trim(header);
		body = dkim_trim(body);
	}
	if (!canon_word(header, &sig->header) || !canon_word(body, &sig->body))
		broken(a, sig, "c= names a canonicalization that is unknown here");
}

/* -1 when it is not there. */
static int64_t number_read(
	struct arena *a, struct dkim_sig *sig, const struct dkim_tags *tags, const char *name)
{
	const struct dkim_tag *tag = dkim_tag_get(tags, name);
	uint64_t n;

	if (tag == NULL)
		return -1;
	if (!str_to_u64(tag->value, INT64_MAX, &n)) {
		broken(a, sig, "%s= is not a number", name);
		return -1;
	}
	return (int64_t)n;
}

static void times_read(
	struct arena *a, struct dkim_sig *sig, const struct dkim_tags *tags, int64_t now_s)
{
	sig->signed_s = number_read(a, sig, tags, "t");
	if (sig->kind == DKIM_SIGNATURE || sig->kind == DKIM_ARC_MESSAGE)
		sig->expires_s = number_read(a, sig, tags, "x");
	if (sig->expires_s >= 0 && sig->signed_s >= 0 && sig->expires_s < sig->signed_s)
		broken(a, sig, "it expires (x=) before it was made (t=)");
	if (sig->expires_s >= 0 && sig->expires_s < now_s) {
		char when[CLOCK_TEXT];
		broken(a, sig, "it expired at %s",
			sig->expires_s < 253402300800 ? clock_iso(sig->expires_s, when) : "x=");
	}
	if (sig->signed_s >= 0 && sig->signed_s - CLOCK_SKEW_S > now_s)
		broken(a, sig, "it was made in the future (t=)");
}

/* ftext without ";" and at least one character. */
static bool field_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return name.len > 0;
}

static void names_read(struct arena *a, struct dkim_sig *sig, struct str value)
{
	struct str rest = value, name;
	bool from = false;

	sig->h = value;
	while (dkim_list_next(&rest, ':', &name)) {
		if (!field_name_is_valid(name)) {
			broken(a, sig, "h= has a name that no field can have");
			return;
		}
		from = from || str_eq_nocase(name, STR("From"));
		if (sig->kind == DKIM_ARC_MESSAGE && str_eq_nocase(name, STR("ARC-Seal")))
			broken(a, sig, "h= names ARC-Seal, which is not allowed");
	}
	if (!from)
		broken(a, sig, "h= does not name From: it says nothing about the sender");
}

/* sig-i-tag = [ Local-part ] "@" domain-name, with d= or a subdomain of it. */
static void identity_read(struct arena *a, struct dkim_sig *sig, const struct dkim_tag *tag)
{
	struct str value, domain;
	size_t at;

	if (tag == NULL) {
		sig->identity = str_from(arena_printf(a, "@%.*s", STR_FMT(sig->domain)));
		return;
	}
	value = dkim_unspace(a, tag->value);
	sig->identity = value;
	for (at = value.len; at > 0 && value.p[at - 1] != '@'; at--)
		;
	if (at == 0) {
		broken(a, sig, "i= has no \"@\"");
		return;
	}
	domain = name_read(a, sig, "i", str_skip(value, at));
	if (sig->domain.len == 0 || domain.len == 0 || str_eq(domain, sig->domain))
		return;
	if (!str_ends(domain, sig->domain) || domain.p[domain.len - sig->domain.len - 1] != '.')
		broken(a, sig, "i= (%.*s) is not within d= (%.*s)", STR_FMT(domain),
			STR_FMT(sig->domain));
}

static void method_read(struct arena *a, struct dkim_sig *sig, const struct dkim_tag *tag)
{
	struct str rest, each;

	if (tag == NULL)
		return;
	rest = tag->value;
	while (dkim_list_next(&rest, ':', &each)) {
		if (str_eq_nocase(dkim_unspace(a, each), STR("dns/txt")) ||
			str_eq_nocase(each, STR("dns")))
			return;
	}
	broken(a, sig, "q= names no way to the key that is known here");
}

static void instance_read(struct arena *a, struct dkim_sig *sig, const struct dkim_tags *tags)
{
	const struct dkim_tag *tag = dkim_tag_get(tags, "i");
	uint64_t n = 0;

	if (tag == NULL || tag->value.len > 2 || !str_to_u64(tag->value, ARC_SETS_MAX, &n) ||
		n == 0)
		broken(a, sig, "i= is not a number from 1 to %d", ARC_SETS_MAX);
	else
		sig->instance = (unsigned)n;
}

static bool tags_are_there(
	struct arena *a, struct dkim_sig *sig, const struct dkim_tags *tags, const char *needed)
{
	struct str rest = str_from(needed), name;

	while (str_next(&rest, ' ', &name)) {
		char tag[4];
		if (str_copy(tag, sizeof(tag), name) && dkim_tag_get(tags, tag) == NULL)
			broken(a, sig, "tag %s= is missing", tag);
	}
	return sig->early == DKIM_NONE;
}

static struct str value_of(const struct dkim_tags *tags, const char *name)
{
	const struct dkim_tag *tag = dkim_tag_get(tags, name);

	return tag ? tag->value : STR("");
}

/* What all three have: algorithm, signature, domain, selector. */
static void common_read(struct arena *a, struct dkim_sig *sig, const struct dkim_tags *tags)
{
	const struct dkim_tag *b = dkim_tag_get(tags, "b");

	if (dkim_tag_get(tags, "d") != NULL)
		sig->domain = name_read(a, sig, "d", value_of(tags, "d"));
	if (dkim_tag_get(tags, "s") != NULL && value_of(tags, "s").len <= SELECTOR_MAX)
		sig->selector = name_read(a, sig, "s", value_of(tags, "s"));
	else if (dkim_tag_get(tags, "s") != NULL)
		broken(a, sig, "s= is too long");
	if (dkim_tag_get(tags, "a") != NULL)
		algorithm_read(a, sig, value_of(tags, "a"));
	if (b == NULL)
		return;
	sig->b_raw = b->raw;
	sig->b_text = dkim_unspace(a, b->value);
	if (!dkim_base64_decode(a, b->value, &sig->signature) || sig->signature.len == 0)
		broken(a, sig, "b= is not base64");
}

static void message_read(
	struct arena *a, struct dkim_sig *sig, const struct dkim_tags *tags, int64_t now_s)
{
	const struct dkim_tag *c = dkim_tag_get(tags, "c");

	canon_read(a, sig, c ? c->value : STR("simple/simple"));
	names_read(a, sig, value_of(tags, "h"));
	method_read(a, sig, dkim_tag_get(tags, "q"));
	sig->length = number_read(a, sig, tags, "l");
	sig->length_used = sig->length >= 0;
	if (!dkim_base64_decode(a, value_of(tags, "bh"), &sig->body_hash))
		broken(a, sig, "bh= is not base64");
	else if (sig->body_hash.len != DKIM_HASH)
		broken(a, sig, "bh= is no SHA-256 hash");
	times_read(a, sig, tags, now_s);
}

void dkim_sig_parse(struct arena *a, enum dkim_kind kind, const struct dkim_field *field,
	int64_t now_s, struct dkim_sig *out)
{
	struct dkim_tags tags;
	struct err err;

	*out = (struct dkim_sig){
		.kind = kind, .field = field, .length = -1, .signed_s = -1, .expires_s = -1};
	if (dkim_tags_parse(field->value, &tags, &err) < 0) {
		broken(a, out, "syntax error: %s", err.text);
		return;
	}
	if (kind != DKIM_SIGNATURE)
		instance_read(a, out, &tags);
	common_read(a, out, &tags);
	switch (kind) {
	case DKIM_SIGNATURE:
		if (!tags_are_there(a, out, &tags, "v a b bh d h s"))
			return;
		if (!str_eq(value_of(&tags, "v"), STR("1")))
			broken(a, out, "v= is not 1");
		identity_read(a, out, dkim_tag_get(&tags, "i"));
		message_read(a, out, &tags, now_s);
		break;
	case DKIM_ARC_MESSAGE:
		if (tags_are_there(a, out, &tags, "i a b bh d h s"))
			message_read(a, out, &tags, now_s);
		break;
	case DKIM_ARC_SEAL:
		if (!tags_are_there(a, out, &tags, "i a b cv d s"))
			return;
		out->cv = dkim_unspace(a, value_of(&tags, "cv"));
		if (dkim_tag_get(&tags, "h") != NULL || dkim_tag_get(&tags, "bh") != NULL)
			broken(a, out, "h= and bh= do not belong in an ARC-Seal");
		times_read(a, out, &tags, now_s);
		break;
	}
}
