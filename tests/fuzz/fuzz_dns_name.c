#include "dns/internal.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken can be asked for, and comes out the same when it is put in again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char once[DNS_NAME_MAX], twice[DNS_NAME_MAX];
	struct arena *a = arena_open();
	struct err err;

	if (dns_name_to_ascii((struct str){(const char *)data, size}, once, &err) == 0) {
		if (!dns_name_askable(str_from(once)) ||
			dns_name_to_ascii(str_from(once), twice, &err) < 0 ||
			strcmp(once, twice) != 0)
			abort();
		(void)dns_name_to_unicode(a, once);
	}
	arena_close(&a);
	return 0;
}
