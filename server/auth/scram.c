#include "auth/scram_internal.h"

#include "base/buf.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

/* RFC 5802 section 7:
 *   client-first-message = gs2-cbind-flag "," ["a=" saslname] ","
 *                          "n=" saslname ",r=" c-nonce ["," extensions]
 *   server-first-message = "r=" c-nonce s-nonce ",s=" base64 ",i=" number ["," extensions]
 *   client-final-message = "c=" base64 ",r=" nonce ["," extensions] ",p=" base64
 *   server-final-message = ("e=" error / "v=" base64) ["," extensions]
 *   saslname             = "," as "=2C", "=" as "=3D" */

/* --- helpers --- */

static void hmac(
	const unsigned char key[SCRAM_HASH], struct str data, unsigned char out[SCRAM_HASH])
{
	unsigned len = SCRAM_HASH;

	if (HMAC(EVP_sha256(), key, SCRAM_HASH, (const unsigned char *)data.p, data.len, out,
		    &len) == NULL)
		abort(); /* out of memory */
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict (RFC 4648 section 4, padded). False when malformed or over max octets. */
static bool base64_decode(struct str text, unsigned char *out, size_t max, size_t *len)
{
	size_t pad = 0;

	*len = 0;
	if (text.len % 4 != 0)
		return false;
	while (pad < 2 && pad < text.len && text.p[text.len - 1 - pad] == '=')
		pad++;
	unsigned bits = 0, have = 0;
	for (size_t i = 0; i < text.len - pad; i++) {
		int v = base64_value(text.p[i]);
		if (v < 0)
			return false;
		bits = (bits << 6 | (unsigned)v) & 0xffffffu;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (*len == max)
			return false;
		out[(*len)++] = (unsigned char)(bits >> have);
	}
	return (bits & ((1u << have) - 1)) == 0;
}

static struct str base64_text(struct arena *a, const void *data, size_t len)
{
	struct buf b = {NULL, 0, 0};

	buf_base64(&b, data, len);
	struct str text = arena_str(a, buf_str(&b));
	buf_free(&b);
	return text;
}

static void nonce_make(char out[SCRAM_NONCE_TEXT])
{
	unsigned char raw[(SCRAM_NONCE_TEXT - 1) / 4 * 3];
	struct buf b = {NULL, 0, 0};

	rand_bytes(raw, sizeof(raw));
	buf_base64(&b, raw, sizeof(raw));
	(void)str_copy(out, SCRAM_NONCE_TEXT, buf_str(&b));
	buf_free(&b);
}

static bool nonce_valid(struct str nonce)
{
	for (size_t i = 0; i < nonce.len; i++) {
		if (nonce.p[i] < '!' || nonce.p[i] > '~' || nonce.p[i] == ',')
			return false;
	}
	return nonce.len > 0 && nonce.len <= SCRAM_NONCE_MAX;
}

/* Takes the attribute NAME= off the front of *rest. */
static bool attribute(struct str *rest, char name, struct str *value)
{
	struct str field, after = *rest;

	if (!str_next(&after, ',', &field) || field.len < 2 || field.p[0] != name ||
		field.p[1] != '=')
		return false;
	*value = str_skip(field, 2);
	*rest = after;
	return true;
}

int scram_keys_derive(struct str password, struct str salt, unsigned iterations,
	struct scram_keys *keys, struct err *err)
{
	unsigned char salted[SCRAM_HASH];

	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.len, (const unsigned char *)salt.p,
		    (int)salt.len, (int)iterations, EVP_sha256(), sizeof(salted), salted) != 1)
		return err_set(err, ERR_BUG, "SCRAM: key derivation failed");
	hmac(salted, STR("Client Key"), keys->client);
	hmac(salted, STR("Server Key"), keys->server);
	SHA256(keys->client, SCRAM_HASH, keys->stored);
	OPENSSL_cleanse(salted, sizeof(salted));
	return 0;
}

struct str scram_encode(
	struct arena *a, struct str salt, unsigned iterations, const struct scram_keys *keys)
{
	struct str s = base64_text(a, salt.p, salt.len);
	struct str stored = base64_text(a, keys->stored, SCRAM_HASH);
	struct str server = base64_text(a, keys->server, SCRAM_HASH);

	return str_from(arena_printf(a, "SCRAM-SHA-256$%u:%.*s$%.*s:%.*s", iterations, STR_FMT(s),
		STR_FMT(stored), STR_FMT(server)));
}

/* "SCRAM-SHA-256$iter:salt$stored:server" (RFC 5803); salt stays base64. */
static bool stored_parse(
	struct str text, uint64_t *iterations, struct str *salt, struct scram_keys *keys)
{
	struct str scheme, iter, stored, server;
	unsigned char raw[SCRAM_SALT_MAX];
	size_t len;

	return str_split(text, '$', &scheme, &text) && str_eq(scheme, STR("SCRAM-SHA-256")) &&
	       str_split(text, ':', &iter, &text) &&
	       str_to_u64(iter, SCRAM_ITERATIONS_MAX, iterations) && *iterations > 0 &&
	       str_split(text, '$', salt, &text) && salt->len > 0 &&
	       base64_decode(*salt, raw, sizeof(raw), &len) &&
	       str_split(text, ':', &stored, &server) &&
	       base64_decode(stored, keys->stored, SCRAM_HASH, &len) && len == SCRAM_HASH &&
	       base64_decode(server, keys->server, SCRAM_HASH, &len) && len == SCRAM_HASH;
}

/* --- server --- */

static int saslname_decode(struct arena *a, struct str name, struct str *out, struct err *err)
{
	char *text = arena_alloc(a, name.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		if (c == '=') {
			struct str rest = str_skip(name, i);
			if (str_starts(rest, STR("=2C")))
				c = ',';
			else if (!str_starts(rest, STR("=3D")))
				return err_set(err, ERR_PERM, "SCRAM: bad \"=\" in the user name");
			i += 2;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return err_set(err, ERR_PERM, "SCRAM: control character in the user name");
		text[len++] = c;
	}
	*out = (struct str){text, len};
	if (len == 0 || !utf8_valid(*out))
		return err_set(err, ERR_PERM, "SCRAM: the user name is empty or not UTF-8");
	return 0;
}

/* "n,," or "y,,", with or without the name to act as. *rest is the bare message. */
static int gs2_parse(
	struct arena *a, struct str msg, struct str *authzid, struct str *rest, struct err *err)
{
	struct str flag, name;

	*authzid = (struct str){"", 0};
	if (!str_split(msg, ',', &flag, rest) || !str_split(*rest, ',', &name, rest))
		return err_set(err, ERR_PERM, "SCRAM: the first message has no GS2 header");
	if (str_starts(flag, STR("p=")))
		return err_set(err, ERR_PERM, "SCRAM: channel binding is not offered here");
	if (!str_eq(flag, STR("n")) && !str_eq(flag, STR("y")))
		return err_set(err, ERR_PERM, "SCRAM: unknown channel binding flag");
	if (name.len == 0)
		return 0;
	if (!str_starts(name, STR("a=")))
		return err_set(err, ERR_PERM, "SCRAM: bad authorization name");
	return saslname_decode(a, str_skip(name, 2), authzid, err);
}

int scram_server_begin(struct arena *a, struct str client_first, struct scram_server **out,
	struct str *user, struct err *err)
{
	struct scram_server *s = arena_alloc(a, sizeof(*s));
	struct str msg, rest, authzid, name;

	*out = NULL;
	*user = (struct str){"", 0};
	if (client_first.len > SCRAM_MESSAGE_MAX)
		return err_set(err, ERR_PERM, "SCRAM: message over %d octets", SCRAM_MESSAGE_MAX);
	msg = arena_str(a, client_first);
	if (gs2_parse(a, msg, &authzid, &rest, err) < 0)
		return -1;
	s->a = a;
	s->gs2 = (struct str){msg.p, (size_t)(rest.p - msg.p)};
	s->first_bare = rest;
	if (str_starts(rest, STR("m=")))
		return err_set(err, ERR_PERM, "SCRAM: unknown mandatory extension");
	if (!attribute(&rest, 'n', &name) || !attribute(&rest, 'r', &s->client_nonce))
		return err_set(err, ERR_PERM, "SCRAM: the first message lacks a name or a nonce");
	if (!nonce_valid(s->client_nonce) || s->client_nonce.len > SCRAM_NONCE_MAX / 2)
		return err_set(err, ERR_PERM, "SCRAM: bad nonce");
	if (saslname_decode(a, name, &s->user, err) < 0)
		return -1;
	if (authzid.len > 0 && !str_eq(authzid, s->user))
		return err_set(err, ERR_PERM, "SCRAM: acting as another user is not offered");
	nonce_make(s->nonce);
	*user = s->user;
	*out = s;
	return 0;
}

/* The same salt each time somebody asks for that name, and none that can be told from
 * a real one. Names are looked up without regard to case. */
static struct str salt_pretend(struct arena *a, struct str secret, struct str user)
{
	unsigned char mac[SCRAM_HASH];
	unsigned len = sizeof(mac);
	char *lower = arena_strdup(a, user);

	str_lower(lower, user.len);
	if (HMAC(EVP_sha256(), secret.len > 0 ? secret.p : "", (int)secret.len,
		    (const unsigned char *)lower, user.len, mac, &len) == NULL)
		abort(); /* out of memory */
	return base64_text(a, mac, SCRAM_SALT);
}

int scram_server_first(struct scram_server *s, struct str encoded, struct str secret,
	struct str *server_first, struct err *err)
{
	uint64_t iterations = SCRAM_ITERATIONS;
	struct str salt;

	if (s->server_first.len > 0)
		return err_set(err, ERR_BUG, "SCRAM: first message twice");
	s->known = stored_parse(encoded, &iterations, &salt, &s->keys);
	if (!s->known) {
		iterations = SCRAM_ITERATIONS;
		salt = salt_pretend(s->a, secret, s->user);
		rand_bytes(&s->keys, sizeof(s->keys));
	}
	s->server_first = str_from(arena_printf(s->a, "r=%.*s%s,s=%.*s,i=%u",
		STR_FMT(s->client_nonce), s->nonce, STR_FMT(salt), (unsigned)iterations));
	*server_first = s->server_first;
	return 0;
}

/* The proof is the last attribute; *without is all before its comma. */
static int final_parse(const struct scram_server *s, struct str msg, struct str *without,
	unsigned char proof[SCRAM_HASH], struct err *err)
{
	struct str rest = msg, binding, nonce, field, last = {NULL, 0};
	unsigned char gs2[SCRAM_MESSAGE_MAX];
	size_t len;

	if (!attribute(&rest, 'c', &binding) || !attribute(&rest, 'r', &nonce))
		return err_set(err, ERR_PERM, "SCRAM: the final message is malformed");
	while (str_next(&rest, ',', &field))
		last = field;
	if (!str_starts(last, STR("p=")) ||
		!base64_decode(str_skip(last, 2), proof, SCRAM_HASH, &len) || len != SCRAM_HASH)
		return err_set(err, ERR_PERM, "SCRAM: the final message has no proof");
	*without = (struct str){msg.p, (size_t)(last.p - msg.p) - 1};
	if (!base64_decode(binding, gs2, sizeof(gs2), &len) ||
		!str_eq((struct str){(const char *)gs2, len}, s->gs2))
		return err_set(err, ERR_PERM, "SCRAM: channel binding does not match");
	if (!str_starts(nonce, s->client_nonce) ||
		!str_eq(str_skip(nonce, s->client_nonce.len), str_from(s->nonce)))
		return err_set(err, ERR_PERM, "SCRAM: nonce does not match");
	return 0;
}

static struct str auth_message(
	struct arena *a, struct str first_bare, struct str server_first, struct str without)
{
	return str_from(arena_printf(
		a, "%.*s,%.*s,%.*s", STR_FMT(first_bare), STR_FMT(server_first), STR_FMT(without)));
}

int scram_server_final(
	struct scram_server *s, struct str client_final, struct str *server_final, struct err *err)
{
	unsigned char proof[SCRAM_HASH], signature[SCRAM_HASH], hash[SCRAM_HASH];
	struct str without;

	*server_final = (struct str){"", 0};
	if (s->server_first.len == 0)
		return err_set(err, ERR_BUG, "SCRAM: final message before the first");
	if (client_final.len > SCRAM_MESSAGE_MAX)
		return err_set(err, ERR_PERM, "SCRAM: message over %d octets", SCRAM_MESSAGE_MAX);
	if (final_parse(s, client_final, &without, proof, err) < 0)
		return -1;
	struct str message = auth_message(s->a, s->first_bare, s->server_first, without);
	hmac(s->keys.stored, message, signature);
	for (size_t i = 0; i < SCRAM_HASH; i++)
		proof[i] ^= signature[i];
	SHA256(proof, SCRAM_HASH, hash);
	bool proven = CRYPTO_memcmp(hash, s->keys.stored, SCRAM_HASH) == 0;
	OPENSSL_cleanse(proof, sizeof(proof));
	if (!proven || !s->known)
		return err_set(err, ERR_PERM, "SCRAM: wrong user name or password");
	hmac(s->keys.server, message, signature);
	struct str v = base64_text(s->a, signature, SCRAM_HASH);
	*server_final = str_from(arena_printf(s->a, "v=%.*s", STR_FMT(v)));
	return 0;
}

/* --- client --- */

static struct str saslname_encode(struct arena *a, struct str name)
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
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

void scram_client_start(struct arena *a, struct str user, struct str password, const char *nonce,
	struct scram_client **out, struct str *client_first)
{
	struct scram_client *c = arena_alloc(a, sizeof(*c));
	struct str name = saslname_encode(a, user);
	struct err ignored;

	c->a = a;
	c->user = arena_str(a, user);
	/* A password we would not set ourselves is the other side's business: as it is. */
	if (password_prepare(a, password, &c->password, &ignored) < 0)
		c->password = arena_str(a, password);
	(void)str_copy(c->nonce, sizeof(c->nonce), str_from(nonce));
	struct str first = str_from(arena_printf(a, "n,,n=%.*s,r=%s", STR_FMT(name), c->nonce));
	c->first_bare = str_skip(first, 3);
	*client_first = first;
	*out = c;
}

int scram_client_begin(struct arena *a, struct str user, struct str password,
	struct scram_client **out, struct str *client_first, struct err *err)
{
	char nonce[SCRAM_NONCE_TEXT];

	*out = NULL;
	if (user.len == 0 || user.len > SCRAM_MESSAGE_MAX / 4 || !utf8_valid(user) ||
		memchr(user.p, '\0', user.len) != NULL || password.len == 0 ||
		password.len > SCRAM_MESSAGE_MAX)
		return err_set(err, ERR_PERM, "SCRAM: user name or password cannot be used");
	nonce_make(nonce);
	scram_client_start(a, user, password, nonce, out, client_first);
	return 0;
}

int scram_client_final(
	struct scram_client *c, struct str server_first, struct str *client_final, struct err *err)
{
	struct str rest, nonce, salt_text, iter_text;
	unsigned char salt[SCRAM_SALT_MAX], proof[SCRAM_HASH];
	struct scram_keys keys;
	uint64_t iterations;
	size_t salt_len;

	if (server_first.len > SCRAM_MESSAGE_MAX)
		return err_set(err, ERR_PERM, "SCRAM: message over %d octets", SCRAM_MESSAGE_MAX);
	if (memchr(server_first.p ? server_first.p : "", '\0', server_first.len) != NULL)
		return err_set(err, ERR_PERM, "SCRAM: NUL in the server's message");
	rest = server_first = arena_str(c->a, server_first);
	if (str_starts(rest, STR("m=")))
		return err_set(err, ERR_PERM, "SCRAM: unknown mandatory extension");
	if (!attribute(&rest, 'r', &nonce) || !attribute(&rest, 's', &salt_text) ||
		!attribute(&rest, 'i', &iter_text))
		return err_set(err, ERR_PERM, "SCRAM: the server's first message is malformed");
	if (!nonce_valid(nonce) || !str_starts(nonce, str_from(c->nonce)) ||
		nonce.len == strlen(c->nonce))
		return err_set(err, ERR_PERM, "SCRAM: the server's nonce does not start with ours");
	if (!base64_decode(salt_text, salt, sizeof(salt), &salt_len) || salt_len == 0)
		return err_set(err, ERR_PERM, "SCRAM: the server's salt is malformed");
	if (!str_to_u64(iter_text, SCRAM_ITERATIONS_MAX, &iterations) ||
		iterations < SCRAM_ITERATIONS_MIN)
		return err_set(err, ERR_PERM,
			"SCRAM: the server's iteration count is not in %d..%d",
			SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
	if (scram_keys_derive(c->password, (struct str){(const char *)salt, salt_len},
		    (unsigned)iterations, &keys, err) < 0)
		return -1;

	struct str without = str_from(arena_printf(c->a, "c=biws,r=%.*s", STR_FMT(nonce)));
	struct str message = auth_message(c->a, c->first_bare, server_first, without);
	hmac(keys.stored, message, proof);
	for (size_t i = 0; i < SCRAM_HASH; i++)
		proof[i] ^= keys.client[i];
	hmac(keys.server, message, c->signature);
	OPENSSL_cleanse(&keys, sizeof(keys));
	c->final_made = true;
	struct str p = base64_text(c->a, proof, SCRAM_HASH);
	*client_final = str_from(arena_printf(c->a, "%.*s,p=%.*s", STR_FMT(without), STR_FMT(p)));
	return 0;
}

int scram_client_verify(struct scram_client *c, struct str server_final, struct err *err)
{
	unsigned char signature[SCRAM_HASH];
	struct str rest = server_final, value;
	size_t len;

	if (!c->final_made)
		return err_set(err, ERR_BUG, "SCRAM: no final message was sent");
	if (attribute(&rest, 'e', &value))
		return err_set(err, ERR_PERM, "SCRAM: the server says %.*s",
			(int)(value.len < 100 ? value.len : 100), value.p);
	if (!attribute(&rest, 'v', &value) ||
		!base64_decode(value, signature, sizeof(signature), &len) || len != SCRAM_HASH ||
		CRYPTO_memcmp(signature, c->signature, SCRAM_HASH) != 0)
		return err_set(err, ERR_PERM,
			"SCRAM: the server does not know the password (wrong signature)");
	return 0;
}
