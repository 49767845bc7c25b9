/* Where TLS reports come in: by HTTPS POST (RFC 8460 section 3), and the address of a domain. */
#include "base/log.h"
#include "message/message.h"
#include "report/tlsrpt_record.h"
#include "report/tlsrpt_take.h"
#include "webui/pages.h"

#include <pthread.h>

enum { POSTS_PER_MINUTE = 60 };

/* All clients together: reports are daily, and each is parsed. */
static bool post_allowed(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int64_t minute;
	static unsigned count;
	int64_t now = clock_mono_ms() / 60000;

	pthread_mutex_lock(&lock);
	if (now != minute) {
		minute = now;
		count = 0;
	}
	bool ok = count++ < POSTS_PER_MINUTE;
	pthread_mutex_unlock(&lock);
	return ok;
}

/* Compared to its end whatever differs, so that time tells nothing. */
static bool token_fits(struct str want, struct str given)
{
	unsigned diff = want.len == given.len ? 0 : 1;

	for (size_t i = 0; i < want.len && i < given.len; i++)
		diff |= (unsigned)(unsigned char)(want.p[i] ^ given.p[i]);
	return diff == 0;
}

void page_report_post(struct page *p, struct str token)
{
	static const char plain[] = "text/plain; charset=utf-8";
	struct tlsrpt_arrival out;
	struct str want;
	struct err err;
	char ip[IP_TEXT];

	if (!p->https || p->method != PAGE_POST) {
		if (p->https)
			page_header(p, "Allow", "POST");
		page_text(p, p->https ? 405 : 404, plain,
			"TLS reports are taken here by HTTPS POST.\n");
		return;
	}
	if (store_tls_report_token(p->gateway->store, false, p->arena, &want, &err) < 0) {
		page_text(p, 503, plain, "Try again later.\n");
		return;
	}
	if (!token_fits(want, token)) {
		page_text(p, 404, plain, "There is nothing here.\n");
		return;
	}
	if (!post_allowed()) {
		page_header(p, "Retry-After", "600");
		page_text(p, 429, plain, "Too many reports, try again later.\n");
		return;
	}
	struct tlsrpt_came came = {.via = STORE_VIA_HTTPS,
		.host = true,
		.remote_ip = str_from(ip_text(&p->peer, ip)),
		.hostname = str_from(p->config->hostname),
		.now_s = clock_unix_s()};
	if (tlsrpt_take_post(p->gateway->store, p->body, &came, &out, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "tlsreport.failed", "error", err.text, NULL);
		page_text(p, 503, plain, "Try again later.\n");
		return;
	}
	if (out.taken == TLSRPT_REJECTED)
		page_text(p, 422, plain, arena_printf(p->arena, "%s\n", out.why));
	else
		page_text(p, 201, plain, "Thank you.\n");
}

void page_reports_token(struct page *p)
{
	struct str token;
	struct err err;

	if (store_tls_report_token(p->gateway->store, true, p->arena, &token, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "reports?done=saved");
}

/* --- a domain's address --- */

int page_domain_tlsrpt(struct page *p, const struct store_domain *d, struct err *err)
{
	struct tval *map = tval_set_map(p->arena, p->view, "tlsrpt");
	struct store_domain_tlsrpt row;

	if (store_domain_tlsrpt_get(p->gateway->store, d->id, p->arena, &row, err) < 0)
		return -1;
	struct str address = str_from(
		arena_printf(p->arena, "%.*s@%.*s", STR_FMT(row.localpart), STR_FMT(d->name)));
	tval_set_flag(p->arena, map, "on", !row.off);
	tval_set_str(p->arena, map, "local", row.localpart);
	tval_set_str(p->arena, map, "address", address);
	tval_set_printf(p->arena, map, "record_name", "_smtp._tls.%.*s", STR_FMT(d->name));
	tval_set_printf(p->arena, map, "record", "v=TLSRPTv1; rua=%s",
		tlsrpt_record_mailto(p->arena, address).p);
	return 0;
}

void page_domain_tlsrpt_post(struct page *p)
{
	struct store_domain_tlsrpt row = {
		.off = !urlform_has(&p->form, "on"), .localpart = page_field(p, "localpart")};
	int64_t id = page_id(p, 0);
	struct err err;

	if (!message_localpart_is_atom(row.localpart) || row.localpart.len > 64) {
		page_error(p, 422, "Not a local part",
			"Give what stands before the \"@\", for example tls-reports.");
		return;
	}
	for (size_t i = 0; i < row.localpart.len; i++) {
		if ((unsigned char)row.localpart.p[i] > '~') {
			page_error(p, 422, "Not a local part",
				"A report address must be plain ASCII.");
			return;
		}
	}
	if (store_domain_tlsrpt_put(p->gateway->store, id, &row, &err) == 0)
		page_redirect(p, "domains/%lld?done=saved", (long long)id);
	else if (err.kind == ERR_PERM)
		page_not_found(p, "domain");
	else
		page_failed(p, &err);
}
