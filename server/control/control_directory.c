/* control_directory - domains, accounts, addresses and aliases. */
#include "control/control_priv.h"

#include "message/message.h"

static const char *const delivery_names[] = {
	[STORE_DELIVERY_MAILBOX] = "mailbox",
	[STORE_DELIVERY_RELAY] = "relay",
};
static const char *const check_names[] = {
	[STORE_CHECK_LIST] = "list",
	[STORE_CHECK_CALLOUT] = "callout",
	[STORE_CHECK_ANY] = "any",
};
static const char *const protocol_names[] = {
	[STORE_PROTOCOL_SMTP] = "smtp",
	[STORE_PROTOCOL_LMTP] = "lmtp",
};
static const char *const tls_names[] = {
	[STORE_TLS_NONE] = "none",
	[STORE_TLS_OPPORTUNISTIC] = "opportunistic",
	[STORE_TLS_REQUIRED] = "required",
	[STORE_TLS_VERIFY] = "verify",
	[STORE_TLS_IMMEDIATE] = "immediate",
};
static const char *const kind_names[] = {
	[STORE_ADDRESS_MAILBOX] = "mailbox",
	[STORE_ADDRESS_ALIAS] = "alias",
	[STORE_ADDRESS_RELAY] = "relay",
};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

const char *tls_mode_name(enum store_tls_mode mode)
{
	return tls_names[mode];
}

/* One of names, by the request's member key; -1 with a list of them. Absent: keeps *out. */
static int word_read(const struct call *call, const char *key, const char *const *names,
	size_t count, int *out, struct err *err)
{
	struct str word = call_text(call, key);
	char known[160] = "";

	if (!call_has(call, key))
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(word, str_from(names[i]))) {
			*out = (int)i;
			return 0;
		}
		size_t at = strlen(known);
		snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", names[i]);
	}
	return err_set(err, ERR_PERM, "%s: \"%.*s\" is none of %s", key, STR_FMT(word), known);
}

int call_relay(
	const struct call *call, struct store_relay *relay, unsigned default_port, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	int protocol = (int)relay->protocol, tls = (int)relay->tls;

	if (word_read(call, "protocol", protocol_names, COUNT(protocol_names), &protocol, err) <
			0 ||
		word_read(call, "tls", tls_names, COUNT(tls_names), &tls, err) < 0)
		return -1;
	relay->protocol = (enum store_protocol)protocol;
	relay->tls = (enum store_tls_mode)tls;
	if (call_has(call, "relay")) {
		relay->host_count = 0;
		admin_relay_hosts_parse(call->arena, call_text(call, "relay"), relay, "relay",
			relay->protocol == STORE_PROTOCOL_LMTP ? 24 : default_port, &problems);
	}
	if (call_has(call, "username"))
		relay->username = call_text(call, "username");
	if (call_has(call, "password"))
		relay->password = call_text(call, "password");
	return call_saved(problems.count > 0, &problems, err);
}

json_t *json_relay(const struct store_relay *relay)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < relay->host_count; i++)
		json_array_append_new(hosts, json_view(relay->hosts[i]));
	/* The password is nobody's to read. */
	return json_pack("{s:o, s:s, s:s, s:o}", "hosts", hosts, "protocol",
		protocol_names[relay->protocol], "tls", tls_names[relay->tls], "username",
		json_view(relay->username));
}

/* --- domains --- */

static int domain_list(struct call *call, json_t **last, struct err *err)
{
	struct store_domain *rows;
	size_t count;

	(void)last;
	if (store_domain_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct store_domain *d = &rows[i];
		json_t *row = json_pack("{s:o, s:o, s:b, s:s, s:s, s:o, s:b}", "name",
			json_view(d->name), "description", json_view(d->description), "disabled",
			d->disabled, "delivery", delivery_names[d->delivery], "recipients",
			d->delivery == STORE_DELIVERY_RELAY ? check_names[d->rcpt_check] : "list",
			"separator", json_view(d->separator), "case_sensitive", d->case_sensitive);
		if (d->delivery == STORE_DELIVERY_RELAY)
			json_object_set_new(row, "relay", json_relay(&d->relay));
		if (call_row(call, row, err) < 0)
			return -1;
	}
	return 0;
}

/* The domain a request names. An unknown one is ERR_PERM. */
static int domain_read(
	const struct call *call, struct str name, struct store_domain *out, struct err *err)
{
	char ascii[DNS_NAME_MAX];

	if (dns_name_to_ascii(name, ascii, err) < 0)
		return -1;
	int rc = store_domain_find(call->ctl->store, str_from(ascii), call->arena, out, err);
	if (rc == 0)
		return err_set(err, ERR_PERM, "domain %.*s is not hosted here", STR_FMT(name));
	return rc < 0 ? -1 : 0;
}

static int domain_fill(struct call *call, struct store_domain *d, struct err *err)
{
	int delivery = (int)d->delivery, check = (int)d->rcpt_check;

	if (call_text(call, "relay").len > 0)
		delivery = STORE_DELIVERY_RELAY;
	if (word_read(call, "delivery", delivery_names, COUNT(delivery_names), &delivery, err) <
			0 ||
		word_read(call, "recipients", check_names, COUNT(check_names), &check, err) < 0 ||
		call_relay(call, &d->relay, 25, err) < 0)
		return -1;
	d->delivery = (enum store_delivery)delivery;
	d->rcpt_check = (enum store_rcpt_check)check;
	if (call_has(call, "description"))
		d->description = call_text(call, "description");
	if (call_has(call, "separator"))
		d->separator = call_text(call, "separator");
	if (call_has(call, "case_sensitive"))
		d->case_sensitive = call_flag(call, "case_sensitive");
	if (call_has(call, "disabled"))
		d->disabled = call_flag(call, "disabled");
	return 0;
}

static int domain_save(struct call *call, struct store_domain *d, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	if (domain_fill(call, d, err) < 0)
		return -1;
	return call_saved(admin_domain_save(call->ctl->store, call->arena, d, &problems, err),
		&problems, err);
}

static int domain_add(struct call *call, json_t **last, struct err *err)
{
	struct store_domain d = {.separator = STR("+"),
		.relay = {.tls = STORE_TLS_OPPORTUNISTIC},
		.rcpt_check = STORE_CHECK_CALLOUT};

	(void)last;
	if (call_need(call, "name", &d.name, err) < 0)
		return -1;
	return domain_save(call, &d, err);
}

static int domain_set(struct call *call, json_t **last, struct err *err)
{
	struct store_domain d;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || domain_read(call, name, &d, err) < 0)
		return -1;
	return domain_save(call, &d, err);
}

static int domain_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_domain d;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || domain_read(call, name, &d, err) < 0)
		return -1;
	return store_domain_delete(call->ctl->store, d.id, err);
}

/* --- accounts --- */

static int account_read(
	const struct call *call, struct str name, struct store_account *out, struct err *err)
{
	int rc = store_account_find(call->ctl->store, name, call->arena, out, err);

	if (rc == 0)
		return err_set(err, ERR_PERM, "there is no account %.*s", STR_FMT(name));
	return rc < 0 ? -1 : 0;
}

static int account_list(struct call *call, json_t **last, struct err *err)
{
	struct store_account *rows;
	size_t count;

	(void)last;
	if (store_account_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call,
			    json_pack("{s:o, s:o, s:b, s:b}", "name", json_view(rows[i].name),
				    "full_name", json_view(rows[i].full_name), "disabled",
				    rows[i].disabled, "password", rows[i].argon2.len > 0),
			    err) < 0)
			return -1;
	return 0;
}

static int account_save(struct call *call, struct store_account *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	if (call_has(call, "full_name"))
		row->full_name = call_text(call, "full_name");
	if (call_has(call, "disabled"))
		row->disabled = call_flag(call, "disabled");
	return call_saved(admin_account_save(call->ctl->store, call->arena, row,
				  call_text(call, "password"), &problems, err),
		&problems, err);
}

static int account_add(struct call *call, json_t **last, struct err *err)
{
	struct store_account row = {.id = 0};

	(void)last;
	if (call_need(call, "name", &row.name, err) < 0)
		return -1;
	return account_save(call, &row, err);
}

static int account_set(struct call *call, json_t **last, struct err *err)
{
	struct store_account row;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || account_read(call, name, &row, err) < 0)
		return -1;
	return account_save(call, &row, err);
}

static int account_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_account row;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || account_read(call, name, &row, err) < 0)
		return -1;
	return store_account_delete(call->ctl->store, row.id, err);
}

static int admin_password(struct call *call, json_t **last, struct err *err)
{
	struct str password;

	(void)last;
	if (call_need(call, "password", &password, err) < 0)
		return -1;
	return admin_password_set(call->ctl->store, password, err);
}

/* --- addresses and aliases --- */

/* "local@domain", or "@domain" for the catch-all; the domain must be hosted. */
static int address_parts(const struct call *call, struct str text, struct str *localpart,
	struct store_domain *domain, struct err *err)
{
	struct message_address addr;

	if (text.len > 1 && text.p[0] == '@') {
		*localpart = STR("");
		return domain_read(call, str_skip(text, 1), domain, err);
	}
	if (message_address_parse(call->arena, text, &addr, err) < 0)
		return -1;
	*localpart = addr.localpart;
	return domain_read(call, addr.domain, domain, err);
}

/* 1 found, 0 not. Local parts are stored in lower case unless the domain minds case. */
static int address_find(const struct call *call, const struct store_domain *domain,
	struct str localpart, struct store_address *out, struct err *err)
{
	char *copy = arena_strdup(call->arena, localpart);

	if (!domain->case_sensitive)
		str_lower(copy, localpart.len);
	return store_address_find(call->ctl->store, domain->id, (struct str){copy, localpart.len},
		call->arena, out, err);
}

static int address_row(
	struct call *call, const struct store_address *a, struct str domain, struct err *err)
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
	return call_row(call, row, err);
}

/* Of one domain or of all; aliases only, or all kinds but them. */
static int addresses_list(struct call *call, bool aliases, struct err *err)
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
			if ((rows[k].kind == STORE_ADDRESS_ALIAS) != aliases ||
				(account.len > 0 && !str_eq(account, rows[k].account)))
				continue;
			if (address_row(call, &rows[k], domains[i].name, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int address_list(struct call *call, json_t **last, struct err *err)
{
	(void)last;
	return addresses_list(call, false, err);
}

static int alias_list(struct call *call, json_t **last, struct err *err)
{
	(void)last;
	return addresses_list(call, true, err);
}

static int address_save(struct call *call, struct store_address *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	return call_saved(admin_address_save(call->ctl->store, call->arena, row, &problems, err),
		&problems, err);
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
		if (account_read(call, name, &account, err) < 0)
			return -1;
		row.account_id = account.id;
	}
	return address_save(call, &row, err);
}

static int alias_add(struct call *call, json_t **last, struct err *err)
{
	struct store_address row = {.kind = STORE_ADDRESS_ALIAS};
	const json_t *members = json_object_get(call->request, "members");
	size_t n = json_array_size(members);

	(void)last;
	if (n == 0 || n > STORE_ALIAS_MEMBERS_MAX)
		return err_set(
			err, ERR_PERM, "members: 1 to %d addresses", STORE_ALIAS_MEMBERS_MAX);
	if (address_new(call, &row, err) < 0)
		return -1;
	row.members = arena_alloc(call->arena, n * sizeof(*row.members));
	row.member_count = n;
	for (size_t i = 0; i < n; i++) {
		const json_t *m = json_array_get(members, i);
		if (!json_is_string(m))
			return err_set(err, ERR_PERM, "members: not a text");
		row.members[i] = (struct str){json_string_value(m), json_string_length(m)};
	}
	return address_save(call, &row, err);
}

static int address_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_domain domain;
	struct store_address row;
	struct str text, localpart;

	(void)last;
	if (call_need(call, "address", &text, err) < 0 ||
		address_parts(call, text, &localpart, &domain, err) < 0)
		return -1;
	int rc = address_find(call, &domain, localpart, &row, err);
	if (rc == 0)
		return err_set(err, ERR_PERM, "there is no address %.*s", STR_FMT(text));
	return rc < 0 ? -1 : store_address_delete(call->ctl->store, row.id, err);
}

const struct verb control_directory_verbs[] = {
	{"domain.list", domain_list},
	{"domain.add", domain_add},
	{"domain.set", domain_set},
	{"domain.rm", domain_rm},
	{"account.list", account_list},
	{"account.add", account_add},
	{"account.set", account_set},
	{"account.rm", account_rm},
	{"address.list", address_list},
	{"address.add", address_add},
	{"address.rm", address_rm},
	{"alias.list", alias_list},
	{"alias.add", alias_add},
	{"alias.rm", address_rm},
	{"adminpassword", admin_password},
	{NULL, NULL},
};
