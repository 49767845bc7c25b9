/* Transports, routes and trusted networks: short lists, kept whole in memory. */
#include "store/dircache.h"

#include "base/mem.h"
#include "store/queue_priv.h"

#include <stdlib.h>

static const char sql_transports[] =
	"SELECT id, name, relay_hosts, relay_tls, relay_username, relay_password FROM transport"
	" ORDER BY name";
static const char sql_transport_insert[] =
	"INSERT INTO transport(name, relay_hosts, relay_tls, relay_username, relay_password)"
	" VALUES(?2, ?3, ?4, ?5, ?6)";
static const char sql_transport_update[] =
	"UPDATE transport SET name = ?2, relay_hosts = ?3, relay_tls = ?4, relay_username = ?5,"
	" relay_password = ?6 WHERE id = ?1";
static const char sql_transport_delete[] =
	"DELETE FROM transport WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient"
	" WHERE transport_id != 0 AND transport_id = ?1 AND state <= 1)";
static const char sql_transport_there[] = "SELECT 1 FROM transport WHERE id = ?";

static const char sql_routes[] =
	"SELECT r.id, r.position, r.from_domain, r.to_domain, r.min_attempts, r.transport_id, "
	"t.name"
	" FROM route r LEFT JOIN transport t ON t.id = r.transport_id ORDER BY r.position, r.id";
static const char sql_route_insert[] =
	"INSERT INTO route(position, from_domain, to_domain, min_attempts, transport_id)"
	" VALUES(CASE WHEN ?2 = 0 THEN (SELECT coalesce(max(position), 0) + 1 FROM route) ELSE ?2 "
	"END,"
	" ?3, ?4, ?5, ?6)";
static const char sql_route_update[] =
	"UPDATE route SET position = ?2, from_domain = ?3, to_domain = ?4, min_attempts = ?5,"
	" transport_id = ?6 WHERE id = ?1";
static const char sql_route_place[] = "UPDATE route SET position = ?2 WHERE id = ?1";
static const char sql_route_delete[] = "DELETE FROM route WHERE id = ?";

static const char sql_networks[] = "SELECT id, cidr, comment FROM network ORDER BY cidr";
static const char sql_network_insert[] = "INSERT INTO network(cidr, comment) VALUES(?2, ?3)";
static const char sql_network_update[] = "UPDATE network SET cidr = ?2, comment = ?3 WHERE id = ?1";
static const char sql_network_delete[] = "DELETE FROM network WHERE id = ?";

static void transport_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_transport *row = out;

	row->id = db_column_int(stmt, 0);
	row->name = db_column(stmt, 1, a);
	dir_hosts_split(db_column(stmt, 2, a), &row->relay);
	row->relay.protocol = STORE_PROTOCOL_SMTP;
	row->relay.tls = (enum store_tls_mode)db_column_int(stmt, 3);
	row->relay.username = db_column(stmt, 4, a);
	row->relay.password = db_column(stmt, 5, a);
}

static void route_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_route *row = out;

	row->id = db_column_int(stmt, 0);
	row->position = db_column_int(stmt, 1);
	row->from_domain = db_column(stmt, 2, a);
	row->to_domain = db_column(stmt, 3, a);
	row->min_attempts = (unsigned)db_column_int(stmt, 4);
	row->transport_id = db_column_int(stmt, 5);
	row->transport = db_column(stmt, 6, a);
}

static void network_read(sqlite3_stmt *stmt, struct arena *a, void *out)
{
	struct store_network *row = out;

	row->id = db_column_int(stmt, 0);
	row->cidr = db_column(stmt, 1, a);
	row->comment = db_column(stmt, 2, a);
}

int store_transport_list(struct store *s, struct arena *a, struct store_transport **rows,
	size_t *count, struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_transports, 0, transport_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

int store_transport_get(
	struct store *s, int64_t id, struct arena *a, struct store_transport *out, struct err *err)
{
	struct store_transport *rows;
	size_t count;

	if (store_transport_list(s, a, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].id == id) {
			*out = rows[i];
			return 1;
		}
	}
	return 0;
}

/* What an insert or update came to: errors in words, the new id. */
static int put_end(
	struct db *db, int rc, int64_t *id, const char *taken, const char *gone, struct err *err)
{
	if (rc < 0 && err->kind == ERR_PERM)
		return err_set(err, ERR_PERM, "%s", taken);
	if (rc == 0 && sqlite3_changes(db->h) == 0)
		return err_set(err, ERR_PERM, "%s", gone);
	if (rc == 0 && *id == 0)
		*id = sqlite3_last_insert_rowid(db->h);
	return rc;
}

static int transport_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_transport *row = arg;
	struct arena *a = arena_open();
	sqlite3_stmt *stmt =
		db_prepare(db, row->id ? sql_transport_update : sql_transport_insert, err);
	int rc = -1;

	(void)s;
	if (stmt != NULL) {
		if (row->id != 0)
			db_bind_int(stmt, 1, row->id);
		db_bind_str(stmt, 2, row->name);
		db_bind_str(stmt, 3, dir_hosts_join(a, &row->relay));
		db_bind_int(stmt, 4, row->relay.tls);
		db_bind_str(stmt, 5, row->relay.username);
		db_bind_str(stmt, 6, row->relay.password);
		rc = put_end(db, db_step(db, stmt, err), &row->id,
			"a transport of this name exists already", "the transport is gone", err);
	}
	arena_close(&a);
	return rc;
}

int store_transport_put(struct store *s, struct store_transport *row, struct err *err)
{
	struct write_op op = {.run = transport_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

static int transport_delete_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct dir_delete *d = arg;

	if (dir_delete_run(s, db, arg, err) < 0)
		return -1;
	sqlite3_stmt *stmt = db_prepare(db, sql_transport_there, err);
	if (stmt == NULL)
		return -1;
	db_bind_int(stmt, 1, d->id);
	int rc = db_step(db, stmt, err);
	sqlite3_reset(stmt);
	if (rc == 1)
		return err_set(err, ERR_PERM,
			"mail in the queue is to go this way; choose another for it first");
	return rc;
}

int store_transport_delete(struct store *s, int64_t id, struct err *err)
{
	struct dir_delete d = {sql_transport_delete, id,
		"a route still uses this transport; change or delete the route first"};
	struct write_op op = {.run = transport_delete_run, .committed = dir_changed, .arg = &d};

	return store_write(s, &op, err);
}

int store_route_list(
	struct store *s, struct arena *a, struct store_route **rows, size_t *count, struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_routes, 0, route_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int route_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_route *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, row->id ? sql_route_update : sql_route_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	if (row->id != 0)
		db_bind_int(stmt, 1, row->id);
	db_bind_int(stmt, 2, row->position);
	db_bind_str(stmt, 3, row->from_domain);
	db_bind_str(stmt, 4, row->to_domain);
	db_bind_int(stmt, 5, row->min_attempts);
	if (row->transport_id != 0)
		db_bind_int(stmt, 6, row->transport_id);
	else
		sqlite3_bind_null(stmt, 6);
	return put_end(db, db_step(db, stmt, err), &row->id, "the transport is gone",
		"the route is gone", err);
}

int store_route_put(struct store *s, struct store_route *row, struct err *err)
{
	struct write_op op = {.run = route_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

struct swap {
	int64_t a, b;
	const struct store_route *rows; /* in order */
	size_t count;
};

/* All get a place of their own: two that share one could not change it. */
static int swap_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	const struct swap *w = arg;

	(void)s;
	for (size_t i = 0; i < w->count; i++) {
		int64_t id = w->rows[i].id, gone = 0;
		sqlite3_stmt *stmt = db_prepare(db, sql_route_place, err);
		if (stmt == NULL)
			return -1;
		db_bind_int(stmt, 1, id == w->a ? w->b : id == w->b ? w->a : id);
		db_bind_int(stmt, 2, (int64_t)i + 1);
		if (put_end(db, db_step(db, stmt, err), &gone, "the route cannot be moved",
			    "the route is gone", err) < 0)
			return -1;
	}
	return 0;
}

int store_route_swap(struct store *s, int64_t a, int64_t b, struct err *err)
{
	struct arena *arena = arena_open();
	struct swap w = {.a = a, .b = b};
	struct write_op op = {.run = swap_run, .committed = dir_changed, .arg = &w};
	struct store_route *rows;
	int found = 0;
	int rc = store_route_list(s, arena, &rows, &w.count, err);

	w.rows = rows;
	for (size_t i = 0; rc == 0 && i < w.count; i++)
		found += (rows[i].id == a) + (rows[i].id == b);
	if (rc == 0 && found != 2)
		rc = err_set(err, ERR_PERM, "the route is gone");
	if (rc == 0)
		rc = store_write(s, &op, err);
	arena_close(&arena);
	return rc;
}

int store_route_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_route_delete, id, NULL, err);
}

int store_network_list(struct store *s, struct arena *a, struct store_network **rows, size_t *count,
	struct err *err)
{
	void *p;
	int rc = dir_list(s, sql_networks, 0, network_read, sizeof(**rows), a, &p, count, err);

	*rows = p;
	return rc;
}

static int network_run(struct store *s, struct db *db, void *arg, struct err *err)
{
	struct store_network *row = arg;
	sqlite3_stmt *stmt = db_prepare(db, row->id ? sql_network_update : sql_network_insert, err);

	(void)s;
	if (stmt == NULL)
		return -1;
	if (row->id != 0)
		db_bind_int(stmt, 1, row->id);
	db_bind_str(stmt, 2, row->cidr);
	db_bind_str(stmt, 3, row->comment);
	return put_end(db, db_step(db, stmt, err), &row->id, "this network is listed already",
		"the network is gone", err);
}

int store_network_put(struct store *s, struct store_network *row, struct err *err)
{
	struct write_op op = {.run = network_run, .committed = dir_changed, .arg = row};

	return store_write(s, &op, err);
}

int store_network_delete(struct store *s, int64_t id, struct err *err)
{
	return dir_delete(s, sql_network_delete, id, NULL, err);
}

/* --- the mail path's view --- */

struct dir_lists {
	pthread_mutex_t lock;
	bool loaded;
	uint64_t generation;
	struct arena *arena;
	struct store_route *routes;
	struct store_transport *transports;
	struct cidr *networks;
	struct store_hold_rule *holds;
	size_t route_count, transport_count, network_count, hold_count;
};

struct dir_lists *dir_lists_open(void)
{
	struct dir_lists *l = mem_alloc(sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	l->arena = arena_open();
	return l;
}

void dir_lists_close(struct dir_lists **l)
{
	arena_close(&(*l)->arena);
	pthread_mutex_destroy(&(*l)->lock);
	free(*l);
	*l = NULL;
}

/* Reads the lists again when something changed; the lock is held. */
static int refresh(struct store *s, struct dir_lists *l, struct err *err)
{
	uint64_t generation = dir_generation(s);
	struct store_network *networks;
	size_t count;

	if (l->loaded && l->generation == generation)
		return 0;
	l->loaded = false;
	arena_reset(l->arena);
	if (store_route_list(s, l->arena, &l->routes, &l->route_count, err) < 0 ||
		store_transport_list(s, l->arena, &l->transports, &l->transport_count, err) < 0 ||
		store_hold_list(s, l->arena, &l->holds, &l->hold_count, err) < 0 ||
		store_network_list(s, l->arena, &networks, &count, err) < 0)
		return -1;
	l->networks = arena_alloc(l->arena, (count + 1) * sizeof(*l->networks));
	l->network_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct err ignored; /* a row that is no network trusts nobody */
		if (cidr_parse(networks[i].cidr, &l->networks[l->network_count], &ignored) == 0)
			l->network_count++;
	}
	l->generation = generation;
	l->loaded = true;
	return 0;
}

bool dir_domain_matches(struct str pattern, struct str domain)
{
	if (pattern.len == 0 || str_eq_nocase(pattern, domain))
		return true;
	if (pattern.p[0] != '.')
		return false;
	if (str_eq_nocase(str_skip(pattern, 1), domain))
		return true;
	return domain.len > pattern.len &&
	       str_eq_nocase(str_skip(domain, domain.len - pattern.len), pattern);
}

/* The lists' transport of this id into the arena; out->id stays 0 when there is none. */
static void transport_copy(
	const struct dir_lists *l, int64_t id, struct arena *a, struct store_transport *out)
{
	for (size_t i = 0; i < l->transport_count; i++) {
		const struct store_transport *t = &l->transports[i];
		if (t->id != id || id == 0)
			continue;
		out->id = t->id;
		out->name = arena_str(a, t->name);
		dir_relay_copy(a, &out->relay, &t->relay);
	}
}

int store_route_match(struct store *s, const struct store_route_question *q, struct arena *a,
	struct store_route_match *out, struct err *err)
{
	struct dir_lists *l = s->lists;
	int rc = 0;

	*out = (struct store_route_match){.number = 0};
	pthread_mutex_lock(&l->lock);
	if (refresh(s, l, err) < 0)
		rc = -1;
	if (rc == 0 && q->transport_id > 0) {
		transport_copy(l, q->transport_id, a, &out->transport);
		out->chosen = out->transport.id != 0;
		rc = out->chosen;
	}
	for (size_t i = 0; rc == 0 && i < l->route_count; i++) {
		const struct store_route *r = &l->routes[i];
		if (!dir_domain_matches(r->from_domain, q->from_domain) ||
			!dir_domain_matches(r->to_domain, q->to_domain) ||
			q->attempts < r->min_attempts)
			continue;
		rc = 1;
		out->number = i + 1;
		out->route = *r;
		out->route.from_domain = arena_str(a, r->from_domain);
		out->route.to_domain = arena_str(a, r->to_domain);
		out->route.transport = arena_str(a, r->transport);
		transport_copy(l, r->transport_id, a, &out->transport);
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int store_route_choose(struct store *s, struct str from_domain, struct str to_domain,
	unsigned attempts, struct arena *a, struct store_transport *transport, struct err *err)
{
	struct store_route_question q = {
		.from_domain = from_domain, .to_domain = to_domain, .attempts = attempts};
	struct store_route_match match;
	int rc = store_route_match(s, &q, a, &match, err);

	*transport = match.transport;
	return rc;
}

bool dir_transport_is(struct store *s, int64_t id, struct str name)
{
	struct dir_lists *l = s->lists;
	struct err err;
	bool is = false;

	pthread_mutex_lock(&l->lock);
	if (refresh(s, l, &err) == 0) {
		for (size_t i = 0; i < l->transport_count; i++)
			is = is ||
			     (l->transports[i].id == id && str_eq(l->transports[i].name, name));
	}
	pthread_mutex_unlock(&l->lock);
	return is;
}

void dir_hold_mark(struct store *s, const struct store_msg_new *msg)
{
	struct dir_lists *l = s->lists;
	struct err err;

	pthread_mutex_lock(&l->lock);
	if (refresh(s, l, &err) == 0) {
		for (size_t i = 0; i < l->hold_count; i++) {
			for (size_t r = 0; r < msg->rcpt_count; r++)
				msg->rcpts[r].hold =
					msg->rcpts[r].hold ||
					hold_rule_matches(&l->holds[i], msg, msg->rcpts[r].dest);
		}
	}
	pthread_mutex_unlock(&l->lock);
}

bool store_network_trusts(struct store *s, const struct ip *ip)
{
	struct dir_lists *l = s->lists;
	struct err err;
	bool trusts = false;

	pthread_mutex_lock(&l->lock);
	if (refresh(s, l, &err) == 0) {
		for (size_t i = 0; i < l->network_count && !trusts; i++)
			trusts = cidr_contains(&l->networks[i], ip);
	}
	pthread_mutex_unlock(&l->lock);
	return trusts;
}
