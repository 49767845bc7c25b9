/* What a domain publishes now: the TXT record, and the policy file over HTTPS. */
#include "policy/mtasts_priv.h"

#include <stdarg.h>
#include <stdio.h>

static const char prefix[] = "_mta-sts.";

const char *mtasts_status_text(enum mtasts_status s)
{
	switch (s) {
	case MTASTS_OK:
		return "ok";
	case MTASTS_NO_RECORD:
		return "no-record";
	case MTASTS_DNS:
		return "dns-error";
	case MTASTS_RECORD_SYNTAX:
		return "record-syntax-error";
	case MTASTS_MULTIPLE:
		return "multiple-records";
	case MTASTS_NO_POLICY:
		return "no-policy";
	case MTASTS_FETCH:
		return "cannot-fetch-policy";
	case MTASTS_POLICY_SYNTAX:
		return "policy-syntax-error";
	}
	return "?";
}

__attribute__((format(printf, 5, 6))) static void verdict(struct mtasts_lookup *out,
	enum mtasts_status status, enum tls_result_type fact, const char *reason, const char *fmt,
	...);

static void verdict(struct mtasts_lookup *out, enum mtasts_status status, enum tls_result_type fact,
	const char *reason, const char *fmt, ...)
{
	va_list args;

	out->status = status;
	out->fact = fact;
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	va_start(args, fmt);
	(void)vsnprintf(out->text, sizeof(out->text), fmt, args);
	va_end(args);
}

static void no_record(struct mtasts_lookup *out, const char *domain)
{
	verdict(out, MTASTS_NO_RECORD, TLS_RESULT_STS_POLICY_FETCH_ERROR,
		"no-mta-sts-dns-txt-record",
		"%.253s does not use MTA-STS: there is no such TXT record at _mta-sts.%.253s",
		domain, domain);
}

static void dns_trouble(
	struct mtasts_lookup *out, const char *name, const struct dns_answer *answer)
{
	char reason[TLS_REASON_MAX];

	if (dns_ede_is_dnssec(answer->ede))
		tls_ede_reason(reason, "dns-extended-error", answer->ede);
	else
		snprintf(reason, sizeof(reason), "dns-lookup");
	verdict(out, MTASTS_DNS, TLS_RESULT_STS_POLICY_FETCH_ERROR, reason,
		"TXT look-up of %.253s: %s%s%.*s", name, dns_status_text(answer->status),
		answer->reason.len > 0 ? ": " : "",
		(int)(answer->reason.len < 150 ? answer->reason.len : 150),
		answer->reason.p ? answer->reason.p : "");
}

static void records_read(struct arena *a, const char *domain, const struct dns_answer *answer,
	struct mtasts_lookup *out)
{
	struct mtasts_record record;
	struct err why;
	size_t found = 0;

	for (size_t i = 0; i < answer->count; i++) {
		int rc = mtasts_record_parse(a, answer->records[i].data, &record, &why);
		if (rc < 0) {
			out->record_text = answer->records[i].data;
			verdict(out, MTASTS_RECORD_SYNTAX, TLS_RESULT_STS_POLICY_FETCH_ERROR,
				"record-syntax-error", "TXT record of _mta-sts.%.253s: %.200s",
				domain, why.text);
			return;
		}
		if (rc == 1 && found++ == 0) {
			out->record = record;
			out->record_text = answer->records[i].data;
		}
	}
	if (found > 1) {
		verdict(out, MTASTS_MULTIPLE, TLS_RESULT_STS_POLICY_FETCH_ERROR,
			"multiple-mta-sts-records",
			"_mta-sts.%.253s has %zu MTA-STS records; there may be one", domain, found);
	} else if (found == 0) {
		no_record(out, domain);
	} else {
		out->has_record = true;
		out->status = MTASTS_OK;
		out->fact = TLS_RESULT_SUCCESS;
	}
}

int mtasts_record_get(const char *domain, const struct dns_asker *ask, struct arena *a,
	struct mtasts_lookup *out, struct err *err)
{
	char name[sizeof(prefix) + DNS_NAME_MAX];
	struct dns_asker q = *ask;
	struct dns_answer answer;

	*out = (struct mtasts_lookup){.status = MTASTS_NO_RECORD};
	q.deadline = deadline_min(q.deadline, deadline_in_ms(MTASTS_DNS_MS));
	snprintf(name, sizeof(name), "%s%s", prefix, domain);
	if (strlen(name) >= DNS_NAME_MAX) { /* there can be no such name */
		no_record(out, domain);
		return 0;
	}
	if (dns_ask(&q, DNS_TXT, name, a, &answer, err) < 0)
		return -1;
	out->record_secure = answer.secure;
	if (answer.status == DNS_OK)
		records_read(a, domain, &answer, out);
	else if (dns_status_is_temporary(answer.status))
		dns_trouble(out, name, &answer);
	else
		no_record(out, domain);
	return 0;
}

/* A fetch that brought no policy file. */
static void fetch_failed(struct mtasts_lookup *out, const char *domain)
{
	const struct http_result *r = &out->http;
	char reason[2 * TLS_REASON_MAX + 2], detail[TLS_REASON_MAX];

	switch (r->outcome) {
	case HTTP_CERTIFICATE: {
		enum tls_result_type type = tls_pkix_result(r->pkix_code, detail);
		snprintf(reason, sizeof(reason), "%s%s%s", tls_result_type_text(type),
			detail[0] ? "+" : "", detail);
		reason[TLS_REASON_MAX - 1] = '\0';
		verdict(out, MTASTS_FETCH, TLS_RESULT_STS_WEBPKI_INVALID, reason, "%.*s",
			STR_FMT(r->text));
		return;
	}
	case HTTP_NO_ADDRESS:
		verdict(out, MTASTS_NO_POLICY, TLS_RESULT_STS_POLICY_FETCH_ERROR,
			"no-policy-served", "no policy is served: %.*s", STR_FMT(r->text));
		return;
	case HTTP_TOO_LARGE:
		verdict(out, MTASTS_POLICY_SYNTAX, TLS_RESULT_STS_POLICY_INVALID,
			"policy-syntax-error", "the policy of %.253s is over %d octets", domain,
			MTASTS_POLICY_MAX);
		return;
	case HTTP_DONE:
		if (r->status == 404)
			verdict(out, MTASTS_NO_POLICY, TLS_RESULT_STS_POLICY_FETCH_ERROR,
				"no-policy-served",
				"no policy is served: mta-sts.%.253s answers 404", domain);
		else
			verdict(out, MTASTS_FETCH, TLS_RESULT_STS_POLICY_FETCH_ERROR,
				"cannot-fetch-policy", "mta-sts.%.253s answers %d%s", domain,
				r->status,
				r->status / 100 == 3 ? "; redirects are not followed (RFC 8461 "
						       "section 3.3)"
						     : "");
		return;
	case HTTP_DNS:
		if (dns_ede_is_dnssec(r->dns.ede)) {
			tls_ede_reason(detail, "dns-extended-error", r->dns.ede);
			verdict(out, MTASTS_FETCH, TLS_RESULT_STS_POLICY_FETCH_ERROR, detail,
				"the policy cannot be fetched: %.*s", STR_FMT(r->text));
			return;
		}
		break;
	case HTTP_BAD_URL:
	case HTTP_ADDRESS_REFUSED:
	case HTTP_CONNECT:
	case HTTP_TLS:
	case HTTP_TIMEOUT:
	case HTTP_BROKEN:
	case HTTP_CANCELLED:
		break;
	}
	verdict(out, MTASTS_FETCH, TLS_RESULT_STS_POLICY_FETCH_ERROR, "cannot-fetch-policy",
		"the policy cannot be fetched: %.*s", STR_FMT(r->text));
}

int mtasts_policy_fetch(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err)
{
	struct dns_asker q = *ask;
	struct err why;

	q.deadline = deadline_min(q.deadline, deadline_in_ms(MTASTS_FETCH_MS));
	out->url = str_from(arena_printf(a, "https://mta-sts.%s/.well-known/mta-sts.txt", domain));
	out->has_policy = false;
	atomic_fetch_add(&m->fetches, 1);
	int rc = https_get(m->opt.http, &q,
		&(struct http_request){.url = out->url.p, .body_max_bytes = MTASTS_POLICY_MAX}, a,
		&out->http, err);
	if (rc < 0)
		return -1;
	if (out->http.outcome != HTTP_DONE || out->http.status != 200) {
		fetch_failed(out, domain);
	} else if (mtasts_policy_parse(a, out->http.body, &out->policy, &why) < 0) {
		verdict(out, MTASTS_POLICY_SYNTAX, TLS_RESULT_STS_POLICY_INVALID,
			"policy-syntax-error", "mta-sts.%.253s: %.200s", domain, why.text);
	} else {
		out->has_policy = true;
		out->status = MTASTS_OK;
		out->fact = TLS_RESULT_SUCCESS;
		out->reason[0] = out->text[0] = '\0';
	}
	if (out->status != MTASTS_OK)
		atomic_fetch_add(&m->fetch_failures, 1);
	return 0;
}

int mtasts_lookup(struct mtasts *m, const char *domain, const struct dns_asker *ask,
	struct arena *a, struct mtasts_lookup *out, struct err *err)
{
	struct dns_asker q = *ask;

	q.deadline = deadline_min(q.deadline, deadline_in_ms(MTASTS_FETCH_MS));
	if (mtasts_record_get(domain, &q, a, out, err) < 0)
		return -1;
	return out->status == MTASTS_OK ? mtasts_policy_fetch(m, domain, &q, a, out, err) : 0;
}
