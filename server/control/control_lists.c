/* control_lists - allow and deny lists, DNS block lists. An entry is named by its value. */
#include "control/control_priv.h"
#include "policy/lists.h"

enum { PAGE_ROWS = 500 };

static json_t *json_entry(const struct store_list_entry *row)
{
	char created[CLOCK_TEXT], expires[CLOCK_TEXT];

	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:s}", "id", (json_int_t)row->id, "list",
		lists_list_text(row->list), "kind", lists_kind_text(row->kind), "value",
		json_view(row->value), "comment", json_view(row->comment), "created",
		clock_iso(row->created_s, created), "expires",
		row->expires_s != 0 ? clock_iso(row->expires_s, expires) : "");
}

static int list_word(struct call *call, int *list, struct err *err)
{
	static const char *const names[] = {"allow", "deny"};

	return call_word(call, "list", names, 2, list, err);
}

static int entry_list(struct call *call, json_t **last, struct err *err)
{
	struct store_list_filter f = {
		.list = -1, .kind = -1, .text = call_text(call, "text"), .limit = PAGE_ROWS};
	struct store_list_entry *rows;
	size_t count;

	(void)last;
	if (call_has(call, "list") && list_word(call, &f.list, err) < 0)
		return -1;
	do {
		struct arena *a = arena_open();
		int rc = store_list_page(call->ctl->store, &f, a, &rows, &count, err);
		for (size_t i = 0; i < count && rc == 0; i++)
			rc = call_row(call, json_entry(&rows[i]), err);
		if (rc == 0 && count > 0)
			f.before_id = rows[count - 1].id;
		arena_close(&a);
		if (rc < 0)
			return -1;
	} while (count == PAGE_ROWS && !call->gone);
	return 0;
}

static int expiry_take(struct call *call, int64_t *expires_s, struct err *err)
{
	if (!call_has(call, "expires"))
		return 0;
	if (!lists_expiry_parse(call_text(call, "expires"), clock_unix_s(), expires_s))
		return err_set(
			err, ERR_PERM, "expires: a date such as 2026-12-31, or a number of days");
	return 0;
}

/* The entry of that value in whatever form; 1 found. */
static int entry_find(
	struct call *call, struct str value, struct store_list_entry *out, struct err *err)
{
	struct store_list_entry *rows, probe = {.value = value};
	struct store_list_filter f = {.list = -1, .kind = -1, .limit = PAGE_ROWS};
	struct str normal;
	size_t count;

	if (lists_value_normal(call->arena, value, &probe, err) < 0)
		return -1;
	normal = probe.value;
	f.kind = (int)probe.kind;
	f.text = normal;
	do {
		if (store_list_page(call->ctl->store, &f, call->arena, &rows, &count, err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			if (str_eq(rows[i].value, normal)) {
				*out = rows[i];
				return 1;
			}
			f.before_id = rows[i].id;
		}
	} while (count == PAGE_ROWS);
	return 0;
}

static int entry_save(struct call *call, struct store_list_entry *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	return call_saved(call,
		lists_entry_save(
			call->ctl->store, call->arena, row, clock_unix_s(), &problems, err),
		&problems, err);
}

static int entry_add(struct call *call, json_t **last, struct err *err)
{
	struct store_list_entry row = {.comment = call_text(call, "comment")};
	int list = -1;

	if (call_need(call, "value", &row.value, err) < 0 || list_word(call, &list, err) < 0 ||
		expiry_take(call, &row.expires_s, err) < 0)
		return -1;
	if (list < 0)
		return err_set(err, ERR_PERM, "list: allow or deny?");
	row.list = (enum store_list)list;
	if (entry_save(call, &row, err) < 0)
		return -1;
	*last = json_entry(&row);
	return 0;
}

static int entry_read(struct call *call, struct store_list_entry *out, struct err *err)
{
	struct str value;

	if (call_need(call, "value", &value, err) < 0)
		return -1;
	int rc = entry_find(call, value, out, err);
	if (rc < 0)
		return -1;
	return rc == 1 ? 0 : call_missing(call, err, "%.*s is not listed", STR_FMT(value));
}

static int entry_set(struct call *call, json_t **last, struct err *err)
{
	struct store_list_entry row;
	int list;

	if (entry_read(call, &row, err) < 0)
		return -1;
	list = (int)row.list;
	if (list_word(call, &list, err) < 0 || expiry_take(call, &row.expires_s, err) < 0)
		return -1;
	row.list = (enum store_list)list;
	if (call_has(call, "comment"))
		row.comment = call_text(call, "comment");
	if (entry_save(call, &row, err) < 0)
		return -1;
	*last = json_entry(&row);
	return 0;
}

static int entry_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_list_entry row;

	(void)last;
	if (entry_read(call, &row, err) < 0)
		return -1;
	return store_list_delete(call->ctl->store, row.id, err);
}

/* --- DNS block lists --- */

static json_t *json_zone(const struct store_dnsbl_zone *row)
{
	return json_pack("{s:o, s:o, s:b}", "zone", json_view(row->zone), "comment",
		json_view(row->comment), "disabled", row->disabled);
}

static int zone_list(struct call *call, json_t **last, struct err *err)
{
	struct store_dnsbl_zone *rows;
	size_t count;

	(void)last;
	if (store_dnsbl_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_zone(&rows[i]), err) < 0)
			return -1;
	return 0;
}

static int zone_read(struct call *call, struct store_dnsbl_zone *out, struct err *err)
{
	struct store_dnsbl_zone *rows;
	struct str zone;
	size_t count;

	if (call_need(call, "zone", &zone, err) < 0 ||
		store_dnsbl_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq_nocase(rows[i].zone, zone)) {
			*out = rows[i];
			return 0;
		}
	}
	return call_missing(call, err, "there is no block list %.*s", STR_FMT(zone));
}

static int zone_save(struct call *call, struct store_dnsbl_zone *row, struct err *err)
{
	struct admin_problems problems = {.count = 0};

	if (call_has(call, "comment"))
		row->comment = call_text(call, "comment");
	if (call_has(call, "disabled"))
		row->disabled = call_flag(call, "disabled");
	return call_saved(call, lists_zone_save(call->ctl->store, call->arena, row, &problems, err),
		&problems, err);
}

static int zone_add(struct call *call, json_t **last, struct err *err)
{
	struct store_dnsbl_zone row = {.id = 0, .comment = {"", 0}};

	(void)last;
	if (call_need(call, "zone", &row.zone, err) < 0)
		return -1;
	return zone_save(call, &row, err);
}

static int zone_set(struct call *call, json_t **last, struct err *err)
{
	struct store_dnsbl_zone row;

	(void)last;
	if (zone_read(call, &row, err) < 0)
		return -1;
	return zone_save(call, &row, err);
}

static int zone_rm(struct call *call, json_t **last, struct err *err)
{
	struct store_dnsbl_zone row;

	(void)last;
	if (zone_read(call, &row, err) < 0)
		return -1;
	return store_dnsbl_delete(call->ctl->store, row.id, err);
}

const struct verb control_lists_verbs[] = {
	{"list.list", entry_list},
	{"list.add", entry_add},
	{"list.set", entry_set},
	{"list.rm", entry_rm},
	{"dnsbl.list", zone_list},
	{"dnsbl.add", zone_add},
	{"dnsbl.set", zone_set},
	{"dnsbl.rm", zone_rm},
	{NULL, NULL},
};
