/* dkim - DomainKeys Identified Mail: RFC 6376, with 8301 (no SHA-1, RSA sizes), 8463 (Ed25519)
 * and 8616 (internationalized names).
 *
 * Verifying and signing stream: the header block is a view, the body is fed in pieces of any
 * size and takes no memory. One pass over the body makes all hashes that are needed. */
#ifndef AUTH_DKIM_H
#define AUTH_DKIM_H

#include "base/buf.h"
#include "dns/ask.h"

enum {
	DKIM_VERIFIED_MAX = 10, /* signatures of a message that are verified; our choice */
	DKIM_RESULTS_MAX = 50,  /* signatures of a message that are reported */
	DKIM_RSA_BITS_MIN = 1024,
	DKIM_RSA_BITS_MAX = 4096 /* RFC 8301 section 3.2 */
};

/* The words of RFC 8601 section 2.7.1. */
enum dkim_status {
	DKIM_NONE, /* only for a message without signatures */
	DKIM_PASS,
	DKIM_FAIL,      /* body or header were changed, or it was not made with that key */
	DKIM_NEUTRAL,   /* would be a fail, but the key says t=y: the domain is only testing */
	DKIM_POLICY,    /* not looked at: over DKIM_VERIFIED_MAX */
	DKIM_TEMPERROR, /* its key could not be looked up now */
	DKIM_PERMERROR  /* broken, expired, no key, revoked, too weak */
};
const char *dkim_status_text(enum dkim_status s); /* "pass", ... */

enum dkim_key_type { DKIM_RSA, DKIM_ED25519 };
enum dkim_canon { DKIM_RELAXED, DKIM_SIMPLE };

/* One DKIM-Signature field. Text is in the arena given to dkim_verifier_finish; it is empty
 * where the field was too broken to have it. It came from strangers: printable ASCII or
 * UTF-8, but not to be trusted. */
struct dkim_result {
	enum dkim_status status;
	struct str domain;    /* d=, A-labels in lower case: this is what a pass vouches for */
	struct str selector;  /* s=, the same */
	struct str identity;  /* i= as given, or "@" and d= */
	struct str algorithm; /* a=: "rsa-sha256", "ed25519-sha256", or what is unknown here */
	struct str prefix;    /* first 8 or more characters of b=, for header.b (RFC 6008) */
	unsigned key_bits;    /* 0: no key was found */
	bool authentic;       /* the answer with the key was DNSSEC-validated */
	bool testing;         /* the key record says t=y */
	bool length_used;     /* l= is there: what comes after is not signed */
	int64_t length;       /* octets of canonical body, with length_used */
	struct str services;  /* s= of the key record: "" or "*" any, else "email:tlsrpt" */
	int64_t signed_s, expires_s; /* t= and x=, unix time; -1: absent */
	struct str why;              /* a sentence, also for a pass */
};

struct dkim_results {
	struct dkim_result *at; /* in the order of the message, top first */
	size_t count;
	size_t left_out; /* over DKIM_RESULTS_MAX */
};

/* --- verify --- */

struct dkim_verifier;

/* Reads the DKIM-Signature and ARC fields of a header block (CRLF line ends; with or without
 * the empty line after it; what follows is not looked at). The block must stay unchanged
 * until dkim_verifier_free. now_s: unix time, for t= and x=. Never NULL. */
struct dkim_verifier *dkim_verifier_new(struct str header, int64_t now_s);
void dkim_verifier_free(struct dkim_verifier **v);

/* The next piece of the body, that is of what follows the empty line, with CRLF line ends. */
void dkim_verifier_feed(struct dkim_verifier *v, struct str piece);

/* Looks up the keys of all signatures that need one, side by side, and waits for them. May be
 * called from a thread of its own while another feeds the body; at most once, and not beside
 * dkim_verifier_finish. May be left out: _finish does it then. Never fails: each signature
 * keeps what its look-up came to. Adds a step to q->trace for each look-up. */
void dkim_verifier_lookup(struct dkim_verifier *v, const struct dns_asker *q);

/* After the last piece of the body: verifies, and fills *out (in the arena). Adds a step for
 * each signature to q->trace. The ARC chain is arc_verifier_finish's (auth/arc.h). */
void dkim_verifier_finish(struct dkim_verifier *v, const struct dns_asker *q, struct arena *arena,
	struct dkim_results *out);

/* --- keys --- */

/* A key pair, or only the public half. Immutable, thread-safe, reference-counted. */
struct dkim_key;
struct dkim_key *dkim_key_ref(struct dkim_key *k);
void dkim_key_free(struct dkim_key **k); /* drops the reference */

/* A private key in PEM: PKCS#8 ("PRIVATE KEY") or PKCS#1 ("RSA PRIVATE KEY"), RSA of 1024 to
 * 4096 bits or Ed25519, not encrypted. ERR_PERM says what it is instead. */
int dkim_key_read(struct str pem, struct dkim_key **out, struct err *err) MUST_USE;
/* bits: for RSA only. */
int dkim_key_generate(
	enum dkim_key_type type, unsigned bits, struct dkim_key **out, struct err *err) MUST_USE;
/* PKCS#8 PEM. */
int dkim_key_write(const struct dkim_key *k, struct buf *out, struct err *err) MUST_USE;
enum dkim_key_type dkim_key_type(const struct dkim_key *k);
unsigned dkim_key_bits(const struct dkim_key *k);        /* 256 for Ed25519 */
const char *dkim_key_type_text(enum dkim_key_type type); /* "rsa", "ed25519" */
/* The public half as it goes into p=: base64. In the arena. */
struct str dkim_key_public(const struct dkim_key *k, struct arena *arena);

/* --- key records --- */

struct dkim_record {
	enum dkim_key_type type;
	bool type_known; /* else k= is something newer; type_text has it */
	struct str type_text;
	bool sha256;           /* h= is absent or has sha256 */
	bool email;            /* s= is absent or has "*" or "email" */
	struct str services;   /* s= as given, or "" */
	struct str notes;      /* n=, still quoted-printable, or "" */
	bool testing, strict;  /* t=y; t=s: the domain of i= must be d= itself */
	bool revoked;          /* p= is empty */
	struct str public_der; /* p= decoded; in the arena */
};
/* One TXT record. ERR_PERM: no key record, or a broken one. Views are into text and arena. */
int dkim_record_parse(
	struct arena *arena, struct str text, struct dkim_record *out, struct err *err) MUST_USE;
/* The public key of a record. ERR_PERM: it cannot be read, or its size is not allowed. */
int dkim_record_key(const struct dkim_record *r, struct dkim_key **out, struct err *err) MUST_USE;
/* "v=DKIM1;h=sha256;p=..." with k=ed25519 where due. In the arena. */
struct str dkim_record_write(struct arena *arena, enum dkim_key_type type, struct str public_b64);
/* As a zone file line wants it: strings of at most 255 octets in quotes, in parentheses when
 * there are several. In the arena. */
struct str dkim_record_zone(struct arena *arena, struct str record);

/* --- sign --- */

struct dkim_selector {               /* how one signature is made; everything outlives the signer */
	struct str domain, selector; /* A-labels */
	struct dkim_key *key;
	enum dkim_canon header, body;
	const struct str *headers; /* names of fields to sign; NULL: the default set */
	size_t header_count;
	enum {
		DKIM_SEAL,
		DKIM_DONT_SEAL
	} seal;               /* seal: each field is listed once more than it
			       * is there, so that none can be added later */
	int64_t expiration_s; /* 0: no x= */
	struct str identity;  /* i=, or empty */
};

enum { DKIM_SELECTORS_MAX = 10 };
/* From, To, Cc, Bcc, Reply-To, References, In-Reply-To, Subject, Date, Message-ID,
 * Content-Type: what a reader sees or what changes what is seen. */
extern const struct str dkim_headers_default[];
extern const size_t dkim_header_default_count;

struct dkim_signer;

/* header as for dkim_verifier_new; at most DKIM_SELECTORS_MAX selectors, each makes a signature.
 * Never NULL. */
struct dkim_signer *dkim_signer_new(
	struct str header, const struct dkim_selector *selectors, size_t count, int64_t now_s);
void dkim_signer_feed(struct dkim_signer *s, struct str piece);
/* Adds the DKIM-Signature fields, folded, CRLF-ended, to out: to be put above the header.
 * ERR_PERM: the message has no From field, or more than one. */
int dkim_signer_finish(struct dkim_signer *s, struct buf *out, struct err *err) MUST_USE;
void dkim_signer_free(struct dkim_signer **s);

#endif
