#include "policy/import_plan.h"

#include "policy/admin_check.h"

#include <stdarg.h>
#include <stdio.h>

void import_row_add(struct import_plan *p, enum import_result result, const char *what,
	struct str name, const char *fmt, ...)
{
	struct import_report *r = p->report;
	struct import_row *grown;
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->count == p->row_cap) {
		p->row_cap = p->row_cap * 2 + 32;
		grown = arena_alloc(p->arena, p->row_cap * sizeof(*grown));
		if (r->count > 0)
			memcpy(grown, r->rows, r->count * sizeof(*grown));
		r->rows = grown;
	}
	r->rows[r->count++] = (struct import_row){.result = result,
		.what = what,
		.name = name,
		.text = arena_strdup(p->arena, str_from(text))};
	if (result == IMPORT_ADDED)
		r->added++;
	else if (result == IMPORT_EXISTS)
		r->existing++;
	else
		r->notes++;
}

static int plan_error(const struct import_plan *p, const struct sconf_node *node, struct err *err,
	const char *what, const char *why)
{
	return err_set(err, ERR_PERM, "%s:%u: %s \"%.*s\": %s", p->file, node->line, what,
		STR_FMT(node->key.len > 0 ? node->key : node->value), why);
}

/* The first problem as an error of that line. */
static int problems_error(const struct import_plan *p, const struct sconf_node *node,
	const char *what, const struct admin_problems *problems, struct err *err)
{
	if (problems->count == 0)
		return 0;
	return plan_error(p, node, err, what, problems->at[0].text);
}

static struct str value_of(const struct sconf_node *map, struct str key)
{
	const struct sconf_node *node = sconf_get(map, key);

	return node && node->kind == SCONF_VALUE ? node->value : (struct str){"", 0};
}

static int bool_read(const struct import_plan *p, const struct sconf_node *map, struct str key,
	bool *out, struct err *err)
{
	const struct sconf_node *node = sconf_get(map, key);

	*out = false;
	if (node == NULL || node->kind == SCONF_EMPTY)
		return 0;
	if (!str_eq(node->value, STR("true")) && !str_eq(node->value, STR("false")))
		return plan_error(p, node, err, "field", "the value is neither true nor false");
	*out = node->value.p[0] == 't';
	return 0;
}

/* The child section or list of that name; *out is NULL when there is none. */
static int child_get(const struct import_plan *p, const struct sconf_node *node, struct str key,
	enum sconf_kind kind, const struct sconf_node **out, struct err *err)
{
	const struct sconf_node *child = sconf_get(node, key);

	*out = NULL;
	if (child == NULL || child->kind == SCONF_EMPTY)
		return 0;
	if (child->kind != kind)
		return plan_error(p, child, err, "field",
			kind == SCONF_LIST ? "a list belongs here, items after \"- \""
					   : "a section belongs here, its fields one tab deeper");
	*out = child;
	return 0;
}

/* Fields that nothing here is made of. */
static void rest_note(struct import_plan *p, const char *what, const struct sconf_node *node,
	struct str name, const char *const *known)
{
	for (const struct sconf_node *n = node->first; n != NULL; n = n->next) {
		bool found = false;

		for (size_t i = 0; known[i] != NULL && !found; i++)
			found = str_eq(n->key, str_from(known[i]));
		if (!found)
			import_row_add(p, IMPORT_NOTE, what, name,
				"%s:%u: %.*s has no place here yet and is left out", p->file,
				n->line, STR_FMT(n->key));
	}
}

/* --- transports --- */

static int relay_read(struct import_plan *p, const struct sconf_node *way, unsigned port,
	struct store_relay *relay, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	const struct sconf_node *auth, *given = sconf_get(way, STR("Port"));
	struct str host = value_of(way, STR("Host"));
	bool plain, unchecked;
	uint64_t n;

	if (bool_read(p, way, STR("NoSTARTTLS"), &plain, err) < 0 ||
		bool_read(p, way, STR("STARTTLSInsecureSkipVerify"), &unchecked, err) < 0 ||
		child_get(p, way, STR("Auth"), SCONF_MAP, &auth, err) < 0)
		return -1;
	if (host.len == 0)
		return plan_error(p, way, err, "transport", "Host is missing");
	if (given != NULL) {
		if (!str_to_u64(given->value, 65535, &n))
			return plan_error(p, given, err, "field", "not a port");
		port = n > 0 ? (unsigned)n : port;
	}
	if (plain && relay->tls != STORE_TLS_IMMEDIATE)
		relay->tls = STORE_TLS_NONE;
	else if (unchecked)
		relay->tls = STORE_TLS_OPPORTUNISTIC;
	if (auth != NULL) {
		relay->username = value_of(auth, STR("Username"));
		relay->password = value_of(auth, STR("Password"));
	}
	admin_relay_hosts_parse(p->arena, host, relay, "Host", port, &problems);
	if (problems.count == 0)
		admin_relay_check(p->arena, relay, &problems);
	return problems_error(p, way, "transport", &problems, err);
}

static int transport_read(struct import_plan *p, const struct sconf_node *node, struct err *err)
{
	static const struct {
		const char *name;
		unsigned port;
		enum store_tls_mode tls;
	} ways[] = {{"Submissions", 465, STORE_TLS_IMMEDIATE},
		{"Submission", 587, STORE_TLS_VERIFY}, {"SMTP", 25, STORE_TLS_VERIFY}};
	struct import_transport *t = arena_alloc(p->arena, sizeof(*t));
	struct admin_problems problems = {.count = 0};
	const struct sconf_node *way = NULL;

	if (node->kind != SCONF_MAP)
		return plan_error(p, node, err, "transport", "it has no fields");
	t->way = IMPORT_WAY_RELAY;
	t->row.name = admin_name_check(p->arena, node->key, "name", &problems);
	if (problems_error(p, node, "transport", &problems, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && way == NULL; i++) {
		way = sconf_get(node, str_from(ways[i].name));
		t->row.relay.tls = ways[i].tls;
		if (way != NULL && relay_read(p, way, ways[i].port, &t->row.relay, err) < 0)
			return -1;
	}
	if (way == NULL) {
		t->way = sconf_get(node, STR("Direct")) ? IMPORT_WAY_DIRECT : IMPORT_WAY_NONE;
		import_row_add(p, IMPORT_NOTE, "transport", t->row.name,
			t->way == IMPORT_WAY_DIRECT
				? "%s:%u: routes by it say \"direct\" here"
				: "%s:%u: this kind is not here; routes by it are left out",
			p->file, node->line);
	}
	*p->transport_end = t;
	p->transport_end = &t->next;
	return 0;
}

int import_transports_read(struct import_plan *p, const struct sconf_node *root, struct err *err)
{
	const struct sconf_node *list;

	if (child_get(p, root, STR("Transports"), SCONF_MAP, &list, err) < 0)
		return -1;
	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (transport_read(p, n, err) < 0)
			return -1;
	}
	return 0;
}

/* --- domains --- */

static int domain_read(struct import_plan *p, const struct sconf_node *node, struct err *err)
{
	static const char *const known[] = {"Description", "Disabled", "LocalpartCatchallSeparator",
		"LocalpartCatchallSeparators", "LocalpartCaseSensitive", "Aliases", "Routes",
		"DKIM", NULL};
	struct import_domain *d = arena_alloc(p->arena, sizeof(*d));
	struct admin_problems problems = {.count = 0};
	const struct sconf_node *separators;

	if (node->kind == SCONF_VALUE || node->kind == SCONF_LIST)
		return plan_error(p, node, err, "domain", "its fields belong one tab deeper");
	d->row.delivery = STORE_DELIVERY_MAILBOX;
	d->row.name = admin_domain_check(p->arena, node->key, "name", &problems);
	d->row.description = admin_text_check(
		p->arena, value_of(node, STR("Description")), "description", &problems);
	if (bool_read(p, node, STR("Disabled"), &d->row.disabled, err) < 0 ||
		bool_read(p, node, STR("LocalpartCaseSensitive"), &d->row.case_sensitive, err) <
			0 ||
		child_get(p, node, STR("LocalpartCatchallSeparators"), SCONF_LIST, &separators,
			err) < 0)
		return -1;
	d->row.separator = value_of(node, STR("LocalpartCatchallSeparator"));
	if (separators != NULL && d->row.separator.len == 0) {
		d->row.separator = separators->first->value;
		if (separators->count > 1)
			import_row_add(p, IMPORT_NOTE, "domain", d->row.name,
				"%s:%u: only the first separator, \"%.*s\", is taken over", p->file,
				separators->line, STR_FMT(d->row.separator));
	}
	admin_separator_check(d->row.separator, &problems);
	if (problems_error(p, node, "domain", &problems, err) < 0)
		return -1;
	rest_note(p, "domain", node, d->row.name, known);
	*p->domain_end = d;
	p->domain_end = &d->next;
	return import_dkim_read(p, node, d->row.name, err);
}

int import_domains_read(struct import_plan *p, const struct sconf_node *root, struct err *err)
{
	const struct sconf_node *list;

	if (child_get(p, root, STR("Domains"), SCONF_MAP, &list, err) < 0)
		return -1;
	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (domain_read(p, n, err) < 0)
			return -1;
	}
	return 0;
}

/* --- addresses --- */

/* The domain as it will be: in the store, which wins, or in the files. */
static int domain_find(struct import_plan *p, const struct sconf_node *node, struct str name,
	struct store_domain *out, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct str ascii = admin_domain_check(p->arena, name, "domain", &problems);
	int rc;

	if (problems_error(p, node, "address", &problems, err) < 0)
		return -1;
	rc = store_domain_find(p->store, ascii, p->arena, out, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (const struct import_domain *d = p->domains; d != NULL; d = d->next) {
		if (str_eq(d->row.name, ascii)) {
			*out = d->row;
			return 0;
		}
	}
	return plan_error(p, node, err, "address", "its domain is neither in the files nor here");
}

/* key is "local@domain", "@domain" for the catch-all, or a local part of default_domain. */
static int address_add(struct import_plan *p, const struct sconf_node *node,
	struct str default_domain, const struct store_address *row, struct err *err)
{
	struct import_address *a = arena_alloc(p->arena, sizeof(*a));
	struct admin_problems problems = {.count = 0};
	struct str key = node->key, local = key, name = default_domain;
	struct store_domain domain;
	size_t at = key.len;

	while (at > 0 && key.p[at - 1] != '@')
		at--;
	if (at > 0) {
		local = (struct str){key.p, at - 1};
		name = str_skip(key, at);
	}
	if (domain_find(p, node, name, &domain, err) < 0)
		return -1;
	a->row = *row;
	a->domain = domain.name;
	a->row.localpart = admin_localpart_check(p->arena, local, &domain, &problems);
	if (problems_error(p, node, "address", &problems, err) < 0)
		return -1;
	*p->address_end = a;
	p->address_end = &a->next;
	return 0;
}

static int destinations_read(struct import_plan *p, const struct sconf_node *account,
	struct str account_name, struct err *err)
{
	static const char *const known[] = {NULL};
	struct store_address row = {.kind = STORE_ADDRESS_MAILBOX, .account = account_name};
	const struct sconf_node *list;

	if (child_get(p, account, STR("Destinations"), SCONF_MAP, &list, err) < 0)
		return -1;
	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (address_add(p, n, value_of(account, STR("Domain")), &row, err) < 0)
			return -1;
		/* All mail goes to the inbox; that much needs no note. */
		if (n->count != 1 || !str_eq(value_of(n, STR("Mailbox")), STR("Inbox")))
			rest_note(p, "address", n, n->key, known);
	}
	return 0;
}

static int alias_read(
	struct import_plan *p, const struct sconf_node *node, struct str domain, struct err *err)
{
	static const char *const known[] = {"Addresses", NULL};
	struct store_address row = {.kind = STORE_ADDRESS_ALIAS};
	struct admin_problems problems = {.count = 0};
	const struct sconf_node *list;

	if (child_get(p, node, STR("Addresses"), SCONF_LIST, &list, err) < 0)
		return -1;
	if (list == NULL || list->count > STORE_ALIAS_MEMBERS_MAX)
		return plan_error(p, node, err, "alias", "Addresses must list 1 to 1000 addresses");
	row.members = arena_alloc(p->arena, list->count * sizeof(*row.members));
	for (const struct sconf_node *m = list->first; m != NULL; m = m->next) {
		if (!admin_member_parse(
			    p->arena, m->value, &row.members[row.member_count++], &problems))
			return problems_error(p, m, "alias member", &problems, err);
	}
	rest_note(p, "alias", node, node->key, known);
	return address_add(p, node, domain, &row, err);
}

static int account_read(struct import_plan *p, const struct sconf_node *node, struct err *err)
{
	static const char *const known[] = {
		"Domain", "Description", "FullName", "Destinations", NULL};
	struct import_account *account = arena_alloc(p->arena, sizeof(*account));
	struct admin_problems problems = {.count = 0};

	if (node->kind == SCONF_VALUE || node->kind == SCONF_LIST)
		return plan_error(p, node, err, "account", "its fields belong one tab deeper");
	account->row.name = admin_name_check(p->arena, node->key, "name", &problems);
	account->row.full_name =
		admin_text_check(p->arena, value_of(node, STR("FullName")), "full_name", &problems);
	if (problems_error(p, node, "account", &problems, err) < 0)
		return -1;
	rest_note(p, "account", node, account->row.name, known);
	*p->account_end = account;
	p->account_end = &account->next;
	return destinations_read(p, node, account->row.name, err);
}

int import_accounts_read(struct import_plan *p, const struct sconf_node *root, struct err *err)
{
	const struct sconf_node *list, *aliases;

	if (child_get(p, root, STR("Accounts"), SCONF_MAP, &list, err) < 0)
		return -1;
	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (account_read(p, n, err) < 0)
			return -1;
	}
	if (child_get(p, root, STR("Domains"), SCONF_MAP, &list, err) < 0)
		return -1;
	for (const struct sconf_node *d = list ? list->first : NULL; d != NULL; d = d->next) {
		if (child_get(p, d, STR("Aliases"), SCONF_MAP, &aliases, err) < 0)
			return -1;
		for (const struct sconf_node *n = aliases ? aliases->first : NULL; n; n = n->next) {
			if (alias_read(p, n, d->key, err) < 0)
				return -1;
		}
	}
	return 0;
}

void import_leftovers_note(struct import_plan *p, const struct sconf_node *root)
{
	static const char *const known[] = {"Domains", "Accounts", "Routes", "Transports", NULL};

	/* What a mox.conf has besides transports is not for import. */
	if (sconf_get(root, STR("Domains")) != NULL || sconf_get(root, STR("Accounts")) != NULL)
		rest_note(p, "file", root, str_from(p->file), known);
}
