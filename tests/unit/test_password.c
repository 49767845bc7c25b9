#include "tests/unit/unit.h"

#include "auth/scram_nonce.h"
#include "base/buf.h"

#include <crypt.h>

static void argon2_verifies_only_the_password(void **state)
{
	struct arena *a = arena_open();
	struct str encoded;
	struct err err;

	(void)state;
	assert_int_equal(password_argon2(a, STR("correct horse"), &encoded, &err), 0);
	assert_true(str_starts(encoded, STR("$argon2id$")));
	assert_true(password_verify(STR("correct horse"), encoded));
	assert_false(password_verify(STR("correct horsf"), encoded));
	assert_false(password_verify(STR(""), encoded));
	assert_false(password_verify(STR("correct horse"), STR("")));
	assert_false(password_verify(STR("correct horse"), STR("$argon2id$broken")));
	assert_false(password_verify(STR("x"), STR("plain text")));
	arena_close(&a);
}

static void bcrypt_of_the_reference_system_verifies(void **state)
{
	struct crypt_data data = {.initialized = 0};
	const char *hash = crypt_r("moxadmin", "$2b$04$abcdefghijklmnopqrstuu", &data);

	(void)state;
	assert_non_null(hash);
	assert_true(password_verify(STR("moxadmin"), str_from(hash)));
	assert_false(password_verify(STR("moxadmim"), str_from(hash)));
}

static void passwords_are_prepared(void **state)
{
	struct arena *a = arena_open();
	char long_one[PASSWORD_MAX + 2];
	struct str out;
	struct err err;

	(void)state;
	/* "e" with a combining acute accent becomes the one character. */
	assert_int_equal(password_prepare(a, STR("caf\x65\xcc\x81"), &out, &err), 0);
	assert_true(str_eq(out, STR("caf\xc3\xa9")));
	assert_int_equal(password_prepare(a, STR("a\nb"), &out, &err), -1);
	assert_int_equal(password_prepare(a, STR("a\xff"), &out, &err), -1);
	memset(long_one, 'x', sizeof(long_one));
	assert_int_equal(
		password_prepare(a, (struct str){long_one, PASSWORD_MAX + 1}, &out, &err), -1);
	arena_close(&a);
}

/* RFC 7677 section 3: user "user", password "pencil". */
static const char rfc_stored[] =
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

static void scram_follows_the_rfc_vectors(void **state)
{
	struct arena *a = arena_open();
	struct scram_server *s;
	struct scram_client *c;
	struct str user, first, server_first, final, server_final;
	struct err err;

	(void)state;
	assert_int_equal(scram_client_begin_nonce(a, STR("user"), STR("pencil"),
				 STR("rOprNGfwEbeRWgbNEkqO"), &c, &first, &err),
		0);
	assert_true(str_eq(first, STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")));
	assert_int_equal(scram_server_begin(a, first, &s, &user, &err), 0);
	assert_true(str_eq(user, STR("user")));
	assert_int_equal(scram_server_first_nonce(s, str_from(rfc_stored), STR("secret"),
				 STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"), &server_first, &err),
		0);
	assert_true(str_eq(server_first, STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
					     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	assert_int_equal(scram_client_final(c, server_first, &final, &err), 0);
	assert_true(str_eq(final, STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
	assert_int_equal(scram_server_final(s, final, &server_final, &err), 0);
	assert_true(str_eq(server_final, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	assert_int_equal(scram_client_verify(c, server_final, &err), 0);
	assert_int_equal(scram_client_verify(c, STR("v=AAAA"), &err), -1);
	arena_close(&a);
}

/* One exchange of our client with our server. */
static int exchange(struct arena *a, struct str user, struct str password, struct str stored)
{
	struct scram_server *s;
	struct scram_client *c;
	struct str got, first, server_first, final, server_final;
	struct err err;

	assert_int_equal(scram_client_begin(a, user, password, &c, &first, &err), 0);
	assert_int_equal(scram_server_begin(a, first, &s, &got, &err), 0);
	assert_true(str_eq(got, user));
	assert_int_equal(scram_server_first(s, stored, STR("s"), &server_first, &err), 0);
	assert_int_equal(scram_client_final(c, server_first, &final, &err), 0);
	if (scram_server_final(s, final, &server_final, &err) < 0)
		return -1;
	return scram_client_verify(c, server_final, &err);
}

static void scram_exchanges(void **state)
{
	struct arena *a = arena_open();
	struct str stored;
	struct err err;

	(void)state;
	assert_int_equal(password_scram(a, STR("pencil"), &stored, &err), 0);
	assert_int_equal(exchange(a, STR("a=b,c@x.org"), STR("pencil"), stored), 0);
	assert_int_equal(exchange(a, STR("joe"), STR("pencils"), stored), -1);
	assert_int_equal(exchange(a, STR("nobody"), STR("pencil"), STR("")), -1);
	arena_close(&a);
}

static void unknown_users_get_a_steady_salt(void **state)
{
	struct arena *a = arena_open();
	struct scram_server *s;
	struct str user, one, two, first = STR("n,,n=ghost,r=abc");
	struct err err;

	(void)state;
	assert_int_equal(scram_server_begin(a, first, &s, &user, &err), 0);
	assert_int_equal(scram_server_first_nonce(s, STR(""), STR("k"), STR("n"), &one, &err), 0);
	assert_int_equal(scram_server_begin(a, first, &s, &user, &err), 0);
	assert_int_equal(scram_server_first_nonce(s, STR(""), STR("k"), STR("n"), &two, &err), 0);
	assert_true(str_eq(one, two));
	assert_int_equal(scram_server_first_nonce(s, STR(""), STR("j"), STR("n"), &two, &err), 0);
	assert_false(str_eq(one, two));
	arena_close(&a);
}

static void bad_messages_are_refused(void **state)
{
	static const char *const firsts[] = {"", "n", "n,,", "n,,n=", "n,,n=u",
		"n,,n=u,r=", "x,,n=u,r=abc", "p=tls-unique,,n=u,r=abc", "n,a=other,n=u,r=abc",
		"n,,n=u=,r=abc", "n,,n=u=2,r=abc", "n,,r=abc,n=u", "n,,n=u,r=a\tb"};
	static const char *const finals[] = {"", "c=biws", "c=biws,r=abcn",
		"c=biws,r=abcn,p=", "c=biws,r=abcn,p=AAAA",
		"c=biws,r=abcx,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=eSws,r=abcn,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"p=AAAA,c=biws,r=abcn"};
	struct arena *a = arena_open();
	struct scram_server *s;
	struct str user, out;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		print_message("first %zu\n", i);
		assert_int_equal(scram_server_begin(a, str_from(firsts[i]), &s, &user, &err), -1);
	}
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		print_message("final %zu\n", i);
		assert_int_equal(scram_server_begin(a, STR("n,,n=u,r=abc"), &s, &user, &err), 0);
		assert_int_equal(scram_server_first_nonce(
					 s, str_from(rfc_stored), STR(""), STR("n"), &out, &err),
			0);
		assert_int_equal(scram_server_final(s, str_from(finals[i]), &out, &err), -1);
	}
	arena_close(&a);
}

static void random_passwords_differ(void **state)
{
	char one[PASSWORD_RANDOM_TEXT], two[PASSWORD_RANDOM_TEXT];

	(void)state;
	assert_string_not_equal(password_random(one), password_random(two));
	assert_int_equal(strlen(one), PASSWORD_RANDOM_TEXT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(argon2_verifies_only_the_password),
		cmocka_unit_test(bcrypt_of_the_reference_system_verifies),
		cmocka_unit_test(passwords_are_prepared),
		cmocka_unit_test(scram_follows_the_rfc_vectors),
		cmocka_unit_test(scram_exchanges),
		cmocka_unit_test(unknown_users_get_a_steady_salt),
		cmocka_unit_test(bad_messages_are_refused),
		cmocka_unit_test(random_passwords_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
