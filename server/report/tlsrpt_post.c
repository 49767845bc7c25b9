/* Reports by HTTPS POST (RFC 8460 section 5.4): gzip, any 2xx is a success. The certificate has
 * to be valid here: RFC 8460 would let a report go without, we do not. */
#include "report/tlsrpt_priv.h"

#include "base/log.h"

#include <stdio.h>

enum { RESPONSE_MAX = 64 * 1024 };

static void request_do(const struct tlsrpt_means *m, struct store_tlsrpt_to *to, struct str packed,
	struct arena *a)
{
	static const char *const fields[] = {"Accept: */*"};
	struct dns_asker ask = {
		.dns = m->dns, .deadline = deadline_in_ms(TLSRPT_POST_MS), .trace = NULL};
	struct http_request req = {.url = arena_strdup(a, to->address),
		.fields = fields,
		.field_count = 1,
		.content_type = "application/tlsrpt+gzip",
		.body = packed,
		.body_max_bytes = RESPONSE_MAX};
	struct http_result r;
	struct err err;

	to->state = STORE_TLSRPT_WAITING;
	if (https_post(m->http, &ask, &req, a, &r, &err) < 0) {
		to->text = arena_str(a, str_from(err.text));
		return;
	}
	/* What a server says beside its status is of no use; it may say too much of it. */
	if (r.status / 100 == 2 && (r.outcome == HTTP_DONE || r.outcome == HTTP_TOO_LARGE)) {
		to->state = STORE_TLSRPT_DELIVERED;
		to->text = str_from(arena_printf(a, "HTTP status %d", r.status));
		return;
	}
	to->text = r.outcome == HTTP_DONE ? str_from(arena_printf(a, "HTTP status %d", r.status))
		   : r.text.len > 0       ? r.text
					  : str_from(http_outcome_text(r.outcome));
	/* 4xx says that another attempt is of no use, but for the ones that say the opposite. */
	bool final = r.outcome == HTTP_BAD_URL ||
		     (r.outcome == HTTP_DONE && r.status / 100 == 4 && r.status != 408 &&
			     r.status != 425 && r.status != 429);
	if (r.outcome == HTTP_CANCELLED)
		to->attempts--; /* we are stopping: it counts not */
	else if (final)
		to->state = STORE_TLSRPT_FAILED;
}

static int post_one(
	const struct tlsrpt_means *m, struct store_tlsrpt_to *to, int64_t now_s, struct err *err)
{
	struct arena *a = arena_open();
	struct buf packed = {NULL, 0, 0};
	struct store_tlsrpt_sent sent;
	int rc = store_tlsrpt_sent_get(m->store, to->sent_id, a, &sent, err);

	if (rc == 1)
		rc = tlsrpt_gzip(sent.json, &packed, err);
	else if (rc == 0)
		rc = err_set(err, ERR_BUG, "a destination of a report that is not there");
	if (rc == 0) {
		int64_t made = to->attempts++;
		if (m->http == NULL)
			to->text = STR("There is no HTTPS here.");
		else
			request_do(m, to, buf_str(&packed), a);
		if (to->state == STORE_TLSRPT_WAITING && to->attempts >= TLSRPT_POST_ATTEMPTS)
			to->state = STORE_TLSRPT_FAILED;
		to->next_s = now_s + ((int64_t)TLSRPT_POST_FIRST_S << made);
		/* Ending: it is asked again at the next start. */
		rc = to->attempts > made ? store_tlsrpt_posted(m->store, to, now_s, err) : 0;
		log_event(to->state == STORE_TLSRPT_DELIVERED ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
			"tlsrpt.post", "url", arena_strdup(a, to->address), "report",
			arena_strdup(a, sent.report_id), "result",
			to->state == STORE_TLSRPT_DELIVERED ? "delivered"
			: to->state == STORE_TLSRPT_FAILED  ? "failed"
							    : "deferred",
			"text", arena_strdup(a, to->text), NULL);
	}
	buf_free(&packed);
	arena_close(&a);
	return rc;
}

int tlsrpt_post_due(
	const struct tlsrpt_means *m, int64_t now_s, size_t limit, int64_t *next_s, struct err *err)
{
	struct arena *a = arena_open();
	struct store_tlsrpt_to *rows;
	size_t count;
	int rc = store_tlsrpt_due(m->store, now_s, limit, a, &rows, &count, next_s, err);

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = post_one(m, &rows[i], now_s, err);
	/* Some are due still. */
	if (rc == 0 && count == limit && (*next_s == 0 || *next_s > now_s))
		*next_s = now_s;
	arena_close(&a);
	return rc;
}
