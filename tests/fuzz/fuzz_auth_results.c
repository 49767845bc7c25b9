#include "auth/auth.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* After the forged fields are out none is left, and what is there is from the input, with all
 * of the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, ours = STR("h.example");
	const char *blank = str_find(text, STR("\r\n\r\n"));
	struct buf b = {NULL, 0, 0};

	buf_raw(&b, text);
	bool any = auth_forged_any(text, ours);
	auth_forged_strip(&b, ours);
	if (auth_forged_any(buf_str(&b), ours) && any == false)
		abort();
	if (b.len > size || (!any && !str_eq(buf_str(&b), text)) || (any && b.len == size))
		abort();
	if (blank != NULL && !any && b.len != size)
		abort();
	(void)auth_results_claims(text, ours);
	buf_free(&b);
	return 0;
}
