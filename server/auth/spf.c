/* check_host() of RFC 7208 section 4. Domains are raw octets here, as macros want them, and
 * become text that can be asked for at each look-up. */
#include "auth/spf_eval.h"

#include "base/utf8.h"

enum { LOOKUP_MS = 10 * 1000, EXPLAIN_MS = 5 * 1000 };

const char *spf_result_text(enum spf_result r)
{
	switch (r) {
	case SPF_NONE:
		return "none";
	case SPF_NEUTRAL:
		return "neutral";
	case SPF_PASS:
		return "pass";
	case SPF_FAIL:
		return "fail";
	case SPF_SOFTFAIL:
		return "softfail";
	case SPF_TEMPERROR:
		return "temperror";
	case SPF_PERMERROR:
		return "permerror";
	}
	return "none";
}

const char *spf_identity_text(enum spf_identity i)
{
	return i == SPF_HELO ? "helo" : "mailfrom";
}

/* --- look-ups --- */

struct str spf_printable(struct arena *arena, struct str raw)
{
	char *text = arena_strdup(arena, raw);

	for (size_t i = 0; i < raw.len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	}
	return (struct str){text, raw.len};
}

/* One server that does not answer may not use up all the time there is. */
static struct dns_asker asker(const struct spf_eval *e, int64_t ms)
{
	struct dns_asker q = *e->q;

	q.deadline = deadline_min(q.deadline, deadline_in_ms(ms));
	return q;
}

void spf_ask_many(struct spf_eval *e, const struct dns_request *requests, size_t count,
	struct dns_answer *out)
{
	struct dns_asker q = asker(e, LOOKUP_MS);
	struct err err;

	if (count == 0)
		return;
	if (dns_ask_many(&q, requests, count, e->arena, out, &err) < 0) {
		for (size_t i = 0; i < count; i++) /* not reached: the names were looked at */
			out[i] = (struct dns_answer){.status = DNS_NXDOMAIN};
	}
	for (size_t i = 0; i < count; i++) {
		e->asked = true;
		e->authentic = e->authentic && out[i].secure;
	}
}

void spf_ask(struct spf_eval *e, enum dns_type type, const char *name, struct dns_answer *out)
{
	spf_ask_many(e, &(struct dns_request){type, name}, 1, out);
}

void spf_ask_ptr(struct spf_eval *e, struct dns_answer *out)
{
	struct dns_asker q = asker(e, LOOKUP_MS);
	struct err err;

	if (dns_ask_ptr(&q, &e->args->ip, e->arena, out, &err) < 0)
		*out = (struct dns_answer){.status = DNS_NXDOMAIN}; /* no address at all */
	e->asked = true;
	e->authentic = e->authentic && out->secure;
}

const char *spf_domain_name(struct arena *arena, struct str raw)
{
	bool digits_only = true;
	size_t at;

	if (raw.len > 0 && raw.p[raw.len - 1] == '.')
		raw.len--;
	for (at = raw.len; at > 0 && raw.p[at - 1] != '.'; at--) {
		if (!ascii_is_alnum(raw.p[at - 1]) && raw.p[at - 1] != '-')
			return NULL;
		digits_only = digits_only && ascii_is_digit(raw.p[at - 1]);
	}
	return at == 0 || digits_only ? NULL : dns_name_from_octets(arena, raw);
}

/* --- records, sections 4.4 and 4.5 --- */

/* The one SPF record among TXT records; *count says how many there are. */
static struct str record_select(const struct dns_answer *answer, size_t *count)
{
	struct str found = {"", 0};

	*count = 0;
	for (size_t i = 0; i < answer->count; i++) {
		if (spf_record_is(answer->records[i].data)) {
			found = answer->records[i].data;
			(*count)++;
		}
	}
	return found;
}

struct str spf_trouble(
	struct arena *arena, const char *what, const char *name, const struct dns_answer *answer)
{
	return str_from(arena_printf(arena, "%s of %s could not be looked up: %s%s%.*s", what, name,
		dns_status_text(answer->status), answer->reason.len > 0 ? ", " : "",
		STR_FMT(answer->reason)));
}

void spf_record_fetch(struct spf_eval *e, const char *name, struct spf_record_answer *out)
{
	struct dns_answer answer;
	struct err err;
	size_t count;

	*out = (struct spf_record_answer){.text = {"", 0}, .problem = {"", 0}};
	spf_ask(e, DNS_TXT, name, &answer);
	out->authentic = answer.secure;
	if (dns_status_is_temporary(answer.status)) {
		out->result = SPF_TEMPERROR;
		out->problem = spf_trouble(e->arena, "the SPF record", name, &answer);
		return;
	}
	struct str text = record_select(&answer, &count);
	if (count == 0) {
		out->result = SPF_NONE;
		out->problem = str_from(arena_printf(e->arena, "%s %s", name,
			answer.status == DNS_NXDOMAIN ? "does not exist" : "has no SPF record"));
		return;
	}
	out->result = SPF_PERMERROR;
	out->text = spf_printable(e->arena, text);
	if (count > 1)
		out->problem =
			str_from(arena_printf(e->arena, "%s has %zu SPF records", name, count));
	else if (spf_record_parse(e->arena, text, &out->record, &err) < 0)
		out->problem = str_from(arena_printf(
			e->arena, "the SPF record of %s has a syntax error: %s", name, err.text));
	else
		out->result = SPF_PASS;
}

void spf_lookup(const struct dns_asker *q, const char *domain, struct arena *arena,
	struct spf_record_answer *out)
{
	struct spf_eval e = {.q = q, .arena = arena, .authentic = true};
	const char *name = spf_domain_name(arena, str_from(domain));

	if (name != NULL) {
		spf_record_fetch(&e, name, out);
		return;
	}
	*out = (struct spf_record_answer){.result = SPF_NONE,
		.text = {"", 0},
		.problem = str_from(arena_printf(arena, "\"%.*s\" is not a domain name",
			STR_FMT(spf_printable(arena, str_from(domain)))))};
}

/* --- explanation, section 6.2 --- */

static bool explanation_is_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	}
	return text.len > 0 && text.len <= SPF_EXPLANATION_MAX;
}

/* Whatever goes wrong, there is then no explanation. */
static void explain(struct spf_eval *e, const struct spf_outcome *o, struct spf_verdict *v)
{
	struct dns_asker q = asker(e, EXPLAIN_MS);
	struct dns_answer answer;
	struct buf text = {NULL, 0, 0};
	struct spf_macro_values values;
	struct str name_raw;
	struct err err;

	if (o->explain.len == 0 || !spf_target(e, o->explain, o->domain, &name_raw))
		return;
	const char *name = spf_domain_name(e->arena, name_raw);
	if (name == NULL || dns_ask(&q, DNS_TXT, name, e->arena, &answer, &err) < 0)
		return;
	e->authentic = e->authentic && answer.secure;
	if (answer.status != DNS_OK || answer.count != 1 ||
		spf_macro_check(answer.records[0].data, SPF_TEXT_EXPLAIN, &err) < 0)
		return;
	spf_values(e, o->domain, spf_macro_has_p(answer.records[0].data), &values);
	if (spf_macro_expand(answer.records[0].data, &values, &text) &&
		explanation_is_text(buf_str(&text)))
		v->explanation = arena_str(e->arena, buf_str(&text));
	buf_free(&text);
}

/* --- the check --- */

/* The identity as local part and domain: section 4.1 and 4.3. */
static void sender_split(
	struct spf_eval *e, const struct spf_args *args, enum spf_identity identity)
{
	struct str address = identity == SPF_HELO ? STR("") : args->mailfrom;
	size_t at = address.len;
	char ascii[DNS_NAME_MAX];
	struct err err;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	e->local = at > 1 ? (struct str){address.p, at - 1} : STR("postmaster");
	e->sender_domain = address.len > 0 ? str_skip(address, at) : args->helo;
	if (e->sender_domain.len > 0 && e->sender_domain.p[e->sender_domain.len - 1] == '.')
		e->sender_domain.len--;
	if (!str_is_ascii(e->sender_domain) &&
		dns_name_to_ascii(e->sender_domain, ascii, &err) == 0)
		e->sender_domain = arena_str(e->arena, str_from(ascii));
	e->sender = str_from(
		arena_printf(e->arena, "%.*s@%.*s", STR_FMT(e->local), STR_FMT(e->sender_domain)));
}

static struct str decided(struct spf_eval *e, const struct spf_verdict *v)
{
	char ip[IP_TEXT];
	struct str domain = v->domain;
	const char *client = ip_text(&e->args->ip, ip);

	switch (v->result) {
	case SPF_PASS:
		return str_from(arena_printf(e->arena, "%s may send for %.*s: \"%.*s\" matches.",
			client, STR_FMT(domain), STR_FMT(v->mechanism)));
	case SPF_FAIL:
		return str_from(
			arena_printf(e->arena, "%s may not send for %.*s: \"%.*s\" matches.",
				client, STR_FMT(domain), STR_FMT(v->mechanism)));
	case SPF_SOFTFAIL:
		return str_from(arena_printf(e->arena,
			"%s probably may not send for %.*s: \"%.*s\" matches.", client,
			STR_FMT(domain), STR_FMT(v->mechanism)));
	case SPF_NEUTRAL:
		return str_from(arena_printf(e->arena,
			"%.*s does not say whether %s may send for it (%.*s).", STR_FMT(domain),
			client, STR_FMT(v->mechanism)));
	case SPF_NONE:
	case SPF_TEMPERROR:
	case SPF_PERMERROR:
		break;
	}
	return str_from(arena_printf(e->arena, "No verdict: %.*s.", STR_FMT(v->problem)));
}

static void step_note(struct spf_eval *e, const struct spf_verdict *v, int64_t begin_ms)
{
	static const enum trace_state states[] = {[SPF_NONE] = TRACE_INFO,
		[SPF_NEUTRAL] = TRACE_INFO,
		[SPF_PASS] = TRACE_OK,
		[SPF_FAIL] = TRACE_BAD,
		[SPF_SOFTFAIL] = TRACE_WARN,
		[SPF_TEMPERROR] = TRACE_WARN,
		[SPF_PERMERROR] = TRACE_WARN};
	struct str detail[2];
	size_t n = 0;

	if (e->q->trace == NULL)
		return;
	if (v->record.len > 0)
		detail[n++] = v->record;
	if (v->explanation.len > 0)
		detail[n++] = str_from(
			arena_printf(e->arena, "Their explanation: %.*s", STR_FMT(v->explanation)));
	trace_add(e->q->trace,
		&(struct trace_step){.kind = "spf",
			.title = v->identity == SPF_HELO ? STR("SPF of the HELO name")
							 : STR("SPF of the sender's domain"),
			.state = states[v->result],
			.result = str_from(spf_result_text(v->result)),
			.dnssec = !e->asked      ? TRACE_DNSSEC_NONE
				  : v->authentic ? TRACE_SECURE
						 : TRACE_INSECURE,
			.text = decided(e, v),
			.detail = detail,
			.detail_count = n,
			.took_ms = clock_mono_ms() - begin_ms});
}

void spf_check(const struct dns_asker *q, const struct spf_args *args, enum spf_identity identity,
	struct arena *arena, struct spf_verdict *out)
{
	struct spf_eval e = {.q = q, .args = args, .arena = arena, .authentic = true};
	int64_t begin_ms = clock_mono_ms();
	struct spf_outcome o;

	if (args->mailfrom.len == 0)
		identity = SPF_HELO;
	sender_split(&e, args, identity);
	spf_check_host(&e, e.sender_domain, &o);
	char *domain = arena_strdup(arena, spf_printable(arena, e.sender_domain));
	str_lower(domain, strlen(domain));
	*out = (struct spf_verdict){.result = o.result,
		.identity = identity,
		.domain = str_from(domain),
		.mechanism = o.mechanism,
		.record = o.record,
		.explanation = {"", 0},
		.problem = spf_printable(arena, o.problem),
		.lookups = e.lookups,
		.void_lookups = e.voids};
	if (o.result == SPF_FAIL)
		explain(&e, &o, out);
	out->authentic = e.asked && e.authentic;
	step_note(&e, out, begin_ms);
}
