/* cmd_dns - what our resolver says, and whether DNSSEC vouches for it. */
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "dns/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { LOOKUP_MS = 30 * 1000 };

static const struct {
	const char *name;
	enum dns_type type;
} types[] = {{"a", DNS_A}, {"aaaa", DNS_AAAA}, {"mx", DNS_MX}, {"txt", DNS_TXT},
	{"cname", DNS_CNAME}, {"ns", DNS_NS}, {"ptr", DNS_PTR}, {"srv", DNS_SRV},
	{"tlsa", DNS_TLSA}, {"caa", DNS_CAA}};

static int type_find(const char *name, enum dns_type *type, struct err *err)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(types[i].name, name) == 0) {
			*type = types[i].type;
			return 0;
		}
	return err_set(err, ERR_PERM,
		"\"%s\" is none of a, aaaa, mx, txt, cname, ns, ptr, srv, tlsa, caa", name);
}

static const char *verdict_text(const struct dns_answer *answer)
{
	if (answer->status == DNS_BOGUS)
		return "bogus";
	return answer->secure ? "secure" : "insecure";
}

static void answer_print(
	const struct cli *cli, struct arena *a, enum dns_type type, const struct dns_answer *answer)
{
	json_t *records = json_array();

	for (size_t i = 0; i < answer->count; i++) {
		struct str text = dns_record_text(a, type, &answer->records[i]);
		json_array_append_new(records, json_stringn(text.p, text.len));
	}
	json_t *out = json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:I, s:o}", "type", cli->args[0],
		"name", cli->args[1], "status", dns_status_text(answer->status), "secure",
		answer->secure, "verdict", verdict_text(answer), "reason",
		arena_strdup(a, answer->reason), "ttl", (json_int_t)answer->ttl_s, "records",
		records);
	if (answer->ede != DNS_EDE_UNKNOWN) {
		json_object_set_new(out, "ede", json_integer(answer->ede));
		json_object_set_new(out, "ede_text", json_string(dns_ede_text(answer->ede)));
	}
	if (cli_option(cli, "json") != NULL) {
		cli_object_print(out, true);
	} else {
		for (size_t i = 0; i < answer->count; i++) {
			char *word = cli_word(json_array_get(records, i));
			puts(word);
			free(word);
		}
		if (answer->status != DNS_OK)
			puts(dns_status_text(answer->status));
		printf("%s%s%.*s\n", verdict_text(answer), answer->reason.len ? ": " : "",
			STR_FMT(answer->reason));
	}
	json_decref(out);
}

static int lookup(const struct cli *cli, struct dns *dns, struct arena *a, struct err *err)
{
	struct deadline d = deadline_in_ms(LOOKUP_MS);
	struct dns_answer answer;
	char ascii[DNS_NAME_MAX];
	enum dns_type type = DNS_A;
	struct ip ip;
	int rc;

	if (type_find(cli->args[0], &type, err) < 0)
		return -1;
	struct str name = str_from(cli->args[1]);
	if (type == DNS_PTR && ip_parse(name, &ip)) {
		rc = dns_ptr(dns, &ip, d, a, &answer, err);
	} else {
		if (name.len > 1 && name.p[name.len - 1] == '.')
			name.len--;
		/* "_25._tcp.mx" is a name to ask for, if not one of a host. */
		if (!str_is_ascii(name) && dns_name_to_ascii(name, ascii, err) < 0)
			return -1;
		if (str_is_ascii(name) && !str_copy(ascii, sizeof(ascii), name))
			return err_set(err, ERR_PERM, "the name is too long");
		rc = dns_lookup(dns, type, ascii, d, a, &answer, err);
	}
	if (rc < 0)
		return -1;
	answer_print(cli, a, type, &answer);
	return answer.status == DNS_OK ? CLI_OK : CLI_FAILED;
}

int cmd_dns_lookup(const struct cli *cli, struct err *err)
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
