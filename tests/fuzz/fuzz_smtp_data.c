/* DATA against a second, slow reading of RFC 5321 4.5.2: same end, same text, same faults. */
#include "smtp/data.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 60000 };

struct expected {
	bool ends, bare_cr, bare_lf;
	struct buf text;
};

static void read_slowly(struct str in, struct expected *e)
{
	struct str rest = in;

	while (rest.len > 0) {
		const char *crlf = str_find(rest, STR("\r\n"));
		struct str line = {rest.p, crlf ? (size_t)(crlf - rest.p) : rest.len};
		if (crlf != NULL && str_eq(line, STR("."))) {
			e->ends = true;
			return;
		}
		if (line.len > 0 && line.p[0] == '.')
			line = str_skip(line, 1);
		for (size_t i = 0; i < line.len; i++) {
			e->bare_cr = e->bare_cr || line.p[i] == '\r';
			e->bare_lf = e->bare_lf || line.p[i] == '\n';
		}
		buf_raw(&e->text, line);
		if (crlf == NULL)
			return;
		buf_text(&e->text, "\r\n");
		rest = str_skip(rest, (size_t)(crlf - rest.p) + 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expected e = {.ends = false};
	struct smtp_data d = {.store = NULL};
	struct deadline end = deadline_in_ms(5000);
	struct err err;
	int fds[2];

	if (size < 1 || size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	/* The first octet says where the reader sees a break. */
	struct str in = {(const char *)data + 1, size - 1};
	size_t first = in.len * data[0] / 255;
	struct conn *c = conn_open_fd(fds[0]);
	read_slowly(in, &e);
	smtp_data_begin(&d, NULL, INPUT_MAX);
	if (first > 0 && send(fds[1], in.p, first, 0) != (ssize_t)first)
		abort();
	struct str seen;
	if (first > 0 && conn_peek(c, first, end, &seen, &err) != 1)
		abort();
	if (in.len > first &&
		send(fds[1], in.p + first, in.len - first, 0) != (ssize_t)(in.len - first))
		abort();
	close(fds[1]);
	int rc = smtp_data_read(&d, c, 5000, end, &err);
	if ((rc == 0) != e.ends)
		abort();
	if (rc == 0) {
		smtp_data_finish(&d);
		if (d.bare_cr != e.bare_cr || d.bare_lf != e.bare_lf)
			abort();
		if (!d.bare_cr && !d.bare_lf && !str_eq(buf_str(&d.head), buf_str(&e.text)))
			abort();
	}
	smtp_data_end(&d);
	buf_free(&d.head);
	buf_free(&e.text);
	conn_close(&c);
	return 0;
}
