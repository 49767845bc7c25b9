#include "message/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was parsed can be written and parsed again, and is the same then. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct message_address one, two;
	struct err err;

	if (message_address_parse(a, (struct str){(const char *)data, size}, &one, &err) == 0) {
		struct str text = message_address_write(a, &one);

		if (message_address_parse(a, text, &two, &err) < 0 ||
			!str_eq(one.localpart, two.localpart) || !str_eq(one.domain, two.domain) ||
			str_find(text, STR("\n")) != NULL)
			abort();
	}
	arena_close(&a);
	return 0;
}
