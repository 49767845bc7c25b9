/* control_address - addresses and aliases of hosted domains. */
#include "control/control_priv.h"

#include "message/message.h"

static const char *const kind_names[] = {
	[STORE_ADDRESS_MAILBOX] = "mailbox",
	[STORE_ADDRESS_ALIAS] = "alias",
	[STORE_ADDRESS_RELAY] = "relay",
};

/* "local@domain", or "@domain" for the catch-all; the domain must be hosted. */
static int address_parts(struct call *call, struct str text, struct str *localpart,
	struct store_domain *domain, struct err *err)
{
	struct message_address addr;

	if (text.len > 1 && text.p[0] == '@') {
		*localpart = STR("");
		return call_domain(call, str_skip(text, 1), domain, err);
	}
	if (message_address_parse(call->arena, text, &addr, err) < 0)
		return -1;
	*localpart = addr.localpart;
	return call_domain(call, addr.domain, domain, err);
}

/* 1 found, 0 not. Local parts are stored in lower case unless the domain minds case. */
static int address_find(struct call *call, const struct store_domain *domain, struct str localpart,
	struct store_address *out, struct err *err)
{
	char *copy = arena_strdup(call->arena, localpart);

	if (!domain->case_sensitive)
		str_lower(copy, localpart.len);
	return store_address_find(call->ctl->store, domain->id, (struct str){copy, localpart.len},
		call->arena, out, err);
}

static json_t *json_address(struct call *call, const struct store_address *a, struct str domain)
{
	char *text = arena_printf(call->arena, "%.*s@%.*s", STR_FMT(a->localpart), STR_FMT(domain));
	json_t *row = json_pack(
		"{s:o, s:s}", "address", json_view(str_from(text)), "kind", kind_names[a->kind]);
	json_t *members;

	switch (a->kind) {
	case STORE_ADDRESS_MAILBOX:
		json_object_set_new(row, "account", json_view(a->account));
		break;
	case STORE_ADDRESS_ALIAS:
		members = json_array();
		for (size_t i = 0; i < a->member_count; i++)
			json_array_append_new(members, json_view(a->members[i]));
		json_object_set_new(row, "members", members);
		break;
	case STORE_ADDRESS_RELAY:
		if (a->relay.host_count > 0)
			json_object_set_new(row, "relay", json_relay(&a->relay));
		break;
	}
	return row;
}

enum which { WHICH_ALIASES, WHICH_OTHERS, WHICH_ALL };

/* Of one domain or of all. */
static int addresses_list(struct call *call, enum which which, struct err *err)
{
	struct str only = call_text(call, "domain"), account = call_text(call, "account");
	struct store_domain *domains;
	struct store_address *rows;
	size_t domain_count, count;

	if (store_domain_list(call->ctl->store, call->arena, &domains, &domain_count, err) < 0)
		return -1;
	for (size_t i = 0; i < domain_count; i++) {
		if (only.len > 0 && !str_eq_nocase(only, domains[i].name))
			continue;
		if (store_address_list(call->ctl->store, domains[i].id, 0, call->arena, &rows,
			    &count, err) < 0)
			return -1;
		for (size_t k = 0; k < count; k++) {
			bool alias = rows[k].kind == STORE_ADDRESS_ALIAS;
			if ((which == WHICH_ALIASES && !alias) ||
				(which == WHICH_OTHERS && alias) ||
				(account.len > 0 && !str_eq(account, rows[k].account)))
				continue;
			if (call_row(call, json_address(call, &rows[k], domains[i].name), err) < 0)
				return -1;
		}
	}
	return 0;
}

static int address_list(struct call *call, json_t **last, struct err *err)
{
	(void)last;
	return addresses_list(call, call_flag(call, "all") ? WHICH_ALL : WHICH_OTHERS, err);
}

static int alias_list(struct call *call, json_t **last, struct err *err)
{
	(void)last;
	return addresses_list(call, WHICH_ALIASES, err);
}

static int address_save(struct call *call, struct store_address *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	return call_saved(call,
		admin_address_save(call->ctl->store, call->arena, row, &problems, err), &problems,
		err);
}

static int address_new(struct call *call, struct store_address *row, struct err *err)
{
	struct store_domain domain;
	struct store_address old;
	struct str text;

	if (call_need(call, "address", &text, err) < 0 ||
		address_parts(call, text, &row->localpart, &domain, err) < 0)
		return -1;
	row->domain_id = domain.id;
	int rc = address_find(call, &domain, row->localpart, &old, err);
	if (rc == 1)
		return err_set(err, ERR_PERM, "%.*s exists already", STR_FMT(text));
	return rc;
}

static int address_add(struct call *call, json_t **last, struct err *err)
{
	struct store_address row = {.id = 0};
	struct store_account account;
	struct str name = call_text(call, "account");

	(void)last;
	if (address_new(call, &row, err) < 0)
		return -1;
	if (name.len == 0) {
		row.kind = STORE_ADDRESS_RELAY;
		row.relay.tls = STORE_TLS_OPPORTUNISTIC;
		if (call_relay(call, &row.relay, 25, err) < 0)
			return -1;
	} else {
		row.kind = STORE_ADDRESS_MAILBOX;
		if (call_account(call, name, &account, err) < 0)
			return -1;
		row.account_id = account.id;
	}
	return address_save(call, &row, err);
}

static int members_read(struct call *call, struct store_address *row, struct err *err)
{
	const json_t *members = json_object_get(call->request, "members");
	size_t n = json_array_size(members);

	if (n == 0 || n > STORE_ALIAS_MEMBERS_MAX)
		return err_set(
			err, ERR_PERM, "members: 1 to %d addresses", STORE_ALIAS_MEMBERS_MAX);
	row->members = arena_alloc(call->arena, n * sizeof(*row->members));
	row->member_count = n;
	for (size_t i = 0; i < n; i++) {
		const json_t *m = json_array_get(members, i);
		if (!json_is_string(m))
			return err_set(err, ERR_PERM, "members: not a text");
		row->members[i] = (struct str){json_string_value(m), json_string_length(m)};
	}
	return 0;
}

static int alias_add(struct call *call, json_t **last, struct err *err)
{
	struct store_address row = {.kind = STORE_ADDRESS_ALIAS};

	(void)last;
	if (members_read(call, &row, err) < 0 || address_new(call, &row, err) < 0)
		return -1;
	return address_save(call, &row, err);
}

/* The address a request names. */
static int address_read(
	struct call *call, struct store_address *row, struct store_domain *domain, struct err *err)
{
	struct str text, localpart;

	if (call_need(call, "address", &text, err) < 0 ||
		address_parts(call, text, &localpart, domain, err) < 0)
		return -1;
	int rc = address_find(call, domain, localpart, row, err);
	if (rc == 0)
		return call_missing(call, err, "there is no address %.*s", STR_FMT(text));
	return rc < 0 ? -1 : 0;
}

static int address_get(struct call *call, json_t **last, struct err *err)
{
	struct store_address row;
	struct store_domain domain;

	if (address_read(call, &row, &domain, err) < 0)
		return -1;
	*last = json_address(call, &row, domain.name);
	return 0;
}

/* What kind of address it becomes follows from what is given, unless the kind itself is. */
static int address_set(struct call *call, json_t **last, struct err *err)
{
	struct store_address row;
	struct store_domain domain;
	struct store_account account;
	struct str name = call_text(call, "account");

	(void)last;
	if (address_read(call, &row, &domain, err) < 0)
		return -1;
	int kind = call_has(call, "members")   ? STORE_ADDRESS_ALIAS
		   : call_has(call, "account") ? STORE_ADDRESS_MAILBOX
		   : call_has(call, "relay")   ? STORE_ADDRESS_RELAY
					       : (int)row.kind;
	if (call_word(call, "kind", kind_names, sizeof(kind_names) / sizeof(kind_names[0]), &kind,
		    err) < 0)
		return -1;
	row.kind = (enum store_address_kind)kind;
	if (call_has(call, "members") && members_read(call, &row, err) < 0)
		return -1;
	if (name.len > 0) {
		if (call_account(call, name, &account, err) < 0)
			return -1;
		row.account_id = account.id;
	}
	if (row.kind == STORE_ADDRESS_RELAY && call_relay(call, &row.relay, 25, err) < 0)
		return -1;
	return address_save(call, &row, err);
}

static int address_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_domain domain;
	struct store_address row;

	(void)last;
	if (address_read(call, &row, &domain, err) < 0)
		return -1;
	return store_address_delete(call->ctl->store, row.id, err);
}

const struct verb control_address_verbs[] = {
	{"address.list", address_list},
	{"address.get", address_get},
	{"address.add", address_add},
	{"address.set", address_set},
	{"address.rm", address_rm},
	{"alias.list", alias_list},
	{"alias.add", alias_add},
	{"alias.rm", address_rm},
	{NULL, NULL},
};
