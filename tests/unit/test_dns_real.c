#include "tests/unit/unit.h"

#include "base/metric.h"
#include "dns/ask.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The real resolver against NSD with zones signed by ldns-signzone, on loopback:
 * secure.moxtest is signed; forged.moxtest is too, but its signatures ran out; plain.moxtest
 * is not signed; dead.moxtest is served by a socket that never answers. */

static char dir[64];
static unsigned port;
static pid_t nsd;
static int dead_fd;
static unsigned dead_port;

static void sh(const char *command)
{
	char text[2000];

	snprintf(text, sizeof(text), "cd %s && { %s; } >>log 2>&1", dir, command);
	if (system(text) != 0) {
		snprintf(text, sizeof(text), "cat %s/log", dir);
		(void)!system(text);
		fail_msg("failed: %s", command);
	}
}

static void file_write(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void zone_write(const char *zone, const char *records)
{
	char text[4000], name[100];

	snprintf(text, sizeof(text),
		"$ORIGIN %s.\n$TTL 300\n@ SOA ns.%s. hostmaster.%s. 1 3600 600 86400 60\n"
		"@ NS ns\nns A 127.0.0.1\n%s",
		zone, zone, zone, records);
	snprintf(name, sizeof(name), "%s.zone", zone);
	file_write(name, text);
}

static int socket_bound(int type, unsigned *got)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((uint16_t)*got);
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
		close(fd);
		return -1;
	}
	*got = ntohs(sa.sin_port);
	return fd;
}

static bool nsd_answers(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((uint16_t)port);
	bool ok = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	close(fd);
	return ok;
}

static const char *const zones[] = {
	"secure.moxtest", "forged.moxtest", "plain.moxtest", "10.in-addr.arpa", "corp.test"};

static void nsd_start(void)
{
	char conf[3000], path[128];
	int udp = socket_bound(SOCK_DGRAM, &port);
	size_t at = (size_t)snprintf(conf, sizeof(conf),
		"server:\n ip-address: 127.0.0.1\n port: %u\n username: \"\"\n chroot: \"\"\n"
		" zonesdir: \"%s\"\n database: \"\"\n pidfile: \"\"\n xfrdfile: \"%s/xfrd\"\n"
		" zonelistfile: \"%s/list\"\n logfile: \"%s/nsd.log\"\n server-count: 1\n"
		"remote-control:\n control-enable: no\n",
		port, dir, dir, dir, dir);

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		at += (size_t)snprintf(conf + at, sizeof(conf) - at,
			"zone:\n name: %s\n zonefile: %s.zone%s\n", zones[i], zones[i],
			i < 2 ? ".signed" : "");
	file_write("nsd.conf", conf);
	snprintf(path, sizeof(path), "%s/nsd.conf", dir);
	close(udp);
	nsd = fork();
	if (nsd == 0) {
		execl("/usr/sbin/nsd", "nsd", "-d", "-c", path, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 200 && !nsd_answers(); i++)
		usleep(25000);
	assert_true(nsd_answers());
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-dns-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	zone_write("secure.moxtest",
		"@ MX 20 backup\n@ MX 10 mx\n@ TXT \"v=spf1 \" \"-all\"\nmx A 192.0.2.1\n"
		"mx AAAA 2001:db8::1\nwww CNAME mx\nout CNAME mx.plain.moxtest.\n"
		"_smtp._tcp SRV 0 5 25 mx\n@ CAA 0 issue \"ca.example\"\n"
		"odd\\032n:me/\\200 A 192.0.2.9\n"
		"dangling CNAME nowhere\n_25._tcp.mx TLSA 3 1 1 "
		"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11\n");
	zone_write("forged.moxtest", "@ MX 10 mx\nmx A 192.0.2.2\n");
	zone_write("plain.moxtest", "@ MX 10 mx\nmx A 192.0.2.3\nback CNAME mx.secure.moxtest.\n");
	zone_write("10.in-addr.arpa", "4.3.2 PTR host.plain.moxtest.\n");
	zone_write("corp.test", "mx A 10.2.3.4\n");
	sh("for z in secure forged; do k=$(ldns-keygen -a ECDSAP256SHA256 -k $z.moxtest) && "
	   "cat $k.ds >> anchors && mv $k.key $z.key && mv $k.private $z.private; done");
	sh("ldns-signzone secure.moxtest.zone secure");
	sh("ldns-signzone -i 20200101 -e 20200201 forged.moxtest.zone forged");
	nsd_start();
	dead_fd = socket_bound(SOCK_DGRAM, &dead_port);
	return dead_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char cmd[100];

	(void)state;
	if (nsd > 0) {
		kill(nsd, SIGTERM);
		waitpid(nsd, NULL, 0);
	}
	close(dead_fd);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) == 0 ? 0 : -1;
}

static struct dns *resolver_make(const char *anchors)
{
	enum { STUBS = sizeof(zones) / sizeof(zones[0]) + 1 };
	const char *stub_zones[STUBS], *addrs[STUBS];
	char live[40], dead[40], file[128];
	struct dns *d;
	struct err err = {.text = ""};

	snprintf(live, sizeof(live), "127.0.0.1@%u", port);
	snprintf(dead, sizeof(dead), "127.0.0.1@%u", dead_port);
	for (size_t i = 0; i < STUBS; i++) {
		stub_zones[i] = i + 1 < STUBS ? zones[i] : "dead.moxtest";
		addrs[i] = i + 1 < STUBS ? live : dead;
	}
	snprintf(file, sizeof(file), "%s/%s", dir, anchors);
	struct dns_options opt = {.trust_anchor_file = strcmp(anchors, "none") == 0 ? "none" : file,
		.stub_zones = stub_zones,
		.stub_addrs = addrs,
		.stub_count = STUBS};
	if (dns_open(&opt, &d, &err) < 0)
		fail_msg("%s", err.text);
	return d;
}

static const struct {
	enum dns_type type;
	const char *name;
	enum dns_status status;
	size_t count;
	bool secure;
	const char *canonical;
} cases[] = {
	{DNS_MX, "secure.moxtest", DNS_OK, 2, true, "secure.moxtest"},
	{DNS_MX, "Secure.MoxTest", DNS_OK, 2, true, "secure.moxtest"},
	{DNS_TXT, "secure.moxtest", DNS_OK, 1, true, NULL},
	{DNS_A, "www.secure.moxtest", DNS_OK, 1, true, "mx.secure.moxtest"},
	{DNS_CNAME, "www.secure.moxtest", DNS_OK, 1, true, "www.secure.moxtest"},
	{DNS_A, "out.secure.moxtest", DNS_OK, 1, false, "mx.plain.moxtest"},
	{DNS_A, "back.plain.moxtest", DNS_OK, 1, false, "mx.secure.moxtest"},
	{DNS_TLSA, "_25._tcp.mx.secure.moxtest", DNS_OK, 1, true, NULL},
	{DNS_A, "nowhere.secure.moxtest", DNS_NXDOMAIN, 0, true, NULL},
	{DNS_A, "dangling.secure.moxtest", DNS_NXDOMAIN, 0, true, "nowhere.secure.moxtest"},
	{DNS_MX, "mx.secure.moxtest", DNS_NODATA, 0, true, NULL},
	{DNS_MX, "forged.moxtest", DNS_BOGUS, 0, false, NULL},
	{DNS_A, "nowhere.forged.moxtest", DNS_BOGUS, 0, false, NULL},
	{DNS_MX, "plain.moxtest", DNS_OK, 1, false, NULL},
	{DNS_A, "nowhere.plain.moxtest", DNS_NXDOMAIN, 0, false, NULL},
	{DNS_PTR, "4.3.2.10.in-addr.arpa", DNS_OK, 1, false, NULL}, /* RFC 6303, ours by stub */
	{DNS_A, "mx.corp.test", DNS_OK, 1, false, NULL},            /* RFC 6761, too */
};

static void answers_with_validation(void **state)
{
	struct arena *a = arena_open();
	struct dns *d = resolver_make("anchors");
	struct dns_answer r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(dns_lookup(d, cases[i].type, cases[i].name, deadline_in_ms(5000),
					 a, &r, &err),
			0);
		print_message("case %zu: %s: %s %.*s\n", i, cases[i].name,
			dns_status_text(r.status), STR_FMT(r.reason));
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.count, cases[i].count);
		assert_int_equal(r.secure, cases[i].secure);
		assert_int_equal(r.reason.len > 0, dns_status_is_temporary(r.status));
		if (cases[i].canonical != NULL)
			assert_true(str_eq(r.canonical, str_from(cases[i].canonical)));
	}
	assert_int_equal(
		dns_lookup(d, DNS_MX, "secure.moxtest", deadline_in_ms(5000), a, &r, &err), 0);
	assert_true(str_eq(r.records[0].name, STR("mx.secure.moxtest")));
	assert_int_equal(r.records[1].pref, 20);
	assert_true(r.ttl_s > 0 && r.ttl_s <= 300);
	assert_int_equal(
		dns_lookup(d, DNS_TXT, "secure.moxtest", deadline_in_ms(5000), a, &r, &err), 0);
	assert_true(str_eq(r.records[0].data, STR("v=spf1 -all")));
	assert_int_equal(dns_addr(d, "www.secure.moxtest", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.count, 2);
	assert_true(r.secure);
	assert_int_equal(r.records[0].ip.len, 4);
	/* MX of a forged zone: the reason is in words. */
	assert_int_equal(
		dns_lookup(d, DNS_MX, "forged.moxtest", deadline_in_ms(5000), a, &r, &err), 0);
	assert_non_null(str_find(r.reason, STR("forged.moxtest")));
	assert_int_equal(r.ede, 7); /* RFC 8914: signature expired */
	assert_int_equal(
		dns_lookup(d, DNS_A, "mx.secure.moxtest", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.ede, DNS_EDE_UNKNOWN);
	dns_close(&d);
	arena_close(&a);
}

/* Several at once, of every type, odd octets in names among them. */
static void many_at_once(void **state)
{
	static const struct dns_request requests[] = {{DNS_NS, "secure.moxtest"},
		{DNS_SRV, "_smtp._tcp.secure.moxtest"}, {DNS_CAA, "secure.moxtest"},
		{DNS_A, "odd\\032n:me/\\200.secure.moxtest"}, {DNS_A, "nowhere.secure.moxtest"},
		{DNS_A, "mx.dead.moxtest"}};
	struct dns_answer r[6];
	struct arena *a = arena_open();
	struct dns *d = resolver_make("anchors");
	struct err err;

	(void)state;
	int64_t begin = clock_mono_ms();
	assert_int_equal(dns_lookup_many(d, requests, 6, deadline_in_ms(1500), a, r, &err), 0);
	for (size_t i = 0; i < 6; i++)
		print_message("%s: %s\n", requests[i].name, dns_status_text(r[i].status));
	assert_true(str_eq(r[0].records[0].name, STR("ns.secure.moxtest")));
	assert_int_equal(r[1].records[0].port, 25);
	assert_true(str_eq(r[2].records[0].tag, STR("issue")));
	for (size_t i = 0; i < 4; i++)
		assert_true(r[i].status == DNS_OK && r[i].count == 1 && r[i].secure);
	assert_int_equal(r[4].status, DNS_NXDOMAIN);
	assert_int_equal(r[5].status, DNS_TIMEOUT);
	assert_in_range(clock_mono_ms() - begin, 1400, 2500);
	dns_close(&d);
	arena_close(&a);
}

/* What was asked once is known until its TTL ends, with its DNSSEC state; what failed is not. */
static void asked_once(void **state)
{
	static const struct {
		enum dns_type type;
		const char *name;
		enum dns_status status;
		bool secure;
		int64_t ttl_s; /* 0: asked anew each time */
	} rows[] = {{DNS_MX, "secure.moxtest", DNS_OK, true, 300},
		{DNS_A, "www.secure.moxtest", DNS_OK, true, 300},
		{DNS_A, "nowhere.secure.moxtest", DNS_NXDOMAIN, true, 60},
		{DNS_TXT, "mx.secure.moxtest", DNS_NODATA, true, 60},
		{DNS_MX, "plain.moxtest", DNS_OK, false, 300},
		{DNS_A, "nowhere.plain.moxtest", DNS_NXDOMAIN, false, 60},
		{DNS_MX, "forged.moxtest", DNS_BOGUS, false, 0},
		{DNS_A, "mx.dead.moxtest", DNS_TIMEOUT, false, 0}};
	struct arena *a = arena_open();
	struct dns *d = resolver_make("anchors");
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool unknown = false;
		struct dns_asker ask = {.dns = d, .deadline = deadline_in_ms(800)};
		struct dns_asker recall = {.dns = d, .unknown = &unknown};
		struct dns_answer first, second;
		print_message("%s %s\n", dns_type_text(rows[i].type), rows[i].name);
		/* Nothing is asked for what is not in memory. */
		assert_int_equal(dns_ask(&recall, rows[i].type, rows[i].name, a, &first, &err), 0);
		assert_true(unknown && first.status == DNS_FAILED);
		assert_int_equal(dns_ask(&ask, rows[i].type, rows[i].name, a, &first, &err), 0);
		assert_int_equal(first.status, rows[i].status);
		int64_t hits = metric_value(METRIC_DNS_CACHE, METRIC_CACHE_HIT, 0);
		unknown = false;
		assert_int_equal(dns_ask(&recall, rows[i].type, rows[i].name, a, &second, &err), 0);
		assert_int_equal(unknown, rows[i].ttl_s == 0);
		assert_int_equal(metric_value(METRIC_DNS_CACHE, METRIC_CACHE_HIT, 0) - hits,
			rows[i].ttl_s == 0 ? 0 : 1);
		if (rows[i].ttl_s == 0)
			continue;
		assert_int_equal(second.status, rows[i].status);
		assert_int_equal(second.secure, rows[i].secure);
		assert_int_equal(second.count, first.count);
		assert_in_range(second.ttl_s, rows[i].ttl_s - 2, rows[i].ttl_s);
		assert_true(str_eq(second.canonical, first.canonical));
	}
	dns_close(&d);
	arena_close(&a);
}

static void no_validation(void **state)
{
	struct arena *a = arena_open();
	struct dns *d = resolver_make("none");
	struct dns_answer r;
	struct err err;
	static const char *const names[] = {"secure.moxtest", "forged.moxtest", "plain.moxtest"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			dns_lookup(d, DNS_MX, names[i], deadline_in_ms(5000), a, &r, &err), 0);
		assert_int_equal(r.status, DNS_OK);
		assert_false(r.secure);
	}
	dns_close(&d);
	arena_close(&a);
}

static void forwards_are_asked(void **state)
{
	struct arena *a = arena_open();
	char live[40], file[128];
	const char *forward = live;
	struct dns_options opt = {
		.trust_anchor_file = file, .forward = &forward, .forward_count = 1};
	struct dns *d;
	struct dns_answer r;
	struct err err;

	(void)state;
	snprintf(live, sizeof(live), "127.0.0.1@%u", port);
	snprintf(file, sizeof(file), "%s/anchors", dir);
	assert_int_equal(dns_open(&opt, &d, &err), 0);
	assert_int_equal(
		dns_lookup(d, DNS_MX, "secure.moxtest", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.status, DNS_OK);
	assert_true(r.secure);
	struct ip ip;
	assert_true(ip_parse(STR("10.2.3.4"), &ip));
	assert_int_equal(dns_ptr(d, &ip, deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.status, DNS_OK);
	/* NSD refuses what it does not serve. */
	assert_int_equal(
		dns_lookup(d, DNS_A, "other.example", deadline_in_ms(5000), a, &r, &err), 0);
	assert_int_equal(r.status, DNS_FAILED);
	assert_true(r.reason.len > 0);
	dns_close(&d);
	arena_close(&a);
}

static void *dead_ask(void *arg)
{
	struct arena *a = arena_open();
	struct dns_answer r;
	struct err err;
	int64_t start = clock_mono_ms();

	assert_int_equal(dns_addr(arg, "mx.dead.moxtest", deadline_in_ms(300), a, &r, &err), 0);
	assert_int_equal(r.status, DNS_TIMEOUT);
	assert_true(clock_mono_ms() - start < 500);
	arena_close(&a);
	return NULL;
}

static void *live_ask(void *arg)
{
	struct arena *a = arena_open();
	struct dns_answer r;
	struct err err;

	for (int i = 0; i < 50; i++) {
		char name[60];
		snprintf(name, sizeof(name), "x%d.plain.moxtest", i);
		/* Some end at once, in the middle of their answer. */
		int64_t ms = i % 5 == 0 ? i % 3 : 5000;
		assert_int_equal(dns_lookup(arg, DNS_A, name, deadline_in_ms(ms), a, &r, &err), 0);
		assert_true(r.status == DNS_NXDOMAIN || (r.status == DNS_TIMEOUT && ms < 5000));
	}
	arena_close(&a);
	return NULL;
}

static void deadlines_hold_and_threads_share(void **state)
{
	struct dns *d = resolver_make("anchors");
	pthread_t threads[12];

	(void)state;
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, i < 6 ? dead_ask : live_ask, d), 0);
	for (size_t i = 0; i < 12; i++)
		pthread_join(threads[i], NULL);
	dns_close(&d);
}

static void bad_settings(void **state)
{
	static const struct {
		const char *anchor, *forward, *zone, *addr, *words;
	} bad[] = {
		{"/nonexistent/key", NULL, NULL, NULL, "/nonexistent/key: No such file"},
		{"none", "ns.example.org", NULL, NULL, "ns.example.org: not an IP"},
		{"none", "127.0.0.1@0", NULL, NULL, "127.0.0.1@0: bad port"},
		{"none", NULL, "a..b", "127.0.0.1", "Stubs"},
		{"none", NULL, "a.example", "nowhere", "nowhere: not an IP"},
		{"junk", NULL, NULL, NULL, "no usable anchor"},
	};
	char junk[128];

	(void)state;
	file_write("junk", "this is not an anchor\n");
	snprintf(junk, sizeof(junk), "%s/junk", dir);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct dns_options opt = {.trust_anchor_file = strcmp(bad[i].anchor, "junk") == 0
								       ? junk
								       : bad[i].anchor,
			.forward = &bad[i].forward,
			.forward_count = bad[i].forward ? 1 : 0,
			.stub_zones = &bad[i].zone,
			.stub_addrs = &bad[i].addr,
			.stub_count = bad[i].zone ? 1 : 0};
		struct dns *d;
		struct err err = {.text = ""};
		print_message("case %zu\n", i);
		assert_int_equal(dns_open(&opt, &d, &err), -1);
		assert_null(d);
		print_message("%s\n", err.text);
		assert_int_equal(err.kind, ERR_PERM);
		assert_non_null(strstr(err.text, bad[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_with_validation),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(asked_once),
		cmocka_unit_test(no_validation),
		cmocka_unit_test(forwards_are_asked),
		cmocka_unit_test(deadlines_hold_and_threads_share),
		cmocka_unit_test(bad_settings),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
