#include "policy/admin_check.h"

#include "auth/password.h"
#include "base/net.h"
#include "base/utf8.h"
#include "dns/dns.h"

#include <stdarg.h>
#include <stdio.h>

void admin_problem(struct admin_problems *problems, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (problems->count == ADMIN_PROBLEMS_MAX)
		return; /* enough to begin with */
	problems->at[problems->count].field = field;
	va_start(ap, fmt);
	(void)vsnprintf(problems->at[problems->count].text,
		sizeof(problems->at[problems->count].text), fmt, ap);
	va_end(ap);
	problems->count++;
}

/* For use in a sentence: short, and without what would spoil a line. */
static const char *shown(struct arena *a, struct str text)
{
	char *p;

	if (text.len > 80)
		return arena_printf(a, "%.40s...", arena_strdup(a, (struct str){text.p, 40}));
	p = arena_strdup(a, text);
	for (size_t i = 0; i < text.len; i++) {
		if ((p[i] >= 0 && p[i] < ' ') || p[i] == 0x7f)
			p[i] = '?';
	}
	return p;
}

/* An error's text as a sentence. */
static void reason_problem(
	struct admin_problems *problems, const char *field, const struct err *why)
{
	char first = why->text[0];

	if (first >= 'a' && first <= 'z')
		first = (char)(first - 'a' + 'A');
	admin_problem(problems, field, "%c%s.", first ? first : '?', first ? why->text + 1 : "");
}

static bool last_label_is_number(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *label = dot ? dot + 1 : name;

	return label[strspn(label, "0123456789")] == '\0';
}

struct str admin_domain_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems)
{
	char ascii[DNS_NAME_MAX];
	struct err why;
	struct ip ip;

	text = str_trim(text);
	if (text.len == 0)
		admin_problem(problems, field, "Enter a domain name, for example example.org.");
	else if (ip_parse(text, &ip))
		admin_problem(problems, field,
			"%s is an IP address; a domain name is needed, for example example.org.",
			shown(a, text));
	else if (memchr(text.p, '@', text.len) != NULL)
		admin_problem(problems, field,
			"%s is an email address; only the part after the \"@\" is needed.",
			shown(a, text));
	else if (dns_name_to_ascii(text, ascii, &why) < 0)
		reason_problem(problems, field, &why);
	else if (strchr(ascii, '_') != NULL || last_label_is_number(ascii))
		admin_problem(
			problems, field, "%s is not a domain that can have mail.", shown(a, text));
	else
		return arena_str(a, str_from(ascii));
	return text;
}

struct str admin_pattern_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems)
{
	struct str rest, ascii;

	text = str_trim(text);
	if (text.len == 0 || str_eq(text, STR("*")))
		return (struct str){"", 0};
	if (str_starts(text, STR("*.")))
		text = str_skip(text, 1); /* what people write for the same */
	if (text.p[0] != '.')
		return admin_domain_check(a, text, field, problems);
	rest = str_skip(text, 1);
	if (rest.len == 0) {
		admin_problem(problems, field,
			"After the dot a domain is missing; leave the field empty for any domain.");
		return text;
	}
	ascii = admin_domain_check(a, rest, field, problems);
	return str_from(arena_printf(a, ".%.*s", STR_FMT(ascii)));
}

struct str admin_name_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems)
{
	char *p;

	text = str_trim(text);
	p = arena_strdup(a, text);
	str_lower(p, text.len);
	if (text.len == 0) {
		admin_problem(problems, field, "Enter a name.");
		return text;
	}
	if (text.len > ADMIN_NAME_MAX)
		admin_problem(problems, field, "At most %d characters.", ADMIN_NAME_MAX);
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(p[i]) && strchr("._-", p[i]) == NULL) {
			admin_problem(problems, field,
				"%s: a name has letters a to z, digits, \".\", \"_\" and \"-\".",
				shown(a, text));
			break;
		}
	}
	if (!ascii_is_alnum(p[0]))
		admin_problem(problems, field, "A name begins with a letter or digit.");
	return (struct str){p, text.len};
}

struct str admin_text_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems)
{
	text = str_trim(text);
	if (text.len > ADMIN_TEXT_MAX)
		admin_problem(problems, field, "At most %d octets.", ADMIN_TEXT_MAX);
	if (!utf8_valid(text))
		admin_problem(problems, field, "This is not valid UTF-8.");
	for (size_t i = 0; i < text.len; i++) {
		if ((text.p[i] >= 0 && text.p[i] < ' ') || text.p[i] == 0x7f) {
			admin_problem(problems, field, "One line of text, without controls.");
			break;
		}
	}
	return arena_str(a, text);
}

/* Lower case is for ASCII; other scripts are stored as given. */
static struct str localpart_normal(
	struct arena *a, struct str text, const struct store_domain *domain)
{
	char *p = arena_strdup(a, text);

	if (!domain->case_sensitive)
		str_lower(p, text.len);
	return (struct str){p, text.len};
}

struct str admin_localpart_check(struct arena *a, struct str text,
	const struct store_domain *domain, struct admin_problems *problems)
{
	struct message_address addr;
	struct str local = text;
	struct err why;

	text = str_trim(text);
	if (text.len == 0)
		return (struct str){"", 0};
	if (text.p[0] != '"' && memchr(text.p, '@', text.len) != NULL) {
		admin_problem(problems, "localpart",
			"Only the part before the \"@\" is needed: the domain is %.*s.",
			STR_FMT(domain->name));
		return text;
	}
	local = str_from(arena_printf(a, "%.*s@%.*s", STR_FMT(text), STR_FMT(domain->name)));
	if (message_address_parse(a, local, &addr, &why) < 0) {
		admin_problem(problems, "localpart", "%s cannot be the part before the \"@\": %s.",
			shown(a, text), why.text);
		return text;
	}
	if (addr.localpart.len > ADMIN_LOCALPART_MAX)
		admin_problem(problems, "localpart",
			"At most %d octets: more is not taken everywhere.", ADMIN_LOCALPART_MAX);
	if (domain->separator.len == 1 &&
		memchr(addr.localpart.p, domain->separator.p[0], addr.localpart.len) != NULL)
		admin_problem(problems, "localpart",
			"\"%c\" is the separator of %.*s: mail to %s goes to the part before it, "
			"so this address would never be used.",
			domain->separator.p[0], STR_FMT(domain->name), shown(a, text));
	return localpart_normal(a, addr.localpart, domain);
}

void admin_separator_check(struct str separator, struct admin_problems *problems)
{
	if (separator.len > 1 ||
		(separator.len == 1 && (separator.p[0] == '\0' || strchr("!#$%&'*+-/=?^_`{|}~",
									  separator.p[0]) == NULL)))
		admin_problem(problems, "separator",
			"The separator is a single character, usually \"+\", or nothing.");
}

bool admin_member_parse(
	struct arena *a, struct str text, struct str *member, struct admin_problems *problems)
{
	struct message_address addr;
	char ascii[DNS_NAME_MAX];
	struct err why;

	if (message_address_parse(a, text, &addr, &why) < 0) {
		admin_problem(
			problems, "members", "%s is not an address: %s.", shown(a, text), why.text);
		return false;
	}
	if (addr.domain.p[0] == '[') {
		admin_problem(problems, "members",
			"%s: members need a domain name, not an IP address.", shown(a, text));
		return false;
	}
	if (dns_name_to_ascii(addr.domain, ascii, &why) < 0) {
		reason_problem(problems, "members", &why);
		return false;
	}
	addr.domain = str_from(ascii);
	*member = message_address_write(a, &addr);
	return true;
}

struct str admin_cidr_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems)
{
	char ip[IP_TEXT];
	struct cidr cidr;
	struct err why;

	text = str_trim(text);
	if (text.len == 0) {
		admin_problem(problems, field,
			"Enter a network, for example 10.0.0.0/8, or a "
			"single address.");
		return text;
	}
	if (cidr_parse(text, &cidr, &why) < 0) {
		admin_problem(problems, field, "%s.", why.text);
		return text;
	}
	if (cidr.bits == 0) {
		admin_problem(problems, field,
			"%s is the whole internet: everybody could relay through this server.",
			shown(a, text));
		return text;
	}
	(void)ip_text(&cidr.ip, ip);
	if (cidr.bits == cidr.ip.len * 8u)
		return arena_str(a, str_from(ip));
	return str_from(arena_printf(a, "%s/%u", ip, cidr.bits));
}

void admin_password_check(struct str password, const char *field, struct admin_problems *problems)
{
	if (password.len < PASSWORD_MIN)
		admin_problem(
			problems, field, "A password has at least %d characters.", PASSWORD_MIN);
	else if (password.len > PASSWORD_MAX)
		admin_problem(problems, field, "A password has at most %d octets.", PASSWORD_MAX);
}

/* What goes to the other server in AUTH; NUL would end it early. */
static void login_check(struct str text, const char *field, struct admin_problems *problems)
{
	if (text.len > ADMIN_LOGIN_MAX)
		admin_problem(problems, field, "At most %d octets.", ADMIN_LOGIN_MAX);
	for (size_t i = 0; i < text.len; i++) {
		if ((text.p[i] >= 0 && text.p[i] < ' ') || text.p[i] == 0x7f) {
			admin_problem(problems, field, "This has a control character in it.");
			return;
		}
	}
}

void admin_relay_check(struct arena *a, struct store_relay *relay, struct admin_problems *problems)
{
	struct store_relay parsed = {.host_count = 0};

	/* Hosts may be raw input; those parsed already pass unchanged. */
	for (size_t i = 0; i < relay->host_count; i++)
		admin_relay_hosts_parse(a, relay->hosts[i], &parsed, "relay_hosts",
			relay->protocol == STORE_PROTOCOL_LMTP ? 24 : 25, problems);
	memcpy(relay->hosts, parsed.hosts, sizeof(relay->hosts));
	relay->host_count = parsed.host_count;

	login_check(relay->username, "relay_username", problems);
	login_check(relay->password, "relay_password", problems);
	if (relay->username.len == 0 && relay->password.len > 0)
		admin_problem(problems, "relay_username",
			"There is a password, but no user name that it belongs to.");
	if (relay->username.len > 0 && relay->password.len == 0)
		admin_problem(problems, "relay_password",
			"There is a user name, but no password for it.");
	if (relay->username.len > 0 && relay->tls == STORE_TLS_NONE)
		admin_problem(problems, "relay_tls",
			"Without TLS the password would be sent for all to read.");
}

/* One "host:port" in normal form into relay; silent when it is there already. */
static void host_add(struct arena *a, struct str text, struct store_relay *relay, const char *field,
	unsigned default_port, struct admin_problems *problems)
{
	char ascii[DNS_NAME_MAX], ip_form[IP_TEXT];
	struct str host, normal;
	struct err why;
	struct ip ip;
	unsigned port;

	if (hostport_parse(text, default_port, &host, &port, &why) < 0) {
		reason_problem(problems, field, &why);
		return;
	}
	if (ip_parse(host, &ip))
		normal = str_from(arena_printf(
			a, ip.len == 16 ? "[%s]:%u" : "%s:%u", ip_text(&ip, ip_form), port));
	else if (dns_name_to_ascii(host, ascii, &why) < 0) {
		reason_problem(problems, field, &why);
		return;
	} else
		normal = str_from(arena_printf(a, "%s:%u", ascii, port));
	for (size_t i = 0; i < relay->host_count; i++) {
		if (str_eq(relay->hosts[i], normal))
			return;
	}
	if (relay->host_count == STORE_RELAY_HOSTS_MAX)
		admin_problem(problems, field, "At most %d servers.", STORE_RELAY_HOSTS_MAX);
	else
		relay->hosts[relay->host_count++] = normal;
}

void admin_relay_hosts_parse(struct arena *a, struct str text, struct store_relay *relay,
	const char *field, unsigned default_port, struct admin_problems *problems)
{
	struct str line, item;

	while (str_next(&text, '\n', &line)) {
		while (str_next(&line, ',', &item)) {
			while (item.len > 0 && item.p[item.len - 1] == '\r')
				item.len--;
			item = str_trim(item);
			if (item.len > 0)
				host_add(a, item, relay, field, default_port, problems);
		}
	}
}
