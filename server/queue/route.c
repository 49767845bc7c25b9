/* Which next hop a recipient's mail takes: a mailbox here, the hosts of a relay or
 * smarthost, or the MX hosts of its domain. */
#include "queue/queue_priv.h"

#include "base/buf.h"
#include "base/hash.h"
#include "queue/way.h"

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
}

static void mx_hop(struct delivery *d, struct str domain, struct next_hop *out)
{
	out->kind = HOP_MX;
	out->transport = "direct";
	out->literal = domain.len > 2 && domain.p[0] == '[' && domain.p[domain.len - 1] == ']';
	if (out->literal)
		domain = (struct str){domain.p + 1, domain.len - 2};
	if (out->literal && str_starts_nocase(domain, STR("IPv6:")))
		domain = str_skip(domain, 5);
	out->domain = arena_strdup(d->arena, domain);
	out->name = out->domain;
	out->key = arena_printf(d->arena, "mx %s%.*s", out->literal ? "ip " : "", STR_FMT(domain));
}

void route_take(struct delivery *d, const struct way *w, struct next_hop *out)
{
	*out = (struct next_hop){.transport = ""};
	switch (w->kind) {
	case WAY_MAILBOX:
		out->kind = HOP_MAILBOX;
		out->account = w->target.account.name;
		out->transport = "mailbox";
		out->name = "mailbox";
		out->key = arena_printf(d->arena, "mailbox %.*s", STR_FMT(out->account));
		return;
	case WAY_HOSTS:
		hosts_hop(d, out, w->relay, w->transport);
		return;
	case WAY_MX:
		mx_hop(d, w->domain, out);
		return;
	case WAY_NOWHERE:
		nowhere(out, w->ecode, w->text);
		return;
	}
}

void route_hop(struct delivery *d, const struct store_claim *claim,
	const struct store_claim_rcpt *rcpt, struct next_hop *out)
{
	struct way_question q = {.mail_from = claim->mail_from,
		.rcpt = rcpt->address,
		.attempts = rcpt->attempts,
		.transport_id = rcpt->transport_id};
	struct way *w = arena_alloc(d->arena, sizeof(*w));

	way_find(d->q->opt.store, d->config, &q, d->arena, w);
	route_take(d, w, out);
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
	bool any;
	struct err err;

	if (store_queue_way_any(d->q->opt.store, d->dest, &any, &err) < 0 || any)
		return false;
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
