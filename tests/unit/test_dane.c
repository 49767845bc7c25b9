#include "tests/unit/unit.h"

#include "base/mem.h"
#include "policy/danedial.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* TLSA records against certificates that a TLS server in this process shows: the scenarios of
 * the specification, and usage x selector x matching type x what may be wrong. */

static char dir[64];

static const char *path(const char *name)
{
	static _Thread_local char text[8][160];
	static _Thread_local unsigned at;
	char *out = text[at++ % 8];

	snprintf(out, sizeof(text[0]), "%s/%s", dir, name);
	return out;
}

/* --- a certification authority --- */

struct issued {
	X509 *cert;
	EVP_PKEY *key;
};

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

enum kind { KIND_CA, KIND_LEAF, KIND_EXPIRED };

static struct issued issue(const char *name, const struct issued *by, enum kind kind)
{
	static long serial = 1;
	struct issued out = {X509_new(), EVP_EC_gen("P-256")};
	X509_NAME *subject = X509_get_subject_name(out.cert);
	char san[200];

	X509_set_version(out.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(out.cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(out.cert), kind == KIND_EXPIRED ? -3600 : 86400);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(out.cert, by ? X509_get_subject_name(by->cert) : subject);
	X509_set_pubkey(out.cert, out.key);
	X509 *issuer = by ? by->cert : out.cert;
	extension(out.cert, issuer, NID_basic_constraints,
		kind == KIND_CA ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (kind != KIND_CA) {
		snprintf(san, sizeof(san), "DNS:%s", name);
		extension(out.cert, issuer, NID_subject_alt_name, san);
	}
	assert_true(X509_sign(out.cert, by ? by->key : out.key, EVP_sha256()) > 0);
	return out;
}

enum who { ROOT, OTHER_ROOT, MIDDLE, LEAF, EXPIRED, NAMED, SELF, DEEP, PEOPLE };
static struct issued people[PEOPLE];

static struct str der_of(X509 *x, struct arena *a)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);
	struct str out = arena_str(a, (struct str){(const char *)der, (size_t)len});

	OPENSSL_free(der);
	return out;
}

static struct str data_of(enum who who, unsigned selector, unsigned match, struct arena *a)
{
	unsigned char digest[SHA512_DIGEST_LENGTH], *der = NULL;
	struct str part = der_of(people[who].cert, a);

	if (selector == 1) {
		int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(people[who].cert), &der);
		part = arena_str(a, (struct str){(const char *)der, (size_t)len});
		OPENSSL_free(der);
	}
	const unsigned char *p = (const unsigned char *)part.p;
	if (match == 1)
		return arena_str(a, (struct str){(const char *)SHA256(p, part.len, digest), 32});
	if (match == 2)
		return arena_str(a, (struct str){(const char *)SHA512(p, part.len, digest), 64});
	return part;
}

/* --- servers --- */

struct server {
	int fd;
	unsigned port;
	struct tls_server *tls;
	pthread_t thread;
};

static void *server_run(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct conn *c = conn_open_fd(fd);
		struct tls_info info;
		struct str data;
		struct err err;
		if (tls_accept(c, s->tls, deadline_in_ms(3000), &info, &err) == 0)
			(void)!conn_peek(c, 1, deadline_in_ms(3000), &data, &err);
		conn_close(&c);
	}
	return NULL;
}

static void save(const char *base, const enum who *chain, size_t count)
{
	char name[64];
	FILE *f;

	snprintf(name, sizeof(name), "%s.crt", base);
	f = fopen(path(name), "w");
	assert_non_null(f);
	for (size_t i = 0; i < count; i++)
		PEM_write_X509(f, people[chain[i]].cert);
	fclose(f);
	snprintf(name, sizeof(name), "%s.key", base);
	f = fopen(path(name), "w");
	assert_non_null(f);
	PEM_write_PKCS8PrivateKey(f, people[chain[0]].key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static void server_start(struct server *s, const enum who *chain, size_t count)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	struct err err;

	save("server", chain, count);
	const char *cert = path("server.crt"), *key = path("server.key");
	struct tls_server_options o = {.hostname = "localhost",
		.min_version = "TLSv1.2",
		.cert_files = &cert,
		.key_files = &key,
		.pair_count = 1};
	if (tls_server_new(&o, &s->tls, &err) < 0)
		fail_msg("%s", err.text);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s->fd, 20), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sa, &len), 0);
	s->port = ntohs(sa.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	tls_server_release(&s->tls);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/mox-dane-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	people[ROOT] = issue("Root", NULL, KIND_CA);
	people[OTHER_ROOT] = issue("Other Root", NULL, KIND_CA);
	people[MIDDLE] = issue("Middle", &people[ROOT], KIND_CA);
	people[LEAF] = issue("localhost", &people[ROOT], KIND_LEAF);
	people[EXPIRED] = issue("localhost", &people[ROOT], KIND_EXPIRED);
	people[NAMED] = issue("elsewhere.example", &people[ROOT], KIND_LEAF);
	people[SELF] = issue("localhost", NULL, KIND_LEAF);
	people[DEEP] = issue("localhost", &people[MIDDLE], KIND_LEAF);
	save("root", (const enum who[]){ROOT}, 1);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		X509_free(people[i].cert);
		EVP_PKEY_free(people[i].key);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

/* --- the scenarios of the dialler --- */

static void zone_record(struct buf *zone, unsigned port, const char *host, unsigned u, unsigned s,
	unsigned m, struct str data)
{
	buf_printf(zone, "_%u._tcp.%s TLSA %u %u %u ", port, host, u, s, m);
	buf_hex(zone, data.p, data.len);
	buf_text(zone, "\n");
}

struct rec {
	unsigned usage, selector, match;
	enum who who;
	unsigned cut; /* octets kept of the data; 0: all */
	const char *host;
};

enum { ANY = 0, ONLY_PKIX_TA = 1 << DANE_PKIX_TA, ONLY_EE = 1 << DANE_EE };

static const struct {
	const char *name;
	enum who chain[3];
	size_t chain_count;
	struct rec recs[2];
	size_t rec_count;
	const char *dns;  /* beside the records; NULL: localhost at 127.0.0.1 */
	const char *host; /* dialled; NULL: localhost */
	unsigned usages;
	bool roots; /* ROOT is a trust anchor */
	enum dane_dial_status want;
	int matched;       /* index of the record; when ok */
	const char *words; /* in the text */
} dials[] = {
#define L "localhost"
#define CHAIN {LEAF, ROOT}, 2
#define HERE "localhost A 127.0.0.1\n"
	{"1 match", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1, HERE, L, ANY, false, DANE_DIAL_OK, 0, ""},
	{"2 usage not allowed", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1, HERE, L, ONLY_PKIX_TA, false,
		DANE_DIAL_NO_MATCH, 0, "allowed"},
	{"3 only EE allowed", CHAIN, {{2, 0, 1, OTHER_ROOT, 0, L}, {3, 1, 1, LEAF, 0, L}}, 2, HERE,
		L, ONLY_EE, false, DANE_DIAL_OK, 1, ""},
	{"4 issuer", CHAIN, {{2, 0, 1, ROOT, 0, L}}, 1, HERE, L, ANY, false, DANE_DIAL_OK, 0, ""},
	{"5 no TLSA", CHAIN, {{0}}, 0, HERE, L, ANY, false, DANE_DIAL_NO_RECORDS, 0, "no TLSA"},
	{"6 TLSA not secure", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1,
		HERE "inauthentic: tlsa _PORT._tcp.localhost\n", L, ANY, false, DANE_DIAL_INSECURE,
		0, "DNSSEC"},
	{"7 host's alias not secure", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1,
		HERE "inauthentic: cname localhost\n", L, ANY, false, DANE_DIAL_INSECURE, 0,
		"DNSSEC"},
	{"9 second alias not secure", CHAIN,
		{{3, 1, 1, LEAF, 0, L}, {3, 1, 1, ROOT, 0, "example2"}}, 2,
		"localhost CNAME example1\nexample1 CNAME example2\nexample2 A 127.0.0.1\n"
		"inauthentic: cname example1\n",
		L, ANY, false, DANE_DIAL_OK, 0, ""},
	{"10 TLSA where the alias leads", CHAIN, {{3, 1, 1, LEAF, 0, "example2"}}, 1,
		"localhost CNAME example1\nexample1 CNAME example2\nexample2 A 127.0.0.1\n", L, ANY,
		false, DANE_DIAL_OK, 0, ""},
	{"11 TLSA only at the first name", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1,
		"localhost CNAME example1\nexample1 A 127.0.0.1\n", L, ANY, false, DANE_DIAL_OK, 0,
		""},
	{"12 no match", CHAIN, {{3, 1, 1, ROOT, 0, L}}, 1, HERE, L, ANY, false, DANE_DIAL_NO_MATCH,
		0, "no TLSA record matches"},
	{"13 3 1 2", CHAIN, {{3, 1, 2, LEAF, 0, L}}, 1, HERE, L, ANY, false, DANE_DIAL_OK, 0, ""},
	{"14 3 1 0", CHAIN, {{3, 1, 0, LEAF, 0, L}}, 1, HERE, L, ANY, false, DANE_DIAL_OK, 0, ""},
	{"15 2 0 0", CHAIN, {{2, 0, 0, ROOT, 0, L}}, 1, HERE, L, ANY, false, DANE_DIAL_OK, 0, ""},
	{"16 issuer not shown", CHAIN, {{2, 0, 1, OTHER_ROOT, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "no TLSA record matches"},
	{"17 another name", {NAMED, ROOT}, 2, {{2, 0, 1, ROOT, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "hostname mismatch"},
	{"18 expired", {EXPIRED, ROOT}, 2, {{2, 0, 1, ROOT, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "expired"},
	{"19 half a hash", CHAIN, {{3, 1, 1, LEAF, 16, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "no TLSA record matches"},
	{"20 half a hash, and a whole one", CHAIN, {{3, 1, 1, LEAF, 16, L}, {3, 1, 1, LEAF, 0, L}},
		2, HERE, L, ANY, false, DANE_DIAL_OK, 1, ""},
	{"21 unknown usage", CHAIN, {{10, 1, 1, LEAF, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "no TLSA record matches"},
	{"22 unknown usage, and a good one", CHAIN, {{10, 1, 1, LEAF, 0, L}, {3, 1, 1, LEAF, 0, L}},
		2, HERE, L, ANY, false, DANE_DIAL_OK, 1, ""},
	{"23 no certificate in 2 0 0", CHAIN, {{2, 0, 0, ROOT, 40, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "no TLSA record matches"},
	{"24 2 0 0, leaf alone", {LEAF}, 1, {{2, 0, 0, ROOT, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_OK, 0, ""},
	{"25 PKIX-EE, unknown authority", CHAIN, {{1, 1, 1, LEAF, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "self-signed certificate in certificate chain"},
	{"26 PKIX-TA, unknown authority", CHAIN, {{0, 1, 1, ROOT, 0, L}}, 1, HERE, L, ANY, false,
		DANE_DIAL_NO_MATCH, 0, "self-signed certificate in certificate chain"},
	{"27 PKIX-EE", CHAIN, {{1, 1, 1, LEAF, 0, L}}, 1, HERE, L, ANY, true, DANE_DIAL_OK, 0, ""},
	{"28 PKIX-TA", CHAIN, {{0, 1, 1, ROOT, 0, L}}, 1, HERE, L, ANY, true, DANE_DIAL_OK, 0, ""},
	{"PKIX-EE of another leaf", CHAIN, {{1, 1, 1, SELF, 0, L}}, 1, HERE, L, ANY, true,
		DANE_DIAL_NO_MATCH, 0, "no TLSA record matches"},
	{"PKIX-TA of another root", CHAIN, {{0, 1, 1, OTHER_ROOT, 0, L}}, 1, HERE, L, ANY, true,
		DANE_DIAL_NO_MATCH, 0, "no TLSA record matches"},
	{"TLSA look-up fails", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1,
		HERE "fail: tlsa _PORT._tcp.localhost\n", L, ANY, false, DANE_DIAL_DNS, 0,
		"TLSA look-up"},
	{"bogus TLSA", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1,
		HERE "bogus: tlsa _PORT._tcp.localhost signature expired\n", L, ANY, false,
		DANE_DIAL_DNS, 0, "signature expired"},
	{"nobody there", CHAIN, {{3, 1, 1, LEAF, 0, L}}, 1, "localhost A 127.0.0.254\n", L, ANY,
		false, DANE_DIAL_CONNECT, 0, "connect"},
};

/* "_PORT" in the zone becomes the server's. */
static void zone_text(struct buf *zone, const char *text, unsigned port)
{
	const char *at;

	while ((at = strstr(text, "_PORT")) != NULL) {
		buf_raw(zone, (struct str){text, (size_t)(at - text)});
		buf_printf(zone, "_%u", port);
		text = at + 5;
	}
	buf_text(zone, text);
}

static void dial_once(size_t i, struct arena *a)
{
	struct server s;
	struct buf zone = {NULL, 0, 0};
	const char *root_file = path("root.crt");
	struct dane_dial_options o = {.host = dials[i].host, .usages = dials[i].usages};
	struct dane_dial got;
	struct err err;

	server_start(&s, dials[i].chain, dials[i].chain_count);
	for (size_t k = 0; k < dials[i].rec_count; k++) {
		const struct rec *r = &dials[i].recs[k];
		struct str data = data_of(r->who, r->selector, r->match, a);
		if (r->cut > 0)
			data.len = r->cut;
		zone_record(&zone, s.port, r->host, r->usage, r->selector, r->match, data);
	}
	zone_text(&zone, dials[i].dns, s.port);
	buf_text(&zone, "all-authentic\n");
	o.port = s.port;
	o.ask.deadline = deadline_in_ms(5000);
	if (dns_open_fixture(buf_str(&zone), &o.ask.dns, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(tls_client_new(&root_file, dials[i].roots, false, &o.tls, &err), 0);
	assert_int_equal(dane_dial(&o, a, &got, &err), 0);
	print_message("%s: %s %s\n", dials[i].name, dane_dial_status_text(got.status), got.text);
	assert_int_equal(got.status, dials[i].want);
	if (got.status == DANE_DIAL_OK) {
		const struct rec *r = &dials[i].recs[dials[i].matched];
		assert_non_null(got.conn);
		assert_int_equal(got.verdict.record->usage, r->usage);
		assert_int_equal(got.verdict.record->match, r->match);
		assert_true(str_eq(
			got.verdict.record->data, data_of(r->who, r->selector, r->match, a)));
		conn_close(&got.conn);
	} else {
		assert_null(got.conn);
		assert_non_null(strstr(got.text, dials[i].words));
	}
	server_stop(&s);
	tls_client_free(&o.tls);
	dns_close(&o.ask.dns);
	buf_free(&zone);
}

static void servers_are_dialled(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dials) / sizeof(dials[0]); i++) {
		struct arena *a = arena_open();
		dial_once(i, a);
		arena_close(&a);
	}
}

/* --- the matrix, on the facts alone --- */

static const struct {
	const char *name;
	enum who chain[3];
	size_t count;
	enum who ee, ta; /* what a right record is of; ta PEOPLE: none is right */
	bool ta_matches; /* usage 2 does */
	bool ta_error;   /* the record is found, the chain will not do */
} shown[] = {
	{"good", {LEAF, ROOT}, 2, LEAF, ROOT, true, false},
	{"wrong record", {LEAF, ROOT}, 2, OTHER_ROOT, OTHER_ROOT, false, false},
	{"expired", {EXPIRED, ROOT}, 2, EXPIRED, ROOT, false, true},
	{"wrong name", {NAMED, ROOT}, 2, NAMED, ROOT, false, true},
	{"self-signed as its own anchor", {SELF}, 1, SELF, SELF, true, false},
	{"over an intermediate, to the root", {DEEP, MIDDLE, ROOT}, 3, DEEP, ROOT, true, false},
	{"over an intermediate, to it", {DEEP, MIDDLE}, 2, DEEP, MIDDLE, true, false},
	{"intermediate missing", {DEEP, ROOT}, 2, DEEP, ROOT, false, true},
};

static void matrix(void **state)
{
	static const struct dane_names names = {.list = {"other.example", "localhost"}, .count = 2};

	(void)state;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		struct arena *a = arena_open();
		struct str chain[3];
		struct tls_peer peer = {.chain_der = chain, .chain_count = shown[i].count};
		for (size_t k = 0; k < shown[i].count; k++)
			chain[k] = der_of(people[shown[i].chain[k]].cert, a);
		for (unsigned u = DANE_TA; u <= DANE_EE; u++) {
			for (unsigned sm = 0; sm < 6; sm++) {
				enum who who = u == DANE_EE ? shown[i].ee : shown[i].ta;
				struct dane_record r = {
					u, sm / 3, sm % 3, data_of(who, sm / 3, sm % 3, a)};
				struct dane_records list = {&r, 1};
				struct dane_verdict v;
				bool ee_ok = who != OTHER_ROOT;
				bool want = u == DANE_EE ? ee_ok : shown[i].ta_matches;
				print_message("%s: %u %u %u\n", shown[i].name, u, sm / 3, sm % 3);
				assert_true(dane_record_usable(&r));
				dane_verify(&list, &names, &peer, NULL, &v);
				assert_int_equal(v.result == DANE_MATCH, want);
				bool full_cert = who == OTHER_ROOT && sm == 0 && u == DANE_TA;
				if (!want)
					assert_int_equal(v.errors,
						full_cert || (u == DANE_TA && shown[i].ta_error));
				if (!want)
					assert_true(v.text[0] != '\0');
			}
		}
		arena_close(&a);
	}
}

static void odd_records_never_match(void **state)
{
	struct arena *a = arena_open();
	struct str chain[1] = {der_of(people[LEAF].cert, a)}, hash = data_of(LEAF, 1, 1, a);
	struct tls_peer peer = {.chain_der = chain, .chain_count = 1}, none = {.chain_count = 0};
	struct dane_names names = {.list = {"localhost"}, .count = 1};
	const struct dane_record odd[] = {{3, 2, 1, hash}, {3, 1, 3, hash}, {4, 1, 1, hash},
		{255, 1, 1, hash}, {3, 1, 1, {"", 0}}, {2, 0, 0, STR("no certificate")},
		{3, 1, 0, STR("no key")}, {0, 1, 1, hash}, {1, 1, 1, hash}};
	struct dane_verdict v;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct dane_records one = {&odd[i], 1};
		print_message("odd %zu\n", i);
		assert_false(dane_record_usable(&odd[i]));
		dane_verify(&one, &names, &peer, NULL, &v);
		assert_int_equal(v.result, DANE_NO_MATCH);
	}
	const struct dane_record good = {3, 1, 1, hash};
	struct dane_records one = {&good, 1}, empty = {NULL, 0};
	dane_verify(&one, &names, &none, NULL, &v);
	assert_int_equal(v.result, DANE_NO_MATCH);
	assert_true(v.errors);
	dane_verify(&empty, &names, &peer, NULL, &v);
	assert_int_equal(v.result, DANE_NO_MATCH);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_dialled),
		cmocka_unit_test(matrix),
		cmocka_unit_test(odd_records_never_match),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
