/* Between a TLS connection and libmicrohttpd's end of a loopback pair (design.md 4.11). */
#include "base/log.h"
#include "webui/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PUMP_SIZE = 16 * 1024, PUMP_IDLE_MS = 120 * 1000 };

struct side { /* one direction */
	char data[PUMP_SIZE];
	size_t at, len;
	bool ended;
};

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Moves what can be moved from the client inwards. False: the connection is over. */
static bool inward(struct conn *c, int fd, struct side *s)
{
	for (;;) {
		if (s->len == 0 && !s->ended) {
			ssize_t n = conn_recv(c, s->data, sizeof(s->data));
			if (n < 0)
				return would_block();
			s->at = 0;
			s->len = (size_t)n;
			s->ended = n == 0;
			if (s->ended)
				shutdown(fd, SHUT_WR);
		}
		if (s->len == 0)
			return true;
		ssize_t n = send(fd, s->data + s->at, s->len, MSG_NOSIGNAL);
		if (n < 0)
			return would_block();
		s->at += (size_t)n;
		s->len -= (size_t)n;
	}
}

/* The same outwards. A write that would block is repeated with the same octets, as TLS
 * wants it. */
static bool outward(struct conn *c, int fd, struct side *s)
{
	for (;;) {
		if (s->len == 0) {
			ssize_t n = recv(fd, s->data, sizeof(s->data), 0);
			if (n <= 0)
				return n < 0 && would_block();
			s->at = 0;
			s->len = (size_t)n;
		}
		ssize_t n = conn_send(c, s->data + s->at, s->len);
		if (n <= 0)
			return n < 0 && would_block();
		s->at += (size_t)n;
		s->len -= (size_t)n;
	}
}

void pump_run(struct conn *c, int fd)
{
	struct side in = {.len = 0}, out = {.len = 0};
	int outer = conn_fd(c);

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return;
	while (inward(c, fd, &in) && outward(c, fd, &out)) {
		struct pollfd p[2] = {{.fd = outer}, {.fd = fd, .events = POLLIN}};
		/* A side whose octets the other has not taken is not read. */
		if (in.len == 0 && !in.ended)
			p[0].events |= POLLIN;
		if (in.len > 0)
			p[1].events |= POLLOUT;
		if (out.len > 0) {
			p[0].events |= POLLOUT;
			p[1].events &= ~POLLIN;
		}
		int n = poll(p, 2, PUMP_IDLE_MS);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (in.ended && (p[0].revents & (POLLERR | POLLHUP)) != 0)
			return; /* nobody is left to take the answer */
	}
}
