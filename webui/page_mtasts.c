/* The MTA-STS policies of other domains that are cached: seen, refreshed, forgotten. */
#include "webui/pages.h"

#include "policy/mtasts.h"

enum { ROWS_PER_PAGE = 50, REFRESH_MS = 75 * 1000, HOSTS_SHOWN = 5 };

static const struct mode_chip {
	const char *word, *label;
	int mode;
} chips[] = {{"", "All", STORE_MTASTS_FILTER_ANY},
	{"enforce", "Enforced", STORE_MTASTS_MODE_ENFORCE},
	{"testing", "Testing", STORE_MTASTS_MODE_TESTING}, {"none", "None", STORE_MTASTS_MODE_NONE},
	{"backoff", "Unavailable", STORE_MTASTS_FILTER_BACKOFF}};
enum { CHIPS = sizeof(chips) / sizeof(chips[0]) };

static const struct mode_chip *chip_find(struct str word)
{
	for (size_t i = 0; i < CHIPS; i++) {
		if (str_eq(word, str_from(chips[i].word)))
			return &chips[i];
	}
	return &chips[0];
}

/* "?q=..&mode=..&after=.." */
static const char *list_query(struct page *p, struct str q, const char *mode, struct str after)
{
	struct buf b = {NULL, 0, 0};

	buf_text(&b, "?q=");
	buf_url(&b, q);
	buf_printf(&b, "&mode=%s", mode);
	if (after.len > 0) {
		buf_text(&b, "&after=");
		buf_url(&b, after);
	}
	const char *text = arena_strdup(p->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

/* A-labels of what an admin types, when it is a name; part of one else, in lower case. */
static struct str search_text(struct page *p, struct str typed)
{
	char ascii[DNS_NAME_MAX];
	struct err ignored;

	if (typed.len > 0 && dns_name_to_ascii(typed, ascii, &ignored) == 0)
		return str_from(arena_strdup(p->arena, str_from(ascii)));
	char *copy = arena_strdup(p->arena, typed);
	str_lower(copy, typed.len);
	return str_from(copy);
}

static void mode_show(struct page *p, struct tval *row, const struct store_mtasts *r)
{
	static const char *const words[] = {"none", "testing", "enforce"};
	static const char *const kinds[] = {"", "warn", "good"};
	bool over = r->valid_until_s <= clock_unix_s();

	tval_set_flag(p->arena, row, "over", over && !r->backoff);
	tval_set_flag(p->arena, row, "waits", r->backoff);
	if (r->backoff) {
		tval_set_text(p->arena, row, "mode", "unavailable");
		tval_set_text(p->arena, row, "kind", "bad");
		return;
	}
	int mode = r->mode >= 0 && r->mode <= 2 ? r->mode : 0;
	tval_set_text(p->arena, row, "mode", words[mode]);
	tval_set_text(p->arena, row, "kind", kinds[mode]);
}

static void row_show(struct page *p, struct tval *row, const struct store_mtasts *r)
{
	struct mtasts_policy policy;
	struct err ignored;
	struct tval *hosts = tval_set_list(p->arena, row, "mx");

	const char *domain = arena_strdup(p->arena, r->domain);
	tval_set_text(p->arena, row, "domain", domain);
	tval_set_printf(
		p->arena, row, "policy_url", "https://mta-sts.%s/.well-known/mta-sts.txt", domain);
	struct str unicode = dns_name_to_unicode(p->arena, domain);
	if (!str_eq(unicode, r->domain))
		tval_set_str(p->arena, row, "unicode", unicode);
	mode_show(p, row, r);
	if (r->text.len > 0 && mtasts_policy_parse(p->arena, r->text, &policy, &ignored) == 0) {
		for (size_t i = 0; i < policy.mx_count && i < HOSTS_SHOWN; i++)
			tval_set_str(p->arena, tval_add_map(p->arena, hosts), "host",
				policy.mx[i].pattern);
		if (policy.mx_count > HOSTS_SHOWN)
			tval_set_printf(p->arena, row, "mx_more", "and %zu more",
				policy.mx_count - HOSTS_SHOWN);
	}
	tval_set_str(p->arena, row, "record_id", r->record_id);
	tval_set_str(p->arena, row, "reason", r->reason);
	page_time(p, row, "valid", r->valid_until_s * 1000);
	page_time(p, row, "updated", r->updated_s * 1000);
	page_time(p, row, "used", r->used_s * 1000);
	page_time(p, row, "failed", r->failed_s * 1000);
}

void page_mtasts(struct page *p)
{
	struct tval *list = tval_set_list(p->arena, p->view, "rows");
	struct tval *chip_list = tval_set_list(p->arena, p->view, "chips");
	struct str q = str_trim(urlform_get(&p->query, "q")), next;
	const struct mode_chip *mode = chip_find(urlform_get(&p->query, "mode"));
	struct store_mtasts_filter f = {.text = search_text(p, q),
		.mode = mode->mode,
		.after = urlform_get(&p->query, "after"),
		.limit = ROWS_PER_PAGE};
	struct store_mtasts *rows;
	int64_t all, backoff;
	size_t count;
	bool more;
	struct err err;

	if (store_mtasts_list(p->gateway->store, &f, p->arena, &rows, &count, &more, &next, &err) <
			0 ||
		store_mtasts_count(p->gateway->store, &all, &backoff, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		row_show(p, tval_add_map(p->arena, list), &rows[i]);
	for (size_t i = 0; i < CHIPS; i++) {
		struct tval *chip = tval_add_map(p->arena, chip_list);
		tval_set_text(p->arena, chip, "label", chips[i].label);
		tval_set_text(p->arena, chip, "query", list_query(p, q, chips[i].word, STR("")));
		tval_set_flag(p->arena, chip, "here", mode == &chips[i]);
	}
	tval_set_flag(p->arena, p->view, "any", count > 0);
	tval_set_flag(p->arena, p->view, "empty", all == 0);
	page_count(p, p->view, "all", all);
	if (backoff > 0)
		page_count(p, p->view, "backoff", backoff);
	tval_set_str(p->arena, p->view, "q", q);
	tval_set_text(p->arena, p->view, "mode_word", mode->word);
	tval_set_flag(p->arena, p->view, "filtered", q.len > 0);
	tval_set_flag(p->arena, p->view, "later_page", f.after.len > 0);
	tval_set_text(p->arena, p->view, "first_query", list_query(p, q, mode->word, STR("")));
	if (more)
		tval_set_text(p->arena, p->view, "next_query", list_query(p, q, mode->word, next));
	page_render(p, 200, "mtasts", "MTA-STS policies");
}

static void refresh(struct page *p, const char *domain)
{
	struct dns_asker ask = {
		.dns = p->gateway->dns, .deadline = deadline_in_ms(REFRESH_MS), .trace = NULL};
	struct mtasts_lookup l;
	struct err err;

	if (mtasts_refresh(p->gateway->mtasts, domain, &ask, p->arena, &l, &err) < 0)
		page_failed(p, &err);
	else if (l.status == MTASTS_OK)
		page_redirect(p, "mtasts?done=fetched");
	else {
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena,
				"No policy was fetched: %s. One that is still valid stays in use.",
				l.text),
			NULL, NULL);
		page_mtasts(p);
	}
}

void page_mtasts_act(struct page *p)
{
	struct str verb = page_field(p, "verb");
	char domain[DNS_NAME_MAX];
	struct err err;
	bool changed;

	if (dns_name_to_ascii(page_field(p, "domain"), domain, &err) < 0) {
		page_error(p, 400, "Not a domain", err.text);
	} else if (str_eq(verb, STR("refresh"))) {
		refresh(p, domain);
	} else if (str_eq(verb, STR("forget"))) {
		if (store_mtasts_delete(p->gateway->store, str_from(domain), &changed, &err) < 0)
			page_failed(p, &err);
		else if (!changed)
			page_not_found(p, "policy");
		else
			page_redirect(p, "mtasts?done=forgotten");
	} else {
		page_error(p, 400, "Not that way", "This page can refresh and forget policies.");
	}
}
