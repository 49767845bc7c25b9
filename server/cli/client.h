/* client - the other end of control/control.h: the daemon over its socket, or, when none
 * runs, the same verbs on the store opened by ourselves. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/cli.h"

#include <jansson.h>

struct cli_client;

enum cli_peer {
	CLI_PEER_DAEMON,         /* a daemon must run */
	CLI_PEER_DAEMON_OR_STORE /* without one, the store is opened (as User of mox.conf) */
};

int cli_client_open(const struct cli *cli, enum cli_peer peer, struct cli_client **out,
	struct err *err) MUST_USE;
void cli_client_close(struct cli_client **c);

/* Sends a request; takes the reference. */
int cli_client_send(struct cli_client *c, json_t *request, struct err *err) MUST_USE;
/* 1: a row, 0: the last line, said to be ok; either is the caller's. -1: refused, err has
 * the daemon's words (ERR_PERM); or it is gone. */
int cli_client_next(struct cli_client *c, json_t **line, struct err *err) MUST_USE;
/* Send, read over rows, give the last line (or NULL for last). */
int cli_client_call(struct cli_client *c, json_t *request, json_t **last, struct err *err) MUST_USE;

/* The word of a JSON value for people: text, number, yes/no, "-" for null and "". The text
 * is the caller's to free. */
char *cli_word(const json_t *value);

#endif
