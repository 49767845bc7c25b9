#include "tests/unit/unit.h"

#include "webui/chart.h"
#include "webui/problems.h"

#include <string.h>

static const struct {
	int64_t n, scale;
} scales[] = {
	{0, 1},
	{1, 1},
	{2, 2},
	{3, 4},
	{5, 5},
	{7, 8},
	{9, 10},
	{10, 10},
	{11, 20},
	{99, 100},
	{101, 200},
	{6500, 8000},
	{INT64_C(4000000000001), INT64_C(5000000000000)},
};

static void scale(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
		assert_int_equal(chart_scale(scales[i].n), scales[i].scale);
	assert_true(chart_scale(INT64_MAX) > 0); /* ends */
}

static char *drawn(const struct chart *c, struct page *p)
{
	p->view = tval_map(p->arena);
	chart_view(p, p->view, "chart", c);
	const struct tval *svg = tval_get(tval_get(p->view, STR("chart")), STR("svg"));
	return arena_strdup(p->arena, svg->text);
}

static void bars(void **state)
{
	static const int64_t start[] = {0, 3600, 7200};
	static const int64_t in[] = {10, 0, 1}, bad[] = {0, 0, 1000000}, out[] = {5, 0, 0};
	struct chart_series series[] = {{"c-in", "In", CHART_UP, in},
		{"c-bad", "Bad <b>", CHART_UP, bad}, {"c-out", "Out", CHART_DOWN, out}};
	struct chart c = {"A \"title\" <x>", CHART_HOURS, start, 3, series, 2};
	struct page p = {.arena = arena_open()};

	(void)state;
	char *svg = drawn(&c, &p);
	assert_non_null(strstr(svg, "aria-label=\"A &quot;title&quot; &lt;x&gt;\""));
	assert_null(strstr(svg, "style="));
	assert_non_null(strstr(svg, "1970-01-01 01:00 UTC: In 0, "));
	/* 10 of 1000000 is still seen, and 0 is not drawn: two bars of the first series. */
	char *path = strstr(svg, "class=\"c-in\"");
	assert_non_null(path);
	char *end = strstr(path, "/>");
	size_t bars_seen = 0;
	for (char *at = path; at < end; at++)
		bars_seen += *at == 'M';
	assert_int_equal(bars_seen, 2);
	/* With something below the line, the line is not at the end. */
	c.series_count = 3;
	assert_null(strstr(drawn(&c, &p), "class=\"c-axis\" d=\"M0 999"));
	const struct tval *chart = tval_get(p.view, STR("chart"));
	assert_true(str_eq(tval_get(chart, STR("top"))->text, STR("2,000,000")));
	assert_true(str_eq(tval_get(chart, STR("bottom"))->text, STR("5")));
	assert_false(tval_truth(tval_get(chart, STR("empty"))));
	arena_close(&p.arena);
}

static void nothing(void **state)
{
	static const int64_t start[] = {0, 86400}, none[] = {0, 0}, unknown[] = {-1, -1};
	struct chart_series series[] = {{"c-in", "In", CHART_UP, none}};
	struct chart c = {"t", CHART_DAYS, start, 2, series, 1};
	struct page p = {.arena = arena_open()};

	(void)state;
	(void)drawn(&c, &p);
	const struct tval *chart = tval_get(p.view, STR("chart"));
	assert_true(tval_truth(tval_get(chart, STR("empty"))));
	assert_false(tval_truth(tval_get(chart, STR("rows"))));
	chart_spark(&p, p.view, "spark", "s", unknown, 2);
	assert_null(tval_get(p.view, STR("spark")));
	arena_close(&p.arena);
}

static void thresholds(void **state)
{
	const int64_t gib = INT64_C(1) << 30, day = 24 * 3600;

	(void)state;
	assert_int_equal(problems_disk(0, 0), DISK_UNKNOWN);
	assert_int_equal(problems_disk(500 * gib, 1000 * gib), DISK_OK);
	assert_int_equal(problems_disk(99 * gib, 1000 * gib), DISK_LOW);
	assert_int_equal(problems_disk(30 * gib, 1000 * gib), DISK_FULL);
	assert_int_equal(problems_disk(gib - 1, 4 * gib), DISK_LOW);
	assert_int_equal(problems_disk(gib / 4, gib), DISK_FULL);
	assert_int_equal(problems_cert(0, 1000), CERT_NONE);
	assert_int_equal(problems_cert(1000, 1000), CERT_ENDED);
	assert_int_equal(problems_cert(1001, 1000), CERT_SOON);
	assert_int_equal(problems_cert(1000 + 14 * day, 1000), CERT_SOON);
	assert_int_equal(problems_cert(1001 + 14 * day, 1000), CERT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scale),
		cmocka_unit_test(bars),
		cmocka_unit_test(nothing),
		cmocka_unit_test(thresholds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
