/* From a next hop to an open session: MX look-up (RFC 5321 section 5.1, RFC 7505), the walk
 * over hosts and addresses, dialling, TLS by policy. */
#include "queue/secure.h"

#include "base/log.h"
#include "smtp/client_reply.h"

#include <ifaddrs.h>
#include <stdio.h>

enum { ADDRESS_BAD_MS = 60 * 1000 };

static int refuse(struct smtp_rcpt_reply *refusal, const char *ecode, const char *text)
{
	struct slot s = {.transport = ""};

	slot_own_word(&s, ecode, text);
	*refusal = s.word;
	return -1;
}

/* --- are we that ourselves? --- */

static bool name_is_ours(const struct config *c, const char *name)
{
	if (str_eq_nocase(str_from(c->hostname), str_from(name)))
		return true;
	for (size_t i = 0; i < c->listener_count; i++) {
		if (c->listeners[i].smtp.enabled &&
			str_eq_nocase(str_from(c->listeners[i].hostname), str_from(name)))
			return true;
	}
	return false;
}

static bool ip_is_unspecified(const struct ip *ip)
{
	static const unsigned char zero[16];

	return memcmp(ip->bytes, zero, ip->len) == 0;
}

/* Is it an address of an interface of this machine? */
static bool ip_is_local(const struct ip *ip)
{
	struct ifaddrs *list, *at;
	bool found = false;
	struct ip have;
	unsigned port;

	if (getifaddrs(&list) < 0)
		return false;
	for (at = list; at != NULL && !found; at = at->ifa_next) {
		if (at->ifa_addr == NULL ||
			(at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
			continue;
		ip_from_sockaddr(at->ifa_addr, &have, &port);
		found = ip_equal(&have, ip);
	}
	freeifaddrs(list);
	return found;
}

/* Would we talk to our own SMTP listener? */
static bool address_is_ours(const struct config *c, const struct ip *ip, unsigned port)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];
		for (size_t k = 0; l->smtp.enabled && k < l->nat_ip_count; k++) {
			if (ip_equal(&l->nat_ips[k], ip))
				return true;
		}
		if (!l->smtp.enabled || l->smtp.port != port)
			continue;
		for (size_t k = 0; k < l->ip_count; k++) {
			if (ip_equal(&l->ips[k], ip) ||
				(l->ips[k].len == ip->len && ip_is_unspecified(&l->ips[k]) &&
					ip_is_local(ip)))
				return true;
		}
	}
	return false;
}

/* --- hosts --- */

static int hosts_from_relay(
	struct connect_walk *w, const struct store_relay *relay, struct smtp_rcpt_reply *refusal)
{
	unsigned port_default = relay->protocol == STORE_PROTOCOL_LMTP ? 24
				: relay->tls == STORE_TLS_IMMEDIATE    ? 465
								       : 25;
	struct err err;

	for (size_t i = 0; i < relay->host_count; i++) {
		struct hop_host *h = &w->hosts[w->host_count];
		struct str name;
		if (hostport_parse(relay->hosts[i], port_default, &name, &h->port, &err) < 0)
			return refuse(refusal, "4.3.5", err.text);
		h->name = arena_strdup(w->d->arena, name);
		w->host_count++;
	}
	return 0;
}

/* Ourselves in the list: what is no better than we are would only send it back to us. */
static int loops_cut(struct connect_walk *w, struct smtp_rcpt_reply *refusal)
{
	for (size_t i = 0; i < w->host_count; i++) {
		if (!name_is_ours(w->d->config, w->hosts[i].name))
			continue;
		unsigned pref = w->hosts[i].pref;
		w->any_looped = true;
		while (w->host_count > 0 && w->hosts[w->host_count - 1].pref >= pref)
			w->host_count--;
		break;
	}
	if (w->any_looped && w->host_count == 0)
		return refuse(refusal, "5.4.6",
			"The MX records of the domain point at this server, "
			"which is not set up to receive mail for it");
	return 0;
}

/* The plan of the destination: that of the delivery as long as it is fresh. */
static struct plan *plan_ensure(struct delivery *d, const char *domain)
{
	if (d->plan != NULL && (plan_is_stale(d->plan) || !plan_is_for(d->plan, domain)))
		plan_release(&d->plan);
	if (d->plan == NULL)
		d->plan = plans_get(d->q->plans, domain, d->config->queue.smtp_port);
	return d->plan;
}

static int hosts_from_mx(struct connect_walk *w, struct smtp_rcpt_reply *refusal)
{
	const struct plan_facts *f = plan_facts(plan_ensure(w->d, w->hop->domain));
	const struct destination *dest = &f->dest;
	char text[400];

	trace_append(w->trace, f->trace);
	switch (dest->status) {
	case DESTINATION_OK:
		break;
	case DESTINATION_NO_MAIL:
		return refuse(refusal, "5.1.10", dest->text);
	case DESTINATION_BAD_MX:
		return refuse(refusal, "5.1.2", dest->text);
	case DESTINATION_CNAME_LOOP:
		return refuse(refusal, "4.4.6", dest->text);
	case DESTINATION_DNS_ERROR:
		secure_destination_failed(w);
		return refuse(refusal, "4.4.3", dest->text);
	}
	if (!dest->exists) {
		snprintf(text, sizeof(text), "The domain %.253s does not exist", dest->expanded);
		return refuse(refusal, "5.1.2", text);
	}
	for (size_t i = 0; i < dest->host_count && w->host_count < MX_MAX; i++)
		w->hosts[w->host_count++] = (struct hop_host){.name = dest->hosts[i].name,
			.port = w->d->config->queue.smtp_port,
			.pref = dest->hosts[i].pref};
	if (loops_cut(w, refusal) < 0)
		return -1;
	return secure_begin(w, refusal);
}

static bool is_mx(const struct connect_walk *w)
{
	return w->hop->kind == HOP_MX && !w->hop->literal;
}

int connect_begin(struct connect_walk *w, struct delivery *d, const struct next_hop *hop,
	struct smtp_rcpt_reply *refusal)
{
	struct trace *trace = w->trace;
	bool is_tls_report = w->is_tls_report;

	*w = (struct connect_walk){.d = d,
		.hop = hop,
		.loop_pref = INT64_MAX,
		.trace = trace,
		.is_tls_report = is_tls_report};
	if (hop->kind == HOP_HOSTS) {
		w->policy = tlspolicy_relay(hop->relay->tls);
		return hosts_from_relay(w, hop->relay, refusal);
	}
	if (hop->literal) {
		w->policy = tlspolicy_direct();
		w->hosts[w->host_count++] =
			(struct hop_host){.name = hop->domain, .port = d->config->queue.smtp_port};
		return 0;
	}
	return hosts_from_mx(w, refusal);
}

bool connect_is_hopeless(const struct connect_walk *w)
{
	return w->lacking > 0 && w->lacking == w->host_count;
}

/* --- addresses --- */

/* A permanent word never hides a temporary one: then trying again makes sense. */
static void trouble_note(struct connect_trouble *t, const char *host, const char *ip,
	const struct smtp_rcpt_reply *word)
{
	if (t->any && word->permanent && !t->word.permanent)
		return;
	t->any = true;
	t->word = *word;
	snprintf(t->host, sizeof(t->host), "%s", host);
	snprintf(t->ip, sizeof(t->ip), "%s", ip);
}

void trouble_text(struct connect_trouble *t, const char *host, const char *ip, const char *ecode,
	const char *text)
{
	struct slot s = {.transport = ""};

	slot_own_word(&s, ecode, text);
	trouble_note(t, host, ip, &s.word);
}

/* The address that answered last goes first; families otherwise as the resolver gave them. */
static void last_good_first(struct connect_walk *w, const char *host)
{
	struct ip good = hops_last_good(w->d->q->hops, host);

	for (size_t i = 1; good.len > 0 && i < w->ip_count; i++) {
		if (!ip_equal(&w->ips[i], &good))
			continue;
		memmove(&w->ips[1], &w->ips[0], i * sizeof(w->ips[0]));
		w->ips[0] = good;
		break;
	}
}

static void addresses_take(struct connect_walk *w, const struct ip *ips, size_t count)
{
	w->ips = arena_alloc(w->d->arena, (count + 1) * sizeof(*w->ips));
	for (size_t i = 0; i < count; i++)
		w->ips[w->ip_count++] = ips[i];
	last_good_first(w, w->hosts[w->host_at].name);
}

/* Why a host has no address. */
static void no_address(struct connect_walk *w, struct connect_trouble *trouble, bool final,
	enum dns_status status, struct str reason)
{
	const char *host = w->hosts[w->host_at].name;
	char text[DESTINATION_TEXT + 100];

	snprintf(text, sizeof(text), "Looking for an address of %s: %s%s%.*s", host,
		status == DNS_NXDOMAIN ? "no such host"
		: status == DNS_NODATA ? "no address"
				       : dns_status_text(status),
		reason.len > 0 ? ": " : "", STR_FMT(reason));
	trouble_text(trouble, host, "", final ? "5.4.4" : "4.4.4", text);
}

/* Of an MX host, from the plan, with the TLS it must show. */
static void mx_addresses(struct connect_walk *w, struct connect_trouble *trouble)
{
	if (!secure_host(w, trouble))
		return;
	const struct destination_ips *ips = &plan_host(w->d->plan, w->host_at)->ips;
	if (ips->status == DNS_OK) {
		addresses_take(w, ips->ips, ips->count);
		return;
	}
	/* Without an MX record and without an address there is nobody to ask again. */
	bool final = !plan_facts(w->d->plan)->dest.have_mx && !ips->cname_loop &&
		     !dns_status_is_temporary(ips->status);
	struct str reason = str_from(
		dns_status_is_temporary(ips->status) || ips->cname_loop ? ips->trouble.text : "");
	no_address(w, trouble, final, ips->status, reason);
}

static void addresses_find(struct connect_walk *w, struct connect_trouble *trouble)
{
	const char *host = w->hosts[w->host_at].name;
	struct dns_asker q = {.dns = w->d->q->opt.dns,
		.deadline = deadline_in_ms(DNS_TIMEOUT_MS),
		.trace = w->trace};
	struct dns_answer answer;
	struct ip literal;
	struct err err;

	w->ip_count = w->ip_at = 0;
	w->ips_known = true;
	if (is_mx(w)) {
		mx_addresses(w, trouble);
		return;
	}
	if (ip_parse(str_from(host), &literal)) {
		addresses_take(w, &literal, 1);
		return;
	}
	if (dns_ask_addr(&q, host, w->d->arena, &answer, &err) < 0) {
		trouble_text(trouble, host, "", "4.4.4", err.text);
		return;
	}
	if (answer.status != DNS_OK) {
		no_address(w, trouble, false, answer.status, answer.reason);
		return;
	}
	struct ip *ips = arena_alloc(w->d->arena, answer.count * sizeof(*ips));
	for (size_t i = 0; i < answer.count; i++)
		ips[i] = answer.records[i].ip;
	addresses_take(w, ips, answer.count);
}

void connect_skip_host(struct connect_walk *w)
{
	w->host_at++;
	w->ips_known = false;
}

/* The next address to dial: first those without recent trouble, in a second pass the
 * others. NULL when there are no more. */
static const struct ip *address_next(struct connect_walk *w, struct connect_trouble *trouble)
{
	for (;;) {
		if (w->host_at == w->host_count || w->hosts[w->host_at].pref >= w->loop_pref) {
			if (w->second_pass || !w->skipped)
				return NULL;
			w->second_pass = true;
			w->host_at = 0;
			w->ips_known = false;
			continue;
		}
		if (!w->ips_known)
			addresses_find(w, trouble);
		if (w->ip_at == w->ip_count) {
			connect_skip_host(w);
			continue;
		}
		const struct ip *ip = &w->ips[w->ip_at++];
		const struct hop_host *h = &w->hosts[w->host_at];
		if (ip_equal(ip, &w->skip_ip))
			continue;
		if (w->hop->kind == HOP_MX && address_is_ours(w->d->config, ip, h->port)) {
			w->any_looped = true;
			w->loop_pref = h->pref;
			continue;
		}
		bool bad = hops_address_bad(w->d->q->hops, ip, h->port, clock_mono_ms());
		if (bad == w->second_pass)
			return ip;
		w->skipped |= bad;
	}
}

/* --- sessions --- */

static void tls_describe(struct hop_session *s, const struct tls_outcome *outcome)
{
	const struct tls_info *tls = smtp_client_tls(s->client);

	if (tls != NULL)
		snprintf(s->tls, sizeof(s->tls), "%s %s, %s", tls->version, tls->cipher,
			outcome->verified ? "verified" : "not verified");
}

static const char *stage_text(enum smtp_stage stage)
{
	static const char *const texts[] = {
		[SMTP_STAGE_CONNECT] = "connecting",
		[SMTP_STAGE_GREETING] = "waiting for the greeting",
		[SMTP_STAGE_EHLO] = "at EHLO",
		[SMTP_STAGE_STARTTLS] = "at STARTTLS",
		[SMTP_STAGE_TLS] = "in the TLS handshake",
		[SMTP_STAGE_AUTH] = "at AUTH",
		[SMTP_STAGE_MAIL] = "at MAIL",
		[SMTP_STAGE_RCPT] = "at RCPT",
		[SMTP_STAGE_DATA] = "at DATA",
		[SMTP_STAGE_END] = "after the message",
	};

	return texts[stage];
}

void failure_word(const struct smtp_failure *f, struct smtp_rcpt_reply *word)
{
	*word = (struct smtp_rcpt_reply){.code = f->code, .permanent = f->permanent};
	memcpy(word->ecode, f->ecode, sizeof(word->ecode));
	if (f->code == 0)
		snprintf(word->text, sizeof(word->text), "%s: %.460s", stage_text(f->stage),
			f->text);
	else
		memcpy(word->text, f->text, sizeof(word->text));
	if (word->text[0] == '\0')
		snprintf(word->text, sizeof(word->text), "reply %d without text", f->code);
}

/* What a session's failure means for the recipients: a set-up trouble of TLS or login at the
 * admin's own hosts is a matter of configuration, and bounces nothing (spec 4.6). */
static void session_failed(struct connect_walk *w, const struct hop_session *s,
	const struct smtp_failure *f, struct connect_trouble *trouble)
{
	struct smtp_rcpt_reply word;

	failure_word(f, &word);
	word.permanent = f->permanent &&
			 (f->stage == SMTP_STAGE_GREETING || f->stage == SMTP_STAGE_EHLO ||
				 (f->stage == SMTP_STAGE_STARTTLS && w->hop->kind == HOP_MX));
	trouble_note(trouble, s->host, s->ip, &word);
}

static void dial_trace(struct connect_walk *w, const struct ip *ip, int64_t begin_ms,
	const char *error, const char *fallback)
{
	char text[IP_TEXT];

	trace_add(
		w->trace, &(struct trace_step){.kind = fallback ? "fallback" : "connect",
				  .title = str_from(arena_printf(w->d->arena, "%s %s [%s] port %u",
					  fallback ? "Again to" : "To", w->hosts[w->host_at].name,
					  ip_text(ip, text), w->hosts[w->host_at].port)),
				  .state = error      ? TRACE_BAD
					   : fallback ? TRACE_WARN
						      : TRACE_OK,
				  .result = error ? STR("failed") : STR("connected"),
				  .text = str_from(error      ? error
						   : fallback ? fallback
							      : ""),
				  .took_ms = clock_mono_ms() - begin_ms});
}

static int session_dial(struct connect_walk *w, const struct ip *ip,
	const struct tls_policy *policy, const char *fallback, struct hop_session **out,
	struct tls_outcome *outcome, struct smtp_failure *failure)
{
	struct delivery *d = w->d;
	const struct config_queue *c = &d->config->queue;
	const struct hop_host *host = &w->hosts[w->host_at];
	const struct store_relay *relay = w->hop->relay;
	int64_t begin_ms = clock_mono_ms();
	struct conn *conn;
	struct err err;

	*out = NULL;
	if (hops_dial(d->q->hops, ip, host->port, deadline_in_ms(c->connect_timeout_ms), &conn,
		    &err) < 0) {
		dial_trace(w, ip, begin_ms, err.text, fallback);
		*outcome = (struct tls_outcome){.may_send = false};
		*failure = (struct smtp_failure){.stage = SMTP_STAGE_CONNECT, .dead = true};
		smtp_text_copy(failure->text, sizeof(failure->text), str_from(err.text));
		return -1;
	}
	dial_trace(w, ip, begin_ms, NULL, fallback);
	struct smtp_client_options o = {.helo = d->config->hostname,
		.server_name = host->name,
		.protocol = relay != NULL ? relay->protocol : STORE_PROTOCOL_SMTP,
		.policy = *policy,
		.tls = d->q->opt.tls,
		.command_timeout_ms = c->command_timeout_ms,
		.session = deadline_in_ms(c->session_timeout_ms),
		.trace = w->trace};
	if (relay != NULL) {
		o.username = relay->username;
		o.password = relay->password;
	}
	struct hop_session *s = hops_session_new(d->q->hops, w->hop->key, conn);
	snprintf(s->host, sizeof(s->host), "%s", host->name);
	ip_text(ip, s->ip);
	s->port = host->port;
	*out = s;
	int rc = smtp_client_open(&conn, &o, &s->client, outcome, failure);
	const struct tls_info *tls = rc == 0 ? smtp_client_tls(s->client) : NULL;
	if (tls != NULL)
		atomic_fetch_add(tls->resumed ? &d->q->tls_resumed : &d->q->tls_full, 1);
	return rc;
}

/* The session can be used: what later messages over it want to know. */
static void session_opened(struct connect_walk *w, const struct ip *ip, struct hop_session *s,
	const struct tls_policy *policy, const struct tls_outcome *outcome, const char *plaintext)
{
	struct hops *hops = w->d->q->hops;

	tls_describe(s, outcome);
	w->verified = outcome->verified;
	w->has_matched = outcome->dane_record != NULL;
	if (w->has_matched)
		w->matched = *outcome->dane_record;
	secure_how(
		w, policy, smtp_client_tls(s->client), outcome, plaintext, s->how, sizeof(s->how));
	if (w->trace != NULL) {
		s->trace = trace_new();
		trace_append(s->trace, w->trace);
	}
	s->opened_ms = clock_mono_ms();
	hops_reached(hops, w->hop->key);
	hops_last_good_set(hops, w->hosts[w->host_at].name, ip);
	hops_address_note(hops, ip, w->hosts[w->host_at].port, 0);
	atomic_fetch_add(&w->d->q->opened, 1);
	w->connected = true;
}

static void session_refused(struct connect_walk *w, const struct ip *ip,
	const struct hop_session *s, const struct smtp_failure *failure,
	struct connect_trouble *trouble)
{
	char text[IP_TEXT];

	if (s == NULL) {
		trouble_text(trouble, w->hosts[w->host_at].name, ip_text(ip, text), "4.4.1",
			failure->text);
	} else {
		session_failed(w, s, failure, trouble);
		w->connected |= failure->code != 0 || failure->stage > SMTP_STAGE_EHLO;
	}
	if (failure->code == 0)
		hops_address_note(w->d->q->hops, ip, w->hosts[w->host_at].port,
			clock_mono_ms() + ADDRESS_BAD_MS);
}

/* One address: with TLS as the policy says, and where it allows that (RFC 7435) once more
 * without. 1: open; 0: not; -1: nor is there any use in the host's other addresses. */
static int session_open(struct connect_walk *w, const struct ip *ip, struct hop_session **out,
	struct connect_trouble *trouble)
{
	struct hops *hops = w->d->q->hops;
	struct tls_policy policy = w->policy;
	struct tls_outcome outcome;
	struct smtp_failure failure;
	char text[IP_TEXT], why[sizeof(failure.text)];
	const char *plaintext = NULL;

	int rc = session_dial(w, ip, &policy, NULL, out, &outcome, &failure);
	secure_note(w, &outcome);
	if (rc < 0 && outcome.try_plaintext && !hops_is_cut(hops)) {
		memcpy(why, failure.text, sizeof(why));
		plaintext = why;
		log_event(LOG_LEVEL_INFO, "queue.plaintext", "host", w->hosts[w->host_at].name,
			"ip", ip_text(ip, text), "reason", failure.text, NULL);
		hops_session_end(hops, out);
		policy = (struct tls_policy){.mode = TLS_MODE_SKIP, .rule = policy.rule};
		rc = session_dial(w, ip, &policy,
			"TLS failed, and nothing demands it: once more in plaintext", out, &outcome,
			&failure);
	}
	if (rc == 0 && !secure_requiretls(w, *out, &outcome, trouble)) {
		hops_session_end(hops, out);
		w->connected = true;
		return -1;
	}
	if (rc == 0) {
		session_opened(w, ip, *out, &policy, &outcome, plaintext);
		return 1;
	}
	session_refused(w, ip, *out, &failure, trouble);
	hops_session_end(hops, out);
	return 0;
}

int connect_next(struct connect_walk *w, struct hop_session **out, struct connect_trouble *trouble)
{
	const struct ip *ip;
	char text[IP_TEXT];

	*out = NULL;
	while (w->dialled < ADDRESSES_MAX && !hops_is_cut(w->d->q->hops) &&
		(ip = address_next(w, trouble)) != NULL) {
		if (w->d->config->localserve && !ip_is_loopback(ip)) {
			trouble_text(trouble, w->hosts[w->host_at].name, ip_text(ip, text), "4.7.1",
				"localserve sends nothing off this machine");
			w->connected = true; /* nothing is wrong with it */
			continue;
		}
		w->dialled++;
		int rc = session_open(w, ip, out, trouble);
		if (rc == 1)
			return 1;
		if (rc < 0)
			connect_skip_host(w);
	}
	if (w->any_looped && !trouble->any)
		trouble_text(trouble, w->hosts[0].name, "", "5.4.6",
			"The MX records of the domain lead to this server, which is not set up to "
			"receive mail for it");
	return 0;
}
