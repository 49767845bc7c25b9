/* DKIM signatures on what our domains send, ARC seals on what goes on to other hosts. Neither
 * ever stands in the way of mail: what cannot be signed goes unsigned, and the log says so. */
#include "smtp/internal.h"

#include "base/log.h"

enum { SEAL_RCPTS_MAX = 20 }; /* recipients looked at for a domain that seals */

static void not_signed(struct session *s, const char *what, const char *domain, const char *why)
{
	log_event(LOG_LEVEL_WARN, what, "session", s->id, "domain", domain, "error", why, NULL);
}

/* The body through the signer. False when the spool file cannot be read. */
static bool body_feed(struct session *s, struct dkim_signer *signer, struct err *err)
{
	struct smtp_data_body body;
	struct str piece;
	int rc;

	smtp_data_body_begin(&s->data, s->arena, &body);
	while ((rc = smtp_data_body_next(&body, &piece, err)) == 1)
		dkim_signer_feed(signer, piece);
	return rc == 0;
}

/* What was made goes above the rest. */
static void prefix_prepend(struct buf *prefix, const struct buf *fields)
{
	struct buf joined = {NULL, 0, 0};

	buf_raw(&joined, buf_str(fields));
	buf_raw(&joined, buf_str(prefix));
	buf_free(prefix);
	*prefix = joined;
}

static struct str header_with(struct session *s, const struct buf *prefix)
{
	struct buf all = {NULL, 0, 0};

	buf_raw(&all, buf_str(prefix));
	buf_raw(&all, smtp_data_header(&s->data));
	struct str out = arena_str(s->arena, buf_str(&all));
	buf_free(&all);
	return out;
}

/* In A-labels; empty when the From field has no address. */
static struct str from_domain(struct session *s, const struct message_facts *facts)
{
	enum { FROM_MAX = 10 };
	struct message_mailbox *boxes = arena_alloc(s->arena, FROM_MAX * sizeof(*boxes));
	char ascii[DNS_NAME_MAX];
	size_t count;
	struct err err;

	if (facts->from_count != 1 ||
		message_mailboxes_parse(s->arena, facts->from, boxes, FROM_MAX, &count, &err) < 0 ||
		count == 0 || boxes[0].address.domain.len == 0 ||
		dns_name_to_ascii(boxes[0].address.domain, ascii, &err) < 0)
		return STR("");
	return arena_str(s->arena, str_from(ascii));
}

void message_sign(struct session *s, const struct message_facts *facts, struct buf *prefix)
{
	struct signing_keys keys = {.count = 0};
	struct dkim_signer *signer = NULL;
	struct buf fields = {NULL, 0, 0};
	struct err err;

	if (s->deps->signing == NULL || (!session_is_submission(s) && !s->trusted))
		return;
	struct str domain = from_domain(s, facts);
	if (domain.len == 0)
		return;
	int rc = signing_begin(
		s->deps->signing, domain, header_with(s, prefix), s->arena, &keys, &signer, &err);
	if (rc == 0 && signer != NULL) {
		rc = body_feed(s, signer, &err) ? dkim_signer_finish(signer, &fields, &err) : -1;
		if (rc == 0)
			prefix_prepend(prefix, &fields);
	} else if (rc == 0 && keys.broken > 0) {
		rc = err_set(&err, ERR_TEMP, "the key of no selector can be read");
	}
	if (rc < 0)
		not_signed(s, "dkim.not_signed", domain.p, err.text);
	buf_free(&fields);
	dkim_signer_free(&signer);
	signing_keys_release(&keys);
}

/* --- ARC --- */

/* Does mail for this recipient go on to another host? */
static bool leaves(struct session *s, const struct smtp_rcpt *r)
{
	struct message_address address;
	struct rcpt_target target;
	struct err err;

	if (message_address_parse(s->arena, r->address, &address, &err) < 0 ||
		rcpt_resolve(s->deps->store, s->config, &address, s->arena, &target, &err) < 0)
		return false;
	switch (target.verdict) {
	case RCPT_RELAY:
	case RCPT_RELAY_CALLOUT:
	case RCPT_REMOTE:
		return true;
	case RCPT_MAILBOX:
	case RCPT_ALIAS:
	case RCPT_UNKNOWN_USER:
	case RCPT_DOMAIN_DISABLED:
		break;
	}
	return false;
}

static struct str domain_of(struct str address)
{
	size_t at = address.len;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return str_skip(address, at);
}

/* The first recipient's domain that seals: ours, as the sender wrote it. */
static bool sealing_keys_find(struct session *s, struct signing_keys *keys)
{
	struct str seen = STR("");
	struct err err;

	for (size_t i = 0; i < s->env.rcpt_count && i < SEAL_RCPTS_MAX; i++) {
		const struct smtp_rcpt *r = &s->env.rcpts[i];
		struct str domain = domain_of(r->original.len > 0 ? r->original : r->address);
		char ascii[DNS_NAME_MAX];
		if (str_eq(domain, seen) || dns_name_to_ascii(domain, ascii, &err) < 0)
			continue;
		if (!leaves(s, r))
			continue;
		seen = domain;
		int rc = signing_find(
			s->deps->signing, str_from(ascii), SIGNING_EXACT, s->arena, keys, &err);
		if (rc < 0)
			not_signed(s, "arc.not_sealed", ascii, err.text);
		if (rc == 1 && keys->arc_seals)
			return true;
		if (rc == 1)
			signing_keys_release(keys);
	}
	keys->count = 0;
	return false;
}

void message_seal(
	struct session *s, struct str results, const struct arc_result *chain, struct buf *prefix)
{
	struct signing_keys keys = {.count = 0};
	struct buf fields = {NULL, 0, 0};
	struct err err;

	if (s->deps->signing == NULL || !sealing_keys_find(s, &keys))
		return;
	struct arc_seal_options opt = {
		.selector = keys.selectors[0], .results = results, .chain = chain};
	struct dkim_signer *signer = arc_sealer_new(header_with(s, prefix), &opt, clock_unix_s());
	int rc = body_feed(s, signer, &err) ? arc_sealer_finish(signer, &fields, &err) : -1;
	if (rc == 1)
		prefix_prepend(prefix, &fields);
	else if (rc < 0)
		not_signed(s, "arc.not_sealed", arena_strdup(s->arena, keys.domain), err.text);
	buf_free(&fields);
	dkim_signer_free(&signer);
	signing_keys_release(&keys);
}
