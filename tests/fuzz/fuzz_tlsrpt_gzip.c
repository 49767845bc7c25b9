#include "report/tlsrpt_report.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unpacking keeps to its cap; what is packed here unpacks to itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct buf out = {NULL, 0, 0}, back = {NULL, 0, 0};
	struct err err;

	if (tlsrpt_gunzip(in, &out, &err) == 0 && out.len > TLSRPT_JSON_MAX)
		abort();
	buf_clear(&out);
	if (tlsrpt_gzip(in, &out, &err) < 0 || tlsrpt_gunzip(buf_str(&out), &back, &err) < 0 ||
		!str_eq(buf_str(&back), in))
		abort();
	buf_free(&out);
	buf_free(&back);
	return 0;
}
