/* A report as JSON, and gzip. */
#include "report/tlsrpt_report.h"

#include <stdio.h>
#include <time.h>
#include <zlib.h>

enum {
	CHUNK = 64 * 1024,
	RATIO_FREE = 1024 * 1024, /* unpacked octets before the ratio is looked at */
	TIME_TEXT = 32,
	GZIP_WINDOW = 15 + 16 /* zlib: the largest window, with gzip's header */
};

/* --- JSON --- */

static void text_add(struct buf *out, const char *indent, const char *name, struct str value)
{
	buf_printf(out, "%s\"%s\": \"", indent, name);
	buf_json(out, value);
	buf_byte(out, '"');
}

static void list_add(struct buf *out, const char *indent, const char *name,
	const struct str *values, size_t count)
{
	buf_printf(out, "%s\"%s\": [", indent, name);
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "%s\n%s\t\"", i > 0 ? "," : "", indent);
		buf_json(out, values[i]);
		buf_byte(out, '"');
	}
	if (count > 0)
		buf_printf(out, "\n%s", indent);
	buf_byte(out, ']');
}

static void time_add(struct buf *out, const char *name, int64_t unix_s)
{
	char text[TIME_TEXT];
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
	text_add(out, "\t\t", name, str_from(text));
}

static void detail_add(struct buf *out, const struct store_tls_detail *d)
{
	static const char indent[] = "\t\t\t\t\t";
	const struct {
		const char *name;
		struct str value;
	} texts[] = {{"sending-mta-ip", d->sending_mta_ip},
		{"receiving-mx-hostname", d->receiving_mx_hostname},
		{"receiving-mx-helo", d->receiving_mx_helo}, {"receiving-ip", d->receiving_ip},
		{"additional-information", d->additional_information},
		{"failure-reason-code", d->failure_reason_code}};

	buf_text(out, "\t\t\t\t{\n");
	text_add(out, indent, "result-type", d->result_type);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].value.len == 0)
			continue;
		buf_text(out, ",\n");
		text_add(out, indent, texts[i].name, texts[i].value);
	}
	buf_printf(out, ",\n%s\"failed-session-count\": %lld\n\t\t\t\t}", indent,
		(long long)d->failed_session_count);
}

static void policy_add(struct buf *out, const struct store_tls_policy *p)
{
	static const char indent[] = "\t\t\t\t";

	buf_text(out, "\t\t{\n\t\t\t\"policy\": {\n");
	text_add(out, indent, "policy-type", p->type);
	buf_text(out, ",\n");
	list_add(out, indent, "policy-string", p->strings, p->string_count);
	buf_text(out, ",\n");
	text_add(out, indent, "policy-domain", p->domain);
	buf_text(out, ",\n");
	list_add(out, indent, "mx-host", p->mx_hosts, p->mx_host_count);
	buf_printf(out,
		"\n\t\t\t},\n\t\t\t\"summary\": {\n"
		"%s\"total-successful-session-count\": %lld,\n"
		"%s\"total-failure-session-count\": %lld\n\t\t\t},\n",
		indent, (long long)p->successes, indent, (long long)p->failures);
	buf_text(out, "\t\t\t\"failure-details\": [");
	for (size_t i = 0; i < p->detail_count; i++) {
		buf_text(out, i > 0 ? ",\n" : "\n");
		detail_add(out, &p->details[i]);
	}
	buf_text(out, p->detail_count > 0 ? "\n\t\t\t]\n\t\t}" : "]\n\t\t}");
}

void tlsrpt_report_write(const struct tlsrpt_report *report, struct buf *out)
{
	buf_text(out, "{\n");
	text_add(out, "\t", "organization-name", report->organization);
	buf_text(out, ",\n\t\"date-range\": {\n");
	time_add(out, "start-datetime", report->start_s);
	buf_text(out, ",\n");
	time_add(out, "end-datetime", report->end_s);
	buf_text(out, "\n\t},\n");
	text_add(out, "\t", "contact-info", report->contact);
	buf_text(out, ",\n");
	text_add(out, "\t", "report-id", report->id);
	buf_text(out, ",\n\t\"policies\": [");
	for (size_t i = 0; i < report->policy_count; i++) {
		buf_text(out, i > 0 ? ",\n" : "\n");
		policy_add(out, &report->policies[i]);
	}
	buf_text(out, report->policy_count > 0 ? "\n\t]\n}\n" : "]\n}\n");
}

/* --- gzip --- */

static Bytef *bytes(struct str s)
{
	union { /* zlib's API has no const here; it does not write */
		const char *in;
		Bytef *out;
	} u = {.in = s.p ? s.p : ""};

	return u.out;
}

static int inflate_all(z_stream *z, size_t packed, struct buf *out, struct err *err)
{
	char chunk[CHUNK / 4];
	size_t start = out->len;
	int rc;

	do {
		z->next_out = (Bytef *)chunk;
		z->avail_out = sizeof(chunk);
		rc = inflate(z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END)
			return err_set(err, ERR_PERM, "gzip: %s",
				rc == Z_BUF_ERROR ? "the file ends too early"
				: z->msg != NULL  ? z->msg
						  : "broken");
		buf_raw(out, (struct str){chunk, sizeof(chunk) - z->avail_out});
		size_t plain = out->len - start;
		if (plain > TLSRPT_JSON_MAX)
			return err_set(
				err, ERR_PERM, "gzip: over %d octets unpacked", TLSRPT_JSON_MAX);
		if (plain > RATIO_FREE && plain / TLSRPT_RATIO_MAX > packed)
			return err_set(err, ERR_PERM,
				"gzip: unpacks to over %d times its size, as no report does",
				TLSRPT_RATIO_MAX);
	} while (rc != Z_STREAM_END);
	return 0;
}

int tlsrpt_gunzip(struct str packed, struct buf *out, struct err *err)
{
	z_stream z = {.next_in = bytes(packed)};

	if (packed.len > TLSRPT_JSON_MAX)
		return err_set(err, ERR_PERM, "gzip: over %d octets", TLSRPT_JSON_MAX);
	z.avail_in = (uInt)packed.len;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return err_set(err, ERR_BUG, "gzip: cannot start");
	int rc = inflate_all(&z, packed.len, out, err);
	(void)inflateEnd(&z);
	return rc;
}

int tlsrpt_gzip(struct str plain, struct buf *out, struct err *err)
{
	z_stream z = {.next_in = bytes(plain)};
	char chunk[CHUNK / 4];
	int rc;

	if (plain.len > UINT32_MAX)
		return err_set(err, ERR_PERM, "gzip: too much");
	z.avail_in = (uInt)plain.len;
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
		Z_OK)
		return err_set(err, ERR_BUG, "gzip: cannot start");
	do {
		z.next_out = (Bytef *)chunk;
		z.avail_out = sizeof(chunk);
		rc = deflate(&z, Z_FINISH);
		buf_raw(out, (struct str){chunk, sizeof(chunk) - z.avail_out});
	} while (rc == Z_OK);
	(void)deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : err_set(err, ERR_BUG, "gzip: %d", rc);
}

int tlsrpt_unpack(struct str data, struct buf *work, struct str *plain, struct err *err)
{
	*plain = data;
	if (!str_starts(data, STR("\x1f\x8b")))
		return 0;
	if (tlsrpt_gunzip(data, work, err) < 0)
		return -1;
	*plain = buf_str(work);
	return 0;
}
