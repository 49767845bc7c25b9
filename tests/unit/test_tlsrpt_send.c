/* TLS reports that we send (spec 6.4, 9.13): whether, to whom, what exactly; once; without loops.
 */
#include "unit.h"

#include "auth/dkim.h"
#include "config/config.h"
#include "message/message.h"
#include "policy/dkim_admin.h"
#include "report/tlsrpt_send.h"
#include "store/directory.h"
#include "store/message.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAY_S = 86400 };
static const int64_t day_s = 1795564800; /* 2026-11-25T00:00:00Z */
static const int day = 20261124;

struct side { /* a gateway */
	char dir[64];
	struct store *store;
	struct dns *dns;
	struct signing *signing;
	struct config_holder *config;
	struct config *c;
	struct tlsrpt_means m;
	struct arena *a;
};

static struct config *config_make(const char *dir, const char *hostname)
{
	struct buf text = {NULL, 0, 0};
	struct config *c;
	struct err err;
	char path[128];

	buf_printf(&text,
		"DataDir: %s\nHostname: %s\nListeners:\n\tmain:\n\t\tIPs:\n\t\t\t- "
		"127.0.0.1\n",
		dir, hostname);
	snprintf(path, sizeof(path), "%s/mox.conf", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fwrite(text.p, 1, text.len, f);
	fclose(f);
	buf_free(&text);
	if (config_load(path, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void side_open(struct side *s, const char *hostname, const char *domain, const char *zone)
{
	struct err err;

	*s = (struct side){.a = arena_open()};
	snprintf(s->dir, sizeof(s->dir), "/tmp/mox-tlsout-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	if (store_open(s->dir, &s->store, &err) < 0 ||
		dns_open_fixture(str_from(zone), &s->dns, &err) < 0)
		fail_msg("%s", err.text);
	s->c = config_make(s->dir, hostname);
	s->config = config_holder_new(s->c);
	s->signing = signing_new(s->store);
	s->m = (struct tlsrpt_means){
		.store = s->store, .config = s->config, .dns = s->dns, .signing = s->signing};
	if (domain == NULL)
		return;
	struct store_domain d = {.name = str_from(domain)};
	struct store_selector sel = {.name = STR("s1"), .signing = true};
	struct admin_problems problems = {.count = 0};
	if (store_domain_put(s->store, &d, &err) < 0)
		fail_msg("%s", err.text);
	sel.domain_id = d.id;
	sel.domain = d.name;
	if (dkim_admin_generate(s->store, s->a, &sel, DKIM_ED25519, 0, &problems, &err) != 0)
		fail_msg("%s", problems.count ? "problems" : err.text);
}

static void side_close(struct side *s)
{
	char command[128];

	signing_free(&s->signing);
	config_holder_free(&s->config);
	dns_close(&s->dns);
	store_close(&s->store);
	arena_close(&s->a);
	snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	assert_int_equal(system(command), 0);
}

static void result_add(struct side *s, const char *policy_domain, const char *rcpt, int at,
	const struct store_tls_policy *policy, bool send)
{
	struct store_tls_policy copy = *policy;
	struct store_tls_result r = {.policy_domain = str_from(policy_domain),
		.recipient_domain = str_from(rcpt),
		.day = at,
		.send_report = send,
		.is_host = str_eq(policy->type, STR("tlsa")),
		.policies = &copy,
		.policy_count = 1};
	struct err err;

	if (store_tls_result_add(s->store, &r, 1, &err) < 0)
		fail_msg("%s", err.text);
}

/* A simple result of so many sessions. */
static void plain_add(
	struct side *s, const char *domain, const char *rcpt, int at, int good, int bad, bool send)
{
	struct store_tls_detail detail = {.result_type = STR("starttls-not-supported"),
		.receiving_mx_hostname = STR("mx.sender.example"),
		.failed_session_count = bad};
	struct store_tls_policy p = {.type = STR("no-policy-found"),
		.domain = str_from(domain),
		.successes = good,
		.failures = bad,
		.details = &detail,
		.detail_count = bad > 0};

	result_add(s, domain, rcpt, at, &p, send);
}

static struct tlsrpt_outcome send_one(struct side *s, const char *domain, int at, int64_t now_s)
{
	struct tlsrpt_outcome out;
	struct err err;

	if (tlsrpt_send(&s->m, str_from(domain), at, now_s, &out, &err) < 0)
		fail_msg("%s", err.text);
	return out;
}

static struct store_tlsrpt_sent sent_get(struct side *s, int64_t id)
{
	struct store_tlsrpt_sent sent;
	struct err err;

	assert_int_equal(store_tlsrpt_sent_get(s->store, id, s->a, &sent, &err), 1);
	return sent;
}

static size_t rows_left(struct side *s, const char *domain, int at)
{
	struct store_tls_result *rows;
	size_t n;
	struct err err;

	assert_int_equal(store_tls_result_day(s->store, str_from(domain), at, STR(""), 100, s->a,
				 &rows, &n, &err),
		0);
	return n;
}

static int64_t queued(struct side *s)
{
	struct store_queue_summary sum;
	struct err err;

	assert_int_equal(store_queue_summary(s->store, &sum, &err), 0);
	return sum.queued;
}

static struct str body_of(struct side *s, int64_t msg_id)
{
	struct store_body *b;
	struct buf text = {NULL, 0, 0};
	struct str piece;
	struct err err;

	assert_int_equal(store_body_open(s->store, msg_id, &b, &err), 0);
	while (store_body_next(b, &piece, &err) == 1)
		buf_raw(&text, piece);
	store_body_close(&b);
	piece = arena_str(s->a, buf_str(&text));
	buf_free(&text);
	return piece;
}

static const char zone[] =
	"_smtp._tls.sender.example TXT \"v=TLSRPTv1; rua=https://x.example/r,"
	"mailto:tls@reports.example\"\n"
	"_smtp._tls.mailhost.sender.example TXT \"v=TLSRPTv1; rua=mailto:a@x.example,"
	"mailto:b%2Bc@x.example?subject=z; rua=mailto:d@xn--bcher-kva.example\"\n"
	"_smtp._tls.mailonly.example TXT \"v=TLSRPTv1;rua=mailto:tls@reports.example\"\n"
	"_smtp._tls.two.example TXT \"v=TLSRPTv1;rua=mailto:a@x.example\" "
	"\n_smtp._tls.two.example TXT \"v=TLSRPTv1;rua=mailto:b@x.example\"\n"
	"_smtp._tls.bad.example TXT \"v=TLSRPTv1;\"\n"
	"_smtp._tls.ftp.example TXT \"v=TLSRPTv1;rua=ftp://x.example\"\n"
	"fail: txt _smtp._tls.down.example.\n";

/* --- whether --- */

static void kept_or_not(void **state)
{
	static const struct {
		const char *domain;
		int bad;
		bool send;
		enum tlsrpt_sent what;
	} cases[] = {
		{"mailonly.example", 1, true, TLSRPT_SENT},
		{"mailonly2.example", 0, true, TLSRPT_SENT_NO_FAILURE},
		{"mailonly.example", 3, false, TLSRPT_SENT_NOT_ASKED},
		{"none.example", 1, true, TLSRPT_SENT_NO_RECORD},
		{"two.example", 1, true, TLSRPT_SENT_BAD_RECORD},
		{"bad.example", 1, true, TLSRPT_SENT_BAD_RECORD},
		{"ftp.example", 1, true, TLSRPT_SENT_NO_DESTINATION},
		{"down.example", 1, true, TLSRPT_SENT_DNS},
	};
	struct side s;

	(void)state;
	side_open(&s, "mail.mox.example", "mox.example", zone);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		plain_add(&s, cases[i].domain, "r.example", day, 2, cases[i].bad, cases[i].send);
		struct tlsrpt_outcome out = send_one(&s, cases[i].domain, day, day_s + 300);
		if (out.what != cases[i].what)
			fail_msg("%s: %s: %s", cases[i].domain, tlsrpt_sent_text(out.what),
				out.text);
		size_t want = tlsrpt_sent_keeps(cases[i].what) ? 1 : 0;
		assert_int_equal(rows_left(&s, cases[i].domain, day), want);
	}
	struct str why;
	int64_t at_s;
	struct err err;
	assert_int_equal(
		store_tlsrpt_kept_get(s.store, STR("down.example"), day, s.a, &why, &at_s, &err),
		1);
	assert_true(why.len > 0);
	assert_int_equal(at_s, day_s + 300);
	assert_int_equal(queued(&s), 1);
	/* What comes after the report of the day is not reported. */
	plain_add(&s, "mailonly.example", "r.example", day, 0, 1, true);
	assert_int_equal(
		send_one(&s, "mailonly.example", day, day_s + 900).what, TLSRPT_SENT_BEFORE);
	assert_int_equal(rows_left(&s, "mailonly.example", day), 0);
	assert_int_equal(queued(&s), 1);
	assert_int_equal(
		send_one(&s, "mailonly.example", day, day_s + 900).what, TLSRPT_SENT_EMPTY);
	/* Settings. */
	s.c->tls_reports_for_all_success = true;
	plain_add(&s, "mailonly.example", "r.example", day - 1, 5, 0, true);
	assert_int_equal(send_one(&s, "mailonly.example", day - 1, day_s).what, TLSRPT_SENT);
	s.c->no_outgoing_tls_reports = true;
	plain_add(&s, "mailonly.example", "r.example", day - 2, 5, 1, true);
	assert_int_equal(send_one(&s, "mailonly.example", day - 2, day_s).what, TLSRPT_SENT_OFF);
	assert_int_equal(rows_left(&s, "mailonly.example", day - 2), 1);
	side_close(&s);
}

static void unsigned_stays(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, "mail.mox.example", NULL, zone);
	plain_add(&s, "mailonly.example", "r.example", day, 0, 1, true);
	struct tlsrpt_outcome out = send_one(&s, "mailonly.example", day, day_s);
	assert_int_equal(out.what, TLSRPT_SENT_UNSIGNED);
	assert_non_null(strstr(out.text, "DKIM"));
	assert_int_equal(rows_left(&s, "mailonly.example", day), 1);
	assert_int_equal(queued(&s), 0);
	/* Who takes it over HTTPS gets it all the same. */
	plain_add(&s, "sender.example", "r.example", day, 0, 1, true);
	out = send_one(&s, "sender.example", day, day_s);
	assert_int_equal(out.what, TLSRPT_SENT);
	assert_int_equal(out.posts, 1);
	assert_int_equal(out.mails, 0);
	struct store_tlsrpt_sent sent = sent_get(&s, out.sent_id);
	assert_int_equal(sent.to[1].state, STORE_TLSRPT_SKIPPED);
	assert_non_null(str_find(sent.to[1].text, STR("DKIM")));
	side_close(&s);
}

/* --- what --- */

static void verify_signed(struct side *s, struct str message)
{
	struct str record, names = STR(""), rest = message;
	struct message_field f;
	struct store_selector *sel;
	struct dkim_results results;
	struct buf zone2 = {NULL, 0, 0};
	struct dns *dns;
	size_t count;
	struct err err;
	const char *end = str_find(message, STR("\r\n\r\n"));

	assert_non_null(end);
	assert_int_equal(store_selector_list(s->store, 0, s->a, &sel, &count, &err), 0);
	record = dkim_admin_record(s->a, &sel[0]);
	buf_printf(&zone2, "s1._domainkey.mox.example TXT \"%.*s\"\n", STR_FMT(record));
	assert_int_equal(dns_open_fixture(buf_str(&zone2), &dns, &err), 0);
	struct str header = {message.p, (size_t)(end - message.p) + 4};
	struct dkim_verifier *v = dkim_verifier_new(header, day_s + 400);
	dkim_verifier_feed(v, str_skip(message, header.len));
	struct dns_asker ask = {.dns = dns, .deadline = deadline_in_ms(5000)};
	dkim_verifier_finish(v, &ask, s->a, &results);
	assert_int_equal(results.count, 1);
	if (results.at[0].status != DKIM_PASS)
		fail_msg("%.*s", STR_FMT(results.at[0].why));
	assert_true(str_eq(results.at[0].domain, STR("mox.example")));
	while (message_header_next(&rest, &f, &err) == 1) {
		if (str_eq_nocase(f.name, STR("DKIM-Signature")))
			names = f.value;
	}
	char *lower = arena_strdup(s->a, names);
	str_lower(lower, names.len);
	assert_non_null(strstr(lower, "tls-report-domain"));
	assert_non_null(strstr(lower, "tls-report-submitter"));
	dkim_verifier_free(&v);
	dns_close(&dns);
	buf_free(&zone2);
}

static const char merged_json[] =
	"{\n"
	"\t\"organization-name\": \"mail.mox.example\",\n"
	"\t\"date-range\": {\n"
	"\t\t\"start-datetime\": \"2026-11-24T00:00:00Z\",\n"
	"\t\t\"end-datetime\": \"2026-11-24T23:59:59Z\"\n"
	"\t},\n"
	"\t\"contact-info\": \"postmaster@mail.mox.example\",\n"
	"\t\"report-id\": \"20261125.mailhost.sender.example@mail.mox.example\",\n"
	"\t\"policies\": [\n"
	"\t\t{\n"
	"\t\t\t\"policy\": {\n"
	"\t\t\t\t\"policy-type\": \"tlsa\",\n"
	"\t\t\t\t\"policy-string\": [\n"
	"\t\t\t\t\t\"3 0 1 aa\",\n"
	"\t\t\t\t\t\"3 1 1 bb\"\n"
	"\t\t\t\t],\n"
	"\t\t\t\t\"policy-domain\": \"mailhost.sender.example\",\n"
	"\t\t\t\t\"mx-host\": []\n"
	"\t\t\t},\n"
	"\t\t\t\"summary\": {\n"
	"\t\t\t\t\"total-successful-session-count\": 20,\n"
	"\t\t\t\t\"total-failure-session-count\": 2\n"
	"\t\t\t},\n"
	"\t\t\t\"failure-details\": [\n"
	"\t\t\t\t{\n"
	"\t\t\t\t\t\"result-type\": \"validation-failure\",\n"
	"\t\t\t\t\t\"receiving-ip\": \"192.0.2.1\",\n"
	"\t\t\t\t\t\"failure-reason-code\": \"dane-no-match\",\n"
	"\t\t\t\t\t\"failed-session-count\": 2\n"
	"\t\t\t\t}\n"
	"\t\t\t]\n"
	"\t\t}\n"
	"\t]\n"
	"}\n";

static void merged_report(void **state)
{
	struct str strings[] = {STR("3 1 1 bb"), STR("3 0 1 aa")};
	struct store_tls_detail detail = {.result_type = STR("validation-failure"),
		.receiving_ip = STR("192.0.2.1"),
		.failure_reason_code = STR("dane-no-match"),
		.failed_session_count = 1};
	struct store_tls_policy p = {.type = STR("tlsa"),
		.strings = strings,
		.string_count = 2,
		.domain = STR("mailhost.sender.example"),
		.successes = 10,
		.failures = 1,
		.details = &detail,
		.detail_count = 1};
	struct side s;

	(void)state;
	side_open(&s, "mail.mox.example", "mox.example", zone);
	result_add(&s, "mailhost.sender.example", "one.example", day, &p, false);
	result_add(&s, "mailhost.sender.example", "two.example", day, &p, true);
	struct tlsrpt_outcome out = send_one(&s, "mailhost.sender.example", day, day_s + 300);
	assert_int_equal(out.what, TLSRPT_SENT);
	assert_int_equal(out.mails, 3);
	struct store_tlsrpt_sent sent = sent_get(&s, out.sent_id);
	assert_string_equal(arena_strdup(s.a, sent.json), merged_json);
	assert_int_equal(sent.to_count, 3);
	assert_true(str_eq(sent.to[0].address, STR("a@x.example")));
	assert_true(str_eq(sent.to[1].address, STR("b+c@x.example")));
	assert_true(str_eq(sent.to[2].address, STR("d@xn--bcher-kva.example")));
	assert_true(str_eq(sent.mail_from, STR("postmaster@mox.example")));
	assert_int_equal(queued(&s), 3);
	struct str message = body_of(&s, sent.to[0].msg_id);
	static const char *const lines[] = {"From: postmaster@mox.example\r\n",
		"TLS-Report-Domain: mailhost.sender.example\r\n",
		"TLS-Report-Submitter: mail.mox.example\r\n", "TLS-Required: No\r\n",
		"report-type=\"tlsrpt\"", "application/tlsrpt+gzip",
		"mail.mox.example!mailhost.sender.example!1795478400!1795564799.json.gz"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (str_find(message, str_from(lines[i])) == NULL)
			fail_msg("%s is not in\n%.*s", lines[i], STR_FMT(message));
	}
	verify_signed(&s, message);
	/* The queue knows what it is. */
	struct store_claim *claims;
	size_t count;
	struct err err;
	assert_int_equal(store_claim(s.store, "x.example", 10, s.a, &claims, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_true(claims[0].is_tls_report);
	assert_int_equal(claims[0].tls_required_no, 1);
	assert_int_equal(claims[0].rcpts[0].notify, STORE_NOTIFY_NEVER);
	store_claim_release(s.store, claims, count);
	side_close(&s);
}

/* A day that is not over: up to now, under another id; the rest follows at its end. */
static void day_so_far(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, "mail.mox.example", "mox.example", zone);
	plain_add(&s, "mailonly.example", "r.example", day, 0, 1, true);
	struct tlsrpt_outcome out = send_one(&s, "mailonly.example", day, day_s - 3600);
	assert_int_equal(out.what, TLSRPT_SENT);
	struct store_tlsrpt_sent sent = sent_get(&s, out.sent_id);
	assert_string_equal(arena_strdup(s.a, sent.report_id),
		"20261124T230000.mailonly.example@mail.mox.example");
	assert_int_equal(sent.end_s, day_s - 3600);
	plain_add(&s, "mailonly.example", "r.example", day, 0, 1, true);
	out = send_one(&s, "mailonly.example", day, day_s + 240);
	assert_int_equal(out.what, TLSRPT_SENT);
	sent = sent_get(&s, out.sent_id);
	assert_string_equal(
		arena_strdup(s.a, sent.report_id), "20261125.mailonly.example@mail.mox.example");
	assert_int_equal(sent.end_s, day_s - 1);
	side_close(&s);
}

/* --- what becomes of them --- */

static void delivery(struct side *s, const char *dest, enum store_outcome outcome, const char *text)
{
	struct store_claim *claims;
	size_t count;
	struct err err;

	assert_int_equal(store_claim(s->store, dest, 10, s->a, &claims, &count, &err), 0);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		struct store_rcpt_result r = {.rcpt_id = claims[i].rcpts[0].id,
			.outcome = outcome,
			.next_attempt_ms = clock_unix_ms(),
			.text = str_from(text),
			.attempted = true};
		struct store_attempt at = {.msg_id = claims[i].id,
			.started_ms = clock_unix_ms(),
			.results = &r,
			.result_count = 1,
			.is_tls_report = claims[i].is_tls_report};
		if (store_attempt_add(s->store, &at, &err) < 0)
			fail_msg("%s", err.text);
	}
}

static void failures_suppress(void **state)
{
	struct store_tlsrpt_suppress entry;
	struct side s;
	struct err err;
	int64_t now_s = clock_unix_s();

	(void)state;
	side_open(&s, "mail.mox.example", "mox.example", zone);
	for (int i = 0; i < 2; i++) {
		plain_add(&s, "mailonly.example", "r.example", day - 5 + i, 0, 1, true);
		struct tlsrpt_outcome out = send_one(&s, "mailonly.example", day - 5 + i, now_s);
		assert_int_equal(out.what, TLSRPT_SENT);
		assert_int_equal(store_tlsrpt_suppressed(s.store, STR("tls@reports.example"), now_s,
					 s.a, &entry, &err),
			0);
		delivery(&s, "reports.example", STORE_DEFERRED, "later");
		assert_int_equal(sent_get(&s, out.sent_id).to[0].state, STORE_TLSRPT_WAITING);
		delivery(&s, "reports.example", STORE_FAILED, "no such user");
		struct store_tlsrpt_sent sent = sent_get(&s, out.sent_id);
		assert_int_equal(sent.to[0].state, STORE_TLSRPT_FAILED);
		assert_int_equal(sent.to[0].attempts, 2);
		assert_true(str_eq(sent.to[0].text, STR("no such user")));
	}
	assert_int_equal(store_tlsrpt_suppressed(
				 s.store, STR("tls@reports.example"), now_s, s.a, &entry, &err),
		1);
	assert_true(entry.automatic);
	assert_non_null(str_find(entry.reason, STR("no such user")));
	assert_in_range(entry.expires_s, now_s + STORE_TLSRPT_SUPPRESS_S,
		now_s + STORE_TLSRPT_SUPPRESS_S + 60);
	plain_add(&s, "mailonly.example", "r.example", day, 0, 1, true);
	struct tlsrpt_outcome out = send_one(&s, "mailonly.example", day, now_s);
	assert_int_equal(out.what, TLSRPT_SENT_SUPPRESSED);
	assert_int_equal(queued(&s), 0);
	assert_int_equal(sent_get(&s, out.sent_id).to[0].state, STORE_TLSRPT_SKIPPED);
	/* After its end reports go out again; one that is taken ends the row of failures. */
	plain_add(&s, "mailonly.example", "r.example", day - 1, 0, 1, true);
	out = send_one(&s, "mailonly.example", day - 1, entry.expires_s + 1);
	assert_int_equal(out.what, TLSRPT_SENT);
	delivery(&s, "reports.example", STORE_DELIVERED, "");
	assert_int_equal(sent_get(&s, out.sent_id).to[0].state, STORE_TLSRPT_DELIVERED);
	/* Dropped by an admin: no failure. */
	plain_add(&s, "mailonly.example", "r.example", day - 2, 0, 1, true);
	out = send_one(&s, "mailonly.example", day - 2, entry.expires_s + 1);
	size_t changed;
	int64_t msg_id = sent_get(&s, out.sent_id).to[0].msg_id;
	assert_int_equal(store_queue_act(s.store, STORE_QUEUE_DROP, msg_id, 0, &changed, &err), 0);
	assert_int_equal(sent_get(&s, out.sent_id).to[0].state, STORE_TLSRPT_SKIPPED);
	side_close(&s);
}

/* HTTPS without a way out: tried with growing pauses, then given up. */
static void posts_give_up(void **state)
{
	struct side s;
	struct err err;
	int64_t now_s = clock_unix_s(), next_s;

	(void)state;
	side_open(&s, "mail.mox.example", "mox.example", zone);
	plain_add(&s, "sender.example", "r.example", day, 0, 1, true);
	struct tlsrpt_outcome out = send_one(&s, "sender.example", day, now_s);
	assert_int_equal(out.posts, 1);
	for (int i = 0; i < TLSRPT_POST_ATTEMPTS; i++) {
		struct store_tlsrpt_sent sent = sent_get(&s, out.sent_id);
		assert_int_equal(sent.to[0].state, STORE_TLSRPT_WAITING);
		assert_int_equal(sent.to[0].attempts, i);
		assert_int_equal(
			tlsrpt_post_due(&s.m, sent.to[0].next_s - 1, 10, &next_s, &err), 0);
		assert_int_equal(next_s, sent.to[0].next_s);
		now_s = sent.to[0].next_s;
		assert_int_equal(tlsrpt_post_due(&s.m, now_s, 10, &next_s, &err), 0);
		if (i + 1 < TLSRPT_POST_ATTEMPTS)
			assert_int_equal(sent_get(&s, out.sent_id).to[0].next_s - now_s,
				TLSRPT_POST_FIRST_S << i);
	}
	assert_int_equal(sent_get(&s, out.sent_id).to[0].state, STORE_TLSRPT_FAILED);
	side_close(&s);
}

/* --- the daily run --- */

static void times(void **state)
{
	(void)state;
	assert_int_equal(tlsrpt_day(day_s - 1), 20261124);
	assert_int_equal(tlsrpt_day(day_s), 20261125);
	assert_int_equal(tlsrpt_day_start_s(20261125), day_s);
	assert_int_equal(tlsrpt_day_start_s(20261131), 0);
	assert_int_equal(tlsrpt_next_run_s(day_s, 0), day_s + DAY_S + 240);
	assert_int_equal(tlsrpt_next_run_s(day_s + DAY_S - 1, 119), day_s + DAY_S + 359);
	assert_int_equal(tlsrpt_next_run_s(day_s, 120), day_s + DAY_S + 240);
	assert_int_equal(tlsrpt_spacing_s(1), 300);
	assert_int_equal(tlsrpt_spacing_s(48), 300);
	assert_int_equal(tlsrpt_spacing_s(96), 150);
	assert_int_equal(tlsrpt_spacing_s(100000), 0);
}

/* One run as the thread makes it; how many reports went out. */
static size_t run(struct side *s, int64_t now_s)
{
	struct tlsrpt_plan plan;
	struct err err;
	size_t sent = 0;

	if (tlsrpt_plan_make(&s->m, now_s, s->a, &plan, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < plan.count; i++) {
		struct tlsrpt_outcome out;
		if (tlsrpt_send(&s->m, plan.work[i].policy_domain, plan.work[i].day, now_s, &out,
			    &err) < 0)
			fail_msg("%s", err.text);
		sent += out.what == TLSRPT_SENT;
	}
	return sent;
}

static void leftovers(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, "mail.mox.example", "mox.example", zone);
	for (int d = 20; d <= 25; d++)
		plain_add(&s, "mailonly.example", "r.example", 20261100 + d, 0, 1, true);
	/* The 25th has begun: 22 (two periods before) to 24 are sent, each by itself. */
	assert_int_equal(run(&s, day_s + 300), 3);
	for (int d = 20; d <= 25; d++)
		assert_int_equal(rows_left(&s, "mailonly.example", 20261100 + d), d == 25);
	assert_int_equal(run(&s, day_s + 600), 0);
	assert_int_equal(queued(&s), 3);
	side_close(&s);
}

/* Two gateways that report to each other. Each delivery of a report is one session to the other
 * side, that fails (no STARTTLS), recorded as the queue would. */
static int deliver_reports(struct side *s, const char *to, int64_t now_s)
{
	struct store_claim *claims;
	size_t count;
	struct err err;

	assert_int_equal(store_claim(s->store, to, 100, s->a, &claims, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		struct store_tls_detail detail = {
			.result_type = STR("starttls-not-supported"), .failed_session_count = 1};
		struct store_tls_policy p = {.type = STR("no-policy-found"),
			.domain = str_from(to),
			.failures = 1,
			.details = &detail,
			.detail_count = 1};
		struct store_tls_result row = {.policy_domain = str_from(to),
			.recipient_domain = str_from(to),
			.day = tlsrpt_day(now_s),
			.send_report = !claims[i].is_tls_report,
			.policies = &p,
			.policy_count = 1};
		struct store_rcpt_result r = {.rcpt_id = claims[i].rcpts[0].id,
			.outcome = STORE_DELIVERED,
			.attempted = true};
		struct store_attempt at = {.msg_id = claims[i].id,
			.started_ms = now_s * 1000,
			.results = &r,
			.result_count = 1,
			.tls_results = &row,
			.tls_result_count = 1,
			.is_tls_report = claims[i].is_tls_report};
		if (store_attempt_add(s->store, &at, &err) < 0)
			fail_msg("%s", err.text);
	}
	return (int)count;
}

static void no_loop(void **state)
{
	static const char both[] =
		"_smtp._tls.a.example TXT \"v=TLSRPTv1;rua=mailto:tls@a.example\"\n"
		"_smtp._tls.b.example TXT \"v=TLSRPTv1;rua=mailto:tls@b.example\"\n";
	struct side a, b;
	int mails = 0;

	(void)state;
	side_open(&a, "mx.a.example", "a.example", both);
	side_open(&b, "mx.b.example", "b.example", both);
	a.c->tls_reports_for_all_success = b.c->tls_reports_for_all_success = true;
	/* One ordinary mail on the first day. */
	plain_add(&a, "b.example", "b.example", day, 0, 1, true);
	for (int d = 0; d < 7; d++) {
		int64_t now_s = day_s + (int64_t)d * DAY_S + 300;
		size_t sent = run(&a, now_s) + run(&b, now_s);
		assert_int_equal(sent, d == 0 ? 1 : 0);
		mails += deliver_reports(&a, "b.example", now_s + 10);
		mails += deliver_reports(&b, "a.example", now_s + 10);
		if (d == 0) /* the report's own session is known, and calls for none */
			assert_int_equal(rows_left(&a, "b.example", tlsrpt_day(now_s)), 1);
	}
	assert_int_equal(mails, 1);
	assert_int_equal(rows_left(&a, "b.example", day), 0);
	assert_int_equal(rows_left(&a, "b.example", tlsrpt_day(day_s)), 0);
	side_close(&a);
	side_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_or_not),
		cmocka_unit_test(unsigned_stays),
		cmocka_unit_test(merged_report),
		cmocka_unit_test(day_so_far),
		cmocka_unit_test(failures_suppress),
		cmocka_unit_test(posts_give_up),
		cmocka_unit_test(times),
		cmocka_unit_test(leftovers),
		cmocka_unit_test(no_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
