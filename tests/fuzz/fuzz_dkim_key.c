/* A private key as an admin pastes it. */
#include "auth/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dkim_key *key;
	struct buf out = {NULL, 0, 0};
	struct err err;

	if (dkim_key_read((struct str){(const char *)data, size}, &key, &err) == 0) {
		(void)!dkim_key_write(key, &out, &err);
		dkim_key_free(&key);
	}
	buf_free(&out);
	return 0;
}
