/* What became of each recipient: next attempt or end, notices to the sender, one write. */
#include "queue/queue_priv.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/rand.h"
#include "message/message.h"
#include "queue/dsn.h"
#include "queue/secure.h"
#include "smtp/client_reply.h"

#include <stdio.h>
#include <unistd.h>

enum {
	JITTER_MS = 5000,
	RECORD_PAUSE_MS = 1000,
	DSN_ACTIONS = DSN_RELAYED + 1,
	TLS_REPORT_ATTEMPTS = 5
};

void slot_own_word(struct slot *slot, const char *ecode, const char *text)
{
	slot->word = (struct smtp_rcpt_reply){.permanent = ecode[0] == '5'};
	slot->settled = slot->word.permanent;
	snprintf(slot->word.ecode, sizeof(slot->word.ecode), "%s", ecode);
	smtp_text_copy(slot->word.text, sizeof(slot->word.text), str_from(text));
}

static bool delay_due(const struct config_queue *c, const struct store_claim_rcpt *rcpt)
{
	return c->delay_dsn_attempt > 0 && rcpt->attempts + 1 == c->delay_dsn_attempt &&
	       !rcpt->delay_sent;
}

bool results_may_suspend(const struct config_queue *c, const struct store_claim_rcpt *rcpt)
{
	/* The same rule as store_due_suspend's. */
	return rcpt->attempts + 1 < c->max_attempts && rcpt->attempts + 1 != c->delay_dsn_attempt;
}

/* When the last attempt of the schedule will be, seen from attempt n (0-based) just failed
 * with the next one at next_ms. */
static int64_t retry_until_s(const struct config_queue *c, unsigned n, int64_t next_ms)
{
	int64_t until_s = next_ms / 1000;

	for (unsigned k = n + 1; k + 1 < c->max_attempts; k++)
		until_s += queue_backoff_s(c, k);
	return until_s;
}

/* A TLS report is given up before anybody would be told of a delay. */
static unsigned attempts_max(const struct config_queue *c, const struct store_claim *claim)
{
	return claim->is_tls_report && c->max_attempts > TLS_REPORT_ATTEMPTS ? TLS_REPORT_ATTEMPTS
									     : c->max_attempts;
}

static void result_fill(struct delivery *d, const struct store_claim *claim, size_t i,
	const struct slot *s, struct store_rcpt_result *r)
{
	const struct config_queue *c = &d->config->queue;
	const struct store_claim_rcpt *rcpt = &claim->rcpts[i];

	*r = (struct store_rcpt_result){.rcpt_id = rcpt->id,
		.code = s->word.code,
		.ecode = str_from(s->word.ecode),
		.text = str_from(s->word.text),
		.mx = str_from(s->mx),
		.ip = str_from(s->ip),
		.tls = str_from(s->tls),
		.transport = str_from(s->transport),
		.attempted = !s->suspended,
		.trace = s->trace};
	if (s->word.accepted) {
		r->outcome = STORE_DELIVERED;
	} else if (s->word.permanent || rcpt->attempts + 1 >= attempts_max(c, claim)) {
		r->outcome = STORE_FAILED;
	} else {
		r->outcome = STORE_DEFERRED;
		r->next_attempt_ms = clock_unix_ms() + queue_backoff_s(c, rcpt->attempts) * 1000 +
				     rand_below(JITTER_MS);
		r->delay_sent = delay_due(c, rcpt) && !s->suspended;
	}
}

/* --- notices --- */

/* Which notice the recipient's result asks for (RFC 3461 section 5.2); -1: none. Without
 * NOTIFY the sender hears of failures and delays. */
static int notice_for(const struct store_claim_rcpt *rcpt, const struct slot *s,
	const struct store_rcpt_result *r)
{
	unsigned notify =
		rcpt->notify != 0 ? rcpt->notify : STORE_NOTIFY_FAILURE | STORE_NOTIFY_DELAY;

	if (notify & STORE_NOTIFY_NEVER)
		return -1;
	switch (r->outcome) {
	case STORE_DELIVERED:
		if (!(notify & STORE_NOTIFY_SUCCESS))
			return -1;
		if (strcmp(s->transport, "mailbox") == 0)
			return DSN_DELIVERED;
		return s->peer_dsn ? -1 : DSN_RELAYED;
	case STORE_DEFERRED:
		return r->delay_sent && (notify & STORE_NOTIFY_DELAY) ? DSN_DELAYED : -1;
	case STORE_FAILED:
		return notify & STORE_NOTIFY_FAILURE ? DSN_FAILED : -1;
	}
	return -1;
}

/* Where notices for the message go: 0 and the recipients, or -1 when nobody is to hear. */
static int notice_rcpts(struct delivery *d, const struct store_claim *claim,
	struct store_rcpt_new **out, size_t *count)
{
	struct rcpt_target *t = arena_alloc(d->arena, sizeof(*t)), *targets = t;
	struct message_address addr;
	struct err err;

	*count = 1;
	if (claim->mail_from.len == 0)
		return -1;
	if (message_address_parse(d->arena, claim->mail_from, &addr, &err) < 0 ||
		rcpt_resolve(d->q->opt.store, d->config, &addr, d->arena, t, &err) < 0 ||
		rcpt_expand(d->q->opt.store, d->config, t, d->arena, &targets, count, &err) < 0) {
		log_event(LOG_LEVEL_WARN, "queue.nodsn", "reason", err.text, NULL);
		return -1;
	}
	if (t->verdict == RCPT_UNKNOWN_USER) {
		log_event(
			LOG_LEVEL_INFO, "queue.nodsn", "reason", "the sender does not exist", NULL);
		return -1;
	}
	*out = arena_alloc(d->arena, *count * sizeof(**out));
	for (size_t i = 0; i < *count; i++)
		(*out)[i] = (struct store_rcpt_new){.address = targets[i].address,
			.dest = targets[i].dest,
			.notify = STORE_NOTIFY_NEVER};
	return 0;
}

/* What of the original goes back: its header block, or with RET=FULL and when it is small
 * enough all of it. */
static struct str original_read(struct delivery *d, const struct store_claim *claim, bool *full)
{
	struct buf b = {NULL, 0, 0};
	struct store_body *body = NULL;
	struct str piece, out;
	struct err err;

	*full = claim->ret == STORE_RET_FULL && claim->size <= DSN_ORIGINAL_MAX;
	if (store_body_open(d->q->opt.store, claim->id, &body, &err) == 0) {
		while (b.len < DSN_ORIGINAL_MAX && store_body_next(body, &piece, &err) == 1)
			buf_raw(&b, piece);
	}
	store_body_close(&body);
	out = buf_str(&b);
	const char *end = *full ? NULL : str_find(out, STR("\r\n\r\n"));
	if (end != NULL)
		out.len = (size_t)(end - out.p) + 2;
	if (out.len > DSN_ORIGINAL_MAX) {
		out.len = DSN_ORIGINAL_MAX;
		const char *lf = memrchr(out.p, '\n', out.len);
		if (lf != NULL)
			out.len = (size_t)(lf + 1 - out.p);
	}
	out = arena_str(d->arena, out);
	buf_free(&b);
	return out;
}

static void dsn_rcpt_fill(struct delivery *d, const struct store_claim_rcpt *rcpt,
	const struct store_rcpt_result *r, int64_t started_ms, struct dsn_rcpt *out)
{
	*out = (struct dsn_rcpt){.address = rcpt->address,
		.original = rcpt->original,
		.orcpt = rcpt->orcpt,
		.code = r->code,
		.ecode = r->ecode,
		.text = r->text,
		.mx = r->mx,
		.ip = r->ip,
		.last_attempt_s = started_ms / 1000};
	if (r->outcome == STORE_DEFERRED)
		out->will_retry_until_s =
			retry_until_s(&d->config->queue, rcpt->attempts, r->next_attempt_ms);
}

/* One notice for all recipients that ask for this action. False: nobody does. */
static bool notice_build(struct delivery *d, const struct store_claim *claim,
	const struct slot *slots, const struct store_attempt *at, enum dsn_action action,
	struct store_msg_new *out)
{
	struct dsn_rcpt *rcpts = arena_alloc(d->arena, at->result_count * sizeof(*rcpts));
	struct dsn_options o = {.action = action,
		.hostname = d->config->hostname,
		.to = claim->mail_from,
		.message_id = claim->message_id,
		.envid = claim->envid,
		.arrival_s = claim->received_ms / 1000,
		.now_s = clock_unix_s(),
		.utf8 = claim->smtputf8,
		.rcpts = rcpts};
	struct dsn dsn;

	for (size_t i = 0; i < at->result_count; i++) {
		if (notice_for(&claim->rcpts[i], &slots[i], &at->results[i]) == (int)action)
			dsn_rcpt_fill(d, &claim->rcpts[i], &at->results[i], at->started_ms,
				&rcpts[o.rcpt_count++]);
	}
	if (o.rcpt_count == 0)
		return false;
	*out = (struct store_msg_new){.session = claim->session, .about = claim->id};
	if (notice_rcpts(d, claim, &out->rcpts, &out->rcpt_count) < 0)
		return false;
	o.original = original_read(d, claim, &o.full);
	dsn_build(d->arena, &o, &dsn);
	out->message_id = dsn.message_id;
	out->subject = dsn.subject;
	out->body = dsn.text;
	out->body_8bit = dsn.body_8bit;
	out->smtputf8 = dsn.smtputf8;
	return true;
}

/* --- recording --- */

static void result_log(struct delivery *d, const struct store_claim *claim,
	const struct store_claim_rcpt *rcpt, const struct store_rcpt_result *r, int64_t duration_ms)
{
	static const char *const events[] = {[STORE_DELIVERED] = "queue.delivered",
		[STORE_DEFERRED] = "queue.deferred",
		[STORE_FAILED] = "queue.failed"};
	char id[STORE_ID_TEXT], code[NUM_TEXT], attempt[NUM_TEXT], took[NUM_TEXT];

	if (!log_enabled(LOG_LEVEL_INFO))
		return;
	log_event(LOG_LEVEL_INFO, events[r->outcome], "session",
		arena_strdup(d->arena, claim->session), "id", store_id_text(claim->id, id), "from",
		arena_strdup(d->arena, claim->mail_from), "to",
		arena_strdup(d->arena, rcpt->address), "attempt",
		num_text((int64_t)rcpt->attempts + 1, attempt), "code",
		r->code > 0 ? num_text(r->code, code) : NULL, "status",
		r->ecode.len > 0 ? r->ecode.p : NULL, "text", r->text.p, "host",
		r->mx.len > 0 ? r->mx.p : NULL, "ip", r->ip.len > 0 ? r->ip.p : NULL, "tls",
		r->tls.len > 0 ? r->tls.p : NULL, "via", r->transport.p, "ms",
		num_text(duration_ms, took), NULL);
}

static void counts_add(struct delivery *d, enum store_outcome outcome, int64_t duration_ms)
{
	struct queue *q = d->q;

	switch (outcome) {
	case STORE_DELIVERED:
		metric_inc(METRIC_DELIVERIES, METRIC_DELIVERED, 0);
		metric_observe(METRIC_DELIVERY_SECONDS, METRIC_DELIVERED, duration_ms * 1000);
		atomic_fetch_add(&q->delivered, 1);
		store_count(q->opt.store, STORE_COUNT_DELIVERED, 1);
		return;
	case STORE_DEFERRED:
		metric_inc(METRIC_DELIVERIES, METRIC_DEFERRED, 0);
		metric_observe(METRIC_DELIVERY_SECONDS, METRIC_DEFERRED, duration_ms * 1000);
		atomic_fetch_add(&q->deferred, 1);
		store_count(q->opt.store, STORE_COUNT_DEFERRED, 1);
		return;
	case STORE_FAILED:
		metric_inc(METRIC_DELIVERIES, METRIC_FAILED, 0);
		metric_observe(METRIC_DELIVERY_SECONDS, METRIC_FAILED, duration_ms * 1000);
		atomic_fetch_add(&q->failed, 1);
		store_count(q->opt.store, STORE_COUNT_BOUNCED, 1);
		return;
	}
}

/* What was delivered must not be delivered again: as long as the disk is full the results
 * are kept here, and with them the claim. */
static void record_until_done(
	struct delivery *d, const struct store_claim *claim, const struct store_attempt *at)
{
	struct err err;

	while (store_attempt_add(d->q->opt.store, at, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "queue.record", "reason", err.text, NULL);
		if (atomic_load(&d->q->stopping)) {
			store_claim_release(d->q->opt.store, claim, 1);
			return;
		}
		usleep(RECORD_PAUSE_MS * 1000);
	}
}

void results_record(
	struct delivery *d, const struct store_claim *claim, struct slot *slots, int64_t started_ms)
{
	struct store_rcpt_result *results =
		arena_alloc(d->arena, claim->rcpt_count * sizeof(*results));
	struct store_msg_new *dsns = arena_alloc(d->arena, DSN_ACTIONS * sizeof(*dsns));
	struct store_attempt at = {.msg_id = claim->id,
		.started_ms = started_ms,
		.duration_ms = clock_unix_ms() - started_ms,
		.results = results,
		.result_count = claim->rcpt_count,
		.dsns = dsns,
		.is_tls_report = claim->is_tls_report};

	for (size_t i = 0; i < claim->rcpt_count; i++)
		result_fill(d, claim, i, &slots[i], &results[i]);
	for (int action = 0; claim->mail_from.len > 0 && action < DSN_ACTIONS; action++)
		at.dsn_count += notice_build(
			d, claim, slots, &at, (enum dsn_action)action, &dsns[at.dsn_count]);
	secure_rows(d, &at);
	record_until_done(d, claim, &at);
	for (size_t i = 0; i < claim->rcpt_count; i++) {
		counts_add(d, results[i].outcome, at.duration_ms);
		result_log(d, claim, &claim->rcpts[i], &results[i], at.duration_ms);
	}
}
