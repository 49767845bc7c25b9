/* Adding a set to a chain, RFC 8617 section 5.1: ARC-Authentication-Results, then the message
 * signature, then the seal over all sets. */
#include "auth/dkim_priv.h"

struct dkim_signer *arc_sealer_new(
	struct str header, const struct arc_seal_options *opt, int64_t now_s)
{
	struct dkim_signer *s = dkim_signer_open(header, now_s);

	s->results = opt->results;
	s->chain = opt->chain;
	s->signings[s->count++] = (struct dkim_signing){.selector = opt->selector,
		.body = dkim_bodies_want(&s->bodies, opt->selector.body, -1)};
	return s;
}

static struct str algorithm_of(const struct dkim_selector *sel)
{
	return dkim_key_type(sel->key) == DKIM_ED25519 ? STR("ed25519-sha256") : STR("rsa-sha256");
}

static int message_write(
	struct dkim_signer *s, struct str instance, struct dkim_writer *w, struct err *err)
{
	static const struct str more[] = {{"DKIM-Signature", 14}};
	struct dkim_selector sel = s->signings[0].selector;
	struct str names;

	sel.seal = DKIM_DONT_SEAL; /* later hops add fields, and then a set of their own */
	names = dkim_signer_names(s, &sel, more, 1);
	dkim_writer_open(w, "ARC-Message-Signature");
	dkim_writer_tag(w, "i", instance);
	dkim_writer_tag(w, "a", algorithm_of(&sel));
	dkim_writer_tag(w, "c",
		str_from(arena_printf(s->arena, "%s/%s", dkim_canon_text(sel.header),
			dkim_canon_text(sel.body))));
	dkim_writer_tag(w, "d", sel.domain);
	dkim_writer_tag(w, "s", sel.selector);
	dkim_writer_tag(w, "t", dkim_number_text(s->arena, s->now_s));
	dkim_writer_names(w, names);
	dkim_writer_tag(w, "bh", dkim_hash_text(s->arena, s->signings[0].body->hash));
	return dkim_signer_sign(s, w, &sel, names, err);
}

/* The ARC field of that name and instance in the message. */
static const struct dkim_field *set_field(struct dkim_signer *s, struct str name, unsigned instance)
{
	for (size_t i = 0; i < s->fields.count; i++) {
		const struct dkim_field *f = &s->fields.at[i];
		struct str first, rest, tag, value;
		uint64_t n;
		if (!str_eq_nocase(f->name, name) || !str_split(f->value, ';', &first, &rest))
			continue;
		/* The seal and the message signature may have i= in any place. */
		for (rest = f->value; dkim_list_next(&rest, ';', &first);) {
			if (str_split(first, '=', &tag, &value) &&
				str_eq(dkim_trim(tag), STR("i")) &&
				str_to_u64(dkim_trim(value), ARC_SETS_MAX, &n) && n == instance)
				return f;
		}
	}
	return NULL;
}

/* All earlier sets in order; false when one is not there: the chain was not this message's. */
static bool sets_hash(struct dkim_signer *s, struct dkim_sink *sink)
{
	static const struct str names[] = {
		{"ARC-Authentication-Results", 26}, {"ARC-Message-Signature", 21}, {"ARC-Seal", 8}};

	for (unsigned i = 1; i <= s->chain->highest; i++) {
		for (size_t k = 0; k < 3; k++) {
			const struct dkim_field *f = set_field(s, names[k], i);
			if (f == NULL)
				return false;
			dkim_sink_relaxed(sink, f->name, f->value);
		}
	}
	return true;
}

static void own_hash(struct dkim_sink *sink, const struct buf *field)
{
	struct str name, value;

	if (str_split(buf_str(field), ':', &name, &value))
		dkim_sink_relaxed(sink, name, value);
}

static const char *cv_text(const struct arc_result *chain)
{
	return arc_status_text(chain->status);
}

static int seal_write(struct dkim_signer *s, struct str instance, const struct buf *results,
	const struct buf *message, struct dkim_writer *w, struct err *err)
{
	const struct dkim_selector *sel = &s->signings[0].selector;
	unsigned char hash[DKIM_HASH];
	struct dkim_signed last;
	struct dkim_sink sink;
	bool complete = true;

	dkim_writer_open(w, "ARC-Seal");
	dkim_writer_tag(w, "i", instance);
	dkim_writer_tag(w, "a", algorithm_of(sel));
	dkim_writer_tag(w, "t", dkim_number_text(s->arena, s->now_s));
	dkim_writer_tag(w, "cv", str_from(cv_text(s->chain)));
	dkim_writer_tag(w, "d", sel->domain);
	dkim_writer_tag(w, "s", sel->selector);
	dkim_writer_b(w, &last);
	dkim_sink_open(&sink);
	/* RFC 8617 section 5.1.2: a failed chain's seal covers its own set only. */
	if (s->chain->status == ARC_PASS)
		complete = sets_hash(s, &sink);
	own_hash(&sink, results);
	own_hash(&sink, message);
	dkim_sink_signature(&sink, &last, DKIM_RELAXED);
	dkim_sink_close(&sink, hash);
	if (!complete)
		return err_set(err, ERR_BUG, "ARC: the chain is not that of this message");
	return dkim_writer_sign(s, w, sel->key, hash, err);
}

/* A chain that somebody found broken before, or that is full, is not added to. */
static bool is_closed(const struct arc_result *chain)
{
	if (chain->highest >= ARC_SETS_MAX || (chain->status == ARC_FAIL && chain->highest == 0))
		return true;
	/* What failed for want of an answer may be right: no cv=fail for it. */
	return chain->cv_fail || chain->temporary;
}

int arc_sealer_finish(struct dkim_signer *s, struct buf *out, struct err *err)
{
	struct dkim_writer message = {.line = 0}, seal = {.line = 0};
	struct buf results = {NULL, 0, 0};
	struct str instance = dkim_number_text(s->arena, (int64_t)s->chain->highest + 1);
	int rc = -1;

	if (is_closed(s->chain))
		return 0;
	if (dkim_signer_from_check(s, err) < 0)
		return -1;
	dkim_bodies_finish(&s->bodies);
	buf_printf(&results, "ARC-Authentication-Results: i=%.*s; %.*s\r\n", STR_FMT(instance),
		STR_FMT(dkim_trim(s->results)));
	if (message_write(s, instance, &message, err) == 0 &&
		seal_write(s, instance, &results, &message.b, &seal, err) == 0) {
		buf_raw(out, buf_str(&seal.b));
		buf_raw(out, buf_str(&message.b));
		buf_raw(out, buf_str(&results));
		rc = 1;
	}
	buf_free(&results);
	buf_free(&message.b);
	buf_free(&seal.b);
	return rc;
}
