#include "auth/scram_internal.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines: client-first, client-final, server-first; nothing of it may ever prove. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = {(const char *)data, size}, line[3] = {{"", 0}, {"", 0}, {"", 0}};
	struct arena *a = arena_open();
	struct scram_server *s;
	struct scram_client *c;
	struct str user, first, final;
	struct err err;

	for (size_t i = 0; i < 3 && str_next(&all, '\n', &line[i]); i++)
		continue;
	if (scram_server_begin(a, line[0], &s, &user, &err) == 0) {
		s->nonce[1] = '\0'; /* short, so that it can be met */
		s->nonce[0] = 'N';
		if (scram_server_first(s, line[2], STR("secret"), &first, &err) < 0)
			abort();
		if (scram_server_final(s, line[1], &final, &err) == 0)
			abort();
	}
	scram_client_start(a, STR("user"), STR("pencil"), "N", &c, &first);
	/* Up to 4 digits of iterations: more would only be slow. */
	if (line[2].len < 100 && scram_client_final(c, line[2], &final, &err) == 0 &&
		scram_client_verify(c, line[1], &err) == 0)
		abort();
	arena_close(&a);
	return 0;
}
