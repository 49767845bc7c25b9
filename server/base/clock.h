/* clock - the only place that asks what time it is. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_unix_ms(void);
int64_t clock_unix_s(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* For tests: clock_unix_* answer fake_ms until it is set to 0 again. The
 * monotonic clock stays real. */
void clock_set_fake(int64_t fake_ms);

/* An absolute point on the monotonic clock. */
struct deadline {
	int64_t mono_ms;
};

struct deadline deadline_in_ms(int64_t ms);
/* Milliseconds left, 0 when passed. */
int64_t deadline_left_ms(struct deadline d);
struct deadline deadline_min(struct deadline a, struct deadline b);

enum { CLOCK_TEXT = 40 };
/* "2026-11-24T08:49:16Z". Returns out. */
const char *clock_iso(int64_t unix_s, char out[CLOCK_TEXT]);

#endif
