#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int64_t fake_unix_ms; /* design.md section 3: one of three test seams */

int64_t clock_unix_ms(void)
{
	struct timespec ts;
	int64_t fake = atomic_load_explicit(&fake_unix_ms, memory_order_relaxed);

	if (fake != 0)
		return fake;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_unix_s(void)
{
	return clock_unix_ms() / 1000;
}

int64_t clock_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

void clock_set_fake(int64_t fake_ms)
{
	atomic_store(&fake_unix_ms, fake_ms);
}

struct deadline deadline_in_ms(int64_t ms)
{
	return (struct deadline){clock_mono_ms() + ms};
}

int64_t deadline_left_ms(struct deadline d)
{
	int64_t left = d.mono_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

struct deadline deadline_min(struct deadline a, struct deadline b)
{
	return a.mono_ms < b.mono_ms ? a : b;
}

const char *clock_iso(int64_t unix_s, char out[CLOCK_TEXT])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&t, &tm) != NULL && strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}
