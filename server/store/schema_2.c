#include "store/db.h"

/* Version 2: message log, authentication, TLS policy. A section ends with a comma: a compiler
 * need not take string literals over 4095 octets. */
const char *const schema_2[] = {
	/* --- the message log, see msglog.c --- */

	/* One row for each message taken (id: its queue id) and each one refused (an id of the
	 * same sequence), so that the order of ids is the order in time. */
	"CREATE TABLE msglog(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL,"
	" results INTEGER NOT NULL, rcpts INTEGER NOT NULL, open INTEGER NOT NULL,"
	" stage INTEGER NOT NULL, code INTEGER NOT NULL, size INTEGER NOT NULL,"
	" about INTEGER NOT NULL, session TEXT NOT NULL, mail_from TEXT NOT NULL,"
	" rcpt TEXT NOT NULL, original TEXT NOT NULL, remote_ip TEXT NOT NULL,"
	" message_id TEXT NOT NULL, from_address TEXT NOT NULL, header_from TEXT NOT NULL,"
	" subject TEXT NOT NULL, helo TEXT NOT NULL, account TEXT NOT NULL, listener TEXT NOT NULL,"
	" tls TEXT NOT NULL, ecode TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
	/* Only what is rare has an index: rejected, tempfailed, deferred, bounced, quarantined,
	 * dropped. */
	"CREATE INDEX msglog_rejected ON msglog(id) WHERE results & 2;"
	"CREATE INDEX msglog_tempfailed ON msglog(id) WHERE results & 4;"
	"CREATE INDEX msglog_deferred ON msglog(id) WHERE results & 16;"
	"CREATE INDEX msglog_bounced ON msglog(id) WHERE results & 32;"
	"CREATE INDEX msglog_quarantined ON msglog(id) WHERE results & 64;"
	"CREATE INDEX msglog_dropped ON msglog(id) WHERE results & 128;"
	/* Recipients after the first; id as in table recipient. */
	"CREATE TABLE msglog_rcpt(id INTEGER PRIMARY KEY, address TEXT NOT NULL,"
	" original TEXT NOT NULL) STRICT;"
	/* What happened to a recipient: attempts, and what people did. trace: an id of
	 * msglog_trace, or 0. */
	"CREATE TABLE msglog_event(rcpt_id INTEGER, seq INTEGER, at_ms INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, duration_ms INTEGER NOT NULL, code INTEGER NOT NULL,"
	" next_ms INTEGER NOT NULL, trace INTEGER NOT NULL, ecode TEXT NOT NULL,"
	" text TEXT NOT NULL, mx TEXT NOT NULL, ip TEXT NOT NULL, tls TEXT NOT NULL,"
	" transport TEXT NOT NULL, PRIMARY KEY(rcpt_id, seq)) STRICT, WITHOUT ROWID;"
	/* id: message id << 20 plus a number, 0 for the authentication of the message. */
	"CREATE TABLE msglog_trace(id INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;"
	/* Hashes of all that is searched for, in runs of some thousand messages, written run by
	 * run when complete: rows go to the end of the table, not all over it. */
	"CREATE TABLE msglog_token(run INTEGER, hash INTEGER, low INTEGER,"
	" PRIMARY KEY(run, hash, low)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE msglog_state(one INTEGER PRIMARY KEY CHECK(one = 1),"
	" sealed INTEGER NOT NULL) STRICT;" /* runs below it are in msglog_token */
	"INSERT INTO msglog_state VALUES(1, 0);",
	/* What is in the queue gets its rows. */
	"INSERT INTO msglog SELECT m.id, m.received_ms, 1,"
	" (SELECT count(*) FROM recipient WHERE id >= m.id << 20 AND id < (m.id + 1) << 20),"
	" (SELECT count(*) FROM recipient WHERE id >= m.id << 20 AND id < (m.id + 1) << 20"
	"  AND state <= 1), 0, 250, m.size, 0, m.session, m.mail_from, r.address, r.original,"
	" m.remote_ip, m.message_id, '', '', '', m.helo, m.account, '', '', '', ''"
	" FROM message m JOIN recipient r ON r.id = m.id << 20;"
	"INSERT INTO msglog_rcpt SELECT id, address, original FROM recipient"
	" WHERE id & 1048575;"
	"INSERT INTO msglog_event SELECT rcpt_id, number, started_ms, outcome, duration_ms, code,"
	" 0, 0, ecode, text, mx, ip, tls, transport FROM attempt;"
	"UPDATE msglog SET results = results"
	" | (CASE WHEN EXISTS(SELECT 1 FROM msglog_event e WHERE e.rcpt_id >= msglog.id << 20"
	"  AND e.rcpt_id < (msglog.id + 1) << 20 AND kind = 0) THEN 8 ELSE 0 END)"
	" | (CASE WHEN EXISTS(SELECT 1 FROM msglog_event e WHERE e.rcpt_id >= msglog.id << 20"
	"  AND e.rcpt_id < (msglog.id + 1) << 20 AND kind = 1) THEN 16 ELSE 0 END)"
	" | (CASE WHEN EXISTS(SELECT 1 FROM msglog_event e WHERE e.rcpt_id >= msglog.id << 20"
	"  AND e.rcpt_id < (msglog.id + 1) << 20 AND kind = 2) THEN 32 ELSE 0 END);",

	/* --- queue: hold rules and the like --- */

	/* Empty fields match all; ".x.org" is x.org and all below. */
	"CREATE TABLE hold_rule(id INTEGER PRIMARY KEY, account TEXT NOT NULL,"
	" sender_domain TEXT NOT NULL, sender TEXT NOT NULL, rcpt_domain TEXT NOT NULL,"
	" comment TEXT NOT NULL, created_s INTEGER NOT NULL,"
	" UNIQUE(account, sender_domain, sender, rcpt_domain)) STRICT;"
	/* An admin's way for this recipient: 0 by routes, -1 direct, else a transport. via: the
	 * way of the last attempt. sender: the message's, so that searching the queue reads no
	 * message. What is held is due never. */
	"ALTER TABLE recipient ADD COLUMN transport_id INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE recipient ADD COLUMN via TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE recipient ADD COLUMN sender TEXT NOT NULL DEFAULT '';"
	"UPDATE recipient SET sender = coalesce((SELECT mail_from FROM message m"
	" WHERE m.id = recipient.id >> 20), '');"
	"UPDATE recipient SET next_ms = 9223372036854775807 WHERE state = 1;"
	"CREATE INDEX recipient_next ON recipient(next_ms) WHERE state <= 1;"
	"CREATE INDEX recipient_tries ON recipient(attempts) WHERE state <= 1;"
	"CREATE INDEX recipient_address ON recipient(address COLLATE NOCASE) WHERE state <= 1;"
	"CREATE INDEX recipient_sender ON recipient(sender COLLATE NOCASE) WHERE state <= 1;"
	"CREATE INDEX recipient_way ON recipient(dest, transport_id) WHERE transport_id != 0;"
	"CREATE INDEX message_size ON message(size);"
	"CREATE INDEX message_session ON message(session);",

	/* --- API tokens --- */

	"CREATE TABLE api_token(id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL UNIQUE, read_only INTEGER NOT NULL, created_s INTEGER NOT NULL,"
	" used_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, used_ip TEXT NOT NULL) STRICT;",

	/* --- statistics for the dashboard, see statistics.c --- */
	"CREATE TABLE stat_hour(hour INTEGER, name INTEGER, value INTEGER NOT NULL,"
	" PRIMARY KEY(hour, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE stat_domain(day INTEGER, domain TEXT, accepted INTEGER NOT NULL,"
	" delivered INTEGER NOT NULL, deferred INTEGER NOT NULL, failed INTEGER NOT NULL,"
	" PRIMARY KEY(day, domain)) STRICT, WITHOUT ROWID;",

	/* --- DKIM selectors and signing --- */
	"CREATE TABLE dkim_selector(id INTEGER PRIMARY KEY,"
	" domain_id INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,"
	" name TEXT NOT NULL, ed25519 INTEGER NOT NULL, bits INTEGER NOT NULL,"
	" key_file TEXT NOT NULL, public_b64 TEXT NOT NULL, signing INTEGER NOT NULL,"
	" header_simple INTEGER NOT NULL, body_simple INTEGER NOT NULL,"
	" headers TEXT NOT NULL, seal INTEGER NOT NULL, expiration_s INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL, UNIQUE(domain_id, name)) STRICT;"
	"CREATE TABLE arc_domain(domain_id INTEGER PRIMARY KEY"
	" REFERENCES domain(id) ON DELETE CASCADE, seals INTEGER NOT NULL) STRICT;"
	"CREATE TABLE arc_sealer(id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE,"
	" comment TEXT NOT NULL, created_s INTEGER NOT NULL) STRICT;",

	/* --- allow and deny lists, DNS block lists, what a domain does with verdicts --- */
	/* A domain without a row has the defaults of mailpolicy.c. Scores are in hundredths. */
	"CREATE TABLE domain_policy(domain_id INTEGER PRIMARY KEY"
	" REFERENCES domain(id) ON DELETE CASCADE, dmarc INTEGER NOT NULL, spf INTEGER NOT NULL,"
	" iprev INTEGER NOT NULL, dnsbl INTEGER NOT NULL, temperror_defer INTEGER NOT NULL,"
	" sender_mx INTEGER NOT NULL, quarantine_score INTEGER NOT NULL,"
	" reject_score INTEGER NOT NULL) STRICT;"
	/* list: 0 allow, 1 deny; kind: 0 network, 1 domain, 2 address; see lists.h. */
	"CREATE TABLE list_entry(id INTEGER PRIMARY KEY, list INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, value TEXT NOT NULL, comment TEXT NOT NULL,"
	" created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, UNIQUE(kind, value)) STRICT;"
	"CREATE TABLE dnsbl_zone(id INTEGER PRIMARY KEY, zone TEXT NOT NULL UNIQUE,"
	" comment TEXT NOT NULL, disabled INTEGER NOT NULL) STRICT;",

	/* --- quarantine: recipients of state 4 --- */
	"CREATE TABLE quarantine(rcpt_id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL,"
	" domain TEXT NOT NULL, address TEXT NOT NULL, header_from TEXT NOT NULL,"
	" subject TEXT NOT NULL, reason TEXT NOT NULL) STRICT;"
	"CREATE INDEX quarantine_domain ON quarantine(domain, rcpt_id);",

	/* --- MTA-STS policy cache --- */
	"CREATE TABLE mtasts(domain TEXT PRIMARY KEY, record_id TEXT NOT NULL, mode INTEGER NOT "
	"NULL,"
	" max_age_s INTEGER NOT NULL, inserted_s INTEGER NOT NULL, updated_s INTEGER NOT NULL,"
	" used_s INTEGER NOT NULL, valid_until_s INTEGER NOT NULL, backoff INTEGER NOT NULL,"
	" failed_s INTEGER NOT NULL, reason TEXT NOT NULL, text BLOB NOT NULL) STRICT, WITHOUT "
	"ROWID;"
	"CREATE INDEX mtasts_used ON mtasts(used_s, domain);"
	"CREATE INDEX mtasts_updated ON mtasts(updated_s);",

	/* --- TLS results --- */
	"CREATE TABLE tls_result(id INTEGER PRIMARY KEY, day INTEGER NOT NULL,"
	" policy_domain TEXT NOT NULL, recipient_domain TEXT NOT NULL, is_host INTEGER NOT NULL,"
	" send_report INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
	" UNIQUE(policy_domain, day, recipient_domain)) STRICT;"
	"CREATE INDEX tls_result_day ON tls_result(day, policy_domain);"
	/* key: a hash of type, domain, strings and mx_hosts (JSON arrays). */
	"CREATE TABLE tls_result_policy(id INTEGER PRIMARY KEY,"
	" result_id INTEGER NOT NULL REFERENCES tls_result(id) ON DELETE CASCADE,"
	" key TEXT NOT NULL, type TEXT NOT NULL, domain TEXT NOT NULL, successes INTEGER NOT NULL,"
	" failures INTEGER NOT NULL, mx_hosts TEXT NOT NULL, strings TEXT NOT NULL,"
	" UNIQUE(result_id, key)) STRICT;"
	"CREATE TABLE tls_result_detail("
	" policy_id INTEGER NOT NULL REFERENCES tls_result_policy(id) ON DELETE CASCADE,"
	" type TEXT, sending_ip TEXT, mx TEXT, helo TEXT, ip TEXT, info TEXT, reason TEXT,"
	" count INTEGER NOT NULL,"
	" PRIMARY KEY(policy_id, type, sending_ip, mx, helo, ip, info, reason))"
	" STRICT, WITHOUT ROWID;",

	/* --- TLS reports that were sent, see tlsrptsent.c --- */
	"CREATE TABLE tlsrpt_sent(id INTEGER PRIMARY KEY, report_id TEXT NOT NULL UNIQUE,"
	" policy_domain TEXT NOT NULL, day INTEGER NOT NULL, sent_s INTEGER NOT NULL,"
	" start_s INTEGER NOT NULL, end_s INTEGER NOT NULL, successes INTEGER NOT NULL,"
	" failures INTEGER NOT NULL, mail_from TEXT NOT NULL, record TEXT NOT NULL,"
	" json TEXT NOT NULL) STRICT;"
	"CREATE INDEX tlsrpt_sent_at ON tlsrpt_sent(sent_s);"
	/* One row for each destination. msg_id: of the mail, 0 for none. */
	"CREATE TABLE tlsrpt_to(id INTEGER PRIMARY KEY,"
	" sent_id INTEGER NOT NULL REFERENCES tlsrpt_sent(id) ON DELETE CASCADE,"
	" address TEXT NOT NULL, https INTEGER NOT NULL, state INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL, next_s INTEGER NOT NULL, last_s INTEGER NOT NULL,"
	" msg_id INTEGER NOT NULL, text TEXT NOT NULL) STRICT;"
	"CREATE INDEX tlsrpt_to_sent ON tlsrpt_to(sent_id);"
	"CREATE INDEX tlsrpt_to_msg ON tlsrpt_to(msg_id) WHERE msg_id != 0;"
	"CREATE INDEX tlsrpt_to_address ON tlsrpt_to(address, id);"
	"CREATE INDEX tlsrpt_to_due ON tlsrpt_to(next_s) WHERE https = 1 AND state = 0;"
	/* Why the results of a day are still there. */
	"CREATE TABLE tlsrpt_kept(policy_domain TEXT, day INTEGER, at_s INTEGER NOT NULL,"
	" text TEXT NOT NULL, PRIMARY KEY(policy_domain, day)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tlsrpt_suppress(id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE,"
	" created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, automatic INTEGER NOT NULL,"
	" reason TEXT NOT NULL) STRICT;",

	/* --- TLS overrides by destination --- */
	"CREATE TABLE tls_override(domain TEXT PRIMARY KEY, kind INTEGER NOT NULL,"
	" pins TEXT NOT NULL, reason TEXT NOT NULL, expires_s INTEGER NOT NULL,"
	" changed_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;",

	/* --- TLS reports received --- */
	/* json: gzip. rejected: why it cannot be used, or ''. from_domain: DKIM-verified, or ''. */
	"CREATE TABLE tls_report(id INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL,"
	" report_id TEXT NOT NULL, contact TEXT NOT NULL, from_domain TEXT NOT NULL,"
	" mail_from TEXT NOT NULL, remote_ip TEXT NOT NULL, start_s INTEGER NOT NULL,"
	" end_s INTEGER NOT NULL, received_s INTEGER NOT NULL, via INTEGER NOT NULL,"
	" host INTEGER NOT NULL, successes INTEGER NOT NULL, failures INTEGER NOT NULL,"
	" domains TEXT NOT NULL, rejected TEXT NOT NULL, size INTEGER NOT NULL,"
	" json BLOB NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX tls_report_name ON tls_report(org, report_id, from_domain)"
	" WHERE rejected = '';"
	"CREATE INDEX tls_report_rejected ON tls_report(id) WHERE rejected != '';"
	"CREATE INDEX tls_report_failed ON tls_report(id) WHERE failures > 0;"
	"CREATE INDEX tls_report_org ON tls_report(org, id);"
	"CREATE INDEX tls_report_end ON tls_report(end_s);"
	/* Which reports are about a policy domain, have a result type: for the list. */
	"CREATE TABLE tls_report_domain(domain TEXT, report_id INTEGER,"
	" PRIMARY KEY(domain, report_id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX tls_report_domain_report ON tls_report_domain(report_id);"
	"CREATE TABLE tls_report_result(type TEXT, report_id INTEGER,"
	" PRIMARY KEY(type, report_id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX tls_report_result_report ON tls_report_result(report_id);"
	/* Sums; day: since 1970. */
	"CREATE TABLE tls_report_day(day INTEGER, domain TEXT, org TEXT, type TEXT,"
	" successes INTEGER NOT NULL, failures INTEGER NOT NULL, reports INTEGER NOT NULL,"
	" PRIMARY KEY(day, domain, org, type)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tls_report_failure(day INTEGER, domain TEXT, org TEXT, type TEXT, mx TEXT,"
	" failures INTEGER NOT NULL, reports INTEGER NOT NULL,"
	" PRIMARY KEY(day, domain, org, type, mx)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE domain_tlsrpt(domain_id INTEGER PRIMARY KEY"
	" REFERENCES domain(id) ON DELETE CASCADE, off INTEGER NOT NULL,"
	" localpart TEXT NOT NULL) STRICT;",

	"INSERT INTO setting VALUES('schema_2', '1');", NULL};
