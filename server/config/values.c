/* values - from the text of one field to what it means. */
#include "config/fields.h"

#include <errno.h>
#include <fcntl.h>
#include <idn2.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* What every message of this file looks like. */
static int value_error(const struct config_reader *r, const struct sconf_node *node,
	const struct config_field *field, const char *expected, struct err *err)
{
	return err_set(err, ERR_PERM, "%s:%u: %s: \"%.*s\" is not %s", r->name, node->line,
		field->name, STR_FMT(node->value), expected);
}

bool config_duration_parse(struct str text, int64_t *ms)
{
	static const struct {
		struct str unit;
		int64_t ms;
	} units[] = {
		{{"ms", 2}, 1},
		{{"s", 1}, 1000},
		{{"m", 1}, 60000},
		{{"h", 1}, 3600000},
		{{"d", 1}, 86400000},
		{{"w", 1}, 7 * 86400000},
	};
	const int64_t max = INT64_C(100) * 366 * 86400000;
	int64_t sum = 0;

	if (str_eq(text, STR("0"))) {
		*ms = 0;
		return true;
	}
	if (text.len == 0)
		return false;
	while (text.len > 0) {
		size_t digits = 0, letters, u = 0;
		uint64_t n;

		while (digits < text.len && ascii_is_digit(text.p[digits]))
			digits++;
		letters = digits;
		while (letters < text.len && !ascii_is_digit(text.p[letters]))
			letters++;
		if (!str_to_u64((struct str){text.p, digits}, (uint64_t)max, &n))
			return false;
		while (u < sizeof(units) / sizeof(units[0]) &&
			!str_eq((struct str){text.p + digits, letters - digits}, units[u].unit))
			u++;
		if (u == sizeof(units) / sizeof(units[0]) || (int64_t)n > (max - sum) / units[u].ms)
			return false;
		sum += (int64_t)n * units[u].ms;
		text = str_skip(text, letters);
	}
	*ms = sum;
	return true;
}

static int labels_check(struct str name, struct err *err)
{
	struct str label = {NULL, 0};
	bool numeric = false;

	while (str_next(&name, '.', &label)) {
		if (label.len == 0)
			return err_set(err, ERR_PERM, "it has an empty label or a dot at its end");
		if (label.len > 63)
			return err_set(err, ERR_PERM, "a label is over 63 octets");
		if (label.p[0] == '-' || label.p[label.len - 1] == '-')
			return err_set(err, ERR_PERM, "a label begins or ends with \"-\"");
		numeric = true;
		for (size_t i = 0; i < label.len; i++) {
			if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
				return err_set(err, ERR_PERM,
					"\"%c\" cannot be in it; letters, digits, \"-\" and \".\" "
					"can",
					label.p[i]);
			numeric = numeric && ascii_is_digit(label.p[i]);
		}
	}
	if (numeric)
		return err_set(err, ERR_PERM, "its last label is a number, as in an IP address");
	return 0;
}

/* RFC 5890, 5891: IDNA2008 look-up form. */
int config_hostname_parse(struct arena *a, struct str text, const char **out, struct err *err)
{
	char *copy, *ascii = NULL;
	int rc;

	*out = NULL;
	if (text.len == 0 || text.len > 1000)
		return err_set(err, ERR_PERM, text.len == 0 ? "it is empty" : "it is too long");
	copy = arena_strdup(a, text);
	rc = idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return err_set(err, ERR_PERM, "%s", idn2_strerror(rc));
	copy = arena_strdup(a, str_from(ascii));
	idn2_free(ascii);
	str_lower(copy, strlen(copy));
	if (strlen(copy) > 253)
		return err_set(err, ERR_PERM, "it is over 253 octets");
	if (labels_check(str_from(copy), err) < 0)
		return -1;
	*out = copy;
	return 0;
}

static const char *path_absolute(const struct config_reader *r, struct str path)
{
	if (path.p[0] == '/')
		return arena_strdup(r->arena, path);
	return arena_printf(r->arena, "%s/%.*s", r->folder, STR_FMT(path));
}

static int path_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, const char **out, struct err *err)
{
	int fd;

	if (field->type == CONFIG_ANCHOR && str_eq(node->value, STR("none"))) {
		*out = "none";
		return 0;
	}
	*out = path_absolute(r, node->value);
	if (field->type == CONFIG_PATH)
		return 0;
	fd = open(*out, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, ERR_PERM, "%s:%u: %s: cannot read %s: %s", r->name, node->line,
			field->name, *out, strerror(errno));
	(void)close(fd);
	return 0;
}

static int hostname_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, const char **out, struct err *err)
{
	struct err why;

	if (config_hostname_parse(r->arena, node->value, out, &why) < 0)
		return err_set(err, ERR_PERM, "%s:%u: %s: \"%.*s\" is not a host name: %s", r->name,
			node->line, field->name, STR_FMT(node->value), why.text);
	return 0;
}

static int url_path_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, const char **out, struct err *err)
{
	struct str v = node->value;

	for (size_t i = 0; i < v.len; i++) {
		if (!ascii_is_alnum(v.p[i]) && strchr("/-_.~", v.p[i]) == NULL)
			return value_error(
				r, node, field, "a path of letters, digits and \"/-_.~\"", err);
	}
	if (v.p[0] != '/' || v.p[v.len - 1] != '/')
		return value_error(
			r, node, field, "a path that begins and ends with \"/\", as /admin/", err);
	*out = arena_strdup(r->arena, v);
	return 0;
}

static int bool_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, bool *out, struct err *err)
{
	if (!str_eq(node->value, STR("true")) && !str_eq(node->value, STR("false")))
		return value_error(r, node, field, "true or false", err);
	*out = node->value.p[0] == 't';
	return 0;
}

static int number_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, struct str text, uint64_t type_max, uint64_t *out,
	struct err *err)
{
	uint64_t max = field->max != 0 ? field->max : type_max;

	if (!str_to_u64(text, max, out) || *out < field->min)
		return err_set(err, ERR_PERM,
			"%s:%u: %s: \"%.*s\" is not a number from %llu to %llu", r->name,
			node->line, field->name, STR_FMT(text), (unsigned long long)field->min,
			(unsigned long long)max);
	return 0;
}

/* "300 900 2700". */
static int triple_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, uint64_t type_max, uint64_t out[3], struct err *err)
{
	struct str rest = node->value, word;
	size_t n = 0;

	while (str_next(&rest, ' ', &word)) {
		word = str_trim(word);
		if (word.len == 0)
			continue;
		if (n == 3)
			return value_error(r, node, field,
				"three numbers, as \"300 900 2700\": for an address, its "
				"neighbours, its wider network",
				err);
		if (number_read(r, field, node, word, type_max, &out[n++], err) < 0)
			return -1;
	}
	if (n != 3)
		return value_error(r, node, field,
			"three numbers, as \"300 900 2700\": for an address, its neighbours, its "
			"wider network",
			err);
	return 0;
}

static int duration_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, int64_t *out, struct err *err)
{
	int64_t ms;

	if (!config_duration_parse(node->value, &ms))
		return value_error(
			r, node, field, "a duration, as 500ms, 15s, 1h30m, 24h or 30d", err);
	if (field->type == CONFIG_DURATION_S && ms % 1000 != 0)
		return value_error(r, node, field, "a duration of whole seconds", err);
	*out = field->type == CONFIG_DURATION_S ? ms / 1000 : ms;
	if ((uint64_t)*out < field->min || (field->max != 0 && (uint64_t)*out > field->max))
		return err_set(err, ERR_PERM, "%s:%u: %s: \"%.*s\" is not from %llu to %llu %s",
			r->name, node->line, field->name, STR_FMT(node->value),
			(unsigned long long)field->min, (unsigned long long)field->max,
			field->type == CONFIG_DURATION_S ? "seconds" : "milliseconds");
	return 0;
}

static int log_level_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, enum log_level *out, struct err *err)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"error", LOG_LEVEL_ERROR},
		{"warn", LOG_LEVEL_WARN},
		{"info", LOG_LEVEL_INFO},
		{"debug", LOG_LEVEL_DEBUG},
		/* What the reference system has below debug is debug here. */
		{"trace", LOG_LEVEL_DEBUG},
		{"traceauth", LOG_LEVEL_DEBUG},
		{"tracedata", LOG_LEVEL_DEBUG},
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (str_eq(node->value, str_from(levels[i].name))) {
			*out = levels[i].level;
			return 0;
		}
	}
	return value_error(r, node, field, "one of error, warn, info, debug", err);
}

static int tls_version_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, const char **out, struct err *err)
{
	if (str_eq(node->value, STR("TLSv1.3")))
		*out = "TLSv1.3";
	else if (str_eq(node->value, STR("TLSv1.2")))
		*out = "TLSv1.2";
	else if (str_eq(node->value, STR("TLSv1.1")) || str_eq(node->value, STR("TLSv1.0"))) {
		config_warn(r, node->line,
			"%s: %.*s is not offered any more (RFC 8996), TLSv1.2 is", field->name,
			STR_FMT(node->value));
		*out = "TLSv1.2";
	} else
		return value_error(r, node, field, "TLSv1.2 or TLSv1.3", err);
	return 0;
}

/* "ip" or "ip@port", as libunbound takes it. */
static int server_check(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, struct err *err)
{
	struct str host = node->value, port = STR("53");
	struct ip ip;
	uint64_t n;

	(void)str_split(node->value, '@', &host, &port);
	if (!ip_parse(host, &ip) || !str_to_u64(port, 65535, &n) || n == 0)
		return value_error(
			r, node, field, "a name server, as 192.0.2.1 or 192.0.2.1@5300", err);
	return 0;
}

static size_t item_size(enum config_type type)
{
	if (type == CONFIG_IPS)
		return sizeof(struct ip);
	return type == CONFIG_CIDRS ? sizeof(struct cidr) : sizeof(const char *);
}

static int item_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, void *item, struct err *err)
{
	struct err why;

	if (node->kind != SCONF_VALUE)
		return err_set(err, ERR_PERM, "%s:%u: %s: an item of this list is one value",
			r->name, node->line, field->name);
	if (field->type == CONFIG_IPS) {
		if (!ip_parse(node->value, item))
			return value_error(r, node, field, "an IP address", err);
		return 0;
	}
	if (field->type == CONFIG_CIDRS) {
		if (cidr_parse(node->value, item, &why) < 0)
			return err_set(err, ERR_PERM, "%s:%u: %s: %s", r->name, node->line,
				field->name, why.text);
		return 0;
	}
	if (field->type == CONFIG_READABLES)
		return path_read(r, field, node, item, err);
	if (field->type == CONFIG_ZONES)
		return hostname_read(r, field, node, item, err);
	if (field->type == CONFIG_SERVERS && server_check(r, field, node, err) < 0)
		return -1;
	*(const char **)item = arena_strdup(r->arena, node->value);
	return 0;
}

static int list_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, char *dst, struct err *err)
{
	size_t size = item_size(field->type), n = 0;
	char *items;

	if (node->kind != SCONF_LIST && node->kind != SCONF_EMPTY)
		return err_set(err, ERR_PERM,
			"%s:%u: %s is a list: write its items below it, each after \"- \"", r->name,
			node->line, field->name);
	items = arena_alloc(r->arena, (node->count + 1) * size);
	for (const struct sconf_node *item = node->first; item != NULL; item = item->next) {
		if (item_read(r, field, item, items + n++ * size, err) < 0)
			return -1;
	}
	memcpy(dst + field->offset, &items, sizeof(items));
	memcpy(dst + field->count_offset, &n, sizeof(n));
	return 0;
}

/* One pair of zone and address for each server of each zone. */
static int stubs_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, struct config_resolver *out, struct err *err)
{
	size_t n = 0;

	if (node->kind != SCONF_MAP && node->kind != SCONF_EMPTY)
		return err_set(err, ERR_PERM, "%s:%u: %s: write \"zone:\" lines below it", r->name,
			node->line, field->name);
	for (const struct sconf_node *zone = node->first; zone != NULL; zone = zone->next)
		n += zone->count;
	out->stub_zones = arena_alloc(r->arena, (n + 1) * sizeof(*out->stub_zones));
	out->stub_addrs = arena_alloc(r->arena, (n + 1) * sizeof(*out->stub_addrs));
	out->stub_count = 0;
	for (const struct sconf_node *zone = node->first; zone != NULL; zone = zone->next) {
		if (zone->kind != SCONF_LIST)
			return err_set(err, ERR_PERM,
				"%s:%u: %s: zone \"%.*s\" needs a list of name servers", r->name,
				zone->line, field->name, STR_FMT(zone->key));
		for (const struct sconf_node *s = zone->first; s != NULL; s = s->next) {
			if (s->kind != SCONF_VALUE)
				return err_set(err, ERR_PERM, "%s:%u: %s: empty item", r->name,
					s->line, field->name);
			if (server_check(r, field, s, err) < 0)
				return -1;
			out->stub_zones[out->stub_count] = arena_strdup(r->arena, zone->key);
			out->stub_addrs[out->stub_count++] = arena_strdup(r->arena, s->value);
		}
	}
	return 0;
}

static int scalar_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, char *at, struct err *err)
{
	uint64_t n[3] = {0, 0, 0};
	unsigned narrow[3];
	int64_t wide[3];

	if (field->type == CONFIG_UNSIGNED) {
		if (number_read(r, field, node, node->value, UINT_MAX, n, err) < 0)
			return -1;
	} else if (field->type == CONFIG_INT64) {
		if (number_read(r, field, node, node->value, INT64_MAX, n, err) < 0)
			return -1;
	} else if (triple_read(r, field, node, field->type == CONFIG_TRIPLE ? UINT_MAX : INT64_MAX,
			   n, err) < 0) {
		return -1;
	}
	for (size_t i = 0; i < 3; i++) {
		narrow[i] = (unsigned)n[i];
		wide[i] = (int64_t)n[i];
	}
	if (field->type == CONFIG_UNSIGNED)
		memcpy(at, narrow, sizeof(narrow[0]));
	else if (field->type == CONFIG_TRIPLE)
		memcpy(at, narrow, sizeof(narrow));
	else
		memcpy(at, wide, field->type == CONFIG_INT64 ? sizeof(wide[0]) : sizeof(wide));
	return 0;
}

static int log_format_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, enum log_format *out, struct err *err)
{
	if (!str_eq(node->value, STR("logfmt")) && !str_eq(node->value, STR("json")))
		return value_error(r, node, field, "logfmt or json", err);
	*out = node->value.p[0] == 'j' ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
	return 0;
}

int config_value_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, void *dst, struct err *err)
{
	void *at = (char *)dst + field->offset;

	if (field->type >= CONFIG_TEXTS && field->type <= CONFIG_CIDRS)
		return list_read(r, field, node, dst, err);
	if (field->type == CONFIG_STUBS)
		return stubs_read(r, field, node, at, err);
	if (node->kind != SCONF_VALUE)
		return err_set(
			err, ERR_PERM, "%s:%u: %s has no value", r->name, node->line, field->name);
	switch (field->type) {
	case CONFIG_TEXT:
		*(const char **)at = arena_strdup(r->arena, node->value);
		return 0;
	case CONFIG_PATH:
	case CONFIG_READABLE:
	case CONFIG_ANCHOR:
		return path_read(r, field, node, at, err);
	case CONFIG_HOSTNAME:
		return hostname_read(r, field, node, at, err);
	case CONFIG_URL_PATH:
		return url_path_read(r, field, node, at, err);
	case CONFIG_BOOL:
		return bool_read(r, field, node, at, err);
	case CONFIG_UNSIGNED:
	case CONFIG_INT64:
	case CONFIG_TRIPLE:
	case CONFIG_TRIPLE64:
		return scalar_read(r, field, node, at, err);
	case CONFIG_DURATION_MS:
	case CONFIG_DURATION_S:
		return duration_read(r, field, node, at, err);
	case CONFIG_LOG_LEVEL:
		return log_level_read(r, field, node, at, err);
	case CONFIG_LOG_FORMAT:
		return log_format_read(r, field, node, at, err);
	case CONFIG_TLS_VERSION:
		return tls_version_read(r, field, node, at, err);
	case CONFIG_TEXTS:
	case CONFIG_READABLES:
	case CONFIG_SERVERS:
	case CONFIG_ZONES:
	case CONFIG_IPS:
	case CONFIG_CIDRS:
	case CONFIG_STUBS:
	case CONFIG_SECTION:
	case CONFIG_SECTIONS:
	case CONFIG_MAP:
	case CONFIG_LISTENERS:
	case CONFIG_UNUSED:
		break;
	}
	return err_set(err, ERR_BUG, "%s:%u: %s: no value type", r->name, node->line, field->name);
}
