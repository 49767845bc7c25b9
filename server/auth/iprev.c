#include "auth/iprev.h"

enum { LOOKUP_MS = 10 * 1000 };

const char *iprev_result_text(enum iprev_result r)
{
	switch (r) {
	case IPREV_PASS:
		return "pass";
	case IPREV_FAIL:
		return "fail";
	case IPREV_TEMPERROR:
		return "temperror";
	case IPREV_PERMERROR:
		return "permerror";
	}
	return "temperror";
}

static bool answer_has(const struct dns_answer *answer, const struct ip *ip)
{
	for (size_t i = 0; i < answer->count; i++) {
		if (ip_equal(&answer->records[i].ip, ip))
			return true;
	}
	return false;
}

/* The names of the address, without those that cannot be asked for. */
static size_t names_take(const struct dns_answer *ptr, const struct ip *ip, struct arena *arena,
	struct iprev_verdict *out, struct dns_request requests[IPREV_NAMES_MAX])
{
	struct str *names = arena_alloc(arena, IPREV_NAMES_MAX * sizeof(*names));
	size_t count = 0;

	for (size_t i = 0; i < ptr->count && count < IPREV_NAMES_MAX; i++) {
		if (!dns_name_askable(ptr->records[i].name))
			continue;
		char *name = arena_strdup(arena, ptr->records[i].name);
		requests[count] = (struct dns_request){ip->len == 4 ? DNS_A : DNS_AAAA, name};
		names[count++] = str_from(name);
	}
	out->names = names;
	out->name_count = count;
	if (count > 0)
		out->name = names[0];
	return count;
}

static void forward_judge(const struct dns_answer *answers, size_t count, const struct ip *ip,
	struct arena *arena, struct iprev_verdict *out)
{
	size_t failed = count;
	char text[IP_TEXT];

	for (size_t i = 0; i < count; i++) {
		out->authentic = out->authentic && answers[i].secure;
		if (answer_has(&answers[i], ip)) {
			out->result = IPREV_PASS;
			out->name = out->names[i];
			return;
		}
		if (dns_status_is_temporary(answers[i].status))
			failed = i;
	}
	if (failed < count) {
		out->result = IPREV_TEMPERROR;
		out->problem = str_from(arena_printf(arena,
			"the addresses of %.*s could not be looked up: %s",
			STR_FMT(out->names[failed]), dns_status_text(answers[failed].status)));
		return;
	}
	out->result = IPREV_FAIL;
	out->problem = str_from(arena_printf(arena, "%s is called %.*s, which has another address",
		ip_text(ip, text), STR_FMT(out->name)));
}

static void check(const struct dns_asker *q, const struct ip *ip, struct arena *arena,
	struct iprev_verdict *out)
{
	struct dns_request requests[IPREV_NAMES_MAX];
	struct dns_answer ptr, answers[IPREV_NAMES_MAX];
	char text[IP_TEXT];
	struct err err;

	*out = (struct iprev_verdict){
		.result = IPREV_TEMPERROR, .name = {"", 0}, .problem = {"", 0}};
	if (dns_ask_ptr(q, ip, arena, &ptr, &err) < 0) {
		out->problem = STR("there is no client address");
		return;
	}
	out->authentic = ptr.secure;
	if (dns_status_is_temporary(ptr.status)) {
		out->problem =
			str_from(arena_printf(arena, "the name of %s could not be looked up: %s",
				ip_text(ip, text), dns_status_text(ptr.status)));
		return;
	}
	size_t count = names_take(&ptr, ip, arena, out, requests);
	if (count == 0) {
		out->result = IPREV_PERMERROR;
		out->problem =
			str_from(arena_printf(arena, "%s has no name in DNS", ip_text(ip, text)));
		return;
	}
	if (dns_ask_many(q, requests, count, arena, answers, &err) < 0) {
		out->problem = arena_str(arena, str_from(err.text));
		return;
	}
	forward_judge(answers, count, ip, arena, out);
}

static void step_note(const struct dns_asker *q, const struct ip *ip, struct arena *arena,
	const struct iprev_verdict *v, int64_t begin_ms)
{
	static const enum trace_state states[] = {[IPREV_PASS] = TRACE_OK,
		[IPREV_FAIL] = TRACE_WARN,
		[IPREV_TEMPERROR] = TRACE_WARN,
		[IPREV_PERMERROR] = TRACE_WARN};
	char text[IP_TEXT];

	if (q->trace == NULL)
		return;
	struct str words = v->result == IPREV_PASS
				   ? str_from(arena_printf(arena,
					     "%s is called %.*s, and that name leads back to it.",
					     ip_text(ip, text), STR_FMT(v->name)))
				   : str_from(arena_printf(arena, "%.*s.", STR_FMT(v->problem)));
	trace_add(q->trace, &(struct trace_step){.kind = "iprev",
				    .title = STR("Name of the client"),
				    .state = states[v->result],
				    .result = str_from(iprev_result_text(v->result)),
				    .dnssec = v->result == IPREV_TEMPERROR ? TRACE_DNSSEC_NONE
					      : v->authentic               ? TRACE_SECURE
									   : TRACE_INSECURE,
				    .text = words,
				    .took_ms = clock_mono_ms() - begin_ms});
}

void iprev_check(const struct dns_asker *q, const struct ip *ip, struct arena *arena,
	struct iprev_verdict *out)
{
	int64_t begin_ms = clock_mono_ms();
	struct dns_asker slow = *q;

	/* Two rounds: each may take so long at most. */
	slow.deadline = deadline_min(q->deadline, deadline_in_ms(2 * LOOKUP_MS));
	check(&slow, ip, arena, out);
	step_note(q, ip, arena, out, begin_ms);
}
