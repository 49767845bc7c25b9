/* control_import - domains, accounts, addresses, aliases and routes out of a domains.conf
 * of the reference system, transports out of its mox.conf. What is there already stays as it is, so
 * that an import can be run again. Every entry is answered with a row: what, name, result, text. */
#include "control/control_priv.h"

#include "config/sconf.h"
#include "message/message.h"

#include <stdio.h>

struct import {
	struct call *call;
	int64_t added, kept, skipped, failed;
};

/* One entry's row. rc: 1 added, 0 was there, -1 why not (in why). -1 only when the peer is
 * gone or the disk is full; a wrong entry does not stop the others. */
static int entry(struct import *im, const char *what, struct str name, int rc,
	const struct err *why, struct err *err)
{
	const char *result = rc > 0 ? "added" : rc == 0 ? "exists" : "failed";

	if (rc > 0)
		im->added++;
	else if (rc == 0)
		im->kept++;
	else
		im->failed++;
	if (rc < 0 && why->kind != ERR_PERM) {
		*err = *why;
		return err_prefix(err, "%s %.*s", what, STR_FMT(name));
	}
	return call_row(im->call,
		json_pack("{s:s, s:o, s:s, s:s}", "what", what, "name", json_view(name), "result",
			result, "text", rc < 0 ? why->text : ""),
		err);
}

/* Settings we have no place for: said, not silently lost. */
static int skipped(
	struct import *im, const char *what, struct str name, const char *text, struct err *err)
{
	im->skipped++;
	return call_row(im->call,
		json_pack("{s:s, s:o, s:s, s:s}", "what", what, "name", json_view(name), "result",
			"skipped", "text", text),
		err);
}

static struct str value_of(const struct sconf_node *map, struct str key)
{
	const struct sconf_node *node = sconf_get(map, key);

	return node && node->kind == SCONF_VALUE ? node->value : (struct str){NULL, 0};
}

static bool is_true(const struct sconf_node *map, struct str key)
{
	return str_eq(value_of(map, key), STR("true"));
}

/* --- domains --- */

static int domain_import(struct call *call, const struct sconf_node *node, struct err *err)
{
	struct store_domain d = {.name = node->key,
		.description = value_of(node, STR("Description")),
		.disabled = is_true(node, STR("Disabled")),
		.delivery = STORE_DELIVERY_MAILBOX,
		.separator = value_of(node, STR("LocalpartCatchallSeparator")),
		.case_sensitive = is_true(node, STR("LocalpartCaseSensitive"))};
	struct admin_problems problems = {.count = 0};
	struct store_domain old;
	char ascii[DNS_NAME_MAX];

	if (dns_name_to_ascii(node->key, ascii, err) < 0)
		return -1;
	int rc = store_domain_find(call->ctl->store, str_from(ascii), call->arena, &old, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = admin_domain_save(call->ctl->store, call->arena, &d, &problems, err);
	return call_saved(rc, &problems, err) < 0 ? -1 : 1;
}

/* --- addresses --- */

/* text: "local@domain", "@domain", or a local part of default_domain. */
static int address_split(struct call *call, struct str text, struct str default_domain,
	struct str *localpart, struct store_domain *domain, struct err *err)
{
	char ascii[DNS_NAME_MAX];
	struct message_address addr;
	struct str name = default_domain;

	*localpart = text;
	if (text.len > 1 && text.p[0] == '@') {
		*localpart = STR("");
		name = str_skip(text, 1);
	} else if (text.len > 0 && memchr(text.p, '@', text.len) != NULL) {
		if (message_address_parse(call->arena, text, &addr, err) < 0)
			return -1;
		*localpart = addr.localpart;
		name = addr.domain;
	}
	if (dns_name_to_ascii(name, ascii, err) < 0)
		return -1;
	int rc = store_domain_find(call->ctl->store, str_from(ascii), call->arena, domain, err);
	if (rc == 0)
		return err_set(err, ERR_PERM, "domain %s is not hosted here", ascii);
	return rc < 0 ? -1 : 0;
}

static int address_put(struct call *call, struct str text, struct str default_domain,
	struct store_address *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_domain domain;
	struct store_address old;

	if (address_split(call, text, default_domain, &row->localpart, &domain, err) < 0)
		return -1;
	row->domain_id = domain.id;
	char *look = arena_strdup(call->arena, row->localpart);
	if (!domain.case_sensitive)
		str_lower(look, row->localpart.len);
	int rc = store_address_find(call->ctl->store, domain.id,
		(struct str){look, row->localpart.len}, call->arena, &old, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = admin_address_save(call->ctl->store, call->arena, row, &problems, err);
	return call_saved(rc, &problems, err) < 0 ? -1 : 1;
}

static int alias_import(
	struct call *call, const struct sconf_node *node, struct str domain, struct err *err)
{
	const struct sconf_node *list = sconf_get(node, STR("Addresses"));
	struct store_address row = {.kind = STORE_ADDRESS_ALIAS};

	if (list == NULL || list->kind != SCONF_LIST || list->count > STORE_ALIAS_MEMBERS_MAX)
		return err_set(err, ERR_PERM, "line %u: Addresses must list 1 to %d addresses",
			node->line, STORE_ALIAS_MEMBERS_MAX);
	row.members = arena_alloc(call->arena, list->count * sizeof(*row.members));
	for (const struct sconf_node *m = list->first; m != NULL; m = m->next)
		row.members[row.member_count++] = m->value;
	return address_put(call, node->key, domain, &row, err);
}

/* --- accounts --- */

static int account_import(
	struct call *call, const struct sconf_node *node, int64_t *id, struct err *err)
{
	struct store_account row = {
		.name = node->key, .full_name = value_of(node, STR("FullName"))};
	struct admin_problems problems = {.count = 0};
	struct store_account old;
	int rc = store_account_find(call->ctl->store, node->key, call->arena, &old, err);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		*id = old.id;
		return 0;
	}
	rc = admin_account_save(call->ctl->store, call->arena, &row, STR(""), &problems, err);
	*id = row.id;
	return call_saved(rc, &problems, err) < 0 ? -1 : 1;
}

static int destinations_import(
	struct import *im, const struct sconf_node *account, int64_t account_id, struct err *err)
{
	const struct sconf_node *list = sconf_get(account, STR("Destinations"));
	struct str domain = value_of(account, STR("Domain"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		struct store_address row = {
			.kind = STORE_ADDRESS_MAILBOX, .account_id = account_id};
		struct err why = {.kind = ERR_NONE};
		int rc = address_put(im->call, n->key, domain, &row, &why);
		if (entry(im, "address", n->key, rc, &why, err) < 0)
			return -1;
		if (n->count > 0 &&
			skipped(im, "address", n->key,
				"mailboxes and rulesets of an address are not kept", err) < 0)
			return -1;
	}
	return 0;
}

/* --- routes --- */

/* The one value of a list member, "" when absent. More than one needs more routes. */
static struct str list_item(const struct sconf_node *map, struct str key, size_t i)
{
	const struct sconf_node *list = sconf_get(map, key);
	const struct sconf_node *n = list ? list->first : NULL;

	while (n != NULL && i-- > 0)
		n = n->next;
	return n ? n->value : (struct str){NULL, 0};
}

static size_t list_count(const struct sconf_node *map, struct str key)
{
	const struct sconf_node *list = sconf_get(map, key);

	return list && list->count > 0 ? list->count : 1;
}

static int transport_id(struct call *call, struct str name, int64_t *id, struct err *err)
{
	struct store_transport *rows;
	size_t count;

	if (store_transport_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (str_eq(rows[i].name, name)) {
			*id = rows[i].id;
			return 0;
		}
	return err_set(err, ERR_PERM,
		"there is no transport %.*s; add it with \"mox config transport add\" and import "
		"again",
		STR_FMT(name));
}

/* 1 when one like it is there. */
static int route_exists(struct call *call, const struct store_route *like, struct err *err)
{
	struct store_route *rows;
	size_t count;

	if (store_route_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(rows[i].from_domain, like->from_domain) &&
			str_eq_nocase(rows[i].to_domain, like->to_domain) &&
			rows[i].min_attempts == like->min_attempts &&
			rows[i].transport_id == like->transport_id)
			return 1;
	return 0;
}

static int route_put(struct call *call, struct store_route *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	int rc = route_exists(call, row, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = admin_route_save(call->ctl->store, call->arena, row, &problems, err);
	return call_saved(rc, &problems, err) < 0 ? -1 : 1;
}

/* from: of the routes of a domain; else each route's own. */
static int routes_import(
	struct import *im, const struct sconf_node *owner, struct str from, struct err *err)
{
	const struct sconf_node *list = sconf_get(owner, STR("Routes"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		size_t froms = from.len ? 1 : list_count(n, STR("FromDomain"));
		size_t tos = list_count(n, STR("ToDomain"));
		struct str transport = value_of(n, STR("Transport"));
		uint64_t attempts = 0;
		struct err why = {.kind = ERR_NONE};
		int64_t id = 0;
		(void)str_to_u64(value_of(n, STR("MinimumAttempts")), 1000, &attempts);
		int rc = transport_id(im->call, transport, &id, &why);
		for (size_t k = 0; rc == 0 && k < froms * tos; k++) {
			struct store_route row = {
				.from_domain =
					from.len ? from : list_item(n, STR("FromDomain"), k / tos),
				.to_domain = list_item(n, STR("ToDomain"), k % tos),
				.min_attempts = (unsigned)attempts,
				.transport_id = id};
			int put = route_put(im->call, &row, &why);
			if (entry(im, "route", transport, put, &why, err) < 0)
				return -1;
		}
		if (rc < 0 && entry(im, "route", transport, rc, &why, err) < 0)
			return -1;
	}
	return 0;
}

/* --- transports, from a mox.conf --- */

/* One of Submissions, Submission, SMTP; the port and TLS that each means. */
static int transport_relay(struct call *call, const struct sconf_node *node,
	struct store_relay *relay, struct err *err)
{
	static const struct {
		const char *name;
		unsigned port;
		enum store_tls_mode tls;
	} ways[] = {{"Submissions", 465, STORE_TLS_IMMEDIATE},
		{"Submission", 587, STORE_TLS_VERIFY}, {"SMTP", 25, STORE_TLS_VERIFY}};
	struct admin_problems problems = {.count = 0};
	const struct sconf_node *way = NULL;
	unsigned port = 0;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && way == NULL; i++) {
		way = sconf_get(node, str_from(ways[i].name));
		port = ways[i].port;
		relay->tls = ways[i].tls;
	}
	if (way == NULL)
		return err_set(err, ERR_PERM,
			"line %u: only Submissions, Submission and SMTP can "
			"be taken over",
			node->line);
	if (is_true(way, STR("NoSTARTTLS")))
		relay->tls = STORE_TLS_NONE;
	else if (is_true(way, STR("STARTTLSInsecureSkipVerify")))
		relay->tls = STORE_TLS_OPPORTUNISTIC;
	uint64_t given = 0;
	if (str_to_u64(value_of(way, STR("Port")), 65535, &given) && given > 0)
		port = (unsigned)given;
	const struct sconf_node *auth = sconf_get(way, STR("Auth"));
	if (auth != NULL) {
		relay->username = value_of(auth, STR("Username"));
		relay->password = value_of(auth, STR("Password"));
	}
	admin_relay_hosts_parse(
		call->arena, value_of(way, STR("Host")), relay, "Host", port, &problems);
	return call_saved(problems.count > 0, &problems, err);
}

static int transport_import(struct call *call, const struct sconf_node *node, struct err *err)
{
	struct store_transport row = {.name = node->key};
	struct admin_problems problems = {.count = 0};
	struct err none;
	int64_t id;

	if (transport_id(call, node->key, &id, &none) == 0)
		return 0;
	if (transport_relay(call, node, &row.relay, err) < 0)
		return -1;
	int rc = admin_transport_save(call->ctl->store, call->arena, &row, &problems, err);
	return call_saved(rc, &problems, err) < 0 ? -1 : 1;
}

static int transports_import(struct import *im, const struct sconf_node *root, struct err *err)
{
	const struct sconf_node *list = sconf_get(root, STR("Transports"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		struct err why = {.kind = ERR_NONE};
		int rc = transport_import(im->call, n, &why);
		if (entry(im, "transport", n->key, rc, &why, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the file --- */

static int skipped_fields(struct import *im, const char *what, const struct sconf_node *node,
	const char *const *known, struct err *err)
{
	for (const struct sconf_node *n = node->first; n != NULL; n = n->next) {
		bool found = false;
		for (size_t i = 0; known[i] != NULL; i++)
			found = found || str_eq(n->key, str_from(known[i]));
		if (found)
			continue;
		char text[128];
		snprintf(text, sizeof(text), "line %u: %.*s has no place here yet", n->line,
			(int)(n->key.len < 64 ? n->key.len : 64), n->key.p);
		if (skipped(im, what, node->key, text, err) < 0)
			return -1;
	}
	return 0;
}

static int domains_import(struct import *im, const struct sconf_node *root, struct err *err)
{
	static const char *const known[] = {"Description", "Disabled", "LocalpartCatchallSeparator",
		"LocalpartCaseSensitive", "Aliases", "Routes", NULL};
	const struct sconf_node *list = sconf_get(root, STR("Domains"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		struct err why = {.kind = ERR_NONE};
		int rc = domain_import(im->call, n, &why);
		if (entry(im, "domain", n->key, rc, &why, err) < 0 ||
			skipped_fields(im, "domain", n, known, err) < 0)
			return -1;
	}
	return 0;
}

static int accounts_import(struct import *im, const struct sconf_node *root, struct err *err)
{
	static const char *const known[] = {"Domain", "FullName", "Destinations", NULL};
	const struct sconf_node *list = sconf_get(root, STR("Accounts"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		struct err why = {.kind = ERR_NONE};
		int64_t id = 0;
		int rc = account_import(im->call, n, &id, &why);
		if (entry(im, "account", n->key, rc, &why, err) < 0)
			return -1;
		if (rc >= 0 && (destinations_import(im, n, id, err) < 0 ||
				       skipped_fields(im, "account", n, known, err) < 0))
			return -1;
	}
	return 0;
}

/* Aliases after all addresses they may name. */
static int aliases_import(struct import *im, const struct sconf_node *root, struct err *err)
{
	const struct sconf_node *list = sconf_get(root, STR("Domains"));

	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		const struct sconf_node *aliases = sconf_get(n, STR("Aliases"));
		const struct sconf_node *at = aliases ? aliases->first : NULL;
		for (; at != NULL; at = at->next) {
			struct err why = {.kind = ERR_NONE};
			int rc = alias_import(im->call, at, n->key, &why);
			if (entry(im, "alias", at->key, rc, &why, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int config_import(struct call *call, json_t **last, struct err *err)
{
	static const char *const known[] = {"Domains", "Accounts", "Routes", "Transports", NULL};
	struct import im = {.call = call};
	struct str text, name = call_text(call, "name");
	struct sconf_node *root;

	if (call_need(call, "text", &text, err) < 0)
		return -1;
	const char *file = arena_strdup(call->arena, name.len ? name : STR("domains.conf"));
	if (sconf_parse(call->arena, text, file, &root, err) < 0)
		return -1;
	bool lists =
		sconf_get(root, STR("Domains")) != NULL || sconf_get(root, STR("Accounts")) != NULL;
	if (!lists && sconf_get(root, STR("Transports")) == NULL)
		return err_set(err, ERR_PERM, "%s: no Domains, Accounts or Transports in it", file);
	if (transports_import(&im, root, err) < 0 || domains_import(&im, root, err) < 0 ||
		accounts_import(&im, root, err) < 0 || aliases_import(&im, root, err) < 0)
		return -1;
	const struct sconf_node *list = sconf_get(root, STR("Domains"));
	for (const struct sconf_node *n = list ? list->first : NULL; n != NULL; n = n->next)
		if (routes_import(&im, n, n->key, err) < 0)
			return -1;
	/* A mox.conf is mostly not for import: only of a domains.conf it is said what is left. */
	if (routes_import(&im, root, STR(""), err) < 0 ||
		(lists && skipped_fields(&im, "file", root, known, err) < 0))
		return -1;
	*last = json_pack("{s:I, s:I, s:I, s:I}", "added", (json_int_t)im.added, "exists",
		(json_int_t)im.kept, "skipped", (json_int_t)im.skipped, "failed",
		(json_int_t)im.failed);
	return 0;
}

const struct verb control_import_verbs[] = {
	{"config.import", config_import},
	{NULL, NULL},
};
