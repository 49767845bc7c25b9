/* A resolver whose answers are in a text, for tests and machines without DNS.
 *
 * Records are lines as in a zone file, all names absolute, the final dot optional;
 * TTL (300) and "IN" may be left out:
 *
 *   example.org.            MX    10 mx.example.org.
 *   mx.example.org.    3600 IN A  192.0.2.1
 *   mx.example.org.         AAAA  2001:db8::1
 *   example.org.            TXT   "v=spf1 mx " "-all"      strings are joined; or one bare word
 *   example.org.            TXT   "quoted \" and \\ and \200"   any octet as \DDD
 *   www.example.org.        CNAME example.org.
 *   _25._tcp.mx.example.org TLSA  3 1 1 0a0b0c...
 *   1.2.0.192.in-addr.arpa  PTR   mx.example.org.          or: 192.0.2.1 PTR mx.example.org.
 *   example.org.            NS    ns.example.org.
 *   _smtp._tcp.example.org. SRV   0 5 25 mx.example.org.
 *   example.org.            CAA   0 issue "ca.example"
 *   null.example.           MX    0 .
 *
 * and lines that change how a request is answered. A request is "TYPE NAME"; TYPE is one of
 * a, aaaa, cname, mx, txt, ptr, ns, srv, tlsa, caa; ip, ipaddr and host stand for a and aaaa
 * both; the NAME of a ptr may be an address:
 *
 *   all-authentic                         answers are secure unless said otherwise
 *   authentic: tlsa _25._tcp.mx.example.  this one is secure
 *   inauthentic: cname www.example.org.   this one is not; wins over authentic
 *   fail: mx example.org.                 the name servers fail
 *   timeout: txt example.org.             as if the deadline had passed (at once)
 *   bogus: mx example.org. signature expired
 *   delay: a mx.example.org. 250          the answer takes so many milliseconds, or the deadline
 *                                         passes; requests made at once wait side by side
 *
 * CNAMEs are followed (at most 16) as a resolver does: each link is a request "cname NAME",
 * and the answer is secure only if every link is. A name without records is NXDOMAIN unless
 * it or a name below it has others. Lines starting with # and blank lines are skipped. */
#include "dns/internal.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	FIXTURE_MAX = 1024 * 1024, /* octets of text */
	FIXTURE_LINES_MAX = 20000,
	CNAMES_MAX = 16,
	FIELD_COUNT_MAX = 64,
	DELAY_MAX_MS = 60 * 1000,
	TTL_DEFAULT = 300,
	TTL_MAX = 7 * 86400
};

enum effect {
	EFFECT_AUTHENTIC,
	EFFECT_INAUTHENTIC,
	EFFECT_FAIL,
	EFFECT_TIMEOUT,
	EFFECT_BOGUS,
	EFFECT_DELAY
};

struct entry {
	struct str name;
	enum dns_type type;
	int64_t ttl_s;
	struct dns_record record;
};

struct directive {
	enum effect effect;
	enum dns_type type;
	struct str name;
	struct str reason;
};

struct fixture {
	struct arena *a;
	struct entry *entries;
	size_t entry_count;
	struct directive *directives;
	size_t directive_count;
	bool all_authentic;
};

static const struct {
	const char *text;
	enum dns_type type;
} type_names[] = {
	{"a", DNS_A},
	{"aaaa", DNS_AAAA},
	{"ns", DNS_NS},
	{"cname", DNS_CNAME},
	{"ptr", DNS_PTR},
	{"mx", DNS_MX},
	{"txt", DNS_TXT},
	{"srv", DNS_SRV},
	{"tlsa", DNS_TLSA},
	{"caa", DNS_CAA},
};

static bool type_parse(struct str text, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (str_eq_nocase(text, str_from(type_names[i].text))) {
			*type = type_names[i].type;
			return true;
		}
	}
	return false;
}

/* --- parsing --- */

/* The inside of a quoted string up to its end, escapes undone. False: it is not closed. */
static bool quoted_next(struct arena *a, struct str *rest, struct str *field)
{
	char *text = arena_alloc(a, rest->len + 1);
	struct str in = str_skip(*rest, 1);
	size_t len = 0;

	for (; in.len > 0 && in.p[0] != '"'; in = str_skip(in, 1)) {
		uint64_t octet;
		if (in.p[0] == '\\' && in.len > 1) {
			in = str_skip(in, 1);
			if (in.len > 2 && str_to_u64((struct str){in.p, 3}, 255, &octet)) {
				text[len++] = (char)octet;
				in = str_skip(in, 2);
				continue;
			}
		}
		text[len++] = in.p[0];
	}
	*field = (struct str){text, len};
	*rest = str_skip(in, 1);
	return in.len > 0;
}

/* The next word, or the inside of "quotes". False at the end; *bad: quotes not closed. */
static bool field_next(struct arena *a, struct str *rest, struct str *field, bool *bad)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	if (rest->len == 0)
		return false;
	if (rest->p[0] == '"') {
		*bad = !quoted_next(a, rest, field);
		return !*bad;
	}
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*field = (struct str){rest->p, n};
	*rest = str_skip(*rest, n);
	return true;
}

/* Lower case, without the last dot; "." becomes empty. */
static struct str name_make(struct arena *a, struct str name)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	char *text = arena_strdup(a, name);
	str_lower(text, name.len);
	return (struct str){text, name.len};
}

/* A name, or for PTR an address that stands for its reverse name. */
static struct str owner_make(struct arena *a, enum dns_type type, struct str text)
{
	struct ip ip;

	if (type != DNS_PTR || !ip_parse(text, &ip))
		return name_make(a, text);
	if (ip.len == 4)
		return str_from(arena_printf(a, "%u.%u.%u.%u.in-addr.arpa", ip.bytes[3],
			ip.bytes[2], ip.bytes[1], ip.bytes[0]));
	const char *name = "ip6.arpa";
	for (size_t i = 0; i < 16; i++)
		name = arena_printf(a, "%x.%x.%s", ip.bytes[i] & 15u, ip.bytes[i] >> 4, name);
	return str_from(name);
}

static bool number(struct str text, unsigned max, unsigned *value)
{
	uint64_t n;

	if (!str_to_u64(text, max, &n))
		return false;
	*value = (unsigned)n;
	return true;
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_decode(struct arena *a, const struct str *parts, size_t count, struct str *out)
{
	size_t total = 0, len = 0;

	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	char *data = arena_alloc(a, total / 2 + 1);
	int high = -1;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < parts[i].len; k++) {
			int v = hex_value(parts[i].p[k]);
			if (v < 0)
				return false;
			if (high >= 0)
				data[len++] = (char)(high << 4 | v);
			high = high >= 0 ? -1 : v;
		}
	}
	*out = (struct str){data, len};
	return high < 0;
}

static struct str join(struct arena *a, const struct str *parts, size_t count)
{
	size_t total = 0, len = 0;

	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	char *data = arena_alloc(a, total + 1);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(data + len, parts[i].p, parts[i].len);
		len += parts[i].len;
	}
	return (struct str){data, len};
}

static bool record_parse(
	struct arena *a, enum dns_type type, const struct str *f, size_t n, struct dns_record *r)
{
	*r = (struct dns_record){.name = STR(""), .data = STR(""), .tag = STR("")};
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return n == 1 && ip_parse(f[0], &r->ip) && r->ip.len == (type == DNS_A ? 4 : 16);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		r->name = n == 1 ? name_make(a, f[0]) : STR("");
		return n == 1;
	case DNS_MX:
		r->name = n == 2 ? name_make(a, f[1]) : STR("");
		return n == 2 && number(f[0], 65535, &r->pref);
	case DNS_SRV:
		r->name = n == 4 ? name_make(a, f[3]) : STR("");
		return n == 4 && number(f[0], 65535, &r->pref) && number(f[1], 65535, &r->weight) &&
		       number(f[2], 65535, &r->port);
	case DNS_TXT:
		r->data = join(a, f, n);
		return n > 0;
	case DNS_TLSA:
		return n > 3 && number(f[0], 255, &r->usage) && number(f[1], 255, &r->selector) &&
		       number(f[2], 255, &r->match) && hex_decode(a, f + 3, n - 3, &r->data);
	case DNS_CAA:
		if (n != 3 || !number(f[0], 255, &r->usage))
			return false;
		r->tag = arena_str(a, f[1]);
		r->data = arena_str(a, f[2]);
		return true;
	}
	return false;
}

static int entry_line(struct fixture *f, struct str line, struct err *err)
{
	struct str fields[FIELD_COUNT_MAX], field;
	size_t n = 0, at = 1;
	bool bad = false;
	uint64_t ttl = TTL_DEFAULT;
	enum dns_type type;

	while (n < FIELD_COUNT_MAX && field_next(f->a, &line, &field, &bad))
		fields[n++] = field;
	if (bad || n == FIELD_COUNT_MAX)
		return err_set(
			err, ERR_PERM, "%s", bad ? "quotes are not closed" : "too many fields");
	if (at < n && str_to_u64(fields[at], TTL_MAX, &ttl))
		at++;
	if (at < n && str_eq_nocase(fields[at], STR("IN")))
		at++;
	if (at >= n || !type_parse(fields[at], &type))
		return err_set(err, ERR_PERM, "no record type that is known");
	struct entry *e = &f->entries[f->entry_count];
	*e = (struct entry){
		.type = type, .ttl_s = (int64_t)ttl, .name = owner_make(f->a, type, fields[0])};
	if (!record_parse(f->a, type, fields + at + 1, n - at - 1, &e->record))
		return err_set(
			err, ERR_PERM, "bad data for a record of type %.*s", STR_FMT(fields[at]));
	f->entry_count++;
	return 0;
}

static void directive_add(struct fixture *f, enum effect effect, enum dns_type type,
	struct str name, struct str reason)
{
	f->directives[f->directive_count++] = (struct directive){.effect = effect,
		.type = type,
		.name = owner_make(f->a, type, name),
		.reason = arena_str(f->a, reason)};
}

/* 1 done, 0 not a directive, -1 a bad one. */
static int directive_line(struct fixture *f, struct str line, struct err *err)
{
	static const char *const words[] = {
		"authentic", "inauthentic", "fail", "timeout", "bogus", "delay"};
	struct str word, rest, type_text, name;
	enum dns_type type;
	bool bad = false;

	if (str_eq(line, STR("all-authentic"))) {
		f->all_authentic = true;
		return 1;
	}
	if (!str_split(line, ':', &word, &rest))
		return 0;
	for (int i = 0; i <= EFFECT_DELAY; i++) {
		if (!str_eq(word, str_from(words[i])))
			continue;
		if (!field_next(f->a, &rest, &type_text, &bad) ||
			!field_next(f->a, &rest, &name, &bad))
			return err_set(err, ERR_PERM, "%s: needs \"TYPE NAME\"", words[i]);
		uint64_t ms;
		if (i == EFFECT_DELAY && !str_to_u64(str_trim(rest), DELAY_MAX_MS, &ms))
			return err_set(err, ERR_PERM, "delay: needs milliseconds");
		if (str_eq(type_text, STR("ip")) || str_eq(type_text, STR("ipaddr")) ||
			str_eq(type_text, STR("host"))) {
			directive_add(f, (enum effect)i, DNS_A, name, str_trim(rest));
			directive_add(f, (enum effect)i, DNS_AAAA, name, str_trim(rest));
			return 1;
		}
		if (!type_parse(type_text, &type))
			return err_set(err, ERR_PERM, "%s: unknown type %.*s", words[i],
				STR_FMT(type_text));
		directive_add(f, (enum effect)i, type, name, str_trim(rest));
		return 1;
	}
	return 0;
}

static int lines_parse(struct fixture *f, struct str text, struct err *err)
{
	struct str line;

	for (size_t number_of = 1; str_next(&text, '\n', &line); number_of++) {
		if (number_of > FIXTURE_LINES_MAX)
			return err_set(err, ERR_PERM, "over %d lines", FIXTURE_LINES_MAX);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		line = str_trim(line);
		if (line.len == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		int rc = directive_line(f, line, err);
		if (rc == 0)
			rc = entry_line(f, line, err);
		if (rc < 0)
			return err_prefix(err, "line %zu", number_of);
	}
	return 0;
}

int fixture_open(struct str text, struct fixture **out, struct err *err)
{
	size_t lines = 1;

	*out = NULL;
	if (text.len > FIXTURE_MAX)
		return err_set(err, ERR_PERM, "DNS fixture: over %d octets", FIXTURE_MAX);
	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	struct fixture *f = mem_alloc(sizeof(*f));
	f->a = arena_open();
	f->entries = mem_alloc(lines * sizeof(*f->entries));
	f->directives = mem_alloc(2 * lines * sizeof(*f->directives)); /* a and aaaa */
	if (lines_parse(f, arena_str(f->a, text), err) < 0) {
		fixture_close(&f);
		return err_prefix(err, "DNS fixture");
	}
	*out = f;
	return 0;
}

void fixture_close(struct fixture **fp)
{
	struct fixture *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	free(f->entries);
	free(f->directives);
	arena_close(&f->a);
	free(f);
}

/* --- answering --- */

static const struct directive *directive_find(
	const struct fixture *f, enum effect effect, enum dns_type type, struct str name)
{
	for (size_t i = 0; i < f->directive_count; i++) {
		const struct directive *d = &f->directives[i];
		if (d->effect == effect && d->type == type && str_eq_nocase(d->name, name))
			return d;
	}
	return NULL;
}

static bool is_authentic(const struct fixture *f, enum dns_type type, struct str name)
{
	if (directive_find(f, EFFECT_INAUTHENTIC, type, name) != NULL)
		return false;
	return f->all_authentic || directive_find(f, EFFECT_AUTHENTIC, type, name) != NULL;
}

/* Whether the request is one that goes wrong; the answer says how. */
static bool goes_wrong(
	const struct fixture *f, enum dns_type type, struct str name, struct dns_answer *out)
{
	const struct directive *d;

	out->secure = false;
	if (directive_find(f, EFFECT_FAIL, type, name) != NULL) {
		out->status = DNS_FAILED;
		out->reason = STR("the name servers answer SERVFAIL");
	} else if (directive_find(f, EFFECT_TIMEOUT, type, name) != NULL) {
		out->status = DNS_TIMEOUT;
		out->reason = STR("no answer in time");
	} else if ((d = directive_find(f, EFFECT_BOGUS, type, name)) != NULL) {
		out->status = DNS_BOGUS;
		out->reason = d->reason.len > 0 ? d->reason : STR("DNSSEC validation failed");
		out->ede = ede_of_bogus(out->reason);
	} else {
		return false;
	}
	return true;
}

static const struct entry *cname_find(const struct fixture *f, struct str name)
{
	for (size_t i = 0; i < f->entry_count; i++) {
		const struct entry *e = &f->entries[i];
		if (e->type == DNS_CNAME && str_eq_nocase(e->name, name))
			return e;
	}
	return NULL;
}

static bool is_below(struct str name, struct str parent)
{
	return name.len > parent.len && name.p[name.len - parent.len - 1] == '.' &&
	       str_eq_nocase(str_skip(name, name.len - parent.len), parent);
}

/* The records of exactly this name and type. */
static void records_collect(const struct fixture *f, enum dns_type type, struct str name,
	struct arena *a, struct dns_answer *out)
{
	bool exists = false;

	out->records = arena_alloc(a, (f->entry_count + 1) * sizeof(*out->records));
	out->ttl_s = TTL_DEFAULT;
	for (size_t i = 0; i < f->entry_count; i++) {
		const struct entry *e = &f->entries[i];
		bool same = str_eq_nocase(e->name, name);
		exists = exists || same || is_below(e->name, name);
		if (!same || e->type != type)
			continue;
		if (out->count == 0 || e->ttl_s < out->ttl_s)
			out->ttl_s = e->ttl_s;
		struct dns_record *r = &out->records[out->count++];
		*r = e->record;
		r->name = arena_str(a, r->name);
		r->data = arena_str(a, r->data);
		r->tag = arena_str(a, r->tag);
	}
	out->status = out->count > 0 ? DNS_OK : exists ? DNS_NODATA : DNS_NXDOMAIN;
}

int64_t fixture_delay_ms(const struct fixture *f, enum dns_type type, const char *name)
{
	const struct directive *d = directive_find(f, EFFECT_DELAY, type, str_from(name));
	uint64_t ms = 0;

	return d != NULL && str_to_u64(d->reason, DELAY_MAX_MS, &ms) ? (int64_t)ms : 0;
}

void fixture_ask(const struct fixture *f, enum dns_type type, const char *name, struct arena *a,
	struct dns_answer *out)
{
	struct str at = str_from(str_eq(str_from(name), STR(".")) ? "" : name);
	bool secure = true;

	*out = (struct dns_answer){
		.reason = STR(""), .ede = DNS_EDE_UNKNOWN, .canonical = name_make(a, at)};
	for (int links = 0;; links++) {
		if (goes_wrong(f, type, at, out))
			return;
		const struct entry *cname = type == DNS_CNAME ? NULL : cname_find(f, at);
		if (cname == NULL)
			break;
		if (links == CNAMES_MAX) {
			out->status = DNS_FAILED;
			out->reason = STR("CNAMEs in a circle, or too many");
			return;
		}
		if (goes_wrong(f, DNS_CNAME, at, out))
			return;
		secure = secure && is_authentic(f, DNS_CNAME, at);
		at = cname->record.name;
		out->canonical = arena_str(a, at);
	}
	records_collect(f, type, at, a, out);
	out->secure = secure && is_authentic(f, type, at);
}
