/* control_simulate - what would happen to mail for an address now. */
#include "control/control_priv.h"

#include "message/message.h"

enum { WAIT_S_MAX = 10 };

static json_t *host_json(const struct queue_probe_host *h)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:o, s:o}", "host", h->host, "ip",
		h->ip, "open", h->open, "tls", h->tls, "verified", h->verified, "dane", h->dane,
		"session", json_view(str_from(h->tls_text)), "matched",
		json_view(str_from(h->record)), "text", json_view(str_from(h->text)));
}

static json_t *way_json(const struct simulate_way *w)
{
	static const char *const kinds[] = {
		[WAY_MAILBOX] = "mailbox",
		[WAY_HOSTS] = "hosts",
		[WAY_MX] = "mx",
		[WAY_NOWHERE] = "nowhere",
	};
	json_t *hosts = json_array();
	json_t *trace = w->trace.len > 0 ? json_loadb(w->trace.p, w->trace.len, 0, NULL) : NULL;

	for (size_t i = 0; i < w->host_count; i++)
		json_array_append_new(hosts, host_json(&w->hosts[i]));
	return json_pack("{s:o, s:s, s:o, s:o, s:b, s:s, s:o, s:o, s:o}", "to", json_view(w->rcpt),
		"kind", kinds[w->kind], "transport", json_view(w->transport), "words",
		json_view(w->words), "done", w->done, "verdict", simulate_verdict_text(w->verdict),
		"text", json_view(w->text), "hosts", hosts, "trace",
		trace != NULL ? trace : json_null());
}

/* Of all ways: the worst. */
static enum simulate_verdict verdict_of(const struct simulate_view *v)
{
	enum simulate_verdict worst = SIMULATE_DELIVERED;

	if (!v->done || v->count == 0)
		return SIMULATE_UNKNOWN;
	for (size_t i = 0; i < v->count; i++) {
		enum simulate_verdict one = v->ways[i].verdict;
		if (one == SIMULATE_UNKNOWN)
			return one;
		worst = one > worst ? one : worst;
	}
	return worst;
}

static int answer(struct call *call, int64_t id, json_t **last, struct err *err)
{
	int64_t wait_s = WAIT_S_MAX;
	struct simulate_view v;

	if (call_number(call, "wait", 0, WAIT_S_MAX, &wait_s, err) < 0)
		return -1;
	if (!simulate_look(call->ctl->simulator, id, wait_s * 1000, call->arena, &v))
		return call_missing(
			call, err, "there is no simulation %lld any more", (long long)id);
	for (size_t i = 0; i < v.count; i++) {
		if (call_row(call, way_json(&v.ways[i]), err) < 0)
			return -1;
	}
	*last = json_pack("{s:I, s:b, s:o, s:s, s:I}", "id", (json_int_t)id, "done", v.done,
		"address", json_view(v.question.rcpt), "verdict",
		simulate_verdict_text(verdict_of(&v)), "left_out", (json_int_t)v.left_out);
	return 0;
}

static int simulator_need(const struct call *call, struct err *err)
{
	if (call->ctl->simulator != NULL)
		return 0;
	return err_set(err, ERR_PERM,
		"a delivery is simulated by the daemon, and none runs; mox dane dialmx DOMAIN and "
		"mox queue route ADDRESS need none");
}

static int simulate(struct call *call, json_t **last, struct err *err)
{
	struct simulate_question q = {.from = call_text(call, "from")};
	struct message_address parsed;
	int64_t id;

	if (simulator_need(call, err) < 0 || call_need(call, "address", &q.rcpt, err) < 0 ||
		message_address_parse(call->arena, q.rcpt, &parsed, err) < 0)
		return -1;
	if (q.from.len > 0 && message_address_parse(call->arena, q.from, &parsed, err) < 0)
		return -1;
	if (call_flag(call, "requiretls") && call_flag(call, "tls_optional"))
		return err_set(err, ERR_PERM, "one of requiretls and tls_optional, not both");
	q.demand = call_flag(call, "requiretls")     ? TLS_DEMAND_REQUIRED
		   : call_flag(call, "tls_optional") ? TLS_DEMAND_OPTIONAL
						     : TLS_DEMAND_NONE;
	if (simulate_begin(call->ctl->simulator, &q, &id, err) < 0)
		return -1;
	return answer(call, id, last, err);
}

static int simulation(struct call *call, json_t **last, struct err *err)
{
	int64_t id = 0;

	if (simulator_need(call, err) < 0 || call_number(call, "id", 1, INT64_MAX, &id, err) < 0)
		return -1;
	return answer(call, id, last, err);
}

const struct verb control_simulate_verbs[] = {
	{"smtp.simulate", simulate},
	{"smtp.simulation", simulation},
	{NULL, NULL},
};
