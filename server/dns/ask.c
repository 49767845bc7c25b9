#include "dns/ask.h"

#include "dns/internal.h"

#include <stdio.h>

enum { RECORDS_SHOWN = TRACE_DETAILS_MAX };

const char *dns_type_text(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_SRV:
		return "SRV";
	case DNS_TLSA:
		return "TLSA";
	case DNS_CAA:
		return "CAA";
	}
	return "?";
}

static struct str formatted(struct arena *arena, struct buf *b)
{
	struct str out = arena_str(arena, buf_str(b));

	buf_free(b);
	return out;
}

struct str dns_record_text(struct arena *arena, enum dns_type type, const struct dns_record *r)
{
	struct buf b = {NULL, 0, 0};
	char ip[IP_TEXT];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return arena_str(arena, str_from(ip_text(&r->ip, ip)));
	case DNS_TXT:
		return r->data;
	case DNS_MX:
		buf_printf(&b, "%u %.*s.", r->pref, STR_FMT(r->name));
		break;
	case DNS_SRV:
		buf_printf(&b, "%u %u %u %.*s.", r->pref, r->weight, r->port, STR_FMT(r->name));
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		buf_printf(&b, "%.*s.", STR_FMT(r->name));
		break;
	case DNS_CAA:
		buf_printf(&b, "%u %.*s \"%.*s\"", r->usage, STR_FMT(r->tag), STR_FMT(r->data));
		break;
	case DNS_TLSA:
		buf_printf(&b, "%u %u %u ", r->usage, r->selector, r->match);
		buf_hex(&b, r->data.p, r->data.len);
		break;
	}
	return formatted(arena, &b);
}

enum trace_dnssec dns_answer_dnssec(const struct dns_answer *answer)
{
	if (answer->status == DNS_BOGUS)
		return TRACE_BOGUS;
	if (dns_status_is_temporary(answer->status))
		return TRACE_DNSSEC_NONE;
	return answer->secure ? TRACE_SECURE : TRACE_INSECURE;
}

static struct dns_way way_of(const struct dns_asker *q)
{
	return (struct dns_way){.deadline = q->deadline, .unknown = q->unknown};
}

static void step_add(const struct dns_asker *q, const char *type, enum dns_type records,
	const char *name, int64_t begin_ms, struct arena *arena, const struct dns_answer *answer)
{
	struct str lines[RECORDS_SHOWN];
	struct buf title = {NULL, 0, 0};
	size_t n = answer->count < RECORDS_SHOWN ? answer->count : RECORDS_SHOWN;

	if (q->trace == NULL || (q->unknown != NULL && *q->unknown))
		return;
	for (size_t i = 0; i < n; i++) {
		const struct dns_record *r = &answer->records[i];
		enum dns_type t = records;
		if (t == DNS_A && r->ip.len == 16)
			t = DNS_AAAA;
		lines[i] = dns_record_text(arena, t, r);
	}
	buf_printf(&title, "%s %s", type, name);
	trace_add(q->trace, &(struct trace_step){.kind = "dns",
				    .title = buf_str(&title),
				    .state = answer->status == DNS_BOGUS               ? TRACE_BAD
					     : dns_status_is_temporary(answer->status) ? TRACE_WARN
										       : TRACE_INFO,
				    .result = str_from(dns_status_text(answer->status)),
				    .dnssec = dns_answer_dnssec(answer),
				    .text = answer->reason,
				    .detail = lines,
				    .detail_count = n,
				    .took_ms = clock_mono_ms() - begin_ms});
	buf_free(&title);
}

/* Without a resolver there is an answer all the same: none could be had. */
static int no_dns(const struct dns_asker *q, struct arena *arena, struct dns_answer *answer)
{
	if (q->dns != NULL)
		return 0;
	*answer = (struct dns_answer){.status = DNS_FAILED,
		.ede = DNS_EDE_UNKNOWN,
		.reason = arena_str(arena, STR("no resolver is set up"))};
	return 1;
}

int dns_ask(const struct dns_asker *q, enum dns_type type, const char *name, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	struct dns_way way = way_of(q);
	int64_t begin_ms = clock_mono_ms();

	if (no_dns(q, arena, answer) == 0 &&
		dns_lookup_way(
			q->dns, &(struct dns_request){type, name}, 1, &way, arena, answer, err) < 0)
		return -1;
	step_add(q, dns_type_text(type), type, name, begin_ms, arena, answer);
	return 0;
}

int dns_ask_many(const struct dns_asker *q, const struct dns_request *requests, size_t count,
	struct arena *arena, struct dns_answer *answers, struct err *err)
{
	struct dns_way way = way_of(q);
	int64_t begin_ms = clock_mono_ms();

	for (size_t i = 0; i < count && q->dns == NULL; i++)
		(void)no_dns(q, arena, &answers[i]);
	if (q->dns != NULL &&
		dns_lookup_way(q->dns, requests, count, &way, arena, answers, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		step_add(q, dns_type_text(requests[i].type), requests[i].type, requests[i].name,
			begin_ms, arena, &answers[i]);
	return 0;
}

int dns_ask_addr(const struct dns_asker *q, const char *name, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	struct dns_way way = way_of(q);
	int64_t begin_ms = clock_mono_ms();

	if (no_dns(q, arena, answer) == 0 &&
		dns_addr_way(q->dns, name, &way, arena, answer, err) < 0)
		return -1;
	step_add(q, "A/AAAA", DNS_A, name, begin_ms, arena, answer);
	return 0;
}

int dns_ask_ptr(const struct dns_asker *q, const struct ip *ip, struct arena *arena,
	struct dns_answer *answer, struct err *err)
{
	struct dns_way way = way_of(q);
	int64_t begin_ms = clock_mono_ms();
	char text[IP_TEXT];

	if (no_dns(q, arena, answer) == 0 && dns_ptr_way(q->dns, ip, &way, arena, answer, err) < 0)
		return -1;
	step_add(q, "PTR", DNS_PTR, ip_text(ip, text), begin_ms, arena, answer);
	return 0;
}
