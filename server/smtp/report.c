#include "smtp/report.h"

#include "base/log.h"
#include "report/tlsrpt_take.h"

#include <pthread.h>

void report_rcpt_accept(struct session *s, const struct rcpt_target *t)
{
	if (s->env.rcpt_count >= SMTP_EXPANDED_MAX) {
		session_refuse(s, 452, "4.5.3", "Too many recipients");
		return;
	}
	*envelope_rcpt_add(s) = (struct smtp_rcpt){.address = arena_str(s->arena, t->address),
		.dest = arena_str(s->arena, t->dest),
		.consumed = true};
	s->env.report = true;
	s->env.report_host = s->env.report_host || t->report_host;
	s->env.only_rcpt = s->env.accepted++ == 0 ? arena_str(s->arena, t->address) : STR("");
	session_reply(s, 250, "2.1.5", "Reports go here");
}

/* The message as it came; the rest of what is over the cap is left out. */
static int message_read(struct session *s, struct buf *out, struct err *err)
{
	struct smtp_data_body body;
	struct str piece;
	int rc;

	buf_raw(out,
		s->header_before_edit.len > 0 ? s->header_before_edit : smtp_data_header(&s->data));
	smtp_data_body_begin(&s->data, s->arena, &body);
	while ((rc = smtp_data_body_next(&body, &piece, err)) == 1) {
		if (out->len <= TLSRPT_MAIL_MAX)
			buf_raw(out, piece);
	}
	return rc;
}

static int take(struct session *s, const struct message_check *check, struct tlsrpt_arrival *out,
	struct err *err)
{
	/* One at a time: a report may take some hundred times the memory of a session. */
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	struct buf message = {NULL, 0, 0};
	char ip[IP_TEXT];
	struct tlsrpt_came came = {.via = STORE_VIA_MAIL,
		.host = s->env.report_host,
		.mail_from = s->env.mail_from,
		.remote_ip = str_from(ip_text(&s->peer, ip)),
		.hostname = str_from(s->config->hostname),
		.now_s = clock_unix_s()};

	if (check->made) {
		came.dkim = &check->result->dkim;
		came.from_domains = check->result->from_domains;
		came.from_count = check->result->from_count;
	}
	pthread_mutex_lock(&turn);
	int rc = message_read(s, &message, err);
	if (rc == 0)
		rc = tlsrpt_take_mail(s->deps->store, buf_str(&message), &came, out, err);
	buf_free(&message);
	pthread_mutex_unlock(&turn);
	return rc;
}

/* Without those who only take reports. */
static void rcpts_strip(struct session *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->env.rcpt_count; i++) {
		if (!s->env.rcpts[i].consumed)
			s->env.rcpts[n++] = s->env.rcpts[i];
	}
	s->env.rcpt_count = n;
}

bool report_take(struct session *s, const struct message_check *check)
{
	struct tlsrpt_arrival out;
	struct err err;

	if (!s->env.report)
		return true;
	if (take(s, check, &out, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "tlsreport.failed", "session", s->id, "error", err.text,
			NULL);
		message_refuse(s, err.kind == ERR_FULL ? 452 : 451, "4.3.0",
			"The report could not be stored, try again later");
		return false;
	}
	if (out.taken == TLSRPT_LATER) {
		message_refuse(s, 451, "4.7.5", out.why);
		return false;
	}
	rcpts_strip(s);
	if (s->env.rcpt_count > 0)
		return true;
	if (out.taken == TLSRPT_ORDINARY) {
		message_refuse(s, 550, "5.7.1",
			"This address takes only TLS reports (RFC 8460), and there is none in the "
			"message");
		return false;
	}
	s->good_transactions++;
	store_count(s->deps->store, STORE_COUNT_RECEIVED, 1);
	session_reply(s, 250, "2.0.0",
		out.taken == TLSRPT_TAKEN       ? "report taken"
		: out.taken == TLSRPT_DUPLICATE ? "report taken; it was here already"
						: "message taken; the report cannot be used");
	session_flush(s);
	return false;
}
