/* SCRAM-SHA-256, RFC 5802 and 7677, without channel binding.
 *
 *   client-first  = "n,," / "y,,"  "n=" saslname ",r=" nonce
 *   server-first  = "r=" nonce ",s=" base64 ",i=" digits
 *   client-final  = "c=" base64 ",r=" nonce ",p=" base64
 *   server-final  = "v=" base64
 */
#include "auth/password.h"
#include "auth/scram_nonce.h"

#include "base/buf.h"
#include "base/rand.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum {
	SCRAM_ITERATIONS = 4096,
	SCRAM_ITERATIONS_MAX = 1000000, /* what a server may make our client compute */
	SCRAM_KEY = 32,
	SCRAM_SALT = 16,
	SCRAM_SALT_MAX = 256,
	SCRAM_MESSAGE_MAX = 2048,
	SCRAM_NONCE_BYTES = 18
};

struct scram_keys {
	unsigned char stored[SCRAM_KEY], server[SCRAM_KEY];
	struct str salt; /* base64 */
	unsigned iterations;
	bool known;
};

struct scram_server {
	struct arena *arena;
	struct str user, gs2, client_first_bare, server_first, nonce, client_nonce;
	struct scram_keys keys;
};

struct scram_client {
	struct arena *arena;
	struct str password, first_bare, nonce, auth_message;
	unsigned char salted[SCRAM_KEY];
};

static int hmac(const unsigned char key[SCRAM_KEY], struct str data, unsigned char out[SCRAM_KEY])
{
	unsigned len = SCRAM_KEY;

	return HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)data.p, data.len, out,
		       &len) != NULL
		       ? 0
		       : -1;
}

static int sha256(const unsigned char in[SCRAM_KEY], unsigned char out[SCRAM_KEY])
{
	unsigned len = SCRAM_KEY;

	return EVP_Digest(in, SCRAM_KEY, out, &len, EVP_sha256(), NULL) == 1 ? 0 : -1;
}

static int salted_password(struct str password, const unsigned char *salt, size_t salt_len,
	unsigned iterations, unsigned char out[SCRAM_KEY])
{
	return PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.len, salt,
		       (int)salt_len, (int)iterations, EVP_sha256(), SCRAM_KEY, out) == 1
		       ? 0
		       : -1;
}

static struct str base64(struct arena *a, const void *data, size_t len)
{
	struct buf b = {NULL, 0, 0};

	buf_base64(&b, data, len);
	struct str s = arena_str(a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* Strict: whole groups, padding only at the end. */
static bool unbase64(struct str text, unsigned char *out, size_t max, size_t *len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	if (text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		unsigned v = 0, pad = 0;
		for (size_t j = 0; j < 4; j++) {
			char c = text.p[i + j];
			const char *at = c != '\0' ? strchr(digits, c) : NULL;
			if (c == '=' && i + 4 == text.len && j >= 2)
				pad++;
			else if (at == NULL || pad > 0)
				return false;
			v = v << 6 | (at ? (unsigned)(at - digits) : 0);
		}
		for (unsigned j = 0; j < 3 - pad; j++) {
			if (n == max)
				return false;
			out[n++] = (unsigned char)(v >> (16 - 8 * j));
		}
	}
	*len = n;
	return true;
}

/* Takes the attribute "k=value," off the front. */
static bool attribute(struct str *rest, char key, struct str *value)
{
	struct str field;

	if (!str_next(rest, ',', &field) || field.len < 2 || field.p[0] != key || field.p[1] != '=')
		return false;
	*value = str_skip(field, 2);
	return true;
}

/* --- stored form --- */

static int keys_derive(const unsigned char salted[SCRAM_KEY], struct scram_keys *keys)
{
	unsigned char client[SCRAM_KEY];

	if (hmac(salted, STR("Client Key"), client) < 0 || sha256(client, keys->stored) < 0 ||
		hmac(salted, STR("Server Key"), keys->server) < 0)
		return -1;
	return 0;
}

int password_scram(struct arena *a, struct str password, struct str *encoded, struct err *err)
{
	unsigned char salt[SCRAM_SALT], salted[SCRAM_KEY];
	struct scram_keys keys;

	rand_bytes(salt, sizeof(salt));
	if (salted_password(password, salt, sizeof(salt), SCRAM_ITERATIONS, salted) < 0 ||
		keys_derive(salted, &keys) < 0)
		return err_set(err, ERR_BUG, "scram: the key derivation failed");
	*encoded = str_from(arena_printf(a, "SCRAM-SHA-256$%d:%.*s$%.*s:%.*s", SCRAM_ITERATIONS,
		STR_FMT(base64(a, salt, sizeof(salt))), STR_FMT(base64(a, keys.stored, SCRAM_KEY)),
		STR_FMT(base64(a, keys.server, SCRAM_KEY))));
	return 0;
}

static bool keys_parse(struct str encoded, struct scram_keys *keys)
{
	struct str name, rest, params, secrets, iterations, stored, server;
	uint64_t n;
	size_t len;

	if (!str_split(encoded, '$', &name, &rest) || !str_eq(name, STR("SCRAM-SHA-256")) ||
		!str_split(rest, '$', &params, &secrets) ||
		!str_split(params, ':', &iterations, &keys->salt) ||
		!str_split(secrets, ':', &stored, &server) ||
		!str_to_u64(iterations, SCRAM_ITERATIONS_MAX, &n) || n == 0)
		return false;
	keys->iterations = (unsigned)n;
	return unbase64(stored, keys->stored, SCRAM_KEY, &len) && len == SCRAM_KEY &&
	       unbase64(server, keys->server, SCRAM_KEY, &len) && len == SCRAM_KEY;
}

/* A salt for somebody who is not there: the same each time, so that asking twice does not
 * tell. */
static int keys_invent(struct arena *a, struct str user, struct str secret, struct scram_keys *keys)
{
	unsigned char key[SCRAM_KEY], mac[SCRAM_KEY];
	unsigned len = SCRAM_KEY;

	if (EVP_Digest(secret.p ? secret.p : "", secret.len, key, &len, EVP_sha256(), NULL) != 1 ||
		hmac(key, user, mac) < 0)
		return -1;
	keys->salt = base64(a, mac, SCRAM_SALT);
	keys->iterations = SCRAM_ITERATIONS;
	rand_bytes(keys->stored, sizeof(keys->stored));
	rand_bytes(keys->server, sizeof(keys->server));
	return 0;
}

/* --- server --- */

/* saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" is an error. */
static bool name_decode(struct arena *a, struct str text, struct str *name)
{
	char *out = arena_alloc(a, text.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] != '=') {
			out[n++] = text.p[i];
			continue;
		}
		struct str code = {text.p + i, text.len - i < 3 ? text.len - i : 3};
		if (str_eq(code, STR("=2C")))
			out[n++] = ',';
		else if (str_eq(code, STR("=3D")))
			out[n++] = '=';
		else
			return false;
		i += 2;
	}
	*name = (struct str){out, n};
	return n > 0;
}

static bool nonce_valid(struct str nonce)
{
	for (size_t i = 0; i < nonce.len; i++) {
		if (nonce.p[i] <= ' ' || nonce.p[i] > '~' || nonce.p[i] == ',')
			return false;
	}
	return nonce.len > 0;
}

int scram_server_begin(struct arena *a, struct str client_first, struct scram_server **out,
	struct str *user, struct err *err)
{
	struct scram_server *s = arena_alloc(a, sizeof(*s));
	struct str rest, flag, authzid, name;

	*out = NULL;
	s->arena = a;
	if (client_first.len > SCRAM_MESSAGE_MAX)
		return err_set(err, ERR_PERM, "scram: the client's first message is too long");
	client_first = arena_str(a, client_first);
	rest = client_first;
	if (!str_next(&rest, ',', &flag) || !str_next(&rest, ',', &authzid) || rest.p == NULL)
		return err_set(
			err, ERR_PERM, "scram: the client's first message has no GS2 header");
	if (str_starts(flag, STR("p=")))
		return err_set(err, ERR_PERM, "scram: channel binding is not offered here");
	if (!str_eq(flag, STR("n")) && !str_eq(flag, STR("y")))
		return err_set(err, ERR_PERM, "scram: bad GS2 header");
	s->gs2 = (struct str){client_first.p, (size_t)(rest.p - client_first.p)};
	s->client_first_bare = rest;
	if (!attribute(&rest, 'n', &name) || !name_decode(a, name, &s->user))
		return err_set(err, ERR_PERM, "scram: bad user name");
	if (!attribute(&rest, 'r', &s->client_nonce) || !nonce_valid(s->client_nonce))
		return err_set(err, ERR_PERM, "scram: bad nonce");
	if (authzid.len > 0 &&
		(!str_starts(authzid, STR("a=")) || !str_eq(str_skip(authzid, 2), name)))
		return err_set(err, ERR_PERM, "scram: acting as somebody else is not possible");
	*user = s->user;
	*out = s;
	return 0;
}

int scram_server_first_nonce(struct scram_server *s, struct str encoded, struct str secret,
	struct str server_nonce, struct str *server_first, struct err *err)
{
	s->keys.known = encoded.len > 0 && keys_parse(arena_str(s->arena, encoded), &s->keys);
	if (!s->keys.known && keys_invent(s->arena, s->user, secret, &s->keys) < 0)
		return err_set(err, ERR_BUG, "scram: no salt");
	s->nonce = str_from(arena_printf(
		s->arena, "%.*s%.*s", STR_FMT(s->client_nonce), STR_FMT(server_nonce)));
	s->server_first = str_from(arena_printf(s->arena, "r=%.*s,s=%.*s,i=%u", STR_FMT(s->nonce),
		STR_FMT(s->keys.salt), s->keys.iterations));
	*server_first = s->server_first;
	return 0;
}

static struct str nonce_new(struct arena *a)
{
	unsigned char bytes[SCRAM_NONCE_BYTES];

	rand_bytes(bytes, sizeof(bytes));
	return base64(a, bytes, sizeof(bytes));
}

int scram_server_first(struct scram_server *s, struct str encoded, struct str secret,
	struct str *server_first, struct err *err)
{
	return scram_server_first_nonce(s, encoded, secret, nonce_new(s->arena), server_first, err);
}

static struct str auth_message(
	struct arena *a, struct str first_bare, struct str server_first, struct str final_bare)
{
	return str_from(arena_printf(a, "%.*s,%.*s,%.*s", STR_FMT(first_bare),
		STR_FMT(server_first), STR_FMT(final_bare)));
}

int scram_server_final(
	struct scram_server *s, struct str client_final, struct str *server_final, struct err *err)
{
	struct str rest = client_final, binding, nonce, proof64, proofless, message;
	unsigned char proof[SCRAM_KEY], signature[SCRAM_KEY], client[SCRAM_KEY], stored[SCRAM_KEY];
	size_t len;

	if (client_final.len > SCRAM_MESSAGE_MAX || !attribute(&rest, 'c', &binding) ||
		!attribute(&rest, 'r', &nonce))
		return err_set(err, ERR_PERM, "scram: bad final message");
	/* Extensions may come before the proof, which is last. */
	const char *at = NULL;
	for (struct str look = rest; look.p != NULL && look.len > 0;) {
		struct str field;
		if (!str_next(&look, ',', &field))
			break;
		if (str_starts(field, STR("p=")) && look.p == NULL)
			at = field.p;
	}
	if (at == NULL || at == client_final.p)
		return err_set(err, ERR_PERM, "scram: the final message has no proof");
	proofless = (struct str){client_final.p, (size_t)(at - client_final.p) - 1};
	proof64 = str_skip(client_final, (size_t)(at - client_final.p) + 2);
	if (!str_eq(binding, base64(s->arena, s->gs2.p, s->gs2.len)))
		return err_set(err, ERR_PERM, "scram: channel binding differs");
	if (!str_eq(nonce, s->nonce))
		return err_set(err, ERR_PERM, "scram: nonce differs");
	if (!unbase64(proof64, proof, sizeof(proof), &len) || len != SCRAM_KEY)
		return err_set(err, ERR_PERM, "scram: bad proof");
	message = auth_message(s->arena, s->client_first_bare, s->server_first, proofless);
	if (hmac(s->keys.stored, message, signature) < 0)
		return err_set(err, ERR_BUG, "scram: HMAC failed");
	for (size_t i = 0; i < SCRAM_KEY; i++)
		client[i] = proof[i] ^ signature[i];
	if (sha256(client, stored) < 0 || hmac(s->keys.server, message, signature) < 0)
		return err_set(err, ERR_BUG, "scram: digest failed");
	bool same = CRYPTO_memcmp(stored, s->keys.stored, SCRAM_KEY) == 0;
	if (!same || !s->keys.known)
		return err_set(err, ERR_PERM, "scram: wrong user or password");
	*server_final = str_from(
		arena_printf(s->arena, "v=%.*s", STR_FMT(base64(s->arena, signature, SCRAM_KEY))));
	return 0;
}

/* --- client --- */

static struct str name_encode(struct arena *a, struct str name)
{
	struct buf b = {NULL, 0, 0};

	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == ',')
			buf_text(&b, "=2C");
		else if (name.p[i] == '=')
			buf_text(&b, "=3D");
		else
			buf_byte(&b, name.p[i]);
	}
	struct str s = arena_str(a, buf_str(&b));
	buf_free(&b);
	return s;
}

int scram_client_begin_nonce(struct arena *a, struct str user, struct str password,
	struct str nonce, struct scram_client **out, struct str *client_first, struct err *err)
{
	struct scram_client *c = arena_alloc(a, sizeof(*c));

	*out = NULL;
	if (password_prepare(a, password, &c->password, err) < 0)
		return -1;
	c->arena = a;
	c->nonce = nonce;
	c->first_bare = str_from(
		arena_printf(a, "n=%.*s,r=%.*s", STR_FMT(name_encode(a, user)), STR_FMT(nonce)));
	*client_first = str_from(arena_printf(a, "n,,%.*s", STR_FMT(c->first_bare)));
	*out = c;
	return 0;
}

int scram_client_begin(struct arena *a, struct str user, struct str password,
	struct scram_client **out, struct str *client_first, struct err *err)
{
	return scram_client_begin_nonce(a, user, password, nonce_new(a), out, client_first, err);
}

int scram_client_final(
	struct scram_client *c, struct str server_first, struct str *client_final, struct err *err)
{
	struct str rest = server_first, nonce, salt64, iterations, bare;
	unsigned char salt[SCRAM_SALT_MAX], client[SCRAM_KEY], signature[SCRAM_KEY];
	struct scram_keys keys;
	uint64_t n;
	size_t salt_len;

	if (server_first.len > SCRAM_MESSAGE_MAX || !attribute(&rest, 'r', &nonce) ||
		!attribute(&rest, 's', &salt64) || !attribute(&rest, 'i', &iterations))
		return err_set(err, ERR_PERM, "scram: bad message from the server");
	if (!str_starts(nonce, c->nonce) || nonce.len == c->nonce.len)
		return err_set(err, ERR_PERM, "scram: the server's nonce is not ours continued");
	if (!unbase64(salt64, salt, sizeof(salt), &salt_len) || salt_len == 0 ||
		!str_to_u64(iterations, SCRAM_ITERATIONS_MAX, &n) || n == 0)
		return err_set(err, ERR_PERM, "scram: bad salt or iteration count from the server");
	if (salted_password(c->password, salt, salt_len, (unsigned)n, c->salted) < 0 ||
		hmac(c->salted, STR("Client Key"), client) < 0 || keys_derive(c->salted, &keys) < 0)
		return err_set(err, ERR_BUG, "scram: the key derivation failed");
	bare = str_from(arena_printf(c->arena, "c=biws,r=%.*s", STR_FMT(nonce)));
	c->auth_message = auth_message(c->arena, c->first_bare, server_first, bare);
	if (hmac(keys.stored, c->auth_message, signature) < 0)
		return err_set(err, ERR_BUG, "scram: HMAC failed");
	for (size_t i = 0; i < SCRAM_KEY; i++)
		client[i] ^= signature[i];
	*client_final = str_from(arena_printf(c->arena, "%.*s,p=%.*s", STR_FMT(bare),
		STR_FMT(base64(c->arena, client, SCRAM_KEY))));
	return 0;
}

int scram_client_verify(struct scram_client *c, struct str server_final, struct err *err)
{
	unsigned char key[SCRAM_KEY], want[SCRAM_KEY], got[SCRAM_KEY];
	size_t len;

	if (!str_starts(server_final, STR("v=")) ||
		!unbase64(str_skip(server_final, 2), got, sizeof(got), &len) || len != SCRAM_KEY)
		return err_set(err, ERR_PERM, "scram: bad final message from the server");
	if (hmac(c->salted, STR("Server Key"), key) < 0 || hmac(key, c->auth_message, want) < 0)
		return err_set(err, ERR_BUG, "scram: HMAC failed");
	if (CRYPTO_memcmp(want, got, SCRAM_KEY) != 0)
		return err_set(err, ERR_PERM, "scram: the server does not know the password");
	return 0;
}
