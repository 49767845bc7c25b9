#include "tests/unit/unit.h"

#include "webui/login.h"
#include "webui/nav.h"
#include "webui/router.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	enum page_method method;
	const char *path;
	enum route_match match;
	const char *param;
} routes_wanted[] = {
	{PAGE_GET, "", ROUTE_FOUND, NULL},
	{PAGE_GET, "queue", ROUTE_FOUND, NULL},
	{PAGE_GET, "queue/q1f3k", ROUTE_FOUND, "q1f3k"},
	{PAGE_POST, "queue/confirm", ROUTE_FOUND, NULL},
	{PAGE_GET, "domains/12/edit", ROUTE_FOUND, "12"},
	{PAGE_GET, "domains/new", ROUTE_FOUND, NULL},
	{PAGE_GET, "queue/", ROUTE_NONE, NULL},
	{PAGE_GET, "queue/a/b", ROUTE_NONE, NULL},
	{PAGE_GET, "Queue", ROUTE_NONE, NULL},
	{PAGE_GET, "../etc/passwd", ROUTE_NONE, NULL},
	{PAGE_GET, "logout", ROUTE_OTHER_METHOD, NULL},
	{PAGE_POST, "domains", ROUTE_OTHER_METHOD, NULL},
	{PAGE_OTHER, "queue", ROUTE_OTHER_METHOD, NULL},
};

static void finds_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(routes_wanted) / sizeof(routes_wanted[0]); i++) {
		struct str params[PAGE_PARAMS_MAX] = {{NULL, 0}};
		const struct route *r = NULL;

		print_message("case %zu: %s\n", i, routes_wanted[i].path);
		assert_int_equal(router_find(routes_wanted[i].method,
					 str_from(routes_wanted[i].path), params, &r),
			routes_wanted[i].match);
		if (routes_wanted[i].param != NULL)
			assert_true(str_eq(params[0], str_from(routes_wanted[i].param)));
	}
}

static const struct {
	const char *below, *place;
} places_wanted[] = {
	{"", ""},
	{"queue", "queue"},
	{"queue/q1f3k", "queue"},
	{"domains/12/edit", "domains"},
	{"addresses/3/delete", "domains"},
	{"password", "password"},
	{"nothing-here", NULL},
	{"queued", NULL},
};

static void knows_the_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places_wanted) / sizeof(places_wanted[0]); i++) {
		const char *place = nav_place(str_from(places_wanted[i].below));

		print_message("case %zu: %s\n", i, places_wanted[i].below);
		if (places_wanted[i].place == NULL)
			assert_null(place);
		else
			assert_string_equal(place, places_wanted[i].place);
	}
}

/* All but the login form wants somebody logged in; a new page cannot forget it unseen. */
static void only_login_is_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		if (routes[i].access == ROUTE_OPEN)
			assert_string_equal(routes[i].pattern, "login");
	}
}

static const struct {
	const char *text;
	int rc;
	size_t count;
	const char *first;
} forms[] = {
	{"", 0, 0, ""},
	{"a=1", 0, 1, "1"},
	{"a=1&b=2&a=3", 0, 3, "1"},
	{"&&a=1&", 0, 1, "1"},
	{"a", 0, 1, ""},
	{"a=x+y%20z%2B", 0, 1, "x y z+"},
	{"%61=b=c", 0, 1, "b=c"},
	{"a=%C3%A9", 0, 1, "\xc3\xa9"},
	{"a=1%0D%0A2", 0, 1, "1\n2"},
	{"a=%", -1, 0, ""},
	{"a=%4", -1, 0, ""},
	{"a=%zz", -1, 0, ""},
	{"a=%00", -1, 0, ""},
	{"a=%ff", -1, 0, ""}, /* not UTF-8 */
	{"a=%c0%80", -1, 0, ""},
};

static void parses_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct arena *a = arena_open();
		struct urlform f;
		struct err err;

		print_message("case %zu: %s\n", i, forms[i].text);
		assert_int_equal(urlform_parse(a, str_from(forms[i].text), &f, &err), forms[i].rc);
		assert_int_equal(f.count, forms[i].count);
		assert_true(str_eq(urlform_get(&f, "a"), str_from(forms[i].first)));
		arena_close(&a);
	}
}

static void forms_are_capped(void **state)
{
	struct arena *a = arena_open();
	size_t len = URLFORM_BODY_MAX + 1;
	char *text = calloc(1, len);
	struct urlform f;
	struct err err;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', len);
	assert_int_equal(urlform_parse(a, (struct str){text, len}, &f, &err), -1);
	assert_int_equal(urlform_parse(a, (struct str){text, len - 1}, &f, &err), 0);
	memset(text, '&', URLFORM_FIELDS_MAX);
	assert_int_equal(
		urlform_parse(a, (struct str){text, URLFORM_FIELDS_MAX + 10}, &f, &err), -1);
	free(text);
	arena_close(&a);
}

static void finds_cookies(void **state)
{
	const char *header = "a=1; mox-session=abc; xmox-session=no;b = 2;empty=";

	(void)state;
	assert_true(str_eq(login_cookie_find(header, "mox-session"), STR("abc")));
	assert_true(str_eq(login_cookie_find(header, "a"), STR("1")));
	assert_int_equal(login_cookie_find(header, "empty").len, 0);
	assert_int_equal(login_cookie_find(header, "session").len, 0);
	assert_int_equal(login_cookie_find(NULL, "a").len, 0);
	assert_int_equal(login_cookie_find("mox-session", "mox-session").len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_routes),
		cmocka_unit_test(knows_the_place),
		cmocka_unit_test(only_login_is_open),
		cmocka_unit_test(parses_forms),
		cmocka_unit_test(forms_are_capped),
		cmocka_unit_test(finds_cookies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
