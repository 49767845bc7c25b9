/* lists - changes to the allow and deny lists and to the DNS block lists, checked before they
 * are stored, as policy/admin.h does for the rest. */
#ifndef POLICY_LISTS_H
#define POLICY_LISTS_H

#include "policy/admin.h"
#include "store/lists.h"

/* Returns as admin_domain_save does. Fields: list, value, comment, expires. row->value may be an
 * address, a network, a domain or an email address: kind is found out and its normal form put
 * into the row. now_s becomes created_s of a new entry; expires_s must be later. */
int lists_entry_save(struct store *s, struct arena *a, struct store_list_entry *row, int64_t now_s,
	struct admin_problems *problems, struct err *err) MUST_USE;
/* Fields: zone, comment. */
int lists_zone_save(struct store *s, struct arena *a, struct store_dnsbl_zone *row,
	struct admin_problems *problems, struct err *err) MUST_USE;

/* The normal form of a value and its kind into the row. -1 (ERR_PERM): it is nothing of that. */
int lists_value_normal(
	struct arena *a, struct str value, struct store_list_entry *row, struct err *err) MUST_USE;

/* "2026-12-31" (its end in UTC), or a number of days from now ("30"); empty: never, 0. False:
 * neither. */
bool lists_expiry_parse(struct str text, int64_t now_s, int64_t *expires_s);

const char *lists_list_text(enum store_list l);      /* "allow", "deny" */
const char *lists_kind_text(enum store_list_kind k); /* "ip", "domain", "address" */

#endif
