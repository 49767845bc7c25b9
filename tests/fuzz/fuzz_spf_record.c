#include "auth/spf_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that parses has macro strings that expand, and mechanisms with what they need. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str txt = {(const char *)data, size};
	struct arena *a = arena_open();
	struct spf_record r;
	struct spf_macro_values v = {.sender = STR("user@example.org"),
		.local = STR("user"),
		.sender_domain = STR("example.org"),
		.domain = STR("a.example.org"),
		.helo = STR("x"),
		.receiver = STR(""),
		.validated = STR("unknown"),
		.ip = {.len = 4, .bytes = {192, 0, 2, 1}}};
	struct err err;

	if (spf_record_parse(a, txt, &r, &err) == 0) {
		for (size_t i = 0; i < r.term_count; i++) {
			struct buf out = {NULL, 0, 0};
			const struct spf_term *t = &r.terms[i];
			if (t->bits4 > 32 || t->bits6 > 128 ||
				(t->mechanism == SPF_EXISTS && t->domain_spec.len == 0))
				abort();
			if (spf_macro_expand(t->domain_spec, &v, &out))
				(void)spf_macro_name(buf_str(&out));
			buf_free(&out);
		}
	}
	arena_close(&a);
	return 0;
}
