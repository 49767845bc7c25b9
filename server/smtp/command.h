/* command - one SMTP command line, parsed: RFC 5321 4.1, with the parameters of RFC 1870
 * (SIZE), 3030 (BDAT), 3461 (DSN), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8) and 8689
 * (REQUIRETLS). */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "message/message.h"
#include "store/message.h"

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_QUIT,
	SMTP_STARTTLS,
	SMTP_AUTH
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

enum { SMTP_ENVID_MAX = 100, SMTP_ORCPT_MAX = 500 }; /* RFC 3461 sections 4.4 and 4.2 */

struct smtp_command {
	enum smtp_verb verb;
	struct str arg; /* all after the verb, trimmed; views into the line */
	bool http;      /* SMTP_UNKNOWN: the verb is one of HTTP, no mail will follow */

	/* MAIL and RCPT */
	bool null_path;  /* MAIL FROM:<> */
	bool postmaster; /* RCPT TO:<postmaster>, without a domain */
	struct message_address address;

	/* MAIL */
	bool has_size, smtputf8, requiretls;
	int64_t size;
	enum smtp_body body;
	enum store_ret ret;
	struct str envid;

	/* RCPT */
	unsigned notify; /* STORE_NOTIFY_* */
	struct str orcpt;

	/* BDAT */
	int64_t chunk;
	bool last;
};

/* What to answer to a line that does not parse. */
struct smtp_refusal {
	int code;
	const char *ecode;
	char text[160];
};

/* Parses LINE (without CRLF). Views point into line, unquoted local parts into the arena.
 * An unknown verb is not an error: verb is SMTP_UNKNOWN. Returns 0, or -1 with refusal. */
int smtp_command_parse(struct arena *a, struct str line, struct smtp_command *out,
	struct smtp_refusal *refusal) MUST_USE;

/* xtext of RFC 3461 section 4: printable ASCII without "+" and "=", or "+" and two
 * upper-case hexadecimal digits that stand for printable ASCII or space: what is decoded
 * gets into header fields of DSNs. */
bool smtp_xtext_valid(struct str s);

#endif
