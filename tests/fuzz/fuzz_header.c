#include "message/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, rest = text;
	struct arena *a = arena_open();
	struct message_field f;
	struct message_facts facts;
	struct err err;
	size_t seen = 0;

	while (message_header_next(&rest, &f, &err) == 1) {
		struct str unfolded = message_field_unfold(a, f.value);

		seen += f.whole.len;
		if (f.value.p + f.value.len > f.whole.p + f.whole.len ||
			str_find(unfolded, STR("\n")) != NULL)
			abort();
	}
	if (seen > size || rest.p + rest.len != text.p + size)
		abort();
	message_facts_read(a, text, &facts);
	arena_close(&a);
	return 0;
}
