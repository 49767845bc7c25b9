#include "auth/password.h"

#include "auth/scram_internal.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

/* OWASP's lowest recommendation for argon2id; one derivation takes about 20 ms. */
enum {
	ARGON2_MEMORY_KIB = 19 * 1024,
	ARGON2_PASSES = 2,
	ARGON2_LANES = 1,
	ARGON2_SALT = 16,
	ARGON2_HASH = 32,
	ARGON2_TEXT_MAX = 200,
	DERIVATIONS_MAX = 2
};

/* --- two at once: memory and processor time stay bounded whoever tries to log in. This
 * is one limit for the process, so it lives here and not in an object. --- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_free = PTHREAD_COND_INITIALIZER;
static int gate_running;

static void gate_enter(void)
{
	pthread_mutex_lock(&gate_lock);
	while (gate_running >= DERIVATIONS_MAX)
		pthread_cond_wait(&gate_free, &gate_lock);
	gate_running++;
	pthread_mutex_unlock(&gate_lock);
}

static void gate_leave(void)
{
	pthread_mutex_lock(&gate_lock);
	gate_running--;
	pthread_cond_signal(&gate_free);
	pthread_mutex_unlock(&gate_lock);
}

/* --- preparation: RFC 8265 section 4.2.2 --- */

static int characters_check(struct str text, struct err *err)
{
	const uint8_t *p = (const uint8_t *)text.p;

	for (size_t at = 0; at < text.len;) {
		ucs4_t c;
		at += (size_t)u8_mbtouc(&c, p + at, text.len - at);
		if (uc_is_general_category(c, UC_CONTROL))
			return err_set(err, ERR_PERM, "password: control character");
		if (uc_is_general_category(c, UC_UNASSIGNED) || c == 0xfffd ||
			uc_is_general_category(c, UC_PRIVATE_USE))
			return err_set(err, ERR_PERM, "password: character U+%04X is not allowed",
				(unsigned)c);
	}
	return 0;
}

/* Spaces other than ASCII's become that. out has room for as many octets as text. */
static size_t spaces_map(struct str text, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)text.p;
	size_t len = 0;

	for (size_t at = 0; at < text.len;) {
		ucs4_t c;
		int n = u8_mbtouc(&c, p + at, text.len - at);
		if (c > 0x7f && uc_is_general_category(c, UC_SPACE_SEPARATOR)) {
			out[len++] = ' ';
		} else {
			memcpy(out + len, p + at, (size_t)n);
			len += (size_t)n;
		}
		at += (size_t)n;
	}
	return len;
}

int password_prepare(struct arena *a, struct str password, struct str *prepared, struct err *err)
{
	uint8_t mapped[PASSWORD_MAX];

	*prepared = (struct str){"", 0};
	if (password.len == 0)
		return err_set(err, ERR_PERM, "password: empty");
	if (password.len > PASSWORD_MAX)
		return err_set(err, ERR_PERM, "password: over %d octets", PASSWORD_MAX);
	if (!utf8_valid(password))
		return err_set(err, ERR_PERM, "password: not UTF-8");
	if (characters_check(password, err) < 0)
		return -1;
	size_t len = spaces_map(password, mapped);
	size_t normal_len = 0;
	uint8_t *normal = u8_normalize(UNINORM_NFC, mapped, len, NULL, &normal_len);
	OPENSSL_cleanse(mapped, sizeof(mapped));
	if (normal == NULL)
		return err_set(err, ERR_BUG, "password: cannot be normalised");
	if (normal_len > PASSWORD_MAX) /* a few characters have longer composed forms */
		err_set(err, ERR_PERM, "password: over %d octets", PASSWORD_MAX);
	else
		*prepared = arena_str(a, (struct str){(const char *)normal, normal_len});
	OPENSSL_cleanse(normal, normal_len);
	free(normal);
	return prepared->len > 0 ? 0 : -1;
}

/* --- argon2id and bcrypt --- */

static int argon2_encode(struct str password, char out[ARGON2_TEXT_MAX])
{
	unsigned char salt[ARGON2_SALT];

	rand_bytes(salt, sizeof(salt));
	gate_enter();
	int rc = argon2id_hash_encoded(ARGON2_PASSES, ARGON2_MEMORY_KIB, ARGON2_LANES, password.p,
		password.len, salt, sizeof(salt), ARGON2_HASH, out, ARGON2_TEXT_MAX);
	gate_leave();
	return rc;
}

int password_argon2(struct arena *a, struct str password, struct str *encoded, struct err *err)
{
	char text[ARGON2_TEXT_MAX];
	struct str prepared;

	*encoded = (struct str){"", 0};
	if (password_prepare(a, password, &prepared, err) < 0)
		return -1;
	int rc = argon2_encode(prepared, text);
	if (rc != ARGON2_OK)
		return err_set(err, ERR_TEMP, "password: argon2id: %s", argon2_error_message(rc));
	*encoded = arena_str(a, str_from(text));
	return 0;
}

static bool argon2_matches(struct str password, const char *encoded)
{
	gate_enter();
	int rc = argon2id_verify(encoded, password.p, password.len);
	gate_leave();
	return rc == ARGON2_OK;
}

/* crypt(3) reads NUL-terminated text; prepared passwords have no NUL inside. */
static bool bcrypt_matches(struct str password, const char *encoded)
{
	struct crypt_data *data = calloc(1, sizeof(*data)); /* 32 KiB: not on a session's stack */
	char text[PASSWORD_MAX + 1];
	bool same = false;

	if (data != NULL && str_copy(text, sizeof(text), password)) {
		gate_enter();
		const char *got = crypt_r(text, encoded, data);
		gate_leave();
		same = got != NULL && strlen(got) == strlen(encoded) &&
		       CRYPTO_memcmp(got, encoded, strlen(got)) == 0;
	}
	OPENSSL_cleanse(text, sizeof(text));
	free(data);
	return same;
}

static bool verify_prepared(struct str password, struct str encoded)
{
	char text[ARGON2_TEXT_MAX], spent[ARGON2_TEXT_MAX];

	encoded = str_trim(encoded);
	if (str_copy(text, sizeof(text), encoded)) {
		if (str_starts(encoded, STR("$argon2id$")))
			return argon2_matches(password, text);
		if (str_starts(encoded, STR("$2a$")) || str_starts(encoded, STR("$2b$")) ||
			str_starts(encoded, STR("$2y$")))
			return bcrypt_matches(password, text);
	}
	/* The time is spent all the same: it must not tell who exists. */
	(void)argon2_encode(password, spent);
	return false;
}

bool password_verify(struct str password, struct str encoded)
{
	struct arena *a = arena_open();
	struct str prepared;
	struct err ignored;
	bool ok = password_prepare(a, password, &prepared, &ignored) == 0;

	/* One that cannot be prepared is nobody's, but takes as long. */
	ok = verify_prepared(ok ? prepared : STR("?"), ok ? encoded : STR(""));
	arena_close(&a);
	return ok;
}

int password_scram(struct arena *a, struct str password, struct str *encoded, struct err *err)
{
	unsigned char salt[SCRAM_SALT];
	struct scram_keys keys;
	struct str prepared;

	*encoded = (struct str){"", 0};
	if (password_prepare(a, password, &prepared, err) < 0)
		return -1;
	rand_bytes(salt, sizeof(salt));
	gate_enter();
	int rc = scram_keys_derive(prepared, (struct str){(const char *)salt, sizeof(salt)},
		SCRAM_ITERATIONS, &keys, err);
	gate_leave();
	if (rc < 0)
		return -1;
	*encoded = scram_encode(
		a, (struct str){(const char *)salt, sizeof(salt)}, SCRAM_ITERATIONS, &keys);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return 0;
}

const char *password_random(char out[PASSWORD_RANDOM_TEXT])
{
	static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* no i, l, o, u */

	for (size_t i = 0; i + 1 < PASSWORD_RANDOM_TEXT; i++)
		out[i] = letters[rand_below(sizeof(letters) - 1)];
	out[PASSWORD_RANDOM_TEXT - 1] = '\0';
	return out;
}
