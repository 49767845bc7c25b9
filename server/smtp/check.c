#include "smtp/check.h"

#include "base/log.h"
#include "policy/decide.h"
#include "store/dkimkey.h"
#include "store/lists.h"

#include <stdio.h>

enum { CHECK_DOMAINS_MAX = 100 };

/* One recipient domain and what it makes of the message. */
struct check_domain {
	struct str name;
	struct store_mail_policy policy;
	struct decide_verdict verdict;
};

struct check_run {
	struct session *s;
	struct auth_options opt;
	const struct auth_result *result;
	struct trace *trace;
	struct check_domain *domains;
	size_t domain_count;
	struct decide_facts facts;
};

/* --- whose mail, which recipient domains --- */

/* Why nothing is looked up about the sender; NULL: it is. */
static const char *unchecked_why(const struct session *s)
{
	if (session_is_submission(s))
		return "it was handed in by a client that logged in";
	if (s->trusted)
		return "the client is in a network that you trust";
	if (s->deps->dns == NULL)
		return "there is no resolver";
	if (s->config->localserve && ip_is_loopback(&s->peer))
		return "the client is on this machine, and localserve asks nobody about it";
	return NULL;
}

static struct str domain_of(struct str address)
{
	size_t at = address.len;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return at > 0 ? str_skip(address, at) : STR("");
}

/* The domain as the sender wrote it: an alias may lead anywhere. */
static struct str rcpt_domain(const struct smtp_rcpt *r)
{
	return domain_of(r->original.len > 0 ? r->original : r->address);
}

static int policy_read(
	struct session *s, struct str domain, struct store_mail_policy *out, struct err *err)
{
	struct store_domain row = {.id = 0};

	if (store_domain_find(s->deps->store, domain, s->arena, &row, err) < 0)
		return -1;
	return store_mail_policy_get(s->deps->store, row.id, out, err);
}

static struct check_domain *domain_get(struct check_run *run, struct str name)
{
	for (size_t i = 0; i < run->domain_count; i++) {
		if (str_eq_nocase(run->domains[i].name, name))
			return &run->domains[i];
	}
	return NULL;
}

static int domains_read(struct check_run *run, struct err *err)
{
	struct session *s = run->s;

	run->domains = arena_alloc(s->arena, CHECK_DOMAINS_MAX * sizeof(*run->domains));
	for (size_t i = 0; i < s->env.rcpt_count && run->domain_count < CHECK_DOMAINS_MAX; i++) {
		struct str name = rcpt_domain(&s->env.rcpts[i]);
		if (domain_get(run, name) != NULL)
			continue;
		struct check_domain *d = &run->domains[run->domain_count++];
		d->name = name;
		if (policy_read(s, name, &d->policy, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the checks --- */

static void zones_read(struct check_run *run)
{
	struct session *s = run->s;
	struct store_dnsbl_zone *rows;
	struct str *zones;
	size_t count, n = 0;
	struct err err;
	bool wanted = false;

	for (size_t i = 0; i < run->domain_count; i++)
		wanted = wanted || run->domains[i].policy.dnsbl != STORE_MEASURE_OFF;
	if (!wanted || s->deps->dnsbl == NULL)
		return;
	if (store_dnsbl_list(s->deps->store, s->arena, &rows, &count, &err) < 0) {
		log_event(LOG_LEVEL_WARN, "check.dnsbl", "session", s->id, "error", err.text, NULL);
		return;
	}
	zones = arena_alloc(s->arena, (count + 1) * sizeof(*zones));
	for (size_t i = 0; i < count; i++) {
		if (!rows[i].disabled)
			zones[n++] = rows[i].zone;
	}
	run->opt.dnsbl = s->deps->dnsbl;
	run->opt.zones = zones;
	run->opt.zone_count = n;
}

static void sealers_read(struct check_run *run)
{
	struct store_sealer *rows;
	struct str *sealers;
	size_t count;
	struct err err;

	if (str_find(run->opt.header, STR("\nARC-Seal")) == NULL &&
		!str_starts(run->opt.header, STR("ARC-Seal")))
		return;
	if (store_sealer_list(run->s->deps->store, run->s->arena, &rows, &count, &err) < 0)
		return;
	sealers = arena_alloc(run->s->arena, (count + 1) * sizeof(*sealers));
	for (size_t i = 0; i < count; i++)
		sealers[i] = rows[i].domain;
	run->opt.sealers = sealers;
	run->opt.sealer_count = count;
}

static int body_check(struct session *s, struct auth_check *auth, struct err *err)
{
	struct smtp_data_body body;
	struct str piece;
	int rc;

	smtp_data_body_begin(&s->data, s->arena, &body);
	while ((rc = smtp_data_body_next(&body, &piece, err)) == 1)
		auth_body(auth, piece);
	return rc;
}

static int checks_run(struct check_run *run, struct message_check *out, struct err *err)
{
	struct session *s = run->s;

	run->opt = (struct auth_options){.dns = s->deps->dns,
		.pool = s->deps->auth_pool,
		.deadline = deadline_min(deadline_in_ms(s->limits->check_timeout_ms), s->total),
		.ip = s->peer,
		.helo = str_from(s->helo),
		.mail_from = s->env.mail_from,
		.hostname = str_from(s->config->hostname),
		.header = s->header_before_edit.len > 0 ? s->header_before_edit
							: smtp_data_header(&s->data),
		.now_s = clock_unix_s(),
		.trace = run->trace};
	zones_read(run);
	sealers_read(run);
	out->auth = auth_open(&run->opt);
	if (body_check(s, out->auth, err) < 0)
		return -1;
	run->result = out->result = auth_finish(out->auth);
	return 0;
}

/* --- allow and deny lists --- */

static unsigned rank(enum store_list_kind kind)
{
	switch (kind) {
	case STORE_LIST_ADDRESS:
		return 3;
	case STORE_LIST_DOMAIN:
		return 2;
	case STORE_LIST_IP:
		return 1;
	}
	return 0;
}

static const char *kind_text(enum store_list_kind kind)
{
	switch (kind) {
	case STORE_LIST_ADDRESS:
		return "the address";
	case STORE_LIST_DOMAIN:
		return "the domain";
	case STORE_LIST_IP:
		return "the network";
	}
	return "";
}

struct list_best {
	struct store_list_entry entry;
	bool any;
};

/* An exacter kind wins, and of equals the one that denies. */
static void entry_weigh(struct list_best *best, const struct store_list_entry *e)
{
	if (best->any && (rank(e->kind) < rank(best->entry.kind) ||
				 (rank(e->kind) == rank(best->entry.kind) &&
					 best->entry.list == STORE_LIST_DENY)))
		return;
	best->entry = *e;
	best->any = true;
}

/* believed: SPF, DKIM or DMARC stand behind the address, so that an allow entry counts. */
static void address_weigh(
	struct check_run *run, struct str address, bool believed, struct list_best *best)
{
	struct store_list_entry e;

	if (address.len > 0 &&
		store_list_match_address(
			run->s->deps->store, address, run->opt.now_s, run->s->arena, &e) == 1 &&
		(believed || e.list == STORE_LIST_DENY))
		entry_weigh(best, &e);
}

static void lists_match(struct check_run *run)
{
	const struct auth_result *r = run->result;
	struct list_best best = {.any = false};
	struct store_list_entry e;

	if (store_list_match_ip(
		    run->s->deps->store, &run->s->peer, run->opt.now_s, run->s->arena, &e) == 1)
		entry_weigh(&best, &e);
	address_weigh(run, run->s->env.mail_from, r->spf.result == SPF_PASS, &best);
	address_weigh(run, r->from_address, r->dmarc.result == DMARC_PASS, &best);
	for (size_t i = 0; i < r->dkim.count; i++) {
		if (r->dkim.at[i].status == DKIM_PASS)
			address_weigh(run, r->dkim.at[i].domain, true, &best);
	}
	if (!best.any)
		return;
	bool allows = best.entry.list == STORE_LIST_ALLOW;
	run->facts.list = allows ? LIST_ALLOWS : LIST_DENIES;
	run->facts.list_text = str_from(arena_printf(
		run->s->arena, "%s %.*s", kind_text(best.entry.kind), STR_FMT(best.entry.value)));
	trace_add(run->trace,
		&(struct trace_step){.kind = "list",
			.title = allows ? STR("Allow list") : STR("Deny list"),
			.state = allows ? TRACE_OK : TRACE_BAD,
			.result = allows ? STR("allowed") : STR("denied"),
			.text = str_from(arena_printf(run->s->arena, "The %s list has %.*s.",
				allows ? "allow" : "deny", STR_FMT(run->facts.list_text))),
			.took_ms = -1});
}

/* --- facts --- */

static enum decide_word spf_word(enum spf_result r)
{
	static const enum decide_word words[] = {[SPF_NONE] = WORD_NONE,
		[SPF_NEUTRAL] = WORD_NEUTRAL,
		[SPF_PASS] = WORD_PASS,
		[SPF_FAIL] = WORD_FAIL,
		[SPF_SOFTFAIL] = WORD_SOFTFAIL,
		[SPF_TEMPERROR] = WORD_TEMPERROR,
		[SPF_PERMERROR] = WORD_PERMERROR};

	return words[r];
}

static enum decide_word iprev_word(enum iprev_result r)
{
	static const enum decide_word words[] = {[IPREV_PASS] = WORD_PASS,
		[IPREV_FAIL] = WORD_FAIL,
		[IPREV_TEMPERROR] = WORD_TEMPERROR,
		[IPREV_PERMERROR] = WORD_PERMERROR};

	return words[r];
}

static struct str zones_listing(struct arena *a, const struct auth_result *r)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < r->dnsbl_count; i++) {
		if (r->dnsbl[i].result != DNSBL_FAIL)
			continue;
		buf_text(&b, b.len > 0 ? ", " : "");
		buf_raw(&b, r->dnsbl[i].zone);
	}
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

static void facts_collect(struct check_run *run)
{
	const struct auth_result *r = run->result;
	struct arena *a = run->s->arena;
	char ip[IP_TEXT];

	run->facts = (struct decide_facts){.dmarc = r->dmarc.result,
		.dmarc_policy = r->dmarc.policy,
		.from_domain = r->dmarc.from_domain,
		.spf = spf_word(r->spf.result),
		.spf_domain = r->spf.domain,
		.iprev = iprev_word(r->iprev.result),
		.ip = arena_str(a, str_from(ip_text(&run->s->peer, ip))),
		.dnsbl = zones_listing(a, r)};
	if (r->arc_set != NULL)
		run->facts.override = str_from(arena_printf(a,
			"%.*s, whose ARC seals you trust, saw it pass before it was forwarded",
			STR_FMT(r->arc_set->sealer)));
	lists_match(run);
}

/* --- the decision --- */

static enum trace_state action_state(enum decide_action a)
{
	switch (a) {
	case DECIDE_ACCEPT:
		return TRACE_OK;
	case DECIDE_QUARANTINE:
	case DECIDE_DEFER:
		return TRACE_WARN;
	case DECIDE_REJECT:
		return TRACE_BAD;
	}
	return TRACE_INFO;
}

static void decision_note(
	struct check_run *run, const struct decide_verdict *v, enum decide_action action)
{
	struct str lines[TRACE_DETAILS_MAX];
	size_t n = 0;
	bool mixed = false;

	for (size_t i = 0; i < run->domain_count; i++)
		mixed = mixed || run->domains[i].verdict.action != v->action;
	for (size_t i = 0; mixed && i < run->domain_count && n < TRACE_DETAILS_MAX; i++)
		lines[n++] = str_from(arena_printf(run->s->arena, "%.*s: %s",
			STR_FMT(run->domains[i].name), run->domains[i].verdict.sentence));
	bool taken = run->s->config->localserve && action != DECIDE_ACCEPT;
	struct str text = str_from(arena_printf(run->s->arena, "%s%s%s",
		taken ? "Taken, as localserve takes everything; a gateway would not have: " : "",
		v->sentence,
		mixed && action == DECIDE_ACCEPT
			? " For other recipients it goes to quarantine, as their domains ask."
			: ""));
	trace_sentence(run->trace, text);
	trace_add(run->trace, &(struct trace_step){.kind = "decision",
				      .title = STR("Decision"),
				      .state = action_state(action),
				      .result = str_from(decide_action_text(action)),
				      .text = str_from(arena_printf(run->s->arena,
					      "%.*s The rule that decided: %s.", STR_FMT(text),
					      decide_rule_text(v->rule))),
				      .detail = lines,
				      .detail_count = n,
				      .took_ms = -1});
}

/* A verdict begins with what is done to the message ("Refused: "); here it is kept back. */
static struct str kept_reason(struct session *s, const char *sentence)
{
	const char *why = strstr(sentence, ": ");

	return str_from(arena_printf(s->arena, "Kept back: %s", why != NULL ? why + 2 : sentence));
}

/* Which recipients' copies wait in quarantine: those whose domain wants more than is done. */
static void quarantine_mark(struct check_run *run, struct message_check *out)
{
	struct session *s = run->s;

	for (size_t i = 0; i < s->env.rcpt_count; i++) {
		struct check_domain *d = domain_get(run, rcpt_domain(&s->env.rcpts[i]));
		if (d == NULL || d->verdict.action == DECIDE_ACCEPT)
			continue;
		s->env.rcpts[i].quarantine = true;
		if (!out->quarantine)
			out->quarantine_reason = kept_reason(s, d->verdict.sentence);
		out->quarantine = true;
	}
}

static const char *override_name(const struct check_run *run, const struct decide_verdict *v)
{
	if (!v->dmarc_overridden)
		return "";
	return run->facts.override.len > 0 && run->facts.list != LIST_ALLOWS ? "trusted_forwarder"
									     : "local_policy";
}

static void fields_write(
	struct check_run *run, const struct decide_verdict *v, struct message_check *out)
{
	struct buf b = {NULL, 0, 0};
	struct auth_header h = {.authserv_id = run->opt.hostname,
		.result = run->result,
		.ip = run->facts.ip,
		.helo = run->opt.helo,
		.mail_from = run->opt.mail_from,
		.dmarc_override = str_from(override_name(run, v))};

	auth_header_write(&b, &h);
	out->fields = arena_str(run->s->arena, buf_str(&b));
	buf_clear(&b);
	auth_results_write(&b, &h);
	out->results = arena_str(run->s->arena, buf_str(&b));
	buf_free(&b);
	out->arc = &run->result->arc;
	if (run->result->iprev.result == IPREV_PASS)
		out->reverse_name = run->result->iprev.name;
}

static void trace_keep(struct check_run *run)
{
	struct buf b = {NULL, 0, 0};

	trace_write(run->trace, &b);
	run->s->trace = arena_str(run->s->arena, buf_str(&b));
	buf_free(&b);
}

static bool verdict_apply(struct check_run *run, struct message_check *out)
{
	struct decide_verdict *all =
		arena_alloc(run->s->arena, (run->domain_count + 1) * sizeof(*all));
	enum decide_action action;

	for (size_t i = 0; i < run->domain_count; i++) {
		decide(&run->facts, &run->domains[i].policy, &run->domains[i].verdict);
		all[i] = run->domains[i].verdict;
	}
	const struct decide_verdict *v = &all[decide_common(all, run->domain_count, &action)];
	decision_note(run, v, action);
	trace_keep(run);
	if (run->s->config->localserve) { /* says what it would have done, and takes it */
		fields_write(run, v, out);
		return true;
	}
	if (action == DECIDE_REJECT || action == DECIDE_DEFER) {
		message_refuse(run->s, v->code, v->ecode, v->reply);
		return false;
	}
	fields_write(run, v, out);
	quarantine_mark(run, out);
	return true;
}

/* The log tells why there is nothing to be seen. */
static void unchecked_note(struct session *s, const char *why)
{
	struct check_run run = {.s = s, .trace = trace_new()};
	struct str text =
		str_from(arena_printf(s->arena, "Taken without checks of the sender: %s.", why));

	trace_sentence(run.trace, text);
	trace_add(run.trace, &(struct trace_step){.kind = "decision",
				     .title = STR("Decision"),
				     .state = TRACE_INFO,
				     .result = STR("accept"),
				     .text = text,
				     .took_ms = -1});
	trace_keep(&run);
	trace_free(&run.trace);
}

bool check_message(struct session *s, struct message_check *out)
{
	struct check_run run = {.s = s};
	const char *why = unchecked_why(s);
	struct err err;
	bool go_on = false;

	*out = (struct message_check){.made = false};
	if (why != NULL) {
		unchecked_note(s, why);
		return true;
	}
	run.trace = trace_new();
	if (domains_read(&run, &err) < 0 || checks_run(&run, out, &err) < 0) {
		log_event(
			LOG_LEVEL_ERROR, "check.failed", "session", s->id, "error", err.text, NULL);
		message_refuse(s, 451, "4.3.0", "Local trouble, try again later");
	} else {
		out->made = true;
		facts_collect(&run);
		go_on = verdict_apply(&run, out);
	}
	trace_free(&run.trace);
	return go_on;
}

void check_end(struct message_check *c)
{
	auth_free(&c->auth);
}

/* --- on the way in --- */

void check_header_edit(void *arg, struct buf *head)
{
	struct session *s = arg;
	struct str ours = str_from(s->config->hostname);

	if (s->trusted || !auth_forged_any(buf_str(head), ours))
		return;
	s->header_before_edit = arena_str(s->arena, buf_str(head));
	auth_forged_strip(head, ours);
}
