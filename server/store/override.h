/* store/override - what the admin says about TLS to a destination, against or beyond what it
 * publishes itself. Each has a reason and an end. */
#ifndef STORE_OVERRIDE_H
#define STORE_OVERRIDE_H

#include "store/store.h"

enum store_override_kind { /* numbers are in the database */
	STORE_OVERRIDE_VERIFIED = 1,
	STORE_OVERRIDE_PLAINTEXT = 2,
	STORE_OVERRIDE_PIN = 3
};

enum { STORE_OVERRIDES_MAX = 10000 };

struct store_override {
	struct str domain; /* recipient domain, A-labels, lower case; the key */
	enum store_override_kind kind;
	struct str pins;   /* SHA-256 of SPKIs, hex, lower case, separated by spaces */
	struct str reason; /* for people */
	int64_t expires_s, changed_s;
};

/* The one of the domain: 1 found, also when it has expired; 0 none; -1. */
int store_override_get(struct store *s, struct str domain, struct arena *a,
	struct store_override *out, struct err *err) MUST_USE;
/* By domain, after `after` (empty for the first page), at most limit; *more: a next page. */
int store_override_list(struct store *s, struct str after, size_t limit, struct arena *a,
	struct store_override **rows, size_t *count, bool *more, struct err *err) MUST_USE;
/* Adds it, or replaces the one of its domain; changed_s is set. ERR_PERM: too many. */
int store_override_put(struct store *s, const struct store_override *row, struct err *err) MUST_USE;
/* *found: there was one. */
int store_override_delete(
	struct store *s, struct str domain, bool *found, struct err *err) MUST_USE;

#endif
