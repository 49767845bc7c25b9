/* hops - what the queue remembers of next hops: idle sessions to use again, which hops are
 * down and since when, which addresses answered. Thread-safe. All memory here is bounded. */
#ifndef QUEUE_HOPS_H
#define QUEUE_HOPS_H

#include "base/net.h"
#include "queue/queue.h"
#include "smtp/client.h"

struct hops;

struct hops *hops_open(void);
/* All sessions must have been given back. */
void hops_close(struct hops **h);

/* --- sessions --- */

enum { HOP_TLS_TEXT = 160, HOP_HOW_TEXT = 600, HOP_NAME_MAX = QUEUE_HOP_NAME };

struct hop_session {
	struct smtp_client *client;
	char *key; /* equal keys may share a session: next hop, protocol, TLS, user */
	char host[HOP_NAME_MAX], ip[IP_TEXT];
	unsigned port;
	char tls[HOP_TLS_TEXT]; /* for attempt rows; "" is plaintext */
	char how[HOP_HOW_TEXT]; /* "over TLS 1.3; ...", "in plaintext" */
	struct trace *trace;    /* how it was found and opened; or NULL */
	int64_t opened_ms;      /* monotonic */
	bool reused;
	/* hops' own: */
	int cut_fd;
	int64_t idle_until_ms;
	struct hop_session *prev_open, *next_open, *next_idle;
};

/* A session being opened; conn is watched, so that hops_cut can end it. */
struct hop_session *hops_session_new(struct hops *h, const char *key, struct conn *conn);
/* QUIT and gone. */
void hops_session_end(struct hops *h, struct hop_session **s);
/* An idle session for key, or NULL. */
struct hop_session *hops_take(struct hops *h, const char *key);
/* Keeps the session for idle_ms, or ends it when it is of no use or max are idle. */
void hops_give(struct hops *h, struct hop_session **s, int64_t idle_ms, size_t max);
/* Shuts every connection down and ends dials; no more sessions are kept. */
void hops_cut(struct hops *h);
bool hops_is_cut(const struct hops *h);

/* As conn_dial, but hops_cut ends it. */
int hops_dial(struct hops *h, const struct ip *ip, unsigned port, struct deadline d,
	struct conn **out, struct err *err) MUST_USE;

/* --- down memory --- */

enum hop_state {
	HOP_UP,
	HOP_PROBE, /* was down, its time is over: this caller tries, others wait */
	HOP_DOWN   /* do not try; text says why */
};
enum { HOP_TEXT = QUEUE_HOP_TEXT };
enum hop_state hops_ask(struct hops *h, const char *key, int64_t now_ms, char text[HOP_TEXT]);
/* No host of it (name, for people) could be reached: down for first_ms, doubling to 10 min with
 * each probe. */
void hops_failed(struct hops *h, const char *key, const char *name, int64_t now_ms,
	int64_t first_ms, const char *text);
/* As hops_ask, without claiming the probe. */
bool hops_is_down(struct hops *h, const char *key, int64_t now_ms);
/* It was reached: up. */
void hops_reached(struct hops *h, const char *key);
/* After HOP_PROBE, whatever came of it: another caller may try. */
void hops_probe_end(struct hops *h, const char *key);
void hops_forget(struct hops *h); /* all that is down may be tried at once */
/* Those that were down when last tried, longest first; at most max. How many are written. */
size_t hops_down_list(struct hops *h, int64_t now_ms, struct queue_hop_down *out, size_t max);
int64_t hops_down_count(struct hops *h, int64_t now_ms);

/* --- addresses --- */

/* Failed to connect a short while ago: others are tried first. */
bool hops_address_bad(struct hops *h, const struct ip *ip, unsigned port, int64_t now_ms);
void hops_address_note(struct hops *h, const struct ip *ip, unsigned port, int64_t bad_until_ms);
/* The address of host that answered last, len 0 for none. */
struct ip hops_last_good(struct hops *h, const char *host);
void hops_last_good_set(struct hops *h, const char *host, const struct ip *ip);

#endif
