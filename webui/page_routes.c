/* Routes and the transports they lead to. */
#include "queue/way.h"
#include "webui/formview.h"
#include "webui/pages.h"

static int transports_fill(struct page *p, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "transports");
	struct store_transport *rows;
	size_t count;

	if (store_transport_list(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		struct tval *hosts = tval_set_list(p->arena, row, "hosts");
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "name", rows[i].name);
		tval_set_str(p->arena, row, "username", rows[i].relay.username);
		for (size_t h = 0; h < rows[i].relay.host_count; h++)
			tval_add_text(
				p->arena, hosts, arena_strdup(p->arena, rows[i].relay.hosts[h]));
	}
	tval_set_flag(p->arena, p->view, "any_transport", count > 0);
	return 0;
}

/* "Which way would it take": asked with ?to=, answered by the code that delivers. */
static void ways_show(struct page *p)
{
	struct way_question q = {.rcpt = str_trim(urlform_get(&p->query, "to")),
		.mail_from = str_trim(urlform_get(&p->query, "from"))};
	struct str attempt = str_trim(urlform_get(&p->query, "attempt"));
	uint64_t n = 1;
	struct way *ways;
	size_t count, left_out;

	if (!str_to_u64(attempt, 1000, &n) || n == 0)
		n = 1;
	tval_set_str(p->arena, p->view, "ask_to", q.rcpt);
	tval_set_str(p->arena, p->view, "ask_from", q.mail_from);
	tval_set_printf(p->arena, p->view, "ask_attempt", "%u", (unsigned)n);
	if (q.rcpt.len == 0)
		return;
	struct tval *list = tval_set_list(p->arena, p->view, "ways");
	q.attempts = (unsigned)n - 1;
	way_find_all(p->gateway->store, p->config, &q, p->arena, &ways, &count, &left_out);
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_str(p->arena, row, "rcpt", ways[i].rcpt);
		tval_set_text(p->arena, row, "words", way_words(&ways[i], p->arena));
		tval_set_flag(p->arena, row, "nowhere", ways[i].kind == WAY_NOWHERE);
	}
	tval_set_flag(p->arena, p->view, "several", count > 1);
	if (left_out > 0)
		tval_set_printf(p->arena, p->view, "left_out", "%zu", left_out);
}

void page_routes(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "routes");
	struct store_route *rows;
	size_t count;
	struct err err;

	if (store_route_list(p->gateway->store, p->arena, &rows, &count, &err) < 0 ||
		transports_fill(p, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_printf(p->arena, row, "number", "%zu", i + 1);
		tval_set_str(p->arena, row, "from", rows[i].from_domain);
		tval_set_str(p->arena, row, "to", rows[i].to_domain);
		if (rows[i].min_attempts > 0)
			tval_set_printf(p->arena, row, "attempts", "%u", rows[i].min_attempts);
		tval_set_str(p->arena, row, "transport", rows[i].transport);
		tval_set_flag(p->arena, row, "first", i == 0);
		tval_set_flag(p->arena, row, "last", i + 1 == count);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	ways_show(p);
	page_render(p, 200, "routes", "Outgoing routes");
}

static int route_fields(struct formview *f, const struct store_route *row, struct err *err)
{
	struct page *p = f->page;
	struct store_transport *all;
	size_t count;

	if (store_transport_list(p->gateway->store, p->arena, &all, &count, err) < 0)
		return -1;
	formview_section(f, "For which mail", NULL);
	formview_text(f, "from_domain", "Sender's domain", row->from_domain,
		"Empty: any. \".example.org\" also takes the domains below it.");
	formview_text(f, "to_domain", "Recipient's domain", row->to_domain,
		"Empty: any. \".example.org\" also takes the domains below it.");
	formview_text(f, "min_attempts", "From attempt",
		str_from(arena_printf(p->arena, "%u", row->min_attempts)),
		"0: from the first on. 3: a fall-back once three attempts have failed.");
	formview_section(f, "Which way", NULL);
	formview_select(f, "transport", "Transport", arena_strdup(p->arena, row->transport), "");
	formview_option(f, "", "Direct, to the recipient's own mail servers (MX)", "");
	for (size_t i = 0; i < count; i++) {
		const char *name = arena_strdup(p->arena, all[i].name);
		formview_option(f, name, name, "");
	}
	return 0;
}

static void route_form(struct page *p, struct store_route *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0;

	if (p->method == PAGE_POST) {
		struct str attempts = page_field(p, "min_attempts");
		uint64_t n = 0;
		row->from_domain = page_field(p, "from_domain");
		row->to_domain = page_field(p, "to_domain");
		/* No number becomes one that is refused with the field's own words. */
		row->min_attempts = attempts.len == 0                  ? 0
				    : str_to_u64(attempts, 100000, &n) ? (unsigned)n
								       : 100000;
		row->transport_id = 0;
		row->transport = page_field(p, "transport");
		int rc = admin_route_save(p->gateway->store, p->arena, row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "routes?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	if (route_fields(&f, row, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	formview_render(&f, fresh ? "New route" : "Route",
		"The first route of the list that matches is taken; without one, mail goes direct.",
		fresh ? "Create route" : "Save", "routes",
		fresh ? NULL : arena_printf(p->arena, "routes/%lld/delete", (long long)row->id));
}

void page_route_new(struct page *p)
{
	struct store_route row = {.id = 0};

	route_form(p, &row);
}

/* All routes and the place of the one in the path; false when an answer was given. */
static bool route_load(struct page *p, struct store_route **rows, size_t *count, size_t *at)
{
	struct err err;

	if (store_route_list(p->gateway->store, p->arena, rows, count, &err) < 0) {
		page_failed(p, &err);
		return false;
	}
	for (*at = 0; *at < *count; (*at)++) {
		if ((*rows)[*at].id == page_id(p, 0))
			return true;
	}
	page_not_found(p, "route");
	return false;
}

void page_route_edit(struct page *p)
{
	struct store_route *rows;
	size_t count, at;

	if (route_load(p, &rows, &count, &at))
		route_form(p, &rows[at]);
}

/* Changes places with its neighbour. */
void page_route_move(struct page *p)
{
	struct store_route *rows;
	size_t count, at;
	struct err err;

	if (!route_load(p, &rows, &count, &at))
		return;
	bool up = str_eq(page_field(p, "to"), STR("up"));
	if (up ? at == 0 : at + 1 == count) {
		page_redirect(p, "routes");
		return;
	}
	if (store_route_swap(p->gateway->store, rows[at].id, rows[up ? at - 1 : at + 1].id, &err) <
		0)
		page_failed(p, &err);
	else
		page_redirect(p, "routes?done=moved");
}

void page_route_delete(struct page *p)
{
	struct store_route *rows;
	size_t count, at;
	struct err err;

	if (!route_load(p, &rows, &count, &at))
		return;
	if (p->method == PAGE_GET)
		formview_confirm(p, "Delete this route?",
			"Mail that it matched takes the next route that does, or goes direct. That "
			"is also so for mail in the queue.",
			"Delete route", "routes");
	else if (store_route_delete(p->gateway->store, rows[at].id, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "routes?done=deleted");
}

/* --- transports --- */

static void transport_form(struct page *p, struct store_transport *row)
{
	struct admin_problems problems = {.count = 0};
	struct formview f;
	struct err err;
	bool fresh = row->id == 0;

	const char *name = arena_strdup(p->arena, row->name);
	if (p->method == PAGE_POST) {
		row->name = page_field(p, "name");
		formview_relay_read(p, &row->relay);
		int rc = admin_transport_save(p->gateway->store, p->arena, row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "routes?done=%s", fresh ? "created" : "saved");
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_text(&f, "name", "Name", row->name, "For example smarthost.");
	formview_relay(&f, &row->relay, FORMVIEW_RELAY_SMTP);
	if (!fresh)
		tval_set_printf(
			p->arena, p->view, "test_path", "transports/%lld/test", (long long)row->id);
	formview_render(&f, fresh ? "New transport" : name,
		fresh ? "A smarthost that routes can send mail through." : "",
		fresh ? "Create transport" : "Save", "routes",
		fresh ? NULL
		      : arena_printf(p->arena, "transports/%lld/delete", (long long)row->id));
}

void page_transport_new(struct page *p)
{
	struct store_transport row = {.relay = {.tls = STORE_TLS_VERIFY}};

	transport_form(p, &row);
}

static bool transport_load(struct page *p, struct store_transport *row)
{
	struct err err;
	int64_t id = page_id(p, 0);
	int rc = id > 0 ? store_transport_get(p->gateway->store, id, p->arena, row, &err) : 0;

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "transport");
	return rc == 1;
}

void page_transport_edit(struct page *p)
{
	struct store_transport row;

	if (transport_load(p, &row))
		transport_form(p, &row);
}

/* Names what depends on the transport. */
static void transport_delete_ask(struct page *p, const struct store_transport *row)
{
	struct store_route *routes;
	struct buf b = {NULL, 0, 0};
	size_t count, used = 0;
	int64_t queued;
	struct err err;

	if (store_route_list(p->gateway->store, p->arena, &routes, &count, &err) < 0 ||
		store_queue_way_count(p->gateway->store, row->id, &queued, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (routes[i].transport_id == row->id)
			buf_printf(&b, "%s%zu", used++ > 0 ? ", " : "", i + 1);
	}
	const char *text = "No route uses it, and no mail in the queue is to go this way.";
	if (used > 0)
		text = arena_printf(p->arena,
			"It cannot be deleted while %s to it: %s of the list. Change or delete %s "
			"first.",
			used == 1 ? "a route leads" : "routes lead", b.p,
			used == 1 ? "that route" : "those routes");
	else if (queued > 0)
		text = arena_printf(p->arena,
			"It cannot be deleted while mail in the queue is to go this way: %s "
			"recipients. Choose another way for them first.",
			page_count_text(p, queued));
	buf_free(&b);
	formview_confirm(p, arena_printf(p->arena, "Delete %.*s?", STR_FMT(row->name)), text,
		"Delete transport", arena_printf(p->arena, "transports/%lld", (long long)row->id));
}

void page_transport_delete(struct page *p)
{
	struct store_transport row;
	struct err err;

	if (!transport_load(p, &row))
		return;
	if (p->method == PAGE_GET) {
		transport_delete_ask(p, &row);
		return;
	}
	if (store_transport_delete(p->gateway->store, row.id, &err) == 0)
		page_redirect(p, "routes?done=deleted");
	else if (err.kind == ERR_PERM)
		page_error(p, 409, "Still in use", arena_printf(p->arena, "%s.", err.text));
	else
		page_failed(p, &err);
}
