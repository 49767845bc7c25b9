/* The API's routes and the objects they speak of. */
#include "base/version.h"
#include "webui/api.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, API_TEXT, 0, NULL, NULL                                                      \
	}
#define NAME(what)                                                                                 \
	{                                                                                          \
		"name", API_TEXT, API_REQUIRED, what, NULL                                         \
	}

#define DELIVERIES "mailbox relay"
#define CHECKS "list callout any"
#define PROTOCOLS "smtp lmtp"
#define TLS_MODES "none opportunistic required verify immediate"
#define KINDS "mailbox alias relay"
#define STATES "queued held delivered failed"
#define OUTCOMES "delivered deferred failed"

/* --- objects --- */

static const struct api_field relay_out[] = {
	{"hosts", API_TEXTS, 0, "host:port, tried in this order", NULL},
	{"protocol", API_TEXT, 0, NULL, PROTOCOLS},
	{"tls", API_TEXT, 0, NULL, TLS_MODES},
	{"username", API_TEXT, 0, "Empty: no login. The password is never shown.", NULL},
	{"password", API_TEXT, API_OPTIONAL, "Only when writing", NULL},
	END,
};
static const struct api_field domain_out[] = {
	{"name", API_TEXT, 0, "In A-labels", NULL},
	{"description", API_TEXT, 0, NULL, NULL},
	{"disabled", API_FLAG, 0, "Mail for it is put off", NULL},
	{"delivery", API_TEXT, 0, NULL, DELIVERIES},
	{"recipients", API_TEXT, 0, "How recipients of a relayed domain are checked", CHECKS},
	{"separator", API_TEXT, 0, "What follows it in a local part is ignored", NULL},
	{"case_sensitive", API_FLAG, 0, "Local parts", NULL},
	{"relay", API_RELAY, API_OPTIONAL, "Where its mail goes", NULL},
	END,
};
static const struct api_field account_out[] = {
	{"name", API_TEXT, 0, NULL, NULL},
	{"full_name", API_TEXT, 0, NULL, NULL},
	{"disabled", API_FLAG, 0, "May not log in", NULL},
	{"password", API_FLAG, 0, "One is set", NULL},
	END,
};
static const struct api_field address_out[] = {
	{"address", API_TEXT, 0, "local@domain, or @domain for the catch-all", NULL},
	{"kind", API_TEXT, 0, NULL, KINDS},
	{"account", API_TEXT, API_OPTIONAL, "Of a mailbox", NULL},
	{"members", API_TEXTS, API_OPTIONAL, "Of an alias", NULL},
	{"relay", API_RELAY, API_OPTIONAL, "Its own relay hosts", NULL},
	END,
};
static const struct api_field transport_out[] = {
	{"name", API_TEXT, 0, NULL, NULL},
	{"relay", API_RELAY, 0, NULL, NULL},
	END,
};
static const struct api_field route_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"position", API_NUMBER, 0, "The first that matches counts", NULL},
	{"from", API_TEXT, 0, "Sender domain; empty for any, .example for subdomains too", NULL},
	{"to", API_TEXT, 0, "Recipient domain", NULL},
	{"min_attempts", API_NUMBER, 0, "Only after so many attempts", NULL},
	{"transport", API_TEXT, 0, "A transport's name, or direct", NULL},
	END,
};
static const struct api_field network_out[] = {
	{"network", API_TEXT, 0, "10.0.0.0/8, 2001:db8::/32", NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field recipient_out[] = {
	{"id", API_TEXT, 0, "Queue id of the message", NULL},
	{"recipient_id", API_NUMBER, 0, NULL, NULL},
	{"from", API_TEXT, 0, NULL, NULL},
	{"to", API_TEXT, 0, NULL, NULL},
	{"destination", API_TEXT, 0, "Domain it waits for", NULL},
	{"state", API_TEXT, 0, NULL, STATES},
	{"attempts", API_NUMBER, 0, NULL, NULL},
	{"size", API_NUMBER, 0, "Octets", NULL},
	{"received", API_TIME, API_NULLABLE, NULL, NULL},
	{"next_attempt", API_TIME, API_NULLABLE, NULL, NULL},
	{"last_attempt", API_TIME, API_NULLABLE, NULL, NULL},
	{"last_error", API_TEXT, 0, NULL, NULL},
	{"session", API_TEXT, 0, NULL, NULL},
	{"in_flight", API_FLAG, 0, "Being delivered now", NULL},
	END,
};
static const struct api_field attempt_out[] = {
	{"recipient_id", API_NUMBER, 0, NULL, NULL},
	{"started", API_TIME, API_NULLABLE, NULL, NULL},
	{"duration_ms", API_NUMBER, 0, NULL, NULL},
	{"outcome", API_TEXT, 0, NULL, OUTCOMES},
	{"code", API_NUMBER, 0, "SMTP reply code; 0: none", NULL},
	{"enhanced_code", API_TEXT, 0, NULL, NULL},
	{"text", API_TEXT, 0, NULL, NULL},
	{"mx", API_TEXT, 0, NULL, NULL},
	{"ip", API_TEXT, 0, NULL, NULL},
	{"tls", API_TEXT, 0, NULL, NULL},
	{"transport", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field message_out[] = {
	{"id", API_TEXT, 0, NULL, NULL},
	{"received", API_TIME, API_NULLABLE, NULL, NULL},
	{"size", API_NUMBER, 0, NULL, NULL},
	{"from", API_TEXT, 0, NULL, NULL},
	{"session", API_TEXT, 0, NULL, NULL},
	{"helo", API_TEXT, 0, NULL, NULL},
	{"remote_ip", API_TEXT, 0, NULL, NULL},
	{"message_id", API_TEXT, 0, NULL, NULL},
	{"account", API_TEXT, 0, NULL, NULL},
	{"recipients", API_OBJECTS, 0, NULL, "QueueRecipient"},
	{"attempts", API_OBJECTS, 0, "The newest of them", "Attempt"},
	END,
};
static const struct api_field dest_out[] = {
	{"destination", API_TEXT, 0, NULL, NULL},
	{"queued", API_NUMBER, 0, NULL, NULL},
	{"held", API_NUMBER, 0, NULL, NULL},
	{"next_attempt", API_TIME, API_NULLABLE, NULL, NULL},
	END,
};
static const struct api_field summary_out[] = {
	{"messages", API_NUMBER, 0, NULL, NULL},
	{"queued", API_NUMBER, 0, "Recipients", NULL},
	{"held", API_NUMBER, 0, "Recipients", NULL},
	{"oldest", API_TIME, API_NULLABLE, NULL, NULL},
	{"destinations", API_OBJECTS, 0, "Those with most", "QueueDestination"},
	END,
};
static const struct api_field changed_out[] = {
	{"changed", API_NUMBER, 0, "Recipients", NULL},
	{"present", API_FLAG, API_OPTIONAL, "It is in the queue, but there was nothing to change",
		NULL},
	END,
};
static const struct api_field quarantined_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"message", API_TEXT, 0, "Its id in the log", NULL},
	{"at", API_TIME, 0, NULL, NULL},
	{"reason", API_TEXT, 0, NULL, NULL},
	{"to", API_TEXT, 0, NULL, NULL},
	{"mail_from", API_TEXT, 0, NULL, NULL},
	{"from", API_TEXT, 0, NULL, NULL},
	{"subject", API_TEXT, 0, NULL, NULL},
	{"remote_ip", API_TEXT, 0, NULL, NULL},
	{"session", API_TEXT, 0, NULL, NULL},
	{"size", API_NUMBER, 0, NULL, NULL},
	END,
};
static const struct api_field token_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"name", API_TEXT, 0, NULL, NULL},
	{"read_only", API_FLAG, 0, NULL, NULL},
	{"created", API_TIME, API_NULLABLE, NULL, NULL},
	{"used", API_TIME, API_NULLABLE, NULL, NULL},
	{"expires", API_TIME, API_NULLABLE, NULL, NULL},
	{"used_ip", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field token_new_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"token", API_TEXT, 0, "Shown this once", NULL},
	END,
};
static const struct api_field id_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	END,
};
static const struct api_field listener_out[] = {
	{"listener", API_TEXT, 0, "Its name in mox.conf", NULL},
	{"service", API_TEXT, 0, NULL, NULL},
	{"address", API_TEXT, 0, NULL, NULL},
	{"up", API_FLAG, 0, NULL, NULL},
	{"connections", API_NUMBER, 0, "Since start", NULL},
	{"certificate_expires", API_TIME, API_NULLABLE, "The first of its certificates to end",
		NULL},
	END,
};
static const struct api_field status_out[] = {
	{"version", API_TEXT, 0, NULL, NULL},
	{"started", API_TIME, API_NULLABLE, NULL, NULL},
	{"config_loaded", API_TIME, API_NULLABLE, NULL, NULL},
	{"config_problem", API_TEXT, 0, "Why the last reload was refused", NULL},
	{"sessions_open", API_NUMBER, 0, NULL, NULL},
	{"disk_free_bytes", API_NUMBER, 0, NULL, NULL},
	{"disk_total_bytes", API_NUMBER, 0, NULL, NULL},
	{"resolver", API_TEXT, 0, NULL, "not-tested ok warning bad"},
	{"resolver_text", API_TEXT, 0, NULL, NULL},
	{"today", API_ANY, 0, "Counters of the UTC day", NULL},
	END,
};

const struct api_schema api_schemas[] = {
	{"Relay", relay_out},
	{"Domain", domain_out},
	{"Account", account_out},
	{"Address", address_out},
	{"Transport", transport_out},
	{"Route", route_out},
	{"Network", network_out},
	{"QueueRecipient", recipient_out},
	{"Attempt", attempt_out},
	{"QueueMessage", message_out},
	{"QueueDestination", dest_out},
	{"QueueSummary", summary_out},
	{"Changed", changed_out},
	{"Quarantined", quarantined_out},
	{"Token", token_out},
	{"NewToken", token_new_out},
	{"Id", id_out},
	{"Listener", listener_out},
	{"Status", status_out},
	{NULL, NULL},
};

/* --- what requests take --- */

static const struct api_field domain_new[] = {
	NAME("Unicode or A-labels"),
	{"description", API_TEXT, 0, NULL, NULL},
	{"disabled", API_FLAG, 0, NULL, NULL},
	{"delivery", API_TEXT, 0, NULL, DELIVERIES},
	{"recipients", API_TEXT, 0, NULL, CHECKS},
	{"separator", API_TEXT, 0, NULL, NULL},
	{"case_sensitive", API_FLAG, 0, NULL, NULL},
	{"relay", API_RELAY, 0, NULL, NULL},
	END,
};
static const struct api_field account_new[] = {
	NAME("a-z, 0-9, dot, dash, underscore"),
	{"full_name", API_TEXT, 0, NULL, NULL},
	{"disabled", API_FLAG, 0, NULL, NULL},
	{"password", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field address_new[] = {
	{"address", API_TEXT, API_REQUIRED, "local@domain, or @domain for the catch-all", NULL},
	{"account", API_TEXT, 0, "For a mailbox; without it the address is relayed", NULL},
	{"relay", API_RELAY, 0, "Its own relay hosts", NULL},
	END,
};
static const struct api_field address_set[] = {
	{"kind", API_TEXT, 0, "Else it follows from what is given", KINDS},
	{"account", API_TEXT, 0, NULL, NULL},
	{"members", API_TEXTS, 0, NULL, NULL},
	{"relay", API_RELAY, 0, NULL, NULL},
	END,
};
static const struct api_field alias_new[] = {
	{"address", API_TEXT, API_REQUIRED, NULL, NULL},
	{"members", API_TEXTS, API_REQUIRED, "Addresses", NULL},
	END,
};
static const struct api_field address_list[] = {
	{"domain", API_TEXT, 0, "Only of this domain", NULL},
	{"account", API_TEXT, 0, "Only of this account", NULL},
	{"all", API_FLAG, 0, "Aliases too", NULL},
	END,
};
static const struct api_field transport_new[] = {
	NAME(NULL),
	{"relay", API_RELAY, API_REQUIRED, NULL, NULL},
	END,
};
static const struct api_field transport_set[] = {
	{"rename", API_TEXT, 0, "Its new name", NULL},
	{"relay", API_RELAY, 0, NULL, NULL},
	END,
};
static const struct api_field route_new[] = {
	{"from", API_TEXT, 0, NULL, NULL},
	{"to", API_TEXT, 0, NULL, NULL},
	{"min_attempts", API_NUMBER, 0, NULL, NULL},
	{"position", API_NUMBER, 0, NULL, NULL},
	{"transport", API_TEXT, API_REQUIRED, "A transport's name, or direct", NULL},
	END,
};
static const struct api_field network_new[] = {
	{"network", API_TEXT, API_REQUIRED, NULL, NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field network_set[] = {
	{"comment", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field queue_filter[] = {
	{"to", API_TEXT, 0, "Destination domain", NULL},
	{"text", API_TEXT, 0, "Part of sender or recipient", NULL},
	{"state", API_TEXT, 0, "Else queued and held", STATES},
	{"after", API_NUMBER, 0, "Cursor: next of the page before", NULL},
	{"limit", API_NUMBER, 0, "1 to 1000", NULL},
	END,
};
static const struct api_field queue_change[] = {
	{"id", API_TEXT, 0, "One message", NULL},
	{"recipient_id", API_NUMBER, 0, "One recipient of it", NULL},
	{"all", API_FLAG, 0, "All of the queue", NULL},
	{"to", API_TEXT, 0, "All for a destination domain", NULL},
	{"text", API_TEXT, 0, "All with this in sender or recipient", NULL},
	{"state", API_TEXT, 0, NULL, STATES},
	END,
};
static const struct api_field quarantine_filter[] = {
	{"domain", API_TEXT, 0, "Of the recipient", NULL},
	{"text", API_TEXT, 0, "Part of an address, subject or reason", NULL},
	{"after", API_NUMBER, 0, "Cursor: next of the page before", NULL},
	{"limit", API_NUMBER, 0, "1 to 1000", NULL},
	END,
};
static const struct api_field quarantine_act[] = {
	{"ids", API_TEXTS, 0, "Up to 1000 ids", NULL},
	{"all", API_FLAG, 0, "All that match domain and text", NULL},
	{"domain", API_TEXT, 0, NULL, NULL},
	{"text", API_TEXT, 0, NULL, NULL},
	END,
};
static const struct api_field token_new[] = {
	NAME("Who uses it"),
	{"read_only", API_FLAG, 0, NULL, NULL},
	{"days", API_NUMBER, 0, "0: for ever", NULL},
	END,
};

/* --- what needs more than the store --- */

static json_t *json_time_s(int64_t s)
{
	char text[CLOCK_TEXT];

	return s == 0 ? json_null() : json_string(clock_iso(s, text));
}

static json_t *json_text(const char *s)
{
	json_t *v = json_string(s);

	return v != NULL ? v : json_string("?");
}

static int status_run(
	struct page *p, const json_t *request, struct control_result *out, struct err *err)
{
	static const char *const names[STORE_COUNT_MAX] = {[STORE_COUNT_RECEIVED] = "received",
		[STORE_COUNT_DELIVERED] = "delivered",
		[STORE_COUNT_DEFERRED] = "deferred",
		[STORE_COUNT_BOUNCED] = "bounced",
		[STORE_COUNT_REJECTED] = "rejected",
		[STORE_COUNT_TEMPFAILED] = "tempfailed"};
	static const char *const states[] = {[HEALTH_NOT_TESTED] = "not-tested",
		[HEALTH_OK] = "ok",
		[HEALTH_WARN] = "warning",
		[HEALTH_BAD] = "bad"};
	struct health *h = arena_alloc(p->arena, sizeof(*h));
	int64_t counts[STORE_COUNT_MAX];
	json_t *today = json_object();

	(void)request;
	health_read(p->gateway, h);
	if (store_counts_day(p->gateway->store, clock_unix_s(), counts, err) < 0) {
		json_decref(today);
		return -1;
	}
	for (int i = 0; i < STORE_COUNT_MAX; i++) {
		if (names[i] != NULL)
			json_object_set_new(today, names[i], json_integer((json_int_t)counts[i]));
	}
	out->last = json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s, s:o, s:o}", "version",
		json_text(version_text), "started", json_time_s(p->gateway->started_s),
		"config_loaded", json_time_s(h->config_loaded_s), "config_problem",
		json_text(h->config_problem), "sessions_open", (json_int_t)h->sessions_open,
		"disk_free_bytes", (json_int_t)h->disk_free_bytes, "disk_total_bytes",
		(json_int_t)h->disk_total_bytes, "resolver", states[h->resolver.state],
		"resolver_text", json_text(h->resolver.text), "today", today);
	return 0;
}

static int listeners_run(
	struct page *p, const json_t *request, struct control_result *out, struct err *err)
{
	struct health *h = arena_alloc(p->arena, sizeof(*h));

	(void)request;
	(void)err;
	health_read(p->gateway, h);
	for (size_t i = 0; i < h->listener_count; i++) {
		const struct health_listener *l = &h->listeners[i];
		json_array_append_new(
			out->rows, json_pack("{s:o, s:o, s:o, s:b, s:I, s:o}", "listener",
					   json_text(l->listener), "service", json_text(l->service),
					   "address", json_text(l->address), "up", l->up,
					   "connections", (json_int_t)l->connections,
					   "certificate_expires", json_time_s(l->cert_expires_s)));
	}
	return 0;
}

static int reload_run(
	struct page *p, const json_t *request, struct control_result *out, struct err *err)
{
	(void)request;
	(void)out;
	if (gateway_reload(p->gateway, err) == 0)
		return 0;
	err->kind = ERR_PERM; /* the file is wrong; the old configuration stays */
	return -1;
}

/* --- routes --- */

#define VERB(name) name, NULL
#define RUN(fn) NULL, fn
#define LIST(schema) API_ANSWER_LIST, schema, NULL
#define OBJECT(schema) API_ANSWER_OBJECT, schema, NULL
#define OBJECT_ROWS(schema, as) API_ANSWER_OBJECT, schema, as
#define CREATED(schema) API_ANSWER_CREATED, schema, NULL
#define DONE API_ANSWER_DONE, NULL, NULL

const struct api_route api_routes[] = {
	{"GET", "status", RUN(status_run), "How the gateway is", NULL, OBJECT("Status")},
	{"GET", "listeners", RUN(listeners_run), "Listeners", NULL, LIST("Listener")},
	{"POST", "reload", RUN(reload_run), "Read mox.conf again", NULL, DONE},

	{"GET", "domains", VERB("domain.list"), "Hosted domains", NULL, LIST("Domain")},
	{"POST", "domains", VERB("domain.add"), "Add a domain", domain_new, CREATED(NULL)},
	{"GET", "domains/:name", VERB("domain.get"), "One domain", NULL, OBJECT("Domain")},
	{"PATCH", "domains/:name", VERB("domain.set"), "Change a domain", domain_new + 1, DONE},
	{"DELETE", "domains/:name", VERB("domain.rm"), "Remove a domain with its addresses", NULL,
		DONE},

	{"GET", "addresses", VERB("address.list"), "Addresses", address_list, LIST("Address")},
	{"POST", "addresses", VERB("address.add"), "Add an address", address_new, CREATED(NULL)},
	{"GET", "addresses/:address", VERB("address.get"), "One address or alias", NULL,
		OBJECT("Address")},
	{"PATCH", "addresses/:address", VERB("address.set"), "Change an address or alias",
		address_set, DONE},
	{"DELETE", "addresses/:address", VERB("address.rm"), "Remove an address or alias", NULL,
		DONE},
	{"GET", "aliases", VERB("alias.list"), "Aliases", address_list, LIST("Address")},
	{"POST", "aliases", VERB("alias.add"), "Add an alias", alias_new, CREATED(NULL)},

	{"GET", "accounts", VERB("account.list"), "Accounts", NULL, LIST("Account")},
	{"POST", "accounts", VERB("account.add"), "Add an account", account_new, CREATED(NULL)},
	{"GET", "accounts/:name", VERB("account.get"), "One account", NULL, OBJECT("Account")},
	{"PATCH", "accounts/:name", VERB("account.set"), "Change an account", account_new + 1,
		DONE},
	{"DELETE", "accounts/:name", VERB("account.rm"), "Remove an account without addresses",
		NULL, DONE},

	{"GET", "transports", VERB("transport.list"), "Transports", NULL, LIST("Transport")},
	{"POST", "transports", VERB("transport.add"), "Add a transport", transport_new,
		CREATED(NULL)},
	{"GET", "transports/:name", VERB("transport.get"), "One transport", NULL,
		OBJECT("Transport")},
	{"PATCH", "transports/:name", VERB("transport.set"), "Change a transport", transport_set,
		DONE},
	{"DELETE", "transports/:name", VERB("transport.rm"), "Remove a transport no route uses",
		NULL, DONE},

	{"GET", "routes", VERB("route.list"), "Outgoing routes, in order", NULL, LIST("Route")},
	{"POST", "routes", VERB("route.add"), "Add a route", route_new, CREATED("Id")},
	{"GET", "routes/:id", VERB("route.get"), "One route", NULL, OBJECT("Route")},
	{"PATCH", "routes/:id", VERB("route.set"), "Change a route", route_new, DONE},
	{"DELETE", "routes/:id", VERB("route.rm"), "Remove a route", NULL, DONE},

	{"GET", "networks", VERB("network.list"), "Trusted networks", NULL, LIST("Network")},
	{"POST", "networks", VERB("network.add"), "Trust a network", network_new, CREATED(NULL)},
	{"GET", "networks/:network", VERB("network.get"), "One network (%2F for the slash)", NULL,
		OBJECT("Network")},
	{"PATCH", "networks/:network", VERB("network.set"), "Change its comment", network_set,
		DONE},
	{"DELETE", "networks/:network", VERB("network.rm"), "Trust it no more", NULL, DONE},

	{"GET", "queue", VERB("queue.list"), "Recipients in the queue", queue_filter,
		LIST("QueueRecipient")},
	{"GET", "queue/summary", VERB("queue.summary"), "How much waits, and for whom", NULL,
		OBJECT_ROWS("QueueSummary", "destinations")},
	{"POST", "queue/retry", VERB("queue.kick"), "Next attempt now", queue_change,
		OBJECT("Changed")},
	{"POST", "queue/hold", VERB("queue.hold"), "Hold", queue_change, OBJECT("Changed")},
	{"POST", "queue/unhold", VERB("queue.unhold"), "Let go, due now", queue_change,
		OBJECT("Changed")},
	{"POST", "queue/drop", VERB("queue.drop"), "Remove without a notice to the sender",
		queue_change, OBJECT("Changed")},
	{"GET", "queue/messages/:id", VERB("queue.get"), "One message", NULL,
		OBJECT_ROWS("QueueMessage", "recipients")},

	{"GET", "quarantine", VERB("quarantine.list"), "What was kept back, newest first",
		quarantine_filter, LIST("Quarantined")},
	{"GET", "quarantine/:id", VERB("quarantine.get"), "One of them", NULL,
		OBJECT("Quarantined")},
	{"POST", "quarantine/release", VERB("quarantine.release"), "Deliver as it would have been",
		quarantine_act, OBJECT("Changed")},
	{"POST", "quarantine/delete", VERB("quarantine.delete"), "Delete for good", quarantine_act,
		OBJECT("Changed")},

	{"GET", "tokens", VERB("token.list"), "Tokens of this API", NULL, LIST("Token")},
	{"POST", "tokens", VERB("token.add"), "Make a token", token_new, CREATED("NewToken")},
	{"DELETE", "tokens/:id", VERB("token.rm"), "Revoke a token", NULL, DONE},
};
const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);
