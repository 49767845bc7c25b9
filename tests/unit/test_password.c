#include "tests/unit/unit.h"

#include "auth/scram_internal.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>

static struct str prepared(struct arena *a, const char *text)
{
	struct str out;
	struct err err;

	assert_int_equal(password_prepare(a, str_from(text), &out, &err), 0);
	return out;
}

static const struct {
	const char *in, *out; /* out NULL: refused */
} prepare_cases[] = {
	{"moxmoxmox", "moxmoxmox"},
	{"Mixed Case ", "Mixed Case "}, /* case and spaces stay */
	{"p\xc3\xa4ssword", "p\xc3\xa4ssword"},
	{"pa\xcc\x88ssword", "p\xc3\xa4ssword"}, /* a + diaeresis composes */
	{"a\xe3\x80\x80"
	 "b",
		"a b"}, /* ideographic space */
	{"a\xc2\xa0"
	 "b",
		"a b"},           /* no-break space */
	{"\xc5\xbf", "\xc5\xbf"}, /* NFC, not NFKC: long s stays */
	{"", NULL},
	{"tab\there", NULL},
	{"nel\xc2\x85", NULL},
	{"del\x7f", NULL},
	{"bad\xff", NULL},
	{"private\xee\x80\x80", NULL},
};

static void preparation(void **state)
{
	struct arena *a = arena_open();
	struct str out;
	struct err err;
	char longest[PASSWORD_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(prepare_cases) / sizeof(prepare_cases[0]); i++) {
		int rc = password_prepare(a, str_from(prepare_cases[i].in), &out, &err);
		print_message("case %zu\n", i);
		assert_int_equal(rc, prepare_cases[i].out ? 0 : -1);
		if (prepare_cases[i].out != NULL)
			assert_true(str_eq(out, str_from(prepare_cases[i].out)));
		else
			assert_int_equal(err.kind, ERR_PERM);
	}
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(password_prepare(a, (struct str){longest, PASSWORD_MAX}, &out, &err), 0);
	assert_int_equal(
		password_prepare(a, (struct str){longest, PASSWORD_MAX + 1}, &out, &err), -1);
	assert_int_equal(password_prepare(a, (struct str){"a\0b", 3}, &out, &err), -1);
	arena_close(&a);
}

static void argon2_and_bcrypt_verify(void **state)
{
	struct arena *a = arena_open();
	struct str encoded, again;
	struct err err;

	(void)state;
	assert_int_equal(password_argon2(a, prepared(a, "moxmoxmox"), &encoded, &err), 0);
	assert_true(str_starts(encoded, STR("$argon2id$v=19$m=19456,t=2,p=1$")));
	assert_int_equal(password_argon2(a, prepared(a, "moxmoxmox"), &again, &err), 0);
	assert_false(str_eq(encoded, again)); /* salted */
	assert_true(password_verify(STR("moxmoxmox"), encoded));
	assert_false(password_verify(STR("moxmoxmoy"), encoded));
	assert_false(password_verify(STR(""), encoded));
	assert_false(password_verify(STR("moxmoxmox"), STR("")));
	assert_false(password_verify(STR("moxmoxmox"), STR("moxmoxmox")));
	assert_false(password_verify(STR("moxmoxmox"), STR("$argon2id$v=19$m=8,t=1,p=1$AAAA")));
	/* Both normal forms log in. */
	assert_int_equal(password_argon2(a, prepared(a, "p\xc3\xa4ssword"), &encoded, &err), 0);
	assert_true(password_verify(STR("pa\xcc\x88ssword"), encoded));

	struct crypt_data data = {.initialized = 0};
	const char *bcrypt = crypt_r("moxadmin", "$2b$05$abcdefghijklmnopqrstuu", &data);
	assert_non_null(bcrypt);
	assert_true(password_verify(STR("moxadmin"), str_from(bcrypt)));
	assert_false(password_verify(STR("moxadmim"), str_from(bcrypt)));
	char line[100];
	snprintf(line, sizeof(line), "$2a%s ", bcrypt + 3); /* as Go writes it, with a blank */
	assert_true(password_verify(STR("moxadmin"), str_from(line)));
	arena_close(&a);
}

static void random_passwords(void **state)
{
	char one[PASSWORD_RANDOM_TEXT], two[PASSWORD_RANDOM_TEXT];

	(void)state;
	assert_int_equal(strlen(password_random(one)), 16);
	assert_string_not_equal(one, password_random(two));
}

/* RFC 7677 section 3 */
static const char rfc_server_first[] =
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

static void scram_client_of_rfc_7677(void **state)
{
	struct arena *a = arena_open();
	struct scram_client *c;
	struct str first, final;
	struct err err;

	(void)state;
	scram_client_start(a, STR("user"), STR("pencil"), "rOprNGfwEbeRWgbNEkqO", &c, &first);
	assert_true(str_eq(first, STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")));
	assert_int_equal(scram_client_final(c, str_from(rfc_server_first), &final, &err), 0);
	assert_true(str_eq(final, STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
	assert_int_equal(
		scram_client_verify(c, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &err),
		0);
	assert_int_equal(
		scram_client_verify(c, STR("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &err),
		-1);
	assert_int_equal(scram_client_verify(c, STR("e=unknown-user"), &err), -1);
	assert_non_null(strstr(err.text, "unknown-user"));
	arena_close(&a);
}

static struct str rfc_stored(struct arena *a)
{
	static const unsigned char salt[] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec,
		0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
	struct str s = {(const char *)salt, sizeof(salt)};
	struct scram_keys keys;
	struct err err;

	assert_int_equal(scram_keys_derive(STR("pencil"), s, 4096, &keys, &err), 0);
	struct str stored = scram_encode(a, s, 4096, &keys);
	assert_true(str_eq(stored,
		STR("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXk"
		    "uLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")));
	return stored;
}

static void scram_server_of_rfc_7677(void **state)
{
	struct arena *a = arena_open();
	struct scram_server *s;
	struct str user, first, final;
	struct err err;

	(void)state;
	assert_int_equal(
		scram_server_begin(a, STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &s, &user, &err), 0);
	assert_true(str_eq(user, STR("user")));
	assert_true(str_copy(s->nonce, sizeof(s->nonce), STR("%hvYDpWUa2RaTCAfuxFIlj)h")));
	assert_int_equal(scram_server_first(s, rfc_stored(a), STR("secret"), &first, &err), 0);
	/* Our nonce is a little shorter than the RFC's; the rest is as there. */
	assert_true(str_eq(first, STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)h,"
				      "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	/* With the RFC's whole nonce and messages, its proof and its answer. */
	s->nonce[0] = '\0';
	s->client_nonce = STR("rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	s->server_first = str_from(rfc_server_first);
	assert_int_equal(scram_server_final(s,
				 STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
				 &final, &err),
		0);
	assert_true(str_eq(final, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	arena_close(&a);
}

/* A whole exchange; true when both sides are content. */
static bool exchange(struct arena *a, const char *user, const char *password, struct str stored)
{
	struct scram_client *c;
	struct scram_server *s;
	struct str first, server_first, final, server_final, name;
	struct err err;

	assert_int_equal(
		scram_client_begin(a, str_from(user), str_from(password), &c, &first, &err), 0);
	assert_int_equal(scram_server_begin(a, first, &s, &name, &err), 0);
	assert_true(str_eq(name, str_from(user)));
	assert_int_equal(scram_server_first(s, stored, STR("secret"), &server_first, &err), 0);
	assert_int_equal(scram_client_final(c, server_first, &final, &err), 0);
	if (scram_server_final(s, final, &server_final, &err) < 0) {
		assert_int_equal(err.kind, ERR_PERM);
		return false;
	}
	return scram_client_verify(c, server_final, &err) == 0;
}

static void scram_exchanges(void **state)
{
	struct arena *a = arena_open();
	struct str stored;
	struct err err;

	(void)state;
	assert_int_equal(password_scram(a, prepared(a, "p\xc3\xa4ssword"), &stored, &err), 0);
	assert_true(str_starts(stored, STR("SCRAM-SHA-256$15000:")));
	assert_true(exchange(a, "a,b=c@example.org", "pa\xcc\x88ssword", stored));
	assert_false(exchange(a, "user", "wrong", stored));
	assert_false(exchange(a, "user", "anything", STR("")));
	assert_false(exchange(a, "user", "anything", STR("SCRAM-SHA-256$4096:!!$x:y")));
	arena_close(&a);
}

static void unknown_users_look_known(void **state)
{
	struct arena *a = arena_open();
	struct str salt[4];
	static const struct {
		const char *first, *secret;
	} asks[] = {{"n,,n=nobody,r=abc", "s1"}, {"y,,n=Nobody,r=def", "s1"},
		{"n,,n=other,r=abc", "s1"}, {"n,,n=nobody,r=abc", "s2"}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct scram_server *s;
		struct str user, first, head, tail;
		struct err err;
		assert_int_equal(
			scram_server_begin(a, str_from(asks[i].first), &s, &user, &err), 0);
		assert_int_equal(
			scram_server_first(s, STR(""), str_from(asks[i].secret), &first, &err), 0);
		assert_true(str_split(first, ',', &head, &tail));
		salt[i] = tail;
		assert_true(str_starts(tail, STR("s=")));
		assert_true(str_ends(tail, STR(",i=15000")));
		assert_int_equal(tail.len, strlen("s=W22ZaJ0SNY7soEsUEjb6gQ==,i=15000"));
	}
	assert_true(str_eq(salt[0], salt[1]));
	assert_false(str_eq(salt[0], salt[2]));
	assert_false(str_eq(salt[0], salt[3]));
	arena_close(&a);
}

static const struct {
	const char *message, *words;
} first_cases[] = {
	{"", "GS2"},
	{"n=user,r=abc", "GS2"},
	{"p=tls-unique,,n=user,r=abc", "channel binding is not offered"},
	{"x,,n=user,r=abc", "channel binding flag"},
	{"n,a=boss,n=user,r=abc", "another user"},
	{"n,boss,n=user,r=abc", "authorization name"},
	{"n,,m=ext,n=user,r=abc", "mandatory extension"},
	{"n,,r=abc,n=user", "lacks"},
	{"n,,n=user", "lacks"},
	{"n,,n=,r=abc", "empty"},
	{"n,,n=a=2cb,r=abc", "\"=\""},
	{"n,,n=a=,r=abc", "\"=\""},
	{"n,,n=a\xff,r=abc", "UTF-8"},
	{"n,,n=a\nb,r=abc", "control"},
	{"n,,n=user,r=", "nonce"},
	{"n,,n=user,r=a b", "nonce"},
};

static void bad_first_messages(void **state)
{
	struct arena *a = arena_open();
	struct scram_server *s;
	struct str user;
	struct err err;
	char longest[SCRAM_MESSAGE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(first_cases) / sizeof(first_cases[0]); i++) {
		print_message("case %zu: %s\n", i, first_cases[i].message);
		assert_int_equal(
			scram_server_begin(a, str_from(first_cases[i].message), &s, &user, &err),
			-1);
		assert_int_equal(err.kind, ERR_PERM);
		assert_non_null(strstr(err.text, first_cases[i].words));
		assert_null(s);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "n,,n=user,r=", 12);
	assert_int_equal(
		scram_server_begin(a, (struct str){longest, sizeof(longest)}, &s, &user, &err), -1);
	assert_int_equal(
		scram_server_begin(a, (struct str){longest, 12 + SCRAM_NONCE_MAX}, &s, &user, &err),
		-1);
	assert_int_equal(
		scram_server_begin(a, STR("n,a=user,n=user,r=abc,x=y"), &s, &user, &err), 0);
	arena_close(&a);
}

static const char *const final_cases[] = {
	"",
	"c=biws",
	"c=biws,r=%s",
	"r=%s,c=biws,p=AAAA",
	"c=eSws,r=%s,p=%s",
	"c=!!!!,r=%s,p=%s",
	"c=biws,r=x%s,p=%s",
	"c=biws,r=%s,p=AAAA",
	"c=biws,r=%s,p=",
	"c=biws,r=%sx,p=%s",
	"c=biws,r=%s,p=%s,x=y",
	"c=biws,r=%s,p=%s",
};

static void bad_final_messages(void **state)
{
	struct arena *a = arena_open();
	static const char zeros[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

	(void)state;
	for (size_t i = 0; i < sizeof(final_cases) / sizeof(final_cases[0]); i++) {
		struct scram_server *s;
		struct str user, first, out;
		struct err err;
		struct str text = str_from(final_cases[i]);
		char message[300] = "", nonce[100];
		int filled = 0;
		print_message("case %zu: %s\n", i, final_cases[i]);
		assert_int_equal(scram_server_begin(a, STR("n,,n=user,r=abc"), &s, &user, &err), 0);
		assert_int_equal(scram_server_first(s, rfc_stored(a), STR("x"), &first, &err), 0);
		snprintf(nonce, sizeof(nonce), "abc%s", s->nonce);
		for (size_t k = 0; k < text.len; k++) {
			size_t at = strlen(message);
			if (text.p[k] == '%') {
				snprintf(message + at, sizeof(message) - at, "%s",
					filled++ == 0 ? nonce : zeros);
				k++;
			} else {
				message[at] = text.p[k];
			}
		}
		assert_int_equal(scram_server_final(s, str_from(message), &out, &err), -1);
		assert_int_equal(err.kind, ERR_PERM);
		assert_int_equal(out.len, 0);
	}
	arena_close(&a);
}

static const char *const server_first_cases[] = {
	"",
	"r=",
	"m=x,r=abcd,s=AAAA,i=4096",
	"r=other,s=AAAA,i=4096",
	"r=abc,s=AAAA,i=4096",
	"r=abcd,s=,i=4096",
	"r=abcd,s=A,i=4096",
	"r=abcd,s=AAAA,i=4095",
	"r=abcd,s=AAAA,i=1000001",
	"r=abcd,s=AAAA,i=-1",
	"r=abcd,s=AAAA",
	"r=abcd,i=4096,s=AAAA",
};

static void bad_server_messages(void **state)
{
	struct arena *a = arena_open();
	struct scram_client *c;
	struct str first, final;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(server_first_cases) / sizeof(server_first_cases[0]); i++) {
		print_message("case %zu: %s\n", i, server_first_cases[i]);
		scram_client_start(a, STR("u"), STR("p"), "abc", &c, &first);
		assert_int_equal(
			scram_client_final(c, str_from(server_first_cases[i]), &final, &err), -1);
		assert_int_equal(err.kind, ERR_PERM);
		assert_int_equal(scram_client_verify(c, STR("v=AAAA"), &err), -1);
	}
	arena_close(&a);
}

static void *verify_many(void *arg)
{
	for (int i = 0; i < 3; i++)
		assert_true(password_verify(STR("moxmoxmox"), *(struct str *)arg));
	return NULL;
}

static void threads_take_turns(void **state)
{
	struct arena *a = arena_open();
	struct str encoded;
	struct err err;
	pthread_t threads[6];

	(void)state;
	assert_int_equal(password_argon2(a, STR("moxmoxmox"), &encoded, &err), 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &encoded), 0);
	for (size_t i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preparation),
		cmocka_unit_test(argon2_and_bcrypt_verify),
		cmocka_unit_test(random_passwords),
		cmocka_unit_test(scram_client_of_rfc_7677),
		cmocka_unit_test(scram_server_of_rfc_7677),
		cmocka_unit_test(scram_exchanges),
		cmocka_unit_test(unknown_users_look_known),
		cmocka_unit_test(bad_first_messages),
		cmocka_unit_test(bad_final_messages),
		cmocka_unit_test(bad_server_messages),
		cmocka_unit_test(threads_take_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
