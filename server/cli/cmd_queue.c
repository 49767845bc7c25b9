/* cmd_queue - look at the queue, act on it. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_column rcpt_columns[] = {
	{"ID", "id", 10},
	{"STATE", "state", 9},
	{"RECEIVED", "received", 20},
	{"TRIES", "attempts", 5},
	{"NEXT", "next_attempt", 20},
	{"FROM", "from", 24},
	{"TO", "to", 24},
	{"LAST ERROR", "last_error", 0},
	{NULL, NULL, 0},
};

static const struct cli_column dest_columns[] = {
	{"DESTINATION", "destination", 32},
	{"QUEUED", "queued", 8},
	{"HELD", "held", 8},
	{"NEXT", "next_attempt", 0},
	{NULL, NULL, 0},
};

static const struct cli_column attempt_columns[] = {
	{"STARTED", "started", 20},
	{"MS", "duration_ms", 6},
	{"RESULT", "outcome", 9},
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

size_t cmd_queue_filter(const struct cli *cli, json_t *request)
{
	static const char *const names[] = {"to", "text", "from", "from_domain", "account", "error",
		"via", "state", "min_attempts", "max_attempts", "older", "newer"};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = cli_option(cli, names[i]);
		if (value == NULL)
			continue;
		json_object_set_new(request, names[i], json_string(value));
		n++;
	}
	return n;
}

/* Pages until the end, or until limit rows. */
static int list_print(const struct cli *cli, struct cli_client *c, uint64_t limit, struct err *err)
{
	struct cli_table t = {.columns = rcpt_columns, .json = wants_json(cli)};
	json_t *line = NULL;
	json_int_t after = 0, after_key = 0;
	bool more = true;

	while (more && t.rows < limit) {
		json_t *request = control_request("queue.list", "sort", cli_option(cli, "sort"),
			"descending", cli_option(cli, "desc") ? "yes" : NULL, NULL);
		(void)cmd_queue_filter(cli, request);
		json_object_set_new(request, "after", json_integer(after));
		json_object_set_new(request, "after_key", json_integer(after_key));
		if (cli_client_send(c, request, err) < 0)
			return -1;
		int rc;
		while ((rc = cli_client_next(c, &line, err)) == 1) {
			if (t.rows < limit)
				cli_table_row(&t, line);
			json_decref(line);
		}
		if (rc < 0)
			return -1;
		json_int_t next = json_integer_value(json_object_get(line, "next"));
		more = json_is_true(json_object_get(line, "more")) && next != after;
		after = next;
		after_key = json_integer_value(json_object_get(line, "next_key"));
		json_decref(line);
	}
	cli_table_end(&t, "the queue is empty");
	return 0;
}

int cmd_queue_list(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	uint64_t limit = UINT64_MAX;
	const char *text = cli_option(cli, "limit");

	if (text != NULL && (!str_to_u64(str_from(text), UINT32_MAX, &limit) || limit == 0))
		return err_set(err, ERR_PERM, "-limit %s: not a number", text);
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = list_print(cli, c, limit, err);
	cli_client_close(&c);
	return rc;
}

/* All rows into an array, then the last line. */
static int rows_read(struct cli_client *c, json_t *rows, json_t **last, struct err *err)
{
	json_t *line;
	int rc;

	while ((rc = cli_client_next(c, &line, err)) == 1)
		json_array_append_new(rows, line);
	if (rc == 0)
		*last = line;
	return rc;
}

static int summary_print(const struct cli *cli, struct cli_client *c, struct err *err)
{
	struct cli_table t = {.columns = dest_columns};
	json_t *rows = json_array(), *line = NULL;
	int rc = cli_client_send(c, control_request("queue.summary", NULL), err);

	if (rc == 0)
		rc = rows_read(c, rows, &line, err);
	if (rc == 0) {
		json_object_del(line, "ok");
		if (wants_json(cli))
			json_object_set(line, "destinations", rows);
		cli_object_print(line, wants_json(cli));
		for (size_t i = 0; !wants_json(cli) && i < json_array_size(rows); i++) {
			if (i == 0)
				putchar('\n');
			cli_table_row(&t, json_array_get(rows, i));
		}
	}
	json_decref(line);
	json_decref(rows);
	return rc;
}

int cmd_queue_summary(const struct cli *cli, struct err *err)
{
	struct cli_client *c;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = summary_print(cli, c, err);
	cli_client_close(&c);
	return rc;
}

static void message_print(const json_t *message, const json_t *rows, bool json)
{
	struct cli_table rcpts = {.columns = rcpt_columns}, tries = {.columns = attempt_columns};
	const json_t *attempts = json_object_get(message, "attempts"), *item;
	size_t i;

	cli_object_print(message, json);
	if (json)
		return;
	putchar('\n');
	json_array_foreach(rows, i, item) cli_table_row(&rcpts, item);
	putchar('\n');
	json_array_foreach(attempts, i, item) cli_table_row(&tries, item);
	cli_table_end(&tries, "no attempt was made yet");
}

int cmd_queue_show(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	json_t *rows = json_array(), *message = NULL;
	int rc = cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err);

	if (rc == 0)
		rc = cli_client_send(
			c, control_request("queue.get", "id", cli->args[0], NULL), err);
	if (rc == 0)
		rc = rows_read(c, rows, &message, err);
	if (rc == 0) {
		json_object_del(message, "ok");
		if (wants_json(cli))
			json_object_set(message, "recipients", rows);
		message_print(message, rows, wants_json(cli));
	}
	json_decref(message);
	json_decref(rows);
	cli_client_close(&c);
	return rc;
}

int cmd_queue_act(const struct cli *cli, struct err *err)
{
	const char *all = cli_option(cli, "all");
	const char *id = cli->arg_count > 0 ? cli->args[0] : NULL;
	struct cli_client *c;
	json_t *last = NULL;
	char verb[32];

	/* "queue kick" is the verb "queue.kick". */
	snprintf(verb, sizeof(verb), "queue.%s", strchr(cli->command->name, ' ') + 1);
	json_t *request = control_request(verb, "id", id, "all", all ? "yes" : NULL, NULL);
	size_t filters = cmd_queue_filter(cli, request);
	if ((id != NULL) + (all != NULL) + (filters > 0) != 1) {
		json_decref(request);
		fprintf(stderr,
			"mox %s: needs one of ID, -all, or what selects (-to DOMAIN, ...)\n",
			cli->command->name);
		return CLI_USAGE;
	}
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	int rc = cli_client_call(c, request, &last, err);
	cli_client_close(&c);
	if (rc < 0)
		return -1;
	json_int_t changed = json_integer_value(json_object_get(last, "changed"));
	bool present = json_is_true(json_object_get(last, "present"));
	json_object_del(last, "ok");
	if (wants_json(cli))
		cli_object_print(last, true);
	else
		printf("%lld recipient%s changed\n", (long long)changed, changed == 1 ? "" : "s");
	json_decref(last);
	if (changed == 0 && id != NULL)
		return err_set(err, ERR_PERM,
			present ? "%s is in the queue, but under delivery just now or so already"
				: "nothing in the queue has the id %s",
			id);
	return 0;
}

/* One base64 piece of the message to stdout. */
static int piece_write(const json_t *row, struct err *err)
{
	size_t len = json_string_length(row);
	const char *text = json_string_value(row);

	if (text == NULL || len == 0 || len % 4 != 0 || len > CONTROL_ANSWER_MAX)
		return err_set(err, ERR_PERM, "a piece of the message cannot be decoded");
	unsigned char *out = malloc(len);
	int n = out ? EVP_DecodeBlock(out, (const unsigned char *)text, (int)len) : -1;
	/* EVP_DecodeBlock counts the padding as zero octets. */
	size_t pad = (text[len - 1] == '=' ? 1U : 0U) + (text[len - 2] == '=' ? 1U : 0U);
	size_t real = n < 0 ? 0 : (size_t)n - pad;
	bool ok = n >= 0 && fwrite(out, 1, real, stdout) == real;
	free(out);
	return ok ? 0 : err_set(err, ERR_TEMP, "standard output: cannot write");
}

int cmd_queue_dump(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	json_t *line = NULL;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = cli_client_send(c, control_request("queue.dump", "id", cli->args[0], NULL), err);
	if (rc == 0)
		while ((rc = cli_client_next(c, &line, err)) == 1) {
			int written = piece_write(line, err);
			json_decref(line);
			line = NULL;
			if (written < 0) {
				rc = -1;
				break;
			}
		}
	json_decref(line);
	cli_client_close(&c);
	return rc;
}
