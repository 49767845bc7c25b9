/* override - what an admin may say about TLS to one destination: the rules for the fields,
 * the same for pages and commands (see store/override.h). */
#ifndef POLICY_OVERRIDE_H
#define POLICY_OVERRIDE_H

#include "policy/admin.h"
#include "store/override.h"

enum {
	OVERRIDE_DAYS_MAX = 366, /* an exception is looked at again once a year */
	OVERRIDE_DAYS_DEFAULT = 30
};

struct override_form { /* raw input */
	struct str domain;
	struct str kind;    /* "verified", "plaintext" or "pin" */
	struct str pins;    /* SHA-256 of public keys in hex, colons allowed; one a line */
	struct str reason;  /* for people; needed */
	struct str expires; /* "2027-01-31" (its end, UTC) or "30d"; needed */
};

const char *override_kind_text(enum store_override_kind k);

/* Checks every field, then stores: 0; 1 with problems (fields as in the form, nothing stored);
 * -1 the store failed. row (may be NULL) gets what was stored. */
int override_save(struct store *s, struct arena *a, const struct override_form *form,
	struct store_override *row, struct admin_problems *problems, struct err *err) MUST_USE;

/* "2027-01-31": the last day it is good for. */
enum { OVERRIDE_DAY_TEXT = 16 };
const char *override_day_text(int64_t expires_s, char out[OVERRIDE_DAY_TEXT]);

#endif
