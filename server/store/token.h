/* store/token - tokens of the JSON API. Only a hash of each is kept. */
#ifndef STORE_TOKEN_H
#define STORE_TOKEN_H

#include "store/store.h"

enum { STORE_TOKENS_MAX = 1000, STORE_TOKEN_HASH = 65 };

struct store_token {
	int64_t id;
	struct str name; /* for people, unique */
	bool read_only;
	int64_t created_s, used_s; /* used_s: to the minute; 0 never */
	int64_t expires_s;         /* 0: never */
	struct str used_ip;
};

/* hash: hex SHA-256 of the token. ERR_PERM: the name is taken, or there are too many. */
int store_token_add(
	struct store *s, struct store_token *row, const char *hash, struct err *err) MUST_USE;
/* 1 found and not expired at now_s, 0 not, -1. */
int store_token_find(struct store *s, const char *hash, int64_t now_s, struct arena *a,
	struct store_token *out, struct err *err) MUST_USE;
/* Notes a use. */
int store_token_touch(
	struct store *s, int64_t id, int64_t now_s, struct str ip, struct err *err) MUST_USE;
/* By name; all of them. */
int store_token_list(struct store *s, struct arena *a, struct store_token **rows, size_t *count,
	struct err *err) MUST_USE;
/* *found: it was there. */
int store_token_delete(struct store *s, int64_t id, bool *found, struct err *err) MUST_USE;

#endif
