/* Hold rules: fields account sender_domain sender rcpt_domain comment. */
#include "policy/admin_check.h"
#include "store/hold.h"

static struct str sender_check(struct arena *a, struct str text, struct admin_problems *problems)
{
	struct message_address addr;
	struct err err;

	text = str_trim(text);
	if (text.len == 0 || str_eq(text, STR("<>")))
		return text;
	if (message_address_parse(a, text, &addr, &err) < 0) {
		admin_problem(problems, "sender",
			"%s. Write an address such as ann@example.org, or <> for bounces.",
			err.text);
		return text;
	}
	return message_address_write(a, &addr);
}

int admin_hold_save(struct store *s, struct arena *a, struct store_hold_rule *row,
	struct admin_problems *problems, struct err *err)
{
	struct store_account account;

	problems->count = 0;
	row->account = str_trim(row->account);
	if (row->account.len > 0) {
		int rc = store_account_find(s, row->account, a, &account, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			admin_problem(problems, "account", "There is no account of this name.");
	}
	row->sender_domain = admin_pattern_check(a, row->sender_domain, "sender_domain", problems);
	row->sender = sender_check(a, row->sender, problems);
	row->rcpt_domain = admin_pattern_check(a, row->rcpt_domain, "rcpt_domain", problems);
	row->comment = admin_text_check(a, row->comment, "comment", problems);
	if (problems->count > 0)
		return 1;
	if (store_hold_add(s, row, err) == 0)
		return 0;
	if (err->kind != ERR_PERM)
		return -1;
	admin_problem(problems, "sender_domain", "There is a hold rule like this already.");
	return 1;
}
