/* One message: each check is a job with an arena and a trace of its own, so that they can run
 * beside each other and their steps still stand together. */
#include "auth/auth_pool.h"

#include "base/mem.h"
#include "base/thread.h"
#include "message/message.h"

#include <stdlib.h>

enum {
	FROM_MAX = 50,                          /* mailboxes of one From; our limit */
	TRACE_PART_BYTES = TRACE_BYTES_MAX / 5, /* of one check */
	IDENTITIES_MAX = 1 + DKIM_VERIFIED_MAX, /* domains that may come to vouch */
	GRACE_MS = 500 /* for alignment when the deadline has passed: answers are cached */
};

enum check_part { PART_IPREV, PART_SPF, PART_SPF_HELO, PART_DNSBL, PART_DKIM, PART_DMARC, PARTS };

struct part {
	struct auth_job job; /* first: a job is its part */
	struct auth_check *check;
	struct arena *arena;
	struct dns_asker ask;
	bool wanted;
};

struct auth_check {
	struct auth_options opt;
	struct arena *arena;
	struct auth_result result;
	pthread_cond_t done;
	struct part parts[PARTS];
	struct dkim_verifier *dkim;
	bool from_bad;
	struct str identities[IDENTITIES_MAX];
	size_t identity_count;
	struct dmarc_lookup lookups[DMARC_FROM_DOMAINS_MAX];
};

/* --- the jobs --- */

static struct spf_args spf_args(const struct auth_check *c)
{
	return (struct spf_args){.ip = c->opt.ip,
		.helo = c->opt.helo,
		.mailfrom = c->opt.mail_from,
		.receiver = c->opt.hostname,
		.now_unix_s = c->opt.now_s};
}

static void iprev_run(struct auth_job *job)
{
	struct part *p = (struct part *)job;

	iprev_check(&p->ask, &p->check->opt.ip, p->arena, &p->check->result.iprev);
}

static void spf_run(struct auth_job *job)
{
	struct part *p = (struct part *)job;
	struct spf_args args = spf_args(p->check);

	spf_check(&p->ask, &args, SPF_MAILFROM, p->arena, &p->check->result.spf);
}

static void spf_helo_run(struct auth_job *job)
{
	struct part *p = (struct part *)job;
	struct spf_args args = spf_args(p->check);

	spf_check(&p->ask, &args, SPF_HELO, p->arena, &p->check->result.spf_helo);
}

static void dnsbl_run(struct auth_job *job)
{
	struct part *p = (struct part *)job;
	const struct auth_options *o = &p->check->opt;

	p->check->result.dnsbl_count = dnsbl_check(o->dnsbl, &p->ask, &o->ip, o->zones,
		o->zone_count, p->arena, p->check->result.dnsbl);
}

static void dkim_run(struct auth_job *job)
{
	struct part *p = (struct part *)job;

	dkim_verifier_lookup(p->check->dkim, &p->ask);
}

/* Policies of the author domains; and where it looks as if alignment will ask for them, the
 * organizational domains, so that the answers are there. */
static void dmarc_run(struct auth_job *job)
{
	struct part *p = (struct part *)job;
	struct auth_check *c = p->check;
	struct dns_asker quiet = {
		.dns = p->ask.dns, .deadline = p->ask.deadline, .unknown = p->ask.unknown};
	struct dmarc_walk ignored;

	for (size_t i = 0; i < c->result.from_count && i < DMARC_FROM_DOMAINS_MAX; i++) {
		struct dmarc_lookup *l = &c->lookups[i];
		dmarc_lookup(&p->ask, c->result.from_domains[i], p->arena, l);
		if (l->found != DMARC_FOUND_RECORD ||
			(l->record.adkim == DMARC_STRICT && l->record.aspf == DMARC_STRICT))
			continue;
		for (size_t k = 0; k < c->identity_count; k++) {
			if (!dmarc_related(c->identities[k], l->domain))
				continue;
			dmarc_lookup_org(&p->ask, p->arena, l);
			dmarc_walk(&quiet, c->identities[k], p->arena, &ignored);
		}
	}
}

/* --- the header --- */

static bool known(const struct str *list, size_t count, struct str s)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(list[i], s))
			return true;
	}
	return false;
}

/* Author domains of one From field; false when it cannot be read. */
static bool from_read(struct auth_check *c, struct str value)
{
	struct auth_result *r = &c->result;
	struct message_mailbox *boxes = arena_alloc(c->arena, FROM_MAX * sizeof(*boxes));
	char domain[DNS_NAME_MAX];
	size_t count;
	struct err err;

	if (message_mailboxes_parse(c->arena, value, boxes, FROM_MAX, &count, &err) < 0)
		return false;
	r->from_domains = arena_alloc(c->arena, (count + 1) * sizeof(struct str));
	for (size_t i = 0; i < count; i++) {
		struct message_address addr = boxes[i].address;
		if (addr.domain.len == 0 || addr.domain.p[0] == '[' ||
			dns_name_to_ascii(addr.domain, domain, &err) < 0)
			return false;
		addr.domain = arena_str(c->arena, str_from(domain));
		if (i == 0)
			r->from_address = message_address_write(c->arena, &addr);
		if (!known(r->from_domains, r->from_count, addr.domain))
			r->from_domains[r->from_count++] = addr.domain;
	}
	return true;
}

static void identity_add(struct auth_check *c, struct str domain)
{
	char ascii[DNS_NAME_MAX];
	struct err err;

	if (c->identity_count < IDENTITIES_MAX && dns_name_to_ascii(domain, ascii, &err) == 0)
		c->identities[c->identity_count++] = arena_str(c->arena, str_from(ascii));
}

/* d= of a DKIM-Signature, only to ask early: nothing depends on it. */
static void signer_add(struct auth_check *c, struct str value)
{
	struct str rest = message_field_unfold(c->arena, value), tag, name, text;

	while (str_next(&rest, ';', &tag)) {
		if (str_split(tag, '=', &name, &text) && str_eq(str_trim(name), STR("d")))
			identity_add(c, str_trim(text));
	}
}

static void sender_add(struct auth_check *c)
{
	struct str sender = c->opt.mail_from.len > 0 ? c->opt.mail_from : c->opt.helo;
	size_t at = sender.len;

	while (at > 0 && sender.p[at - 1] != '@')
		at--;
	identity_add(c, str_skip(sender, at));
}

static bool header_read(struct auth_check *c)
{
	struct str rest = c->opt.header;
	struct message_field f;
	struct err err;
	unsigned from_fields = 0, signatures = 0;

	sender_add(c);
	while (message_header_next(&rest, &f, &err) == 1) {
		if (str_eq_nocase(f.name, STR("From"))) {
			if (from_fields++ > 0 || !from_read(c, f.value))
				c->from_bad = true;
		} else if (str_eq_nocase(f.name, STR("DKIM-Signature"))) {
			if (signatures++ < DKIM_VERIFIED_MAX)
				signer_add(c, f.value);
		} else if (str_eq_nocase(f.name, STR("ARC-Seal")))
			signatures++;
	}
	return signatures > 0;
}

/* --- the dialogue --- */

static void part_start(struct auth_check *c, enum check_part which, void (*run)(struct auth_job *))
{
	struct part *p = &c->parts[which];

	bool unknown = false;

	p->check = c;
	p->job.run = run;
	p->job.done = &c->done;
	p->arena = arena_open();
	p->ask = (struct dns_asker){.dns = c->opt.dns,
		.deadline = c->opt.deadline,
		.trace = trace_fork(c->opt.trace, TRACE_PART_BYTES),
		.unknown = &unknown};
	p->wanted = true;
	/* When all answers are in memory, no thread is worth it. */
	run(&p->job);
	p->ask.unknown = NULL;
	if (!unknown) {
		p->job.state = AUTH_JOB_DONE;
	} else if (which != PART_DKIM) { /* which goes on with what it has */
		trace_free(&p->ask.trace);
		p->ask.trace = trace_fork(c->opt.trace, TRACE_PART_BYTES);
	}
}

/* All but one go to the pool: that one is ours, else we would only wait. */
static void parts_submit(struct auth_check *c)
{
	bool ours = false;

	for (size_t i = PARTS; i-- > 0;) {
		if (!c->parts[i].wanted || c->parts[i].job.state == AUTH_JOB_DONE)
			continue;
		if (ours && c->opt.pool != NULL)
			auth_job_submit(c->opt.pool, &c->parts[i].job);
		ours = true;
	}
}

static bool helo_is_name(struct str helo)
{
	struct ip ip;

	return helo.len > 0 && helo.p[0] != '[' && memchr(helo.p, '.', helo.len) != NULL &&
	       !ip_parse(helo, &ip);
}

struct auth_check *auth_open(const struct auth_options *opt)
{
	struct auth_check *c = mem_alloc(sizeof(*c));
	struct auth_result *r = &c->result;

	c->opt = *opt;
	c->arena = arena_open();
	r->from_address = STR("");
	cond_init(&c->done);
	c->dkim = dkim_verifier_new(opt->header, opt->now_s);
	bool signatures = header_read(c);
	if (opt->ip.len > 0) {
		r->has_iprev = r->has_spf = true;
		part_start(c, PART_IPREV, iprev_run);
		part_start(c, PART_SPF, spf_run);
		r->has_spf_helo = opt->mail_from.len > 0 && helo_is_name(opt->helo);
		if (r->has_spf_helo)
			part_start(c, PART_SPF_HELO, spf_helo_run);
	}
	if (opt->ip.len > 0 && opt->dnsbl != NULL && opt->zone_count > 0) {
		r->dnsbl = arena_alloc(c->arena, opt->zone_count * sizeof(*r->dnsbl));
		part_start(c, PART_DNSBL, dnsbl_run);
	}
	if (signatures)
		part_start(c, PART_DKIM, dkim_run);
	if (r->from_count > 0 && !c->from_bad)
		part_start(c, PART_DMARC, dmarc_run);
	parts_submit(c);
	return c;
}

void auth_body(struct auth_check *c, struct str piece)
{
	dkim_verifier_feed(c->dkim, piece);
}

static void dmarc_finish(struct auth_check *c)
{
	struct auth_result *r = &c->result;
	struct dmarc_identity spf = {.domain = r->spf.domain,
		.selector = STR(""),
		.temperror = r->spf.result == SPF_TEMPERROR};
	struct dmarc_identity *dkim = arena_alloc(c->arena, (r->dkim.count + 1) * sizeof(*dkim));
	struct dmarc_input in = {.from_domains = r->from_domains,
		.from_count = r->from_count,
		.from_bad = c->from_bad,
		.spf = &spf,
		.dkim = dkim,
		.lookups = c->parts[PART_DMARC].wanted ? c->lookups : NULL};
	struct dns_asker ask = {.dns = c->opt.dns,
		.deadline = deadline_left_ms(c->opt.deadline) < GRACE_MS ? deadline_in_ms(GRACE_MS)
									 : c->opt.deadline,
		.trace = trace_fork(c->opt.trace, TRACE_PART_BYTES)};

	in.spf_count =
		r->has_spf && (r->spf.result == SPF_PASS || r->spf.result == SPF_TEMPERROR) ? 1 : 0;
	for (size_t i = 0; i < r->dkim.count && in.dkim_count < DMARC_IDENTITIES_MAX; i++) {
		const struct dkim_result *d = &r->dkim.at[i];
		if (d->status == DKIM_PASS || d->status == DKIM_TEMPERROR)
			dkim[in.dkim_count++] = (struct dmarc_identity){.domain = d->domain,
				.selector = d->selector,
				.temperror = d->status == DKIM_TEMPERROR};
	}
	dmarc_evaluate(&ask, &in, c->arena, &r->dmarc);
	trace_join(c->opt.trace, &ask.trace);
}

const struct auth_result *auth_finish(struct auth_check *c)
{
	struct auth_result *r = &c->result;
	struct dns_asker dkim_ask = {.dns = c->opt.dns, .deadline = c->opt.deadline};

	for (size_t i = PARTS; i-- > 0;) {
		if (c->parts[i].wanted)
			auth_job_finish(c->opt.pool, &c->parts[i].job);
	}
	dkim_ask.trace = c->parts[PART_DKIM].wanted ? c->parts[PART_DKIM].ask.trace
						    : trace_fork(c->opt.trace, TRACE_PART_BYTES);
	dkim_verifier_finish(c->dkim, &dkim_ask, c->arena, &r->dkim);
	arc_verifier_finish(c->dkim, &dkim_ask, c->arena, &r->arc);
	c->parts[PART_DKIM].ask.trace = dkim_ask.trace;
	for (size_t i = 0; i < PARTS; i++)
		trace_join(c->opt.trace, &c->parts[i].ask.trace);
	dmarc_finish(c);
	if (r->dmarc.result == DMARC_FAIL &&
		arc_result_vouches(&r->arc, c->opt.sealers, c->opt.sealer_count,
			r->dmarc.from_domain, &r->arc_set) != 1)
		r->arc_set = NULL;
	return r;
}

void auth_free(struct auth_check **cp)
{
	struct auth_check *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	for (size_t i = PARTS; i-- > 0;) {
		if (c->parts[i].job.submitted)
			auth_job_finish(c->opt.pool, &c->parts[i].job);
	}
	for (size_t i = 0; i < PARTS; i++) {
		trace_free(&c->parts[i].ask.trace);
		arena_close(&c->parts[i].arena);
	}
	dkim_verifier_free(&c->dkim);
	pthread_cond_destroy(&c->done);
	arena_close(&c->arena);
	free(c);
}
