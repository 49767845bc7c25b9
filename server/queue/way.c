#include "queue/way.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) static void nowhere(
	struct way *out, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	out->kind = WAY_NOWHERE;
	out->transport = "";
	snprintf(out->ecode, sizeof(out->ecode), "%s", ecode);
	va_start(ap, fmt);
	if (vsnprintf(out->text, sizeof(out->text), fmt, ap) < 0)
		out->text[0] = '\0';
	va_end(ap);
}

static struct str domain_of(struct str address)
{
	const char *at = address.len ? memrchr(address.p, '@', address.len) : NULL;

	return at != NULL ? str_skip(address, (size_t)(at + 1 - address.p)) : (struct str){"", 0};
}

static void hosts(struct way *out, const struct store_relay *relay, const char *transport)
{
	if (relay->host_count == 0) {
		nowhere(out, "4.3.5", "The domain is relayed, but no host is configured for it");
		return;
	}
	out->kind = WAY_HOSTS;
	out->relay = relay;
	out->transport = transport;
}

static void direct(struct way *out, const struct rcpt_target *t)
{
	out->kind = WAY_MX;
	out->transport = "direct";
	out->domain = domain_of(t->address);
}

static void remote(struct way *out, const struct store_route_match *m, int64_t transport_id)
{
	out->reason = m->chosen || transport_id == STORE_WAY_DIRECT ? WAY_BY_ADMIN
		      : m->number > 0                               ? WAY_BY_ROUTE
								    : WAY_BY_DEFAULT;
	if (transport_id != STORE_WAY_DIRECT && out->match.transport.id != 0)
		hosts(out, &out->match.transport.relay, out->match.transport.name.p);
	else
		direct(out, &out->target);
}

/* A way that an admin chose is for all mail that leaves this machine; "direct" is for mail to
 * other domains, as the MX of a hosted one is this machine. */
void way_decide(const struct rcpt_target *t, const struct store_route_match *match,
	int64_t transport_id, struct way *out)
{
	out->target = *t;
	if (t->relay == &t->domain.relay)
		out->target.relay = &out->target.domain.relay;
	else if (t->relay == &t->entry.relay)
		out->target.relay = &out->target.entry.relay;
	out->match = *match;
	out->reason = WAY_BY_TARGET;
	switch (t->verdict) {
	case RCPT_MAILBOX:
		out->kind = WAY_MAILBOX;
		out->transport = "mailbox";
		return;
	case RCPT_RELAY:
	case RCPT_RELAY_CALLOUT:
		if (match->chosen) {
			out->reason = WAY_BY_ADMIN;
			hosts(out, &out->match.transport.relay, out->match.transport.name.p);
		} else {
			hosts(out, out->target.relay, "relay");
		}
		return;
	case RCPT_REMOTE:
		remote(out, match, transport_id);
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

/* What the question resolves to: false when that is nowhere. An alias of one is its member:
 * aliases were resolved at RCPT, this one is newer than the message. */
static bool target_find(struct store *s, const struct config *c, const struct way_question *q,
	struct arena *a, struct rcpt_target *t, struct way *out)
{
	struct message_address addr;
	struct rcpt_target *members;
	size_t count;
	struct err err;

	if (message_address_parse(a, q->rcpt, &addr, &err) < 0) {
		nowhere(out, "5.1.3", "%s", err.text);
		return false;
	}
	if (rcpt_resolve(s, c, &addr, a, t, &err) < 0) {
		nowhere(out, err.kind == ERR_PERM ? "5.1.3" : "4.3.0", "%s", err.text);
		return false;
	}
	if (t->verdict == RCPT_ALIAS && rcpt_expand(s, c, t, a, &members, &count, &err) == 0 &&
		count == 1)
		*t = members[0];
	return true;
}

static void target_way(struct store *s, const struct way_question *q, const struct rcpt_target *t,
	struct arena *a, struct way *out)
{
	struct store_route_question rq = {.attempts = q->attempts, .transport_id = q->transport_id};
	struct store_route_match match = {.number = 0};
	bool leaves = t->verdict == RCPT_REMOTE || t->verdict == RCPT_RELAY ||
		      t->verdict == RCPT_RELAY_CALLOUT;
	struct err err;

	/* Domains are compared in lower case (transport.name ends with NUL: arena_str). */
	struct str from = domain_of(q->mail_from);
	char *lower = arena_strdup(a, from);
	str_lower(lower, from.len);
	rq.from_domain = (struct str){lower, from.len};
	rq.to_domain = domain_of(t->address);
	out->rcpt = q->rcpt;
	if (leaves && (t->verdict == RCPT_REMOTE || q->transport_id > 0) &&
		store_route_match(s, &rq, a, &match, &err) < 0) {
		out->target = *t;
		nowhere(out, "4.3.0", "%s", err.text);
		return;
	}
	if (match.transport.id != 0)
		match.transport.name = str_from(arena_strdup(a, match.transport.name));
	way_decide(t, &match, q->transport_id, out);
}

void way_find(struct store *s, const struct config *c, const struct way_question *q,
	struct arena *a, struct way *out)
{
	struct rcpt_target *t = arena_alloc(a, sizeof(*t));

	*out = (struct way){.rcpt = q->rcpt, .transport = ""};
	if (target_find(s, c, q, a, t, out))
		target_way(s, q, t, a, out);
}

void way_find_all(struct store *s, const struct config *c, const struct way_question *q,
	struct arena *a, struct way **out, size_t *count, size_t *left_out)
{
	struct rcpt_target *t = arena_alloc(a, sizeof(*t)), *members;
	size_t n;
	struct err err;

	*out = arena_alloc(a, sizeof(**out));
	**out = (struct way){.rcpt = q->rcpt, .transport = ""};
	*count = 1;
	*left_out = 0;
	if (!target_find(s, c, q, a, t, *out))
		return;
	if (t->verdict != RCPT_ALIAS) {
		target_way(s, q, t, a, *out);
		return;
	}
	if (rcpt_expand(s, c, t, a, &members, &n, &err) < 0) {
		nowhere(*out, err.kind == ERR_PERM ? "5.4.6" : "4.3.0", "%s", err.text);
		return;
	}
	*count = n < WAY_ANSWERS_MAX ? n : WAY_ANSWERS_MAX;
	*left_out = n - *count;
	*out = arena_alloc(a, (*count + 1) * sizeof(**out));
	for (size_t i = 0; i < *count; i++) {
		struct way_question one = *q;
		one.rcpt = members[i].address;
		target_way(s, &one, &members[i], a, &(*out)[i]);
	}
}

/* --- in words --- */

static void hosts_write(struct buf *b, const struct store_relay *relay)
{
	for (size_t i = 0; i < relay->host_count; i++)
		buf_printf(b, "%s%.*s", i == 0 ? "" : ", then ", STR_FMT(relay->hosts[i]));
	buf_printf(b, " (%s)", relay->protocol == STORE_PROTOCOL_LMTP ? "LMTP" : "SMTP");
}

static void route_write(struct buf *b, const struct store_route_match *m)
{
	const struct store_route *r = &m->route;

	buf_printf(b, " Route %zu says so: ", m->number);
	if (r->from_domain.len == 0)
		buf_text(b, "any sender");
	else
		buf_printf(b, "senders in %.*s", STR_FMT(r->from_domain));
	if (r->to_domain.len == 0)
		buf_text(b, " to any domain");
	else
		buf_printf(b, " to %.*s", STR_FMT(r->to_domain));
	if (r->min_attempts > 0)
		buf_printf(b, ", from attempt %u on", r->min_attempts + 1);
	buf_text(b, ".");
}

static void reason_write(struct buf *b, const struct way *w)
{
	switch (w->reason) {
	case WAY_BY_TARGET:
		if (w->target.entry.id != 0 && w->kind == WAY_HOSTS &&
			w->target.entry.relay.host_count == 0)
			buf_printf(b, " The domain %.*s says so, and the address is listed.",
				STR_FMT(w->target.domain.name));
		else if (w->target.entry.id != 0)
			buf_printf(b, " The address %s%.*s of the domain %.*s says so.",
				w->target.entry.localpart.len == 0 ? "catch-all" : "",
				STR_FMT(w->target.entry.localpart), STR_FMT(w->target.domain.name));
		else if (w->target.domain.id != 0)
			buf_printf(b, " The domain %.*s says so.", STR_FMT(w->target.domain.name));
		return;
	case WAY_BY_ADMIN:
		buf_text(b, " It was chosen for this recipient by hand.");
		return;
	case WAY_BY_ROUTE:
		route_write(b, &w->match);
		return;
	case WAY_BY_DEFAULT:
		buf_text(b, " No route matches.");
		return;
	}
}

const char *way_words(const struct way *w, struct arena *a)
{
	struct buf b = {NULL, 0, 0};

	switch (w->kind) {
	case WAY_MAILBOX:
		buf_printf(
			&b, "Into the mailbox of account %.*s.", STR_FMT(w->target.account.name));
		break;
	case WAY_HOSTS:
		if (w->reason == WAY_BY_TARGET)
			buf_text(&b, "To ");
		else
			buf_printf(&b, "Through transport %s: ", w->transport);
		hosts_write(&b, w->relay);
		buf_text(&b, ".");
		break;
	case WAY_MX:
		if (w->domain.len > 0 && w->domain.p[0] == '[')
			buf_printf(&b, "Direct to the address %.*s.", STR_FMT(w->domain));
		else
			buf_printf(
				&b, "Direct to the mail servers (MX) of %.*s.", STR_FMT(w->domain));
		break;
	case WAY_NOWHERE:
		buf_printf(
			&b, "%s: %s.", w->ecode[0] == '5' ? "Nowhere" : "Nowhere for now", w->text);
		break;
	}
	if (w->kind != WAY_NOWHERE)
		reason_write(&b, w);
	const char *text = arena_strdup(a, buf_str(&b));
	buf_free(&b);
	return text;
}
