/* simulate - "what would happen if I sent to this address now?": aliases and routes as the queue
 * takes them, then a probe of where it leads (queue/probe.h). Simulations run in threads of
 * their own and can be looked at while they do. Thread-safe. */
#ifndef QUEUE_SIMULATE_H
#define QUEUE_SIMULATE_H

#include "queue/probe.h"

struct simulator;

enum {
	SIMULATE_RUNNING_MAX = 3, /* at a time; more are refused */
	SIMULATE_KEPT_MAX = 16,   /* the oldest that has ended goes first */
	SIMULATE_WAYS_MAX = 10    /* members of an alias that are probed */
};

/* What it points to stays; the config member of queue_options is its holder. */
struct simulator *simulator_open(const struct queue_options *opt);
/* Ends what runs, for good; who waits for it is answered. NULL is fine. */
void simulator_cut(struct simulator *s);
/* Cuts what runs and waits for it. */
void simulator_close(struct simulator **s);

struct simulate_question {
	struct str from, rcpt;  /* from may be empty: a bounce */
	enum tls_demand demand; /* of the message */
};
/* Starts one. ERR_TEMP: too many run already. */
int simulate_begin(struct simulator *s, const struct simulate_question *q, int64_t *id,
	struct err *err) MUST_USE;

enum simulate_verdict {
	SIMULATE_UNKNOWN, /* not yet, or it could not be tried */
	SIMULATE_DELIVERED,
	SIMULATE_WAITS,
	SIMULATE_BOUNCES
};
const char *simulate_verdict_text(enum simulate_verdict v); /* "delivered", "waits", ... */

struct simulate_way {
	struct str rcpt;      /* the member, for an alias */
	enum way_kind kind;   /* a mailbox and nowhere need no probe, and have no trace */
	struct str transport; /* "direct", "mailbox", ...; "" for nowhere */
	struct str words;     /* way_words */
	bool done;
	enum simulate_verdict verdict;
	struct str text;  /* one sentence; "" until done */
	struct str trace; /* JSON, also of what has been tried so far; "" for none */
	const struct queue_probe_host *hosts;
	size_t host_count;
};

struct simulate_view {
	bool done;
	int64_t started_ms; /* wall clock */
	struct simulate_question question;
	struct simulate_way *ways; /* none until it is known where the address leads */
	size_t count, left_out;    /* left_out: members that were not looked at */
};
/* What is known after at most wait_ms, in the arena. False: there is none such (any more). */
bool simulate_look(struct simulator *s, int64_t id, int64_t wait_ms, struct arena *a,
	struct simulate_view *out);

#endif
