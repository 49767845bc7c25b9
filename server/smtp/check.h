/* check - incoming mail that is not from friends: who sent it, and what becomes of it. */
#ifndef SMTP_CHECK_H
#define SMTP_CHECK_H

#include "smtp/internal.h"

/* What the checks of one message leave behind, in the session's arena. */
struct message_check {
	bool made;               /* there were checks */
	struct str fields;       /* Authentication-Results and Received-SPF */
	struct str results;      /* the former's value, for an ARC seal */
	struct str reverse_name; /* of the client, confirmed; or empty */
	const struct arc_result *arc;
	bool quarantine; /* for some recipient; which, their smtp_rcpt says */
	struct str quarantine_reason;
	struct auth_check *auth;
	const struct auth_result *result; /* of auth, when there were checks */
};

/* False: the message was refused, and the client knows. Sets the session's trace and the
 * recipients' quarantine. check_end in any case. */
bool check_message(struct session *s, struct message_check *out);
void check_end(struct message_check *c);

/* For smtp_data.header_edit: takes out results in our name (RFC 8601 section 5); the header as
 * it came stays in the session for the checks. */
void check_header_edit(void *session, struct buf *head);

/* Does the sender's domain take mail back (spec/admin.md 9.3)? Asked once a transaction, for
 * the first recipient whose domain wants to know. False: refused, and the client knows. */
bool check_sender_mx(struct session *s, int64_t domain_id);

#endif
