#include "tests/unit/unit.h"

#include "base/mem.h"
#include "base/thread.h"
#include "control/control.h"
#include "store/directory.h"
#include "store/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A store with nothing in it, and control_serve on the other end of conn. */
struct fixture {
	char dir[64];
	struct control control;
	struct conn *conn, *served;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct fixture *f = arg;

	control_serve(&f->control, f->served);
	conn_shutdown(f->served);
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err;
	int fds[2];

	snprintf(f->dir, sizeof(f->dir), "/tmp/mox-control-XXXXXX");
	if (mkdtemp(f->dir) == NULL || store_open(f->dir, &f->control.store, &err) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	f->control.config = config_holder_new(config_new(f->dir, "mx.example.org"));
	f->conn = conn_open_fd(fds[0]);
	f->served = conn_open_fd(fds[1]);
	*state = f;
	return thread_spawn(&f->thread, "serve", serve, f, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	conn_shutdown(f->conn);
	pthread_join(f->thread, NULL);
	conn_close(&f->conn);
	conn_close(&f->served);
	store_close(&f->control.store);
	config_holder_free(&f->control.config);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	int rc = system(command);
	free(f);
	return rc;
}

static void raw_send(struct fixture *f, struct str text)
{
	struct deadline d = deadline_in_ms(5000);
	struct err err;

	assert_int_equal(conn_write(f->conn, text, d, &err), 0);
	assert_int_equal(conn_flush(f->conn, d, &err), 0);
}

static json_t *line_read(struct fixture *f)
{
	struct str line;
	struct err err;

	assert_true(
		conn_read_line(f->conn, CONTROL_ANSWER_MAX, deadline_in_ms(5000), &line, &err) > 0);
	return json_loadb(line.p, line.len, 0, NULL);
}

/* The last line; rows are counted, the last row kept. */
static json_t *ask(struct fixture *f, const char *request, size_t *rows, json_t **row)
{
	raw_send(f, str_from(request));
	raw_send(f, STR("\n"));
	*rows = 0;
	*row = NULL;
	for (;;) {
		json_t *line = line_read(f);
		assert_non_null(line);
		if (json_object_get(line, "row") == NULL)
			return line;
		json_decref(*row);
		*row = line;
		++*rows;
	}
}

static const struct {
	const char *request;
	const char *refused; /* part of the error; NULL: ok */
	int rows;            /* -1: any */
} dialogue[] = {
	{"{\"verb\":\"domain.list\"}", NULL, 0},
	{"{\"verb\":\"account.add\",\"name\":\"anna\"}", NULL, 0},
	{"{\"verb\":\"account.list\"}", NULL, 1},
	{"{\"verb\":\"domain.add\",\"name\":\"in.example\"}", NULL, 0},
	{"{\"verb\":\"domain.add\",\"name\":\"in.example\"}", "in.example", 0},
	{"{\"verb\":\"domain.add\"}", "name is missing", 0},
	{"{\"verb\":\"domain.add\",\"name\":\"o.example\",\"tls\":\"some\"}", "some", 0},
	{"{\"verb\":\"domain.set\",\"name\":\"o.example\"}", "o.example", 0},
	{"{\"verb\":\"domain.set\",\"name\":\"in.example\",\"description\":\"x\"}", NULL, 0},
	{"{\"verb\":\"address.add\",\"address\":\"a@in.example\",\"account\":"
	 "\"anna\"}",
		NULL, 0},
	{"{\"verb\":\"address.add\",\"address\":\"a@in.example\",\"account\":"
	 "\"anna\"}",
		"exists", 0},
	{"{\"verb\":\"address.add\",\"address\":\"@in.example\",\"account\":"
	 "\"anna\"}",
		NULL, 0},
	{"{\"verb\":\"address.add\",\"address\":\"b@in.example\",\"account\":"
	 "\"bob\"}",
		"bob", 0},
	{"{\"verb\":\"address.add\",\"address\":\"b@no.example\",\"account\":"
	 "\"anna\"}",
		"no.example", 0},
	{"{\"verb\":\"alias.add\",\"address\":\"l@in.example\",\"members\":[]}", "members", 0},
	{"{\"verb\":\"alias.add\",\"address\":\"l@in.example\",\"members\":[1]}", "members", 0},
	{"{\"verb\":\"alias.add\",\"address\":\"l@in.example\",\"members\":[\"a@in."
	 "example\"]}",
		NULL, 0},
	{"{\"verb\":\"address.list\"}", NULL, 2},
	{"{\"verb\":\"alias.list\"}", NULL, 1},
	{"{\"verb\":\"account.rm\",\"name\":\"anna\"}", "", 0},
	{"{\"verb\":\"address.rm\",\"address\":\"A@IN.example\"}", NULL, 0},
	{"{\"verb\":\"address.rm\",\"address\":\"a@in.example\"}", "no address", 0},
	{"{\"verb\":\"domain.rm\",\"name\":\"in.example\"}", NULL, 0},
	{"{\"verb\":\"address.list\"}", NULL, 0},
	{"{\"verb\":\"account.rm\",\"name\":\"anna\"}", NULL, 0},
	{"{\"verb\":\"transport.add\",\"name\":\"isp\",\"relay\":\"h.example:25\"}", NULL, 0},
	{"{\"verb\":\"route.add\",\"transport\":\"none\"}", "none", 0},
	{"{\"verb\":\"route.add\",\"transport\":\"isp\",\"min_attempts\":\"x\"}", "min_attempts",
		0},
	{"{\"verb\":\"route.add\",\"transport\":\"isp\",\"to\":\".org\",\"min_"
	 "attempts\":\"2\"}",
		NULL, 0},
	{"{\"verb\":\"route.add\",\"transport\":\"direct\"}", NULL, 0},
	{"{\"verb\":\"route.list\"}", NULL, 2},
	{"{\"verb\":\"network.add\",\"network\":\"192.0.2.0/24\"}", NULL, 0},
	{"{\"verb\":\"network.rm\",\"network\":\"192.0.2.0/25\"}", "not listed", 0},
	{"{\"verb\":\"network.rm\",\"network\":\"192.0.2.0/24\"}", NULL, 0},
	{"{\"verb\":\"queue.list\",\"state\":\"lost\"}", "lost", 0},
	{"{\"verb\":\"queue.list\",\"limit\":0}", "limit", 0},
	{"{\"verb\":\"queue.get\",\"id\":\"zzz!\"}", "zzz!", 0},
	{"{\"verb\":\"queue.drop\"}", "needs", 0},
	{"{\"verb\":\"adminpassword\",\"password\":\"\"}", "password", 0},
	{"{\"verb\":\"nonsense\"}", "nonsense", 0},
	{"{}", "unknown verb", 0},
};

static void answers_in_turn(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(dialogue) / sizeof(dialogue[0]); i++) {
		size_t rows;
		json_t *row, *last = ask(f, dialogue[i].request, &rows, &row);
		const char *error = json_string_value(json_object_get(last, "error"));
		print_message("%s -> %s\n", dialogue[i].request, error ? error : "ok");
		assert_int_equal(
			json_is_true(json_object_get(last, "ok")), dialogue[i].refused == NULL);
		if (dialogue[i].refused != NULL) {
			assert_non_null(strstr(error, dialogue[i].refused));
			assert_null(strchr(error, '\n'));
		}
		assert_int_equal(rows, dialogue[i].rows);
		json_decref(row);
		json_decref(last);
	}
}

static int64_t message_add(struct fixture *f, struct str body)
{
	struct store_rcpt_new rcpt = {.address = STR("x@o.example"), .dest = STR("o.example")};
	struct store_msg_new msg = {.session = STR("s1"),
		.mail_from = STR("a\xff@b.example"),
		.prefix = STR("Received: here\r\n"),
		.body = body,
		.rcpts = &rcpt,
		.rcpt_count = 1,
		.hold = true};
	struct err err;
	int64_t id = 0;

	assert_int_equal(store_msg_add(f->control.store, &msg, &id, &err), 0);
	return id;
}

/* Senders may be anything but JSON may not. */
static void lists_and_drops_messages(void **state)
{
	struct fixture *f = *state;
	char request[128], id[STORE_ID_TEXT];
	size_t rows;
	json_t *row, *last;

	store_id_text(message_add(f, STR("body\r\n")), id);
	(void)message_add(f, STR("other\r\n"));
	last = ask(f, "{\"verb\":\"queue.list\",\"limit\":1}", &rows, &row);
	assert_int_equal(rows, 1);
	assert_true(json_is_true(json_object_get(last, "more")));
	json_t *r = json_object_get(row, "row");
	assert_string_equal(json_string_value(json_object_get(r, "id")), id);
	assert_string_equal(json_string_value(json_object_get(r, "state")), "held");
	assert_string_equal(
		json_string_value(json_object_get(r, "from")), "a\xef\xbf\xbd@b.example");
	json_decref(row);
	json_decref(last);

	snprintf(request, sizeof(request), "{\"verb\":\"queue.dump\",\"id\":\"%s\"}", id);
	last = ask(f, request, &rows, &row);
	assert_true(rows > 0 && json_is_true(json_object_get(last, "ok")));
	json_decref(row);
	json_decref(last);

	last = ask(f, "{\"verb\":\"queue.drop\",\"to\":\"o.example\"}", &rows, &row);
	assert_int_equal(json_integer_value(json_object_get(last, "changed")), 2);
	json_decref(last);
	last = ask(f, "{\"verb\":\"queue.summary\"}", &rows, &row);
	assert_int_equal(json_integer_value(json_object_get(last, "messages")), 0);
	assert_int_equal(rows, 0);
	json_decref(last);
}

static const char transports_conf[] = "Transports:\n"
				      "\tisp:\n"
				      "\t\tSubmission:\n"
				      "\t\t\tHost: h.example\n";
static const char domains_conf[] = "Domains:\n"
				   "\tin.example:\n"
				   "\t\tLocalpartCatchallSeparator: +\n"
				   "\t\tDKIM:\n"
				   "\t\t\tSign:\n"
				   "\t\t\t\t- a\n"
				   "\t\tAliases:\n"
				   "\t\t\tteam:\n"
				   "\t\t\t\tAddresses:\n"
				   "\t\t\t\t\t- anna@in.example\n"
				   "Accounts:\n"
				   "\tanna:\n"
				   "\t\tDomain: in.example\n"
				   "\t\tDestinations:\n"
				   "\t\t\tanna@in.example: nil\n"
				   "\t\t\t@in.example: nil\n"
				   "Routes:\n"
				   "\t-\n"
				   "\t\tToDomain:\n"
				   "\t\t\t- a.example\n"
				   "\t\t\t- b.example\n"
				   "\t\tTransport: isp\n";

static json_t *import(struct fixture *f, const char *text, size_t *rows)
{
	json_t *row, *request = control_request("config.import", NULL);

	json_object_set_new(
		request, "files", json_pack("[{s:s, s:s}]", "name", "x.conf", "text", text));
	char *line = json_dumps(request, JSON_COMPACT);
	json_t *last = ask(f, line, rows, &row);

	json_decref(row);
	json_decref(request);
	free(line);
	return last;
}

static void figure_is(const json_t *last, const char *key, int value)
{
	print_message("%s\n", key);
	assert_int_equal(json_integer_value(json_object_get(last, key)), value);
}

static void imports_twice(void **state)
{
	struct fixture *f = *state;
	size_t rows;
	json_t *last = import(f, transports_conf, &rows);

	figure_is(last, "added", 1);
	json_decref(last);
	last = import(f, domains_conf, &rows);
	figure_is(last, "added", 7); /* domain, account, 2 addresses, alias, 2 routes */
	figure_is(last, "exists", 0);
	assert_true(rows > 7); /* the DKIM section names a selector that is not there */
	json_decref(last);
	last = import(f, domains_conf, &rows);
	figure_is(last, "added", 0);
	figure_is(last, "exists", 7);
	json_decref(last);
	last = import(f, "Domains:\n  bad\n", &rows);
	assert_true(json_is_false(json_object_get(last, "ok")));
	json_decref(last);
}

static void hangs_up_on_nonsense(void **state)
{
	struct fixture *f = *state;
	struct str line;
	struct err err;

	raw_send(f, STR("GET / HTTP/1.0\r\n"));
	json_t *last = line_read(f);
	assert_true(json_is_false(json_object_get(last, "ok")));
	json_decref(last);
	assert_int_equal(conn_read_line(f->conn, 100, deadline_in_ms(5000), &line, &err), 0);
}

static void caps_a_request(void **state)
{
	struct fixture *f = *state;
	size_t size = CONTROL_REQUEST_MAX + 100;
	char *big = mem_alloc(size);
	struct deadline d = deadline_in_ms(10000);
	struct err err;
	struct str line;

	memset(big, 'x', size);
	/* The other end may hang up in the middle. */
	int rc = conn_write(f->conn, (struct str){big, size}, d, &err);
	if (rc == 0)
		rc = conn_flush(f->conn, d, &err);
	free(big);
	rc = conn_read_line(f->conn, 1000, d, &line, &err);
	if (rc > 0)
		assert_non_null(strstr(line.p, "\"ok\":false"));
	else
		assert_true(rc <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_in_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_and_drops_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(imports_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(hangs_up_on_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(caps_a_request, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
