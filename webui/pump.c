/* Between a TLS connection and libmicrohttpd's end of a loopback pair (design.md 4.11). */
#include "base/log.h"
#include "webui/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PUMP_SIZE = 16 * 1024,
	PUMP_IDLE_MS = 120 * 1000,
	PUMP_IN_VAIN_MAX = 16, /* rounds that move nothing, before they become slow */
	PUMP_IN_VAIN_MS = 20
};

struct side { /* one direction */
	char data[PUMP_SIZE];
	size_t at, len;
	bool ended, moved;
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
			s->moved = true;
			if (s->ended)
				shutdown(fd, SHUT_WR);
		}
		if (s->len == 0)
			return true;
		ssize_t n = send(fd, s->data + s->at, s->len, MSG_NOSIGNAL);
		if (n < 0)
			return would_block();
		s->moved = true;
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
		s->moved = true;
		s->at += (size_t)n;
		s->len -= (size_t)n;
	}
}

/* What each side waits for. One that waits for nothing is left out: poll would tell at once,
 * and again and again, that its peer has hung up. */
static void interests(
	const struct side *in, const struct side *out, int outer, int fd, struct pollfd p[2])
{
	p[0] = (struct pollfd){.fd = outer};
	p[1] = (struct pollfd){.fd = fd};
	/* A side whose octets the other has not taken is not read. */
	if (in->len > 0)
		p[1].events |= POLLOUT;
	else if (!in->ended)
		p[0].events |= POLLIN;
	if (out->len > 0)
		p[0].events |= POLLOUT;
	else
		p[1].events |= POLLIN;
	/* While the answer is made, a client that is gone altogether is still of interest. */
	if (p[0].events == 0 && !in->ended)
		p[0].fd = -1;
	if (p[1].events == 0)
		p[1].fd = -1;
}

void pump_run(struct conn *c, int fd)
{
	struct side in = {.len = 0}, out = {.len = 0};
	int outer = conn_fd(c), in_vain = 0;

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return;
	while (inward(c, fd, &in) && outward(c, fd, &out)) {
		struct pollfd p[2];
		/* TLS may want to read before it writes, which poll knows nothing of. */
		in_vain = in.moved || out.moved ? 0 : in_vain + 1;
		in.moved = out.moved = false;
		if (in_vain > PUMP_IN_VAIN_MAX)
			(void)poll(NULL, 0, PUMP_IN_VAIN_MS);
		interests(&in, &out, outer, fd, p);
		int n = poll(p, 2, PUMP_IDLE_MS);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (in.ended && (p[0].revents & (POLLERR | POLLHUP)) != 0)
			return; /* nobody is left to take the answer */
	}
}
