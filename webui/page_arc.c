/* page_arc - whose ARC seals are believed. */
#include "policy/dkim_admin.h"
#include "webui/formview.h"
#include "webui/pages.h"

void page_sealers(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "sealers");
	struct store_sealer *rows;
	size_t count;
	struct err err;

	if (store_sealer_list(p->gateway->store, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "domain", rows[i].domain);
		tval_set_str(p->arena, row, "comment", rows[i].comment);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	page_render(p, 200, "sealers", "Trusted forwarders");
}

static void sealer_form(struct page *p, struct store_sealer *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0;

	if (p->method == PAGE_POST) {
		row->domain = page_field(p, "domain");
		row->comment = page_field(p, "comment");
		int rc = dkim_admin_sealer_save(p->gateway->store, p->arena, row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "sealers?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_text(&f, "domain", "Domain", row->domain,
		"As in d= of its ARC-Seal, for example lists.example.org; names below it count "
		"too.");
	formview_text(&f, "comment", "Note", row->comment, "Why you trust it.");
	formview_render(&f, fresh ? "New trusted forwarder" : "Trusted forwarder",
		"Only list those who check mail as carefully as you do.",
		fresh ? "Add forwarder" : "Save", "sealers",
		fresh ? NULL : arena_printf(p->arena, "sealers/%lld/delete", (long long)row->id));
}

void page_sealer_new(struct page *p)
{
	struct store_sealer row = {.id = 0};

	sealer_form(p, &row);
}

static bool sealer_load(struct page *p, struct store_sealer *row)
{
	struct err err;
	int rc = store_sealer_get(p->gateway->store, page_id(p, 0), p->arena, row, &err);

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "forwarder");
	return rc == 1;
}

void page_sealer_edit(struct page *p)
{
	struct store_sealer row;

	if (sealer_load(p, &row))
		sealer_form(p, &row);
}

void page_sealer_delete(struct page *p)
{
	struct store_sealer row;
	struct err err;

	if (!sealer_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		formview_confirm(p,
			arena_printf(p->arena, "No longer trust %.*s?", STR_FMT(row.domain)),
			"What it says about mail that it forwards then no longer counts.",
			"Remove forwarder", "sealers");
		return;
	}
	if (store_sealer_delete(p->gateway->store, row.id, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "sealers?done=deleted");
}
