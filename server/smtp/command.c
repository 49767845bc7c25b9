#include "smtp/command.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	struct str name;
	enum smtp_verb verb;
} verbs[] = {
	{{"MAIL", 4}, SMTP_MAIL},
	{{"RCPT", 4}, SMTP_RCPT},
	{{"DATA", 4}, SMTP_DATA},
	{{"EHLO", 4}, SMTP_EHLO},
	{{"QUIT", 4}, SMTP_QUIT},
	{{"RSET", 4}, SMTP_RSET},
	{{"BDAT", 4}, SMTP_BDAT},
	{{"STARTTLS", 8}, SMTP_STARTTLS},
	{{"AUTH", 4}, SMTP_AUTH},
	{{"NOOP", 4}, SMTP_NOOP},
	{{"HELO", 4}, SMTP_HELO},
	{{"VRFY", 4}, SMTP_VRFY},
	{{"EXPN", 4}, SMTP_EXPN},
	{{"HELP", 4}, SMTP_HELP},
};

__attribute__((format(printf, 4, 5))) static int refuse(
	struct smtp_refusal *r, int code, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	r->code = code;
	r->ecode = ecode;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	return -1;
}

/* 0 to 15, or -1. */
static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool smtp_xtext_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c == '+') {
			if (s.len - i < 3)
				return false;
			int high = hex_value(s.p[i + 1]), low = hex_value(s.p[i + 2]);
			if (high < 2 || high > 7 || low < 0 || (high == 7 && low == 15))
				return false;
			i += 2;
		} else if (c < '!' || c > '~' || c == '=')
			return false;
	}
	return s.len > 0;
}

/* The octets up to the ">" that closes a path; quoted strings may hold one. */
static const char *path_end(struct str s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '>' && !quoted)
			return s.p + i;
	}
	return NULL;
}

/* "@a,@b:" in front of a mailbox is accepted and ignored, RFC 5321 appendix F.2. */
static bool source_route_skip(struct str *path)
{
	struct str route, mailbox;

	if (path->len == 0 || path->p[0] != '@')
		return true;
	if (!str_split(*path, ':', &route, &mailbox) || memchr(route.p, '"', route.len) != NULL)
		return false;
	*path = mailbox;
	return true;
}

/* "FROM:<path> params": gives the path without brackets and the rest. */
static int path_parse(struct arena *a, struct str prefix, struct smtp_command *c,
	struct str *params, struct smtp_refusal *r)
{
	struct str s = c->arg, path;
	struct err err;

	if (!str_starts_nocase(s, prefix))
		return refuse(r, 501, "5.5.4", "Syntax: %s%s<address>",
			c->verb == SMTP_MAIL ? "MAIL " : "RCPT ", prefix.p);
	s = str_trim(str_skip(s, prefix.len));
	const char *end = s.len > 0 && s.p[0] == '<' ? path_end(str_skip(s, 1)) : NULL;
	if (end == NULL)
		return refuse(r, 501, "5.1.7", "The address must be in angle brackets");
	path = (struct str){s.p + 1, (size_t)(end - s.p) - 1};
	*params = str_skip(s, (size_t)(end - s.p) + 1);
	if (params->len > 0 && params->p[0] != ' ')
		return refuse(r, 501, "5.5.4", "Garbage after the address");
	if (c->verb == SMTP_MAIL && path.len == 0) {
		c->null_path = true;
		return 0;
	}
	if (c->verb == SMTP_RCPT && str_eq_nocase(path, STR("postmaster"))) {
		c->postmaster = true;
		return 0;
	}
	if (!source_route_skip(&path) || message_address_parse(a, path, &c->address, &err) < 0)
		return refuse(
			r, 501, c->verb == SMTP_MAIL ? "5.1.7" : "5.1.3", "Bad address syntax");
	return 0;
}

enum param {
	PARAM_SIZE = 1,
	PARAM_BODY = 2,
	PARAM_SMTPUTF8 = 4,
	PARAM_REQUIRETLS = 8,
	PARAM_RET = 16,
	PARAM_ENVID = 32,
	PARAM_AUTH = 64,
	PARAM_NOTIFY = 128,
	PARAM_ORCPT = 256
};

static int mail_param(struct smtp_command *c, enum param p, struct str value, bool has_value)
{
	uint64_t n;

	switch (p) {
	case PARAM_SIZE:
		if (!str_to_u64(value, INT64_MAX, &n))
			return -1;
		c->has_size = true;
		c->size = (int64_t)n;
		return 0;
	case PARAM_BODY:
		c->body =
			str_eq_nocase(value, STR("8BITMIME")) ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
		return c->body == SMTP_BODY_8BITMIME || str_eq_nocase(value, STR("7BIT")) ? 0 : -1;
	case PARAM_SMTPUTF8:
		c->smtputf8 = true;
		return has_value ? -1 : 0;
	case PARAM_REQUIRETLS:
		c->requiretls = true;
		return has_value ? -1 : 0;
	case PARAM_RET:
		c->ret = str_eq_nocase(value, STR("FULL")) ? STORE_RET_FULL : STORE_RET_HDRS;
		return c->ret == STORE_RET_FULL || str_eq_nocase(value, STR("HDRS")) ? 0 : -1;
	case PARAM_ENVID:
		c->envid = value;
		return value.len <= SMTP_ENVID_MAX && smtp_xtext_valid(value) ? 0 : -1;
	case PARAM_AUTH: /* RFC 4954 section 5: read over, nobody is trusted to assert it */
		return smtp_xtext_valid(value) ? 0 : -1;
	case PARAM_NOTIFY:
	case PARAM_ORCPT:
		break;
	}
	return -1;
}

static int notify_parse(struct str value, unsigned *notify)
{
	struct str word;

	*notify = 0;
	if (value.len == 0)
		return -1;
	while (str_next(&value, ',', &word)) {
		if (str_eq_nocase(word, STR("NEVER")))
			*notify |= STORE_NOTIFY_NEVER;
		else if (str_eq_nocase(word, STR("SUCCESS")))
			*notify |= STORE_NOTIFY_SUCCESS;
		else if (str_eq_nocase(word, STR("FAILURE")))
			*notify |= STORE_NOTIFY_FAILURE;
		else if (str_eq_nocase(word, STR("DELAY")))
			*notify |= STORE_NOTIFY_DELAY;
		else
			return -1;
	}
	/* NEVER stands alone. */
	return (*notify & STORE_NOTIFY_NEVER) != 0 && *notify != STORE_NOTIFY_NEVER ? -1 : 0;
}

/* ORCPT=type;address, RFC 3461 4.2; UTF-8 as it is only in type utf-8 (RFC 6533 3). */
static bool orcpt_valid(struct str value)
{
	struct str type, address;

	if (value.len > SMTP_ORCPT_MAX || !str_split(value, ';', &type, &address) ||
		!smtp_xtext_valid(type) || address.len == 0)
		return false;
	if (str_eq_nocase(type, STR("utf-8")) && !str_is_ascii(address))
		return memchr(address.p, '=', address.len) == NULL &&
		       memchr(address.p, 0x7f, address.len) == NULL;
	return smtp_xtext_valid(address);
}

static int rcpt_param(struct smtp_command *c, enum param p, struct str value)
{
	if (p == PARAM_NOTIFY)
		return notify_parse(value, &c->notify);
	c->orcpt = value;
	return orcpt_valid(value) ? 0 : -1;
}

static enum param param_find(enum smtp_verb verb, struct str name)
{
	static const struct {
		struct str name;
		enum smtp_verb verb;
		enum param param;
	} known[] = {
		{{"SIZE", 4}, SMTP_MAIL, PARAM_SIZE},
		{{"BODY", 4}, SMTP_MAIL, PARAM_BODY},
		{{"SMTPUTF8", 8}, SMTP_MAIL, PARAM_SMTPUTF8},
		{{"REQUIRETLS", 10}, SMTP_MAIL, PARAM_REQUIRETLS},
		{{"RET", 3}, SMTP_MAIL, PARAM_RET},
		{{"ENVID", 5}, SMTP_MAIL, PARAM_ENVID},
		{{"AUTH", 4}, SMTP_MAIL, PARAM_AUTH},
		{{"NOTIFY", 6}, SMTP_RCPT, PARAM_NOTIFY},
		{{"ORCPT", 5}, SMTP_RCPT, PARAM_ORCPT},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].verb == verb && str_eq_nocase(known[i].name, name))
			return known[i].param;
	}
	return 0;
}

static int params_parse(struct smtp_command *c, struct str params, struct smtp_refusal *r)
{
	unsigned seen = 0;
	struct str word;

	params = str_trim(params);
	while (params.len > 0 && str_next(&params, ' ', &word)) {
		struct str name = word, value = {NULL, 0};
		if (word.len == 0)
			continue;
		bool has_value = str_split(word, '=', &name, &value);
		enum param p = param_find(c->verb, name);
		if (p == 0)
			return refuse(r, 555, "5.5.4", "Unknown parameter %.*s",
				name.len < 40 ? (int)name.len : 40, name.p);
		if ((seen & p) != 0)
			return refuse(r, 501, "5.5.4", "A parameter is there twice");
		seen |= p;
		int rc = c->verb == SMTP_MAIL ? mail_param(c, p, value, has_value)
					      : rcpt_param(c, p, value);
		if (rc < 0)
			return refuse(
				r, 501, "5.5.4", "Bad value of parameter %.*s", STR_FMT(name));
	}
	return 0;
}

static int bdat_parse(struct smtp_command *c, struct smtp_refusal *r)
{
	struct str size = c->arg, word = {NULL, 0};
	uint64_t n;

	str_split(c->arg, ' ', &size, &word);
	word = str_trim(word);
	c->last = str_eq_nocase(word, STR("LAST"));
	if (!str_to_u64(size, INT64_MAX, &n) || (word.len > 0 && !c->last))
		return refuse(r, 501, "5.5.4", "Syntax: BDAT size [LAST]");
	c->chunk = (int64_t)n;
	return 0;
}

/* RFC 5321 4.1.2 Domain or literal, kept loose: names without a dot and with underscores
 * are common, controls and spaces are not. */
static bool helo_valid(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c <= ' ' || c == 0x7f || c == '(' || c == ')' || c == '<' || c == '>' ||
			c == '"')
			return false;
	}
	return name.len > 0 && name.len <= MESSAGE_DOMAIN_MAX && utf8_valid(name);
}

static int argument_check(struct arena *a, struct smtp_command *c, struct smtp_refusal *r)
{
	struct str params;

	switch (c->verb) {
	case SMTP_MAIL:
		if (path_parse(a, STR("FROM:"), c, &params, r) < 0)
			return -1;
		return params_parse(c, params, r);
	case SMTP_RCPT:
		if (path_parse(a, STR("TO:"), c, &params, r) < 0)
			return -1;
		return params_parse(c, params, r);
	case SMTP_BDAT:
		return bdat_parse(c, r);
	case SMTP_EHLO:
	case SMTP_HELO:
		return helo_valid(c->arg) ? 0 : refuse(r, 501, "5.5.4", "Bad name in the greeting");
	case SMTP_DATA:
	case SMTP_RSET:
	case SMTP_QUIT:
	case SMTP_STARTTLS:
		return c->arg.len == 0 ? 0 : refuse(r, 501, "5.5.4", "No argument here");
	case SMTP_VRFY:
	case SMTP_EXPN:
	case SMTP_AUTH:
		return c->arg.len > 0 ? 0 : refuse(r, 501, "5.5.4", "An argument is missing");
	case SMTP_UNKNOWN:
	case SMTP_NOOP:
	case SMTP_HELP:
		break;
	}
	return 0;
}

static bool http_verb(struct str word)
{
	static const struct str words[] = {{"GET", 3}, {"POST", 4}, {"PUT", 3}, {"HEAD", 4},
		{"DELETE", 6}, {"OPTIONS", 7}, {"CONNECT", 7}, {"PRI", 3}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (str_eq_nocase(word, words[i]))
			return true;
	}
	return false;
}

int smtp_command_parse(
	struct arena *a, struct str line, struct smtp_command *out, struct smtp_refusal *refusal)
{
	struct str word = line, rest = {NULL, 0};

	*out = (struct smtp_command){.verb = SMTP_UNKNOWN};
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];
		if (c < ' ' || c == 0x7f)
			return refuse(refusal, 500, "5.5.2",
				c == '\r' ? "Bare CR in the command"
					  : "Control character in the command");
	}
	if (!utf8_valid(line))
		return refuse(refusal, 500, "5.5.2", "The command is not valid UTF-8");
	str_split(line, ' ', &word, &rest);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (str_eq_nocase(word, verbs[i].name))
			out->verb = verbs[i].verb;
	}
	out->arg = str_trim(rest);
	out->http = out->verb == SMTP_UNKNOWN && http_verb(word);
	return argument_check(a, out, refusal);
}
