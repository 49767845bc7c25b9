/* headerview - a message's own header for people: the well-known fields decoded, and all of
 * it as it is. What is read and shown is capped; the template escapes it. */
#ifndef WEBUI_HEADERVIEW_H
#define WEBUI_HEADERVIEW_H

#include "webui/page.h"

enum {
	HEADERVIEW_READ_MAX = 64 * 1024, /* octets of header block looked at */
	HEADERVIEW_RAW_MAX = 16 * 1024,  /* shown as it is; escaping may make it larger */
	HEADERVIEW_FIELD_MAX = 1024      /* of one field, decoded */
};

/* Keys of map: list "fields" of {name, value}; "header", the text as it is; flag
 * "header_cut" when that is not all. header may end in the body or in the middle. */
void headerview_fill(struct page *p, struct tval *map, struct str header);
/* The same for a message of the queue. Without its content it sets nothing. */
void headerview_message(struct page *p, struct tval *map, int64_t msg_id);

#endif
