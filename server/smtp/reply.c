#include "smtp/internal.h"

#include "base/log.h"
#include "smtp/txlog.h"

#include <stdarg.h>
#include <stdio.h>

enum { REPLY_MAX = 480 }; /* RFC 5321 4.5.3.1.5 allows 512 with code and CRLF */

static void clean(char *p)
{
	for (; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

/* Slow mode: an octet goes out, then a pause. A server that shuts down has no time for it. */
static int drip(struct session *s, struct str line, struct err *err)
{
	for (; line.len > 0 && !session_stopping(s); line = str_skip(line, 1)) {
		struct deadline d = deadline_in_ms(s->limits->write_timeout_ms);
		if (conn_write(s->conn, (struct str){line.p, 1}, d, err) < 0 ||
			conn_flush(s->conn, d, err) < 0)
			return -1;
		conn_pause(s->conn, s->limits->slow_write_byte_ms);
	}
	return conn_write(s->conn, line, deadline_in_ms(s->limits->write_timeout_ms), err);
}

static void put(struct session *s, const char *line)
{
	struct deadline d = deadline_in_ms(s->limits->write_timeout_ms);
	struct str text = str_from(line);
	struct err err;

	if (s->over)
		return;
	if ((s->slow ? drip(s, text, &err) : conn_write(s->conn, text, d, &err)) < 0)
		s->over = true;
}

__attribute__((format(printf, 4, 0))) static void reply(
	struct session *s, int code, const char *ecode, const char *fmt, va_list ap)
{
	char text[REPLY_MAX - 20], line[REPLY_MAX + 4];

	s->last_code = code;
	vsnprintf(text, sizeof(text), fmt, ap);
	clean(text);
	snprintf(line, sizeof(line), "%03d %s%s%s\r\n", code, ecode ? ecode : "", ecode ? " " : "",
		text);
	put(s, line);
}

void session_reply(struct session *s, int code, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, code, ecode, fmt, ap);
	va_end(ap);
}

void session_refuse(struct session *s, int code, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, code, ecode, fmt, ap);
	va_end(ap);
	va_start(ap, fmt);
	txlog_refused(s, code, ecode, fmt, ap);
	va_end(ap);
	s->refusals++;
	if (!s->config->localserve && s->limits->slow_after != 0 &&
		s->refusals >= s->limits->slow_after)
		s->slow = true;
	if (log_enabled(LOG_LEVEL_DEBUG)) {
		char number[NUM_TEXT];
		log_event(LOG_LEVEL_DEBUG, "smtp.refused", "session", s->id, "code",
			num_text(code, number), "ecode", ecode, NULL);
	}
}

void session_reply_more(struct session *s, int code, const char *text)
{
	char line[REPLY_MAX + 4];

	snprintf(line, sizeof(line), "%03d-%.*s\r\n", code, REPLY_MAX - 8, text);
	put(s, line);
}

void session_flush(struct session *s)
{
	struct err err;

	if (!s->over && conn_flush(s->conn, deadline_in_ms(s->limits->write_timeout_ms), &err) < 0)
		s->over = true;
}

/* A session that paused after a message gives its buffers back before it waits on. */
enum { IDLE_TRIM_MS = 2000 };

static int line_read(struct session *s, struct str *line, struct err *err)
{
	size_t max = s->limits->command_line_max;
	struct deadline d = deadline_min(deadline_in_ms(s->limits->read_timeout_ms), s->total);

	if (s->data.head.cap > 0) {
		struct deadline first = deadline_min(deadline_in_ms(IDLE_TRIM_MS), d);
		int rc = conn_read_line(s->conn, max, first, line, err);
		if (rc >= 0 || err->kind != ERR_TEMP || deadline_left_ms(first) > 0)
			return rc;
		buf_free(&s->data.head);
		conn_trim(s->conn);
	}
	return conn_read_line(s->conn, max, d, line, err);
}

bool session_line(struct session *s, struct str *line)
{
	struct err err;

	if (s->slow)
		conn_pause(s->conn, s->limits->slow_read_ms);
	if (s->over)
		return false;
	int rc = line_read(s, line, &err);
	if (rc == CONN_LINE_CRLF)
		return true;
	if (rc == CONN_LINE_LF)
		session_refuse(s, 500, "5.5.2", "Lines must end with CRLF");
	else if (rc < 0 && err.kind == ERR_PERM)
		session_reply(s, 500, "5.5.2", "Line too long");
	else if (rc == 0 && session_stopping(s)) /* the end was ours, see daemon/registry.c */
		session_reply(
			s, 421, "4.3.2", "%s Shutting down, come back soon", s->listener->hostname);
	else if (rc < 0 && deadline_left_ms(s->total) == 0)
		session_reply(
			s, 421, "4.4.2", "%s The session took too long", s->listener->hostname);
	else if (rc < 0)
		session_reply(
			s, 421, "4.4.2", "%s Waited too long for a command", s->listener->hostname);
	session_flush(s);
	s->over = true;
	return false;
}
