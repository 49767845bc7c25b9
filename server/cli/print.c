#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *member(const json_t *row, const char *key)
{
	const char *dot = strchr(key, '.');
	char first[32];

	if (dot == NULL)
		return json_object_get(row, key);
	if (!str_copy(first, sizeof(first), (struct str){key, (size_t)(dot - key)}))
		return NULL;
	return member(json_object_get(row, first), dot + 1);
}

static void json_print(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags);

	fputs(text ? text : "null", stdout);
	free(text);
}

static void titles_print(const struct cli_table *t)
{
	for (const struct cli_column *c = t->columns; c->title != NULL; c++)
		printf("%-*s%s", c->width, c->title, c[1].title ? "  " : "\n");
}

void cli_table_row(struct cli_table *t, const json_t *row)
{
	if (t->json) {
		fputs(t->rows++ == 0 ? "[\n" : ",\n", stdout);
		json_print(row, JSON_COMPACT);
		return;
	}
	if (t->rows++ == 0)
		titles_print(t);
	for (const struct cli_column *c = t->columns; c->title != NULL; c++) {
		const json_t *value = member(row, c->key);
		char *word = value ? cli_word(value) : NULL;
		printf("%-*s%s", c->width, word ? word : "-", c[1].title ? "  " : "\n");
		free(word);
	}
}

void cli_table_end(struct cli_table *t, const char *nothing)
{
	if (t->json)
		puts(t->rows == 0 ? "[]" : "\n]");
	else if (t->rows == 0)
		puts(nothing);
}

void cli_object_print(const json_t *object, bool json)
{
	const char *key;
	const json_t *value;

	if (json) {
		json_print(object, JSON_INDENT(2));
		putchar('\n');
		return;
	}
	void *at = json_object_iter((json_t *)(uintptr_t)object);
	for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
		key = json_object_iter_key(at);
		value = json_object_iter_value(at);
		if (strcmp(key, "ok") == 0 || json_is_object(value) ||
			(json_is_array(value) && json_is_object(json_array_get(value, 0))))
			continue;
		char *word = cli_word(value);
		printf("%-22s %s\n", key, word);
		free(word);
	}
}

void cli_trace_print(const json_t *all)
{
	static const char *const keys[] = {"title", "result", "dnssec", "text"};
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(all, "steps"), i, step)
	{
		const char *gap = "";
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			const char *word = json_string_value(json_object_get(step, keys[k]));
			if (word == NULL)
				continue;
			printf("%s%s", gap, word);
			gap = k == 0 ? ": " : ", ";
		}
		puts("");
		json_t *line;
		size_t n;
		json_array_foreach(json_object_get(step, "detail"), n, line)
			printf("  %s\n", json_string_value(line));
	}
}
