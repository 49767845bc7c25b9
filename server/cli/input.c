#include "cli/input.h"

#include <errno.h>

enum { CHUNK = 64 * 1024 };

/* The next octets of the file, every line end as CRLF. 1, 0 at the end, -1. */
static int chunk_read(struct cli_message *m, struct str *out, struct err *err)
{
	size_t n = fread(m->raw, 1, CHUNK, m->in), len = 0;

	if (n == 0 && ferror(m->in))
		return err_set(err, ERR_TEMP, "standard input: %s", strerror(errno));
	for (size_t i = 0; i < n; i++) {
		char c = m->raw[i];
		if (c == '\n' && !m->cr)
			m->out[len++] = '\r';
		m->out[len++] = c;
		m->cr = c == '\r';
	}
	*out = (struct str){m->out, len};
	return n > 0;
}

static bool header_end(struct cli_message *m)
{
	struct str all = buf_str(&m->head);
	const char *end = str_find(all, STR("\r\n\r\n"));
	size_t len = str_starts(all, STR("\r\n")) ? 2 : end ? (size_t)(end - all.p) + 4 : 0;

	m->header = (struct str){all.p, len};
	m->rest = str_skip(all, len);
	return len > 0;
}

int cli_message_open(FILE *in, struct arena *a, struct cli_message *m, struct err *err)
{
	struct str chunk;
	int rc;

	*m = (struct cli_message){.in = in, .raw = arena_alloc(a, CHUNK)};
	m->out = arena_alloc(a, 2 * CHUNK);
	while ((rc = chunk_read(m, &chunk, err)) == 1) {
		buf_raw(&m->head, chunk);
		if (header_end(m))
			return 0;
		if (m->head.len > CLI_HEADER_MAX)
			return err_set(
				err, ERR_PERM, "the header is over %d octets", CLI_HEADER_MAX);
	}
	if (rc < 0)
		return -1;
	m->header = buf_str(&m->head);
	m->rest = STR("");
	return m->header.len > 0 ? 0
				 : err_set(err, ERR_PERM, "there is no message on standard input");
}

int cli_message_next(struct cli_message *m, struct str *piece, struct err *err)
{
	if (m->rest.len > 0) {
		*piece = m->rest;
		m->rest = STR("");
		return 1;
	}
	return chunk_read(m, piece, err);
}

void cli_message_close(struct cli_message *m)
{
	buf_free(&m->head);
}
