#include "message/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes, and encodes the result as a header field of lawful line lengths. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct str text = message_words_decode(a, (struct str){(const char *)data, size}), line;
	struct str rest;
	struct buf b = {0};

	message_field_add(&b, "X", text, false);
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line)) {
		if (line.len > 999 || (rest.p != NULL && line.p[line.len - 1] != '\r'))
			abort();
	}
	message_part_add(&b, "B", "text/plain", text);
	buf_free(&b);
	arena_close(&a);
	return 0;
}
