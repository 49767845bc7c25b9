/* TLS reports received: settings, and the addresses of domains. */
#include "store/tlsreport.h"

#include "base/buf.h"
#include "base/rand.h"
#include "store/db.h"

#include <stdio.h>

enum { TOKEN_OCTETS = 16 };

static const char days_setting[] = "TLSReportDays";
static const char token_setting[] = "TLSReportToken";

int store_tls_report_days(struct store *s, int64_t *days, struct err *err)
{
	struct arena *a = arena_open();
	struct str value;
	uint64_t n;

	*days = STORE_TLS_REPORT_DAYS;
	int rc = store_setting_get(s, days_setting, a, &value, err);
	if (rc == 1 && str_to_u64(value, STORE_TLS_REPORT_DAYS_MAX, &n) && n > 0)
		*days = (int64_t)n;
	arena_close(&a);
	return rc < 0 ? -1 : 0;
}

int store_tls_report_days_put(struct store *s, int64_t days, struct err *err)
{
	char text[32];

	if (days < 1 || days > STORE_TLS_REPORT_DAYS_MAX)
		return err_set(err, ERR_PERM, "%lld days: must be 1 to %d", (long long)days,
			STORE_TLS_REPORT_DAYS_MAX);
	snprintf(text, sizeof(text), "%lld", (long long)days);
	return store_setting_put(s, days_setting, str_from(text), err);
}

int store_tls_report_token(
	struct store *s, bool renew, struct arena *a, struct str *token, struct err *err)
{
	unsigned char secret[TOKEN_OCTETS];
	struct buf hex = {NULL, 0, 0};
	int rc = store_setting_get(s, token_setting, a, token, err);

	if (rc < 0 || (rc == 1 && token->len > 0 && !renew))
		return rc < 0 ? -1 : 0;
	rand_bytes(secret, sizeof(secret));
	buf_hex(&hex, secret, sizeof(secret));
	*token = arena_str(a, buf_str(&hex));
	buf_free(&hex);
	return store_setting_put(s, token_setting, *token, err);
}

/* --- addresses of domains --- */

static const char sql_get[] = "SELECT off, localpart FROM domain_tlsrpt WHERE domain_id = ?";
static const char sql_put[] =
	"INSERT INTO domain_tlsrpt(domain_id, off, localpart) VALUES(?1, ?2, ?3)"
	" ON CONFLICT(domain_id) DO UPDATE SET off = ?2, localpart = ?3";

int store_domain_tlsrpt_get(struct store *s, int64_t domain_id, struct arena *a,
	struct store_domain_tlsrpt *out, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*out = (struct store_domain_tlsrpt){.localpart = STR(STORE_TLSRPT_LOCALPART)};
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_get, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, domain_id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			out->off = db_column_int(stmt, 0) != 0;
			out->localpart = db_column(stmt, 1, a);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}

struct put_op {
	int64_t domain_id;
	const struct store_domain_tlsrpt *in;
};

static int put_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct put_op *op = arg;
	sqlite3_stmt *stmt = db_prepare(db, sql_put, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, op->domain_id);
	db_bind_int(stmt, 2, op->in->off);
	db_bind_str(stmt, 3, op->in->localpart);
	if (db_step(db, stmt, err) == 0)
		return 0;
	return err->kind == ERR_PERM ? err_set(err, ERR_PERM, "the domain is gone") : -1;
}

int store_domain_tlsrpt_put(
	struct store *s, int64_t domain_id, const struct store_domain_tlsrpt *in, struct err *err)
{
	struct put_op op = {domain_id, in};
	struct write_op write = {.run = put_run, .arg = &op};

	return store_write(s, &write, err);
}
