/* data - the content of a message on its way in: DATA (RFC 5321 4.5.2) and BDAT (RFC
 * 3030) into memory, or into a spool file when it is large. */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/buf.h"
#include "base/conn.h"
#include "store/message.h"

enum {
	SMTP_HEADER_MAX = 512 * 1024, /* octets of header block, our limit */
	/* What is over the size limit is read and dropped so far, so that the client hears why. */
	SMTP_DRAIN_MAX = 64 * 1024 * 1024
};

struct smtp_data {
	struct store *store;
	int64_t size_max; /* octets; more is read and dropped */
	/* Called once with the header block complete, before anything of it is written to a
	 * spool file: may shorten or change head in place (submission removes Bcc,
	 * port 25 results that claim to be ours). */
	void (*header_edit)(void *arg, struct buf *head);
	void *header_edit_arg;

	struct buf head;     /* the whole content, or its first part when spool is set */
	struct spool *spool; /* or NULL */
	int64_t size;        /* octets so far */
	/* What is wrong with it, if anything: the first finding decides. */
	bool bare_cr, bare_lf, too_big, header_too_big;
	struct err failure; /* kind not ERR_NONE: it could not be written */

	/* The scanner's state. */
	bool line_start, last_cr, edited;
	unsigned dots; /* at a line start: 0 nothing, 1 ".", 2 ".\r" seen */
};

void smtp_data_begin(struct smtp_data *d, struct store *store, int64_t size_max);
/* Frees, and drops the spool file unless a message took it. Keeps head's memory. */
void smtp_data_end(struct smtp_data *d);

/* Reads up to the line "." between CRLFs; only that ends a message: never a bare LF or CR.
 * 0 the content is complete (look at the flags), -1 the connection failed (ERR_TEMP) or
 * goes on over all bounds (ERR_PERM). */
int smtp_data_read(struct smtp_data *d, struct conn *c, int64_t read_ms, struct deadline total,
	struct err *err) MUST_USE;
/* Reads one BDAT chunk of n octets. */
int smtp_data_chunk(struct smtp_data *d, struct conn *c, int64_t n, int64_t read_ms,
	struct deadline total, struct err *err) MUST_USE;
/* After the last octet: header edit if due, spool to disk. */
void smtp_data_finish(struct smtp_data *d);
/* The header block: of head, up to and with its empty line, or all of it. */
struct str smtp_data_header(const struct smtp_data *d);

/* Goes over the body (what follows the empty line) of a finished message, wherever it is. */
struct smtp_data_body {
	const struct smtp_data *data;
	char *piece; /* in the arena; only for a spool file */
	int64_t at;
};
void smtp_data_body_begin(const struct smtp_data *d, struct arena *arena, struct smtp_data_body *b);
/* 1 a piece, good until the next call; 0 at the end; -1. */
int smtp_data_body_next(struct smtp_data_body *b, struct str *piece, struct err *err) MUST_USE;

#endif
