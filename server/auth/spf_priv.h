/* auth/spf_priv - what the files of the SPF check share. */
#ifndef AUTH_SPF_PRIV_H
#define AUTH_SPF_PRIV_H

#include "auth/spf.h"
#include "base/buf.h"

/* --- spf_macro.c: macro strings, RFC 7208 section 7 --- */

enum spf_text {
	SPF_TEXT_DOMAIN, /* a domain-spec: without the letters c, r and t */
	SPF_TEXT_MACRO,  /* a macro-string, of a modifier we do not know: the same letters */
	SPF_TEXT_EXPLAIN /* an explanation: every letter, and spaces */
};

/* The syntax of text; a domain-spec must also end in a top label or a macro. -1: the text of
 * err says what is wrong. */
int spf_macro_check(struct str text, enum spf_text kind, struct err *err) MUST_USE;

struct spf_macro_values {
	struct str sender, local, sender_domain; /* s, l, o */
	struct str domain;                       /* d */
	struct str helo, receiver;               /* h, r */
	struct ip ip;                            /* i, c, v */
	struct str validated;                    /* p; only when spf_macro_has_p */
	int64_t now_unix_s;                      /* t */
};

bool spf_macro_has_p(struct str text);
/* Expands text that passed the check. False: the outcome is over SPF_EXPANDED_MAX. */
enum { SPF_EXPANDED_MAX = 16 * 1024 };
bool spf_macro_expand(struct str text, const struct spf_macro_values *v, struct buf *out);
/* A domain name of the outcome: without a last dot, cut from the left at label borders until
 * it has at most 253 octets (section 7.3). */
struct str spf_macro_name(struct str expanded);

#endif
