/* sconf - the syntax of mox.conf and domains.conf as a tree with line numbers:
 * "Key: value" lines, nesting by tabs, list items "- value", comments on lines of their
 * own that begin with "#". No quoting: a value goes to the end of its line. */
#ifndef CONFIG_SCONF_H
#define CONFIG_SCONF_H

#include "base/arena.h"
#include "base/err.h"

enum {
	SCONF_SIZE_MAX = 16 * 1024 * 1024, /* octets of a file */
	SCONF_LINE_MAX = 8192,             /* octets of a line */
	SCONF_DEPTH_MAX = 16               /* levels of nesting */
};

enum sconf_kind {
	SCONF_EMPTY, /* "Key:" and nothing below: an empty text, map or list */
	SCONF_VALUE,
	SCONF_MAP,
	SCONF_LIST
};

struct sconf_node {
	enum sconf_kind kind;
	unsigned line;                   /* from 1; 0 for the root */
	struct str key;                  /* empty for list items and the root */
	struct str value;                /* SCONF_VALUE: never empty, no blanks at its ends */
	size_t count;                    /* of children */
	struct sconf_node *first, *last; /* children, in the order of the file */
	struct sconf_node *next;
};

/* NAME is for messages. The tree is in the arena, its texts are views into text, which must
 * outlive it. Errors are ERR_PERM, "NAME:LINE: what is wrong": bad syntax, a key twice in one
 * map, text that is not UTF-8, and whatever is over the caps. */
int sconf_parse(struct arena *a, struct str text, const char *name, struct sconf_node **root,
	struct err *err) MUST_USE;
/* Reads FILE (at most SCONF_SIZE_MAX octets) into the arena. */
int sconf_file_read(struct arena *a, const char *file, struct str *text, struct err *err) MUST_USE;
/* The child of a map with that key, or NULL. */
const struct sconf_node *sconf_get(const struct sconf_node *node, struct str key);

#endif
