/* file  = *( blank / comment / entry )
 * entry = *TAB ( key ":" [ SP value ] / "-" [ SP value ] ) LF */
#include "config/sconf.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct parser {
	struct arena *arena;
	const char *name;
	unsigned line;
	struct sconf_node
		*open[SCONF_DEPTH_MAX + 1]; /* open[d]: what a line with d tabs is below */
	size_t depth;                       /* the deepest open one */
};

static int line_check(const struct parser *p, struct str line, struct err *err)
{
	if (line.len > SCONF_LINE_MAX)
		return err_set(err, ERR_PERM, "%s:%u: line is over %d octets", p->name, p->line,
			SCONF_LINE_MAX);
	if (!utf8_valid(line))
		return err_set(err, ERR_PERM, "%s:%u: line is not valid UTF-8", p->name, p->line);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return err_set(err, ERR_PERM, "%s:%u: control character 0x%02x in the line",
				p->name, p->line, c);
	}
	return 0;
}

/* Splits an entry without its tabs. */
static int entry_split(const struct parser *p, struct str entry, enum sconf_kind *parent_kind,
	struct sconf_node *node, struct err *err)
{
	struct str value;

	if (entry.p[0] == '-' && (entry.len == 1 || entry.p[1] == ' ' || entry.p[1] == '\t')) {
		*parent_kind = SCONF_LIST;
		node->key = (struct str){"", 0};
		value = str_trim(str_skip(entry, 1));
	} else {
		*parent_kind = SCONF_MAP;
		if (!str_split(entry, ':', &node->key, &value))
			return err_set(err, ERR_PERM,
				"%s:%u: neither \"Key: value\" nor \"- item\": \"%.*s\"", p->name,
				p->line, STR_FMT(entry));
		if (node->key.len == 0)
			return err_set(
				err, ERR_PERM, "%s:%u: nothing before the \":\"", p->name, p->line);
		if (str_trim(node->key).len != node->key.len)
			return err_set(
				err, ERR_PERM, "%s:%u: space before the \":\"", p->name, p->line);
		if (value.len > 0 && value.p[0] != ' ' && value.p[0] != '\t')
			return err_set(err, ERR_PERM, "%s:%u: no space after \"%.*s:\"", p->name,
				p->line, STR_FMT(node->key));
		value = str_trim(value);
	}
	node->kind = value.len > 0 ? SCONF_VALUE : SCONF_EMPTY;
	node->value = value;
	return 0;
}

/* What a line with depth tabs is below; NULL with err set when it may not stand here. */
static struct sconf_node *parent_find(
	const struct parser *p, size_t depth, enum sconf_kind kind, struct err *err)
{
	struct sconf_node *parent;

	if (depth >= SCONF_DEPTH_MAX) {
		(void)err_set(err, ERR_PERM, "%s:%u: nested over %d levels deep", p->name, p->line,
			SCONF_DEPTH_MAX);
		return NULL;
	}
	if (depth > p->depth) {
		(void)err_set(err, ERR_PERM, "%s:%u: too many tabs: %zu, at most %zu here", p->name,
			p->line, depth, p->depth);
		return NULL;
	}
	parent = p->open[depth];
	if (parent->kind == SCONF_VALUE) {
		(void)err_set(err, ERR_PERM,
			"%s:%u: nested below line %u, which has a value already", p->name, p->line,
			parent->line);
		return NULL;
	}
	if (parent->kind != SCONF_EMPTY && parent->kind != kind) {
		(void)err_set(err, ERR_PERM,
			"%s:%u: list items and \"Key: value\" mixed at one level", p->name,
			p->line);
		return NULL;
	}
	return parent;
}

static int line_parse(struct parser *p, struct str line, struct err *err)
{
	struct sconf_node *node, *parent;
	enum sconf_kind kind;
	size_t tabs = 0;

	if (line_check(p, line, err) < 0)
		return -1;
	while (tabs < line.len && line.p[tabs] == '\t')
		tabs++;
	line = str_skip(line, tabs);
	if (str_trim(line).len == 0 || str_trim(line).p[0] == '#')
		return 0;
	if (line.p[0] == ' ')
		return err_set(err, ERR_PERM, "%s:%u: indented with spaces; nesting is by tabs",
			p->name, p->line);
	node = arena_alloc(p->arena, sizeof(*node));
	node->line = p->line;
	if (entry_split(p, line, &kind, node, err) < 0)
		return -1;
	parent = parent_find(p, tabs, kind, err);
	if (parent == NULL)
		return -1;
	parent->kind = kind;
	if (parent->last == NULL)
		parent->first = node;
	else
		parent->last->next = node;
	parent->last = node;
	parent->count++;
	p->depth = tabs + 1;
	p->open[p->depth] = node;
	return 0;
}

static int node_compare(const void *a, const void *b)
{
	const struct sconf_node *x = *(const struct sconf_node *const *)a;
	const struct sconf_node *y = *(const struct sconf_node *const *)b;
	size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
	int c = memcmp(x->key.p, y->key.p, n);

	if (c != 0)
		return c;
	if (x->key.len != y->key.len)
		return x->key.len < y->key.len ? -1 : 1;
	return x->line < y->line ? -1 : 1;
}

/* Sorts, since a domains.conf may have very many addresses in one map. */
static int duplicates_check(
	struct arena *a, const char *name, const struct sconf_node *node, struct err *err)
{
	const struct sconf_node **sorted, *child;
	size_t n = 0;

	for (child = node->first; child != NULL; child = child->next) {
		if (duplicates_check(a, name, child, err) < 0)
			return -1;
	}
	if (node->kind != SCONF_MAP || node->count < 2)
		return 0;
	sorted = arena_alloc(a, node->count * sizeof(*sorted));
	for (child = node->first; child != NULL; child = child->next)
		sorted[n++] = child;
	qsort(sorted, n, sizeof(*sorted), node_compare);
	for (size_t i = 1; i < n; i++) {
		if (str_eq(sorted[i - 1]->key, sorted[i]->key))
			return err_set(err, ERR_PERM, "%s:%u: \"%.*s\" is set already in line %u",
				name, sorted[i]->line, STR_FMT(sorted[i]->key),
				sorted[i - 1]->line);
	}
	return 0;
}

int sconf_parse(struct arena *a, struct str text, const char *name, struct sconf_node **root,
	struct err *err)
{
	struct parser p = {.arena = a, .name = name};
	struct str line;

	*root = NULL;
	if (text.len > SCONF_SIZE_MAX)
		return err_set(err, ERR_PERM, "%s: over %d octets", name, SCONF_SIZE_MAX);
	if (text.p == NULL)
		text.p = "";
	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_skip(text, 3); /* a byte order mark of some editors */
	p.open[0] = arena_alloc(a, sizeof(*p.open[0]));
	while (str_next(&text, '\n', &line)) {
		p.line++;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line_parse(&p, line, err) < 0)
			return -1;
	}
	if (p.open[0]->kind == SCONF_LIST)
		return err_set(err, ERR_PERM, "%s:%u: a list at the top level", name,
			p.open[0]->first->line);
	if (duplicates_check(a, name, p.open[0], err) < 0)
		return -1;
	*root = p.open[0];
	return 0;
}

int sconf_file_read(struct arena *a, const char *file, struct str *text, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	size_t len = 0;
	ssize_t n = -1;
	int ret = -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_set(err, ERR_PERM, "%s: %s", file, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > SCONF_SIZE_MAX) {
		(void)err_set(err, ERR_PERM, "%s: %s", file,
			S_ISREG(st.st_mode) ? "too large for a configuration file"
					    : "not a regular file");
		goto out;
	}
	p = arena_alloc(a, (size_t)st.st_size + 1);
	while (len < (size_t)st.st_size) {
		n = read(fd, p + len, (size_t)st.st_size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)err_set(err, ERR_PERM, "%s: %s", file, strerror(errno));
			goto out;
		}
		if (n == 0)
			break; /* it shrank meanwhile */
		len += (size_t)n;
	}
	*text = (struct str){p, len};
	ret = 0;
out:
	if (fd >= 0)
		(void)close(fd);
	return ret;
}

const struct sconf_node *sconf_get(const struct sconf_node *node, struct str key)
{
	for (const struct sconf_node *n = node->first; n != NULL; n = n->next) {
		if (node->kind == SCONF_MAP && str_eq(n->key, key))
			return n;
	}
	return NULL;
}
