/* tlsrpt_record - the "_smtp._tls" TXT record: where a domain wants its TLS reports (RFC 8460
 * section 3). */
#ifndef REPORT_TLSRPT_RECORD_H
#define REPORT_TLSRPT_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "dns/ask.h"

enum {
	TLSRPT_RUA_MAX = 16, /* destinations, our limit; the RFC sets none */
	TLSRPT_EXT_MAX = 50, /* extensions kept; more are checked and forgotten */
	TLSRPT_KEY_MAX = 32  /* octets of a name, RFC 8460 section 3 */
};

struct tlsrpt_pair { /* an extension */
	struct str key, value;
};

struct tlsrpt_record {
	struct str rua[TLSRPT_RUA_MAX]; /* URIs of any scheme, still percent-encoded */
	size_t rua_count;               /* 1 at least */
	struct tlsrpt_pair *ext;
	size_t ext_count;
};

/* The text of one TXT record: 1 a record; 0 some other text; -1 (ERR_PERM) a malformed one, with
 * what is wrong. All is copied into the arena. */
int tlsrpt_record_parse(
	struct arena *a, struct str text, struct tlsrpt_record *out, struct err *err) MUST_USE;
/* "v=TLSRPTv1; rua=mailto:a@x.org,https://x.org/r; ext=val" */
void tlsrpt_record_write(const struct tlsrpt_record *record, struct buf *out);
/* "mailto:" and the address (A-label domain), with what may not be in a URI percent-encoded. */
struct str tlsrpt_record_mailto(struct arena *a, struct str address);
/* The address of a mailto: URI: percent-decoded, without its query. 1, or 0 when it is none. */
int tlsrpt_record_address(struct arena *a, struct str uri, struct str *address);

enum tlsrpt_status {
	TLSRPT_OK,
	TLSRPT_NO_RECORD,
	TLSRPT_MULTIPLE, /* several records: none of them counts */
	TLSRPT_SYNTAX,   /* the record is malformed */
	TLSRPT_DNS       /* the look-up failed: try again later */
};
const char *tlsrpt_status_text(enum tlsrpt_status s); /* "ok", "no-record", ... */

enum { TLSRPT_TEXT_MAX = 512 };

struct tlsrpt_lookup {
	enum tlsrpt_status status;
	struct tlsrpt_record record; /* when ok */
	struct str record_text;      /* as published; the first of several */
	bool secure;                 /* DNSSEC */
	char text[TLSRPT_TEXT_MAX];  /* what is wrong, a sentence; empty when ok */
};

/* The record of a domain (A-labels), at _smtp._tls.<domain>. Adds a trace step. -1 (ERR_BUG)
 * only for a name that cannot be asked for. */
int tlsrpt_lookup(const struct dns_asker *ask, const char *domain, struct arena *a,
	struct tlsrpt_lookup *out, struct err *err) MUST_USE;

#endif
