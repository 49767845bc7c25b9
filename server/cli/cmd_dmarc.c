/* cmd_dmarc - what a domain's owner asks for, and whether a message is from whom it says. */
#include "auth/auth.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"

#include <stdio.h>

enum { LOOKUP_MS = 30 * 1000 };

static json_t *text(struct str s)
{
	json_t *out = json_stringn(s.p ? s.p : "", s.len);

	return out != NULL ? out : json_string("(not UTF-8)");
}

static json_t *texts(const struct str *list, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, text(list[i]));
	return out;
}

static void line_print(const char *name, struct str value)
{
	if (value.len > 0)
		printf("%s: %.*s\n", name, STR_FMT(value));
}

/* The trace as JSON, or its steps for people. */
static json_t *trace_json(struct trace *t)
{
	struct buf b = {NULL, 0, 0};

	trace_write(t, &b);
	json_t *out = json_loadb(b.p, b.len, 0, NULL);
	buf_free(&b);
	return out != NULL ? out : json_object();
}

static const char *member(const json_t *step, const char *name)
{
	const char *s = json_string_value(json_object_get(step, name));

	return s != NULL ? s : "";
}

static void trace_print(struct trace *t)
{
	json_t *all = trace_json(t), *step, *line;
	size_t i, k;

	puts("trace:");
	json_array_foreach(json_object_get(all, "steps"), i, step)
	{
		const char *dnssec = member(step, "dnssec");
		printf("  %s: %s%s%s%s%s%s\n", member(step, "title"), member(step, "result"),
			dnssec[0] != '\0' ? " (" : "", dnssec, dnssec[0] != '\0' ? ")" : "",
			member(step, "text")[0] != '\0' ? ": " : "", member(step, "text"));
		json_array_foreach(json_object_get(step, "detail"), k, line)
			printf("    %s\n", json_string_value(line));
	}
	json_decref(all);
}

/* --- lookup --- */

static const char *found_text(enum dmarc_found f)
{
	switch (f) {
	case DMARC_FOUND_NOTHING:
		return "none";
	case DMARC_FOUND_RECORD:
		return "record";
	case DMARC_FOUND_SEVERAL:
		return "several";
	case DMARC_FOUND_TEMPERROR:
		return "temperror";
	}
	return "?";
}

static json_t *lookup_json(const struct dmarc_lookup *l)
{
	const struct dmarc_record *r = &l->record;
	json_t *out = json_pack("{s:s, s:o, s:o, s:b, s:o}", "result", found_text(l->found),
		"domain", text(l->domain), "organizational_domain", text(l->org), "secure",
		l->secure, "text", text(l->text));

	if (l->found != DMARC_FOUND_RECORD)
		return out;
	json_t *record = json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:o, "
				   "s:o, s:s, s:s}",
		"record", text(r->text), "record_domain", text(l->record_domain), "p",
		dmarc_policy_text(r->p), "sp", dmarc_policy_text(r->sp), "np",
		dmarc_policy_text(r->np), "adkim", r->adkim == DMARC_STRICT ? "s" : "r", "aspf",
		r->aspf == DMARC_STRICT ? "s" : "r", "psd",
		r->psd == DMARC_PSD_YES  ? "y"
		: r->psd == DMARC_PSD_NO ? "n"
					 : "u",
		"testing", r->testing, "domain_exists", l->exists, "rua",
		texts(r->rua, r->rua_count), "ruf", texts(r->ruf, r->ruf_count), "notes",
		texts(r->notes, r->note_count), "policy", dmarc_policy_text(l->policy), "tag",
		l->tag);
	json_object_update(out, record);
	json_decref(record);
	return out;
}

static void lookup_print(const struct dmarc_lookup *l)
{
	const struct dmarc_record *r = &l->record;

	printf("%.*s\n", STR_FMT(l->text));
	if (l->found == DMARC_FOUND_RECORD) {
		printf("policy: %s\n", dmarc_policy_text(l->policy));
		printf("record at _dmarc.%.*s: %.*s\n", STR_FMT(l->record_domain),
			STR_FMT(r->text));
		for (size_t i = 0; i < r->note_count; i++)
			line_print("note", r->notes[i]);
	}
	line_print("organizational domain", l->org);
	printf("dnssec: %s\n", l->secure ? "secure" : "not secure");
}

int cmd_dmarc_lookup(const struct cli *cli, struct err *err)
{
	char ascii[DNS_NAME_MAX];
	struct dmarc_lookup l;
	struct dns *dns;

	if (dns_name_to_ascii(str_from(cli->args[0]), ascii, err) < 0 ||
		cli_dns_open(cli, &dns, err) < 0)
		return -1;
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(LOOKUP_MS)};
	dmarc_lookup(&q, str_from(ascii), a, &l);
	bool secure = l.secure; /* of the policy alone */
	dmarc_lookup_org(&q, a, &l);
	l.secure = secure;
	if (cli_option(cli, "json") != NULL) {
		json_t *out = lookup_json(&l);
		cli_object_print(out, true);
		json_decref(out);
	} else
		lookup_print(&l);
	int rc = l.found == DMARC_FOUND_RECORD ? CLI_OK : CLI_FAILED;
	arena_close(&a);
	dns_close(&dns);
	return rc;
}

/* --- verify --- */

static json_t *verdict_json(const struct auth_result *r, struct trace *t)
{
	const struct dmarc_verdict *v = &r->dmarc;

	return json_pack("{s:s, s:o, s:s, s:s, s:b, s:b, s:o, s:b, s:o, s:s, s:b, s:o, s:o}",
		"result", dmarc_result_text(v->result), "from_domain", text(v->from_domain),
		"policy", dmarc_policy_text(v->lookup.policy), "action",
		dmarc_policy_text(v->policy), "spf_aligned", v->spf_aligned, "dkim_aligned",
		v->dkim_aligned, "aligned_domain", text(v->aligned_domain), "secure", v->secure,
		"text", text(v->text), "spf", r->has_spf ? spf_result_text(r->spf.result) : "none",
		"has_record", v->lookup.found == DMARC_FOUND_RECORD, "lookup",
		lookup_json(&v->lookup), "trace", trace_json(t));
}

static void verdict_print(const struct auth_result *r, struct trace *t)
{
	const struct dmarc_verdict *v = &r->dmarc;

	puts(dmarc_result_text(v->result));
	line_print("reason", v->text);
	line_print("from domain", v->from_domain);
	if (v->lookup.found == DMARC_FOUND_RECORD) {
		printf("policy: %s\n", dmarc_policy_text(v->lookup.policy));
		line_print("record", v->lookup.record.text);
	}
	printf("alignment: spf %s, dkim %s\n", v->spf_aligned ? "yes" : "no",
		v->dkim_aligned ? "yes" : "no");
	printf("dnssec: %s\n", v->secure ? "secure" : "not secure");
	trace_print(t);
}

static int options_read(const struct cli *cli, struct auth_options *opt, struct err *err)
{
	const char *ip = cli_option(cli, "ip"), *helo = cli_option(cli, "helo"),
		   *from = cli_option(cli, "mailfrom");

	if (ip == NULL)
		return err_set(err, ERR_PERM, "needs -ip; see mox dmarc verify -h");
	if (!ip_parse(str_from(ip), &opt->ip))
		return err_set(err, ERR_PERM, "-ip %s is not an IP address", ip);
	opt->helo = str_from(helo ? helo : "");
	opt->mail_from = str_from(from ? from : "");
	struct str *m = &opt->mail_from;
	if (m->len > 1 && m->p[0] == '<' && m->p[m->len - 1] == '>')
		*m = (struct str){m->p + 1, m->len - 2};
	opt->hostname = STR("localhost");
	opt->now_s = clock_unix_s();
	opt->deadline = deadline_in_ms(LOOKUP_MS);
	return 0;
}

int cmd_dmarc_verify(const struct cli *cli, struct err *err)
{
	struct auth_options opt = {.helo = STR("")};
	struct auth_check *check = NULL;
	struct cli_message m;
	struct str piece;
	struct dns *dns;
	int rc;

	if (options_read(cli, &opt, err) < 0 || cli_dns_open(cli, &dns, err) < 0)
		return -1;
	struct arena *a = arena_open();
	rc = cli_message_open(stdin, a, &m, err);
	if (rc == 0) {
		opt.dns = dns;
		opt.pool = auth_pool_open(AUTH_THREADS_MAX);
		opt.header = m.header;
		opt.trace = trace_new();
		check = auth_open(&opt);
		while ((rc = cli_message_next(&m, &piece, err)) == 1)
			auth_body(check, piece);
	}
	if (rc == 0) {
		const struct auth_result *r = auth_finish(check);
		if (cli_option(cli, "json") != NULL) {
			json_t *out = verdict_json(r, opt.trace);
			cli_object_print(out, true);
			json_decref(out);
		} else
			verdict_print(r, opt.trace);
		rc = r->dmarc.result == DMARC_PASS ? CLI_OK : CLI_FAILED;
	}
	auth_free(&check);
	auth_pool_close(&opt.pool);
	trace_free(&opt.trace);
	cli_message_close(&m);
	arena_close(&a);
	dns_close(&dns);
	return rc;
}
