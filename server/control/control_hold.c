/* control_hold - hold rules, ways chosen by hand, and which way mail would take. */
#include "control/control_priv.h"

#include "queue/way.h"
#include "store/hold.h"

static json_t *json_rule(const struct store_hold_rule *row)
{
	char when[CLOCK_TEXT];

	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:s}", "id", (json_int_t)row->id,
		"account", json_view(row->account), "from_domain", json_view(row->sender_domain),
		"from", json_view(row->sender), "to", json_view(row->rcpt_domain), "comment",
		json_view(row->comment), "created", clock_iso(row->created_s, when));
}

static int rule_list(struct call *call, json_t **last, struct err *err)
{
	struct store_hold_rule *rows;
	size_t count;

	(void)last;
	if (store_hold_list(call->ctl->store, call->arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (call_row(call, json_rule(&rows[i]), err) < 0)
			return -1;
	return 0;
}

/* Holds or releases what a rule matches in the queue, when asked to. */
static int apply(struct call *call, const struct store_hold_rule *rule, enum store_queue_verb verb,
	size_t *changed, struct err *err)
{
	struct store_queue_filter f = store_hold_filter(
		rule, verb == STORE_QUEUE_HOLD ? STORE_RCPT_QUEUED : STORE_RCPT_HELD);
	const struct control *ctl = call->ctl;

	*changed = 0;
	if (!call_flag(call, "apply"))
		return 0;
	return ctl->queue ? queue_act_all(ctl->queue, verb, &f, changed, err)
			  : store_queue_act_all(ctl->store, verb, &f, changed, err);
}

static int rule_add(struct call *call, json_t **last, struct err *err)
{
	struct store_hold_rule row = {.account = call_text(call, "account"),
		.sender_domain = call_text(call, "from_domain"),
		.sender = call_text(call, "from"),
		.rcpt_domain = call_text(call, "to"),
		.comment = call_text(call, "comment")};
	struct admin_problems problems;
	size_t changed;

	if (row.account.len + row.sender_domain.len + row.sender.len + row.rcpt_domain.len == 0 &&
		!call_flag(call, "all"))
		return err_set(err, ERR_PERM,
			"a rule without fields holds all mail; say -all if that is meant");
	if (call_saved(call, admin_hold_save(call->ctl->store, call->arena, &row, &problems, err),
		    &problems, err) < 0 ||
		apply(call, &row, STORE_QUEUE_HOLD, &changed, err) < 0)
		return -1;
	*last = json_pack("{s:I, s:I}", "id", (json_int_t)row.id, "changed", (json_int_t)changed);
	return 0;
}

static int rule_remove(struct call *call, json_t **last, struct err *err)
{
	struct store_hold_rule row;
	int64_t id = 0;
	size_t changed;

	if (call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	int rc = store_hold_get(call->ctl->store, id, call->arena, &row, err);
	if (rc <= 0)
		return rc < 0 ? -1
			      : call_missing(
					call, err, "there is no hold rule %lld", (long long)id);
	if (store_hold_delete(call->ctl->store, id, err) < 0 ||
		apply(call, &row, STORE_QUEUE_UNHOLD, &changed, err) < 0)
		return -1;
	*last = json_pack("{s:I}", "changed", (json_int_t)changed);
	return 0;
}

/* --- ways --- */

static int way_read(const struct call *call, int64_t *transport_id, struct err *err)
{
	struct store_transport *all;
	struct str name;
	size_t count;

	if (call_need(call, "transport", &name, err) < 0)
		return -1;
	*transport_id = STORE_WAY_ROUTES;
	if (str_eq(name, STR("routes")))
		return 0;
	*transport_id = STORE_WAY_DIRECT;
	if (str_eq(name, STR("direct")))
		return 0;
	if (store_transport_list(call->ctl->store, call->arena, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_eq(all[i].name, name)) {
			*transport_id = all[i].id;
			return 0;
		}
	}
	return err_set(err, ERR_PERM,
		"transport %.*s does not exist; \"direct\" and \"routes\" are ways too",
		STR_FMT(name));
}

static int queue_transport(struct call *call, json_t **last, struct err *err)
{
	const struct control *ctl = call->ctl;
	struct store_queue_filter f;
	int64_t transport_id, id = 0, rcpt_id = 0;
	size_t changed = 0, kicked = 0;
	int rc;

	if (way_read(call, &transport_id, err) < 0)
		return -1;
	if (call_has(call, "id")) {
		if (call_queue_id(call, &id, err) < 0 ||
			call_number(call, "recipient_id", 0, INT64_MAX, &rcpt_id, err) < 0)
			return -1;
		rc = store_queue_way(ctl->store, transport_id, id, rcpt_id, &changed, err);
		if (rc == 0 && call_flag(call, "kick"))
			rc = ctl->queue ? queue_act(ctl->queue, STORE_QUEUE_RETRY, id, rcpt_id,
						  &kicked, err)
					: store_queue_act(ctl->store, STORE_QUEUE_RETRY, id,
						  rcpt_id, &kicked, err);
	} else if (call_queue_many(call)) {
		if (call_queue_filter(call, &f, err) < 0)
			return -1;
		rc = store_queue_way_all(ctl->store, transport_id, &f, &changed, err);
		if (rc == 0 && call_flag(call, "kick"))
			rc = ctl->queue ? queue_act_all(
						  ctl->queue, STORE_QUEUE_RETRY, &f, &kicked, err)
					: store_queue_act_all(
						  ctl->store, STORE_QUEUE_RETRY, &f, &kicked, err);
	} else {
		return err_set(err, ERR_PERM, "needs an id, or all, or to");
	}
	*last = json_pack("{s:I, s:b}", "changed", (json_int_t)changed, "present", changed > 0);
	return rc;
}

static int queue_route(struct call *call, json_t **last, struct err *err)
{
	static const char *const kinds[] = {
		[WAY_MAILBOX] = "mailbox",
		[WAY_HOSTS] = "hosts",
		[WAY_MX] = "mx",
		[WAY_NOWHERE] = "nowhere",
	};
	const struct config *config = config_snapshot(call->ctl->config);
	struct way_question q = {.mail_from = call_text(call, "from")};
	int64_t attempt = 1;
	struct way *ways;
	size_t count, left_out;
	int rc = -1;

	if (call_need(call, "address", &q.rcpt, err) < 0 ||
		call_number(call, "attempt", 1, 1000, &attempt, err) < 0)
		goto out;
	q.attempts = (unsigned)attempt - 1;
	way_find_all(call->ctl->store, config, &q, call->arena, &ways, &count, &left_out);
	rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = call_row(call,
			json_pack("{s:o, s:s, s:s, s:I, s:s}", "to", json_view(ways[i].rcpt),
				"kind", kinds[ways[i].kind], "transport", ways[i].transport,
				"route", (json_int_t)ways[i].match.number, "words",
				way_words(&ways[i], call->arena)),
			err);
	*last = json_pack("{s:I}", "left_out", (json_int_t)left_out);
out:
	config_release(config);
	return rc;
}

const struct verb control_hold_verbs[] = {
	{"queue.holdrules.list", rule_list},
	{"queue.holdrules.add", rule_add},
	{"queue.holdrules.remove", rule_remove},
	{"queue.transport", queue_transport},
	{"queue.route", queue_route},
	{"relay.test", control_relay_test},
	{NULL, NULL},
};
