/* cmd_hold - hold rules, ways chosen by hand, and which way mail would go. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <stdio.h>
#include <string.h>

static bool wants_json(const struct cli *cli)
{
	return cli_option(cli, "json") != NULL;
}

/* Sends the request (taken over) and prints its rows; *last is the caller's. */
static int rows_print(const struct cli *cli, json_t *request, struct cli_table *t, const char *none,
	json_t **last, struct err *err)
{
	struct cli_client *c;
	json_t *line = NULL;
	int rc;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	rc = cli_client_send(c, request, err);
	while (rc >= 0 && (rc = cli_client_next(c, &line, err)) == 1) {
		cli_table_row(t, line);
		json_decref(line);
	}
	cli_client_close(&c);
	if (rc < 0)
		return -1;
	cli_table_end(t, none);
	*last = line;
	return 0;
}

static int changed_print(const struct cli *cli, json_t *request, const char *what, struct err *err)
{
	struct cli_client *c;
	json_t *last = NULL;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	int rc = cli_client_call(c, request, &last, err);
	cli_client_close(&c);
	if (rc < 0)
		return -1;
	json_int_t n = json_integer_value(json_object_get(last, "changed"));
	const json_t *id = json_object_get(last, "id");
	json_object_del(last, "ok");
	if (wants_json(cli))
		cli_object_print(last, true);
	else if (id != NULL)
		printf("rule %lld, %lld recipient%s %s\n", (long long)json_integer_value(id),
			(long long)n, n == 1 ? "" : "s", what);
	else
		printf("%lld recipient%s %s\n", (long long)n, n == 1 ? "" : "s", what);
	json_decref(last);
	return 0;
}

int cmd_queue_transport(const struct cli *cli, struct err *err)
{
	const char *all = cli_option(cli, "all"), *kick = cli_option(cli, "kick");
	const char *id = cli->arg_count > 1 ? cli->args[1] : NULL;
	json_t *request = control_request("queue.transport", "transport", cli->args[0], "id", id,
		"all", all ? "yes" : NULL, "kick", kick ? "yes" : NULL, NULL);
	size_t filters = cmd_queue_filter(cli, request);

	if ((id != NULL) + (all != NULL) + (filters > 0) != 1) {
		json_decref(request);
		fprintf(stderr,
			"mox %s: needs one of ID, -all, or what selects (-to DOMAIN, ...)\n",
			cli->command->name);
		return CLI_USAGE;
	}
	return changed_print(cli, request, "changed", err);
}

int cmd_queue_route(const struct cli *cli, struct err *err)
{
	static const struct cli_column columns[] = {
		{"TO", "to", 28}, {"WAY", "words", 0}, {NULL, NULL, 0}};
	struct cli_table t = {.columns = columns, .json = wants_json(cli)};
	json_t *last = NULL;
	int rc = rows_print(cli,
		control_request("queue.route", "address", cli->args[0], "from",
			cli_option(cli, "from"), "attempt", cli_option(cli, "attempt"), NULL),
		&t, "nowhere", &last, err);
	json_int_t left = json_integer_value(json_object_get(last, "left_out"));

	if (rc == 0 && left > 0)
		fprintf(stderr, "and %lld members more\n", (long long)left);
	json_decref(last);
	return rc;
}

static int rules_list(const struct cli *cli, struct err *err)
{
	static const struct cli_column columns[] = {
		{"ID", "id", 6},
		{"ACCOUNT", "account", 16},
		{"FROM DOMAIN", "from_domain", 20},
		{"FROM", "from", 24},
		{"TO", "to", 20},
		{"COMMENT", "comment", 0},
		{NULL, NULL, 0},
	};
	struct cli_table t = {.columns = columns, .json = wants_json(cli)};
	json_t *last = NULL;
	int rc = rows_print(cli, control_request("queue.holdrules.list", NULL), &t,
		"there is no hold rule", &last, err);

	json_decref(last);
	return rc;
}

int cmd_queue_holdrules(const struct cli *cli, struct err *err)
{
	const char *apply = cli_option(cli, "apply") ? "yes" : NULL;
	const char *what = strrchr(cli->command->name, ' ') + 1;

	if (strcmp(what, "list") == 0)
		return rules_list(cli, err);
	if (strcmp(what, "remove") == 0)
		return changed_print(cli,
			control_request(
				"queue.holdrules.remove", "id", cli->args[0], "apply", apply, NULL),
			"released", err);
	return changed_print(cli,
		control_request("queue.holdrules.add", "account", cli_option(cli, "account"),
			"from", cli_option(cli, "from"), "from_domain",
			cli_option(cli, "from_domain"), "to", cli_option(cli, "to"), "comment",
			cli_option(cli, "comment"), "all", cli_option(cli, "all") ? "yes" : NULL,
			"apply", apply, NULL),
		"put on hold", err);
}
