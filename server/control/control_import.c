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

/* The file in the members text and name. */
static int config_import(struct call *call, json_t **last, struct err *err)
{
	struct str name = call_text(call, "name");
	struct import_file file = {
		.name = arena_strdup(call->arena, name.len ? name : STR("domains.conf"))};
	struct import_report report;

	if (call_need(call, "text", &file.text, err) < 0 ||
		import_run(call->ctl->store, call->arena, &file, 1, &report, err) < 0)
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
	*last = json_pack("{s:I, s:I, s:I, s:I}", "added", (json_int_t)report.added, "exists",
		(json_int_t)report.existing, "skipped", (json_int_t)report.notes, "failed",
		(json_int_t)0);
	return 0;
}

const struct verb control_import_verbs[] = {
	{"config.import", config_import},
	{NULL, NULL},
};
