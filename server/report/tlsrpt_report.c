/* The JSON of RFC 8460 section 4.4:
 *
 * { "organization-name", "date-range": {"start-datetime", "end-datetime"}, "contact-info",
 *   "report-id", "policies": [ { "policy": {"policy-type", "policy-string": [], "policy-domain",
 *   "mx-host": []}, "summary": {"total-successful-session-count",
 *   "total-failure-session-count"}, "failure-details": [ {"result-type", "sending-mta-ip",
 *   "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip", "failed-session-count",
 *   "additional-information", "failure-reason-code"} ] } ] }
 */
#include "report/tlsrpt_report.h"

#include "dns/dns.h"

#include <jansson.h>
#include <time.h>

static const int64_t count_max = (int64_t)1 << 53; /* what JSON numbers carry exactly */

struct reader {
	struct arena *arena;
	size_t details; /* so far */
	struct err *err;
};

/* --- before jansson, which reads by recursion and keeps each value --- */

static int shape_check(struct str json, struct err *err)
{
	size_t depth = 0, values = 0;
	bool in_string = false;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.p[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == ',' || c == ':')
			values++;
		else if ((c == '{' || c == '[') && ++depth > TLSRPT_DEPTH_MAX)
			return err_set(
				err, ERR_PERM, "report: nested over %d deep", TLSRPT_DEPTH_MAX);
		else if ((c == '}' || c == ']') && (depth == 0 || --depth == 0))
			break; /* what follows is ignored */
		if (values > TLSRPT_VALUES_MAX)
			return err_set(err, ERR_PERM, "report: over %d values", TLSRPT_VALUES_MAX);
	}
	return 0;
}

/* --- members --- */

static struct str text_cut(struct arena *a, struct str s, size_t max)
{
	if (s.len > max) {
		s.len = max;
		while (s.len > 0 && ((unsigned char)s.p[s.len] & 0xc0) == 0x80)
			s.len--;
	}
	return arena_str(a, s);
}

static json_t *member(const json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	return json_is_null(v) ? NULL : v;
}

static int wrong(struct reader *r, const char *name, const char *want)
{
	return err_set(r->err, ERR_PERM, "report: %s is not %s", name, want);
}

/* Absent: empty. */
static int text_read(struct reader *r, const json_t *o, const char *name, struct str *out)
{
	json_t *v = member(o, name);

	*out = STR("");
	if (v == NULL)
		return 0;
	if (json_is_integer(v)) {
		*out = str_from(arena_printf(r->arena, "%lld", (long long)json_integer_value(v)));
		return 0;
	}
	if (!json_is_string(v))
		return wrong(r, name, "text");
	struct str text = {json_string_value(v), json_string_length(v)};
	*out = text_cut(r->arena, str_trim(text), TLSRPT_MEMBER_MAX);
	return 0;
}

/* Absent: 0. */
static int count_read(struct reader *r, const json_t *o, const char *name, int64_t *out)
{
	json_t *v = member(o, name);
	uint64_t n;

	*out = 0;
	if (v == NULL)
		return 0;
	if (json_is_integer(v))
		*out = json_integer_value(v);
	else if (json_is_real(v) && json_real_value(v) >= 0 &&
		 json_real_value(v) <= (double)count_max)
		*out = (int64_t)json_real_value(v);
	else if (json_is_string(v) &&
		 str_to_u64(str_trim(str_from(json_string_value(v))), (uint64_t)count_max, &n))
		*out = (int64_t)n;
	else
		return wrong(r, name, "a count");
	return *out < 0 || *out > count_max ? wrong(r, name, "a count") : 0;
}

/* Absent: an empty list. One text: a list of one. */
static int list_read(
	struct reader *r, const json_t *o, const char *name, struct str **out, size_t *count)
{
	json_t *v = member(o, name);
	size_t n = json_is_array(v) ? json_array_size(v) : v != NULL ? 1 : 0;

	*count = 0;
	if (n > TLSRPT_LIST_MAX)
		return err_set(
			r->err, ERR_PERM, "report: %s has over %d entries", name, TLSRPT_LIST_MAX);
	*out = arena_alloc(r->arena, (n + 1) * sizeof(**out));
	for (size_t i = 0; i < n; i++) {
		const json_t *e = json_is_array(v) ? json_array_get(v, i) : v;
		if (json_is_null(e))
			continue;
		if (!json_is_string(e))
			return wrong(r, name, "a list of texts");
		struct str text = {json_string_value(e), json_string_length(e)};
		(*out)[(*count)++] = text_cut(r->arena, str_trim(text), TLSRPT_STRING_MAX);
	}
	return 0;
}

/* --- time: RFC 3339 section 5.6, and the same without a zone --- */

static bool digits(struct str *s, size_t n, int *out)
{
	uint64_t v;

	if (s->len < n || !str_to_u64((struct str){s->p, n}, 9999, &v))
		return false;
	*out = (int)v;
	*s = str_skip(*s, n);
	return true;
}

static bool literal(struct str *s, char a, char b)
{
	if (s->len == 0 || (s->p[0] != a && s->p[0] != b))
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool zone_read(struct str *s, int64_t *offset_s)
{
	int h, m, sign = s->len > 0 && s->p[0] == '-' ? -1 : 1;

	*offset_s = 0;
	if (s->len == 0 || literal(s, 'Z', 'z'))
		return s->len == 0;
	if (!literal(s, '+', '-') || !digits(s, 2, &h))
		return false;
	(void)literal(s, ':', ':'); /* +0000 is seen too */
	if (!digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*offset_s = sign * (h * 3600 + m * 60);
	return s->len == 0;
}

static bool time_parse(struct str s, int64_t *unix_s)
{
	struct tm tm = {.tm_mday = 0};
	int64_t offset;

	if (!digits(&s, 4, &tm.tm_year) || !literal(&s, '-', '-') || !digits(&s, 2, &tm.tm_mon) ||
		!literal(&s, '-', '-') || !digits(&s, 2, &tm.tm_mday))
		return false;
	if (!literal(&s, 'T', 't') && !literal(&s, ' ', ' '))
		return false;
	if (!digits(&s, 2, &tm.tm_hour) || !literal(&s, ':', ':') || !digits(&s, 2, &tm.tm_min) ||
		!literal(&s, ':', ':') || !digits(&s, 2, &tm.tm_sec))
		return false;
	if (literal(&s, '.', ',')) {
		size_t before = s.len;
		while (s.len > 0 && ascii_is_digit(s.p[0]))
			s = str_skip(s, 1);
		if (s.len == before)
			return false;
	}
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 ||
		!zone_read(&s, &offset))
		return false;
	int day = tm.tm_mday, month = tm.tm_mon - 1;
	struct tm date = {.tm_year = tm.tm_year - 1900, .tm_mon = month, .tm_mday = day};
	if (timegm(&date) < 0 || date.tm_mday != day || date.tm_mon != month)
		return false; /* 31 February */
	*unix_s = (int64_t)timegm(&date) + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
	*unix_s -= offset;
	return *unix_s >= 0;
}

static int time_read(struct reader *r, const json_t *o, const char *name, int64_t *out)
{
	struct str text;

	if (text_read(r, o, name, &text) < 0)
		return -1;
	return time_parse(text, out) ? 0
				     : wrong(r, name, "a date and time like 2026-11-24T00:00:00Z");
}

/* --- the parts --- */

/* As the rest of the house has names; what is none stays as it is. */
static struct str domain_normal(struct reader *r, struct str name)
{
	char ascii[DNS_NAME_MAX];
	struct err ignored;

	if (str_ends(name, STR(".")))
		name.len--;
	if (name.len == 0 || dns_name_to_ascii(name, ascii, &ignored) < 0)
		return name;
	return arena_str(r->arena, str_from(ascii));
}

static int detail_read(struct reader *r, const json_t *o, struct store_tls_detail *d)
{
	if (!json_is_object(o))
		return wrong(r, "an entry of failure-details", "an object");
	if (text_read(r, o, "result-type", &d->result_type) < 0 ||
		text_read(r, o, "sending-mta-ip", &d->sending_mta_ip) < 0 ||
		text_read(r, o, "receiving-mx-hostname", &d->receiving_mx_hostname) < 0 ||
		text_read(r, o, "receiving-mx-helo", &d->receiving_mx_helo) < 0 ||
		text_read(r, o, "receiving-ip", &d->receiving_ip) < 0 ||
		text_read(r, o, "additional-information", &d->additional_information) < 0 ||
		text_read(r, o, "failure-reason-code", &d->failure_reason_code) < 0 ||
		count_read(r, o, "failed-session-count", &d->failed_session_count) < 0)
		return -1;
	d->receiving_mx_hostname = domain_normal(r, d->receiving_mx_hostname);
	return 0;
}

static int details_read(struct reader *r, const json_t *list, struct store_tls_policy *p)
{
	size_t n = json_is_array(list) ? json_array_size(list) : list != NULL ? 1 : 0;

	r->details += n;
	if (r->details > TLSRPT_DETAILS_MAX)
		return err_set(
			r->err, ERR_PERM, "report: over %d failure details", TLSRPT_DETAILS_MAX);
	p->details = arena_alloc(r->arena, (n + 1) * sizeof(*p->details));
	for (size_t i = 0; i < n; i++) {
		const json_t *e = json_is_array(list) ? json_array_get(list, i) : list;
		if (json_is_null(e))
			continue;
		if (detail_read(r, e, &p->details[p->detail_count]) < 0)
			return -1;
		p->detail_count++;
	}
	return 0;
}

static int policy_read(struct reader *r, const json_t *o, struct store_tls_policy *p)
{
	json_t *policy = member(o, "policy"), *summary = member(o, "summary");
	const char *mx = member(policy, "mx-host") != NULL ? "mx-host" : "mx-host-pattern";

	if (!json_is_object(policy))
		return wrong(r, "policy", "an object");
	if (summary != NULL && !json_is_object(summary))
		return wrong(r, "summary", "an object");
	if (text_read(r, policy, "policy-type", &p->type) < 0 ||
		text_read(r, policy, "policy-domain", &p->domain) < 0 ||
		list_read(r, policy, "policy-string", &p->strings, &p->string_count) < 0 ||
		list_read(r, policy, mx, &p->mx_hosts, &p->mx_host_count) < 0 ||
		count_read(r, summary, "total-successful-session-count", &p->successes) < 0 ||
		count_read(r, summary, "total-failure-session-count", &p->failures) < 0)
		return -1;
	p->domain = domain_normal(r, p->domain);
	return details_read(r, member(o, "failure-details"), p);
}

static int policies_read(struct reader *r, const json_t *list, struct tlsrpt_report *out)
{
	size_t n = json_is_array(list) ? json_array_size(list) : 1;

	if (!json_is_array(list) && !json_is_object(list))
		return wrong(r, "policies", "a list");
	if (n > TLSRPT_POLICIES_MAX)
		return err_set(r->err, ERR_PERM, "report: over %d policies", TLSRPT_POLICIES_MAX);
	out->policies = arena_alloc(r->arena, (n + 1) * sizeof(*out->policies));
	for (size_t i = 0; i < n; i++) {
		const json_t *e = json_is_array(list) ? json_array_get(list, i) : list;
		if (!json_is_object(e))
			return wrong(r, "an entry of policies", "an object");
		if (policy_read(r, e, &out->policies[i]) < 0)
			return -1;
		out->policy_count++;
	}
	return 0;
}

static int report_read(struct reader *r, const json_t *root, struct tlsrpt_report *out)
{
	const json_t *range = member(root, "date-range");

	if (!json_is_object(root))
		return err_set(r->err, ERR_PERM, "report: the JSON is not an object");
	if (!json_is_object(range))
		return wrong(r, "date-range", "an object");
	if (text_read(r, root, "organization-name", &out->organization) < 0 ||
		text_read(r, root, "contact-info", &out->contact) < 0 ||
		text_read(r, root, "report-id", &out->id) < 0 ||
		time_read(r, range, "start-datetime", &out->start_s) < 0 ||
		time_read(r, range, "end-datetime", &out->end_s) < 0)
		return -1;
	if (out->id.len == 0)
		return err_set(r->err, ERR_PERM, "report: there is no report-id");
	if (out->end_s < out->start_s)
		return err_set(r->err, ERR_PERM, "report: date-range ends before it starts");
	return policies_read(r, member(root, "policies"), out);
}

int tlsrpt_report_read(struct arena *a, struct str json, struct tlsrpt_report *out, struct err *err)
{
	struct reader r = {.arena = a, .err = err};
	json_error_t error;

	*out = (struct tlsrpt_report){.policy_count = 0};
	if (str_starts(json, STR("\xef\xbb\xbf")))
		json = str_skip(json, 3);
	if (json.len > TLSRPT_JSON_MAX)
		return err_set(err, ERR_PERM, "report: over %d octets", TLSRPT_JSON_MAX);
	if (shape_check(json, err) < 0)
		return -1;
	json_t *root = json_loadb(json.p ? json.p : "", json.len, JSON_DISABLE_EOF_CHECK, &error);
	if (root == NULL)
		return err_set(
			err, ERR_PERM, "report: not JSON: %s (line %d)", error.text, error.line);
	int rc = report_read(&r, root, out);
	json_decref(root);
	if (rc < 0)
		*out = (struct tlsrpt_report){.policy_count = 0};
	return rc;
}

int64_t tlsrpt_report_successes(const struct tlsrpt_report *r)
{
	int64_t n = 0;

	for (size_t i = 0; i < r->policy_count; i++)
		n += r->policies[i].successes;
	return n;
}

int64_t tlsrpt_report_failures(const struct tlsrpt_report *r)
{
	int64_t n = 0;

	for (size_t i = 0; i < r->policy_count; i++)
		n += r->policies[i].failures;
	return n;
}
