#include "policy/import.h"

#include "policy/admin.h"
#include "policy/import_plan.h"

/* What admin_..._save said after the checks of the plan: only a change beside ours, made
 * by somebody else meanwhile, can be in the way now. */
static int saved(int rc, const char *what, struct str name, const struct admin_problems *problems,
	struct err *err)
{
	if (rc == 1)
		(void)err_set(err, ERR_PERM, "%s", problems->at[0].text);
	return rc == 0 ? 0 : err_prefix(err, "%s %.*s", what, STR_FMT(name));
}

static int transports_write(struct import_plan *p, struct err *err)
{
	struct admin_problems problems;
	struct store_transport *rows;
	size_t count;

	if (store_transport_list(p->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (struct import_transport *t = p->transports; t != NULL; t = t->next) {
		bool there = false;

		if (t->way != IMPORT_WAY_RELAY)
			continue;
		for (size_t i = 0; i < count && !there; i++)
			there = str_eq(rows[i].name, t->row.name);
		if (!there &&
			saved(admin_transport_save(p->store, p->arena, &t->row, &problems, err),
				"transport", t->row.name, &problems, err) < 0)
			return -1;
		import_row_add(p, there ? IMPORT_EXISTS : IMPORT_ADDED, "transport", t->row.name,
			"%s", "");
	}
	return 0;
}

static int domains_write(struct import_plan *p, struct err *err)
{
	struct admin_problems problems;
	struct store_domain old;
	int rc;

	for (struct import_domain *d = p->domains; d != NULL; d = d->next) {
		rc = store_domain_find(p->store, d->row.name, p->arena, &old, err);
		if (rc < 0)
			return -1;
		if (rc == 0 && saved(admin_domain_save(p->store, p->arena, &d->row, &problems, err),
				       "domain", d->row.name, &problems, err) < 0)
			return -1;
		import_row_add(
			p, rc ? IMPORT_EXISTS : IMPORT_ADDED, "domain", d->row.name, "%s", "");
	}
	return 0;
}

static int accounts_write(struct import_plan *p, struct err *err)
{
	struct admin_problems problems;
	struct store_account old;
	int rc;

	for (struct import_account *a = p->accounts; a != NULL; a = a->next) {
		rc = store_account_find(p->store, a->row.name, p->arena, &old, err);
		if (rc < 0)
			return -1;
		if (rc == 0 && saved(admin_account_save(
					     p->store, p->arena, &a->row, STR(""), &problems, err),
				       "account", a->row.name, &problems, err) < 0)
			return -1;
		import_row_add(p, rc ? IMPORT_EXISTS : IMPORT_ADDED, "account", a->row.name, "%s",
			rc ? "" : "has no password yet: it cannot be taken over, set a new one");
	}
	return 0;
}

static int address_write(struct import_plan *p, struct import_address *a, struct err *err)
{
	const char *what = a->row.kind == STORE_ADDRESS_ALIAS ? "alias" : "address";
	struct str name = str_from(
		arena_printf(p->arena, "%.*s@%.*s", STR_FMT(a->row.localpart), STR_FMT(a->domain)));
	struct admin_problems problems;
	struct store_domain domain;
	struct store_address old;
	int rc = store_domain_find(p->store, a->domain, p->arena, &domain, err);

	if (rc < 0)
		return -1;
	a->row.domain_id = domain.id; /* 0 when it was deleted meanwhile: refused below */
	rc = store_address_find(p->store, domain.id, a->row.localpart, p->arena, &old, err);
	if (rc < 0)
		return -1;
	if (rc == 0 && saved(admin_address_save(p->store, p->arena, &a->row, &problems, err), what,
			       name, &problems, err) < 0)
		return -1;
	if (rc == 1 && a->row.account.len > 0 && !str_eq(old.account, a->row.account))
		import_row_add(p, IMPORT_EXISTS, what, name, "stays with %s%.*s",
			old.account.len > 0 ? "account " : "what it is here", STR_FMT(old.account));
	else
		import_row_add(p, rc ? IMPORT_EXISTS : IMPORT_ADDED, what, name, "%s", "");
	return 0;
}

static int routes_write(struct import_plan *p, struct err *err)
{
	struct admin_problems problems;
	struct store_route *rows;
	size_t count;

	if (store_route_list(p->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (struct import_route *r = p->routes; r != NULL; r = r->next) {
		struct str name = str_from(arena_printf(p->arena, "%.*s > %.*s",
			STR_FMT(r->row.from_domain.len > 0 ? r->row.from_domain : STR("*")),
			STR_FMT(r->row.to_domain.len > 0 ? r->row.to_domain : STR("*"))));
		bool there = false;

		for (size_t i = 0; i < count && !there; i++)
			there = str_eq(rows[i].from_domain, r->row.from_domain) &&
				str_eq(rows[i].to_domain, r->row.to_domain) &&
				str_eq(rows[i].transport, r->row.transport) &&
				rows[i].min_attempts == r->row.min_attempts;
		if (!there && saved(admin_route_save(p->store, p->arena, &r->row, &problems, err),
				      "route", name, &problems, err) < 0)
			return -1;
		import_row_add(p, there ? IMPORT_EXISTS : IMPORT_ADDED, "route", name, "%s%.*s",
			r->row.transport.len > 0 ? "by " : "direct", STR_FMT(r->row.transport));
	}
	return 0;
}

/* Every file is parsed before any is read; transports and domains of all files before what
 * names them. */
static int plan_make(
	struct import_plan *p, const struct import_file *files, size_t count, struct err *err)
{
	int (*const steps[])(struct import_plan *, const struct sconf_node *, struct err *) = {
		import_transports_read, import_domains_read, import_accounts_read,
		import_routes_read};
	struct sconf_node *roots[IMPORT_FILES_MAX];

	for (size_t i = 0; i < count; i++) {
		if (sconf_parse(p->arena, files[i].text, files[i].name, &roots[i], err) < 0)
			return -1;
	}
	for (size_t step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
		for (size_t i = 0; i < count; i++) {
			p->file = files[i].name;
			p->keys = files[i].keys;
			p->key_count = files[i].key_count;
			if (steps[step](p, roots[i], err) < 0)
				return -1;
		}
	}
	for (size_t i = 0; i < count; i++) {
		p->file = files[i].name;
		import_leftovers_note(p, roots[i]);
	}
	if (p->transports == NULL && p->domains == NULL && p->accounts == NULL && p->routes == NULL)
		return err_set(err, ERR_PERM,
			"%s: no Domains, Accounts, Routes or Transports in it",
			count > 0 ? files[0].name : "import");
	return 0;
}

int import_run(struct store *s, struct arena *a, const struct import_file *files, size_t file_count,
	struct import_report *report, struct err *err)
{
	struct import_plan p = {.store = s, .arena = a, .report = report};

	*report = (struct import_report){.count = 0};
	p.transport_end = &p.transports;
	p.domain_end = &p.domains;
	p.account_end = &p.accounts;
	p.address_end = &p.addresses;
	p.route_end = &p.routes;
	p.selector_end = &p.selectors;
	if (file_count > IMPORT_FILES_MAX)
		return err_set(err, ERR_BUG, "import: over %d files", IMPORT_FILES_MAX);
	if (plan_make(&p, files, file_count, err) < 0 || transports_write(&p, err) < 0 ||
		domains_write(&p, err) < 0 || import_selectors_write(&p, err) < 0 ||
		accounts_write(&p, err) < 0)
		return -1;
	for (struct import_address *row = p.addresses; row != NULL; row = row->next) {
		if (address_write(&p, row, err) < 0)
			return -1;
	}
	return routes_write(&p, err);
}
