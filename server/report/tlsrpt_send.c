/* One report: is it wanted, by whom, of what, and off it goes. */
#include "report/tlsrpt_priv.h"

#include "base/log.h"
#include "base/utf8.h"
#include "dns/ask.h"
#include "message/message.h"
#include "policy/rcpt.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { ROWS_PAGE = 500, TRIES_MAX = 3 };

struct work { /* on a report */
	const struct tlsrpt_means *m;
	const struct config *config;
	struct arena *a;
	struct str domain;
	int day;
	int64_t now_s;
	struct tlsrpt_report report;
	bool asked;
	struct tlsrpt_lookup lookup;
	struct store_tlsrpt_to to[STORE_TLSRPT_TO_MAX];
	struct store_msg_new *mails[STORE_TLSRPT_TO_MAX];
	size_t to_count;
	struct tlsrpt_outcome *out;
};

const char *tlsrpt_sent_text(enum tlsrpt_sent s)
{
	static const char *const names[] = {[TLSRPT_SENT] = "sent",
		[TLSRPT_SENT_BEFORE] = "sent-before",
		[TLSRPT_SENT_EMPTY] = "no-results",
		[TLSRPT_SENT_NOT_ASKED] = "only-reports",
		[TLSRPT_SENT_NO_FAILURE] = "no-failure",
		[TLSRPT_SENT_NO_RECORD] = "no-record",
		[TLSRPT_SENT_BAD_RECORD] = "bad-record",
		[TLSRPT_SENT_NO_DESTINATION] = "no-destination",
		[TLSRPT_SENT_SUPPRESSED] = "suppressed",
		[TLSRPT_SENT_OFF] = "off",
		[TLSRPT_SENT_DNS] = "dns",
		[TLSRPT_SENT_UNSIGNED] = "unsigned",
		[TLSRPT_SENT_TOO_LARGE] = "too-large"};

	return names[s];
}

bool tlsrpt_sent_keeps(enum tlsrpt_sent s)
{
	return s >= TLSRPT_SENT_OFF;
}

__attribute__((format(printf, 3, 4))) static int outcome(
	struct work *w, enum tlsrpt_sent what, const char *fmt, ...)
{
	va_list ap;

	w->out->what = what;
	va_start(ap, fmt);
	vsnprintf(w->out->text, sizeof(w->out->text), fmt, ap);
	va_end(ap);
	return 0;
}

/* --- what is in it --- */

static int results_read(struct work *w, struct err *err)
{
	struct store_tls_result *rows;
	struct str after = STR("");
	size_t count;

	do {
		if (store_tls_result_day(w->m->store, w->domain, w->day, after, ROWS_PAGE, w->a,
			    &rows, &count, err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			w->asked |= rows[i].send_report;
		tlsrpt_merge(w->a, rows, count, &w->report);
		if (count > 0)
			after = rows[count - 1].recipient_domain;
	} while (count == ROWS_PAGE);
	return 0;
}

static bool any_failure(const struct tlsrpt_report *r)
{
	for (size_t i = 0; i < r->policy_count; i++) {
		if (r->policies[i].failures > 0 || r->policies[i].detail_count > 0)
			return true;
	}
	return false;
}

/* RFC 8460 section 4.1: the period is a UTC day. One that is not over ends now, under an id of
 * its own. */
static void head_fill(struct work *w)
{
	int64_t start_s = tlsrpt_day_start_s(w->day), end_s = start_s + 86400;
	struct tlsrpt_report *r = &w->report;
	struct tm tm;
	time_t now = (time_t)w->now_s;

	r->organization = str_from(w->config->hostname);
	r->contact = str_from(arena_printf(w->a, "postmaster@%s", w->config->hostname));
	r->start_s = start_s;
	r->end_s = end_s - 1;
	if (w->now_s >= end_s || gmtime_r(&now, &tm) == NULL) {
		r->id = str_from(arena_printf(w->a, "%08d.%.*s@%s", tlsrpt_day(end_s),
			STR_FMT(w->domain), w->config->hostname));
		return;
	}
	r->end_s = w->now_s;
	r->id = str_from(arena_printf(w->a, "%08dT%02d%02d%02d.%.*s@%s", w->day, tm.tm_hour,
		tm.tm_min, tm.tm_sec, STR_FMT(w->domain), w->config->hostname));
}

/* --- where it goes --- */

static bool is_listed(const struct work *w, struct str address)
{
	for (size_t i = 0; i < w->to_count; i++) {
		if (str_eq(w->to[i].address, address))
			return true;
	}
	return false;
}

/* The destination, unless it is there already. */
static int to_add(struct work *w, struct str address, bool https, struct err *err)
{
	struct store_tlsrpt_to *to = &w->to[w->to_count];
	struct store_tlsrpt_suppress entry;

	if (w->to_count == STORE_TLSRPT_TO_MAX || is_listed(w, address))
		return 0;
	int rc = store_tlsrpt_suppressed(w->m->store, address, w->now_s, w->a, &entry, err);
	if (rc < 0)
		return -1;
	*to = (struct store_tlsrpt_to){
		.address = address, .https = https, .next_s = https ? w->now_s : 0};
	if (rc == 1) {
		to->state = STORE_TLSRPT_SKIPPED;
		to->text = str_from(
			arena_printf(w->a, "On the suppression list: %.*s", STR_FMT(entry.reason)));
	}
	w->mails[w->to_count++] = NULL;
	return 0;
}

int tlsrpt_destination(struct arena *a, struct str text, struct str *out, struct err *err)
{
	struct message_address parsed;
	struct str address = str_trim(text);
	char domain[DNS_NAME_MAX];

	if (str_starts_nocase(address, STR("https://")) && address.len < HTTP_URL_MAX) {
		*out = arena_str(a, address);
		return 0;
	}
	if (str_starts_nocase(address, STR("mailto:")) &&
		tlsrpt_record_address(a, address, &address) != 1)
		return err_set(err, ERR_PERM, "\"%.*s\" has no mail address", STR_FMT(text));
	if (message_address_parse(a, address, &parsed, err) < 0 ||
		dns_name_to_ascii(parsed.domain, domain, err) < 0)
		return err_prefix(
			err, "\"%.*s\" is neither a mail address nor an https: URL", STR_FMT(text));
	parsed.domain = arena_str(a, str_from(domain));
	*out = message_address_write(a, &parsed);
	return 0;
}

/* Bad addresses and other schemes are passed over. */
static int destinations_read(struct work *w, struct err *err)
{
	const struct tlsrpt_record *r = &w->lookup.record;

	for (size_t i = 0; i < r->rua_count; i++) {
		bool https = str_starts_nocase(r->rua[i], STR("https:"));
		struct str address;
		struct err ignored;
		if (!https && !str_starts_nocase(r->rua[i], STR("mailto:")))
			continue;
		if (tlsrpt_destination(w->a, r->rua[i], &address, &ignored) == 0 &&
			to_add(w, address, https, err) < 0)
			return -1;
	}
	return 0;
}

static size_t waiting(const struct work *w, bool https)
{
	size_t n = 0;

	for (size_t i = 0; i < w->to_count; i++)
		n += w->to[i].https == https && w->to[i].state == STORE_TLSRPT_WAITING;
	return n;
}

static void mails_skip(struct work *w, const char *why)
{
	for (size_t i = 0; i < w->to_count; i++) {
		if (w->to[i].https || w->to[i].state != STORE_TLSRPT_WAITING)
			continue;
		w->to[i].state = STORE_TLSRPT_SKIPPED;
		w->to[i].text = str_from(why);
	}
}

/* --- mails --- */

static void to_field(struct work *w, struct tlsrpt_letter *letter)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < w->to_count; i++) {
		if (w->to[i].https || w->to[i].state != STORE_TLSRPT_WAITING)
			continue;
		buf_printf(&b, "%s<%.*s>", b.len > 0 ? ", " : "", STR_FMT(w->to[i].address));
	}
	letter->to = arena_str(w->a, buf_str(&b));
	letter->utf8 = !str_is_ascii(letter->to);
	buf_free(&b);
}

/* The address in its normal form, and who it is; false when it is no address. */
static bool mail_target(struct work *w, struct str address, struct rcpt_target *target)
{
	struct message_address parsed;
	struct err ignored;

	return message_address_parse(w->a, address, &parsed, &ignored) == 0 &&
	       rcpt_resolve(w->m->store, w->config, &parsed, w->a, target, &ignored) == 0;
}

/* Recipients of the queue; an alias of ours has several. False: there is nobody of that name. */
static bool rcpts_fill(struct work *w, struct str address, struct store_msg_new *msg)
{
	struct rcpt_target target, *targets;
	struct err ignored;
	size_t count;

	if (!mail_target(w, address, &target) || target.verdict == RCPT_UNKNOWN_USER ||
		target.verdict == RCPT_DOMAIN_DISABLED ||
		rcpt_expand(w->m->store, w->config, &target, w->a, &targets, &count, &ignored) <
			0 ||
		count == 0)
		return false;
	msg->rcpts = arena_alloc(w->a, count * sizeof(*msg->rcpts));
	msg->rcpt_count = count;
	for (size_t i = 0; i < count; i++)
		msg->rcpts[i] = (struct store_rcpt_new){.address = targets[i].address,
			.dest = targets[i].dest,
			.notify = STORE_NOTIFY_NEVER};
	return true;
}

static void mail_fill(struct work *w, size_t i, const struct tlsrpt_letter *letter,
	const struct store_msg_new *common)
{
	struct store_msg_new *msg = arena_alloc(w->a, sizeof(*msg));

	*msg = *common;
	msg->smtputf8 = letter->utf8 && !str_is_ascii(w->to[i].address);
	if (rcpts_fill(w, w->to[i].address, msg)) {
		w->mails[i] = msg;
		return;
	}
	w->to[i].state = STORE_TLSRPT_SKIPPED;
	w->to[i].text = STR("There is no such address in this domain of ours.");
}

static int mails_make(
	struct work *w, const struct tlsrpt_signer *signer, struct str packed, struct err *err)
{
	struct tlsrpt_letter letter = {.hostname = w->config->hostname,
		.policy_domain = w->domain,
		.report = &w->report,
		.packed = packed,
		.from = signer->from,
		.now_s = w->now_s};
	struct store_msg_new common = {.mail_from = signer->from,
		.header_from = signer->from,
		.from_address = signer->from,
		.tls_required_no = 1,
		.is_tls_report = true};

	to_field(w, &letter);
	if (tlsrpt_compose(w->a, &letter, &signer->keys, &common.body, &common.message_id,
		    &common.subject, err) < 0)
		return -1;
	common.body_8bit = !str_is_ascii(common.body);
	for (size_t i = 0; i < w->to_count; i++) {
		if (!w->to[i].https && w->to[i].state == STORE_TLSRPT_WAITING)
			mail_fill(w, i, &letter, &common);
	}
	return 0;
}

/* --- off it goes --- */

static int commit(struct work *w, struct str json, struct str from,
	const struct store_tlsrpt_basis *basis, bool *again, struct err *err)
{
	const struct store_msg_new *mails[STORE_TLSRPT_TO_MAX];
	struct store_tlsrpt_sent sent = {.report_id = w->report.id,
		.policy_domain = w->domain,
		.day = w->day,
		.sent_s = w->now_s,
		.start_s = w->report.start_s,
		.end_s = w->report.end_s,
		.successes = tlsrpt_report_successes(&w->report),
		.failures = tlsrpt_report_failures(&w->report),
		.mail_from = from,
		.record = w->lookup.record_text,
		.json = json,
		.to = w->to,
		.to_count = w->to_count};
	size_t posts = waiting(w, true), all = waiting(w, false) + posts;
	enum store_tlsrpt_added added;

	for (size_t i = 0; i < w->to_count; i++)
		mails[i] = w->mails[i];
	if (store_tlsrpt_sent_add(w->m->store, &sent, mails, basis, &added, err) < 0)
		return -1;
	*again = added == STORE_TLSRPT_CHANGED;
	if (added != STORE_TLSRPT_ADDED)
		return outcome(w, TLSRPT_SENT_BEFORE,
			"Results that came after the report of the day was sent; they are "
			"removed.");
	w->out->sent_id = sent.id;
	w->out->mails = all - posts;
	w->out->posts = posts;
	if (all == 0)
		return outcome(w, TLSRPT_SENT_SUPPRESSED, "No destination gets reports: %.*s",
			STR_FMT(w->to[0].text));
	return outcome(w, TLSRPT_SENT, "Sent to %zu destination%s.", all, all == 1 ? "" : "s");
}

static int pack_and_commit(struct work *w, const struct tlsrpt_signer *signer,
	const struct store_tlsrpt_basis *basis, bool *again, struct err *err)
{
	struct buf json = {NULL, 0, 0}, packed = {NULL, 0, 0};

	tlsrpt_report_write(&w->report, &json);
	int rc = tlsrpt_gzip(buf_str(&json), &packed, err);
	if (rc == 0 && packed.len > TLSRPT_SEND_MAX)
		rc = outcome(w, TLSRPT_SENT_TOO_LARGE,
			"The report has %zu octets, over the limit of %d.", packed.len,
			TLSRPT_SEND_MAX);
	else if (rc == 0 && signer->from.len > 0)
		rc = mails_make(w, signer, buf_str(&packed), err);
	if (rc == 0 && packed.len <= TLSRPT_SEND_MAX)
		rc = commit(w, buf_str(&json), signer->from, basis, again, err);
	buf_free(&json);
	buf_free(&packed);
	return rc;
}

static int report_send(
	struct work *w, const struct store_tlsrpt_basis *basis, bool *again, struct err *err)
{
	struct tlsrpt_signer signer = {.from = STR("")};
	char why[512] = "";
	int rc = 1;

	if (waiting(w, false) > 0)
		rc = tlsrpt_signer_find(w->m, w->config->hostname, w->a, &signer, why, err);
	if (rc < 0)
		return -1;
	if (rc == 0 && waiting(w, true) == 0)
		return outcome(w, TLSRPT_SENT_UNSIGNED, "%s", why);
	if (rc == 0)
		mails_skip(w, why);
	head_fill(w);
	rc = pack_and_commit(w, &signer, basis, again, err);
	signing_keys_release(&signer.keys);
	return rc;
}

/* --- whether --- */

static int record_find(struct work *w, bool *go, struct err *err)
{
	struct dns_asker ask = {
		.dns = w->m->dns, .deadline = deadline_in_ms(TLSRPT_LOOKUP_MS), .trace = NULL};
	struct err why;

	*go = false;
	if (tlsrpt_lookup(&ask, arena_strdup(w->a, w->domain), w->a, &w->lookup, &why) < 0)
		return outcome(w, TLSRPT_SENT_BAD_RECORD, "%s", why.text);
	switch (w->lookup.status) {
	case TLSRPT_NO_RECORD:
		return outcome(w, TLSRPT_SENT_NO_RECORD,
			"%.*s asks for no reports: it has no TLSRPT record.", STR_FMT(w->domain));
	case TLSRPT_MULTIPLE:
	case TLSRPT_SYNTAX:
		return outcome(w, TLSRPT_SENT_BAD_RECORD, "%s", w->lookup.text);
	case TLSRPT_DNS:
		return outcome(w, TLSRPT_SENT_DNS, "%s", w->lookup.text);
	case TLSRPT_OK:
		break;
	}
	if (destinations_read(w, err) < 0)
		return -1;
	if (w->to_count == 0)
		return outcome(w, TLSRPT_SENT_NO_DESTINATION,
			"The TLSRPT record has no mailto: or https: destination that can be used.");
	*go = true;
	return 0;
}

static int attempt(struct work *w, bool *again, struct err *err)
{
	struct store_tlsrpt_basis basis;
	bool go;

	*again = false;
	if (store_tlsrpt_basis(w->m->store, w->domain, w->day, &basis, err) < 0 ||
		results_read(w, err) < 0)
		return -1;
	if (basis.rows == 0)
		return outcome(w, TLSRPT_SENT_EMPTY, "There are no results of that day.");
	if (w->config->no_outgoing_tls_reports)
		return outcome(w, TLSRPT_SENT_OFF,
			"mox.conf says NoOutgoingTLSReports: no report is sent.");
	if (!w->asked)
		return outcome(
			w, TLSRPT_SENT_NOT_ASKED, "Only TLS reports of ours went there that day.");
	if (!w->config->tls_reports_for_all_success && !any_failure(&w->report))
		return outcome(w, TLSRPT_SENT_NO_FAILURE,
			"There was no failure, and mox.conf does not say "
			"OutgoingTLSReportsForAllSuccess.");
	if (record_find(w, &go, err) < 0)
		return -1;
	return go ? report_send(w, &basis, again, err) : 0;
}

/* Results are removed, or it is noted why they stay. */
static int results_settle(struct work *w, struct err *err)
{
	struct tlsrpt_outcome *out = w->out;
	size_t count;

	if (tlsrpt_sent_keeps(out->what))
		return store_tlsrpt_kept_set(
			w->m->store, w->domain, w->day, w->now_s, str_from(out->text), err);
	/* With a report they went in its transaction. */
	if (out->what == TLSRPT_SENT || out->what == TLSRPT_SENT_BEFORE ||
		out->what == TLSRPT_SENT_SUPPRESSED || out->what == TLSRPT_SENT_EMPTY)
		return 0;
	return store_tls_result_delete(w->m->store, w->domain, w->day, &count, err);
}

int tlsrpt_send(const struct tlsrpt_means *m, struct str policy_domain, int day, int64_t now_s,
	struct tlsrpt_outcome *out, struct err *err)
{
	const struct config *c = config_snapshot(m->config);
	bool again = true;
	int rc = 0;

	for (int i = 0; rc == 0 && again && i < TRIES_MAX; i++) {
		struct work *w;
		struct arena *a = arena_open();
		*out = (struct tlsrpt_outcome){.what = TLSRPT_SENT_EMPTY};
		w = arena_alloc(a, sizeof(*w));
		*w = (struct work){.m = m,
			.config = c,
			.a = a,
			.domain = policy_domain,
			.day = day,
			.now_s = now_s,
			.out = out};
		rc = attempt(w, &again, err);
		if (rc == 0 && !again)
			rc = results_settle(w, err);
		arena_close(&a);
	}
	config_release(c);
	if (rc == 0 && again)
		rc = err_set(err, ERR_TEMP, "results of that day keep coming in");
	char domain[256];
	if (rc == 0 && out->what != TLSRPT_SENT_EMPTY &&
		str_copy(domain, sizeof(domain), policy_domain))
		log_event(tlsrpt_sent_keeps(out->what) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
			"tlsrpt.send", "domain", domain, "day", num_text(day, (char[NUM_TEXT]){0}),
			"result", tlsrpt_sent_text(out->what), "text", out->text, NULL);
	return rc;
}
