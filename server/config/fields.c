/* fields - which fields mox.conf has: spec of the reference system, and our own sections
 * Limits, Queue, Resolver. mox.conf.example and mox.conf(5) describe every one; a unit
 * test holds them to these tables. */
#include "config/fields.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_AT(type, member, counter)                                                             \
	.offset = offsetof(struct type, member), .count_offset = offsetof(struct type, counter)

enum { PORT_MAX = 65535, DAY_MS = 86400000 };

static const char no_imap[] = "IMAP is not served here; Maildir is read by Dovecot and others";
static const char tickets[] = "session tickets are always on";
static const char no_web[] = "there is no webmail and no general web server here";

static const struct config_field keycert_fields[] = {
	{"CertFile", CONFIG_READABLE, .required = true, AT(config_keycert, cert_file)},
	{"KeyFile", CONFIG_READABLE, .required = true, AT(config_keycert, key_file)},
};
static const struct config_section keycert_section = {keycert_fields, COUNT(keycert_fields)};

static const struct config_field tls_fields[] = {
	{"ACME", CONFIG_TEXT, AT(config_listener, tls_acme)},
	{"KeyCerts", CONFIG_SECTIONS, LIST_AT(config_listener, keycerts, keycert_count),
		.section = &keycert_section, .item_size = sizeof(struct config_keycert)},
	{"MinVersion", CONFIG_TLS_VERSION, AT(config_listener, tls_min_version)},
	{"HostPrivateKeyFiles", CONFIG_READABLES,
		LIST_AT(config_listener, host_key_files, host_key_file_count)},
	{"ClientAuthDisabled", CONFIG_UNUSED, .note = "clients are never asked for certificates"},
};
static const struct config_section tls_section = {tls_fields, COUNT(tls_fields)};

static const struct config_field smtp_fields[] = {
	{"Enabled", CONFIG_BOOL, AT(config_listener, smtp.enabled)},
	{"Port", CONFIG_UNSIGNED, AT(config_listener, smtp.port), .max = PORT_MAX},
	{"NoSTARTTLS", CONFIG_BOOL, AT(config_listener, smtp_no_starttls)},
	{"RequireSTARTTLS", CONFIG_BOOL, AT(config_listener, smtp_require_starttls)},
	{"NoRequireTLS", CONFIG_BOOL, AT(config_listener, smtp_no_requiretls)},
	{"DNSBLs", CONFIG_ZONES, LIST_AT(config_listener, dnsbls, dnsbl_count)},
	{"FirstTimeSenderDelay", CONFIG_UNUSED, .note = "a gateway has no history of senders"},
	{"TLSSessionTicketsDisabled", CONFIG_UNUSED, .note = tickets},
};
static const struct config_section smtp_section = {smtp_fields, COUNT(smtp_fields)};

static const struct config_field submission_fields[] = {
	{"Enabled", CONFIG_BOOL, AT(config_listener, submission.enabled)},
	{"Port", CONFIG_UNSIGNED, AT(config_listener, submission.port), .max = PORT_MAX},
	{"NoRequireSTARTTLS", CONFIG_BOOL, AT(config_listener, submission_no_require_starttls)},
	{"TLSSessionTicketsDisabled", CONFIG_UNUSED, .note = tickets},
};
static const struct config_section submission_section = {
	submission_fields, COUNT(submission_fields)};

static const struct config_field submissions_fields[] = {
	{"Enabled", CONFIG_BOOL, AT(config_listener, submissions.enabled)},
	{"Port", CONFIG_UNSIGNED, AT(config_listener, submissions.port), .max = PORT_MAX},
	{"TLSSessionTicketsDisabled", CONFIG_UNUSED, .note = tickets},
};
static const struct config_section submissions_section = {
	submissions_fields, COUNT(submissions_fields)};

static const struct config_field admin_http_fields[] = {
	{"Enabled", CONFIG_BOOL, AT(config_listener, admin_http.enabled)},
	{"Port", CONFIG_UNSIGNED, AT(config_listener, admin_http.port), .max = PORT_MAX},
	{"Path", CONFIG_URL_PATH, AT(config_listener, admin_http_path)},
	{"Forwarded", CONFIG_BOOL, AT(config_listener, forwarded)},
};
static const struct config_section admin_http_section = {
	admin_http_fields, COUNT(admin_http_fields)};

static const struct config_field admin_https_fields[] = {
	{"Enabled", CONFIG_BOOL, AT(config_listener, admin_https.enabled)},
	{"Port", CONFIG_UNSIGNED, AT(config_listener, admin_https.port), .max = PORT_MAX},
	{"Path", CONFIG_URL_PATH, AT(config_listener, admin_https_path)},
	{"Forwarded", CONFIG_BOOL, AT(config_listener, forwarded)},
};
static const struct config_section admin_https_section = {
	admin_https_fields, COUNT(admin_https_fields)};

static const struct config_field metrics_fields[] = {
	{"Enabled", CONFIG_BOOL, AT(config_listener, metrics_http.enabled)},
	{"Port", CONFIG_UNSIGNED, AT(config_listener, metrics_http.port), .max = PORT_MAX},
};
static const struct config_section metrics_section = {metrics_fields, COUNT(metrics_fields)};

static const struct config_field proxy_fields[] = {
	{"TrustedFrom", CONFIG_CIDRS, .required = true,
		LIST_AT(config_listener, proxy_from, proxy_from_count)},
};
static const struct config_section proxy_section = {proxy_fields, COUNT(proxy_fields)};

static const struct config_field listener_fields[] = {
	{"IPs", CONFIG_IPS, .required = true, LIST_AT(config_listener, ips, ip_count)},
	{"NATIPs", CONFIG_IPS, LIST_AT(config_listener, nat_ips, nat_ip_count)},
	{"IPsNATed", CONFIG_UNUSED, .note = "write the public addresses into NATIPs"},
	{"Hostname", CONFIG_HOSTNAME, AT(config_listener, hostname)},
	{"TLS", CONFIG_SECTION, .section = &tls_section},
	{"SMTPMaxMessageSize", CONFIG_INT64, AT(config_listener, smtp_max_message_size),
		.min = 1024},
	{"SMTP", CONFIG_SECTION, .section = &smtp_section},
	{"Submission", CONFIG_SECTION, .section = &submission_section},
	{"Submissions", CONFIG_SECTION, .section = &submissions_section},
	{"AdminHTTP", CONFIG_SECTION, .section = &admin_http_section},
	{"AdminHTTPS", CONFIG_SECTION, .section = &admin_https_section},
	{"MetricsHTTP", CONFIG_SECTION, .section = &metrics_section},
	{"ProxyProtocol", CONFIG_SECTION, .section = &proxy_section},
	{"IMAP", CONFIG_UNUSED, .note = no_imap},
	{"IMAPS", CONFIG_UNUSED, .note = no_imap},
	{"AccountHTTP", CONFIG_UNUSED, .note = no_web},
	{"AccountHTTPS", CONFIG_UNUSED, .note = no_web},
	{"WebmailHTTP", CONFIG_UNUSED, .note = no_web},
	{"WebmailHTTPS", CONFIG_UNUSED, .note = no_web},
	{"WebAPIHTTP", CONFIG_UNUSED, .note = no_web},
	{"WebAPIHTTPS", CONFIG_UNUSED, .note = no_web},
	{"WebserverHTTP", CONFIG_UNUSED, .note = no_web},
	{"WebserverHTTPS", CONFIG_UNUSED, .note = no_web},
	{"PprofHTTP", CONFIG_UNUSED, .note = "this program has no such profiler"},
	{"AutoconfigHTTPS", CONFIG_UNUSED, .note = "not served by this version"},
	{"MTASTSHTTPS", CONFIG_UNUSED, .note = "not served by this version"},
};
const struct config_section config_listener_section = {listener_fields, COUNT(listener_fields)};

static const struct config_field eab_fields[] = {
	{"KeyID", CONFIG_TEXT, .required = true, AT(config_acme, eab_key_id)},
	{"KeyFile", CONFIG_READABLE, .required = true, AT(config_acme, eab_key_file)},
};
static const struct config_section eab_section = {eab_fields, COUNT(eab_fields)};

static const struct config_field acme_fields[] = {
	{"DirectoryURL", CONFIG_TEXT, .required = true, AT(config_acme, directory_url)},
	{"RenewBefore", CONFIG_DURATION_S, AT(config_acme, renew_before_s), .min = 86400,
		.max = 86400 * 300},
	{"ContactEmail", CONFIG_TEXT, .required = true, AT(config_acme, contact_email)},
	{"Port", CONFIG_UNSIGNED, AT(config_acme, port), .max = PORT_MAX},
	{"IssuerDomainName", CONFIG_TEXT, AT(config_acme, issuer_domain_name)},
	{"ExternalAccountBinding", CONFIG_SECTION, .section = &eab_section},
};
static const struct config_section acme_section = {acme_fields, COUNT(acme_fields)};

static const struct config_field ca_fields[] = {
	{"AdditionalToSystem", CONFIG_BOOL, AT(config, tls_ca_additional)},
	{"CertFiles", CONFIG_READABLES, LIST_AT(config, tls_ca_files, tls_ca_file_count)},
};
static const struct config_section ca_section = {ca_fields, COUNT(ca_fields)};
static const struct config_field root_tls_fields[] = {
	{"CA", CONFIG_SECTION, .section = &ca_section},
};
static const struct config_section root_tls_section = {root_tls_fields, COUNT(root_tls_fields)};

static const struct config_field postmaster_fields[] = {
	{"Account", CONFIG_TEXT, .required = true, AT(config, postmaster_account)},
	{"Mailbox", CONFIG_UNUSED, .note = "mail goes to the inbox of the account"},
};
static const struct config_section postmaster_section = {
	postmaster_fields, COUNT(postmaster_fields)};

static const struct config_field host_tlsrpt_fields[] = {
	{"Account", CONFIG_TEXT, .required = true, AT(config, host_tlsrpt_account)},
	{"Mailbox", CONFIG_UNUSED, .note = "reports are shown in the web pages"},
	{"Localpart", CONFIG_TEXT, .required = true, AT(config, host_tlsrpt_localpart)},
};
static const struct config_section host_tlsrpt_section = {
	host_tlsrpt_fields, COUNT(host_tlsrpt_fields)};

static const struct config_field limits_fields[] = {
	{"ConnectionRate", CONFIG_TRIPLE, AT(config_limits, connection_rate)},
	{"ConnectionsOpen", CONFIG_TRIPLE, AT(config_limits, connections_open)},
	{"ConnectionsTotal", CONFIG_UNSIGNED, AT(config_limits, connections_total)},
	{"AuthFailuresMin", CONFIG_TRIPLE, AT(config_limits, auth_failures_min)},
	{"AuthFailuresDay", CONFIG_TRIPLE, AT(config_limits, auth_failures_day)},
	{"DeliveryMessagesMin", CONFIG_TRIPLE, AT(config_limits, delivery_messages_min)},
	{"DeliveryMessagesDay", CONFIG_TRIPLE, AT(config_limits, delivery_messages_day)},
	{"DeliveryBytesMin", CONFIG_TRIPLE64, AT(config_limits, delivery_bytes_min)},
	{"DeliveryBytesDay", CONFIG_TRIPLE64, AT(config_limits, delivery_bytes_day)},
	{"AccountMessagesDay", CONFIG_UNSIGNED, AT(config_limits, account_messages_day)},
	{"CommandLineMax", CONFIG_UNSIGNED, AT(config_limits, command_line_max), .min = 512,
		.max = 65536},
	{"RecipientsMax", CONFIG_UNSIGNED, AT(config_limits, recipients_max), .min = 1,
		.max = 10000},
	{"ReceivedMax", CONFIG_UNSIGNED, AT(config_limits, received_max), .min = 10, .max = 1000},
	{"BadTransactionsMax", CONFIG_UNSIGNED, AT(config_limits, bad_transactions_max)},
	{"SlowAfter", CONFIG_UNSIGNED, AT(config_limits, slow_after)},
	{"AuthDelayAfter", CONFIG_UNSIGNED, AT(config_limits, auth_delay_after)},
	{"UnknownRcptDelay", CONFIG_DURATION_MS, AT(config_limits, unknown_rcpt_delay_ms),
		.max = 60000},
	{"SlowRead", CONFIG_DURATION_MS, AT(config_limits, slow_read_ms), .max = 60000},
	{"SlowWriteByte", CONFIG_DURATION_MS, AT(config_limits, slow_write_byte_ms), .max = 60000},
	{"ReadTimeout", CONFIG_DURATION_MS, AT(config_limits, read_timeout_ms), .min = 1000,
		.max = DAY_MS},
	{"WriteTimeout", CONFIG_DURATION_MS, AT(config_limits, write_timeout_ms), .min = 1000,
		.max = DAY_MS},
	{"DataTimeout", CONFIG_DURATION_MS, AT(config_limits, data_timeout_ms), .min = 1000,
		.max = DAY_MS},
	{"TLSTimeout", CONFIG_DURATION_MS, AT(config_limits, tls_timeout_ms), .min = 1000,
		.max = DAY_MS},
	{"SenderCheckTimeout", CONFIG_DURATION_MS, AT(config_limits, check_timeout_ms), .min = 100,
		.max = 10 * 60000},
	{"SessionTimeout", CONFIG_DURATION_MS, AT(config_limits, session_timeout_ms), .min = 1000,
		.max = DAY_MS},
};
static const struct config_section limits_section = {limits_fields, COUNT(limits_fields)};

static const struct config_field queue_fields[] = {
	{"MaxConcurrent", CONFIG_UNSIGNED, AT(config_queue, max_concurrent), .min = 1, .max = 2000},
	{"MaxConcurrentPerDomain", CONFIG_UNSIGNED, AT(config_queue, max_concurrent_per_domain),
		.min = 1, .max = 2000},
	{"MaxAttempts", CONFIG_UNSIGNED, AT(config_queue, max_attempts), .min = 1, .max = 100},
	{"RetryFirst", CONFIG_DURATION_S, AT(config_queue, retry_first_s), .min = 1, .max = 86400},
	{"DelayDSNAttempt", CONFIG_UNSIGNED, AT(config_queue, delay_dsn_attempt), .max = 100},
	{"ConnectTimeout", CONFIG_DURATION_MS, AT(config_queue, connect_timeout_ms), .min = 100,
		.max = DAY_MS},
	{"CommandTimeout", CONFIG_DURATION_MS, AT(config_queue, command_timeout_ms), .min = 1000,
		.max = DAY_MS},
	{"SessionTimeout", CONFIG_DURATION_MS, AT(config_queue, session_timeout_ms), .min = 1000,
		.max = DAY_MS},
	{"IdleConnection", CONFIG_DURATION_MS, AT(config_queue, idle_connection_ms), .max = DAY_MS},
	{"SMTPPort", CONFIG_UNSIGNED, AT(config_queue, smtp_port), .min = 1, .max = PORT_MAX},
};
static const struct config_section queue_section = {queue_fields, COUNT(queue_fields)};

static const struct config_field resolver_fields[] = {
	{"TrustAnchorFile", CONFIG_ANCHOR, AT(config_resolver, trust_anchor_file)},
	{"Forward", CONFIG_SERVERS, LIST_AT(config_resolver, forward, forward_count)},
	{"Stubs", CONFIG_STUBS, .offset = 0},
};
static const struct config_section resolver_section = {resolver_fields, COUNT(resolver_fields)};

static const struct config_field root_fields[] = {
	{"DataDir", CONFIG_PATH, .required = true, AT(config, data_dir)},
	{"Hostname", CONFIG_HOSTNAME, .required = true, AT(config, hostname)},
	{"User", CONFIG_TEXT, AT(config, user)},
	{"LogLevel", CONFIG_LOG_LEVEL, AT(config, log_level)},
	{"LogFormat", CONFIG_LOG_FORMAT, AT(config, log_format)},
	{"AdminPasswordFile", CONFIG_READABLE, AT(config, admin_password_file)},
	{"TLS", CONFIG_SECTION, .section = &root_tls_section},
	{"HTTPSPrivateNetworks", CONFIG_CIDRS, LIST_AT(config, https_private, https_private_count)},
	{"ACME", CONFIG_MAP, LIST_AT(config, acme, acme_count), .section = &acme_section,
		.item_size = sizeof(struct config_acme)},
	{"Listeners", CONFIG_LISTENERS, .section = &config_listener_section},
	{"Postmaster", CONFIG_SECTION, .section = &postmaster_section},
	{"HostTLSRPT", CONFIG_SECTION, .section = &host_tlsrpt_section},
	{"NoOutgoingTLSReports", CONFIG_BOOL, AT(config, no_outgoing_tls_reports)},
	{"OutgoingTLSReportsForAllSuccess", CONFIG_BOOL, AT(config, tls_reports_for_all_success)},
	{"NoOutgoingDMARCReports", CONFIG_BOOL, AT(config, no_outgoing_dmarc_reports)},
	{"Limits", CONFIG_SECTION, AT(config, limits), .section = &limits_section},
	{"Queue", CONFIG_SECTION, AT(config, queue), .section = &queue_section},
	{"Resolver", CONFIG_SECTION, AT(config, resolver), .section = &resolver_section},
	{"Transports", CONFIG_UNUSED,
		.note = "transports are kept in the database; mox config import takes them over"},
	{"InitialMailboxes", CONFIG_UNUSED, .note = no_imap},
	{"DefaultMailboxes", CONFIG_UNUSED, .note = no_imap},
	{"PackageLogLevels", CONFIG_UNUSED, .note = "there is one level, LogLevel"},
	{"NoFixPermissions", CONFIG_UNUSED, .note = "permissions are never changed here"},
	{"CheckUpdates", CONFIG_UNUSED, .note = "updates come with the packages of the system"},
	{"Pedantic", CONFIG_UNUSED, .note = "protocol rules are not a matter of configuration"},
	{"QuotaMessageSize", CONFIG_UNUSED, .note = "there are no quotas"},
};
const struct config_section config_root_section = {root_fields, COUNT(root_fields)};
