/* control/token - tokens of the JSON API: "mox_" and 64 hex digits, shown once and kept as
 * a SHA-256 (they are random, so no slow hash is needed). */
#ifndef CONTROL_TOKEN_H
#define CONTROL_TOKEN_H

#include "policy/admin.h"
#include "store/token.h"

#define CONTROL_TOKEN_PREFIX "mox_"
enum { CONTROL_TOKEN_TEXT = sizeof(CONTROL_TOKEN_PREFIX) + 64 };

/* The hash to look a token up by. */
int control_token_hash(struct str token, char out[STORE_TOKEN_HASH], struct err *err) MUST_USE;
/* Makes a token with row's name, read_only and expires_s: 0 and the token; 1 with problems
 * (field "name"); -1. */
int control_token_new(struct store *s, struct store_token *row, struct admin_problems *problems,
	char token[CONTROL_TOKEN_TEXT], struct err *err) MUST_USE;

#endif
