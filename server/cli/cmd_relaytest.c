/* cmd_relaytest - a relay host tried up to RCPT, printed step by step. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text != NULL ? text : "";
}

static void step_print(const json_t *row)
{
	const char *transcript = text_of(row, "transcript");

	printf("%-5s %s: %s (%lld ms)\n", text_of(row, "state"), text_of(row, "title"),
		text_of(row, "text"),
		(long long)json_integer_value(json_object_get(row, "took_ms")));
	for (const char *p = transcript; *p != '\0';) {
		size_t n = strcspn(p, "\n");
		printf("      %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
	fflush(stdout);
}

int cmd_config_relaytest(const struct cli *cli, struct err *err)
{
	static const char *const names[] = {"transport", "domain", "rcpt", "mail_from", "protocol",
		"tls", "username", "password"};
	bool json = cli_option(cli, "json") != NULL;
	json_t *request = control_request(
		"relay.test", "relay", cli->arg_count > 0 ? cli->args[0] : NULL, NULL);
	json_t *line = NULL, *rows = json_array();
	struct cli_client *c;
	int rc;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = cli_option(cli, names[i]);
		if (value != NULL)
			json_object_set_new(request, names[i], json_string(value));
	}
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		json_decref(rows);
		return -1;
	}
	rc = cli_client_send(c, request, err);
	while (rc >= 0 && (rc = cli_client_next(c, &line, err)) == 1) {
		if (!json)
			step_print(line);
		json_array_append_new(rows, line);
	}
	cli_client_close(&c);
	if (rc < 0) {
		json_decref(rows);
		return -1;
	}
	bool good = json_is_true(json_object_get(line, "good"));
	if (json) {
		json_object_del(line, "ok");
		json_object_set(line, "steps", rows);
		cli_object_print(line, true);
	} else {
		printf("%s\n", text_of(line, "verdict"));
	}
	if (!good)
		err_set(err, ERR_PERM, "%s", text_of(line, "verdict"));
	json_decref(line);
	json_decref(rows);
	return good ? 0 : -1;
}
