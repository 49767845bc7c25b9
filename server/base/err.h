/* err - one shape for every failure: a kind callers act on, a text people read. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_kind {
	ERR_NONE,
	ERR_TEMP, /* try again later: 4xx */
	ERR_PERM, /* will not get better: 5xx, or bad input */
	ERR_FULL, /* no space left: 452 */
	ERR_BUG   /* ours; logged, answered as temporary */
};

struct err {
	enum err_kind kind;
	char text[512]; /* for the log and the admin; never parsed */
};

#define MUST_USE __attribute__((warn_unused_result))

/* Fills err (which may not be NULL) and returns -1, so that a caller can write
 * "return err_set(err, ERR_TEMP, ...)". CR, LF and other controls in the text
 * become '?', so that it is safe in logs, replies and headers. */
__attribute__((format(printf, 3, 4))) int err_set(
	struct err *err, enum err_kind kind, const char *fmt, ...);

/* Puts "prefix: " in front of the text err has already. Returns -1. */
__attribute__((format(printf, 2, 3))) int err_prefix(struct err *err, const char *fmt, ...);

#endif
