/* What the admin says about TLS to single destinations: page "Destinations". */
#include "webui/formview.h"
#include "webui/pages.h"

#include "policy/override.h"

enum { ROWS_SHOWN = 100 };

static const char *kind_words(enum store_override_kind k)
{
	switch (k) {
	case STORE_OVERRIDE_VERIFIED:
		return "Only over verified TLS";
	case STORE_OVERRIDE_PLAINTEXT:
		return "Plaintext will do";
	case STORE_OVERRIDE_PIN:
		return "Pinned key";
	}
	return "Unknown";
}

static void row_show(struct page *p, struct tval *list, const struct store_override *o)
{
	struct tval *row = tval_add_map(p->arena, list);
	char day[OVERRIDE_DAY_TEXT];
	int64_t now_s = clock_unix_s();

	tval_set_str(p->arena, row, "domain", o->domain);
	tval_set_str(p->arena, row, "name",
		dns_name_to_unicode(p->arena, arena_strdup(p->arena, o->domain)));
	tval_set_printf(p->arena, row, "kind", "%s", kind_words(o->kind));
	tval_set_str(p->arena, row, "reason", o->reason);
	tval_set_printf(p->arena, row, "expires", "%s", override_day_text(o->expires_s, day));
	tval_set_flag(p->arena, row, "expired", o->expires_s <= now_s);
	tval_set_flag(p->arena, row, "soon",
		o->expires_s > now_s && o->expires_s <= now_s + INT64_C(7) * 86400);
}

void page_destinations(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "overrides");
	struct store_override *rows;
	struct str after = urlform_get(&p->query, "after");
	size_t count;
	bool more;
	struct err err;

	if (store_override_list(p->gateway->store, after, ROWS_SHOWN, p->arena, &rows, &count,
		    &more, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		row_show(p, list, &rows[i]);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_flag(p->arena, p->view, "first", after.len == 0);
	if (more)
		tval_set_str(p->arena, p->view, "next", rows[count - 1].domain);
	page_render(p, 200, "destinations", "Destinations");
}

static struct str pins_lines(struct page *p, struct str pins)
{
	char *text = arena_strdup(p->arena, pins);

	for (size_t i = 0; i < pins.len; i++) {
		if (text[i] == ' ')
			text[i] = '\n';
	}
	return (struct str){text, pins.len};
}

static void fields(struct formview *f, const struct override_form *form, bool fresh)
{
	formview_section(f, "", NULL);
	if (fresh)
		formview_text(f, "domain", "Recipient domain", form->domain,
			"What stands behind the @, for example partner.example.");
	formview_radio(f, "kind", "What counts", arena_strdup(f->page->arena, form->kind), NULL);
	formview_option(f, "verified", "Only over verified TLS",
		"The certificate must match the domain's TLSA records, or where there are none be "
		"valid for the MX host. Else mail waits, and goes back in the end.");
	formview_option(f, "pin", "Only to servers with these keys",
		"Besides what the domain itself asks for.");
	formview_option(f, "plaintext", "Plaintext will do",
		"TLS is used if it works; what DANE and MTA-STS of the domain ask is noted, but "
		"does not stop mail. For when their set-up is broken and mail must go.");
	formview_area(f, "pins", "Keys", form->pins,
		"Only for pinned keys: SHA-256 of the public key in hexadecimal, one a line. The "
		"trace of a delivery shows the key that was met.");
	formview_text(f, "reason", "Reason", form->reason, "Who asked for it, and why.");
	formview_text(f, "expires", "Ends after", form->expires,
		"The last day it is good for, for example 2027-01-31, or a number of days: 30d. At "
		"most a year.");
}

static void override_page(struct page *p, struct override_form *form, bool fresh)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;

	if (p->method == PAGE_POST) {
		if (fresh)
			form->domain = page_field(p, "domain");
		form->kind = page_field(p, "kind");
		form->pins = page_field(p, "pins");
		form->reason = page_field(p, "reason");
		form->expires = page_field(p, "expires");
		int rc = override_save(p->gateway->store, p->arena, form, NULL, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "destinations?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	fields(&f, form, fresh);
	formview_render(&f,
		fresh ? "New exception"
		      : arena_printf(p->arena, "Exception for %.*s", STR_FMT(form->domain)),
		"What counts for mail to one domain, whatever the domain itself publishes about "
		"TLS. "
		"It holds from the next delivery attempt on.",
		fresh ? "Add exception" : "Save", "destinations",
		fresh ? NULL
		      : arena_printf(p->arena, "destinations/%.*s/delete", STR_FMT(form->domain)));
}

void page_destination_new(struct page *p)
{
	struct override_form form = {.domain = urlform_get(&p->query, "domain"),
		.kind = STR("verified"),
		.expires = STR("30d")};

	override_page(p, &form, true);
}

static bool override_load(struct page *p, struct store_override *row)
{
	struct err err;
	int rc = store_override_get(p->gateway->store, p->params[0], p->arena, row, &err);

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "exception");
	return rc == 1;
}

void page_destination_edit(struct page *p)
{
	struct store_override row;
	char day[OVERRIDE_DAY_TEXT];

	if (!override_load(p, &row))
		return;
	struct override_form form = {.domain = row.domain,
		.kind = str_from(override_kind_text(row.kind)),
		.pins = pins_lines(p, row.pins),
		.reason = row.reason,
		.expires = str_from(override_day_text(row.expires_s, day))};
	override_page(p, &form, false);
}

void page_destination_delete(struct page *p)
{
	struct store_override row;
	struct err err;
	bool found;

	if (!override_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		formview_confirm(p,
			arena_printf(
				p->arena, "Remove the exception for %.*s?", STR_FMT(row.domain)),
			"What the domain publishes about TLS counts again.", "Remove exception",
			"destinations");
		return;
	}
	if (store_override_delete(p->gateway->store, row.domain, &found, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "destinations?done=deleted");
}
