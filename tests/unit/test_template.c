#include "tests/unit/unit.h"

#include "webui/assets.h"
#include "webui/template.h"

#include <stdlib.h>
#include <string.h>

static struct tval *values(struct arena *a)
{
	struct tval *v = tval_map(a), *list = tval_set_list(a, v, "list");
	struct tval *in = tval_set_map(a, v, "in"), *item;

	tval_set_text(a, v, "name", "Ann");
	tval_set_text(a, v, "evil", "<b a=\"x\" b='y'>&");
	tval_set_text(a, v, "empty", "");
	tval_set_flag(a, v, "yes", true);
	tval_set_flag(a, v, "no", false);
	tval_set_text(a, in, "deep", "well");
	(void)tval_set_list(a, v, "none");
	item = tval_add_map(a, list);
	tval_set_text(a, item, "x", "1");
	item = tval_add_map(a, list);
	tval_set_text(a, item, "x", "2");
	tval_set_text(a, item, "name", "Bob");
	struct tval *words = tval_set_list(a, v, "words");
	tval_add_text(a, words, "<i>");
	tval_add_text(a, words, "b");
	return v;
}

static const struct {
	const char *text, *shown;
} cases[] = {
	{"plain", "plain"},
	{"Hi {{name}}!", "Hi Ann!"},
	{"{{ name }}", "Ann"},
	{"{{evil}}", "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;"},
	{"{{{evil}}}", "<b a=\"x\" b='y'>&"},
	{"{{missing}}{{in}}{{list}}{{yes}}", ""}, /* only texts are shown */
	{"{{in.deep}} {{in.none}} {{name.deep}}", "well  "},
	{"{{#in}}{{deep}} {{name}}{{/in}}", "well Ann"},
	{"{{#list}}{{x}}{{name}} {{/list}}", "1Ann 2Bob "},
	{"{{#none}}x{{/none}}{{^none}}y{{/none}}", "y"},
	{"{{#yes}}a{{/yes}}{{#no}}b{{/no}}{{^yes}}c{{/yes}}{{^no}}d{{/no}}", "ad"},
	{"{{#name}}[{{name}}]{{/name}}{{#empty}}x{{/empty}}{{^empty}}-{{/empty}}", "[Ann]-"},
	{"{{#words}}{{.}},{{/words}}", "&lt;i&gt;,b,"},
	{"a{{! not shown }}b", "ab"},
	{"{{#list}}{{#list}}{{x}}{{/list}}|{{/list}}", "12|12|"},
	{"a\n{{#yes}}\nb\n{{/yes}}\nc\n", "a\nb\nc\n"}, /* tags alone leave no line */
	{"a {{#yes}} b {{/yes}} c", "a  b  c"},
	{"  {{! alone }}  \nx", "x"},
	{"{{>part}}", "<Ann>"},
	{"{{#list}}{{>part}}{{/list}}", "<Ann><Bob>"},
	{"{ {{name}} } }}", "{ Ann } }}"},
};

static void renders_each_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_open();
		struct template_set *set = template_set_new();
		struct buf out = {NULL, 0, 0};
		struct err err;

		print_message("case %zu: %s\n", i, cases[i].text);
		assert_int_equal(template_add(set, "part", STR("<{{name}}>"), &err), 0);
		assert_int_equal(template_add(set, "t", str_from(cases[i].text), &err), 0);
		assert_int_equal(template_link(set, &err), 0);
		assert_int_equal(template_render(set, "t", values(a), &out, &err), 0);
		assert_string_equal(out.p ? out.p : "", cases[i].shown);
		buf_free(&out);
		template_set_free(&set);
		arena_close(&a);
	}
}

static const struct {
	const char *text, *error;
} bad[] = {
	{"x\n{{name", "line 2: tag without end"},
	{"{{{name}}", "tag without end"},
	{"{{#a}}", "section is not closed: \"a\""},
	{"{{/a}}", "nothing is open for \"a\""},
	{"{{#a}}{{#b}}{{/a}}{{/b}}", "not the innermost section: \"a\""},
	{"{{}}", "not a name"},
	{"{{a b}}", "not a name"},
	{"{{a..b}}", "not a name"},
	{"{{.a}}", "not a name"},
	{"{{&a}}", "not a name"},
	{"{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}"
	 "{{#a}}{{#a}}{{#a}}",
		"too many sections"},
	{"{{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}", "not a name"},
};

static void refuses_bad_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct template_set *set = template_set_new();
		struct err err;

		assert_int_equal(template_add(set, "t", str_from(bad[i].text), &err), -1);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, bad[i].error));
		template_set_free(&set);
	}
}

static void link_finds_missing_and_circular_partials(void **state)
{
	struct template_set *set = template_set_new();
	struct err err;

	(void)state;
	assert_int_equal(template_add(set, "a", STR("{{>b}}"), &err), 0);
	assert_int_equal(template_link(set, &err), -1);
	assert_non_null(strstr(err.text, "no template \"b\""));
	assert_int_equal(template_add(set, "b", STR("{{>c}}"), &err), 0);
	assert_int_equal(template_add(set, "c", STR("{{>a}}"), &err), 0);
	assert_int_equal(template_link(set, &err), -1);
	assert_non_null(strstr(err.text, "includes itself"));
	template_set_free(&set);
}

static void output_is_capped(void **state)
{
	struct template_set *set = template_set_new();
	struct arena *a = arena_open();
	struct tval *v = tval_map(a), *list = tval_set_list(a, v, "l");
	char *big = calloc(1, 5001);
	struct buf out = {NULL, 0, 0};
	struct err err;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 5000);
	for (int i = 0; i < 1000; i++)
		tval_add_text(a, list, big);
	assert_int_equal(template_add(set, "t", STR("{{#l}}{{.}}{{/l}}"), &err), 0);
	assert_int_equal(template_link(set, &err), 0);
	assert_int_equal(template_render(set, "t", v, &out, &err), -1);
	assert_true(out.len <= TEMPLATE_OUTPUT_MAX + 5000);
	buf_free(&out);
	free(big);
	arena_close(&a);
	template_set_free(&set);
}

/* Every template compiled in parses, its partials are there, and none holds inline script or
 * style, which the Content-Security-Policy forbids. */
/* These show SVG that chart.c draws; all else is escaped. */
static bool draws_chart(struct str name)
{
	return str_eq(name, STR("chart")) || str_eq(name, STR("dashboard")) ||
	       str_eq(name, STR("machine"));
}

static void every_template_parses(void **state)
{
	struct template_set *set = template_set_new();
	size_t count = 0;
	char names[200][100];
	struct err err = {.text = ""};

	(void)state;
	for (size_t i = 0; i < asset_count; i++) {
		struct str name = str_from(assets[i].name);
		struct str text = {(const char *)assets[i].data, assets[i].len};
		if (!str_starts(name, STR("templates/")))
			continue;
		name = str_skip(name, strlen("templates/"));
		name.len -= strlen(".html");
		assert_true(str_copy(names[count], sizeof(names[0]), name));
		if (template_add(set, names[count], text, &err) < 0)
			fail_msg("%s", err.text);
		count++;
		assert_null(str_find(text, STR(" style=")));
		assert_null(str_find(text, STR("<style")));
		assert_null(str_find(text, STR(" onclick=")));
		assert_null(str_find(text, STR("<script>")));
		if (!draws_chart(name))
			assert_null(str_find(text, STR("{{{")));
		assert_null(str_find(text, STR("http://")));
		assert_null(str_find(text, STR("https://")));
	}
	assert_true(count > 10);
	if (template_link(set, &err) < 0)
		fail_msg("%s", err.text);
	template_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_each_case),
		cmocka_unit_test(refuses_bad_templates),
		cmocka_unit_test(link_finds_missing_and_circular_partials),
		cmocka_unit_test(output_is_capped),
		cmocka_unit_test(every_template_parses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
