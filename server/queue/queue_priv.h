/* queue_priv - what the parts of the queue share. */
#ifndef QUEUE_QUEUE_PRIV_H
#define QUEUE_QUEUE_PRIV_H

#include "base/arena.h"
#include "base/trace.h"
#include "policy/rcpt.h"
#include "queue/hops.h"
#include "queue/plan.h"
#include "queue/queue.h"
#include "store/message.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	CLAIM_RCPTS = 50,    /* recipients taken at a time */
	CLAIM_SHARE_MIN = 4, /* messages a delivery gets at least when a claim is shared out */
	MX_MAX = 20,         /* hosts of a domain that are looked at */
	ADDRESSES_MAX = 10,  /* dialled for one message */
	SESSIONS_MAX = 2,    /* hosts that may answer "later" before we believe it */
	DNS_TIMEOUT_MS = 20000
};

/* What one claim took; shared by the deliveries it is dealt out to. */
struct batch {
	struct arena *arena;
	_Atomic int refs;
};

struct delivery { /* some messages for one destination, for one thread */
	struct queue *q;
	struct batch *batch;
	char dest[STORE_DEST_MAX];
	const struct store_claim *claims;
	size_t claim_count;
	struct delivery *next;

	/* while it runs: */
	const struct config *config;
	struct arena *arena; /* reset for each message */
	struct hop_session *session;
	struct plan *plan;         /* of the last MX destination, or NULL */
	struct secure_book *books; /* TLS results of the message under delivery */
};

struct dest_busy { /* a destination with deliveries under way */
	struct dest_busy *next;
	unsigned active;
	bool parked;     /* not on the store's due list: goes back when one ends */
	bool suspending; /* what is due is being put off: parked until that is done */
	char name[];
};

enum { BUSY_BUCKETS = 512 };

struct queue {
	struct queue_options opt;
	struct hops *hops;
	struct plans *plans;
	pthread_t scheduler;
	pthread_mutex_t lock;
	pthread_cond_t work, done; /* there is work; a delivery or thread has ended */
	struct delivery *first, *last;
	size_t waiting;         /* deliveries in the list */
	unsigned active;        /* in the list or running */
	unsigned threads, idle; /* workers */
	struct dest_busy *busy[BUSY_BUCKETS];
	pthread_t suspender;
	pthread_cond_t suspend_work;
	struct suspend *suspend_first, *suspend_last;
	atomic_bool stopping;
	_Atomic int64_t delivered, deferred, failed, opened, reused, tls_full, tls_resumed;
};

/* --- scheduler.c --- */
void *queue_scheduler_run(void *arg);
/* The destination's entry, made when it is not there; q->lock is held. */
struct dest_busy *busy_get(struct queue *q, const char *dest);
/* What was due of the destination has been put off: it may be due again. */
void suspend_end(struct queue *q, const char *dest);
/* Notes that all deliveries ended in order. */
void queue_ended(struct queue *q);

/* --- suspend.c --- */
/* Puts all off that is due for dest (it has a delivery under way) while hop key is down. */
void suspend_request(struct queue *q, const char *dest, const char *key, const char *text);
void *suspend_run(void *arg);

/* --- delivery.c --- */
/* Delivers the messages of d and records what became of them. */
void queue_delivery_run(struct delivery *d);

/* --- route.c --- */
enum hop_kind { HOP_MAILBOX, HOP_HOSTS, HOP_MX, HOP_NOWHERE };

struct next_hop {
	enum hop_kind kind;
	const char *key;                 /* equal for equal hops */
	const char *name;                /* for people */
	const char *transport;           /* for attempt rows */
	struct str account;              /* HOP_MAILBOX */
	const struct store_relay *relay; /* HOP_HOSTS */
	const char *domain;              /* HOP_MX; without brackets for an address literal */
	bool literal;
	struct smtp_rcpt_reply refusal; /* HOP_NOWHERE: our word */
	/* secure_demand's: */
	enum tls_demand demand;
	enum tls_override_kind override;
	const char *override_reason;
	char (*pins)[TLS_PIN_TEXT];
	size_t pin_count;
};
/* Where the recipient's mail goes next. */
void route_hop(struct delivery *d, const struct store_claim *claim,
	const struct store_claim_rcpt *rcpt, struct next_hop *out);
/* The hop of a way; what the way points to must stay. */
struct way;
void route_take(struct delivery *d, const struct way *w, struct next_hop *out);
/* Whether no route can send other mail of the destination elsewhere. */
bool route_is_only(struct delivery *d, const struct next_hop *hop);

/* --- connect.c --- */
struct hop_host {
	const char *name; /* host name or address */
	unsigned port, pref;
};

struct connect_walk { /* over the hosts and addresses of a hop, best first */
	struct delivery *d;
	const struct next_hop *hop;
	struct hop_host hosts[MX_MAX];
	size_t host_count, host_at;
	struct ip *ips; /* of hosts[host_at] */
	size_t ip_count, ip_at;
	bool ips_known, second_pass, skipped;
	unsigned dialled;
	int64_t loop_pref; /* hosts from this preference on lead to ourselves */
	bool any_looped;
	struct ip skip_ip; /* its session was used already */
	bool connected;    /* some host took the connection */

	struct trace *trace; /* of the attempt, or NULL */
	/* secure.c's: */
	bool is_tls_report;
	struct secure_book *book;       /* NULL: nothing is reported */
	struct tls_result *host_result; /* of hosts[host_at] */
	struct tls_policy policy;       /* for hosts[host_at] */
	bool lacks[MX_MAX], host_traced[MX_MAX];
	size_t lacking;      /* hosts that cannot do what REQUIRETLS asks */
	bool reached_policy; /* a host was left out by policy: the hop is not down */
	/* Of the last session that opened: */
	bool verified, has_matched;
	struct dane_record matched; /* TLSA record */
};

/* Finds the hosts. 0, or -1 with the reason as our word in refusal. */
int connect_begin(struct connect_walk *w, struct delivery *d, const struct next_hop *hop,
	struct smtp_rcpt_reply *refusal) MUST_USE;
/* What was met on the way to a session. */
struct connect_trouble {
	struct smtp_rcpt_reply word;
	char host[HOP_NAME_MAX], ip[IP_TEXT];
	bool any;
};
/* The next session that opens: 1; 0: there are no more hosts. Failures on the way are noted
 * in trouble, the last temporary one rather than a permanent one. */
int connect_next(struct connect_walk *w, struct hop_session **out, struct connect_trouble *trouble);
/* Goes on to the next host name. */
void connect_skip_host(struct connect_walk *w);
/* Whether all hosts lack what REQUIRETLS asks: then it is no use to wait. */
bool connect_is_hopeless(const struct connect_walk *w);
/* Notes our own word about a host. */
void trouble_text(struct connect_trouble *t, const char *host, const char *ip, const char *ecode,
	const char *text);

/* A session's failure as a word for recipients, with the stage it happened at. */
void failure_word(const struct smtp_failure *f, struct smtp_rcpt_reply *word);

/* --- results.c --- */
struct slot { /* what became of one recipient */
	struct smtp_rcpt_reply word;
	const char *mx, *ip, *tls, *transport;
	const char *how;  /* when accepted over SMTP: "over TLS 1.3; ..." */
	struct str trace; /* JSON, in the arena; those tried together have the same */
	bool settled;     /* accepted, or refused for good */
	bool suspended;   /* not tried: its next hop is down */
	bool with_rest;   /* put off together with all else of its destination */
	bool peer_dsn;    /* the next host took over the duty to report success */
};
/* Records the slots of a message with its DSNs, until it is on disk; logs and counts. */
void results_record(struct delivery *d, const struct store_claim *claim, struct slot *slots,
	int64_t started_ms);
/* May an attempt of this recipient be put off unseen (not the last, no notice to send)? */
bool results_may_suspend(const struct config_queue *c, const struct store_claim_rcpt *rcpt);
void slot_own_word(struct slot *slot, const char *ecode, const char *text);

#endif
