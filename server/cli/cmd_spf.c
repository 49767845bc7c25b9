/* cmd_spf - may an address send for a domain; what a domain's record says. */
#include "auth/spf.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <unistd.h>

enum { CHECK_MS = 20 * 1000 }; /* RFC 7208 section 4.6.4 */

static json_t *json_str(struct str s)
{
	json_t *out = json_stringn(s.p ? s.p : "", s.len);

	return out != NULL ? out : json_string("(not UTF-8)");
}

/* "name: value" unless it is empty. */
static void line_print(const char *name, struct str value)
{
	if (value.len > 0)
		printf("%s: %.*s\n", name, STR_FMT(value));
}

/* --- check --- */

static void verdict_print(const struct cli *cli, const struct spf_verdict *v)
{
	if (cli_option(cli, "json") != NULL) {
		json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:i, s:i}",
			"result", spf_result_text(v->result), "identity",
			spf_identity_text(v->identity), "domain", json_str(v->domain), "mechanism",
			json_str(v->mechanism), "explanation", json_str(v->explanation), "problem",
			json_str(v->problem), "record", json_str(v->record), "authentic",
			v->authentic, "lookups", (int)v->lookups, "void_lookups",
			(int)v->void_lookups);
		cli_object_print(out, true);
		json_decref(out);
		return;
	}
	puts(spf_result_text(v->result));
	line_print("mechanism", v->mechanism);
	line_print("explanation", v->explanation);
	line_print("problem", v->problem);
	line_print("domain", v->domain);
	printf("identity: %s\n", spf_identity_text(v->identity));
	line_print("record", v->record);
	printf("dnssec: %s\n", v->authentic ? "secure" : "not secure");
}

/* Our name, for %{r}. */
static const char *receiver(const struct cli *cli, char name[256])
{
	struct config *c;
	struct err none;

	if (cli_option(cli, "receiver") != NULL)
		return cli_option(cli, "receiver");
	name[0] = '\0';
	if (cli_config_load(cli, &c, &none) == 0) {
		snprintf(name, 256, "%s", c->hostname);
		config_release(c);
	} else if (gethostname(name, 256) < 0) {
		name[0] = '\0';
	}
	name[255] = '\0';
	return name;
}

static int args_read(const struct cli *cli, struct spf_args *args, struct err *err)
{
	const char *ip = cli_option(cli, "ip"), *helo = cli_option(cli, "helo"),
		   *mailfrom = cli_option(cli, "mailfrom");

	if (ip == NULL || (helo == NULL && mailfrom == NULL))
		return err_set(err, ERR_PERM,
			"needs -ip, and -mailfrom or -helo or both; see mox spf check -h");
	if (!ip_parse(str_from(ip), &args->ip))
		return err_set(err, ERR_PERM, "-ip %s is not an IP address", ip);
	args->helo = str_from(helo ? helo : "");
	args->mailfrom = str_from(mailfrom ? mailfrom : "");
	struct str *m = &args->mailfrom;
	if (m->len > 1 && m->p[0] == '<' && m->p[m->len - 1] == '>')
		*m = (struct str){m->p + 1, m->len - 2};
	args->now_unix_s = clock_unix_s();
	return 0;
}

int cmd_spf_check(const struct cli *cli, struct err *err)
{
	struct spf_args args = {.helo = STR("")};
	struct spf_verdict verdict;
	struct dns *dns;
	char name[256];

	if (args_read(cli, &args, err) < 0 || cli_dns_open(cli, &dns, err) < 0)
		return -1;
	args.receiver = str_from(receiver(cli, name));
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(CHECK_MS)};
	spf_check(&q, &args, args.mailfrom.len > 0 ? SPF_MAILFROM : SPF_HELO, a, &verdict);
	verdict_print(cli, &verdict);
	int rc = verdict.result == SPF_PASS ? CLI_OK : CLI_FAILED;
	arena_close(&a);
	dns_close(&dns);
	return rc;
}

/* --- records --- */

static const char *mechanism_text(enum spf_mechanism m)
{
	switch (m) {
	case SPF_ALL:
		return "all";
	case SPF_INCLUDE:
		return "include";
	case SPF_A:
		return "a";
	case SPF_MX:
		return "mx";
	case SPF_PTR:
		return "ptr";
	case SPF_IP4:
		return "ip4";
	case SPF_IP6:
		return "ip6";
	case SPF_EXISTS:
		return "exists";
	}
	return "?";
}

static json_t *term_json(const struct spf_term *term)
{
	json_t *out = json_pack("{s:s, s:s, s:o}", "result", spf_result_text(term->qualifier),
		"mechanism", mechanism_text(term->mechanism), "text", json_str(term->text));
	char ip[IP_TEXT];

	if (term->domain_spec.len > 0)
		json_object_set_new(out, "domain", json_str(term->domain_spec));
	if (term->ip.len > 0) {
		json_object_set_new(out, "network", json_string(ip_text(&term->ip, ip)));
		json_object_set_new(
			out, "bits", json_integer(term->ip.len == 4 ? term->bits4 : term->bits6));
	} else if (term->mechanism == SPF_A || term->mechanism == SPF_MX) {
		json_object_set_new(out, "bits4", json_integer(term->bits4));
		json_object_set_new(out, "bits6", json_integer(term->bits6));
	}
	return out;
}

static void record_json(const struct spf_record *r, json_t *out)
{
	json_t *terms = json_array(), *unknown = json_array();

	for (size_t i = 0; i < r->term_count; i++)
		json_array_append_new(terms, term_json(&r->terms[i]));
	for (size_t i = 0; i < r->unknown_count; i++)
		json_array_append_new(unknown, json_str(r->unknown[i]));
	json_object_set_new(out, "terms", terms);
	json_object_set_new(out, "redirect", json_str(r->redirect));
	json_object_set_new(out, "exp", json_str(r->explain));
	json_object_set_new(out, "unknown", unknown);
}

static void record_print(const struct spf_record *r)
{
	for (size_t i = 0; i < r->term_count; i++)
		printf("%-9s %.*s\n", spf_result_text(r->terms[i].qualifier),
			STR_FMT(r->terms[i].text));
	if (r->redirect.len > 0)
		printf("%-9s %.*s\n", "redirect", STR_FMT(r->redirect));
	if (r->explain.len > 0)
		printf("%-9s %.*s\n", "exp", STR_FMT(r->explain));
	for (size_t i = 0; i < r->unknown_count; i++)
		printf("%-9s %.*s\n", "unknown", STR_FMT(r->unknown[i]));
	bool ends = r->redirect.len > 0;
	for (size_t i = 0; i < r->term_count; i++)
		ends = ends || r->terms[i].mechanism == SPF_ALL;
	if (!ends)
		printf("%-9s %s\n", "neutral", "(everything else)");
}

static void lookup_print(
	const struct cli *cli, const char *domain, const struct spf_record_answer *answer)
{
	if (cli_option(cli, "json") != NULL) {
		json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:b}", "domain", domain, "result",
			answer->result == SPF_PASS ? "found" : spf_result_text(answer->result),
			"record", json_str(answer->text), "problem", json_str(answer->problem),
			"authentic", answer->authentic);
		if (answer->result == SPF_PASS)
			record_json(&answer->record, out);
		cli_object_print(out, true);
		json_decref(out);
		return;
	}
	if (answer->text.len > 0)
		printf("%.*s\n", STR_FMT(answer->text));
	if (answer->result == SPF_PASS)
		record_print(&answer->record);
	else
		printf("%s: %.*s\n", spf_result_text(answer->result), STR_FMT(answer->problem));
	printf("dnssec: %s\n", answer->authentic ? "secure" : "not secure");
}

int cmd_spf_lookup(const struct cli *cli, struct err *err)
{
	struct str domain = str_from(cli->args[0]);
	struct spf_record_answer answer;
	char ascii[DNS_NAME_MAX];
	struct dns *dns;

	if (domain.len > 1 && domain.p[domain.len - 1] == '.')
		domain.len--;
	if (dns_name_to_ascii(domain, ascii, err) < 0 || cli_dns_open(cli, &dns, err) < 0)
		return -1;
	struct arena *a = arena_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(CHECK_MS)};
	spf_lookup(&q, ascii, a, &answer);
	lookup_print(cli, ascii, &answer);
	arena_close(&a);
	dns_close(&dns);
	return answer.result == SPF_PASS ? CLI_OK : CLI_FAILED;
}

int cmd_spf_parse(const struct cli *cli, struct err *err)
{
	struct arena *a = arena_open();
	struct spf_record record;
	int rc = spf_record_parse(a, str_from(cli->args[0]), &record, err);

	if (rc == 0 && cli_option(cli, "json") != NULL) {
		json_t *out = json_object();
		record_json(&record, out);
		cli_object_print(out, true);
		json_decref(out);
	} else if (rc == 0) {
		record_print(&record);
	}
	arena_close(&a);
	return rc < 0 ? err_prefix(err, "permerror") : CLI_OK;
}
