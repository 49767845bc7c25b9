#include "base/trace.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

enum { AT_TEXT = 24 }; /* {"at_ms": N, and the comma between objects */

struct trace {
	pthread_mutex_t lock;
	int64_t begin_ms;
	size_t bytes_max;
	struct buf steps; /* JSON objects, one after the other, without their {"at_ms": N, */
	struct buf sentence;
	struct step {
		size_t end; /* in steps */
		int64_t at_ms;
	} * at; /* of each */
	unsigned count, room, left_out;
};

/* Octets of JSON that so many steps of so long a text come to. */
static size_t bytes(size_t text, unsigned count)
{
	return text + (size_t)count * AT_TEXT;
}

/* What was written behind octet before is one step more, if there is room for it. */
static void step_end(struct trace *t, size_t before, int64_t at_ms, size_t max)
{
	if (t->count >= TRACE_STEPS_MAX || bytes(t->steps.len, t->count + 1) > max) {
		t->steps.len = before;
		t->steps.p[before] = '\0';
		t->left_out++;
		return;
	}
	if (t->count == t->room) {
		t->room = t->room > 0 ? 2 * t->room : 16;
		t->at = realloc(t->at, t->room * sizeof(*t->at));
		if (t->at == NULL)
			abort();
	}
	t->at[t->count++] = (struct step){t->steps.len, at_ms};
}

static void steps_copy(struct trace *t, struct str text, const struct step *at, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t begin = i > 0 ? at[i - 1].end : 0, before = t->steps.len;
		buf_raw(&t->steps, (struct str){text.p + begin, at[i].end - begin});
		step_end(t, before, at[i].at_ms, t->bytes_max);
	}
}

struct trace *trace_new(void)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	pthread_mutex_init(&t->lock, NULL);
	t->begin_ms = clock_mono_ms();
	t->bytes_max = TRACE_BYTES_MAX;
	return t;
}

struct trace *trace_fork(const struct trace *t, size_t bytes_max)
{
	if (t == NULL)
		return NULL;
	struct trace *fork = trace_new();
	fork->begin_ms = t->begin_ms;
	fork->bytes_max = bytes_max;
	return fork;
}

void trace_join(struct trace *t, struct trace **fork)
{
	struct trace *f = *fork;

	if (f == NULL || t == NULL) {
		trace_free(fork);
		return;
	}
	pthread_mutex_lock(&t->lock);
	if (f->count > 0 && t->count + f->count <= TRACE_STEPS_MAX &&
		bytes(t->steps.len + f->steps.len, t->count + f->count) <= t->bytes_max)
		steps_copy(t, buf_str(&f->steps), f->at, f->count);
	else
		t->left_out += f->count;
	t->left_out += f->left_out;
	pthread_mutex_unlock(&t->lock);
	trace_free(fork);
}

void trace_append(struct trace *t, struct trace *from)
{
	struct buf text = {NULL, 0, 0};
	struct step at[TRACE_STEPS_MAX];
	unsigned count, left_out;

	if (t == NULL || from == NULL || t == from)
		return;
	pthread_mutex_lock(&from->lock); /* one lock at a time */
	buf_raw(&text, buf_str(&from->steps));
	count = from->count;
	left_out = from->left_out;
	if (count > 0)
		memcpy(at, from->at, count * sizeof(*at));
	pthread_mutex_unlock(&from->lock);
	pthread_mutex_lock(&t->lock);
	steps_copy(t, buf_str(&text), at, count);
	t->left_out += left_out;
	pthread_mutex_unlock(&t->lock);
	buf_free(&text);
}

void trace_free(struct trace **t)
{
	if (*t == NULL)
		return;
	pthread_mutex_destroy(&(*t)->lock);
	buf_free(&(*t)->steps);
	free((*t)->at);
	buf_free(&(*t)->sentence);
	free(*t);
	*t = NULL;
}

/* Cut at a character's border. */
static struct str shortened(struct str s)
{
	if (s.len <= TRACE_TEXT_MAX)
		return s;
	s.len = TRACE_TEXT_MAX;
	while (s.len > 0 && ((unsigned char)s.p[s.len] & 0xc0) == 0x80)
		s.len--;
	return s;
}

static void member(struct buf *b, const char *name, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(b, ", \"%s\": \"", name);
	buf_json(b, shortened(value));
	buf_byte(b, '"');
}

static void details(struct buf *b, const struct trace_step *step)
{
	size_t n = step->detail_count < TRACE_DETAILS_MAX ? step->detail_count : TRACE_DETAILS_MAX;

	if (n == 0)
		return;
	buf_text(b, ", \"detail\": [");
	for (size_t i = 0; i < n; i++) {
		buf_text(b, i > 0 ? ", \"" : "\"");
		buf_json(b, shortened(step->detail[i]));
		buf_byte(b, '"');
	}
	if (n < step->detail_count)
		buf_printf(b, ", \"and %zu more\"", step->detail_count - n);
	buf_byte(b, ']');
}

void trace_add(struct trace *t, const struct trace_step *step)
{
	static const char *const states[] = {[TRACE_INFO] = "info",
		[TRACE_OK] = "ok",
		[TRACE_WARN] = "warn",
		[TRACE_BAD] = "bad"};
	static const char *const dnssec[] = {[TRACE_DNSSEC_NONE] = "",
		[TRACE_SECURE] = "secure",
		[TRACE_INSECURE] = "insecure",
		[TRACE_BOGUS] = "bogus"};

	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	size_t before = t->steps.len;
	buf_printf(&t->steps, "\"state\": \"%s\"", states[step->state]);
	member(&t->steps, "kind", str_from(step->kind));
	member(&t->steps, "title", step->title);
	member(&t->steps, "result", step->result);
	member(&t->steps, "dnssec", str_from(dnssec[step->dnssec]));
	member(&t->steps, "text", step->text);
	if (step->took_ms >= 0)
		buf_printf(&t->steps, ", \"took_ms\": %lld", (long long)step->took_ms);
	details(&t->steps, step);
	buf_byte(&t->steps, '}');
	size_t max = strcmp(step->kind, "dns") == 0 ? t->bytes_max / 4 * 3 : t->bytes_max;
	step_end(t, before, clock_mono_ms(), max);
	pthread_mutex_unlock(&t->lock);
}

void trace_sentence(struct trace *t, struct str text)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	buf_clear(&t->sentence);
	buf_raw(&t->sentence, shortened(text));
	pthread_mutex_unlock(&t->lock);
}

void trace_write(struct trace *t, struct buf *out)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	buf_text(out, "{\"sentence\": \"");
	buf_json(out, buf_str(&t->sentence));
	buf_printf(out, "\", \"left_out\": %u, \"steps\": [", t->left_out);
	for (unsigned i = 0; i < t->count; i++) {
		size_t begin = i > 0 ? t->at[i - 1].end : 0;
		buf_printf(out, "%s{\"at_ms\": %lld, ", i > 0 ? ", " : "",
			(long long)(t->at[i].at_ms - t->begin_ms));
		buf_raw(out, (struct str){t->steps.p + begin, t->at[i].end - begin});
	}
	buf_text(out, "]}");
	pthread_mutex_unlock(&t->lock);
}
