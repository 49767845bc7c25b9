#include "report/tlsrpt_mail.h"

#include "message/message.h"
#include "message/mime.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_report_type(struct str type)
{
	return str_eq(type, STR("application/tlsrpt+json")) ||
	       str_eq(type, STR("application/tlsrpt+gzip"));
}

__attribute__((format(printf, 3, 4))) static void why(
	struct tlsrpt_mail *out, enum tlsrpt_found found, const char *fmt, ...)
{
	va_list ap;

	out->found = found;
	va_start(ap, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, ap);
	va_end(ap);
}

/* The part with the report, or NULL and why. */
static const struct mime_part *part_find(const struct mime_message *m, struct tlsrpt_mail *out)
{
	bool in_report = false;

	for (size_t i = 0; i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];
		bool of_report = str_eq(p->within, STR("multipart/report"));
		if (p->within.len == 0 && is_report_type(p->type))
			return p;
		if (of_report && !str_eq_nocase(p->report_type, STR("tlsrpt"))) {
			if (is_report_type(p->type)) {
				why(out, TLSRPT_BROKEN,
					"The multipart/report with the report has no "
					"report-type=tlsrpt.");
				return NULL;
			}
			continue;
		}
		in_report = in_report || of_report;
		if (of_report && is_report_type(p->type))
			return p;
	}
	if (in_report)
		why(out, TLSRPT_BROKEN,
			"The multipart/report has no part application/tlsrpt+json or +gzip.");
	else
		why(out, TLSRPT_NO_REPORT,
			"There is no TLS report in the message: no part application/tlsrpt+json or "
			"+gzip that is the message itself or directly in a multipart/report.");
	return NULL;
}

void tlsrpt_mail_read(struct arena *a, struct str message, struct tlsrpt_mail *out)
{
	struct mime_message m;
	struct buf work = {NULL, 0, 0};
	struct str plain;
	struct err err;
	bool cut;

	*out = (struct tlsrpt_mail){.found = TLSRPT_NO_REPORT};
	if (message.len > TLSRPT_MAIL_MAX) {
		why(out, TLSRPT_BROKEN, "The message is over %d MiB.",
			TLSRPT_MAIL_MAX / 1024 / 1024);
		return;
	}
	mime_read(a, message, &m);
	const struct mime_part *part = part_find(&m, out);
	if (part == NULL)
		return;
	struct str data = mime_decode(a, part, TLSRPT_MAIL_MAX, &cut);
	if (str_eq(part->type, STR("application/tlsrpt+gzip")) &&
		!str_starts(data, STR("\x1f\x8b")) && (data.len == 0 || data.p[0] != '{')) {
		why(out, TLSRPT_BROKEN, "The part %.*s is not gzip.", STR_FMT(part->type));
	} else if (tlsrpt_unpack(data, &work, &plain, &err) < 0) {
		why(out, TLSRPT_BROKEN, "The report cannot be unpacked: %s", err.text);
	} else {
		out->json = arena_str(a, plain);
		if (tlsrpt_report_read(a, out->json, &out->report, &err) < 0)
			why(out, TLSRPT_BROKEN, "The report cannot be read: %s", err.text);
		else
			out->found = TLSRPT_REPORT;
	}
	buf_free(&work);
}
