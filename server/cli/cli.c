#include "cli/cli.h"

#include "base/mem.h"
#include "cli/commands.h"
#include "dns/dns.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char default_config[] = "/etc/mox/mox.conf", local_config[] = "mox.conf";

static const struct cli_flag common_flags[] = {
	{"config", "FILE", "mox.conf to use (else /etc/mox/mox.conf, else ./mox.conf)"},
	{"dir", "DIR", "data directory, instead of asking mox.conf for it"},
	{NULL, NULL, NULL},
};
static const struct cli_flag json_flag = {"json", NULL, "print JSON"};

/* --- usage --- */

static void flags_print(FILE *out, const struct cli_flag *flags)
{
	char left[64];

	for (; flags != NULL && flags->name != NULL; flags++) {
		snprintf(left, sizeof(left), "-%s%s%s", flags->name, flags->value ? " " : "",
			flags->value ? flags->value : "");
		fprintf(out, "  %-22s %s\n", left, flags->help);
	}
}

static void command_print(FILE *out, const struct cli_command *c)
{
	fprintf(out, "usage: mox %s%s%s%s\n\n%s\n\n", c->name, " [options]", c->args[0] ? " " : "",
		c->args, c->help);
	flags_print(out, c->flags);
	if (!c->no_common)
		flags_print(out, common_flags);
	fprintf(out, "  %-22s %s\n", "-json", "print JSON where data is printed");
	fprintf(out, "  %-22s %s\n", "-h", "this text");
}

static void all_print(FILE *out)
{
	char left[96];

	fprintf(out, "usage: mox COMMAND [options] [arguments]\n\n");
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		snprintf(left, sizeof(left), "%s %s", c->name, c->args);
		fprintf(out, "  %-42s %s\n", left, c->help);
	}
	fprintf(out, "\nmox COMMAND -h shows the options of a command; mox(8) tells more.\n");
}

int cli_help(const struct cli *cli, struct err *err)
{
	(void)cli;
	(void)err;
	all_print(stdout);
	return CLI_OK;
}

__attribute__((format(printf, 2, 3))) static int usage(
	const struct cli_command *c, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "mox%s%s: ", c ? " " : "", c ? c->name : "");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see mox %s%s\n", c ? c->name : "help", c ? " -h" : "");
	return CLI_USAGE;
}

/* --- which command --- */

/* How many words of argv are the command's name; 0: it is another. */
static int name_matches(const struct cli_command *c, int argc, char **argv)
{
	struct str rest = str_from(c->name), word;
	int n = 0;

	while (str_next(&rest, ' ', &word)) {
		if (n >= argc || !str_eq(word, str_from(argv[n])))
			return 0;
		n++;
	}
	return n;
}

static const struct cli_command *command_find(int argc, char **argv, int *words)
{
	const struct cli_command *best = NULL;

	*words = 0;
	for (size_t i = 0; i < cli_command_count; i++) {
		int n = name_matches(&cli_commands[i], argc, argv);
		if (n > *words) {
			*words = n;
			best = &cli_commands[i];
		}
	}
	return best;
}

/* "mox queue" or "mox config domain": the commands below it. Does not return 0 but when
 * there are some. */
static int group_print(FILE *out, const char *first, const char *second)
{
	char prefix[64], left[96];
	int found = 0;
	int n = snprintf(
		prefix, sizeof(prefix), "%s%s%s ", first, second ? " " : "", second ? second : "");

	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		if (n < 0 || strncmp(c->name, prefix, (size_t)n) != 0)
			continue;
		snprintf(left, sizeof(left), "mox %s %s", c->name, c->args);
		fprintf(out, "  %-46s %s\n", left, c->help);
		found++;
	}
	return found;
}

static int no_command(int argc, char **argv)
{
	const char *second = argc > 2 && argv[2][0] != '-' ? argv[2] : NULL;

	if (group_print(stderr, argv[1], second) > 0)
		return CLI_USAGE;
	if (second != NULL && group_print(stderr, argv[1], NULL) > 0)
		return usage(NULL, "there is no command \"%s %s\"", argv[1], second);
	return usage(NULL, "there is no command \"%s\"", argv[1]);
}

/* --- options --- */

static const struct cli_flag *flag_find(const struct cli_command *c, const char *name)
{
	const struct cli_flag *const lists[] = {c->flags, c->no_common ? NULL : common_flags};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct cli_flag *f = lists[i]; f != NULL && f->name != NULL; f++)
			if (strcmp(f->name, name) == 0)
				return f;
	return strcmp(name, json_flag.name) == 0 ? &json_flag : NULL;
}

/* argv[*at] is "-name", "--name", "-name=value"; takes the next word when it needs one. */
static int option_take(struct cli *cli, int argc, char **argv, int *at)
{
	const char *word = argv[*at] + (argv[*at][1] == '-' ? 2 : 1);
	const char *equals = strchr(word, '=');
	char name[32];

	if (!str_copy(name, sizeof(name),
		    (struct str){word, equals ? (size_t)(equals - word) : strlen(word)}))
		return usage(cli->command, "unknown option %s", argv[*at]);
	const struct cli_flag *f = flag_find(cli->command, name);
	if (f == NULL)
		return usage(cli->command, "unknown option %s", argv[*at]);
	if (cli->set_count == sizeof(cli->set) / sizeof(cli->set[0]))
		return usage(cli->command, "too many options");
	const char *value = equals ? equals + 1 : "";
	if (f->value == NULL && equals != NULL)
		return usage(cli->command, "-%s takes no value", f->name);
	if (f->value != NULL && equals == NULL) {
		if (*at + 1 >= argc)
			return usage(cli->command, "-%s needs %s", f->name, f->value);
		value = argv[++*at];
	}
	cli->set[cli->set_count].flag = f;
	cli->set[cli->set_count++].value = value;
	return CLI_OK;
}

/* "-" and "-.example" are arguments. */
static bool is_option(const char *word)
{
	return word[0] == '-' && (word[1] == '-' || ascii_is_alnum(word[1]));
}

static int words_take(struct cli *cli, int argc, char **argv, int at)
{
	bool only_args = false;

	for (; at < argc; at++) {
		const char *word = argv[at];
		if (!only_args && strcmp(word, "--") == 0) {
			only_args = true;
		} else if (!only_args && is_option(word)) {
			if (strcmp(word, "-h") == 0 || strcmp(word, "-help") == 0 ||
				strcmp(word, "--help") == 0) {
				command_print(stdout, cli->command);
				return CLI_OK;
			}
			if (option_take(cli, argc, argv, &at) != CLI_OK)
				return CLI_USAGE;
		} else {
			if (cli->arg_count == CLI_ARGS_MAX)
				return usage(cli->command, "too many arguments");
			cli->args[cli->arg_count++] = word;
		}
	}
	if (cli->arg_count < cli->command->min_args)
		return usage(cli->command, "needs %s", cli->command->args);
	if (cli->arg_count > cli->command->max_args)
		return usage(cli->command, "unexpected \"%s\"", cli->args[cli->command->max_args]);
	return CLI_RUN;
}

int cli_parse(int argc, char **argv, struct cli *out)
{
	int words;

	memset(out, 0, sizeof(*out));
	if (argc < 2) {
		all_print(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		all_print(stdout);
		return CLI_OK;
	}
	out->command = command_find(argc - 1, argv + 1, &words);
	if (out->command == NULL)
		return no_command(argc, argv);
	return words_take(out, argc, argv, 1 + words);
}

const char *cli_option(const struct cli *cli, const char *name)
{
	for (size_t i = cli->set_count; i-- > 0;)
		if (strcmp(cli->set[i].flag->name, name) == 0)
			return cli->set[i].value;
	return NULL;
}

int cli_failed(const struct err *err)
{
	fprintf(stderr, "mox: %s\n", err->text);
	return CLI_FAILED;
}

int cli_run(const struct cli *cli)
{
	struct err err;
	int rc = cli->command->run(cli, &err);

	if (rc < 0)
		return cli_failed(&err);
	if (fflush(stdout) != 0) {
		err_set(&err, ERR_TEMP, "standard output: cannot write");
		return cli_failed(&err);
	}
	return rc;
}

/* --- configuration --- */

static int config_path(const struct cli *cli, const char **path, struct err *err)
{
	*path = cli_option(cli, "config");
	if (*path != NULL)
		return 0;
	*path = default_config;
	if (access(default_config, F_OK) == 0)
		return 0;
	*path = local_config;
	if (access(local_config, F_OK) == 0)
		return 0;
	return err_set(err, ERR_PERM,
		"there is no %s and no ./%s; copy mox.conf.example there and edit it, or say "
		"-config FILE",
		default_config, local_config);
}

int cli_config_load(const struct cli *cli, struct config **out, struct err *err)
{
	const char *path;

	*out = NULL;
	if (config_path(cli, &path, err) < 0)
		return -1;
	if (access(path, F_OK) < 0)
		return err_set(err, ERR_PERM,
			"%s is not there; mox.conf.example shows what to write", path);
	return config_load(path, out, err);
}

int cli_config_find(const struct cli *cli, struct config **out, struct err *err)
{
	const char *dir = cli_option(cli, "dir");

	if (dir == NULL)
		return cli_config_load(cli, out, err);
	*out = config_new(dir, "localhost");
	(*out)->user = "";
	return 0;
}

int cli_dns_open(const struct cli *cli, struct dns **out, struct err *err)
{
	struct dns_options opt = {.trust_anchor_file = NULL};
	struct config *c = NULL;
	struct err none;

	bool chosen = cli_option(cli, "config") != NULL;
	if (cli_config_load(cli, &c, chosen ? err : &none) < 0 && chosen)
		return -1;
	if (c != NULL)
		opt = (struct dns_options){.trust_anchor_file = c->resolver.trust_anchor_file,
			.forward = c->resolver.forward,
			.forward_count = c->resolver.forward_count,
			.stub_zones = c->resolver.stub_zones,
			.stub_addrs = c->resolver.stub_addrs,
			.stub_count = c->resolver.stub_count};
	int rc = dns_open(&opt, out, err);
	config_release(c);
	return rc;
}
