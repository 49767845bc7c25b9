#include "webui/login.h"
#include "webui/urlform.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A form or query string, and the same octets as a Cookie header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct str text = {(const char *)data, size};
	struct urlform f;
	struct err err;

	if (urlform_parse(a, text, &f, &err) < 0 && f.count != 0)
		abort();
	for (size_t i = 0; i < f.count; i++) {
		if (memchr(f.fields[i].value.p, '\0', f.fields[i].value.len) != NULL)
			abort();
	}
	(void)login_cookie_find(arena_strdup(a, text), "mox-session");
	arena_close(&a);
	return 0;
}
