#include "tests/unit/unit.h"

#include "base/mem.h"
#include "base/thread.h"
#include "daemon/listener.h"
#include "daemon/localserve.h"
#include "daemon/registry.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- registry --- */

static int tcp_pair(int fds[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (struct sockaddr *)&sa, len) < 0 || listen(l, 1) < 0 ||
		getsockname(l, (struct sockaddr *)&sa, &len) < 0 ||
		connect(fds[0], (struct sockaddr *)&sa, len) < 0)
		return -1;
	fds[1] = accept(l, NULL, NULL);
	close(l);
	return 0;
}

struct blocked {
	struct session_registry *registry;
	struct session_entry entry;
	int fd;
	ssize_t got;
	bool deaf; /* reads on after the end of input: only a full shutdown ends it */
};

static void *blocked_session(void *arg)
{
	struct blocked *b = arg;
	char c;

	b->got = recv(b->fd, &c, 1, 0);
	while (b->deaf && send(b->fd, "x", 1, MSG_NOSIGNAL) == 1)
		usleep(1000);
	session_registry_remove(b->registry, &b->entry);
	return NULL;
}

static int64_t drain_one(bool deaf, int64_t ms, int64_t *took_ms)
{
	struct session_registry *r = session_registry_new();
	struct blocked b = {.registry = r, .got = -2, .deaf = deaf};
	struct err err;
	pthread_t thread;
	int fds[2];

	assert_int_equal(tcp_pair(fds), 0);
	b.fd = fds[1];
	session_registry_add(r, &b.entry, b.fd);
	assert_int_equal(session_registry_count(r), 1);
	assert_int_equal(thread_spawn(&thread, "blocked", blocked_session, &b, &err), 0);
	int64_t start = clock_mono_ms();
	int64_t cut = session_registry_drain(r, 200, deadline_in_ms(ms));
	*took_ms = clock_mono_ms() - start;
	pthread_join(thread, NULL);
	assert_int_equal(b.got, 0);
	assert_int_equal(session_registry_count(r), 0);
	close(fds[0]);
	close(fds[1]);
	session_registry_free(&r);
	assert_null(r);
	return cut;
}

static void ends_quiet_sessions_early(void **state)
{
	int64_t took;

	(void)state;
	assert_int_equal(drain_one(false, 10000, &took), 0);
	assert_true(took < 5000);
}

static void ends_the_others_at_the_deadline(void **state)
{
	int64_t took;

	(void)state;
	assert_int_equal(drain_one(true, 800, &took), 1);
	assert_true(took >= 800 && took < 5000);
}

/* The number of a closed descriptor may be another connection's by now. */
static void spares_a_reused_descriptor(void **state)
{
	struct session_registry *r = session_registry_new();
	struct session_entry e;
	int old[2], fresh[2];
	char c;

	(void)state;
	assert_int_equal(tcp_pair(old), 0);
	assert_int_equal(tcp_pair(fresh), 0);
	session_registry_add(r, &e, old[1]);
	assert_int_equal(dup2(fresh[1], old[1]), old[1]);
	assert_int_equal(session_registry_drain(r, 1, deadline_in_ms(0)), 1);
	assert_int_equal(send(fresh[0], "a", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(old[1], &c, 1, 0), 1);
	session_registry_remove(r, &e);
	session_registry_free(&r);
	for (int i = 0; i < 2; i++) {
		close(old[i]);
		close(fresh[i]);
	}
}

/* --- listener --- */

struct served {
	atomic_int count;
	atomic_int path_ok;
	int hold_ms;
};

/* Plays webui: answers with one octet. */
static void serve(void *state, struct conn *conn, const struct listener_spec *spec)
{
	struct served *s = state;

	atomic_fetch_add(&s->count, 1);
	if (strcmp(spec->path, "/admin/") == 0 && spec->role == LISTENER_ADMIN_HTTP)
		atomic_fetch_add(&s->path_ok, 1);
	usleep((unsigned)s->hold_ms * 1000);
	(void)send(conn_fd(conn), "!", 1, MSG_NOSIGNAL);
	conn_close(&conn);
}

struct fixture {
	struct config_holder *config;
	struct listener_deps deps;
	struct served served;
	struct listener_spec spec;
};

static unsigned free_port(void)
{
	int fds[2];
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	assert_int_equal(tcp_pair(fds), 0);
	assert_int_equal(getsockname(fds[1], (struct sockaddr *)&sa, &len), 0);
	/* Closed by the server's side first it would wait in TIME_WAIT; SO_REUSEADDR
	 * copes. */
	close(fds[0]);
	close(fds[1]);
	return ntohs(sa.sin_port);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->config = config_holder_new(config_new("/nonexistent", "localhost"));
	f->deps = (struct listener_deps){.smtp = {.config = f->config},
		.registry = session_registry_new(),
		.http = {.state = &f->served, .serve = serve}};
	f->spec = (struct listener_spec){.name = "test",
		.role = LISTENER_ADMIN_HTTP,
		.port = free_port(),
		.path = "/admin/"};
	assert_true(ip_parse(STR("127.0.0.1"), &f->spec.ip));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(session_registry_drain(f->deps.registry, 1, deadline_in_ms(3000)), 0);
	session_registry_free(&f->deps.registry);
	config_holder_free(&f->config);
	free(f);
	return 0;
}

static struct conn *dial(const struct fixture *f)
{
	struct conn *c = NULL;
	struct err err;

	if (conn_dial(&f->spec.ip, f->spec.port, NULL, deadline_in_ms(5000), &c, &err) < 0)
		return NULL;
	return c;
}

static bool answered(struct conn *c)
{
	char answer = 0;
	bool ok = recv(conn_fd(c), &answer, 1, 0) == 1 && answer == '!';

	conn_close(&c);
	return ok;
}

static void serves_many_at_once(void **state)
{
	enum { AT_ONCE = 100 };
	struct fixture *f = *state;
	struct conn *conns[AT_ONCE];
	struct listener *l;
	struct health_listener health;
	struct err err;

	f->served.hold_ms = 50;
	assert_int_equal(listener_open(&f->spec, &l, &err), 0);
	assert_int_equal(listener_listen(l, &err), 0);
	assert_int_equal(listener_run(l, &f->deps, &err), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < AT_ONCE; i++)
			assert_non_null(conns[i] = dial(f));
		for (int i = 0; i < AT_ONCE; i++)
			assert_true(answered(conns[i]));
	}
	assert_int_equal(atomic_load(&f->served.path_ok), 3 * AT_ONCE);
	listener_health(l, &health);
	assert_int_equal(health.connections, 3 * AT_ONCE);
	assert_true(health.up);
	assert_string_equal(health.service, "admin-http");
	listener_close(&l);
	assert_null(l);
	assert_null(dial(f)); /* nobody listens any more */
}

static void lets_sessions_go_on_after_close(void **state)
{
	struct fixture *f = *state;
	struct listener *l;
	struct err err;

	f->served.hold_ms = 300;
	assert_int_equal(listener_open(&f->spec, &l, &err), 0);
	assert_int_equal(listener_listen(l, &err), 0);
	assert_int_equal(listener_run(l, &f->deps, &err), 0);
	struct conn *c = dial(f);
	assert_non_null(c);
	while (atomic_load(&f->served.count) == 0)
		usleep(1000);
	listener_close(&l);
	assert_true(session_registry_count(f->deps.registry) == 1);
	assert_true(answered(c));
}

static void names_the_port_in_use(void **state)
{
	struct fixture *f = *state;
	struct listener *first, *second;
	char port[32];
	struct err err;

	assert_int_equal(listener_open(&f->spec, &first, &err), 0);
	assert_int_equal(listener_listen(first, &err), 0);
	assert_int_equal(listener_open(&f->spec, &second, &err), -1);
	assert_null(second);
	snprintf(port, sizeof(port), "127.0.0.1 port %u", f->spec.port);
	assert_non_null(strstr(err.text, port));
	assert_non_null(strstr(err.text, "in use"));
	listener_close(&first);
	/* And free again at once. */
	assert_int_equal(listener_open(&f->spec, &first, &err), 0);
	listener_close(&first);
}

/* --- localserve --- */

static void localserve_stays_on_loopback(void **state)
{
	static const struct {
		const char *ip;
		bool ok;
	} cases[] = {{NULL, true}, {"127.0.0.1", true}, {"127.9.8.7", true}, {"::1", true},
		{"192.0.2.1", false}, {"0.0.0.0", false}, {"::", false}, {"localhost", false},
		{"127.0.0.1\n", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct localserve_options opt = {.dir = "/tmp/x", .ip = cases[i].ip};
		struct config *c;
		struct err err = {.text = ""};
		int rc = localserve_config(&opt, &c, &err);
		print_message("%s: %s\n", cases[i].ip ? cases[i].ip : "default", err.text);
		assert_int_equal(rc, cases[i].ok ? 0 : -1);
		if (!cases[i].ok)
			continue;
		assert_true(c->localserve && !c->hold);
		assert_string_equal(c->data_dir, "/tmp/x");
		assert_int_equal(c->listener_count, 1);
		assert_true(ip_is_loopback(&c->listeners[0].ips[0]));
		assert_int_equal(c->listeners[0].smtp.port, 1025);
		assert_int_equal(c->limits.connections_open[0], 0);
		config_release(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_quiet_sessions_early),
		cmocka_unit_test(ends_the_others_at_the_deadline),
		cmocka_unit_test(spares_a_reused_descriptor),
		cmocka_unit_test_setup_teardown(serves_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(lets_sessions_go_on_after_close, setup, teardown),
		cmocka_unit_test_setup_teardown(names_the_port_in_use, setup, teardown),
		cmocka_unit_test(localserve_stays_on_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
