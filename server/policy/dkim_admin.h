/* dkim_admin - DKIM selectors and trusted ARC sealers as an admin changes them: the same rules
 * for pages, CLI and import. Key files are kept below <DataDir>/dkim/, mode 0600; those of
 * removed selectors go to dkim/old/. Results as in policy/admin.h: 0, 1 with problems, -1. */
#ifndef POLICY_DKIM_ADMIN_H
#define POLICY_DKIM_ADMIN_H

#include "auth/dkim.h"
#include "policy/admin.h"
#include "store/dkimkey.h"

enum { DKIM_ADMIN_EXPIRATION_MAX_S = 366 * 86400 };

/* A new selector with a new key. row: domain_id, name and settings; the rest is filled in.
 * bits: for RSA; 0 takes 2048. Fields: name, bits, headers, expiration. */
int dkim_admin_generate(struct store *s, struct arena *a, struct store_selector *row,
	enum dkim_key_type type, unsigned bits, struct admin_problems *problems,
	struct err *err) MUST_USE;
/* A new selector with a private key in PEM. Field: key. */
int dkim_admin_import(struct store *s, struct arena *a, struct store_selector *row, struct str pem,
	struct admin_problems *problems, struct err *err) MUST_USE;
/* Settings of one that is there. */
int dkim_admin_save(struct store *s, struct arena *a, struct store_selector *row,
	struct admin_problems *problems, struct err *err) MUST_USE;
/* Takes it out of the store, then moves its key file away. 0 also when it was gone. */
int dkim_admin_delete(struct store *s, struct arena *a, int64_t id, struct err *err) MUST_USE;
/* Moves the key files of a domain that is about to be deleted, its selectors included. */
int dkim_admin_domain_delete(
	struct store *s, struct arena *a, int64_t domain_id, struct err *err) MUST_USE;

/* Checks name and settings and puts normal forms into the row, for an import's first look. */
void dkim_admin_check(struct arena *a, struct store_selector *row, struct admin_problems *problems);
/* A selector name that none of rows has: "2026a", "2026b", ... In the arena. */
struct str dkim_admin_name_suggest(
	struct arena *a, const struct store_selector *rows, size_t count, int64_t now_s);
/* The owner name of its DNS record, "S._domainkey.D", and the record. In the arena. */
struct str dkim_admin_record_name(struct arena *a, const struct store_selector *row);
struct str dkim_admin_record(struct arena *a, const struct store_selector *row);

/* Fields: domain, comment. */
int dkim_admin_sealer_save(struct store *s, struct arena *a, struct store_sealer *row,
	struct admin_problems *problems, struct err *err) MUST_USE;

#endif
