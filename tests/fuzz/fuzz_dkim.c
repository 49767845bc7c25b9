/* A whole message: header index, signature and ARC fields, canonicalization, verification
 * against keys that exist; then the same message signed and sealed, which must verify. */
#include "auth/arc.h"

#include <stdlib.h>

static const char zone[] =
	"test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; "
	"p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi"
	"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZy"
	"VYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n"
	"brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
	"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
			  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
			  "-----END PRIVATE KEY-----\n";

static const int64_t now_s = 1800000000;
static struct dns *dns;
static struct dkim_key *key;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err err;

	(void)argc;
	(void)argv;
	if (dns_open_fixture(str_from(zone), &dns, &err) < 0 ||
		dkim_key_read(str_from(pem), &key, &err) < 0)
		abort();
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

static void verify(
	struct arena *a, struct str message, struct dkim_results *r, struct arc_result *arc)
{
	const struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(1000)};
	const struct str sealers[] = {STR("example.com")};
	const struct arc_set *set;
	struct str header, body;

	split(message, &header, &body);
	struct dkim_verifier *v = dkim_verifier_new(header, now_s);
	dkim_verifier_feed(v, (struct str){body.p, body.len / 2});
	dkim_verifier_feed(v, str_skip(body, body.len / 2));
	dkim_verifier_finish(v, &q, a, r);
	arc_verifier_finish(v, &q, a, arc);
	(void)arc_result_vouches(arc, sealers, 1, STR("example.com"), &set);
	dkim_verifier_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_open();
	struct str message = {(const char *)data, size}, header, body;
	struct dkim_results r;
	struct arc_result arc;
	struct buf out = {NULL, 0, 0};
	struct err err;

	verify(a, message, &r, &arc);
	split(message, &header, &body);
	const struct dkim_selector sel = {.domain = STR("football.example.com"),
		.selector = STR("brisbane"),
		.key = key,
		.header = size % 2 ? DKIM_SIMPLE : DKIM_RELAXED,
		.body = size % 4 < 2 ? DKIM_SIMPLE : DKIM_RELAXED};
	struct dkim_signer *s = dkim_signer_new(header, &sel, 1, now_s);
	dkim_signer_feed(s, body);
	if (dkim_signer_finish(s, &out, &err) == 0) {
		buf_raw(&out, message);
		verify(a, buf_str(&out), &r, &arc);
		if (r.at[0].status != DKIM_PASS)
			abort();
	}
	dkim_signer_free(&s);
	buf_clear(&out);
	const struct arc_seal_options opt = {
		.selector = sel, .results = STR("mx.example; none"), .chain = &arc};
	s = arc_sealer_new(header, &opt, now_s);
	dkim_signer_feed(s, body);
	enum arc_status before = arc.status;
	if (arc_sealer_finish(s, &out, &err) == 1 && before != ARC_FAIL) {
		buf_raw(&out, message);
		verify(a, buf_str(&out), &r, &arc);
		if (arc.status != ARC_PASS)
			abort();
	}
	dkim_signer_free(&s);
	buf_free(&out);
	arena_close(&a);
	return 0;
}
