/* control_route - outgoing routes, transports, and networks that may relay. */
#include "control/control_priv.h"

static json_t *json_transport(const struct store_transport *row)
{
	return json_pack(
		"{s:o, s:o}", "name", json_view(row->name), "relay", json_relay(&row->relay));
}

static int transport_list(struct call *call, json_t **last, struct err *err)
{
	struct store_transport *rows;
	size_t count;

	(void)last;
	if (store_transport_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_transport(&rows[i]), err) < 0)
			return -1;
	return 0;
}

static int transport_find(
	struct call *call, struct str name, struct store_transport *out, struct err *err)
{
	struct store_transport *rows;
	size_t count;

	if (store_transport_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (str_eq(rows[i].name, name)) {
			*out = rows[i];
			return 0;
		}
	return call_missing(call, err, "there is no transport %.*s", STR_FMT(name));
}

static int transport_get(struct call *call, json_t **last, struct err *err)
{
	struct store_transport row;
	struct str name;

	if (call_need(call, "name", &name, err) < 0 || transport_find(call, name, &row, err) < 0)
		return -1;
	*last = json_transport(&row);
	return 0;
}

static int transport_save(struct call *call, struct store_transport *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	if (call_relay(call, &row->relay, 587, err) < 0)
		return -1;
	return call_saved(call,
		admin_transport_save(call->ctl->store, call->arena, row, &problems, err), &problems,
		err);
}

/* "rename" gives it another name. */
static int transport_set(struct call *call, json_t **last, struct err *err)
{
	struct store_transport row;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || transport_find(call, name, &row, err) < 0)
		return -1;
	if (call_has(call, "rename"))
		row.name = call_text(call, "rename");
	return transport_save(call, &row, err);
}

static int transport_add(struct call *call, json_t **last, struct err *err)
{
	struct store_transport row = {.relay = {.tls = STORE_TLS_VERIFY}};

	(void)last;
	if (call_need(call, "name", &row.name, err) < 0)
		return -1;
	return transport_save(call, &row, err);
}

static int transport_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_transport row;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0 || transport_find(call, name, &row, err) < 0)
		return -1;
	return store_transport_delete(call->ctl->store, row.id, err);
}

/* --- routes --- */

static json_t *json_route(const struct store_route *row)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:I, s:o}", "id", (json_int_t)row->id, "position",
		(json_int_t)row->position, "from", json_view(row->from_domain), "to",
		json_view(row->to_domain), "min_attempts", (json_int_t)row->min_attempts,
		"transport", row->transport_id ? json_view(row->transport) : json_string("direct"));
}

static int route_list(struct call *call, json_t **last, struct err *err)
{
	struct store_route *rows;
	size_t count;

	(void)last;
	if (store_route_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_route(&rows[i]), err) < 0)
			return -1;
	return 0;
}

static int route_read(struct call *call, struct store_route *out, struct err *err)
{
	struct store_route *rows;
	int64_t id = 0;
	size_t count;

	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	if (id == 0)
		return err_set(err, ERR_PERM, "id is missing");
	if (store_route_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (rows[i].id == id) {
			*out = rows[i];
			return 0;
		}
	return call_missing(call, err, "there is no route %lld", (long long)id);
}

static int route_get(struct call *call, json_t **last, struct err *err)
{
	struct store_route row;

	if (route_read(call, &row, err) < 0)
		return -1;
	*last = json_route(&row);
	return 0;
}

static int route_save(struct call *call, struct store_route *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_transport transport;
	int64_t min_attempts = row->min_attempts;
	struct str name = call_text(call, "transport");

	if (call_has(call, "from"))
		row->from_domain = call_text(call, "from");
	if (call_has(call, "to"))
		row->to_domain = call_text(call, "to");
	if (call_number(call, "min_attempts", 0, 1000, &min_attempts, err) < 0 ||
		call_number(call, "position", 0, 1000000, &row->position, err) < 0)
		return -1;
	row->min_attempts = (unsigned)min_attempts;
	if (str_eq(name, STR("direct")))
		row->transport_id = 0;
	else if (name.len > 0) {
		if (transport_find(call, name, &transport, err) < 0)
			return -1;
		row->transport_id = transport.id;
	}
	return call_saved(call,
		admin_route_save(call->ctl->store, call->arena, row, &problems, err), &problems,
		err);
}

static int route_add(struct call *call, json_t **last, struct err *err)
{
	struct store_route row = {.id = 0};
	struct str name;

	if (call_need(call, "transport", &name, err) < 0 || route_save(call, &row, err) < 0)
		return -1;
	*last = json_pack("{s:I}", "id", (json_int_t)row.id);
	return 0;
}

static int route_set(struct call *call, json_t **last, struct err *err)
{
	struct store_route row;

	(void)last;
	if (route_read(call, &row, err) < 0)
		return -1;
	return route_save(call, &row, err);
}

static int route_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_route row;

	(void)last;
	if (route_read(call, &row, err) < 0)
		return -1;
	return store_route_delete(call->ctl->store, row.id, err);
}

/* --- networks --- */

static json_t *json_network(const struct store_network *row)
{
	return json_pack(
		"{s:o, s:o}", "network", json_view(row->cidr), "comment", json_view(row->comment));
}

static int network_list(struct call *call, json_t **last, struct err *err)
{
	struct store_network *rows;
	size_t count;

	(void)last;
	if (store_network_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_network(&rows[i]), err) < 0)
			return -1;
	return 0;
}

static int network_add(struct call *call, json_t **last, struct err *err)
{
	struct store_network row = {.comment = call_text(call, "comment")};
	struct admin_problems problems = {.count = 0};

	(void)last;
	if (call_need(call, "network", &row.cidr, err) < 0)
		return -1;
	return call_saved(call,
		admin_network_save(call->ctl->store, call->arena, &row, &problems, err), &problems,
		err);
}

static int network_read(struct call *call, struct store_network *out, struct err *err)
{
	struct store_network *rows;
	struct cidr wanted, have;
	struct str text;
	struct err ignored;
	size_t count;

	if (call_need(call, "network", &text, err) < 0 || cidr_parse(text, &wanted, err) < 0 ||
		store_network_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (cidr_parse(rows[i].cidr, &have, &ignored) == 0 && have.bits == wanted.bits &&
			ip_equal(&have.ip, &wanted.ip)) {
			*out = rows[i];
			return 0;
		}
	return call_missing(call, err, "network %.*s is not listed", STR_FMT(text));
}

static int network_get(struct call *call, json_t **last, struct err *err)
{
	struct store_network row;

	if (network_read(call, &row, err) < 0)
		return -1;
	*last = json_network(&row);
	return 0;
}

static int network_set(struct call *call, json_t **last, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_network row;

	(void)last;
	if (network_read(call, &row, err) < 0)
		return -1;
	if (call_has(call, "comment"))
		row.comment = call_text(call, "comment");
	return call_saved(call,
		admin_network_save(call->ctl->store, call->arena, &row, &problems, err), &problems,
		err);
}

static int network_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_network row;

	(void)last;
	if (network_read(call, &row, err) < 0)
		return -1;
	return store_network_delete(call->ctl->store, row.id, err);
}

const struct verb control_route_verbs[] = {
	{"transport.list", transport_list},
	{"transport.get", transport_get},
	{"transport.add", transport_add},
	{"transport.set", transport_set},
	{"transport.rm", transport_rm},
	{"route.list", route_list},
	{"route.get", route_get},
	{"route.add", route_add},
	{"route.set", route_set},
	{"route.rm", route_rm},
	{"network.list", network_list},
	{"network.get", network_get},
	{"network.add", network_add},
	{"network.set", network_set},
	{"network.rm", network_rm},
	{NULL, NULL},
};
