/* cmd_daemon - the running daemon: status, reload, stop. And what this build is. */
#include "base/version.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STOP_WAIT_MS = 90 * 1000 };

static const struct cli_column listener_columns[] = {
	{"LISTENER", "listener", 16},
	{"SERVICE", "service", 14},
	{"ADDRESS", "address", 24},
	{"UP", "up", 4},
	{"CONNECTIONS", "connections", 0},
	{NULL, NULL, 0},
};

int cmd_version(const struct cli *cli, struct err *err)
{
	(void)err;
	printf(cli_option(cli, "json") ? "{\"version\":\"%s\"}\n" : "mox %s\n", version_text);
	return CLI_OK;
}

static int ask(const struct cli *cli, const char *verb, json_t **last, struct err *err)
{
	struct cli_client *c;

	if (cli_client_open(cli, CLI_PEER_DAEMON, &c, err) < 0)
		return -1;
	int rc = cli_client_call(c, control_request(verb, NULL), last, err);
	cli_client_close(&c);
	if (rc == 0)
		json_object_del(*last, "ok");
	return rc;
}

int cmd_status(const struct cli *cli, struct err *err)
{
	struct cli_table t = {.columns = listener_columns};
	bool json = cli_option(cli, "json") != NULL;
	json_t *last;

	if (ask(cli, "status", &last, err) < 0)
		return -1;
	cli_object_print(last, json);
	const json_t *listeners = json_object_get(last, "listeners"), *item;
	size_t i;
	if (!json) {
		putchar('\n');
		json_array_foreach(listeners, i, item) cli_table_row(&t, item);
	}
	json_decref(last);
	return 0;
}

int cmd_reload(const struct cli *cli, struct err *err)
{
	json_t *last;

	if (ask(cli, "reload", &last, err) < 0)
		return err_prefix(err, "not reloaded, the old configuration stays");
	json_decref(last);
	return 0;
}

/* Returns when the process has ended, whether or not its parent has noticed. */
int cmd_stop(const struct cli *cli, struct err *err)
{
	json_t *last;

	if (ask(cli, "stop", &last, err) < 0)
		return -1;
	pid_t pid = (pid_t)json_integer_value(json_object_get(last, "pid"));
	json_decref(last);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0
				      : err_set(err, ERR_TEMP, "process %d: %s", (int)pid,
						strerror(errno));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int rc = poll(&p, 1, STOP_WAIT_MS);
	close(fd);
	return rc == 1 ? 0 : err_set(err, ERR_TEMP, "process %d is still there", (int)pid);
}
