/* control - what an admin does, as requests in JSON: the same verbs behind the daemon's
 * control socket and for the command line when no daemon runs.
 *
 * A request is one line {"verb": "queue.list", ...}. The answer is any number of lines
 * {"row": {...}} and a last one {"ok": true, ...} or {"ok": false, "error": "one line"}. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/conn.h"
#include "config/config.h"
#include "queue/queue.h"
#include "queue/simulate.h"
#include "store/store.h"

#include <jansson.h>

enum {
	CONTROL_REQUEST_MAX = 8 * 1024 * 1024, /* octets; an import carries a whole file */
	CONTROL_ANSWER_MAX = 1024 * 1024,      /* octets of one answer line */
	CONTROL_ROWS_MAX = 10000,              /* that control_call collects */
	CONTROL_REQUEST_MS = 10 * 1000,        /* for the request to arrive */
	CONTROL_WRITE_MS = 30 * 1000           /* for the peer to take one line */
};

struct http;
struct signing;
struct tlsrpt_daily;

struct control { /* what the verbs work on; outlives the calls */
	struct store *store;
	struct queue *queue; /* NULL: no daemon, the store is changed directly */
	struct config_holder *config;
	struct dns *dns; /* these three NULL without a daemon */
	struct mtasts *mtasts;
	/* For TLS reports; NULL without a daemon. */
	struct http *http;
	struct signing *signing;
	struct tlsrpt_daily *tlsrpt;
	struct simulator *simulator;
};

/* Reads one request: 1, 0 at the end of input, -1 not to be understood (ERR_PERM) or gone
 * (ERR_TEMP). *request is the caller's to json_decref. */
int control_read(struct conn *c, json_t **request, struct err *err) MUST_USE;
/* The "verb" of a request, "" when it has none. */
const char *control_verb(const json_t *request);
/* Writes one answer line; takes the reference. */
int control_answer(struct conn *c, json_t *line, struct err *err) MUST_USE;
/* {"ok": false, "error": text} */
int control_refuse(struct conn *c, const char *text, struct err *err) MUST_USE;

/* Runs one verb and writes its whole answer, a refusal too. -1: the peer is gone. */
int control_run(
	const struct control *ctl, const json_t *request, struct conn *c, struct err *err) MUST_USE;

struct control_result {
	json_t *rows;     /* array */
	json_t *last;     /* object, members beside the rows; NULL when it failed */
	json_t *problems; /* NULL, or [{"field", "detail"}] when fields were refused */
	bool missing;     /* failed because what it is about does not exist */
};
/* Runs one verb for a caller in this process: 0, or -1 with the reason. *out is filled in both
 * cases and the caller's to free. */
int control_call(const struct control *ctl, const json_t *request, struct control_result *out,
	struct err *err) MUST_USE;
void control_result_free(struct control_result *r);

/* Requests until the end of input. */
void control_serve(const struct control *ctl, struct conn *c);

/* {"verb": verb, "KEY": "value"...}: pairs of const char *, ended by one NULL; a NULL
 * value leaves its pair out. */
json_t *control_request(const char *verb, ...) __attribute__((sentinel));

#endif
