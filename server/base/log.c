#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/metric.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_VALUE_MAX = 1000 };

static _Atomic int log_level_now = LOG_LEVEL_INFO; /* "log" is one of the allowed globals */
static _Atomic int log_format_now = LOG_FORMAT_LOGFMT;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, enum log_format format)
{
	atomic_store(&log_level_now, (int)level);
	atomic_store(&log_format_now, (int)format);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

const char *num_text(int64_t n, char out[NUM_TEXT])
{
	snprintf(out, NUM_TEXT, "%lld", (long long)n);
	return out;
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return s.len > 0;
}

static void value_add(struct buf *b, struct str value, bool json)
{
	if (value.len > LOG_VALUE_MAX)
		value.len = LOG_VALUE_MAX;
	if (!json && is_plain(value)) {
		buf_raw(b, value);
		return;
	}
	buf_byte(b, '"');
	buf_json(b, value); /* logfmt readers take JSON strings */
	buf_byte(b, '"');
}

void log_event(enum log_level level, const char *event, ...)
{
	struct buf b = {NULL, 0, 0};
	char when[CLOCK_TEXT];
	const char *key;
	va_list ap;

	if (!log_enabled(level))
		return;
	metric_inc(METRIC_LOG_LINES, (unsigned)level, 0);
	int64_t now_ms = clock_unix_ms();
	bool json = atomic_load(&log_format_now) == LOG_FORMAT_JSON;
	clock_iso(now_ms / 1000, when);
	buf_printf(&b,
		json ? "{\"time\":\"%.19s.%03dZ\",\"level\":\"%s\",\"event\":\"%s\""
		     : "time=%.19s.%03dZ level=%s event=%s",
		when, (int)(now_ms % 1000), level_names[level], event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL) {
		const char *value = va_arg(ap, const char *);
		if (value == NULL)
			continue;
		buf_printf(&b, json ? ",\"%s\":" : " %s=", key);
		value_add(&b, str_from(value), json);
	}
	va_end(ap);
	buf_text(&b, json ? "}\n" : "\n");
	/* Nothing sensible is left to do when stderr is gone. */
	ssize_t ignored = write(STDERR_FILENO, b.p, b.len);
	(void)ignored;
	buf_free(&b);
}
