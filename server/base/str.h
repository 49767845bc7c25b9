/* str - views into text that somebody else owns; all parsed text is one. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t len;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})

/* For printf("%.*s", STR_FMT(s)); s is cut at INT_MAX, far over any cap we have. */
#define STR_FMT(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct str str_from(const char *cstr)
{
	return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* The view without its first n octets; n over the length gives an empty view. */
static inline struct str str_skip(struct str s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return (struct str){s.p + n, s.len - n};
}

/* Without leading and trailing space and tab. */
static inline struct str str_trim(struct str s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Splits at the first sep. False when there is none; head and tail are then untouched. */
static inline bool str_split(struct str s, char sep, struct str *head, struct str *tail)
{
	const char *at = s.len ? memchr(s.p, sep, s.len) : NULL;

	if (at == NULL)
		return false;
	size_t n = (size_t)(at - s.p);
	*head = (struct str){s.p, n};
	*tail = (struct str){at + 1, s.len - n - 1};
	return true;
}

/* Iterates over sep-separated tokens; *rest becomes {NULL,0} after the last. */
static inline bool str_next(struct str *rest, char sep, struct str *tok)
{
	struct str tail;

	if (rest->p == NULL)
		return false;
	if (!str_split(*rest, sep, tok, &tail)) {
		*tok = *rest;
		tail = (struct str){NULL, 0};
	}
	*rest = tail;
	return true;
}

/* ASCII case-insensitive; locale plays no part. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts_nocase(struct str s, struct str prefix);

/* First place of needle in s, or NULL. An empty needle is found at the start. */
const char *str_find(struct str s, struct str needle);

/* Strict decimal: digits only, at least one, no sign. False when empty, bad or over max. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *value);

/* Copies into dst as a NUL-terminated string. False (dst then empty) when it does
 * not fit or s has a NUL inside. */
bool str_copy(char *dst, size_t size, struct str s);

/* ASCII lower case in place. */
void str_lower(char *p, size_t len);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_alnum(char c)
{
	return ascii_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Levenshtein distance, for "did you mean" hints; lengths over 64 count as far apart. */
size_t str_distance(struct str a, struct str b);

#endif
