/* Allow and deny lists, and the DNS block lists that clients are looked up in. */
#include "auth/dnsbl.h"
#include "policy/lists.h"
#include "webui/formview.h"
#include "webui/pages.h"

#include <stdio.h>

enum { ROWS_PER_PAGE = 50 };

/* --- the lists --- */

static const struct {
	const char *value, *label;
	int list;
} choices[] = {{"", "All", -1}, {"allow", "Allowed", STORE_LIST_ALLOW},
	{"deny", "Denied", STORE_LIST_DENY}};
enum { CHOICES = sizeof(choices) / sizeof(choices[0]) };

static const char *query(struct page *p, struct str text, const char *list, int64_t before_id)
{
	struct buf b = {NULL, 0, 0};

	buf_text(&b, "?q=");
	buf_url(&b, text);
	if (list[0] != '\0')
		buf_printf(&b, "&list=%s", list);
	if (before_id > 0)
		buf_printf(&b, "&before=%lld", (long long)before_id);
	const char *out = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return out;
}

static void entry_show(struct page *p, struct tval *row, const struct store_list_entry *e)
{
	bool over = e->expires_s != 0 && e->expires_s <= clock_unix_s();

	tval_set_printf(p->arena, row, "id", "%lld", (long long)e->id);
	tval_set_str(p->arena, row, "value", e->value);
	tval_set_str(p->arena, row, "comment", e->comment);
	tval_set_text(p->arena, row, "kind", e->list == STORE_LIST_ALLOW ? "good" : "bad");
	tval_set_text(p->arena, row, "list", e->list == STORE_LIST_ALLOW ? "Allowed" : "Denied");
	tval_set_flag(p->arena, row, "below", e->kind == STORE_LIST_DOMAIN);
	tval_set_flag(p->arena, row, "over", over);
	page_time(p, row, "expires", e->expires_s != 0 ? (e->expires_s - 1) * 1000 : 0);
}

static int entries_show(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct tval *chips = tval_set_list(p->arena, p->view, "chips");
	struct store_list_filter f = {.kind = -1,
		.list = -1,
		.text = str_trim(urlform_get(&p->query, "q")),
		.before_id = page_number(urlform_get(&p->query, "before")),
		.limit = ROWS_PER_PAGE + 1};
	struct str word = urlform_get(&p->query, "list");
	struct store_list_entry *rows;
	const char *here = "";
	size_t count;

	for (size_t i = 0; i < CHOICES; i++) {
		if (!str_eq(word, str_from(choices[i].value)))
			continue;
		f.list = choices[i].list;
		here = choices[i].value;
	}
	for (size_t i = 0; i < CHOICES; i++) {
		struct tval *chip = tval_add_map(p->arena, chips);
		tval_set_text(p->arena, chip, "label", choices[i].label);
		tval_set_text(p->arena, chip, "query", query(p, f.text, choices[i].value, 0));
		tval_set_flag(p->arena, chip, "here", strcmp(choices[i].value, here) == 0);
	}
	if (store_list_page(p->gateway->store, &f, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && i < ROWS_PER_PAGE; i++)
		entry_show(p, tval_add_map(p->arena, list), &rows[i]);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_flag(p->arena, p->view, "filtered",
		f.text.len > 0 || here[0] != '\0' || f.before_id > 0);
	tval_set_str(p->arena, p->view, "q", f.text);
	tval_set_text(p->arena, p->view, "filter_list", here);
	if (f.before_id > 0)
		tval_set_text(p->arena, p->view, "first_query", query(p, f.text, here, 0));
	if (count > ROWS_PER_PAGE)
		tval_set_text(p->arena, p->view, "next_query",
			query(p, f.text, here, rows[ROWS_PER_PAGE - 1].id));
	return 0;
}

static void health_show(struct page *p, struct tval *row, struct str zone)
{
	static const char *const kinds[] = {
		[DNSBL_HEALTHY] = "good", [DNSBL_UNHEALTHY] = "bad", [DNSBL_UNKNOWN] = "warn"};
	static const char *const labels[] = {[DNSBL_HEALTHY] = "Works",
		[DNSBL_UNHEALTHY] = "Not asked",
		[DNSBL_UNKNOWN] = "No answer"};
	struct dnsbl_zone_state s;

	if (p->gateway->dnsbl == NULL || !dnsbl_zone_known(p->gateway->dnsbl, zone, p->arena, &s)) {
		tval_set_text(p->arena, row, "kind", "calm");
		tval_set_text(p->arena, row, "health", "Not tested yet");
		return;
	}
	tval_set_text(p->arena, row, "kind", kinds[s.health]);
	tval_set_text(p->arena, row, "health", labels[s.health]);
	tval_set_str(p->arena, row, "problem", s.problem);
	page_time(p, row, "checked", s.checked_unix_s * 1000);
}

static int zones_show(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "zones");
	struct store_dnsbl_zone *rows;
	size_t count, shown = 0;

	if (store_dnsbl_list(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++, shown++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "zone", rows[i].zone);
		tval_set_str(p->arena, row, "comment", rows[i].comment);
		health_show(p, row, rows[i].zone);
		if (rows[i].disabled) {
			tval_set_text(p->arena, row, "kind", "calm");
			tval_set_text(p->arena, row, "health", "Switched off");
		}
	}
	for (size_t i = 0; i < p->config->listener_count; i++) {
		const struct config_listener *l = &p->config->listeners[i];
		for (size_t k = 0; k < l->dnsbl_count; k++, shown++) {
			struct tval *row = tval_add_map(p->arena, list);
			tval_set_text(p->arena, row, "zone", l->dnsbls[k]);
			tval_set_printf(
				p->arena, row, "comment", "mox.conf, listener %s only", l->name);
			health_show(p, row, str_from(l->dnsbls[k]));
		}
	}
	tval_set_flag(p->arena, p->view, "any_zone", shown > 0);
	return 0;
}

void page_lists(struct page *p)
{
	struct err err;

	if (entries_show(p, &err) < 0 || zones_show(p, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	page_render(p, 200, "lists", "Allow and deny");
}

/* --- one entry --- */

/* As lists_entry_save; -1 was answered. */
static int entry_form_read(
	struct page *p, struct store_list_entry *row, struct admin_problems *problems)
{
	int64_t now_s = clock_unix_s();
	struct err err;

	row->list =
		str_eq(page_field(p, "list"), STR("allow")) ? STORE_LIST_ALLOW : STORE_LIST_DENY;
	row->value = page_field(p, "value");
	row->comment = page_field(p, "comment");
	if (!lists_expiry_parse(page_field(p, "expires"), now_s, &row->expires_s)) {
		snprintf(problems->at[0].text, sizeof(problems->at[0].text), "%s",
			"Enter a date such as 2026-12-31, or a number of days.");
		problems->at[0].field = "expires";
		problems->count = 1;
		return 1;
	}
	int rc = lists_entry_save(p->gateway->store, p->arena, row, now_s, problems, &err);
	if (rc < 0)
		page_failed(p, &err);
	return rc;
}

static void entry_form(struct page *p, struct store_list_entry *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	bool fresh = row->id == 0;
	char date[CLOCK_TEXT] = "";

	/* The last day it has effect. */
	if (row->expires_s != 0)
		(void)clock_iso(row->expires_s - 1, date);
	date[row->expires_s != 0 ? 10 : 0] = '\0';
	int rc = p->method == PAGE_POST ? entry_form_read(p, row, &problems) : 1;
	if (rc == 0)
		page_redirect(p, "lists?done=%s", fresh ? "created" : "saved");
	if (rc <= 0)
		return;
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_text(&f, "value", "Who", row->value,
		"192.0.2.7, 192.0.2.0/24, example.org (with all names below it) or "
		"someone@example.org.");
	formview_radio(&f, "list", "Mail from there is", lists_list_text(row->list), "");
	formview_option(&f, "deny", "Denied", "Refused, whatever the checks say.");
	formview_option(&f, "allow", "Allowed",
		"Taken although checks speak against it. A domain or address counts when SPF, DKIM "
		"or DMARC show that the mail is really from there.");
	formview_text(&f, "expires", "Until", str_from(date),
		"A date such as 2026-12-31, or a number of days. Empty: for good.");
	formview_text(&f, "comment", "Note", row->comment, "Why, for whoever comes after you.");
	formview_render(&f, fresh ? "New entry" : "Entry", "The most exact entry counts.",
		fresh ? "Add entry" : "Save", "lists",
		fresh ? NULL : arena_printf(p->arena, "lists/%lld/delete", (long long)row->id));
}

void page_list_new(struct page *p)
{
	struct store_list_entry row = {.list = STORE_LIST_DENY,
		.value = urlform_get(&p->query, "value"),
		.comment = {"", 0}};

	if (str_eq(urlform_get(&p->query, "list"), STR("allow")))
		row.list = STORE_LIST_ALLOW;
	entry_form(p, &row);
}

static bool entry_load(struct page *p, struct store_list_entry *row)
{
	struct err err;
	int rc = store_list_get(p->gateway->store, page_id(p, 0), p->arena, row, &err);

	if (rc < 0)
		page_failed(p, &err);
	if (rc == 0)
		page_not_found(p, "entry");
	return rc == 1;
}

void page_list_edit(struct page *p)
{
	struct store_list_entry row;

	if (entry_load(p, &row))
		entry_form(p, &row);
}

void page_list_delete(struct page *p)
{
	struct store_list_entry row;
	struct err err;

	if (!entry_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		formview_confirm(p,
			arena_printf(p->arena, "Remove %.*s from the lists?", STR_FMT(row.value)),
			"Mail from there is then judged by the checks alone.", "Remove entry",
			"lists");
		return;
	}
	if (store_list_delete(p->gateway->store, row.id, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "lists?done=deleted");
}

/* --- one block list --- */

static void zone_form(struct page *p, struct store_dnsbl_zone *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0;

	if (p->method == PAGE_POST) {
		row->zone = page_field(p, "zone");
		row->comment = page_field(p, "comment");
		row->disabled = !urlform_has(&p->form, "enabled");
		int rc = lists_zone_save(p->gateway->store, p->arena, row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "lists?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_text(&f, "zone", "Zone", row->zone,
		"The name that the list's operator gives, for example bl.example.org.");
	formview_check(&f, "enabled", "Look clients up in it", !row->disabled, "");
	formview_text(&f, "comment", "Note", row->comment, "");
	formview_render(&f, fresh ? "New block list" : "Block list",
		"Clients that it lists are treated as each domain's policy says. It is only "
		"trusted while it behaves as a list: 127.0.0.2 is on it, 127.0.0.1 is not.",
		fresh ? "Add block list" : "Save", "lists",
		fresh ? NULL
		      : arena_printf(p->arena, "blocklists/%lld/delete", (long long)row->id));
}

void page_blocklist_new(struct page *p)
{
	struct store_dnsbl_zone row = {.id = 0, .zone = {"", 0}, .comment = {"", 0}};

	zone_form(p, &row);
}

static bool zone_load(struct page *p, struct store_dnsbl_zone *row)
{
	struct store_dnsbl_zone *rows;
	size_t count;
	struct err err;

	if (store_dnsbl_list(p->gateway->store, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (rows[i].id == page_id(p, 0)) {
			*row = rows[i];
			return true;
		}
	}
	page_not_found(p, "block list");
	return false;
}

void page_blocklist_edit(struct page *p)
{
	struct store_dnsbl_zone row;

	if (zone_load(p, &row))
		zone_form(p, &row);
}

void page_blocklist_delete(struct page *p)
{
	struct store_dnsbl_zone row;
	struct err err;

	if (!zone_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		formview_confirm(p,
			arena_printf(p->arena, "No longer ask %.*s?", STR_FMT(row.zone)),
			"Clients are then not looked up in it any more.", "Remove block list",
			"lists");
		return;
	}
	if (store_dnsbl_delete(p->gateway->store, row.id, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "lists?done=deleted");
}
