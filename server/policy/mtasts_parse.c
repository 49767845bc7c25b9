/* MTA-STS texts: the TXT record and the policy file. */
#include "policy/mtasts.h"

#include "base/utf8.h"

enum {
	ID_MAX = 32,
	KEY_MAX = 32,
	AGE_DIGITS_MAX = 10,
	PAIRS_MAX = 100,     /* extensions kept, our choice; more are read and forgotten */
	AGE_MAX_S = 31557600 /* RFC 8461 section 3.2; longer ones are cut to it */
};

/* key = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".") */
static bool key_is_valid(struct str key)
{
	if (key.len == 0 || key.len > KEY_MAX || !ascii_is_alnum(key.p[0]))
		return false;
	for (size_t i = 1; i < key.len; i++) {
		char c = key.p[i];
		if (!ascii_is_alnum(c) && c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}

static void pair_add(struct arena *a, struct mtasts_pair **pairs, size_t *count, struct str key,
	struct str value)
{
	if (*pairs == NULL)
		*pairs = arena_alloc(a, PAIRS_MAX * sizeof(**pairs));
	if (*count < PAIRS_MAX)
		(*pairs)[(*count)++] = (struct mtasts_pair){arena_str(a, key), arena_str(a, value)};
}

/* --- the record, RFC 8461 section 3.1:
 *
 * record = "v=STSv1" 1*(delim field) [delim]
 * delim  = *WSP ";" *WSP
 * field  = "id=" 1*32(ALPHA / DIGIT) / key "=" 1*(%x21-3A / %x3C / %x3E-7E)
 */

static bool id_is_valid(struct str id)
{
	for (size_t i = 0; i < id.len; i++) {
		if (!ascii_is_alnum(id.p[i]))
			return false;
	}
	return id.len > 0 && id.len <= ID_MAX;
}

static bool record_value_is_valid(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] <= ' ' || value.p[i] > '~' || value.p[i] == '=')
			return false; /* ";" ended the field already */
	}
	return value.len > 0;
}

static int record_field(
	struct arena *a, struct str field, struct mtasts_record *out, struct err *err)
{
	struct str key, value;

	if (field.len == 0)
		return err_set(err, ERR_PERM, "MTA-STS record: a field is empty (\";;\")");
	if (!str_split(field, '=', &key, &value))
		return err_set(err, ERR_PERM, "MTA-STS record: field \"%.*s\" has no \"=\"",
			STR_FMT(field));
	if (!key_is_valid(key))
		return err_set(err, ERR_PERM, "MTA-STS record: \"%.*s\" is not the name of a field",
			STR_FMT(key));
	if (str_eq(key, STR("id"))) {
		if (!id_is_valid(value))
			return err_set(err, ERR_PERM,
				"MTA-STS record: id \"%.*s\" is not 1 to %d letters and digits",
				STR_FMT(value), ID_MAX);
		if (out->id.len == 0)
			out->id = arena_str(a, value);
		return 0;
	}
	if (!record_value_is_valid(value))
		return err_set(err, ERR_PERM,
			"MTA-STS record: field %.*s has no value, or a character that cannot be in "
			"one",
			STR_FMT(key));
	pair_add(a, &out->ext, &out->ext_count, key, value);
	return 0;
}

int mtasts_record_parse(
	struct arena *a, struct str text, struct mtasts_record *out, struct err *err)
{
	struct str rest = text, field;

	*out = (struct mtasts_record){.ext_count = 0};
	if (!str_next(&rest, ';', &field) || rest.p == NULL || !str_starts(field, STR("v=STSv1")) ||
		str_trim(str_skip(field, 7)).len > 0)
		return 0;
	while (str_next(&rest, ';', &field)) {
		field = str_trim(field);
		if (field.len == 0 && rest.p == NULL)
			break; /* the delimiter at the end */
		if (record_field(a, field, out, err) < 0)
			return -1;
	}
	if (out->id.len == 0)
		return err_set(err, ERR_PERM, "MTA-STS record: there is no id");
	return 1;
}

void mtasts_record_write(const struct mtasts_record *record, struct buf *out)
{
	buf_text(out, "v=STSv1; id=");
	buf_raw(out, record->id);
	for (size_t i = 0; i < record->ext_count; i++) {
		buf_text(out, "; ");
		buf_raw(out, record->ext[i].key);
		buf_byte(out, '=');
		buf_raw(out, record->ext[i].value);
	}
}

/* --- the policy, RFC 8461 section 3.2:
 *
 * policy = field *(EOL field) [EOL]
 * EOL    = LF / CRLF
 * field  = key ":" *WSP value *WSP
 * version: "STSv1"; mode: "enforce" / "testing" / "none"; max_age: 1*10(DIGIT);
 * mx: ["*."] domain; others: 1*(%x21-7E / UTF-8), inner spaces too
 */

struct policy_reader {
	struct arena *arena;
	struct mtasts_policy *out;
	size_t mx_cap;
	unsigned line;
	bool version, mode, max_age; /* seen; the first of each counts */
	struct err *err;
};

static int policy_mode(struct policy_reader *r, struct str value)
{
	static const enum mtasts_mode modes[] = {MTASTS_NONE, MTASTS_TESTING, MTASTS_ENFORCE};

	for (size_t i = 0; i < 3; i++) {
		if (!str_eq(value, str_from(mtasts_mode_text(modes[i]))))
			continue;
		if (!r->mode)
			r->out->mode = modes[i];
		r->mode = true;
		return 0;
	}
	return err_set(r->err, ERR_PERM,
		"MTA-STS policy, line %u: mode \"%.*s\" is not enforce, testing or none", r->line,
		STR_FMT(value));
}

static int policy_max_age(struct policy_reader *r, struct str value)
{
	uint64_t age;

	if (value.len > AGE_DIGITS_MAX || !str_to_u64(value, INT32_MAX, &age))
		return err_set(r->err, ERR_PERM,
			"MTA-STS policy, line %u: max_age \"%.*s\" is not a number of seconds",
			r->line, STR_FMT(value));
	if (!r->max_age)
		r->out->max_age_s = age < AGE_MAX_S ? (int64_t)age : AGE_MAX_S;
	r->max_age = true;
	return 0;
}

/* Letters, digits and inner hyphens; A-labels that IDNA knows. */
static bool mx_domain(struct str text, char out[DNS_NAME_MAX])
{
	struct err ignored;

	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.p[i]) && text.p[i] != '-' && text.p[i] != '.')
			return false;
	}
	return dns_name_to_ascii(text, out, &ignored) == 0;
}

static int policy_mx(struct policy_reader *r, struct str value)
{
	struct mtasts_policy *p = r->out;
	bool wildcard = str_starts(value, STR("*."));
	char domain[DNS_NAME_MAX];

	if (!mx_domain(str_skip(value, wildcard ? 2 : 0), domain))
		return err_set(r->err, ERR_PERM,
			"MTA-STS policy, line %u: mx \"%.*s\" is not a host name (in ASCII), nor "
			"\"*.\" and one",
			r->line, STR_FMT(value));
	if (p->mx_count == r->mx_cap) {
		struct mtasts_mx *old = p->mx;
		r->mx_cap = r->mx_cap ? r->mx_cap * 2 : 8;
		p->mx = arena_alloc(r->arena, r->mx_cap * sizeof(*p->mx));
		if (p->mx_count > 0)
			memcpy(p->mx, old, p->mx_count * sizeof(*p->mx));
	}
	const char *pattern = arena_printf(r->arena, "%s%s", wildcard ? "*." : "", domain);
	p->mx[p->mx_count++] = (struct mtasts_mx){.wildcard = wildcard,
		.domain = str_skip(str_from(pattern), wildcard ? 2 : 0),
		.pattern = str_from(pattern)};
	return 0;
}

static bool policy_value_is_valid(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if (c < ' ' || c == 0x7f)
			return false;
	}
	return value.len > 0 && utf8_valid(value);
}

static int policy_field(struct policy_reader *r, struct str line)
{
	struct str key, value;

	if (!str_split(line, ':', &key, &value) || !key_is_valid(key))
		return err_set(r->err, ERR_PERM,
			"MTA-STS policy, line %u: \"%.*s\" is not \"key: value\"", r->line,
			(int)(line.len < 80 ? line.len : 80), line.p);
	value = str_trim(value);
	if (str_eq(key, STR("version"))) {
		r->version = true;
		return str_eq(value, STR("STSv1"))
			       ? 0
			       : err_set(r->err, ERR_PERM,
					 "MTA-STS policy, line %u: version \"%.*s\" is not STSv1",
					 r->line, STR_FMT(value));
	}
	if (str_eq(key, STR("mode")))
		return policy_mode(r, value);
	if (str_eq(key, STR("max_age")))
		return policy_max_age(r, value);
	if (str_eq(key, STR("mx")))
		return policy_mx(r, value);
	if (!policy_value_is_valid(value))
		return err_set(r->err, ERR_PERM,
			"MTA-STS policy, line %u: %.*s has no value, or a character that cannot be "
			"in one",
			r->line, STR_FMT(key));
	pair_add(r->arena, &r->out->ext, &r->out->ext_count, key, value);
	return 0;
}

int mtasts_policy_parse(
	struct arena *a, struct str text, struct mtasts_policy *out, struct err *err)
{
	struct policy_reader r = {.arena = a, .out = out, .err = err};
	struct str rest = text, line;

	*out = (struct mtasts_policy){.mode = MTASTS_NONE};
	if (text.len == 0)
		return err_set(err, ERR_PERM, "MTA-STS policy: it is empty");
	if (text.len > MTASTS_POLICY_MAX)
		return err_set(err, ERR_PERM, "MTA-STS policy: over %d octets", MTASTS_POLICY_MAX);
	while (str_next(&rest, '\n', &line)) {
		r.line++;
		if (line.len == 0 && rest.p == NULL && r.line > 1)
			break; /* after the last line end */
		if (line.len > 0 && line.p[line.len - 1] == '\r' && rest.p != NULL)
			line.len--;
		if (policy_field(&r, line) < 0)
			return -1;
	}
	const char *missing = !r.version                                       ? "version"
			      : !r.mode                                        ? "mode"
			      : !r.max_age                                     ? "max_age"
			      : out->mode != MTASTS_NONE && out->mx_count == 0 ? "mx"
									       : NULL;
	if (missing != NULL)
		return err_set(err, ERR_PERM, "MTA-STS policy: there is no %s", missing);
	out->text = arena_str(a, text);
	return 0;
}

void mtasts_policy_write(const struct mtasts_policy *policy, struct buf *out)
{
	buf_printf(out, "version: STSv1\nmode: %s\nmax_age: %lld\n", mtasts_mode_text(policy->mode),
		(long long)policy->max_age_s);
	for (size_t i = 0; i < policy->mx_count; i++)
		buf_printf(out, "mx: %.*s\n", STR_FMT(policy->mx[i].pattern));
	for (size_t i = 0; i < policy->ext_count; i++)
		buf_printf(out, "%.*s: %.*s\n", STR_FMT(policy->ext[i].key),
			STR_FMT(policy->ext[i].value));
}

const char *mtasts_mode_text(enum mtasts_mode mode)
{
	switch (mode) {
	case MTASTS_NONE:
		return "none";
	case MTASTS_TESTING:
		return "testing";
	case MTASTS_ENFORCE:
		return "enforce";
	}
	return "?";
}

/* --- matching, RFC 8461 section 4.1 --- */

bool mtasts_policy_matches(const struct mtasts_policy *policy, const char *host)
{
	struct str name = str_from(host), label, parent = STR("");

	(void)str_split(name, '.', &label, &parent);
	for (size_t i = 0; i < policy->mx_count; i++) {
		const struct mtasts_mx *mx = &policy->mx[i];
		if (str_eq_nocase(mx->domain, mx->wildcard ? parent : name))
			return true;
	}
	return false;
}

enum { HOSTS_SHOWN_MAX = 20 };

/* The pattern as people write it, with its ASCII form when that is another. */
static void pattern_write(struct arena *a, const struct mtasts_mx *mx, struct buf *out)
{
	const char *ascii = arena_strdup(a, mx->domain);
	struct str unicode = dns_name_to_unicode(a, ascii);

	if (!str_eq(unicode, mx->domain))
		buf_printf(out, "%s%.*s/", mx->wildcard ? "*." : "", STR_FMT(unicode));
	buf_raw(out, mx->pattern);
}

struct str mtasts_policy_hosts(struct arena *a, const struct mtasts_policy *policy)
{
	struct buf out = {NULL, 0, 0};

	for (size_t i = 0; i < policy->mx_count && i < HOSTS_SHOWN_MAX; i++) {
		if (i > 0)
			buf_text(&out, ", ");
		pattern_write(a, &policy->mx[i], &out);
	}
	if (policy->mx_count > HOSTS_SHOWN_MAX)
		buf_printf(&out, " and %zu more", policy->mx_count - HOSTS_SHOWN_MAX);
	struct str text = arena_str(a, buf_str(&out));
	buf_free(&out);
	return text;
}

struct str mtasts_mismatch_text(struct arena *a, const char *domain,
	const struct mtasts_policy *policy, const char *const *hosts, size_t host_count)
{
	struct buf out = {NULL, 0, 0};

	buf_printf(&out, "the MTA-STS policy of %s (mode %s) does not list ", domain,
		mtasts_mode_text(policy->mode));
	buf_text(&out, host_count == 1 ? "its MX host " : "any of its MX hosts ");
	for (size_t i = 0; i < host_count && i < HOSTS_SHOWN_MAX; i++)
		buf_printf(&out, "%s%s", i > 0 ? ", " : "", hosts[i]);
	if (host_count > HOSTS_SHOWN_MAX)
		buf_printf(&out, " and %zu more", host_count - HOSTS_SHOWN_MAX);
	struct str listed = mtasts_policy_hosts(a, policy);
	buf_printf(&out,
		"; it lists %.*s. The recipient's admin should add the MX hosts to "
		"https://mta-sts.%s/.well-known/mta-sts.txt and change the id in the TXT record "
		"_mta-sts.%s, or correct the MX records",
		STR_FMT(listed), domain, domain);
	struct str text = arena_str(a, buf_str(&out));
	buf_free(&out);
	return text;
}
