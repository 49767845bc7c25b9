#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 4000, ARENA_ALIGN = 16 };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

struct arena {
	struct block *head;
};

struct arena *arena_open(void)
{
	return mem_alloc(sizeof(struct arena));
}

void arena_reset(struct arena *a)
{
	struct block *b = a->head;

	while (b != NULL) {
		struct block *next = b->next;
		free(b);
		b = next;
	}
	a->head = NULL;
}

void arena_close(struct arena **a)
{
	if (*a == NULL)
		return;
	arena_reset(*a);
	free(*a);
	*a = NULL;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t need = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	struct block *b = a->head;

	if (need < size)
		abort(); /* a size that wraps is a bug in its cap */
	if (b == NULL || b->size - b->used < need) {
		size_t room = need > ARENA_BLOCK / 2 ? need : ARENA_BLOCK;
		struct block *fresh = mem_alloc(sizeof(*fresh) + room);
		fresh->size = room;
		if (b != NULL && room == need) { /* keep filling the current one */
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			a->head = fresh;
		}
		b = fresh;
	}
	void *p = b->data + b->used;
	b->used += need;
	return p;
}

char *arena_strdup(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){arena_strdup(a, s), s.len};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	char *p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
