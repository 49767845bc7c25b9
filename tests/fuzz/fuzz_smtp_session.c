/* Whole sessions: whatever a client sends, the server answers in whole lines and queues only
 * for the one address it hosts. */
#include "smtp/session.h"
#include "store/directory.h"
#include "store/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 32 * 1024, REPLIES_MAX = 150 * 1024 };

static struct store *store;
static struct smtp_deps deps;
static char dir[] = "/tmp/mox-fuzz-XXXXXX";

static void clean_up(void)
{
	char command[64];

	store_close(&store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		_exit(1);
}

static void set_up(void)
{
	struct err err;
	struct store_account account = {.name = STR("anna")};
	struct store_domain domain = {.name = STR("in.example"), .separator = STR("+")};

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	if (mkdtemp(dir) == NULL || store_open(dir, &store, &err) < 0 ||
		store_account_put(store, &account, &err) < 0 ||
		store_domain_put(store, &domain, &err) < 0)
		abort();
	struct store_address row = {.domain_id = domain.id,
		.localpart = STR("anna"),
		.kind = STORE_ADDRESS_MAILBOX,
		.account_id = account.id};
	if (store_address_put(store, &row, &err) < 0)
		abort();
	struct config *c = config_new(dir, "mx.example");
	c->hold = true;
	c->limits.unknown_rcpt_delay_ms = c->limits.slow_read_ms = 0;
	c->limits.slow_after = 0;
	c->limits.delivery_messages_min[0] = 0;
	for (int i = 0; i < 3; i++) {
		c->limits.delivery_messages_min[i] = c->limits.delivery_messages_day[i] = 0;
		c->limits.delivery_bytes_min[i] = c->limits.delivery_bytes_day[i] = 0;
		c->limits.auth_failures_min[i] = c->limits.auth_failures_day[i] = 0;
	}
	c->limits.read_timeout_ms = c->limits.write_timeout_ms = 2000;
	config_listener_add(c, "public");
	deps = (struct smtp_deps){
		.store = store, .config = config_holder_new(c), .limits = smtp_limits_new()};
	atexit(clean_up);
}

static void check_replies(struct str text)
{
	while (text.len > 0) {
		const char *lf = memchr(text.p, '\n', text.len);
		if (lf == NULL)
			abort();
		size_t n = (size_t)(lf - text.p);
		if (n < 5 || n > 511 || text.p[n - 1] != '\r' || !ascii_is_digit(text.p[0]) ||
			(text.p[3] != ' ' && text.p[3] != '-') ||
			memchr(text.p, '\r', n - 1) != NULL || memchr(text.p, '\0', n) != NULL)
			abort();
		text = str_skip(text, n + 1);
	}
}

static void check_queue(void)
{
	struct store_queue_filter filter = {.state = -1, .limit = 100};
	struct arena *a = arena_open();
	struct store_queue_row *rows;
	size_t count, changed;
	int64_t next;
	bool more;
	struct err err;

	if (store_queue_list(store, &filter, a, &rows, &count, &more, &next, &err) < 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(rows[i].dest, STR("in.example")))
			abort();
	}
	if (count > 0 && store_queue_act_all(store, STORE_QUEUE_DROP, &filter, &changed, &err) < 0)
		abort();
	arena_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char replies[REPLIES_MAX];
	struct smtp_session_options opt = {.deps = &deps, .listener = "public"};
	struct ip ip;
	int fds[2], room = 4 * REPLIES_MAX;

	if (store == NULL)
		set_up();
	if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	/* Replies that nobody reads meanwhile must fit, else the session waits for nothing. */
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (send(fds[1], data, size, 0) != (ssize_t)size && size > 0)
		abort();
	shutdown(fds[1], SHUT_WR);
	struct conn *c = conn_open_fd(fds[0]);
	if (!ip_parse(STR("192.0.2.7"), &ip))
		abort();
	conn_set_addresses(c, &ip, 25, &ip, 4711);
	smtp_session_run(c, &opt);
	size_t len = 0;
	for (ssize_t n; len < sizeof(replies) &&
			(n = recv(fds[1], replies + len, sizeof(replies) - len, 0)) > 0;)
		len += (size_t)n;
	close(fds[1]);
	if (len < sizeof(replies))
		check_replies((struct str){replies, len});
	check_queue();
	return 0;
}
