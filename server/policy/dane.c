#include "policy/dane.h"

#include "tls/verify.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

enum { TTL_START_S = 86400, DATA_SHOWN = 64 };

static struct str record_text(struct arena *arena, const struct dane_record *r, size_t max)
{
	struct buf b = {NULL, 0, 0};
	bool cut = r->data.len > max;

	buf_printf(&b, "%u %u %u ", r->usage, r->selector, r->match);
	buf_hex(&b, r->data.p, cut ? max : r->data.len);
	if (cut)
		buf_text(&b, "...");
	struct str out = arena_str(arena, buf_str(&b));
	buf_free(&b);
	return out;
}

struct str dane_record_text(struct arena *arena, const struct dane_record *r)
{
	return record_text(arena, r, DATA_SHOWN);
}

struct str dane_record_full_text(struct arena *arena, const struct dane_record *r)
{
	return record_text(arena, r, r->data.len);
}

/* --- the look-up --- */

bool dane_may_ask(const struct destination *d, const struct destination_ips *ips)
{
	struct ip literal;

	return ips->status == DNS_OK && ips->secure && d->secure &&
	       (!d->have_mx || d->expanded_secure) && !ip_parse(str_from(ips->host), &literal);
}

bool dane_record_usable(const struct dane_record *r)
{
	if ((r->usage != DANE_TA && r->usage != DANE_EE) || r->selector > DANE_SPKI)
		return false;
	switch (r->match) {
	case DANE_FULL:
		return r->selector == DANE_CERT ? tls_der_is_cert(r->data)
						: tls_der_is_spki(r->data);
	case DANE_SHA256:
		return r->data.len == SHA256_DIGEST_LENGTH;
	case DANE_SHA512:
		return r->data.len == SHA512_DIGEST_LENGTH;
	}
	return false;
}

static void records_take(
	const struct dns_answer *answer, struct arena *arena, struct dane_lookup *out)
{
	size_t n = answer->count < DANE_RECORDS_MAX ? answer->count : DANE_RECORDS_MAX, kept = 0;
	struct dane_record *list = arena_alloc(arena, n * sizeof(*list));

	out->seen = answer->count;
	for (size_t i = 0; i < n; i++) {
		const struct dns_record *r = &answer->records[i];
		struct dane_record one = {r->usage, r->selector, r->match, r->data};
		if (dane_record_usable(&one))
			list[kept++] = one;
	}
	out->records = (struct dane_records){list, kept};
	out->status = kept > 0 ? DANE_USABLE : DANE_UNUSABLE;
}

static int lookup_error(
	struct dane_lookup *out, const char *type, const char *name, const struct dns_answer *a)
{
	char what[DNS_NAME_MAX + 40];

	snprintf(what, sizeof(what), "%s look-up of %.253s", type, name);
	dns_trouble_note(&out->trouble, what, a);
	out->status = DANE_ERROR;
	return 0;
}

/* TLSA at base. CNAMEs are followed step by step: from the first that is not secure on there
 * is no DANE (RFC 7672 section 2.1.3), whatever it leads to. */
static int base_lookup(const struct dns_asker *q, const char *base, unsigned port,
	struct arena *arena, struct dane_lookup *out, struct err *err)
{
	char name[DNS_NAME_MAX + 20];
	const char *at = name;
	struct dns_answer answer;

	*out = (struct dane_lookup){
		.status = DANE_NONE, .base = base, .ttl_s = out->ttl_s, .trouble = {.ede = -1}};
	snprintf(name, sizeof(name), "_%u._tcp.%.253s", port, base);
	if (strlen(name) >= DNS_NAME_MAX) /* too long a name to exist */
		return 0;
	for (int links = 0;; links++) {
		if (links == DANE_CNAMES_MAX) {
			out->status = DANE_ERROR;
			out->trouble = (struct dns_trouble){.status = DNS_FAILED, .ede = -1};
			snprintf(out->trouble.text, sizeof(out->trouble.text),
				"The CNAME records of %.253s are too many in a row or a circle",
				name);
			return 0;
		}
		if (dns_ask(q, DNS_CNAME, at, arena, &answer, err) < 0)
			return -1;
		if (dns_status_is_temporary(answer.status))
			return lookup_error(out, "CNAME", at, &answer);
		if (answer.ttl_s < out->ttl_s)
			out->ttl_s = answer.ttl_s;
		if (!answer.secure)
			return 0;
		if (answer.status != DNS_OK)
			break;
		at = arena_strdup(arena, answer.records[0].name);
	}
	if (dns_ask(q, DNS_TLSA, at, arena, &answer, err) < 0)
		return -1;
	if (dns_status_is_temporary(answer.status))
		return lookup_error(out, "TLSA", at, &answer);
	if (answer.ttl_s < out->ttl_s)
		out->ttl_s = answer.ttl_s;
	if (answer.status == DNS_OK && answer.secure)
		records_take(&answer, arena, out);
	return 0;
}

int dane_lookup(const struct dns_asker *q, const char *host, const char *expanded_host,
	bool base_secure, unsigned port, struct arena *arena, struct dane_lookup *out,
	struct err *err)
{
	*out = (struct dane_lookup){.ttl_s = TTL_START_S};
	if (strcmp(host, expanded_host) != 0 && base_secure) {
		if (base_lookup(q, expanded_host, port, arena, out, err) < 0)
			return -1;
		if (out->status != DANE_NONE)
			return 0;
	}
	return base_lookup(q, host, port, arena, out, err);
}

/* --- names --- */

static void name_add(struct dane_names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++) {
		if (strcmp(n->list[i], name) == 0)
			return;
	}
	if (n->count < DANE_NAMES_MAX && name[0] != '\0')
		n->list[n->count++] = name;
}

void dane_names_choose(const struct destination *d, const struct destination_ips *ips,
	const char *base, struct dane_names *out)
{
	*out = (struct dane_names){.count = 0};
	if (d->have_mx && !d->expanded_secure) {
		name_add(out, d->domain);
		return;
	}
	if (ips->expanded_secure)
		name_add(out, base);
	name_add(out, ips->host);
	if (!d->have_mx)
		return;
	name_add(out, d->domain);
	name_add(out, d->expanded);
}

/* --- matching --- */

/* Whether what the selector picks of a certificate is what the record says. */
static bool record_is_of(const struct dane_record *r, struct str cert)
{
	unsigned char digest[SHA512_DIGEST_LENGTH];
	struct str part = cert;
	unsigned char *spki = NULL;
	size_t len = 0;
	bool same = false;

	if (r->selector == DANE_SPKI) {
		if (!tls_cert_spki(cert, &spki, &len))
			return false;
		part = (struct str){(const char *)spki, len};
	} else if (r->selector != DANE_CERT) {
		return false;
	}
	switch (r->match) {
	case DANE_FULL:
		same = str_eq(part, r->data);
		break;
	case DANE_SHA256:
		SHA256((const unsigned char *)part.p, part.len, digest);
		same = r->data.len == SHA256_DIGEST_LENGTH &&
		       memcmp(digest, r->data.p, SHA256_DIGEST_LENGTH) == 0;
		break;
	case DANE_SHA512:
		SHA512((const unsigned char *)part.p, part.len, digest);
		same = r->data.len == SHA512_DIGEST_LENGTH &&
		       memcmp(digest, r->data.p, SHA512_DIGEST_LENGTH) == 0;
		break;
	}
	tls_der_free(spki);
	return same;
}

enum fit { FIT_YES, FIT_NO, FIT_ERROR };

/* RFC 7671 section 5.2: the record says whom to trust; the chain must lead there, be in date
 * and be for one of the names. */
static enum fit fit_ta(const struct dane_record *r, const struct dane_names *names,
	const struct tls_peer *peer, char text[300])
{
	struct str anchors[2];
	size_t count = 0;

	if (r->selector == DANE_CERT && r->match == DANE_FULL && tls_der_is_cert(r->data))
		anchors[count++] = r->data;
	for (size_t i = 0; i < peer->chain_count; i++) {
		if (record_is_of(r, peer->chain_der[i])) {
			anchors[count++] = peer->chain_der[i];
			break;
		}
	}
	if (count == 0)
		return FIT_NO;
	struct tls_verify_options o = {.chain = peer->chain_der,
		.chain_count = peer->chain_count,
		.anchors = anchors,
		.anchor_count = count,
		.names = names->list,
		.name_count = names->count};
	return tls_chain_verify(&o, text, 300) ? FIT_YES : FIT_ERROR;
}

struct pkix_match {
	const struct dane_record *record;
	bool found;
};

static void pkix_ta_look(void *arg, struct str cert)
{
	struct pkix_match *m = arg;

	m->found = m->found || record_is_of(m->record, cert);
}

/* RFC 6698 section 2.1.1, usages 0 and 1: WebPKI must hold, and then the record too. */
static enum fit fit_pkix(const struct dane_record *r, const struct dane_names *names,
	const struct tls_peer *peer, const struct tls_client *roots, char text[300])
{
	struct pkix_match m = {r, false};

	if (roots == NULL)
		return FIT_NO;
	if (r->usage == DANE_PKIX_EE && !record_is_of(r, peer->chain_der[0]))
		return FIT_NO;
	struct tls_verify_options o = {.chain = peer->chain_der,
		.chain_count = peer->chain_count,
		.roots = roots,
		.names = names->list,
		.name_count = names->count,
		.built = pkix_ta_look,
		.built_arg = &m};
	if (!tls_chain_verify(&o, text, 300))
		return FIT_ERROR;
	return r->usage == DANE_PKIX_EE || m.found ? FIT_YES : FIT_NO;
}

static enum fit record_fit(const struct dane_record *r, const struct dane_names *names,
	const struct tls_peer *peer, const struct tls_client *roots, char text[300])
{
	switch (r->usage) {
	case DANE_PKIX_TA:
	case DANE_PKIX_EE:
		return fit_pkix(r, names, peer, roots, text);
	case DANE_TA:
		return fit_ta(r, names, peer, text);
	case DANE_EE: /* neither name nor date nor issuer matters, RFC 7671 section 5.1 */
		return record_is_of(r, peer->chain_der[0]) ? FIT_YES : FIT_NO;
	}
	return FIT_NO;
}

void dane_verify(const struct dane_records *records, const struct dane_names *names,
	const struct tls_peer *peer, const struct tls_client *roots, struct dane_verdict *out)
{
	char text[300] = "";

	*out = (struct dane_verdict){.result = DANE_NO_MATCH};
	if (peer->chain_count == 0) {
		out->errors = true;
		snprintf(out->text, sizeof(out->text), "the server showed no certificate");
		return;
	}
	for (size_t i = 0; i < records->count; i++) {
		enum fit fit = record_fit(&records->list[i], names, peer, roots, text);
		if (fit == FIT_YES) {
			*out = (struct dane_verdict){
				.result = DANE_MATCH, .record = &records->list[i]};
			return;
		}
		if (fit == FIT_ERROR) {
			out->errors = true;
			snprintf(out->text, sizeof(out->text),
				"TLSA record %u %u %u names the certificate's issuer, but %.200s",
				records->list[i].usage, records->list[i].selector,
				records->list[i].match, text);
		}
	}
	if (!out->errors)
		snprintf(out->text, sizeof(out->text), "no TLSA record matches the certificate%s",
			records->count == 0 ? ": there is none" : "");
}
