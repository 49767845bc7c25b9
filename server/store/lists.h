/* store/lists - allow and deny lists that an admin edits, and the DNS block lists added in the
 * pages. Both are kept in memory: a look-up costs nothing while they are empty, and sees a
 * change as soon as its commit is on disk. Values given to _put are taken as they are:
 * policy/lists.h checks them first. */
#ifndef STORE_LISTS_H
#define STORE_LISTS_H

#include "base/net.h"
#include "store/store.h"

enum store_list { STORE_LIST_ALLOW, STORE_LIST_DENY };
enum store_list_kind {
	STORE_LIST_IP,     /* an address or a network, "192.0.2.0/24" */
	STORE_LIST_DOMAIN, /* and every name below it; A-labels, lower case */
	STORE_LIST_ADDRESS /* "user@example.org"; domain as above, case of the local part does
			    * not matter */
};

struct store_list_entry {
	int64_t id;
	enum store_list list;
	enum store_list_kind kind;
	struct str value; /* unique in its kind: nothing is on both lists */
	struct str comment;
	int64_t created_s;
	int64_t expires_s; /* from then on without effect; 0: never */
};

/* The most exact entry that matches and has not expired: 1 found, 0 none. A longer prefix is
 * more exact than a shorter one, a name than one above it, an address than its domain. Never
 * fails: while the lists cannot be read nothing matches, and that is logged. */
int store_list_match_ip(struct store *s, const struct ip *ip, int64_t now_s, struct arena *a,
	struct store_list_entry *out);
/* address: "user@example.org", domain in A-labels; or just a domain ("@example.org" or
 * "example.org"), such as one that SPF or DKIM vouch for. Whether the address is to be believed
 * is for the caller to know: an allow entry should count only for one that SPF, DKIM or DMARC
 * stand behind. */
int store_list_match_address(struct store *s, struct str address, int64_t now_s, struct arena *a,
	struct store_list_entry *out);

/* A page of entries in the order of their ids, newest first: those with an id under before_id
 * (0: from the start), with text in value or comment when that is not empty. */
struct store_list_filter {
	int list, kind; /* as the enums; -1: all */
	struct str text;
	int64_t before_id;
	size_t limit;
};
int store_list_page(struct store *s, const struct store_list_filter *f, struct arena *a,
	struct store_list_entry **rows, size_t *count, struct err *err) MUST_USE;
/* 1 found, 0 not, -1. */
int store_list_get(struct store *s, int64_t id, struct arena *a, struct store_list_entry *out,
	struct err *err) MUST_USE;
/* Inserts (id 0, set on return) or replaces. ERR_PERM: the value is there already. */
int store_list_put(struct store *s, struct store_list_entry *row, struct err *err) MUST_USE;
/* 0 also when it was gone. */
int store_list_delete(struct store *s, int64_t id, struct err *err) MUST_USE;
/* Removes what expired before before_s. */
int store_list_expire(struct store *s, int64_t before_s, size_t *removed, struct err *err) MUST_USE;

/* --- DNS block lists --- */

struct store_dnsbl_zone {
	int64_t id;
	struct str zone; /* A-labels, lower case; unique */
	struct str comment;
	bool disabled; /* kept, not asked */
};

/* The names of those that are asked, by name; cached in memory, nothing when there are none. */
size_t store_dnsbl_active(struct store *s, struct arena *a, struct str **zones);
/* All, by name. */
int store_dnsbl_list(struct store *s, struct arena *a, struct store_dnsbl_zone **rows,
	size_t *count, struct err *err) MUST_USE;
int store_dnsbl_put(struct store *s, struct store_dnsbl_zone *row, struct err *err) MUST_USE;
int store_dnsbl_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

#endif
