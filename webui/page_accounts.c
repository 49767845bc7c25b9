#include "webui/formview.h"
#include "webui/listview.h"
#include "webui/pages.h"

void page_accounts(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "accounts");
	struct store_account *rows;
	size_t count;
	struct err err;

	struct store_dir_page page = listview_read(p);
	if (store_account_page(p->gateway->store, &page, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	listview_show(p, &page, "accounts", count > 0 ? rows[count - 1].name : STR(""));
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "name", rows[i].name);
		tval_set_str(p->arena, row, "full_name", rows[i].full_name);
		tval_set_flag(p->arena, row, "disabled", rows[i].disabled);
		tval_set_flag(p->arena, row, "password", rows[i].argon2.len > 0);
		page_time(p, row, "created", rows[i].created_s * 1000);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	page_render(p, 200, "accounts", "Accounts");
}

static void account_form(struct page *p, struct store_account *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0, has_password = row->argon2.len > 0;

	const char *name = arena_strdup(p->arena, row->name);
	if (p->method == PAGE_POST) {
		if (fresh) /* a name is also a Maildir folder: it stays */
			row->name = page_field(p, "name");
		row->full_name = page_field(p, "full_name");
		row->disabled = urlform_has(&p->form, "disabled");
		int rc = admin_account_save(p->gateway->store, p->arena, row,
			urlform_get(&p->form, "password"), &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "accounts?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	if (fresh)
		formview_text(&f, "name", "Name", row->name,
			"Small letters, digits, dot, hyphen, underscore. It is also the name of "
			"the Maildir folder and does not change later.");
	formview_text(&f, "full_name", "Full name", row->full_name, "");
	formview_secret(&f, "password", has_password ? "New password" : "Password",
		has_password ? "Leave empty to keep the one that is set."
			     : "At least 8 characters. Without one, nobody can log in to send.");
	formview_check(&f, "disabled", "May not log in", row->disabled,
		"Mail for the account is still delivered.");
	formview_render(&f, fresh ? "New account" : name,
		fresh ? "Somebody whose mail is kept here, or who sends through this gateway." : "",
		fresh ? "Create account" : "Save", "accounts",
		fresh ? NULL : arena_printf(p->arena, "accounts/%lld/delete", (long long)row->id));
}

void page_account_new(struct page *p)
{
	struct store_account row = {.id = 0};

	account_form(p, &row);
}

static bool account_load(struct page *p, struct store_account *row)
{
	struct err err;
	int64_t id = page_id(p, 0);
	int rc = id > 0 ? store_account_get(p->gateway->store, id, p->arena, row, &err) : 0;

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "account");
	return rc == 1;
}

void page_account_edit(struct page *p)
{
	struct store_account row;

	if (account_load(p, &row))
		account_form(p, &row);
}

/* Names the addresses that still lead to the account. */
static void account_delete_ask(struct page *p, const struct store_account *row)
{
	enum { NAMED_MAX = 10 };
	struct store_address *rows;
	struct store_domain d;
	struct buf b = {NULL, 0, 0};
	size_t count;
	struct err err;

	if (store_address_list(p->gateway->store, 0, row->id, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count && i < NAMED_MAX; i++) {
		if (store_domain_get(p->gateway->store, rows[i].domain_id, p->arena, &d, &err) == 1)
			buf_printf(&b, "%s%.*s@%.*s", b.len > 0 ? ", " : "",
				STR_FMT(rows[i].localpart), STR_FMT(d.name));
	}
	const char *text = "It can no longer log in. Its mail stays on disk.";
	if (count > 0)
		text = arena_printf(p->arena,
			"It cannot be deleted while %zu %s to it: %s%s. Delete them or give them "
			"to another account first.",
			count, count == 1 ? "address leads" : "addresses lead", b.p ? b.p : "",
			count > NAMED_MAX ? " and more" : "");
	buf_free(&b);
	formview_confirm(p, arena_printf(p->arena, "Delete %.*s?", STR_FMT(row->name)), text,
		"Delete account", arena_printf(p->arena, "accounts/%lld", (long long)row->id));
}

void page_account_delete(struct page *p)
{
	struct store_account row;
	struct err err;

	if (!account_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		account_delete_ask(p, &row);
		return;
	}
	if (store_account_delete(p->gateway->store, row.id, &err) == 0)
		page_redirect(p, "accounts?done=deleted");
	else if (err.kind == ERR_PERM)
		page_error(p, 409, "Still in use", arena_printf(p->arena, "%s.", err.text));
	else
		page_failed(p, &err);
}
