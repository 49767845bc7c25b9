/* DMARC policy records, RFC 9989 section 4.8:
 *
 *   dmarc-record  = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]
 *   dmarc-version = "v" equals %s"DMARC1"
 *   dmarc-sep     = *WSP ";" *WSP
 *   equals        = *WSP "=" *WSP
 *   dmarc-tag     = 1*ALPHA equals 1*dmarc-value
 *   dmarc-value   = %x20-3A / %x3C-7E
 *   p, sp, np     = "none" / "quarantine" / "reject"
 *   adkim, aspf   = "r" / "s"        t = "y" / "n"        psd = "y" / "n" / "u"
 *   rua, ruf      = uri *(*WSP "," *WSP uri), uri = RFC 3986 URI with "," and "!" encoded,
 *                   perhaps with the obsolete "!" 1*DIGIT [ "k" / "m" / "g" / "t" ]
 *   fo            = "0" / "1" / "d" / "s", joined with ":"; 0 and 1 exclude each other
 *
 * What does not fit this is left at its default, with a note. Of a tag that comes twice the
 * first is taken: our choice, the RFC does not say. */
#include "auth/dmarc.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

struct parse {
	struct arena *arena;
	struct dmarc_record *out;
	unsigned seen; /* bit of each known tag */
	bool p_bad, sp_bad, np_bad;
};

__attribute__((format(printf, 2, 3))) static void note(struct parse *p, const char *fmt, ...)
{
	struct buf b = {NULL, 0, 0};
	char text[300];
	va_list ap;

	if (p->out->note_count == DMARC_NOTES_MAX)
		return;
	if (p->out->notes == NULL)
		p->out->notes = arena_alloc(p->arena, DMARC_NOTES_MAX * sizeof(struct str));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *c = text; *c != '\0'; c++)
		buf_byte(&b, *c >= ' ' && *c <= '~' ? *c : '?');
	p->out->notes[p->out->note_count++] = arena_str(p->arena, buf_str(&b));
	buf_free(&b);
}

const char *dmarc_policy_text(enum dmarc_policy p)
{
	switch (p) {
	case DMARC_POLICY_NONE:
		return "none";
	case DMARC_POLICY_QUARANTINE:
		return "quarantine";
	case DMARC_POLICY_REJECT:
		return "reject";
	}
	return "?";
}

/* --- values --- */

static bool policy_read(struct parse *p, const char *tag, struct str value, enum dmarc_policy *out)
{
	for (int i = DMARC_POLICY_NONE; i <= DMARC_POLICY_REJECT; i++) {
		if (str_eq_nocase(value, str_from(dmarc_policy_text((enum dmarc_policy)i)))) {
			*out = (enum dmarc_policy)i;
			return true;
		}
	}
	note(p, "%s=%.*s is not a policy; none, quarantine and reject are", tag, STR_FMT(value));
	return false;
}

static void alignment_read(
	struct parse *p, const char *tag, struct str value, enum dmarc_alignment *out)
{
	if (str_eq_nocase(value, STR("s")))
		*out = DMARC_STRICT;
	else if (!str_eq_nocase(value, STR("r")))
		note(p, "%s=%.*s is not r or s and was ignored", tag, STR_FMT(value));
}

static void psd_read(struct parse *p, struct str value)
{
	if (str_eq_nocase(value, STR("y")))
		p->out->psd = DMARC_PSD_YES;
	else if (str_eq_nocase(value, STR("n")))
		p->out->psd = DMARC_PSD_NO;
	else if (!str_eq_nocase(value, STR("u")))
		note(p, "psd=%.*s is not y, n or u and was ignored", STR_FMT(value));
}

static void testing_read(struct parse *p, struct str value)
{
	if (str_eq_nocase(value, STR("y")))
		p->out->testing = true;
	else if (!str_eq_nocase(value, STR("n")))
		note(p, "t=%.*s is not y or n and was ignored", STR_FMT(value));
}

static unsigned fo_bit(struct str word)
{
	if (word.len != 1)
		return 0;
	switch (ascii_lower(word.p[0])) {
	case '0':
		return DMARC_FO_ALL;
	case '1':
		return DMARC_FO_ANY;
	case 'd':
		return DMARC_FO_DKIM;
	case 's':
		return DMARC_FO_SPF;
	default:
		return 0;
	}
}

static void fo_read(struct parse *p, struct str value)
{
	struct str rest = value, word;
	unsigned bits = 0;

	while (str_next(&rest, ':', &word)) {
		unsigned bit = fo_bit(str_trim(word));
		if (bit == 0 || (bits & bit) != 0) {
			note(p, "fo=%.*s is not a list of 0, 1, d, s and was ignored",
				STR_FMT(value));
			return;
		}
		bits |= bit;
	}
	if ((bits & DMARC_FO_ALL) != 0 && (bits & DMARC_FO_ANY) != 0) {
		note(p, "fo=%.*s has both 0 and 1 and was ignored", STR_FMT(value));
		return;
	}
	p->out->fo = bits;
}

static bool uri_octet(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("-._~:/?#[]@$&'()*+;=%", c) != NULL);
}

/* RFC 3986 as far as it tells a URI from something else; of mailto: an address is wanted. */
static bool uri_valid(struct str uri)
{
	struct str scheme, rest;

	if (!str_split(uri, ':', &scheme, &rest) || scheme.len == 0 || rest.len == 0 ||
		!ascii_is_alnum(scheme.p[0]) || ascii_is_digit(scheme.p[0]))
		return false;
	for (size_t i = 0; i < scheme.len; i++) {
		if (!ascii_is_alnum(scheme.p[i]) && strchr("+-.", scheme.p[i]) == NULL)
			return false;
	}
	for (size_t i = 0; i < rest.len; i++) {
		if (!uri_octet(rest.p[i]))
			return false;
	}
	if (!str_eq_nocase(scheme, STR("mailto")))
		return true;
	const char *at = memchr(rest.p, '@', rest.len);
	return at != NULL && at > rest.p && at + 1 < rest.p + rest.len;
}

static bool size_suffix(struct str text)
{
	size_t digits = 0;

	while (digits < text.len && ascii_is_digit(text.p[digits]))
		digits++;
	return digits > 0 &&
	       (digits == text.len ||
		       (digits + 1 == text.len && strchr("kmgtKMGT", text.p[digits]) != NULL));
}

static void uris_read(
	struct parse *p, const char *tag, struct str value, struct str **out, size_t *count)
{
	struct str rest = value, uri, size;

	*out = arena_alloc(p->arena, DMARC_URIS_MAX * sizeof(struct str));
	while (str_next(&rest, ',', &uri)) {
		uri = str_trim(uri);
		if (str_split(uri, '!', &uri, &size)) {
			if (!size_suffix(size)) {
				note(p, "%s: a \"!\" that is not encoded", tag);
				continue;
			}
			note(p, "%s: the size limit !%.*s is obsolete", tag, STR_FMT(size));
		}
		if (!uri_valid(uri))
			note(p, "%s: \"%.*s\" is not a URI", tag, STR_FMT(uri));
		else if (*count < DMARC_URIS_MAX)
			(*out)[(*count)++] = uri;
		else
			note(p, "%s: more than %d URIs", tag, DMARC_URIS_MAX);
	}
}

/* --- tags --- */

static const char *const tags[] = {
	"p", "sp", "np", "adkim", "aspf", "psd", "t", "fo", "rua", "ruf"};
enum {
	TAG_P,
	TAG_SP,
	TAG_NP,
	TAG_ADKIM,
	TAG_ASPF,
	TAG_PSD,
	TAG_T,
	TAG_FO,
	TAG_RUA,
	TAG_RUF,
	TAG_COUNT
};

static void value_read(struct parse *p, unsigned tag, struct str value)
{
	struct dmarc_record *r = p->out;

	switch (tag) {
	case TAG_P:
		r->has_p = policy_read(p, "p", value, &r->p);
		p->p_bad = !r->has_p;
		break;
	case TAG_SP:
		r->has_sp = policy_read(p, "sp", value, &r->sp);
		p->sp_bad = !r->has_sp;
		break;
	case TAG_NP:
		r->has_np = policy_read(p, "np", value, &r->np);
		p->np_bad = !r->has_np;
		break;
	case TAG_ADKIM:
		alignment_read(p, "adkim", value, &r->adkim);
		break;
	case TAG_ASPF:
		alignment_read(p, "aspf", value, &r->aspf);
		break;
	case TAG_PSD:
		psd_read(p, value);
		break;
	case TAG_T:
		testing_read(p, value);
		break;
	case TAG_FO:
		fo_read(p, value);
		break;
	case TAG_RUA:
		uris_read(p, "rua", value, &r->rua, &r->rua_count);
		break;
	case TAG_RUF:
		uris_read(p, "ruf", value, &r->ruf, &r->ruf_count);
		break;
	default:
		break;
	}
}

static bool printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] > '~')
			return false;
	}
	return s.len > 0;
}

static bool removed_tag(struct str name)
{
	return str_eq_nocase(name, STR("pct")) || str_eq_nocase(name, STR("rf")) ||
	       str_eq_nocase(name, STR("ri"));
}

static void tag_read(struct parse *p, struct str text)
{
	struct str name, value;
	unsigned tag = 0;

	if (!str_split(text, '=', &name, &value)) {
		note(p, "\"%.*s\" is not a tag and was ignored", STR_FMT(text));
		return;
	}
	name = str_trim(name);
	value = str_trim(value);
	while (tag < TAG_COUNT && !str_eq_nocase(name, str_from(tags[tag])))
		tag++;
	if (tag == TAG_COUNT) {
		note(p,
			removed_tag(name)
				? "%.*s= was removed from DMARC by RFC 9989 and was ignored"
				: "the tag %.*s= is unknown and was ignored",
			STR_FMT(name));
		return;
	}
	if ((p->seen & (1u << tag)) != 0) {
		note(p, "%s= comes twice, the first counts", tags[tag]);
		return;
	}
	p->seen |= 1u << tag;
	value_read(p, tag, printable(value) ? value : STR(""));
}

/* What is in force (section 4.10.1). */
static void policies_settle(struct parse *p)
{
	struct dmarc_record *r = p->out;
	bool bad = p->p_bad || p->sp_bad || p->np_bad;

	if (!r->has_p || bad) {
		r->applies = r->rua_count > 0;
		note(p, "%s, %s", bad ? "a policy cannot be read" : "there is no p=",
			r->applies ? "so the record counts as p=none"
				   : "and no rua= either, so the record asks for nothing");
		r->p = r->sp = r->np = DMARC_POLICY_NONE;
		r->has_p = r->has_sp = r->has_np = false;
		return;
	}
	r->applies = true;
	if (!r->has_sp)
		r->sp = r->p;
	if (!r->has_np)
		r->np = r->sp;
}

/* "v" equals "DMARC1" */
static bool version_is(struct str text)
{
	struct str name, value;

	return str_split(text, '=', &name, &value) && name.len > 0 &&
	       ascii_lower(name.p[0]) == 'v' && str_trim(name).len == 1 &&
	       str_eq(str_trim(value), STR("DMARC1"));
}

int dmarc_record_parse(struct arena *arena, struct str text, struct dmarc_record *out)
{
	struct parse p = {.arena = arena, .out = out};
	struct str rest = text, tag;

	*out = (struct dmarc_record){.fo = DMARC_FO_ALL};
	if (text.len > DMARC_RECORD_MAX || !str_next(&rest, ';', &tag) || !version_is(tag))
		return 0;
	out->text = arena_str(arena, text);
	rest = str_skip(out->text, tag.len + 1);
	while (rest.len > 0 && str_next(&rest, ';', &tag)) {
		tag = str_trim(tag);
		if (tag.len > 0)
			tag_read(&p, tag);
		else if (rest.len > 0)
			note(&p, "\";;\" was ignored");
	}
	policies_settle(&p);
	if ((p.seen & (1u << TAG_FO)) != 0 && out->ruf_count == 0)
		out->fo = DMARC_FO_ALL; /* means nothing without ruf, section 4.7 */
	return 1;
}
