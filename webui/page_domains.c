#include "policy/dkim_admin.h"
#include "webui/formview.h"
#include "webui/listview.h"
#include "webui/pages.h"

static const char *const check_names[] = {
	[STORE_CHECK_LIST] = "list",
	[STORE_CHECK_CALLOUT] = "callout",
	[STORE_CHECK_ANY] = "any",
};

static void hosts_set(struct page *p, struct tval *map, const struct store_relay *relay)
{
	struct tval *list = tval_set_list(p->arena, map, "hosts");

	for (size_t i = 0; i < relay->host_count; i++)
		tval_add_text(p->arena, list, arena_strdup(p->arena, relay->hosts[i]));
}

void page_domains(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "domains");
	struct store_domain *rows;
	size_t count;
	struct err err;

	struct store_dir_page page = listview_read(p);
	if (store_domain_page(p->gateway->store, &page, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	listview_show(p, &page, "domains", count > 0 ? rows[count - 1].name : STR(""));
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "name", rows[i].name);
		tval_set_str(p->arena, row, "description", rows[i].description);
		tval_set_flag(p->arena, row, "disabled", rows[i].disabled);
		tval_set_flag(p->arena, row, "relay", rows[i].delivery == STORE_DELIVERY_RELAY);
		tval_set_flag(p->arena, row, "lmtp", rows[i].relay.protocol == STORE_PROTOCOL_LMTP);
		hosts_set(p, row, &rows[i].relay);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	page_render(p, 200, "domains", "Domains");
}

/* The domain of the path; false when an answer was given. */
static bool domain_load(struct page *p, int64_t id, struct store_domain *d)
{
	struct err err;
	int rc = id > 0 ? store_domain_get(p->gateway->store, id, p->arena, d, &err) : 0;

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "domain");
	return rc == 1;
}

static void addresses_fill(struct page *p, const struct store_address *rows, size_t count)
{
	struct tval *list = tval_set_list(p->arena, p->view, "addresses");

	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		struct tval *members = tval_set_list(p->arena, row, "members");
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "localpart", rows[i].localpart);
		tval_set_flag(p->arena, row, "catchall", rows[i].localpart.len == 0);
		tval_set_flag(p->arena, row, "mailbox", rows[i].kind == STORE_ADDRESS_MAILBOX);
		tval_set_flag(p->arena, row, "alias", rows[i].kind == STORE_ADDRESS_ALIAS);
		tval_set_flag(p->arena, row, "relay", rows[i].kind == STORE_ADDRESS_RELAY);
		tval_set_str(p->arena, row, "account", rows[i].account);
		tval_set_printf(p->arena, row, "account_id", "%lld", (long long)rows[i].account_id);
		for (size_t m = 0; m < rows[i].member_count && m < 5; m++)
			tval_add_text(
				p->arena, members, arena_strdup(p->arena, rows[i].members[m]));
		if (rows[i].member_count > 5)
			tval_set_printf(p->arena, row, "more", "%zu", rows[i].member_count - 5);
		hosts_set(p, row, &rows[i].relay);
	}
}

void page_domain(struct page *p)
{
	struct store_domain d;
	struct store_address *rows;
	size_t count;
	struct err err;

	if (!domain_load(p, page_id(p, 0), &d))
		return;
	struct store_dir_page page = listview_read(p);
	if (store_address_page(p->gateway->store, d.id, &page, p->arena, &rows, &count, &err) < 0 ||
		page_domain_policy(p, &d, &err) < 0 || page_domain_dkim(p, &d, &err) < 0 ||
		page_domain_tlsrpt(p, &d, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	listview_show(p, &page, arena_printf(p->arena, "domains/%lld", (long long)d.id),
		count > 0 ? rows[count - 1].localpart : STR(""));
	tval_set_printf(p->arena, p->view, "id", "%lld", (long long)d.id);
	tval_set_str(p->arena, p->view, "name", d.name);
	tval_set_str(p->arena, p->view, "description", d.description);
	tval_set_flag(p->arena, p->view, "disabled", d.disabled);
	tval_set_flag(p->arena, p->view, "relay", d.delivery == STORE_DELIVERY_RELAY);
	tval_set_flag(p->arena, p->view, "lmtp", d.relay.protocol == STORE_PROTOCOL_LMTP);
	tval_set_flag(p->arena, p->view, "check_list", d.rcpt_check == STORE_CHECK_LIST);
	tval_set_flag(p->arena, p->view, "check_callout", d.rcpt_check == STORE_CHECK_CALLOUT);
	tval_set_flag(p->arena, p->view, "check_any", d.rcpt_check == STORE_CHECK_ANY);
	tval_set_str(p->arena, p->view, "separator", d.separator);
	tval_set_flag(p->arena, p->view, "case_sensitive", d.case_sensitive);
	hosts_set(p, p->view, &d.relay);
	addresses_fill(p, rows, count);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	page_render(p, 200, "domain", arena_strdup(p->arena, d.name));
}

static void domain_fields(struct formview *f, const struct store_domain *d)
{
	formview_section(f, "", NULL);
	formview_text(f, "name", "Domain", d->name, "For example example.org.");
	formview_text(f, "description", "Note", d->description, "For you; nobody else sees it.");
	formview_check(f, "disabled", "Out of service", d->disabled,
		"Mail for it is put off with a temporary error; senders try again for days.");
	formview_section(f, "Delivery", NULL);
	formview_radio(f, "delivery", "Where its mail goes",
		d->delivery == STORE_DELIVERY_RELAY ? "relay" : "mailbox", "");
	formview_option(f, "mailbox", "Mailboxes here",
		"Kept on this machine as Maildir, one account can have many addresses.");
	formview_option(
		f, "relay", "Another mail server", "Passed on over SMTP or LMTP, with failover.");
	formview_section(f, "Mail server", "only-relay");
	formview_relay(f, &d->relay, FORMVIEW_RELAY_FULL);
	formview_radio(f, "rcpt_check", "Which recipients exist", check_names[d->rcpt_check], "");
	formview_option(f, "list", "Those listed here", "All others are refused.");
	formview_option(f, "callout", "Ask the server",
		"For each recipient; the answer is remembered. While the server is down, mail "
		"is put off.");
	formview_option(
		f, "any", "Accept every recipient", "The server then has to send bounces itself.");
	formview_section(f, "Addresses", NULL);
	formview_text(f, "separator", "Separator", d->separator,
		"With \"+\", mail for ann+lists goes to ann. Empty: none.");
	formview_check(f, "case_sensitive", "Upper and lower case differ", d->case_sensitive,
		"Rarely what you want.");
}

static void domain_read(const struct page *p, struct store_domain *d)
{
	struct str check = page_field(p, "rcpt_check");

	d->name = page_field(p, "name");
	d->description = page_field(p, "description");
	d->disabled = urlform_has(&p->form, "disabled");
	d->delivery = str_eq(page_field(p, "delivery"), STR("relay")) ? STORE_DELIVERY_RELAY
								      : STORE_DELIVERY_MAILBOX;
	formview_relay_read(p, &d->relay);
	for (size_t i = 0; i < sizeof(check_names) / sizeof(check_names[0]); i++) {
		if (str_eq(check, str_from(check_names[i])))
			d->rcpt_check = (enum store_rcpt_check)i;
	}
	d->separator = page_field(p, "separator");
	d->case_sensitive = urlform_has(&p->form, "case_sensitive");
}

/* For the backend may answer differently now. */
static void callout_renew(struct page *p)
{
	if (p->gateway->callout != NULL)
		callout_forget(p->gateway->callout);
}

/* Shows the form, or saves what was posted. */
static void domain_form(struct page *p, struct store_domain *d)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = d->id == 0;

	const char *name = arena_strdup(p->arena, d->name);
	if (p->method == PAGE_POST) {
		domain_read(p, d);
		int rc = admin_domain_save(p->gateway->store, p->arena, d, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			callout_renew(p);
			page_redirect(p, "domains/%lld?done=%s", (long long)d->id,
				fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	domain_fields(&f, d);
	formview_render(&f, fresh ? "New domain" : name,
		fresh ? "A domain whose mail this gateway takes." : "",
		fresh ? "Create domain" : "Save",
		fresh ? "domains" : arena_printf(p->arena, "domains/%lld", (long long)d->id),
		fresh ? NULL : arena_printf(p->arena, "domains/%lld/delete", (long long)d->id));
}

void page_domain_new(struct page *p)
{
	struct store_domain d = {.separator = STR("+"),
		.relay = {.tls = STORE_TLS_OPPORTUNISTIC},
		.rcpt_check = STORE_CHECK_CALLOUT};

	domain_form(p, &d);
}

void page_domain_edit(struct page *p)
{
	struct store_domain d;

	if (domain_load(p, page_id(p, 0), &d))
		domain_form(p, &d);
}

void page_domain_delete(struct page *p)
{
	struct store_domain d;
	int64_t count;
	struct err err;

	if (!domain_load(p, page_id(p, 0), &d))
		return;
	if (store_address_count(p->gateway->store, d.id, &count, &err) < 0 ||
		(p->method == PAGE_POST &&
			(dkim_admin_domain_delete(p->gateway->store, p->arena, d.id, &err) < 0 ||
				store_domain_delete(p->gateway->store, d.id, &err) < 0))) {
		page_failed(p, &err);
		return;
	}
	if (p->method == PAGE_POST) {
		callout_renew(p);
		page_redirect(p, "domains?done=deleted");
		return;
	}
	formview_confirm(p, arena_printf(p->arena, "Delete %.*s?", STR_FMT(d.name)),
		arena_printf(p->arena,
			"The domain and its %s %s go. Mail for it is refused from then on. Mail "
			"in the queue and in mailboxes stays.",
			page_count_text(p, count), count == 1 ? "address" : "addresses"),
		"Delete domain", arena_printf(p->arena, "domains/%lld", (long long)d.id));
}

/* --- addresses --- */

static const char *const kind_names[] = {
	[STORE_ADDRESS_MAILBOX] = "mailbox",
	[STORE_ADDRESS_ALIAS] = "alias",
	[STORE_ADDRESS_RELAY] = "relay",
};

static struct str members_text(struct page *p, const struct store_address *row)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < row->member_count; i++) {
		buf_raw(&b, row->members[i]);
		buf_byte(&b, '\n');
	}
	struct str text = arena_str(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

static int address_fields(struct formview *f, const struct store_address *row, struct err *err)
{
	struct page *p = f->page;
	struct store_account *accounts;
	size_t count;

	if (store_account_list(p->gateway->store, p->arena, &accounts, &count, err) < 0)
		return -1;
	formview_section(f, "", NULL);
	formview_text(f, "localpart", "Part before the @", row->localpart,
		"Empty for the catch-all: every address of the domain that is not listed.");
	formview_radio(f, "kind", "What it is", kind_names[row->kind], "");
	formview_option(f, "mailbox", "A mailbox", "Delivered to an account on this machine.");
	formview_option(f, "alias", "An alias", "Passed on to other addresses.");
	formview_option(f, "relay", "An address on another server",
		"The domain's servers, or ones of its own.");
	formview_section(f, "Mailbox", "only-mailbox");
	formview_select(f, "account", "Account", arena_strdup(p->arena, row->account),
		count == 0 ? "There is no account yet: create one under Accounts first." : "");
	formview_option(f, "", "Choose", "");
	for (size_t i = 0; i < count; i++) {
		const char *name = arena_strdup(p->arena, accounts[i].name);
		formview_option(f, name, name, "");
	}
	formview_section(f, "Alias", "only-alias");
	formview_area(f, "members", "Goes to", members_text(p, row), "One address a line.");
	formview_section(f, "Server of its own", "only-own");
	formview_relay(f, &row->relay, FORMVIEW_RELAY_FULL);
	return 0;
}

static void address_read(struct page *p, struct store_address *row)
{
	struct str kind = page_field(p, "kind"), lines = page_field(p, "members"), line;
	size_t n = 1;

	row->localpart = page_field(p, "localpart");
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (str_eq(kind, str_from(kind_names[i])))
			row->kind = (enum store_address_kind)i;
	}
	row->account_id = 0;
	row->account = page_field(p, "account");
	for (size_t i = 0; i < lines.len; i++)
		n += lines.p[i] == '\n';
	row->members = arena_alloc(p->arena, n * sizeof(*row->members));
	row->member_count = 0;
	while (lines.len > 0 && str_next(&lines, '\n', &line))
		row->members[row->member_count++] = line;
	formview_relay_read(p, &row->relay);
}

static void address_form(struct page *p, struct store_address *row, const struct store_domain *d)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0;
	const char *title = fresh ? arena_printf(p->arena, "New address in %.*s", STR_FMT(d->name))
			    : row->localpart.len == 0
				    ? arena_printf(p->arena, "Catch-all of %.*s", STR_FMT(d->name))
				    : arena_printf(p->arena, "%.*s@%.*s", STR_FMT(row->localpart),
					      STR_FMT(d->name));

	if (p->method == PAGE_POST) {
		address_read(p, row);
		int rc = admin_address_save(p->gateway->store, p->arena, row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			callout_renew(p);
			page_redirect(p, "domains/%lld?done=%s", (long long)d->id,
				fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	if (address_fields(&f, row, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	if (!fresh && row->kind == STORE_ADDRESS_RELAY)
		tval_set_printf(
			p->arena, p->view, "test_path", "addresses/%lld/test", (long long)row->id);
	formview_render(&f, title, "", fresh ? "Create address" : "Save",
		arena_printf(p->arena, "domains/%lld", (long long)d->id),
		fresh ? NULL : arena_printf(p->arena, "addresses/%lld/delete", (long long)row->id));
}

void page_address_new(struct page *p)
{
	struct store_domain d;

	if (!domain_load(p, page_id(p, 0), &d))
		return;
	struct store_address row = {.domain_id = d.id,
		.kind = d.delivery == STORE_DELIVERY_RELAY ? STORE_ADDRESS_RELAY
							   : STORE_ADDRESS_MAILBOX,
		.relay = {.tls = STORE_TLS_OPPORTUNISTIC}};
	address_form(p, &row, &d);
}

static bool address_load(struct page *p, struct store_address *row, struct store_domain *d)
{
	struct err err;
	int64_t id = page_id(p, 0);
	int rc = id > 0 ? store_address_get(p->gateway->store, id, p->arena, row, &err) : 0;

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "address");
	return rc == 1 && domain_load(p, row->domain_id, d);
}

void page_address_edit(struct page *p)
{
	struct store_address row;
	struct store_domain d;

	if (address_load(p, &row, &d))
		address_form(p, &row, &d);
}

void page_address_delete(struct page *p)
{
	struct store_address row;
	struct store_domain d;
	struct err err;

	if (!address_load(p, &row, &d))
		return;
	if (p->method == PAGE_POST) {
		if (store_address_delete(p->gateway->store, row.id, &err) < 0) {
			page_failed(p, &err);
			return;
		}
		page_redirect(p, "domains/%lld?done=deleted", (long long)d.id);
		return;
	}
	formview_confirm(p,
		row.localpart.len > 0
			? arena_printf(p->arena, "Delete %.*s@%.*s?", STR_FMT(row.localpart),
				  STR_FMT(d.name))
			: arena_printf(p->arena, "Delete the catch-all of %.*s?", STR_FMT(d.name)),
		"Mail that has been delivered stays where it is.", "Delete address",
		arena_printf(p->arena, "domains/%lld", (long long)d.id));
}
