/* The DNS tree walk and policy discovery, RFC 9989 section 4.10. */
#include "auth/dmarc.h"

#include "base/buf.h"

#include <stdio.h>

static size_t labels_count(struct str domain)
{
	size_t n = domain.len > 0 ? 1 : 0;

	for (size_t i = 0; i < domain.len; i++)
		n += domain.p[i] == '.';
	return n;
}

/* Without its leftmost label; empty at the top. */
static struct str parent_of(struct str domain)
{
	struct str head, tail;

	return str_split(domain, '.', &head, &tail) ? tail : STR("");
}

size_t dmarc_walk_names(struct str domain, struct str names[DMARC_QUERIES_MAX])
{
	size_t labels = labels_count(domain), n = 0;

	if (labels == 0)
		return 0;
	names[n++] = domain;
	domain = parent_of(domain);
	for (labels--; labels >= DMARC_QUERIES_MAX; labels--)
		domain = parent_of(domain);
	for (; labels > 0; labels--) {
		names[n++] = domain;
		domain = parent_of(domain);
	}
	return n;
}

/* --- one name --- */

static void answer_read(
	const struct dns_answer *answer, struct arena *arena, struct dmarc_step *out)
{
	struct dmarc_record record;

	out->secure = answer->secure;
	out->found = DMARC_FOUND_NOTHING;
	if (dns_status_is_temporary(answer->status)) {
		out->found = DMARC_FOUND_TEMPERROR;
		out->secure = false;
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		if (dmarc_record_parse(arena, answer->records[i].data, &record) == 0)
			continue;
		if (out->found == DMARC_FOUND_RECORD) {
			out->found = DMARC_FOUND_SEVERAL;
			return;
		}
		out->found = DMARC_FOUND_RECORD;
		out->record = record;
	}
}

static bool stops(const struct dmarc_step *step)
{
	return step->found == DMARC_FOUND_RECORD && step->record.psd != DMARC_PSD_UNKNOWN;
}

/* Asks for the names side by side. A name too long for "_dmarc." before it has no record. */
static void names_ask(const struct dns_asker *ask, const struct str *names, size_t count,
	struct arena *arena, struct dmarc_step *steps)
{
	struct dns_request requests[DMARC_QUERIES_MAX];
	struct dns_answer answers[DMARC_QUERIES_MAX];
	size_t at[DMARC_QUERIES_MAX], n = 0;
	struct err err;

	for (size_t i = 0; i < count; i++) {
		steps[i] = (struct dmarc_step){.domain = names[i], .found = DMARC_FOUND_NOTHING};
		const char *name = arena_printf(arena, "_dmarc.%.*s", STR_FMT(names[i]));
		if (!dns_name_askable(str_from(name)))
			continue;
		requests[n] = (struct dns_request){.type = DNS_TXT, .name = name};
		at[n++] = i;
	}
	if (n == 0)
		return;
	if (dns_ask_many(ask, requests, n, arena, answers, &err) < 0) {
		for (size_t i = 0; i < n; i++)
			steps[at[i]].found = DMARC_FOUND_TEMPERROR;
		return;
	}
	for (size_t i = 0; i < n; i++)
		answer_read(&answers[i], arena, &steps[at[i]]);
}

/* --- the walk --- */

/* Section 4.10.2, from the longest name to the shortest. */
static void org_choose(struct dmarc_walk *w)
{
	struct str fewest = w->domain, below = w->domain;

	for (size_t i = 0; i < w->count; i++) {
		const struct dmarc_step *step = &w->steps[i];
		if (step->found != DMARC_FOUND_RECORD)
			continue;
		if (step->record.psd == DMARC_PSD_NO) {
			w->org = step->domain;
			return;
		}
		if (step->record.psd == DMARC_PSD_YES && i > 0) {
			w->psd = step->domain;
			/* One label below it, towards where the walk began. */
			while (parent_of(below).len > step->domain.len)
				below = parent_of(below);
			w->org = below;
			return;
		}
		fewest = step->domain;
	}
	w->org = fewest;
}

/* Drops the steps after the one that ends the walk, and sums up. */
static void walk_finish(struct dmarc_walk *w)
{
	w->secure = w->count > 0;
	for (size_t i = 0; i < w->count; i++) {
		if (w->steps[i].found == DMARC_FOUND_TEMPERROR)
			w->temperror = true;
		w->secure = w->secure && w->steps[i].secure;
		if (stops(&w->steps[i]))
			w->count = i + 1;
	}
	if (!w->temperror)
		org_choose(w);
}

/* The walk whose first step was made already, if first is not NULL. */
static void walk_on(const struct dns_asker *ask, struct str domain, const struct dmarc_step *first,
	struct arena *arena, struct dmarc_walk *out)
{
	struct str names[DMARC_QUERIES_MAX];
	size_t n = dmarc_walk_names(domain, names), done = 0;

	*out = (struct dmarc_walk){.domain = domain,
		.steps = arena_alloc(arena, DMARC_QUERIES_MAX * sizeof(struct dmarc_step)),
		.org = STR(""),
		.psd = STR("")};
	if (first != NULL)
		out->steps[done++] = *first;
	if (n > done && (first == NULL || !stops(first))) {
		names_ask(ask, names + done, n - done, arena, out->steps + done);
		done = n;
	}
	out->count = done;
	walk_finish(out);
}

void dmarc_walk(
	const struct dns_asker *ask, struct str domain, struct arena *arena, struct dmarc_walk *out)
{
	walk_on(ask, arena_str(arena, domain), NULL, arena, out);
}

/* --- policy discovery --- */

static const struct dmarc_step *step_at(const struct dmarc_walk *w, struct str domain)
{
	for (size_t i = 0; i < w->count && domain.len > 0; i++) {
		if (w->steps[i].found == DMARC_FOUND_RECORD && str_eq(w->steps[i].domain, domain))
			return &w->steps[i];
	}
	return NULL;
}

/* np is for names that do not exist (RFC 8020); asked for only where it differs. */
static bool domain_exists(const struct dns_asker *ask, struct str domain, struct arena *arena)
{
	struct dns_answer answer;
	struct err err;

	return dns_ask(ask, DNS_A, arena_strdup(arena, domain), arena, &answer, &err) < 0 ||
	       answer.status != DNS_NXDOMAIN;
}

static enum dmarc_policy lowered(enum dmarc_policy p)
{
	return p == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

static void policy_choose(
	const struct dns_asker *ask, struct arena *arena, struct dmarc_lookup *out)
{
	const struct dmarc_record *r = &out->record;

	if (out->source == DMARC_AT_DOMAIN) {
		out->tag = "p";
		out->published = r->p;
	} else {
		if (r->np != r->sp)
			out->exists = domain_exists(ask, out->domain, arena);
		bool np = !out->exists && r->has_np;
		out->tag = np ? "np" : r->has_sp ? "sp" : "p";
		out->published = np ? r->np : r->sp;
	}
	out->policy = r->testing ? lowered(out->published) : out->published;
}

static void record_take(const struct dns_asker *ask, const struct dmarc_step *step,
	enum dmarc_source source, struct arena *arena, struct dmarc_lookup *out)
{
	out->found = DMARC_FOUND_RECORD;
	out->source = source;
	out->record = step->record;
	out->record_domain = step->domain;
	policy_choose(ask, arena, out);
}

static struct str sentence(struct arena *arena, const struct dmarc_lookup *l)
{
	struct str d = l->domain, at = l->record_domain;

	switch (l->found) {
	case DMARC_FOUND_TEMPERROR:
		return str_from(arena_printf(
			arena, "The DMARC policy of %.*s could not be looked up now.", STR_FMT(d)));
	case DMARC_FOUND_NOTHING:
		return str_from(arena_printf(arena, "%.*s publishes no DMARC policy.", STR_FMT(d)));
	case DMARC_FOUND_SEVERAL:
		return str_from(arena_printf(arena,
			"%.*s has several DMARC records, so none of them counts.", STR_FMT(d)));
	case DMARC_FOUND_RECORD:
		break;
	}
	if (!l->record.applies)
		return str_from(arena_printf(arena,
			"The DMARC record at %.*s has no usable policy and asks for no reports.",
			STR_FMT(at)));
	if (!l->record.has_p)
		return str_from(arena_printf(arena,
			"%.*s asks for nothing to be done with mail that fails DMARC (no policy "
			"in the record at _dmarc.%.*s).",
			STR_FMT(d), STR_FMT(at)));
	return str_from(arena_printf(arena,
		"%.*s asks %s mail that fails DMARC (%s=%s at _dmarc.%.*s%s).", STR_FMT(d),
		l->policy == DMARC_POLICY_REJECT       ? "to reject"
		: l->policy == DMARC_POLICY_QUARANTINE ? "to quarantine"
						       : "for nothing to be done with",
		l->tag, dmarc_policy_text(l->published), STR_FMT(at),
		l->record.testing && l->policy != l->published ? ", one step lower for t=y" : ""));
}

void dmarc_lookup(const struct dns_asker *ask, struct str domain, struct arena *arena,
	struct dmarc_lookup *out)
{
	struct dmarc_step *first = arena_alloc(arena, sizeof(*first));
	const struct dmarc_step *step;

	domain = arena_str(arena, domain);
	*out = (struct dmarc_lookup){.domain = domain, .exists = true, .tag = "p"};
	names_ask(ask, &domain, 1, arena, first);
	if (first->found == DMARC_FOUND_RECORD) {
		/* The rest of the walk is for alignment only, and often not needed. */
		out->walk = (struct dmarc_walk){.domain = domain, .steps = first, .count = 1};
		out->secure = first->secure;
		record_take(ask, first, DMARC_AT_DOMAIN, arena, out);
	} else {
		walk_on(ask, domain, first, arena, &out->walk);
		out->secure = out->walk.secure;
		out->org = out->walk.org;
		if (out->walk.temperror)
			out->found = DMARC_FOUND_TEMPERROR;
		else if ((step = step_at(&out->walk, out->walk.org)) != NULL)
			record_take(ask, step, DMARC_AT_ORG, arena, out);
		else if ((step = step_at(&out->walk, out->walk.psd)) != NULL)
			record_take(ask, step, DMARC_AT_PSD, arena, out);
		else
			out->found = first->found; /* nothing, or several */
	}
	out->text = sentence(arena, out);
}

void dmarc_lookup_org(const struct dns_asker *ask, struct arena *arena, struct dmarc_lookup *l)
{
	if (l->org.len > 0 || l->walk.temperror || l->walk.count != 1)
		return;
	struct dmarc_step first = l->walk.steps[0];
	walk_on(ask, l->domain, &first, arena, &l->walk);
	l->org = l->walk.org;
	l->secure = l->secure && l->walk.secure;
}
