#include "policy/override.h"

#include "base/clock.h"
#include "policy/admin_check.h"
#include "policy/tlspolicy.h"

#include <stdio.h>
#include <time.h>

enum { DAY_S = 86400, PIN_HEX = 64 };

const char *override_kind_text(enum store_override_kind k)
{
	switch (k) {
	case STORE_OVERRIDE_VERIFIED:
		return "verified";
	case STORE_OVERRIDE_PLAINTEXT:
		return "plaintext";
	case STORE_OVERRIDE_PIN:
		return "pin";
	}
	return "unknown";
}

const char *override_day_text(int64_t expires_s, char out[OVERRIDE_DAY_TEXT])
{
	char iso[CLOCK_TEXT];

	/* It ends with the first second of the next day. */
	snprintf(out, OVERRIDE_DAY_TEXT, "%.10s", clock_iso(expires_s - 1, iso));
	return out;
}

static void kind_check(struct str text, struct store_override *row, struct admin_problems *problems)
{
	static const enum store_override_kind kinds[] = {
		STORE_OVERRIDE_VERIFIED, STORE_OVERRIDE_PLAINTEXT, STORE_OVERRIDE_PIN};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (str_eq(text, str_from(override_kind_text(kinds[i])))) {
			row->kind = kinds[i];
			return;
		}
	}
	admin_problem(problems, "kind", "Choose one of verified, plaintext and pin.");
}

/* 64 hex digits, with or without colons between octets. */
static bool pin_parse(struct str text, char out[PIN_HEX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.p[i]);
		if (c == ':')
			continue;
		if (n == PIN_HEX || !(ascii_is_digit(c) || (c >= 'a' && c <= 'f')))
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n == PIN_HEX;
}

static bool is_gap(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

static void pins_check(struct arena *a, struct str text, struct store_override *row,
	struct admin_problems *problems)
{
	char *out = arena_alloc(a, TLS_PINS_MAX * (PIN_HEX + 1) + 1);
	size_t count = 0, at = 0;

	while (text.len > 0) {
		size_t n = 0;
		while (n < text.len && !is_gap(text.p[n]))
			n++;
		struct str word = {text.p, n};
		text = str_skip(text, n > 0 ? n : 1);
		if (n == 0)
			continue;
		if (count == TLS_PINS_MAX) {
			admin_problem(problems, "pins", "At most %d keys.", TLS_PINS_MAX);
			return;
		}
		char hex[PIN_HEX + 1];
		if (!pin_parse(word, hex)) {
			admin_problem(problems, "pins",
				"\"%.*s\" is no SHA-256 hash of a public key: 64 hexadecimal "
				"digits are wanted, as \"mox dane dialmx\" shows them.",
				(int)(word.len > 70 ? 70 : word.len), word.p);
			return;
		}
		at += (size_t)snprintf(out + at, PIN_HEX + 2, "%s%s", count > 0 ? " " : "", hex);
		count++;
	}
	row->pins = (struct str){out, at};
	if (row->kind == STORE_OVERRIDE_PIN && count == 0)
		admin_problem(problems, "pins", "Name at least one key.");
	if (row->kind != STORE_OVERRIDE_PIN && count > 0)
		admin_problem(problems, "pins", "Keys belong to the kind \"pin\" only.");
}

/* "30d", or a day; 0 when it is neither. */
static int64_t expires_parse(struct str text, int64_t now_s)
{
	struct str year, month, day, rest;
	uint64_t y, m, d;

	if (text.len > 1 && text.p[text.len - 1] == 'd') {
		text.len--;
		return str_to_u64(text, 100000, &d) ? now_s + (int64_t)d * DAY_S : 0;
	}
	if (text.len != 10 || !str_split(text, '-', &year, &rest) ||
		!str_split(rest, '-', &month, &day) || year.len != 4 || month.len != 2 ||
		!str_to_u64(year, 9999, &y) || !str_to_u64(month, 12, &m) ||
		!str_to_u64(day, 31, &d) || m == 0 || d == 0)
		return 0;
	struct tm tm = {.tm_year = (int)y - 1900, .tm_mon = (int)m - 1, .tm_mday = (int)d + 1};
	struct tm check = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = (int)d};
	(void)timegm(&check);
	if (check.tm_mday != (int)d) /* the 31st of a shorter month */
		return 0;
	return timegm(&tm);
}

static void expires_check(
	struct str text, struct store_override *row, struct admin_problems *problems)
{
	int64_t now_s = clock_unix_s();

	row->expires_s = expires_parse(text, now_s);
	if (text.len == 0)
		admin_problem(problems, "expires",
			"Say on which day it ends, or after how many "
			"days: 2027-01-31 or 30d.");
	else if (row->expires_s == 0)
		admin_problem(problems, "expires",
			"\"%.*s\" is no day like 2027-01-31 and no "
			"number of days like 30d.",
			(int)(text.len > 40 ? 40 : text.len), text.p);
	else if (row->expires_s <= now_s)
		admin_problem(problems, "expires", "That is over already.");
	else if (row->expires_s > now_s + (int64_t)(OVERRIDE_DAYS_MAX + 1) * DAY_S)
		admin_problem(problems, "expires",
			"At most a year ahead: then it should be looked at again.");
}

int override_save(struct store *s, struct arena *a, const struct override_form *form,
	struct store_override *out, struct admin_problems *problems, struct err *err)
{
	struct store_override row = {.kind = STORE_OVERRIDE_VERIFIED, .pins = STR("")};

	problems->count = 0;
	row.domain = admin_domain_check(a, str_trim(form->domain), "domain", problems);
	kind_check(form->kind, &row, problems);
	pins_check(a, form->pins, &row, problems);
	row.reason = admin_text_check(a, form->reason, "reason", problems);
	if (str_trim(form->reason).len == 0)
		admin_problem(problems, "reason", "Say why, for those who look at this later.");
	expires_check(str_trim(form->expires), &row, problems);
	if (problems->count > 0)
		return 1;
	if (store_override_put(s, &row, err) < 0) {
		if (err->kind != ERR_PERM)
			return -1;
		admin_problem(problems, "domain", "%s.", err->text);
		return 1;
	}
	if (out != NULL)
		*out = row;
	return 0;
}
