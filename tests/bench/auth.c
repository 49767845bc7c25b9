/* What it costs to find out who sent a message: CPU time a message, by part, with the DNS
 * answers in memory. One 10 KiB message with one RSA-2048 signature. Prints JSON lines and, for
 * people, a table on stderr. Options: rounds. */
#include "auth/arc.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BODY = 10 * 1024, ROUNDS = 2000 };

struct bench {
	struct dns *dns;
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
	if (dns_open_fixture(buf_str(&zone), &b->dns, &err) < 0)
		die(&err);
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

int main(int argc, char **argv)
{
	struct bench b = {.rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS};

	prepare(&b);
	fprintf(stderr,
		"who sent it: CPU of a 10 KiB message, one RSA-2048 signature, cached DNS\n");
	dkim(&b);
	sign(&b);
	dkim_key_free(&b.key);
	dns_close(&b.dns);
	return 0;
}
