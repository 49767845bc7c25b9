#include "auth/password.h"

#include "base/buf.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <argon2.h>
#include <crypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <uninorm.h>

enum { /* argon2id, RFC 9106; the smaller of the OWASP recommendations */
	ARGON2_KIB = 19 * 1024,
	ARGON2_PASSES = 2,
	ARGON2_LANES = 1,
	ARGON2_SALT = 16,
	ARGON2_HASH = 32,
	ARGON2_TEXT = 256,
	DERIVATIONS_MAX = 2 /* at once: memory and both cores stay usable under a guessing storm */
};

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_cond = PTHREAD_COND_INITIALIZER;
static unsigned gate_inside;

static void gate_enter(void)
{
	pthread_mutex_lock(&gate_lock);
	while (gate_inside == DERIVATIONS_MAX)
		pthread_cond_wait(&gate_cond, &gate_lock);
	gate_inside++;
	pthread_mutex_unlock(&gate_lock);
}

static void gate_leave(void)
{
	pthread_mutex_lock(&gate_lock);
	gate_inside--;
	pthread_cond_signal(&gate_cond);
	pthread_mutex_unlock(&gate_lock);
}

int password_prepare(struct arena *a, struct str password, struct str *prepared, struct err *err)
{
	if (password.len > PASSWORD_MAX)
		return err_set(err, ERR_PERM, "the password is over %d octets long", PASSWORD_MAX);
	if (!utf8_valid(password))
		return err_set(err, ERR_PERM, "the password is not valid UTF-8");
	for (size_t i = 0; i < password.len; i++) {
		unsigned char c = (unsigned char)password.p[i];
		if (c < ' ' || c == 0x7f)
			return err_set(err, ERR_PERM, "the password has a control character");
	}
	size_t len = 0;
	uint8_t *nfc =
		u8_normalize(UNINORM_NFC, (const uint8_t *)password.p, password.len, NULL, &len);
	if (nfc == NULL && password.len > 0)
		return err_set(err, ERR_PERM, "the password cannot be normalized");
	*prepared = arena_str(a, (struct str){(const char *)nfc, len});
	free(nfc);
	return 0;
}

int password_argon2(struct arena *a, struct str password, struct str *encoded, struct err *err)
{
	unsigned char salt[ARGON2_SALT];
	char text[ARGON2_TEXT];

	rand_bytes(salt, sizeof(salt));
	gate_enter();
	int rc = argon2id_hash_encoded(ARGON2_PASSES, ARGON2_KIB, ARGON2_LANES, password.p,
		password.len, salt, sizeof(salt), ARGON2_HASH, text, sizeof(text));
	gate_leave();
	if (rc != ARGON2_OK)
		return err_set(err, ERR_BUG, "argon2: %s", argon2_error_message(rc));
	*encoded = arena_str(a, str_from(text));
	return 0;
}

static bool argon2_matches(struct str password, const char *encoded)
{
	return argon2id_verify(encoded, password.p ? password.p : "", password.len) == ARGON2_OK;
}

/* crypt(3) wants a NUL-terminated phrase: one with a NUL inside never matches. */
static bool crypt_matches(struct str password, const char *encoded)
{
	char phrase[PASSWORD_MAX + 1];
	struct crypt_data *data = calloc(1, sizeof(*data));
	unsigned char differ = 1;

	if (data != NULL && str_copy(phrase, sizeof(phrase), password)) {
		const char *again = crypt_r(phrase, encoded, data);
		if (again != NULL && strlen(again) == strlen(encoded)) {
			differ = 0;
			for (size_t i = 0; encoded[i] != '\0'; i++)
				differ |= (unsigned char)(again[i] ^ encoded[i]);
		}
	}
	free(data);
	return differ == 0;
}

bool password_verify(struct str password, struct str encoded)
{
	/* Of nobody's password: keeps the time of a look-up that found nothing. */
	static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA"
				     "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	char text[ARGON2_TEXT];
	bool usable = encoded.len > 0 && str_copy(text, sizeof(text), encoded);
	bool matches;

	if (password.len > PASSWORD_MAX)
		return false;
	gate_enter();
	if (usable && str_starts(encoded, STR("$argon2id$")))
		matches = argon2_matches(password, text);
	else if (usable && encoded.p[0] == '$')
		matches = crypt_matches(password, text);
	else {
		(void)argon2_matches(password, nobody);
		matches = false;
	}
	gate_leave();
	return matches;
}

const char *password_random(char out[PASSWORD_RANDOM_TEXT])
{
	/* Without the look-alikes 0 O 1 l I. */
	static const char digits[] = "abcdefghijkmnpqrstuvwxyz23456789";

	for (size_t i = 0; i + 1 < PASSWORD_RANDOM_TEXT; i++)
		out[i] = digits[rand_below(sizeof(digits) - 1)];
	out[PASSWORD_RANDOM_TEXT - 1] = '\0';
	return out;
}
