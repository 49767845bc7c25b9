/* cmd_tlsrpt - TLS reports: who wants them, what is in a mail with one, what came in. */
#include "cli/commands.h"

#include "cli/input.h"
#include "cli/print.h"
#include "control/control.h"
#include "report/tlsrpt_mail.h"
#include "report/tlsrpt_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LOOKUP_MS = 30 * 1000 };

static bool wants_json(const struct cli *cli)
{
	return cli_option(cli, "json") != NULL;
}

static json_t *text_json(struct str s)
{
	json_t *out = json_stringn(s.p ? s.p : "", s.len);

	return out != NULL ? out : json_string("(not UTF-8)");
}

/* --- lookup --- */

static void lookup_print(const struct cli *cli, const char *domain, const struct tlsrpt_lookup *l)
{
	if (wants_json(cli)) {
		json_t *rua = json_array();
		for (size_t i = 0; i < l->record.rua_count; i++)
			json_array_append_new(rua, text_json(l->record.rua[i]));
		json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:b, s:o}", "domain", domain,
			"status", tlsrpt_status_text(l->status), "text", l->text, "record",
			text_json(l->record_text), "record_secure", l->secure, "rua", rua);
		cli_object_print(out, true);
		json_decref(out);
		return;
	}
	if (l->record_text.len > 0)
		printf("record  %.*s%s\n", STR_FMT(l->record_text), l->secure ? "  (secure)" : "");
	for (size_t i = 0; i < l->record.rua_count; i++)
		printf("rua     %.*s\n", STR_FMT(l->record.rua[i]));
	puts(tlsrpt_status_text(l->status));
}

int cmd_tlsrpt_lookup(const struct cli *cli, struct err *err)
{
	struct arena *a = arena_open();
	struct dns *dns = NULL;
	struct str name = str_from(cli->args[0]);
	char domain[DNS_NAME_MAX];
	struct tlsrpt_lookup l;
	int rc = -1;

	if (name.len > 1 && name.p[name.len - 1] == '.')
		name.len--;
	if (dns_name_to_ascii(name, domain, err) == 0 && cli_dns_open(cli, &dns, err) == 0) {
		struct dns_asker ask = {.dns = dns, .deadline = deadline_in_ms(LOOKUP_MS)};
		rc = tlsrpt_lookup(&ask, domain, a, &l, err);
	}
	if (rc == 0) {
		lookup_print(cli, domain, &l);
		rc = l.status == TLSRPT_OK ? CLI_OK : err_set(err, ERR_PERM, "%s", l.text);
	}
	if (dns != NULL)
		dns_close(&dns);
	arena_close(&a);
	return rc;
}

/* --- parsereportmsg --- */

static int file_read(const char *name, struct buf *out, struct err *err)
{
	char piece[65536];
	FILE *f = str_eq(str_from(name), STR("-")) ? stdin : fopen(name, "rb");
	size_t n;

	if (f == NULL)
		return err_set(err, ERR_PERM, "%s: %s", name, strerror(errno));
	while (out->len <= TLSRPT_MAIL_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_raw(out, (struct str){piece, n});
	bool failed = ferror(f) != 0;
	if (f != stdin)
		(void)!fclose(f);
	return failed ? err_set(err, ERR_TEMP, "%s: cannot be read", name) : 0;
}

static void report_print(const struct cli *cli, const struct tlsrpt_mail *m)
{
	struct buf b = {NULL, 0, 0};

	if (wants_json(cli)) {
		tlsrpt_report_write(&m->report, &b);
		fwrite(b.p, 1, b.len, stdout);
		buf_free(&b);
		return;
	}
	printf("organization  %.*s\nreport-id     %.*s\ncontact       %.*s\n",
		STR_FMT(m->report.organization), STR_FMT(m->report.id), STR_FMT(m->report.contact));
	for (size_t i = 0; i < m->report.policy_count; i++) {
		const struct store_tls_policy *p = &m->report.policies[i];
		printf("policy        %.*s %.*s: %lld good, %lld failed\n", STR_FMT(p->type),
			STR_FMT(p->domain), (long long)p->successes, (long long)p->failures);
		for (size_t j = 0; j < p->detail_count; j++)
			printf("  %.*s %.*s: %lld\n", STR_FMT(p->details[j].result_type),
				STR_FMT(p->details[j].receiving_mx_hostname),
				(long long)p->details[j].failed_session_count);
	}
}

int cmd_tlsrpt_parsereportmsg(const struct cli *cli, struct err *err)
{
	int rc = CLI_OK;

	for (size_t i = 0; rc == CLI_OK && i < cli->arg_count; i++) {
		struct arena *a = arena_open();
		struct tlsrpt_mail *m = arena_alloc(a, sizeof(*m));
		struct buf message = {NULL, 0, 0};
		rc = file_read(cli->args[i], &message, err);
		if (rc == 0) {
			tlsrpt_mail_read(a, buf_str(&message), m);
			if (m->found == TLSRPT_REPORT)
				report_print(cli, m);
			else
				rc = err_set(err, ERR_PERM, "%s: %s", cli->args[i], m->why);
		}
		buf_free(&message);
		arena_close(&a);
	}
	return rc;
}

/* --- reports --- */

static const struct cli_column columns[] = {
	{"ID", "id", 6},
	{"FROM", "organization", 24},
	{"START", "start", 20},
	{"DOMAINS", "domains", 24},
	{"GOOD", "successes", 8},
	{"BAD", "failures", 8},
	{"VERIFIED BY", "verified_domain", 20},
	{"REJECTED", "rejected", 0},
	{NULL, NULL, 0},
};

int cmd_tlsrpt_reports_list(const struct cli *cli, struct err *err)
{
	struct cli_table t = {.columns = columns, .json = wants_json(cli)};
	struct cli_client *c = NULL;
	json_t *line;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = cli_client_send(c,
		control_request("tlsrpt.reports.list", "domain", cli_option(cli, "domain"),
			"organization", cli_option(cli, "from"), "result",
			cli_option(cli, "result"), "days", cli_option(cli, "days"), "failures",
			cli_option(cli, "failures") != NULL ? "yes" : NULL, "rejected",
			cli_option(cli, "rejected") != NULL ? "yes" : NULL, "after",
			cli_option(cli, "after"), "limit", cli_option(cli, "limit"), NULL),
		err);
	while (rc >= 0 && (rc = cli_client_next(c, &line, err)) == 1) {
		cli_table_row(&t, line);
		json_decref(line);
	}
	if (rc == 0) {
		cli_table_end(&t, "there are no such TLS reports");
		json_decref(line);
	}
	cli_client_close(&c);
	return rc;
}

int cmd_tlsrpt_reports_show(const struct cli *cli, struct err *err)
{
	struct cli_client *c = NULL;
	json_t *last = NULL;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	int rc = cli_client_call(
		c, control_request("tlsrpt.reports.get", "id", cli->args[0], NULL), &last, err);
	if (rc == 0)
		cli_object_print(last, wants_json(cli));
	json_decref(last);
	cli_client_close(&c);
	return rc;
}
