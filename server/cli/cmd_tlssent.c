/* cmd_tlssent - TLS reports of ours: send now, what was sent, who gets none. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <stdio.h>

static const struct cli_column send_columns[] = {
	{"POLICY DOMAIN", "policy_domain", 30},
	{"DAY", "day", 10},
	{"RESULT", "result", 14},
	{"TEXT", "text", 0},
	{NULL, NULL, 0},
};

static const struct cli_column sent_columns[] = {
	{"ID", "id", 6},
	{"DAY", "day", 10},
	{"POLICY DOMAIN", "policy_domain", 30},
	{"GOOD", "successes", 6},
	{"BAD", "failures", 6},
	{"SENT", "sent", 20},
	{"REPORT", "report_id", 0},
	{NULL, NULL, 0},
};

static const struct cli_column suppress_columns[] = {
	{"ADDRESS", "address", 36},
	{"EXPIRES", "expires", 20},
	{"AUTOMATIC", "automatic", 9},
	{"REASON", "reason", 0},
	{NULL, NULL, 0},
};

static bool wants_json(const struct cli *cli)
{
	return cli_option(cli, "json") != NULL;
}

/* Prints the rows of one request. */
static int rows_print(const struct cli *cli, enum cli_peer peer, json_t *request,
	const struct cli_column *columns, const char *nothing, struct err *err)
{
	struct cli_table t = {.columns = columns, .json = wants_json(cli)};
	struct cli_client *c;
	json_t *line = NULL;
	int rc;

	if (cli_client_open(cli, peer, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	rc = cli_client_send(c, request, err);
	if (rc == 0) {
		while ((rc = cli_client_next(c, &line, err)) == 1) {
			cli_table_row(&t, line);
			json_decref(line);
		}
	}
	if (rc == 0)
		json_decref(line);
	cli_client_close(&c);
	if (rc == 0)
		cli_table_end(&t, nothing);
	return rc;
}

static int call_print(const struct cli *cli, json_t *request, json_t **last, struct err *err)
{
	struct cli_client *c;

	*last = NULL;
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	int rc = cli_client_call(c, request, last, err);
	cli_client_close(&c);
	return rc;
}

int cmd_tlsrpt_send(const struct cli *cli, struct err *err)
{
	return rows_print(cli, CLI_PEER_DAEMON,
		control_request("tlsrpt.send", "day", cli_option(cli, "day"), "policy_domain",
			cli_option(cli, "domain"), NULL),
		send_columns, "there is nothing to report", err);
}

int cmd_tlsrpt_sent_list(const struct cli *cli, struct err *err)
{
	return rows_print(cli, CLI_PEER_DAEMON_OR_STORE,
		control_request("tlsrpt.sent.list", "text", cli_option(cli, "text"), "before",
			cli_option(cli, "before"), "limit", cli_option(cli, "limit"), NULL),
		sent_columns, "no TLS report was sent", err);
}

static void sent_print(const json_t *last)
{
	const json_t *sent = json_object_get(last, "sent"), *to;
	size_t i;

	printf("report  %s\nsent    %s\nrecord  %s\n",
		json_string_value(json_object_get(sent, "report_id")),
		json_string_value(json_object_get(sent, "sent")),
		json_string_value(json_object_get(sent, "record")));
	json_array_foreach(json_object_get(sent, "to"), i, to)
	{
		printf("to      %s: %s %s\n", json_string_value(json_object_get(to, "address")),
			json_string_value(json_object_get(to, "state")),
			json_string_value(json_object_get(to, "text")));
	}
	printf("\n%s", json_string_value(json_object_get(last, "json")));
}

int cmd_tlsrpt_sent_show(const struct cli *cli, struct err *err)
{
	json_t *last;
	int rc = call_print(
		cli, control_request("tlsrpt.sent.get", "id", cli->args[0], NULL), &last, err);

	if (rc == 0 && wants_json(cli))
		cli_object_print(last, true);
	else if (rc == 0)
		sent_print(last);
	json_decref(last);
	return rc;
}

int cmd_tlsrpt_suppress_list(const struct cli *cli, struct err *err)
{
	return rows_print(cli, CLI_PEER_DAEMON_OR_STORE,
		control_request("tlsrpt.suppress.list", "limit", "1000", NULL), suppress_columns,
		"no destination is suppressed", err);
}

int cmd_tlsrpt_suppress_act(const struct cli *cli, struct err *err)
{
	bool add = strcmp(cli->command->name, "tlsrpt suppress add") == 0;
	json_t *last;
	int rc = call_print(cli,
		control_request(add ? "tlsrpt.suppress.put" : "tlsrpt.suppress.delete", "address",
			cli->args[0], "days", add ? cli_option(cli, "days") : NULL, "reason",
			add ? cli_option(cli, "reason") : NULL, NULL),
		&last, err);

	if (rc == 0 && wants_json(cli))
		cli_object_print(last, true);
	else if (rc == 0)
		puts(add ? "gets no reports" : "gets reports again");
	json_decref(last);
	return rc;
}
