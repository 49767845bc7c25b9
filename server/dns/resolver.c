/* One libunbound context for the process, its work done in libunbound's own thread.
 * ub_process may only run in one place, so a thread of ours waits on ub_fd, calls it, and
 * the callbacks wake whoever asked. Blocking ub_resolve is no good: it has no deadline. */
#include "dns/internal.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

static const char anchor_default[] = "/usr/share/dns/root.key";

struct resolver {
	struct ub_ctx *ctx;
	pthread_t thread;
	bool running;
	int stop_fd;
	pthread_mutex_t lock;  /* guards the list; taken before a query's */
	struct query *waiting; /* those that somebody waits for */
	atomic_bool cancelled;
};

/* One question. Held by who asked and by libunbound's callback. */
struct query {
	pthread_mutex_t lock;
	pthread_cond_t done_cond;
	unsigned refs;
	bool done;
	int error;                /* of libunbound */
	struct ub_result *result; /* NULL on error */
	struct query *next, **at; /* in the list of those waited for */
};

static struct query *query_new(void)
{
	struct query *q = mem_alloc(sizeof(*q));

	pthread_mutex_init(&q->lock, NULL);
	cond_init(&q->done_cond);
	q->refs = 2;
	return q;
}

static void query_release(struct query *q, unsigned refs)
{
	pthread_mutex_lock(&q->lock);
	q->refs -= refs;
	bool last = q->refs == 0;
	pthread_mutex_unlock(&q->lock);
	if (!last)
		return;
	ub_resolve_free(q->result);
	pthread_cond_destroy(&q->done_cond);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/* On the resolver's thread. */
static void query_answered(void *arg, int error, struct ub_result *result)
{
	struct query *q = arg;

	pthread_mutex_lock(&q->lock);
	q->done = true;
	q->error = error;
	q->result = result;
	pthread_cond_signal(&q->done_cond);
	pthread_mutex_unlock(&q->lock);
	query_release(q, 1);
}

static void *resolver_run(void *arg)
{
	struct resolver *r = arg;
	struct pollfd fds[2] = {
		{.fd = ub_fd(r->ctx), .events = POLLIN}, {.fd = r->stop_fd, .events = POLLIN}};

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (fds[1].revents != 0)
			break;
		if (fds[0].revents != 0 && ub_process(r->ctx) != 0)
			break;
	}
	return NULL;
}

/* --- opening --- */

/* Set by a file, because libunbound takes these options in no other way. */
static const char config_common[] =
	"server:\n"
	"\toutgoing-range: 512\n"
	"\tnum-queries-per-thread: 1024\n"
	"\toutgoing-num-tcp: 32\n"
	"\tmsg-cache-size: 8m\n"
	"\trrset-cache-size: 16m\n"
	"\tkey-cache-size: 4m\n"
	"\tcache-max-negative-ttl: 900\n"
	"\tinfra-keep-probing: yes\n" /* a server that comes back is found at once */
	"\tval-log-level: 2\n"        /* for the reason of a bogus answer */
	"\tval-clean-additional: yes\n"
	"\troot-key-sentinel: no\n"
	"\ttrust-anchor-signaling: no\n";
static const char config_no_validation[] = "\tmodule-config: \"iterator\"\n";
/* With servers of our own the zones of RFC 6303 and 6761 that libunbound answers itself
 * are asked there too, and the servers may be on this machine. */
static const char config_own_servers[] = "\tdo-not-query-localhost: no\n"
					 "\tqname-minimisation: no\n" /* nobody to hide from */
					 "\tunblock-lan-zones: yes\n"
					 "\tlocal-zone: \"127.in-addr.arpa.\" nodefault\n"
					 "\tlocal-zone: \"home.arpa.\" nodefault\n"
					 "\tlocal-zone: \"test.\" nodefault\n"
					 "\tlocal-zone: \"invalid.\" nodefault\n"
					 "\tlocal-zone: \"onion.\" nodefault\n";

static int config_load(struct ub_ctx *ctx, bool validate, bool own_servers, struct err *err)
{
	char name[40];
	int fd = memfd_create("unbound.conf", MFD_CLOEXEC);

	if (fd < 0)
		return err_set(err, ERR_TEMP, "resolver: memfd: %s", strerror(errno));
	int n = dprintf(fd, "%s%s%s", config_common, validate ? "" : config_no_validation,
		own_servers ? config_own_servers : "");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	int rc = n < 0 ? UB_READFILE : ub_ctx_config(ctx, name);
	close(fd);
	return rc == 0 ? 0 : err_set(err, ERR_BUG, "resolver: settings: %s", ub_strerror(rc));
}

/* "ip@port" or "ip" */
static int server_check(const char *what, const char *text, struct err *err)
{
	struct str ip_part = str_from(text), port_part;
	struct ip ip;
	uint64_t port = 53;

	if (str_split(ip_part, '@', &ip_part, &port_part) &&
		(!str_to_u64(port_part, 65535, &port) || port == 0))
		return err_set(err, ERR_PERM, "%s %s: bad port; IP@PORT is wanted", what, text);
	if (!ip_parse(ip_part, &ip))
		return err_set(
			err, ERR_PERM, "%s %s: not an IP address; IP@PORT is wanted", what, text);
	return 0;
}

static int servers_set(struct ub_ctx *ctx, const struct dns_options *opt, struct err *err)
{
	for (size_t i = 0; i < opt->forward_count; i++) {
		if (server_check("Resolver Forward", opt->forward[i], err) < 0)
			return -1;
		int rc = ub_ctx_set_fwd(ctx, opt->forward[i]);
		if (rc != 0)
			return err_set(err, ERR_PERM, "Resolver Forward %s: %s", opt->forward[i],
				ub_strerror(rc));
	}
	for (size_t i = 0; i < opt->stub_count; i++) {
		char zone[DNS_NAME_MAX];
		struct str text = str_from(opt->stub_zones[i]);
		if (text.len > 1 && text.p[text.len - 1] == '.')
			text.len--;
		if (str_eq(text, STR("."))) {
			(void)str_copy(zone, sizeof(zone), text);
		} else if (dns_name_to_ascii(text, zone, err) < 0) {
			return err_prefix(err, "Resolver Stubs");
		}
		if (server_check("Resolver Stubs", opt->stub_addrs[i], err) < 0)
			return -1;
		int rc = ub_ctx_set_stub(ctx, zone, opt->stub_addrs[i], 0);
		if (rc != 0)
			return err_set(
				err, ERR_PERM, "Resolver Stubs %s: %s", zone, ub_strerror(rc));
	}
	return 0;
}

static int context_setup(struct ub_ctx *ctx, const struct dns_options *opt, struct err *err)
{
	const char *anchor = opt->trust_anchor_file ? opt->trust_anchor_file : anchor_default;
	bool validate = strcmp(anchor, "none") != 0;
	int rc;

	ub_ctx_debugout(ctx, NULL); /* what matters comes back as an error */
	if (config_load(ctx, validate, opt->forward_count + opt->stub_count > 0, err) < 0 ||
		servers_set(ctx, opt, err) < 0)
		return -1;
	if (validate) {
		if (access(anchor, R_OK) < 0)
			return err_set(err, ERR_PERM, "Resolver TrustAnchorFile %s: %s", anchor,
				strerror(errno));
		if ((rc = ub_ctx_add_ta_file(ctx, anchor)) != 0)
			return err_set(err, ERR_PERM, "Resolver TrustAnchorFile %s: %s", anchor,
				ub_strerror(rc));
	}
	if ((rc = ub_ctx_async(ctx, 1)) != 0)
		return err_set(err, ERR_BUG, "resolver: %s", ub_strerror(rc));
	/* Changing any local zone makes libunbound read its settings now, not at the first
	 * question: errors belong to the start. */
	if ((rc = ub_ctx_zone_remove(ctx, "nothing.invalid.")) != 0)
		return err_set(err, ERR_PERM, "Resolver TrustAnchorFile %s: no usable anchor (%s)",
			anchor, ub_strerror(rc));
	return 0;
}

int resolver_open(const struct dns_options *opt, struct resolver **out, struct err *err)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	*out = NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->stop_fd = eventfd(0, EFD_CLOEXEC);
	r->ctx = ub_ctx_create();
	if (r->ctx == NULL || r->stop_fd < 0) {
		err_set(err, ERR_TEMP, "resolver: %s", strerror(errno));
		goto fail;
	}
	if (context_setup(r->ctx, opt, err) < 0)
		goto fail;
	if (thread_spawn(&r->thread, "dns", resolver_run, r, err) < 0)
		goto fail;
	r->running = true;
	*out = r;
	return 0;
fail:
	resolver_close(&r);
	return -1;
}

void resolver_close(struct resolver **rp)
{
	struct resolver *r = *rp;
	uint64_t one = 1;

	*rp = NULL;
	if (r == NULL)
		return;
	if (r->running) {
		if (write(r->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
			abort(); /* an eventfd takes it */
		pthread_join(r->thread, NULL);
	}
	ub_ctx_delete(r->ctx);
	if (r->stop_fd >= 0)
		close(r->stop_fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- asking --- */

static const char *rcode_text(int rcode)
{
	static const char *const names[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

	return rcode >= 0 && (size_t)rcode < sizeof(names) / sizeof(names[0]) ? names[rcode]
									      : "an unusual error";
}

/* libunbound's text of a name: lower case, without the last dot. */
static struct str canonical_make(struct arena *a, const char *canonname, const char *asked)
{
	struct str name = str_from(canonname ? canonname : asked);

	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	char *text = arena_strdup(a, name);
	str_lower(text, name.len);
	return (struct str){text, name.len};
}

static void records_parse(
	enum dns_type type, const struct ub_result *res, struct arena *a, struct dns_answer *out)
{
	size_t total = 0;

	while (total < DNS_RECORDS_MAX && res->data[total] != NULL)
		total++;
	out->records = arena_alloc(a, (total + 1) * sizeof(*out->records));
	for (size_t i = 0; i < total; i++) {
		struct str rdata = {res->data[i], (size_t)(res->len[i] > 0 ? res->len[i] : 0)};
		if (dns_rdata_parse(type, rdata, a, &out->records[out->count]))
			out->count++;
	}
	if (out->count > 0) {
		out->status = DNS_OK;
	} else {
		out->status = DNS_FAILED;
		out->reason = STR("every record of the answer is malformed");
	}
}

static void answer_fill(enum dns_type type, const char *name, const struct query *q,
	struct arena *a, struct dns_answer *out)
{
	const struct ub_result *res = q->result;

	out->status = DNS_FAILED;
	if (q->error != 0 || res == NULL) {
		out->reason = arena_str(a, str_from(ub_strerror(q->error)));
		return;
	}
	out->canonical = canonical_make(a, res->canonname, name);
	out->ttl_s = res->ttl > 0 ? res->ttl : 0;
	if (res->bogus) {
		out->status = DNS_BOGUS;
		out->ttl_s = 0;
		out->reason = arena_str(
			a, str_from(res->why_bogus ? res->why_bogus : "DNSSEC validation failed"));
		out->ede = ede_of_bogus(out->reason);
		return;
	}
	out->secure = res->secure != 0;
	if (res->havedata)
		records_parse(type, res, a, out);
	else if (res->nxdomain)
		out->status = DNS_NXDOMAIN;
	else if (res->rcode == 0)
		out->status = DNS_NODATA;
	else
		out->reason = str_from(
			arena_printf(a, "the name servers answer %s", rcode_text(res->rcode)));
	if (out->status == DNS_FAILED)
		out->secure = false;
}

/* Waits for q, the deadline or the end; q->lock is held. */
static void query_wait(struct resolver *r, struct query *q, struct deadline d)
{
	struct timespec until = {.tv_sec = d.mono_ms / 1000, .tv_nsec = d.mono_ms % 1000 * 1000000};

	while (!q->done && !atomic_load(&r->cancelled)) {
		if (pthread_cond_timedwait(&q->done_cond, &q->lock, &until) == ETIMEDOUT)
			return;
	}
}

static void waiting_add(struct resolver *r, struct query *q)
{
	pthread_mutex_lock(&r->lock);
	q->at = &r->waiting;
	q->next = r->waiting;
	if (q->next != NULL)
		q->next->at = &q->next;
	r->waiting = q;
	pthread_mutex_unlock(&r->lock);
}

static void waiting_remove(struct resolver *r, struct query *q)
{
	pthread_mutex_lock(&r->lock);
	*q->at = q->next;
	if (q->next != NULL)
		q->next->at = q->at;
	pthread_mutex_unlock(&r->lock);
}

void resolver_cancel(struct resolver *r)
{
	atomic_store(&r->cancelled, true);
	pthread_mutex_lock(&r->lock);
	for (struct query *q = r->waiting; q != NULL; q = q->next) {
		pthread_mutex_lock(&q->lock);
		pthread_cond_signal(&q->done_cond);
		pthread_mutex_unlock(&q->lock);
	}
	pthread_mutex_unlock(&r->lock);
}

static void query_finish(struct resolver *r, struct query *q, int id,
	const struct dns_request *request, struct deadline d, struct arena *a,
	struct dns_answer *out)
{
	waiting_add(r, q);
	pthread_mutex_lock(&q->lock);
	query_wait(r, q, d);
	bool done = q->done;
	if (done)
		answer_fill(request->type, request->name, q, a, out);
	pthread_mutex_unlock(&q->lock);
	waiting_remove(r, q);
	if (done) {
		query_release(q, 1);
		return;
	}
	out->status = DNS_TIMEOUT;
	out->reason = atomic_load(&r->cancelled) ? STR("mox is ending") : STR("no answer in time");
	/* Cancelled: the callback will not come, its reference is ours to drop. Else it was
	 * just being called, and drops it. */
	query_release(q, ub_cancel(r->ctx, id) == 0 ? 2 : 1);
}

void resolver_ask(struct resolver *r, const struct dns_request *requests, size_t count,
	struct deadline d, struct arena *a, struct dns_answer *answers)
{
	struct query *queries[DNS_MANY_MAX];
	int ids[DNS_MANY_MAX], rcs[DNS_MANY_MAX];

	for (size_t i = 0; i < count; i++) {
		answers[i] = (struct dns_answer){.reason = STR(""),
			.ede = DNS_EDE_UNKNOWN,
			.canonical = arena_str(a, str_from(requests[i].name)),
			.records = NULL};
		queries[i] = query_new();
		rcs[i] = ub_resolve_async(r->ctx, requests[i].name, (int)requests[i].type, 1,
			queries[i], query_answered, &ids[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (rcs[i] == 0) {
			query_finish(r, queries[i], ids[i], &requests[i], d, a, &answers[i]);
			continue;
		}
		answers[i].status = DNS_FAILED;
		answers[i].reason = arena_str(a, str_from(ub_strerror(rcs[i])));
		query_release(queries[i], 2);
	}
}
