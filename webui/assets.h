/* assets - files of templates/ and static/, compiled in by mkassets. */
#ifndef WEBUI_ASSETS_H
#define WEBUI_ASSETS_H

#include <stddef.h>

struct asset {
	const char *name; /* path in the source tree: "static/css/mox.css" */
	const unsigned char *data;
	size_t len;
};

/* Sorted by name. */
extern const struct asset assets[];
extern const size_t asset_count;

#endif
