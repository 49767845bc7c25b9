/* store/directory - domains, addresses, aliases, accounts, routes, transports, trusted
 * networks: all that an admin changes daily. Look-ups on the mail path are cached in
 * memory and see a change as soon as its commit is on disk. Values given to _put are
 * taken as they are: policy/admin.h checks them first. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "base/net.h"
#include "store/store.h"

enum store_delivery { STORE_DELIVERY_MAILBOX, STORE_DELIVERY_RELAY };
enum store_rcpt_check { STORE_CHECK_LIST, STORE_CHECK_CALLOUT, STORE_CHECK_ANY };
enum store_protocol { STORE_PROTOCOL_SMTP, STORE_PROTOCOL_LMTP };
enum store_tls_mode {            /* towards a relay host or smarthost */
	STORE_TLS_NONE,          /* plaintext only */
	STORE_TLS_OPPORTUNISTIC, /* STARTTLS when offered, certificate not checked */
	STORE_TLS_REQUIRED,      /* STARTTLS or fail, certificate not checked */
	STORE_TLS_VERIFY,        /* STARTTLS, certificate valid for the host name */
	STORE_TLS_IMMEDIATE      /* TLS from the first octet, certificate checked (port 465) */
};

enum { STORE_RELAY_HOSTS_MAX = 8 };

struct store_relay {                             /* how to reach an internal server or smarthost */
	struct str hosts[STORE_RELAY_HOSTS_MAX]; /* "host:port", tried in order */
	size_t host_count;
	enum store_protocol protocol;
	enum store_tls_mode tls;
	struct str username, password; /* empty: no authentication */
};

struct store_domain {
	int64_t id;
	struct str name; /* A-labels, lower case */
	struct str description;
	bool disabled; /* mail for it is refused with 4xx, nothing is lost */
	enum store_delivery delivery;
	struct store_relay relay;         /* for STORE_DELIVERY_RELAY */
	enum store_rcpt_check rcpt_check; /* for relay; mailbox domains use their addresses */
	struct str separator;             /* "+" or empty: detail is cut before look-up */
	bool case_sensitive;              /* local parts */
	int64_t created_s, updated_s;
};

enum store_address_kind {
	STORE_ADDRESS_MAILBOX, /* delivered to account_id's Maildir */
	STORE_ADDRESS_ALIAS,   /* to each member */
	STORE_ADDRESS_RELAY /* valid; to the domain's hosts, or its own ones when relay has any */
};

enum { STORE_ALIAS_MEMBERS_MAX = 1000 };

struct store_address {
	int64_t id, domain_id;
	struct str localpart; /* "" is the catch-all */
	enum store_address_kind kind;
	int64_t account_id;
	struct str account;  /* name of account_id, on reading */
	struct str *members; /* alias: full addresses */
	size_t member_count;
	struct store_relay relay;
};

struct store_account {
	int64_t id;
	struct str name; /* unique, [a-z0-9._-], also a Maildir folder name */
	struct str full_name;
	bool disabled; /* may not log in; mail is still delivered */
	/* Password verifiers, made by auth/password.h; empty: no password set. */
	struct str argon2; /* encoded argon2id */
	struct str scram;  /* RFC 5803 form "SCRAM-SHA-256$iter:salt$stored:server" */
	int64_t created_s;
};

struct store_transport {
	int64_t id;
	struct str name;
	struct store_relay relay; /* SMTP only */
};

struct store_route { /* outgoing; first match by position wins, none: direct to MX */
	int64_t id, position;
	struct str from_domain; /* "" any; ".x.org" also subdomains */
	struct str to_domain;
	unsigned min_attempts; /* matches when at least so many attempts were made */
	int64_t transport_id;  /* 0: direct */
	struct str transport;  /* its name, on reading */
};

struct store_network {
	int64_t id;
	struct str cidr; /* as cidr_parse takes it */
	struct str comment;
};

struct store_dir_page {
	struct str text;  /* part of a name, note, host, member or account; or empty */
	struct str after; /* name of the last row of the page before, or empty */
	size_t limit;     /* 1 to 500 */
	bool more;        /* out: there is a next page */
};
/* One page by name, in the arena. */
int store_domain_page(struct store *s, struct store_dir_page *page, struct arena *a,
	struct store_domain **rows, size_t *count, struct err *err) MUST_USE;
int store_address_page(struct store *s, int64_t domain_id, struct store_dir_page *page,
	struct arena *a, struct store_address **rows, size_t *count, struct err *err) MUST_USE;
int store_account_page(struct store *s, struct store_dir_page *page, struct arena *a,
	struct store_account **rows, size_t *count, struct err *err) MUST_USE;
int store_address_count(
	struct store *s, int64_t domain_id, int64_t *count, struct err *err) MUST_USE;

/* _get and _find return 1 found, 0 not, -1. Results live in the arena. */
int store_domain_find(struct store *s, struct str name, struct arena *a, struct store_domain *out,
	struct err *err) MUST_USE;
int store_domain_get(struct store *s, int64_t id, struct arena *a, struct store_domain *out,
	struct err *err) MUST_USE;
int store_domain_list(struct store *s, struct arena *a, struct store_domain **rows, size_t *count,
	struct err *err) MUST_USE;
/* Inserts (id 0, set on return) or replaces. ERR_PERM: the name is taken or the row gone. */
int store_domain_put(struct store *s, struct store_domain *row, struct err *err) MUST_USE;
/* With its addresses. Queued mail stays. 0 also when it was gone. */
int store_domain_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

/* Exact look-up: localpart as stored ("" for the catch-all). The caller lowers case, cuts
 * the separator and asks for the catch-all: policy/rcpt.h does. */
int store_address_find(struct store *s, int64_t domain_id, struct str localpart, struct arena *a,
	struct store_address *out, struct err *err) MUST_USE;
int store_address_get(struct store *s, int64_t id, struct arena *a, struct store_address *out,
	struct err *err) MUST_USE;
/* Of a domain (domain_id), or of an account when domain_id is 0. By local part. */
int store_address_list(struct store *s, int64_t domain_id, int64_t account_id, struct arena *a,
	struct store_address **rows, size_t *count, struct err *err) MUST_USE;
int store_address_put(struct store *s, struct store_address *row, struct err *err) MUST_USE;
int store_address_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

int store_account_find(struct store *s, struct str name, struct arena *a, struct store_account *out,
	struct err *err) MUST_USE;
int store_account_get(struct store *s, int64_t id, struct arena *a, struct store_account *out,
	struct err *err) MUST_USE;
int store_account_list(struct store *s, struct arena *a, struct store_account **rows, size_t *count,
	struct err *err) MUST_USE;
int store_account_put(struct store *s, struct store_account *row, struct err *err) MUST_USE;
/* ERR_PERM while addresses still point at it. */
int store_account_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

int store_transport_get(struct store *s, int64_t id, struct arena *a, struct store_transport *out,
	struct err *err) MUST_USE;
int store_transport_list(struct store *s, struct arena *a, struct store_transport **rows,
	size_t *count, struct err *err) MUST_USE;
int store_transport_put(struct store *s, struct store_transport *row, struct err *err) MUST_USE;
/* ERR_PERM while a route uses it. */
int store_transport_delete(struct store *s, int64_t id, struct err *err) MUST_USE;

/* By position. */
int store_route_list(struct store *s, struct arena *a, struct store_route **rows, size_t *count,
	struct err *err) MUST_USE;
/* A new route with position 0 goes to the end. */
int store_route_put(struct store *s, struct store_route *row, struct err *err) MUST_USE;
/* They change places, in one transaction. */
int store_route_swap(struct store *s, int64_t a, int64_t b, struct err *err) MUST_USE;
int store_route_delete(struct store *s, int64_t id, struct err *err) MUST_USE;
struct store_route_question {
	struct str from_domain, to_domain;
	unsigned attempts;    /* made so far */
	int64_t transport_id; /* over 0: an admin chose this transport */
};
struct store_route_match {
	bool chosen;                      /* the transport of the question; else: */
	size_t number;                    /* of the route, as people count; 0: none matched */
	struct store_route route;         /* when number is not 0 */
	struct store_transport transport; /* id 0: direct */
};
/* The chosen transport while there is one, else the first route that matches, cached: 1, or 0
 * for direct because none does. */
int store_route_match(struct store *s, const struct store_route_question *q, struct arena *a,
	struct store_route_match *out, struct err *err) MUST_USE;
/* The first route that matches, cached: 1, or 0 for direct. transport.id is 0 when the
 * route says direct. */
int store_route_choose(struct store *s, struct str from_domain, struct str to_domain,
	unsigned attempts, struct arena *a, struct store_transport *transport,
	struct err *err) MUST_USE;

int store_network_list(struct store *s, struct arena *a, struct store_network **rows, size_t *count,
	struct err *err) MUST_USE;
int store_network_put(struct store *s, struct store_network *row, struct err *err) MUST_USE;
int store_network_delete(struct store *s, int64_t id, struct err *err) MUST_USE;
/* May this address relay without authentication? Cached. */
bool store_network_trusts(struct store *s, const struct ip *ip);

#endif
