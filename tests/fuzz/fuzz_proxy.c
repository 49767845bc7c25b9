#include "smtp/proxy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct proxy_header h;
	struct err err;
	int used = proxy_header_parse(text, &h, &err);

	if (used > PROXY_HEADER_MAX || (used > 0 && (size_t)used > size))
		abort();
	if (used > 0 && !h.local && h.source.len != 4 && h.source.len != 16)
		abort();
	/* What a longer text says, its beginning does not contradict. */
	if (used > 0 && proxy_header_parse((struct str){text.p, (size_t)used - 1}, &h, &err) != 0)
		abort();
	return 0;
}
