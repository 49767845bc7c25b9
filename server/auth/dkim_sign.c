/* Making signatures, RFC 6376 section 5. */
#include "auth/dkim_priv.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_OCTETS = 76 };

const struct str dkim_headers_default[] = {
	{"From", 4},
	{"To", 2},
	{"Cc", 2},
	{"Bcc", 3},
	{"Reply-To", 8},
	{"References", 10},
	{"In-Reply-To", 11},
	{"Subject", 7},
	{"Date", 4},
	{"Message-ID", 10},
	{"Content-Type", 12},
};
const size_t dkim_header_default_count =
	sizeof(dkim_headers_default) / sizeof(dkim_headers_default[0]);

/* --- writing a field --- */

void dkim_writer_open(struct dkim_writer *w, const char *name)
{
	*w = (struct dkim_writer){.line = strlen(name) + 1};
	buf_printf(&w->b, "%s:", name);
}

/* A piece that is not cut; on a new line when this one is full. */
static void piece_add(struct dkim_writer *w, struct str piece, bool space)
{
	if (w->line + piece.len + 1 > LINE_MAX_OCTETS) {
		buf_text(&w->b, "\r\n\t");
		w->line = 8;
	} else if (space) {
		buf_byte(&w->b, ' ');
		w->line++;
	}
	buf_raw(&w->b, piece);
	w->line += piece.len;
}

void dkim_writer_tag(struct dkim_writer *w, const char *tag, struct str value)
{
	struct buf whole = {NULL, 0, 0};

	buf_printf(&whole, "%s=%.*s;", tag, STR_FMT(value));
	piece_add(w, buf_str(&whole), true);
	buf_free(&whole);
}

/* Cut after ":" where a line is full. */
void dkim_writer_names(struct dkim_writer *w, struct str names)
{
	piece_add(w, STR("h="), true);
	while (names.len > 0) {
		size_t n = 0;
		while (n < names.len && names.p[n] != ':')
			n++;
		n += n < names.len;
		piece_add(w, (struct str){names.p, n}, false);
		names = str_skip(names, n);
	}
	buf_byte(&w->b, ';');
	w->line++;
}

/* Cut anywhere. */
static void base64_add(struct dkim_writer *w, struct str text)
{
	while (text.len > 0) {
		size_t n = w->line < LINE_MAX_OCTETS ? LINE_MAX_OCTETS - w->line : 0;
		if (n > text.len)
			n = text.len;
		buf_raw(&w->b, (struct str){text.p, n});
		text = str_skip(text, n);
		if (text.len > 0)
			buf_text(&w->b, "\r\n\t");
		w->line = 8;
	}
}

/* --- signer --- */

struct dkim_signer *dkim_signer_open(struct str header, int64_t now_s)
{
	struct dkim_signer *s = mem_alloc(sizeof(*s));

	s->arena = arena_open();
	s->now_s = now_s;
	dkim_fields_read(s->arena, header, &s->fields);
	return s;
}

struct dkim_signer *dkim_signer_new(
	struct str header, const struct dkim_selector *selectors, size_t count, int64_t now_s)
{
	struct dkim_signer *s = dkim_signer_open(header, now_s);

	for (size_t i = 0; i < count && i < DKIM_SELECTORS_MAX; i++)
		s->signings[s->count++] = (struct dkim_signing){.selector = selectors[i],
			.body = dkim_bodies_want(&s->bodies, selectors[i].body, -1)};
	return s;
}

void dkim_signer_feed(struct dkim_signer *s, struct str piece)
{
	dkim_bodies_feed(&s->bodies, piece);
}

void dkim_signer_free(struct dkim_signer **s)
{
	if (*s == NULL)
		return;
	dkim_bodies_free(&(*s)->bodies);
	arena_close(&(*s)->arena);
	free(*s);
	*s = NULL;
}

static void names_add(struct dkim_signer *s, struct buf *b, struct str name, bool seal)
{
	size_t n = dkim_fields_count(&s->fields, name) + (seal ? 1 : 0);

	/* Each time it is there; a message with thousands of them is signed less firmly. */
	for (size_t i = 0; i < n && i < 100; i++) {
		if (b->len > 0)
			buf_byte(b, ':');
		buf_raw(b, name);
	}
}

struct str dkim_signer_names(struct dkim_signer *s, const struct dkim_selector *sel,
	const struct str *more, size_t more_count)
{
	const struct str *names = sel->headers ? sel->headers : dkim_headers_default;
	size_t count = sel->headers ? sel->header_count : dkim_header_default_count;
	struct buf b = {NULL, 0, 0};
	bool from = false;

	for (size_t i = 0; i < count; i++) {
		bool twice = false;
		for (size_t k = 0; k < i && !twice; k++)
			twice = str_eq_nocase(names[k], names[i]);
		from = from || str_eq_nocase(names[i], STR("From"));
		if (!twice)
			names_add(s, &b, names[i], sel->seal == DKIM_SEAL);
	}
	if (!from)
		names_add(s, &b, STR("From"), sel->seal == DKIM_SEAL);
	for (size_t i = 0; i < more_count; i++)
		names_add(s, &b, more[i], false);
	struct str out = arena_str(s->arena, buf_str(&b));
	buf_free(&b);
	return out;
}

struct str dkim_number_text(struct arena *a, int64_t n)
{
	return str_from(arena_printf(a, "%lld", (long long)n));
}

struct str dkim_hash_text(struct arena *a, const unsigned char hash[DKIM_HASH])
{
	struct buf b = {NULL, 0, 0};

	buf_base64(&b, hash, DKIM_HASH);
	struct str out = arena_str(a, buf_str(&b));
	buf_free(&b);
	return out;
}

const char *dkim_canon_text(enum dkim_canon c)
{
	return c == DKIM_SIMPLE ? "simple" : "relaxed";
}

void dkim_writer_b(struct dkim_writer *w, struct dkim_signed *out)
{
	struct str whole;

	piece_add(w, STR("b="), true);
	whole = buf_str(&w->b);
	*out = (struct dkim_signed){.value = whole};
	(void)str_split(whole, ':', &out->name, &out->value);
}

int dkim_writer_sign(struct dkim_signer *s, struct dkim_writer *w, struct dkim_key *key,
	const unsigned char hash[DKIM_HASH], struct err *err)
{
	struct buf b64 = {NULL, 0, 0};
	struct str sig;

	if (dkim_key_sign(s->arena, key, hash, &sig, err) < 0)
		return -1;
	buf_base64(&b64, sig.p, sig.len);
	base64_add(w, buf_str(&b64));
	buf_text(&w->b, "\r\n");
	buf_free(&b64);
	return 0;
}

/* The last tag of a DKIM-Signature or ARC-Message-Signature. */
int dkim_signer_sign(struct dkim_signer *s, struct dkim_writer *w, const struct dkim_selector *sel,
	struct str names, struct err *err)
{
	unsigned char hash[DKIM_HASH];
	struct dkim_signed last;

	dkim_writer_b(w, &last);
	dkim_header_hash(&s->fields, names, sel->header, &last, hash);
	return dkim_writer_sign(s, w, sel->key, hash, err);
}

static int signing_write(
	struct dkim_signer *s, const struct dkim_signing *one, struct buf *out, struct err *err)
{
	const struct dkim_selector *sel = &one->selector;
	struct dkim_writer w;
	struct str names = dkim_signer_names(s, sel, NULL, 0);

	dkim_writer_open(&w, "DKIM-Signature");
	dkim_writer_tag(&w, "v", STR("1"));
	dkim_writer_tag(&w, "a",
		dkim_key_type(sel->key) == DKIM_ED25519 ? STR("ed25519-sha256")
							: STR("rsa-sha256"));
	dkim_writer_tag(&w, "c",
		str_from(arena_printf(s->arena, "%s/%s", dkim_canon_text(sel->header),
			dkim_canon_text(sel->body))));
	dkim_writer_tag(&w, "d", sel->domain);
	dkim_writer_tag(&w, "s", sel->selector);
	if (sel->identity.len > 0)
		dkim_writer_tag(&w, "i", sel->identity);
	dkim_writer_tag(&w, "t", dkim_number_text(s->arena, s->now_s));
	if (sel->expiration_s > 0)
		dkim_writer_tag(&w, "x", dkim_number_text(s->arena, s->now_s + sel->expiration_s));
	dkim_writer_names(&w, names);
	dkim_writer_tag(&w, "bh", dkim_hash_text(s->arena, one->body->hash));
	int rc = dkim_signer_sign(s, &w, sel, names, err);
	if (rc == 0)
		buf_raw(out, buf_str(&w.b));
	buf_free(&w.b);
	return rc;
}

int dkim_signer_from_check(const struct dkim_signer *s, struct err *err)
{
	size_t from = dkim_fields_count(&s->fields, STR("From"));

	if (from == 1)
		return 0;
	return err_set(err, ERR_PERM,
		from == 0 ? "no From field: a message without one is not signed"
			  : "several From fields: such a message is not signed");
}

int dkim_signer_finish(struct dkim_signer *s, struct buf *out, struct err *err)
{
	if (dkim_signer_from_check(s, err) < 0)
		return -1;
	dkim_bodies_finish(&s->bodies);
	for (size_t i = 0; i < s->count; i++) {
		if (signing_write(s, &s->signings[i], out, err) < 0)
			return -1;
	}
	return 0;
}
