/* input - a message on standard input, for the commands that look at one: header first, then
 * the body in pieces, with CRLF line ends whatever the file has. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>

enum { CLI_HEADER_MAX = 4 * 1024 * 1024 }; /* octets of header block */

struct cli_message {
	struct str header; /* with the empty line, if there is one */
	/* the rest is input.c's: */
	FILE *in;
	struct buf head;
	struct str rest;
	char *raw, *out;
	bool cr;
};
/* Reads the header from in. Memory is in the arena but for head: cli_message_close. */
int cli_message_open(FILE *in, struct arena *a, struct cli_message *m, struct err *err) MUST_USE;
/* The next piece of the body, good until the next call: 1, 0 at the end, -1. */
int cli_message_next(struct cli_message *m, struct str *piece, struct err *err) MUST_USE;
void cli_message_close(struct cli_message *m);

#endif
