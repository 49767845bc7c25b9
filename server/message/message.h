/* message - RFC 5322 and MIME as far as a gateway needs it: header fields as views,
 * addresses, dates, trace fields, composing our own mail. */
#ifndef MESSAGE_MESSAGE_H
#define MESSAGE_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* --- header fields --- */

struct message_field {
	struct str name;  /* without ":" and the space before it */
	struct str value; /* raw, folded, without the last line end */
	struct str whole; /* name to last line end */
};
/* Next field of a header block with CRLF (or LF) line ends: 1, 0 at the end (empty line or
 * end of text; *rest then starts at the body), -1 a line that is no field (*rest stays
 * there). Costs no memory. */
int message_header_next(struct str *rest, struct message_field *field, struct err *err) MUST_USE;
/* Unfolded and trimmed; a view of value where nothing had to be unfolded. CR, LF and NUL
 * that are left become spaces. */
struct str message_field_unfold(struct arena *a, struct str value);

/* --- addresses (RFC 5321 4.1.2, 6531) --- */

enum {
	/* Octets. RFC 5321 4.5.3.1.1 asks for 64 at least and for no limit where possible;
	 * generated bounce addresses go over it. Our own addresses keep to 64 (policy/admin.h). */
	MESSAGE_LOCALPART_MAX = 128,
	MESSAGE_DOMAIN_MAX = 255,
	MESSAGE_ADDRESS_MAX = MESSAGE_LOCALPART_MAX + 1 + MESSAGE_DOMAIN_MAX
};

struct message_address {
	struct str localpart; /* unquoted: without quotes and backslashes */
	struct str domain;    /* as written; "[...]" for a literal */
	bool quoted;          /* needs quoting when written */
	bool utf8;            /* local part or domain is not ASCII */
};
/* A Mailbox as in MAIL and RCPT, without angle brackets. Source routes are not part of it. */
int message_address_parse(
	struct arena *a, struct str text, struct message_address *out, struct err *err) MUST_USE;
/* Is text a local part as it goes into an address without quotes (RFC 5322 dot-atom)? */
bool message_localpart_is_atom(struct str text);
/* local@domain, quoted when needed. */
struct str message_address_write(struct arena *a, const struct message_address *addr);

/* All mailboxes of a From, To, ... field value: display names, comments and groups are
 * read over. At most max (over it: ERR_PERM). */
struct message_mailbox {
	struct str name; /* display name, unquoted, still with encoded words */
	struct message_address address;
};
int message_mailboxes_parse(struct arena *a, struct str value, struct message_mailbox *out,
	size_t max, size_t *count, struct err *err) MUST_USE;

/* RFC 2047 encoded words into UTF-8, for people; what cannot be decoded stays. */
struct str message_words_decode(struct arena *a, struct str value);

/* --- dates --- */

enum { MESSAGE_DATE_TEXT = 48 };
/* "Tue, 24 Nov 2026 08:49:16 +0000", UTC. */
const char *message_date_write(int64_t unix_s, char out[MESSAGE_DATE_TEXT]);
int message_date_parse(struct str text, int64_t *unix_s, struct err *err) MUST_USE;

/* --- trace --- */

struct message_trace {
	struct str helo; /* as given */
	struct str ptr;  /* verified reverse name, or empty */
	struct str ip;   /* of the client; empty hides it (submission) */
	struct str by;   /* our host name */
	struct str with; /* "ESMTPS", "UTF8SMTPSA", "LMTP", ... */
	struct str id;   /* session id */
	struct str tls;  /* "TLSv1.3 TLS_AES_128_GCM_SHA256", or empty */
	struct str rcpt; /* for clause, only for a single recipient; or empty */
	bool requiretls;
	int64_t unix_s;
};
/* A Received field (RFC 5321 4.4), folded, CRLF-ended. */
void message_trace_write(struct buf *out, const struct message_trace *t);
/* "ESMTPSA" and its relatives, RFC 3848 and 6531. */
const char *message_with_protocol(bool esmtp, bool tls, bool auth, bool utf8);

/* --- compose --- */

/* Adds "Name: value" CRLF, folded at 78 where spaces allow; CR, LF and NUL in the value
 * become spaces, non-ASCII becomes encoded words unless utf8. */
void message_field_add(struct buf *out, const char *name, struct str value, bool utf8);
/* Adds text as a MIME part: boundary line, Content-Type with charset, quoted-printable
 * when needed, line ends made CRLF. */
void message_part_add(struct buf *out, const char *boundary, const char *type, struct str text);
/* "<time.random@host>" */
struct str message_id_new(struct arena *a, const char *host);

/* --- receiving --- */

/* Line ends and dots of an incoming body are smtp/data.h's; this looks at the header
 * block kept from it. */
struct message_facts {
	unsigned received_count;
	bool has_from, has_date, has_message_id, has_return_path;
	struct str message_id; /* unfolded, or empty */
	struct str subject;    /* raw */
	struct str from;       /* raw value of the first From */
	unsigned from_count;
	bool tls_required_no; /* every TLS-Required field says No */
};
/* Never fails: a header block that cannot be read any further ends there. */
void message_facts_read(struct arena *a, struct str header, struct message_facts *out);

#endif
