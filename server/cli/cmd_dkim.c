/* cmd_dkim - verify and look up: what others signed. */
#include "auth/arc.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOKUP_MS = 30 * 1000 };

static json_t *text(struct str s)
{
	struct buf b = {NULL, 0, 0};
	json_t *v = json_stringn(s.p ? s.p : "", s.len);

	if (v == NULL) { /* not UTF-8 */
		buf_hex(&b, s.p, s.len);
		v = json_string(b.p);
		buf_free(&b);
	}
	return v;
}

static json_t *result_json(const struct dkim_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "status", json_string(dkim_status_text(r->status)));
	json_object_set_new(o, "domain", text(r->domain));
	json_object_set_new(o, "selector", text(r->selector));
	json_object_set_new(o, "identity", text(r->identity));
	json_object_set_new(o, "algorithm", text(r->algorithm));
	json_object_set_new(o, "signature", text(r->prefix));
	json_object_set_new(o, "key_bits", json_integer((json_int_t)r->key_bits));
	json_object_set_new(o, "secure", json_boolean(r->authentic));
	json_object_set_new(o, "testing", json_boolean(r->testing));
	if (r->length_used)
		json_object_set_new(o, "length", json_integer((json_int_t)r->length));
	if (r->services.len > 0)
		json_object_set_new(o, "services", text(r->services));
	if (r->signed_s >= 0)
		json_object_set_new(o, "signed", json_integer((json_int_t)r->signed_s));
	if (r->expires_s >= 0)
		json_object_set_new(o, "expires", json_integer((json_int_t)r->expires_s));
	json_object_set_new(o, "reason", text(r->why));
	return o;
}

static void result_print(const struct dkim_result *r)
{
	printf("%s d=%.*s s=%.*s a=%.*s", dkim_status_text(r->status), STR_FMT(r->domain),
		STR_FMT(r->selector), STR_FMT(r->algorithm));
	if (r->key_bits > 0)
		printf(" (%u bits, %s)", r->key_bits, r->authentic ? "secure" : "insecure");
	printf("%s: %.*s\n", r->testing ? " t=y" : "", STR_FMT(r->why));
}

static int results_print(const struct cli *cli, const struct dkim_results *r, struct err *err)
{
	json_t *list = json_array();
	bool json = cli_option(cli, "json") != NULL;
	bool pass = false;

	for (size_t i = 0; i < r->count; i++) {
		pass = pass || r->at[i].status == DKIM_PASS;
		json_array_append_new(list, result_json(&r->at[i]));
		if (!json)
			result_print(&r->at[i]);
	}
	if (json) {
		json_t *o = json_pack("{s:s, s:o}", "verdict",
			pass           ? "pass"
			: r->count > 0 ? dkim_status_text(r->at[0].status)
				       : "none",
			"signatures", json_incref(list));
		cli_object_print(o, true);
		json_decref(o);
	} else if (r->count == 0) {
		puts("none");
	}
	json_decref(list);
	if (pass)
		return CLI_OK;
	return err_set(err, ERR_PERM,
		r->count > 0 ? "no signature passes" : "the message has no DKIM-Signature");
}

static int arc_print(const struct cli *cli, const struct arc_result *r, struct err *err)
{
	json_t *sets = json_array();
	bool json = cli_option(cli, "json") != NULL;

	for (size_t i = 0; i < r->count; i++) {
		const struct arc_set *s = &r->sets[i];
		json_array_append_new(sets,
			json_pack("{s:i, s:o, s:o, s:o, s:b, s:s, s:b, s:o}", "instance",
				(int)s->instance, "sealer", text(s->sealer), "selector",
				text(s->selector), "signer", text(s->signer), "seal_valid",
				s->seal_valid, "message_signature", dkim_status_text(s->message),
				"secure", s->authentic, "results", text(s->results)));
		if (!json)
			printf("i=%u %.*s seal %s, message signature %s: %.*s\n", s->instance,
				STR_FMT(s->sealer), s->seal_valid ? "valid" : "not valid",
				dkim_status_text(s->message), STR_FMT(s->results));
	}
	json_t *o = json_pack("{s:s, s:i, s:b, s:o, s:o}", "status", arc_status_text(r->status),
		"oldest_pass", (int)r->oldest_pass, "temporary", r->temporary, "reason",
		text(r->why), "sets", sets);
	if (json)
		cli_object_print(o, true);
	else
		printf("%s: %.*s\n", arc_status_text(r->status), STR_FMT(r->why));
	json_decref(o);
	if (r->status == ARC_PASS)
		return CLI_OK;
	return err_set(err, ERR_PERM,
		r->status == ARC_NONE ? "the message has no ARC sets" : "the ARC chain fails");
}

enum what { WHAT_DKIM, WHAT_ARC };

static int verify(
	const struct cli *cli, enum what what, struct dns *dns, struct arena *a, struct err *err)
{
	const struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(LOOKUP_MS)};
	struct dkim_verifier *v = NULL;
	struct cli_message m;
	struct str piece;
	int rc = cli_message_open(stdin, a, &m, err);

	if (rc == 0) {
		v = dkim_verifier_new(m.header, clock_unix_s());
		while ((rc = cli_message_next(&m, &piece, err)) == 1)
			dkim_verifier_feed(v, piece);
	}
	if (rc == 0 && what == WHAT_DKIM) {
		struct dkim_results r;
		dkim_verifier_finish(v, &q, a, &r);
		rc = results_print(cli, &r, err);
	} else if (rc == 0) {
		struct arc_result r;
		arc_verifier_finish(v, &q, a, &r);
		rc = arc_print(cli, &r, err);
	}
	dkim_verifier_free(&v);
	cli_message_close(&m);
	return rc;
}

static int verify_run(const struct cli *cli, enum what what, struct err *err)
{
	struct dns *dns;

	if (cli_dns_open(cli, &dns, err) < 0)
		return -1;
	struct arena *a = arena_open();
	int rc = verify(cli, what, dns, a, err);
	arena_close(&a);
	dns_close(&dns);
	return rc;
}

int cmd_dkim_verify(const struct cli *cli, struct err *err)
{
	return verify_run(cli, WHAT_DKIM, err);
}

int cmd_arc_verify(const struct cli *cli, struct err *err)
{
	return verify_run(cli, WHAT_ARC, err);
}

/* --- lookup --- */

static json_t *record_json(struct arena *a, struct str record, bool *usable)
{
	struct dkim_record r;
	struct dkim_key *key = NULL;
	struct err err;
	json_t *o = json_pack("{s:o}", "text", text(record));

	if (dkim_record_parse(a, record, &r, &err) < 0) {
		json_object_set_new(o, "error", json_string(err.text));
		return o;
	}
	json_object_set_new(o, "type", text(r.type_text));
	json_object_set_new(o, "testing", json_boolean(r.testing));
	json_object_set_new(o, "strict", json_boolean(r.strict));
	json_object_set_new(o, "revoked", json_boolean(r.revoked));
	json_object_set_new(o, "services", text(r.services.len > 0 ? r.services : STR("*")));
	if (r.notes.len > 0)
		json_object_set_new(o, "notes", text(r.notes));
	if (dkim_record_key(&r, &key, &err) < 0)
		json_object_set_new(o, "error", json_string(err.text));
	else if (!r.sha256)
		json_object_set_new(o, "error", json_string("h= does not allow SHA-256"));
	else if (!r.email)
		json_object_set_new(o, "error", json_string("s= does not allow mail"));
	else
		*usable = true;
	if (key != NULL)
		json_object_set_new(o, "bits", json_integer((json_int_t)dkim_key_bits(key)));
	dkim_key_free(&key);
	return o;
}

static void record_print(const json_t *o)
{
	const char *error = json_string_value(json_object_get(o, "error"));
	char *record = cli_word(json_object_get(o, "text"));

	puts(record);
	free(record);
	if (json_object_get(o, "bits") != NULL)
		printf("%s key of %lld bits%s%s\n", json_string_value(json_object_get(o, "type")),
			(long long)json_integer_value(json_object_get(o, "bits")),
			json_is_true(json_object_get(o, "testing")) ? ", testing (t=y)" : "",
			json_is_true(json_object_get(o, "strict")) ? ", strict (t=s)" : "");
	if (error != NULL)
		printf("not usable: %s\n", error);
}

static int lookup(const struct cli *cli, struct dns *dns, struct arena *a, struct err *err)
{
	char selector[DNS_NAME_MAX], domain[DNS_NAME_MAX];
	struct dns_answer answer;
	bool json = cli_option(cli, "json") != NULL, usable = false;

	if (dns_name_to_ascii(str_from(cli->args[0]), selector, err) < 0 ||
		dns_name_to_ascii(str_from(cli->args[1]), domain, err) < 0)
		return -1;
	const char *name = arena_printf(a, "%s._domainkey.%s", selector, domain);
	if (dns_lookup(dns, DNS_TXT, name, deadline_in_ms(LOOKUP_MS), a, &answer, err) < 0)
		return -1;
	json_t *records = json_array();
	for (size_t i = 0; i < answer.count; i++) {
		json_t *o = record_json(a, answer.records[i].data, &usable);
		if (!json)
			record_print(o);
		json_array_append_new(records, o);
	}
	const char *verdict = answer.status == DNS_BOGUS ? "bogus"
			      : answer.secure            ? "secure"
							 : "insecure";
	json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:o, s:b, s:o}", "name", name, "status",
		dns_status_text(answer.status), "secure", answer.secure, "verdict", verdict,
		"reason", text(answer.reason), "usable", usable, "records", records);
	if (json)
		cli_object_print(o, true);
	else
		printf("%s%s%s\n", answer.status == DNS_OK ? "" : dns_status_text(answer.status),
			answer.status == DNS_OK ? "" : ", ", verdict);
	json_decref(o);
	if (usable)
		return CLI_OK;
	if (answer.status == DNS_OK)
		return err_set(err, ERR_PERM, "there is no usable key at %s", name);
	return err_set(err, ERR_PERM, "%s: %s%s%.*s", name, dns_status_text(answer.status),
		answer.reason.len > 0 ? ": " : "", STR_FMT(answer.reason));
}

int cmd_dkim_lookup(const struct cli *cli, struct err *err)
{
	struct dns *dns;

	if (cli_dns_open(cli, &dns, err) < 0)
		return -1;
	struct arena *a = arena_open();
	int rc = lookup(cli, dns, a, err);
	arena_close(&a);
	dns_close(&dns);
	return rc;
}
