#include "webui/tval.h"

#include <stdarg.h>
#include <stdio.h>

static struct tval *tval_new(struct arena *a, enum tval_kind kind)
{
	struct tval *v = arena_alloc(a, sizeof(*v));

	v->kind = kind;
	return v;
}

static struct tval *text_new(struct arena *a, struct str text)
{
	struct tval *v = tval_new(a, TVAL_TEXT);

	v->text = arena_str(a, text);
	return v;
}

static void append(struct arena *a, struct tval *to, struct str key, struct tval *value)
{
	struct tval_item *item = arena_alloc(a, sizeof(*item));

	*item = (struct tval_item){.key = key, .value = value};
	if (to->last != NULL)
		to->last->next = item;
	else
		to->first = item;
	to->last = item;
}

struct tval *tval_map(struct arena *a)
{
	return tval_new(a, TVAL_MAP);
}

void tval_set(struct arena *a, struct tval *map, const char *key, struct tval *value)
{
	struct str name = str_from(key);

	for (struct tval_item *i = map->first; i != NULL; i = i->next) {
		if (str_eq(i->key, name)) {
			i->value = value;
			return;
		}
	}
	append(a, map, name, value);
}

void tval_set_str(struct arena *a, struct tval *map, const char *key, struct str text)
{
	tval_set(a, map, key, text_new(a, text));
}

void tval_set_text(struct arena *a, struct tval *map, const char *key, const char *text)
{
	tval_set(a, map, key, text_new(a, str_from(text)));
}

void tval_set_printf(struct arena *a, struct tval *map, const char *key, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	tval_set(a, map, key, text_new(a, (struct str){text, len}));
}

void tval_set_flag(struct arena *a, struct tval *map, const char *key, bool flag)
{
	struct tval *v = tval_new(a, TVAL_FLAG);

	v->flag = flag;
	tval_set(a, map, key, v);
}

struct tval *tval_set_list(struct arena *a, struct tval *map, const char *key)
{
	struct tval *list = tval_new(a, TVAL_LIST);

	tval_set(a, map, key, list);
	return list;
}

struct tval *tval_set_map(struct arena *a, struct tval *map, const char *key)
{
	struct tval *inner = tval_new(a, TVAL_MAP);

	tval_set(a, map, key, inner);
	return inner;
}

struct tval *tval_add_map(struct arena *a, struct tval *list)
{
	struct tval *map = tval_new(a, TVAL_MAP);

	append(a, list, STR(""), map);
	return map;
}

void tval_add_text(struct arena *a, struct tval *list, const char *text)
{
	append(a, list, STR(""), text_new(a, str_from(text)));
}

const struct tval *tval_get(const struct tval *map, struct str key)
{
	if (map == NULL || map->kind != TVAL_MAP)
		return NULL;
	for (const struct tval_item *i = map->first; i != NULL; i = i->next) {
		if (str_eq(i->key, key))
			return i->value;
	}
	return NULL;
}

bool tval_truth(const struct tval *v)
{
	if (v == NULL)
		return false;
	switch (v->kind) {
	case TVAL_TEXT:
		return v->text.len > 0;
	case TVAL_FLAG:
		return v->flag;
	case TVAL_LIST:
		return v->first != NULL;
	case TVAL_MAP:
		return true;
	}
	return false;
}
