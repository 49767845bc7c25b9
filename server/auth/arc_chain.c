/* Chain validation, RFC 8617 section 5.2. */
#include "auth/dkim_priv.h"

#include <stdarg.h>
#include <stdio.h>

const char *arc_status_text(enum arc_status s)
{
	switch (s) {
	case ARC_NONE:
		return "none";
	case ARC_PASS:
		return "pass";
	case ARC_FAIL:
		return "fail";
	}
	return "?";
}

__attribute__((format(printf, 3, 4))) static void broken(
	struct dkim_verifier *v, struct arc_chain *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (c->broken.len > 0)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->broken = arena_str(v->arena, str_from(text));
}

/* --- reading --- */

/* Skips white space and comments; false when a comment does not end. */
static bool cfws_skip(struct str *s)
{
	unsigned depth = 0;

	while (s->len > 0) {
		char c = s->p[0];
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			*s = str_skip(*s, 1);
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return true;
		*s = str_skip(*s, 1);
	}
	return depth == 0;
}

/* instance = [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";" and the rest. 0: it is none. */
static unsigned results_instance(struct str value, struct str *rest)
{
	unsigned n = 0, digits = 0;

	if (!cfws_skip(&value) || value.len == 0 || ascii_lower(value.p[0]) != 'i')
		return 0;
	value = str_skip(value, 1);
	if (!cfws_skip(&value) || value.len == 0 || value.p[0] != '=')
		return 0;
	value = str_skip(value, 1);
	if (!cfws_skip(&value))
		return 0;
	for (; value.len > 0 && ascii_is_digit(value.p[0]) && digits < 2; digits++) {
		n = n * 10 + (unsigned)(value.p[0] - '0');
		value = str_skip(value, 1);
	}
	if (!cfws_skip(&value) || value.len == 0 || value.p[0] != ';' || n > ARC_SETS_MAX)
		return 0;
	*rest = dkim_trim(str_skip(value, 1));
	return n;
}

static void set_place(struct dkim_verifier *v, struct arc_chain *c, unsigned instance,
	const char *what, unsigned *number)
{
	if (instance > c->highest)
		c->highest = instance;
	if (++*number > 1)
		broken(v, c, "there are two %s fields with i=%u", what, instance);
}

static void seal_read(struct dkim_verifier *v, struct arc_chain *c, const struct dkim_field *field)
{
	struct dkim_sig sig;

	dkim_sig_parse(v->arena, DKIM_ARC_SEAL, field, v->now_s, &sig);
	if (sig.instance == 0) {
		broken(v, c, "an ARC-Seal cannot be read: %.*s", STR_FMT(sig.why));
		return;
	}
	struct arc_set_in *set = &c->sets[sig.instance];
	set_place(v, c, sig.instance, "ARC-Seal", &set->seals);
	set->seal = sig;
}

static void message_read(
	struct dkim_verifier *v, struct arc_chain *c, const struct dkim_field *field)
{
	struct dkim_sig sig;

	dkim_sig_parse(v->arena, DKIM_ARC_MESSAGE, field, v->now_s, &sig);
	if (sig.instance == 0) {
		broken(v, c, "an ARC-Message-Signature cannot be read: %.*s", STR_FMT(sig.why));
		return;
	}
	struct arc_set_in *set = &c->sets[sig.instance];
	set_place(v, c, sig.instance, "ARC-Message-Signature", &set->messages);
	set->message = sig;
}

static void results_read(
	struct dkim_verifier *v, struct arc_chain *c, const struct dkim_field *field)
{
	struct str text;
	unsigned instance = results_instance(field->value, &text);

	if (instance == 0) {
		broken(v, c, "an ARC-Authentication-Results field has no i= from 1 to %d",
			ARC_SETS_MAX);
		return;
	}
	struct arc_set_in *set = &c->sets[instance];
	set_place(v, c, instance, "ARC-Authentication-Results", &set->results_count);
	set->results = field;
	set->results_text = text;
}

/* Every instance has one of each; cv= is none first and pass from then on. */
static void structure_check(struct dkim_verifier *v, struct arc_chain *c)
{
	for (unsigned i = 1; i <= c->highest && c->broken.len == 0; i++) {
		const struct arc_set_in *set = &c->sets[i];
		if (set->seals == 0 || set->messages == 0 || set->results_count == 0)
			broken(v, c, "set i=%u is not complete", i);
		else if (set->seal.early != DKIM_NONE)
			broken(v, c, "the ARC-Seal of set i=%u: %.*s", i, STR_FMT(set->seal.why));
		else if (str_eq_nocase(set->seal.cv, STR("fail"))) {
			c->cv_fail = true;
			broken(v, c, "%.*s, sealing set i=%u, found the chain broken",
				STR_FMT(set->seal.domain), i);
		} else if (!str_eq_nocase(set->seal.cv, i == 1 ? STR("none") : STR("pass")))
			broken(v, c, "the ARC-Seal of set i=%u says cv=%.*s", i,
				STR_FMT(set->seal.cv));
	}
}

void arc_chain_read(struct dkim_verifier *v)
{
	struct arc_chain *c = NULL;

	for (size_t i = 0; i < v->fields.count; i++) {
		const struct dkim_field *f = &v->fields.at[i];
		if (!str_starts_nocase(f->name, STR("ARC-")))
			continue;
		bool seal = str_eq_nocase(f->name, STR("ARC-Seal"));
		bool message = str_eq_nocase(f->name, STR("ARC-Message-Signature"));
		if (!seal && !message && !str_eq_nocase(f->name, STR("ARC-Authentication-Results")))
			continue;
		if (c == NULL) {
			c = arena_alloc(v->arena, sizeof(*c));
			c->sets = arena_alloc(v->arena, (ARC_SETS_MAX + 1) * sizeof(*c->sets));
		}
		if (c->broken.len > 0)
			break; /* nothing more is of interest, however much there is */
		if (seal)
			seal_read(v, c, f);
		else if (message)
			message_read(v, c, f);
		else
			results_read(v, c, f);
	}
	v->arc = c;
	if (c == NULL)
		return;
	structure_check(v, c);
	for (unsigned i = 1; i <= c->highest && c->broken.len == 0; i++) {
		dkim_verifier_need(v, &c->sets[i].seal);
		dkim_verifier_need(v, &c->sets[i].message);
	}
}

/* --- validating --- */

/* RFC 8617 section 5.1.1: all sets up to this one, in order, relaxed; the seal last. */
static void seal_hash(const struct arc_chain *c, unsigned instance, unsigned char hash[DKIM_HASH])
{
	const struct dkim_sig *seal = &c->sets[instance].seal;
	struct dkim_sink sink;

	dkim_sink_open(&sink);
	for (unsigned i = 1; i <= instance; i++) {
		const struct arc_set_in *set = &c->sets[i];
		dkim_sink_relaxed(&sink, set->results->name, set->results->value);
		dkim_sink_relaxed(&sink, set->message.field->name, set->message.field->value);
		if (i < instance)
			dkim_sink_relaxed(&sink, set->seal.field->name, set->seal.field->value);
	}
	dkim_sink_signature(&sink,
		&(struct dkim_signed){.name = seal->field->name,
			.value = seal->field->value,
			.b_raw = seal->b_raw},
		DKIM_RELAXED);
	dkim_sink_close(&sink, hash);
}

static void message_verdict(
	struct dkim_verifier *v, unsigned instance, struct arena *a, struct dkim_verdict *out)
{
	const struct dkim_sig *sig = &v->arc->sets[instance].message;
	unsigned char hash[DKIM_HASH] = {0};

	if (sig->early == DKIM_NONE)
		dkim_verifier_hash(v, sig, hash);
	dkim_verdict_find(v, sig, hash, a, out);
}

static void sets_fill(const struct dkim_verifier *v, struct arena *a, struct arc_result *out)
{
	out->count = v->arc->highest;
	out->sets = arena_alloc(a, (out->count + 1) * sizeof(*out->sets));
	for (unsigned i = 0; i < out->count; i++) {
		const struct arc_set_in *in = &v->arc->sets[out->count - i];
		out->sets[i] = (struct arc_set){.instance = (unsigned)out->count - i,
			.sealer = arena_str(a, in->seal.domain),
			.selector = arena_str(a, in->seal.selector),
			.signer = arena_str(a, in->message.domain),
			.results = message_field_unfold(a, arena_str(a, in->results_text))};
	}
}

__attribute__((format(printf, 4, 5))) static void result_set(
	struct arc_result *out, struct arena *a, enum arc_status status, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out->status = status;
	out->why = arena_str(a, str_from(text));
}

/* Newest message signature, then every seal. True: the chain passes. */
static bool chain_check(struct dkim_verifier *v, struct arena *a, struct arc_result *out)
{
	struct dkim_verdict verdict;
	unsigned char hash[DKIM_HASH];

	message_verdict(v, v->arc->highest, a, &verdict);
	out->sets[0].message = verdict.status;
	if (verdict.status != DKIM_PASS) {
		out->temporary = verdict.status == DKIM_TEMPERROR;
		result_set(out, a, ARC_FAIL,
			"the newest message signature (set i=%u, by %.*s): %.*s", v->arc->highest,
			STR_FMT(out->sets[0].signer), STR_FMT(verdict.why));
		return false;
	}
	for (size_t i = 0; i < out->count; i++) {
		struct arc_set *set = &out->sets[i];
		seal_hash(v->arc, set->instance, hash);
		dkim_verdict_find(v, &v->arc->sets[set->instance].seal, hash, a, &verdict);
		set->seal_valid = verdict.status == DKIM_PASS;
		set->authentic = verdict.authentic;
		if (!set->seal_valid) {
			out->temporary = verdict.status == DKIM_TEMPERROR;
			result_set(out, a, ARC_FAIL, "the seal of set i=%u, by %.*s: %.*s",
				set->instance, STR_FMT(set->sealer), STR_FMT(verdict.why));
			return false;
		}
	}
	return true;
}

/* The message signatures below the newest: where did the last change happen? */
static void oldest_pass_find(struct dkim_verifier *v, struct arena *a, struct arc_result *out)
{
	out->oldest_pass = 0;
	for (size_t i = 1; i < out->count; i++) {
		struct dkim_verdict verdict;
		message_verdict(v, out->sets[i].instance, a, &verdict);
		out->sets[i].message = verdict.status;
		if (verdict.status != DKIM_PASS) {
			out->oldest_pass = out->sets[i].instance + 1;
			return;
		}
	}
}

static void chain_text(struct arc_result *out, struct arena *a)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = out->count; i > 0; i--)
		buf_printf(&b, "%s%.*s", i == out->count ? "" : ", then ",
			STR_FMT(out->sets[i - 1].sealer));
	if (out->oldest_pass == 0)
		result_set(
			out, a, ARC_PASS, "sealed by %s; unchanged since the first of them", b.p);
	else
		result_set(out, a, ARC_PASS, "sealed by %s; last changed before set i=%u", b.p,
			out->oldest_pass);
	buf_free(&b);
}

static void step_add(const struct dns_asker *q, const struct arc_result *r, struct arena *a)
{
	struct str detail[TRACE_DETAILS_MAX];
	size_t n = 0;

	if (q->trace == NULL || r->status == ARC_NONE)
		return;
	for (; n < r->count && n < TRACE_DETAILS_MAX; n++)
		detail[n] = str_from(arena_printf(a, "i=%u by %.*s: %.*s", r->sets[n].instance,
			STR_FMT(r->sets[n].sealer), STR_FMT(r->sets[n].results)));
	trace_add(q->trace, &(struct trace_step){.kind = "arc",
				    .title = STR("ARC"),
				    .state = r->status == ARC_PASS ? TRACE_OK : TRACE_WARN,
				    .result = str_from(arc_status_text(r->status)),
				    .text = r->why,
				    .detail = detail,
				    .detail_count = n,
				    .took_ms = -1});
}

void arc_verifier_finish(struct dkim_verifier *v, const struct dns_asker *q, struct arena *arena,
	struct arc_result *out)
{
	*out = (struct arc_result){.status = ARC_NONE, .why = STR("the message has no ARC sets")};
	if (v->arc == NULL)
		return;
	out->highest = v->arc->highest;
	out->cv_fail = v->arc->cv_fail;
	if (v->arc->broken.len > 0) {
		result_set(out, arena, ARC_FAIL, "%.*s", STR_FMT(v->arc->broken));
	} else {
		dkim_bodies_finish(&v->bodies);
		dkim_lookups_run(&v->lookups, q);
		sets_fill(v, arena, out);
		if (chain_check(v, arena, out)) {
			oldest_pass_find(v, arena, out);
			chain_text(out, arena);
		}
	}
	step_add(q, out, v->arena);
}
