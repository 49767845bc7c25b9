/* control_route - outgoing routes, transports, and networks that may relay. */
#include "control/control_priv.h"

static int transport_list(struct call *call, json_t **last, struct err *err)
{
	struct store_transport *rows;
	size_t count;

	(void)last;
	if (store_transport_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call,
			    json_pack("{s:o, s:o}", "name", json_view(rows[i].name), "relay",
				    json_relay(&rows[i].relay)),
			    err) < 0)
			return -1;
	return 0;
}

/* 1 found, 0 not. */
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
			return 1;
		}
	return 0;
}

static int transport_add(struct call *call, json_t **last, struct err *err)
{
	struct store_transport row = {.relay = {.tls = STORE_TLS_VERIFY}};
	struct admin_problems problems = {.count = 0};

	(void)last;
	if (call_need(call, "name", &row.name, err) < 0 ||
		call_relay(call, &row.relay, 587, err) < 0)
		return -1;
	return call_saved(admin_transport_save(call->ctl->store, call->arena, &row, &problems, err),
		&problems, err);
}

static int transport_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_transport row;
	struct str name;

	(void)last;
	if (call_need(call, "name", &name, err) < 0)
		return -1;
	int rc = transport_find(call, name, &row, err);
	if (rc == 0)
		return err_set(err, ERR_PERM, "there is no transport %.*s", STR_FMT(name));
	return rc < 0 ? -1 : store_transport_delete(call->ctl->store, row.id, err);
}

static int route_list(struct call *call, json_t **last, struct err *err)
{
	struct store_route *rows;
	size_t count;

	(void)last;
	if (store_route_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call,
			    json_pack("{s:I, s:I, s:o, s:o, s:I, s:o}", "id",
				    (json_int_t)rows[i].id, "position",
				    (json_int_t)rows[i].position, "from",
				    json_view(rows[i].from_domain), "to",
				    json_view(rows[i].to_domain), "min_attempts",
				    (json_int_t)rows[i].min_attempts, "transport",
				    rows[i].transport_id ? json_view(rows[i].transport)
							 : json_string("direct")),
			    err) < 0)
			return -1;
	return 0;
}

static int route_add(struct call *call, json_t **last, struct err *err)
{
	struct store_route row = {
		.from_domain = call_text(call, "from"), .to_domain = call_text(call, "to")};
	struct admin_problems problems = {.count = 0};
	struct store_transport transport;
	int64_t min_attempts = 0;
	struct str name;

	if (call_need(call, "transport", &name, err) < 0 ||
		call_number(call, "min_attempts", 0, 1000, &min_attempts, err) < 0 ||
		call_number(call, "position", 0, 1000000, &row.position, err) < 0)
		return -1;
	row.min_attempts = (unsigned)min_attempts;
	if (!str_eq(name, STR("direct"))) {
		int rc = transport_find(call, name, &transport, err);
		if (rc == 0)
			return err_set(err, ERR_PERM, "there is no transport %.*s", STR_FMT(name));
		if (rc < 0)
			return -1;
		row.transport_id = transport.id;
	}
	if (call_saved(admin_route_save(call->ctl->store, call->arena, &row, &problems, err),
		    &problems, err) < 0)
		return -1;
	*last = json_pack("{s:I}", "id", (json_int_t)row.id);
	return 0;
}

static int route_rm(struct call *call, json_t **last, struct err *err)
{
	int64_t id = 0;

	(void)last;
	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	if (id == 0)
		return err_set(err, ERR_PERM, "id is missing");
	return store_route_delete(call->ctl->store, id, err);
}

static int network_list(struct call *call, json_t **last, struct err *err)
{
	struct store_network *rows;
	size_t count;

	(void)last;
	if (store_network_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call,
			    json_pack("{s:o, s:o}", "network", json_view(rows[i].cidr), "comment",
				    json_view(rows[i].comment)),
			    err) < 0)
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
	return call_saved(admin_network_save(call->ctl->store, call->arena, &row, &problems, err),
		&problems, err);
}

static int network_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_network *rows;
	struct cidr wanted, have;
	struct str text;
	struct err ignored;
	size_t count;

	(void)last;
	if (call_need(call, "network", &text, err) < 0 || cidr_parse(text, &wanted, err) < 0 ||
		store_network_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (cidr_parse(rows[i].cidr, &have, &ignored) == 0 && have.bits == wanted.bits &&
			ip_equal(&have.ip, &wanted.ip))
			return store_network_delete(call->ctl->store, rows[i].id, err);
	return err_set(err, ERR_PERM, "network %.*s is not listed", STR_FMT(text));
}

const struct verb control_route_verbs[] = {
	{"transport.list", transport_list},
	{"transport.add", transport_add},
	{"transport.rm", transport_rm},
	{"route.list", route_list},
	{"route.add", route_add},
	{"route.rm", route_rm},
	{"network.list", network_list},
	{"network.add", network_add},
	{"network.rm", network_rm},
	{NULL, NULL},
};
