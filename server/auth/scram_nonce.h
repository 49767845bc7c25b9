/* scram_nonce - the halves of a SCRAM exchange with a nonce of the caller's choice: for
 * the test vectors of RFC 7677. Everybody else uses auth/password.h. */
#ifndef AUTH_SCRAM_NONCE_H
#define AUTH_SCRAM_NONCE_H

#include "auth/password.h"

int scram_server_first_nonce(struct scram_server *s, struct str encoded, struct str secret,
	struct str server_nonce, struct str *server_first, struct err *err) MUST_USE;
int scram_client_begin_nonce(struct arena *a, struct str user, struct str password,
	struct str nonce, struct scram_client **out, struct str *client_first,
	struct err *err) MUST_USE;

#endif
