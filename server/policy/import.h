/* import - takes domains, DKIM keys, accounts, addresses, aliases, transports and routes over from
 * the domains.conf and mox.conf of the reference system (spec/admin.md 6). */
#ifndef POLICY_IMPORT_H
#define POLICY_IMPORT_H

#include "store/directory.h"

enum import_result {
	IMPORT_ADDED,
	IMPORT_EXISTS, /* it was there already and stays as it is */
	IMPORT_NOTE    /* has no place here, or needs a hand; text says it */
};

struct import_row {
	enum import_result result;
	const char *what; /* "domain", "account", "address", "alias", "transport", "route",
			     "selector" */
	struct str name;
	const char *text; /* "" when there is nothing to say */
};

struct import_report {
	struct import_row *rows;
	size_t count;
	size_t added, existing, notes;
};

enum { IMPORT_FILES_MAX = 2, IMPORT_ROUTES_MAX = 10000 };

struct import_key {      /* a DKIM key file */
	struct str path; /* as the file that names it has it */
	struct str pem;
};
struct import_file {
	const char *name; /* for messages */
	struct str text;
	const struct import_key *keys; /* those that could be read; may be NULL */
	size_t key_count;
};

/* First everything is read and checked: an error (ERR_PERM, "file:line: ...") means that
 * nothing was written. Then what is not there yet is added, so that an import can be run
 * again. The report lives in the arena. Files are domains.conf, mox.conf or both. */
int import_run(struct store *s, struct arena *a, const struct import_file *files, size_t file_count,
	struct import_report *report, struct err *err) MUST_USE;

#endif
