/* Which next hop a recipient's mail takes: a mailbox here, the hosts of a relay or
 * smarthost, or the MX hosts of its domain. */
#include "queue/queue_priv.h"

#include "base/buf.h"
#include "base/hash.h"
#include "message/message.h"

#include <stdio.h>

static void nowhere(struct next_hop *out, const char *ecode, const char *text)
{
	struct slot s = {.transport = ""};

	slot_own_word(&s, ecode, text);
	out->kind = HOP_NOWHERE;
	out->key = out->name = "";
	out->refusal = s.word;
}

static void hosts_hop(struct delivery *d, struct next_hop *out, const struct store_relay *relay,
	const char *transport)
{
	struct buf key = {NULL, 0, 0};

	buf_printf(&key, "%d %d %.*s", (int)relay->protocol, (int)relay->tls,
		STR_FMT(relay->username));
	for (size_t i = 0; i < relay->host_count; i++)
		buf_printf(&key, " %.*s", STR_FMT(relay->hosts[i]));
	/* A changed password must not find the session of the old one. */
	if (relay->password.len > 0)
		buf_printf(&key, " %llx", (unsigned long long)hash_str(relay->password));
	out->kind = HOP_HOSTS;
	out->relay = relay;
	out->transport = transport;
	out->key = arena_strdup(d->arena, buf_str(&key));
	buf_free(&key);
	out->name = relay->host_count == 1 ? arena_strdup(d->arena, relay->hosts[0])
					   : arena_printf(d->arena, "%.*s (first of %zu)",
						     STR_FMT(relay->hosts[0]), relay->host_count);
	if (relay->host_count == 0)
		nowhere(out, "4.3.5", "The domain is relayed, but no host is configured for it");
}

static struct str domain_of(struct str address)
{
	const char *at = address.len ? memrchr(address.p, '@', address.len) : NULL;

	return at != NULL ? str_skip(address, (size_t)(at + 1 - address.p)) : (struct str){"", 0};
}

static void remote_hop(struct delivery *d, const struct store_claim *claim,
	const struct store_claim_rcpt *rcpt, const struct rcpt_target *target, struct next_hop *out)
{
	struct store_transport *t = arena_alloc(d->arena, sizeof(*t));
	struct str to = domain_of(target->address), from = domain_of(claim->mail_from);
	char *lower = arena_strdup(d->arena, from);
	struct err err;

	str_lower(lower, from.len);
	from.p = lower;
	int rc = store_route_choose(d->q->opt.store, from, to, rcpt->attempts, d->arena, t, &err);
	if (rc < 0) {
		nowhere(out, "4.3.0", err.text);
		return;
	}
	if (rc == 1 && t->id != 0) {
		hosts_hop(d, out, &t->relay, arena_strdup(d->arena, t->name));
		return;
	}
	out->kind = HOP_MX;
	out->transport = "direct";
	out->literal = to.len > 2 && to.p[0] == '[' && to.p[to.len - 1] == ']';
	if (out->literal)
		to = (struct str){to.p + 1, to.len - 2};
	if (out->literal && str_starts_nocase(to, STR("IPv6:")))
		to = str_skip(to, 5);
	out->domain = arena_strdup(d->arena, to);
	out->name = out->domain;
	out->key = arena_printf(d->arena, "mx %s%.*s", out->literal ? "ip " : "", STR_FMT(to));
}

static void target_hop(struct delivery *d, const struct store_claim *claim,
	const struct store_claim_rcpt *rcpt, const struct rcpt_target *t, struct next_hop *out)
{
	switch (t->verdict) {
	case RCPT_MAILBOX:
		out->kind = HOP_MAILBOX;
		out->account = t->account.name;
		out->transport = "mailbox";
		out->name = "mailbox";
		out->key = arena_printf(d->arena, "mailbox %.*s", STR_FMT(t->account.name));
		return;
	case RCPT_RELAY:
	case RCPT_RELAY_CALLOUT:
		hosts_hop(d, out, t->relay, "relay");
		return;
	case RCPT_REMOTE:
		remote_hop(d, claim, rcpt, t, out);
		return;
	case RCPT_ALIAS:
		nowhere(out, "4.2.4",
			"The address has become an alias of several after the message came");
		return;
	case RCPT_UNKNOWN_USER:
		nowhere(out, "5.1.1", "There is no such address here any more");
		return;
	case RCPT_DOMAIN_DISABLED:
		nowhere(out, "4.2.1", "The domain is disabled at the moment");
		return;
	}
}

void route_hop(struct delivery *d, const struct store_claim *claim,
	const struct store_claim_rcpt *rcpt, struct next_hop *out)
{
	struct rcpt_target *t = arena_alloc(d->arena, sizeof(*t)), *members;
	struct store *s = d->q->opt.store;
	struct message_address addr;
	size_t count;
	struct err err;

	*out = (struct next_hop){.transport = ""};
	if (message_address_parse(d->arena, rcpt->address, &addr, &err) < 0) {
		nowhere(out, "5.1.3", err.text);
		return;
	}
	if (rcpt_resolve(s, d->config, &addr, d->arena, t, &err) < 0) {
		nowhere(out, err.kind == ERR_PERM ? "5.1.3" : "4.3.0", err.text);
		return;
	}
	/* Aliases were resolved at RCPT; this one is newer than the message. */
	if (t->verdict == RCPT_ALIAS &&
		rcpt_expand(s, d->config, t, d->arena, &members, &count, &err) == 0 && count == 1)
		t = &members[0];
	target_hop(d, claim, rcpt, t, out);
}

/* "" is any, ".x.org" also x.org itself and all below (store/directory.h). */
static bool pattern_matches(struct str pattern, struct str domain)
{
	if (pattern.len == 0 || str_eq_nocase(pattern, domain))
		return true;
	if (pattern.p[0] != '.')
		return false;
	return str_eq_nocase(str_skip(pattern, 1), domain) ||
	       (domain.len > pattern.len &&
		       str_eq_nocase(str_skip(domain, domain.len - pattern.len), pattern));
}

bool route_is_only(struct delivery *d, const struct next_hop *hop)
{
	struct store_route *rows;
	size_t count;
	struct err err;

	if (hop->kind == HOP_HOSTS && strcmp(hop->transport, "relay") == 0)
		return true;
	if (store_route_list(d->q->opt.store, d->arena, &rows, &count, &err) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!pattern_matches(rows[i].to_domain, str_from(d->dest)))
			continue;
		/* One for all senders and attempts decides; another may part them. */
		return rows[i].from_domain.len == 0 && rows[i].min_attempts == 0;
	}
	return true;
}
