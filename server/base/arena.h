/* arena - memory that lives as long as one session, delivery or page. Nothing in
 * it is freed alone. Not for sharing between threads. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena;

/* An empty arena costs one small block; the first real block comes with the
 * first allocation. */
struct arena *arena_open(void);
/* Frees all and sets *a to NULL. NULL is fine. */
void arena_close(struct arena **a);
/* Frees all that was allocated, keeps the arena. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. Aborts when memory is out. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
/* Copies, NUL-terminated; the view's length does not count the NUL. */
char *arena_strdup(struct arena *a, struct str s) __attribute__((returns_nonnull));
struct str arena_str(struct arena *a, struct str s);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);

#endif
