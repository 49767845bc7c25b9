/* What it costs to find out who sent a message: CPU time of the process a message, by part, with
 * the DNS answers in memory: asked for once through the real resolver (libunbound), of a name
 * server in this program. One 10 KiB message with one RSA-2048 signature. Prints JSON lines and,
 * for people, a table on stderr. Options: rounds. Exit code 1 above the target. */
#include "auth/auth.h"
#include "base/mem.h"
#include "tests/bench/nameserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BODY = 10 * 1024, ROUNDS = 2000, TARGET_US = 300 };

struct bench {
	struct nameserver server;
	struct dns *dns;
	struct auth_pool *pool;
	struct dkim_key *key;
	struct str header, body;
	int rounds;
};

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void report(const char *what, int64_t ns, int rounds)
{
	double us = (double)ns / 1000.0 / rounds;

	fprintf(stderr, "  %-32s %8.1f us\n", what, us);
	printf("{\"bench\":\"auth\",\"part\":\"%s\",\"cpu_us\":%.2f}\n", what, us);
}

static void die(const struct err *err)
{
	fprintf(stderr, "auth: %s\n", err->text);
	exit(1);
}

static void resolver_start(struct bench *b, struct str zone)
{
	char text[40];
	const char *const addr = text;
	struct err err;

	if (nameserver_open(zone, &b->server, &err) < 0)
		die(&err);
	snprintf(text, sizeof(text), "127.0.0.1@%u", b->server.port);
	const struct dns_options opt = {
		.trust_anchor_file = "none", .forward = &addr, .forward_count = 1};
	if (dns_open(&opt, &b->dns, &err) < 0)
		die(&err);
	b->pool = auth_pool_open(AUTH_THREADS_MAX);
}

static void prepare(struct bench *b)
{
	struct arena *a = arena_open();
	struct buf body = {NULL, 0, 0}, header = {NULL, 0, 0}, zone = {NULL, 0, 0};
	struct err err;

	while (body.len < BODY)
		buf_printf(&body, "A line of the size that people write, number %zu  or so.\r\n",
			body.len);
	if (dkim_key_generate(DKIM_RSA, 2048, &b->key, &err) < 0)
		die(&err);
	static const char fields[] =
		"Received: from a.example by b.example; Tue, 24 Nov 2026 08:49:16 +0000\r\n"
		"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.net>\r\n"
		"Subject: The figures of this month, as usual\r\n"
		"Date: Tue, 24 Nov 2026 08:49:16 +0000\r\nMessage-ID: <1@example.org>\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
	const struct dkim_selector sel = {
		.domain = STR("example.org"), .selector = STR("s"), .key = b->key};
	struct dkim_signer *s = dkim_signer_new(str_from(fields), &sel, 1, clock_unix_s());
	dkim_signer_feed(s, buf_str(&body));
	if (dkim_signer_finish(s, &header, &err) < 0)
		die(&err);
	dkim_signer_free(&s);
	buf_text(&header, fields);
	b->header = str_from(mem_strdup(header.p));
	b->body = str_from(mem_strdup(body.p));
	struct str record = dkim_record_write(a, DKIM_RSA, dkim_key_public(b->key, a));
	buf_printf(&zone, "s._domainkey.example.org TXT \"%.*s\" \"%.*s\"\n", 200, record.p,
		(int)record.len - 200, record.p + 200);
	buf_text(&zone,
		"example.org TXT \"v=spf1 include:_spf.example.org mx -all\"\n"
		"_spf.example.org TXT \"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/28 ~all\"\n"
		"mx.example.org TXT \"v=spf1 a -all\"\nmx.example.org A 192.0.2.1\n"
		"1.2.0.192.in-addr.arpa PTR mx.example.org.\n"
		"_dmarc.example.org TXT \"v=DMARC1; p=reject; rua=mailto:d@example.org\"\n");
	resolver_start(b, buf_str(&zone));
	buf_free(&zone);
	buf_free(&body);
	buf_free(&header);
	arena_close(&a);
}

/* The whole of DKIM, and where it goes. */
static void dkim(const struct bench *b)
{
	const struct dns_asker q = {.dns = b->dns, .deadline = deadline_in_ms(600 * 1000)};
	int64_t parse = 0, body = 0, lookup = 0, verify = 0;

	for (int i = 0; i < b->rounds; i++) {
		struct arena *a = arena_open();
		struct dkim_results r;
		int64_t t0 = cpu_ns();
		struct dkim_verifier *v = dkim_verifier_new(b->header, clock_unix_s());
		int64_t t1 = cpu_ns();
		dkim_verifier_feed(v, b->body);
		int64_t t2 = cpu_ns();
		dkim_verifier_lookup(v, &q);
		int64_t t3 = cpu_ns();
		dkim_verifier_finish(v, &q, a, &r);
		if (r.count != 1 || r.at[0].status != DKIM_PASS) {
			fprintf(stderr, "auth: the signature does not pass: %.*s\n",
				STR_FMT(r.at[0].why));
			exit(1);
		}
		dkim_verifier_free(&v);
		arena_close(&a);
		int64_t t4 = cpu_ns();
		parse += t1 - t0;
		body += t2 - t1;
		lookup += t3 - t2;
		verify += t4 - t3;
	}
	report("dkim: header and signature", parse, b->rounds);
	report("dkim: body hash", body, b->rounds);
	report("dkim: key from the DNS", lookup, b->rounds);
	report("dkim: header hash, RSA, results", verify, b->rounds);
	report("dkim", parse + body + lookup + verify, b->rounds);
}

static void sign(const struct bench *b)
{
	const struct dkim_selector sel = {
		.domain = STR("example.org"), .selector = STR("s"), .key = b->key};
	int rounds = b->rounds / 10 + 1;
	int64_t begin = cpu_ns();
	struct err err;

	for (int i = 0; i < rounds; i++) {
		struct buf out = {NULL, 0, 0};
		struct dkim_signer *s = dkim_signer_new(b->header, &sel, 1, clock_unix_s());
		dkim_signer_feed(s, b->body);
		if (dkim_signer_finish(s, &out, &err) < 0)
			die(&err);
		dkim_signer_free(&s);
		buf_free(&out);
	}
	report("dkim: sign with RSA-2048", cpu_ns() - begin, rounds);
}

static struct auth_options options(const struct bench *b)
{
	struct auth_options opt = {.dns = b->dns,
		.pool = b->pool,
		.deadline = deadline_in_ms(10000),
		.helo = STR("mx.example.org"),
		.mail_from = STR("ann@example.org"),
		.hostname = STR("gateway.example.net"),
		.header = b->header,
		.now_s = clock_unix_s(),
		.trace = trace_new()};

	if (!ip_parse(STR("192.0.2.1"), &opt.ip))
		exit(1);
	return opt;
}

static void spf(const struct bench *b)
{
	struct auth_options opt = options(b);
	const struct dns_asker q = {.dns = b->dns, .deadline = opt.deadline};
	const struct spf_args args = {.ip = opt.ip,
		.helo = opt.helo,
		.mailfrom = opt.mail_from,
		.receiver = opt.hostname,
		.now_unix_s = opt.now_s};
	int64_t begin = cpu_ns();

	for (int i = 0; i < b->rounds; i++) {
		struct arena *a = arena_open();
		struct spf_verdict v;
		spf_check(&q, &args, SPF_MAILFROM, a, &v);
		if (v.result != SPF_PASS) {
			fprintf(stderr, "auth: SPF: %.*s\n", STR_FMT(v.problem));
			exit(1);
		}
		arena_close(&a);
	}
	report("spf: with an include", cpu_ns() - begin, b->rounds);
	trace_free(&opt.trace);
}

static void dmarc(const struct bench *b)
{
	const struct dns_asker q = {.dns = b->dns, .deadline = deadline_in_ms(10000)};
	int64_t begin = cpu_ns();

	for (int i = 0; i < b->rounds; i++) {
		struct arena *a = arena_open();
		struct dmarc_lookup l;
		dmarc_lookup(&q, STR("example.org"), a, &l);
		if (l.found != DMARC_FOUND_RECORD)
			exit(1);
		arena_close(&a);
	}
	report("dmarc: policy from the DNS", cpu_ns() - begin, b->rounds);
}

/* As for a message on port 25: iprev, SPF of MAIL FROM and HELO, DKIM, ARC, DMARC, the trace,
 * and the header fields. */
static double whole(const struct bench *b)
{
	int64_t check = 0, write = 0;
	struct auth_options opt = options(b);

	for (int i = 0; i < b->rounds; i++) {
		struct buf header = {NULL, 0, 0}, trace = {NULL, 0, 0};
		int64_t t0 = cpu_ns();
		struct auth_check *c = auth_open(&opt);
		auth_body(c, b->body);
		const struct auth_result *r = auth_finish(c);
		if (r->dmarc.result != DMARC_PASS || r->spf.result != SPF_PASS ||
			r->iprev.result != IPREV_PASS || r->dkim.at[0].status != DKIM_PASS) {
			fprintf(stderr, "auth: the message does not pass\n");
			exit(1);
		}
		int64_t t1 = cpu_ns();
		auth_header_write(&header, &(struct auth_header){.authserv_id = opt.hostname,
						   .result = r,
						   .ip = STR("192.0.2.1"),
						   .helo = opt.helo,
						   .mail_from = opt.mail_from});
		trace_write(opt.trace, &trace);
		auth_free(&c);
		trace_free(&opt.trace);
		int64_t t2 = cpu_ns();
		opt.trace = trace_new();
		buf_free(&header);
		buf_free(&trace);
		check += t1 - t0;
		write += t2 - t1;
	}
	trace_free(&opt.trace);
	report("all: iprev, spf, dkim, arc, dmarc", check, b->rounds);
	report("all: header fields and the trace", write, b->rounds);
	report("all", check + write, b->rounds);
	return (double)(check + write) / 1000.0 / b->rounds;
}

int main(int argc, char **argv)
{
	struct bench b = {.rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS};

	prepare(&b);
	fprintf(stderr,
		"who sent it: CPU of a 10 KiB message, one RSA-2048 signature, cached DNS\n");
	dkim(&b);
	spf(&b);
	dmarc(&b);
	double us = whole(&b);
	sign(&b);
	fprintf(stderr, "  %s: %.0f us, target: under %d us\n", us < TARGET_US ? "PASS" : "MISS",
		us, TARGET_US);
	printf("{\"bench\":\"auth\",\"part\":\"target\",\"cpu_us\":%.2f,\"target_us\":%d,"
	       "\"result\":\"%s\"}\n",
		us, TARGET_US, us < TARGET_US ? "PASS" : "MISS");
	auth_pool_close(&b.pool);
	dkim_key_free(&b.key);
	dns_close(&b.dns);
	nameserver_close(&b.server);
	return us < TARGET_US ? 0 : 1;
}
