/* cmd_log - where is my mail. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_column row_columns[] = {
	{"ID", "id", 8},
	{"TIME", "time", 20},
	{"RESULT", "result", 10},
	{"FROM", "from", 26},
	{"TO", "to", 26},
	{"SUBJECT OR REPLY", "what", 0},
	{NULL, NULL, 0},
};

static const struct cli_column event_columns[] = {
	{"TIME", "time", 20},
	{"EVENT", "event", 10},
	{"MS", "duration_ms", 6},
	{"TO", "to", 24},
	{"CODE", "code", 4},
	{"HOST", "mx", 24},
	{"ADDRESS", "ip", 15},
	{"TLS", "tls", 20},
	{"TEXT", "text", 0},
	{NULL, NULL, 0},
};

static bool wants_json(const struct cli *cli)
{
	return cli_option(cli, "json") != NULL;
}

static bool has_result(const json_t *row, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(row, "results"), i, item)
	{
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

/* Where it stands, in one word. */
static const char *standing(const json_t *row)
{
	static const char *const finals[] = {"rejected", "tempfailed", "quarantined"};
	json_int_t open = json_integer_value(json_object_get(row, "open"));

	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		if (has_result(row, finals[i]))
			return finals[i];
	}
	if (open > 0)
		return has_result(row, "deferred") ? "deferred" : "queued";
	if (has_result(row, "bounced"))
		return has_result(row, "delivered") ? "partly" : "bounced";
	return has_result(row, "delivered") ? "delivered" : "dropped";
}

/* Adds the members that only people see. */
static void row_people(json_t *row)
{
	json_int_t more = json_integer_value(json_object_get(row, "recipients")) - 1;
	const char *to = json_string_value(json_object_get(row, "to"));
	bool refused = has_result(row, "rejected") || has_result(row, "tempfailed");
	char text[600];

	json_object_set_new(row, "result", json_string(standing(row)));
	json_object_set(row, "what", json_object_get(row, refused ? "text" : "subject"));
	if (more > 0 && to != NULL &&
		snprintf(text, sizeof(text), "%.500s +%lld", to, (long long)more) > 0)
		json_object_set_new(row, "to", json_string(text));
}

static int list_print(const struct cli *cli, struct cli_client *c, uint64_t limit, struct err *err)
{
	struct cli_table t = {.columns = row_columns, .json = wants_json(cli)};
	json_t *line = NULL;
	json_int_t before = 0;
	bool more = true;

	while (more && t.rows < limit) {
		json_t *request = control_request("log.list", "address", cli_option(cli, "address"),
			"domain", cli_option(cli, "domain"), "session", cli_option(cli, "session"),
			"message_id", cli_option(cli, "message-id"), "ip", cli_option(cli, "ip"),
			"result", cli_option(cli, "result"), "since", cli_option(cli, "since"),
			"until", cli_option(cli, "until"), "text",
			cli->arg_count > 0 ? cli->args[0] : NULL, NULL);
		uint64_t left = limit - t.rows;
		json_object_set_new(request, "before", json_integer(before));
		json_object_set_new(
			request, "limit", json_integer(left > 500 ? 500 : (json_int_t)left));
		if (cli_client_send(c, request, err) < 0)
			return -1;
		int rc;
		while ((rc = cli_client_next(c, &line, err)) == 1) {
			if (!t.json)
				row_people(line);
			cli_table_row(&t, line);
			json_decref(line);
		}
		if (rc < 0)
			return -1;
		json_int_t next = json_integer_value(json_object_get(line, "next"));
		more = json_is_true(json_object_get(line, "more")) &&
		       (before == 0 || next < before);
		before = next;
		json_decref(line);
	}
	cli_table_end(&t, "nothing found");
	return 0;
}

int cmd_log(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	uint64_t limit = 50;
	const char *text = cli_option(cli, "n");

	if (text != NULL && (!str_to_u64(str_from(text), UINT32_MAX, &limit) || limit == 0))
		return err_set(err, ERR_PERM, "-n %s: not a number", text);
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = list_print(cli, c, limit, err);
	cli_client_close(&c);
	return rc;
}

/* ", word" of a member that a step need not have. */
static void member_print(const json_t *step, const char *key, const char *before)
{
	const json_t *value = json_object_get(step, key);
	char *word = value != NULL ? cli_word(value) : NULL;

	if (word != NULL)
		printf("%s%s", before, word);
	free(word);
}

/* A trace under what it belongs to: its sentence, then a line a step. */
static void trace_print(const json_t *trace)
{
	const json_t *step;
	size_t i;

	if (!json_is_object(trace))
		return;
	member_print(trace, "sentence", "  ");
	putchar('\n');
	json_array_foreach(json_object_get(trace, "steps"), i, step)
	{
		member_print(step, "title", "    ");
		member_print(step, "result", ": ");
		member_print(step, "text", ", ");
		putchar('\n');
	}
}

static void life_print(json_t *message, const json_t *events)
{
	struct cli_table t = {.columns = event_columns};
	const json_t *item;
	json_t *trace = json_incref(json_object_get(message, "trace"));
	size_t i;

	json_object_del(message, "trace");
	json_object_set_new(message, "result", json_string(standing(message)));
	cli_object_print(message, false);
	trace_print(trace);
	json_decref(trace);
	putchar('\n');
	json_array_foreach(events, i, item)
	{
		cli_table_row(&t, item);
		trace_print(json_object_get(item, "trace"));
	}
	cli_table_end(&t, "nothing happened to it since");
}

int cmd_log_show(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	json_t *events = json_array(), *line = NULL;
	int rc = cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err);

	if (rc == 0)
		rc = cli_client_send(c, control_request("log.get", "id", cli->args[0], NULL), err);
	while (rc == 0 && (rc = cli_client_next(c, &line, err)) == 1) {
		json_array_append_new(events, line);
		rc = 0;
		line = NULL;
	}
	if (rc == 0 && line != NULL) {
		json_object_del(line, "ok");
		json_object_set(line, "events", events);
		if (wants_json(cli)) {
			cli_object_print(line, true);
		} else {
			json_object_del(line, "events");
			life_print(line, events);
		}
	}
	json_decref(line);
	json_decref(events);
	cli_client_close(&c);
	return rc;
}

int cmd_log_keep(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	json_t *last = NULL;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = cli_client_call(c,
		control_request("log.keep", "days", cli->arg_count > 0 ? cli->args[0] : NULL, NULL),
		&last, err);
	if (rc == 0) {
		json_object_del(last, "ok");
		cli_object_print(last, wants_json(cli));
		json_decref(last);
	}
	cli_client_close(&c);
	return rc;
}
