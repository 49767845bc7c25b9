/* hash - FNV-1a with its high bits folded in, for tables in memory. Not for secrets, and
 * every table that strangers fill is bounded besides. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

/* START is 0, or the hash of what comes before: hashes of several parts chain. */
static inline uint64_t hash_more(uint64_t start, const void *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	uint64_t h = start ^ 1469598103934665603U;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211U;
	return h ^ h >> 32;
}

static inline uint64_t hash_str(struct str s)
{
	return hash_more(0, s.p, s.len);
}

#endif
