#include "base/conn.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	IN_FIRST = 1024, /* enough for command lines; bodies ask for more */
	OUT_MAX = 16 * 1024,
	OUT_KEEP = 1024
};

struct conn {
	int fd;
	struct conn_layer layer;
	char *in;
	size_t in_at, in_len, in_cap; /* unread input is in[in_at .. in_at + in_len) */
	struct buf out;
	int64_t recv_timeout_ms, send_timeout_ms; /* what the kernel was told */
	struct deadline raw_deadline;             /* of the call a layer serves */
	struct ip local, peer;
	unsigned local_port, peer_port;
	bool at_once; /* in conn_recv and conn_send: nothing waits */
};

static void addresses_read(struct conn *c)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(c->fd, (struct sockaddr *)&sa, &len) == 0)
		ip_from_sockaddr((struct sockaddr *)&sa, &c->local, &c->local_port);
	len = sizeof(sa);
	if (getpeername(c->fd, (struct sockaddr *)&sa, &len) == 0)
		ip_from_sockaddr((struct sockaddr *)&sa, &c->peer, &c->peer_port);
}

struct conn *conn_open_fd(int fd)
{
	struct conn *c = mem_alloc(sizeof(*c));
	int one = 1;

	c->fd = fd;
	/* Fails on socket pairs, which need it not. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	addresses_read(c);
	return c;
}

static int dial_wait(int fd, struct deadline d)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	for (;;) {
		int n = poll(&p, 1, (int)deadline_left_ms(d));
		if (n > 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		errno = n == 0 ? ETIMEDOUT : errno;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

int conn_dial(const struct ip *ip, unsigned port, const struct ip *source, struct deadline d,
	struct conn **out, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(ip, port, &sa);
	char text[IP_TEXT];

	*out = NULL;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, ERR_TEMP, "socket: %s", strerror(errno));
	if (source != NULL) {
		struct sockaddr_storage from;
		socklen_t from_len = ip_to_sockaddr(source, 0, &from);
		if (bind(fd, (struct sockaddr *)&from, from_len) < 0)
			goto fail;
	}
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 &&
		(errno != EINPROGRESS || dial_wait(fd, d) < 0))
		goto fail;
	if (fcntl(fd, F_SETFL, 0) < 0)
		goto fail;
	*out = conn_open_fd(fd);
	return 0;
fail:
	err_set(err, ERR_TEMP, "connect to %s port %u: %s", ip_text(ip, text), port,
		strerror(errno));
	close(fd);
	return -1;
}

void conn_close(struct conn **cp)
{
	struct conn *c = *cp;

	if (c == NULL)
		return;
	if (c->layer.close != NULL)
		c->layer.close(c->layer.state);
	close(c->fd);
	free(c->in);
	buf_free(&c->out);
	free(c);
	*cp = NULL;
}

void conn_shutdown(struct conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

int conn_fd(const struct conn *c)
{
	return c->fd;
}

int conn_release_fd(struct conn **cp)
{
	struct conn *c = *cp;

	if (c->layer.state != NULL || c->in_len > 0 || c->out.len > 0)
		return -1;
	int fd = c->fd;
	free(c->in);
	buf_free(&c->out);
	free(c);
	*cp = NULL;
	return fd;
}

ssize_t conn_recv(struct conn *c, void *out, size_t len)
{
	if (c->in_len > 0) {
		size_t n = c->in_len < len ? c->in_len : len;
		memcpy(out, c->in + c->in_at, n);
		conn_consume(c, n);
		return (ssize_t)n;
	}
	c->at_once = true;
	ssize_t n = c->layer.read ? c->layer.read(c->layer.state, out, len)
				  : conn_raw_recv(c, out, len);
	c->at_once = false;
	return n;
}

ssize_t conn_send(struct conn *c, const void *data, size_t len)
{
	c->at_once = true;
	ssize_t n = c->layer.write ? c->layer.write(c->layer.state, data, len)
				   : conn_raw_send(c, data, len);
	c->at_once = false;
	return n;
}

void conn_addresses(const struct conn *c, struct ip *local, unsigned *local_port, struct ip *peer,
	unsigned *peer_port)
{
	*local = c->local;
	*local_port = c->local_port;
	*peer = c->peer;
	*peer_port = c->peer_port;
}

void conn_set_addresses(struct conn *c, const struct ip *local, unsigned local_port,
	const struct ip *peer, unsigned peer_port)
{
	c->local = *local;
	c->local_port = local_port;
	c->peer = *peer;
	c->peer_port = peer_port;
}

size_t conn_buffered(const struct conn *c)
{
	return c->in_len;
}

void conn_discard(struct conn *c)
{
	c->in_at = c->in_len = 0;
}

void conn_set_layer(struct conn *c, struct conn_layer layer)
{
	c->layer = layer;
}

void *conn_layer_state(const struct conn *c)
{
	return c->layer.state;
}

/* Tells the kernel a time-out unless the one it knows ends early enough: one that is too
 * short only costs another round, so dialogues whose deadlines differ need no call each. */
static int timeout_set(struct conn *c, int option, int64_t *told_ms, int64_t left_ms)
{
	if (*told_ms != 0 && *told_ms <= left_ms + left_ms / 16 + 1)
		return 0;
	struct timeval tv = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
	if (setsockopt(c->fd, SOL_SOCKET, option, &tv, sizeof(tv)) < 0)
		return -1;
	*told_ms = left_ms;
	return 0;
}

ssize_t conn_raw_recv(struct conn *c, void *out, size_t len)
{
	if (c->at_once)
		return recv(c->fd, out, len, MSG_DONTWAIT);
	for (int64_t left_ms; (left_ms = deadline_left_ms(c->raw_deadline)) > 0;) {
		if (timeout_set(c, SO_RCVTIMEO, &c->recv_timeout_ms, left_ms) < 0)
			return -1;
		ssize_t n = recv(c->fd, out, len, 0);
		if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return n;
		c->recv_timeout_ms = 0; /* it was too short: the rest now */
	}
	errno = EAGAIN;
	return -1;
}

ssize_t conn_raw_send(struct conn *c, const void *data, size_t len)
{
	if (c->at_once)
		return send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (int64_t left_ms; (left_ms = deadline_left_ms(c->raw_deadline)) > 0;) {
		if (timeout_set(c, SO_SNDTIMEO, &c->send_timeout_ms, left_ms) < 0)
			return -1;
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
		if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return n;
		c->send_timeout_ms = 0;
	}
	errno = EAGAIN;
	return -1;
}

void conn_raw_deadline(struct conn *c, struct deadline d)
{
	c->raw_deadline = d;
}

static int io_error(struct err *err, const char *what)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return err_set(err, ERR_TEMP, "%s: timed out", what);
	return err_set(err, ERR_TEMP, "%s: %s", what, strerror(errno));
}

static void in_reserve(struct conn *c, size_t room)
{
	if (c->in_at > 0 && (c->in_len == 0 || c->in_at + c->in_len + room > c->in_cap)) {
		memmove(c->in, c->in + c->in_at, c->in_len);
		c->in_at = 0;
	}
	if (c->in_len + room > c->in_cap) {
		c->in_cap = c->in_len + room;
		c->in = mem_realloc(c->in, c->in_cap);
	}
}

/* Receives once into the buffer. 1 some, 0 end, -1 error. */
static int fill(struct conn *c, size_t room, struct deadline d, struct err *err)
{
	if (c->out.len > 0 && conn_flush(c, d, err) < 0)
		return -1;
	in_reserve(c, room);
	for (;;) {
		char *to = c->in + c->in_at + c->in_len;
		size_t space = c->in_cap - c->in_at - c->in_len;
		c->raw_deadline = d;
		ssize_t n = c->layer.read ? c->layer.read(c->layer.state, to, space)
					  : conn_raw_recv(c, to, space);
		if (n > 0) {
			c->in_len += (size_t)n;
			return 1;
		}
		if (n == 0)
			return 0;
		if (errno != EINTR)
			return io_error(err, "read");
	}
}

int conn_read_line(struct conn *c, size_t max, struct deadline d, struct str *line, struct err *err)
{
	size_t seen = 0;

	for (;;) {
		char *start = c->in_len > 0 ? c->in + c->in_at : NULL; /* none: no buffer yet */
		size_t look = c->in_len < max ? c->in_len : max;
		char *lf = look > seen ? memchr(start + seen, '\n', look - seen) : NULL;
		if (lf != NULL) {
			size_t n = (size_t)(lf - start);
			bool crlf = n > 0 && start[n - 1] == '\r';
			*line = (struct str){start, crlf ? n - 1 : n};
			conn_consume(c, n + 1);
			return crlf ? CONN_LINE_CRLF : CONN_LINE_LF;
		}
		if (c->in_len >= max)
			return err_set(err, ERR_PERM, "line over %zu octets", max);
		seen = c->in_len;
		int rc = fill(c, c->in_cap > c->in_len ? c->in_cap - c->in_len : IN_FIRST, d, err);
		if (rc <= 0)
			return rc;
	}
}

int conn_peek(struct conn *c, size_t want, struct deadline d, struct str *data, struct err *err)
{
	if (c->in_len == 0) {
		int rc = fill(c, want, d, err);
		if (rc <= 0)
			return rc;
	}
	*data = (struct str){c->in + c->in_at, c->in_len};
	return 1;
}

void conn_consume(struct conn *c, size_t n)
{
	if (n > c->in_len)
		abort();
	c->in_at += n;
	c->in_len -= n;
	/* in_at is kept when empty: a line's view points there until the next call. */
}

void conn_trim(struct conn *c)
{
	if (c->in_len == 0 && c->in_cap > IN_FIRST) {
		free(c->in);
		c->in = NULL;
		c->in_at = c->in_cap = 0;
	}
	if (c->out.len == 0 && c->out.cap > OUT_KEEP)
		buf_free(&c->out);
}

int conn_write(struct conn *c, struct str data, struct deadline d, struct err *err)
{
	buf_raw(&c->out, data);
	return c->out.len > OUT_MAX ? conn_flush(c, d, err) : 0;
}

int conn_flush(struct conn *c, struct deadline d, struct err *err)
{
	size_t done = 0;

	while (done < c->out.len) {
		const char *from = c->out.p + done;
		size_t left = c->out.len - done;
		c->raw_deadline = d;
		ssize_t n = c->layer.write ? c->layer.write(c->layer.state, from, left)
					   : conn_raw_send(c, from, left);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else
			return io_error(err, "write");
	}
	buf_clear(&c->out);
	return 0;
}

void conn_pause(struct conn *c, int64_t ms)
{
	struct deadline end = deadline_in_ms(ms);
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	for (int64_t left; (left = deadline_left_ms(end)) > 0;) {
		int n = poll(&p, 1, (int)left);
		if (n > 0 || (n < 0 && errno != EINTR))
			return;
	}
}
