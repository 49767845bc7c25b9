/* cmd_dnsbl - is an address on a block list, and is the list one to be trusted. */
#include "auth/dnsbl.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>

enum { CHECK_MS = 15 * 1000 };

static json_t *json_str(struct str s)
{
	json_t *out = json_stringn(s.p ? s.p : "", s.len);

	return out != NULL ? out : json_string("(not UTF-8)");
}

static void verdict_print(const struct cli *cli, const struct dnsbl_verdict *v)
{
	if (cli_option(cli, "json") != NULL) {
		json_t *out =
			json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:b}", "zone", json_str(v->zone),
				"ip", cli->args[1], "result", dnsbl_result_text(v->result), "codes",
				json_str(v->codes), "reason", json_str(v->reason), "problem",
				json_str(v->problem), "authentic", v->authentic);
		cli_object_print(out, true);
		json_decref(out);
		return;
	}
	puts(dnsbl_result_text(v->result));
	if (v->codes.len > 0)
		printf("listed: %.*s\n", STR_FMT(v->codes));
	if (v->reason.len > 0)
		printf("reason: %.*s\n", STR_FMT(v->reason));
	if (v->problem.len > 0)
		printf("problem: %.*s\n", STR_FMT(v->problem));
}

static void health_print(const struct cli *cli, const struct dnsbl_zone_state *s)
{
	if (cli_option(cli, "json") != NULL) {
		json_t *out = json_pack("{s:s, s:s, s:o}", "zone", cli->args[0], "health",
			dnsbl_health_text(s->health), "problem", json_str(s->problem));
		cli_object_print(out, true);
		json_decref(out);
		return;
	}
	puts(dnsbl_health_text(s->health));
	if (s->problem.len > 0)
		printf("problem: %.*s\n", STR_FMT(s->problem));
}

/* With an address: of it; else of the zone. */
static int check(const struct cli *cli, const struct ip *ip, struct err *err)
{
	struct str zone = str_from(cli->args[0]);
	char ascii[DNS_NAME_MAX];
	struct dns *dns;
	int rc;

	if (zone.len > 1 && zone.p[zone.len - 1] == '.')
		zone.len--;
	if (dns_name_to_ascii(zone, ascii, err) < 0 || cli_dns_open(cli, &dns, err) < 0)
		return -1;
	struct arena *a = arena_open();
	struct dnsbl *d = dnsbl_open();
	struct dns_asker q = {.dns = dns, .deadline = deadline_in_ms(CHECK_MS)};
	zone = str_from(ascii);
	if (ip != NULL) {
		struct dnsbl_verdict v;
		(void)dnsbl_check(d, &q, ip, &zone, 1, a, &v);
		verdict_print(cli, &v);
		rc = v.result == DNSBL_PASS ? CLI_OK : CLI_FAILED;
	} else {
		struct dnsbl_zone_state s;
		dnsbl_zone_check(d, &q, zone, a, &s);
		health_print(cli, &s);
		rc = s.health == DNSBL_HEALTHY ? CLI_OK : CLI_FAILED;
	}
	dnsbl_close(&d);
	arena_close(&a);
	dns_close(&dns);
	return rc;
}

int cmd_dnsbl_check(const struct cli *cli, struct err *err)
{
	struct ip ip;

	if (!ip_parse(str_from(cli->args[1]), &ip))
		return err_set(err, ERR_PERM, "%s is not an IP address", cli->args[1]);
	return check(cli, &ip, err);
}

int cmd_dnsbl_checkhealth(const struct cli *cli, struct err *err)
{
	return check(cli, NULL, err);
}
