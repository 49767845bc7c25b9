#include "base/metric.h"

#include "base/version.h"

#include <inttypes.h>
#include <stdatomic.h>

enum { CELLS_MAX = 128, BUCKETS_MAX = 14 };

static const char *const services[METRIC_SERVICE_MAX] = {
	"smtp", "submission", "submissions", "admin-http", "admin-https", "metrics-http", "other"};
static const char *const verbs[METRIC_VERB_MAX] = {"other", "EHLO", "HELO", "MAIL", "RCPT", "DATA",
	"BDAT", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "STARTTLS", "AUTH"};
static const char *const classes[METRIC_CLASS_MAX] = {"2xx", "3xx", "4xx", "5xx"};
static const char *const mail_results[METRIC_MAIL_RESULTS] = {
	"received", "delivered", "deferred", "bounced", "rejected", "tempfailed"};
static const char *const delivery_results[METRIC_DELIVERY_MAX] = {
	"delivered", "deferred", "failed"};
static const char *const sides[METRIC_SIDE_MAX] = {"in", "out"};
static const char *const outcomes[METRIC_OUTCOME_MAX] = {"ok", "failed"};
static const char *const auth_at[METRIC_AUTH_AT_MAX] = {"smtp", "web", "api"};
static const char *const auth_results[METRIC_AUTH_MAX] = {"ok", "failed", "limited"};
static const char *const levels[] = {"error", "warn", "info", "debug"};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

static const char *const dns_types[METRIC_DNS_TYPE_MAX] = {
	"A", "AAAA", "MX", "TXT", "PTR", "TLSA", "CNAME", "other"};
static const char *const dns_statuses[METRIC_DNS_STATUSES] = {
	"ok", "nxdomain", "nodata", "bogus", "failed", "timeout"};
static const char *const cache_results[METRIC_CACHE_MAX] = {"hit", "miss"};

struct label {
	const char *name; /* NULL: there is none */
	const char *const *values;
	unsigned count;
};

static const struct {
	const char *name;
	enum metric_type type;
	const char *help;
	struct label a, b;
} table[METRIC_MAX] = {
	[METRIC_BUILD_INFO] = {"mox_build_info", METRIC_GAUGE,
		"Always 1; the label says which mox this is.", {NULL, NULL, 0}, {NULL, NULL, 0}},
	[METRIC_CONNECTIONS_OPEN] = {"mox_connections_open", METRIC_GAUGE,
		"Connections that are open.", {"service", services, METRIC_SERVICE_MAX},
		{NULL, NULL, 0}},
	[METRIC_CONNECTIONS] = {"mox_connections_total", METRIC_COUNTER, "Connections accepted.",
		{"service", services, METRIC_SERVICE_MAX}, {NULL, NULL, 0}},
	[METRIC_CONNECTIONS_REFUSED] = {"mox_connections_refused_total", METRIC_COUNTER,
		"Connections refused by a limit.", {"service", services, METRIC_SERVICE_MAX},
		{NULL, NULL, 0}},
	[METRIC_SMTP_COMMANDS] = {"mox_smtp_commands_total", METRIC_COUNTER,
		"SMTP commands by verb and class of the reply.", {"verb", verbs, METRIC_VERB_MAX},
		{"reply", classes, METRIC_CLASS_MAX}},
	[METRIC_MAIL] = {"mox_mail_total", METRIC_COUNTER,
		"Messages received, recipients delivered, deferred or bounced, and what was "
		"refused for "
		"good or for now.",
		{"result", mail_results, METRIC_MAIL_RESULTS}, {NULL, NULL, 0}},
	[METRIC_DELIVERIES] = {"mox_deliveries_total", METRIC_COUNTER,
		"Attempts to deliver to a recipient, by result.",
		{"result", delivery_results, METRIC_DELIVERY_MAX}, {NULL, NULL, 0}},
	[METRIC_TLS_HANDSHAKES] = {"mox_tls_handshakes_total", METRIC_COUNTER,
		"TLS handshakes, of clients to us (in) and of ours to others (out).",
		{"side", sides, METRIC_SIDE_MAX}, {"result", outcomes, METRIC_OUTCOME_MAX}},
	[METRIC_AUTH] = {"mox_auth_total", METRIC_COUNTER, "Log-ins tried.",
		{"at", auth_at, METRIC_AUTH_AT_MAX}, {"result", auth_results, METRIC_AUTH_MAX}},
	[METRIC_LOG_LINES] = {"mox_log_lines_total", METRIC_COUNTER, "Lines written to the log.",
		{"level", levels, LEVELS}, {NULL, NULL, 0}},
	[METRIC_PAGES] = {"mox_pages_total", METRIC_COUNTER,
		"HTTP requests by class of the status.", {"status", classes, METRIC_CLASS_MAX},
		{NULL, NULL, 0}},
	[METRIC_DNS_LOOKUPS] = {"mox_dns_lookups_total", METRIC_COUNTER,
		"DNS look-ups, from the cache or not, by type and result.",
		{"type", dns_types, METRIC_DNS_TYPE_MAX},
		{"result", dns_statuses, METRIC_DNS_STATUSES}},
	[METRIC_DNS_CACHE] = {"mox_dns_cache_total", METRIC_COUNTER,
		"DNS look-ups answered from memory (hit), and those that were not (miss).",
		{"result", cache_results, METRIC_CACHE_MAX}, {NULL, NULL, 0}},
	[METRIC_DNS_CACHE_ENTRIES] = {"mox_dns_cache_entries", METRIC_GAUGE,
		"DNS answers in memory.", {NULL, NULL, 0}, {NULL, NULL, 0}},
	[METRIC_DNS_CACHE_BYTES] = {"mox_dns_cache_bytes", METRIC_GAUGE,
		"Octets of memory that DNS answers take.", {NULL, NULL, 0}, {NULL, NULL, 0}},
};

static _Atomic int64_t cells[METRIC_MAX][CELLS_MAX]; /* like the log, one of the few globals */

/* Bounds in the unit that is observed; per_unit: how many of those make one of the unit shown. */
static const struct {
	const char *name, *help;
	struct label label;
	int64_t bounds[BUCKETS_MAX]; /* ends with 0 */
	int64_t per_unit;
} histograms[METRIC_HISTOGRAM_MAX] = {
	[METRIC_STORE_COMMIT_SECONDS] = {"mox_store_commit_seconds",
		"Time of a group commit, to disk.", {NULL, NULL, 0},
		{500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000,
			5000000},
		1000000},
	[METRIC_STORE_COMMIT_OPERATIONS] = {"mox_store_commit_operations",
		"Write operations in one commit.", {NULL, NULL, 0},
		{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}, 1},
	[METRIC_DELIVERY_SECONDS] = {"mox_delivery_seconds",
		"Time of an attempt to deliver to a recipient.",
		{"result", delivery_results, METRIC_DELIVERY_MAX},
		{10000, 50000, 100000, 500000, 1000000, 5000000, 10000000, 30000000, 60000000,
			300000000},
		1000000},
	[METRIC_PAGE_SECONDS] = {"mox_page_seconds", "Time to make a page, by route.",
		{"route", NULL, 0}, {1000, 2000, 5000, 10000, 20000, 60000, 200000, 1000000},
		1000000},
	[METRIC_DNS_SECONDS] = {"mox_dns_lookup_seconds",
		"Time of a DNS look-up; those answered from the cache take under a millisecond.",
		{NULL, NULL, 0},
		{200, 1000, 5000, 20000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
			10000000},
		1000000},
};

struct series {
	_Atomic int64_t buckets[BUCKETS_MAX + 1]; /* the last: above all bounds */
	_Atomic int64_t sum, count;
};
static struct series series[METRIC_HISTOGRAM_MAX][METRIC_PAGE_ROUTES_MAX];
static struct label page_routes = {"route", NULL, 0}; /* set once, before threads */

/* --- counting --- */

static _Atomic int64_t *cell(enum metric m, unsigned a, unsigned b)
{
	unsigned width = table[m].b.name != NULL ? table[m].b.count : 1;

	if (a >= (table[m].a.name != NULL ? table[m].a.count : 1) || b >= width ||
		a * width + b >= CELLS_MAX)
		return NULL;
	return &cells[m][a * width + b];
}

void metric_add(enum metric m, unsigned a, unsigned b, int64_t n)
{
	_Atomic int64_t *c = cell(m, a, b);

	if (c != NULL)
		atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

int64_t metric_value(enum metric m, unsigned a, unsigned b)
{
	_Atomic int64_t *c = cell(m, a, b);

	return c != NULL ? atomic_load_explicit(c, memory_order_relaxed) : 0;
}

enum metric_class metric_class_of(int code)
{
	return code >= 200 && code < 500 ? (enum metric_class)(code / 100 - 2) : METRIC_CLASS_5XX;
}

static const struct label *series_label(enum metric_histogram h)
{
	return h == METRIC_PAGE_SECONDS ? &page_routes : &histograms[h].label;
}

static struct series *series_of(enum metric_histogram h, unsigned at)
{
	const struct label *l = series_label(h);

	return at < (l->name != NULL ? l->count : 1) ? &series[h][at] : NULL;
}

void metric_observe(enum metric_histogram h, unsigned at, int64_t value)
{
	struct series *s = series_of(h, at);
	size_t i = 0;

	if (s == NULL)
		return;
	while (i < BUCKETS_MAX && histograms[h].bounds[i] != 0 && value > histograms[h].bounds[i])
		i++;
	if (i < BUCKETS_MAX && histograms[h].bounds[i] == 0)
		i = BUCKETS_MAX;
	atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->sum, value, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
}

int64_t metric_observed(enum metric_histogram h, unsigned at)
{
	struct series *s = series_of(h, at);

	return s != NULL ? atomic_load_explicit(&s->count, memory_order_relaxed) : 0;
}

void metric_page_routes(const char *const *names, size_t count)
{
	if (count > METRIC_PAGE_ROUTES_MAX)
		count = METRIC_PAGE_ROUTES_MAX;
	page_routes = (struct label){"route", names, (unsigned)count};
}

/* --- writing --- */

/* Label values: backslash, quote and line feed are escaped. */
static void label_write(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			buf_text(out, "\\n");
			continue;
		}
		if (*value == '\\' || *value == '"')
			buf_byte(out, '\\');
		buf_byte(out, *value);
	}
	buf_byte(out, '"');
}

void metric_head(struct buf *out, const char *name, enum metric_type type, const char *help)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

void metric_sample(
	struct buf *out, const char *name, const char *label, const char *value, int64_t n)
{
	buf_text(out, name);
	if (label != NULL) {
		buf_byte(out, '{');
		label_write(out, label, value);
		buf_byte(out, '}');
	}
	buf_printf(out, " %" PRId64 "\n", n);
}

void metric_single(
	struct buf *out, const char *name, enum metric_type type, const char *help, int64_t n)
{
	metric_head(out, name, type, help);
	metric_sample(out, name, NULL, NULL, n);
}

static void counter_write(struct buf *out, enum metric m)
{
	const struct label *a = &table[m].a, *b = &table[m].b;

	metric_head(out, table[m].name, table[m].type, table[m].help);
	for (unsigned i = 0; i < (a->name != NULL ? a->count : 1); i++) {
		for (unsigned j = 0; j < (b->name != NULL ? b->count : 1); j++) {
			if (b->name == NULL) {
				metric_sample(out, table[m].name, a->name,
					a->name != NULL ? a->values[i] : NULL,
					metric_value(m, i, j));
				continue;
			}
			buf_printf(out, "%s{", table[m].name);
			label_write(out, a->name, a->values[i]);
			buf_byte(out, ',');
			label_write(out, b->name, b->values[j]);
			buf_printf(out, "} %" PRId64 "\n", metric_value(m, i, j));
		}
	}
}

/* 1500 of 1000000 is "0.0015". */
static void unit_write(struct buf *out, int64_t n, int64_t per_unit)
{
	if (per_unit == 1)
		buf_printf(out, "%" PRId64, n);
	else
		buf_printf(out, "%.9g", (double)n / (double)per_unit);
}

static void bucket_write(
	struct buf *out, enum metric_histogram h, unsigned at, int64_t bound, int64_t n)
{
	const struct label *l = series_label(h);

	buf_printf(out, "%s_bucket{", histograms[h].name);
	if (l->name != NULL) {
		label_write(out, l->name, l->values[at]);
		buf_byte(out, ',');
	}
	buf_text(out, "le=\"");
	if (bound == 0)
		buf_text(out, "+Inf");
	else
		unit_write(out, bound, histograms[h].per_unit);
	buf_printf(out, "\"} %" PRId64 "\n", n);
}

static void total_write(struct buf *out, enum metric_histogram h, unsigned at, const char *suffix)
{
	const struct label *l = series_label(h);

	buf_printf(out, "%s_%s", histograms[h].name, suffix);
	if (l->name != NULL) {
		buf_byte(out, '{');
		label_write(out, l->name, l->values[at]);
		buf_byte(out, '}');
	}
	buf_byte(out, ' ');
}

/* The count is what the buckets say, not the count's own cell: an observation under way may
 * be in one and not yet in the other, and the two must agree. */
static void series_write(struct buf *out, enum metric_histogram h, unsigned at)
{
	struct series *s = &series[h][at];
	int64_t sum = atomic_load_explicit(&s->sum, memory_order_relaxed), n = 0;

	for (size_t i = 0; i < BUCKETS_MAX && histograms[h].bounds[i] != 0; i++) {
		n += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
		bucket_write(out, h, at, histograms[h].bounds[i], n);
	}
	n += atomic_load_explicit(&s->buckets[BUCKETS_MAX], memory_order_relaxed);
	bucket_write(out, h, at, 0, n);
	total_write(out, h, at, "sum");
	unit_write(out, sum, histograms[h].per_unit);
	buf_byte(out, '\n');
	total_write(out, h, at, "count");
	buf_printf(out, "%" PRId64 "\n", n);
}

void metric_write(struct buf *out)
{
	for (enum metric m = 0; m < METRIC_MAX; m++) {
		if (m != METRIC_BUILD_INFO) {
			counter_write(out, m);
			continue;
		}
		metric_head(out, table[m].name, table[m].type, table[m].help);
		metric_sample(out, table[m].name, "version", version_text, 1);
	}
	for (enum metric_histogram h = 0; h < METRIC_HISTOGRAM_MAX; h++) {
		const struct label *l = series_label(h);
		metric_head(out, histograms[h].name, METRIC_HISTOGRAM, histograms[h].help);
		for (unsigned i = 0; i < (l->name != NULL ? l->count : 1); i++) {
			if (h != METRIC_PAGE_SECONDS || metric_observed(h, i) > 0)
				series_write(out, h, i);
		}
	}
}
