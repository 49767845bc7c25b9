/* Body canonicalization (RFC 6376 sections 3.4.3 and 3.4.4) as a stream. Both forms hold line
 * ends back until something follows, so that empty lines at the end fall away; the relaxed
 * one does so with white space too. One hash a form: where somebody wants only the first
 * octets (l=), its state is copied on the way. */
#include "auth/dkim_priv.h"

#include <stdlib.h>

struct dkim_body *dkim_bodies_want(struct dkim_bodies *b, enum dkim_canon canon, int64_t length)
{
	struct dkim_stream *s = &b->streams[canon];
	struct dkim_body *body;
	size_t at;

	for (size_t i = 0; i < b->count; i++) {
		if (b->at[i].canon == canon && b->at[i].length == length)
			return &b->at[i];
	}
	if (b->count == DKIM_BODIES_MAX || b->started)
		return NULL;
	body = &b->at[b->count++];
	*body = (struct dkim_body){.canon = canon, .length = length};
	s->canon = canon;
	/* By length, those for all of it last. */
	for (at = s->wanted_count; at > 0; at--) {
		const struct dkim_body *before = s->wanted[at - 1];
		if (length == -1 || (before->length != -1 && before->length <= length))
			break;
		s->wanted[at] = s->wanted[at - 1];
	}
	s->wanted[at] = body;
	s->wanted_count++;
	return body;
}

static void md_fail(void)
{
	abort(); /* SHA-256 fails only without memory */
}

static void stream_start(struct dkim_stream *s)
{
	if (s->wanted_count == 0)
		return;
	s->md = EVP_MD_CTX_new();
	if (s->md == NULL || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1)
		md_fail();
}

static void md_add(struct dkim_stream *s, const unsigned char *p, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(s->md, p, n) != 1)
		md_fail();
	s->octets += n;
}

static void snapshot(const struct dkim_stream *s, struct dkim_body *body)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	if (copy == NULL || EVP_MD_CTX_copy_ex(copy, s->md) != 1 ||
		EVP_DigestFinal_ex(copy, body->hash, NULL) != 1)
		md_fail();
	EVP_MD_CTX_free(copy);
	body->done = true;
}

/* Hashes what is in out, stopping where a length is reached. */
static void flush(struct dkim_stream *s)
{
	const unsigned char *p = s->out;
	size_t n = s->out_len;

	while (s->next < s->wanted_count && s->wanted[s->next]->length >= 0 &&
		(uint64_t)s->wanted[s->next]->length <= s->octets + n) {
		size_t part = (size_t)((uint64_t)s->wanted[s->next]->length - s->octets);
		md_add(s, p, part);
		p += part;
		n -= part;
		snapshot(s, s->wanted[s->next]);
		s->next++;
	}
	if (s->next < s->wanted_count) /* else nobody wants more of it */
		md_add(s, p, n);
	s->out_len = 0;
}

static void put(struct dkim_stream *s, const char *p, size_t n)
{
	while (n > 0) {
		size_t part = sizeof(s->out) - s->out_len;
		if (part > n)
			part = n;
		memcpy(s->out + s->out_len, p, part);
		s->out_len += part;
		p += part;
		n -= part;
		if (s->out_len == sizeof(s->out))
			flush(s);
	}
}

/* Something that is neither a line end nor white space that may fall away. */
static void content(struct dkim_stream *s, const char *p, size_t n)
{
	for (; s->line_ends > 0; s->line_ends--)
		put(s, "\r\n", 2);
	if (s->space)
		put(s, " ", 1);
	s->space = false;
	s->any = s->in_line = true;
	put(s, p, n);
}

static void line_end(struct dkim_stream *s)
{
	s->line_ends++;
	s->space = s->in_line = false;
}

static void stream_feed(struct dkim_stream *s, struct str piece)
{
	const char *p = piece.p, *end = piece.p + piece.len;
	bool relaxed = s->canon == DKIM_RELAXED;

	while (p < end) {
		const char *run = p;
		if (s->cr) {
			s->cr = false;
			if (*p == '\n') {
				line_end(s);
				p++;
				continue;
			}
			content(s, "\r", 1);
		}
		if (relaxed) {
			while (p < end && *p != '\r' && *p != ' ' && *p != '\t')
				p++;
		} else {
			p = memchr(p, '\r', (size_t)(end - p));
			if (p == NULL)
				p = end;
		}
		if (p > run)
			content(s, run, (size_t)(p - run));
		if (p == end)
			break;
		if (*p == '\r')
			s->cr = true;
		else
			s->space = true;
		p++;
	}
}

static void stream_finish(struct dkim_stream *s)
{
	if (s->cr)
		content(s, "\r", 1);
	/* One line end, there or not; an empty body has one only in the simple form. */
	if (s->any || s->canon == DKIM_SIMPLE)
		put(s, "\r\n", 2);
	flush(s);
	for (; s->next < s->wanted_count && s->wanted[s->next]->length == -1; s->next++)
		snapshot(s, s->wanted[s->next]);
}

static void start(struct dkim_bodies *b)
{
	if (b->started)
		return;
	b->started = true;
	stream_start(&b->streams[DKIM_RELAXED]);
	stream_start(&b->streams[DKIM_SIMPLE]);
}

void dkim_bodies_feed(struct dkim_bodies *b, struct str piece)
{
	start(b);
	for (size_t i = 0; i < 2 && piece.len > 0; i++) {
		struct dkim_stream *s = &b->streams[i];
		if (s->next < s->wanted_count)
			stream_feed(s, piece);
	}
}

void dkim_bodies_finish(struct dkim_bodies *b)
{
	start(b);
	for (size_t i = 0; i < 2 && !b->finished; i++) {
		if (b->streams[i].next < b->streams[i].wanted_count)
			stream_finish(&b->streams[i]);
	}
	b->finished = true;
}

void dkim_bodies_free(struct dkim_bodies *b)
{
	EVP_MD_CTX_free(b->streams[DKIM_RELAXED].md);
	EVP_MD_CTX_free(b->streams[DKIM_SIMPLE].md);
}
