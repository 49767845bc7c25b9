/* What a trusted sealer's ARC-Authentication-Results say (RFC 8601 section 2.2):
 *
 *	authserv-id [ CFWS version ] *( ";" method [ "/" version ] "=" result *( propspec ) )
 */
#include "auth/dkim_priv.h"

enum { PART_MAX = 2000 }; /* octets of one ";" part that are looked at */

/* The next part without comments and quotes, white space as single spaces and none around
 * "=". False at the end. */
static bool part_next(struct str *rest, char *out, size_t size, struct str *part)
{
	unsigned depth = 0;
	bool quoted = false, space = false;
	size_t n = 0;

	if (rest->len == 0)
		return false;
	while (rest->len > 0) {
		char c = rest->p[0];
		*rest = str_skip(*rest, 1);
		if (c == '\\' && (quoted || depth > 0) && rest->len > 0) {
			c = rest->p[0];
			*rest = str_skip(*rest, 1);
			if (depth > 0)
				continue;
		} else if (c == '"' && depth == 0) {
			quoted = !quoted;
			continue;
		} else if (c == '(' && !quoted) {
			depth++;
			continue;
		} else if (c == ')' && depth > 0) {
			depth--;
			space = true;
			continue;
		} else if (depth > 0) {
			continue;
		} else if (c == ';' && !quoted) {
			break;
		}
		if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
			space = true;
			continue;
		}
		if (space && n > 0 && n < size && c != '=' && out[n - 1] != '=')
			out[n++] = ' ';
		space = false;
		if (n < size)
			out[n++] = c;
	}
	*part = str_trim((struct str){out, n});
	return true;
}

/* Is it "dmarc=pass", for this From domain? */
static bool part_vouches(struct str part, struct str from_domain)
{
	struct str word, name, value, method, version;
	bool first = true, ok = false;

	while (str_next(&part, ' ', &word)) {
		if (!str_split(word, '=', &name, &value))
			continue;
		if (first) {
			if (str_split(name, '/', &method, &version))
				name = method;
			ok = str_eq_nocase(name, STR("dmarc")) && str_eq_nocase(value, STR("pass"));
		} else if (str_eq_nocase(name, STR("header.from"))) {
			char ascii[DNS_NAME_MAX];
			struct err err;
			if (dns_name_to_ascii(value, ascii, &err) < 0 ||
				!str_eq_nocase(str_from(ascii), from_domain))
				ok = false;
		}
		first = false;
	}
	return ok;
}

static bool listed(struct str domain, const struct str *sealers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str s = sealers[i];
		if (s.len > 0 && str_ends(domain, s) &&
			(domain.len == s.len || domain.p[domain.len - s.len - 1] == '.'))
			return true;
	}
	return false;
}

int arc_result_vouches(const struct arc_result *r, const struct str *sealers, size_t sealer_count,
	struct str from_domain, const struct arc_set **set)
{
	char text[PART_MAX];
	struct str part;

	if (r->status != ARC_PASS)
		return 0;
	for (size_t i = 0; i < r->count && listed(r->sets[i].sealer, sealers, sealer_count); i++) {
		struct str rest = r->sets[i].results;
		bool id = true;
		while (part_next(&rest, text, sizeof(text), &part)) {
			/* The first part names who says it. */
			if (!id && part_vouches(part, from_domain)) {
				*set = &r->sets[i];
				return 1;
			}
			id = false;
		}
	}
	return 0;
}
