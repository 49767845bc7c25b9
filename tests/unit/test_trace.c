#include "base/arena.h"
#include "base/trace.h"
#include "dns/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *written(struct trace *t)
{
	struct buf b = {NULL, 0, 0};

	trace_write(t, &b);
	json_t *j = json_loadb(b.p, b.len, 0, NULL);
	assert_non_null(j);
	buf_free(&b);
	return j;
}

static void test_steps(void **state)
{
	struct trace *t = trace_new();
	struct str lines[TRACE_DETAILS_MAX + 5];

	(void)state;
	for (size_t i = 0; i < TRACE_DETAILS_MAX + 5; i++)
		lines[i] = STR("a \"line\"\r\n");
	trace_add(t, &(struct trace_step){.kind = "spf",
			     .title = STR("SPF"),
			     .state = TRACE_BAD,
			     .result = STR("fail"),
			     .dnssec = TRACE_SECURE,
			     .detail = lines,
			     .detail_count = TRACE_DETAILS_MAX + 5,
			     .took_ms = -1});
	trace_sentence(t, STR("first"));
	trace_sentence(t, STR("\xff then"));
	json_t *j = written(t);
	assert_string_equal(json_string_value(json_object_get(j, "sentence")), "\xef\xbf\xbd then");
	json_t *step = json_array_get(json_object_get(j, "steps"), 0);
	assert_string_equal(json_string_value(json_object_get(step, "result")), "fail");
	assert_string_equal(json_string_value(json_object_get(step, "dnssec")), "secure");
	assert_null(json_object_get(step, "took_ms"));
	json_t *detail = json_object_get(step, "detail");
	assert_int_equal(json_array_size(detail), TRACE_DETAILS_MAX + 1);
	assert_string_equal(
		json_string_value(json_array_get(detail, TRACE_DETAILS_MAX)), "and 5 more");
	json_decref(j);
	trace_free(&t);
	assert_null(t);
}

/* A message must not make the trace grow without end. */
static void test_bounds(void **state)
{
	struct trace *t = trace_new();
	char *big = malloc(100000);

	(void)state;
	assert_non_null(big);
	for (size_t i = 0; i < 100000; i++)
		big[i] = i % 2 ? '\xa4' : '\xc3';
	for (int i = 0; i < TRACE_STEPS_MAX + 10; i++)
		trace_add(t, &(struct trace_step){.kind = "x", .text = {big, 100000}});
	trace_sentence(t, (struct str){big, 99999});
	struct buf b = {NULL, 0, 0};
	trace_write(t, &b);
	assert_true(b.len < TRACE_BYTES_MAX + 8 * TRACE_TEXT_MAX);
	buf_free(&b);
	json_t *j = written(t);
	size_t kept = json_array_size(json_object_get(j, "steps"));
	assert_true(kept > 10 && kept < TRACE_STEPS_MAX);
	assert_int_equal((size_t)json_integer_value(json_object_get(j, "left_out")) + kept,
		TRACE_STEPS_MAX + 10);
	json_decref(j);
	free(big);
	trace_free(&t);
	trace_add(NULL, &(struct trace_step){.kind = "x"});
	trace_sentence(NULL, STR(""));
}

static void test_ask(void **state)
{
	struct arena *a = arena_open();
	struct dns *dns;
	struct err err;
	struct dns_answer answer;
	struct trace *t = trace_new();

	(void)state;
	assert_int_equal(dns_open_fixture(STR("mx.example. 60 IN A 192.0.2.1\n"
					      "mx.example. 60 IN AAAA 2001:db8::1\n"
					      "example. 60 IN MX 10 mx.example.\n"
					      "authentic: mx example.\n"),
				 &dns, &err),
		0);
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(1000), .trace = t};
	assert_int_equal(dns_ask(&q, DNS_MX, "example", a, &answer, &err), 0);
	assert_int_equal(dns_ask_addr(&q, "mx.example", a, &answer, &err), 0);
	assert_int_equal(dns_ask(&q, DNS_TXT, "none.example", a, &answer, &err), 0);
	q.dns = NULL;
	assert_int_equal(dns_ask(&q, DNS_TXT, "x.example", a, &answer, &err), 0);
	assert_int_equal(answer.status, DNS_FAILED);
	json_t *j = written(t), *steps = json_object_get(j, "steps");
	assert_int_equal(json_array_size(steps), 4);
	json_t *s = json_array_get(steps, 1);
	assert_string_equal(json_string_value(json_object_get(s, "title")), "A/AAAA mx.example");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(s, "detail"), 1)), "2001:db8::1");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(steps, 2), "result")), "nxdomain");
	json_decref(j);
	trace_free(&t);
	dns_close(&dns);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_ask)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
