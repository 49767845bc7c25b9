#include "message/mime.h"

#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text is some list of parts, within bounds, and its texts come out as UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct mime_message m;
	bool cut;

	if (size <= 16384) {
		mime_read(a, (struct str){(const char *)data, size}, &m);
		if (m.count > MIME_PARTS_MAX)
			abort();
		for (size_t i = 0; i < m.count; i++) {
			struct str text = mime_decode(a, &m.parts[i], 1000, &cut);
			if (text.len > 1000 ||
				!utf8_valid(mime_to_utf8(a, text, m.parts[i].charset)))
				abort();
		}
	}
	arena_close(&a);
	return 0;
}
