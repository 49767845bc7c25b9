#include "policy/lists.h"

#include "base/net.h"
#include "dns/dns.h"
#include "policy/admin_check.h"

enum { DAY_S = 86400, DAYS_MAX = 36500, VALUE_MAX = 330 };

const char *lists_list_text(enum store_list l)
{
	return l == STORE_LIST_ALLOW ? "allow" : "deny";
}

const char *lists_kind_text(enum store_list_kind k)
{
	switch (k) {
	case STORE_LIST_IP:
		return "ip";
	case STORE_LIST_DOMAIN:
		return "domain";
	case STORE_LIST_ADDRESS:
		return "address";
	}
	return "domain";
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	/* Years that begin in March, so that the day of leap years is the last. */
	y -= m <= 2;
	int64_t era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date_parse(struct str text, int64_t *day)
{
	static const unsigned char lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint64_t y, m, d;

	if (text.len != 10 || text.p[4] != '-' || text.p[7] != '-' ||
		!str_to_u64((struct str){text.p, 4}, 9999, &y) || y < 1970 ||
		!str_to_u64((struct str){text.p + 5, 2}, 12, &m) || m == 0 ||
		!str_to_u64((struct str){text.p + 8, 2}, lengths[m - 1], &d) || d == 0)
		return false;
	if (m == 2 && d == 29 && (y % 4 != 0 || (y % 100 == 0 && y % 400 != 0)))
		return false;
	*day = days_of((int64_t)y, (int64_t)m, (int64_t)d);
	return true;
}

bool lists_expiry_parse(struct str text, int64_t now_s, int64_t *expires_s)
{
	uint64_t days;
	int64_t day;

	text = str_trim(text);
	*expires_s = 0;
	if (text.len == 0)
		return true;
	if (str_to_u64(text, DAYS_MAX, &days) && days > 0) {
		*expires_s = now_s + (int64_t)days * DAY_S;
		return true;
	}
	if (!date_parse(text, &day))
		return false;
	*expires_s = (day + 1) * DAY_S;
	return true;
}

/* --- what is listed --- */

static struct str network_make(struct arena *a, const struct cidr *net)
{
	char ip[IP_TEXT];

	(void)ip_text(&net->ip, ip);
	if (net->bits == net->ip.len * 8u)
		return arena_str(a, str_from(ip));
	return str_from(arena_printf(a, "%s/%u", ip, net->bits));
}

/* A domain in A-labels; ".example.org" and "*.example.org" mean the same as "example.org". */
static bool domain_make(
	struct arena *a, struct str text, struct str *out, struct admin_problems *problems)
{
	char ascii[DNS_NAME_MAX];
	struct err why;

	if (str_starts(text, STR("*.")))
		text = str_skip(text, 2);
	else if (text.len > 1 && text.p[0] == '.')
		text = str_skip(text, 1);
	if (dns_name_to_ascii(text, ascii, &why) < 0) {
		admin_problem(problems, "value",
			"Enter an IP address, a network, a domain or an email address (%s).",
			why.text);
		return false;
	}
	*out = arena_str(a, str_from(ascii));
	return true;
}

static void address_make(struct arena *a, struct str text, size_t at, struct store_list_entry *row,
	struct admin_problems *problems)
{
	struct str local = {text.p, at}, domain;

	if (!domain_make(a, str_skip(text, at + 1), &domain, problems))
		return;
	row->kind = local.len > 0 ? STORE_LIST_ADDRESS : STORE_LIST_DOMAIN;
	if (local.len == 0) {
		row->value = domain;
		return;
	}
	char *lower = arena_strdup(a, local);
	str_lower(lower, local.len);
	row->value = str_from(arena_printf(a, "%s@%.*s", lower, STR_FMT(domain)));
}

static void value_check(
	struct arena *a, struct store_list_entry *row, struct admin_problems *problems)
{
	struct str text = str_trim(row->value);
	size_t at = text.len;
	struct cidr net;
	struct ip ip;
	struct err why;

	if (text.len == 0 || text.len > VALUE_MAX) {
		admin_problem(problems, "value",
			"Enter an IP address, a network, a domain or an email address.");
		return;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '@')
			at = i;
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 127) {
			admin_problem(problems, "value", "There may be no spaces in it.");
			return;
		}
	}
	if (at < text.len) {
		address_make(a, text, at, row, problems);
		return;
	}
	struct str head, tail;
	bool network = str_split(text, '/', &head, &tail);
	if (network || ip_parse(text, &ip)) {
		row->kind = STORE_LIST_IP;
		if (cidr_parse(text, &net, &why) < 0)
			admin_problem(problems, "value", "%s.", why.text);
		else if (net.bits == 0)
			admin_problem(problems, "value", "This is the whole internet.");
		else
			row->value = network_make(a, &net);
		return;
	}
	row->kind = STORE_LIST_DOMAIN;
	(void)domain_make(a, text, &row->value, problems);
}

int lists_value_normal(
	struct arena *a, struct str value, struct store_list_entry *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	row->value = value;
	value_check(a, row, &problems);
	return problems.count == 0 ? 0 : err_set(err, ERR_PERM, "%s", problems.at[0].text);
}

/* What the store refused becomes a problem of the field. */
static int saved(int rc, const char *field, struct admin_problems *problems, struct err *err)
{
	if (rc == 0)
		return 0;
	if (err->kind != ERR_PERM)
		return -1;
	admin_problem(problems, field, "%s.", err->text);
	return 1;
}

int lists_entry_save(struct store *s, struct arena *a, struct store_list_entry *row, int64_t now_s,
	struct admin_problems *problems, struct err *err)
{
	problems->count = 0;
	value_check(a, row, problems);
	row->comment = admin_text_check(a, row->comment, "comment", problems);
	if (row->expires_s != 0 && row->expires_s <= now_s)
		admin_problem(problems, "expires", "This is in the past.");
	if (row->id == 0)
		row->created_s = now_s;
	if (problems->count > 0)
		return 1;
	return saved(store_list_put(s, row, err), "value", problems, err);
}

int lists_zone_save(struct store *s, struct arena *a, struct store_dnsbl_zone *row,
	struct admin_problems *problems, struct err *err)
{
	problems->count = 0;
	row->zone = admin_domain_check(a, row->zone, "zone", problems);
	row->comment = admin_text_check(a, row->comment, "comment", problems);
	if (problems->count > 0)
		return 1;
	return saved(store_dnsbl_put(s, row, err), "zone", problems, err);
}
