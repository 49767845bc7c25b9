/* cmd_config - mox.conf, and the directory of domains, accounts, addresses and ways out. */
#include "cli/commands.h"

#include "cli/print.h"
#include "config/sconf.h"
#include "control/certs.h"
#include "control/control.h"

#include <stdio.h>
#include <string.h>

int cmd_config_test(const struct cli *cli, struct err *err)
{
	struct config *c;

	if (cli_config_load(cli, &c, err) < 0)
		return -1;
	int rc = control_certs_check(c, err);
	if (rc == 0 && cli_option(cli, "json") != NULL) {
		json_t *warnings = json_array();
		for (size_t i = 0; i < c->warning_count; i++)
			json_array_append_new(warnings, json_string(c->warnings[i]));
		json_t *out = json_pack(
			"{s:b, s:s, s:o}", "ok", 1, "file", c->path, "warnings", warnings);
		cli_object_print(out, true);
		json_decref(out);
	} else if (rc == 0) {
		for (size_t i = 0; i < c->warning_count; i++)
			printf("warning: %s\n", c->warnings[i]);
		printf("%s: config OK\n", c->path);
	}
	config_release(c);
	return rc;
}

/* --- domains.conf --- */

enum { KEY_FILE_MAX = 64 * 1024 };

static const struct cli_column import_columns[] = {
	{"RESULT", "result", 8},
	{"WHAT", "what", 10},
	{"NAME", "name", 30},
	{"", "text", 0},
	{NULL, NULL, 0},
};

static int import_print(
	const struct cli *cli, struct cli_client *c, json_t *request, struct err *err)
{
	struct cli_table t = {.columns = import_columns, .json = cli_option(cli, "json") != NULL};
	json_t *line;
	int rc = cli_client_send(c, request, err);

	if (rc < 0)
		return -1;
	while ((rc = cli_client_next(c, &line, err)) == 1) {
		cli_table_row(&t, line);
		json_decref(line);
	}
	if (rc < 0)
		return -1;
	cli_table_end(&t, "nothing to import");
	json_decref(line);
	return 0;
}

/* PrivateKeyFile of every DKIM selector, relative to the directory of file. What cannot be read
 * is left out: the import says so. */
static json_t *keys_collect(struct arena *a, const char *file, struct str conf)
{
	const char *slash = strrchr(file, '/');
	int dir_len = slash ? (int)(slash - file) + 1 : 0;
	struct sconf_node *root;
	json_t *keys = json_object();
	struct err err;

	if (sconf_parse(a, conf, file, &root, &err) < 0)
		return keys;
	const struct sconf_node *domains = sconf_get(root, STR("Domains"));
	for (const struct sconf_node *d = domains ? domains->first : NULL; d; d = d->next) {
		const struct sconf_node *dkim = sconf_get(d, STR("DKIM"));
		const struct sconf_node *list = dkim ? sconf_get(dkim, STR("Selectors")) : NULL;
		for (const struct sconf_node *s = list ? list->first : NULL; s; s = s->next) {
			const struct sconf_node *path = sconf_get(s, STR("PrivateKeyFile"));
			struct str pem;
			if (path == NULL || path->kind != SCONF_VALUE)
				continue;
			const char *name = arena_printf(a, "%.*s%.*s",
				path->value.p[0] == '/' ? 0 : dir_len, file, STR_FMT(path->value));
			if (sconf_file_read(a, name, &pem, &err) == 0 && pem.len <= KEY_FILE_MAX)
				json_object_set_new(keys, arena_strdup(a, path->value),
					json_stringn(pem.p, pem.len));
		}
	}
	return keys;
}

static int file_add(json_t *files, struct arena *a, const char *name, struct err *err)
{
	struct str text;

	if (sconf_file_read(a, name, &text, err) < 0)
		return -1;
	if (text.len > CONTROL_REQUEST_MAX / 4)
		return err_set(err, ERR_PERM, "%s: over %d octets", name, CONTROL_REQUEST_MAX / 4);
	json_t *value = json_stringn(text.p, text.len);
	if (value == NULL)
		return err_set(err, ERR_PERM, "%s: not UTF-8", name);
	return json_array_append_new(files, json_pack("{s:s, s:o, s:o}", "name", name, "text",
						    value, "keys", keys_collect(a, name, text)));
}

int cmd_config_import(const struct cli *cli, struct err *err)
{
	struct arena *a = arena_open();
	struct cli_client *c = NULL;
	json_t *files = json_array();
	int rc = 0;

	/* Read before the client may become another user. */
	for (size_t i = 0; rc == 0 && i < cli->arg_count; i++)
		rc = file_add(files, a, cli->args[i], err);
	if (rc == 0)
		rc = cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err);
	if (rc == 0) {
		json_t *request = control_request("config.import", NULL);
		json_object_set(request, "files", files);
		rc = import_print(cli, c, request, err);
	}
	cli_client_close(&c);
	json_decref(files);
	arena_close(&a);
	return rc;
}

/* --- the directory --- */

static const struct cli_column domain_columns[] = {
	{"DOMAIN", "name", 28},
	{"DELIVERY", "delivery", 8},
	{"RECIPIENTS", "recipients", 10},
	{"HOSTS", "relay.hosts", 28},
	{"TLS", "relay.tls", 13},
	{"DISABLED", "disabled", 8},
	{"DESCRIPTION", "description", 0},
	{NULL, NULL, 0},
};
static const struct cli_column account_columns[] = {
	{"ACCOUNT", "name", 24},
	{"PASSWORD", "password", 8},
	{"DISABLED", "disabled", 8},
	{"FULL NAME", "full_name", 0},
	{NULL, NULL, 0},
};
static const struct cli_column address_columns[] = {
	{"ADDRESS", "address", 36},
	{"KIND", "kind", 8},
	{"ACCOUNT", "account", 20},
	{"HOSTS", "relay.hosts", 0},
	{NULL, NULL, 0},
};
static const struct cli_column alias_columns[] = {
	{"ALIAS", "address", 36},
	{"MEMBERS", "members", 0},
	{NULL, NULL, 0},
};
static const struct cli_column transport_columns[] = {
	{"TRANSPORT", "name", 24},
	{"HOSTS", "relay.hosts", 32},
	{"TLS", "relay.tls", 13},
	{"USER", "relay.username", 0},
	{NULL, NULL, 0},
};
static const struct cli_column route_columns[] = {
	{"ID", "id", 6},
	{"FROM", "from", 24},
	{"TO", "to", 24},
	{"ATTEMPTS", "min_attempts", 8},
	{"TRANSPORT", "transport", 0},
	{NULL, NULL, 0},
};
static const struct cli_column dkim_columns[] = {
	{"SELECTOR", "selector", 12},
	{"DOMAIN", "domain", 28},
	{"TYPE", "type", 8},
	{"BITS", "bits", 4},
	{"SIGNS", "sign", 5},
	{"CANONICALIZATION", "canonicalization", 0},
	{NULL, NULL, 0},
};
static const struct cli_column sealer_columns[] = {
	{"DOMAIN", "domain", 28},
	{"COMMENT", "comment", 0},
	{NULL, NULL, 0},
};
static const struct cli_column network_columns[] = {
	{"NETWORK", "network", 24},
	{"COMMENT", "comment", 0},
	{NULL, NULL, 0},
};

static const struct cli_column token_columns[] = {
	{"ID", "id", 6},
	{"NAME", "name", 32},
	{"READ ONLY", "read_only", 9},
	{"LAST USED", "used", 20},
	{"EXPIRES", "expires", 0},
	{NULL, NULL, 0},
};
static const struct cli_column list_columns[] = {
	{"LIST", "list", 5},
	{"VALUE", "value", 36},
	{"EXPIRES", "expires", 20},
	{"COMMENT", "comment", 0},
	{NULL, NULL, 0},
};
static const struct cli_column dnsbl_columns[] = {
	{"ZONE", "zone", 32},
	{"DISABLED", "disabled", 8},
	{"COMMENT", "comment", 0},
	{NULL, NULL, 0},
};

static const struct cli_column override_columns[] = {
	{"DOMAIN", "domain", 28},
	{"KIND", "kind", 10},
	{"UNTIL", "expires", 10},
	{"EXPIRED", "expired", 7},
	{"REASON", "reason", 0},
	{NULL, NULL, 0},
};

static const struct {
	const char *kind;
	const char *key; /* what the first argument is */
	const char *second;
	const struct cli_column *columns;
} kinds[] = {
	{"domain", "name", NULL, domain_columns},
	{"account", "name", NULL, account_columns},
	{"address", "address", "account", address_columns},
	{"alias", "address", NULL, alias_columns},
	{"transport", "name", NULL, transport_columns},
	{"route", NULL, NULL, route_columns}, /* add: its transport, rm: its id */
	{"network", "network", NULL, network_columns},
	{"tlsoverride", "domain", "kind", override_columns},
	{"dkim", "selector", "domain", dkim_columns},
	{"sealer", "domain", NULL, sealer_columns},
	{"token", "name", NULL, token_columns}, /* rm: its id */
	{"list", "value", "list", list_columns},
	{"dnsbl", "zone", NULL, dnsbl_columns},
};

static int list_print(
	const struct cli *cli, struct cli_client *c, json_t *request, size_t kind, struct err *err)
{
	struct cli_table t = {
		.columns = kinds[kind].columns, .json = cli_option(cli, "json") != NULL};
	json_t *line;
	int rc = cli_client_send(c, request, err);

	if (rc < 0)
		return -1;
	while ((rc = cli_client_next(c, &line, err)) == 1) {
		cli_table_row(&t, line);
		json_decref(line);
	}
	if (rc < 0)
		return -1;
	json_decref(line);
	cli_table_end(&t, "none");
	return 0;
}

/* "config alias add": verb "alias.add"; the arguments and options become members. */
static json_t *request_make(const struct cli *cli, size_t *kind, bool *list)
{
	const char *name = strchr(cli->command->name, ' ') + 1;
	const char *action = strchr(name, ' ') + 1;
	size_t kind_len = (size_t)(action - 1 - name);
	char verb[48];

	snprintf(verb, sizeof(verb), "%.*s.%s", (int)kind_len, name, action);
	*kind = 0;
	while (strlen(kinds[*kind].kind) != kind_len ||
		strncmp(kinds[*kind].kind, name, kind_len) != 0)
		(*kind)++;
	*list = strcmp(action, "list") == 0;
	json_t *request = control_request(verb, NULL);
	const char *key = kinds[*kind].key;
	bool add = strcmp(action, "add") == 0;
	if (key == NULL)
		key = add ? "transport" : "id";
	else if (strcmp(kinds[*kind].kind, "token") == 0 && !add)
		key = "id";
	else if (strcmp(action, "arc") == 0)
		key = "domain";
	if (cli->arg_count > 0)
		json_object_set_new(request, key, json_string(cli->args[0]));
	for (size_t i = 0; i < cli->set_count; i++)
		if (strcmp(cli->set[i].flag->name, "json") != 0)
			json_object_set_new(
				request, cli->set[i].flag->name, json_string(cli->set[i].value));
	return request;
}

/* What follows the first argument. */
static int rest_add(const struct cli *cli, json_t *request, size_t kind)
{
	json_t *members = json_array();

	if (cli->arg_count > 1 && kinds[kind].second != NULL)
		json_object_set_new(request, kinds[kind].second, json_string(cli->args[1]));
	for (size_t i = 1; i < cli->arg_count; i++)
		json_array_append_new(members, json_string(cli->args[i]));
	return json_object_set_new(request, "members", members);
}

/* -key names a file here; the daemon gets what is in it. */
static int key_add(const struct cli *cli, json_t *request, struct err *err)
{
	const char *file = cli_option(cli, "key");
	struct arena *a;
	struct str pem;

	if (file == NULL)
		return 0;
	a = arena_open();
	int rc = sconf_file_read(a, file, &pem, err);
	if (rc == 0 && (pem.len > KEY_FILE_MAX || json_object_set_new(request, "key",
							  json_stringn(pem.p, pem.len)) < 0))
		rc = err_set(err, ERR_PERM, "%s: not a key in PEM", file);
	arena_close(&a);
	return rc;
}

int cmd_directory(const struct cli *cli, struct err *err)
{
	struct cli_client *c;
	size_t kind;
	bool list;
	json_t *last = NULL, *request = request_make(cli, &kind, &list);

	(void)rest_add(cli, request, kind);
	if (key_add(cli, request, err) < 0) {
		json_decref(request);
		return -1;
	}
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0) {
		json_decref(request);
		return -1;
	}
	int rc = list ? list_print(cli, c, request, kind, err)
		      : cli_client_call(c, request, &last, err);
	/* "account add NAME ADDRESS": the address too. */
	if (rc == 0 && strcmp(cli->command->name, "config account add") == 0 && cli->arg_count == 2)
		rc = cli_client_call(c,
			control_request("address.add", "address", cli->args[1], "account",
				cli->args[0], NULL),
			NULL, err);
	if (rc == 0 && !list && cli_option(cli, "json") != NULL)
		cli_object_print(last, true);
	else if (rc == 0 && json_object_get(last, "token") != NULL)
		puts(json_string_value(json_object_get(last, "token")));
	json_decref(last);
	cli_client_close(&c);
	return rc;
}
