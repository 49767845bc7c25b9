#include "tests/unit/https_site.h"

#include "policy/mtasts.h"

/* Look-up, fetch, cache and refresh (spec 9.9, 9.10) against real HTTPS servers, a store and
 * a resolver whose answers the tests choose. */

#define POLICY(mode, mx) "version: STSv1\nmode: " mode "\nmax_age: 86400\n" mx
#define ENFORCE POLICY("enforce", "mx: mx.a.example\n")

static struct site_ca ca;
static unsigned port;
static struct tls_client *tls;
static struct http *http;
static struct site good, expired, wrong_name;
static struct arena *arena;
static char dir[64];
static struct store *store;
static struct dns *dns;
static struct mtasts *m;
static int64_t now_s;

static void dns_set(const char *text)
{
	struct err err;
	struct buf all = {NULL, 0, 0};

	if (dns != NULL)
		dns_close(&dns);
	/* Names whose servers are there; the tests add TXT records. */
	for (char c = 'a'; c <= 'h'; c++)
		buf_printf(&all, "mta-sts.%c.example A 127.7.2.1\n", c);
	buf_text(&all, "mta-sts.expired.example A 127.7.2.2\nmta-sts.name.example A 127.7.2.3\n"
		       "mta-sts.xn--bcher-kva.example A 127.7.2.1\n"
		       "mta-sts.private.example A 10.9.9.9\n");
	buf_text(&all, text);
	if (dns_open_fixture(buf_str(&all), &dns, &err) < 0)
		fail_msg("%s", err.text);
	buf_free(&all);
}

static void cache_open(void)
{
	m = mtasts_open(&(struct mtasts_options){.store = store, .dns = dns, .http = http});
}

/* The same store with other DNS: as after a restart. */
static void again(const char *text)
{
	if (m != NULL)
		mtasts_close(&m);
	dns_set(text);
	cache_open();
}

static void at(int64_t s)
{
	now_s = s;
	clock_set_fake(s * 1000);
}

static int group_setup(void **state)
{
	struct cidr loopback;
	struct err err;

	(void)state;
	site_ca_open(&ca);
	site_open(&good, &ca, "127.7.2.1", &port,
		"DNS:mta-sts.a.example,DNS:mta-sts.b.example,DNS:mta-sts.c.example,"
		"DNS:mta-sts.d.example,DNS:mta-sts.e.example,DNS:mta-sts.f.example,"
		"DNS:mta-sts.g.example,DNS:mta-sts.h.example,DNS:mta-sts.xn--bcher-kva.example",
		SITE_GOOD, "");
	site_open(&expired, &ca, "127.7.2.2", &port, "DNS:mta-sts.expired.example", SITE_EXPIRED,
		SITE_OK(ENFORCE));
	site_open(&wrong_name, &ca, "127.7.2.3", &port, "DNS:other.example", SITE_GOOD,
		SITE_OK(ENFORCE));
	const char *files[] = {ca.file};
	assert_int_equal(tls_client_new(files, 1, false, &tls, &err), 0);
	assert_int_equal(cidr_parse(STR("127.0.0.0/8"), &loopback, &err), 0);
	return http_open(
		&(struct http_options){
			.tls = tls, .allow = &loopback, .allow_count = 1, .port = port},
		&http, &err);
}

static int group_teardown(void **state)
{
	(void)state;
	site_close(&good);
	site_close(&expired);
	site_close(&wrong_name);
	http_close(&http);
	tls_client_free(&tls);
	site_ca_close(&ca);
	return 0;
}

static int setup(void **state)
{
	struct err err;

	(void)state;
	at(1800000000);
	arena = arena_open();
	snprintf(dir, sizeof(dir), "/tmp/mox-mtasts-XXXXXX");
	assert_non_null(mkdtemp(dir));
	if (store_open(dir, &store, &err) < 0)
		fail_msg("%s", err.text);
	dns_set("");
	cache_open();
	site_answer(&good, SITE_OK(ENFORCE));
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	mtasts_close(&m);
	dns_close(&dns);
	store_close(&store);
	arena_close(&arena);
	clock_set_fake(0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct dns_asker asker(struct trace *trace)
{
	return (struct dns_asker){.dns = dns, .deadline = deadline_in_ms(10000), .trace = trace};
}

static struct mtasts_lookup look(const char *domain)
{
	struct dns_asker ask = asker(NULL);
	struct mtasts_lookup l;
	struct err err;

	if (mtasts_lookup(m, domain, &ask, arena, &l, &err) < 0)
		fail_msg("%s", err.text);
	print_message("%s: %s (%s %s) %s\n", domain, mtasts_status_text(l.status),
		tls_result_type_text(l.fact), l.reason, l.text);
	return l;
}

/* rc as expected, and the usual facts. */
static struct mtasts_found get(const char *domain, int rc)
{
	struct dns_asker ask = asker(NULL);
	struct mtasts_found f;
	struct err err = {.kind = ERR_NONE};

	int got = mtasts_get(m, domain, &ask, arena, &f, &err);
	print_message("%s: rc %d, policy %d, fresh %d, sts %d (%s %s) %s\n", domain, got,
		f.has_policy, f.fresh, f.report_sts, tls_result_type_text(f.fact), f.reason,
		f.text);
	assert_int_equal(got, rc);
	return f;
}

static bool row_find(const char *domain, struct store_mtasts *row)
{
	struct err err;
	int rc = store_mtasts_find(store, str_from(domain), arena, row, &err);

	assert_true(rc >= 0);
	return rc == 1;
}

static int64_t fetches(void)
{
	struct mtasts_stats s;

	mtasts_stats_get(m, &s);
	return s.fetches;
}

/* --- 9.9: records in DNS --- */

static void lookups(void **state)
{
	static const struct {
		const char *domain;
		enum mtasts_status status;
		const char *reason;
	} rows[] = {
		{"none.example", MTASTS_NO_RECORD, "no-mta-sts-dns-txt-record"},
		{"othertext.example", MTASTS_NO_RECORD, "no-mta-sts-dns-txt-record"},
		{"a.example", MTASTS_OK, ""},
		{"b.example", MTASTS_OK, ""}, /* and junk beside it */
		{"bad.example", MTASTS_RECORD_SYNTAX, "record-syntax-error"},
		{"two.example", MTASTS_MULTIPLE, "multiple-mta-sts-records"},
		{"c.example", MTASTS_OK, ""}, /* two CNAMEs */
		{"fail.example", MTASTS_DNS, "dns-lookup"},
		{"tofail.example", MTASTS_DNS, "dns-lookup"},
		{"time.example", MTASTS_DNS, "dns-lookup"},
		{"xn--bcher-kva.example", MTASTS_OK, ""},
		{"expired.example", MTASTS_FETCH, "certificate-expired"},
		{"name.example", MTASTS_FETCH, "certificate-host-mismatch"},
		{"nohost.example", MTASTS_NO_POLICY, "no-policy-served"},
		{"private.example", MTASTS_FETCH, "cannot-fetch-policy"},
	};

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.b.example TXT \"v=STSv1; id=1;\"\n_mta-sts.b.example TXT \"junk\"\n"
	      "_mta-sts.othertext.example TXT \"v=spf1 -all\"\n"
	      "_mta-sts.bad.example TXT \"v=STSv1; bogus\"\n"
	      "_mta-sts.two.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.two.example TXT \"v=STSv1; id=2;\"\n"
	      "_mta-sts.c.example CNAME one.example.\none.example CNAME two2.example.\n"
	      "two2.example TXT \"v=STSv1; id=1;\"\n"
	      "fail: txt _mta-sts.fail.example.\ntimeout: txt _mta-sts.time.example.\n"
	      "_mta-sts.tofail.example CNAME failing.example.\nfail: txt failing.example.\n"
	      "_mta-sts.xn--bcher-kva.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.expired.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.name.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.nohost.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.private.example TXT \"v=STSv1; id=1;\"\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mtasts_lookup l = look(rows[i].domain);
		assert_int_equal(l.status, rows[i].status);
		assert_string_equal(l.reason, rows[i].reason);
		assert_int_equal(l.has_policy, rows[i].status == MTASTS_OK);
		assert_int_equal(l.text[0] != '\0', rows[i].status != MTASTS_OK);
	}
	/* A CNAME is never asked for: the resolver follows it. */
	struct trace *t = trace_new();
	struct dns_asker ask = asker(t);
	struct mtasts_lookup l;
	struct err err;
	struct buf json = {NULL, 0, 0};
	assert_int_equal(mtasts_lookup(m, "c.example", &ask, arena, &l, &err), 0);
	trace_write(t, &json);
	assert_non_null(str_find(buf_str(&json), STR("TXT _mta-sts.c.example")));
	assert_null(str_find(buf_str(&json), STR("\"CNAME ")));
	buf_free(&json);
	trace_free(&t);
}

/* --- 9.9: fetches; each also by way of the cache --- */

static void fetched(void **state)
{
	static char big[MTASTS_POLICY_MAX + 1000];
	static const struct {
		const char *answer;
		enum mtasts_status status;
		enum tls_result_type fact;
	} rows[] = {
		{SITE_OK("bogus"), MTASTS_POLICY_SYNTAX, TLS_RESULT_STS_POLICY_INVALID},
		{SITE_STATUS("404 Not Found"), MTASTS_NO_POLICY, TLS_RESULT_STS_POLICY_FETCH_ERROR},
		{"HTTP/1.1 301 Moved\r\nLocation: https://mta-sts.b.example/\r\n"
		 "Content-Length: 0\r\n\r\n",
			MTASTS_FETCH, TLS_RESULT_STS_POLICY_FETCH_ERROR},
		{SITE_STATUS("500 Oops"), MTASTS_FETCH, TLS_RESULT_STS_POLICY_FETCH_ERROR},
		{SITE_STATUS("204 No Content"), MTASTS_FETCH, TLS_RESULT_STS_POLICY_FETCH_ERROR},
		{big, MTASTS_POLICY_SYNTAX, TLS_RESULT_STS_POLICY_INVALID},
		{SITE_OK("version: STSv1\nmode: none\nmax_age: 1\n"), MTASTS_OK,
			TLS_RESULT_SUCCESS},
		{SITE_OK(ENFORCE), MTASTS_OK, TLS_RESULT_SUCCESS},
	};
	size_t head = (size_t)snprintf(big, sizeof(big), "%s", SITE_OK(ENFORCE));

	(void)state;
	memset(big + head, 'x', MTASTS_POLICY_MAX + 2 - (sizeof(ENFORCE) - 1));
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool gone;
		struct err err;
		struct store_mtasts row;
		site_answer(&good, rows[i].answer);
		assert_int_equal(look("a.example").status, rows[i].status);
		/* By the cache: no error, no policy, what to report; then it backs off. */
		struct mtasts_found f = get("a.example", 0);
		assert_int_equal(f.has_policy, rows[i].status == MTASTS_OK);
		assert_int_equal(f.fact, rows[i].fact);
		assert_true(f.fresh);
		assert_true(row_find("a.example", &row));
		assert_int_equal(row.backoff, rows[i].status != MTASTS_OK);
		if (row.backoff) {
			int64_t before = fetches();
			f = get("a.example", 0);
			assert_false(f.has_policy);
			assert_false(f.fresh);
			assert_true(f.report_sts);
			assert_int_equal(f.fact, TLS_RESULT_STS_POLICY_FETCH_ERROR);
			assert_string_equal(f.reason, "back-off-after-recent-fetch-error");
			assert_int_equal(fetches(), before);
			at(now_s + MTASTS_BACKOFF_S);
			get("a.example", 0);
			assert_int_equal(fetches(), before + 1);
		}
		assert_int_equal(store_mtasts_delete(store, STR("a.example"), &gone, &err), 0);
		assert_true(gone);
	}
}

/* --- 9.10 --- */

static void rows_are_kept_exactly(void **state)
{
	struct store_mtasts row;

	(void)state;
	assert_false(row_find("a.example", &row));
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	site_answer(&good, SITE_OK(POLICY("testing", "mx: mx.a.example\n")));
	struct mtasts_found f = get("a.example", 0);
	assert_int_equal(f.policy.mode, MTASTS_TESTING);
	assert_true(f.report_sts);
	assert_true(row_find("a.example", &row));
	assert_int_equal(row.mode, STORE_MTASTS_MODE_TESTING);
	int64_t inserted_s = now_s;
	at(now_s + 1000);
	site_answer(&good, SITE_OK(ENFORCE));
	again("_mta-sts.a.example TXT \"v=STSv1; id=2;\"\n");
	f = get("a.example", 0);
	assert_int_equal(f.policy.mode, MTASTS_ENFORCE);
	assert_true(f.fresh);
	assert_true(row_find("a.example", &row));
	assert_int_equal(row.inserted_s, inserted_s);
	assert_int_equal(row.updated_s, now_s);
	assert_int_equal(row.used_s, now_s);
	assert_int_equal(row.valid_until_s, now_s + 86400);
	assert_false(row.backoff);
	assert_true(str_eq(row.record_id, STR("2")));
	assert_true(str_eq(row.text, STR(ENFORCE)));
	/* A failed one: mode none for 300 s. */
	site_answer(&good, SITE_STATUS("500 Oops"));
	again("_mta-sts.b.example TXT \"v=STSv1; id=2;\"\n");
	at(now_s + 10);
	get("b.example", 0);
	assert_true(row_find("b.example", &row));
	assert_int_equal(row.mode, STORE_MTASTS_MODE_NONE);
	assert_int_equal(row.max_age_s, 300);
	assert_true(row.backoff);
	assert_non_null(str_find(row.reason, STR("500")));
	/* Last used first. */
	struct store_mtasts *rows;
	size_t n;
	bool more;
	struct str next;
	struct err err;
	struct store_mtasts_filter filter = {.mode = STORE_MTASTS_FILTER_ANY, .limit = 10};
	assert_int_equal(
		store_mtasts_list(store, &filter, arena, &rows, &n, &more, &next, &err), 0);
	assert_int_equal(n, 2);
	assert_true(str_eq(rows[0].domain, STR("b.example")));
	assert_false(more);
}

static void cached_answers(void **state)
{
	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	assert_true(get("a.example", 0).fresh);
	int64_t before = fetches();
	/* Same id: fresh, nothing is fetched. */
	at(now_s + 3600);
	struct mtasts_found f = get("a.example", 0);
	assert_true(f.has_policy && f.fresh && f.report_sts);
	assert_int_equal(f.fact, TLS_RESULT_SUCCESS);
	assert_int_equal(f.updated_s, now_s - 3600);
	assert_int_equal(fetches(), before);
	/* It survives a restart: of the cache, and of the store. */
	mtasts_close(&m);
	store_close(&store);
	struct err err;
	assert_int_equal(store_open(dir, &store, &err), 0);
	cache_open();
	f = get("a.example", 0);
	assert_true(f.has_policy && f.fresh);
	assert_int_equal(fetches(), 0);
	/* Absent domain: no policy, fresh, no error, nothing kept. */
	struct store_mtasts row;
	f = get("absent.example", 0);
	assert_true(!f.has_policy && f.fresh && !f.report_sts);
	assert_int_equal(f.fact, TLS_RESULT_SUCCESS);
	assert_false(row_find("absent.example", &row));
	/* DNS trouble without a cached policy: temporary. */
	again("fail: txt _mta-sts.a.example.\nfail: txt _mta-sts.b.example.\n");
	f = get("b.example", -1);
	assert_int_equal(f.fact, TLS_RESULT_STS_POLICY_FETCH_ERROR);
	assert_true(f.report_sts);
	/* With one: it stays. */
	f = get("a.example", 0);
	assert_true(f.has_policy && !f.fresh);
	assert_string_equal(f.reason, "dns-lookup+fallback-to-cached-policy");
	/* The record is gone: it stays, too, as long as it is valid. */
	again("");
	f = get("a.example", 0);
	assert_true(f.has_policy && !f.fresh && f.report_sts);
	assert_string_equal(f.reason, "no-mta-sts-dns-txt-record+fallback-to-cached-policy");
	at(now_s + 2 * 86400);
	f = get("a.example", 0);
	assert_true(!f.has_policy && f.fresh);
}

static void a_new_id_that_cannot_be_fetched(void **state)
{
	struct store_mtasts row;

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	get("a.example", 0);
	again("_mta-sts.a.example TXT \"v=STSv1; id=2;\"\n");
	site_answer(&good, SITE_STATUS("500 Oops"));
	struct mtasts_found f = get("a.example", 0);
	assert_true(f.has_policy && !f.fresh);
	assert_int_equal(f.fact, TLS_RESULT_STS_POLICY_FETCH_ERROR);
	assert_string_equal(f.reason, "cannot-fetch-policy+fallback-to-cached-policy");
	assert_int_equal(fetches(), 1);
	/* Not again for five minutes; the policy holds. */
	f = get("a.example", 0);
	assert_true(f.has_policy && !f.fresh);
	assert_string_equal(
		f.reason, "back-off-after-recent-fetch-error+fallback-to-cached-policy");
	assert_int_equal(fetches(), 1);
	at(now_s + MTASTS_BACKOFF_S);
	site_answer(&good, SITE_OK(POLICY("testing", "mx: mx.a.example\n")));
	f = get("a.example", 0);
	assert_true(f.fresh);
	assert_int_equal(f.policy.mode, MTASTS_TESTING);
	assert_true(row_find("a.example", &row));
	assert_int_equal(row.failed_s, 0);
	assert_int_equal(row.reason.len, 0);
}

static void mode_none_goes_with_its_record(void **state)
{
	struct store_mtasts row;

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	site_answer(&good, SITE_OK("version: STSv1\nmode: none\nmax_age: 86400\n"));
	for (int i = 0; i < 2; i++) { /* fetched, then cached: no-policy-found both times */
		struct mtasts_found f = get("a.example", 0);
		assert_true(f.has_policy && f.fresh && !f.report_sts);
		assert_int_equal(f.fact, TLS_RESULT_SUCCESS);
	}
	again("fail: txt _mta-sts.a.example.\n");
	struct mtasts_found f = get("a.example", 0);
	assert_true(f.has_policy && !f.report_sts);
	assert_int_equal(f.fact, TLS_RESULT_SUCCESS);
	assert_true(row_find("a.example", &row));
	again("");
	f = get("a.example", 0);
	assert_false(f.has_policy);
	assert_false(row_find("a.example", &row));
}

struct caller {
	pthread_t thread;
	struct mtasts_found f;
	struct arena *a;
	int rc;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	struct dns_asker ask = asker(NULL);
	struct err err;

	c->rc = mtasts_get(m, "a.example", &ask, c->a, &c->f, &err);
	return NULL;
}

static void one_fetch_for_all(void **state)
{
	struct caller callers[10];
	int before = atomic_load(&good.requests);

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	atomic_store(&good.delay_ms, 300);
	for (int i = 0; i < 10; i++) {
		callers[i].a = arena_open();
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
	}
	for (int i = 0; i < 10; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].rc, 0);
		assert_true(callers[i].f.has_policy);
		assert_true(mtasts_policy_matches(&callers[i].f.policy, "mx.a.example"));
		assert_true(str_eq(callers[i].f.record_id, STR("1")));
		arena_close(&callers[i].a);
	}
	atomic_store(&good.delay_ms, 0);
	assert_int_equal(atomic_load(&good.requests) - before, 1);
}

static void the_trace_says_what_was_found(void **state)
{
	struct trace *t = trace_new();
	struct buf json = {NULL, 0, 0};
	struct dns_asker ask;
	struct mtasts_found f;
	struct err err;

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	get("a.example", 0);
	at(now_s + 7200);
	ask = asker(t);
	assert_int_equal(mtasts_get(m, "a.example", &ask, arena, &f, &err), 0);
	trace_write(t, &json);
	static const char *const parts[] = {"\"kind\": \"mtasts\"", "MTA-STS a.example",
		"\"result\": \"enforce\"", "from the cache, confirmed 2 h ago", "id 1",
		"mx mx.a.example", "TXT _mta-sts.a.example"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (str_find(buf_str(&json), str_from(parts[i])) == NULL)
			fail_msg("%s: not in %s", parts[i], json.p);
	}
	buf_free(&json);
	trace_free(&t);
}

/* --- the refresher --- */

static void row_put(const char *domain, const char *id, int64_t age_s, int64_t unused_s, int mode)
{
	struct store_mtasts row = {.domain = str_from(domain),
		.record_id = str_from(id),
		.text = mode == STORE_MTASTS_MODE_NONE
				? STR("version: STSv1\nmode: none\nmax_age: 86400\n")
				: STR(ENFORCE),
		.mode = mode,
		.max_age_s = 86400,
		.inserted_s = now_s - age_s,
		.updated_s = now_s - age_s,
		.used_s = now_s - unused_s,
		.valid_until_s = now_s - age_s + 86400,
		.reason = STR("")};
	struct err err;

	if (store_mtasts_put(store, &row, &err) < 0)
		fail_msg("%s", err.text);
}

static void refresh(void **state)
{
	struct store_mtasts row;
	struct err err;
	int64_t next_s, start_s = now_s;

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n"
	      "_mta-sts.b.example TXT \"v=STSv1; id=2;\"\n"
	      "_mta-sts.expired.example TXT \"v=STSv1; id=2;\"\n"
	      "_mta-sts.d.example TXT \"v=STSv1; id=1;\"\n");
	row_put("just.example", "1", 60, 60, STORE_MTASTS_MODE_ENFORCE);
	row_put("unused.example", "1", 86400, 181 * 86400, STORE_MTASTS_MODE_ENFORCE);
	row_put("a.example", "1", 86400, 86400, STORE_MTASTS_MODE_ENFORCE);
	row_put("b.example", "1", 86400, 86400, STORE_MTASTS_MODE_ENFORCE);
	row_put("expired.example", "1", 86400, 86400, STORE_MTASTS_MODE_ENFORCE);
	site_answer(&good, SITE_OK(POLICY("testing", "mx: mx.b.example\n")));

	/* Three are due: the first at once, the others at 1.5 h and 3 h, each within 0.75 h. */
	int sleeps = 0;
	for (;;) {
		assert_int_equal(mtasts_refresh_step(m, &next_s, &err), 0);
		if (next_s == start_s + MTASTS_REFRESH_EVERY_S)
			break;
		sleeps++;
		int64_t off = next_s - start_s, middle = sleeps * 5400;
		print_message("sleep %d: until +%lld s\n", sleeps, (long long)off);
		assert_true(off >= middle - 2700 && off <= middle + 2700);
		at(next_s);
	}
	assert_int_equal(sleeps, 2);
	assert_false(row_find("unused.example", &row));
	assert_true(row_find("just.example", &row));
	assert_int_equal(row.updated_s, start_s - 60);
	assert_true(row_find("a.example", &row)); /* same id: longer valid, text as it was */
	assert_true(row.updated_s >= start_s);
	assert_int_equal(row.valid_until_s, row.updated_s + 86400);
	assert_true(str_eq(row.text, STR(ENFORCE)));
	assert_int_equal(row.used_s, start_s - 86400);
	assert_true(row_find("b.example", &row)); /* new id: replaced, text too */
	assert_true(str_eq(row.record_id, STR("2")));
	assert_int_equal(row.mode, STORE_MTASTS_MODE_TESTING);
	assert_non_null(str_find(row.text, STR("mx.b.example")));
	assert_int_equal(row.used_s, start_s - 86400);
	assert_true(row_find("expired.example", &row)); /* cannot be fetched: kept */
	assert_true(str_eq(row.record_id, STR("1")));
	assert_int_equal(row.updated_s, start_s - 86400);

	/* The next day's pass: nothing but the failing one is old enough... */
	at(start_s + MTASTS_REFRESH_EVERY_S - 1);
	assert_int_equal(mtasts_refresh_step(m, &next_s, &err), 0);
	assert_int_equal(next_s, start_s + MTASTS_REFRESH_EVERY_S);
	/* ... mode none goes once its record is gone, and stays while DNS fails. */
	again("fail: txt _mta-sts.f.example.\n_mta-sts.h.example TXT \"v=STSv1; id=9;\"\n");
	row_put("e.example", "1", 86400, 60, STORE_MTASTS_MODE_NONE);
	row_put("f.example", "1", 86400, 60, STORE_MTASTS_MODE_NONE);
	site_answer(&good, SITE_OK(ENFORCE));
	row_put("h.example", "1", 86400, 60, STORE_MTASTS_MODE_NONE);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mtasts_refresh_step(m, &next_s, &err), 0);
		if (next_s >= start_s + 2 * MTASTS_REFRESH_EVERY_S - 10)
			break;
		at(next_s);
	}
	assert_false(row_find("e.example", &row));
	assert_true(row_find("f.example", &row));
	assert_true(row_find("h.example", &row)); /* it came back: enforce */
	assert_int_equal(row.mode, STORE_MTASTS_MODE_ENFORCE);
}

static void the_thread_refreshes_and_stops(void **state)
{
	struct store_mtasts row;
	struct err err;

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	row_put("a.example", "1", 86400, 86400, STORE_MTASTS_MODE_ENFORCE);
	assert_int_equal(mtasts_start(m, &err), 0);
	for (int i = 0; i < 200; i++) {
		assert_true(row_find("a.example", &row));
		if (row.updated_s == now_s)
			break;
		usleep(20000);
	}
	assert_int_equal(row.updated_s, now_s);
	int64_t start_ms = clock_mono_ms();
	mtasts_close(&m);
	assert_true(clock_mono_ms() - start_ms < 2000);
	cache_open();
}

static void by_hand(void **state)
{
	struct dns_asker ask;
	struct mtasts_lookup l;
	struct store_mtasts row;
	struct err err;

	(void)state;
	again("_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n");
	ask = asker(NULL);
	row_put("a.example", "1", 3600, 7200, STORE_MTASTS_MODE_ENFORCE);
	site_answer(&good, SITE_STATUS("500 Oops"));
	assert_int_equal(mtasts_refresh(m, "a.example", &ask, arena, &l, &err), 0);
	assert_int_equal(l.status, MTASTS_FETCH);
	assert_true(row_find("a.example", &row)); /* kept, with the reason */
	assert_false(row.backoff);
	assert_non_null(str_find(row.reason, STR("500")));
	site_answer(&good, SITE_OK(POLICY("testing", "mx: new.a.example\n")));
	assert_int_equal(mtasts_refresh(m, "a.example", &ask, arena, &l, &err), 0);
	assert_true(row_find("a.example", &row)); /* same id, and still fetched */
	assert_int_equal(row.mode, STORE_MTASTS_MODE_TESTING);
	assert_int_equal(row.used_s, now_s - 7200);
	/* A back-off ends. */
	site_answer(&good, SITE_STATUS("404 Not Found"));
	again("_mta-sts.b.example TXT \"v=STSv1; id=1;\"\n");
	ask = asker(NULL);
	get("b.example", 0);
	site_answer(&good, SITE_OK(ENFORCE));
	assert_int_equal(mtasts_refresh(m, "b.example", &ask, arena, &l, &err), 0);
	assert_true(get("b.example", 0).has_policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lookups, setup, teardown),
		cmocka_unit_test_setup_teardown(fetched, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_are_kept_exactly, setup, teardown),
		cmocka_unit_test_setup_teardown(cached_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_id_that_cannot_be_fetched, setup, teardown),
		cmocka_unit_test_setup_teardown(mode_none_goes_with_its_record, setup, teardown),
		cmocka_unit_test_setup_teardown(one_fetch_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(the_trace_says_what_was_found, setup, teardown),
		cmocka_unit_test_setup_teardown(refresh, setup, teardown),
		cmocka_unit_test_setup_teardown(the_thread_refreshes_and_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(by_hand, setup, teardown),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
