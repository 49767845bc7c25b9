/* AUTH (RFC 4954): SCRAM-SHA-256, and PLAIN under TLS. */
#include "smtp/internal.h"

#include "auth/password.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/utf8.h"

#include <openssl/evp.h>

enum { AUTH_LINE_MAX = 12288 }; /* RFC 4954 section 4: octets of base64 in one line */

static bool decode(struct arena *a, struct str text, struct str *out)
{
	if (text.len == 0 || str_eq(text, STR("="))) {
		*out = STR("");
		return true;
	}
	if (text.len % 4 != 0 || text.len > AUTH_LINE_MAX)
		return false;
	unsigned char *p = arena_alloc(a, text.len);
	int n = EVP_DecodeBlock(p, (const unsigned char *)text.p, (int)text.len);
	if (n < 0)
		return false;
	size_t len = (size_t)n;
	if (text.p[text.len - 1] == '=')
		len--;
	if (text.p[text.len - 2] == '=')
		len--;
	*out = (struct str){(const char *)p, len};
	return true;
}

/* Sends a challenge and reads the answer; false when the exchange is over. */
static bool exchange(struct session *s, struct str challenge, struct str *answer)
{
	struct buf b = {NULL, 0, 0};
	struct str line;

	buf_base64(&b, challenge.p, challenge.len);
	session_reply(s, 334, NULL, "%s", b.p ? b.p : "");
	buf_free(&b);
	if (!session_line(s, &line))
		return false;
	if (str_eq(line, STR("*"))) {
		session_refuse(s, 501, "5.7.0", "Authentication cancelled");
		return false;
	}
	if (!decode(s->arena, line, answer)) {
		session_refuse(s, 501, "5.5.2", "Bad base64");
		return false;
	}
	return true;
}

/* The account that a login name belongs to: its own name or one of its addresses. Gives an
 * empty account (id 0) for a name nobody has. */
static int account_find(
	struct session *s, struct str user, struct store_account *account, struct err *err)
{
	struct message_address addr;
	struct rcpt_target *t = arena_alloc(s->arena, sizeof(*t));
	struct err ignored;

	*account = (struct store_account){.id = 0};
	int rc = store_account_find(s->deps->store, user, s->arena, account, err);
	if (rc != 0)
		return rc;
	*account = (struct store_account){.id = 0};
	if (message_address_parse(s->arena, user, &addr, &ignored) < 0)
		return 0;
	if (rcpt_resolve(s->deps->store, s->config, &addr, s->arena, t, err) < 0)
		return err->kind == ERR_PERM ? 0 : -1;
	if (t->verdict == RCPT_MAILBOX && t->entry.localpart.len > 0)
		*account = t->account;
	return 0;
}

static void succeed(struct session *s, const struct store_account *account, const char *mechanism)
{
	char ip[IP_TEXT];

	s->account = mem_alloc(account->name.len + 1);
	memcpy(s->account, account->name.p, account->name.len);
	log_event(LOG_LEVEL_INFO, "smtp.auth", "session", s->id, "ip", ip_text(&s->peer, ip),
		"account", s->account, "mechanism", mechanism, NULL);
	metric_inc(METRIC_AUTH, METRIC_AUTH_SMTP, METRIC_AUTH_OK);
	session_reply(s, 235, "2.7.0", "Authenticated");
}

static void fail(struct session *s, struct str user, const char *mechanism)
{
	char ip[IP_TEXT];

	s->auth_failures++;
	metric_inc(METRIC_AUTH, METRIC_AUTH_SMTP, METRIC_AUTH_FAILED);
	smtp_limits_auth_failed(s->deps->limits, &s->peer, clock_mono_ms());
	log_event(LOG_LEVEL_WARN, "smtp.auth_failed", "session", s->id, "ip", ip_text(&s->peer, ip),
		"user", arena_strdup(s->arena, user), "mechanism", mechanism, NULL);
	if (s->auth_failures > s->limits->auth_delay_after && !s->config->localserve)
		conn_pause(
			s->conn, (int64_t)(s->auth_failures - s->limits->auth_delay_after) * 1000);
	session_refuse(s, 535, "5.7.8", "Wrong user name or password");
	if (!smtp_limits_auth_allowed(s->deps->limits, s->limits, &s->peer, clock_mono_ms())) {
		session_reply(s, 421, "4.7.0", "%s Too many failed logins from your network",
			s->listener->hostname);
		session_flush(s);
		s->over = true;
	}
}

/* authzid NUL authcid NUL password, RFC 4616. */
static void plain(struct session *s, struct str message)
{
	struct str authzid, rest, user, password, prepared;
	struct store_account account;
	struct err err;

	if (!str_split(message, '\0', &authzid, &rest) ||
		!str_split(rest, '\0', &user, &password) || user.len == 0 || !utf8_valid(user) ||
		(password.len > 0 && memchr(password.p, '\0', password.len) != NULL)) {
		session_refuse(s, 501, "5.5.2", "Bad PLAIN message");
		return;
	}
	if (authzid.len > 0 && !str_eq(authzid, user)) {
		session_refuse(s, 535, "5.7.8", "Acting as somebody else is not possible");
		return;
	}
	if (account_find(s, user, &account, &err) < 0) {
		session_refuse(s, 454, "4.7.0", "Temporary authentication failure");
		return;
	}
	if (password_prepare(s->arena, password, &prepared, &err) < 0)
		prepared = STR("");
	bool good = password_verify(prepared, account.argon2);
	if (good && account.id != 0 && !account.disabled)
		succeed(s, &account, "PLAIN");
	else
		fail(s, user, "PLAIN");
}

/* A secret of this installation, for the salts of users who do not exist. */
static struct str salt_secret(struct session *s)
{
	unsigned char bytes[32];
	struct buf b = {NULL, 0, 0};
	struct str secret;
	struct err err;

	if (store_setting_get(s->deps->store, "scram_secret", s->arena, &secret, &err) == 1)
		return secret;
	rand_bytes(bytes, sizeof(bytes));
	buf_hex(&b, bytes, sizeof(bytes));
	secret = arena_str(s->arena, buf_str(&b));
	buf_free(&b);
	/* When it cannot be kept, the next one differs: no harm but a hint to a prober. */
	(void)!store_setting_put(s->deps->store, "scram_secret", secret, &err);
	return secret;
}

static void scram(struct session *s, struct str client_first)
{
	struct scram_server *server;
	struct store_account account;
	struct str user, first, client_final, final, empty;
	struct err err;

	if (scram_server_begin(s->arena, client_first, &server, &user, &err) < 0) {
		session_refuse(s, 501, "5.5.2", "%s", err.text);
		return;
	}
	if (account_find(s, user, &account, &err) < 0 ||
		scram_server_first(server, account.disabled ? STR("") : account.scram,
			salt_secret(s), &first, &err) < 0) {
		session_refuse(s, 454, "4.7.0", "Temporary authentication failure");
		return;
	}
	if (!exchange(s, first, &client_final))
		return;
	if (scram_server_final(server, client_final, &final, &err) < 0) {
		fail(s, user, "SCRAM-SHA-256");
		return;
	}
	/* The server's proof goes as a challenge, answered by an empty line. */
	if (exchange(s, final, &empty))
		succeed(s, &account, "SCRAM-SHA-256");
}

static bool auth_allowed(struct session *s)
{
	if (!session_is_submission(s))
		session_refuse(s, 503, "5.5.1", "Authentication is not offered on this port");
	else if (s->account != NULL || s->env.open)
		session_refuse(s, 503, "5.5.1",
			s->account ? "You are authenticated already" : "Not in a transaction");
	else if (s->tls == NULL && !s->listener->submission_no_require_starttls)
		session_refuse(s, 538, "5.7.11", "Say STARTTLS first");
	else
		return true;
	return false;
}

void session_auth(struct session *s, const struct smtp_command *c)
{
	struct str mechanism = c->arg, initial = {NULL, 0}, message;

	if (!auth_allowed(s))
		return;
	str_split(c->arg, ' ', &mechanism, &initial);
	bool is_plain = str_eq_nocase(mechanism, STR("PLAIN"));
	if (!is_plain && !str_eq_nocase(mechanism, STR("SCRAM-SHA-256"))) {
		session_refuse(s, 504, "5.5.4", "Mechanism not supported");
		return;
	}
	if (is_plain && s->tls == NULL) {
		session_refuse(s, 538, "5.7.11", "PLAIN needs TLS");
		return;
	}
	initial = arena_str(s->arena, str_trim(initial));
	if (initial.len == 0) {
		if (!exchange(s, STR(""), &message))
			return;
	} else if (!decode(s->arena, initial, &message)) {
		session_refuse(s, 501, "5.5.2", "Bad base64");
		return;
	}
	if (is_plain)
		plain(s, message);
	else
		scram(s, message);
}
