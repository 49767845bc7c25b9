/* store/dircache - answers of the directory kept in memory until something changes. For
 * the files of server/store only. */
#ifndef STORE_DIRCACHE_H
#define STORE_DIRCACHE_H

#include "store/db.h"
#include "store/directory.h"
#include "store/mailpolicy.h"

enum dir_kind { DIR_DOMAIN, DIR_DOMAIN_ID, DIR_ADDRESS, DIR_ACCOUNT, DIR_MAIL_POLICY };

union dir_value {
	struct store_domain domain;
	struct store_address address;
	struct store_account account;
	struct store_mail_policy mail_policy;
};

/* To be asked before the database is read: an answer put under an older generation is
 * never given out. */
uint64_t dir_generation(struct store *s);
/* 1 found, 0 known not to exist, -1 not cached. The value is copied into the arena. */
int dir_get(struct store *s, enum dir_kind kind, struct str key, struct arena *a,
	union dir_value *value);
void dir_put(struct store *s, uint64_t generation, enum dir_kind kind, struct str key, int found,
	const union dir_value *value);

/* Shared by the tables with a relay. */
struct str dir_hosts_join(struct arena *a, const struct store_relay *relay);
void dir_hosts_split(struct str text, struct store_relay *relay);
struct str dir_members_join(struct arena *a, const struct store_address *row);
void dir_members_split(struct arena *a, struct str text, struct store_address *row);
void dir_relay_copy(struct arena *a, struct store_relay *dst, const struct store_relay *src);

/* "" is any, ".x.org" also x.org itself and all below. */
bool dir_domain_matches(struct str pattern, struct str domain);
bool dir_transport_is(struct store *s, int64_t id, struct str name);
/* Sets hold of those recipients that a hold rule matches. Lists that cannot be read hold
 * nothing. */
void dir_hold_mark(struct store *s, const struct store_msg_new *msg);

/* Deletes one row by id; used with dir_changed. */
struct dir_delete {
	const char *sql;
	int64_t id;
	const char *in_use; /* what a foreign key's refusal means, or NULL */
};
int dir_delete_run(struct store *s, struct db *db, void *arg, struct err *err) MUST_USE;
int dir_delete(
	struct store *s, const char *sql, int64_t id, const char *in_use, struct err *err) MUST_USE;

/* Room for one more element in a growing arena array. */
void *dir_grow(struct arena *a, void *old, size_t count, size_t *cap, size_t size);
/* All rows of sql, whose first parameter is id when that is not 0. */
int dir_list(struct store *s, const char *sql, int64_t id,
	void (*read)(sqlite3_stmt *, struct arena *, void *), size_t size, struct arena *a,
	void **rows, size_t *count, struct err *err) MUST_USE;

#endif
