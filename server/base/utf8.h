/* utf8 - well-formed UTF-8 as RFC 3629 defines it. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

/* Octets of the first character, or 0 when it is not well-formed or s is empty. */
size_t utf8_length(struct str s);
bool utf8_valid(struct str s);
bool str_is_ascii(struct str s);

#endif
