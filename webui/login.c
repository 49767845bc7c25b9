#include "webui/login.h"

#include "auth/password.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/rand.h"
#include "policy/admin.h"
#include "webui/kept.h"
#include "webui/pages.h"
#include "webui/router.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { PASSWORD_FILE_MAX = 512 };

/* --- cookies --- */

/* A __Host- cookie cannot be set or shadowed by another host of the domain, but needs
 * HTTPS and the root path. */
static const char *cookie_name(const struct page *p)
{
	return p->https ? "__Host-mox" : "mox-session";
}

static const char *form_cookie_name(const struct page *p)
{
	return p->https ? "__Host-mox-login" : "mox-login";
}

/* max_age_s 0 removes the cookie. */
static void cookie_set(struct page *p, const char *name, const char *value, int max_age_s)
{
	page_header(p, "Set-Cookie",
		arena_printf(p->arena, "%s=%s; Path=%s; Max-Age=%d; HttpOnly; SameSite=Strict%s",
			name, value, p->https ? "/" : p->base, max_age_s,
			p->https ? "; Secure" : ""));
}

struct str login_cookie_find(const char *header, const char *name)
{
	struct str rest = str_from(header), piece, key, value;

	while (str_next(&rest, ';', &piece)) {
		if (str_split(str_trim(piece), '=', &key, &value) && str_eq(key, str_from(name)))
			return value;
	}
	return STR("");
}

static void hex(const unsigned char *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * len] = '\0';
}

static void token_new(char out[LOGIN_TOKEN_TEXT])
{
	unsigned char bytes[32];

	rand_bytes(bytes, sizeof(bytes));
	hex(bytes, sizeof(bytes), out);
}

static bool token_equal(struct str a, struct str b)
{
	return a.len == b.len && a.len > 0 && CRYPTO_memcmp(a.p, b.p, a.len) == 0;
}

static int token_hash(struct str token, char out[65], struct err *err)
{
	unsigned char digest[32];
	unsigned len = 0;

	if (EVP_Digest(token.p, token.len, digest, &len, EVP_sha256(), NULL) != 1)
		return err_set(err, ERR_BUG, "SHA-256 failed");
	hex(digest, sizeof(digest), out);
	return 0;
}

/* --- sessions --- */

bool login_session_load(struct page *p)
{
	struct str token = login_cookie_find(p->cookie, cookie_name(p));
	char hash[65];
	struct err err;
	int64_t now_s = clock_unix_s();

	if (p->logged_in)
		return true;
	if (token.len != LOGIN_TOKEN_TEXT - 1)
		return false;
	int rc = token_hash(token, hash, &err);
	if (rc == 0)
		rc = store_web_session_find(p->gateway->store, hash, now_s, &p->session, &err);
	if (rc == 1 && now_s - p->session.used_s >= LOGIN_TOUCH_S) {
		if (store_web_session_touch(
			    p->gateway->store, hash, now_s, now_s + LOGIN_SESSION_S, &err) < 0)
			log_event(LOG_LEVEL_WARN, "web.session", "error", err.text, NULL);
		char *value = arena_strdup(p->arena, token);
		cookie_set(p, cookie_name(p), value, LOGIN_SESSION_S);
	}
	if (rc < 0)
		log_event(LOG_LEVEL_ERROR, "web.session", "error", err.text, NULL);
	p->logged_in = rc == 1;
	return p->logged_in;
}

bool login_csrf_check(const struct page *p)
{
	return token_equal(urlform_get(&p->form, "csrf"), str_from(p->session.csrf));
}

/* A new session with a new token: one that somebody planted before never becomes valid. */
static int session_open(struct page *p, char hash[65], struct err *err)
{
	struct store_web_session s = {.created_s = clock_unix_s()};
	unsigned char csrf[16];
	char token[LOGIN_TOKEN_TEXT], ip[IP_TEXT];

	token_new(token);
	if (token_hash(str_from(token), s.token_hash, err) < 0)
		return -1;
	rand_bytes(csrf, sizeof(csrf));
	hex(csrf, sizeof(csrf), s.csrf);
	s.used_s = s.created_s;
	s.expires_s = s.created_s + LOGIN_SESSION_S;
	snprintf(s.ip, sizeof(s.ip), "%s", ip_text(&p->peer, ip));
	if (store_web_session_add(p->gateway->store, &s, err) < 0)
		return -1;
	memcpy(hash, s.token_hash, sizeof(s.token_hash));
	cookie_set(p, cookie_name(p), token, LOGIN_SESSION_S);
	return 0;
}

int login_sessions_renew(struct page *p, struct err *err)
{
	char hash[65];

	if (store_web_session_clear(p->gateway->store, err) < 0)
		return -1;
	return session_open(p, hash, err);
}

/* --- the password --- */

/* The setting, else the file of the reference system. 1, 0 none set, -1. */
static int password_stored(struct page *p, struct str *stored, struct err *err)
{
	int rc = store_setting_get(p->gateway->store, "admin_password", p->arena, stored, err);

	if (rc != 0 || p->config->admin_password_file == NULL)
		return rc == 1 && stored->len == 0 ? 0 : rc;
	char line[PASSWORD_FILE_MAX];
	FILE *f = fopen(p->config->admin_password_file, "re");
	if (f == NULL)
		return err_set(err, ERR_PERM, "%s cannot be read", p->config->admin_password_file);
	size_t n = fread(line, 1, sizeof(line), f);
	fclose(f);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r' || line[n - 1] == ' '))
		n--;
	*stored = arena_str(p->arena, (struct str){line, n});
	return n > 0;
}

static void attempt_log(const struct page *p, const char *result)
{
	char ip[IP_TEXT];

	log_event(LOG_LEVEL_INFO, "web.login", "result", result, "ip", ip_text(&p->peer, ip),
		"agent", p->user_agent, "https", p->https ? "yes" : "no", NULL);
}

/* --- pages --- */

/* The form, with a fresh token in cookie and field: another site cannot post it. */
static void form_show(struct page *p, int status, const char *problem)
{
	struct str stored,
		next = urlform_get(p->method == PAGE_POST ? &p->form : &p->query, "next");
	char token[LOGIN_TOKEN_TEXT];
	struct err err;

	int rc = password_stored(p, &stored, &err);
	if (rc < 0) {
		page_failed(p, &err);
		return;
	}
	token_new(token);
	cookie_set(p, form_cookie_name(p), token, 3600);
	tval_set_text(p->arena, p->view, "token", token);
	tval_set_str(p->arena, p->view, "next", next);
	if (p->method == PAGE_POST && !tval_truth(tval_get(p->view, STR("kept"))))
		tval_set_str(p->arena, p->view, "kept", urlform_get(&p->form, "kept"));
	tval_set_flag(p->arena, p->view, "no_password", rc == 0);
	tval_set_text(p->arena, p->view, "problem", problem);
	tval_set_flag(p->arena, p->view, "ended", urlform_has(&p->query, "ended"));
	tval_set_flag(p->arena, p->view, "out", urlform_has(&p->query, "out"));
	page_render(p, status, "login", "Log in");
}

void login_ask(struct page *p, struct str below, struct str kept)
{
	struct urlform_field *next = arena_alloc(p->arena, sizeof(*next));

	*next = (struct urlform_field){STR("next"), below};
	p->form = (struct urlform){next, 1};
	tval_set_str(p->arena, p->view, "kept", kept);
	form_show(p, 401, "");
}

void page_login(struct page *p)
{
	if (p->logged_in)
		page_redirect(p, "%s", "");
	else
		form_show(p, 200, "");
}

/* Back to where the visitor wanted to go, if that is one of our pages. */
static void next_redirect(struct page *p, const char *token_hash)
{
	struct str next = urlform_get(&p->form, "next"), params[PAGE_PARAMS_MAX];
	const struct route *r;

	if (next.len > 200 || router_find(PAGE_GET, next, params, &r) != ROUTE_FOUND)
		next = STR("");
	for (size_t i = 0; i < next.len; i++) {
		if (!ascii_is_alnum(next.p[i]) && next.p[i] != '/')
			next = STR("");
	}
	struct str kept = urlform_get(&p->form, "kept");
	if (kept.len > 0 && next.len > 0)
		kept_put(p, token_hash, next, kept);
	page_redirect(p, "%.*s%s", STR_FMT(next), kept.len > 0 && next.len > 0 ? "?kept=1" : "");
}

static void password_check(struct page *p)
{
	struct str stored = STR(""), given = urlform_get(&p->form, "password"), prepared;
	struct err err;

	int rc = password_stored(p, &stored, &err);
	if (rc < 0) {
		page_failed(p, &err);
		return;
	}
	bool fits = given.len <= PASSWORD_MAX &&
		    password_prepare(p->arena, given, &prepared, &err) == 0;
	if (rc == 0 || !fits || !password_verify(prepared, stored)) {
		smtp_limits_auth_failed(p->gateway->limits, &p->peer, clock_mono_ms());
		attempt_log(p, "wrong password");
		metric_inc(METRIC_AUTH, METRIC_AUTH_WEB, METRIC_AUTH_FAILED);
		p->answer.delay_ms = LOGIN_FAILURE_DELAY_MS;
		form_show(p, 401, "That is not the admin password.");
		return;
	}
	char hash[65];
	if (session_open(p, hash, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	cookie_set(p, form_cookie_name(p), "", 0);
	attempt_log(p, "ok");
	metric_inc(METRIC_AUTH, METRIC_AUTH_WEB, METRIC_AUTH_OK);
	next_redirect(p, hash);
}

void page_login_post(struct page *p)
{
	struct str cookie = login_cookie_find(p->cookie, form_cookie_name(p));

	if (!token_equal(cookie, urlform_get(&p->form, "token"))) {
		form_show(p, 403,
			"The form had expired, or your browser does not keep cookies. Please try "
			"again.");
		return;
	}
	if (!smtp_limits_auth_allowed(
		    p->gateway->limits, &p->config->limits, &p->peer, clock_mono_ms())) {
		attempt_log(p, "too many failures");
		metric_inc(METRIC_AUTH, METRIC_AUTH_WEB, METRIC_AUTH_LIMITED);
		page_header(p, "Retry-After", "60");
		page_error(p, 429, "Too many failed log-ins",
			"There were too many wrong passwords from your address or its neighbours. "
			"Try again in one minute; after very many, the wait is a day.");
		return;
	}
	password_check(p);
}

void page_logout(struct page *p)
{
	struct err err;

	if (store_web_session_delete(p->gateway->store, p->session.token_hash, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	/* A touch of the session may have set its cookie in this answer already. */
	p->answer.header_count = 0;
	cookie_set(p, cookie_name(p), "", 0);
	page_redirect(p, "login?out=1");
}

void page_password(struct page *p)
{
	struct str now = urlform_get(&p->form, "current"), fresh = urlform_get(&p->form, "fresh");
	struct str stored, prepared;
	struct err err;

	if (p->method == PAGE_GET) {
		page_render(p, 200, "password", "Admin password");
		return;
	}
	int rc = password_stored(p, &stored, &err);
	if (rc < 0) {
		page_failed(p, &err);
		return;
	}
	if (!smtp_limits_auth_allowed(
		    p->gateway->limits, &p->config->limits, &p->peer, clock_mono_ms())) {
		page_error(p, 429, "Too many wrong passwords", "Try again in one minute.");
		return;
	}
	if (now.len > PASSWORD_MAX || password_prepare(p->arena, now, &prepared, &err) < 0 ||
		rc == 0 || !password_verify(prepared, stored)) {
		smtp_limits_auth_failed(p->gateway->limits, &p->peer, clock_mono_ms());
		p->answer.delay_ms = LOGIN_FAILURE_DELAY_MS;
		tval_set_text(
			p->arena, p->view, "current_problem", "That is not the admin password.");
	} else if (!str_eq(fresh, urlform_get(&p->form, "again"))) {
		tval_set_text(p->arena, p->view, "again_problem", "The two are not the same.");
	} else if (admin_password_set(p->gateway->store, fresh, &err) < 0) {
		if (err.kind != ERR_PERM) {
			page_failed(p, &err);
			return;
		}
		tval_set_text(p->arena, p->view, "fresh_problem", err.text);
	} else {
		p->answer.header_count = 0;
		if (login_sessions_renew(p, &err) < 0)
			page_failed(p, &err);
		else
			page_redirect(p, "password?done=password");
		return;
	}
	page_render(p, 422, "password", "Admin password");
}
