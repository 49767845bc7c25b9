/* buf - output that grows; the escaping is chosen at each call. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
	char *p; /* always NUL-terminated when not NULL */
	size_t len, cap;
};

/* A zeroed struct buf is an empty one. */
void buf_free(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */

void buf_raw(struct buf *b, struct str s);
void buf_text(struct buf *b, const char *s);
void buf_byte(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);

/* & < > " ' as entities, controls other than tab and newline dropped. Bytes that
 * are not UTF-8 become U+FFFD. Safe in text and in quoted attributes. */
void buf_html(struct buf *b, struct str s);
/* The inside of a JSON string, without its quotes; bad UTF-8 becomes U+FFFD. */
void buf_json(struct buf *b, struct str s);
/* Percent-encoded, RFC 3986 unreserved characters kept. */
void buf_url(struct buf *b, struct str s);
void buf_base64(struct buf *b, const void *data, size_t len);
void buf_hex(struct buf *b, const void *data, size_t len);

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){b->p ? b->p : "", b->len};
}

#endif
