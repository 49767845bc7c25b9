/* The TXT record of RFC 8460 section 3:
 *
 * tlsrpt-record    = %s"v=TLSRPTv1" 1*(field-delim tlsrpt-field) [field-delim]
 * field-delim      = *WSP ";" *WSP
 * tlsrpt-field     = tlsrpt-rua / tlsrpt-extension
 * tlsrpt-rua       = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)
 * tlsrpt-extension = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *                    "=" 1*(%x21-3A / %x3C / %x3E-7E)
 */
#include "report/tlsrpt_record.h"

#include "dns/dns.h"
#include "message/message.h"

#include <stdio.h>

enum { NAME_MAX_OCTETS = 300, URI_MAX = 1000 };

static const struct str version = {"v=TLSRPTv1", 10};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* scheme ":" visible ASCII without "!", every "%" with two hex digits (RFC 3986 section 2.1);
 * "," and ";" ended the URI already. */
static bool uri_is_valid(struct str uri)
{
	struct str scheme, rest;

	if (uri.len > URI_MAX || !str_split(uri, ':', &scheme, &rest) || scheme.len == 0 ||
		rest.len == 0 || !ascii_is_alnum(scheme.p[0]) || ascii_is_digit(scheme.p[0]))
		return false;
	for (size_t i = 0; i < scheme.len; i++) {
		char c = scheme.p[i];
		if (!ascii_is_alnum(c) && c != '+' && c != '-' && c != '.')
			return false;
	}
	for (size_t i = 0; i < uri.len; i++) {
		char c = uri.p[i];
		if (c <= ' ' || c > '~' || c == '!')
			return false;
		if (c == '%' && (i + 2 >= uri.len || hex_digit(uri.p[i + 1]) < 0 ||
					hex_digit(uri.p[i + 2]) < 0))
			return false;
	}
	return true;
}

static int rua_parse(struct arena *a, struct str list, struct tlsrpt_record *out, struct err *err)
{
	struct str uri;

	while (str_next(&list, ',', &uri)) {
		uri = str_trim(uri);
		if (!uri_is_valid(uri))
			return err_set(err, ERR_PERM,
				"TLSRPT record: \"%.*s\" in rua is not an address like "
				"mailto:reports@example.org",
				STR_FMT(uri));
		if (out->rua_count == TLSRPT_RUA_MAX)
			return err_set(err, ERR_PERM, "TLSRPT record: over %d addresses in rua",
				TLSRPT_RUA_MAX);
		out->rua[out->rua_count++] = arena_str(a, uri);
	}
	return 0;
}

static bool key_is_valid(struct str key)
{
	if (key.len == 0 || key.len > TLSRPT_KEY_MAX || !ascii_is_alnum(key.p[0]))
		return false;
	for (size_t i = 1; i < key.len; i++) {
		char c = key.p[i];
		if (!ascii_is_alnum(c) && c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}

static bool value_is_valid(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] <= ' ' || value.p[i] > '~' || value.p[i] == '=')
			return false; /* ";" ended the field already */
	}
	return value.len > 0;
}

static int field_parse(
	struct arena *a, struct str field, struct tlsrpt_record *out, struct err *err)
{
	struct str key, value;

	if (field.len == 0)
		return err_set(err, ERR_PERM, "TLSRPT record: a field is empty (\";;\")");
	if (!str_split(field, '=', &key, &value))
		return err_set(err, ERR_PERM, "TLSRPT record: field \"%.*s\" has no \"=\"",
			STR_FMT(field));
	if (!key_is_valid(key))
		return err_set(err, ERR_PERM, "TLSRPT record: \"%.*s\" is not the name of a field",
			STR_FMT(key));
	if (str_eq(key, STR("rua")))
		return rua_parse(a, value, out, err);
	if (!value_is_valid(value))
		return err_set(err, ERR_PERM,
			"TLSRPT record: field %.*s has no value, or a character that cannot be in "
			"one",
			STR_FMT(key));
	if (out->ext == NULL)
		out->ext = arena_alloc(a, TLSRPT_EXT_MAX * sizeof(*out->ext));
	if (out->ext_count < TLSRPT_EXT_MAX)
		out->ext[out->ext_count++] =
			(struct tlsrpt_pair){arena_str(a, key), arena_str(a, value)};
	return 0;
}

int tlsrpt_record_parse(
	struct arena *a, struct str text, struct tlsrpt_record *out, struct err *err)
{
	struct str rest = text, field;

	*out = (struct tlsrpt_record){.rua_count = 0};
	if (!str_next(&rest, ';', &field) || rest.p == NULL || !str_starts(field, version) ||
		str_trim(str_skip(field, version.len)).len > 0)
		return 0;
	while (str_next(&rest, ';', &field)) {
		field = str_trim(field);
		if (field.len == 0 && rest.p == NULL)
			break; /* the delimiter at the end */
		if (field_parse(a, field, out, err) < 0) {
			*out = (struct tlsrpt_record){.rua_count = 0};
			return -1;
		}
	}
	if (out->rua_count > 0)
		return 1;
	*out = (struct tlsrpt_record){.rua_count = 0};
	return err_set(err, ERR_PERM, "TLSRPT record: there is no rua, so nowhere to send reports");
}

void tlsrpt_record_write(const struct tlsrpt_record *record, struct buf *out)
{
	buf_raw(out, version);
	buf_text(out, "; rua=");
	for (size_t i = 0; i < record->rua_count; i++) {
		buf_text(out, i > 0 ? "," : "");
		buf_raw(out, record->rua[i]);
	}
	for (size_t i = 0; i < record->ext_count; i++) {
		buf_text(out, "; ");
		buf_raw(out, record->ext[i].key);
		buf_byte(out, '=');
		buf_raw(out, record->ext[i].value);
	}
}

/* --- mailto --- */

struct str tlsrpt_record_mailto(struct arena *a, struct str address)
{
	struct buf b = {NULL, 0, 0};

	buf_text(&b, "mailto:");
	for (size_t i = 0; i < address.len; i++) {
		char c = address.p[i];
		if (ascii_is_alnum(c) || (c != '\0' && strchr("@.-_~+*'$&=/", c) != NULL))
			buf_byte(&b, c);
		else
			buf_printf(&b, "%%%02X", (unsigned)(unsigned char)c);
	}
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

int tlsrpt_record_address(struct arena *a, struct str uri, struct str *address)
{
	struct str text = str_skip(uri, 7), query;
	struct message_address parsed;
	struct err ignored;

	*address = STR("");
	if (!str_starts_nocase(uri, STR("mailto:")))
		return 0;
	(void)str_split(text, '?', &text, &query); /* no "?": all of it */
	char *out = arena_alloc(a, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '%' && i + 2 < text.len && hex_digit(text.p[i + 1]) >= 0 &&
			hex_digit(text.p[i + 2]) >= 0) {
			c = (char)(hex_digit(text.p[i + 1]) * 16 + hex_digit(text.p[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	struct str decoded = {out, n};
	if (message_address_parse(a, decoded, &parsed, &ignored) < 0)
		return 0;
	*address = decoded;
	return 1;
}

/* --- look-up --- */

const char *tlsrpt_status_text(enum tlsrpt_status s)
{
	switch (s) {
	case TLSRPT_OK:
		return "ok";
	case TLSRPT_NO_RECORD:
		return "no-record";
	case TLSRPT_MULTIPLE:
		return "multiple-records";
	case TLSRPT_SYNTAX:
		return "syntax";
	case TLSRPT_DNS:
		return "dns";
	}
	return "";
}

static void answer_judge(const struct dns_answer *answer, const char *name, struct arena *a,
	struct tlsrpt_lookup *out)
{
	struct err err;
	size_t found = 0;
	int rc = 0;

	for (size_t i = 0; i < answer->count; i++) {
		struct tlsrpt_record record;
		int one = tlsrpt_record_parse(a, answer->records[i].data, &record, &err);
		if (one == 0)
			continue;
		if (found++ == 0) {
			rc = one;
			out->record = record;
			out->record_text = arena_str(a, answer->records[i].data);
			snprintf(out->text, sizeof(out->text), "%s", one < 0 ? err.text : "");
		}
	}
	out->status = found == 0  ? TLSRPT_NO_RECORD
		      : found > 1 ? TLSRPT_MULTIPLE
		      : rc < 0    ? TLSRPT_SYNTAX
				  : TLSRPT_OK;
	if (found == 0)
		snprintf(out->text, sizeof(out->text),
			"There is no TLSRPT record at %s: this domain asks for no reports.", name);
	else if (found > 1)
		snprintf(out->text, sizeof(out->text),
			"There are %zu TLSRPT records at %s; only one may be there, so none "
			"counts.",
			found, name);
	if (out->status != TLSRPT_OK)
		out->record = (struct tlsrpt_record){.rua_count = 0};
}

int tlsrpt_lookup(const struct dns_asker *ask, const char *domain, struct arena *a,
	struct tlsrpt_lookup *out, struct err *err)
{
	char name[NAME_MAX_OCTETS];
	struct dns_answer answer;

	*out = (struct tlsrpt_lookup){.status = TLSRPT_DNS};
	int n = snprintf(name, sizeof(name), "_smtp._tls.%s", domain);
	if (n < 0 || (size_t)n >= sizeof(name))
		return err_set(err, ERR_BUG, "TLSRPT: the domain is too long");
	if (dns_ask(ask, DNS_TXT, name, a, &answer, err) < 0)
		return -1;
	out->secure = answer.secure;
	if (dns_status_is_temporary(answer.status)) {
		snprintf(out->text, sizeof(out->text), "The look-up of %s failed: %.*s", name,
			STR_FMT(answer.reason));
		return 0;
	}
	answer_judge(&answer, name, a, out);
	return 0;
}
