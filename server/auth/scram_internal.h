/* auth/scram_internal - what password.c, scram.c and its test share (RFC 5802, 7677). */
#ifndef AUTH_SCRAM_INTERNAL_H
#define AUTH_SCRAM_INTERNAL_H

#include "auth/password.h"

enum {
	SCRAM_HASH = 32, /* SHA-256 */
	SCRAM_SALT = 16,
	SCRAM_ITERATIONS = 15000,       /* what we store, RFC 7677 section 4 */
	SCRAM_ITERATIONS_MIN = 4096,    /* what we take, RFC 7677 section 4 */
	SCRAM_ITERATIONS_MAX = 1000000, /* our choice: a server cannot burn more of our time */
	SCRAM_MESSAGE_MAX = 4096,       /* octets of any message, our choice */
	SCRAM_NONCE_MAX = 512,          /* of client and server together, our choice */
	SCRAM_NONCE_TEXT = 25,          /* ours: 24 base64 characters, 144 bits */
	SCRAM_SALT_MAX = 256            /* of a foreign server, our choice */
};

struct scram_keys {
	unsigned char client[SCRAM_HASH], stored[SCRAM_HASH], server[SCRAM_HASH];
};

struct scram_server {
	struct arena *a;
	struct str user;
	struct str gs2, first_bare, client_nonce;
	char nonce[SCRAM_NONCE_TEXT]; /* ours; random */
	struct str server_first;
	struct scram_keys keys; /* stored and server only */
	bool known;             /* false: fails at the end */
};

struct scram_client {
	struct arena *a;
	struct str user, password;
	char nonce[SCRAM_NONCE_TEXT];
	struct str first_bare;
	unsigned char signature[SCRAM_HASH]; /* what the server must say */
	bool final_made;
};

/* password is prepared. ERR_BUG when the library fails. */
int scram_keys_derive(struct str password, struct str salt, unsigned iterations,
	struct scram_keys *keys, struct err *err) MUST_USE;
/* RFC 5803 text. */
struct str scram_encode(
	struct arena *a, struct str salt, unsigned iterations, const struct scram_keys *keys);
/* scram_client_begin with a given nonce. */
void scram_client_start(struct arena *a, struct str user, struct str password, const char *nonce,
	struct scram_client **out, struct str *client_first);

#endif
