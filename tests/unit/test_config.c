#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/thread.h"
#include "config/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "DataDir: data\nHostname: mail.example.org\n"
#define LISTENER HEAD "Listeners:\n\tpublic:\n\t\tIPs:\n\t\t\t- 127.0.0.1\n"

static int parse(const char *text, struct config **c, struct err *err)
{
	err->kind = ERR_NONE;
	err->text[0] = '\0';
	return config_parse(str_from(text), "/nowhere/mox.conf", c, err);
}

static void reads_a_whole_file(void **state)
{
	static const char text[] =
		"# comment\r\n"
		"DataDir: ../data\n"
		"Hostname: Mail.B\xc3\xbc"
		"cher.example\n"
		"LogLevel: tracedata\n"
		"LogFormat: json\n"
		"Postmaster:\n\tAccount: admin\n\tMailbox: Postmaster\n"
		"ACME:\n\tle:\n\t\tDirectoryURL: https://ca.example/dir\n"
		"\t\tContactEmail: a@example.org\n"
		"Listeners:\n"
		"\tpublic:\n"
		"\t\tIPs:\n\t\t\t- 127.0.0.1\n\t\t\t- ::1\n"
		"\t\tNATIPs:\n\t\t\t- 192.0.2.1\n"
		"\t\tHostname: mx.example.org\n"
		"\t\tTLS:\n\t\t\tACME: le\n\t\t\tMinVersion: TLSv1.0\n"
		"\t\tSMTPMaxMessageSize: 4096\n"
		"\t\tSMTP:\n\t\t\tEnabled: true\n\t\t\tNoRequireTLS: true\n"
		"\t\tSubmission:\n\t\t\tEnabled: true\n\t\t\tPort: 2587\n"
		"\t\tIMAPS:\n\t\t\tEnabled: true\n"
		"\t\tProxyProtocol:\n\t\t\tTrustedFrom:\n\t\t\t\t- 10.0.0.0/8\n"
		"\n"
		"\tinternal:\n"
		"\t\tIPs:\n\t\t\t- 127.0.0.2\n"
		"\t\tAdminHTTP:\n\t\t\tEnabled: true\n\t\t\tPort: 0\n\t\t\tForwarded: true\n"
		"\t\t\tPath: /verwaltung/\n"
		"Limits:\n\tConnectionRate: 0 1 2\n\tUnknownRcptDelay: 250ms\n"
		"\tDeliveryBytesDay: 1 2 30000000000\n"
		"Queue:\n\tRetryFirst: 1m30s\n\tMaxConcurrent: 7\n"
		"Resolver:\n\tTrustAnchorFile: none\n\tForward:\n\t\t- 127.0.0.1@5300\n"
		"\tStubs:\n\t\texample:\n\t\t\t- 127.0.0.1@5301\n\t\t\t- 127.0.0.3\n";
	const struct config_listener *l;
	struct config *c;
	struct err err;

	(void)state;
	if (parse(text, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(c->path, "/nowhere/mox.conf");
	assert_string_equal(c->data_dir, "/nowhere/../data");
	assert_string_equal(c->hostname, "mail.xn--bcher-kva.example");
	assert_string_equal(c->user, "mox");
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->log_format, LOG_FORMAT_JSON);
	assert_string_equal(c->postmaster_account, "admin");
	assert_int_equal(c->acme_count, 1);
	assert_string_equal(c->acme[0].name, "le");
	assert_int_equal(c->acme[0].port, 443);
	assert_int_equal(c->acme[0].renew_before_s, 30 * 86400);

	assert_int_equal(c->listener_count, 2);
	l = config_listener(c, "public");
	assert_non_null(l);
	assert_int_equal(l->ip_count, 2);
	assert_int_equal(l->nat_ip_count, 1);
	assert_string_equal(l->hostname, "mx.example.org");
	assert_true(l->tls);
	assert_string_equal(l->tls_acme, "le");
	assert_string_equal(l->tls_min_version, "TLSv1.2");
	assert_int_equal(l->smtp_max_message_size, 4096);
	assert_true(l->smtp.enabled);
	assert_int_equal(l->smtp.port, 25);
	assert_true(l->smtp_no_requiretls);
	assert_int_equal(l->submission.port, 2587);
	assert_int_equal(l->proxy_from_count, 1);
	assert_int_equal(l->proxy_from[0].bits, 8);
	l = config_listener(c, "internal");
	assert_string_equal(l->hostname, c->hostname);
	assert_int_equal(l->admin_http.port, 80);
	assert_string_equal(l->admin_http_path, "/verwaltung/");
	assert_true(l->forwarded);
	assert_false(l->tls);
	assert_null(config_listener(c, "third"));

	assert_int_equal(c->limits.connection_rate[0], 0);
	assert_int_equal(c->limits.connection_rate[2], 2);
	assert_int_equal(c->limits.unknown_rcpt_delay_ms, 250);
	assert_int_equal(c->limits.delivery_bytes_day[2], 30000000000);
	assert_int_equal(c->limits.recipients_max, 100);
	assert_int_equal(c->queue.retry_first_s, 90);
	assert_int_equal(c->queue.max_concurrent_per_domain, 7);
	assert_string_equal(c->resolver.trust_anchor_file, "none");
	assert_string_equal(c->resolver.forward[0], "127.0.0.1@5300");
	assert_int_equal(c->resolver.stub_count, 2);
	assert_string_equal(c->resolver.stub_zones[1], "example");
	assert_string_equal(c->resolver.stub_addrs[1], "127.0.0.3");

	assert_int_equal(c->warning_count, 3);
	assert_string_equal(c->warnings[0], "/nowhere/mox.conf:8: Mailbox has no effect: mail goes "
					    "to the inbox of the account");
	assert_non_null(strstr(c->warnings[2], "IMAPS"));
	config_release(c);
}

/* What the quickstart of the reference system writes, in short. */
static void reference_file_loads(void **state)
{
	static const char text[] =
		"DataDir: ../data\nUser: mox\nLogLevel: trace\nPackageLogLevels:\n\tx: info\n"
		"Hostname: mail.example.org\nCheckUpdates: true\n"
		"ACME:\n\tle:\n\t\tDirectoryURL: https://ca.example/directory\n"
		"\t\tContactEmail: me@example.org\n\t\tIssuerDomainName: ca.example\n"
		"Listeners:\n"
		"\tpublic:\n\t\tIPs:\n\t\t\t- 192.0.2.1\n\t\t\t- 2001:db8::1\n"
		"\t\tTLS:\n\t\t\tACME: le\n\t\t\tClientAuthDisabled: false\n"
		"\t\tSMTP:\n\t\t\tEnabled: true\n\t\t\tDNSBLs:\n\t\t\t\t- bl.example\n"
		"\t\t\tFirstTimeSenderDelay: 15s\n"
		"\t\tSubmissions:\n\t\t\tEnabled: true\n\t\tIMAPS:\n\t\t\tEnabled: true\n"
		"\t\tAutoconfigHTTPS:\n\t\t\tEnabled: true\n"
		"\t\tMTASTSHTTPS:\n\t\t\tEnabled: true\n"
		"\t\tWebserverHTTP:\n\t\t\tEnabled: true\n"
		"\tinternal:\n\t\tIPs:\n\t\t\t- 127.0.0.1\n\t\t\t- ::1\n"
		"\t\tHostname: localhost\n\t\tAccountHTTP:\n\t\t\tEnabled: true\n"
		"\t\tAdminHTTP:\n\t\t\tEnabled: true\n\t\tMetricsHTTP:\n\t\t\tEnabled: true\n"
		"Postmaster:\n\tAccount: me\n\tMailbox: Postmaster\n"
		"HostTLSRPT:\n\tAccount: me\n\tMailbox: TLSRPT\n\tLocalpart: tls-reports\n"
		"InitialMailboxes:\n\tSpecialUse:\n\t\tSent: Sent\n\tRegular:\n\t\t- Lists\n"
		"Transports:\n\tx:\n\t\tSMTP:\n\t\t\tHost: a.example\n";
	struct config *c;
	struct err err;

	(void)state;
	if (parse(text, &c, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < c->warning_count; i++)
		print_message("%s\n", c->warnings[i]);
	assert_int_equal(c->warning_count, 13);
	assert_int_equal(c->listeners[0].dnsbl_count, 1);
	assert_string_equal(c->listeners[0].dnsbls[0], "bl.example");
	assert_string_equal(c->warnings[0], "/nowhere/mox.conf:4: PackageLogLevels has no effect: "
					    "there is one level, LogLevel");
	assert_string_equal(c->host_tlsrpt_localpart, "tls-reports");
	config_release(c);
}

static const struct {
	const char *text, *error; /* after the file name */
} bad[] = {
	{"", ":1: required field DataDir is missing"},
	{"DataDir: x\n", ":1: required field Hostname is missing"},
	{"DataDir: x\nHostname:\n", ":2: Hostname has no value"},
	{"DataDir: x\nHostnme: y\n", ":2: unknown field \"Hostnme\", did you mean \"Hostname\"?"},
	{"hostname: y\n", ":1: unknown field \"hostname\", did you mean \"Hostname\"?"},
	{"Quux: y\n", ":1: unknown field \"Quux\""},
	{HEAD "Hostname: b\n", ":3: \"Hostname\" is set already in line 2"},
	{HEAD "User:x\n", ":3: no space after \"User:\""},
	{HEAD "  User: x\n", ":3: indented with spaces; nesting is by tabs"},
	{HEAD "\tUser: x\n", ":3: nested below line 2, which has a value already"},
	{HEAD "\t\tUser: x\n", ":3: too many tabs: 2, at most 1 here"},
	{HEAD "User\n", ":3: neither \"Key: value\" nor \"- item\": \"User\""},
	{HEAD ": x\n", ":3: nothing before the \":\""},
	{HEAD "TLS: x\n", ":3: \"TLS\" is a section: write its fields below it, one tab deeper"},
	{HEAD "LogLevel: loud\n", ":3: LogLevel: \"loud\" is not one of error, warn, info, debug"},
	{HEAD "LogFormat: xml\n", ":3: LogFormat: \"xml\" is not logfmt or json"},
	{HEAD "NoOutgoingTLSReports: yes\n",
		":3: NoOutgoingTLSReports: \"yes\" is not true or false"},
	{"DataDir: x\nHostname: a_b.example\n",
		":2: Hostname: \"a_b.example\" is not a host name: \"_\" cannot be in it; letters, "
		"digits, \"-\" and \".\" can"},
	{"DataDir: x\nHostname: 192.0.2.1\n",
		":2: Hostname: \"192.0.2.1\" is not a host name: its last label is a number, as in "
		"an IP address"},
	{"DataDir: x\nHostname: a.example.\n", ":2: Hostname: \"a.example.\" is not a host name: "
					       "it has an empty label or a dot at "
					       "its end"},
	{HEAD "Queue:\n\tMaxAttempts: 0\n", ":4: MaxAttempts: \"0\" is not a number from 1 to 100"},
	{HEAD "Queue:\n\tMaxAttempts: -1\n",
		":4: MaxAttempts: \"-1\" is not a number from 1 to 100"},
	{HEAD "Queue:\n\tRetryFirst: 10\n", ":4: RetryFirst: \"10\" is not a duration, as 500ms, "
					    "15s, 1h30m, 24h or 30d"},
	{HEAD "Queue:\n\tRetryFirst: 2d\n",
		":4: RetryFirst: \"2d\" is not from 1 to 86400 seconds"},
	{HEAD "Limits:\n\tConnectionRate: 1 2\n",
		":4: ConnectionRate: \"1 2\" is not three numbers, as \"300 900 2700\": for an "
		"address, its neighbours, its wider network"},
	{HEAD "Limits:\n\tConnectionRate: 1 2 x\n",
		":4: ConnectionRate: \"x\" is not a number from 0 to 4294967295"},
	{HEAD "Resolver:\n\tForward:\n\t\t- dns.example\n",
		":5: Forward: \"dns.example\" is not a name server, as 192.0.2.1 or "
		"192.0.2.1@5300"},
	{HEAD "Resolver:\n\tForward: 127.0.0.1\n",
		":4: Forward is a list: write its items below it, each after \"- \""},
	{HEAD "TLS:\n\tCA:\n\t\tCertFiles:\n\t\t\t- none.pem\n",
		":6: CertFiles: cannot read /nowhere/none.pem: No such file or directory"},
	{HEAD "Listeners:\n\tpublic:\n\t\tSMTP:\n\t\t\tEnabled: true\n",
		":4: required field IPs is missing in \"public\""},
	{HEAD "Listeners:\n\tpublic:\n\t\tIPs:\n\t\t\t- 127.0.0.256\n",
		":6: IPs: \"127.0.0.256\" is not an IP address"},
	{LISTENER "\t\tSMTP:\n\t\t\tPort: 65536\n",
		":8: Port: \"65536\" is not a number from 0 to 65535"},
	{LISTENER "\t\tAdminHTTP:\n\t\t\tPath: admin\n",
		":8: Path: \"admin\" is not a path that begins and ends with \"/\", as /admin/"},
	{LISTENER "\t\tProxyProtocol:\n\t\t\tTrustedFrom:\n\t\t\t\t- 10.0.0.x/8\n",
		":9: TrustedFrom: "},
	{LISTENER "\t\tTLS:\n\t\t\tACME: le\n\t\t\tKeyCerts:\n\t\t\t\t-\n"
		  "\t\t\t\t\tCertFile: /dev/null\n\t\t\t\t\tKeyFile: /dev/null\n",
		":4: listener public: TLS: ACME and KeyCerts exclude each other"},
	{LISTENER "\t\tTLS:\n\t\t\tACME: le\n",
		":4: listener public: TLS: ACME names a provider that the section ACME does not "
		"have"},
	{LISTENER "\t\tTLS:\n\t\t\tMinVersion: TLSv1.2\n",
		":4: listener public: TLS: give ACME or KeyCerts"},
	{LISTENER "\t\tTLS:\n\t\t\tKeyCerts:\n\t\t\t\t-\n\t\t\t\t\tCertFile: /dev/null\n",
		":9: required field KeyFile is missing"},
	{LISTENER "\t\tTLS:\n\t\t\tHostPrivateKeyFiles:\n\t\t\t\t- host.key\n",
		":9: HostPrivateKeyFiles: cannot read /nowhere/host.key: No such file or "
		"directory"},
	{LISTENER "\t\tSubmissions:\n\t\t\tEnabled: true\n",
		":4: listener public: Submissions needs a TLS section"},
	{LISTENER "\t\tSMTP:\n\t\t\tEnabled: true\n\t\t\tRequireSTARTTLS: true\n",
		":4: listener public: SMTP: RequireSTARTTLS needs a TLS section"},
	{LISTENER "\t\tSMTP:\n\t\t\tEnabled: true\n\t\tMetricsHTTP:\n\t\t\tEnabled: true\n"
		  "\t\t\tPort: 25\n",
		":4: listener public: MetricsHTTP on 127.0.0.1 port 25: listener public has SMTP "
		"there already"},
	{LISTENER "\t\tSMTP:\n\t\t\tEnabled: true\n\tother:\n\t\tIPs:\n\t\t\t- 0.0.0.0\n"
		  "\t\tSMTP:\n\t\t\tEnabled: true\n",
		":9: listener other: SMTP on 0.0.0.0 port 25: listener public has SMTP there "
		"already"},
	{HEAD "User: a\x01\n", ":3: control character 0x01 in the line"},
	{HEAD "User: a\xff\n", ":3: line is not valid UTF-8"},
	{"- x\n", ":1: a list at the top level"},
	{HEAD "Listeners:\n\t- x\n\ta: b\n",
		":5: list items and \"Key: value\" mixed at one level"},
};

static void refuses_with_line_and_reason(void **state)
{
	char expected[512];
	struct config *c;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("case %zu: %s\n", i, bad[i].error);
		assert_int_equal(parse(bad[i].text, &c, &err), -1);
		assert_null(c);
		assert_int_equal(err.kind, ERR_PERM);
		(void)snprintf(expected, sizeof(expected), "/nowhere/mox.conf%s", bad[i].error);
		if (expected[strlen(expected) - 1] == ' ') /* the rest is another module's */
			assert_true(str_starts(str_from(err.text), str_from(expected)));
		else
			assert_string_equal(err.text, expected);
	}
}

static void caps_hold(void **state)
{
	struct buf b = {0};
	struct config *c;
	struct err err;

	(void)state;
	buf_text(&b, HEAD "User: ");
	while (b.len < SCONF_LINE_MAX + sizeof(HEAD))
		buf_byte(&b, 'x');
	assert_int_equal(parse(b.p, &c, &err), -1);
	assert_string_equal(err.text, "/nowhere/mox.conf:3: line is over 8192 octets");

	buf_clear(&b);
	for (size_t depth = 0; depth <= SCONF_DEPTH_MAX; depth++) {
		for (size_t i = 0; i < depth; i++)
			buf_byte(&b, '\t');
		buf_text(&b, "a:\n");
	}
	assert_int_equal(parse(b.p, &c, &err), -1);
	assert_string_equal(err.text, "/nowhere/mox.conf:17: nested over 16 levels deep");

	buf_clear(&b);
	while (b.len <= SCONF_SIZE_MAX)
		buf_text(
			&b, "# a comment that makes the file long, but does nothing else at all\n");
	assert_int_equal(parse(b.p, &c, &err), -1);
	assert_string_equal(err.text, "/nowhere/mox.conf: over 16777216 octets");
	buf_free(&b);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{"0", 0},
		{"15s", 15000},
		{"24h", 86400000},
		{"30d", INT64_C(2592000000)},
		{"1h30m", 5400000},
		{"500ms", 500},
		{"1w", 604800000},
		{"", -1},
		{"15", -1},
		{"s", -1},
		{"-5s", -1},
		{"5 s", -1},
		{"1y", -1},
		{"99999999999999999999s", -1},
		{"99999999w", -1},
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok = config_duration_parse(str_from(cases[i].text), &ms);

		print_message("%s\n", cases[i].text);
		assert_int_equal(ok, cases[i].ms >= 0);
		if (ok)
			assert_int_equal(ms, cases[i].ms);
	}
}

static void loads_files(void **state)
{
	char dir[] = "/tmp/mox-config-XXXXXX", file[64], key[64];
	struct config *c;
	struct err err;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/mox.conf", dir);
	(void)snprintf(key, sizeof(key), "%s/k.pem", dir);
	assert_int_equal(config_load(file, &c, &err), -1);
	assert_non_null(strstr(err.text, "mox.conf: No such file or directory"));
	assert_int_equal(config_load(dir, &c, &err), -1);
	assert_non_null(strstr(err.text, "not a regular file"));

	f = fopen(file, "w");
	assert_non_null(f);
	assert_true(fputs(LISTENER "\t\tTLS:\n\t\t\tKeyCerts:\n\t\t\t\t-\n"
				   "\t\t\t\t\tCertFile: k.pem\n\t\t\t\t\tKeyFile: k.pem\n",
			    f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(config_load(file, &c, &err), -1);
	assert_non_null(strstr(err.text, "k.pem: No such file or directory"));
	f = fopen(key, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	if (config_load(file, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(c->listeners[0].keycerts[0].key_file, key);
	config_release(c);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void file_must_name(const char *text, const struct config_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct config_field *f = &section->fields[i];
		char name[64];

		(void)snprintf(
			name, sizeof(name), "%s%s", f->name, f->type == CONFIG_UNUSED ? "" : ":");
		if (strstr(text, name) == NULL)
			fail_msg("%s is not described", f->name);
		if (f->section != NULL)
			file_must_name(text, f->section);
	}
}

static struct str read_from_tree(struct arena *a, const char *name)
{
	struct str text;
	struct err err;

	if (sconf_file_read(a, name, &text, &err) < 0)
		fail_msg("%s (unit tests run in the top folder)", err.text);
	return text;
}

static void example_loads_and_names_every_field(void **state)
{
	struct arena *a = arena_open();
	struct str text = read_from_tree(a, "mox.conf.example");
	struct config *c, *plain = config_new("x", "mail.example.org");
	struct err err;

	(void)state;
	if (config_parse(text, "mox.conf.example", &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c->warning_count, 0);
	/* It says that it shows the defaults. */
	assert_memory_equal(&c->limits, &plain->limits, sizeof(c->limits));
	assert_memory_equal(&c->queue, &plain->queue, sizeof(c->queue));
	file_must_name(text.p, &config_root_section);
	config_release(c);
	config_release(plain);
	arena_close(&a);
}

static void man_page_names_every_field(void **state)
{
	struct arena *a = arena_open();

	(void)state;
	file_must_name(read_from_tree(a, "server/config/mox.conf.5").p, &config_root_section);
	arena_close(&a);
}

/* The commented lines are right too: without their "#" before a field the file loads up to
 * the files that it names. */
static void example_comments_are_fields(void **state)
{
	struct arena *a = arena_open();
	struct str text = read_from_tree(a, "mox.conf.example"), line;
	struct sconf_node *root;
	struct buf b = {0};
	struct err err;

	(void)state;
	while (str_next(&text, '\n', &line)) {
		size_t tabs = 0;

		while (tabs < line.len && line.p[tabs] == '\t')
			tabs++;
		if (tabs + 1 < line.len && line.p[tabs] == '#' && line.p[tabs + 1] != ' ') {
			buf_raw(&b, (struct str){line.p, tabs});
			line = str_skip(line, tabs + 1);
		}
		buf_raw(&b, line);
		buf_byte(&b, '\n');
	}
	if (sconf_parse(a, buf_str(&b), "example", &root, &err) < 0)
		fail_msg("%s", err.text);
	buf_free(&b);
	arena_close(&a);
}

static void defaults_of_new(void **state)
{
	struct config *c = config_new("/d", "h.example");
	struct config_listener *l;

	(void)state;
	for (int i = 0; i < 10; i++)
		l = config_listener_add(c, "x");
	assert_int_equal(c->listener_count, 10);
	assert_ptr_equal(l, &c->listeners[9]);
	assert_string_equal(l->hostname, "h.example");
	assert_int_equal(l->submissions.port, 465);
	assert_string_equal(l->admin_https_path, "/admin/");
	assert_string_equal(c->user, "");
	assert_int_equal(c->queue.max_attempts, 8);
	assert_int_equal(c->limits.connection_rate[1], 900);
	config_release(c);
}

static void *reader(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		const struct config *c = config_snapshot(arg);

		if (strcmp(c->data_dir, c->hostname) != 0)
			return arg;
		config_release(c);
	}
	return NULL;
}

static void snapshots_are_shared_by_threads(void **state)
{
	struct config_holder *h = config_holder_new(config_new("n0", "n0"));
	const struct config *kept = config_snapshot(h);
	pthread_t threads[3];
	struct err err;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(thread_spawn(&threads[i], "reader", reader, h, &err), 0);
	for (int i = 1; i < 500; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		config_publish(h, config_new(name, name));
	}
	for (size_t i = 0; i < 3; i++) {
		void *result = h;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_string_equal(kept->hostname, "n0");
	config_release(kept);
	config_holder_free(&h);
	assert_null(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_whole_file),
		cmocka_unit_test(reference_file_loads),
		cmocka_unit_test(refuses_with_line_and_reason),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(durations),
		cmocka_unit_test(loads_files),
		cmocka_unit_test(example_loads_and_names_every_field),
		cmocka_unit_test(man_page_names_every_field),
		cmocka_unit_test(example_comments_are_fields),
		cmocka_unit_test(defaults_of_new),
		cmocka_unit_test(snapshots_are_shared_by_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
