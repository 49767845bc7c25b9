/* template - a logic-light template language after Mustache. Templates are parsed once,
 * when the program starts, and rendered from a tree of values (tval.h).
 *
 *   {{name}}            the text, HTML-escaped; {{a.b}} goes into maps; {{.}} the value itself
 *   {{{name}}}          the text as it is: only for markup that we made
 *   {{#name}}..{{/name}}  for each item of a list; once for a map or anything that is true
 *   {{^name}}..{{/name}}  when it is false, empty or missing
 *   {{>name}}           another template, with the same values
 *   {{! comment}}
 *
 * A name is looked up in the innermost section first, then outwards. A section tag or
 * comment alone on its line leaves no empty line behind. */
#ifndef WEBUI_TEMPLATE_H
#define WEBUI_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "webui/tval.h"

enum {
	TEMPLATE_TEXT_MAX = 256 * 1024, /* octets of one template */
	TEMPLATE_SET_MAX = 200,
	TEMPLATE_DEPTH_MAX = 16,              /* sections in sections */
	TEMPLATE_NAME_MAX = 64,               /* octets of a name in a tag */
	TEMPLATE_OUTPUT_MAX = 4 * 1024 * 1024 /* octets of a page */
};

struct template_set;

struct template_set *template_set_new(void);
void template_set_free(struct template_set **set);

/* Parses text, which must outlive the set, as template NAME. Errors name line and tag. */
int template_add(
	struct template_set *set, const char *name, struct str text, struct err *err) MUST_USE;
/* After the last template_add: finds the partials. Errors: one is missing, or includes itself.
 * From now on the set is only read, and may be used by several threads. */
int template_link(struct template_set *set, struct err *err) MUST_USE;

/* Appends to out. Errors: no such template, output over TEMPLATE_OUTPUT_MAX. */
int template_render(const struct template_set *set, const char *name, const struct tval *values,
	struct buf *out, struct err *err) MUST_USE;

#endif
