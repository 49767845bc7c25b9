#include "webui/nav.h"

#include "webui/router.h"

/* group: set where a new one begins, "" for entries above all groups.
 * also: other first segments that belong to this entry, unless an entry of their own shows. */
static const struct entry {
	const char *group, *path, *label, *also;
} entries[] = {
	{"", "", "Overview", ""},

	{"Mail", "log", "Log", ""},
	{NULL, "queue", "Queue", "holds"},
	{NULL, "quarantine", "Quarantine", ""},
	{NULL, "simulate", "What would happen", ""},

	{"Setup", "domains", "Domains", "addresses selectors"},
	{NULL, "accounts", "Accounts", ""},
	{NULL, "routes", "Routes", "transports"},
	{NULL, "transports", "Transports", ""},
	{NULL, "networks", "Networks", ""},
	{NULL, "lists", "Allow and deny", "blocklists"},
	{NULL, "sealers", "Trusted forwarders", ""},
	{NULL, "listeners", "Listeners", ""},

	{"Security", "certificates", "Certificates", ""},
	{NULL, "mtasts", "MTA-STS", ""},
	{NULL, "tlsresults", "TLS results", "tlssent"},
	{NULL, "destinations", "Destinations", ""},
	{NULL, "reports", "Reports", ""},

	{"System", "tokens", "API tokens", ""},
	{NULL, "settings", "Settings", ""},
	{NULL, "machine", "Machine", ""},
	{NULL, "metrics", "Metrics", ""},
	{NULL, "password", "Password", ""},
};
enum { ENTRIES = sizeof(entries) / sizeof(entries[0]) };

static bool is_shown(const struct entry *e)
{
	struct str params[PAGE_PARAMS_MAX];
	const struct route *r;

	/* ":" would match anything; no entry's path is a parameter. */
	return router_find(PAGE_GET, str_from(e->path), params, &r) == ROUTE_FOUND;
}

static bool is_also(const struct entry *e, struct str room)
{
	struct str rest = str_from(e->also), word;

	while (str_next(&rest, ' ', &word)) {
		if (word.len > 0 && str_eq(word, room))
			return true;
	}
	return false;
}

static const struct entry *place(struct str below)
{
	struct str room = below, tail;
	const struct entry *found = NULL;

	(void)str_split(below, '/', &room, &tail); /* no "/": all of it */
	for (size_t i = 0; i < ENTRIES; i++) {
		if (!is_shown(&entries[i]))
			continue;
		if (str_eq(room, str_from(entries[i].path)))
			return &entries[i];
		if (is_also(&entries[i], room))
			found = &entries[i];
	}
	return found;
}

const char *nav_place(struct str below)
{
	const struct entry *e = place(below);

	return e != NULL ? e->path : NULL;
}

void nav_fill(struct page *p)
{
	struct tval *groups = tval_set_list(p->arena, p->view, "nav"), *items = NULL;
	const struct entry *here = place(str_skip(p->path, strlen(p->base)));
	const char *label = NULL;

	for (size_t i = 0; i < ENTRIES; i++) {
		const struct entry *e = &entries[i];
		if (e->group != NULL) {
			label = e->group;
			items = NULL;
		}
		if (!is_shown(e))
			continue;
		if (items == NULL) { /* groups of which nothing shows are left out */
			struct tval *group = tval_add_map(p->arena, groups);
			tval_set_text(p->arena, group, "group", label);
			items = tval_set_list(p->arena, group, "items");
		}
		struct tval *item = tval_add_map(p->arena, items);
		tval_set_text(p->arena, item, "path", e->path);
		tval_set_text(p->arena, item, "label", e->label);
		tval_set_flag(p->arena, item, "here", e == here);
	}
	tval_set_text(p->arena, p->view, "here", here != NULL ? here->label : "");
}
