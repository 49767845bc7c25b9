/* The reference system's routes have lists of domains; here a route has one of each. */
#include "policy/import_plan.h"

#include "policy/admin_check.h"

static int route_error(const struct import_plan *p, unsigned line, const char *why, struct err *err)
{
	return err_set(err, ERR_PERM, "%s:%u: route: %s", p->file, line, why);
}

/* The i-th item of a list, checked; "" (any) when there is no list. */
static int pattern_get(struct import_plan *p, const struct sconf_node *route, struct str key,
	size_t i, struct str *out, struct err *err)
{
	const struct sconf_node *list = sconf_get(route, key);
	const struct sconf_node *n = list ? list->first : NULL;
	struct admin_problems problems = {.count = 0};

	*out = (struct str){"", 0};
	if (n == NULL)
		return list == NULL || list->kind == SCONF_EMPTY
			       ? 0
			       : route_error(p, list->line, "a list of domains belongs here", err);
	while (i-- > 0 && n->next != NULL)
		n = n->next;
	*out = admin_pattern_check(p->arena, n->value, "domain", &problems);
	if (problems.count > 0)
		return route_error(p, n->line, problems.at[0].text, err);
	return 0;
}

static size_t pattern_count(const struct sconf_node *route, struct str key)
{
	const struct sconf_node *list = sconf_get(route, key);

	return list && list->kind == SCONF_LIST ? list->count : 1;
}

/* The transport a route names: what can be done with it, and its id when it is here. */
static int transport_find(struct import_plan *p, const struct sconf_node *node,
	enum import_way *way, struct store_route *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_transport *rows;
	size_t count;

	row->transport = admin_name_check(p->arena, node->value, "transport", &problems);
	if (problems.count > 0)
		return route_error(p, node->line, problems.at[0].text, err);
	for (const struct import_transport *t = p->transports; t != NULL; t = t->next) {
		if (str_eq(t->row.name, row->transport)) {
			*way = t->way;
			return 0;
		}
	}
	*way = IMPORT_WAY_RELAY;
	if (store_transport_list(p->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(rows[i].name, row->transport))
			return 0;
	}
	return err_set(err, ERR_PERM,
		"%s:%u: route: there is no transport \"%.*s\"; import the mox.conf that has it "
		"first, or add it",
		p->file, node->line, STR_FMT(row->transport));
}

/* from: of the routes of a domain; else NULL. */
static int route_read(
	struct import_plan *p, const struct sconf_node *node, const char *from, struct err *err)
{
	const struct sconf_node *transport = sconf_get(node, STR("Transport"));
	const struct sconf_node *attempts = sconf_get(node, STR("MinimumAttempts"));
	size_t froms = from ? 1 : pattern_count(node, STR("FromDomain"));
	size_t tos = pattern_count(node, STR("ToDomain"));
	struct store_route row = {.position = 0};
	enum import_way way;
	uint64_t n = 0;

	if (transport == NULL || transport->kind != SCONF_VALUE)
		return route_error(p, node->line, "Transport is missing", err);
	if (attempts != NULL && !str_to_u64(attempts->value, 100, &n))
		return route_error(
			p, attempts->line, "MinimumAttempts is not a number from 0 to 100", err);
	row.min_attempts = (unsigned)n;
	if (transport_find(p, transport, &way, &row, err) < 0)
		return -1;
	if (from != NULL && sconf_get(node, STR("FromDomain")) != NULL)
		import_row_add(p, IMPORT_NOTE, "route", row.transport,
			"%s:%u: FromDomain is left out: a domain's routes are for that domain",
			p->file, node->line);
	if (way == IMPORT_WAY_NONE) {
		import_row_add(p, IMPORT_NOTE, "route", row.transport,
			"%s:%u: left out, since its transport cannot be taken over", p->file,
			node->line);
		return 0;
	}
	if (way == IMPORT_WAY_DIRECT)
		row.transport = (struct str){"", 0};
	for (size_t i = 0; i < froms * tos; i++) {
		struct import_route *r = arena_alloc(p->arena, sizeof(*r));

		if (++p->route_count > IMPORT_ROUTES_MAX)
			return route_error(p, node->line, "over 10000 routes", err);
		r->row = row;
		r->row.from_domain = str_from(from);
		if ((from == NULL && pattern_get(p, node, STR("FromDomain"), i / tos,
					     &r->row.from_domain, err) < 0) ||
			pattern_get(p, node, STR("ToDomain"), i % tos, &r->row.to_domain, err) < 0)
			return -1;
		*p->route_end = r;
		p->route_end = &r->next;
	}
	return 0;
}

static int list_read(
	struct import_plan *p, const struct sconf_node *owner, const char *from, struct err *err)
{
	const struct sconf_node *list = sconf_get(owner, STR("Routes"));

	if (list == NULL || list->kind == SCONF_EMPTY)
		return 0;
	if (list->kind != SCONF_LIST)
		return route_error(p, list->line, "Routes is a list, its items after \"-\"", err);
	for (const struct sconf_node *n = list->first; n != NULL; n = n->next) {
		if (route_read(p, n, from, err) < 0)
			return -1;
	}
	return 0;
}

/* The first match wins there, a domain's own routes before those for all: so here. */
int import_routes_read(struct import_plan *p, const struct sconf_node *root, struct err *err)
{
	const struct sconf_node *list = sconf_get(root, STR("Domains"));
	struct admin_problems problems = {.count = 0};

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		struct str name = admin_domain_check(p->arena, n->key, "name", &problems);

		if (list_read(p, n, arena_strdup(p->arena, name), err) < 0)
			return -1;
	}
	return list_read(p, root, NULL, err);
}
