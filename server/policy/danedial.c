#include "policy/danedial.h"

#include <stdarg.h>
#include <stdio.h>

const char *dane_dial_status_text(enum dane_dial_status s)
{
	switch (s) {
	case DANE_DIAL_OK:
		return "ok";
	case DANE_DIAL_NO_RECORDS:
		return "no-records";
	case DANE_DIAL_INSECURE:
		return "insecure";
	case DANE_DIAL_NO_MATCH:
		return "no-match";
	case DANE_DIAL_DNS:
		return "dns-error";
	case DANE_DIAL_CONNECT:
		return "connect-error";
	case DANE_DIAL_TLS:
		return "tls-error";
	}
	return "unknown";
}

__attribute__((format(printf, 3, 4))) static int ended(
	struct dane_dial *out, enum dane_dial_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, ap);
	va_end(ap);
	out->status = status;
	return 0;
}

static int dns_ended(struct dane_dial *out, const char *what, const struct dns_answer *answer)
{
	struct dns_trouble t;

	dns_trouble_note(&t, what, answer);
	return ended(out, DANE_DIAL_DNS, "%.390s", t.text);
}

/* Where the host's CNAMEs lead: 1, or 0 with out saying why not. */
static int expand(const struct dane_dial_options *opt, const char **expanded, bool *secure,
	struct arena *arena, struct dane_dial *out, struct err *err)
{
	struct dns_answer answer;

	*expanded = opt->host;
	*secure = true;
	for (int links = 0;; links++) {
		if (links > DANE_CNAMES_MAX)
			return ended(out, DANE_DIAL_DNS,
				"The CNAME records of %.253s are too many in a row or a circle",
				opt->host);
		if (dns_ask(&opt->ask, DNS_CNAME, *expanded, arena, &answer, err) < 0)
			return -1;
		if (dns_status_is_temporary(answer.status))
			return dns_ended(out, "CNAME look-up", &answer);
		if (links == 0 && !answer.secure)
			return ended(
				out, DANE_DIAL_INSECURE, "DNSSEC does not cover %.253s", opt->host);
		*secure = *secure && answer.secure;
		if (answer.status != DNS_OK)
			return 1;
		*expanded = arena_strdup(arena, answer.records[0].name);
	}
}

enum found { FOUND, FOUND_NONE, FOUND_INSECURE, FOUND_TROUBLE };

static int records_ask(const struct dane_dial_options *opt, const char *base, enum found *found,
	struct arena *arena, struct dane_dial *out, struct err *err)
{
	const char *name = arena_printf(arena, "_%u._tcp.%s", opt->port, base);
	struct dns_answer answer;

	if (dns_ask(&opt->ask, DNS_TLSA, name, arena, &answer, err) < 0)
		return -1;
	out->base = base;
	if (dns_status_is_temporary(answer.status)) {
		*found = FOUND_TROUBLE;
		return dns_ended(out, "TLSA look-up", &answer);
	}
	*found = !answer.secure ? FOUND_INSECURE : answer.status == DNS_OK ? FOUND : FOUND_NONE;
	if (*found != FOUND)
		return 0;
	size_t n = answer.count < DANE_RECORDS_MAX ? answer.count : DANE_RECORDS_MAX;
	struct dane_record *list = arena_alloc(arena, n * sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = (struct dane_record){answer.records[i].usage, answer.records[i].selector,
			answer.records[i].match, answer.records[i].data};
	out->records = (struct dane_records){list, n};
	return 0;
}

/* 1: out->records; 0: out says why there are none. */
static int records_find(const struct dane_dial_options *opt, const char *expanded, bool secure,
	struct arena *arena, struct dane_dial *out, struct err *err)
{
	enum found found = FOUND_NONE;

	if (secure && strcmp(expanded, opt->host) != 0) {
		if (records_ask(opt, expanded, &found, arena, out, err) < 0)
			return -1;
		if (found == FOUND || found == FOUND_TROUBLE)
			return found == FOUND;
	}
	if (records_ask(opt, opt->host, &found, arena, out, err) < 0)
		return -1;
	switch (found) {
	case FOUND:
		return 1;
	case FOUND_NONE:
		return ended(out, DANE_DIAL_NO_RECORDS, "There are no TLSA records for %.253s",
			opt->host);
	case FOUND_INSECURE:
		return ended(out, DANE_DIAL_INSECURE,
			"DNSSEC does not cover the TLSA records of %.253s", opt->host);
	case FOUND_TROUBLE:
		break;
	}
	return 0;
}

static struct dane_records allowed(
	const struct dane_dial_options *opt, const struct dane_records *all, struct arena *arena)
{
	struct dane_record *list = arena_alloc(arena, all->count * sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < all->count; i++) {
		unsigned u = all->list[i].usage;
		if (opt->usages == 0 || (u < 32 && (opt->usages & 1U << u)))
			list[n++] = all->list[i];
	}
	return (struct dane_records){list, n};
}

/* One address. 1: connected and shaken hands; 0: out->text says why not. */
static int address_try(const struct dane_dial_options *opt, const struct ip *ip,
	struct arena *arena, struct dane_dial *out)
{
	struct tls_connect_options o = {.server_name = out->base};
	struct tls_failure_info failure;
	struct err err;

	if (conn_dial(ip, opt->port, NULL, opt->ask.deadline, &out->conn, &err) < 0)
		return ended(out, DANE_DIAL_CONNECT, "%.390s", err.text);
	out->ip = *ip;
	if (tls_connect(out->conn, opt->tls, &o, opt->ask.deadline, arena, &out->peer, &failure,
		    &err) < 0) {
		conn_close(&out->conn);
		return ended(out, DANE_DIAL_TLS, "%.390s", err.text);
	}
	return 1;
}

static int connect_and_verify(const struct dane_dial_options *opt, const char *expanded,
	const struct dane_records *records, struct arena *arena, struct dane_dial *out,
	struct err *err)
{
	struct dane_names names = {.list = {out->base, opt->host}, .count = 2};
	struct dns_answer addrs;
	int rc = 0;

	if (dns_ask_addr(&opt->ask, expanded, arena, &addrs, err) < 0)
		return -1;
	if (addrs.status != DNS_OK)
		return dns_ended(out, "Looking for an address", &addrs);
	for (size_t i = 0; rc == 0 && i < addrs.count; i++)
		rc = address_try(opt, &addrs.records[i].ip, arena, out);
	if (rc == 0)
		return 0;
	dane_verify(records, &names, &out->peer, opt->tls, &out->verdict);
	if (out->verdict.result == DANE_MATCH) {
		out->status = DANE_DIAL_OK;
		return 0;
	}
	conn_close(&out->conn);
	return ended(out, DANE_DIAL_NO_MATCH, "%.390s", out->verdict.text);
}

int dane_dial(const struct dane_dial_options *opt, struct arena *arena, struct dane_dial *out,
	struct err *err)
{
	struct dane_records records;
	const char *expanded;
	bool secure;

	*out = (struct dane_dial){.status = DANE_DIAL_DNS, .base = opt->host};
	int rc = expand(opt, &expanded, &secure, arena, out, err);
	if (rc == 1)
		rc = records_find(opt, expanded, secure, arena, out, err);
	if (rc <= 0)
		return rc;
	records = allowed(opt, &out->records, arena);
	if (records.count == 0)
		return ended(out, DANE_DIAL_NO_MATCH, "no TLSA record has a usage that is allowed");
	return connect_and_verify(opt, expanded, &records, arena, out, err);
}
