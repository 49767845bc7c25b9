/* The mail that carries a report (RFC 8460 section 5.3), signed over its TLS-Report fields too. */
#include "report/tlsrpt_priv.h"

#include "base/rand.h"
#include "base/version.h"
#include "message/message.h"
#include "store/directory.h"

#include <openssl/evp.h>
#include <stdio.h>

enum { BASE64_LINE = 57 }; /* octets that make a line of 76 characters */

/* --- who it is from --- */

static int signer_take(struct arena *a, struct tlsrpt_signer *out)
{
	out->from = str_from(arena_printf(a, "postmaster@%.*s", STR_FMT(out->keys.domain)));
	return 1;
}

int tlsrpt_signer_find(const struct tlsrpt_means *m, const char *hostname, struct arena *a,
	struct tlsrpt_signer *out, char why[512], struct err *err)
{
	struct store_domain *domains;
	size_t count, broken = 0;

	*out = (struct tlsrpt_signer){.from = STR("")};
	int rc = signing_find(m->signing, str_from(hostname), SIGNING_NEAREST, a, &out->keys, err);
	if (rc != 0)
		return rc < 0 ? -1 : signer_take(a, out);
	broken += out->keys.broken;
	if (store_domain_list(m->store, a, &domains, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (domains[i].disabled)
			continue;
		rc = signing_find(m->signing, domains[i].name, SIGNING_EXACT, a, &out->keys, err);
		if (rc != 0)
			return rc < 0 ? -1 : signer_take(a, out);
		broken += out->keys.broken;
	}
	snprintf(why, 512, "%s",
		broken > 0 ? "A TLS report has to be DKIM-signed, and the key of no selector can "
			     "be read."
			   : "A TLS report has to be DKIM-signed, and no domain has a DKIM "
			     "selector that signs.");
	return 0;
}

/* --- text --- */

static void base64_lines(struct buf *out, struct str data)
{
	unsigned char line[80];

	for (size_t at = 0; at < data.len; at += BASE64_LINE) {
		size_t n = data.len - at < BASE64_LINE ? data.len - at : BASE64_LINE;
		int len = EVP_EncodeBlock(line, (const unsigned char *)data.p + at, (int)n);
		buf_raw(out, (struct str){(const char *)line, (size_t)len});
		buf_text(out, "\r\n");
	}
}

static struct str words_part(struct arena *a, const struct tlsrpt_letter *l)
{
	char start[CLOCK_TEXT], end[CLOCK_TEXT];

	return str_from(arena_printf(a,
		"This is a report about TLS (RFC 8460) in mail to %.*s.\n\n"
		"Policy domain: %.*s\nSubmitter: %s\nReport-ID: <%.*s>\nPeriod: %s to %s\n"
		"Sessions: %lld successful, %lld failed\n",
		STR_FMT(l->policy_domain), STR_FMT(l->policy_domain), l->hostname,
		STR_FMT(l->report->id), clock_iso(l->report->start_s, start),
		clock_iso(l->report->end_s, end), (long long)tlsrpt_report_successes(l->report),
		(long long)tlsrpt_report_failures(l->report)));
}

static void header_write(struct buf *b, struct arena *a, const struct tlsrpt_letter *l,
	struct str subject, struct str message_id, const char *boundary)
{
	char date[MESSAGE_DATE_TEXT];

	message_field_add(b, "From", l->from, false);
	message_field_add(b, "To", l->to, l->utf8);
	message_field_add(b, "Subject", subject, false);
	buf_printf(b, "Date: %s\r\n", message_date_write(l->now_s, date));
	message_field_add(b, "Message-ID", message_id, false);
	message_field_add(b, "TLS-Report-Domain", l->policy_domain, false);
	message_field_add(b, "TLS-Report-Submitter", str_from(l->hostname), false);
	buf_text(b, "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\n");
	message_field_add(
		b, "User-Agent", str_from(arena_printf(a, "mox/%s", version_text)), false);
	buf_printf(b,
		"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
		"\tboundary=\"%s\"\r\n\r\n",
		boundary);
}

static void report_part(
	struct buf *b, struct arena *a, const struct tlsrpt_letter *l, const char *boundary)
{
	const char *name =
		arena_printf(a, "%s!%.*s!%lld!%lld.json.gz", l->hostname, STR_FMT(l->policy_domain),
			(long long)l->report->start_s, (long long)l->report->end_s);

	buf_printf(b,
		"--%s\r\nContent-Type: application/tlsrpt+gzip;\r\n\tname=\"%s\"\r\n"
		"Content-Disposition: attachment;\r\n\tfilename=\"%s\"\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n",
		boundary, name, name);
	base64_lines(b, l->packed);
	buf_printf(b, "--%s--\r\n", boundary);
}

/* --- signature --- */

/* The selector, signing the two fields besides (RFC 8460 section 5.3). */
static struct dkim_selector selector_extended(struct arena *a, const struct dkim_selector *s)
{
	const struct str *names = s->headers != NULL ? s->headers : dkim_headers_default;
	size_t count = s->headers != NULL ? s->header_count : dkim_header_default_count;
	struct str *all = arena_alloc(a, (count + 2) * sizeof(*all));
	struct dkim_selector out = *s;

	for (size_t i = 0; i < count; i++)
		all[i] = names[i];
	all[count++] = STR("TLS-Report-Domain");
	all[count++] = STR("TLS-Report-Submitter");
	out.headers = all;
	out.header_count = count;
	return out;
}

static int sign(struct arena *a, const struct signing_keys *keys, struct str header,
	struct str body, int64_t now_s, struct buf *out, struct err *err)
{
	struct dkim_selector selectors[DKIM_SELECTORS_MAX];

	for (size_t i = 0; i < keys->count; i++)
		selectors[i] = selector_extended(a, &keys->selectors[i]);
	struct dkim_signer *s = dkim_signer_new(header, selectors, keys->count, now_s);
	dkim_signer_feed(s, body);
	int rc = dkim_signer_finish(s, out, err);
	dkim_signer_free(&s);
	return rc;
}

int tlsrpt_compose(struct arena *a, const struct tlsrpt_letter *l, const struct signing_keys *keys,
	struct str *message, struct str *message_id, struct str *subject, struct err *err)
{
	struct buf header = {NULL, 0, 0}, body = {NULL, 0, 0}, all = {NULL, 0, 0};
	char id[RAND_ID_TEXT], boundary[RAND_ID_TEXT + 8];

	snprintf(boundary, sizeof(boundary), "=_%s", rand_id(id));
	*message_id = message_id_new(a, l->hostname);
	*subject = str_from(arena_printf(a, "Report Domain: %.*s Submitter: %s Report-ID: <%.*s>",
		STR_FMT(l->policy_domain), l->hostname, STR_FMT(l->report->id)));
	header_write(&header, a, l, *subject, *message_id, boundary);
	buf_text(&body, "This is a TLS report in MIME format.\r\n\r\n");
	message_part_add(&body, boundary, "text/plain", words_part(a, l));
	report_part(&body, a, l, boundary);
	int rc = sign(a, keys, buf_str(&header), buf_str(&body), l->now_s, &all, err);
	if (rc == 0) {
		buf_raw(&all, buf_str(&header));
		buf_raw(&all, buf_str(&body));
		*message = arena_str(a, buf_str(&all));
	}
	buf_free(&header);
	buf_free(&body);
	buf_free(&all);
	return rc < 0 ? -1 : 0;
}
