/* Hold rules: mail that matches one starts on hold. */
#include "webui/formview.h"
#include "webui/pages.h"
#include "webui/queueview.h"

static void rule_show(struct page *p, struct tval *map, const struct store_hold_rule *r)
{
	tval_set_printf(p->arena, map, "id", "%lld", (long long)r->id);
	tval_set_str(p->arena, map, "account", r->account);
	tval_set_str(p->arena, map, "sender_domain", r->sender_domain);
	tval_set_str(p->arena, map, "sender", r->sender);
	tval_set_str(p->arena, map, "rcpt_domain", r->rcpt_domain);
	tval_set_str(p->arena, map, "comment", r->comment);
	tval_set_flag(p->arena, map, "all_mail",
		r->account.len + r->sender_domain.len + r->sender.len + r->rcpt_domain.len == 0);
	page_time(p, map, "created", r->created_s * 1000);
}

void page_holds(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rules");
	struct store_hold_rule *rows;
	size_t count;
	struct err err;

	if (store_hold_list(p->gateway->store, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		rule_show(p, tval_add_map(p->arena, list), &rows[i]);
	tval_set_flag(p->arena, p->view, "any", count > 0);
	page_render(p, 200, "holds", "Hold rules");
}

void page_hold_new(struct page *p)
{
	struct store_hold_rule row = {.id = 0};
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;

	if (p->method == PAGE_POST) {
		row.account = page_field(p, "account");
		row.sender_domain = page_field(p, "sender_domain");
		row.sender = page_field(p, "sender");
		row.rcpt_domain = page_field(p, "rcpt_domain");
		row.comment = page_field(p, "comment");
		int rc = admin_hold_save(p->gateway->store, p->arena, &row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "holds/%lld/apply", (long long)row.id);
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_text(&f, "sender_domain", "Sender's domain", row.sender_domain,
		"\".example.org\" also takes the domains below it.");
	formview_text(&f, "sender", "Sender's address", row.sender, "<> for bounces.");
	formview_text(&f, "rcpt_domain", "Recipient's domain", row.rcpt_domain,
		"\".example.org\" also takes the domains below it.");
	formview_text(&f, "account", "Account", row.account, "That submitted it.");
	formview_text(&f, "comment", "Note", row.comment, "Why.");
	formview_render(&f, "New hold rule",
		"Mail that matches all that is filled in starts on hold. With nothing filled in, "
		"that is all mail.",
		"Add rule", "holds", NULL);
}

/* The rule of the path and how many recipients of that state match it; false when an answer was
 * given. */
static bool rule_load(struct page *p, enum store_rcpt_state state, struct store_hold_rule *row,
	struct store_queue_filter *f, int64_t *n, bool *exact)
{
	struct err err;
	int64_t id = page_id(p, 0);
	int rc = id > 0 ? store_hold_get(p->gateway->store, id, p->arena, row, &err) : 0;

	if (rc == 0) {
		page_not_found(p, "hold rule");
		return false;
	}
	*f = store_hold_filter(row, state);
	if (rc < 0 || store_queue_count(p->gateway->store, f, n, exact, &err) < 0) {
		page_failed(p, &err);
		return false;
	}
	return true;
}

static void question_show(
	struct page *p, const struct store_hold_rule *row, int64_t n, bool exact, bool deleting)
{
	tval_set_flag(p->arena, p->view, "some", n > 0 || !exact);
	tval_set_flag(p->arena, p->view, "deleting", deleting);
	tval_set_printf(p->arena, p->view, "count", "%s%s", exact ? "" : "at least ",
		queueview_count(p, n));
	rule_show(p, p->view, row);
	page_render(
		p, 200, "hold_confirm", deleting ? "Remove this hold rule?" : "The rule is added");
}

/* After a rule was added: is what waits to be held too? */
void page_hold_apply(struct page *p)
{
	struct store_hold_rule row;
	struct store_queue_filter f;
	int64_t n;
	bool exact;
	size_t changed;
	struct err err;

	if (!rule_load(p, STORE_RCPT_QUEUED, &row, &f, &n, &exact))
		return;
	if (p->method == PAGE_GET && n == 0 && exact)
		page_redirect(p, "holds?done=created");
	else if (p->method == PAGE_GET)
		question_show(p, &row, n, exact, false);
	else if (queue_act_all(p->gateway->queue, STORE_QUEUE_HOLD, &f, &changed, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "holds?done=hold&n=%zu", changed);
}

void page_hold_delete(struct page *p)
{
	struct store_hold_rule row;
	struct store_queue_filter f;
	int64_t n;
	bool exact;
	size_t changed;
	struct err err;

	if (!rule_load(p, STORE_RCPT_HELD, &row, &f, &n, &exact))
		return;
	if (p->method == PAGE_GET) {
		question_show(p, &row, n, exact, true);
		return;
	}
	if (store_hold_delete(p->gateway->store, row.id, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	if (!str_eq(page_field(p, "then"), STR("release")))
		page_redirect(p, "holds?done=deleted");
	else if (queue_act_all(p->gateway->queue, STORE_QUEUE_UNHOLD, &f, &changed, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "holds?done=unhold&n=%zu", changed);
}
