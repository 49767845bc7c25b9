/* commands - the table of commands, and the functions in it. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

#include <jansson.h>

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

int cli_help(const struct cli *cli, struct err *err);

int cmd_version(const struct cli *cli, struct err *err);
int cmd_status(const struct cli *cli, struct err *err);
int cmd_reload(const struct cli *cli, struct err *err);
int cmd_stop(const struct cli *cli, struct err *err);
int cmd_backup(const struct cli *cli, struct err *err);
int cmd_dns_lookup(const struct cli *cli, struct err *err);

int cmd_spf_check(const struct cli *cli, struct err *err);
int cmd_spf_lookup(const struct cli *cli, struct err *err);
int cmd_spf_parse(const struct cli *cli, struct err *err);
int cmd_dmarc_lookup(const struct cli *cli, struct err *err);
int cmd_dmarc_verify(const struct cli *cli, struct err *err);
int cmd_dkim_verify(const struct cli *cli, struct err *err);
int cmd_dkim_sign(const struct cli *cli, struct err *err);
int cmd_dkim_gen(const struct cli *cli, struct err *err); /* gen, gened25519, genrsa */
int cmd_dkim_txt(const struct cli *cli, struct err *err);
int cmd_dkim_lookup(const struct cli *cli, struct err *err);
int cmd_arc_verify(const struct cli *cli, struct err *err);

int cmd_tlsrpt_lookup(const struct cli *cli, struct err *err);
int cmd_tlsrpt_parsereportmsg(const struct cli *cli, struct err *err);
int cmd_tlsrpt_reports_list(const struct cli *cli, struct err *err);
int cmd_tlsrpt_reports_show(const struct cli *cli, struct err *err);
int cmd_tlsrpt_send(const struct cli *cli, struct err *err);
int cmd_tlsrpt_sent_list(const struct cli *cli, struct err *err);
int cmd_tlsrpt_sent_show(const struct cli *cli, struct err *err);
int cmd_tlsrpt_suppress_list(const struct cli *cli, struct err *err);
int cmd_tlsrpt_suppress_act(const struct cli *cli, struct err *err); /* add, rm */
int cmd_mtasts_lookup(const struct cli *cli, struct err *err);
int cmd_mtasts_cache_list(const struct cli *cli, struct err *err);
int cmd_mtasts_cache_act(const struct cli *cli, struct err *err); /* refresh, forget */
int cmd_tlsresults_list(const struct cli *cli, struct err *err);

int cmd_dnsbl_check(const struct cli *cli, struct err *err);
int cmd_dnsbl_checkhealth(const struct cli *cli, struct err *err);
int cmd_dane_dial(const struct cli *cli, struct err *err);
int cmd_dane_dialmx(const struct cli *cli, struct err *err);
int cmd_dane_makerecord(const struct cli *cli, struct err *err);

int cmd_quarantine_list(const struct cli *cli, struct err *err);
int cmd_quarantine_keep(const struct cli *cli, struct err *err);
int cmd_quarantine_act(const struct cli *cli, struct err *err);
int cmd_config_test(const struct cli *cli, struct err *err);
int cmd_config_import(const struct cli *cli, struct err *err);
/* list, add, set and rm of each kind of thing. */
int cmd_directory(const struct cli *cli, struct err *err);

int cmd_set_admin_password(const struct cli *cli, struct err *err);
int cmd_set_account_password(const struct cli *cli, struct err *err);

int cmd_log(const struct cli *cli, struct err *err);
int cmd_log_show(const struct cli *cli, struct err *err);
int cmd_log_keep(const struct cli *cli, struct err *err);

int cmd_queue_list(const struct cli *cli, struct err *err);
int cmd_queue_summary(const struct cli *cli, struct err *err);
int cmd_queue_show(const struct cli *cli, struct err *err);
int cmd_queue_act(const struct cli *cli, struct err *err); /* kick, hold, unhold, drop */
int cmd_queue_dump(const struct cli *cli, struct err *err);
int cmd_queue_transport(const struct cli *cli, struct err *err);
int cmd_config_relaytest(const struct cli *cli, struct err *err);
int cmd_smtp_simulate(const struct cli *cli, struct err *err);
int cmd_queue_route(const struct cli *cli, struct err *err);
int cmd_queue_holdrules(const struct cli *cli, struct err *err); /* list, add, remove */
/* Adds the options that select recipients to a request; how many there were. */
size_t cmd_queue_filter(const struct cli *cli, json_t *request);

#endif
