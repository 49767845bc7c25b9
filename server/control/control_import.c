/* control_import - domains, accounts, addresses, aliases, transports and routes out of a
 * domains.conf or mox.conf of the reference system. A wrong file is an error and changes
 * nothing; what is there already stays as it is, so that an import can be run again. Every
 * entry is answered with a row: what, name, result, text. */
#include "control/control_priv.h"

#include "policy/import.h"

static const char *result_name(enum import_result result)
{
	switch (result) {
	case IMPORT_ADDED:
		return "added";
	case IMPORT_EXISTS:
		return "exists";
	case IMPORT_NOTE:
		break;
	}
	return "skipped";
}

/* "keys": {path: PEM} */
static int keys_read(
	struct call *call, const json_t *keys, struct import_file *file, struct err *err)
{
	struct import_key *out =
		arena_alloc(call->arena, (json_object_size(keys) + 1) * sizeof(*out));
	const char *path;
	json_t *value;

	file->keys = out;
	file->key_count = 0;
	json_object_foreach((json_t *)(uintptr_t)keys, path, value)
	{
		if (!json_is_string(value))
			return err_set(err, ERR_PERM, "keys: each is a text");
		out[file->key_count++] = (struct import_key){
			str_from(path), {json_string_value(value), json_string_length(value)}};
	}
	return 0;
}

/* "files": [{"name": ..., "text": ..., "keys": {...}}] */
static int files_read(struct call *call, struct import_file files[IMPORT_FILES_MAX], size_t *count,
	struct err *err)
{
	const json_t *list = json_object_get(call->request, "files");

	*count = json_array_size(list);
	if (*count == 0 || *count > IMPORT_FILES_MAX)
		return err_set(err, ERR_PERM, "files: 1 to %d", IMPORT_FILES_MAX);
	for (size_t i = 0; i < *count; i++) {
		const json_t *file = json_array_get(list, i);
		const json_t *text = json_object_get(file, "text");
		files[i].name = json_string_value(json_object_get(file, "name"));
		files[i].text = (struct str){json_string_value(text), json_string_length(text)};
		if (files[i].name == NULL || files[i].text.p == NULL)
			return err_set(err, ERR_PERM, "files: each needs a name and a text");
		if (keys_read(call, json_object_get(file, "keys"), &files[i], err) < 0)
			return -1;
	}
	return 0;
}

static int config_import(struct call *call, json_t **last, struct err *err)
{
	struct import_file files[IMPORT_FILES_MAX];
	struct import_report report;
	size_t count;

	if (files_read(call, files, &count, err) < 0 ||
		import_run(call->ctl->store, call->arena, files, count, &report, err) < 0)
		return -1;
	for (size_t i = 0; i < report.count; i++) {
		const struct import_row *row = &report.rows[i];

		if (call_row(call,
			    json_pack("{s:s, s:o, s:s, s:s}", "what", row->what, "name",
				    json_view(row->name), "result", result_name(row->result),
				    "text", row->text),
			    err) < 0)
			return -1;
	}
	*last = json_pack("{s:I, s:I, s:I}", "added", (json_int_t)report.added, "exists",
		(json_int_t)report.existing, "skipped", (json_int_t)report.notes);
	return 0;
}

const struct verb control_import_verbs[] = {
	{"config.import", config_import},
	{NULL, NULL},
};
