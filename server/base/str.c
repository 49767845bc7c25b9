#include "base/str.h"

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	}
	return true;
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq_nocase((struct str){s.p, prefix.len}, prefix);
}

const char *str_find(struct str s, struct str needle)
{
	if (needle.len == 0)
		return s.p;
	while (s.len >= needle.len) {
		const char *at = memchr(s.p, needle.p[0], s.len - needle.len + 1);
		if (at == NULL)
			return NULL;
		if (memcmp(at, needle.p, needle.len) == 0)
			return at;
		s = str_skip(s, (size_t)(at - s.p) + 1);
	}
	return NULL;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.p[i]))
			return false;
		uint64_t digit = (uint64_t)(s.p[i] - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n > max)
		return false;
	*value = n;
	return true;
}

bool str_copy(char *dst, size_t size, struct str s)
{
	if (s.len >= size || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL)) {
		if (size > 0)
			dst[0] = '\0';
		return false;
	}
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return true;
}

void str_lower(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = ascii_lower(p[i]);
}

size_t str_distance(struct str a, struct str b)
{
	size_t row[65];

	if (a.len > 64 || b.len > 64)
		return 64;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.len];
}
