/* One delivery, from claimed recipients to recorded results. */
#include "queue/secure.h"

#include "base/log.h"
#include "queue/maildir.h"
#include "smtp/client_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct group { /* recipients of one message that take the same next hop */
	struct delivery *d;
	const struct store_claim *claim;
	const struct next_hop *hop;
	struct slot *slots; /* all of the message */
	size_t *at;         /* which are in the group */
	size_t count;
	struct trace *trace; /* of the attempt over SMTP */
};

enum { DOWN_FIRST_MS = 30 * 1000 };

static size_t group_open(const struct group *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->count; i++)
		n += !g->slots[g->at[i]].settled;
	return n;
}

/* Gives every open recipient the same word. */
static void group_word(
	struct group *g, const struct smtp_rcpt_reply *word, const char *mx, const char *ip)
{
	for (size_t i = 0; i < g->count; i++) {
		struct slot *s = &g->slots[g->at[i]];
		if (s->settled)
			continue;
		s->word = *word;
		s->mx = mx;
		s->ip = ip;
		s->settled = word->permanent;
	}
}

/* Nothing of the hop could be reached. It is not called down for longer than its mail would
 * wait anyway. When we hung up ourselves, that says nothing about it. */
static void group_hop_failed(struct group *g, const char *text)
{
	struct delivery *d = g->d;
	int64_t first_ms = d->config->queue.retry_first_s * 1000;

	if (!hops_is_cut(d->q->hops))
		hops_failed(d->q->hops, g->hop->key, g->hop->name, clock_unix_ms(),
			first_ms < DOWN_FIRST_MS ? first_ms : DOWN_FIRST_MS, text);
}

/* --- mailboxes here --- */

static void mailbox_deliver(struct group *g)
{
	struct delivery *d = g->d;
	struct err err = {.kind = ERR_NONE};
	struct store_body *body = NULL;
	int rc = store_body_open(d->q->opt.store, g->claim->id, &body, &err);

	for (size_t i = 0; i < g->count; i++) {
		struct slot *s = &g->slots[g->at[i]];
		const struct store_claim_rcpt *rcpt = &g->claim->rcpts[g->at[i]];
		struct maildir_mail mail = {.data_dir = d->config->data_dir,
			.hostname = d->config->hostname,
			.account = g->hop->account,
			.mail_from = g->claim->mail_from,
			.rcpt = rcpt->original.len > 0 ? rcpt->original : rcpt->address,
			.body = body,
			.received_ms = g->claim->received_ms,
			.rcpt_id = rcpt->id};
		if (rc == 0 && maildir_deliver(&mail, &err) == 0) {
			slot_own_word(s, "2.1.5", "Delivered to the mailbox");
			s->word.accepted = s->settled = true;
		} else {
			slot_own_word(s, err.kind == ERR_FULL ? "4.3.1" : "4.3.0", err.text);
		}
	}
	store_body_close(&body);
}

/* --- over SMTP --- */

enum sent {
	SENT_DONE,  /* a word for all of the group */
	SENT_LATER, /* some should be tried at another host */
	SENT_STALE  /* a kept session had died before anything was sent */
};

static void word_take(struct group *g, struct slot *s, const struct smtp_rcpt_reply *word,
	const struct hop_session *hs)
{
	s->word = *word;
	if (s->word.text[0] == '\0' || strcmp(s->word.text, "(no text)") == 0)
		snprintf(s->word.text, sizeof(s->word.text), "reply %d without text", s->word.code);
	s->settled = word->accepted || word->permanent;
	s->mx = arena_strdup(g->d->arena, str_from(hs->host));
	s->ip = arena_strdup(g->d->arena, str_from(hs->ip));
	s->tls = arena_strdup(g->d->arena, str_from(hs->tls));
	s->how = arena_strdup(g->d->arena, str_from(hs->how));
	s->peer_dsn = (smtp_client_extensions(hs->client) & SMTP_EXT_DSN) != 0;
}

static void transaction_trace(struct group *g, const struct hop_session *hs, enum trace_state state,
	const char *result, const char *text)
{
	trace_add(g->trace,
		&(struct trace_step){.kind = "smtp",
			.title = str_from(arena_printf(g->d->arena, "Message to %s", hs->host)),
			.state = state,
			.result = str_from(result),
			.text = str_from(text),
			.took_ms = -1});
}

/* What the server said to the recipients: equal words once. */
static void words_trace(struct group *g, const struct hop_session *hs, const size_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct slot *s = &g->slots[at[i]];
		char code[16] = "";
		bool same = i > 0 && strcmp(s->word.text, g->slots[at[i - 1]].word.text) == 0 &&
			    s->word.code == g->slots[at[i - 1]].word.code;
		if (same)
			continue;
		if (s->word.code > 0)
			snprintf(code, sizeof(code), "%d", s->word.code);
		transaction_trace(g, hs,
			s->word.accepted    ? TRACE_OK
			: s->word.permanent ? TRACE_BAD
					    : TRACE_WARN,
			code, s->word.text);
	}
}

/* One transaction for the open recipients. *accepted: how many. */
static enum sent transaction(struct group *g, struct hop_session *hs, struct store_body *body,
	size_t *accepted, size_t *too_many)
{
	struct arena *a = g->d->arena;
	const struct store_claim *c = g->claim;
	size_t *at = arena_alloc(a, g->count * sizeof(*at)), n = 0;
	struct smtp_send_rcpt *rcpts = arena_alloc(a, g->count * sizeof(*rcpts));
	struct smtp_rcpt_reply *replies = arena_alloc(a, g->count * sizeof(*replies));
	struct smtp_rcpt_reply word = {.code = 0};
	struct smtp_failure failure;

	for (size_t i = 0; i < g->count; i++) {
		const struct store_claim_rcpt *r = &c->rcpts[g->at[i]];
		if (g->slots[g->at[i]].settled)
			continue;
		at[n] = g->at[i];
		rcpts[n++] = (struct smtp_send_rcpt){
			.address = r->address, .orcpt = r->orcpt, .notify = r->notify};
	}
	struct smtp_send msg = {.mail_from = c->mail_from,
		.envid = c->envid,
		.ret = c->ret,
		.body_8bit = c->body_8bit,
		.smtputf8 = c->smtputf8,
		.requiretls = c->requiretls,
		.no_8bit = g->hop->kind == HOP_MX ? SMTP_NO_8BIT_FAIL : SMTP_NO_8BIT_SEND,
		.size = c->size,
		.rcpts = rcpts,
		.rcpt_count = n,
		.body = body};
	int rc = smtp_client_send(hs->client, &msg, replies, &failure);
	*accepted = *too_many = 0;
	bool lmtp = g->hop->relay != NULL && g->hop->relay->protocol == STORE_PROTOCOL_LMTP;
	bool closing = rc == 0 ? replies[0].code == 421
			       : failure.stage <= SMTP_STAGE_MAIL &&
					 (failure.code == 0 || failure.code == 421);
	if (hs->reused && closing && !smtp_client_usable(hs->client)) {
		transaction_trace(g, hs, TRACE_INFO, "closed meanwhile", "");
		return SENT_STALE;
	}
	if (rc < 0)
		failure_word(&failure, &word);
	for (size_t i = 0; i < n; i++) {
		bool silent = replies[i].code == 0 && replies[i].text[0] == '\0';
		word_take(g, &g->slots[at[i]], silent ? &word : &replies[i], hs);
		if (silent)
			g->slots[at[i]].settled = false;
		*accepted += replies[i].accepted;
		*too_many += replies[i].code == 452 && !lmtp;
	}
	words_trace(g, hs, at, n);
	return group_open(g) == 0 ? SENT_DONE : SENT_LATER;
}

/* Sends over one session; again when the peer only takes so many recipients at a time. */
static enum sent session_send(struct group *g, struct hop_session *hs, struct store_body *body)
{
	size_t accepted, too_many;
	enum sent sent;

	do {
		sent = transaction(g, hs, body, &accepted, &too_many);
		if (sent == SENT_STALE)
			return sent;
		hs->reused = false; /* from now on it is known to live */
	} while (sent == SENT_LATER && accepted > 0 && too_many > 0 &&
		 smtp_client_usable(hs->client));
	return sent;
}

static void session_keep(struct delivery *d)
{
	const struct config_queue *c = &d->config->queue;

	hops_give(d->q->hops, &d->session, c->idle_connection_ms, c->max_concurrent);
}

/* The session of the message before, or an idle one of somebody else. */
static bool session_reuse(struct delivery *d, const char *key)
{
	if (d->session != NULL && smtp_client_usable(d->session->client) &&
		strcmp(d->session->key, key) == 0) {
		d->session->reused = true;
	} else {
		session_keep(d);
		d->session = hops_take(d->q->hops, key);
	}
	if (d->session == NULL)
		return false;
	atomic_fetch_add(&d->q->reused, 1);
	smtp_client_renew(d->session->client, deadline_in_ms(d->config->queue.session_timeout_ms));
	return true;
}

/* Walks over the hosts until every recipient has a word that lasts. */
static void hosts_walk(struct group *g, struct store_body *body, const struct ip *skip)
{
	struct delivery *d = g->d;
	struct connect_walk *w = arena_alloc(d->arena, sizeof(*w));
	struct connect_trouble *trouble = arena_alloc(d->arena, sizeof(*trouble));
	unsigned sessions = skip->len > 0;
	struct smtp_rcpt_reply refusal;

	w->trace = g->trace;
	w->is_tls_report = g->claim->is_tls_report;
	if (connect_begin(w, d, g->hop, &refusal) < 0) {
		group_word(g, &refusal, "", "");
		if (!refusal.permanent)
			group_hop_failed(g, refusal.text);
		return;
	}
	w->skip_ip = *skip;
	while (sessions < SESSIONS_MAX && connect_next(w, &d->session, trouble) == 1) {
		enum sent sent = session_send(g, d->session, body);
		sessions++;
		if (sent == SENT_DONE)
			return;
		session_keep(d);
		connect_skip_host(w);
	}
	if (sessions > 0) /* somebody has spoken: that is the word */
		return;
	if (connect_is_hopeless(w)) { /* RFC 8689 section 4.2.1: back at once */
		trouble->word.permanent = true;
		trouble->word.ecode[0] = '5';
	}
	if (!trouble->any)
		snprintf(trouble->word.text, sizeof(trouble->word.text), "no host could be tried");
	group_word(g, &trouble->word, trouble->host, trouble->ip);
	if (!w->connected && !w->reached_policy && !trouble->word.permanent)
		group_hop_failed(g, trouble->word.text);
}

/* The hop is down: what may wait is put off without trying. What has its last attempt now,
 * or a notice to send, gets the known reason as the result. */
static void group_suspend(struct group *g, const char *why)
{
	bool only = route_is_only(g->d, g->hop);
	struct delivery *d = g->d;
	char text[HOP_TEXT + 32];

	snprintf(text, sizeof(text), "not tried, next hop is down: %s", why);
	for (size_t i = 0; i < g->count; i++) {
		struct slot *s = &g->slots[g->at[i]];
		slot_own_word(s, "4.4.1", text);
		s->suspended = results_may_suspend(&d->config->queue, &g->claim->rcpts[g->at[i]]);
		s->with_rest = s->suspended && only;
	}
	if (only)
		suspend_request(d->q, d->dest, g->hop->key, text);
}

/* What the trace of a message that goes over a kept session begins with. */
static void reuse_trace(struct group *g, const struct hop_session *hs)
{
	char text[200];

	trace_append(g->trace, hs->trace);
	snprintf(text, sizeof(text),
		"The connection to %.100s was open since %lld s: nothing was looked up anew",
		hs->host, (long long)((clock_mono_ms() - hs->opened_ms) / 1000));
	trace_add(g->trace, &(struct trace_step){.kind = "connect",
				    .title = STR("Connection used again"),
				    .state = TRACE_OK,
				    .text = str_from(text),
				    .took_ms = -1});
}

/* The sentence on top, for what came of the group, and the trace as text for its slots. */
static void trace_finish(struct group *g)
{
	const struct slot *worst = &g->slots[g->at[0]];
	struct buf b = {NULL, 0, 0};
	size_t accepted = 0;
	const char *how = "";

	for (size_t i = 0; i < g->count; i++) {
		const struct slot *s = &g->slots[g->at[i]];
		accepted += s->word.accepted;
		if (!s->word.accepted)
			worst = s;
		else if (s->how != NULL)
			how = s->how;
	}
	if (accepted > 0)
		buf_printf(&b, "Delivered%s%s%s.", accepted < g->count ? " to some" : "",
			how[0] != '\0' ? " " : "", how);
	if (accepted < g->count)
		buf_printf(&b, "%s%s%s%s: %s", accepted > 0 ? " " : "",
			worst->word.permanent ? "Refused" : "Not delivered yet",
			worst->mx[0] != '\0' ? " by " : "", worst->mx, worst->word.text);
	trace_sentence(g->trace, buf_str(&b));
	buf_clear(&b);
	trace_write(g->trace, &b);
	struct str text = arena_str(g->d->arena, buf_str(&b));
	buf_free(&b);
	for (size_t i = 0; i < g->count; i++)
		g->slots[g->at[i]].trace = text;
}

static void smtp_deliver(struct group *g)
{
	struct delivery *d = g->d;
	struct store_body *body = NULL;
	struct ip skip = {.len = 0};
	char why[HOP_TEXT];
	struct err err;
	enum hop_state state = hops_ask(d->q->hops, g->hop->key, clock_unix_ms(), why);

	if (state == HOP_DOWN) {
		group_suspend(g, why);
		return;
	}
	if (store_body_open(d->q->opt.store, g->claim->id, &body, &err) < 0) {
		for (size_t i = 0; i < g->count; i++)
			slot_own_word(&g->slots[g->at[i]], "4.3.0", err.text);
	} else {
		enum sent sent = SENT_STALE;
		while (sent == SENT_STALE && session_reuse(d, g->hop->key)) {
			reuse_trace(g, d->session);
			sent = session_send(g, d->session, body);
			if (sent == SENT_STALE)
				hops_session_end(d->q->hops, &d->session);
		}
		if (sent == SENT_LATER) {
			(void)ip_parse(str_from(d->session->ip), &skip);
			session_keep(d);
		}
		if (sent != SENT_DONE)
			hosts_walk(g, body, &skip);
	}
	store_body_close(&body);
	if (state == HOP_PROBE)
		hops_probe_end(d->q->hops, g->hop->key);
}

/* --- messages --- */

static void group_deliver(struct group *g)
{
	switch (g->hop->kind) {
	case HOP_MAILBOX:
		mailbox_deliver(g);
		return;
	case HOP_HOSTS:
	case HOP_MX:
		g->trace = trace_new();
		smtp_deliver(g);
		trace_finish(g);
		trace_free(&g->trace);
		return;
	case HOP_NOWHERE:
		group_word(g, &g->hop->refusal, "", "");
		return;
	}
}

enum outcome { OUTCOME_RECORDED, OUTCOME_RELEASED };

static enum outcome message_deliver(struct delivery *d, const struct store_claim *claim)
{
	int64_t started_ms = clock_unix_ms();
	size_t n = claim->rcpt_count;
	struct slot *slots = arena_alloc(d->arena, n * sizeof(*slots));
	struct next_hop *hops = arena_alloc(d->arena, n * sizeof(*hops));
	bool *taken = arena_alloc(d->arena, n * sizeof(*taken));

	for (size_t i = 0; i < n; i++) {
		route_hop(d, claim, &claim->rcpts[i], &hops[i]);
		secure_demand(d, claim, &hops[i]);
		slots[i] = (struct slot){
			.mx = "", .ip = "", .tls = "", .transport = hops[i].transport};
	}
	for (size_t i = 0; i < n; i++) {
		struct group g = {.d = d, .claim = claim, .hop = &hops[i], .slots = slots};
		if (taken[i])
			continue;
		g.at = arena_alloc(d->arena, n * sizeof(*g.at));
		for (size_t k = i; k < n; k++) {
			bool same = k == i ||
				    (hops[k].kind == hops[i].kind && hops[i].kind != HOP_NOWHERE &&
					    strcmp(hops[k].key, hops[i].key) == 0);
			if (taken[k] || !same)
				continue;
			taken[k] = true;
			g.at[g.count++] = k;
		}
		group_deliver(&g);
	}
	/* When we hung up ourselves that is no attempt, unless somebody has a word. What is put
	 * off with the rest of its destination goes back to it. */
	bool settled = false, with_rest = true;
	for (size_t i = 0; i < n; i++) {
		settled |= slots[i].settled;
		with_rest &= slots[i].with_rest;
	}
	if (with_rest || (hops_is_cut(d->q->hops) && !settled)) {
		store_claim_release(d->q->opt.store, claim, 1);
		return OUTCOME_RELEASED;
	}
	results_record(d, claim, slots, started_ms);
	return OUTCOME_RECORDED;
}

void queue_delivery_run(struct delivery *d)
{
	d->config = config_snapshot(d->q->opt.config);
	d->arena = arena_open();
	enum outcome last = OUTCOME_RECORDED;
	size_t i = 0;
	while (i < d->claim_count && last == OUTCOME_RECORDED && !atomic_load(&d->q->stopping)) {
		last = message_deliver(d, &d->claims[i++]);
		d->books = NULL;
		arena_reset(d->arena);
	}
	/* What is left comes again: when it was put off, or by the next process. */
	if (i < d->claim_count)
		store_claim_release(d->q->opt.store, d->claims + i, d->claim_count - i);
	session_keep(d);
	plan_release(&d->plan);
	arena_close(&d->arena);
	config_release(d->config);
}
