#include "queue/probe.h"

#include "base/mem.h"
#include "queue/secure.h"

#include <stdio.h>
#include <stdlib.h>

struct probe_stop {
	pthread_mutex_t lock;
	struct hops *hops; /* of the probe that runs */
	bool stopped;
};

struct probe_stop *probe_stop_new(void)
{
	struct probe_stop *s = mem_alloc(sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void probe_stop_free(struct probe_stop **s)
{
	if (*s == NULL)
		return;
	pthread_mutex_destroy(&(*s)->lock);
	free(*s);
	*s = NULL;
}

void probe_stop_now(struct probe_stop *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	if (s->hops != NULL)
		hops_cut(s->hops);
	pthread_mutex_unlock(&s->lock);
}

/* hops NULL: the probe is over. */
static void stop_watch(struct probe_stop *s, struct hops *hops)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->hops = hops;
	if (s->stopped && hops != NULL)
		hops_cut(hops);
	pthread_mutex_unlock(&s->lock);
}

/* A queue without threads and a delivery without messages: what connect.c needs of both. */
struct bench {
	struct queue q;
	struct delivery d;
	struct next_hop hop;
	struct connect_walk w;
	struct connect_trouble trouble;
};

static int bench_open(struct bench *b, const struct queue_probe_options *opt, struct err *err)
{
	struct store_claim claim = {.requiretls = opt->demand == TLS_DEMAND_REQUIRED,
		.tls_required_no = opt->demand == TLS_DEMAND_OPTIONAL};
	struct ip literal;

	b->q.opt = (struct queue_options){
		.store = opt->store, .dns = opt->dns, .tls = opt->tls, .mtasts = opt->mtasts};
	b->q.plans = plans_open(&(struct plans_options){.dns = opt->dns, .mtasts = opt->mtasts});
	b->q.hops = hops_open();
	if (b->q.hops == NULL)
		return err_set(err, ERR_TEMP, "no threads or descriptors left");
	b->d = (struct delivery){.q = &b->q, .config = opt->config, .arena = arena_open()};
	if (opt->way != NULL) {
		route_take(&b->d, opt->way, &b->hop);
	} else {
		b->hop = (struct next_hop){.kind = HOP_MX,
			.transport = "direct",
			.domain = arena_strdup(b->d.arena, str_from(opt->domain)),
			.literal = ip_parse(str_from(opt->domain), &literal)};
		b->hop.name = b->hop.key = b->hop.domain;
	}
	stop_watch(opt->stop, b->q.hops);
	secure_demand(&b->d, &claim, &b->hop);
	return 0;
}

static void bench_close(struct bench *b)
{
	plan_release(&b->d.plan);
	arena_close(&b->d.arena);
	if (b->q.hops != NULL)
		hops_close(&b->q.hops);
	plans_close(&b->q.plans);
	free(b);
}

static void host_take(struct bench *b, const struct hop_session *s, struct queue_probe_host *h)
{
	const struct dane_record *r = &b->w.matched;

	h->open = true;
	h->tls = smtp_client_tls(s->client) != NULL;
	h->verified = b->w.verified;
	snprintf(h->ip, sizeof(h->ip), "%s", s->ip);
	snprintf(h->tls_text, sizeof(h->tls_text), "%s", s->tls);
	snprintf(h->text, sizeof(h->text), "%s", s->how);
	if (b->w.has_matched)
		snprintf(h->record, sizeof(h->record), "%.120s", dane_record_text(b->d.arena, r).p);
}

/* One host, all its addresses. */
static void host_try(struct bench *b, size_t i, struct queue_probe_result *out)
{
	struct queue_probe_host *h = &out->hosts[out->host_count++];
	struct hop_session *s = NULL;
	size_t count = b->w.host_count;

	snprintf(h->host, sizeof(h->host), "%s", b->w.hosts[i].name);
	memset(&b->trouble, 0, sizeof(b->trouble));
	b->w.host_at = i;
	b->w.host_count = i + 1; /* no further */
	b->w.ips_known = b->w.second_pass = b->w.skipped = false;
	b->w.dialled = 0;
	if (connect_next(&b->w, &s, &b->trouble) == 1) {
		host_take(b, s, h);
		hops_session_end(b->q.hops, &s);
	} else {
		snprintf(h->text, sizeof(h->text), "%s", b->trouble.word.text);
		snprintf(h->ip, sizeof(h->ip), "%s", b->trouble.ip);
	}
	b->w.host_count = count;
	if (b->hop.kind == HOP_MX && !b->hop.literal)
		h->dane = plan_host(b->d.plan, i)->dane.status == DANE_USABLE;
	out->dane |= h->dane;
}

static void conclude(struct bench *b, struct trace *trace, struct queue_probe_result *out)
{
	const struct queue_probe_host *first = NULL;
	const struct smtp_rcpt_reply *word = &b->trouble.word;

	for (size_t i = 0; first == NULL && i < out->host_count; i++) {
		if (out->hosts[i].open)
			first = &out->hosts[i];
	}
	out->open = first != NULL;
	if (first != NULL) {
		snprintf(out->text, sizeof(out->text), "Would be delivered to %.80s %.460s.",
			first->host, first->text);
	} else {
		out->permanent = word->permanent || connect_is_hopeless(&b->w);
		memcpy(out->ecode, word->ecode, sizeof(out->ecode));
		if (out->permanent && out->ecode[0] != '\0')
			out->ecode[0] = '5';
		snprintf(out->text, sizeof(out->text), "Would %s: %.512s",
			out->permanent ? "go back to the sender" : "wait",
			word->text[0] != '\0' ? word->text : "no host could be tried");
	}
	trace_sentence(trace, str_from(out->text));
}

int queue_probe(const struct queue_probe_options *opt, struct trace *trace,
	struct queue_probe_result *out, struct err *err)
{
	struct bench *b = mem_alloc(sizeof(*b));
	int rc = bench_open(b, opt, err);

	*out = (struct queue_probe_result){.open = false};
	if (rc == 0) {
		b->w.trace = trace;
		if (connect_begin(&b->w, &b->d, &b->hop, &b->trouble.word) == 0) {
			for (size_t i = 0; i < b->w.host_count && i < PROBE_HOSTS_MAX &&
					   !hops_is_cut(b->q.hops);
				i++) {
				host_try(b, i, out);
				if (out->hosts[i].open && opt->extent == PROBE_AS_DELIVERY)
					break;
			}
		}
		conclude(b, trace, out);
	}
	stop_watch(opt->stop, NULL);
	bench_close(b);
	return rc;
}
