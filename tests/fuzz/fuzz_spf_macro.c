#include "auth/spf_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Explanations of strangers: what passes the check expands within the cap and, from plain
 * values, to plain text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct spf_macro_values v = {.sender = STR("a-b+c@d.example"),
		.local = STR("a-b+c"),
		.sender_domain = STR("d.example"),
		.domain = STR("x.d.example"),
		.helo = STR("h e"),
		.receiver = STR("r"),
		.validated = STR("p.example"),
		.ip = {.len = 16, .bytes = {32, 1, 13, 184}},
		.now_unix_s = 1};
	struct buf out = {NULL, 0, 0};
	struct err err;

	if (spf_macro_check(text, SPF_TEXT_EXPLAIN, &err) == 0) {
		(void)spf_macro_has_p(text);
		if (spf_macro_expand(text, &v, &out) && out.len > SPF_EXPANDED_MAX)
			abort();
		for (size_t i = 0; i < out.len; i++) {
			if (out.p[i] < ' ' || out.p[i] > '~')
				abort();
		}
	}
	buf_free(&out);
	return 0;
}
