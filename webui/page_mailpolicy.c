/* What a domain does with the verdicts on its incoming mail. */
#include "policy/mailpolicy.h"
#include "webui/formview.h"
#include "webui/pages.h"

static const char *measure_words(enum store_measure m)
{
	switch (m) {
	case STORE_MEASURE_OFF:
		return "accept";
	case STORE_MEASURE_QUARANTINE:
		return "quarantine";
	case STORE_MEASURE_REJECT:
		return "refuse";
	}
	return "";
}

int page_domain_policy(struct page *p, const struct store_domain *d, struct err *err)
{
	static const char *const dmarc_words[] = {
		[STORE_DMARC_HONOUR] = "as the owner of the From domain asks",
		[STORE_DMARC_QUARANTINE] = "quarantine at most",
		[STORE_DMARC_OFF] = "accept"};
	struct store_mail_policy row;

	if (store_mail_policy_get(p->gateway->store, d->id, &row, err) < 0)
		return -1;
	struct tval *map = tval_set_map(p->arena, p->view, "policy");
	tval_set_text(p->arena, map, "dmarc", dmarc_words[row.dmarc]);
	tval_set_text(p->arena, map, "spf", measure_words(row.spf));
	tval_set_text(p->arena, map, "iprev", measure_words(row.iprev));
	tval_set_text(p->arena, map, "dnsbl", measure_words(row.dnsbl));
	tval_set_flag(p->arena, map, "defer", row.temperror_defer);
	tval_set_flag(p->arena, map, "sender_mx", row.sender_mx);
	tval_set_str(p->arena, map, "quarantine_score",
		mailpolicy_score_text(p->arena, row.quarantine_score));
	tval_set_str(
		p->arena, map, "reject_score", mailpolicy_score_text(p->arena, row.reject_score));
	return 0;
}

static void measure_field(struct formview *f, const char *name, const char *label,
	enum store_measure m, const char *hint)
{
	formview_radio(f, name, label, mailpolicy_measure_text(m), hint);
	formview_option(f, "off", "Accept", "");
	formview_option(f, "quarantine", "Put in quarantine", "");
	formview_option(f, "reject", "Refuse", "");
}

static void policy_fields(struct formview *f, const struct store_mail_policy *row)
{
	struct arena *a = f->page->arena;

	formview_section(f, "Forged senders", NULL);
	formview_radio(f, "dmarc", "Mail that fails DMARC", mailpolicy_dmarc_text(row->dmarc),
		"Neither SPF nor a DKIM signature confirms the domain in From.");
	formview_option(f, "honour", "Do what the owner of that domain asks for",
		"Refuse, quarantine, or nothing.");
	formview_option(f, "quarantine", "Quarantine at most",
		"Where the owner asks to refuse, it goes to quarantine.");
	formview_option(f, "off", "Accept", "The result is only noted.");
	measure_field(f, "spf", "Mail that fails SPF", row->spf,
		"The sender's domain says that this server may not send for it. Mail that passes "
		"DMARC all the same is not meant: it was forwarded.");
	formview_section(f, "Servers with a bad name", NULL);
	measure_field(f, "dnsbl", "Mail from servers on a DNS block list", row->dnsbl, "");
	measure_field(f, "iprev", "Mail from servers without reverse DNS", row->iprev,
		"Their address has no name that leads back to it.");
	formview_section(f, "Other", NULL);
	formview_check(f, "sender_mx", "Refuse senders that take no mail", row->sender_mx,
		"Their domain does not exist, has no mail server, or says that it takes no mail.");
	formview_check(f, "temperror_defer", "Put mail off while its sender cannot be checked",
		row->temperror_defer,
		"When name servers do not answer. Without this such mail is accepted.");
	formview_text(f, "quarantine_score", "Spam score for quarantine",
		mailpolicy_score_text(a, row->quarantine_score),
		"Of content filters, once there are any. Empty: no limit.");
	formview_text(f, "reject_score", "Spam score for refusing",
		mailpolicy_score_text(a, row->reject_score), "");
}

static void policy_read(
	const struct page *p, struct store_mail_policy *row, struct admin_problems *problems)
{
	/* What is no choice at all stays as it is. */
	(void)mailpolicy_dmarc_parse(page_field(p, "dmarc"), &row->dmarc);
	(void)mailpolicy_measure_parse(page_field(p, "spf"), &row->spf);
	(void)mailpolicy_measure_parse(page_field(p, "iprev"), &row->iprev);
	(void)mailpolicy_measure_parse(page_field(p, "dnsbl"), &row->dnsbl);
	row->temperror_defer = urlform_has(&p->form, "temperror_defer");
	row->sender_mx = urlform_has(&p->form, "sender_mx");
	row->quarantine_score = mailpolicy_score_read(
		page_field(p, "quarantine_score"), "quarantine_score", problems);
	row->reject_score =
		mailpolicy_score_read(page_field(p, "reject_score"), "reject_score", problems);
}

void page_mailpolicy(struct page *p)
{
	struct admin_problems problems = {.count = 0};
	struct store_mail_policy row;
	struct store_domain d;
	struct formview f;
	struct err err;
	int64_t id = page_id(p, 0);
	int rc = id > 0 ? store_domain_get(p->gateway->store, id, p->arena, &d, &err) : 0;

	if (rc == 0) {
		page_not_found(p, "domain");
		return;
	}
	if (rc < 0 || store_mail_policy_get(p->gateway->store, id, &row, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	if (p->method == PAGE_POST) {
		policy_read(p, &row, &problems);
		rc = problems.count > 0 ? 1
					: mailpolicy_save(p->gateway->store, &row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "domains/%lld?done=saved", (long long)id);
			return;
		}
	}
	formview_open(&f, p, &problems);
	policy_fields(&f, &row);
	formview_render(&f, arena_printf(p->arena, "Checks of mail for %.*s", STR_FMT(d.name)),
		"What becomes of incoming mail whose sender does not stand up to the checks. "
		"Trusted "
		"networks and the allow list are never concerned.",
		"Save", arena_printf(p->arena, "domains/%lld", (long long)id), NULL);
}
