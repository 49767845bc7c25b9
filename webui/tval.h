/* tval - the values a template is filled with: a tree of texts, flags, lists and maps.
 * All of it lives in the page's arena; texts are copied in. */
#ifndef WEBUI_TVAL_H
#define WEBUI_TVAL_H

#include "base/arena.h"

enum tval_kind { TVAL_TEXT, TVAL_FLAG, TVAL_LIST, TVAL_MAP };

struct tval_item { /* a list has empty keys */
	struct str key;
	struct tval *value;
	struct tval_item *next;
};

struct tval {
	enum tval_kind kind;
	bool flag;
	struct str text;
	struct tval_item *first, *last;
};

struct tval *tval_map(struct arena *a);

/* A key that is set twice keeps its last value. key is not copied: use literals. */
void tval_set(struct arena *a, struct tval *map, const char *key, struct tval *value);
void tval_set_str(struct arena *a, struct tval *map, const char *key, struct str text);
void tval_set_text(struct arena *a, struct tval *map, const char *key, const char *text);
__attribute__((format(printf, 4, 5))) void tval_set_printf(
	struct arena *a, struct tval *map, const char *key, const char *fmt, ...);
void tval_set_flag(struct arena *a, struct tval *map, const char *key, bool flag);
/* An empty list or map under the key. */
struct tval *tval_set_list(struct arena *a, struct tval *map, const char *key);
struct tval *tval_set_map(struct arena *a, struct tval *map, const char *key);
/* Appends to a list. */
struct tval *tval_add_map(struct arena *a, struct tval *list);
void tval_add_text(struct arena *a, struct tval *list, const char *text);

/* The value under key, or NULL; also for values that are no map. */
const struct tval *tval_get(const struct tval *map, struct str key);
/* False for NULL, empty texts, false flags and empty lists. */
bool tval_truth(const struct tval *v);

#endif
