#include "tests/unit/unit.h"

#include "webui/headerview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *header, *fields, *raw;
} cases[] = {
	{"", "", ""},
	{"Subject: hi\r\n\r\nTo: body", "Subject=hi;", "Subject: hi\r\n\r\n"},
	{"To: b\r\nFROM: a\r\nsubject: =?utf-8?q?caf=C3=A9?=\r\n x\r\n",
		"Subject=caf\xc3\xa9 x;From=a;To=b;", NULL},
	{"Subject: first\r\nSubject: second\r\n", "Subject=first;", NULL},
	/* Line ends out of an encoded word stay one line. */
	{"Subject: =?utf-8?b?YQ0KQmNjOiBi?=\r\n", "Subject=a  Bcc: b;", NULL},
	{"Received: x\r\n\r\n", "", "Received: x\r\n\r\n"},
	/* What is no header ends the fields, not the view. */
	{"Date: now\r\nno field\r\nTo: x\r\n", "Date=now;", "Date: now\r\nno field\r\nTo: x\r\n"},
};

static void fields_text(const struct tval *map, char *out, size_t size)
{
	const struct tval *list = tval_get(map, STR("fields"));
	size_t at = 0;

	out[0] = '\0';
	for (const struct tval_item *i = list->first; i != NULL && at < size; i = i->next) {
		struct str name = tval_get(i->value, STR("name"))->text;
		struct str value = tval_get(i->value, STR("value"))->text;
		at += (size_t)snprintf(
			out + at, size - at, "%.*s=%.*s;", STR_FMT(name), STR_FMT(value));
	}
}

static void shows_the_known_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct page p = {.arena = arena_open()};
		struct tval *map = tval_map(p.arena);
		char text[500];

		print_message("case %zu\n", i);
		headerview_fill(&p, map, str_from(cases[i].header));
		fields_text(map, text, sizeof(text));
		assert_string_equal(text, cases[i].fields);
		if (cases[i].raw != NULL)
			assert_true(
				str_eq(tval_get(map, STR("header"))->text, str_from(cases[i].raw)));
		assert_false(tval_truth(tval_get(map, STR("header_cut"))));
		arena_close(&p.arena);
	}
}

static void is_capped(void **state)
{
	size_t len = HEADERVIEW_READ_MAX + 100;
	char *big = malloc(len);
	struct page p = {.arena = arena_open()};
	struct tval *map = tval_map(p.arena);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', len);
	memcpy(big, "Subject: ", 9);
	/* Two octets a character, so that a cut may fall into one. */
	for (size_t i = 9; i + 1 < len; i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	headerview_fill(&p, map, (struct str){big, len});
	assert_true(tval_truth(tval_get(map, STR("header_cut"))));
	struct str raw = tval_get(map, STR("header"))->text;
	assert_in_range(raw.len, HEADERVIEW_RAW_MAX - 1, HEADERVIEW_RAW_MAX);
	assert_true((raw.len - 9) % 2 == 0);
	const struct tval *row = tval_get(map, STR("fields"))->first->value;
	struct str value = tval_get(row, STR("value"))->text;
	assert_in_range(value.len, HEADERVIEW_FIELD_MAX - 1, HEADERVIEW_FIELD_MAX + 4);
	assert_true(str_ends(value, STR("\xc3\xa9 \xe2\x80\xa6")));
	free(big);
	arena_close(&p.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_known_fields),
		cmocka_unit_test(is_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
