/* control_dkim - DKIM selectors of domains, and whose ARC seals are trusted. */
#include "control/control_priv.h"

#include "policy/dkim_admin.h"

static json_t *json_selector(struct arena *a, const struct store_selector *row)
{
	return json_pack("{s:o, s:o, s:s, s:i, s:b, s:b, s:s, s:o, s:I, s:o, s:o}", "selector",
		json_view(row->name), "domain", json_view(row->domain), "type",
		row->ed25519 ? "ed25519" : "rsa", "bits", (int)row->bits, "sign", row->signing,
		"seal", row->seal, "canonicalization",
		row->header_simple ? (row->body_simple ? "simple/simple" : "simple/relaxed")
				   : (row->body_simple ? "relaxed/simple" : "relaxed/relaxed"),
		"headers", json_view(row->headers), "expiration",
		(json_int_t)(row->expiration_s / 3600), "record_name",
		json_view(dkim_admin_record_name(a, row)), "record",
		json_view(dkim_admin_record(a, row)));
}

static int dkim_list(struct call *call, json_t **last, struct err *err)
{
	struct store_selector *rows;
	struct store_domain d = {.id = 0};
	struct str domain = call_text(call, "domain");
	size_t count;

	(void)last;
	if ((domain.len > 0 && call_domain(call, domain, &d, err) < 0) ||
		store_selector_list(call->ctl->store, d.id, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (call_row(call, json_selector(call->arena, &rows[i]), err) < 0)
			return -1;
	}
	return 0;
}

/* "selector" and "domain". */
static int selector_find(struct call *call, struct store_selector *out, struct err *err)
{
	struct store_selector *rows;
	struct store_domain d;
	struct str name, domain;
	size_t count;

	if (call_need(call, "selector", &name, err) < 0 ||
		call_need(call, "domain", &domain, err) < 0 ||
		call_domain(call, domain, &d, err) < 0 ||
		store_selector_list(call->ctl->store, d.id, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq_nocase(rows[i].name, name)) {
			*out = rows[i];
			return 0;
		}
	}
	return call_missing(call, err, "%.*s has no selector %.*s", STR_FMT(d.name), STR_FMT(name));
}

static int settings_read(struct call *call, struct store_selector *row, struct err *err)
{
	struct str canon = call_text(call, "canonicalization"), header = canon, body = canon;
	int64_t hours = row->expiration_s / 3600;

	if (call_has(call, "sign"))
		row->signing = call_flag(call, "sign");
	if (call_has(call, "seal"))
		row->seal = call_flag(call, "seal");
	if (call_has(call, "headers"))
		row->headers = call_text(call, "headers");
	if (call_number(call, "expiration", 0, 8784, &hours, err) < 0)
		return -1;
	row->expiration_s = hours * 3600;
	if (canon.len == 0)
		return 0;
	(void)str_split(canon, '/', &header, &body);
	if ((!str_eq(header, STR("relaxed")) && !str_eq(header, STR("simple"))) ||
		(!str_eq(body, STR("relaxed")) && !str_eq(body, STR("simple"))))
		return err_set(err, ERR_PERM,
			"canonicalization: relaxed or simple for header and body, with \"/\" "
			"between");
	row->header_simple = header.p[0] == 's';
	row->body_simple = body.p[0] == 's';
	return 0;
}

static int dkim_add(struct call *call, json_t **last, struct err *err)
{
	struct store_selector row = {.signing = true, .seal = true};
	struct admin_problems problems = {.count = 0};
	struct str domain, type = call_text(call, "type"), pem = call_text(call, "key");
	struct store_domain d;
	int64_t bits = 0;
	int rc;

	if (call_need(call, "selector", &row.name, err) < 0 ||
		call_need(call, "domain", &domain, err) < 0 ||
		call_domain(call, domain, &d, err) < 0 || settings_read(call, &row, err) < 0 ||
		call_number(call, "bits", DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX, &bits, err) < 0)
		return -1;
	row.domain_id = d.id;
	if (type.len > 0 && !str_eq(type, STR("rsa")) && !str_eq(type, STR("ed25519")))
		return err_set(err, ERR_PERM, "type: rsa or ed25519");
	if (pem.len > 0)
		rc = dkim_admin_import(call->ctl->store, call->arena, &row, pem, &problems, err);
	else
		rc = dkim_admin_generate(call->ctl->store, call->arena, &row,
			str_eq(type, STR("ed25519")) ? DKIM_ED25519 : DKIM_RSA, (unsigned)bits,
			&problems, err);
	if (call_saved(call, rc, &problems, err) < 0)
		return -1;
	*last = json_selector(call->arena, &row);
	return 0;
}

static int dkim_set(struct call *call, json_t **last, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_selector row;

	(void)last;
	if (selector_find(call, &row, err) < 0 || settings_read(call, &row, err) < 0)
		return -1;
	return call_saved(call,
		dkim_admin_save(call->ctl->store, call->arena, &row, &problems, err), &problems,
		err);
}

static int dkim_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_selector row;

	(void)last;
	if (selector_find(call, &row, err) < 0)
		return -1;
	return dkim_admin_delete(call->ctl->store, call->arena, row.id, err);
}

/* Seals on what goes on to other hosts: domain, on (yes or no). */
static int dkim_arc(struct call *call, json_t **last, struct err *err)
{
	struct store_domain d;
	struct str name;

	(void)last;
	if (call_need(call, "domain", &name, err) < 0 || call_domain(call, name, &d, err) < 0)
		return -1;
	return store_arc_seals_put(
		call->ctl->store, d.id, call_flag(call, "on") ? STORE_ARC_ON : STORE_ARC_OFF, err);
}

/* --- trusted sealers --- */

static int sealer_list(struct call *call, json_t **last, struct err *err)
{
	struct store_sealer *rows;
	size_t count;

	(void)last;
	if (store_sealer_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (call_row(call,
			    json_pack("{s:o, s:o}", "domain", json_view(rows[i].domain), "comment",
				    json_view(rows[i].comment)),
			    err) < 0)
			return -1;
	}
	return 0;
}

static int sealer_add(struct call *call, json_t **last, struct err *err)
{
	struct admin_problems problems = {.count = 0};
	struct store_sealer row = {.comment = call_text(call, "comment")};

	(void)last;
	if (call_need(call, "domain", &row.domain, err) < 0)
		return -1;
	return call_saved(call,
		dkim_admin_sealer_save(call->ctl->store, call->arena, &row, &problems, err),
		&problems, err);
}

static int sealer_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_sealer *rows;
	struct str domain;
	size_t count;

	(void)last;
	if (call_need(call, "domain", &domain, err) < 0 ||
		store_sealer_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq_nocase(rows[i].domain, domain))
			return store_sealer_delete(call->ctl->store, rows[i].id, err);
	}
	return call_missing(call, err, "%.*s is not listed", STR_FMT(domain));
}

const struct verb control_dkim_verbs[] = {
	{"dkim.list", dkim_list},
	{"dkim.add", dkim_add},
	{"dkim.set", dkim_set},
	{"dkim.rm", dkim_rm},
	{"dkim.arc", dkim_arc},
	{"sealer.list", sealer_list},
	{"sealer.add", sealer_add},
	{"sealer.rm", sealer_rm},
	{NULL, NULL},
};
