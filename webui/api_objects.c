/* The objects that the API speaks of. */
#include "webui/api.h"
#include "webui/api_fields.h"

/* The members of a row of the message log. */
#define LOG_MEMBERS                                                                                \
	{"id", API_TEXT, API_NULLABLE, NULL, NULL}, {"time", API_TIME, API_NULLABLE, NULL, NULL},  \
		{"results", API_TEXTS, 0, NULL, NULL}, {"recipients", API_NUMBER, 0, NULL, NULL},  \
		{"open", API_NUMBER, 0, "Recipients that are not done", NULL},                     \
		{"from", API_TEXT, 0, NULL, NULL}, {"to", API_TEXT, 0, "The first", NULL},         \
		{"original_to", API_TEXT, 0, NULL, NULL}, {"subject", API_TEXT, 0, NULL, NULL},    \
		{"header_from", API_TEXT, 0, NULL, NULL},                                          \
		{"from_address", API_TEXT, 0, NULL, NULL},                                         \
		{"message_id", API_TEXT, 0, NULL, NULL}, {"size", API_NUMBER, 0, NULL, NULL},      \
		{"session", API_TEXT, 0, NULL, NULL}, {"remote_ip", API_TEXT, 0, NULL, NULL},      \
		{"helo", API_TEXT, 0, NULL, NULL}, {"account", API_TEXT, 0, NULL, NULL},           \
		{"listener", API_TEXT, 0, NULL, NULL}, {"tls", API_TEXT, 0, NULL, NULL},           \
		{"stage", API_TEXT, 0, NULL, NULL}, {"code", API_NUMBER, 0, NULL, NULL},           \
		{"enhanced_code", API_TEXT, 0, NULL, NULL}, {"text", API_TEXT, 0, NULL, NULL},     \
		{"about", API_TEXT, API_NULLABLE, "A notice is about this message", NULL},

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
	{"via", API_TEXT, 0, "Way of the last attempt", NULL},
	{"transport_id", API_NUMBER, 0, "Way chosen by hand: 0 by routes, -1 direct", NULL},
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

static const struct api_field log_row_out[] = {
	LOG_MEMBERS END,
};
static const struct api_field log_message_out[] = {
	LOG_MEMBERS{"recipient_list", API_OBJECTS, 0, "The first 200", "LogRecipient"},
	{"trace", API_ANY, API_NULLABLE, "How it was judged", NULL},
	{"events", API_OBJECTS, 0, "Oldest first", "LogEvent"},
	END,
};
static const struct api_field log_rcpt_out[] = {
	{"to", API_TEXT, 0, NULL, NULL},
	{"original_to", API_TEXT, 0, "Before aliases", NULL},
	END,
};
static const struct api_field log_event_out[] = {
	{"time", API_TIME, API_NULLABLE, NULL, NULL},
	{"event", API_TEXT, 0, NULL, EVENTS},
	{"to", API_TEXT, 0, NULL, NULL},
	{"duration_ms", API_NUMBER, 0, NULL, NULL},
	{"code", API_NUMBER, 0, NULL, NULL},
	{"enhanced_code", API_TEXT, 0, NULL, NULL},
	{"text", API_TEXT, 0, NULL, NULL},
	{"mx", API_TEXT, 0, NULL, NULL},
	{"ip", API_TEXT, 0, NULL, NULL},
	{"tls", API_TEXT, 0, NULL, NULL},
	{"transport", API_TEXT, 0, NULL, NULL},
	{"next_attempt", API_TIME, API_NULLABLE, NULL, NULL},
	{"trace", API_ANY, API_NULLABLE, "How it was tried", NULL},
	END,
};
static const struct api_field days_out[] = {
	{"days", API_NUMBER, 0, NULL, NULL},
	END,
};
static const struct api_field count_out[] = {
	{"count", API_NUMBER, 0, "Recipients", NULL},
	{"exact", API_FLAG, 0, "False: there are at least so many", NULL},
	END,
};
static const struct api_field hold_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"account", API_TEXT, 0, NULL, NULL},
	{"from_domain", API_TEXT, 0, NULL, NULL},
	{"from", API_TEXT, 0, NULL, NULL},
	{"to", API_TEXT, 0, "Recipient domain", NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"created", API_TIME, 0, NULL, NULL},
	END,
};
static const struct api_field hold_new_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"changed", API_NUMBER, 0, "Recipients put on hold", NULL},
	END,
};
static const struct api_field way_out[] = {
	{"to", API_TEXT, 0, NULL, NULL},
	{"kind", API_TEXT, 0, NULL, "mailbox hosts mx nowhere"},
	{"transport", API_TEXT, 0, NULL, NULL},
	{"route", API_NUMBER, 0, "Which route matched, 0: none", NULL},
	{"words", API_TEXT, 0, "The same in a sentence", NULL},
	END,
};
static const struct api_field simulated_host_out[] = {
	{"host", API_TEXT, 0, NULL, NULL},
	{"ip", API_TEXT, 0, NULL, NULL},
	{"open", API_FLAG, 0, "It would be given the message", NULL},
	{"tls", API_FLAG, 0, NULL, NULL},
	{"verified", API_FLAG, 0, NULL, NULL},
	{"dane", API_FLAG, 0, "It has TLSA records that can be used", NULL},
	{"session", API_TEXT, 0, "TLS version and cipher", NULL},
	{"matched", API_TEXT, 0, "The TLSA record that matched", NULL},
	{"text", API_TEXT, 0, NULL, NULL},
	END,
};
#define VERDICTS "unknown delivered waits bounces"
static const struct api_field simulated_way_out[] = {
	{"to", API_TEXT, 0, NULL, NULL},
	{"kind", API_TEXT, 0, NULL, "mailbox hosts mx nowhere"},
	{"transport", API_TEXT, 0, NULL, NULL},
	{"words", API_TEXT, 0, "Which way, and why", NULL},
	{"done", API_FLAG, 0, NULL, NULL},
	{"verdict", API_TEXT, 0, NULL, VERDICTS},
	{"text", API_TEXT, 0, "One sentence", NULL},
	{"hosts", API_OBJECTS, 0, "What was tried", "SimulatedHost"},
	{"trace", API_ANY, API_NULLABLE, "Each step", NULL},
	END,
};
static const struct api_field simulation_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"done", API_FLAG, 0, NULL, NULL},
	{"address", API_TEXT, 0, NULL, NULL},
	{"verdict", API_TEXT, 0, "Of all ways the worst", VERDICTS},
	{"left_out", API_NUMBER, 0, "Members of an alias that were not tried", NULL},
	{"ways", API_OBJECTS, 0, NULL, "SimulatedWay"},
	END,
};
static const struct api_field relaytest_step_out[] = {
	{"title", API_TEXT, 0, NULL, NULL},
	{"state", API_TEXT, 0, NULL, "info ok warn bad"},
	{"text", API_TEXT, 0, "A sentence", NULL},
	{"transcript", API_TEXT, 0, "Lines sent \"> \" and received \"< \", without secrets", NULL},
	{"took_ms", API_NUMBER, 0, NULL, NULL},
	END,
};
static const struct api_field relaytest_out[] = {
	{"good", API_FLAG, 0, "Of the last host", NULL},
	{"verdict", API_TEXT, 0, "What it came to, of the last host", NULL},
	{"steps", API_OBJECTS, 0, "Of all hosts, in order", "RelayTestStep"},
	END,
};
static const struct api_field entry_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"list", API_TEXT, 0, NULL, "allow deny"},
	{"kind", API_TEXT, 0, NULL, "ip domain address"},
	{"value", API_TEXT, 0, NULL, NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"created", API_TIME, 0, NULL, NULL},
	{"expires", API_TEXT, 0, "Empty: never", NULL},
	END,
};
static const struct api_field zone_out[] = {
	{"zone", API_TEXT, 0, NULL, NULL},
	{"comment", API_TEXT, 0, NULL, NULL},
	{"disabled", API_FLAG, 0, NULL, NULL},
	END,
};
static const struct api_field override_out[] = {
	{"domain", API_TEXT, 0, NULL, NULL},
	{"kind", API_TEXT, 0, NULL, "verified plaintext pin"},
	{"pins", API_TEXTS, 0, "SHA-256 of the public key", NULL},
	{"reason", API_TEXT, 0, NULL, NULL},
	{"expires", API_TEXT, 0, "A day", NULL},
	{"expired", API_FLAG, 0, NULL, NULL},
	{"changed", API_TIME, 0, NULL, NULL},
	END,
};
static const struct api_field mtasts_out[] = {
	{"domain", API_TEXT, 0, NULL, NULL},
	{"mode", API_TEXT, 0, NULL, "none testing enforce"},
	{"backoff", API_FLAG, 0, "The policy could not be fetched", NULL},
	{"mx", API_TEXTS, 0, NULL, NULL},
	{"max_age", API_NUMBER, 0, "Seconds", NULL},
	{"record_id", API_TEXT, 0, NULL, NULL},
	{"valid_until", API_TIME, API_NULLABLE, NULL, NULL},
	{"inserted", API_TIME, API_NULLABLE, NULL, NULL},
	{"updated", API_TIME, API_NULLABLE, NULL, NULL},
	{"last_used", API_TIME, API_NULLABLE, NULL, NULL},
	{"last_failure", API_TIME, API_NULLABLE, NULL, NULL},
	{"failure", API_TEXT, 0, NULL, NULL},
	{"valid", API_FLAG, 0, NULL, NULL},
	END,
};
static const struct api_field mtasts_refreshed_out[] = {
	{"domain", API_TEXT, 0, NULL, NULL},
	{"status", API_TEXT, 0, NULL, NULL},
	{"text", API_TEXT, 0, NULL, NULL},
	{"cached", API_ANY, API_NULLABLE, NULL, NULL},
	END,
};
static const struct api_field tls_result_out[] = {
	{"id", API_NUMBER, 0, NULL, NULL},
	{"day", API_TEXT, 0, NULL, NULL},
	{"policy_domain", API_TEXT, 0, NULL, NULL},
	{"recipient_domain", API_TEXT, 0, NULL, NULL},
	{"is_host", API_FLAG, 0, NULL, NULL},
	{"send_report", API_FLAG, 0, NULL, NULL},
	{"created", API_TIME, API_NULLABLE, NULL, NULL},
	{"updated", API_TIME, API_NULLABLE, NULL, NULL},
	{"successes", API_NUMBER, 0, NULL, NULL},
	{"failures", API_NUMBER, 0, NULL, NULL},
	{"policies", API_ANY_LIST, 0, "RFC 8460 section 4.4", NULL},
	END,
};

const struct api_schema api_schemas[] = {
	{"LogRow", log_row_out},
	{"LogMessage", log_message_out},
	{"LogRecipient", log_rcpt_out},
	{"LogEvent", log_event_out},
	{"Days", days_out},
	{"Count", count_out},
	{"HoldRule", hold_out},
	{"NewHoldRule", hold_new_out},
	{"Way", way_out},
	{"Simulation", simulation_out},
	{"SimulatedWay", simulated_way_out},
	{"SimulatedHost", simulated_host_out},
	{"RelayTest", relaytest_out},
	{"RelayTestStep", relaytest_step_out},
	{"ListEntry", entry_out},
	{"BlockList", zone_out},
	{"TlsOverride", override_out},
	{"MtastsPolicy", mtasts_out},
	{"MtastsRefreshed", mtasts_refreshed_out},
	{"TlsResult", tls_result_out},
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
