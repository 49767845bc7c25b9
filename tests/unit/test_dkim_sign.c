/* What dkim_sign and arc_seal make, dkim_verify and arc_verify must take: all canonicalizations
 * and kinds of key; and anything changed must be noticed. */
#include "auth/arc.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t now_s = 1800000000;

struct fix {
	struct dkim_key *rsa, *ed25519;
	struct dns *dns;
	struct arena *arena;
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct buf zone = {NULL, 0, 0};
	struct err err;

	assert_non_null(f);
	f->arena = arena_open();
	assert_int_equal(dkim_key_generate(DKIM_RSA, 2048, &f->rsa, &err), 0);
	assert_int_equal(dkim_key_generate(DKIM_ED25519, 0, &f->ed25519, &err), 0);
	for (int i = 0; i < 60; i++) {
		struct dkim_key *k = i % 2 ? f->rsa : f->ed25519;
		struct str record =
			dkim_record_write(f->arena, dkim_key_type(k), dkim_key_public(k, f->arena));
		buf_printf(&zone, "s._domainkey.d%d.example TXT %.*s\n", i,
			STR_FMT(dkim_record_zone(f->arena, record)));
	}
	/* The fixture knows no parentheses. */
	for (size_t i = 0; i < zone.len; i++) {
		if (zone.p[i] == '(' || zone.p[i] == ')')
			zone.p[i] = ' ';
	}
	assert_int_equal(dns_open_fixture(buf_str(&zone), &f->dns, &err), 0);
	buf_free(&zone);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	dkim_key_free(&f->rsa);
	dkim_key_free(&f->ed25519);
	dns_close(&f->dns);
	arena_close(&f->arena);
	free(f);
	return 0;
}

static void split(struct str message, struct str *header, struct str *body)
{
	const char *end = str_find(message, STR("\r\n\r\n"));

	*header = message;
	*body = STR("");
	if (end != NULL) {
		header->len = (size_t)(end - message.p) + 4;
		*body = str_skip(message, header->len);
	}
}

/* Signed in front. */
static struct str sign(struct fix *f, const struct dkim_selector *sel, struct str message)
{
	struct str header, body;
	struct buf out = {NULL, 0, 0};
	struct err err;

	split(message, &header, &body);
	struct dkim_signer *s = dkim_signer_new(header, sel, 1, now_s);
	dkim_signer_feed(s, body);
	assert_int_equal(dkim_signer_finish(s, &out, &err), 0);
	dkim_signer_free(&s);
	buf_raw(&out, message);
	struct str signed_message = arena_str(f->arena, buf_str(&out));
	buf_free(&out);
	return signed_message;
}

static struct dkim_verifier *verifier(struct str message)
{
	struct str header, body;

	split(message, &header, &body);
	struct dkim_verifier *v = dkim_verifier_new(header, now_s);
	for (; body.len > 0; body = str_skip(body, 3))
		dkim_verifier_feed(v, (struct str){body.p, body.len < 3 ? body.len : 3});
	return v;
}

static struct dkim_result verify(struct fix *f, struct str message)
{
	const struct dns_asker q = {.dns = f->dns, .deadline = deadline_in_ms(5000)};
	struct dkim_verifier *v = verifier(message);
	struct dkim_results r;

	dkim_verifier_finish(v, &q, f->arena, &r);
	dkim_verifier_free(&v);
	assert_true(r.count > 0);
	return r.at[0];
}

static const char *const bodies[] = {"", "\r\n", "\r\n\r\n\r\n", "text", "text\r\n", "text\r\n\r\n",
	" \t \r\n\r\n", "a  b\t c \t\r\n\r\n \r\nd\r\n\r\n\r\n", "\r", "\r\r\n", "a\rb\r\n",
	"caf\xc3\xa9 \xff\xfe\r\n", "\t\r\n \r\na"};

static void matrix(void **state)
{
	struct fix *f = *state;

	for (int bits = 0; bits < 16; bits++) {
		for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
			bool rsa = bits & 1;
			struct dkim_selector sel = {
				.domain = rsa ? STR("d1.example") : STR("d0.example"),
				.selector = STR("s"),
				.key = rsa ? f->rsa : f->ed25519,
				.header = bits & 2 ? DKIM_SIMPLE : DKIM_RELAXED,
				.body = bits & 4 ? DKIM_SIMPLE : DKIM_RELAXED,
				.seal = bits & 8 ? DKIM_SEAL : DKIM_DONT_SEAL};
			struct str m = str_from(arena_printf(f->arena,
				"Subject:  a\r\n  long  one \r\nFrom : a@d0.example\r\nTo:\r\n"
				"tO: b@example\r\n\r\n%s",
				bodies[i]));
			m = sign(f, &sel, m);
			struct dkim_result r = verify(f, m);
			if (r.status != DKIM_PASS)
				print_message("%d %zu: %.*s\n%.*s\n", bits, i, STR_FMT(r.why),
					STR_FMT(m));
			assert_int_equal(r.status, DKIM_PASS);
			/* No line over 78 octets. */
			for (struct str rest = m, line; str_next(&rest, '\n', &line);)
				assert_true(line.len <= 79);
		}
	}
}

/* A NUL and 8-bit text in the body are octets like others. */
static void binary_body(void **state)
{
	struct fix *f = *state;
	struct dkim_selector sel = {
		.domain = STR("d1.example"), .selector = STR("s"), .key = f->rsa};
	struct str m = sign(f, &sel,
		STR("From: a@d1.example\r\nSubject: \xff\xfe\r\n\r\na\0b \0\r\n\xc3\x28\r\n"));

	assert_int_equal(verify(f, m).status, DKIM_PASS);
	char *copy = arena_strdup(f->arena, m);
	copy[m.len - 3] = '*';
	assert_int_equal(verify(f, (struct str){copy, m.len}).status, DKIM_FAIL);
}

/* Whichever octet is changed: never a pass; but for the white space that relaxed forgives and
 * the parts that nobody signed. */
static void mutations(void **state)
{
	struct fix *f = *state;
	struct dkim_selector sel = {.domain = STR("d0.example"),
		.selector = STR("s"),
		.key = f->ed25519,
		.header = DKIM_SIMPLE,
		.body = DKIM_SIMPLE};
	struct str m = sign(f, &sel, STR("From: a@d0.example\r\nSubject: x\r\n\r\nHello\r\n"));

	assert_int_equal(verify(f, m).status, DKIM_PASS);
	for (size_t i = strlen("DKIM-Signature: "); i < m.len; i++) {
		char *copy = arena_strdup(f->arena, m);
		copy[i] = (char)(copy[i] ^ 1);
		const struct dns_asker q = {.dns = f->dns, .deadline = deadline_in_ms(5000)};
		struct dkim_verifier *v = verifier((struct str){copy, m.len});
		struct dkim_results r;
		dkim_verifier_finish(v, &q, f->arena, &r);
		dkim_verifier_free(&v);
		if (r.count > 0 && r.at[0].status == DKIM_PASS)
			print_message("octet %zu of %.*s\n", i, STR_FMT(m));
		assert_true(r.count == 0 || r.at[0].status != DKIM_PASS);
	}
}

/* A field added on top: with seal it breaks the signature, without it does not. */
static void sealing(void **state)
{
	struct fix *f = *state;
	struct dkim_selector sel = {
		.domain = STR("d0.example"), .selector = STR("s"), .key = f->ed25519};
	struct str m = STR("From: a@d0.example\r\nSubject: x\r\n\r\nHello\r\n");

	for (int seal = 0; seal < 2; seal++) {
		sel.seal = seal ? DKIM_SEAL : DKIM_DONT_SEAL;
		struct str s = sign(f, &sel, m);
		struct str s2 =
			str_from(arena_printf(f->arena, "Subject: bargain\r\n%.*s", STR_FMT(s)));
		struct str s3 =
			str_from(arena_printf(f->arena, "X-Other: bargain\r\n%.*s", STR_FMT(s)));
		assert_int_equal(verify(f, s2).status, seal ? DKIM_FAIL : DKIM_PASS);
		assert_int_equal(verify(f, s3).status, DKIM_PASS);
	}
}

static void not_signable(void **state)
{
	struct fix *f = *state;
	struct dkim_selector sel = {
		.domain = STR("d0.example"), .selector = STR("s"), .key = f->ed25519};
	const char *const bad[] = {"Subject: x\r\n\r\n", "From: a\r\nfrom: b\r\n\r\n", ""};
	struct buf out = {NULL, 0, 0};
	struct err err;

	for (size_t i = 0; i < 3; i++) {
		struct dkim_signer *s = dkim_signer_new(str_from(bad[i]), &sel, 1, now_s);
		assert_int_equal(dkim_signer_finish(s, &out, &err), -1);
		assert_int_equal(err.kind, ERR_PERM);
		dkim_signer_free(&s);
	}
	assert_int_equal(out.len, 0);
}

static void expiration(void **state)
{
	struct fix *f = *state;
	struct dkim_selector sel = {.domain = STR("d0.example"),
		.selector = STR("s"),
		.key = f->ed25519,
		.expiration_s = 3600,
		.identity = STR("a@sub.d0.example")};
	struct str m = sign(f, &sel, STR("From: a@d0.example\r\n\r\nHello\r\n"));
	const struct dns_asker q = {.dns = f->dns, .deadline = deadline_in_ms(5000)};
	struct str header, body;
	struct dkim_results r;

	split(m, &header, &body);
	for (int late = -1; late < 2; late++) {
		struct dkim_verifier *v = dkim_verifier_new(header, now_s + 3600 + late);
		dkim_verifier_feed(v, body);
		dkim_verifier_finish(v, &q, f->arena, &r);
		dkim_verifier_free(&v);
		assert_int_equal(r.at[0].status, late > 0 ? DKIM_PERMERROR : DKIM_PASS);
		assert_int_equal(r.at[0].expires_s, now_s + 3600);
		assert_true(str_eq(r.at[0].identity, STR("a@sub.d0.example")));
	}
}

/* --- ARC --- */

static struct arc_result arc_verify(struct fix *f, struct str message)
{
	const struct dns_asker q = {.dns = f->dns, .deadline = deadline_in_ms(5000)};
	struct dkim_verifier *v = verifier(message);
	struct arc_result r;

	arc_verifier_finish(v, &q, f->arena, &r);
	dkim_verifier_free(&v);
	return r;
}

static int arc_seal(struct fix *f, int hop, struct str *message)
{
	struct arc_result chain = arc_verify(f, *message);
	struct arc_seal_options opt = {
		.selector = {.domain = str_from(arena_printf(f->arena, "d%d.example", hop)),
			.selector = STR("s"),
			.key = hop % 2 ? f->rsa : f->ed25519},
		.results = str_from(arena_printf(f->arena,
			"mx.d%d.example;\r\n\tdmarc=pass (p=none) "
			"header.from=d0.example;\r\n\tspf=fail",
			hop)),
		.chain = &chain};
	struct str header, body;
	struct buf out = {NULL, 0, 0};
	struct err err;

	split(*message, &header, &body);
	struct dkim_signer *s = arc_sealer_new(header, &opt, now_s);
	dkim_signer_feed(s, body);
	int rc = arc_sealer_finish(s, &out, &err);
	if (rc < 0)
		print_message("%s\n", err.text);
	dkim_signer_free(&s);
	buf_raw(&out, *message);
	*message = arena_str(f->arena, buf_str(&out));
	buf_free(&out);
	return rc;
}

static void arc_chain(void **state)
{
	struct fix *f = *state;
	struct str m = STR("From: a@d0.example\r\nSubject: x\r\n\r\nHello\r\n");

	assert_int_equal(arc_verify(f, m).status, ARC_NONE);
	for (int hop = 1; hop <= 50; hop++) {
		assert_int_equal(arc_seal(f, hop, &m), 1);
		struct arc_result r = arc_verify(f, m);
		if (r.status != ARC_PASS)
			print_message("%.*s\n", STR_FMT(r.why));
		assert_int_equal(r.status, ARC_PASS);
		assert_int_equal(r.count, hop);
		assert_int_equal(r.highest, hop);
		assert_int_equal(r.oldest_pass, 0);
		assert_int_equal(r.sets[0].instance, hop);
		assert_true(str_starts(r.sets[0].results, STR("mx.d")));
	}
	/* No room for a 51st. */
	assert_int_equal(arc_seal(f, 51, &m), 0);
}

/* Changed on the way, as a list does: the newest signature is right, older ones are not. */
static void arc_changed(void **state)
{
	struct fix *f = *state;
	struct str m = STR("From: a@d0.example\r\nSubject: x\r\n\r\nHello\r\n");

	assert_int_equal(arc_seal(f, 1, &m), 1);
	assert_int_equal(arc_seal(f, 2, &m), 1);
	m = str_from(arena_printf(f->arena, "%.*s-- \r\nlist footer\r\n", STR_FMT(m)));
	assert_int_equal(arc_verify(f, m).status, ARC_FAIL);
	/* Sealed after the change: cv=fail, and nobody adds to it. */
	struct str failed = m;
	assert_int_equal(arc_seal(f, 3, &failed), 1);
	assert_non_null(str_find(failed, STR("cv=fail")));
	struct arc_result r = arc_verify(f, failed);
	assert_int_equal(r.status, ARC_FAIL);
	assert_true(r.cv_fail);
	assert_int_equal(arc_seal(f, 4, &failed), 0);
}

/* The list checks, changes, then seals over what it changed. */
static void arc_list(void **state)
{
	struct fix *f = *state;
	struct str m = STR("From: a@d0.example\r\nSubject: x\r\n\r\nHello\r\n"), header, body;

	assert_int_equal(arc_seal(f, 1, &m), 1);
	struct arc_result chain = arc_verify(f, m);
	m = str_from(arena_printf(f->arena, "%.*sfooter\r\n", STR_FMT(m)));
	struct arc_seal_options opt = {
		.selector = {.domain = STR("d3.example"), .selector = STR("s"), .key = f->rsa},
		.results = STR("list.d3.example; none"),
		.chain = &chain};
	struct buf out = {NULL, 0, 0};
	struct err err;
	split(m, &header, &body);
	struct dkim_signer *s = arc_sealer_new(header, &opt, now_s);
	dkim_signer_feed(s, body);
	assert_int_equal(arc_sealer_finish(s, &out, &err), 1);
	dkim_signer_free(&s);
	buf_raw(&out, m);
	struct arc_result r = arc_verify(f, buf_str(&out));
	assert_int_equal(r.status, ARC_PASS);
	assert_int_equal(r.oldest_pass, 2);
	assert_int_equal(r.sets[1].message, DKIM_FAIL);
	/* Trust: both must be listed to believe the first one's word. */
	const struct str both[] = {{"d3.example", 10}, {"d1.example", 10}};
	const struct arc_set *set = NULL;
	assert_int_equal(arc_result_vouches(&r, both, 1, STR("d0.example"), &set), 0);
	assert_int_equal(arc_result_vouches(&r, both + 1, 1, STR("d0.example"), &set), 0);
	assert_int_equal(arc_result_vouches(&r, both, 2, STR("d0.example"), &set), 1);
	assert_int_equal(set->instance, 1);
	assert_int_equal(arc_result_vouches(&r, both, 2, STR("other.example"), &set), 0);
	buf_free(&out);
}

/* Every octet of every ARC field counts. */
static void arc_mutations(void **state)
{
	struct fix *f = *state;
	struct str m = STR("From: a@d0.example\r\n\r\nHello\r\n");

	assert_int_equal(arc_seal(f, 2, &m), 1);
	assert_int_equal(arc_seal(f, 4, &m), 1);
	for (size_t i = 0; i < m.len; i++) {
		char *copy = arena_strdup(f->arena, m);
		copy[i] = (char)(copy[i] ^ 2);
		/* Spare bits of a last base64 digit mean nothing. */
		if (i + 1 < m.len && m.p[i + 1] == '=')
			continue;
		if (m.p[i] == ' ' || m.p[i] == '\t' || m.p[i] == '\r' || m.p[i] == '\n')
			continue;
		struct arc_result r = arc_verify(f, (struct str){copy, m.len});
		if (r.status == ARC_PASS)
			print_message("octet %zu of %.*s\n", i, STR_FMT(m));
		assert_int_not_equal(r.status, ARC_PASS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matrix),
		cmocka_unit_test(binary_body),
		cmocka_unit_test(mutations),
		cmocka_unit_test(sealing),
		cmocka_unit_test(not_signable),
		cmocka_unit_test(expiration),
		cmocka_unit_test(arc_chain),
		cmocka_unit_test(arc_changed),
		cmocka_unit_test(arc_list),
		cmocka_unit_test(arc_mutations),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
