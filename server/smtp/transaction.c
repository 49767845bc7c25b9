/* MAIL, RCPT, DATA and BDAT: the envelope of one message. */
#include "smtp/internal.h"

#include "dns/dns.h"
#include "smtp/check.h"
#include "smtp/report.h"
#include "smtp/txlog.h"

enum { CALLOUT_WAIT_MS = 30 * 1000 };

void transaction_reset(struct session *s)
{
	if (s->env.open && s->env.accepted == 0)
		s->bad_transactions++;
	s->env = (struct envelope){.open = false};
	s->trace = STR("");
	s->header_before_edit = STR("");
	smtp_data_end(&s->data);
	arena_reset(s->arena);
}

/* --- MAIL --- */

static bool mail_allowed(struct session *s, const struct smtp_command *c)
{
	if (s->env.open) {
		session_refuse(s, 503, "5.5.1", "A transaction is open already; RSET ends it");
		return false;
	}
	if (session_is_submission(s) && s->tls == NULL &&
		!s->listener->submission_no_require_starttls) {
		session_refuse(s, 530, "5.7.0", "Say STARTTLS first");
		return false;
	}
	if (session_is_submission(s) && s->account == NULL) {
		session_refuse(s, 530, "5.7.0", "Authentication required");
		return false;
	}
	if (c->requiretls && (s->tls == NULL || s->listener->smtp_no_requiretls)) {
		session_refuse(s, s->tls == NULL ? 530 : 555, s->tls == NULL ? "5.7.10" : "5.5.4",
			"REQUIRETLS is not offered here");
		return false;
	}
	if (c->has_size && c->size > s->listener->smtp_max_message_size) {
		session_refuse(s, 552, "5.3.4", "The message is over %lld octets",
			(long long)s->listener->smtp_max_message_size);
		return false;
	}
	if (!c->null_path && c->address.utf8 && !c->smtputf8) {
		session_refuse(s, 553, "5.6.7", "This address needs the SMTPUTF8 parameter");
		return false;
	}
	return true;
}

/* The reverse path in normal form; false when it cannot be one. */
static bool sender_write(struct session *s, const struct smtp_command *c, struct str *out)
{
	struct message_address addr = c->address;
	char domain[DNS_NAME_MAX];
	struct err err;

	if (addr.domain.len > 0 && addr.domain.p[0] != '[') {
		if (dns_name_to_ascii(addr.domain, domain, &err) < 0) {
			session_refuse(s, 553, "5.1.7", "Bad sender domain: %s", err.text);
			return false;
		}
		addr.domain = str_from(domain);
	}
	*out = message_address_write(s->arena, &addr);
	return true;
}

static bool sender_owned(struct session *s, const struct smtp_command *c)
{
	struct err err = {.kind = ERR_NONE};
	int owns = c->null_path ? 0
				: rcpt_account_owns(s->deps->store, s->config, str_from(s->account),
					  &c->address, s->arena, &err);

	if (owns < 0)
		session_refuse(s, 451, "4.3.0", "Local trouble, try again later");
	else if (owns == 0)
		session_refuse(s, 550, "5.7.1", "This sender address is not yours");
	return owns == 1;
}

void transaction_mail(struct session *s, const struct smtp_command *c)
{
	struct str from = STR("");

	if (!mail_allowed(s, c) || (!c->null_path && !sender_write(s, c, &from)) ||
		(session_is_submission(s) && !sender_owned(s, c)))
		return;
	s->env = (struct envelope){.open = true,
		.mail_from = from,
		.null_sender = c->null_path,
		.smtputf8 = c->smtputf8,
		.requiretls = c->requiretls,
		.body_8bit = c->body == SMTP_BODY_8BITMIME,
		.ret = c->ret,
		.envid = arena_str(s->arena, c->envid)};
	session_reply(s, 250, "2.1.0", "Sender ok");
}

/* --- RCPT --- */

struct smtp_rcpt *envelope_rcpt_add(struct session *s)
{
	struct envelope *env = &s->env;

	if (env->rcpt_count == env->rcpt_cap) {
		size_t cap = env->rcpt_cap ? env->rcpt_cap * 2 : 4;
		struct smtp_rcpt *more = arena_alloc(s->arena, cap * sizeof(*more));
		if (env->rcpt_count > 0)
			memcpy(more, env->rcpts, env->rcpt_count * sizeof(*more));
		env->rcpts = more;
		env->rcpt_cap = cap;
	}
	return &env->rcpts[env->rcpt_count++];
}

static void rcpt_add(struct session *s, const struct smtp_command *c, const struct rcpt_target *t,
	bool expanded, struct str given)
{
	/* Look-ups are in the scratch arena: an alias costs what its members need to be sent
	 * to, not what it took to find them. */
	*envelope_rcpt_add(s) = (struct smtp_rcpt){.address = arena_str(s->arena, t->address),
		.dest = arena_str(s->arena, t->dest),
		.original = expanded ? arena_str(s->arena, given) : STR(""),
		.orcpt = arena_str(s->arena, c->orcpt),
		.notify = c->notify};
}

/* An address that was named already is not delivered twice. */
static bool rcpt_known(const struct session *s, struct str address)
{
	for (size_t i = 0; i < s->env.rcpt_count; i++) {
		if (str_eq(s->env.rcpts[i].address, address))
			return true;
	}
	return false;
}

static void rcpt_accept(
	struct session *s, const struct smtp_command *c, const struct rcpt_target *target)
{
	struct rcpt_target *all;
	size_t count;
	struct err err;

	if (rcpt_expand(s->deps->store, s->config, target, s->scratch, &all, &count, &err) < 0) {
		if (err.kind == ERR_PERM)
			session_refuse(s, 550, "5.2.4", "Mailing list trouble: %s", err.text);
		else
			session_refuse(s, 451, "4.3.0", "Local trouble, try again later");
		return;
	}
	if (s->env.rcpt_count + count > SMTP_EXPANDED_MAX) {
		session_refuse(s, 452, "4.5.3", "Too many recipients behind aliases");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!rcpt_known(s, all[i].address))
			rcpt_add(s, c, &all[i], target->verdict == RCPT_ALIAS, target->address);
	}
	s->env.report = s->env.report || target->report;
	s->env.report_host = s->env.report_host || target->report_host;
	s->env.only_rcpt = s->env.accepted++ == 0 ? arena_str(s->arena, target->address) : STR("");
	session_reply(s, 250, "2.1.5", "Recipient ok");
}

/* Routing that the sender spelt into a local part ("user%far@here", "far!user@here"): what
 * the server behind us would make of it is not known, so strangers may not use it. */
static bool routing_in_localpart(struct str localpart)
{
	return localpart.len > 0 && (memchr(localpart.p, '%', localpart.len) != NULL ||
					    memchr(localpart.p, '!', localpart.len) != NULL ||
					    memchr(localpart.p, '@', localpart.len) != NULL);
}

static bool may_relay(const struct session *s)
{
	return s->trusted || (session_is_submission(s) && s->account != NULL);
}

/* Trying names must not be quick; where a good recipient is known it is no trying. */
static void guess_delay(struct session *s)
{
	if (session_is_submission(s) || s->trusted || s->config->localserve ||
		(s->env.accepted > 0 && !s->slow) || s->limits->unknown_rcpt_delay_ms == 0)
		return;
	session_flush(s);
	conn_pause(s->conn, s->limits->unknown_rcpt_delay_ms);
}

static void rcpt_callout(
	struct session *s, const struct smtp_command *c, const struct rcpt_target *t)
{
	char text[256];

	if (s->deps->callout == NULL) {
		session_refuse(s, 451, "4.3.0", "Recipients cannot be checked now");
		return;
	}
	switch (callout_check(
		s->deps->callout, t->relay, t->address, deadline_in_ms(CALLOUT_WAIT_MS), text)) {
	case CALLOUT_EXISTS:
		rcpt_accept(s, c, t);
		break;
	case CALLOUT_UNKNOWN:
		store_count(s->deps->store, STORE_COUNT_REJECTED, 1);
		guess_delay(s);
		session_refuse(s, 550, "5.1.1", "No such recipient: %s", text);
		break;
	case CALLOUT_LATER:
		store_count(s->deps->store, STORE_COUNT_TEMPFAILED, 1);
		session_refuse(s, 451, "4.4.1", "The recipient cannot be checked now, try later");
		break;
	}
}

static void unknown_user(struct session *s)
{
	store_count(s->deps->store, STORE_COUNT_REJECTED, 1);
	guess_delay(s);
	session_refuse(s, 550, "5.1.1", "No such recipient here");
}

static void rcpt_decide(struct session *s, const struct smtp_command *c,
	const struct message_address *addr, const struct rcpt_target *t)
{
	if (t->report_only) {
		report_rcpt_accept(s, t);
		return;
	}
	bool risky = !may_relay(s) && t->entry.localpart.len == 0 &&
		     routing_in_localpart(addr->localpart);

	switch (t->verdict) {
	case RCPT_MAILBOX:
	case RCPT_ALIAS:
		rcpt_accept(s, c, t);
		break;
	case RCPT_RELAY:
	case RCPT_RELAY_CALLOUT:
		if (risky) {
			store_count(s->deps->store, STORE_COUNT_REJECTED, 1);
			session_refuse(s, 550, "5.7.1", "Routing in the local part is refused");
		} else if (t->verdict == RCPT_RELAY)
			rcpt_accept(s, c, t);
		else
			rcpt_callout(s, c, t);
		break;
	case RCPT_REMOTE:
		if (may_relay(s)) {
			rcpt_accept(s, c, t);
			break;
		}
		store_count(s->deps->store, STORE_COUNT_REJECTED, 1);
		session_refuse(s, 550, "5.7.1", "Relaying denied: not a domain of this server");
		break;
	case RCPT_UNKNOWN_USER:
		unknown_user(s);
		break;
	case RCPT_DOMAIN_DISABLED:
		store_count(s->deps->store, STORE_COUNT_TEMPFAILED, 1);
		session_refuse(s, 450, "4.2.1", "This domain takes no mail for now");
		break;
	}
}

static bool rcpt_allowed(struct session *s, const struct smtp_command *c)
{
	if (!s->env.open || s->env.bdat) {
		session_refuse(
			s, 503, "5.5.1", s->env.open ? "The message has begun" : "Say MAIL first");
		return false;
	}
	if (s->env.accepted >= s->limits->recipients_max ||
		(s->env.null_sender && s->env.accepted >= 1)) {
		session_reply(s, 452, "4.5.3", "Too many recipients in one message");
		return false;
	}
	if (!c->postmaster && c->address.utf8 && !s->env.smtputf8) {
		session_refuse(
			s, 553, "5.6.7", "This address needs the SMTPUTF8 parameter of MAIL");
		return false;
	}
	return true;
}

void transaction_rcpt(struct session *s, const struct smtp_command *c)
{
	struct message_address addr = c->address;
	struct rcpt_target *t;
	struct err err;

	if (!rcpt_allowed(s, c))
		return;
	if (c->postmaster) {
		addr.localpart = STR("postmaster");
		addr.domain = str_from(s->config->hostname);
	}
	if (s->config->localserve && testing_rcpt(s, addr.localpart))
		return;
	t = arena_alloc(s->scratch, sizeof(*t));
	int rc = rcpt_resolve(s->deps->store, s->config, &addr, s->scratch, t, &err);
	/* Reports that TLS fails must get through without TLS (RFC 8460 section 5). */
	if (!session_is_submission(s) && s->listener->smtp_require_starttls && s->tls == NULL &&
		(rc < 0 || !t->report)) {
		session_refuse(s, 530, "5.7.0", "Say STARTTLS first");
		return;
	}
	if (rc < 0) {
		if (err.kind == ERR_PERM) {
			store_count(s->deps->store, STORE_COUNT_REJECTED, 1);
			session_refuse(s, 550, "5.1.2", "Bad recipient: %s", err.text);
		} else
			session_refuse(s, 451, "4.3.0", "Local trouble, try again later");
		return;
	}
	if (check_sender_mx(s, t->domain.id))
		rcpt_decide(s, c, &addr, t);
}

/* --- DATA, BDAT --- */

static bool content_allowed(struct session *s)
{
	if (!s->env.open) {
		session_refuse(s, 503, "5.5.1", "Say MAIL first");
		return false;
	}
	if (s->env.accepted == 0) {
		session_refuse(s, 554, "5.5.1", "No valid recipients");
		return false;
	}
	return true;
}

static void content_begin(struct session *s)
{
	smtp_data_begin(&s->data, s->deps->store, s->listener->smtp_max_message_size);
	s->data.header_edit = session_is_submission(s) ? header_bcc_strip : check_header_edit;
	s->data.header_edit_arg = s;
}

/* Reading failed: a last word if the client is still there, and the end. */
static void content_broken(struct session *s, const struct err *err)
{
	enum { LAST_WORD_MS = 2000 };
	struct err ignored;

	if (err->kind == ERR_PERM)
		session_reply(s, 552, "5.3.4", "The message is far too big");
	else
		session_reply(s, 421, "4.4.2", "%s Waited too long for the message",
			s->listener->hostname);
	txlog_broken(s, err->kind == ERR_PERM ? 552 : 421,
		err->kind == ERR_PERM ? "The message is far too big"
				      : "The client went away in the middle of the message");
	if (!s->over)
		(void)!conn_flush(s->conn, deadline_in_ms(LAST_WORD_MS), &ignored);
	s->over = true;
}

void transaction_data(struct session *s)
{
	struct err err;

	if (!content_allowed(s))
		return;
	if (s->env.bdat) {
		session_refuse(s, 503, "5.5.1", "DATA cannot follow BDAT");
		return;
	}
	content_begin(s);
	session_reply(s, 354, NULL, "Go ahead, end with <CR><LF>.<CR><LF>");
	struct deadline total = deadline_min(deadline_in_ms(s->limits->data_timeout_ms), s->total);
	if (smtp_data_read(&s->data, s->conn, s->limits->read_timeout_ms, total, &err) < 0) {
		content_broken(s, &err);
		return;
	}
	smtp_data_finish(&s->data);
	message_accept(s);
	transaction_reset(s);
}

void transaction_bdat(struct session *s, const struct smtp_command *c)
{
	struct deadline total = deadline_min(deadline_in_ms(s->limits->data_timeout_ms), s->total);
	bool allowed = s->env.open && s->env.accepted > 0;
	struct err err;

	if (!s->env.bdat)
		content_begin(s);
	/* The octets are on their way whatever we think of the command. */
	if (!allowed)
		s->data.too_big = true;
	if (smtp_data_chunk(&s->data, s->conn, c->chunk, s->limits->read_timeout_ms, total, &err) <
		0) {
		content_broken(s, &err);
		return;
	}
	if (!content_allowed(s)) {
		smtp_data_end(&s->data);
		return;
	}
	s->env.bdat = true;
	if (!c->last) {
		session_reply(s, 250, "2.0.0", "%lld octets received", (long long)c->chunk);
		return;
	}
	smtp_data_finish(&s->data);
	message_accept(s);
	transaction_reset(s);
}
