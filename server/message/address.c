/* Mailbox        = Local-part "@" ( Domain / address-literal )      RFC 5321 4.1.2, 6531 3.3
 * Local-part     = Dot-string / Quoted-string
 * Dot-string     = Atom *( "." Atom )
 * Quoted-string  = DQUOTE *( qtextSMTP / "\" %d32-126 ) DQUOTE
 * Domain         = sub-domain *( "." sub-domain )    letters, digits, "-", and UTF-8 beyond ASCII
 * address-literal = "[" ( IPv4 / "IPv6:" IPv6 ) "]"  */
#include "message/message.h"

#include "base/net.h"
#include "base/utf8.h"

static bool is_atext(char c)
{
	return (unsigned char)c >= 0x80 || ascii_is_alnum(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* The length of the Dot-string that text begins with; 0 when there is none. */
static size_t dot_string_length(struct str text)
{
	size_t n = 0;

	while (n < text.len && is_atext(text.p[n])) {
		while (n < text.len && is_atext(text.p[n]))
			n++;
		if (n + 1 >= text.len || text.p[n] != '.' || !is_atext(text.p[n + 1]))
			break;
		n++;
	}
	return n;
}

bool message_localpart_is_atom(struct str text)
{
	return text.len > 0 && dot_string_length(text) == text.len;
}

/* Reads the quoted string that text begins with; *used is its length with the quotes. */
static int quoted_parse(
	struct arena *a, struct str text, struct str *out, size_t *used, struct err *err)
{
	size_t n = 0, i = 1;
	char *copy = arena_alloc(a, text.len + 1);

	while (i < text.len && text.p[i] != '"') {
		if (text.p[i] == '\\')
			i++;
		if (i >= text.len || (text.p[i] >= 0 && text.p[i] < ' ') || text.p[i] == 0x7f)
			return err_set(err, ERR_PERM, "bad character in the quoted local part");
		copy[n++] = text.p[i++];
	}
	if (i >= text.len)
		return err_set(err, ERR_PERM, "quote is not closed");
	*out = (struct str){copy, n};
	*used = i + 1;
	return 0;
}

static int literal_check(struct str text, struct err *err)
{
	struct str inner;
	struct ip ip;

	if (text.len < 2 || text.p[text.len - 1] != ']')
		return err_set(err, ERR_PERM, "address literal is not closed by \"]\"");
	inner = (struct str){text.p + 1, text.len - 2};
	if (str_starts_nocase(inner, STR("IPv6:"))) {
		inner = str_skip(inner, 5);
		if (memchr(inner.p, ':', inner.len) != NULL && ip_parse(inner, &ip))
			return 0;
	} else if (ip_parse(inner, &ip) && memchr(inner.p, ':', inner.len) == NULL)
		return 0;
	return err_set(
		err, ERR_PERM, "address literal is neither [IPv4] nor [IPv6:IPv6], as [192.0.2.1]");
}

static int domain_check(struct str text, struct err *err)
{
	struct str label;

	if (text.len == 0)
		return err_set(err, ERR_PERM, "nothing after the \"@\"");
	if (text.len > MESSAGE_DOMAIN_MAX)
		return err_set(err, ERR_PERM, "domain is over %d octets", MESSAGE_DOMAIN_MAX);
	if (text.p[0] == '[')
		return literal_check(text, err);
	while (str_next(&text, '.', &label)) {
		if (label.len == 0)
			return err_set(
				err, ERR_PERM, "domain has an empty label or a dot at its end");
		if (label.p[0] == '-' || label.p[label.len - 1] == '-')
			return err_set(
				err, ERR_PERM, "a label of the domain begins or ends with \"-\"");
		for (size_t i = 0; i < label.len; i++) {
			char c = label.p[i];

			if ((unsigned char)c < 0x80 && !ascii_is_alnum(c) && c != '-')
				return err_set(err, ERR_PERM, "bad character in the domain");
		}
	}
	return 0;
}

int message_address_parse(
	struct arena *a, struct str text, struct message_address *out, struct err *err)
{
	size_t used = 0;

	*out = (struct message_address){.quoted = false};
	if (text.len > 2 * MESSAGE_ADDRESS_MAX) /* every octet of the local part may be escaped */
		return err_set(err, ERR_PERM, "address is over %d octets", MESSAGE_ADDRESS_MAX);
	if (!str_is_ascii(text)) {
		if (!utf8_valid(text))
			return err_set(err, ERR_PERM, "address is not valid UTF-8");
		out->utf8 = true;
	}
	if (text.len > 0 && text.p[0] == '"') {
		if (quoted_parse(a, text, &out->localpart, &used, err) < 0)
			return -1;
	} else {
		used = dot_string_length(text);
		out->localpart = (struct str){text.p, used};
	}
	if (out->localpart.len == 0)
		return err_set(err, ERR_PERM, "address has no local part");
	if (out->localpart.len > MESSAGE_LOCALPART_MAX)
		return err_set(
			err, ERR_PERM, "local part is over %d octets", MESSAGE_LOCALPART_MAX);
	if (used >= text.len)
		return err_set(err, ERR_PERM, "address has no \"@\"");
	if (text.p[used] != '@')
		return err_set(err, ERR_PERM, "bad character in the local part");
	out->domain = str_skip(text, used + 1);
	out->quoted = !message_localpart_is_atom(out->localpart);
	return domain_check(out->domain, err);
}

struct str message_address_write(struct arena *a, const struct message_address *addr)
{
	struct str local = addr->localpart;
	char *out = arena_alloc(a, 2 * local.len + addr->domain.len + 4);
	size_t n = 0;
	bool quote = !message_localpart_is_atom(local);

	if (quote)
		out[n++] = '"';
	for (size_t i = 0; i < local.len; i++) {
		if (quote && (local.p[i] == '"' || local.p[i] == '\\'))
			out[n++] = '\\';
		out[n++] = local.p[i];
	}
	if (quote)
		out[n++] = '"';
	out[n++] = '@';
	if (addr->domain.len > 0)
		memcpy(out + n, addr->domain.p, addr->domain.len);
	return (struct str){out, n + addr->domain.len};
}
