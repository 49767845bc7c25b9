/* read - walks the tree of a file along the field tables. */
#include "config/fields.h"

#include <stdarg.h>
#include <stdio.h>

void config_warn(struct config_reader *r, unsigned line, const char *fmt, ...)
{
	struct config *c = r->config;
	const char **grown;
	char text[400];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (c->warning_count == r->warning_cap) {
		r->warning_cap = r->warning_cap * 2 + 8;
		grown = arena_alloc(r->arena, r->warning_cap * sizeof(*grown));
		if (c->warning_count > 0)
			memcpy(grown, c->warnings, c->warning_count * sizeof(*grown));
		c->warnings = grown;
	}
	c->warnings[c->warning_count++] = arena_printf(r->arena, "%s:%u: %s", r->name, line, text);
}

/* The field that was probably meant: at most a third of it is different. */
static const char *nearest_name(const struct config_section *section, struct str name)
{
	const char *best = NULL;
	size_t best_distance = name.len / 3 + 1; /* to be under */

	for (size_t i = 0; i < section->count; i++) {
		struct str known = str_from(section->fields[i].name);
		size_t d = str_eq_nocase(known, name) ? 0 : str_distance(known, name);

		if (d < best_distance) {
			best = section->fields[i].name;
			best_distance = d;
		}
	}
	return best;
}

static const struct config_field *field_find(struct config_reader *r,
	const struct config_section *section, const struct sconf_node *node, struct err *err)
{
	const char *hint;

	for (size_t i = 0; i < section->count; i++) {
		if (str_eq(str_from(section->fields[i].name), node->key))
			return &section->fields[i];
	}
	hint = nearest_name(section, node->key);
	(void)err_set(err, ERR_PERM, "%s:%u: unknown field \"%.*s\"%s%s%s", r->name, node->line,
		STR_FMT(node->key), hint ? ", did you mean \"" : "", hint ? hint : "",
		hint ? "\"?" : "");
	return NULL;
}

static int sections_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, char *dst, struct err *err)
{
	enum sconf_kind wanted = field->type == CONFIG_SECTIONS ? SCONF_LIST : SCONF_MAP;
	size_t n = 0;
	char *items;

	if (node->kind != wanted && node->kind != SCONF_EMPTY)
		return err_set(err, ERR_PERM, "%s:%u: %s: write %s below it", r->name, node->line,
			field->name,
			wanted == SCONF_LIST ? "\"-\" lines, the fields of each one tab deeper,"
					     : "a name for each, then its fields one tab deeper,");
	items = arena_alloc(r->arena, (node->count + 1) * field->item_size);
	for (const struct sconf_node *child = node->first; child != NULL; child = child->next) {
		char *item = items + n++ * field->item_size;

		if (field->type == CONFIG_MAP)
			*(const char **)(void *)item = arena_strdup(r->arena, child->key);
		if (config_section_read(r, field->section, child, item, err) < 0)
			return -1;
	}
	memcpy(dst + field->offset, &items, sizeof(items));
	memcpy(dst + field->count_offset, &n, sizeof(n));
	return 0;
}

static int listeners_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, struct err *err)
{
	struct config_listener *l;

	if (node->kind != SCONF_MAP && node->kind != SCONF_EMPTY)
		return err_set(err, ERR_PERM,
			"%s:%u: Listeners: write a name for each below it, then its fields one tab "
			"deeper",
			r->name, node->line);
	r->listener_lines = arena_alloc(r->arena, (node->count + 1) * sizeof(unsigned));
	for (const struct sconf_node *child = node->first; child != NULL; child = child->next) {
		l = config_listener_add(r->config, arena_strdup(r->arena, child->key));
		r->listener_lines[r->config->listener_count - 1] = child->line;
		l->hostname = NULL; /* config_check puts the global one in */
		l->tls = sconf_get(child, STR("TLS")) != NULL;
		if (config_section_read(r, field->section, child, l, err) < 0)
			return -1;
	}
	return 0;
}

static int field_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, void *dst, struct err *err)
{
	if (field->type == CONFIG_UNUSED) {
		config_warn(r, node->line, "%s has no effect: %s", field->name, field->note);
		return 0;
	}
	if (field->type == CONFIG_SECTION)
		return config_section_read(
			r, field->section, node, (char *)dst + field->offset, err);
	if (field->type == CONFIG_SECTIONS || field->type == CONFIG_MAP)
		return sections_read(r, field, node, dst, err);
	if (field->type == CONFIG_LISTENERS)
		return listeners_read(r, field, node, err);
	return config_value_read(r, field, node, dst, err);
}

int config_section_read(struct config_reader *r, const struct config_section *section,
	const struct sconf_node *node, void *dst, struct err *err)
{
	const struct config_field *field;

	if (node->kind != SCONF_MAP && node->kind != SCONF_EMPTY)
		return err_set(err, ERR_PERM,
			"%s:%u: \"%.*s\" is a section: write its fields below it, one tab deeper",
			r->name, node->line, STR_FMT(node->key.len > 0 ? node->key : STR("-")));
	for (const struct sconf_node *child = node->first; child != NULL; child = child->next) {
		field = field_find(r, section, child, err);
		if (field == NULL || field_read(r, field, child, dst, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < section->count; i++) {
		field = &section->fields[i];
		if (field->required && sconf_get(node, str_from(field->name)) == NULL)
			return err_set(err, ERR_PERM, "%s:%u: required field %s is missing%s%.*s%s",
				r->name, node->line > 0 ? node->line : 1, field->name,
				node->key.len > 0 ? " in \"" : "", STR_FMT(node->key),
				node->key.len > 0 ? "\"" : "");
	}
	return 0;
}
