/* admin_check - the rules for single fields, inside policy. Each puts what is wrong into
 * problems beside the field it is told, and returns the normal form. */
#ifndef POLICY_ADMIN_CHECK_H
#define POLICY_ADMIN_CHECK_H

#include "message/message.h"
#include "policy/admin.h"

enum {
	ADMIN_LOCALPART_MAX = 64, /* octets, RFC 5321 4.5.3.1.1 */
	ADMIN_NAME_MAX = 64,      /* of accounts and transports */
	ADMIN_TEXT_MAX = 500,     /* descriptions, names of people, comments */
	ADMIN_LOGIN_MAX = 255     /* user name and password at another server */
};

__attribute__((format(printf, 3, 4))) void admin_problem(
	struct admin_problems *problems, const char *field, const char *fmt, ...);

/* A-labels in lower case. */
struct str admin_domain_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems);
/* A domain, one with its subdomains (".example.org"), or "" or "*" for any. */
struct str admin_pattern_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems);
/* Of an account or transport: [a-z0-9._-], also a folder name. */
struct str admin_name_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems);
/* One line of text for people. */
struct str admin_text_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems);
/* "" for the catch-all; lower case unless the domain tells case apart. */
struct str admin_localpart_check(struct arena *a, struct str text,
	const struct store_domain *domain, struct admin_problems *problems);
/* The single character before the detail of a local part, or nothing. */
void admin_separator_check(struct str separator, struct admin_problems *problems);
/* A member of an alias: "local@domain" with the domain in A-labels. */
bool admin_member_parse(
	struct arena *a, struct str text, struct str *member, struct admin_problems *problems);
struct str admin_cidr_check(
	struct arena *a, struct str text, const char *field, struct admin_problems *problems);
void admin_password_check(struct str password, const char *field, struct admin_problems *problems);
/* Everything of a relay but that it has a host at all. */
void admin_relay_check(struct arena *a, struct store_relay *relay, struct admin_problems *problems);

#endif
