/* dkim_priv - what the DKIM and ARC files of this folder share. */
#ifndef AUTH_DKIM_PRIV_H
#define AUTH_DKIM_PRIV_H

#include "auth/arc.h"
#include "message/message.h"

#include <openssl/evp.h>
#include <stdatomic.h>

enum {
	DKIM_HASH = 32,        /* octets of a SHA-256 */
	DKIM_TAGS_MAX = 64,    /* of one list; our choice */
	DKIM_RECORDS_MAX = 10, /* TXT records of a name that are looked at */
	DKIM_FIELDS_MAX = 100000,
	DKIM_BODIES_MAX = 2 * (DKIM_VERIFIED_MAX + ARC_SETS_MAX)
};

/* --- dkim_tags.c: tag lists, RFC 6376 section 3.2 --- */

struct dkim_tag {
	struct str name, value; /* value without white space around it, folds inside stay */
	struct str raw;         /* all between "=" and ";" */
};
struct dkim_tags {
	struct dkim_tag at[DKIM_TAGS_MAX];
	size_t count;
};
int dkim_tags_parse(struct str text, struct dkim_tags *out, struct err *err) MUST_USE;
/* NULL when it is not there. */
const struct dkim_tag *dkim_tag_get(const struct dkim_tags *tags, const char *name);
/* Next item of a list with sep between, white space around it taken off. False at the end. */
bool dkim_list_next(struct str *rest, char sep, struct str *item);
bool dkim_list_has(struct str list, char sep, struct str item); /* case-insensitive */
struct str dkim_trim(struct str s);                             /* of folding white space */
/* Without any folding white space; in the arena. */
struct str dkim_unspace(struct arena *a, struct str s);
/* White space allowed anywhere, padding may be missing. False for anything else. */
bool dkim_base64_decode(struct arena *a, struct str text, struct str *out);

/* --- dkim_body.c: body canonicalization and hashes, RFC 6376 section 3.4 --- */

struct dkim_body { /* one hash over the body, or its first octets */
	enum dkim_canon canon;
	int64_t length; /* of the canonical body; -1: all of it */
	bool done;      /* false at the end: the body is shorter than length */
	unsigned char hash[DKIM_HASH];
};
struct dkim_stream {    /* one canonical form of the body under way */
	EVP_MD_CTX *md; /* NULL: nobody needs this form */
	enum dkim_canon canon;
	uint64_t octets;    /* hashed so far */
	uint64_t line_ends; /* seen and not yet hashed */
	bool any, in_line, space, cr;
	struct dkim_body *wanted[DKIM_BODIES_MAX]; /* by length, -1 last */
	size_t wanted_count, next;
	size_t out_len;
	unsigned char out[2048];
};
struct dkim_bodies {
	struct dkim_body at[DKIM_BODIES_MAX];
	size_t count;
	struct dkim_stream streams[2]; /* by enum dkim_canon */
	bool started, finished;
};
/* Before the first feed. The same question gets the same answer; NULL: too many. */
struct dkim_body *dkim_bodies_want(struct dkim_bodies *b, enum dkim_canon canon, int64_t length);
void dkim_bodies_feed(struct dkim_bodies *b, struct str piece);
void dkim_bodies_finish(struct dkim_bodies *b); /* again: nothing */
void dkim_bodies_free(struct dkim_bodies *b);

/* --- dkim_fields.c: header fields and their hashes --- */

struct dkim_field {
	struct str name, value, whole;
	size_t name_id;
	size_t above; /* next field upwards of this name, counted from 1; 0: none */
};
struct dkim_fields {
	struct dkim_field *at;
	size_t count;
	size_t *last;   /* by name_id: the lowest field, counted from 1 */
	size_t *cursor; /* scratch, the same size */
	size_t name_count;
	size_t *table; /* hash table of names: name_id + 1 */
	size_t table_size;
	uint64_t seed;
};
/* Lines that are no fields are left out. Views into header; the rest in the arena. */
void dkim_fields_read(struct arena *a, struct str header, struct dkim_fields *out);
/* Fields of that name. */
size_t dkim_fields_count(const struct dkim_fields *f, struct str name);

struct dkim_signed { /* what goes into a header hash last: the signature field itself */
	struct str name, value;
	struct str b_raw; /* the part of value that is left out; empty for none */
};
/* RFC 6376 section 3.7: the fields named in h (with ":" between), then the signature. */
void dkim_header_hash(struct dkim_fields *f, struct str h, enum dkim_canon canon,
	const struct dkim_signed *sig, unsigned char hash[DKIM_HASH]);

struct dkim_sink { /* small pieces on their way into a hash */
	EVP_MD_CTX *md;
	size_t len;
	char buf[1024];
};
void dkim_sink_open(struct dkim_sink *s);
void dkim_sink_relaxed(struct dkim_sink *s, struct str name, struct str value);
/* The last field: without a line end, and without what is in b_raw. */
void dkim_sink_signature(struct dkim_sink *s, const struct dkim_signed *sig, enum dkim_canon canon);
void dkim_sink_close(struct dkim_sink *s, unsigned char hash[DKIM_HASH]);

/* --- dkim_key.c --- */

/* The public half of a key record. */
int dkim_key_public_read(
	enum dkim_key_type type, struct str der, struct dkim_key **out, struct err *err) MUST_USE;
bool dkim_key_verify(const struct dkim_key *k, const unsigned char hash[DKIM_HASH], struct str sig);
int dkim_key_sign(struct arena *a, const struct dkim_key *k, const unsigned char hash[DKIM_HASH],
	struct str *sig, struct err *err) MUST_USE;

/* --- dkim_sig.c: one signature field --- */

enum dkim_kind { DKIM_SIGNATURE, DKIM_ARC_MESSAGE, DKIM_ARC_SEAL };

struct dkim_sig {
	enum dkim_kind kind;
	const struct dkim_field *field;
	enum dkim_status early; /* not DKIM_NONE: decided by its form, why says how */
	struct str why;
	struct str domain, selector, identity, algorithm, b_text, h;
	struct str b_raw, signature, body_hash;
	enum dkim_key_type type;
	enum dkim_canon header, body;
	bool length_used;
	int64_t length, signed_s, expires_s;
	unsigned instance; /* ARC */
	struct str cv;     /* ARC-Seal */
	struct dkim_body *body_slot;
	struct dkim_lookup *key;
};
/* Never fails: what is wrong is in early and why. */
void dkim_sig_parse(struct arena *a, enum dkim_kind kind, const struct dkim_field *field,
	int64_t now_s, struct dkim_sig *out);
__attribute__((format(printf, 4, 5))) void dkim_sig_decide(
	struct arena *a, struct dkim_sig *sig, enum dkim_status status, const char *fmt, ...);

/* --- dkim_lookup.c: keys from the DNS --- */

struct dkim_found { /* one TXT record */
	bool usable;
	struct dkim_record record;
	struct dkim_key *key; /* NULL: revoked, or it cannot be read */
	const char *why;
};
struct dkim_lookup { /* one name */
	struct dkim_lookup *next;
	const char *name;
	struct arena *arena; /* of the answer; its own thread's */
	struct dns_answer answer;
	bool asked;
	struct dkim_found found[DKIM_RECORDS_MAX];
	size_t count;
};
struct dkim_lookups {
	struct dkim_lookup *first, **end;
	size_t count;
};
/* The look-up for a key, the same one for the same name. */
struct dkim_lookup *dkim_lookups_add(
	struct dkim_lookups *l, struct arena *a, struct str selector, struct str domain);
/* Asks all that were not asked yet, side by side. */
void dkim_lookups_run(struct dkim_lookups *l, const struct dns_asker *q);
void dkim_lookups_free(struct dkim_lookups *l);

/* --- dkim_verify.c --- */

struct dkim_verdict {
	enum dkim_status status;
	struct str why;
	unsigned key_bits;
	bool authentic, testing;
	struct str services;
};

struct dkim_verifier {
	struct arena *arena;
	int64_t now_s;
	struct dkim_fields fields;
	struct dkim_sig *sigs;
	size_t sig_count, sig_left_out;
	struct arc_chain *arc; /* NULL: no ARC fields */
	struct dkim_bodies bodies;
	struct dkim_lookups lookups;
};

/* Takes over the body hash and key look-up that a signature needs. */
void dkim_verifier_need(struct dkim_verifier *v, struct dkim_sig *sig);
/* Is hash what sig signs, by its key as looked up? Body hashes are compared too. */
void dkim_verdict_find(struct dkim_verifier *v, const struct dkim_sig *sig,
	const unsigned char hash[DKIM_HASH], struct arena *a, struct dkim_verdict *out);
/* The header hash of a DKIM-Signature or ARC-Message-Signature. */
void dkim_verifier_hash(
	struct dkim_verifier *v, const struct dkim_sig *sig, unsigned char hash[DKIM_HASH]);

/* --- arc_chain.c --- */

struct arc_set_in {
	struct dkim_sig seal, message;
	const struct dkim_field *results;
	struct str results_text; /* after "i=N;" */
	unsigned seals, messages, results_count;
};
struct arc_chain {
	struct arc_set_in *sets; /* by instance, from 1 */
	unsigned highest;
	bool cv_fail;
	struct str broken; /* what is wrong with the structure; empty: nothing */
};
/* Reads the ARC fields and takes over what they need. */
void arc_chain_read(struct dkim_verifier *v);

/* --- dkim_sign.c --- */

struct dkim_signing { /* one signature to be made */
	struct dkim_selector selector;
	struct dkim_body *body;
};
struct dkim_signer {
	struct arena *arena;
	struct dkim_fields fields;
	struct dkim_bodies bodies;
	struct dkim_signing signings[DKIM_SELECTORS_MAX];
	size_t count;
	int64_t now_s;
	/* ARC: */
	struct str results;
	const struct arc_result *chain;
};
struct dkim_signer *dkim_signer_open(struct str header, int64_t now_s);
/* The fields to sign as h= wants them, after the selector's settings. */
struct str dkim_signer_names(struct dkim_signer *s, const struct dkim_selector *sel,
	const struct str *more, size_t more_count);

struct dkim_writer { /* a field with tags, folded */
	struct buf b;
	size_t line; /* octets in the last line */
};
void dkim_writer_open(struct dkim_writer *w, const char *name);
void dkim_writer_tag(struct dkim_writer *w, const char *tag, struct str value); /* "tag=value;" */
void dkim_writer_names(struct dkim_writer *w, struct str names);                /* h= */
/* Adds "b="; *out is then what goes into the hash last, good until more is added. */
void dkim_writer_b(struct dkim_writer *w, struct dkim_signed *out);
/* Adds the signature and the line end. */
int dkim_writer_sign(struct dkim_signer *s, struct dkim_writer *w, struct dkim_key *key,
	const unsigned char hash[DKIM_HASH], struct err *err) MUST_USE;
/* Both, over the fields named. */
int dkim_signer_sign(struct dkim_signer *s, struct dkim_writer *w, const struct dkim_selector *sel,
	struct str names, struct err *err) MUST_USE;
struct str dkim_hash_text(struct arena *a, const unsigned char hash[DKIM_HASH]);
struct str dkim_number_text(struct arena *a, int64_t n);
const char *dkim_canon_text(enum dkim_canon c);
/* 0 when the message has exactly one From field; else -1 with the reason. */
int dkim_signer_from_check(const struct dkim_signer *s, struct err *err) MUST_USE;

#endif
