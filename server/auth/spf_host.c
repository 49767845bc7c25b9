/* Going through a record: RFC 7208 sections 4.6 to 6.1. */
#include "auth/spf_eval.h"

enum step { STEP_NO_MATCH, STEP_MATCH, STEP_TEMPERROR, STEP_PERMERROR };

/* --- limits, section 4.6.4 --- */

static enum step permerror(struct spf_outcome *out, const char *text)
{
	out->problem = str_from(text);
	return STEP_PERMERROR;
}

static bool over_lookups(struct spf_eval *e, struct spf_outcome *out)
{
	if (++e->lookups <= SPF_LOOKUPS_MAX)
		return false;
	(void)permerror(out, arena_printf(e->arena,
				     "the record needs over %d look-ups (or leads back to itself)",
				     SPF_LOOKUPS_MAX));
	return true;
}

/* One for each term that asked in vain. */
static bool over_voids(struct spf_eval *e, struct spf_outcome *out)
{
	if (++e->voids <= SPF_VOIDS_MAX)
		return false;
	(void)permerror(out, arena_printf(e->arena, "over %d look-ups of the record find nothing",
				     SPF_VOIDS_MAX));
	return true;
}

static bool is_void(const struct dns_answer *answer)
{
	return answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA;
}

/* --- names of the client, sections 5.5 and 7.3 --- */

static enum dns_type address_type(const struct spf_eval *e)
{
	return e->args->ip.len == 4 ? DNS_A : DNS_AAAA;
}

static bool answer_has_ip(const struct dns_answer *answer, const struct ip *ip, unsigned bits)
{
	struct ip wanted = ip_mask(ip, bits);

	for (size_t i = 0; i < answer->count; i++) {
		struct ip got = ip_mask(&answer->records[i].ip, bits);
		if (ip_equal(&got, &wanted))
			return true;
	}
	return false;
}

static unsigned ip_bits(const struct ip *ip)
{
	return ip->len * 8u;
}

/* The names that lead back to the client, kept for the rest of the check. Returns whether the
 * address has no name at all. */
static bool names_find(struct spf_eval *e)
{
	struct dns_request requests[SPF_NAMES_MAX];
	struct dns_answer ptr, answers[SPF_NAMES_MAX];
	size_t count = 0;

	if (e->names_known)
		return false;
	e->names_known = true;
	spf_ask_ptr(e, &ptr);
	for (size_t i = 0; i < ptr.count && count < SPF_NAMES_MAX; i++) {
		char *name = arena_strdup(e->arena, ptr.records[i].name);
		if (dns_name_askable(ptr.records[i].name))
			requests[count++] = (struct dns_request){address_type(e), name};
	}
	spf_ask_many(e, requests, count, answers);
	for (size_t i = 0; i < count; i++) {
		if (answer_has_ip(&answers[i], &e->args->ip, ip_bits(&e->args->ip)))
			e->names[e->name_count++] = str_from(requests[i].name);
	}
	return is_void(&ptr);
}

static bool is_at_or_below(struct str name, struct str domain)
{
	if (name.len <= domain.len)
		return str_eq_nocase(name, domain);
	return name.p[name.len - domain.len - 1] == '.' &&
	       str_eq_nocase(str_skip(name, name.len - domain.len), domain);
}

/* For %{p}: the domain itself, or a name below it, or any. */
static struct str validated_name(struct spf_eval *e, struct str domain)
{
	struct str best = {"unknown", 7};

	(void)names_find(e);
	for (size_t i = 0; i < e->name_count; i++) {
		if (str_eq_nocase(e->names[i], domain))
			return e->names[i];
		if (i == 0 ||
			(is_at_or_below(e->names[i], domain) && !is_at_or_below(best, domain)))
			best = e->names[i];
	}
	return best;
}

/* --- macros --- */

void spf_values(struct spf_eval *e, struct str domain, bool with_p, struct spf_macro_values *out)
{
	*out = (struct spf_macro_values){.sender = e->sender,
		.local = e->local,
		.sender_domain = e->sender_domain,
		.domain = domain,
		.helo = e->args->helo,
		.receiver = e->args->receiver,
		.ip = e->args->ip,
		.validated = with_p ? validated_name(e, domain) : STR("unknown"),
		.now_unix_s = e->args->now_unix_s};
}

bool spf_target(struct spf_eval *e, struct str spec, struct str domain, struct str *target)
{
	struct spf_macro_values values;
	struct buf text = {NULL, 0, 0};

	*target = domain;
	if (spec.len == 0)
		return true;
	spf_values(e, domain, spf_macro_has_p(spec), &values);
	bool fits = spf_macro_expand(spec, &values, &text);
	*target = spf_macro_name(arena_str(e->arena, buf_str(&text)));
	buf_free(&text);
	return fits;
}

/* The name a term asks for, or NULL: no such name can be, so nothing matches (our choice of
 * what section 4.8 leaves open). %{p} is a look-up of its own, once (section 4.6.4). */
static const char *term_name(
	struct spf_eval *e, struct str spec, struct str domain, struct str *target)
{
	if (!spf_target(e, spec, domain, target))
		return NULL;
	return spf_domain_name(e->arena, *target);
}

/* --- mechanisms, section 5 --- */

static enum step failed(struct spf_eval *e, struct spf_outcome *out, const char *what,
	const char *name, const struct dns_answer *answer)
{
	out->problem = spf_trouble(e->arena, what, name, answer);
	return STEP_TEMPERROR;
}

static unsigned term_bits(const struct spf_eval *e, const struct spf_term *term)
{
	return e->args->ip.len == 4 ? term->bits4 : term->bits6;
}

/* a, exists: one question. */
static enum step a_step(
	struct spf_eval *e, const struct spf_term *term, const char *name, struct spf_outcome *out)
{
	enum dns_type type = term->mechanism == SPF_EXISTS ? DNS_A : address_type(e);
	struct dns_answer answer;

	spf_ask(e, type, name, &answer);
	if (dns_status_is_temporary(answer.status))
		return failed(e, out, "addresses", name, &answer);
	if (is_void(&answer))
		return over_voids(e, out) ? STEP_PERMERROR : STEP_NO_MATCH;
	if (term->mechanism == SPF_EXISTS)
		return STEP_MATCH;
	return answer_has_ip(&answer, &e->args->ip, term_bits(e, term)) ? STEP_MATCH
									: STEP_NO_MATCH;
}

/* The hosts are asked side by side; one that matches is enough, whatever the others do. */
static enum step mx_hosts_step(struct spf_eval *e, const struct spf_term *term,
	const struct dns_answer *mx, struct spf_outcome *out)
{
	struct dns_request requests[SPF_NAMES_MAX];
	struct dns_answer answers[SPF_NAMES_MAX];
	size_t count = 0, voids = 0;

	for (size_t i = 0; i < mx->count; i++) {
		if (dns_name_askable(mx->records[i].name)) /* not the null MX */
			requests[count++] = (struct dns_request){
				address_type(e), arena_strdup(e->arena, mx->records[i].name)};
	}
	spf_ask_many(e, requests, count, answers);
	for (size_t i = 0; i < count; i++) {
		if (answer_has_ip(&answers[i], &e->args->ip, term_bits(e, term)))
			return STEP_MATCH;
		voids += is_void(&answers[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (dns_status_is_temporary(answers[i].status))
			return failed(e, out, "addresses", requests[i].name, &answers[i]);
	}
	return count > 0 && voids == count && over_voids(e, out) ? STEP_PERMERROR : STEP_NO_MATCH;
}

static enum step mx_step(
	struct spf_eval *e, const struct spf_term *term, const char *name, struct spf_outcome *out)
{
	struct dns_answer mx;

	spf_ask(e, DNS_MX, name, &mx);
	if (dns_status_is_temporary(mx.status))
		return failed(e, out, "mail hosts", name, &mx);
	if (is_void(&mx))
		return over_voids(e, out) ? STEP_PERMERROR : STEP_NO_MATCH;
	if (mx.count > SPF_NAMES_MAX)
		return permerror(out,
			arena_printf(e->arena, "%s has over %d mail hosts", name, SPF_NAMES_MAX));
	return mx_hosts_step(e, term, &mx, out);
}

static enum step ptr_step(struct spf_eval *e, struct str target, struct spf_outcome *out)
{
	if (names_find(e) && over_voids(e, out))
		return STEP_PERMERROR;
	for (size_t i = 0; i < e->name_count; i++) {
		if (is_at_or_below(e->names[i], target))
			return STEP_MATCH;
	}
	return STEP_NO_MATCH;
}

static enum step include_step(struct spf_eval *e, struct str target, struct spf_outcome *out)
{
	struct spf_outcome inner;

	spf_check_host(e, target, &inner);
	switch (inner.result) { /* section 5.2 */
	case SPF_PASS:
		return STEP_MATCH;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return STEP_NO_MATCH;
	case SPF_TEMPERROR:
		out->problem = inner.problem;
		return STEP_TEMPERROR;
	case SPF_PERMERROR:
	case SPF_NONE:
		out->problem = inner.problem;
		return STEP_PERMERROR;
	}
	return STEP_PERMERROR;
}

static enum step ip_step(const struct spf_eval *e, const struct spf_term *term)
{
	struct cidr net = {.bits = term->mechanism == SPF_IP4 ? term->bits4 : term->bits6};

	net.ip = ip_mask(&term->ip, net.bits);
	return cidr_contains(&net, &e->args->ip) ? STEP_MATCH : STEP_NO_MATCH;
}

static enum step term_step(
	struct spf_eval *e, const struct spf_term *term, struct str domain, struct spf_outcome *out)
{
	struct str target;

	if (term->mechanism == SPF_ALL)
		return STEP_MATCH;
	if (term->mechanism == SPF_IP4 || term->mechanism == SPF_IP6)
		return ip_step(e, term);
	if (over_lookups(e, out))
		return STEP_PERMERROR;
	if (spf_macro_has_p(term->domain_spec) && !e->names_known && over_lookups(e, out))
		return STEP_PERMERROR;
	const char *name = term_name(e, term->domain_spec, domain, &target);
	switch (term->mechanism) {
	case SPF_INCLUDE:
		return include_step(e, target, out);
	case SPF_PTR:
		return ptr_step(e, target, out);
	case SPF_MX:
		return name == NULL ? STEP_NO_MATCH : mx_step(e, term, name, out);
	case SPF_A:
	case SPF_EXISTS:
		return name == NULL ? STEP_NO_MATCH : a_step(e, term, name, out);
	case SPF_ALL:
	case SPF_IP4:
	case SPF_IP6:
		break;
	}
	return STEP_NO_MATCH;
}

/* --- a record --- */

/* True when a term decided, or ended the check. */
static bool terms_run(struct spf_eval *e, const struct spf_record *record, struct str domain,
	struct spf_outcome *out)
{
	for (size_t i = 0; i < record->term_count; i++) {
		const struct spf_term *term = &record->terms[i];
		switch (term_step(e, term, domain, out)) {
		case STEP_NO_MATCH:
			continue;
		case STEP_MATCH:
			out->result = term->qualifier;
			out->mechanism = arena_str(e->arena, term->text);
			return true;
		case STEP_TEMPERROR:
			out->result = SPF_TEMPERROR;
			return true;
		case STEP_PERMERROR:
			out->result = SPF_PERMERROR;
			return true;
		}
	}
	return false;
}

/* The domain to go on with after a record that did not decide: section 6.1. False: the check
 * ends here. */
static bool redirect_follow(struct spf_eval *e, const struct spf_record *record, struct str *domain,
	struct spf_outcome *out)
{
	struct str target;

	if (record->redirect.len == 0) {
		out->result = SPF_NEUTRAL; /* section 4.7 */
		out->mechanism = STR("default");
		return false;
	}
	out->result = SPF_PERMERROR;
	if (over_lookups(e, out))
		return false;
	if (spf_macro_has_p(record->redirect) && !e->names_known && over_lookups(e, out))
		return false;
	if (term_name(e, record->redirect, *domain, &target) == NULL) {
		(void)permerror(out, "the record redirects to what is no domain name");
		return false;
	}
	*domain = target;
	return true;
}

void spf_check_host(struct spf_eval *e, struct str domain, struct spf_outcome *out)
{
	struct spf_record_answer answer;

	*out = (struct spf_outcome){.result = SPF_NONE,
		.mechanism = {"", 0},
		.problem = {"", 0},
		.record = {"", 0},
		.explain = {"", 0}};
	for (bool redirected = false;; redirected = true) {
		const char *name = spf_domain_name(e->arena, domain);
		if (name == NULL) { /* section 4.3 */
			out->problem =
				str_from(arena_printf(e->arena, "\"%.*s\" is not a domain name",
					STR_FMT(spf_printable(e->arena, domain))));
			return;
		}
		spf_record_fetch(e, name, &answer);
		if (!redirected)
			out->record = answer.text;
		out->domain = domain;
		if (answer.result != SPF_PASS) {
			bool none = answer.result == SPF_NONE && redirected;
			out->result = none ? SPF_PERMERROR : answer.result;
			out->problem = answer.problem;
			return;
		}
		out->explain = answer.record.explain;
		if (terms_run(e, &answer.record, domain, out))
			return;
		if (!redirect_follow(e, &answer.record, &domain, out))
			return;
	}
}
