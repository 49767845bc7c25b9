#include "tests/unit/unit.h"

#include "base/conn.h"
#include "webui/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CPU_MS_MAX = 100 }; /* of a second: a loop that spins takes far more */

struct bench {
	int client, server; /* the outer ends */
	int inner;
	struct conn *conn;
	pthread_t thread;
};

static void *bench_run(void *arg)
{
	struct bench *b = arg;

	pump_run(b->conn, b->inner);
	close(b->inner);
	conn_close(&b->conn);
	return NULL;
}

static void bench_open(struct bench *b)
{
	int outer[2], inner[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, outer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, inner), 0);
	b->client = outer[0];
	b->server = inner[0];
	b->inner = inner[1];
	b->conn = conn_open_fd(outer[1]);
	assert_int_equal(fcntl(b->server, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&b->thread, NULL, bench_run, b), 0);
}

static int64_t cpu_ms(pthread_t thread)
{
	clockid_t clock;
	struct timespec ts;

	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&ts, NULL);
}

/* Writes until nobody takes any more for a while. */
static size_t fill(int fd)
{
	static char block[4096];
	size_t total = 0;

	for (int tries = 0; tries < 20; tries++) {
		for (ssize_t n; (n = send(fd, block, sizeof(block), MSG_NOSIGNAL)) > 0; tries = 0)
			total += (size_t)n;
		pause_ms(5);
	}
	return total;
}

static size_t drain(int fd)
{
	char block[4096];
	size_t total = 0;

	for (ssize_t n; (n = recv(fd, block, sizeof(block), 0)) > 0;)
		total += (size_t)n;
	return total;
}

/* A client that has said all and takes nothing, of an answer that is complete. */
static void sleeps_while_nobody_reads(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(shutdown(b.client, SHUT_WR), 0);
	size_t sent = fill(b.server);
	close(b.server);
	int64_t before = cpu_ms(b.thread);
	pause_ms(1000);
	assert_true(cpu_ms(b.thread) - before < CPU_MS_MAX);
	assert_int_equal(drain(b.client), sent);
	pthread_join(b.thread, NULL);
	close(b.client);
}

/* A client that sends more than is taken, and hangs up. */
static void sleeps_while_nobody_takes(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(fcntl(b.client, F_SETFL, O_NONBLOCK), 0);
	(void)fill(b.client);
	close(b.client);
	int64_t before = cpu_ms(b.thread);
	pause_ms(1000);
	assert_true(cpu_ms(b.thread) - before < CPU_MS_MAX);
	close(b.server);
	pthread_join(b.thread, NULL);
}

static void carries_both_ways_to_the_end(void **state)
{
	struct bench b;
	char text[16];

	(void)state;
	bench_open(&b);
	assert_int_equal(send(b.client, "ask", 3, 0), 3);
	assert_int_equal(shutdown(b.client, SHUT_WR), 0);
	assert_int_equal(fcntl(b.server, F_SETFL, 0), 0);
	assert_int_equal(recv(b.server, text, 3, MSG_WAITALL), 3);
	assert_memory_equal(text, "ask", 3);
	assert_int_equal(recv(b.server, text, 1, 0), 0);
	assert_int_equal(send(b.server, "answer", 6, 0), 6);
	close(b.server);
	assert_int_equal(drain(b.client), 6);
	pthread_join(b.thread, NULL);
	close(b.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_both_ways_to_the_end),
		cmocka_unit_test(sleeps_while_nobody_reads),
		cmocka_unit_test(sleeps_while_nobody_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
