/* control_override - what is said about TLS to single destinations. */
#include "control/control_priv.h"

#include "dns/dns.h"
#include "policy/override.h"

enum { PAGE_ROWS = 500 };

static json_t *override_json(const struct store_override *row)
{
	char expires[OVERRIDE_DAY_TEXT], changed[CLOCK_TEXT];
	json_t *pins = json_array();
	struct str rest = row->pins, pin;

	while (str_next(&rest, ' ', &pin)) {
		if (pin.len > 0)
			json_array_append_new(pins, json_view(pin));
	}
	return json_pack("{s:o, s:s, s:o, s:o, s:s, s:b, s:s}", "domain", json_view(row->domain),
		"kind", override_kind_text(row->kind), "pins", pins, "reason",
		json_view(row->reason), "expires", override_day_text(row->expires_s, expires),
		"expired", row->expires_s <= clock_unix_s(), "changed",
		clock_iso(row->changed_s, changed));
}

static int override_list(struct call *call, json_t **last, struct err *err)
{
	struct str after = STR("");
	bool more = true;

	(void)last;
	while (more) {
		struct store_override *rows;
		size_t count;
		if (store_override_list(call->ctl->store, after, PAGE_ROWS, call->arena, &rows,
			    &count, &more, err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			if (call_row(call, override_json(&rows[i]), err) < 0)
				return -1;
		}
		if (count > 0)
			after = rows[count - 1].domain;
	}
	return 0;
}

static int override_set(struct call *call, json_t **last, struct err *err)
{
	struct override_form form = {.domain = call_text(call, "domain"),
		.kind = call_text(call, "kind"),
		.pins = call_text(call, "pins"),
		.reason = call_text(call, "reason"),
		.expires = call_text(call, "expires")};
	struct admin_problems problems = {.count = 0};
	struct store_override row;

	if (call_saved(call,
		    override_save(call->ctl->store, call->arena, &form, &row, &problems, err),
		    &problems, err) < 0)
		return -1;
	row.changed_s = clock_unix_s();
	*last = override_json(&row);
	return 0;
}

static int override_remove(struct call *call, json_t **last, struct err *err)
{
	char ascii[256];
	struct str domain;
	bool found;

	(void)last;
	if (call_need(call, "domain", &domain, err) < 0 ||
		dns_name_to_ascii(domain, ascii, err) < 0 ||
		store_override_delete(call->ctl->store, str_from(ascii), &found, err) < 0)
		return -1;
	return found ? 0
		     : call_missing(call, err, "there is no override for %.*s", STR_FMT(domain));
}

const struct verb control_override_verbs[] = {
	{"tlsoverride.list", override_list},
	{"tlsoverride.set", override_set},
	{"tlsoverride.remove", override_remove},
	{NULL, NULL},
};
