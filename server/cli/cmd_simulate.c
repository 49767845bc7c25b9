/* cmd_simulate - what would happen to mail for an address now, asked of the daemon. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <stdio.h>
#include <string.h>

/* One answer: its rows as an array, and the last line; both the caller's. */
static int ask(struct cli_client *c, json_t *request, json_t **rows, json_t **last, struct err *err)
{
	json_t *line;
	int rc;

	*rows = json_array();
	*last = NULL;
	if (cli_client_send(c, request, err) < 0)
		return -1;
	while ((rc = cli_client_next(c, &line, err)) == 1)
		json_array_append_new(*rows, line);
	if (rc == 0)
		*last = line;
	return rc;
}

static const char *word(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void way_print(const json_t *way)
{
	printf("%s: %s\n", word(way, "to"), word(way, "words"));
	if (json_is_object(json_object_get(way, "trace")))
		cli_trace_print(json_object_get(way, "trace"));
	printf("%s\n", word(way, "text"));
}

static void all_print(const struct cli *cli, json_t *rows, json_t *last)
{
	json_t *way;
	size_t i;

	if (cli_option(cli, "json") != NULL) {
		json_object_del(last, "ok");
		json_object_set(last, "ways", rows);
		cli_object_print(last, true);
		return;
	}
	json_array_foreach(rows, i, way)
	{
		if (i > 0)
			puts("");
		way_print(way);
	}
	json_int_t left = json_integer_value(json_object_get(last, "left_out"));
	if (left > 0)
		printf("\nand %lld members more, which were not tried\n", (long long)left);
}

/* The way that is not delivered says why. */
static int verdict(json_t *rows, const json_t *last, struct err *err)
{
	json_t *way;
	size_t i;

	if (strcmp(word(last, "verdict"), "delivered") == 0)
		return CLI_OK;
	json_array_foreach(rows, i, way)
	{
		if (strcmp(word(way, "verdict"), "delivered") != 0)
			return err_set(err, ERR_PERM, "%.200s: %.600s", word(way, "to"),
				word(way, "text"));
	}
	return err_set(err, ERR_PERM, "it could not be tried");
}

int cmd_smtp_simulate(const struct cli *cli, struct err *err)
{
	json_t *rows = NULL, *last = NULL;
	struct cli_client *c;
	int rc;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	rc = ask(c,
		control_request("smtp.simulate", "address", cli->args[0], "from",
			cli_option(cli, "from"), "requiretls",
			cli_option(cli, "requiretls") ? "yes" : NULL, "tls_optional",
			cli_option(cli, "tlsoptional") ? "yes" : NULL, NULL),
		&rows, &last, err);
	while (rc == 0 && json_is_false(json_object_get(last, "done"))) {
		char id[32];
		snprintf(id, sizeof(id), "%lld",
			(long long)json_integer_value(json_object_get(last, "id")));
		json_decref(rows);
		json_decref(last);
		rc = ask(c, control_request("smtp.simulation", "id", id, NULL), &rows, &last, err);
	}
	cli_client_close(&c);
	if (rc == 0) {
		all_print(cli, rows, last);
		rc = verdict(rows, last, err);
	}
	json_decref(rows);
	json_decref(last);
	return rc;
}
