#include "webui/template.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A template from anywhere: parses or is refused, and rendering it ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct template_set *set = template_set_new();
	struct arena *a = arena_open();
	struct tval *v = tval_map(a), *list = tval_set_list(a, v, "l");
	struct buf out = {NULL, 0, 0};
	struct err err;

	tval_set_text(a, v, "a", "<x>");
	tval_set_flag(a, v, "f", true);
	tval_add_text(a, list, "1");
	tval_set_text(a, tval_add_map(a, list), "b", "2");
	if (size <= 4096 && template_add(set, "p", STR("[{{a}}]"), &err) == 0 &&
		template_add(set, "t", (struct str){(const char *)data, size}, &err) == 0 &&
		template_link(set, &err) == 0) {
		/* A page over the cap is an error, not a crash. */
		if (template_render(set, "t", v, &out, &err) < 0 && out.len <= TEMPLATE_OUTPUT_MAX)
			abort();
	}
	buf_free(&out);
	arena_close(&a);
	template_set_free(&set);
	return 0;
}
