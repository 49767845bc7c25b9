/* The admin pages over real HTTP on loopback, with a store of its own. */
#include "tests/unit/unit.h"

#include "base/thread.h"
#include "policy/admin.h"
#include "store/web.h"
#include "webui/webui.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024, SLOW_CLIENTS = 1000 };

struct world {
	char dir[64];
	struct gateway g;
	struct webui *ui;
	char answer[ANSWER_MAX];
};

static int start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = {.text = ""};

	assert_non_null(w);
	snprintf(w->dir, sizeof(w->dir), "/tmp/mox-web-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	if (store_open(w->dir, &w->g.store, &err) < 0)
		fail_msg("%s", err.text);
	w->g.config = config_holder_new(config_new(w->dir, "mx.example"));
	w->g.limits = smtp_limits_new();
	assert_int_equal(admin_password_set(w->g.store, STR("right password"), &err), 0);
	if (webui_start(&w->g, &w->ui, &err) < 0)
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	struct world *w = *state;
	char command[128];

	webui_stop(&w->ui);
	smtp_limits_free(&w->g.limits);
	config_holder_free(&w->g.config);
	store_close(&w->g.store);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

/* A connected TCP pair, one end of it given to the web server. */
static int client_open(struct world *w, bool https)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	int server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	close(listener);
	webui_serve(w->ui, conn_open_fd(server), WEBUI_ADMIN, "/admin/", https);
	return client;
}

/* Sends the request and reads the answer until the server closes. Gives its status. */
static int ask(struct world *w, bool https, const char *request)
{
	int fd = client_open(w, https), status = 0;
	size_t len = strlen(request), at = 0;

	/* Refused requests may be answered before all of it was taken. */
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, request + done, len - done, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	for (ssize_t n; at < ANSWER_MAX - 1; at += (size_t)n) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, 10000) != 1)
			break;
		n = read(fd, w->answer + at, ANSWER_MAX - 1 - at);
		if (n <= 0)
			break;
	}
	w->answer[at] = '\0';
	close(fd);
	if (sscanf(w->answer, "HTTP/1.1 %d", &status) != 1)
		return 0;
	return status;
}

static int get(struct world *w, bool https, const char *path, const char *cookie)
{
	char request[2048];

	snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: %s\r\n\r\n", path,
		cookie);
	return ask(w, https, request);
}

static int post(struct world *w, const char *path, const char *cookie, const char *form)
{
	char request[4096];

	snprintf(request, sizeof(request),
		"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: %s\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
		path, cookie, strlen(form), form);
	return ask(w, false, request);
}

/* What follows MARK in the last answer, up to one of the characters in END. */
static void cut(const struct world *w, const char *mark, const char *end, char out[200])
{
	const char *at = strstr(w->answer, mark);

	out[0] = '\0';
	if (at == NULL)
		return;
	at += strlen(mark);
	snprintf(out, 200, "%.*s", (int)strcspn(at, end), at);
}

/* Fetches the form and posts it with the password. */
static int log_in(
	struct world *w, const char *password, const char *more_cookies, char session[200])
{
	char token[200], cookie[500], form[500];

	assert_int_equal(get(w, false, "/admin/login", more_cookies), 200);
	cut(w, "mox-login=", ";", token);
	assert_int_equal(strlen(token), 64);
	snprintf(cookie, sizeof(cookie), "%s; mox-login=%s", more_cookies, token);
	snprintf(form, sizeof(form), "token=%s&password=%s", token, password);
	int status = post(w, "/admin/login", cookie, form);
	cut(w, "mox-session=", ";", session);
	return status;
}

static void logs_in_and_out(void **state)
{
	struct world *w = *state;
	char session[200], cookie[300], csrf[200], form[300];

	assert_int_equal(get(w, false, "/admin/networks", ""), 303);
	assert_non_null(strstr(w->answer, "Location: /admin/login?next=networks"));
	assert_int_equal(log_in(w, "right+password", "", session), 303);
	assert_int_equal(strlen(session), 64);
	assert_non_null(strstr(w->answer, "HttpOnly; SameSite=Strict"));
	snprintf(cookie, sizeof(cookie), "mox-session=%s", session);
	assert_int_equal(get(w, false, "/admin/networks", cookie), 200);
	cut(w, "name=\"csrf\" value=\"", "\"", csrf);
	assert_int_equal(strlen(csrf), 32);

	assert_int_equal(post(w, "/admin/networks/new", cookie, "cidr=10.0.0.0/8"), 403);
	assert_int_equal(post(w, "/admin/networks/new", cookie,
				 "cidr=10.0.0.0/8&csrf=00000000000000000000000000000000"),
		403);
	snprintf(form, sizeof(form), "cidr=10.0.0.0/8&csrf=%s", csrf);
	assert_int_equal(post(w, "/admin/networks/new", cookie, form), 303);
	snprintf(form, sizeof(form), "csrf=%s", csrf);
	assert_int_equal(post(w, "/admin/logout", cookie, form), 303);
	assert_int_equal(get(w, false, "/admin/networks", cookie), 303);
}

/* Session fixation: a token that somebody planted before does not become the session's. */
static void a_planted_token_stays_worthless(void **state)
{
	struct world *w = *state;
	char session[200], cookie[100] = "mox-session=";

	memset(cookie + strlen(cookie), 'a', 64);
	assert_int_equal(log_in(w, "right+password", cookie, session), 303);
	assert_string_not_equal(session, cookie + strlen("mox-session="));
	assert_int_equal(get(w, false, "/admin/networks", cookie), 303);
}

static void only_the_hash_of_a_token_is_stored(void **state)
{
	struct world *w = *state;
	struct store_web_session found;
	char session[200];
	struct err err;

	assert_int_equal(log_in(w, "right+password", "", session), 303);
	assert_int_equal(store_web_session_find(w->g.store, session, 0, &found, &err), 0);
}

static void wrong_passwords_wait_and_are_limited(void **state)
{
	struct world *w = *state;
	char session[200];
	int64_t before = clock_mono_ms();

	assert_int_equal(log_in(w, "wrong+password", "", session), 401);
	assert_string_equal(session, "");
	assert_true(clock_mono_ms() - before >= 1000);
	struct ip peer;
	assert_true(ip_parse(STR("127.0.0.1"), &peer));
	for (int i = 0; i < 20; i++)
		smtp_limits_auth_failed(w->g.limits, &peer, clock_mono_ms());
	assert_int_equal(log_in(w, "right+password", "", session), 429);
	assert_non_null(strstr(w->answer, "Retry-After: 60"));
}

static void login_form_cannot_be_posted_from_elsewhere(void **state)
{
	struct world *w = *state;

	assert_int_equal(post(w, "/admin/login", "", "password=right+password"), 403);
	assert_int_equal(
		post(w, "/admin/login", "mox-login=", "token=&password=right+password"), 403);
}

static void cookies_and_headers_of_https(void **state)
{
	struct world *w = *state;

	assert_int_equal(get(w, true, "/admin/login", ""), 200);
	assert_non_null(strstr(w->answer, "Set-Cookie: __Host-mox-login="));
	assert_non_null(strstr(w->answer, "; Path=/; "));
	assert_non_null(strstr(w->answer, "; Secure"));
	assert_non_null(strstr(w->answer, "Strict-Transport-Security: "));
	assert_int_equal(get(w, false, "/admin/login", ""), 200);
	assert_null(strstr(w->answer, "Strict-Transport-Security: "));
	assert_non_null(
		strstr(w->answer, "default-src 'none'; style-src 'self'; script-src 'self';"));
	assert_null(strstr(w->answer, "unsafe-"));
	assert_non_null(strstr(w->answer, "X-Content-Type-Options: nosniff"));
	assert_non_null(strstr(w->answer, "Cache-Control: no-store"));
}

static const struct {
	const char *request;
	int status;
} odd[] = {
	{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 303},
	{"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
	{"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
	{"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404},
	{"GET /admin/static/v/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		404},
	{"GET /admin/static/v/%2e%2e/templates/login.html HTTP/1.1\r\nHost: x\r\n"
	 "Connection: close\r\n\r\n",
		404},
	{"GET /admin/login?a=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400},
	{"GET /admin/login?a=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400},
	{"DELETE /admin/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405},
	{"POST /admin/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	 "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\na",
		415},
	{"POST /admin/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	 "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2000000\r\n\r\n",
		413},
	{"POST /admin/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	 "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=%",
		400},
	{"HEAD /admin/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
};

static void answers_odd_requests(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		print_message("case %zu: %.60s\n", i, odd[i].request);
		assert_int_equal(ask(w, false, odd[i].request), odd[i].status);
	}
}

static void slow_clients_do_not_stop_others(void **state)
{
	struct world *w = *state;
	int *fds = calloc(SLOW_CLIENTS, sizeof(*fds));
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Both ends of each are in this process: fewer where descriptors are scarce. */
	int count = limit.rlim_max < 2 * SLOW_CLIENTS + 100 ? (int)(limit.rlim_max - 100) / 2
							    : SLOW_CLIENTS;
	assert_in_range(count, 100, SLOW_CLIENTS);
	assert_non_null(fds);
	for (int i = 0; i < count; i++) {
		fds[i] = client_open(w, false);
		assert_int_equal(send(fds[i], "GET /admin/lo", 13, 0), 13);
	}
	int64_t before = clock_mono_ms();
	assert_int_equal(get(w, false, "/admin/login", ""), 200);
	assert_true(clock_mono_ms() - before < 1000);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
}

static void stops_with_clients_connected(void **state)
{
	struct world *w = *state;
	int idle = client_open(w, false), half = client_open(w, false);

	assert_int_equal(send(half, "GET ", 4, 0), 4);
	webui_stop(&w->ui);
	assert_null(w->ui);
	close(idle);
	close(half);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(logs_in_and_out, start, stop),
		cmocka_unit_test_setup_teardown(a_planted_token_stays_worthless, start, stop),
		cmocka_unit_test_setup_teardown(only_the_hash_of_a_token_is_stored, start, stop),
		cmocka_unit_test_setup_teardown(wrong_passwords_wait_and_are_limited, start, stop),
		cmocka_unit_test_setup_teardown(
			login_form_cannot_be_posted_from_elsewhere, start, stop),
		cmocka_unit_test_setup_teardown(cookies_and_headers_of_https, start, stop),
		cmocka_unit_test_setup_teardown(answers_odd_requests, start, stop),
		cmocka_unit_test_setup_teardown(slow_clients_do_not_stop_others, start, stop),
		cmocka_unit_test_setup_teardown(stops_with_clients_connected, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
