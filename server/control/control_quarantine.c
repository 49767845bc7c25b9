/* control_quarantine - what was kept back. */
#include "control/control_priv.h"

#include "base/buf.h"
#include "store/quarantine.h"

enum { LIST_PAGE = 100, LIST_PAGE_MAX = 1000, IDS_MAX = 1000 };

static json_t *json_row(const struct store_quarantine_row *r)
{
	char id[STORE_ID_TEXT], at[CLOCK_TEXT];

	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "id",
		(json_int_t)r->rcpt_id, "message", store_id_text(r->msg_id, id), "at",
		clock_iso(r->at_ms / 1000, at), "reason", json_view(r->reason), "to",
		json_view(r->address), "mail_from", json_view(r->mail_from), "from",
		json_view(r->header_from), "subject", json_view(r->subject), "remote_ip",
		json_view(r->remote_ip), "session", json_view(r->session), "size",
		(json_int_t)r->size);
}

static void filter_read(const struct call *call, struct store_quarantine_filter *f)
{
	*f = (struct store_quarantine_filter){
		.domain = call_text(call, "domain"), .text = call_text(call, "text")};
}

static int quarantine_list(struct call *call, json_t **last, struct err *err)
{
	struct store_quarantine_filter f;
	struct store_quarantine_row *rows;
	int64_t limit = LIST_PAGE, next;
	size_t count;
	bool more;

	filter_read(call, &f);
	if (call_number(call, "after", 0, INT64_MAX, &f.before_id, err) < 0 ||
		call_number(call, "limit", 1, LIST_PAGE_MAX, &limit, err) < 0)
		return -1;
	f.limit = (size_t)limit;
	if (store_quarantine_list(
		    call->ctl->store, &f, call->arena, &rows, &count, &more, &next, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_row(&rows[i]), err) < 0)
			return -1;
	*last = json_pack("{s:b, s:I}", "more", more, "next", (json_int_t)next);
	return 0;
}

static int quarantine_get(struct call *call, json_t **last, struct err *err)
{
	struct store_quarantine_row row;
	int64_t id = 0;

	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	int rc = store_quarantine_get(call->ctl->store, id, call->arena, &row, err);
	if (rc == 0)
		return call_missing(call, err, "%lld is not in quarantine", (long long)id);
	if (rc < 0)
		return -1;
	*last = json_row(&row);
	return 0;
}

/* "ids": several, "id": one, or with "all" what the filter selects. */
static int act(struct call *call, enum store_quarantine_verb verb, json_t **last, struct err *err)
{
	const json_t *list = json_object_get(call->request, "ids");
	size_t n = json_array_size(list), changed = 0;
	int64_t ids[IDS_MAX], one = 0;
	struct store_quarantine_filter f;
	int rc;

	filter_read(call, &f);
	if (call_number(call, "id", 1, INT64_MAX, &one, err) < 0)
		return -1;
	if (n > IDS_MAX)
		return err_set(err, ERR_PERM, "ids: at most %d at a time", IDS_MAX);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		uint64_t id = 0;
		if (json_is_integer(v))
			id = (uint64_t)json_integer_value(v);
		else if (!str_to_u64(str_from(json_string_value(v)), INT64_MAX, &id))
			return err_set(err, ERR_PERM, "ids: not a number");
		ids[i] = (int64_t)id;
	}
	if (one > 0) {
		ids[0] = one;
		n = 1;
	}
	if (n > 0)
		rc = store_quarantine_act(call->ctl->store, verb, ids, n, &changed, err);
	else if (call_flag(call, "all"))
		rc = store_quarantine_act_all(call->ctl->store, verb, &f, &changed, err);
	else
		return err_set(err, ERR_PERM, "needs id, ids, or all");
	if (rc < 0)
		return -1;
	if (one > 0 && changed == 0)
		return call_missing(call, err, "%lld is not in quarantine", (long long)one);
	*last = json_pack("{s:I}", "changed", (json_int_t)changed);
	return 0;
}

static int quarantine_release(struct call *call, json_t **last, struct err *err)
{
	return act(call, STORE_QUARANTINE_RELEASE, last, err);
}

static int quarantine_delete(struct call *call, json_t **last, struct err *err)
{
	return act(call, STORE_QUARANTINE_DELETE, last, err);
}

/* {"days": n}, after setting it when the request has "days". */
static int quarantine_keep(struct call *call, json_t **last, struct err *err)
{
	int64_t days = 0;

	if (call_has(call, "days") &&
		(call_number(call, "days", 1, STORE_QUARANTINE_DAYS_MAX, &days, err) < 0 ||
			store_quarantine_days_put(call->ctl->store, days, err) < 0))
		return -1;
	if (store_quarantine_days(call->ctl->store, &days, err) < 0)
		return -1;
	*last = json_pack("{s:I}", "days", (json_int_t)days);
	return 0;
}

const struct verb control_quarantine_verbs[] = {
	{"quarantine.list", quarantine_list},
	{"quarantine.get", quarantine_get},
	{"quarantine.release", quarantine_release},
	{"quarantine.delete", quarantine_delete},
	{"quarantine.keep", quarantine_keep},
	{NULL, NULL},
};
