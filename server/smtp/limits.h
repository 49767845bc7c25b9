/* limits - rates and counts per address, its neighbours and network (spec/admin.md 9.1).
 * Thread-safe; memory is bounded whatever strangers do. */
#ifndef SMTP_LIMITS_H
#define SMTP_LIMITS_H

#include "base/net.h"
#include "config/config.h"

struct smtp_limits;

struct smtp_limits *smtp_limits_new(void);
void smtp_limits_free(struct smtp_limits **l);

enum smtp_limit {
	SMTP_LIMIT_OK,
	SMTP_LIMIT_RATE, /* too many connections per minute from the scope */
	SMTP_LIMIT_OPEN, /* too many at once from the scope */
	SMTP_LIMIT_TOTAL /* the server is full */
};
/* Counts a new connection; when not OK nothing is counted as open. now_ms: monotonic. */
enum smtp_limit smtp_limits_connect(
	struct smtp_limits *l, const struct config_limits *c, const struct ip *ip, int64_t now_ms);
void smtp_limits_disconnect(struct smtp_limits *l, const struct ip *ip);

/* True while the address may try to log in (also used by webui's login). */
bool smtp_limits_auth_allowed(
	struct smtp_limits *l, const struct config_limits *c, const struct ip *ip, int64_t now_ms);
void smtp_limits_auth_failed(struct smtp_limits *l, const struct ip *ip, int64_t now_ms);

/* May the address deliver this much more (port 25)? Counts it when true. */
bool smtp_limits_deliver(struct smtp_limits *l, const struct config_limits *c, const struct ip *ip,
	int64_t bytes, int64_t now_ms);
/* May the account submit rcpts more today? Counts when true. */
bool smtp_limits_submit(struct smtp_limits *l, const struct config_limits *c, struct str account,
	unsigned rcpts, int64_t now_ms);

struct smtp_limits_stats {
	int64_t open, accepted_total, refused_total;
};
void smtp_limits_stats_get(struct smtp_limits *l, struct smtp_limits_stats *out);

#endif
