/* The API's routes, and what their requests take. */
#include "base/version.h"
#include "webui/api.h"
#include "webui/api_fields.h"

#define CURSOR                                                                                     \
	{"after", API_TEXT, 0, "Cursor: next of the page before", NULL},                           \
	{                                                                                          \
		"limit", API_NUMBER, 0, "1 to 1000", NULL                                          \
	}
#define NAME(what)                                                                                 \
	{                                                                                          \
		"name", API_TEXT, API_REQUIRED, what, NULL                                         \
	}

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
#define QUEUE_FILTER                                                                               \
	{"to", API_TEXT, 0, "Destination domain; .example for all below too", NULL},               \
		{"text", API_TEXT, 0, "Part of an address, a queue id or session", NULL},          \
		{"from", API_TEXT, 0, "Sender; <> for none", NULL},                                \
		{"from_domain", API_TEXT, 0, NULL, NULL}, {"account", API_TEXT, 0, NULL, NULL},    \
		{"error", API_TEXT, 0, "Part of the last error", NULL},                            \
		{"via", API_TEXT, 0, "Way of delivery", NULL},                                     \
		{"state", API_TEXT, 0, "Else queued and held", STATES},                            \
		{"min_attempts", API_NUMBER, 0, NULL, NULL},                                       \
		{"max_attempts", API_NUMBER, 0, NULL, NULL},                                       \
		{"older", API_TEXT, 0, "Received before, e.g. 2d", NULL},                          \
		{"newer", API_TEXT, 0, "Received since, e.g. 3h", NULL},
static const struct api_field queue_filter[] = {
	QUEUE_FILTER{"sort", API_TEXT, 0, NULL, "received next attempts size"},
	{"descending", API_FLAG, 0, NULL, NULL},
	CURSOR,
	END,
};
static const struct api_field queue_count_filter[] = {QUEUE_FILTER END};
static const struct api_field queue_change[] = {
	{"id", API_TEXT, 0, "One message", NULL},
	{"recipient_id", API_NUMBER, 0, "One recipient of it", NULL},
	{"all", API_FLAG, 0, "All of the queue", NULL},
	QUEUE_FILTER END,
};
static const struct api_field queue_transport[] = {
	{"transport", API_TEXT, API_REQUIRED, "A transport's name, direct, or routes", NULL},
	{"kick", API_FLAG, 0, "And try now", NULL},
	{"id", API_TEXT, 0, "One message", NULL},
	{"recipient_id", API_NUMBER, 0, "One recipient of it", NULL},
	{"all", API_FLAG, 0, "All of the queue", NULL},
	QUEUE_FILTER END,
};
static const struct api_field queue_route[] = {
	{"address", API_TEXT, API_REQUIRED, "Recipient", NULL},
	{"from", API_TEXT, 0, "Sender", NULL},
	{"attempt", API_NUMBER, 0, "1 is the first", NULL},
	END,
};
static const struct api_field simulate_in[] = {
	{"address", API_TEXT, API_REQUIRED, "Recipient", NULL},
	{"from", API_TEXT, 0, "Sender", NULL},
	{"requiretls", API_FLAG, 0, "The message asks for REQUIRETLS", NULL},
	{"tls_optional", API_FLAG, 0, "The message says TLS-Required: No", NULL},
	{"wait", API_NUMBER, 0, "Seconds to wait for the end, 0 to 10; else 10", NULL},
	END,
};
static const struct api_field simulation_in[] = {
	{"wait", API_NUMBER, 0, "Seconds to wait for the end, 0 to 10; else 10", NULL},
	END,
};
static const struct api_field relaytest_in[] = {
	{"relay", API_RELAY, 0, "Hosts and login; or what differs from the transport or domain",
		NULL},
	{"transport", API_TEXT, 0, "Test this one", NULL},
	{"domain", API_TEXT, 0, "Test the relay of this one", NULL},
	{"mail_from", API_TEXT, 0, "Sender; else none", NULL},
	{"rcpt", API_TEXT, 0, "Recipient to ask about; else the test ends after the login", NULL},
	END,
};
static const struct api_field hold_new[] = {
	{"account", API_TEXT, 0, NULL, NULL},
	{"from_domain", API_TEXT, 0, NULL, NULL},
	{"from", API_TEXT, 0, "Sender address", NULL},
	{"to", API_TEXT, 0, "Recipient domain", NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"all", API_FLAG, 0, "A rule without fields, for all mail, is meant", NULL},
	{"apply", API_FLAG, 0, "To what waits already, too", NULL},
	END,
};
static const struct api_field hold_end[] = {
	{"apply", API_FLAG, 0, "Let go what it held", NULL},
	END,
};
static const struct api_field log_filter[] = {
	{"text", API_TEXT, 0, "What a person would type into the search box", NULL},
	{"address", API_TEXT, 0, "Sender, recipient or From", NULL},
	{"domain", API_TEXT, 0, NULL, NULL},
	{"session", API_TEXT, 0, NULL, NULL},
	{"message_id", API_TEXT, 0, NULL, NULL},
	{"ip", API_TEXT, 0, NULL, NULL},
	{"result", API_TEXT, 0, NULL, LOG_RESULTS},
	{"since", API_TEXT, 0, "2026-11-24, 2026-11-24T10:00:00Z or an age such as 3h", NULL},
	{"until", API_TEXT, 0, NULL, NULL},
	CURSOR,
	END,
};
static const struct api_field days_set[] = {
	{"days", API_NUMBER, API_REQUIRED, "1 to 3650", NULL},
	END,
};
static const struct api_field entry_filter[] = {
	{"list", API_TEXT, 0, NULL, "allow deny"},
	{"text", API_TEXT, 0, "Part of value or comment", NULL},
	END,
};
static const struct api_field entry_new[] = {
	{"value", API_TEXT, API_REQUIRED, "IP, network, domain or address", NULL},
	{"list", API_TEXT, API_REQUIRED, NULL, "allow deny"},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"expires", API_TEXT, 0, "A day, or a number of days", NULL},
	END,
};
static const struct api_field entry_change[] = {
	{"list", API_TEXT, 0, NULL, "allow deny"},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"expires", API_TEXT, 0, "A day, or a number of days", NULL},
	END,
};
static const struct api_field zone_new[] = {
	{"zone", API_TEXT, API_REQUIRED, NULL, NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"disabled", API_FLAG, 0, NULL, NULL},
	END,
};
static const struct api_field override_set[] = {
	{"kind", API_TEXT, API_REQUIRED, NULL, "verified plaintext pin"},
	{"pins", API_TEXT, 0, "SHA-256 in hex, space between", NULL},
	{"reason", API_TEXT, API_REQUIRED, NULL, NULL},
	{"expires", API_TEXT, API_REQUIRED, "A day", NULL},
	END,
};
static const struct api_field mtasts_filter[] = {
	{"text", API_TEXT, 0, "Part of the domain", NULL},
	{"mode", API_TEXT, 0, NULL, "none testing enforce backoff"},
	{"after", API_TEXT, 0, "Cursor: next of the page before", NULL},
	{"limit", API_NUMBER, 0, "1 to 1000", NULL},
	END,
};
static const struct api_field tls_result_filter[] = {
	{"day", API_TEXT, 0, "2026-11-24", NULL},
	{"policy_domain", API_TEXT, 0, NULL, NULL},
	{"recipient_domain", API_TEXT, 0, NULL, NULL},
	{"failures", API_FLAG, 0, "Only with failures", NULL},
	CURSOR,
	END,
};
static const struct api_field tls_result_delete[] = {
	{"policy_domain", API_TEXT, API_REQUIRED, NULL, NULL},
	{"day", API_TEXT, 0, "Else all days", NULL},
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
#define LIST(schema) API_ANSWER_LIST, schema, NULL, "after"
#define LIST_BEFORE(schema) API_ANSWER_LIST, schema, NULL, "before"
#define OBJECT(schema) API_ANSWER_OBJECT, schema, NULL, NULL
#define OBJECT_ROWS(schema, as) API_ANSWER_OBJECT, schema, as, NULL
#define CREATED(schema) API_ANSWER_CREATED, schema, NULL, NULL
#define DONE API_ANSWER_DONE, NULL, NULL, NULL

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
	{"POST", "queue/transport", VERB("queue.transport"), "Choose the way by hand",
		queue_transport, OBJECT("Changed")},
	{"GET", "queue/count", VERB("queue.count"), "How many a filter selects", queue_count_filter,
		OBJECT("Count")},
	{"POST", "simulations", VERB("smtp.simulate"),
		"What would happen to mail for an address now", simulate_in,
		OBJECT_ROWS("Simulation", "ways")},
	{"GET", "simulations/:id", VERB("smtp.simulation"), "How far one is", simulation_in,
		OBJECT_ROWS("Simulation", "ways")},
	{"POST", "relaytest", VERB("relay.test"), "Try relay hosts up to RCPT; nothing is sent",
		relaytest_in, OBJECT_ROWS("RelayTest", "steps")},
	{"GET", "queue/route", VERB("queue.route"), "Which way mail would go", queue_route,
		LIST("Way")},
	{"GET", "holds", VERB("queue.holdrules.list"), "Hold rules", NULL, LIST("HoldRule")},
	{"POST", "holds", VERB("queue.holdrules.add"), "Hold mail that matches", hold_new,
		CREATED("NewHoldRule")},
	{"DELETE", "holds/:id", VERB("queue.holdrules.remove"), "End a hold rule", hold_end, DONE},
	{"GET", "queue/messages/:id", VERB("queue.get"), "One message", NULL,
		OBJECT_ROWS("QueueMessage", "recipients")},

	{"GET", "log", VERB("log.list"), "Where is my mail, newest first", log_filter,
		LIST_BEFORE("LogRow")},
	{"GET", "log/messages/:id", VERB("log.get"), "A message's whole life", NULL,
		OBJECT_ROWS("LogMessage", "events")},
	{"GET", "log/keep", VERB("log.keep"), "How long the log is kept", NULL, OBJECT("Days")},
	{"PATCH", "log/keep", VERB("log.keep"), "Keep it so long", days_set, OBJECT("Days")},

	{"GET", "lists", VERB("list.list"), "Allow and deny lists", entry_filter,
		LIST("ListEntry")},
	{"POST", "lists", VERB("list.add"), "Allow or deny", entry_new, CREATED("ListEntry")},
	{"PATCH", "lists/:value", VERB("list.set"), "Change an entry", entry_change,
		OBJECT("ListEntry")},
	{"DELETE", "lists/:value", VERB("list.rm"), "Remove an entry", NULL, DONE},
	{"GET", "blocklists", VERB("dnsbl.list"), "DNS block lists", NULL, LIST("BlockList")},
	{"POST", "blocklists", VERB("dnsbl.add"), "Ask a block list", zone_new, CREATED(NULL)},
	{"PATCH", "blocklists/:zone", VERB("dnsbl.set"), "Change it", zone_new + 1, DONE},
	{"DELETE", "blocklists/:zone", VERB("dnsbl.rm"), "Ask it no more", NULL, DONE},

	{"GET", "tls/overrides", VERB("tlsoverride.list"), "What is said about TLS to destinations",
		NULL, LIST("TlsOverride")},
	{"PUT", "tls/overrides/:domain", VERB("tlsoverride.set"), "Say it", override_set,
		OBJECT("TlsOverride")},
	{"DELETE", "tls/overrides/:domain", VERB("tlsoverride.remove"), "Say nothing", NULL, DONE},
	{"GET", "tls/results", VERB("tlsresults.list"), "TLS results by policy domain and day",
		tls_result_filter, LIST_BEFORE("TlsResult")},
	{"POST", "tls/results/delete", VERB("tlsresults.delete"), "Remove results",
		tls_result_delete, OBJECT("Changed")},
	{"GET", "mtasts", VERB("mtasts.list"), "Cached MTA-STS policies", mtasts_filter,
		LIST("MtastsPolicy")},
	{"POST", "mtasts/:domain/refresh", VERB("mtasts.refresh"), "Fetch it now", NULL,
		OBJECT("MtastsRefreshed")},
	{"DELETE", "mtasts/:domain", VERB("mtasts.forget"), "Forget it", NULL, DONE},

	{"GET", "quarantine", VERB("quarantine.list"), "What was kept back, newest first",
		quarantine_filter, LIST("Quarantined")},
	{"GET", "quarantine/keep", VERB("quarantine.keep"), "How long it is kept", NULL,
		OBJECT("Days")},
	{"PATCH", "quarantine/keep", VERB("quarantine.keep"), "Keep it so long", days_set,
		OBJECT("Days")},
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
