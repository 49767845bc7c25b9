#include "webui/formview.h"
#include "webui/pages.h"

void page_networks(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "networks");
	struct store_network *rows;
	size_t count;
	struct err err;

	if (store_network_list(p->gateway->store, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "cidr", rows[i].cidr);
		tval_set_str(p->arena, row, "comment", rows[i].comment);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	page_render(p, 200, "networks", "Trusted networks");
}

static void network_form(struct page *p, struct store_network *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0;

	if (p->method == PAGE_POST) {
		row->cidr = page_field(p, "cidr");
		row->comment = page_field(p, "comment");
		int rc = admin_network_save(p->gateway->store, p->arena, row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "networks?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_text(&f, "cidr", "Network", row->cidr,
		"For example 10.1.0.0/16, 2001:db8::/48 or a single address.");
	formview_text(&f, "comment", "Note", row->comment, "Who is there.");
	formview_render(&f, fresh ? "New trusted network" : "Trusted network",
		"Hosts in it may send mail to anywhere through this gateway, without logging in.",
		fresh ? "Add network" : "Save", "networks",
		fresh ? NULL : arena_printf(p->arena, "networks/%lld/delete", (long long)row->id));
}

void page_network_new(struct page *p)
{
	struct store_network row = {.id = 0};

	network_form(p, &row);
}

static bool network_load(struct page *p, struct store_network *row)
{
	struct store_network *rows;
	size_t count;
	struct err err;

	if (store_network_list(p->gateway->store, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (rows[i].id == page_id(p, 0)) {
			*row = rows[i];
			return true;
		}
	}
	page_not_found(p, "network");
	return false;
}

void page_network_edit(struct page *p)
{
	struct store_network row;

	if (network_load(p, &row))
		network_form(p, &row);
}

void page_network_delete(struct page *p)
{
	struct store_network row;
	struct err err;

	if (!network_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		formview_confirm(p,
			arena_printf(p->arena, "No longer trust %.*s?", STR_FMT(row.cidr)),
			"Hosts there then have to log in to send mail to other domains.",
			"Remove network", "networks");
		return;
	}
	if (store_network_delete(p->gateway->store, row.id, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "networks?done=deleted");
}
