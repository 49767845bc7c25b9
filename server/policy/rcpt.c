#include "policy/rcpt.h"

#include "base/buf.h"
#include "dns/dns.h"
#include "store/tlsreport.h"

static const struct str localserve_account = {"mox", 3};

static struct str lowered(struct arena *a, struct str s)
{
	char *p = arena_strdup(a, s);

	str_lower(p, s.len);
	return (struct str){p, s.len};
}

/* The address with its domain in A-labels. */
static struct str address_write(
	struct arena *a, const struct message_address *addr, const char *domain)
{
	struct message_address out = *addr;

	out.domain = str_from(domain);
	return message_address_write(a, &out);
}

static int mailbox_of(struct store *s, struct str account, struct arena *a, struct rcpt_target *out,
	struct err *err)
{
	int rc = store_account_find(s, account, a, &out->account, err);

	if (rc < 0)
		return -1;
	out->verdict = rc == 1 ? RCPT_MAILBOX : RCPT_UNKNOWN_USER;
	return 0;
}

/* The row for the local part: as it is, without its detail, or the catch-all. */
static int entry_find(struct store *s, const struct store_domain *d, struct str localpart,
	struct arena *a, struct store_address *entry, struct err *err)
{
	struct str want = d->case_sensitive ? localpart : lowered(a, localpart);
	int rc = store_address_find(s, d->id, want, a, entry, err);

	if (rc != 0)
		return rc;
	if (d->separator.len > 0) {
		const char *at = str_find(want, d->separator);
		if (at != NULL && at > want.p) {
			struct str base = {want.p, (size_t)(at - want.p)};
			rc = store_address_find(s, d->id, base, a, entry, err);
			if (rc != 0)
				return rc;
		}
	}
	return store_address_find(s, d->id, STR(""), a, entry, err);
}

static void relay_verdict(struct rcpt_target *out, bool listed)
{
	out->relay = out->entry.relay.host_count > 0 ? &out->entry.relay : &out->domain.relay;
	if (listed) {
		out->verdict = RCPT_RELAY;
		return;
	}
	switch (out->domain.rcpt_check) {
	case STORE_CHECK_LIST:
		out->verdict = RCPT_UNKNOWN_USER;
		break;
	case STORE_CHECK_CALLOUT:
		out->verdict = RCPT_RELAY_CALLOUT;
		break;
	case STORE_CHECK_ANY:
		out->verdict = RCPT_RELAY;
		break;
	}
}

/* Nobody was named for a hosted domain's postmaster: the account of the domain's oldest
 * mailbox address reads it. */
static int postmaster_resolve(struct store *s, const struct config *c, struct arena *a,
	struct rcpt_target *out, struct err *err)
{
	struct store_address *rows;
	const struct store_address *first = NULL;
	size_t count;

	out->verdict = RCPT_UNKNOWN_USER;
	if (c->postmaster_account != NULL &&
		(mailbox_of(s, str_from(c->postmaster_account), a, out, err) < 0 ||
			out->verdict == RCPT_MAILBOX))
		return out->verdict == RCPT_MAILBOX ? 0 : -1;
	if (out->domain.delivery == STORE_DELIVERY_RELAY) {
		relay_verdict(out, true);
		return 0;
	}
	if (store_address_list(s, out->domain.id, 0, a, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].kind == STORE_ADDRESS_MAILBOX &&
			(first == NULL || rows[i].id < first->id))
			first = &rows[i];
	}
	return first == NULL ? 0 : mailbox_of(s, first->account, a, out, err);
}

static int hosted_resolve(struct store *s, const struct config *c,
	const struct message_address *addr, struct arena *a, struct rcpt_target *out,
	struct err *err)
{
	int found = entry_find(s, &out->domain, addr->localpart, a, &out->entry, err);

	if (found < 0)
		return -1;
	if (out->domain.disabled) {
		out->verdict = RCPT_DOMAIN_DISABLED;
		return 0;
	}
	if (found == 1) {
		switch (out->entry.kind) {
		case STORE_ADDRESS_MAILBOX:
			/* One spelling, so that Anna@ and anna@ are one recipient. */
			if (!out->domain.case_sensitive)
				out->address = lowered(a, out->address);
			return mailbox_of(s, out->entry.account, a, out, err);
		case STORE_ADDRESS_ALIAS:
			out->verdict = RCPT_ALIAS;
			return 0;
		case STORE_ADDRESS_RELAY:
			relay_verdict(out, true);
			return 0;
		}
	}
	out->entry = (struct store_address){.id = 0};
	bool postmaster = str_eq_nocase(addr->localpart, STR("postmaster"));
	if (out->domain.delivery == STORE_DELIVERY_RELAY &&
		(!postmaster || out->domain.rcpt_check != STORE_CHECK_LIST)) {
		relay_verdict(out, false);
		return 0;
	}
	if (postmaster) /* RFC 5321 4.5.1: somebody must read it */
		return postmaster_resolve(s, c, a, out, err);
	out->verdict = RCPT_UNKNOWN_USER;
	return 0;
}

/* A literal's queue is named by its text; it is never hosted here. */
static int literal_resolve(
	struct arena *a, const struct message_address *addr, struct rcpt_target *out)
{
	out->verdict = RCPT_REMOTE;
	out->address = message_address_write(a, addr);
	out->dest = lowered(a, addr->domain);
	return 0;
}

/* --- TLS reports --- */

/* The report address of a hosted domain: a name of its own in the domain is read by somebody,
 * a catch-all or a server behind us does not get the reports. */
static int domain_report(struct store *s, const struct message_address *addr, struct arena *a,
	struct rcpt_target *out, struct err *err)
{
	struct store_domain_tlsrpt d;

	if (out->verdict == RCPT_DOMAIN_DISABLED)
		return 0;
	if (store_domain_tlsrpt_get(s, out->domain.id, a, &d, err) < 0)
		return -1;
	if (d.off || d.localpart.len == 0 || !str_eq_nocase(d.localpart, addr->localpart))
		return 0;
	out->report = true;
	out->report_only = out->entry.localpart.len == 0;
	return 0;
}

/* <localpart>@<hostname>, which need not be a domain with mail. */
static int host_report(struct store *s, const struct config *c, const struct message_address *addr,
	struct arena *a, struct rcpt_target *out, struct err *err)
{
	if (c->host_tlsrpt_localpart == NULL || !str_eq(out->dest, str_from(c->hostname)) ||
		!str_eq_nocase(addr->localpart, str_from(c->host_tlsrpt_localpart)))
		return 0;
	out->report = out->report_host = true;
	if (c->host_tlsrpt_account != NULL && out->entry.localpart.len == 0 &&
		mailbox_of(s, str_from(c->host_tlsrpt_account), a, out, err) < 0)
		return -1;
	out->report_only = out->verdict != RCPT_MAILBOX && out->entry.localpart.len == 0;
	return 0;
}

int rcpt_resolve(struct store *s, const struct config *c, const struct message_address *addr,
	struct arena *a, struct rcpt_target *out, struct err *err)
{
	char domain[DNS_NAME_MAX];

	*out = (struct rcpt_target){.verdict = RCPT_REMOTE};
	if (addr->domain.len > 0 && addr->domain.p[0] == '[')
		return literal_resolve(a, addr, out);
	if (dns_name_to_ascii(addr->domain, domain, err) < 0)
		return err_prefix(err, "domain");
	out->address = address_write(a, addr, domain);
	out->dest = arena_str(a, str_from(domain));
	int hosted = store_domain_find(s, out->dest, a, &out->domain, err);
	if (hosted < 0)
		return -1;
	if (hosted == 1) {
		if (hosted_resolve(s, c, addr, a, out, err) < 0 ||
			domain_report(s, addr, a, out, err) < 0)
			return -1;
		return host_report(s, c, addr, a, out, err);
	}
	if (c->localserve)
		return mailbox_of(s, localserve_account, a, out, err);
	if (str_eq(out->dest, str_from(c->hostname))) {
		out->verdict = RCPT_UNKNOWN_USER;
		if (str_eq_nocase(addr->localpart, STR("postmaster")) &&
			c->postmaster_account != NULL)
			return mailbox_of(s, str_from(c->postmaster_account), a, out, err);
		return host_report(s, c, addr, a, out, err);
	}
	return 0;
}

/* --- aliases --- */

struct expansion {
	struct store *store;
	const struct config *config;
	struct arena *arena;
	struct rcpt_target **out;
	size_t count;
	struct str seen[RCPT_ALIAS_DEPTH_MAX + 1]; /* the aliases we are inside of */
};

static int target_add(struct expansion *x, const struct rcpt_target *t, struct err *err)
{
	for (size_t i = 0; i < x->count; i++) {
		if (str_eq_nocase(x->out[i]->address, t->address))
			return 0;
	}
	if (x->count == RCPT_EXPANSION_MAX)
		return err_set(
			err, ERR_PERM, "the alias has over %d recipients", RCPT_EXPANSION_MAX);
	x->out[x->count] = arena_alloc(x->arena, sizeof(*t));
	*x->out[x->count++] = *t;
	return 0;
}

static int alias_expand(
	struct expansion *x, const struct rcpt_target *alias, size_t depth, struct err *err);

static int member_expand(struct expansion *x, struct str member, size_t depth, struct err *err)
{
	struct message_address addr;
	struct rcpt_target *t = arena_alloc(x->arena, sizeof(*t));

	if (message_address_parse(x->arena, member, &addr, err) < 0 ||
		rcpt_resolve(x->store, x->config, &addr, x->arena, t, err) < 0)
		return err->kind == ERR_TEMP ? -1
					     : 0; /* a row the admin broke: the others get it */
	switch (t->verdict) {
	case RCPT_ALIAS:
		return alias_expand(x, t, depth + 1, err);
	case RCPT_UNKNOWN_USER:
		return 0;
	case RCPT_MAILBOX:
	case RCPT_RELAY:
	case RCPT_RELAY_CALLOUT:
	case RCPT_REMOTE:
	case RCPT_DOMAIN_DISABLED:
		break;
	}
	return target_add(x, t, err);
}

static int alias_expand(
	struct expansion *x, const struct rcpt_target *alias, size_t depth, struct err *err)
{
	if (depth == RCPT_ALIAS_DEPTH_MAX)
		return err_set(
			err, ERR_PERM, "the alias is nested over %d deep", RCPT_ALIAS_DEPTH_MAX);
	for (size_t i = 0; i < depth; i++) {
		if (str_eq_nocase(x->seen[i], alias->address))
			return 0; /* a loop: what is in it has been added already */
	}
	x->seen[depth] = alias->address;
	for (size_t i = 0; i < alias->entry.member_count; i++) {
		if (member_expand(x, alias->entry.members[i], depth, err) < 0)
			return -1;
	}
	return 0;
}

int rcpt_expand(struct store *s, const struct config *c, const struct rcpt_target *target,
	struct arena *a, struct rcpt_target **out, size_t *count, struct err *err)
{
	*count = 0;
	*out = NULL;
	if (target->verdict != RCPT_ALIAS) {
		*out = arena_alloc(a, sizeof(**out));
		**out = *target;
		*count = 1;
		return 0;
	}
	struct expansion x = {.store = s,
		.config = c,
		.arena = a,
		.out = arena_alloc(a, RCPT_EXPANSION_MAX * sizeof(*x.out))};
	if (alias_expand(&x, target, 0, err) < 0)
		return -1;
	if (x.count == 0)
		return err_set(err, ERR_PERM, "the alias has no member that exists");
	*out = arena_alloc(a, x.count * sizeof(**out));
	for (size_t i = 0; i < x.count; i++)
		(*out)[i] = *x.out[i];
	*count = x.count;
	return 0;
}

int rcpt_account_owns(struct store *s, const struct config *c, struct str account,
	const struct message_address *addr, struct arena *a, struct err *err)
{
	char name[DNS_NAME_MAX];
	struct store_domain domain;
	struct store_address entry;

	if (addr->domain.len == 0 || dns_name_to_ascii(addr->domain, name, err) < 0)
		return 0;
	int rc = store_domain_find(s, str_from(name), a, &domain, err);
	if (rc == 0)
		return c->localserve && str_eq(account, localserve_account);
	if (rc == 1)
		rc = entry_find(s, &domain, addr->localpart, a, &entry, err);
	if (rc != 1)
		return rc;
	return entry.account.len > 0 && str_eq(entry.account, account);
}
