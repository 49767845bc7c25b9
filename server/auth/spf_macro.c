/* Macro strings of SPF, RFC 7208 section 7.1:
 *
 *   domain-spec      = macro-string domain-end
 *   domain-end       = ( "." toplabel [ "." ] ) / macro-expand
 *   toplabel         = ( *alphanum ALPHA *alphanum )
 *                    / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
 *   explain-string   = *( macro-string / SP )
 *   macro-string     = *( macro-expand / macro-literal )
 *   macro-expand     = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
 *   macro-literal    = %x21-24 / %x26-7E
 *   macro-letter     = "s" / "l" / "o" / "d" / "i" / "p" / "h" / "c" / "r" / "t" / "v"
 *   transformers     = *DIGIT [ "r" ]
 *   delimiter        = "." / "-" / "+" / "," / "/" / "_" / "="
 *
 * Letters are case-insensitive; an upper-case one has its value URL-escaped. */
#include "auth/spf_priv.h"

#include <stdio.h>

enum { PARTS_MAX = 128, NAME_OCTETS_MAX = 253, DIGITS_MAX = 1000 };

static const char delimiters[] = ".-+,/_=";

/* One token of a macro string. */
struct macro {
	char literal;  /* the character itself when letter is 0 */
	char letter;   /* lower case; '%', '_' and '-' for the three short forms */
	bool escape;   /* it was upper case */
	unsigned keep; /* right-hand parts; 0: all */
	bool reverse;
	struct str splitters; /* empty: "." */
};

static bool is_one_of(const char *set, char c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static int braces_next(struct str *rest, struct macro *m, struct err *err)
{
	struct str in = str_skip(*rest, 2);
	bool digits = false;

	if (in.len == 0)
		return err_set(err, ERR_PERM, "\"%%{\" is not closed");
	m->letter = ascii_lower(in.p[0]);
	m->escape = in.p[0] != m->letter;
	if (!is_one_of("slodiphcrtv", m->letter))
		return err_set(err, ERR_PERM, "\"%%{%c\" is not a macro", in.p[0]);
	in = str_skip(in, 1);
	for (; in.len > 0 && ascii_is_digit(in.p[0]); in = str_skip(in, 1)) {
		digits = true;
		if (m->keep < DIGITS_MAX)
			m->keep = m->keep * 10 + (unsigned)(in.p[0] - '0');
	}
	if (digits && m->keep == 0)
		return err_set(err, ERR_PERM, "a macro that keeps 0 parts");
	if (in.len > 0 && ascii_lower(in.p[0]) == 'r') {
		m->reverse = true;
		in = str_skip(in, 1);
	}
	m->splitters = (struct str){in.p, 0};
	while (in.len > 0 && is_one_of(delimiters, in.p[0])) {
		m->splitters.len++;
		in = str_skip(in, 1);
	}
	if (in.len == 0 || in.p[0] != '}')
		return err_set(err, ERR_PERM,
			in.len == 0 ? "\"%%{\" is not closed" : "a bad character inside \"%%{}\"");
	*rest = str_skip(in, 1);
	return 1;
}

/* 1 a token, 0 the end, -1 bad syntax. */
static int macro_next(struct str *rest, enum spf_text kind, struct macro *m, struct err *err)
{
	*m = (struct macro){.splitters = {"", 0}};
	if (rest->len == 0)
		return 0;
	char c = rest->p[0];
	if (c != '%') {
		if ((c <= ' ' || c > '~') && !(c == ' ' && kind == SPF_TEXT_EXPLAIN))
			return err_set(
				err, ERR_PERM, "octet 0x%02x is not allowed", (unsigned char)c);
		m->literal = c;
		*rest = str_skip(*rest, 1);
		return 1;
	}
	char form = rest->len > 1 ? rest->p[1] : '\0';
	if (form == '{') {
		if (braces_next(rest, m, err) < 0)
			return -1;
		if (kind != SPF_TEXT_EXPLAIN && is_one_of("crt", m->letter))
			return err_set(
				err, ERR_PERM, "macro \"%c\" is only for explanations", m->letter);
		return 1;
	}
	if (form != '%' && form != '_' && form != '-')
		return err_set(err, ERR_PERM,
			"\"%%\" must be followed by \"{\", \"%%\", \"_\" "
			"or \"-\"");
	m->letter = form;
	*rest = str_skip(*rest, 2);
	return 1;
}

/* The text after the last macro of a domain-spec: ".example.org", "example.org." */
static int domain_end_check(struct str tail, struct err *err)
{
	bool digits_only = true;
	size_t at;

	if (tail.p[tail.len - 1] == '.')
		tail.len--;
	for (at = tail.len; at > 0 && tail.p[at - 1] != '.'; at--)
		;
	struct str top = str_skip(tail, at);
	if (at == 0)
		return err_set(err, ERR_PERM, "a domain of one label");
	if (top.len == 0)
		return err_set(err, ERR_PERM, "the domain ends with an empty label");
	for (size_t i = 0; i < top.len; i++) {
		bool inside = i > 0 && i + 1 < top.len;
		if (!ascii_is_alnum(top.p[i]) && !(top.p[i] == '-' && inside))
			return err_set(err, ERR_PERM, "\"%.*s\" is no top label", STR_FMT(top));
		digits_only = digits_only && ascii_is_digit(top.p[i]);
	}
	if (digits_only)
		return err_set(err, ERR_PERM,
			"the top label \"%.*s\" is a number (addresses are given with ip4 or ip6)",
			STR_FMT(top));
	return 0;
}

int spf_macro_check(struct str text, enum spf_text kind, struct err *err)
{
	struct str rest = text, tail = text;
	struct macro m;
	int rc;

	if (kind == SPF_TEXT_DOMAIN && text.len == 0)
		return err_set(err, ERR_PERM, "the domain is empty");
	while ((rc = macro_next(&rest, kind, &m, err)) > 0) {
		if (m.letter != '\0')
			tail = rest;
	}
	if (rc < 0)
		return -1;
	if (kind != SPF_TEXT_DOMAIN || tail.len == 0)
		return 0;
	return domain_end_check(tail, err);
}

bool spf_macro_has_p(struct str text)
{
	struct err err;
	struct macro m;

	while (macro_next(&text, SPF_TEXT_EXPLAIN, &m, &err) > 0) {
		if (m.letter == 'p')
			return true;
	}
	return false;
}

/* --- expansion --- */

/* Section 7.3: dotted, one nibble a part for IPv6. Upper case, as the public test suite
 * shows it. */
static void ip_dotted(const struct ip *ip, struct buf *out)
{
	for (size_t i = 0; i < ip->len; i++) {
		const char *dot = i > 0 ? "." : "";
		if (ip->len == 4)
			buf_printf(out, "%s%u", dot, ip->bytes[i]);
		else
			buf_printf(out, "%s%X.%X", dot, ip->bytes[i] >> 4, ip->bytes[i] & 15u);
	}
}

static void value_write(char letter, const struct spf_macro_values *v, struct buf *out)
{
	char text[IP_TEXT];

	switch (letter) {
	case 's':
		buf_raw(out, v->sender);
		break;
	case 'l':
		buf_raw(out, v->local);
		break;
	case 'o':
		buf_raw(out, v->sender_domain);
		break;
	case 'd':
		buf_raw(out, v->domain);
		break;
	case 'i':
		ip_dotted(&v->ip, out);
		break;
	case 'p':
		buf_raw(out, v->validated);
		break;
	case 'h':
		buf_raw(out, v->helo);
		break;
	case 'c':
		buf_text(out, ip_text(&v->ip, text));
		break;
	case 'r':
		buf_raw(out, v->receiver.len > 0 ? v->receiver : STR("unknown"));
		break;
	case 't':
		buf_printf(out, "%lld", (long long)v->now_unix_s);
		break;
	case 'v':
		buf_text(out, v->ip.len == 4 ? "in-addr" : "ip6");
		break;
	default:
		break;
	}
}

/* Splits at runs of splitters. When there are more parts than room the last one keeps the
 * rest; more than 127 parts need not be known (section 7.3). */
static size_t parts_split(struct str value, struct str splitters, struct str parts[PARTS_MAX])
{
	size_t count = 0, from = 0, i = 0;

	while (i < value.len && count + 1 < PARTS_MAX) {
		if (memchr(splitters.p, value.p[i], splitters.len) == NULL) {
			i++;
			continue;
		}
		parts[count++] = (struct str){value.p + from, i - from};
		while (i < value.len && memchr(splitters.p, value.p[i], splitters.len) != NULL)
			i++;
		from = i;
	}
	parts[count++] = str_skip(value, from);
	return count;
}

static void transformed_write(const struct macro *m, struct str value, struct buf *out)
{
	struct str parts[PARTS_MAX];
	struct str splitters = m->splitters.len > 0 ? m->splitters : STR(".");

	if (m->keep == 0 && !m->reverse && m->splitters.len == 0) {
		buf_raw(out, value);
		return;
	}
	size_t count = parts_split(value, splitters, parts);
	size_t skip = m->keep > 0 && m->keep < count ? count - m->keep : 0;
	for (size_t i = skip; i < count; i++) {
		if (i > skip)
			buf_byte(out, '.');
		buf_raw(out, parts[m->reverse ? count - 1 - i : i]);
	}
}

static void macro_write(const struct macro *m, const struct spf_macro_values *v, struct buf *out)
{
	struct buf value = {NULL, 0, 0}, text = {NULL, 0, 0};

	switch (m->letter) {
	case '\0':
		buf_byte(out, m->literal);
		return;
	case '%':
		buf_byte(out, '%');
		return;
	case '_':
		buf_byte(out, ' ');
		return;
	case '-':
		buf_text(out, "%20");
		return;
	default:
		break;
	}
	value_write(m->letter, v, &value);
	transformed_write(m, buf_str(&value), &text);
	if (m->escape)
		buf_url(out, buf_str(&text));
	else
		buf_raw(out, buf_str(&text));
	buf_free(&value);
	buf_free(&text);
}

bool spf_macro_expand(struct str text, const struct spf_macro_values *v, struct buf *out)
{
	struct err err;
	struct macro m;

	while (macro_next(&text, SPF_TEXT_EXPLAIN, &m, &err) > 0) {
		macro_write(&m, v, out);
		if (out->len > SPF_EXPANDED_MAX)
			return false;
	}
	return true;
}

struct str spf_macro_name(struct str name)
{
	struct str label, rest;

	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	while (name.len > NAME_OCTETS_MAX && str_split(name, '.', &label, &rest))
		name = rest;
	return name;
}
