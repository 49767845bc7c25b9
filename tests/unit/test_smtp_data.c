#include "tests/unit/unit.h"

#include "base/mem.h"
#include "smtp/data.h"
#include "smtp/internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct fixture {
	char dir[64];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/mox-data-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) != NULL ? store_open(f->dir, &f->store, &err) : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_close(&f->store);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	free(f);
	return system(command);
}

/* A peer that sends a text in pieces and hangs up. */
struct sender {
	int fd;
	struct str text;
	size_t piece;
};

static void *sender_run(void *arg)
{
	struct sender *s = arg;

	for (size_t at = 0; at < s->text.len;) {
		size_t n = s->text.len - at < s->piece ? s->text.len - at : s->piece;
		ssize_t sent = send(s->fd, s->text.p + at, n, MSG_NOSIGNAL);
		if (sent <= 0)
			break;
		at += (size_t)sent;
	}
	close(s->fd);
	return NULL;
}

/* Reads text as DATA (chunk < 0), or as a BDAT chunk of so many octets, LAST. */
static int take(struct smtp_data *d, struct str text, size_t piece, int64_t chunk, size_t *left)
{
	int fds[2];
	pthread_t thread;
	struct err err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	struct sender s = {fds[1], text, piece};
	assert_int_equal(pthread_create(&thread, NULL, sender_run, &s), 0);
	struct conn *c = conn_open_fd(fds[0]);
	struct deadline end = deadline_in_ms(WAIT_MS);
	int rc = chunk < 0 ? smtp_data_read(d, c, WAIT_MS, end, &err)
			   : smtp_data_chunk(d, c, chunk, WAIT_MS, end, &err);
	smtp_data_finish(d);
	*left = conn_buffered(c);
	for (struct str more; conn_peek(c, 4096, end, &more, &err) == 1;) {
		*left += more.len == *left ? 0 : more.len;
		conn_consume(c, more.len);
	}
	conn_close(&c);
	pthread_join(thread, NULL);
	return rc;
}

enum { FINE, BARE_CR, BARE_LF, BOTH, NEVER_ENDS };

static const struct {
	const char *in, *out;
	int fault;
} messages[] = {
	{"a: b\r\n\r\ntext\r\n.\r\n", "a: b\r\n\r\ntext\r\n", FINE},
	{".\r\n", "", FINE},
	{"..\r\n.\r\n", ".\r\n", FINE},
	{"...x\r\n.y\r\n.\r\n", "..x\r\ny\r\n", FINE},
	{"x.\r\n.\r\n", "x.\r\n", FINE},
	{"x\r\n..\r\n..\r\n.\r\n", "x\r\n.\r\n.\r\n", FINE},
	{"x\n.\ny\r\n.\r\n", NULL, BARE_LF},
	{"x\n.\r\ny\r\n.\r\n", NULL, BARE_LF},
	{"x\r\n.\ny\r\n.\r\n", NULL, BARE_LF},
	{"x\r\n.\ry\r\n.\r\n", NULL, BARE_CR},
	{"x\r.\r\ny\r\n.\r\n", NULL, BARE_CR},
	{"x\r.\ry\r\n.\r\n", NULL, BARE_CR},
	{"x\r\n.\r\r\ny\r\n.\r\n", NULL, BARE_CR},
	{"x\r\r\n.\r\n", NULL, BARE_CR},
	{"x\ry\nz\r\n.\r\n", NULL, BOTH},
	{"\n.\r\n.\r\n", NULL, BARE_LF},
	{"x\r\n.\n", NULL, NEVER_ENDS},
	{"x\n.\n", NULL, NEVER_ENDS},
	{"x\r\n.\r", NULL, NEVER_ENDS},
	{"x\r.\r", NULL, NEVER_ENDS},
	{"x\n.\r\n", NULL, NEVER_ENDS},
	{"x\r\n.", NULL, NEVER_ENDS},
};

static void only_crlf_ends_a_message(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 1000};
	struct fixture *f = *state;
	struct smtp_data d = {.store = NULL};
	char text[256];

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]) * 4; i++) {
		const char *in = messages[i / 4].in;
		int fault = messages[i / 4].fault;
		/* What follows the end is the next command's. */
		snprintf(text, sizeof(text), "%s%s", in, fault == NEVER_ENDS ? "" : "QUIT\r\n");
		size_t left;
		smtp_data_begin(&d, f->store, 1000);
		print_message("case %zu, pieces of %zu\n", i / 4, pieces[i % 4]);
		int rc = take(&d, str_from(text), pieces[i % 4], -1, &left);
		assert_int_equal(rc, fault == NEVER_ENDS ? -1 : 0);
		if (fault == NEVER_ENDS) {
			smtp_data_end(&d);
			continue;
		}
		assert_int_equal(d.bare_cr, fault == BARE_CR || fault == BOTH);
		assert_int_equal(d.bare_lf, fault == BARE_LF || fault == BOTH);
		if (fault == FINE)
			assert_true(str_eq(buf_str(&d.head), str_from(messages[i / 4].out)));
		smtp_data_end(&d);
	}
	buf_free(&d.head);
}

static void chunks_keep_dots(void **state)
{
	struct fixture *f = *state;
	struct smtp_data d = {.store = NULL};
	struct str text = STR("a: b\r\n\r\n.\r\n..x\r\n");
	size_t left;

	for (size_t piece = 1; piece < 5; piece++) {
		smtp_data_begin(&d, f->store, 1000);
		assert_int_equal(take(&d, text, piece, (int64_t)text.len, &left), 0);
		assert_false(d.bare_cr || d.bare_lf || d.too_big);
		assert_true(str_eq(buf_str(&d.head), text));
		smtp_data_begin(&d, f->store, 1000);
		assert_int_equal(take(&d, STR("a\nb\r\n"), piece, 5, &left), 0);
		assert_true(d.bare_lf);
		smtp_data_begin(&d, f->store, 1000);
		assert_int_equal(take(&d, STR("a\r\nb\r"), piece, 5, &left), 0);
		assert_true(d.bare_cr);
	}
	smtp_data_end(&d);
	buf_free(&d.head);
}

static struct str long_message(size_t header, size_t body, struct buf *out)
{
	buf_clear(out);
	buf_text(out, "Subject: x\r\nBcc: secret@example.org\r\n");
	while (out->len < header)
		buf_text(out, "X-Fill: 0123456789012345678901234567890123456789\r\n");
	buf_text(out, "\r\n");
	for (size_t i = 0; i < body; i += 52)
		buf_text(out, "01234567890123456789012345678901234567890123456789\r\n");
	buf_text(out, ".\r\n");
	return buf_str(out);
}

static void large_ones_are_spooled(void **state)
{
	static const struct {
		size_t header, body;
		bool spooled, refused;
	} cases[] = {
		{100, 1000, false, false},
		{100, 300 * 1024, true, false},
		{200 * 1024, 300 * 1024, true, false}, /* a header over what fits the database */
		{600 * 1024, 1000, false, true},
	};
	struct fixture *f = *state;
	struct smtp_data d = {.store = NULL};
	struct buf text = {NULL, 0, 0};
	size_t left;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str in = long_message(cases[i].header, cases[i].body, &text);
		smtp_data_begin(&d, f->store, 4 * 1024 * 1024);
		d.header_edit = header_bcc_strip;
		print_message("case %zu\n", i);
		assert_int_equal(take(&d, in, 3000, -1, &left), 0);
		assert_int_equal(d.header_too_big, cases[i].refused);
		assert_int_equal(d.failure.kind, ERR_NONE);
		assert_int_equal(d.spool != NULL, cases[i].spooled);
		if (d.spool != NULL) /* without the dot line and Bcc */
			assert_int_equal(spool_size(d.spool), (int64_t)in.len - 3 - 25);
		if (!cases[i].refused) {
			assert_null(str_find(buf_str(&d.head), STR("secret")));
			assert_true(smtp_data_header(&d).len >= cases[i].header);
		}
		smtp_data_end(&d);
	}
	smtp_data_begin(&d, f->store, 1000);
	assert_int_equal(take(&d, long_message(10, 5000, &text), 3000, -1, &left), 0);
	assert_true(d.too_big);
	smtp_data_end(&d);
	buf_free(&d.head);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_crlf_ends_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(chunks_keep_dots, setup, teardown),
		cmocka_unit_test_setup_teardown(large_ones_are_spooled, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
