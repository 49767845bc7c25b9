/* Verification, RFC 6376 section 6.1. */
#include "auth/dkim_priv.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

const char *dkim_status_text(enum dkim_status s)
{
	switch (s) {
	case DKIM_NONE:
		return "none";
	case DKIM_PASS:
		return "pass";
	case DKIM_FAIL:
		return "fail";
	case DKIM_NEUTRAL:
		return "neutral";
	case DKIM_POLICY:
		return "policy";
	case DKIM_TEMPERROR:
		return "temperror";
	case DKIM_PERMERROR:
		return "permerror";
	}
	return "?";
}

void dkim_verifier_need(struct dkim_verifier *v, struct dkim_sig *sig)
{
	if (sig->early != DKIM_NONE)
		return;
	if (sig->kind != DKIM_ARC_SEAL)
		sig->body_slot = dkim_bodies_want(&v->bodies, sig->body, sig->length);
	sig->key = dkim_lookups_add(&v->lookups, v->arena, sig->selector, sig->domain);
}

/* The first ones of the message, from the top: the newest. */
static void signatures_read(struct dkim_verifier *v)
{
	size_t total = dkim_fields_count(&v->fields, STR("DKIM-Signature")), n = 0, verified = 0;

	v->sig_count = total < DKIM_RESULTS_MAX ? total : DKIM_RESULTS_MAX;
	v->sig_left_out = total - v->sig_count;
	v->sigs = arena_alloc(v->arena, (v->sig_count + 1) * sizeof(*v->sigs));
	for (size_t i = 0; i < v->fields.count && n < v->sig_count; i++) {
		struct dkim_sig *sig = &v->sigs[n];
		if (!str_eq_nocase(v->fields.at[i].name, STR("DKIM-Signature")))
			continue;
		n++;
		dkim_sig_parse(v->arena, DKIM_SIGNATURE, &v->fields.at[i], v->now_s, sig);
		if (sig->early == DKIM_NONE && ++verified > DKIM_VERIFIED_MAX)
			dkim_sig_decide(v->arena, sig, DKIM_POLICY,
				"the message has over %d signatures; this one was not looked at",
				DKIM_VERIFIED_MAX);
		dkim_verifier_need(v, sig);
	}
}

struct dkim_verifier *dkim_verifier_new(struct str header, int64_t now_s)
{
	struct dkim_verifier *v = mem_alloc(sizeof(*v));

	v->arena = arena_open();
	v->now_s = now_s;
	dkim_fields_read(v->arena, header, &v->fields);
	signatures_read(v);
	arc_chain_read(v);
	return v;
}

void dkim_verifier_free(struct dkim_verifier **v)
{
	if (*v == NULL)
		return;
	dkim_bodies_free(&(*v)->bodies);
	dkim_lookups_free(&(*v)->lookups);
	arena_close(&(*v)->arena);
	free(*v);
	*v = NULL;
}

void dkim_verifier_feed(struct dkim_verifier *v, struct str piece)
{
	dkim_bodies_feed(&v->bodies, piece);
}

void dkim_verifier_lookup(struct dkim_verifier *v, const struct dns_asker *q)
{
	dkim_lookups_run(&v->lookups, q);
}

void dkim_verifier_hash(
	struct dkim_verifier *v, const struct dkim_sig *sig, unsigned char hash[DKIM_HASH])
{
	const struct dkim_signed last = {
		.name = sig->field->name, .value = sig->field->value, .b_raw = sig->b_raw};

	dkim_header_hash(&v->fields, sig->h, sig->header, &last, hash);
}

__attribute__((format(printf, 4, 5))) static void say(
	struct dkim_verdict *out, struct arena *a, enum dkim_status status, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out->status = status;
	out->why = arena_str(a, str_from(text));
}

/* Why there is no record at all; false when there is one. */
static bool no_answer(const struct dkim_lookup *l, struct arena *a, struct dkim_verdict *out)
{
	switch (l->answer.status) {
	case DNS_OK:
		return false;
	case DNS_NXDOMAIN:
	case DNS_NODATA:
		say(out, a, DKIM_PERMERROR, "there is no key at %s", l->name);
		return true;
	case DNS_BOGUS:
		say(out, a, DKIM_TEMPERROR, "the key at %s fails DNSSEC validation: %.*s", l->name,
			STR_FMT(l->answer.reason));
		return true;
	case DNS_FAILED:
	case DNS_TIMEOUT:
		break;
	}
	say(out, a, DKIM_TEMPERROR, "the key at %s could not be looked up: %.*s", l->name,
		STR_FMT(l->answer.reason));
	return true;
}

/* Is there something in the record that forbids this use of its key? RFC 6376 section 6.1.2
 * steps 5 to 9. NULL: nothing. */
static const char *record_objection(const struct dkim_found *f, const struct dkim_sig *sig)
{
	struct str at = sig->identity;

	if (f->record.type_text.len == 0 && f->why != NULL)
		return f->why;
	if (f->record.revoked)
		return f->why;
	if (!f->record.type_known || f->record.type != sig->type)
		return "the key is of another kind than the signature's algorithm";
	if (!f->record.sha256)
		return "the key record's h= does not allow SHA-256";
	if (!f->record.email)
		return "the key record's s= does not allow mail";
	while (at.len > 0 && at.p[0] != '@')
		at = str_skip(at, 1);
	if (f->record.strict && sig->kind == DKIM_SIGNATURE &&
		!str_eq_nocase(str_skip(at, 1), sig->domain))
		return "the key record says t=s: i= may not be a subdomain of d=";
	return f->why;
}

static void record_try(const struct dkim_found *f, const struct dkim_sig *sig,
	const unsigned char hash[DKIM_HASH], struct arena *a, struct dkim_verdict *out)
{
	const char *objection = record_objection(f, sig);

	out->testing = f->record.testing;
	out->services = f->record.services;
	out->key_bits = f->key ? dkim_key_bits(f->key) : 0;
	if (objection != NULL)
		say(out, a, DKIM_PERMERROR, "%s", objection);
	else if (sig->body_slot != NULL && !sig->body_slot->done)
		say(out, a, DKIM_FAIL,
			"the body is shorter than what was signed (l=%lld): something was cut off",
			(long long)sig->length);
	else if (sig->body_slot != NULL &&
		 memcmp(sig->body_slot->hash, sig->body_hash.p, DKIM_HASH) != 0)
		say(out, a, DKIM_FAIL, "the body was changed after it was signed");
	else if (!dkim_key_verify(f->key, hash, sig->signature))
		say(out, a, DKIM_FAIL,
			"the signature does not match: the header was changed, or another key "
			"made it");
	else
		say(out, a, DKIM_PASS, "signed by %.*s, unchanged%s", STR_FMT(sig->domain),
			sig->length_used ? " as far as the signature reaches (l=)" : "");
	if (out->status == DKIM_FAIL && out->testing && sig->kind == DKIM_SIGNATURE) {
		struct str why = out->why;
		say(out, a, DKIM_NEUTRAL, "%.*s; the domain is only testing DKIM (t=y)",
			STR_FMT(why));
	}
}

/* Of several records the best counts. */
static int rank(enum dkim_status s)
{
	return s == DKIM_PASS ? 3 : s == DKIM_FAIL || s == DKIM_NEUTRAL ? 2 : 1;
}

void dkim_verdict_find(struct dkim_verifier *v, const struct dkim_sig *sig,
	const unsigned char hash[DKIM_HASH], struct arena *a, struct dkim_verdict *out)
{
	const struct dkim_lookup *l = sig->key;
	struct dkim_verdict best = {.status = DKIM_NONE};

	(void)v;
	*out = (struct dkim_verdict){.status = sig->early, .why = sig->why};
	if (sig->early != DKIM_NONE)
		return;
	out->authentic = l->answer.secure;
	if (no_answer(l, a, out))
		return;
	for (size_t i = 0; i < l->count && best.status != DKIM_PASS; i++) {
		struct dkim_verdict each = {.authentic = l->answer.secure};
		record_try(&l->found[i], sig, hash, a, &each);
		if (best.status == DKIM_NONE || rank(each.status) > rank(best.status))
			best = each;
	}
	if (best.status != DKIM_NONE)
		*out = best;
}

static enum trace_state trace_state_of(enum dkim_status s)
{
	return s == DKIM_PASS ? TRACE_OK : s == DKIM_FAIL ? TRACE_BAD : TRACE_WARN;
}

static void step_add(
	struct trace *t, struct arena *a, const struct dkim_sig *sig, const struct dkim_result *r)
{
	struct str detail[4];
	size_t n = 0;

	if (t == NULL)
		return;
	detail[n++] = str_from(
		arena_printf(a, "%.*s%s%s", STR_FMT(r->algorithm), r->key_bits ? ", key of " : "",
			r->key_bits ? arena_printf(a, "%u bits", r->key_bits) : ""));
	if (sig->h.len > 0)
		detail[n++] = str_from(arena_printf(a, "h=%.*s", STR_FMT(dkim_unspace(a, sig->h))));
	if (r->length_used)
		detail[n++] = str_from(
			arena_printf(a, "only the first %lld octets of the body are signed (l=)",
				(long long)r->length));
	if (r->testing)
		detail[n++] = STR("the domain is only testing DKIM (t=y)");
	trace_add(t, &(struct trace_step){.kind = "dkim",
			     .title = str_from(arena_printf(a, "DKIM d=%.*s s=%.*s",
				     STR_FMT(r->domain), STR_FMT(r->selector))),
			     .state = trace_state_of(r->status),
			     .result = str_from(dkim_status_text(r->status)),
			     .dnssec = sig->key == NULL ? TRACE_DNSSEC_NONE
							: dns_answer_dnssec(&sig->key->answer),
			     .text = r->why,
			     .detail = detail,
			     .detail_count = n,
			     .took_ms = -1});
}

/* RFC 6008 section 4: at least 8 characters, more where two would be the same. */
static struct str prefix_of(const struct dkim_verifier *v, size_t at)
{
	struct str b = v->sigs[at].b_text;
	size_t n = 8;

	for (size_t i = 0; i < v->sig_count && i < DKIM_RESULTS_MAX; i++) {
		struct str other = v->sigs[i].b_text;
		while (i != at && n < b.len && n < 64 &&
			str_starts(other, (struct str){b.p, n < b.len ? n : b.len}))
			n++;
	}
	return (struct str){b.p, n < b.len ? n : b.len};
}

static void result_fill(
	struct dkim_verifier *v, size_t at, struct arena *a, struct dkim_result *out)
{
	const struct dkim_sig *sig = &v->sigs[at];
	unsigned char hash[DKIM_HASH] = {0};
	struct dkim_verdict verdict;

	if (sig->early == DKIM_NONE && sig->key->count > 0)
		dkim_verifier_hash(v, sig, hash);
	dkim_verdict_find(v, sig, hash, a, &verdict);
	*out = (struct dkim_result){.status = verdict.status,
		.domain = arena_str(a, sig->domain),
		.selector = arena_str(a, sig->selector),
		.identity = arena_str(a, sig->identity),
		.algorithm = arena_str(a, sig->algorithm),
		.prefix = arena_str(a, prefix_of(v, at)),
		.key_bits = verdict.key_bits,
		.authentic = verdict.authentic,
		.testing = verdict.testing,
		.length_used = sig->length_used,
		.length = sig->length,
		.services = arena_str(a, verdict.services),
		.signed_s = sig->signed_s,
		.expires_s = sig->expires_s,
		.why = arena_str(a, verdict.why)};
}

void dkim_verifier_finish(struct dkim_verifier *v, const struct dns_asker *q, struct arena *arena,
	struct dkim_results *out)
{
	*out = (struct dkim_results){.count = v->sig_count, .left_out = v->sig_left_out};
	out->at = arena_alloc(arena, (v->sig_count + 1) * sizeof(*out->at));
	dkim_bodies_finish(&v->bodies);
	dkim_lookups_run(&v->lookups, q);
	for (size_t i = 0; i < v->sig_count; i++) {
		result_fill(v, i, arena, &out->at[i]);
		step_add(q->trace, v->arena, &v->sigs[i], &out->at[i]);
	}
	if (v->sig_count == 0)
		trace_add(q->trace, &(struct trace_step){.kind = "dkim",
					    .title = STR("DKIM"),
					    .state = TRACE_INFO,
					    .result = STR("none"),
					    .text = STR("the message has no signature"),
					    .took_ms = -1});
}
