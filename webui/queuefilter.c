#include "webui/queuefilter.h"

enum { WAYS_MAX = 200 };

static const char *const names[QUEUEFILTER_FIELDS] = {
	"q", "dest", "state", "error", "via", "age", "min", "max", "sort"};
enum { Q, DEST, STATE, ERROR, VIA, AGE, MIN, MAX, SORT };

struct choice {
	const char *value, *label;
	int64_t s; /* of an age; negative: younger */
	enum store_queue_sort sort;
	bool descending;
};

static const struct choice ages[] = {
	{.value = "", .label = "Any age"},
	{.value = "over-1h", .label = "Over 1 hour", .s = 3600},
	{.value = "over-6h", .label = "Over 6 hours", .s = 6 * 3600},
	{.value = "over-1d", .label = "Over 1 day", .s = 86400},
	{.value = "over-3d", .label = "Over 3 days", .s = 3 * 86400},
	{.value = "under-10m", .label = "Under 10 minutes", .s = -600},
	{.value = "under-1h", .label = "Under 1 hour", .s = -3600},
	{.value = "under-1d", .label = "Under 1 day", .s = -86400},
};

static const struct choice sorts[] = {
	{.value = "", .label = "Oldest first"},
	{.value = "newest", .label = "Newest first", .descending = true},
	{.value = "next", .label = "Next try soonest", .sort = STORE_SORT_NEXT},
	{.value = "last", .label = "Next try latest", .sort = STORE_SORT_NEXT, .descending = true},
	{.value = "most",
		.label = "Most attempts",
		.sort = STORE_SORT_ATTEMPTS,
		.descending = true},
	{.value = "fewest", .label = "Fewest attempts", .sort = STORE_SORT_ATTEMPTS},
	{.value = "largest", .label = "Largest first", .sort = STORE_SORT_SIZE, .descending = true},
	{.value = "smallest", .label = "Smallest first", .sort = STORE_SORT_SIZE},
};

static const struct choice states[] = {
	{.value = "", .label = "All"},
	{.value = "queued", .label = "Waiting"},
	{.value = "held", .label = "On hold"},
};

static const struct choice *choice_of(const struct choice *all, size_t count, struct str value)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(value, str_from(all[i].value)))
			return &all[i];
	}
	return &all[0];
}

#define CHOICES(all) all, sizeof(all) / sizeof((all)[0])

void queuefilter_read(const struct urlform *form, struct queuefilter *q)
{
	*q = (struct queuefilter){.f = {.state = -1}};
	for (size_t i = 0; i < QUEUEFILTER_FIELDS; i++)
		q->values[i] = str_trim(urlform_get(form, names[i]));
	const struct choice *age = choice_of(CHOICES(ages), q->values[AGE]);
	const struct choice *sort = choice_of(CHOICES(sorts), q->values[SORT]);
	uint64_t n;

	q->f.text = q->values[Q];
	q->f.dest = q->values[DEST];
	q->f.error = q->values[ERROR];
	q->f.via = q->values[VIA];
	if (str_eq(q->values[STATE], STR("queued")))
		q->f.state = STORE_RCPT_QUEUED;
	if (str_eq(q->values[STATE], STR("held")))
		q->f.state = STORE_RCPT_HELD;
	if (age->s > 0)
		q->f.received_until_ms = clock_unix_ms() - age->s * 1000;
	if (age->s < 0)
		q->f.received_from_ms = clock_unix_ms() + age->s * 1000;
	if (str_to_u64(q->values[MIN], 1000, &n))
		q->f.attempts_min = (unsigned)n;
	if (str_to_u64(q->values[MAX], 1000, &n))
		q->f.attempts_max = (unsigned)n;
	q->f.sort = sort->sort;
	q->f.descending = sort->descending;
}

const char *queuefilter_query(
	struct page *p, const struct queuefilter *q, const char *name, const char *value)
{
	struct buf b = {NULL, 0, 0};

	buf_byte(&b, '?');
	for (size_t i = 0; i < QUEUEFILTER_FIELDS; i++) {
		struct str v = q->values[i];
		if (name != NULL && strcmp(name, names[i]) == 0)
			v = str_from(value);
		if (v.len == 0)
			continue;
		buf_printf(&b, "%s%s=", b.len > 1 ? "&" : "", names[i]);
		buf_url(&b, v);
	}
	const char *text = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

static struct tval *option_add(
	struct page *p, struct tval *list, const char *value, const char *label, struct str chosen)
{
	struct tval *o = tval_add_map(p->arena, list);

	tval_set_text(p->arena, o, "value", value);
	tval_set_text(p->arena, o, "label", label);
	tval_set_flag(p->arena, o, "on", str_eq(str_from(value), chosen));
	return o;
}

static void options_set(
	struct page *p, const char *key, const struct choice *all, size_t count, struct str chosen)
{
	struct tval *list = tval_set_list(p->arena, p->view, key);

	for (size_t i = 0; i < count; i++)
		(void)option_add(p, list, all[i].value, all[i].label, chosen);
}

int queuefilter_ways(struct page *p, struct tval *list, struct str chosen, struct err *err)
{
	struct store_transport *rows;
	size_t count;

	if (store_transport_list(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	(void)option_add(p, list, "direct", "Direct (MX)", chosen);
	for (size_t i = 0; i < count && i < WAYS_MAX; i++) {
		const char *name = arena_strdup(p->arena, rows[i].name);
		(void)option_add(p, list, name, name, chosen);
	}
	return 0;
}

int queuefilter_show(struct page *p, const struct queuefilter *q, struct err *err)
{
	struct tval *chips = tval_set_list(p->arena, p->view, "chips");
	struct tval *hidden = tval_set_list(p->arena, p->view, "filter_fields");
	struct tval *ways = tval_set_list(p->arena, p->view, "via_options");
	bool any = false, more = false;

	for (size_t i = 0; i < QUEUEFILTER_FIELDS; i++) {
		struct tval *field = tval_add_map(p->arena, hidden);
		tval_set_text(p->arena, field, "name", names[i]);
		tval_set_str(p->arena, field, "value", q->values[i]);
		tval_set_str(p->arena, p->view, arena_printf(p->arena, "filter_%s", names[i]),
			q->values[i]);
		any = any || (q->values[i].len > 0 && i != STATE && i != SORT);
		more = more || (q->values[i].len > 0 && i >= ERROR && i != SORT);
	}
	tval_set_flag(p->arena, p->view, "filtered", any);
	tval_set_flag(p->arena, p->view, "more_filters", more);
	options_set(p, "age_options", CHOICES(ages), q->values[AGE]);
	options_set(p, "sort_options", CHOICES(sorts), q->values[SORT]);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct tval *chip =
			option_add(p, chips, states[i].value, states[i].label, q->values[STATE]);
		tval_set_text(
			p->arena, chip, "query", queuefilter_query(p, q, "state", states[i].value));
	}
	(void)option_add(p, ways, "", "Any way", q->values[VIA]);
	if (queuefilter_ways(p, ways, q->values[VIA], err) < 0)
		return -1;
	(void)option_add(p, ways, "relay", "A domain's own servers", q->values[VIA]);
	(void)option_add(p, ways, "mailbox", "Mailbox here", q->values[VIA]);
	return 0;
}
