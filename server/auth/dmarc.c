/* Alignment and verdict, RFC 9989 sections 4.4, 4.10.2 and 5.3. */
#include "auth/dmarc.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

const char *dmarc_result_text(enum dmarc_result r)
{
	switch (r) {
	case DMARC_NONE:
		return "none";
	case DMARC_PASS:
		return "pass";
	case DMARC_FAIL:
		return "fail";
	case DMARC_TEMPERROR:
		return "temperror";
	case DMARC_PERMERROR:
		return "permerror";
	}
	return "?";
}

/* domain is ancestor, or a name below it. */
static bool is_or_below(struct str domain, struct str ancestor)
{
	return str_eq(domain, ancestor) ||
	       (domain.len > ancestor.len && str_ends(domain, ancestor) &&
		       domain.p[domain.len - ancestor.len - 1] == '.');
}

static struct str last_label(struct str domain)
{
	size_t at = domain.len;

	while (at > 0 && domain.p[at - 1] != '.')
		at--;
	return str_skip(domain, at);
}

bool dmarc_related(struct str a, struct str b)
{
	struct str top = last_label(a);

	if (str_eq(a, b) || !str_eq(top, last_label(b)))
		return false;
	/* More than the top in common. */
	a.len -= top.len;
	b.len -= top.len;
	if (a.len == 0 || b.len == 0)
		return true;
	a.len--;
	b.len--;
	return str_eq(last_label(a), last_label(b));
}

enum aligned { ALIGNED_NO, ALIGNED_YES, ALIGNED_UNKNOWN /* a look-up failed */ };

/* Same organizational domain? Asks only where the names leave it open. */
static enum aligned relaxed(const struct dns_asker *ask, struct str domain, struct arena *arena,
	struct dmarc_lookup *author)
{
	struct dmarc_walk walk;

	dmarc_lookup_org(ask, arena, author);
	/* Without an answer: names that share no more than the top are of one organization only if
	 * the top says so, which is a mistake of its keepers (section 11.8). */
	if (author->org.len == 0)
		return dmarc_related(domain, author->domain) ? ALIGNED_UNKNOWN : ALIGNED_NO;
	if (!is_or_below(domain, author->org))
		return ALIGNED_NO;
	dmarc_walk(ask, domain, arena, &walk);
	author->secure = author->secure && walk.secure;
	if (walk.temperror)
		return ALIGNED_UNKNOWN;
	return str_eq(walk.org, author->org) ? ALIGNED_YES : ALIGNED_NO;
}

static enum aligned aligned(const struct dns_asker *ask, struct str domain,
	enum dmarc_alignment mode, struct arena *arena, struct dmarc_lookup *author)
{
	if (domain.len == 0)
		return ALIGNED_NO;
	if (str_eq(domain, author->domain))
		return ALIGNED_YES;
	return mode == DMARC_STRICT ? ALIGNED_NO : relaxed(ask, domain, arena, author);
}

struct tally {
	bool pass, unsure;
	struct str domain; /* that passed */
};

/* Goes over the identities of one method; unsure: one that could make it pass. Exact names
 * come first, so that the usual message needs no walk for alignment. */
static void identities_judge(const struct dns_asker *ask, const struct dmarc_identity *ids,
	size_t count, enum dmarc_alignment mode, struct arena *arena, struct dmarc_lookup *author,
	struct tally *t)
{
	*t = (struct tally){.domain = STR("")};
	for (size_t i = 0; i < count && !t->pass; i++) {
		if (!ids[i].temperror && str_eq(ids[i].domain, author->domain)) {
			t->pass = true;
			t->domain = ids[i].domain;
		}
	}
	for (size_t i = 0; i < count && i < DMARC_IDENTITIES_MAX && !t->pass; i++) {
		switch (aligned(ask, ids[i].domain, mode, arena, author)) {
		case ALIGNED_NO:
			break;
		case ALIGNED_UNKNOWN:
			t->unsure = true;
			break;
		case ALIGNED_YES:
			if (ids[i].temperror) {
				t->unsure = true;
			} else {
				t->pass = true;
				t->domain = ids[i].domain;
			}
			break;
		}
	}
}

/* --- words --- */

__attribute__((format(printf, 2, 3))) static struct str text_make(
	struct arena *arena, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_str(arena, str_from(text));
}

static struct str pass_text(struct arena *arena, const struct dmarc_verdict *v)
{
	const char *by = v->dkim_aligned ? v->spf_aligned ? "Both a DKIM signature and SPF confirm"
							  : "A DKIM signature confirms"
					 : "SPF confirms";

	if (str_eq(v->aligned_domain, v->from_domain))
		return text_make(
			arena, "%s that this message is from %.*s.", by, STR_FMT(v->from_domain));
	return text_make(arena,
		"%s that this message is from %.*s: %.*s belongs to the same organization.", by,
		STR_FMT(v->from_domain), STR_FMT(v->aligned_domain));
}

static const char *wish(enum dmarc_policy p)
{
	switch (p) {
	case DMARC_POLICY_NONE:
		return "its owner asks for nothing to be done about that";
	case DMARC_POLICY_QUARANTINE:
		return "its owner asks to treat such mail as suspicious";
	case DMARC_POLICY_REJECT:
		return "its owner asks to reject such mail";
	}
	return "";
}

/* --- one author domain --- */

static void judge(const struct dns_asker *ask, const struct dmarc_input *in, size_t which,
	struct arena *arena, struct dmarc_verdict *v)
{
	struct dmarc_lookup *l = &v->lookup;
	struct tally spf, dkim;

	*v = (struct dmarc_verdict){.result = DMARC_NONE, .aligned_domain = STR("")};
	if (in->lookups != NULL)
		*l = in->lookups[which];
	else
		dmarc_lookup(ask, in->from_domains[which], arena, l);
	v->from_domain = l->domain;
	v->secure = l->secure;
	v->text = l->text;
	if (l->found == DMARC_FOUND_TEMPERROR)
		v->result = DMARC_TEMPERROR;
	if (l->found != DMARC_FOUND_RECORD || !l->record.applies)
		return;
	identities_judge(ask, in->dkim, in->dkim_count, l->record.adkim, arena, l, &dkim);
	identities_judge(ask, in->spf, in->spf_count, l->record.aspf, arena, l, &spf);
	v->secure = l->secure;
	v->dkim_aligned = dkim.pass;
	v->spf_aligned = spf.pass;
	v->aligned_domain = dkim.pass ? dkim.domain : spf.domain;
	if (dkim.pass || spf.pass) {
		v->result = DMARC_PASS;
		v->text = pass_text(arena, v);
	} else if (dkim.unsure || spf.unsure) {
		v->result = DMARC_TEMPERROR;
		v->text = text_make(arena,
			"Whether this message is from %.*s could not be found out: a look-up for "
			"its DKIM signature or SPF failed.",
			STR_FMT(v->from_domain));
	} else {
		v->result = DMARC_FAIL;
		v->policy = l->policy;
		v->text = text_make(arena, "Nothing confirms that this message is from %.*s; %s%s.",
			STR_FMT(v->from_domain), wish(l->policy),
			l->policy != l->published ? " (it is testing a stricter policy)" : "");
	}
}

/* --- the message --- */

/* Which of two verdicts on a message with several author domains decides: the strictest of
 * those that fail (section 11.5). */
static unsigned gravity(const struct dmarc_verdict *v)
{
	switch (v->result) {
	case DMARC_FAIL:
		return 4 + (unsigned)v->policy;
	case DMARC_TEMPERROR:
		return 3;
	case DMARC_PERMERROR:
		return 2;
	case DMARC_NONE:
		return 1; /* one that nothing vouches for beside one that passes: no pass */
	case DMARC_PASS:
		return 0;
	}
	return 0;
}

static enum trace_state state_of(const struct dmarc_verdict *v)
{
	switch (v->result) {
	case DMARC_NONE:
		return TRACE_INFO;
	case DMARC_PASS:
		return TRACE_OK;
	case DMARC_FAIL:
		return v->policy == DMARC_POLICY_NONE ? TRACE_WARN : TRACE_BAD;
	case DMARC_TEMPERROR:
	case DMARC_PERMERROR:
		return TRACE_WARN;
	}
	return TRACE_INFO;
}

static void identities_note(struct arena *arena, const char *method,
	const struct dmarc_identity *ids, size_t count, const char *mode, struct str *lines,
	size_t *n)
{
	for (size_t i = 0; i < count && *n < TRACE_DETAILS_MAX; i++)
		lines[(*n)++] = text_make(arena, "%s %s %.*s%s%.*s (alignment %s)", method,
			ids[i].temperror ? "could not be decided for" : "vouches for",
			STR_FMT(ids[i].domain), ids[i].selector.len > 0 ? ", selector " : "",
			STR_FMT(ids[i].selector), mode);
	if (count == 0 && *n < TRACE_DETAILS_MAX)
		lines[(*n)++] = text_make(arena, "%s vouches for no domain", method);
}

static void trace_note(const struct dns_asker *ask, const struct dmarc_input *in,
	struct arena *arena, const struct dmarc_verdict *v)
{
	const struct dmarc_lookup *l = &v->lookup;
	struct str lines[TRACE_DETAILS_MAX];
	size_t n = 0;

	if (ask->trace == NULL)
		return;
	if (l->found == DMARC_FOUND_RECORD) {
		lines[n++] = text_make(arena, "policy: %.*s", STR_FMT(l->text));
		lines[n++] = text_make(arena, "record at _dmarc.%.*s: %.*s",
			STR_FMT(l->record_domain), STR_FMT(l->record.text));
		for (size_t i = 0; i < l->record.note_count; i++)
			lines[n++] = text_make(
				arena, "about the record: %.*s", STR_FMT(l->record.notes[i]));
		identities_note(arena, "DKIM", in->dkim, in->dkim_count,
			l->record.adkim == DMARC_STRICT ? "strict" : "relaxed", lines, &n);
		identities_note(arena, "SPF", in->spf, in->spf_count,
			l->record.aspf == DMARC_STRICT ? "strict" : "relaxed", lines, &n);
		if (l->org.len > 0 && n < TRACE_DETAILS_MAX)
			lines[n++] = text_make(arena, "organizational domain of %.*s: %.*s",
				STR_FMT(l->domain), STR_FMT(l->org));
	}
	trace_add(ask->trace,
		&(struct trace_step){.kind = "dmarc",
			.title = text_make(arena, "DMARC %.*s", STR_FMT(v->from_domain)),
			.state = state_of(v),
			.result = str_from(dmarc_result_text(v->result)),
			.dnssec = v->from_domain.len == 0 ? TRACE_DNSSEC_NONE
				  : v->secure             ? TRACE_SECURE
							  : TRACE_INSECURE,
			.text = v->text,
			.detail = lines,
			.detail_count = n,
			.took_ms = -1});
}

/* Without exactly one readable From there is nothing to ask for (section 5.3.1). */
static bool from_unfit(const struct dmarc_input *in, struct arena *arena, struct dmarc_verdict *out)
{
	*out = (struct dmarc_verdict){
		.from_domain = STR(""), .aligned_domain = STR(""), .text = STR("")};
	if (in->from_bad) {
		out->result = DMARC_PERMERROR;
		out->text = STR("The From field cannot be read or comes more than once, so nobody "
				"can tell whom the message claims to be from.");
	} else if (in->from_count == 0) {
		out->result = DMARC_NONE;
		out->text =
			STR("The message names no domain in From, so there is no DMARC policy.");
	} else if (in->from_count > DMARC_FROM_DOMAINS_MAX) {
		out->result = DMARC_PERMERROR;
		out->text =
			text_make(arena, "From names %zu domains; more than %d are not checked.",
				in->from_count, DMARC_FROM_DOMAINS_MAX);
	} else
		return false;
	return true;
}

void dmarc_evaluate(const struct dns_asker *ask, const struct dmarc_input *in, struct arena *arena,
	struct dmarc_verdict *out)
{
	if (from_unfit(in, arena, out)) {
		trace_note(ask, in, arena, out);
		return;
	}
	for (size_t i = 0; i < in->from_count; i++) {
		struct dmarc_verdict v;
		judge(ask, in, i, arena, &v);
		trace_note(ask, in, arena, &v);
		if (i == 0 || gravity(&v) > gravity(out))
			*out = v;
	}
}
