/* cmd_mtasts - what domains publish, what is cached of it, and what came of TLS. */
#include "cli/commands.h"

#include "cli/print.h"
#include "control/control.h"
#include "policy/mtasts.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOKUP_MS = 75 * 1000 };

static bool wants_json(const struct cli *cli)
{
	return cli_option(cli, "json") != NULL;
}

/* --- lookup --- */

struct lookup { /* what it takes, without a daemon */
	struct config *config;
	struct dns *dns;
	struct tls_client *tls;
	struct http *http;
	struct mtasts *mtasts;
};

static int lookup_open(const struct cli *cli, struct lookup *l, struct err *err)
{
	struct http_options opt = {.user_agent = NULL};
	const char *const *ca = NULL;
	size_t ca_count = 0;
	bool and_system = true;

	/* Without a mox.conf: the system's authorities, and public addresses. */
	if (cli_config_load(cli, &l->config, err) < 0) {
		if (cli_option(cli, "config") != NULL)
			return -1;
		l->config = NULL;
	} else {
		ca = l->config->tls_ca_files;
		ca_count = l->config->tls_ca_file_count;
		and_system = l->config->tls_ca_additional || ca_count == 0;
		opt.allow = l->config->https_private;
		opt.allow_count = l->config->https_private_count;
	}
	if (cli_dns_open(cli, &l->dns, err) < 0 ||
		tls_client_new(ca, ca_count, and_system, &l->tls, err) < 0)
		return -1;
	opt.tls = l->tls;
	if (http_open(&opt, &l->http, err) < 0)
		return -1;
	l->mtasts = mtasts_open(&(struct mtasts_options){.dns = l->dns, .http = l->http});
	return 0;
}

static void lookup_close(struct lookup *l)
{
	mtasts_close(&l->mtasts);
	http_close(&l->http);
	if (l->tls != NULL)
		tls_client_free(&l->tls);
	if (l->dns != NULL)
		dns_close(&l->dns);
	if (l->config != NULL)
		config_release(l->config);
}

static json_t *text_json(struct str s)
{
	json_t *out = json_stringn(s.p ? s.p : "", s.len);

	return out != NULL ? out : json_string("(not UTF-8)");
}

static json_t *lookup_json(const char *domain, const struct mtasts_lookup *l)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:b}", "domain", domain, "status",
		mtasts_status_text(l->status), "text", l->text, "record", text_json(l->record_text),
		"record_secure", l->record_secure);
	char ip[IP_TEXT];

	if (l->has_record)
		json_object_set_new(out, "record_id", text_json(l->record.id));
	if (l->url.len > 0) {
		json_object_set_new(out, "url", text_json(l->url));
		if (l->http.ip.len > 0)
			json_object_set_new(out, "ip", json_string(ip_text(&l->http.ip, ip)));
		json_object_set_new(out, "http_status", json_integer(l->http.status));
	}
	if (l->has_policy) {
		json_t *mx = json_array();
		for (size_t i = 0; i < l->policy.mx_count; i++)
			json_array_append_new(mx, text_json(l->policy.mx[i].pattern));
		json_object_set_new(out, "mode", json_string(mtasts_mode_text(l->policy.mode)));
		json_object_set_new(out, "max_age", json_integer(l->policy.max_age_s));
		json_object_set_new(out, "mx", mx);
		json_object_set_new(out, "policy", text_json(l->policy.text));
	}
	if (l->fact != TLS_RESULT_SUCCESS) {
		json_object_set_new(out, "result_type", json_string(tls_result_type_text(l->fact)));
		json_object_set_new(out, "reason", json_string(l->reason));
	}
	return out;
}

static void lookup_print(const struct mtasts_lookup *l)
{
	if (l->record_text.len > 0)
		printf("record  %.*s%s\n", STR_FMT(l->record_text),
			l->record_secure ? "  (secure)" : "");
	if (l->has_policy) {
		printf("policy  %.*s\nmode    %s\nmax_age %lld s\n", STR_FMT(l->url),
			mtasts_mode_text(l->policy.mode), (long long)l->policy.max_age_s);
		for (size_t i = 0; i < l->policy.mx_count; i++)
			printf("mx      %.*s\n", STR_FMT(l->policy.mx[i].pattern));
		for (size_t i = 0; i < l->policy.ext_count; i++)
			printf("%.*s: %.*s\n", STR_FMT(l->policy.ext[i].key),
				STR_FMT(l->policy.ext[i].value));
	}
	puts(mtasts_status_text(l->status));
}

static int lookup_run(const struct cli *cli, struct lookup *ways, struct arena *a, struct err *err)
{
	struct dns_asker ask = {
		.dns = ways->dns, .deadline = deadline_in_ms(LOOKUP_MS), .trace = NULL};
	struct str name = str_from(cli->args[0]);
	char domain[DNS_NAME_MAX];
	struct mtasts_lookup l;

	if (name.len > 1 && name.p[name.len - 1] == '.')
		name.len--;
	if (dns_name_to_ascii(name, domain, err) < 0 ||
		mtasts_lookup(ways->mtasts, domain, &ask, a, &l, err) < 0)
		return -1;
	if (wants_json(cli)) {
		json_t *out = lookup_json(domain, &l);
		cli_object_print(out, true);
		json_decref(out);
	} else {
		lookup_print(&l);
	}
	return l.status == MTASTS_OK ? CLI_OK : err_set(err, ERR_PERM, "%s", l.text);
}

int cmd_mtasts_lookup(const struct cli *cli, struct err *err)
{
	struct lookup ways = {.config = NULL};
	struct arena *a = arena_open();
	int rc = lookup_open(cli, &ways, err);

	if (rc == 0)
		rc = lookup_run(cli, &ways, a, err);
	lookup_close(&ways);
	arena_close(&a);
	return rc;
}

/* --- lists --- */

static const struct cli_column cache_columns[] = {
	{"DOMAIN", "domain", 28},
	{"MODE", "mode", 8},
	{"BACKOFF", "backoff", 7},
	{"VALID UNTIL", "valid_until", 20},
	{"UPDATED", "updated", 20},
	{"LAST USED", "last_used", 20},
	{"FAILURE", "failure", 0},
	{NULL, NULL, 0},
};

static const struct cli_column result_columns[] = {
	{"DAY", "day", 10},
	{"POLICY DOMAIN", "policy_domain", 28},
	{"RECIPIENT DOMAIN", "recipient_domain", 28},
	{"HOST", "is_host", 4},
	{"GOOD", "successes", 6},
	{"BAD", "failures", 6},
	{"REPORT", "send_report", 0},
	{NULL, NULL, 0},
};

/* One page of rows. *last: its end, the caller's. */
static int page_print(struct cli_client *c, json_t *request, struct cli_table *t, uint64_t limit,
	json_t **last, struct err *err)
{
	json_t *line;
	int rc;

	if (cli_client_send(c, request, err) < 0)
		return -1;
	while ((rc = cli_client_next(c, &line, err)) == 1) {
		if (t->rows < limit)
			cli_table_row(t, line);
		json_decref(line);
	}
	if (rc == 0)
		*last = line;
	return rc;
}

/* Pages of a verb, each asked for with what "next" of the one before says, under key. */
static int pages_print(const struct cli *cli, const char *verb, const char *key,
	const struct cli_column *columns, const char *nothing, struct err *err)
{
	struct cli_table t = {.columns = columns, .json = wants_json(cli)};
	const char *text = cli_option(cli, "limit");
	uint64_t limit = UINT64_MAX;
	struct cli_client *c;
	json_t *next = NULL;
	bool more = true;
	int rc = 0;

	if (text != NULL && (!str_to_u64(str_from(text), UINT32_MAX, &limit) || limit == 0))
		return err_set(err, ERR_PERM, "-limit %s: not a number", text);
	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	while (more && t.rows < limit) {
		json_t *last = NULL;
		json_t *request = control_request(verb, "text", cli_option(cli, "text"), "mode",
			cli_option(cli, "mode"), "policy_domain", cli_option(cli, "policy_domain"),
			"recipient_domain", cli_option(cli, "recipient_domain"), "day",
			cli_option(cli, "day"), "failures",
			cli_option(cli, "failures") != NULL ? "yes" : NULL, NULL);
		if (next != NULL)
			json_object_set_new(request, key, next);
		next = NULL;
		rc = page_print(c, request, &t, limit, &last, err);
		if (rc < 0)
			break;
		more = json_is_true(json_object_get(last, "more"));
		next = json_incref(json_object_get(last, "next"));
		json_decref(last);
	}
	json_decref(next);
	cli_client_close(&c);
	if (rc == 0)
		cli_table_end(&t, nothing);
	return rc;
}

int cmd_mtasts_cache_list(const struct cli *cli, struct err *err)
{
	return pages_print(
		cli, "mtasts.list", "after", cache_columns, "no MTA-STS policy is cached", err);
}

int cmd_tlsresults_list(const struct cli *cli, struct err *err)
{
	return pages_print(
		cli, "tlsresults.list", "before", result_columns, "there are no TLS results", err);
}

int cmd_mtasts_cache_act(const struct cli *cli, struct err *err)
{
	bool forget = strcmp(cli->command->name, "mtasts cache forget") == 0;
	struct cli_client *c;
	json_t *last = NULL;
	int rc;

	if (cli_client_open(cli, CLI_PEER_DAEMON_OR_STORE, &c, err) < 0)
		return -1;
	rc = cli_client_call(c,
		control_request(
			forget ? "mtasts.forget" : "mtasts.refresh", "domain", cli->args[0], NULL),
		&last, err);
	if (rc == 0 && wants_json(cli))
		cli_object_print(last, true);
	else if (rc == 0)
		printf("%s\n",
			forget ? "forgotten" : json_string_value(json_object_get(last, "status")));
	const char *status = json_string_value(json_object_get(last, "status"));
	if (rc == 0 && !forget && status != NULL && strcmp(status, "ok") != 0)
		rc = err_set(err, ERR_PERM, "%s", json_string_value(json_object_get(last, "text")));
	json_decref(last);
	cli_client_close(&c);
	return rc;
}
