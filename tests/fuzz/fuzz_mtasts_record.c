#include "policy/mtasts.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was parsed is written, and is then parsed again to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct mtasts_record first, again;
	struct buf one = {NULL, 0, 0}, two = {NULL, 0, 0};
	struct err err;

	if (mtasts_record_parse(a, (struct str){(const char *)data, size}, &first, &err) == 1) {
		mtasts_record_write(&first, &one);
		if (mtasts_record_parse(a, buf_str(&one), &again, &err) != 1)
			abort();
		mtasts_record_write(&again, &two);
		if (!str_eq(buf_str(&one), buf_str(&two)))
			abort();
	}
	buf_free(&one);
	buf_free(&two);
	arena_close(&a);
	return 0;
}
