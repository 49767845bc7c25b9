#include "queue/hops.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	DOWN_MAX_MS = 600 * 1000,
	DOWN_FORGET_MS = 3600 * 1000, /* after its time: the next failure starts anew */
	DOWN_BUCKETS = 1024,
	DOWN_COUNT_MAX = 20000,
	ADDRESS_SLOTS = 2048 /* direct-mapped: a collision only loses a hint */
};

struct down {
	struct down *next;
	int64_t since_ms, until_ms, wait_ms;
	bool probing;
	char name[HOP_NAME_MAX], text[HOP_TEXT];
	char key[];
};

struct hops {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	pthread_t reaper;
	bool stopping;
	atomic_bool cut;
	int cut_event;
	struct hop_session *open, *idle; /* idle: newest first */
	size_t idle_count;
	struct down *down[DOWN_BUCKETS];
	size_t down_count;
	struct {
		uint64_t hash;
		int64_t bad_until_ms;
	} bad[ADDRESS_SLOTS];
	struct {
		uint64_t hash;
		struct ip ip;
	} good[ADDRESS_SLOTS];
};

static uint64_t hash_text(const char *s)
{
	return hash_str(str_from(s));
}

/* --- sessions --- */

static void session_free(struct hops *h, struct hop_session *s)
{
	smtp_client_quit(&s->client);
	pthread_mutex_lock(&h->lock);
	if (s->prev_open != NULL)
		s->prev_open->next_open = s->next_open;
	else
		h->open = s->next_open;
	if (s->next_open != NULL)
		s->next_open->prev_open = s->prev_open;
	pthread_mutex_unlock(&h->lock);
	if (s->cut_fd >= 0)
		close(s->cut_fd);
	trace_free(&s->trace);
	free(s->key);
	free(s);
}

/* Idle sessions end here, so that nobody else waits for a peer's answer to QUIT. */
static void *reaper_run(void *arg)
{
	struct hops *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->stopping || h->idle != NULL) {
		int64_t now_ms = clock_mono_ms(), wake_ms = now_ms + 3600 * 1000;
		struct hop_session **at = &h->idle, *ended = NULL;
		while (*at != NULL && ended == NULL) {
			if (h->stopping || (*at)->idle_until_ms <= now_ms) {
				ended = *at;
				*at = ended->next_idle;
				h->idle_count--;
				break;
			}
			if ((*at)->idle_until_ms < wake_ms)
				wake_ms = (*at)->idle_until_ms;
			at = &(*at)->next_idle;
		}
		if (ended != NULL) {
			pthread_mutex_unlock(&h->lock);
			session_free(h, ended);
			pthread_mutex_lock(&h->lock);
			continue;
		}
		struct timespec ts = {wake_ms / 1000, wake_ms % 1000 * 1000000};
		if (!h->stopping)
			pthread_cond_timedwait(&h->cond, &h->lock, &ts);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

struct hops *hops_open(void)
{
	struct hops *h = mem_alloc(sizeof(*h));
	struct err err;

	pthread_mutex_init(&h->lock, NULL);
	cond_init(&h->cond);
	h->cut_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->cut_event < 0 || thread_spawn(&h->reaper, "queue-idle", reaper_run, h, &err) < 0) {
		if (h->cut_event >= 0)
			close(h->cut_event);
		free(h);
		return NULL;
	}
	return h;
}

void hops_close(struct hops **hp)
{
	struct hops *h = *hp;

	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_broadcast(&h->cond);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->reaper, NULL);
	hops_forget(h);
	close(h->cut_event);
	pthread_cond_destroy(&h->cond);
	pthread_mutex_destroy(&h->lock);
	free(h);
	*hp = NULL;
}

struct hop_session *hops_session_new(struct hops *h, const char *key, struct conn *conn)
{
	struct hop_session *s = mem_alloc(sizeof(*s));

	s->key = mem_strdup(key);
	/* A second descriptor of the socket: shutdown works on it whoever owns the first. */
	s->cut_fd = fcntl(conn_fd(conn), F_DUPFD_CLOEXEC, 0);
	pthread_mutex_lock(&h->lock);
	s->next_open = h->open;
	if (h->open != NULL)
		h->open->prev_open = s;
	h->open = s;
	if (atomic_load(&h->cut) && s->cut_fd >= 0)
		shutdown(s->cut_fd, SHUT_RDWR);
	pthread_mutex_unlock(&h->lock);
	return s;
}

void hops_session_end(struct hops *h, struct hop_session **s)
{
	if (*s != NULL)
		session_free(h, *s);
	*s = NULL;
}

struct hop_session *hops_take(struct hops *h, const char *key)
{
	struct hop_session *s = NULL;
	int64_t now_ms = clock_mono_ms();

	pthread_mutex_lock(&h->lock);
	for (struct hop_session **at = &h->idle; *at != NULL; at = &(*at)->next_idle) {
		if ((*at)->idle_until_ms > now_ms && strcmp((*at)->key, key) == 0) {
			s = *at;
			*at = s->next_idle;
			h->idle_count--;
			s->reused = true;
			break;
		}
	}
	pthread_mutex_unlock(&h->lock);
	return s;
}

void hops_give(struct hops *h, struct hop_session **sp, int64_t idle_ms, size_t max)
{
	struct hop_session *s = *sp;
	bool keep;

	if (s == NULL)
		return;
	*sp = NULL;
	s->idle_until_ms = clock_mono_ms() + idle_ms;
	pthread_mutex_lock(&h->lock);
	keep = idle_ms > 0 && h->idle_count < max && !h->stopping && !atomic_load(&h->cut) &&
	       s->client != NULL && smtp_client_usable(s->client);
	if (keep) {
		s->next_idle = h->idle;
		h->idle = s;
		/* The reaper sleeps by the oldest; it need only hear of the first. */
		if (h->idle_count++ == 0)
			pthread_cond_signal(&h->cond);
	}
	pthread_mutex_unlock(&h->lock);
	if (!keep)
		session_free(h, s);
}

void hops_cut(struct hops *h)
{
	uint64_t one = 1;

	atomic_store(&h->cut, true);
	(void)!write(h->cut_event, &one, sizeof(one));
	pthread_mutex_lock(&h->lock);
	for (struct hop_session *s = h->open; s != NULL; s = s->next_open) {
		if (s->cut_fd >= 0)
			shutdown(s->cut_fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&h->lock);
}

bool hops_is_cut(const struct hops *h)
{
	return atomic_load(&h->cut);
}

/* --- dialling --- */

static int dial_wait(struct hops *h, int fd, struct deadline d)
{
	struct pollfd p[2] = {
		{.fd = fd, .events = POLLOUT}, {.fd = h->cut_event, .events = POLLIN}};
	int error = 0;
	socklen_t len = sizeof(error);

	for (;;) {
		int n = poll(p, 2, (int)deadline_left_ms(d));
		if (n > 0 && p[1].revents != 0)
			errno = ECANCELED;
		else if (n > 0)
			break;
		else if (n == 0)
			errno = ETIMEDOUT;
		else if (errno == EINTR)
			continue;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

int hops_dial(struct hops *h, const struct ip *ip, unsigned port, struct deadline d,
	struct conn **out, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(ip, port, &sa);
	char text[IP_TEXT];

	*out = NULL;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, ERR_TEMP, "socket: %s", strerror(errno));
	if ((connect(fd, (struct sockaddr *)&sa, len) < 0 &&
		    (errno != EINPROGRESS || dial_wait(h, fd, d) < 0)) ||
		fcntl(fd, F_SETFL, 0) < 0) {
		err_set(err, ERR_TEMP, "connect to %s port %u: %s", ip_text(ip, text), port,
			strerror(errno));
		close(fd);
		return -1;
	}
	*out = conn_open_fd(fd);
	return 0;
}

/* --- down memory --- */

static struct down **down_at(struct hops *h, const char *key)
{
	struct down **at = &h->down[hash_text(key) % DOWN_BUCKETS];

	while (*at != NULL && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static void down_remove(struct hops *h, struct down **at)
{
	struct down *d = *at;

	*at = d->next;
	h->down_count--;
	free(d);
}

enum hop_state hops_ask(struct hops *h, const char *key, int64_t now_ms, char text[HOP_TEXT])
{
	enum hop_state state = HOP_UP;

	text[0] = '\0';
	pthread_mutex_lock(&h->lock);
	struct down *d = h->down_count > 0 ? *down_at(h, key) : NULL;
	if (d != NULL) {
		memcpy(text, d->text, HOP_TEXT);
		state = now_ms < d->until_ms || d->probing ? HOP_DOWN : HOP_PROBE;
		if (state == HOP_PROBE)
			d->probing = true;
	}
	pthread_mutex_unlock(&h->lock);
	return state;
}

bool hops_is_down(struct hops *h, const char *key, int64_t now_ms)
{
	pthread_mutex_lock(&h->lock);
	const struct down *d = h->down_count > 0 ? *down_at(h, key) : NULL;
	bool down = d != NULL && (now_ms < d->until_ms || d->probing);
	pthread_mutex_unlock(&h->lock);
	return down;
}

/* Makes room: entries whose time is long over go. */
static void down_sweep(struct hops *h, int64_t now_ms)
{
	for (size_t i = 0; i < DOWN_BUCKETS; i++) {
		struct down **at = &h->down[i];
		while (*at != NULL) {
			if ((*at)->until_ms + DOWN_FORGET_MS < now_ms)
				down_remove(h, at);
			else
				at = &(*at)->next;
		}
	}
}

void hops_failed(struct hops *h, const char *key, const char *name, int64_t now_ms,
	int64_t first_ms, const char *text)
{
	pthread_mutex_lock(&h->lock);
	struct down **at = down_at(h, key), *d = *at;
	if (d == NULL) {
		if (h->down_count >= DOWN_COUNT_MAX)
			down_sweep(h, now_ms);
		if (h->down_count >= DOWN_COUNT_MAX) {
			pthread_mutex_unlock(&h->lock);
			return;
		}
		size_t n = strlen(key) + 1;
		d = mem_alloc(sizeof(*d) + n);
		memcpy(d->key, key, n);
		at = &h->down[hash_text(key) % DOWN_BUCKETS];
		d->next = *at;
		*at = d;
		h->down_count++;
		d->since_ms = now_ms;
		d->wait_ms = first_ms;
		d->until_ms = now_ms + d->wait_ms;
	} else if (now_ms >= d->until_ms) { /* those that fail beside each other count once */
		bool stale = d->until_ms + DOWN_FORGET_MS < now_ms;
		d->since_ms = stale ? now_ms : d->since_ms;
		d->wait_ms = stale ? first_ms : d->wait_ms * 2;
		if (d->wait_ms > DOWN_MAX_MS)
			d->wait_ms = DOWN_MAX_MS;
		d->until_ms = now_ms + d->wait_ms;
	}
	d->probing = false;
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->text, sizeof(d->text), "%s", text);
	pthread_mutex_unlock(&h->lock);
}

void hops_reached(struct hops *h, const char *key)
{
	pthread_mutex_lock(&h->lock);
	if (h->down_count > 0) {
		struct down **at = down_at(h, key);
		if (*at != NULL)
			down_remove(h, at);
	}
	pthread_mutex_unlock(&h->lock);
}

void hops_probe_end(struct hops *h, const char *key)
{
	pthread_mutex_lock(&h->lock);
	struct down *d = *down_at(h, key);
	if (d != NULL)
		d->probing = false;
	pthread_mutex_unlock(&h->lock);
}

void hops_forget(struct hops *h)
{
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < DOWN_BUCKETS; i++) {
		while (h->down[i] != NULL)
			down_remove(h, &h->down[i]);
	}
	memset(h->bad, 0, sizeof(h->bad));
	pthread_mutex_unlock(&h->lock);
}

/* Keeps the max that are down for longest, in order. */
static size_t down_insert(
	struct queue_hop_down *out, size_t count, size_t max, const struct down *d)
{
	size_t at = count;

	while (at > 0 && d->since_ms < out[at - 1].since_ms)
		at--;
	if (at == max)
		return count;
	count += count < max;
	memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof(*out));
	out[at].since_ms = d->since_ms;
	memcpy(out[at].name, d->name, sizeof(out[at].name));
	memcpy(out[at].text, d->text, sizeof(out[at].text));
	return count;
}

size_t hops_down_list(struct hops *h, int64_t now_ms, struct queue_hop_down *out, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < DOWN_BUCKETS && h->down_count > 0; i++) {
		for (const struct down *d = h->down[i]; d != NULL; d = d->next) {
			if (d->probing || now_ms < d->until_ms + DOWN_FORGET_MS)
				count = down_insert(out, count, max, d);
		}
	}
	pthread_mutex_unlock(&h->lock);
	return count;
}

int64_t hops_down_count(struct hops *h, int64_t now_ms)
{
	int64_t n = 0;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < DOWN_BUCKETS && h->down_count > 0; i++) {
		for (const struct down *d = h->down[i]; d != NULL; d = d->next)
			n += d->probing || now_ms < d->until_ms;
	}
	pthread_mutex_unlock(&h->lock);
	return n;
}

/* --- addresses --- */

static uint64_t hash_address(const struct ip *ip, unsigned port)
{
	return hash_more(hash_more(0, ip->bytes, ip->len), &port, sizeof(port));
}

bool hops_address_bad(struct hops *h, const struct ip *ip, unsigned port, int64_t now_ms)
{
	uint64_t hash = hash_address(ip, port);

	pthread_mutex_lock(&h->lock);
	bool bad = h->bad[hash % ADDRESS_SLOTS].hash == hash &&
		   now_ms < h->bad[hash % ADDRESS_SLOTS].bad_until_ms;
	pthread_mutex_unlock(&h->lock);
	return bad;
}

void hops_address_note(struct hops *h, const struct ip *ip, unsigned port, int64_t bad_until_ms)
{
	uint64_t hash = hash_address(ip, port);

	pthread_mutex_lock(&h->lock);
	h->bad[hash % ADDRESS_SLOTS].hash = hash;
	h->bad[hash % ADDRESS_SLOTS].bad_until_ms = bad_until_ms;
	pthread_mutex_unlock(&h->lock);
}

struct ip hops_last_good(struct hops *h, const char *host)
{
	uint64_t hash = hash_text(host);
	struct ip ip = {.len = 0};

	pthread_mutex_lock(&h->lock);
	if (h->good[hash % ADDRESS_SLOTS].hash == hash)
		ip = h->good[hash % ADDRESS_SLOTS].ip;
	pthread_mutex_unlock(&h->lock);
	return ip;
}

void hops_last_good_set(struct hops *h, const char *host, const struct ip *ip)
{
	uint64_t hash = hash_text(host);

	pthread_mutex_lock(&h->lock);
	h->good[hash % ADDRESS_SLOTS].hash = hash;
	h->good[hash % ADDRESS_SLOTS].ip = *ip;
	pthread_mutex_unlock(&h->lock);
}
