/* Header fields by name, the lowest first (RFC 6376 section 5.4.2), and header hashes (3.7). */
#include "auth/dkim_priv.h"

#include "base/hash.h"
#include "base/rand.h"

#include <stdlib.h>

static uint64_t name_hash(const struct dkim_fields *f, struct str name)
{
	uint64_t h = f->seed; /* strangers choose the names: not where they go */

	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);
		h = hash_more(h, &c, 1);
	}
	return h;
}

/* Where the name is in the table, or would be. */
static size_t slot_find(const struct dkim_fields *f, struct str name)
{
	size_t slot = (size_t)(name_hash(f, name) % f->table_size);

	while (f->table[slot] != 0 &&
		!str_eq_nocase(f->at[f->last[f->table[slot] - 1] - 1].name, name))
		slot = (slot + 1) % f->table_size;
	return slot;
}

/* The block up to its empty line, whatever is between. 1, 0 at the end. */
static int field_next(struct str *rest, struct message_field *field)
{
	struct err err;
	int rc;

	while ((rc = message_header_next(rest, field, &err)) < 0) {
		/* Not a field: this line is nobody's. */
		const char *lf = memchr(rest->p, '\n', rest->len);
		*rest = lf ? str_skip(*rest, (size_t)(lf - rest->p) + 1)
			   : str_skip(*rest, rest->len);
	}
	return rc;
}

void dkim_fields_read(struct arena *a, struct str header, struct dkim_fields *out)
{
	struct message_field field;
	struct str rest = header;
	size_t n = 0;

	while (n < DKIM_FIELDS_MAX && field_next(&rest, &field) == 1)
		n++;
	*out = (struct dkim_fields){.table_size = n * 2 + 1};
	rand_bytes(&out->seed, sizeof(out->seed));
	out->at = arena_alloc(a, (n + 1) * sizeof(*out->at));
	out->last = arena_alloc(a, (n + 1) * sizeof(size_t));
	out->cursor = arena_alloc(a, (n + 1) * sizeof(size_t));
	out->table = arena_alloc(a, out->table_size * sizeof(size_t));
	rest = header;
	while (out->count < n && field_next(&rest, &field) == 1) {
		struct dkim_field *to = &out->at[out->count];
		size_t slot = slot_find(out, field.name);
		*to = (struct dkim_field){
			.name = field.name, .value = field.value, .whole = field.whole};
		if (out->table[slot] == 0)
			out->table[slot] = ++out->name_count;
		to->name_id = out->table[slot] - 1;
		to->above = out->last[to->name_id];
		out->last[to->name_id] = ++out->count;
	}
}

size_t dkim_fields_count(const struct dkim_fields *f, struct str name)
{
	size_t id = f->table[slot_find(f, name)], n = 0;

	for (size_t at = id ? f->last[id - 1] : 0; at != 0; at = f->at[at - 1].above)
		n++;
	return n;
}

/* --- hashes --- */

static void md_add(struct dkim_sink *s, const void *p, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(s->md, p, n) != 1)
		abort(); /* SHA-256 fails only without memory */
}

void dkim_sink_open(struct dkim_sink *s)
{
	s->len = 0;
	s->md = EVP_MD_CTX_new();
	if (s->md == NULL || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1)
		abort();
}

void dkim_sink_close(struct dkim_sink *s, unsigned char hash[DKIM_HASH])
{
	md_add(s, s->buf, s->len);
	if (EVP_DigestFinal_ex(s->md, hash, NULL) != 1)
		abort();
	EVP_MD_CTX_free(s->md);
	s->md = NULL;
}

static void byte(struct dkim_sink *s, char c)
{
	if (s->len == sizeof(s->buf)) {
		md_add(s, s->buf, s->len);
		s->len = 0;
	}
	s->buf[s->len++] = c;
}

static void bytes(struct dkim_sink *s, struct str text)
{
	md_add(s, s->buf, s->len);
	s->len = 0;
	md_add(s, text.p, text.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 6376 section 3.4.2: name in lower case, unfolded, runs of white space as one space,
 * none at the ends. value comes in two parts, for the b= that is left out between. */
static void relaxed(struct dkim_sink *s, struct str name, struct str value, struct str more)
{
	struct str parts[2] = {value, more};
	bool space = false, any = false;

	for (size_t i = 0; i < name.len; i++)
		byte(s, ascii_lower(name.p[i]));
	byte(s, ':');
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < parts[k].len; i++) {
			char c = parts[k].p[i];
			if (is_space(c)) {
				space = true;
				continue;
			}
			if (space && any)
				byte(s, ' ');
			space = false;
			any = true;
			byte(s, c);
		}
	}
}

void dkim_sink_relaxed(struct dkim_sink *s, struct str name, struct str value)
{
	relaxed(s, name, value, STR(""));
	byte(s, '\r');
	byte(s, '\n');
}

void dkim_sink_signature(struct dkim_sink *s, const struct dkim_signed *sig, enum dkim_canon canon)
{
	struct str before = sig->value, after = STR("");

	if (sig->b_raw.p != NULL) {
		before.len = (size_t)(sig->b_raw.p - sig->value.p);
		after = str_skip(sig->value, before.len + sig->b_raw.len);
	}
	if (canon == DKIM_RELAXED) {
		relaxed(s, sig->name, before, after);
		return;
	}
	/* As it stands: what is between name and value too. */
	bytes(s, (struct str){sig->name.p, (size_t)(before.p + before.len - sig->name.p)});
	bytes(s, after);
}

void dkim_header_hash(struct dkim_fields *f, struct str h, enum dkim_canon canon,
	const struct dkim_signed *sig, unsigned char hash[DKIM_HASH])
{
	struct dkim_sink sink;
	struct str name;

	dkim_sink_open(&sink);
	memcpy(f->cursor, f->last, f->name_count * sizeof(size_t));
	while (dkim_list_next(&h, ':', &name)) {
		size_t id = f->table[slot_find(f, name)];
		size_t at = id ? f->cursor[id - 1] : 0;
		if (at == 0)
			continue; /* named more often than it is there: nothing, on purpose */
		const struct dkim_field *field = &f->at[at - 1];
		f->cursor[id - 1] = field->above;
		if (canon == DKIM_RELAXED) {
			dkim_sink_relaxed(&sink, field->name, field->value);
		} else {
			bytes(&sink, field->whole);
			if (!str_ends(field->whole, STR("\n"))) /* the text ended with it */
				bytes(&sink, STR("\r\n"));
		}
	}
	dkim_sink_signature(&sink, sig, canon);
	dkim_sink_close(&sink, hash);
}
