/* control_priv - what the files of verbs share. */
#ifndef CONTROL_CONTROL_PRIV_H
#define CONTROL_CONTROL_PRIV_H

#include "base/arena.h"
#include "control/control.h"
#include "policy/admin.h"

struct call { /* one request being answered */
	const struct control *ctl;
	const json_t *request;
	struct conn *conn; /* NULL: rows are collected */
	json_t *rows;      /* without a conn */
	json_t *problems;  /* NULL, or [{"field", "detail"}] */
	struct arena *arena;
	bool gone;    /* the peer is; no more is written */
	bool missing; /* what the request is about does not exist */
};

/* A verb's function: 0 and *last (members to go beside "ok"; may stay NULL), or -1 with the
 * reason in err. Rows were written on the way. */
typedef int verb_fn(struct call *call, json_t **last, struct err *err);

struct verb {
	const char *name;
	verb_fn *run;
};

/* Tables end with a NULL name. One a line: many add to them. */
extern const struct verb control_dkim_verbs[], control_address_verbs[];
extern const struct verb control_directory_verbs[];
extern const struct verb control_hold_verbs[];
extern const struct verb control_import_verbs[];
extern const struct verb control_lists_verbs[];
extern const struct verb control_log_verbs[];
extern const struct verb control_override_verbs[];
extern const struct verb control_quarantine_verbs[];
extern const struct verb control_tlsreport_verbs[];
extern const struct verb control_queue_verbs[];
extern const struct verb control_route_verbs[];
extern const struct verb control_simulate_verbs[];
extern const struct verb control_tls_verbs[];
extern const struct verb control_tlssent_verbs[];
extern const struct verb control_token_verbs[];

/* Writes {"row": row}; takes the reference. */
int call_row(struct call *call, json_t *row, struct err *err) MUST_USE;

/* Text member of the request; empty when absent or not text. The view lives as long as
 * the request. */
struct str call_text(const struct call *call, const char *key);
bool call_has(const struct call *call, const char *key);
bool call_flag(const struct call *call, const char *key); /* true or "yes" */
/* ERR_PERM when absent or empty. */
int call_need(const struct call *call, const char *key, struct str *out, struct err *err) MUST_USE;
/* Integer, or text of one; keeps *out when absent. */
int call_number(const struct call *call, const char *key, int64_t min, int64_t max, int64_t *out,
	struct err *err) MUST_USE;

/* One of names, by the request's member key; -1 with a list of them. Absent: keeps *out. */
int call_word(const struct call *call, const char *key, const char *const *names, size_t count,
	int *out, struct err *err) MUST_USE;
/* The domain or account of that name; a missing one is call_missing. */
int call_domain(
	struct call *call, struct str name, struct store_domain *out, struct err *err) MUST_USE;
int call_account(
	struct call *call, struct str name, struct store_account *out, struct err *err) MUST_USE;

/* What admin_*_save returned, as 0 or -1 with every problem in one line, and each by itself
 * for callers that show them beside their fields. */
int call_saved(
	struct call *call, int rc, const struct admin_problems *problems, struct err *err) MUST_USE;
/* There is no such thing: -1 with ERR_PERM and the text. */
__attribute__((format(printf, 3, 4))) int call_missing(
	struct call *call, struct err *err, const char *fmt, ...);

/* A JSON text of a view; bytes that are not UTF-8 become U+FFFD. */
json_t *json_view(struct str s);
json_t *json_relay(const struct store_relay *relay);
const char *tls_mode_name(enum store_tls_mode mode);
/* Takes hosts, protocol, tls, username, password from the request where they are given. */
int call_relay(struct call *call, struct store_relay *relay, unsigned default_port,
	struct err *err) MUST_USE;

/* Member "day": "20261124" or "2026-11-24"; 0 when absent. */
int call_day(const struct call *call, int *day, struct err *err) MUST_USE;

struct store_queue_filter;
/* The members that select recipients, as "mox queue list" has them. */
int call_queue_filter(
	const struct call *call, struct store_queue_filter *f, struct err *err) MUST_USE;
/* Whether there is one of them, or "all". */
bool call_queue_many(const struct call *call);
int call_queue_id(const struct call *call, int64_t *id, struct err *err) MUST_USE;

/* control_relaytest.c */
int control_relay_test(struct call *call, json_t **last, struct err *err) MUST_USE;

#endif
