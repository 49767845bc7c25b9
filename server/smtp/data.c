#include "smtp/data.h"

enum { DATA_READ = 64 * 1024 };

void smtp_data_begin(struct smtp_data *d, struct store *store, int64_t size_max)
{
	struct buf head = d->head;

	*d = (struct smtp_data){.store = store, .size_max = size_max, .line_start = true};
	d->failure.kind = ERR_NONE;
	d->head = head;
	buf_clear(&d->head);
}

void smtp_data_end(struct smtp_data *d)
{
	spool_close(&d->spool);
}

static bool dropping(const struct smtp_data *d)
{
	return d->too_big || d->header_too_big || d->failure.kind != ERR_NONE;
}

struct str smtp_data_header(const struct smtp_data *d)
{
	struct str all = buf_str(&d->head);
	const char *end;

	if (str_starts(all, STR("\r\n")))
		return (struct str){all.p, 2};
	end = str_find(all, STR("\r\n\r\n"));
	return end == NULL ? all : (struct str){all.p, (size_t)(end - all.p) + 4};
}

static bool header_complete(const struct smtp_data *d)
{
	struct str all = buf_str(&d->head);

	return str_starts(all, STR("\r\n")) || str_find(all, STR("\r\n\r\n")) != NULL;
}

static void edit(struct smtp_data *d)
{
	if (!d->edited && d->header_edit != NULL)
		d->header_edit(d->header_edit_arg, &d->head);
	d->edited = true;
}

/* Memory is full: what is there goes to a file, and so does the rest. */
static void spill(struct smtp_data *d)
{
	if (!header_complete(d)) {
		d->header_too_big = d->head.len > SMTP_HEADER_MAX;
		return; /* until then the end of the header is waited for */
	}
	if (smtp_data_header(d).len > SMTP_HEADER_MAX) {
		d->header_too_big = true;
		return;
	}
	edit(d);
	if (spool_create(d->store, &d->spool, &d->failure) == 0)
		(void)!spool_write(d->spool, buf_str(&d->head), &d->failure);
}

/* Of what is too big the beginning stays, for the message log: its header says what it was. */
static void header_keep(struct smtp_data *d, struct str s)
{
	size_t room = d->head.len < STORE_INLINE_MAX ? STORE_INLINE_MAX - d->head.len : 0;

	if (d->spool == NULL && !dropping(d))
		buf_raw(&d->head, (struct str){s.p, s.len < room ? s.len : room});
}

static void append(struct smtp_data *d, struct str s)
{
	d->size += (int64_t)s.len;
	if (d->size > d->size_max && !d->too_big) {
		header_keep(d, s);
		d->too_big = true;
	}
	if (dropping(d) || s.len == 0)
		return;
	if (d->spool != NULL) {
		(void)!spool_write(d->spool, s, &d->failure);
		return;
	}
	buf_raw(&d->head, s);
	/* The first part stays in memory as the source of header facts. */
	if (d->head.len > STORE_INLINE_MAX)
		spill(d);
}

static int bounds_check(const struct smtp_data *d, struct err *err)
{
	if (d->size - d->size_max > SMTP_DRAIN_MAX)
		return err_set(err, ERR_PERM, "message goes on far over the size limit");
	return 0;
}

/* The first octets of a line decide about dots. Returns true when the message ends. */
static bool line_begin(struct smtp_data *d, struct str *s)
{
	while (s->len > 0 && d->line_start) {
		char c = s->p[0];
		if (d->dots == 0) {
			if (c != '.') {
				d->line_start = false;
				return false;
			}
			d->dots = 1;
		} else if (d->dots == 1) {
			if (c != '\r') {
				/* A stuffed dot: it is gone, the rest is the line. */
				d->dots = 0;
				d->line_start = false;
				return false;
			}
			d->dots = 2;
		} else {
			d->dots = 0;
			if (c == '\n') {
				*s = str_skip(*s, 1);
				return true;
			}
			d->line_start = false;
			d->bare_cr = true;
			append(d, STR("\r"));
			return false;
		}
		*s = str_skip(*s, 1);
	}
	return false;
}

/* Takes what follows up to the end of s, or to the next line start that needs a look.
 * dots: DATA, where a line start matters. */
static struct str lines_take(struct smtp_data *d, struct str s, bool dots)
{
	struct str rest = s;

	if (d->last_cr && rest.len > 0 && rest.p[0] != '\n')
		d->bare_cr = true;
	while (rest.len > 0) {
		const char *lf = memchr(rest.p, '\n', rest.len);
		size_t n = lf ? (size_t)(lf - rest.p) : rest.len;
		bool cr_before = n > 0 ? rest.p[n - 1] == '\r' : d->last_cr;
		size_t look = n > 0 && rest.p[n - 1] == '\r' ? n - 1 : n;
		if (look > 0 && memchr(rest.p, '\r', look) != NULL)
			d->bare_cr = true;
		if (lf == NULL) {
			d->last_cr = rest.p[rest.len - 1] == '\r';
			rest = str_skip(rest, rest.len);
			break;
		}
		d->last_cr = false;
		rest = str_skip(rest, n + 1);
		if (!cr_before) {
			d->bare_lf = true; /* and it does not start a line */
			continue;
		}
		if (dots && (rest.len == 0 || rest.p[0] == '.')) {
			d->line_start = true;
			break;
		}
	}
	append(d, (struct str){s.p, s.len - rest.len});
	return rest;
}

int smtp_data_read(struct smtp_data *d, struct conn *c, int64_t read_ms, struct deadline total,
	struct err *err)
{
	for (;;) {
		struct str got, rest;
		bool end = false;
		int rc = conn_peek(
			c, DATA_READ, deadline_min(deadline_in_ms(read_ms), total), &got, err);
		if (rc <= 0)
			return rc < 0 ? -1 : err_set(err, ERR_TEMP, "connection closed in DATA");
		rest = got;
		while (rest.len > 0 && !end) {
			if (d->line_start)
				end = line_begin(d, &rest);
			if (!end && rest.len > 0 && !d->line_start)
				rest = lines_take(d, rest, true);
		}
		conn_consume(c, got.len - rest.len);
		if (end)
			return 0;
		if (bounds_check(d, err) < 0)
			return -1;
	}
}

int smtp_data_chunk(struct smtp_data *d, struct conn *c, int64_t n, int64_t read_ms,
	struct deadline total, struct err *err)
{
	while (n > 0) {
		struct str got;
		int rc = conn_peek(
			c, DATA_READ, deadline_min(deadline_in_ms(read_ms), total), &got, err);
		if (rc <= 0)
			return rc < 0 ? -1 : err_set(err, ERR_TEMP, "connection closed in BDAT");
		if ((int64_t)got.len > n)
			got.len = (size_t)n;
		lines_take(d, got, false);
		conn_consume(c, got.len);
		n -= (int64_t)got.len;
		if (bounds_check(d, err) < 0)
			return -1;
	}
	return 0;
}

void smtp_data_finish(struct smtp_data *d)
{
	if (d->last_cr)
		d->bare_cr = true;
	if (dropping(d) || d->bare_cr || d->bare_lf)
		return;
	if (d->spool == NULL)
		edit(d);
	else
		(void)!spool_commit(d->spool, &d->failure);
}

void smtp_data_body_begin(const struct smtp_data *d, struct arena *arena, struct smtp_data_body *b)
{
	*b = (struct smtp_data_body){.data = d, .at = (int64_t)smtp_data_header(d).len};
	if (d->spool != NULL)
		b->piece = arena_alloc(arena, DATA_READ);
}

int smtp_data_body_next(struct smtp_data_body *b, struct str *piece, struct err *err)
{
	struct str head = buf_str(&b->data->head);

	if (b->at < (int64_t)head.len) {
		*piece = str_skip(head, (size_t)b->at);
		b->at = (int64_t)head.len;
		return 1;
	}
	if (b->data->spool == NULL)
		return 0;
	int64_t n = spool_read(b->data->spool, b->at, b->piece, DATA_READ, err);
	if (n <= 0)
		return n < 0 ? -1 : 0;
	*piece = (struct str){b->piece, (size_t)n};
	b->at += n;
	return 1;
}
