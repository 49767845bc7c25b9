/* page_dkim - the keys that sign a domain's mail, and their DNS records. */
#include "dns/ask.h"
#include "policy/dkim_admin.h"
#include "policy/signing.h"
#include "webui/formview.h"
#include "webui/pages.h"

#include <unistd.h>

enum { CHECK_MS = 4000, HOUR_S = 3600 };

static const char *key_text(struct page *p, const struct store_selector *row)
{
	return row->ed25519 ? "Ed25519" : arena_printf(p->arena, "RSA, %u bits", row->bits);
}

static bool key_is_there(struct page *p, const struct store_selector *row)
{
	return access(arena_printf(p->arena, "%s/%.*s", store_data_dir(p->gateway->store),
			      STR_FMT(row->key_file)),
		       R_OK) == 0;
}

/* --- section of the domain's page --- */

int page_domain_dkim(struct page *p, const struct store_domain *d, struct err *err)
{
	struct tval *list = tval_set_list(p->arena, p->view, "selectors");
	struct store_selector *rows;
	size_t count, signing = 0;
	int seals = store_arc_seals(p->gateway->store, d->id, err);

	if (seals < 0 ||
		store_selector_list(p->gateway->store, d->id, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct tval *row = tval_add_map(p->arena, list);
		bool there = key_is_there(p, &rows[i]);
		tval_set_printf(p->arena, row, "id", "%lld", (long long)rows[i].id);
		tval_set_str(p->arena, row, "name", rows[i].name);
		tval_set_text(p->arena, row, "key", key_text(p, &rows[i]));
		tval_set_flag(p->arena, row, "signing", rows[i].signing && there);
		tval_set_flag(p->arena, row, "missing", !there);
		page_time(p, row, "created", rows[i].created_s * 1000);
		signing += rows[i].signing && there;
	}
	tval_set_flag(p->arena, p->view, "has_selectors", count > 0);
	tval_set_flag(p->arena, p->view, "signs", signing > 0);
	tval_set_flag(p->arena, p->view, "arc_seals", seals == 1);
	return 0;
}

void page_domain_arc(struct page *p)
{
	struct store_domain d;
	struct err err;
	int rc = store_domain_get(p->gateway->store, page_id(p, 0), p->arena, &d, &err);

	if (rc == 0) {
		page_not_found(p, "domain");
		return;
	}
	if (rc < 0 || store_arc_seals_put(p->gateway->store, d.id,
			      urlform_has(&p->form, "on") ? STORE_ARC_ON : STORE_ARC_OFF, &err) < 0)
		page_failed(p, &err);
	else
		page_redirect(p, "domains/%lld?done=saved", (long long)d.id);
}

/* --- forms --- */

static int64_t hours_read(struct page *p)
{
	uint64_t hours = 0;
	struct str text = page_field(p, "expiration");

	if (text.len > 0 && !str_to_u64(text, 100000, &hours))
		return -1; /* dkim_admin says what is possible */
	return (int64_t)hours * HOUR_S;
}

static void settings_fields(struct formview *f, const struct store_selector *row)
{
	struct arena *a = f->page->arena;
	char *names = arena_strdup(a, row->headers);

	formview_section(f, "Signature", NULL);
	formview_radio(f, "header", "White space and folding of the header",
		row->header_simple ? "simple" : "relaxed", "");
	formview_option(f, "relaxed", "May change on the way", "");
	formview_option(f, "simple", "Must not change at all", "");
	formview_radio(
		f, "body", "White space in the text", row->body_simple ? "simple" : "relaxed", "");
	formview_option(f, "relaxed", "May change on the way", "");
	formview_option(f, "simple", "Must not change at all", "");
	for (char *c = names; *c != '\0'; c++)
		*c = *c == ':' ? ' ' : *c;
	formview_area(f, "headers", "Fields that are signed", str_from(names),
		"Empty for the usual ones: From, To, Cc, Bcc, Reply-To, References, In-Reply-To, "
		"Subject, Date, Message-ID, Content-Type.");
	formview_check(f, "seal", "Nobody can add one of these fields later", row->seal,
		"Each is listed once more than it is there, so that a second one breaks the "
		"signature.");
	formview_text(f, "expiration", "Valid for hours",
		row->expiration_s > 0
			? str_from(arena_printf(a, "%lld", (long long)(row->expiration_s / HOUR_S)))
			: STR(""),
		"Empty: for ever. Mail can wait in queues for days, so not less than 72.");
}

static void settings_read(struct page *p, struct store_selector *row)
{
	row->signing = urlform_has(&p->form, "signing");
	row->header_simple = str_eq(page_field(p, "header"), STR("simple"));
	row->body_simple = str_eq(page_field(p, "body"), STR("simple"));
	row->headers = page_field(p, "headers");
	row->seal = urlform_has(&p->form, "seal");
	row->expiration_s = hours_read(p);
}

static bool domain_load(struct page *p, int64_t id, struct store_domain *d)
{
	struct err err;
	int rc = id > 0 ? store_domain_get(p->gateway->store, id, p->arena, d, &err) : 0;

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "domain");
	return rc == 1;
}

/* 0 saved, 1 problems, -1. */
static int selector_create(struct page *p, struct store_selector *row,
	struct admin_problems *problems, struct err *err)
{
	struct str kind = page_field(p, "kind");
	uint64_t bits = 0;

	row->name = page_field(p, "name");
	settings_read(p, row);
	if (str_eq(kind, STR("import")))
		return dkim_admin_import(
			p->gateway->store, p->arena, row, page_field(p, "key"), problems, err);
	if (str_starts(kind, STR("rsa")))
		(void)str_to_u64(str_skip(kind, 3), 100000, &bits);
	return dkim_admin_generate(p->gateway->store, p->arena, row,
		str_eq(kind, STR("ed25519")) ? DKIM_ED25519 : DKIM_RSA, (unsigned)bits, problems,
		err);
}

static void new_fields(struct formview *f, const struct store_selector *row)
{
	formview_section(f, "", NULL);
	formview_text(f, "name", "Selector", row->name,
		"Part of the name of its DNS record. A new key needs a new name.");
	formview_radio(f, "kind", "Key", "rsa2048", "");
	formview_option(f, "rsa2048", "New RSA key, 2048 bits",
		"Understood everywhere. Every domain should have one.");
	formview_option(f, "ed25519", "New Ed25519 key",
		"Short and strong, but many receivers do not know it yet: use it beside RSA.");
	formview_option(f, "rsa3072", "New RSA key, 3072 bits", "");
	formview_option(f, "import", "A key that is there already", "");
	formview_section(f, "Key", "only-import");
	formview_area(f, "key", "Private key", STR(""),
		"PEM, not encrypted: from \"-----BEGIN PRIVATE KEY-----\" on.");
	formview_section(f, "", NULL);
	formview_check(f, "signing", "Sign outgoing mail with it", row->signing,
		"Publish the DNS record soon: until then receivers cannot check the signature.");
}

void page_selector_new(struct page *p)
{
	struct admin_problems problems = {.count = 0};
	struct store_selector row = {.signing = true, .seal = true}, *rows;
	struct store_domain d;
	struct formview f;
	size_t count;
	struct err err;

	if (!domain_load(p, page_id(p, 0), &d))
		return;
	row.domain_id = d.id;
	if (store_selector_list(p->gateway->store, d.id, p->arena, &rows, &count, &err) < 0) {
		page_failed(p, &err);
		return;
	}
	row.name = dkim_admin_name_suggest(p->arena, rows, count, clock_unix_s());
	if (p->method == PAGE_POST) {
		int rc = selector_create(p, &row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "selectors/%lld?done=created", (long long)row.id);
			return;
		}
	}
	formview_open(&f, p, &problems);
	new_fields(&f, &row);
	settings_fields(&f, &row);
	formview_render(&f, arena_printf(p->arena, "New DKIM key for %.*s", STR_FMT(d.name)),
		"Receivers check with the public half in your DNS that mail is really from you.",
		"Create key", arena_printf(p->arena, "domains/%lld", (long long)d.id), NULL);
}

static bool selector_load(struct page *p, struct store_selector *row)
{
	struct err err;
	int64_t id = page_id(p, 0);
	int rc = id > 0 ? store_selector_get(p->gateway->store, id, p->arena, row, &err) : 0;

	if (rc < 0)
		page_failed(p, &err);
	else if (rc == 0)
		page_not_found(p, "DKIM key");
	return rc == 1;
}

/* What the DNS has now, with what to do when it is not right. */
static void published_fill(struct page *p, const struct store_selector *row, const char *name)
{
	struct dns_answer answer;
	bool same = false;
	struct err err;

	if (p->gateway->dns == NULL ||
		dns_lookup(p->gateway->dns, DNS_TXT, name, deadline_in_ms(CHECK_MS), p->arena,
			&answer, &err) < 0) {
		tval_set_flag(p->arena, p->view, "not_tested", true);
		tval_set_text(p->arena, p->view, "reason", "this gateway has no resolver");
		return;
	}
	for (size_t i = 0; i < answer.count && !same; i++) {
		struct dkim_record record;
		struct buf b = {NULL, 0, 0};
		if (dkim_record_parse(p->arena, answer.records[i].data, &record, &err) < 0)
			continue;
		buf_base64(&b, record.public_der.p, record.public_der.len);
		same = str_eq(buf_str(&b), row->public_b64) && record.sha256 && record.email;
		buf_free(&b);
	}
	bool temporary = dns_status_is_temporary(answer.status);
	tval_set_flag(p->arena, p->view, "not_tested", temporary);
	tval_set_str(p->arena, p->view, "reason", answer.reason);
	tval_set_flag(p->arena, p->view, "published", same);
	tval_set_flag(p->arena, p->view, "secure", answer.secure);
	tval_set_flag(p->arena, p->view, "different", !same && answer.status == DNS_OK);
	tval_set_flag(
		p->arena, p->view, "not_published", !same && !temporary && answer.status != DNS_OK);
}

void page_selector(struct page *p)
{
	struct store_selector row;

	if (!selector_load(p, &row))
		return;
	struct str name = dkim_admin_record_name(p->arena, &row);
	struct str record = dkim_admin_record(p->arena, &row);
	tval_set_printf(p->arena, p->view, "id", "%lld", (long long)row.id);
	tval_set_printf(p->arena, p->view, "domain_id", "%lld", (long long)row.domain_id);
	tval_set_str(p->arena, p->view, "domain", row.domain);
	tval_set_str(p->arena, p->view, "name", row.name);
	tval_set_text(p->arena, p->view, "key", key_text(p, &row));
	tval_set_str(p->arena, p->view, "record_name", name);
	tval_set_str(p->arena, p->view, "record", record);
	tval_set_printf(p->arena, p->view, "zone", "%.*s. TXT %.*s", STR_FMT(name),
		STR_FMT(dkim_record_zone(p->arena, record)));
	tval_set_flag(p->arena, p->view, "long_record", record.len > 255);
	tval_set_flag(p->arena, p->view, "signing", row.signing);
	tval_set_flag(p->arena, p->view, "missing", !key_is_there(p, &row));
	tval_set_str(p->arena, p->view, "key_file", row.key_file);
	tval_set_str(p->arena, p->view, "headers", row.headers);
	tval_set_flag(p->arena, p->view, "seal", row.seal);
	tval_set_flag(p->arena, p->view, "header_simple", row.header_simple);
	tval_set_flag(p->arena, p->view, "body_simple", row.body_simple);
	if (row.expiration_s > 0)
		tval_set_printf(
			p->arena, p->view, "hours", "%lld", (long long)(row.expiration_s / HOUR_S));
	page_time(p, p->view, "created", row.created_s * 1000);
	published_fill(p, &row, name.p);
	page_render(p, 200, "selector",
		arena_printf(
			p->arena, "DKIM key %.*s of %.*s", STR_FMT(row.name), STR_FMT(row.domain)));
}

void page_selector_edit(struct page *p)
{
	struct admin_problems problems = {.count = 0};
	struct store_selector row;
	struct formview f;
	struct err err;

	if (!selector_load(p, &row))
		return;
	if (p->method == PAGE_POST) {
		settings_read(p, &row);
		int rc = dkim_admin_save(p->gateway->store, p->arena, &row, &problems, &err);
		if (rc < 0) {
			page_failed(p, &err);
			return;
		}
		if (rc == 0) {
			page_redirect(p, "selectors/%lld?done=saved", (long long)row.id);
			return;
		}
	}
	formview_open(&f, p, &problems);
	formview_section(&f, "", NULL);
	formview_check(&f, "signing", "Sign outgoing mail with it", row.signing,
		"Not signing, it stands by: its record can be in the DNS before it is used.");
	settings_fields(&f, &row);
	formview_render(&f,
		arena_printf(
			p->arena, "DKIM key %.*s of %.*s", STR_FMT(row.name), STR_FMT(row.domain)),
		"", "Save", arena_printf(p->arena, "selectors/%lld", (long long)row.id),
		arena_printf(p->arena, "selectors/%lld/delete", (long long)row.id));
}

void page_selector_delete(struct page *p)
{
	struct store_selector row;
	struct err err;

	if (!selector_load(p, &row))
		return;
	if (p->method == PAGE_POST) {
		if (dkim_admin_delete(p->gateway->store, p->arena, row.id, &err) < 0)
			page_failed(p, &err);
		else
			page_redirect(p, "domains/%lld?done=deleted", (long long)row.domain_id);
		return;
	}
	formview_confirm(p, arena_printf(p->arena, "Delete the DKIM key %.*s?", STR_FMT(row.name)),
		"Nothing is signed with it from then on. Leave its DNS record in place for a week: "
		"mail that is on its way is still checked with it. The key file is moved to "
		"dkim/old in the data directory.",
		"Delete key", arena_printf(p->arena, "selectors/%lld", (long long)row.id));
}

/* --- dashboard --- */

int page_dkim_notices(struct page *p, struct err *err)
{
	struct store_selector *rows;
	size_t count;

	if (signing_problems(p->gateway->store, p->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && i < 3; i++)
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena,
				"The key file of %.*s (selector %.*s) cannot be read: mail is not "
				"signed with it.",
				STR_FMT(rows[i].domain), STR_FMT(rows[i].name)),
			arena_printf(p->arena, "selectors/%lld", (long long)rows[i].id),
			"See the key");
	if (count > 3)
		page_notice(p, PAGE_NOTICE_BAD,
			arena_printf(p->arena, "%zu more DKIM keys cannot be read.", count - 3),
			NULL, NULL);
	return 0;
}
