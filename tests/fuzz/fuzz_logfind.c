#include "control/logfind.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is recognised sets just what it is recognised as. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct str text = {(const char *)data, size};
	struct store_msglog_filter f = {.limit = 0};
	int64_t id = 0, ms = 0;
	struct err err;

	enum logfind_kind kind = logfind_text(a, text, &f, &id);
	int set = (f.address.len > 0) + (f.domain.len > 0) + (f.message_id.len > 0) +
		  (f.ip.len > 0) + (f.session.len > 0) + (id != 0);
	bool nothing = kind == LOGFIND_NOTHING || kind == LOGFIND_UNKNOWN;
	if (set != (nothing ? 0 : 1))
		abort();
	if (logfind_time(text, 2000000000000, &ms, &err) == 0 && ms <= 0)
		abort();
	arena_close(&a);
	return 0;
}
