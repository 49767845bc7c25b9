#include "config/fields.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole way: a tree, and when that is well-formed a configuration. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct config *c;
	struct err err;
	int64_t ms;

	if (config_parse(text, "/nowhere/fuzz.conf", &c, &err) == 0) {
		if (c->hostname == NULL || c->data_dir == NULL)
			abort(); /* required fields */
		config_release(c);
	} else if (c != NULL || err.kind != ERR_PERM || str_find(str_from(err.text), STR("\n")))
		abort();
	(void)config_duration_parse(text, &ms);
	return 0;
}
