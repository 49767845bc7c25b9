/* password - what is stored instead of a password: argon2id (RFC 9106) for PLAIN and the
 * web, SCRAM-SHA-256 (RFC 5802, 7677) for SCRAM. Costs time and memory by intent: at most
 * two derivations run at once in the process, others wait. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/arena.h"
#include "base/err.h"

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 256 };

/* Prepared as SASLprep/PRECIS OpaqueString: NFC, no controls. ERR_PERM with the reason. */
int password_prepare(
	struct arena *a, struct str password, struct str *prepared, struct err *err) MUST_USE;
/* Encoded argon2id string of a prepared password. */
int password_argon2(
	struct arena *a, struct str password, struct str *encoded, struct err *err) MUST_USE;
/* Takes argon2id strings and, for AdminPasswordFile, crypt(3) bcrypt ones. An empty or
 * unusable stored form costs the same time and is false. */
bool password_verify(struct str password, struct str encoded);
/* RFC 5803 text with a fresh salt, 4096 or more iterations. */
int password_scram(
	struct arena *a, struct str password, struct str *encoded, struct err *err) MUST_USE;
/* 16 characters a person can type, about 80 bits. */
enum { PASSWORD_RANDOM_TEXT = 17 };
const char *password_random(char out[PASSWORD_RANDOM_TEXT]);

/* --- SCRAM server side: one exchange --- */

struct scram_server; /* opaque; in the arena */

/* client_first: the decoded first message. *user is the wanted name (SASL-decoded); the
 * caller looks its stored form up and calls scram_server_first. */
int scram_server_begin(struct arena *a, struct str client_first, struct scram_server **out,
	struct str *user, struct err *err) MUST_USE;
/* encoded may be empty (no such user): the exchange then goes on with a made-up salt that
 * stays the same for that name (secret: per installation) and fails at the end. */
int scram_server_first(struct scram_server *s, struct str encoded, struct str secret,
	struct str *server_first, struct err *err) MUST_USE;
/* 0: proven, *server_final is the "v=" message. -1: ERR_PERM. */
int scram_server_final(struct scram_server *s, struct str client_final, struct str *server_final,
	struct err *err) MUST_USE;

/* Client side, for smarthosts. */
struct scram_client;
int scram_client_begin(struct arena *a, struct str user, struct str password,
	struct scram_client **out, struct str *client_first, struct err *err) MUST_USE;
int scram_client_final(struct scram_client *c, struct str server_first, struct str *client_final,
	struct err *err) MUST_USE;
int scram_client_verify(struct scram_client *c, struct str server_final, struct err *err) MUST_USE;

#endif
