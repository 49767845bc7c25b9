/* import_plan - what an import is going to do, checked; inside policy. */
#ifndef POLICY_IMPORT_PLAN_H
#define POLICY_IMPORT_PLAN_H

#include "config/sconf.h"
#include "policy/import.h"
#include "store/dkimkey.h"

enum import_way { /* what a route can do with a transport */
	IMPORT_WAY_RELAY,
	IMPORT_WAY_DIRECT,
	IMPORT_WAY_NONE /* a kind that is not here; its routes are left out */
};

/* Each kind is a list in the order of the files. */
struct import_transport {
	struct import_transport *next;
	struct store_transport row;
	enum import_way way;
};
struct import_domain {
	struct import_domain *next;
	struct store_domain row;
};
struct import_account {
	struct import_account *next;
	struct store_account row;
};
struct import_address {
	struct import_address *next;
	struct store_address row;
	struct str domain;
};
struct import_route {
	struct import_route *next;
	struct store_route row; /* with the transport's name */
};

struct import_selector {
	struct import_selector *next;
	struct store_selector row;
	struct str domain, pem;
};

struct import_plan {
	struct store *store;
	struct arena *arena;
	const char *file; /* being read */
	struct import_report *report;
	size_t row_cap, route_count;
	struct import_transport *transports, **transport_end;
	struct import_domain *domains, **domain_end;
	struct import_account *accounts, **account_end;
	struct import_address *addresses, **address_end;
	struct import_route *routes, **route_end;
	struct import_selector *selectors, **selector_end;
	const struct import_key *keys; /* of the file being read */
	size_t key_count;
};

__attribute__((format(printf, 5, 6))) void import_row_add(struct import_plan *p,
	enum import_result result, const char *what, struct str name, const char *fmt, ...);

/* Reads one file. Transports and domains of every file come before what names them. */
int import_transports_read(
	struct import_plan *p, const struct sconf_node *root, struct err *err) MUST_USE;
int import_domains_read(
	struct import_plan *p, const struct sconf_node *root, struct err *err) MUST_USE;
int import_accounts_read(
	struct import_plan *p, const struct sconf_node *root, struct err *err) MUST_USE;
int import_routes_read(
	struct import_plan *p, const struct sconf_node *root, struct err *err) MUST_USE;
/* Section DKIM of a domain. */
int import_dkim_read(struct import_plan *p, const struct sconf_node *domain_node, struct str domain,
	struct err *err) MUST_USE;
int import_selectors_write(struct import_plan *p, struct err *err) MUST_USE;
void import_leftovers_note(struct import_plan *p, const struct sconf_node *root);

#endif
