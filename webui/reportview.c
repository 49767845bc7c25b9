#include "webui/reportview.h"

#include <stdlib.h>
#include <time.h>

enum { DAY_S = 86400 };

static const struct {
	const char *type;
	struct report_meaning meaning;
} meanings[] = {
	{"starttls-not-supported",
		{"The server did not offer STARTTLS to the sender.",
			"Check that the host offers STARTTLS on port 25, and that no firewall in "
			"between changes the dialogue."}},
	{"certificate-host-mismatch",
		{"The certificate is for other names than the host's.",
			"Get a certificate that has the name of this MX host, and load it for "
			"port 25."}},
	{"certificate-expired",
		{"The certificate was expired, or not valid yet.",
			"Renew the certificate of this host, and see that the server loads it."}},
	{"certificate-not-trusted",
		{"The certificate is of no authority that senders trust, or its chain is "
		 "incomplete.",
			"Use a certificate of a public authority and send all intermediate "
			"certificates."}},
	{"validation-failure",
		{"The TLS handshake failed for another reason.",
			"See the reason code: often it is TLS versions or ciphers that the two do "
			"not share, or a lost connection."}},
	{"tlsa-invalid",
		{"No TLSA record fits the certificate that was presented (DANE).",
			"Publish a TLSA record for the certificate in use; when it changes, "
			"publish the new record well before."}},
	{"dnssec-invalid",
		{"DNSSEC validation of the host's names failed.",
			"Check the signatures of the zone and the DS records at its parent."}},
	{"dane-required",
		{"The sender insists on DANE, and there are no TLSA records that can be used.",
			"Publish TLSA records in a zone signed with DNSSEC, or agree on another "
			"policy with this sender."}},
	{"sts-policy-fetch-error",
		{"The MTA-STS policy could not be fetched.",
			"Check that https://mta-sts.<domain>/.well-known/mta-sts.txt answers, from "
			"outside too."}},
	{"sts-policy-invalid",
		{"The MTA-STS policy is there but cannot be understood.",
			"Check the text of the policy: version, mode, max_age and mx lines."}},
	{"sts-webpki-invalid",
		{"The web server with the MTA-STS policy has a certificate that does not "
		 "verify.",
			"Renew or replace the certificate of the host mta-sts.<domain>."}},
};

static const struct report_meaning unknown = {
	"A kind of failure that is not in the standard.", "See the details that the sender gives."};

const struct report_meaning *reportview_meaning(struct str type)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (str_eq_nocase(type, str_from(meanings[i].type)))
			return &meanings[i].meaning;
	}
	return &unknown;
}

struct str reportview_policy(struct str type)
{
	if (str_eq_nocase(type, STR("sts")))
		return STR("MTA-STS");
	if (str_eq_nocase(type, STR("tlsa")))
		return STR("DANE");
	if (str_eq_nocase(type, STR("no-policy-found")))
		return STR("no policy");
	return type;
}

void reportview_day(struct page *p, struct tval *map, const char *key, int day)
{
	time_t t = (time_t)day * DAY_S;
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		tval_set_printf(p->arena, map, key, "%04d-%02d-%02d", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday);
}

void reportview_filter(struct page *p, struct store_tls_report_filter *f)
{
	struct str days = urlform_get(&p->query, "days");
	int today = (int)(clock_unix_s() / DAY_S);
	uint64_t n = REPORTVIEW_DAYS;

	if (!str_to_u64(days, 3650, &n) || n == 0)
		n = REPORTVIEW_DAYS;
	*f = (struct store_tls_report_filter){.domain = str_trim(urlform_get(&p->query, "domain")),
		.organization = str_trim(urlform_get(&p->query, "reporter")),
		.result = str_trim(urlform_get(&p->query, "result")),
		.failures_only = urlform_get(&p->query, "failures").len > 0,
		.rejected = urlform_get(&p->query, "rejected").len > 0,
		.first_day = today - (int)n + 1};
	tval_set_str(p->arena, p->view, "domain", f->domain);
	tval_set_str(p->arena, p->view, "reporter", f->organization);
	tval_set_str(p->arena, p->view, "result", f->result);
	tval_set_flag(p->arena, p->view, "failures", f->failures_only);
	tval_set_flag(p->arena, p->view, "rejected", f->rejected);
	tval_set_printf(p->arena, p->view, "days", "%d", (int)n);
	tval_set_flag(p->arena, p->view, "filtered",
		f->domain.len + f->organization.len + f->result.len > 0 || f->failures_only);
	tval_set_text(p->arena, p->view, "query", reportview_query(p, f));
}

const char *reportview_query(struct page *p, const struct store_tls_report_filter *f)
{
	int today = (int)(clock_unix_s() / DAY_S);
	struct buf b = {NULL, 0, 0};

	buf_printf(&b, "?days=%d", today - f->first_day + 1);
	buf_text(&b, "&domain=");
	buf_url(&b, f->domain);
	buf_text(&b, "&reporter=");
	buf_url(&b, f->organization);
	buf_text(&b, "&result=");
	buf_url(&b, f->result);
	if (f->failures_only)
		buf_text(&b, "&failures=1");
	if (f->rejected)
		buf_text(&b, "&rejected=1");
	const char *out = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return out;
}

void reportview_row(struct page *p, struct tval *map, const struct store_tls_report *r)
{
	tval_set_printf(p->arena, map, "id", "%lld", (long long)r->id);
	tval_set_str(p->arena, map, "organization", r->organization);
	tval_set_str(p->arena, map, "report_id", r->report_id);
	tval_set_str(p->arena, map, "contact", r->contact);
	tval_set_str(p->arena, map, "from_domain", r->from_domain);
	tval_set_str(p->arena, map, "mail_from", r->mail_from);
	tval_set_str(p->arena, map, "ip", r->remote_ip);
	tval_set_str(p->arena, map, "domains", r->domains);
	tval_set_str(p->arena, map, "why", r->rejected);
	tval_set_flag(p->arena, map, "unverified", r->from_domain.len == 0);
	tval_set_flag(p->arena, map, "https", r->via == STORE_VIA_HTTPS);
	tval_set_flag(p->arena, map, "host", r->host);
	if (r->end_s > 0) {
		reportview_day(p, map, "start", (int)(r->start_s / DAY_S));
		reportview_day(p, map, "end", (int)(r->end_s / DAY_S));
		tval_set_flag(p->arena, map, "one_day", r->start_s / DAY_S == r->end_s / DAY_S);
	}
	page_count(p, map, "successes", r->successes);
	page_count(p, map, "failed", r->failures);
	tval_set_flag(p->arena, map, "bad", r->failures > 0);
	page_time(p, map, "received", r->received_s * 1000);
	page_size(p, map, "size", r->size);
}
