#include "message/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct message_mailbox out[16];
	struct err err;
	size_t n;

	if (message_mailboxes_parse(a, (struct str){(const char *)data, size}, out, 16, &n, &err) ==
		0) {
		for (size_t i = 0; i < n; i++) {
			if (out[i].address.localpart.len == 0 || out[i].address.domain.len == 0)
				abort();
		}
	}
	arena_close(&a);
	return 0;
}
