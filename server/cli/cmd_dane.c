/* cmd_dane - TLSA records: what they are for a key, whether a server matches its own, and what
 * mail to a domain would meet. */
#include "base/buf.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "policy/danedial.h"
#include "queue/probe.h"
#include "tls/verify.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIAL_MS = 60 * 1000 };

/* --- what the network commands need --- */

struct tools {
	struct config *config;
	struct dns *dns;
	struct tls_client *tls;
	struct arena *arena;
	struct trace *trace;
};

/* mox.conf when there is one, or the defaults. */
static int tools_open(const struct cli *cli, struct tools *t, struct err *err)
{
	bool chosen = cli_option(cli, "config") != NULL;
	struct err none;

	*t = (struct tools){.config = NULL};
	if (cli_config_load(cli, &t->config, chosen ? err : &none) < 0) {
		if (chosen)
			return -1;
		t->config = config_new("/nonexistent", "localhost");
	}
	const struct config *c = t->config;
	if (cli_dns_open(cli, &t->dns, err) < 0 ||
		tls_client_new(c->tls_ca_files, c->tls_ca_file_count,
			c->tls_ca_additional || c->tls_ca_file_count == 0, &t->tls, err) < 0)
		return -1;
	t->arena = arena_open();
	t->trace = trace_new();
	return 0;
}

static void tools_close(struct tools *t)
{
	trace_free(&t->trace);
	arena_close(&t->arena);
	tls_client_free(&t->tls);
	dns_close(&t->dns);
	config_release(t->config);
}

static json_t *trace_json(struct trace *trace)
{
	struct buf b = {NULL, 0, 0};

	trace_write(trace, &b);
	json_t *out = json_loadb(b.p, b.len, 0, NULL);
	buf_free(&b);
	return out != NULL ? out : json_object();
}

static void trace_print(struct trace *trace)
{
	json_t *all = trace_json(trace);

	cli_trace_print(all);
	json_decref(all);
}

/* --- makerecord --- */

static int number(const char *text, const char *what, const char *const *words, size_t count,
	unsigned *out, struct err *err)
{
	uint64_t n;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = (unsigned)i;
			return 0;
		}
	}
	if (!str_to_u64(str_from(text), count - 1, &n))
		return err_set(
			err, ERR_PERM, "%s: \"%.40s\" is none of 0 to %zu", what, text, count - 1);
	*out = (unsigned)n;
	return 0;
}

static int record_make(
	const struct cli *cli, struct arena *a, struct dane_record *r, struct err *err)
{
	static const char *const usages[] = {"pkix-ta", "pkix-ee", "dane-ta", "dane-ee"};
	static const char *const selectors[] = {"cert", "spki"};
	static const char *const matches[] = {"full", "sha2-256", "sha2-512"};
	unsigned char digest[SHA512_DIGEST_LENGTH];
	struct tls_pem pem;

	if (number(cli->args[0], "usage", usages, 4, &r->usage, err) < 0 ||
		number(cli->args[1], "selector", selectors, 2, &r->selector, err) < 0 ||
		number(cli->args[2], "match", matches, 3, &r->match, err) < 0 ||
		tls_pem_load(cli->args[3], a, &pem, err) < 0)
		return -1;
	if (r->selector == DANE_CERT && pem.cert.len == 0)
		return err_set(err, ERR_PERM,
			"%s has a key, and selector 0 is for a whole certificate", cli->args[3]);
	r->data = r->selector == DANE_CERT ? pem.cert : pem.spki;
	const unsigned char *p = (const unsigned char *)r->data.p;
	if (r->match == DANE_SHA256)
		r->data = (struct str){
			(const char *)SHA256(p, r->data.len, digest), SHA256_DIGEST_LENGTH};
	else if (r->match == DANE_SHA512)
		r->data = (struct str){
			(const char *)SHA512(p, r->data.len, digest), SHA512_DIGEST_LENGTH};
	r->data = arena_str(a, r->data);
	return 0;
}

int cmd_dane_makerecord(const struct cli *cli, struct err *err)
{
	struct arena *a = arena_open();
	struct dane_record r;
	int rc = record_make(cli, a, &r, err);

	if (rc == 0) {
		struct str text = dane_record_full_text(a, &r);
		if (cli_option(cli, "json") != NULL) {
			json_t *out = json_pack("{s:i, s:i, s:i, s:s, s:s}", "usage", (int)r.usage,
				"selector", (int)r.selector, "match", (int)r.match, "data",
				strrchr(text.p, ' ') + 1, "record", text.p);
			cli_object_print(out, true);
			json_decref(out);
		} else {
			printf("TLSA %s\n", text.p);
		}
	}
	arena_close(&a);
	return rc;
}

/* --- dial --- */

static void dial_print(const struct cli *cli, struct tools *t, const struct dane_dial *d)
{
	json_t *records = json_array();
	char ip[IP_TEXT] = "";

	for (size_t i = 0; i < d->records.count; i++)
		json_array_append_new(
			records, json_string(dane_record_text(t->arena, &d->records.list[i]).p));
	const char *matched =
		d->verdict.record != NULL ? dane_record_text(t->arena, d->verdict.record).p : "";
	json_t *out = json_pack("{s:b, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s}", "ok",
		d->status == DANE_DIAL_OK, "result", dane_dial_status_text(d->status), "text",
		d->text, "tlsa_base_domain", d->base, "records", records, "matched", matched, "ip",
		d->ip.len > 0 ? ip_text(&d->ip, ip) : "", "tls_version", d->peer.info.version,
		"tls_cipher", d->peer.info.cipher, "key_sha256", d->peer.spki_sha256);
	if (cli_option(cli, "json") != NULL) {
		json_object_set_new(out, "trace", trace_json(t->trace));
	} else {
		trace_print(t->trace);
	}
	cli_object_print(out, cli_option(cli, "json") != NULL);
	json_decref(out);
}

int cmd_dane_dial(const struct cli *cli, struct err *err)
{
	struct dane_dial_options o = {.usages = 0};
	struct dane_dial d;
	char host[DNS_NAME_MAX];
	struct tools t;
	struct str name;

	if (hostport_parse(str_from(cli->args[0]), 0, &name, &o.port, err) < 0 ||
		dns_name_to_ascii(name, host, err) < 0)
		return -1;
	if (o.port == 0)
		return err_set(err, ERR_PERM, "%s: the port is missing", cli->args[0]);
	int rc = tools_open(cli, &t, err);
	if (rc == 0) {
		o.ask = (struct dns_asker){
			.dns = t.dns, .deadline = deadline_in_ms(DIAL_MS), .trace = t.trace};
		o.tls = t.tls;
		o.host = host;
		rc = dane_dial(&o, t.arena, &d, err);
	}
	if (rc == 0) {
		dial_print(cli, &t, &d);
		if (d.conn != NULL)
			conn_close(&d.conn);
		if (d.status != DANE_DIAL_OK)
			rc = err_set(err, ERR_PERM, "%s: %.400s", dane_dial_status_text(d.status),
				d.text);
	}
	tools_close(&t);
	return rc;
}

/* --- dialmx --- */

static json_t *host_json(const struct queue_probe_host *h)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:s, s:s, s:s}", "host", h->host, "ip",
		h->ip, "ok", h->open, "dane", h->dane, "tls", h->tls, "verified", h->verified,
		"session", h->tls_text, "matched", h->record, "text", h->text);
}

static void dialmx_print(const struct cli *cli, struct tools *t, const char *domain,
	const struct queue_probe_result *r)
{
	json_t *hosts = json_array();

	if (cli_option(cli, "json") == NULL) {
		trace_print(t->trace);
		puts("");
		for (size_t i = 0; i < r->host_count; i++)
			printf("%s: %s%s%s\n", r->hosts[i].host, r->hosts[i].text,
				r->hosts[i].dane ? "" : " (no DANE)",
				r->hosts[i].open ? "" : " (no mail)");
		puts(r->text);
		json_decref(hosts);
		return;
	}
	for (size_t i = 0; i < r->host_count; i++)
		json_array_append_new(hosts, host_json(&r->hosts[i]));
	json_t *out = json_pack("{s:b, s:s, s:s, s:b, s:o, s:o}", "ok", r->open, "domain", domain,
		"text", r->text, "dane", r->dane, "hosts", hosts, "trace", trace_json(t->trace));
	cli_object_print(out, true);
	json_decref(out);
}

int cmd_dane_dialmx(const struct cli *cli, struct err *err)
{
	struct queue_probe_result *r = calloc(1, sizeof(*r));
	char domain[DNS_NAME_MAX];
	struct tools t;

	if (r == NULL)
		abort();
	int rc = dns_name_to_ascii(str_from(cli->args[0]), domain, err);
	if (rc == 0) {
		rc = tools_open(cli, &t, err);
		if (rc == 0) {
			struct queue_probe_options o = {.config = t.config,
				.dns = t.dns,
				.tls = t.tls,
				.domain = domain,
				.extent = PROBE_EVERY_HOST};
			rc = queue_probe(&o, t.trace, r, err);
		}
		if (rc == 0) {
			dialmx_print(cli, &t, domain, r);
			if (!r->open)
				rc = err_set(err, ERR_PERM, "%.500s", r->text);
			else if (!r->dane)
				rc = err_set(err, ERR_PERM,
					"no MX host of %.253s has TLSA records that can be used",
					domain);
		}
		tools_close(&t);
	}
	free(r);
	return rc;
}
