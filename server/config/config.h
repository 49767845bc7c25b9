/* config - mox.conf: what belongs to the machine. Parsed once into an immutable
 * snapshot; domains, accounts and routes live in the store (design.md 4.6). */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/err.h"
#include "base/log.h"
#include "base/net.h"

struct config_service {
	bool enabled;
	unsigned port;
};

struct config_keycert {
	const char *cert_file, *key_file; /* absolute, or made so from mox.conf's folder */
};

struct config_acme { /* a certificate authority that listeners name */
	const char *name;
	const char *directory_url, *contact_email;
	const char *issuer_domain_name;        /* for CAA, or NULL */
	const char *eab_key_id, *eab_key_file; /* external account binding, or NULL */
	int64_t renew_before_s;
	unsigned port; /* for tls-alpn-01, 443 */
};

struct config_listener {
	const char *name;
	struct ip *ips;
	size_t ip_count;
	struct ip *nat_ips;
	size_t nat_ip_count;
	const char *hostname; /* never NULL: the global one when the field is absent */

	bool tls; /* there is a TLS section */
	const char *tls_acme;
	struct config_keycert *keycerts;
	size_t keycert_count;
	const char **host_key_files; /* HostPrivateKeyFiles */
	size_t host_key_file_count;
	const char *tls_min_version; /* "TLSv1.2" or "TLSv1.3" */

	int64_t smtp_max_message_size; /* octets */
	struct config_service smtp, submission, submissions;
	const char **dnsbls; /* SMTP DNSBLs: zones that clients are looked up in */
	size_t dnsbl_count;
	bool smtp_no_starttls, smtp_require_starttls, smtp_no_requiretls;
	bool submission_no_require_starttls;

	struct config_service admin_http, admin_https, metrics_http;
	const char *admin_http_path, *admin_https_path; /* begin and end with "/" */
	bool forwarded; /* AdminHTTP(S) Forwarded: trust X-Forwarded-For */

	struct cidr *proxy_from; /* ProxyProtocol TrustedFrom: PROXY v2 is demanded from these, */
	size_t proxy_from_count; /* and not understood from others; empty: feature off */
};

/* spec/admin.md 9.1. Every figure can be set in mox.conf, section Limits. A scope
 * triple is for one address, its neighbours, its wider network (IPv4 /32 /26 /21,
 * IPv6 /64 /48 /32); 0 means no limit. */
struct config_limits {
	unsigned connection_rate[3];                                 /* per minute */
	unsigned connections_open[3];                                /* at once */
	unsigned connections_total;                                  /* all listeners together */
	unsigned auth_failures_min[3];                               /* per minute */
	unsigned auth_failures_day[3];                               /* per day */
	unsigned delivery_messages_min[3], delivery_messages_day[3]; /* port 25, accepted */
	int64_t delivery_bytes_min[3], delivery_bytes_day[3];
	unsigned account_messages_day; /* submission, per account */
	unsigned command_line_max;     /* octets, 2048 */
	unsigned recipients_max;       /* 100 */
	unsigned received_max;         /* Received headers, 100 */
	unsigned bad_transactions_max; /* with none good, 10 */
	unsigned slow_after;       /* rejected or failed commands before slow mode, 3; 0 never */
	unsigned auth_delay_after; /* failed AUTH before growing delays, 3 */
	int64_t unknown_rcpt_delay_ms;             /* 5000 */
	int64_t slow_read_ms, slow_write_byte_ms;  /* 1000, 1000 */
	int64_t read_timeout_ms, write_timeout_ms; /* one command, 5 min after RFC 5321 4.5.3.2.7 */
	int64_t data_timeout_ms;                   /* whole DATA, 30 min */
	int64_t tls_timeout_ms;                    /* 1 min */
	int64_t check_timeout_ms;                  /* SPF, DKIM, DMARC, ... of a message, 10 s */
	int64_t session_timeout_ms;                /* whole session, 1 h */
};

struct config_queue {
	unsigned max_concurrent; /* deliveries at once */
	unsigned max_concurrent_per_domain;
	unsigned max_attempts;      /* 8 */
	int64_t retry_first_s;      /* 450, doubling */
	unsigned delay_dsn_attempt; /* after this failed attempt, 5; 0 never */
	int64_t connect_timeout_ms, command_timeout_ms, session_timeout_ms;
	int64_t idle_connection_ms; /* kept open for the next message */
	unsigned smtp_port;         /* of MX hosts: 25; others only for tests */
};

struct config_resolver {
	const char *trust_anchor_file; /* NULL: Debian's; "none": no validation */
	const char **forward;          /* "ip@port" */
	size_t forward_count;
	const char **stub_zones, **stub_addrs; /* pairs, one per address */
	size_t stub_count;
};

struct config {
	const char *path; /* of mox.conf, or NULL when made by code */
	const char *data_dir;
	const char *hostname; /* A-label form, lower case */
	const char *user;     /* to run as after binding; "" stays as started */
	enum log_level log_level;
	enum log_format log_format;
	const char *admin_password_file; /* bcrypt line of the reference system, or NULL */
	const char
		*postmaster_account; /* DSNs are from postmaster@hostname; mail to it goes here */
	const char *host_tlsrpt_localpart, *host_tlsrpt_account; /* or NULL */
	bool no_outgoing_tls_reports, no_outgoing_dmarc_reports;
	bool tls_reports_for_all_success; /* also of days without any failure */
	bool tls_ca_additional;
	const char **tls_ca_files;
	size_t tls_ca_file_count;
	/* Networks that are not public and may be asked by HTTPS (policies, reports, ACME). */
	struct cidr *https_private;
	size_t https_private_count;
	struct config_acme *acme;
	size_t acme_count;
	struct config_listener *listeners;
	size_t listener_count;
	struct config_limits limits;
	struct config_queue queue;
	struct config_resolver resolver;

	/* Set by mox localserve, never by a file. */
	bool localserve; /* any recipient is taken, nothing but loopback is dialled, no rates */
	bool hold;       /* accepted mail waits in the queue */

	const char **warnings; /* one line each, e.g. fields of services we do not have */
	size_t warning_count;
};

/* Reads and checks FILE. All of it or nothing: on failure *out is NULL and err names
 * file, line, field, what is wrong, and the nearest known name for an unknown one. */
int config_load(const char *file, struct config **out, struct err *err) MUST_USE;
/* Same from memory; name is for messages and relative paths. */
int config_parse(struct str text, const char *name, struct config **out, struct err *err) MUST_USE;
/* A snapshot with every default and no listener; for localserve, quickstart and tests.
 * Its strings may be set to memory from config_strdup. */
struct config *config_new(const char *data_dir, const char *hostname);
char *config_strdup(struct config *c, const char *s);
/* Appends a listener with its defaults set. The pointer is good until the next call. */
struct config_listener *config_listener_add(struct config *c, const char *name);
/* The listener of that name, or NULL. */
const struct config_listener *config_listener(const struct config *c, const char *name);

/* The current snapshot, shared by threads. A holder starts with one reference to c. */
struct config_holder;
struct config_holder *config_holder_new(struct config *c);
void config_holder_free(struct config_holder **h);
/* Takes ownership of c; readers of the old one finish with it. */
void config_publish(struct config_holder *h, struct config *c);
/* Thread-safe. Each snapshot must be released. */
const struct config *config_snapshot(struct config_holder *h);
void config_release(const struct config *c);

#endif
