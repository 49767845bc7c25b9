/* address-list = address *( "," address )        RFC 5322 3.4, with what 4.4 calls obsolete:
 * address      = mailbox / phrase ":" [ list ] ";"
 * mailbox      = [ phrase ] "<" [ route ":" ] addr-spec ">" / addr-spec
 * Comments and folding may stand between any two tokens. */
#include "message/message.h"

enum { COMMENT_DEPTH_MAX = 32 };

struct scan {
	struct arena *arena;
	struct str rest;
	/* Of the address being read: its tokens with one space between words, quotes taken
	 * off; and its tokens as written, without space: what an addr-spec is made of. */
	char *phrase, *spec;
	size_t phrase_len, spec_len;
	bool space; /* there was some before the next token */
	bool gap;   /* and it parted two words of spec: no addr-spec then */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int comment_skip(struct scan *s, struct err *err)
{
	size_t depth = 0;

	for (size_t i = 0; i < s->rest.len; i++) {
		char c = s->rest.p[i];

		if (c == '\\')
			i++;
		else if (c == '(' && ++depth > COMMENT_DEPTH_MAX)
			return err_set(err, ERR_PERM, "comments nested too deep");
		else if (c == ')' && --depth == 0) {
			s->rest = str_skip(s->rest, i + 1);
			return 0;
		}
	}
	return err_set(err, ERR_PERM, "comment is not closed");
}

static int space_skip(struct scan *s, struct err *err)
{
	while (s->rest.len > 0) {
		if (is_space(s->rest.p[0]))
			s->rest = str_skip(s->rest, 1);
		else if (s->rest.p[0] != '(')
			break;
		else if (comment_skip(s, err) < 0)
			return -1;
		s->space = true;
	}
	return 0;
}

static void phrase_byte(struct scan *s, char c)
{
	if (s->space && s->phrase_len > 0)
		s->phrase[s->phrase_len++] = ' ';
	s->space = false;
	s->phrase[s->phrase_len++] = c;
}

/* The start of a token; inside an addr-spec space may only stand beside "." and "@". */
static void spec_start(struct scan *s, char c)
{
	char before = s->spec_len > 0 ? s->spec[s->spec_len - 1] : '@';

	if (s->space && before != '@' && before != '.' && c != '@' && c != '.')
		s->gap = true;
	s->spec[s->spec_len++] = c;
}

static int quoted_take(struct scan *s, struct err *err)
{
	size_t i = 1;

	spec_start(s, '"');
	while (i < s->rest.len && s->rest.p[i] != '"') {
		if (s->rest.p[i] == '\r' || s->rest.p[i] == '\n') {
			i++; /* folding inside the quotes */
			continue;
		}
		if (s->rest.p[i] == '\\' && i + 1 < s->rest.len)
			s->spec[s->spec_len++] = s->rest.p[i++];
		s->spec[s->spec_len++] = s->rest.p[i];
		phrase_byte(s, s->rest.p[i++]);
	}
	if (i >= s->rest.len)
		return err_set(err, ERR_PERM, "quote is not closed");
	s->spec[s->spec_len++] = '"';
	s->rest = str_skip(s->rest, i + 1);
	return 0;
}

/* Takes tokens up to one of the stop characters, which stays; *stop is it, or NUL. */
static int tokens_take(struct scan *s, const char *stops, char *stop, struct err *err)
{
	s->spec_len = 0;
	s->gap = false;
	for (;;) {
		char c;

		if (space_skip(s, err) < 0)
			return -1;
		c = s->rest.len > 0 ? s->rest.p[0] : '\0';
		if (s->rest.len == 0 || (c != '\0' && strchr(stops, c) != NULL)) {
			*stop = c;
			return 0;
		}
		if (c == '"') {
			if (quoted_take(s, err) < 0)
				return -1;
			continue;
		}
		if (c == '\0')
			return err_set(err, ERR_PERM, "NUL in an address");
		spec_start(s, c);
		phrase_byte(s, c);
		s->rest = str_skip(s->rest, 1);
	}
}

/* The inside of "<...>"; the phrase before it stays as it is. */
static int angle_take(struct scan *s, struct err *err)
{
	size_t phrase_len = s->phrase_len;
	char stop;

	s->rest = str_skip(s->rest, 1);
	if (tokens_take(s, "><,;", &stop, err) < 0)
		return -1;
	while (stop == ',' && s->spec_len > 0 && s->spec[0] == '@') { /* route of several hosts */
		s->rest = str_skip(s->rest, 1);
		if (tokens_take(s, "><,;", &stop, err) < 0)
			return -1;
	}
	s->phrase_len = phrase_len;
	if (stop != '>')
		return err_set(err, ERR_PERM, "\"<\" is not closed by \">\"");
	s->rest = str_skip(s->rest, 1);
	if (s->spec_len > 0 && s->spec[0] == '@') {
		char *colon = memchr(s->spec, ':', s->spec_len);

		if (colon == NULL)
			return err_set(err, ERR_PERM, "source route without \":\"");
		s->spec_len -= (size_t)(colon + 1 - s->spec);
		memmove(s->spec, colon + 1, s->spec_len);
	}
	return 0;
}

static int mailbox_add(struct scan *s, bool named, struct message_mailbox *out, size_t max,
	size_t *count, struct err *err)
{
	struct str spec = {s->spec, s->spec_len};

	if (s->gap)
		return err_set(err, ERR_PERM, "several words where an address should be");
	if (*count >= max)
		return err_set(err, ERR_PERM, "over %zu addresses", max);
	out += *count;
	*out = (struct message_mailbox){.name = {"", 0}};
	if (named && s->phrase_len > 0)
		out->name = arena_str(s->arena, (struct str){s->phrase, s->phrase_len});
	/* The scratch space is used again for the next address. */
	if (message_address_parse(s->arena, arena_str(s->arena, spec), &out->address, err) < 0)
		return -1;
	(*count)++;
	return 0;
}

int message_mailboxes_parse(struct arena *a, struct str value, struct message_mailbox *out,
	size_t max, size_t *count, struct err *err)
{
	struct scan s = {.arena = a, .rest = value};
	char stop;

	*count = 0;
	/* A token grows by at most a space before it. */
	s.phrase = arena_alloc(a, 2 * value.len + 2);
	s.spec = arena_alloc(a, value.len + 2);
	while (s.rest.len > 0) {
		bool named = false, taken;

		s.phrase_len = 0;
		s.space = false;
		if (tokens_take(&s, "<>,;:", &stop, err) < 0)
			return -1;
		if (stop == ':' || stop == '>') { /* a group begins: its name is not an address */
			if (stop == '>' || s.phrase_len == 0)
				return err_set(err, ERR_PERM, "\"%c\" is out of place", stop);
			s.rest = str_skip(s.rest, 1);
			continue;
		}
		taken = s.spec_len > 0;
		if (stop == '<') {
			if (angle_take(&s, err) < 0 || space_skip(&s, err) < 0)
				return -1;
			named = taken = true;
			stop = s.rest.len > 0 ? s.rest.p[0] : '\0';
			if (s.rest.len > 0 && stop != ',' && stop != ';')
				return err_set(err, ERR_PERM, "text after \">\"");
		}
		if (taken && mailbox_add(&s, named, out, max, count, err) < 0)
			return -1;
		if (s.rest.len > 0)
			s.rest = str_skip(s.rest, 1);
	}
	return 0;
}
