/* From the books of an attempt to rows of the store. */
#include "queue/secure.h"

#include "queue/tlsresults.h"

void secure_rows(struct delivery *d, struct store_attempt *at)
{
	struct store_tls_result *rows, *some;
	size_t max = 0, count = 0;

	for (const struct secure_book *b = d->books; b != NULL; b = b->next)
		max += 1 + b->host_count;
	if (max == 0)
		return;
	rows = arena_alloc(d->arena, max * sizeof(*rows));
	for (const struct secure_book *b = d->books; b != NULL; b = b->next) {
		const struct tls_result *results[1 + MX_MAX] = {&b->rcpt};
		struct tls_results_about about = {.config = d->config,
			.recipient_domain = b->recipient_domain,
			.direct = true, /* others have no book */
			.is_tls_report = !b->send_report,
			.now_s = clock_unix_s()};
		for (size_t i = 0; i < b->host_count; i++)
			results[1 + i] = b->hosts[i];
		size_t n = tls_results_rows(d->arena, &about, results, 1 + b->host_count, &some);
		for (size_t i = 0; i < n; i++)
			rows[count++] = some[i];
	}
	at->tls_results = rows;
	at->tls_result_count = count;
}
