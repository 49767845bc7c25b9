/* signing - which DKIM keys sign for a domain: the selectors of the store with their keys read
 * from disk, kept in memory until the directory changes. One per process; thread-safe. */
#ifndef POLICY_SIGNING_H
#define POLICY_SIGNING_H

#include "auth/arc.h"
#include "store/dkimkey.h"

struct signing;

/* The store outlives it. Never NULL. */
struct signing *signing_new(struct store *s);
void signing_free(struct signing **g);

struct signing_keys {
	struct str domain; /* the hosted domain whose keys these are */
	struct dkim_selector selectors[DKIM_SELECTORS_MAX]; /* each holds a reference to its key */
	size_t count;
	size_t broken;  /* selectors that should sign and whose key cannot be read */
	bool arc_seals; /* mail for the domain that goes on to another host is sealed */
};

enum signing_reach {
	SIGNING_EXACT,  /* the domain itself */
	SIGNING_NEAREST /* or the nearest one above it that has selectors */
};

/* The keys that sign for domain (A-labels, lower case). 1 found; 0: no hosted domain with a
 * selector that signs (out->broken counts all the same), -1. Text is in the arena; release the
 * keys with signing_keys_release. A key that cannot be read is logged once a change. */
int signing_find(struct signing *g, struct str domain, enum signing_reach reach,
	struct arena *arena, struct signing_keys *out, struct err *err) MUST_USE;
void signing_keys_release(struct signing_keys *k);

/* A signer for a message of this From domain, or *out NULL when nothing signs for it: feed the
 * body, finish, free (auth/dkim.h). header: the whole block as it will be sent; it and the arena
 * outlive the signer. Release keys after that. */
int signing_begin(struct signing *g, struct str from_domain, struct str header, struct arena *arena,
	struct signing_keys *keys, struct dkim_signer **out, struct err *err) MUST_USE;

/* Selectors of all domains that should sign and whose key file cannot be read: for the
 * dashboard. Looks at the disk. */
int signing_problems(struct store *s, struct arena *arena, struct store_selector **rows,
	size_t *count, struct err *err) MUST_USE;

/* Reads a selector's key. Errors name the file. */
int signing_key_read(struct store *s, const struct store_selector *row, struct dkim_key **out,
	struct err *err) MUST_USE;
/* A selector's settings as dkim_signer_new takes them; text in the arena. */
struct dkim_selector signing_selector(
	struct arena *arena, const struct store_selector *row, struct dkim_key *key);

#endif
