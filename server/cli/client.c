#include "cli/client.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/privileges.h"
#include "base/thread.h"
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A reload or a change of a long queue takes its time. */
enum { ANSWER_MS = 30 * 60 * 1000 };

struct cli_client {
	struct conn *conn;
	/* Without a daemon: the verbs run on a thread of ours. */
	bool local;
	pthread_t thread;
	struct conn *served;
	struct control control;
};

/* 1 connected, 0 nobody listens, -1. */
static int daemon_connect(const char *data_dir, struct conn **out, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/ctl", data_dir);

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(err, ERR_PERM, "data directory %s: the name is too long", data_dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, ERR_TEMP, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		*out = conn_open_fd(fd);
		return 1;
	}
	int why = errno;
	close(fd);
	if (why == ENOENT || why == ECONNREFUSED || why == ENOTDIR)
		return 0;
	return err_set(err, ERR_PERM, "control socket %s: %s", sa.sun_path, strerror(why));
}

static void *serve(void *arg)
{
	struct cli_client *c = arg;

	control_serve(&c->control, c->served);
	conn_shutdown(c->served);
	return NULL;
}

/* The store, opened as the user who owns it. Takes config over. */
static int store_serve(struct cli_client *c, struct config *config, struct err *err)
{
	int fds[2];

	c->control.config = config_holder_new(config);
	process_prepare();
	if (data_dir_prepare(config->data_dir, config->user, err) < 0 ||
		privileges_drop(config->user, err) < 0 ||
		store_open(config->data_dir, &c->control.store, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(err, ERR_TEMP, "socket pair: %s", strerror(errno));
	c->conn = conn_open_fd(fds[0]);
	c->served = conn_open_fd(fds[1]);
	if (thread_spawn(&c->thread, "control", serve, c, err) < 0)
		return -1;
	c->local = true;
	return 0;
}

int cli_client_open(
	const struct cli *cli, enum cli_peer peer, struct cli_client **out, struct err *err)
{
	struct cli_client *c;
	struct config *config;

	*out = NULL;
	if (cli_config_find(cli, &config, err) < 0)
		return -1;
	c = mem_alloc(sizeof(*c));
	int rc = daemon_connect(config->data_dir, &c->conn, err);
	if (rc == 0 && peer == CLI_PEER_DAEMON) {
		rc = err_set(err, ERR_PERM, "no daemon runs on %s", config->data_dir);
	} else if (rc == 0) {
		rc = store_serve(c, config, err);
		config = NULL;
	}
	config_release(config);
	if (rc < 0) {
		cli_client_close(&c);
		return -1;
	}
	*out = c;
	return 0;
}

void cli_client_close(struct cli_client **cp)
{
	struct cli_client *c = *cp;

	if (c == NULL)
		return;
	if (c->conn != NULL)
		conn_shutdown(c->conn);
	if (c->local)
		pthread_join(c->thread, NULL);
	conn_close(&c->conn);
	conn_close(&c->served);
	if (c->control.store != NULL)
		store_close(&c->control.store);
	if (c->control.config != NULL)
		config_holder_free(&c->control.config);
	free(c);
	*cp = NULL;
}

int cli_client_send(struct cli_client *c, json_t *request, struct err *err)
{
	if (control_answer(c->conn, request, err) < 0)
		return -1;
	return conn_flush(c->conn, deadline_in_ms(CONTROL_WRITE_MS), err);
}

int cli_client_next(struct cli_client *c, json_t **line, struct err *err)
{
	struct str text;

	*line = NULL;
	int rc = conn_read_line(c->conn, CONTROL_ANSWER_MAX, deadline_in_ms(ANSWER_MS), &text, err);
	if (rc == 0)
		return err_set(err, ERR_TEMP, "the daemon hung up");
	if (rc < 0)
		return -1;
	json_t *v = json_loadb(text.p, text.len, 0, NULL);
	if (json_object_get(v, "row") != NULL) {
		*line = json_incref(json_object_get(v, "row"));
		json_decref(v);
		return 1;
	}
	if (json_is_true(json_object_get(v, "ok"))) {
		*line = v;
		return 0;
	}
	const char *why = json_string_value(json_object_get(v, "error"));
	err_set(err, ERR_PERM, "%s", why ? why : "an answer that cannot be understood");
	json_decref(v);
	return -1;
}

int cli_client_call(struct cli_client *c, json_t *request, json_t **last, struct err *err)
{
	json_t *line;
	int rc = cli_client_send(c, request, err);

	if (rc < 0)
		return -1;
	while ((rc = cli_client_next(c, &line, err)) == 1)
		json_decref(line);
	if (rc < 0)
		return -1;
	if (last != NULL)
		*last = line;
	else
		json_decref(line);
	return 0;
}

char *cli_word(const json_t *value)
{
	struct buf b = {NULL, 0, 0};
	const json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_STRING:
		buf_raw(&b, (struct str){json_string_value(value), json_string_length(value)});
		break;
	case JSON_INTEGER:
		buf_printf(&b, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_TRUE:
		buf_text(&b, "yes");
		break;
	case JSON_FALSE:
		buf_text(&b, "no");
		break;
	case JSON_ARRAY:
		json_array_foreach(value, i, item)
		{
			char *word = cli_word(item);
			buf_printf(&b, "%s%s", i ? "," : "", word);
			free(word);
		}
		break;
	case JSON_OBJECT:
	case JSON_REAL:
	case JSON_NULL:
		break;
	}
	if (b.len == 0)
		buf_byte(&b, '-');
	for (size_t k = 0; k < b.len; k++) /* a terminal gets no controls of a stranger's */
		if ((unsigned char)b.p[k] < ' ' || b.p[k] == 0x7f)
			b.p[k] = ' ';
	return b.p;
}
