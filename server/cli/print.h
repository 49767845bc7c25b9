/* print - rows for people (columns) or as one JSON array. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "cli/client.h"

struct cli_column {
	const char *title;
	const char *key; /* "relay.hosts": a member of a member */
	int width;       /* least; 0 for the last */
};

struct cli_table {
	const struct cli_column *columns; /* ends with a NULL title */
	bool json;
	size_t rows;
};

/* Row by row, so that a million of them need no memory. Takes no reference. */
void cli_table_row(struct cli_table *t, const json_t *row);
/* Ends the array, or says that there was nothing. */
void cli_table_end(struct cli_table *t, const char *nothing);

/* Members of an object, one a line: "name  value"; or the object as JSON. */
void cli_object_print(const json_t *object, bool json);
/* The steps of a trace (base/trace.h), a line each. */
void cli_trace_print(const json_t *trace);

#endif
