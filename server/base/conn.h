/* conn - a byte stream with deadlines: blocking calls that really end.
 * One thread uses a conn at a time; conn_shutdown alone may come from another. */
#ifndef BASE_CONN_H
#define BASE_CONN_H

#include "base/clock.h"
#include "base/err.h"
#include "base/net.h"
#include "base/str.h"

#include <sys/types.h>

struct conn;

/* A layer over the socket (TLS). It is here because floor 0 cannot see OpenSSL.
 * read and write behave like recv(2) and send(2) on a socket with time-outs: -1 with
 * errno EAGAIN when the socket's time-out passed, 0 from read at end of stream. */
struct conn_layer {
	void *state;
	ssize_t (*read)(void *state, void *out, size_t len);
	ssize_t (*write)(void *state, const void *data, size_t len);
	void (*close)(void *state); /* says good-bye if it can without waiting, frees state */
};

/* Takes ownership of a connected stream socket (blocking mode). */
struct conn *conn_open_fd(int fd);
/* Connects; the deadline bounds it. source may be NULL (the kernel chooses).
 * Errors: ERR_TEMP with "connect to IP port N: reason". */
int conn_dial(const struct ip *ip, unsigned port, const struct ip *source, struct deadline d,
	struct conn **out, struct err *err) MUST_USE;
/* Closes at once, without flushing. Sets *c to NULL. */
void conn_close(struct conn **c);
/* Ends blocked reads and writes of the owner. */
void conn_shutdown(struct conn *c);

int conn_fd(const struct conn *c);
/* Gives the socket to the caller and frees c (*c becomes NULL). Only for a plain conn with
 * nothing buffered in either direction; otherwise -1 and c stays. */
int conn_release_fd(struct conn **c) MUST_USE;
/* One read or write through the layer that does not wait: -1 with errno EAGAIN instead, for
 * relaying a stream. Buffered input comes first. */
ssize_t conn_recv(struct conn *c, void *out, size_t len);
ssize_t conn_send(struct conn *c, const void *data, size_t len);
void conn_addresses(const struct conn *c, struct ip *local, unsigned *local_port, struct ip *peer,
	unsigned *peer_port);
/* What PROXY v2 said: conn_addresses answers these from now on. */
void conn_set_addresses(struct conn *c, const struct ip *local, unsigned local_port,
	const struct ip *peer, unsigned peer_port);

/* Input that was received but not yet read. Before TLS starts this must be thrown
 * away (RFC 3207 section 5: nothing may cross STARTTLS). */
size_t conn_buffered(const struct conn *c);
void conn_discard(struct conn *c);
void conn_set_layer(struct conn *c, struct conn_layer layer);
/* The layer's state, or NULL when plain. */
void *conn_layer_state(const struct conn *c);
/* For layers: the socket itself, under the deadline of the call being served; -1 with
 * errno EAGAIN once that passed, however slowly octets drip in. Never raises SIGPIPE. */
ssize_t conn_raw_recv(struct conn *c, void *out, size_t len);
ssize_t conn_raw_send(struct conn *c, const void *data, size_t len);
/* Sets that deadline where no such call is being served: in handshakes. */
void conn_raw_deadline(struct conn *c, struct deadline d);

enum conn_line {
	CONN_LINE_LF = 1, /* ended by a bare LF */
	CONN_LINE_CRLF
};

/* Reads one line of at most max octets without its end (max counts the line end too).
 * The view is valid until the next call on c. Output waiting is flushed before it blocks.
 * Returns enum conn_line (> 0), 0 at end of stream, or -1: ERR_TEMP (time-out, reset)
 * or ERR_PERM (line over max; the rest is not read). A CR inside the line stays in it. */
int conn_read_line(
	struct conn *c, size_t max, struct deadline d, struct str *line, struct err *err) MUST_USE;
/* Blocks until some input is there and gives a view of all of it (at least 1 octet,
 * nothing consumed), reading up to want octets at a time. Returns 1, 0 at end, -1. */
int conn_peek(
	struct conn *c, size_t want, struct deadline d, struct str *data, struct err *err) MUST_USE;
/* Drops n octets of what conn_peek showed. */
void conn_consume(struct conn *c, size_t n);
/* Gives the input buffer's memory back when it is empty; for sessions going idle. */
void conn_trim(struct conn *c);

/* Appends to the output buffer; what is over 16 KiB is sent at once. */
int conn_write(struct conn *c, struct str data, struct deadline d, struct err *err) MUST_USE;
int conn_flush(struct conn *c, struct deadline d, struct err *err) MUST_USE;

/* A pause that ends early when the peer hangs up (or sends, with input still unread
 * it just sleeps). For slow-downs. */
void conn_pause(struct conn *c, int64_t ms);

#endif
