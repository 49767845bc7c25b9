/* The SPF record, RFC 7208 section 4.5, 4.6.1, 5 and 6:
 *
 *   record           = version terms *SP
 *   version          = "v=spf1"
 *   terms            = *( 1*SP ( directive / modifier ) )
 *   directive        = [ qualifier ] mechanism
 *   qualifier        = "+" / "-" / "?" / "~"
 *   mechanism        = all / include / a / mx / ptr / ip4 / ip6 / exists
 *   all              = "all"
 *   include          = "include"  ":" domain-spec
 *   a                = "a"        [ ":" domain-spec ] [ dual-cidr-length ]
 *   mx               = "mx"       [ ":" domain-spec ] [ dual-cidr-length ]
 *   ptr              = "ptr"      [ ":" domain-spec ]
 *   ip4              = "ip4"      ":" ip4-network   [ ip4-cidr-length ]
 *   ip6              = "ip6"      ":" ip6-network   [ ip6-cidr-length ]
 *   exists           = "exists"   ":" domain-spec
 *   modifier         = redirect / explanation / unknown-modifier
 *   redirect         = "redirect" "=" domain-spec
 *   explanation      = "exp" "=" domain-spec
 *   unknown-modifier = name "=" macro-string
 *   ip4-cidr-length  = "/" ("0" / %x31-39 0*1DIGIT)      ; 0 to 32
 *   ip6-cidr-length  = "/" ("0" / %x31-39 0*2DIGIT)      ; 0 to 128
 *   dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]
 *   name             = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )
 *
 * All of it is case-insensitive. A modifier is told from a directive by the "=" right after
 * its name; a known modifier with bad contents is an error and not an unknown modifier. */
#include "auth/spf_priv.h"

#include <arpa/inet.h>

bool spf_record_is(struct str txt)
{
	return str_starts_nocase(txt, STR("v=spf1")) && (txt.len == 6 || txt.p[6] == ' ');
}

static size_t name_length(struct str term)
{
	size_t n = 0;

	if (term.len == 0 || !ascii_is_alnum(term.p[0]) || ascii_is_digit(term.p[0]))
		return 0;
	while (n < term.len && (ascii_is_alnum(term.p[n]) || term.p[n] == '-' || term.p[n] == '_' ||
				       term.p[n] == '.'))
		n++;
	return n;
}

/* Takes "/N" or "//N" off the end of text; slashes says which. 1 taken, 0 there is none, -1. */
static int cidr_take(
	struct str *text, size_t slashes, unsigned max, unsigned *bits, struct err *err)
{
	size_t digits = 0;
	uint64_t value;

	while (digits < text->len && ascii_is_digit(text->p[text->len - 1 - digits]))
		digits++;
	size_t at = text->len - digits;
	if (digits == 0 || at < slashes || text->p[at - 1] != '/')
		return 0;
	if ((at > 1 && text->p[at - 2] == '/') != (slashes == 2))
		return 0;
	struct str number = str_skip(*text, at);
	if (!str_to_u64(number, max, &value) || (number.len > 1 && number.p[0] == '0'))
		return err_set(err, ERR_PERM, "bad prefix length /%.*s", STR_FMT(number));
	*bits = (unsigned)value;
	text->len = at - slashes;
	return 1;
}

/* [ ":" domain-spec ] or ":" domain-spec. */
static int domain_spec_parse(struct str rest, struct spf_term *term, struct err *err)
{
	if (rest.len == 0 && term->mechanism != SPF_INCLUDE && term->mechanism != SPF_EXISTS)
		return 0;
	if (rest.len == 0 || rest.p[0] != ':')
		return err_set(err, ERR_PERM, "%s",
			rest.len == 0 ? "needs a domain" : "only \":\" and a domain may follow");
	term->domain_spec = str_skip(rest, 1);
	return spf_macro_check(term->domain_spec, SPF_TEXT_DOMAIN, err);
}

static int a_mx_parse(struct str rest, struct spf_term *term, struct err *err)
{
	if (cidr_take(&rest, 2, 128, &term->bits6, err) < 0 ||
		cidr_take(&rest, 1, 32, &term->bits4, err) < 0)
		return -1;
	return domain_spec_parse(rest, term, err);
}

/* Not ip_parse: an IPv4-mapped network stays one of IPv6, which no client matches. */
static int ip_term_parse(struct str rest, struct spf_term *term, struct err *err)
{
	bool v4 = term->mechanism == SPF_IP4;
	unsigned *bits = v4 ? &term->bits4 : &term->bits6;
	char text[IP_TEXT];

	if (rest.len == 0 || rest.p[0] != ':')
		return err_set(err, ERR_PERM, "needs an address");
	rest = str_skip(rest, 1);
	if (cidr_take(&rest, 1, v4 ? 32 : 128, bits, err) < 0)
		return -1;
	if (!str_copy(text, sizeof(text), rest) ||
		inet_pton(v4 ? AF_INET : AF_INET6, text, term->ip.bytes) != 1)
		return err_set(err, ERR_PERM, "\"%.*s\" is not an %s address", STR_FMT(rest),
			v4 ? "IPv4" : "IPv6");
	term->ip.len = v4 ? 4 : 16;
	return 0;
}

static const struct {
	const char *name;
	enum spf_mechanism mechanism;
} mechanisms[] = {{"all", SPF_ALL}, {"include", SPF_INCLUDE}, {"a", SPF_A}, {"mx", SPF_MX},
	{"ptr", SPF_PTR}, {"ip4", SPF_IP4}, {"ip6", SPF_IP6}, {"exists", SPF_EXISTS}};

static bool mechanism_find(struct str name, enum spf_mechanism *mechanism)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		if (str_eq_nocase(name, str_from(mechanisms[i].name))) {
			*mechanism = mechanisms[i].mechanism;
			return true;
		}
	}
	return false;
}

static int directive_parse(struct str text, struct spf_term *term, struct err *err)
{
	static const char qualifiers[] = "+-~?";
	static const enum spf_result results[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
	struct str rest = text;
	const char *q = memchr(qualifiers, text.p[0], sizeof(qualifiers) - 1);

	*term = (struct spf_term){.text = text, .domain_spec = {"", 0}, .bits4 = 32, .bits6 = 128};
	term->qualifier = q != NULL ? results[q - qualifiers] : SPF_PASS;
	if (q != NULL)
		rest = str_skip(rest, 1);
	struct str name = {rest.p, name_length(rest)};
	rest = str_skip(rest, name.len);
	if (!mechanism_find(name, &term->mechanism))
		return err_set(err, ERR_PERM, "no such mechanism");
	switch (term->mechanism) {
	case SPF_ALL:
		return rest.len == 0 ? 0 : err_set(err, ERR_PERM, "nothing may follow \"all\"");
	case SPF_A:
	case SPF_MX:
		return a_mx_parse(rest, term, err);
	case SPF_INCLUDE:
	case SPF_EXISTS:
	case SPF_PTR:
		return domain_spec_parse(rest, term, err);
	case SPF_IP4:
	case SPF_IP6:
		return ip_term_parse(rest, term, err);
	}
	return 0;
}

static int modifier_parse(struct str text, size_t name_len, struct spf_record *out, struct err *err)
{
	struct str name = {text.p, name_len}, value = str_skip(text, name_len + 1);
	struct str *known = str_eq_nocase(name, STR("redirect")) ? &out->redirect
			    : str_eq_nocase(name, STR("exp"))    ? &out->explain
								 : NULL;

	if (known == NULL) {
		out->unknown[out->unknown_count++] = text;
		return spf_macro_check(value, SPF_TEXT_MACRO, err);
	}
	if (known->len > 0)
		return err_set(err, ERR_PERM, "there twice");
	*known = value;
	return spf_macro_check(value, SPF_TEXT_DOMAIN, err);
}

/* Sets the text of a bad term before the reason. */
static int term_error(struct str term, struct err *err)
{
	enum { SHOWN = 100 };

	if (term.len > SHOWN)
		term.len = SHOWN;
	return err_prefix(err, "\"%.*s\"", STR_FMT(term));
}

static size_t terms_count(struct str rest)
{
	struct str term;
	size_t n = 0;

	while (str_next(&rest, ' ', &term))
		n += term.len > 0;
	return n;
}

int spf_record_parse(struct arena *arena, struct str txt, struct spf_record *out, struct err *err)
{
	struct str rest, term;

	*out = (struct spf_record){.redirect = {"", 0}, .explain = {"", 0}};
	if (!spf_record_is(txt))
		return err_set(err, ERR_PERM, "it does not begin with \"v=spf1\" and a space");
	rest = str_skip(txt, 6);
	size_t count = terms_count(rest);
	if (txt.len > SPF_RECORD_MAX || count > SPF_TERMS_MAX)
		return err_set(err, ERR_PERM, "it has over %d terms or %d octets", SPF_TERMS_MAX,
			SPF_RECORD_MAX);
	out->terms = arena_alloc(arena, (count + 1) * sizeof(*out->terms));
	out->unknown = arena_alloc(arena, (count + 1) * sizeof(*out->unknown));
	while (str_next(&rest, ' ', &term)) {
		if (term.len == 0)
			continue;
		size_t n = name_length(term);
		int rc = n > 0 && n < term.len && term.p[n] == '='
				 ? modifier_parse(term, n, out, err)
				 : directive_parse(term, &out->terms[out->term_count++], err);
		if (rc < 0)
			return term_error(term, err);
	}
	return 0;
}
