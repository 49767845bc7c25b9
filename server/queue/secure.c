#include "queue/secure.h"

#include "base/log.h"
#include "store/override.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the demands --- */

static void override_take(struct delivery *d, struct next_hop *hop)
{
	struct store_override row;
	struct str rest, pin;
	struct err err;

	if (d->q->opt.store == NULL)
		return;
	int rc = store_override_get(d->q->opt.store, str_from(hop->domain), d->arena, &row, &err);
	if (rc < 0) {
		log_event(LOG_LEVEL_WARN, "queue.override", "dest", hop->domain, "reason", err.text,
			NULL);
		return;
	}
	if (rc == 0 || row.expires_s <= clock_unix_s())
		return;
	switch (row.kind) {
	case STORE_OVERRIDE_VERIFIED:
		hop->override = TLS_OVERRIDE_VERIFIED;
		break;
	case STORE_OVERRIDE_PLAINTEXT:
		hop->override = TLS_OVERRIDE_PLAINTEXT;
		break;
	case STORE_OVERRIDE_PIN:
		hop->override = TLS_OVERRIDE_PIN;
		break;
	}
	hop->override_reason = arena_strdup(d->arena, row.reason);
	hop->pins = arena_alloc(d->arena, TLS_PINS_MAX * sizeof(*hop->pins));
	rest = row.pins;
	while (hop->pin_count < TLS_PINS_MAX && str_next(&rest, ' ', &pin)) {
		if (str_copy(hop->pins[hop->pin_count], TLS_PIN_TEXT, pin) && pin.len > 0)
			hop->pin_count++;
	}
	hop->key = arena_printf(d->arena, "%s override %d %lld %.*s", hop->key, (int)row.kind,
		(long long)row.changed_s, STR_FMT(row.pins));
}

void secure_demand(struct delivery *d, const struct store_claim *claim, struct next_hop *hop)
{
	if (hop->kind != HOP_MX && hop->kind != HOP_HOSTS)
		return;
	/* A session is only for messages that ask the same of it. */
	if (claim->requiretls) {
		hop->demand = TLS_DEMAND_REQUIRED;
		hop->key = arena_printf(d->arena, "%s requiretls", hop->key);
	} else if (claim->tls_required_no && hop->kind == HOP_MX) {
		hop->demand = TLS_DEMAND_OPTIONAL;
		hop->key = arena_printf(d->arena, "%s tls-optional", hop->key);
	}
	if (hop->kind == HOP_MX && !hop->literal)
		override_take(d, hop);
}

/* --- the book --- */

static void strings_add(
	struct arena *a, const struct str **list, size_t *count, size_t max, struct str text)
{
	struct str *grown;

	if (*count >= max)
		return;
	grown = arena_alloc(a, (*count + 1) * sizeof(*grown));
	if (*count > 0)
		memcpy(grown, *list, *count * sizeof(*grown));
	grown[(*count)++] = text;
	*list = grown;
}

enum { POLICY_LINES_MAX = 200 };

static void sts_result_begin(struct connect_walk *w, const struct mtasts_found *sts)
{
	struct arena *a = w->d->arena;
	struct tls_result *r = &w->book->rcpt;
	struct str rest = sts->policy.text, line;

	if (!sts->report_sts)
		return;
	r->type = TLS_POLICY_STS;
	if (!sts->has_policy)
		return;
	while (str_next(&rest, '\n', &line)) {
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len > 0)
			strings_add(a, &r->strings, &r->string_count, POLICY_LINES_MAX,
				arena_str(a, line));
	}
	for (size_t i = 0; i < sts->policy.mx_count; i++)
		strings_add(a, &r->mx, &r->mx_count, POLICY_LINES_MAX,
			arena_str(a, sts->policy.mx[i].pattern));
}

static struct secure_book *book_new(struct connect_walk *w)
{
	struct secure_book *b = arena_alloc(w->d->arena, sizeof(*b));

	b->recipient_domain = w->hop->domain;
	b->send_report = !w->is_tls_report;
	b->rcpt = (struct tls_result){.type = TLS_POLICY_NONE, .domain = w->hop->domain};
	b->next = w->d->books;
	w->d->books = b;
	return b;
}

void secure_destination_failed(struct connect_walk *w)
{
	const struct dns_trouble *t = &plan_facts(w->d->plan)->dest.trouble;
	struct tls_tally tally = {.failure = 1};
	char reason[TLS_REASON_MAX] = "";

	if (w->hop->literal || !dns_trouble_is_dnssec(t))
		return;
	if (t->ede >= 0)
		tls_ede_reason(reason, "dns-extended-error", t->ede);
	tls_tally_note(&tally, TLS_RESULT_VALIDATION_FAILURE, 1, reason);
	w->book = book_new(w);
	tls_result_add(w->d->arena, &w->book->rcpt, &tally, &(struct tls_detail){.failed = 0});
}

int secure_begin(struct connect_walk *w, struct smtp_rcpt_reply *refusal)
{
	const struct plan_facts *f = plan_facts(w->d->plan);
	struct tls_tally tally = {.success = 0};
	bool relaxed =
		w->hop->demand == TLS_DEMAND_OPTIONAL || w->hop->override == TLS_OVERRIDE_PLAINTEXT;
	struct slot s = {.transport = ""};

	w->book = book_new(w);
	if (!f->has_sts)
		return 0;
	sts_result_begin(w, &f->sts);
	bool stop = f->sts_rc < 0 && !relaxed;
	if (f->sts.fact != TLS_RESULT_SUCCESS)
		tls_tally_note(&tally, f->sts.fact, stop, f->sts.reason);
	tally.failure = stop;
	tls_result_add(w->d->arena, &w->book->rcpt, &tally, &(struct tls_detail){.failed = 0});
	if (!stop)
		return 0;
	slot_own_word(&s, "4.4.3",
		arena_printf(
			w->d->arena, "MTA-STS policy of %s: %s", w->hop->domain, f->sts_err.text));
	*refusal = s.word;
	return -1;
}

/* The host's own result: TLSA where there are any, else no policy. */
static struct tls_result *host_result(struct connect_walk *w, const struct plan_host *h)
{
	struct arena *a = w->d->arena;
	struct secure_book *b = w->book;
	struct tls_result *r = arena_alloc(a, sizeof(*r));
	bool tlsa = h->dane.status == DANE_USABLE || h->dane.status == DANE_UNUSABLE ||
		    h->dane.status == DANE_ERROR;

	*r = (struct tls_result){.type = tlsa ? TLS_POLICY_TLSA : TLS_POLICY_NONE,
		.is_host = true,
		.domain = arena_strdup(a, str_from(h->dane.base))};
	for (size_t i = 0; i < h->dane.records.count; i++)
		strings_add(a, &r->strings, &r->string_count, POLICY_LINES_MAX,
			dane_record_full_text(a, &h->dane.records.list[i]));
	for (size_t i = 1; i < r->string_count; i++) { /* sorted, so that equal sets are equal */
		struct str *list = arena_alloc(a, r->string_count * sizeof(*list));
		memcpy(list, r->strings, r->string_count * sizeof(*list));
		for (size_t k = i; k > 0 && strcmp(list[k - 1].p, list[k].p) > 0; k--) {
			struct str swap = list[k - 1];
			list[k - 1] = list[k];
			list[k] = swap;
		}
		r->strings = list;
	}
	if (b->host_count < MX_MAX)
		b->hosts[b->host_count++] = r;
	return r;
}

static void note(struct connect_walk *w, const struct tls_tally *rcpt, const struct tls_tally *host,
	const struct tls_detail *at)
{
	tls_result_add(w->d->arena, &w->book->rcpt, rcpt, at);
	tls_result_add(w->d->arena, w->host_result, host, at);
}

void secure_note(struct connect_walk *w, const struct tls_outcome *outcome)
{
	if (w->book == NULL || w->host_result == NULL)
		return;
	note(w, &outcome->rcpt, &outcome->host,
		&(struct tls_detail){.sending_ip = outcome->local_ip,
			.receiving_ip = outcome->peer_ip,
			.mx_hostname = w->hosts[w->host_at].name,
			.mx_helo = outcome->helo});
}

/* --- a host --- */

static void refuse_host(struct connect_walk *w, struct connect_trouble *trouble, const char *ecode,
	const char *text)
{
	trouble_text(trouble, w->hosts[w->host_at].name, "", ecode, text);
	w->reached_policy = true;
}

/* All hosts that the policy does not list, as the recipient's admin wants to hear it. */
static const char *mismatch_text(struct connect_walk *w)
{
	const struct mtasts_policy *p = &plan_facts(w->d->plan)->sts.policy;
	const char *names[MX_MAX];
	size_t n = 0;

	for (size_t i = 0; i < w->host_count; i++) {
		if (!mtasts_policy_matches(p, w->hosts[i].name))
			names[n++] = w->hosts[i].name;
	}
	struct str text = mtasts_mismatch_text(w->d->arena, w->hop->domain, p, names, n);
	return arena_strdup(w->d->arena, text);
}

static void requiretls_lacking(
	struct connect_walk *w, struct connect_trouble *trouble, const char *why)
{
	char text[400];

	if (!w->lacks[w->host_at]) {
		w->lacks[w->host_at] = true;
		w->lacking++;
	}
	snprintf(text, sizeof(text), "REQUIRETLS: %.253s %s", w->hosts[w->host_at].name, why);
	refuse_host(w, trouble, "4.7.30", text);
}

static void policy_trace(struct connect_walk *w, const struct tls_choice_in *in,
	enum tls_choice choice, const char *why)
{
	static const char *const rules[] = {[TLS_RULE_SETTING] = "the setting of the relay",
		[TLS_RULE_OPPORTUNISTIC] =
			"TLS if it is offered; certificates are looked at but do not matter",
		[TLS_RULE_DANE] = "DANE: TLS with a certificate that matches a TLSA record",
		[TLS_RULE_DANE_UNUSABLE] =
			"TLSA records, but none that can be used: TLS, any certificate",
		[TLS_RULE_MTASTS] = "MTA-STS: TLS with a certificate that is valid for the host",
		[TLS_RULE_DANE_MTASTS] =
			"DANE and MTA-STS: a certificate that matches and is valid",
		[TLS_RULE_OVERRIDE] = "an override by the admin",
		[TLS_RULE_TLS_OPTIONAL] =
			"TLS-Required: No in the message: verification is noted only"};
	struct str lines[4];
	size_t n = 0;

	if (in->override != TLS_OVERRIDE_NONE)
		lines[n++] = str_from(arena_printf(w->d->arena, "override: %s (%s)",
			in->override == TLS_OVERRIDE_VERIFIED    ? "only over verified TLS"
			: in->override == TLS_OVERRIDE_PLAINTEXT ? "plaintext will do"
								 : "pinned key",
			w->hop->override_reason));
	if (in->sts != TLS_STS_NONE)
		lines[n++] = str_from(arena_printf(w->d->arena, "MTA-STS mode %s, host %s",
			in->sts == TLS_STS_ENFORCE ? "enforce" : "testing",
			in->sts_mx_matches ? "is listed" : "is not listed"));
	if (in->demand == TLS_DEMAND_REQUIRED)
		lines[n++] = STR("message demands REQUIRETLS");
	const char *rule = choice == TLS_CHOICE_CONNECT ? rules[w->policy.rule] : why;
	trace_add(w->trace,
		&(struct trace_step){.kind = "policy",
			.title = str_from(arena_printf(w->d->arena, "TLS policy for %s", in->host)),
			.state = choice == TLS_CHOICE_CONNECT ? TRACE_INFO : TRACE_BAD,
			.result = choice == TLS_CHOICE_CONNECT ? STR("") : STR("no mail"),
			.text = str_from(rule),
			.detail = lines,
			.detail_count = n,
			.took_ms = -1});
}

static bool choose(struct connect_walk *w, const struct plan_host *h,
	const struct tls_choice_in *in, struct connect_trouble *trouble)
{
	struct tls_tally rcpt, host;
	const char *why = "";

	enum tls_choice choice = tlspolicy_choose(in, &w->policy, &rcpt, &host);
	note(w, &rcpt, &host, &(struct tls_detail){.mx_hostname = in->host});
	switch (choice) {
	case TLS_CHOICE_CONNECT:
		break;
	case TLS_CHOICE_MX_NOT_LISTED:
		why = mismatch_text(w);
		refuse_host(w, trouble, "4.7.1", why);
		break;
	case TLS_CHOICE_DANE_ERROR:
		why = h->dane.trouble.text;
		refuse_host(w, trouble, "4.7.5", why);
		break;
	case TLS_CHOICE_NO_VERIFIED_TLS:
		why = "has neither DANE nor an enforced MTA-STS policy, so its TLS cannot be "
		      "verified as the message demands";
		requiretls_lacking(w, trouble, why);
		break;
	}
	policy_trace(w, in, choice, why);
	return choice == TLS_CHOICE_CONNECT;
}

/* An address look-up that DNSSEC says is forged is a failure of TLS policy too. */
static void ips_failed_note(struct connect_walk *w, const struct plan_host *h)
{
	struct tls_tally tally = {.failure = 1};
	char reason[TLS_REASON_MAX] = "";

	if (h->ips.trouble.ede >= 0)
		tls_ede_reason(reason, "dns-extended-error", h->ips.trouble.ede);
	tls_tally_note(&tally, TLS_RESULT_VALIDATION_FAILURE, 1, reason);
	w->host_result->type = TLS_POLICY_TLSA;
	note(w, &tally, &tally, &(struct tls_detail){.mx_hostname = h->ips.host});
}

bool secure_host(struct connect_walk *w, struct connect_trouble *trouble)
{
	const struct plan_facts *f = plan_facts(w->d->plan);
	const struct next_hop *hop = w->hop;
	const struct plan_host *h = plan_host(w->d->plan, w->host_at);

	if (!w->host_traced[w->host_at])
		trace_append(w->trace, h->trace);
	w->host_traced[w->host_at] = true;
	w->host_result = host_result(w, h);
	if (h->ips.status != DNS_OK) {
		if (dns_trouble_is_dnssec(&h->ips.trouble))
			ips_failed_note(w, h);
		return true; /* the caller finds that there is no address */
	}
	struct tls_choice_in in = {.host = w->hosts[w->host_at].name,
		.dane = &h->dane,
		.names = h->names,
		.demand = hop->demand,
		.override = hop->override,
		.pins = (const char(*)[TLS_PIN_TEXT])hop->pins,
		.pin_count = hop->pin_count};
	if (f->has_sts && f->sts.has_policy && f->sts.policy.mode != MTASTS_NONE) {
		in.sts = f->sts.policy.mode == MTASTS_ENFORCE ? TLS_STS_ENFORCE : TLS_STS_TESTING;
		in.sts_mx_matches = mtasts_policy_matches(&f->sts.policy, in.host);
	}
	return choose(w, h, &in, trouble);
}

bool secure_requiretls(struct connect_walk *w, const struct hop_session *s,
	const struct tls_outcome *outcome, struct connect_trouble *trouble)
{
	if (w->hop->demand != TLS_DEMAND_REQUIRED)
		return true;
	const char *why = "does not offer REQUIRETLS, which the message demands";
	if (smtp_client_tls(s->client) == NULL || !outcome->verified)
		why = "shows no verified TLS, which the message demands";
	else if (smtp_client_extensions(s->client) & SMTP_EXT_REQUIRETLS)
		return true;
	requiretls_lacking(w, trouble, why);
	trace_add(w->trace, &(struct trace_step){.kind = "policy",
				    .title = STR("REQUIRETLS"),
				    .state = TRACE_BAD,
				    .result = STR("no mail"),
				    .text = str_from(trouble->word.text),
				    .took_ms = -1});
	return false;
}

/* --- words --- */

static void verified_how(const struct connect_walk *w, const struct tls_policy *p,
	const struct tls_outcome *o, const char *version, char *out, size_t size)
{
	char dane[80] = "";

	if (o->dane_record != NULL)
		snprintf(dane, sizeof(dane), "the certificate matched TLSA record %u %u %u (DANE)",
			o->dane_record->usage, o->dane_record->selector, o->dane_record->match);
	if (p->pin_count > 0)
		snprintf(out, size, "over %s; the server's key is one that an override pins%s%s",
			version, *dane ? ", and " : "", dane);
	else if (*dane)
		snprintf(out, size, "over %s; %s%s", version, dane,
			p->verify_pkix ? " and is valid for the host, as MTA-STS demands" : "");
	else if (p->rule == TLS_RULE_MTASTS)
		snprintf(out, size,
			"over %s; the certificate is valid for %.200s, which the MTA-STS policy of "
			"%.200s lists",
			version, w->hosts[w->host_at].name, w->hop->domain);
	else
		snprintf(out, size, "over %s; the certificate is valid%s", version,
			p->rule == TLS_RULE_OPPORTUNISTIC ? ", though nothing asked for that" : "");
}

static void unverified_how(const struct tls_policy *p, const struct tls_outcome *o,
	const char *version, char *out, size_t size)
{
	switch (p->rule) {
	case TLS_RULE_DANE_UNUSABLE:
		snprintf(out, size,
			"over %s, not verified: of the host's TLSA records none can "
			"be used",
			version);
		return;
	case TLS_RULE_TLS_OPTIONAL:
		snprintf(out, size,
			"over %s, not verified, as the message says TLS-Required: No "
			"(%.200s)",
			version, o->text);
		return;
	case TLS_RULE_OVERRIDE:
		snprintf(out, size, "over %s, not verified, as an override by the admin allows",
			version);
		return;
	case TLS_RULE_SETTING:
	case TLS_RULE_OPPORTUNISTIC:
	case TLS_RULE_DANE:
	case TLS_RULE_MTASTS:
	case TLS_RULE_DANE_MTASTS:
		break;
	}
	snprintf(out, size, "over %s, not verified: nothing asks for it", version);
}

void secure_how(const struct connect_walk *w, const struct tls_policy *policy,
	const struct tls_info *tls, const struct tls_outcome *outcome, const char *plaintext_why,
	char *out, size_t size)
{
	char version[24];

	if (tls == NULL) {
		if (plaintext_why != NULL)
			snprintf(out, size, "in plaintext, after TLS had failed: %.250s",
				plaintext_why);
		else
			snprintf(out, size, "in plaintext%s",
				outcome->type == TLS_RESULT_STARTTLS_NOT_SUPPORTED
					? ": the server does not offer STARTTLS"
					: "");
		return;
	}
	bool v = str_starts(str_from(tls->version), STR("TLSv"));
	snprintf(version, sizeof(version), "%s%s", v ? "TLS " : "", tls->version + (v ? 4 : 0));
	if (outcome->verified)
		verified_how(w, policy, outcome, version, out, size);
	else
		unverified_how(policy, outcome, version, out, size);
}
