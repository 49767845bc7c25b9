/* cli - the commands: one table, one file per topic, one way to read options.
 * Exit status: 0 success or a positive verdict, 1 failure or a negative verdict with one
 * line on stderr, 2 usage. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "config/config.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_RUN = -1 };

enum { CLI_ARGS_MAX = 1100 }; /* an alias may have 1000 members */

struct cli;
struct dns;

struct cli_flag {
	const char *name;  /* without its dash */
	const char *value; /* what it takes, for usage; NULL: nothing */
	const char *help;
};

struct cli_command {
	const char *name;                                   /* "config domain add" */
	const char *args;                                   /* "NAME [ACCOUNT]", for usage */
	const char *help;                                   /* one line */
	int (*run)(const struct cli *cli, struct err *err); /* enum above, or -1 with err;
							     * NULL: main.c runs it */
	const struct cli_flag *flags; /* its own; ends with a NULL name. May be NULL */
	unsigned min_args, max_args;
	bool no_common; /* without -config and -dir */
};

struct cli {
	const struct cli_command *command;
	const char *args[CLI_ARGS_MAX];
	size_t arg_count;
	struct {
		const struct cli_flag *flag;
		const char *value; /* "" for one without a value */
	} set[32];
	size_t set_count;
};

/* CLI_RUN: *out says what is to be done. Else the exit status: help or usage was printed. */
int cli_parse(int argc, char **argv, struct cli *out);
int cli_run(const struct cli *cli);
/* "mox: text" on stderr; returns CLI_FAILED. */
int cli_failed(const struct err *err);

/* The option's value, "" for one that takes none, NULL when it was not given. */
const char *cli_option(const struct cli *cli, const char *name);

/* -config FILE, or /etc/mox/mox.conf, or ./mox.conf. */
int cli_config_load(const struct cli *cli, struct config **out, struct err *err) MUST_USE;
/* As above, or a bare one when -dir DIR is given: for commands that only need to know
 * where the data is. */
int cli_config_find(const struct cli *cli, struct config **out, struct err *err) MUST_USE;
/* The resolver of mox.conf when there is one; the built-in default otherwise. */
int cli_dns_open(const struct cli *cli, struct dns **out, struct err *err) MUST_USE;

#endif
