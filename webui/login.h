/* login - who may see the pages: the admin's password, sessions, CSRF tokens. */
#ifndef WEBUI_LOGIN_H
#define WEBUI_LOGIN_H

#include "webui/page.h"

enum {
	LOGIN_TOKEN_TEXT = 65,       /* 256 random bits in hex */
	LOGIN_SESSION_S = 12 * 3600, /* from the last use on */
	LOGIN_TOUCH_S = 60,          /* written back at most so often */
	LOGIN_FAILURE_DELAY_MS = 1000
};

/* Fills page.session from the cookie; false when nobody is logged in. */
bool login_session_load(struct page *p);
/* Asks for the password where a form was posted without a session: what was typed (kept.h) and
 * the page it was for go along. */
void login_ask(struct page *p, struct str below, struct str kept);
/* Does the posted field "csrf" match the session's? Constant time. */
bool login_csrf_check(const struct page *p);
/* The value of a cookie in a Cookie header (RFC 6265 section 5.4), or an empty text. */
struct str login_cookie_find(const char *header, const char *name);
/* Ends all sessions but this one, which gets a new token. */
int login_sessions_renew(struct page *p, struct err *err) MUST_USE;

#endif
