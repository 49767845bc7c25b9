/* Pages of the directory's long lists: by name from a name on, with a search. */
#include "store/dircache.h"

#include <stdio.h>

enum { DIR_PAGE_MAX = 500 };

/* ?1 after, ?2 text to be found, ?3 limit, ?4 domain */
static const char sql_domains[] =
	"SELECT id FROM domain WHERE name > ?1 AND (?2 = ''"
	" OR instr(lower(name || char(10) || description || char(10) || relay_hosts), lower(?2)))"
	" ORDER BY name LIMIT ?3";
static const char sql_addresses[] =
	"SELECT a.id FROM address a LEFT JOIN account u ON u.id = a.account_id"
	" WHERE a.domain_id = ?4 AND a.localpart >= ?1 AND (?1 = '' OR a.localpart > ?1)"
	" AND (?2 = '' OR instr(lower(a.localpart || char(10) || a.members || char(10)"
	" || a.relay_hosts || char(10) || coalesce(u.name, '')), lower(?2)))"
	" ORDER BY a.localpart LIMIT ?3";
static const char sql_accounts[] =
	"SELECT id FROM account WHERE name > ?1 AND (?2 = ''"
	" OR instr(lower(name || char(10) || full_name), lower(?2))) ORDER BY name LIMIT ?3";
static const char sql_address_count[] = "SELECT count(*) FROM address WHERE domain_id = ?";

/* The ids of a page, and one more when there is a next. */
static int ids_read(struct store *s, const char *sql, const struct store_dir_page *page,
	int64_t domain_id, struct arena *a, int64_t **ids, size_t *n, struct err *err)
{
	size_t limit = page->limit < 1              ? 1
		       : page->limit > DIR_PAGE_MAX ? DIR_PAGE_MAX
						    : page->limit;
	struct db *db = reader_take(s, err);
	int rc = -1;

	*n = 0;
	*ids = arena_alloc(a, (limit + 1) * sizeof(**ids));
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql, err);
	if (stmt != NULL) {
		db_bind_str(stmt, 1, page->after);
		db_bind_str(stmt, 2, page->text);
		db_bind_int(stmt, 3, (int64_t)limit + 1);
		if (sql == sql_addresses)
			db_bind_int(stmt, 4, domain_id);
		while ((rc = db_step(db, stmt, err)) == 1)
			(*ids)[(*n)++] = db_column_int(stmt, 0);
	}
	reader_give(s, db);
	return rc;
}

static void page_cut(struct store_dir_page *page, size_t *n)
{
	size_t limit = page->limit < 1              ? 1
		       : page->limit > DIR_PAGE_MAX ? DIR_PAGE_MAX
						    : page->limit;

	page->more = *n > limit;
	if (page->more)
		*n = limit;
}

int store_domain_page(struct store *s, struct store_dir_page *page, struct arena *a,
	struct store_domain **rows, size_t *count, struct err *err)
{
	int64_t *ids;
	size_t n;

	*count = 0;
	if (ids_read(s, sql_domains, page, 0, a, &ids, &n, err) < 0)
		return -1;
	page_cut(page, &n);
	*rows = arena_alloc(a, (n + 1) * sizeof(**rows));
	for (size_t i = 0; i < n; i++) {
		int rc = store_domain_get(s, ids[i], a, &(*rows)[*count], err);
		if (rc < 0)
			return -1;
		*count += rc == 1;
	}
	return 0;
}

int store_address_page(struct store *s, int64_t domain_id, struct store_dir_page *page,
	struct arena *a, struct store_address **rows, size_t *count, struct err *err)
{
	int64_t *ids;
	size_t n;

	*count = 0;
	if (ids_read(s, sql_addresses, page, domain_id, a, &ids, &n, err) < 0)
		return -1;
	page_cut(page, &n);
	*rows = arena_alloc(a, (n + 1) * sizeof(**rows));
	for (size_t i = 0; i < n; i++) {
		int rc = store_address_get(s, ids[i], a, &(*rows)[*count], err);
		if (rc < 0)
			return -1;
		*count += rc == 1;
	}
	return 0;
}

int store_account_page(struct store *s, struct store_dir_page *page, struct arena *a,
	struct store_account **rows, size_t *count, struct err *err)
{
	int64_t *ids;
	size_t n;

	*count = 0;
	if (ids_read(s, sql_accounts, page, 0, a, &ids, &n, err) < 0)
		return -1;
	page_cut(page, &n);
	*rows = arena_alloc(a, (n + 1) * sizeof(**rows));
	for (size_t i = 0; i < n; i++) {
		int rc = store_account_get(s, ids[i], a, &(*rows)[*count], err);
		if (rc < 0)
			return -1;
		*count += rc == 1;
	}
	return 0;
}

int store_address_count(struct store *s, int64_t domain_id, int64_t *count, struct err *err)
{
	struct db *db = reader_take(s, err);
	int rc = -1;

	*count = 0;
	if (db == NULL)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_address_count, err);
	if (stmt != NULL) {
		db_bind_int(stmt, 1, domain_id);
		rc = db_step(db, stmt, err);
		if (rc == 1) {
			*count = db_column_int(stmt, 0);
			sqlite3_reset(stmt);
		}
	}
	reader_give(s, db);
	return rc < 0 ? -1 : 0;
}
