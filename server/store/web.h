/* store/web - sessions of the admin pages. */
#ifndef STORE_WEB_H
#define STORE_WEB_H

#include "store/store.h"

enum { STORE_WEB_SESSIONS_MAX = 20 }; /* the oldest goes when one more logs in */

struct store_web_session {
	char token_hash[65]; /* hex SHA-256 of the cookie's token: a stolen database opens nothing
			      */
	char csrf[33];
	int64_t created_s, used_s, expires_s;
	char ip[64];
};
int store_web_session_add(
	struct store *s, const struct store_web_session *row, struct err *err) MUST_USE;
/* 1 found and not expired at now_s, 0 not, -1. Extends nothing. */
int store_web_session_find(struct store *s, const char *token_hash, int64_t now_s,
	struct store_web_session *out, struct err *err) MUST_USE;
/* Sliding expiry; called at most once a minute per session. */
int store_web_session_touch(struct store *s, const char *token_hash, int64_t used_s,
	int64_t expires_s, struct err *err) MUST_USE;
int store_web_session_delete(struct store *s, const char *token_hash, struct err *err) MUST_USE;
/* All of them: password change. */
int store_web_session_clear(struct store *s, struct err *err) MUST_USE;

#endif
