#include "store/mailpolicy.h"

#include "store/dircache.h"

#include <stdio.h>

static const char sql_get[] =
	"SELECT dmarc, spf, iprev, dnsbl, temperror_defer, sender_mx, quarantine_score,"
	" reject_score FROM domain_policy WHERE domain_id = ?";
static const char sql_put[] =
	"INSERT INTO domain_policy(domain_id, dmarc, spf, iprev, dnsbl, temperror_defer,"
	" sender_mx, quarantine_score, reject_score) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
	" ON CONFLICT(domain_id) DO UPDATE SET dmarc = ?2, spf = ?3, iprev = ?4, dnsbl = ?5,"
	" temperror_defer = ?6, sender_mx = ?7, quarantine_score = ?8, reject_score = ?9";

void store_mail_policy_default(struct store_mail_policy *out)
{
	*out = (struct store_mail_policy){.dmarc = STORE_DMARC_HONOUR,
		.spf = STORE_MEASURE_OFF,
		.iprev = STORE_MEASURE_OFF,
		.dnsbl = STORE_MEASURE_QUARANTINE};
}

static void row_read(sqlite3_stmt *stmt, struct store_mail_policy *out)
{
	out->dmarc = (enum store_dmarc_measure)db_column_int(stmt, 0);
	out->spf = (enum store_measure)db_column_int(stmt, 1);
	out->iprev = (enum store_measure)db_column_int(stmt, 2);
	out->dnsbl = (enum store_measure)db_column_int(stmt, 3);
	out->temperror_defer = db_column_int(stmt, 4) != 0;
	out->sender_mx = db_column_int(stmt, 5) != 0;
	out->quarantine_score = db_column_int(stmt, 6);
	out->reject_score = db_column_int(stmt, 7);
}

static int policy_load(
	struct store *s, int64_t domain_id, struct store_mail_policy *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_get, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, domain_id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			row_read(stmt, out);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

int store_mail_policy_get(
	struct store *s, int64_t domain_id, struct store_mail_policy *out, struct err *err)
{
	union dir_value value = {.domain = {.id = 0}};
	uint64_t generation = dir_generation(s);
	char key[24];

	snprintf(key, sizeof(key), "%lld", (long long)domain_id);
	if (dir_get(s, DIR_MAIL_POLICY, str_from(key), NULL, &value) != 1) {
		store_mail_policy_default(&value.mail_policy);
		if (policy_load(s, domain_id, &value.mail_policy, err) < 0)
			return -1;
		value.mail_policy.domain_id = domain_id;
		dir_put(s, generation, DIR_MAIL_POLICY, str_from(key), 1, &value);
	}
	*out = value.mail_policy;
	return 0;
}

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct store_mail_policy *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_put, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, row->domain_id);
	db_bind_int(stmt, 2, row->dmarc);
	db_bind_int(stmt, 3, row->spf);
	db_bind_int(stmt, 4, row->iprev);
	db_bind_int(stmt, 5, row->dnsbl);
	db_bind_int(stmt, 6, row->temperror_defer);
	db_bind_int(stmt, 7, row->sender_mx);
	db_bind_int(stmt, 8, row->quarantine_score);
	db_bind_int(stmt, 9, row->reject_score);
	if (db_step(db, stmt, err) == 0)
		return 0;
	return err->kind == ERR_PERM ? err_set(err, ERR_PERM, "the domain is gone") : -1;
}

int store_mail_policy_put(struct store *s, const struct store_mail_policy *row, struct err *err)
{
	struct store_mail_policy copy = *row;
	struct write_op op = {.run = put_run, .committed = dir_changed, .arg = &copy};

	return store_write(s, &op, err);
}
