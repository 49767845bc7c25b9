/* cmd_quarantine - what was kept back: list, release, delete, how long. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <stdio.h>
#include <string.h>

static const struct cli_column columns[] = {
	{"ID", "id", 12},
	{"AT", "at", 20},
	{"TO", "to", 28},
	{"FROM", "from", 28},
	{"WHY", "reason", 0},
	{NULL, NULL, 0},
};

int cmd_quarantine_list(const struct cli *cli, struct err *err)
{
	struct cli_table t = {.columns = columns, .json = cli_option(cli, "json") != NULL};
	struct cli_client *c = NULL;
	json_t *line;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = cli_client_send(c,
		control_request("quarantine.list", "domain", cli_option(cli, "domain"), "text",
			cli_option(cli, "text"), "limit", cli_option(cli, "limit"), NULL),
		err);
	while (rc >= 0 && (rc = cli_client_next(c, &line, err)) == 1) {
		cli_table_row(&t, line);
		json_decref(line);
	}
	if (rc == 0) {
		cli_table_end(&t, "nothing is in quarantine");
		json_decref(line);
	}
	cli_client_close(&c);
	return rc;
}

int cmd_quarantine_act(const struct cli *cli, struct err *err)
{
	const char *verb = strcmp(cli->command->name, "quarantine release") == 0
				   ? "quarantine.release"
				   : "quarantine.delete";
	json_t *request = control_request(verb, "id", cli->arg_count > 0 ? cli->args[0] : NULL,
		"all", cli_option(cli, "all") != NULL ? "yes" : NULL, "domain",
		cli_option(cli, "domain"), NULL);
	struct cli_client *c = NULL;
	json_t *last = NULL;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	int rc = cli_client_call(c, request, &last, err);
	if (rc == 0 && cli_option(cli, "json") != NULL)
		cli_object_print(last, true);
	else if (rc == 0)
		printf("%lld changed\n",
			(long long)json_integer_value(json_object_get(last, "changed")));
	json_decref(last);
	cli_client_close(&c);
	return rc;
}

int cmd_quarantine_keep(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	json_t *last = NULL;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = cli_client_call(c,
		control_request(
			"quarantine.keep", "days", cli->arg_count > 0 ? cli->args[0] : NULL, NULL),
		&last, err);
	if (rc == 0) {
		json_object_del(last, "ok");
		cli_object_print(last, cli_option(cli, "json") != NULL);
		json_decref(last);
	}
	cli_client_close(&c);
	return rc;
}
