#include "control/token.h"
#include "webui/formview.h"
#include "webui/pages.h"

static int tokens_fill(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "tokens");
	struct store_token *rows;
	size_t count;

	if (store_token_list(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "name", rows[i].name);
		tval_set_flag(p->arena, row, "read_only", rows[i].read_only);
		tval_set_flag(p->arena, row, "expired",
			rows[i].expires_s != 0 && rows[i].expires_s <= clock_unix_s());
		page_time(p, row, "created", rows[i].created_s * 1000);
		page_time(p, row, "used", rows[i].used_s * 1000);
		page_time(p, row, "expires", rows[i].expires_s * 1000);
		tval_set_str(p->arena, row, "used_ip", rows[i].used_ip);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	return 0;
}

/* The words of the form; the days an admin can choose. */
static const struct {
	const char *days, *label;
} terms[] = {{"30", "30 days"}, {"90", "90 days"}, {"365", "One year"}, {"0", "For ever"}};

static void choices_fill(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "terms");
	struct str chosen = page_field(p, "days");

	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		struct tval *t = tval_add_map(p->arena, list);
		tval_set_text(p->arena, t, "days", terms[i].days);
		tval_set_text(p->arena, t, "label", terms[i].label);
		tval_set_flag(p->arena, t, "on",
			chosen.len > 0 ? str_eq(chosen, str_from(terms[i].days)) : i == 2);
	}
}

/* 0 made, 1 problem is shown, -1. */
static int token_make(struct page *p, struct err *err)
{
	struct store_token row = {
		.name = page_field(p, "name"), .read_only = page_field(p, "read_only").len > 0};
	struct admin_problems problems = {.count = 0};
	int64_t days = page_number(page_field(p, "days"));
	char token[CONTROL_TOKEN_TEXT];

	if (days > 0 && days <= 3660)
		row.expires_s = clock_unix_s() + days * 86400;
	int rc = control_token_new(p->gateway->store, &row, &problems, token, err);
	if (rc == 0) {
		tval_set_text(p->arena, p->view, "made", arena_strdup(p->arena, str_from(token)));
		tval_set_str(p->arena, p->view, "made_name", row.name);
	} else if (rc == 1) {
		tval_set_text(p->arena, p->view, "problem",
			arena_strdup(p->arena, str_from(problems.at[0].text)));
		tval_set_str(p->arena, p->view, "name", page_field(p, "name"));
		tval_set_flag(p->arena, p->view, "wants_read_only", row.read_only);
	}
	return rc;
}

void page_tokens(struct page *p)
{
	struct err err;
	int rc = 0;

	if (p->method == PAGE_POST && (rc = token_make(p, &err)) < 0) {
		page_failed(p, &err);
		return;
	}
	if (tokens_fill(p, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	choices_fill(p);
	page_render(p, rc == 1 ? 422 : 200, "tokens", "API tokens");
}

void page_token_delete(struct page *p)
{
	bool found;
	struct err err;

	if (p->method == PAGE_GET) {
		formview_confirm(p, "Revoke this token?",
			"Programs that use it can do nothing here from then on.", "Revoke token",
			"tokens");
		return;
	}
	if (store_token_delete(p->gateway->store, page_id(p, 0), &found, &err) < 0)
		page_failed(p, &err);
	else if (!found)
		page_not_found(p, "token");
	else
		page_redirect(p, "tokens?done=deleted");
}
