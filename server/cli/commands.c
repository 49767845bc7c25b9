/* commands - what there is, in the order of "mox help". */
#include "cli/commands.h"

static const struct cli_flag localserve_flags[] = {
	{"dir", "DIR", "data directory (else ~/.local/share/mox-localserve)"},
	{"ip", "ADDRESS", "another loopback address to listen on"},
	{"hold", NULL, "keep accepted mail in the queue, on hold"},
	{NULL, NULL, NULL},
};

static const struct cli_flag relay_flags[] = {
	{"relay", "HOST:PORT,...", "hosts that take the mail, tried in this order"},
	{"protocol", "smtp|lmtp", "towards those hosts"},
	{"tls", "MODE", "none, opportunistic, required, verify or immediate"},
	{"username", "NAME", "to log in there"},
	{"password", "PASSWORD", "of that user"},
	{NULL, NULL, NULL},
};

static const struct cli_flag domain_flags[] = {
	{"relay", "HOST:PORT,...", "hosts that take the mail, tried in this order"},
	{"protocol", "smtp|lmtp", "towards those hosts"},
	{"tls", "MODE", "none, opportunistic, required, verify or immediate"},
	{"username", "NAME", "to log in there"},
	{"password", "PASSWORD", "of that user"},
	{"delivery", "mailbox|relay", "to local mailboxes, or to the relay hosts"},
	{"recipients", "CHECK", "of a relay domain: list, callout (ask the hosts) or any"},
	{"separator", "CHAR", "cuts details off local parts; empty: none"},
	{"case_sensitive", "yes|no", "local parts"},
	{"disabled", "yes|no", "refuse its mail for now"},
	{"description", "TEXT", "for people"},
	{NULL, NULL, NULL},
};

static const struct cli_flag account_flags[] = {
	{"full_name", "NAME", "for people"},
	{"disabled", "yes|no", "may not log in"},
	{NULL, NULL, NULL},
};

static const struct cli_flag address_list_flags[] = {
	{"domain", "NAME", "only of this domain"},
	{"account", "NAME", "only of this account"},
	{NULL, NULL, NULL},
};

static const struct cli_flag route_flags[] = {
	{"from", "DOMAIN", "of the sender; .DOMAIN also below it"},
	{"to", "DOMAIN", "of the recipient; .DOMAIN also below it"},
	{"min_attempts", "N", "only after so many failed attempts"},
	{"position", "N", "place in the list (else the end)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag network_flags[] = {
	{"comment", "TEXT", "for people"},
	{NULL, NULL, NULL},
};

static const struct cli_flag quarantine_flags[] = {
	{"domain", "DOMAIN", "only for recipients there"},
	{"text", "TEXT", "only with this in address, subject or reason"},
	{"limit", "N", "no more than so many"},
	{NULL, NULL, NULL},
};

static const struct cli_flag quarantine_act_flags[] = {
	{"all", NULL, "all of it"},
	{"domain", "DOMAIN", "with -all: for recipients there"},
	{NULL, NULL, NULL},
};

static const struct cli_flag token_flags[] = {
	{"read_only", "yes|no", "may change nothing"},
	{"days", "N", "ends after so many days (else never)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag override_flags[] = {
	{"reason", "TEXT", "why; needed"},
	{"expires", "DAY|Nd", "last day it is good for (2027-01-31), or in how many days; needed"},
	{"pins", "HEX,...", "of kind pin: SHA-256 of the keys that are good"},
	{NULL, NULL, NULL},
};

static const struct cli_flag list_flags[] = {
	{"to", "DOMAIN", "this destination; .DOMAIN: and all below"},
	{"text", "TEXT", "with this in sender or recipient, or a queue id or session id"},
	{"from", "ADDRESS", "of this sender; <> for bounces"},
	{"from_domain", "DOMAIN", "senders of this domain"},
	{"account", "NAME", "submitted by this account"},
	{"error", "TEXT", "with this in the last error"},
	{"via", "WAY", "a transport, direct, relay or mailbox"},
	{"state", "STATE", "queued, held, delivered or failed (else queued and held)"},
	{"min_attempts", "N", "tried at least so often"},
	{"max_attempts", "N", "tried at most so often"},
	{"older", "TIME", "received longer ago, such as 90m, 12h, 2d"},
	{"newer", "TIME", "received since then"},
	{"sort", "ORDER", "received, next, attempts or size"},
	{"desc", NULL, "the other way round"},
	{"limit", "N", "no more than so many recipients"},
	{NULL, NULL, NULL},
};

static const struct cli_flag entry_flags[] = {
	{"comment", "TEXT", "for people"},
	{"expires", "DATE|DAYS", "until the end of 2026-12-31, or for 30 days; empty: for good"},
	{NULL, NULL, NULL},
};
static const struct cli_flag entry_set_flags[] = {
	{"list", "allow|deny", "move it to that list"},
	{"comment", "TEXT", "for people"},
	{"expires", "DATE|DAYS", "until the end of 2026-12-31, or for 30 days; empty: for good"},
	{NULL, NULL, NULL},
};
static const struct cli_flag entry_list_flags[] = {
	{"list", "allow|deny", "only this list"},
	{"text", "TEXT", "only with this in value or comment"},
	{NULL, NULL, NULL},
};
static const struct cli_flag dnsbl_flags[] = {
	{"comment", "TEXT", "for people"},
	{"disabled", "yes|no", "keep it, do not ask it"},
	{NULL, NULL, NULL},
};

static const struct cli_flag spf_flags[] = {
	{"ip", "ADDRESS", "of the client"},
	{"helo", "NAME", "as the client says it"},
	{"mailfrom", "ADDRESS", "of the sender; empty or left out: the HELO name is checked"},
	{"receiver", "NAME", "for the macro r (else Hostname of mox.conf)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag dmarc_flags[] = {
	{"ip", "ADDRESS", "of the client that sent it"},
	{"helo", "NAME", "as the client says it"},
	{"mailfrom", "ADDRESS", "of the envelope; empty or left out: the null sender"},
	{NULL, NULL, NULL},
};

static const struct cli_flag act_flags[] = {
	{"all", NULL, "the whole queue"},
	{"to", "DOMAIN", "this destination; .DOMAIN: and all below"},
	{"text", "TEXT", "with this in sender or recipient, or a queue id or session id"},
	{"from", "ADDRESS", "of this sender; <> for bounces"},
	{"from_domain", "DOMAIN", "senders of this domain"},
	{"account", "NAME", "submitted by this account"},
	{"error", "TEXT", "with this in the last error"},
	{"via", "WAY", "a transport, direct, relay or mailbox"},
	{"state", "STATE", "queued, held, delivered or failed (else queued and held)"},
	{"min_attempts", "N", "tried at least so often"},
	{"max_attempts", "N", "tried at most so often"},
	{"older", "TIME", "received longer ago, such as 90m, 12h, 2d"},
	{"newer", "TIME", "received since then"},
	{NULL, NULL, NULL},
};

static const struct cli_flag transport_flags[] = {
	{"all", NULL, "the whole queue"},
	{"kick", NULL, "and try again now"},
	{"to", "DOMAIN", "this destination; .DOMAIN: and all below"},
	{"text", "TEXT", "with this in sender or recipient, or a queue id or session id"},
	{"from", "ADDRESS", "of this sender; <> for bounces"},
	{"from_domain", "DOMAIN", "senders of this domain"},
	{"account", "NAME", "submitted by this account"},
	{"error", "TEXT", "with this in the last error"},
	{"via", "WAY", "a transport, direct, relay or mailbox"},
	{"state", "STATE", "queued, held, delivered or failed (else queued and held)"},
	{"min_attempts", "N", "tried at least so often"},
	{"max_attempts", "N", "tried at most so often"},
	{"older", "TIME", "received longer ago, such as 90m, 12h, 2d"},
	{"newer", "TIME", "received since then"},
	{NULL, NULL, NULL},
};

static const struct cli_flag way_flags[] = {
	{"from", "ADDRESS", "of the sender (else the null sender)"},
	{"attempt", "N", "which attempt it is (else the first)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag relaytest_flags[] = {
	{"transport", "NAME", "with the hosts and settings of this transport"},
	{"domain", "NAME", "with the hosts and settings of this domain"},
	{"rcpt", "ADDRESS", "also ask whether it takes mail for this address"},
	{"mail_from", "ADDRESS", "as sender of that (else the null sender)"},
	{"protocol", "smtp|lmtp", "towards the host"},
	{"tls", "MODE", "none, opportunistic, required, verify or immediate"},
	{"username", "NAME", "to log in there"},
	{"password", "PASSWORD", "of that user"},
	{NULL, NULL, NULL},
};

static const struct cli_flag rule_flags[] = {
	{"account", "NAME", "submitted by this account"},
	{"from", "ADDRESS", "of this sender; <> for bounces"},
	{"from_domain", "DOMAIN", "of this domain; .DOMAIN: and all below"},
	{"to", "DOMAIN", "to this domain; .DOMAIN: and all below"},
	{"comment", "TEXT", "for people"},
	{"all", NULL, "all mail: a rule without any of those"},
	{"apply", NULL, "also to what waits in the queue"},
	{NULL, NULL, NULL},
};

static const struct cli_flag rule_rm_flags[] = {
	{"apply", NULL, "also release what it matches in the queue"},
	{NULL, NULL, NULL},
};

static const struct cli_flag sign_flags[] = {
	{"domain", "DOMAIN", "whose signature it is to be (d=)"},
	{"selector", "NAME", "only this one; else all that sign for the domain"},
	{"key", "FILE", "a private key in PEM, instead of the database's"},
	{"canonicalization", "HEADER/BODY", "with -key: relaxed or simple (else relaxed/relaxed)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag selector_list_flags[] = {
	{"domain", "NAME", "only of this domain"},
	{NULL, NULL, NULL},
};
static const struct cli_flag selector_set_flags[] = {
	{"sign", "yes|no", "sign outgoing mail with it"},
	{"canonicalization", "HEADER/BODY", "relaxed or simple"},
	{"headers", "NAME:NAME:...", "fields to sign (else the usual ones)"},
	{"seal", "yes|no", "no such field can be added later"},
	{"expiration", "HOURS", "how long a signature is valid; 0: for ever"},
	{NULL, NULL, NULL},
};
static const struct cli_flag selector_add_flags[] = {
	{"type", "rsa|ed25519", "of the new key (else rsa)"},
	{"bits", "N", "of an RSA key (else 2048)"},
	{"key", "FILE", "take this private key in PEM instead"},
	{"sign", "yes|no", "sign outgoing mail with it (else yes)"},
	{"canonicalization", "HEADER/BODY", "relaxed or simple"},
	{"headers", "NAME:NAME:...", "fields to sign (else the usual ones)"},
	{"seal", "yes|no", "no such field can be added later (else yes)"},
	{"expiration", "HOURS", "how long a signature is valid; 0: for ever"},
	{NULL, NULL, NULL},
};
static const struct cli_flag arc_flags[] = {
	{"on", "yes|no", "seal what goes on to other hosts"},
	{NULL, NULL, NULL},
};

static const struct cli_flag gen_flags[] = {
	{"bits", "N", "of an RSA key (else 2048)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag log_flags[] = {
	{"address", "ADDRESS", "sender, recipient or From"},
	{"domain", "DOMAIN", "of one of them"},
	{"session", "ID", "of the SMTP dialogue"},
	{"message-id", "ID", "as in the message's header"},
	{"ip", "ADDRESS", "where it came from or went to"},
	{"result", "RESULT",
		"accepted, rejected, tempfailed, delivered, deferred, bounced, quarantined or "
		"dropped"},
	{"since", "TIME", "2026-11-24, 2026-11-24T10:30 (UTC), or 90m, 24h, 7d ago"},
	{"until", "TIME", "the same"},
	{"n", "N", "no more than so many (else 50)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag mtasts_flags[] = {
	{"text", "TEXT", "only domains with this in them"},
	{"mode", "MODE", "enforce, testing, none or backoff"},
	{"limit", "N", "no more than so many"},
	{NULL, NULL, NULL},
};

static const struct cli_flag tlsresults_flags[] = {
	{"policy_domain", "TEXT", "only with this in the policy domain"},
	{"recipient_domain", "TEXT", "only with this in the recipient domain"},
	{"day", "YYYYMMDD", "only of this UTC day"},
	{"failures", NULL, "only with failures"},
	{"limit", "N", "no more than so many"},
	{NULL, NULL, NULL},
};

static const struct cli_flag simulate_flags[] = {
	{"from", "ADDRESS", "sender; none: a bounce"},
	{"requiretls", NULL, "the message asks for REQUIRETLS"},
	{"tlsoptional", NULL, "the message says TLS-Required: No"},
	{NULL, NULL, NULL},
};

static const struct cli_flag tlsreports_flags[] = {
	{"domain", "DOMAIN", "only about this policy domain"},
	{"from", "NAME", "only of this organization"},
	{"result", "TYPE", "only with failures of this type"},
	{"days", "N", "only of the last days"},
	{"failures", NULL, "only with failed sessions"},
	{"rejected", NULL, "those that could not be used instead"},
	{"after", "ID", "only older ones than this"},
	{"limit", "N", "no more than so many (else 100)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag tlsrpt_send_flags[] = {
	{"day", "YYYYMMDD", "of this UTC day, also of one that is not over (else all that are)"},
	{"domain", "DOMAIN", "only to this policy domain; needs -day"},
	{NULL, NULL, NULL},
};

static const struct cli_flag tlsrpt_sent_flags[] = {
	{"text", "TEXT", "only with this in policy domain or report id"},
	{"before", "ID", "only older ones than this"},
	{"limit", "N", "no more than so many (else 100)"},
	{NULL, NULL, NULL},
};

static const struct cli_flag tlsrpt_suppress_flags[] = {
	{"days", "N", "for so long (else for good)"},
	{"reason", "TEXT", "why"},
	{NULL, NULL, NULL},
};

const struct cli_command cli_commands[] = {
	{"serve", "", "run the gateway", NULL, NULL, 0, 0, false},
	{"localserve", "", "try it: loopback only, any recipient, ready-made account", NULL,
		localserve_flags, 0, 0, true},
	{"status", "", "what the running daemon does", cmd_status, NULL, 0, 0, false},
	{"reload", "", "read mox.conf again", cmd_reload, NULL, 0, 0, false},
	{"stop", "", "end the daemon, sessions first", cmd_stop, NULL, 0, 0, false},
	{"queue list", "", "recipients waiting", cmd_queue_list, list_flags, 0, 0, false},
	{"queue summary", "", "counts, and by destination", cmd_queue_summary, NULL, 0, 0, false},
	{"queue show", "ID", "one message with every attempt", cmd_queue_show, NULL, 1, 1, false},
	{"queue kick", "[ID]", "try again now", cmd_queue_act, act_flags, 0, 1, false},
	{"queue hold", "[ID]", "do not deliver until unhold", cmd_queue_act, act_flags, 0, 1,
		false},
	{"queue unhold", "[ID]", "deliver after all", cmd_queue_act, act_flags, 0, 1, false},
	{"queue drop", "[ID]", "remove, nobody is told", cmd_queue_act, act_flags, 0, 1, false},
	{"queue transport", "TRANSPORT [ID]", "which way to go: a transport, direct, routes",
		cmd_queue_transport, transport_flags, 1, 2, false},
	{"queue route", "ADDRESS", "which way mail for it would go, and why", cmd_queue_route,
		way_flags, 1, 1, false},
	{"smtp simulate", "ADDRESS", "what would happen to mail for it now; nothing is sent",
		cmd_smtp_simulate, simulate_flags, 1, 1, false},
	{"queue holdrules list", "", "what mail starts on hold", cmd_queue_holdrules, NULL, 0, 0,
		false},
	{"queue holdrules add", "", "hold what matches all that is given", cmd_queue_holdrules,
		rule_flags, 0, 0, false},
	{"queue holdrules remove", "ID", "hold no more of it", cmd_queue_holdrules, rule_rm_flags,
		1, 1, false},
	{"queue dump", "ID", "the message itself, on stdout", cmd_queue_dump, NULL, 1, 1, false},
	{"log", "[WHAT]", "where is my mail: address, domain, id or IP", cmd_log, log_flags, 0, 1,
		false},
	{"log show", "ID", "a message's whole life", cmd_log_show, NULL, 1, 1, false},
	{"log keep", "[DAYS]", "how long the message log is kept", cmd_log_keep, NULL, 0, 1, false},
	{"quarantine list", "", "what was kept back, newest first", cmd_quarantine_list,
		quarantine_flags, 0, 0, false},
	{"quarantine release", "[ID]", "deliver it as it would have been", cmd_quarantine_act,
		quarantine_act_flags, 0, 1, false},
	{"quarantine delete", "[ID]", "gone for good", cmd_quarantine_act, quarantine_act_flags, 0,
		1, false},
	{"quarantine keep", "[DAYS]", "how long it is kept before it is deleted",
		cmd_quarantine_keep, NULL, 0, 1, false},
	{"config test", "", "check mox.conf and its keys", cmd_config_test, NULL, 0, 0, false},
	{"config import", "FILE [FILE]", "a domains.conf, a mox.conf or both", cmd_config_import,
		NULL, 1, 2, false},
	{"config relaytest", "[HOST:PORT]", "try a relay host, step by step; sends nothing",
		cmd_config_relaytest, relaytest_flags, 0, 1, false},
	{"config domain list", "", "hosted domains", cmd_directory, NULL, 0, 0, false},
	{"config domain add", "NAME", "host a domain", cmd_directory, domain_flags, 1, 1, false},
	{"config domain set", "NAME", "change a domain", cmd_directory, domain_flags, 1, 1, false},
	{"config domain rm", "NAME", "remove it with its addresses", cmd_directory, NULL, 1, 1,
		false},
	{"config account list", "", "accounts", cmd_directory, NULL, 0, 0, false},
	{"config account add", "NAME [ADDRESS]", "a mailbox and login", cmd_directory,
		account_flags, 1, 2, false},
	{"config account set", "NAME", "change an account", cmd_directory, account_flags, 1, 1,
		false},
	{"config account rm", "NAME", "remove an account", cmd_directory, NULL, 1, 1, false},
	{"config address list", "", "addresses", cmd_directory, address_list_flags, 0, 0, false},
	{"config address add", "ADDRESS [ACCOUNT]", "@DOMAIN for the rest; no account: relayed",
		cmd_directory, relay_flags, 1, 2, false},
	{"config address rm", "ADDRESS", "remove an address", cmd_directory, NULL, 1, 1, false},
	{"config alias list", "", "aliases", cmd_directory, address_list_flags, 0, 0, false},
	{"config alias add", "ADDRESS MEMBER...", "goes to each member", cmd_directory, NULL, 2,
		CLI_ARGS_MAX, false},
	{"config alias rm", "ADDRESS", "remove an alias", cmd_directory, NULL, 1, 1, false},
	{"config transport list", "", "ways out", cmd_directory, NULL, 0, 0, false},
	{"config transport add", "NAME", "a smarthost", cmd_directory, relay_flags, 1, 1, false},
	{"config transport rm", "NAME", "remove a transport", cmd_directory, NULL, 1, 1, false},
	{"config route list", "", "which mail takes which way", cmd_directory, NULL, 0, 0, false},
	{"config route add", "TRANSPORT", "a transport, or direct", cmd_directory, route_flags, 1,
		1, false},
	{"config route rm", "ID", "remove a route", cmd_directory, NULL, 1, 1, false},
	{"config network list", "", "who may relay without login", cmd_directory, NULL, 0, 0,
		false},
	{"config network add", "NETWORK", "let a network relay", cmd_directory, network_flags, 1, 1,
		false},
	{"config network rm", "NETWORK", "not any more", cmd_directory, NULL, 1, 1, false},
	{"config dkim list", "", "DKIM selectors", cmd_directory, selector_list_flags, 0, 0, false},
	{"config dkim add", "SELECTOR DOMAIN", "a key that signs the domain's mail", cmd_directory,
		selector_add_flags, 2, 2, false},
	{"config dkim set", "SELECTOR DOMAIN", "change a selector", cmd_directory,
		selector_set_flags, 2, 2, false},
	{"config dkim rm", "SELECTOR DOMAIN", "remove it; its key file goes to dkim/old",
		cmd_directory, NULL, 2, 2, false},
	{"config dkim arc", "DOMAIN", "ARC seals of a domain", cmd_directory, arc_flags, 1, 1,
		false},
	{"config sealer list", "", "whose ARC seals are trusted", cmd_directory, NULL, 0, 0, false},
	{"config sealer add", "DOMAIN", "trust a forwarder", cmd_directory, network_flags, 1, 1,
		false},
	{"config sealer rm", "DOMAIN", "not any more", cmd_directory, NULL, 1, 1, false},
	{"config token list", "", "tokens of the JSON API", cmd_directory, NULL, 0, 0, false},
	{"config token add", "NAME", "make one; it is printed this once", cmd_directory,
		token_flags, 1, 1, false},
	{"config token rm", "ID", "revoke a token", cmd_directory, NULL, 1, 1, false},
	{"config list list", "", "who is always, or never, let in", cmd_directory, entry_list_flags,
		0, 0, false},
	{"config list add", "VALUE allow|deny", "an address, network, domain or email address",
		cmd_directory, entry_flags, 2, 2, false},
	{"config list set", "VALUE", "change an entry", cmd_directory, entry_set_flags, 1, 1,
		false},
	{"config list rm", "VALUE", "remove an entry", cmd_directory, NULL, 1, 1, false},
	{"config dnsbl list", "", "DNS block lists that clients are looked up in", cmd_directory,
		NULL, 0, 0, false},
	{"config dnsbl add", "ZONE", "ask a block list", cmd_directory, dnsbl_flags, 1, 1, false},
	{"config dnsbl set", "ZONE", "change it", cmd_directory, dnsbl_flags, 1, 1, false},
	{"config dnsbl rm", "ZONE", "not any more", cmd_directory, NULL, 1, 1, false},
	{"config tlsoverride list", "", "what is said about TLS to single destinations",
		cmd_directory, NULL, 0, 0, false},
	{"config tlsoverride set", "DOMAIN verified|plaintext|pin",
		"demand more of a destination than it publishes, or less", cmd_directory,
		override_flags, 2, 2, false},
	{"config tlsoverride remove", "DOMAIN", "what it publishes counts again", cmd_directory,
		NULL, 1, 1, false},
	{"setadminpassword", "", "of the admin pages; read from stdin", cmd_set_admin_password,
		NULL, 0, 0, false},
	{"setaccountpassword", "ACCOUNT", "of an account; read from stdin",
		cmd_set_account_password, NULL, 1, 1, false},
	{"dns lookup", "TYPE NAME", "ask the resolver, with DNSSEC verdict", cmd_dns_lookup, NULL,
		2, 2, false},
	{"spf check", "", "may an address send for a domain", cmd_spf_check, spf_flags, 0, 0,
		false},
	{"spf lookup", "DOMAIN", "its SPF record", cmd_spf_lookup, NULL, 1, 1, false},
	{"spf parse", "RECORD", "check the syntax of a record", cmd_spf_parse, NULL, 1, 1, true},
	{"dkim verify", "", "the signatures of the message on stdin", cmd_dkim_verify, NULL, 0, 0,
		false},
	{"dkim sign", "", "print the message on stdin with our signatures on top", cmd_dkim_sign,
		sign_flags, 0, 0, false},
	{"dkim gen", "ed25519|rsa [FILE]", "a new private key in PEM, in FILE or on stdout",
		cmd_dkim_gen, gen_flags, 1, 2, true},
	{"dkim gened25519", "[FILE]", "dkim gen ed25519", cmd_dkim_gen, NULL, 0, 1, true},
	{"dkim genrsa", "[FILE]", "dkim gen rsa", cmd_dkim_gen, gen_flags, 0, 1, true},
	{"dkim txt", "[FILE|DOMAIN]", "the DNS record of a key file, or those of a hosted domain",
		cmd_dkim_txt, NULL, 0, 1, false},
	{"dkim lookup", "SELECTOR DOMAIN", "the key in the DNS", cmd_dkim_lookup, NULL, 2, 2,
		false},
	{"arc verify", "", "the ARC chain of the message on stdin", cmd_arc_verify, NULL, 0, 0,
		false},
	{"dmarc lookup", "DOMAIN", "what its owner asks for", cmd_dmarc_lookup, NULL, 1, 1, false},
	{"dmarc verify", "", "is the message on stdin from whom it says", cmd_dmarc_verify,
		dmarc_flags, 0, 0, false},
	{"mtasts lookup", "DOMAIN", "record and policy a domain publishes now", cmd_mtasts_lookup,
		NULL, 1, 1, false},
	{"mtasts cache list", "", "policies of other domains in use", cmd_mtasts_cache_list,
		mtasts_flags, 0, 0, false},
	{"mtasts cache refresh", "DOMAIN", "fetch its policy now", cmd_mtasts_cache_act, NULL, 1, 1,
		false},
	{"mtasts cache forget", "DOMAIN", "until mail for it is sent again", cmd_mtasts_cache_act,
		NULL, 1, 1, false},
	{"tlsrpt lookup", "DOMAIN", "where a domain wants TLS reports sent", cmd_tlsrpt_lookup,
		NULL, 1, 1, false},
	{"tlsrpt parsereportmsg", "FILE...", "the TLS report in mail messages",
		cmd_tlsrpt_parsereportmsg, NULL, 1, CLI_ARGS_MAX, false},
	{"tlsrpt reports list", "", "TLS reports of others", cmd_tlsrpt_reports_list,
		tlsreports_flags, 0, 0, false},
	{"tlsrpt reports show", "ID", "one of them, with its JSON", cmd_tlsrpt_reports_show, NULL,
		1, 1, false},
	{"tlsrpt send", "", "send the TLS reports that are due now", cmd_tlsrpt_send,
		tlsrpt_send_flags, 0, 0, false},
	{"tlsrpt sent list", "", "TLS reports that were sent", cmd_tlsrpt_sent_list,
		tlsrpt_sent_flags, 0, 0, false},
	{"tlsrpt sent show", "ID", "one of them: what became of it, and its JSON",
		cmd_tlsrpt_sent_show, NULL, 1, 1, false},
	{"tlsrpt suppress list", "", "destinations that get no TLS reports",
		cmd_tlsrpt_suppress_list, NULL, 0, 0, false},
	{"tlsrpt suppress add", "ADDRESS", "send no TLS reports there", cmd_tlsrpt_suppress_act,
		tlsrpt_suppress_flags, 1, 1, false},
	{"tlsrpt suppress rm", "ADDRESS", "send them again", cmd_tlsrpt_suppress_act, NULL, 1, 1,
		false},
	{"tlsresults list", "", "what became of TLS in deliveries, not yet reported",
		cmd_tlsresults_list, tlsresults_flags, 0, 0, false},
	{"dnsbl check", "ZONE IP", "is an address on a DNS block list", cmd_dnsbl_check, NULL, 2, 2,
		false},
	{"dnsbl checkhealth", "ZONE", "does a block list behave as one", cmd_dnsbl_checkhealth,
		NULL, 1, 1, false},
	{"dane dial", "HOST:PORT", "connect with TLS, verified by TLSA records", cmd_dane_dial,
		NULL, 1, 1, false},
	{"dane dialmx", "DOMAIN", "the TLS that mail to the domain meets at each MX host",
		cmd_dane_dialmx, NULL, 1, 1, false},
	{"dane makerecord", "USAGE SELECTOR MATCH FILE",
		"the TLSA record of a certificate or key in PEM", cmd_dane_makerecord, NULL, 4, 4,
		true},
	{"backup", "DIR", "copy all data, also while mox runs", cmd_backup, NULL, 1, 1, false},
	{"version", "", "of this build", cmd_version, NULL, 0, 0, true},
	{"help", "", "this list", cli_help, NULL, 0, 100, true},
};
const size_t cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);
