/* log - one line per event on stderr, logfmt or JSON. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* May be called at any time from any thread. The start values are info, logfmt. */
void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* EVENT is "module.what". Then pairs of const char * key and value, ended by one
 * NULL key: log_event(LOG_LEVEL_INFO, "smtp.open", "session", id, "ip", ip, NULL).
 * A NULL value leaves its pair out. Values may hold anything: they are quoted and
 * escaped; each is cut at 1000 octets. One write(2) a line. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

enum { NUM_TEXT = 24 };
/* Decimal text of n, for a log value: num_text(n, (char[NUM_TEXT]){0}). */
const char *num_text(int64_t n, char out[NUM_TEXT]);

#endif
