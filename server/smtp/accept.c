/* A message is complete: is it fit, and if so onto the disk with it. */
#include "smtp/internal.h"

#include "base/log.h"
#include "smtp/check.h"
#include "smtp/report.h"
#include "smtp/txlog.h"
#include "store/msglog.h"

#include <stdio.h>

/* Takes out the fields named Bcc and Resent-Bcc, in place (RFC 5322 3.6.3 and 3.6.6). */
void header_bcc_strip(void *arg, struct buf *head)
{
	struct str rest = buf_str(head);
	struct message_field field;
	struct err err;
	size_t out = 0, in = 0;

	(void)arg;
	while (message_header_next(&rest, &field, &err) == 1) {
		size_t at = (size_t)(field.whole.p - head->p);
		if (str_eq_nocase(field.name, STR("Bcc")) ||
			str_eq_nocase(field.name, STR("Resent-Bcc"))) {
			memmove(head->p + out, head->p + in, at - in);
			out += at - in;
			in = at + field.whole.len;
		}
	}
	if (in == 0)
		return;
	memmove(head->p + out, head->p + in, head->len - in);
	head->len -= in - out;
	head->p[head->len] = '\0';
}

void message_refuse(struct session *s, int code, const char *ecode, const char *text)
{
	store_count(s->deps->store, code < 500 ? STORE_COUNT_TEMPFAILED : STORE_COUNT_REJECTED, 1);
	s->bad_transactions++;
	session_refuse(s, code, ecode, "%s", text);
	char number[NUM_TEXT], ip[IP_TEXT];
	log_event(LOG_LEVEL_INFO, "smtp.message_refused", "session", s->id, "ip",
		ip_text(&s->peer, ip), "from", s->env.null_sender ? "<>" : s->env.mail_from.p,
		"code", num_text(code, number), "text", text, NULL);
}

static bool content_fit(struct session *s)
{
	const struct smtp_data *d = &s->data;

	if (d->bare_lf || d->bare_cr)
		message_refuse(s, 554, "5.6.0",
			d->bare_lf ? "The message has a bare LF; lines must end with CRLF"
				   : "The message has a bare CR; lines must end with CRLF");
	else if (d->too_big)
		message_refuse(s, 552, "5.3.4", "The message is too big");
	else if (d->header_too_big)
		message_refuse(s, 552, "5.3.4", "The header of the message is too big");
	else if (d->failure.kind == ERR_FULL)
		message_refuse(s, 452, "4.3.1", "The disk is full here, try again later");
	else if (d->failure.kind != ERR_NONE)
		message_refuse(s, 451, "4.3.0", "The message could not be stored, try again later");
	else
		return true;
	return false;
}

static bool from_owned(struct session *s, struct str from)
{
	enum { FROM_MAX = 10 };
	struct message_mailbox *boxes = arena_alloc(s->arena, FROM_MAX * sizeof(*boxes));
	size_t count;
	struct err err;

	if (message_mailboxes_parse(s->arena, from, boxes, FROM_MAX, &count, &err) < 0 ||
		count == 0) {
		message_refuse(s, 554, "5.6.0", "The From field cannot be read");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		int owns = rcpt_account_owns(s->deps->store, s->config, str_from(s->account),
			&boxes[i].address, s->arena, &err);
		if (owns < 0)
			message_refuse(s, 451, "4.3.0", "Local trouble, try again later");
		else if (owns == 0)
			message_refuse(s, 550, "5.7.1", "An address in From is not yours");
		if (owns != 1)
			return false;
	}
	return true;
}

static bool submission_fit(struct session *s, const struct message_facts *facts)
{
	if (facts->from_count != 1) {
		message_refuse(s, 554, "5.6.0", "The message must have exactly one From field");
		return false;
	}
	if (facts->has_return_path) {
		message_refuse(s, 550, "5.6.0", "A new message must not have a Return-Path field");
		return false;
	}
	if (!from_owned(s, facts->from))
		return false;
	if (!smtp_limits_submit(s->deps->limits, s->limits, str_from(s->account), s->env.accepted,
		    clock_mono_ms())) {
		message_refuse(s, 451, "4.7.1", "Your account has sent its messages for today");
		return false;
	}
	return true;
}

static bool delivery_fit(struct session *s, const struct message_facts *facts)
{
	if (s->limits->received_max != 0 && facts->received_count > s->limits->received_max) {
		message_refuse(
			s, 550, "5.4.6", "Too many Received fields, the message is in a loop");
		return false;
	}
	if (!session_is_submission(s) && !s->trusted && !s->config->localserve &&
		!smtp_limits_deliver(
			s->deps->limits, s->limits, &s->peer, s->data.size, clock_mono_ms())) {
		s->slow = true;
		message_refuse(s, 452, "4.2.2", "Too much mail from your network, try again later");
		return false;
	}
	return true;
}

/* Received and, on submission, the fields that the client left out. */
static void prefix_write(struct session *s, const struct message_facts *facts,
	const struct message_check *check, struct buf *out)
{
	char ip[IP_TEXT], tls[96] = "", date[MESSAGE_DATE_TEXT];
	bool submission = session_is_submission(s);
	struct message_trace trace = {.helo = submission ? STR("") : str_from(s->helo),
		.ptr = check->reverse_name,
		.ip = submission ? STR("") : str_from(ip_text(&s->peer, ip)),
		.by = str_from(s->listener->hostname),
		.with = str_from(message_with_protocol(
			s->esmtp, s->tls != NULL, s->account != NULL, s->env.smtputf8)),
		.id = str_from(s->id),
		.rcpt = s->env.only_rcpt,
		.requiretls = s->env.requiretls,
		.unix_s = clock_unix_s()};

	if (s->tls != NULL)
		snprintf(tls, sizeof(tls), "%s %s", s->tls->version, s->tls->cipher);
	trace.tls = str_from(tls);
	buf_raw(out, check->fields);
	if (submission)
		auth_header_submission(out, str_from(s->config->hostname), s->env.mail_from);
	message_trace_write(out, &trace);
	if (submission && !facts->has_date)
		message_field_add(
			out, "Date", str_from(message_date_write(trace.unix_s, date)), false);
	if (submission && !facts->has_message_id)
		message_field_add(
			out, "Message-ID", message_id_new(s->arena, s->config->hostname), false);
}

static void log_accepted(struct session *s, int64_t id, const struct store_msg_new *msg)
{
	char id_text[STORE_ID_TEXT], ip[IP_TEXT], size[NUM_TEXT], count[NUM_TEXT];

	if (!log_enabled(LOG_LEVEL_INFO))
		return;
	log_event(LOG_LEVEL_INFO, "smtp.accepted", "session", s->id, "queue",
		store_id_text(id, id_text), "ip", ip_text(&s->peer, ip), "from",
		arena_strdup(s->arena, msg->mail_from), "to",
		arena_strdup(s->arena, msg->rcpts[0].address), "rcpts",
		num_text((int64_t)msg->rcpt_count, count), "size", num_text(s->data.size, size),
		"tls", s->tls ? s->tls->version : NULL, "account", s->account, NULL);
}

static struct store_rcpt_new *rcpts_new(struct session *s)
{
	struct store_rcpt_new *out =
		arena_alloc(s->arena, s->env.rcpt_count * sizeof(struct store_rcpt_new));

	for (size_t i = 0; i < s->env.rcpt_count; i++) {
		const struct smtp_rcpt *r = &s->env.rcpts[i];
		out[i] = (struct store_rcpt_new){.address = r->address,
			.dest = r->dest,
			.original = r->original,
			.orcpt = r->orcpt,
			.notify = r->notify,
			.quarantine = r->quarantine};
	}
	return out;
}

static void queue(
	struct session *s, const struct message_facts *facts, const struct message_check *check)
{
	struct buf prefix = {NULL, 0, 0};
	char ip[IP_TEXT], id_text[STORE_ID_TEXT];
	struct err err;
	int64_t id;

	prefix_write(s, facts, check, &prefix);
	message_sign(s, facts, &prefix);
	if (check->made)
		message_seal(s, str_trim(check->results), check->arc, &prefix);
	struct store_msg_new msg = {.session = str_from(s->id),
		.mail_from = s->env.mail_from,
		.helo = str_from(s->helo),
		.remote_ip = str_from(ip_text(&s->peer, ip)),
		.message_id = facts->message_id,
		.account = str_from(s->account),
		.envid = s->env.envid,
		.ret = s->env.ret,
		.body_8bit = s->env.body_8bit,
		.smtputf8 = s->env.smtputf8,
		.requiretls = s->env.requiretls,
		.tls_required_no = facts->tls_required_no && !s->env.requiretls,
		.prefix = buf_str(&prefix),
		.body = buf_str(&s->data.head),
		.spool = s->data.spool,
		.rcpts = rcpts_new(s),
		.rcpt_count = s->env.rcpt_count,
		.hold = s->config->hold,
		.quarantine = check->quarantine,
		.quarantine_reason = check->quarantine_reason,
		.log_results = check->quarantine ? STORE_LOG_QUARANTINED : 0};
	txlog_fill(s, &msg);
	if (store_msg_add(s->deps->store, &msg, &id, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "smtp.store_failed", "session", s->id, "error", err.text,
			NULL);
		if (err.kind == ERR_FULL)
			message_refuse(s, 452, "4.3.1", "The disk is full here, try again later");
		else
			message_refuse(s, 451, "4.3.0",
				"The message could not be stored, try again later");
	} else {
		s->good_transactions++;
		store_count(s->deps->store, STORE_COUNT_RECEIVED, 1);
		session_reply(s, 250, "2.0.0", "queued as %s", store_id_text(id, id_text));
		session_flush(s);
		log_accepted(s, id, &msg);
	}
	buf_free(&prefix);
}

void message_accept(struct session *s)
{
	struct message_facts facts;
	struct message_check check = {.made = false};

	message_facts_read(s->arena, smtp_data_header(&s->data), &facts);
	s->facts = &facts;
	if (content_fit(s) && delivery_fit(s, &facts) &&
		(!session_is_submission(s) || submission_fit(s, &facts)) &&
		check_message(s, &check) && report_take(s, &check))
		queue(s, &facts, &check);
	check_end(&check);
	s->facts = NULL;
}
