#include "tests/unit/https_site.h"

#include "http/http.h"

/* Our HTTPS client against real servers: every outcome it knows. */

static struct site_ca ca;
static unsigned port;
static struct tls_client *tls;
static struct http *http, *strict; /* strict: no private networks */
static struct site good, expired, untrusted, wrong_name, plain, cn_only;
static struct arena *arena;

static struct dns *dns_make(void)
{
	struct dns *d;
	struct err err;

	if (dns_open_fixture(STR("good.example A 127.7.1.1\n"
				 "mixed.example A 127.7.1.1\nmixed.example A 10.9.9.9\n"
				 "expired.example A 127.7.1.2\nuntrusted.example A 127.7.1.3\n"
				 "name.example A 127.7.1.4\nplain.example A 127.7.1.5\n"
				 "cn.example A 127.7.1.6\n"
				 "dead.example A 127.7.1.99\nprivate.example A 10.9.9.9\n"
				 "empty.example TXT x\nfail: ip fail.example.\n"
				 "bogus: ip bogus.example. signature expired\n"
				 "xn--bcher-kva.example A 127.7.1.1\n"),
		    &d, &err) < 0)
		fail_msg("%s", err.text);
	return d;
}

static int setup(void **state)
{
	struct err err;
	struct cidr loopback;

	(void)state;
	arena = arena_open();
	site_ca_open(&ca);
	site_open(&good, &ca, "127.7.1.1", &port,
		"DNS:good.example,DNS:mixed.example,DNS:xn--bcher-kva.example,IP:127.7.1.1",
		SITE_GOOD, SITE_OK("hello\n"));
	site_open(&expired, &ca, "127.7.1.2", &port, "DNS:expired.example", SITE_EXPIRED,
		SITE_OK("x"));
	site_open(&untrusted, &ca, "127.7.1.3", &port, "DNS:untrusted.example", SITE_UNTRUSTED,
		SITE_OK("x"));
	site_open(
		&wrong_name, &ca, "127.7.1.4", &port, "DNS:other.example", SITE_GOOD, SITE_OK("x"));
	site_open(&plain, &ca, "127.7.1.5", &port, NULL, SITE_GOOD, "");
	site_open(&cn_only, &ca, "127.7.1.6", &port, "email:a@cn.example", SITE_GOOD, SITE_OK("x"));
	const char *files[] = {ca.file};
	assert_int_equal(tls_client_new(files, 1, false, &tls, &err), 0);
	assert_int_equal(cidr_parse(STR("127.0.0.0/8"), &loopback, &err), 0);
	assert_int_equal(
		http_open(
			&(struct http_options){
				.tls = tls, .allow = &loopback, .allow_count = 1, .port = port},
			&http, &err),
		0);
	assert_int_equal(
		http_open(&(struct http_options){.tls = tls, .port = port}, &strict, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	site_close(&good);
	site_close(&expired);
	site_close(&untrusted);
	site_close(&wrong_name);
	site_close(&plain);
	site_close(&cn_only);
	http_close(&http);
	http_close(&strict);
	tls_client_free(&tls);
	site_ca_close(&ca);
	arena_close(&arena);
	return 0;
}

static struct http_result get(struct http *h, const char *url, unsigned redirects)
{
	struct dns *dns = dns_make();
	struct dns_asker ask = {.dns = dns, .deadline = deadline_in_ms(5000), .trace = NULL};
	struct http_request req = {.url = url, .body_max_bytes = 1000, .redirects = redirects};
	struct http_result r;
	struct err err;

	if (https_get(h, &ask, &req, arena, &r, &err) < 0)
		fail_msg("%s", err.text);
	dns_close(&dns);
	print_message(
		"%s: %s %d %.*s\n", url, http_outcome_text(r.outcome), r.status, STR_FMT(r.text));
	return r;
}

static void outcomes(void **state)
{
	static const struct {
		const char *url;
		enum http_outcome outcome;
		enum tls_pkix_class class;
		const char *text;
	} rows[] = {
		{"https://good.example/", HTTP_DONE, TLS_PKIX_VALID, ""},
		{"https://mixed.example/", HTTP_DONE, TLS_PKIX_VALID, ""},
		{"https://b\xc3\xbc"
		 "cher.example/",
			HTTP_DONE, TLS_PKIX_VALID, ""},
		{"https://127.7.1.1/", HTTP_DONE, TLS_PKIX_VALID, ""},
		{"https://expired.example/", HTTP_CERTIFICATE, TLS_PKIX_DATE, "expired"},
		{"https://untrusted.example/", HTTP_CERTIFICATE, TLS_PKIX_UNTRUSTED, "not valid"},
		{"https://name.example/", HTTP_CERTIFICATE, TLS_PKIX_NAME, "name.example"},
		{"https://cn.example/", HTTP_CERTIFICATE, TLS_PKIX_NAME, "cn.example"},
		{"https://plain.example/", HTTP_TLS, TLS_PKIX_VALID, "plain.example"},
		{"https://dead.example/", HTTP_CONNECT, TLS_PKIX_VALID, "dead.example"},
		{"https://private.example/", HTTP_ADDRESS_REFUSED, TLS_PKIX_VALID, "10.9.9.9"},
		{"https://10.1.2.3/", HTTP_ADDRESS_REFUSED, TLS_PKIX_VALID, "10.1.2.3"},
		{"https://[::1]/", HTTP_ADDRESS_REFUSED, TLS_PKIX_VALID, "::1"},
		{"https://none.example/", HTTP_NO_ADDRESS, TLS_PKIX_VALID, "does not exist"},
		{"https://empty.example/", HTTP_NO_ADDRESS, TLS_PKIX_VALID, "no address"},
		{"https://fail.example/", HTTP_DNS, TLS_PKIX_VALID, "look-up"},
		{"https://bogus.example/", HTTP_DNS, TLS_PKIX_VALID, "signature expired"},
		{"http://good.example/", HTTP_BAD_URL, TLS_PKIX_VALID, "https"},
		{"file:///etc/passwd", HTTP_BAD_URL, TLS_PKIX_VALID, ""},
		{"https://user:pw@good.example/", HTTP_BAD_URL, TLS_PKIX_VALID, "user"},
		{"https://good.example:0/", HTTP_BAD_URL, TLS_PKIX_VALID, ""},
		{"https://good.example:99999/", HTTP_BAD_URL, TLS_PKIX_VALID, ""},
		{"bogus", HTTP_BAD_URL, TLS_PKIX_VALID, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_result r = get(http, rows[i].url, 0);
		assert_int_equal(r.outcome, rows[i].outcome);
		assert_int_equal(tls_pkix_class(r.pkix_code), rows[i].class);
		assert_non_null(str_find(r.text, str_from(rows[i].text)));
		if (r.outcome == HTTP_DONE) {
			assert_int_equal(r.status, 200);
			assert_true(str_eq(r.body, STR("hello\n")));
			assert_true(str_eq(http_field(&r, "content-TYPE"), STR("text/plain")));
			assert_int_equal(http_field(&r, "nope").len, 0);
		} else {
			assert_int_equal(r.status, 0);
		}
	}
}

static void private_addresses_are_refused(void **state)
{
	int before = atomic_load(&good.requests);

	(void)state;
	assert_int_equal(get(strict, "https://good.example/", 0).outcome, HTTP_ADDRESS_REFUSED);
	assert_int_equal(get(strict, "https://127.7.1.1/", 0).outcome, HTTP_ADDRESS_REFUSED);
	assert_int_equal(atomic_load(&good.requests), before);
}

static void sizes_and_times_are_capped(void **state)
{
	struct buf big = {NULL, 0, 0};

	(void)state;
	buf_text(&big, SITE_OK(""));
	while (big.len < 2000)
		buf_byte(&big, 'x');
	site_answer(&good, big.p);
	struct http_result r = get(http, "https://good.example/", 0);
	assert_int_equal(r.outcome, HTTP_TOO_LARGE);
	assert_int_equal(r.body.len, 1000);
	buf_clear(&big);
	buf_text(&big, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 1000; i++)
		buf_printf(&big, "X-Field-%d: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", i);
	buf_text(&big, "\r\n");
	site_answer(&good, big.p);
	assert_int_equal(get(http, "https://good.example/", 0).outcome, HTTP_TOO_LARGE);
	site_answer(&good, "not HTTP at all\r\n");
	assert_int_equal(get(http, "https://good.example/", 0).outcome, HTTP_BROKEN);
	site_answer(&good, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
	assert_int_equal(get(http, "https://good.example/", 0).outcome, HTTP_BROKEN);

	struct dns *dns = dns_make();
	struct dns_asker ask = {.dns = dns, .deadline = deadline_in_ms(300), .trace = NULL};
	struct http_request req = {.url = "https://good.example/", .body_max_bytes = 1000};
	struct err err;
	atomic_store(&good.delay_ms, 1500);
	assert_int_equal(https_get(http, &ask, &req, arena, &r, &err), 0);
	assert_int_equal(r.outcome, HTTP_TIMEOUT);
	assert_true(r.took_ms >= 250 && r.took_ms < 1400);
	atomic_store(&good.delay_ms, 0);
	dns_close(&dns);
	buf_free(&big);
	site_answer(&good, SITE_OK("hello\n"));
}

static void redirects_are_followed_when_asked(void **state)
{
	char to_self[256];

	(void)state;
	site_answer(&good,
		"HTTP/1.1 301 Moved\r\nLocation: https://name.example/\r\nContent-Length: "
		"0\r\n\r\n");
	struct http_result r = get(http, "https://good.example/", 0);
	assert_int_equal(r.outcome, HTTP_DONE);
	assert_int_equal(r.status, 301);
	/* The other host has no valid certificate: it was really asked. */
	assert_int_equal(get(http, "https://good.example/", 3).outcome, HTTP_CERTIFICATE);
	site_answer(&good,
		"HTTP/1.1 302 Moved\r\nLocation: http://good.example/\r\nContent-Length: "
		"0\r\n\r\n");
	assert_int_equal(get(http, "https://good.example/", 3).outcome, HTTP_BAD_URL);
	site_answer(&good,
		"HTTP/1.1 302 Moved\r\nLocation: https://private.example/\r\nContent-Length: "
		"0\r\n\r\n");
	assert_int_equal(get(http, "https://good.example/", 3).outcome, HTTP_ADDRESS_REFUSED);
	/* A loop ends. */
	int before = atomic_load(&good.requests);
	snprintf(to_self, sizeof(to_self),
		"HTTP/1.1 307 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
	site_answer(&good, to_self);
	r = get(http, "https://good.example/", 100);
	assert_int_equal(r.status, 307);
	assert_int_equal(atomic_load(&good.requests) - before, HTTP_REDIRECTS_MAX + 1);
	site_answer(&good, SITE_OK("hello\n"));
}

static void posts_and_headers(void **state)
{
	static const char *const fields[] = {"X-One: 1", "Accept: application/json"};
	struct dns *dns = dns_make();
	struct dns_asker ask = {.dns = dns, .deadline = deadline_in_ms(5000), .trace = NULL};
	struct http_request req = {.url = "https://good.example/path?q=1",
		.body_max_bytes = 1000,
		.content_type = "application/tlsrpt+gzip",
		.body = STR("\x1f\x8b two"),
		.fields = fields,
		.field_count = 2};
	struct http_result r;
	struct err err;

	(void)state;
	setenv("https_proxy", "http://127.0.0.1:1", 1); /* plays no part */
	assert_int_equal(https_post(http, &ask, &req, arena, &r, &err), 0);
	unsetenv("https_proxy");
	assert_int_equal(r.outcome, HTTP_DONE);
	struct str last = str_from(good.last);
	assert_true(str_starts(last, STR("POST /path?q=1 HTTP/1.1\n")));
	assert_non_null(str_find(last, STR("Content-Type: application/tlsrpt+gzip\n")));
	assert_non_null(str_find(last, STR("Host: good.example")));
	assert_non_null(str_find(last, STR("X-One: 1\n")));
	assert_non_null(str_find(last, STR("User-Agent: mox/")));
	assert_null(str_find(last, STR("Expect")));
	assert_true(str_ends(last, STR("\x1f\x8b two")));
	req.fields = (const char *const[]){"X: a\r\nEvil: b"};
	req.field_count = 1;
	assert_int_equal(https_post(http, &ask, &req, arena, &r, &err), -1);
	dns_close(&dns);
}

static void *cancel_later(void *arg)
{
	usleep(200 * 1000);
	http_cancel(arg);
	return NULL;
}

static void a_stop_ends_requests(void **state)
{
	struct http *own;
	struct cidr loopback;
	struct err err;
	pthread_t thread;

	(void)state;
	assert_int_equal(cidr_parse(STR("127.0.0.0/8"), &loopback, &err), 0);
	assert_int_equal(
		http_open(
			&(struct http_options){
				.tls = tls, .allow = &loopback, .allow_count = 1, .port = port},
			&own, &err),
		0);
	atomic_store(&good.delay_ms, 3000);
	assert_int_equal(pthread_create(&thread, NULL, cancel_later, own), 0);
	struct http_result r = get(own, "https://good.example/", 0);
	pthread_join(thread, NULL);
	atomic_store(&good.delay_ms, 0);
	assert_int_equal(r.outcome, HTTP_CANCELLED);
	assert_true(r.took_ms < 2500);
	assert_int_equal(get(own, "https://good.example/", 0).outcome, HTTP_CANCELLED);
	http_close(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes),
		cmocka_unit_test(private_addresses_are_refused),
		cmocka_unit_test(sizes_and_times_are_capped),
		cmocka_unit_test(redirects_are_followed_when_asked),
		cmocka_unit_test(posts_and_headers),
		cmocka_unit_test(a_stop_ends_requests),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
