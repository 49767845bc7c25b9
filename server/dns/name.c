#include "dns/internal.h"

#include "base/utf8.h"

#include <idn2.h>
#include <stdio.h>

enum { LABEL_MAX = 63, NAME_MAX_OCTETS = 253, NAME_INPUT_MAX = 1024 };

bool dns_name_askable(struct str name)
{
	struct str label;

	if (name.len == 0 || name.len > NAME_MAX_OCTETS)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '\\')
			return false;
	}
	while (str_next(&name, '.', &label)) {
		if (label.len == 0 || label.len > LABEL_MAX)
			return false;
	}
	return true;
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
