#include "report/tlsrpt_record.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was parsed is written, and is then parsed again to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct tlsrpt_record first, again;
	struct buf one = {NULL, 0, 0}, two = {NULL, 0, 0};
	struct err err;

	if (tlsrpt_record_parse(a, (struct str){(const char *)data, size}, &first, &err) == 1) {
		tlsrpt_record_write(&first, &one);
		if (tlsrpt_record_parse(a, buf_str(&one), &again, &err) != 1)
			abort();
		tlsrpt_record_write(&again, &two);
		if (!str_eq(buf_str(&one), buf_str(&two)))
			abort();
	}
	buf_free(&one);
	buf_free(&two);
	arena_close(&a);
	return 0;
}
