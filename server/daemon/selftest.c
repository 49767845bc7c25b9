/* selftest - the resolver is tested at start, after each reload and every hour, on a thread of
 * its own: nothing waits for it. The outcome is in the log and in health_read. */
#include "daemon/daemon_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dns/selftest.h"

#include <errno.h>
#include <stdlib.h>

enum { EVERY_MS = 3600 * 1000 };

struct selftest {
	struct gateway *gateway;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool wanted; /* a reload was made */
	atomic_int stop;
};

static void test(struct selftest *t)
{
	static const struct {
		enum health_state health;
		const char *word;
	} states[] = {[DNS_SELFTEST_OK] = {HEALTH_OK, "ok"},
		[DNS_SELFTEST_OFF] = {HEALTH_WARN, "validation-off"},
		[DNS_SELFTEST_NO_DNSSEC] = {HEALTH_BAD, "not-validating"},
		[DNS_SELFTEST_UNREACHABLE] = {HEALTH_BAD, "not-reachable"}};
	const struct config *c = config_snapshot(t->gateway->config);
	struct dns_selftest_options opt = {.stop = &t->stop,
		.own_servers = c->resolver.forward_count + c->resolver.stub_count > 0,
		.validating = c->resolver.trust_anchor_file == NULL ||
			      strcmp(c->resolver.trust_anchor_file, "none") != 0};
	struct dns_selftest got;

	config_release(c);
	dns_selftest(t->gateway->dns, &opt, &got);
	if (got.state == DNS_SELFTEST_STOPPED)
		return;
	enum health_state health = states[got.state].health;
	if (got.state == DNS_SELFTEST_UNREACHABLE && opt.own_servers)
		health = HEALTH_WARN; /* they may be there for zones of their own only */
	health_resolver_set(t->gateway, health, got.text);
	log_event(health == HEALTH_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "dns.selftest", "result",
		states[got.state].word, "text", got.text, NULL);
}

static void *run(void *arg)
{
	struct selftest *t = arg;

	pthread_mutex_lock(&t->lock);
	while (atomic_load(&t->stop) == 0) {
		t->wanted = false;
		pthread_mutex_unlock(&t->lock);
		test(t);
		pthread_mutex_lock(&t->lock);
		struct deadline d = deadline_in_ms(EVERY_MS);
		struct timespec until = {
			.tv_sec = d.mono_ms / 1000, .tv_nsec = d.mono_ms % 1000 * 1000000};
		int rc = 0;
		while (atomic_load(&t->stop) == 0 && !t->wanted && rc != ETIMEDOUT)
			rc = pthread_cond_timedwait(&t->cond, &t->lock, &until);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct selftest *selftest_start(struct gateway *g)
{
	const struct config *c = config_snapshot(g->config);
	bool wanted = !c->localserve; /* nothing leaves the machine there */
	struct err err;

	config_release(c);
	if (!wanted)
		return NULL;
	struct selftest *t = mem_alloc(sizeof(*t));
	t->gateway = g;
	pthread_mutex_init(&t->lock, NULL);
	cond_init(&t->cond);
	if (thread_spawn(&t->thread, "dns-selftest", run, t, &err) == 0)
		return t;
	log_event(LOG_LEVEL_WARN, "dns.selftest", "error", err.text, NULL);
	pthread_cond_destroy(&t->cond);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

void selftest_again(struct selftest *t)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->wanted = true;
	pthread_cond_signal(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

void selftest_stop(struct selftest **tp)
{
	struct selftest *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	atomic_store(&t->stop, 1);
	pthread_cond_signal(&t->cond);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->cond);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
