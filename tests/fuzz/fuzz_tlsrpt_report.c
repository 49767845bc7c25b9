#include "report/tlsrpt_report.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written, and is then read again to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct tlsrpt_report first, again;
	struct buf one = {NULL, 0, 0}, two = {NULL, 0, 0};
	struct err err;

	if (tlsrpt_report_read(a, (struct str){(const char *)data, size}, &first, &err) == 0) {
		tlsrpt_report_write(&first, &one);
		if (tlsrpt_report_read(a, buf_str(&one), &again, &err) < 0)
			abort();
		tlsrpt_report_write(&again, &two);
		if (!str_eq(buf_str(&one), buf_str(&two)))
			abort();
	}
	buf_free(&one);
	buf_free(&two);
	arena_close(&a);
	return 0;
}
