#include "tests/unit/unit.h"

#include "cli/client.h"
#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 8 };

static const struct {
	const char *words[WORDS_MAX];
	int status;
	const char *command; /* when status is CLI_RUN */
	size_t args;
} parse_cases[] = {
	{{"version"}, CLI_RUN, "version", 0},
	{{"queue", "list", "-json"}, CLI_RUN, "queue list", 0},
	{{"queue", "list", "--json"}, CLI_RUN, "queue list", 0},
	{{"queue", "kick", "q1", "-config", "x.conf"}, CLI_RUN, "queue kick", 1},
	{{"queue", "kick", "-config=x.conf", "q1"}, CLI_RUN, "queue kick", 1},
	{{"config", "domain", "add", "x.example"}, CLI_RUN, "config domain add", 1},
	{{"config", "domain", "add", "--", "-x"}, CLI_RUN, "config domain add", 1},
	{{"localserve", "-hold", "-dir", "/x"}, CLI_RUN, "localserve", 0},
	{{"queue", "list", "-h"}, CLI_OK, NULL, 0},
	{{"-h"}, CLI_OK, NULL, 0},
	{{NULL}, CLI_USAGE, NULL, 0},
	{{"nonsense"}, CLI_USAGE, NULL, 0},
	{{"queue"}, CLI_USAGE, NULL, 0},
	{{"queue", "nonsense"}, CLI_USAGE, NULL, 0},
	{{"queue", "list", "-nonsense"}, CLI_USAGE, NULL, 0},
	{{"queue", "list", "extra"}, CLI_USAGE, NULL, 0},
	{{"queue", "list", "-json=yes"}, CLI_USAGE, NULL, 0},
	{{"queue", "list", "-to"}, CLI_USAGE, NULL, 0},
	{{"queue", "dump"}, CLI_USAGE, NULL, 0},
	{{"config", "domain", "add"}, CLI_USAGE, NULL, 0},
	{{"localserve", "-config", "x"}, CLI_USAGE, NULL, 0},
};

/* Usage goes to stdout or stderr, where it would hide the results. */
static int parse_quietly(int argc, char **argv, struct cli *cli)
{
	FILE *out = stdout, *err = stderr, *null = fopen("/dev/null", "we");

	assert_non_null(null);
	stdout = null;
	stderr = null;
	int status = cli_parse(argc, argv, cli);
	stdout = out;
	stderr = err;
	fclose(null);
	return status;
}

static void parses_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
		char *argv[WORDS_MAX + 1] = {strdup("mox")};
		struct cli cli;
		int argc = 1;
		for (; argc <= WORDS_MAX && parse_cases[i].words[argc - 1] != NULL; argc++)
			argv[argc] = strdup(parse_cases[i].words[argc - 1]);
		print_message(
			"case %zu: %s %s\n", i, argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
		assert_int_equal(parse_quietly(argc, argv, &cli), parse_cases[i].status);
		if (parse_cases[i].command != NULL) {
			assert_string_equal(cli.command->name, parse_cases[i].command);
			assert_int_equal(cli.arg_count, parse_cases[i].args);
		}
		for (int k = 0; k < argc; k++)
			free(argv[k]);
	}
}

static void gives_the_last_of_an_option(void **state)
{
	char mox[] = "mox", queue[] = "queue", list[] = "list", to[] = "-to", a[] = "a.example",
	     b[] = "-to=b.example";
	char *argv[] = {mox, queue, list, to, a, b, NULL};
	struct cli cli;

	(void)state;
	assert_int_equal(parse_quietly(6, argv, &cli), CLI_RUN);
	assert_string_equal(cli_option(&cli, "to"), "b.example");
	assert_null(cli_option(&cli, "text"));
}

static void refuses_more_than_its_caps(void **state)
{
	static char words[CLI_ARGS_MAX + 16][8];
	static char *argv[CLI_ARGS_MAX + 17];
	struct cli cli;
	int argc = 0;

	(void)state;
	for (int i = 0; i < CLI_ARGS_MAX + 16; i++) {
		snprintf(words[i], sizeof(words[i]), "%s",
			i == 0   ? "mox"
			: i == 1 ? "config"
			: i == 2 ? "alias"
			: i == 3 ? "add"
				 : "a@b.c");
		argv[argc++] = words[i];
	}
	assert_int_equal(parse_quietly(argc, argv, &cli), CLI_USAGE);
	for (int i = 3; i < 60; i++)
		snprintf(words[i], sizeof(words[i]), "-json");
	snprintf(words[1], sizeof(words[1]), "queue");
	snprintf(words[2], sizeof(words[2]), "list");
	assert_int_equal(parse_quietly(60, argv, &cli), CLI_USAGE);
}

/* The table itself: names once, arguments that fit. */
static void table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		print_message("%s\n", c->name);
		assert_true(c->min_args <= c->max_args && c->max_args <= CLI_ARGS_MAX);
		assert_int_equal(c->max_args > 0 && strcmp(c->name, "help") != 0, c->args[0] != 0);
		for (size_t k = i + 1; k < cli_command_count; k++)
			assert_string_not_equal(c->name, cli_commands[k].name);
	}
}

static void shows_values_for_people(void **state)
{
	static const struct {
		const char *json, *word;
	} cases[] = {{"\"x\"", "x"}, {"\"\"", "-"}, {"12", "12"}, {"true", "yes"}, {"false", "no"},
		{"null", "-"}, {"[\"a\",\"b\"]", "a,b"}, {"[]", "-"},
		{"\"a\\u001b[1m\\nb\"", "a [1m b"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *v = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		char *word = cli_word(v);
		assert_string_equal(word, cases[i].word);
		free(word);
		json_decref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(parses_words),
		cmocka_unit_test(gives_the_last_of_an_option),
		cmocka_unit_test(refuses_more_than_its_caps), cmocka_unit_test(table_is_sound),
		cmocka_unit_test(shows_values_for_people)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
