#include "webui/headerview.h"

#include "base/log.h"
#include "base/utf8.h"
#include "message/message.h"

static const char *const shown[] = {"Subject", "From", "To", "Cc", "Reply-To", "Date", "List-Id"};
enum { SHOWN = sizeof(shown) / sizeof(shown[0]) };

/* At most max octets, never half a character. */
static struct str cut(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	s.len = max;
	for (size_t back = 1; back <= 4 && back <= max; back++) {
		unsigned char c = (unsigned char)s.p[max - back];
		if (c < 0x80)
			break;
		if (c >= 0xc0) { /* a first octet: does its character end in time? */
			if (utf8_length((struct str){s.p + max - back, back}) != back)
				s.len = max - back;
			break;
		}
	}
	return s;
}

static void field_add(struct page *p, struct tval *list, const char *name, struct str value)
{
	struct tval *row = tval_add_map(p->arena, list);
	struct str text = message_words_decode(
		p->arena, message_field_unfold(p->arena, cut(value, HEADERVIEW_READ_MAX)));
	struct str head = cut(text, HEADERVIEW_FIELD_MAX);

	tval_set_text(p->arena, row, "name", name);
	tval_set_text(p->arena, row, "value",
		arena_printf(p->arena, "%.*s%s", STR_FMT(head), head.len < text.len ? " …" : ""));
}

void headerview_fill(struct page *p, struct tval *map, struct str header)
{
	struct tval *list = tval_set_list(p->arena, map, "fields");
	struct str values[SHOWN] = {{NULL, 0}}, rest = cut(header, HEADERVIEW_READ_MAX);
	struct message_field field;
	struct err err;
	int rc;

	header = rest;
	/* Of a field that is there twice the first counts, as in most mail programs. */
	while ((rc = message_header_next(&rest, &field, &err)) == 1) {
		for (size_t i = 0; i < SHOWN; i++) {
			if (values[i].p == NULL && str_eq_nocase(field.name, str_from(shown[i])))
				values[i] = field.value;
		}
	}
	for (size_t i = 0; i < SHOWN; i++) {
		if (values[i].p != NULL)
			field_add(p, list, shown[i], values[i]);
	}
	if (rc == 0)
		header.len -= rest.len; /* the rest is the body */
	struct str raw = cut(header, HEADERVIEW_RAW_MAX);
	tval_set_str(p->arena, map, "header", raw);
	tval_set_flag(p->arena, map, "header_cut",
		raw.len < header.len || header.len == HEADERVIEW_READ_MAX);
}

void headerview_message(struct page *p, struct tval *map, int64_t msg_id)
{
	struct buf header = {NULL, 0, 0};
	struct store_body *body = NULL;
	struct str piece;
	struct err err;
	int rc = store_body_open(p->gateway->store, msg_id, &body, &err);

	if (rc == 0) {
		while (header.len < HEADERVIEW_READ_MAX &&
			(rc = store_body_next(body, &piece, &err)) == 1)
			buf_raw(&header, cut(piece, HEADERVIEW_READ_MAX - header.len));
	}
	store_body_close(&body);
	if (rc < 0)
		log_event(LOG_LEVEL_WARN, "web.header", "error", err.text, NULL);
	else
		headerview_fill(p, map, buf_str(&header));
	buf_free(&header);
}
