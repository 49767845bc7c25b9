/* store/dkimkey - DKIM selectors of hosted domains, what their domains do with ARC, and whose
 * ARC seals are trusted. policy/signing.h keeps what the mail path needs in memory. */
#ifndef STORE_DKIMKEY_H
#define STORE_DKIMKEY_H

#include "store/store.h"

enum { STORE_SELECTORS_MAX = 50 }; /* of one domain */

struct store_selector {
	int64_t id, domain_id;
	struct str domain;               /* its name, on reading */
	struct str name;                 /* the selector: A-labels, lower case */
	bool ed25519;                    /* else RSA */
	unsigned bits;                   /* 256 for Ed25519 */
	struct str key_file;             /* PKCS#8 PEM, mode 0600; relative to the data directory */
	struct str public_b64;           /* p= of the DNS record */
	bool signing;                    /* it signs; else it waits with its record in the DNS */
	bool header_simple, body_simple; /* canonicalization; else relaxed */
	struct str headers;              /* names with ":" between; empty: the default set */
	bool seal;                       /* list each field once more than it is there */
	int64_t expiration_s;            /* 0: signatures do not expire */
	int64_t created_s;
};

/* By name; all domains when domain_id is 0 (then by domain first). */
int store_selector_list(struct store *s, int64_t domain_id, struct arena *a,
	struct store_selector **rows, size_t *count, struct err *err) MUST_USE;
/* 1 found, 0 not, -1. */
int store_selector_get(struct store *s, int64_t id, struct arena *a, struct store_selector *out,
	struct err *err) MUST_USE;
/* Inserts (id 0, set on return) or replaces. ERR_PERM: the name is taken in this domain, or
 * the row or its domain is gone, or the domain has STORE_SELECTORS_MAX. */
int store_selector_put(struct store *s, struct store_selector *row, struct err *err) MUST_USE;
int store_selector_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

/* Those that sign for the hosted domain, oldest first. *count is 0 when there is none or the
 * domain is not hosted. Rows are in the arena. */
int store_selector_signing(struct store *s, struct str domain, struct arena *a,
	struct store_selector **rows, size_t *count, struct err *err) MUST_USE;

/* Grows by one with every change of the directory, selectors included: what was read before
 * may be old. Costs nothing. */
uint64_t store_directory_generation(struct store *s);

/* --- ARC --- */

/* Does mail of this domain that leaves to another host get a seal? On unless switched off;
 * without a signing selector nothing happens either way. 1 yes, 0 no, -1. */
int store_arc_seals(struct store *s, int64_t domain_id, struct err *err) MUST_USE;
enum store_arc { STORE_ARC_OFF, STORE_ARC_ON };
int store_arc_seals_put(
	struct store *s, int64_t domain_id, enum store_arc on, struct err *err) MUST_USE;

struct store_sealer {
	int64_t id;
	struct str domain; /* A-labels, lower case; stands for its subdomains too */
	struct str comment;
	int64_t created_s;
};
/* By domain. */
int store_sealer_list(struct store *s, struct arena *a, struct store_sealer **rows, size_t *count,
	struct err *err) MUST_USE;
int store_sealer_get(struct store *s, int64_t id, struct arena *a, struct store_sealer *out,
	struct err *err) MUST_USE;
/* ERR_PERM: it is listed already, or the row is gone. */
int store_sealer_put(struct store *s, struct store_sealer *row, struct err *err) MUST_USE;
int store_sealer_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

#endif
