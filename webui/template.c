#include "webui/template.h"

#include "base/mem.h"

#include <stdlib.h>

enum node_kind { NODE_TEXT, NODE_VAR, NODE_RAW, NODE_SECTION, NODE_INVERTED, NODE_PARTIAL };

struct node {
	enum node_kind kind;
	struct str text; /* the literal text, or the name in the tag */
	size_t end;      /* of a section: the first node after it */
	const struct template *partial;
};

struct template
{
	char *name;
	struct node *nodes;
	size_t count, cap;
};

struct template_set {
	struct template items[TEMPLATE_SET_MAX];
	size_t count;
	bool linked;
};

struct template_set *template_set_new(void)
{
	return mem_alloc(sizeof(struct template_set));
}

void template_set_free(struct template_set **set)
{
	if (*set == NULL)
		return;
	for (size_t i = 0; i < (*set)->count; i++) {
		free((*set)->items[i].name);
		free((*set)->items[i].nodes);
	}
	free(*set);
	*set = NULL;
}

static const struct template *find(const struct template_set *set, struct str name)
{
	for (size_t i = 0; i < set->count; i++) {
		if (str_eq(str_from(set->items[i].name), name))
			return &set->items[i];
	}
	return NULL;
}

/* --- parsing --- */

struct parser {
	struct template *t;
	struct str text;
	size_t at;
	size_t open[TEMPLATE_DEPTH_MAX]; /* nodes of the sections we are in */
	size_t depth;
};

static int fail(const struct parser *p, struct err *err, const char *what, struct str name)
{
	size_t line = 1;

	for (size_t i = 0; i < p->at && i < p->text.len; i++)
		line += p->text.p[i] == '\n';
	return err_set(err, ERR_PERM, "template %s line %zu: %s \"%.*s\"", p->t->name, line, what,
		STR_FMT(name));
}

static struct node *node_add(struct parser *p, enum node_kind kind, struct str text)
{
	struct template *t = p->t;

	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 32;
		t->nodes = mem_realloc(t->nodes, t->cap * sizeof(*t->nodes));
	}
	t->nodes[t->count] = (struct node){.kind = kind, .text = text};
	return &t->nodes[t->count++];
}

static void text_add(struct parser *p, size_t from, size_t to)
{
	if (to > from)
		node_add(p, NODE_TEXT, (struct str){p->text.p + from, to - from});
}

static bool name_is_valid(struct str name)
{
	if (name.len == 0 || name.len > TEMPLATE_NAME_MAX)
		return false;
	if (str_eq(name, STR(".")))
		return true;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		bool dot = c == '.' && i > 0 && i + 1 < name.len && name.p[i - 1] != '.';
		if (!ascii_is_alnum(c) && c != '_' && c != '-' && !dot)
			return false;
	}
	return true;
}

static int section_close(struct parser *p, struct str name, struct err *err)
{
	struct template *t = p->t;

	if (p->depth == 0)
		return fail(p, err, "nothing is open for", name);
	struct node *open = &t->nodes[p->open[p->depth - 1]];
	if (!str_eq(open->text, name))
		return fail(p, err, "not the innermost section:", name);
	open->end = t->count;
	p->depth--;
	return 0;
}

/* One tag: sigil is its first character when it is one of # ^ / > ! or '{' for raw. */
static int tag_add(struct parser *p, char sigil, struct str name, struct err *err)
{
	if (sigil == '!')
		return 0;
	if (!name_is_valid(name))
		return fail(p, err, "not a name:", name);
	switch (sigil) {
	case '/':
		return section_close(p, name, err);
	case '#':
	case '^':
		if (p->depth == TEMPLATE_DEPTH_MAX)
			return fail(p, err, "too many sections in each other at", name);
		p->open[p->depth++] = p->t->count;
		node_add(p, sigil == '#' ? NODE_SECTION : NODE_INVERTED, name);
		return 0;
	case '>':
		node_add(p, NODE_PARTIAL, name);
		return 0;
	case '{':
		node_add(p, NODE_RAW, name);
		return 0;
	default:
		node_add(p, NODE_VAR, name);
		return 0;
	}
}

/* When the tag from start to end stands alone on its line: widens both to the whole line. */
static void alone_widen(struct str text, size_t *start, size_t *end)
{
	size_t a = *start, b = *end;

	while (a > 0 && (text.p[a - 1] == ' ' || text.p[a - 1] == '\t'))
		a--;
	while (b < text.len && (text.p[b] == ' ' || text.p[b] == '\t' || text.p[b] == '\r'))
		b++;
	if ((a > 0 && text.p[a - 1] != '\n') || (b < text.len && text.p[b] != '\n'))
		return;
	*start = a;
	*end = b < text.len ? b + 1 : b;
}

static int template_parse(struct parser *p, struct err *err)
{
	size_t from = 0;

	for (;;) {
		struct str rest = str_skip(p->text, p->at);
		const char *open = str_find(rest, STR("{{"));
		if (open == NULL)
			break;
		size_t start = (size_t)(open - p->text.p);
		bool raw = start + 2 < p->text.len && p->text.p[start + 2] == '{';
		struct str inner = str_skip(p->text, start + (raw ? 3 : 2));
		const char *close = str_find(inner, raw ? STR("}}}") : STR("}}"));
		p->at = start;
		if (close == NULL)
			return fail(p, err, "tag without end", (struct str){open, 2});
		size_t end = (size_t)(close - p->text.p) + (raw ? 3 : 2);
		inner.len = (size_t)(close - inner.p);
		char sigil = raw ? '{' : '\0';
		if (!raw && inner.len > 0 && strchr("#^/>!", inner.p[0]) != NULL) {
			sigil = inner.p[0];
			inner = str_skip(inner, 1);
		}
		size_t cut = start, next = end;
		if (sigil != '\0' && sigil != '{')
			alone_widen(p->text, &cut, &next);
		if (cut < from)
			cut = from; /* two tags on one line: the first took the indentation */
		text_add(p, from, cut);
		if (tag_add(p, sigil, str_trim(inner), err) < 0)
			return -1;
		from = next;
		p->at = next > end ? next : end;
	}
	text_add(p, from, p->text.len);
	if (p->depth > 0)
		return fail(
			p, err, "section is not closed:", p->t->nodes[p->open[p->depth - 1]].text);
	return 0;
}

int template_add(struct template_set *set, const char *name, struct str text, struct err *err)
{
	if (text.len > TEMPLATE_TEXT_MAX)
		return err_set(
			err, ERR_PERM, "template %s: over %d octets", name, TEMPLATE_TEXT_MAX);
	if (set->count == TEMPLATE_SET_MAX)
		return err_set(
			err, ERR_PERM, "template %s: over %d templates", name, TEMPLATE_SET_MAX);
	if (find(set, str_from(name)) != NULL)
		return err_set(err, ERR_PERM, "template %s: there are two", name);

	struct template *t = &set->items[set->count++];
	*t = (struct template){.name = mem_strdup(name)};
	struct parser p = {.t = t, .text = text};
	return template_parse(&p, err);
}

/* Follows the partials below t. state: 0 new, 1 being walked, 2 done. */
static int cycle_check(const struct template_set *set, const struct template *t,
	unsigned char *state, struct err *err)
{
	unsigned char *mine = &state[t - set->items];

	if (*mine == 2)
		return 0;
	if (*mine == 1)
		return err_set(err, ERR_PERM, "template %s: includes itself", t->name);
	*mine = 1;
	for (size_t i = 0; i < t->count; i++) {
		if (t->nodes[i].kind == NODE_PARTIAL &&
			cycle_check(set, t->nodes[i].partial, state, err) < 0)
			return -1;
	}
	*mine = 2;
	return 0;
}

int template_link(struct template_set *set, struct err *err)
{
	unsigned char state[TEMPLATE_SET_MAX] = {0};

	for (size_t i = 0; i < set->count; i++) {
		struct template *t = &set->items[i];
		for (size_t n = 0; n < t->count; n++) {
			if (t->nodes[n].kind != NODE_PARTIAL)
				continue;
			t->nodes[n].partial = find(set, t->nodes[n].text);
			if (t->nodes[n].partial == NULL)
				return err_set(err, ERR_PERM, "template %s: no template \"%.*s\"",
					t->name, STR_FMT(t->nodes[n].text));
		}
	}
	for (size_t i = 0; i < set->count; i++) {
		if (cycle_check(set, &set->items[i], state, err) < 0)
			return -1;
	}
	set->linked = true;
	return 0;
}

/* --- rendering --- */

struct scope {
	const struct tval *value;
	const struct scope *outer;
};

static const struct tval *lookup(const struct scope *scope, struct str name)
{
	struct str part;
	const struct tval *v = NULL;

	if (str_eq(name, STR(".")))
		return scope->value;
	if (!str_next(&name, '.', &part))
		return NULL;
	for (; scope != NULL && v == NULL; scope = scope->outer)
		v = tval_get(scope->value, part);
	while (v != NULL && str_next(&name, '.', &part))
		v = tval_get(v, part);
	return v;
}

static int range_render(const struct template *t, size_t from, size_t to, const struct scope *scope,
	struct buf *out, struct err *err);

static int section_render(const struct template *t, size_t at, const struct scope *scope,
	struct buf *out, struct err *err)
{
	const struct node *n = &t->nodes[at];
	const struct tval *v = lookup(scope, n->text);

	if (n->kind == NODE_INVERTED)
		return tval_truth(v) ? 0 : range_render(t, at + 1, n->end, scope, out, err);
	if (!tval_truth(v))
		return 0;
	if (v->kind != TVAL_LIST) {
		struct scope inner = {v, scope};
		return range_render(t, at + 1, n->end, &inner, out, err);
	}
	for (const struct tval_item *i = v->first; i != NULL; i = i->next) {
		struct scope inner = {i->value, scope};
		if (range_render(t, at + 1, n->end, &inner, out, err) < 0)
			return -1;
	}
	return 0;
}

static void var_render(const struct node *n, const struct scope *scope, struct buf *out)
{
	const struct tval *v = lookup(scope, n->text);

	if (v == NULL || v->kind != TVAL_TEXT)
		return;
	if (n->kind == NODE_RAW)
		buf_raw(out, v->text);
	else
		buf_html(out, v->text);
}

static int range_render(const struct template *t, size_t from, size_t to, const struct scope *scope,
	struct buf *out, struct err *err)
{
	for (size_t i = from; i < to;) {
		const struct node *n = &t->nodes[i];
		size_t next = i + 1;
		int rc = 0;

		switch (n->kind) {
		case NODE_TEXT:
			buf_raw(out, n->text);
			break;
		case NODE_VAR:
		case NODE_RAW:
			var_render(n, scope, out);
			break;
		case NODE_SECTION:
		case NODE_INVERTED:
			rc = section_render(t, i, scope, out, err);
			next = n->end;
			break;
		case NODE_PARTIAL:
			rc = range_render(n->partial, 0, n->partial->count, scope, out, err);
			break;
		}
		if (rc < 0)
			return -1;
		if (out->len > TEMPLATE_OUTPUT_MAX)
			return err_set(err, ERR_BUG, "template %s: output over %d octets", t->name,
				TEMPLATE_OUTPUT_MAX);
		i = next;
	}
	return 0;
}

int template_render(const struct template_set *set, const char *name, const struct tval *values,
	struct buf *out, struct err *err)
{
	const struct template *t = find(set, str_from(name));
	struct scope scope = {.value = values};

	if (t == NULL || !set->linked)
		return err_set(err, ERR_BUG, "template %s: there is none", name);
	return range_render(t, 0, t->count, &scope, out, err);
}
