#include "store/hold.h"

#include "store/dircache.h"
#include "store/queue_priv.h"

static const char sql_all[] =
	"SELECT id, account, sender_domain, sender, rcpt_domain, comment, created_s FROM hold_rule"
	" ORDER BY id";
static const char sql_insert[] =
	"INSERT INTO hold_rule(account, sender_domain, sender, rcpt_domain, comment, created_s)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
static const char sql_delete[] = "DELETE FROM hold_rule WHERE id = ?";

static void rule_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_hold_rule *row = out;

	row->id = db_column_int(stmt, 0);
	row->account = db_column(stmt, 1, a);
	row->sender_domain = db_column(stmt, 2, a);
	row->sender = db_column(stmt, 3, a);
	row->rcpt_domain = db_column(stmt, 4, a);
	row->comment = db_column(stmt, 5, a);
	row->created_s = db_column_int(stmt, 6);
}

int store_hold_list(struct store *s, struct arena *a, struct store_hold_rule **rows, size_t *count,
	struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_all, 0, rule_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

int store_hold_get(
	struct store *s, int64_t id, struct arena *a, struct store_hold_rule *out, struct err *err)
{
	struct store_hold_rule *rows;
	size_t count;

	if (store_hold_list(s, a, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].id == id) {
			*out = rows[i];
			return 1;
		}
	}
	return 0;
}

static int add_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_hold_rule *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	row->created_s = clock_unix_s();
	db_bind_str(stmt, 1, row->account);
	db_bind_str(stmt, 2, row->sender_domain);
	db_bind_str(stmt, 3, row->sender);
	db_bind_str(stmt, 4, row->rcpt_domain);
	db_bind_str(stmt, 5, row->comment);
	db_bind_int(stmt, 6, row->created_s);
	if (db_step(db, stmt, err) < 0)
		return err->kind == ERR_PERM
			       ? err_set(err, ERR_PERM, "there is the same hold rule already")
			       : -1;
	row->id = sqlite3_last_insert_rowid(db->h);
	return 0;
}

int store_hold_add(struct store *s, struct store_hold_rule *row, struct err *err)
{
	struct write_op op = {.run = add_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_hold_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_delete, id, NULL, err);
}

struct store_queue_filter store_hold_filter(
	const struct store_hold_rule *rule, enum store_rcpt_state state)
{
	return (struct store_queue_filter){.state = (int)state,
		.account = rule->account,
		.sender_domain = rule->sender_domain,
		.sender = rule->sender,
		.dest = rule->rcpt_domain};
}

bool hold_rule_matches(
	const struct store_hold_rule *rule, const struct store_msg_new *msg, struct str dest)
{
	return (rule->account.len == 0 || str_eq_nocase(rule->account, msg->account)) &&
	       dir_domain_matches(rule->rcpt_domain, dest) &&
	       hold_sender_matches(rule->sender, rule->sender_domain, msg->mail_from);
}

bool hold_sender_matches(struct str sender, struct str domain, struct str mail_from)
{
	const char *at = mail_from.len > 0 ? memrchr(mail_from.p, '@', mail_from.len) : NULL;
	struct str of = STR("");

	if (at != NULL)
		of = str_skip(mail_from, (size_t)(at + 1 - mail_from.p));
	if (sender.len > 0 && !(str_eq(sender, STR("<>")) ? mail_from.len == 0
							  : str_eq_nocase(sender, mail_from)))
		return false;
	return domain.len == 0 || (of.len > 0 && dir_domain_matches(domain, of));
}
