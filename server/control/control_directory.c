/* control_directory - domains and accounts. */
#include "control/control_priv.h"

#include "policy/dkim_admin.h"

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
#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

const char *tls_mode_name(enum store_tls_mode mode)
{
	return tls_names[mode];
}

int call_word(const struct call *call, const char *key, const char *const *names, size_t count,
	int *out, struct err *err)
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

int call_relay(struct call *call, struct store_relay *relay, unsigned default_port, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	int protocol = (int)relay->protocol, tls = (int)relay->tls;

	if (call_word(call, "protocol", protocol_names, COUNT(protocol_names), &protocol, err) <
			0 ||
		call_word(call, "tls", tls_names, COUNT(tls_names), &tls, err) < 0)
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
	return call_saved(call, problems.count > 0, &problems, err);
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

static json_t *json_domain(const struct store_domain *d)
{
	json_t *row = json_pack("{s:o, s:o, s:b, s:s, s:s, s:o, s:b}", "name", json_view(d->name),
		"description", json_view(d->description), "disabled", d->disabled, "delivery",
		delivery_names[d->delivery], "recipients",
		d->delivery == STORE_DELIVERY_RELAY ? check_names[d->rcpt_check] : "list",
		"separator", json_view(d->separator), "case_sensitive", d->case_sensitive);

	if (d->delivery == STORE_DELIVERY_RELAY)
		json_object_set_new(row, "relay", json_relay(&d->relay));
	return row;
}

static int domain_list(struct call *call, json_t **last, struct err *err)
{
	struct store_domain *rows;
	size_t count;

	(void)last;
	if (store_domain_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_domain(&rows[i]), err) < 0)
			return -1;
	return 0;
}

int call_domain(struct call *call, struct str name, struct store_domain *out, struct err *err)
{
	char ascii[DNS_NAME_MAX];

	if (dns_name_to_ascii(name, ascii, err) < 0)
		return -1;
	int rc = store_domain_find(call->ctl->store, str_from(ascii), call->arena, out, err);
	if (rc == 0)
		return call_missing(call, err, "domain %.*s is not hosted here", STR_FMT(name));
	return rc < 0 ? -1 : 0;
}

static int domain_get(struct call *call, json_t **last, struct err *err)
{
	struct store_domain d;
	struct str name;

	if (call_need(call, "name", &name, err) < 0 || call_domain(call, name, &d, err) < 0)
		return -1;
	*last = json_domain(&d);
	return 0;
}

static int domain_fill(struct call *call, struct store_domain *d, struct err *err)
{
	int delivery = (int)d->delivery, check = (int)d->rcpt_check;

	if (call_text(call, "relay").len > 0)
		delivery = STORE_DELIVERY_RELAY;
	if (call_word(call, "delivery", delivery_names, COUNT(delivery_names), &delivery, err) <
			0 ||
		call_word(call, "recipients", check_names, COUNT(check_names), &check, err) < 0 ||
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
	return call_saved(call, admin_domain_save(call->ctl->store, call->arena, d, &problems, err),
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
	if (call_need(call, "name", &name, err) < 0 || call_domain(call, name, &d, err) < 0)
		return -1;
	return domain_save(call, &d, err);
}

static int domain_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_domain d;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || call_domain(call, name, &d, err) < 0)
		return -1;
	if (dkim_admin_domain_delete(call->ctl->store, call->arena, d.id, err) < 0)
		return -1;
	return store_domain_delete(call->ctl->store, d.id, err);
}

/* --- accounts --- */

int call_account(struct call *call, struct str name, struct store_account *out, struct err *err)
{
	int rc = store_account_find(call->ctl->store, name, call->arena, out, err);

	if (rc == 0)
		return call_missing(call, err, "there is no account %.*s", STR_FMT(name));
	return rc < 0 ? -1 : 0;
}

static json_t *json_account(const struct store_account *row)
{
	return json_pack("{s:o, s:o, s:b, s:b}", "name", json_view(row->name), "full_name",
		json_view(row->full_name), "disabled", row->disabled, "password",
		row->argon2.len > 0);
}

static int account_list(struct call *call, json_t **last, struct err *err)
{
	struct store_account *rows;
	size_t count;

	(void)last;
	if (store_account_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_account(&rows[i]), err) < 0)
			return -1;
	return 0;
}

static int account_get(struct call *call, json_t **last, struct err *err)
{
	struct store_account row;
	struct str name;

	if (call_need(call, "name", &name, err) < 0 || call_account(call, name, &row, err) < 0)
		return -1;
	*last = json_account(&row);
	return 0;
}

static int account_save(struct call *call, struct store_account *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	if (call_has(call, "full_name"))
		row->full_name = call_text(call, "full_name");
	if (call_has(call, "disabled"))
		row->disabled = call_flag(call, "disabled");
	return call_saved(call,
		admin_account_save(call->ctl->store, call->arena, row, call_text(call, "password"),
			&problems, err),
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
	if (call_need(call, "name", &name, err) < 0 || call_account(call, name, &row, err) < 0)
		return -1;
	return account_save(call, &row, err);
}

static int account_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_account row;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || call_account(call, name, &row, err) < 0)
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

const struct verb control_directory_verbs[] = {
	{"domain.list", domain_list},
	{"domain.get", domain_get},
	{"domain.add", domain_add},
	{"domain.set", domain_set},
	{"domain.rm", domain_rm},
	{"account.list", account_list},
	{"account.get", account_get},
	{"account.add", account_add},
	{"account.set", account_set},
	{"account.rm", account_rm},
	{"adminpassword", admin_password},
	{NULL, NULL},
};
