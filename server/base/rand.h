/* rand - randomness from the kernel. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fills from getrandom(2); aborts when the kernel has none. */
void rand_bytes(void *out, size_t len);
uint32_t rand_below(uint32_t limit); /* unbiased; limit > 0 */

enum { RAND_ID_TEXT = 14 };
/* 13 characters of Crockford base32 in lower case, 65 bits: for session ids. */
const char *rand_id(char out[RAND_ID_TEXT]);

#endif
