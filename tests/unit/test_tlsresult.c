#include "tests/unit/unit.h"

#include "queue/tlsresults.h"
#include "store/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TLS results: what is recorded, how rows merge (spec 6.2, 6.3), lists and deletes. */

static char dir[64];
static struct store *store;
static struct arena *arena;

static int setup(void **state)
{
	struct err err;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-tlsr-XXXXXX");
	if (mkdtemp(dir) == NULL || store_open(dir, &store, &err) < 0)
		return -1;
	arena = arena_open();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	store_close(&store);
	arena_close(&arena);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void add(const struct store_tls_result *r)
{
	struct err err;

	if (store_tls_result_add(store, r, 1, &err) < 0)
		fail_msg("%s", err.text);
}

static struct store_tls_result *day(const char *domain, int d, size_t want)
{
	struct store_tls_result *rows;
	size_t n;
	struct err err;

	if (store_tls_result_day(store, str_from(domain), d, STR(""), 100, arena, &rows, &n, &err) <
		0)
		fail_msg("%s", err.text);
	assert_int_equal(n, want);
	return rows;
}

static void rows_merge(void **state)
{
	struct str strings[] = {STR("version: STSv1"), STR("mode: \"enforce\"\t\\")};
	struct str strings2[] = {STR("version: STSv1"), STR("mode: testing")};
	struct str mx[] = {STR("*.x.example")};
	struct store_tls_detail details[] = {
		{.result_type = STR("certificate-expired"),
			.sending_mta_ip = STR("192.0.2.1"),
			.receiving_mx_hostname = STR("mx.x.example"),
			.receiving_mx_helo = STR("mx"),
			.receiving_ip = STR("192.0.2.2"),
			.failed_session_count = 1},
		{.result_type = STR("validation-failure"),
			.failure_reason_code = STR("tls-remote-alert-70"),
			.failed_session_count = 0},
	};
	struct store_tls_policy policy = {.type = STR("sts"),
		.strings = strings,
		.string_count = 2,
		.domain = STR("x.example"),
		.mx_hosts = mx,
		.mx_host_count = 1,
		.successes = 1,
		.failures = 2,
		.details = details,
		.detail_count = 2};
	struct store_tls_result r = {.policy_domain = STR("x.example"),
		.recipient_domain = STR("x.example"),
		.day = 20261124,
		.policies = &policy,
		.policy_count = 1};

	(void)state;
	add(&r); /* no-send */
	struct store_tls_result *rows = day("x.example", 20261124, 1);
	assert_false(rows->send_report || rows->is_host);
	int64_t created_ms = rows->created_ms;
	assert_true(created_ms > 0);
	r.send_report = true;
	policy.detail_count = 1;
	details[0].failed_session_count = 4;
	add(&r);
	r.send_report = false; /* OR-ed */
	r.is_host = true;      /* the newest counts */
	details[0].receiving_ip = STR("192.0.2.3");
	add(&r);
	/* Another policy in the same row; the mx hosts alone differ; none at all. */
	policy.strings = strings2;
	add(&r);
	policy.mx_host_count = 0;
	add(&r);
	policy.string_count = 0;
	policy.strings = NULL;
	policy.type = STR("no-policy-found");
	policy.detail_count = 0;
	add(&r);
	rows = day("x.example", 20261124, 1);
	assert_true(rows->send_report && rows->is_host);
	assert_int_equal(rows->created_ms, created_ms);
	assert_true(rows->updated_ms >= created_ms);
	assert_int_equal(rows->policy_count, 4);
	const struct store_tls_policy *p = &rows->policies[0];
	assert_true(str_eq(p->type, STR("sts")) && str_eq(p->domain, STR("x.example")));
	assert_int_equal(p->successes, 3);
	assert_int_equal(p->failures, 6);
	assert_int_equal(p->string_count, 2);
	assert_true(str_eq(p->strings[1], strings[1]));
	assert_int_equal(p->mx_host_count, 1);
	assert_true(str_eq(p->mx_hosts[0], mx[0]));
	assert_int_equal(p->detail_count, 3);
	int64_t expired = 0, other = 0;
	for (size_t i = 0; i < 3; i++) {
		if (str_eq(p->details[i].receiving_ip, STR("192.0.2.2")))
			expired = p->details[i].failed_session_count;
		if (str_eq(p->details[i].failure_reason_code, STR("tls-remote-alert-70")))
			other++;
	}
	assert_int_equal(expired, 5);
	assert_int_equal(other, 1);
	assert_int_equal(rows->policies[3].string_count, 0);
	assert_int_equal(rows->policies[3].mx_host_count, 0);
	/* Other keys are other rows. */
	r.recipient_domain = STR("y.example");
	add(&r);
	r.day = 20261125;
	add(&r);
	r.policy_domain = STR("z.example");
	add(&r);
	day("x.example", 20261124, 2);
	day("x.example", 20261125, 1);
	day("z.example", 20261125, 1);
	day("z.example", 20261124, 0);
}

static void lists_and_deletes(void **state)
{
	struct store_tls_policy policy = {.type = STR("tlsa"), .domain = STR("mx"), .successes = 1};
	struct store_tls_result *rows;
	struct store_tls_domain_day *days;
	size_t n, total = 0;
	bool more = true;
	int64_t before = 0;
	struct err err;
	char name[32];

	(void)state;
	for (int i = 0; i < 25; i++) {
		snprintf(name, sizeof(name), "d%02d.example", i % 5);
		policy.failures = i == 7;
		add(&(struct store_tls_result){.policy_domain = str_from(name),
			.recipient_domain = i < 10 ? STR("one.example") : STR("two.example"),
			.day = 20261101 + i / 5,
			.send_report = i != 3,
			.policies = &policy,
			.policy_count = 1});
	}
	while (more) {
		assert_int_equal(
			store_tls_result_list(store,
				&(struct store_tls_result_filter){.before_id = before, .limit = 10},
				arena, &rows, &n, &more, &before, &err),
			0);
		assert_true(n <= 10);
		total += n;
	}
	assert_int_equal(total, 25);
	static const struct {
		struct store_tls_result_filter f;
		size_t want;
	} filters[] = {
		{{.policy_domain = {"d03", 3}, .limit = 100}, 5},
		{{.recipient_domain = {"one.", 4}, .limit = 100}, 10},
		{{.day = 20261102, .limit = 100}, 5},
		{{.failures_only = true, .limit = 100}, 1},
		{{.policy_domain = {"nope", 4}, .limit = 100}, 0},
	};
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		assert_int_equal(store_tls_result_list(store, &filters[i].f, arena, &rows, &n,
					 &more, &before, &err),
			0);
		assert_int_equal(n, filters[i].want);
		assert_false(more);
	}
	assert_int_equal(store_tls_result_domains(
				 store, 20261101, 20261102, 0, STR(""), 3, arena, &days, &n, &err),
		0);
	assert_int_equal(n, 3);
	assert_int_equal(store_tls_result_domains(store, 20261101, 20261102, days[2].day,
				 days[2].policy_domain, 100, arena, &days, &n, &err),
		0);
	assert_int_equal(n, 7);
	assert_true(str_eq(days[0].policy_domain, STR("d03.example")));
	assert_false(days[0].send_report);
	assert_true(days[1].send_report);
	size_t gone;
	assert_int_equal(
		store_tls_result_delete(store, STR("d01.example"), 20261101, &gone, &err), 0);
	assert_int_equal(gone, 1);
	assert_int_equal(store_tls_result_delete(store, STR("d01.example"), 0, &gone, &err), 0);
	assert_int_equal(gone, 4);
	assert_int_equal(store_tls_result_purge(store, 20261105, &gone, &err), 0);
	assert_int_equal(gone, 16);
	assert_int_equal(
		store_tls_result_list(store, &(struct store_tls_result_filter){.limit = 100}, arena,
			&rows, &n, &more, &before, &err),
		0);
	assert_int_equal(n, 4);
	assert_int_equal(store_tls_result_get(store, rows[0].id, arena, &rows[1], &err), 1);
	assert_int_equal(rows[1].policy_count, 1);
	assert_int_equal(store_tls_result_get(store, 999, arena, &rows[1], &err), 0);
}

static void caps_hold(void **state)
{
	static char long_text[5000], huge[200000];
	struct str strings[] = {{huge, sizeof(huge)}, STR("next")};
	struct store_tls_detail detail = {
		.result_type = STR("validation-failure"), .failed_session_count = 1};
	struct store_tls_policy policy = {.type = STR("sts"),
		.domain = STR("x"),
		.strings = strings,
		.string_count = 2,
		.failures = 1,
		.details = &detail,
		.detail_count = 1};
	struct store_tls_result r = {.policy_domain = STR("x"),
		.recipient_domain = STR("x"),
		.day = 20261124,
		.policies = &policy,
		.policy_count = 1};
	char reason[32];

	(void)state;
	memset(long_text, 'a', sizeof(long_text));
	memset(huge, 'b', sizeof(huge));
	detail.receiving_mx_helo = (struct str){long_text, sizeof(long_text)};
	for (int i = 0; i < STORE_TLS_DETAILS_MAX + 20; i++) {
		snprintf(reason, sizeof(reason), "reason-%d", i);
		detail.failure_reason_code = str_from(reason);
		add(&r);
	}
	struct store_tls_result *rows = day("x", 20261124, 1);
	assert_int_equal(rows->policies[0].failures, STORE_TLS_DETAILS_MAX + 20);
	assert_int_equal(rows->policies[0].detail_count, STORE_TLS_DETAILS_MAX);
	assert_int_equal(rows->policies[0].details[0].receiving_mx_helo.len, STORE_TLS_TEXT_MAX);
	assert_int_equal(rows->policies[0].string_count, 1);
	assert_true(rows->policies[0].strings[0].len <= STORE_TLS_STRINGS_MAX);
	/* What is there goes on counting. */
	detail.failure_reason_code = STR("reason-0");
	add(&r);
	policy.detail_count = 0;
	policy.string_count = 0;
	for (int i = 0; i < STORE_TLS_POLICIES_MAX + 5; i++) {
		snprintf(reason, sizeof(reason), "d%d", i);
		policy.domain = str_from(reason);
		add(&r);
	}
	rows = day("x", 20261124, 1);
	assert_int_equal(rows->policy_count, STORE_TLS_POLICIES_MAX);
	assert_int_equal(rows->policies[0].failures, STORE_TLS_DETAILS_MAX + 21);
}

static void what_is_recorded(void **state)
{
	struct config *c = config_new(dir, "mox.example");
	struct str lines[] = {STR("version: STSv1")}, mx[] = {STR("mx.dest.example")};
	struct tls_result results[3] = {
		{.type = TLS_POLICY_STS,
			.domain = "dest.example",
			.strings = lines,
			.string_count = 1,
			.mx = mx,
			.mx_count = 1,
			.failure = 1,
			.details = {{.type = TLS_RESULT_CERTIFICATE_EXPIRED,
				.failed = 1,
				.mx_hostname = "mx.dest.example",
				.mx_helo = "mx"}},
			.detail_count = 1},
		{.type = TLS_POLICY_TLSA,
			.is_host = true,
			.domain = "mx.dest.example",
			.success = 1},
		{.type = TLS_POLICY_NONE, .is_host = true, .domain = "mx2.dest.example"},
	};
	const struct tls_result *const list[] = {&results[0], &results[1], &results[2]};
	struct tls_results_about about = {.config = c,
		.recipient_domain = "dest.example",
		.direct = true,
		.now_s = 1795478399}; /* 2026-11-23 23:59:59 */
	struct store_tls_result *rows;

	(void)state;
	assert_true(ip_parse(STR("192.0.2.7"), &results[0].details[0].receiving_ip));
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 2);
	assert_int_equal(rows[0].day, 20261123);
	assert_true(str_eq(rows[0].policy_domain, STR("dest.example")));
	assert_true(str_eq(rows[1].policy_domain, STR("mx.dest.example")));
	assert_true(str_eq(rows[1].recipient_domain, STR("dest.example")));
	assert_true(rows[0].send_report && !rows[0].is_host && rows[1].is_host);
	const struct store_tls_detail *d = &rows[0].policies[0].details[0];
	assert_true(str_eq(d->result_type, STR("certificate-expired")));
	assert_true(str_eq(d->receiving_ip, STR("192.0.2.7")));
	assert_int_equal(d->sending_mta_ip.len, 0);
	assert_int_equal(d->failed_session_count, 1);
	assert_true(str_eq(rows[1].policies[0].type, STR("tlsa")));
	about.now_s++;
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 2);
	assert_int_equal(rows[0].day, 20261124);
	about.is_tls_report = true;
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 2);
	assert_false(rows[0].send_report || rows[1].send_report);
	about.direct = false;
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 0);
	about.direct = true;
	about.recipient_domain = "[192.0.2.1]";
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 0);
	about.recipient_domain = "2001:db8::1";
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 0);
	about.recipient_domain = "dest.example";
	c->no_outgoing_tls_reports = true;
	assert_int_equal(tls_results_rows(arena, &about, list, 3, &rows), 0);
	config_release(c);
}

/* In the same transaction as the delivery's result; the flag of a report comes with the claim. */
static void with_the_attempt(void **state)
{
	struct store_rcpt_new rcpt = {
		.address = STR("a@dest.example"), .dest = STR("dest.example")};
	struct store_msg_new msg = {
		.body = STR("x\r\n"), .rcpts = &rcpt, .rcpt_count = 1, .is_tls_report = true};
	struct store_claim *claims;
	char dest[STORE_DEST_MAX];
	size_t n;
	int64_t id;
	struct err err;

	(void)state;
	assert_int_equal(store_msg_add(store, &msg, &id, &err), 0);
	assert_int_equal(store_due_wait(store, deadline_in_ms(2000), dest), 1);
	assert_int_equal(store_claim(store, dest, 10, arena, &claims, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_true(claims[0].is_tls_report);
	struct store_tls_policy policy = {
		.type = STR("no-policy-found"), .domain = STR("dest.example"), .successes = 1};
	struct store_tls_result row = {.policy_domain = STR("dest.example"),
		.recipient_domain = STR("dest.example"),
		.day = 20261124,
		.policies = &policy,
		.policy_count = 1};
	struct store_rcpt_result result = {
		.rcpt_id = claims[0].rcpts[0].id, .outcome = STORE_DELIVERED, .attempted = true};
	struct store_attempt attempt = {.msg_id = id,
		.results = &result,
		.result_count = 1,
		.tls_results = &row,
		.tls_result_count = 1};
	assert_int_equal(store_attempt_add(store, &attempt, &err), 0);
	assert_int_equal(day("dest.example", 20261124, 1)->policies[0].successes, 1);
	msg.is_tls_report = false;
	assert_int_equal(store_msg_add(store, &msg, &id, &err), 0);
	store_due_return(store, dest, 0);
	assert_int_equal(store_due_wait(store, deadline_in_ms(2000), dest), 1);
	assert_int_equal(store_claim(store, dest, 10, arena, &claims, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_false(claims[0].is_tls_report);
	store_claim_release(store, claims, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_merge, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_and_deletes, setup, teardown),
		cmocka_unit_test_setup_teardown(caps_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(with_the_attempt, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
