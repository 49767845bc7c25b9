#include "smtp/callout.h"

#include "base/mem.h"
#include "base/thread.h"
#include "smtp/client.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ENTRIES_MAX = 50000, /* addresses remembered; over it all are forgotten */
	BUCKETS = 8192,
	EXISTS_MS = 24 * 3600 * 1000,
	UNKNOWN_MS = 10 * 60 * 1000,
	PROBE_COMMAND_MS = 20 * 1000
};

struct entry {
	struct entry *next;
	int64_t until_ms; /* monotonic; 0: a probe is under way */
	enum callout_answer answer;
	char text[256];
	char key[]; /* first relay host, space, address */
};

struct callout {
	struct callout_options opt;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct entry *buckets[BUCKETS];
	size_t count;
};

struct callout *callout_new(const struct callout_options *opt)
{
	struct callout *c = mem_alloc(sizeof(*c));

	c->opt = *opt;
	pthread_mutex_init(&c->lock, NULL);
	cond_init(&c->changed);
	return c;
}

/* Drops what is not being asked right now; the lock is held. */
static void forget(struct callout *c)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry **at = &c->buckets[i]; *at != NULL;) {
			struct entry *e = *at;
			if (e->until_ms == 0) {
				at = &e->next;
				continue;
			}
			*at = e->next;
			free(e);
			c->count--;
		}
	}
}

void callout_free(struct callout **c)
{
	if (*c == NULL)
		return;
	forget(*c);
	pthread_cond_destroy(&(*c)->changed);
	pthread_mutex_destroy(&(*c)->lock);
	free(*c);
	*c = NULL;
}

void callout_forget(struct callout *c)
{
	pthread_mutex_lock(&c->lock);
	forget(c);
	pthread_mutex_unlock(&c->lock);
}

static struct entry **slot(struct callout *c, const char *key)
{
	uint64_t h = 1469598103934665603U;

	for (const char *p = key; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211U;
	struct entry **at = &c->buckets[(h ^ h >> 32) % BUCKETS];
	while (*at != NULL && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

/* --- the probe --- */

static void said(char text[256], const char *host, const char *what)
{
	snprintf(text, 256, "%.80s: %.170s", host, what);
}

static enum callout_answer session_probe(struct callout *c, struct conn **conn,
	const struct store_relay *relay, const char *host, struct str address, struct deadline d,
	char text[256])
{
	const struct config *config = config_snapshot(c->opt.config);
	struct smtp_client_options opt = {.helo = config->hostname,
		.server_name = host,
		.protocol = relay->protocol,
		.policy = tlspolicy_choose(relay->tls),
		.tls = c->opt.tls,
		.username = relay->username,
		.password = relay->password,
		.command_timeout_ms = PROBE_COMMAND_MS,
		.session = d};
	struct smtp_client *client = NULL;
	struct tls_outcome outcome;
	struct smtp_failure failure;
	struct smtp_rcpt_reply reply;
	enum callout_answer answer = CALLOUT_LATER;

	if (smtp_client_open(conn, &opt, &client, &outcome, &failure) < 0 ||
		smtp_client_probe(client, STR(""), address, &reply, &failure) < 0)
		said(text, host, failure.text);
	else {
		answer = reply.accepted    ? CALLOUT_EXISTS
			 : reply.permanent ? CALLOUT_UNKNOWN
					   : CALLOUT_LATER;
		said(text, host, reply.text);
	}
	if (client != NULL)
		smtp_client_quit(&client);
	config_release(config);
	return answer;
}

static enum callout_answer host_probe(struct callout *c, const struct store_relay *relay,
	struct str hostport, struct str address, struct deadline d, char text[256])
{
	struct arena *a = arena_open();
	enum callout_answer answer = CALLOUT_LATER;
	struct dns_answer addrs = {.count = 0};
	struct ip literal;
	struct str name;
	unsigned port;
	struct err err;

	if (hostport_parse(hostport, 25, &name, &port, &err) < 0) {
		said(text, "relay host", err.text);
		goto out;
	}
	char *host = arena_strdup(a, name);
	if (ip_parse(name, &literal)) {
		addrs.records = arena_alloc(a, sizeof(*addrs.records));
		addrs.records[0].ip = literal;
		addrs.count = 1;
	} else if (c->opt.dns == NULL || dns_addr(c->opt.dns, host, d, a, &addrs, &err) < 0 ||
		   addrs.count == 0) {
		said(text, host, "its address cannot be found");
		goto out;
	}
	for (size_t i = 0; i < addrs.count; i++) {
		struct conn *conn = NULL;
		if (conn_dial(&addrs.records[i].ip, port, NULL, d, &conn, &err) < 0) {
			said(text, host, err.text);
			continue;
		}
		answer = session_probe(c, &conn, relay, host, address, d, text);
		if (answer != CALLOUT_LATER)
			break;
	}
out:
	arena_close(&a);
	return answer;
}

static enum callout_answer probe(struct callout *c, const struct store_relay *relay,
	struct str address, struct deadline d, char text[256])
{
	enum callout_answer answer = CALLOUT_LATER;

	snprintf(text, 256, "the domain has no relay host");
	for (size_t i = 0; i < relay->host_count && answer == CALLOUT_LATER; i++)
		answer = host_probe(c, relay, relay->hosts[i], address, d, text);
	return answer;
}

/* Remembers an answer in the entry; the lock is held. CALLOUT_LATER is not kept. */
static void entry_settle(
	struct callout *c, const char *key, enum callout_answer answer, const char *text)
{
	struct entry **at = slot(c, key), *e = *at;

	if (answer == CALLOUT_LATER) {
		*at = e->next;
		free(e);
		c->count--;
	} else {
		e->answer = answer;
		e->until_ms = clock_mono_ms() + (answer == CALLOUT_EXISTS ? EXISTS_MS : UNKNOWN_MS);
		snprintf(e->text, sizeof(e->text), "%s", text);
	}
	pthread_cond_broadcast(&c->changed);
}

/* Waits while somebody else asks. 1 with the answer, 0 when the caller is to ask: an entry
 * then says so. -1 the deadline passed. The lock is held. */
static int entry_wait(struct callout *c, const char *key, struct deadline d,
	enum callout_answer *answer, char text[256])
{
	for (;;) {
		struct entry **at = slot(c, key), *e = *at;
		int64_t now_ms = clock_mono_ms();
		if (e != NULL && e->until_ms > now_ms) {
			*answer = e->answer;
			snprintf(text, 256, "%s", e->text);
			return 1;
		}
		if (e != NULL && e->until_ms != 0) {
			e->until_ms = 0; /* over its time: asked again by us */
			return 0;
		}
		if (e == NULL) {
			size_t size = strlen(key) + 1;
			e = mem_alloc(sizeof(*e) + size);
			memcpy(e->key, key, size);
			*at = e;
			c->count++;
			return 0;
		}
		if (deadline_left_ms(d) == 0)
			return -1;
		struct timespec ts = {d.mono_ms / 1000, d.mono_ms % 1000 * 1000000};
		pthread_cond_timedwait(&c->changed, &c->lock, &ts);
	}
}

enum callout_answer callout_check(struct callout *c, const struct store_relay *relay,
	struct str address, struct deadline d, char text[256])
{
	enum callout_answer answer = CALLOUT_LATER;
	struct arena *a = arena_open();
	struct str host = relay->host_count > 0 ? relay->hosts[0] : STR("");
	char *key = arena_printf(a, "%.*s %.*s", STR_FMT(host), STR_FMT(address));

	snprintf(text, 256, "another session is still asking");
	pthread_mutex_lock(&c->lock);
	if (c->count >= ENTRIES_MAX)
		forget(c);
	int known = entry_wait(c, key, d, &answer, text);
	if (known == 0) {
		pthread_mutex_unlock(&c->lock);
		answer = probe(c, relay, address, d, text);
		pthread_mutex_lock(&c->lock);
		entry_settle(c, key, answer, text);
	}
	pthread_mutex_unlock(&c->lock);
	arena_close(&a);
	return answer;
}
