/* A key record from the DNS, and the key in it. */
#include "auth/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct dkim_record r;
	struct dkim_key *key;
	struct err err;

	if (dkim_record_parse(a, (struct str){(const char *)data, size}, &r, &err) == 0 &&
		dkim_record_key(&r, &key, &err) == 0) {
		struct str again =
			dkim_record_write(a, dkim_key_type(key), dkim_key_public(key, a));
		(void)dkim_record_zone(a, again);
		dkim_key_free(&key);
		if (dkim_record_parse(a, again, &r, &err) < 0)
			__builtin_trap();
	}
	arena_close(&a);
	return 0;
}
