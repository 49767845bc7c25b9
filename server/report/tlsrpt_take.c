#include "report/tlsrpt_take.h"

#include "base/log.h"
#include "store/directory.h"

#include <stdarg.h>
#include <stdio.h>

enum { FUTURE_S = 86400 };

__attribute__((format(printf, 2, 3))) static void say(char why[512], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, 512, fmt, ap);
	va_end(ap);
}

/* --- the signature --- */

/* Equal, or d= is a parent of the From domain. */
static bool covers(struct str signer, struct str from)
{
	if (str_eq_nocase(signer, from))
		return true;
	return signer.len > 0 && memchr(signer.p, '.', signer.len) != NULL &&
	       from.len > signer.len + 1 && from.p[from.len - signer.len - 1] == '.' &&
	       str_eq_nocase(str_skip(from, from.len - signer.len), signer);
}

static bool service_fits(struct str services)
{
	struct str rest = services, one;

	if (str_trim(services).len == 0)
		return true;
	while (str_next(&rest, ':', &one)) {
		one = str_trim(one);
		if (str_eq(one, STR("*")) || str_eq_nocase(one, STR("tlsrpt")))
			return true;
	}
	return false;
}

static bool any_covered(const struct tlsrpt_came *came, struct str signer)
{
	for (size_t i = 0; i < came->from_count; i++) {
		if (!covers(signer, came->from_domains[i]))
			return false;
	}
	return came->from_count > 0;
}

int tlsrpt_dkim_check(
	const struct tlsrpt_came *came, struct str *domain, bool *later, char why[512])
{
	*domain = STR("");
	*later = false;
	say(why, "It has no DKIM signature (RFC 8460 asks for one of the sender's domain).");
	if (came->from_count == 0)
		say(why, "Its From field has no domain that could be checked.");
	for (size_t i = 0; came->from_count > 0 && i < came->dkim->count; i++) {
		const struct dkim_result *r = &came->dkim->at[i];
		if (!any_covered(came, r->domain)) {
			say(why,
				"Its DKIM signature is of %.*s, which is not the From domain %.*s "
				"or a parent of it.",
				STR_FMT(r->domain), STR_FMT(came->from_domains[0]));
		} else if (r->status == DKIM_TEMPERROR) {
			*later = true;
			say(why, "The key of its DKIM signature could not be looked up: %.*s",
				STR_FMT(r->why));
		} else if (r->status != DKIM_PASS) {
			say(why, "Its DKIM signature of %.*s does not pass: %.*s",
				STR_FMT(r->domain), STR_FMT(r->why));
		} else if (r->length_used) {
			say(why,
				"Its DKIM signature of %.*s covers only a part of the message "
				"(l=).",
				STR_FMT(r->domain));
		} else if (!service_fits(r->services)) {
			say(why,
				"The key of its DKIM signature of %.*s is not for TLS reports "
				"(s=%.*s).",
				STR_FMT(r->domain), STR_FMT(r->services));
		} else {
			*domain = r->domain;
			return 1;
		}
	}
	return 0;
}

/* --- the content --- */

/* Is there something of ours in it? */
static int domains_check(struct store *s, const struct tlsrpt_report *report,
	const struct tlsrpt_came *came, struct arena *a, char why[512], struct err *err)
{
	if (report->policy_count == 0) {
		say(why, "It has no policy in it, so it says nothing.");
		return 0;
	}
	for (size_t i = 0; i < report->policy_count; i++) {
		struct store_domain row;
		struct str domain = report->policies[i].domain;
		if (str_eq_nocase(domain, came->hostname))
			return 1;
		int rc = store_domain_find(s, domain, a, &row, err);
		if (rc != 0)
			return rc;
	}
	say(why, "It is about %.*s, which is no domain of this gateway.",
		STR_FMT(report->policies[0].domain));
	return 0;
}

static int period_check(struct store *s, const struct tlsrpt_report *report, int64_t now_s,
	char why[512], struct err *err)
{
	int64_t days;

	if (store_tls_report_days(s, &days, err) < 0)
		return -1;
	if (report->end_s > now_s + FUTURE_S)
		say(why, "Its period ends in the future.");
	else if (report->end_s < now_s - days * 86400)
		say(why, "Its period is longer ago than reports are kept (%lld days).",
			(long long)days);
	else
		return 1;
	return 0;
}

/* --- into the store --- */

static int keep(struct store *s, const struct tlsrpt_report *report, struct str json,
	struct str from_domain, const struct tlsrpt_came *came, struct tlsrpt_arrival *out,
	struct err *err)
{
	bool rejected = out->taken == TLSRPT_REJECTED, duplicate = false;
	struct buf packed = {NULL, 0, 0};

	if (rejected && json.len > TLSRPT_REJECTED_JSON_MAX)
		json.len = TLSRPT_REJECTED_JSON_MAX;
	struct store_tls_report row = {.organization = report->organization,
		.contact = report->contact,
		.report_id = report->id,
		.from_domain = from_domain,
		.mail_from = came->mail_from,
		.remote_ip = came->remote_ip,
		.start_s = report->start_s,
		.end_s = report->end_s,
		.received_s = came->now_s,
		.via = came->via,
		.host = came->host,
		.successes = tlsrpt_report_successes(report),
		.failures = tlsrpt_report_failures(report),
		.rejected = rejected ? str_from(out->why) : STR(""),
		.size = (int64_t)json.len,
		.policies = report->policies,
		.policy_count = report->policy_count};
	if (row.organization.len == 0)
		row.organization = from_domain.len > 0 ? from_domain : STR("(no name)");
	int rc = tlsrpt_gzip(json, &packed, err);
	row.packed = buf_str(&packed);
	if (rc == 0)
		rc = store_tls_report_add(s, &row, &out->id, &duplicate, err);
	buf_free(&packed);
	if (rc < 0)
		return -1;
	if (duplicate) {
		out->taken = TLSRPT_DUPLICATE;
		say(out->why, "This report of %.*s was here already.", STR_FMT(row.organization));
	}
	char ok[NUM_TEXT], bad[NUM_TEXT], id[NUM_TEXT];
	log_event(LOG_LEVEL_INFO, "tlsreport.came", "report", num_text(out->id, id), "verdict",
		rejected    ? "rejected"
		: duplicate ? "duplicate"
			    : "taken",
		"via", came->via == STORE_VIA_MAIL ? "mail" : "https", "successes",
		num_text(row.successes, ok), "failures", num_text(row.failures, bad), "why",
		out->why[0] != '\0' ? out->why : NULL, NULL);
	return 0;
}

static int judge(struct store *s, const struct tlsrpt_report *report, struct arena *a,
	const struct tlsrpt_came *came, struct tlsrpt_arrival *out, struct err *err)
{
	int rc = domains_check(s, report, came, a, out->why, err);

	if (rc == 1)
		rc = period_check(s, report, came->now_s, out->why, err);
	if (rc == 0)
		out->taken = TLSRPT_REJECTED;
	return rc < 0 ? -1 : 0;
}

int tlsrpt_take_mail(struct store *s, struct str message, const struct tlsrpt_came *came,
	struct tlsrpt_arrival *out, struct err *err)
{
	struct arena *a = arena_open();
	struct tlsrpt_mail *mail = arena_alloc(a, sizeof(*mail));
	struct str from_domain = STR("");
	bool later = false;
	int rc = 0;

	*out = (struct tlsrpt_arrival){.taken = TLSRPT_TAKEN};
	tlsrpt_mail_read(a, message, mail);
	if (mail->found == TLSRPT_NO_REPORT) {
		out->taken = TLSRPT_ORDINARY;
		say(out->why, "%s", mail->why);
	} else if (mail->found == TLSRPT_BROKEN) {
		out->taken = TLSRPT_REJECTED;
		say(out->why, "%s", mail->why);
	} else if (came->dkim != NULL &&
		   tlsrpt_dkim_check(came, &from_domain, &later, out->why) == 0) {
		out->taken = later ? TLSRPT_LATER : TLSRPT_REJECTED;
	} else {
		out->why[0] = '\0';
		rc = judge(s, &mail->report, a, came, out, err);
	}
	if (rc == 0 && out->taken != TLSRPT_ORDINARY && out->taken != TLSRPT_LATER)
		rc = keep(s, &mail->report, mail->json.len > 0 ? mail->json : message, from_domain,
			came, out, err);
	arena_close(&a);
	return rc;
}

int tlsrpt_take_post(struct store *s, struct str body, const struct tlsrpt_came *came,
	struct tlsrpt_arrival *out, struct err *err)
{
	struct arena *a = arena_open();
	struct tlsrpt_report report = {.policy_count = 0};
	struct buf work = {NULL, 0, 0};
	struct str json = body;
	struct err bad;
	int rc = 0;

	*out = (struct tlsrpt_arrival){.taken = TLSRPT_TAKEN};
	if (tlsrpt_unpack(body, &work, &json, &bad) < 0 ||
		tlsrpt_report_read(a, json, &report, &bad) < 0) {
		out->taken = TLSRPT_REJECTED;
		say(out->why, "The report cannot be read: %s", bad.text);
	} else
		rc = judge(s, &report, a, came, out, err);
	if (rc == 0)
		rc = keep(s, &report, json, STR(""), came, out, err);
	buf_free(&work);
	arena_close(&a);
	return rc;
}
