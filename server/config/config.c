#include "config/config.h"

#include "base/mem.h"
#include "config/fields.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A snapshot as it is made; callers see its first member. */
struct snapshot {
	struct config config;
	struct arena *arena;
	size_t listener_cap;
	atomic_uint references;
};

struct config_holder {
	pthread_mutex_t lock; /* only for the moment of swapping or taking the pointer */
	struct config *current;
};

static struct snapshot *snapshot_of(const struct config *c)
{
	return (struct snapshot *)(uintptr_t)c;
}

struct arena *config_arena(struct config *c)
{
	return snapshot_of(c)->arena;
}

/* spec/admin.md 9.1; the figures without a source there are our choice. */
static void limits_default(struct config_limits *l)
{
	const int64_t mib = 1024 * 1024;

	*l = (struct config_limits){
		.connection_rate = {300, 900, 2700},
		.connections_open = {30, 90, 270},
		.connections_total = 20000,
		.auth_failures_min = {10, 30, 90},
		.auth_failures_day = {50, 150, 450},
		.delivery_messages_min = {500, 1500, 4500},
		.delivery_messages_day = {10000, 30000, 90000},
		.delivery_bytes_min = {1000 * mib, 3000 * mib, 9000 * mib},
		.delivery_bytes_day = {3000 * mib, 9000 * mib, 27000 * mib},
		.account_messages_day = 1000,
		.command_line_max = 2048,
		.recipients_max = 100,
		.received_max = 100,
		.bad_transactions_max = 10,
		.slow_after = 3,
		.auth_delay_after = 3,
		.unknown_rcpt_delay_ms = 5000,
		.slow_read_ms = 1000,
		.slow_write_byte_ms = 1000,
		.read_timeout_ms = 5 * 60000,
		.write_timeout_ms = 5 * 60000,
		.data_timeout_ms = 30 * 60000,
		.tls_timeout_ms = 60000,
		.check_timeout_ms = 10000,
		.session_timeout_ms = 60 * 60000,
	};
}

static void queue_default(struct config_queue *q)
{
	*q = (struct config_queue){
		.max_concurrent = 100,
		.max_concurrent_per_domain = 20,
		.max_attempts = 8,
		.retry_first_s = 450,
		.delay_dsn_attempt = 5,
		.connect_timeout_ms = 30000,
		.command_timeout_ms = 5 * 60000,
		.session_timeout_ms = 30 * 60000,
		.idle_connection_ms = 2000,
		.smtp_port = 25,
	};
}

struct config *config_new(const char *data_dir, const char *hostname)
{
	struct snapshot *s = mem_alloc(sizeof(*s));
	struct config *c = &s->config;

	s->arena = arena_open();
	atomic_init(&s->references, 1);
	c->data_dir = data_dir ? config_strdup(c, data_dir) : NULL;
	c->hostname = hostname ? config_strdup(c, hostname) : NULL;
	c->user = "";
	c->log_level = LOG_LEVEL_INFO;
	c->log_format = LOG_FORMAT_LOGFMT;
	limits_default(&c->limits);
	queue_default(&c->queue);
	return c;
}

char *config_strdup(struct config *c, const char *s)
{
	return arena_strdup(config_arena(c), str_from(s));
}

struct config_listener *config_listener_add(struct config *c, const char *name)
{
	struct snapshot *s = snapshot_of(c);
	struct config_listener *l, *grown;

	if (c->listener_count == s->listener_cap) {
		s->listener_cap = s->listener_cap * 2 + 4;
		grown = arena_alloc(s->arena, s->listener_cap * sizeof(*grown));
		if (c->listener_count > 0)
			memcpy(grown, c->listeners, c->listener_count * sizeof(*grown));
		c->listeners = grown;
	}
	l = &c->listeners[c->listener_count++];
	*l = (struct config_listener){
		.name = config_strdup(c, name),
		.hostname = c->hostname,
		.tls_min_version = "TLSv1.2",
		.smtp_max_message_size = INT64_C(100) * 1024 * 1024,
		.smtp.port = 25,
		.submission.port = 587,
		.submissions.port = 465,
		.admin_http.port = 80,
		.admin_https.port = 443,
		.metrics_http.port = 8010,
		.admin_http_path = "/admin/",
		.admin_https_path = "/admin/",
	};
	return l;
}

const struct config_listener *config_listener(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		if (strcmp(c->listeners[i].name, name) == 0)
			return &c->listeners[i];
	}
	return NULL;
}

/* "Port: 0" is how the reference system writes "the usual port". */
static void ports_default(struct config *c)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		struct config_listener *l = &c->listeners[i];
		struct {
			struct config_service *service;
			unsigned port;
		} all[] = {
			{&l->smtp, 25},
			{&l->submission, 587},
			{&l->submissions, 465},
			{&l->admin_http, 80},
			{&l->admin_https, 443},
			{&l->metrics_http, 8010},
		};

		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
			if (all[k].service->port == 0)
				all[k].service->port = all[k].port;
		}
	}
}

/* The folder of FILE, absolute when it exists. */
static const char *folder_of(struct arena *a, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *folder = ".";
	char *absolute;

	if (slash == file)
		folder = "/";
	else if (slash != NULL)
		folder = arena_strdup(a, (struct str){file, (size_t)(slash - file)});
	absolute = realpath(folder, NULL);
	if (absolute != NULL)
		folder = arena_strdup(a, str_from(absolute));
	free(absolute);
	return folder;
}

int config_parse(struct str text, const char *name, struct config **out, struct err *err)
{
	const char *base = strrchr(name, '/');
	struct config_reader r = {.name = name};
	struct sconf_node *root;
	struct arena *tree = arena_open();
	int ret = -1;

	*out = NULL;
	r.config = config_new(NULL, NULL);
	r.arena = config_arena(r.config);
	r.folder = folder_of(r.arena, name);
	r.config->path = arena_printf(r.arena, "%s/%s", r.folder, base ? base + 1 : name);
	r.config->user = "mox";
	if (sconf_parse(tree, text, name, &root, err) < 0 ||
		config_section_read(&r, &config_root_section, root, r.config, err) < 0)
		goto out;
	ports_default(r.config);
	if (config_check(&r, err) < 0)
		goto out;
	*out = r.config;
	r.config = NULL;
	ret = 0;
out:
	config_release(r.config);
	arena_close(&tree);
	return ret;
}

int config_load(const char *file, struct config **out, struct err *err)
{
	struct arena *a = arena_open();
	struct str text;
	int ret = -1;

	*out = NULL;
	if (sconf_file_read(a, file, &text, err) == 0)
		ret = config_parse(text, file, out, err);
	arena_close(&a);
	return ret;
}

struct config_holder *config_holder_new(struct config *c)
{
	struct config_holder *h = mem_alloc(sizeof(*h));

	(void)pthread_mutex_init(&h->lock, NULL);
	h->current = c;
	return h;
}

void config_holder_free(struct config_holder **h)
{
	if (*h == NULL)
		return;
	config_release((*h)->current);
	(void)pthread_mutex_destroy(&(*h)->lock);
	free(*h);
	*h = NULL;
}

void config_publish(struct config_holder *h, struct config *c)
{
	struct config *old;

	(void)pthread_mutex_lock(&h->lock);
	old = h->current;
	h->current = c;
	(void)pthread_mutex_unlock(&h->lock);
	config_release(old);
}

const struct config *config_snapshot(struct config_holder *h)
{
	struct config *c;

	(void)pthread_mutex_lock(&h->lock);
	c = h->current;
	(void)atomic_fetch_add_explicit(&snapshot_of(c)->references, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&h->lock);
	return c;
}

void config_release(const struct config *c)
{
	struct snapshot *s;

	if (c == NULL)
		return;
	s = snapshot_of(c);
	if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_close(&s->arena);
	free(s);
}
