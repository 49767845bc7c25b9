/* urlform - application/x-www-form-urlencoded: posted forms and query strings (WHATWG URL
 * standard, section 5). */
#ifndef WEBUI_URLFORM_H
#define WEBUI_URLFORM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
	URLFORM_BODY_MAX = 1024 * 1024, /* octets */
	URLFORM_FIELDS_MAX = 1200       /* 1,000 ticked rows and the fields around them */
};

struct urlform_field {
	struct str name, value;
};

struct urlform {
	struct urlform_field *fields; /* in order, doubles kept */
	size_t count;
};

/* Values are decoded into the arena. Errors (ERR_PERM): too many fields, a "%" without two
 * hex digits, NUL or not UTF-8. Line ends become LF. On failure the form is empty. */
int urlform_parse(struct arena *a, struct str text, struct urlform *out, struct err *err) MUST_USE;
/* The first value of that name, or an empty text. */
struct str urlform_get(const struct urlform *f, const char *name);
bool urlform_has(const struct urlform *f, const char *name);

#endif
