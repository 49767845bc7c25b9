#include "smtp/callout.h"

#include "base/hash.h"
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
	PROBE_COMMAND_MS = 20 * 1000,
	DIAL_MS = 10 * 1000,  /* one address: leaves time for the next host */
	DOWN_MS = 15 * 1000,  /* a host that let us wait for nothing is not asked again so long */
	DOWN_AFTER_MS = 1000, /* being refused at once holds nobody up */
	DOWN_SLOTS = 256
};

struct entry {
	struct entry *next;
	int64_t until_ms; /* monotonic; 0: a probe is under way */
	enum callout_answer answer;
	char text[256];
	char key[]; /* first relay host, space, address */
};

struct down {          /* a relay host that nobody could connect to */
	uint64_t host; /* its hash: two hosts that meet here only ask once too often */
	int64_t until_ms;
};

struct callout {
	struct callout_options opt;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct entry *buckets[BUCKETS];
	size_t count;
	struct down down[DOWN_SLOTS];
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
	memset(c->down, 0, sizeof(c->down));
	pthread_mutex_unlock(&c->lock);
}

static struct entry **slot(struct callout *c, const char *key)
{
	struct entry **at = &c->buckets[hash_str(str_from(key)) % BUCKETS];

	while (*at != NULL && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static bool host_is_down(struct callout *c, struct str hostport)
{
	uint64_t h = hash_str(hostport);
	const struct down *d = &c->down[h % DOWN_SLOTS];

	pthread_mutex_lock(&c->lock);
	bool down = d->host == h && d->until_ms > clock_mono_ms();
	pthread_mutex_unlock(&c->lock);
	return down;
}

static void host_set_down(struct callout *c, struct str hostport)
{
	uint64_t h = hash_str(hostport);

	pthread_mutex_lock(&c->lock);
	c->down[h % DOWN_SLOTS] = (struct down){h, clock_mono_ms() + DOWN_MS};
	pthread_mutex_unlock(&c->lock);
}

/* --- the probe --- */

static void said(char text[256], const char *host, const char *what)
{
	snprintf(text, 256, "%.80s: %.170s", host, what);
}

struct target { /* one address of one relay host */
	const struct store_relay *relay;
	const char *host;
	const struct ip *ip;
	unsigned port;
	struct str address;
	struct deadline d;
};

/* Connects and asks. *connected: somebody took the connection; *plaintext: TLS failed, and
 * the relay's setting allows another try without. */
static enum callout_answer session_probe(struct callout *c, const struct target *t,
	struct tls_policy policy, bool *connected, bool *plaintext, char text[256])
{
	const struct config *config = config_snapshot(c->opt.config);
	struct smtp_client_options opt = {.helo = config->hostname,
		.server_name = t->host,
		.protocol = t->relay->protocol,
		.policy = policy,
		.tls = c->opt.tls,
		.username = t->relay->username,
		.password = t->relay->password,
		.command_timeout_ms = PROBE_COMMAND_MS,
		.session = t->d};
	struct conn *conn = NULL;
	struct smtp_client *client = NULL;
	struct tls_outcome outcome = {.try_plaintext = false};
	struct smtp_failure failure;
	struct smtp_rcpt_reply reply;
	enum callout_answer answer = CALLOUT_LATER;
	struct err err;

	if (conn_dial(t->ip, t->port, NULL, deadline_min(t->d, deadline_in_ms(DIAL_MS)), &conn,
		    &err) < 0) {
		said(text, t->host, err.text);
		goto out;
	}
	*connected = true;
	if (smtp_client_open(&conn, &opt, &client, &outcome, &failure) < 0 ||
		smtp_client_probe(client, STR(""), t->address, &reply, &failure) < 0) {
		*plaintext = client == NULL && outcome.try_plaintext;
		said(text, t->host, failure.text);
		goto out;
	}
	answer = reply.accepted    ? CALLOUT_EXISTS
		 : reply.permanent ? CALLOUT_UNKNOWN
				   : CALLOUT_LATER;
	said(text, t->host, reply.text);
out:
	if (client != NULL)
		smtp_client_quit(&client);
	config_release(config);
	return answer;
}

static enum callout_answer addresses_probe(struct callout *c, struct target *t,
	const struct dns_answer *addrs, bool *connected, char text[256])
{
	enum callout_answer answer = CALLOUT_LATER;

	for (size_t i = 0; i < addrs->count && answer == CALLOUT_LATER; i++) {
		struct tls_policy policy = tlspolicy_relay(t->relay->tls);
		bool plaintext = false;
		t->ip = &addrs->records[i].ip;
		answer = session_probe(c, t, policy, connected, &plaintext, text);
		if (!plaintext)
			continue;
		policy.mode = TLS_MODE_SKIP;
		answer = session_probe(c, t, policy, connected, &plaintext, text);
	}
	return answer;
}

static enum callout_answer host_probe(struct callout *c, const struct store_relay *relay,
	struct str hostport, struct str address, struct deadline d, char text[256])
{
	struct arena *a = arena_open();
	struct target t = {.relay = relay, .address = address, .d = d};
	enum callout_answer answer = CALLOUT_LATER;
	struct dns_answer addrs = {.count = 0};
	bool connected = false;
	int64_t start_ms = clock_mono_ms();
	struct ip literal;
	struct str name;
	struct err err;

	if (host_is_down(c, hostport)) {
		said(text, "relay host", "it took no connection a moment ago");
		goto out;
	}
	if (hostport_parse(hostport, 25, &name, &t.port, &err) < 0) {
		said(text, "relay host", err.text);
		goto out;
	}
	t.host = arena_strdup(a, name);
	if (ip_parse(name, &literal)) {
		addrs.records = arena_alloc(a, sizeof(*addrs.records));
		addrs.records[0].ip = literal;
		addrs.count = 1;
	} else if (c->opt.dns == NULL || dns_addr(c->opt.dns, t.host, d, a, &addrs, &err) < 0 ||
		   addrs.count == 0) {
		said(text, t.host, "its address cannot be found");
		goto out;
	}
	answer = addresses_probe(c, &t, &addrs, &connected, text);
	if (!connected && clock_mono_ms() - start_ms >= DOWN_AFTER_MS)
		host_set_down(c, hostport);
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
