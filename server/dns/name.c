#include "dns/internal.h"

#include "base/utf8.h"

#include <idn2.h>
#include <stdio.h>

enum { LABEL_MAX = 63, NAME_MAX_OCTETS = 253, NAME_INPUT_MAX = 1024 };

/* Octets of the one that starts name: a visible character or \DDD. 0: neither. */
static size_t octet_length(struct str name)
{
	if (name.len == 0 || name.p[0] <= ' ' || name.p[0] > '~')
		return 0;
	if (name.p[0] != '\\')
		return 1;
	if (name.len < 4 || !ascii_is_digit(name.p[1]) || !ascii_is_digit(name.p[2]) ||
		!ascii_is_digit(name.p[3]))
		return 0;
	int value = (name.p[1] - '0') * 100 + (name.p[2] - '0') * 10 + name.p[3] - '0';
	return value <= 255 ? 4 : 0;
}

bool dns_name_askable(struct str name)
{
	size_t label = 0, total = 0;

	if (str_eq(name, STR(".")))
		return true;
	while (name.len > 0) {
		size_t n = octet_length(name);
		if (n == 0)
			return false;
		total++;
		label = n == 1 && name.p[0] == '.' ? 0 : label + 1;
		if (total > NAME_MAX_OCTETS || label > LABEL_MAX)
			return false;
		name = str_skip(name, n);
		if (label == 0 && (total == 1 || name.len == 0 || name.p[0] == '.'))
			return false; /* an empty label */
	}
	return total > 0;
}

const char *dns_name_from_octets(struct arena *arena, struct str raw)
{
	char text[4 * NAME_MAX_OCTETS + 1];
	size_t len = 0;

	if (raw.len > 0 && raw.p[raw.len - 1] == '.')
		raw.len--;
	if (raw.len > NAME_MAX_OCTETS)
		return NULL;
	for (size_t i = 0; i < raw.len; i++) {
		unsigned char c = (unsigned char)raw.p[i];
		bool plain = c > ' ' && c <= '~' && c != '\\' && c != '"';
		len += (size_t)snprintf(text + len, sizeof(text) - len, plain ? "%c" : "\\%03u", c);
	}
	struct str name = {text, len};
	return dns_name_askable(name) ? arena_strdup(arena, name) : NULL;
}

/* Letters, digits, hyphens inside, and underscores, which real mail hosts have. */
static int ascii_check(struct str name, struct err *err)
{
	struct str rest = name, label;

	if (name.len > NAME_MAX_OCTETS)
		return err_set(err, ERR_PERM, "domain name: over %d octets", NAME_MAX_OCTETS);
	while (str_next(&rest, '.', &label)) {
		if (label.len == 0)
			return err_set(err, ERR_PERM, "domain name \"%.*s\": %s", STR_FMT(name),
				rest.p == NULL && label.p > name.p ? "ends with a dot"
								   : "has an empty label");
		if (label.len > LABEL_MAX)
			return err_set(err, ERR_PERM,
				"domain name \"%.*s\": a label over %d octets", STR_FMT(name),
				LABEL_MAX);
		if (label.p[0] == '-' || label.p[label.len - 1] == '-')
			return err_set(err, ERR_PERM,
				"domain name \"%.*s\": a label begins or ends with a hyphen",
				STR_FMT(name));
		for (size_t i = 0; i < label.len; i++) {
			char c = label.p[i];
			if (!ascii_is_alnum(c) && c != '-' && c != '_')
				return err_set(err, ERR_PERM,
					"domain name \"%.*s\": character \"%c\" is not allowed",
					STR_FMT(name), c);
		}
	}
	return 0;
}

static bool has_a_label(struct str name)
{
	struct str label;

	while (str_next(&name, '.', &label)) {
		if (str_starts_nocase(label, STR("xn--")))
			return true;
	}
	return false;
}

int dns_name_to_ascii(struct str name, char out[DNS_NAME_MAX], struct err *err)
{
	char text[NAME_INPUT_MAX];
	uint8_t *converted = NULL;

	out[0] = '\0';
	if (name.len == 0)
		return err_set(err, ERR_PERM, "domain name: empty");
	if (!str_copy(text, sizeof(text), name))
		return err_set(err, ERR_PERM, "domain name: too long, or a NUL inside");
	if (!str_is_ascii(name) || has_a_label(name)) {
		if (!utf8_valid(name))
			return err_set(err, ERR_PERM, "domain name: not UTF-8");
		int rc = idn2_lookup_u8(
			(const uint8_t *)text, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
		if (rc != IDN2_OK)
			return err_set(err, ERR_PERM, "domain name \"%.*s\": %s", STR_FMT(name),
				idn2_strerror(rc));
		bool fits = str_copy(text, sizeof(text), str_from((const char *)converted));
		idn2_free(converted);
		if (!fits)
			return err_set(err, ERR_PERM, "domain name: too long");
	}
	if (ascii_check(str_from(text), err) < 0)
		return -1;
	str_lower(text, strlen(text));
	return str_copy(out, DNS_NAME_MAX, str_from(text))
		       ? 0
		       : err_set(err, ERR_PERM, "domain name: too long");
}

struct str dns_name_to_unicode(struct arena *arena, const char *ascii)
{
	char *decoded = NULL;
	struct str out = str_from(ascii);

	if (has_a_label(out) && idn2_to_unicode_8z8z(ascii, &decoded, 0) == IDN2_OK &&
		decoded != NULL && utf8_valid(str_from(decoded)))
		out = str_from(decoded);
	out = arena_str(arena, out);
	idn2_free(decoded);
	return out;
}

const char *dns_status_text(enum dns_status s)
{
	switch (s) {
	case DNS_OK:
		return "ok";
	case DNS_NXDOMAIN:
		return "nxdomain";
	case DNS_NODATA:
		return "nodata";
	case DNS_BOGUS:
		return "bogus";
	case DNS_FAILED:
		return "failed";
	case DNS_TIMEOUT:
		return "timeout";
	}
	return "unknown";
}

bool dns_status_is_temporary(enum dns_status s)
{
	switch (s) {
	case DNS_BOGUS:
	case DNS_FAILED:
	case DNS_TIMEOUT:
		return true;
	case DNS_OK:
	case DNS_NXDOMAIN:
	case DNS_NODATA:
		return false;
	}
	return true;
}
