/* queue - when and where to deliver. One scheduler thread, a bounded pool of delivery
 * threads; woken by commits, never polling. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "config/config.h"
#include "dns/dns.h"
#include "policy/mtasts.h"
#include "store/queue.h"
#include "tls/tls.h"

struct queue;

struct queue_options {
	struct store *store;
	struct config_holder *config;
	struct dns *dns;
	struct tls_client *tls;
	struct mtasts *mtasts; /* or NULL: no policies are asked for */
};

int queue_start(const struct queue_options *opt, struct queue **out, struct err *err) MUST_USE;
/* No new deliveries; running ones get until d, then their connections are cut (their
 * recipients stay queued). Waits for all threads. Sets *q to NULL. */
void queue_stop(struct queue **q, struct deadline d);

/* The verbs of pages and CLI. Retry also forgets that a next hop was down. */
int queue_act(struct queue *q, enum store_queue_verb verb, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err) MUST_USE;
int queue_act_all(struct queue *q, enum store_queue_verb verb, const struct store_queue_filter *f,
	size_t *changed, struct err *err) MUST_USE;

/* See store_queue_way. */
int queue_way(struct queue *q, int64_t transport_id, int64_t msg_id, int64_t rcpt_id,
	size_t *changed, struct err *err) MUST_USE;
int queue_way_all(struct queue *q, int64_t transport_id, const struct store_queue_filter *f,
	size_t *changed, struct err *err) MUST_USE;
/* What is known of next hops, down or not, and of destinations in DNS is looked at anew. */
void queue_forget(struct queue *q);

/* Seconds from attempt n (0-based, just failed) to the next: first * 2^n, spec 4.2. */
int64_t queue_backoff_s(const struct config_queue *c, unsigned attempt);

struct queue_stats {
	int64_t active, delivered, deferred, failed, connections_opened, connections_reused;
	int64_t hops_down;                /* next hops now known to be down */
	int64_t tls_full, tls_resumed;    /* handshakes as a client */
	int64_t plans_made, plans_shared; /* destinations looked up; answers used again */
	int64_t plan_hosts;               /* MX hosts looked up */
};
void queue_stats_get(struct queue *q, struct queue_stats *out);

enum { QUEUE_HOP_NAME = 256, QUEUE_HOP_TEXT = 512 };
struct queue_hop_down {
	char name[QUEUE_HOP_NAME]; /* hosts or domain, for people */
	char text[QUEUE_HOP_TEXT]; /* what the last attempt came to */
	int64_t since_ms;
};
/* Next hops that could not be reached when they were last tried, at most an hour ago; longest
 * first, at most max. How many are written. */
size_t queue_hops_down(struct queue *q, struct queue_hop_down *out, size_t max);

#endif
