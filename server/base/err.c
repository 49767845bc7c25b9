#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static void controls_replace(char *p)
{
	for (; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = *p == '\t' ? ' ' : '?';
	}
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	err->kind = kind;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	controls_replace(err->text);
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	char front[256];
	va_list ap;

	snprintf(old, sizeof(old), "%s", err->text);
	va_start(ap, fmt);
	vsnprintf(front, sizeof(front), fmt, ap);
	va_end(ap);
	/* A text too long for both loses its tail. */
	if ((size_t)snprintf(err->text, sizeof(err->text), "%s: %s", front, old) >=
		sizeof(err->text))
		err->text[sizeof(err->text) - 1] = '\0';
	controls_replace(err->text);
	return -1;
}
