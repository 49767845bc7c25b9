#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *out, size_t len)
{
	unsigned char *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		p += n;
		len -= (size_t)n;
	}
}

uint32_t rand_below(uint32_t limit)
{
	uint32_t value, threshold = (uint32_t)-limit % limit;

	do {
		rand_bytes(&value, sizeof(value));
	} while (value < threshold);
	return value % limit;
}

const char *rand_id(char out[RAND_ID_TEXT])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	unsigned char bytes[RAND_ID_TEXT - 1];

	rand_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = digits[bytes[i] & 31];
	out[RAND_ID_TEXT - 1] = '\0';
	return out;
}
