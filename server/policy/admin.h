/* admin - changes to the directory, checked before they are stored: the same rules for
 * web, API, CLI and import. Each problem names its form field. */
#ifndef POLICY_ADMIN_H
#define POLICY_ADMIN_H

#include "store/directory.h"
#include "store/hold.h"

enum { ADMIN_PROBLEMS_MAX = 16 };

struct admin_problems {
	struct {
		const char *field; /* form name, e.g. "relay_hosts" */
		char text[256];    /* a sentence for people: what is wrong, what would be right */
	} at[ADMIN_PROBLEMS_MAX];
	size_t count;
};

/* Each _save checks every field, then stores when there is no problem: returns 0 and sets
 * row->id; 1 with problems filled (nothing stored); -1 the store failed. Text fields of the
 * row may point to raw form input; normal forms (lower case, A-labels) are put into the
 * arena and the row. Fields: see admin.c, tables at its top. */
int admin_domain_save(struct store *s, struct arena *a, struct store_domain *row,
	struct admin_problems *problems, struct err *err) MUST_USE;
int admin_address_save(struct store *s, struct arena *a, struct store_address *row,
	struct admin_problems *problems, struct err *err) MUST_USE;
/* password: new one or empty to keep; a new account may have none. */
int admin_account_save(struct store *s, struct arena *a, struct store_account *row,
	struct str password, struct admin_problems *problems, struct err *err) MUST_USE;
int admin_transport_save(struct store *s, struct arena *a, struct store_transport *row,
	struct admin_problems *problems, struct err *err) MUST_USE;
int admin_route_save(struct store *s, struct arena *a, struct store_route *row,
	struct admin_problems *problems, struct err *err) MUST_USE;
int admin_network_save(struct store *s, struct arena *a, struct store_network *row,
	struct admin_problems *problems, struct err *err) MUST_USE;

/* Hold rules are added and removed, not changed. */
int admin_hold_save(struct store *s, struct arena *a, struct store_hold_rule *row,
	struct admin_problems *problems, struct err *err) MUST_USE;

/* "host:port" lines or commas into relay->hosts. */
void admin_relay_hosts_parse(struct arena *a, struct str text, struct store_relay *relay,
	const char *field, unsigned default_port, struct admin_problems *problems);

/* The admin password of the web pages, kept as setting "admin_password". */
int admin_password_set(struct store *s, struct str password, struct err *err) MUST_USE;

#endif
